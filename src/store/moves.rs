//! Gives what a key holds to another key: all of it, or a copy.

use super::Store;
use super::body::{Body, Rekey};
use super::journal::What;
use super::large::Large;
use super::list::List;
use super::map_writes::spread;
use super::prepared::{Prepared, WriteError, fits_block};
use super::record::{INLINE_MAX, RECORD_MAX};
use super::set::Set;
use super::table::{Content, Table};
use super::whole::{Held, Whole};
use super::zset::Zset;
use crate::base::fault;

/// A key that can be renamed by [`Store::commit_rename`].
#[derive(Debug)]
pub struct Rename<'a> {
    from: &'a [u8],
    to: &'a [u8],
    /// The database of the new key.
    to_db: u16,
    /// What the body of the key needs to be told, if it has one.
    rekey: Option<Rekey>,
    /// A small value that gets a body, because it does not fit a block with the longer key.
    body: Option<Body>,
}

impl Store {
    /// Makes sure that what `from` holds can be given to the key `to` of database `to_db`. `None` if there is no such
    /// key.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_rename<'a>(
        &mut self,
        from: &'a [u8],
        to: &'a [u8],
        to_db: u16,
        now_ms: u64,
    ) -> Result<Option<Rename<'a>>, WriteError> {
        fault::point();
        self.prepare_database(to_db)?;
        let Some(place) = self.find(from, now_ms) else { return Ok(None) };
        let hash = self.table.hash(to);
        let (rekey, body, bytes) = self.with_memory(|table| {
            let record = table.record(place);
            let (mut rekey, mut body, mut bytes) = (None, None, RECORD_MAX);
            if let Some(number) = record.body() {
                rekey = Some(table.with_body(number, |body| body.prepare_rekey(hash, to))?);
            } else if fits_block(to.len(), record.value().len()) {
                bytes = Prepared::small_record_bytes(to, record.value());
            } else {
                body = Some(Body::new(hash, to, [record.value(), b""])?);
            }
            Ok((rekey, body, bytes))
        })?;
        self.reserve_within(to_db, hash, to, bytes, 1)?;
        Ok(Some(Rename { from, to, to_db, rekey, body }))
    }

    /// Renames a key; what the new key held before is gone. Cannot fail or panic half-way.
    pub fn commit_rename(&mut self, rename: Rename<'_>) {
        let Rename { from, to, to_db, rekey, body } = rename;
        let hash = self.table.hash(from);
        let Some(place) = self.table.find(hash, from) else { return };
        let moves = (self.selected(), from) != (to_db, to);
        let is_noted = moves && self.undo.is_some() && self.save_renamed(place, hash);
        let record = self.table.record(place);
        let (kind, expires_ms) = (record.kind(), record.expires_ms());
        let (mut small, mut len) = ([0; INLINE_MAX], 0);
        if record.body().is_none() {
            len = record.value().len();
            small[..len].copy_from_slice(record.value());
        }
        self.changes.note(What::Removed, from);
        if !moves {
            return self.changes.note_write(false, to);
        }
        let taken = self.table.take_out(place);
        let content = match (taken.zip(rekey), body) {
            (Some((mut body, rekey)), _) => {
                body.rekey(rekey, to);
                Content::Body(body)
            }
            (None, Some(body)) => Content::Body(body),
            (None, None) => Content::Small(&small[..len]),
        };
        self.within(to_db, |store| store.put_over(to, kind, content, expires_ms, true));
        if is_noted {
            self.note_renamed(from, to_db, to);
        }
    }

    /// Makes a copy of what `from` holds, with its time of expiry, for the key `to` of database `to_db`:
    /// [`Store::commit_whole`] writes it. `None` if there is no such key. The cost is that of the whole value.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_copy<'a>(
        &mut self,
        from: &[u8],
        to: &'a [u8],
        to_db: u16,
        now_ms: u64,
    ) -> Result<Option<Whole<'a>>, WriteError> {
        fault::point();
        self.prepare_database(to_db)?;
        let Some(place) = self.find(from, now_ms) else { return Ok(None) };
        let hash = self.table.hash(to);
        let copied = self.with_memory(|table| {
            let record = table.record(place);
            let value = match table.large_of(record) {
                Some(large) => Held::Body(copy_of(table, large, hash, to)?),
                None => Held::bytes(hash, to, table.value_of(record))?,
            };
            let (kind, expires_ms) = (record.kind(), record.expires_ms());
            Ok(Whole { key: to, db: to_db, hash, kind, expires_ms, value })
        })?;
        self.reserve_whole(&copied)?;
        Ok(Some(copied))
    }
}

/// A body with a copy of a large value, for the key whose hash is `hash`.
fn copy_of(keyspace: &Table, large: &Large, hash: u64, key: &[u8]) -> Result<Body, WriteError> {
    Ok(match large {
        Large::Map(map) => {
            let fields = map
                .value
                .records()
                .map(|record| (map.value.key_of(record), map.value.value_of(record), record.expires_ms()));
            Body::with_large(hash, key, spread(keyspace, fields)?)?
        }
        Large::Set(set) => {
            let copy = Set::with_members(keyspace.hasher.clone(), set.value.iter())?;
            Body::with_large(hash, key, copy)?
        }
        Large::List(list) => {
            let mut copy = List::new();
            for element in list.value.iter_from(0) {
                copy.try_reserve_back(1, element.len())?;
                copy.push_back(element);
            }
            Body::with_large(hash, key, copy)?
        }
        Large::Zset(zset) => {
            let mut copy = Zset::new(keyspace.hasher.clone());
            copy.try_reserve(zset.value.iter_from(0).map(|(member, _)| member.len()))?;
            for (member, score) in zset.value.iter_from(0) {
                copy.insert(member, score);
            }
            Body::with_large(hash, key, copy)?
        }
        Large::Stream(stream) => Body::with_large(hash, key, stream.value.try_copy()?)?,
    })
}
