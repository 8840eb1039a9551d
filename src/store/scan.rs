//! Scans: they go over a table in the order of the hash. Growing and shrinking do not disturb that order.
//!
//! A position is the first 48 bits of a hash. A scan takes all items at one position together. So one number,
//! the position behind the last item, says how far a scan has come, whatever happens to the segments in the
//! meantime. Clients get that number in decimal, shuffled by `cursor`.

use super::map::below;
use super::record::Record;
use super::segment::ITEMS_MAX;
use super::table::Table;

/// Number of first bits of a hash that are its position.
const POSITION_BITS: u32 = 48;
/// Number of last bits of a hash that its position leaves out.
const IGNORED: u32 = 64 - POSITION_BITS;
/// The number behind the last position.
pub const POSITIONS_END: u64 = 1 << POSITION_BITS;

impl Table {
    /// Calls `visit` for the records from `position` on for which `wanted` returns true: for `count` of them,
    /// or a few more if several share a position. Returns the position to go on from, or 0 at the end.
    ///
    /// It looks at a number of items in proportion to `count`, so it may visit fewer than `count` records, or
    /// none. When `visit` returns false, it visits only the other records at the same position, and then
    /// stops.
    pub(super) fn scan<'a>(
        &'a self,
        mut position: u64,
        count: usize,
        wanted: impl Fn(Record<'a>) -> bool,
        mut visit: impl FnMut(Record<'a>) -> bool,
    ) -> u64 {
        let mut shown = 0;
        // Two halves with fewer items than this on average would have merged.
        let segments_max = 1 + count / (ITEMS_MAX / 4);
        for _ in 0..segments_max {
            if position >= POSITIONS_END {
                break;
            }
            let (mut here, end) = self.rest_of_segment(position);
            let room = count - shown;
            if here.len() > room {
                // Takes at least one item, because a scan with a count of 0 would never end otherwise.
                let last = here.select_nth_unstable_by_key(room.max(1) - 1, |(at, _)| *at).1.0;
                here.retain(|(at, _)| *at <= last);
                position = last + 1;
            } else {
                position = end;
            }
            here.sort_unstable_by_key(|(at, _)| *at);
            let mut last = u64::MAX;
            for (at, record) in here.into_iter().filter(|(_, record)| wanted(*record)) {
                if at > last {
                    break;
                }
                shown += 1;
                if !visit(record) {
                    last = at;
                }
            }
            if last != u64::MAX {
                position = last + 1;
                break;
            }
            if shown >= count {
                break;
            }
        }
        if position >= POSITIONS_END { 0 } else { position }
    }

    /// The records from `position` to the end of its segment, each with its position. Also returns the
    /// position behind the segment.
    fn rest_of_segment(&self, position: u64) -> (Vec<(u64, Record<'_>)>, u64) {
        let segment = self.segments.get(self.directory.segment(position << IGNORED));
        let items = segment.cells().map(|cell| {
            let record = self.record_at(segment, segment.spot(cell));
            (self.hash_of(record) >> IGNORED, record)
        });
        let end = (segment.prefix + 1) << (POSITION_BITS - segment.depth);
        (items.filter(|(at, _)| *at >= position).collect(), end)
    }

    /// All records of the table, segment by segment.
    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> + Clone {
        self.segments.iter().flat_map(move |segment| {
            segment.cells().map(move |cell| self.record_at(segment, segment.spot(cell)))
        })
    }

    /// The record that two random numbers choose. Every record is equally likely. `None` if they choose an
    /// empty place in a segment; in a table that has grown, that happens less than half the time.
    pub(super) fn pick(&self, random: (u64, u64)) -> Option<Record<'_>> {
        let segment = self.segments.get(below(self.segments.len(), random.0) as u32);
        let cell = segment.nth(below(ITEMS_MAX, random.1))?;
        Some(self.record_at(segment, segment.spot(cell)))
    }
}
