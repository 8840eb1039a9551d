//! A vector in small chunks, for the nodes of the tree and the segments of the index.
//!
//! It is like the store's chunked vector, but its chunks have only 128 to 256 KiB, and it keeps hardly any memory that
//! it does not need: there are several of these vectors in each sorted set, and a set may lose most of its members.
//!
//! Elements are numbered without gaps. When one is removed, the last element gets its number.

use crate::base::{OutOfMemory, memory};

/// Fewest bytes of a whole chunk. From this size on the allocator maps a chunk by itself.
const CHUNK_BYTES_MIN: usize = 128 << 10;
/// Number of elements for which the first chunk keeps room in any case when it shrinks.
const KEPT: usize = 2;

/// A vector in chunks; its elements are numbered from zero.
#[derive(Debug)]
pub struct Pieces<T> {
    chunks: Vec<Vec<T>>,
    /// Number of elements.
    len: usize,
}

impl<T> Pieces<T> {
    /// An element's number, shifted right by this, is the number of its chunk.
    const SHIFT: u32 = CHUNK_BYTES_MIN.div_ceil(size_of::<T>()).next_power_of_two().ilog2();
    /// Number of elements in a whole chunk.
    const CHUNK: usize = 1 << Self::SHIFT;

    /// A vector without elements. Allocates nothing.
    pub fn new() -> Pieces<T> {
        Pieces { chunks: Vec::new(), len: 0 }
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Memory held, in bytes. In a whole chunk only its elements count, because the pages behind them are not
    /// resident.
    pub fn memory(&self) -> usize {
        let table = self.chunks.capacity() * size_of::<Vec<T>>();
        match self.chunks.as_slice() {
            [first] if first.capacity() < Self::CHUNK => table + first.capacity() * size_of::<T>(),
            _ => table + self.len * size_of::<T>(),
        }
    }

    /// Reserves room, so that `more` elements can be pushed without asking for memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    #[inline]
    pub fn try_reserve(&mut self, more: usize) -> Result<(), OutOfMemory> {
        match self.chunks.last() {
            Some(last) if self.len + more <= self.capacity_before_last() + last.capacity() => Ok(()),
            _ => self.grow(more),
        }
    }

    /// True if `more` elements can be pushed without asking for memory.
    #[inline]
    pub fn has_room(&self, more: usize) -> bool {
        let last = self.chunks.last().map_or(0, Vec::capacity);
        last > 0 && self.len + more <= self.capacity_before_last() + last
    }

    fn capacity_before_last(&self) -> usize {
        (self.chunks.len() - 1) << Self::SHIFT
    }

    #[inline(never)]
    fn grow(&mut self, more: usize) -> Result<(), OutOfMemory> {
        let needed = self.len.saturating_add(more);
        if needed > u32::MAX as usize {
            return Err(OutOfMemory);
        }
        if self.chunks.is_empty() && needed > 0 {
            memory::reserve_exact(&mut self.chunks, 1)?;
            self.chunks.push(Vec::new());
        }
        if let [first] = self.chunks.as_mut_slice()
            && first.capacity() < needed.min(Self::CHUNK)
        {
            let wanted = grown::<T>(needed.max(first.capacity() * 3 / 2));
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
        let number = self.len as u32;
        let chunk = self.len >> Self::SHIFT;
        if chunk == self.chunks.len() {
            let elements = if chunk == 0 { grown::<T>(1) } else { Self::CHUNK };
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

    /// Removes the last element and returns it.
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        self.chunks[self.len >> Self::SHIFT].pop()
    }

    /// Frees memory that is not likely to be used soon. Must not be called between a reservation and the changes
    /// that it was made for.
    #[inline]
    pub fn trim(&mut self) {
        // Keeps an empty chunk only if the last one with elements is nearly full.
        let kept = ((self.len + Self::CHUNK / 8) >> Self::SHIFT) + 1;
        match self.chunks.as_mut_slice() {
            [first] if first.capacity() > 4 * self.len + 2 * KEPT => first.shrink_to(2 * self.len + KEPT),
            more if more.len() > kept => drop(self.chunks.pop()),
            _ => {}
        }
    }

    /// Frees the last chunk and its elements. Returns false if there was none.
    pub fn pop_chunk(&mut self) -> bool {
        let Some(chunk) = self.chunks.pop() else {
            self.chunks = Vec::new();
            return false;
        };
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
}

/// For how many elements the first chunk gets room if it needs room for `needed`.
fn grown<T>(needed: usize) -> usize {
    let whole = Pieces::<T>::CHUNK;
    if needed > whole / 4 { whole } else { needed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_without_gaps_and_memory_follows_the_length() {
        let mut all = Pieces::<[u8; 1 << 15]>::new();
        for n in 0..30_u8 {
            all.try_reserve(1).unwrap();
            assert_eq!(all.push([n; 1 << 15]), u32::from(n));
        }
        assert_eq!(all.swap_remove(1)[0], 1);
        assert_eq!(all.get(1)[0], 29);
        while all.len() > 1 {
            all.swap_remove(0);
            all.trim();
            assert!(all.chunks.len() <= all.len() / 4 + 2);
        }
        all.try_reserve(70).unwrap();
        assert_eq!(all.chunks.len(), 18);
        while all.pop_chunk() {}
        assert_eq!((all.len(), all.memory()), (0, 0));
    }
}
