//! Random changes are taken back or kept.

use std::collections::BTreeSet;

use super::ops::Ops;
use super::shot::{assert_same, shot};
use crate::store::{Listener, Store};

/// Makes changes, and then takes more changes back, a few times.
fn trial(seed: u64) {
    let mut ops = Ops::new(seed);
    let mut store = Store::new(seed);
    for round in 0..4 {
        for _ in 0..changes(seed) {
            ops.step(&mut store);
        }
        let what = format!("seed {seed}, round {round}");
        let before = shot(&mut store);
        store.begin_undo();
        for _ in 0..changes(seed >> 2) {
            ops.step(&mut store);
        }
        store.audit();
        let here = store.selected();
        if (seed + round).is_multiple_of(5) {
            let after = shot(&mut store);
            store.keep_changes();
            assert_same(&after, &shot(&mut store), &format!("{what}, kept"));
        } else {
            store.undo_changes();
            assert_same(&before, &shot(&mut store), &what);
        }
        assert_eq!((store.selected(), store.undo_memory()), (here, 0));
        store.audit();
    }
    store.clear_all();
    while store.has_leftovers() {
        store.reclaim(10);
    }
    store.audit();
    drop(store.take_replaced());
    let rest = store.memory() - store.table.names().memory();
    assert!(rest < 40 << 10, "seed {seed}: {rest} bytes are left");
}

fn changes(seed: u64) -> usize {
    [3, 20, 60, 150][seed as usize % 4]
}

/// What the steps of all kinds read as. All of these must be met.
const KINDS: [&str; 33] = [
    "Item",
    "Renamed",
    "Flushed",
    "Swapped",
    "Text",
    "Field",
    "Member",
    "Integer",
    "Score",
    "List",
    "Stream",
    "moved: true",
    "moved: false",
    "Expiry(",
    "Absent",
    "Small",
    "Trimmed",
    "part: Some",
    "Appended",
    "Pending",
    "Created",
    "Destroyed",
    "Read",
    "Seen",
    "Entered",
    "Left(",
    "Pushed",
    "Cut {",
    "Copy(",
    "Inserted",
    "Removed(",
    "indices",
    "what: None",
];

/// Notes which kinds of steps the log has.
fn note_kinds(store: &Store, kinds: &mut BTreeSet<&str>) {
    for step in store.undo.iter().flat_map(|undo| undo.steps.iter()) {
        let text = format!("{step:?}");
        kinds.extend(KINDS.iter().filter(|word| text.contains(**word)));
    }
}

#[test]
fn the_changes_are_of_every_kind() {
    let mut kinds = BTreeSet::new();
    for seed in 0..60 {
        let (mut ops, mut store) = (Ops::new(seed), Store::new(seed));
        ops.scale = ops.scale.min(3);
        (0..150).for_each(|_| ops.step(&mut store));
        store.begin_undo();
        (0..60).for_each(|_| ops.step(&mut store));
        note_kinds(&store, &mut kinds);
        store.undo_changes();
    }
    let missing: Vec<&&str> = KINDS.iter().filter(|word| !kinds.contains(**word)).collect();
    assert!(missing.is_empty(), "no step was {missing:?}");
}

#[test]
fn whatever_was_changed_is_as_before() {
    let seeds = std::env::var("UNDO_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(500);
    let first = std::env::var("UNDO_FIRST").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    (first..first + seeds).for_each(trial);
}

/// Makes the same changes of two stores, and notes those of one.
fn twins(seed: u64) {
    let mut noted = (Store::new(seed), Ops::new(seed));
    let mut plain = (Store::new(seed), Ops::new(seed));
    for round in 0..6 {
        if round % 2 == 1 {
            noted.0.begin_undo();
        }
        for (store, ops) in [&mut noted, &mut plain] {
            (0..60).for_each(|_| ops.step(store));
        }
        let what = format!("seed {seed}, round {round}");
        assert_same(&shot(&mut plain.0), &shot(&mut noted.0), &what);
        noted.0.audit();
        noted.0.keep_changes();
    }
    assert_eq!(plain.1.now_ms, noted.1.now_ms);
}

#[test]
fn what_is_noted_is_done_as_ever() {
    (0..300).for_each(twins);
}

#[test]
fn the_listeners_hear_only_of_what_stays() {
    let mut store = Store::new(1);
    store.listen(Listener::Watches, true);
    let put = |store: &mut Store, key: &[u8]| {
        let entry = store.prepare(key, b"value").unwrap();
        store.commit(entry, crate::store::Expiry::Never);
    };
    put(&mut store, b"before");
    store.begin_undo();
    put(&mut store, b"within");
    store.undo_changes();
    put(&mut store, b"after");
    let told = store.take_effects();
    let keys: Vec<&[u8]> = told.iter().map(|effect| effect.key).collect();
    assert_eq!((keys, told.lost), (vec![&b"before"[..], b"after"], false));
    store.put_back_effects(told);
    store.begin_undo();
    put(&mut store, b"within");
    store.undo_changes();
    assert!(!store.has_effects());
}
