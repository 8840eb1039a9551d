//! The one door for changes: every change of a key goes through here. It counts the keys that have expired, and
//! notes the effect for the listener.

use super::journal::{Event, Journal, What};

/// Everything that must follow each change of a key.
#[derive(Debug, Default)]
pub struct Changes {
    /// What happened to which key, while somebody listens.
    pub(super) journal: Journal,
    /// The number of the selected database.
    pub(super) db: u16,
    /// Number of keys that were removed since the start because they had expired.
    pub(super) expired: u64,
    /// Number of fields of hashes that were removed since the start because they had expired.
    pub(super) expired_fields: u64,
    /// Number of keys that were removed since the start because memory had run out.
    pub(super) evicted: u64,
}

impl Changes {
    /// Notes what happens to `key`. Cannot fail.
    #[inline]
    pub fn note(&mut self, what: What, key: &[u8]) {
        self.expired += u64::from(what == What::Expired);
        self.evicted += u64::from(what == What::Evicted);
        self.journal.note(self.db, key, what);
    }

    /// Notes that `key` is written. `exists` says whether there is a key of this name.
    #[inline]
    pub fn note_write(&mut self, exists: bool, key: &[u8]) {
        self.note(if exists { What::Set } else { What::Created }, key);
    }

    /// Notes an event of `key` if somebody wants events.
    #[inline]
    pub fn tell(&mut self, event: Event, key: &[u8]) {
        if self.journal.wants_events() {
            self.note(What::Told(event), key);
        }
    }
}
