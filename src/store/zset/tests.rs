//! Tests of the sorted set against plain models.

use ahash::RandomState;
use std::collections::{BTreeMap, BTreeSet};

use super::index::{Index, position};
use super::{Arena, Zset};
use crate::base::{OutOfMemory, memory};

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }
}

/// A score that a model can sort: both zeros are equal.
fn sortable(score: f64) -> i64 {
    let bits = (score + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// A sorted set with a model beside it.
struct Pair {
    zset: Zset,
    scores: BTreeMap<Vec<u8>, f64>,
    order: BTreeSet<(i64, Vec<u8>)>,
}

fn empty() -> Zset {
    Zset::new(RandomState::with_seeds(1, 2, 3, 4))
}

impl Pair {
    fn new() -> Pair {
        Pair { zset: empty(), scores: BTreeMap::new(), order: BTreeSet::new() }
    }

    fn insert(&mut self, member: &[u8], score: f64) {
        self.zset.try_reserve([member.len()]).unwrap();
        memory::allow(0);
        let old = self.zset.insert(member, score);
        memory::allow(usize::MAX);
        assert_eq!(old, self.scores.insert(member.to_vec(), score));
        if let Some(old) = old {
            self.order.remove(&(sortable(old), member.to_vec()));
        }
        self.order.insert((sortable(score), member.to_vec()));
    }

    fn remove(&mut self, member: &[u8]) {
        memory::allow(0);
        let old = self.zset.remove(member);
        memory::allow(usize::MAX);
        assert_eq!(old, self.scores.remove(member));
        if let Some(old) = old {
            self.order.remove(&(sortable(old), member.to_vec()));
        }
    }

    fn some_member(&self, dice: &mut Dice) -> Option<Vec<u8>> {
        let (member, _) = self.zset.nth(dice.below(self.zset.len().max(1)))?;
        Some(member.to_vec())
    }

    fn audit(&self) {
        self.zset.audit();
        assert_eq!(self.zset.len(), self.scores.len());
        let expected: Vec<_> = self.order.iter().map(|(_, member)| &member[..]).collect();
        let forward: Vec<_> = self.zset.iter_from(0).map(|(member, _)| member).collect();
        assert!(forward == expected);
        let mut backward: Vec<_> = self.zset.iter_back_from(usize::MAX).map(|(member, _)| member).collect();
        backward.reverse();
        assert!(backward == expected);
    }

    fn check_queries(&self, dice: &mut Dice) {
        let rank = dice.below(self.scores.len() + 2);
        let expected = self.order.iter().nth(rank).map(|(_, member)| (&member[..], self.scores[member]));
        assert_eq!(self.zset.nth(rank), expected);
        assert_eq!(self.zset.iter_from(rank).next(), expected);
        if let Some((member, score)) = expected {
            assert_eq!(self.zset.rank(member), Some(rank));
            assert_eq!(self.zset.score(member).map(f64::to_bits), Some(score.to_bits()));
            assert_eq!(self.zset.iter_back_from(rank).next(), expected);
            assert_eq!(self.zset.iter_back_from(rank).count(), rank + 1);
            let below = |inclusive: bool| {
                self.scores.values().filter(|other| **other < score || inclusive && **other == score).count()
            };
            assert_eq!(self.zset.count_below(score, false), below(false));
            assert_eq!(self.zset.count_below(score, true), below(true));
        }
        assert_eq!(self.zset.score(b"not there"), None);
        assert_eq!(self.zset.rank(b"not there"), None);
    }
}

fn member_of(number: usize, spread: usize) -> Vec<u8> {
    let mut member = format!("m{number}").into_bytes();
    // A few members are long, and a few have allocations of their own.
    let len = match number % 97 {
        0 => 300 + number % spread.max(1),
        1 if spread > 1 => 1_100 + number % 7,
        _ => member.len() + number % spread.max(1),
    };
    if spread > 0 {
        member.resize(len.max(member.len()), b'x');
    }
    member
}

fn score_of(dice: &mut Dice, kinds: usize) -> f64 {
    match dice.below(40) {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        3 => 0.0,
        _ => dice.below(kinds) as f64 - kinds as f64 / 2.0,
    }
}

#[test]
fn random_changes_agree_with_a_model() {
    for (seed, members, spread, kinds) in [
        (1, 40, 0, 3),
        (2, 400, 30, 1_000_000),
        (3, 3_000, 60, 5),
        (4, 6_000, 0, 1_000_000),
        (5, 3_000, 250, 100),
    ] {
        let mut dice = Dice(seed);
        let mut pair = Pair::new();
        for round in 0..30_000 {
            // Phases of growing and of shrinking take turns.
            let growing = (round / (3 * members)) % 2 == 0;
            let add = dice.below(10) < if growing { 8 } else { 2 };
            let member = match pair.some_member(&mut dice) {
                Some(member) if !add || dice.below(4) == 0 => member,
                _ => member_of(dice.below(members), spread),
            };
            if add {
                let score = score_of(&mut dice, kinds);
                pair.insert(&member, score);
            } else {
                pair.remove(&member);
            }
            if round % 64 == 0 {
                pair.check_queries(&mut dice);
            }
            if round % 1_024 == 0 || round < 200 {
                pair.audit();
            }
        }
        pair.audit();
        while let Some(member) = pair.some_member(&mut dice) {
            pair.remove(&member);
        }
        pair.audit();
        assert!(pair.zset.memory() < 20_000, "{} bytes are left", pair.zset.memory());
    }
}

#[test]
fn large_trees_grow_and_shrink_in_any_order() {
    for (grow, shrink) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 0)] {
        let n = 30_000;
        let place = |way: usize, at: usize| match way {
            0 => at,
            1 => n - 1 - at,
            _ => at * 7_919 % n,
        };
        let mut zset = empty();
        for number in (0..n).map(|at| place(grow, at)) {
            zset.try_reserve([8]).unwrap();
            zset.insert(format!("{number:08}").as_bytes(), (number / 3) as f64);
        }
        zset.audit();
        if grow < 2 {
            assert!(zset.tree.leaves.len() <= n / 63 + 2, "leaves that fill in order are full");
        }
        for (round, number) in (0..n).map(|at| place(shrink, at)).enumerate() {
            assert!(zset.rank(format!("{number:08}").as_bytes()).is_some());
            assert_eq!(zset.remove(format!("{number:08}").as_bytes()), Some((number / 3) as f64));
            if round % 5_000 == 0 {
                zset.audit();
            }
        }
        assert_eq!(zset.len(), 0);
        zset.audit();
    }
}

#[test]
fn a_reservation_for_many_suffices() {
    let mut dice = Dice(9);
    for batch in [1, 2, 7, 100, 5_000] {
        let mut zset = empty();
        for round in 0..3 {
            let members: Vec<_> = (0..batch).map(|at| member_of(round * batch + at, 120)).collect();
            zset.try_reserve(members.iter().map(Vec::len)).unwrap();
            let before = zset.memory();
            memory::allow(0);
            for member in &members {
                zset.insert(member, dice.below(1_000) as f64);
            }
            memory::allow(usize::MAX);
            // The memory counts the elements of whole chunks only, so it may rise without an allocation.
            assert!(zset.memory() <= before + (2 << 20));
            zset.audit();
        }
    }
}

#[test]
fn a_refused_reservation_changes_nothing() {
    let mut pair = Pair::new();
    for number in 0..500 {
        pair.insert(&member_of(number, 30), (number % 10) as f64);
    }
    for number in 0..200 {
        pair.remove(&member_of(number, 30));
    }
    for lengths in [vec![5_000], vec![20; 1_000], vec![2_000, 900, 3]] {
        let mut refused = 0;
        for allowed in (0..).step_by(512) {
            memory::allow(allowed);
            let reserved = pair.zset.try_reserve(lengths.iter().copied());
            memory::allow(usize::MAX);
            if reserved.is_ok() {
                break;
            }
            assert_eq!(reserved, Err(OutOfMemory));
            pair.audit();
            refused += 1;
        }
        assert!(refused > 0);
    }
}

#[test]
fn a_scan_visits_each_member_that_stays() {
    for (count, seed) in [(1, 1), (10, 2), (1_000, 3)] {
        let mut dice = Dice(seed);
        let mut pair = Pair::new();
        for number in 0..4_000 {
            pair.insert(&member_of(number, 0), number as f64);
        }
        let mut seen = BTreeSet::new();
        let mut at = 0;
        loop {
            at = pair.zset.scan(at, count, |(member, _)| {
                seen.insert(member.to_vec());
                true
            });
            if at == 0 {
                break;
            }
            // Members from 2,000 on come and go by the thousand.
            let growing = dice.below(2) == 0;
            for _ in 0..if count == 1 { 2 } else { 200 } {
                let member = member_of(2_000 + dice.below(8_000), 0);
                if growing { pair.insert(&member, 1.0) } else { pair.remove(&member) }
            }
        }
        assert!((0..2_000).all(|number| seen.contains(&member_of(number, 0))));
        pair.audit();
    }
}

#[test]
fn a_scan_stops_where_it_is_told() {
    let mut pair = Pair::new();
    assert_eq!(pair.zset.scan(0, 10, |_| true), 0);
    for number in 0..1_000 {
        pair.insert(&member_of(number, 0), 1.0);
    }
    let mut visited = 0;
    let mut at = pair.zset.scan(0, 10, |_| {
        visited += 1;
        visited < 3
    });
    assert_eq!(visited, 3);
    while at != 0 {
        at = pair.zset.scan(at, 100, |_| {
            visited += 1;
            true
        });
    }
    assert_eq!(visited, 1_000);
}

#[test]
fn counts_by_member_agree_with_the_order_of_bytes() {
    let mut pair = Pair::new();
    for number in 0..3_000 {
        pair.insert(format!("{:x}", number * 7_919 % 65_536).as_bytes(), 0.0);
    }
    let members: Vec<_> = pair.scores.keys().cloned().collect();
    for probe in [&b""[..], b"0", b"1", b"4a", b"4ab0", b"ffff", b"zz"] {
        for inclusive in [false, true] {
            let expected =
                members.iter().filter(|it| &it[..] < probe || inclusive && &it[..] == probe).count();
            assert_eq!(pair.zset.count_below_lex(probe, inclusive), expected);
        }
    }
    assert_eq!(empty().count_below_lex(b"a", true), 0);
}

#[test]
fn the_sign_of_a_zero_is_kept() {
    let mut zset = empty();
    zset.try_reserve([1, 1, 0]).unwrap();
    zset.insert(b"a", 0.0);
    zset.insert(b"b", -0.0);
    zset.insert(b"", 0.0);
    assert_eq!(zset.score(b"b").map(f64::to_bits), Some((-0.0_f64).to_bits()));
    assert_eq!((zset.rank(b""), zset.rank(b"a"), zset.rank(b"b")), (Some(0), Some(1), Some(2)));
    zset.insert(b"a", -0.0);
    assert_eq!(zset.score(b"a").map(f64::to_bits), Some((-0.0_f64).to_bits()));
    assert_eq!(zset.count_below(0.0, true), 3);
}

#[test]
fn colliding_hashes_make_strays_and_nothing_is_lost() {
    let mut arena = Arena::new();
    let mut index = Index::new();
    let hash_of = |_| 7;
    let handles: Vec<_> = (0..1_000_u32).map(|n| arena.insert(&n.to_le_bytes(), 0.0)).collect();
    for handle in &handles {
        index.try_reserve(1).unwrap();
        memory::allow(0);
        index.insert(7, *handle, hash_of);
        memory::allow(usize::MAX);
    }
    assert!(handles.iter().all(|handle| index.find(7, |it| it == *handle).is_some()));
    assert!(index.memory() < 1_000_000);
    index.replace(7, handles[999], 77_777);
    assert_eq!(index.find(7, |it| it == 77_777), Some(77_777));
    index.remove(7, 77_777, hash_of);
    for handle in &handles[..999] {
        index.remove(7, *handle, hash_of);
        assert_eq!(index.find(7, |it| it == *handle), None);
    }
    assert_eq!(index.find(7, |_| true), None);
}

#[test]
fn positions_are_in_the_order_of_the_hashes() {
    let mut dice = Dice(11);
    for _ in 0..100_000 {
        let hash = dice.roll();
        assert!(position(hash) <= position(hash.saturating_add(1 << (dice.below(40)))));
        assert!(position(hash) < 1 << 48);
    }
    assert_eq!(position(0), 0);
    assert!(position(u64::MAX) < 1 << 48);
}

#[test]
fn a_set_is_freed_piece_by_piece() {
    let mut zset = empty();
    for number in 0..60_000_usize {
        let member =
            if number % 100 == 0 { vec![b'x'; 2_000 + number] } else { number.to_le_bytes().to_vec() };
        zset.try_reserve([member.len()]).unwrap();
        zset.insert(&member, number as f64);
        if number % 100 == 0 && number > 5_000 {
            let gone = number - 5_000;
            zset.remove(&vec![b'x'; 2_000 + gone]);
        }
    }
    zset.audit();
    let mut before = zset.memory();
    while zset.free_piece() {
        let held = zset.memory();
        assert!(held < before && before - held <= 2 << 20, "{before} bytes, then {held}");
        before = held;
    }
    assert_eq!(zset.memory(), 0);
}
