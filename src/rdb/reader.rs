//! Reads the parts of which a payload consists: lengths, strings, numbers.

use super::cursor::Cursor;
use super::element::{Element, score};
use super::{DecodeError, StreamId, form, lzf};

/// What stands where a length may stand.
enum Announced {
    /// A length.
    Length(u64),
    /// The form in which a string follows.
    Form(u8),
}

/// Reads a payload from front to back.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: Cursor<'a>,
    /// To how many bytes compressed strings may still inflate.
    inflatable: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, whose compressed strings may inflate to `inflatable` bytes in all.
    pub fn new(bytes: &'a [u8], inflatable: usize) -> Reader<'a> {
        Reader { bytes: Cursor(bytes), inflatable }
    }

    /// True if nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.bytes.left() == 0
    }

    fn announced(&mut self) -> Result<Announced, DecodeError> {
        let first = self.bytes.byte()?;
        let low = first & 0x3f;
        Ok(match (first >> 6, first) {
            (0, _) => Announced::Length(u64::from(low)),
            (1, _) => Announced::Length(u64::from(low) << 8 | u64::from(self.bytes.byte()?)),
            (_, 0x80) => Announced::Length(u64::from(u32::from_be_bytes(self.bytes.array()?))),
            (_, 0x81) => Announced::Length(u64::from_be_bytes(self.bytes.array()?)),
            (3, _) => Announced::Form(low),
            _ => return Err(DecodeError::BadFormat),
        })
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        self.bytes.byte()
    }

    /// A number of up to 64 bits, written as a length.
    pub fn number(&mut self) -> Result<u64, DecodeError> {
        match self.announced()? {
            Announced::Length(length) => Ok(length),
            Announced::Form(_) => Err(DecodeError::BadFormat),
        }
    }

    /// How many things follow, each of which takes at least `bytes_each`. Refuses more than the bytes that are left
    /// can hold.
    pub fn count(&mut self, bytes_each: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.number()?).map_err(|_| DecodeError::BadFormat)?;
        if count > self.bytes.left() / bytes_each { Err(DecodeError::BadFormat) } else { Ok(count) }
    }

    /// A string. `scratch` lends room to a compressed one.
    pub fn string<'s>(&mut self, scratch: &'s mut Vec<u8>) -> Result<Element<'s>, DecodeError>
    where
        'a: 's,
    {
        let integer = match self.announced()? {
            Announced::Length(length) => {
                let length = usize::try_from(length).map_err(|_| DecodeError::BadFormat)?;
                return Ok(Element::Bytes(self.bytes.take(length)?));
            }
            Announced::Form(form::INT8) => i64::from(i8::from_le_bytes(self.bytes.array()?)),
            Announced::Form(form::INT16) => i64::from(i16::from_le_bytes(self.bytes.array()?)),
            Announced::Form(form::INT32) => i64::from(i32::from_le_bytes(self.bytes.array()?)),
            Announced::Form(form::LZF) => {
                self.inflate(scratch)?;
                return Ok(Element::Bytes(scratch));
            }
            Announced::Form(_) => return Err(DecodeError::BadFormat),
        };
        Ok(Element::Integer(integer))
    }

    /// Inflates the compressed string that follows.
    fn inflate(&mut self, scratch: &mut Vec<u8>) -> Result<(), DecodeError> {
        let compressed_len = self.count(1)?;
        let length = usize::try_from(self.number()?).map_err(|_| DecodeError::BadFormat)?;
        let compressed = self.bytes.take(compressed_len)?;
        self.inflatable = self.inflatable.checked_sub(length).ok_or(DecodeError::BadFormat)?;
        lzf::inflate(compressed, length, scratch)
    }

    /// A score as text, with a length byte that has special values.
    pub fn text_score(&mut self) -> Result<f64, DecodeError> {
        match self.bytes.byte()? {
            255 => Ok(f64::NEG_INFINITY),
            254 => Ok(f64::INFINITY),
            // NaN.
            253 => Err(DecodeError::BadFormat),
            length => score(self.bytes.take(usize::from(length))?),
        }
    }

    /// A score as eight bytes.
    pub fn binary_score(&mut self) -> Result<f64, DecodeError> {
        let score = f64::from_le_bytes(self.bytes.array()?);
        if score.is_nan() { Err(DecodeError::BadFormat) } else { Ok(score) }
    }

    /// A Unix time in milliseconds, as eight bytes.
    pub fn milliseconds(&mut self) -> Result<i64, DecodeError> {
        self.bytes.array().map(i64::from_le_bytes)
    }

    /// The ID of a stream's entry, as sixteen bytes.
    pub fn id(&mut self) -> Result<StreamId, DecodeError> {
        self.bytes.array().map(StreamId::from_be_bytes)
    }

    /// The ID of a stream's entry, as two numbers.
    pub fn id_of_numbers(&mut self) -> Result<StreamId, DecodeError> {
        Ok(StreamId { ms: self.number()?, seq: self.number()? })
    }
}
