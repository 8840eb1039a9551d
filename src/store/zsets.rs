//! Operations on keys that hold sorted sets.
//!
//! A small sorted set is packed, in its record or in a body. A larger one is a [`Zset`] of its own, and never becomes
//! packed again.

use std::ops::Range;

use super::Store;
use super::body::Body;
use super::journal::What;
use super::large::Large;
use super::prepared::{Expiry, Prepared, WriteError, WrongKind, fits_block};
use super::ranked::{Ranked, ZsetForm};
use super::record::{Kind, RECORD_MAX, Record};
use super::table::{Content, Place, Table};
use super::undo::{Noter, noter};
use super::zpacked::{PackedZset, Scored, by_order, merge, retain};
use super::zset::Zset;
use crate::base::{OutOfMemory, fault, memory};

/// A change that adds members to a sorted set or gives them other scores, with the memory for it reserved.
/// [`Store::commit_zset`] makes it.
#[derive(Debug)]
pub struct PreparedZset<'a> {
    key: &'a [u8],
    /// The hash of the key.
    hash: u64,
    expiry: Expiry,
    change: Change<'a>,
}

/// How a sorted set is going to be changed.
#[derive(Debug)]
pub(super) enum Change<'a> {
    /// The whole packed sorted set, into the record or over the one in its body.
    Packed(Vec<u8>),
    /// The whole sorted set as a new body.
    Body(Body),
    /// Members with new scores, into the large sorted set that there is.
    Members(Vec<Scored<'a>>),
}

/// Members that [`Store::commit_zset_remove`] is going to remove.
#[derive(Debug)]
pub struct ZsetRemoval<'a> {
    key: &'a [u8],
    /// The members that the sorted set has, sorted, each one once.
    members: Vec<&'a [u8]>,
}

impl ZsetRemoval<'_> {
    /// How many members will be removed.
    pub fn removed(&self) -> usize {
        self.members.len()
    }
}

impl Store {
    /// The sorted set of `key`; `None` if there is no such key or it has expired.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value.
    #[inline]
    pub fn zset(&mut self, key: &[u8], now_ms: u64) -> Result<Option<Ranked<'_>>, WrongKind> {
        fault::point();
        let place = self.find(key, now_ms);
        place.map(|place| self.zset_at(place)).transpose()
    }

    /// The sorted set of `key`, for a command that has just looked all its keys up and now needs several at a time. `None`
    /// if there is no such key or it holds something else.
    pub fn zset_there(&self, key: &[u8]) -> Option<Ranked<'_>> {
        let record = self.table.record(self.table.find(self.table.hash(key), key)?);
        (record.kind() == Kind::Zset).then(|| Ranked::of(&self.table, record))
    }

    fn zset_at(&self, place: Place) -> Result<Ranked<'_>, WrongKind> {
        let record = self.table.record(place);
        if record.kind() == Kind::Zset { Ok(Ranked::of(&self.table, record)) } else { Err(WrongKind) }
    }

    /// Makes sure that the members can be added with these scores, or get them if they are there. There must be at least
    /// one, no member may be named twice, and no score may be NaN. The key's time of expiry stays.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_zset_add<'a>(
        &mut self,
        key: &'a [u8],
        mut members: Vec<Scored<'a>>,
        now_ms: u64,
    ) -> Result<PreparedZset<'a>, WriteError> {
        fault::point();
        debug_assert!(!members.is_empty(), "a sorted set needs at least one member");
        put_in_order(&mut members);
        let place = self.find(key, now_ms);
        if let Some(place) = place {
            self.zset_at(place)?;
        }
        let hash = self.table.hash(key);
        let body = place.and_then(|place| self.table.record(place).body());
        self.with_memory(|table| {
            let there = place.map(|place| Ranked::of(table, table.record(place)));
            if let (Some(Ranked(ZsetForm::Large(_))), Some(number)) = (there, body) {
                let lengths = members.iter().map(|(member, _)| member.len());
                table.with_body(number, |body| body.zset_mut().try_reserve(lengths))?;
                let change = Change::Members(std::mem::take(&mut members));
                return Ok(PreparedZset { key, hash, expiry: Expiry::Keep, change });
            }
            let packed = match there {
                Some(Ranked(ZsetForm::Packed(packed))) => packed,
                _ => PackedZset(b""),
            };
            let change = Change::of_packed(table, packed, &members, (hash, key), body)?;
            change.reserve(table, hash, key)?;
            Ok(PreparedZset { key, hash, expiry: Expiry::Keep, change })
        })
    }

    /// Makes sure that a new sorted set with these members can be written in the place of what the key holds. There must
    /// be at least one, no member may be named twice, and no score may be NaN. The key will never expire.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_zset_new<'a>(
        &mut self,
        key: &'a [u8],
        members: &mut [Scored<'_>],
    ) -> Result<PreparedZset<'a>, WriteError> {
        fault::point();
        debug_assert!(!members.is_empty(), "a sorted set needs at least one member");
        put_in_order(members);
        let hash = self.table.hash(key);
        self.with_memory(|table| {
            let change = Change::of_packed(table, PackedZset(b""), members, (hash, key), None)?;
            change.reserve(table, hash, key)?;
            Ok(PreparedZset { key, hash, expiry: Expiry::Never, change })
        })
    }

    /// Makes a prepared change. Cannot fail or panic half-way.
    pub fn commit_zset(&mut self, prepared: PreparedZset<'_>) {
        let PreparedZset { key, hash, expiry, change } = prepared;
        let place = self.table.find(hash, key);
        let record = place.map(|place| self.table.record(place));
        let expires_ms = expiry.over(record.and_then(Record::expires_ms));
        let body = record.and_then(Record::body);
        self.changes.note_write(place.is_some(), key);
        match (change, body) {
            (Change::Members(members), Some(number)) => {
                let noter = noter(&mut self.undo, self.changes.db, hash, key);
                self.table.with_body(number, |body| {
                    let zset = body.zset_mut();
                    if let Some(mut noter) = noter {
                        members.iter().for_each(|(member, _)| noter.change_score(zset, member));
                    }
                    insert_all(zset, &members);
                });
            }
            (Change::Members(_), None) => unreachable!("no key is removed between prepare and commit"),
            (Change::Packed(bytes), body) => {
                let over = body.is_some() && !fits_block(key.len(), bytes.len());
                let content = if over { Content::Over(&bytes) } else { Content::Small(&bytes) };
                self.write_item(place, hash, key, Kind::Zset, content, expires_ms);
            }
            (Change::Body(body), _) => {
                self.write_item(place, hash, key, Kind::Zset, Content::Body(body), expires_ms);
            }
        }
    }

    /// Prepares to remove `members` from the sorted set of `key`: finds out which of them it has.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_zset_remove<'a>(
        &mut self,
        key: &'a [u8],
        members: impl Iterator<Item = &'a [u8]>,
        now_ms: u64,
    ) -> Result<ZsetRemoval<'a>, WriteError> {
        let Some(zset) = self.zset(key, now_ms)? else {
            return Ok(ZsetRemoval { key, members: Vec::new() });
        };
        let mut members = memory::collect(members.filter(|member| zset.score(member).is_some()))?;
        members.sort_unstable();
        members.dedup();
        Ok(ZsetRemoval { key, members })
    }

    /// Removes the members, and also the key if no member is left. Returns true if it has removed the key. Needs no
    /// memory. Cannot fail or panic half-way.
    pub fn commit_zset_remove(&mut self, removal: ZsetRemoval<'_>) -> bool {
        let ZsetRemoval { key, members } = removal;
        if members.is_empty() {
            return false;
        }
        self.remove_from_zset(
            key,
            members.len(),
            |zset, noter| {
                if let Some(mut noter) = noter {
                    members.iter().for_each(|member| noter.change_score(zset, member));
                }
                members.iter().for_each(|member| {
                    zset.remove(member);
                });
            },
            |_, member| members.binary_search(&member).is_err(),
        )
    }

    /// Removes the members with these numbers in the order from the sorted set of `key`, and also the key if no member is
    /// left. Returns true if it has removed the key. Needs no memory. Cannot fail or panic half-way.
    ///
    /// To remove all members takes as long as to remove a key. Otherwise each member of a large sorted set costs about a
    /// microsecond.
    pub fn remove_zset_ranks(&mut self, key: &[u8], ranks: Range<usize>) -> bool {
        if ranks.is_empty() {
            return false;
        }
        let remove = |zset: &mut Zset, noter: Option<Noter<'_>>| {
            if let Some(mut noter) = noter {
                noter.remove_ranks(zset, ranks.clone());
            }
            for _ in ranks.clone() {
                zset.remove_nth(ranks.start);
            }
        };
        self.remove_from_zset(key, ranks.len(), remove, |rank, _| !ranks.contains(&rank))
    }

    /// Removes `count` members: `of_large` does it in a large sorted set, and in a packed one those go for which `stays`
    /// returns false.
    fn remove_from_zset(
        &mut self,
        key: &[u8],
        count: usize,
        of_large: impl FnOnce(&mut Zset, Option<Noter<'_>>),
        stays: impl FnMut(usize, &[u8]) -> bool,
    ) -> bool {
        let hash = self.table.hash(key);
        let Some(place) = self.table.find(hash, key) else { return false };
        let record = self.table.record(place);
        if Ranked::of(&self.table, record).len() <= count {
            self.take(What::Removed, place);
            return true;
        }
        self.changes.note(What::Set, key);
        match record.body().filter(|_| self.table.large_of(record).is_some()) {
            Some(number) => {
                let noter = noter(&mut self.undo, self.changes.db, hash, key);
                self.table.with_body(number, |body| of_large(body.zset_mut(), noter));
            }
            None => self.shorten_item(place, hash, |bytes| retain(bytes, stays)),
        }
        false
    }

    /// One step of a scan over the sorted set of `key`. It works as [`Store::scan`] does, but calls `visit` with members
    /// and their scores. For a packed sorted set, it visits all members whatever the cursor is, and returns 0.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value.
    pub fn zset_scan<'a>(
        &'a mut self,
        key: &[u8],
        cursor: u64,
        count: usize,
        now_ms: u64,
        mut visit: impl FnMut(Scored<'a>) -> bool,
    ) -> Result<u64, WrongKind> {
        fault::point();
        let Some(place) = self.find(key, now_ms) else { return Ok(0) };
        match (self.zset_at(place)?.0, self.cursors.position(cursor)) {
            (ZsetForm::Packed(packed), _) => {
                packed.iter().for_each(|scored| {
                    let _ = visit(scored);
                });
                Ok(0)
            }
            (ZsetForm::Large(_), None) => Ok(0),
            (ZsetForm::Large(zset), Some(position)) => {
                Ok(self.cursors.cursor(zset.scan(position, count, visit)))
            }
        }
    }
}

impl<'a> Change<'a> {
    /// The change that adds `members`, which are in order, to a packed sorted set. `body` is the number of the body that
    /// this is in.
    pub(super) fn of_packed(
        table: &Table,
        packed: PackedZset<'_>,
        members: &[Scored<'_>],
        (hash, key): (u64, &[u8]),
        body: Option<u32>,
    ) -> Result<Change<'a>, OutOfMemory> {
        let Some(bytes) = merge(packed, members)? else {
            let mut zset = Zset::new(table.hasher.clone());
            let all = packed.iter().chain(members.iter().copied());
            zset.try_reserve(all.map(|(member, _)| member.len()))?;
            for (member, score) in packed.iter() {
                zset.insert(member, score);
            }
            insert_all(&mut zset, members);
            return Ok(Change::Body(Body::with_large(hash, key, zset)?));
        };
        let takes = |number: u32| table.bodies.get(number).takes(bytes.len());
        if fits_block(key.len(), bytes.len()) || body.is_some_and(takes) {
            return Ok(Change::Packed(bytes));
        }
        Ok(Change::Body(Body::new(hash, key, [&bytes, b""])?))
    }

    /// Reserves room in the keyspace's table for the record of `key`.
    fn reserve(&self, table: &mut Table, hash: u64, key: &[u8]) -> Result<(), WriteError> {
        let (bytes, bodies) = match self {
            Change::Packed(bytes) if fits_block(key.len(), bytes.len()) => {
                (Prepared::small_record_bytes(key, bytes), 0)
            }
            Change::Packed(_) | Change::Members(_) => (RECORD_MAX, 0),
            Change::Body(_) => (RECORD_MAX, 1),
        };
        table.reserve_record(hash, key, bytes, bodies)
    }
}

/// Puts members in the order of a sorted set. A zero loses its sign, as it does in a small sorted set of Redis.
pub(super) fn put_in_order(members: &mut [Scored<'_>]) {
    members.iter_mut().for_each(|(_, score)| *score += 0.0);
    members.sort_unstable_by(by_order);
}

/// Gives members their scores, once there is memory for them.
fn insert_all(zset: &mut Zset, members: &[Scored<'_>]) {
    for (member, score) in members {
        zset.insert(member, *score);
    }
}

impl Body {
    /// The sorted set, to be changed.
    ///
    /// # Panics
    /// If the body has no large sorted set.
    pub(super) fn zset_mut(&mut self) -> &mut Zset {
        match self.large_mut() {
            Some(Large::Zset(zset)) => &mut zset.value,
            _ => panic!("no sorted set is in the body"),
        }
    }
}
