//! What each request of the scripts must do and reply, told again as plainly as possible.

use std::collections::BTreeMap;

/// Limits that the scripts know of and the simulated server is given.
pub const KEY_MAX: usize = 64;
pub const BULK_MAX: usize = 1_200;
pub const INLINE_MAX: usize = 400;
pub const REQUEST_MAX: usize = 4_000;
pub const ARGS_MAX: usize = 16;

pub const OK: &str = "+OK\r\n";
pub const RESET: &str = "+RESET\r\n";
pub const OOM: &str = "-OOM the system has no memory left for this\r\n";
/// A reply too long for the memory there is; the limit that it also names is the default one.
pub const OOM_REPLY: &str = "-ERR reply exceeds max-reply-bytes (1073741824) or the memory there is\r\n";

/// One client's keys: no two clients share any.
pub type Keys = BTreeMap<String, String>;

/// The key that several clients write, each time a value that nobody else writes.
pub const SHARED: &str = "shared";
/// Keys that are only ever written together, in a transaction.
pub const TWINS: [&str; 2] = ["twin:a", "twin:b"];

/// What a request means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Changes nothing and always has this reply.
    Says(String),
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
    /// `SHUTDOWN`, perhaps `NOW`.
    Shutdown(bool),
    /// A call of `SCAN`.
    Page,
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
    Expire(String),
}

impl Op {
    /// There is no reply to it.
    pub fn is_silent(&self) -> bool {
        matches!(self, Op::Shutdown(_)) || *self == Op::Says(String::new())
    }

    /// `CLIENT PAUSE WRITE` holds it.
    pub fn writes(&self) -> bool {
        match self {
            Op::Publish(..) | Op::SetShared(_) | Op::SetTwin(..) | Op::SetBrief(..) => true,
            op => op.own_keys().is_some_and(|(_, writes)| writes),
        }
    }

    /// The client's own keys that it names, and whether it writes; `None` if it is about something else.
    pub fn own_keys(&self) -> Option<(Vec<&String>, bool)> {
        Some(match self {
            Op::SetMany(pairs) => (pairs.iter().map(|(key, _)| key).collect(), true),
            Op::Delete(names) => (names.iter().collect(), true),
            Op::Set(key, _)
            | Op::SetNew(key, _)
            | Op::SetAndGet(key, _)
            | Op::Append(key, _)
            | Op::Add(key, _)
            | Op::Take(key)
            | Op::Expire(key) => (vec![key], true),
            Op::Get(key) | Op::Len(key) => (vec![key], false),
            Op::GetMany(names) => (names.iter().collect(), false),
            _ => return None,
        })
    }

    /// Does it to `keys` and returns the reply, if it is about the client's own keys or always says the same.
    pub fn apply(&self, keys: &mut Keys) -> String {
        match self {
            Op::Says(reply) => reply.clone(),
            Op::Set(key, value) => {
                keys.insert(key.clone(), value.clone());
                OK.into()
            }
            Op::SetNew(key, value) => {
                let new = !keys.contains_key(key);
                keys.entry(key.clone()).or_insert_with(|| value.clone());
                int(usize::from(new))
            }
            Op::SetAndGet(key, value) => bulk_or_null(keys.insert(key.clone(), value.clone()).as_ref()),
            Op::SetMany(pairs) => {
                keys.extend(pairs.iter().cloned());
                OK.into()
            }
            Op::Get(key) => bulk_or_null(keys.get(key)),
            Op::GetMany(names) => {
                let values: String = names.iter().map(|key| bulk_or_null(keys.get(key))).collect();
                format!("*{}\r\n{values}", names.len())
            }
            Op::Take(key) => bulk_or_null(keys.remove(key).as_ref()),
            Op::Append(key, tail) => append(keys, key, tail),
            Op::Add(key, by) => add(keys, key, *by),
            Op::Delete(names) => int(names.iter().filter(|key| keys.remove(*key).is_some()).count()),
            Op::Len(key) => int(keys.get(key).map_or(0, String::len)),
            Op::Expire(key) => int(usize::from(keys.contains_key(key))),
            op => unreachable!("{op:?} is not about the client's own keys"),
        }
    }
}

fn append(keys: &mut Keys, key: &str, tail: &str) -> String {
    let new = keys.get(key).cloned().unwrap_or_default() + tail;
    if new.len() > BULK_MAX {
        return "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n".into();
    }
    let reply = int(new.len());
    keys.insert(key.to_owned(), new);
    reply
}

fn add(keys: &mut Keys, key: &str, by: i64) -> String {
    let number = |text: &String| text.parse::<i64>().ok().filter(|number| number.to_string() == *text);
    match keys.get(key).map_or(Some(0), number) {
        None => "-ERR value is not an integer or out of range\r\n".into(),
        Some(before) => {
            keys.insert(key.to_owned(), (before + by).to_string());
            format!(":{}\r\n", before + by)
        }
    }
}

pub fn int(number: usize) -> String {
    format!(":{number}\r\n")
}

pub fn bulk(value: &str) -> String {
    format!("${}\r\n{value}\r\n", value.len())
}

fn bulk_or_null(value: Option<&String>) -> String {
    value.map_or_else(|| "$-1\r\n".into(), |value| bulk(value))
}
