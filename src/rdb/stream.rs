//! A decoded stream.
//!
//! Entries stand one behind the other in one vector, in the node-wise form in which Redis saves them. The node's field
//! names come first; an entry that has the same ones only has its values. Written out, a small payload could need
//! gigabytes: one long name and thousands of entries that share it. A caller that writes the names out must count the
//! memory for them.
//!
//! ```text
//! names:   0  number of names  names
//! shared:  1  ms (8)  seq (8)  values
//! own:     2  ms (8)  seq (8)  number of fields  names and values in turn
//! ```
//!
//! Groups, consumers and pending entries stand in flat vectors as well: those of the first group, then those of the
//! second, and so on.

use super::strings::{Iter, Strings, push_element, push_length, take_length, take_text};
use crate::base::{OutOfMemory, memory};

use super::element::Element;

const NAMES: u8 = 0;
const SHARED: u8 = 1;
const OWN: u8 = 2;

/// The ID of an entry. IDs are ordered by time, then by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix milliseconds.
    pub ms: u64,
    /// Number within that millisecond.
    pub seq: u64,
}

impl StreamId {
    /// Reads the sixteen bytes that stand for an ID.
    pub(super) fn from_be_bytes(bytes: [u8; 16]) -> StreamId {
        let both = u128::from_be_bytes(bytes);
        StreamId { ms: (both >> 64) as u64, seq: both as u64 }
    }

    /// The sixteen bytes that stand for the ID.
    pub(super) fn to_be_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }
}

/// A stream. Its entries ascend and none is above `last_id`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stream {
    /// The entries, packed.
    packed: Vec<u8>,
    /// Number of entries.
    len: u64,
    /// The ID of the first entry; 0-0 if there is none.
    first_id: StreamId,
    /// The highest ID that was ever given.
    pub last_id: StreamId,
    /// The highest ID that was ever deleted, or 0-0.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added; at least as many as there are.
    pub entries_added: u64,
    pub(super) groups: Vec<GroupParts>,
    /// The name of each group, followed by the names of its consumers.
    pub(super) names: Strings,
    pub(super) consumers: Vec<ConsumerTimes>,
    pub(super) pending: Vec<Pending>,
}

/// A group, without what stands in the other vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GroupParts {
    pub last_id: StreamId,
    pub entries_read: Option<u64>,
    /// Number of its consumers.
    pub consumers: u32,
    /// Number of its pending entries.
    pub pending: u32,
}

/// When a consumer was there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ConsumerTimes {
    pub seen_ms: i64,
    pub active_ms: i64,
}

/// An entry that was delivered to a consumer and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its ID. The stream may have no such entry any more.
    pub id: StreamId,
    /// When it was last delivered, Unix milliseconds.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// To which consumer: its number in [`Group::consumers`].
    pub consumer: u32,
}

impl Stream {
    /// Number of entries.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ID of the first entry; 0-0 if there is none.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The entries, in ascending order.
    pub fn entries(&self) -> Entries<'_> {
        Entries { packed: &self.packed, shared: Iter { packed: &[], left: 0 } }
    }

    /// The groups, in the order of the payload.
    pub fn groups(&self) -> Groups<'_> {
        Groups {
            groups: &self.groups,
            names: self.names.iter(),
            consumers: &self.consumers,
            pending: &self.pending,
        }
    }

    /// Memory in bytes.
    pub fn memory(&self) -> usize {
        self.packed.capacity()
            + self.groups.capacity() * size_of::<GroupParts>()
            + self.names.memory()
            + self.consumers.capacity() * size_of::<ConsumerTimes>()
            + self.pending.capacity() * size_of::<Pending>()
    }

    /// Begins a node with `count` names of fields, which [`Stream::push_text`] appends next.
    pub(super) fn push_names(&mut self, count: usize) -> Result<(), OutOfMemory> {
        memory::reserve(&mut self.packed, 1)?;
        self.packed.push(NAMES);
        push_length(&mut self.packed, count)
    }

    /// Begins an entry. Its values come next with [`Stream::push_text`]; or with `own` so many fields and values.
    pub(super) fn push_entry(&mut self, id: StreamId, own: Option<usize>) -> Result<(), OutOfMemory> {
        memory::reserve(&mut self.packed, 17)?;
        self.packed.push(if own.is_some() { OWN } else { SHARED });
        self.packed.extend_from_slice(&id.to_be_bytes());
        if let Some(count) = own {
            push_length(&mut self.packed, count)?;
        }
        if self.len == 0 {
            self.first_id = id;
        }
        self.len += 1;
        Ok(())
    }

    /// Appends a name or a value to the names or the entry that was begun.
    pub(super) fn push_text(&mut self, element: Element<'_>) -> Result<(), OutOfMemory> {
        push_element(&mut self.packed, element)
    }
}

/// Walks over the entries of a stream.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    packed: &'a [u8],
    /// The names of the node's fields.
    shared: Iter<'a>,
}

/// An entry of a stream.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its ID.
    pub id: StreamId,
    /// Its fields and values, in their order. There is at least one.
    pub fields: Fields<'a>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (tag, rest) = self.packed.split_first()?;
            self.packed = rest;
            if *tag == NAMES {
                let left = take_length(&mut self.packed);
                self.shared = Iter { packed: self.packed, left };
                self.skip_texts(left);
                continue;
            }
            let (id, rest) = self.packed.split_first_chunk()?;
            self.packed = rest;
            let (shared, left) = if *tag == SHARED {
                (Some(self.shared.clone()), self.shared.left)
            } else {
                (None, 2 * take_length(&mut self.packed))
            };
            let texts = Iter { packed: self.packed, left };
            self.skip_texts(left);
            return Some(Entry { id: StreamId::from_be_bytes(*id), fields: Fields { shared, texts } });
        }
    }
}

impl Entries<'_> {
    fn skip_texts(&mut self, count: usize) {
        for _ in 0..count {
            take_text(&mut self.packed);
        }
    }
}

/// Walks over the fields and values of an entry.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// The names, if the entry shares them with its node.
    shared: Option<Iter<'a>>,
    /// The values, or the names and values in turn.
    texts: Iter<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.shared.as_mut().unwrap_or(&mut self.texts).next()?;
        Some((name, self.texts.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let fields = if self.shared.is_some() { self.texts.left } else { self.texts.left / 2 };
        (fields, Some(fields))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// Walks over the groups of a stream.
#[derive(Clone, Debug)]
pub struct Groups<'a> {
    groups: &'a [GroupParts],
    names: Iter<'a>,
    consumers: &'a [ConsumerTimes],
    pending: &'a [Pending],
}

/// A group of consumers.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// Its name. No two groups of a stream have the same one.
    pub name: &'a [u8],
    /// The last entry that was delivered to it.
    pub last_id: StreamId,
    /// How many entries it has read, counted from the first that was ever added. None is "unknown". Payloads of type 15,
    /// from before Redis 7, never know it.
    pub entries_read: Option<u64>,
    /// The entries that it has not acknowledged, in ascending order.
    pub pending: &'a [Pending],
    /// Its consumers.
    pub consumers: Consumers<'a>,
}

impl<'a> Iterator for Groups<'a> {
    type Item = Group<'a>;

    fn next(&mut self) -> Option<Group<'a>> {
        let parts = self.groups.split_off_first()?;
        let name = self.names.next()?;
        let pending = self.pending.split_off(..parts.pending as usize)?;
        let times = self.consumers.split_off(..parts.consumers as usize)?;
        let consumers = Consumers { names: self.names.clone(), times };
        for _ in times {
            self.names.next();
        }
        Some(Group { name, last_id: parts.last_id, entries_read: parts.entries_read, pending, consumers })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.groups.len(), Some(self.groups.len()))
    }
}

impl ExactSizeIterator for Groups<'_> {}

/// Walks over the consumers of a group.
#[derive(Clone, Debug)]
pub struct Consumers<'a> {
    names: Iter<'a>,
    times: &'a [ConsumerTimes],
}

/// A consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumer<'a> {
    /// Its name. No two consumers of a group have the same one.
    pub name: &'a [u8],
    /// When it last tried to read or claim, Unix milliseconds.
    pub seen_ms: i64,
    /// When it last read or claimed an entry, Unix milliseconds. Type 21 has -1 for "never"; older types do not know
    /// it and have `seen_ms` here.
    pub active_ms: i64,
}

impl<'a> Iterator for Consumers<'a> {
    type Item = Consumer<'a>;

    fn next(&mut self) -> Option<Consumer<'a>> {
        let ConsumerTimes { seen_ms, active_ms } = *self.times.split_off_first()?;
        Some(Consumer { name: self.names.next()?, seen_ms, active_ms })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.times.len(), Some(self.times.len()))
    }
}

impl ExactSizeIterator for Consumers<'_> {}
