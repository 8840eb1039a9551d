//! Whole values: each is built beside the keyspace, and then takes the place of whatever its key holds.
//!
//! `COPY` and `RESTORE` write such values. Building one takes time in proportion to its size. Once it is built and its
//! place is reserved, the commit cannot fail.

use super::body::Body;
use super::list::{List, packed_size, push_packed};
use super::lists::PACKED_BYTES_MAX;
use super::map::Field;
use super::map_writes::{pack, spread};
use super::packed::Packing;
use super::prepared::{Prepared, WriteError, fits_block};
use super::record::{Kind, RECORD_MAX};
use super::set::Set;
use super::set_writes::entry;
use super::table::{Content, Table};
use super::zpacked::PackedZset;
use super::zsets::{Change, put_in_order};
use super::{Scored, Store};
use crate::base::{OutOfMemory, fault, memory};

/// A value for a key, with the memory for it reserved. [`Store::commit_whole`] writes it.
#[derive(Debug)]
pub struct Whole<'a> {
    pub(super) key: &'a [u8],
    /// The database of the key.
    pub(super) db: u16,
    /// The hash of the key.
    pub(super) hash: u64,
    pub(super) kind: Kind,
    pub(super) expires_ms: Option<u64>,
    pub(super) value: Held,
}

/// The memory of a whole value.
#[derive(Debug)]
pub(super) enum Held {
    /// It fits a block with its key.
    Small(Vec<u8>),
    /// It does not, or it has a structure of its own.
    Body(Body),
}

impl Held {
    /// A string or a packed value for `key`, whose hash is `hash`.
    pub fn bytes(hash: u64, key: &[u8], value: &[u8]) -> Result<Held, OutOfMemory> {
        if !fits_block(key.len(), value.len()) {
            return Ok(Held::Body(Body::new(hash, key, [value, b""])?));
        }
        let mut copy = Vec::new();
        memory::reserve_exact(&mut copy, value.len())?;
        copy.extend_from_slice(value);
        Ok(Held::Small(copy))
    }

    /// A list with these elements. There must be at least one.
    fn list<'e>(
        hash: u64,
        key: &[u8],
        mut elements: impl Iterator<Item = &'e [u8]> + Clone,
    ) -> Result<Held, OutOfMemory> {
        let mut sizes = elements.clone().map(|element| packed_size(element.len()));
        let packed = sizes.try_fold(0, |sum, size| (sum + size <= PACKED_BYTES_MAX).then_some(sum + size));
        if let Some(len) = packed {
            let mut bytes = Vec::new();
            memory::reserve_exact(&mut bytes, len)?;
            elements.for_each(|element| push_packed(&mut bytes, element));
            return Held::bytes(hash, key, &bytes);
        }
        let mut list = List::new();
        elements.try_for_each(|element| {
            list.try_reserve_back(1, element.len())?;
            list.push_back(element);
            Ok(())
        })?;
        Ok(Held::Body(Body::with_large(hash, key, list)?))
    }

    /// A set with these members. There must be at least one.
    fn set<'e>(
        table: &Table,
        hash: u64,
        key: &[u8],
        members: impl Iterator<Item = &'e [u8]> + Clone,
    ) -> Result<Held, WriteError> {
        let mut packing = Packing::new(Kind::Set);
        if pack(&mut packing, table.names(), members.clone().map(entry))? {
            return Ok(Held::bytes(hash, key, packing.bytes())?);
        }
        Ok(Held::Body(Body::with_large(hash, key, Set::with_members(table.hasher.clone(), members)?)?))
    }

    /// A hash with these fields. There must be at least one.
    fn hash<'e>(
        table: &Table,
        hash: u64,
        key: &[u8],
        fields: impl Iterator<Item = Field<'e>> + Clone,
    ) -> Result<Held, WriteError> {
        let mut packing = Packing::new(Kind::Hash);
        let pairs = fields.clone().map(|(field, value, _)| (field, value));
        let is_timed = fields.clone().any(|(_, _, expires_ms)| expires_ms.is_some());
        if !is_timed && pack(&mut packing, table.names(), pairs)? {
            return Ok(Held::bytes(hash, key, packing.bytes())?);
        }
        Ok(Held::Body(Body::with_large(hash, key, spread(table, fields)?)?))
    }
}

impl Store {
    /// Makes sure that `key` can hold this string and expire at this Unix time in milliseconds, or never.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_whole_string<'a>(
        &mut self,
        key: &'a [u8],
        value: &[u8],
        expires_ms: Option<u64>,
    ) -> Result<Whole<'a>, WriteError> {
        self.prepare_whole(Kind::String, key, expires_ms, |_, hash| Ok(Held::bytes(hash, key, value)?))
    }

    /// The same for a list of these elements. There must be at least one.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_whole_list<'a, 'e>(
        &mut self,
        key: &'a [u8],
        elements: impl Iterator<Item = &'e [u8]> + Clone,
        expires_ms: Option<u64>,
    ) -> Result<Whole<'a>, WriteError> {
        debug_assert!(elements.clone().next().is_some(), "a list needs at least one element");
        self.prepare_whole(Kind::List, key, expires_ms, |_, hash| {
            Ok(Held::list(hash, key, elements.clone())?)
        })
    }

    /// The same for a sorted set with these members, which it puts in order. There must be at least one.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_whole_zset<'a>(
        &mut self,
        key: &'a [u8],
        members: &mut [Scored<'_>],
        expires_ms: Option<u64>,
    ) -> Result<Whole<'a>, WriteError> {
        debug_assert!(!members.is_empty(), "a sorted set needs at least one member");
        put_in_order(members);
        self.prepare_whole(Kind::Zset, key, expires_ms, |table, hash| {
            Ok(match Change::of_packed(table, PackedZset(b""), members, (hash, key), None)? {
                Change::Packed(bytes) => Held::Small(bytes),
                Change::Body(body) => Held::Body(body),
                Change::Members(_) => unreachable!("there is no sorted set yet"),
            })
        })
    }

    /// The same for a set of these members. There must be at least one. A member may be named twice.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_whole_set<'a, 'e>(
        &mut self,
        key: &'a [u8],
        members: impl Iterator<Item = &'e [u8]> + Clone,
        expires_ms: Option<u64>,
    ) -> Result<Whole<'a>, WriteError> {
        debug_assert!(members.clone().next().is_some(), "a set needs at least one member");
        self.prepare_whole(Kind::Set, key, expires_ms, |table, hash| {
            Held::set(table, hash, key, members.clone())
        })
    }

    /// The same for a hash with these fields. There must be at least one. If a field is named twice, the last value
    /// counts.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_whole_hash<'a, 'e>(
        &mut self,
        key: &'a [u8],
        fields: impl Iterator<Item = Field<'e>> + Clone,
        expires_ms: Option<u64>,
    ) -> Result<Whole<'a>, WriteError> {
        debug_assert!(fields.clone().next().is_some(), "a hash needs at least one field");
        self.prepare_whole(Kind::Hash, key, expires_ms, |table, hash| {
            Held::hash(table, hash, key, fields.clone())
        })
    }

    /// Lets `build` make the value, and reserves the place for it.
    fn prepare_whole<'a>(
        &mut self,
        kind: Kind,
        key: &'a [u8],
        expires_ms: Option<u64>,
        mut build: impl FnMut(&Table, u64) -> Result<Held, WriteError>,
    ) -> Result<Whole<'a>, WriteError> {
        fault::point();
        let (db, hash) = (self.selected(), self.table.hash(key));
        let value = self.with_memory(|table| build(table, hash))?;
        let whole = Whole { key, db, hash, kind, expires_ms, value };
        self.reserve_whole(&whole)?;
        Ok(whole)
    }

    /// Makes sure that the record of a whole value can be written.
    pub(super) fn reserve_whole(&mut self, whole: &Whole<'_>) -> Result<(), WriteError> {
        let (bytes, bodies) = match &whole.value {
            Held::Small(value) => (Prepared::small_record_bytes(whole.key, value), 0),
            Held::Body(_) => (RECORD_MAX, 1),
        };
        self.reserve_within(whole.db, whole.hash, whole.key, bytes, bodies)
    }

    /// Makes sure that the record of `key` can be written in database `db`.
    pub(super) fn reserve_within(
        &mut self,
        db: u16,
        hash: u64,
        key: &[u8],
        bytes: usize,
        bodies: usize,
    ) -> Result<(), WriteError> {
        self.within(db, |store| store.with_memory(|table| table.reserve_record(hash, key, bytes, bodies)))
    }

    /// Writes a whole value; what the key held before is gone. The key counts as new, as it does in Redis after `COPY` and
    /// `RESTORE`. Cannot fail or panic half-way.
    pub fn commit_whole(&mut self, whole: Whole<'_>) {
        self.write_whole(whole, true);
    }

    /// As [`Store::commit_whole`], but a key that was there counts as changed and not as new, as after `SORT ... STORE`.
    pub fn commit_whole_over(&mut self, whole: Whole<'_>) {
        self.write_whole(whole, false);
    }

    fn write_whole(&mut self, whole: Whole<'_>, is_new: bool) {
        let Whole { key, db, hash, kind, expires_ms, value } = whole;
        debug_assert_eq!(hash, self.table.hash(key), "the value was made for this key");
        self.within(db, |store| match value {
            Held::Small(value) => store.put_over(key, kind, Content::Small(&value), expires_ms, is_new),
            Held::Body(body) => store.put_over(key, kind, Content::Body(body), expires_ms, is_new),
        });
    }

    /// Writes a value in the place of whatever the key holds. The key counts as new if `is_new` is true, whatever it held.
    pub(super) fn put_over(
        &mut self,
        key: &[u8],
        kind: Kind,
        content: Content<'_>,
        expires_ms: Option<u64>,
        is_new: bool,
    ) {
        let hash = self.table.hash(key);
        let place = self.table.find(hash, key);
        self.changes.note_write(place.is_some() && !is_new, key);
        self.write_item(place, hash, key, kind, content, expires_ms);
    }
}
