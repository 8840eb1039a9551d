//! Lists compared with deques of byte strings, in every form and in each change from one form to the next.

use std::collections::VecDeque;

use super::trial::{Trial, Value};
use super::*;
use crate::base::memory;
use crate::store::elements::ListForm;
use crate::store::list::packed_size;

type Deque = VecDeque<Vec<u8>>;

impl Value for Deque {
    fn read(store: &mut Store, key: &[u8]) -> Option<Deque> {
        let list = store.list(key, 0).ok().flatten()?;
        let all: Deque = list.iter_from(0).map(<[u8]>::to_vec).collect();
        assert!(list.iter_back_from(list.len() - 1).eq(all.iter().rev()), "read from behind it differs");
        Some(all)
    }
}

fn push(store: &mut Store, key: &[u8], side: Side, elements: &[Vec<u8>]) -> usize {
    let prepared = store.prepare_list_push(key, side, elements.iter().map(Vec::as_slice), 0).unwrap();
    store.commit_list(prepared)
}

fn numbered(range: std::ops::Range<u32>, len: usize) -> Vec<Vec<u8>> {
    let element = |n: u32| {
        let mut element = n.to_string().into_bytes();
        element.resize(len.max(element.len()), b'.');
        element
    };
    range.map(element).collect()
}

fn read(store: &mut Store, key: &[u8]) -> Deque {
    Deque::read(store, key).unwrap_or_default()
}

/// The form of a list: 0 is packed in the record, 1 packed in a body, 2 in a structure of its own.
fn form(store: &mut Store, key: &[u8]) -> usize {
    let in_record = store.find(key, 0).is_some_and(|place| store.table.record(place).body().is_none());
    match store.list(key, 0).unwrap().unwrap().0 {
        ListForm::Packed(_) => 1 - usize::from(in_record),
        ListForm::Large(_) => 2,
    }
}

#[test]
fn a_list_grows_through_three_forms_and_never_back() {
    let mut store = Store::new(1);
    assert_eq!(push(&mut store, b"k", Side::Right, &numbered(0..3, 0)), 3);
    assert_eq!(form(&mut store, b"k"), 0);
    assert_eq!(push(&mut store, b"k", Side::Right, &numbered(3..200, 0)), 200);
    assert_eq!(form(&mut store, b"k"), 1);
    assert_eq!(push(&mut store, b"k", Side::Right, &numbered(200..1_000, 0)), 1_000);
    assert_eq!(form(&mut store, b"k"), 2);
    assert!(read(&mut store, b"k").iter().eq(&numbered(0..1_000, 0)));
    assert!(!store.drop_list_ends(b"k", 500, 499));
    assert_eq!((form(&mut store, b"k"), read(&mut store, b"k")), (2, numbered(500..501, 0).into()));
    store.audit();
    assert!(store.drop_list_ends(b"k", 0, 1));
    assert!(store.is_empty(), "a list without elements must not stay");
    // As many bytes as a packed list may have, and one more.
    for (len, expected) in [(1_020, 1), (1_021, 2)] {
        assert_eq!(packed_size(len) <= 1 << 10, expected == 1);
        push(&mut store, b"long", Side::Left, &[vec![7; len]]);
        assert_eq!((form(&mut store, b"long"), read(&mut store, b"long").len()), (expected, 1));
        store.audit();
        store.remove(b"long", 0);
    }
}

#[test]
fn a_list_holds_no_other_kind() {
    let mut store = Store::new(1);
    put(&mut store, b"s", b"string", Expiry::Never);
    for elements in [1, 100, 1_000] {
        push(&mut store, b"l", Side::Right, &numbered(0..elements, 0));
        let before = read(&mut store, b"l");
        assert_eq!((store.kind(b"l", 0), store.get(b"l", 0)), (Some(Kind::List), Err(WrongKind)));
        assert!(store.list(b"s", 0).is_err());
        let wrong = Some(WriteError::WrongKind);
        let one = || [&b"v"[..]].into_iter();
        let pair = [(&b"f"[..], &b""[..])];
        assert_eq!(store.prepare_append(b"l", b"x").err(), wrong);
        assert_eq!(store.prepare_edit(b"l", 3, 0).err(), wrong);
        assert!(store.map(b"l", 0).is_err());
        assert!(store.map_scan(b"l", 0, 10, 0, |_| true).is_err());
        let hash = store.prepare_map_set(b"l", pair.into_iter(), Expiry::Never, 0);
        assert_eq!(hash.err(), wrong);
        assert_eq!(store.prepare_map_remove(b"l", one(), 0).err(), wrong);
        assert!(store.members(b"l", 0).is_err());
        assert!(store.set_scan(b"l", 0, 10, 0, |_| true).is_err());
        assert_eq!(store.prepare_set_add(b"l", one(), 0).err(), wrong);
        assert_eq!(store.prepare_set_remove(b"l", one(), 0).err(), wrong);
        assert!(store.set_there(b"l").is_none());
        assert_eq!(store.prepare_list_push(b"s", Side::Left, one(), 0).err(), wrong);
        assert_eq!(store.prepare_list_set(b"s", 0, b"v", 0).err(), wrong);
        assert_eq!(store.prepare_list_insert(b"s", 0, b"v", 0).err(), wrong);
        assert_eq!(read(&mut store, b"l"), before);
        let mut keys = Vec::new();
        store.scan(0, 10, Some(Kind::List), 0, |key| {
            keys.push(key.to_vec());
            true
        });
        assert_eq!(keys, [b"l"]);
        for len in [1, 400, 4_000] {
            put(&mut store, b"l", &vec![7; len], Expiry::Never);
            assert_eq!(store.get(b"l", 0), Ok(Some(&vec![7; len][..])));
            store.audit();
            store.remove(b"l", 0);
            push(&mut store, b"l", Side::Right, &numbered(0..elements, 0));
        }
        store.remove(b"l", 0);
    }
}

/// What a write is prepared and committed by.
type Way = fn(&mut Store, &[Vec<u8>]) -> Result<(), WriteError>;

/// All writes to the list of `k` that need memory. After the preparation there is none.
const WAYS: [Way; 6] = [
    |store, new| push_sparing(store, Side::Left, new),
    |store, new| push_sparing(store, Side::Right, new),
    |store, new| {
        let prepared = store.prepare_list_set(b"k", 1, &new[0], 0)?;
        memory::allow(0);
        store.commit_list(prepared);
        Ok(())
    },
    |store, new| {
        let prepared = store.prepare_list_insert(b"k", 1, &new[0], 0)?;
        memory::allow(0);
        store.commit_list(prepared);
        Ok(())
    },
    |store, _| {
        let rename = store.prepare_rename(b"k", &[b'n'; 300], 0, 0)?.expect("it is there");
        memory::allow(0);
        store.commit_rename(rename);
        Ok(())
    },
    |store, _| {
        let copied = store.prepare_copy(b"k", &[b'n'; 300], 0, 0)?.expect("it is there");
        memory::allow(0);
        store.commit_whole(copied);
        Ok(())
    },
];

fn push_sparing(store: &mut Store, side: Side, new: &[Vec<u8>]) -> Result<(), WriteError> {
    let prepared = store.prepare_list_push(b"k", side, new.iter().map(Vec::as_slice), 0)?;
    memory::allow(0);
    store.commit_list(prepared);
    Ok(())
}

/// What [`WAYS`] should make of a list: the lists of `k` and of the new key.
fn made(way: usize, before: &Deque, new: &[Vec<u8>]) -> [Deque; 2] {
    let mut after = before.clone();
    match way {
        0 => new.iter().for_each(|element| after.push_front(element.clone())),
        1 => after.extend(new.iter().cloned()),
        2 => after[1].clone_from(&new[0]),
        3 => after.insert(1, new[0].clone()),
        4 => return [Deque::new(), after],
        _ => return [after.clone(), after],
    }
    [after, Deque::new()]
}

#[test]
fn a_write_that_is_refused_changes_nothing_and_another_needs_no_more_memory() {
    for elements in [2, 60, 300, 5_000] {
        for (number, way) in WAYS.iter().enumerate() {
            for (count, len) in [(1, 20), (200, 30), (3, 9_000)] {
                let new = numbered(1_000..1_000 + count, len);
                let (mut refused, mut allowance) = (0, 0);
                loop {
                    let mut store = Store::new(1);
                    push(&mut store, b"k", Side::Right, &numbered(0..elements, 9));
                    let before = read(&mut store, b"k");
                    memory::allow(allowance);
                    let went = way(&mut store, &new);
                    memory::allow(usize::MAX);
                    store.audit();
                    let after = [read(&mut store, b"k"), read(&mut store, &[b'n'; 300])];
                    if went.is_ok() {
                        assert_eq!(after, made(number, &before, &new));
                        break;
                    }
                    assert_eq!(went, Err(WriteError::OutOfMemory));
                    assert_eq!(after, [before, Deque::new()]);
                    refused += 1;
                    allowance += 1 + allowance / 16;
                }
                // One short element may find room in the node at the end of a large list.
                let found_room = number < 2 && count == 1 && elements >= 300;
                assert!(refused > 0 || found_room, "way {number} was never refused");
            }
        }
    }
}

#[test]
fn removing_elements_needs_no_memory() {
    for elements in [2_u32, 60, 300, 50_000] {
        let mut store = Store::new(1);
        push(&mut store, b"k", Side::Right, &numbered(0..elements, 9));
        let mut model = read(&mut store, b"k");
        memory::allow(0);
        for (left, right) in [(0, 0), (0, 1), (elements / 4, elements / 4)] {
            assert!(!store.drop_list_ends(b"k", left as usize, right as usize) || model.len() == 1);
            model.drain(..left as usize);
            model.truncate(model.len() - right as usize);
            if let Some(element) = model.get(model.len() / 2).filter(|_| model.len() > 1).cloned() {
                assert_eq!(store.remove_list_elements(b"k", &element, 9, Side::Right), (1, false));
                model.retain(|there| *there != element);
            }
        }
        memory::allow(usize::MAX);
        assert_eq!(read(&mut store, b"k"), model);
        store.audit();
    }
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

impl Trial<Deque> {
    /// One of a few elements, so that elements repeat.
    fn element(&mut self, len_max: usize) -> Vec<u8> {
        let n = self.rng.random_range(0..8);
        vec![n as u8; n * len_max / 7]
    }

    fn index(&mut self, key: &[u8]) -> Option<usize> {
        let len = self.value(key)?.len();
        Some(self.rng.random_range(0..len))
    }

    fn side(&mut self) -> Side {
        if self.rng.random_bool(0.5) { Side::Left } else { Side::Right }
    }

    fn step(&mut self, len_max: usize) {
        let key = self.key();
        match self.rng.random_range(0..100) {
            0..25 if self.grows => self.push(&key, len_max),
            0..25 => self.drop_ends(&key),
            25..35 => self.push(&key, len_max),
            35..45 => self.drop_ends(&key),
            45..55 => self.set_or_insert(&key, len_max),
            55..60 => self.remove_equal(&key, len_max),
            60..70 => self.move_element(&key),
            70..85 => self.read(&key),
            _ => self.disturb(),
        }
    }

    fn push(&mut self, key: &[u8], len_max: usize) {
        let most = if len_max > 1_000 { 4 } else { 6 };
        let count = [1, 1, 3, 10, 40, 300][self.rng.random_range(0..most)];
        let (side, elements) = (self.side(), (0..count).map(|_| self.element(len_max)).collect::<Vec<_>>());
        let all = elements.iter().map(Vec::as_slice);
        let prepared = self.store.prepare_list_push(key, side, all, self.now_ms).unwrap();
        let len = self.store.commit_list(prepared);
        let model = &mut self.model.entry(key.to_vec()).or_default().0;
        for element in elements {
            if side == Side::Left { model.push_front(element) } else { model.push_back(element) }
        }
        assert_eq!(len, model.len());
    }

    fn drop_ends(&mut self, key: &[u8]) {
        let Some(len) = self.value(key).map(|model| model.len()) else { return };
        let few = if self.grows { len.min(3) } else { len };
        let (left, right) = (self.rng.random_range(0..=few), self.rng.random_range(0..=few / 2));
        let gone = self.store.drop_list_ends(key, left, right);
        assert_eq!(gone, left + right >= len);
        if gone {
            self.model.remove(key);
        } else {
            let model = self.value(key).expect("it is there");
            model.drain(..left);
            model.truncate(len - left - right);
        }
    }

    fn set_or_insert(&mut self, key: &[u8], len_max: usize) {
        let (Some(index), element) = (self.index(key), self.element(len_max)) else { return };
        if self.rng.random_bool(0.5) {
            let prepared = self.store.prepare_list_set(key, index, &element, self.now_ms).unwrap();
            let len = self.store.commit_list(prepared);
            let model = self.value(key).expect("it is there");
            assert_eq!(len, model.len());
            model[index] = element;
        } else {
            // Before an element, or behind the last one.
            let index = index + usize::from(self.rng.random_bool(0.5));
            let prepared = self.store.prepare_list_insert(key, index, &element, self.now_ms).unwrap();
            let len = self.store.commit_list(prepared);
            let model = self.value(key).expect("it is there");
            model.insert(index, element);
            assert_eq!(len, model.len());
        }
    }

    fn remove_equal(&mut self, key: &[u8], len_max: usize) {
        let (element, side) = (self.element(len_max), self.side());
        let count = [1, 2, 30, usize::MAX][self.rng.random_range(0..4)];
        let (removed, gone) = self.store.remove_list_elements(key, &element, count, side);
        let Some(model) = self.value(key) else { return assert_eq!((removed, gone), (0, false)) };
        let mut equal: Vec<usize> = (0..model.len()).filter(|index| model[*index] == element).collect();
        if side == Side::Right {
            equal.reverse();
        }
        equal.truncate(count);
        assert_eq!(removed, equal.len());
        equal.sort_unstable();
        equal.into_iter().rev().for_each(|index| drop(model.remove(index)));
        assert_eq!(gone, model.is_empty());
        if gone {
            self.model.remove(key);
        }
    }

    /// Moves an element as `LMOVE` does: the element is there before it is taken from the other list.
    fn move_element(&mut self, key: &[u8]) {
        let (other, from, to, now_ms) = (self.key(), self.side(), self.side(), self.now_ms);
        let Some(list) = self.store.list(key, now_ms).unwrap() else { return };
        let element = list.end(from).expect("a list has elements").to_vec();
        let prepared = self.store.prepare_list_push(&other, to, [&element[..]].into_iter(), now_ms).unwrap();
        self.store.commit_list(prepared);
        let (left, right) = if from == Side::Left { (1, 0) } else { (0, 1) };
        let gone = self.store.drop_list_ends(key, left, right);
        let model = self.value(key).expect("it is there");
        let moved = if from == Side::Left { model.pop_front() } else { model.pop_back() };
        assert_eq!(moved.as_ref(), Some(&element));
        assert_eq!(gone, model.is_empty() && key != other);
        if gone {
            self.model.remove(key);
        }
        let model = &mut self.model.entry(other).or_default().0;
        if to == Side::Left { model.push_front(element) } else { model.push_back(element) }
    }

    fn read(&mut self, key: &[u8]) {
        let index = self.index(key).unwrap_or(3);
        let expected = self.model.get(key).map(|(model, _)| model);
        let list = self.store.list(key, self.now_ms).unwrap();
        assert_eq!(list.map(Elements::len), expected.map(VecDeque::len));
        let (Some(list), Some(model)) = (list, expected) else { return };
        assert_eq!(list.get(index), Some(&model[index][..]));
        assert_eq!(list.get(model.len()), None);
        assert_eq!(list.end(Side::Left), model.front().map(Vec::as_slice));
        assert_eq!(list.end(Side::Right), model.back().map(Vec::as_slice));
        assert!(list.iter_from(index).eq(model.range(index..)));
        assert!(list.iter_back_from(index).eq(model.range(..=index).rev()));
    }
}

#[test]
fn a_list_is_a_deque_whatever_is_done_to_it() {
    let mut seen = [false; 3];
    for seed in 0..60 {
        let mut trial = Trial::<Deque>::new(seed);
        let len_max = [2, 30, 200, 1_200, 12_000][seed as usize % 5];
        for _ in 0..8 {
            trial.grows = trial.rng.random_bool(0.6);
            for step in 0..250 {
                trial.step(len_max);
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
    assert_eq!(seen, [true; 3], "no list was ever in one of the forms");
}

#[test]
fn a_list_of_any_form_is_renamed_and_copied() {
    for (count, len) in [(2, 1), (100, 1), (3_000, 10), (3, 20_000)] {
        for key_len in [1, 250, 300] {
            let mut store = Store::new(1);
            let (from, to) = (b"from".repeat(key_len), b"to".repeat(key_len));
            push(&mut store, &from, Side::Left, &numbered(0..count, len));
            push(&mut store, &to, Side::Left, &numbered(0..1_000, 1));
            store.expire(&from, Some(9));
            let elements = read(&mut store, &from);
            let rename = store.prepare_rename(&from, &to, 0, 0).unwrap().expect("it is there");
            store.commit_rename(rename);
            assert_eq!((store.len(), read(&mut store, &to)), (1, elements.clone()));
            let copied = store.prepare_copy(&to, &from, 0, 0).unwrap().expect("it is there");
            store.commit_whole(copied);
            push(&mut store, &to, Side::Left, &numbered(0..1, 3));
            assert_eq!((store.len(), read(&mut store, &from)), (2, elements), "the copy changes with it");
            assert_eq!((store.expiry(&from, 0), store.expiry(&to, 0)), (Some(Some(9)), Some(Some(9))));
            store.audit();
            while store.has_leftovers() {
                store.reclaim(1);
            }
            store.audit();
        }
    }
}
