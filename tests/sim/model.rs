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

/// What a request means.
#[derive(Clone, Debug)]
pub enum Op {
    /// Changes nothing and always has this reply.
    Says(String),
    Set(String, String),
    SetNew(String, String),
    SetAndGet(String, String),
    SetBoth([(String, String); 2]),
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
    /// Does it to `keys` and returns the reply.
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
            Op::SetBoth(pairs) => {
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
