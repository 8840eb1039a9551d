//! Sets compared with sets of byte strings. A set is kept as a map whose values are empty.

use std::collections::BTreeSet;

use super::trial::{Trial, Value};
use super::*;
use crate::base::memory;
use crate::store::members::SetForm;
use crate::store::packed::PACKED_FIELDS_MAX;

type Model = BTreeSet<Vec<u8>>;

impl Value for Model {
    fn read(store: &mut Store, key: &[u8]) -> Option<Model> {
        let set = store.members(key, 0).ok().flatten()?;
        let members: Model = set.iter().map(|member| member.to_vec()).collect();
        assert_eq!(members.len(), set.len());
        Some(members)
    }
}

fn entries<'a>(members: &'a [Vec<u8>]) -> impl WritePairs<'a> {
    members.iter().map(|member| (&member[..], &b""[..]))
}

fn add(store: &mut Store, key: &[u8], members: &[Vec<u8>]) -> usize {
    let prepared = store.prepare_map_set(Kind::Set, key, entries(members), Expiry::Never, 0).unwrap();
    let added = prepared.added();
    store.commit_map_set(prepared);
    added
}

fn numbered(range: std::ops::Range<u32>, len: usize) -> Vec<Vec<u8>> {
    let member = |n: u32| {
        let mut member = n.to_string().into_bytes();
        member.resize(len.max(member.len()), b'.');
        member
    };
    range.map(member).collect()
}

fn read(store: &mut Store, key: &[u8]) -> Model {
    Model::read(store, key).unwrap_or_default()
}

/// The form of a set: 0 is packed in the record, 1 packed in a body, 2 in a table of its own.
fn form(store: &mut Store, key: &[u8]) -> usize {
    let in_record = store.find(key, 0).is_some_and(|place| store.table.record(place).body().is_none());
    match store.members(key, 0).unwrap().unwrap().0 {
        SetForm::Packed(_) => 1 - usize::from(in_record),
        SetForm::Large(_) => 2,
    }
}

#[test]
fn a_set_grows_through_three_forms_and_never_back() {
    let mut store = Store::new(1);
    let most = PACKED_FIELDS_MAX as u32;
    for (count, added, expected) in [(3, 3, 0), (3, 0, 0), (most, most - 3, 1), (most + 1, 1, 2)] {
        assert_eq!(add(&mut store, b"k", &numbered(0..count, 5)), added as usize);
        assert_eq!((form(&mut store, b"k"), read(&mut store, b"k").len()), (expected, count as usize));
        store.audit();
    }
    let all = numbered(0..most + 1, 5);
    let removal = store.prepare_map_remove(Kind::Set, b"k", all[1..].iter().map(Vec::as_slice), 0).unwrap();
    assert_eq!((removal.removed(), store.commit_map_remove(removal)), (PACKED_FIELDS_MAX, false));
    assert_eq!((form(&mut store, b"k"), read(&mut store, b"k").len()), (2, 1));
    let twice = [&all[0][..], &all[0][..]];
    let removal = store.prepare_map_remove(Kind::Set, b"k", twice.into_iter(), 0).unwrap();
    assert_eq!((removal.removed(), store.commit_map_remove(removal)), (1, true));
    assert!(store.is_empty(), "a set without members must not stay");
}

#[test]
fn a_set_is_no_hash_and_no_list() {
    let mut store = Store::new(1);
    for members in [1, 100, 1_000] {
        add(&mut store, b"s", &numbered(0..members, 5));
        let pair = [(&b"f"[..], &b"v"[..])];
        let hash = store.prepare_map_set(Kind::Hash, b"h", pair.into_iter(), Expiry::Never, 0).unwrap();
        store.commit_map_set(hash);
        let wrong = Some(WriteError::WrongKind);
        assert_eq!((store.kind(b"s", 0), store.get(b"s", 0)), (Some(Kind::Set), Err(WrongKind)));
        for (kind, key) in [(Kind::Hash, b"s"), (Kind::Set, b"h")] {
            assert!(store.map(kind, key, 0).is_err());
            assert!(store.map_scan(kind, key, 0, 10, 0, |_| true).is_err());
            assert_eq!(store.prepare_map_set(kind, key, pair.into_iter(), Expiry::Never, 0).err(), wrong);
            assert_eq!(store.prepare_map_remove(kind, key, [&b"f"[..]].into_iter(), 0).err(), wrong);
        }
        assert!(store.list(b"s", 0).is_err());
        assert_eq!(store.prepare_list_push(b"s", Side::Left, [&b"v"[..]].into_iter(), 0).err(), wrong);
        assert_eq!(store.prepare_append(b"s", b"x").err(), wrong);
        // A new set takes the place of whatever was there.
        let new = numbered(0..members, 7);
        let prepared = store.prepare_map_new(Kind::Set, b"h", entries(&new)).unwrap();
        store.commit_map_set(prepared);
        assert_eq!(read(&mut store, b"h"), new.into_iter().collect());
        store.audit();
        store.clear();
    }
}

#[test]
fn a_write_that_is_refused_changes_nothing_and_another_needs_no_more_memory() {
    for members in [3, 60, 128, 3_000] {
        for anew in [false, true] {
            let (mut refused, mut allowance) = (0, 0);
            loop {
                let mut store = Store::new(1);
                add(&mut store, b"k", &numbered(0..members, 9));
                let before = read(&mut store, b"k");
                let more = numbered(50..250, 9);
                memory::allow(allowance);
                let prepared = if anew {
                    store.prepare_map_new(Kind::Set, b"k", entries(&more))
                } else {
                    store.prepare_map_set(Kind::Set, b"k", entries(&more), Expiry::Never, 0)
                };
                if let Ok(prepared) = prepared {
                    memory::allow(0);
                    store.commit_map_set(prepared);
                    memory::allow(usize::MAX);
                    let kept = if anew { Model::new() } else { before };
                    assert_eq!(read(&mut store, b"k"), kept.into_iter().chain(more).collect());
                    store.audit();
                    break;
                }
                memory::allow(usize::MAX);
                assert_eq!(read(&mut store, b"k"), before);
                store.audit();
                refused += 1;
                allowance += 1 + allowance / 16;
            }
            assert!(refused > 0, "no write was refused");
        }
    }
}

#[test]
fn what_a_large_set_leaves_is_freed_in_steps() {
    let mut store = Store::new(1);
    type Way = (&'static str, fn(&mut Store));
    let ways: [Way; 3] = [
        ("removed", |store| (0..3).for_each(|key| assert!(store.remove(&[key], 0)))),
        ("replaced by a new one", |store| {
            for key in 0..3 {
                let new = numbered(0..1, 1);
                let prepared = store.prepare_map_new(Kind::Set, std::slice::from_ref(&key), entries(&new));
                store.commit_map_set(prepared.unwrap());
            }
        }),
        ("flushed", Store::clear),
    ];
    for (way, leave) in ways {
        for key in 0..3_u8 {
            add(&mut store, &[key], &numbered(0..40_000, 100));
        }
        let before = store.memory();
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
        store.clear();
        while store.has_leftovers() {
            store.reclaim(1);
        }
        assert!(store.memory() < 8 << 10, "{way}: {} bytes are left", store.memory());
    }
}

impl Trial<Model> {
    fn members(&mut self, different: u32) -> Vec<Vec<u8>> {
        let count = [1, 1, 3, 20, 200][self.rng.random_range(0..5)];
        let member = |n: u32| {
            let mut member = n.to_le_bytes().to_vec();
            member.resize(if n % 50 == 49 { 300 } else { 4 + n as usize % 9 }, b'm');
            member
        };
        (0..count).map(|_| member(self.rng.random_range(0..different))).collect()
    }

    fn step(&mut self, different: u32) {
        let (key, now_ms) = (self.key(), self.now_ms);
        match self.rng.random_range(0..100) {
            0..30 if self.grows => self.add(&key, different),
            0..30 => self.take(&key, different),
            30..40 => self.add(&key, different),
            40..50 => self.take(&key, different),
            50..55 => self.replace(&key, different),
            55..65 => self.pop(&key),
            65..80 => {
                let expected = self.model.get(&key).map(|(members, _)| members.clone());
                let members = self.members(different);
                let set = self.store.members(&key, now_ms).unwrap();
                assert_eq!(set.map(Members::len), expected.as_ref().map(BTreeSet::len));
                for member in members {
                    let there = expected.as_ref().is_some_and(|all| all.contains(&member));
                    assert_eq!(set.is_some_and(|set| set.contains(&member)), there);
                }
            }
            _ => self.disturb(),
        }
    }

    fn add(&mut self, key: &[u8], different: u32) {
        let members = self.members(different);
        let prepared = self
            .store
            .prepare_map_set(Kind::Set, key, entries(&members), Expiry::Never, self.now_ms)
            .unwrap();
        let added = prepared.added();
        self.store.commit_map_set(prepared);
        let model = &mut self.model.entry(key.to_vec()).or_default().0;
        let before = model.len();
        model.extend(members);
        assert_eq!(added, model.len() - before);
    }

    /// Removes members.
    fn take(&mut self, key: &[u8], different: u32) {
        let members = self.members(different);
        let all = members.iter().map(Vec::as_slice);
        let removal = self.store.prepare_map_remove(Kind::Set, key, all, self.now_ms).unwrap();
        self.remove_from_both(key, removal, &members);
    }

    /// Removes some random members, as `SPOP` does.
    fn pop(&mut self, key: &[u8]) {
        let wanted = [1, 2, 50, usize::MAX][self.rng.random_range(0..if self.grows { 3 } else { 4 })];
        let (mut dice, now_ms) = (self.store.dice(), self.now_ms);
        let Some(set) = self.store.members(key, now_ms).unwrap() else { return };
        let chosen = set.sample(wanted, &mut dice).unwrap();
        let members: Vec<Vec<u8>> = chosen.into_iter().map(|member| member.to_vec()).collect();
        let all = members.iter().map(Vec::as_slice);
        let removal = self.store.prepare_map_remove(Kind::Set, key, all, now_ms).unwrap();
        let there = self.value(key).expect("it is there").len();
        assert_eq!(removal.removed(), wanted.min(there));
        self.remove_from_both(key, removal, &members);
    }

    fn remove_from_both(&mut self, key: &[u8], removal: MapRemoval<'_>, members: &[Vec<u8>]) {
        let removed = removal.removed();
        let gone = self.store.commit_map_remove(removal);
        let Some(model) = self.value(key) else { return assert_eq!((removed, gone), (0, false)) };
        let before = model.len();
        for member in members {
            model.remove(member);
        }
        assert_eq!((removed, gone), (before - model.len(), model.is_empty()));
        if gone {
            self.model.remove(key);
        }
    }

    /// Writes a new set over whatever is there.
    fn replace(&mut self, key: &[u8], different: u32) {
        let members = self.members(different);
        let prepared = self.store.prepare_map_new(Kind::Set, key, entries(&members)).unwrap();
        let added = prepared.added();
        self.store.commit_map_set(prepared);
        let members: Model = members.into_iter().collect();
        assert_eq!(added, members.len());
        self.model.insert(key.to_vec(), (members, None));
    }
}

#[test]
fn a_set_is_a_set_whatever_is_done_to_it() {
    let mut seen = [false; 3];
    for seed in 0..60 {
        let mut trial = Trial::<Model>::new(seed);
        let different = [5, 100, 1_000, 10_000][seed as usize % 4];
        for _ in 0..8 {
            trial.grows = trial.rng.random_bool(0.6);
            for step in 0..250 {
                trial.step(different);
                trial.listen();
                if step % 10 == 0 {
                    trial.store.audit();
                }
            }
            trial.compare();
            let keys: Vec<Vec<u8>> = trial.model.keys().cloned().collect();
            keys.iter().for_each(|key| seen[form(&mut trial.store, key)] = true);
        }
        trial.end();
    }
    assert_eq!(seen, [true; 3], "no set was ever in one of the forms");
}
