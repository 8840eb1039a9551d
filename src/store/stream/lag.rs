//! How far a consumer group lags behind its stream, as Redis 7.2 computes it.
//!
//! A group counts the entries that it has read: `entries_read`. If no entry was removed from the middle of what it
//! still has to read, the difference to the number of entries ever added is its lag. Otherwise the count means nothing.
//! It is also unknown for a group that starts in the middle of a stream, until the group reaches the end.

use super::id::StreamId;
use super::log::Log;

impl Log {
    /// True if an entry from `from` on may have been removed while there are entries before and behind it.
    pub(super) fn has_tombstones(&self, from: StreamId) -> bool {
        !self.is_empty() && self.max_deleted_id() != StreamId::MIN && from <= self.max_deleted_id()
    }

    /// How many entries were added up to and with `id`; `None` if that cannot be told.
    pub fn entries_read_at(&self, id: StreamId) -> Option<u64> {
        if self.entries_added() == 0 {
            return Some(0);
        }
        if self.is_empty() && id <= self.last_id() {
            return Some(self.entries_added());
        }
        if id != StreamId::MIN && id < self.max_deleted_id() {
            return None;
        }
        if id >= self.last_id() {
            return (id == self.last_id()).then_some(self.entries_added());
        }
        let first = self.first_id();
        if self.max_deleted_id() == StreamId::MIN || self.max_deleted_id() < first {
            let before = self.entries_added().saturating_sub(self.len() as u64);
            if id <= first {
                return Some(before + u64::from(id == first));
            }
        }
        None
    }

    /// The count of a group that had read `read` entries, up to `last_id`, and now reads the entry `id` behind it.
    /// `first` is the id of the first entry.
    pub(super) fn entries_read_next(
        &self,
        read: Option<u64>,
        last_id: StreamId,
        id: StreamId,
        first: StreamId,
    ) -> Option<u64> {
        match read {
            Some(read) if last_id >= first && !self.has_tombstones(last_id) => Some(read + 1),
            _ if self.entries_added() > 0 => self.entries_read_at(id),
            _ => read,
        }
    }

    /// The number of entries that a group has not read yet; `None` if that cannot be told. The group has read
    /// `read` entries, the last of them `last_id`.
    pub fn lag(&self, last_id: StreamId, read: Option<u64>) -> Option<i64> {
        if self.entries_added() == 0 || self.is_empty() {
            return Some(0);
        }
        let first = self.first_id();
        if last_id < first && self.max_deleted_id() < first {
            return Some(self.len() as i64);
        }
        let read = match read {
            Some(read) if !self.has_tombstones(last_id) => read,
            _ => self.entries_read_at(last_id)?,
        };
        Some((self.entries_added() as i64).wrapping_sub(read as i64))
    }
}
