//! Which segment holds a hash: the first bits of the hash select an entry, which names a segment.
//!
//! A segment of depth `d` holds all hashes that share its first `d` bits, so it fills
//! 2^(depth of the directory - d) neighbouring entries. Entries are in the order of the hash.

use crate::base::{OutOfMemory, memory};

/// No segment splits deeper than this. A table with so many segments would not fit any memory, and `crowd` refuses keys
/// that would make a small table so deep.
pub const DEPTH_MAX: u32 = 32;

/// The entries, and how many bits of a hash select one.
#[derive(Debug)]
pub struct Directory {
    entries: Vec<u32>,
    depth: u32,
    /// Segments of each depth.
    population: [u32; DEPTH_MAX as usize + 1],
}

impl Directory {
    /// One entry for segment 0, of depth 0.
    pub fn new() -> Directory {
        let mut population = [0; DEPTH_MAX as usize + 1];
        population[0] = 1;
        Directory { entries: vec![0], depth: 0, population }
    }

    /// The segment that holds `hash`.
    #[inline]
    pub fn segment(&self, hash: u64) -> u32 {
        self.entries[entry(hash, self.depth)]
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<u32>()
    }

    /// Makes sure that it can double, or name `segments` segments if that is more, and one of
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

    /// Notes that a segment with `prefix` of `depth` bits has split; `high` is the new one, which
    /// has the upper half.
    ///
    /// # Panics
    /// If it is too deep to split.
    pub fn split(&mut self, prefix: u64, depth: u32, high: u32) {
        assert!(depth < DEPTH_MAX, "too deep to split");
        if depth == self.depth {
            self.double();
        }
        self.population[depth as usize] -= 1;
        self.population[depth as usize + 1] += 2;
        self.fill(prefix << 1 | 1, depth + 1, high);
    }

    /// Notes that two segments of `depth` have become one, `merged`, whose `prefix` is one bit shorter.
    pub fn merge(&mut self, prefix: u64, depth: u32, merged: u32) {
        self.population[depth as usize] -= 2;
        self.population[depth as usize - 1] += 1;
        self.fill(prefix, depth - 1, merged);
        while self.depth > 0 && self.population[self.depth as usize] == 0 {
            self.halve();
        }
    }

    /// Points all entries of `prefix`, which has `depth` bits, to `segment`.
    pub fn fill(&mut self, prefix: u64, depth: u32, segment: u32) {
        let span = self.depth - depth;
        let first = (prefix as usize) << span;
        self.entries[first..first + (1 << span)].fill(segment);
    }

    /// Frees the entries of a table that is no longer used.
    pub fn free(&mut self) {
        self.entries = Vec::new();
    }

    /// The entries, for audits.
    pub fn entries(&self) -> &[u32] {
        &self.entries
    }

    fn double(&mut self) {
        let len = self.entries.len();
        self.entries.resize(len * 2, 0);
        // From the end, so that nothing is overwritten before it was read.
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
        // Room for doubling twice stays.
        self.entries.shrink_to(len * 4);
        self.depth -= 1;
    }
}

/// The first `depth` bits of `hash`; the double shift is for no bits at all.
#[inline]
fn entry(hash: u64, depth: u32) -> usize {
    (hash >> 1 >> (63 - depth)) as usize
}
