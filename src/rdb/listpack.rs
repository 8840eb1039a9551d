//! Listpacks: Redis's encoding of small containers since version 7.
//!
//! ```text
//! bytes in all (4)  number of elements (2; 65535 is "unknown")  elements  255
//! element: encoding and length  text  length of the two before (1 to 5 bytes, seven bits each)
//! ```
//!
//! The length behind an element lets Redis walk backwards. Redis trusts it then, so a wrong one is refused.

use super::DecodeError;
use super::cursor::Cursor;
use super::element::{Element, Elements, canonical_integer};
use crate::base::{OutOfMemory, memory};

const HEADER_BYTES: usize = 6;
const END: u8 = 0xff;
/// The number of elements that says that it is unknown.
const UNKNOWN: u16 = u16::MAX;
/// Most bytes that an element takes besides its text.
pub(super) const OVERHEAD_MAX: usize = 10;

/// The elements of a listpack that are still to be read.
#[derive(Debug)]
pub(super) struct Listpack<'a> {
    rest: Cursor<'a>,
    /// How many elements are still announced, if that is known.
    announced: Option<u16>,
}

impl<'a> Listpack<'a> {
    /// Reads the header of a listpack that consists of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Result<Listpack<'a>, DecodeError> {
        let mut rest = Cursor(bytes);
        let len = rest.length32()?;
        let announced = u16::from_le_bytes(rest.array()?);
        let Some((&END, elements)) = rest.0.split_last() else { return Err(DecodeError::BadFormat) };
        if len != bytes.len() {
            return Err(DecodeError::BadFormat);
        }
        Ok(Listpack { rest: Cursor(elements), announced: (announced != UNKNOWN).then_some(announced) })
    }

    fn element(&mut self) -> Result<Element<'a>, DecodeError> {
        let rest = &mut self.rest;
        let first = rest.byte()?;
        let low = usize::from(first);
        Ok(match first {
            0..=0x7f => Element::Integer(i64::from(first)),
            0x80..=0xbf => Element::Bytes(rest.take(low & 0x3f)?),
            0xc0..=0xdf => {
                let unsigned = i64::from(first & 0x1f) << 8 | i64::from(rest.byte()?);
                Element::Integer(if unsigned < 1 << 12 { unsigned } else { unsigned - (1 << 13) })
            }
            0xe0..=0xef => {
                let len = (low & 0x0f) << 8 | usize::from(rest.byte()?);
                Element::Bytes(rest.take(len)?)
            }
            0xf0 => {
                let len = rest.length32()?;
                Element::Bytes(rest.take(len)?)
            }
            0xf1 => Element::Integer(i64::from(i16::from_le_bytes(rest.array()?))),
            0xf2 => Element::Integer(rest.int24()?),
            0xf3 => Element::Integer(i64::from(i32::from_le_bytes(rest.array()?))),
            0xf4 => Element::Integer(i64::from_le_bytes(rest.array()?)),
            _ => return Err(DecodeError::BadFormat),
        })
    }
}

impl<'a> Elements<'a> for Listpack<'a> {
    fn next(&mut self) -> Result<Option<Element<'a>>, DecodeError> {
        let before = self.rest.left();
        if before == 0 {
            return if self.announced.unwrap_or(0) == 0 { Ok(None) } else { Err(DecodeError::BadFormat) };
        }
        if let Some(announced) = &mut self.announced {
            *announced = announced.checked_sub(1).ok_or(DecodeError::BadFormat)?;
        }
        let element = self.element()?;
        let (back, len) = back_length(before - self.rest.left());
        if self.rest.take(len)? != &back[..len] {
            return Err(DecodeError::BadFormat);
        }
        Ok(Some(element))
    }
}

/// The length that stands behind an element of `bytes`, and how many bytes that length takes.
fn back_length(bytes: usize) -> ([u8; 5], usize) {
    // Redis's limits, which waste a byte where a length has only ones.
    let len = match bytes {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    let mut back = [0; 5];
    for (nth, byte) in back[..len].iter_mut().rev().enumerate() {
        *byte = (bytes >> (7 * nth)) as u8 & 0x7f;
    }
    for byte in &mut back[1..len] {
        *byte |= 0x80;
    }
    (back, len)
}

/// A listpack that is being written.
#[derive(Debug, Default)]
pub(super) struct ListpackWriter {
    /// The header, which is filled in at the end, and the elements. Empty if there are no elements.
    bytes: Vec<u8>,
    elements: usize,
}

impl ListpackWriter {
    /// True if there are no elements.
    pub fn is_empty(&self) -> bool {
        self.elements == 0
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Removes all elements; keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.elements = 0;
    }

    /// Appends `text`, as an integer if it reads like one.
    pub fn push(&mut self, text: &[u8]) -> Result<(), OutOfMemory> {
        if let Some(integer) = canonical_integer(text) {
            return self.push_integer(integer);
        }
        let len = text.len() as u32;
        let [low, second, ..] = len.to_le_bytes();
        match len {
            0..64 => self.push_encoded(&[0x80 | low], text),
            64..4096 => self.push_encoded(&[0xe0 | second, low], text),
            _ => {
                let mut head = [0xf0; 5];
                head[1..].copy_from_slice(&len.to_le_bytes());
                self.push_encoded(&head, text)
            }
        }
    }

    /// Appends an integer.
    pub fn push_integer(&mut self, integer: i64) -> Result<(), OutOfMemory> {
        let bytes = integer.to_le_bytes();
        match integer {
            0..=127 => self.push_encoded(&bytes[..1], b""),
            -4096..=4095 => self.push_encoded(&[0xc0 | bytes[1] & 0x1f, bytes[0]], b""),
            -0x8000..=0x7fff => self.push_encoded(&[0xf1], &bytes[..2]),
            -0x80_0000..=0x7f_ffff => self.push_encoded(&[0xf2], &bytes[..3]),
            -0x8000_0000..=0x7fff_ffff => self.push_encoded(&[0xf3], &bytes[..4]),
            _ => self.push_encoded(&[0xf4], &bytes),
        }
    }

    fn push_encoded(&mut self, head: &[u8], tail: &[u8]) -> Result<(), OutOfMemory> {
        let header = if self.bytes.is_empty() { HEADER_BYTES } else { 0 };
        // One byte more is for the end.
        memory::reserve(&mut self.bytes, header + OVERHEAD_MAX + tail.len() + 1)?;
        self.bytes.resize(self.bytes.len() + header, 0);
        self.bytes.extend_from_slice(head);
        self.bytes.extend_from_slice(tail);
        let (back, len) = back_length(head.len() + tail.len());
        self.bytes.extend_from_slice(&back[..len]);
        self.elements += 1;
        Ok(())
    }

    /// Replaces the first element, which is an integer up to 127, by another.
    pub fn replace_first(&mut self, integer: u8) {
        if let Some(byte) = self.bytes.get_mut(HEADER_BYTES) {
            *byte = integer & 0x7f;
        }
    }

    /// The whole listpack. No more may be pushed before [`ListpackWriter::clear`].
    pub fn finish(&mut self) -> &[u8] {
        if !self.is_empty() {
            self.bytes.push(END);
            let len = self.bytes.len() as u32;
            let elements = u16::try_from(self.elements).unwrap_or(UNKNOWN);
            self.bytes[..4].copy_from_slice(&len.to_le_bytes());
            self.bytes[4..HEADER_BYTES].copy_from_slice(&elements.to_le_bytes());
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_size_come_back() {
        let mut texts: Vec<Vec<u8>> =
            [0, 1, 63, 64, 4095, 4096, 16_370, 16_378, 16_384, 2_097_143, 2_097_150]
                .iter()
                .map(|len| vec![b'x'; *len])
                .collect();
        for edge in [0_i64, 127, 128, 4095, 4096, 1 << 15, 1 << 23, 1 << 31, i64::MAX] {
            for near in [edge.wrapping_sub(1), edge, edge.wrapping_add(1)] {
                texts.push(near.to_string().into_bytes());
                texts.push(near.wrapping_neg().to_string().into_bytes());
            }
        }
        let mut writer = ListpackWriter::default();
        for text in &texts {
            writer.push(text).unwrap();
        }
        let mut listpack = Listpack::new(writer.finish()).unwrap();
        let mut digits = itoa::Buffer::new();
        for text in &texts {
            assert_eq!(listpack.expect().unwrap().text(&mut digits), text);
        }
        assert_eq!(listpack.next(), Ok(None));
    }

    #[test]
    fn contradictions_are_refused() {
        let good = [10, 0, 0, 0, 2, 0, 5, 1, 0x80, 1, 0xff];
        let all = |bytes: &[u8]| -> Result<usize, DecodeError> {
            let mut listpack = Listpack::new(bytes)?;
            let mut count = 0;
            while listpack.next()?.is_some() {
                count += 1;
            }
            Ok(count)
        };
        let mut bytes = good;
        bytes[0] = 11;
        assert_eq!(all(&bytes), Ok(2));
        // Wrong: length in all, number of elements, length behind an element, encoding, end.
        for (at, wrong) in [(0, 10), (0, 12), (4, 1), (4, 3), (5, 1), (7, 2), (9, 2), (8, 0xf5), (10, 0xfe)] {
            let mut wrongly = bytes;
            wrongly[at] = wrong;
            assert_eq!(all(&wrongly), Err(DecodeError::BadFormat), "{at}: {wrong}");
        }
        for len in 0..bytes.len() {
            assert!(all(&bytes[..len]).is_err());
        }
    }
}
