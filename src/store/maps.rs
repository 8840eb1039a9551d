//! Operations on keys that hold maps: hashes, and sets, which are maps whose values are empty.
//!
//! A map has one of three forms: [packed](super::packed) in its record as long as that fits a block, packed in a
//! body, or in a table of its own, which is the same kind of table that the keyspace has. A map with a table never
//! becomes packed again.

use super::body::Body;
use super::chunked::Size;
use super::journal::What;
use super::map::{Field, Form, Map, field_and_value};
use super::packed::{self, Packed, Packing};
use super::prepared::{Expiry, Prepared, WriteError, WrongKind, fits_block};
use super::record::{INLINE_MAX, Kind, RECORD_MAX, Record};
use super::table::{Content, Place, Table};
use super::walk::is_live;
use super::{Pair, Store, WritePairs};
use crate::base::{OutOfMemory, fault, memory};

/// Fields and their new values, with the memory for them reserved. [`Store::commit_map_set`] writes them.
#[derive(Debug)]
pub struct PreparedMap<'a> {
    kind: Kind,
    key: &'a [u8],
    /// The hash of the key.
    hash: u64,
    /// How many of the fields are new.
    added: usize,
    /// When the fields expire.
    expiry: Expiry,
    /// The time of day, in Unix milliseconds.
    now_ms: u64,
    /// True if the map takes the place of whatever the key holds, and of its time of expiry.
    is_new: bool,
    write: Write<'a>,
}

/// How a hash is going to be written.
#[derive(Debug)]
enum Write<'a> {
    /// The whole packed hash, into the record or over the packed hash in its body.
    Packed(Packing),
    /// The whole hash as a new body.
    Body(Body),
    /// Single fields, into the table that the hash has.
    Fields(Vec<Prepared<'a>>),
}

impl PreparedMap<'_> {
    /// How many of the fields are new. A field that is named twice counts once.
    pub fn added(&self) -> usize {
        self.added
    }
}

/// Fields that [`Store::commit_map_remove`] is going to remove.
#[derive(Debug)]
pub struct MapRemoval<'a> {
    key: &'a [u8],
    /// The fields that the hash has, sorted, each one once.
    fields: Vec<&'a [u8]>,
    /// True if the hash has no others.
    all: bool,
}

impl MapRemoval<'_> {
    /// How many fields will be removed.
    pub fn removed(&self) -> usize {
        self.fields.len()
    }
}

impl Store {
    /// The hash or the set of `key`, as `kind` says; `None` if there is no such key or it has expired.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value.
    #[inline]
    pub fn map(&mut self, kind: Kind, key: &[u8], now_ms: u64) -> Result<Option<Map<'_>>, WrongKind> {
        fault::point();
        let place = self.find(key, now_ms);
        place.map(|place| self.map_at(kind, place, now_ms)).transpose()
    }

    /// The set of `key`, for a command that has just looked all its keys up with [`Store::map`] and now needs several at a
    /// time. `None` if there is no such key or it holds something else.
    pub fn set_there(&self, key: &[u8]) -> Option<Map<'_>> {
        let record = self.table.record(self.table.find(self.table.hash(key), key)?);
        (record.kind() == Kind::Set).then(|| Map::of(&self.table, record, 0))
    }

    /// The map at `place`.
    fn map_at(&self, kind: Kind, place: Place, now_ms: u64) -> Result<Map<'_>, WrongKind> {
        let record = self.table.record(place);
        if record.kind() == kind { Ok(Map::of(&self.table, record, now_ms)) } else { Err(WrongKind) }
    }

    /// Makes sure that the fields can be given these values, and expire as `expiry` says: each field has a time of its own.
    /// There must be at least one. If a field is named twice, the last value counts. The key's time of expiry stays.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_map_set<'a>(
        &mut self,
        kind: Kind,
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
            self.map_at(kind, place, now_ms)?;
        }
        let hash = self.table.hash(key);
        let body = place.and_then(|place| self.table.record(place).body());
        self.with_memory(|table| {
            let there = place.map(|place| Map::of(table, table.record(place), now_ms));
            let (added, write) = match (there.map(|map| (map, map.form)), body) {
                (Some((map, Form::Table(_))), Some(number)) => {
                    let added = new_fields(map, pairs.clone())?;
                    let write = table.with_body(number, |body| {
                        let fields = body.map_mut();
                        expires_ms.map_or(Ok(()), |_| fields.admit_expiries())?;
                        fields.prepare_all(pairs.clone())
                    });
                    (added, Write::Fields(write?))
                }
                (there, _) => {
                    let packed = match there {
                        Some((_, Form::Packed(packed))) => packed,
                        _ => Packed(b""),
                    };
                    let mut packing = Packing::copy(packed)?;
                    let before = packing.len();
                    let (after, write) = if expires_ms.is_none() && pack(&mut packing, pairs.clone())? {
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

    /// Makes sure that a new map with these fields can be written in the place of what the key holds. There must be at
    /// least one. If a field is named twice, the last value counts. The key will never expire.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_map_new<'a>(
        &mut self,
        kind: Kind,
        key: &'a [u8],
        pairs: impl WritePairs<'a>,
    ) -> Result<PreparedMap<'a>, WriteError> {
        fault::point();
        let hash = self.table.hash(key);
        self.with_memory(|table| {
            let mut packing = Packing::default();
            let (added, write) = if pack(&mut packing, pairs.clone())? {
                (packing.len(), packed_write(table, None, hash, key, packing)?)
            } else {
                let fields = spread(table, pairs.clone().map(|(field, value)| (field, value, None)))?;
                (fields.len(), Write::Body(Body::with_large(hash, key, fields)?))
            };
            write.reserve(table, hash, key)?;
            Ok(PreparedMap { kind, key, hash, added, expiry: Expiry::Never, now_ms: 0, is_new: true, write })
        })
    }

    /// Gives the prepared fields their values. Cannot fail or panic half-way.
    pub fn commit_map_set(&mut self, prepared: PreparedMap<'_>) {
        let PreparedMap { kind, key, hash, expiry, now_ms, is_new, write, .. } = prepared;
        let place = self.table.find(hash, key);
        let record = place.map(|place| self.table.record(place));
        let expires_ms = record.and_then(Record::expires_ms).filter(|_| !is_new);
        let body = record.and_then(Record::body);
        self.changes.note_write(place.is_some(), key);
        let left = match (write, body) {
            (Write::Fields(entries), Some(number)) => {
                self.table.with_body(number, |body| {
                    let table = body.map_mut();
                    entries.into_iter().for_each(|entry| table.commit(entry, expiry, now_ms));
                });
                self.table.hasten(hash, expiry.over(None));
                None
            }
            (Write::Fields(_), None) => unreachable!("no key is removed between prepare and commit"),
            (Write::Packed(packing), body) => {
                let content = match body {
                    Some(_) if !fits_block(key.len(), packing.bytes().len()) => {
                        Content::Over(packing.bytes())
                    }
                    _ => Content::Small(packing.bytes()),
                };
                self.table.write(place, hash, key, kind, content, expires_ms)
            }
            (Write::Body(body), _) => {
                self.table.write(place, hash, key, kind, Content::Body(body), expires_ms)
            }
        };
        self.discards.keep(left);
    }

    /// Prepares to remove `fields` from the map of `key`: finds out which of them it has.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_map_remove<'a>(
        &mut self,
        kind: Kind,
        key: &'a [u8],
        fields: impl Iterator<Item = &'a [u8]>,
        now_ms: u64,
    ) -> Result<MapRemoval<'a>, WriteError> {
        let Some(map) = self.map(kind, key, now_ms)? else {
            return Ok(MapRemoval { key, fields: Vec::new(), all: false });
        };
        let mut fields = memory::collect(fields.filter(|field| map.contains(field)))?;
        fields.sort_unstable();
        fields.dedup();
        Ok(MapRemoval { key, all: fields.len() == map.len(), fields })
    }

    /// Removes the fields, and also the key if no field is left. Returns true if it has removed the key. Needs no memory.
    /// Cannot fail or panic half-way.
    pub fn commit_map_remove(&mut self, removal: MapRemoval<'_>) -> bool {
        let MapRemoval { key, fields, all } = removal;
        let hash = self.table.hash(key);
        let Some(place) = self.table.find(hash, key) else { return false };
        let record = self.table.record(place);
        if fields.is_empty() {
            return false;
        }
        if all {
            self.take(What::Removed, place);
            return true;
        }
        self.changes.note(What::Set, key);
        match record.body().filter(|_| self.table.large_of(record).is_some()) {
            Some(number) => self.table.with_body(number, |body| {
                let table = body.map_mut();
                for field in fields {
                    let place = table.find(table.hash(field), field);
                    place.map(|place| table.remove(place));
                    table.trim();
                }
            }),
            None => self.table.shorten_packed(place, hash, |bytes| {
                packed::retain(bytes, |field| fields.binary_search(&field).is_err())
            }),
        }
        false
    }

    /// One step of a scan over the map of `key`. It works as [`Store::scan`] does, but calls `visit` with
    /// fields and their values. For a packed map, it visits all fields whatever the cursor is, and returns
    /// 0.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value.
    pub fn map_scan<'a>(
        &'a mut self,
        kind: Kind,
        key: &[u8],
        cursor: u64,
        count: usize,
        now_ms: u64,
        mut visit: impl FnMut(Pair<'a>) -> bool,
    ) -> Result<u64, WrongKind> {
        fault::point();
        let Some(place) = self.find(key, now_ms) else { return Ok(0) };
        match (self.map_at(kind, place, now_ms)?.form, self.cursors.position(cursor)) {
            (Form::Packed(packed), _) => {
                packed.iter().for_each(|pair| {
                    let _ = visit(pair);
                });
                Ok(0)
            }
            (Form::Table(_), None) => Ok(0),
            (Form::Table(table), Some(position)) => {
                let wanted = |record: Record<'_>| is_live(record, now_ms);
                let next =
                    table.scan(position, count, wanted, |record| visit(field_and_value(table, record)));
                Ok(self.cursors.cursor(next))
            }
        }
    }
}

impl Write<'_> {
    /// Reserves room in the keyspace's table for the record of `key`.
    fn reserve(&self, table: &mut Table, hash: u64, key: &[u8]) -> Result<(), WriteError> {
        let (bytes, bodies) = match self {
            Write::Packed(packing) if fits_block(key.len(), packing.bytes().len()) => {
                (RECORD_MAX - INLINE_MAX + key.len() + packing.bytes().len(), 0)
            }
            Write::Packed(_) | Write::Fields(_) => (RECORD_MAX, 0),
            Write::Body(_) => (RECORD_MAX, 1),
        };
        table.reserve_record(hash, key, bytes, bodies)
    }
}

/// Adds `pairs` to a packed hash. Returns false if they are too many or too long for it.
pub(super) fn pack<'a>(packing: &mut Packing, mut pairs: impl WritePairs<'a>) -> Result<bool, OutOfMemory> {
    pairs.try_fold(true, |fits, (field, value)| Ok(fits && packing.set(field, value)?))
}

/// Decides where a packed hash is going to be written, and allocates a new body for it if it needs one.
fn packed_write<'a>(
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

/// How many of the fields in `pairs` are not in `map` yet.
fn new_fields<'a>(map: Map<'_>, pairs: impl WritePairs<'a>) -> Result<usize, OutOfMemory> {
    let missing = |field: &&[u8]| !map.contains(field);
    let mut fields = memory::collect(pairs.map(|(field, _)| field).filter(missing))?;
    fields.sort_unstable();
    fields.dedup();
    Ok(fields.len())
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

    /// Writes a field of a hash: a string that expires as `expiry` says. A field that has expired gives its time to nobody.
    /// Only for the table of a hash, where a replaced value is always quick to free.
    fn commit(&mut self, entry: Prepared<'_>, expiry: Expiry, now_ms: u64) {
        let Prepared { key, hash, content } = entry;
        let place = self.find(hash, key);
        let before = place.and_then(|place| self.record(place).expires_ms());
        let expires_ms = expiry.over(before.filter(|at_ms| *at_ms > now_ms));
        self.write(place, hash, key, Kind::String, content, expires_ms);
    }
}
