//! A position in bytes that a client sent. Each read is checked against the bytes that are left.

use super::DecodeError;

/// The bytes that are still to be read.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(DecodeError::BadFormat)?;
        self.0 = tail;
        Ok(head)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(DecodeError::BadFormat)?;
        self.0 = tail;
        Ok(*head)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    /// The next four bytes, little endian, as a length or an offset.
    pub fn length32(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_| DecodeError::BadFormat)
    }

    /// The next three bytes, little endian, as a signed integer.
    pub fn int24(&mut self) -> Result<i64, DecodeError> {
        let [low, middle, high] = self.array()?;
        Ok(i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8))
    }
}
