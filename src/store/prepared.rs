//! Values that a command has prepared for writing, and when they expire.

use super::body::Body;
use super::record::{INLINE_MAX, RECORD_MAX};
use super::table::{Content, Demand, Table};
use crate::base::OutOfMemory;

/// The key holds something else than the command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongKind;

/// Why a write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The allocator refuses.
    OutOfMemory,
    /// The hashes of too many keys begin as this one's.
    Crowded,
    /// The key holds something else than the command is for.
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
    /// Never.
    Never,
    /// When the value it replaces would have; never if there was none.
    Keep,
    /// At this Unix time in milliseconds.
    At(u64),
}

impl Expiry {
    pub(super) fn over(self, before: Option<u64>) -> Option<u64> {
        match self {
            Expiry::Never => None,
            Expiry::Keep => before,
            Expiry::At(ms) => Some(ms),
        }
    }
}

/// A key and value for which there is memory, ready for [`Store::commit`](super::Store::commit).
#[derive(Debug)]
pub struct Prepared<'a> {
    pub(super) key: &'a [u8],
    pub(super) hash: u64,
    pub(super) content: Content<'a>,
}

impl<'a> Prepared<'a> {
    /// Copies key and value into a body if they are too long for a block.
    pub(super) fn new(table: &Table, key: &'a [u8], value: &'a [u8]) -> Result<Prepared<'a>, OutOfMemory> {
        let hash = table.hash(key);
        let content = if fits_block(key.len(), value.len()) {
            Content::Small(value)
        } else {
            Content::Body(Body::new(hash, key, [value, b""])?)
        };
        Ok(Prepared { key, hash, content })
    }

    /// As [`Prepared::new`], but a long value will be written over the present one if there is room for it. Most values
    /// are overwritten by values of about the same length, which then need no allocation. A value that may expire
    /// before the commit is not written over.
    #[inline]
    pub(super) fn replacing(
        table: &Table,
        key: &'a [u8],
        value: &'a [u8],
    ) -> Result<Prepared<'a>, OutOfMemory> {
        if fits_block(key.len(), value.len()) {
            return Prepared::new(table, key, value);
        }
        let hash = table.hash(key);
        let record = table.find(hash, key).map(|place| table.record(place));
        match record.filter(|record| record.expires_ms().is_none()).and_then(|record| record.body()) {
            Some(number) if table.bodies.get(number).takes(value.len()) => {
                Ok(Prepared { key, hash, content: Content::Over(value) })
            }
            _ => Prepared::new(table, key, value),
        }
    }

    /// `tail` behind the value of `key`, or alone if there is none.
    pub(super) fn appending(
        table: &mut Table,
        key: &'a [u8],
        tail: &'a [u8],
    ) -> Result<Prepared<'a>, WriteError> {
        let hash = table.hash(key);
        let Some(place) = table.find(hash, key) else { return Ok(Prepared::new(table, key, tail)?) };
        let head = table.string(place)?;
        let in_block = fits_block(key.len(), head.len().saturating_add(tail.len()));
        let content = if in_block || table.reserve_tail(place, tail.len())? {
            Content::Tail(tail)
        } else {
            Content::Body(Body::new(hash, key, [table.string(place)?, tail])?)
        };
        Ok(Prepared { key, hash, content })
    }

    /// The same, with room for it in the table.
    #[inline]
    pub(super) fn reserved(self, table: &mut Table) -> Result<Prepared<'a>, WriteError> {
        if self.bodies() > 0 || !table.is_ready(self.hash, self.record_bytes()) {
            self.reserve(table)?;
        }
        Ok(self)
    }

    #[inline(never)]
    fn reserve(&self, table: &mut Table) -> Result<(), WriteError> {
        let demand = table.admit(self.hash, self.key, self.record_bytes())?;
        Ok(table.try_reserve(Demand { bodies: self.bodies(), ..demand })?)
    }

    /// Bytes of its record, at most.
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

/// True if they lie in a block together.
pub fn fits_block(key_len: usize, value_len: usize) -> bool {
    key_len.saturating_add(value_len) <= INLINE_MAX
}
