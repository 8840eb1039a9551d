//! The keyspace: byte strings to byte strings, each with an optional time of expiry.
//!
//! This room knows neither protocol nor clients. Its invariants: every key with an expiry time is
//! in the expiry index exactly once with that time, and no other key is. What a client sizes is
//! allocated when a write is prepared, which can fail; what changes the table afterwards cannot
//! panic half-way, so a command that prepares first and commits last is atomic even if it panics.
//!
//! - `table`: finds, writes and removes items; `reshape`: grows and shrinks it piece by piece;
//!   `scan`: iterates over it; `audit`: checks it
//! - `directory`, `segment`, `bucket`: the levels of its index; `block`, `record`, `large`: where items
//!   lie, and how
//! - `chunked`: a vector that never moves
//! - `prefetch`: asks for memory ahead of time, the one use of `unsafe`
//! - `prepared`: what is about to be written; `discard`: what `FLUSHALL` has left to be freed
//!
//! No operation takes longer than splitting one segment of a few hundred items, whatever the number
//! of keys; the directory, of four bytes for each few hundred keys, is all that is ever copied whole.

mod audit;
mod block;
mod bucket;
mod chunked;
mod directory;
mod discard;
mod large;
mod prefetch;
mod prepared;
mod record;
mod reshape;
mod scan;
mod segment;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use ahash::RandomState;

use crate::base::{OutOfMemory, fault, memory};
use discard::Discarded;
pub use prepared::{Expiry, Prepared};
use record::{RECORD_MAX, Record};
pub use table::WARMED_MAX;
use table::{Place, Table};

/// How often a random key is looked for among keys that turn out to have expired.
const RANDOM_TRIES: usize = 1_000;

/// Flushed keyspaces that wait to be freed.
const DISCARDED_MAX: usize = 8;
/// What an entry of the expiry index takes, about.
const EXPIRY_BYTES: usize = 40;

/// The keyspace.
#[derive(Debug)]
pub struct Store {
    table: Table,
    /// Times and hashes of the keys that expire. Should two keys ever share all 64 bits and the
    /// millisecond, one of them waits until it is asked for.
    expiries: BTreeSet<(u64, u64)>,
    discarded: VecDeque<Discarded>,
    expired: u64,
    /// State of the generator of random keys.
    dice: u64,
}

impl Store {
    /// An empty store whose hash is seeded with `seed`, so that nobody outside can know which keys
    /// collide.
    pub fn new(seed: u64) -> Store {
        let spread = RandomState::with_seeds(seed, !seed, seed.rotate_left(32), 0x9e37_79b9_7f4a_7c15);
        let hash = |n: u64| spread.hash_one(n);
        let hasher = RandomState::with_seeds(hash(1), hash(2), hash(3), hash(4));
        Store {
            table: Table::new(hasher),
            expiries: BTreeSet::new(),
            discarded: VecDeque::new(),
            expired: 0,
            dice: hash(5),
        }
    }

    /// Number of keys, those included that have expired and not been met yet.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True without keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of keys with an expiry time.
    pub fn expiring(&self) -> usize {
        self.expiries.len()
    }

    /// Number of keys that have been removed because their time had come, since the start.
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// The memory held, in bytes; what the expiry index takes is estimated.
    pub fn memory(&self) -> usize {
        // A node of the tree is two thirds full.
        let index = |entries: usize| entries * size_of::<(u64, u64)>() * 3 / 2;
        let discarded = |all: &Discarded| all.table.memory() + index(all.expiries.len());
        self.table.memory() + index(self.expiries.len()) + self.discarded.iter().map(discarded).sum::<usize>()
    }

    /// The value of `key`, unless it has expired.
    #[inline]
    pub fn get(&mut self, key: &[u8], now_ms: u64) -> Option<&[u8]> {
        fault::point();
        let place = self.find(key, now_ms)?;
        Some(self.table.value(place))
    }

    /// True if there are so many keys that [`Store::warm`] pays.
    #[inline]
    pub fn is_beyond_cache(&self) -> bool {
        self.table.is_beyond_cache()
    }

    /// Fetches what looking up each of `keys`, up to [`WARMED_MAX`], is going to read, so that the
    /// waits for memory overlap. Changes nothing.
    pub fn warm<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        self.table.warm(keys);
    }

    /// True if `key` exists and has not expired.
    #[inline]
    pub fn contains(&mut self, key: &[u8], now_ms: u64) -> bool {
        self.get(key, now_ms).is_some()
    }

    /// When `key` expires: `None` if there is no such key, `Some(None)` if it never does.
    pub fn expiry(&mut self, key: &[u8], now_ms: u64) -> Option<Option<u64>> {
        fault::point();
        let place = self.find(key, now_ms)?;
        Some(self.table.record(place).expires_ms())
    }

    /// Makes sure that `value` can be written under `key`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    #[inline]
    pub fn prepare<'a>(&mut self, key: &'a [u8], value: &'a [u8]) -> Result<Prepared<'a>, OutOfMemory> {
        fault::point();
        self.with_memory(|table| Prepared::replacing(table, key, value)?.reserved(table))
    }

    /// Makes sure that `count` pairs of key and value can be written.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn prepare_all<'a>(
        &mut self,
        count: usize,
        pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) -> Result<Vec<Prepared<'a>>, OutOfMemory> {
        self.with_memory(|table| {
            let mut entries = Vec::new();
            memory::reserve_exact(&mut entries, count)?;
            let (mut bytes, mut bodies) = (0, 0);
            for (key, value) in pairs.clone().take(count) {
                fault::point();
                let entry = Prepared::new(table, key, value)?;
                bytes += entry.record_bytes();
                bodies += entry.bodies();
                entries.push(entry);
            }
            table.try_reserve(entries.len(), bytes, bodies)?;
            Ok(entries)
        })
    }

    /// Makes sure that `tail` can be written behind the value of `key`, if there is one. To be
    /// committed with [`Expiry::Keep`]. Building a value piece by piece costs its length, not the
    /// square of it.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn prepare_append<'a>(&mut self, key: &'a [u8], tail: &'a [u8]) -> Result<Prepared<'a>, OutOfMemory> {
        fault::point();
        self.with_memory(|table| Prepared::appending(table, key, tail)?.reserved(table))
    }

    /// Before a write is refused for want of memory, what has been discarded is freed, be it at
    /// the cost of a pause.
    #[inline]
    fn with_memory<T>(
        &mut self,
        mut prepare: impl FnMut(&mut Table) -> Result<T, OutOfMemory>,
    ) -> Result<T, OutOfMemory> {
        loop {
            match prepare(&mut self.table) {
                Err(OutOfMemory) if !self.discarded.is_empty() => self.reclaim(1),
                result => return result,
            }
        }
    }

    /// Puts what was prepared into the table. Cannot fail or panic half-way.
    #[inline]
    pub fn commit(&mut self, entry: Prepared<'_>, expiry: Expiry) {
        let Prepared { key, hash, content } = entry;
        let place = self.table.find(hash, key);
        let before = place.and_then(|place| self.table.record(place).expires_ms());
        let expires_ms = expiry.over(before);
        self.reindex(hash, before, expires_ms);
        self.table.write(place, hash, key, content, expires_ms);
    }

    /// Makes sure that a key can be given a time of expiry, which makes its record longer.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn prepare_expiry(&mut self) -> Result<(), OutOfMemory> {
        memory::charge(EXPIRY_BYTES)?;
        self.with_memory(|table| table.try_reserve(1, RECORD_MAX, 0))
    }

    /// Changes when `key` expires, if it exists: at a Unix time in milliseconds, or never.
    pub fn expire(&mut self, key: &[u8], expires_ms: Option<u64>) {
        let hash = self.table.hash(key);
        let Some(place) = self.table.find(hash, key) else { return };
        let before = self.table.record(place).expires_ms();
        if before != expires_ms {
            self.reindex(hash, before, expires_ms);
            self.table.set_expiry(place, hash, expires_ms);
        }
    }

    /// Removes `key`; false if there is none.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let hash = self.table.hash(key);
        let Some(place) = self.table.find(hash, key) else { return false };
        self.take(hash, place);
        true
    }

    /// Removes every key. What they leave behind is freed by [`Store::reclaim`].
    pub fn clear(&mut self) {
        if !self.is_empty() {
            let table = self.table.start_over();
            let discarded = Discarded { table, expiries: std::mem::take(&mut self.expiries) };
            if discarded.is_small() {
                return;
            }
            // Whoever fills and flushes faster than that frees it himself.
            while self.discarded.len() >= DISCARDED_MAX {
                self.reclaim(1);
            }
            self.discarded.push_back(discarded);
        }
    }

    /// True while something is left to be freed.
    pub fn has_leftovers(&self) -> bool {
        !self.discarded.is_empty() || self.table.is_loose()
    }

    /// Frees what has been discarded, in up to `budget` steps of some 100 microseconds, and some of
    /// what was reserved and not used.
    pub fn reclaim(&mut self, budget: usize) {
        self.table.trim();
        for _ in 0..budget {
            let Some(oldest) = self.discarded.front_mut() else { return };
            if !oldest.free_some() {
                self.discarded.pop_front();
            }
        }
    }

    /// All keys that have not expired, in no order that may be shown to a client.
    pub fn keys(&self, now_ms: u64) -> impl Iterator<Item = &[u8]> {
        self.table
            .records()
            .filter(move |record| is_live(*record, now_ms))
            .map(|record| self.table.key_of(record))
    }

    /// Shows `visit` the next keys of a scan that has come to `cursor`, about `count` of them or, if it
    /// says false, hardly any more; returns the cursor to go on from. 0 begins a scan and ends it.
    /// Whatever is there during a whole scan is shown, whatever comes and goes meanwhile.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        now_ms: u64,
        mut visit: impl FnMut(&'a [u8]) -> bool,
    ) -> u64 {
        fault::point();
        let live = |record| is_live(record, now_ms);
        self.table.scan(cursor, count, live, |record| visit(self.table.key_of(record)))
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

    /// The earliest time, Unix milliseconds, at which a key expires.
    pub fn next_expiry(&self) -> Option<u64> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Removes up to `budget` expired keys, the longest expired first; returns how many.
    pub fn sweep(&mut self, now_ms: u64, budget: usize) -> usize {
        let mut removed = 0;
        while removed < budget && self.next_expiry().is_some_and(|at| at <= now_ms) {
            let Some((at, hash)) = self.expiries.pop_first() else { break };
            let place = self.table.find_record(hash, |record| {
                record.expires_ms() == Some(at) && self.table.hash_of(record) == hash
            });
            if let Some(place) = place {
                self.table.remove(place);
            }
            removed += 1;
        }
        self.expired += removed as u64;
        removed
    }

    /// Asserts the invariants of this room by walking all of it. For tests.
    ///
    /// # Panics
    /// If one does not hold.
    pub fn audit(&self) {
        self.table.audit();
        let expiring = self.table.records().filter_map(|record| {
            record.expires_ms().map(|at| (at, self.table.hash(self.table.key_of(record))))
        });
        let expiring: BTreeSet<(u64, u64)> = expiring.collect();
        assert_eq!(expiring, self.expiries, "the expiry index has lost or invented keys");
    }

    #[inline(always)]
    fn find(&mut self, key: &[u8], now_ms: u64) -> Option<Place> {
        let hash = self.table.hash(key);
        let place = self.table.find(hash, key)?;
        if is_live(self.table.record(place), now_ms) {
            return Some(place);
        }
        self.take(hash, place);
        self.expired += 1;
        None
    }

    fn take(&mut self, hash: u64, place: Place) {
        let expires_ms = self.table.record(place).expires_ms();
        self.table.remove(place);
        self.reindex(hash, expires_ms, None);
    }

    #[inline]
    fn reindex(&mut self, hash: u64, before: Option<u64>, after: Option<u64>) {
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.expiries.remove(&(at, hash));
        }
        if let Some(at) = after {
            self.expiries.insert((at, hash));
        }
    }

    /// The next number of a splitmix generator.
    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.dice ^ self.dice >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

fn is_live(record: Record<'_>, now_ms: u64) -> bool {
    record.expires_ms().is_none_or(|at| at > now_ms)
}
