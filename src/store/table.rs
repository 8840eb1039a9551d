//! The table: finds, writes and removes items. Knows nothing of time but that records may carry one.
//!
//! Extendible hashing in the order of the hash: the [directory](super::directory) names a
//! [segment](super::segment) by a hash's first bits; the segment's index says where in its
//! [blocks](super::block) the [record](super::record) lies; a record that would be too long for a
//! block names a [body](super::large) instead. How segments split and merge is in `reshape`.

use ahash::RandomState;
use std::hash::{BuildHasher, Hasher};

use super::block::Block;
use super::chunked::Chunked;
use super::directory::Directory;
use super::large::Large;
use super::record::{Draft, Record};
use super::segment::{Cell, Segment, Spot};
use crate::base::OutOfMemory;

/// Where an item is, until the table changes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub(super) segment: u32,
    pub(super) cell: Cell,
    /// Where its record lies.
    block: u32,
    offset: u16,
}

/// What is to be written.
#[derive(Debug)]
pub enum Content<'a> {
    /// A value that fits a block with its key.
    Small(&'a [u8]),
    /// Key and value in memory of their own.
    Large(Large),
    /// A value for the body that the key has.
    Over(&'a [u8]),
    /// More of the value there is; [`Table::prepare_append`] has made room if it is large.
    Tail(&'a [u8]),
}

/// What the table needs for what is about to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// Blocks.
    pub blocks: usize,
    /// Segments.
    pub segments: usize,
    /// Bodies.
    pub larges: usize,
    /// Depth of the deepest of the new segments, if more than the directory's next.
    pub depth: u32,
}

/// Items by hash and key.
#[derive(Debug)]
pub struct Table {
    pub(super) hasher: RandomState,
    pub(super) directory: Directory,
    pub(super) segments: Chunked<Segment>,
    pub(super) blocks: Chunked<Block>,
    pub(super) larges: Chunked<Large>,
    /// What the bodies own, their entries in `larges` not counted.
    pub(super) large_bytes: usize,
    pub(super) len: usize,
}

impl Table {
    /// An empty table.
    pub fn new(hasher: RandomState) -> Table {
        Table::over(Chunked::default(), hasher)
    }

    /// An empty table in the place of this one, of which only the memory counts from now on. Takes
    /// over a piece of it, because keys must not need memory to be flushed.
    pub fn start_over(&mut self) -> Table {
        let segments = self.segments.split_off_chunk();
        let empty = Table::over(segments, self.hasher.clone());
        std::mem::replace(self, empty)
    }

    fn over(mut segments: Chunked<Segment>, hasher: RandomState) -> Table {
        segments.push(Segment::new(0, 0));
        Table {
            hasher,
            directory: Directory::new(),
            segments,
            blocks: Chunked::default(),
            larges: Chunked::default(),
            large_bytes: 0,
            len: 0,
        }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.directory.memory()
            + self.segments.memory()
            + self.blocks.memory()
            + self.larges.memory()
            + self.large_bytes
    }

    /// The hash of `key`.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// True if a record of up to `bytes` bytes for `hash` can be written without asking for memory, as
    /// is nearly always so: a quick answer in the place of the long one.
    #[inline]
    pub fn is_ready(&self, hash: u64, bytes: usize) -> bool {
        let segment = self.segments.get(self.directory.segment(hash));
        segment.takes(1, bytes) && segment.has_tail(bytes)
    }

    /// Makes sure that `demand` can be written without asking for memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn try_reserve(&mut self, demand: Demand) -> Result<(), OutOfMemory> {
        self.larges.try_reserve(demand.larges)?;
        self.blocks.try_reserve(demand.blocks)?;
        if demand.segments == 0 {
            return Ok(());
        }
        self.segments.try_reserve(demand.segments)?;
        self.directory.try_reserve(self.segments.len() + demand.segments, demand.depth)
    }

    /// Finds an item.
    #[inline(always)]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        self.find_record(hash, |record| self.key_of(record) == key)
    }

    /// Finds the item of `hash` whose record `is_it` recognises.
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

    /// The value at `place`.
    #[inline(always)]
    pub fn value(&self, place: Place) -> &[u8] {
        let record = self.record(place);
        match record.large() {
            Some(number) => self.larges.get(number).value(),
            None => record.value(),
        }
    }

    /// The key of a record.
    #[inline(always)]
    pub fn key_of<'a>(&'a self, record: Record<'a>) -> &'a [u8] {
        match record.large() {
            Some(number) => self.larges.get(number).key(),
            None => record.key(),
        }
    }

    /// True if some of its memory is neither used nor likely to be soon.
    pub fn is_loose(&self) -> bool {
        self.segments.is_loose() || self.blocks.is_loose() || self.larges.is_loose()
    }

    /// Gives a piece of it back.
    pub fn trim(&mut self) {
        self.segments.trim();
        self.blocks.trim();
        self.larges.trim();
    }

    /// The hash of a record's key. A long key is not hashed again.
    #[inline]
    pub(super) fn hash_of(&self, record: Record<'_>) -> u64 {
        match record.large() {
            Some(number) => self.larges.get(number).hash(),
            None => self.hash(record.key()),
        }
    }

    #[inline]
    pub(super) fn record_at(&self, segment: &Segment, spot: Spot) -> Record<'_> {
        Record(&self.blocks.get(segment.block_of(spot)).bytes[spot.offset()..])
    }

    /// Makes room for `count` more bytes behind the value at `place`, if it is large.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn reserve_tail(&mut self, place: Place, count: usize) -> Result<bool, OutOfMemory> {
        let Some(number) = self.record(place).large() else { return Ok(false) };
        let large = self.larges.get_mut(number);
        self.large_bytes -= large.memory();
        let reserved = large.try_reserve(count);
        self.large_bytes += large.memory();
        reserved.map(|()| true)
    }

    /// Writes `content` under `key`, in the place of the item at `place` if there is one.
    pub fn write(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        content: Content<'_>,
        expires_ms: Option<u64>,
    ) {
        let body = place.and_then(|place| self.record(place).large());
        let draft = match (content, body) {
            (Content::Tail(tail), Some(number)) => {
                self.larges.get_mut(number).append(tail);
                Draft::large(number, expires_ms)
            }
            (Content::Tail(tail), None) => {
                let head = place.map_or(&b""[..], |place| self.record(place).value());
                Draft::small(key, [head, tail], expires_ms)
            }
            (Content::Over(value), Some(number)) => {
                self.larges.get_mut(number).overwrite(value);
                Draft::large(number, expires_ms)
            }
            (Content::Over(_), None) => unreachable!("nobody removes a key between prepare and commit"),
            (Content::Large(large), Some(number)) => {
                self.large_bytes += large.memory();
                let before = std::mem::replace(self.larges.get_mut(number), large);
                self.large_bytes -= before.memory();
                Draft::large(number, expires_ms)
            }
            (Content::Large(large), None) => {
                self.large_bytes += large.memory();
                Draft::large(self.larges.push(large), expires_ms)
            }
            (Content::Small(value), _) => Draft::small(key, [value, b""], expires_ms),
        };
        let left = if draft.record().large().is_none() { body } else { None };
        self.put(place, hash, draft.record());
        if let Some(number) = left {
            self.drop_large(number);
        }
    }

    /// Changes when the item at `place` expires.
    pub fn set_expiry(&mut self, place: Place, hash: u64, expires_ms: Option<u64>) {
        let record = self.record(place);
        let draft = match record.large() {
            Some(number) => Draft::large(number, expires_ms),
            None => Draft::small(record.key(), [record.value(), b""], expires_ms),
        };
        self.put(Some(place), hash, draft.record());
    }

    /// Removes the item at `place`.
    pub fn remove(&mut self, place: Place) {
        let record = self.record(place);
        let (body, len) = (record.large(), record.bytes().len());
        self.segments.get_mut(place.segment).remove(place.cell, len);
        self.len -= 1;
        if let Some(number) = body {
            self.drop_large(number);
        }
        self.shrink(place.segment);
    }

    fn put(&mut self, place: Option<Place>, hash: u64, record: Record<'_>) {
        match place {
            Some(place) => self.rewrite(place, hash, record),
            None => {
                self.insert(hash, record);
                self.len += 1;
            }
        }
    }

    /// A record that is no longer than the one before takes its place.
    fn rewrite(&mut self, place: Place, hash: u64, record: Record<'_>) {
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

    /// Copies a record into the segment's blocks, unless it should rather be compacted or split.
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

    /// Frees a body that no record names any more. The last body gets its number.
    fn drop_large(&mut self, number: u32) {
        let last = self.larges.len() as u32 - 1;
        if number != last {
            let hash = self.larges.get(last).hash();
            let place = self
                .find_record(hash, |record| record.large() == Some(last))
                .expect("every body has a record");
            let renumbered = Draft::large(number, self.record(place).expires_ms());
            self.rewrite(place, hash, renumbered.record());
        }
        let body = self.larges.swap_remove(number);
        self.large_bytes -= body.memory();
    }
}
