//! Crowds: keys whose hashes begin with the same bits. This file bounds the depth of the directory, and
//! refuses the writes that would need a deeper one.
//!
//! A seeded hash spreads keys so evenly that the deepest segment is only two or three bits deeper than the
//! average. But an attacker who knows enough about the hash could choose keys whose hashes share many first
//! bits. Each split of their segment would then double the directory and still not separate them. So the
//! number of entries is bounded, in proportion to the number of segments. If a write's segment is full and
//! may not split deep enough, the write is refused while it is prepared. A commit always finds room.

use super::segment::{BLOCKS_MAX, ITEMS_MAX, LIVE_MAX, Segment, blocks_for};
use super::table::{Demand, Table};
use super::{Prepared, WriteError};
use crate::base::memory;

/// Most entries that the directory may have for each segment. The keys of honest clients need four.
const ENTRIES_PER_SEGMENT: usize = 16;
/// The directory may always have this many entries, however few segments there are. They take 4 KiB.
const ENTRIES_MIN: usize = 1024;

impl Table {
    /// What the table must reserve to write a record of up to `bytes` bytes under `key`, whose hash is
    /// `hash`.
    ///
    /// # Errors
    /// [`WriteError::Crowded`] if too many keys have hashes that begin as `hash` does.
    pub(super) fn admit(&self, hash: u64, key: &[u8], bytes: usize) -> Result<Demand, WriteError> {
        let segment = self.segments.get(self.directory.segment(hash));
        if segment.surely_takes(1, bytes) {
            return Ok(Demand { blocks: 1, ..Demand::default() });
        }
        // The segment will be packed or split. While that goes on, the table holds its old blocks and its new
        // ones.
        let mut demand = Demand { blocks: segment.blocks_packed() + 1, segments: 1, ..Demand::default() };
        if segment.takes(1, bytes) {
            return Ok(demand);
        }
        let replaced = self.find(hash, key).map(|place| self.record(place));
        // A record that is not longer is written over the old one. But the old one must still be there: a key
        // with a time of expiry may be gone before the commit.
        if replaced.is_some_and(|old| old.expires_ms().is_none() && old.bytes().len() >= bytes) {
            return Ok(demand);
        }
        let replaced_bytes = replaced.map_or(0, |old| old.bytes().len());
        let more =
            Load { items: 1 - usize::from(replaced.is_some()), bytes: bytes.saturating_sub(replaced_bytes) };
        self.deepen(&mut demand, segment, hash, more, self.depth_max(0))?;
        Ok(demand)
    }

    /// Makes sure that a record of up to `bytes` bytes under `key`, and `bodies` new bodies, can be written without
    /// asking for memory.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub(super) fn reserve_record(
        &mut self,
        hash: u64,
        key: &[u8],
        bytes: usize,
        bodies: usize,
    ) -> Result<(), WriteError> {
        let demand = self.admit(hash, key, bytes)?;
        Ok(self.try_reserve(Demand { bodies, ..demand })?)
    }

    /// What the table must reserve to commit all of `entries`.
    ///
    /// # Errors
    /// [`WriteError::Crowded`] if too many keys have hashes that begin as one of these does, and
    /// [`WriteError::OutOfMemory`] if the allocator refuses.
    pub(super) fn admit_all(&self, entries: &[Prepared<'_>]) -> Result<Demand, WriteError> {
        let items = entries.len();
        let bytes = entries.iter().map(Prepared::record_bytes).sum::<usize>();
        let bodies = entries.iter().map(Prepared::bodies).sum();
        let segment_of = |hash| self.segments.get(self.directory.segment(hash));
        // Besides the blocks that the records fill, each segment may begin one.
        let begun = items.min(self.segments.len() + blocks_for(bytes));
        if entries.iter().all(|entry| segment_of(entry.hash).surely_takes(items, bytes)) {
            return Ok(Demand { blocks: begun, bodies, ..Demand::default() });
        }
        // At worst the first item in each segment splits it. After that, a segment takes many items before it
        // splits again. Each split begins two blocks, and while it goes on, the table holds old and new
        // blocks.
        let segments = items.min(self.segments.len() + items / 64 + 1);
        let begun = begun + 2 * segments;
        let blocks = begun + (self.blocks.len() + begun).min(2 * BLOCKS_MAX);
        let mut demand = Demand { blocks, segments, bodies, depth: 0 };
        let mut sorted = memory::collect(entries.iter().map(|entry| (entry.hash, entry.record_bytes())))?;
        // A key that is named several times is one item. Its longest record counts.
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        sorted.dedup_by_key(|(hash, _)| *hash);
        sorted.reverse();
        let limit = self.depth_max(items);
        let mut rest = &sorted[..];
        while let Some((hash, _)) = rest.first() {
            let segment = segment_of(*hash);
            let depth = limit.max(segment.depth);
            let items = rest.partition_point(|(other, _)| shared_bits(*hash, *other) >= depth);
            let bytes = rest[..items].iter().map(|(_, bytes)| bytes).sum();
            if !segment.takes(items, bytes) {
                self.deepen(&mut demand, segment, *hash, Load { items, bytes }, limit)?;
            }
            rest = &rest[items..];
        }
        Ok(demand)
    }

    /// How deep a segment may be once `items` more items have been added.
    pub(super) fn depth_max(&self, items: usize) -> u32 {
        let segments = self.segments.len() + items / ITEMS_MAX;
        ENTRIES_MIN.max(ENTRIES_PER_SEGMENT * segments).ilog2()
    }

    /// Adds to `demand` the splits that `segment` needs before it has room for `more` near `hash`.
    ///
    /// # Errors
    /// [`WriteError::Crowded`] if even a segment that is `limit` deep would have too little room.
    fn deepen(
        &self,
        demand: &mut Demand,
        segment: &Segment,
        hash: u64,
        more: Load,
        limit: u32,
    ) -> Result<(), WriteError> {
        let limit = limit.max(segment.depth);
        let fits = |depth: &u32| self.fits(segment, hash, *depth, more);
        if !fits(&limit) {
            return Err(WriteError::Crowded);
        }
        let depth = (segment.depth..limit).find(fits).unwrap_or(limit);
        demand.depth = demand.depth.max(depth);
        demand.segments += (depth - segment.depth) as usize;
        Ok(())
    }

    /// True if one segment has room for `more` together with those items of `segment` whose hashes share
    /// their first `depth` bits with `hash`. It stops as soon as it knows that they fit: with the keys of
    /// honest clients after an item or two.
    fn fits(&self, segment: &Segment, hash: u64, depth: u32, more: Load) -> bool {
        let (mut items, mut bytes) = (segment.len() + more.items, segment.live() + more.bytes);
        let mut others = segment.cells().map(|cell| self.record_at(segment, segment.spot(cell)));
        while items > ITEMS_MAX || bytes > LIVE_MAX {
            let Some(record) = others.next() else { return false };
            if shared_bits(self.hash_of(record), hash) < depth {
                items -= 1;
                bytes -= record.bytes().len();
            }
        }
        true
    }
}

/// What writes add to a segment.
#[derive(Clone, Copy)]
struct Load {
    /// Number of items.
    items: usize,
    /// Bytes of their records.
    bytes: usize,
}

/// How many first bits two hashes have in common.
fn shared_bits(one: u64, other: u64) -> u32 {
    (one ^ other).leading_zeros()
}
