//! How the table grows and shrinks: piece by piece, one segment or two at a time.
//!
//! A full segment splits by the next bit of the hash. Two halves that have become small merge again. Each
//! time, and also when a segment is only packed, the records of live items are copied into new blocks, and
//! the old blocks are freed with all dead bytes in them.

use super::block::{BLOCK_BYTES, Block};
use super::record::{Draft, Record};
use super::segment::{BLOCKS_MAX, ITEMS_MAX, Segment, Spot};
use super::table::Table;

/// Two halves merge only if they have no more items than this together. It is well below the limit of a
/// segment: a few keys that come and go must not make it split again at once. It is not much lower: otherwise
/// most places of a table that has shrunk would be empty.
const MERGED_ITEMS_MAX: usize = ITEMS_MAX * 5 / 8;
/// Two halves merge only if they have no more blocks than this together.
const MERGED_BLOCKS_MAX: usize = BLOCKS_MAX / 2;

impl Table {
    /// Makes room in segment `number` for one more record of `len` bytes, or takes a step towards it.
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

    /// Packs or merges segment `number` if a removal has made that worth while. Does nothing if there is no
    /// memory for the new blocks.
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

    /// Packs segment `number` if that gives back at least a block, and if there is memory for it.
    pub(super) fn pack_littered(&mut self, number: u32) {
        let segment = self.segments.get(number);
        let blocks = segment.blocks_packed();
        if segment.dead() >= BLOCK_BYTES && self.blocks.try_reserve(blocks).is_ok() {
            self.pack(number);
        }
    }

    /// Copies the records of segment `number` into new blocks, without gaps.
    fn pack(&mut self, number: u32) {
        let segment = self.segments.get_mut(number);
        let fresh = segment.successor(segment.prefix, segment.depth);
        let old = std::mem::replace(segment, fresh);
        self.move_items(&old, |_| number);
        self.free_blocks(&[old]);
    }

    /// Splits segment `number` in two: it keeps the lower half of its hashes, a new segment gets the upper
    /// half.
    fn split(&mut self, number: u32) {
        let segment = self.segments.get_mut(number);
        let (prefix, depth) = (segment.prefix, segment.depth);
        let (due_ms, low) = (segment.due_ms, segment.successor(prefix << 1, depth + 1));
        let old = std::mem::replace(segment, low);
        let high = self.segments.push(Segment::new(prefix << 1 | 1, depth + 1));
        self.agenda.hasten(&mut self.segments, high, due_ms);
        self.directory.split(prefix, depth, high);
        self.move_items(&old, |hash| if hash << depth >> 63 == 0 { number } else { high });
        self.free_blocks(&[old]);
    }

    /// Merges segment `number` with its other half, if that has not split again and both are small. Returns
    /// the number of the merged segment.
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
        let due_ms = sibling.due_ms;
        self.agenda.hasten(&mut self.segments, number, due_ms);
        self.agenda.remove(&mut self.segments, other);
        let whole = self.segments.get(number).successor(prefix >> 1, depth - 1);
        let one = std::mem::replace(self.segments.get_mut(number), whole);
        let two = std::mem::replace(self.segments.get_mut(other), Segment::new(0, 0));
        self.directory.merge(prefix >> 1, depth, number);
        self.move_items(&one, |_| number);
        self.move_items(&two, |_| number);
        self.free_blocks(&[one, two]);
        Some(self.free_segment(other, number))
    }

    /// Copies all items of `old`, which the table no longer has. `target` says which segment gets an item, by
    /// the hash of its key.
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

    /// Copies a record into the last block of segment `number`, or into a new one.
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

    /// Frees the blocks of the segments `old`, which the table no longer has.
    fn free_blocks(&mut self, old: &[Segment]) {
        let mut numbers: Vec<u32> = old.iter().flat_map(|segment| segment.blocks()).copied().collect();
        // The highest number first. The last block takes over the number of the freed one, and it must not
        // itself be a block that is still to be freed.
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

    /// Frees segment `number`; the last segment gets its number. Returns the number that segment `kept` has
    /// after that.
    fn free_segment(&mut self, number: u32, kept: u32) -> u32 {
        self.segments.swap_remove(number);
        let last = self.segments.len() as u32;
        if number != last {
            let segment = self.segments.get(number);
            self.directory.fill(segment.prefix, segment.depth, number);
            self.agenda.renumber(segment.agenda, number);
            for block in segment.blocks() {
                self.blocks.get_mut(*block).owner = number;
            }
        }
        if kept == last { number } else { kept }
    }
}
