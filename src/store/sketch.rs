//! The sketch: about how often each key was used lately, in a few bytes a key.
//!
//! It is a count-min sketch: each key has four counters of four bits among the 128 of a block, which is one cache line.
//! Other keys may share them. The least of the four is the estimate. Only the least counters are raised. All counters are halved
//! again and again, one block after the other, so that old uses count less than new ones.

use crate::base::{OutOfMemory, memory};

/// Counters in a block.
const COUNTERS: usize = 128;
/// Most that a counter counts.
const COUNTED_MAX: u8 = 15;
/// Counters of one key.
const ROWS: u32 = 4;
/// Fewest counters for each key. There are up to twice as many, because the number of blocks doubles.
const COUNTERS_PER_KEY: usize = 8;
/// Blocks at first.
const BLOCKS_MIN: usize = 64;
/// Most blocks. To double them takes some milliseconds.
const BLOCKS_MAX: usize = 1 << 18;

/// 128 counters that lie in one cache line, two in a byte.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Block([u8; COUNTERS / 2]);

impl Block {
    const EMPTY: Block = Block([0; COUNTERS / 2]);

    fn counter(&self, at: usize) -> u8 {
        self.0[at / 2] >> (4 * (at % 2)) & 0xf
    }

    /// Counts one more. It must have counted less than [`COUNTED_MAX`].
    fn raise(&mut self, at: usize) {
        self.0[at / 2] += 1 << (4 * (at % 2));
    }

    fn halve(&mut self) {
        self.0.iter_mut().for_each(|two| *two = *two >> 1 & 0x77);
    }

    /// The least of the counters of the key with this hash.
    fn least(&self, hash: u64) -> u8 {
        (0..ROWS).map(|row| self.counter(place(hash, row))).min().unwrap_or_default()
    }
}

/// How often keys were used lately.
#[derive(Debug)]
pub struct Sketch {
    blocks: Vec<Block>,
    /// After as many uses as there are keys, times this, all counters have been halved once.
    halving: usize,
    /// The block that is halved next.
    hand: usize,
    /// Uses until that.
    patience: usize,
}

impl Sketch {
    /// A sketch of a few keys. All counters are halved once while there are `halving` uses for each key. With a smaller
    /// number the sketch adapts sooner to other habits; with a larger one it knows steady habits better.
    pub fn new(halving: usize) -> Sketch {
        let blocks = vec![Block::EMPTY; BLOCKS_MIN];
        Sketch { blocks, halving, hand: 0, patience: 0 }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>()
    }

    /// Counts a use of the key with this hash.
    pub fn count(&mut self, hash: u64) {
        let at = self.block_of(hash);
        let block = &mut self.blocks[at];
        let least = block.least(hash);
        if least < COUNTED_MAX {
            for at in (0..ROWS).map(|row| place(hash, row)) {
                if block.counter(at) == least {
                    block.raise(at);
                }
            }
        }
        if self.patience == 0 {
            self.patience = self.halving * COUNTERS / COUNTERS_PER_KEY;
            self.hand = (self.hand + 1) % self.blocks.len();
            self.blocks[self.hand].halve();
        }
        self.patience -= 1;
    }

    /// About how often the key with this hash was used lately: 15 at most.
    pub fn uses(&self, hash: u64) -> u8 {
        self.blocks[self.block_of(hash)].least(hash)
    }

    /// Takes a step towards a sketch that is large enough for `keys` keys: doubles it. What it knows stays. It does not become
    /// larger than 16 MiB, which are enough for four million keys; more keys share their counters.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn fit(&mut self, keys: usize) -> Result<(), OutOfMemory> {
        let wanted = keys.saturating_mul(COUNTERS_PER_KEY) / COUNTERS;
        if self.blocks.len() < wanted.min(BLOCKS_MAX) {
            // A block's keys are spread over two blocks, and both begin with what it knew.
            let len = self.blocks.len();
            memory::reserve_exact(&mut self.blocks, len)?;
            self.blocks.resize(2 * len, Block::EMPTY);
            for at in (0..len).rev() {
                let block = self.blocks[at];
                self.blocks[2 * at..2 * at + 2].fill(block);
            }
        }
        Ok(())
    }

    fn block_of(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.blocks.len() as u128) >> 64) as usize
    }
}

/// Where in its block a key has its counter number `row`.
fn place(hash: u64, row: u32) -> usize {
    let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (16 + 8 * row)) as usize % COUNTERS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Dice;

    #[test]
    fn frequent_keys_are_told_from_rare_ones_and_old_uses_fade() {
        let mut dice = Dice::new(1);
        let keys: Vec<u64> = (0..10_000).map(|_| dice.roll()).collect();
        let mut sketch = Sketch::new(10);
        (0..9).for_each(|_| sketch.fit(keys.len()).unwrap());
        for _ in 0..5 {
            keys[..1_000].iter().for_each(|hash| sketch.count(*hash));
        }
        keys.iter().for_each(|hash| sketch.count(*hash));
        let often = keys[..1_000].iter().filter(|hash| sketch.uses(**hash) >= 5).count();
        let rarely = keys[1_000..].iter().filter(|hash| sketch.uses(**hash) <= 3).count();
        // Some blocks were halved meanwhile.
        assert!(often > 850 && rarely > 8_500, "{often} {rarely}");
        (0..9).for_each(|_| sketch.fit(100_000).unwrap());
        assert!(
            keys[..1_000].iter().filter(|hash| sketch.uses(**hash) >= 5).count() > 900,
            "it forgot as it grew"
        );
        let more: Vec<u64> = (0..100_000).map(|_| dice.roll()).collect();
        (0..30).for_each(|_| more.iter().for_each(|hash| sketch.count(*hash)));
        (0..30).for_each(|_| more[..50_000].iter().for_each(|hash| sketch.count(*hash)));
        let old = keys[..1_000].iter().filter(|hash| sketch.uses(**hash) >= 5).count();
        let often = more[..50_000].iter().filter(|hash| sketch.uses(**hash) >= 8).count();
        assert!(old < 300 && often > 45_000, "{old} {often}");
        assert!(sketch.memory() <= 100_000 * 8);
    }
}
