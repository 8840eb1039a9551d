//! The [tally](Tally) of a table counts what its bodies come to. It is kept up to date by the few functions that add, change
//! or remove a body.

use super::body::Body;
use super::large::Large;
use super::record::{Draft, Record};
use super::table::{Place, Table};
use crate::base::OutOfMemory;

/// What the bodies of a table come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes that the bodies own, without their entries in the list of bodies.
    pub bytes: usize,
    /// Number of hashes that have fields with a time of expiry.
    pub volatile: usize,
}

impl Tally {
    /// A body has come.
    #[inline]
    pub fn add(&mut self, body: &Body) {
        self.bytes += body.memory();
        self.volatile += usize::from(body.is_volatile());
    }

    /// A body is going to change or to leave.
    #[inline]
    pub fn take(&mut self, body: &Body) {
        self.bytes -= body.memory();
        self.volatile -= usize::from(body.is_volatile());
    }
}

/// A body while it is being changed. It is counted again when this is dropped, so also after a panic.
struct Counted<'a> {
    body: &'a mut Body,
    tally: &'a mut Tally,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.tally.add(self.body);
    }
}

impl Table {
    /// Changes body `number`, and then counts it again, even if `change` panics. Every change of a
    /// body goes through here.
    pub fn with_body<T>(&mut self, number: u32, change: impl FnOnce(&mut Body) -> T) -> T {
        let Table { bodies, tally, .. } = self;
        let body = bodies.get_mut(number);
        tally.take(body);
        let counted = Counted { body, tally };
        change(counted.body)
    }

    /// Takes a body out that no record names any more. The last body gets its number.
    pub(super) fn drop_body(&mut self, number: u32) -> Body {
        let last = self.bodies.len() as u32 - 1;
        if number != last {
            let hash = self.bodies.get(last).hash();
            let place = self
                .find_record(hash, |record| record.body() == Some(last))
                .expect("every body has a record");
            let record = self.record(place);
            let renumbered = Draft::large(record.kind(), number, record.expires_ms());
            self.rewrite(place, hash, renumbered.record());
        }
        let body = self.bodies.swap_remove(number);
        self.tally.take(&body);
        body
    }

    /// Makes room for `count` more bytes behind the value at `place`, if that lies in a body. Returns false
    /// if it lies in a block.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn reserve_tail(&mut self, place: Place, count: usize) -> Result<bool, OutOfMemory> {
        let Some(number) = self.record(place).body() else { return Ok(false) };
        self.with_body(number, |body| body.try_reserve(count)).map(|()| true)
    }

    /// The value of a record, if it is large.
    pub fn large_of(&self, record: Record<'_>) -> Option<&Large> {
        self.bodies.get(record.body()?).large()
    }
}
