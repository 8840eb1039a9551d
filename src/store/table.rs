//! The table: it finds items. `write` writes and removes them. The table stores their times of expiry, but
//! only `sweep` compares them with the time of day.
//!
//! It uses extendible hashing, and keeps segments in the order of the hash. The first bits of a key's hash
//! select an entry of the [directory](super::directory), which names a [segment](super::segment). The index
//! of the segment says where in its [blocks](super::block) the item's [record](super::record) lies. If key
//! and value are too long for a block, the record names a [body](super::body), which holds them. `reshape`
//! splits and merges segments.

use ahash::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use super::agenda::Agenda;
use super::block::Block;
use super::body::Body;
use super::chunked::{Chunked, Size};
use super::directory::Directory;
use super::names::Names;
use super::packed::Packed;
use super::prepared::WrongKind;
use super::record::{Kind, Record};
use super::segment::{Cell, Segment, Spot};
use super::tally::Tally;
use crate::base::OutOfMemory;

/// Where an item is. A place is valid until the table changes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The number of the segment.
    pub(super) segment: u32,
    /// The item's place in the segment's index.
    pub(super) cell: Cell,
    /// The number of the block that holds the record.
    pub(super) block: u32,
    /// Where in the block the record begins, in bytes.
    pub(super) offset: u16,
}

/// The content of an item that is to be written.
#[derive(Debug)]
pub enum Content<'a> {
    /// A string or a packed hash that fits a block together with its key.
    Small(&'a [u8]),
    /// A new body, which already holds copies of key and value.
    Body(Body),
    /// A string or a packed hash that replaces the value in the body that the key has.
    Over(&'a [u8]),
    /// Bytes to append to the key's string. If that is in a body, [`Table::reserve_tail`] has made room.
    Tail(&'a [u8]),
}

/// The memory that the table needs for a write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// Number of blocks that may be added.
    pub blocks: usize,
    /// Number of segments that may be added.
    pub segments: usize,
    /// Number of bodies that may be added.
    pub bodies: usize,
    /// Depth of the deepest segment that may be added. It may be 0 if the directory need not double more than
    /// once: there is always room for that.
    pub depth: u32,
}

/// Items, found by key and the hash of the key.
#[derive(Debug)]
pub struct Table {
    /// The seeded hash function.
    pub(super) hasher: RandomState,
    /// Says which segment holds a hash.
    pub(super) directory: Directory,
    /// The index of the items, and the lists of blocks.
    pub(super) segments: Chunked<Segment>,
    /// The memory for records.
    pub(super) blocks: Chunked<Block>,
    /// Keys and values that are too long for a block.
    pub(super) bodies: Chunked<Body>,
    /// What the bodies come to.
    pub(super) tally: Tally,
    /// Which segment has the next key that expires.
    pub(super) agenda: Agenda,
    /// Number of items.
    pub(super) len: usize,
    /// Number of items with a time of expiry.
    pub(super) expiring: usize,
    /// The names that packed hashes share. The table of a hash or a set has none.
    names: Option<Arc<Names>>,
}

impl Table {
    /// An empty table that hashes with `hasher` and expects as many items as `size` says. Its items never expire.
    pub fn new(hasher: RandomState, size: Size) -> Table {
        Table::over(Chunked::new(size), Agenda::default(), hasher, None)
    }

    /// As [`Table::new`], for keys: they may expire, and small hashes among them share `names`.
    pub fn keyspace(hasher: RandomState, size: Size, names: Arc<Names>) -> Table {
        Table::over(Chunked::new(size), Agenda::with_room(), hasher, Some(names))
    }

    /// The names that packed hashes share.
    ///
    /// # Panics
    /// If this is the table of a hash or a set.
    pub fn names(&self) -> &Arc<Names> {
        self.names.as_ref().expect("only a keyspace has packed hashes")
    }

    /// A packed hash or set with these bytes, to be read.
    pub fn packed<'a>(&'a self, bytes: &'a [u8]) -> Packed<'a> {
        Packed { bytes, names: self.names() }
    }

    /// Makes sure that items may expire from now on, as many as there are.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn admit_expiries(&mut self) -> Result<(), OutOfMemory> {
        self.agenda.try_admit(self.segments.len())
    }

    /// True if [`Table::admit_expiries`] has been called, or this is a keyspace.
    pub fn admits_expiries(&self) -> bool {
        self.agenda.has_room()
    }

    /// An empty keyspace with the same hash function, which expects few keys.
    pub fn sibling(&self) -> Table {
        Table::keyspace(self.hasher.clone(), Size::Small, self.names().clone())
    }

    /// Puts an empty table in the place of this one and returns the old one. The new table takes over a piece of its
    /// memory, because to flush keys must not need memory.
    pub fn start_over(&mut self) -> Table {
        let segments = self.segments.split_off_chunk();
        let agenda = std::mem::take(&mut self.agenda).cleared();
        let empty = Table::over(segments, agenda, self.hasher.clone(), self.names.clone());
        std::mem::replace(self, empty)
    }

    /// An empty table that takes its first segment from `segments`.
    fn over(
        mut segments: Chunked<Segment>,
        agenda: Agenda,
        hasher: RandomState,
        names: Option<Arc<Names>>,
    ) -> Table {
        let size = segments.size();
        segments.push(Segment::new(0, 0));
        Table {
            hasher,
            directory: Directory::new(),
            segments,
            blocks: Chunked::new(size),
            bodies: Chunked::new(size),
            tally: Tally::default(),
            agenda,
            len: 0,
            expiring: 0,
            names,
        }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.directory.memory()
            + self.segments.memory()
            + self.blocks.memory()
            + self.bodies.memory()
            + self.agenda.memory()
            + self.tally.bytes
    }

    /// The hash of `key`.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// True if a record of up to `bytes` bytes for `hash` can be written without asking for memory. It nearly always can,
    /// so this quick test comes before the full one.
    #[inline]
    pub fn is_ready(&self, hash: u64, bytes: usize) -> bool {
        let segment = self.segments.get(self.directory.segment(hash));
        segment.takes(1, bytes) && segment.has_tail(bytes)
    }

    /// Reserves what `demand` says, so that the write can be committed without asking for memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn try_reserve(&mut self, demand: Demand) -> Result<(), OutOfMemory> {
        self.bodies.try_reserve(demand.bodies)?;
        self.blocks.try_reserve(demand.blocks)?;
        if demand.segments == 0 {
            return Ok(());
        }
        self.segments.try_reserve(demand.segments)?;
        self.agenda.try_reserve(self.segments.len() + demand.segments)?;
        self.directory.try_reserve(self.segments.len() + demand.segments, demand.depth)
    }

    /// Finds the item with this key. `hash` is the hash of the key.
    #[inline(always)]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        self.find_record(hash, |record| self.key_of(record) == key)
    }

    /// Finds the item with this hash for whose record `is_it` returns true.
    #[inline(always)]
    pub fn find_record(&self, hash: u64, is_it: impl Fn(Record<'_>) -> bool) -> Option<Place> {
        let number = self.directory.segment(hash);
        let segment = self.segments.get(number);
        let (cell, spot) = segment.find(hash, |spot| is_it(self.record_at(segment, spot)))?;
        Some(Place { segment: number, cell, block: segment.block_of(spot), offset: spot.offset() as u16 })
    }

    /// The record at `place`.
    #[inline]
    pub fn record(&self, place: Place) -> Record<'_> {
        Record(&self.blocks.get(place.block).bytes[usize::from(place.offset)..])
    }

    /// The key of a record.
    #[inline(always)]
    pub fn key_of<'a>(&'a self, record: Record<'a>) -> &'a [u8] {
        match record.body() {
            Some(number) => self.bodies.get(number).key(),
            None => record.key(),
        }
    }

    /// True if the table holds memory that it neither uses nor is likely to use soon.
    pub fn is_loose(&self) -> bool {
        self.segments.is_loose()
            || self.blocks.is_loose()
            || self.bodies.is_loose()
            || self.agenda.is_loose(self.segments.len())
    }

    /// Frees a piece of the memory because of which [`Table::is_loose`] is true.
    pub fn trim(&mut self) {
        self.segments.trim();
        self.blocks.trim();
        self.bodies.trim();
        self.agenda.trim(self.segments.len());
    }

    /// The hash of a record's key. A body keeps the hash of its key, so a long key is not hashed again.
    #[inline]
    pub(super) fn hash_of(&self, record: Record<'_>) -> u64 {
        match record.body() {
            Some(number) => self.bodies.get(number).hash(),
            None => self.hash(record.key()),
        }
    }

    /// The record at `spot` of `segment`.
    #[inline]
    pub(super) fn record_at(&self, segment: &Segment, spot: Spot) -> Record<'_> {
        Record(&self.blocks.get(segment.block_of(spot)).bytes[spot.offset()..])
    }

    /// The string at `place`.
    ///
    /// # Errors
    /// [`WrongKind`] if the item holds another kind of value.
    #[inline(always)]
    pub fn string(&self, place: Place) -> Result<&[u8], WrongKind> {
        let record = self.record(place);
        if record.is_small_string() {
            return Ok(record.value());
        }
        match record.kind() {
            Kind::String => Ok(self.value_of(record)),
            _ => Err(WrongKind),
        }
    }

    /// The value of a record: a string or a packed value. Empty if the value has a structure of its own.
    #[inline]
    pub fn value_of<'a>(&'a self, record: Record<'a>) -> &'a [u8] {
        match record.body() {
            Some(number) => self.bodies.get(number).value(),
            None => record.value(),
        }
    }
}
