//! The commands that read or write fields of a hash and change in the same step when these expire. Redis has them since 8.0.

use super::expiry::Unit;
use super::field_expiry::{NO_COUNT, expiry_ms, first_field, tell_changed};
use super::hashes::check_field;
use crate::base::memory;
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, Outcome, is};
use crate::service::events::{DEL, HDEL, HEXPIRE, HPERSIST, HSET};
use crate::store::{Expiry, FieldChange};

/// `HGETDEL key FIELDS numfields field [field ...]`: the values of fields, with null for a missing one. Removes the fields, and
/// the key with the last one.
pub fn hgetdel(cx: &mut Cx<'_>) -> Outcome {
    cx.world.store.map(cx.arg(1), cx.world.now.unix_ms)?;
    let first = first_field(cx, 2, NO_COUNT)?;
    get_and_change(cx, first, FieldChange::Remove)
}

/// `HGETEX key [EX seconds | PX milliseconds | EXAT unix-seconds | PXAT unix-milliseconds | PERSIST] FIELDS numfields field
/// [field ...]`: the values of fields, with null for a missing one. Changes when they expire.
pub fn hgetex(cx: &mut Cx<'_>) -> Outcome {
    let word = cx.arg(2);
    cx.world.store.map(cx.arg(1), cx.world.now.unix_ms)?;
    let (at, change) = match Unit::named(word) {
        Some(unit) => match expiry_ms(cx, 3, unit)? {
            at_ms if at_ms <= cx.world.now.unix_ms => (4, FieldChange::Remove),
            at_ms => (4, FieldChange::Expire(at_ms)),
        },
        None if is(word, "PERSIST") => (3, FieldChange::Persist),
        None => (2, FieldChange::Keep),
    };
    let first = first_field(cx, at, NO_COUNT)?;
    get_and_change(cx, first, change)
}

/// Replies with the values of the fields from the argument at `first` on, and changes the fields.
fn get_and_change(cx: &mut Cx<'_>, first: usize, change: FieldChange) -> Outcome {
    let (key, now_ms, fields) = (cx.arg(1), cx.world.now.unix_ms, cx.args.from(first));
    // A field that is removed is not there any more when the request names it again.
    let mut gone = Vec::new();
    if change == FieldChange::Remove && fields.len() > 1 {
        gone = memory::collect(fields.clone().enumerate().map(|(nth, field)| (field, nth)))?;
        gone.sort_unstable();
        gone.dedup_by_key(|(field, _)| *field);
    }
    let is_gone = |field: &[u8], nth: usize| {
        let found = gone.binary_search_by(|(other, _)| (*other).cmp(field));
        found.is_ok_and(|found| gone[found].1 != nth)
    };
    let hash = cx.world.store.map(key, now_ms)?;
    cx.reply.array(fields.len());
    for (nth, field) in fields.clone().enumerate() {
        let value = hash.and_then(|hash| hash.get(field)).filter(|_| !is_gone(field, nth));
        cx.reply.bulk_or_null(value);
    }
    cx.whole_reply()?;
    if change == FieldChange::Keep {
        return Ok(());
    }
    let to_expire = matches!(change, FieldChange::Expire(_));
    let prepared = cx.world.store.prepare_field_changes(key, fields.clone(), to_expire, now_ms)?;
    let Some(prepared) = prepared else { return Ok(()) };
    cx.reply.assure();
    let changed = cx.world.store.commit_field_changes(prepared, fields, |_| change);
    tell_changed(cx, changed, if change == FieldChange::Persist { HPERSIST } else { HEXPIRE });
    Ok(())
}

/// The options of `HSETEX`.
struct Options {
    /// `FNX` (false) or `FXX` (true): whether the fields must exist.
    must_exist: Option<bool>,
    /// When the fields expire.
    expiry: Option<Expiry>,
    /// The position of the first field.
    first: usize,
}

impl Options {
    /// Reads the options of the request, up to its fields.
    fn of(cx: &mut Cx<'_>) -> Result<Options, Failure> {
        let mut options = Options { must_exist: None, expiry: None, first: 0 };
        let mut at = 2;
        while options.first == 0 {
            // The word `FIELDS` ends the loop, so without it the request ends here.
            let word = cx.args.get(at).ok_or_else(|| cx.wrong_number())?;
            match Unit::named(word) {
                _ if is(word, "FIELDS") => options.first = first_pair(cx, at)?,
                Some(_) if options.expiry.is_some() => return Err(Failure::text(TWO_EXPIRIES)),
                Some(_) if at + 1 >= cx.args.len() => return Err(Failure::text("ERR missing expire time")),
                Some(unit) => {
                    at += 1;
                    options.expiry = Some(Expiry::At(expiry_ms(cx, at, unit)?));
                }
                None if is(word, "KEEPTTL") && options.expiry.is_some() => {
                    return Err(Failure::text(TWO_EXPIRIES));
                }
                None if is(word, "KEEPTTL") => options.expiry = Some(Expiry::Keep),
                None if is(word, "FXX") || is(word, "FNX") => {
                    if options.must_exist.is_some() {
                        let text = "ERR Only one of FXX or FNX arguments can be specified";
                        return Err(Failure::text(text));
                    }
                    options.must_exist = Some(is(word, "FXX"));
                }
                None => return Err(Failure::quoting("ERR unknown argument: ", word, "")),
            }
            at += 1;
        }
        Ok(options)
    }
}

const TWO_EXPIRIES: &str = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";

/// The position of the first field behind `FIELDS numfields`, which begins with the argument at `at`.
fn first_pair(cx: &Cx<'_>, at: usize) -> Result<usize, Failure> {
    if at + 3 >= cx.args.len() {
        return Err(cx.wrong_number());
    }
    let count = parse_i64(cx.arg(at + 1)).filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = count.ok_or(Failure::text("ERR invalid number of fields"))?;
    if (cx.args.len() - at - 2) as u64 != 2 * count as u64 {
        return Err(cx.wrong_number());
    }
    Ok(at + 2)
}

/// `HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-seconds | PXAT unix-milliseconds | KEEPTTL] FIELDS
/// numfields field value [field value ...]`: sets fields that expire. The reply is 1, or 0 if a condition forbids it.
pub fn hsetex(cx: &mut Cx<'_>) -> Outcome {
    let Options { must_exist, expiry, first } = Options::of(cx)?;
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    let fields = cx.args.from(first).step_by(2);
    let hash = cx.world.store.map(key, now_ms)?;
    let there = hash.is_some();
    let holds = must_exist
        .is_none_or(|must| fields.clone().all(|field| hash.is_some_and(|hash| hash.contains(field)) == must));
    if !holds {
        cx.reply.int(0);
        return Ok(());
    }
    fields.clone().try_for_each(|field| check_field(cx, field))?;
    match expiry.unwrap_or(Expiry::Never) {
        // The fields are written and have expired at once.
        Expiry::At(at_ms) if at_ms <= now_ms => {
            let removal = cx.world.store.prepare_map_remove(key, fields, now_ms)?;
            cx.reply.assure();
            let is_gone = cx.world.store.commit_map_remove(removal);
            cx.world.store.tell(HSET, key);
            cx.world.store.tell(HDEL, key);
            if is_gone || !there {
                cx.world.store.tell(DEL, key);
            }
        }
        expiry => {
            let pairs = fields.zip(cx.args.from(first + 1).step_by(2));
            let prepared = cx.world.store.prepare_map_set(key, pairs, expiry, now_ms)?;
            cx.reply.assure();
            cx.world.store.commit_map_set(prepared);
            cx.world.store.tell(HSET, key);
            if matches!(expiry, Expiry::At(_)) {
                cx.world.store.tell(HEXPIRE, key);
            }
        }
    }
    cx.reply.int(1);
    Ok(())
}
