//! A list against a deque of byte strings.

use std::collections::VecDeque;

use super::node::{NODE_BYTES, Node};
use super::{List, PackedList, push_packed};
use crate::base::memory;

/// Random numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }

    /// An element: mostly short, now and then so long that it needs a node of its own.
    fn element(&mut self) -> Vec<u8> {
        let len = match self.below(200) {
            0 => self.below(3 * NODE_BYTES),
            1..20 => self.below(2_000),
            20..60 => self.below(200),
            _ => self.below(9),
        };
        vec![self.below(5) as u8; len]
    }
}

fn check(list: &List, model: &VecDeque<Vec<u8>>, random: &mut Random) {
    list.audit();
    assert_eq!(list.len(), model.len());
    assert!(list.iter_from(0).eq(model.iter()));
    assert!(list.iter_back_from(usize::MAX).eq(model.iter().rev()));
    let index = random.below(model.len() + 1);
    assert_eq!(list.get(index), model.get(index).map(Vec::as_slice));
    assert!(list.iter_from(index).eq(model.iter().skip(index)));
    if index < model.len() {
        assert!(list.iter_back_from(index).eq(model.iter().take(index + 1).rev()));
    }
    assert_eq!((list.front(), list.back()), (model.front().map(|e| &e[..]), model.back().map(|e| &e[..])));
}

/// One random change, growing the list more often than shrinking it if `growing` is set.
fn change(list: &mut List, model: &mut VecDeque<Vec<u8>>, random: &mut Random, growing: bool) {
    let element = random.element();
    let index = random.below(model.len());
    match random.below(if growing { 40 } else { 60 }) {
        0..10 => {
            list.try_reserve_back(1, element.len()).expect("there is memory");
            list.push_back(&element);
            model.push_back(element);
        }
        10..20 => {
            list.try_reserve_front(1, element.len()).expect("there is memory");
            list.push_front(&element);
            model.push_front(element);
        }
        20..28 => {
            list.prepare_insert(index, element.len()).expect("there is memory");
            list.insert(index, &element);
            model.insert(index, element);
        }
        28..36 => {
            list.prepare_set(index, element.len()).expect("there is memory");
            assert_eq!(list.set(index, &element), !model.is_empty());
            if let Some(old) = model.get_mut(index) {
                *old = element;
            }
        }
        36 => {
            let (limit, from_back) = (1 + random.below(40), random.below(2) == 0);
            let removed = list.remove(|other| other == element, limit, from_back);
            assert_eq!(removed, remove_from_model(model, &element, limit, from_back));
        }
        37..40 => {}
        number => {
            let count = if random.below(50) == 0 { random.below(300) } else { random.below(4) };
            let few = count.min(model.len());
            if number < 50 {
                drop(list.drop_front(count));
                model.drain(..few);
            } else {
                drop(list.drop_back(count));
                model.truncate(model.len() - few);
            }
        }
    }
}

fn remove_from_model(model: &mut VecDeque<Vec<u8>>, element: &[u8], limit: usize, from_back: bool) -> usize {
    let before = model.len();
    if from_back {
        model.make_contiguous().reverse();
    }
    let mut left = limit;
    model.retain(|other| {
        let goes = left > 0 && other == element;
        left -= usize::from(goes);
        !goes
    });
    if from_back {
        model.make_contiguous().reverse();
    }
    before - model.len()
}

#[test]
fn random_changes_equal_those_of_a_deque() {
    for seed in 0..6 {
        let (mut list, mut model, mut random) = (List::new(), VecDeque::new(), Random(seed));
        for step in 0..6_000 {
            let before = list.memory() + list.demand(4, 3 * NODE_BYTES);
            change(&mut list, &mut model, &mut random, (step / 1_000) % 2 == 0);
            assert!(list.memory() <= before, "more memory than announced");
            if step % 40 == 0 {
                check(&list, &model, &mut random);
            }
        }
    }
}

#[test]
fn packed_bytes_become_a_list() {
    let mut bytes = Vec::new();
    for n in 0..5_000_u32 {
        push_packed(&mut bytes, n.to_string().as_bytes());
    }
    let list = List::from_packed(PackedList(&bytes)).expect("there is memory");
    list.audit();
    assert!(list.iter_from(0).eq(PackedList(&bytes).iter()));
    memory::allow(10_000);
    assert!(List::from_packed(PackedList(&bytes)).is_err());
    memory::allow(usize::MAX);
}

#[test]
fn refused_memory_changes_nothing_and_removing_needs_none() {
    let (mut list, mut model, mut random) = (List::new(), VecDeque::new(), Random(9));
    for step in 0..3_000 {
        change(&mut list, &mut model, &mut random, true);
        if step % 30 == 0 {
            let len = random.element().len() + 20 * NODE_BYTES;
            let before = list.memory();
            for allowed in [0, 100, 1_000, NODE_BYTES, 10 * NODE_BYTES, 20 * NODE_BYTES] {
                memory::allow(allowed);
                assert!(list.try_reserve_front(1, len).is_err());
                assert!(list.try_reserve_back(3, len).is_err());
                assert!(list.prepare_insert(list.len() / 2, len).is_err());
                assert!(list.prepare_set(list.len() / 2, len).is_err());
            }
            memory::allow(usize::MAX);
            assert_eq!(list.memory(), before);
        }
    }
    check(&list, &model, &mut random);
    let before = model.len();
    memory::allow(0);
    let removed = list.remove(|element| element.len() % 3 == 0, usize::MAX, false);
    model.retain(|element| element.len() % 3 != 0);
    assert_eq!(removed, before - model.len());
    assert!(removed > 100);
    assert!(list.drop_front(model.len() / 3).is_none());
    model.drain(..model.len() / 3);
    assert!(list.drop_back(model.len() / 2).is_none());
    model.truncate(model.len() - model.len() / 2);
    memory::allow(usize::MAX);
    check(&list, &model, &mut random);
}

#[test]
fn impossible_reservations_are_refused() {
    let list = List::new();
    for (elements, bytes) in
        [(1, usize::MAX), (usize::MAX, 1), (usize::MAX, usize::MAX), (1, isize::MAX as usize)]
    {
        assert!(list.try_reserve_back(elements, bytes).is_err());
        assert!(list.prepare_insert(0, bytes).is_err() || bytes == 1);
    }
    assert_eq!(list.try_reserve_back(0, 0), Ok(()));
}

#[test]
fn pushes_at_either_end_fill_the_nodes_and_pops_give_memory_back() {
    for front in [false, true] {
        let mut list = List::new();
        for _ in 0..100_000 {
            if front { list.push_front(&[7; 32]) } else { list.push_back(&[7; 32]) }
        }
        list.audit();
        assert!(list.memory() < 100_000 * 35, "{} bytes", list.memory());
        for left in (0..100_000).rev() {
            assert!(if front { list.drop_back(1) } else { list.drop_front(1) }.is_none());
            let bound = left * 70 + 40_000;
            assert!(list.memory() <= bound, "{} bytes for {left} elements", list.memory());
        }
        assert!(list.memory() < 1_000, "{} bytes for no elements", list.memory());
    }
}

#[test]
fn many_removed_elements_are_freed_piece_by_piece() {
    for front in [false, true] {
        let mut list = List::new();
        for n in 0..900_000_u32 {
            list.push_back(&n.to_le_bytes());
        }
        let mut removed =
            if front { list.drop_front(850_001) } else { list.drop_back(850_001) }.expect("many");
        list.audit();
        removed.audit();
        assert_eq!(list.len(), 49_999);
        let first = if front { 850_001_u32 } else { 0 };
        assert_eq!(list.front(), Some(&first.to_le_bytes()[..]));
        let mut pieces = 0;
        while removed.free_piece() {
            pieces += 1;
        }
        assert!((1..10).contains(&pieces));
        assert_eq!(removed.memory(), 0);
    }
}

#[test]
fn sparse_nodes_are_joined() {
    let mut list = List::new();
    for n in 0..100_000_u32 {
        list.push_back(&n.to_le_bytes());
    }
    let full = list.memory();
    let kept = |element: &[u8]| element[0] == 0;
    assert_eq!(list.remove(|element| !kept(element), 50_000, false), 50_000);
    assert_eq!(list.remove(|element| !kept(element), usize::MAX, true), 100_000 - 391 - 50_000);
    list.audit();
    assert_eq!(list.len(), 391);
    assert!(list.memory() < full / 50, "{} of {full} bytes", list.memory());
    for index in 0..list.len() {
        assert!(list.set(index, b""));
    }
    assert!(list.iter_from(0).all(<[u8]>::is_empty));
}

#[test]
fn insertions_in_the_middle_keep_the_nodes_well_filled() {
    let (mut list, mut random) = (List::new(), Random(4));
    for _ in 0..50_000 {
        list.insert(random.below(list.len() + 1), &[7; 32]);
    }
    list.audit();
    assert!(list.memory() < 50_000 * 32 * 2, "{} bytes", list.memory());
    let mut list = List::new();
    for _ in 0..50_000 {
        list.insert(1, &[7; 32]);
    }
    list.audit();
    assert!(list.memory() < 50_000 * 32 * 3, "{} bytes", list.memory());
}

#[test]
fn a_node_entry_is_small() {
    assert!(size_of::<Node>() <= 32);
}

#[test]
fn pushes_allocate_no_more_than_announced() {
    let mut random = Random(11);
    for round in 0..300 {
        let mut list = List::new();
        (0..round % 7).for_each(|_| list.push_back(&random.element()));
        let elements: Vec<Vec<u8>> = (0..1 + random.below(300)).map(|_| random.element()).collect();
        let size = elements.iter().map(|element| super::packed_size(element.len())).sum();
        let announced = list.memory() + list.demand(elements.len(), size);
        for element in &elements {
            if round % 2 == 0 { list.push_back(element) } else { list.push_front(element) }
        }
        assert!(list.memory() <= announced, "{} bytes, but {announced} announced", list.memory());
    }
}
