//! Gives what a key holds to another key: all of it, or a copy.

use super::Store;
use super::body::{Body, Rekey};
use super::journal::What;
use super::large::Large;
use super::list::List;
use super::map::{Form, Map};
use super::maps::spread;
use super::packed::Packed;
use super::prepared::{Prepared, WriteError, fits_block};
use super::record::{INLINE_MAX, Kind, RECORD_MAX};
use super::table::{Content, Table};
use super::zset::Zset;
use crate::base::{fault, memory};

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

/// A copy that can be written by [`Store::commit_copy`].
#[derive(Debug)]
pub struct Copied<'a> {
    to: &'a [u8],
    /// The database of the copy.
    to_db: u16,
    hash: u64,
    kind: Kind,
    expires_ms: Option<u64>,
    value: Held,
}

#[derive(Debug)]
enum Held {
    /// It fits a block with its key.
    Small(Vec<u8>),
    Body(Body),
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

    /// Makes sure that the record of `key` can be written in database `db`.
    fn reserve_within(
        &mut self,
        db: u16,
        hash: u64,
        key: &[u8],
        bytes: usize,
        bodies: usize,
    ) -> Result<(), WriteError> {
        self.within(db, |store| store.with_memory(|table| table.reserve_record(hash, key, bytes, bodies)))
    }

    /// Renames a key; what the new key held before is gone. Cannot fail or panic half-way.
    pub fn commit_rename(&mut self, rename: Rename<'_>) {
        let Rename { from, to, to_db, rekey, body } = rename;
        let hash = self.table.hash(from);
        let Some(place) = self.table.find(hash, from) else { return };
        let record = self.table.record(place);
        let (kind, expires_ms) = (record.kind(), record.expires_ms());
        let (mut small, mut len) = ([0; INLINE_MAX], 0);
        if record.body().is_none() {
            len = record.value().len();
            small[..len].copy_from_slice(record.value());
        }
        self.changes.note(What::Removed, from);
        let taken = self.table.take_out(place);
        let content = match (taken.zip(rekey), body) {
            (Some((mut body, rekey)), _) => {
                body.rekey(rekey, to);
                Content::Body(body)
            }
            (None, Some(body)) => Content::Body(body),
            (None, None) => Content::Small(&small[..len]),
        };
        self.within(to_db, |store| store.put_over(to, kind, content, expires_ms));
    }

    /// Makes a copy of what `from` holds, with its time of expiry, for the key `to` of database `to_db`. `None` if there
    /// is no such key. The cost is that of the whole value.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_copy<'a>(
        &mut self,
        from: &[u8],
        to: &'a [u8],
        to_db: u16,
        now_ms: u64,
    ) -> Result<Option<Copied<'a>>, WriteError> {
        fault::point();
        self.prepare_database(to_db)?;
        let Some(place) = self.find(from, now_ms) else { return Ok(None) };
        let hash = self.table.hash(to);
        let copied = self.with_memory(|table| {
            let record = table.record(place);
            let (kind, expires_ms) = (record.kind(), record.expires_ms());
            let value = match table.large_of(record) {
                Some(large) => Held::Body(copy_of(table, large, hash, to)?),
                None if fits_block(to.len(), table.value_of(record).len()) => {
                    let mut copy = Vec::new();
                    memory::reserve_exact(&mut copy, table.value_of(record).len())?;
                    copy.extend_from_slice(table.value_of(record));
                    Held::Small(copy)
                }
                None => Held::Body(Body::new(hash, to, [table.value_of(record), b""])?),
            };
            Ok(Copied { to, to_db, hash, kind, expires_ms, value })
        })?;
        let (bytes, bodies) = match &copied.value {
            Held::Small(copy) => (Prepared::small_record_bytes(to, copy), 0),
            Held::Body(_) => (RECORD_MAX, 1),
        };
        self.reserve_within(to_db, hash, to, bytes, bodies)?;
        Ok(Some(copied))
    }

    /// Writes a copy; what the key held before is gone. Cannot fail or panic half-way.
    pub fn commit_copy(&mut self, copied: Copied<'_>) {
        let Copied { to, to_db, hash, kind, expires_ms, value } = copied;
        debug_assert_eq!(hash, self.table.hash(to), "the copy was made for this key");
        self.within(to_db, |store| match value {
            Held::Small(copy) => store.put_over(to, kind, Content::Small(&copy), expires_ms),
            Held::Body(body) => store.put_over(to, kind, Content::Body(body), expires_ms),
        });
    }

    fn put_over(&mut self, key: &[u8], kind: Kind, content: Content<'_>, expires_ms: Option<u64>) {
        let hash = self.table.hash(key);
        let place = self.table.find(hash, key);
        // As in Redis, a key that takes over what another one held is new, whatever it held before.
        self.changes.note(What::Created, key);
        let left = self.table.write(place, hash, key, kind, content, expires_ms);
        self.discards.keep(left);
    }
}

/// A body with a copy of a large value, for the key whose hash is `hash`.
fn copy_of(keyspace: &Table, large: &Large, hash: u64, key: &[u8]) -> Result<Body, WriteError> {
    Ok(match large {
        Large::Map(map) => {
            let fields = spread(keyspace, Packed(b""), Map(Form::Table(&map.value)).iter())?;
            Body::with_large(hash, key, fields)?
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
