//! The input of a connection while it is lent for a turn. The memory of long input is shared meanwhile: a value in it may
//! keep that memory instead of being copied.

use std::ops::Range;

use super::pool::Pool;
use super::visit::Verdict;
use crate::base::{Buf, OutOfMemory, Shared};

/// The input of a connection while it is lent.
pub enum Input {
    /// Its memory stays the reactor's.
    Own(Buf),
    /// Its memory is shared.
    Shared {
        /// The memory.
        memory: Shared,
        /// Where the bytes that are not yet consumed lie in it.
        unread: Range<usize>,
    },
}

impl Input {
    /// Lends `input`. Its memory is shared if there are at least `kept_bytes_min` bytes in it, of which none is `missing`.
    #[inline]
    pub fn lend(input: Buf, missing: u32, kept_bytes_min: usize) -> Input {
        if input.len() < kept_bytes_min || missing > 0 {
            return Input::Own(input);
        }
        let unread = input.range();
        Input::Shared { memory: Shared::new(input.into_bytes()), unread }
    }

    /// The bytes not yet consumed.
    #[inline]
    pub fn unread(&self) -> &[u8] {
        match self {
            Input::Own(buf) => buf.unread(),
            Input::Shared { memory, unread } => &memory.bytes()[unread.clone()],
        }
    }

    /// The memory, if it may be kept.
    #[inline]
    pub fn memory(&self) -> Option<&Shared> {
        match self {
            Input::Own(_) => None,
            Input::Shared { memory, .. } => Some(memory),
        }
    }

    /// Ends the loan. Returns the buffer without the bytes that the turn has consumed. If a value has kept the memory, the rest
    /// of the input gets memory of its own.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses memory for the rest.
    #[inline]
    pub fn settle(self, verdict: &mut Verdict, pool: &mut Pool) -> Result<Buf, OutOfMemory> {
        match self {
            Input::Own(mut buf) => {
                buf.consume(verdict.consumed);
                Ok(buf)
            }
            Input::Shared { memory, unread } => {
                settle_shared(memory, unread, verdict.consumed, verdict.replaced.take(), pool)
            }
        }
    }
}

#[cold]
fn settle_shared(
    memory: Shared,
    unread: Range<usize>,
    consumed: usize,
    replaced: Option<Box<[u8]>>,
    pool: &mut Pool,
) -> Result<Buf, OutOfMemory> {
    match memory.into_bytes() {
        Ok(bytes) => {
            let mut buf = Buf::holding(bytes, unread);
            if consumed == buf.len() {
                // A long value that comes next should fill its buffer, so that it can stay there.
                buf.cut();
            }
            buf.consume(consumed);
            Ok(buf)
        }
        Err(kept) => {
            pool.restock(kept.bytes().len(), replaced);
            let rest = &kept.bytes()[unread.start + consumed..unread.end];
            let mut buf = Buf::default();
            if !rest.is_empty() {
                pool.lend(&mut buf)?;
                buf.extend(rest)?;
            }
            Ok(buf)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::conn::Class;
    use crate::reactor::visit::Next;

    fn consuming(consumed: usize) -> Verdict {
        Verdict { consumed, next: Next::Turn, held: 0, class: Class::default(), replaced: None }
    }

    fn input(capacity: usize, bytes: &[u8]) -> Buf {
        let mut buf = Buf::over(vec![0; capacity].into_boxed_slice());
        buf.extend(bytes).unwrap();
        buf
    }

    #[test]
    fn only_long_and_whole_input_is_shared() {
        assert!(Input::lend(input(100, b"short"), 0, 6).memory().is_none());
        assert!(Input::lend(input(100, b"a half request"), 1, 6).memory().is_none());
        assert!(Input::lend(input(100, b"a request"), 0, 6).memory().is_some());
    }

    #[test]
    fn memory_that_nobody_has_kept_comes_back() {
        let mut pool = Pool::new(64, 1_000);
        let lent = Input::lend(input(100, b"a request and more"), 0, 6);
        let (mut verdict, at) = (consuming(10), lent.unread().as_ptr());
        let buf = lent.settle(&mut verdict, &mut pool).unwrap();
        assert_eq!((buf.unread(), buf.capacity()), (&b"and more"[..], 100));
        assert_eq!(buf.unread().as_ptr(), at.wrapping_add(10), "nothing was copied");
    }

    #[test]
    fn a_buffer_that_was_too_large_fits_the_next_request_of_that_length() {
        let mut pool = Pool::new(64, 10_000);
        let lent = Input::lend(input(1_000, &[b'-'; 320]), 0, 64);
        let buf = lent.settle(&mut consuming(320), &mut pool).unwrap();
        assert_eq!((buf.len(), buf.capacity()), (0, 330));
    }

    #[test]
    fn the_rest_of_the_input_survives_if_a_value_keeps_the_memory() {
        for (consumed, rest) in [(10, &b"and more"[..]), (18, b"")] {
            let mut pool = Pool::new(64, 1_000);
            let lent = Input::lend(input(100, b"a request and more"), 0, 6);
            let kept = lent.memory().cloned().unwrap();
            let mut verdict = consuming(consumed);
            verdict.replaced = Some(vec![0; 105].into_boxed_slice());
            let buf = lent.settle(&mut verdict, &mut pool).unwrap();
            assert_eq!((buf.unread(), kept.bytes().len()), (rest, 100));
            let lent = buf.capacity() + pool.spare_bytes();
            assert_eq!(lent, 105, "the memory of the replaced value is the next buffer");
        }
    }
}
