//! A list as a command reads it, whatever form it is kept in.

use super::large::Large;
use super::list::{List, PackedList};
use super::record::Record;
use super::table::Table;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The front: where the first element is.
    Left,
    /// The back: where the last element is.
    Right,
}

/// The list of a key, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a>(pub(super) ListForm<'a>);

/// The form in which a list is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum ListForm<'a> {
    /// Packed, in its record or in a body.
    Packed(PackedList<'a>),
    /// A structure of its own.
    Large(&'a List),
}

impl<'a> Elements<'a> {
    /// The list that `record` holds. `table` is the table of the record.
    pub(super) fn of(table: &'a Table, record: Record<'a>) -> Elements<'a> {
        Elements(match table.large_of(record) {
            Some(Large::List(list)) => ListForm::Large(&list.value),
            _ => ListForm::Packed(PackedList(table.value_of(record))),
        })
    }

    /// Number of elements.
    #[allow(clippy::len_without_is_empty)] // a list without elements is no list
    pub fn len(self) -> usize {
        match self.0 {
            ListForm::Packed(packed) => packed.len(),
            ListForm::Large(list) => list.len(),
        }
    }

    /// The element at `index`, counted from the left end.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        match self.0 {
            ListForm::Packed(packed) => packed.get(index),
            ListForm::Large(list) => list.get(index),
        }
    }

    /// The element at one end.
    #[inline]
    pub fn end(self, side: Side) -> Option<&'a [u8]> {
        match (self.0, side) {
            (ListForm::Packed(packed), Side::Left) => packed.iter().next(),
            (ListForm::Packed(packed), Side::Right) => packed.iter().next_back(),
            (ListForm::Large(list), Side::Left) => list.front(),
            (ListForm::Large(list), Side::Right) => list.back(),
        }
    }

    /// The elements from number `index` to the last.
    pub fn iter_from(self, index: usize) -> impl Iterator<Item = &'a [u8]> {
        let (packed, large) = match self.0 {
            ListForm::Packed(packed) => (Some(packed.iter().skip(index)), None),
            ListForm::Large(list) => (None, Some(list.iter_from(index))),
        };
        packed.into_iter().flatten().chain(large.into_iter().flatten())
    }

    /// The elements from number `index` back to the first. `index` must be a valid one.
    pub fn iter_back_from(self, index: usize) -> impl Iterator<Item = &'a [u8]> {
        let (packed, large) = match self.0 {
            ListForm::Packed(packed) => {
                let behind = packed.len().saturating_sub(index.saturating_add(1));
                (Some(packed.iter().rev().skip(behind)), None)
            }
            ListForm::Large(list) => (None, Some(list.iter_back_from(index))),
        };
        packed.into_iter().flatten().chain(large.into_iter().flatten())
    }
}
