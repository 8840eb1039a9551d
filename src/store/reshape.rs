//! How the table grows and shrinks: piece by piece, never more than two segments at a time.
//!
//! A full segment splits by the next bit of the hash; two halves that have become small merge again.
//! Each of these steps packs the live records into new blocks and frees the old blocks, so no dead record survives it.

use super::block::{BLOCK_BYTES, Block};
use super::record::{Draft, Record};
use super::segment::{BLOCKS_MAX, ITEMS_MAX, Segment, Spot};
use super::table::Table;

/// Two halves merge when they have no more items than this together. It is far less than a segment takes, so a few keys
/// that come and go do not make it split again. It is enough that the segments of a shrunken table are not mostly
/// empty.
const MERGED_ITEMS_MAX: usize = ITEMS_MAX * 5 / 8;
/// Nor do they merge if their records fill more blocks than this.
const MERGED_BLOCKS_MAX: usize = BLOCKS_MAX / 2;

impl Table {
    /// Makes room for one more record of `len` bytes in a segment that has none.
    pub(super) fn make_room(&mut self, number: u32, len: usize) {
        let segment = self.segments.get(number);
        let (takes, packed) = (segment.takes(1, len), segment.blocks_packed());
        if takes && segment.is_littered() && self.blocks.try_reserve(packed).is_ok() {
            self.pack(number);
        } else if takes && segment.may_need_block() {
            self.add_block(number);
        } else if !takes || segment.depth < self.depth_max(0) {
            self.split(number);
        } else if segment.has_block_left() {
            self.add_block(number);
        } else {
            self.pack(number);
        }
    }

    /// Adds a block to segment `number`.
    pub(super) fn add_block(&mut self, number: u32) {
        let block = self.blocks.push(Block { owner: number, bytes: [0; BLOCK_BYTES] });
        self.segments.get_mut(number).add_block(block);
    }

    /// Gives back what a removal has left over. Does without if there is no memory for it.
    pub(super) fn shrink(&mut self, mut number: u32) {
        let segment = self.segments.get(number);
        let pack = segment.is_worth_packing();
        let blocks = segment.blocks_packed();
        if pack && self.blocks.try_reserve(blocks).is_ok() {
            self.pack(number);
        }
        while let Some(merged) = self.merge(number) {
            number = merged;
        }
    }

    fn pack(&mut self, number: u32) {
        let segment = self.segments.get_mut(number);
        let fresh = Segment::new(segment.prefix, segment.depth);
        let old = std::mem::replace(segment, fresh);
        self.move_items(&old, |_| number);
        self.free_blocks(&[old]);
    }

    fn split(&mut self, number: u32) {
        let segment = self.segments.get_mut(number);
        let (prefix, depth) = (segment.prefix, segment.depth);
        let low = Segment::new(prefix << 1, depth + 1);
        let old = std::mem::replace(segment, low);
        let high = self.segments.push(Segment::new(prefix << 1 | 1, depth + 1));
        self.directory.split(prefix, depth, high);
        self.move_items(&old, |hash| if hash << depth >> 63 == 0 { number } else { high });
        self.free_blocks(&[old]);
    }

    /// Merges a segment with its other half, if both are whole and small; returns the result.
    fn merge(&mut self, number: u32) -> Option<u32> {
        let segment = self.segments.get(number);
        let (prefix, depth) = (segment.prefix, segment.depth);
        if depth == 0 {
            return None;
        }
        let other = self.directory.segment((prefix ^ 1) << (64 - depth));
        let sibling = self.segments.get(other);
        let blocks = segment.blocks().len() + sibling.blocks().len();
        if sibling.depth != depth
            || segment.len() + sibling.len() > MERGED_ITEMS_MAX
            || blocks > MERGED_BLOCKS_MAX
            || self.blocks.try_reserve(segment.blocks_packed() + sibling.blocks_packed()).is_err()
        {
            return None;
        }
        let whole = Segment::new(prefix >> 1, depth - 1);
        let one = std::mem::replace(self.segments.get_mut(number), whole);
        let two = std::mem::replace(self.segments.get_mut(other), Segment::new(0, 0));
        self.directory.merge(prefix >> 1, depth, number);
        self.move_items(&one, |_| number);
        self.move_items(&two, |_| number);
        self.free_blocks(&[one, two]);
        Some(self.free_segment(other, number))
    }

    /// Copies all items of `old`, which is no longer in the table, to the segments that `target`
    /// says.
    fn move_items(&mut self, old: &Segment, target: impl Fn(u64) -> u32) {
        for cell in old.cells() {
            let record = self.record_at(old, old.spot(cell));
            let hash = self.hash_of(record);
            let copy = Draft::copy(record);
            let number = target(hash);
            let spot = self.pack_record(number, copy.record());
            self.segments.get_mut(number).insert(hash, spot);
        }
    }

    fn pack_record(&mut self, number: u32, record: Record<'_>) -> Spot {
        let bytes = record.bytes();
        let spot = self.segments.get_mut(number).allot(bytes.len()).unwrap_or_else(|| {
            self.add_block(number);
            self.segments.get_mut(number).allot(bytes.len()).expect("a block takes any record")
        });
        let block = self.segments.get(number).block_of(spot);
        self.blocks.get_mut(block).bytes[spot.offset()..][..bytes.len()].copy_from_slice(bytes);
        spot
    }

    /// Frees the blocks of segments that are no longer in the table.
    fn free_blocks(&mut self, old: &[Segment]) {
        let mut numbers: Vec<u32> = old.iter().flat_map(|segment| segment.blocks()).copied().collect();
        // The highest first, so that the last block, which takes over the number, is never one of these.
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        for number in numbers {
            self.blocks.swap_remove(number);
            let last = self.blocks.len() as u32;
            if number != last {
                let owner = self.blocks.get(number).owner;
                self.segments.get_mut(owner).renumber_block(last, number);
            }
        }
    }

    /// Frees segment `number`; the last segment takes its number. Returns the number that segment `kept` has now.
    fn free_segment(&mut self, number: u32, kept: u32) -> u32 {
        self.segments.swap_remove(number);
        let last = self.segments.len() as u32;
        if number != last {
            let segment = self.segments.get(number);
            self.directory.fill(segment.prefix, segment.depth, number);
            for block in segment.blocks() {
                self.blocks.get_mut(*block).owner = number;
            }
        }
        if kept == last { number } else { kept }
    }
}
