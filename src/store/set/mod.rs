//! A large set. The members that read as integers are kept as [integers](super::ints), the others in a table.
//!
//! A member is an integer if it is the text that [`i64`] has in decimal digits: no plus, no leading zeros, no `-0`. So a
//! member says by itself in which of the two structures it belongs. Nothing ever moves from one to the other, and a set
//! with members of both sorts costs no more than two sets.

mod scan;

use ahash::RandomState;

use super::chunked::Size;
use super::discard::Freed;
use super::ints::Ints;
use super::map::below;
use super::members::Member;
use super::prepared::{Expiry, Prepared, WriteError};
use super::record::{Kind, Record};
use super::table::Table;
use super::walk::Dice;
use crate::base::{fault, memory, parse_i64};

/// A set of byte strings.
#[derive(Debug)]
pub struct Set {
    /// The members that are no integers: each one is an item that holds an empty string.
    pub(super) texts: Table,
    /// The members that are integers.
    pub(super) integers: Ints,
}

/// Members that are going to be added to a set, with the memory for them reserved.
#[derive(Debug)]
pub enum Addition<'a> {
    /// One integer.
    Integer(i64),
    /// One other member.
    Text(Prepared<'a>),
    /// Several members.
    Several(Vec<i64>, Vec<Prepared<'a>>),
}

/// The integer whose decimal digits are `member`, if there is one.
#[inline]
pub fn integer(member: &[u8]) -> Option<i64> {
    parse_i64(member)
}

impl Set {
    /// A set without members, whose table hashes with `hasher`.
    pub fn new(hasher: RandomState) -> Set {
        Set { texts: Table::new(hasher, Size::Small), integers: Ints::new() }
    }

    /// A set with these members, whose table hashes with `hasher`. A member may come twice.
    ///
    /// # Errors
    /// [`WriteError`] if there is no memory for it.
    pub fn with_members<M: AsRef<[u8]>>(
        hasher: RandomState,
        members: impl Iterator<Item = M>,
    ) -> Result<Set, WriteError> {
        let mut set = Set::new(hasher);
        set.extend(members)?;
        Ok(set)
    }

    /// Adds members one by one.
    ///
    /// # Errors
    /// [`WriteError`] if there is no memory for all of them; then the set has some of them.
    pub fn extend<M: AsRef<[u8]>>(&mut self, members: impl Iterator<Item = M>) -> Result<(), WriteError> {
        for member in members {
            let member = member.as_ref();
            if let Some(integer) = integer(member) {
                self.integers.try_reserve(1)?;
                self.integers.insert(integer);
            } else {
                let entry = Prepared::new(&self.texts, member, b"")?.reserved(&mut self.texts)?;
                self.texts.commit(entry, Expiry::Never, 0);
            }
        }
        Ok(())
    }

    /// Number of members.
    #[allow(clippy::len_without_is_empty)] // a set without members is no set
    pub fn len(&self) -> usize {
        self.texts.len() + self.integers.len()
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.texts.memory() + self.integers.memory()
    }

    /// True if the set has this member.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match integer(member) {
            Some(integer) => self.integers.contains(integer),
            None => self.texts.find(self.texts.hash(member), member).is_some(),
        }
    }

    /// All members: first those of the table, then the integers, which ascend.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> + Clone {
        self.texts().map(Member::from).chain(self.integers.iter().map(Member::from))
    }

    /// The members that are no integers.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.texts.records().map(|record| self.texts.key_of(record))
    }

    /// True if it takes long to pick a random member.
    pub(super) fn is_sparse(&self) -> bool {
        self.texts.len() > 0 && self.texts.is_sparse(self.texts.len())
    }

    /// A random member; every one is equally likely.
    pub fn pick(&self, dice: &mut Dice) -> Option<Member<'_>> {
        let nth = below(self.len(), dice.roll());
        if let Some(integer) = self.integers.nth(nth) {
            return Some(integer.into());
        }
        Some(self.texts.key_of(self.texts.pick_live(dice, 0)?).into())
    }

    /// Prepares to add a single member, if the table needs no memory for it. Also says whether the member is new. Nearly all
    /// additions to large sets are of this kind, and this way takes a third fewer instructions than the way for several
    /// members.
    #[inline(always)]
    pub fn ready_addition<'a>(&self, member: &'a [u8]) -> Option<(Addition<'a>, bool)> {
        if let Some(integer) = integer(member) {
            let is_new = !self.integers.contains(integer);
            if is_new {
                self.integers.try_reserve(1).ok()?;
            }
            return Some((Addition::Integer(integer), is_new));
        }
        let (entry, is_new) = self.texts.ready_pair((member, b""), 0)?;
        Some((Addition::Text(entry), is_new))
    }

    /// Prepares to add members. Also says how many of them are new.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare<'a>(
        &mut self,
        members: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<(Addition<'a>, usize), WriteError> {
        let texts = members.clone().filter(|member| integer(member).is_none());
        let texts = self.texts.prepare_all(texts.map(|member| (member, &b""[..])))?;
        let added = self.texts.count_new(&texts, 0)?;
        let new = |integer: &i64| !self.integers.contains(*integer);
        let mut integers = memory::collect(members.filter_map(integer).filter(new))?;
        integers.sort_unstable();
        integers.dedup();
        fault::point();
        // Last of all: this memory is only known to be there.
        self.integers.try_reserve(integers.len())?;
        let added = added + integers.len();
        Ok((Addition::Several(integers, texts), added))
    }

    /// Adds the prepared members. Cannot fail or panic half-way.
    pub fn add(&mut self, addition: Addition<'_>) {
        let mut add_text = |entry| self.texts.commit(entry, Expiry::Never, 0);
        match addition {
            Addition::Integer(integer) => drop(self.integers.insert(integer)),
            Addition::Text(entry) => add_text(entry),
            Addition::Several(integers, texts) => {
                // The integers come first: nobody else must take their memory.
                for integer in integers {
                    self.integers.insert(integer);
                }
                texts.into_iter().for_each(add_text);
            }
        }
    }

    /// Removes a member. Needs no memory. Does nothing if the set does not have it.
    pub fn remove(&mut self, member: &[u8]) {
        if let Some(integer) = integer(member) {
            self.integers.remove(integer);
        } else if let Some(place) = self.texts.find(self.texts.hash(member), member) {
            self.texts.remove(place);
            self.texts.trim();
        }
    }

    /// Frees one piece.
    pub fn free_piece(&mut self) -> Freed {
        if self.integers.free_piece() { Freed::Something } else { self.texts.free_piece() }
    }

    /// Checks everything. Takes long. For tests.
    ///
    /// # Panics
    /// If something is wrong.
    pub fn audit(&self) {
        self.texts.audit();
        self.integers.audit();
        let plain = |record: Record<'_>| record.kind() == Kind::String && record.expires_ms().is_none();
        assert!(self.texts.records().all(plain), "a member is something other than a string");
        let mut values = self.texts.records().map(|record| self.texts.value_of(record));
        assert!(values.all(<[u8]>::is_empty), "a member has a value");
        assert!(self.texts().all(|member| integer(member).is_none()), "an integer is in the table");
    }
}
