//! The directory: it knows which segment holds a hash. The first bits of the hash select an entry, and the
//! entry names a segment.
//!
//! A segment of depth `d` holds all hashes whose first `d` bits are its prefix. So it fills
//! 2^(depth of the directory - d) neighbouring entries. The entries are in the order of the hash.

use crate::base::{OutOfMemory, memory};

/// A segment of this depth does not split. No memory holds four thousand million segments, and `crowd`
/// refuses keys that would make a small table so deep.
pub const DEPTH_MAX: u32 = 32;

/// Maps the first bits of a hash to the segment that holds it.
#[derive(Debug)]
pub struct Directory {
    /// The number of a segment for each possible value of the first `depth` bits.
    entries: Vec<u32>,
    /// How many bits of a hash select an entry.
    depth: u32,
    /// Number of segments of each depth.
    population: [u32; DEPTH_MAX as usize + 1],
}

impl Directory {
    /// A directory with one entry: segment 0, which holds all hashes.
    pub fn new() -> Directory {
        let mut population = [0; DEPTH_MAX as usize + 1];
        population[0] = 1;
        Directory { entries: vec![0], depth: 0, population }
    }

    /// The number of the segment that holds `hash`.
    #[inline]
    pub fn segment(&self, hash: u64) -> u32 {
        self.entries[entry(hash, self.depth)]
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<u32>()
    }

    /// Reserves room: after that, the directory can double, name `segments` segments, and name one of depth
    /// `depth`, without asking for memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    #[inline]
    pub fn try_reserve(&mut self, segments: usize, depth: u32) -> Result<(), OutOfMemory> {
        let wanted = (self.entries.len() * 2).max(segments.next_power_of_two() * 2).max(1 << depth);
        if wanted > self.entries.capacity() {
            let more = wanted - self.entries.len();
            memory::reserve_exact(&mut self.entries, more)?;
        }
        Ok(())
    }

    /// Notes that the segment with `prefix`, of `depth` bits, has split. The new segment `high` has the upper
    /// half of its hashes.
    ///
    /// # Panics
    /// If the segment is [`DEPTH_MAX`] deep.
    pub fn split(&mut self, prefix: u64, depth: u32, high: u32) {
        assert!(depth < DEPTH_MAX, "too deep to split");
        if depth == self.depth {
            self.double();
        }
        self.population[depth as usize] -= 1;
        self.population[depth as usize + 1] += 2;
        self.fill(prefix << 1 | 1, depth + 1, high);
    }

    /// Notes that two segments of depth `depth` have become one: `merged`, whose `prefix` is one bit shorter
    /// than theirs.
    pub fn merge(&mut self, prefix: u64, depth: u32, merged: u32) {
        self.population[depth as usize] -= 2;
        self.population[depth as usize - 1] += 1;
        self.fill(prefix, depth - 1, merged);
        while self.depth > 0 && self.population[self.depth as usize] == 0 {
            self.halve();
        }
    }

    /// Makes all entries that begin with `prefix`, of `depth` bits, name `segment`.
    pub fn fill(&mut self, prefix: u64, depth: u32, segment: u32) {
        let span = self.depth - depth;
        let first = (prefix as usize) << span;
        self.entries[first..first + (1 << span)].fill(segment);
    }

    /// Frees the entries. For a table that is being discarded: no look-up works after this.
    pub fn free(&mut self) {
        self.entries = Vec::new();
    }

    /// All entries, for audits.
    pub fn entries(&self) -> &[u32] {
        &self.entries
    }

    fn double(&mut self) {
        let len = self.entries.len();
        self.entries.resize(len * 2, 0);
        // Goes backwards, because each entry must be read before it is overwritten.
        for at in (0..len).rev() {
            let segment = self.entries[at];
            self.entries[2 * at..2 * at + 2].fill(segment);
        }
        self.depth += 1;
    }

    fn halve(&mut self) {
        let len = self.entries.len() / 2;
        for at in 0..len {
            self.entries[at] = self.entries[2 * at];
        }
        self.entries.truncate(len);
        // Keeps room for doubling twice: a table that grows and shrinks by turns should not reallocate each
        // time.
        self.entries.shrink_to(len * 4);
        self.depth -= 1;
    }
}

/// The first `depth` bits of `hash`. Two shifts, because with a depth of 0 one shift would be by all 64 bits,
/// which overflows.
#[inline]
fn entry(hash: u64, depth: u32) -> usize {
    (hash >> 1 >> (63 - depth)) as usize
}
