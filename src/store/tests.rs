//! What the keyspace promises: keys expire on time, memory comes back, and scans miss no key.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

mod crowds;
mod databases;
mod effects;
mod fields;
mod hashes;
mod kept;
mod lists;
mod map;
mod sets;
mod trial;
mod whole;
mod zsets;

/// Writes a string.
fn put(store: &mut Store, key: &[u8], value: &[u8], expiry: Expiry) {
    let entry = store.prepare(key, value).unwrap();
    store.commit(entry, expiry);
}

/// A store with `keys` keys, each with a value of 40 bytes.
fn filled(keys: u32) -> Store {
    let mut store = Store::new(1);
    for n in 0..keys {
        put(&mut store, &n.to_le_bytes(), &[7; 40], Expiry::Never);
    }
    store
}

#[test]
fn a_key_is_gone_the_millisecond_it_expires() {
    let mut store = Store::new(1);
    put(&mut store, b"k", b"v", Expiry::At(100));
    assert_eq!(store.get(b"k", 99), Ok(Some(&b"v"[..])));
    assert_eq!(store.get(b"k", 100), Ok(None));
    store.audit();
    assert_eq!((store.len(), store.expired()), (0, 1));
}

#[test]
fn overwriting_keeps_or_drops_the_expiry_as_told() {
    let mut store = Store::new(1);
    put(&mut store, b"k", b"v", Expiry::At(100));
    put(&mut store, b"k", b"w", Expiry::Keep);
    assert_eq!(store.expiry(b"k", 0), Some(Some(100)));
    put(&mut store, b"k", b"x", Expiry::Never);
    assert_eq!(store.expiry(b"k", 0), Some(None));
    store.expire(b"k", Some(7));
    store.audit();
    assert_eq!(store.next_expiry(), Some(7));
}

#[test]
fn a_sweep_stays_within_its_budget() {
    let mut store = Store::new(1);
    for n in 0..10_u8 {
        put(&mut store, &[n], b"v", Expiry::At(u64::from(n)));
    }
    assert_eq!(store.sweep(7, 5, 1), 5);
    assert_eq!(store.sweep(7, 5, 1), 3);
    assert_eq!(store.sweep(7, 5, 1), 0);
    store.audit();
    assert_eq!(store.len(), 2);
}

#[test]
fn emptied_is_as_new_and_memory_comes_back_in_steps() {
    let mut store = filled(50_000);
    for n in 0..3_000_u32 {
        put(&mut store, &n.to_be_bytes(), &[7; 1_000], Expiry::At(100));
    }
    let full = store.memory();
    store.clear();
    assert!(store.is_empty() && store.has_leftovers());
    assert!(store.memory() > full / 2, "most of the discarded memory must still be held");
    assert_eq!(store.next_expiry(), None);
    put(&mut store, b"k", b"v", Expiry::Never);
    let mut steps = 0;
    while store.has_leftovers() {
        store.reclaim(1);
        steps += 1;
    }
    assert!(steps > 10, "freed in {steps} steps");
    assert_eq!(store.get(b"k", 0), Ok(Some(&b"v"[..])));
    store.remove(b"k", 0);
    store.audit();
    assert!(store.memory() < 8 << 10, "{} bytes are left", store.memory());
}

#[test]
fn small_items_cost_at_most_24_bytes_over_key_and_value_at_any_fill() {
    let mut store = Store::new(1);
    for n in 0..300_000_u64 {
        put(&mut store, format!("key:{n:012}").as_bytes(), &[b'v'; 32], Expiry::Never);
        let keys = n as usize + 1;
        if keys > 20_000 && keys.is_multiple_of(5_000) {
            let over = (store.memory() - keys * 48) as f64 / keys as f64;
            assert!(over <= 24.0, "{over} bytes a key at {keys} keys");
        }
    }
}

/// A list frees its last nodes and is empty then; a table is found empty only by the try after that.
#[test]
fn a_large_list_that_was_removed_is_freed_and_counted_once() {
    for elements in [100, 1_000, 3_000] {
        let mut store = filled(10);
        let element = [7; 1_000];
        let pushed = std::iter::repeat_n(&element[..], elements);
        let prepared = store.prepare_list_push(b"l", Side::Right, pushed, 0).unwrap();
        store.commit_list(prepared);
        assert!(store.remove(b"l", 0));
        assert!(store.waiting_bytes() >= 1_000 * elements);
        while store.has_leftovers() {
            store.reclaim(1);
        }
        assert_eq!(store.waiting_bytes(), 0);
    }
}

#[test]
fn what_is_removed_gives_its_memory_back() {
    let mut store = filled(100_000);
    let full = store.memory();
    for n in 0..99_000_u32 {
        assert!(store.remove(&n.to_le_bytes(), 0));
    }
    store.audit();
    assert!(store.memory() < full / 30, "{} of {full} bytes for a hundredth of the keys", store.memory());
    for n in 99_000..100_000_u32 {
        assert!(store.remove(&n.to_le_bytes(), 0));
    }
    store.audit();
    assert!(store.memory() < 8 << 10, "{} bytes are left", store.memory());
}

/// One step of a scan: the keys it visits, and the cursor for the next step.
fn scan(store: &Store, cursor: u64, count: usize) -> (Vec<Vec<u8>>, u64) {
    let mut keys = Vec::new();
    let next = store.scan(cursor, count, None, 0, |key| {
        keys.push(key.to_vec());
        true
    });
    (keys, next)
}

#[test]
fn a_scan_returns_whatever_is_there_throughout() {
    for seed in 0..20 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut store = Store::new(seed);
        for n in 0..5_000_u32 {
            put(&mut store, &n.to_le_bytes(), b"", Expiry::Never);
        }
        let grows = seed % 2 == 0;
        let (mut cursor, mut seen, mut steps) = (0, BTreeSet::new(), 0);
        loop {
            let count = rng.random_range(1..100);
            let (keys, next) = scan(&store, cursor, count);
            assert!(keys.len() <= count + 1, "{} keys for a count of {count}", keys.len());
            seen.extend(keys);
            if next == 0 {
                break;
            }
            cursor = next;
            steps += 1;
            assert!(steps < 5_000, "the scan does not end");
            for _ in 0..200 {
                // The first thousand keys stay, because the test must find them at the end.
                let n = rng.random_range(1_000..if grows { 100_000 } else { 5_000_u32 });
                if grows {
                    put(&mut store, &n.to_le_bytes(), b"", Expiry::Never);
                } else {
                    store.remove(&n.to_le_bytes(), 0);
                }
            }
        }
        store.audit();
        assert!(steps > 10, "{steps} steps");
        for n in 0..1_000_u32 {
            assert!(seen.contains(&n.to_le_bytes()[..]), "seed {seed}: the scan missed key {n}");
        }
    }
}

#[test]
fn a_scan_of_little_by_little_ends_and_finds_all() {
    let store = filled(2_000);
    let (mut cursor, mut seen) = (0, Vec::new());
    loop {
        let (keys, next) = scan(&store, cursor, 1);
        seen.extend(keys);
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 2_000);
    assert_eq!(store.scan(u64::MAX, 10, None, 0, |_| true), 0);
    assert_eq!(scan(&store, 0, 0).0.len(), 1, "a scan with a count of 0 must go forward too");
}

#[test]
fn a_scan_that_is_told_to_stop_goes_on_from_there() {
    let store = filled(2_000);
    let (mut cursor, mut seen, mut steps) = (0, BTreeSet::new(), 0);
    loop {
        let before = seen.len();
        cursor = store.scan(cursor, 1_000, None, 0, |key| {
            seen.insert(key.to_vec());
            seen.len() < before + 7
        });
        assert!(seen.len() <= before + 8, "{} keys with a limit of 7", seen.len() - before);
        steps += 1;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), 2_000);
    assert!(steps >= 2_000 / 8, "{steps} steps");
}

#[test]
fn a_cursor_tells_nothing_of_the_hash() {
    let store = filled(2_000);
    let (mut cursor, mut steps, mut upwards) = (0, 0, 0);
    loop {
        let next = store.scan(cursor, 1, None, 0, |_| true);
        if next == 0 {
            break;
        }
        steps += 1;
        upwards += u32::from(next > cursor);
        cursor = next;
    }
    assert!(steps > 1_900, "{steps} steps");
    assert!((steps / 2 - 200..steps / 2 + 200).contains(&upwards), "{upwards} of {steps} go up");
}

#[test]
fn any_number_is_a_cursor_that_ends() {
    let store = filled(2_000);
    let mut rng = StdRng::seed_from_u64(5);
    for bits in 0..64 {
        let mut cursor = rng.random::<u64>() >> bits;
        let mut steps = 0;
        while cursor != 0 {
            cursor = store.scan(cursor, 10, None, 0, |_| true);
            steps += 1;
            assert!(steps <= 2_000, "a scan that began at a random cursor does not end");
        }
    }
}

#[test]
fn any_key_may_be_the_random_one() {
    let mut store = filled(1_000);
    put(&mut store, b"old", b"", Expiry::At(5));
    let mut seen = BTreeSet::new();
    for _ in 0..20_000 {
        seen.insert(store.random_key(5).unwrap().to_vec());
    }
    assert_eq!(seen.len(), 1_000);
    assert_eq!(Store::new(1).random_key(0), None);
}

#[test]
fn a_value_built_piece_by_piece_is_whole() {
    let (mut store, mut model) = (Store::new(1), Vec::new());
    for n in 0..2_000_u32 {
        let tail = n.to_string();
        let entry = store.prepare_append(b"k", tail.as_bytes()).unwrap();
        store.commit(entry, Expiry::Keep);
        model.extend_from_slice(tail.as_bytes());
        if n == 20 {
            store.expire(b"k", Some(9));
        }
    }
    assert_eq!(store.get(b"k", 0), Ok(Some(&model[..])));
    assert_eq!(store.expiry(b"k", 0), Some(Some(9)));
    store.audit();
}

#[test]
fn warming_changes_nothing_and_takes_any_number_of_any_keys() {
    let mut store = filled(100_000);
    let keys: Vec<[u8; 4]> = (99_990..100_050_u32).map(u32::to_le_bytes).collect();
    store.warm(keys.iter().map(|key| &key[..]), keys.iter().map(|key| (&key[..], &key[..])));
    store.warm(keys.iter().take(0).map(|key| &key[..]), std::iter::empty());
    assert_eq!(keys.iter().filter(|key| store.contains(&key[..], 0)).count(), 10);
    store.audit();
}

#[test]
fn a_write_that_was_prepared_and_never_committed_leaves_no_trace() {
    let mut store = filled(1_000);
    for len in [1, 300] {
        drop(store.prepare(b"new", &vec![7; len]).unwrap());
        drop(store.prepare_append(&3_u32.to_le_bytes(), &vec![7; len]).unwrap());
    }
    store.audit();
    assert_eq!((store.len(), store.contains(b"new", 0)), (1_000, false));
    assert_eq!(store.get(&3_u32.to_le_bytes(), 0), Ok(Some(&[7; 40][..])));
}

#[test]
fn a_key_that_is_alone_is_always_the_random_one() {
    for seed in 0..200 {
        let mut store = Store::new(seed);
        put(&mut store, b"alone", b"v", Expiry::Never);
        assert_eq!(store.random_key(0), Some(&b"alone"[..]), "seed {seed}");
    }
}

#[test]
fn an_expiry_costs_a_key_less_than_ten_bytes() {
    let held = |expiry: Expiry| {
        let mut store = Store::new(1);
        (0..100_000_u32).for_each(|n| put(&mut store, &n.to_be_bytes(), &[7; 32], expiry));
        store.audit();
        store.memory()
    };
    let (never, expiring) = (held(Expiry::Never), held(Expiry::At(9)));
    assert!(expiring - never < 10 * 100_000, "{} bytes for a key", (expiring - never) / 100_000);
}

#[test]
fn overdue_keys_are_counted_and_go_step_by_step() {
    let mut store = Store::new(1);
    for n in 0..20_000_u32 {
        let expiry = if n.is_multiple_of(4) { Expiry::Never } else { Expiry::At(100 + u64::from(n % 50)) };
        put(&mut store, &n.to_be_bytes(), b"v", expiry);
    }
    assert_eq!(store.overdue(99), Overdue::default());
    let overdue = store.overdue(1_000);
    assert!((14_000..16_000).contains(&overdue.keys) && overdue.oldest_ms == 900, "{overdue:?}");
    let mut sweeps = 0;
    while store.next_expiry().is_some_and(|at_ms| at_ms <= 1_000) {
        assert!(store.sweep(1_000, 500, 1) <= 500);
        store.audit();
        sweeps += 1;
    }
    assert!(sweeps >= 30, "{sweeps} sweeps");
    assert_eq!((store.len(), store.expiring(), store.next_expiry()), (5_000, 0, None));
}

#[test]
fn a_sweep_leaves_a_segment_alone_for_a_while() {
    let mut store = Store::new(1);
    for (key, at_ms) in [(&b"a"[..], 10), (b"b", 12), (b"c", 300)] {
        put(&mut store, key, b"v", Expiry::At(at_ms));
    }
    assert_eq!((store.next_expiry(), store.sweep(11, 100, 100)), (Some(10), 1));
    // The second key has expired for readers, and its memory is due at the next look.
    assert_eq!((store.next_expiry(), store.sweep(50, 100, 100), store.len()), (Some(111), 0, 2));
    assert_eq!((store.sweep(111, 100, 100), store.next_expiry()), (1, Some(300)));
    // A key that expires sooner is not made to wait for that.
    put(&mut store, b"d", b"v", Expiry::At(120));
    assert_eq!(store.next_expiry(), Some(120));
}
