//! The keyspace: byte strings to byte strings, each with an optional time of expiry.
//!
//! This room knows neither protocol nor clients. Its invariants: every key with an expiry time is
//! in the expiry index exactly once with that time, and no other key is; `bytes` is the sum of the
//! lengths of all keys, values and keys in the index. What a client sizes is allocated in
//! [`Store::prepare`], which can fail; what changes the table afterwards cannot panic half-way,
//! so a command that prepares first and
//! commits last is atomic even if it panics.

use std::collections::BTreeSet;

use ahash::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::base::{OutOfMemory, fault, memory};

/// When a value written by [`Store::commit`] expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// When the value it replaces would have; never if there was none.
    Keep,
    /// At this Unix time in milliseconds.
    At(u64),
}

/// A key and value with their memory in hand, ready for [`Store::commit`].
#[derive(Debug)]
pub struct Prepared {
    key: Box<[u8]>,
    value: Vec<u8>,
}

#[derive(Debug)]
struct Item {
    value: Vec<u8>,
    expires_ms: Option<u64>,
}

/// The table of all keys.
#[derive(Debug)]
pub struct Store {
    items: HashMap<Box<[u8]>, Item, RandomState>,
    expiries: BTreeSet<(u64, Box<[u8]>)>,
    bytes: usize,
    expired: u64,
}

impl Store {
    /// An empty store whose hash is seeded with `seed`, so that nobody outside can know which keys
    /// collide.
    pub fn new(seed: u64) -> Store {
        let spread = RandomState::with_seeds(seed, !seed, seed.rotate_left(32), 0x9e37_79b9_7f4a_7c15);
        let hash = |n: u64| spread.hash_one(n);
        let hasher = RandomState::with_seeds(hash(1), hash(2), hash(3), hash(4));
        Store { items: HashMap::with_hasher(hasher), expiries: BTreeSet::new(), bytes: 0, expired: 0 }
    }

    /// Number of keys, those included that have expired and not been met yet.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True without keys.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Number of keys with an expiry time.
    pub fn expiring(&self) -> usize {
        self.expiries.len()
    }

    /// Number of keys that have been removed because their time had come, since the start.
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// An estimate of the memory held, in bytes: keys, values and the table's slots.
    pub fn memory(&self) -> usize {
        let slot = size_of::<(Box<[u8]>, Item)>() + 1;
        let index = size_of::<(u64, Box<[u8]>)>();
        self.bytes + self.items.capacity() * slot + self.expiries.len() * index
    }

    /// The value of `key`, unless it has expired.
    #[inline]
    pub fn get(&mut self, key: &[u8], now_ms: u64) -> Option<&[u8]> {
        fault::point();
        self.drop_if_expired(key, now_ms);
        self.items.get(key).map(|item| &item.value[..])
    }

    /// True if `key` exists and has not expired.
    pub fn contains(&mut self, key: &[u8], now_ms: u64) -> bool {
        self.get(key, now_ms).is_some()
    }

    /// When `key` expires: `None` if there is no such key, `Some(None)` if it never does.
    pub fn expiry(&mut self, key: &[u8], now_ms: u64) -> Option<Option<u64>> {
        fault::point();
        self.drop_if_expired(key, now_ms);
        self.items.get(key).map(|item| item.expires_ms)
    }

    /// Copies `key` and `value` into memory of their own and makes sure that the table has room for
    /// `count` such entries.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn prepare(&mut self, key: &[u8], value: &[u8], count: usize) -> Result<Prepared, OutOfMemory> {
        fault::point();
        memory::ask(count.saturating_mul(size_of::<(Box<[u8]>, Item)>()))?;
        self.items.try_reserve(count).map_err(|_| OutOfMemory)?;
        Ok(Prepared { key: owned(key)?.into_boxed_slice(), value: owned(value)? })
    }

    /// Makes room for `count` more bytes behind the value of `key`, so that [`Store::append`] only
    /// copies those; false if there is no such key. Building a value piece by piece costs its
    /// length, not the square of it.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn prepare_append(&mut self, key: &[u8], count: usize) -> Result<bool, OutOfMemory> {
        fault::point();
        let Some(item) = self.items.get_mut(key) else { return Ok(false) };
        memory::reserve(&mut item.value, count)?;
        Ok(true)
    }

    /// Appends to the value of `key`, after [`Store::prepare_append`] for as many bytes or more.
    pub fn append(&mut self, key: &[u8], tail: &[u8]) {
        if let Some(item) = self.items.get_mut(key) {
            item.value.extend_from_slice(tail);
            self.bytes += tail.len();
        }
    }

    /// Puts what was prepared into the table. Cannot fail or panic half-way.
    pub fn commit(&mut self, entry: Prepared, expiry: Expiry) {
        let Prepared { key, value } = entry;
        let before = self.items.get(&key).and_then(|item| item.expires_ms);
        let expires_ms = expiry.over(before);
        self.reindex(&key, before, expires_ms);
        match self.items.entry(key) {
            Entry::Occupied(mut entry) => {
                let item = entry.get_mut();
                self.bytes = self.bytes - item.value.len() + value.len();
                *item = Item { value, expires_ms };
            }
            Entry::Vacant(entry) => {
                self.bytes += entry.key().len() + value.len();
                entry.insert(Item { value, expires_ms });
            }
        }
    }

    /// Changes when `key` expires, if it exists: at a Unix time in milliseconds, or never.
    pub fn expire(&mut self, key: &[u8], expires_ms: Option<u64>) {
        if let Some(item) = self.items.get_mut(key) {
            let before = std::mem::replace(&mut item.expires_ms, expires_ms);
            self.reindex(key, before, expires_ms);
        }
    }

    /// Removes `key`; false if there is none.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Some((key, item)) = self.items.remove_entry(key) else { return false };
        self.bytes -= key.len() + item.value.len();
        self.reindex(&key, item.expires_ms, None);
        true
    }

    /// Removes every key. Frees all memory at once, which takes time in proportion to what there was.
    pub fn clear(&mut self) {
        self.items = HashMap::with_hasher(self.items.hasher().clone());
        self.expiries = BTreeSet::new();
        self.bytes = 0;
    }

    /// All keys that have not expired, in no order that may be shown to a client.
    pub fn keys(&self, now_ms: u64) -> impl Iterator<Item = &[u8]> {
        self.items
            .iter()
            .filter(move |(_, item)| item.expires_ms.is_none_or(|at| at > now_ms))
            .map(|(key, _)| &**key)
    }

    /// The earliest time, Unix milliseconds, at which a key expires.
    pub fn next_expiry(&self) -> Option<u64> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Removes up to `budget` expired keys, the longest expired first; returns how many.
    pub fn sweep(&mut self, now_ms: u64, budget: usize) -> usize {
        let mut removed = 0;
        while removed < budget && self.expiries.first().is_some_and(|(at, _)| *at <= now_ms) {
            if let Some((_, key)) = self.expiries.pop_first()
                && let Some(item) = self.items.remove(&key)
            {
                self.bytes -= 2 * key.len() + item.value.len();
            }
            removed += 1;
        }
        self.expired += removed as u64;
        removed
    }

    /// Asserts the invariants of this room by walking all of it. For tests.
    ///
    /// # Panics
    /// If one does not hold.
    pub fn audit(&self) {
        let bytes: usize = self.items.iter().map(|(key, item)| key.len() + item.value.len()).sum();
        let indexed: usize = self.expiries.iter().map(|(_, key)| key.len()).sum();
        assert_eq!(bytes + indexed, self.bytes, "the count of bytes is off");
        let expiring = self.items.values().filter(|item| item.expires_ms.is_some()).count();
        assert_eq!(expiring, self.expiries.len(), "the expiry index has lost or invented keys");
        for (at, key) in &self.expiries {
            assert_eq!(self.items.get(key).and_then(|item| item.expires_ms), Some(*at));
        }
    }

    #[inline]
    fn drop_if_expired(&mut self, key: &[u8], now_ms: u64) {
        if self.next_expiry().is_some_and(|at| at <= now_ms)
            && self.items.get(key).is_some_and(|item| item.expires_ms.is_some_and(|at| at <= now_ms))
        {
            self.remove(key);
            self.expired += 1;
        }
    }

    fn reindex(&mut self, key: &[u8], before: Option<u64>, after: Option<u64>) {
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.expiries.remove(&(at, key.into()));
            self.bytes -= key.len();
        }
        if let Some(at) = after {
            self.expiries.insert((at, key.into()));
            self.bytes += key.len();
        }
    }
}

impl Expiry {
    fn over(self, before: Option<u64>) -> Option<u64> {
        match self {
            Expiry::Never => None,
            Expiry::Keep => before,
            Expiry::At(ms) => Some(ms),
        }
    }
}

fn owned(bytes: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut copy = Vec::new();
    memory::reserve_exact(&mut copy, bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &mut Store, key: &[u8], value: &[u8], expiry: Expiry) {
        let entry = store.prepare(key, value, 1).unwrap();
        store.commit(entry, expiry);
        store.audit();
    }

    #[test]
    fn a_key_is_gone_the_millisecond_it_expires() {
        let mut store = Store::new(1);
        put(&mut store, b"k", b"v", Expiry::At(100));
        assert_eq!(store.get(b"k", 99), Some(&b"v"[..]));
        assert_eq!(store.get(b"k", 100), None);
        store.audit();
        assert_eq!((store.len(), store.expired()), (0, 1));
    }

    #[test]
    fn overwriting_keeps_or_drops_the_expiry_as_told() {
        let mut store = Store::new(1);
        put(&mut store, b"k", b"v", Expiry::At(100));
        put(&mut store, b"k", b"w", Expiry::Keep);
        assert_eq!(store.expiry(b"k", 0), Some(Some(100)));
        put(&mut store, b"k", b"x", Expiry::Never);
        assert_eq!(store.expiry(b"k", 0), Some(None));
        store.expire(b"k", Some(7));
        store.audit();
        assert_eq!(store.next_expiry(), Some(7));
    }

    #[test]
    fn a_sweep_stays_within_its_budget() {
        let mut store = Store::new(1);
        for n in 0..10_u8 {
            put(&mut store, &[n], b"v", Expiry::At(u64::from(n)));
        }
        assert_eq!(store.sweep(7, 5), 5);
        assert_eq!(store.sweep(7, 5), 3);
        assert_eq!(store.sweep(7, 5), 0);
        store.audit();
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn emptied_is_as_new() {
        let mut store = Store::new(1);
        put(&mut store, b"k", b"v", Expiry::At(100));
        store.clear();
        store.audit();
        assert!(store.is_empty());
        assert_eq!(store.next_expiry(), None);
    }
}
