//! Operations on keys that hold sets.
//!
//! A set has one of three forms: [packed](super::packed) in its record as long as that fits a block, packed in a body, or
//! [large](super::set). A large set never becomes packed again.

use super::Store;
use super::maps::MapRemoval;
use super::members::{Member, Members, SetForm};
use super::prepared::{WriteError, WrongKind};
use super::record::Kind;
use super::table::Place;
use crate::base::{fault, memory};

/// Members that [`Store::commit_set_remove`] is going to remove.
#[derive(Debug)]
pub struct SetRemoval<'a>(MapRemoval<'a>);

impl SetRemoval<'_> {
    /// How many members will be removed.
    pub fn removed(&self) -> usize {
        self.0.removed()
    }
}

impl Store {
    /// The set of `key`; `None` if there is no such key or it has expired.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value.
    #[inline]
    pub fn members(&mut self, key: &[u8], now_ms: u64) -> Result<Option<Members<'_>>, WrongKind> {
        fault::point();
        let place = self.find(key, now_ms);
        place.map(|place| self.set_at(place)).transpose()
    }

    /// The set of `key`, for a command that has just looked all its keys up with [`Store::members`] and now needs several at a
    /// time. `None` if there is no such key or it holds something else.
    pub fn set_there(&self, key: &[u8]) -> Option<Members<'_>> {
        self.set_at(self.table.find(self.table.hash(key), key)?).ok()
    }

    /// The set at `place`.
    pub(super) fn set_at(&self, place: Place) -> Result<Members<'_>, WrongKind> {
        let record = self.table.record(place);
        if record.kind() == Kind::Set { Ok(Members::of(&self.table, record)) } else { Err(WrongKind) }
    }

    /// Prepares to remove members from the set of `key`: finds out which of them it has.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_set_remove<'a>(
        &mut self,
        key: &'a [u8],
        members: impl Iterator<Item = &'a [u8]>,
        now_ms: u64,
    ) -> Result<SetRemoval<'a>, WriteError> {
        let Some(set) = self.members(key, now_ms)? else {
            return Ok(SetRemoval(MapRemoval::of(key, Vec::new(), 0)));
        };
        let there = memory::collect(members.filter(|member| set.contains(member)))?;
        Ok(SetRemoval(MapRemoval::of(key, there, set.len())))
    }

    /// Removes the members, and also the key if no member is left. Returns true if it has removed the key. Needs no memory.
    /// Cannot fail or panic half-way.
    pub fn commit_set_remove(&mut self, removal: SetRemoval<'_>) -> bool {
        self.commit_map_remove(removal.0)
    }

    /// One step of a scan over the set of `key`. It works as [`Store::scan`] does, but calls `visit` with members. For a
    /// packed set, it visits all members whatever the cursor is, and returns 0.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value.
    pub fn set_scan<'a>(
        &'a mut self,
        key: &[u8],
        cursor: u64,
        count: usize,
        now_ms: u64,
        mut visit: impl FnMut(Member<'a>) -> bool,
    ) -> Result<u64, WrongKind> {
        fault::point();
        let Some(place) = self.find(key, now_ms) else { return Ok(0) };
        match (self.set_at(place)?.0, self.cursors.position(cursor)) {
            (SetForm::Packed(packed), _) => {
                packed.iter().for_each(|(member, _)| {
                    let _ = visit(member.into());
                });
                Ok(0)
            }
            (SetForm::Large(_), None) => Ok(0),
            (SetForm::Large(set), Some(position)) => {
                Ok(self.cursors.cursor(set.scan(position, count, visit)))
            }
        }
    }
}
