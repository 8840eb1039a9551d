//! A tiered vector: a long sequence of parts, each of which has a number of elements. Lists and sets of integers keep
//! their elements in such parts.
//!
//! ```text
//! blocks   [ 9,000 elements ][ 12,000 elements ][ 8,500 elements ] ...
//!                 |
//! parts    [70][81][66][92] ...      up to PARTS_MAX in a block
//! ```
//!
//! A part is a small record that owns its elements elsewhere. The parts of a block lie next to each other, and so do
//! the blocks. So adding or removing a part moves at most one block of parts and the entries of the blocks, and an
//! element is found by its number with a short walk over both. Each block knows how many elements it has, how many
//! bytes its parts own, and the mark of its first part. The sequence is searched by mark where the marks ascend.
//!
//! No block is empty. The sums are exact after every change.

mod change;
#[cfg(test)]
mod tests;

/// Most parts in a block. A block of list nodes then takes 4 KiB.
const PARTS_MAX: usize = 128;

/// A part of the sequence.
#[allow(clippy::len_without_is_empty)] // a part without elements is removed
pub trait Part {
    /// What parts are searched by.
    type Mark: Copy + Ord + std::fmt::Debug;

    /// Number of its elements.
    fn len(&self) -> usize;

    /// Bytes that it owns, without the part itself.
    fn memory(&self) -> usize;

    /// What this part is found by.
    fn mark(&self) -> Self::Mark;
}

/// Where a part is. A position is valid until parts are added or removed. The default is the start of the sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    block: usize,
    part: usize,
}

impl Position {
    /// The place behind a part, to insert another one there.
    pub fn behind(at: Position) -> Position {
        Position { part: at.part + 1, ..at }
    }
}

/// Neighbouring parts, and sums over them.
#[derive(Debug)]
struct Block<T: Part> {
    parts: Vec<T>,
    /// Number of elements.
    len: usize,
    /// Bytes that the parts own.
    memory: usize,
    /// The mark of the first part.
    mark: T::Mark,
}

/// A sequence of parts.
#[derive(Debug)]
pub struct Tiered<T: Part> {
    blocks: Vec<Block<T>>,
    /// Number of elements.
    len: usize,
    /// Bytes of all blocks: their parts, and what these own.
    memory: usize,
}

impl<T: Part> Default for Tiered<T> {
    fn default() -> Tiered<T> {
        Tiered { blocks: Vec::new(), len: 0, memory: 0 }
    }
}

impl<T: Part> Block<T> {
    fn new(parts: Vec<T>) -> Block<T> {
        let len = parts.iter().map(Part::len).sum();
        let memory = parts.iter().map(Part::memory).sum();
        let mark = parts[0].mark();
        Block { parts, len, memory, mark }
    }

    /// All its bytes, without its entry.
    fn footprint(&self) -> usize {
        self.memory + self.parts.capacity() * size_of::<T>()
    }
}

impl<T: Part> Tiered<T> {
    /// Number of elements.
    #[allow(clippy::len_without_is_empty)] // nobody asks
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Memory held, in bytes.
    #[inline]
    pub fn memory(&self) -> usize {
        self.memory + self.blocks.capacity() * size_of::<Block<T>>()
    }

    /// True if there is exactly one part.
    #[inline]
    pub fn is_single(&self) -> bool {
        matches!(self.blocks.as_slice(), [block] if block.parts.len() == 1)
    }

    /// Most bytes that have to be allocated so that `parts` parts can be inserted, without what these own.
    pub fn growth(&self, parts: usize) -> usize {
        let halves = parts.min(self.blocks.len()).saturating_add(parts / (PARTS_MAX / 2) + 2);
        let blocks = self.blocks.len().saturating_add(halves);
        let entries = if blocks > self.blocks.capacity() {
            blocks.saturating_mul(2 * size_of::<Block<T>>())
        } else {
            0
        };
        halves.saturating_mul(PARTS_MAX * size_of::<T>()).saturating_add(entries)
    }

    /// The part at `at`.
    ///
    /// # Panics
    /// If there is no such part.
    #[inline]
    pub fn part(&self, at: Position) -> &T {
        &self.blocks[at.block].parts[at.part]
    }

    /// Changes the part at `at`. The part may end without elements; then the caller must remove it.
    ///
    /// # Panics
    /// If there is no such part.
    #[inline]
    pub fn update<R>(&mut self, at: Position, change: impl FnOnce(&mut T) -> R) -> R {
        let block = &mut self.blocks[at.block];
        let part = &mut block.parts[at.part];
        let (len, memory) = (part.len(), part.memory());
        let result = change(part);
        let (new_len, new_memory) = (part.len(), part.memory());
        if at.part == 0 {
            block.mark = part.mark();
        }
        block.len = block.len - len + new_len;
        block.memory = block.memory - memory + new_memory;
        self.len = self.len - len + new_len;
        self.memory = self.memory - memory + new_memory;
        result
    }

    /// The first part.
    #[inline]
    pub fn first(&self) -> Option<Position> {
        self.valid(Position { block: 0, part: 0 })
    }

    /// The last part.
    #[inline]
    pub fn last(&self) -> Option<Position> {
        let block = self.blocks.len().checked_sub(1)?;
        Some(Position { block, part: self.blocks[block].parts.len() - 1 })
    }

    /// The position behind the last part.
    pub fn end(&self) -> Position {
        let block = self.blocks.len().saturating_sub(1);
        Position { block, part: self.blocks.last().map_or(0, |block| block.parts.len()) }
    }

    /// The part at `at`, or the next one if `at` is the end of a block. `None` at the end of the sequence.
    pub fn valid(&self, at: Position) -> Option<Position> {
        match self.blocks.get(at.block) {
            Some(block) if at.part < block.parts.len() => Some(at),
            Some(_) if at.block + 1 < self.blocks.len() => Some(Position { block: at.block + 1, part: 0 }),
            _ => None,
        }
    }

    /// The part behind the one at `at`.
    pub fn next(&self, at: Position) -> Option<Position> {
        self.valid(Position::behind(at))
    }

    /// The part before `at`.
    pub fn previous(&self, at: Position) -> Option<Position> {
        if at.part > 0 {
            return Some(Position { part: at.part - 1, ..at });
        }
        let block = at.block.checked_sub(1)?;
        Some(Position { block, part: self.blocks[block].parts.len() - 1 })
    }

    /// The part that has element number `index`, and the number of the element within that part.
    pub fn locate(&self, index: usize) -> Option<(Position, usize)> {
        if index >= self.len {
            return None;
        }
        let (block, rest) = seek(&self.blocks, self.len, index, |block| block.len)?;
        let (part, rest) = seek(&self.blocks[block].parts, self.blocks[block].len, rest, Part::len)?;
        Some((Position { block, part }, rest))
    }

    /// The last part whose mark is at most `mark`, or the first part if there is none. Marks must ascend.
    #[inline]
    pub fn find(&self, mark: T::Mark) -> Option<Position> {
        let block = self.blocks.partition_point(|block| block.mark <= mark).saturating_sub(1);
        let parts = &self.blocks.get(block)?.parts;
        let part = parts.partition_point(|part| part.mark() <= mark).saturating_sub(1);
        Some(Position { block, part })
    }

    /// The parts from `at` to the last.
    pub fn iter_from(&self, at: Position) -> impl Iterator<Item = &T> + Clone {
        let (block, behind) = match self.blocks.get(at.block..) {
            Some([block, behind @ ..]) => (block.parts.get(at.part..).unwrap_or_default(), behind),
            _ => (&[][..], &[][..]),
        };
        block.iter().chain(behind.iter().flat_map(|block| &block.parts))
    }

    /// The parts before `at`, the last one first.
    pub fn iter_back_before(&self, at: Position) -> impl Iterator<Item = &T> {
        let (before, block) = match self.blocks.get(..=at.block) {
            Some([before @ .., block]) => (before, block.parts.get(..at.part).unwrap_or_default()),
            _ => (&[][..], &[][..]),
        };
        block.iter().rev().chain(before.iter().rev().flat_map(|block| block.parts.iter().rev()))
    }
}

/// Which of `items` has element number `index`, and the number of the element within that item. `total` is the number
/// of all elements. Counts from the nearer end.
fn seek<T>(items: &[T], total: usize, index: usize, len_of: impl Fn(&T) -> usize) -> Option<(usize, usize)> {
    if index < total / 2 {
        let mut before = 0;
        for (number, item) in items.iter().enumerate() {
            let end = before + len_of(item);
            if index < end {
                return Some((number, index - before));
            }
            before = end;
        }
    } else {
        let mut end = total;
        for (number, item) in items.iter().enumerate().rev() {
            let start = end - len_of(item);
            if index >= start {
                return Some((number, index - start));
            }
            end = start;
        }
    }
    None
}
