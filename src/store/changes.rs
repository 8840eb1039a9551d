//! The one door for changes: every change of a key goes through here. It keeps the expiry index right and
//! notes the effect for the listener.

use super::expiries::Expiries;
use super::journal::{Journal, What};

/// Everything that must follow each change of a key.
#[derive(Debug, Default)]
pub struct Changes {
    /// Which key expires next.
    pub(super) expiries: Expiries,
    /// What happened to which key, while somebody listens.
    pub(super) journal: Journal,
    /// Number of keys that were removed since the start because they had expired.
    pub(super) expired: u64,
}

impl Changes {
    /// Notes `what` has happened to `key`. `before` and `after` are its times of expiry before and after the
    /// change, in Unix milliseconds. Cannot fail.
    #[inline]
    pub fn note(&mut self, what: What, hash: u64, key: &[u8], before: Option<u64>, after: Option<u64>) {
        self.expiries.change(hash, before, after);
        self.expired += u64::from(what == What::Expired);
        self.journal.note(key, what);
    }

    /// Notes that all keys are gone. Returns their expiry index, which takes long to free if it is large.
    pub fn note_flush(&mut self) -> Expiries {
        self.journal.note(b"", What::Flushed);
        std::mem::take(&mut self.expiries)
    }
}
