//! The commands about strings.

use super::expiry::{Unit, When};
use super::ranges::check_len;
use crate::service::cx::{Cx, Failure, Outcome, is};
use crate::service::events::{APPEND, DEL, EXPIRE, PERSIST, SET};
use crate::store::Expiry;

/// `GET key`: the string of a key, or null.
pub fn get(cx: &mut Cx<'_>) -> Outcome {
    Ok(cx.reply_value(cx.arg(1))?)
}

/// `SET key value [NX | XX | IFEQ value | IFNE value] [GET] [EX seconds | PX ms | EXAT unix-s | PXAT unix-ms |
/// KEEPTTL]`: sets a key, if the condition holds. With `GET` it replies with the old string.
pub fn set(cx: &mut Cx<'_>) -> Outcome {
    let (mut options, mut when) = (SetOptions::default(), When::default());
    let mut at = 3;
    while at < cx.args.len() {
        if is(cx.arg(at), "GET") {
            options.get = true;
        } else if let Some(last) = options.condition.option(cx, at) {
            at = last;
        } else {
            at = when.option(cx, at, "KEEPTTL")?;
        }
        at += 1;
    }
    options.expiry = match when {
        When::Unsaid => Expiry::Never,
        When::Word => Expiry::Keep,
        When::At { unit, index } => unit.expiry(cx, index)?,
    };
    store_value(cx, 2, options)
}

/// On which condition a command sets a key.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Condition {
    /// On none.
    #[default]
    Always,
    /// `NX`: the key does not exist.
    New,
    /// `XX`: the key exists.
    Existing,
    /// `IFEQ`: the key's string equals the argument at this index.
    Equal(usize),
    /// `IFNE`: the key does not exist, or its string differs from the argument at this index.
    Unequal(usize),
}

impl Condition {
    /// Reads the option at position `at`, if it is a condition and does not contradict one that was read
    /// before. Returns the position of the option's last word.
    fn option(&mut self, cx: &Cx<'_>, at: usize) -> Option<usize> {
        let (condition, last) = match cx.arg(at) {
            word if is(word, "NX") => (Condition::New, at),
            word if is(word, "XX") => (Condition::Existing, at),
            word if is(word, "IFEQ") => (Condition::Equal(at + 1), at + 1),
            word if is(word, "IFNE") => (Condition::Unequal(at + 1), at + 1),
            _ => return None,
        };
        if last >= cx.args.len() || *self != Condition::Always && *self != condition {
            return None;
        }
        *self = condition;
        Some(last)
    }

    /// True if it holds for `key`.
    fn holds(self, cx: &mut Cx<'_>, key: &[u8]) -> Result<bool, Failure> {
        let now_ms = cx.world.now.unix_ms;
        let store = &mut cx.world.store;
        Ok(match self {
            Condition::Always => true,
            Condition::New => !store.contains(key, now_ms),
            Condition::Existing => store.contains(key, now_ms),
            Condition::Equal(index) => store.get(key, now_ms)? == cx.args.get(index),
            Condition::Unequal(index) => store.get(key, now_ms)? != cx.args.get(index),
        })
    }
}

/// How a command sets a key.
struct SetOptions {
    /// On which condition.
    condition: Condition,
    /// `GET`: reply with the old string.
    get: bool,
    /// When the new value expires.
    expiry: Expiry,
}

impl Default for SetOptions {
    fn default() -> SetOptions {
        SetOptions { condition: Condition::Always, get: false, expiry: Expiry::Never }
    }
}

/// Sets a key as the options say. The value is the argument at `value_at`.
fn store_value(cx: &mut Cx<'_>, value_at: usize, options: SetOptions) -> Outcome {
    let (key, value) = (cx.arg(1), cx.arg(value_at));
    // A plain `SET` does not need to know whether the key exists. If it overwrites a value that has
    // expired, that value counts as an expired key only while somebody wants to hear of events.
    if options.expiry == Expiry::Keep {
        cx.world.store.contains(key, cx.world.now.unix_ms);
    }
    let refused = !options.condition.holds(cx, key)?;
    if matches!(options.expiry, Expiry::At(_)) {
        cx.world.store.prepare_expiry(key)?;
    }
    if options.get {
        // The old value must be in the reply before the new one overwrites it. It may share its memory with the reply from now
        // on, so it comes before what prepares the write.
        cx.reply_value(key)?;
        cx.whole_reply()?;
    }
    let entry = if refused { None } else { Some(cx.prepare(key, value)?) };
    cx.reply.assure();
    if let Some(entry) = entry {
        cx.world.store.commit(entry, options.expiry);
        cx.world.store.tell(SET, key);
        if matches!(options.expiry, Expiry::At(_)) {
            cx.world.store.tell(EXPIRE, key);
        }
    }
    match (options.get, refused) {
        (true, _) => {}
        (false, true) => cx.reply.null(),
        (false, false) => cx.reply.ok(),
    }
    Ok(())
}

/// `SETNX key value`: sets a key only if it does not exist. The reply is 1 if the key was set, else 0.
pub fn setnx(cx: &mut Cx<'_>) -> Outcome {
    let (key, value) = (cx.arg(1), cx.arg(2));
    if cx.world.store.contains(key, cx.world.now.unix_ms) {
        cx.reply.int(0);
        return Ok(());
    }
    let entry = cx.prepare(key, value)?;
    cx.reply.assure();
    cx.world.store.commit(entry, Expiry::Never);
    cx.world.store.tell(SET, key);
    cx.reply.int(1);
    Ok(())
}

/// `SETEX key seconds value`: sets a key that expires after this number of seconds.
pub fn setex(cx: &mut Cx<'_>) -> Outcome {
    let expiry = Unit::Seconds.expiry(cx, 2)?;
    store_value(cx, 3, SetOptions { expiry, ..SetOptions::default() })
}

/// `PSETEX key milliseconds value`: sets a key that expires after this number of milliseconds.
pub fn psetex(cx: &mut Cx<'_>) -> Outcome {
    let expiry = Unit::Milliseconds.expiry(cx, 2)?;
    store_value(cx, 3, SetOptions { expiry, ..SetOptions::default() })
}

/// `GETSET key value`: sets a key, and replies with the old string or null.
pub fn getset(cx: &mut Cx<'_>) -> Outcome {
    store_value(cx, 2, SetOptions { get: true, ..SetOptions::default() })
}

/// `GETDEL key`: replies with the string of a key, and removes the key.
pub fn getdel(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    cx.reply_value(key)?;
    cx.whole_reply()?;
    cx.reply.assure();
    if cx.world.store.remove(key, cx.world.now.unix_ms) {
        cx.world.store.tell(DEL, key);
    }
    Ok(())
}

/// `GETEX key [EX seconds | PX ms | EXAT unix-s | PXAT unix-ms | PERSIST]`: replies with the string of a
/// key, and changes when the key expires.
pub fn getex(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let mut when = When::default();
    let mut at = 2;
    while at < cx.args.len() {
        at = when.option(cx, at, "PERSIST")? + 1;
    }
    // Redis looks up the key before it checks the time. So a wrong time is no error if there is no key, and the error of a key
    // of another kind comes first.
    let exists = cx.world.store.get(key, cx.world.now.unix_ms)?.is_some();
    let expires = cx.world.store.expiry(key, cx.world.now.unix_ms).flatten().is_some();
    let expires_ms = match when {
        When::At { unit, index } if exists => match unit.expiry(cx, index)? {
            Expiry::At(ms) => Some(ms),
            Expiry::Never | Expiry::Keep => None,
        },
        _ => None,
    };
    if expires_ms.is_some() {
        cx.world.store.prepare_expiry(key)?;
    }
    cx.reply_value(key)?;
    cx.whole_reply()?;
    cx.reply.assure();
    let store = &mut cx.world.store;
    match (when, expires_ms) {
        (When::At { .. }, Some(ms)) if ms <= cx.world.now.unix_ms => {
            store.remove(key, ms);
            store.tell(DEL, key);
        }
        (When::At { .. }, Some(_)) => {
            store.expire(key, expires_ms);
            store.tell(EXPIRE, key);
        }
        (When::Word, _) if expires => {
            store.expire(key, None);
            store.tell(PERSIST, key);
        }
        _ => {}
    }
    Ok(())
}

/// `MGET key [key ...]`: the strings of the keys, with null for a key that has none.
pub fn mget(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.array(cx.args.len() - 1);
    for (nth, key) in cx.args.from(1).enumerate() {
        cx.read_ahead(nth, 1);
        // As in Redis, a value that is no string is null for `MGET`, and no error.
        if cx.reply_value(key).is_err() {
            cx.reply.null();
        }
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `MSET key value [key value ...]`: sets all of the keys or none.
pub fn mset(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len().is_multiple_of(2) {
        return Err(Failure::text("ERR wrong number of arguments for 'mset' command"));
    }
    set_pairs(cx)?;
    cx.reply.ok();
    Ok(())
}

/// `MSETNX key value [key value ...]`: sets all keys, or none if one of them exists. The reply is 1 or 0.
pub fn msetnx(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len().is_multiple_of(2) {
        return Err(Failure::text("ERR wrong number of arguments for 'msetnx' command"));
    }
    for (nth, key) in cx.args.from(1).step_by(2).enumerate() {
        cx.read_ahead(nth, 2);
        if cx.world.store.contains(key, cx.world.now.unix_ms) {
            cx.reply.int(0);
            return Ok(());
        }
    }
    set_pairs(cx)?;
    cx.reply.int(1);
    Ok(())
}

/// Sets the keys of `MSET` and its like; the reply is still owed.
fn set_pairs(cx: &mut Cx<'_>) -> Outcome {
    let pairs = cx.args.from(1).step_by(2).zip(cx.args.from(2).step_by(2));
    cx.args.from(1).step_by(2).for_each(|key| cx.notice_expired(key));
    let entries = cx.world.store.prepare_all(pairs)?;
    cx.reply.assure();
    for (nth, (entry, key)) in entries.into_iter().zip(cx.args.from(1).step_by(2)).enumerate() {
        cx.read_ahead(nth, 2);
        cx.world.store.commit(entry, Expiry::Never);
        cx.world.store.tell(SET, key);
    }
    Ok(())
}

/// `DELIFEQ key value`: removes a key if its string equals `value`. The reply is 1 or 0.
pub fn delifeq(cx: &mut Cx<'_>) -> Outcome {
    let (key, value, now_ms) = (cx.arg(1), cx.arg(2), cx.world.now.unix_ms);
    let equal = cx.world.store.get(key, now_ms)? == Some(value);
    cx.reply.assure();
    let removed = equal && cx.world.store.remove(key, now_ms);
    if removed {
        cx.world.store.tell(DEL, key);
    }
    cx.reply.int(i64::from(removed));
    Ok(())
}

/// `APPEND key value`: appends to the string of a key. The reply is the new length in bytes.
pub fn append(cx: &mut Cx<'_>) -> Outcome {
    let (key, tail) = (cx.arg(1), cx.arg(2));
    // The limit on the values that clients send must hold for values that grow here too: a client with the
    // same limit could not read a longer one.
    let len = cx.world.store.get(key, cx.world.now.unix_ms)?.map_or(0, <[u8]>::len) + tail.len();
    check_len(cx, len)?;
    let entry = cx.world.store.prepare_append(key, tail)?;
    cx.reply.assure();
    cx.world.store.commit(entry, Expiry::Keep);
    cx.world.store.tell(APPEND, key);
    cx.reply.int(len as i64);
    Ok(())
}

/// `STRLEN key`: the length in bytes of the string of a key; 0 if there is none.
pub fn strlen(cx: &mut Cx<'_>) -> Outcome {
    let len = cx.world.lookup(cx.arg(1))?.map_or(0, <[u8]>::len);
    cx.reply.int(len as i64);
    Ok(())
}
