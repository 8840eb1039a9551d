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
/// Most blocks.
const BLOCKS_MAX: usize = 1 << 18;
/// Blocks that are doubled in one step, while the sketch grows. They take about fifty microseconds.
const BLOCKS_DOUBLED: usize = 512;

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
    /// The blocks, in the order of the hashes.
    blocks: Vec<Block>,
    /// While the sketch grows: two blocks for each of the first ones in `blocks`, in their place. All at once would take
    /// some milliseconds.
    doubled: Vec<Block>,
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
        Sketch { blocks, doubled: Vec::new(), halving, hand: 0, patience: 0 }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        (self.blocks.capacity() + self.doubled.capacity()) * size_of::<Block>()
    }

    /// Counts a use of the key with this hash.
    pub fn count(&mut self, hash: u64) {
        let block = self.block_mut(hash);
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
            self.halve(self.hand);
        }
        self.patience -= 1;
    }

    /// About how often the key with this hash was used lately: 15 at most.
    pub fn uses(&self, hash: u64) -> u8 {
        let at = part_of(hash, 2 * self.blocks.len());
        self.doubled.get(at).unwrap_or(&self.blocks[at / 2]).least(hash)
    }

    /// Takes a step towards a sketch that is large enough for `keys` keys: doubles some blocks. What it knows stays. It does
    /// not become larger than 16 MiB, which are enough for four million keys; more keys share their counters.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn fit(&mut self, keys: usize) -> Result<(), OutOfMemory> {
        let wanted = keys.saturating_mul(COUNTERS_PER_KEY) / COUNTERS;
        if self.doubled.capacity() == 0 {
            if self.blocks.len() >= wanted.min(BLOCKS_MAX) {
                return Ok(());
            }
            memory::reserve_exact(&mut self.doubled, 2 * self.blocks.len())?;
        }
        // A block's keys are spread over two blocks, and both begin with what it knew.
        let next = self.blocks[self.doubled.len() / 2..].iter().take(BLOCKS_DOUBLED);
        self.doubled.extend(next.flat_map(|block| [*block, *block]));
        if self.doubled.len() == 2 * self.blocks.len() {
            self.blocks = std::mem::take(&mut self.doubled);
        }
        Ok(())
    }

    fn block_mut(&mut self, hash: u64) -> &mut Block {
        let at = part_of(hash, 2 * self.blocks.len());
        self.doubled.get_mut(at).unwrap_or(&mut self.blocks[at / 2])
    }

    /// Halves the counters of a block, or of the two that stand in its place.
    fn halve(&mut self, at: usize) {
        match self.doubled.get_mut(2 * at..2 * at + 2) {
            Some(two) => two.iter_mut().for_each(Block::halve),
            None => self.blocks[at].halve(),
        }
    }
}

/// In which of `parts` equal parts of all hashes this one lies.
fn part_of(hash: u64, parts: usize) -> usize {
    ((u128::from(hash) * parts as u128) >> 64) as usize
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
        // It is asked between the steps of growing, and it goes on counting.
        let known = |sketch: &Sketch| keys[..1_000].iter().filter(|hash| sketch.uses(**hash) >= 5).count();
        for _ in 0..20 {
            sketch.fit(100_000).unwrap();
            assert!(known(&sketch) > 850, "it forgot as it grew");
            keys[..1_000].iter().step_by(10).for_each(|hash| sketch.count(*hash));
        }
        assert!(sketch.blocks.len() == 8_192 && sketch.doubled.capacity() == 0);
        let more: Vec<u64> = (0..100_000).map(|_| dice.roll()).collect();
        (0..30).for_each(|_| more.iter().for_each(|hash| sketch.count(*hash)));
        (0..30).for_each(|_| more[..50_000].iter().for_each(|hash| sketch.count(*hash)));
        let old = known(&sketch);
        let often = more[..50_000].iter().filter(|hash| sketch.uses(**hash) >= 8).count();
        assert!(old < 300 && often > 45_000, "{old} {often}");
        assert!(sketch.memory() <= 100_000 * 8);
    }
}
