//! A consumer group: how far it has read the stream, and the entries that its consumers have got and not acknowledged.
//!
//! A pending entry is in two lists: the group's has all its facts, and its consumer's has only the id. Together they
//! take 48 bytes and a small part of the memory of their chunks.
//!
//! Invariants: the lists name the same ids, and each pending entry names the consumer that has its id.

use super::consumers::{Consumer, Consumers, Reader};
use super::cut::Cut;
use super::id::StreamId;
use super::log::Log;
use super::notes::{GroupChange, GroupNotes};
use super::sorted::{Keyed, Sorted};
use crate::base::{OutOfMemory, memory};

/// An entry that was delivered and is not acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) id: StreamId,
    /// When it was delivered last: Unix time in milliseconds.
    pub(super) delivered_ms: u64,
    /// The number of its consumer.
    pub(super) consumer: u32,
    /// How often it was delivered. It does not count beyond the greatest `u32`.
    pub(super) deliveries: u32,
}

/// A consumer group.
#[derive(Debug)]
pub struct Group {
    pub(super) name: Vec<u8>,
    pub(super) last_id: StreamId,
    pub(super) entries_read: Option<u64>,
    pub(super) pending: Sorted<Pending>,
    pub(super) consumers: Consumers,
    /// How to take changes back, while somebody wants to know it and the group is being changed.
    pub(super) notes: Option<Box<GroupNotes>>,
}

impl Keyed for Pending {
    fn key(&self) -> StreamId {
        self.id
    }
}

impl Group {
    /// A group without consumers.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub(super) fn new(
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> Result<Box<Group>, OutOfMemory> {
        memory::charge(size_of::<Group>())?;
        let mut copy = Vec::new();
        memory::reserve_exact(&mut copy, name.len())?;
        copy.extend_from_slice(name);
        let (pending, consumers) = (Sorted::new(), Consumers::new());
        Ok(Box::new(Group { name: copy, last_id, entries_read, pending, consumers, notes: None }))
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        size_of::<Group>() + self.name.capacity() + self.pending.memory() + self.consumers.memory()
    }

    /// Reserves memory, so that entries of the log can become pending for `reader`. The entries are `count` entries from
    /// `first` to `last`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing visible has changed.
    pub(super) fn reserve_range(
        &mut self,
        reader: &mut Reader,
        log: &Log,
        (first, last, count): (StreamId, StreamId, usize),
    ) -> Result<(), OutOfMemory> {
        reserve_range(&mut self.pending, log, (first, last, count))?;
        self.consumers.reserve(reader, |pending| reserve_range(pending, log, (first, last, count)))
    }

    /// Notes that the group has read the entry `id` of the log, if that is new to it. `first` is the log's first id.
    pub(super) fn note_read(&mut self, log: &Log, id: StreamId, first: StreamId) {
        if id > self.last_id {
            self.entries_read = log.entries_read_next(self.entries_read, self.last_id, id, first);
            self.last_id = id;
        }
    }

    /// Makes an entry pending for a consumer, as delivered for the first time. If another consumer has it, that one loses
    /// it. Room is reserved.
    pub(super) fn assign(&mut self, id: StreamId, consumer: u32, now_ms: u64) {
        let new = Pending { id, delivered_ms: now_ms, consumer, deliveries: 1 };
        self.note_pending(id);
        match self.find_pending(id) {
            Some(there) => {
                let old = std::mem::replace(there, new);
                self.change_hands(id, old.consumer, consumer);
            }
            None => {
                self.pending.insert(new);
                self.consumers.change(consumer, |consumer| consumer.pending.insert(id));
            }
        }
    }

    /// Notes a change, if somebody wants to know it and `what` says that there is one.
    #[inline]
    fn note(&mut self, what: impl FnOnce(&mut Group) -> Option<GroupChange>) {
        if let Some(mut notes) = self.notes.take() {
            if let Some(what) = what(self) {
                notes.push(what);
            }
            self.notes = Some(notes);
        }
    }

    /// Notes that a pending entry is going to be changed, or that an entry is going to be pending.
    pub(super) fn note_pending(&mut self, id: StreamId) {
        self.note(|group| {
            let before = group.find_pending(id).copied();
            Some(GroupChange::Pending { id, before })
        });
    }

    /// Notes that the group is going to have read another entry.
    pub(super) fn note_progress(&mut self) {
        self.note(|group| {
            Some(GroupChange::Read { last_id: group.last_id, entries_read: group.entries_read })
        });
    }

    /// Notes that a command has named a consumer, and creates it if it is new. Returns its number.
    pub(super) fn enter(&mut self, reader: Reader, now_ms: u64) -> u32 {
        self.note(|group| {
            let number = reader.number()?;
            let Consumer { seen_ms, active_ms, .. } = *group.consumers.get(number)?;
            Some(GroupChange::Seen { consumer: number, seen_ms, active_ms })
        });
        let is_new = reader.number().is_none();
        let number = self.consumers.enter(reader, now_ms);
        self.note(|_| is_new.then_some(GroupChange::Entered(number)));
        number
    }

    /// Moves an id from the list of one consumer to that of another.
    pub(super) fn change_hands(&mut self, id: StreamId, from: u32, to: u32) {
        if from != to {
            self.consumers.change(from, |consumer| consumer.pending.remove_key(id));
            self.consumers.change(to, |consumer| consumer.pending.insert(id));
        }
    }

    /// The pending entry with this id, to be changed.
    pub(super) fn find_pending(&mut self, id: StreamId) -> Option<&mut Pending> {
        // Most entries that are delivered are newer than all that are pending.
        if self.pending.last().is_none_or(|last| last.id < id) {
            return None;
        }
        self.pending.get_mut(self.pending.find(id)?)
    }

    /// Frees memory that reservations have left over.
    pub(super) fn release_spares(&mut self, consumer: u32) {
        self.pending.release_spares();
        self.consumers.change(consumer, |consumer| consumer.pending.release_spares());
    }

    /// Makes an entry no longer pending (XACK). Returns false if it was not pending. Needs no memory.
    pub(super) fn acknowledge(&mut self, id: StreamId) -> bool {
        self.note_pending(id);
        let Some(pending) = self.pending.remove_key(id) else { return false };
        self.consumers.change(pending.consumer, |consumer| consumer.pending.remove_key(id));
        true
    }

    /// Deletes a consumer. Returns how many entries it had pending, and the memory that is not freed yet. The entries are
    /// not pending any more. Takes time in proportion to the number of pending entries.
    pub(super) fn delete_consumer(&mut self, name: &[u8]) -> Option<(usize, Cut<StreamId>)> {
        let (number, mut consumer) = self.consumers.remove(name)?;
        let count = consumer.pending.len();
        if self.notes.is_some() {
            consumer.pending.iter().for_each(|id| self.note_pending(*id));
        }
        if count < self.pending.len() / 16 {
            for id in consumer.pending.iter() {
                self.pending.remove_key(*id);
            }
        } else {
            self.pending.retain(|pending| pending.consumer != number);
        }
        let cut = consumer.pending.cut_all();
        self.note(|_| Some(GroupChange::Left(number, consumer)));
        Some((count, cut))
    }

    /// A copy.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub(super) fn try_copy(&self) -> Result<Box<Group>, OutOfMemory> {
        let mut copy = Group::new(&self.name, self.last_id, self.entries_read)?;
        copy.pending = self.pending.try_copy(|pending| Ok(*pending))?;
        copy.consumers = self.consumers.try_copy()?;
        Ok(copy)
    }

    /// Frees a piece of the memory. Returns false if nothing is left. After the first call the group may only be freed.
    pub(super) fn free_piece(&mut self) -> bool {
        self.pending.free_piece(&mut 0) || self.consumers.free_piece()
    }

    /// Walks over all pending entries and consumers and asserts their invariants.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(super) fn audit(&self) {
        self.pending.audit();
        let mut count = 0;
        self.consumers.audit(|number, id| {
            let place = self.pending.find(id).expect("an id is pending only for its consumer");
            assert_eq!(self.pending.get(place).map(|pending| pending.consumer), Some(number), "{id:?}");
            count += 1;
        });
        assert_eq!(count, self.pending.len(), "an entry is pending for no consumer");
    }
}

/// Reserves room in a list for entries of the log: for `count` entries from `first` to `last`.
fn reserve_range<T: Keyed>(
    list: &mut Sorted<T>,
    log: &Log,
    (first, last, count): (StreamId, StreamId, usize),
) -> Result<(), OutOfMemory> {
    if list.last().is_none_or(|greatest| greatest.key() < first) {
        list.reserve_append(count)
    } else {
        list.reserve_insert(log.range(first, last).map(|entry| entry.id()))
    }
}
