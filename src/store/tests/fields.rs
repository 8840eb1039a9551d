//! The store's tests of fields that expire: against a model, and with refused memory.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

use super::*;
use crate::base::memory;

/// The fields of a hash: their values and times of expiry.
type Fields = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

/// Random operations on a few hashes, on the store and on a model.
struct FieldTrial {
    rng: StdRng,
    store: Store,
    model: BTreeMap<Vec<u8>, Fields>,
    now_ms: u64,
    /// How many different fields there are.
    fields: u32,
    /// Longest value of a field, in bytes.
    len_max: usize,
}

impl FieldTrial {
    fn key(&mut self) -> Vec<u8> {
        vec![b'k'; 1 + self.rng.random_range(0..4_usize) * 90]
    }

    fn names(&mut self) -> Vec<Vec<u8>> {
        let count = *[1, 1, 1, 3, 20, 200].choose(&mut self.rng).expect("there are some");
        (0..count).map(|_| self.rng.random_range(0..self.fields).to_string().into_bytes()).collect()
    }

    /// Forgets the fields that have expired, and the hashes without fields.
    fn forget_expired(&mut self) {
        let now_ms = self.now_ms;
        self.model.retain(|_, fields| {
            fields.retain(|_, (_, at)| at.is_none_or(|at| at > now_ms));
            !fields.is_empty()
        });
    }

    fn step(&mut self) {
        self.forget_expired();
        let (key, now_ms) = (self.key(), self.now_ms);
        match self.rng.random_range(0..100) {
            0..30 => self.set(&key),
            30..60 => self.change(&key),
            60..85 => self.look(&key),
            85..88 => {
                let to = self.key();
                if let Some(rename) = self.store.prepare_rename(&key, &to, 0, now_ms).unwrap() {
                    self.store.commit_rename(rename);
                    let moved = self.model.remove(&key);
                    // A hash whose fields have all expired may still be there.
                    self.model.remove(&to);
                    self.model.extend(moved.map(|fields| (to, fields)));
                }
            }
            88..91 => {
                let to = self.key();
                if let Some(copied) = self.store.prepare_copy(&key, &to, 0, now_ms).unwrap() {
                    self.store.commit_whole(copied);
                    let fields = self.model.get(&key).cloned();
                    self.model.remove(&to);
                    self.model.extend(fields.map(|fields| (to, fields)));
                }
            }
            91 => {
                self.store.remove(&key, now_ms);
                self.model.remove(&key);
            }
            92..98 => {
                self.now_ms += self.rng.random_range(0..3);
                let budget = self.rng.random_range(1..100);
                self.store.sweep(self.now_ms, budget, 1);
            }
            _ => self.store.reclaim(1),
        }
    }

    fn expiry(&mut self) -> u64 {
        self.now_ms + self.rng.random_range(1..40)
    }

    fn set(&mut self, key: &[u8]) {
        let at = self.expiry();
        let expiry = *[Expiry::Never, Expiry::Keep, Expiry::At(at)].choose(&mut self.rng).expect("some");
        let value = vec![self.rng.random(); self.rng.random_range(0..=self.len_max)];
        let names = self.names();
        let pairs = names.iter().map(|name| (&name[..], &value[..]));
        let prepared = self.store.prepare_map_set(key, pairs, expiry, self.now_ms).unwrap();
        let added = prepared.added();
        self.store.commit_map_set(prepared);
        let fields = self.model.entry(key.to_vec()).or_default();
        let before = fields.len();
        for name in &names {
            let old = fields.get(name).and_then(|(_, at)| *at);
            fields.insert(name.clone(), (value.clone(), expiry.over(old)));
        }
        assert_eq!(added, fields.len() - before);
    }

    fn change(&mut self, key: &[u8]) {
        let at = self.expiry();
        let changes = [FieldChange::Keep, FieldChange::Persist, FieldChange::Remove, FieldChange::Expire(at)];
        let (change, names) = (*changes.choose(&mut self.rng).expect("some"), self.names());
        let to_expire = matches!(change, FieldChange::Expire(_)) || self.rng.random_bool(0.1);
        let fields = names.iter().map(|name| &name[..]);
        let prepared = self.store.prepare_field_changes(key, fields.clone(), to_expire, self.now_ms).unwrap();
        let Some(prepared) = prepared else { return assert!(!self.model.contains_key(key)) };
        let mut seen = Vec::new();
        let changed = self.store.commit_field_changes(prepared, fields, |found| {
            seen.push(found.map(|(value, at)| (value.to_vec(), at)));
            change
        });
        let mut expected = Changed::default();
        let mut none = Fields::new();
        let there = self.model.get_mut(key).unwrap_or(&mut none);
        for (name, seen) in names.iter().zip(seen) {
            assert_eq!(seen, there.get(name).cloned());
            let Some((_, old)) = there.get_mut(name) else { continue };
            match change {
                FieldChange::Keep => {}
                FieldChange::Persist => expected.timed += usize::from(old.take().is_some()),
                FieldChange::Expire(at) => {
                    *old = Some(at);
                    expected.timed += 1;
                }
                FieldChange::Remove => {
                    there.remove(name);
                    expected.removed += 1;
                }
            }
        }
        expected.is_gone = expected.removed > 0 && there.is_empty();
        assert_eq!(changed, expected);
    }

    fn look(&mut self, key: &[u8]) {
        let (name, mut dice) = (self.names().remove(0), self.store.dice());
        let fields = self.model.get(key);
        let map = self.store.map(key, self.now_ms).unwrap();
        assert_eq!(map.map_or(0, Map::len), fields.map_or(0, BTreeMap::len));
        let Some(map) = map else { return };
        let expected = fields.and_then(|fields| fields.get(&name));
        assert_eq!(map.get(&name), expected.map(|(value, _)| &value[..]));
        assert_eq!(map.expiry(&name), expected.map(|(_, at)| *at));
        assert_eq!(map.iter().count(), map.len());
        match map.pick(&mut dice) {
            None => assert_eq!(map.len(), 0),
            Some((field, _)) => assert!(fields.is_some_and(|fields| fields.contains_key(field))),
        }
    }

    /// Asserts that the store is equal to the model.
    fn compare(&mut self) {
        self.store.audit();
        self.forget_expired();
        while self.store.next_expiry().is_some_and(|at_ms| at_ms <= self.now_ms) {
            self.store.sweep(self.now_ms, 50, 0);
        }
        self.store.audit();
        assert_eq!(self.store.len(), self.model.len());
        for (key, fields) in &self.model {
            let map = self.store.map(key, self.now_ms).unwrap().expect("it is there");
            let there: Fields =
                map.fields().map(|(field, value, at)| (field.to_vec(), (value.to_vec(), at))).collect();
            assert_eq!(&there, fields);
        }
        let volatile = self.model.values().flatten().any(|(_, (_, at))| at.is_some());
        assert!(volatile || self.store.next_expiry().is_none(), "the sweep wakes up for nothing");
    }
}

#[test]
fn fields_expire_one_by_one_whatever_is_done_to_their_hash() {
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        let fields = [5, 100, 1_000][rng.random_range(0..3)];
        let len_max = [2, 70, 400][rng.random_range(0..3)];
        let (store, model) = (Store::new(seed), BTreeMap::new());
        let mut trial = FieldTrial { rng, store, model, now_ms: 1, fields, len_max };
        for _ in 0..6 {
            for _ in 0..300 {
                trial.step();
            }
            trial.compare();
        }
    }
}

/// A store with a hash of `count` fields that expire at `at_ms`.
fn timed(count: usize, at_ms: u64) -> Store {
    let mut store = Store::new(1);
    let names: Vec<String> = (0..count).map(|n| format!("field{n}")).collect();
    let pairs = names.iter().map(|name| (name.as_bytes(), &b"value"[..]));
    let prepared = store.prepare_map_set(b"h", pairs, Expiry::At(at_ms), 0).unwrap();
    store.commit_map_set(prepared);
    store
}

#[test]
fn many_fields_that_expire_at_once_are_removed_in_small_steps_and_unseen_meanwhile() {
    let mut store = timed(100_000, 10);
    let memory = store.memory();
    assert_eq!(store.next_expiry(), Some(10));
    let mut removed = 0;
    while store.next_expiry().is_some() {
        assert_eq!(store.map(b"h", 10).unwrap().map_or(0, Map::len), 0);
        let step = store.sweep(10, 1_000, 0);
        assert!((1..1_600).contains(&step), "a step removed {step} fields");
        removed += step;
    }
    assert_eq!((removed, store.expired_fields(), store.len()), (100_000, 100_000, 0));
    assert_eq!(store.expired(), 0, "the key itself has not expired");
    while store.has_leftovers() {
        store.reclaim(1);
    }
    assert!(store.memory() < memory / 10);
    store.audit();
}

#[test]
fn without_memory_no_field_gets_a_time_of_expiry() {
    for count in [3, 500] {
        let mut store = Store::new(1);
        let names: Vec<Vec<u8>> = (0..count).map(|n: u32| format!("field{n}").into_bytes()).collect();
        let pairs = names.iter().map(|name| (&name[..], &b"value"[..]));
        let prepared = store.prepare_map_set(b"h", pairs, Expiry::Never, 0).unwrap();
        store.commit_map_set(prepared);
        let fields = || names.iter().map(|name| &name[..]);
        let mut refused = 0;
        for bytes in (0..).step_by(100) {
            memory::allow(bytes);
            let prepared = store.prepare_field_changes(b"h", fields(), true, 0);
            if let Ok(prepared) = prepared {
                let prepared = prepared.expect("the key is there");
                memory::allow(0);
                let changed = store.commit_field_changes(prepared, fields(), |_| FieldChange::Expire(9));
                memory::allow(usize::MAX);
                assert_eq!(changed, Changed { timed: count as usize, removed: 0, is_gone: false });
                break;
            }
            memory::allow(usize::MAX);
            refused += 1;
            store.audit();
            assert_eq!(store.next_expiry(), None);
        }
        assert!(refused > 0, "no memory was ever refused");
        assert_eq!(store.next_expiry(), Some(9));
        store.audit();
    }
}
