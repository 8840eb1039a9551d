//! The expiry index: which key expires next.

use std::collections::BTreeSet;

/// What one entry takes, about, when it is asked for.
pub const ENTRY_BYTES: usize = 40;

/// Times and hashes of the keys that expire, the earliest first. Should two keys ever share all 64
/// bits of the hash and the millisecond, one of them waits until a command names it.
#[derive(Debug, Default)]
pub struct Expiries {
    entries: BTreeSet<(u64, u64)>,
}

impl Expiries {
    /// Number of keys with an expiry time.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes held, estimated.
    pub fn memory(&self) -> usize {
        // A node of the tree is two thirds full.
        self.entries.len() * size_of::<(u64, u64)>() * 3 / 2
    }

    /// The earliest time, Unix milliseconds, and the hash of its key.
    pub fn first(&self) -> Option<(u64, u64)> {
        self.entries.first().copied()
    }

    /// Takes the first one out.
    pub fn pop_first(&mut self) -> Option<(u64, u64)> {
        self.entries.pop_first()
    }

    /// Notes that the key of `hash` expires at another time than before.
    #[inline]
    pub fn change(&mut self, hash: u64, before: Option<u64>, after: Option<u64>) {
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.entries.remove(&(at, hash));
        }
        if let Some(at) = after {
            self.entries.insert((at, hash));
        }
    }

    /// Asserts that these are the entries. For tests.
    ///
    /// # Panics
    /// If they are not.
    pub fn audit(&self, expected: impl Iterator<Item = (u64, u64)>) {
        let expected: BTreeSet<(u64, u64)> = expected.collect();
        assert_eq!(expected, self.entries, "the expiry index has lost or invented keys");
    }
}
