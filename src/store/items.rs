//! Items as wholes: each is written, shortened, given a time of expiry and removed here, whatever it holds.
//!
//! A keyspace changes either through these doors, or inside of a large value. They let old content wait until it is freed.
//! The [undo log](super::undo) learns of each change here, if there is one. They do not tell the [journal](super::journal) of a write, because only the caller knows what the write means to others.

use super::Store;
use super::journal::What;
use super::record::Kind;
use super::table::{Content, Place};
use super::undo::Fate;

impl Store {
    /// Writes `content` under `key`, in the place of the item at `place` if there is one. Cannot fail or panic half-way.
    ///
    /// It is inlined, because the call took 39 instructions of a `SET`.
    #[inline(always)]
    pub(super) fn write_item(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        kind: Kind,
        content: Content<'_>,
        expires_ms: Option<u64>,
    ) {
        if self.undo.is_some() {
            let fate = match content {
                Content::Tail(_) => Fate::Grows,
                Content::Over(_) => Fate::Overwritten,
                Content::Small(_) | Content::Body(_) => Fate::Replaced,
            };
            self.save_written(place, hash, key, fate);
        }
        let left = self.table.write(place, hash, key, kind, content, expires_ms);
        self.discards.keep(left);
    }

    /// Changes when the item at `place` expires: at a Unix time in milliseconds, or never.
    #[inline]
    pub(super) fn time_item(&mut self, place: Place, hash: u64, expires_ms: Option<u64>) {
        if self.undo.is_some() {
            self.save_expiry(place, hash);
        }
        self.table.set_expiry(place, hash, expires_ms);
    }

    /// Makes the packed value at `place` shorter: `change` moves what stays to the front of its bytes, and returns how
    /// many bytes stay. Needs no memory.
    #[inline]
    pub(super) fn shorten_item(&mut self, place: Place, hash: u64, change: impl FnOnce(&mut [u8]) -> usize) {
        if self.undo.is_some() {
            self.save_packed(place, hash);
        }
        self.table.shorten_packed(place, hash, change);
    }

    /// Removes the item at `place`, and notes `what` as the effect.
    pub(super) fn take(&mut self, what: What, place: Place) {
        let record = self.table.record(place);
        self.changes.note(what, self.table.key_of(record));
        if self.undo.is_some() {
            return self.take_saved(place);
        }
        let left = self.table.remove(place);
        self.discards.keep(left);
    }
}
