//! Goes over the keyspace instead of naming keys.

use super::Store;
use super::record::{Kind, Record};
use crate::base::fault;

/// Tries to meet a random key. A try fails if its place is empty or its key has expired.
const RANDOM_TRIES: usize = 1_000;

/// Keys that are looked at one after the other if no try has met one.
const RANDOM_WALK_MAX: usize = 1_000;

impl Store {
    /// All keys that have not expired, in no order that may be shown to a client.
    pub fn keys(&self, now_ms: u64) -> impl Iterator<Item = &[u8]> {
        self.table
            .records()
            .filter(move |record| is_live(*record, now_ms))
            .map(|record| self.table.key_of(record))
    }

    /// Shows `visit` the next keys of a scan that has come to `cursor`: about `count` of them, or fewer if `visit` says
    /// false. Returns the cursor to go on from. 0 begins a scan and ends it. A scan shows every key that is there from
    /// its beginning to its end, even if other keys come and go. A number that is no cursor finds nothing. If `kind` is
    /// given, only keys of that kind are shown.
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

    /// A generator of random numbers of its own, for [`Hash::pick`](super::Hash::pick).
    pub fn dice(&mut self) -> Dice {
        Dice::new(self.dice.roll())
    }

    /// A key at random, every one being as likely; `None` if there is none that has not expired, or
    /// next to none.
    pub fn random_key(&mut self, now_ms: u64) -> Option<&[u8]> {
        fault::point();
        for _ in 0..RANDOM_TRIES {
            let rolled = (self.dice.roll(), self.dice.roll());
            if self.table.pick(rolled).is_some_and(|record| is_live(record, now_ms)) {
                return self.table.pick(rolled).map(|record| self.table.key_of(record));
            }
        }
        // So few keys that no try has met one: the first that there is.
        let mut few = self.table.records().take(RANDOM_WALK_MAX);
        few.find(|record| is_live(*record, now_ms)).map(|record| self.table.key_of(record))
    }
}

/// A splitmix generator.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// One that begins with `seed`.
    pub fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// True if it has not expired.
pub fn is_live(record: Record<'_>, now_ms: u64) -> bool {
    record.expires_ms().is_none_or(|at| at > now_ms)
}
