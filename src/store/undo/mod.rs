//! The undo log: how to take back all changes since [`Store::begin_undo`], in reverse order.
//!
//! It is for scripts: one that is stopped half-way must leave no trace. While no script runs there is no log, and each
//! change pays for one test of that.
//!
//! A step of the log costs what its change costs, and not what the value weighs. A small value is copied as a whole, at its
//! first change only: until that step is taken back, nobody asks what else happens to the key. Of a larger value, the log
//! keeps what the change replaces: a field, an element, some bytes. What is removed or replaced as a whole is moved into
//! the log. So is the table of a flushed database.
//!
//! Invariants:
//!
//! - A step is noted before its change or together with it, and a change cannot fail once it has begun. So after a panic,
//!   the log still fits the store.
//! - When a step is taken back, the part of the store that the step names is what it was right after the change.
//! - Taking back asks for no reservation that it could be refused, and reaches no point where a test may make it panic.
//!
//! This room never knows what a change is for. It knows nothing of commands and scripts.
//!
//! The parts: `steps` are the entries of the log, and `subjects` the keys that they name. `old` is what an item was. `items`
//! notes changes of whole items and databases, `parts` those inside of large values, and `texts` those inside of strings.
//! `streams` lets streams make notes of their own. `back` takes steps back.

mod back;
mod items;
mod old;
mod parts;
mod steps;
mod streams;
mod subjects;
#[cfg(test)]
mod tests;
mod texts;

use super::Store;
use super::chunked::{Chunked, Size};
use super::discard::Freed;
use super::journal::Mark;
pub use items::Fate;
use old::Old;
pub use parts::{Noter, noter};
use steps::{Step, Weight};
use subjects::Subjects;

/// A string of at most this many bytes is copied as a whole. A packed value always is.
const WHOLE_BYTES: usize = 4 << 10;

/// How to take all changes since some time back.
#[derive(Debug)]
pub struct Undo {
    /// One for each change, in their order.
    steps: Chunked<Step>,
    /// The keys that the steps name.
    subjects: Subjects,
    /// What the steps own.
    weight: Weight,
    /// Memory of the whole store when the log began, in bytes.
    memory_before: usize,
    /// Which effects were noted before.
    mark: Mark,
    /// The key whose stream makes notes now.
    open: Option<u32>,
}

impl Store {
    /// From now on, the store notes how to take back each change of any database, until [`Store::keep_changes`] or
    /// [`Store::undo_changes`]. Meanwhile it evicts nothing, and the sweep removes nothing.
    pub fn begin_undo(&mut self) {
        debug_assert!(self.undo.is_none(), "the changes before are neither kept nor taken back");
        let (memory_before, mark) = (self.memory(), self.changes.journal.mark());
        let mut undo = self.spare_undo.take().unwrap_or_default();
        (undo.memory_before, undo.mark) = (memory_before, mark);
        self.undo = Some(undo);
    }

    /// Bytes by which the log makes the store larger. A value that was removed counts only if all that was removed is more
    /// than the store had when the log began.
    pub fn undo_memory(&self) -> usize {
        self.undo.as_ref().map_or(0, |undo| undo.excess())
    }

    /// The changes since [`Store::begin_undo`] stay. [`Store::reclaim`] frees the memory of the log later if it is much.
    pub fn keep_changes(&mut self) {
        self.close_notes();
        let Some(mut undo) = self.undo.take() else { return };
        if !undo.is_small() {
            return self.discards.keep_undo(undo);
        }
        undo.clear();
        if undo.memory() <= SPARE_BYTES_MAX {
            self.spare_undo = Some(undo);
        }
    }
}

impl Default for Undo {
    fn default() -> Undo {
        let (subjects, weight) = (Subjects::default(), Weight::default());
        let (memory_before, mark) = (0, Mark::default());
        Undo { steps: Chunked::new(Size::Small), subjects, weight, memory_before, mark, open: None }
    }
}

impl Undo {
    /// Forgets all steps, and keeps memory for the next ones.
    fn clear(&mut self) {
        self.steps.clear();
        self.subjects.clear();
        (self.weight, self.open) = (Weight::default(), None);
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.weight.moved + self.cost()
    }

    /// Memory held, in bytes, without what was moved into the log.
    fn cost(&self) -> usize {
        size_of::<Undo>() + self.weight.copied + self.steps.memory() + self.subjects.memory()
    }

    fn excess(&self) -> usize {
        self.cost().max(self.memory().saturating_sub(self.memory_before))
    }

    /// True if it is so small that it may be freed at once.
    pub fn is_small(&self) -> bool {
        self.memory() <= SMALL_BYTES && self.steps.len() + self.subjects.len() <= SMALL_STEPS
    }

    /// The number of a key if its changes must be noted; `None` if a step that will be taken back later puts back all of it.
    fn unsaved(&mut self, db: u16, hash: u64, key: &[u8]) -> Option<u32> {
        let number = self.subjects.number(db, hash, key);
        (!self.subjects.is_saved(number)).then_some(number)
    }

    /// Adds a step.
    fn push(&mut self, step: Step) {
        self.weight += step.weight();
        // Only the first chunk grows in small steps. If that is refused, it grows when the step is added.
        let _ = self.steps.try_reserve(1);
        self.steps.push(step);
    }

    /// Adds the step that puts back what the key was. Later changes of the key need no step.
    fn push_whole(&mut self, subject: u32, old: Old) {
        self.push(Step::Item { subject, old });
        self.subjects.set_saved(subject, true);
    }

    /// Takes the last step out.
    fn pop(&mut self) -> Option<Step> {
        let step = self.steps.pop()?;
        self.weight -= step.weight();
        Some(step)
    }

    /// Frees one piece.
    pub fn free_piece(&mut self) -> Freed {
        let Some(last) = self.steps.last_mut() else { return self.subjects.free_piece() };
        let before = last.weight();
        let freed = last.free_piece();
        let after = last.weight();
        self.weight -= before;
        self.weight += after;
        if let Freed::Nothing = freed {
            return self.pop().and_then(Step::into_large).map_or(Freed::Something, Freed::Value);
        }
        freed
    }

    /// Asserts that the log counts its memory right. For tests.
    ///
    /// # Panics
    /// If it does not.
    pub fn audit(&self) {
        let mut sum = Weight::default();
        self.steps.iter().for_each(|step| sum += step.weight());
        assert_eq!(sum, self.weight, "the memory of the undo log is counted wrong");
        self.subjects.audit();
    }
}

/// Most bytes of a log without steps that is kept for the next one. With it, a script of one `INCR` takes a tenth less time.
const SPARE_BYTES_MAX: usize = 4 << 10;
/// Most bytes of a log that is freed at once.
const SMALL_BYTES: usize = 64 << 10;
/// Most steps and keys of a log that is freed at once.
const SMALL_STEPS: usize = 256;
