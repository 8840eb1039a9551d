//! Parts that are cut off a sorted list, and everything else that concerns a list as a whole: dropping many of its
//! items, copying it, and freeing it piece by piece.
//!
//! To cut off a million items takes little time and no memory, because whole chunks change hands. To free them takes
//! longer. So the owner of a [`Cut`] frees it when the server has time for that.

use super::sorted::{CHUNK, Chunk, Keyed, Place, Shelf, Sorted};
use crate::base::{OutOfMemory, memory};

/// A piece ends when this many allocations are freed.
const PIECE_ALLOCATIONS: usize = 256;
/// A piece ends when this many bytes are freed.
const PIECE_BYTES: usize = 1 << 20;
/// Items that own more than this many bytes together are not freed at once, if memory can be had to keep them.
const AT_ONCE_BYTES: usize = 256 << 10;

/// Items that were cut off a list and wait to be freed.
#[derive(Debug)]
pub(super) struct Cut<T> {
    head: Option<Box<Chunk<T>>>,
    /// Bytes held, with those that the items own.
    bytes: usize,
}

impl<T: Keyed> Cut<T> {
    pub(super) const EMPTY: Cut<T> = Cut { head: None, bytes: 0 };

    /// Memory held, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.bytes
    }

    /// Frees a piece. Returns false if nothing is left.
    pub(super) fn free_piece(&mut self) -> bool {
        let (mut bytes, mut allocations) = (0, 0);
        while bytes < PIECE_BYTES && allocations < PIECE_ALLOCATIONS {
            let Some(chunk) = &mut self.head else { break };
            let Some(item) = chunk.items.pop() else {
                let freed = chunk.bytes();
                self.head = chunk.next.take();
                (bytes, allocations) = (bytes + freed, allocations + 2);
                continue;
            };
            bytes += item.owned();
            allocations += usize::from(item.owned() > 0);
        }
        self.bytes -= bytes;
        self.head.is_some()
    }

    /// The chunks, the last one first.
    pub(super) fn into_chunks(mut self) -> impl Iterator<Item = Box<Chunk<T>>> {
        std::iter::from_fn(move || {
            let mut chunk = self.head.take()?;
            self.head = chunk.next.take();
            Some(chunk)
        })
    }

    /// Takes over a chunk whose items own `owned` bytes.
    fn push(&mut self, mut chunk: Box<Chunk<T>>, owned: usize) {
        self.bytes += chunk.bytes() + owned;
        chunk.next = self.head.take();
        self.head = Some(chunk);
    }
}

/// Bytes that these items own.
fn owned<T: Keyed>(items: &[T]) -> usize {
    items.iter().map(T::owned).sum()
}

impl<T: Keyed> Sorted<T> {
    /// Removes all items before `place`. Returns how many bytes they owned, and the items as far as they are not freed
    /// yet. With `keep`, none of them is.
    pub(super) fn cut_front(&mut self, place: Place, keep: bool) -> (usize, Cut<T>) {
        let (mut cut, mut cut_owned) = (Cut::EMPTY, 0);
        for _ in 0..place.shelf() {
            let Some(Shelf { chunk, .. }) = self.shelves.pop_front() else { break };
            let chunk_owned = owned(&chunk.items);
            self.len -= chunk.items.len();
            self.chunk_bytes -= chunk.bytes();
            cut_owned += chunk_owned;
            cut.push(chunk, chunk_owned);
        }
        self.trim_shelves();
        if let Some(first) = self.shelves.front_mut() {
            let items = &mut first.chunk.items;
            let count = place.item().min(items.len());
            let items_owned = owned(&items[..count]);
            cut_owned += items_owned;
            self.len -= count;
            let kept = if keep && count > 0 {
                Some(Box::new(Chunk { items: Vec::with_capacity(count), next: None }))
            } else if items_owned > AT_ONCE_BYTES {
                Chunk::with_room(count).ok()
            } else {
                None
            };
            let dropped = items.drain(..count);
            if let Some(mut chunk) = kept {
                chunk.items.extend(dropped);
                cut.push(chunk, items_owned);
            }
        }
        if cut.bytes <= AT_ONCE_BYTES && !keep {
            cut = Cut::EMPTY;
        }
        (cut_owned, cut)
    }

    /// Puts a chunk back that was cut off. Its items are less than all there are.
    pub(super) fn push_front(&mut self, chunk: Box<Chunk<T>>) {
        let Some(least) = chunk.items.first().map(T::key) else { return };
        self.len += chunk.items.len();
        self.chunk_bytes += chunk.bytes();
        self.shelves.push_front(Shelf { least, chunk });
    }

    /// Takes all items out, to be freed.
    pub(super) fn cut_all(&mut self) -> Cut<T> {
        let (_, cut) = self.cut_front(Place::shelf_start(self.shelves.len()), false);
        self.release_spares();
        cut
    }

    /// Frees a piece of the list, from its end, and adds the bytes that its items owned to `freed_owned`. Returns false if
    /// nothing is left. After the first call the list may only be freed further.
    pub(super) fn free_piece(&mut self, freed_owned: &mut usize) -> bool {
        let (mut bytes, mut allocations) = (0, 0);
        self.release_spares();
        while bytes < PIECE_BYTES && allocations < PIECE_ALLOCATIONS {
            let Some(last) = self.shelves.back_mut() else { break };
            if let Some(item) = last.chunk.items.pop() {
                self.len -= 1;
                *freed_owned += item.owned();
                (bytes, allocations) = (bytes + item.owned(), allocations + usize::from(item.owned() > 0));
            } else {
                let freed = last.chunk.bytes();
                (bytes, allocations) = (bytes + freed, allocations + 2);
                self.chunk_bytes -= freed;
                self.shelves.pop_back();
            }
        }
        if self.shelves.is_empty() {
            *self = Sorted::new();
        }
        !self.shelves.is_empty()
    }

    /// Removes the items for which `keep` returns false.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let (mut left, mut len) = (0, 0);
        for shelf in 0..self.shelves.len() {
            let items = &mut self.shelves[shelf].chunk.items;
            items.retain(&mut keep);
            len += items.len();
            if shelf == left {
                continue;
            }
            if self.shelves[left].chunk.items.is_empty() {
                self.shelves.swap(left, shelf);
            } else if !self.absorb(left, shelf, CHUNK) {
                left += 1;
                self.shelves.swap(left, shelf);
            }
        }
        self.len = len;
        let kept = if len == 0 { 0 } else { left + 1 };
        for shelf in self.shelves.drain(kept..) {
            self.chunk_bytes -= shelf.chunk.bytes();
        }
        self.trim_shelves();
    }

    /// A copy, whose items are copied by `copy`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub(super) fn try_copy(
        &self,
        mut copy: impl FnMut(&T) -> Result<T, OutOfMemory>,
    ) -> Result<Sorted<T>, OutOfMemory> {
        let mut new = Sorted::new();
        memory::charge(self.shelves.len() * size_of::<Shelf<T>>())?;
        new.shelves.try_reserve_exact(self.shelves.len()).map_err(|_| OutOfMemory)?;
        for shelf in &self.shelves {
            let items = &shelf.chunk.items;
            let mut chunk = Chunk::with_room(items.len())?;
            for item in items {
                chunk.items.push(copy(item)?);
            }
            new.len += items.len();
            new.chunk_bytes += chunk.bytes();
            new.shelves.push_back(Shelf { least: shelf.least, chunk });
        }
        Ok(new)
    }

    /// Walks the list and asserts its invariants. Returns how many bytes the items own.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(super) fn audit(&self) -> usize {
        let (mut len, mut bytes, mut owned_bytes, mut last) = (0, 0, 0, None);
        for shelf in &self.shelves {
            let items = &shelf.chunk.items;
            assert!(!items.is_empty() && items.len() <= CHUNK, "a chunk has {} items", items.len());
            assert!(last.is_none_or(|last| last < shelf.least), "a shelf begins too early");
            assert!(shelf.least <= items[0].key(), "an item is on the wrong shelf");
            assert!(items.is_sorted_by(|a, b| a.key() < b.key()), "items are out of order");
            last = items.last().map(T::key);
            (len, bytes) = (len + items.len(), bytes + shelf.chunk.bytes());
            owned_bytes += owned(items);
        }
        let (mut spares, mut spare) = (0, self.spare.as_deref());
        while let Some(chunk) = spare {
            (spares, bytes, spare) = (spares + 1, bytes + chunk.bytes(), chunk.next.as_deref());
        }
        assert_eq!((len, spares), (self.len, self.spares), "a count of items or spare chunks is wrong");
        assert_eq!(bytes, self.chunk_bytes, "the count of the chunks' bytes is wrong");
        owned_bytes
    }
}
