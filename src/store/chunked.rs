//! A vector in chunks. It grows and shrinks without moving more elements than a part of one chunk.
//!
//! A chunk is allocated whole, so memory does not fragment, and freed memory goes back to the system chunk
//! by chunk. The exception is the first chunk of a vector that may stay small: it grows by half its size each
//! time. When it would get larger than a quarter of a whole chunk, it becomes whole at once.
//!
//! Elements are numbered without gaps. When one is removed, the last element gets its number, and the caller
//! must correct everything that refers to the last element by number.

use crate::base::{OutOfMemory, memory};

/// Most bytes of a whole chunk. It is so small that allocating or freeing one causes no noticeable pause, and
/// so large that the allocator maps and unmaps it by itself. Pages that are never touched are not resident.
const CHUNK_BYTES: usize = 1 << 20;
/// Number of elements for which the first chunk keeps room in any case when it shrinks.
const KEPT: usize = 2;

/// A vector in chunks; its elements are numbered from zero.
#[derive(Debug)]
pub struct Chunked<T> {
    chunks: Vec<Vec<T>>,
    /// Number of elements.
    len: usize,
    /// How many elements are expected.
    size: Size,
}

/// How many elements a vector is expected to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Perhaps only a few: the first chunk begins small and grows.
    Small,
    /// Many: all chunks are whole.
    Large,
}

impl<T> Chunked<T> {
    /// An element's number, shifted right by this, is the number of its chunk.
    const SHIFT: u32 = (CHUNK_BYTES / size_of::<T>()).ilog2();
    /// Number of elements in a whole chunk.
    const CHUNK: usize = 1 << Self::SHIFT;

    /// A vector without elements. Allocates nothing.
    pub fn new(size: Size) -> Chunked<T> {
        Chunked { chunks: Vec::new(), len: 0, size }
    }

    /// How many elements it expects.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Memory of the elements in bytes, without memory that they own elsewhere. In a whole chunk only its
    /// elements count, because the pages behind them are not resident.
    pub fn memory(&self) -> usize {
        match self.chunks.as_slice() {
            [first] if first.capacity() < Self::CHUNK => first.capacity() * size_of::<T>(),
            _ => self.len * size_of::<T>(),
        }
    }

    /// Reserves room, so that `more` elements can be pushed without asking for memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn try_reserve(&mut self, more: usize) -> Result<(), OutOfMemory> {
        let needed = self.len.saturating_add(more);
        if self.chunks.is_empty() && needed > 0 {
            memory::reserve_exact(&mut self.chunks, 1)?;
            self.chunks.push(Vec::new());
        }
        if let [first] = self.chunks.as_mut_slice()
            && first.capacity() < needed.min(Self::CHUNK)
        {
            let wanted = self.size.grown::<T>(needed.max(first.capacity() * 3 / 2));
            let more = wanted - first.len();
            memory::reserve_exact(first, more)?;
        }
        while self.chunks.len() << Self::SHIFT < needed {
            let mut chunk = Vec::new();
            memory::reserve_exact(&mut chunk, Self::CHUNK)?;
            memory::reserve(&mut self.chunks, 1)?;
            self.chunks.push(chunk);
        }
        Ok(())
    }

    /// Adds an element and returns its number.
    pub fn push(&mut self, element: T) -> u32 {
        let number = u32::try_from(self.len).expect("memory holds fewer elements than a u32 can number");
        let chunk = self.len >> Self::SHIFT;
        if chunk == self.chunks.len() {
            let elements = if chunk == 0 { self.size.grown::<T>(1) } else { Self::CHUNK };
            self.chunks.push(Vec::with_capacity(elements));
        }
        self.chunks[chunk].push(element);
        self.len += 1;
        number
    }

    /// Removes element `number` and returns it. The last element gets that number.
    ///
    /// # Panics
    /// If there is no such element.
    pub fn swap_remove(&mut self, number: u32) -> T {
        assert!((number as usize) < self.len, "no element {number}");
        let last = self.pop().expect("not empty");
        if number as usize == self.len { last } else { std::mem::replace(self.get_mut(number), last) }
    }

    /// True if the vector holds more memory than its elements need, and more than it should keep ready for a
    /// few elements that come and go.
    #[inline]
    pub fn is_loose(&self) -> bool {
        match self.chunks.as_slice() {
            [] => false,
            [first] => self.size == Size::Small && first.capacity() > 4 * self.len + 2 * KEPT,
            more => more.len() > self.chunks_kept(),
        }
    }

    /// How many chunks to keep: those that the elements need, and one to spare, so that a length that goes up
    /// and down between two chunks does not allocate each time. A vector that may stay small keeps no spare
    /// chunk while it has few elements.
    fn chunks_kept(&self) -> usize {
        (self.len >> Self::SHIFT) + 1 + usize::from(self.size == Size::Large || self.len > Self::CHUNK / 4)
    }

    /// Frees some memory if [`Chunked::is_loose`]. Must not be called between the reservation of memory for a
    /// write and its commit: it could free what the write has reserved.
    #[inline]
    pub fn trim(&mut self) {
        if self.is_loose() {
            if let [first] = self.chunks.as_mut_slice() {
                first.shrink_to(2 * self.len + KEPT);
            } else {
                self.chunks.pop();
            }
        }
    }

    /// Removes the last element and returns it.
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        self.chunks[self.len >> Self::SHIFT].pop()
    }

    /// Removes all elements. The first chunk keeps its memory.
    pub fn clear(&mut self) {
        self.chunks.truncate(1);
        self.chunks.iter_mut().for_each(Vec::clear);
        self.len = 0;
    }

    /// Takes the last chunk out, drops its elements, and returns an empty vector with its memory.
    pub fn split_off_chunk(&mut self) -> Chunked<T> {
        let mut chunks: Vec<Vec<T>> = self.chunks.pop().into_iter().collect();
        for chunk in &mut chunks {
            self.len -= chunk.len();
            chunk.clear();
        }
        Chunked { chunks, len: 0, size: self.size }
    }

    /// Frees the last chunk and its elements. Returns false if there was none.
    pub fn pop_chunk(&mut self) -> bool {
        let Some(chunk) = self.chunks.pop() else { return false };
        self.len -= chunk.len();
        true
    }

    /// Element `number`.
    ///
    /// # Panics
    /// If there is no such element.
    #[inline]
    pub fn get(&self, number: u32) -> &T {
        let number = number as usize;
        &self.chunks[number >> Self::SHIFT][number & (Self::CHUNK - 1)]
    }

    /// Element `number`, to be changed.
    ///
    /// # Panics
    /// If there is no such element.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> &mut T {
        let number = number as usize;
        &mut self.chunks[number >> Self::SHIFT][number & (Self::CHUNK - 1)]
    }

    /// The last element, to be changed.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        let last = self.len.checked_sub(1)?;
        Some(self.get_mut(last as u32))
    }

    /// All elements, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.chunks.iter().flatten()
    }
}

impl Size {
    /// For how many elements the first chunk gets room if it needs room for `needed`.
    fn grown<T>(self, needed: usize) -> usize {
        let whole = Chunked::<T>::CHUNK;
        if self == Size::Large || needed > whole / 4 { whole } else { needed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_without_gaps_and_memory_follows_the_length() {
        let mut all = Chunked::<[u8; 1 << 18]>::new(Size::Large);
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

    #[test]
    fn the_first_chunk_follows_the_length_until_it_is_whole() {
        let mut all = Chunked::<[u8; 1024]>::new(Size::Small);
        assert_eq!(all.memory(), 0);
        for n in 1..=2_000 {
            all.try_reserve(1).unwrap();
            all.push([0; 1024]);
            assert!(all.memory() <= n * 1024 * 3 / 2, "{} bytes for {n} elements", all.memory());
        }
        for n in (0..2_000).rev() {
            all.pop();
            while all.is_loose() {
                all.trim();
            }
            let held: usize = all.chunks.iter().map(Vec::capacity).sum();
            assert!(held <= 4 * n + 2 * KEPT || n > 256 && held <= n + 2 * 1024, "{held} for {n} elements");
        }
    }
}
