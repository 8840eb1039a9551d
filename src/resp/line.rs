//! Reads the header lines of a request: a count after `*` or a length after `$`, ended by CRLF.

use super::parse_i64;

/// The CR must be among this many bytes after the `*` or `$`. A 64-bit number with its sign has at most 20
/// bytes.
const HEADER_MAX: usize = 32;

/// What a header line holds.
pub enum Line {
    /// A number, and the offset of the first byte after the line's CRLF.
    Number(i64, usize),
    /// Something that is no 64-bit number, or a CR without its LF.
    NoNumber,
    /// The input ends before the line does.
    Unfinished,
    /// The line has no CR within `HEADER_MAX` bytes.
    TooLong,
}

/// Reads the header line whose number begins at `start`.
pub fn line(input: &[u8], start: usize) -> Line {
    let rest = &input[start..];
    let head = &rest[..rest.len().min(HEADER_MAX)];
    match head.iter().position(|&byte| byte == b'\r') {
        Some(cr) => match (parse_i64(&head[..cr]), rest.get(cr + 1)) {
            (None, _) => Line::NoNumber,
            (Some(_), None) => Line::Unfinished,
            (Some(number), Some(b'\n')) => Line::Number(number, start + cr + 2),
            (Some(_), Some(_)) => Line::NoNumber,
        },
        // A long run of digits is too long as well, but Redis reports it as an invalid number.
        None if head.len() == HEADER_MAX && head.iter().all(u8::is_ascii_digit) => Line::NoNumber,
        None if head.len() == HEADER_MAX => Line::TooLong,
        None => Line::Unfinished,
    }
}
