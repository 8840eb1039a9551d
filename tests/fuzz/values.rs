//! What must hold for lists, sets, sorted sets and streams after any operations: each is compared with an obvious model after
//! each step. Four bytes are an operation.

use std::collections::{BTreeMap, BTreeSet};

use tidegate::store::{NodeLimits, Scored, Side, Store, StreamId, Trim, TrimTo, by_order};

/// One key whose value stays small, and one whose name does not fit a block.
const KEYS: [&[u8]; 2] = [b"k", &[b'k'; 300]];
/// Checks of a whole value that take time in proportion to it are made after each step only as long as it is short.
const COMPARED_MAX: usize = 300;

/// The operations of an input: what to do, and three more bytes.
fn operations(data: &[u8]) -> impl Iterator<Item = (u8, usize, usize, usize)> {
    data.chunks_exact(4).map(|op| (op[0], op[1].into(), op[2].into(), op[3].into()))
}

/// Different texts, of which some are long.
fn texts(first: usize, count: usize, size: usize) -> Vec<Vec<u8>> {
    let long = |n: usize| if n.is_multiple_of(90) { 9_000 } else { size % 60 };
    (first * 4..first * 4 + count)
        .map(|n| [n.to_string().as_bytes(), &vec![b'x'; long(n)]].concat())
        .collect()
}

fn slices(texts: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> + Clone {
    texts.iter().map(Vec::as_slice)
}

/// A list is a sequence in each of its forms.
pub fn lists(data: &[u8]) {
    let mut store = Store::new(data.len() as u64);
    let mut models = [Vec::<Vec<u8>>::new(), Vec::new()];
    for (what, first, count, size) in operations(data) {
        let which = usize::from(what >> 3) % 2;
        let (key, model) = (KEYS[which], &mut models[which]);
        let elements = texts(first, count.max(1), size);
        let (left, right) = (first % (model.len() + 2), count % (model.len() + 2));
        let prepared = match what & 7 {
            0 | 1 => {
                model.splice(0..0, elements.iter().rev().cloned());
                store.prepare_list_push(key, Side::Left, slices(&elements), 0)
            }
            2 | 3 => {
                model.extend_from_slice(&elements);
                store.prepare_list_push(key, Side::Right, slices(&elements), 0)
            }
            4 if left < model.len() => {
                model[left].clone_from(&elements[0]);
                store.prepare_list_set(key, left, &elements[0], 0)
            }
            5 if left < model.len() => {
                model.insert(left, elements[0].clone());
                store.prepare_list_insert(key, left, &elements[0], 0)
            }
            6 => {
                let gone = store.drop_list_ends(key, left, right);
                let there = !model.is_empty();
                model.truncate(model.len() - right.min(model.len()));
                model.drain(..left.min(model.len()));
                assert_eq!(gone, there && model.is_empty());
                continue;
            }
            7 if !model.is_empty() => {
                let (side, element) =
                    ([Side::Left, Side::Right][right % 2], model[left % model.len()].clone());
                let (removed, gone) = store.remove_list_elements(key, &element, count, side);
                let mut places: Vec<usize> = (0..model.len()).filter(|at| model[*at] == element).collect();
                if side == Side::Right {
                    places.reverse();
                }
                places.truncate(count);
                assert_eq!(removed, places.len());
                let mut at = 0..;
                model.retain(|_| !places.contains(&at.next().expect("endless")));
                assert_eq!(gone, removed > 0 && model.is_empty());
                continue;
            }
            _ => {
                store.reclaim(1);
                continue;
            }
        };
        assert_eq!(store.commit_list(prepared.expect("memory")), model.len());
        let list = store.list(key, 0).expect("a list").expect("it is there");
        assert_eq!(list.get(left), model.get(left).map(Vec::as_slice));
        if model.len() <= COMPARED_MAX {
            assert!(list.iter_from(left).eq(slices(model).skip(left)));
        }
    }
    store.audit();
    for (key, model) in KEYS.into_iter().zip(&models) {
        let list = store.list(key, 0).expect("a list");
        assert_eq!(list.is_none(), model.is_empty());
        assert!(list.is_none_or(|list| list.iter_from(0).eq(slices(model))), "the elements differ");
    }
}

/// A set holds each member once, texts and integers alike.
pub fn sets(data: &[u8]) {
    let mut store = Store::new(data.len() as u64);
    let mut models = [BTreeSet::<Vec<u8>>::new(), BTreeSet::new()];
    for (what, first, count, size) in operations(data) {
        let which = usize::from(what >> 3) % 2;
        let (key, model) = (KEYS[which], &mut models[which]);
        let members = match what & 0x40 {
            0 => texts(first, count, size),
            _ => (0..count)
                .map(|n| ((n + first) as i64 * 7 - (1 << (size % 50))).to_string().into_bytes())
                .collect(),
        };
        let before = model.len();
        match what & 7 {
            0..=3 if !members.is_empty() => {
                let prepared = store.prepare_set_add(key, slices(&members), 0).expect("memory");
                let added = prepared.added();
                store.commit_set_add(prepared);
                model.extend(members);
                assert_eq!(added, model.len() - before);
            }
            4..=6 => {
                let removal = store.prepare_set_remove(key, slices(&members), 0).expect("memory");
                let removed = removal.removed();
                let gone = store.commit_set_remove(removal);
                for member in &members {
                    model.remove(member);
                }
                assert_eq!((removed, gone), (before - model.len(), before > 0 && model.is_empty()));
            }
            _ => store.reclaim(1),
        }
        let set = store.members(key, 0).expect("a set");
        assert_eq!(set.map_or(0, |set| set.len()), model.len());
        let probe = first.to_string();
        assert_eq!(set.is_some_and(|set| set.contains(probe.as_bytes())), model.contains(probe.as_bytes()));
    }
    store.audit();
    for (key, model) in KEYS.into_iter().zip(&models) {
        let set = store.members(key, 0).expect("a set");
        let mut found: Vec<Vec<u8>> =
            set.into_iter().flat_map(|set| set.iter()).map(|member| member.to_vec()).collect();
        found.sort();
        assert!(found.iter().eq(model), "the members differ");
    }
}

/// A sorted set is a map, and its order is that of the scores and then of the members.
pub fn zsets(data: &[u8]) {
    let mut store = Store::new(data.len() as u64);
    let mut models = [BTreeMap::<Vec<u8>, f64>::new(), BTreeMap::new()];
    for (what, first, count, size) in operations(data) {
        let which = usize::from(what >> 3) % 2;
        let (key, model) = (KEYS[which], &mut models[which]);
        let members = texts(first, count, size);
        let score = |nth: usize| {
            [size as f64, (nth * size % 251) as f64 / 4.0, f64::INFINITY][usize::from(what >> 5) % 3]
        };
        let before = model.len();
        match what & 7 {
            0..=3 if !members.is_empty() => {
                let scored: Vec<Scored<'_>> =
                    slices(&members).enumerate().map(|(nth, member)| (member, score(nth))).collect();
                let prepared = store.prepare_zset_add(key, scored, 0).expect("memory");
                store.commit_zset(prepared);
                model.extend(members.into_iter().enumerate().map(|(nth, member)| (member, score(nth))));
            }
            4 | 5 => {
                let removal = store.prepare_zset_remove(key, slices(&members), 0).expect("memory");
                let removed = removal.removed();
                let gone = store.commit_zset_remove(removal);
                for member in &members {
                    model.remove(member);
                }
                assert_eq!((removed, gone), (before - model.len(), removed > 0 && model.is_empty()));
            }
            6 => {
                let from = first.min(before);
                let ranks = from..(from + count).min(before);
                let order = in_order(model);
                let leave: Vec<Vec<u8>> =
                    order[ranks.clone()].iter().map(|(member, _)| member.to_vec()).collect();
                for member in &leave {
                    model.remove(member);
                }
                assert_eq!(store.remove_zset_ranks(key, ranks), before > 0 && model.is_empty());
            }
            _ => store.reclaim(1),
        }
        let Some(zset) = store.zset(key, 0).expect("a sorted set") else {
            assert!(model.is_empty());
            continue;
        };
        assert_eq!(zset.len(), model.len());
        if model.len() <= COMPARED_MAX {
            let order = in_order(model);
            let rank = first % order.len();
            assert!(zset.iter_from(rank).eq(order[rank..].iter().copied()));
            assert_eq!((zset.nth(rank), zset.rank(order[rank].0)), (Some(order[rank]), Some(rank)));
            let below = order.iter().filter(|(_, there)| *there < score(count)).count();
            assert_eq!(zset.count_below(score(count), false), below);
        }
    }
    store.audit();
    for (key, model) in KEYS.into_iter().zip(&models) {
        let zset = store.zset(key, 0).expect("a sorted set");
        assert_eq!(zset.is_none(), model.is_empty());
        assert!(zset.is_none_or(|zset| zset.iter_from(0).eq(in_order(model))), "the members differ");
    }
}

/// The members of a model in order.
fn in_order(model: &BTreeMap<Vec<u8>, f64>) -> Vec<Scored<'_>> {
    let mut all: Vec<Scored<'_>> = model.iter().map(|(member, score)| (&member[..], *score)).collect();
    all.sort_by(by_order);
    all
}

/// A stream holds its entries in the order of their ids, and remembers its last id.
pub fn streams(data: &[u8]) {
    let mut store = Store::new(data.len() as u64);
    let mut model = BTreeMap::<StreamId, Vec<(Vec<u8>, Vec<u8>)>>::new();
    let (key, mut last) = (KEYS[0], StreamId::MIN);
    for (what, first, count, size) in operations(data) {
        match what & 7 {
            0..=3 => {
                for nth in 0..count.min(40) + 1 {
                    let id =
                        StreamId { ms: last.ms + u64::from(what >> 6), seq: last.seq + 1 + nth as u64 % 3 };
                    let same = if what & 8 == 0 { 0 } else { nth % 3 };
                    let pairs: Vec<(Vec<u8>, Vec<u8>)> = texts(same, 1 + size % 4, first)
                        .into_iter()
                        .map(|field| (field, vec![b'v'; (first * nth) % 300]))
                        .collect();
                    let given = pairs.iter().map(|(field, value)| (&field[..], &value[..]));
                    let limits = NodeLimits { bytes: 64 + size * 16, entries: first % 20 };
                    let prepared = store.prepare_entry(key, id, given.clone(), limits, 0).expect("memory");
                    store.commit_entry(prepared, given);
                    model.insert(id, pairs);
                    last = id;
                }
            }
            4 | 5 if !model.is_empty() => {
                let ids: Vec<StreamId> =
                    model.keys().copied().skip(first).step_by(1 + size % 3).take(count).collect();
                for id in ids {
                    let removed = store.change_stream(key, |stream| stream.log_mut().remove(id));
                    assert!(removed && model.remove(&id).is_some());
                }
            }
            6 if !model.is_empty() => {
                let trim = Trim { to: TrimTo::Length(count as u64), approximate: false, limit: None };
                let removed = store.trim_stream(key, trim);
                let surplus = model.len().saturating_sub(count);
                let leave: Vec<StreamId> = model.keys().copied().take(surplus).collect();
                for id in &leave {
                    model.remove(id);
                }
                assert_eq!(removed, surplus as u64);
            }
            _ => store.reclaim(1),
        }
    }
    store.audit();
    let Some(stream) = store.stream(key, 0).expect("a stream") else { return assert!(model.is_empty()) };
    let log = stream.log();
    assert_eq!((log.len(), log.last_id()), (model.len(), last));
    let found = log.range(StreamId::MIN, StreamId::MAX).map(|entry| {
        let pairs = entry.fields().map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
        (entry.id(), pairs)
    });
    assert!(found.eq(model), "the entries differ");
}
