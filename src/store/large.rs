//! The body of an item that is too long for a block: key and value in memory of their own.

use crate::base::{OutOfMemory, memory};

/// A key and a value, one behind the other.
#[derive(Debug)]
pub struct Large {
    key_len: u32,
    body: Vec<u8>,
}

impl Large {
    /// What a body costs besides its bytes: the allocator's own header.
    const ALLOCATION: usize = 16;

    /// A copy of `key` and of the parts of its value.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn new(key: &[u8], value: [&[u8]; 2]) -> Result<Large, OutOfMemory> {
        let mut body = Vec::new();
        let key_len = u32::try_from(key.len()).map_err(|_| OutOfMemory)?;
        let len = value.iter().try_fold(key.len(), |sum, part| sum.checked_add(part.len()));
        memory::reserve_exact(&mut body, len.ok_or(OutOfMemory)?)?;
        body.extend_from_slice(key);
        body.extend_from_slice(value[0]);
        body.extend_from_slice(value[1]);
        Ok(Large { key_len, body })
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.body[..self.key_len as usize]
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        &self.body[self.key_len as usize..]
    }

    /// Makes room for `count` more bytes of value. Building a value piece by piece costs its
    /// length, not the square of it.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn try_reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        if count <= self.body.capacity() - self.body.len() {
            return Ok(());
        }
        let doubled = count.max(self.body.len());
        memory::reserve_exact(&mut self.body, doubled)
    }

    /// Adds to the value.
    pub fn append(&mut self, tail: &[u8]) {
        self.body.extend_from_slice(tail);
    }

    /// Bytes allocated for it.
    pub fn memory(&self) -> usize {
        self.body.capacity() + Self::ALLOCATION
    }
}
