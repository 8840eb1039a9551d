//! Scans of a large set: first over the members of the table, as in any table, then over the integers in their order.
//!
//! ```text
//! positions   0 ...............  2^48 .......................................  10 * 2^48
//!             bits of a hash     negative integers  |  the others, ascending
//! ```
//!
//! A scan remembers one number of 52 bits, its position, and takes all members at one position together. A position
//! belongs to the same integers for ever, so other members may come and go meanwhile.
//!
//! An integer has 64 bits, so some must share a position. They are rounded as floating-point numbers are: an integer
//! keeps its first 47 bits after the sign. Below 2^47 that is all of it; these integers have positions of their own.
//! The largest ones share a position with up to 2^16 neighbours. If a set has all of these, one step takes them all.

use super::Set;
use crate::store::cursor::POSITION_BITS;
use crate::store::members::Member;
use crate::store::scan::POSITIONS_END as INTEGERS_START;

/// How many bits of an integer its position keeps.
const KEPT_BITS: u32 = 47;
/// An integer that loses `n` bits has a rank from `n + 1` times this one on.
const OCTAVE: u64 = 1 << (KEPT_BITS - 1);
/// Number of ranks: from 0 to 16 bits are lost.
const RANKS: u64 = (i64::BITS as u64 - 1 - KEPT_BITS as u64 + 2) * OCTAVE;
/// The position of the integer 0.
const ZERO: u64 = INTEGERS_START + RANKS;
const _: () = assert!(ZERO + RANKS <= 1 << POSITION_BITS, "a cursor has room for all positions");

impl Set {
    /// Calls `visit` for the members from `position` on: for `count` of them, or a few more if several share a position.
    /// Returns the position to go on from, or 0 at the end. When `visit` returns false, it visits only the other members
    /// at the same position, and then stops.
    pub fn scan<'a>(&'a self, position: u64, count: usize, mut visit: impl FnMut(Member<'a>) -> bool) -> u64 {
        if position >= INTEGERS_START {
            return self.scan_integers(position, count, visit);
        }
        let (mut shown, mut stopped) = (0, false);
        let next = self.texts.scan(
            position,
            count,
            |_| true,
            |record| {
                shown += 1;
                stopped |= !visit(self.texts.key_of(record).into());
                !stopped
            },
        );
        if next != 0 || self.integers.is_empty() {
            next
        } else if stopped || shown >= count {
            INTEGERS_START
        } else {
            self.scan_integers(INTEGERS_START, count - shown, visit)
        }
    }

    fn scan_integers<'a>(
        &'a self,
        position: u64,
        count: usize,
        mut visit: impl FnMut(Member<'a>) -> bool,
    ) -> u64 {
        let (mut shown, mut last) = (0, None);
        let Some(first) = first_at(position) else { return 0 };
        for integer in self.integers.iter_from(first) {
            let at = position_of(integer);
            if last.is_some_and(|last| at > last) {
                return at;
            }
            shown += 1;
            if !visit(integer.into()) || shown >= count {
                last = Some(at);
            }
        }
        0
    }
}

/// The position of an integer.
fn position_of(integer: i64) -> u64 {
    if integer >= 0 { ZERO + rank(integer as u64) } else { ZERO - 1 - rank(!integer as u64) }
}

/// The least integer at `position` or a later one; `None` if there is none. It is at least [`INTEGERS_START`].
fn first_at(position: u64) -> Option<i64> {
    match position.checked_sub(ZERO) {
        Some(rank) => (rank < RANKS).then(|| first_of(rank) as i64),
        // The number before the first one of the next rank, with its bits inverted.
        None => Some((first_of(ZERO - position) as i64).wrapping_neg()),
    }
}

/// Rounds a number below 2^63. Ranks ascend with the numbers.
fn rank(number: u64) -> u64 {
    let lost = u64::from((u64::BITS - KEPT_BITS).saturating_sub(number.leading_zeros()));
    lost * OCTAVE + (number >> lost)
}

/// The least number of this rank.
fn first_of(rank: u64) -> u64 {
    let lost = (rank / OCTAVE).saturating_sub(1);
    (rank - lost * OCTAVE) << lost
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Integers of all sizes, and their neighbours.
    fn integers() -> Vec<i64> {
        let powers = (0..63)
            .flat_map(|bits| [1_i64 << bits, -1 << bits, (1 << bits) + (1 << bits) / 2, i64::MAX >> bits]);
        let near = |integer: i64| (-2..=2).map(move |by| integer.wrapping_add(by));
        let mut all: Vec<i64> = powers.chain([0, i64::MIN, i64::MAX]).flat_map(near).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    #[test]
    fn positions_ascend_with_the_integers() {
        let all = integers();
        for pair in all.windows(2) {
            assert!(position_of(pair[0]) <= position_of(pair[1]), "{pair:?}");
        }
        assert_eq!((position_of(i64::MIN), position_of(i64::MAX)), (INTEGERS_START, ZERO + RANKS - 1));
    }

    #[test]
    fn a_position_leads_to_its_first_integer() {
        for integer in integers() {
            let at = position_of(integer);
            let first = first_at(at).unwrap();
            assert!(first <= integer && integer.abs_diff(first) < 1 << 16);
            assert_eq!(position_of(first), at);
            assert!(first == i64::MIN || position_of(first - 1) < at, "{first} is not the first one");
            let small = integer.unsigned_abs() < 1 << KEPT_BITS;
            assert!(!small || first == integer, "{integer} does not stand alone");
        }
        assert_eq!(first_at(ZERO + RANKS), None);
    }
}
