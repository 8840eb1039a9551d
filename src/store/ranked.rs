//! A sorted set as a command reads it, whatever form it is kept in.

use std::collections::BTreeSet;

use super::large::Large;
use super::map::below;
use super::record::Record;
use super::table::Table;
use super::walk::Dice;
use super::zpacked::{PackedZset, Scored};
use super::zset::Zset;
use crate::base::{OutOfMemory, memory};

/// About how many bytes it takes to note one picked member.
const PICKED_BYTES: usize = 32;

/// The sorted set of a key, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Ranked<'a>(pub(super) ZsetForm<'a>);

/// The form in which a sorted set is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum ZsetForm<'a> {
    /// Packed, in its record or in a body.
    Packed(PackedZset<'a>),
    /// A structure of its own.
    Large(&'a Zset),
}

impl<'a> Ranked<'a> {
    /// The sorted set that `record` holds. `table` is the table of the record.
    pub(super) fn of(table: &'a Table, record: Record<'a>) -> Ranked<'a> {
        Ranked(match table.large_of(record) {
            Some(Large::Zset(zset)) => ZsetForm::Large(&zset.value),
            _ => ZsetForm::Packed(PackedZset(table.value_of(record))),
        })
    }

    /// Number of members.
    #[allow(clippy::len_without_is_empty)] // a sorted set without members is none
    pub fn len(self) -> usize {
        match self.0 {
            ZsetForm::Packed(packed) => packed.len(),
            ZsetForm::Large(zset) => zset.len(),
        }
    }

    /// The score of `member`.
    #[inline]
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self.0 {
            ZsetForm::Packed(packed) => {
                packed.iter().find(|(there, _)| *there == member).map(|(_, score)| score)
            }
            ZsetForm::Large(zset) => zset.score(member),
        }
    }

    /// How many members come before `member`. `None` if it is not there.
    pub fn rank(self, member: &[u8]) -> Option<usize> {
        match self.0 {
            ZsetForm::Packed(packed) => packed.iter().position(|(there, _)| there == member),
            ZsetForm::Large(zset) => zset.rank(member),
        }
    }

    /// Member number `rank` in the order, and its score.
    pub fn nth(self, rank: usize) -> Option<Scored<'a>> {
        match self.0 {
            ZsetForm::Packed(packed) => packed.iter().nth(rank),
            ZsetForm::Large(zset) => zset.nth(rank),
        }
    }

    /// The members from number `rank` on.
    pub fn iter_from(self, rank: usize) -> impl Iterator<Item = Scored<'a>> {
        let (packed, large) = match self.0 {
            ZsetForm::Packed(packed) => (Some(packed.iter().skip(rank)), None),
            ZsetForm::Large(zset) => (None, Some(zset.iter_from(rank))),
        };
        packed.into_iter().flatten().chain(large.into_iter().flatten())
    }

    /// Member number `rank` and those before it, backward. If `rank` is too large, from the last member on.
    pub fn iter_back_from(self, rank: usize) -> impl Iterator<Item = Scored<'a>> {
        let (packed, large) = match self.0 {
            ZsetForm::Packed(packed) => (Some(packed.iter_back(rank.saturating_add(1))), None),
            ZsetForm::Large(zset) => (None, Some(zset.iter_back_from(rank))),
        };
        packed.into_iter().flatten().chain(large.into_iter().flatten())
    }

    /// How many members have a score below `score`, or, if `inclusive`, not above it.
    pub fn count_below(self, score: f64, inclusive: bool) -> usize {
        match self.0 {
            ZsetForm::Packed(packed) => {
                packed.iter().take_while(|(_, there)| *there < score || inclusive && *there == score).count()
            }
            ZsetForm::Large(zset) => zset.count_below(score, inclusive),
        }
    }

    /// How many members come before `member` in the order of their bytes; if `inclusive`, counts `member` too. All
    /// members must have the same score, or the result is some number up to that of all members.
    pub fn count_below_lex(self, member: &[u8], inclusive: bool) -> usize {
        match self.0 {
            ZsetForm::Packed(packed) => packed
                .iter()
                .take_while(|(there, _)| *there < member || inclusive && *there == member)
                .count(),
            ZsetForm::Large(zset) => zset.count_below_lex(member, inclusive),
        }
    }

    /// A random member; every one is equally likely.
    pub fn pick(self, dice: &mut Dice) -> Option<Scored<'a>> {
        self.nth(below(self.len(), dice.roll()))
    }

    /// `count` different random members, or all of them if there are no more.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn sample(self, count: usize, dice: &mut Dice) -> Result<Vec<Scored<'a>>, OutOfMemory> {
        let len = self.len();
        if count.saturating_mul(3) < len {
            // Few members of many are wanted, so hardly any pick repeats an earlier one.
            let mut chosen = BTreeSet::new();
            memory::charge(count * PICKED_BYTES)?;
            while chosen.len() < count {
                chosen.insert(below(len, dice.roll()));
            }
            return memory::collect(chosen.into_iter().filter_map(|rank| self.nth(rank)));
        }
        let mut all = memory::collect(self.iter_from(0))?;
        for at in 0..count.min(len) {
            let other = at + below(len - at, dice.roll());
            all.swap(at, other);
        }
        all.truncate(count);
        Ok(all)
    }
}
