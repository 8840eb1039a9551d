//! Consumer groups of streams: what the scripts do to them, and what the model says of it.
//!
//! How long entries have been pending is not modelled: the scripts claim what has been pending for no time at all, or for
//! longer than any run lasts.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;

use crate::model::{Op, bulk, int};
use crate::script::{Author, Step, step};
use crate::streams::{Stream, StreamOp};

/// No entry is pending for so long, milliseconds.
const LONG_MS: u64 = 1_000_000_000_000;
/// `XAUTOCLAIM` looks at so many entries for each that it may claim.
const LOOKS_PER_CLAIM: usize = 10;

const KEY_REQUIRED: &str = "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to \
                            use the MKSTREAM option to create an empty stream automatically.\r\n";

/// A group as the model has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The first half of the last id that was delivered.
    pub last: u64,
    pub consumers: BTreeSet<String>,
    /// Which consumer has which entry, and how often it was delivered.
    pub pending: BTreeMap<u64, (String, u32)>,
}

/// What a request does to a group of a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupOp {
    /// From the last entry on if the first one says so, otherwise from the start; with `MKSTREAM` if the second one does.
    Create(bool, bool),
    SetId(u64),
    Destroy,
    CreateConsumer(String),
    DeleteConsumer(String),
    /// `XREADGROUP` of up to so many new entries; with `NOACK` if it says so.
    Read(String, usize, bool),
    /// `XREADGROUP` of what the consumer has pending behind an id.
    History(String, u64),
    Ack([u64; 2]),
    Claim {
        consumer: String,
        ids: [u64; 2],
        long: bool,
        force: bool,
        just_id: bool,
    },
    AutoClaim {
        consumer: String,
        start: u64,
        count: usize,
        long: bool,
        just_id: bool,
    },
    /// `XPENDING` without a range.
    Pending,
}

impl GroupOp {
    pub fn writes(&self) -> bool {
        *self != GroupOp::Pending
    }

    /// Does it to the group `name` of the stream of `key`, if there is a stream. Returns the reply, and whether the stream
    /// is to be created.
    pub fn apply(&self, stream: Option<&mut Stream>, key: &str, name: &str) -> (String, bool) {
        let Some(stream) = stream else { return self.without_stream(key, name) };
        if let GroupOp::Create(from_end, _) = self {
            if stream.groups.contains_key(name) {
                return ("-BUSYGROUP Consumer Group name already exists\r\n".into(), false);
            }
            let last = if *from_end { stream.last } else { 0 };
            stream.groups.insert(name.to_owned(), Group { last, ..Group::default() });
            return ("+OK\r\n".into(), false);
        }
        if *self == GroupOp::Destroy {
            return (int(usize::from(stream.groups.remove(name).is_some())), false);
        }
        let Stream { entries, groups, .. } = stream;
        let Some(group) = groups.get_mut(name) else { return (self.without_group(key, name), false) };
        (self.reply(group, entries, key), false)
    }

    fn without_stream(&self, key: &str, name: &str) -> (String, bool) {
        match self {
            GroupOp::Create(_, true) => ("+OK\r\n".into(), true),
            GroupOp::Create(..)
            | GroupOp::SetId(_)
            | GroupOp::Destroy
            | GroupOp::CreateConsumer(_)
            | GroupOp::DeleteConsumer(_) => (KEY_REQUIRED.into(), false),
            _ => (self.without_group(key, name), false),
        }
    }

    fn without_group(&self, key: &str, name: &str) -> String {
        let missing = format!("-NOGROUP No such key '{key}' or consumer group '{name}'");
        match self {
            GroupOp::Ack(_) => int(0),
            GroupOp::Read(..) | GroupOp::History(..) => {
                format!("{missing} in XREADGROUP with GROUP option\r\n")
            }
            GroupOp::Claim { .. } | GroupOp::AutoClaim { .. } | GroupOp::Pending => format!("{missing}\r\n"),
            _ => format!("-NOGROUP No such consumer group '{name}' for key name '{key}'\r\n"),
        }
    }

    fn reply(&self, group: &mut Group, entries: &[(u64, String)], key: &str) -> String {
        let value = |id: u64| entries.iter().find(|(other, _)| *other == id).map(|(_, value)| value);
        match self {
            GroupOp::Create(..) | GroupOp::Destroy => unreachable!("done"),
            GroupOp::SetId(id) => {
                group.last = *id;
                "+OK\r\n".into()
            }
            GroupOp::CreateConsumer(name) => int(usize::from(group.consumers.insert(name.clone()))),
            GroupOp::DeleteConsumer(name) => {
                group.consumers.remove(name);
                let before = group.pending.len();
                group.pending.retain(|_, (consumer, _)| consumer != name);
                int(before - group.pending.len())
            }
            GroupOp::Read(consumer, count, noack) => {
                group.consumers.insert(consumer.clone());
                let last = group.last;
                let new: Vec<_> = entries.iter().filter(|(id, _)| *id > last).take(*count).collect();
                for (id, _) in &new {
                    group.last = *id;
                    if !noack {
                        group.pending.insert(*id, (consumer.clone(), 1));
                    }
                }
                if new.is_empty() {
                    return "*-1\r\n".into();
                }
                of_stream(key, new.into_iter().map(|(id, value)| entry(*id, Some(value))))
            }
            GroupOp::History(consumer, after) => {
                group.consumers.insert(consumer.clone());
                let mine = group.pending.range_mut(after + 1..).filter(|(_, (owner, _))| owner == consumer);
                let shown: Vec<String> = mine
                    .map(|(id, (_, deliveries))| {
                        *deliveries += u32::from(value(*id).is_some());
                        entry(*id, value(*id))
                    })
                    .collect();
                of_stream(key, shown.into_iter())
            }
            GroupOp::Ack(ids) => int(ids.iter().filter(|id| group.pending.remove(id).is_some()).count()),
            GroupOp::Claim { consumer, ids, long, force, just_id } => {
                group.consumers.insert(consumer.clone());
                let mut shown = Vec::new();
                for id in ids {
                    match group.pending.get_mut(id) {
                        Some(_) if value(*id).is_none() => drop(group.pending.remove(id)),
                        Some(pending) if !long => {
                            *pending = (consumer.clone(), pending.1 + u32::from(!just_id));
                            shown.push(claimed(*id, value(*id), *just_id));
                        }
                        None if *force && value(*id).is_some() => {
                            group.pending.insert(*id, (consumer.clone(), 1 + u32::from(!just_id)));
                            shown.push(claimed(*id, value(*id), *just_id));
                        }
                        _ => {}
                    }
                }
                list(shown.into_iter())
            }
            GroupOp::AutoClaim { consumer, start, count, long, just_id } => {
                group.consumers.insert(consumer.clone());
                let (mut shown, mut gone, mut next) = (Vec::new(), Vec::new(), None);
                let ids: Vec<u64> = group.pending.range(start..).map(|(id, _)| *id).collect();
                for (look, id) in ids.into_iter().enumerate() {
                    if look == count * LOOKS_PER_CLAIM || shown.len() + gone.len() == *count {
                        next = Some(id);
                        break;
                    }
                    if value(id).is_none() {
                        group.pending.remove(&id);
                        gone.push(bulk(&full(id)));
                    } else if !long {
                        let deliveries = group.pending[&id].1 + u32::from(!just_id);
                        group.pending.insert(id, (consumer.clone(), deliveries));
                        shown.push(claimed(id, value(id), *just_id));
                    }
                }
                let next = next.map_or_else(|| "0-0".to_owned(), full);
                format!("*3\r\n{}{}{}", bulk(&next), list(shown.into_iter()), list(gone.into_iter()))
            }
            GroupOp::Pending => summary(group),
        }
    }
}

/// The whole id of an entry.
fn full(id: u64) -> String {
    format!("{id}-1")
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("*{}\r\n{}", items.len(), items.concat())
}

/// An entry as it is shown; without a value if it was removed.
fn entry(id: u64, value: Option<&String>) -> String {
    let value = value.map_or("*-1\r\n".into(), |value| format!("*2\r\n{}{}", bulk("f"), bulk(value)));
    format!("*2\r\n{}{value}", bulk(&full(id)))
}

fn claimed(id: u64, value: Option<&String>, just_id: bool) -> String {
    if just_id { bulk(&full(id)) } else { entry(id, value) }
}

fn of_stream(key: &str, entries: impl Iterator<Item = String>) -> String {
    format!("*1\r\n*2\r\n{}{}", bulk(key), list(entries))
}

fn summary(group: &Group) -> String {
    let (Some((first, _)), Some((last, _))) =
        (group.pending.first_key_value(), group.pending.last_key_value())
    else {
        return "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n".into();
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    group.pending.values().for_each(|(consumer, _)| *counts.entry(consumer).or_default() += 1);
    let counts =
        counts.iter().map(|(name, count)| format!("*2\r\n{}{}", bulk(name), bulk(&count.to_string())));
    let bounds = [first, last].map(|id| bulk(&full(*id))).concat();
    format!("*4\r\n{}{bounds}{}", int(group.pending.len()), list(counts))
}

impl Author<'_> {
    /// A command about a consumer group.
    pub fn group_command(&mut self) -> Step {
        let key = self.stream_key();
        let name = format!("g{}", self.rng.random_range(0..2));
        let consumer = format!("c{}", self.rng.random_range(0..3));
        let id = (self.elements as u64).saturating_sub(self.rng.random_range(0..8)).max(1);
        let count = self.rng.random_range(1..4_usize);
        let (whole, other, many) = (full(id), full(id + 1), count.to_string());
        let (long, just_id) = (self.rng.random_bool(0.2), self.rng.random_bool(0.3));
        let idle = if long { LONG_MS } else { 0 }.to_string();
        let wholes = if self.contents.modest { 0 } else { 7 };
        let (request, op): (Vec<&str>, GroupOp) = match self.rng.random_range(0..11 + wholes) {
            0..=3 => {
                let (from_end, makes) = (self.rng.random_bool(0.3), self.rng.random_bool(0.5));
                let from = if from_end { "$" } else { "0" };
                let mut request = vec!["XGROUP", "CREATE", &key, &name, from];
                request.extend(makes.then_some("MKSTREAM"));
                (request, GroupOp::Create(from_end, makes))
            }
            4 => (vec!["XGROUP", "SETID", &key, &name, &whole], GroupOp::SetId(id)),
            5 if self.rng.random_bool(0.3) => (vec!["XGROUP", "DESTROY", &key, &name], GroupOp::Destroy),
            5 | 6 if self.rng.random_bool(0.5) => (
                vec!["XGROUP", "DELCONSUMER", &key, &name, &consumer],
                GroupOp::DeleteConsumer(consumer.clone()),
            ),
            5 | 6 => (
                vec!["XGROUP", "CREATECONSUMER", &key, &name, &consumer],
                GroupOp::CreateConsumer(consumer.clone()),
            ),
            7..=9 => (vec!["XACK", &key, &name, &whole, &other], GroupOp::Ack([id, id + 1])),
            10 => (vec!["XPENDING", &key, &name], GroupOp::Pending),
            11 => {
                let request = vec!["XREADGROUP", "GROUP", &name, &consumer, "STREAMS", &key, &whole];
                (request, GroupOp::History(consumer.clone(), id))
            }
            12 => {
                let force = self.rng.random_bool(0.4);
                let mut request = vec!["XCLAIM", &key, &name, &consumer, &idle, &whole, &other];
                request.extend(force.then_some("FORCE"));
                request.extend(just_id.then_some("JUSTID"));
                (
                    request,
                    GroupOp::Claim { consumer: consumer.clone(), ids: [id, id + 1], long, force, just_id },
                )
            }
            13 => {
                let mut request = vec!["XAUTOCLAIM", &key, &name, &consumer, &idle, &whole, "COUNT", &many];
                request.extend(just_id.then_some("JUSTID"));
                (request, GroupOp::AutoClaim { consumer: consumer.clone(), start: id, count, long, just_id })
            }
            _ => {
                let noack = self.rng.random_bool(0.2);
                let mut request = vec!["XREADGROUP", "GROUP", &name, &consumer, "COUNT", &many];
                request.extend(noack.then_some("NOACK"));
                request.extend(["STREAMS", &key, ">"]);
                (request, GroupOp::Read(consumer.clone(), count, noack))
            }
        };
        step(&request, Op::Stream(key.clone(), StreamOp::Group(name.clone(), op)))
    }
}
