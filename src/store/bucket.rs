//! A bucket: one cache line of a segment's index. It has fifteen places. Each holds a tag of 16 bits of an
//! item's hash, and the spot where the item's record lies.

/// Places in a bucket.
pub const PLACES: usize = 15;
/// Tags and spots that the cache line has room for. One of each is not a place.
const LINE: usize = PLACES + 1;
/// A word of 64 bits has four lanes of 16 bits. These are the lowest bits of the lanes.
const LOWS: u64 = 0x0001_0001_0001_0001;
/// The highest bits of the four lanes.
const TOPS: u64 = LOWS << 15;

/// The tags and spots of up to fifteen items. Tag 0 marks an empty place.
///
/// A word holds four tags, which are compared at once. Tag n is in word n % 4. So the results of the four
/// words can be shifted into one word, in the order of the places.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Bucket {
    /// The last lane of the last word is always 0; it belongs to no place.
    tags: [u64; 4],
    /// The spots of the places. The last element is no spot but the bucket's reach.
    spots: [u16; LINE],
}

impl Bucket {
    /// A bucket without items.
    pub const EMPTY: Bucket = Bucket { tags: [0; 4], spots: [0; LINE] };

    /// The places that have this tag.
    #[inline]
    pub fn places(&self, tag: u16) -> Places {
        let wanted = LOWS * u64::from(tag);
        let [a, b, c, d] = self.tags.map(|word| zero_lanes(word ^ wanted));
        Places(a >> 15 | b >> 11 | c >> 7 | d >> 3)
    }

    /// The places in use.
    pub fn used(&self) -> Places {
        const ALL: u64 = (1 << (4 * PLACES)) - 1;
        Places(!self.places(0).0 & 0x1111_1111_1111_1111 & ALL)
    }

    /// An empty place, if there is one.
    #[inline]
    pub fn free(&self) -> Option<usize> {
        self.places(0).next().filter(|place| *place < PLACES)
    }

    /// The spot at `place`.
    #[inline]
    pub fn spot(&self, place: usize) -> u16 {
        self.spots[place % LINE]
    }

    /// Writes an item's tag and spot to `place`.
    #[inline]
    pub fn set(&mut self, place: usize, tag: u16, spot: u16) {
        self.clear(place);
        self.tags[place % 4] |= u64::from(tag) << (place / 4 * 16);
        self.spots[place] = spot;
    }

    /// Empties `place`.
    pub fn clear(&mut self, place: usize) {
        self.tags[place % 4] &= !(0xffff << (place / 4 * 16));
    }

    /// The reach: an item whose home is this bucket is at most this many buckets farther on.
    #[inline]
    pub fn reach(&self) -> usize {
        usize::from(self.spots[PLACES])
    }

    /// Makes the reach at least `farther`, for an item whose home is here and that lies that many buckets on.
    #[inline]
    pub fn extend_reach(&mut self, farther: usize) {
        self.spots[PLACES] = self.spots[PLACES].max(farther as u16);
    }
}

/// A set of places in a bucket: bit 4 n stands for place n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u64);

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let place = (self.0 != 0).then(|| self.0.trailing_zeros() as usize / 4);
        self.0 &= self.0.wrapping_sub(1);
        place
    }
}

/// Marks the lanes of `word` that are zero: their highest bits are set in the result, all other bits are 0.
#[inline]
fn zero_lanes(word: u64) -> u64 {
    !((word & !TOPS).wrapping_add(!TOPS) | word) & TOPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_is_found_in_its_places_and_nowhere_else() {
        let values = [0, 1, 2, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff];
        for round in 0..2_000_usize {
            let mut bucket = Bucket::EMPTY;
            let tags: [u16; PLACES] =
                std::array::from_fn(|at| values[((round * (at + 7)) >> 3) % values.len()]);
            for (place, tag) in tags.into_iter().enumerate() {
                bucket.set(place, 0xabc, 0);
                bucket.set(place, tag, 0);
            }
            for tag in values.into_iter().skip(1).chain([5]) {
                let expected = (0..PLACES).filter(|place| tags[*place] == tag);
                assert!(bucket.places(tag).eq(expected), "{tags:?} {tag}");
            }
            assert!(bucket.used().eq((0..PLACES).filter(|place| tags[*place] != 0)), "{tags:?}");
            assert_eq!(bucket.free(), tags.iter().position(|tag| *tag == 0));
        }
    }

    #[test]
    fn a_full_bucket_has_no_free_place_and_an_emptied_one_does() {
        let mut bucket = Bucket::EMPTY;
        for place in 0..PLACES {
            bucket.set(place, 7, place as u16);
        }
        assert_eq!((bucket.free(), bucket.used().count(), bucket.places(7).count()), (None, PLACES, PLACES));
        bucket.clear(4);
        assert_eq!((bucket.free(), bucket.spot(5)), (Some(4), 5));
    }
}
