//! Prepared writes: the memory is reserved, and a commit cannot fail.

use super::body::Body;
use super::record::{INLINE_MAX, RECORD_MAX};
use super::table::{Content, Table};
use crate::base::OutOfMemory;

/// The key holds another kind of value than the operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongKind;

/// Why a write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The allocator refuses the memory for it.
    OutOfMemory,
    /// Too many other keys have hashes that begin with the same bits as the hash of this key.
    Crowded,
    /// The key holds another kind of value than the operation needs.
    WrongKind,
}

impl From<WrongKind> for WriteError {
    fn from(_: WrongKind) -> WriteError {
        WriteError::WrongKind
    }
}

impl From<OutOfMemory> for WriteError {
    fn from(_: OutOfMemory) -> WriteError {
        WriteError::OutOfMemory
    }
}

/// When a value written by [`Store::commit`](super::Store::commit) expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It never expires.
    Never,
    /// The key keeps its time of expiry. A new key never expires.
    Keep,
    /// It expires at this Unix time in milliseconds.
    At(u64),
}

impl Expiry {
    /// When the key expires after the write, if it expired `before`. Both are Unix milliseconds.
    pub(super) fn over(self, before: Option<u64>) -> Option<u64> {
        match self {
            Expiry::Never => None,
            Expiry::Keep => before,
            Expiry::At(ms) => Some(ms),
        }
    }
}

/// A key and its new value, with the memory for both reserved. [`Store::commit`](super::Store::commit) writes
/// it.
#[derive(Debug)]
pub struct Prepared<'a> {
    /// The key.
    pub(super) key: &'a [u8],
    /// The hash of the key.
    pub(super) hash: u64,
    /// The value.
    pub(super) content: Content<'a>,
}

impl<'a> Prepared<'a> {
    /// A write of `value` under `key`. If they are too long for a block, copies them into a new body.
    /// Reserves no room in the table yet.
    pub(super) fn new(table: &Table, key: &'a [u8], value: &'a [u8]) -> Result<Prepared<'a>, OutOfMemory> {
        let hash = table.hash(key);
        let content = if fits_block(key.len(), value.len()) {
            Content::Small(value)
        } else {
            Content::Body(Body::new(hash, key, [value, b""])?)
        };
        Ok(Prepared { key, hash, content })
    }

    /// As [`Prepared::new`], but if the key has a body of about the right size, a long value is going to be
    /// written into that body. Most values are replaced by one of a similar length, and this needs no
    /// allocation. Does not reuse the body of a key that may expire before the commit, and none unless `reuses` is set.
    #[inline]
    pub(super) fn replacing(
        table: &mut Table,
        key: &'a [u8],
        value: &'a [u8],
        reuses: bool,
    ) -> Result<Prepared<'a>, OutOfMemory> {
        if !reuses || fits_block(key.len(), value.len()) {
            return Prepared::new(table, key, value);
        }
        let hash = table.hash(key);
        let record = table.find(hash, key).map(|place| table.record(place));
        match record.filter(|record| record.expires_ms().is_none()).and_then(|record| record.body()) {
            Some(number) if takes(table, number, value.len()) => {
                Ok(Prepared { key, hash, content: Content::Over(value) })
            }
            _ => Prepared::new(table, key, value),
        }
    }

    /// A write of `tail` behind the value of `key`, or of `tail` alone if there is no such key.
    pub(super) fn appending(
        table: &mut Table,
        key: &'a [u8],
        tail: &'a [u8],
    ) -> Result<Prepared<'a>, WriteError> {
        let hash = table.hash(key);
        let Some(place) = table.find(hash, key) else { return Ok(Prepared::new(table, key, tail)?) };
        let head = table.string(place)?;
        let in_block = fits_block(key.len(), head.len().saturating_add(tail.len()));
        let content = if in_block || tail.is_empty() || table.reserve_tail(place, tail.len())? {
            Content::Tail(tail)
        } else {
            Content::Body(Body::new(hash, key, [table.string(place)?, tail])?)
        };
        Ok(Prepared { key, hash, content })
    }

    /// The same write, once the table has room for it.
    #[inline]
    pub(super) fn reserved(self, table: &mut Table) -> Result<Prepared<'a>, WriteError> {
        if self.bodies() > 0 || !table.is_ready(self.hash, self.record_bytes()) {
            self.reserve(table)?;
        }
        Ok(self)
    }

    /// Reserves room in the table. Rarely needed, so not inlined.
    #[inline(never)]
    fn reserve(&self, table: &mut Table) -> Result<(), WriteError> {
        table.reserve_record(self.hash, self.key, self.record_bytes(), self.bodies())
    }

    /// Most bytes that its record may have.
    pub(super) fn record_bytes(&self) -> usize {
        match self.content {
            Content::Small(value) => Prepared::small_record_bytes(self.key, value),
            Content::Body(_) | Content::Over(_) | Content::Tail(_) => RECORD_MAX,
        }
    }

    /// Bytes of the record of a small item, at most.
    pub(super) fn small_record_bytes(key: &[u8], value: &[u8]) -> usize {
        RECORD_MAX - INLINE_MAX + key.len() + value.len()
    }

    /// How many bodies it may add: one or none.
    pub(super) fn bodies(&self) -> usize {
        usize::from(matches!(self.content, Content::Body(_)))
    }
}

/// True if a string of `len` bytes fits into the memory of body `number`, which can be changed.
fn takes(table: &mut Table, number: u32, len: usize) -> bool {
    if table.bodies.get(number).kept().is_some() {
        table.with_body(number, Body::reclaim);
    }
    table.bodies.get(number).takes(len)
}

/// True if a key and a value of these lengths, in bytes, fit a block together.
pub fn fits_block(key_len: usize, value_len: usize) -> bool {
    key_len.saturating_add(value_len) <= INLINE_MAX
}
