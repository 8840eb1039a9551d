//! The body of an item that is too long for a block: key and value in memory of their own.

use super::prefetch::prefetch;
use crate::base::{OutOfMemory, memory};

const LINE_BYTES: usize = 64;
/// As much of a body as is fetched ahead. From there on the processor sees where it goes.
const LINES_FETCHED: usize = 8;

/// A key and a value, one behind the other.
#[derive(Debug)]
pub struct Large {
    hash: u64,
    key_len: u32,
    body: Vec<u8>,
}

impl Large {
    /// What a body costs besides its bytes: the allocator's own header.
    const ALLOCATION: usize = 16;

    /// A copy of `key`, whose hash is `hash`, and of the parts of its value.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn new(hash: u64, key: &[u8], value: [&[u8]; 2]) -> Result<Large, OutOfMemory> {
        let mut body = Vec::new();
        let key_len = u32::try_from(key.len()).map_err(|_| OutOfMemory)?;
        let len = value.iter().try_fold(key.len(), |sum, part| sum.checked_add(part.len()));
        memory::reserve_exact(&mut body, len.ok_or(OutOfMemory)?)?;
        body.extend_from_slice(key);
        body.extend_from_slice(value[0]);
        body.extend_from_slice(value[1]);
        Ok(Large { hash, key_len, body })
    }

    /// The key's hash, kept because the key may be long.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.body[..self.key_len as usize]
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        &self.body[self.key_len as usize..]
    }

    /// Begins to fetch what [`Large::prefetch_body`] is going to read.
    pub fn prefetch(&self) {
        prefetch(&self.hash);
    }

    /// Begins to fetch the first lines of key and value.
    pub fn prefetch_body(&self) {
        for line in self.body.chunks(LINE_BYTES).take(LINES_FETCHED) {
            prefetch(&line[0]);
        }
    }

    /// True if a value of `len` bytes fits, and would not leave more than half of the memory unused.
    pub fn takes(&self, len: usize) -> bool {
        let needed = (self.key_len as usize).saturating_add(len);
        needed <= self.body.capacity() && needed >= self.body.capacity() / 2
    }

    /// Puts another value in the place of this one, for which [`Large::takes`] has said yes.
    pub fn overwrite(&mut self, value: &[u8]) {
        self.body.truncate(self.key_len as usize);
        self.body.extend_from_slice(value);
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
            .or_else(|_| memory::reserve_exact(&mut self.body, count))
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
