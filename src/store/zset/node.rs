//! The nodes of the tree. A leaf has the handles of items. An inner node has entries, one for each child.
//!
//! A leaf has nothing but handles, because there are many leaves. An entry of an inner node has a copy of the
//! lowest score below it. So a search reads items of the arena only in the leaf, or where scores are equal.

use super::arena::{Arena, Handle, NO_ITEM};
use super::pieces::Pieces;
use super::tree::Tree;
use crate::store::prefetch::prefetch;

/// Most items of a leaf: with its length, a leaf has 256 bytes, which are four lines of memory.
const LEAF_MAX: usize = 63;
/// Most children of an inner node. A tree of a few thousand items has only one inner node.
const INNER_MAX: usize = 64;

/// A node at the lowest level: handles of items, in the order of the items.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Leaf {
    handles: [Handle; LEAF_MAX],
    len: u32,
}

/// A node above the lowest level.
#[derive(Clone, Copy, Debug)]
pub struct Inner {
    scores: [f64; INNER_MAX],
    handles: [Handle; INNER_MAX],
    children: [u32; INNER_MAX],
    counts: [u32; INNER_MAX],
    len: u32,
}

/// What an inner node knows about a child.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The score of the first item below the child.
    pub score: f64,
    /// The handle of that item.
    pub handle: Handle,
    /// The number of the child, which is a leaf or an inner node.
    pub child: u32,
    /// How many items are below the child.
    pub count: u32,
}

/// What leaves and inner nodes have in common.
pub trait Node: Copy {
    /// Most handles or entries.
    const MAX: usize;
    /// A node with nothing in it.
    const EMPTY: Self;
    /// True for a leaf.
    const IS_LEAF: bool;

    /// Number of handles or entries.
    fn len(&self) -> usize;

    /// Moves the last `n` handles or entries of this node to the front of `right`.
    fn give_right(&mut self, right: &mut Self, n: usize);

    /// Moves the first `n` handles or entries of this node to the end of `left`.
    fn give_left(&mut self, left: &mut Self, n: usize);

    /// The entry for this node, whose number is `child`.
    fn entry(&self, arena: &Arena, child: u32) -> Entry;

    /// All nodes of this kind.
    fn all(tree: &Tree) -> &Pieces<Self>;

    /// All nodes of this kind, to be changed.
    fn all_mut(tree: &mut Tree) -> &mut Pieces<Self>;
}

impl Leaf {
    /// Starts to fetch the memory of the leaf.
    #[inline]
    pub fn fetch(&self) {
        for at in (0..LEAF_MAX).step_by(16) {
            prefetch(&self.handles[at]);
        }
    }

    /// The handles of its items, in order.
    #[inline]
    pub fn handles(&self) -> &[Handle] {
        &self.handles[..self.len as usize % (LEAF_MAX + 1)]
    }

    /// The index of the item `handle`.
    ///
    /// # Panics
    /// If the item is not here.
    #[inline]
    pub fn position(&self, handle: Handle) -> usize {
        let mut found = u32::MAX;
        // It compares all of them, because the compiler can do that for several at once.
        for (at, other) in (0..).zip(self.handles()) {
            found = if *other == handle { at } else { found };
        }
        assert!(found < self.len, "each item is in the leaf of its key");
        found as usize
    }

    /// Adds an item at this index.
    #[inline]
    pub fn insert(&mut self, at: usize, handle: Handle) {
        self.handles.copy_within(at..self.len as usize, at + 1);
        self.handles[at] = handle;
        self.len += 1;
    }

    /// Removes the item at this index.
    #[inline]
    pub fn remove(&mut self, at: usize) {
        self.handles.copy_within(at + 1..self.len as usize, at);
        self.len -= 1;
    }

    /// Moves the item at index `from` to index `to`.
    pub fn shift(&mut self, from: usize, to: usize) {
        if from < to {
            self.handles[from..=to].rotate_left(1);
        } else {
            self.handles[to..=from].rotate_right(1);
        }
    }

    /// Replaces the item at this index.
    pub fn set(&mut self, at: usize, handle: Handle) {
        self.handles[at] = handle;
    }
}

impl Inner {
    /// Starts to fetch the memory that a search reads.
    #[inline]
    pub fn fetch(&self) {
        for at in (0..INNER_MAX).step_by(8) {
            prefetch(&self.scores[at]);
        }
    }

    /// The lowest score below each child.
    #[inline]
    pub fn scores(&self) -> &[f64] {
        &self.scores[..self.len as usize]
    }

    /// The first item below each child.
    #[inline]
    pub fn handles(&self) -> &[Handle] {
        &self.handles[..self.len as usize]
    }

    /// The number of items below each child.
    #[inline]
    pub fn counts(&self) -> &[u32] {
        &self.counts[..self.len as usize]
    }

    /// The number of a child.
    #[inline]
    pub fn child(&self, at: usize) -> u32 {
        self.children[at]
    }

    /// The number of items below the first `end` children.
    #[inline]
    pub fn count_before(&self, end: usize) -> usize {
        self.counts[..end].iter().fold(0, |sum: u32, count| sum.wrapping_add(*count)) as usize
    }

    /// The child that has item number `rank` of this node, and the number of the item below the child. A rank
    /// behind the last item belongs to the last child.
    pub fn child_at_rank(&self, mut rank: usize) -> (usize, usize) {
        let last = self.len as usize - 1;
        for (at, count) in self.counts().iter().enumerate() {
            if rank < *count as usize || at == last {
                return (at, rank);
            }
            rank -= *count as usize;
        }
        (0, rank)
    }

    /// Adds `by` to the number of items below a child.
    #[inline]
    pub fn add_count(&mut self, at: usize, by: i32) {
        self.counts[at] = self.counts[at].wrapping_add_signed(by);
    }

    /// Notes the first item below a child.
    pub fn set_first(&mut self, at: usize, score: f64, handle: Handle) {
        self.scores[at] = score;
        self.handles[at] = handle;
    }

    /// Notes that a child has a new number.
    pub fn set_child(&mut self, at: usize, child: u32) {
        self.children[at] = child;
    }

    /// Replaces the entry at this index.
    pub fn set(&mut self, at: usize, entry: Entry) {
        self.scores[at] = entry.score;
        self.handles[at] = entry.handle;
        self.children[at] = entry.child;
        self.counts[at] = entry.count;
    }

    /// Adds an entry at this index.
    pub fn insert(&mut self, at: usize, entry: Entry) {
        let len = self.len as usize;
        self.scores.copy_within(at..len, at + 1);
        self.handles.copy_within(at..len, at + 1);
        self.children.copy_within(at..len, at + 1);
        self.counts.copy_within(at..len, at + 1);
        self.len += 1;
        self.set(at, entry);
    }

    /// Removes the entry at this index.
    pub fn remove(&mut self, at: usize) {
        let len = self.len as usize;
        self.scores.copy_within(at + 1..len, at);
        self.handles.copy_within(at + 1..len, at);
        self.children.copy_within(at + 1..len, at);
        self.counts.copy_within(at + 1..len, at);
        self.len -= 1;
    }
}

impl Node for Leaf {
    const MAX: usize = LEAF_MAX;
    const EMPTY: Leaf = Leaf { handles: [NO_ITEM; LEAF_MAX], len: 0 };
    const IS_LEAF: bool = true;

    fn len(&self) -> usize {
        self.len as usize
    }

    fn give_right(&mut self, right: &mut Leaf, n: usize) {
        let right_len = right.len();
        to_front(&self.handles[..self.len()], &mut right.handles, right_len, n);
        self.len -= n as u32;
        right.len += n as u32;
    }

    fn give_left(&mut self, left: &mut Leaf, n: usize) {
        let left_len = left.len();
        to_end(&mut self.handles, &mut left.handles, left_len, n);
        self.len -= n as u32;
        left.len += n as u32;
    }

    fn entry(&self, arena: &Arena, child: u32) -> Entry {
        let first = self.handles().first().copied();
        // A leaf without items is about to get its first item; then the entry gets its score and handle.
        let (score, handle) = first.map_or((0.0, NO_ITEM), |handle| (arena.score(handle), handle));
        Entry { score, handle, child, count: self.len }
    }

    fn all(tree: &Tree) -> &Pieces<Leaf> {
        &tree.leaves
    }

    fn all_mut(tree: &mut Tree) -> &mut Pieces<Leaf> {
        &mut tree.leaves
    }
}

impl Node for Inner {
    const MAX: usize = INNER_MAX;
    const EMPTY: Inner = Inner {
        scores: [0.0; INNER_MAX],
        handles: [NO_ITEM; INNER_MAX],
        children: [0; INNER_MAX],
        counts: [0; INNER_MAX],
        len: 0,
    };
    const IS_LEAF: bool = false;

    fn len(&self) -> usize {
        self.len as usize
    }

    fn give_right(&mut self, right: &mut Inner, n: usize) {
        let (len, right_len) = (self.len(), right.len());
        to_front(&self.scores[..len], &mut right.scores, right_len, n);
        to_front(&self.handles[..len], &mut right.handles, right_len, n);
        to_front(&self.children[..len], &mut right.children, right_len, n);
        to_front(&self.counts[..len], &mut right.counts, right_len, n);
        self.len -= n as u32;
        right.len += n as u32;
    }

    fn give_left(&mut self, left: &mut Inner, n: usize) {
        let left_len = left.len();
        to_end(&mut self.scores, &mut left.scores, left_len, n);
        to_end(&mut self.handles, &mut left.handles, left_len, n);
        to_end(&mut self.children, &mut left.children, left_len, n);
        to_end(&mut self.counts, &mut left.counts, left_len, n);
        self.len -= n as u32;
        left.len += n as u32;
    }

    fn entry(&self, _: &Arena, child: u32) -> Entry {
        let count = self.count_before(self.len()) as u32;
        Entry { score: self.scores[0], handle: self.handles[0], child, count }
    }

    fn all(tree: &Tree) -> &Pieces<Inner> {
        &tree.inners
    }

    fn all_mut(tree: &mut Tree) -> &mut Pieces<Inner> {
        &mut tree.inners
    }
}

/// Copies the last `n` elements of `from` to the front of `to`, which has `to_len` elements.
fn to_front<T: Copy>(from: &[T], to: &mut [T], to_len: usize, n: usize) {
    to.copy_within(..to_len, n);
    to[..n].copy_from_slice(&from[from.len() - n..]);
}

/// Moves the first `n` elements of `from` to the end of `to`, which has `to_len` elements.
fn to_end<T: Copy>(from: &mut [T], to: &mut [T], to_len: usize, n: usize) {
    to[to_len..to_len + n].copy_from_slice(&from[..n]);
    from.copy_within(n.., 0);
}
