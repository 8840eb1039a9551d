//! The index: it finds an item by the hash of its member.
//!
//! It uses extendible hashing. The first bits of an item's position select an entry of the
//! [directory](crate::store::directory), and the entry names a [segment](super::segment). A segment that is
//! full splits in two; two segments with few items merge.
//!
//! A position is the first 48 bits of the hash, stretched: at one end of the range positions are twice as far
//! apart as at the other. Without that, all segments would fill and split at the same time, and just after that
//! all would be half empty. With it, at any time some segments are half empty and others are nearly full.
//!
//! The memory for a split is reserved beforehand. It is reserved for hashes that are spread evenly. Should they
//! not be, an item whose segment is full and cannot split becomes a stray. Strays are searched one by one, but
//! with a seeded hash function there are none.

use super::arena::Handle;
use super::pieces::Pieces;
use super::segment::{ITEMS_MAX, Segment};
use crate::base::{OutOfMemory, memory};
use crate::store::directory::{DEPTH_MAX, Directory};

/// Number of bits of a position.
pub const POSITION_BITS: u32 = 48;
/// Number of bits of a hash that its position leaves out.
const IGNORED: u32 = 64 - POSITION_BITS;
/// The number behind the last position.
pub const POSITIONS_END: u64 = 1 << POSITION_BITS;
/// Two segments merge when they have at most this many items together.
const MERGED_MAX: usize = ITEMS_MAX * 7 / 8;
/// A segment looks whether it can merge each time that it has lost this many items.
const MERGE_INTERVAL: usize = 8;
/// No segment splits if the directory would then have more entries than this for each segment.
const ENTRIES_PER_SEGMENT: usize = 64;
/// Room for this many strays is kept.
const STRAYS_KEPT: usize = 64;

/// Items, found by the hashes of their members.
#[derive(Debug)]
pub struct Index {
    directory: Directory,
    segments: Pieces<Segment>,
    /// Items that no segment has.
    strays: Vec<Handle>,
}

/// The position of an item with this hash. A higher hash never has a lower position.
#[inline]
pub fn position(hash: u64) -> u64 {
    let first = hash >> IGNORED;
    let bend = (u128::from(first) * u128::from(POSITIONS_END - first)) >> POSITION_BITS;
    // About a third of the bend makes the slope go from 1.34 down to 0.66.
    first + ((bend as u64 * 87) >> 8)
}

impl Index {
    /// An index without items.
    pub fn new() -> Index {
        Index { directory: Directory::new(), segments: Pieces::new(), strays: Vec::new() }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.directory.memory() + self.segments.memory() + self.strays.capacity() * size_of::<Handle>()
    }

    /// Reserves room for `items` more items.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn try_reserve(&mut self, items: usize) -> Result<(), OutOfMemory> {
        if self.strays.is_empty() && self.strays.capacity() > STRAYS_KEPT.max(items) {
            self.strays = Vec::new();
        }
        memory::reserve(&mut self.strays, items)?;
        // Each segment may be full; after a split it takes more than a hundred items before it splits again.
        let segments = (items + 1).min(self.segments.len() + 1 + items / 64);
        self.segments.try_reserve(segments)?;
        self.directory.try_reserve(self.segments.len() + segments, 0)
    }

    #[inline]
    fn segment(&self, hash: u64) -> u32 {
        self.directory.segment(position(hash) << IGNORED)
    }

    /// Finds the item with this hash for which `is_it` returns true.
    #[inline]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(Handle) -> bool) -> Option<Handle> {
        if self.segments.len() == 0 {
            return None;
        }
        match self.segments.get(self.segment(hash)).find(hash, &mut is_it) {
            Some((_, handle)) => Some(handle),
            None if self.strays.is_empty() => None,
            None => self.strays.iter().copied().find(|stray| is_it(*stray)),
        }
    }

    /// Starts to fetch the memory that [`Index::guess`] is going to read.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        if self.segments.len() > 0 {
            self.segments.get(self.segment(hash)).prefetch(hash);
        }
    }

    /// An item that probably has this hash.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<Handle> {
        if self.segments.len() == 0 {
            return None;
        }
        self.segments.get(self.segment(hash)).guess(hash)
    }

    /// Adds an item. `hash_of` returns the hash of the member of an item in the index.
    pub fn insert(&mut self, hash: u64, handle: Handle, hash_of: impl Fn(Handle) -> u64) {
        if self.segments.len() == 0 {
            self.segments.push(Segment::new(0, 0));
        }
        while self.segments.get(self.segment(hash)).len() == ITEMS_MAX {
            let number = self.segment(hash);
            if !self.can_split(self.segments.get(number).depth) {
                self.strays.push(handle);
                return;
            }
            self.split(number, &hash_of);
        }
        let number = self.segment(hash);
        self.segments.get_mut(number).insert(hash, handle);
    }

    /// True if a segment of this depth can split without asking for memory.
    fn can_split(&self, depth: u32) -> bool {
        let entries = self.directory.entries().len();
        let room = self.directory.memory() / size_of::<u32>();
        let doubled = 2 * entries <= room && 2 * entries <= ENTRIES_PER_SEGMENT * self.segments.len();
        depth < DEPTH_MAX && (depth < entries.ilog2() || doubled)
    }

    fn split(&mut self, number: u32, hash_of: impl Fn(Handle) -> u64) {
        let segment = self.segments.get_mut(number);
        let (prefix, depth) = (segment.prefix, segment.depth);
        let old = std::mem::replace(segment, Segment::new(prefix << 1, depth + 1));
        let high = self.segments.push(Segment::new(prefix << 1 | 1, depth + 1));
        self.directory.split(prefix, depth, high);
        for handle in old.handles() {
            let hash = hash_of(handle);
            let number = self.segment(hash);
            self.segments.get_mut(number).insert(hash, handle);
        }
    }

    /// Removes the item `handle`, which has this hash.
    pub fn remove(&mut self, hash: u64, handle: Handle, hash_of: impl Fn(Handle) -> u64) {
        let number = self.segment(hash);
        let segment = self.segments.get_mut(number);
        if let Some((cell, _)) = segment.find(hash, |other| other == handle) {
            segment.remove(cell);
            let len = segment.len();
            if len < MERGED_MAX && len.is_multiple_of(MERGE_INTERVAL) && self.segments.len() > 1 {
                self.merge(number, hash_of);
            }
        } else {
            self.strays.retain(|stray| *stray != handle);
        }
    }

    /// Merges a segment with the other half of the segment that it came from, if they have few items.
    fn merge(&mut self, number: u32, hash_of: impl Fn(Handle) -> u64) {
        let segment = self.segments.get(number);
        let (prefix, depth) = (segment.prefix, segment.depth);
        if depth == 0 {
            return;
        }
        let other = self.directory.segment((prefix ^ 1) << (64 - depth));
        let twin = self.segments.get(other);
        if twin.depth != depth || twin.len() + segment.len() > MERGED_MAX {
            return;
        }
        let gone = self.segments.swap_remove(other);
        let last = self.segments.len() as u32;
        if last != other {
            // The last segment has got the number of the one that is gone.
            let moved = self.segments.get(other);
            self.directory.fill(moved.prefix, moved.depth, other);
        }
        let number = if number == last { other } else { number };
        let merged = self.segments.get_mut(number);
        (merged.prefix, merged.depth) = (prefix >> 1, depth - 1);
        for handle in gone.handles() {
            merged.insert(hash_of(handle), handle);
        }
        self.directory.merge(prefix >> 1, depth, number);
    }

    /// Notes that an item with this hash has the handle `new` instead of `old`.
    pub fn replace(&mut self, hash: u64, old: Handle, new: Handle) {
        let number = self.segment(hash);
        let segment = self.segments.get_mut(number);
        if let Some((cell, _)) = segment.find(hash, |handle| handle == old) {
            segment.replace(cell, hash, new);
        } else if let Some(stray) = self.strays.iter_mut().find(|stray| **stray == old) {
            *stray = new;
        }
    }

    /// The items whose positions are in the same segment as `start`, with strays from `start` on to the end of
    /// the segment. Also returns that end.
    pub fn rest_of_segment(&self, start: u64) -> (impl Iterator<Item = Handle> + '_, u64) {
        let segment =
            (self.segments.len() > 0).then(|| self.segments.get(self.directory.segment(start << IGNORED)));
        let end = segment.map_or(POSITIONS_END, |it| (it.prefix + 1) << (POSITION_BITS - it.depth));
        let handles = segment.into_iter().flat_map(Segment::handles);
        (handles.chain(self.strays.iter().copied()), end)
    }

    /// Frees memory that is not likely to be used soon.
    #[inline]
    pub fn trim(&mut self) {
        self.segments.trim();
        if self.strays.capacity() > STRAYS_KEPT && self.strays.len() < self.strays.capacity() / 4 {
            self.strays.shrink_to(2 * self.strays.len());
        }
    }

    /// Frees some memory of a set that is no longer used. Returns false if none is left.
    pub fn free_piece(&mut self) -> bool {
        self.directory.free();
        self.strays = Vec::new();
        self.segments.pop_chunk()
    }
}
