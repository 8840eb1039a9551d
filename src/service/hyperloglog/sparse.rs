//! The sparse encoding: runs of equal registers after the header, each an opcode of one or two bytes.
//!
//! ```text
//! ZERO   00nnnnnn            n + 1 registers are 0        1 to 64 of them
//! XZERO  01nnnnnn nnnnnnnn   n + 1 registers are 0        1 to 16384 of them
//! VAL    1vvvvvnn            n + 1 registers are v + 1    1 to 4 of them, values 1 to 32
//! ```
//!
//! A sound string describes each of the 16384 registers exactly once. A string that a client has written
//! itself may be anything; a walk over it ends at its last byte at the latest.
//!
//! The bytes depend on the order in which registers were raised, because neighbouring opcodes are joined only
//! near a change. This file changes them exactly as Redis does, so that both write the same string.

use super::hash::Mark;
use super::{Flaw, HEADER_BYTES, REGISTERS, dense};
use crate::base::memory;

/// The highest value of a VAL.
pub const VALUE_MAX: u8 = 32;
/// Most registers of a VAL.
const VALUE_RUN_MAX: usize = 4;
/// Most registers of a ZERO.
const ZERO_RUN_MAX: usize = 64;
/// No opcode takes more bytes for each of its registers than a short XZERO. So a longer string is not sound.
pub const SPARSE_BYTES_MAX: usize = HEADER_BYTES + 2 * REGISTERS;
/// How many opcodes Redis looks at after a change, to join those that are equal.
const JOINED_OPCODES_MAX: usize = 5;

/// The opcodes of an empty HyperLogLog: one XZERO for all registers.
pub const EMPTY: [u8; 2] = [0x7f, 0xff];

/// What one opcode says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The value of the registers.
    pub value: u8,
    /// Number of registers.
    pub registers: usize,
    /// Bytes of the opcode; only XZERO takes two.
    pub bytes: usize,
}

impl Run {
    /// The opcode that begins at byte `at`. `None` if it does not end within the string.
    fn at(sparse: &[u8], at: usize) -> Option<Run> {
        let first = *sparse.get(at)?;
        let low = usize::from(first & 0x3f);
        Some(match first >> 6 {
            0 => Run { value: 0, registers: low + 1, bytes: 1 },
            1 => Run { value: 0, registers: (low << 8 | usize::from(*sparse.get(at + 1)?)) + 1, bytes: 2 },
            _ => Run { value: (first >> 2 & 0x1f) + 1, registers: usize::from(first & 3) + 1, bytes: 1 },
        })
    }
}

/// Calls `visit` with the first register and the run of each opcode, in order.
///
/// # Errors
/// [`Flaw::Corrupted`] if the string is not sound. `visit` may have seen some of its runs, but no register
/// beyond the last.
pub fn visit(sparse: &[u8], mut visit: impl FnMut(usize, Run)) -> Result<(), Flaw> {
    let (mut at, mut first) = (HEADER_BYTES, 0);
    while at < sparse.len() {
        let run = Run::at(sparse, at).ok_or(Flaw::Corrupted)?;
        if run.registers > REGISTERS - first {
            return Err(Flaw::Corrupted);
        }
        visit(first, run);
        at += run.bytes;
        first += run.registers;
    }
    if first == REGISTERS { Ok(()) } else { Err(Flaw::Corrupted) }
}

/// The same HyperLogLog in the dense encoding.
///
/// # Errors
/// [`Flaw::Corrupted`] or [`Flaw::OutOfMemory`].
pub fn densified(sparse: &[u8]) -> Result<Vec<u8>, Flaw> {
    let mut dense = dense::zeroed(sparse)?;
    visit(sparse, |first, run| {
        if run.value > 0 {
            for register in first..first + run.registers {
                dense::raise(&mut dense, Mark { register, rank: run.value });
            }
        }
    })?;
    Ok(dense)
}

/// A walk to registers in ascending order. It goes on where it was, so raising many registers does not walk
/// over the string for each of them.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Where to go on: an opcode before all that the last change may have touched, and that is not the next
    /// one to be found, so that the opcode before the next one will be known.
    resume: Place,
}

/// Where an opcode is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Its first byte.
    at: usize,
    /// Its first register.
    first: usize,
}

/// The opcode that describes a register.
struct Found {
    place: Place,
    run: Run,
    /// Where the opcode before it begins. If there is none, where it begins itself.
    previous: usize,
}

impl Walk {
    const START: Place = Place { at: HEADER_BYTES, first: 0 };

    /// A walk that has found nothing yet.
    pub fn new() -> Walk {
        Walk { resume: Walk::START }
    }

    /// Finds the opcode of `register`, which is above all that the walk has found before.
    fn find(&mut self, sparse: &[u8], register: usize) -> Result<Found, Flaw> {
        let mut place = self.resume;
        // The last opcode before the one to be found, and the one before that.
        let (mut previous, mut second) = (None, None);
        loop {
            let run = Run::at(sparse, place.at).ok_or(Flaw::Corrupted)?;
            if register < place.first + run.registers {
                // A change joins opcodes from the previous one on, so the second is safe to resume at.
                self.resume = second.unwrap_or(Walk::START);
                return Ok(Found { place, run, previous: previous.unwrap_or(place).at });
            }
            second = previous.replace(place);
            place = Place { at: place.at + run.bytes, first: place.first + run.registers };
        }
    }
}

/// Checks that a string is not too long to be sound.
///
/// # Errors
/// [`Flaw::Corrupted`].
pub fn check_len(sparse: &[u8]) -> Result<(), Flaw> {
    if sparse.len() > SPARSE_BYTES_MAX { Err(Flaw::Corrupted) } else { Ok(()) }
}

/// The value of the register `number`.
///
/// # Errors
/// [`Flaw::Corrupted`] if no opcode describes it, or the string is too long to be sound.
pub fn get(sparse: &[u8], number: usize) -> Result<u8, Flaw> {
    check_len(sparse)?;
    Ok(Walk::new().find(sparse, number)?.run.value)
}

/// What became of a register that should be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// It has the value now.
    Yes,
    /// Its value was as high before.
    No,
    /// Nothing has changed, because the sparse encoding cannot hold the value, or would get too long.
    MustBeDense,
}

/// Gives the register of `mark` the value of its rank, if that is higher. The string may grow to `bytes_max`
/// bytes.
///
/// # Errors
/// [`Flaw::Corrupted`] if no opcode describes the register, or [`Flaw::OutOfMemory`]. Nothing has changed.
pub fn raise(sparse: &mut Vec<u8>, mark: Mark, bytes_max: usize, walk: &mut Walk) -> Result<Raised, Flaw> {
    check_len(sparse)?;
    if mark.rank > VALUE_MAX {
        return Ok(Raised::MustBeDense);
    }
    let found = walk.find(sparse, mark.register)?;
    if found.run.value >= mark.rank {
        return Ok(Raised::No);
    }
    let opcodes = Opcodes::split(&found, mark);
    let grown = opcodes.len.saturating_sub(found.run.bytes);
    if grown > 0 {
        if sparse.len() + grown > bytes_max {
            return Ok(Raised::MustBeDense);
        }
        memory::reserve(sparse, grown)?;
    }
    replace(sparse, found.place.at, found.run.bytes, opcodes.bytes());
    join(sparse, found.previous);
    Ok(Raised::Yes)
}

/// Puts `new` in the place of the `old` bytes at byte `at`. There must be room for it.
fn replace(sparse: &mut Vec<u8>, at: usize, old: usize, new: &[u8]) {
    let len = sparse.len();
    sparse.resize(len.max(len - old + new.len()), 0);
    sparse.copy_within(at + old..len, at + new.len());
    sparse.truncate(len - old + new.len());
    sparse[at..at + new.len()].copy_from_slice(new);
}

/// Up to three opcodes that take the place of one.
struct Opcodes {
    bytes: [u8; 5],
    len: usize,
}

impl Opcodes {
    /// The registers of the opcode that was found, where the one of `mark` has its rank as its value.
    fn split(found: &Found, mark: Mark) -> Opcodes {
        let mut opcodes = Opcodes { bytes: [0; 5], len: 0 };
        let before = mark.register - found.place.first;
        let after = found.run.registers - before - 1;
        opcodes.push(found.run.value, before);
        opcodes.push(mark.rank, 1);
        opcodes.push(found.run.value, after);
        opcodes
    }

    /// Appends an opcode for `registers` registers, none if there are no registers.
    fn push(&mut self, value: u8, registers: usize) {
        let Some(more) = registers.checked_sub(1) else { return };
        if value > 0 {
            self.push_byte(value_opcode(value, registers));
        } else if registers <= ZERO_RUN_MAX {
            self.push_byte(more as u8);
        } else {
            self.push_byte(0x40 | (more >> 8) as u8);
            self.push_byte(more as u8);
        }
    }

    fn push_byte(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A VAL; `value` is 1 to [`VALUE_MAX`], `registers` 1 to [`VALUE_RUN_MAX`].
fn value_opcode(value: u8, registers: usize) -> u8 {
    0x80 | (value - 1) << 2 | (registers - 1) as u8
}

/// Joins neighbouring VALs of the same value from the opcode at byte `at` on, as far as Redis looks.
fn join(sparse: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOINED_OPCODES_MAX {
        let Some(run) = Run::at(sparse, at) else { return };
        let next = Run::at(sparse, at + run.bytes).filter(|next| run.value > 0 && next.value == run.value);
        match next {
            Some(next) if run.registers + next.registers <= VALUE_RUN_MAX => {
                sparse[at] = value_opcode(run.value, run.registers + next.registers);
                // The joined opcode may be joined with the next one too.
                sparse.remove(at + 1);
            }
            _ => at += run.bytes,
        }
    }
}

/// The opcodes as text, as `PFDEBUG DECODE` prints them.
///
/// # Errors
/// [`Flaw::Corrupted`] if the string is not sound, or [`Flaw::OutOfMemory`].
pub fn decoded(sparse: &[u8]) -> Result<Vec<u8>, Flaw> {
    use std::io::Write;
    let mut text = Vec::new();
    // No opcode takes more than eight bytes of text, with the space after it.
    memory::reserve_exact(&mut text, 8 * sparse.len().min(SPARSE_BYTES_MAX))?;
    visit(sparse, |_, Run { value, registers, bytes }| {
        let written = match (value, bytes) {
            (0, 1) => write!(text, "z:{registers} "),
            (0, _) => write!(text, "Z:{registers} "),
            _ => write!(text, "v:{value},{registers} "),
        };
        debug_assert!(written.is_ok(), "a vector takes all bytes");
    })?;
    text.pop();
    Ok(text)
}
