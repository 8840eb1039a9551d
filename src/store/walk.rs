//! Operations that go over all keys, or choose one, instead of naming keys.

use std::collections::BTreeSet;

use super::Store;
use super::map::below;
use super::record::{Kind, Record};
use super::segment::ITEMS_MAX;
use super::table::Table;
use crate::base::{OutOfMemory, fault, memory};

/// How many random places are tried for a random key. A place may be empty, or its key may have expired.
const RANDOM_TRIES: usize = 1_000;

/// About how many bytes it takes to note one picked element.
const PICKED_BYTES: usize = 64;
/// How many random places are tried for a random field or member. Two or three are nearly always enough.
const PICK_TRIES: usize = 1_000;
/// A table is sparse if it has more places than this for each record.
const SPARSE_PLACES: usize = 16;
/// How many keys are then looked at one by one if all tries have failed.
const RANDOM_WALK_MAX: usize = 1_000;

impl Store {
    /// All keys that have not expired. Their order depends on the hash, so a client must not see it.
    pub fn keys(&self, now_ms: u64) -> impl Iterator<Item = &[u8]> {
        self.table
            .records()
            .filter(move |record| is_live(*record, now_ms))
            .map(|record| self.table.key_of(record))
    }

    /// One step of a scan: calls `visit` for about `count` of the next keys, beginning at `cursor`. If `kind`
    /// is given, only keys of that kind are visited. When `visit` returns false, the step ends after hardly
    /// any more keys.
    ///
    /// Returns the cursor for the next step. The cursor 0 begins a scan, and the step that returns 0 was the
    /// last. A key that exists during the whole scan is visited, whatever other keys come and go in the
    /// meantime. A number that is no cursor ends the scan at once.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        kind: Option<Kind>,
        now_ms: u64,
        mut visit: impl FnMut(&'a [u8]) -> bool,
    ) -> u64 {
        fault::point();
        let Some(position) = self.cursors.position(cursor) else { return 0 };
        let wanted =
            |record: Record<'_>| is_live(record, now_ms) && kind.is_none_or(|kind| record.kind() == kind);
        let next = self.table.scan(position, count, wanted, |record| visit(self.table.key_of(record)));
        self.cursors.cursor(next)
    }

    /// A new generator of random numbers, for [`Map::pick`](super::Map::pick) and
    /// [`Map::sample`](super::Map::sample): a map borrows the store, so it cannot use the store's own.
    pub fn dice(&mut self) -> Dice {
        Dice::new(self.dice.roll())
    }

    /// A random key that has not expired; every one is equally likely. `None` if there is no such key, or if
    /// nearly all keys have expired and the search has found none.
    pub fn random_key(&mut self, now_ms: u64) -> Option<&[u8]> {
        fault::point();
        for _ in 0..RANDOM_TRIES {
            let rolled = (self.dice.roll(), self.dice.roll());
            if self.table.pick(rolled).is_some_and(|record| is_live(record, now_ms)) {
                return self.table.pick(rolled).map(|record| self.table.key_of(record));
            }
        }
        // So few places hold a live key that no try has met one. The first live key has to do.
        let mut few = self.table.records().take(RANDOM_WALK_MAX);
        few.find(|record| is_live(*record, now_ms)).map(|record| self.table.key_of(record))
    }
}

impl Table {
    /// A random record of the table of a hash or a set that has not expired; every one is equally likely.
    pub(super) fn pick_live(&self, dice: &mut Dice, now_ms: u64) -> Option<Record<'_>> {
        let is_live = |record: &Record<'_>| is_live(*record, now_ms);
        let mut picks = (0..PICK_TRIES).map(|_| self.pick((dice.roll(), dice.roll())));
        let picked = picks.find_map(|record| record.filter(is_live));
        picked.or_else(|| self.records().find(is_live))
    }

    /// True if so few places of the table hold one of its `live` records that it takes long to pick one at random: many
    /// have been removed or have expired.
    pub(super) fn is_sparse(&self, live: usize) -> bool {
        live.saturating_mul(SPARSE_PLACES) < self.segments.len() * ITEMS_MAX
    }
}

/// A generator of random numbers (splitmix64). Not for secrets.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// A generator that begins with `seed`.
    pub fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// The next random number.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// What random things are chosen from: how many there are, and whether it takes long to pick one.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Number of things.
    pub len: usize,
    /// True if one pick takes about as long as to go over all things.
    pub is_sparse: bool,
}

/// `count` random things, which may repeat. `pick` picks a random one, and `all` has them all.
///
/// # Errors
/// [`OutOfMemory`] if the allocator refuses.
pub fn picks<T: Copy>(
    from: Choice,
    count: usize,
    dice: &mut Dice,
    pick: impl Fn(&mut Dice) -> Option<T>,
    all: impl Iterator<Item = T>,
) -> Result<Vec<T>, OutOfMemory> {
    if !from.is_sparse && count < from.len {
        return memory::collect((0..count).map_while(|_| pick(dice)));
    }
    let all = memory::collect(all)?;
    let picks = (0..count).map_while(|_| all.get(below(all.len(), dice.roll())).copied());
    memory::collect(picks)
}

/// `count` different random things, or all of them if there are no more. `pick` picks a random one, and `all` has them all.
///
/// # Errors
/// [`OutOfMemory`] if the allocator refuses.
pub fn sample<T: Ord>(
    from: Choice,
    count: usize,
    dice: &mut Dice,
    pick: impl Fn(&mut Dice) -> Option<T>,
    all: impl Iterator<Item = T>,
) -> Result<Vec<T>, OutOfMemory> {
    if !from.is_sparse && count.saturating_mul(3) < from.len {
        // Few of many are wanted, so hardly any pick repeats an earlier one.
        let mut chosen = BTreeSet::new();
        memory::charge(count * PICKED_BYTES)?;
        while chosen.len() < count {
            let Some(picked) = pick(dice) else { break };
            chosen.insert(picked);
        }
        return memory::collect(chosen.into_iter());
    }
    let mut all = memory::collect(all)?;
    for at in 0..count.min(all.len()) {
        let other = at + below(all.len() - at, dice.roll());
        all.swap(at, other);
    }
    all.truncate(count);
    Ok(all)
}

/// True if the item has not expired. `now_ms` is the Unix time in milliseconds.
pub fn is_live(record: Record<'_>, now_ms: u64) -> bool {
    record.expires_ms().is_none_or(|at| at > now_ms)
}
