//! Notes changes of whole items, and of whole databases.

use super::WHOLE_BYTES;
use super::old::Old;
use super::steps::Step;
use crate::store::Store;
use crate::store::body::Body;
use crate::store::record::{Kind, Record};
use crate::store::table::{Place, Table};

/// What becomes of the value that a key has when another one is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays, and more is appended.
    Grows,
    /// Its memory stays, and other bytes are written there.
    Overwritten,
    /// It goes.
    Replaced,
}

/// True if the value of an item is so small that it is copied as a whole.
fn is_small(table: &Table, record: Record<'_>) -> bool {
    match record.body().map(|number| table.bodies.get(number)) {
        None => true,
        Some(body) => body.large().is_none() && (record.kind() != Kind::String || is_short(body)),
    }
}

/// True if a string is copied as a whole.
pub(super) fn is_short(body: &Body) -> bool {
    body.value().len() <= WHOLE_BYTES
}

impl Store {
    /// Notes that `key` is going to be written, and what becomes of the value at `place` if there is one.
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn save_written(&mut self, place: Option<Place>, hash: u64, key: &[u8], fate: Fate) {
        self.close_notes();
        let Store { undo: Some(undo), table, changes, .. } = self else { return };
        let Some(subject) = undo.unsaved(changes.db, hash, key) else { return };
        let Some(place) = place else { return undo.push_whole(subject, Old::Absent) };
        match fate {
            Fate::Grows if !is_small(table, table.record(place)) => self.save_tail(subject, place),
            Fate::Grows | Fate::Overwritten => undo.push_whole(subject, table.copied(place)),
            Fate::Replaced => undo.push_whole(subject, table.hollowed(place)),
        }
    }

    /// Notes that the packed value at `place` is going to be changed.
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn save_packed(&mut self, place: Place, hash: u64) {
        self.close_notes();
        let Store { undo: Some(undo), table, changes, .. } = self else { return };
        if let Some(subject) = undo.unsaved(changes.db, hash, table.key_of(table.record(place))) {
            undo.push_whole(subject, table.copied(place));
        }
    }

    /// Notes that the item at `place` is going to get another time of expiry.
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn save_expiry(&mut self, place: Place, hash: u64) {
        self.close_notes();
        let Store { undo: Some(undo), table, changes, .. } = self else { return };
        let record = table.record(place);
        let Some(subject) = undo.unsaved(changes.db, hash, table.key_of(record)) else { return };
        if is_small(table, record) {
            // All of it, so that many such changes of one key are one step.
            undo.push_whole(subject, table.copied(place));
        } else {
            undo.push(Step::Item { subject, old: Old::Expiry(record.expires_ms()) });
        }
    }

    /// Removes the item at `place` and keeps it in the log.
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn take_saved(&mut self, place: Place) {
        self.close_notes();
        let Store { undo: Some(undo), table, changes, .. } = self else { return };
        let record = table.record(place);
        match undo.unsaved(changes.db, table.hash_of(record), table.key_of(record)) {
            Some(subject) => undo.push_whole(subject, table.lifted(place)),
            None => self.discards.keep(table.remove(place)),
        }
    }

    /// Notes that the item at `place` is going to be given to another key. Returns true if [`Store::note_renamed`] must
    /// follow once that has happened.
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn save_renamed(&mut self, place: Place, hash: u64) -> bool {
        self.close_notes();
        let Store { undo: Some(undo), table, changes, .. } = self else { return false };
        let record = table.record(place);
        let Some(subject) = undo.unsaved(changes.db, hash, table.key_of(record)) else { return false };
        if is_small(table, record) {
            undo.push_whole(subject, table.copied(place));
            return false;
        }
        true
    }

    /// Notes that `to` of database `to_db` has what `from` had. From now on it matters what happens to `to`, whatever that
    /// was before.
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn note_renamed(&mut self, from: &[u8], to_db: u16, to: &[u8]) {
        let Store { undo: Some(undo), table, changes, .. } = self else { return };
        let from = undo.subjects.number(changes.db, table.hash(from), from);
        let to = undo.subjects.number(to_db, table.hash(to), to);
        undo.push(Step::Renamed { from, to });
        undo.subjects.set_saved(from, true);
        undo.subjects.set_saved(to, false);
    }

    /// Empties the selected database, and keeps its table in the log.
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn flush_saved(&mut self) {
        self.close_notes();
        let Store { undo: Some(undo), table, changes, .. } = self else { return };
        let empty = table.sibling();
        let table = Box::new(std::mem::replace(table, empty));
        undo.push(Step::Flushed { db: changes.db, table });
    }

    /// Notes that two databases are going to be swapped.
    pub(in crate::store) fn save_swap(&mut self, one: u16, other: u16) {
        self.close_notes();
        if let Some(undo) = &mut self.undo {
            undo.push(Step::Swapped { one, other });
            // The number of a database now means other keys.
            undo.subjects.begin_period();
        }
    }
}
