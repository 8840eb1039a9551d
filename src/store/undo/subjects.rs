//! The keys that the steps of the undo log name, each by a number. It also knows which of them are saved.
//!
//! A key is saved if a step puts back all of it, whatever it holds then. What happens to the key after that step is noted
//! nowhere. Only this file knows the numbers. It may forget which key has which number, and that keys are saved: then a key
//! is noted again under another number, which costs memory and nothing else.

use std::collections::HashMap;

use ahash::RandomState;

use crate::base::memory;
use crate::store::chunked::{Chunked, Size};
use crate::store::discard::Freed;

/// A key.
#[derive(Debug)]
pub struct Subject {
    /// The number of its database.
    pub db: u16,
    /// The period in which it was saved. It is not saved in a later one.
    saved_in: u32,
    /// The hash of the key.
    pub hash: u64,
    /// The key.
    pub key: Box<[u8]>,
}

/// The keys by number.
#[derive(Debug)]
pub struct Subjects {
    list: Chunked<Subject>,
    /// The number of a key, by its hash and database. If two keys have the same hash, it has the last one.
    index: HashMap<u64, u32, RandomState>,
    /// Bytes of all keys.
    key_bytes: usize,
    /// Begins anew whenever databases are swapped, because a number then means other keys. Never 0.
    period: u32,
}

impl Default for Subjects {
    fn default() -> Subjects {
        let index = HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4));
        Subjects { list: Chunked::new(Size::Small), index, key_bytes: 0, period: 1 }
    }
}

/// Bytes of an entry of the index.
const ENTRY: usize = size_of::<(u64, u32)>() + 1;
/// How many keys one call of [`Subjects::free_piece`] frees.
const FREED: usize = 16;

impl Subjects {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.list.memory() + self.key_bytes + self.index.capacity() * ENTRY
    }

    /// The key with this number.
    pub fn get(&self, number: u32) -> &Subject {
        self.list.get(number)
    }

    /// The number of `key`, whose hash is `hash`, in database `db`.
    pub fn number(&mut self, db: u16, hash: u64, key: &[u8]) -> u32 {
        let place = hash ^ u64::from(db) << 48;
        if let Some(number) = self.index.get(&place) {
            let there = self.list.get(*number);
            if (there.db, &*there.key) == (db, key) {
                return *number;
            }
        }
        let _ = self.list.try_reserve(1);
        let number = self.list.push(Subject { db, saved_in: 0, hash, key: key.into() });
        self.key_bytes += key.len();
        self.make_room();
        self.index.insert(place, number);
        number
    }

    /// Makes room in the index for one more key. Without memory for that, the index begins anew.
    fn make_room(&mut self) {
        let (len, room) = (self.index.len(), self.index.capacity());
        if len == room
            && (memory::charge(2 * room * ENTRY).is_err() || self.index.try_reserve(len.max(1)).is_err())
        {
            self.index.clear();
        }
    }

    /// True if later changes of the key need not be noted.
    pub fn is_saved(&self, number: u32) -> bool {
        self.list.get(number).saved_in == self.period
    }

    /// Notes whether later changes of the key need not be noted.
    pub fn set_saved(&mut self, number: u32, saved: bool) {
        self.list.get_mut(number).saved_in = if saved { self.period } else { 0 };
    }

    /// Forgets all keys, and keeps memory for others.
    pub fn clear(&mut self) {
        self.list.clear();
        self.index.clear();
        (self.key_bytes, self.period) = (0, 1);
    }

    /// From now on no key is saved.
    pub fn begin_period(&mut self) {
        self.period += 1;
    }

    /// Frees some keys.
    pub fn free_piece(&mut self) -> Freed {
        if self.index.capacity() > 0 {
            self.index = HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4));
        }
        for _ in 0..FREED {
            let Some(subject) = self.list.pop() else { return Freed::Nothing };
            self.key_bytes -= subject.key.len();
        }
        Freed::Something
    }

    /// Asserts that the keys are counted right. For tests.
    ///
    /// # Panics
    /// If they are not.
    pub fn audit(&self) {
        let bytes: usize = self.list.iter().map(|subject| subject.key.len()).sum();
        assert_eq!(bytes, self.key_bytes, "the keys of the undo log are counted wrong");
    }
}
