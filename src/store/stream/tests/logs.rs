//! The log compared with a map.

use super::*;

type Model = BTreeMap<StreamId, Pairs>;

/// Checks a range of the log in both directions.
fn compare(log: &Log, model: &Model, from: StreamId, to: StreamId) {
    let expected: Vec<_> = match from <= to {
        true => model.range(from..=to).map(|(id, pairs)| (*id, pairs.clone())).collect(),
        false => Vec::new(),
    };
    assert!(log.range(from, to).map(owned).eq(expected.iter().cloned()), "{from:?}..={to:?}");
    assert!(log.range_back(from, to).map(owned).eq(expected.into_iter().rev()), "back {from:?}..={to:?}");
}

/// An id that exists, or one near it.
fn some_id(model: &Model, last: StreamId, dice: &mut StdRng) -> StreamId {
    let near = StreamId::new(dice.random_range(0..last.ms + 3), dice.random_range(0..4));
    let id = model.range(near..).next().map_or(near, |(id, _)| *id);
    match dice.random_range(0..6_u32) {
        0 => near,
        1 => id.next().unwrap(),
        2 => id.previous().unwrap_or(id),
        _ => id,
    }
}

/// Trims the log, checks what is gone, and trims the model likewise.
fn trim(stream: &mut Stream, model: &mut Model, dice: &mut StdRng) {
    let to = if dice.random() {
        TrimTo::Length(dice.random_range(0..model.len() as u64 + 5))
    } else {
        TrimTo::Id(some_id(model, stream.log().last_id(), dice))
    };
    let approximate = dice.random();
    let limit = (approximate && dice.random()).then(|| dice.random_range(0..300));
    let nodes = stream.log().nodes();
    let trimmed = stream.log_mut().trim(Trim { to, approximate, limit });
    let removed = trimmed.removed as usize;
    let due = match to {
        TrimTo::Length(most) => model.len().saturating_sub(most as usize),
        TrimTo::Id(id) => model.range(..id).count(),
    };
    if approximate {
        assert!(removed <= due && removed as u64 <= limit.unwrap_or(u64::MAX));
        assert!(removed == 0 || stream.log().nodes() < nodes, "only whole nodes go");
        let next = stream.log().nodes.first().map_or(0, node::Node::len);
        assert!(removed == due || removed + next > due || limit.is_some(), "a node stays that should go");
    } else {
        assert_eq!(removed, due);
    }
    let kept = model.keys().nth(removed).copied();
    *model = kept.map(|kept| model.split_off(&kept)).unwrap_or_default();
    if let Some(mut leftovers) = trimmed.leftovers {
        while leftovers.free_piece() {}
        assert_eq!(leftovers.memory(), 0);
    }
}

fn run(seed: u64, steps: usize, limits: NodeLimits, removals: u32) {
    let dice = &mut StdRng::seed_from_u64(seed);
    let (mut stream, mut model) = (Stream::new(), Model::new());
    let (mut last, mut added, mut deleted) = (StreamId::MIN, 0, StreamId::MIN);
    for step in 0..steps {
        match dice.random_range(0..100_u32) {
            0 => trim(&mut stream, &mut model, dice),
            1 => {
                let (from, to) = (some_id(&model, last, dice), some_id(&model, last, dice));
                compare(stream.log(), &model, from, to);
            }
            action if action < 2 + removals => {
                let id = some_id(&model, last, dice);
                assert_eq!(stream.log().get(id).map(owned), model.get(&id).map(|pairs| (id, pairs.clone())));
                let removed = model.remove(&id).is_some();
                assert_eq!(stream.log_mut().remove(id), removed);
                deleted = if removed { deleted.max(id) } else { deleted };
            }
            _ => {
                let ms = last.ms + dice.random_range(0..4) / 2;
                let id = stream.log().next_id_in(ms).unwrap();
                assert_eq!(stream.log().next_id(ms), Ok(id));
                let pairs = some_fields(dice);
                add(&mut stream, id, &pairs, limits);
                model.insert(id, pairs);
                (last, added) = (id, added + 1);
            }
        }
        let log = stream.log();
        let ends = (model.keys().next().copied().unwrap_or_default(), model.keys().last().copied());
        assert_eq!((log.first_id(), log.last().map(Entry::id)), ends, "seed {seed}");
        assert_eq!((log.len(), log.last_id(), log.entries_added()), (model.len(), last, added));
        assert_eq!(log.max_deleted_id(), deleted);
        if step % 200 == 0 {
            stream.audit();
            compare(stream.log(), &model, StreamId::MIN, StreamId::MAX);
            let copy = stream.try_copy().unwrap();
            copy.audit();
            compare(copy.log(), &model, StreamId::MIN, StreamId::MAX);
        }
    }
    compare(stream.log(), &model, StreamId::MIN, StreamId::MAX);
    while stream.free_piece() {}
    assert_eq!(stream.memory(), 0);
}

#[test]
fn the_log_is_like_a_map() {
    for seed in 0..6 {
        run(seed, 4_000, NodeLimits::default(), 20);
        run(seed, 2_000, NodeLimits { bytes: 0, entries: 3 }, 40);
        run(seed, 2_000, NodeLimits { bytes: 0, entries: 0 }, 60);
        run(seed, 6_000, NodeLimits { bytes: 300, entries: 10 }, 47);
    }
}

#[test]
fn an_id_must_be_greater_than_the_last_one() {
    let mut stream = filled(5);
    let pairs: Pairs = vec![(b"f".to_vec(), b"v".to_vec())];
    let mut reserve = |id| stream.log_mut().try_reserve(id, borrowed(&pairs), NodeLimits::default()).err();
    assert_eq!(reserve(StreamId::new(5, 0)), Some(AppendError::NotGreater));
    assert_eq!(reserve(StreamId::MIN), Some(AppendError::NotGreater));
    assert_eq!(reserve(StreamId::new(5, 1)), None);
    assert_eq!(stream.log().next_id_in(4), Err(IdOverflow));
    add(&mut stream, StreamId::MAX, &pairs, NodeLimits::default());
    assert_eq!(stream.log().next_id(7), Err(IdOverflow));
    assert_eq!(stream.log().get(StreamId::MAX).map(owned), Some((StreamId::MAX, pairs)));
}

#[test]
fn the_last_id_can_be_set_but_not_below_what_there_is() {
    let mut stream = filled(5);
    let log = stream.log_mut();
    assert!(log.remove(StreamId::new(5, 0)));
    let id = |ms| StreamId::new(ms, 0);
    assert_eq!(log.set_last_id(id(4), None, Some(id(9))), Err(SetIdError::BelowGivenDeleted));
    assert_eq!(log.set_last_id(id(4), None, None), Err(SetIdError::BelowDeleted));
    assert_eq!(log.set_last_id(id(9), Some(3), None), Err(SetIdError::TooFewAdded));
    assert_eq!(log.set_last_id(id(9), Some(7), Some(id(8))), Ok(()));
    assert_eq!((log.last_id(), log.entries_added(), log.max_deleted_id()), (id(9), 7, id(8)));
    assert_eq!(log.set_last_id(id(9), None, Some(StreamId::MIN)), Ok(()));
    assert_eq!(log.max_deleted_id(), id(8));
    let mut stream = filled(5);
    assert_eq!(stream.log_mut().set_last_id(id(4), None, None), Err(SetIdError::BelowEntries));
}

#[test]
fn a_trim_of_many_nodes_leaves_the_freeing_to_the_caller() {
    let mut stream = filled(200_000);
    let full = stream.memory();
    let to = TrimTo::Length(150);
    let trimmed = stream.log_mut().trim(Trim { to, approximate: false, limit: None });
    assert_eq!((trimmed.removed, stream.log().len()), (199_850, 150));
    stream.audit();
    let mut leftovers = trimmed.leftovers.unwrap();
    assert!(leftovers.memory() > full * 9 / 10 && stream.memory() < full / 10);
    let mut pieces = 1;
    while leftovers.free_piece() {
        pieces += 1;
    }
    assert!(pieces > 4 && leftovers.memory() == 0);
}

#[test]
fn sparse_nodes_are_merged() {
    let mut stream = filled(50_000);
    let full = stream.memory();
    for ms in (1..=50_000).filter(|ms| ms % 50 != 0) {
        assert!(stream.log_mut().remove(StreamId::new(ms, 0)));
    }
    stream.audit();
    assert_eq!(stream.log().len(), 1_000);
    assert!(stream.log().nodes() < 100 && stream.memory() < full / 20, "{:?}", stream.log().nodes());
}

#[test]
fn an_entry_takes_few_bytes_more_than_its_values() {
    let stream = filled(100_000);
    let each = stream.memory() as f64 / 100_000.0;
    assert!(each - 15.0 <= 9.0, "{each:.2} bytes an entry");
}
