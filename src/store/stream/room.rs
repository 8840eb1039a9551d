//! Room for the items of a sorted list. All memory that an insertion may need is reserved here, and can be refused.
//!
//! An insertion needs memory in three places: in the chunk that takes the item, for a new chunk if that one is full, and
//! for the shelf of the new chunk. A list cannot know before an insertion which chunks it will split. So a reservation
//! counts how many splits there can be at most, and puts as many spare chunks aside. [`Sorted::release_spares`] frees
//! those that are left over.

use super::id::StreamId;
use super::sorted::{CHUNK, Chunk, KEPT_BYTES, Keyed, SHELVES_EXACT, Shelf, Sorted};
use crate::base::{OutOfMemory, memory};

impl<T> Chunk<T> {
    /// A chunk with room for `capacity` items.
    pub(super) fn with_room(capacity: usize) -> Result<Box<Chunk<T>>, OutOfMemory> {
        memory::charge(size_of::<Chunk<T>>())?;
        let mut items = Vec::new();
        memory::reserve_exact(&mut items, capacity)?;
        Ok(Box::new(Chunk { items, next: None }))
    }
}

impl<T: Keyed> Sorted<T> {
    /// Reserves room for `count` items that are greater than all there are.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing visible has changed.
    pub(super) fn reserve_append(&mut self, count: usize) -> Result<(), OutOfMemory> {
        let Some(last) = self.shelves.len().checked_sub(1) else { return self.reserve_first(count, CHUNK) };
        let room = CHUNK - self.shelves[last].chunk.items.len();
        self.reserve_items(last, count.min(room))?;
        self.reserve_spares(count.saturating_sub(room).div_ceil(CHUNK), CHUNK)
    }

    /// Reserves room for items with these keys, which may be anywhere and in any order.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing visible has changed.
    pub(super) fn reserve_insert(
        &mut self,
        keys: impl Iterator<Item = StreamId> + Clone,
    ) -> Result<(), OutOfMemory> {
        let count = keys.clone().count();
        if self.shelves.is_empty() {
            return self.reserve_first(count, CHUNK / 4);
        }
        // A chunk that is full now can be split once. If it is the last one, a greater item opens a new chunk, and the full
        // one can still be split. Any other chunk must first take at least half a chunk of items.
        let (mut splits, mut seen) = (2 * (count / (CHUNK / 2)), None);
        for key in keys {
            let shelf = self.locate(key);
            if seen.replace(shelf) != Some(shelf) {
                let full = self.shelves[shelf].chunk.items.len() + count > CHUNK;
                splits += usize::from(full) + usize::from(full && shelf + 1 == self.shelves.len());
                self.reserve_items(shelf, count)?;
            }
        }
        self.reserve_spares(splits.min(count), CHUNK)
    }

    /// Reserves room for the first `count` items, if a chunk takes at least `each` of them.
    fn reserve_first(&mut self, count: usize, each: usize) -> Result<(), OutOfMemory> {
        match count {
            0 => Ok(()),
            1..=CHUNK => self.reserve_spares(1, count),
            more => self.reserve_spares(more.div_ceil(each), CHUNK),
        }
    }

    /// Makes room for `more` items in the chunk of a shelf, as far as a chunk takes them.
    fn reserve_items(&mut self, shelf: usize, more: usize) -> Result<(), OutOfMemory> {
        let items = &mut self.shelves[shelf].chunk.items;
        let (before, needed) = (items.capacity(), items.len().saturating_add(more).min(CHUNK));
        if needed > before {
            let wanted = needed.max(2 * before).min(CHUNK);
            memory::reserve_exact(items, wanted - items.len())?;
            self.chunk_bytes += (items.capacity() - before) * size_of::<T>();
        }
        Ok(())
    }

    /// Makes sure that `count` spare chunks are there, each with room for `capacity` items, and room for their shelves.
    fn reserve_spares(&mut self, count: usize, capacity: usize) -> Result<(), OutOfMemory> {
        let mut spare = if count == 0 { None } else { self.spare.as_deref_mut() };
        while let Some(chunk) = spare {
            let before = chunk.items.capacity();
            memory::reserve_exact(&mut chunk.items, capacity)?;
            self.chunk_bytes += (chunk.items.capacity() - before) * size_of::<T>();
            spare = chunk.next.as_deref_mut();
        }
        let (len, room) = (self.shelves.len(), self.shelves.capacity());
        if count > room - len {
            memory::charge(count.max(len).saturating_mul(size_of::<Shelf<T>>()))?;
            let reserved = if len < SHELVES_EXACT {
                self.shelves.try_reserve_exact(count)
            } else {
                self.shelves.try_reserve(count)
            };
            reserved.map_err(|_| OutOfMemory)?;
        }
        while self.spares < count {
            let chunk = Chunk::with_room(capacity)?;
            self.chunk_bytes += chunk.bytes();
            self.keep_spare(chunk);
        }
        Ok(())
    }

    /// Keeps an empty chunk for later.
    pub(super) fn keep_spare(&mut self, mut chunk: Box<Chunk<T>>) {
        chunk.next = self.spare.take();
        self.spare = Some(chunk);
        self.spares += 1;
    }

    /// Takes a chunk that a reservation has put aside.
    pub(super) fn take_spare(&mut self) -> Box<Chunk<T>> {
        let mut chunk = self.spare.take().expect("a spare chunk is reserved before an item is added");
        self.spare = chunk.next.take();
        self.spares -= 1;
        chunk
    }

    /// Frees the chunks that a reservation has left over.
    pub(super) fn release_spares(&mut self) {
        let mut spare = self.spare.take();
        self.spares = 0;
        while let Some(mut chunk) = spare {
            spare = chunk.next.take();
            if self.len == 0 && self.spare.is_none() && chunk.bytes() <= KEPT_BYTES {
                self.keep_spare(chunk);
            } else {
                self.chunk_bytes -= chunk.bytes();
            }
        }
    }
}
