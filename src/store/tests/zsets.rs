//! Sorted sets compared with plain maps, in every form and in each change from one form to the next.

use std::collections::BTreeMap;

use super::*;
use crate::base::memory;
use crate::store::ranked::ZsetForm;
use crate::store::zpacked::PACKED_MEMBERS_MAX;

type Model = BTreeMap<Vec<u8>, f64>;

fn add(store: &mut Store, key: &[u8], members: &[(Vec<u8>, f64)]) {
    let members = members.iter().map(|(member, score)| (&member[..], *score)).collect();
    let prepared = store.prepare_zset_add(key, members, 0).unwrap();
    memory::allow(0);
    store.commit_zset(prepared);
    memory::allow(usize::MAX);
}

fn remove(store: &mut Store, key: &[u8], members: &[Vec<u8>]) -> (usize, bool) {
    let removal = store.prepare_zset_remove(key, members.iter().map(|member| &member[..]), 0).unwrap();
    (removal.removed(), store.commit_zset_remove(removal))
}

fn numbered(range: std::ops::Range<u32>, len: usize) -> Vec<(Vec<u8>, f64)> {
    let member = |n: u32| [format!("{n:06}").as_bytes(), &vec![b'x'; len]].concat();
    range.map(|n| (member(n), f64::from(n % 7))).collect()
}

/// The form of a sorted set: 0 is packed in the record, 1 packed in a body, 2 a structure of its own.
fn form(store: &mut Store, key: &[u8]) -> usize {
    let in_record = store.find(key, 0).is_some_and(|place| store.table.record(place).body().is_none());
    match store.zset(key, 0).unwrap().unwrap().0 {
        ZsetForm::Packed(_) => 1 - usize::from(in_record),
        ZsetForm::Large(_) => 2,
    }
}

/// The members of the model in order.
fn in_order(model: &Model) -> Vec<(&[u8], f64)> {
    let mut all: Vec<_> = model.iter().map(|(member, score)| (&member[..], *score)).collect();
    all.sort_by(by_order);
    all
}

/// Reads a sorted set in every way and compares it with the model.
fn compare(store: &mut Store, key: &[u8], model: &Model, dice: &mut StdRng) {
    let Some(zset) = store.zset(key, 0).unwrap() else { return assert!(model.is_empty()) };
    let all = in_order(model);
    assert_eq!(zset.len(), all.len());
    let rank = dice.random_range(0..all.len() + 2);
    assert!(zset.iter_from(rank).eq(all.iter().skip(rank).copied()));
    let back = all[..(rank + 1).min(all.len())].iter().rev().copied();
    assert!(zset.iter_back_from(rank).eq(back));
    assert_eq!(zset.nth(rank), all.get(rank).copied());
    if let Some((member, score)) = all.get(rank) {
        assert_eq!((zset.rank(member), zset.score(member)), (Some(rank), Some(*score)));
        for inclusive in [false, true] {
            let below = all.iter().filter(|(_, there)| there < score || inclusive && there == score).count();
            assert_eq!(zset.count_below(*score, inclusive), below);
        }
    }
    assert_eq!((zset.rank(b"none"), zset.score(b"none")), (None, None));
    let mut dice = Dice::new(dice.random());
    let count = rank / 4;
    let mut picked = zset.sample(count, &mut dice).unwrap();
    picked.sort_by(by_order);
    picked.dedup();
    assert_eq!(picked.len(), count.min(all.len()));
    assert!(picked.iter().all(|(member, score)| model.get(*member) == Some(score)));
    assert!(zset.pick(&mut dice).is_some_and(|(member, _)| model.contains_key(member)));
}

#[test]
fn a_sorted_set_grows_through_three_forms_and_never_back() {
    let mut store = Store::new(1);
    add(&mut store, b"k", &numbered(0..3, 10));
    assert_eq!(form(&mut store, b"k"), 0);
    add(&mut store, b"k", &numbered(2..PACKED_MEMBERS_MAX as u32, 10));
    assert_eq!(form(&mut store, b"k"), 1);
    add(&mut store, b"k", &numbered(1..PACKED_MEMBERS_MAX as u32 + 1, 10));
    assert_eq!(form(&mut store, b"k"), 2);
    let members: Vec<Vec<u8>> = numbered(1..129, 10).into_iter().map(|(member, _)| member).collect();
    assert_eq!(remove(&mut store, b"k", &members), (128, false));
    assert_eq!(form(&mut store, b"k"), 2);
    store.audit();
    assert_eq!(remove(&mut store, b"k", &numbered(0..1, 10).map_members()), (1, true));
    assert!(store.is_empty(), "a sorted set without members must not stay");
    add(&mut store, b"long", &numbered(0..1, 20_000));
    assert_eq!(form(&mut store, b"long"), 2);
    store.audit();
}

trait Members {
    fn map_members(self) -> Vec<Vec<u8>>;
}

impl Members for Vec<(Vec<u8>, f64)> {
    fn map_members(self) -> Vec<Vec<u8>> {
        self.into_iter().map(|(member, _)| member).collect()
    }
}

#[test]
fn random_changes_leave_what_a_plain_map_has() {
    for seed in 0..12 {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut store = Store::new(seed);
        let mut models: BTreeMap<&[u8], Model> = BTreeMap::new();
        let most = [6, 40, 300, 2_000][seed as usize % 4];
        let scores = [0.0, -0.0, 1.0, 1.5, -7.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, 40_000.0];
        for step in 0..600 {
            let key: &[u8] = [&b"a"[..], b"b", b"c"][dice.random_range(0..3)];
            let model = models.entry(key).or_default();
            let member = |dice: &mut StdRng| {
                let len = [3, 3, 8, 70, 1_500][dice.random_range(0..if seed % 3 == 0 { 5 } else { 3 })];
                [dice.random_range(0..most).to_string().as_bytes(), &vec![b'm'; len]].concat()
            };
            let mut some = BTreeMap::new();
            for _ in 0..dice.random_range(1..20) {
                some.insert(member(&mut dice), scores[dice.random_range(0..scores.len())]);
            }
            let members: Vec<(Vec<u8>, f64)> = some.into_iter().collect();
            match dice.random_range(0..20) {
                0..9 => {
                    add(&mut store, key, &members);
                    model.extend(members);
                }
                9..13 => {
                    let names = members.map_members();
                    let there = names.iter().filter(|name| model.remove(*name).is_some()).count();
                    let gone = there > 0 && model.is_empty();
                    assert_eq!(remove(&mut store, key, &names), (there, gone));
                }
                13 | 14 if !model.is_empty() => {
                    let start = dice.random_range(0..model.len());
                    let ranks = start..dice.random_range(start..=model.len().min(start + 30));
                    let gone: Vec<Vec<u8>> =
                        in_order(model)[ranks.clone()].iter().map(|(member, _)| member.to_vec()).collect();
                    model.retain(|member, _| !gone.contains(member));
                    let removed = store.remove_zset_ranks(key, ranks);
                    assert_eq!(removed, !gone.is_empty() && model.is_empty());
                }
                15 => {
                    let mut new: Vec<(&[u8], f64)> =
                        members.iter().map(|(member, score)| (&member[..], *score)).collect();
                    let prepared = store.prepare_zset_new(key, &mut new).unwrap();
                    store.commit_zset(prepared);
                    *model = members.into_iter().collect();
                }
                16 if !model.is_empty() => {
                    let copied = store.prepare_copy(key, b"copy", 0, 0).unwrap().unwrap();
                    store.commit_whole(copied);
                    let rename = store.prepare_rename(b"copy", key, 0, 0).unwrap().unwrap();
                    store.commit_rename(rename);
                }
                17 if step % 40 == 17 => {
                    store.remove(key, 0);
                    model.clear();
                }
                18 => put(&mut store, b"text", &[7; 300], Expiry::Never),
                _ => {}
            }
            compare(&mut store, key, model, &mut dice);
            if step % 20 == 0 {
                store.audit();
            }
        }
        store.audit();
        store.clear();
        while store.has_leftovers() {
            store.reclaim(1);
        }
        assert_eq!(store.discards.memory(), 0);
    }
}

#[test]
fn members_with_one_score_are_in_the_order_of_their_bytes() {
    for count in [50, 500] {
        let mut store = Store::new(1);
        let members: Vec<(Vec<u8>, f64)> =
            numbered(0..count, 0).into_iter().map(|(member, _)| (member, 3.0)).collect();
        add(&mut store, b"k", &members);
        let zset = store.zset(b"k", 0).unwrap().unwrap();
        for (nth, (member, _)) in members.iter().enumerate() {
            let counts = (zset.count_below_lex(member, false), zset.count_below_lex(member, true));
            assert_eq!(counts, (nth, nth + 1));
        }
        let ends = (zset.count_below_lex(b"", true), zset.count_below_lex(b"x", false));
        assert_eq!(ends, (0, count as usize));
        assert_eq!(store.zset_there(b"k").map(Ranked::len), Some(count as usize));
    }
}

#[test]
fn a_scan_finds_every_member() {
    for count in [50, 5_000] {
        let mut store = Store::new(1);
        add(&mut store, b"k", &numbered(0..count, 0));
        let (mut cursor, mut found) = (0, Model::new());
        loop {
            cursor = store
                .zset_scan(b"k", cursor, 10, 0, |(member, score)| {
                    found.insert(member.to_vec(), score);
                    true
                })
                .unwrap();
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(found, numbered(0..count, 0).into_iter().collect());
    }
}

#[test]
fn refused_memory_changes_nothing() {
    for count in [3, 100, 128, 129, 1_000] {
        let mut store = Store::new(1);
        add(&mut store, b"k", &numbered(0..count, 5));
        let model: Model = numbered(0..count, 5).into_iter().collect();
        let more = numbered(count - 1..count + 40, 1_500);
        let mut refused = 0;
        loop {
            let members = more.iter().map(|(member, score)| (&member[..], *score)).collect();
            memory::allow(refused * 64);
            let prepared = store.prepare_zset_add(b"k", members, 0);
            memory::allow(usize::MAX);
            if prepared.is_ok() {
                break;
            }
            assert_eq!(prepared.unwrap_err(), WriteError::OutOfMemory);
            refused += 1;
            if refused % 32 == 1 {
                compare(&mut store, b"k", &model, &mut StdRng::seed_from_u64(1));
                store.audit();
            }
        }
        assert!(refused > 0);
    }
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let mut store = Store::new(1);
    put(&mut store, b"s", b"string", Expiry::Never);
    add(&mut store, b"z", &numbered(0..3, 0));
    let prepared = store.prepare_zset_add(b"s", vec![(b"m", 1.0)], 0);
    assert_eq!(prepared.unwrap_err(), WriteError::WrongKind);
    assert!(store.zset(b"s", 0).is_err() && store.zset_scan(b"s", 0, 1, 0, |_| true).is_err());
    assert!(store.prepare_zset_remove(b"s", std::iter::empty(), 0).is_err());
    assert_eq!((store.kind(b"z", 0), store.get(b"z", 0)), (Some(Kind::Zset), Err(WrongKind)));
    assert!(store.zset_there(b"s").is_none());
}

#[test]
fn a_single_member_gets_another_score_without_memory() {
    let mut rng = StdRng::seed_from_u64(9);
    let mut store = Store::new(9);
    let members = numbered(0..6_000, 5);
    add(&mut store, b"k", &members);
    let mut model: Model = members.iter().cloned().collect();
    let mut ready_count = 0;
    for _ in 0..20_000 {
        let member = &members[rng.random_range(0..members.len())].0;
        let score = f64::from(rng.random_range(-50..50));
        memory::allow(0);
        let ready = store.ready_member(b"k", member, 0).unwrap();
        let is_ready = ready.is_some();
        if let Some(ready) = ready {
            assert_eq!(ready.score(), model[member]);
            store.commit_score(ready, score);
        }
        memory::allow(usize::MAX);
        if is_ready {
            ready_count += 1;
        } else {
            add(&mut store, b"k", &[(member.clone(), score)]);
        }
        model.insert(member.clone(), score);
    }
    assert!(ready_count > 19_000, "only {ready_count} updates needed no memory");
    assert!(store.ready_member(b"k", b"not there", 0).unwrap().is_none());
    assert!(store.ready_member(b"no key", b"m", 0).unwrap().is_none());
    compare(&mut store, b"k", &model, &mut rng);
    store.audit();
}
