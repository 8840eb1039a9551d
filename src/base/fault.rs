//! Places where a test can make a command panic half-way.
//!
//! The reply encoders and the store call [`point`] wherever a bug could interrupt a command. While no fuse is armed,
//! a point costs one load of a thread-local integer and a branch that is never taken. So points stay in release
//! builds, and the simulator tests the panic fence on the very code that ships.

use std::cell::Cell;

thread_local! {
    static FUSE: Cell<u32> = const { Cell::new(0) };
}

/// Arms the fuse of this thread: the `nth` point from now panics. 0 disarms it.
pub fn arm(nth: u32) {
    FUSE.set(nth);
}

/// True while a fuse is armed and has not gone off.
pub fn armed() -> bool {
    FUSE.get() != 0
}

/// Runs `look`, in which no point panics or counts. For tests that look at a server between two of its commands.
pub fn aside<T>(look: impl FnOnce() -> T) -> T {
    let left = FUSE.replace(0);
    let seen = look();
    FUSE.set(left);
    seen
}

/// Panics if the fuse was armed for this point.
///
/// # Panics
/// Only after [`arm`].
#[inline(always)]
pub fn point() {
    let left = FUSE.get();
    if left != 0 {
        burn(left);
    }
}

#[cold]
fn burn(left: u32) {
    FUSE.set(left - 1);
    assert!(left > 1, "injected panic");
}
