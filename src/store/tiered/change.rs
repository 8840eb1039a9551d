//! How a tiered vector gains and loses parts, and how its memory is freed.
//!
//! A full block is split in half when a part must go into its middle. When parts are added at an end, a new block
//! begins instead, so the blocks of a growing sequence are full. Blocks that have lost most of their parts are joined
//! with a neighbour. That takes memory for a moment; if there is none, they stay as they are.

use super::super::pieces;
use super::{Block, PARTS_MAX, Part, Position, Tiered};
use crate::base::{OutOfMemory, memory};

/// Two neighbouring blocks with no more parts than this become one.
const JOINED_MAX: usize = PARTS_MAX / 2;
/// Room in a new block, in parts.
const PARTS_MIN: usize = 4;
/// Most parts that one call frees.
const FREED_PARTS_MAX: usize = 256;
/// From this size on the allocator maps a piece by itself.
const MAPPED_BYTES_MIN: usize = 128 << 10;
/// A call stops freeing after this many bytes.
const FREED_BYTES_MAX: usize = 1 << 20;

impl<T: Part> Tiered<T> {
    /// Inserts `part` before the part at `at`. Allocates no more than [`Tiered::growth`] says.
    pub fn insert(&mut self, at: Position, part: T) {
        let Position { block: number, part: place } = self.room_at(at);
        if number == self.blocks.len() || self.blocks[number].parts.len() == PARTS_MAX {
            let mut parts = Vec::with_capacity(PARTS_MIN);
            parts.push(part);
            self.add(number, Block::new(parts));
            return;
        }
        let block = &mut self.blocks[number];
        let held = block.parts.capacity();
        if held == block.parts.len() {
            block.parts.reserve_exact(held.max(PARTS_MIN).min(PARTS_MAX - held));
        }
        self.memory += (block.parts.capacity() - held) * size_of::<T>() + part.memory();
        self.len += part.len();
        block.memory += part.memory();
        block.len += part.len();
        if place == 0 {
            block.mark = part.mark();
        }
        block.parts.insert(place, part);
    }

    /// Finds the block that is to take a part at `at`, and splits a full block if need be. If the block at the
    /// returned position is full or there is none, a new block is to begin there.
    fn room_at(&mut self, at: Position) -> Position {
        let Some(parts) = self.blocks.get(at.block).map(|block| block.parts.len()) else { return at };
        if parts < PARTS_MAX {
            return at;
        }
        if at.part == parts {
            return Position { block: at.block + 1, part: 0 };
        }
        if at.part == 0 {
            return match at.block.checked_sub(1).map(|block| (block, self.blocks[block].parts.len())) {
                Some((block, part)) if part < PARTS_MAX => Position { block, part },
                _ => at,
            };
        }
        let mut left = self.take(at.block);
        let mut right = Vec::with_capacity(PARTS_MAX);
        right.extend(left.parts.drain(PARTS_MAX / 2..));
        self.add(at.block, Block::new(right));
        self.add(at.block, Block::new(left.parts));
        match at.part.checked_sub(PARTS_MAX / 2) {
            Some(part) => Position { block: at.block + 1, part },
            None => at,
        }
    }

    /// Inserts a block.
    fn add(&mut self, number: usize, block: Block<T>) {
        self.len += block.len;
        self.memory += block.footprint();
        self.blocks.insert(number, block);
    }

    /// Removes a block.
    fn take(&mut self, number: usize) -> Block<T> {
        let block = self.blocks.remove(number);
        self.len -= block.len;
        self.memory -= block.footprint();
        block
    }

    /// Removes the part at `at`. Also returns the position of the part behind it.
    ///
    /// # Panics
    /// If there is no such part.
    pub fn remove(&mut self, at: Position) -> (T, Position) {
        let block = &mut self.blocks[at.block];
        let part = block.parts.remove(at.part);
        let held = block.parts.capacity();
        // Not put off until the block is nearly empty: glibc sorts what was freed since its last allocation at the
        // next one.
        pieces::tighten(&mut block.parts, PARTS_MIN);
        self.memory -= (held - block.parts.capacity()) * size_of::<T>() + part.memory();
        self.len -= part.len();
        block.memory -= part.memory();
        block.len -= part.len();
        match block.parts.first() {
            Some(first) => block.mark = first.mark(),
            None => {
                self.take(at.block);
                pieces::tighten(&mut self.blocks, PARTS_MIN);
                return (part, Position { block: at.block, part: 0 });
            }
        }
        let before = at.block.checked_sub(1).map(|block| (block, self.blocks[block].parts.len()));
        if let Some((block, len)) = before
            && self.join(block)
        {
            return (part, Position { block, part: len + at.part });
        }
        self.join(at.block);
        (part, at)
    }

    /// Joins a block with the next one if both have few parts. Returns true if it did.
    fn join(&mut self, number: usize) -> bool {
        let Some([left, right]) = self.blocks.get_mut(number..).and_then(|rest| rest.first_chunk_mut())
        else {
            return false;
        };
        let (held, sum) = (left.parts.capacity(), left.parts.len() + right.parts.len());
        if sum > JOINED_MAX || memory::reserve_exact(&mut left.parts, right.parts.len()).is_err() {
            return false;
        }
        self.memory += (left.parts.capacity() - held) * size_of::<T>();
        let mut right = self.take(number + 1);
        self.len += right.len;
        self.memory += right.memory;
        let left = &mut self.blocks[number];
        left.len += right.len;
        left.memory += right.memory;
        left.parts.append(&mut right.parts);
        true
    }

    /// Takes the part at `at` and all behind it out.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is no memory for their entries; then nothing has changed.
    pub fn split_off(&mut self, at: Position) -> Result<Tiered<T>, OutOfMemory> {
        let Some(at) = self.valid(at) else { return Ok(Tiered::default()) };
        let mut blocks = Vec::new();
        memory::reserve_exact(&mut blocks, self.blocks.len() - at.block)?;
        let mut parts = Vec::new();
        if at.part > 0 {
            memory::reserve_exact(&mut parts, self.blocks[at.block].parts.len() - at.part)?;
            let mut cut = self.take(at.block);
            parts.extend(cut.parts.drain(at.part..));
            self.add(at.block, Block::new(cut.parts));
            blocks.push(Block::new(parts));
            blocks.extend(self.blocks.drain(at.block + 1..));
        } else {
            blocks.extend(self.blocks.drain(at.block..));
        }
        pieces::tighten(&mut self.blocks, PARTS_MIN);
        self.recount();
        let mut behind = Tiered { blocks, len: 0, memory: 0 };
        behind.recount();
        Ok(behind)
    }

    /// Adds all parts of `behind` at the end. Takes whole blocks over if they are several.
    pub fn append(&mut self, mut behind: Tiered<T>) {
        if let [few] = behind.blocks.as_mut_slice() {
            few.parts.drain(..).for_each(|part| self.insert(self.end(), part));
        } else {
            self.blocks.append(&mut behind.blocks);
            self.recount();
        }
    }

    /// Adds all parts of `before` at the start. Takes whole blocks over if they are several.
    pub fn prepend(&mut self, mut before: Tiered<T>) {
        if let [few] = before.blocks.as_mut_slice() {
            few.parts.drain(..).rev().for_each(|part| self.insert(Position::default(), part));
        } else {
            before.blocks.append(&mut self.blocks);
            self.blocks = before.blocks;
            self.recount();
        }
    }

    /// All parts.
    pub fn into_parts(self) -> impl Iterator<Item = T> {
        self.blocks.into_iter().flat_map(|block| block.parts)
    }

    /// Adds the sums of the blocks up again.
    fn recount(&mut self) {
        self.len = self.blocks.iter().map(|block| block.len).sum();
        self.memory = self.blocks.iter().map(Block::footprint).sum();
    }

    /// Frees some parts at one end: up to about a mebibyte, or a few hundred. Returns false if nothing is left.
    ///
    /// It frees the parts first that lie higher in memory, as far as it can tell. The reason: glibc returns only the end
    /// of its heap to the system. In another order it would keep the whole heap until the last part is free, and then
    /// return all of it in one long call.
    pub fn free_piece(&mut self) -> bool {
        self.leave_heap();
        let enough = self.memory.saturating_sub(FREED_BYTES_MAX);
        for _ in 0..FREED_PARTS_MAX {
            let address = |block: Option<&Block<T>>| block.map(|block| block.parts.as_ptr().addr());
            let from_start = address(self.blocks.first()) > address(self.blocks.last());
            let number = if from_start { 0 } else { self.blocks.len().saturating_sub(1) };
            let Some(block) = self.blocks.get_mut(number) else { break };
            if let Some(part) = block.parts.pop() {
                block.len -= part.len();
                block.memory -= part.memory();
                self.len -= part.len();
                self.memory -= part.memory();
            }
            if block.parts.is_empty() {
                self.take(number);
            }
            if self.memory <= enough {
                break;
            }
        }
        if self.blocks.is_empty() {
            self.blocks = Vec::new();
        }
        !self.blocks.is_empty()
    }

    /// Moves the entries of the blocks to memory that the allocator maps by itself, if it has some. They were allocated
    /// late, so they may lie near the end of the heap and keep it from shrinking.
    fn leave_heap(&mut self) {
        let wanted = MAPPED_BYTES_MIN.div_ceil(size_of::<Block<T>>());
        let mut blocks = Vec::new();
        if self.blocks.len() > 1
            && self.blocks.capacity() < wanted
            && memory::reserve_exact(&mut blocks, wanted).is_ok()
        {
            blocks.append(&mut self.blocks);
            self.blocks = blocks;
        }
    }

    /// Checks that the sums are right, and that marks ascend, strictly if `strictly` is set. Takes long. For tests.
    ///
    /// # Panics
    /// If something is wrong.
    pub fn audit(&self, strictly: bool) {
        let (mut len, mut memory) = (0, 0);
        let mut marks = Vec::new();
        for block in &self.blocks {
            assert!((1..=PARTS_MAX).contains(&block.parts.len()), "{} parts in a block", block.parts.len());
            assert!(block.parts.iter().all(|part| part.len() > 0), "a part has no elements");
            assert_eq!(block.len, block.parts.iter().map(Part::len).sum::<usize>());
            assert_eq!(block.memory, block.parts.iter().map(Part::memory).sum::<usize>());
            assert_eq!(block.mark, block.parts[0].mark());
            len += block.len;
            memory += block.memory + block.parts.capacity() * size_of::<T>();
            marks.extend(block.parts.iter().map(Part::mark));
        }
        assert_eq!((self.len, self.memory), (len, memory));
        assert!(!strictly || marks.windows(2).all(|pair| pair[0] < pair[1]), "marks do not ascend");
    }
}
