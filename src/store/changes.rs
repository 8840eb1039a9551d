//! The one door through which every change of a key goes: it keeps the expiry index right and tells
//! those who listen.

use super::expiries::Expiries;
use super::journal::{Journal, What};

/// What must hear of each change.
#[derive(Debug, Default)]
pub struct Changes {
    pub(super) expiries: Expiries,
    pub(super) journal: Journal,
    /// Keys that have expired.
    pub(super) expired: u64,
}

impl Changes {
    /// Notes what has happened to `key`, and when it expired `before` and does `after`. Cannot fail.
    #[inline]
    pub fn note(&mut self, what: What, hash: u64, key: &[u8], before: Option<u64>, after: Option<u64>) {
        self.expiries.change(hash, before, after);
        self.expired += u64::from(what == What::Expired);
        self.journal.note(key, what);
    }

    /// Notes that all keys are gone; returns what is left of their index.
    pub fn note_flush(&mut self) -> Expiries {
        self.journal.note(b"", What::Flushed);
        std::mem::take(&mut self.expiries)
    }
}
