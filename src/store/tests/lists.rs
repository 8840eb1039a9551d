//! Lists compared with deques of byte strings, in every form and in each change from one form to the next.

use super::*;

fn push(store: &mut Store, key: &[u8], side: Side, elements: &[Vec<u8>]) -> usize {
    let prepared = store.prepare_list_push(key, side, elements.iter().map(Vec::as_slice), 0).unwrap();
    store.commit_list(prepared)
}

#[test]
fn what_a_large_list_leaves_is_freed_in_steps() {
    let mut store = Store::new(1);
    let full = |store: &mut Store| {
        for key in 0..3_u8 {
            push(store, &[key], Side::Right, &vec![vec![7; 100]; 100_000]);
        }
        store.memory()
    };
    type Way = (&'static str, fn(&mut Store));
    let ways: [Way; 6] = [
        ("removed", |store| (0..3).for_each(|key| assert!(store.remove(&[key], 0)))),
        ("overwritten", |store| (0..3).for_each(|key| put(store, &[key], b"short", Expiry::Never))),
        ("expired", |store| {
            (0..3).for_each(|key| store.expire(&[key], Some(5)));
            store.sweep(5, 100, 1);
        }),
        ("flushed", Store::clear),
        ("cut at both ends", |store| {
            (0..3).for_each(|key| assert!(!store.drop_list_ends(&[key], 50_000, 49_999)));
        }),
        ("removed by what they equal", |store| {
            for key in 0..3 {
                let gone = store.remove_list_elements(&[key], &[7; 100], usize::MAX, Side::Left);
                assert_eq!(gone, (100_000, true));
            }
        }),
    ];
    let mut emptied = None;
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
        for key in 0..3 {
            store.remove(&[key], 0);
        }
        while store.has_leftovers() {
            store.reclaim(1);
        }
        let left = store.memory();
        assert!(left < 8 << 10, "{way}: {left} bytes are left");
        assert!(left <= *emptied.get_or_insert(left), "{way}: the count of memory rises each time");
    }
}
