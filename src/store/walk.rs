//! Goes over the keyspace instead of naming keys.

use super::Store;
use super::record::Record;
use crate::base::fault;

/// How often a random key is looked for among keys that turn out to have expired.
const RANDOM_TRIES: usize = 1_000;

impl Store {
    /// All keys that have not expired, in no order that may be shown to a client.
    pub fn keys(&self, now_ms: u64) -> impl Iterator<Item = &[u8]> {
        self.table
            .records()
            .filter(move |record| is_live(*record, now_ms))
            .map(|record| self.table.key_of(record))
    }

    /// Shows `visit` the next keys of a scan that has come to `cursor`, about `count` of them or, if it
    /// says false, hardly any more; returns the cursor to go on from. 0 begins a scan and ends it.
    /// Every key that is there during a whole scan is shown, whatever comes and goes meanwhile. A number
    /// that is no cursor finds nothing.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        now_ms: u64,
        mut visit: impl FnMut(&'a [u8]) -> bool,
    ) -> u64 {
        fault::point();
        let Some(position) = self.cursors.position(cursor) else { return 0 };
        let live = |record| is_live(record, now_ms);
        let next = self.table.scan(position, count, live, |record| visit(self.table.key_of(record)));
        self.cursors.cursor(next)
    }

    /// A key at random, every one being about as likely; `None` if there is none that has not
    /// expired, or next to none.
    pub fn random_key(&mut self, now_ms: u64) -> Option<&[u8]> {
        fault::point();
        for _ in 0..RANDOM_TRIES {
            let (hash, nth) = (self.roll(), self.roll() as usize);
            if self.table.pick(hash, nth).is_some_and(|record| is_live(record, now_ms)) {
                return self.table.pick(hash, nth).map(|record| self.table.key_of(record));
            }
        }
        None
    }

    /// The next number of a splitmix generator.
    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.dice ^ self.dice >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// True if it has not expired.
pub fn is_live(record: Record<'_>, now_ms: u64) -> bool {
    record.expires_ms().is_none_or(|at| at > now_ms)
}
