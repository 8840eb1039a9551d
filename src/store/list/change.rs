//! Changes in the middle of a list.

use super::node::{End, NODE_BYTES, Node};
use super::{List, PackedList, packed_size};
use crate::base::OutOfMemory;
use crate::store::pieces::reserve_pieces;
use crate::store::tiered::{Part, Position};

/// Two neighbouring nodes with no more packed bytes than this become one.
const JOINED_BYTES_MAX: usize = NODE_BYTES / 4 * 3;

impl List {
    /// Makes sure that element `index` can be replaced by one of `len` bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is not enough memory.
    pub fn prepare_set(&self, index: usize, len: usize) -> Result<(), OutOfMemory> {
        self.prepare_insert(index, len)
    }

    /// Makes sure that an element of `len` bytes can be inserted before element `index`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is not enough memory.
    pub fn prepare_insert(&self, _index: usize, len: usize) -> Result<(), OutOfMemory> {
        // A change that splits a node needs a few times as much, but most need nothing. The headroom, which is tested
        // again after each mebibyte counted, is large enough for the difference.
        reserve_pieces(packed_size(len).saturating_add(NODE_BYTES / 4))
    }

    /// Replaces element `index`. Infallible after [`List::prepare_set`]. Returns false if there is no such element.
    pub fn set(&mut self, index: usize, element: &[u8]) -> bool {
        let Some((at, nth)) = self.nodes.locate(index) else { return false };
        let node = self.nodes.part(at);
        let offset = node.offset(nth);
        let size = packed_size(element.len());
        let Some(old) = PackedList(&node.packed().0[offset..]).get(0).map(|old| packed_size(old.len()))
        else {
            return false;
        };
        if old == size {
            self.nodes.update(at, |node| node.overwrite(offset, element));
        } else if node.len() == 1 {
            self.nodes.update(at, |node| *node = Node::of(element, End::Back));
            self.tidy(index);
        } else if node.used() - old + size <= NODE_BYTES {
            self.nodes.update(at, |node| {
                node.remove(offset, old);
                node.insert(offset, element);
            });
            self.tidy(index);
        } else {
            self.nodes.update(at, |node| node.remove(offset, old));
            self.insert(index, element);
        }
        true
    }

    /// Inserts an element before element `index`, so that it gets that number. Infallible after
    /// [`List::prepare_insert`]. If there are not so many elements, it becomes the last one.
    pub fn insert(&mut self, index: usize, element: &[u8]) {
        let Some((at, nth)) = self.nodes.locate(index).filter(|_| index > 0) else {
            return if index == 0 { self.push_front(element) } else { self.push_back(element) };
        };
        let size = packed_size(element.len());
        let node = self.nodes.part(at);
        if node.fits(size) {
            let offset = node.offset(nth);
            return self.nodes.update(at, |node| node.insert(offset, element));
        }
        if nth > 0 {
            let (offset, count) = (node.offset(nth), node.len() - nth);
            let behind = self.nodes.update(at, |node| {
                let behind = node.split_off(offset, count);
                node.tighten();
                behind
            });
            // The next position may be the end of a block, and then it is as good as the start of the next one.
            self.nodes.insert(Position::behind(at), behind);
        }
        self.insert_between(index, element);
        self.tidy(index);
    }

    /// Inserts an element before element `index`, which is the first one of its node.
    fn insert_between(&mut self, index: usize, element: &[u8]) {
        let Some((at, _)) = self.nodes.locate(index) else { return };
        let size = packed_size(element.len());
        let before = self.nodes.previous(at);
        if let Some(before) = before.filter(|before| self.nodes.part(*before).fits(size)) {
            self.nodes.update(before, |node| node.insert(node.used(), element));
        } else if self.nodes.part(at).fits(size) {
            self.nodes.update(at, |node| node.insert(0, element));
        } else {
            self.nodes.insert(at, Node::of(element, End::Back));
        }
    }

    /// Gives back needless room of the nodes around element `index`, and joins them if they are sparse.
    pub(super) fn tidy(&mut self, index: usize) {
        let Some((mut at, _)) = self.nodes.locate(index) else { return };
        self.nodes.update(at, Node::tighten);
        if let Some(joined) = self.nodes.previous(at).and_then(|before| self.join(before)) {
            at = joined;
        }
        self.join(at);
    }

    /// Joins the node at `at` with the next one if both are sparse and there is memory for it. Returns where the
    /// joined node is.
    fn join(&mut self, at: Position) -> Option<Position> {
        let next = self.nodes.next(at)?;
        let (left, right) = (self.nodes.part(at), self.nodes.part(next));
        if left.used() + right.used() > JOINED_BYTES_MAX {
            return None;
        }
        let joined = Node::joined(left, right).ok()?;
        // The sum of elements must never be too high, so the right node goes first.
        let (_, behind) = self.nodes.remove(next);
        let at = self.nodes.previous(behind)?;
        self.nodes.update(at, |node| *node = joined);
        Some(at)
    }

    /// Removes elements for which `matches` returns true: the first `count` of them, or the last if `from_back` is
    /// set. Returns how many. Walks over all elements up to the last one removed.
    pub fn remove(&mut self, mut matches: impl FnMut(&[u8]) -> bool, count: usize, from_back: bool) -> usize {
        let end = if from_back { End::Back } else { End::Front };
        let mut removed = 0;
        let mut next = self.outermost(end);
        while let Some(at) = next.filter(|_| removed < count) {
            removed += self.nodes.update(at, |node| node.remove_matching(&mut matches, count - removed, end));
            next = if removed > 0 { self.pass_changed(at, end) } else { self.pass(at, end) };
        }
        if removed > 0
            && let Some(at) = next
        {
            // The node where the removal ended may be joined with one that was not visited.
            match end {
                End::Front => self.nodes.previous(at).and_then(|before| self.join(before)),
                End::Back => self.join(at),
            };
        }
        removed
    }

    /// The node that comes next on the way from `end` to the other end.
    fn pass(&self, at: Position, end: End) -> Option<Position> {
        if end == End::Front { self.nodes.next(at) } else { self.nodes.previous(at) }
    }

    /// As [`List::pass`], from a node that may have lost elements. Removes it if it is empty, and joins it with the
    /// node visited before it if both are sparse.
    fn pass_changed(&mut self, mut at: Position, end: End) -> Option<Position> {
        if self.nodes.part(at).len() == 0 {
            let (_, behind) = self.nodes.remove(at);
            return if end == End::Front { self.nodes.valid(behind) } else { self.nodes.previous(behind) };
        }
        self.nodes.update(at, Node::tighten);
        let left = if end == End::Front { self.nodes.previous(at) } else { Some(at) };
        if let Some(joined) = left.and_then(|left| self.join(left)) {
            at = joined;
        }
        self.pass(at, end)
    }
}
