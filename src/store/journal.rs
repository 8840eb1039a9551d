//! The journal of effects: it tells listeners what happened to which key.
//!
//! While somebody listens, the store notes an effect with every change, and commands add the events that Redis has
//! names for. The listeners read the effects after each command. Their memory is bounded: if there are too many of them, or the
//! allocator refuses, the journal drops them all and only remembers that effects were lost. The listener must
//! then assume that every key has changed.

use crate::base::memory;

/// Most bytes of keys that the journal keeps.
const KEY_BYTES_MAX: usize = 16 << 20;
/// Most effects that the journal keeps.
const EFFECTS_MAX: usize = 1 << 20;

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A command wrote its value or changed its time of expiry.
    Set,
    /// A command wrote it, and there was no key of this name before.
    Created,
    /// A command removed it.
    Removed,
    /// The store removed it because it had expired.
    Expired,
    /// The store removed it because memory had run out.
    Evicted,
    /// All keys of the database were removed.
    Flushed,
    /// The database has other keys now: those of another database.
    Swapped,
    /// Clients that wait for the key must look at it again. For everybody else it has not changed.
    Roused,
    /// A command told of an event. What it changed is noted besides.
    Told(Event),
}

/// An event that Redis has a name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The class.
    pub class: Class,
    /// The name.
    pub name: &'static str,
}

/// The classes of events that commands tell of, as Redis has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Events of keys of any kind.
    Generic,
    /// Events of strings.
    String,
    /// Events of hashes.
    Hash,
    /// Events of sets.
    Set,
    /// Events of lists.
    List,
    /// Events of sorted sets.
    Zset,
    /// Events of streams.
    Stream,
    /// A command looked for a key that is not there.
    Miss,
}

/// Who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Clients that watch keys.
    Watches = 1,
    /// Those who want to hear of events, and not only of changes.
    Events = 2,
    /// Clients that keep copies of keys.
    Tracking = 4,
    /// Clients that wait for keys.
    Waits = 8,
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

/// Memory for keys that an empty journal keeps, in bytes.
const SPARE_BYTES: usize = 64 << 10;
/// Room for effects that an empty journal keeps.
const SPARE_EFFECTS: usize = 1 << 10;

/// Effects that the listeners are reading.
#[derive(Debug, Default)]
pub struct Effects {
    /// True if effects were lost because there were too many, or no memory for them. The listeners must then assume
    /// that every key has changed.
    pub lost: bool,
    keys: Vec<u8>,
    entries: Vec<Entry>,
    /// The events among so many first effects were told before.
    told: usize,
}

impl Effects {
    /// The effects in the order in which they happened.
    pub fn iter(&self) -> impl Iterator<Item = Effect<'_>> {
        self.iter_from(0)
    }

    /// Those whose events were not told before. Does not look at the others: a script may publish after each of many changes.
    pub fn untold(&self) -> impl Iterator<Item = Effect<'_>> {
        self.iter_from(self.told)
    }

    fn iter_from(&self, first: usize) -> impl Iterator<Item = Effect<'_>> {
        let mut start = if first == 0 { 0 } else { self.entries[first - 1].key_end };
        self.entries[first..].iter().map(move |&Entry { key_end, db, what }| {
            let key = &self.keys[std::mem::replace(&mut start, key_end)..key_end];
            Effect { db, key, what }
        })
    }
}

/// Which effects were noted up to some time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    effects: usize,
    key_bytes: usize,
}

/// The effects since [`Journal::take`] was last called.
#[derive(Debug, Default)]
pub struct Journal {
    /// Who listens: a bit for each [`Listener`].
    listening: u8,
    /// True if there are effects, or if some were dropped. One test tells.
    news: bool,
    /// True if effects were dropped.
    lost: bool,
    /// The keys of all effects, one after the other.
    keys: Vec<u8>,
    /// The effects, in the order in which they happened.
    effects: Vec<Entry>,
    /// The events among so many first effects were told.
    told: usize,
}

impl Journal {
    /// A listener begins or stops to listen. When the last one stops, what was noted before is forgotten.
    pub fn listen(&mut self, who: Listener, on: bool) {
        let bit = who as u8;
        self.listening = if on { self.listening | bit } else { self.listening & !bit };
        if self.listening == 0 {
            *self = Journal::default();
        }
    }

    /// True if somebody wants the events.
    #[inline]
    pub fn wants_events(&self) -> bool {
        self.listening & Listener::Events as u8 != 0
    }

    /// Notes an effect if somebody listens.
    #[inline]
    pub fn note(&mut self, db: u16, key: &[u8], what: What) {
        if self.listening != 0 {
            self.keep(db, key, what);
        }
    }

    /// Not inlined: while nobody listens, a write pays for one test only.
    #[inline(never)]
    fn keep(&mut self, db: u16, key: &[u8], what: What) {
        self.news = true;
        let key_end = self.keys.len() + key.len();
        let too_many = key_end > KEY_BYTES_MAX || self.effects.len() >= EFFECTS_MAX;
        if self.lost
            || too_many
            || memory::reserve(&mut self.keys, key.len()).is_err()
            || memory::reserve(&mut self.effects, 1).is_err()
        {
            self.forget();
            (self.news, self.lost) = (true, true);
            return;
        }
        self.keys.extend_from_slice(key);
        self.effects.push(Entry { key_end, db, what });
    }

    /// True if there are effects to read, or if effects were lost.
    #[inline]
    pub fn has_news(&self) -> bool {
        self.news
    }

    /// Marks the effects that there are.
    pub fn mark(&self) -> Mark {
        Mark { effects: self.effects.len(), key_bytes: self.keys.len() }
    }

    /// Forgets all effects since the mark. If effects were lost meanwhile, they are still said to be.
    pub fn rewind(&mut self, mark: &Mark) {
        self.effects.truncate(mark.effects);
        self.keys.truncate(mark.key_bytes);
        // What was told since then is taken back too.
        self.told = 0;
        self.news = self.lost || !self.effects.is_empty();
    }

    /// Takes the effects out. [`Journal::put_back`] takes their memory back.
    pub fn take(&mut self) -> Effects {
        self.news = false;
        let (lost, told) = (std::mem::take(&mut self.lost), std::mem::take(&mut self.told));
        Effects {
            lost,
            keys: std::mem::take(&mut self.keys),
            entries: std::mem::take(&mut self.effects),
            told,
        }
    }

    /// Takes effects back whose events were told. The other listeners have not read them.
    pub fn keep_told(&mut self, effects: Effects) {
        let Effects { lost, keys, entries, .. } = effects;
        (self.news, self.lost, self.told) = (lost || !entries.is_empty(), lost, entries.len());
        (self.keys, self.effects) = (keys, entries);
    }

    /// Takes back the memory of effects that the listeners have read.
    pub fn put_back(&mut self, effects: Effects) {
        if self.listening != 0 && self.effects.is_empty() {
            let Effects { keys, entries, .. } = effects;
            if keys.capacity() <= SPARE_BYTES && entries.capacity() <= SPARE_EFFECTS {
                (self.keys, self.effects) = (keys, entries);
                self.forget();
            }
        }
    }

    /// Forgets all effects, and that some were lost.
    fn forget(&mut self) {
        self.keys.clear();
        self.effects.clear();
        (self.news, self.lost, self.told) = (false, false, 0);
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
        journal.listen(Listener::Watches, true);
        for (key, what) in [(&b"a"[..], What::Set), (b"", What::Removed), (b"ccc", What::Expired)] {
            journal.note(7, key, what);
        }
        let told = journal.take();
        assert!(told.iter().all(|effect| effect.db == 7));
        let effects: Vec<_> = told.iter().map(|effect| (effect.key, effect.what)).collect();
        assert_eq!(effects, [(&b"a"[..], What::Set), (b"", What::Removed), (b"ccc", What::Expired)]);
        journal.put_back(told);
        assert!(!journal.has_news());
        journal.note(0, b"d", What::Set);
        journal.listen(Listener::Events, true);
        journal.listen(Listener::Watches, false);
        assert!(journal.has_news() && journal.wants_events(), "one still listens");
        journal.listen(Listener::Events, false);
        assert!(!journal.has_news() && journal.memory() == 0);
    }

    #[test]
    fn too_much_to_keep_is_said_to_be_lost() {
        let fill = |journal: &mut Journal, key: &[u8], count: usize| {
            (0..count).for_each(|_| journal.note(0, key, What::Set));
        };
        for (key, fitting) in [(&[7; 1 << 10][..], KEY_BYTES_MAX >> 10), (b"", EFFECTS_MAX)] {
            let mut journal = Journal::default();
            journal.listen(Listener::Watches, true);
            fill(&mut journal, key, fitting);
            let told = |journal: &mut Journal| {
                let effects = journal.take();
                (effects.lost, effects.iter().count())
            };
            assert_eq!(told(&mut journal), (false, fitting));
            fill(&mut journal, key, fitting);
            fill(&mut journal, key, 2);
            assert!(journal.has_news());
            assert_eq!(told(&mut journal), (true, 0));
            fill(&mut journal, key, 1);
            assert_eq!(told(&mut journal), (false, 1));
        }
        let mut journal = Journal::default();
        journal.listen(Listener::Watches, true);
        memory::allow(10);
        fill(&mut journal, b"key", 1);
        memory::allow(usize::MAX);
        assert!(journal.take().lost);
    }
}
