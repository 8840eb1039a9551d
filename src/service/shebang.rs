//! The first line of a script or of a library: `#!`, the name of the engine, and options.

use crate::base::words::split_words;

/// Longest first line, in bytes.
const LINE_BYTES_MAX: usize = 4 << 10;

/// What the first line says.
#[derive(Debug)]
pub struct Shebang<'a> {
    /// The name of the engine, as it was written.
    pub engine: Vec<u8>,
    /// The other words of the line.
    pub options: Vec<Vec<u8>>,
    /// The text behind the line. It begins with the end of the line, so that errors tell the right lines.
    pub rest: &'a [u8],
}

/// What is wrong with a first line that begins with `#!`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadShebang {
    /// It does not end. As in C, a NUL ends the text.
    NoEnd,
    /// Its quotes do not balance.
    Quotes,
    /// It is longer than [`LINE_BYTES_MAX`].
    TooLong,
}

impl Shebang<'_> {
    /// Reads the first line of `text`, or returns `None` if it does not begin with `#!`. As in Redis, its words may have quotes.
    pub fn read(text: &[u8]) -> Option<Result<Shebang<'_>, BadShebang>> {
        text.strip_prefix(b"#!")?;
        let end = memchr::memchr2(b'\n', 0, text).filter(|end| text[*end] == b'\n');
        let Some(end) = end else { return Some(Err(BadShebang::NoEnd)) };
        let (line, rest) = text.split_at(end);
        if line.len() > LINE_BYTES_MAX {
            return Some(Err(BadShebang::TooLong));
        }
        let Some(words) = split_words(line) else { return Some(Err(BadShebang::Quotes)) };
        let mut words = words.into_iter();
        let first = words.next().unwrap_or_default();
        let engine = first.strip_prefix(b"#!").unwrap_or(&first).to_vec();
        Some(Ok(Shebang { engine, options: words.collect(), rest }))
    }
}
