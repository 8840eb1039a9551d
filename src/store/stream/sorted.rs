//! A list of items in the order of their ids. Three kinds of items are kept in such lists: the nodes of a stream, the
//! pending entries of a group, and the ids of a consumer's pending entries.
//!
//! ```text
//! shelves   least id, chunk  |  least id, chunk  |  ...        a deque
//! chunk     item item item ...                                 up to CHUNK items, sorted
//! ```
//!
//! Invariants: no chunk is empty. The items of a shelf are not less than its `least`, and all items of the shelves
//! before it are less. (`least` may be less than the first item: then a removal need not correct it.) An item is added
//! without asking for memory if a reservation came first. A reservation puts spare chunks into a linked list. The
//! link is in the chunk itself, so chunks that are cut off can be collected without memory, and freed one by one.
//!
//! Items that are added at the end fill their chunks, so a list that only grows holds hardly more than its items. One
//! insertion or removal moves the items of one chunk at most, and the deque's entries: 24 bytes for 64 items.

use std::collections::VecDeque;

use super::id::StreamId;

/// Most items in a chunk.
pub(super) const CHUNK: usize = 64;
/// An emptied list keeps its last chunk if that has at most this many bytes, because short lists often become empty
/// and get an item again.
pub(super) const KEPT_BYTES: usize = 256;
/// A list of up to this many shelves grows by exactly what it needs.
pub(super) const SHELVES_EXACT: usize = 4;

/// Something that a [`Sorted`] list keeps in order.
pub(super) trait Keyed {
    /// The id that decides the item's place. It never changes.
    fn key(&self) -> StreamId;

    /// Bytes that the item owns outside the list.
    fn owned(&self) -> usize {
        0
    }
}

impl Keyed for StreamId {
    fn key(&self) -> StreamId {
        *self
    }
}

/// Where an item is. It is valid until the list changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    shelf: usize,
    item: usize,
}

impl Place {
    /// The place of the first item on a shelf.
    pub(super) fn shelf_start(shelf: usize) -> Place {
        Place { shelf, item: 0 }
    }

    /// The number of the shelf.
    pub(super) fn shelf(self) -> usize {
        self.shelf
    }

    /// The number of the item on its shelf.
    pub(super) fn item(self) -> usize {
        self.item
    }
}

/// Some items, and a link to another chunk while it is in no list.
#[derive(Debug)]
pub(super) struct Chunk<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<Box<Chunk<T>>>,
}

/// A chunk in its place.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    pub(super) least: StreamId,
    pub(super) chunk: Box<Chunk<T>>,
}

/// Items in the order of their ids.
#[derive(Debug)]
pub(super) struct Sorted<T> {
    pub(super) shelves: VecDeque<Shelf<T>>,
    pub(super) len: usize,
    /// Chunks that wait for items.
    pub(super) spare: Option<Box<Chunk<T>>>,
    pub(super) spares: usize,
    /// Bytes of all chunks, also of the spare ones.
    pub(super) chunk_bytes: usize,
}

impl<T> Drop for Chunk<T> {
    /// Frees the linked chunks one after the other. Without this, a long chain would be freed by recursion.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut chunk) = next {
            next = chunk.next.take();
        }
    }
}

impl<T> Chunk<T> {
    /// Memory held, in bytes, without what the items own.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Chunk<T>>() + self.items.capacity() * size_of::<T>()
    }
}

impl<T: Keyed> Sorted<T> {
    /// A list without items. Allocates nothing.
    pub(super) const fn new() -> Sorted<T> {
        Sorted { shelves: VecDeque::new(), len: 0, spare: None, spares: 0, chunk_bytes: 0 }
    }

    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Memory held, in bytes, without what the items own.
    pub(super) fn memory(&self) -> usize {
        self.chunk_bytes + self.shelves.capacity() * size_of::<Shelf<T>>()
    }

    /// The item at `place`; `None` behind the last item.
    pub(super) fn get(&self, place: Place) -> Option<&T> {
        self.shelves.get(place.shelf)?.chunk.items.get(place.item)
    }

    /// The item at `place`, to be changed. Its key must stay.
    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        self.shelves.get_mut(place.shelf)?.chunk.items.get_mut(place.item)
    }

    /// The least item.
    pub(super) fn first(&self) -> Option<&T> {
        self.shelves.front()?.chunk.items.first()
    }

    /// The greatest item.
    pub(super) fn last(&self) -> Option<&T> {
        self.shelves.back()?.chunk.items.last()
    }

    /// The place of the greatest item.
    pub(super) fn last_place(&self) -> Option<Place> {
        let items = &self.shelves.back()?.chunk.items;
        Some(Place { shelf: self.shelves.len() - 1, item: items.len() - 1 })
    }

    /// The place of the item with this key.
    pub(super) fn find(&self, key: StreamId) -> Option<Place> {
        let shelf = self.locate(key);
        let items = &self.shelves.get(shelf)?.chunk.items;
        let item = items.binary_search_by_key(&key, T::key).ok()?;
        Some(Place { shelf, item })
    }

    /// The place of the first item that is not less than `key`; a place without an item if all are less.
    pub(super) fn at_least(&self, key: StreamId) -> Place {
        let shelf = self.locate(key);
        let Some(there) = self.shelves.get(shelf) else { return Place::default() };
        let item = there.chunk.items.partition_point(|item| item.key() < key);
        if item == there.chunk.items.len() {
            Place { shelf: shelf + 1, item: 0 }
        } else {
            Place { shelf, item }
        }
    }

    /// The place of the last item that is not greater than `key`.
    pub(super) fn at_most(&self, key: StreamId) -> Option<Place> {
        let shelf = self.locate(key);
        let item = self.shelves.get(shelf)?.chunk.items.partition_point(|item| item.key() <= key);
        self.before(Place { shelf, item })
    }

    /// The place of the item with this number. Takes time in proportion to the number of chunks before it.
    pub(super) fn place_of_nth(&self, mut nth: usize) -> Place {
        for (shelf, there) in self.shelves.iter().enumerate() {
            let len = there.chunk.items.len();
            if nth < len {
                return Place { shelf, item: nth };
            }
            nth -= len;
        }
        Place::shelf_start(self.shelves.len())
    }

    /// The place behind `place`.
    pub(super) fn after(&self, place: Place) -> Place {
        let items = self.shelves.get(place.shelf).map_or(0, |shelf| shelf.chunk.items.len());
        if place.item + 1 < items {
            Place { item: place.item + 1, ..place }
        } else {
            Place { shelf: place.shelf + 1, item: 0 }
        }
    }

    /// The place before `place`.
    pub(super) fn before(&self, place: Place) -> Option<Place> {
        if let Some(item) = place.item.checked_sub(1) {
            return Some(Place { item, ..place });
        }
        let shelf = place.shelf.checked_sub(1)?;
        Some(Place { shelf, item: self.shelves.get(shelf)?.chunk.items.len() - 1 })
    }

    /// The items from `place` on.
    pub(super) fn from(&self, place: Place) -> impl Iterator<Item = &T> + Clone {
        let shelves = self.shelves.range(place.shelf.min(self.shelves.len())..);
        shelves.flat_map(|shelf| &shelf.chunk.items).skip(place.item)
    }

    /// All items.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.from(Place::default())
    }

    /// The number of the shelf where an item with this key must be.
    pub(super) fn locate(&self, key: StreamId) -> usize {
        // Most look-ups concern what came last.
        if self.shelves.back().is_some_and(|last| last.least <= key) {
            return self.shelves.len() - 1;
        }
        self.shelves.partition_point(|shelf| shelf.least <= key).saturating_sub(1)
    }

    /// Adds an item for which room is reserved. No item may have its key.
    pub(super) fn insert(&mut self, item: T) {
        let key = item.key();
        self.len += 1;
        let mut shelf = self.locate(key);
        let last = self.shelves.len().wrapping_sub(1);
        let Some(there) = self.shelves.get_mut(shelf) else { return self.open(0, item) };
        let items = &mut there.chunk.items;
        there.least = there.least.min(key);
        let mut at = items.partition_point(|item| item.key() < key);
        if items.len() == CHUNK {
            if shelf == last && at == CHUNK {
                return self.open(shelf + 1, item);
            }
            self.split(shelf);
            if at > CHUNK / 2 {
                (shelf, at) = (shelf + 1, at - CHUNK / 2);
            }
        }
        let items = &mut self.shelves[shelf].chunk.items;
        debug_assert!(items.len() < items.capacity(), "no room is reserved");
        items.insert(at, item);
    }

    /// Puts `item` into a spare chunk on a new shelf.
    fn open(&mut self, shelf: usize, item: T) {
        let mut chunk = self.take_spare();
        let least = item.key();
        debug_assert!(self.shelves.len() < self.shelves.capacity(), "no room is reserved");
        chunk.items.push(item);
        self.shelves.insert(shelf, Shelf { least, chunk });
    }

    /// Moves the second half of a full chunk to a spare chunk on a new shelf.
    fn split(&mut self, shelf: usize) {
        let mut right = self.take_spare();
        right.items.extend(self.shelves[shelf].chunk.items.drain(CHUNK / 2..));
        let least = right.items[0].key();
        debug_assert!(self.shelves.len() < self.shelves.capacity(), "no room is reserved");
        self.shelves.insert(shelf + 1, Shelf { least, chunk: right });
    }

    /// Removes the item at `place`. Must not be called between a reservation and its insertions: it merges chunks.
    pub(super) fn remove(&mut self, place: Place) -> Option<T> {
        let items = &mut self.shelves.get_mut(place.shelf)?.chunk.items;
        if place.item >= items.len() {
            return None;
        }
        let item = items.remove(place.item);
        self.len -= 1;
        match items.len() {
            0 => self.drop_shelf(place.shelf),
            few if few <= CHUNK / 4 => self.tighten(place.shelf),
            _ => {}
        }
        Some(item)
    }

    /// Removes the item with this key.
    pub(super) fn remove_key(&mut self, key: StreamId) -> Option<T> {
        self.remove(self.find(key)?)
    }

    /// Takes away the shelf of an empty chunk.
    fn drop_shelf(&mut self, shelf: usize) {
        let Some(Shelf { chunk, .. }) = self.shelves.remove(shelf) else { return };
        if self.shelves.is_empty() && self.spares == 0 && chunk.bytes() <= KEPT_BYTES {
            self.keep_spare(chunk);
        } else {
            self.chunk_bytes -= chunk.bytes();
        }
        self.trim_shelves();
    }

    /// Frees room for shelves that is not likely to be used soon.
    pub(super) fn trim_shelves(&mut self) {
        if self.shelves.capacity() > 4 * self.shelves.len() + 2 * SHELVES_EXACT {
            self.shelves.shrink_to(2 * self.shelves.len());
        }
    }

    /// Merges a chunk that has few items with a neighbour, or frees some of its memory if it is the only one.
    fn tighten(&mut self, shelf: usize) {
        if self.shelves.len() == 1 {
            let items = &mut self.shelves[0].chunk.items;
            let before = items.capacity();
            if before > 4 * items.len() + 4 {
                items.shrink_to(2 * items.len());
                self.chunk_bytes -= (before - items.capacity()) * size_of::<T>();
            }
            return;
        }
        if self.absorb(shelf, shelf + 1, CHUNK / 2) {
            self.drop_shelf(shelf + 1);
        } else if shelf > 0 && self.absorb(shelf - 1, shelf, CHUNK / 2) {
            self.drop_shelf(shelf);
        }
    }

    /// Moves all items of shelf `right` to shelf `left` if that then has at most `most` and has the room. The shelves
    /// between the two must be empty.
    pub(super) fn absorb(&mut self, left: usize, right: usize, most: usize) -> bool {
        let Some(from) = self.shelves.get_mut(right) else { return false };
        let mut moved = std::mem::take(&mut from.chunk.items);
        let into = &mut self.shelves[left].chunk.items;
        let together = into.len() + moved.len();
        let fits = together <= most && together <= into.capacity();
        if fits {
            into.append(&mut moved);
        }
        self.shelves[right].chunk.items = moved;
        fits
    }
}
