//! HyperLogLog: estimates how many different elements a set has, in at most 12 KB, in Redis's format.
//!
//! A HyperLogLog is a string, so clients can read it, copy it and write it back. It has 16384 registers.
//! The hash of an element chooses a register and gives a rank; the register keeps the highest rank. The
//! strings are the same, byte for byte, as those that Redis writes after the same commands.
//!
//! ```text
//! 0    4         5       8            16
//! HYLL encoding  unused  cardinality  registers
//! ```
//!
//! - `encoding` is 0 for [`dense`] and 1 for [`sparse`]. A new string is sparse. It becomes dense when it would
//!   get longer than `hll-sparse-max-bytes`, or when a register gets too high for the sparse encoding.
//! - `cardinality` is the last estimate, in little-endian order. Its top bit says that it is out of date.
//!
//! A client may have written any string itself. So each function checks what it relies on: it never reads or
//! writes outside the string, and its time is bounded by the number of registers, not by the length.

mod dense;
mod estimate;
mod hash;
mod selftest;
mod sparse;
mod union;

pub use selftest::self_test;
pub use union::Union;

use crate::base::{OutOfMemory, memory};
use dense::DENSE_BYTES;
use estimate::{EMPTY_HISTOGRAM, Histogram, estimate};
use hash::Mark;
use sparse::{Raised, Walk};

/// Number of registers.
pub const REGISTERS: usize = 1 << 14;
/// Bytes of the header.
const HEADER_BYTES: usize = 16;

/// Where the fields of the header are.
mod header {
    use std::ops::Range;

    /// The first bytes of every HyperLogLog.
    pub const MAGIC: &[u8] = b"HYLL";
    /// The byte that says which encoding the registers have.
    pub const ENCODING: usize = 4;
    /// The last estimate.
    pub const CARDINALITY: Range<usize> = 8..16;
    /// The byte with the top bit of the last estimate.
    pub const STALE: usize = 15;
    /// That bit: the estimate is out of date.
    pub const STALE_BIT: u8 = 0x80;
}

/// How the registers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits for each register.
    Dense = 0,
    /// Runs of equal registers.
    Sparse = 1,
}

impl Encoding {
    /// Its name in the reply of `PFDEBUG ENCODING`.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        }
    }
}

/// Why a string cannot be used or changed as a HyperLogLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The header is not that of a HyperLogLog, or the length is wrong.
    Foreign,
    /// The registers are not described exactly once each.
    Corrupted,
    /// There is not enough memory.
    OutOfMemory,
}

impl From<OutOfMemory> for Flaw {
    fn from(_: OutOfMemory) -> Flaw {
        Flaw::OutOfMemory
    }
}

impl Flaw {
    /// Redis's error for a string that is no HyperLogLog, and for one that is corrupted. `None` if memory ran
    /// out.
    pub const fn text(self) -> Option<&'static str> {
        match self {
            Flaw::Foreign => Some("WRONGTYPE Key is not a valid HyperLogLog string value."),
            Flaw::Corrupted => Some("INVALIDOBJ Corrupted HLL object detected"),
            Flaw::OutOfMemory => None,
        }
    }
}

/// A HyperLogLog without elements. Its cardinality of 0 is up to date.
///
/// # Errors
/// [`OutOfMemory`].
pub fn empty() -> Result<Vec<u8>, OutOfMemory> {
    let mut hll = Vec::new();
    memory::reserve_exact(&mut hll, HEADER_BYTES + sparse::EMPTY.len())?;
    hll.extend_from_slice(header::MAGIC);
    hll.resize(HEADER_BYTES, 0);
    hll[header::ENCODING] = Encoding::Sparse as u8;
    hll.extend_from_slice(&sparse::EMPTY);
    Ok(hll)
}

/// Checks the header and, for a dense string, the length. A string that passes may still be corrupted.
///
/// # Errors
/// [`Flaw::Foreign`].
pub fn encoding(hll: &[u8]) -> Result<Encoding, Flaw> {
    if hll.len() < HEADER_BYTES || !hll.starts_with(header::MAGIC) {
        return Err(Flaw::Foreign);
    }
    match hll[header::ENCODING] {
        0 if hll.len() == DENSE_BYTES => Ok(Encoding::Dense),
        1 => Ok(Encoding::Sparse),
        _ => Err(Flaw::Foreign),
    }
}

/// True if [`add`] of `element` would change the string.
///
/// # Errors
/// [`Flaw::Foreign`] or [`Flaw::Corrupted`].
pub fn would_change(hll: &[u8], element: &[u8]) -> Result<bool, Flaw> {
    let mark = Mark::of(element);
    let value = match encoding(hll)? {
        Encoding::Dense => dense::get(hll, mark.register),
        Encoding::Sparse => sparse::get(hll, mark.register)?,
    };
    Ok(mark.rank > value)
}

/// Adds `element`. Returns true if a register has changed; then the cached cardinality is out of date. A sparse
/// string becomes dense rather than get longer than `sparse_bytes_max`.
///
/// A new HyperLogLog counts as changed even if it gets no element. Call [`mark_stale`] on it, as Redis does.
///
/// # Errors
/// If the string is not sound or memory runs out. Then nothing has changed. A sparse string is checked only as
/// far as the register of the element, unless it must become dense.
pub fn add(hll: &mut Vec<u8>, element: &[u8], sparse_bytes_max: usize) -> Result<bool, Flaw> {
    raise(hll, Mark::of(element), sparse_bytes_max, &mut Walk::new())
}

/// Adds `element` to a dense HyperLogLog in its place. Returns true if a register has changed; then the cached
/// cardinality is out of date. Does nothing if the string is no dense HyperLogLog.
pub fn add_in_place(hll: &mut [u8], element: &[u8]) -> bool {
    let raised = encoding(hll) == Ok(Encoding::Dense) && dense::raise(hll, Mark::of(element));
    if raised {
        mark_stale(hll);
    }
    raised
}

/// A copy of a HyperLogLog, to be changed.
///
/// # Errors
/// If the string is not sound or memory runs out. A sparse string is checked only as far as its length.
pub fn copy(hll: &[u8]) -> Result<Vec<u8>, Flaw> {
    if encoding(hll)? == Encoding::Sparse {
        sparse::check_len(hll)?;
    }
    let mut copy = Vec::new();
    memory::reserve_exact(&mut copy, hll.len())?;
    copy.extend_from_slice(hll);
    Ok(copy)
}

/// Adds the element of `mark`. Calls with the same `walk` must be in ascending order of the registers.
fn raise(hll: &mut Vec<u8>, mark: Mark, sparse_bytes_max: usize, walk: &mut Walk) -> Result<bool, Flaw> {
    let raised = match encoding(hll)? {
        Encoding::Dense => dense::raise(hll, mark),
        Encoding::Sparse => match sparse::raise(hll, mark, sparse_bytes_max, walk)? {
            Raised::Yes => true,
            Raised::No => false,
            Raised::MustBeDense => {
                *hll = sparse::densified(hll)?;
                dense::raise(hll, mark)
            }
        },
    };
    if raised {
        mark_stale(hll);
    }
    Ok(raised)
}

/// Says in the header that the cached cardinality is out of date.
pub fn mark_stale(hll: &mut [u8]) {
    if let Some(byte) = hll.get_mut(header::STALE) {
        *byte |= header::STALE_BIT;
    }
}

/// How many different elements a HyperLogLog has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The estimate.
    pub elements: u64,
    /// True if the string had this estimate in its header. If not, the caller writes it there with
    /// [`remember`].
    pub is_cached: bool,
}

/// Estimates how many different elements were added.
///
/// # Errors
/// [`Flaw::Foreign`] or [`Flaw::Corrupted`]. An estimate in the header is taken without looking at the
/// registers.
pub fn count(hll: &[u8]) -> Result<Count, Flaw> {
    let encoding = encoding(hll)?;
    if hll[header::STALE] & header::STALE_BIT == 0 {
        let mut cached = [0; 8];
        cached.copy_from_slice(&hll[header::CARDINALITY]);
        return Ok(Count { elements: u64::from_le_bytes(cached), is_cached: true });
    }
    let histogram = match encoding {
        Encoding::Dense => dense_histogram(hll),
        Encoding::Sparse => sparse_histogram(hll)?,
    };
    Ok(Count { elements: estimate(&histogram), is_cached: false })
}

fn dense_histogram(hll: &[u8]) -> Histogram {
    // Several counters, because equal neighbours would wait for each other's counter.
    let mut counters = [EMPTY_HISTOGRAM; 8];
    for eight in dense::eights(hll) {
        for (counter, value) in counters.iter_mut().zip(eight) {
            counter[usize::from(value)] += 1;
        }
    }
    std::array::from_fn(|value| counters.iter().map(|counter| counter[value]).sum())
}

fn sparse_histogram(hll: &[u8]) -> Result<Histogram, Flaw> {
    let mut histogram = EMPTY_HISTOGRAM;
    sparse::visit(hll, |_, run| histogram[usize::from(run.value)] += run.registers as u32)?;
    Ok(histogram)
}

/// Writes an estimate of [`count`] into the header, where the next count finds it.
pub fn remember(hll: &mut [u8], elements: u64) {
    if let Some(field) = hll.get_mut(header::CARDINALITY) {
        field.copy_from_slice(&elements.to_le_bytes());
    }
}

/// The same HyperLogLog in the dense encoding. `None` if it is dense already.
///
/// # Errors
/// If the string is not sound or memory runs out.
pub fn densified(hll: &[u8]) -> Result<Option<Vec<u8>>, Flaw> {
    match encoding(hll)? {
        Encoding::Dense => Ok(None),
        Encoding::Sparse => sparse::densified(hll).map(Some),
    }
}

/// The text of `PFDEBUG DECODE`. `None` if the string is dense.
///
/// # Errors
/// If the string is not sound or memory runs out.
pub fn decoded(hll: &[u8]) -> Result<Option<Vec<u8>>, Flaw> {
    match encoding(hll)? {
        Encoding::Dense => Ok(None),
        Encoding::Sparse => sparse::decoded(hll).map(Some),
    }
}

#[cfg(test)]
mod tests;
