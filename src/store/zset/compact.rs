//! Compaction of the arena: recovers the bytes of holes.
//!
//! When too large a share of the arena is holes, the chunk with the largest share becomes the victim. Its items
//! move elsewhere, into holes of their size or to the tail, a few of them at each removal and each
//! reservation. Then the chunk is freed.
//!
//! While that goes on, a hole in the victim may not be filled again. So the victim's holes leave their lists, at
//! the latest when the evacuation reaches them.

use super::Zset;
use super::arena::{Arena, Chunk, Handle, handle_at, is_hole};
use super::room::{Need, weight};

/// Compaction begins when the holes have more than one part in this many of the bytes.
const HOLES_PART: usize = 7;
/// Compaction does not begin for fewer bytes of holes than this.
const HOLES_MIN: usize = 1 << 10;
/// Work of one removal or one new item. It suffices for four items or 24 holes.
const WORK: usize = 24;
/// Most work at once, however many items are reserved.
const WORK_MAX: usize = 64 * WORK;
/// Work that it takes to move an item. To pass over a hole is one piece of work.
const MOVE_WORK: usize = 6;

/// What an evacuation finds.
enum Found {
    /// An item to move.
    Item(Handle),
    /// A hole, which is in no list any more.
    Hole,
    /// Nothing more: the victim has been freed.
    End,
}

impl Arena {
    /// True if a chunk is being evacuated or should be. Chooses the chunk.
    fn is_evacuating(&mut self) -> bool {
        let holes = self.filled - self.live;
        if self.victim.is_none() && holes > HOLES_MIN && holes > self.filled / HOLES_PART {
            // The share of items, in 1/65,536.
            let share = |live: usize, len: usize| (live << 16) / len;
            let used = self.chunks.iter().enumerate().filter(|(_, chunk)| !chunk.bytes.is_empty());
            let victim = used.min_by_key(|(_, chunk)| share(chunk.live, chunk.bytes.len()));
            self.victim = victim.map(|(number, _)| (number, 0));
            if self.victim == Some((self.tail, 0)) {
                self.tail = usize::MAX;
            }
        }
        self.victim.is_some()
    }

    /// Goes on to the next item or hole of the victim.
    fn evacuate(&mut self) -> Found {
        let Some((number, offset)) = self.victim else { return Found::End };
        let chunk = &self.chunks[number].bytes;
        if offset == chunk.len() {
            self.filled -= chunk.len();
            self.held -= weight(chunk);
            self.chunks[number] = Chunk::default();
            self.victim = None;
            return Found::End;
        }
        let handle = handle_at(number, offset);
        if is_hole(chunk[offset]) {
            self.pass(handle);
            self.unlink(handle);
            Found::Hole
        } else {
            Found::Item(handle)
        }
    }

    /// Notes that the evacuation is done with the item or hole `handle`, which is the next one of the victim.
    fn pass(&mut self, handle: Handle) {
        let size = Arena::size_of(self.bytes(handle));
        if let Some((_, offset)) = &mut self.victim {
            *offset += size;
        }
    }
}

impl Zset {
    /// Compacts the arena for a while: as long as `items` new items may take.
    #[inline]
    pub(super) fn compact(&mut self, items: usize) {
        if self.arena.is_evacuating() {
            self.evacuate(items.saturating_mul(WORK).min(WORK_MAX));
        }
    }

    #[inline(never)]
    fn evacuate(&mut self, mut work: usize) {
        while work > 0 {
            match self.arena.evacuate() {
                Found::Item(handle) => {
                    if !self.move_item(handle) {
                        return;
                    }
                    work = work.saturating_sub(MOVE_WORK);
                }
                Found::Hole => work -= 1,
                Found::End => return,
            }
        }
    }

    /// Moves the next item of the victim. Returns false if there is no room for it.
    fn move_item(&mut self, old: Handle) -> bool {
        let size = Arena::size_of(self.arena.bytes(old));
        let need = Need { items: 1, bytes: size, widest: size };
        if !self.arena.takes(size) && self.arena.try_reserve(need).is_err() {
            return false;
        }
        let hash = self.hash(self.arena.member(old));
        let new = self.arena.copy(old);
        self.index.replace(hash, old, new);
        self.tree.replace(&self.arena, old, new);
        self.arena.pass(old);
        self.arena.abandon(old);
        true
    }
}
