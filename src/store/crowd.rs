//! How deep the directory may become, and which writes are refused so that it stays so.
//!
//! A seeded hash spreads keys evenly, so the deepest segment is two or three bits deeper than the average. But an
//! attacker who knows enough of the hash could choose keys that share their first bits. Then every split would double
//! the directory without gain. So the directory has a bound in
//! proportion to the segments. A write whose segment is full and may not split as deep as it had to
//! is refused while it is prepared; a commit always finds room.

use super::segment::{BLOCKS_MAX, ITEMS_MAX, LIVE_MAX, Segment, blocks_for};
use super::table::{Demand, Table};
use super::{Prepared, WriteError};
use crate::base::memory;

/// Entries of the directory for each segment, at most. Honest keys need four.
const ENTRIES_PER_SEGMENT: usize = 16;
/// This many entries are always allowed. They take four kilobytes.
const ENTRIES_MIN: usize = 1024;

impl Table {
    /// The memory that the table needs for a record of up to `bytes` bytes under `key`, whose hash is `hash`.
    ///
    /// # Errors
    /// [`WriteError::Crowded`] if the table has no room near `hash`.
    pub(super) fn admit(&self, hash: u64, key: &[u8], bytes: usize) -> Result<Demand, WriteError> {
        let segment = self.segments.get(self.directory.segment(hash));
        if segment.surely_takes(1, bytes) {
            return Ok(Demand { blocks: 1, ..Demand::default() });
        }
        // The segment will be packed or split. Both old and new blocks exist for that time.
        let mut demand = Demand { blocks: segment.blocks_packed() + 1, segments: 1, ..Demand::default() };
        if segment.takes(1, bytes) {
            return Ok(demand);
        }
        let replaced = self.find(hash, key).map(|place| self.record(place));
        // What will be shorter stays in its place, unless it expires before that.
        if replaced.is_some_and(|old| old.expires_ms().is_none() && old.bytes().len() >= bytes) {
            return Ok(demand);
        }
        let replaced_bytes = replaced.map_or(0, |old| old.bytes().len());
        let more =
            Load { items: 1 - usize::from(replaced.is_some()), bytes: bytes.saturating_sub(replaced_bytes) };
        self.deepen(&mut demand, segment, hash, more, self.depth_max(0))?;
        Ok(demand)
    }

    /// What it takes to commit all of `entries`.
    ///
    /// # Errors
    /// [`WriteError`] if the table has no room near one of the hashes, or the allocator refuses.
    pub(super) fn admit_all(&self, entries: &[Prepared<'_>]) -> Result<Demand, WriteError> {
        let items = entries.len();
        let bytes = entries.iter().map(Prepared::record_bytes).sum::<usize>();
        let bodies = entries.iter().map(Prepared::bodies).sum();
        let segment_of = |hash| self.segments.get(self.directory.segment(hash));
        // Each segment may begin a block.
        let begun = items.min(self.segments.len() + blocks_for(bytes));
        if entries.iter().all(|entry| segment_of(entry.hash).surely_takes(items, bytes)) {
            return Ok(Demand { blocks: begun, bodies, ..Demand::default() });
        }
        // At worst every item finds its segment full; but a segment that has just split takes
        // many before it does again. Each split begins two blocks; and while one is going on, both old
        // and new blocks are there.
        let segments = items.min(self.segments.len() + items / 64 + 1);
        let begun = begun + 2 * segments;
        let blocks = begun + (self.blocks.len() + begun).min(2 * BLOCKS_MAX);
        let mut demand = Demand { blocks, segments, bodies, depth: 0 };
        let mut sorted = memory::collect(entries.iter().map(|entry| (entry.hash, entry.record_bytes())))?;
        // A key that is named several times is one item: the longest of its records counts.
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

    /// How deep a segment may be once `items` more have been added.
    pub(super) fn depth_max(&self, items: usize) -> u32 {
        let segments = self.segments.len() + items / ITEMS_MAX;
        ENTRIES_MIN.max(ENTRIES_PER_SEGMENT * segments).ilog2()
    }

    /// Notes how deep `segment` must split before it has room for `more` near `hash`.
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

    /// True if those items of `segment` that share their first `depth` bits with `hash`, and `more`,
    /// fit one segment. Stops as soon as that is clear: with honest keys after an item or two.
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

/// What is added to a segment.
#[derive(Clone, Copy)]
struct Load {
    items: usize,
    bytes: usize,
}

fn shared_bits(one: u64, other: u64) -> u32 {
    (one ^ other).leading_zeros()
}
