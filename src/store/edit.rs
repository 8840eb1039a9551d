//! Changes a string in its place: a few bytes of it, or bytes behind its end. The cost is that of the change
//! and of the zeros in front of it, not the length of the string.

use std::ops::Range;

use super::Store;
use super::body::Body;
use super::prepared::{Prepared, WriteError, fits_block};
use super::record::{Kind, RECORD_MAX};
use super::table::{Content, Table};
use crate::base::{fault, memory};

/// A string that can be changed by [`Store::commit_edit`].
#[derive(Debug)]
pub struct Edit<'a> {
    key: &'a [u8],
    hash: u64,
    /// Bytes of the string after the change.
    len: usize,
    /// True if the key is new, or the string gets longer.
    grows: bool,
    /// The bytes that may change.
    range: Range<usize>,
    /// Memory for what they were, if that must be noted.
    before: Vec<u8>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// A copy that fits a block with its key.
    Small(Vec<u8>),
    /// A copy in a body of its own.
    Body(Body),
    /// The body that the key has.
    There,
}

impl Store {
    /// Makes sure that the string of `key` can be changed in its place, and that it can be `len_min` bytes
    /// long. A shorter string, or none, is filled up with zeros. The key's time of expiry stays.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_edit<'a>(
        &mut self,
        key: &'a [u8],
        len_min: usize,
        now_ms: u64,
    ) -> Result<Edit<'a>, WriteError> {
        self.prepare_edit_of(key, len_min, 0..usize::MAX, now_ms)
    }

    /// As [`Store::prepare_edit`], but only the bytes in `range` are going to be changed. The string is going to be at least
    /// so long that it has them.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_range_edit<'a>(
        &mut self,
        key: &'a [u8],
        range: Range<usize>,
        now_ms: u64,
    ) -> Result<Edit<'a>, WriteError> {
        self.prepare_edit_of(key, range.end, range, now_ms)
    }

    fn prepare_edit_of<'a>(
        &mut self,
        key: &'a [u8],
        len_min: usize,
        range: Range<usize>,
        now_ms: u64,
    ) -> Result<Edit<'a>, WriteError> {
        fault::point();
        let place = self.find(key, now_ms);
        let hash = self.table.hash(key);
        let noted = match place {
            Some(place) if self.undo.is_some() => self.reserve_text(place, hash, key, &range)?,
            _ => Vec::new(),
        };
        let (len, grows, form) = self.with_memory(|table| {
            let before = match place {
                Some(place) => table.string(place)?,
                None => b"",
            };
            let len = before.len().max(len_min);
            let grows = place.is_none() || len > before.len();
            let form = if fits_block(key.len(), len) {
                let mut copy = Vec::new();
                memory::reserve_exact(&mut copy, len)?;
                copy.extend_from_slice(before);
                copy.resize(len, 0);
                Form::Small(copy)
            } else if let Some(number) = place.and_then(|place| table.record(place).body()) {
                let more = len - before.len();
                table.with_body(number, |body| body.try_reserve(more))?;
                Form::There
            } else {
                let mut body = Body::new(hash, key, [before, b""])?;
                body.try_reserve(len - before.len())?;
                body.fill_up(len);
                Form::Body(body)
            };
            form.reserve(table, hash, key)?;
            Ok((len, grows, form))
        })?;
        Ok(Edit { key, hash, len, grows, range, before: noted, form })
    }

    /// Lets `change` work on the bytes of the string; it returns true if it has changed any. If it has not, and the
    /// string is as long as before, there is no effect. Returns true if there is one. Cannot fail or panic half-way,
    /// unless `change` does.
    pub fn commit_edit(&mut self, edit: Edit<'_>, change: impl FnOnce(&mut [u8]) -> bool) -> bool {
        let Edit { key, hash, len, grows, range, before, form } = edit;
        let place = self.table.find(hash, key);
        let expires_ms = place.and_then(|place| self.table.record(place).expires_ms());
        let changed;
        match form {
            Form::Small(mut copy) => {
                changed = change(&mut copy);
                self.write_item(place, hash, key, Kind::String, Content::Small(&copy), expires_ms);
            }
            Form::Body(mut body) => {
                changed = change(body.value_mut());
                self.write_item(place, hash, key, Kind::String, Content::Body(body), expires_ms);
            }
            Form::There => {
                if self.undo.is_some() {
                    self.save_text(place, hash, key, range, before);
                }
                let number = place.and_then(|place| self.table.record(place).body());
                let number = number.expect("nobody removes a key between prepare and commit");
                changed = self.table.with_body(number, |body| {
                    body.fill_up(len);
                    change(body.value_mut())
                });
            }
        }
        if changed || grows {
            self.changes.note_write(place.is_some(), key);
        }
        changed || grows
    }
}

impl Form {
    /// Makes sure that the record of `key` can be written.
    fn reserve(&self, table: &mut Table, hash: u64, key: &[u8]) -> Result<(), WriteError> {
        let (bytes, bodies) = match self {
            Form::Small(copy) => (Prepared::small_record_bytes(key, copy), 0),
            Form::Body(_) => (RECORD_MAX, 1),
            Form::There => return Ok(()),
        };
        table.reserve_record(hash, key, bytes, bodies)
    }
}
