//! Hashes compared with plain maps, in every form and in each change from one form to the next.

use std::collections::BTreeMap;

use super::*;
use crate::base::memory;
use crate::store::map::Form;
use crate::store::packed::PACKED_FIELDS_MAX;

type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

fn set(store: &mut Store, key: &[u8], pairs: &[(Vec<u8>, Vec<u8>)]) -> usize {
    let prepared = store
        .prepare_map_set(key, pairs.iter().map(|(field, value)| (&field[..], &value[..])), Expiry::Never, 0)
        .unwrap();
    let added = prepared.added();
    store.commit_map_set(prepared);
    added
}

fn remove(store: &mut Store, key: &[u8], fields: &[Vec<u8>]) -> usize {
    let removal = store.prepare_map_remove(key, fields.iter().map(|field| &field[..]), 0).unwrap();
    let removed = removal.removed();
    store.commit_map_remove(removal);
    removed
}

fn numbered(range: std::ops::Range<u32>, len: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    range.map(|n| (format!("field:{n}").into_bytes(), vec![n as u8; len])).collect()
}

/// The form of a hash: 0 is packed in the record, 1 packed in a body, 2 in a table of its own.
fn form(store: &mut Store, key: &[u8]) -> usize {
    let in_record = store.find(key, 0).is_some_and(|place| store.table.record(place).body().is_none());
    match store.map(key, 0).unwrap().unwrap().form {
        Form::Packed(_) => 1 - usize::from(in_record),
        Form::Table(_) => 2,
    }
}

fn read(store: &mut Store, key: &[u8]) -> Fields {
    let hash = store.map(key, 0).unwrap();
    hash.into_iter().flat_map(Map::iter).map(|(field, value)| (field.to_vec(), value.to_vec())).collect()
}

#[test]
fn a_hash_grows_through_three_forms_and_never_back() {
    let mut store = Store::new(1);
    assert_eq!(set(&mut store, b"k", &numbered(0..3, 10)), 3);
    assert_eq!(form(&mut store, b"k"), 0);
    assert_eq!(set(&mut store, b"k", &numbered(0..PACKED_FIELDS_MAX as u32, 10)), PACKED_FIELDS_MAX - 3);
    assert_eq!(form(&mut store, b"k"), 1);
    assert_eq!(set(&mut store, b"k", &numbered(1..PACKED_FIELDS_MAX as u32 + 1, 10)), 1);
    assert_eq!(form(&mut store, b"k"), 2);
    let fields: Vec<Vec<u8>> = numbered(1..129, 0).into_iter().map(|(field, _)| field).collect();
    assert_eq!(remove(&mut store, b"k", &fields), 128);
    assert_eq!((form(&mut store, b"k"), read(&mut store, b"k").len()), (2, 1));
    store.audit();
    assert_eq!(remove(&mut store, b"k", &[b"field:0".to_vec(), b"field:0".to_vec()]), 1);
    assert!(store.is_empty(), "a hash without fields must not stay");
    set(&mut store, b"long", &numbered(0..1, 20_000));
    assert_eq!(form(&mut store, b"long"), 2);
    store.audit();
}

#[test]
fn a_field_that_is_named_twice_counts_once_and_the_last_value_wins() {
    for fields in [1, 100, 1_000] {
        let mut store = Store::new(1);
        for len in [1, 400] {
            set(&mut store, b"k", &numbered(0..fields, 1));
            let pairs = [("new", 5), ("field:0", 6), ("new", 7), ("field:0", 8)];
            let pairs = pairs.map(|(field, byte)| (field.as_bytes().to_vec(), vec![byte; len]));
            assert_eq!(set(&mut store, b"k", &pairs), 1);
            let hash = store.map(b"k", 0).unwrap().unwrap();
            assert_eq!(hash.get(b"new"), Some(&vec![7; len][..]));
            assert_eq!(hash.get(b"field:0"), Some(&vec![8; len][..]));
            assert_eq!(remove(&mut store, b"k", &[b"new".to_vec(), b"new".to_vec(), b"none".to_vec()]), 1);
            store.audit();
        }
    }
}

#[test]
fn a_key_holds_one_kind() {
    let mut store = Store::new(1);
    for fields in [1, 100, 1_000] {
        set(&mut store, b"h", &numbered(0..fields, 10));
        put(&mut store, b"s", b"string", Expiry::Never);
        assert_eq!((store.kind(b"h", 0), store.kind(b"s", 0)), (Some(Kind::Hash), Some(Kind::String)));
        assert_eq!(store.get(b"h", 0), Err(WrongKind));
        assert!(store.map(b"s", 0).is_err() && store.map_scan(b"s", 0, 1, 0, |_| true).is_err());
        assert_eq!(store.prepare_append(b"h", b"x").unwrap_err(), WriteError::WrongKind);
        let pairs = [(&b"f"[..], &b"v"[..])];
        assert_eq!(
            store.prepare_map_set(b"s", pairs.into_iter(), Expiry::Never, 0).unwrap_err(),
            WriteError::WrongKind
        );
        assert!(store.prepare_map_remove(b"s", [&b"f"[..]].into_iter(), 0).is_err());
        for kind in [Kind::Hash, Kind::String] {
            let mut keys: Vec<&[u8]> = Vec::new();
            store.scan(0, 10, Some(kind), 0, |key| {
                keys.push(key);
                true
            });
            assert_eq!(keys, [if kind == Kind::Hash { b"h" } else { b"s" }]);
        }
        for len in [1, 400, 4_000] {
            put(&mut store, b"h", &vec![7; len], Expiry::Never);
            assert_eq!(store.get(b"h", 0), Ok(Some(&vec![7; len][..])));
            store.audit();
            store.remove(b"h", 0);
            set(&mut store, b"h", &numbered(0..fields, 10));
        }
        store.remove(b"h", 0);
    }
}

/// One step of a scan over a hash: the fields it visits, and the cursor for the next step.
fn step(store: &mut Store, key: &[u8], cursor: u64) -> (Vec<Vec<u8>>, u64) {
    let mut fields = Vec::new();
    let next = store.map_scan(key, cursor, 10, 0, |(field, _)| {
        fields.push(field.to_vec());
        true
    });
    (fields, next.unwrap())
}

#[test]
fn a_scan_of_a_hash_returns_every_field_that_stays() {
    let mut store = Store::new(1);
    set(&mut store, b"small", &numbered(0..100, 10));
    assert_eq!((step(&mut store, b"small", 0).0.len(), step(&mut store, b"small", 0).1), (100, 0));
    assert_eq!(step(&mut store, b"none", 7), (Vec::new(), 0));
    set(&mut store, b"k", &numbered(0..5_000, 10));
    let (mut cursor, mut seen, mut steps) = (0, BTreeSet::new(), 0);
    loop {
        let (found, next) = step(&mut store, b"k", cursor);
        assert!(found.len() <= 11);
        seen.extend(found);
        cursor = next;
        steps += 1;
        if cursor == 0 {
            break;
        }
        set(&mut store, b"k", &numbered(5_000 + steps * 20..5_020 + steps * 20, 10));
    }
    assert!(steps > 400 && numbered(0..5_000, 0).iter().all(|(field, _)| seen.contains(field)));
    assert_eq!(step(&mut store, b"k", u64::MAX), (Vec::new(), 0));
}

#[test]
fn each_field_is_as_likely_to_be_picked() {
    for fields in [10, 1_000] {
        let mut store = Store::new(1);
        set(&mut store, b"k", &numbered(0..fields, 1));
        let mut picked = BTreeMap::<Vec<u8>, u32>::new();
        for _ in 0..fields * 200 {
            let mut dice = store.dice();
            let (field, _) = store.map(b"k", 0).unwrap().unwrap().pick(&mut dice).unwrap();
            *picked.entry(field.to_vec()).or_default() += 1;
        }
        let (least, most) = (picked.values().min().unwrap(), picked.values().max().unwrap());
        assert_eq!(picked.len(), fields as usize);
        assert!(*least > 130 && *most < 280, "picked {least} to {most} times instead of about 200");
    }
}

#[test]
fn a_sample_has_as_many_different_fields_as_there_are_and_are_wanted() {
    for fields in [10_usize, 1_000] {
        let mut store = Store::new(1);
        set(&mut store, b"k", &numbered(0..fields as u32, 1));
        for wanted in [0, 1, fields / 5, fields / 2, fields, fields + 1, usize::MAX] {
            let mut dice = store.dice();
            let sample = store.map(b"k", 0).unwrap().unwrap().sample(wanted, &mut dice).unwrap();
            let different: BTreeSet<&[u8]> = sample.iter().map(|(field, _)| *field).collect();
            assert_eq!((sample.len(), different.len()), (wanted.min(fields), wanted.min(fields)));
        }
    }
}

#[test]
fn what_a_large_hash_leaves_is_freed_in_steps() {
    let mut store = Store::new(1);
    let full = |store: &mut Store| {
        for key in 0..3_u8 {
            set(store, &[key], &numbered(0..20_000, 100));
            set(store, &[key, key], &numbered(0..2_000, 300));
        }
        store.memory()
    };
    type Way = (&'static str, fn(&mut Store));
    let ways: [Way; 5] = [
        ("removed", |store| {
            (0..3).for_each(|key| assert!(store.remove(&[key], 0) && store.remove(&[key, key], 0)))
        }),
        ("overwritten", |store| {
            for key in 0..3 {
                put(store, &[key], b"short", Expiry::Never);
                put(store, &[key, key], &[7; 1_000], Expiry::Never);
            }
        }),
        ("expired", |store| {
            for key in 0..3 {
                store.expire(&[key], Some(5));
                store.expire(&[key, key], Some(5));
            }
            store.sweep(5, 100, 1);
        }),
        ("flushed", Store::clear),
        ("flushed in a crowd", |store| {
            for _ in 0..20 {
                store.clear();
                set(store, b"k", &numbered(0..20_000, 100));
            }
            store.clear();
        }),
    ];
    for (way, leave) in ways {
        let before = full(&mut store);
        leave(&mut store);
        assert!(store.memory() > before / 2, "{way}: too much was freed at once");
        let mut steps = 0;
        while !store.discards.is_empty() {
            let held = store.discards.memory();
            store.reclaim(1);
            assert!(held.saturating_sub(store.discards.memory()) < 3 << 20, "{way}: one step freed too much");
            steps += 1;
        }
        assert!(steps > 10, "{way}: freed in {steps} steps");
        assert_eq!(store.discards.memory(), 0);
        store.audit();
        store.clear();
        store.reclaim(1_000);
        assert!(store.memory() < 64 << 10, "{way}: {} bytes are left", store.memory());
    }
}

#[test]
fn a_write_that_is_refused_changes_nothing() {
    for fields in [3, 60, 128, 3_000] {
        let mut refused = 0;
        for allowance in (0..400_000).step_by(377) {
            let mut store = Store::new(1);
            set(&mut store, b"k", &numbered(0..fields, 30));
            let before = read(&mut store, b"k");
            let more = numbered(0..200, 40);
            memory::allow(allowance);
            let pairs = more.iter().map(|(field, value)| (&field[..], &value[..]));
            let prepared = store.prepare_map_set(b"k", pairs, Expiry::Never, 0);
            memory::allow(usize::MAX);
            let went = prepared.is_ok();
            drop(prepared);
            store.audit();
            assert_eq!(read(&mut store, b"k"), before);
            refused += u32::from(!went);
            if went {
                break;
            }
        }
        assert!(refused > 0, "no write was refused");
    }
}

#[test]
fn a_write_without_memory_is_tried_again_only_a_few_times() {
    let mut store = Store::new(1);
    for n in 0..100_u32 {
        set(&mut store, &n.to_le_bytes(), &numbered(0..2_000, 300));
    }
    store.clear();
    let tries = std::cell::Cell::new(0);
    let value = vec![7; 1_000];
    let pairs = [(&b"field"[..], &value[..])].into_iter().inspect(|_| {
        tries.set(tries.get() + 1);
        memory::allow(100);
    });
    let refused = store.prepare_map_set(b"k", pairs, Expiry::Never, 0).unwrap_err();
    memory::allow(usize::MAX);
    assert_eq!(refused, WriteError::OutOfMemory);
    assert!(store.discards.is_empty(), "discarded memory was left that could have been freed");
    assert!(tries.get() < 40, "{} tries", tries.get());
}

/// A store, a model of it, and random steps that are done to both.
struct HashTrial {
    rng: StdRng,
    store: Store,
    /// What the store should hold: for each key its fields and its time of expiry, in Unix milliseconds.
    model: BTreeMap<Vec<u8>, (Fields, Option<u64>)>,
    /// The time, in Unix milliseconds.
    now_ms: u64,
    /// Number of different fields.
    fields: u32,
    /// Longest value of a field, in bytes.
    len_max: usize,
    /// True if the steps add fields more often than they remove some.
    grows: bool,
}

impl HashTrial {
    fn key(&mut self) -> Vec<u8> {
        let n = self.rng.random_range(0..6_usize);
        vec![b'k'; 1 + n * 60]
    }

    fn field(&mut self) -> Vec<u8> {
        let n = self.rng.random_range(0..self.fields);
        let mut field = n.to_le_bytes().to_vec();
        field.resize(if n % 50 == 49 { 300 } else { 4 + n as usize % 9 }, b'f');
        field
    }

    fn step(&mut self) {
        let key = self.key();
        let now_ms = self.now_ms;
        if self.model.get(&key).is_some_and(|(_, at)| at.is_some_and(|at| at <= now_ms)) {
            self.model.remove(&key);
        }
        match self.rng.random_range(0..100) {
            0..40 if self.grows => self.set(key),
            0..40 => self.remove(key),
            40..50 => self.set(key),
            50..60 => self.remove(key),
            60..90 => {
                let field = self.field();
                let expected = self.model.get(&key).map(|(fields, _)| fields);
                let hash = self.store.map(&key, now_ms).unwrap();
                assert_eq!(hash.map(Map::len), expected.map(BTreeMap::len));
                let found = hash.and_then(|hash| hash.get(&field));
                assert_eq!(found, expected.and_then(|fields| fields.get(&field)).map(|value| &value[..]));
            }
            90..92 => {
                let at = self.rng.random_bool(0.5).then(|| now_ms + self.rng.random_range(1..50));
                if self.store.contains(&key, now_ms) {
                    self.store.prepare_expiry(&key).unwrap();
                    self.store.expire(&key, at);
                    self.model.get_mut(&key).expect("it is there").1 = at;
                }
            }
            92 if self.rng.random_bool(0.1) => {
                self.store.remove(&key, self.now_ms);
                self.model.remove(&key);
            }
            93 if self.rng.random_bool(0.1) => {
                let value = vec![7; self.rng.random_range(0..1_000)];
                put(&mut self.store, &key, &value, Expiry::Never);
                assert_eq!(self.store.get(&key, now_ms), Ok(Some(&value[..])));
                self.store.remove(&key, self.now_ms);
                self.model.remove(&key);
            }
            94 if self.rng.random_bool(0.02) => {
                self.store.clear();
                self.model.clear();
            }
            95 => {
                self.now_ms += 1;
                self.store.sweep(self.now_ms, 3, 1);
            }
            _ => self.store.reclaim(1),
        }
    }

    fn set(&mut self, key: Vec<u8>) {
        let count = [1, 1, 1, 3, 20, 200][self.rng.random_range(0..6)];
        let pairs: Vec<(Vec<u8>, Vec<u8>)> = (0..count)
            .map(|_| (self.field(), vec![self.rng.random(); self.rng.random_range(0..=self.len_max)]))
            .collect();
        let refs = pairs.iter().map(|(field, value)| (&field[..], &value[..]));
        let prepared = self.store.prepare_map_set(&key, refs, Expiry::Never, self.now_ms).unwrap();
        let added = prepared.added();
        self.store.commit_map_set(prepared);
        let (fields, _) = self.model.entry(key).or_default();
        let before = fields.len();
        fields.extend(pairs);
        assert_eq!(added, fields.len() - before);
    }

    fn remove(&mut self, key: Vec<u8>) {
        let count = [1, 1, 1, 3, 20, 200][self.rng.random_range(0..6)];
        let fields: Vec<Vec<u8>> = (0..count).map(|_| self.field()).collect();
        let removal =
            self.store.prepare_map_remove(&key, fields.iter().map(|field| &field[..]), self.now_ms).unwrap();
        let removed = removal.removed();
        self.store.commit_map_remove(removal);
        let Some((there, _)) = self.model.get_mut(&key) else { return assert_eq!(removed, 0) };
        let before = there.len();
        fields.iter().for_each(|field| drop(there.remove(field)));
        assert_eq!(removed, before - there.len());
        if there.is_empty() {
            self.model.remove(&key);
        }
    }

    /// Asserts that the store is equal to the model. Marks the forms of its hashes in `seen`.
    fn compare(&mut self, seen: &mut [bool; 3]) {
        self.store.audit();
        let now_ms = self.now_ms;
        self.model.retain(|_, (_, at)| at.is_none_or(|at| at > now_ms));
        self.store.sweep(now_ms, usize::MAX, 1);
        assert_eq!(self.store.len(), self.model.len());
        for (key, (fields, at)) in &self.model {
            assert_eq!(self.store.expiry(key, now_ms), Some(*at));
            assert_eq!(&read(&mut self.store, key), fields);
            seen[form(&mut self.store, key)] = true;
        }
    }
}

#[test]
fn a_hash_is_a_map_whatever_is_done_to_it() {
    let mut seen = [false; 3];
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (fields, len_max) =
            ([5, 100, 1_000, 10_000][rng.random_range(0..4)], [2, 64, 70, 400][rng.random_range(0..4)]);
        let (store, model) = (Store::new(seed), BTreeMap::new());
        let mut trial = HashTrial { rng, store, model, now_ms: 0, fields, len_max, grows: true };
        for _ in 0..8 {
            trial.grows = trial.rng.random_bool(0.6);
            for _ in 0..400 {
                trial.step();
            }
            trial.compare(&mut seen);
        }
    }
    assert_eq!(seen, [true; 3], "no hash was ever in one of the forms");
}

#[test]
fn a_hash_of_any_form_is_renamed_and_copied() {
    for (count, len) in [(2, 10), (100, 10), (1_000, 10), (3, 20_000)] {
        for key_len in [1, 250, 300] {
            let mut store = Store::new(1);
            let (from, to) = (b"from".repeat(key_len), b"to".repeat(key_len));
            set(&mut store, &from, &numbered(0..count, len));
            set(&mut store, &to, &numbered(0..1_000, 1));
            let fields = read(&mut store, &from);
            let rename = store.prepare_rename(&from, &to, 0, 0).unwrap().expect("it is there");
            store.commit_rename(rename);
            assert_eq!((store.len(), read(&mut store, &to)), (1, fields.clone()));
            let copied = store.prepare_copy(&to, &from, 0, 0).unwrap().expect("it is there");
            store.commit_whole(copied);
            set(&mut store, &to, &numbered(0..1, 3));
            assert_eq!((store.len(), read(&mut store, &from)), (2, fields), "the copy changes with it");
            store.audit();
            while store.has_leftovers() {
                store.reclaim(1);
            }
            store.audit();
        }
    }
}
