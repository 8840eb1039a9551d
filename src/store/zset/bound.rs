//! Bounds: a bound cuts the order of the items in two. The items before it come first.

use super::arena::{Arena, Handle};
use super::node::Inner;

/// A place between two items in the order.
pub trait Bound {
    /// True if the item `handle`, which has this score, is before the bound.
    fn covers(&self, arena: &Arena, score: f64, handle: Handle) -> bool;

    /// How many children of `inner` have their first item before the bound.
    #[inline]
    fn children_before(&self, arena: &Arena, inner: &Inner) -> usize {
        let (scores, handles) = (inner.scores(), inner.handles());
        partition_point(scores.len(), |_| (), |at| self.covers(arena, scores[at], handles[at]))
    }
}

/// How many of the numbers below `len` come first, for which `is_before` returns true.
///
/// The next number to test is selected without a branch: the processor could not predict it. Calls `fetch` for both
/// numbers that may be tested next, so that their memory is there in time.
#[inline(always)]
pub fn partition_point(len: usize, fetch: impl Fn(usize), is_before: impl Fn(usize) -> bool) -> usize {
    let (mut base, mut size) = (0, len);
    while size > 1 {
        let half = size / 2;
        let next = (size - half) / 2;
        fetch(base + next);
        fetch(base + half + next);
        base = std::hint::select_unpredictable(is_before(base + half), base + half, base);
        size -= half;
    }
    base + usize::from(size == 1 && is_before(base))
}

/// The bound behind an item with this score and member.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The score.
    pub score: f64,
    /// The member.
    pub member: &'a [u8],
}

impl Key<'_> {
    /// Compares the members, for an item with the same score.
    #[inline(never)]
    fn covers_tie(&self, arena: &Arena, handle: Handle) -> bool {
        arena.member(handle) <= self.member
    }
}

impl Bound for Key<'_> {
    #[inline(always)]
    fn covers(&self, arena: &Arena, score: f64, handle: Handle) -> bool {
        // Scores are nearly always all different or all equal, so the processor predicts this branch.
        if score == self.score { self.covers_tie(arena, handle) } else { score < self.score }
    }

    #[inline]
    fn children_before(&self, arena: &Arena, inner: &Inner) -> usize {
        let scores = inner.scores();
        let end = scores.partition_point(|score| *score <= self.score);
        if end == 0 || scores[end - 1] < self.score {
            return end;
        }
        // Some first items have this very score, so their members decide.
        let start = scores.partition_point(|score| *score < self.score);
        let ties = &inner.handles()[start..end];
        start + partition_point(ties.len(), |_| (), |at| arena.member(ties[at]) <= self.member)
    }
}

/// The bound before or behind the items with this score.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// The score.
    pub score: f64,
    /// True if items with this score are before the bound.
    pub inclusive: bool,
}

impl Bound for Score {
    #[inline(always)]
    fn covers(&self, _: &Arena, score: f64, _: Handle) -> bool {
        (score < self.score) | (self.inclusive & (score == self.score))
    }

    #[inline]
    fn children_before(&self, _: &Arena, inner: &Inner) -> usize {
        if self.inclusive {
            inner.scores().partition_point(|score| *score <= self.score)
        } else {
            inner.scores().partition_point(|score| *score < self.score)
        }
    }
}

/// The bound before or behind the item with this member, in a set in which all scores are equal.
#[derive(Clone, Copy, Debug)]
pub struct Lex<'a> {
    /// The member.
    pub member: &'a [u8],
    /// True if the item with this member is before the bound.
    pub inclusive: bool,
}

impl Bound for Lex<'_> {
    fn covers(&self, arena: &Arena, _: f64, handle: Handle) -> bool {
        let member = arena.member(handle);
        member < self.member || self.inclusive && member == self.member
    }
}
