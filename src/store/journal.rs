//! What has happened to which keys, for those who must know: so far transactions that watch keys.
//!
//! The store notes an effect for every change, but only while a room listens. The listener reads the effects after each
//! command and then forgets them. Their memory is bounded. If there are too many, or memory is refused, the journal
//! only keeps the fact that some were lost. Then the listener must assume that every key has changed.

use crate::base::memory;

/// Bytes of keys that are kept, at most.
const KEY_BYTES_MAX: usize = 1 << 20;
/// Effects that are kept, at most.
const EFFECTS_MAX: usize = 1 << 16;

/// What has happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Its value was written, or its time of expiry changed.
    Set,
    /// It was removed.
    Removed,
    /// Its time had come.
    Expired,
    /// All keys were removed; the effect names none.
    Flushed,
}

/// A change: where its key ends in the arena; it begins where the one before ends.
#[derive(Clone, Copy, Debug)]
struct Effect {
    key_end: usize,
    what: What,
}

/// The effects since they were last forgotten.
#[derive(Debug, Default)]
pub struct Journal {
    listening: bool,
    lost: bool,
    /// The keys of all effects, one behind the other.
    keys: Vec<u8>,
    effects: Vec<Effect>,
}

impl Journal {
    /// Begins or ends to note effects.
    pub fn listen(&mut self, on: bool) {
        if on != self.listening {
            *self = Journal { listening: on, ..Journal::default() };
        }
    }

    /// Notes an effect, if a room listens.
    #[inline]
    pub fn note(&mut self, key: &[u8], what: What) {
        if self.listening {
            self.keep(key, what);
        }
    }

    #[inline(never)]
    fn keep(&mut self, key: &[u8], what: What) {
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
        self.effects.push(Effect { key_end, what });
    }

    /// True if there is something to be read.
    #[inline]
    pub fn has_news(&self) -> bool {
        self.lost || !self.effects.is_empty()
    }

    /// True if effects were lost: any key may have changed.
    pub fn lost(&self) -> bool {
        self.lost
    }

    /// The effects in the order in which they happened.
    pub fn effects(&self) -> impl Iterator<Item = (&[u8], What)> {
        let starts = std::iter::once(0).chain(self.effects.iter().map(|effect| effect.key_end));
        starts.zip(&self.effects).map(|(start, effect)| (&self.keys[start..effect.key_end], effect.what))
    }

    /// Forgets them.
    pub fn forget(&mut self) {
        self.keys.clear();
        self.effects.clear();
        self.lost = false;
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.keys.capacity() + self.effects.capacity() * size_of::<Effect>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_read_in_order_and_only_while_somebody_listens() {
        let mut journal = Journal::default();
        journal.note(b"unheard", What::Set);
        assert!(!journal.has_news());
        journal.listen(true);
        for (key, what) in [(&b"a"[..], What::Set), (b"", What::Removed), (b"ccc", What::Expired)] {
            journal.note(key, what);
        }
        let effects: Vec<_> = journal.effects().collect();
        assert_eq!(effects, [(&b"a"[..], What::Set), (b"", What::Removed), (b"ccc", What::Expired)]);
        journal.forget();
        assert!(!journal.has_news());
        journal.note(b"d", What::Set);
        journal.listen(false);
        assert!(!journal.has_news() && journal.memory() == 0);
    }

    #[test]
    fn too_much_to_keep_is_said_to_be_lost() {
        let fill = |journal: &mut Journal, key: &[u8], count: usize| {
            (0..count).for_each(|_| journal.note(key, What::Set));
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
