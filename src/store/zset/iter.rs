//! Iterators over the items of a sorted set, in order.

use super::arena::Arena;
use super::node::Leaf;
use super::path::Path;
use super::tree::{Position, Tree};

/// How many items ahead their memory is fetched.
const AHEAD: usize = 6;

/// Iterates forward over the items.
#[derive(Debug)]
pub struct Iter<'a>(Walk<'a>);

/// Iterates backward over the items.
#[derive(Debug)]
pub struct IterBack<'a>(Walk<'a>);

/// A place in the tree.
#[derive(Debug)]
struct Walk<'a> {
    arena: &'a Arena,
    tree: &'a Tree,
    path: Path,
    /// `None` at the end.
    leaf: Option<&'a Leaf>,
    /// The index in the leaf of the next item (forward), or how many items of the leaf are left (backward).
    at: usize,
}

impl<'a> Walk<'a> {
    fn new(arena: &'a Arena, tree: &'a Tree, position: Position, at: usize) -> Walk<'a> {
        let leaf = (tree.leaves.len() > 0).then(|| tree.leaves.get(position.leaf));
        Walk { arena, tree, path: position.path, leaf, at }
    }

    /// Starts to fetch the first items that the walk is going to show, from one index of the leaf to another one: the waits
    /// for their memory overlap. A range of 10 members takes a fifth less time so.
    #[inline]
    fn fetch(&self, from: usize, to: usize) {
        let handles = self.leaf.map_or(&[][..], Leaf::handles);
        for handle in handles.iter().take(to).skip(from) {
            self.arena.fetch(*handle);
        }
    }

    /// The item at this index of the leaf. Starts to fetch the item at the index `ahead`.
    #[inline]
    fn item(&self, at: usize, ahead: usize) -> Option<(&'a [u8], f64)> {
        let handles = self.leaf?.handles();
        let handle = *handles.get(at)?;
        if let Some(ahead) = handles.get(ahead) {
            self.arena.fetch(*ahead);
        }
        Some((self.arena.member(handle), self.arena.score(handle)))
    }
}

impl<'a> Iter<'a> {
    pub(super) fn new(arena: &'a Arena, tree: &'a Tree, rank: usize) -> Iter<'a> {
        let position = tree.nth(rank);
        let walk = Walk::new(arena, tree, position, position.at);
        walk.fetch(walk.at, walk.at + AHEAD);
        Iter(walk)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        let walk = &mut self.0;
        if walk.at == walk.leaf?.handles().len() {
            walk.leaf = walk.tree.turn(&mut walk.path, true);
            walk.at = 0;
        }
        walk.at += 1;
        walk.item(walk.at - 1, walk.at + AHEAD)
    }
}

impl<'a> IterBack<'a> {
    pub(super) fn new(arena: &'a Arena, tree: &'a Tree, rank: usize) -> IterBack<'a> {
        let position = tree.nth(rank);
        let left = position.at + usize::from(tree.get(&position).is_some());
        let walk = Walk::new(arena, tree, position, left);
        walk.fetch(left.saturating_sub(AHEAD), left);
        IterBack(walk)
    }
}

impl<'a> Iterator for IterBack<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        let walk = &mut self.0;
        if walk.at == 0 {
            walk.leaf = walk.tree.turn(&mut walk.path, false);
            walk.at = walk.leaf?.handles().len();
        }
        walk.at -= 1;
        walk.item(walk.at, walk.at.wrapping_sub(AHEAD))
    }
}
