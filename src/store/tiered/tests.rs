//! A tiered vector against a plain vector.

use super::{Part, Position, Tiered};
use crate::base::memory;

/// A part with so many elements, found by a number.
#[derive(Clone, Debug, PartialEq)]
struct Bag {
    mark: u64,
    len: usize,
}

impl Part for Bag {
    type Mark = u64;

    fn len(&self) -> usize {
        self.len
    }

    fn memory(&self) -> usize {
        self.len * 10
    }

    fn mark(&self) -> u64 {
        self.mark
    }
}

/// The position of part `number`.
fn position(tiered: &Tiered<Bag>, number: usize) -> Position {
    let mut at = tiered.first();
    for _ in 0..number {
        at = at.and_then(|at| tiered.next(at));
    }
    at.unwrap_or(tiered.end())
}

/// A tiered vector with the parts `0..parts`, and the model of it.
fn filled(parts: u64) -> (Tiered<Bag>, Vec<Bag>) {
    let mut tiered = Tiered::default();
    let mut model = Vec::new();
    for mark in 0..parts {
        let bag = Bag { mark: mark * 10, len: 1 + mark as usize % 7 };
        tiered.insert(tiered.end(), bag.clone());
        model.push(bag);
    }
    (tiered, model)
}

fn check(tiered: &Tiered<Bag>, model: &[Bag]) {
    tiered.audit(false);
    assert!(tiered.iter_from(Position { block: 0, part: 0 }).eq(model));
    assert!(tiered.iter_back_before(tiered.end()).eq(model.iter().rev()));
    assert_eq!(tiered.len(), model.iter().map(|bag| bag.len).sum::<usize>());
}

#[test]
fn random_insertions_and_removals_equal_those_of_a_plain_vector() {
    let (mut tiered, mut model) = filled(300);
    let mut random = 7_u64;
    for step in 0..4_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = (random >> 33) as usize % (model.len() + 1);
        let growing = (step / 700) % 2 == 0;
        if place == model.len() || (random >> 20) % 8 < if growing { 6 } else { 2 } {
            let bag = Bag { mark: step, len: 1 + step as usize % 5 };
            tiered.insert(position(&tiered, place), bag.clone());
            model.insert(place, bag);
        } else {
            let (removed, following) = tiered.remove(position(&tiered, place));
            assert_eq!(removed, model.remove(place));
            let following = tiered.valid(following).map(|at| tiered.part(at));
            assert_eq!(following, model.get(place));
        }
        if step % 50 == 0 {
            check(&tiered, &model);
        }
    }
}

#[test]
fn elements_and_marks_are_found() {
    let (mut tiered, model) = filled(1_000);
    tiered.audit(true);
    let mut index = 0;
    for bag in &model {
        for rest in 0..bag.len {
            let (at, offset) = tiered.locate(index).expect("exists");
            assert_eq!((tiered.part(at), offset), (bag, rest));
            index += 1;
        }
        let found = tiered.find(bag.mark + 3).map(|at| tiered.part(at));
        assert_eq!(found, Some(bag));
    }
    assert_eq!(tiered.locate(index), None);
    tiered.update(position(&tiered, 0), |bag| bag.mark = 2);
    assert_eq!(tiered.find(0), tiered.first(), "no mark is so low");
}

#[test]
fn what_is_split_off_is_the_rest() {
    for cut in [0, 1, 127, 128, 129, 300, 999, 1_000] {
        let (mut tiered, mut model) = filled(1_000);
        memory::allow(0);
        if cut < 1_000 {
            assert!(tiered.split_off(position(&tiered, cut)).is_err());
        }
        check(&tiered, &model);
        memory::allow(usize::MAX);
        let mut rest = tiered.split_off(position(&tiered, cut)).expect("there is memory");
        check(&rest, &model.split_off(cut));
        check(&tiered, &model);
        while rest.free_piece() {
            rest.audit(true);
        }
        assert_eq!((rest.len(), rest.memory()), (0, 0));
    }
}

#[test]
fn removing_needs_no_memory_and_gives_memory_back() {
    let (mut tiered, mut model) = filled(2_000);
    let full = tiered.memory();
    memory::allow(0);
    while let Some(place) = model.len().checked_sub(2) {
        tiered.remove(position(&tiered, place / 2));
        model.remove(place / 2);
        if place % 100 == 0 {
            check(&tiered, &model);
        }
    }
    memory::allow(usize::MAX);
    let (mut tiered, model) = filled(2_000);
    for _ in 0..model.len() - 1 {
        tiered.remove(Position { block: 0, part: 0 });
    }
    assert!(tiered.memory() < full / 50, "{} bytes", tiered.memory());
}

#[test]
fn insertion_allocates_no_more_than_announced() {
    let (mut tiered, _) = filled(0);
    for step in 0..20_000_u64 {
        let before = tiered.memory();
        let announced = tiered.growth(1);
        let at = if step % 3 == 0 { tiered.first().unwrap_or(tiered.end()) } else { tiered.end() };
        tiered.insert(at, Bag { mark: step, len: 0 });
        assert!(tiered.memory() <= before + announced);
    }
}
