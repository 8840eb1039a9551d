//! Everything that a store holds, as a value that can be compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::elements::Elements;
use crate::store::large::Large;
use crate::store::map::Map;
use crate::store::members::Members;
use crate::store::ranked::Ranked;
use crate::store::record::Record;
use crate::store::streams::stream_of;
use crate::store::table::Table;
use crate::store::{Group, Kind, Store, Stream, StreamId};

type Bytes = Vec<u8>;

/// What a key holds.
#[derive(Debug, PartialEq)]
pub enum Value {
    String(Bytes),
    Hash(BTreeMap<Bytes, (Bytes, Option<u64>)>),
    Set(BTreeSet<Bytes>),
    List(Vec<Bytes>),
    Zset(Vec<(Bytes, u64)>),
    Stream(StreamShot),
}

#[derive(Debug, PartialEq)]
pub struct StreamShot {
    entries: Vec<(StreamId, Vec<(Bytes, Bytes)>)>,
    ids: (StreamId, StreamId, u64),
    groups: Vec<GroupShot>,
}

#[derive(Debug, PartialEq)]
struct GroupShot {
    name: Bytes,
    read: (StreamId, Option<u64>),
    pending: Vec<(StreamId, Bytes, u64, u32)>,
    consumers: Vec<(Bytes, u64, Option<u64>, Vec<StreamId>)>,
}

/// All keys of all databases: what they hold, when they expire, and whether they have a structure of their own.
pub type Shot = BTreeMap<(u16, Bytes), (Value, Option<u64>, bool)>;

/// Everything that the store holds, also what has expired.
pub fn shot(store: &mut Store) -> Shot {
    let dbs: Vec<u16> = store.sizes().map(|(db, _)| db).collect();
    let mut shot = Shot::new();
    for db in dbs {
        store.within(db, |store| {
            for record in store.table.records() {
                let key = store.table.key_of(record).to_vec();
                let large = store.table.large_of(record).is_some();
                shot.insert((db, key), (value(&store.table, record), record.expires_ms(), large));
            }
        });
    }
    shot
}

fn value(table: &Table, record: Record<'_>) -> Value {
    match record.kind() {
        Kind::String => Value::String(table.value_of(record).to_vec()),
        Kind::Hash => {
            let fields = Map::of(table, record, 0);
            let fields = fields.fields().map(|(field, value, at)| (field.to_vec(), (value.to_vec(), at)));
            Value::Hash(fields.collect())
        }
        Kind::Set => Value::Set(Members::of(table, record).iter().map(|member| member.to_vec()).collect()),
        Kind::List => Value::List(Elements::of(table, record).iter_from(0).map(<[u8]>::to_vec).collect()),
        Kind::Zset => {
            let ranked = Ranked::of(table, record);
            Value::Zset(
                ranked.iter_from(0).map(|(member, score)| (member.to_vec(), score.to_bits())).collect(),
            )
        }
        Kind::Stream => Value::Stream(stream(stream_of(table, record).expect("it is a stream"))),
    }
}

fn stream(stream: &Stream) -> StreamShot {
    let log = stream.log();
    let fields = |entry: crate::store::Entry<'_>| {
        entry.fields().map(|(field, value)| (field.to_vec(), value.to_vec())).collect()
    };
    StreamShot {
        entries: log.range(StreamId::MIN, StreamId::MAX).map(|entry| (entry.id(), fields(entry))).collect(),
        ids: (log.last_id(), log.max_deleted_id(), log.entries_added()),
        groups: stream.groups().map(group).collect(),
    }
}

fn group(group: &Group) -> GroupShot {
    let pending = group.pending(StreamId::MIN, StreamId::MAX);
    let consumers = group.consumers().map(|consumer| {
        let ids = consumer.pending(StreamId::MIN, StreamId::MAX).map(|pending| pending.id).collect();
        (consumer.name().to_vec(), consumer.seen_ms(), consumer.active_ms(), ids)
    });
    GroupShot {
        name: group.name().to_vec(),
        read: (group.last_id(), group.entries_read()),
        pending: pending
            .map(|entry| (entry.id, entry.consumer.to_vec(), entry.delivered_ms, entry.deliveries))
            .collect(),
        consumers: consumers.collect(),
    }
}

/// Panics with the first difference, because two whole stores are too long to read.
pub fn assert_same(before: &Shot, after: &Shot, what: &str) {
    for (key, value) in before {
        match after.get(key) {
            Some(now) if now == value => {}
            Some(now) => panic!("{what}: {} was\n{}\nand is\n{}", name(key), short(value), short(now)),
            None => panic!("{what}: {} is gone, it was {}", name(key), short(value)),
        }
    }
    let new = after.keys().find(|key| !before.contains_key(*key));
    assert_eq!(new.map(name), None, "{what}: a key is there that was not");
}

fn name((db, key): &(u16, Bytes)) -> String {
    format!("key {:?} of {} bytes in database {db}", key.first(), key.len())
}

fn short(value: &(Value, Option<u64>, bool)) -> String {
    let mut text = format!("{:?}", (value.1, value.2, &value.0));
    text.truncate(3_000);
    text
}

/// True if the key holds a value with a structure of its own.
pub fn is_large(store: &Store, key: &[u8]) -> bool {
    let place = store.table.find(store.table.hash(key), key);
    place.is_some_and(|place| {
        matches!(
            store.table.large_of(store.table.record(place)),
            Some(Large::Map(_) | Large::Set(_) | Large::List(_) | Large::Zset(_) | Large::Stream(_))
        )
    })
}
