//! Words of a line with Redis's rules for quotes: an inline request, or a line of a configuration file.

/// A quote is not closed, or something other than a blank follows a closing quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced;

/// Splits `line` into words. It appends the bytes of the words to `bytes`, and for each word the offset in
/// `bytes` at which the word ends to `ends`.
///
/// Inside `"..."` the escapes are `\n \r \t \b \a \xHH`; a backslash before any other byte stands for that
/// byte. Inside `'...'` the only escape is `\'`. A blank or the end of the line must follow a closing
/// quote.
///
/// # Errors
/// `Err(Unbalanced)` if a quote is not closed, or if something other than a blank follows a closing quote.
pub fn split(line: &[u8], bytes: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<(), Unbalanced> {
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Ok(());
        }
        rest = word(rest, bytes)?;
        ends.push(bytes.len());
    }
}

/// The words of `line`, or `None` if its quotes do not balance.
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    split(line, &mut bytes, &mut ends).ok()?;
    let starts = std::iter::once(0).chain(ends.iter().copied());
    Some(starts.zip(&ends).map(|(start, end)| bytes[start..*end].to_vec()).collect())
}

/// Appends one word to `bytes` and returns the rest of the line.
fn word<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        match rest {
            [] => return Ok(rest),
            [blank, ..] if blank.is_ascii_whitespace() => return Ok(rest),
            [b'"', tail @ ..] => return closed(double_quoted(tail, bytes)?),
            [b'\'', tail @ ..] => return closed(single_quoted(tail, bytes)?),
            [byte, tail @ ..] => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
}

/// Checks the rest of the line after a closing quote: it must begin with a blank or be empty.
fn closed(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest {
        [byte, ..] if !byte.is_ascii_whitespace() => Err(Unbalanced),
        _ => Ok(rest),
    }
}

/// Appends the text of `"..."`, whose opening quote has been read. Returns the rest of the line.
fn double_quoted<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        rest = match rest {
            [] => return Err(Unbalanced),
            [b'"', tail @ ..] => return Ok(tail),
            [b'\\', b'x', high, low, tail @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                tail
            }
            [byte, tail @ ..] => {
                bytes.push(*byte);
                tail
            }
        };
    }
}

/// Appends the text of `'...'`, whose opening quote has been read. Returns the rest of the line.
fn single_quoted<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        rest = match rest {
            [] => return Err(Unbalanced),
            [b'\'', tail @ ..] => return Ok(tail),
            [b'\\', b'\'', tail @ ..] => {
                bytes.push(b'\'');
                tail
            }
            [byte, tail @ ..] => {
                bytes.push(*byte);
                tail
            }
        };
    }
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::{Unbalanced, split};

    fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        split(line, &mut bytes, &mut ends)?;
        let mut start = 0;
        Ok(ends.into_iter().map(|end| bytes[std::mem::replace(&mut start, end)..end].to_vec()).collect())
    }

    #[test]
    fn words_are_split_and_quotes_undone_as_redis_does() {
        let cases: [(&[u8], &[&[u8]]); 9] = [
            (b"", &[]),
            (b"  \t ", &[]),
            (b"PING", &[b"PING"]),
            (b"  SET  a\tb ", &[b"SET", b"a", b"b"]),
            (br#"SET k "a b""#, &[b"SET", b"k", b"a b"]),
            (br#"ECHO "\x41\n\"\\\q""#, &[b"ECHO", b"A\n\"\\q"]),
            (br"ECHO 'it\'s \n'", &[b"ECHO", br"it's \n"]),
            (br#"ECHO """#, &[b"ECHO", b""]),
            (b"ECHO \0\xff", &[b"ECHO", b"\0\xff"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line).unwrap(), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn quotes_that_do_not_balance_are_an_error() {
        for line in ["\"a", "'a", "\"a\"b", "'a'b", "\"a\\", "a\"b"] {
            assert_eq!(words(line.as_bytes()), Err(Unbalanced), "{line}");
        }
    }
}
