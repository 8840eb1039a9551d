//! A set as a command reads it, whatever form it is kept in.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use super::large::Large;
use super::map::below;
use super::packed::Packed;
use super::record::Record;
use super::set::Set;
use super::table::Table;
use super::walk::{self, Choice, Dice};
use crate::base::OutOfMemory;

/// Longest text of an integer, bytes: that of [`i64::MIN`].
const INTEGER_BYTES_MAX: usize = 20;

/// A member of a set: a text that the set lends, or the decimal digits of an integer that the set keeps in another form.
#[derive(Clone, Copy)]
pub struct Member<'a>(Text<'a>);

/// The bytes of a member.
#[derive(Clone, Copy)]
enum Text<'a> {
    Lent(&'a [u8]),
    Digits { bytes: [u8; INTEGER_BYTES_MAX], len: u8 },
}

impl<'a> From<&'a [u8]> for Member<'a> {
    fn from(text: &'a [u8]) -> Member<'a> {
        Member(Text::Lent(text))
    }
}

impl From<i64> for Member<'_> {
    fn from(integer: i64) -> Self {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(integer).as_bytes();
        let mut bytes = [0; INTEGER_BYTES_MAX];
        bytes[..digits.len()].copy_from_slice(digits);
        Member(Text::Digits { bytes, len: digits.len() as u8 })
    }
}

impl Deref for Member<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Text::Lent(text) => text,
            Text::Digits { bytes, len } => &bytes[..usize::from(*len)],
        }
    }
}

impl AsRef<[u8]> for Member<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Member<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Member<'_> {}

impl PartialOrd for Member<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Member<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "\"{}\"", self.escape_ascii())
    }
}

/// The set of a key, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a>(pub(super) SetForm<'a>);

/// The form in which a set is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum SetForm<'a> {
    /// Packed, in its record or in a body: a packed hash whose values are empty.
    Packed(Packed<'a>),
    /// A structure of its own.
    Large(&'a Set),
}

impl<'a> Members<'a> {
    /// The set that `record` holds. `table` is the table of the record.
    pub(super) fn of(table: &'a Table, record: Record<'a>) -> Members<'a> {
        Members(match table.large_of(record) {
            Some(Large::Set(set)) => SetForm::Large(&set.value),
            _ => SetForm::Packed(table.packed(table.value_of(record))),
        })
    }

    /// Number of members.
    #[allow(clippy::len_without_is_empty)] // a set without members is no set
    pub fn len(self) -> usize {
        match self.0 {
            SetForm::Packed(packed) => packed.len(),
            SetForm::Large(set) => set.len(),
        }
    }

    /// True if the set has this member.
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self.0 {
            SetForm::Packed(packed) => packed.get(member).is_some(),
            SetForm::Large(set) => set.contains(member),
        }
    }

    /// All members. The order stays the same as long as the set does not change.
    pub fn iter(self) -> impl Iterator<Item = Member<'a>> + Clone {
        let (packed, large) = match self.0 {
            SetForm::Packed(packed) => (Some(packed), None),
            SetForm::Large(set) => (None, Some(set)),
        };
        let packed = packed.into_iter().flat_map(Packed::iter).map(|(member, _)| Member::from(member));
        packed.chain(large.into_iter().flat_map(Set::iter))
    }

    /// `count` different random members, or all members if the set has no more.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn sample(self, count: usize, dice: &mut Dice) -> Result<Vec<Member<'a>>, OutOfMemory> {
        walk::sample(self.choice(), count, dice, |dice| self.pick(dice), self.iter())
    }

    /// `count` random members; a member may be picked more than once.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn picks(self, count: usize, dice: &mut Dice) -> Result<Vec<Member<'a>>, OutOfMemory> {
        walk::picks(self.choice(), count, dice, |dice| self.pick(dice), self.iter())
    }

    fn choice(self) -> Choice {
        Choice { len: self.len(), is_sparse: matches!(self.0, SetForm::Large(set) if set.is_sparse()) }
    }

    /// A random member; every one is equally likely.
    pub fn pick(self, dice: &mut Dice) -> Option<Member<'a>> {
        match self.0 {
            SetForm::Packed(packed) => {
                packed.iter().nth(below(packed.len(), dice.roll())).map(|(member, _)| member.into())
            }
            SetForm::Large(set) => set.pick(dice),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_reads_as_its_digits() {
        for integer in [0, -1, 7, i64::MIN, i64::MAX, 1_000_000] {
            assert_eq!(*Member::from(integer), *integer.to_string().as_bytes());
        }
        assert_eq!(Member::from(12), Member::from(&b"12"[..]));
        assert!(Member::from(12) < Member::from(9), "members have the order of their bytes");
        assert_eq!(format!("{:?}", Member::from(&b"a\0"[..])), "\"a\\x00\"");
        assert!(size_of::<Member<'_>>() <= 24);
    }
}
