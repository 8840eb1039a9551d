//! Iteration in an order that growing and shrinking don't disturb: that of the hash.
//!
//! A position is the first 48 bits of a hash. A scan takes all items at one position together. So a single position says
//! how far the scan has come, even if segments have split or merged since. Clients write it in decimal, and 48 bits
//! survive in clients that keep numbers as floating point. `cursor` shows clients a position as a cursor.

use super::hash::below;
use super::record::Record;
use super::segment::ITEMS_MAX;
use super::table::Table;

/// Bits of a hash that make a position.
pub const POSITION_BITS: u32 = 48;
/// Bits of a hash that a position leaves out.
const IGNORED: u32 = 64 - POSITION_BITS;
/// Behind the last position.
const END: u64 = 1 << POSITION_BITS;

impl Table {
    /// Shows `visit` the records from `position` on, `count` or a few more, those that `wanted`
    /// accepts; returns the position to go on from, 0 at the end. Looks at a number of items in
    /// proportion to `count`, so there may be fewer, or none. Once `visit` has said false, it is only
    /// shown what shares the position of that record.
    pub(super) fn scan<'a>(
        &'a self,
        mut position: u64,
        count: usize,
        wanted: impl Fn(Record<'a>) -> bool,
        mut visit: impl FnMut(Record<'a>) -> bool,
    ) -> u64 {
        let mut shown = 0;
        // Halves with fewer items than this on average would have merged.
        let segments_max = 1 + count / (ITEMS_MAX / 4);
        for _ in 0..segments_max {
            if position >= END {
                break;
            }
            let (mut here, end) = self.rest_of_segment(position);
            let room = count - shown;
            if here.len() > room {
                // At least one, or a count of nothing would never end.
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
        if position >= END { 0 } else { position }
    }

    /// The items from `position` to the end of its segment, with their positions, and that end.
    fn rest_of_segment(&self, position: u64) -> (Vec<(u64, Record<'_>)>, u64) {
        let segment = self.segments.get(self.directory.segment(position << IGNORED));
        let items = segment.cells().map(|cell| {
            let record = self.record_at(segment, segment.spot(cell));
            (self.hash_of(record) >> IGNORED, record)
        });
        let end = (segment.prefix + 1) << (POSITION_BITS - segment.depth);
        (items.filter(|(at, _)| *at >= position).collect(), end)
    }

    /// All records, segment by segment.
    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.segments.iter().flat_map(move |segment| {
            segment.cells().map(move |cell| self.record_at(segment, segment.spot(cell)))
        })
    }

    /// The record that two random numbers choose, every one being as likely; `None` if they choose a
    /// place in a segment that is empty, as less than every second does in a table that has grown.
    pub(super) fn pick(&self, random: (u64, u64)) -> Option<Record<'_>> {
        let segment = self.segments.get(below(self.segments.len(), random.0) as u32);
        let cell = segment.nth(below(ITEMS_MAX, random.1))?;
        Some(self.record_at(segment, segment.spot(cell)))
    }
}
