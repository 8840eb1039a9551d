//! The log of a stream: its entries, and what it remembers about entries that are gone.
//!
//! Entries lie in [nodes](super::node), and the nodes in a [sorted list](super::sorted). Only the last node grows. A node
//! without entries is removed, and neighbours with few entries are merged, so a stream whose entries are removed one by
//! one does not keep the memory of all its nodes.
//!
//! Invariants: no node is empty. `last_id` is not less than the id of any entry, and never goes back by itself.

use super::entry::Entry;
use super::id::{IdOverflow, StreamId};
use super::node::{Draft, Node};
use super::notes::{LogChange, LogNote};
use super::sorted::{Place, Sorted};
use crate::base::OutOfMemory;
use crate::store::WritePairs;
use crate::store::chunked::Chunked;

/// Most bytes of a node, even if the configuration allows more: a command moves all bytes of a node when it removes the
/// first entry. A node with a single entry may be longer.
const NODE_BYTES_MAX: usize = 64 << 10;
/// Most entries of a node, even if the configuration allows more.
const NODE_ENTRIES_MAX: usize = 10_000;
/// A node with at most this many entries is sparse after a removal, and the log tries to merge it.
const SPARSE_ENTRIES: usize = 8;
/// Most entries of a merged node.
const MERGED_ENTRIES: usize = 32;
/// Most bytes of a merged node.
const MERGED_BYTES: usize = 1_024;
/// Most bytes of the fields and values of an entry, as in Redis.
pub const ENTRY_BYTES_MAX: usize = 1 << 30;

/// When a node is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// Most bytes; 0 is no limit (`stream-node-max-bytes`).
    pub bytes: usize,
    /// Most entries, counted with those that were removed; 0 is no limit (`stream-node-max-entries`).
    pub entries: usize,
}

/// Why an entry cannot be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// Its id is not greater than the last one.
    NotGreater,
    /// It is longer than [`ENTRY_BYTES_MAX`].
    TooLong,
    /// The allocator refuses the memory for it.
    OutOfMemory,
}

/// An entry whose memory is reserved. [`Log::append`] appends it.
#[derive(Debug)]
pub struct Append {
    id: StreamId,
    /// The node that is made for it, if the last one is full.
    node: Option<Node>,
    draft: Draft,
}

/// The entries of a stream.
#[derive(Debug)]
pub struct Log {
    pub(super) nodes: Sorted<Node>,
    /// Bytes that the nodes own.
    pub(super) node_bytes: usize,
    pub(super) len: usize,
    pub(super) last_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) entries_added: u64,
    /// How to take changes back, while somebody wants to know it.
    pub(super) notes: Option<Box<Chunked<LogNote>>>,
}

impl Default for NodeLimits {
    /// Redis's defaults.
    fn default() -> NodeLimits {
        NodeLimits { bytes: 4_096, entries: 100 }
    }
}

impl NodeLimits {
    fn bounded(self) -> NodeLimits {
        let within = |limit: usize, most: usize| if limit == 0 { most } else { limit.min(most) };
        NodeLimits {
            bytes: within(self.bytes, NODE_BYTES_MAX),
            entries: within(self.entries, NODE_ENTRIES_MAX),
        }
    }
}

impl From<OutOfMemory> for AppendError {
    fn from(_: OutOfMemory) -> AppendError {
        AppendError::OutOfMemory
    }
}

impl Log {
    /// A log without entries. Allocates nothing.
    pub(super) const fn new() -> Log {
        Log {
            nodes: Sorted::new(),
            node_bytes: 0,
            len: 0,
            last_id: StreamId::MIN,
            max_deleted_id: StreamId::MIN,
            entries_added: 0,
            notes: None,
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The id that was added or set last. The entry may be gone.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The greatest id that was removed by [`Log::remove`]; 0-0 if none was.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// Number of entries that were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.nodes.memory() + self.node_bytes
    }

    /// The first entry.
    pub fn first(&self) -> Option<Entry<'_>> {
        let node = self.nodes.first()?;
        Some(node.step(node.start())?.entry)
    }

    /// The id of the first entry; 0-0 if there is none.
    pub fn first_id(&self) -> StreamId {
        self.first().map_or(StreamId::MIN, Entry::id)
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        let node = self.nodes.last()?;
        node.steps(node.start()).last().map(|step| step.entry)
    }

    /// The entry with this id.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        let node = self.nodes.get(self.nodes.at_most(id)?)?;
        node.find(id).map(|step| step.entry)
    }

    /// True if there is an entry with this id.
    pub fn contains(&self, id: StreamId) -> bool {
        self.get(id).is_some()
    }

    /// The id for an entry that is added at `now_ms` (the id `*`). Ids go up even if the clock goes back.
    ///
    /// # Errors
    /// [`IdOverflow`] if the last id is the greatest one.
    pub fn next_id(&self, now_ms: u64) -> Result<StreamId, IdOverflow> {
        if now_ms > self.last_id.ms { Ok(StreamId::new(now_ms, 0)) } else { self.last_id.next() }
    }

    /// The least id of the millisecond `ms` that is greater than the last one (the id `ms-*`).
    ///
    /// # Errors
    /// [`IdOverflow`] if there is none.
    pub fn next_id_in(&self, ms: u64) -> Result<StreamId, IdOverflow> {
        let next = if ms > self.last_id.ms { StreamId::new(ms, 0) } else { self.last_id.next()? };
        if next.ms == ms { Ok(next) } else { Err(IdOverflow) }
    }

    /// Starts to fetch the last node, to which entries are appended.
    pub fn prefetch_tail(&self) {
        self.nodes.last().into_iter().for_each(Node::prefetch);
    }

    /// Starts to fetch what the last node holds at both ends.
    pub fn prefetch_tail_ends(&self) {
        self.nodes.last().into_iter().for_each(Node::prefetch_ends);
    }

    /// Reserves memory for an entry with this id and these fields, of which there must be at least one.
    ///
    /// # Errors
    /// `AppendError`; nothing visible has changed.
    pub fn try_reserve<'a>(
        &mut self,
        id: StreamId,
        pairs: impl WritePairs<'a>,
        limits: NodeLimits,
    ) -> Result<Append, AppendError> {
        if id <= self.last_id {
            return Err(AppendError::NotGreater);
        }
        let limits = limits.bounded();
        let sizes = pairs.clone().map(|(field, value)| field.len().saturating_add(value.len()));
        let bytes = sizes.fold(0, usize::saturating_add);
        if bytes > ENTRY_BYTES_MAX {
            return Err(AppendError::TooLong);
        }
        let tail = self.nodes.last_place().and_then(|place| self.nodes.get_mut(place));
        if let Some(tail) = tail
            && tail.bytes().saturating_add(bytes) < limits.bytes
            && tail.len_ever() < limits.entries
        {
            let draft = tail.draft(id, pairs);
            let before = tail.memory();
            let reserved = tail.reserve(draft.bytes(), limits.bytes);
            self.node_bytes = self.node_bytes - before + tail.memory();
            reserved?;
            return Ok(Append { id, node: None, draft });
        }
        let node = Node::new(id, pairs.clone())?;
        self.nodes.reserve_append(1)?;
        let draft = node.draft(id, pairs);
        Ok(Append { id, node: Some(node), draft })
    }

    /// Appends an entry. Its fields must be those for which memory is reserved. Cannot fail.
    pub fn append<'a>(&mut self, append: Append, pairs: impl WritePairs<'a>) {
        let Append { id, node, draft } = append;
        self.note(LogChange::Appended);
        let tail = self.nodes.last_place();
        if let Some(mut node) = node {
            if let Some(full) = tail {
                self.with_node(full, Node::seal);
            }
            node.push(draft, pairs);
            self.node_bytes += node.memory();
            self.nodes.insert(node);
        } else if let Some(place) = tail {
            self.with_node(place, |node| node.push(draft, pairs));
        }
        self.len += 1;
        self.entries_added += 1;
        self.last_id = id;
    }

    /// Notes a change that is going to be made, if somebody wants to know it.
    #[inline]
    pub(super) fn note(&mut self, what: LogChange) {
        if self.notes.is_some() {
            self.keep_note(what);
        }
    }

    /// Changes a node, and counts its memory again.
    pub(super) fn with_node<T>(&mut self, place: Place, change: impl FnOnce(&mut Node) -> T) -> Option<T> {
        let node = self.nodes.get_mut(place)?;
        let before = node.memory();
        let changed = change(node);
        self.node_bytes = self.node_bytes - before + node.memory();
        Some(changed)
    }

    /// Removes the entry with this id. Returns false if there is none. Needs no memory.
    pub fn remove(&mut self, id: StreamId) -> bool {
        let Some(place) = self.nodes.at_most(id) else { return false };
        let found = self.nodes.get(place).and_then(|node| Some((node.find(id)?, node.len())));
        let Some((step, len)) = found else { return false };
        let range = step.start..step.end;
        if self.notes.is_some() {
            self.keep_removed(place, id);
        }
        if len == 1 {
            self.drop_node(place);
        } else {
            self.with_node(place, |node| node.remove(range, 1));
            if len <= SPARSE_ENTRIES {
                self.merge(place);
            }
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        true
    }

    pub(super) fn drop_node(&mut self, place: Place) {
        if let Some(node) = self.nodes.remove(place) {
            self.node_bytes -= node.memory();
        }
    }

    /// Merges a sparse node with a neighbour, if that has few entries too and there is memory for it.
    fn merge(&mut self, place: Place) {
        let _ = self.merge_into(place, self.nodes.after(place))
            || self.nodes.before(place).is_some_and(|left| self.merge_into(left, place));
    }

    /// Moves the entries of node `right` to the end of node `left`, which is the one before it. Returns false if they are
    /// too many.
    fn merge_into(&mut self, left: Place, right: Place) -> bool {
        let (Some(into), Some(from)) = (self.nodes.get(left), self.nodes.get(right)) else { return false };
        if into.len() + from.len() > MERGED_ENTRIES || into.bytes() + from.bytes() > MERGED_BYTES {
            return false;
        }
        let size = into.size_of_all(from);
        let reserved = self.with_node(left, |node| node.reserve(size, 0));
        if reserved != Some(Ok(())) {
            return false;
        }
        // Removing a node may merge chunks of the list, so the places are not valid any more.
        let Some(from) = self.nodes.remove(right) else { return false };
        self.node_bytes -= from.memory();
        if let Some(left) = self.nodes.at_most(from.base()) {
            self.with_node(left, |node| node.take_over(&from));
        }
        true
    }

    /// A copy.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub(super) fn try_copy(&self) -> Result<Log, OutOfMemory> {
        let mut node_bytes = 0;
        let nodes = self.nodes.try_copy(|node| {
            let node = node.try_copy()?;
            node_bytes += node.memory();
            Ok(node)
        })?;
        Ok(Log { nodes, node_bytes, notes: None, ..*self })
    }

    /// Frees a piece of the memory. Returns false if nothing is left. After the first call the log may only be freed.
    pub(super) fn free_piece(&mut self) -> bool {
        let mut freed = 0;
        let more = self.nodes.free_piece(&mut freed);
        self.node_bytes -= freed;
        more
    }

    /// Walks over all nodes and asserts their invariants. For tests.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(super) fn audit(&self) {
        assert_eq!(self.nodes.audit(), self.node_bytes, "the count of the nodes' bytes is wrong");
        let (mut len, mut last) = (0, StreamId::MIN);
        for node in self.nodes.iter() {
            assert!(last < node.base(), "a node begins too early");
            let mut node_len = 0;
            for step in node.steps(node.start()) {
                let id = step.entry.id();
                assert!(id >= node.base() && (node_len == 0 || id > last), "an entry is out of order");
                assert!(step.entry.fields().len() > 0, "an entry has no fields");
                (last, node_len) = (id, node_len + 1);
            }
            assert!(node_len == node.len() && node_len > 0, "a count of entries is wrong");
            len += node_len;
        }
        assert_eq!(len, self.len, "the number of entries is wrong");
        assert!(last <= self.last_id && self.max_deleted_id <= self.last_id, "the last id is too small");
    }
}
