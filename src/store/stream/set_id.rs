//! Sets by hand what a log remembers about entries that are gone (XSETID).

use super::id::StreamId;
use super::log::Log;
use super::notes::LogChange;

/// Why [`Log::set_last_id`] refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetIdError {
    /// The id is less than the given greatest removed id.
    BelowGivenDeleted,
    /// The id is less than the greatest removed id of the stream.
    BelowDeleted,
    /// The id is less than that of the last entry.
    BelowEntries,
    /// The number of added entries is less than the number of entries there are.
    TooFewAdded,
}

impl Log {
    /// Sets the last id (XSETID), and, where given, the number of entries ever added and the greatest removed id.
    ///
    /// # Errors
    /// [`SetIdError`] if the values contradict each other or the entries; nothing has changed.
    pub fn set_last_id(
        &mut self,
        id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) -> Result<(), SetIdError> {
        if max_deleted_id.is_some_and(|deleted| id < deleted) {
            return Err(SetIdError::BelowGivenDeleted);
        }
        if id < self.max_deleted_id {
            return Err(SetIdError::BelowDeleted);
        }
        if self.last().is_some_and(|last| id < last.id()) {
            return Err(SetIdError::BelowEntries);
        }
        if !self.is_empty() && entries_added.is_some_and(|added| added < self.len as u64) {
            return Err(SetIdError::TooFewAdded);
        }
        self.note(LogChange::None);
        self.last_id = id;
        self.entries_added = entries_added.unwrap_or(self.entries_added);
        let given = max_deleted_id.filter(|deleted| *deleted != StreamId::MIN);
        self.max_deleted_id = given.unwrap_or(self.max_deleted_id);
        Ok(())
    }
}
