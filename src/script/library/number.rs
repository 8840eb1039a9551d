//! Numbers as text, exactly as C writes and reads them: `printf("%.14g")`, `strtod`, and Lua's own conversion
//! of a string into a number.
//!
//! This file must never know a script or a library.

use std::fmt::Write;

use crate::resp::{exponent_len, mantissa_len};

/// The format in which Lua turns a number into a string is `%.14g`.
pub const LUA_PRECISION: usize = 14;
/// Most digits that [`format_g`] writes. A double has 17 digits that matter.
const PRECISION_MAX: usize = 40;

/// Appends a number to `out` as C's `printf("%.{precision}g")` writes it.
///
/// The precision counts all digits. As in C, 0 means 1. More than 40 digits are never written.
pub fn format_g(value: f64, precision: usize, out: &mut Vec<u8>) {
    let precision = precision.clamp(1, PRECISION_MAX);
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    if value.is_nan() {
        out.extend_from_slice(b"nan");
    } else if value.is_infinite() {
        out.extend_from_slice(b"inf");
    } else if precision >= 9 && value < 1e9 && value.fract() == 0.0 {
        // Most numbers of scripts are small whole numbers. This branch only saves time.
        out.extend_from_slice(itoa::Buffer::new().format(value as u32).as_bytes());
    } else {
        push_rounded(value, precision, out);
    }
}

/// Appends a finite number that is not negative.
fn push_rounded(value: f64, precision: usize, out: &mut Vec<u8>) {
    // Rust rounds the digits correctly, as C does, and writes them like `1.250000e-7`.
    let mut written = Written::default();
    if write!(written, "{value:.*e}", precision - 1).is_err() {
        return;
    }
    let written = &written.bytes[..written.len];
    let mark = written.iter().rposition(|byte| *byte == b'e').unwrap_or(written.len());
    let exponent = written.get(mark + 1..).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let exponent: i32 = exponent.unwrap_or_default();

    let mut digits = [0; PRECISION_MAX];
    let mut count = 0;
    for digit in written[..mark].iter().filter(|byte| byte.is_ascii_digit()) {
        digits[count] = *digit;
        count += 1;
    }
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    let digits = &digits[..count];

    if exponent < -4 || exponent >= precision as i32 {
        out.push(digits[0]);
        push_fraction(&digits[1..], out);
        let sign = if exponent < 0 { '-' } else { '+' };
        // A write into a vector cannot fail.
        out.extend_from_slice(format!("e{sign}{:02}", exponent.unsigned_abs()).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + exponent.unsigned_abs() as usize - 1, b'0');
        out.extend_from_slice(digits);
    } else {
        let whole = exponent.unsigned_abs() as usize + 1;
        if whole < count {
            out.extend_from_slice(&digits[..whole]);
            push_fraction(&digits[whole..], out);
        } else {
            out.extend_from_slice(digits);
            out.resize(out.len() + whole - count, b'0');
        }
    }
}

fn push_fraction(digits: &[u8], out: &mut Vec<u8>) {
    if !digits.is_empty() {
        out.push(b'.');
        out.extend_from_slice(digits);
    }
}

/// Text on the stack: the digits of a number, its point and its exponent.
struct Written {
    bytes: [u8; PRECISION_MAX + 8],
    len: usize,
}

impl Default for Written {
    fn default() -> Written {
        Written { bytes: [0; PRECISION_MAX + 8], len: 0 }
    }
}

impl Write for Written {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

/// A number as Lua writes it into a string: `%.14g`.
pub fn lua_text(value: f64) -> Vec<u8> {
    let mut text = Vec::with_capacity(24);
    format_g(value, LUA_PRECISION, &mut text);
    text
}

/// Reads a whole string as a number, as Lua 5.1 does: white space may stand around it, and it ends at a NUL
/// byte.
pub fn lua_number(text: &[u8]) -> Option<f64> {
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
    let start = text.iter().position(|byte| !is_space(*byte))?;
    let (value, len) = strtod(&text[start..])?;
    text[start + len..].iter().all(|byte| is_space(*byte)).then_some(value)
}

/// What C's `isspace` says of a byte.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The number with which a text begins, and how many bytes it takes, as C's `strtod` finds it. The number may
/// be infinite, NaN or hexadecimal. White space before it is not skipped. `None` if there is no number.
pub fn strtod(text: &[u8]) -> Option<(f64, usize)> {
    let sign_len = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let rest = &text[sign_len..];
    let begins =
        |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    let (value, len) = if begins("infinity") {
        (f64::INFINITY, 8)
    } else if begins("inf") {
        (f64::INFINITY, 3)
    } else if begins("nan") {
        (f64::NAN, 3 + nan_payload_len(&rest[3..]))
    } else if begins("0x")
        && let Some((value, len)) = hexadecimal(&rest[2..])
    {
        (value, 2 + len)
    } else {
        decimal(rest)?
    };
    Some((if text.starts_with(b"-") { -value } else { value }, sign_len + len))
}

/// The length of the `(text)` that may follow `nan`. It has no effect.
fn nan_payload_len(text: &[u8]) -> usize {
    if text.first() != Some(&b'(') {
        return 0;
    }
    let word = text[1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    if text.get(1 + word) == Some(&b')') { word + 2 } else { 0 }
}

fn decimal(text: &[u8]) -> Option<(f64, usize)> {
    let mantissa = mantissa_len(text, u8::is_ascii_digit)?;
    let len = mantissa + exponent_len(&text[mantissa..], b'e');
    let value = std::str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    Some((value, len))
}

/// What stands behind `0x`.
fn hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let mantissa = mantissa_len(text, u8::is_ascii_hexdigit)?;
    let (mut bits, mut exponent, mut behind_point) = (0_u64, 0_i64, false);
    for byte in &text[..mantissa] {
        let Some(digit) = char::from(*byte).to_digit(16) else {
            behind_point = true;
            continue;
        };
        if bits >> 58 == 0 {
            bits = bits << 4 | u64::from(digit);
            exponent -= if behind_point { 4 } else { 0 };
        } else {
            // Too many digits: the last bit says whether any of the rest is not 0, which rounding needs to
            // know.
            bits |= u64::from(digit != 0);
            exponent += if behind_point { 0 } else { 4 };
        }
    }
    let exponent_len = exponent_len(&text[mantissa..], b'p');
    if exponent_len > 0 {
        let written = std::str::from_utf8(&text[mantissa + 1..mantissa + exponent_len]).ok()?;
        let beyond = if written.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        exponent = exponent.saturating_add(written.parse().unwrap_or(beyond));
    }
    Some((scaled(bits, exponent), mantissa + exponent_len))
}

/// `bits` times two to the power of `exponent`, rounded once, to the nearest double, and to the even one of
/// two.
fn scaled(bits: u64, exponent: i64) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let width = i64::from(64 - bits.leading_zeros());
    // The place of the highest bit.
    let high = exponent.saturating_add(width - 1);
    if high > 1023 {
        return f64::INFINITY;
    }
    if high < -1075 {
        return 0.0;
    }
    // The place of the lowest bit that a double keeps here. Below 2^-1022 doubles get coarser.
    let low = (high - 52).max(-1074);
    let dropped = low - exponent;
    if dropped <= 0 {
        return bits as f64 * power_of_two(exponent);
    }
    let kept = bits >> dropped;
    let rest = bits - (kept << dropped);
    let half = 1 << (dropped - 1);
    let up = rest > half || rest == half && kept & 1 == 1;
    (kept + u64::from(up)) as f64 * power_of_two(low)
}

fn power_of_two(exponent: i64) -> f64 {
    if exponent >= -1022 {
        f64::from_bits(((exponent + 1023) as u64) << 52)
    } else {
        f64::from_bits(1 << (exponent + 1074))
    }
}

/// A number as a C program on x86 converts it to a 64-bit integer: the fraction is cut off, and a number that
/// does not fit, or is NaN, becomes the least integer.
pub fn c_integer(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) { value as i64 } else { i64::MIN }
}

/// A number as a C program on x86 converts it to an unsigned 64-bit integer.
pub fn c_unsigned(value: f64) -> u64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value >= LIMIT { c_integer(value - LIMIT) as u64 ^ 1 << 63 } else { c_integer(value) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64, precision: usize) -> String {
        let mut text = Vec::new();
        format_g(value, precision, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn numbers_are_written_as_printf_writes_them() {
        for (value, precision, text) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (1.0, 0, "1"),
            (25.0, 1, "2e+01"),
            (123_456.789, 3, "1.23e+05"),
            (123_456.789, 7, "123456.8"),
            (100.0, 3, "100"),
            (999.96, 4, "1000"),
            (1e14, 14, "1e+14"),
            (99_999_999_999_999.0, 14, "99999999999999"),
            (0.0001, 14, "0.0001"),
            (0.00001, 14, "1e-05"),
            (0.1, 14, "0.1"),
            (0.1, 17, "0.10000000000000001"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (-1.5e300, 14, "-1.5e+300"),
            (5e-324, 14, "4.9406564584125e-324"),
            (f64::INFINITY, 14, "inf"),
            (f64::NEG_INFINITY, 14, "-inf"),
            (f64::NAN, 14, "nan"),
            (-f64::NAN, 14, "-nan"),
        ] {
            assert_eq!(written(value, precision), text, "{value} with {precision}");
        }
    }

    #[test]
    fn seventeen_digits_are_read_back_as_the_same_number() {
        let mut random = 1_u64;
        for _ in 0..50_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(random ^ random >> 29);
            if value.is_finite() {
                let text = written(value, 17);
                assert_eq!(
                    strtod(text.as_bytes()).map(|read| read.0.to_bits()),
                    Some(value.to_bits()),
                    "{text}"
                );
            }
            // No precision makes it fail.
            written(value, (random >> 40) as usize % 60);
        }
    }

    #[test]
    fn the_longest_number_at_the_start_is_read() {
        for (text, found) in [
            ("1", Some((1.0, 1))),
            ("+1.e5x", Some((1e5, 5))),
            ("1e+", Some((1.0, 1))),
            ("0x", Some((0.0, 1))),
            ("0x1g", Some((1.0, 3))),
            ("-0X.8p+4", Some((-8.0, 8))),
            ("infinit", Some((f64::INFINITY, 3))),
            ("0x1p-1075", Some((0.0, 9))),
            ("0x1.8p-1075", Some((5e-324, 11))),
            ("0x1fffffffffffff8", Some((144_115_188_075_855_872.0, 17))),
            ("0x1.fffffffffffff8p1023", Some((f64::INFINITY, 23))),
            ("0x0p99999999999999999999", Some((0.0, 24))),
            ("", None),
            (" 1", None),
            (".", None),
            ("+-1", None),
        ] {
            assert_eq!(strtod(text.as_bytes()), found, "{text:?}");
        }
        assert_eq!(strtod(b"nan(1_a)x").map(|read| read.1), Some(8));
        assert_eq!(strtod(b"nan(1-a)x").map(|read| read.1), Some(3));
    }

    #[test]
    fn a_string_is_a_number_only_as_a_whole() {
        assert_eq!(lua_number(b" \t0x10 \n"), Some(16.0));
        assert_eq!(lua_number(b"1\0x"), Some(1.0));
        assert_eq!(lua_number(b"1 x"), None);
        assert_eq!(lua_number(b" "), None);
        assert_eq!(lua_number(b"\xff"), None);
    }

    #[test]
    fn numbers_out_of_range_become_what_c_makes_of_them() {
        assert_eq!(c_integer(-1.9), -1);
        assert_eq!(c_integer(f64::NAN), i64::MIN);
        assert_eq!(c_integer(1e19), i64::MIN);
        assert_eq!(c_unsigned(1e19), 10_000_000_000_000_000_000);
        assert_eq!(c_unsigned(1e30), 0);
        assert_eq!(c_unsigned(-1.0), u64::MAX);
    }
}
