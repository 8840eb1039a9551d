//! The keyspace: keys and their values, each key with an optional time of expiry.
//!
//! This room knows neither the protocol nor the clients. It keeps two invariants:
//!
//! - The agenda has each segment with keys that expire, at a time that is at most [`LOOK_PAUSE_MAX_MS`] after the
//!   first of these.
//! - A write has two steps. Preparing it allocates all memory whose size a client chooses; this step can
//!   fail. Committing it changes the table; this step cannot fail or panic half-way. So a command that
//!   prepares first and commits last is atomic, even if it panics.
//!
//! The parts:
//!
//! - `table` finds items. `write` writes and removes them, and `items` does so in the selected database. `reshape` grows and shrinks the table piece by piece. `scan`
//!   iterates over it; `cursor` hides a scan's position from clients. `audit` checks the table.
//! - `tally` counts what bodies come to. `kept` is a string in the memory in which it has arrived.
//! - `crowd` refuses a key if too many other keys have hashes that begin with the same bits.
//! - `directory`, `segment` and `bucket` are the levels of the table's index. `block`, `record` and `body`
//!   are the memory that items lie in. `large` is a value with a structure of its own.
//! - `maps` reads keys that hold hashes and removes their fields, and `map_writes` writes them. `map` is one of these as a
//!   command reads it. `packed` is the memory layout of a small one, and `names` are the names of fields that small
//!   hashes share.
//! - `sets` reads keys that hold sets and removes their members, and `set_writes` adds members. `members` is a set as a
//!   command reads it, `set` is a large one, and `ints` has the members of a large one that are integers.
//! - `fields` changes when single fields of a hash expire, and removes them.
//! - `lists` reads and writes keys that hold lists. `elements` is a list as a command reads it, `list` is a large one. `tiered` is a sequence of parts that grows in
//!   small steps, and `pieces` makes sure that there is memory for many small pieces.
//! - `zsets` reads and writes keys that hold sorted sets. `ranked` is one of these as a command reads it, `zpacked` is the
//!   memory layout of a small one, and `zset` is a large one. `rescore` gives one member another score.
//! - `streams` reads and writes keys that hold streams, and `stream` is one.
//! - `changes` is the one door for changes. `journal` keeps what happened to which key, for a listener.
//! - `agenda` knows in which segment a key expires next. `sweep` removes expired keys.
//! - `chunked` is a vector that almost never moves its elements.
//! - `databases` has the keyspaces that are not selected.
//! - `evict` removes keys to make room; `sketch` knows about how often keys were used.
//! - `object` tells what a key holds, for those who only look at it.
//! - `walk` goes over all keys, or picks one. `warm` fetches memory before keys are looked up.
//! - `prefetch` starts to fetch one line of memory. It has an `unsafe` call.
//! - `edit` changes a string in its place. `moves` gives what a key holds to another key. `whole` is
//!   a value that takes the place of what a key holds.
//! - `undo` notes how to take changes back, while somebody may want to.
//! - `prepared` is a write that is ready to be committed. `discard` frees large things piece by piece.
//!
//! However many keys there are, an operation on one key takes no longer than splitting a segment of a few
//! hundred items, and copying the key's value. Only the directory is ever copied as a whole. It is small:
//! each segment has a few entries in it, of four bytes each.

mod agenda;
mod audit;
mod block;
mod body;
mod bucket;
mod changes;
mod chunked;
mod crowd;
mod cursor;
mod databases;
mod directory;
mod discard;
mod edit;
mod elements;
mod evict;
mod fields;
mod ints;
mod items;
mod journal;
mod kept;
mod large;
mod list;
mod list_removals;
mod lists;
mod map;
mod map_writes;
mod maps;
mod members;
mod moves;
mod names;
mod object;
mod packed;
mod pieces;
mod prefetch;
mod prepared;
mod ranked;
mod record;
mod rescore;
mod reshape;
mod scan;
mod segment;
mod set;
mod set_writes;
mod sets;
mod sketch;
mod stream;
mod streams;
mod sweep;
mod table;
mod tally;
#[cfg(test)]
mod tests;
mod tiered;
mod undo;
mod walk;
mod warm;
mod whole;
mod write;
mod zpacked;
mod zset;
mod zsets;

use std::sync::Arc;

use ahash::RandomState;

use crate::base::fault;
use changes::Changes;
use chunked::Size;
use cursor::Cursors;
use databases::Others;
pub use databases::Size as DatabaseSize;
use discard::Discards;
pub use edit::Edit;
pub use elements::{Elements, Side};
use evict::Evictor;
pub use evict::{First, Policy};
pub use fields::{Changed, FieldChange, PreparedFields};
pub use journal::{Class, Effect, Effects, Event, Listener, What};
pub use lists::PreparedList;
pub use map::{Field, Map};
pub use map_writes::PreparedMap;
pub use maps::MapRemoval;
pub use members::{Member, Members};
pub use moves::Rename;
use names::Names;
pub use object::Object;
pub use prepared::{Expiry, Prepared, WriteError, WrongKind};
pub use ranked::Ranked;
pub use record::Kind;
use record::RECORD_MAX;
pub use rescore::ReadyMember;
pub use set_writes::PreparedSet;
pub use sets::SetRemoval;
pub use stream::{
    Claim, ClaimOptions, Claimed, ConsumerInfo, DeliveredAt, Delivery, Entry, Group, GroupError, History,
    IdOverflow, Leftovers, Log, NodeLimits, PendingEntry, References, Removal, Removed, RestoredGroup,
    SetIdError, Stream, StreamId, Trim, TrimTo,
};
pub use streams::{NewStream, PreparedEntry, StreamError};
pub use sweep::{LOOK_PAUSE_MAX_MS, Overdue};
use table::{Content, Place, Table};
use undo::Undo;
pub use walk::Dice;
use walk::is_live;
pub use warm::WARMED_MAX;
pub use whole::Whole;
pub use zpacked::{Scored, by_order};
pub use zsets::{PreparedZset, ZsetRemoval};

/// A key and its value, or a field and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// Keys or fields with their values, in the order of the request. `Clone`, because a write goes through
/// them more than once.
pub trait WritePairs<'a>: Iterator<Item = Pair<'a>> + Clone {}

impl<'a, T: Iterator<Item = Pair<'a>> + Clone> WritePairs<'a> for T {}

/// The keyspace: keys with their values and times of expiry, in several databases.
///
/// One database is selected; at first it is database 0. All methods work on it unless they say otherwise.
#[derive(Debug)]
pub struct Store {
    /// The items of the selected database, found by the hash of their key.
    table: Table,
    /// The other databases.
    others: Others,
    /// Turns a scan's position into the cursor that a client sees.
    cursors: Cursors,
    /// How to take changes back, if somebody may want to.
    undo: Option<Box<Undo>>,
    /// A log that was kept, without its steps. The next one uses its memory.
    spare_undo: Option<Box<Undo>>,
    /// What happened to which key, and how many keys have expired.
    changes: Changes,
    /// Removed memory that is not freed yet.
    discards: Discards,
    /// The memory of a kept string whose place another one has taken.
    replaced: Option<Box<[u8]>>,
    /// Chooses the keys that are evicted.
    evictor: Evictor,
    /// Random numbers for picking keys and fields.
    dice: Dice,
}

impl Store {
    /// An empty store. Its hash function is seeded with `seed`: a client that does not know the seed cannot
    /// know which keys collide.
    pub fn new(seed: u64) -> Store {
        let spread = RandomState::with_seeds(seed, !seed, seed.rotate_left(32), 0x9e37_79b9_7f4a_7c15);
        let hash = |n: u64| spread.hash_one(n);
        let seeded = |n: u64| RandomState::with_seeds(hash(n), hash(n + 1), hash(n + 2), hash(n + 3));
        Store {
            table: Table::keyspace(seeded(1), Size::Large, Arc::new(Names::new(seeded(11)))),
            others: Others::default(),
            cursors: Cursors::new(seeded(6)),
            undo: None,
            spare_undo: None,
            changes: Changes::default(),
            discards: Discards::default(),
            replaced: None,
            evictor: Evictor::default(),
            dice: Dice::new(hash(5)),
        }
    }

    /// Number of keys of the selected database. Counts a key whose time of expiry has passed until the store removes it.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True if [`Store::len`] is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of keys of the selected database with a time of expiry.
    pub fn expiring(&self) -> usize {
        self.table.expiring
    }

    /// Counts expired and evicted keys and fields from 0 again.
    pub fn reset_counts(&mut self) {
        (self.changes.expired, self.changes.expired_fields, self.changes.evicted) = (0, 0, 0);
    }

    /// Number of keys that the store has removed because memory had run out, since its start or the last reset.
    pub fn evicted(&self) -> u64 {
        self.changes.evicted
    }

    /// Number of keys that the store has removed because they had expired, since its start or the last reset.
    pub fn expired(&self) -> u64 {
        self.changes.expired
    }

    /// Number of fields of hashes that the store has removed because they had expired, since its start or the last reset.
    pub fn expired_fields(&self) -> u64 {
        self.changes.expired_fields
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.table.memory()
            + self.others.memory
            + self.table.names().memory()
            + self.changes.journal.memory()
            + self.discards.memory()
            + self.replaced.as_ref().map_or(0, |memory| memory.len())
            + self.evictor.memory()
            + self.undo.iter().chain(&self.spare_undo).map(|undo| undo.memory()).sum::<usize>()
    }

    /// The string of `key`; `None` if there is no such key or it has expired. `now_ms` is the Unix time in
    /// milliseconds, here and in all methods of the store.
    ///
    /// # Errors
    /// [`WrongKind`] if the key does not hold a string.
    #[inline(always)]
    pub fn get(&mut self, key: &[u8], now_ms: u64) -> Result<Option<&[u8]>, WrongKind> {
        fault::point();
        let Some(place) = self.find(key, now_ms) else { return Ok(None) };
        self.table.string(place).map(Some)
    }

    /// The kind of value that `key` holds; `None` if there is no such key or it has expired.
    pub fn kind(&mut self, key: &[u8], now_ms: u64) -> Option<Kind> {
        fault::point();
        let place = self.find(key, now_ms)?;
        Some(self.table.record(place).kind())
    }

    /// True if the items no longer fit the processor's cache, so that [`Store::warm`] is worth its cost.
    #[inline]
    pub fn is_beyond_cache(&self) -> bool {
        self.table.is_beyond_cache()
    }

    /// Starts to fetch the memory that looking up `keys` is going to read, so that the waits for memory
    /// overlap. Does so for the first [`WARMED_MAX`] keys. `members` has the field or member that is looked up in the hash,
    /// set or sorted set of each key, if that is one. Changes nothing.
    pub fn warm<'a>(
        &self,
        keys: impl Iterator<Item = &'a [u8]>,
        members: impl Iterator<Item = warm::Members<'a>>,
    ) {
        self.table.warm(keys, members);
    }

    /// True if `key` exists and has not expired.
    #[inline]
    pub fn contains(&mut self, key: &[u8], now_ms: u64) -> bool {
        fault::point();
        self.find(key, now_ms).is_some()
    }

    /// When `key` expires, in Unix milliseconds: `None` if there is no such key, `Some(None)` if it never
    /// expires.
    pub fn expiry(&mut self, key: &[u8], now_ms: u64) -> Option<Option<u64>> {
        fault::point();
        let place = self.find(key, now_ms)?;
        Some(self.table.record(place).expires_ms())
    }

    /// Prepares to write `value` under `key`: reserves the memory for it.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    #[inline]
    pub fn prepare<'a>(&mut self, key: &'a [u8], value: &'a [u8]) -> Result<Prepared<'a>, WriteError> {
        fault::point();
        // A value that may be put back must keep its memory.
        let reuses = self.undo.is_none();
        self.with_memory(|table| Prepared::replacing(table, key, value, reuses)?.reserved(table))
    }

    /// Prepares to write several keys and their values. Either all of them can be committed, or the call
    /// fails.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_all<'a>(&mut self, pairs: impl WritePairs<'a>) -> Result<Vec<Prepared<'a>>, WriteError> {
        self.with_memory(|table| table.prepare_all(pairs.clone()))
    }

    /// Prepares to append `tail` to the string of `key`; without such a key, `tail` becomes its value.
    /// Commit it with [`Expiry::Keep`]. Building a value piece by piece takes time in proportion to its
    /// length, not to the square of its length.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_append<'a>(&mut self, key: &'a [u8], tail: &'a [u8]) -> Result<Prepared<'a>, WriteError> {
        fault::point();
        self.with_memory(|table| Prepared::appending(table, key, tail)?.reserved(table))
    }

    /// Calls `prepare`. If it runs out of memory while discarded memory waits to be freed, frees some and
    /// calls it again: a pause is better than a refused write. Each round frees twice as much as the one
    /// before, because a try may take long itself and there should be few of them.
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

    /// Writes a prepared entry into the table. Cannot fail or panic half-way.
    #[inline]
    pub fn commit(&mut self, entry: Prepared<'_>, expiry: Expiry) {
        let Prepared { key, hash, content } = entry;
        let place = self.table.find(hash, key);
        let before = place.and_then(|place| self.table.record(place).expires_ms());
        let expires_ms = expiry.over(before);
        self.changes.note_write(place.is_some(), key);
        match content {
            Content::Body(body) => self.write_string_body(place, hash, key, body, expires_ms),
            content => self.write_item(place, hash, key, Kind::String, content, expires_ms),
        }
    }

    /// Reserves the memory for giving `key` a time of expiry: its record becomes longer.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_expiry(&mut self, key: &[u8]) -> Result<(), WriteError> {
        self.with_memory(|table| {
            let demand = table.admit(table.hash(key), key, RECORD_MAX)?;
            Ok(table.try_reserve(demand)?)
        })
    }

    /// Changes when `key` expires: at a Unix time in milliseconds, or never. Does nothing if there is no such
    /// key.
    pub fn expire(&mut self, key: &[u8], expires_ms: Option<u64>) {
        let hash = self.table.hash(key);
        let Some(place) = self.table.find(hash, key) else { return };
        self.changes.note(What::Set, key);
        self.time_item(place, hash, expires_ms);
    }

    /// Removes `key`. Returns false if there was no such key or it had expired. Cannot fail or panic
    /// half-way.
    pub fn remove(&mut self, key: &[u8], now_ms: u64) -> bool {
        let hash = self.table.hash(key);
        let Some(place) = self.table.find(hash, key) else { return false };
        let live = is_live(self.table.record(place), now_ms);
        self.take(if live { What::Removed } else { What::Expired }, place);
        live
    }

    /// A listener begins or stops to listen. While nobody listens, the store notes no effects.
    pub fn listen(&mut self, who: Listener, on: bool) {
        self.changes.journal.listen(who, on);
    }

    /// True if there are effects to read, or if effects were lost.
    #[inline]
    pub fn has_effects(&self) -> bool {
        self.changes.journal.has_news()
    }

    /// True if somebody wants to hear of events.
    #[inline]
    pub fn wants_events(&self) -> bool {
        self.changes.journal.wants_events()
    }

    /// Takes out the effects since the last call. [`Store::put_back_effects`] takes their memory back.
    pub fn take_effects(&mut self) -> Effects {
        self.changes.journal.take()
    }

    /// Takes effects back of which only the events were told.
    pub fn keep_told_effects(&mut self, effects: Effects) {
        self.changes.journal.keep_told(effects);
    }

    /// Takes back the memory of effects that the listeners have read.
    pub fn put_back_effects(&mut self, effects: Effects) {
        self.changes.journal.put_back(effects);
    }

    /// A command tells of an event of `key`, which it has changed.
    #[inline]
    pub fn tell(&mut self, event: Event, key: &[u8]) {
        self.changes.tell(event, key);
    }

    /// The same, of a key of database `db`.
    pub fn tell_in(&mut self, db: u16, event: Event, key: &[u8]) {
        self.within(db, |store| store.tell(event, key));
    }

    /// Walks the whole store and asserts its invariants. For tests.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub fn audit(&self) {
        self.audit_databases();
        self.undo.iter().for_each(|undo| undo.audit());
        self.table.audit();
    }

    /// Where `key` is. If it has expired, removes it and returns `None`.
    #[inline(always)]
    fn find(&mut self, key: &[u8], now_ms: u64) -> Option<Place> {
        self.find_hashed(self.table.hash(key), key, now_ms)
    }

    /// Does what `find` says with a key whose hash is known.
    #[inline(always)]
    fn find_hashed(&mut self, hash: u64, key: &[u8], now_ms: u64) -> Option<Place> {
        let place = self.table.find(hash, key)?;
        if is_live(self.table.record(place), now_ms) {
            return Some(place);
        }
        self.take(What::Expired, place);
        None
    }
}
