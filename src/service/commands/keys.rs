//! The commands about keys of any kind.

use super::strings::{Unit, invalid_expire};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{COPY_TO, DEL, EXPIRE, MOVE_FROM, MOVE_TO, PERSIST, RENAME_FROM, RENAME_TO};
use crate::store::Kind;

/// The error for a key that should be copied or moved to where it is.
const SAME_OBJECT: Failure = Failure::text("ERR source and destination objects are the same");

/// `DEL key [key ...]` and `UNLINK key [key ...]`: removes the keys. The reply is the number of keys that
/// existed.
pub fn del(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.assure();
    let mut removed = 0;
    for (nth, key) in cx.args.from(1).enumerate() {
        cx.read_ahead(nth, 1);
        if cx.world.store.remove(key, cx.world.now.unix_ms) {
            cx.world.store.tell(DEL, key);
            removed += 1;
        }
    }
    cx.reply.int(removed);
    Ok(())
}

/// `RENAME key newkey`: gives what a key holds, and its time of expiry, to another key. What that held is gone.
pub fn rename(cx: &mut Cx<'_>) -> Outcome {
    give(cx)?;
    cx.reply.ok();
    Ok(())
}

/// `RENAMENX key newkey`: as `RENAME`, unless the other key exists. The reply is 1 or 0.
pub fn renamenx(cx: &mut Cx<'_>) -> Outcome {
    let now_ms = cx.world.now.unix_ms;
    if cx.world.store.contains(cx.arg(1), now_ms) && cx.world.store.contains(cx.arg(2), now_ms) {
        cx.reply.int(0);
        return Ok(());
    }
    give(cx)?;
    cx.reply.int(1);
    Ok(())
}

/// Renames a key; the reply is still owed.
fn give(cx: &mut Cx<'_>) -> Outcome {
    let (from, to, now_ms) = (cx.arg(1), cx.arg(2), cx.world.now.unix_ms);
    let db = cx.world.store.selected();
    let rename = cx.world.store.prepare_rename(from, to, db, now_ms)?;
    let rename = rename.ok_or(Failure::text("ERR no such key"))?;
    cx.reply.assure();
    if from != to {
        cx.world.store.commit_rename(rename);
        cx.world.store.tell(RENAME_FROM, from);
        cx.world.store.tell(RENAME_TO, to);
    }
    Ok(())
}

/// `COPY source destination [DB index] [REPLACE]`: gives a copy of what a key holds, and of its time of expiry, to
/// another key. The reply is 1, or 0 if there is nothing to copy or, without `REPLACE`, if the other key exists.
pub fn copy(cx: &mut Cx<'_>) -> Outcome {
    let (mut replace, mut db, mut at) = (false, cx.world.store.selected(), 3);
    while at < cx.args.len() {
        match cx.arg(at) {
            word if is(word, "REPLACE") => replace = true,
            word if is(word, "DB") && at + 1 < cx.args.len() => {
                at += 1;
                db = cx.database(at)?;
            }
            _ => return Err(SYNTAX),
        }
        at += 1;
    }
    let (from, to, now_ms) = (cx.arg(1), cx.arg(2), cx.world.now.unix_ms);
    if from == to && db == cx.world.store.selected() {
        return Err(SAME_OBJECT);
    }
    let free = replace || !cx.world.store.contains_in(db, to, now_ms);
    let exists = cx.world.store.contains(from, now_ms);
    cx.world.count_lookup(exists, from);
    let copied = exists && free;
    let copied = if copied { cx.world.store.prepare_copy(from, to, db, now_ms)? } else { None };
    cx.reply.assure();
    cx.reply.int(i64::from(copied.is_some()));
    if let Some(copied) = copied {
        cx.world.store.commit_copy(copied);
        cx.world.store.tell_in(db, COPY_TO, to);
    }
    Ok(())
}

/// `MOVE key db`: moves a key to another database. The reply is 1, or 0 if there is no such key or the other database
/// has one.
pub fn move_key(cx: &mut Cx<'_>) -> Outcome {
    let (key, db, now_ms) = (cx.arg(1), cx.database(2)?, cx.world.now.unix_ms);
    if db == cx.world.store.selected() {
        return Err(SAME_OBJECT);
    }
    let is_free = !cx.world.store.contains_in(db, key, now_ms);
    let moved = if is_free { cx.world.store.prepare_rename(key, key, db, now_ms)? } else { None };
    cx.reply.assure();
    cx.reply.int(i64::from(moved.is_some()));
    if let Some(moved) = moved {
        cx.world.store.commit_rename(moved);
        cx.world.store.tell(MOVE_FROM, key);
        cx.world.store.tell_in(db, MOVE_TO, key);
    }
    Ok(())
}

/// `EXISTS key [key ...]` and `TOUCH key [key ...]`: how many of the keys exist. A key that is named twice counts twice.
pub fn exists(cx: &mut Cx<'_>) -> Outcome {
    let mut count = 0;
    for (nth, key) in cx.args.from(1).enumerate() {
        cx.read_ahead(nth, 1);
        let exists = cx.world.store.contains(key, cx.world.now.unix_ms);
        cx.world.count_lookup(exists, key);
        count += i64::from(exists);
    }
    cx.reply.int(count);
    Ok(())
}

/// `TYPE key`: the kind of value that a key holds, or `none`.
pub fn type_of(cx: &mut Cx<'_>) -> Outcome {
    let kind = cx.world.store.kind(cx.arg(1), cx.world.now.unix_ms);
    cx.world.count_lookup(kind.is_some(), cx.arg(1));
    cx.reply.simple(kind.map_or("none", Kind::name));
    Ok(())
}

/// `EXPIRE key seconds [NX | XX | GT | LT]`: lets a key expire after this number of seconds.
pub fn expire(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::Seconds)
}

/// `PEXPIRE key milliseconds [NX | XX | GT | LT]`: lets a key expire after this number of milliseconds.
pub fn pexpire(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::Milliseconds)
}

/// `EXPIREAT key unix-seconds [NX | XX | GT | LT]`: lets a key expire at this Unix time.
pub fn expireat(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::UnixSeconds)
}

/// `PEXPIREAT key unix-milliseconds [NX | XX | GT | LT]`: lets a key expire at this Unix time.
pub fn pexpireat(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::UnixMilliseconds)
}

/// When a command may change the expiry of a key.
#[derive(Default)]
struct Conditions {
    /// `NX`: only if the key has no time of expiry.
    only_without: bool,
    /// `XX`: only if the key has a time of expiry.
    only_with: bool,
    /// `GT`: only if the new time is later.
    only_later: bool,
    /// `LT`: only if the new time is earlier.
    only_sooner: bool,
}

impl Conditions {
    /// Reads the conditions from the request.
    fn of(cx: &Cx<'_>) -> Result<Conditions, Failure> {
        let mut when = Conditions::default();
        for word in cx.args.from(3) {
            let flag = match word {
                _ if is(word, "NX") => &mut when.only_without,
                _ if is(word, "XX") => &mut when.only_with,
                _ if is(word, "GT") => &mut when.only_later,
                _ if is(word, "LT") => &mut when.only_sooner,
                _ => return Err(Failure::quoting("ERR Unsupported option ", word, "")),
            };
            *flag = true;
        }
        if when.only_without && (when.only_with || when.only_later || when.only_sooner) {
            let text = "ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(Failure::text(text));
        }
        if when.only_later && when.only_sooner {
            return Err(Failure::text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(when)
    }

    /// True if the expiry may change from `before` to `after`, both in Unix milliseconds. A key without
    /// expiry counts as one that expires infinitely late.
    fn hold(&self, before: Option<u64>, after: i64) -> bool {
        let before = before.map(|ms| ms as i64);
        !(self.only_without && before.is_some()
            || self.only_with && before.is_none()
            || self.only_later && before.is_none_or(|before| after <= before)
            || self.only_sooner && before.is_some_and(|before| after >= before))
    }
}

/// Lets a key expire. The reply is 1, or 0 if there is no key or a condition forbids it.
fn expire_in(cx: &mut Cx<'_>, unit: Unit) -> Outcome {
    let key = cx.arg(1);
    // Redis checks the options first. If the number is wrong as well, it reports the mistake in the
    // options.
    let when = Conditions::of(cx)?;
    let number = cx.int(2)?;
    let at = unit.unix_ms(number, cx.exact_unix_ms()).ok_or_else(|| invalid_expire(cx))?;
    let Some(before) = cx.world.store.expiry(key, cx.world.now.unix_ms) else {
        cx.reply.int(0);
        return Ok(());
    };
    if !when.hold(before, at) {
        cx.reply.int(0);
        return Ok(());
    }
    cx.world.store.prepare_expiry(key)?;
    cx.reply.assure();
    match u64::try_from(at) {
        Ok(ms) if ms > cx.world.now.unix_ms => {
            cx.world.store.expire(key, Some(ms));
            cx.world.store.tell(EXPIRE, key);
        }
        // A time that has already passed removes the key at once.
        _ => {
            cx.world.store.remove(key, cx.world.now.unix_ms);
            cx.world.store.tell(DEL, key);
        }
    }
    cx.reply.int(1);
    Ok(())
}

/// `PERSIST key`: removes the time of expiry of a key. The reply is 1 if it had one, else 0.
pub fn persist(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let had_expiry = cx.world.store.expiry(key, cx.world.now.unix_ms).flatten().is_some();
    cx.reply.assure();
    if had_expiry {
        cx.world.store.expire(key, None);
        cx.world.store.tell(PERSIST, key);
    }
    cx.reply.int(i64::from(had_expiry));
    Ok(())
}

/// `EXPIRETIME key`: at which Unix time in seconds a key expires; -1 if it never does, -2 if there is no key.
pub fn expiretime(cx: &mut Cx<'_>) -> Outcome {
    about_expiry(cx, |at_ms, _| (at_ms + 500) / 1_000)
}

/// `PEXPIRETIME key`: at which Unix time in milliseconds a key expires; -1 if it never does, -2 if there is no
/// key.
pub fn pexpiretime(cx: &mut Cx<'_>) -> Outcome {
    about_expiry(cx, |at_ms, _| at_ms)
}

/// `TTL key`: in how many seconds a key expires; -1 if it never does, -2 if there is no key.
pub fn ttl(cx: &mut Cx<'_>) -> Outcome {
    // Redis rounds to the nearest second.
    about_expiry(cx, |at_ms, now_ms| (at_ms.saturating_sub(now_ms) + 500) / 1_000)
}

/// `PTTL key`: in how many milliseconds a key expires; -1 if it never does, -2 if there is no key.
pub fn pttl(cx: &mut Cx<'_>) -> Outcome {
    about_expiry(cx, u64::saturating_sub)
}

/// Replies with what `tell` says of the time at which a key expires and of the present, both in Unix
/// milliseconds.
fn about_expiry(cx: &mut Cx<'_>, tell: fn(u64, u64) -> u64) -> Outcome {
    let found = cx.world.store.expiry(cx.arg(1), cx.world.now.unix_ms);
    cx.world.count_lookup(found.is_some(), cx.arg(1));
    let answer = match found {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => tell(at, cx.world.now.unix_ms) as i64,
    };
    cx.reply.int(answer);
    Ok(())
}
