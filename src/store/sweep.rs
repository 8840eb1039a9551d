//! The sweep: removes the keys whose time of expiry has passed, segment by segment, as the agenda says.

use super::Store;
use super::agenda::NEVER;
use super::journal::What;
use super::segment::ITEMS_MAX;
use super::table::Table;

/// To look at the keys of a segment costs the sweep as much of its budget as the removal of this many keys.
const LOOK_COST: usize = 16;
/// Longest time between two looks of the sweep at the keys of one segment, milliseconds. A key that has expired is removed
/// at most this much later. More often costs more: a look takes some microseconds.
pub const LOOK_PAUSE_MAX_MS: u64 = 500;
/// Most overdue segments in which the overdue keys are counted. The others are estimated from these.
const COUNTED_MAX: usize = 16;

/// The keys that have expired and have not been removed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// Number of keys. It is exact if they are in few segments, else an estimate.
    pub keys: usize,
    /// How long ago the first of them expired at most, in milliseconds.
    pub oldest_ms: u64,
}

impl Store {
    /// When the sweep is due next, in Unix milliseconds; `None` if no key expires.
    pub fn next_expiry(&self) -> Option<u64> {
        self.next_due().map(|(at_ms, _)| at_ms)
    }

    /// Removes expired keys of all databases, until none is left or `budget` is spent: a removal costs one, and a look at the keys
    /// of a segment 16. Returns how many keys it removed.
    ///
    /// The sweep looks at a segment again after `pause_ms` at the earliest. So it finds the keys that expire one
    /// after another in one look, and a key stays for at most that time. The pause is at most [`LOOK_PAUSE_MAX_MS`].
    pub fn sweep(&mut self, now_ms: u64, budget: usize, pause_ms: u64) -> usize {
        debug_assert!(pause_ms <= LOOK_PAUSE_MAX_MS);
        let (here, mut removed, mut spent) = (self.selected(), 0, 0);
        let mut expired = [0; ITEMS_MAX];
        while spent < budget
            && let Some((at_ms, db)) = self.next_due()
            && at_ms <= now_ms
        {
            self.select(db);
            let number = self.table.agenda.first().expect("a segment is due");
            let (found, next_ms) = self.table.look(number, now_ms, &mut expired);
            let count = found.min(budget - spent);
            if count == found {
                let next_ms = next_ms.map_or(NEVER, |at_ms| at_ms.max(now_ms.saturating_add(pause_ms)));
                self.table.agenda.put(&mut self.table.segments, number, next_ms);
            }
            for &hash in &expired[..count] {
                let overdue = |at_ms: u64| at_ms <= now_ms;
                let place = self.table.find_record(hash, |record| {
                    record.expires_ms().is_some_and(overdue) && self.table.hash_of(record) == hash
                });
                let place = place.expect("nobody else removes a key meanwhile");
                self.take(What::Expired, place);
            }
            removed += count;
            spent += count + LOOK_COST;
        }
        self.select(here);
        removed
    }

    /// The keys of the selected database that have expired and have not been removed yet. Looks at a few segments only.
    pub fn overdue(&self, now_ms: u64) -> Overdue {
        let (mut segments, mut looked, mut keys, mut due_ms) = (0, 0, 0, now_ms);
        let mut expired = [0; ITEMS_MAX];
        self.table.agenda.visit_due(&self.table.segments, now_ms, |number| {
            segments += 1;
            if looked < COUNTED_MAX {
                let found = self.table.look(number, now_ms, &mut expired).0;
                looked += 1;
                keys += found;
                if found > 0 {
                    due_ms = due_ms.min(self.table.segments.get(number).due_ms);
                }
            }
            true
        });
        Overdue { keys: keys * segments / looked.max(1), oldest_ms: now_ms - due_ms }
    }
}

impl Table {
    /// When the sweep is due next, in Unix milliseconds; `None` if no item expires.
    pub(super) fn next_expiry(&self) -> Option<u64> {
        let first = self.agenda.first().filter(|_| self.expiring > 0)?;
        Some(self.segments.get(first).due_ms)
    }

    /// Looks at all items of segment `number`. Fills `expired` with the hashes of those that have expired.
    /// Returns how many these are, and when the next of the others expires, in Unix milliseconds.
    fn look(&self, number: u32, now_ms: u64, expired: &mut [u64; ITEMS_MAX]) -> (usize, Option<u64>) {
        let (mut found, mut next_ms) = (0, None);
        let segment = self.segments.get(number);
        for cell in segment.cells() {
            let record = self.record_at(segment, segment.spot(cell));
            match record.expires_ms() {
                Some(at_ms) if at_ms <= now_ms => {
                    expired[found] = self.hash_of(record);
                    found += 1;
                }
                Some(at_ms) => next_ms = Some(next_ms.map_or(at_ms, |next: u64| next.min(at_ms))),
                None => {}
            }
        }
        (found, next_ms)
    }
}
