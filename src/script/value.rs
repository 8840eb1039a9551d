//! Turns the replies of commands into values of a script, as Redis does.

use super::engine::Shared;
use super::host::ASK_EVERY;
use super::stack::{Raised, Stack};

/// Elements of a reply after which the host is asked whether the script must stop.
const ELEMENTS_AT_ONCE: usize = 1_000;
/// Most values that the reading of one element pushes before it pops them again.
const ROOM_FOR_AN_ELEMENT: i32 = 8;

/// Pushes one reply. It is whole, and it is one that this server has written.
///
/// # Errors
/// If the script must stop.
pub fn push(stack: &mut Stack, shared: &Shared, reply: &[u8]) -> Result<(), Raised> {
    Replies { rest: reply, stack, shared, read: 0 }.value()
}

/// Replies that follow each other.
struct Replies<'a> {
    rest: &'a [u8],
    stack: &'a mut Stack,
    shared: &'a Shared,
    /// Number of values that have been read.
    read: usize,
}

impl<'a> Replies<'a> {
    /// Reads the next reply and pushes it.
    fn value(&mut self) -> Result<(), Raised> {
        self.read += 1;
        if self.read.is_multiple_of(ELEMENTS_AT_ONCE) {
            self.stack.walk(self.shared, ASK_EVERY)?;
        }
        let (mark, line) = self.line();
        match mark {
            b'$' if line == b"-1" => self.stack.push_boolean(false),
            b'$' => {
                let text = self.take(number(line) as usize);
                self.stack.push_bytes(text);
            }
            b':' => self.stack.push_number(number(line) as f64),
            b'+' => self.wrap(c"ok", line),
            b'-' => {
                self.stack.push_error(line);
                // As in Redis, this says that the error was counted when the command failed.
                self.stack.push_boolean(true);
                self.stack.set_field(c"ignore_error_stats_update");
            }
            b'*' if line == b"-1" => self.stack.push_boolean(false),
            b'*' | b'>' => self.array(number(line) as usize)?,
            b'%' => self.map(number(line) as usize)?,
            b'~' => self.set(number(line) as usize)?,
            b',' => self.double(line),
            b'#' => self.stack.push_boolean(line == b"t"),
            b'(' => self.wrap(c"big_number", line),
            b'=' => self.verbatim(number(line) as usize),
            _ => self.stack.push_nil(),
        }
        Ok(())
    }

    /// Takes the next line: its mark and the rest of it.
    fn line(&mut self) -> (u8, &'a [u8]) {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(2..).unwrap_or_default();
        match line.split_first() {
            Some((mark, line)) => (*mark, line),
            None => (0, b""),
        }
    }

    /// Takes the bytes of a string, and the end of its line.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (text, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest.get(2..).unwrap_or_default();
        text
    }

    /// Pushes a table with one field, a string.
    fn wrap(&mut self, field: &std::ffi::CStr, text: &[u8]) {
        self.stack.push_table(0, 1);
        self.stack.push_bytes(text);
        self.stack.set_field(field);
    }

    /// An array of `len` elements. The room for them comes with them, and not because the reply announces it.
    fn array(&mut self, len: usize) -> Result<(), Raised> {
        self.stack.reserve(ROOM_FOR_AN_ELEMENT);
        self.stack.push_table(len.min(ELEMENTS_AT_ONCE), 0);
        for index in 1..=len {
            self.value()?;
            self.stack.set_element(index);
        }
        Ok(())
    }

    fn map(&mut self, len: usize) -> Result<(), Raised> {
        self.stack.reserve(ROOM_FOR_AN_ELEMENT);
        self.stack.push_table(0, 1);
        self.stack.push_table(0, 0);
        for _ in 0..len {
            self.value()?;
            self.value()?;
            self.stack.set_pair();
        }
        self.stack.set_field(c"map");
        Ok(())
    }

    fn set(&mut self, len: usize) -> Result<(), Raised> {
        self.stack.reserve(ROOM_FOR_AN_ELEMENT);
        self.stack.push_table(0, 1);
        self.stack.push_table(0, 0);
        for _ in 0..len {
            self.value()?;
            self.stack.push_boolean(true);
            self.stack.set_pair();
        }
        self.stack.set_field(c"set");
        Ok(())
    }

    fn double(&mut self, line: &[u8]) {
        let text = std::str::from_utf8(line).unwrap_or_default();
        self.stack.push_table(0, 1);
        self.stack.push_number(text.parse::<f64>().unwrap_or(f64::NAN));
        self.stack.set_field(c"double");
    }

    fn verbatim(&mut self, len: usize) {
        let (format, text) = self.take(len).split_at(4.min(len));
        self.stack.push_table(0, 1);
        self.stack.push_table(0, 2);
        self.stack.push_bytes(&format[..format.len().saturating_sub(1)]);
        self.stack.set_field(c"format");
        self.stack.push_bytes(text);
        self.stack.set_field(c"string");
        self.stack.set_field(c"verbatim_string");
    }
}

fn number(line: &[u8]) -> i64 {
    crate::resp::parse_i64(line).unwrap_or(0)
}
