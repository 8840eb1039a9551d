//! The sweep removes expired keys. It goes from segment to segment, and the agenda says which one comes next. It removes the
//! expired fields of a hash in the same way: the hash has an agenda of its own.

use super::Store;
use super::agenda::NEVER;
use super::journal::{Class, Event, What};
use super::record::{Kind, Record};
use super::segment::ITEMS_MAX;
use super::table::{Place, Table};
use super::walk::is_live;

/// To look at the keys of a segment costs the sweep as much of its budget as the removal of this many keys.
const LOOK_COST: usize = 16;
/// Longest time between two looks of the sweep at the keys of one segment, milliseconds. A key that has expired is removed
/// at most this much later. More often costs more: a look takes some microseconds.
pub const LOOK_PAUSE_MAX_MS: u64 = 500;
/// Most overdue segments in which the overdue keys are counted. The others are estimated from these.
const COUNTED_MAX: usize = 16;

/// Some fields of a hash have expired.
const HEXPIRED: Event = Event { class: Class::Hash, name: "hexpired" };
/// No field was left, so the key is gone.
const DEL: Event = Event { class: Class::Generic, name: "del" };

/// The keys that have expired and have not been removed yet. A hash some of whose fields have expired counts as one.
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

    /// Removes expired keys of all databases and expired fields of hashes, until none is left or `budget` is spent: a removal
    /// costs one, and a look at the keys of a segment 16. Returns how many keys and fields it removed.
    ///
    /// The sweep looks at a segment again after `pause_ms` at the earliest. So it finds the keys that expire one
    /// after another in one look, and a key stays for at most that time. The pause is at most [`LOOK_PAUSE_MAX_MS`].
    /// Nothing is removed while changes may be taken back.
    pub fn sweep(&mut self, now_ms: u64, budget: usize, pause_ms: u64) -> usize {
        debug_assert!(pause_ms <= LOOK_PAUSE_MAX_MS);
        if self.undo.is_some() {
            return 0;
        }
        let (here, mut removed, mut spent) = (self.selected(), 0, 0);
        let mut expired = [0; ITEMS_MAX];
        while spent < budget
            && let Some((at_ms, db)) = self.next_due()
            && at_ms <= now_ms
        {
            self.select(db);
            let count = self.table.look_at_first(now_ms, budget - spent, pause_ms, &mut expired);
            for &hash in &expired[..count] {
                if spent >= budget {
                    // The fields of one hash have taken what was left.
                    self.table.hasten(hash, Some(now_ms));
                    break;
                }
                let place = self.table.find_due(hash, now_ms).expect("nobody else removes a key meanwhile");
                let taken = if is_live(self.table.record(place), now_ms) {
                    self.expire_fields(place, now_ms, budget - spent)
                } else {
                    self.take(What::Expired, place);
                    1
                };
                removed += taken;
                spent += taken;
            }
            spent += LOOK_COST;
        }
        self.select(here);
        removed
    }

    /// Removes expired fields of the hash at `place`, about `budget` of them at most but at least some. Removes the key with
    /// the last one. Returns how many fields it removed.
    fn expire_fields(&mut self, place: Place, now_ms: u64, budget: usize) -> usize {
        let record = self.table.record(place);
        let (hash, number) =
            (self.table.hash_of(record), record.body().expect("fields that expire are in a table"));
        let (removed, left, next_ms) = self.table.with_body(number, |body| {
            let fields = body.map_mut();
            let removed = fields.remove_expired(now_ms, budget);
            (removed, fields.len(), fields.next_expiry())
        });
        self.changes.expired_fields += removed as u64;
        let key = self.table.key_of(self.table.record(place));
        if removed > 0 {
            self.changes.note(What::Set, key);
            self.changes.tell(HEXPIRED, key);
        }
        if left == 0 {
            self.changes.tell(DEL, key);
            self.take(What::Removed, place);
        } else {
            self.table.hasten(hash, next_ms);
        }
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
        let first = self.agenda.first().filter(|_| self.expiring + self.tally.volatile > 0)?;
        Some(self.segments.get(first).due_ms)
    }

    /// When something of this item expires: itself, or one of its fields. `None` means never.
    pub(super) fn due(&self, record: Record<'_>) -> Option<u64> {
        let fields = match record.kind() {
            Kind::Hash => record.body().and_then(|number| self.bodies.get(number).next_field_expiry()),
            _ => None,
        };
        record.expires_ms().into_iter().chain(fields).min()
    }

    /// Finds an item with this hash for which [`Table::due`] is not after `now_ms`.
    fn find_due(&self, hash: u64, now_ms: u64) -> Option<Place> {
        let is_due = |record: Record<'_>| self.due(record).is_some_and(|at_ms| at_ms <= now_ms);
        self.find_record(hash, |record| is_due(record) && self.hash_of(record) == hash)
    }

    /// Number of items that have expired and have not been removed yet.
    pub(super) fn overdue(&self, now_ms: u64) -> usize {
        if self.next_expiry().is_none_or(|at_ms| at_ms > now_ms) {
            return 0;
        }
        let (mut overdue, mut expired) = (0, [0; ITEMS_MAX]);
        self.agenda.visit_due(&self.segments, now_ms, |number| {
            overdue += self.look(number, now_ms, &mut expired).0;
            true
        });
        overdue
    }

    /// Removes expired items of a hash until none is left or `budget` is spent. Returns how many it removed. It looks at one
    /// segment at least.
    fn remove_expired(&mut self, now_ms: u64, budget: usize) -> usize {
        let (mut removed, mut expired) = (0, [0; ITEMS_MAX]);
        while self.next_expiry().is_some_and(|at_ms| at_ms <= now_ms) {
            let count = self.look_at_first(now_ms, ITEMS_MAX, 0, &mut expired);
            for &hash in &expired[..count] {
                let place = self.find_due(hash, now_ms).expect("nobody else removes an item meanwhile");
                self.remove(place);
                self.trim();
            }
            removed += count;
            if removed >= budget {
                break;
            }
        }
        removed
    }

    /// Looks at the items of the segment that is first in the agenda, which must have one. Fills `expired` with the hashes
    /// of those that have expired, and returns how many these are, at most `most`. If these are all, the agenda gets the
    /// time of the next look at this segment, at least `pause_ms` from now.
    fn look_at_first(
        &mut self,
        now_ms: u64,
        most: usize,
        pause_ms: u64,
        expired: &mut [u64; ITEMS_MAX],
    ) -> usize {
        let number = self.agenda.first().expect("a segment is due");
        let (found, next_ms) = self.look(number, now_ms, expired);
        if found <= most {
            let next_ms = next_ms.map_or(NEVER, |at_ms| at_ms.max(now_ms.saturating_add(pause_ms)));
            self.agenda.put(&mut self.segments, number, next_ms);
        }
        found.min(most)
    }

    /// Looks at all items of segment `number`. Fills `expired` with the hashes of those that are due.
    /// Returns how many these are, and when the next of the others is due, in Unix milliseconds.
    fn look(&self, number: u32, now_ms: u64, expired: &mut [u64; ITEMS_MAX]) -> (usize, Option<u64>) {
        let (mut found, mut next_ms) = (0, None);
        let segment = self.segments.get(number);
        for cell in segment.cells() {
            let record = self.record_at(segment, segment.spot(cell));
            match self.due(record) {
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
