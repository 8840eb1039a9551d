//! Names of fields that many small hashes have: each is kept once, and a packed hash holds its number.
//!
//! Nobody has to say which names these are. The list counts how often a name is given to a new field, and takes the name in once
//! that has happened [`SIGHTINGS`] times. It forgets names that come less often than those they collide with, so
//! random names hardly ever get in. A name stays for ever; so there is room for [`NAMES_MAX`] short ones, and a name
//! that finds no room is written out in each hash as before.
//!
//! The keyspaces of all databases share one list, because hashes move between them. It only grows, by one step at a time, so
//! readers need no lock.

use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicUsize, Ordering::Relaxed};

use ahash::RandomState;

use crate::base::memory;

/// Most names.
pub const NAMES_MAX: usize = 1_024;
/// Shortest name that is worth a number, in bytes: a number takes two, and a written name one more than its length.
const NAME_MIN: usize = 3;
/// Longest name that is taken in, in bytes.
const NAME_MAX: usize = 64;
/// How often a name is given to a new field before it is taken in.
const SIGHTINGS: u32 = 32;
/// Places of the index: twice as many as names, so that a search is short.
const PLACES: usize = 2 * NAMES_MAX;
/// Names that are counted at a time.
const COUNTED: usize = 1_024;
/// Bits of a count; the other bits say whose count it is.
const COUNT_BITS: u32 = 8;

/// The names that packed hashes share.
#[derive(Debug)]
pub struct Names {
    hasher: RandomState,
    /// The names. There is no list before a hash is packed.
    list: OnceLock<List>,
}

/// The names and their numbers.
#[derive(Debug)]
struct List {
    /// The names by number.
    names: Box<[OnceLock<Box<[u8]>>]>,
    /// How many names there are.
    len: AtomicUsize,
    /// Bytes of all names.
    bytes: AtomicUsize,
    /// Where the hash of a name points to, or in one of the next places, stands its number plus one. 0 is an empty place.
    index: Box<[AtomicU16]>,
    /// How often names were given to new fields: some bits of the name's hash, then its count.
    seen: Box<[AtomicU32]>,
}

impl Names {
    /// No names yet.
    pub fn new(hasher: RandomState) -> Names {
        Names { hasher, list: OnceLock::new() }
    }

    /// The name with this number, which [`Names::number`] or [`Names::learn`] has given.
    ///
    /// # Panics
    /// If no name has it.
    #[inline]
    pub fn name(&self, number: u16) -> &[u8] {
        let name = self.list.get().and_then(|list| list.names[usize::from(number)].get());
        name.expect("a packed hash holds only numbers that were given")
    }

    /// The number of `name`, if it has one.
    pub fn number(&self, name: &[u8]) -> Option<u16> {
        let hash = self.hash(name)?;
        self.list.get()?.find(name, hash).ok()
    }

    /// The number of `name`, which a new field gets. Counts it, and takes it in if it has come often enough.
    pub fn learn(&self, name: &[u8]) -> Option<u16> {
        let hash = self.hash(name)?;
        if self.list.get().is_none() {
            memory::charge(List::BYTES).ok()?;
        }
        let list = self.list.get_or_init(List::new);
        match list.find(name, hash) {
            Ok(number) => Some(number),
            Err(place) if list.count(hash) >= SIGHTINGS => list.take_in(name, hash, place),
            Err(_) => None,
        }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.list.get().map_or(0, |list| List::BYTES + list.bytes.load(Relaxed))
    }

    /// The hash of `name`; `None` if it is too short or too long to get a number.
    fn hash(&self, name: &[u8]) -> Option<u64> {
        if !(NAME_MIN..=NAME_MAX).contains(&name.len()) {
            return None;
        }
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        Some(hasher.finish())
    }
}

impl List {
    /// Bytes of a list without its names.
    const BYTES: usize = NAMES_MAX * size_of::<OnceLock<Box<[u8]>>>() + PLACES * 2 + COUNTED * 4;

    fn new() -> List {
        List {
            names: (0..NAMES_MAX).map(|_| OnceLock::new()).collect(),
            len: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            index: (0..PLACES).map(|_| AtomicU16::new(0)).collect(),
            seen: (0..COUNTED).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// The number of `name`, or the place of the index that it would get.
    fn find(&self, name: &[u8], hash: u64) -> Result<u16, usize> {
        let mut place = hash as usize % PLACES;
        loop {
            match self.index[place].load(Relaxed) {
                0 => return Err(place),
                number if self.names[usize::from(number) - 1].get().is_some_and(|known| **known == *name) => {
                    return Ok(number - 1);
                }
                // Half of the places are always empty.
                _ => place = (place + 1) % PLACES,
            }
        }
    }

    /// Where names with this hash are counted.
    fn counter(&self, hash: u64) -> &AtomicU32 {
        &self.seen[(hash >> 12) as usize % COUNTED]
    }

    /// Counts a name with this hash. Returns how often it has come.
    fn count(&self, hash: u64) -> u32 {
        let whose = (hash >> 32) as u32 >> COUNT_BITS;
        let before = self.counter(hash).load(Relaxed);
        let (owner, count) = (before >> COUNT_BITS, before & ((1 << COUNT_BITS) - 1));
        let (owner, count) = match count {
            // Two names share the place, and the one that comes more often keeps it.
            1.. if owner != whose => (owner, count - 1),
            0 => (whose, 1),
            _ => (whose, (count + 1).min(SIGHTINGS)),
        };
        self.counter(hash).store(owner << COUNT_BITS | count, Relaxed);
        if owner == whose { count } else { 0 }
    }

    /// Takes a name in. `None` if there is no room or no memory for it.
    fn take_in(&self, name: &[u8], hash: u64, place: usize) -> Option<u16> {
        let number = self.len.load(Relaxed);
        let mut copy = Vec::new();
        if number == NAMES_MAX || memory::reserve_exact(&mut copy, name.len()).is_err() {
            return None;
        }
        copy.extend_from_slice(name);
        self.names[number].set(copy.into_boxed_slice()).ok()?;
        self.index[place].store(number as u16 + 1, Relaxed);
        self.len.store(number + 1, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed) + name.len(), Relaxed);
        self.counter(hash).store(0, Relaxed);
        Some(number as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(RandomState::with_seeds(1, 2, 3, 4))
    }

    #[test]
    fn a_name_that_comes_often_gets_a_number_and_keeps_it() {
        let names = names();
        assert_eq!(names.memory(), 0);
        for sighting in 1..SIGHTINGS {
            assert_eq!(names.learn(b"email"), None, "after {sighting} sightings");
        }
        assert_eq!((names.learn(b"email"), names.number(b"email")), (Some(0), Some(0)));
        assert_eq!((names.name(0), names.memory()), (&b"email"[..], List::BYTES + 5));
        assert_eq!((names.number(b"emai"), names.number(b"emails")), (None, None));
        for short_or_long in [&b""[..], b"ab", &[b'x'; NAME_MAX + 1]] {
            assert!((0..2 * SIGHTINGS).all(|_| names.learn(short_or_long).is_none()));
        }
    }

    #[test]
    fn names_that_come_once_get_no_numbers_and_do_not_keep_others_out() {
        let names = names();
        for n in 0..100_000 {
            assert_eq!(names.learn(format!("field:{n}").as_bytes()), None);
            if n % 100 == 0 {
                names.learn(b"status");
            }
        }
        assert_eq!(names.number(b"status"), Some(0));
    }

    #[test]
    fn when_there_is_no_room_or_memory_a_name_stays_without_a_number() {
        let names = names();
        let often = |name: &[u8]| (0..SIGHTINGS).fold(None, |_, _| names.learn(name));
        memory::allow(0);
        assert_eq!(often(b"refused"), None);
        memory::allow(usize::MAX);
        for n in 0..NAMES_MAX {
            let name = format!("name{n}");
            assert_eq!(often(name.as_bytes()), Some(n as u16));
        }
        assert_eq!(often(b"refused"), None);
        let found = |n: usize| names.number(format!("name{n}").as_bytes()) == Some(n as u16);
        assert!((0..NAMES_MAX).all(found));
    }
}
