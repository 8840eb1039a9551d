//! Eviction: removes keys that are worth least, to make room.
//!
//! A hand walks over the tables bucket by bucket, in the order of the hash: splits and merges do not disturb it. Of the keys
//! in the bucket where it stands, and perhaps in the next ones, it evicts the one that was used least lately, as the
//! [sketch](super::sketch) says. A new
//! key competes with its neighbours only when the hand comes by, and a key that is read once, as in a scan, goes before
//! the others.

use super::Store;
use super::agenda::NEVER;
use super::databases::Size;
use super::journal::What;
use super::record::Record;
use super::segment::{BUCKETS, Cell};
use super::sketch::Sketch;
use super::table::{Place, Table};

/// Most buckets that one eviction looks at.
const BUCKETS_LOOKED_MAX: usize = BUCKETS;

/// Most segments without a key that expires in which a search for the soonest looks.
const STALE_MAX: usize = 4;
/// How often an eviction tries to find a key. A try may meet a segment without keys.
const TRIES: usize = 16;
/// Most buckets with candidates among which it chooses.
const BUCKETS_COMPARED: usize = 4;

/// Which keys may be evicted, and which of them goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// True if only keys with a time of expiry may be evicted.
    pub expiring_only: bool,
    /// Which key goes first.
    pub first: First,
}

/// Which of several keys is evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The one with the fewest uses, recent ones above all. Stands for LRU.
    LeastRecent,
    /// The one with the fewest uses over a longer time. Stands for LFU.
    LeastFrequent,
    /// Any.
    Random,
    /// The one that expires soonest.
    SoonestExpiry,
}

/// Where the next eviction looks, and how often keys were used.
#[derive(Debug, Default)]
pub struct Evictor {
    policy: Option<Policy>,
    /// How often keys were used; `None` if the policy does not ask.
    sketch: Option<Box<Sketch>>,
    /// The database in which the hand stands.
    db: u16,
    /// The first hash of the segment in which the hand stands.
    hash: u64,
    /// The bucket in which it stands.
    bucket: usize,
    /// The first hash of the segment that the hand has just left. The memory of the keys that it has evicted there is to be
    /// given back, or the limit would cost more keys than need be.
    left: Option<u64>,
    /// How many uses the keys had that were evicted lately, in sixteenths.
    bar: u16,
}

/// Where an item is. The table does not change while the hand looks around.
#[derive(Clone, Copy, Debug)]
struct Found {
    number: u32,
    cell: Cell,
}

impl Evictor {
    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.sketch.as_ref().map_or(0, |sketch| sketch.memory())
    }
}

impl Store {
    /// Chooses how keys are evicted. `None` if they are not: then the store does not note their uses.
    pub fn set_policy(&mut self, policy: Option<Policy>) {
        let first = policy.map(|policy| policy.first);
        if self.evictor.policy.map(|policy| policy.first) != first {
            let halving = match first {
                Some(First::LeastRecent) => Some(10),
                Some(First::LeastFrequent) => Some(40),
                Some(First::Random | First::SoonestExpiry) | None => None,
            };
            self.evictor.sketch = halving.map(|halving| Box::new(Sketch::new(halving)));
        }
        self.evictor.policy = policy;
    }

    /// True if the policy asks how often keys are used.
    pub fn wants_uses(&self) -> bool {
        self.evictor.sketch.is_some()
    }

    /// A command has used `key`. Does nothing if there is no such key.
    pub fn note_use(&mut self, key: &[u8]) {
        let hash = self.table.hash(key);
        if let Some(sketch) = &mut self.evictor.sketch
            && self.table.find(hash, key).is_some()
        {
            sketch.count(hash);
        }
    }

    /// Lets the sketch of uses grow with the number of keys. Without memory for that, it stays as it is.
    pub fn fit_uses(&mut self) {
        if self.evictor.sketch.is_some() {
            let keys = self.sizes().map(|(_, size)| size.keys).sum();
            if let Some(sketch) = &mut self.evictor.sketch {
                let _ = sketch.fit(keys);
            }
        }
    }

    /// About how often `key` was used lately; `None` if the policy does not ask, or if there is no such key.
    pub fn uses(&mut self, key: &[u8], now_ms: u64) -> Option<u8> {
        let hash = self.table.hash(key);
        self.find(key, now_ms)?;
        self.evictor.sketch.as_ref().map(|sketch| sketch.uses(hash))
    }

    /// Evicts one key. Returns false if it has found none that may be evicted, and while changes may be taken back: what is
    /// removed then frees no memory. Leaves the database of that key selected.
    pub fn evict(&mut self) -> bool {
        let Some(policy) = self.evictor.policy.filter(|_| self.undo.is_none()) else { return false };
        (0..TRIES).any(|_| self.evict_at_hand(policy))
    }

    /// Evicts one key near the hand, if there is one that may go.
    fn evict_at_hand(&mut self, policy: Policy) -> bool {
        let Some(db) = self.database_to_evict_from(policy) else { return false };
        self.select(db);
        let Some(place) = self.victim(policy) else { return false };
        self.take(What::Evicted, place);
        if let Some(hash) = self.evictor.left.take() {
            self.table.pack_littered(self.table.directory.segment(hash));
        }
        true
    }

    /// Bytes that were removed and wait to be freed.
    pub fn waiting_bytes(&self) -> usize {
        self.discards.memory()
    }

    /// The database in which the hand stands, or the next one that has keys which may be evicted.
    fn database_to_evict_from(&mut self, policy: Policy) -> Option<u16> {
        let from = self.evictor.db;
        let all = || {
            let may_go = |size: &Size| !policy.expiring_only || size.expiring > 0;
            self.sizes().filter(move |(_, size)| may_go(size)).map(|(db, _)| db)
        };
        let db = all().find(|db| *db >= from).or_else(|| all().next())?;
        if db != from {
            (self.evictor.db, self.evictor.hash, self.evictor.bucket) = (db, 0, 0);
        }
        Some(db)
    }

    /// The key of the selected database that is evicted next.
    fn victim(&mut self, policy: Policy) -> Option<Place> {
        if policy.first == First::SoonestExpiry {
            return self.table.soonest();
        }
        let (mut best, mut looked) = (None, 0);
        for _ in 0..BUCKETS_LOOKED_MAX {
            let found = self.least_used_here(policy);
            looked += usize::from(found.is_some());
            best = [best, found].into_iter().flatten().min_by_key(|(uses, _): &(u8, Found)| *uses);
            self.advance();
            // A bucket may hold nothing but keys that are used often. So the hand looks on until it has found one that was
            // used no more than those that went before.
            if best.is_some_and(|(uses, _)| {
                u16::from(uses) * 16 <= self.evictor.bar || looked == BUCKETS_COMPARED
            }) {
                break;
            }
        }
        let Some((uses, Found { number, cell })) = best else {
            // So few keys expire that the hand has met none. The agenda knows where they are.
            return if policy.expiring_only { self.table.soonest() } else { None };
        };
        self.evictor.bar = (self.evictor.bar * 15 + u16::from(uses) * 16).div_ceil(16);
        Some(self.table.place_of(number, cell))
    }

    /// Of the items in the bucket where the hand stands, the one with the fewest uses, and how many these are.
    fn least_used_here(&self, policy: Policy) -> Option<(u8, Found)> {
        let Evictor { sketch, hash, bucket, .. } = &self.evictor;
        let table = &self.table;
        let number = table.directory.segment(*hash);
        let candidates = table.segments.get(number).bucket(*bucket).filter_map(|cell| {
            let record = table.record_in(number, cell);
            let may_go = !policy.expiring_only || record.expires_ms().is_some();
            let uses = |sketch: &Sketch| sketch.uses(table.hash_of(record));
            may_go.then(|| (sketch.as_deref().map_or(0, uses), Found { number, cell }))
        });
        candidates.min_by_key(|(uses, _)| *uses)
    }

    /// Moves the hand to the next bucket.
    fn advance(&mut self) {
        self.evictor.bucket += 1;
        if self.evictor.bucket < BUCKETS {
            return;
        }
        self.evictor.bucket = 0;
        let number = self.table.directory.segment(self.evictor.hash);
        self.evictor.left = Some(self.evictor.hash);
        let segment = self.table.segments.get(number);
        let next = segment.depth.checked_sub(1).map(|_| (segment.prefix + 1) << (64 - segment.depth));
        // Behind the last segment the next hash is 0, by overflow, and another database is next.
        self.evictor.hash = next.unwrap_or_default();
        if self.evictor.hash == 0 {
            self.evictor.db = self.evictor.db.wrapping_add(1);
        }
    }
}

impl Table {
    /// The item that expires first. It is going to be removed, so the agenda forgets its time.
    fn soonest(&mut self) -> Option<Place> {
        for _ in 0..STALE_MAX {
            let number = self.agenda.first().filter(|_| self.expiring > 0)?;
            let cells = self.segments.get(number).cells();
            let (mut first, mut next_ms) = (None, NEVER);
            for (at_ms, cell) in
                cells.filter_map(|cell| Some((self.record_in(number, cell).expires_ms()?, cell)))
            {
                match first {
                    Some((first_ms, _)) if first_ms <= at_ms => next_ms = next_ms.min(at_ms),
                    _ => {
                        next_ms = first.map_or(NEVER, |(first_ms, _)| first_ms);
                        first = Some((at_ms, cell));
                    }
                }
            }
            self.agenda.put(&mut self.segments, number, next_ms);
            if let Some((_, cell)) = first {
                return Some(self.place_of(number, cell));
            }
        }
        None
    }

    fn record_in(&self, number: u32, cell: Cell) -> Record<'_> {
        let segment = self.segments.get(number);
        self.record_at(segment, segment.spot(cell))
    }

    fn place_of(&self, number: u32, cell: Cell) -> Place {
        let segment = self.segments.get(number);
        let spot = segment.spot(cell);
        Place { segment: number, cell, block: segment.block_of(spot), offset: spot.offset() as u16 }
    }
}
