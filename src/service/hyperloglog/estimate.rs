//! How many different elements the registers stand for.
//!
//! The estimator is Otmar Ertl's: "New cardinality estimation algorithms for HyperLogLog sketches",
//! arXiv:1702.01284. It needs only the histogram of the registers: how many have each value. The order of the
//! operations is that of Redis, because another order could round to another integer.

use super::REGISTERS;
use super::dense::REGISTER_MAX;
use super::hash::RANK_BITS;

/// How many registers have each value.
pub type Histogram = [u32; REGISTER_MAX as usize + 1];
/// The histogram of no registers.
pub const EMPTY_HISTOGRAM: Histogram = [0; REGISTER_MAX as usize + 1];

/// 1 / (2 ln 2).
const ALPHA: f64 = std::f64::consts::LOG2_E / 2.0;
/// The reply of Redis on x86 if an estimate exceeds 64 bits, which only registers that no hash can give
/// lead to.
const OVERFLOW: u64 = 1 << 63;

/// The estimated number of different elements.
pub fn estimate(histogram: &Histogram) -> u64 {
    let registers = REGISTERS as f64;
    let highest = f64::from(histogram[RANK_BITS as usize + 1]);
    let mut sum = registers * tau((registers - highest) / registers);
    for &count in histogram[1..=RANK_BITS as usize].iter().rev() {
        sum = (sum + f64::from(count)) * 0.5;
    }
    sum += registers * sigma(f64::from(histogram[0]) / registers);
    let elements = (ALPHA * registers * registers / sum).round();
    if elements < OVERFLOW as f64 { elements as u64 } else { OVERFLOW }
}

/// The correction for registers that are still zero; `x` is their share.
fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut weight, mut sum) = (x, 1.0, x);
    loop {
        power *= power;
        let before = sum;
        sum += power * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// The correction for registers that have the highest rank; `x` is the share of all the others.
fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (x, 1.0, 1.0 - x);
    loop {
        root = root.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - root) * (1.0 - root) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_histogram_has_an_estimate() {
        for value in 0..=usize::from(REGISTER_MAX) {
            for share in [1, 100, REGISTERS as u32] {
                let mut histogram = EMPTY_HISTOGRAM;
                histogram[value] = share;
                histogram[0] += REGISTERS as u32 - share;
                let elements = estimate(&histogram);
                assert_eq!(elements == 0, value == 0, "{share} registers of {value}");
            }
        }
    }
}
