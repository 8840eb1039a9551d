//! A segment: the index of a few hundred items whose hashes share their first bits, and the list of the
//! blocks that hold their records.
//!
//! Some bits of an item's hash choose its home among the [buckets](super::bucket). Other bits are its tag
//! in the bucket. If the home is full, the item goes to the next bucket with a free place. The home keeps
//! its reach: how far away the farthest of its items went. A search stops there.

use super::agenda::{NEVER, NOWHERE};
use super::block::BLOCK_BYTES;
use super::bucket::{Bucket, PLACES};
use super::prefetch::prefetch;
use super::record::RECORD_MAX;

/// Buckets in a segment.
pub const BUCKETS: usize = 32;
/// Most items in a segment: it splits before it gets more. At more than nine tenths of its places, buckets
/// overflow too often; at much less, the empty places cost too much memory.
pub const ITEMS_MAX: usize = BUCKETS * PLACES * 9 / 10;
/// Most blocks of a segment: a [`Spot`] cannot name more.
pub const BLOCKS_MAX: usize = 1 << (16 - OFFSET_BITS);
/// Bits of a spot that are the offset in the block; the other bits name the block.
const OFFSET_BITS: u32 = 11;
/// Most blocks that new records may fill. Fewer than [`BLOCKS_MAX`], because the same records, packed again
/// in another order, may take a few blocks more: each block may lose up to [`RECORD_MAX`] bytes at its end.
const BLOCKS_FILLED_MAX: usize = 26;
/// Most bytes of records in a segment. In whatever order they are packed, one block stays unused.
pub const LIVE_MAX: usize = BLOCKS_FILLED_MAX * BLOCK_BYTES;
const _: () = {
    assert!(BLOCK_BYTES <= 1 << OFFSET_BITS);
    assert!(LIVE_MAX < (BLOCKS_MAX - 1) * (BLOCK_BYTES - RECORD_MAX));
};

/// Where a record lies: in which block of its segment, and at which offset in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot(u16);

impl Spot {
    /// The block's position in the segment's list of blocks.
    #[inline]
    pub fn block(self) -> usize {
        usize::from(self.0 >> OFFSET_BITS)
    }

    /// The offset in the block at which the record begins, in bytes.
    #[inline]
    pub fn offset(self) -> usize {
        usize::from(self.0 & ((1 << OFFSET_BITS) - 1))
    }
}

/// A place in a segment's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    bucket: u8,
    place: u8,
}

/// The items whose hashes begin with one prefix.
///
/// The order of the fields matters: the counts and the front of the block list share one line of memory, so
/// that a write reads both at once.
#[derive(Debug)]
#[repr(C)]
pub struct Segment {
    buckets: [Bucket; BUCKETS],
    /// The first `depth` bits of a hash, which all items here share.
    pub prefix: u64,
    /// Number of bits in `prefix`.
    pub depth: u32,
    /// Bytes of the items' records.
    live: u32,
    /// Bytes of old records that belong to no item any more.
    dead: u32,
    /// Number of items.
    items: u16,
    /// Bytes of the last block that records have filled.
    tail: u16,
    /// Number of blocks in use.
    block_count: u8,
    /// The numbers of the blocks; the first `block_count` of them are in use.
    blocks: [u32; BLOCKS_MAX],
    /// Its position in the agenda, or [`NOWHERE`].
    pub agenda: u32,
    /// When the sweep looks at its keys next, in Unix milliseconds; [`NEVER`] if none expires.
    pub due_ms: u64,
}

impl Segment {
    /// An empty segment for the hashes whose first `depth` bits are `prefix`.
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
            agenda: NOWHERE,
            due_ms: NEVER,
        }
    }

    /// An empty segment for the hashes whose first `depth` bits are `prefix`, in the place of this one in the
    /// agenda.
    pub fn successor(&self, prefix: u64, depth: u32) -> Segment {
        Segment { agenda: self.agenda, due_ms: self.due_ms, ..Segment::new(prefix, depth) }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        usize::from(self.items)
    }

    /// Bytes of the items' records.
    pub fn live(&self) -> usize {
        self.live as usize
    }

    /// Bytes of old records that belong to no item any more.
    pub fn dead(&self) -> usize {
        self.dead as usize
    }

    /// The numbers of its blocks.
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

    /// Finds the item with this hash for whose record `is_it` returns true.
    #[inline(always)]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(Spot) -> bool) -> Option<(Cell, Spot)> {
        let home = home(hash);
        let found = self.find_in(home, hash, &mut is_it);
        // Nearly every item is in its home bucket.
        if found.is_some() || self.buckets[home].reach() == 0 {
            found
        } else {
            self.find_farther(hash, is_it)
        }
    }

    /// Looks into the bucket `at` only.
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

    /// Looks into the buckets behind the home bucket. It is rarely needed, so it is not inlined: the code
    /// that looks into the home bucket stays short.
    #[inline(never)]
    fn find_farther(&self, hash: u64, mut is_it: impl FnMut(Spot) -> bool) -> Option<(Cell, Spot)> {
        let home = home(hash);
        let mut reached = 1..=self.buckets[home].reach();
        reached.find_map(|farther| self.find_in((home + farther) % BUCKETS, hash, &mut is_it))
    }

    /// Starts to fetch the memory that [`Segment::guess`] and [`Segment::block_of`] are going to read.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        prefetch(&self.buckets[home(hash)]);
        // The line of the counts with the first blocks, and the next line with more of the list. A segment
        // of small records has no more blocks than these two lines name.
        prefetch(&self.prefix);
        prefetch(&self.blocks[9]);
    }

    /// Where the record of an item with this hash probably lies. Looks at tags only, in the home bucket only.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<Spot> {
        let bucket = &self.buckets[home(hash)];
        bucket.places(tag(hash)).next().map(|place| Spot(bucket.spot(place)))
    }

    /// Adds an item to the index.
    ///
    /// # Panics
    /// If every place is taken. With fewer than [`ITEMS_MAX`] items there is a free one.
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

    /// Removes the item at `cell` from the index. Its record has `len` bytes, which are dead from now on.
    pub fn remove(&mut self, cell: Cell, len: usize) {
        self.buckets[usize::from(cell.bucket)].clear(usize::from(cell.place));
        self.items -= 1;
        self.forget(len);
    }

    /// Counts `len` bytes of a record as dead.
    #[inline]
    pub fn forget(&mut self, len: usize) {
        self.live -= len as u32;
        self.dead += len as u32;
    }

    /// The cells of all items, in the order of the index.
    pub fn cells(&self) -> impl Iterator<Item = Cell> + Clone + '_ {
        self.buckets.iter().enumerate().flat_map(|(at, bucket)| {
            bucket.used().map(move |place| Cell { bucket: at as u8, place: place as u8 })
        })
    }

    /// The cells of the items in bucket number `at`.
    pub fn bucket(&self, at: usize) -> impl Iterator<Item = Cell> + Clone + '_ {
        let used = self.buckets[at % BUCKETS].used();
        used.map(move |place| Cell { bucket: at as u8, place: place as u8 })
    }

    /// The cell of the `nth` item in the order of the index.
    pub fn nth(&self, nth: usize) -> Option<Cell> {
        self.cells().nth(nth)
    }

    /// Takes room for a record of `len` bytes from the last block; `None` if the block has too little left.
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

    /// Adds block `number`, which is empty. [`Segment::allot`] takes room from it from now on.
    pub fn add_block(&mut self, number: u32) {
        self.blocks[usize::from(self.block_count)] = number;
        self.block_count += 1;
        self.tail = 0;
    }

    /// Notes that its block `from` now has the number `to`.
    pub fn renumber_block(&mut self, from: u32, to: u32) {
        for block in &mut self.blocks[..usize::from(self.block_count)] {
            if *block == from {
                *block = to;
            }
        }
    }

    /// True if so many bytes are dead that the records should be packed again before the segment gets another
    /// block. The limit is an eighth of the capacity: so packing copies at most eight bytes for each dead
    /// one.
    pub fn is_littered(&self) -> bool {
        self.dead > 0 && self.dead as usize * 8 >= self.capacity()
    }

    /// True if the last block has room for a record of `len` bytes.
    #[inline]
    pub fn has_tail(&self, len: usize) -> bool {
        self.block_count > 0 && usize::from(self.tail) + len <= BLOCK_BYTES
    }

    /// True if `count` more items, whose records have `bytes` bytes together, surely fit even without packing
    /// or splitting: new blocks are enough.
    pub fn surely_takes(&self, count: usize, bytes: usize) -> bool {
        self.takes(count, bytes) && self.blocks().len() + blocks_for(bytes) <= BLOCKS_FILLED_MAX
    }

    /// Most blocks that its records need when they are packed again, even into two segments.
    pub fn blocks_packed(&self) -> usize {
        let full = self.blocks().len();
        full + full.div_ceil(6) + 2
    }

    /// True if the segment's limits allow `count` more items whose records have `bytes` bytes together. Its
    /// blocks may have to be packed again for them.
    #[inline]
    pub fn takes(&self, count: usize, bytes: usize) -> bool {
        self.len() + count <= ITEMS_MAX && self.live() + bytes <= LIVE_MAX
    }

    /// True if the segment has fewer blocks than a [`Spot`] can name.
    pub fn has_block_left(&self) -> bool {
        usize::from(self.block_count) < BLOCKS_MAX
    }

    /// True if a new record may take a new block, however many bytes are dead.
    pub fn may_need_block(&self) -> bool {
        usize::from(self.block_count) < BLOCKS_FILLED_MAX
    }

    /// True if a new record should take a new block: few enough bytes are dead.
    pub fn may_add_block(&self) -> bool {
        usize::from(self.block_count) < BLOCKS_FILLED_MAX && !self.is_littered()
    }

    /// True if packing the records again gives back enough memory for the work: at least one block and a
    /// quarter of the capacity, or everything if no item is left.
    pub fn is_worth_packing(&self) -> bool {
        let dead = self.dead as usize;
        self.block_count > 0 && (self.items == 0 || dead >= BLOCK_BYTES && dead * 4 >= self.capacity())
    }

    /// Bytes for records in its blocks, used or not.
    pub fn capacity(&self) -> usize {
        usize::from(self.block_count) * BLOCK_BYTES
    }
}

/// Most blocks that records of `bytes` bytes together can fill.
pub fn blocks_for(bytes: usize) -> usize {
    bytes / (BLOCK_BYTES - RECORD_MAX) + 1
}

/// The position of the bucket in which an item with this hash belongs.
#[inline]
fn home(hash: u64) -> usize {
    (hash >> 16) as usize % BUCKETS
}

/// The tag of an item with this hash. Never 0, which marks an empty place.
#[inline]
fn tag(hash: u64) -> u16 {
    (hash as u16).max(1)
}
