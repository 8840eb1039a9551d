//! What a change of a large value costs the log.

use super::shot::{assert_same, is_large, shot};
use crate::store::*;

/// Members and elements of the large values.
const MANY: usize = 300_000;
const NOW: u64 = 1;

/// Fills `key` by calling `add` with the names of many members, some at a time.
fn fill(store: &mut Store, key: &[u8], mut add: impl FnMut(&mut Store, &[Vec<u8>])) {
    let names: Vec<Vec<u8>> = (0..MANY).map(|n| format!("member:{n:07}").into_bytes()).collect();
    names.chunks(5_000).for_each(|some| add(store, some));
    assert!(is_large(store, key));
}

/// Notes a change, which must cost at most `most` bytes, and takes it back.
fn costs_at_most(store: &mut Store, most: usize, change: impl FnOnce(&mut Store)) {
    let (memory, len) = (store.memory(), store.len());
    store.begin_undo();
    change(store);
    let cost = store.undo_memory();
    assert!(cost > 0 && cost <= most, "the log takes {cost} bytes");
    // A long string that grows gets up to a mebibyte of room.
    assert!(store.memory() <= memory + 3 * most + (3 << 19));
    store.audit();
    store.undo_changes();
    store.audit();
    assert_eq!(store.len(), len);
}

#[test]
fn one_element_of_a_large_list_costs_little() {
    let mut store = Store::new(1);
    fill(&mut store, b"list", |store, names| {
        let names = names.iter().map(|name| &name[..]);
        let prepared = store.prepare_list_push(b"list", Side::Right, names, NOW).unwrap();
        store.commit_list(prepared);
    });
    let before = shot(&mut store);
    for side in [Side::Left, Side::Right] {
        costs_at_most(&mut store, 2_000, |store| {
            for _ in 0..100 {
                let prepared = store.prepare_list_push(b"list", side, [&b"x"[..]].into_iter(), NOW).unwrap();
                store.commit_list(prepared);
            }
        });
    }
    costs_at_most(&mut store, 2_000, |store| {
        let prepared = store.prepare_list_set(b"list", MANY / 2, b"other", NOW).unwrap();
        store.commit_list(prepared);
        let prepared = store.prepare_list_insert(b"list", MANY / 3, b"new", NOW).unwrap();
        store.commit_list(prepared);
    });
    costs_at_most(&mut store, 2_000, |store| {
        store.drop_list_ends(b"list", 1, 0);
        store.drop_list_ends(b"list", 0, 1);
    });
    costs_at_most(&mut store, 20_000, |store| {
        store.drop_list_ends(b"list", MANY / 3, MANY / 3);
    });
    costs_at_most(&mut store, 2_000, |store| {
        store.remove_list_elements(b"list", b"member:0200000", 1, Side::Left);
    });
    assert_same(&before, &shot(&mut store), "list");
}

#[test]
fn long_elements_are_moved_and_not_copied() {
    let mut store = Store::new(1);
    let long = vec![b'x'; 1 << 20];
    let elements = [&b"first"[..], &long, b"between", &long, b"last"];
    let prepared = store.prepare_list_push(b"list", Side::Right, elements.into_iter(), NOW).unwrap();
    store.commit_list(prepared);
    let before = shot(&mut store);
    for other in [&b"short"[..], &vec![b'y'; 1 << 20]] {
        let within = other.len() + 3_000;
        for index in [1, 3] {
            costs_at_most(&mut store, 3_000, |store| {
                let prepared = store.prepare_list_set(b"list", index, other, NOW).unwrap();
                store.commit_list(prepared);
            });
        }
        costs_at_most(&mut store, within, |store| {
            store.drop_list_ends(b"list", 2, 0);
            let prepared = store.prepare_list_push(b"list", Side::Left, [other].into_iter(), NOW).unwrap();
            store.commit_list(prepared);
            let prepared = store.prepare_list_set(b"list", 2, other, NOW).unwrap();
            store.commit_list(prepared);
            store.drop_list_ends(b"list", 0, 2);
        });
    }
    assert_same(&before, &shot(&mut store), "list");
}

#[test]
fn one_field_of_a_large_hash_costs_little() {
    let mut store = Store::new(1);
    fill(&mut store, b"hash", |store, names| {
        let pairs = names.iter().map(|name| (&name[..], &b"value"[..]));
        let prepared = store.prepare_map_set(b"hash", pairs, Expiry::Never, NOW).unwrap();
        store.commit_map_set(prepared);
    });
    let before = shot(&mut store);
    for field in [&b"new"[..], b"member:0000001"] {
        costs_at_most(&mut store, 2_000, |store| {
            let pairs = [(field, &b"other"[..])].into_iter();
            let prepared = store.prepare_map_set(b"hash", pairs, Expiry::Never, NOW).unwrap();
            store.commit_map_set(prepared);
        });
    }
    costs_at_most(&mut store, 2_000, |store| {
        let removal = store.prepare_map_remove(b"hash", [&b"member:0000007"[..]].into_iter(), NOW).unwrap();
        assert!(!store.commit_map_remove(removal));
        let fields = [&b"member:0000008"[..]].into_iter();
        let prepared = store.prepare_field_changes(b"hash", fields.clone(), true, NOW).unwrap().unwrap();
        store.commit_field_changes(prepared, fields, |_| FieldChange::Expire(99));
    });
    assert_same(&before, &shot(&mut store), "hash");
}

#[test]
fn one_member_of_a_large_set_costs_little() {
    let mut store = Store::new(1);
    fill(&mut store, b"set", |store, names| {
        let prepared = store.prepare_set_add(b"set", names.iter().map(|name| &name[..]), NOW).unwrap();
        store.commit_set_add(prepared);
        let prepared = store.prepare_set_add(b"set", names.iter().map(|name| &name[7..]), NOW).unwrap();
        store.commit_set_add(prepared);
    });
    let before = shot(&mut store);
    for member in [&b"new"[..], b"-7"] {
        costs_at_most(&mut store, 2_000, |store| {
            let prepared = store.prepare_set_add(b"set", [member].into_iter(), NOW).unwrap();
            store.commit_set_add(prepared);
        });
    }
    costs_at_most(&mut store, 2_000, |store| {
        let members = [&b"member:0000007"[..], b"123456"].into_iter();
        let removal = store.prepare_set_remove(b"set", members, NOW).unwrap();
        assert!(!store.commit_set_remove(removal));
    });
    assert_same(&before, &shot(&mut store), "set");
}

#[test]
fn one_member_of_a_large_sorted_set_costs_little() {
    let mut store = Store::new(1);
    fill(&mut store, b"zset", |store, names| {
        let scored = names.iter().map(|name| (&name[..], name[13].into())).collect();
        let prepared = store.prepare_zset_add(b"zset", scored, NOW).unwrap();
        store.commit_zset(prepared);
    });
    let before = shot(&mut store);
    for member in [&b"new"[..], b"member:0000001"] {
        costs_at_most(&mut store, 2_000, |store| {
            let prepared = store.prepare_zset_add(b"zset", vec![(member, 50.5)], NOW).unwrap();
            store.commit_zset(prepared);
        });
    }
    costs_at_most(&mut store, 2_000, |store| {
        let ready = store.ready_member(b"zset", b"member:0000002", NOW).unwrap().unwrap();
        store.commit_score(ready, -3.0);
        let members = [&b"member:0000007"[..]].into_iter();
        let removal = store.prepare_zset_remove(b"zset", members, NOW).unwrap();
        assert!(!store.commit_zset_remove(removal));
        store.remove_zset_ranks(b"zset", 1_000..1_002);
    });
    assert_same(&before, &shot(&mut store), "zset");
}

#[test]
fn one_entry_of_a_large_stream_costs_little() {
    let mut store = Store::new(1);
    let mut ms = 0;
    let mut add = |store: &mut Store, name: &[u8]| {
        ms += 1;
        let pairs = [(&b"name"[..], name)].into_iter();
        let id = StreamId::new(ms, 0);
        let entry = store.prepare_entry(b"stream", id, pairs.clone(), NodeLimits::default(), NOW).unwrap();
        store.commit_entry(entry, pairs);
    };
    fill(&mut store, b"stream", |store, names| names.iter().for_each(|name| add(store, name)));
    let group = |stream: &mut Stream| stream.create_group(b"group", StreamId::MIN, None);
    store.try_in_stream(b"stream", NOW, group).unwrap();
    let deliver = |store: &mut Store, count: usize| {
        let prepare = |stream: &mut Stream| stream.prepare_delivery(b"group", b"consumer", count, true);
        let delivery = store.try_in_stream(b"stream", NOW, prepare).unwrap().unwrap();
        store.touch_stream(b"stream", |stream| stream.commit_delivery(delivery, NOW));
    };
    deliver(&mut store, MANY / 2);
    let before = shot(&mut store);
    costs_at_most(&mut store, 3_000, |store| add(store, b"new"));
    costs_at_most(&mut store, 3_000, |store| {
        let id = StreamId::new(1_234, 0);
        store.count_in_stream(b"stream", |stream| usize::from(stream.log_mut().remove(id)));
    });
    costs_at_most(&mut store, 4_000, |store| deliver(store, 2));
    costs_at_most(&mut store, 3_000, |store| {
        let ids = [StreamId::new(1_000, 0)].into_iter();
        assert_eq!(store.touch_stream(b"stream", |stream| stream.acknowledge(b"group", ids)), Ok(1));
    });
    costs_at_most(&mut store, 10_000, |store| {
        let trim = Trim { to: TrimTo::Length(1_234), approximate: false, limit: None };
        assert!(store.trim_stream(b"stream", trim) > 200_000);
    });
    costs_at_most(&mut store, 3_000, |store| {
        let left = store.touch_stream(b"stream", |stream| stream.destroy_group(b"group")).unwrap();
        store.discard(left);
    });
    assert_same(&before, &shot(&mut store), "stream");
}

#[test]
fn some_bytes_of_a_long_string_cost_little() {
    let mut store = Store::new(1);
    let value = vec![b'v'; 64 << 20];
    let entry = store.prepare(b"string", &value).unwrap();
    store.commit(entry, Expiry::Never);
    let before = shot(&mut store);
    costs_at_most(&mut store, 2_000, |store| {
        let edit = store.prepare_range_edit(b"string", 40 << 20..(40 << 20) + 100, NOW).unwrap();
        store.commit_edit(edit, |bytes| {
            bytes[40 << 20..][..100].fill(1);
            true
        });
    });
    costs_at_most(&mut store, 2_000, |store| {
        let entry = store.prepare_append(b"string", b"tail").unwrap();
        store.commit(entry, Expiry::Keep);
        store.prepare_expiry(b"string").unwrap();
        store.expire(b"string", Some(77));
        let rename = store.prepare_rename(b"string", b"other", 1, NOW).unwrap().unwrap();
        store.commit_rename(rename);
    });
    assert_same(&before, &shot(&mut store), "string");
}

#[test]
fn what_is_removed_as_a_whole_is_not_copied() {
    let mut store = Store::new(1);
    let value = vec![b'v'; 8 << 20];
    let put = |store: &mut Store, key: &[u8], value: &[u8]| {
        let entry = store.prepare(key, value).unwrap();
        store.commit(entry, Expiry::Never);
    };
    for n in 0..10_000_u32 {
        put(&mut store, &n.to_le_bytes(), b"small");
    }
    put(&mut store, b"one", &value);
    put(&mut store, b"two", &value);
    let before = shot(&mut store);
    let len = store.len();
    store.begin_undo();
    store.remove(b"one", NOW);
    put(&mut store, b"two", b"short");
    store.clear_all();
    assert!(store.undo_memory() < 30_000, "{} bytes", store.undo_memory());
    assert!(store.memory() > 16 << 20, "the log counts as memory of the store");
    store.undo_changes();
    assert_eq!(store.len(), len);
    assert_same(&before, &shot(&mut store), "removed");
    store.begin_undo();
    store.clear_all();
    store.keep_changes();
    assert!(store.has_leftovers(), "much is freed piece by piece");
    while store.has_leftovers() {
        store.reclaim(1);
    }
    assert!(store.memory() < 40 << 10, "{} bytes are left", store.memory());
}

#[test]
fn a_small_key_that_changes_often_is_noted_once() {
    let mut store = Store::new(1);
    let push = |store: &mut Store, key: &[u8], n: usize| {
        let element = n.to_string();
        let elements = [element.as_bytes()].into_iter();
        let prepared = store.prepare_list_push(key, Side::Right, elements, NOW).unwrap();
        store.commit_list(prepared);
    };
    push(&mut store, b"list", 1);
    let before = shot(&mut store);
    costs_at_most(&mut store, 3_000, |store| {
        for n in 0..20_000 {
            let number = n.to_string();
            let entry = store.prepare(b"counter", number.as_bytes()).unwrap();
            store.commit(entry, Expiry::Never);
            push(store, b"list", n);
            push(store, b"new", n);
        }
    });
    assert_same(&before, &shot(&mut store), "small");
}

#[test]
fn a_log_that_would_outgrow_the_store_counts() {
    let mut store = Store::new(1);
    store.begin_undo();
    for n in 0..40_u8 {
        let value = vec![n; 1 << 20];
        let entry = store.prepare(b"string", &value).unwrap();
        store.commit(entry, Expiry::Never);
        store.clear();
    }
    assert!(store.undo_memory() > 30 << 20, "{} bytes", store.undo_memory());
    store.undo_changes();
    assert_eq!(store.len(), 0);
    while store.has_leftovers() {
        store.reclaim(1);
    }
    assert!(store.memory() < 40 << 10, "{} bytes are left", store.memory());
}
