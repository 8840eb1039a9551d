//! Ziplists: what Redis used for small containers before listpacks.
//!
//! ```text
//! bytes in all (4)  offset of the last entry (4)  number of entries (2; 65535 is "unknown")  entries  255
//! entry: bytes of the entry before (1, or 254 and 4)  encoding and length  text
//! ```

use super::DecodeError;
use super::cursor::Cursor;
use super::element::{Element, Elements};

const HEADER_BYTES: usize = 10;
const END: u8 = 0xff;
/// The length byte after which a length of four bytes follows.
const LONG: u8 = 0xfe;
/// The number of entries that says that it is unknown.
const UNKNOWN: u16 = u16::MAX;

/// The entries of a ziplist that are still to be read.
#[derive(Debug)]
pub(super) struct Ziplist<'a> {
    rest: Cursor<'a>,
    /// Bytes of all entries.
    bytes: usize,
    /// Where the last entry begins, as announced, counted from the first entry.
    last: usize,
    /// Bytes of the entry before.
    before: usize,
    /// How many entries are still announced, if that is known.
    announced: Option<u16>,
}

impl<'a> Ziplist<'a> {
    /// Reads the header of a ziplist that consists of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Result<Ziplist<'a>, DecodeError> {
        let mut rest = Cursor(bytes);
        let len = rest.length32()?;
        let last = rest.length32()?.checked_sub(HEADER_BYTES).ok_or(DecodeError::BadFormat)?;
        let announced = u16::from_le_bytes(rest.array()?);
        let Some((&END, entries)) = rest.0.split_last() else { return Err(DecodeError::BadFormat) };
        if len != bytes.len() {
            return Err(DecodeError::BadFormat);
        }
        let announced = (announced != UNKNOWN).then_some(announced);
        Ok(Ziplist { rest: Cursor(entries), bytes: entries.len(), last, before: 0, announced })
    }

    /// Bytes of the entry before, as this entry says.
    fn said_before(&mut self) -> Result<usize, DecodeError> {
        match self.rest.byte()? {
            END => Err(DecodeError::BadFormat),
            LONG => self.rest.length32(),
            length => Ok(usize::from(length)),
        }
    }

    fn element(&mut self) -> Result<Element<'a>, DecodeError> {
        let rest = &mut self.rest;
        let first = rest.byte()?;
        let low = usize::from(first & 0x3f);
        let len = match (first >> 6, first) {
            (0, _) => low,
            (1, _) => low << 8 | usize::from(rest.byte()?),
            (2, _) => {
                let len = u32::from_be_bytes(rest.array()?);
                usize::try_from(len).map_err(|_| DecodeError::BadFormat)?
            }
            (_, 0xc0) => return Ok(Element::Integer(i64::from(i16::from_le_bytes(rest.array()?)))),
            (_, 0xd0) => return Ok(Element::Integer(i64::from(i32::from_le_bytes(rest.array()?)))),
            (_, 0xe0) => return Ok(Element::Integer(i64::from_le_bytes(rest.array()?))),
            (_, 0xf0) => return Ok(Element::Integer(rest.int24()?)),
            (_, 0xfe) => return Ok(Element::Integer(i64::from(i8::from_le_bytes(rest.array()?)))),
            (_, 0xf1..=0xfd) => return Ok(Element::Integer(i64::from(first) - 0xf1)),
            _ => return Err(DecodeError::BadFormat),
        };
        Ok(Element::Bytes(rest.take(len)?))
    }
}

impl<'a> Elements<'a> for Ziplist<'a> {
    fn next(&mut self) -> Result<Option<Element<'a>>, DecodeError> {
        let left = self.rest.left();
        if left == 0 {
            let agrees =
                self.announced.unwrap_or(0) == 0 && self.last.checked_add(self.before) == Some(self.bytes);
            return if agrees { Ok(None) } else { Err(DecodeError::BadFormat) };
        }
        if let Some(announced) = &mut self.announced {
            *announced = announced.checked_sub(1).ok_or(DecodeError::BadFormat)?;
        }
        if self.said_before()? != self.before {
            return Err(DecodeError::BadFormat);
        }
        let element = self.element()?;
        self.before = left - self.rest.left();
        Ok(Some(element))
    }
}
