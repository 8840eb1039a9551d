//! Floating point numbers as Redis keeps them in strings. Redis uses the 80-bit `long double` of C on x86:
//! it reads a number with `strtold`, and writes it with up to 17 digits after the point. This file does the
//! same.

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round};

/// A text of this many bytes or more is no number, as in Redis.
const TEXT_BYTES_MAX: usize = 5 * 1024;
/// Most digits after the point.
const DECIMALS: u32 = 17;
/// Bits of the mantissa. The format stores all of them, even the leading 1.
const MANTISSA_BITS: u32 = 64;
/// The biased exponent of a number that equals its mantissa taken as an integer.
const INTEGER_EXPONENT: i32 = 16_383 + MANTISSA_BITS as i32 - 1;

/// A number, finite or infinite.
#[derive(Clone, Copy, Debug)]
pub struct LongDouble(X87DoubleExtended);

impl LongDouble {
    /// Reads a number or an infinity. `None` if the text is neither, and if the number is too large.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() < TEXT_BYTES_MAX)?;
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let named = ["inf", "infinity"].iter().any(|name| unsigned.eq_ignore_ascii_case(name));
        if named {
            let infinite = X87DoubleExtended::INFINITY;
            return Some(LongDouble(if text.starts_with('-') { -infinite } else { infinite }));
        }
        if !is_decimal(unsigned.as_bytes()) {
            return None;
        }
        let read = X87DoubleExtended::from_str_r(unsigned, Round::NearestTiesToEven).ok()?.value;
        // Too small a number becomes 0, which C's `strtold` reports as an error.
        let is_lost = read.is_zero()
            && unsigned
                .bytes()
                .take_while(|byte| !matches!(byte, b'e' | b'E'))
                .any(|byte| (b'1'..=b'9').contains(&byte));
        let value = if text.starts_with('-') { -read } else { read };
        (value.is_finite() && !is_lost).then_some(LongDouble(value))
    }

    /// False for infinities.
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// The sum; `None` if it is not a finite number.
    pub fn plus(self, other: LongDouble) -> Option<LongDouble> {
        let sum = (self.0 + other.0).value;
        sum.is_finite().then_some(LongDouble(sum))
    }

    /// The number in decimal, rounded to 17 digits after the point, without zeros at the end. It must be
    /// finite.
    pub fn text(self) -> String {
        let bits = self.0.to_bits();
        let mantissa = u128::from(bits as u64);
        let exponent = ((bits >> MANTISSA_BITS) & 0x7fff) as i32 - INTEGER_EXPONENT;
        let sign = if self.0.is_negative() && !self.0.is_zero() { "-" } else { "" };
        if exponent >= 0 {
            return format!("{sign}{}", doubled(mantissa, exponent as u32));
        }
        let shift = exponent.unsigned_abs();
        let whole = if shift < MANTISSA_BITS { mantissa >> shift } else { 0 };
        let rest = mantissa - if shift < MANTISSA_BITS { whole << shift } else { 0 };
        // A number of 64 bits multiplied by 10^17 fits into 128 bits.
        let scaled = rest * 10_u128.pow(DECIMALS);
        let fraction = rounded_shift(scaled, shift);
        let digits = whole * 10_u128.pow(DECIMALS) + fraction;
        let (whole, fraction) = (digits / 10_u128.pow(DECIMALS), digits % 10_u128.pow(DECIMALS));
        let text = format!("{whole}.{fraction:0width$}", width = DECIMALS as usize);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        if text == "0" { text.to_owned() } else { format!("{sign}{text}") }
    }
}

/// True for decimal digits with at most one point, and perhaps an exponent after them.
fn is_decimal(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (number, exponent) = text.split_at(end.unwrap_or(text.len()));
    let digits = number.iter().filter(|byte| byte.is_ascii_digit()).count();
    let points = number.iter().filter(|byte| **byte == b'.').count();
    let exponent_is_right = match exponent {
        [] => true,
        [_, b'+' | b'-', digits @ ..] | [_, digits @ ..] => {
            let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
            !digits.is_empty() && digits.len() - zeros < 9 && digits.iter().all(u8::is_ascii_digit)
        }
    };
    digits > 0 && points <= 1 && digits + points == number.len() && exponent_is_right
}

/// `number` divided by 2^`shift`, rounded to the nearest integer. If two are equally near, it is the even
/// one.
fn rounded_shift(number: u128, shift: u32) -> u128 {
    if shift >= u128::BITS {
        return 0;
    }
    let (quotient, rest) = (number >> shift, number & ((1 << shift) - 1));
    let half = 1 << (shift - 1);
    quotient + u128::from(rest > half || rest == half && quotient % 2 == 1)
}

/// `number` multiplied by 2^`times`, as decimal digits.
fn doubled(number: u128, times: u32) -> String {
    const LIMB: u64 = 1_000_000_000;
    let mut limbs = Vec::new();
    let mut left = number;
    while left > 0 {
        limbs.push((left % u128::from(LIMB)) as u64);
        left /= u128::from(LIMB);
    }
    let mut times = times;
    while times > 0 {
        let step = times.min(32);
        let mut carry = 0;
        for limb in &mut limbs {
            let product = (*limb << step) + carry;
            *limb = product % LIMB;
            carry = product / LIMB;
        }
        while carry > 0 {
            limbs.push(carry % LIMB);
            carry /= LIMB;
        }
        times -= step;
    }
    let mut text = limbs.pop().unwrap_or(0).to_string();
    limbs.iter().rev().for_each(|limb| text += &format!("{limb:09}"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_as_redis_writes_them() {
        for (one, other, sum) in [
            ("10.50", "0.1", "10.6"),
            ("0.1", "0.2", "0.3"),
            ("5.0e3", "2.0e2", "5200"),
            ("10.6", "-5", "5.6"),
            ("0", "0", "0"),
            ("-0", "0", "0"),
            ("1", "-1", "0"),
            ("-1.5", "0.25", "-1.25"),
            ("1e-20", "0", "0"),
            ("1e0000000000001", "0e-9999", "10"),
            ("-1e-20", "0", "0"),
            ("3", "1e-17", "3.00000000000000001"),
            ("1e30", "0", "1000000000000000000024696061952"),
            ("17179869184", "1.5", "17179869185.5"),
        ] {
            let sum_of =
                LongDouble::parse(one.as_bytes()).unwrap().plus(LongDouble::parse(other.as_bytes()).unwrap());
            assert_eq!(sum_of.unwrap().text(), sum, "{one} + {other}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            ["", " 1", "1 ", "abc", "1.2.3", "1e", "1e+", ".", "-", "nan", "0x10", "1e999999", "1e-5000"]
        {
            assert!(LongDouble::parse(text.as_bytes()).is_none(), "{text:?}");
        }
        let infinite = LongDouble::parse(b"-inf").unwrap();
        assert!(infinite.plus(LongDouble::parse(b"1").unwrap()).is_none());
    }
}
