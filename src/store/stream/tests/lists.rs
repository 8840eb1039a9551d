//! The sorted list compared with a set.

use std::collections::BTreeSet;

use super::*;
use crate::store::stream::sorted::Sorted;

fn some_ids(dice: &mut StdRng, range: u64) -> Vec<StreamId> {
    let (count, cluster) = (dice.random_range(1..200_u32), dice.random_range(0..range));
    let near = dice.random::<bool>();
    let pick = |dice: &mut StdRng| {
        if near { cluster + dice.random_range(0..300) } else { dice.random_range(0..range) }
    };
    (0..count).map(|_| StreamId::new(pick(dice), 0)).collect()
}

#[test]
fn the_list_is_like_a_set() {
    for seed in 0..20 {
        let dice = &mut StdRng::seed_from_u64(seed);
        let range = [100, 3_000, 100_000][seed as usize % 3];
        let (mut list, mut model) = (Sorted::<StreamId>::new(), BTreeSet::new());
        for _ in 0..300 {
            match dice.random_range(0..10_u32) {
                0..4 => {
                    let ids = some_ids(dice, range);
                    list.reserve_insert(ids.iter().copied()).unwrap();
                    // From here on, an insertion that needs memory panics: it finds no spare chunk.
                    for id in ids {
                        if model.insert(id) {
                            list.insert(id);
                        }
                    }
                    list.release_spares();
                }
                4 => {
                    let count = dice.random_range(1..300);
                    list.reserve_append(count as usize).unwrap();
                    for _ in 0..count {
                        let id = list.last().copied().unwrap_or_default().next().unwrap();
                        list.insert(id);
                        model.insert(id);
                    }
                    assert_eq!(list.spares, 0, "an append reserves no more than it needs");
                }
                5 => {
                    let keep = dice.random_range(2..20);
                    list.retain(|id| id.ms % keep == 0);
                    model.retain(|id| id.ms % keep == 0);
                }
                6 => {
                    let nth = dice.random_range(0..=list.len());
                    let (_, mut cut) = list.cut_front(list.place_of_nth(nth), false);
                    while cut.free_piece() {}
                    model = model.into_iter().skip(nth).collect();
                }
                _ => {
                    for id in some_ids(dice, range) {
                        let id = model.range(id..).next().copied().filter(|_| dice.random()).unwrap_or(id);
                        assert_eq!(list.remove_key(id).is_some(), model.remove(&id));
                    }
                }
            }
            list.audit();
            assert!(list.iter().eq(model.iter()), "seed {seed}");
            let id = StreamId::new(dice.random_range(0..range), 0);
            assert_eq!(list.get(list.at_least(id)), model.range(id..).next());
            let most = list.at_most(id).and_then(|place| list.get(place));
            assert_eq!(most, model.range(..=id).next_back());
            assert!(list.from(list.at_least(id)).eq(model.range(id..)));
        }
        let mut cut = list.cut_all();
        while cut.free_piece() {}
        assert!(list.len() == 0 && list.memory() < 1_000, "{}", list.memory());
    }
}
