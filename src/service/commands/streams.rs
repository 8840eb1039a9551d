//! The commands about streams that change their entries.

use super::stream_ids::{NOT_GREATER, NewId, is_option, lookup, new_id, reply_id, strict_id};
use crate::base::memory;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{XADD, XDEL, XSETID, XTRIM};
use crate::store::{NodeLimits, SetIdError, Stream, StreamId, Trim, TrimTo};

const BOTH: Failure =
    Failure::text("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
const NEGATIVE_LENGTH: Failure = Failure::text("ERR The MAXLEN argument must be >= 0.");
const NEGATIVE_LIMIT: Failure = Failure::text("ERR The LIMIT argument must be >= 0.");
const LIMIT_ALONE: Failure =
    Failure::text("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
const LIMIT_OF_EXACT: Failure =
    Failure::text("ERR syntax error, LIMIT cannot be used without the special ~ option");
const NO_STRATEGY: Failure = Failure::text("ERR syntax error, XTRIM must be called with a trimming strategy");
const ZERO_ID: Failure = Failure::text("ERR The ID specified in XADD must be greater than 0-0");
const EXHAUSTED: Failure =
    Failure::text("ERR The stream has exhausted the last possible ID, unable to add more items");

/// How many full nodes an approximate trim removes if its request does not say how many entries.
const NODES_PER_TRIM: u64 = 100;
/// The limit of such a trim where nodes may have any number of entries.
const TRIM_LIMIT: u64 = 10_000;
/// The greatest such limit.
const TRIM_LIMIT_MAX: u64 = 1_000_000;

/// The words of `XADD` and `XTRIM` behind the key.
struct Options {
    trim_to: Option<TrimTo>,
    /// True if only whole nodes are to be removed (`~`).
    approximate: bool,
    /// The argument of `LIMIT`.
    limit: Option<u64>,
    /// True if `XADD` must not create the key.
    no_mkstream: bool,
    id: NewId,
    /// Position of the first word that is no option: the id of `XADD`.
    end: usize,
}

impl Options {
    fn of(cx: &Cx<'_>, adds: bool) -> Result<Options, Failure> {
        let mut options = Options {
            trim_to: None,
            approximate: false,
            limit: None,
            no_mkstream: false,
            id: NewId::Auto,
            end: 2,
        };
        while let Some(word) = cx.args.get(options.end) {
            let at = options.end;
            if adds && word == b"*" {
                break;
            } else if is_option(cx, at, "MAXLEN") || is_option(cx, at, "MINID") {
                options.strategy(cx, is(word, "MAXLEN"))?;
            } else if is_option(cx, at, "LIMIT") {
                options.limit = Some(u64::try_from(cx.int(at + 1)?).map_err(|_| NEGATIVE_LIMIT)?);
                options.end += 1;
            } else if adds && is(word, "NOMKSTREAM") {
                options.no_mkstream = true;
            } else if adds {
                options.id = new_id(word)?;
                break;
            } else {
                return Err(SYNTAX);
            }
            options.end += 1;
        }
        options.check(adds)?;
        Ok(options)
    }

    /// Reads what follows `MAXLEN` or `MINID`, and moves `end` to the last word of it.
    fn strategy(&mut self, cx: &Cx<'_>, by_length: bool) -> Outcome {
        if self.trim_to.is_some() {
            return Err(BOTH);
        }
        self.end += 1;
        if self.end + 1 < cx.args.len() && [&b"~"[..], b"="].contains(&cx.arg(self.end)) {
            self.approximate = cx.arg(self.end) == b"~";
            self.end += 1;
        }
        self.trim_to = Some(if by_length {
            TrimTo::Length(u64::try_from(cx.int(self.end)?).map_err(|_| NEGATIVE_LENGTH)?)
        } else {
            TrimTo::Id(strict_id(cx.arg(self.end), 0)?)
        });
        Ok(())
    }

    /// Checks that the options go together.
    fn check(&self, adds: bool) -> Outcome {
        match (self.trim_to, self.limit) {
            (None, Some(1..)) => Err(LIMIT_ALONE),
            (None, _) if !adds => Err(NO_STRATEGY),
            (_, Some(_)) if !self.approximate => Err(LIMIT_OF_EXACT),
            _ => Ok(()),
        }
    }

    /// The trim that is wanted. `node_entries` is the most entries of a node.
    fn trim(&self, node_entries: usize) -> Option<Trim> {
        let usual = match (node_entries as u64).saturating_mul(NODES_PER_TRIM) {
            0 => TRIM_LIMIT,
            entries => entries.min(TRIM_LIMIT_MAX),
        };
        let limit = self.approximate.then(|| self.limit.unwrap_or(usual)).filter(|limit| *limit > 0);
        Some(Trim { to: self.trim_to?, approximate: self.approximate, limit })
    }
}

/// `XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] id field value [field value ...]`: appends an
/// entry. The reply is its id.
pub fn xadd(cx: &mut Cx<'_>) -> Outcome {
    let options = Options::of(cx, true)?;
    let first = options.end + 1;
    if cx.args.len() < first + 2 || !(cx.args.len() - first).is_multiple_of(2) {
        let text = format!("ERR wrong number of arguments for '{}' command", cx.command.name);
        return Err(Failure::telling(text));
    }
    if options.id == NewId::Given(StreamId::MIN) {
        return Err(ZERO_ID);
    }
    let (key, now_ms) = (cx.arg(1), cx.exact_unix_ms());
    let found = cx.world.store.stream(key, now_ms)?;
    if found.is_none() && options.no_mkstream {
        cx.reply.null();
        return Ok(());
    }
    let empty = Stream::new();
    let log = found.unwrap_or(&empty).log();
    let next = log.next_id(now_ms).map_err(|_| EXHAUSTED)?;
    let id = match options.id {
        NewId::Auto => next,
        NewId::InMs(ms) => log.next_id_in(ms).map_err(|_| NOT_GREATER)?,
        NewId::Given(id) => id,
    };
    let pairs = cx.args.from(first).step_by(2).zip(cx.args.from(first + 1).step_by(2));
    let config = &cx.world.config;
    let limits = NodeLimits {
        bytes: config.encodings.stream_node_max_bytes,
        entries: config.encodings.stream_node_max_entries,
    };
    let prepared = cx.world.store.prepare_entry(key, id, pairs.clone(), limits, now_ms)?;
    cx.reply.assure();
    cx.world.store.commit_entry(prepared, pairs);
    cx.world.store.tell(XADD, key);
    if let Some(trim) = options.trim(limits.entries)
        && cx.world.store.trim_stream(key, trim) > 0
    {
        cx.world.store.tell(XTRIM, key);
    }
    reply_id(&mut cx.reply, id);
    Ok(())
}

/// `XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]`: removes the oldest entries. The reply is how many.
pub fn xtrim(cx: &mut Cx<'_>) -> Outcome {
    let options = Options::of(cx, false)?;
    let trim = options.trim(cx.world.config.encodings.stream_node_max_entries).ok_or(NO_STRATEGY)?;
    let key = cx.arg(1);
    if cx.world.store.stream(key, cx.world.now.unix_ms)?.is_none() {
        cx.reply.int(0);
        return Ok(());
    }
    cx.reply.assure();
    let removed = cx.world.store.trim_stream(key, trim);
    if removed > 0 {
        cx.world.store.tell(XTRIM, key);
    }
    cx.reply.int(removed as i64);
    Ok(())
}

/// `XLEN key`: the number of entries.
pub fn xlen(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let len = lookup(cx.world, key)?.map_or(0, |stream| stream.log().len());
    cx.reply.int(len as i64);
    Ok(())
}

/// The ids of the request from position `from` on.
///
/// # Errors
/// If one of them is no id.
pub(super) fn ids(cx: &Cx<'_>, from: usize) -> Result<Vec<StreamId>, Failure> {
    let mut ids = Vec::new();
    memory::reserve_exact(&mut ids, cx.args.len().saturating_sub(from))?;
    for text in cx.args.from(from) {
        ids.push(strict_id(text, 0)?);
    }
    Ok(ids)
}

/// `XDEL key id [id ...]`: removes entries. The reply is how many were there.
pub fn xdel(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    if cx.world.store.stream(key, cx.world.now.unix_ms)?.is_none() {
        cx.reply.int(0);
        return Ok(());
    }
    let ids = ids(cx, 2)?;
    cx.reply.assure();
    let removed = cx
        .world
        .store
        .count_in_stream(key, |stream| ids.iter().filter(|id| stream.log_mut().remove(**id)).count());
    if removed > 0 {
        cx.world.store.tell(XDEL, key);
    }
    cx.reply.int(removed as i64);
    Ok(())
}

/// `XSETID key last-id [ENTRIESADDED count] [MAXDELETEDID id]`: sets what a stream remembers beside its entries.
pub fn xsetid(cx: &mut Cx<'_>) -> Outcome {
    let (key, id) = (cx.arg(1), strict_id(cx.arg(2), 0)?);
    let (mut added, mut deleted, mut at) = (None, None, 3);
    while at < cx.args.len() {
        if is_option(cx, at, "ENTRIESADDED") {
            let negative = Failure::text("ERR entries_added must be positive");
            added = Some(u64::try_from(cx.int(at + 1)?).map_err(|_| negative)?);
        } else if is_option(cx, at, "MAXDELETEDID") {
            let given = strict_id(cx.arg(at + 1), 0)?;
            if id < given {
                return Err(set_id_failure(SetIdError::BelowGivenDeleted));
            }
            deleted = Some(given);
        } else {
            return Err(SYNTAX);
        }
        at += 2;
    }
    let there = cx.world.store.stream(key, cx.world.now.unix_ms)?;
    there.ok_or(Failure::text("ERR no such key"))?;
    cx.reply.assure();
    let set = cx.world.store.touch_stream(key, |stream| stream.log_mut().set_last_id(id, added, deleted));
    set.map_err(set_id_failure)?;
    cx.world.store.tell(XSETID, key);
    cx.reply.ok();
    Ok(())
}

fn set_id_failure(error: SetIdError) -> Failure {
    Failure::text(match error {
        SetIdError::BelowGivenDeleted => {
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
        }
        SetIdError::BelowDeleted => {
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
        }
        SetIdError::BelowEntries => {
            "ERR The ID specified in XSETID is smaller than the target stream top item"
        }
        SetIdError::TooFewAdded => {
            "ERR The entries_added specified in XSETID is smaller than the target stream length"
        }
    })
}
