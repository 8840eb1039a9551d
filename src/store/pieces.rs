//! A reservation for a structure that allocates many small pieces whose sizes depend on where they are needed.
//!
//! Such a structure knows at most how many bytes a change can need in all. So it lets this module make sure that this
//! number of bytes is free, and then allocates in Rust's usual way. The two must follow each other at once: then, in
//! a single thread, nobody else can take the memory in between.

use crate::base::{OutOfMemory, memory};

/// Up to this many bytes are only counted. The headroom that clients must leave free is a hundred times larger.
const COUNTED_BYTES_MAX: usize = 256 << 10;

/// Makes sure that `bytes` can be allocated in pieces right after this call. Keeps nothing allocated.
///
/// # Errors
/// [`OutOfMemory`] if there is not enough memory; then the caller must not allocate.
#[inline]
pub fn reserve_pieces(bytes: usize) -> Result<(), OutOfMemory> {
    if bytes <= COUNTED_BYTES_MAX { memory::charge(bytes) } else { try_whole(bytes) }
}

/// Allocates all bytes in one piece and frees them again. They are not touched, so that takes a few microseconds.
#[cold]
fn try_whole(bytes: usize) -> Result<(), OutOfMemory> {
    let mut trial: Vec<u8> = Vec::new();
    memory::reserve_exact(&mut trial, bytes)?;
    // Otherwise the compiler may leave the allocation out, because its memory is not used.
    std::hint::black_box(&mut trial);
    Ok(())
}

/// Gives back most of the free room of `vec` if it uses less than a quarter of its room. Keeps `spare` elements of
/// room in any case. If there is no memory for the smaller copy, `vec` stays as it is.
pub fn tighten<T>(vec: &mut Vec<T>, spare: usize) {
    if vec.capacity() / 4 <= vec.len().max(spare) {
        return;
    }
    let mut smaller = Vec::new();
    if memory::reserve_exact(&mut smaller, (2 * vec.len()).max(spare)).is_ok() {
        smaller.append(vec);
        *vec = smaller;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_reservations_are_granted_or_refused() {
        memory::allow(1 << 20);
        assert_eq!(reserve_pieces(1_000), Ok(()));
        assert_eq!(reserve_pieces(1 << 19), Ok(()));
        assert_eq!(reserve_pieces(1 << 19), Err(OutOfMemory));
        memory::allow(usize::MAX);
        assert_eq!(reserve_pieces(usize::MAX), Err(OutOfMemory), "no machine has this");
    }

    #[test]
    fn a_vector_that_is_nearly_empty_gives_its_room_back() {
        let mut vec = Vec::with_capacity(1_000);
        vec.extend([1, 2, 3]);
        memory::allow(0);
        tighten(&mut vec, 8);
        assert_eq!(vec.capacity(), 1_000, "no memory for the copy");
        memory::allow(usize::MAX);
        tighten(&mut vec, 8);
        assert_eq!((vec.capacity(), vec.as_slice()), (8, &[1, 2, 3][..]));
    }
}
