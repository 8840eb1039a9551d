//! Floating point numbers as text: read as C's `strtod` reads them, and written as Redis 7.2 writes them.

use std::fmt::Write;

/// Reads a number as Redis reads a score: nothing may stand before or behind it, it is not NaN, and it is neither too
/// large nor too close to zero. It may be infinite (`inf`, `-infinity`) or hexadecimal (`0x1p-3`).
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let (value, len, out_of_range) = number(text)?;
    (len == text.len() && !out_of_range).then_some(value)
}

/// Reads a number as Redis reads the end of a range: white space may stand before it, the text ends at a NUL byte, an
/// empty text is 0, and a number that is too large is infinite.
pub fn parse_bound(text: &[u8]) -> Option<f64> {
    in_c(text).map(|(value, _)| value)
}

/// Reads a number as Redis reads the elements that `SORT` compares: as [`parse_bound`], but a number that is too large or
/// too small is none.
pub fn parse_c_number(text: &[u8]) -> Option<f64> {
    in_c(text).filter(|(_, out_of_range)| !out_of_range).map(|(value, _)| value)
}

/// The number that C's `strtod` finds in a text, if it takes all of it up to a NUL byte, and whether it is out of range.
fn in_c(text: &[u8]) -> Option<(f64, bool)> {
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
    if text.is_empty() {
        return Some((0.0, false));
    }
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = text.iter().position(|byte| !is_space(byte))?;
    let (value, len, out_of_range) = number(&text[start..])?;
    (start + len == text.len()).then_some((value, out_of_range))
}

/// The number with which a text begins, its length, and whether it is out of range. `None` if there is no number.
fn number(text: &[u8]) -> Option<(f64, usize, bool)> {
    let sign_len = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let rest = &text[sign_len..];
    let begins =
        |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    let (value, len, out_of_range) = if begins("infinity") {
        (f64::INFINITY, 8, false)
    } else if begins("inf") {
        (f64::INFINITY, 3, false)
    } else if begins("0x")
        && let Some(found) = hexadecimal(&rest[2..])
    {
        (found.0, found.1 + 2, found.2)
    } else {
        decimal(rest)?
    };
    Some((if text.starts_with(b"-") { -value } else { value }, sign_len + len, out_of_range))
}

/// The length of digits with at most one point among them. `None` if there is no digit.
pub fn mantissa_len(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<usize> {
    let count = |from: usize| text[from..].iter().take_while(|byte| is_digit(byte)).count();
    let whole = count(0);
    if text.get(whole) != Some(&b'.') {
        return (whole > 0).then_some(whole);
    }
    let fraction = count(whole + 1);
    (whole + fraction > 0).then_some(whole + 1 + fraction)
}

/// The length of an exponent after the letter `mark`; 0 if there is none.
pub fn exponent_len(text: &[u8], mark: u8) -> usize {
    if text.first().map(u8::to_ascii_lowercase) != Some(mark) {
        return 0;
    }
    let start = 1 + usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    let digits =
        text.get(start..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 { start + digits } else { 0 }
}

fn decimal(text: &[u8]) -> Option<(f64, usize, bool)> {
    let mantissa = mantissa_len(text, u8::is_ascii_digit)?;
    let len = mantissa + exponent_len(&text[mantissa..], b'e');
    let value: f64 = std::str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    let lost = value == 0.0 && text[..mantissa].iter().any(|byte| (b'1'..=b'9').contains(byte));
    Some((value, len, value.is_infinite() || lost))
}

/// What stands behind `0x`.
fn hexadecimal(text: &[u8]) -> Option<(f64, usize, bool)> {
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
            // Too many digits: the last bit only says whether any of the rest is not 0, which rounding needs to know.
            bits |= u64::from(digit != 0);
            exponent += if behind_point { 0 } else { 4 };
        }
    }
    let exponent_len = exponent_len(&text[mantissa..], b'p');
    if exponent_len > 0 {
        let digits = std::str::from_utf8(&text[mantissa + 1..mantissa + exponent_len]).ok()?;
        let negative = digits.starts_with('-');
        let written = digits.parse().unwrap_or(if negative { i64::MIN / 2 } else { i64::MAX / 2 });
        exponent = exponent.saturating_add(written);
    }
    let mut value = bits as f64;
    // The power of two may be out of range although the product is not, so it comes in parts.
    let mut left = exponent.clamp(-5_000, 5_000) as i32;
    while left != 0 && value != 0.0 && value.is_finite() {
        let part = left.clamp(-1_000, 1_000);
        value *= f64::powi(2.0, part);
        left -= part;
    }
    Some((value, mantissa + exponent_len, value.is_infinite() || value == 0.0 && bits != 0))
}

/// A number as text.
#[derive(Debug, Default)]
pub struct DoubleText {
    bytes: [u8; 32],
    len: usize,
}

impl DoubleText {
    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn push_zeros(&mut self, count: usize) {
        self.push(&[b'0'; 32][..count]);
    }
}

impl Write for DoubleText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if text.len() > self.bytes.len() - self.len {
            return Err(std::fmt::Error);
        }
        self.push(text.as_bytes());
        Ok(())
    }
}

/// Writes a number with as few digits as it takes to read the same number back. A whole number up to 2^62 has neither
/// point nor exponent.
pub fn format_f64(value: f64) -> DoubleText {
    let mut text = DoubleText::default();
    let whole = value as i64;
    if value.is_nan() {
        text.push(b"nan");
    } else if value.is_infinite() {
        text.push(if value > 0.0 { b"inf" } else { b"-inf" });
    } else if value == 0.0 {
        text.push(if value.is_sign_negative() { b"-0" } else { b"0" });
    } else if value.abs() <= (i64::MAX / 2) as f64 && whole as f64 == value {
        text.push(itoa::Buffer::new().format(whole).as_bytes());
    } else {
        push_shortest(&mut text, value);
    }
    text
}

/// Writes a number that is neither whole nor infinite.
fn push_shortest(text: &mut DoubleText, value: f64) {
    // Rust writes the shortest digits, as in `-1.25e-7`.
    let mut written = DoubleText::default();
    if write!(written, "{:e}", value.abs()).is_err() {
        return;
    }
    let written = written.as_bytes();
    let mark = written.iter().position(|byte| *byte == b'e').unwrap_or(written.len());
    let (mut digits, mut count) = ([0; 32], 0);
    for digit in written[..mark].iter().filter(|byte| byte.is_ascii_digit()) {
        digits[count] = *digit;
        count += 1;
    }
    let digits = &digits[..count];
    let exponent = written.get(mark + 1..).and_then(|rest| std::str::from_utf8(rest).ok()?.parse().ok());
    let exponent: i32 = exponent.unwrap_or_default();
    // The place of the last digit, as a power of ten.
    let last = exponent - (count as i32 - 1);
    let distance = exponent.unsigned_abs() as usize;
    if value < 0.0 {
        text.push(b"-");
    }
    if last >= 0 && distance < count + 7 {
        text.push(digits);
        text.push_zeros(last as usize);
    } else if last < 0 && (last > -7 || distance < 4) {
        match (count as i32) + last {
            point @ 1.. => {
                text.push(&digits[..point as usize]);
                text.push(b".");
                text.push(&digits[point as usize..]);
            }
            point => {
                text.push(b"0.");
                text.push_zeros(point.unsigned_abs() as usize);
                text.push(digits);
            }
        }
    } else {
        text.push(&digits[..1]);
        if count > 1 {
            text.push(b".");
            text.push(&digits[1..]);
        }
        text.push(if exponent < 0 { b"e-" } else { b"e+" });
        text.push(itoa::Buffer::new().format(distance).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64) -> String {
        String::from_utf8(format_f64(value).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_written_as_redis_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-3.3, "-3.3"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e17, "100000000000000000"),
            (4e18, "4000000000000000000"),
            (1e20, "1e+20"),
            (-1.5e300, "-1.5e+300"),
            (0.00001, "0.00001"),
            (1.5e-7, "1.5e-7"),
            (0.001234567890123, "0.001234567890123"),
            (1e-100, "1e-100"),
            (123_456_789.125, "123456789.125"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-f64::MIN_POSITIVE, "-2.2250738585072014e-308"),
            (5e-324, "5e-324"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(written(value), text);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut random = 1_u64;
        for _ in 0..200_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(random ^ random >> 29);
            if value.is_finite() {
                let text = written(value);
                assert!(text.len() <= 25, "{text}");
                assert_eq!(parse_f64(text.as_bytes()).map(f64::to_bits), Some(value.to_bits()), "{text}");
            }
        }
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, value) in [
            ("1", Some(1.0)),
            ("+1.", Some(1.0)),
            (".5e1", Some(5.0)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("+INFINITY", Some(f64::INFINITY)),
            ("0x10", Some(16.0)),
            ("-0X.8p+4", Some(-8.0)),
            ("0x1p-1", Some(0.5)),
            ("0x1fffffffffffff8", Some(144_115_188_075_855_872.0)),
            ("0x0p99999999999999999999", Some(0.0)),
            ("0e99999", Some(0.0)),
            ("5e-324", Some(5e-324)),
            ("1e400", None),
            ("1e-400", None),
            ("0x1p99999999999999999999", None),
            ("0x1p-2000", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
            ("1\0", None),
            ("1e", None),
            ("0x", None),
            ("0x.p1", None),
            ("infin", None),
            ("nan", None),
            (".", None),
            ("+-1", None),
            ("e1", None),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), value, "{text:?}");
        }
        for (text, value) in [
            ("", Some(0.0)),
            (" \t1", Some(1.0)),
            ("1\0x", Some(1.0)),
            ("1e400", Some(f64::INFINITY)),
            ("1e-400", Some(0.0)),
            (" ", None),
            ("1 ", None),
            ("nan", None),
        ] {
            assert_eq!(parse_bound(text.as_bytes()), value, "{text:?}");
        }
    }
}
