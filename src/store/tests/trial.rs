//! A store whose keys hold one kind of value, compared with a model of it and with a replica that follows its effects.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::*;

/// What a key of a trial holds.
pub trait Value: Clone + Debug + PartialEq {
    /// What `key` holds; `None` if there is no such key. Never finds that a key has expired.
    fn read(store: &mut Store, key: &[u8]) -> Option<Self>;
}

/// A store, a model of it, and random steps that are done to both.
pub struct Trial<V> {
    pub rng: StdRng,
    pub store: Store,
    /// What the store should hold: for each key its value and its time of expiry, in Unix milliseconds.
    pub model: BTreeMap<Vec<u8>, (V, Option<u64>)>,
    /// A copy of the store that is only updated for keys that an effect names.
    replica: BTreeMap<Vec<u8>, (V, Option<u64>)>,
    /// The time, in Unix milliseconds.
    pub now_ms: u64,
    /// True if the steps add more than they remove.
    pub grows: bool,
}

impl<V: Value> Trial<V> {
    pub fn new(seed: u64) -> Trial<V> {
        let mut store = Store::new(seed);
        store.listen(Listener::Watches, true);
        let (model, replica) = (BTreeMap::new(), BTreeMap::new());
        Trial { rng: StdRng::seed_from_u64(seed), store, model, replica, now_ms: 0, grows: true }
    }

    /// One of a few keys, of very different lengths. The model has forgotten it if it has expired.
    pub fn key(&mut self) -> Vec<u8> {
        let key = vec![b'k'; 1 + self.rng.random_range(0..6_usize) * 60];
        let now_ms = self.now_ms;
        if self.model.get(&key).is_some_and(|(_, at)| at.is_some_and(|at| at <= now_ms)) {
            self.model.remove(&key);
        }
        key
    }

    /// The value that the model has for `key`.
    pub fn value(&mut self, key: &[u8]) -> Option<&mut V> {
        self.model.get_mut(key).map(|(value, _)| value)
    }

    /// Something that can be done to any kind of value.
    pub fn disturb(&mut self) {
        let (key, other, now_ms) = (self.key(), self.key(), self.now_ms);
        let lives = self.store.contains(&key, now_ms);
        assert_eq!(lives, self.model.contains_key(&key));
        match self.rng.random_range(0..100) {
            0..20 if lives => {
                let at = self.rng.random_bool(0.5).then(|| now_ms + self.rng.random_range(1..50));
                self.store.prepare_expiry(&key).unwrap();
                self.store.expire(&key, at);
                self.model.get_mut(&key).expect("it is there").1 = at;
            }
            20..30 => {
                let rename = self.store.prepare_rename(&key, &other, 0, now_ms).unwrap();
                assert_eq!(rename.is_some(), lives);
                if let Some(rename) = rename.filter(|_| key != other) {
                    self.store.commit_rename(rename);
                    let moved = self.model.remove(&key).expect("it lives");
                    self.model.insert(other, moved);
                }
            }
            30..40 => {
                let copied = self.store.prepare_copy(&key, &other, 0, now_ms).unwrap();
                assert_eq!(copied.is_some(), lives);
                if let Some(copied) = copied.filter(|_| key != other) {
                    self.store.commit_whole(copied);
                    self.model.insert(other, self.model[&key].clone());
                }
            }
            40..42 => {
                assert_eq!(self.store.remove(&key, now_ms), lives);
                self.model.remove(&key);
            }
            42..44 => {
                let value = vec![7; self.rng.random_range(0..1_000)];
                put(&mut self.store, &key, &value, Expiry::Never);
                assert_eq!(self.store.get(&key, now_ms), Ok(Some(&value[..])));
                self.listen();
                self.store.remove(&key, now_ms);
                self.model.remove(&key);
            }
            44 if self.rng.random_bool(0.1) => {
                self.store.clear();
                self.model.clear();
            }
            45..60 => {
                self.now_ms += 1;
                self.store.sweep(self.now_ms, 3, 1);
            }
            _ => self.store.reclaim(1),
        }
    }

    /// Reads the effects, and updates the replica for the keys that they name.
    pub fn listen(&mut self) {
        let told = self.store.take_effects();
        assert!(!told.lost);
        for effect in told.iter() {
            match effect.what {
                What::Flushed => self.replica.clear(),
                What::Set | What::Created => {
                    let at = self.store.expiry(effect.key, 0);
                    match V::read(&mut self.store, effect.key).zip(at) {
                        Some(held) => drop(self.replica.insert(effect.key.to_vec(), held)),
                        // It holds a string, or a later effect says that it was removed.
                        None => drop(self.replica.remove(effect.key)),
                    }
                }
                What::Removed | What::Expired => drop(self.replica.remove(effect.key)),
                What::Swapped | What::Evicted | What::Told(_) | What::Roused => {
                    unreachable!("no step does that")
                }
            }
        }
        self.store.put_back_effects(told);
    }

    /// Asserts that store, model and replica are equal.
    pub fn compare(&mut self) {
        let now_ms = self.now_ms;
        self.store.audit();
        self.store.sweep(now_ms, usize::MAX, 1);
        self.listen();
        self.model.retain(|_, (_, at)| at.is_none_or(|at| at > now_ms));
        self.replica.retain(|_, (_, at)| at.is_none_or(|at| at > now_ms));
        assert_eq!(self.store.len(), self.model.len());
        for (key, (value, at)) in &self.model {
            assert_eq!(V::read(&mut self.store, key).as_ref(), Some(value));
            assert_eq!(self.store.expiry(key, now_ms), Some(*at));
        }
        assert!(self.replica == self.model, "a change had no effect noted");
    }

    /// Removes all keys, and asserts that their memory comes back.
    pub fn end(mut self) {
        for key in std::mem::take(&mut self.model).into_keys() {
            self.store.remove(&key, self.now_ms);
            self.store.audit();
        }
        while self.store.has_leftovers() {
            self.store.reclaim(1);
        }
        self.store.audit();
        self.store.listen(Listener::Watches, false);
        assert!(self.store.is_empty() && self.store.memory() < 8 << 10, "{} bytes left", self.store.memory());
    }
}
