//! The arena: the memory of the items of a sorted set. An item is a member with its score.
//!
//! ```text
//! byte 0       its length: 0 to 250; or the kind of an item that has no short member, or of a hole
//! bytes 1-8    the score
//! from byte 9  short member: its bytes
//!              long member: its length in two bytes, then its bytes
//!              large member: its number in four bytes; `large` has its bytes
//! ```
//!
//! Items lie in chunks. A [`Handle`] names an item: its chunk and its offset there, in units of two bytes. An
//! item never changes its size, and it moves only when its chunk is [evacuated](super::compact).
//!
//! A removed item leaves a hole. The holes of each size form a list, and a new item of exactly that size
//! takes the first of them. In most sets the members have few different lengths, so most holes are soon used.
//!
//! New items go to the tail, which is one of the chunks, or to a spare chunk when the tail is full. A chunk
//! of a small arena has about a sixteenth of its bytes; all chunks of a large arena have the same size.

use super::large::Larges;
use super::room::weight;
use crate::store::prefetch::prefetch;

/// Names an item: the number of its chunk, and its offset there in units of two bytes.
pub type Handle = u32;
/// No item has this handle.
pub const NO_ITEM: Handle = Handle::MAX;

/// Bits of a handle that are the offset.
const OFFSET_BITS: u32 = 17;
/// Most bytes of a chunk. A bit fewer than a handle can address, so that a chunk and what the allocator writes before
/// it do not touch one page more.
pub(super) const CHUNK_BYTES_MAX: usize = (2 << OFFSET_BITS) - 32;
/// Most chunks. One fewer than a handle can name, so that no item has the handle [`NO_ITEM`].
pub(super) const CHUNKS_MAX: usize = (1 << (32 - OFFSET_BITS)) - 1;
/// The chunk number of the tail if there is none.
pub(super) const NO_CHUNK: usize = usize::MAX;

/// Bytes of an item before a short member.
const HEAD: usize = 9;
/// Fewest bytes of an item: a hole needs them.
const ITEM_MIN: usize = 12;
/// Most bytes of a member whose length is in the first byte of its item.
const SHORT_MAX: usize = 250;
/// Fewest bytes of a long member.
const LONG_MIN: usize = SHORT_MAX + 1;
/// Most bytes of a member that lies in the arena. A longer one has an allocation of its own.
pub const INLINE_MAX: usize = 1 << 10;
/// Most bytes of an item.
const ITEM_MAX: usize = HEAD + 2 + INLINE_MAX + 1;

/// First byte of an item with a long member.
const LONG: u8 = 251;
/// First byte of an item with a large member.
const LARGE: u8 = 252;
/// First byte of a hole in the list of its size. Its size follows in two bytes, in units of two bytes, then
/// the handles of the next hole and of the previous hole in four bytes each.
pub(super) const HOLE: u8 = 253;
/// First byte of a hole in no list. Its size follows.
pub(super) const LOST_HOLE: u8 = 254;

/// The items of a sorted set.
#[derive(Debug)]
pub struct Arena {
    /// The chunks. A chunk without memory is not in use.
    pub(super) chunks: Vec<Chunk>,
    /// The number of the chunk that new items go to.
    pub(super) tail: usize,
    /// Empty chunks for later.
    pub(super) spares: Vec<Vec<u8>>,
    /// The first hole of each size. The index is the size in units of two bytes.
    pub(super) holes: Vec<Handle>,
    /// The members that are too long for a chunk.
    pub(super) larges: Larges,
    /// The chunk that is being evacuated, and the offset that this has reached, in bytes.
    pub(super) victim: Option<(usize, usize)>,
    /// Bytes of all items and holes.
    pub(super) filled: usize,
    /// Bytes of all items.
    pub(super) live: usize,
    /// Bytes that the chunks and spare chunks [weigh](weight).
    pub(super) held: usize,
}

/// A piece of the arena.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Items and holes, one after the other.
    pub(super) bytes: Vec<u8>,
    /// Bytes of its items.
    pub(super) live: usize,
}

/// Bytes of an item whose member has `len` bytes.
pub(super) fn size_for(len: usize) -> usize {
    let bytes = match len {
        ..=SHORT_MAX => HEAD + len,
        LONG_MIN..=INLINE_MAX => HEAD + 2 + len,
        _ => HEAD + size_of::<u32>(),
    };
    bytes.next_multiple_of(2).max(ITEM_MIN)
}

impl Arena {
    /// An arena without items. Allocates nothing.
    pub fn new() -> Arena {
        Arena {
            chunks: Vec::new(),
            tail: NO_CHUNK,
            spares: Vec::new(),
            holes: Vec::new(),
            larges: Larges::new(),
            victim: None,
            filled: 0,
            live: 0,
            held: 0,
        }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.held
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.spares.capacity() * size_of::<Vec<u8>>()
            + self.holes.capacity() * size_of::<Handle>()
            + self.larges.memory()
    }

    /// The bytes of the chunk from the item on.
    #[inline]
    pub(super) fn bytes(&self, handle: Handle) -> &[u8] {
        &self.chunks[chunk_of(handle)].bytes[offset_of(handle)..]
    }

    /// Starts to fetch the memory of an item.
    #[inline]
    pub fn fetch(&self, handle: Handle) {
        prefetch(&self.bytes(handle)[0]);
    }

    #[inline]
    pub(super) fn bytes_mut(&mut self, handle: Handle) -> &mut [u8] {
        &mut self.chunks[chunk_of(handle)].bytes[offset_of(handle)..]
    }

    /// The score of an item.
    #[inline]
    pub fn score(&self, handle: Handle) -> f64 {
        let bytes = self.bytes(handle);
        f64::from_le_bytes(bytes[1..HEAD].try_into().expect("eight bytes"))
    }

    /// Changes the score of an item.
    #[inline]
    pub fn set_score(&mut self, handle: Handle, score: f64) {
        self.bytes_mut(handle)[1..HEAD].copy_from_slice(&score.to_le_bytes());
    }

    /// The member of an item.
    #[inline]
    pub fn member(&self, handle: Handle) -> &[u8] {
        let bytes = self.bytes(handle);
        let len = usize::from(bytes[0]);
        if len <= SHORT_MAX { &bytes[HEAD..HEAD + len] } else { self.member_of(bytes) }
    }

    /// The member of an item that is not short. It is rarely needed, so it is not inlined.
    #[inline(never)]
    fn member_of<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        if bytes[0] == LONG {
            let len = usize::from(u16_at(bytes, HEAD));
            &bytes[HEAD + 2..HEAD + 2 + len]
        } else {
            self.larges.get(u32_at(bytes, HEAD))
        }
    }

    /// Bytes of the item or hole that begins with `bytes`.
    pub(super) fn size_of(bytes: &[u8]) -> usize {
        match bytes[0] {
            LONG => size_for(usize::from(u16_at(bytes, HEAD))),
            LARGE => size_for(INLINE_MAX + 1),
            HOLE | LOST_HOLE => 2 * usize::from(u16_at(bytes, 1)),
            short => size_for(usize::from(short)),
        }
    }

    /// Adds an item.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Handle {
        let handle = self.allot(size_for(member.len()));
        let large = (member.len() > INLINE_MAX).then(|| self.larges.insert(member, handle));
        let bytes = self.bytes_mut(handle);
        bytes[1..HEAD].copy_from_slice(&score.to_le_bytes());
        if let Some(number) = large {
            bytes[0] = LARGE;
            bytes[HEAD..HEAD + 4].copy_from_slice(&number.to_le_bytes());
        } else if member.len() > SHORT_MAX {
            bytes[0] = LONG;
            bytes[HEAD..HEAD + 2].copy_from_slice(&(member.len() as u16).to_le_bytes());
            bytes[HEAD + 2..HEAD + 2 + member.len()].copy_from_slice(member);
        } else {
            bytes[0] = member.len() as u8;
            bytes[HEAD..HEAD + member.len()].copy_from_slice(member);
        }
        handle
    }

    /// Copies an item to another place and returns the new handle. Both stay valid until [`Arena::abandon`].
    pub(super) fn copy(&mut self, handle: Handle) -> Handle {
        let size = Arena::size_of(self.bytes(handle));
        let to = self.allot(size);
        let mut copied = [0; ITEM_MAX];
        copied[..size].copy_from_slice(&self.bytes(handle)[..size]);
        self.bytes_mut(to)[..size].copy_from_slice(&copied[..size]);
        if copied[0] == LARGE {
            self.larges.set_handle(u32_at(&copied, HEAD), to);
        }
        to
    }

    /// Removes an item.
    pub fn remove(&mut self, handle: Handle) {
        let bytes = self.bytes(handle);
        if bytes[0] == LARGE
            && let Some((number, moved)) = self.larges.remove(u32_at(bytes, HEAD))
        {
            self.bytes_mut(moved)[HEAD..HEAD + 4].copy_from_slice(&number.to_le_bytes());
        }
        self.abandon(handle);
    }

    /// Makes a hole of an item. Does not free the bytes of a large member.
    pub(super) fn abandon(&mut self, handle: Handle) {
        let size = Arena::size_of(self.bytes(handle));
        let chunk = chunk_of(handle);
        self.chunks[chunk].live -= size;
        self.live -= size;
        self.bytes_mut(handle)[1..3].copy_from_slice(&((size / 2) as u16).to_le_bytes());
        if self.is_victim(chunk) {
            self.bytes_mut(handle)[0] = LOST_HOLE;
        } else {
            self.link(handle, size);
        }
    }

    /// Frees memory that is not likely to be used soon.
    #[inline]
    pub fn trim(&mut self) {
        if let Some(spare) = self.spares.first() {
            let fits = spare.capacity() <= 2 * self.chunk_bytes();
            self.keep_spares(usize::from(fits));
        }
        self.larges.trim();
    }

    /// Frees some memory of a set that is no longer used. Returns false if none is left.
    pub fn free_piece(&mut self) -> bool {
        self.keep_spares(0);
        self.tail = NO_CHUNK;
        for _ in 0..4 {
            self.held -= self.chunks.pop().map_or(0, |chunk| weight(&chunk.bytes));
        }
        if !self.chunks.is_empty() {
            return true;
        }
        (self.chunks, self.spares, self.holes) = (Vec::new(), Vec::new(), Vec::new());
        self.larges.free_piece()
    }
}

/// The handle of the item at this offset in bytes.
pub(super) fn handle_at(chunk: usize, offset: usize) -> Handle {
    ((chunk << OFFSET_BITS) | (offset / 2)) as Handle
}

#[inline]
pub(super) fn chunk_of(handle: Handle) -> usize {
    (handle >> OFFSET_BITS) as usize
}

#[inline]
fn offset_of(handle: Handle) -> usize {
    2 * (handle & ((1 << OFFSET_BITS) - 1)) as usize
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// True if an item or hole that begins with this byte is a hole.
pub(super) fn is_hole(first: u8) -> bool {
    first == HOLE || first == LOST_HOLE
}
