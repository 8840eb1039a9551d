//! The dense encoding: all registers, six bits each, after the header.
//!
//! ```text
//! byte       0        1        2
//! bits    11000000 22221111 33333322     the digit is the number of the register
//! ```
//!
//! Four registers take three bytes. A register begins at the lowest free bit of a byte, and its upper bits may
//! be in the next byte.

use super::hash::Mark;
use super::{Encoding, HEADER_BYTES, REGISTERS, header};
use crate::base::{OutOfMemory, memory};

/// Bits of a register.
const REGISTER_BITS: usize = 6;
/// The highest value of a register.
pub const REGISTER_MAX: u8 = (1 << REGISTER_BITS) - 1;
/// Bytes of all registers.
const PACKED_BYTES: usize = REGISTERS * REGISTER_BITS / 8;
/// Bytes of a dense HyperLogLog with its header.
pub const DENSE_BYTES: usize = HEADER_BYTES + PACKED_BYTES;

/// A dense HyperLogLog with the header of `sparse`, whose registers are all zero.
///
/// # Errors
/// [`OutOfMemory`].
pub fn zeroed(sparse: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut dense = Vec::new();
    memory::reserve_exact(&mut dense, DENSE_BYTES)?;
    dense.extend_from_slice(&sparse[..HEADER_BYTES]);
    dense[header::ENCODING] = Encoding::Dense as u8;
    dense.resize(DENSE_BYTES, 0);
    Ok(dense)
}

/// The value of register `number` of a dense HyperLogLog.
pub fn get(dense: &[u8], number: usize) -> u8 {
    let (byte, shift) = place(number);
    let pair = u16::from_le_bytes([dense[byte], dense.get(byte + 1).copied().unwrap_or(0)]);
    (pair >> shift) as u8 & REGISTER_MAX
}

/// Gives the register of `mark` the value of its rank, if that is higher. Returns true if it was.
pub fn raise(dense: &mut [u8], mark: Mark) -> bool {
    if get(dense, mark.register) >= mark.rank {
        return false;
    }
    let (byte, shift) = place(mark.register);
    let [cleared, cleared_next] = (!(u16::from(REGISTER_MAX) << shift)).to_le_bytes();
    let [set, set_next] = (u16::from(mark.rank & REGISTER_MAX) << shift).to_le_bytes();
    dense[byte] = dense[byte] & cleared | set;
    // The last register ends with the last byte.
    if let Some(next) = dense.get_mut(byte + 1) {
        *next = *next & cleared_next | set_next;
    }
    true
}

/// The byte where register `number` begins, and its lowest bit in that byte.
fn place(number: usize) -> (usize, usize) {
    let bit = number * REGISTER_BITS;
    (HEADER_BYTES + bit / 8, bit % 8)
}

/// The values of all registers, eight at a time.
pub fn eights(dense: &[u8]) -> impl Iterator<Item = [u8; 8]> {
    let (sixes, _) = dense[HEADER_BYTES..].as_chunks::<6>();
    sixes.iter().map(|&[a, b, c, d, e, f]| {
        // Each step moves the upper half of every group of bits away from its lower half.
        let bits = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
        let bits = bits & 0x00ff_ffff | (bits & 0xffff_ff00_0000) << 8;
        let bits = bits & 0x0000_0fff_0000_0fff | (bits & 0x00ff_f000_00ff_f000) << 4;
        let bits = bits & 0x003f_003f_003f_003f | (bits & 0x0fc0_0fc0_0fc0_0fc0) << 2;
        bits.to_le_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_does_not_touch_its_neighbours() {
        let mut dense = zeroed(&[0; HEADER_BYTES]).unwrap();
        for number in (0..REGISTERS).rev() {
            let rank = (number * 7 % 63) as u8 + 1;
            assert!(raise(&mut dense, Mark { register: number, rank }));
            assert!(!raise(&mut dense, Mark { register: number, rank }));
        }
        for (number, value) in eights(&dense).flatten().enumerate() {
            assert_eq!(value, (number * 7 % 63) as u8 + 1, "register {number}");
            assert_eq!(value, get(&dense, number));
        }
        assert_eq!(dense.len(), DENSE_BYTES);
    }
}
