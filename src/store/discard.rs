//! Keyspaces that have been emptied at one stroke and are freed piece by piece.

use super::Store;
use super::expiries::Expiries;
use super::table::Table;

/// Flushed keyspaces that wait to be freed.
const DISCARDED_MAX: usize = 8;

/// Bodies freed in a step, unless their bytes end it sooner.
const BODIES_PER_STEP: usize = 256;
/// Bytes of bodies after which a step ends: as much as a chunk of the table.
const BYTES_PER_STEP: usize = 1 << 20;
/// Entries of the expiry index freed in a step.
const EXPIRIES_PER_STEP: usize = 1_000;

impl Store {
    /// Removes every key. What they leave behind is freed by [`Store::reclaim`].
    pub fn clear(&mut self) {
        if !self.is_empty() {
            let table = self.table.start_over();
            let discarded = Discarded { table, expiries: self.ledger.note_flush() };
            if discarded.is_small() {
                return;
            }
            // A client that fills and flushes faster than that waits for it.
            while self.discarded.len() >= DISCARDED_MAX {
                self.reclaim(1);
            }
            self.discarded.push_back(discarded);
        }
    }

    /// True while something is left to be freed.
    pub fn has_leftovers(&self) -> bool {
        !self.discarded.is_empty() || self.table.is_loose()
    }

    /// Frees what has been discarded, in up to `budget` steps of some 100 microseconds, and some of
    /// what was reserved and not used.
    pub fn reclaim(&mut self, budget: usize) {
        self.table.trim();
        for _ in 0..budget {
            let Some(oldest) = self.discarded.front_mut() else { return };
            if !oldest.free_some() {
                self.discarded.pop_front();
            }
        }
    }
}

/// What used to be a keyspace.
#[derive(Debug)]
pub struct Discarded {
    pub(super) table: Table,
    pub(super) expiries: Expiries,
}

impl Discarded {
    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.table.memory() + self.expiries.memory()
    }

    /// True if it is no more than a step's worth.
    pub fn is_small(&self) -> bool {
        self.table.memory() <= BYTES_PER_STEP
            && self.table.larges.len() <= BODIES_PER_STEP
            && self.expiries.len() <= EXPIRIES_PER_STEP
    }

    /// Frees some of it, some 100 microseconds' worth; false if nothing was left.
    ///
    /// What was allocated last goes first, and blocks and segments go together: an allocator that
    /// returns only the end of its heap would otherwise keep all of it until one last piece is
    /// free, and then return it in one long call.
    pub fn free_some(&mut self) -> bool {
        let table = &mut self.table;
        table.directory.free();
        table.free_bodies() || table.segments.pop_chunk() | table.blocks.pop_chunk() || self.free_expiries()
    }

    fn free_expiries(&mut self) -> bool {
        (0..EXPIRIES_PER_STEP).fold(false, |freed, _| self.expiries.pop_first().is_some() || freed)
    }
}

impl Table {
    fn free_bodies(&mut self) -> bool {
        let before = self.large_bytes;
        for freed in 0..BODIES_PER_STEP {
            let Some(body) = self.larges.pop() else { return freed > 0 || self.larges.pop_chunk() };
            self.large_bytes -= body.memory();
            if before - self.large_bytes >= BYTES_PER_STEP {
                break;
            }
        }
        true
    }
}
