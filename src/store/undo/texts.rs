//! Notes changes inside of long strings: only the bytes that are overwritten, and the length.

use std::ops::Range;

use super::items::is_short;
use super::steps::Step;
use crate::base::{OutOfMemory, memory};
use crate::store::Store;
use crate::store::table::Place;

/// A change of all bytes of a string that is not longer than this copies the string, so that many such changes are one step.
const REPLACED_BYTES_MAX: usize = 64 << 10;

impl Store {
    /// Memory for the bytes of a string that are going to be changed, if they must be noted. `before` has the bytes of the
    /// whole string.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn reserve_text(
        &mut self,
        place: Place,
        hash: u64,
        key: &[u8],
        range: &Range<usize>,
    ) -> Result<Vec<u8>, OutOfMemory> {
        let mut room = Vec::new();
        let Store { undo: Some(undo), table, changes, .. } = self else { return Ok(room) };
        let Some(number) = table.record(place).body() else { return Ok(room) };
        let body = table.bodies.get(number);
        if !is_short(body) && undo.unsaved(changes.db, hash, key).is_some() {
            let len = body.value().len();
            memory::reserve_exact(&mut room, range.end.min(len).saturating_sub(range.start))?;
        }
        Ok(room)
    }

    /// Notes that the bytes in `range` of the string at `place`, which has a body, are going to be changed, and that it may
    /// become longer. `room` is from [`Store::reserve_text`].
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn save_text(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        range: Range<usize>,
        mut room: Vec<u8>,
    ) {
        let Store { undo: Some(undo), table, changes, .. } = self else { return };
        let Some(place) = place else { return };
        let Some(subject) = undo.unsaved(changes.db, hash, key) else { return };
        let record = table.record(place);
        let Some(body) = record.body().map(|number| table.bodies.get(number)) else { return };
        let value = body.value();
        let range = range.start.min(value.len())..range.end.min(value.len());
        if is_short(body) || range.len() == value.len() && value.len() <= REPLACED_BYTES_MAX {
            return undo.push_whole(subject, table.copied(place));
        }
        room.extend_from_slice(&value[range.clone()]);
        let (at, len, expires_ms) = (range.start, value.len(), record.expires_ms());
        undo.push(Step::Text { subject, at, bytes: room, len, expires_ms });
    }

    /// Notes that a long string is going to be longer.
    pub(super) fn save_tail(&mut self, subject: u32, place: Place) {
        let Store { undo: Some(undo), table, .. } = self else { return };
        let record = table.record(place);
        let (len, expires_ms) = (table.value_of(record).len(), record.expires_ms());
        undo.push(Step::Text { subject, at: len, bytes: Vec::new(), len, expires_ms });
    }
}
