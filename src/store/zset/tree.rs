//! The tree: a counted B+ tree that keeps the items in order, first by score, then by the bytes of the member.
//!
//! A leaf has handles of items. An inner node knows the first item and the number of items below each child,
//! so the tree finds an item by its place in the order. Nodes lie in chunked vectors, and have numbers.
//! `balance` splits and dissolves nodes.
//!
//! Invariants: the score and handle of an entry are those of the first item below the child. No node is empty, and
//! an inner node has at least two children.

use super::arena::{Arena, Handle};
use super::bound::{Bound, Key, partition_point};
use super::node::{Inner, Leaf, Node};
use super::path::Path;
use super::pieces::Pieces;
use crate::base::OutOfMemory;

/// An item that gets another score is looked for within so many items first.
const NEAR: usize = 8;

/// The order of the items.
#[derive(Debug)]
pub struct Tree {
    /// All leaves.
    pub(super) leaves: Pieces<Leaf>,
    /// All other nodes.
    pub(super) inners: Pieces<Inner>,
    /// The number of the root, which is an inner node unless the height is 0.
    pub(super) root: u32,
    /// Number of levels of inner nodes.
    pub(super) height: usize,
}

/// A place in a leaf.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The way to the leaf.
    pub path: Path,
    /// The number of the leaf.
    pub leaf: u32,
    /// An index in the leaf, or its length.
    pub at: usize,
}

impl Tree {
    /// A tree without items. Allocates nothing.
    pub fn new() -> Tree {
        Tree { leaves: Pieces::new(), inners: Pieces::new(), root: 0, height: 0 }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.leaves.memory() + self.inners.memory()
    }

    /// Reserves room, so that `items` items can be inserted without asking for memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn try_reserve(&mut self, items: usize) -> Result<(), OutOfMemory> {
        // A full leaf splits only if its neighbours are full. Then the three of them take many items before one of
        // them splits again.
        let leaves = items.min(self.leaves.len() + items / 8 + 1);
        self.leaves.try_reserve(leaves)?;
        if self.height <= 1 && self.leaves.len() + leaves <= Inner::MAX {
            // All leaves are children of the root.
            return self.inners.try_reserve(1 - self.height);
        }
        // A leaf that splits may split a node at each level, and the root may get a parent. A batch of many items adds
        // several levels, but far fewer nodes than one for eight leaves.
        let levels = self.height.max(1);
        self.inners.try_reserve((leaves * levels + 1).min(leaves / 8 + levels + 4))
    }

    /// True if an item can be inserted without asking for memory, as after [`Tree::try_reserve`].
    #[inline]
    pub fn is_ready(&self) -> bool {
        let is_low = self.height <= 1 && self.leaves.len() < Inner::MAX;
        let inners = if is_low { 1 - self.height } else { self.height.max(1) + 1 };
        self.leaves.has_room(1) && self.inners.has_room(inners)
    }

    /// Finds the leaf in which the bound lies, and its index there.
    #[inline]
    pub fn seek(&self, arena: &Arena, bound: &impl Bound) -> Position {
        let (path, leaf) = self.descend(arena, bound);
        if self.leaves.len() == 0 {
            return Position { path, leaf, at: 0 };
        }
        let handles = self.leaves.get(leaf).handles();
        let fetch = |at: usize| arena.fetch(handles[at]);
        let at = partition_point(handles.len(), fetch, |at| {
            let handle = handles[at];
            bound.covers(arena, arena.score(handle), handle)
        });
        Position { path, leaf, at }
    }

    /// Finds the leaf that has the last item before the bound; the first leaf if there is no such item.
    #[inline]
    fn descend(&self, arena: &Arena, bound: &impl Bound) -> (Path, u32) {
        let mut path = Path::new();
        let mut number = self.root;
        for level in (1..=self.height).rev() {
            let inner = self.inners.get(number);
            let at = bound.children_before(arena, inner).saturating_sub(1);
            path.push(number, at);
            number = inner.child(at);
            if level == 1 {
                self.leaves.get(number).fetch();
            } else {
                self.inners.get(number).fetch();
            }
        }
        (path, number)
    }

    /// Finds an item.
    #[inline]
    pub fn locate(&self, arena: &Arena, handle: Handle) -> Position {
        let (path, leaf) = self.descend(arena, &key_of(arena, handle));
        Position { path, leaf, at: self.leaves.get(leaf).position(handle) }
    }

    /// How many items are before a position.
    #[inline]
    pub fn rank(&self, position: &Position) -> usize {
        let before = |(node, at)| self.inners.get(node).count_before(at as usize);
        position.path.steps().iter().map(|step| before((step.node, step.at))).sum::<usize>() + position.at
    }

    /// The position of item number `rank`, or the end of the last leaf if there is no such item.
    pub fn nth(&self, mut rank: usize) -> Position {
        let mut path = Path::new();
        let mut number = self.root;
        for _ in 0..self.height {
            let inner = self.inners.get(number);
            let (at, rest) = inner.child_at_rank(rank);
            path.push(number, at);
            (number, rank) = (inner.child(at), rest);
        }
        let len = if self.leaves.len() == 0 { 0 } else { self.leaves.get(number).handles().len() };
        Position { path, leaf: number, at: rank.min(len) }
    }

    /// The handle at a position; `None` at the end of its leaf.
    pub fn get(&self, position: &Position) -> Option<Handle> {
        if self.leaves.len() == 0 {
            return None;
        }
        self.leaves.get(position.leaf).handles().get(position.at).copied()
    }

    /// Adds an item, which is in the arena and not yet in the tree.
    pub fn insert(&mut self, arena: &Arena, handle: Handle) {
        let key = key_of(arena, handle);
        if self.leaves.len() == 0 {
            (self.root, self.height) = (self.leaves.push(Leaf::EMPTY), 0);
        }
        let Position { mut path, mut leaf, mut at } = self.seek(arena, &key);
        if self.leaves.get(leaf).len() == Leaf::MAX {
            (leaf, at) = self.make_room::<Leaf>(arena, &mut path, 0, leaf, at);
        }
        self.leaves.get_mut(leaf).insert(at, handle);
        for step in path.steps() {
            self.inners.get_mut(step.node).add_count(step.at as usize, 1);
        }
        if at == 0 {
            self.note_first(&path, key.score, handle);
        }
    }

    /// Removes an item, which is still in the arena with the same score.
    pub fn remove(&mut self, arena: &Arena, handle: Handle) {
        let position = self.locate(arena, handle);
        self.remove_at(arena, position);
    }

    /// Changes the score of an item.
    pub fn change_score(&mut self, arena: &mut Arena, handle: Handle, score: f64) {
        let position = self.locate(arena, handle);
        if !self.stays(arena, &position, score) && !self.moves_within(arena, &position, score) {
            self.remove_at(arena, position);
            arena.set_score(handle, score);
            self.insert(arena, handle);
        } else {
            arena.set_score(handle, score);
        }
    }

    /// Moves the item at `position` to where it belongs with another score, if that is in the same leaf and neither place
    /// is the first one. Most increments are so small. Returns false if it has moved nothing.
    fn moves_within(&mut self, arena: &Arena, position: &Position, score: f64) -> bool {
        let (at, leaf) = (position.at, self.leaves.get(position.leaf));
        let handles = leaf.handles();
        let (first, next) = match position.path.steps().last() {
            Some(step) => {
                let scores = self.inners.get(step.node).scores();
                (scores[step.at as usize], scores.get(step.at as usize + 1).copied())
            }
            None => (arena.score(handles[0]), None),
        };
        let end = next.unwrap_or_else(|| arena.score(handles[handles.len() - 1]));
        if at == 0 || score <= first || score >= end {
            return false;
        }
        let key = Key { score, member: arena.member(handles[at]) };
        let covers = |handle: &Handle| key.covers(arena, arena.score(*handle), *handle);
        let to = if score > arena.score(handles[at]) {
            let near = (at + 1 + NEAR).min(handles.len());
            let end = if near < handles.len() && covers(&handles[near]) { handles.len() } else { near };
            at + handles[at + 1..end].partition_point(covers)
        } else {
            let near = at.saturating_sub(NEAR).max(1);
            let start = if covers(&handles[near]) { near } else { 1 };
            start + handles[start..at].partition_point(covers)
        };
        self.leaves.get_mut(position.leaf).shift(at, to);
        true
    }

    /// True if the item at `position` has an item on either side in its leaf, and stays between them when its
    /// score changes.
    #[inline]
    fn stays(&self, arena: &Arena, position: &Position, score: f64) -> bool {
        let handles = self.leaves.get(position.leaf).handles();
        position.at > 0
            && position.at + 1 < handles.len()
            && arena.score(handles[position.at - 1]) < score
            && score < arena.score(handles[position.at + 1])
    }

    fn remove_at(&mut self, arena: &Arena, Position { mut path, leaf: number, at }: Position) {
        let leaf = self.leaves.get_mut(number);
        leaf.remove(at);
        let first = leaf.handles().first().copied();
        for step in path.steps() {
            self.inners.get_mut(step.node).add_count(step.at as usize, -1);
        }
        if at == 0
            && let Some(first) = first
        {
            self.note_first(&path, arena.score(first), first);
        }
        self.rebalance(arena, &mut path);
    }

    /// Notes that an item has moved in the arena from `old` to `new`. Both still have the item's bytes.
    pub fn replace(&mut self, arena: &Arena, old: Handle, new: Handle) {
        let position = self.locate(arena, old);
        self.leaves.get_mut(position.leaf).set(position.at, new);
        if position.at == 0 {
            self.note_first(&position.path, arena.score(new), new);
        }
    }

    /// Notes which item is the first in the leaf at the end of `path`.
    pub(super) fn note_first(&mut self, path: &Path, score: f64, handle: Handle) {
        for step in path.steps().iter().rev() {
            self.inners.get_mut(step.node).set_first(step.at as usize, score, handle);
            if step.at > 0 {
                return;
            }
        }
    }

    /// Moves a path on to the next leaf, or back to the previous one. Returns the leaf; `None` if there is none.
    pub fn turn(&self, path: &mut Path, forward: bool) -> Option<&Leaf> {
        let turns = |at: usize, len: usize| {
            if forward { (at + 1 < len).then_some(at + 1) } else { at.checked_sub(1) }
        };
        let (level, at) = (1..=path.height()).find_map(|level| {
            let step = path.step(level);
            Some((level, turns(step.at as usize, self.inners.get(step.node).len())?))
        })?;
        let node = path.step(level).node;
        path.set(level, node, at);
        path.cut(level);
        let mut number = self.inners.get(node).child(at);
        for _ in 1..level {
            let inner = self.inners.get(number);
            let at = if forward { 0 } else { inner.len() - 1 };
            path.push(number, at);
            number = inner.child(at);
        }
        Some(self.leaves.get(number))
    }

    /// Frees memory that is not likely to be used soon.
    #[inline]
    pub fn trim(&mut self) {
        self.leaves.trim();
        self.inners.trim();
    }

    /// Frees some memory of a set that is no longer used. Returns false if none is left.
    pub fn free_piece(&mut self) -> bool {
        self.leaves.pop_chunk() || self.inners.pop_chunk()
    }
}

/// The bound behind an item.
#[inline]
pub fn key_of(arena: &Arena, handle: Handle) -> Key<'_> {
    Key { score: arena.score(handle), member: arena.member(handle) }
}
