//! The commands about hashes. The store decides how it keeps a hash in memory.

use super::scan::scan_fields;
use crate::config::{RANDOM_PICKS_MAX, REPLY_HEADROOM_BYTES};
use crate::resp::{Proto, Reply, parse_i64};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{DEL, HDEL, HINCRBY, HINCRBYFLOAT, HSET};
use crate::service::long_double::LongDouble;
use crate::service::world::World;
use crate::store::{Event, Expiry, Map, Pair, WrongKind};

/// `HSET key field value [field value ...]`: sets fields. The reply is the number of new fields.
pub fn hset(cx: &mut Cx<'_>) -> Outcome {
    let added = set(cx)?;
    cx.reply.int(added as i64);
    Ok(())
}

/// `HMSET key field value [field value ...]`: sets fields. The reply is `OK`.
pub fn hmset(cx: &mut Cx<'_>) -> Outcome {
    set(cx)?;
    cx.reply.ok();
    Ok(())
}

/// Sets all fields of the request. Returns how many of them are new; the caller writes the reply.
fn set(cx: &mut Cx<'_>) -> Result<usize, Failure> {
    if !cx.args.len().is_multiple_of(2) {
        return Err(cx.wrong_number());
    }
    cx.args.from(2).step_by(2).try_for_each(|field| check_field(cx, field))?;
    let pairs = cx.args.from(2).step_by(2).zip(cx.args.from(3).step_by(2));
    let prepared = cx.world.store.prepare_map_set(cx.arg(1), pairs, Expiry::Never, cx.world.now.unix_ms)?;
    cx.reply.assure();
    let added = prepared.added();
    cx.world.store.commit_map_set(prepared);
    cx.world.store.tell(HSET, cx.arg(1));
    Ok(added)
}

/// Checks the length of a field. It is limited like a key, because a command hashes, compares and matches
/// the whole field within one turn.
pub(super) fn check_field(cx: &Cx<'_>, field: &[u8]) -> Outcome {
    let max = cx.world.config.max_key_bytes;
    if field.len() <= max {
        return Ok(());
    }
    Err(Failure::telling(format!("ERR field of {} bytes exceeds max-key-bytes ({max})", field.len())))
}

/// `HSETNX key field value`: sets a field only if it does not exist. The reply is 1 if the field was set,
/// else 0.
pub fn hsetnx(cx: &mut Cx<'_>) -> Outcome {
    let (key, field, value) = (cx.arg(1), cx.arg(2), cx.arg(3));
    let now_ms = cx.world.now.unix_ms;
    if cx.world.store.map(key, now_ms)?.is_some_and(|hash| hash.contains(field)) {
        cx.reply.int(0);
        return Ok(());
    }
    write_one(cx, field, value, Expiry::Never, HSET)?;
    cx.reply.int(1);
    Ok(())
}

/// Sets one field, which expires as `expiry` says, and tells of `event`. The caller writes the reply.
fn write_one(cx: &mut Cx<'_>, field: &[u8], value: &[u8], expiry: Expiry, event: Event) -> Outcome {
    check_field(cx, field)?;
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    let prepared = cx.world.store.prepare_map_set(key, std::iter::once((field, value)), expiry, now_ms)?;
    cx.reply.assure();
    cx.world.store.commit_map_set(prepared);
    cx.world.store.tell(event, key);
    Ok(())
}

/// The hash of `key`, if there is one. Counts a hit or a miss.
fn lookup<'w>(world: &'w mut World, key: &[u8]) -> Result<Option<Map<'w>>, WrongKind> {
    world.lookup_map(key)
}

/// `HGET key field`: the value of a field, or null.
pub fn hget(cx: &mut Cx<'_>) -> Outcome {
    let (key, field) = (cx.arg(1), cx.arg(2));
    let value = lookup(cx.world, key)?.and_then(|hash| hash.get(field));
    cx.reply.bulk_or_null(value);
    Ok(())
}

/// `HMGET key field [field ...]`: the values of the fields, with null for a missing field.
pub fn hmget(cx: &mut Cx<'_>) -> Outcome {
    let (key, fields) = (cx.arg(1), cx.args.from(2));
    let hash = lookup(cx.world, key)?;
    cx.reply.array(fields.len());
    for field in fields {
        cx.reply.bulk_or_null(hash.and_then(|hash| hash.get(field)));
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `HDEL key field [field ...]`: removes fields, and the key with its last field. The reply is the number
/// of fields that existed.
pub fn hdel(cx: &mut Cx<'_>) -> Outcome {
    let removal = cx.world.store.prepare_map_remove(cx.arg(1), cx.args.from(2), cx.world.now.unix_ms)?;
    cx.reply.assure();
    let removed = removal.removed();
    let gone = cx.world.store.commit_map_remove(removal);
    if removed > 0 {
        cx.world.store.tell(HDEL, cx.arg(1));
    }
    if gone {
        cx.world.store.tell(DEL, cx.arg(1));
    }
    cx.reply.int(removed as i64);
    Ok(())
}

/// `HEXISTS key field`: 1 if the hash has the field, else 0.
pub fn hexists(cx: &mut Cx<'_>) -> Outcome {
    let (key, field) = (cx.arg(1), cx.arg(2));
    let exists = lookup(cx.world, key)?.is_some_and(|hash| hash.contains(field));
    cx.reply.int(i64::from(exists));
    Ok(())
}

/// `HLEN key`: the number of fields.
pub fn hlen(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let len = lookup(cx.world, key)?.map_or(0, Map::len);
    cx.reply.int(len as i64);
    Ok(())
}

/// `HSTRLEN key field`: the length in bytes of the value of a field; 0 if there is none.
pub fn hstrlen(cx: &mut Cx<'_>) -> Outcome {
    let (key, field) = (cx.arg(1), cx.arg(2));
    let value = lookup(cx.world, key)?.and_then(|hash| hash.get(field));
    cx.reply.int(value.map_or(0, <[u8]>::len) as i64);
    Ok(())
}

/// `HKEYS key`: all fields.
pub fn hkeys(cx: &mut Cx<'_>) -> Outcome {
    list(cx, |(field, _)| field)
}

/// `HVALS key`: all values.
pub fn hvals(cx: &mut Cx<'_>) -> Outcome {
    list(cx, |(_, value)| value)
}

/// Replies with one part of each pair of a hash: the field or the value.
fn list(cx: &mut Cx<'_>, part: for<'p> fn(Pair<'p>) -> &'p [u8]) -> Outcome {
    let key = cx.arg(1);
    let hash = lookup(cx.world, key)?;
    cx.reply.array(hash.map_or(0, Map::len));
    for pair in hash.into_iter().flat_map(Map::iter) {
        cx.reply.bulk(part(pair));
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `HGETALL key`: all fields and their values.
pub fn hgetall(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let hash = lookup(cx.world, key)?;
    cx.reply.map(hash.map_or(0, Map::len));
    for (field, value) in hash.into_iter().flat_map(Map::iter) {
        cx.reply.bulk(field);
        cx.reply.bulk(value);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `HINCRBY key field increment`: adds to the integer in a field. A missing field counts as 0.
pub fn hincrby(cx: &mut Cx<'_>) -> Outcome {
    let (key, field, by) = (cx.arg(1), cx.arg(2), cx.int(3)?);
    let found = cx.world.store.map(key, cx.world.now.unix_ms)?.and_then(|hash| hash.get(field));
    let before = match found {
        Some(value) => parse_i64(value).ok_or(Failure::text("ERR hash value is not an integer"))?,
        None => 0,
    };
    let after = before.checked_add(by).ok_or(Failure::text("ERR increment or decrement would overflow"))?;
    write_one(cx, field, itoa::Buffer::new().format(after).as_bytes(), Expiry::Keep, HINCRBY)?;
    cx.reply.int(after);
    Ok(())
}

/// `HINCRBYFLOAT key field increment`: adds to the floating point number in a field. A missing field counts
/// as 0.
pub fn hincrbyfloat(cx: &mut Cx<'_>) -> Outcome {
    let (key, field) = (cx.arg(1), cx.arg(2));
    let by = LongDouble::parse(cx.arg(3)).ok_or(Failure::text("ERR value is not a valid float"))?;
    if !by.is_finite() {
        return Err(Failure::text("ERR value is NaN or Infinity"));
    }
    let found = cx.world.store.map(key, cx.world.now.unix_ms)?.and_then(|hash| hash.get(field));
    let before = LongDouble::parse(found.unwrap_or(b"0"));
    let before = before.ok_or(Failure::text("ERR hash value is not a float"))?;
    let after = before.plus(by).ok_or(Failure::text("ERR increment would produce NaN or Infinity"))?.text();
    // A number may have thousands of digits, and its frame comes on top of it.
    cx.reply.reserve(after.len() + REPLY_HEADROOM_BYTES)?;
    write_one(cx, field, after.as_bytes(), Expiry::Keep, HINCRBYFLOAT)?;
    cx.reply.bulk(after.as_bytes());
    Ok(())
}

/// `HRANDFIELD key [count [WITHVALUES]]`: a random field, or several. With a negative count, a field may be
/// picked more than once.
pub fn hrandfield(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    if cx.args.len() == 2 {
        let mut dice = cx.world.store.dice();
        let picked = lookup(cx.world, key)?.and_then(|hash| hash.pick(&mut dice));
        cx.reply.bulk_or_null(picked.map(|(field, _)| field));
        return Ok(());
    }
    let count = cx.int(2)?;
    if count == i64::MIN {
        let text =
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
        return Err(Failure::text(text));
    }
    let with_values = match cx.args.get(3) {
        None => false,
        Some(word) if cx.args.len() == 4 && is(word, "WITHVALUES") => true,
        Some(_) => return Err(SYNTAX),
    };
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Failure::text("ERR value is out of range"));
    }
    let mut dice = cx.world.store.dice();
    let Some(hash) = lookup(cx.world, key)? else {
        cx.reply.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count >= 0 {
        let chosen = hash.sample(wanted, &mut dice)?;
        reply_pairs(&mut cx.reply, chosen.len(), chosen.into_iter(), with_values);
        return Ok(());
    }
    // A negative count: a field may be picked more than once.
    if wanted > RANDOM_PICKS_MAX {
        return Err(Failure::telling(format!("ERR value is out of range, at most {RANDOM_PICKS_MAX} picks")));
    }
    let picks = hash.picks(wanted, &mut dice)?;
    reply_pairs(&mut cx.reply, picks.len(), picks.into_iter(), with_values);
    Ok(())
}

/// Replies with `count` fields, and with their values if `with_values` is true. In RESP3 a field and its
/// value are then an array of their own.
fn reply_pairs<'p>(
    reply: &mut Reply<'_>,
    count: usize,
    pairs: impl Iterator<Item = Pair<'p>>,
    with_values: bool,
) {
    let nested = with_values && reply.proto() == Proto::Resp3;
    reply.array(count.saturating_mul(if with_values && !nested { 2 } else { 1 }));
    for (field, value) in pairs {
        if nested {
            reply.array(2);
        }
        reply.bulk(field);
        if with_values {
            reply.bulk(value);
        }
        if reply.overflowed() {
            break;
        }
    }
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count]`: the next fields and values of a scan of a hash.
pub fn hscan(cx: &mut Cx<'_>) -> Outcome {
    scan_fields(cx)
}
