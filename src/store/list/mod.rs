//! A list of byte strings: a sequence of [nodes](node), each of which holds up to some kilobytes of
//! [packed elements](packed).
//!
//! Pushing and popping at either end touch one node. An element in the middle is found by the counts of the nodes. A
//! change in the middle moves the bytes of one node, and splits it if it gets too full; `change` does that. Nodes
//! that became sparse are joined with a neighbour.
//!
//! Whatever adds elements is prepared first: a `try_reserve` or `prepare` makes sure that there is memory, and the
//! change must follow at once. Removing needs no memory: to join nodes or to move them to smaller memory takes some,
//! and is left undone if there is none. `cut` takes changes back.

mod change;
mod cut;
mod node;
mod packed;
#[cfg(test)]
mod tests;

pub use cut::{Cut, Replaced};
pub use packed::{PackedList, packed_size, push_packed};

use super::pieces::reserve_pieces;
use super::tiered::{Part, Position, Tiered};
use crate::base::OutOfMemory;
use node::{End, NODE_BYTES, Node};

/// Up to this many bytes of removed elements are freed at once.
const FREED_BYTES_MAX: usize = 512 << 10;

/// A list of byte strings.
#[derive(Debug, Default)]
pub struct List {
    nodes: Tiered<Node>,
}

impl List {
    /// A list without elements. Allocates nothing.
    pub fn new() -> List {
        List::default()
    }

    /// A list with the elements of `packed`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is not enough memory.
    pub fn from_packed(packed: PackedList<'_>) -> Result<List, OutOfMemory> {
        let mut list = List::new();
        // Each node may have twice the memory that its elements need.
        reserve_pieces(packed.0.len().saturating_mul(2).saturating_add(list.growth(packed.0.len())))?;
        for element in packed.iter() {
            list.push_back(element);
        }
        Ok(list)
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Memory held, in bytes.
    #[inline]
    pub fn memory(&self) -> usize {
        self.nodes.memory()
    }

    /// Element `index`.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let (at, offset) = self.nodes.locate(index)?;
        self.nodes.part(at).get(offset)
    }

    /// The first element.
    #[inline]
    pub fn front(&self) -> Option<&[u8]> {
        self.nodes.part(self.nodes.first()?).packed().iter().next()
    }

    /// The last element.
    #[inline]
    pub fn back(&self) -> Option<&[u8]> {
        self.nodes.part(self.nodes.last()?).packed().iter().next_back()
    }

    /// The elements from number `index` to the last.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = &[u8]> {
        let (at, offset) = self.nodes.locate(index).unwrap_or((self.nodes.end(), 0));
        let first = self.nodes.valid(at).map(|at| {
            let node = self.nodes.part(at);
            PackedList(&node.packed().0[node.offset(offset)..]).iter()
        });
        let behind = self.nodes.iter_from(at).skip(1).flat_map(|node| node.packed().iter());
        first.into_iter().flatten().chain(behind)
    }

    /// The elements from number `index` back to the first. Begins with the last one if there are not so many.
    pub fn iter_back_from(&self, index: usize) -> impl Iterator<Item = &[u8]> {
        let (at, offset) = self.nodes.locate(index).unwrap_or((self.nodes.end(), 0));
        // Empty behind the last node. All elements of the other nodes come from `before`.
        let first = self.nodes.valid(at).map(|at| {
            let node = self.nodes.part(at);
            PackedList(&node.packed().0[..node.offset(offset + 1)]).iter().rev()
        });
        let before = self.nodes.iter_back_before(at).flat_map(|node| node.packed().iter().rev());
        first.into_iter().flatten().chain(before)
    }

    /// Starts to fetch the nodes at both ends.
    pub fn prefetch_nodes(&self) {
        self.nodes_at_ends().for_each(Node::prefetch);
    }

    /// Starts to fetch the elements at both ends.
    pub fn prefetch_ends(&self) {
        self.nodes_at_ends().for_each(Node::prefetch_ends);
    }

    fn nodes_at_ends(&self) -> impl Iterator<Item = &Node> {
        [self.nodes.first(), self.nodes.last()].into_iter().flatten().map(|at| self.nodes.part(at))
    }

    /// Makes sure that `elements` elements with `bytes` bytes in all can be pushed at the front.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is not enough memory.
    #[inline]
    pub fn try_reserve_front(&self, elements: usize, bytes: usize) -> Result<(), OutOfMemory> {
        self.try_reserve(elements, bytes, End::Front)
    }

    /// Makes sure that `elements` elements with `bytes` bytes in all can be pushed at the back.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is not enough memory.
    #[inline]
    pub fn try_reserve_back(&self, elements: usize, bytes: usize) -> Result<(), OutOfMemory> {
        self.try_reserve(elements, bytes, End::Back)
    }

    #[inline]
    fn try_reserve(&self, elements: usize, bytes: usize, end: End) -> Result<(), OutOfMemory> {
        let lengths = elements.saturating_mul(packed_size(bytes) - bytes.min(packed_size(bytes)));
        let size = bytes.saturating_add(lengths);
        match self.outermost(end) {
            Some(at) if self.nodes.part(at).room(end) >= size => Ok(()),
            _ => self.reserve_nodes(elements, size),
        }
    }

    /// Makes sure that `elements` elements with `size` packed bytes in all can be pushed.
    #[inline(never)]
    fn reserve_nodes(&self, elements: usize, size: usize) -> Result<(), OutOfMemory> {
        reserve_pieces(self.demand(elements, size))
    }

    /// Most bytes that pushing `elements` elements with `size` packed bytes in all allocates.
    fn demand(&self, elements: usize, size: usize) -> usize {
        // A node has up to as much free room as it uses, but less than a whole node. Two nodes more are for the node
        // that grows: its old and its new memory exist side by side.
        let room = size.min(elements.saturating_mul(NODE_BYTES)).saturating_add(2 * NODE_BYTES);
        size.saturating_add(room).saturating_add(self.growth(size))
    }

    /// Most bytes by which the sequence of nodes grows if `size` packed bytes are pushed.
    fn growth(&self, size: usize) -> usize {
        // Two neighbours among the new nodes hold more than one node together.
        self.nodes.growth(size / (NODE_BYTES / 2) + 2)
    }

    /// Adds an element at the front. Infallible after [`List::try_reserve_front`].
    #[inline]
    pub fn push_front(&mut self, element: &[u8]) {
        self.push(element, End::Front);
    }

    /// Adds an element at the back. Infallible after [`List::try_reserve_back`].
    #[inline]
    pub fn push_back(&mut self, element: &[u8]) {
        self.push(element, End::Back);
    }

    #[inline]
    fn push(&mut self, element: &[u8], end: End) {
        let outermost = self.outermost(end);
        if let Some(at) = outermost
            && self.nodes.part(at).takes(packed_size(element.len()), end)
        {
            let alone = self.nodes.is_single();
            return self.nodes.update(at, |node| node.push(element, end, alone));
        }
        let at = if end == End::Front { outermost } else { None };
        self.nodes.insert(at.unwrap_or(self.nodes.end()), Node::of(element, end));
    }

    /// The position of the node at `end`.
    #[inline]
    fn outermost(&self, end: End) -> Option<Position> {
        match end {
            End::Front => self.nodes.first(),
            End::Back => self.nodes.last(),
        }
    }

    /// Removes the first `count` elements, or all if there are no more. If they are many, returns them as a list that
    /// the caller must free piece by piece. Few are freed at once.
    #[must_use = "the list must be freed piece by piece"]
    pub fn drop_front(&mut self, count: usize) -> Option<List> {
        self.drop(count, End::Front)
    }

    /// Removes the last `count` elements, or all if there are no more. If they are many, returns them as a list that
    /// the caller must free piece by piece. Few are freed at once.
    #[must_use = "the list must be freed piece by piece"]
    pub fn drop_back(&mut self, count: usize) -> Option<List> {
        self.drop(count, End::Back)
    }

    fn drop(&mut self, count: usize, end: End) -> Option<List> {
        let mut removed = None;
        let mut rest = count.min(self.len());
        if let Some(at) = self.outermost(end)
            && rest > self.nodes.part(at).len()
        {
            let before = self.len();
            removed = self.drop_nodes(rest, end);
            rest -= before - self.len();
        }
        if let Some(at) = self.outermost(end)
            && rest > 0
        {
            if rest == self.nodes.part(at).len() {
                self.nodes.remove(at);
            } else {
                let alone = self.nodes.is_single();
                self.nodes.update(at, |node| {
                    node.drop(rest, end);
                    if alone && node.used() < node.memory() / 4 {
                        node.tighten();
                    }
                });
            }
        }
        removed
    }

    /// Removes whole nodes from `end`, with up to `count` elements in all, and with as many as possible.
    fn drop_nodes(&mut self, count: usize, end: End) -> Option<List> {
        let cut = self.seam(count, end);
        let split = match end {
            End::Front => self.nodes.split_off(cut).map(|behind| std::mem::replace(&mut self.nodes, behind)),
            End::Back => self.nodes.split_off(cut),
        };
        match split {
            Ok(nodes) => Some(List { nodes }).filter(|list| list.memory() > FREED_BYTES_MAX),
            Err(OutOfMemory) => {
                self.free_nodes(count, end);
                None
            }
        }
    }

    /// The position up to which, or from which on, whole nodes have up to `count` elements at `end`, and as many as possible.
    fn seam(&self, count: usize, end: End) -> Position {
        match end {
            End::Front => self.nodes.locate(count).map_or(self.nodes.end(), |(at, _)| at),
            End::Back => match self.nodes.locate(self.len() - count) {
                Some((at, 0)) => at,
                Some((at, _)) => self.nodes.next(at).unwrap_or(self.nodes.end()),
                None => self.nodes.end(),
            },
        }
    }

    /// Frees whole nodes from `end` one by one: the slow way, which needs no memory.
    fn free_nodes(&mut self, mut count: usize, end: End) {
        while let Some(at) = self.outermost(end) {
            let len = self.nodes.part(at).len();
            if len > count {
                return;
            }
            count -= len;
            self.nodes.remove(at);
        }
    }

    /// Frees some nodes at the back: up to about a mebibyte, or a few hundred. Returns false if nothing is left.
    pub fn free_piece(&mut self) -> bool {
        self.nodes.free_piece()
    }

    /// Checks everything. Takes long. For tests.
    ///
    /// # Panics
    /// If something is wrong.
    pub fn audit(&self) {
        self.nodes.audit(false);
        if let Some(at) = self.nodes.first() {
            self.nodes.iter_from(at).for_each(Node::audit);
        }
    }
}
