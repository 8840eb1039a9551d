//! LZF decompression.
//!
//! ```text
//! 000nnnnn             n + 1 bytes follow and are copied
//! nnnoooooo oooooooo   n + 2 bytes are repeated from o + 1 bytes back (n below 7)
//! 111ooooo m oooooooo  m + 9 bytes are repeated from o + 1 bytes back
//! ```
//!
//! A repetition may overlap the bytes that it writes. The output grows as bytes are produced, so an announced length
//! costs nothing.

use super::DecodeError;
use super::cursor::Cursor;
use crate::base::memory;

/// Most bytes that one compressed byte can become: three bytes repeat up to 264.
pub(super) const FACTOR_MAX: usize = 88;

/// Replaces the contents of `output` by the `len` bytes that `compressed` stands for.
///
/// # Errors
/// [`DecodeError::BadFormat`] if it stands for more or fewer bytes.
pub(super) fn inflate(compressed: &[u8], len: usize, output: &mut Vec<u8>) -> Result<(), DecodeError> {
    output.clear();
    if len > compressed.len().saturating_mul(FACTOR_MAX) {
        return Err(DecodeError::BadFormat);
    }
    let mut input = Cursor(compressed);
    while input.left() > 0 {
        let control = usize::from(input.byte()?);
        if control < 32 {
            let literal = input.take(control + 1)?;
            make_room(output, literal.len(), len)?;
            output.extend_from_slice(literal);
            continue;
        }
        let long = if control >> 5 == 7 { usize::from(input.byte()?) } else { 0 };
        let distance = ((control & 31) << 8 | usize::from(input.byte()?)) + 1;
        let run = (control >> 5) + long + 2;
        make_room(output, run, len)?;
        repeat(output, distance, run)?;
    }
    if output.len() == len { Ok(()) } else { Err(DecodeError::BadFormat) }
}

/// Makes room for `more` bytes, of which there may be `len` in all.
fn make_room(output: &mut Vec<u8>, more: usize, len: usize) -> Result<(), DecodeError> {
    if more > len - output.len() {
        return Err(DecodeError::BadFormat);
    }
    Ok(memory::reserve(output, more)?)
}

/// Appends `run` bytes that begin `distance` bytes before the end.
fn repeat(output: &mut Vec<u8>, distance: usize, run: usize) -> Result<(), DecodeError> {
    let from = output.len().checked_sub(distance).ok_or(DecodeError::BadFormat)?;
    let mut left = run;
    while left > 0 {
        // What was written so far can be copied as well: the pattern goes on.
        let piece = left.min(output.len() - from);
        output.extend_from_within(from..from + piece);
        left -= piece;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflated(compressed: &[u8], len: usize) -> Result<Vec<u8>, DecodeError> {
        let mut output = b"left over".to_vec();
        inflate(compressed, len, &mut output).map(|()| output)
    }

    #[test]
    fn copies_and_repeats() {
        assert_eq!(inflated(&[2, b'a', b'b', b'c'], 3).unwrap(), b"abc");
        assert_eq!(inflated(&[2, b'a', b'b', b'c', 0x20, 2], 6).unwrap(), b"abcabc");
        assert_eq!(inflated(&[1, b'a', b'b', 0x60, 1, 0, b'!'], 8).unwrap(), b"abababa!");
        assert_eq!(inflated(&[0, b'a', 0xe0, 255, 0], 265).unwrap(), vec![b'a'; 265]);
        assert_eq!(inflated(&[], 0).unwrap(), b"");
    }

    #[test]
    fn contradictions_are_refused_and_reserve_nothing() {
        memory::allow(64);
        for (compressed, len) in [
            (&[2, b'a', b'b'][..], 3),
            (&[0, b'a'], 2),
            (&[1, b'a', b'b'], 1),
            (&[0, b'a', 0x20, 1], 4),
            (&[0, b'a', 0x20], 4),
            (&[0, b'a', 0xe0, 5], 15),
            (&[0, b'a', 0xe0, 255, 0], 264),
            (&[0, b'a', 0xe0, 255, 0], 441),
            (&[0, b'a'], usize::MAX),
            (&[], 1),
        ] {
            assert_eq!(inflated(compressed, len), Err(DecodeError::BadFormat), "{compressed:?}");
        }
        memory::allow(usize::MAX);
    }
}
