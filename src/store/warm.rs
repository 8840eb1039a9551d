//! Fetches what looking up keys is going to read, so that the waits for memory overlap.

use super::block::BLOCK_BYTES;
use super::prefetch::prefetch;
use super::record::Record;
use super::table::Table;

/// Keys warmed at once: about as many misses as a processor has under way.
pub const WARMED_MAX: usize = 16;
/// If all items have fewer bytes than this, they are in the cache already. To warm a key would cost 20 ns for nothing.
const WARMED_BYTES_MIN: usize = 1 << 20;
/// So few bodies are not worth another look at each record.
const WARMED_BODIES_MIN: usize = 512;

impl Table {
    /// True if items lie farther away than in the cache, so that warming keys pays.
    #[inline]
    pub fn is_beyond_cache(&self) -> bool {
        self.blocks.memory() + self.body_bytes >= WARMED_BYTES_MIN
    }

    /// Fetches the lines of memory in which `keys` will be found. Loop by loop, so that the waits of each
    /// overlap: for the index, for the records, for the bodies of those that are large.
    pub fn warm<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        if !self.is_beyond_cache() {
            return;
        }
        let mut hashes = [0; WARMED_MAX];
        let mut count = 0;
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = self.hash(key);
            self.segments.get(self.directory.segment(*hash)).prefetch(*hash);
            count += 1;
        }
        let mut records = [&[0; 1][..]; WARMED_MAX];
        for (record, hash) in records.iter_mut().zip(&hashes[..count]) {
            let segment = self.segments.get(self.directory.segment(*hash));
            let Some(spot) = segment.guess(*hash) else { continue };
            let block = &self.blocks.get(segment.block_of(spot)).bytes;
            *record = &block[spot.offset()..];
            prefetch(&record[0]);
            // Most records reach into a second line.
            prefetch(&block[(spot.offset() + 48).min(BLOCK_BYTES - 1)]);
        }
        if self.bodies.len() >= WARMED_BODIES_MIN {
            self.warm_bodies(records[..count].iter().filter_map(|record| Record(record).body()));
        }
    }

    /// The same for the bodies with these numbers, once their records are on their way.
    fn warm_bodies(&self, numbers: impl Iterator<Item = u32> + Clone) {
        for number in numbers.clone() {
            self.bodies.get(number).prefetch();
        }
        for number in numbers {
            self.bodies.get(number).prefetch_body();
        }
    }
}
