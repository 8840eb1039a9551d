//! Streams: what the scripts do to them, and what the model says of it. Each entry has one field, `f`. Their consumer
//! groups are in `groups`.

use std::collections::BTreeMap;

use rand::RngExt;

use crate::groups::{Group, GroupOp};
use crate::model::{Held, Keys, Op, WRONG_KIND, bulk, int};
use crate::script::{Author, Step, step};

/// A stream of more entries than this has several nodes.
pub const NODE_ENTRIES: usize = 100;

/// A stream as the model has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    /// The first half of each entry's id, and its value. The second half of all ids is 1.
    pub entries: Vec<(u64, String)>,
    /// The last id that was ever added.
    pub last: u64,
    pub groups: BTreeMap<String, Group>,
}

/// What a request does to a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamOp {
    Add(u64, String),
    /// `XADD NOMKSTREAM` with `MAXLEN`
    AddAndCut(u64, String, usize),
    Delete([u64; 2]),
    Trim(usize),
    Len,
    Range(u64, u64),
    /// `XREVRANGE` with `COUNT`
    LastOnes(usize),
    /// What is done to a group, by its name.
    Group(String, GroupOp),
}

impl StreamOp {
    pub fn writes(&self) -> bool {
        match self {
            StreamOp::Group(_, op) => op.writes(),
            op => matches!(
                op,
                StreamOp::Add(..) | StreamOp::AddAndCut(..) | StreamOp::Delete(_) | StreamOp::Trim(_)
            ),
        }
    }

    /// Does it to the stream of `key` and returns the reply.
    pub fn apply(&self, keys: &mut Keys, key: &str) -> String {
        let (mut stream, is_new) = match keys.get(key) {
            Some(Held::Stream(stream)) => (stream.clone(), false),
            Some(_) => return WRONG_KIND.into(),
            None => (Stream::default(), true),
        };
        if let StreamOp::Group(name, op) = self {
            // The number of the database is a part of the name only in the model.
            let shown = key.rsplit('|').next().unwrap_or(key);
            let (reply, creates) = op.apply((!is_new).then_some(&mut stream), shown, name);
            if creates {
                stream.groups.insert(name.clone(), Group::default());
            }
            if creates || !is_new {
                keys.insert(key.to_owned(), Held::Stream(stream));
            }
            return reply;
        }
        let reply = self.reply(&mut stream, is_new);
        // A stream stays when its last entry is gone.
        if !is_new || !stream.entries.is_empty() {
            keys.insert(key.to_owned(), Held::Stream(stream));
        }
        reply
    }

    fn reply(&self, stream: &mut Stream, is_new: bool) -> String {
        match self {
            StreamOp::AddAndCut(..) if is_new => "$-1\r\n".into(),
            StreamOp::Add(id, value) | StreamOp::AddAndCut(id, value, _) => {
                if *id <= stream.last {
                    return "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n"
                        .into();
                }
                stream.entries.push((*id, value.clone()));
                stream.last = *id;
                if let StreamOp::AddAndCut(_, _, most) = self {
                    trim(stream, *most);
                }
                bulk(&format!("{id}-1"))
            }
            StreamOp::Delete(ids) => {
                let before = stream.entries.len();
                stream.entries.retain(|(id, _)| !ids.contains(id));
                int(before - stream.entries.len())
            }
            StreamOp::Trim(most) => int(trim(stream, *most)),
            StreamOp::Len => int(stream.entries.len()),
            StreamOp::Range(first, last) => {
                shown(stream.entries.iter().filter(|(id, _)| (first..=last).contains(&id)))
            }
            StreamOp::LastOnes(count) => shown(stream.entries.iter().rev().take(*count)),
            StreamOp::Group(..) => unreachable!("done by the caller"),
        }
    }
}

/// True if a watched key has changed that held the one and now holds the other: what happens to groups does not count.
pub fn differ(before: Option<&Held>, after: Option<&Held>) -> bool {
    match (before, after) {
        (Some(Held::Stream(before)), Some(Held::Stream(after))) => {
            before.entries != after.entries || before.last != after.last
        }
        _ => before != after,
    }
}

/// Leaves the last entries, `most` of them. Returns how many it has removed.
fn trim(stream: &mut Stream, most: usize) -> usize {
    let gone = stream.entries.len().saturating_sub(most);
    stream.entries.drain(..gone);
    gone
}

fn shown<'a>(entries: impl Iterator<Item = &'a (u64, String)>) -> String {
    let all: Vec<String> = entries
        .map(|(id, value)| format!("*2\r\n{}*2\r\n{}{}", bulk(&format!("{id}-1")), bulk("f"), bulk(value)))
        .collect();
    format!("*{}\r\n{}", all.len(), all.concat())
}

impl Author<'_> {
    /// A key that nearly always holds a stream, or one that may hold anything.
    pub fn stream_key(&mut self) -> String {
        if self.rng.random_bool(0.2) {
            return self.key();
        }
        format!("{}:x{}", self.name, self.rng.random_range(0..2))
    }

    /// The first half of an id: mostly one that is new.
    fn id(&mut self) -> u64 {
        self.elements += 1;
        if self.rng.random_bool(0.2) { self.rng.random_range(1..20) } else { self.elements as u64 }
    }

    /// A command about a stream.
    pub fn stream_command(&mut self) -> Step {
        if self.rng.random_bool(0.45) {
            return self.group_command();
        }
        let (key, id, value) = (self.stream_key(), self.id(), self.value());
        let most = self.rng.random_range(0..5_usize);
        let (name, least) = (format!("{id}-1"), id.saturating_sub(self.rng.random_range(0..8)));
        let wholes = if self.contents.modest { 0 } else { 3 };
        match self.rng.random_range(0..11 + wholes) {
            0..=4 => on_stream(&["XADD", &key, &name, "f", &value], StreamOp::Add(id, value.clone())),
            5 => {
                let request = ["XADD", &key, "NOMKSTREAM", "MAXLEN", &most.to_string(), &name, "f", &value];
                on_stream(&request, StreamOp::AddAndCut(id, value.clone(), most))
            }
            6 | 7 => {
                let request = ["XDEL", &key, &format!("{least}-1"), &name];
                on_stream(&request, StreamOp::Delete([least, id]))
            }
            8 => on_stream(&["XTRIM", &key, "MAXLEN", &most.to_string()], StreamOp::Trim(most)),
            9 | 10 => on_stream(&["XLEN", &key], StreamOp::Len),
            11 | 12 => {
                let request = ["XRANGE", &key, &least.to_string(), &id.to_string()];
                on_stream(&request, StreamOp::Range(least, id))
            }
            _ => {
                let most = most.max(1);
                let request = ["XREVRANGE", &key, "+", "-", "COUNT", &most.to_string()];
                on_stream(&request, StreamOp::LastOnes(most))
            }
        }
    }

    /// Gives a stream so many entries that it gets several nodes, and works at their borders.
    pub fn hoard_entries(&mut self, steps: &mut Vec<Step>) {
        let key = self.stream_key();
        for _ in 0..NODE_ENTRIES + 10 {
            self.elements += 1;
            let (id, value) = (self.elements as u64, "v".to_owned());
            steps.push(on_stream(
                &["XADD", &key, &format!("{id}-1"), "f", &value],
                StreamOp::Add(id, value.clone()),
            ));
        }
        for _ in 0..self.rng.random_range(0..4) {
            let most = self.rng.random_range(0..120_usize);
            steps.push(on_stream(&["XTRIM", &key, "MAXLEN", &most.to_string()], StreamOp::Trim(most)));
            steps.push(self.stream_command());
        }
    }
}

impl Author<'_> {
    /// Works on sorted sets or streams, in a transaction or not.
    pub fn dwell_on_zsets_and_streams(&mut self, steps: &mut Vec<Step>) {
        if self.rng.random_bool(0.2) && !self.contents.modest {
            return self.dwell_on_places(steps);
        }
        let zsets = self.rng.random_bool(0.6);
        if self.rng.random_bool(0.08) {
            return if zsets { self.hoard_scores(steps) } else { self.hoard_entries(steps) };
        }
        let keys = [(); 2].map(|()| if zsets { self.zset_key() } else { self.stream_key() });
        let command = if zsets { Self::zset_command } else { Self::stream_command };
        self.work_on(keys, command, steps);
    }
}

fn on_stream(request: &[&str], op: StreamOp) -> Step {
    step(request, Op::Stream(request[1].to_owned(), op))
}
