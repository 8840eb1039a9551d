//! Strings in the memory in which they have arrived. Such a string is not copied: the memory of the input becomes the memory
//! of its body.
//!
//! Invariants:
//!
//! - A string that stays where it has arrived fills at least seven eighths of the memory, so little is wasted. The accounts count
//!   all of it.
//! - Nobody changes the memory while it is shared. What changes such a string in its place takes the memory first, or copies
//!   the string if others hold the memory too. It does so while it prepares the change.
//! - Replies share the memory too: a long string that is read is kept from then on, wherever it came from.

use std::ops::Range;

use super::Store;
use super::body::Body;
use super::prepared::{Prepared, WriteError, fits_block};
use super::record::Kind;
use super::table::{Content, Place};
use crate::base::{OutOfMemory, Owned, Shared, fault};

/// A string, and the memory that it shares.
#[derive(Debug)]
pub struct Kept {
    memory: Owned,
    /// Where the string begins in the memory.
    at: u32,
    /// Bytes of the string.
    len: u32,
}

impl Kept {
    /// The string that lies at `value` in `memory`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the memory is too large.
    pub fn new(memory: Shared, value: Range<usize>) -> Result<Kept, OutOfMemory> {
        let at = u32::try_from(value.start).map_err(|_| OutOfMemory)?;
        let len = u32::try_from(value.len()).map_err(|_| OutOfMemory)?;
        Ok(Kept { memory: Owned::new(memory), at, len })
    }

    /// All of the memory.
    pub fn memory(&self) -> &Shared {
        self.memory.shared()
    }

    /// Where the string lies in the memory.
    #[inline]
    pub fn range(&self) -> Range<usize> {
        self.at as usize..self.at as usize + self.len as usize
    }

    /// The string.
    #[inline]
    pub fn value(&self) -> &[u8] {
        &self.memory().bytes()[self.range()]
    }

    /// True if nobody else holds the memory.
    pub fn is_alone(&self) -> bool {
        self.memory.is_alone()
    }

    /// Takes the memory out, if nobody else holds it.
    pub fn take_memory(&mut self) -> Option<Box<[u8]>> {
        self.memory.take()
    }
}

impl Store {
    /// As [`Store::prepare`], for a key and a value that lie in `memory`: the value is going to stay there. `None` if they
    /// lie elsewhere, or if this would waste memory.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    #[cold]
    #[inline(never)]
    pub fn prepare_kept<'a>(
        &mut self,
        key: &'a [u8],
        value: &'a [u8],
        memory: &Shared,
    ) -> Result<Option<Prepared<'a>>, WriteError> {
        fault::point();
        let Some((at, lies)) = memory.find(key).zip(memory.find(value)) else { return Ok(None) };
        let held = memory.bytes().len();
        if value.len() < held - held / 8 || fits_block(key.len(), value.len()) {
            return Ok(None);
        }
        let hash = self.table.hash(key);
        let prepared = self.with_memory(|table| {
            let kept = Kept::new(memory.clone(), lies.clone())?;
            let content = Content::Body(Body::keeping(hash, &at, kept)?);
            Prepared { key, hash, content }.reserved(table)
        });
        prepared.map(Some)
    }

    /// Shares the memory of the string of `key`, and says where the string lies in it. `None` if the string is not in a body.
    /// A write of this key must be prepared afterwards, not before: a prepared write may rely on memory that it can change.
    #[cold]
    #[inline(never)]
    pub fn share(&mut self, key: &[u8]) -> Option<(Shared, Range<usize>)> {
        let place = self.table.find(self.table.hash(key), key)?;
        let number = self.table.record(place).body()?;
        self.table.with_body(number, Body::share)
    }

    /// Takes out the memory of a kept string whose place another kept string has taken since the last call. More input can
    /// be read into it.
    #[inline]
    pub fn take_replaced(&mut self) -> Option<Box<[u8]>> {
        self.replaced.take()
    }

    /// Writes a string in a body. If it is kept, and replaces a kept string, the memory of that can be taken out.
    #[inline(never)]
    pub(super) fn write_string_body(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        body: Body,
        expires_ms: Option<u64>,
    ) {
        let replaced = body.kept().and_then(|_| self.memory_at(place?));
        self.write_item(place, hash, key, Kind::String, Content::Body(body), expires_ms);
        if let Some(memory) = replaced {
            // The undo log may hold it as well.
            self.replaced = memory.into_bytes().ok();
        }
    }

    /// The memory of the string at `place`, if it is kept.
    fn memory_at(&self, place: Place) -> Option<Shared> {
        let number = self.table.record(place).body()?;
        Some(self.table.bodies.get(number).kept()?.memory().clone())
    }
}
