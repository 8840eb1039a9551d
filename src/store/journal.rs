//! The journal of effects: it tells a listener what happened to which key. So far, only transactions that
//! watch keys need it.
//!
//! While somebody listens, the store notes an effect with every change. The listener reads the effects
//! after each command and then forgets them. Their memory is bounded: if there are too many of them, or the
//! allocator refuses, the journal drops them all and only remembers that effects were lost. The listener must
//! then assume that every key has changed.

use crate::base::memory;

/// Most bytes of keys that the journal keeps.
const KEY_BYTES_MAX: usize = 1 << 20;
/// Most effects that the journal keeps.
const EFFECTS_MAX: usize = 1 << 16;

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A command wrote its value or changed its time of expiry.
    Set,
    /// A command removed it.
    Removed,
    /// The store removed it because it had expired.
    Expired,
    /// All keys of the database were removed.
    Flushed,
    /// The database has other keys now: those of another database.
    Swapped,
}

/// What happened to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect<'a> {
    /// The number of the database.
    pub db: u16,
    /// The key; empty if all keys of the database are meant.
    pub key: &'a [u8],
    /// What happened to it.
    pub what: What,
}

/// An effect whose key lies in [`Journal::keys`].
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where the key ends in [`Journal::keys`]. It begins where the key of the effect before ends.
    key_end: usize,
    db: u16,
    what: What,
}

/// The effects since [`Journal::forget`] was last called.
#[derive(Debug, Default)]
pub struct Journal {
    /// True while somebody listens.
    listening: bool,
    /// True if effects were dropped.
    lost: bool,
    /// The keys of all effects, one after the other.
    keys: Vec<u8>,
    /// The effects, in the order in which they happened.
    effects: Vec<Entry>,
}

impl Journal {
    /// Starts or stops noting effects. What was noted before is forgotten.
    pub fn listen(&mut self, on: bool) {
        if on != self.listening {
            *self = Journal { listening: on, ..Journal::default() };
        }
    }

    /// Notes an effect if somebody listens.
    #[inline]
    pub fn note(&mut self, db: u16, key: &[u8], what: What) {
        if self.listening {
            self.keep(db, key, what);
        }
    }

    /// Not inlined: while nobody listens, a write pays for one test only.
    #[inline(never)]
    fn keep(&mut self, db: u16, key: &[u8], what: What) {
        let key_end = self.keys.len() + key.len();
        let too_many = key_end > KEY_BYTES_MAX || self.effects.len() >= EFFECTS_MAX;
        if self.lost
            || too_many
            || memory::reserve(&mut self.keys, key.len()).is_err()
            || memory::reserve(&mut self.effects, 1).is_err()
        {
            self.forget();
            self.lost = true;
            return;
        }
        self.keys.extend_from_slice(key);
        self.effects.push(Entry { key_end, db, what });
    }

    /// True if there are effects to read, or if effects were lost.
    #[inline]
    pub fn has_news(&self) -> bool {
        self.lost || !self.effects.is_empty()
    }

    /// True if effects were lost, so that any key may have changed.
    pub fn lost(&self) -> bool {
        self.lost
    }

    /// The effects in the order in which they happened.
    pub fn effects(&self) -> impl Iterator<Item = Effect<'_>> {
        let starts = std::iter::once(0).chain(self.effects.iter().map(|entry| entry.key_end));
        starts.zip(&self.effects).map(|(start, &Entry { key_end, db, what })| Effect {
            db,
            key: &self.keys[start..key_end],
            what,
        })
    }

    /// Forgets all effects, and that some were lost.
    pub fn forget(&mut self) {
        self.keys.clear();
        self.effects.clear();
        self.lost = false;
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.keys.capacity() + self.effects.capacity() * size_of::<Entry>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_read_in_order_and_only_while_somebody_listens() {
        let mut journal = Journal::default();
        journal.note(0, b"unheard", What::Set);
        assert!(!journal.has_news());
        journal.listen(true);
        for (key, what) in [(&b"a"[..], What::Set), (b"", What::Removed), (b"ccc", What::Expired)] {
            journal.note(7, key, what);
        }
        assert!(journal.effects().all(|effect| effect.db == 7));
        let effects: Vec<_> = journal.effects().map(|effect| (effect.key, effect.what)).collect();
        assert_eq!(effects, [(&b"a"[..], What::Set), (b"", What::Removed), (b"ccc", What::Expired)]);
        journal.forget();
        assert!(!journal.has_news());
        journal.note(0, b"d", What::Set);
        journal.listen(false);
        assert!(!journal.has_news() && journal.memory() == 0);
    }

    #[test]
    fn too_much_to_keep_is_said_to_be_lost() {
        let fill = |journal: &mut Journal, key: &[u8], count: usize| {
            (0..count).for_each(|_| journal.note(0, key, What::Set));
        };
        for (key, fitting) in [(&[7; 1 << 10][..], 1 << 10), (b"", EFFECTS_MAX)] {
            let mut journal = Journal::default();
            journal.listen(true);
            fill(&mut journal, key, fitting);
            assert_eq!((journal.lost(), journal.effects().count()), (false, fitting));
            fill(&mut journal, key, 2);
            assert!(journal.lost() && journal.has_news() && journal.effects().count() == 0);
            journal.forget();
            fill(&mut journal, key, 1);
            assert_eq!((journal.lost(), journal.effects().count()), (false, 1));
        }
        let mut journal = Journal::default();
        journal.listen(true);
        memory::allow(10);
        fill(&mut journal, b"key", 1);
        memory::allow(usize::MAX);
        assert!(journal.lost());
    }
}
