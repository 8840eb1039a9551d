//! The hash of an element, and what a HyperLogLog takes from it: a register and a rank.
//!
//! The hash is MurmurHash64A with the seed that Redis uses. It must never change, because the registers of
//! stored strings depend on it.

use super::REGISTERS;

/// The seed of the hash.
const SEED: u64 = 0xadc8_3b19;
/// The multiplier of MurmurHash64A.
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
/// How far MurmurHash64A shifts a word to mix it with itself.
const SHIFT: u32 = 47;
/// Bits of the hash that choose the register.
const REGISTER_BITS: u32 = REGISTERS.ilog2();
/// Bits of the hash that give the rank.
pub const RANK_BITS: u32 = u64::BITS - REGISTER_BITS;

/// What an element asks for: its register must be at least its rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Number of the register, below [`REGISTERS`].
    pub register: usize,
    /// One more than the number of zeros at the end of the other bits of the hash: 1 to [`RANK_BITS`] + 1.
    pub rank: u8,
}

impl Mark {
    /// The mark of `element`.
    pub fn of(element: &[u8]) -> Mark {
        let hash = murmur64a(element);
        let register = (hash as usize) & (REGISTERS - 1);
        // The added bit ends the zeros of a hash that has no other.
        let rest = hash >> REGISTER_BITS | 1 << RANK_BITS;
        Mark { register, rank: rest.trailing_zeros() as u8 + 1 }
    }
}

/// MurmurHash64A of `bytes`, which are read in little-endian order.
fn murmur64a(bytes: &[u8]) -> u64 {
    // Redis keeps the length in 32 bits. No element is that long.
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mixed = mix(u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
        hash = (hash ^ mixed).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(MULTIPLIER);
    }
    mix(mix(hash).wrapping_mul(MULTIPLIER))
}

fn mix(word: u64) -> u64 {
    word ^ word >> SHIFT
}
