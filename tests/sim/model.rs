//! A simple model of each request of the scripts: what it must do, and what it must reply. Each character of a text stands for
//! one byte.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::bits::{BitsOp, Combine};
use crate::geo::Search;
use crate::hashes::HashOp;
pub use crate::keys::Keys;
use crate::keys::{encodings, rename_new};
use crate::lists::{self, End, ListOp};
use crate::queues::QueueOp;
use crate::scripts::Script;
use crate::sets::{self, How, SetOp};
use crate::state::{CopyOp, FieldOp, HoardOp, Victims};
use crate::streams::{Stream, StreamOp};
use crate::strings::{Common, TextOp};
use crate::times::TimeOp;
use crate::zsets::ZsetOp;

/// Limits that the scripts know of and the simulated server is given.
pub const KEY_MAX: usize = 64;
pub const BULK_MAX: usize = 1_200;
pub const INLINE_MAX: usize = 400;
pub const REQUEST_MAX: usize = 4_000;
pub const ARGS_MAX: usize = 16;

pub const OK: &str = "+OK\r\n";
pub const RESET: &str = "+RESET\r\n";
pub const OOM: &str = "-OOM the system has no memory left for this command\r\n";
/// A reply too long for the memory that is left; the limit that it also names is the default one.
pub const OOM_REPLY: &str = "-ERR reply exceeds max-reply-bytes (1073741824) or the memory that is left\r\n";

pub const WRONG_KIND: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    Text(String),
    Fields(BTreeMap<String, String>),
    Members(BTreeSet<String>),
    Elements(VecDeque<String>),
    Scores(BTreeMap<String, i64>),
    Stream(Stream),
}

/// The key that several clients write. Each value is written once.
pub const SHARED: &str = "shared";
/// Keys that are only ever written together, in a transaction.
pub const TWINS: [&str; 2] = ["twin:a", "twin:b"];

/// What a request means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Changes nothing and always has this reply.
    Says(String),
    /// Always has this reply, and these events of these keys, in this order.
    Tells(String, Vec<(String, String)>),
    Ping,
    Reset,
    Multi,
    Exec,
    Discard,
    Watch(String),
    /// Writes the shared key and tells what was there before.
    SetShared(String),
    GetShared,
    SetTwin(usize, String),
    GetTwins,
    /// `SET` with a time to live, milliseconds; with `NX` if it says so.
    SetBrief(String, String, u64, bool),
    GetBrief(String),
    /// `PTTL`
    TimeLeft(String),
    /// What is done to a key that may be evicted, and which keys may be.
    Hoard(String, HoardOp, Victims),
    /// What is done about copies of keys.
    Cached(CopyOp),
    /// What is done to fields that expire.
    Field(FieldOp),
    /// Channel and message.
    Publish(String, String),
    /// Channels, or patterns if it says so.
    Subscribe(bool, Vec<String>),
    /// The same; none stands for all.
    Unsubscribe(bool, Vec<String>),
    /// `HELLO 3`
    Hello,
    /// `CLIENT KILL ID`
    Kill(u64),
    /// `CLIENT LIST`
    List,
    /// `CLIENT NO-EVICT`
    Spare(bool),
    /// `CLIENT UNPAUSE`, which no pause holds.
    Unpause,
    /// `WAIT`, for replicas that are not there.
    Wait,
    /// `SHUTDOWN`, perhaps `NOW`.
    Shutdown(bool),
    /// A call of `SCAN`, with `TYPE` if it says so.
    Page(Option<&'static str>),
    Set(String, String),
    SetNew(String, String),
    SetAndGet(String, String),
    SetMany(Vec<(String, String)>),
    Get(String),
    GetMany([String; 3]),
    Take(String),
    Append(String, String),
    Add(String, i64),
    Delete([String; 2]),
    Len(String),
    Rename(String, String),
    /// `RENAMENX`
    RenameNew(String, String),
    Touch([String; 3]),
    /// `OBJECT ENCODING`
    Encoding(String),
    /// `RANDOMKEY` in this database, and how the client's keys there begin.
    AnyKey(u16, String),
    /// What is done about the time of a key.
    Time(String, TimeOp),
    /// What is done to the string of a key.
    Text(String, TextOp),
    /// What is done to the bits of the string of a key.
    Bits(String, BitsOp),
    /// `BITOP`: under the first key, of these.
    BitsInto(Combine, String, Vec<String>),
    /// `LCS`
    Common([String; 2], Common),
    /// With `REPLACE` if it says so.
    Copy(String, String, bool),
    /// `MOVE`: from a database to another, in which the key has the second name here.
    Move(String, String),
    /// Bytes that are written from an offset on.
    SetRange(String, usize, String),
    /// All of a string, by `GETRANGE`.
    GetRange(String),
    SetManyNew(Vec<(String, String)>),
    /// `SET` with `IFEQ`: the new value, and what the old one must be.
    SetIf(String, String, String),
    /// `DELIFEQ`
    DeleteIf(String, String),
    /// Empties a database that only this client uses.
    Flush(u16),
    /// `SWAPDB` of two such databases.
    Swap(u16, u16),
    /// `EVAL` and the like.
    Script(Box<Script>),
    /// `SCRIPT KILL`
    KillScript,
    /// `FUNCTION LOAD`
    LoadLibrary,
    /// What is done to queues that all clients share.
    Queue(QueueOp),
    /// What is done to the hash of a key.
    Hash(String, HashOp),
    /// What is done to the set of a key.
    Members(String, SetOp),
    /// `SMOVE`: from a set to another one, and the member.
    MoveMember(String, String, String),
    /// `SINTER` and the like.
    Combine(How, [String; 2]),
    /// The same, stored under the first key.
    CombineInto(How, String, [String; 2]),
    /// What is done to the sorted set of a key.
    Scores(String, ZsetOp),
    /// `GEOSEARCH`
    Search(String, Search),
    /// `GEOSEARCHSTORE`: the key that gets what is found, and the key that is searched.
    SearchInto(String, String, Search),
    /// What is done to the stream of a key.
    Stream(String, StreamOp),
    /// What is done to the list of a key.
    Elements(String, ListOp),
    /// `LMOVE`: from a list to another one, and from which end to which.
    MoveElement([String; 2], [End; 2]),
}

impl Op {
    /// There is no reply to it.
    pub fn is_silent(&self) -> bool {
        matches!(self, Op::Shutdown(_)) || *self == Op::Says(String::new())
    }

    /// It may wait for a key.
    pub fn waits(&self) -> bool {
        matches!(self, Op::Queue(op) if op.wait().is_some())
    }

    /// `CLIENT PAUSE WRITE` holds it.
    pub fn writes(&self) -> bool {
        match self {
            Op::Publish(..) | Op::SetShared(_) | Op::SetTwin(..) | Op::SetBrief(..) | Op::Queue(_) => true,
            Op::Script(_) | Op::LoadLibrary => true,
            Op::Tells(_, events) => !events.is_empty(),
            Op::Cached(op) => op.writes(),
            Op::Hoard(_, op, _) => *op != HoardOp::Get,
            Op::Field(op) => op.writes(),
            op => op.own_keys().is_some_and(|(_, writes)| writes),
        }
    }

    /// The client's own keys that it names, and whether it writes; `None` if it is about something else.
    pub fn own_keys(&self) -> Option<(Vec<&String>, bool)> {
        Some(match self {
            Op::SetMany(pairs) | Op::SetManyNew(pairs) => (pairs.iter().map(|(key, _)| key).collect(), true),
            // The key that a copy is taken from is only read.
            Op::Copy(_, to, _) => (vec![to], true),
            Op::Rename(from, to) | Op::RenameNew(from, to) | Op::Move(from, to) => (vec![from, to], true),
            Op::Time(key, op) => (vec![key], op.writes()),
            Op::Text(key, op) => (vec![key], op.writes()),
            Op::Bits(key, op) => (vec![key], op.writes()),
            // The strings that are combined are only read.
            Op::BitsInto(_, to, _) => (vec![to], true),
            Op::Common(names, _) => (names.iter().collect(), false),
            Op::Touch(names) => (names.iter().collect(), false),
            Op::Encoding(key) => (vec![key], false),
            Op::AnyKey(..) => (Vec::new(), false),
            Op::Delete(names) => (names.iter().collect(), true),
            Op::Set(key, _)
            | Op::SetNew(key, _)
            | Op::SetAndGet(key, _)
            | Op::Append(key, _)
            | Op::Add(key, _)
            | Op::Take(key)
            | Op::SetRange(key, ..)
            | Op::SetIf(key, ..)
            | Op::DeleteIf(key, _) => (vec![key], true),
            Op::Flush(_) | Op::Swap(..) => (Vec::new(), true),
            Op::Get(key) | Op::Len(key) | Op::GetRange(key) => (vec![key], false),
            Op::GetMany(names) => (names.iter().collect(), false),
            Op::Hash(key, op) => (vec![key], op.writes()),
            Op::Members(key, op) => (vec![key], op.writes()),
            Op::MoveMember(from, to, _) => (vec![from, to], true),
            Op::Combine(_, names) => (names.iter().collect(), false),
            // The sets that are combined are only read.
            Op::CombineInto(_, to, _) | Op::SearchInto(to, ..) => (vec![to], true),
            Op::Search(key, _) => (vec![key], false),
            Op::Elements(key, op) => (vec![key], op.writes()),
            Op::Scores(key, op) => (vec![key], op.writes()),
            Op::Stream(key, op) => (vec![key], op.writes()),
            Op::MoveElement(names, _) => (names.iter().collect(), true),
            _ => return None,
        })
    }

    /// The commands and options that it stands for, as far as a run of all seeds must meet them (`EXPECTED_WORDS`).
    pub fn words(&self) -> Vec<&'static str> {
        match self {
            Op::Time(_, op) => op.words(),
            Op::Text(_, op) => op.words(),
            Op::Bits(_, op) => vec![op.word()],
            Op::BitsInto(how, ..) => vec![["BITOP AND", "BITOP OR", "BITOP XOR", "BITOP NOT"][*how as usize]],
            Op::Common(_, how) => vec![how.word()],
            Op::RenameNew(..) => vec!["RENAMENX"],
            Op::Touch(_) => vec!["TOUCH"],
            Op::Encoding(_) => vec!["OBJECT ENCODING"],
            Op::AnyKey(..) => vec!["RANDOMKEY"],
            Op::Page(Some(_)) => vec!["SCAN TYPE"],
            Op::SetNew(..) => vec!["SETNX"],
            Op::SetManyNew(_) => vec!["MSETNX"],
            Op::Take(_) => vec!["GETDEL"],
            Op::DeleteIf(..) => vec!["DELIFEQ"],
            Op::Wait => vec!["WAIT"],
            _ => Vec::new(),
        }
    }

    /// The same about the client's own keys in another database: in the model, the number of the database is a part of their
    /// names.
    pub fn elsewhere(self, db: u16) -> Op {
        let there = |key: String| elsewhere(db, &key);
        let pairs = |pairs: Vec<(String, String)>| {
            pairs.into_iter().map(|(key, value)| (there(key), value)).collect()
        };
        match self {
            Op::SetMany(all) => Op::SetMany(pairs(all)),
            Op::SetManyNew(all) => Op::SetManyNew(pairs(all)),
            Op::Rename(from, to) => Op::Rename(there(from), there(to)),
            Op::Copy(from, to, replace) => Op::Copy(there(from), there(to), replace),
            Op::Delete(names) => Op::Delete(names.map(there)),
            Op::GetMany(names) => Op::GetMany(names.map(there)),
            Op::Set(key, value) => Op::Set(there(key), value),
            Op::SetNew(key, value) => Op::SetNew(there(key), value),
            Op::SetAndGet(key, value) => Op::SetAndGet(there(key), value),
            Op::Append(key, tail) => Op::Append(there(key), tail),
            Op::Add(key, by) => Op::Add(there(key), by),
            Op::Take(key) => Op::Take(there(key)),
            Op::SetRange(key, at, part) => Op::SetRange(there(key), at, part),
            Op::SetIf(key, value, wanted) => Op::SetIf(there(key), value, wanted),
            Op::DeleteIf(key, wanted) => Op::DeleteIf(there(key), wanted),
            Op::RenameNew(from, to) => Op::RenameNew(there(from), there(to)),
            Op::Touch(names) => Op::Touch(names.map(there)),
            Op::Encoding(key) => Op::Encoding(there(key)),
            Op::AnyKey(_, prefix) => Op::AnyKey(db, prefix),
            Op::Time(key, op) => Op::Time(there(key), op),
            Op::Text(key, op) => Op::Text(there(key), op),
            Op::Bits(key, op) => Op::Bits(there(key), op),
            Op::BitsInto(how, to, names) => {
                Op::BitsInto(how, there(to), names.into_iter().map(there).collect())
            }
            Op::Common(names, how) => Op::Common(names.map(there), how),
            Op::Get(key) => Op::Get(there(key)),
            Op::Len(key) => Op::Len(there(key)),
            Op::GetRange(key) => Op::GetRange(there(key)),
            Op::Hash(key, op) => Op::Hash(there(key), op),
            Op::Members(key, op) => Op::Members(there(key), op),
            Op::MoveMember(from, to, member) => Op::MoveMember(there(from), there(to), member),
            Op::Combine(how, names) => Op::Combine(how, names.map(there)),
            Op::CombineInto(how, to, names) => Op::CombineInto(how, there(to), names.map(there)),
            Op::Elements(key, op) => Op::Elements(there(key), op),
            Op::Scores(key, op) => Op::Scores(there(key), op),
            Op::Search(key, search) => Op::Search(there(key), search),
            Op::SearchInto(to, key, search) => Op::SearchInto(there(to), there(key), search),
            Op::Stream(key, op) => Op::Stream(there(key), op),
            Op::MoveElement(names, ends) => Op::MoveElement(names.map(there), ends),
            op => op,
        }
    }

    /// Does it to `keys` and returns the reply, if it is about the client's own keys or always says the same.
    pub fn apply(&self, keys: &mut Keys) -> String {
        match self {
            Op::Says(reply) => reply.clone(),
            Op::Set(key, value) => set(keys, key, value),
            Op::SetNew(key, value) => {
                let new = !keys.contains_key(key);
                if new {
                    set(keys, key, value);
                }
                int(usize::from(new))
            }
            Op::SetAndGet(key, value) => {
                let reply = of_text(keys, key, |before| (bulk_or_null(before), Some(value.clone())));
                if reply != WRONG_KIND {
                    keys.set_end(key, None);
                }
                reply
            }
            Op::SetMany(pairs) => {
                pairs.iter().for_each(|(key, value)| drop(set(keys, key, value)));
                OK.into()
            }
            Op::Get(key) => of_text(keys, key, |value| (bulk_or_null(value), value.cloned())),
            Op::GetMany(names) => {
                let text = |key| match keys.get(key) {
                    Some(Held::Text(text)) => Some(text),
                    _ => None,
                };
                let values: String = names.iter().map(|key| bulk_or_null(text(key))).collect();
                format!("*{}\r\n{values}", names.len())
            }
            Op::Take(key) => of_text(keys, key, |value| (bulk_or_null(value), None)),
            Op::Append(key, tail) => of_text(keys, key, |value| append(value, tail)),
            Op::Add(key, by) => of_text(keys, key, |value| add(value, *by)),
            Op::Delete(names) => int(names.iter().filter(|key| keys.remove(key).is_some()).count()),
            Op::Len(key) => {
                of_text(keys, key, |value| (int(value.map_or(0, |text| width(text))), value.cloned()))
            }
            Op::RenameNew(from, to) => rename_new(keys, from, to),
            Op::Touch(names) => int(names.iter().filter(|key| keys.contains_key(*key)).count()),
            // If there are others, they are asked for elsewhere.
            Op::Encoding(key) => {
                keys.get(key).map_or_else(|| bulk_or_null(None), |held| bulk(encodings(held)[0]))
            }
            // What it shows is asked for elsewhere.
            Op::AnyKey(..) => bulk_or_null(None),
            Op::Time(key, op) => op.apply(keys, key),
            Op::Text(key, op) => op.apply(keys, key),
            Op::Bits(key, op) => op.apply(keys, key),
            Op::BitsInto(how, to, names) => how.apply(keys, to, names),
            Op::Common(names, how) => how.reply(keys, names),
            Op::Hash(key, op) => op.apply(keys, key),
            Op::Members(key, op) => op.apply(keys, key),
            Op::MoveMember(from, to, member) => sets::move_member(keys, from, to, member),
            // What it shows is asked for elsewhere. It shows nothing if a key holds another kind.
            Op::Combine(..) => WRONG_KIND.into(),
            Op::CombineInto(how, to, names) => sets::combine_into(keys, *how, to, names),
            Op::Elements(key, op) => op.apply(keys, key),
            Op::Scores(key, op) => op.apply(keys, key),
            Op::Search(key, search) => search.reply(keys, key),
            Op::SearchInto(to, key, search) => search.store(keys, to, key),
            Op::Stream(key, op) => op.apply(keys, key),
            Op::MoveElement([from, to], ends) => lists::move_element(keys, [from, to], *ends),
            Op::Rename(from, _) if !keys.contains_key(from) => "-ERR no such key\r\n".into(),
            Op::Rename(from, to) => {
                if from != to {
                    keys.copy(from, to);
                    keys.remove(from);
                }
                OK.into()
            }
            Op::Copy(from, to, _) if from == to => {
                "-ERR source and destination objects are the same\r\n".into()
            }
            Op::Copy(from, to, replace) => {
                let copies = keys.contains_key(from) && (*replace || !keys.contains_key(to));
                if copies {
                    keys.copy(from, to);
                }
                int(usize::from(copies))
            }
            Op::Move(from, to) => {
                let moves = keys.contains_key(from) && !keys.contains_key(to);
                if moves {
                    keys.copy(from, to);
                    keys.remove(from);
                }
                int(usize::from(moves))
            }
            Op::Flush(db) => {
                let gone = elsewhere(*db, "");
                *keys = keys.renamed(|key| (!key.starts_with(&gone)).then(|| key.to_owned()));
                OK.into()
            }
            Op::Swap(one, other) => {
                swap(keys, *one, *other);
                OK.into()
            }
            Op::SetRange(key, at, part) => of_text(keys, key, |value| set_range(value, *at, part)),
            Op::GetRange(key) => {
                of_text(keys, key, |value| (bulk(value.map_or("", String::as_str)), value.cloned()))
            }
            Op::SetManyNew(pairs) => {
                let free = pairs.iter().all(|(key, _)| !keys.contains_key(key));
                if free {
                    pairs.iter().for_each(|(key, value)| drop(set(keys, key, value)));
                }
                int(usize::from(free))
            }
            Op::SetIf(key, value, wanted) => match keys.get(key) {
                Some(Held::Text(text)) if text == wanted => set(keys, key, value),
                Some(Held::Text(_)) | None => bulk_or_null(None),
                Some(_) => WRONG_KIND.into(),
            },
            Op::DeleteIf(key, wanted) => of_text(keys, key, |before| {
                let equal = before == Some(wanted);
                (int(usize::from(equal)), before.cloned().filter(|_| !equal))
            }),
            op => unreachable!("{op:?} is not about the client's own keys"),
        }
    }
}

/// The name that a key of database `db` has in the model.
pub fn elsewhere(db: u16, key: &str) -> String {
    if db == 0 { key.to_owned() } else { format!("{db}|{key}") }
}

/// Swaps the keys of two databases.
fn swap(keys: &mut Keys, one: u16, other: u16) {
    let (one, other) = (elsewhere(one, ""), elsewhere(other, ""));
    *keys = keys.renamed(|key| {
        let there = key.strip_prefix(&one).map(|name| format!("{other}{name}"));
        let here = key.strip_prefix(&other).map(|name| format!("{one}{name}"));
        Some(there.or(here).unwrap_or_else(|| key.to_owned()))
    });
}

fn set(keys: &mut Keys, key: &str, value: &str) -> String {
    keys.remove(key);
    keys.insert(key.to_owned(), Held::Text(value.to_owned()));
    OK.into()
}

/// The reply and the new value that `change` makes of the string of `key`, which may be none before and after.
fn of_text(
    keys: &mut Keys,
    key: &str,
    change: impl FnOnce(Option<&String>) -> (String, Option<String>),
) -> String {
    let (reply, after) = match keys.get(key) {
        Some(Held::Text(text)) => change(Some(text)),
        Some(_) => return WRONG_KIND.into(),
        None => change(None),
    };
    match after {
        Some(text) => keys.insert(key.to_owned(), Held::Text(text)),
        None => drop(keys.remove(key)),
    }
    reply
}

fn append(value: Option<&String>, tail: &str) -> (String, Option<String>) {
    let new = value.cloned().unwrap_or_default() + tail;
    if width(&new) > BULK_MAX {
        let text = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
        return (text.into(), value.cloned());
    }
    (int(width(&new)), Some(new))
}

fn set_range(value: Option<&String>, at: usize, part: &str) -> (String, Option<String>) {
    let mut new: Vec<char> = value.cloned().unwrap_or_default().chars().collect();
    if part.is_empty() {
        return (int(new.len()), value.cloned());
    }
    let end = at + width(part);
    new.resize(new.len().max(end), '\0');
    new.splice(at..end, part.chars());
    (int(new.len()), Some(new.into_iter().collect()))
}

fn add(value: Option<&String>, by: i64) -> (String, Option<String>) {
    let number = |text: &String| text.parse::<i64>().ok().filter(|number| number.to_string() == *text);
    match value.map_or(Some(0), number) {
        None => ("-ERR value is not an integer or out of range\r\n".into(), value.cloned()),
        Some(before) => (format!(":{}\r\n", before + by), Some((before + by).to_string())),
    }
}

pub fn int(number: usize) -> String {
    format!(":{number}\r\n")
}

pub fn bulk(value: &str) -> String {
    format!("${}\r\n{value}\r\n", width(value))
}

/// How many bytes a text stands for.
pub fn width(text: &str) -> usize {
    text.chars().count()
}

/// The bytes that a text stands for.
pub fn bytes_of(text: &str) -> Cow<'_, [u8]> {
    match text.is_ascii() {
        true => Cow::Borrowed(text.as_bytes()),
        false => Cow::Owned(text.chars().map(|byte| byte as u8).collect()),
    }
}

/// The text that stands for these bytes.
pub fn text_of(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

pub fn bulk_or_null(value: Option<&String>) -> String {
    value.map_or_else(|| "$-1\r\n".into(), |value| bulk(value))
}
