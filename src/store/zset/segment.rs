//! A segment of the index: a few hundred items whose positions share their first bits.
//!
//! Some bits of an item's hash choose its home among the buckets. If the home is full, the item goes to the
//! next bucket with a free place. The home keeps its reach: how far away the farthest of its items went. A
//! search stops there.

use super::arena::Handle;
use super::bucket::{Bucket, PLACES};
use crate::store::prefetch::prefetch;

/// Buckets in a segment.
const BUCKETS: usize = 32;
/// Most items in a segment. Above nine tenths of its places, too many items miss their home.
pub const ITEMS_MAX: usize = BUCKETS * PLACES * 9 / 10;

/// The items whose positions begin with one prefix.
#[derive(Debug)]
#[repr(C)]
pub struct Segment {
    buckets: [Bucket; BUCKETS],
    /// The first `depth` bits of a position, which all items here share.
    pub prefix: u64,
    /// Number of bits in `prefix`.
    pub depth: u32,
    /// Number of items.
    items: u32,
}

/// A place in a segment.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    bucket: usize,
    place: usize,
}

impl Segment {
    /// An empty segment.
    pub fn new(prefix: u64, depth: u32) -> Segment {
        Segment { buckets: [Bucket::EMPTY; BUCKETS], prefix, depth, items: 0 }
    }

    /// Number of items.
    #[inline]
    pub fn len(&self) -> usize {
        self.items as usize
    }

    /// Finds the item with this hash for which `is_it` returns true.
    #[inline]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(Handle) -> bool) -> Option<(Cell, Handle)> {
        let home = home(hash);
        let reach = self.buckets[home].reach();
        let mut farther = 0;
        loop {
            let at = (home + farther) % BUCKETS;
            let bucket = &self.buckets[at];
            for place in bucket.places(tag(hash)) {
                let handle = bucket.handle(place);
                if is_it(handle) {
                    return Some((Cell { bucket: at, place }, handle));
                }
            }
            if farther >= reach {
                return None;
            }
            farther += 1;
        }
    }

    /// Starts to fetch the memory that [`Segment::guess`] is going to read.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        prefetch(&self.buckets[home(hash)]);
    }

    /// The handle of an item that probably has this hash. Looks at tags only, in the home bucket only.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<Handle> {
        let bucket = &self.buckets[home(hash)];
        bucket.places(tag(hash)).next().map(|place| bucket.handle(place))
    }

    /// Adds an item.
    ///
    /// # Panics
    /// If all places are taken. With at most [`ITEMS_MAX`] items there is a free one.
    pub fn insert(&mut self, hash: u64, handle: Handle) {
        let home = home(hash);
        let free = (0..BUCKETS).find_map(|farther| {
            let at = (home + farther) % BUCKETS;
            Some((farther, at, self.buckets[at].free()?))
        });
        let (farther, at, place) = free.expect("a segment splits before it is full");
        self.buckets[at].set(place, tag(hash), handle);
        self.buckets[home].extend_reach(farther);
        self.items += 1;
    }

    /// Removes the item at `cell`.
    pub fn remove(&mut self, cell: Cell) {
        self.buckets[cell.bucket].clear(cell.place);
        self.items -= 1;
    }

    /// Replaces the handle at `cell`.
    pub fn replace(&mut self, cell: Cell, hash: u64, handle: Handle) {
        self.buckets[cell.bucket].set(cell.place, tag(hash), handle);
    }

    /// The handles of all items.
    pub fn handles(&self) -> impl Iterator<Item = Handle> + '_ {
        self.buckets.iter().flat_map(|bucket| bucket.used().map(|place| bucket.handle(place)))
    }
}

/// The number of the bucket that an item with this hash goes to first.
#[inline]
fn home(hash: u64) -> usize {
    hash as usize % BUCKETS
}

/// The tag of an item with this hash. Never 0.
#[inline]
fn tag(hash: u64) -> u8 {
    ((hash / BUCKETS as u64) as u8).max(1)
}
