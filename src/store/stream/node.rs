//! A node: some entries of a stream, one after the other in one piece of memory.
//!
//! ```text
//! names    number of fields, then each name           the names of the entry for which the node was made
//! entry    2 * length + 1, milliseconds, sequence, values                    if the entry has just these fields
//! entry    2 * length, milliseconds, sequence, number of fields, fields and values                    otherwise
//! ```
//!
//! All numbers are [varints](super::varint). The milliseconds count from the node's first id, which is its base. The
//! sequence number counts from that of the base if there are no milliseconds between them. So an entry of a usual
//! stream takes five bytes and the bytes of its values with their lengths.
//!
//! An entry can be read only from its start, so a reader walks from the first entry of the node to the one that it
//! wants. That is why a node is bounded. An entry that is removed leaves no gap. The base stays, even if its entry is
//! removed.

use super::entry::{Entry, Names};
use super::id::StreamId;
use super::sorted::Keyed;
use super::varint::{self, Reader};
use crate::base::{OutOfMemory, memory};
use crate::store::WritePairs;
use crate::store::prefetch::prefetch;

/// Some entries of a stream.
#[derive(Debug)]
pub(super) struct Node {
    /// The id of the entry for which the node was made. No entry has a smaller one.
    base: StreamId,
    bytes: Vec<u8>,
    /// Where the first entry begins, in bytes.
    entries_at: u32,
    /// Number of entries.
    live: u16,
    /// Number of entries that were removed. They count when it is decided whether the node is full, as in Redis.
    gone: u16,
}

/// An entry in its node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// Where it ends, in bytes.
    pub(super) end: usize,
    /// The entry.
    pub(super) entry: Entry<'a>,
}

/// How an entry is going to be written into a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft {
    id: StreamId,
    /// True if it has the fields that the node names.
    same: bool,
    /// Number of fields.
    fields: usize,
    /// Bytes from the milliseconds on.
    len: usize,
}

impl Keyed for Node {
    fn key(&self) -> StreamId {
        self.base
    }

    fn owned(&self) -> usize {
        self.memory()
    }
}

impl Node {
    /// Starts to fetch the node, without its bytes.
    pub(super) fn prefetch(&self) {
        prefetch(&self.entries_at);
    }

    /// Starts to fetch what the next entry is compared with and where it is going to lie.
    pub(super) fn prefetch_ends(&self) {
        if let [first, .., last] = &self.bytes[..] {
            prefetch(first);
            prefetch(last);
        }
    }

    /// A node without entries, for an entry with this id and these fields, and room for that entry.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub(super) fn new<'a>(id: StreamId, pairs: impl WritePairs<'a>) -> Result<Node, OutOfMemory> {
        let count = pairs.clone().count();
        let names = pairs.clone().map(|(field, _)| varint::string_size(field.len())).sum::<usize>();
        let entries_at = varint::size(count as u64) + names;
        let mut node = Node {
            base: id,
            bytes: Vec::new(),
            entries_at: u32::try_from(entries_at).map_err(|_| OutOfMemory)?,
            live: 0,
            gone: 0,
        };
        let draft = node.draft_as(id, pairs.clone(), true);
        memory::reserve_exact(&mut node.bytes, entries_at + draft.bytes())?;
        varint::push(&mut node.bytes, count as u64);
        pairs.for_each(|(field, _)| varint::push_string(&mut node.bytes, field));
        Ok(node)
    }

    /// A copy.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub(super) fn try_copy(&self) -> Result<Node, OutOfMemory> {
        let mut bytes = Vec::new();
        memory::reserve_exact(&mut bytes, self.bytes.len())?;
        bytes.extend_from_slice(&self.bytes);
        Ok(Node { bytes, ..*self })
    }

    /// The id from which the ids of the entries count.
    pub(super) fn base(&self) -> StreamId {
        self.base
    }

    /// Memory that the node owns, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// The base and the number of entries.
    pub(super) fn key_and_len(&self) -> (StreamId, usize) {
        (self.base, self.len())
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        usize::from(self.live)
    }

    /// Number of entries, and of those that were removed.
    pub(super) fn len_ever(&self) -> usize {
        usize::from(self.live) + usize::from(self.gone)
    }

    /// Length of the entries and the names, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Where the first entry begins, in bytes.
    pub(super) fn start(&self) -> usize {
        self.entries_at as usize
    }

    /// The entry that begins at `start`; `None` at the end of the node.
    #[inline]
    pub(super) fn step(&self, start: usize) -> Option<Step<'_>> {
        let mut reader = Reader(self.bytes.get(start..)?);
        if reader.0.is_empty() {
            return None;
        }
        let head = reader.number();
        let end = self.bytes.len() - reader.0.len() + (head >> 1) as usize;
        let (ms, seq) = (reader.number(), reader.number());
        let id = match ms {
            0 => StreamId::new(self.base.ms, self.base.seq + seq),
            _ => StreamId::new(self.base.ms + ms, seq),
        };
        reader.0 = &reader.0[..end - (self.bytes.len() - reader.0.len())];
        let names = if head & 1 == 1 { Names::Shared(&self.bytes[..self.start()]) } else { Names::Own };
        Some(Step { start, end, entry: Entry::new(id, names, reader) })
    }

    /// The entries, from the one that begins at `start` on.
    pub(super) fn steps(&self, start: usize) -> impl Iterator<Item = Step<'_>> {
        std::iter::successors(self.step(start), |step| self.step(step.end))
    }

    /// The entry with this id.
    pub(super) fn find(&self, id: StreamId) -> Option<Step<'_>> {
        let wanted = self.difference(id);
        let mut reader = Reader(self.bytes.get(self.start()..)?);
        // Only the ids are read here. Most of the time of a look-up is spent in this loop.
        while !reader.0.is_empty() {
            let start = self.bytes.len() - reader.0.len();
            let len = (reader.number() >> 1) as usize;
            let mut entry = Reader(reader.bytes(len));
            let found = (entry.number(), entry.number());
            if found >= wanted {
                return if found == wanted { self.step(start) } else { None };
            }
        }
        None
    }

    /// The id of the last entry.
    pub(super) fn last_id(&self) -> Option<StreamId> {
        self.steps(self.start()).last().map(|step| step.entry.id())
    }

    /// How an entry is going to be written into this node.
    pub(super) fn draft<'a>(&self, id: StreamId, pairs: impl WritePairs<'a>) -> Draft {
        let mut names = Reader(&self.bytes);
        let mut same = names.number() == pairs.clone().count() as u64;
        same = same && pairs.clone().all(|(field, _)| names.string() == field);
        self.draft_as(id, pairs, same)
    }

    fn draft_as<'a>(&self, id: StreamId, pairs: impl WritePairs<'a>, same: bool) -> Draft {
        let (ms, seq) = self.difference(id);
        let (mut fields, mut len) = (0, varint::size(ms) + varint::size(seq));
        for (field, value) in pairs {
            fields += 1;
            len += varint::string_size(value.len());
            len += if same { 0 } else { varint::string_size(field.len()) };
        }
        len += if same { 0 } else { varint::size(fields as u64) };
        Draft { id, same, fields, len }
    }

    /// The milliseconds and the sequence number that stand for `id` in this node.
    fn difference(&self, id: StreamId) -> (u64, u64) {
        let ms = id.ms - self.base.ms;
        (ms, if ms == 0 { id.seq - self.base.seq } else { id.seq })
    }

    /// Makes room for `more` bytes. The memory doubles, but not beyond `most` bytes if it need not.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing visible has changed.
    pub(super) fn reserve(&mut self, more: usize, most: usize) -> Result<(), OutOfMemory> {
        let (len, capacity) = (self.bytes.len(), self.bytes.capacity());
        if more <= capacity - len {
            return Ok(());
        }
        let wanted = (2 * capacity).min(most).max(len.saturating_add(more));
        memory::reserve_exact(&mut self.bytes, wanted - len)
    }

    /// Appends an entry for which room is reserved.
    pub(super) fn push<'a>(&mut self, draft: Draft, pairs: impl WritePairs<'a>) {
        let (ms, seq) = self.difference(draft.id);
        varint::push(&mut self.bytes, (draft.len as u64) << 1 | u64::from(draft.same));
        varint::push(&mut self.bytes, ms);
        varint::push(&mut self.bytes, seq);
        if !draft.same {
            varint::push(&mut self.bytes, draft.fields as u64);
        }
        for (field, value) in pairs {
            if !draft.same {
                varint::push_string(&mut self.bytes, field);
            }
            varint::push_string(&mut self.bytes, value);
        }
        self.live += 1;
    }

    /// Removes the bytes of `count` entries.
    pub(super) fn remove(&mut self, range: std::ops::Range<usize>, count: u16) {
        self.bytes.drain(range);
        self.live -= count;
        self.gone = self.gone.saturating_add(count);
        if self.bytes.len() < self.bytes.capacity() / 2 {
            self.bytes.shrink_to_fit();
        }
    }

    /// A node with `count` of its entries: those with these bytes.
    pub(super) fn part(&self, range: std::ops::Range<usize>, count: u16) -> Node {
        let mut bytes = Vec::with_capacity(self.start() + range.len());
        bytes.extend_from_slice(&self.bytes[..self.start()]);
        bytes.extend_from_slice(&self.bytes[range]);
        Node { bytes, live: count, gone: 0, ..*self }
    }

    /// A node with all its entries and their bytes. This one is left without bytes, and must be removed.
    pub(super) fn take_bytes(&mut self) -> Node {
        Node { bytes: std::mem::take(&mut self.bytes), ..*self }
    }

    /// Inserts an entry that was removed, in the place that belongs to its id.
    pub(super) fn insert(&mut self, entry: Entry<'_>) {
        let behind = self.steps(self.start()).find(|step| step.entry.id() > entry.id());
        let (at, len) = (behind.map_or(self.bytes.len(), |step| step.start), self.bytes.len());
        self.push(self.draft(entry.id(), entry.fields()), entry.fields());
        let added = self.bytes.len() - len;
        self.bytes[at..].rotate_right(added);
        self.gone = self.gone.saturating_sub(1);
    }

    /// Takes the last entry off, as if it had never been added.
    pub(super) fn pop(&mut self) {
        if let Some(start) = self.steps(self.start()).last().map(|step| step.start) {
            self.bytes.truncate(start);
            self.live -= 1;
        }
    }

    /// Frees memory that no entry uses, because no more entries will be added.
    pub(super) fn seal(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Bytes that the entries of `other` take if they are appended to this node.
    pub(super) fn size_of_all(&self, other: &Node) -> usize {
        other.steps(other.start()).map(|step| self.draft(step.entry.id(), step.entry.fields()).bytes()).sum()
    }

    /// Appends the entries of `other`, which come later, and for which room is reserved.
    pub(super) fn take_over(&mut self, other: &Node) {
        for step in other.steps(other.start()) {
            let draft = self.draft(step.entry.id(), step.entry.fields());
            self.push(draft, step.entry.fields());
        }
        self.gone = self.gone.saturating_add(other.gone);
    }
}

impl Draft {
    /// Bytes that the entry takes in its node.
    pub(super) fn bytes(self) -> usize {
        varint::size((self.len as u64) << 1) + self.len
    }
}
