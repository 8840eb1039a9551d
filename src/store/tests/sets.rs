//! Sets compared with sets of byte strings.

use std::collections::{BTreeMap, BTreeSet};

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

fn slices(members: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> + Clone {
    members.iter().map(Vec::as_slice)
}

fn add(store: &mut Store, key: &[u8], members: &[Vec<u8>]) -> usize {
    let prepared = store.prepare_set_add(key, slices(members), 0).unwrap();
    let added = prepared.added();
    store.commit_set_add(prepared);
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

/// Integers, and a text for each tenth number.
fn mixed(range: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    let pairs = numbered(range.clone(), 9).into_iter().zip(numbered(range, 0));
    pairs.map(|(text, integer)| if integer.ends_with(b"7") { text } else { integer }).collect()
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
    for len in [5, 0] {
        grows_through_three_forms(len);
    }
}

/// The members are texts of `len` bytes, or integers if that is 0.
fn grows_through_three_forms(len: usize) {
    let mut store = Store::new(1);
    let most = PACKED_FIELDS_MAX as u32;
    for (count, added, expected) in [(3, 3, 0), (3, 0, 0), (most, most - 3, 1), (most + 1, 1, 2)] {
        assert_eq!(add(&mut store, b"k", &numbered(0..count, len)), added as usize);
        assert_eq!((form(&mut store, b"k"), read(&mut store, b"k").len()), (expected, count as usize));
        store.audit();
    }
    let all = numbered(0..most + 1, len);
    let removal = store.prepare_set_remove(b"k", slices(&all[1..]), 0).unwrap();
    assert_eq!((removal.removed(), store.commit_set_remove(removal)), (PACKED_FIELDS_MAX, false));
    assert_eq!((form(&mut store, b"k"), read(&mut store, b"k").len()), (2, 1));
    let twice = [&all[0][..], &all[0][..]];
    let removal = store.prepare_set_remove(b"k", twice.into_iter(), 0).unwrap();
    assert_eq!((removal.removed(), store.commit_set_remove(removal)), (1, true));
    assert!(store.is_empty(), "a set without members must not stay");
}

#[test]
fn a_set_is_no_hash_and_no_list() {
    let mut store = Store::new(1);
    for (members, len) in [(1, 5), (100, 5), (1_000, 5), (1_000, 0)] {
        add(&mut store, b"s", &numbered(0..members, len));
        let pair = [(&b"f"[..], &b"v"[..])];
        let hash = store.prepare_map_set(b"h", pair.into_iter(), Expiry::Never, 0).unwrap();
        store.commit_map_set(hash);
        let wrong = Some(WriteError::WrongKind);
        assert_eq!((store.kind(b"s", 0), store.get(b"s", 0)), (Some(Kind::Set), Err(WrongKind)));
        let one = || [&b"f"[..]].into_iter();
        assert!(store.map(b"s", 0).is_err());
        assert!(store.map_scan(b"s", 0, 10, 0, |_| true).is_err());
        let set = store.prepare_map_set(b"s", pair.into_iter(), Expiry::Never, 0);
        assert_eq!(set.err(), wrong);
        assert_eq!(store.prepare_map_remove(b"s", one(), 0).err(), wrong);
        assert!(store.members(b"h", 0).is_err() && store.set_there(b"h").is_none());
        assert!(store.set_scan(b"h", 0, 10, 0, |_| true).is_err());
        assert_eq!(store.prepare_set_add(b"h", one(), 0).err(), wrong);
        assert_eq!(store.prepare_set_remove(b"h", one(), 0).err(), wrong);
        assert!(store.list(b"s", 0).is_err());
        assert_eq!(store.prepare_list_push(b"s", Side::Left, [&b"v"[..]].into_iter(), 0).err(), wrong);
        assert_eq!(store.prepare_append(b"s", b"x").err(), wrong);
        // A new set takes the place of whatever was there.
        let new = numbered(0..members, 7);
        let prepared = store.prepare_set_new(b"h", slices(&new)).unwrap();
        store.commit_set_add(prepared);
        assert_eq!(read(&mut store, b"h"), new.into_iter().collect());
        store.audit();
        store.clear();
    }
}

type Sort = fn(std::ops::Range<u32>) -> Vec<Vec<u8>>;

fn texts(range: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    numbered(range, 9)
}

fn integers(range: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    numbered(range, 0)
}

#[test]
fn a_write_that_is_refused_changes_nothing_and_another_needs_no_more_memory() {
    for members in [3, 60, 128, 3_000] {
        for (anew, of) in [
            (false, texts as Sort),
            (true, texts),
            (false, integers),
            (true, integers),
            (false, mixed),
            (true, mixed),
        ] {
            let (mut refused, mut allowance) = (0, 0);
            loop {
                let mut store = Store::new(1);
                add(&mut store, b"k", &of(0..members));
                let before = read(&mut store, b"k");
                let more = [of(50..250), of(5_000..5_100)].concat();
                memory::allow(allowance);
                let prepared = if anew {
                    store.prepare_set_new(b"k", slices(&more))
                } else {
                    store.prepare_set_add(b"k", slices(&more), 0)
                };
                if let Ok(prepared) = prepared {
                    memory::allow(0);
                    store.commit_set_add(prepared);
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
                let prepared = store.prepare_set_new(std::slice::from_ref(&key), slices(&new));
                store.commit_set_add(prepared.unwrap());
            }
        }),
        ("flushed", Store::clear),
    ];
    for (way, leave) in ways {
        for key in 0..3_u8 {
            add(&mut store, &[key], &numbered(0..40_000, 100));
            add(&mut store, &[key], &numbered(0..40_000, 0));
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
            if n.is_multiple_of(3) {
                // Integers of all sizes, near each other and far apart.
                let integer = i64::from(n).wrapping_mul([1, -1, 1 << 40, i64::MAX][n as usize / 3 % 4]);
                return integer.to_string().into_bytes();
            }
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
        let prepared = self.store.prepare_set_add(key, slices(&members), self.now_ms).unwrap();
        let added = prepared.added();
        self.store.commit_set_add(prepared);
        let model = &mut self.model.entry(key.to_vec()).or_default().0;
        let before = model.len();
        model.extend(members);
        assert_eq!(added, model.len() - before);
    }

    /// Removes members.
    fn take(&mut self, key: &[u8], different: u32) {
        let members = self.members(different);
        let removal = self.store.prepare_set_remove(key, slices(&members), self.now_ms).unwrap();
        self.remove_from_both(key, removal, &members);
    }

    /// Removes some random members, as `SPOP` does.
    fn pop(&mut self, key: &[u8]) {
        let wanted = [1, 2, 50, usize::MAX][self.rng.random_range(0..if self.grows { 3 } else { 4 })];
        let (mut dice, now_ms) = (self.store.dice(), self.now_ms);
        let Some(set) = self.store.members(key, now_ms).unwrap() else { return };
        let chosen = set.sample(wanted, &mut dice).unwrap();
        let members: Vec<Vec<u8>> = chosen.into_iter().map(|member| member.to_vec()).collect();
        let removal = self.store.prepare_set_remove(key, slices(&members), now_ms).unwrap();
        let there = self.value(key).expect("it is there").len();
        assert_eq!(removal.removed(), wanted.min(there));
        self.remove_from_both(key, removal, &members);
    }

    fn remove_from_both(&mut self, key: &[u8], removal: SetRemoval<'_>, members: &[Vec<u8>]) {
        let removed = removal.removed();
        let gone = self.store.commit_set_remove(removal);
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
        let prepared = self.store.prepare_set_new(key, slices(&members)).unwrap();
        let added = prepared.added();
        self.store.commit_set_add(prepared);
        let members: Model = members.into_iter().collect();
        assert_eq!(added, members.len());
        self.model.insert(key.to_vec(), (members, None));
    }
}

/// One step of a scan over a set: the members it visits, and the cursor for the next step.
fn scan_step(store: &mut Store, key: &[u8], cursor: u64, count: usize) -> (Vec<Vec<u8>>, u64) {
    let mut members = Vec::new();
    let next = store.set_scan(key, cursor, count, 0, |member| {
        members.push(member.to_vec());
        members.len() < 50
    });
    (members, next.unwrap())
}

#[test]
fn a_scan_of_a_set_returns_every_member_that_stays() {
    let mut rng = StdRng::seed_from_u64(7);
    for (sort, of) in [("texts", texts as Sort), ("integers", integers), ("both", mixed)] {
        for count in [0, 1, 10, 1_000] {
            let mut store = Store::new(1);
            let far = |n: i64| ((n << 50) + n).to_string().into_bytes();
            let stay: Vec<Vec<u8>> =
                of(0..2_000).into_iter().chain((-50..50).filter(|_| sort != "texts").map(far)).collect();
            add(&mut store, b"k", &stay);
            let (mut cursor, mut seen, mut steps) = (0, Model::new(), 0);
            loop {
                let (found, next) = scan_step(&mut store, b"k", cursor, count);
                assert!(found.len() <= 51.min(count.max(1) + 1), "{} members for {count}", found.len());
                seen.extend(found);
                (cursor, steps) = (next, steps + 1);
                if cursor == 0 {
                    break;
                }
                // Others come and go before the scan and behind it.
                let (come, go) = (rng.random_range(2_000..3_000), rng.random_range(2_000..3_000));
                add(&mut store, b"k", &of(come..come + 3));
                let go = of(go..go + 3);
                let removal = store.prepare_set_remove(b"k", slices(&go), 0).unwrap();
                store.commit_set_remove(removal);
            }
            assert!(stay.iter().all(|member| seen.contains(member)), "{sort}: a member is missing");
            assert!((40..=5_000).contains(&steps), "{sort}: {steps} steps");
            for beyond in [1 << 52, u64::MAX] {
                assert_eq!(scan_step(&mut store, b"k", beyond, count), (Vec::new(), 0));
            }
        }
    }
}

#[test]
fn any_number_is_a_cursor_or_ends_the_scan() {
    let mut store = Store::new(1);
    add(&mut store, b"k", &mixed(0..1_000));
    let mut rng = StdRng::seed_from_u64(7);
    for _ in 0..2_000 {
        let cursor = rng.random::<u64>() >> rng.random_range(0..64);
        let (found, _) = scan_step(&mut store, b"k", cursor, 10);
        assert!(found.iter().all(|member| store.set_there(b"k").unwrap().contains(member)));
    }
}

#[test]
fn each_member_is_as_likely_to_be_picked() {
    for members in [10, 1_000] {
        for of in [texts as Sort, integers, mixed] {
            let mut store = Store::new(1);
            add(&mut store, b"k", &of(0..members));
            let mut picked = BTreeMap::<Vec<u8>, u32>::new();
            for _ in 0..members * 200 {
                let mut dice = store.dice();
                let member = store.set_there(b"k").unwrap().pick(&mut dice).unwrap();
                *picked.entry(member.to_vec()).or_default() += 1;
            }
            let (least, most) = (picked.values().min().unwrap(), picked.values().max().unwrap());
            assert_eq!(picked.len(), members as usize);
            assert!(*least > 130 && *most < 280, "picked {least} to {most} times instead of about 200");
            for wanted in [0, 1, members / 5, members / 2, members, members + 1] {
                let mut dice = store.dice();
                let sample = store.set_there(b"k").unwrap().sample(wanted as usize, &mut dice).unwrap();
                let different: BTreeSet<_> = sample.iter().collect();
                assert_eq!((sample.len(), different.len()), (wanted.min(members) as usize, sample.len()));
            }
        }
    }
}

#[test]
fn an_integer_is_what_redis_takes_for_one() {
    let mut store = Store::new(1);
    add(&mut store, b"k", &integers(0..1_000));
    let odd =
        ["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1.0", "9223372036854775808", "-9223372036854775809"];
    let odd: Vec<Vec<u8>> = odd.iter().map(|text| text.as_bytes().to_vec()).collect();
    let even = [i64::MIN, i64::MAX, -1].map(|integer| integer.to_string().into_bytes());
    assert_eq!(add(&mut store, b"k", &odd), odd.len());
    assert_eq!(add(&mut store, b"k", &even), even.len());
    let SetForm::Large(set) = store.set_there(b"k").unwrap().0 else { panic!("it is large") };
    assert_eq!((set.texts.len(), set.integers.len()), (odd.len(), 1_000 + even.len()));
    let all = read(&mut store, b"k");
    assert!(odd.iter().chain(&even).all(|member| all.contains(member)));
    assert!(!all.contains(&b"1000"[..]) && !store.set_there(b"k").unwrap().contains(b"001"));
    store.audit();
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
