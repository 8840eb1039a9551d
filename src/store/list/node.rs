//! A node of a list: some packed elements in one piece of memory, which has free room at both ends.
//!
//! ```text
//! |  free: start bytes  |  packed elements  |  free: up to the capacity  |
//! ```
//!
//! A node takes elements as long as these need at most [`NODE_BYTES`]. A longer element has a node of its own. The
//! memory grows with the elements, about twofold each time. Room at the wrong end is moved to the end where it is
//! needed, but only if it is at least a quarter of the memory. So a push moves few bytes on average.

use super::packed::{PackedList, packed_size, push_packed, write_packed};
use crate::base::{OutOfMemory, memory};
use crate::store::prefetch::prefetch;
use crate::store::tiered::Part;

/// Most bytes of a node with several elements. Together with the allocator's own word that makes 8 KiB: long enough
/// that the cost of a node hardly counts for each element, short enough to shift and search within a microsecond.
pub const NODE_BYTES: usize = (8 << 10) - ALLOCATOR_BYTES;
/// What an allocator typically adds to a piece, bytes.
const ALLOCATOR_BYTES: usize = 8;
/// Memory of more than [`FIRST_BYTES`] that is not doubled grows in steps of this many bytes.
const STEP_BYTES: usize = 256;
/// First room for short elements, bytes.
const FIRST_BYTES: usize = 128;
/// A longer element gets room for whole elements of its length only, bytes.
const SHORT_BYTES: usize = NODE_BYTES / 16;

/// An end of a list or node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where the first element is.
    Front,
    /// Where the last element is.
    Back,
}

/// Some elements of a list.
#[derive(Debug)]
pub struct Node {
    /// Free room, and then the packed elements.
    bytes: Vec<u8>,
    /// Where the packed elements begin.
    start: u32,
    /// Number of elements.
    count: u32,
}

impl Part for Node {
    type Mark = ();

    #[inline]
    fn len(&self) -> usize {
        self.count as usize
    }

    #[inline]
    fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    #[inline]
    fn mark(&self) {}
}

impl Node {
    /// A node with one element, and with room for more at `end`.
    pub fn of(element: &[u8], end: End) -> Node {
        let size = packed_size(element.len());
        let capacity = capacity_for(size, size, 0);
        let mut bytes = Vec::with_capacity(capacity);
        match end {
            End::Back => {
                push_packed(&mut bytes, element);
                Node { bytes, start: 0, count: 1 }
            }
            End::Front => {
                let start = capacity - size;
                bytes.resize(capacity, 0);
                write_packed(&mut bytes[start..], element);
                Node { bytes, start: start as u32, count: 1 }
            }
        }
    }

    /// Number of packed bytes.
    #[inline]
    pub fn used(&self) -> usize {
        self.bytes.len() - self.start as usize
    }

    /// The packed elements.
    #[inline]
    pub fn packed(&self) -> PackedList<'_> {
        PackedList(&self.bytes[self.start as usize..])
    }

    /// Starts to fetch the node, without its elements.
    pub fn prefetch(&self) {
        prefetch(&self.count);
    }

    /// Starts to fetch the elements at both ends.
    pub fn prefetch_ends(&self) {
        if let [first, .., last] = self.packed().0 {
            prefetch(first);
            prefetch(last);
        }
    }

    /// Element `index`.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let mut iter = self.packed().iter();
        if index < self.len() / 2 {
            iter.nth(index)
        } else {
            iter.nth_back(self.len().checked_sub(index + 1)?)
        }
    }

    /// Where in the packed bytes element `index` begins.
    pub fn offset(&self, index: usize) -> usize {
        if index < self.len() / 2 {
            return self.packed().range(index).start;
        }
        let mut iter = self.packed().iter();
        for _ in index..self.len() {
            iter.next_back();
        }
        iter.rest().len()
    }

    /// Number of packed bytes that can be written at `end` at once.
    #[inline]
    pub fn room(&self, end: End) -> usize {
        match end {
            End::Front => self.start as usize,
            End::Back => self.bytes.capacity() - self.bytes.len(),
        }
    }

    /// True if `size` more packed bytes fit the node.
    #[inline]
    pub fn fits(&self, size: usize) -> bool {
        self.used().saturating_add(size) <= NODE_BYTES
    }

    /// True if an element of `size` packed bytes should be pushed at `end` of this node. Otherwise a new node should
    /// begin there, because this one would move too many bytes for too little room.
    #[inline]
    pub fn takes(&self, size: usize, end: End) -> bool {
        let limit = if self.bytes.capacity() < NODE_BYTES { NODE_BYTES } else { NODE_BYTES / 4 * 3 };
        self.room(end) >= size || self.used().saturating_add(size) <= limit
    }

    /// Adds an element at `end`. `alone` says that the node is the only one of its list, so that the other end is
    /// likely to need room as well.
    #[inline]
    pub fn push(&mut self, element: &[u8], end: End, alone: bool) {
        let size = packed_size(element.len());
        if self.room(end) < size {
            self.make_room(size, end, alone);
        }
        match end {
            End::Back => push_packed(&mut self.bytes, element),
            End::Front => {
                let start = self.start as usize;
                self.start -= size as u32;
                write_packed(&mut self.bytes[start - size..start], element);
            }
        }
        self.count += 1;
    }

    /// Makes room for `size` bytes at `end`. If `spread` is set, the other end gets half of the remaining room.
    fn make_room(&mut self, size: usize, end: End, spread: bool) {
        let (start, used) = (self.start as usize, self.used());
        let capacity = capacity_for(used + size, size, self.bytes.capacity());
        let free = capacity - used - size;
        let new_start = match end {
            End::Front => size + if spread { free / 2 } else { free },
            End::Back => {
                if spread {
                    free / 2
                } else {
                    0
                }
            }
        };
        let end_of_used = new_start + used;
        if capacity <= self.bytes.capacity() {
            if end_of_used > self.bytes.len() {
                self.bytes.resize(end_of_used, 0);
            }
            self.bytes.copy_within(start..start + used, new_start);
            self.bytes.truncate(end_of_used);
        } else {
            let mut bytes = Vec::with_capacity(capacity);
            bytes.resize(new_start, 0);
            bytes.extend_from_slice(&self.bytes[start..]);
            self.bytes = bytes;
        }
        self.start = new_start as u32;
    }

    /// Removes `count` elements at `end`.
    pub fn drop(&mut self, count: usize, end: End) {
        let mut iter = self.packed().iter();
        for _ in 0..count {
            match end {
                End::Front => iter.next(),
                End::Back => iter.next_back(),
            };
        }
        let rest = iter.rest().len();
        match end {
            End::Front => self.start = (self.bytes.len() - rest) as u32,
            End::Back => self.bytes.truncate(self.start as usize + rest),
        }
        self.count -= count as u32;
    }

    /// Inserts an element at an offset in the packed bytes.
    pub fn insert(&mut self, offset: usize, element: &[u8]) {
        let (size, used) = (packed_size(element.len()), self.used());
        let front = self.room(End::Front) >= size && (offset < used / 2 || self.room(End::Back) < size);
        if !front && self.room(End::Back) < size {
            self.make_room(size, End::Back, false);
        }
        let at = self.start as usize + offset;
        if front {
            self.bytes.copy_within(self.start as usize..at, self.start as usize - size);
            self.start -= size as u32;
        } else {
            let end = self.bytes.len();
            self.bytes.resize(end + size, 0);
            self.bytes.copy_within(at..end, at + size);
        }
        let at = self.start as usize + offset;
        write_packed(&mut self.bytes[at..at + size], element);
        self.count += 1;
    }

    /// Removes the element that takes `size` bytes from an offset in the packed bytes.
    pub fn remove(&mut self, offset: usize, size: usize) {
        let (start, at) = (self.start as usize, self.start as usize + offset);
        if offset < self.used() / 2 {
            self.bytes.copy_within(start..at, start + size);
            self.start += size as u32;
        } else {
            self.bytes.copy_within(at + size.., at);
            self.bytes.truncate(self.bytes.len() - size);
        }
        self.count -= 1;
    }

    /// Writes `element` over the one at an offset, which takes as many packed bytes.
    pub fn overwrite(&mut self, offset: usize, element: &[u8]) {
        let at = self.start as usize + offset;
        write_packed(&mut self.bytes[at..at + packed_size(element.len())], element);
    }

    /// Takes the elements from an offset in the packed bytes on out: `count` of them.
    pub fn split_off(&mut self, offset: usize, count: usize) -> Node {
        let at = self.start as usize + offset;
        let mut bytes = Vec::with_capacity(in_steps(self.bytes.len() - at));
        bytes.extend_from_slice(&self.bytes[at..]);
        self.bytes.truncate(at);
        self.count -= count as u32;
        Node { bytes, start: 0, count: count as u32 }
    }

    /// A node with the elements of both.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn joined(left: &Node, right: &Node) -> Result<Node, OutOfMemory> {
        let mut bytes = Vec::new();
        memory::reserve_exact(&mut bytes, in_steps(left.used() + right.used()))?;
        bytes.extend_from_slice(left.packed().0);
        bytes.extend_from_slice(right.packed().0);
        Ok(Node { bytes, start: 0, count: left.count + right.count })
    }

    /// Gives free room back if at least half of the memory is free.
    pub fn tighten(&mut self) {
        let capacity = in_steps(self.used() + self.used() / 4);
        if self.used() > self.bytes.capacity() / 2 || capacity >= self.bytes.capacity() {
            return;
        }
        let mut bytes = Vec::new();
        if memory::reserve_exact(&mut bytes, capacity).is_ok() {
            bytes.extend_from_slice(self.packed().0);
            self.bytes = bytes;
            self.start = 0;
        }
    }

    /// Removes elements for which `matches` returns true, up to `limit` of them, beginning at `end`. Returns how
    /// many.
    pub fn remove_matching(
        &mut self,
        mut matches: impl FnMut(&[u8]) -> bool,
        limit: usize,
        end: End,
    ) -> usize {
        let (first, len, mut removed) = (self.start as usize, self.bytes.len(), 0);
        // The elements between `read` and the far end are still to be read. Those that stay move up to `write`.
        let (mut read, mut write) = if end == End::Front { (first, first) } else { (len, len) };
        while removed < limit {
            let unread = if end == End::Front { &self.bytes[read..] } else { &self.bytes[first..read] };
            let mut iter = PackedList(unread).iter();
            let Some(element) = (if end == End::Front { iter.next() } else { iter.next_back() }) else {
                break;
            };
            let size = unread.len() - iter.rest().len();
            let at = if end == End::Front { read } else { read - size };
            if matches(element) {
                removed += 1;
            } else if end == End::Front {
                if write < at {
                    self.bytes.copy_within(at..at + size, write);
                }
                write += size;
            } else {
                write -= size;
                if write > at {
                    self.bytes.copy_within(at..at + size, write);
                }
            }
            read = if end == End::Front { at + size } else { at };
        }
        if end == End::Front {
            self.bytes.copy_within(read.., write);
            self.bytes.truncate(len - (read - write));
        } else {
            self.bytes.copy_within(first..read, first + (write - read));
            self.start = (first + (write - read)) as u32;
        }
        self.count -= removed as u32;
        removed
    }

    /// Checks the node. For tests.
    ///
    /// # Panics
    /// If something is wrong.
    pub fn audit(&self) {
        assert_eq!(self.packed().len(), self.len(), "the elements are not as many as counted");
        assert!(self.packed().iter().rev().eq(self.packed().iter().collect::<Vec<_>>().into_iter().rev()));
        let sizes: usize = self.packed().iter().map(|element| packed_size(element.len())).sum();
        assert_eq!(sizes, self.used(), "bytes that belong to no element");
        assert!(self.count == 1 || self.used() <= NODE_BYTES, "{} bytes in a node", self.used());
        assert!(self.memory() <= NODE_BYTES.max(self.used()), "{} bytes of memory", self.memory());
    }
}

/// How many bytes of memory a node with `capacity` should have that needs `needed` for an element of `size` packed
/// bytes.
fn capacity_for(needed: usize, size: usize, capacity: usize) -> usize {
    let long = size > SHORT_BYTES;
    if needed <= capacity && (needed <= capacity / 4 * 3 || capacity >= NODE_BYTES || long) {
        return capacity;
    }
    let doubled = (2 * capacity).clamp(FIRST_BYTES, NODE_BYTES).max(needed);
    // Room for half of a long element would stay unused.
    if long { needed + (doubled - needed) / size * size } else { doubled }
}

/// A capacity for `needed` bytes. Nodes come in few sizes: an allocator that keeps its free pieces sorted by size
/// takes hundreds of microseconds now and then if there are thousands of sizes.
fn in_steps(needed: usize) -> usize {
    let rounded = (needed.max(FIRST_BYTES - ALLOCATOR_BYTES) + ALLOCATOR_BYTES).next_multiple_of(STEP_BYTES);
    if needed < NODE_BYTES { rounded - ALLOCATOR_BYTES } else { needed }
}
