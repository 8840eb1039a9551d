//! `PFSELFTEST`: compares this room with plain registers while it runs in production. It takes about a millisecond.

use super::hash::Mark;
use super::{Flaw, REGISTERS, Union, add, add_in_place, densified, empty};

/// Elements for both encodings. A walk over a sparse string takes longer with each of them.
const SPARSE_ELEMENTS: u32 = 1_000;
/// Elements for the dense encoding.
const DENSE_ELEMENTS: u32 = 20_000;
/// One in this many is how far an estimate may be off: five standard errors.
const ERROR_PART_MAX: u32 = 24;

/// Adds elements to HyperLogLogs of both encodings. Returns false if their registers or estimates are not what they
/// should be.
///
/// # Errors
/// [`Flaw::OutOfMemory`].
pub fn self_test() -> Result<bool, Flaw> {
    let mut sparse = empty()?;
    let mut dense = densified(&sparse)?.unwrap_or_default();
    let mut registers = [0; REGISTERS];
    for n in 0..DENSE_ELEMENTS {
        let element = n.to_le_bytes();
        let Mark { register, rank } = Mark::of(&element);
        let raised = rank > registers[register];
        registers[register] = rank.max(registers[register]);
        let is_sparse = n < SPARSE_ELEMENTS;
        if add_in_place(&mut dense, &element) != raised
            || is_sparse && add(&mut sparse, &element, usize::MAX)? != raised
        {
            return Ok(false);
        }
        if n + 1 == SPARSE_ELEMENTS && !holds(&sparse, &registers, n + 1)? {
            return Ok(false);
        }
    }
    holds(&dense, &registers, DENSE_ELEMENTS)
}

/// True if `hll` has these registers, and an estimate that is near to `elements`.
fn holds(hll: &[u8], registers: &[u8; REGISTERS], elements: u32) -> Result<bool, Flaw> {
    let mut union = Union::default();
    union.merge(hll)?;
    let off = union.count().abs_diff(u64::from(elements));
    Ok(union.registers() == registers && off <= u64::from(elements / ERROR_PART_MAX))
}
