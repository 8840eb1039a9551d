//! Discarded memory: large values and whole keyspaces are removed at once, but freed piece by piece. Freeing
//! them at once would stop the server for too long.

use super::Store;
use super::journal::What;
use super::large::Large;
use super::stream::Leftovers;
use super::table::Table;
use super::undo::Undo;

/// Most flushed databases that wait to be freed.
const KEYSPACES_MAX: usize = 1_024;
/// Most pieces that a step frees.
const PIECES_PER_STEP: usize = 256;
/// A step ends when it has freed this many bytes: as many as a chunk of the table has.
const BYTES_PER_STEP: usize = 1 << 20;
/// A removed part of a stream of at most this many bytes is freed at once.
const SMALL_PART_BYTES: usize = 64 << 10;

impl Store {
    /// Removes every key of the selected database. [`Store::reclaim`] frees their memory later.
    pub fn clear(&mut self) {
        if !self.is_empty() {
            self.changes.note(What::Flushed, b"");
            if self.undo.is_some() {
                return self.flush_saved();
            }
            self.discards.keep_keyspace(Box::new(self.table.start_over()));
        }
    }

    /// True while [`Store::reclaim`] has memory to free.
    pub fn has_leftovers(&self) -> bool {
        !self.discards.is_empty() || self.loose_database().is_some()
    }

    /// Frees discarded memory, in up to `budget` steps. A step takes some 100 microseconds. Also frees some
    /// of the memory that was reserved and not used.
    pub fn reclaim(&mut self, budget: usize) {
        if let Some(db) = self.loose_database() {
            self.within(db, |store| store.table.trim());
        }
        for _ in 0..budget {
            if self.discards.is_empty() {
                return;
            }
            self.discards.free_some();
        }
    }
}

/// One discarded thing that waits to be freed. It is boxed, because very many may wait, and the list of them
/// should take little memory.
#[derive(Debug)]
enum Discarded {
    /// A keyspace that was flushed.
    Keyspace(Box<Table>),
    /// A large value that was removed.
    Large(Large),
    /// A part of a stream that was removed.
    Part(Box<Leftovers>),
    /// An undo log that is not needed any more.
    Undo(Box<Undo>),
}

/// What one call of `free_piece` did.
pub enum Freed {
    /// It freed a piece, and there may be more.
    Something,
    /// Nothing is left to free. It may have freed the last piece just now.
    Nothing,
    /// It took out a large value, which must itself be freed piece by piece.
    Value(Large),
}

impl Freed {
    /// What a structure did that says whether it may have more to free.
    pub fn of(more: bool) -> Freed {
        if more { Freed::Something } else { Freed::Nothing }
    }
}

/// All discarded things that wait to be freed. The one that came last is freed first, because it was probably
/// allocated last.
#[derive(Debug, Default)]
pub struct Discards {
    waiting: Vec<Discarded>,
    /// Number of keyspaces that wait.
    keyspaces: usize,
    /// Bytes held by all that wait.
    bytes: usize,
}

impl Discards {
    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.bytes
    }

    /// Takes a large value and frees it: at once if it is small, later otherwise.
    #[inline]
    pub fn keep(&mut self, large: Option<Large>) {
        if let Some(large) = large {
            self.push(Discarded::Large(large));
        }
    }

    /// Takes a removed part of a stream and frees it: at once if it is small, later otherwise.
    pub fn keep_part(&mut self, part: Option<Leftovers>) {
        if let Some(part) = part.filter(|part| part.memory() > SMALL_PART_BYTES) {
            self.push(Discarded::Part(Box::new(part)));
        }
    }

    /// Takes an undo log and frees it: at once if it is small, later otherwise.
    pub fn keep_undo(&mut self, undo: Box<Undo>) {
        self.push(Discarded::Undo(undo));
    }

    /// Takes a keyspace and frees it: at once if it is small, later otherwise.
    pub fn keep_keyspace(&mut self, keyspace: Box<Table>) {
        // The number of waiting keyspaces is bounded. If clients fill and flush faster than the server frees,
        // the flush itself must free some first.
        while self.keyspaces >= KEYSPACES_MAX {
            self.free_some();
        }
        self.push(Discarded::Keyspace(keyspace));
    }

    /// Lets a discarded thing wait. A small one is freed at once instead.
    fn push(&mut self, discarded: Discarded) {
        if !discarded.is_small() {
            self.bytes += discarded.memory();
            self.keyspaces += usize::from(matches!(discarded, Discarded::Keyspace(_)));
            self.waiting.push(discarded);
        }
    }

    /// Frees some of what waits: one step, which takes some 100 microseconds.
    pub fn free_some(&mut self) {
        let before = self.bytes;
        for _ in 0..PIECES_PER_STEP {
            let Some(last) = self.waiting.last_mut() else { return };
            let held = last.memory();
            let freed = last.free_piece();
            let rest = last.memory();
            // A piece may be paid for with some memory at first, so there may be more than before.
            self.bytes = self.bytes + rest - held;
            match freed {
                Freed::Something => {}
                Freed::Value(large) => self.push(Discarded::Large(large)),
                Freed::Nothing => {
                    let gone = self.waiting.pop();
                    self.bytes -= rest;
                    self.keyspaces -= usize::from(matches!(gone, Some(Discarded::Keyspace(_))));
                    if self.waiting.is_empty() {
                        self.waiting = Vec::new();
                    }
                }
            }
            if before.saturating_sub(self.bytes) >= BYTES_PER_STEP {
                return;
            }
        }
    }
}

impl Discarded {
    /// Memory held, in bytes.
    fn memory(&self) -> usize {
        match self {
            Discarded::Keyspace(keyspace) => keyspace.memory(),
            Discarded::Large(large) => large.memory(),
            Discarded::Part(part) => part.memory(),
            Discarded::Undo(undo) => undo.memory(),
        }
    }

    /// True if it is so small that it may be freed at once.
    fn is_small(&self) -> bool {
        match self {
            Discarded::Keyspace(keyspace) => {
                self.memory() <= BYTES_PER_STEP && keyspace.bodies.len() <= PIECES_PER_STEP
            }
            Discarded::Large(large) => large.is_small(),
            Discarded::Part(part) => part.memory() <= SMALL_PART_BYTES,
            Discarded::Undo(undo) => undo.is_small(),
        }
    }

    /// Frees one piece.
    fn free_piece(&mut self) -> Freed {
        match self {
            Discarded::Keyspace(keyspace) => keyspace.free_piece(),
            Discarded::Large(large) => large.free_piece(),
            Discarded::Part(part) => Freed::of(part.free_piece()),
            Discarded::Undo(undo) => undo.free_piece(),
        }
    }
}

impl Table {
    /// Frees one piece of a discarded table.
    ///
    /// It frees first what was allocated last, and it frees blocks together with segments. The reason: some
    /// allocators return only the end of their heap to the system. In another order they would keep the whole
    /// heap until the last piece is free, and then return all of it in one long call.
    pub fn free_piece(&mut self) -> Freed {
        self.directory.free();
        if let Some(body) = self.bodies.pop() {
            self.tally.take(&body);
            return body.into_large().map_or(Freed::Something, Freed::Value);
        }
        let freed = self.bodies.pop_chunk() | self.segments.pop_chunk() | self.blocks.pop_chunk();
        Freed::of(freed)
    }
}
