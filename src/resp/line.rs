//! The lines before arguments: a count after `*`, a length after `$`, ended by CRLF.

use super::parse_i64;

/// Most bytes of a `*` or `$` line; a 64-bit number and its sign are 20.
const HEADER_MAX: usize = 32;

/// What stands on a header line.
pub enum Line {
    /// The number and the offset behind its CRLF.
    Number(i64, usize),
    /// Something else, or a number that nobody can mean.
    NoNumber,
    /// Its end has not come yet.
    Unfinished,
    /// It has no end.
    TooLong,
}

/// The number from `start` to the next CRLF.
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
        // Sixty digits are no end either, but they are a number, and Redis calls them a bad one.
        None if head.len() == HEADER_MAX && head.iter().all(u8::is_ascii_digit) => Line::NoNumber,
        None if head.len() == HEADER_MAX => Line::TooLong,
        None => Line::Unfinished,
    }
}
