//! Crowds: keys that an attacker chose because their hashes begin with the same bits.

use super::*;
use crate::store::segment::ITEMS_MAX;

/// Number of first bits that the hashes of the crowd share: more than select an entry in the directory of a
/// small table.
const SHARED: u32 = 13;
/// Most entries that the directory of a small table may have.
const ENTRIES_MAX: usize = 1024;

/// `count` keys whose hashes begin with the same bits. It finds them as an attacker would who knows the seed.
fn crowd(store: &Store, count: usize) -> Vec<[u8; 8]> {
    let keys = (0..u64::MAX).map(u64::to_be_bytes);
    keys.filter(|key| store.table.hash(key) >> (64 - SHARED) == 5).take(count).collect()
}

fn directory_entries(store: &Store) -> usize {
    store.table.directory.entries().len()
}

#[test]
fn a_crowd_fills_one_segment_and_no_more() {
    let mut store = filled(100);
    let keys = crowd(&store, ITEMS_MAX + 50);
    for (nth, key) in keys.iter().enumerate() {
        match store.prepare(key, b"value") {
            Ok(entry) => store.commit(entry, Expiry::Never),
            Err(error) => {
                assert_eq!(error, WriteError::Crowded);
                assert!(nth >= ITEMS_MAX, "refused after {nth} keys");
            }
        }
    }
    store.audit();
    assert_eq!(store.len(), 100 + ITEMS_MAX);
    assert!(directory_entries(&store) <= ENTRIES_MAX, "{} entries", directory_entries(&store));
    put(&mut store, &keys[0], b"other", Expiry::Never);
    assert_eq!(store.prepare_expiry(&keys[1]), Ok(()));
    store.expire(&keys[1], Some(9));
    assert!(store.prepare(&keys[ITEMS_MAX], b"").is_err());
    assert!(store.remove(&keys[2], 0));
    put(&mut store, &keys[ITEMS_MAX], b"", Expiry::Never);
    let mut refused = 0;
    for n in 100..10_000_u32 {
        match store.prepare(&n.to_le_bytes(), &[7; 40]) {
            Ok(entry) => store.commit(entry, Expiry::Never),
            Err(_) => refused += 1,
        }
    }
    store.audit();
    // By chance, about one key in a thousand belongs to the crowd and is refused.
    assert!(refused < 50, "{refused} honest keys were refused");
}

#[test]
fn a_crowd_in_one_command_is_refused_as_well() {
    for there in [0, 1, 200, ITEMS_MAX] {
        let mut store = filled(100);
        let keys = crowd(&store, ITEMS_MAX + 1);
        let (first, rest) = keys.split_at(there);
        let mut set = |keys: &[[u8; 8]]| -> Result<(), WriteError> {
            let pairs = keys.iter().map(|key| (&key[..], &b"value"[..]));
            for entry in store.prepare_all(pairs)? {
                store.commit(entry, Expiry::Never);
            }
            Ok(())
        };
        assert_eq!(set(first), Ok(()));
        assert_eq!(set(rest), Err(WriteError::Crowded));
        assert_eq!(set(&rest[..ITEMS_MAX - there]), Ok(()));
        store.audit();
        assert_eq!(store.len(), 100 + ITEMS_MAX);
        assert!(directory_entries(&store) <= ENTRIES_MAX, "{} entries", directory_entries(&store));
    }
}

#[test]
fn many_honest_keys_in_one_command_do_not_crowd() {
    let keys: Vec<[u8; 4]> = (0..200_000_u32).map(u32::to_le_bytes).collect();
    for value in [0, 200] {
        let (mut store, value) = (filled(1_000), vec![7; value]);
        let pairs = keys.iter().map(|key| (&key[..], &value[..]));
        for entry in store.prepare_all(pairs).unwrap() {
            store.commit(entry, Expiry::Never);
        }
        store.audit();
        assert_eq!(store.len(), keys.len());
    }
}

/// A prepared write can be committed, even if keys have expired or were removed in between.
#[test]
fn a_commit_finds_room_in_any_crowd() {
    let mut refused = 0;
    for seed in 0..40 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut store = Store::new(1);
        let len_max = [10, 120, 240][seed as usize % 3];
        let keys = crowd(&store, 600);
        let mut now_ms = 0;
        for _ in 0..10_000 {
            let key = &keys[rng.random_range(0..keys.len())];
            let value = vec![7; rng.random_range(0..len_max)];
            let at = rng.random_bool(0.3).then(|| now_ms + rng.random_range(1..100_000));
            let prepared = match rng.random_range(0..12) {
                0..6 => store.prepare(key, &value),
                6..8 => store.prepare_append(key, &value[..value.len().min(20)]),
                8 => {
                    store.remove(key, now_ms);
                    continue;
                }
                _ => {
                    if store.prepare_expiry(key).is_ok() {
                        store.expire(key, at);
                    }
                    continue;
                }
            };
            let Ok(entry) = prepared else {
                refused += 1;
                continue;
            };
            now_ms += rng.random_range(0..10);
            store.contains(key, now_ms);
            store.commit(entry, at.map_or(Expiry::Keep, Expiry::At));
        }
        store.audit();
        assert!(
            directory_entries(&store) <= ENTRIES_MAX,
            "seed {seed}: {} entries",
            directory_entries(&store)
        );
    }
    assert!(refused > 1_000, "only {refused} writes were refused");
}
