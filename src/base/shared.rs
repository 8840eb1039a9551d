//! Memory that more than one room may hold. A long value is not copied when it goes from one room to another: both hold
//! the same memory for a while.
//!
//! One of the holders may be the [owner](Owned). It counts the memory in its accounts. If others still hold the memory when
//! the owner drops it, [`outliving_bytes`] counts it until the last of them drops it too. So the memory is always counted once.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// Bytes of memory whose owners have dropped it and that others still hold.
    static OUTLIVING: Cell<usize> = const { Cell::new(0) };
}

/// Bytes of shared memory whose owners have dropped it and that others still hold. Each thread counts for itself, so owners and
/// readers must be on the same one.
pub fn outliving_bytes() -> usize {
    OUTLIVING.get()
}

/// A piece of memory whose bytes nobody changes while it is shared. A clone shares it.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Memory>);

#[derive(Debug)]
struct Memory {
    bytes: Box<[u8]>,
    /// True if the owner has dropped it, so that it is counted in [`OUTLIVING`].
    outlives: AtomicBool,
}

impl Memory {
    /// Counts it as outliving its owner, or no longer.
    fn set_outlives(&self, outlives: bool) {
        let counted = self.bytes.len() + Shared::OVERHEAD;
        match (self.outlives.swap(outlives, Ordering::Relaxed), outlives) {
            (false, true) => OUTLIVING.set(OUTLIVING.get() + counted),
            (true, false) => OUTLIVING.set(OUTLIVING.get().saturating_sub(counted)),
            (true, true) | (false, false) => {}
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.set_outlives(false);
    }
}

impl Shared {
    /// What sharing costs besides the bytes, in bytes: two counters, the pointer to the bytes, their length, a mark, and the
    /// allocator's header.
    pub const OVERHEAD: usize = 56;

    /// Lets `bytes` be shared.
    pub fn new(bytes: Box<[u8]>) -> Shared {
        Shared(Arc::new(Memory { bytes, outlives: AtomicBool::new(false) }))
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// True if `other` is the same memory.
    pub fn is(&self, other: &Shared) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Where `part` lies in this memory; `None` if it lies elsewhere.
    pub fn find(&self, part: &[u8]) -> Option<Range<usize>> {
        let (whole, part) = (self.bytes().as_ptr_range(), part.as_ptr_range());
        if part.start < whole.start || part.end > whole.end {
            return None;
        }
        let start = part.start as usize - whole.start as usize;
        Some(start..start + (part.end as usize - part.start as usize))
    }

    /// Takes the bytes out.
    ///
    /// # Errors
    /// `self`, if somebody else holds them as well.
    pub fn into_bytes(mut self) -> Result<Box<[u8]>, Shared> {
        match Arc::get_mut(&mut self.0) {
            None => Err(self),
            Some(memory) => {
                memory.set_outlives(false);
                Ok(std::mem::take(&mut memory.bytes))
            }
        }
    }
}

/// The owner of shared memory: the holder that counts it in its accounts.
#[derive(Debug)]
pub struct Owned(Shared);

impl Owned {
    /// Makes a holder of `memory` its owner. There must be at most one owner at a time.
    pub fn new(memory: Shared) -> Owned {
        memory.0.set_outlives(false);
        Owned(memory)
    }

    /// The memory.
    #[inline]
    pub fn shared(&self) -> &Shared {
        &self.0
    }

    /// True if nobody else holds the memory.
    pub fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0.0) == 1
    }

    /// Takes the bytes out, if nobody else holds them. No byte is left then.
    pub fn take(&mut self) -> Option<Box<[u8]>> {
        Arc::get_mut(&mut self.0.0).map(|memory| std::mem::take(&mut memory.bytes))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.is_alone() {
            self.0.0.set_outlives(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_only_in_its_own_memory() {
        let shared = Shared::new(b"a key and a value".as_slice().into());
        let same = shared.clone();
        assert_eq!(shared.find(&same.bytes()[2..5]), Some(2..5));
        assert_eq!(shared.find(same.bytes()), Some(0..17));
        assert_eq!(shared.find(&same.bytes()[17..]), Some(17..17));
        assert_eq!(shared.find(&shared.bytes().to_vec()[2..5]), None);
    }

    #[test]
    fn only_the_last_holder_gets_the_bytes() {
        let shared = Shared::new(b"bytes".as_slice().into());
        let shared = {
            let _held = shared.clone();
            shared.into_bytes().unwrap_err()
        };
        assert_eq!(&*shared.into_bytes().unwrap(), b"bytes");
    }

    #[test]
    fn memory_that_outlives_its_owner_is_counted_until_nobody_holds_it() {
        let counted = 5 + Shared::OVERHEAD;
        let make = || Owned::new(Shared::new(b"bytes".as_slice().into()));
        drop(make());
        assert_eq!(outliving_bytes(), 0, "nobody else held it");
        let owned = make();
        let (one, other) = (owned.shared().clone(), owned.shared().clone());
        assert_eq!(outliving_bytes(), 0, "the owner counts it");
        drop(owned);
        drop(one);
        assert_eq!(outliving_bytes(), counted);
        assert_eq!(&*other.into_bytes().unwrap(), b"bytes");
        assert_eq!(outliving_bytes(), 0);
        let reader = make().shared().clone();
        assert_eq!(outliving_bytes(), counted);
        drop(reader);
        assert_eq!(outliving_bytes(), 0);
    }
}
