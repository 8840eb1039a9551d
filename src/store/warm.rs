//! Warming: fetches the memory that looking up several keys is going to read, before they are looked up one
//! by one. So the waits for memory overlap.

use super::block::BLOCK_BYTES;
use super::large::Large;
use super::prefetch::prefetch;
use super::record::Record;
use super::set::integer;
use super::table::Table;

/// Most keys that are warmed together: about as many cache misses as a processor can wait for at once.
pub const WARMED_MAX: usize = 16;
/// Items that take fewer bytes together than this are in the cache anyway. Warming them would cost 20 ns a
/// key for nothing.
const WARMED_BYTES_MIN: usize = 1 << 20;

/// What a command may look up in the value of a key: the argument behind the key, and the one behind that, in which
/// `ZADD` and `ZINCRBY` have the member. It is empty if there is none.
pub type Members<'a> = (&'a [u8], &'a [u8]);

impl Table {
    /// True if the items no longer fit the cache, so that warming keys is worth its cost.
    #[inline]
    pub fn is_beyond_cache(&self) -> bool {
        self.blocks.memory() + self.tally.bytes >= WARMED_BYTES_MIN
    }

    /// Starts to fetch the lines of memory in which `keys` will be found. It does so in three rounds: for the
    /// index, for the records, and for the bodies of large items. The waits within each round overlap. If a body has a
    /// large hash, set or sorted set, two rounds more fetch the lines of the field or member that `members` has for the
    /// key; for a large list or a stream, those of the ends.
    pub fn warm<'a>(&self, keys: impl Iterator<Item = &'a [u8]>, members: impl Iterator<Item = Members<'a>>) {
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
            // Most records reach into the next line.
            prefetch(&block[(spot.offset() + 48).min(BLOCK_BYTES - 1)]);
        }
        if self.tally.bytes >= WARMED_BYTES_MIN {
            let bodies = records[..count].iter().map(|record| Record(record).body());
            self.warm_bodies(bodies.clone().flatten());
            self.warm_members(bodies.zip(members).filter_map(|(body, member)| Some((body?, member))));
        }
    }

    /// Starts to fetch the bodies with these numbers.
    fn warm_bodies(&self, numbers: impl Iterator<Item = u32> + Clone) {
        for number in numbers.clone() {
            self.bodies.get(number).prefetch();
        }
        for number in numbers {
            self.bodies.get(number).prefetch_body();
        }
    }

    /// Starts to fetch the fields or members that will be looked up in the large values of these bodies.
    fn warm_members<'a>(&self, wanted: impl Iterator<Item = (u32, Members<'a>)>) {
        let mut values = [(None, 0); WARMED_MAX];
        let mut count = 0;
        for (number, (member, after_score)) in wanted {
            let value = self.bodies.get(number).large();
            let hash = match value {
                Some(Large::Map(map)) => map.value.prefetch_index(member),
                // The way to an integer is short, and most of it is in the cache.
                Some(Large::Set(set)) if integer(member).is_none() => set.value.texts.prefetch_index(member),
                Some(Large::Zset(zset)) => {
                    let hash = zset.value.hash(if after_score.is_empty() { member } else { after_score });
                    zset.value.prefetch(hash);
                    hash
                }
                Some(Large::List(list)) => {
                    list.value.prefetch_nodes();
                    0
                }
                Some(Large::Stream(stream)) => {
                    stream.value.log().prefetch_tail();
                    0
                }
                _ => continue,
            };
            values[count] = (value, hash);
            count += 1;
        }
        for (value, hash) in &values[..count] {
            match value {
                Some(Large::Map(map)) => map.value.prefetch_record(*hash),
                Some(Large::Set(set)) => set.value.texts.prefetch_record(*hash),
                Some(Large::Zset(zset)) => zset.value.prefetch_member(*hash),
                Some(Large::List(list)) => list.value.prefetch_ends(),
                Some(Large::Stream(stream)) => stream.value.log().prefetch_tail_ends(),
                None => {}
            }
        }
    }

    /// Starts to fetch the part of the index that finds `key`. Returns its hash.
    fn prefetch_index(&self, key: &[u8]) -> u64 {
        let hash = self.hash(key);
        self.segments.get(self.directory.segment(hash)).prefetch(hash);
        hash
    }

    /// Starts to fetch the record that probably has this hash.
    fn prefetch_record(&self, hash: u64) {
        let segment = self.segments.get(self.directory.segment(hash));
        let Some(spot) = segment.guess(hash) else { return };
        let block = &self.blocks.get(segment.block_of(spot)).bytes;
        prefetch(&block[spot.offset()]);
        prefetch(&block[(spot.offset() + 48).min(BLOCK_BYTES - 1)]);
    }
}
