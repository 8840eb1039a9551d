//! Operations on keys that hold maps: hashes. A [packed set](super::sets) is changed as a map whose values are empty.
//!
//! A map has one of three forms: [packed](super::packed) in its record as long as that fits a block, packed in a
//! body, or in a table of its own, which is the same kind of table that the keyspace has. A map with a table never
//! becomes packed again.

use super::body::Body;
use super::journal::What;
use super::large::Large;
use super::map::{Form, Map, field_and_value};
use super::packed;
use super::prepared::{WriteError, WrongKind};
use super::record::{Kind, Record};
use super::table::Place;
use super::undo::{Noter, noter};
use super::walk::is_live;
use super::{Pair, Store};
use crate::base::{fault, memory};

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
    /// The removal of `fields`, which the map of `key` has. A field may come twice. The map has `len` fields in all.
    pub(super) fn of<'a>(key: &'a [u8], mut fields: Vec<&'a [u8]>, len: usize) -> MapRemoval<'a> {
        fields.sort_unstable();
        fields.dedup();
        MapRemoval { key, all: fields.len() == len, fields }
    }

    /// How many fields will be removed.
    pub fn removed(&self) -> usize {
        self.fields.len()
    }
}

/// Removes fields of a hash with a table, or members of a large set.
fn remove_items(body: &mut Body, names: Vec<&[u8]>, mut noter: Option<Noter<'_>>) {
    for name in names {
        match (body.large_mut(), &mut noter) {
            (Some(Large::Set(set)), Some(noter)) => noter.remove_member(&mut set.value, name),
            (Some(Large::Set(set)), None) => set.value.remove(name),
            (Some(Large::Map(map)), Some(noter)) => noter.remove_field(&mut map.value, name),
            (Some(Large::Map(map)), None) => {
                let table = &mut map.value;
                table.find(table.hash(name), name).map(|place| table.remove(place));
                table.trim();
            }
            _ => unreachable!("neither a hash nor a set is in the body"),
        }
    }
}

impl Store {
    /// The hash of `key`; `None` if there is no such key or it has expired.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value.
    #[inline]
    pub fn map(&mut self, key: &[u8], now_ms: u64) -> Result<Option<Map<'_>>, WrongKind> {
        fault::point();
        let place = self.find(key, now_ms);
        place.map(|place| self.map_at(place, now_ms)).transpose()
    }

    /// The hash at `place`.
    pub(super) fn map_at(&self, place: Place, now_ms: u64) -> Result<Map<'_>, WrongKind> {
        let record = self.table.record(place);
        if record.kind() == Kind::Hash { Ok(Map::of(&self.table, record, now_ms)) } else { Err(WrongKind) }
    }

    /// Prepares to remove `fields` from the map of `key`: finds out which of them it has.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_map_remove<'a>(
        &mut self,
        key: &'a [u8],
        fields: impl Iterator<Item = &'a [u8]>,
        now_ms: u64,
    ) -> Result<MapRemoval<'a>, WriteError> {
        let Some(map) = self.map(key, now_ms)? else {
            return Ok(MapRemoval::of(key, Vec::new(), 0));
        };
        let there = memory::collect(fields.filter(|field| map.contains(field)))?;
        // To count those that have expired would take long if they are many. The sweep removes them, and then the key.
        Ok(MapRemoval::of(key, there, map.kept()))
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
        let names = self.table.names().clone();
        match record.body().filter(|_| self.table.large_of(record).is_some()) {
            Some(number) => {
                let noter = noter(&mut self.undo, self.changes.db, hash, key);
                self.table.with_body(number, |body| remove_items(body, fields, noter));
            }
            None => self.shorten_item(place, hash, |bytes| {
                packed::retain(&names, bytes, |field| fields.binary_search(&field).is_err())
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
        key: &[u8],
        cursor: u64,
        count: usize,
        now_ms: u64,
        mut visit: impl FnMut(Pair<'a>) -> bool,
    ) -> Result<u64, WrongKind> {
        fault::point();
        let Some(place) = self.find(key, now_ms) else { return Ok(0) };
        match (self.map_at(place, now_ms)?.form, self.cursors.position(cursor)) {
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
