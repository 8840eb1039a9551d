//! Memory whose size a client decides. Other rooms reserve it here. If there is not enough, the client gets an error
//! and the process goes on.
//!
//! That works only where an allocation can fail: under a limit on address space (`ulimit -v`), or where the kernel
//! promises no more than it has (`vm.overcommit_memory=2`). By default Linux grants nearly every allocation. If no
//! page is left when the process uses the memory, the kernel kills the process. The memory limit of a container always
//! works like that. This module cannot prevent it.
//!
//! Queues and tables of connections, whose sizes no client decides, are allocated in Rust's usual way. If an
//! allocation of that kind fails, it aborts the process. So clients must not get the last of the memory: now and then
//! this module tests whether enough is left for everything else (the headroom).

use std::cell::Cell;
use std::collections::TryReserveError;

/// Bytes that clients must leave free, where allocations can fail. Queues and tables grow by far less in a tick. The
/// allocator maps a piece of this size by itself and unmaps it at once, so the test leaves nothing behind in the heap.
const HEADROOM_BYTES: usize = 33 << 20;
/// The headroom is tested each time that clients were granted this many bytes more. A test costs a microsecond or two,
/// because it does not touch the memory that it allocates.
const UNTRIED_BYTES: usize = 1 << 20;
/// Pieces of up to this size, bytes, may come from the headroom, because no client can be served without them.
const SMALL_BYTES: usize = 64 << 10;

/// There is not enough memory: the allocator refused, the headroom is not free, or the allowance that a test has set
/// is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

thread_local! {
    /// Bytes that this thread may still ask for; [`usize::MAX`] is no limit.
    static ALLOWANCE: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Bytes granted since the headroom was last found to be free.
    static UNTRIED: Cell<usize> = const { Cell::new(0) };
    /// True while the headroom may be used up.
    static SPARED: Cell<bool> = const { Cell::new(false) };
}

/// Lets this thread ask for `bytes` more. Beyond that it is refused. [`usize::MAX`] is no limit. For tests.
pub fn allow(bytes: usize) {
    ALLOWANCE.set(bytes);
}

/// Runs `act`, which must not be refused memory: it takes back what a client has done, and that must not stop half-way.
/// The allowance is suspended, and the headroom may be used up. So only the allocator itself can refuse.
pub fn spared<T>(act: impl FnOnce() -> T) -> T {
    /// Puts back what was before, also after a panic.
    struct Before(usize, bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ALLOWANCE.set(self.0);
            SPARED.set(self.1);
        }
    }
    let _before = Before(ALLOWANCE.replace(usize::MAX), SPARED.replace(true));
    act()
}

/// What was reserved. If it was refused, ends the process, as any allocation does that cannot fail.
pub fn insist<T>(reserved: Result<T, OutOfMemory>) -> T {
    reserved.unwrap_or_else(|OutOfMemory| std::alloc::handle_alloc_error(std::alloc::Layout::new::<T>()))
}

/// Makes room for `additional` more elements. If the vector must grow, its capacity at least doubles.
///
/// Use it for memory that is given back soon: a small piece may come from the headroom, because clients could not be
/// served without it.
///
/// # Errors
/// [`OutOfMemory`]; the contents stay as they were.
#[inline]
pub fn reserve<T>(vec: &mut Vec<T>, additional: usize) -> Result<(), OutOfMemory> {
    if additional <= vec.capacity() - vec.len() {
        return Ok(());
    }
    let bytes = additional.max(vec.capacity()).saturating_mul(size_of::<T>());
    grow(vec, bytes, SMALL_BYTES, |vec| vec.try_reserve(additional))
}

/// Makes room for exactly `additional` more elements. Use it for memory that is kept, for example for values.
///
/// # Errors
/// [`OutOfMemory`]; the contents stay as they were.
pub fn reserve_exact<T>(vec: &mut Vec<T>, additional: usize) -> Result<(), OutOfMemory> {
    if additional <= vec.capacity() - vec.len() {
        return Ok(());
    }
    let bytes = additional.saturating_mul(size_of::<T>());
    grow(vec, bytes, 0, |vec| vec.try_reserve_exact(additional))
}

/// Lets `by` grow `vec` by `bytes`. A piece of up to `spared` bytes may come from the headroom.
fn grow<T>(
    vec: &mut Vec<T>,
    bytes: usize,
    spared: usize,
    by: impl FnOnce(&mut Vec<T>) -> Result<(), TryReserveError>,
) -> Result<(), OutOfMemory> {
    use_allowance(bytes)?;
    let before = vec.capacity();
    by(vec).map_err(|_| OutOfMemory)?;
    if leaves_headroom(bytes) || bytes <= spared {
        return Ok(());
    }
    vec.shrink_to(before);
    Err(OutOfMemory)
}

/// Counts `bytes` that another room is about to allocate for a client in small pieces. The function allocates nothing.
///
/// # Errors
/// [`OutOfMemory`] if the headroom is not free any more; then the other room must not allocate.
#[inline]
pub fn charge(bytes: usize) -> Result<(), OutOfMemory> {
    use_allowance(bytes)?;
    if leaves_headroom(bytes) { Ok(()) } else { Err(OutOfMemory) }
}

fn use_allowance(bytes: usize) -> Result<(), OutOfMemory> {
    let allowed = ALLOWANCE.get();
    if allowed != usize::MAX {
        ALLOWANCE.set(allowed.checked_sub(bytes).ok_or(OutOfMemory)?);
    }
    Ok(())
}

/// True if the headroom is still free after a client was granted `bytes`. Between two tests it counts as free.
fn leaves_headroom(bytes: usize) -> bool {
    let untried = UNTRIED.get().saturating_add(bytes);
    UNTRIED.set(untried);
    if untried < UNTRIED_BYTES || SPARED.get() {
        return true;
    }
    let mut trial: Vec<u8> = Vec::new();
    let there_is = trial.try_reserve_exact(HEADROOM_BYTES).is_ok();
    // Otherwise the compiler may leave the allocation out, because its memory is not used.
    std::hint::black_box(&mut trial);
    if there_is {
        UNTRIED.set(0);
    }
    there_is
}

/// Collects the elements of `items`.
///
/// # Errors
/// [`OutOfMemory`] if there is not enough memory for all of them.
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
        assert_eq!(reserve_exact(&mut vec, 8), Ok(()), "the vector has that room already");
        assert_eq!(reserve_exact(&mut vec, 100), Err(OutOfMemory));
        assert_eq!(collect(0..3_u64), Err(OutOfMemory));
        allow(usize::MAX);
        assert_eq!(collect(0..3_u64), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn what_is_spared_uses_no_allowance() {
        allow(10);
        let mut vec: Vec<u8> = Vec::new();
        assert_eq!(spared(|| reserve_exact(&mut vec, 1_000)), Ok(()));
        assert_eq!((reserve_exact(&mut Vec::<u8>::new(), 11), charge(10)), (Err(OutOfMemory), Ok(())));
        allow(usize::MAX);
    }

    #[test]
    fn what_no_machine_has_is_an_error() {
        let mut vec: Vec<u64> = Vec::new();
        assert_eq!(reserve(&mut vec, usize::MAX), Err(OutOfMemory));
    }
}
