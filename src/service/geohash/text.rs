//! Places and distances as text.

use super::cell::{Cell, Grid, STEPS_MAX};
use super::{LONGITUDE_MAX, Place};

/// Letters of a geohash string.
const LETTERS: usize = 11;
/// The letters, each for five bits.
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Digits after the point of a coordinate, as a power of ten.
const COORDINATE_SCALE: u64 = 10_u64.pow(17);
const _: () =
    assert!(LONGITUDE_MAX * (COORDINATE_SCALE as f64) < u64::MAX as f64, "a coordinate fits 64 bits");
/// Digits after the point of a distance, as a power of ten.
const DISTANCE_SCALE: u64 = 10_000;

/// The geohash string of the member with this `score`: the standard one, whose grid has the poles. Its last
/// letter is always `0`, because a score has only 52 bits.
pub fn geohash(score: f64) -> [u8; LETTERS] {
    let bits = Cell::of(&Grid::STRINGS, Place::of_score(score), STEPS_MAX).bits();
    std::array::from_fn(|nth| match (2 * STEPS_MAX).checked_sub(5 * (nth as u32 + 1)) {
        Some(shift) => ALPHABET[(bits >> shift) as usize & 31],
        None => ALPHABET[0],
    })
}

/// A longitude or latitude as Redis writes it: 17 digits after the point, without zeros at the end.
pub fn coordinate_text(degrees: f64) -> String {
    let text = if degrees.abs() <= LONGITUDE_MAX {
        let digits = scaled(degrees.abs());
        let sign = if degrees < 0.0 && digits > 0 { "-" } else { "" };
        format!("{sign}{}.{:017}", digits / COORDINATE_SCALE, digits % COORDINATE_SCALE)
    } else {
        format!("{degrees:.17}")
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `degrees` multiplied by [`COORDINATE_SCALE`], exactly, and then rounded to the nearest integer, or to the even
/// one of two. It is several times faster than the exact formatting of the standard library. `degrees` is 0 to
/// [`LONGITUDE_MAX`].
fn scaled(degrees: f64) -> u64 {
    const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    let (bits, exponent) = (degrees.to_bits(), (degrees.to_bits() >> MANTISSA_BITS) as u32);
    // Numbers so small that they have no leading 1 are rounded to 0 anyway.
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1) | 1 << MANTISSA_BITS;
    let shift = (f64::MAX_EXP as u32 - 1 + MANTISSA_BITS) - exponent;
    if shift >= u128::BITS {
        return 0;
    }
    let product = u128::from(mantissa) * u128::from(COORDINATE_SCALE);
    let (quotient, rest, half) = (product >> shift, product & ((1 << shift) - 1), 1 << (shift - 1));
    quotient as u64 + u64::from(rest > half || rest == half && quotient % 2 == 1)
}

/// A distance as Redis writes it: four digits after the point, rounded to even after the scaling.
pub fn distance_text(distance: f64) -> String {
    let scaled = (distance * DISTANCE_SCALE as f64).round_ties_even();
    // A distance that is not a number has the text that Redis on x86 gives it.
    let is_valid = scaled.abs() < i64::MAX as f64;
    let scaled = if is_valid { scaled as i64 } else { i64::MIN };
    let sign = if scaled < 0 { "-" } else { "" };
    let digits = scaled.unsigned_abs();
    format!("{sign}{}.{:04}", digits / DISTANCE_SCALE, digits % DISTANCE_SCALE)
}

/// Redis's error for coordinates that are no [`Place`].
pub fn out_of_range(longitude: f64, latitude: f64) -> String {
    format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}")
}
