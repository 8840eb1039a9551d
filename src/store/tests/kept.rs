//! Strings that keep the memory in which they have arrived, compared with a model.

use std::ops::Range;

use super::trial::{Trial, Value};
use super::*;
use crate::base::{Shared, memory, outliving_bytes};

impl Value for Vec<u8> {
    fn read(store: &mut Store, key: &[u8]) -> Option<Vec<u8>> {
        store.get(key, 0).ok()?.map(<[u8]>::to_vec)
    }
}

/// Memory in which a request with this key and this value has arrived, and where the two lie there.
fn arrived(key: &[u8], value: &[u8]) -> (Shared, [Range<usize>; 2]) {
    let bytes = [b"SET ", key, b" ", value, b" end"].concat();
    let (key, value) = (4..4 + key.len(), 5 + key.len()..5 + key.len() + value.len());
    (Shared::new(bytes.into()), [key, value])
}

/// Sets a key to a value that keeps its memory. Returns the memory, or `None` if the store does not keep it.
fn keep(store: &mut Store, key: &[u8], value: &[u8], expiry: Expiry) -> Option<Shared> {
    let (memory, [key, value]) = arrived(key, value);
    let entry = store.prepare_kept(&memory.bytes()[key], &memory.bytes()[value], &memory).unwrap()?;
    store.commit(entry, expiry);
    Some(memory)
}

#[test]
fn a_kept_string_lies_where_it_has_arrived_and_counts_all_of_its_memory() {
    let (mut store, value) = (Store::new(1), vec![b'v'; 2_000]);
    let before = store.memory();
    let memory = keep(&mut store, b"key", &value, Expiry::Never).unwrap();
    let held = store.get(b"key", 0).unwrap().unwrap();
    assert_eq!((held, memory.find(held).is_some()), (&value[..], true));
    store.audit();
    let usage = store.object(b"key", 0).unwrap().1;
    let all = memory.bytes().len();
    assert!((all..all + 120).contains(&usage), "{usage} bytes for {all}");
    assert!(store.memory() >= before + all, "{} bytes, {before} before", store.memory());
    store.remove(b"key", 0);
    assert!(memory.into_bytes().is_ok(), "the store holds the memory of a removed key");
}

#[test]
fn a_string_that_would_waste_memory_is_not_kept() {
    let mut store = Store::new(1);
    assert!(keep(&mut store, &[b'k'; 300], &[b'v'; 1_500], Expiry::Never).is_none());
    assert!(keep(&mut store, b"k", &[b'v'; 100], Expiry::Never).is_none(), "it fits a block");
    let (memory, [key, _]) = arrived(b"k", &[b'v'; 1_500]);
    let elsewhere = vec![b'v'; 1_500];
    assert!(store.prepare_kept(&memory.bytes()[key], &elsewhere, &memory).unwrap().is_none());
    assert_eq!(store.len(), 0);
}

#[test]
fn the_memory_of_a_replaced_string_can_be_used_again() {
    let (mut store, value) = (Store::new(1), [b'v'; 1_500]);
    let first = keep(&mut store, b"k", &value, Expiry::Never).unwrap();
    let (at, len) = (first.bytes().as_ptr(), first.bytes().len());
    drop(first);
    assert!(store.take_replaced().is_none(), "nothing was replaced");
    drop(keep(&mut store, b"k", &value, Expiry::Never));
    let held = store.memory();
    let replaced = store.take_replaced().unwrap();
    assert_eq!((replaced.as_ptr(), replaced.len()), (at, len));
    assert_eq!(held - store.memory(), len, "it counts until it is taken");
    // What somebody else still reads stays as it is.
    let read = keep(&mut store, b"k", &value, Expiry::Never).unwrap();
    drop(store.take_replaced());
    drop(keep(&mut store, b"k", &[b'w'; 1_500], Expiry::Never));
    assert!(store.take_replaced().is_none() && read.bytes().ends_with(b"v end"));
}

#[test]
fn without_memory_for_a_copy_a_kept_string_stays_as_it_is() {
    let (mut store, value) = (Store::new(1), vec![b'v'; 4_000]);
    let reader = keep(&mut store, b"key", &value, Expiry::Never).unwrap();
    store.prepare_expiry(b"key").unwrap();
    memory::allow(3_000);
    let refused = WriteError::OutOfMemory;
    assert_eq!(store.prepare_append(b"key", b"tail").map(drop), Err(refused));
    assert_eq!(store.prepare_edit(b"key", 10, 0).map(drop), Err(refused));
    assert_eq!(store.prepare_rename(b"key", b"other", 0, 0).map(drop), Err(refused));
    assert_eq!(store.prepare_copy(b"key", b"other", 0, 0).map(drop), Err(refused));
    store.audit();
    assert_eq!(store.get(b"key", 0), Ok(Some(&value[..])));
    memory::allow(usize::MAX);
    let entry = store.prepare_append(b"key", b"tail").unwrap();
    store.commit(entry, Expiry::Keep);
    assert_eq!(store.get(b"key", 0), Ok(Some(&[&value[..], b"tail"].concat()[..])));
    assert!(reader.bytes().ends_with(b"v end"), "a reader sees what it has asked for");
    store.audit();
}

#[test]
fn a_string_that_nobody_reads_changes_without_a_copy() {
    let (mut store, value) = (Store::new(1), vec![b'v'; 4_000]);
    drop(keep(&mut store, b"key", &value, Expiry::Never));
    memory::allow(3_000);
    let entry = store.prepare_append(b"key", b"tail").unwrap();
    store.commit(entry, Expiry::Keep);
    drop(store.share(b"key"));
    let edit = store.prepare_range_edit(b"key", 4_000..4_004, 0).unwrap();
    store.commit_edit(edit, |bytes| {
        bytes[4_000..].copy_from_slice(b"TAIL");
        true
    });
    memory::allow(usize::MAX);
    assert_eq!(store.get(b"key", 0), Ok(Some(&[&value[..], b"TAIL"].concat()[..])));
    store.audit();
}

#[test]
fn a_long_string_is_shared_wherever_it_came_from() {
    let (mut store, value) = (Store::new(1), vec![b'v'; 4_000]);
    assert!(store.share(b"key").is_none());
    put(&mut store, b"key", b"short", Expiry::Never);
    assert!(store.share(b"key").is_none(), "it lies in a block");
    put(&mut store, b"key", &value, Expiry::Never);
    let before = store.memory();
    let (memory, range) = store.share(b"key").unwrap();
    assert_eq!((&memory.bytes()[range], store.memory()), (&value[..], before + Shared::OVERHEAD));
    store.audit();
    store.remove(b"key", 0);
    assert_eq!(outliving_bytes(), memory.bytes().len() + Shared::OVERHEAD);
    drop(memory);
    assert_eq!(outliving_bytes(), 0);
}

#[test]
fn kept_strings_change_as_others_do() {
    for seed in 0..200 {
        let mut trial = Trial::<Vec<u8>>::new(seed);
        let (mut kept, mut readers) = (0, Vec::new());
        for _ in 0..300 {
            let key = trial.key();
            let now_ms = trial.now_ms;
            let bytes = vec![trial.rng.random(); [0, 9, 300, 3_000, 9_000][trial.rng.random_range(0..5)]];
            let before = trial.model.get(&key).cloned();
            let expires = before.as_ref().and_then(|(_, at)| *at);
            let mut value = before.map_or(Vec::new(), |(value, _)| value);
            match trial.rng.random_range(0..10) {
                0..4 => {
                    if keep(&mut trial.store, &key, &bytes, Expiry::Never).is_some() {
                        kept += 1;
                        trial.model.insert(key, (bytes, None));
                    }
                }
                4 => {
                    put(&mut trial.store, &key, &bytes, Expiry::Never);
                    trial.model.insert(key, (bytes, None));
                }
                5 => {
                    trial.store.contains(&key, now_ms);
                    let entry = trial.store.prepare_append(&key, &bytes).unwrap();
                    trial.store.commit(entry, Expiry::Keep);
                    value.extend_from_slice(&bytes);
                    trial.model.insert(key, (value, expires));
                }
                6 => {
                    let from = trial.rng.random_range(0..4_000);
                    let range = from..from + bytes.len().max(1);
                    let edit = trial.store.prepare_range_edit(&key, range.clone(), now_ms).unwrap();
                    trial.store.commit_edit(edit, |bytes| {
                        bytes[range.clone()].fill(7);
                        true
                    });
                    value.resize(value.len().max(range.end), 0);
                    value[range].fill(7);
                    trial.model.insert(key, (value, expires));
                }
                7 => {
                    let live = expires.is_none_or(|at| at > now_ms);
                    readers.extend(trial.store.share(&key).filter(|_| live).map(|shared| (shared, value)));
                    readers.drain(..readers.len().saturating_sub(5));
                }
                _ => trial.disturb(),
            }
            if trial.rng.random_bool(0.1) {
                drop(trial.store.take_replaced());
            }
            if trial.rng.random_bool(0.1) {
                trial.compare();
            }
            for ((memory, range), value) in &readers {
                assert!(
                    memory.bytes()[range.clone()] == **value,
                    "seed {seed}: a reader sees a later change"
                );
            }
        }
        trial.compare();
        readers.clear();
        assert_eq!(outliving_bytes(), 0, "seed {seed}");
        assert!(kept > 20, "seed {seed}: {kept} were kept");
        drop(trial.store.take_replaced());
        trial.end();
    }
}
