//! The steps of the undo log: each says how to take one change back.

use std::ops::{AddAssign, SubAssign};
use std::sync::Arc;

use super::old::Old;
use crate::store::discard::Freed;
use crate::store::large::{Keyed, Large};
use crate::store::list::{Cut, Replaced};
use crate::store::stream::Notes;
use crate::store::table::Table;

/// A change. A subject is the number of a key.
#[derive(Debug)]
pub enum Step {
    /// A key was changed, created or removed as a whole.
    Item { subject: u32, old: Old },
    /// What `from` held was given to `to`. It is not small.
    Renamed { from: u32, to: u32 },
    /// A database was flushed.
    Flushed { db: u16, table: Box<Table> },
    /// Two databases were swapped.
    Swapped { one: u16, other: u16 },
    /// Some bytes of a string were overwritten, or the string became longer.
    Text { subject: u32, at: usize, bytes: Vec<u8>, len: usize, expires_ms: Option<u64> },
    /// A field of a hash. Its name is left out if `old` has a body, which knows it.
    Field { subject: u32, field: Box<[u8]>, old: Old },
    /// A member of a set, likewise.
    Member { subject: u32, member: Box<[u8]>, old: Old },
    /// An integer was or was not a member of a set.
    Integer { subject: u32, integer: i64, there: bool },
    /// A member of a sorted set had this score, or was not there.
    Score { subject: u32, member: Box<[u8]>, score: Option<f64> },
    /// A list.
    List { subject: u32, change: ListChange },
    /// A stream.
    Stream { subject: u32, notes: Box<Notes> },
}

/// How a list was changed.
#[derive(Debug)]
pub enum ListChange {
    /// Elements were pushed.
    Pushed { from_back: bool, count: usize },
    /// Elements were cut off.
    Cut { from_back: bool, cut: Box<Cut> },
    /// An element was replaced.
    Replaced { index: usize, old: Replaced },
    /// An element was inserted.
    Inserted { index: usize },
    /// Elements were removed that were all equal. These were their numbers.
    Removed { element: Arc<[u8]>, indices: Box<[usize]> },
}

/// Memory that steps own, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// What was in the store, and was moved into the log.
    pub moved: usize,
    /// What was copied.
    pub copied: usize,
}

impl From<(usize, usize)> for Weight {
    fn from((moved, copied): (usize, usize)) -> Weight {
        Weight { moved, copied }
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Weight) {
        (self.moved, self.copied) = (self.moved + other.moved, self.copied + other.copied);
    }
}

impl SubAssign for Weight {
    fn sub_assign(&mut self, other: Weight) {
        (self.moved, self.copied) = (self.moved - other.moved, self.copied - other.copied);
    }
}

impl Step {
    /// Memory that it owns.
    pub fn weight(&self) -> Weight {
        let (moved, copied) = match self {
            Step::Item { old, .. } => old.weight(),
            Step::Renamed { .. } | Step::Swapped { .. } | Step::Integer { .. } => (0, 0),
            Step::Flushed { table, .. } => (table.memory(), size_of::<Table>()),
            Step::Text { bytes, .. } => (0, bytes.capacity()),
            Step::Field { field: name, old, .. } | Step::Member { member: name, old, .. } => {
                let (moved, copied) = old.weight();
                (moved, copied + name.len())
            }
            Step::Score { member, .. } => (0, member.len()),
            Step::List { change, .. } => change.weight(),
            Step::Stream { notes, .. } => notes.memory(),
        };
        Weight { moved, copied }
    }

    /// Frees one piece of it, if that may take long.
    pub fn free_piece(&mut self) -> Freed {
        match self {
            Step::Flushed { table, .. } => table.free_piece(),
            Step::Stream { notes, .. } => Freed::of(notes.free_piece()),
            _ => Freed::Nothing,
        }
    }

    /// Takes out a large value that it owns. All the rest is freed at once.
    pub fn into_large(self) -> Option<Large> {
        match self {
            Step::Item { old: Old::Body { body, .. }, .. } => body.into_large(),
            Step::List { change: ListChange::Cut { cut, .. }, .. } => {
                Some(Keyed { key: Vec::new(), value: cut.into_nodes() }.into())
            }
            _ => None,
        }
    }
}

impl ListChange {
    fn weight(&self) -> (usize, usize) {
        match self {
            ListChange::Pushed { .. } | ListChange::Inserted { .. } => (0, 0),
            ListChange::Cut { cut, .. } => cut.memory(),
            ListChange::Replaced { old, .. } => old.memory(),
            ListChange::Removed { element, indices } => (0, element.len() + size_of_val(&**indices)),
        }
    }
}
