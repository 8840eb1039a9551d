//! Memory whose size a client decides. It is asked for here, so if there is none, the client gets an error and the
//! process goes on.
//!
//! That works where an allocation can fail at all: under a limit on address space (`ulimit -v`), or
//! where the kernel promises no more than it has (`vm.overcommit_memory=2`). By default Linux grants
//! nearly every allocation, and kills a process for which there is no page left once it uses them. The
//! limit of a container always works like that. Nothing in here can prevent it.
//!
//! Queues and tables of connections, whose sizes no client decides, are allocated in Rust's usual way. Such an
//! allocation aborts the process if it fails. So clients must not get the last of the memory: now and then this
//! room tries whether enough is left for the rest.

use std::cell::Cell;
use std::collections::TryReserveError;

/// Bytes that clients must leave, where allocations can fail. Queues and tables grow by far less in a tick. A piece
/// of this size is mapped by itself and unmapped at once, so the try leaves nothing behind in the heap.
const HEADROOM_BYTES: usize = 33 << 20;
/// After clients were granted this many bytes, the next try is due. An allocation that is never touched costs a
/// microsecond or two.
const UNTRIED_BYTES: usize = 1 << 20;
/// Pieces up to this size may come from the headroom, because no client can be served without them, bytes.
const SMALL_BYTES: usize = 64 << 10;

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

/// Makes room for `additional` more elements, at least doubling what there was. For what is given
/// back soon; a small piece of it may come from the headroom, which is there to serve clients with.
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

/// Makes room for exactly `additional` more elements. For what stays.
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

/// Lets `by` grow `vec` by `bytes`; pieces of up to `spared` bytes need not leave the headroom.
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

/// Counts `bytes` that another room is about to allocate for a client in small pieces.
///
/// # Errors
/// [`OutOfMemory`] if clients have used up what they may.
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

/// True if the headroom is still free after a client was granted `bytes`, as far as the allocator can tell.
fn leaves_headroom(bytes: usize) -> bool {
    let untried = UNTRIED.get().saturating_add(bytes);
    UNTRIED.set(untried);
    if untried < UNTRIED_BYTES {
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
