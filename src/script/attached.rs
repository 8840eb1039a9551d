//! What the plain functions of the interpreter find: they have no closure in which it could be.

use std::cell::Cell;
use std::ptr;

use super::engine::Shared;

thread_local! {
    /// What the functions of `stack` share with the engine, while a script runs.
    static CURRENT: Cell<*const Shared> = const { Cell::new(ptr::null()) };
}

/// While it lives, the functions of `stack` find what it borrows.
pub struct Attached<'a>(#[expect(dead_code, reason = "it keeps the borrow")] &'a Shared);

impl<'a> Attached<'a> {
    /// Lends `shared` to the functions of `stack`.
    pub fn new(shared: &'a Shared) -> Attached<'a> {
        CURRENT.set(ptr::from_ref(shared));
        Attached(shared)
    }
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        CURRENT.set(ptr::null());
    }
}

/// What an [`Attached`] borrows now, or null.
pub fn current() -> *const Shared {
    CURRENT.get()
}
