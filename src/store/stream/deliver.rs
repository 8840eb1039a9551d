//! Delivery: a consumer reads new entries of its group (XREADGROUP with `>`), or again those that it has pending.
//!
//! Both are prepared first, which reserves all memory, and then committed, which cannot fail. Between the two, the stream
//! must not change. The prepared command says which entries it delivers, so the reply can be reserved before the commit.

use super::Stream;
use super::consumers::Reader;
use super::groups::GroupError;
use super::id::StreamId;
use super::range::Range;
use crate::base::memory;

/// New entries that are going to be delivered.
#[derive(Debug)]
pub struct Delivery {
    group: usize,
    reader: Reader,
    first: StreamId,
    last: StreamId,
    count: usize,
    /// True if the entries become pending.
    pending: bool,
}

/// Pending entries that are going to be delivered again to their consumer.
#[derive(Debug)]
pub struct History {
    group: usize,
    reader: Reader,
    ids: Vec<StreamId>,
}

impl Delivery {
    /// Number of entries.
    pub fn count(&self) -> usize {
        self.count
    }

    /// True if the consumer is going to be created.
    pub fn creates_consumer(&self) -> bool {
        self.reader.number().is_none()
    }

    /// The ids of the first and the last entry; `None` if there is nothing new.
    pub fn bounds(&self) -> Option<(StreamId, StreamId)> {
        (self.count > 0).then_some((self.first, self.last))
    }
}

impl History {
    /// The ids of the entries. Entries that were removed from the stream are among them.
    pub fn ids(&self) -> &[StreamId] {
        &self.ids
    }

    /// True if the consumer is going to be created.
    pub fn creates_consumer(&self) -> bool {
        self.reader.number().is_none()
    }
}

impl Stream {
    /// Prepares to deliver up to `count` entries that are new to the group. They become pending if `pending` is true,
    /// which NOACK forbids. A consumer that does not exist is going to be created.
    ///
    /// # Errors
    /// [`GroupError`]; nothing visible has changed.
    pub fn prepare_delivery(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        count: usize,
        pending: bool,
    ) -> Result<Delivery, GroupError> {
        let Stream { log, groups } = self;
        let number = groups.find(group)?;
        groups.change(number, |group| {
            let mut reader = group.consumers.prepare(consumer)?;
            let new = group.last_id.next().map(|from| log.range(from, StreamId::MAX));
            let mut ids = new.into_iter().flatten().take(count).map(|entry| entry.id());
            let first = ids.next().unwrap_or_default();
            let (count, last) = ids.fold((1, first), |(count, _), id| (count + 1, id));
            let count = if first == StreamId::MIN { 0 } else { count };
            if pending && count > 0 {
                group.reserve_range(&mut reader, log, (first, last, count))?;
            }
            Ok(Delivery { group: number, reader, first, last, count, pending })
        })?
    }

    /// The entries of a delivery.
    pub fn delivered(&self, delivery: &Delivery) -> Range<'_> {
        match delivery.bounds() {
            Some((first, last)) => self.log.range(first, last),
            None => self.log.range(StreamId::MAX, StreamId::MIN),
        }
    }

    /// Delivers the entries. Cannot fail.
    pub fn commit_delivery(&mut self, delivery: Delivery, now_ms: u64) {
        let Stream { log, groups } = self;
        let Delivery { group, reader, first, last, count, pending } = delivery;
        let _ = groups.change(group, |group| {
            let consumer = group.enter(reader, now_ms);
            if count == 0 {
                return;
            }
            group.note_progress();
            let first_id = log.first_id();
            for entry in log.range(first, last) {
                group.note_read(log, entry.id(), first_id);
                if pending {
                    group.assign(entry.id(), consumer, now_ms);
                }
            }
            if pending {
                group.consumers.change(consumer, |consumer| consumer.active_ms = Some(now_ms));
                group.release_spares(consumer);
            }
        });
    }

    /// Prepares to deliver again up to `count` entries that are pending for the consumer, from `from` on. A consumer that
    /// does not exist is going to be created.
    ///
    /// # Errors
    /// [`GroupError`]; nothing visible has changed.
    pub fn prepare_history(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        from: StreamId,
        count: usize,
    ) -> Result<History, GroupError> {
        let number = self.groups.find(group)?;
        self.groups.change(number, |group| {
            let reader = group.consumers.prepare(consumer)?;
            let known = reader.number().and_then(|number| group.consumers.get(number));
            let pending = known.map(|known| known.pending.from(known.pending.at_least(from)));
            let ids = memory::collect(pending.into_iter().flatten().take(count).copied())?;
            Ok(History { group: number, reader, ids })
        })?
    }

    /// Delivers the entries again: those that are still in the stream count one delivery more. Cannot fail. Returns the
    /// ids of all of them.
    pub fn commit_history(&mut self, history: History, now_ms: u64) -> Vec<StreamId> {
        let Stream { log, groups } = self;
        let History { group, reader, ids } = history;
        let _ = groups.change(group, |group| {
            group.enter(reader, now_ms);
            for id in ids.iter().filter(|id| log.contains(**id)) {
                group.note_pending(*id);
                if let Some(pending) = group.find_pending(*id) {
                    pending.delivered_ms = now_ms;
                    pending.deliveries = pending.deliveries.saturating_add(1);
                }
            }
        });
        ids
    }
}
