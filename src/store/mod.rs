//! The keyspace: keys and what they hold, each with an optional time of expiry.
//!
//! This room knows neither protocol nor clients. Its invariants: every key with an expiry time is
//! in the expiry index exactly once with that time, and no other key is. What a client sizes is
//! allocated when a write is prepared, which can fail; what changes the table afterwards cannot
//! panic half-way, so a command that prepares first and commits last is atomic even if it panics.
//!
//! - `table`: finds, writes and removes items; `reshape`: grows and shrinks it piece by piece;
//!   `scan`: iterates over it, `cursor`: what clients see of that; `audit`: checks it
//! - `crowd`: refuses keys whose hashes begin too much alike
//! - `directory`, `segment`, `bucket`: the levels of its index; `block`, `record`, `body`: where items
//!   lie, and how
//! - `hashes`: the keys that hold hashes; `hash`: one of them, as a command reads it; `packed`: how a
//!   small one lies in memory
//! - `changes`: the one door for changes; `expiries`: which key expires next; `journal`: what happened to
//!   which key, for those who listen
//! - `chunked`: a vector that hardly ever moves
//! - `walk`: goes over all keys, or picks one; `warm`: fetches keys before they are looked up
//! - `prefetch`: asks for memory ahead of time, with `unsafe` code
//! - `edit`: changes a string in its place; `moves`: gives what a key holds to another key
//! - `prepared`: values that are about to be written;
//!   `discard`: values that wait to be freed piece by piece
//!
//! No operation takes longer than splitting one segment of a few hundred items, for any number of keys, unless
//! memory is short or eight flushed keyspaces wait to be freed; the directory, of four bytes for each few hundred keys, is all that is ever copied whole.

mod audit;
mod block;
mod body;
mod bucket;
mod changes;
mod chunked;
mod crowd;
mod cursor;
mod directory;
mod discard;
mod edit;
mod expiries;
mod hash;
mod hashes;
mod journal;
mod moves;
mod packed;
mod prefetch;
mod prepared;
mod record;
mod reshape;
mod scan;
mod segment;
mod table;
#[cfg(test)]
mod tests;
mod walk;
mod warm;

use ahash::RandomState;

use crate::base::{fault, memory};
use changes::Changes;
use chunked::Size;
use cursor::Cursors;
use discard::Discards;
pub use edit::Edit;
use expiries::ENTRY_BYTES;
pub use hash::Hash;
pub use hashes::{HashRemoval, PreparedHash};
pub use journal::What;
pub use moves::{Copied, Rename};
pub use prepared::{Expiry, Prepared, WriteError, WrongKind};
pub use record::Kind;
use record::RECORD_MAX;
use table::{Place, Table};
pub use walk::Dice;
use walk::is_live;
pub use warm::WARMED_MAX;

/// A key or a field, and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// Keys or fields and their values, as a request names them; gone through more than once.
pub trait WritePairs<'a>: Iterator<Item = Pair<'a>> + Clone {}

impl<'a, T: Iterator<Item = Pair<'a>> + Clone> WritePairs<'a> for T {}

/// The keyspace.
///
/// A write has two steps. The first one asks for memory, and can fail; the second one cannot.
///
/// ```
/// use tidegate::store::{Expiry, Store};
///
/// let mut store = Store::new(42);
/// let entry = store.prepare(b"greeting", b"hello").unwrap();
/// store.commit(entry, Expiry::At(1_000));
/// // The caller says what time it is, Unix milliseconds: the store reads no clock.
/// assert_eq!(store.get(b"greeting", 999), Ok(Some(&b"hello"[..])));
/// assert_eq!(store.get(b"greeting", 1_000), Ok(None));
/// ```
#[derive(Debug)]
pub struct Store {
    table: Table,
    cursors: Cursors,
    changes: Changes,
    discards: Discards,
    dice: Dice,
}

impl Store {
    /// An empty store. `seed` decides which keys collide, so clients must not be able to guess it.
    pub fn new(seed: u64) -> Store {
        let spread = RandomState::with_seeds(seed, !seed, seed.rotate_left(32), 0x9e37_79b9_7f4a_7c15);
        let hash = |n: u64| spread.hash_one(n);
        let seeded = |n: u64| RandomState::with_seeds(hash(n), hash(n + 1), hash(n + 2), hash(n + 3));
        Store {
            table: Table::new(seeded(1), Size::Large),
            cursors: Cursors::new(seeded(6)),
            changes: Changes::default(),
            discards: Discards::default(),
            dice: Dice::new(hash(5)),
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
        self.changes.expiries.len()
    }

    /// Number of keys that have been removed because their time had come, since the start.
    pub fn expired(&self) -> u64 {
        self.changes.expired
    }

    /// The memory held, in bytes; what the expiry index takes is estimated.
    pub fn memory(&self) -> usize {
        self.table.memory()
            + self.changes.expiries.memory()
            + self.changes.journal.memory()
            + self.discards.memory()
    }

    /// The string of `key`, unless it has expired.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds something else.
    #[inline(always)]
    pub fn get(&mut self, key: &[u8], now_ms: u64) -> Result<Option<&[u8]>, WrongKind> {
        fault::point();
        let Some(place) = self.find(key, now_ms) else { return Ok(None) };
        self.table.string(place).map(Some)
    }

    /// What `key` holds, unless it has expired.
    pub fn kind(&mut self, key: &[u8], now_ms: u64) -> Option<Kind> {
        fault::point();
        let place = self.find(key, now_ms)?;
        Some(self.table.record(place).kind())
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
        fault::point();
        self.find(key, now_ms).is_some()
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
    /// [`WriteError`]; nothing has changed.
    #[inline]
    pub fn prepare<'a>(&mut self, key: &'a [u8], value: &'a [u8]) -> Result<Prepared<'a>, WriteError> {
        fault::point();
        self.with_memory(|table| Prepared::replacing(table, key, value)?.reserved(table))
    }

    /// Makes sure that pairs of key and value can be written.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_all<'a>(&mut self, pairs: impl WritePairs<'a>) -> Result<Vec<Prepared<'a>>, WriteError> {
        self.with_memory(|table| table.prepare_all(pairs.clone()))
    }

    /// Makes sure that `tail` can be written behind the value of `key`, if there is one. To be
    /// committed with [`Expiry::Keep`]. Building a value piece by piece costs its length, not the
    /// square of it.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_append<'a>(&mut self, key: &'a [u8], tail: &'a [u8]) -> Result<Prepared<'a>, WriteError> {
        fault::point();
        self.with_memory(|table| Prepared::appending(table, key, tail)?.reserved(table))
    }

    /// Before a write is refused for lack of memory, discarded values are freed, even if that causes a pause. Each try
    /// frees twice as much as the one before, because a try may take long itself.
    #[inline]
    fn with_memory<T>(
        &mut self,
        mut prepare: impl FnMut(&mut Table) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        let mut steps = 1;
        loop {
            match prepare(&mut self.table) {
                Err(WriteError::OutOfMemory) if !self.discards.is_empty() => self.reclaim(steps),
                result => return result,
            }
            steps *= 2;
        }
    }

    /// Puts a prepared value into the table. Cannot fail or panic half-way.
    #[inline]
    pub fn commit(&mut self, entry: Prepared<'_>, expiry: Expiry) {
        let Prepared { key, hash, content } = entry;
        let place = self.table.find(hash, key);
        let before = place.and_then(|place| self.table.record(place).expires_ms());
        let expires_ms = expiry.over(before);
        self.changes.note(What::Set, hash, key, before, expires_ms);
        let left = self.table.write(place, hash, key, Kind::String, content, expires_ms);
        self.discards.keep(left);
    }

    /// Makes sure that `key` can be given a time of expiry, which makes its record longer.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_expiry(&mut self, key: &[u8]) -> Result<(), WriteError> {
        memory::charge(ENTRY_BYTES)?;
        self.with_memory(|table| {
            let demand = table.admit(table.hash(key), key, RECORD_MAX)?;
            Ok(table.try_reserve(demand)?)
        })
    }

    /// Changes when `key` expires, if it exists: at a Unix time in milliseconds, or never.
    pub fn expire(&mut self, key: &[u8], expires_ms: Option<u64>) {
        let hash = self.table.hash(key);
        let Some(place) = self.table.find(hash, key) else { return };
        let before = self.table.record(place).expires_ms();
        if before != expires_ms {
            self.changes.note(What::Set, hash, key, before, expires_ms);
            self.table.set_expiry(place, hash, expires_ms);
        }
    }

    /// Removes `key`; false if there is none, or if it has expired. Cannot fail or panic half-way.
    pub fn remove(&mut self, key: &[u8], now_ms: u64) -> bool {
        let hash = self.table.hash(key);
        let Some(place) = self.table.find(hash, key) else { return false };
        let live = is_live(self.table.record(place), now_ms);
        self.take(if live { What::Removed } else { What::Expired }, hash, place);
        live
    }

    /// The earliest time, Unix milliseconds, at which a key expires.
    pub fn next_expiry(&self) -> Option<u64> {
        self.changes.expiries.first().map(|(at, _)| at)
    }

    /// Removes up to `budget` expired keys, the longest expired first; returns how many.
    pub fn sweep(&mut self, now_ms: u64, budget: usize) -> usize {
        let mut removed = 0;
        while removed < budget
            && let Some((at, hash)) = self.changes.expiries.first()
            && at <= now_ms
        {
            let place = self.table.find_record(hash, |record| {
                record.expires_ms() == Some(at) && self.table.hash_of(record) == hash
            });
            match place {
                Some(place) => self.take(What::Expired, hash, place),
                None => drop(self.changes.expiries.pop_first()),
            }
            removed += 1;
        }
        removed
    }

    /// Begins or ends to note effects. Nothing is noted before or after.
    pub fn listen(&mut self, on: bool) {
        self.changes.journal.listen(on);
    }

    /// True if there are effects to be read, or some were lost.
    #[inline]
    pub fn has_effects(&self) -> bool {
        self.changes.journal.has_news()
    }

    /// What has happened to which keys since the effects were last forgotten, in order.
    pub fn effects(&self) -> impl Iterator<Item = (&[u8], What)> {
        self.changes.journal.effects()
    }

    /// True if there were too many effects to keep and some were lost. Then every key may have changed.
    pub fn effects_lost(&self) -> bool {
        self.changes.journal.lost()
    }

    /// Forgets the effects, once they have been read.
    pub fn forget_effects(&mut self) {
        self.changes.journal.forget();
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
        self.changes.expiries.audit(expiring);
    }

    #[inline(always)]
    fn find(&mut self, key: &[u8], now_ms: u64) -> Option<Place> {
        let hash = self.table.hash(key);
        let place = self.table.find(hash, key)?;
        if is_live(self.table.record(place), now_ms) {
            return Some(place);
        }
        self.take(What::Expired, hash, place);
        None
    }

    /// Removes the item at `place`.
    fn take(&mut self, what: What, hash: u64, place: Place) {
        let record = self.table.record(place);
        self.changes.note(what, hash, self.table.key_of(record), record.expires_ms(), None);
        let left = self.table.remove(place);
        self.discards.keep(left);
    }
}
