//! The expiry index: it knows which key expires next.

use std::collections::BTreeSet;

/// About how many bytes one entry takes. A write that adds an entry is charged for that.
pub const ENTRY_BYTES: usize = 40;

/// The keys that expire, the earliest first.
///
/// Two keys that expire in the same millisecond and whose hashes share all 64 bits have one entry together.
/// Once the sweep has removed one of them, the other one stays until a command names it.
#[derive(Debug, Default)]
pub struct Expiries {
    /// For each key its time of expiry, in Unix milliseconds, and its hash.
    entries: BTreeSet<(u64, u64)>,
}

impl Expiries {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Memory held, in bytes: an estimate.
    pub fn memory(&self) -> usize {
        // On average a node of the tree is two thirds full.
        self.entries.len() * size_of::<(u64, u64)>() * 3 / 2
    }

    /// The earliest time of expiry, in Unix milliseconds, and the hash of its key.
    pub fn first(&self) -> Option<(u64, u64)> {
        self.entries.first().copied()
    }

    /// Removes the earliest entry and returns it.
    pub fn pop_first(&mut self) -> Option<(u64, u64)> {
        self.entries.pop_first()
    }

    /// Notes that the key with this hash expires at `after` instead of `before`. Both are Unix milliseconds;
    /// `None` means never.
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

    /// Asserts that the entries are those that are expected. For tests.
    ///
    /// # Panics
    /// If an entry is missing, or there is one too many.
    pub fn audit(&self, expected: impl Iterator<Item = (u64, u64)>) {
        let expected: BTreeSet<(u64, u64)> = expected.collect();
        assert_eq!(expected, self.entries, "the expiry index lacks an entry or has one too many");
    }
}
