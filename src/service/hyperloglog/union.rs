//! The union of several HyperLogLogs: for each register the highest value in any of them.

use super::estimate::{EMPTY_HISTOGRAM, estimate};
use super::hash::Mark;
use super::sparse::{self, Walk};
use super::{Encoding, Flaw, REGISTERS, copy, dense, densified, encoding, mark_stale, raise};

/// The registers of several HyperLogLogs together. It takes 16 KB, so keep it on the stack for one command only.
#[derive(Debug)]
pub struct Union {
    /// The highest value of each register.
    highest: [u8; REGISTERS],
    /// True if one of them was dense; then the union is written dense too.
    has_dense: bool,
}

impl Default for Union {
    fn default() -> Union {
        Union { highest: [0; REGISTERS], has_dense: false }
    }
}

impl Union {
    /// Adds all elements of `hll`.
    ///
    /// # Errors
    /// [`Flaw::Foreign`] or [`Flaw::Corrupted`]. Then the union must not be used any more, because it may have
    /// some of the registers.
    pub fn merge(&mut self, hll: &[u8]) -> Result<(), Flaw> {
        if encoding(hll)? == Encoding::Sparse {
            return sparse::visit(hll, |first, run| {
                if run.value > 0 {
                    for highest in &mut self.highest[first..first + run.registers] {
                        *highest = run.value.max(*highest);
                    }
                }
            });
        }
        self.has_dense = true;
        let (eights, _) = self.highest.as_chunks_mut::<8>();
        for (highest, eight) in eights.iter_mut().zip(dense::eights(hll)) {
            highest.iter_mut().zip(eight).for_each(|(highest, value)| *highest = value.max(*highest));
        }
        Ok(())
    }

    /// Estimates how many different elements the union has.
    pub fn count(&self) -> u64 {
        let mut histogram = EMPTY_HISTOGRAM;
        for value in self.highest {
            histogram[usize::from(value)] += 1;
        }
        estimate(&histogram)
    }

    /// The value of each register.
    pub fn registers(&self) -> &[u8; REGISTERS] {
        &self.highest
    }

    /// The union as a string: `before`, raised to it. `before` is a new HyperLogLog or one that was merged into the
    /// union, because its registers are raised, not lowered. The cached cardinality is out of date.
    ///
    /// # Errors
    /// If `before` is not sound or memory runs out.
    pub fn written(&self, before: &[u8], sparse_bytes_max: usize) -> Result<Vec<u8>, Flaw> {
        let dense = if self.has_dense { densified(before)? } else { None };
        let mut written = match dense {
            Some(dense) => dense,
            None => copy(before)?,
        };
        let mut walk = Walk::new();
        for (register, &rank) in self.highest.iter().enumerate().filter(|&(_, &rank)| rank > 0) {
            raise(&mut written, Mark { register, rank }, sparse_bytes_max, &mut walk)?;
        }
        mark_stale(&mut written);
        Ok(written)
    }
}
