//! Encoding a stream: entry by entry, group by group.
//!
//! Entries are collected in a node of up to 4 KiB and 100 entries, Redis's defaults of `stream-node-max-bytes` and
//! `stream-node-max-entries`. The first entry of a node gives the names; the others that have the same names only
//! write their values. A node has fewer than 128 entries, so their number takes one byte, which is overwritten when
//! the node is complete.

use super::decode_stream::UNKNOWN;
use super::encode::{push, push_count_later, push_footer, push_length, push_string, set_count};
use super::listpack::ListpackWriter;
use super::{StreamId, Strings, kind};
use crate::base::OutOfMemory;

const NODE_BYTES_MAX: usize = 4 << 10;
const NODE_ENTRIES_MAX: u8 = 100;
const _: () = assert!(NODE_ENTRIES_MAX < 128, "the number of entries takes one byte");
const SAME_FIELDS: i64 = 2;

/// Writes the payload of a stream.
///
/// Call, in this order: [`begin`](StreamDump::begin); [`entry`](StreamDump::entry) for each entry, ascending;
/// [`end_of_entries`](StreamDump::end_of_entries); for each group [`group`](StreamDump::group),
/// [`pending`](StreamDump::pending) for each of its pending entries, ascending, [`consumers`](StreamDump::consumers),
/// and for each consumer [`consumer`](StreamDump::consumer) and [`pending_of`](StreamDump::pending_of) for each entry
/// that it owes; at last [`end`](StreamDump::end). Each pending entry belongs to one consumer. The counts must be right.
///
/// Dropped before its end, for example after an error, it takes back everything that it has appended.
#[derive(Debug)]
pub struct StreamDump<'o> {
    out: &'o mut Vec<u8>,
    /// Where the payload begins.
    start: usize,
    /// True if the payload is complete.
    ended: bool,
    /// Where the number of nodes stands.
    nodes_at: usize,
    nodes: u32,
    node: Node,
    /// Number of entries.
    entries: u64,
    first_id: StreamId,
}

/// The node that is being written.
#[derive(Debug, Default)]
struct Node {
    id: StreamId,
    /// The names of the first entry's fields.
    names: Strings,
    entries: u8,
    pack: ListpackWriter,
}

impl<'o> StreamDump<'o> {
    /// Begins a payload behind the bytes of `out`.
    ///
    /// # Errors
    /// [`OutOfMemory`]; then `out` is as it was.
    pub fn begin(out: &'o mut Vec<u8>) -> Result<StreamDump<'o>, OutOfMemory> {
        let start = out.len();
        let first_id = StreamId::default();
        let node = Node::default();
        let mut dump =
            StreamDump { out, start, ended: false, nodes_at: 0, nodes: 0, node, entries: 0, first_id };
        push(dump.out, &[kind::STREAM_2])?;
        dump.nodes_at = push_count_later(dump.out)?;
        Ok(dump)
    }

    /// Bytes that the payload has at least, as far as it is written.
    pub fn len_min(&self) -> usize {
        self.out.len() - self.start + self.node.pack.len()
    }

    /// Appends an entry with these names and values of its fields.
    ///
    /// # Errors
    /// [`OutOfMemory`]; then drop the dump.
    pub fn entry<T: AsRef<[u8]>, U: AsRef<[u8]>>(
        &mut self,
        id: StreamId,
        fields: impl IntoIterator<Item = (T, U)> + Clone,
    ) -> Result<(), OutOfMemory> {
        let (mut count, mut bytes) = (0, 0);
        for (name, value) in fields.clone() {
            count += 1;
            bytes += name.as_ref().len() + value.as_ref().len();
        }
        let full = self.node.pack.len() + bytes > NODE_BYTES_MAX || self.node.entries == NODE_ENTRIES_MAX;
        if full && self.node.entries > 0 {
            self.push_node()?;
        }
        if self.entries == 0 {
            self.first_id = id;
        }
        self.entries += 1;
        if self.node.entries == 0 {
            self.node.begin(id, fields.clone().into_iter().map(|(name, _)| name))?;
        }
        self.node.push(id, count, fields)
    }

    /// Appends the node and begins another.
    fn push_node(&mut self) -> Result<(), OutOfMemory> {
        if self.node.entries > 0 {
            self.node.pack.replace_first(self.node.entries);
            push_string(self.out, &self.node.id.to_be_bytes())?;
            push_string(self.out, self.node.pack.finish())?;
            self.node.pack.clear();
            self.node.names.clear();
            self.node.entries = 0;
            self.nodes += 1;
        }
        Ok(())
    }

    /// Says that all entries have been appended, and what else is to be known about them: the highest ID that was ever
    /// given, the highest that was ever deleted (or 0-0), and how many entries were ever added. `groups` groups follow.
    ///
    /// # Errors
    /// [`OutOfMemory`]; then drop the dump.
    pub fn end_of_entries(
        &mut self,
        last_id: StreamId,
        max_deleted_id: StreamId,
        entries_added: u64,
        groups: usize,
    ) -> Result<(), OutOfMemory> {
        self.push_node()?;
        set_count(self.out, self.nodes_at, self.nodes);
        push_length(self.out, self.entries)?;
        self.push_id(last_id)?;
        self.push_id(self.first_id)?;
        self.push_id(max_deleted_id)?;
        push_length(self.out, entries_added)?;
        push_length(self.out, groups as u64)
    }

    /// Begins a group, of which `pending` entries are pending. `entries_read` is None if it is not known.
    ///
    /// # Errors
    /// [`OutOfMemory`]; then drop the dump.
    pub fn group(
        &mut self,
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
        pending: usize,
    ) -> Result<(), OutOfMemory> {
        push_string(self.out, name)?;
        self.push_id(last_id)?;
        push_length(self.out, entries_read.unwrap_or(UNKNOWN))?;
        push_length(self.out, pending as u64)
    }

    /// Appends a pending entry of the group, with the Unix milliseconds of its last delivery.
    ///
    /// # Errors
    /// [`OutOfMemory`]; then drop the dump.
    pub fn pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) -> Result<(), OutOfMemory> {
        push(self.out, &id.to_be_bytes())?;
        push(self.out, &delivered_ms.to_le_bytes())?;
        push_length(self.out, deliveries)
    }

    /// Says how many consumers the group has.
    ///
    /// # Errors
    /// [`OutOfMemory`]; then drop the dump.
    pub fn consumers(&mut self, count: usize) -> Result<(), OutOfMemory> {
        push_length(self.out, count as u64)
    }

    /// Begins a consumer that was last seen at these Unix milliseconds and owes `pending` entries.
    ///
    /// # Errors
    /// [`OutOfMemory`]; then drop the dump.
    pub fn consumer(&mut self, name: &[u8], seen_ms: i64, pending: usize) -> Result<(), OutOfMemory> {
        push_string(self.out, name)?;
        push(self.out, &seen_ms.to_le_bytes())?;
        push_length(self.out, pending as u64)
    }

    /// Appends an entry that the consumer owes.
    ///
    /// # Errors
    /// [`OutOfMemory`]; then drop the dump.
    pub fn pending_of(&mut self, id: StreamId) -> Result<(), OutOfMemory> {
        push(self.out, &id.to_be_bytes())
    }

    /// Completes the payload.
    ///
    /// # Errors
    /// [`OutOfMemory`]; then the payload has been taken back.
    pub fn end(mut self) -> Result<(), OutOfMemory> {
        push_footer(self.out, self.start)?;
        self.ended = true;
        Ok(())
    }

    fn push_id(&mut self, id: StreamId) -> Result<(), OutOfMemory> {
        push_length(self.out, id.ms)?;
        push_length(self.out, id.seq)
    }
}

impl Drop for StreamDump<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.out.truncate(self.start);
        }
    }
}

impl Node {
    /// Begins with the names of the first entry's fields.
    fn begin<T: AsRef<[u8]>>(
        &mut self,
        id: StreamId,
        names: impl Iterator<Item = T>,
    ) -> Result<(), OutOfMemory> {
        self.id = id;
        for name in names {
            self.names.push(name.as_ref())?;
        }
        // The number of entries comes later; none is deleted.
        self.pack.push_integer(0)?;
        self.pack.push_integer(0)?;
        self.pack.push_integer(self.names.len() as i64)?;
        for name in &self.names {
            self.pack.push(name)?;
        }
        self.pack.push_integer(0)
    }

    /// Appends an entry of `count` fields.
    fn push<T: AsRef<[u8]>, U: AsRef<[u8]>>(
        &mut self,
        id: StreamId,
        count: usize,
        fields: impl IntoIterator<Item = (T, U)> + Clone,
    ) -> Result<(), OutOfMemory> {
        let mut names = self.names.iter();
        let same = count == names.len()
            && fields.clone().into_iter().all(|(name, _)| names.next() == Some(name.as_ref()));
        self.pack.push_integer(if same { SAME_FIELDS } else { 0 })?;
        self.pack.push_integer(id.ms.wrapping_sub(self.id.ms) as i64)?;
        self.pack.push_integer(id.seq.wrapping_sub(self.id.seq) as i64)?;
        if !same {
            self.pack.push_integer(count as i64)?;
        }
        for (name, value) in fields {
            if !same {
                self.pack.push(name.as_ref())?;
            }
            self.pack.push(value.as_ref())?;
        }
        self.pack.push_integer(if same { count + 3 } else { 2 * count + 4 } as i64)?;
        self.entries += 1;
        Ok(())
    }
}
