//! Operations that go over all keys, or choose one, instead of naming keys.

use super::Store;
use super::record::{Kind, Record};
use crate::base::fault;

/// How many random places are tried for a random key. A place may be empty, or its key may have expired.
const RANDOM_TRIES: usize = 1_000;

/// How many keys are then looked at one by one if all tries have failed.
const RANDOM_WALK_MAX: usize = 1_000;

impl Store {
    /// All keys that have not expired. Their order depends on the hash, so a client must not see it.
    pub fn keys(&self, now_ms: u64) -> impl Iterator<Item = &[u8]> {
        self.table
            .records()
            .filter(move |record| is_live(*record, now_ms))
            .map(|record| self.table.key_of(record))
    }

    /// One step of a scan: calls `visit` for about `count` of the next keys, beginning at `cursor`. If `kind`
    /// is given, only keys of that kind are visited. When `visit` returns false, the step ends after hardly
    /// any more keys.
    ///
    /// Returns the cursor for the next step. The cursor 0 begins a scan, and the step that returns 0 was the
    /// last. A key that exists during the whole scan is visited, whatever other keys come and go in the
    /// meantime. A number that is no cursor ends the scan at once.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        kind: Option<Kind>,
        now_ms: u64,
        mut visit: impl FnMut(&'a [u8]) -> bool,
    ) -> u64 {
        fault::point();
        let Some(position) = self.cursors.position(cursor) else { return 0 };
        let wanted =
            |record: Record<'_>| is_live(record, now_ms) && kind.is_none_or(|kind| record.kind() == kind);
        let next = self.table.scan(position, count, wanted, |record| visit(self.table.key_of(record)));
        self.cursors.cursor(next)
    }

    /// A new generator of random numbers, for [`Map::pick`](super::Map::pick) and
    /// [`Map::sample`](super::Map::sample): a map borrows the store, so it cannot use the store's own.
    pub fn dice(&mut self) -> Dice {
        Dice::new(self.dice.roll())
    }

    /// A random key that has not expired; every one is equally likely. `None` if there is no such key, or if
    /// nearly all keys have expired and the search has found none.
    pub fn random_key(&mut self, now_ms: u64) -> Option<&[u8]> {
        fault::point();
        for _ in 0..RANDOM_TRIES {
            let rolled = (self.dice.roll(), self.dice.roll());
            if self.table.pick(rolled).is_some_and(|record| is_live(record, now_ms)) {
                return self.table.pick(rolled).map(|record| self.table.key_of(record));
            }
        }
        // So few places hold a live key that no try has met one. The first live key has to do.
        let mut few = self.table.records().take(RANDOM_WALK_MAX);
        few.find(|record| is_live(*record, now_ms)).map(|record| self.table.key_of(record))
    }
}

/// A generator of random numbers (splitmix64). Not for secrets.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// A generator that begins with `seed`.
    pub fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// The next random number.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// True if the item has not expired. `now_ms` is the Unix time in milliseconds.
pub fn is_live(record: Record<'_>, now_ms: u64) -> bool {
    record.expires_ms().is_none_or(|at| at > now_ms)
}
