//! A keyspace of strings, compared with a plain map and with a replica that follows its effects.

use std::collections::BTreeMap;

use super::*;

/// What a store should hold: for each key its value and its time of expiry, in Unix milliseconds.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

/// A store, a model of it, and random steps that are done to both.
struct Trial {
    rng: StdRng,
    store: Store,
    model: Model,
    /// A copy of the store that is only updated for keys that an effect names.
    replica: Model,
    /// The time, in Unix milliseconds.
    now_ms: u64,
    /// Number of different keys.
    keys: u32,
    /// Longest random value that one step writes, in bytes.
    len_max: usize,
    /// How many of a hundred steps write.
    writes: u32,
}

impl Trial {
    fn new(seed: u64) -> Trial {
        let mut rng = StdRng::seed_from_u64(seed);
        let keys = 10_u32.pow(rng.random_range(0..5));
        let len_max = [2, 30, 250, 300, 2_000][rng.random_range(0..5)];
        let mut store = Store::new(seed);
        store.listen(Listener::Watches, true);
        let (model, replica) = (Model::new(), Model::new());
        Trial { rng, store, model, replica, now_ms: 0, keys, len_max, writes: 50 }
    }

    fn key(&mut self) -> Vec<u8> {
        let n = self.rng.random_range(0..self.keys);
        let mut key = n.to_le_bytes().to_vec();
        // The number decides the length, so that a number always makes the same key.
        key.resize(if n.is_multiple_of(50) { 300 } else { 4 + n as usize % 20 }, b'k');
        key
    }

    fn value(&mut self) -> Vec<u8> {
        let len = self.rng.random_range(0..=self.len_max);
        vec![self.rng.random(); len]
    }

    fn forget_expired(&mut self) {
        let now_ms = self.now_ms;
        self.model.retain(|_, (_, at)| at.is_none_or(|at| at > now_ms));
    }

    fn step(&mut self) {
        let key = self.key();
        if self.rng.random_range(0..100) < self.writes {
            return self.write(&key);
        }
        match self.rng.random_range(0..100) {
            0..50 => {
                let lived = self.model.get(&key).is_some_and(|(_, at)| at.is_none_or(|at| at > self.now_ms));
                assert_eq!(self.store.remove(&key, self.now_ms), lived);
                self.model.remove(&key);
            }
            50..75 => {
                let expected = self.model.get(&key).filter(|(_, at)| at.is_none_or(|at| at > self.now_ms));
                assert_eq!(self.store.get(&key, self.now_ms), Ok(expected.map(|(value, _)| &value[..])));
            }
            75..85 => {
                let at = self.rng.random_bool(0.5).then(|| self.now_ms + self.rng.random_range(1..50));
                if self.store.contains(&key, self.now_ms) {
                    self.store.expire(&key, at);
                    self.model.get_mut(&key).expect("it is there").1 = at;
                }
            }
            85..97 => {
                self.now_ms += self.rng.random_range(0..3);
                self.store.sweep(self.now_ms, 20, 1);
            }
            97 if self.rng.random_bool(0.02) => {
                self.store.clear();
                self.model.clear();
            }
            _ => self.store.reclaim(1),
        }
    }

    /// Changes a string in its place, or gives it or a copy of it to another key.
    fn rework(&mut self, key: &[u8]) {
        let (other, now_ms) = (self.key(), self.now_ms);
        let lives = self.store.contains(key, now_ms);
        if !lives {
            self.model.remove(key);
        }
        match self.rng.random_range(0..4) {
            0 | 1 => {
                let (at, len) = (self.rng.random_range(0..=self.len_max), self.rng.random_range(1..9));
                let edit = self.store.prepare_edit(key, at + len, now_ms).unwrap();
                let told = self.store.commit_edit(edit, |bytes| {
                    let part = &mut bytes[at..at + len];
                    let differs = part.iter().any(|byte| *byte != 7);
                    part.fill(7);
                    differs
                });
                assert!(told || lives, "a new key has an effect");
                let value = &mut self.model.entry(key.to_vec()).or_default().0;
                value.resize(value.len().max(at + len), 0);
                value[at..at + len].fill(7);
            }
            2 => {
                let rename = self.store.prepare_rename(key, &other, 0, now_ms).unwrap();
                assert_eq!(rename.is_some(), lives);
                if let Some(rename) = rename.filter(|_| key != other) {
                    self.store.commit_rename(rename);
                    let moved = self.model.remove(key).expect("it lives");
                    self.model.insert(other, moved);
                }
            }
            _ => {
                let copied = self.store.prepare_copy(key, &other, 0, now_ms).unwrap();
                assert_eq!(copied.is_some(), lives);
                if let Some(copied) = copied.filter(|_| key != other) {
                    self.store.commit_whole(copied);
                    self.model.insert(other, self.model[key].clone());
                }
            }
        }
    }

    fn write(&mut self, key: &[u8]) {
        if self.rng.random_bool(0.2) {
            return self.rework(key);
        }
        let value = self.value();
        if self.rng.random_bool(0.2) {
            if !self.store.contains(key, self.now_ms) {
                self.model.remove(key);
            }
            let entry = self.store.prepare_append(key, &value).unwrap();
            self.store.commit(entry, Expiry::Keep);
            self.model.entry(key.to_vec()).or_default().0.extend(value);
        } else if self.rng.random_bool(0.1) {
            let other = self.key();
            let pairs = [(key, &value[..]), (&other[..], b"other")];
            for entry in self.store.prepare_all(pairs.into_iter()).unwrap() {
                self.store.commit(entry, Expiry::Never);
            }
            self.model.insert(key.to_vec(), (value, None));
            self.model.insert(other, (b"other".to_vec(), None));
        } else {
            let at = self.rng.random_bool(0.3).then(|| self.now_ms + self.rng.random_range(1..50));
            put(&mut self.store, key, &value, at.map_or(Expiry::Never, Expiry::At));
            self.model.insert(key.to_vec(), (value, at));
        }
    }

    /// Reads the effects, and updates the replica for the keys that they name.
    fn listen(&mut self) {
        let told = self.store.take_effects();
        assert!(!told.lost);
        let effects: Vec<(Vec<u8>, What)> =
            told.iter().map(|effect| (effect.key.to_vec(), effect.what)).collect();
        for (key, what) in effects {
            match what {
                What::Flushed => self.replica.clear(),
                What::Swapped => unreachable!("there is one database"),
                What::Evicted | What::Told(_) | What::Roused => {
                    unreachable!("nobody evicts and nobody tells")
                }
                What::Removed | What::Expired => drop(self.replica.remove(&key)),
                What::Set | What::Created => {
                    let at = self.store.expiry(&key, 0).expect("it was set");
                    let value = self.store.get(&key, 0).unwrap().expect("it was set").to_vec();
                    self.replica.insert(key, (value, at));
                }
            }
        }
        self.store.put_back_effects(told);
    }

    /// Asserts that store, model and replica are equal.
    fn compare(&mut self) {
        self.store.audit();
        assert_eq!(self.replica.len(), self.store.len(), "a change had no effect noted");
        let now_ms = self.now_ms;
        self.replica.retain(|_, (_, at)| at.is_none_or(|at| at > now_ms));
        self.forget_expired();
        assert!(self.replica == self.model, "a change had no effect noted");
        let mut keys: Vec<&[u8]> = self.store.keys(self.now_ms).collect();
        keys.sort_unstable();
        assert!(keys.iter().copied().eq(self.model.keys().map(|key| &key[..])), "the keys differ");
        for (key, (value, at)) in &self.model {
            assert_eq!(self.store.get(key, self.now_ms), Ok(Some(&value[..])));
            assert_eq!(self.store.expiry(key, self.now_ms), Some(*at));
        }
    }
}

#[test]
fn the_store_is_a_map_whatever_is_done_to_it() {
    for seed in 0..60 {
        let mut trial = Trial::new(seed);
        for _ in 0..8 {
            // With many writes the store grows, with few it shrinks.
            trial.writes = trial.rng.random_range(5..95);
            for _ in 0..3_000 {
                trial.step();
                trial.listen();
            }
            trial.compare();
            trial.listen();
        }
    }
}
