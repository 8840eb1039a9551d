//! A set of integers: a sequence of [runs](run) in ascending order.
//!
//! A run owns the integers from its base up to the base of the next run; the first run also owns those below its
//! base. So the run of an integer is found by binary search over the bases, and the integer by binary search in the
//! run.
//!
//! A full run is split in half. But when integers come in order, a new run begins, so that the runs are full. A run
//! with few integers is joined with a neighbour. That takes memory for a moment; if there is none, it stays as it is.

mod run;
#[cfg(test)]
mod tests;

use super::pieces::reserve_pieces;
use super::tiered::{Part, Position, Tiered};
use crate::base::OutOfMemory;
use run::{RUN_BYTES_MAX, RUN_COST, RUN_MAX, Run};

/// Most bytes by which a run grows in a change, beyond those of the integers that it gains: once in a while it
/// becomes wider, and it keeps an eighth of its room free.
const RUN_GROWTH: usize = 7 * RUN_COST + RUN_BYTES_MAX / 8;
/// Most bytes for an integer in a new run, on average. A new run only begins beside one that has at least nine
/// integers or is full.
const INTEGER_BYTES: usize = 24;

/// For up to this many integers, the memory is only counted.
const FEW: usize = 16;

/// A set of integers.
#[derive(Debug, Default)]
pub struct Ints {
    runs: Tiered<Run>,
}

impl Ints {
    /// A set without members. Allocates nothing.
    pub fn new() -> Ints {
        Ints::default()
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// True if the set has no members.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory held, in bytes.
    #[inline]
    pub fn memory(&self) -> usize {
        self.runs.memory()
    }

    /// True if `value` is a member.
    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        self.runs.find(value).is_some_and(|at| self.runs.part(at).search(value).is_ok())
    }

    /// Makes sure that `count` members can be inserted.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is not enough memory.
    #[inline]
    pub fn try_reserve(&self, count: usize) -> Result<(), OutOfMemory> {
        if count <= FEW {
            // A split of a run or block needs a few times as much, but most insertions need nothing. The headroom,
            // which is tested again after each mebibyte counted, is large enough for the difference.
            return reserve_pieces(count * (INTEGER_BYTES + RUN_GROWTH));
        }
        reserve_pieces(self.demand(count))
    }

    /// Most bytes that the insertion of `count` members allocates. A run that grows or is split exists twice for a
    /// moment.
    fn demand(&self, count: usize) -> usize {
        let runs = count.min(self.len());
        let integers = count.saturating_mul(INTEGER_BYTES);
        let new_runs = runs.saturating_add(count / 4 + 1).min(count);
        integers
            .saturating_add(runs.saturating_mul(RUN_GROWTH).min(self.memory().saturating_mul(8)))
            .saturating_add(self.runs.growth(new_runs))
            .saturating_add(2 * RUN_BYTES_MAX)
    }

    /// Makes `value` a member. Infallible after [`Ints::try_reserve`]. Returns false if it is one already.
    pub fn insert(&mut self, value: i64) -> bool {
        let Some(at) = self.runs.find(value) else {
            self.runs.insert(self.runs.end(), Run::of(&[value]));
            return true;
        };
        let run = self.runs.part(at);
        let Err(index) = run.search(value) else { return false };
        if run.len() < RUN_MAX && run.reaches(value) {
            self.runs.update(at, |run| run.insert(index, value));
        } else {
            self.insert_beyond(at, index, value);
        }
        true
    }

    /// Inserts `value` as number `index` of the run at `at`, which is full or does not reach it; or puts it into
    /// another run.
    #[inline(never)]
    fn insert_beyond(&mut self, at: Position, index: usize, value: i64) {
        let run = self.runs.part(at);
        let above = index == run.len();
        if !above && value >= run.mark() {
            let upper = self.runs.update(at, Run::split_off);
            self.runs.insert(Position::behind(at), upper);
            self.insert(value);
            return;
        }
        if self.runs.update(at, |run| insert_stretched(run, value, i64::MIN)) {
            return;
        }
        if above && let Some(next) = self.runs.next(at) {
            // The next run may get a lower base, but it must not own members of this one.
            let floor = self.runs.part(at).last() + 1;
            if self.runs.update(next, |run| insert_stretched(run, value, floor)) {
                return;
            }
        }
        let place = if above { Position::behind(at) } else { at };
        self.runs.insert(place, Run::of(&[value]));
    }

    /// Removes `value`. Needs no memory. Returns false if it is not a member.
    pub fn remove(&mut self, value: i64) -> bool {
        let Some(at) = self.runs.find(value) else { return false };
        let Ok(index) = self.runs.part(at).search(value) else { return false };
        let left = self.runs.update(at, |run| {
            run.remove(index);
            run.len()
        });
        if left == 0 {
            self.runs.remove(at);
        } else if left <= RUN_MAX / 2 && !self.join(at) {
            self.runs.previous(at).map(|before| self.join(before));
        }
        true
    }

    /// Joins the run at `at` with the next one if both have few members. Returns true if it did.
    fn join(&mut self, at: Position) -> bool {
        let Some(next) = self.runs.next(at) else { return false };
        let Some(joined) = Run::joined(self.runs.part(at), self.runs.part(next)) else { return false };
        let (_, behind) = self.runs.remove(next);
        if let Some(at) = self.runs.previous(behind) {
            self.runs.update(at, |run| *run = joined);
        }
        true
    }

    /// The member that has `rank` smaller ones.
    pub fn nth(&self, rank: usize) -> Option<i64> {
        let (at, index) = self.runs.locate(rank)?;
        Some(self.runs.part(at).at(index))
    }

    /// All members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + Clone {
        self.iter_from(i64::MIN)
    }

    /// The members from `value` on, in ascending order.
    pub fn iter_from(&self, value: i64) -> impl Iterator<Item = i64> + Clone {
        let at = self.runs.find(value).unwrap_or(self.runs.end());
        let first = self.runs.valid(at).map(|at| {
            let run = self.runs.part(at);
            run.iter_from(run.search(value).unwrap_or_else(|index| index))
        });
        let behind = self.runs.iter_from(at).skip(1).flat_map(|run| run.iter_from(0));
        first.into_iter().flatten().chain(behind)
    }

    /// Frees some runs: up to about a mebibyte, or a few hundred. Returns false if nothing is left.
    pub fn free_piece(&mut self) -> bool {
        self.runs.free_piece()
    }

    /// Checks everything. Takes long. For tests.
    ///
    /// # Panics
    /// If something is wrong.
    pub fn audit(&self) {
        self.runs.audit(true);
        let Some(first) = self.runs.first() else { return };
        let mut last = None;
        for run in self.runs.iter_from(first) {
            run.audit();
            assert!(last < Some(run.mark()), "a base below members of the run before");
            last = Some(run.last());
        }
    }
}

/// Inserts `value`, which lies below the first or above the last integer, if the run can be stretched to reach it.
fn insert_stretched(run: &mut Run, value: i64, floor: i64) -> bool {
    let stretched = run.stretch(value, floor);
    if stretched {
        run.insert(if value < run.first() { 0 } else { run.len() }, value);
    }
    stretched
}
