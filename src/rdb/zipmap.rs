//! Zipmaps: what Redis used for small hashes before version 2.6.
//!
//! ```text
//! number of fields (1; 254 and more is "unknown")  entries  255
//! entry: length of the field  field  length of the value  unused bytes (1)  value  unused bytes
//! length: 1 byte, or 254 and 4 bytes
//! ```

use super::DecodeError;
use super::cursor::Cursor;
use super::element::{Element, Elements};

const END: u8 = 0xff;
/// The length byte after which a length of four bytes follows, and the number of fields that is unknown.
const LONG: u8 = 0xfe;

/// The fields and values of a zipmap that are still to be read, in turn.
#[derive(Debug)]
pub(super) struct Zipmap<'a> {
    rest: Cursor<'a>,
    /// How many fields are still announced, if that is known.
    announced: Option<u8>,
    /// True if a value is next.
    value: bool,
}

impl<'a> Zipmap<'a> {
    /// Reads the header of a zipmap that consists of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Result<Zipmap<'a>, DecodeError> {
        let mut rest = Cursor(bytes);
        let announced = rest.byte()?;
        let Some((&END, entries)) = rest.0.split_last() else { return Err(DecodeError::BadFormat) };
        let announced = (announced < LONG).then_some(announced);
        Ok(Zipmap { rest: Cursor(entries), announced, value: false })
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        match self.rest.byte()? {
            END => Err(DecodeError::BadFormat),
            LONG => self.rest.length32(),
            length => Ok(usize::from(length)),
        }
    }
}

impl<'a> Elements<'a> for Zipmap<'a> {
    fn next(&mut self) -> Result<Option<Element<'a>>, DecodeError> {
        if self.value {
            self.value = false;
            let length = self.length()?;
            let unused = self.rest.byte()?;
            let value = self.rest.take(length)?;
            self.rest.take(usize::from(unused))?;
            return Ok(Some(Element::Bytes(value)));
        }
        if self.rest.left() == 0 {
            return if self.announced.unwrap_or(0) == 0 { Ok(None) } else { Err(DecodeError::BadFormat) };
        }
        if let Some(announced) = &mut self.announced {
            *announced = announced.checked_sub(1).ok_or(DecodeError::BadFormat)?;
        }
        let length = self.length()?;
        self.value = true;
        Ok(Some(Element::Bytes(self.rest.take(length)?)))
    }
}
