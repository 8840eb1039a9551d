//! The random numbers of scripts: those of `lrand48`, as in Redis, where a new server always begins with the same ones.

use std::cell::Cell;

/// The constants of `lrand48`.
const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
/// What the generator begins with.
const FIRST: u64 = 0x1234_ABCD_330E;
/// `srand48` puts the seed before these bits.
const LOW_BITS: u64 = 0x330E;

/// A generator for all scripts, and one for the present script if it has chosen a seed.
#[derive(Debug)]
pub struct Random {
    common: Cell<u64>,
    own: Cell<Option<u64>>,
}

impl Default for Random {
    fn default() -> Random {
        Random { common: Cell::new(FIRST), own: Cell::new(None) }
    }
}

impl Random {
    /// Another script begins. No script sees the seed of another one.
    pub fn begin_script(&self) {
        self.own.set(None);
    }

    /// The script chooses a seed for itself.
    pub fn seed(&self, seed: i32) {
        self.own.set(Some(u64::from(seed as u32) << 16 | LOW_BITS));
    }

    /// The next number, from 0 up to and without 1.
    pub fn next(&self) -> f64 {
        let before = self.own.get().unwrap_or(self.common.get());
        let next = before.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        match self.own.get() {
            Some(_) => self.own.set(Some(next)),
            None => self.common.set(next),
        }
        // `lrand48` gives 31 bits, and the result must be less than 1.
        let drawn = (next >> 17) as u32;
        f64::from(drawn % i32::MAX as u32) / f64::from(i32::MAX)
    }
}
