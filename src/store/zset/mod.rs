//! Sorted sets with many members.
//!
//! The [arena] has the items: a member with its score is one item. A handle of four bytes names an item. It
//! lies in the [index], which finds an item by its member, and in the [tree], which keeps the
//! items in order. Nothing else is kept for an item.
//!
//! All three grow and shrink in small pieces, so that no operation on one member takes long.
//!
//! Invariants: the index and the tree have the same handles, those of the items in the arena. Two items never
//! have the same member.

mod arena;
mod audit;
mod balance;
mod bound;
mod bucket;
mod compact;
mod index;
mod iter;
mod large;
mod node;
mod path;
mod pieces;
mod room;
mod scan;
mod segment;
mod tree;

#[cfg(test)]
mod tests;

use ahash::RandomState;
use std::hash::{BuildHasher, Hasher};

use self::arena::{Arena, Handle};
use self::bound::{Bound, Lex, Score};
use self::index::Index;
pub use self::iter::{Iter, IterBack};
use self::room::Need;
use self::tree::Tree;
use crate::base::OutOfMemory;

/// Members with scores, in the order of the scores. Members with equal scores are in the order of their bytes.
#[derive(Debug)]
pub struct Zset {
    /// The seeded hash function.
    hasher: RandomState,
    /// The members and their scores.
    arena: Arena,
    /// Finds an item by its member.
    index: Index,
    /// The order of the items.
    tree: Tree,
    /// Number of members.
    len: usize,
}

/// Where a member is, until the set changes.
#[derive(Clone, Copy, Debug)]
pub struct Spot(Handle);

impl Zset {
    /// A set without members, which hashes with `hasher`.
    pub fn new(hasher: RandomState) -> Zset {
        Zset { hasher, arena: Arena::new(), index: Index::new(), tree: Tree::new(), len: 0 }
    }

    /// Number of members.
    #[allow(clippy::len_without_is_empty)] // only its maker sees one without members
    pub fn len(&self) -> usize {
        self.len
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.arena.memory() + self.index.memory() + self.tree.memory()
    }

    /// The hash of `member`.
    #[inline]
    pub fn hash(&self, member: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(member);
        hasher.finish()
    }

    /// Starts to fetch the part of the index that finds a member with this hash.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Starts to fetch a member that probably has this hash, with its score.
    #[inline]
    pub fn prefetch_member(&self, hash: u64) {
        if let Some(handle) = self.index.guess(hash) {
            self.arena.fetch(handle);
        }
    }

    #[inline]
    fn find(&self, hash: u64, member: &[u8]) -> Option<Handle> {
        self.index.find(hash, |handle| self.arena.member(handle) == member)
    }

    /// The score of `member`.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        Some(self.arena.score(self.find(self.hash(member), member)?))
    }

    /// How many members come before `member`.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let handle = self.find(self.hash(member), member)?;
        Some(self.tree.rank(&self.tree.locate(&self.arena, handle)))
    }

    /// Member number `rank` in the order, and its score.
    pub fn nth(&self, rank: usize) -> Option<(&[u8], f64)> {
        let handle = self.tree.get(&self.tree.nth(rank))?;
        Some((self.arena.member(handle), self.arena.score(handle)))
    }

    /// The members from number `rank` on.
    pub fn iter_from(&self, rank: usize) -> Iter<'_> {
        Iter::new(&self.arena, &self.tree, rank)
    }

    /// Member number `rank` and those before it, backward. If `rank` is too large, from the last member on.
    pub fn iter_back_from(&self, rank: usize) -> IterBack<'_> {
        IterBack::new(&self.arena, &self.tree, rank)
    }

    /// How many members have a score below `score`, or, if `inclusive`, not above it.
    pub fn count_below(&self, score: f64, inclusive: bool) -> usize {
        self.count_before(&Score { score, inclusive })
    }

    /// How many members come before `member` in the order of their bytes; if `inclusive`, counts `member` too. All
    /// members must have the same score.
    pub fn count_below_lex(&self, member: &[u8], inclusive: bool) -> usize {
        self.count_before(&Lex { member, inclusive })
    }

    fn count_before(&self, bound: &impl Bound) -> usize {
        self.tree.rank(&self.tree.seek(&self.arena, bound))
    }

    /// Reserves memory for members of these lengths, in bytes. After that they can be inserted, or get other
    /// scores, without asking for memory. Members longer than 1 KiB must then come in this order; any of the
    /// members may be left out. A removal ends the reservation.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; no member has changed.
    pub fn try_reserve(&mut self, lengths: impl IntoIterator<Item = usize>) -> Result<(), OutOfMemory> {
        self.arena.larges.drop_spares();
        let mut need = Need::default();
        for len in lengths {
            need.add(len);
            self.arena.larges.try_reserve(len)?;
        }
        self.compact(need.items);
        self.arena.try_reserve(need)?;
        self.index.try_reserve(need.items)?;
        self.tree.try_reserve(need.items)
    }

    /// Where `member` is, and its score, if it is there and can get another score without asking for memory.
    #[inline]
    pub fn ready_member(&self, member: &[u8]) -> Option<(Spot, f64)> {
        let handle = self.find(self.hash(member), member)?;
        self.tree.is_ready().then(|| (Spot(handle), self.arena.score(handle)))
    }

    /// The member at a spot.
    pub fn member_at(&self, Spot(handle): Spot) -> &[u8] {
        self.arena.member(handle)
    }

    /// Gives a member another score, which is not NaN, at once after [`Zset::ready_member`].
    #[inline]
    pub fn set_score(&mut self, Spot(handle): Spot, score: f64) {
        self.tree.change_score(&mut self.arena, handle, score);
    }

    /// Gives `member` this score, which is not NaN, and returns the score that it had. [`Zset::try_reserve`] has
    /// reserved the memory.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let hash = self.hash(member);
        if let Some(handle) = self.find(hash, member) {
            let old = self.arena.score(handle);
            if old == score {
                // The sign of a zero may have changed.
                self.arena.set_score(handle, score);
            } else {
                self.tree.change_score(&mut self.arena, handle, score);
            }
            return Some(old);
        }
        let handle = self.arena.insert(member, score);
        let hash_of = hash_in(&self.hasher, &self.arena);
        self.index.insert(hash, handle, hash_of);
        self.tree.insert(&self.arena, handle);
        self.len += 1;
        None
    }

    /// Removes `member` and returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let hash = self.hash(member);
        let handle = self.find(hash, member)?;
        Some(self.remove_item(hash, handle))
    }

    /// Removes member number `rank` in the order. Returns false if there is none.
    pub fn remove_nth(&mut self, rank: usize) -> bool {
        let Some(handle) = self.tree.get(&self.tree.nth(rank)) else { return false };
        let hash = self.hash(self.arena.member(handle));
        self.remove_item(hash, handle);
        true
    }

    /// Removes an item, whose member has this hash, and returns its score.
    fn remove_item(&mut self, hash: u64, handle: Handle) -> f64 {
        let score = self.arena.score(handle);
        self.tree.remove(&self.arena, handle);
        self.index.remove(hash, handle, hash_in(&self.hasher, &self.arena));
        self.arena.remove(handle);
        self.len -= 1;
        self.compact(1);
        self.arena.trim();
        self.index.trim();
        self.tree.trim();
        score
    }

    /// Frees some memory of a set that is no longer used; after the first call only this method and
    /// [`Zset::memory`] may be called. Returns false if nothing is left.
    pub fn free_piece(&mut self) -> bool {
        self.arena.free_piece() || self.tree.free_piece() || self.index.free_piece()
    }
}

/// Returns a function that returns the hash of an item's member.
fn hash_in<'a>(hasher: &'a RandomState, arena: &'a Arena) -> impl Fn(Handle) -> u64 + 'a {
    move |handle| {
        let mut state = hasher.build_hasher();
        state.write(arena.member(handle));
        state.finish()
    }
}
