//! Memory that more than one room may hold. A long value is not copied when it goes from one room to another: both hold
//! the same memory for a while.

use std::ops::Range;
use std::sync::Arc;

/// A piece of memory whose bytes nobody changes while it is shared. A clone shares it.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Box<[u8]>>);

impl Shared {
    /// What sharing costs besides the bytes, in bytes: two counters, the pointer to the bytes, their length, and the
    /// allocator's header.
    pub const OVERHEAD: usize = 48;

    /// Lets `bytes` be shared.
    pub fn new(bytes: Box<[u8]>) -> Shared {
        Shared(Arc::new(bytes))
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Where `part` lies in this memory; `None` if it lies elsewhere.
    pub fn find(&self, part: &[u8]) -> Option<Range<usize>> {
        let (whole, part) = (self.0.as_ptr_range(), part.as_ptr_range());
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
    pub fn into_bytes(self) -> Result<Box<[u8]>, Shared> {
        Arc::try_unwrap(self.0).map_err(Shared)
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
}
