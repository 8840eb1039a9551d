//! The one door for changes: every change of a key goes through here. It counts the keys that have expired, and
//! notes the effect for the listener.

use super::journal::{Journal, What};

/// Everything that must follow each change of a key.
#[derive(Debug, Default)]
pub struct Changes {
    /// What happened to which key, while somebody listens.
    pub(super) journal: Journal,
    /// The number of the selected database.
    pub(super) db: u16,
    /// Number of keys that were removed since the start because they had expired.
    pub(super) expired: u64,
}

impl Changes {
    /// Notes what happens to `key`. Cannot fail.
    #[inline]
    pub fn note(&mut self, what: What, key: &[u8]) {
        self.expired += u64::from(what == What::Expired);
        self.journal.note(self.db, key, what);
    }
}
