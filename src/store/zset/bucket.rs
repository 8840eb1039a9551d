//! A bucket: one line of memory of the index. It has twelve places. Each holds a tag of eight bits of an
//! item's hash, and the handle of the item.

use super::arena::{Handle, NO_ITEM};

/// Places in a bucket.
pub const PLACES: usize = 12;
/// The lane after the last place. It holds the bucket's reach instead of a tag.
const REACH: usize = PLACES;
/// The lowest bit of each of the sixteen lanes.
const LOWS: u128 = u128::MAX / 0xff;
/// The highest bit of each lane.
const TOPS: u128 = LOWS << 7;
/// All lanes that belong to places.
const ALL: u128 = (1 << (8 * PLACES)) - 1;

/// The tags and handles of up to twelve items. Tag 0 marks an empty place.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Bucket {
    tags: [u8; 16],
    handles: [Handle; PLACES],
}

impl Bucket {
    /// A bucket without items.
    pub const EMPTY: Bucket = Bucket { tags: [0; 16], handles: [NO_ITEM; PLACES] };

    /// The places that have this tag.
    #[inline]
    pub fn places(&self, tag: u8) -> Places {
        let word = u128::from_le_bytes(self.tags) ^ (LOWS * u128::from(tag));
        // Marks the lanes that are zero.
        Places(!((word & !TOPS).wrapping_add(!TOPS) | word) & TOPS & ALL)
    }

    /// The places in use.
    #[inline]
    pub fn used(&self) -> Places {
        Places(!self.places(0).0 & TOPS & ALL)
    }

    /// An empty place, if there is one.
    #[inline]
    pub fn free(&self) -> Option<usize> {
        self.places(0).next()
    }

    /// The handle at `place`.
    #[inline]
    pub fn handle(&self, place: usize) -> Handle {
        self.handles[place]
    }

    /// Writes an item's tag and handle to `place`.
    #[inline]
    pub fn set(&mut self, place: usize, tag: u8, handle: Handle) {
        self.tags[place] = tag;
        self.handles[place] = handle;
    }

    /// Empties `place`.
    #[inline]
    pub fn clear(&mut self, place: usize) {
        self.tags[place] = 0;
    }

    /// The reach: an item whose home is this bucket is at most this many buckets farther on.
    #[inline]
    pub fn reach(&self) -> usize {
        usize::from(self.tags[REACH])
    }

    /// Makes the reach at least `farther`.
    #[inline]
    pub fn extend_reach(&mut self, farther: usize) {
        self.tags[REACH] = self.tags[REACH].max(farther as u8);
    }
}

/// A set of places in a bucket: bit 8 n + 7 stands for place n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u128);

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let place = (self.0 != 0).then(|| self.0.trailing_zeros() as usize / 8);
        self.0 &= self.0.wrapping_sub(1);
        place
    }
}
