//! Takes changes of a list back: cuts elements off so that they can be joined to it again, and puts single elements back
//! where they were.
//!
//! To cut off and to join costs as much as to drop: whole nodes change hands, and only the elements of the last node are
//! copied. All of this allocates without a reservation, because it must not fail.

use super::node::{End, NODE_BYTES, Node};
use super::{List, PackedList, packed_size};
use crate::base::memory;
use crate::store::tiered::{Part, Position, Tiered};

/// Elements that were cut off at one end of a list.
#[derive(Debug, Default)]
pub struct Cut {
    /// Whole nodes: those at the end.
    nodes: List,
    /// The elements that were beside them, packed.
    packed: Box<[u8]>,
}

/// An element that was replaced.
#[derive(Debug)]
pub enum Replaced {
    /// A copy.
    Copy(Box<[u8]>),
    /// A long one, in the node that it had for itself.
    Node(Box<List>),
}

impl Cut {
    /// Memory held, in bytes: in whole nodes, and for copies.
    pub fn memory(&self) -> (usize, usize) {
        (self.nodes.memory(), self.packed.len() + size_of::<Cut>())
    }

    /// The whole nodes, to be freed piece by piece.
    pub fn into_nodes(self) -> List {
        self.nodes
    }
}

impl Replaced {
    /// Memory held, in bytes: in whole nodes, and for copies.
    pub fn memory(&self) -> (usize, usize) {
        match self {
            Replaced::Copy(bytes) => (0, bytes.len()),
            Replaced::Node(list) => (list.memory(), size_of::<List>()),
        }
    }
}

impl List {
    /// Cuts off the first `count` elements, or the last ones if `from_back` is set. At least one must stay.
    pub fn cut(&mut self, count: usize, from_back: bool) -> Cut {
        let end = if from_back { End::Back } else { End::Front };
        let mut cut = Cut::default();
        if let Some(at) = self.outermost(end)
            && count > self.nodes.part(at).len()
        {
            let seam = self.seam(count, end);
            let behind = memory::insist(memory::spared(|| self.nodes.split_off(seam)));
            cut.nodes.nodes = match end {
                End::Front => std::mem::replace(&mut self.nodes, behind),
                End::Back => behind,
            };
        }
        let rest = count - cut.nodes.len();
        if let Some(at) = self.outermost(end)
            && rest > 0
        {
            let node = self.nodes.part(at);
            if rest == node.len() {
                let (node, _) = self.nodes.remove(at);
                match end {
                    End::Front => cut.nodes.nodes.insert(cut.nodes.nodes.end(), node),
                    End::Back => cut.nodes.nodes.insert(Position::default(), node),
                }
            } else {
                cut.packed = match end {
                    End::Front => node.packed().0[..node.offset(rest)].into(),
                    End::Back => node.packed().0[node.offset(node.len() - rest)..].into(),
                };
                self.nodes.update(at, |node| node.drop(rest, end));
            }
        }
        cut
    }

    /// Joins elements to the list that were cut off at the same end.
    pub fn rejoin(&mut self, cut: Cut, from_back: bool) {
        let packed = PackedList(&cut.packed);
        if from_back {
            packed.iter().for_each(|element| self.push_back(element));
            self.nodes.append(cut.nodes.nodes);
        } else {
            packed.iter().rev().for_each(|element| self.push_front(element));
            self.nodes.prepend(cut.nodes.nodes);
        }
    }

    /// Removes element `index`, if there is one.
    pub fn remove_at(&mut self, index: usize) {
        let Some((at, nth)) = self.nodes.locate(index) else { return };
        let node = self.nodes.part(at);
        if node.len() == 1 {
            self.nodes.remove(at);
            return;
        }
        let offset = node.offset(nth);
        let size =
            PackedList(&node.packed().0[offset..]).get(0).map_or(0, |element| packed_size(element.len()));
        self.nodes.update(at, |node| node.remove(offset, size));
        self.tidy(index.min(self.len() - 1));
    }

    /// What must be kept of element `index`, which is about to be replaced. A long element is taken out, and an empty one
    /// is there in its place.
    pub fn keep_replaced(&mut self, index: usize) -> Option<Replaced> {
        let (at, nth) = self.nodes.locate(index)?;
        let node = self.nodes.part(at);
        if node.len() > 1 || node.used() <= NODE_BYTES {
            return node.get(nth).map(|element| Replaced::Copy(element.into()));
        }
        let node = self.nodes.update(at, |node| std::mem::replace(node, Node::of(b"", End::Back)));
        let mut nodes = Tiered::default();
        nodes.insert(Position::default(), node);
        Some(Replaced::Node(Box::new(List { nodes })))
    }

    /// Puts back element `index`, which was replaced.
    pub fn put_back(&mut self, index: usize, replaced: Replaced) {
        match replaced {
            Replaced::Copy(element) => {
                self.set(index, &element);
            }
            Replaced::Node(list) => {
                self.remove_at(index);
                let Some((at, nth)) = self.nodes.locate(index) else { return self.nodes.append(list.nodes) };
                if nth > 0 {
                    let node = self.nodes.part(at);
                    let (offset, count) = (node.offset(nth), node.len() - nth);
                    let behind = self.nodes.update(at, |node| node.split_off(offset, count));
                    self.nodes.insert(Position::behind(at), behind);
                }
                for node in list.nodes.into_parts() {
                    // The element that has the number now is the first one of its node.
                    let at = self.nodes.locate(index).map_or(self.nodes.end(), |(at, _)| at);
                    self.nodes.insert(at, node);
                }
            }
        }
    }
}
