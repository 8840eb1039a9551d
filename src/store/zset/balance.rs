//! Keeps the nodes of the tree well filled.
//!
//! A full node shares its content with a neighbour before it splits. At the end of a row of full nodes it
//! splits off an empty node, so items that come in order fill their leaves.
//!
//! After a removal, a node dissolves as soon as its two neighbours have room for all that it has. A tree
//! that shrinks goes from three nodes that are two thirds full to two full ones.

use super::arena::Arena;
use super::bound::Bound;
use super::node::{Inner, Leaf, Node};
use super::path::Path;
use super::tree::{Tree, key_of};

/// A full node shares with a neighbour only if that has this many free places: sharing must not happen each time.
const SHARED_MIN: usize = 4;
/// A node dissolves only if each neighbour keeps this many free places: the next insertion should not split it.
const SLACK: usize = 5;

impl Tree {
    /// Makes room in the full node `number` at `level` of `path`. Something is going to be inserted at index
    /// `at` (a leaf), or before or behind entry `at` (an inner node). Returns the node and the index that take
    /// the place of these, and corrects the path above the node.
    pub(super) fn make_room<N: Node>(
        &mut self,
        arena: &Arena,
        path: &mut Path,
        level: usize,
        number: u32,
        at: usize,
    ) -> (u32, usize) {
        if level == path.height() {
            self.add_root::<N>(arena, number);
            path.push_root(self.root);
        }
        let parent = path.step(level + 1);
        let (left, right) = self.neighbours::<N>(parent.node, parent.at as usize);
        let least = left.into_iter().chain(right).min().unwrap_or(N::MAX);
        if least + SHARED_MIN > N::MAX {
            self.split::<N>(arena, path, level, at)
        } else if right == Some(least) {
            self.share::<N>(arena, parent.node, parent.at as usize);
            self.settle_right::<N>(path, level, at)
        } else {
            self.share::<N>(arena, parent.node, parent.at as usize - 1);
            self.settle_left::<N>(path, level, at, least)
        }
    }

    /// Puts an inner node above the root.
    fn add_root<N: Node>(&mut self, arena: &Arena, number: u32) {
        let mut root = Inner::EMPTY;
        root.insert(0, N::all(self).get(number).entry(arena, number));
        self.root = self.inners.push(root);
        self.height += 1;
    }

    /// Splits the full node at `level` of `path`.
    fn split<N: Node>(&mut self, arena: &Arena, path: &mut Path, level: usize, at: usize) -> (u32, usize) {
        let mut parent = path.step(level + 1);
        if self.inners.get(parent.node).len() == Inner::MAX {
            let (node, at) = self.make_room::<Inner>(arena, path, level + 1, parent.node, parent.at as usize);
            path.set(level + 1, node, at);
            parent = path.step(level + 1);
        }
        let last = if N::IS_LEAF { N::MAX } else { N::MAX - 1 };
        let given = match at {
            0 => last,
            at if at == last => N::MAX - last,
            _ => N::MAX / 2,
        };
        let number = self.inners.get(parent.node).child(parent.at as usize);
        let mut right = N::EMPTY;
        let left = N::all_mut(self).get_mut(number);
        left.give_right(&mut right, given);
        let left_entry = left.entry(arena, number);
        let right_number = N::all_mut(self).push(right);
        let right_entry = right.entry(arena, right_number);
        let inner = self.inners.get_mut(parent.node);
        inner.set(parent.at as usize, left_entry);
        inner.insert(parent.at as usize + 1, right_entry);
        self.settle_right::<N>(path, level, at)
    }

    /// Where index `at` is after the node at `level` has given its last entries to its right neighbour.
    fn settle_right<N: Node>(&mut self, path: &mut Path, level: usize, at: usize) -> (u32, usize) {
        let parent = path.step(level + 1);
        let inner = self.inners.get(parent.node);
        let number = inner.child(parent.at as usize);
        let len = N::all(self).get(number).len();
        if at < len || at == len && N::IS_LEAF && len < N::MAX {
            return (number, at);
        }
        path.set(level + 1, parent.node, parent.at as usize + 1);
        (inner.child(parent.at as usize + 1), at - len)
    }

    /// Where index `at` is after the node at `level` has given its first entries to its left neighbour,
    /// which had `before`.
    fn settle_left<N: Node>(
        &mut self,
        path: &mut Path,
        level: usize,
        at: usize,
        before: usize,
    ) -> (u32, usize) {
        let parent = path.step(level + 1);
        let inner = self.inners.get(parent.node);
        let left = inner.child(parent.at as usize - 1);
        let given = N::all(self).get(left).len() - before;
        if at >= given {
            return (inner.child(parent.at as usize), at - given);
        }
        path.set(level + 1, parent.node, parent.at as usize - 1);
        (left, before + at)
    }

    /// How many entries the neighbours of child `at` have.
    fn neighbours<N: Node>(&self, parent: u32, at: usize) -> (Option<usize>, Option<usize>) {
        let inner = self.inners.get(parent);
        let left = at.checked_sub(1).map(|left| self.len_of::<N>(inner, left));
        let right = (at + 1 < inner.len()).then(|| self.len_of::<N>(inner, at + 1));
        (left, right)
    }

    /// How many entries child `at` of `inner` has. Does not read the child if it is a leaf.
    fn len_of<N: Node>(&self, inner: &Inner, at: usize) -> usize {
        if N::IS_LEAF { inner.counts()[at] as usize } else { N::all(self).get(inner.child(at)).len() }
    }

    /// Makes child `at` and the next child equally long.
    fn share<N: Node>(&mut self, arena: &Arena, parent: u32, at: usize) {
        self.with_pair(arena, parent, at, |left: &mut N, right: &mut N| {
            let (left_len, right_len) = (left.len(), right.len());
            let half = (left_len + right_len) / 2;
            if left_len > half {
                left.give_right(right, left_len - half);
            } else {
                right.give_left(left, half - left_len);
            }
        });
    }

    /// Lets `change` change child `at` and the next child, and then corrects their entries.
    fn with_pair<N: Node>(
        &mut self,
        arena: &Arena,
        parent: u32,
        at: usize,
        change: impl FnOnce(&mut N, &mut N),
    ) {
        let inner = self.inners.get(parent);
        let (left_number, right_number) = (inner.child(at), inner.child(at + 1));
        let (mut left, mut right) = (*N::all(self).get(left_number), *N::all(self).get(right_number));
        change(&mut left, &mut right);
        *N::all_mut(self).get_mut(left_number) = left;
        *N::all_mut(self).get_mut(right_number) = right;
        let inner = self.inners.get_mut(parent);
        inner.set(at, left.entry(arena, left_number));
        inner.set(at + 1, right.entry(arena, right_number));
    }

    /// Keeps the nodes filled after an item has been removed from the leaf at the end of `path`.
    pub(super) fn rebalance(&mut self, arena: &Arena, path: &mut Path) {
        if path.height() == 0 {
            if self.leaves.get(self.root).len() == 0 {
                self.leaves.pop();
            }
            return;
        }
        let mut shrunk = self.relieve::<Leaf>(arena, path, 0);
        let mut level = 1;
        while shrunk && level < path.height() {
            shrunk = self.relieve::<Inner>(arena, path, level);
            level += 1;
        }
        while self.height > 0 && self.inners.get(self.root).len() == 1 {
            let old = self.root;
            self.root = self.inners.get(old).child(0);
            self.height -= 1;
            *path = Path::new();
            self.release::<Inner>(arena, path, old);
        }
    }

    /// Dissolves the node at `level` of `path` if its neighbours have room for its content, and returns true
    /// then. If the node has very little, it gets some from a neighbour.
    fn relieve<N: Node>(&mut self, arena: &Arena, path: &mut Path, level: usize) -> bool {
        let parent = path.step(level + 1);
        let (node, at) = (parent.node, parent.at as usize);
        let own = self.len_of::<N>(self.inners.get(node), at);
        let (left, right) = self.neighbours::<N>(node, at);
        let beside = usize::from(left.is_some()) + usize::from(right.is_some());
        let total = own + left.unwrap_or(0) + right.unwrap_or(0);
        if beside > 0 && total <= beside * (N::MAX - SLACK) {
            let to_left = match (left, right) {
                (Some(left), Some(_)) => total.div_ceil(2).saturating_sub(left).min(own),
                (Some(_), None) => own,
                (None, _) => 0,
            };
            self.dissolve::<N>(arena, path, level, to_left);
            return true;
        }
        if beside > 0 && own < N::MAX / 4 {
            self.share::<N>(arena, node, if left > right { at - 1 } else { at });
            self.refresh_first(path, level + 1);
        }
        false
    }

    /// Moves the content of the node at `level` of `path` to its neighbours, `to_left` of it to the left one, and
    /// frees the node.
    fn dissolve<N: Node>(&mut self, arena: &Arena, path: &mut Path, level: usize, to_left: usize) {
        let parent = path.step(level + 1);
        let at = parent.at as usize;
        if to_left > 0 {
            self.with_pair(arena, parent.node, at - 1, |left: &mut N, own: &mut N| {
                own.give_left(left, to_left);
            });
        }
        let inner = self.inners.get(parent.node);
        let number = inner.child(at);
        let rest = N::all(self).get(number).len();
        if rest > 0 {
            self.with_pair(arena, parent.node, at, |own: &mut N, right: &mut N| {
                own.give_right(right, rest);
            });
        }
        self.inners.get_mut(parent.node).remove(at);
        self.refresh_first(path, level + 1);
        self.release::<N>(arena, path, number);
    }

    /// Corrects what the nodes above `level` of `path` know about the first item of the node at `level`.
    fn refresh_first(&mut self, path: &Path, level: usize) {
        for level in level..path.height() {
            let inner = self.inners.get(path.step(level).node);
            let (score, handle) = (inner.scores()[0], inner.handles()[0]);
            let above = path.step(level + 1);
            self.inners.get_mut(above.node).set_first(above.at as usize, score, handle);
        }
    }

    /// Frees a node. The last node of its kind gets its number.
    fn release<N: Node>(&mut self, arena: &Arena, path: &mut Path, number: u32) {
        N::all_mut(self).swap_remove(number);
        let moved = N::all(self).len() as u32;
        if !N::IS_LEAF {
            path.rename(moved, number);
        }
        if self.root == moved && N::IS_LEAF == (self.height == 0) {
            self.root = number;
            return;
        }
        if moved != number {
            self.rename_child::<N>(arena, moved, number);
        }
    }

    /// Corrects the entry for a node that has a new number.
    fn rename_child<N: Node>(&mut self, arena: &Arena, from: u32, to: u32) {
        let key = key_of(arena, N::all(self).get(to).entry(arena, to).handle);
        let mut number = self.root;
        for level in (1..=self.height).rev() {
            let inner = self.inners.get(number);
            let at = key.children_before(arena, inner).saturating_sub(1);
            let child = inner.child(at);
            if child == from && N::IS_LEAF == (level == 1) {
                self.inners.get_mut(number).set_child(at, to);
                return;
            }
            number = child;
        }
        unreachable!("each node has a parent");
    }
}
