//! Writes of hashes: fields get values.
//!
//! A write is prepared and then committed. A packed map is written as a whole, a map with a table field by field. A map that
//! becomes too large to be packed gets a table.

use super::body::Body;
use super::chunked::Size;
use super::journal::What;
use super::large::Large;
use super::map::{Field, Form, Map};
use super::names::Names;
use super::packed::Packing;
use super::prepared::{Expiry, Prepared, WriteError, fits_block};
use super::record::{INLINE_MAX, Kind, RECORD_MAX, Record};
use super::set::Addition;
use super::table::{Content, Table};
use super::undo::noter;
use super::walk::is_live;
use super::{Pair, Store, WritePairs};
use crate::base::{OutOfMemory, fault, memory};

/// Fields and their new values, with the memory for them reserved. [`Store::commit_map_set`] writes them.
#[derive(Debug)]
pub struct PreparedMap<'a> {
    pub(super) kind: Kind,
    pub(super) key: &'a [u8],
    /// The hash of the key.
    pub(super) hash: u64,
    /// How many of the fields are new.
    pub(super) added: usize,
    /// When the fields expire.
    pub(super) expiry: Expiry,
    /// The time of day, in Unix milliseconds.
    pub(super) now_ms: u64,
    /// True if the map takes the place of whatever the key holds, and of its time of expiry.
    pub(super) is_new: bool,
    pub(super) write: Write<'a>,
}

/// How a hash or a set is going to be written.
#[derive(Debug)]
pub(super) enum Write<'a> {
    /// The whole packed hash, into the record or over the packed hash in its body.
    Packed(Packing),
    /// The whole hash as a new body.
    Body(Body),
    /// A single field, into the table in the body with this number.
    Field(u32, Prepared<'a>),
    /// Several fields.
    Fields(u32, Vec<Prepared<'a>>),
    /// Members, into the large set in the body with this number.
    Members(u32, Addition<'a>),
}

impl PreparedMap<'_> {
    /// How many of the fields are new. A field that is named twice counts once.
    pub fn added(&self) -> usize {
        self.added
    }
}

impl Store {
    /// Makes sure that the fields can be given these values, and expire as `expiry` says: each field has a time of its own.
    /// There must be at least one. If a field is named twice, the last value counts. The key's time of expiry stays.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_map_set<'a>(
        &mut self,
        key: &'a [u8],
        pairs: impl WritePairs<'a>,
        expiry: Expiry,
        now_ms: u64,
    ) -> Result<PreparedMap<'a>, WriteError> {
        fault::point();
        debug_assert!(pairs.clone().next().is_some(), "a map needs at least one field");
        let expires_ms = expiry.over(None);
        let place = self.find(key, now_ms);
        if let Some(place) = place {
            self.map_at(place, now_ms)?;
        }
        let (kind, hash) = (Kind::Hash, self.table.hash(key));
        let body = place.and_then(|place| self.table.record(place).body());
        if let Some(number) = body.filter(|_| expires_ms.is_none())
            && let Some((entry, is_new)) = self.table.ready_field(number, pairs.clone(), now_ms)
        {
            let (added, write) = (usize::from(is_new), Write::Field(number, entry));
            return Ok(PreparedMap { kind, key, hash, added, expiry, now_ms, is_new: false, write });
        }
        self.with_memory(|table| {
            let there = place.map(|place| Map::of(table, table.record(place), now_ms));
            let (added, write) = match (there.map(|map| map.form), body) {
                (Some(Form::Table(_)), Some(number)) => table.with_body(number, |body| {
                    let fields = body.map_mut();
                    if expires_ms.is_some() {
                        fields.admit_expiries()?;
                    }
                    let entries = fields.prepare_all(pairs.clone())?;
                    let added = fields.count_new(&entries, now_ms)?;
                    Ok::<_, WriteError>((added, Write::Fields(number, entries)))
                })?,
                (form, _) => {
                    let packed = match form {
                        Some(Form::Packed(packed)) => packed,
                        _ => table.packed(b""),
                    };
                    let mut packing = Packing::copy(kind, packed)?;
                    let before = packing.len();
                    let (after, write) =
                        if expires_ms.is_none() && pack(&mut packing, table.names(), pairs.clone())? {
                            (packing.len(), packed_write(table, body, hash, key, packing)?)
                        } else {
                            let there = packed.iter().map(|(field, value)| (field, value, None));
                            let pairs = pairs.clone().map(|(field, value)| (field, value, expires_ms));
                            let fields = spread(table, there.chain(pairs))?;
                            (fields.len(), Write::Body(Body::with_large(hash, key, fields)?))
                        };
                    write.reserve(table, hash, key)?;
                    (after - before, write)
                }
            };
            Ok(PreparedMap { kind, key, hash, added, expiry, now_ms, is_new: false, write })
        })
    }

    /// Gives the prepared fields their values. Cannot fail or panic half-way.
    pub fn commit_map_set(&mut self, prepared: PreparedMap<'_>) {
        let PreparedMap { kind, key, hash, expiry, now_ms, is_new, write, .. } = prepared;
        let write = match write {
            Write::Field(number, entry) => {
                return self.commit_fields(number, key, hash, [entry], expiry, now_ms);
            }
            Write::Fields(number, entries) => {
                return self.commit_fields(number, key, hash, entries, expiry, now_ms);
            }
            Write::Members(number, addition) => return self.commit_members(number, key, addition),
            whole => whole,
        };
        let place = self.table.find(hash, key);
        let record = place.map(|place| self.table.record(place));
        let expires_ms = record.and_then(Record::expires_ms).filter(|_| !is_new);
        let body = record.and_then(Record::body);
        self.changes.note_write(place.is_some(), key);
        match (write, body) {
            (Write::Packed(packing), body) => {
                let content = match body {
                    Some(_) if !fits_block(key.len(), packing.bytes().len()) => {
                        Content::Over(packing.bytes())
                    }
                    _ => Content::Small(packing.bytes()),
                };
                self.write_item(place, hash, key, kind, content, expires_ms);
            }
            (Write::Body(body), _) => {
                self.write_item(place, hash, key, kind, Content::Body(body), expires_ms);
            }
            (Write::Field(..) | Write::Fields(..) | Write::Members(..), _) => {
                unreachable!("these are written before")
            }
        }
    }

    /// Writes fields into the table in body `number`, which `key` still has: no key is removed between prepare and commit.
    fn commit_fields<'a>(
        &mut self,
        number: u32,
        key: &[u8],
        hash: u64,
        entries: impl IntoIterator<Item = Prepared<'a>> + AsRef<[Prepared<'a>]>,
        expiry: Expiry,
        now_ms: u64,
    ) {
        debug_assert_eq!(self.table.bodies.get(number).key(), key, "the body belongs to another key");
        self.changes.note(What::Set, key);
        let noter = noter(&mut self.undo, self.changes.db, hash, key);
        let next_ms = self.table.with_body(number, |body| {
            let table = body.map_mut();
            if let Some(mut noter) = noter {
                noter.write_fields(table, entries.as_ref());
            }
            entries.into_iter().for_each(|entry| table.commit(entry, expiry, now_ms));
            // Perhaps earlier than the new time: when no field expired any more, the table kept the last one.
            table.next_expiry()
        });
        self.table.hasten(hash, next_ms);
    }
}

impl Write<'_> {
    /// Reserves room in the keyspace's table for the record of `key`.
    pub(super) fn reserve(&self, table: &mut Table, hash: u64, key: &[u8]) -> Result<(), WriteError> {
        let (bytes, bodies) = match self {
            Write::Packed(packing) if fits_block(key.len(), packing.bytes().len()) => {
                (RECORD_MAX - INLINE_MAX + key.len() + packing.bytes().len(), 0)
            }
            Write::Body(_) => (RECORD_MAX, 1),
            _ => (RECORD_MAX, 0),
        };
        table.reserve_record(hash, key, bytes, bodies)
    }
}

/// Adds `pairs` to a packed hash. Returns false if they are too many or too long for it.
pub(super) fn pack<'a>(
    packing: &mut Packing,
    names: &Names,
    mut pairs: impl WritePairs<'a>,
) -> Result<bool, OutOfMemory> {
    pairs.try_fold(true, |fits, (field, value)| Ok(fits && packing.set(names, field, value)?))
}

/// Decides where a packed hash is going to be written, and allocates a new body for it if it needs one.
pub(super) fn packed_write<'a>(
    table: &Table,
    body: Option<u32>,
    hash: u64,
    key: &[u8],
    packing: Packing,
) -> Result<Write<'a>, OutOfMemory> {
    let len = packing.bytes().len();
    if fits_block(key.len(), len) || body.is_some_and(|number| table.bodies.get(number).takes(len)) {
        return Ok(Write::Packed(packing));
    }
    Ok(Write::Body(Body::new(hash, key, [packing.bytes(), b""])?))
}

/// A new table with these fields. If one comes twice, the last one counts.
pub(super) fn spread<'a>(
    keyspace: &Table,
    fields: impl Iterator<Item = Field<'a>>,
) -> Result<Table, WriteError> {
    let mut table = Table::new(keyspace.hasher.clone(), Size::Small);
    for (field, value, expires_ms) in fields {
        expires_ms.map_or(Ok(()), |_| table.admit_expiries())?;
        let entry = Prepared::new(&table, field, value)?.reserved(&mut table)?;
        table.commit(entry, expires_ms.map_or(Expiry::Never, Expiry::At), 0);
    }
    Ok(table)
}

impl Table {
    /// Prepares to write all of `pairs`, and reserves room for them in the table.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub(super) fn prepare_all<'a>(
        &mut self,
        pairs: impl WritePairs<'a>,
    ) -> Result<Vec<Prepared<'a>>, WriteError> {
        let mut entries = Vec::new();
        memory::reserve_exact(&mut entries, pairs.clone().count())?;
        for (key, value) in pairs {
            fault::point();
            entries.push(Prepared::new(self, key, value)?);
        }
        let demand = self.admit_all(&entries)?;
        self.try_reserve(demand)?;
        Ok(entries)
    }

    /// The write of a single pair into the hash in body `number`, if that has a table and needs no memory for it. Also says
    /// whether the field is new. Nearly all writes to large hashes are of this kind, and this way takes a third
    /// fewer instructions than the way for several fields.
    fn ready_field<'a>(
        &self,
        number: u32,
        mut pairs: impl WritePairs<'a>,
        now_ms: u64,
    ) -> Option<(Prepared<'a>, bool)> {
        let pair = pairs.next()?;
        if pairs.next().is_some() {
            return None;
        }
        let Some(Large::Map(map)) = self.bodies.get(number).large() else { return None };
        map.value.ready_pair(pair, now_ms)
    }

    /// The write of a pair, if the table needs no memory for it. Also says whether its key is new.
    #[inline(always)]
    pub(super) fn ready_pair<'a>(&self, (key, value): Pair<'a>, now_ms: u64) -> Option<(Prepared<'a>, bool)> {
        if !fits_block(key.len(), value.len()) {
            return None;
        }
        let entry = Prepared { key, hash: self.hash(key), content: Content::Small(value) };
        if !self.is_ready(entry.hash, entry.record_bytes()) {
            return None;
        }
        fault::point();
        let is_new = self.is_new(&entry, now_ms);
        Some((entry, is_new))
    }

    /// True if the key of `entry` is not in the table, or has expired.
    #[inline]
    fn is_new(&self, entry: &Prepared<'_>, now_ms: u64) -> bool {
        let place = self.find(entry.hash, entry.key);
        place.is_none_or(|place| !is_live(self.record(place), now_ms))
    }

    /// How many of the keys in `entries` are not in the table yet, or have expired.
    pub(super) fn count_new(&self, entries: &[Prepared<'_>], now_ms: u64) -> Result<usize, OutOfMemory> {
        let new = entries.iter().filter(|entry| self.is_new(entry, now_ms));
        let mut keys = memory::collect(new.map(|entry| entry.key))?;
        keys.sort_unstable();
        keys.dedup();
        Ok(keys.len())
    }

    /// Writes a field of a hash: a string that expires as `expiry` says. A field that has expired gives its time to nobody.
    /// Only for the table of a hash or a set, where a replaced value is always quick to free.
    pub(super) fn commit(&mut self, entry: Prepared<'_>, expiry: Expiry, now_ms: u64) {
        let Prepared { key, hash, content } = entry;
        let place = self.find(hash, key);
        let expires_ms = match (expiry, place) {
            (Expiry::Keep, Some(place)) => self.record(place).expires_ms().filter(|at_ms| *at_ms > now_ms),
            _ => expiry.over(None),
        };
        self.write(place, hash, key, Kind::String, content, expires_ms);
    }
}
