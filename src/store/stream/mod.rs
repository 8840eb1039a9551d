//! A stream: entries in the order of their ids, and consumer groups that read them.
//!
//! - `log` has the entries. It packs them into `node`s, and `entry` and `range` read them. `trim` removes
//!   the oldest ones, `set_id` sets what the log remembers, and `lag` counts what a group has not read yet.
//! - `groups` has the groups. A `group` has `consumers` and pending entries. `deliver` and `claim` make entries
//!   pending, and `report` tells about them. `references` removes entries with regard to groups.
//!   `restored` has groups that come from a dump.
//! - `sorted` is the list that keeps nodes and pending entries in order, in chunks. `room` reserves memory for it, and
//!   `cut` cuts parts off it, which are `leftovers` until they are freed.
//! - `notes` say how to take changes back, and `back` does so.
//!
//! A command that needs memory is prepared first, which may be refused. Its commit cannot fail. Whatever may be large
//! is cut off at once and freed piece by piece.

mod back;
mod claim;
mod consumers;
mod cut;
mod deliver;
mod entry;
mod group;
mod groups;
mod id;
mod lag;
mod leftovers;
mod log;
mod node;
mod notes;
mod range;
mod references;
mod report;
mod restored;
mod room;
mod set_id;
mod sorted;
mod trim;
mod varint;

#[cfg(test)]
mod tests;

pub use claim::{Claim, ClaimOptions, Claimed, DeliveredAt};
pub use deliver::{Delivery, History};
pub use entry::Entry;
pub use group::Group;
pub use groups::GroupError;
pub use id::{IdOverflow, StreamId};
pub use leftovers::Leftovers;
pub use log::{Append, AppendError, Log, NodeLimits};
pub(super) use notes::Notes;
pub use references::{References, Removal, Removed};
pub use report::{ConsumerInfo, PendingEntry};
pub use restored::RestoredGroup;
pub use set_id::SetIdError;
pub use trim::{Trim, TrimTo};

use crate::base::OutOfMemory;
use groups::Groups;

/// A stream. It may be empty, unlike other values: it still has its last id and its groups.
#[derive(Debug)]
pub struct Stream {
    log: Log,
    groups: Groups,
}

impl Default for Stream {
    fn default() -> Stream {
        Stream::new()
    }
}

impl Stream {
    /// A stream without entries and groups. Allocates nothing.
    pub const fn new() -> Stream {
        Stream { log: Log::new(), groups: Groups::new() }
    }

    /// The entries.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The entries, to be changed.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// Memory held, in bytes, without the stream itself.
    pub fn memory(&self) -> usize {
        self.log.memory() + self.groups.memory()
    }

    /// A copy of the entries, the groups and all that is pending.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn try_copy(&self) -> Result<Stream, OutOfMemory> {
        Ok(Stream { log: self.log.try_copy()?, groups: self.groups.try_copy()? })
    }

    /// Frees a piece of the memory: about a mebibyte, or a few hundred allocations. Returns false if nothing is left. After
    /// the first call the stream may only be freed further.
    pub fn free_piece(&mut self) -> bool {
        self.log.free_piece() || self.groups.free_piece()
    }

    /// Walks the whole stream and asserts its invariants. For tests.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub fn audit(&self) {
        self.log.audit();
        self.groups.audit();
    }
}
