//! The commands about when single fields of a hash expire. Redis has them since 7.4.

use super::expiry::{Unit, invalid_expire};
use crate::config::REPLY_HEADROOM_BYTES;
use crate::rdb::FIELD_EXPIRY_MS_MAX;
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, Outcome, is};
use crate::service::events::{DEL, HDEL, HEXPIRE, HPERSIST};
use crate::store::{Changed, Event, FieldChange, Map};

/// Most bytes that an integer takes in a reply.
const INTEGER_BYTES: usize = 24;

/// What a command answers about a field that the hash does not have.
const NO_FIELD: i64 = -2;
/// What it answers about a field without a time of expiry.
const NO_EXPIRY: i64 = -1;

/// `HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`: lets fields expire after this number of
/// seconds. The reply has an integer for each field: 1 if it now expires, 0 if a condition forbids it, 2 if it is gone because
/// the time has passed already, -2 if there is no such field.
pub fn hexpire(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::Seconds)
}

/// `HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`: as `HEXPIRE`, in milliseconds.
pub fn hpexpire(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::Milliseconds)
}

/// `HEXPIREAT key unix-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`: as `HEXPIRE`, at this Unix time.
pub fn hexpireat(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::UnixSeconds)
}

/// `HPEXPIREAT key unix-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`: as `HEXPIRE`, at this Unix
/// time in milliseconds.
pub fn hpexpireat(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::UnixMilliseconds)
}

/// When a command may change the expiry of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Always.
    None,
    /// `NX`: only if the field has no time of expiry.
    OnlyWithout,
    /// `XX`: only if it has one.
    OnlyWith,
    /// `GT`: only if the new time is later. A field without a time of expiry counts as one that expires infinitely late.
    OnlyLater,
    /// `LT`: only if the new time is earlier.
    OnlySooner,
}

impl Condition {
    /// The condition that a word names.
    fn of(word: &[u8]) -> Condition {
        match word {
            _ if is(word, "NX") => Condition::OnlyWithout,
            _ if is(word, "XX") => Condition::OnlyWith,
            _ if is(word, "GT") => Condition::OnlyLater,
            _ if is(word, "LT") => Condition::OnlySooner,
            _ => Condition::None,
        }
    }

    /// True if the expiry may change from `before` to `after`.
    fn holds(self, before: Option<u64>, after: u64) -> bool {
        match self {
            Condition::None => true,
            Condition::OnlyWithout => before.is_none(),
            Condition::OnlyWith => before.is_some(),
            Condition::OnlyLater => before.is_some_and(|before| after > before),
            Condition::OnlySooner => before.is_none_or(|before| after < before),
        }
    }
}

/// Lets fields expire at the time that the second argument gives in this unit.
fn expire_in(cx: &mut Cx<'_>, unit: Unit) -> Outcome {
    cx.world.store.map(cx.arg(1), cx.world.now.unix_ms)?;
    let at_ms = expiry_ms(cx, 2, unit)?;
    // That has looked at the clock, which may have gone on.
    let now_ms = cx.world.now.unix_ms;
    let condition = Condition::of(cx.arg(3));
    let words = 3 + usize::from(condition != Condition::None);
    let first = first_field(cx, words, "ERR Parameter `numFields` should be greater than 0")?;
    let has_passed = at_ms <= now_ms;
    change_fields(cx, first, !has_passed, HEXPIRE, |before| match before {
        _ if !condition.holds(before, at_ms) => (0, FieldChange::Keep),
        _ if has_passed => (2, FieldChange::Remove),
        _ => (1, FieldChange::Expire(at_ms)),
    })
}

/// Changes the fields from the argument at `first` on as `decide` says when it hears the time of expiry of each, and replies
/// with the integers that it gives. `to_expire` says that fields may get a time of expiry; `timed` is the event then.
fn change_fields(
    cx: &mut Cx<'_>,
    first: usize,
    to_expire: bool,
    timed: Event,
    decide: impl Fn(Option<u64>) -> (i64, FieldChange),
) -> Outcome {
    let (key, now_ms, fields) = (cx.arg(1), cx.world.now.unix_ms, cx.args.from(first));
    cx.reply.reserve(fields.len() * INTEGER_BYTES + REPLY_HEADROOM_BYTES)?;
    let prepared = cx.world.store.prepare_field_changes(key, fields.clone(), to_expire, now_ms)?;
    cx.reply.array(fields.len());
    let Some(prepared) = prepared else {
        fields.for_each(|_| cx.reply.int(NO_FIELD));
        return Ok(());
    };
    cx.whole_reply()?;
    cx.reply.assure();
    let changed = cx.world.store.commit_field_changes(prepared, fields, |found| {
        let (answer, change) = found.map_or((NO_FIELD, FieldChange::Keep), |(_, before)| decide(before));
        cx.reply.int(answer);
        change
    });
    tell_changed(cx, changed, timed);
    Ok(())
}

/// Tells of the fields that a command has changed: they were removed, or `timed` is the event.
pub(super) fn tell_changed(cx: &mut Cx<'_>, changed: Changed, timed: Event) {
    let key = cx.arg(1);
    if changed.removed > 0 {
        cx.world.store.tell(HDEL, key);
    } else if changed.timed > 0 {
        cx.world.store.tell(timed, key);
    }
    if changed.is_gone {
        cx.world.store.tell(DEL, key);
    }
}

/// The Unix time in milliseconds that the argument at `index` gives in this unit.
pub(super) fn expiry_ms(cx: &mut Cx<'_>, index: usize, unit: Unit) -> Result<u64, Failure> {
    let number = cx.int(index)?;
    if number < 0 {
        return Err(Failure::text("ERR invalid expire time, must be >= 0"));
    }
    let at_ms = unit.unix_ms(number, cx.exact_unix_ms()).and_then(|at_ms| u64::try_from(at_ms).ok());
    at_ms.filter(|at_ms| *at_ms <= FIELD_EXPIRY_MS_MAX).ok_or_else(|| invalid_expire(cx))
}

/// Reads `FIELDS numfields field [field ...]`, which begins with the argument at `at` and is the rest of the request. Returns
/// the position of the first field. `no_count` is the error for a number that is none or not positive.
pub(super) fn first_field(cx: &Cx<'_>, at: usize, no_count: &'static str) -> Result<usize, Failure> {
    if !cx.args.get(at).is_some_and(|word| is(word, "FIELDS")) {
        return Err(Failure::text("ERR Mandatory argument FIELDS is missing or not at the right position"));
    }
    let count = cx.args.get(at + 1).and_then(parse_i64).filter(|count| *count > 0);
    let count = count.ok_or(Failure::text(no_count))?;
    if count as u64 != cx.args.len() as u64 - at as u64 - 2 {
        return Err(Failure::text("ERR The `numfields` parameter must match the number of arguments"));
    }
    Ok(at + 2)
}

/// The error for a number of fields that is none or not positive.
pub(super) const NO_COUNT: &str = "ERR Number of fields must be a positive integer";

/// `HTTL key FIELDS numfields field [field ...]`: in how many seconds each field expires; -1 if it never does, -2 if there
/// is no such field.
pub fn httl(cx: &mut Cx<'_>) -> Outcome {
    // Redis rounds up here, while `TTL` rounds to the nearest second.
    about_expiry(cx, |at_ms, now_ms| at_ms.saturating_sub(now_ms).div_ceil(1_000))
}

/// `HPTTL key FIELDS numfields field [field ...]`: as `HTTL`, in milliseconds.
pub fn hpttl(cx: &mut Cx<'_>) -> Outcome {
    about_expiry(cx, u64::saturating_sub)
}

/// `HEXPIRETIME key FIELDS numfields field [field ...]`: at which Unix time in seconds each field expires; -1 if it never
/// does, -2 if there is no such field.
pub fn hexpiretime(cx: &mut Cx<'_>) -> Outcome {
    about_expiry(cx, |at_ms, _| at_ms.div_ceil(1_000))
}

/// `HPEXPIRETIME key FIELDS numfields field [field ...]`: as `HEXPIRETIME`, in milliseconds.
pub fn hpexpiretime(cx: &mut Cx<'_>) -> Outcome {
    about_expiry(cx, |at_ms, _| at_ms)
}

/// Replies with what `tell` says of the times at which fields expire and of the present, both in Unix milliseconds.
fn about_expiry(cx: &mut Cx<'_>, tell: fn(u64, u64) -> u64) -> Outcome {
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    let found = cx.world.store.map(key, now_ms)?.is_some();
    cx.world.count_lookup(found, key);
    let first = first_field(cx, 2, NO_COUNT)?;
    let hash = cx.world.store.map(key, now_ms)?;
    let fields = cx.args.from(first);
    cx.reply.array(fields.len());
    for field in fields {
        cx.reply.int(match hash.and_then(|hash: Map<'_>| hash.expiry(field)) {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(at_ms)) => tell(at_ms, now_ms) as i64,
        });
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `HPERSIST key FIELDS numfields field [field ...]`: removes the times of expiry of fields. The reply has an integer for each
/// field: 1 if it had one, -1 if it had none, -2 if there is no such field.
pub fn hpersist(cx: &mut Cx<'_>) -> Outcome {
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    cx.world.store.map(key, now_ms)?;
    let first = first_field(cx, 2, NO_COUNT)?;
    change_fields(cx, first, false, HPERSIST, |before| {
        (if before.is_some() { 1 } else { NO_EXPIRY }, FieldChange::Persist)
    })
}
