//! Groups that are restored as a whole, with their consumers and pending entries.
//!
//! A payload may have a million groups or consumers, in any order. They are put behind each other first, and sorted once.
//! Creating them one by one would move the ones before them each time.

use super::Stream;
use super::consumers::reserve_one;
use super::group::{Group, Pending};
use super::id::StreamId;
use crate::base::{OutOfMemory, memory};

/// A group that no stream has yet.
#[derive(Debug)]
pub struct RestoredGroup(Box<Group>);

impl RestoredGroup {
    /// A group without consumers.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn new(
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> Result<RestoredGroup, OutOfMemory> {
        Group::new(name, last_id, entries_read).map(RestoredGroup)
    }

    /// Adds a consumer, whose name must be new. Consumers are numbered from 0. The times are Unix milliseconds.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn push_consumer(
        &mut self,
        name: &[u8],
        seen_ms: u64,
        active_ms: Option<u64>,
    ) -> Result<(), OutOfMemory> {
        self.0.consumers.push(name, seen_ms, active_ms)
    }

    /// Makes an entry pending for the consumer with this number. All consumers must be there, and the ids must ascend.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn push_pending(
        &mut self,
        id: StreamId,
        consumer: u32,
        delivered_ms: u64,
        deliveries: u32,
    ) -> Result<(), OutOfMemory> {
        let Group { pending, consumers, .. } = &mut *self.0;
        pending.reserve_append(1)?;
        let reserved = consumers.change(consumer, |consumer| {
            consumer.pending.reserve_append(1)?;
            consumer.pending.insert(id);
            Ok(())
        });
        match reserved {
            Some(Ok(())) => pending.insert(Pending { id, delivered_ms, consumer, deliveries }),
            Some(Err(error)) => return Err(error),
            None => debug_assert!(false, "there is no consumer {consumer}"),
        }
        Ok(())
    }
}

impl Stream {
    /// Gives the stream, which has no groups yet, room for `count` of them.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn reserve_groups(&mut self, count: usize) -> Result<(), OutOfMemory> {
        memory::reserve_exact(&mut self.groups.list, count)
    }

    /// Adds a group, whose name must be new. [`Stream::sort_groups`] must follow.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn push_group(&mut self, group: RestoredGroup) -> Result<(), OutOfMemory> {
        let RestoredGroup(mut group) = group;
        reserve_one(&mut self.groups.list)?;
        group.consumers.sort();
        self.groups.bytes += group.memory();
        self.groups.list.push(group);
        Ok(())
    }

    /// Puts the groups in the order of their names.
    pub fn sort_groups(&mut self) {
        self.groups.list.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    }
}
