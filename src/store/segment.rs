//! The index of a few hundred items whose hashes share their first bits, and the list of the blocks
//! in which they lie.
//!
//! Some bits of the hash choose an item's home among the [buckets](super::bucket), others are its
//! tag there. An item whose bucket is full goes to the next one that is not; its home remembers how
//! far away the farthest went, so that a search need not go farther.

use super::block::BLOCK_BYTES;
use super::bucket::{Bucket, PLACES};
use super::prefetch::prefetch;
use super::record::RECORD_MAX;

const BUCKETS: usize = 32;
/// A segment with this many items splits: past nine tenths the buckets overflow too often, and
/// earlier the empty places cost too much.
pub const ITEMS_MAX: usize = BUCKETS * PLACES * 9 / 10;
/// Blocks that a spot can name.
pub const BLOCKS_MAX: usize = 1 << (16 - OFFSET_BITS);
const OFFSET_BITS: u32 = 11;
/// Blocks that new records may fill. Packed anew in another order the same records may take a few
/// more, since up to [`RECORD_MAX`] bytes are lost at the end of each.
const BLOCKS_FILLED_MAX: usize = 26;
/// Bytes of records in a segment, at most. However they are packed, they leave a block to spare.
pub const LIVE_MAX: usize = BLOCKS_FILLED_MAX * BLOCK_BYTES;
const _: () = {
    assert!(BLOCK_BYTES <= 1 << OFFSET_BITS);
    assert!(LIVE_MAX < (BLOCKS_MAX - 1) * (BLOCK_BYTES - RECORD_MAX));
};

/// Where a record lies: which block of the segment, and the offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot(u16);

impl Spot {
    /// Position among the segment's blocks.
    #[inline]
    pub fn block(self) -> usize {
        usize::from(self.0 >> OFFSET_BITS)
    }

    /// Where in the block it begins.
    #[inline]
    pub fn offset(self) -> usize {
        usize::from(self.0 & ((1 << OFFSET_BITS) - 1))
    }
}

/// A place in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    bucket: u8,
    place: u8,
}

/// Hashes with one prefix.
///
/// In this order, so that a write finds all it asks of the segment in one line of memory, at the front of
/// the list of blocks.
#[derive(Debug)]
#[repr(C)]
pub struct Segment {
    buckets: [Bucket; BUCKETS],
    /// The first `depth` bits that all hashes here share.
    pub prefix: u64,
    /// How many bits that is.
    pub depth: u32,
    /// Bytes of the items' records.
    live: u32,
    /// Bytes of records that are no longer in use.
    dead: u32,
    items: u16,
    /// Bytes written of the last block.
    tail: u16,
    block_count: u8,
    blocks: [u32; BLOCKS_MAX],
}

impl Segment {
    /// An empty one.
    pub fn new(prefix: u64, depth: u32) -> Segment {
        Segment {
            buckets: [Bucket::EMPTY; BUCKETS],
            blocks: [0; BLOCKS_MAX],
            prefix,
            depth,
            live: 0,
            dead: 0,
            items: 0,
            tail: 0,
            block_count: 0,
        }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        usize::from(self.items)
    }

    /// Bytes of its items' records.
    pub fn live(&self) -> usize {
        self.live as usize
    }

    /// Bytes of records that are no longer in use.
    pub fn dead(&self) -> usize {
        self.dead as usize
    }

    /// Its blocks, by number.
    pub fn blocks(&self) -> &[u32] {
        &self.blocks[..usize::from(self.block_count)]
    }

    /// The number of the block that `spot` is in.
    #[inline]
    pub fn block_of(&self, spot: Spot) -> u32 {
        self.blocks[spot.block()]
    }

    /// Where the record of the item at `cell` lies.
    #[inline]
    pub fn spot(&self, cell: Cell) -> Spot {
        Spot(self.buckets[usize::from(cell.bucket) % BUCKETS].spot(usize::from(cell.place)))
    }

    /// Finds the item of `hash` whose record `is_it` recognises.
    #[inline(always)]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(Spot) -> bool) -> Option<(Cell, Spot)> {
        let home = home(hash);
        let found = self.find_in(home, hash, &mut is_it);
        // Nearly all are at home.
        if found.is_some() || self.buckets[home].reach() == 0 {
            found
        } else {
            self.find_farther(hash, is_it)
        }
    }

    #[inline(always)]
    fn find_in(&self, at: usize, hash: u64, is_it: &mut impl FnMut(Spot) -> bool) -> Option<(Cell, Spot)> {
        let bucket = &self.buckets[at % BUCKETS];
        for place in bucket.places(tag(hash)) {
            let spot = Spot(bucket.spot(place));
            if is_it(spot) {
                return Some((Cell { bucket: at as u8, place: place as u8 }, spot));
            }
        }
        None
    }

    #[inline(never)]
    fn find_farther(&self, hash: u64, mut is_it: impl FnMut(Spot) -> bool) -> Option<(Cell, Spot)> {
        let home = home(hash);
        let mut reached = 1..=self.buckets[home].reach();
        reached.find_map(|farther| self.find_in((home + farther) % BUCKETS, hash, &mut is_it))
    }

    /// Begins to fetch what [`Segment::guess`] and [`Segment::block_of`] are going to read.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        prefetch(&self.buckets[home(hash)]);
        // The line of the counts, and the list behind it; small records don't fill more blocks.
        prefetch(&self.prefix);
        prefetch(&self.blocks[9]);
    }

    /// Where the record of `hash` probably lies, after one look at one bucket.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<Spot> {
        let bucket = &self.buckets[home(hash)];
        bucket.places(tag(hash)).next().map(|place| Spot(bucket.spot(place)))
    }

    /// Adds an item to the index.
    ///
    /// # Panics
    /// If there is no place; there is one up to [`ITEMS_MAX`].
    pub fn insert(&mut self, hash: u64, spot: Spot) {
        let home = home(hash);
        for farther in 0..BUCKETS {
            let bucket = &mut self.buckets[(home + farther) % BUCKETS];
            if let Some(place) = bucket.free() {
                bucket.set(place, tag(hash), spot.0);
                self.buckets[home].extend_reach(farther);
                self.items += 1;
                return;
            }
        }
        unreachable!("a segment splits before its index is full");
    }

    /// Takes the item at `cell`, whose record has `len` bytes, out of the index.
    pub fn remove(&mut self, cell: Cell, len: usize) {
        self.buckets[usize::from(cell.bucket)].clear(usize::from(cell.place));
        self.items -= 1;
        self.forget(len);
    }

    /// Counts `len` bytes of a record as no longer in use.
    #[inline]
    pub fn forget(&mut self, len: usize) {
        self.live -= len as u32;
        self.dead += len as u32;
    }

    /// All items, in the order of the index.
    pub fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        self.buckets.iter().enumerate().flat_map(|(at, bucket)| {
            bucket.used().map(move |place| Cell { bucket: at as u8, place: place as u8 })
        })
    }

    /// The `nth` item in the order of the index.
    pub fn nth(&self, nth: usize) -> Option<Cell> {
        self.cells().nth(nth)
    }

    /// Room for a record of `len` bytes in the last block, if it has as much.
    #[inline]
    pub fn allot(&mut self, len: usize) -> Option<Spot> {
        let last = usize::from(self.block_count).checked_sub(1)?;
        let start = usize::from(self.tail);
        if start + len > BLOCK_BYTES {
            return None;
        }
        self.tail = (start + len) as u16;
        self.live += len as u32;
        Some(Spot((last << OFFSET_BITS | start) as u16))
    }

    /// Adds a block, from whose start room is allotted.
    pub fn add_block(&mut self, number: u32) {
        self.blocks[usize::from(self.block_count)] = number;
        self.block_count += 1;
        self.tail = 0;
    }

    /// One of its blocks has got another number.
    pub fn renumber_block(&mut self, from: u32, to: u32) {
        for block in &mut self.blocks[..usize::from(self.block_count)] {
            if *block == from {
                *block = to;
            }
        }
    }

    /// True if so many bytes are dead that records should be packed anew before another block is taken. For each dead
    /// byte at most eight bytes are copied.
    pub fn is_littered(&self) -> bool {
        self.dead > 0 && self.dead as usize * 8 >= self.capacity()
    }

    /// True if a record of `len` bytes fits its last block.
    #[inline]
    pub fn has_tail(&self, len: usize) -> bool {
        self.block_count > 0 && usize::from(self.tail) + len <= BLOCK_BYTES
    }

    /// True if `count` more items, with records of `bytes` bytes together, surely fit it in new blocks.
    pub fn surely_takes(&self, count: usize, bytes: usize) -> bool {
        self.takes(count, bytes) && self.blocks().len() + blocks_for(bytes) <= BLOCKS_FILLED_MAX
    }

    /// Blocks that its records may take when they are packed anew, in two segments.
    pub fn blocks_packed(&self) -> usize {
        let full = self.blocks().len();
        full + full.div_ceil(6) + 2
    }

    /// True if `count` more items, with records of `bytes` bytes together, are not too many for it.
    #[inline]
    pub fn takes(&self, count: usize, bytes: usize) -> bool {
        self.len() + count <= ITEMS_MAX && self.live() + bytes <= LIVE_MAX
    }

    /// True if a block can be added at all.
    pub fn has_block_left(&self) -> bool {
        usize::from(self.block_count) < BLOCKS_MAX
    }

    /// True if a new record may take a new block, even if many bytes are dead.
    pub fn may_need_block(&self) -> bool {
        usize::from(self.block_count) < BLOCKS_FILLED_MAX
    }

    /// True if a new record may take a new block.
    pub fn may_add_block(&self) -> bool {
        usize::from(self.block_count) < BLOCKS_FILLED_MAX && !self.is_littered()
    }

    /// True if packing its records anew gives memory back for an effort in proportion.
    pub fn is_worth_packing(&self) -> bool {
        let dead = self.dead as usize;
        self.block_count > 0 && (self.items == 0 || dead >= BLOCK_BYTES && dead * 4 >= self.capacity())
    }

    /// Bytes in its blocks.
    pub fn capacity(&self) -> usize {
        usize::from(self.block_count) * BLOCK_BYTES
    }
}

/// Blocks that records of `bytes` bytes together fill at most.
pub fn blocks_for(bytes: usize) -> usize {
    bytes / (BLOCK_BYTES - RECORD_MAX) + 1
}

#[inline]
fn home(hash: u64) -> usize {
    (hash >> 16) as usize % BUCKETS
}

#[inline]
fn tag(hash: u64) -> u16 {
    (hash as u16).max(1)
}
