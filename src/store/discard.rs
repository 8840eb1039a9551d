//! Keyspaces and large hashes that have been removed at once and are freed piece by piece.

use super::Store;
use super::body::Fields;
use super::expiries::Expiries;
use super::table::Table;

/// Flushed keyspaces that wait to be freed.
const KEYSPACES_MAX: usize = 8;
/// Pieces freed in a step, unless their bytes end it sooner.
const PIECES_PER_STEP: usize = 256;
/// Bytes after which a step ends: as much as a chunk of the table.
const BYTES_PER_STEP: usize = 1 << 20;
/// Entries of the expiry index that are one piece.
const EXPIRIES_PER_PIECE: usize = 4;
/// A hash of no more bytes than this, and no more bodies, is freed at once.
const SMALL_BYTES: usize = 64 << 10;
const SMALL_BODIES: usize = 16;

impl Store {
    /// Removes every key. [`Store::reclaim`] frees their memory.
    pub fn clear(&mut self) {
        if !self.is_empty() {
            let table = self.table.start_over();
            self.discards.keep_keyspace(Box::new(Keyspace { table, expiries: self.changes.note_flush() }));
        }
    }

    /// True while something is left to be freed.
    pub fn has_leftovers(&self) -> bool {
        !self.discards.is_empty() || self.table.is_loose()
    }

    /// Frees discarded values, in up to `budget` steps of about 100 microseconds, and some memory that was reserved
    /// and not used.
    pub fn reclaim(&mut self, budget: usize) {
        self.table.trim();
        for _ in 0..budget {
            if self.discards.is_empty() {
                return;
            }
            self.discards.free_some();
        }
    }
}

/// A keyspace that was flushed.
#[derive(Debug)]
struct Keyspace {
    table: Table,
    expiries: Expiries,
}

/// A value that waits to be freed. It is as small as a pointer and a tag, because very many may wait.
#[derive(Debug)]
enum Discarded {
    Keyspace(Box<Keyspace>),
    Hash(Box<Fields>),
}

/// What one step of freeing has done.
enum Freed {
    Something,
    Nothing,
    /// A hash with a table was taken out, which must itself be freed piece by piece.
    Body(Box<Fields>),
}

/// All values that wait to be freed. The last one is freed first, because it was probably allocated last.
#[derive(Debug, Default)]
pub struct Discards {
    waiting: Vec<Discarded>,
    keyspaces: usize,
    /// Bytes that all of it holds.
    bytes: usize,
}

impl Discards {
    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.bytes
    }

    /// Frees the fields of a hash, now or later.
    #[inline]
    pub fn keep(&mut self, fields: Option<Box<Fields>>) {
        if let Some(fields) = fields {
            self.push(Discarded::Hash(fields));
        }
    }

    fn keep_keyspace(&mut self, keyspace: Box<Keyspace>) {
        // A client that fills and flushes faster than that waits for it.
        while self.keyspaces >= KEYSPACES_MAX {
            self.free_some();
        }
        self.push(Discarded::Keyspace(keyspace));
    }

    /// Small ones are freed at once.
    fn push(&mut self, discarded: Discarded) {
        if !discarded.is_small() {
            self.bytes += discarded.memory();
            self.keyspaces += usize::from(matches!(discarded, Discarded::Keyspace(_)));
            self.waiting.push(discarded);
        }
    }

    /// Frees some of them, for about 100 microseconds.
    pub fn free_some(&mut self) {
        let before = self.bytes;
        for _ in 0..PIECES_PER_STEP {
            let Some(last) = self.waiting.last_mut() else { return };
            let held = last.memory();
            let freed = last.free_piece();
            self.bytes -= held - last.memory();
            match freed {
                Freed::Something => {}
                Freed::Body(fields) => self.push(Discarded::Hash(fields)),
                Freed::Nothing => {
                    let gone = self.waiting.pop();
                    self.bytes -= held;
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
    fn memory(&self) -> usize {
        match self {
            Discarded::Keyspace(keyspace) => keyspace.table.memory() + keyspace.expiries.memory(),
            Discarded::Hash(fields) => fields.memory(),
        }
    }

    /// True if one step can free all of it.
    fn is_small(&self) -> bool {
        match self {
            Discarded::Keyspace(keyspace) => {
                self.memory() <= BYTES_PER_STEP
                    && keyspace.table.bodies.len() <= PIECES_PER_STEP
                    && keyspace.expiries.len() <= PIECES_PER_STEP * EXPIRIES_PER_PIECE
            }
            Discarded::Hash(fields) => {
                fields.memory() <= SMALL_BYTES && fields.table.bodies.len() <= SMALL_BODIES
            }
        }
    }

    /// Frees one piece of it.
    fn free_piece(&mut self) -> Freed {
        let (table, expiries) = match self {
            Discarded::Keyspace(keyspace) => (&mut keyspace.table, Some(&mut keyspace.expiries)),
            Discarded::Hash(fields) => (&mut fields.table, None),
        };
        match table.free_piece() {
            Freed::Nothing if expiries.is_some_and(free_expiries) => Freed::Something,
            freed => freed,
        }
    }
}

fn free_expiries(expiries: &mut Expiries) -> bool {
    (0..EXPIRIES_PER_PIECE).fold(false, |freed, _| expiries.pop_first().is_some() || freed)
}

impl Table {
    /// Frees one piece of a table that is no longer used.
    ///
    /// What was allocated last goes first, and blocks and segments go together: an allocator that
    /// returns only the end of its heap would otherwise keep all of it until one last piece is
    /// free, and then return it in one long call.
    fn free_piece(&mut self) -> Freed {
        self.directory.free();
        if let Some(body) = self.bodies.pop() {
            self.body_bytes -= body.memory();
            return body.into_fields().map_or(Freed::Something, Freed::Body);
        }
        let freed = self.bodies.pop_chunk() | self.segments.pop_chunk() | self.blocks.pop_chunk();
        if freed { Freed::Something } else { Freed::Nothing }
    }
}
