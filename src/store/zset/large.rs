//! Members that are too long for a chunk of the arena. Each has an allocation of its own.
//!
//! They are numbered without gaps: when one is removed, the last one gets its number. So each knows the handle
//! of its item, which holds the number.

use std::collections::VecDeque;

use super::arena::{Handle, INLINE_MAX};
use super::pieces::Pieces;
use crate::base::{OutOfMemory, memory};

/// Most members that a call of [`Larges::free_piece`] frees.
const FREED_MAX: usize = 256;
/// About how many bytes it frees, at most.
const FREED_BYTES_MAX: usize = 1 << 20;

/// A member with an allocation of its own.
#[derive(Debug)]
struct Large {
    bytes: Vec<u8>,
    /// Names the item.
    handle: Handle,
}

/// The members that have allocations of their own.
#[derive(Debug)]
pub struct Larges {
    members: Pieces<Large>,
    /// Empty allocations for members that are about to be added, in the order in which they were reserved.
    spares: VecDeque<Vec<u8>>,
    /// Bytes of all these allocations.
    bytes: usize,
}

impl Larges {
    /// No members. Allocates nothing.
    pub fn new() -> Larges {
        Larges { members: Pieces::new(), spares: VecDeque::new(), bytes: 0 }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.members.memory() + self.spares.capacity() * size_of::<Vec<u8>>() + self.bytes
    }

    /// Frees what was reserved and not used.
    #[inline]
    pub fn drop_spares(&mut self) {
        if self.spares.capacity() > 0 {
            self.bytes -= self.spares.iter().map(Vec::capacity).sum::<usize>();
            self.spares = VecDeque::new();
        }
    }

    /// Reserves what a member of `len` bytes needs, if it is too long for a chunk.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    #[inline]
    pub fn try_reserve(&mut self, len: usize) -> Result<(), OutOfMemory> {
        if len > INLINE_MAX { self.reserve(len) } else { Ok(()) }
    }

    fn reserve(&mut self, len: usize) -> Result<(), OutOfMemory> {
        self.members.try_reserve(self.spares.len() + 1)?;
        if self.spares.len() == self.spares.capacity() {
            let more = self.spares.len().max(1);
            memory::charge(more * size_of::<Vec<u8>>())?;
            self.spares.try_reserve_exact(more).map_err(|_| OutOfMemory)?;
        }
        let mut bytes = Vec::new();
        memory::reserve_exact(&mut bytes, len)?;
        self.bytes += bytes.capacity();
        self.spares.push_back(bytes);
        Ok(())
    }

    /// The bytes of a member.
    pub fn get(&self, number: u32) -> &[u8] {
        &self.members.get(number).bytes
    }

    /// Notes that the item of a member has moved.
    pub fn set_handle(&mut self, number: u32, handle: Handle) {
        self.members.get_mut(number).handle = handle;
    }

    /// Adds a member and returns its number. Members come in the order in which their memory was reserved.
    /// Memory that was reserved before and is still there belongs to members that are not going to come.
    pub fn insert(&mut self, member: &[u8], handle: Handle) -> u32 {
        let mut bytes = loop {
            let Some(spare) = self.spares.pop_front() else {
                let unreserved = Vec::with_capacity(member.len());
                self.bytes += unreserved.capacity();
                break unreserved;
            };
            if spare.capacity() == member.len() {
                break spare;
            }
            self.bytes -= spare.capacity();
        };
        bytes.extend_from_slice(member);
        self.members.push(Large { bytes, handle })
    }

    /// Removes a member. If another one gets its number, returns the number and the handle of that one's item.
    pub fn remove(&mut self, number: u32) -> Option<(u32, Handle)> {
        let removed = self.members.swap_remove(number);
        self.bytes -= removed.bytes.capacity();
        ((number as usize) < self.members.len()).then(|| (number, self.members.get(number).handle))
    }

    /// Frees memory that is not likely to be used soon.
    #[inline]
    pub fn trim(&mut self) {
        self.drop_spares();
        self.members.trim();
    }

    /// Frees some of the members. Returns false if none is left.
    pub fn free_piece(&mut self) -> bool {
        self.drop_spares();
        let before = self.bytes;
        for _ in 0..FREED_MAX {
            let Some(last) = self.members.pop() else { break };
            self.bytes -= last.bytes.capacity();
            if before - self.bytes >= FREED_BYTES_MAX {
                return true;
            }
        }
        self.members.len() > 0 || self.members.pop_chunk()
    }
}
