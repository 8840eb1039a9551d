//! Operations on keys that hold sets.

use super::Store;
use super::members::{Member, Members, SetForm};
use super::prepared::WrongKind;
use super::record::Kind;
use super::table::Place;
use crate::base::fault;

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
                let next =
                    set.scan(position, count, |_| true, |record| visit(Member::from(set.key_of(record))));
                Ok(self.cursors.cursor(next))
            }
        }
    }
}
