//! Changes of single fields of a hash: when each of them expires, and their removal.
//!
//! A hash with a field that expires has a table, because a packed hash has no room for times of expiry. The table's records
//! hold them, and its agenda knows the next one. The keyspace's agenda treats that one as a time of the key.

use super::Store;
use super::body::Body;
use super::journal::What;
use super::map::{Form, Map};
use super::map_writes::spread;
use super::packed;
use super::prepared::{Prepared, WriteError};
use super::record::{Kind, RECORD_MAX, Record};
use super::table::{Content, Table};
use super::undo::{Noter, noter};
use super::walk::is_live;
use crate::base::{fault, memory};

/// What a command does with one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldChange {
    /// Nothing.
    Keep,
    /// The field expires at this Unix time in milliseconds.
    Expire(u64),
    /// The field never expires.
    Persist,
    /// The field is removed.
    Remove,
}

/// A hash whose fields can be changed by [`Store::commit_field_changes`].
#[derive(Debug)]
pub struct PreparedFields<'a> {
    key: &'a [u8],
    hash: u64,
    now_ms: u64,
    /// The hash with a table, if it was packed and a field may get a time of expiry.
    body: Option<Body>,
}

/// What a command has done with the fields of a hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// How many fields have another time of expiry, or none any more.
    pub timed: usize,
    /// How many fields were removed.
    pub removed: usize,
    /// True if no field was left, so that the key was removed too.
    pub is_gone: bool,
}

impl Store {
    /// Makes sure that these fields of a hash can be changed. `to_expire` says that some may get a time of expiry. `None` if
    /// there is no such key.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_field_changes<'a>(
        &mut self,
        key: &'a [u8],
        fields: impl Iterator<Item = &'a [u8]> + Clone,
        to_expire: bool,
        now_ms: u64,
    ) -> Result<Option<PreparedFields<'a>>, WriteError> {
        fault::point();
        let Some(place) = self.find(key, now_ms) else { return Ok(None) };
        let map = self.map_at(place, now_ms)?;
        let hash = self.table.hash(key);
        if !(to_expire && fields.clone().any(|field| map.contains(field))) {
            return Ok(Some(PreparedFields { key, hash, now_ms, body: None }));
        }
        let body = self.with_memory(|table| {
            let record = table.record(place);
            match (Map::of(table, record, now_ms).form, record.body()) {
                (Form::Table(_), Some(number)) => {
                    table.with_body(number, |body| body.map_mut().reserve_expiries(fields.clone()))?;
                    Ok(None)
                }
                (Form::Table(_), None) => unreachable!("a table is in a body"),
                (Form::Packed(packed), _) => {
                    let mut fields = spread(table, packed.iter().map(|(field, value)| (field, value, None)))?;
                    fields.reserve_expiries(packed.iter().map(|(field, _)| field))?;
                    let body = Body::with_large(hash, key, fields)?;
                    table.reserve_record(hash, key, RECORD_MAX, 1)?;
                    Ok(Some(body))
                }
            }
        })?;
        Ok(Some(PreparedFields { key, hash, now_ms, body }))
    }

    /// Calls `decide` for each of `fields` with its value and its time of expiry, or with `None` if the hash has no such field, and
    /// changes the field as it says. Cannot fail. `decide` must not panic.
    pub fn commit_field_changes<'f>(
        &mut self,
        prepared: PreparedFields<'_>,
        fields: impl Iterator<Item = &'f [u8]>,
        mut decide: impl FnMut(Option<(&[u8], Option<u64>)>) -> FieldChange,
    ) -> Changed {
        let PreparedFields { key, hash, now_ms, body } = prepared;
        let mut changed = Changed::default();
        let Some(mut place) = self.table.find(hash, key) else { return changed };
        if let Some(body) = body {
            let expires_ms = self.table.record(place).expires_ms();
            self.write_item(Some(place), hash, key, Kind::Hash, Content::Body(body), expires_ms);
            place = self.table.find(hash, key).expect("the hash is still there");
        }
        let record = self.table.record(place);
        match record.body().filter(|_| self.table.large_of(record).is_some()) {
            Some(number) => {
                let mut noter = noter(&mut self.undo, self.changes.db, hash, key);
                let next_ms = self.table.with_body(number, |body| {
                    let table = body.map_mut();
                    fields.for_each(|field| {
                        table.change_field(field, now_ms, &mut decide, &mut changed, &mut noter);
                    });
                    table.trim();
                    table.next_expiry()
                });
                self.table.hasten(hash, next_ms);
            }
            None => {
                let names = self.table.names().clone();
                for field in fields {
                    let record = self.table.record(place);
                    let value = self.table.packed(self.table.value_of(record)).get(field);
                    if decide(value.map(|value| (value, None))) == FieldChange::Remove && value.is_some() {
                        changed.removed += 1;
                        self.shorten_item(place, hash, |bytes| {
                            packed::retain(&names, bytes, |other| other != field)
                        });
                    }
                }
            }
        }
        let map = Map::of(&self.table, self.table.record(place), now_ms);
        changed.is_gone = changed.removed > 0 && map.kept() == 0;
        if changed.is_gone {
            self.take(What::Removed, place);
        } else if changed.removed + changed.timed > 0 {
            self.changes.note(What::Set, key);
        }
        changed
    }
}

impl Table {
    /// Makes sure that the items with these keys may get a time of expiry.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    fn reserve_expiries<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<(), WriteError> {
        self.admit_expiries()?;
        let demand = {
            let longer = keys.filter_map(|key| {
                let hash = self.hash(key);
                let record = self.record(self.find(hash, key)?);
                let content = match record.body() {
                    Some(_) => Content::Tail(b""),
                    None => Content::Small(record.value()),
                };
                Some(Prepared { key, hash, content })
            });
            self.admit_all(&memory::collect(longer)?)?
        };
        Ok(self.try_reserve(demand)?)
    }

    /// Lets `decide` say what becomes of a field, and does so.
    fn change_field(
        &mut self,
        field: &[u8],
        now_ms: u64,
        decide: &mut impl FnMut(Option<(&[u8], Option<u64>)>) -> FieldChange,
        changed: &mut Changed,
        noter: &mut Option<Noter<'_>>,
    ) {
        let hash = self.hash(field);
        let place = self.find(hash, field).filter(|place| is_live(self.record(*place), now_ms));
        let record = place.map(|place| self.record(place));
        let before = record.and_then(Record::expires_ms);
        let change = decide(record.map(|record| (self.value_of(record), before)));
        let Some(place) = place else { return };
        match change {
            FieldChange::Keep => {}
            FieldChange::Persist if before.is_none() => {}
            FieldChange::Persist | FieldChange::Expire(_) => {
                let at_ms = if let FieldChange::Expire(at_ms) = change { Some(at_ms) } else { None };
                if let Some(noter) = noter {
                    noter.time_field(self, place);
                }
                self.set_expiry(place, hash, at_ms);
                changed.timed += 1;
            }
            FieldChange::Remove => {
                match noter {
                    Some(noter) => noter.remove_field(self, field),
                    None => drop(self.remove(place)),
                }
                changed.removed += 1;
            }
        }
    }
}
