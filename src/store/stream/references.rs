//! Entries that are removed with regard to the groups (XDELEX and XACKDEL).
//!
//! A group refers to an entry if the entry is pending in it, or if the group has not read it yet. There is no list of the
//! groups that refer to an entry, so each of these removals asks all groups.

use super::Stream;
use super::group::Group;
use super::groups::GroupError;
use super::id::StreamId;

/// What a removal does with the groups that refer to the entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They stay as they are: the entry may still be pending, although it is gone (KEEPREF).
    #[default]
    Keep,
    /// The entry is no longer pending in any group (DELREF).
    Remove,
    /// The entry is only removed if no group refers to it (ACKED).
    Respect,
}

/// What a removal has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// There is nothing to remove.
    Missing,
    /// The entry is removed.
    Removed,
    /// The entry stays, because a group refers to it.
    Referenced,
}

/// The effect of a removal on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// What to tell the client.
    pub removal: Removal,
    /// True if the stream has an entry less.
    pub entry: bool,
}

impl Stream {
    /// True if a group has the entry with this id pending, or has not read it yet.
    pub fn is_referenced(&self, id: StreamId) -> bool {
        self.groups.iter().any(|group| group.refers_to(id))
    }

    /// Removes the entry with this id (XDELEX). Needs no memory.
    pub fn remove(&mut self, id: StreamId, references: References) -> Removed {
        if references == References::Respect && self.is_referenced(id) {
            let removal = if self.log.contains(id) { Removal::Referenced } else { Removal::Missing };
            return Removed { removal, entry: false };
        }
        if references == References::Remove {
            self.acknowledge_everywhere(id);
        }
        let entry = self.log.remove(id);
        let removal = if entry { Removal::Removed } else { Removal::Missing };
        Removed { removal, entry }
    }

    /// Makes an entry no longer pending in a group, and then removes it (XACKDEL). Does nothing if it is not pending there.
    /// The entry may be gone already, which counts as removed. Needs no memory.
    ///
    /// # Errors
    /// [`GroupError::NoGroup`].
    pub fn acknowledge_and_remove(
        &mut self,
        group: &[u8],
        id: StreamId,
        references: References,
    ) -> Result<Removed, GroupError> {
        if self.acknowledge(group, [id].into_iter())? == 0 {
            return Ok(Removed { removal: Removal::Missing, entry: false });
        }
        if references == References::Respect && self.is_referenced(id) {
            return Ok(Removed { removal: Removal::Referenced, entry: false });
        }
        let Removed { entry, .. } = self.remove(id, references);
        Ok(Removed { removal: Removal::Removed, entry })
    }

    /// Makes an entry no longer pending in any group.
    fn acknowledge_everywhere(&mut self, id: StreamId) {
        for number in 0..self.groups_len() {
            let _ = self.groups.change(number, |group| group.acknowledge(id));
        }
    }
}

impl Group {
    fn refers_to(&self, id: StreamId) -> bool {
        id > self.last_id || self.pending.find(id).is_some()
    }
}
