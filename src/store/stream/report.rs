//! What a group tells about itself: the replies of XPENDING and XINFO are made from this. Nothing here changes anything.

use super::consumers::Consumer;
use super::group::{Group, Pending};
use super::id::StreamId;

/// A pending entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingEntry<'a> {
    /// The id of the entry.
    pub id: StreamId,
    /// The name of the consumer that has it.
    pub consumer: &'a [u8],
    /// When it was delivered last: Unix time in milliseconds.
    pub delivered_ms: u64,
    /// How often it was delivered.
    pub deliveries: u32,
}

impl PendingEntry<'_> {
    /// Milliseconds since it was delivered last.
    pub fn idle_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.delivered_ms)
    }
}

/// A consumer.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerInfo<'a> {
    group: &'a Group,
    consumer: &'a Consumer,
}

impl<'a> ConsumerInfo<'a> {
    /// The name.
    pub fn name(self) -> &'a [u8] {
        &self.consumer.name
    }

    /// When a command last named the consumer: Unix time in milliseconds.
    pub fn seen_ms(self) -> u64 {
        self.consumer.seen_ms
    }

    /// When the consumer last got an entry: Unix time in milliseconds; `None` if it never did.
    pub fn active_ms(self) -> Option<u64> {
        self.consumer.active_ms
    }

    /// How many entries it has pending.
    pub fn pending_len(self) -> usize {
        self.consumer.pending.len()
    }

    /// Its pending entries from `from` to `to`, both included, in the order of their ids.
    pub fn pending(self, from: StreamId, to: StreamId) -> impl Iterator<Item = PendingEntry<'a>> {
        let ConsumerInfo { group, consumer } = self;
        let ids = consumer.pending.from(consumer.pending.at_least(from)).take_while(move |id| **id <= to);
        ids.filter_map(move |id| Some(group.entry(group.pending.get(group.pending.find(*id)?)?)))
    }
}

impl Group {
    /// The name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The id up to which the group has read the stream.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// How many entries of the stream the group has read; `None` if that is not known.
    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// Number of pending entries.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The ids of the first and the last pending entry.
    pub fn pending_bounds(&self) -> Option<(StreamId, StreamId)> {
        Some((self.pending.first()?.id, self.pending.last()?.id))
    }

    /// The pending entries from `from` to `to`, both included, in the order of their ids.
    pub fn pending(&self, from: StreamId, to: StreamId) -> impl Iterator<Item = PendingEntry<'_>> {
        let entries = self.pending.from(self.pending.at_least(from));
        entries.take_while(move |pending| pending.id <= to).map(|pending| self.entry(pending))
    }

    /// Number of consumers.
    pub fn consumers_len(&self) -> usize {
        self.consumers.len()
    }

    /// All consumers, in the order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = ConsumerInfo<'_>> {
        self.consumers.iter().map(|(_, consumer)| ConsumerInfo { group: self, consumer })
    }

    /// The consumer with this name.
    pub fn consumer(&self, name: &[u8]) -> Option<ConsumerInfo<'_>> {
        let consumer = self.consumers.get(self.consumers.find(name)?)?;
        Some(ConsumerInfo { group: self, consumer })
    }

    fn entry(&self, pending: &Pending) -> PendingEntry<'_> {
        let Pending { id, delivered_ms, consumer, deliveries } = *pending;
        let consumer = self.consumers.get(consumer).map_or(&b""[..], |consumer| &consumer.name);
        PendingEntry { id, consumer, delivered_ms, deliveries }
    }
}
