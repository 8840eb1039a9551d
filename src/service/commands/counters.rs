//! The commands that count in a string.

use crate::config::REPLY_HEADROOM_BYTES;
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome};
use crate::service::events::{INCRBY, INCRBYFLOAT};
use crate::service::long_double::LongDouble;
use crate::store::Expiry;

/// `INCR key`: adds 1 to the integer in a key.
pub fn incr(cx: &mut Cx<'_>) -> Outcome {
    add(cx, 1)
}

/// `DECR key`: subtracts 1 from the integer in a key.
pub fn decr(cx: &mut Cx<'_>) -> Outcome {
    add(cx, -1)
}

/// `INCRBY key increment`: adds to the integer in a key.
pub fn incrby(cx: &mut Cx<'_>) -> Outcome {
    let by = cx.int(2)?;
    add(cx, by)
}

/// `DECRBY key decrement`: subtracts from the integer in a key.
pub fn decrby(cx: &mut Cx<'_>) -> Outcome {
    let by = cx.int(2)?.checked_neg().ok_or(Failure::text("ERR decrement would overflow"))?;
    add(cx, by)
}

/// Adds `by` to the integer in a key and replies with the sum. A missing key counts as 0.
fn add(cx: &mut Cx<'_>, by: i64) -> Outcome {
    let key = cx.arg(1);
    let before = match cx.world.store.get(key, cx.world.now.unix_ms)? {
        Some(value) => parse_i64(value).ok_or(NOT_INTEGER)?,
        None => 0,
    };
    let after = before.checked_add(by).ok_or(Failure::text("ERR increment or decrement would overflow"))?;
    let mut digits = itoa::Buffer::new();
    let entry = cx.prepare(key, digits.format(after).as_bytes())?;
    cx.reply.assure();
    cx.world.store.commit(entry, Expiry::Keep);
    cx.world.store.tell(INCRBY, key);
    cx.reply.int(after);
    Ok(())
}

/// `INCRBYFLOAT key increment`: adds a number with a fraction. The reply is the sum, as Redis writes it.
pub fn incrbyfloat(cx: &mut Cx<'_>) -> Outcome {
    let (key, by) = (cx.arg(1), cx.arg(2));
    let number = |text| LongDouble::parse(text).ok_or(Failure::text("ERR value is not a valid float"));
    let before = number(cx.world.store.get(key, cx.world.now.unix_ms)?.unwrap_or(b"0"))?;
    let sum = before.plus(number(by)?);
    let after = sum.ok_or(Failure::text("ERR increment would produce NaN or Infinity"))?.text();
    // A number may have thousands of digits, and its frame comes on top of it.
    cx.reply.reserve(after.len() + REPLY_HEADROOM_BYTES)?;
    let entry = cx.world.store.prepare(key, after.as_bytes())?;
    cx.reply.assure();
    cx.world.store.commit(entry, Expiry::Keep);
    cx.world.store.tell(INCRBYFLOAT, key);
    cx.reply.bulk(after.as_bytes());
    Ok(())
}
