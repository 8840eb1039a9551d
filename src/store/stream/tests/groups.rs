//! Groups compared with a model: plain maps, and the rules of Redis written down as simply as possible.

use super::*;

#[derive(Clone, Debug, PartialEq)]
struct PendingModel {
    consumer: String,
    delivered_ms: u64,
    deliveries: u32,
}

#[derive(Clone, Debug, Default)]
struct Model {
    last_id: StreamId,
    pending: BTreeMap<StreamId, PendingModel>,
    /// When each consumer was seen, and when it was active.
    consumers: BTreeMap<String, (u64, Option<u64>)>,
}

const GROUP: &[u8] = b"group";

fn ms(ms: u64) -> StreamId {
    StreamId::new(ms, 0)
}

fn check(stream: &Stream, model: &Model) {
    let group = stream.group(GROUP).unwrap();
    assert_eq!(group.last_id(), model.last_id);
    let all = (StreamId::MIN, StreamId::MAX);
    let entry = |entry: PendingEntry<'_>| {
        let consumer = String::from_utf8(entry.consumer.to_vec()).unwrap();
        let PendingEntry { id, delivered_ms, deliveries, .. } = entry;
        (id, PendingModel { consumer, delivered_ms, deliveries })
    };
    assert!(group.pending(all.0, all.1).map(entry).eq(model.pending.clone()));
    let bounds = model.pending.keys().next().zip(model.pending.keys().last());
    assert_eq!(group.pending_bounds(), bounds.map(|(first, last)| (*first, *last)));
    assert_eq!((group.pending_len(), group.consumers_len()), (model.pending.len(), model.consumers.len()));
    for (consumer, (name, times)) in group.consumers().zip(&model.consumers) {
        assert_eq!(consumer.name(), name.as_bytes());
        assert_eq!((consumer.seen_ms(), consumer.active_ms()), *times, "{name}");
        let mine = model.pending.iter().filter(|(_, pending)| pending.consumer == *name);
        assert!(
            consumer.pending(all.0, all.1).map(entry).eq(mine.map(|(id, pending)| (*id, pending.clone())))
        );
        assert_eq!(
            group.consumer(consumer.name()).unwrap().pending_len(),
            consumer.pending(all.0, all.1).count()
        );
    }
}

fn deliver(stream: &mut Stream, model: &mut Model, name: &str, dice: &mut StdRng, now_ms: u64) {
    let (count, pending) = (dice.random_range(1..150), dice.random_range(0..4_u32) > 0);
    let ids: Vec<_> =
        stream.log().range(model.last_id.next().unwrap(), StreamId::MAX).map(Entry::id).take(count).collect();
    let delivery = stream.prepare_delivery(GROUP, name.as_bytes(), count, pending).unwrap();
    assert!(stream.delivered(&delivery).map(Entry::id).eq(ids.iter().copied()));
    assert_eq!(
        (delivery.count(), delivery.creates_consumer()),
        (ids.len(), !model.consumers.contains_key(name))
    );
    stream.commit_delivery(delivery, now_ms);
    let times = model.consumers.entry(name.to_string()).or_default();
    times.0 = now_ms;
    for id in ids {
        model.last_id = id;
        if pending {
            times.1 = Some(now_ms);
            let new = PendingModel { consumer: name.to_string(), delivered_ms: now_ms, deliveries: 1 };
            model.pending.insert(id, new);
        }
    }
}

fn history(stream: &mut Stream, model: &mut Model, name: &str, dice: &mut StdRng, now_ms: u64) {
    let (from, count) = (ms(dice.random_range(0..stream.log().last_id().ms + 1)), dice.random_range(1..20));
    let history = stream.prepare_history(GROUP, name.as_bytes(), from, count).unwrap();
    assert_eq!(history.creates_consumer(), !model.consumers.contains_key(name));
    let ids = stream.commit_history(history, now_ms);
    model.consumers.entry(name.to_string()).or_default().0 = now_ms;
    let mine = model.pending.range_mut(from..).filter(|(_, pending)| pending.consumer == name).take(count);
    let mut expected = Vec::new();
    for (id, pending) in mine {
        expected.push(*id);
        if stream.log().contains(*id) {
            (pending.delivered_ms, pending.deliveries) = (now_ms, pending.deliveries + 1);
        }
    }
    assert_eq!(ids, expected);
}

/// Claims one entry in the model, as XCLAIM does for each id.
fn claim_one(
    log: &Log,
    model: &mut Model,
    name: &str,
    id: StreamId,
    options: &ClaimOptions,
    now_ms: u64,
) -> bool {
    if !log.contains(id) {
        model.pending.remove(&id);
        return false;
    }
    if !model.pending.contains_key(&id) && !options.force {
        return false;
    }
    let forced = PendingModel { consumer: String::new(), delivered_ms: 0, deliveries: 1 };
    let pending = model.pending.entry(id).or_insert(forced);
    if !pending.consumer.is_empty() && now_ms - pending.delivered_ms < options.min_idle_ms {
        return false;
    }
    pending.consumer = name.to_string();
    pending.delivered_ms = match options.delivered {
        DeliveredAt::Now => now_ms,
        DeliveredAt::Ago(ago) => now_ms.checked_sub(ago as u64).unwrap_or(now_ms),
        DeliveredAt::Time(at) => (at as u64).min(now_ms),
    };
    match options.retry_count {
        Some(count) => pending.deliveries = count as u32,
        None => pending.deliveries += u32::from(!options.just_id),
    }
    model.consumers.get_mut(name).unwrap().1 = Some(now_ms);
    true
}

fn claim(stream: &mut Stream, model: &mut Model, name: &str, dice: &mut StdRng, now_ms: u64) {
    let top = stream.log().last_id().ms + 2;
    let ids: Vec<_> = (0..dice.random_range(1..100)).map(|_| ms(dice.random_range(1..top))).collect();
    let options = ClaimOptions {
        min_idle_ms: if dice.random() { 0 } else { dice.random_range(0..100) },
        delivered: match dice.random_range(0..3_u32) {
            0 => DeliveredAt::Now,
            1 => DeliveredAt::Ago(dice.random_range(0..200)),
            _ => DeliveredAt::Time(dice.random_range(0..now_ms as i64 * 2)),
        },
        retry_count: dice.random::<bool>().then_some(7),
        force: dice.random(),
        just_id: dice.random(),
        last_id: (dice.random_range(0..20_u32) == 0).then(|| ms(dice.random_range(1..top))),
    };
    let claim = stream.prepare_claim(GROUP, name.as_bytes(), ids.iter().copied(), options, now_ms).unwrap();
    let outlook = claim.outlook().ids.clone();
    let claimed = stream.commit_claim(claim);
    assert!(claimed.ids.iter().all(|id| outlook.contains(id)));
    model.last_id = model.last_id.max(options.last_id.unwrap_or_default());
    model.consumers.entry(name.to_string()).or_default().0 = now_ms;
    let gone: Vec<_> = claimed.deleted.clone();
    assert!(gone.iter().all(|id| model.pending.contains_key(id) && !stream.log().contains(*id)));
    let mut expected = ids;
    expected.retain(|id| claim_one(stream.log(), model, name, *id, &options, now_ms));
    assert_eq!(claimed.ids, expected);
}

fn autoclaim(stream: &mut Stream, model: &mut Model, name: &str, dice: &mut StdRng, now_ms: u64) {
    let (start, count) = (ms(dice.random_range(0..stream.log().last_id().ms + 2)), dice.random_range(1..30));
    let options = ClaimOptions {
        min_idle_ms: dice.random_range(0..60),
        just_id: dice.random(),
        ..ClaimOptions::default()
    };
    let claim = stream.prepare_autoclaim(GROUP, name.as_bytes(), start, count, options, now_ms).unwrap();
    let claimed = stream.commit_claim(claim);
    model.consumers.entry(name.to_string()).or_default().0 = now_ms;
    let (mut ids, mut deleted, mut left, mut looks) = (Vec::new(), Vec::new(), count, count * 10);
    let keys: Vec<_> = model.pending.range(start..).map(|(id, _)| *id).collect();
    let mut keys = keys.into_iter();
    while looks > 0 && left > 0 {
        looks -= 1;
        let Some(id) = keys.next() else { break };
        if !stream.log().contains(id) {
            deleted.push(id);
            left -= 1;
        }
        if claim_one(stream.log(), model, name, id, &options, now_ms) {
            ids.push(id);
            left -= 1;
        }
    }
    assert_eq!((claimed.ids, claimed.deleted), (ids, deleted));
    assert_eq!(claimed.next, keys.next().unwrap_or_default());
}

/// Removes an entry with regard to the group, for which it is acknowledged first or not.
fn remove(stream: &mut Stream, model: &mut Model, dice: &mut StdRng) {
    let id = ms(dice.random_range(1..stream.log().last_id().ms + 2));
    let references =
        [References::Keep, References::Remove, References::Respect][dice.random_range(0..3_usize)];
    let (is_there, len) = (stream.log().contains(id), stream.log().len());
    let acknowledges = dice.random::<bool>();
    let removed = if acknowledges {
        stream.acknowledge_and_remove(GROUP, id, references).unwrap()
    } else {
        stream.remove(id, references)
    };
    let was_pending = model.pending.contains_key(&id);
    if was_pending && (acknowledges || references == References::Remove) {
        model.pending.remove(&id);
    }
    let is_referenced = model.pending.contains_key(&id) || id > model.last_id;
    let removal = match (is_there, acknowledges) {
        (_, true) if !was_pending => Removal::Missing,
        (false, false) => Removal::Missing,
        _ if references == References::Respect && is_referenced => Removal::Referenced,
        _ => Removal::Removed,
    };
    let entry = is_there && removal == Removal::Removed;
    assert_eq!(removed, Removed { removal, entry });
    assert_eq!(stream.log().len(), len - usize::from(entry));
    assert_eq!(stream.log().contains(id), is_there && !entry);
}

#[test]
fn groups_follow_the_rules() {
    for seed in 0..12 {
        let dice = &mut StdRng::seed_from_u64(seed);
        let mut stream = filled(300);
        let mut model = Model::default();
        assert_eq!(stream.create_group(GROUP, StreamId::MIN, Some(0)), Ok(true));
        assert_eq!(stream.create_group(GROUP, ms(3), None), Ok(false));
        let consumers = [3, 40][seed as usize % 2];
        for now_ms in 1_000..1_500 {
            let name = format!("consumer {}", dice.random_range(0..consumers));
            let top = stream.log().last_id().ms;
            match dice.random_range(0..100_u32) {
                0..25 => deliver(&mut stream, &mut model, &name, dice, now_ms),
                25..35 => history(&mut stream, &mut model, &name, dice, now_ms),
                35..50 => claim(&mut stream, &mut model, &name, dice, now_ms),
                50..60 => autoclaim(&mut stream, &mut model, &name, dice, now_ms),
                60..75 => {
                    let ids: Vec<_> = (0..50).map(|_| ms(dice.random_range(1..top + 1))).collect();
                    let acked = stream.acknowledge(GROUP, ids.iter().copied()).unwrap();
                    assert_eq!(acked, ids.iter().filter(|id| model.pending.remove(id).is_some()).count());
                }
                75..79 => {
                    let deleted = stream.delete_consumer(GROUP, name.as_bytes()).unwrap();
                    let known = model.consumers.remove(&name).is_some();
                    let before = model.pending.len();
                    model.pending.retain(|_, pending| pending.consumer != name);
                    let expected = known.then_some(before - model.pending.len());
                    assert_eq!(deleted.map(|(count, _)| count), expected);
                }
                79..82 => {
                    let created = stream.create_consumer(GROUP, name.as_bytes(), now_ms).unwrap();
                    assert_eq!(created, !model.consumers.contains_key(&name));
                    model.consumers.entry(name).or_insert((now_ms, None));
                }
                82..84 => {
                    model.last_id = ms(dice.random_range(0..top + 1));
                    assert_eq!(stream.set_group_id(GROUP, model.last_id, None), Ok(()));
                }
                84..87 => (0..10).for_each(|_| remove(&mut stream, &mut model, dice)),
                87..89 => {
                    for _ in 0..10 {
                        stream.log_mut().remove(ms(dice.random_range(1..top + 1)));
                    }
                }
                _ => {
                    let pairs = some_fields(dice);
                    for more in 1..20 {
                        add(&mut stream, ms(top + more), &pairs, NodeLimits::default());
                    }
                }
            }
            stream.audit();
            check(&stream, &model);
        }
        let copy = stream.try_copy().unwrap();
        copy.audit();
        check(&copy, &model);
        let mut leftovers = stream.destroy_group(GROUP).unwrap();
        while leftovers.free_piece() {}
        stream.audit();
        assert_eq!(stream.groups_len(), 0);
    }
}

#[test]
fn groups_that_are_not_there_are_said_to_be_missing() {
    let mut stream = filled(3);
    assert_eq!(stream.set_group_id(GROUP, ms(1), None), Err(GroupError::NoGroup));
    assert_eq!(stream.create_consumer(GROUP, b"c", 1), Err(GroupError::NoGroup));
    assert_eq!(stream.acknowledge(GROUP, [ms(1)].into_iter()), Err(GroupError::NoGroup));
    assert!(stream.prepare_delivery(GROUP, b"c", 1, true).is_err() && stream.destroy_group(GROUP).is_err());
}

/// The group's count of read entries, and its lag.
fn progress(stream: &Stream) -> (Option<u64>, Option<i64>) {
    let group = stream.group(GROUP).unwrap();
    (group.entries_read(), stream.lag(group))
}

fn read(stream: &mut Stream, count: usize) {
    let delivery = stream.prepare_delivery(GROUP, b"c", count, true).unwrap();
    stream.commit_delivery(delivery, 1);
}

#[test]
fn the_lag_is_known_until_an_entry_ahead_is_removed() {
    let mut stream = filled(5);
    stream.create_group(GROUP, StreamId::MIN, None).unwrap();
    assert_eq!(progress(&stream), (None, Some(5)));
    read(&mut stream, 1);
    assert_eq!(progress(&stream), (Some(1), Some(4)));
    read(&mut stream, 2);
    assert_eq!(progress(&stream), (Some(3), Some(2)));
    stream.log_mut().remove(ms(4));
    assert_eq!(progress(&stream), (Some(3), None));
    read(&mut stream, 1);
    assert_eq!(progress(&stream), (Some(5), Some(0)));
    stream.log_mut().trim(Trim { to: TrimTo::Length(0), approximate: false, limit: None });
    assert_eq!(progress(&stream), (Some(5), Some(0)));
    stream.set_group_id(GROUP, ms(2), Some(2)).unwrap();
    assert_eq!(progress(&stream), (Some(2), Some(0)));
}

#[test]
fn a_pending_entry_takes_at_most_64_bytes() {
    let mut stream = filled(100_000);
    stream.create_group(GROUP, StreamId::MIN, None).unwrap();
    let before = stream.memory();
    while stream.group(GROUP).unwrap().last_id() < ms(100_000) {
        read(&mut stream, 10);
    }
    let each = (stream.memory() - before) as f64 / 100_000.0;
    assert!(each <= 64.0, "{each:.2} bytes a pending entry");
}
