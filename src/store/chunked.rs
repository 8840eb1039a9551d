//! A vector in chunks: it grows and shrinks without ever moving more than one element.
//!
//! Elements are numbered without gaps: a removed one's number goes to the last, and whoever refers to
//! that by number must be told. So memory never fragments, and what was freed goes back to the
//! system chunk by chunk, however elements come and go.

use crate::base::{OutOfMemory, memory};

/// Bytes asked of the allocator at once: few enough that a chunk is never felt, so many that the
/// system maps and unmaps it by itself. Untouched pages of it are not resident.
const CHUNK_BYTES: usize = 1 << 20;

/// Elements numbered from zero, in chunks of equal size.
#[derive(Debug)]
pub struct Chunked<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Chunked<T> {
        Chunked { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Chunked<T> {
    const SHIFT: u32 = (CHUNK_BYTES / size_of::<T>()).ilog2();
    const CHUNK: usize = 1 << Self::SHIFT;

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes that the elements take, without what they own elsewhere.
    pub fn memory(&self) -> usize {
        self.len * size_of::<T>()
    }

    /// Makes sure that `more` elements can be pushed without asking for memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    #[inline]
    pub fn try_reserve(&mut self, more: usize) -> Result<(), OutOfMemory> {
        while self.chunks.len() << Self::SHIFT < self.len.saturating_add(more) {
            let mut chunk = Vec::new();
            memory::reserve_exact(&mut chunk, Self::CHUNK)?;
            memory::reserve(&mut self.chunks, 1)?;
            self.chunks.push(chunk);
        }
        Ok(())
    }

    /// True if `more` elements can be pushed without asking for memory.
    #[inline]
    pub fn has_room(&self, more: usize) -> bool {
        self.chunks.len() << Self::SHIFT >= self.len + more
    }

    /// Adds an element; returns its number.
    pub fn push(&mut self, element: T) -> u32 {
        let number = u32::try_from(self.len).expect("memory ends before numbers do");
        let chunk = self.len >> Self::SHIFT;
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(Self::CHUNK));
        }
        self.chunks[chunk].push(element);
        self.len += 1;
        number
    }

    /// Removes element `number`, which the last one takes over.
    ///
    /// # Panics
    /// If there is no such element.
    pub fn swap_remove(&mut self, number: u32) -> T {
        assert!((number as usize) < self.len, "no element {number}");
        let last = self.pop().expect("not empty");
        if number as usize == self.len { last } else { std::mem::replace(self.get_mut(number), last) }
    }

    /// True if there are more chunks than elements need, and one for whoever comes and goes at the
    /// edge.
    #[inline]
    pub fn is_loose(&self) -> bool {
        self.chunks.len() > (self.len >> Self::SHIFT) + 2
    }

    /// Frees one of the chunks that are too many. Not while a write is under way: it may have
    /// reserved them.
    #[inline]
    pub fn trim(&mut self) {
        if self.is_loose() {
            self.chunks.pop();
        }
    }

    /// Removes the last element.
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        self.chunks[self.len >> Self::SHIFT].pop()
    }

    /// An empty vector with the memory of the last chunk, whose elements are gone.
    pub fn split_off_chunk(&mut self) -> Chunked<T> {
        let mut chunks: Vec<Vec<T>> = self.chunks.pop().into_iter().collect();
        for chunk in &mut chunks {
            self.len -= chunk.len();
            chunk.clear();
        }
        Chunked { chunks, len: 0 }
    }

    /// Frees the last chunk with all that is in it; false if there is none.
    pub fn pop_chunk(&mut self) -> bool {
        let Some(chunk) = self.chunks.pop() else { return false };
        self.len -= chunk.len();
        true
    }

    /// Element `number`.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub fn get(&self, number: u32) -> &T {
        let number = number as usize;
        &self.chunks[number >> Self::SHIFT][number & (Self::CHUNK - 1)]
    }

    /// Element `number`.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> &mut T {
        let number = number as usize;
        &mut self.chunks[number >> Self::SHIFT][number & (Self::CHUNK - 1)]
    }

    /// All elements, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_without_gaps_and_memory_follows_the_length() {
        let mut all = Chunked::<[u8; 1 << 18]>::default();
        for n in 0..9_u8 {
            assert_eq!(all.push([n; 1 << 18]), u32::from(n));
        }
        assert_eq!(all.chunks.len(), 3);
        assert_eq!(all.swap_remove(1)[0], 1);
        assert_eq!(all.get(1)[0], 8);
        assert_eq!(all.swap_remove(7)[0], 7);
        while all.len() > 1 {
            all.swap_remove(0);
        }
        while all.is_loose() {
            all.trim();
        }
        assert_eq!(all.chunks.len(), 2, "one chunk in use and one to spare");
        assert_eq!(all.iter().count(), 1);
        all.try_reserve(4).unwrap();
        assert_eq!(all.chunks.len(), 2);
        all.try_reserve(8).unwrap();
        assert_eq!(all.chunks.len(), 3);
        while all.pop_chunk() {}
        assert_eq!((all.len(), all.memory()), (0, 0));
    }
}
