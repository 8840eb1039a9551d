//! Room for items in the arena: holes, the tail and spare chunks.

use super::arena::{
    Arena, CHUNK_BYTES_MAX, CHUNKS_MAX, Chunk, HOLE, Handle, LOST_HOLE, NO_ITEM, chunk_of, handle_at,
    size_for, u16_at, u32_at,
};
use crate::base::{OutOfMemory, memory};

/// From this size on the allocator maps a chunk by itself, so pages that are never touched are not resident, and
/// all pages go back to the system when the chunk is freed.
const MAPPED_BYTES_MIN: usize = 128 << 10;
/// Fewest bytes of a chunk.
const CHUNK_BYTES_MIN: usize = 2 << 10;

/// What the items of a reservation need.
#[derive(Clone, Copy, Debug, Default)]
pub struct Need {
    /// Number of items.
    pub items: usize,
    /// Bytes of the items in chunks.
    pub bytes: usize,
    /// Bytes of the longest of these items.
    pub widest: usize,
}

impl Need {
    /// Adds an item with a member of `len` bytes.
    pub fn add(&mut self, len: usize) {
        let size = size_for(len);
        self.items += 1;
        self.bytes += size;
        self.widest = self.widest.max(size);
    }
}

impl Arena {
    /// Reserves room for `need`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses, or if no handle could name the items.
    #[inline]
    pub fn try_reserve(&mut self, need: Need) -> Result<(), OutOfMemory> {
        let ready = self.tail_room() >= need.bytes && self.holes.len() > need.widest / 2;
        if ready && self.spares.len() <= 1 { Ok(()) } else { self.reserve(need) }
    }

    #[inline(never)]
    fn reserve(&mut self, need: Need) -> Result<(), OutOfMemory> {
        if self.holes.len() <= need.widest / 2 {
            let more = need.widest / 2 + 1 - self.holes.len();
            memory::reserve_exact(&mut self.holes, more)?;
            self.holes.resize(need.widest / 2 + 1, NO_ITEM);
        }
        if self.tail_room() >= need.bytes {
            self.keep_spares(1);
            return Ok(());
        }
        // The last bytes of a chunk may be too few for the next item.
        let usable = |room: usize| room.saturating_sub(need.widest - 2);
        let mut room = usable(self.tail_room());
        let mut wanted = 0;
        while room < need.bytes {
            if wanted == self.spares.len() {
                self.add_spare((need.bytes - room).saturating_add(need.widest))?;
            }
            room += usable(self.spares[wanted].capacity());
            wanted += 1;
        }
        self.keep_spares(wanted);
        Ok(())
    }

    /// Adds a spare chunk, for `bytes` bytes if it may have as many.
    fn add_spare(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        let used = self.chunks.iter().filter(|chunk| chunk.bytes.capacity() > 0).count();
        if used + self.spares.len() >= CHUNKS_MAX {
            return Err(OutOfMemory);
        }
        memory::reserve(&mut self.spares, 1)?;
        let chunks = self.spares.len() + 1;
        memory::reserve(&mut self.chunks, chunks)?;
        let mut spare = Vec::new();
        memory::reserve_exact(&mut spare, bytes.clamp(self.chunk_bytes(), CHUNK_BYTES_MAX))?;
        self.held += weight(&spare);
        self.spares.push(spare);
        Ok(())
    }

    /// Frees all spare chunks but the first `kept`.
    pub(super) fn keep_spares(&mut self, kept: usize) {
        while self.spares.len() > kept {
            self.held -= self.spares.pop().map_or(0, |spare| weight(&spare));
        }
    }

    /// How many bytes a new chunk should have.
    pub(super) fn chunk_bytes(&self) -> usize {
        match self.live {
            ..MAPPED_BYTES_MIN => (self.live / 16).max(CHUNK_BYTES_MIN),
            _ => CHUNK_BYTES_MAX,
        }
    }

    fn tail_room(&self) -> usize {
        self.chunks.get(self.tail).map_or(0, |tail| tail.bytes.capacity() - tail.bytes.len())
    }

    /// True if an item of `size` bytes fits a hole or the tail or a spare chunk.
    pub(super) fn takes(&mut self, size: usize) -> bool {
        self.drop_lost_holes(size);
        self.holes.get(size / 2).is_some_and(|hole| *hole != NO_ITEM)
            || self.tail_room() >= size
            || self.spares.last().is_some_and(|spare| spare.capacity() >= size)
    }

    /// Room for an item of `size` bytes.
    pub(super) fn allot(&mut self, size: usize) -> Handle {
        self.drop_lost_holes(size);
        let handle = match self.holes.get(size / 2) {
            Some(hole) if *hole != NO_ITEM => {
                let hole = *hole;
                self.unlink(hole);
                hole
            }
            _ => self.extend(size),
        };
        self.chunks[chunk_of(handle)].live += size;
        self.live += size;
        handle
    }

    /// Takes the first holes of a size out of their list while they are in the chunk that is being evacuated.
    fn drop_lost_holes(&mut self, size: usize) {
        while self.victim.is_some()
            && let Some(hole) = self.holes.get(size / 2).copied()
            && hole != NO_ITEM
            && self.is_victim(chunk_of(hole))
        {
            self.unlink(hole);
        }
    }

    /// Takes a hole out of the list of its size, if it is in that list.
    pub(super) fn unlink(&mut self, hole: Handle) {
        let bytes = self.bytes_mut(hole);
        if bytes[0] != HOLE {
            return;
        }
        bytes[0] = LOST_HOLE;
        let (size, next, previous) = (usize::from(u16_at(bytes, 1)), u32_at(bytes, 3), u32_at(bytes, 7));
        if next != NO_ITEM {
            self.bytes_mut(next)[7..11].copy_from_slice(&previous.to_le_bytes());
        }
        if previous == NO_ITEM {
            self.holes[size] = next;
        } else {
            self.bytes_mut(previous)[3..7].copy_from_slice(&next.to_le_bytes());
        }
    }

    /// True if the items of this chunk are being moved elsewhere.
    pub(super) fn is_victim(&self, chunk: usize) -> bool {
        self.victim.is_some_and(|(victim, _)| victim == chunk)
    }

    /// Room for an item of `size` bytes at the end of the tail.
    fn extend(&mut self, size: usize) -> Handle {
        while self.tail_room() < size {
            self.next_tail(size);
        }
        let tail = &mut self.chunks[self.tail].bytes;
        let offset = tail.len();
        let before = weight(tail);
        tail.resize(offset + size, 0);
        self.held += weight(tail) - before;
        self.filled += size;
        handle_at(self.tail, offset)
    }

    /// Makes the last spare chunk the tail.
    fn next_tail(&mut self, size: usize) {
        let bytes = self.spares.pop().unwrap_or_else(|| {
            let unreserved = Vec::with_capacity(self.chunk_bytes().max(size));
            self.held += weight(&unreserved);
            unreserved
        });
        let chunk = Chunk { bytes, live: 0 };
        if let Some(free) = self.chunks.iter().position(|chunk| chunk.bytes.capacity() == 0) {
            self.chunks[free] = chunk;
            self.tail = free;
        } else {
            self.tail = self.chunks.len();
            self.chunks.push(chunk);
        }
    }

    /// Makes a hole of the item `handle`, which has `size` bytes, the first one in the list of its size.
    pub(super) fn link(&mut self, handle: Handle, size: usize) {
        let next = std::mem::replace(&mut self.holes[size / 2], handle);
        if next != NO_ITEM {
            self.bytes_mut(next)[7..11].copy_from_slice(&handle.to_le_bytes());
        }
        let bytes = self.bytes_mut(handle);
        bytes[0] = HOLE;
        bytes[3..7].copy_from_slice(&next.to_le_bytes());
        bytes[7..11].copy_from_slice(&NO_ITEM.to_le_bytes());
    }
}

/// How many bytes a chunk counts as memory held. In a chunk that is mapped by itself only the used bytes count, because
/// the pages behind them are not resident.
#[inline]
pub(super) fn weight(chunk: &Vec<u8>) -> usize {
    if chunk.capacity() < MAPPED_BYTES_MIN { chunk.capacity() } else { chunk.len() }
}
