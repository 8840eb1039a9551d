//! A packed sorted set: members with their scores, one after the other, in the order of the scores.
//!
//! ```text
//! head  [length, 2 bytes]  score, 1, 2, 4 or 8 bytes  member   head ...
//! ```
//!
//! The two lowest bits of the head tell how many bytes the score has. In one, two or four bytes it is an integer; in
//! eight it is a floating point number. The other bits are the length of the member; if it is [`LENGTH_APART`] or more,
//! they are [`LENGTH_APART`], and the length follows. So most members take two or three bytes more than their bytes.
//!
//! A packed sorted set is short, because each change copies it as a whole.
//!
//! Reading bytes that are not packed members ends early and does not panic.

use std::cmp::Ordering;

use crate::base::{OutOfMemory, memory};

/// Most members of a packed sorted set.
pub const PACKED_MEMBERS_MAX: usize = 128;
/// Most bytes of a packed sorted set.
pub const PACKED_BYTES_MAX: usize = 4 << 10;

/// From this length on, the length of a member does not fit the head.
const LENGTH_APART: usize = 63;

/// A member and its score.
pub type Scored<'a> = (&'a [u8], f64);

/// Compares members in the order of a sorted set: by their scores, and those with equal scores by their bytes. A score
/// is never NaN.
#[inline]
pub fn by_order(one: &Scored<'_>, other: &Scored<'_>) -> Ordering {
    let scores = one.1.partial_cmp(&other.1).unwrap_or(Ordering::Equal);
    scores.then_with(|| one.0.cmp(other.0))
}

/// A packed sorted set, to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackedZset<'a>(pub &'a [u8]);

impl<'a> PackedZset<'a> {
    /// The members and their scores, in order.
    #[inline]
    pub fn iter(self) -> PackedMembers<'a> {
        PackedMembers(self.0)
    }

    /// Number of members. Walks over all of them.
    #[allow(clippy::len_without_is_empty)] // a sorted set without members is none
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// The first `count` members backward: the last one of these comes first.
    pub fn iter_back(self, count: usize) -> PackedBack<'a> {
        let mut back = PackedBack { bytes: self.0, starts: [0; PACKED_MEMBERS_MAX], left: 0 };
        let mut members = self.iter();
        while back.left < count.min(PACKED_MEMBERS_MAX) {
            let start = self.0.len() - members.0.len();
            if members.next().is_none() {
                break;
            }
            back.starts[back.left] = start as u16;
            back.left += 1;
        }
        back
    }
}

/// Goes over packed members.
#[derive(Clone, Debug)]
pub struct PackedMembers<'a>(&'a [u8]);

impl<'a> Iterator for PackedMembers<'a> {
    type Item = Scored<'a>;

    #[inline]
    fn next(&mut self) -> Option<Scored<'a>> {
        let (head, rest) = self.0.split_first()?;
        let (len, rest) = match usize::from(head >> 2) {
            LENGTH_APART => {
                let (len, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_le_bytes(*len)), rest)
            }
            len => (len, rest),
        };
        let (score, rest) = match head & 3 {
            0 => rest.split_first_chunk().map(|(score, rest)| (f64::from(i8::from_le_bytes(*score)), rest)),
            1 => rest.split_first_chunk().map(|(score, rest)| (f64::from(i16::from_le_bytes(*score)), rest)),
            2 => rest.split_first_chunk().map(|(score, rest)| (f64::from(i32::from_le_bytes(*score)), rest)),
            _ => rest.split_first_chunk().map(|(score, rest)| (f64::from_le_bytes(*score), rest)),
        }?;
        let (member, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((member, score))
    }
}

/// Goes over packed members backward.
#[derive(Clone, Debug)]
pub struct PackedBack<'a> {
    bytes: &'a [u8],
    /// Where the members begin.
    starts: [u16; PACKED_MEMBERS_MAX],
    /// How many members are left.
    left: usize,
}

impl<'a> Iterator for PackedBack<'a> {
    type Item = Scored<'a>;

    fn next(&mut self) -> Option<Scored<'a>> {
        self.left = self.left.checked_sub(1)?;
        PackedMembers(&self.bytes[usize::from(self.starts[self.left])..]).next()
    }
}

/// The two lowest bits of the head for a score, and how many bytes it has.
#[inline]
fn width(score: f64) -> (u8, usize) {
    let whole = score as i32;
    // The comparison of bits tells apart the two zeros.
    if f64::from(whole).to_bits() != score.to_bits() {
        return (3, 8);
    }
    match whole {
        -0x80..=0x7f => (0, 1),
        -0x8000..=0x7fff => (1, 2),
        _ => (2, 4),
    }
}

/// How many packed bytes a member takes.
#[inline]
pub fn packed_size((member, score): Scored<'_>) -> usize {
    let apart = if member.len() >= LENGTH_APART { 2 } else { 0 };
    1 + apart + width(score).1 + member.len()
}

/// Appends a member. Allocates, unless `bytes` has room for [`packed_size`] bytes more.
fn push((member, score): Scored<'_>, bytes: &mut Vec<u8>) {
    let (bits, size) = width(score);
    let len = member.len().min(LENGTH_APART);
    bytes.push((len as u8) << 2 | bits);
    if len == LENGTH_APART {
        bytes.extend_from_slice(&(member.len() as u16).to_le_bytes());
    }
    match size {
        8 => bytes.extend_from_slice(&score.to_le_bytes()),
        _ => bytes.extend_from_slice(&(score as i32).to_le_bytes()[..size]),
    }
    bytes.extend_from_slice(member);
}

/// The packed members of `there`, with those of `changes` added or in the place of the same ones. No member is twice in
/// `changes`, and they are in order. `None` if they are too many or too long to be packed.
///
/// # Errors
/// [`OutOfMemory`] if the allocator refuses.
pub fn merge(there: PackedZset<'_>, changes: &[Scored<'_>]) -> Result<Option<Vec<u8>>, OutOfMemory> {
    if changes.len() > PACKED_MEMBERS_MAX {
        return Ok(None);
    }
    let stays = |old: &Scored<'_>| !changes.iter().any(|(member, _)| *member == old.0);
    let (mut count, mut len) = (0, 0_usize);
    for entry in there.iter().filter(stays).chain(changes.iter().copied()) {
        count += 1;
        len = len.saturating_add(packed_size(entry));
    }
    if count > PACKED_MEMBERS_MAX || len > PACKED_BYTES_MAX {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    memory::reserve_exact(&mut bytes, len)?;
    let mut changes_left = changes.iter().copied().peekable();
    for old in there.iter().filter(stays) {
        while let Some(new) = changes_left.next_if(|new| by_order(new, &old).is_lt()) {
            push(new, &mut bytes);
        }
        push(old, &mut bytes);
    }
    changes_left.for_each(|new| push(new, &mut bytes));
    Ok(Some(bytes))
}

/// Moves those of the packed members to the front of `bytes` for which `keep` returns true; it gets their rank, too.
/// Returns how many bytes they take.
pub fn retain(bytes: &mut [u8], mut keep: impl FnMut(usize, &[u8]) -> bool) -> usize {
    let (mut at, mut kept, mut rank) = (0, 0, 0);
    while let Some(entry) = PackedZset(&bytes[at..]).iter().next() {
        let (size, stays) = (packed_size(entry), keep(rank, entry.0));
        if stays {
            bytes.copy_within(at..at + size, kept);
            kept += size;
        }
        at += size;
        rank += 1;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f64; 16] = [
        f64::NEG_INFINITY,
        f64::MIN,
        -2_147_483_649.0,
        -2_147_483_648.0,
        -32_769.0,
        -32_768.0,
        -129.0,
        -128.0,
        0.0,
        0.5,
        127.0,
        128.0,
        32_768.0,
        2_147_483_648.0,
        f64::MAX,
        f64::INFINITY,
    ];

    #[test]
    fn members_are_read_as_they_were_written() {
        let members: Vec<Vec<u8>> =
            (0..16).map(|nth| vec![nth as u8; [0, 1, 62, 63, 64, 300][nth % 6]]).collect();
        let all: Vec<Scored<'_>> = members.iter().map(Vec::as_slice).zip(SCORES).collect();
        let bytes = merge(PackedZset(b""), &all).unwrap().unwrap();
        let zset = PackedZset(&bytes);
        assert!(zset.iter().eq(all.iter().copied()));
        assert!(zset.iter_back(100).eq(all.iter().rev().copied()));
        assert!(zset.iter_back(3).eq(all[..3].iter().rev().copied()));
        assert_eq!((zset.len(), zset.iter_back(0).next()), (16, None));
        let mut copy = bytes.clone();
        let kept = retain(&mut copy, |rank, _| rank % 2 == 0);
        assert!(PackedZset(&copy[..kept]).iter().eq(all.iter().step_by(2).copied()));
        for cut in 0..bytes.len() {
            assert!(PackedZset(&bytes[..cut]).len() <= 16);
        }
        let minus = merge(PackedZset(b""), &[(b"m", -0.0)]).unwrap().unwrap();
        assert!(PackedZset(&minus).iter().next().unwrap().1.is_sign_negative());
        assert_eq!(packed_size((b"member", 100.0)), 8);
    }

    #[test]
    fn a_change_moves_a_member_to_its_place() {
        let first: [Scored<'_>; 3] = [(b"a", 1.0), (b"b", 1.0), (b"c", 2.0)];
        let bytes = merge(PackedZset(b""), &first).unwrap().unwrap();
        let bytes = merge(PackedZset(&bytes), &[(b"ab", 1.0), (b"a", 3.0)]).unwrap().unwrap();
        let expected: [Scored<'_>; 4] = [(b"ab", 1.0), (b"b", 1.0), (b"c", 2.0), (b"a", 3.0)];
        assert!(PackedZset(&bytes).iter().eq(expected));
        assert_eq!(merge(PackedZset(&bytes), &[(&[7; PACKED_BYTES_MAX], 1.0)]), Ok(None));
        let many: Vec<[u8; 1]> = (0..129).map(|n| [n]).collect();
        let many: Vec<Scored<'_>> = many.iter().map(|member| (&member[..], 0.0)).collect();
        assert_eq!(merge(PackedZset(b""), &many), Ok(None));
        assert_eq!(merge(PackedZset(b""), &many[..128]).unwrap().map(|bytes| bytes.len()), Some(3 * 128));
        memory::allow(10);
        assert_eq!(merge(PackedZset(&bytes), &[(b"new", 1.0)]), Err(OutOfMemory));
        memory::allow(usize::MAX);
    }
}
