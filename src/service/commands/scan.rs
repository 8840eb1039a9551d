//! The commands that go through the keyspace: their requests do not name keys.

use crate::base::memory;
use crate::config::{SCAN_COUNT_MAX, SCAN_STEPS_MAX, SCAN_STEPS_PER_KEY};
use crate::resp::{Reply, format_f64};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::glob::{Case, Pattern};
use crate::store::Kind;

/// The `COUNT` of a request that has none, as in Redis.
const COUNT_DEFAULT: usize = 10;

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`: the next keys of a scan, and the cursor for the
/// next call. A call ends early if the keys or the pattern are long, so that the server can serve other
/// clients before the next call.
pub fn scan(cx: &mut Cx<'_>) -> Outcome {
    let cursor = cursor(cx.arg(1)).ok_or(Failure::text("ERR invalid cursor"))?;
    let filter = Filter::of(cx, 2, true)?;
    let (mut found, mut steps) = (Vec::new(), 0);
    let next = cx.world.store.scan(cursor, filter.count, filter.kind, cx.world.now.unix_ms, |key| {
        if filter.accepts(key) {
            found.push(key);
        }
        steps += filter.steps(key);
        steps < SCAN_STEPS_MAX
    });
    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply_keys(&mut cx.reply, &found);
    Ok(())
}

/// Which names a scan returns: keys, or the fields of a hash.
pub(super) struct Filter {
    /// `MATCH`: names that match this pattern; `None` for all names.
    pattern: Option<Pattern>,
    /// `COUNT`: about how many names one call looks at.
    pub(super) count: usize,
    /// `TYPE`: keys of this kind; `None` for all keys.
    kind: Option<Kind>,
    /// False if the request names a type that no key can have: then the scan returns nothing.
    any: bool,
}

impl Filter {
    /// Reads the options from the argument at `at` on. `typed` says whether `TYPE` is allowed.
    pub(super) fn of(cx: &Cx<'_>, mut at: usize, typed: bool) -> Result<Filter, Failure> {
        let mut filter = Filter { pattern: None, count: COUNT_DEFAULT, kind: None, any: true };
        while at < cx.args.len() {
            let word = cx.arg(at);
            let value = at + 1;
            if value == cx.args.len() {
                return Err(SYNTAX);
            }
            match word {
                _ if is(word, "COUNT") => {
                    let count = usize::try_from(cx.int(value)?).ok().filter(|count| *count > 0);
                    filter.count = count.ok_or(SYNTAX)?.min(SCAN_COUNT_MAX);
                }
                _ if is(word, "MATCH") => filter.pattern = Some(Pattern::new(cx.arg(value), Case::Kept)?),
                _ if is(word, "TYPE") && typed => {
                    filter.kind = kind_named(cx.arg(value));
                    filter.any = filter.kind.is_some();
                }
                _ => return Err(SYNTAX),
            }
            at += 2;
        }
        Ok(filter)
    }

    /// True if the scan returns this name.
    pub(super) fn accepts(&self, key: &[u8]) -> bool {
        self.any && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(key))
    }

    /// The cost of looking at `key`, matching it and copying it, in steps of about a nanosecond.
    pub(super) fn steps(&self, key: &[u8]) -> usize {
        let matching = self.pattern.as_ref().map_or(0, |pattern| pattern.steps(key.len()));
        // Copying moves at least eight bytes in a step.
        SCAN_STEPS_PER_KEY + key.len() / 8 + matching
    }
}

/// The scan of a hash: the reply has its fields and their values. Like [`scan`], a call ends early if the fields or the
/// pattern are long.
pub(super) fn scan_fields(cx: &mut Cx<'_>) -> Outcome {
    let cursor = cursor(cx.arg(2)).ok_or(Failure::text("ERR invalid cursor"))?;
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    if cx.world.lookup_map(key)?.is_none() {
        reply_nothing(&mut cx.reply);
        return Ok(());
    }
    let filter = Filter::of(cx, 3, false)?;
    let (mut found, mut steps) = (Vec::new(), 0);
    let next = cx.world.store.map_scan(key, cursor, filter.count, now_ms, |(field, value)| {
        if filter.accepts(field) {
            found.push((field, value));
        }
        steps += filter.steps(field);
        steps < SCAN_STEPS_MAX
    })?;
    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    cx.reply.array(found.len() * 2);
    for (field, value) in found {
        cx.reply.bulk(field);
        cx.reply.bulk(value);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// Replies that a scan has ended without having found anything. Redis too looks up the key before it looks at the options.
fn reply_nothing(reply: &mut Reply<'_>) {
    reply.array(2);
    reply.bulk(b"0");
    reply.array(0);
}

/// The scan of a set: the reply has its members.
pub(super) fn scan_members(cx: &mut Cx<'_>) -> Outcome {
    let cursor = cursor(cx.arg(2)).ok_or(Failure::text("ERR invalid cursor"))?;
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    if cx.world.lookup_set(key)?.is_none() {
        reply_nothing(&mut cx.reply);
        return Ok(());
    }
    let filter = Filter::of(cx, 3, false)?;
    let (mut found, mut steps) = (Vec::new(), 0);
    let next = cx.world.store.set_scan(key, cursor, filter.count, now_ms, |member| {
        if filter.accepts(&member) {
            found.push(member);
        }
        steps += filter.steps(&member);
        steps < SCAN_STEPS_MAX
    })?;
    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    cx.reply.array(found.len());
    for member in found {
        cx.reply.bulk(&member);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// The scan of a sorted set: the reply has its members and their scores.
pub(super) fn scan_scored(cx: &mut Cx<'_>) -> Outcome {
    let cursor = cursor(cx.arg(2)).ok_or(Failure::text("ERR invalid cursor"))?;
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    if super::zsets::lookup(cx.world, key)?.is_none() {
        reply_nothing(&mut cx.reply);
        return Ok(());
    }
    let filter = Filter::of(cx, 3, false)?;
    let (mut found, mut steps) = (Vec::new(), 0);
    let next = cx.world.store.zset_scan(key, cursor, filter.count, now_ms, |(member, score)| {
        if filter.accepts(member) {
            found.push((member, score));
        }
        steps += filter.steps(member);
        steps < SCAN_STEPS_MAX
    })?;
    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    cx.reply.array(found.len() * 2);
    for (member, score) in found {
        cx.reply.bulk(member);
        // Redis too writes the score as a bulk string here, whatever the protocol version is.
        cx.reply.bulk(format_f64(score).as_bytes());
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// The kind of value that `TYPE` names.
fn kind_named(word: &[u8]) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| is(word, kind.name()))
}

/// Reads a cursor as C's `strtoul` does, because Redis 7.0 uses that: the number may have a sign, and
/// clients have sent both signs.
pub(super) fn cursor(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return Some(0);
    }
    let (negative, digits) = match word {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, word),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative { number.wrapping_neg() } else { number })
}

/// `KEYS pattern`: all keys that match. They are sorted, because their order in the table depends on the
/// seed of the hash, and no client may see that.
pub fn keys(cx: &mut Cx<'_>) -> Outcome {
    let pattern = Pattern::new(cx.arg(1), Case::Kept)?;
    let mut found: Vec<&[u8]> =
        memory::collect(cx.world.store.keys(cx.world.now.unix_ms).filter(|key| pattern.matches(key)))?;
    found.sort_unstable();
    reply_keys(&mut cx.reply, &found);
    Ok(())
}

/// Replies with these keys.
fn reply_keys(reply: &mut Reply<'_>, keys: &[&[u8]]) {
    reply.array(keys.len());
    for key in keys {
        reply.bulk(key);
        if reply.overflowed() {
            break;
        }
    }
}

/// `RANDOMKEY`: a random key, or null.
pub fn random_key(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.bulk_or_null(cx.world.store.random_key(cx.world.now.unix_ms));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::cursor;

    #[test]
    fn cursors_are_read_as_redis_reads_them() {
        for (word, expected) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("007", Some(7)),
            ("+7", Some(7)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-", None),
            ("+", None),
            ("--1", None),
            (" 1", None),
            ("1 ", None),
            ("0x1", None),
        ] {
            assert_eq!(cursor(word.as_bytes()), expected, "{word:?}");
        }
    }
}
