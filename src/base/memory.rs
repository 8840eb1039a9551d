//! Memory whose size a client decides: it is asked for here, so that there being none is an error
//! for that client and not the end of the process.
//!
//! What no client sizes (queues, tables of connections) is allocated the usual way and aborts when
//! the system has none left, as everything in Rust does unless told otherwise. So clients must not
//! get the last of it: now and then it is tried whether there is enough left for all the rest.

use std::cell::Cell;
use std::collections::TryReserveError;

/// What clients must leave: far more than what they do not size grows by in a tick.
const HEADROOM_BYTES: usize = 1 << 20;
/// Whether they do is tried when they have been granted so much since the last time. An allocation
/// that is never touched costs a microsecond or two.
const UNTRIED_BYTES: usize = HEADROOM_BYTES / 4;

/// The allocator refused, or a test's allowance is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

thread_local! {
    static ALLOWANCE: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Granted since the headroom was last tried.
    static UNTRIED: Cell<usize> = const { Cell::new(0) };
}

/// Lets this thread ask for `bytes` more before it is refused; [`usize::MAX`] is no limit. For tests.
pub fn allow(bytes: usize) {
    ALLOWANCE.set(bytes);
}

/// Makes room for `additional` more elements, at least doubling what there was.
///
/// # Errors
/// [`OutOfMemory`]; the contents stay as they were.
#[inline]
pub fn reserve<T>(vec: &mut Vec<T>, additional: usize) -> Result<(), OutOfMemory> {
    if additional <= vec.capacity() - vec.len() {
        return Ok(());
    }
    grow(vec, additional, Vec::try_reserve)
}

/// Makes room for exactly `additional` more elements.
///
/// # Errors
/// [`OutOfMemory`]; the contents stay as they were.
pub fn reserve_exact<T>(vec: &mut Vec<T>, additional: usize) -> Result<(), OutOfMemory> {
    if additional <= vec.capacity() - vec.len() {
        return Ok(());
    }
    grow(vec, additional, Vec::try_reserve_exact)
}

type Grow<T> = fn(&mut Vec<T>, usize) -> Result<(), TryReserveError>;

fn grow<T>(vec: &mut Vec<T>, additional: usize, by: Grow<T>) -> Result<(), OutOfMemory> {
    let bytes = additional.saturating_mul(size_of::<T>());
    let allowed = ALLOWANCE.get();
    if allowed != usize::MAX {
        ALLOWANCE.set(allowed.checked_sub(bytes).ok_or(OutOfMemory)?);
    }
    let before = vec.capacity();
    by(vec, additional).map_err(|_| OutOfMemory)?;
    if leaves_headroom(bytes) {
        Ok(())
    } else {
        vec.shrink_to(before);
        Err(OutOfMemory)
    }
}

/// True if there is enough left for what no client sizes, now that one was granted `bytes`.
fn leaves_headroom(bytes: usize) -> bool {
    let untried = UNTRIED.get().saturating_add(bytes);
    UNTRIED.set(untried);
    if untried < UNTRIED_BYTES {
        return true;
    }
    let mut trial: Vec<u8> = Vec::new();
    let there_is = trial.try_reserve_exact(HEADROOM_BYTES).is_ok();
    // The compiler may think that what nobody uses needs no allocation.
    std::hint::black_box(&mut trial);
    if there_is {
        UNTRIED.set(0);
    }
    there_is
}

/// Collects what `items` yields.
///
/// # Errors
/// [`OutOfMemory`].
pub fn collect<T>(items: impl Iterator<Item = T>) -> Result<Vec<T>, OutOfMemory> {
    let mut vec = Vec::new();
    for item in items {
        reserve(&mut vec, 1)?;
        vec.push(item);
    }
    Ok(vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_used_up_and_refuses_from_then_on() {
        allow(10);
        let mut vec: Vec<u8> = Vec::new();
        assert_eq!(reserve_exact(&mut vec, 8), Ok(()));
        assert_eq!(reserve_exact(&mut vec, 8), Ok(()), "it has that room already");
        assert_eq!(reserve_exact(&mut vec, 100), Err(OutOfMemory));
        assert_eq!(collect(0..3_u64), Err(OutOfMemory));
        allow(usize::MAX);
        assert_eq!(collect(0..3_u64), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn what_no_machine_has_is_an_error() {
        let mut vec: Vec<u64> = Vec::new();
        assert_eq!(reserve(&mut vec, usize::MAX), Err(OutOfMemory));
    }
}
