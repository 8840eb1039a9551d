//! The store notes each change once as an effect, and notes nothing else.

use super::*;

/// The effects since the last call, with names for their keys. Forgets them.
fn told(store: &mut Store) -> Vec<(&'static str, What)> {
    let name = |key: &[u8]| ["", "k", "other", "late"].into_iter().find(|name| name.as_bytes() == key);
    store.take_effects().iter().map(|effect| (name(effect.key).unwrap(), effect.what)).collect()
}

#[test]
fn each_change_is_told_with_its_key() {
    let mut store = Store::new(1);
    put(&mut store, b"k", b"unheard", Expiry::Never);
    store.listen(Listener::Watches, true);
    put(&mut store, b"k", b"v", Expiry::Never);
    let tail = store.prepare_append(b"k", &[7; 400]).unwrap();
    store.commit(tail, Expiry::Keep);
    store.expire(b"k", Some(9));
    store.expire(b"k", None);
    store.remove(b"k", 0);
    assert_eq!(
        told(&mut store),
        [("k", What::Set), ("k", What::Set), ("k", What::Set), ("k", What::Set), ("k", What::Removed)]
    );
    put(&mut store, b"k", b"v", Expiry::At(5));
    put(&mut store, b"other", b"v", Expiry::At(6));
    put(&mut store, b"late", b"v", Expiry::At(7));
    told(&mut store);
    assert_eq!(store.get(b"k", 5), Ok(None));
    assert_eq!(store.sweep(6, 10, 1), 1);
    assert_eq!(told(&mut store), [("k", What::Expired), ("other", What::Expired)]);
    store.clear();
    assert_eq!(told(&mut store), [("", What::Flushed)]);
}

#[test]
fn what_changes_nothing_is_not_told() {
    let mut store = Store::new(1);
    put(&mut store, b"k", b"v", Expiry::At(5));
    store.listen(Listener::Watches, true);
    assert!(store.contains(b"k", 4) && !store.contains(b"other", 4));
    assert!(!store.remove(b"other", 0));
    store.expire(b"other", Some(5));
    let edit = store.prepare_edit(b"k", 1, 4).unwrap();
    assert!(!store.commit_edit(edit, |_| false));
    assert_eq!(store.sweep(4, 10, 1), 0);
    drop(store.prepare(b"k", b"w").unwrap());
    store.random_key(4);
    assert!(!store.has_effects());
    store.clear();
    told(&mut store);
    store.clear();
    assert!(!store.has_effects(), "there was no key to flush");
    store.listen(Listener::Watches, false);
    put(&mut store, b"k", b"v", Expiry::Never);
    assert!(!store.has_effects());
}

#[test]
fn a_hash_tells_of_its_changes_by_its_key() {
    let mut store = Store::new(1);
    store.listen(Listener::Watches, true);
    let pairs = [(&b"a"[..], &b"1"[..]), (b"b", b"2")];
    let prepared = store.prepare_map_set(b"k", pairs.into_iter(), Expiry::Never, 0).unwrap();
    store.commit_map_set(prepared);
    for fields in [&[&b"none"[..]][..], &[b"a"], &[b"b"], &[b"b"]] {
        let removal = store.prepare_map_remove(b"k", fields.iter().copied(), 0).unwrap();
        store.commit_map_remove(removal);
    }
    assert_eq!(told(&mut store), [("k", What::Created), ("k", What::Set), ("k", What::Removed)]);
}

#[test]
fn a_list_tells_of_its_changes_by_its_key() {
    let mut store = Store::new(1);
    store.listen(Listener::Watches, true);
    for elements in [2, 1_000] {
        let all = std::iter::repeat_n(&b"element"[..], elements);
        let prepared = store.prepare_list_push(b"k", Side::Right, all, 0).unwrap();
        store.commit_list(prepared);
        assert_eq!(told(&mut store), [("k", What::Created)]);
        let prepared = store.prepare_list_set(b"k", 1, b"other", 0).unwrap();
        store.commit_list(prepared);
        let prepared = store.prepare_list_insert(b"k", 1, b"more", 0).unwrap();
        store.commit_list(prepared);
        store.drop_list_ends(b"k", 1, 0);
        assert_eq!(store.remove_list_elements(b"k", b"none", 1, Side::Left), (0, false));
        assert_eq!(store.remove_list_elements(b"k", b"more", 1, Side::Left), (1, false));
        assert_eq!(told(&mut store), [("k", What::Set); 4]);
        drop(store.prepare_list_push(b"k", Side::Left, [&b"v"[..]].into_iter(), 0).unwrap());
        assert!(!store.drop_list_ends(b"none", 1, 0) && !store.has_effects());
        assert!(store.drop_list_ends(b"k", usize::MAX, usize::MAX));
        assert_eq!(told(&mut store), [("k", What::Removed)]);
    }
}
