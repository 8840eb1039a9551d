//! The table: it finds, writes and removes items. It stores their times of expiry, but never compares them
//! with the time of day.
//!
//! It uses extendible hashing, and keeps segments in the order of the hash. The first bits of a key's hash
//! select an entry of the [directory](super::directory), which names a [segment](super::segment). The index
//! of the segment says where in its [blocks](super::block) the item's [record](super::record) lies. If key
//! and value are too long for a block, the record names a [body](super::body), which holds them. `reshape`
//! splits and merges segments.

use ahash::RandomState;
use std::hash::{BuildHasher, Hasher};

use super::block::Block;
use super::body::{Body, Fields};
use super::chunked::{Chunked, Size};
use super::directory::Directory;
use super::packed;
use super::prepared::WrongKind;
use super::record::{Draft, INLINE_MAX, Kind, Record};
use super::segment::{Cell, Segment, Spot};
use crate::base::OutOfMemory;

/// Where an item is. A place is valid until the table changes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The number of the segment.
    pub(super) segment: u32,
    /// The item's place in the segment's index.
    pub(super) cell: Cell,
    /// The number of the block that holds the record.
    block: u32,
    /// Where in the block the record begins, in bytes.
    offset: u16,
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
    /// Bytes that the bodies own, without their entries in `bodies`.
    pub(super) body_bytes: usize,
    /// Number of items.
    pub(super) len: usize,
}

impl Table {
    /// An empty table that hashes with `hasher` and expects as many items as `size` says.
    pub fn new(hasher: RandomState, size: Size) -> Table {
        Table::over(Chunked::new(size), hasher, size)
    }

    /// Puts an empty table in the place of this one and returns the old one. The new table takes over a piece of its
    /// memory, because to flush keys must not need memory.
    pub fn start_over(&mut self) -> Table {
        let segments = self.segments.split_off_chunk();
        let empty = Table::over(segments, self.hasher.clone(), Size::Large);
        std::mem::replace(self, empty)
    }

    /// An empty table that takes its first segment from `segments`.
    fn over(mut segments: Chunked<Segment>, hasher: RandomState, size: Size) -> Table {
        segments.push(Segment::new(0, 0));
        Table {
            hasher,
            directory: Directory::new(),
            segments,
            blocks: Chunked::new(size),
            bodies: Chunked::new(size),
            body_bytes: 0,
            len: 0,
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
            + self.body_bytes
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
        self.segments.is_loose() || self.blocks.is_loose() || self.bodies.is_loose()
    }

    /// Frees a piece of the memory because of which [`Table::is_loose`] is true.
    pub fn trim(&mut self) {
        self.segments.trim();
        self.blocks.trim();
        self.bodies.trim();
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
            Kind::Hash => Err(WrongKind),
        }
    }

    /// The value of a record: a string or a packed hash. Empty for a hash with a table.
    #[inline]
    pub fn value_of<'a>(&'a self, record: Record<'a>) -> &'a [u8] {
        match record.body() {
            Some(number) => self.bodies.get(number).value(),
            None => record.value(),
        }
    }

    /// Writes `content` under `key`, in the place of the item at `place` if there is one. Returns the old content if it
    /// takes long to free.
    pub fn write(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        kind: Kind,
        content: Content<'_>,
        expires_ms: Option<u64>,
    ) -> Option<Box<Fields>> {
        let body = place.and_then(|place| self.record(place).body());
        if let (Content::Small(value), None) = (&content, body) {
            if let (Some(place), None) = (place, expires_ms)
                && self.overwrite(place, kind, value)
            {
                return None;
            }
            self.put(place, hash, Draft::small(kind, key, [value, b""], expires_ms).record());
            return None;
        }
        let mut left = None;
        let draft = match (content, body) {
            (Content::Tail(tail), Some(number)) => {
                self.with_body(number, |body| body.append(tail));
                Draft::large(kind, number, expires_ms)
            }
            (Content::Tail(tail), None) => {
                let head = place.map_or(&b""[..], |place| self.record(place).value());
                Draft::small(kind, key, [head, tail], expires_ms)
            }
            (Content::Over(value), Some(number)) => {
                self.with_body(number, |body| body.overwrite(value));
                Draft::large(kind, number, expires_ms)
            }
            (Content::Over(_), None) => unreachable!("no key is removed between prepare and commit"),
            (Content::Body(body), Some(number)) => {
                let before = self.with_body(number, |there| std::mem::replace(there, body));
                left = before.into_fields();
                Draft::large(kind, number, expires_ms)
            }
            (Content::Body(body), None) => {
                self.body_bytes += body.memory();
                Draft::large(kind, self.bodies.push(body), expires_ms)
            }
            (Content::Small(value), _) => Draft::small(kind, key, [value, b""], expires_ms),
        };
        self.put(place, hash, draft.record());
        if let (Some(number), None) = (body, draft.record().body()) {
            left = self.drop_body(number).into_fields();
        }
        left
    }

    /// Changes when the item at `place` expires: at a Unix time in milliseconds, or never.
    pub fn set_expiry(&mut self, place: Place, hash: u64, expires_ms: Option<u64>) {
        let record = self.record(place);
        let draft = match record.body() {
            Some(number) => Draft::large(record.kind(), number, expires_ms),
            None => Draft::small(record.kind(), record.key(), [record.value(), b""], expires_ms),
        };
        self.put(Some(place), hash, draft.record());
    }

    /// Removes the item at `place`. Returns its content if that takes long to free.
    pub fn remove(&mut self, place: Place) -> Option<Box<Fields>> {
        self.take_out(place)?.into_fields()
    }

    /// Removes the item at `place` and returns its body, if it has one.
    pub fn take_out(&mut self, place: Place) -> Option<Body> {
        let record = self.record(place);
        let (body, len) = (record.body(), record.bytes().len());
        self.segments.get_mut(place.segment).remove(place.cell, len);
        self.len -= 1;
        let body = body.map(|number| self.drop_body(number));
        self.shrink(place.segment);
        body
    }

    /// Removes the fields for which `keep` returns false from the packed hash at `place`. Needs no memory.
    pub fn retain_packed(&mut self, place: Place, hash: u64, mut keep: impl FnMut(&[u8]) -> bool) {
        let record = self.record(place);
        if let Some(number) = record.body() {
            return self.with_body(number, |body| body.retain_packed(keep));
        }
        let mut value = [0; INLINE_MAX];
        let value = &mut value[..record.value().len()];
        value.copy_from_slice(record.value());
        let kept = packed::retain(value, &mut keep);
        let draft = Draft::small(Kind::Hash, record.key(), [&value[..kept], b""], record.expires_ms());
        self.rewrite(place, hash, draft.record());
    }

    /// Writes a record, over the one at `place` if there is one.
    fn put(&mut self, place: Option<Place>, hash: u64, record: Record<'_>) {
        match place {
            Some(place) => self.rewrite(place, hash, record),
            None => {
                self.insert(hash, record);
                self.len += 1;
            }
        }
    }

    /// Writes `value` over the value of the record at `place` if nothing else of the record would change. Most
    /// values are written over others of their length; without this a `SET` costs a sixth more instructions.
    #[inline]
    fn overwrite(&mut self, place: Place, kind: Kind, value: &[u8]) -> bool {
        let bytes = &mut self.blocks.get_mut(place.block).bytes[usize::from(place.offset)..];
        let Some(range) = Record(bytes).value_range(kind, value.len()) else { return false };
        bytes[range].copy_from_slice(value);
        true
    }

    /// A record that is no longer than the one before takes its place.
    pub(super) fn rewrite(&mut self, place: Place, hash: u64, record: Record<'_>) {
        let before = self.record(place).bytes().len();
        let bytes = record.bytes();
        let segment = self.segments.get_mut(place.segment);
        if bytes.len() > before {
            segment.remove(place.cell, before);
            return self.insert(hash, record);
        }
        segment.forget(before - bytes.len());
        self.blocks.get_mut(place.block).bytes[usize::from(place.offset)..][..bytes.len()]
            .copy_from_slice(bytes);
    }

    /// Adds a record to the segment of `hash`, and makes room there first if it must.
    fn insert(&mut self, hash: u64, record: Record<'_>) {
        loop {
            let number = self.directory.segment(hash);
            if self.segments.get(number).takes(1, record.bytes().len())
                && let Some(spot) = self.append(number, record.bytes())
            {
                return self.segments.get_mut(number).insert(hash, spot);
            }
            self.make_room(number, record.bytes().len());
        }
    }

    /// Copies a record into a block of segment `number`. `None` if the segment should be packed or split
    /// first.
    fn append(&mut self, number: u32, bytes: &[u8]) -> Option<Spot> {
        let segment = self.segments.get_mut(number);
        let spot = match segment.allot(bytes.len()) {
            Some(spot) => spot,
            None if segment.may_add_block() => {
                self.add_block(number);
                self.segments.get_mut(number).allot(bytes.len())?
            }
            None => return None,
        };
        let block = self.segments.get(number).block_of(spot);
        self.blocks.get_mut(block).bytes[spot.offset()..][..bytes.len()].copy_from_slice(bytes);
        Some(spot)
    }
}
