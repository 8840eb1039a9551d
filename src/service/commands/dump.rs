//! `DUMP` and `RESTORE`: the value of a key as bytes that Redis writes and reads too.
//!
//! Both take time and memory in proportion to the value. `DUMP` stops writing when a payload cannot fit `max-reply-bytes`
//! any more. A payload of `RESTORE` is one argument of a request, and its compressed strings inflate to
//! `proto-max-bulk-len` bytes in all.

use std::cell::Cell;
use std::iter::Scan;

use super::dump_stream;
use super::hashes::check_field;
use super::sets::check_member;
use crate::base::{OutOfMemory, memory};
use crate::rdb::{self, DecodeError, Value, encode};
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome, SYNTAX, is};
use crate::service::events::{DEL, RESTORE};
use crate::store::{Object, Whole};

/// The greatest `FREQ` of `RESTORE`: Redis's counter has eight bits.
const FREQUENCY_MAX: i64 = 255;
/// Longest text of an integer, bytes.
const INTEGER_BYTES_MAX: usize = 20;
/// The text of an integer is at most so many times as long as the integer in a payload. -32768 in a set takes two bytes.
const TEXT_TIMES_MAX: usize = 3;

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Failure {
        match error {
            DecodeError::BadFrame => Failure::text("ERR DUMP payload version or checksum are wrong"),
            DecodeError::BadFormat => Failure::text("ERR Bad data format"),
            DecodeError::OutOfMemory => OutOfMemory.into(),
        }
    }
}

/// `DUMP key`: the value of a key as `RESTORE` takes it, or null.
pub fn dump(cx: &mut Cx<'_>) -> Outcome {
    let (key, now_ms, max) = (cx.arg(1), cx.world.now.unix_ms, cx.world.config.max_reply_bytes);
    let found = cx.world.store.object(key, now_ms).map(|(object, _)| payload(&object, max));
    cx.world.count_lookup(found.is_some(), key);
    match found.transpose()? {
        Some(Some(payload)) => cx.reply.bulk(&payload),
        Some(None) => return Err(cx.reply_too_long()),
        None => cx.reply.null(),
    }
    Ok(())
}

/// The payload of a value. `None` if it would surely have more than `max` bytes; it may have a few more all the same.
fn payload(object: &Object<'_>, max: usize) -> Result<Option<Vec<u8>>, OutOfMemory> {
    let cut = Cell::new(false);
    let bound = Bound { left: max, cut: &cut };
    let mut out = Vec::new();
    match object {
        Object::String(text) if text.len() > max => cut.set(true),
        Object::String(text) => encode::string(&mut out, text)?,
        Object::List(list) => encode::list(&mut out, bound.over(list.iter_from(0), |text| bytes_min(text)))?,
        Object::Hash(hash) if hash.has_expiries() => {
            let fields = bound.over(hash.fields(), |(field, value, _)| bytes_min(field) + bytes_min(value));
            encode::timed_hash(&mut out, hash.len(), fields)?;
        }
        Object::Hash(hash) => {
            let pairs = bound.over(hash.iter(), |(field, value)| bytes_min(field) + bytes_min(value));
            encode::hash(&mut out, hash.len(), pairs)?;
        }
        Object::Zset(zset) => {
            let members = bound.over(zset.iter_from(0), |(member, _)| bytes_min(member));
            encode::zset(&mut out, zset.len(), members)?;
        }
        Object::Stream(stream) => cut.set(!dump_stream::payload(&mut out, stream, max)?),
        Object::Set(set) => {
            let members = bound.over(set.iter(), |member| bytes_min(member));
            encode::set(&mut out, set.len(), members)?;
        }
    }
    Ok(Some(out).filter(|_| !cut.get()))
}

/// How many bytes a string takes in a payload at least.
fn bytes_min(text: &[u8]) -> usize {
    if text.len() > INTEGER_BYTES_MAX { text.len() } else { (text.len() / TEXT_TIMES_MAX).max(1) }
}

/// How much of a value may be written.
#[derive(Clone, Copy)]
struct Bound<'c> {
    /// How many bytes more the payload may have.
    left: usize,
    /// Set when there is more.
    cut: &'c Cell<bool>,
}

impl<'c> Bound<'c> {
    /// The elements up to the bound; `size` tells how many bytes one takes at least. A clone counts for itself.
    #[allow(clippy::type_complexity)] // a clone of it is possible where one of `elements` is, which `impl` cannot say
    fn over<I: Iterator>(
        self,
        elements: I,
        size: impl Fn(&I::Item) -> usize + Clone,
    ) -> Scan<I, usize, impl FnMut(&mut usize, I::Item) -> Option<I::Item> + Clone> {
        elements.scan(self.left, move |left, element| {
            let rest = left.checked_sub(size(&element));
            self.cut.set(self.cut.get() || rest.is_none());
            *left = rest?;
            Some(element)
        })
    }
}

/// The options of `RESTORE`.
#[derive(Default)]
struct Options {
    /// What the key holds may be replaced.
    replace: bool,
    /// The time to live is a Unix time.
    absolute: bool,
    /// `IDLETIME` was said.
    idle: bool,
    /// `FREQ` was said.
    frequency: bool,
}

impl Options {
    fn of(cx: &Cx<'_>) -> Result<Options, Failure> {
        let (mut options, mut at) = (Options::default(), 4);
        while at < cx.args.len() {
            let number = cx.args.get(at + 1);
            match (cx.arg(at), number) {
                (word, _) if is(word, "REPLACE") => options.replace = true,
                (word, _) if is(word, "ABSTTL") => options.absolute = true,
                (word, Some(number)) if is(word, "IDLETIME") && !options.frequency => {
                    let seconds = parse_i64(number).ok_or(NOT_INTEGER)?;
                    if seconds < 0 {
                        return Err(Failure::text("ERR Invalid IDLETIME value, must be >= 0"));
                    }
                    options.idle = true;
                    at += 1;
                }
                (word, Some(number)) if is(word, "FREQ") && !options.idle => {
                    let frequency = parse_i64(number).ok_or(NOT_INTEGER)?;
                    if !(0..=FREQUENCY_MAX).contains(&frequency) {
                        return Err(Failure::text("ERR Invalid FREQ value, must be >= 0 and <= 255"));
                    }
                    options.frequency = true;
                    at += 1;
                }
                _ => return Err(SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }
}

/// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`: gives a key the value that `DUMP` has
/// told. It expires after `ttl` milliseconds, or never if that is 0.
pub fn restore(cx: &mut Cx<'_>) -> Outcome {
    let (key, now_ms, options) = (cx.arg(1), cx.world.now.unix_ms, Options::of(cx)?);
    if !options.replace && cx.world.store.contains(key, now_ms) {
        return Err(Failure::text("BUSYKEY Target key name already exists."));
    }
    let ttl = cx.int(2)?;
    if ttl < 0 {
        return Err(Failure::text("ERR Invalid TTL value, must be >= 0"));
    }
    let value = rdb::decode(cx.arg(3), cx.world.config.proto_max_bulk_len)?;
    check(cx, &value)?;
    let now_ms = cx.exact_unix_ms();
    // As in Redis, a sum that overflows is a time that has passed.
    let at_ms = if options.absolute { ttl } else { ttl.wrapping_add(now_ms as i64) };
    let expires_ms = (ttl > 0).then_some(at_ms);
    if expires_ms.is_some_and(|at_ms| at_ms <= now_ms as i64) || has_expired(&value, now_ms) {
        cx.reply.assure();
        if cx.world.store.remove(key, now_ms) {
            cx.world.store.tell(DEL, key);
        }
    } else {
        let whole = prepare(cx, key, &value, expires_ms.map(|at_ms| at_ms as u64), now_ms)?;
        cx.reply.assure();
        cx.world.store.commit_whole(whole);
        cx.world.store.tell(RESTORE, key);
    }
    cx.reply.ok();
    Ok(())
}

/// True if all fields of a hash have expired.
fn has_expired(value: &Value, now_ms: u64) -> bool {
    let Value::TimedHash { expiries, .. } = value else { return false };
    expiries.iter().all(|at_ms| at_ms.is_some_and(|at_ms| at_ms <= now_ms))
}

/// Checks that no field or member is longer than others may be, and that a stream's counts are in bounds.
fn check(cx: &Cx<'_>, value: &Value) -> Outcome {
    match value {
        Value::String(_) | Value::List(_) => Ok(()),
        Value::Hash(pairs) | Value::TimedHash { pairs, .. } => {
            pairs.pairs().try_for_each(|(field, _)| check_field(cx, field))
        }
        Value::Set(members) => members.iter().try_for_each(|member| check_member(cx, member)),
        Value::Zset { members, .. } => members.iter().try_for_each(|member| check_member(cx, member)),
        Value::Stream(stream) => dump_stream::check(stream),
    }
}

/// Builds a value that [`check`] has passed, without the fields that have expired. [`has_expired`] has been asked at the same
/// time, so some are left.
fn prepare<'a>(
    cx: &mut Cx<'_>,
    key: &'a [u8],
    value: &Value,
    expires_ms: Option<u64>,
    now_ms: u64,
) -> Result<Whole<'a>, Failure> {
    let store = &mut cx.world.store;
    Ok(match value {
        Value::String(text) => store.prepare_whole_string(key, text, expires_ms)?,
        Value::List(elements) => store.prepare_whole_list(key, elements.iter(), expires_ms)?,
        Value::Hash(pairs) => {
            let fields = pairs.pairs().map(|(field, value)| (field, value, None));
            store.prepare_whole_hash(key, fields, expires_ms)?
        }
        Value::TimedHash { pairs, expiries } => {
            let fields = pairs.pairs().zip(expiries).map(|((field, value), at_ms)| (field, value, *at_ms));
            let live = fields.filter(|(_, _, at_ms)| at_ms.is_none_or(|at_ms| at_ms > now_ms));
            store.prepare_whole_hash(key, live, expires_ms)?
        }
        Value::Set(members) => store.prepare_whole_set(key, members.iter(), expires_ms)?,
        Value::Zset { members, scores } => {
            let mut members = memory::collect(members.iter().zip(scores.iter().copied()))?;
            store.prepare_whole_zset(key, &mut members, expires_ms)?
        }
        Value::Stream(stream) => return dump_stream::prepare(cx, key, stream, expires_ms),
    })
}
