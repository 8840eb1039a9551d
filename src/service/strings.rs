//! The string commands.

use super::cx::{Cx, Failure, NOT_INTEGER, Outcome, SYNTAX, is};
use crate::resp::parse_i64;
use crate::store::Expiry;

/// `GET key`
pub fn get(cx: &mut Cx<'_>) -> Outcome {
    cx.reply_value(cx.arg(1));
    Ok(())
}

/// `SET key value [NX | XX] [GET] [EX seconds | PX ms | EXAT unix-s | PXAT unix-ms | KEEPTTL]`
pub fn set(cx: &mut Cx<'_>) -> Outcome {
    let mut options = SetOptions::default();
    let mut at = 3;
    while at < cx.args.len() {
        let word = cx.arg(at);
        let free = options.expiry.is_none();
        if is(word, "NX") && !options.only_existing {
            options.only_new = true;
        } else if is(word, "XX") && !options.only_new {
            options.only_existing = true;
        } else if is(word, "GET") {
            options.get = true;
        } else if is(word, "KEEPTTL") && free {
            options.expiry = Some(Expiry::Keep);
        } else if let Some(unit) = Unit::named(word)
            && free
            && at + 1 < cx.args.len()
        {
            options.expiry = Some(unit.expiry(cx, at + 1)?);
            at += 1;
        } else {
            return Err(SYNTAX);
        }
        at += 1;
    }
    store_value(cx, 2, options)
}

#[derive(Default)]
struct SetOptions {
    only_new: bool,
    only_existing: bool,
    get: bool,
    expiry: Option<Expiry>,
}

fn store_value(cx: &mut Cx<'_>, value_at: usize, options: SetOptions) -> Outcome {
    let (key, value) = (cx.arg(1), cx.arg(value_at));
    let exists = cx.store.contains(key, cx.now.unix_ms);
    let refused = options.only_new && exists || options.only_existing && !exists;
    let entry = if refused { None } else { Some(cx.prepare(key, value)?) };
    if options.get {
        cx.reply_value(key);
    } else if refused {
        cx.reply.null();
    } else {
        cx.reply.ok();
    }
    if let Some(entry) = entry {
        cx.store.commit(entry, options.expiry.unwrap_or(Expiry::Never));
    }
    Ok(())
}

/// `SETNX key value`
pub fn setnx(cx: &mut Cx<'_>) -> Outcome {
    let (key, value) = (cx.arg(1), cx.arg(2));
    if cx.store.contains(key, cx.now.unix_ms) {
        cx.reply.int(0);
        return Ok(());
    }
    let entry = cx.prepare(key, value)?;
    cx.reply.int(1);
    cx.store.commit(entry, Expiry::Never);
    Ok(())
}

/// `SETEX key seconds value`
pub fn setex(cx: &mut Cx<'_>) -> Outcome {
    let expiry = Unit::Seconds.expiry(cx, 2)?;
    store_value(cx, 3, SetOptions { expiry: Some(expiry), ..SetOptions::default() })
}

/// `PSETEX key milliseconds value`
pub fn psetex(cx: &mut Cx<'_>) -> Outcome {
    let expiry = Unit::Milliseconds.expiry(cx, 2)?;
    store_value(cx, 3, SetOptions { expiry: Some(expiry), ..SetOptions::default() })
}

/// `GETSET key value`
pub fn getset(cx: &mut Cx<'_>) -> Outcome {
    store_value(cx, 2, SetOptions { get: true, ..SetOptions::default() })
}

/// `GETDEL key`
pub fn getdel(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    cx.reply_value(key);
    if !cx.reply.overflowed() {
        cx.store.remove(key);
    }
    Ok(())
}

/// `GETEX key [EX seconds | PX ms | EXAT unix-s | PXAT unix-ms | PERSIST]`
pub fn getex(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let unit = match cx.args.len() {
        2 => None,
        3 if is(cx.arg(2), "PERSIST") => None,
        4 => Some(Unit::named(cx.arg(2)).ok_or(SYNTAX)?),
        _ => return Err(SYNTAX),
    };
    // Redis looks the key up before it judges the time.
    let expires_ms = match unit {
        Some(unit) if cx.store.contains(key, cx.now.unix_ms) => match unit.expiry(cx, 3)? {
            Expiry::At(ms) => Some(ms),
            Expiry::Never | Expiry::Keep => None,
        },
        _ => None,
    };
    cx.reply_value(key);
    if cx.args.len() > 2 {
        cx.store.expire(key, expires_ms);
    }
    Ok(())
}

/// `MGET key [key ...]`
pub fn mget(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.array(cx.args.len() - 1);
    for key in cx.args.from(1) {
        cx.reply_value(key);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `MSET key value [key value ...]`
pub fn mset(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len().is_multiple_of(2) {
        return Err(Failure::text("ERR wrong number of arguments for 'mset' command"));
    }
    let pairs = cx.args.len() / 2;
    let mut entries = Vec::new();
    for pair in 0..pairs {
        entries.push(cx.store.prepare(cx.arg(1 + 2 * pair), cx.arg(2 + 2 * pair), pairs)?);
    }
    cx.reply.ok();
    for entry in entries {
        cx.store.commit(entry, Expiry::Never);
    }
    Ok(())
}

/// `APPEND key value`
pub fn append(cx: &mut Cx<'_>) -> Outcome {
    let (key, tail) = (cx.arg(1), cx.arg(2));
    // A value of a length that could not have been sent could not be read back either.
    let len = cx.store.get(key, cx.now.unix_ms).map_or(0, <[u8]>::len) + tail.len();
    if len > cx.config.proto_max_bulk_len {
        return Err(Failure::text("ERR string exceeds maximum allowed size (proto-max-bulk-len)"));
    }
    if cx.store.prepare_append(key, tail.len())? {
        cx.reply.int(len as i64);
        cx.store.append(key, tail);
    } else {
        let entry = cx.prepare(key, tail)?;
        cx.reply.int(len as i64);
        cx.store.commit(entry, Expiry::Never);
    }
    Ok(())
}

/// `STRLEN key`
pub fn strlen(cx: &mut Cx<'_>) -> Outcome {
    let len = cx.lookup(cx.arg(1)).map_or(0, <[u8]>::len);
    cx.reply.int(len as i64);
    Ok(())
}

/// `INCR key`
pub fn incr(cx: &mut Cx<'_>) -> Outcome {
    add(cx, 1)
}

/// `DECR key`
pub fn decr(cx: &mut Cx<'_>) -> Outcome {
    add(cx, -1)
}

/// `INCRBY key increment`
pub fn incrby(cx: &mut Cx<'_>) -> Outcome {
    let by = cx.int(2)?;
    add(cx, by)
}

/// `DECRBY key decrement`
pub fn decrby(cx: &mut Cx<'_>) -> Outcome {
    let by = cx.int(2)?.checked_neg().ok_or(Failure::text("ERR decrement would overflow"))?;
    add(cx, by)
}

fn add(cx: &mut Cx<'_>, by: i64) -> Outcome {
    let key = cx.arg(1);
    let before = match cx.store.get(key, cx.now.unix_ms) {
        Some(value) => parse_i64(value).ok_or(NOT_INTEGER)?,
        None => 0,
    };
    let after = before.checked_add(by).ok_or(Failure::text("ERR increment or decrement would overflow"))?;
    let entry = cx.prepare(key, itoa::Buffer::new().format(after).as_bytes())?;
    cx.reply.int(after);
    cx.store.commit(entry, Expiry::Keep);
    Ok(())
}

/// The units in which a time of expiry is given.
#[derive(Clone, Copy)]
pub enum Unit {
    /// `EX`: seconds from now.
    Seconds,
    /// `PX`: milliseconds from now.
    Milliseconds,
    /// `EXAT`: Unix seconds.
    UnixSeconds,
    /// `PXAT`: Unix milliseconds.
    UnixMilliseconds,
}

impl Unit {
    fn named(word: &[u8]) -> Option<Unit> {
        let units = [
            ("EX", Unit::Seconds),
            ("PX", Unit::Milliseconds),
            ("EXAT", Unit::UnixSeconds),
            ("PXAT", Unit::UnixMilliseconds),
        ];
        units.into_iter().find(|(name, _)| is(word, name)).map(|(_, unit)| unit)
    }

    /// The expiry that the argument at `index` means; it must lie ahead of the epoch.
    fn expiry(self, cx: &Cx<'_>, index: usize) -> Result<Expiry, Failure> {
        let number = cx.int(index)?;
        match self.unix_ms(number, cx.now.unix_ms) {
            Some(ms) if number > 0 => Ok(Expiry::At(ms as u64)),
            _ => Err(invalid_expire(cx)),
        }
    }

    /// `number` of this unit as Unix milliseconds; `None` on overflow.
    pub fn unix_ms(self, number: i64, now_ms: u64) -> Option<i64> {
        let (scale, base) = match self {
            Unit::Seconds => (1_000, now_ms as i64),
            Unit::Milliseconds => (1, now_ms as i64),
            Unit::UnixSeconds => (1_000, 0),
            Unit::UnixMilliseconds => (1, 0),
        };
        number.checked_mul(scale)?.checked_add(base)
    }
}

/// The time does not fit, in Redis's words.
pub fn invalid_expire(cx: &Cx<'_>) -> Failure {
    Failure::quoting(format!("ERR invalid expire time in '{}' command", cx.command.name))
}
