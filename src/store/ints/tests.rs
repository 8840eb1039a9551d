//! A set of integers against a `BTreeSet`.

use std::collections::BTreeSet;

use super::Ints;
use super::run::Run;
use crate::base::memory;

/// Random numbers from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// An integer of a distribution: dense, wide, of any size, in islands, or at the ends of the range.
    fn integer(&mut self, distribution: u64) -> i64 {
        match distribution {
            0 => self.below(5_000) as i64 - 2_500,
            1 => self.below(1_000_000_000) as i64,
            2 => {
                let shift = self.below(64);
                (self.next() as i64) >> shift
            }
            3 => ((self.below(40) as i64) << 40) + self.below(300) as i64,
            _ => {
                let from_end = self.below(700) as i64;
                if self.below(2) == 0 { i64::MIN + from_end } else { i64::MAX - from_end }
            }
        }
    }
}

fn check(ints: &Ints, model: &BTreeSet<i64>, random: &mut Random, distribution: u64) {
    ints.audit();
    assert_eq!(ints.len(), model.len());
    assert!(ints.iter().eq(model.iter().copied()));
    let value = random.integer(distribution);
    assert!(ints.iter_from(value).eq(model.range(value..).copied()));
    assert_eq!(ints.contains(value), model.contains(&value));
    let rank = random.below(model.len() as u64 + 1) as usize;
    assert_eq!(ints.nth(rank), model.iter().nth(rank).copied());
}

#[test]
fn random_changes_equal_those_of_a_tree() {
    for distribution in 0..5 {
        let (mut ints, mut model, mut random) = (Ints::new(), BTreeSet::new(), Random(distribution));
        for step in 0..40_000 {
            let growing = (step / 10_000) % 2 == 0;
            if random.below(10) < if growing { 8 } else { 1 } {
                let value = random.integer(distribution);
                let (before, demand) = (ints.memory(), ints.demand(1));
                assert_eq!(ints.insert(value), model.insert(value));
                assert!(ints.memory() <= before + demand);
            } else {
                let value = random.integer(distribution);
                let value = model.range(value..).next().copied().unwrap_or(value);
                assert_eq!(ints.remove(value), model.remove(&value));
            }
            if step % 400 == 0 {
                check(&ints, &model, &mut random, distribution);
            }
        }
        while let Some(value) = model.pop_first() {
            assert!(ints.remove(value));
        }
        ints.audit();
        assert!(ints.is_empty() && ints.memory() < 2_000, "{} bytes for no members", ints.memory());
    }
}

#[test]
fn refused_memory_changes_nothing_and_removing_needs_none() {
    let (mut ints, mut model, mut random) = (Ints::new(), BTreeSet::new(), Random(1));
    for _ in 0..20_000 {
        let value = random.integer(1);
        for allowed in [0, 10, 500] {
            memory::allow(allowed);
            assert!(ints.try_reserve(1).is_err() && ints.try_reserve(100).is_err());
        }
        memory::allow(usize::MAX);
        assert_eq!(ints.try_reserve(1), Ok(()));
        assert_eq!(ints.insert(value), model.insert(value));
    }
    assert!(ints.try_reserve(usize::MAX).is_err() && ints.try_reserve(usize::MAX / 100).is_err());
    check(&ints, &model, &mut random, 1);
    memory::allow(0);
    for value in model.iter().copied().filter(|value| value % 3 != 0) {
        assert!(ints.remove(value));
    }
    memory::allow(usize::MAX);
    model.retain(|value| value % 3 == 0);
    check(&ints, &model, &mut random, 1);
}

/// A set that has got `values` in this order.
fn set_of(values: impl Iterator<Item = i64>) -> Ints {
    let mut ints = Ints::new();
    for value in values {
        ints.insert(value);
    }
    ints.audit();
    ints
}

#[test]
fn runs_are_full_when_integers_come_in_order() {
    const COUNT: i64 = 100_000;
    for (ints, bytes) in [
        (set_of(0..COUNT), 130),
        (set_of((0..COUNT).rev()), 130),
        (set_of((0..COUNT).map(|n| n * 1_000)), 280),
        (set_of((0..COUNT).rev().map(|n| n * 1_000)), 280),
        (set_of((0..COUNT).map(|n| n * 1_000_000)), 430),
        (set_of((0..COUNT).map(|n| n % 2 * 1_000_000_000 + n / 2)), 130),
    ] {
        let used = ints.memory() * 100 / ints.len();
        assert!(used <= bytes, "{used} hundredths of a byte each, not {bytes}");
    }
}

#[test]
fn no_order_of_insertion_costs_much() {
    const COUNT: i64 = 60_000;
    let descending_between = (0..COUNT).map(|n| if n < 1_000 { n * 1_000_000 } else { 500_500_000 - n });
    let mut random = Random(5);
    let shuffled: Vec<i64> = (0..COUNT).map(|_| random.integer(1)).collect();
    let mixed: Vec<i64> = (0..COUNT).map(|_| random.integer(2)).collect();
    for (nth, (ints, bytes)) in [
        (set_of(descending_between), 4),
        (set_of(shuffled.into_iter()), 5),
        (set_of(mixed.into_iter()), 10),
        (set_of((0..COUNT).map(|n| (n * 7_919) % COUNT)), 2),
        (set_of((0..COUNT).map(|n| ((n % 300) << 32) | (n / 300))), 3),
        (set_of((0..COUNT).rev().map(|n| ((n % 300) << 32) | (n / 300))), 4),
    ]
    .into_iter()
    .enumerate()
    {
        let used = ints.memory() / ints.len();
        assert!(used <= bytes, "order {nth}: {used} bytes each, not {bytes}");
    }
}

#[test]
fn sparse_runs_are_joined() {
    let mut ints = set_of((0..100_000).map(|n| n * 3));
    let full = ints.memory();
    for n in (0..100_000).filter(|n| n % 100 != 0) {
        assert!(ints.remove(n * 3));
    }
    ints.audit();
    assert_eq!(ints.len(), 1_000);
    assert!(ints.memory() < full / 20, "{} of {full} bytes", ints.memory());
}

#[test]
fn a_set_is_freed_piece_by_piece() {
    let mut ints = set_of((0..1_000_000).map(|n| n * 1_000));
    let mut pieces = 0;
    while ints.free_piece() {
        pieces += 1;
    }
    assert!(pieces > 5);
    assert_eq!((ints.len(), ints.memory()), (0, 0));
}

#[test]
fn an_entry_of_a_run_is_small() {
    assert!(size_of::<Run>() <= 32);
}
