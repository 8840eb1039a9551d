//! The consumer groups of a stream, and the commands that create, change and destroy them.

use super::Stream;
use super::consumers::reserve_one;
use super::group::Group;
use super::id::StreamId;
use super::leftovers::Leftovers;
use super::notes::{GroupChange, GroupNotes};
use crate::base::{OutOfMemory, memory};

/// Why a command on a group is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupError {
    /// There is no such group.
    NoGroup,
    /// The allocator refuses the memory for it.
    OutOfMemory,
}

impl From<OutOfMemory> for GroupError {
    fn from(_: OutOfMemory) -> GroupError {
        GroupError::OutOfMemory
    }
}

/// The groups of a stream, sorted by name.
#[derive(Debug)]
pub(super) struct Groups {
    #[allow(clippy::vec_box)] // a destroyed group changes hands without memory
    pub(super) list: Vec<Box<Group>>,
    /// Bytes that the groups hold.
    pub(super) bytes: usize,
    /// How to take changes back, while somebody wants to know it.
    pub(super) notes: Option<Box<GroupNotes>>,
}

impl Groups {
    /// No groups. Allocates nothing.
    pub(super) const fn new() -> Groups {
        Groups { list: Vec::new(), bytes: 0, notes: None }
    }

    /// Memory held, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.list.capacity() * size_of::<Box<Group>>()
    }

    fn search(&self, name: &[u8]) -> Result<usize, usize> {
        self.list.binary_search_by(|group| group.name.as_slice().cmp(name))
    }

    /// The number of the group with this name.
    pub(super) fn find(&self, name: &[u8]) -> Result<usize, GroupError> {
        self.search(name).map_err(|_| GroupError::NoGroup)
    }

    /// The group with this number.
    pub(super) fn get(&self, number: usize) -> Option<&Group> {
        self.list.get(number).map(Box::as_ref)
    }

    /// All groups.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.list.iter().map(Box::as_ref)
    }

    /// Changes a group, and counts its memory again.
    ///
    /// # Errors
    /// [`GroupError::NoGroup`] if there is no group with this number.
    pub(super) fn change<T>(
        &mut self,
        number: usize,
        change: impl FnOnce(&mut Group) -> T,
    ) -> Result<T, GroupError> {
        let group = self.list.get_mut(number).ok_or(GroupError::NoGroup)?;
        self.bytes -= group.memory();
        if let Some(notes) = &mut self.notes {
            notes.group = number as u32;
            std::mem::swap(&mut self.notes, &mut group.notes);
        }
        let changed = change(group);
        if group.notes.is_some() {
            std::mem::swap(&mut self.notes, &mut group.notes);
        }
        self.bytes += group.memory();
        Ok(changed)
    }

    /// A copy.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub(super) fn try_copy(&self) -> Result<Groups, OutOfMemory> {
        let mut new = Groups::new();
        memory::reserve_exact(&mut new.list, self.list.len())?;
        for group in &self.list {
            let copy = group.try_copy()?;
            new.bytes += copy.memory();
            new.list.push(copy);
        }
        Ok(new)
    }

    /// Frees a piece of the memory. Returns false if nothing is left.
    pub(super) fn free_piece(&mut self) -> bool {
        let Some(last) = self.list.last_mut() else { return false };
        self.bytes -= last.memory();
        let more = last.free_piece();
        self.bytes += last.memory();
        if !more && let Some(freed) = self.list.pop() {
            self.bytes -= freed.memory();
        }
        if self.list.is_empty() {
            self.list = Vec::new();
        }
        !self.list.is_empty()
    }

    /// Asserts the invariants of all groups.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(super) fn audit(&self) {
        assert!(self.list.is_sorted_by(|a, b| a.name < b.name), "the groups are out of order");
        let bytes: usize = self.iter().map(Group::memory).sum();
        assert_eq!(bytes, self.bytes, "the count of the groups' bytes is wrong");
        self.iter().for_each(Group::audit);
    }
}

impl Stream {
    /// Number of groups.
    pub fn groups_len(&self) -> usize {
        self.groups.list.len()
    }

    /// All groups, in the order of their names.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }

    /// The group with this name.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(self.groups.find(name).ok()?)
    }

    /// The number of entries that `group` has not read yet; `None` if that cannot be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        self.log.lag(group.last_id, group.entries_read)
    }

    /// Creates a group that has read everything up to `last_id`. Returns false if there is one with this name.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing visible has changed.
    pub fn create_group(
        &mut self,
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> Result<bool, OutOfMemory> {
        let Err(at) = self.groups.search(name) else { return Ok(false) };
        let group = Group::new(name, last_id, entries_read)?;
        reserve_one(&mut self.groups.list)?;
        self.groups.bytes += group.memory();
        self.groups.list.insert(at, group);
        self.groups.note(at, GroupChange::Created);
        Ok(true)
    }

    /// Sets how far a group has read.
    ///
    /// # Errors
    /// [`GroupError::NoGroup`].
    pub fn set_group_id(
        &mut self,
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> Result<(), GroupError> {
        let number = self.groups.find(name)?;
        self.groups.change(number, |group| {
            group.note_progress();
            group.last_id = last_id;
            group.entries_read = entries_read;
        })
    }

    /// Destroys a group, and returns its memory, which is to be freed piece by piece.
    ///
    /// # Errors
    /// [`GroupError::NoGroup`].
    pub fn destroy_group(&mut self, name: &[u8]) -> Result<Leftovers, GroupError> {
        let number = self.groups.find(name)?;
        let group = self.groups.list.remove(number);
        self.groups.bytes -= group.memory();
        if self.groups.notes.is_some() {
            self.groups.note(number, GroupChange::Destroyed(group));
            return Ok(Leftovers::none());
        }
        Ok(Leftovers::group(group))
    }

    /// Creates a consumer. Returns false if there is one with this name.
    ///
    /// # Errors
    /// [`GroupError`]; nothing visible has changed.
    pub fn create_consumer(&mut self, group: &[u8], name: &[u8], now_ms: u64) -> Result<bool, GroupError> {
        let number = self.groups.find(group)?;
        self.groups.change(number, |group| {
            if group.consumers.find(name).is_some() {
                return Ok(false);
            }
            let reader = group.consumers.prepare(name)?;
            group.enter(reader, now_ms);
            Ok(true)
        })?
    }

    /// Deletes a consumer. Returns how many entries it had pending, and the memory that is not freed yet; `None` if
    /// there is no such consumer. Its entries are no longer pending. Takes time in proportion to the number of the
    /// group's pending entries. Needs no memory.
    ///
    /// # Errors
    /// [`GroupError::NoGroup`].
    pub fn delete_consumer(
        &mut self,
        group: &[u8],
        name: &[u8],
    ) -> Result<Option<(usize, Leftovers)>, GroupError> {
        let number = self.groups.find(group)?;
        let deleted = self.groups.change(number, |group| group.delete_consumer(name))?;
        Ok(deleted.map(|(count, cut)| (count, Leftovers::ids(cut))))
    }

    /// Makes entries no longer pending (XACK). Returns how many of them were pending. Needs no memory.
    ///
    /// # Errors
    /// [`GroupError::NoGroup`].
    pub fn acknowledge(
        &mut self,
        group: &[u8],
        ids: impl Iterator<Item = StreamId>,
    ) -> Result<usize, GroupError> {
        let number = self.groups.find(group)?;
        self.groups.change(number, |group| ids.filter(|id| group.acknowledge(*id)).count())
    }
}
