//! Memory whose size a client decides: it is asked for here, so that there being none is an error
//! for that client and not the end of the process.
//!
//! What no client sizes (queues, tables of connections) is allocated the usual way and aborts when
//! the system has none left, as everything in Rust does unless told otherwise.

use std::cell::Cell;

/// The allocator refused, or a test's allowance is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

thread_local! {
    static ALLOWANCE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Lets this thread ask for `bytes` more before it is refused; [`usize::MAX`] is no limit. For tests.
pub fn allow(bytes: usize) {
    ALLOWANCE.set(bytes);
}

/// Must be asked before an allocation of `bytes` that none of the functions below makes.
///
/// # Errors
/// [`OutOfMemory`] if [`allow`] does not allow it.
#[inline]
pub fn ask(bytes: usize) -> Result<(), OutOfMemory> {
    let allowed = ALLOWANCE.get();
    if allowed != usize::MAX {
        ALLOWANCE.set(allowed.checked_sub(bytes).ok_or(OutOfMemory)?);
    }
    Ok(())
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
    ask(additional.saturating_mul(size_of::<T>()))?;
    vec.try_reserve(additional).map_err(|_| OutOfMemory)
}

/// Makes room for exactly `additional` more elements.
///
/// # Errors
/// [`OutOfMemory`]; the contents stay as they were.
pub fn reserve_exact<T>(vec: &mut Vec<T>, additional: usize) -> Result<(), OutOfMemory> {
    if additional <= vec.capacity() - vec.len() {
        return Ok(());
    }
    ask(additional.saturating_mul(size_of::<T>()))?;
    vec.try_reserve_exact(additional).map_err(|_| OutOfMemory)
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
