//! Memory of a stream that is not used any more and waits to be freed piece by piece.

use super::cut::Cut;
use super::group::Group;
use super::id::StreamId;
use super::node::Node;

/// Memory that waits to be freed. Dropping it frees all of it at once, which may take long.
#[derive(Debug)]
pub struct Leftovers(Kind);

#[derive(Debug)]
enum Kind {
    /// Nodes that a trim has cut off.
    Nodes(Cut<Node>),
    /// The ids that were pending for a consumer.
    Ids(Cut<StreamId>),
    /// A destroyed group.
    Group(Box<Group>),
    /// Nothing: what was removed is kept elsewhere.
    None,
}

impl Leftovers {
    pub(super) fn nodes(cut: Cut<Node>) -> Leftovers {
        Leftovers(Kind::Nodes(cut))
    }

    pub(super) fn ids(cut: Cut<StreamId>) -> Leftovers {
        Leftovers(Kind::Ids(cut))
    }

    pub(super) fn none() -> Leftovers {
        Leftovers(Kind::None)
    }

    pub(super) fn group(group: Box<Group>) -> Leftovers {
        Leftovers(Kind::Group(group))
    }

    /// Memory held, in bytes. A small one may be dropped at once.
    pub fn memory(&self) -> usize {
        match &self.0 {
            Kind::Nodes(cut) => cut.memory(),
            Kind::Ids(cut) => cut.memory(),
            Kind::Group(group) => group.memory(),
            Kind::None => 0,
        }
    }

    /// Frees a piece: about a mebibyte, or a few hundred allocations. Returns false if nothing is left.
    pub fn free_piece(&mut self) -> bool {
        match &mut self.0 {
            Kind::Nodes(cut) => cut.free_piece(),
            Kind::Ids(cut) => cut.free_piece(),
            Kind::Group(group) => group.free_piece(),
            Kind::None => false,
        }
    }
}
