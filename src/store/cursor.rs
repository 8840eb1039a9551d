//! Cursors: the numbers that clients see instead of a scan's position. A cursor tells nothing about the hash.
//!
//! A position is the first 48 bits of a hash, or in a large set a number beyond these, for integers. A client that saw
//! positions could choose keys whose hashes begin with the same bits. So a Feistel network of four rounds shuffles the
//! 52 bits; its round function is a seeded hash. Position 0 becomes cursor 0, because every scan begins and ends with
//! cursor 0. Some clients keep a cursor in a floating point number, which holds 53 bits exactly.

use ahash::RandomState;

/// Bits of a position.
pub const POSITION_BITS: u32 = 52;
/// Rounds of the Feistel network.
const ROUNDS: u8 = 4;
/// Bits in each of the two halves of a position.
const HALF_BITS: u32 = POSITION_BITS / 2;
/// All bits of a half.
const HALF: u64 = (1 << HALF_BITS) - 1;

/// A secret permutation: it maps each position to a cursor, and back.
#[derive(Debug)]
pub struct Cursors {
    key: RandomState,
}

impl Cursors {
    /// The permutation that belongs to the secret `key`.
    pub fn new(key: RandomState) -> Cursors {
        Cursors { key }
    }

    /// The cursor for `position`.
    pub fn cursor(&self, position: u64) -> u64 {
        // The network maps 0 to some number, and some number to 0. These two results are swapped, so that 0
        // becomes 0.
        match self.shuffle(position) {
            _ if position == 0 => 0,
            0 => self.shuffle(0),
            cursor => cursor,
        }
    }

    /// The position that `cursor` stands for; `None` if the number has more bits than a cursor.
    pub fn position(&self, cursor: u64) -> Option<u64> {
        if cursor >> POSITION_BITS != 0 {
            return None;
        }
        Some(match self.unshuffle(cursor) {
            _ if cursor == 0 => 0,
            0 => self.unshuffle(0),
            position => position,
        })
    }

    /// The Feistel network.
    fn shuffle(&self, position: u64) -> u64 {
        let (left, right) =
            (0..ROUNDS).fold(halves(position), |(left, right), round| (right, left ^ self.mix(round, right)));
        left << HALF_BITS | right
    }

    /// The inverse of [`Cursors::shuffle`].
    fn unshuffle(&self, cursor: u64) -> u64 {
        let (left, right) = (0..ROUNDS)
            .rev()
            .fold(halves(cursor), |(left, right), round| (right ^ self.mix(round, left), left));
        left << HALF_BITS | right
    }

    /// The round function.
    fn mix(&self, round: u8, half: u64) -> u64 {
        self.key.hash_one((round, half)) & HALF
    }
}

/// The upper and the lower half of a position or cursor.
fn halves(number: u64) -> (u64, u64) {
    (number >> HALF_BITS, number & HALF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_has_one_cursor_and_0_is_0() {
        for seed in 0..50 {
            let cursors = Cursors::new(RandomState::with_seeds(seed, 1, 2, 3));
            assert_eq!((cursors.cursor(0), cursors.position(0)), (0, Some(0)));
            let special = [cursors.unshuffle(0), cursors.shuffle(0), (1 << POSITION_BITS) - 1];
            for number in
                special.into_iter().chain((0..1_000).map(|n| n * 0x5851_f42d_4c95 % (1 << POSITION_BITS)))
            {
                let cursor = cursors.cursor(number);
                assert_eq!(cursors.position(cursor), Some(number));
                assert_eq!(cursor == 0, number == 0);
                assert_eq!(cursors.position(number).map(|position| cursors.cursor(position)), Some(number));
            }
            assert_eq!(cursors.position(1 << POSITION_BITS), None);
            assert_eq!(cursors.position(u64::MAX), None);
        }
    }
}
