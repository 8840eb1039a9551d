//! Scans: they go over the items in the order of their positions. Growing and shrinking do not disturb that order.
//!
//! A scan takes all items at one position together. So one number, the position behind the last item, says
//! how far a scan has come.

use super::Zset;
use super::arena::Handle;
use super::index::{POSITIONS_END, position};
use super::segment::ITEMS_MAX;

impl Zset {
    /// Calls `visit` for the items from `start` on: for `count` of them, or a few more if several share a
    /// position. Returns the position to go on from, or 0 at the end.
    ///
    /// It looks at a number of items in proportion to `count`, so it may visit fewer than `count` items, or none.
    /// When `visit` returns false, it visits only the other items at the same position, and then stops.
    pub fn scan<'a>(
        &'a self,
        start: u64,
        count: usize,
        mut visit: impl FnMut((&'a [u8], f64)) -> bool,
    ) -> u64 {
        let mut start = start;
        let mut shown = 0;
        // Two halves with fewer items than this on average would have merged.
        let segments_max = 1 + count / (ITEMS_MAX / 4);
        for _ in 0..segments_max {
            if start >= POSITIONS_END {
                break;
            }
            let (mut here, end) = self.rest_of_segment(start);
            here.sort_unstable_by_key(|(at, _)| *at);
            start = end;
            let mut last = u64::MAX;
            let enough = (count - shown).max(1);
            for (nth, (at, handle)) in here.into_iter().enumerate() {
                if at > last {
                    break;
                }
                shown += 1;
                let go_on = visit((self.arena.member(handle), self.arena.score(handle)));
                if (!go_on || nth + 1 >= enough) && last == u64::MAX {
                    last = at;
                }
            }
            if last != u64::MAX {
                start = last + 1;
                break;
            }
            if shown >= count {
                break;
            }
        }
        if start >= POSITIONS_END { 0 } else { start }
    }

    /// The items from the position `start` to the end of its segment, each with its position. Also returns the
    /// position behind the segment.
    fn rest_of_segment(&self, start: u64) -> (Vec<(u64, Handle)>, u64) {
        let (handles, end) = self.index.rest_of_segment(start);
        let items = handles.map(|handle| (position(self.hash(self.arena.member(handle))), handle));
        (items.filter(|(at, _)| (start..end).contains(at)).collect(), end)
    }
}
