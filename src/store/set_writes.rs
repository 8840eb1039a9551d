//! Writes of sets: members are added.
//!
//! A packed set is written as a packed hash whose values are empty. Members go into a [large set](super::set) one by one. A
//! set that becomes too large to be packed gets large.

use super::body::Body;
use super::journal::What;
use super::large::Large;
use super::map_writes::{PreparedMap, Write, pack, packed_write};
use super::members::{Members, SetForm};
use super::packed::{Packed, Packing};
use super::prepared::{Expiry, WriteError};
use super::record::Kind;
use super::set::{Addition, Set};
use super::table::Table;
use super::undo::noter;
use super::{Pair, Store};
use crate::base::fault;

/// Members that are going to be added to a set, with the memory for them reserved. [`Store::commit_set_add`] adds them.
#[derive(Debug)]
pub struct PreparedSet<'a>(PreparedMap<'a>);

impl<'a> PreparedSet<'a> {
    fn new(key: &'a [u8], hash: u64, added: usize, is_new: bool, write: Write<'a>) -> PreparedSet<'a> {
        let (kind, expiry) = (Kind::Set, Expiry::Never);
        PreparedSet(PreparedMap { kind, key, hash, added, expiry, now_ms: 0, is_new, write })
    }

    /// How many of the members are new. A member that is named twice counts once.
    pub fn added(&self) -> usize {
        self.0.added()
    }
}

/// A member as a packed set has it.
pub(super) fn entry(member: &[u8]) -> Pair<'_> {
    (member, b"")
}

impl Store {
    /// Makes sure that the members can be added to the set of `key`. There must be at least one. The key's time of expiry
    /// stays.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_set_add<'a>(
        &mut self,
        key: &'a [u8],
        members: impl Iterator<Item = &'a [u8]> + Clone,
        now_ms: u64,
    ) -> Result<PreparedSet<'a>, WriteError> {
        fault::point();
        debug_assert!(members.clone().next().is_some(), "a set needs at least one member");
        let place = self.find(key, now_ms);
        if let Some(place) = place {
            self.set_at(place)?;
        }
        let hash = self.table.hash(key);
        let body = place.and_then(|place| self.table.record(place).body());
        if let Some(number) = body
            && let Some((addition, is_new)) = self.table.ready_member(number, members.clone())
        {
            let write = Write::Members(number, addition);
            return Ok(PreparedSet::new(key, hash, usize::from(is_new), false, write));
        }
        self.with_memory(|table| {
            let there = place.map(|place| Members::of(table, table.record(place)).0);
            let (added, write) = match (there, body) {
                (Some(SetForm::Large(_)), Some(number)) => {
                    let prepared = table.with_body(number, |body| body.set_mut().prepare(members.clone()));
                    let (addition, added) = prepared?;
                    (added, Write::Members(number, addition))
                }
                (there, _) => {
                    let packed = match there {
                        Some(SetForm::Packed(packed)) => packed,
                        _ => table.packed(b""),
                    };
                    let before = packed.len();
                    let (after, write) = whole_write(table, (hash, key), body, packed, members.clone())?;
                    write.reserve(table, hash, key)?;
                    (after - before, write)
                }
            };
            Ok(PreparedSet::new(key, hash, added, false, write))
        })
    }

    /// Makes sure that a new set with these members can be written in the place of what the key holds. There must be at
    /// least one. The key will never expire.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_set_new<'a>(
        &mut self,
        key: &'a [u8],
        members: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<PreparedSet<'a>, WriteError> {
        fault::point();
        let hash = self.table.hash(key);
        self.with_memory(|table| {
            let (added, write) = whole_write(table, (hash, key), None, table.packed(b""), members.clone())?;
            write.reserve(table, hash, key)?;
            Ok(PreparedSet::new(key, hash, added, true, write))
        })
    }

    /// Adds the prepared members. Cannot fail or panic half-way.
    pub fn commit_set_add(&mut self, prepared: PreparedSet<'_>) {
        self.commit_map_set(prepared.0);
    }

    /// Adds members to the large set in body `number`, which `key` still has: no key is removed between prepare and commit.
    pub(super) fn commit_members(&mut self, number: u32, key: &[u8], addition: Addition<'_>) {
        debug_assert_eq!(self.table.bodies.get(number).key(), key, "the body belongs to another key");
        self.changes.note(What::Set, key);
        let hash = self.table.bodies.get(number).hash();
        let noter = noter(&mut self.undo, self.changes.db, hash, key);
        self.table.with_body(number, |body| {
            let set = body.set_mut();
            if let Some(mut noter) = noter {
                noter.add_members(set, &addition);
            }
            set.add(addition);
        });
    }
}

/// The write of a whole set, which has the members of `packed` and `members`, for a key with its hash. The key may have a
/// body. Also returns the number of members.
fn whole_write<'a>(
    table: &Table,
    (hash, key): (u64, &[u8]),
    body: Option<u32>,
    packed: Packed<'_>,
    members: impl Iterator<Item = &'a [u8]> + Clone,
) -> Result<(usize, Write<'a>), WriteError> {
    let mut packing = Packing::copy(Kind::Set, packed)?;
    Ok(if pack(&mut packing, table.names(), members.clone().map(entry))? {
        (packing.len(), packed_write(table, body, hash, key, packing)?)
    } else {
        let mut set = Set::new(table.hasher.clone());
        set.extend(packed.iter().map(|(member, _)| member))?;
        set.extend(members)?;
        (set.len(), Write::Body(Body::with_large(hash, key, set)?))
    })
}

impl Table {
    /// The addition of a single member to the set in body `number`, if that is large and needs no more memory than there
    /// surely is. Also says whether the member is new.
    #[inline]
    fn ready_member<'a>(
        &self,
        number: u32,
        mut members: impl Iterator<Item = &'a [u8]>,
    ) -> Option<(Addition<'a>, bool)> {
        let member = members.next()?;
        if members.next().is_some() {
            return None;
        }
        let Some(Large::Set(set)) = self.bodies.get(number).large() else { return None };
        set.value.ready_addition(member)
    }
}
