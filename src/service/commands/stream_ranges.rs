//! The commands that read a stream without a group: `XRANGE`, `XREVRANGE` and `XREAD`. `XREADGROUP` shares its words with
//! `XREAD`.

use super::blocking::begin_wait;
use super::stream_ids::{
    count, end_id, is_option, lookup, or_all, reply_entry, reply_range, start_id, strict_id,
};
use crate::base::memory;
use crate::resp::{Proto, Reply, parse_i64};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::waiting::Wish;
use crate::store::{Kind, Stream, StreamId};

/// `XRANGE key start end [COUNT count]`: the entries of an interval of ids.
pub fn xrange(cx: &mut Cx<'_>) -> Outcome {
    range(cx, false)
}

/// `XREVRANGE key end start [COUNT count]`: the entries of an interval of ids, from the last one down.
pub fn xrevrange(cx: &mut Cx<'_>) -> Outcome {
    range(cx, true)
}

fn range(cx: &mut Cx<'_>, back: bool) -> Outcome {
    let (start, end) = if back { (3, 2) } else { (2, 3) };
    let (from, to) = (start_id(cx.arg(start))?, end_id(cx.arg(end))?);
    let (mut most, mut at) = (usize::MAX, 4);
    while at < cx.args.len() {
        if !is_option(cx, at, "COUNT") {
            return Err(SYNTAX);
        }
        most = count(cx, at + 1)?;
        at += 2;
    }
    let key = cx.arg(1);
    let Some(log) = lookup(cx.world, key)?.map(Stream::log) else {
        cx.reply.array(0);
        return Ok(());
    };
    if most == 0 {
        cx.reply.null_array();
        return Ok(());
    }
    if !back {
        reply_range(&mut cx.reply, log, (from, to), most);
        return Ok(());
    }
    let count = log.range(from, to).take(most).count();
    cx.reply.array(count);
    for entry in log.range_back(from, to).take(count) {
        reply_entry(&mut cx.reply, entry);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// The words of `XREAD` and `XREADGROUP`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Words<'a> {
    /// How long to wait for entries, in milliseconds (`BLOCK`); 0 is for ever.
    pub(super) block_ms: Option<u64>,
    /// Most entries of a stream; 0 for all.
    pub(super) count: usize,
    /// The group and the consumer.
    pub(super) group: Option<(&'a [u8], &'a [u8])>,
    /// True if delivered entries do not become pending.
    pub(super) noack: bool,
    /// Position of the first key.
    first: usize,
    /// Number of keys. As many ids follow them.
    pub(super) keys: usize,
}

impl<'a> Words<'a> {
    /// Reads the words of a request.
    ///
    /// # Errors
    /// As Redis has them.
    pub(super) fn of(cx: &Cx<'a>, grouped: bool) -> Result<Words<'a>, Failure> {
        let mut words = Words::default();
        let mut at = 1;
        while at < cx.args.len() {
            let word = cx.arg(at);
            if is_option(cx, at, "BLOCK") {
                words.block_ms = Some(timeout(cx, at + 1)?);
                at += 1;
            } else if is_option(cx, at, "COUNT") {
                words.count = count(cx, at + 1)?;
                at += 1;
            } else if is_option(cx, at, "STREAMS") {
                words.streams(cx, at + 1, grouped)?;
                break;
            } else if is(word, "GROUP") && at + 2 < cx.args.len() {
                if !grouped {
                    return Err(only_grouped("GROUP"));
                }
                words.group = Some((cx.arg(at + 1), cx.arg(at + 2)));
                at += 2;
            } else if is(word, "NOACK") {
                if !grouped {
                    return Err(only_grouped("NOACK"));
                }
                words.noack = true;
            } else {
                return Err(SYNTAX);
            }
            at += 1;
        }
        if words.first == 0 {
            return Err(SYNTAX);
        }
        if grouped && words.group.is_none() {
            return Err(Failure::text("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(words)
    }

    /// Reads the keys and the ids, which begin at `first`.
    fn streams(&mut self, cx: &Cx<'_>, first: usize, grouped: bool) -> Outcome {
        let rest = cx.args.len() - first;
        if !rest.is_multiple_of(2) {
            let (name, symbol) = (cx.command.name, if grouped { '>' } else { '$' });
            return Err(Failure::telling(format!(
                "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{symbol}' must be specified."
            )));
        }
        (self.first, self.keys) = (first, rest / 2);
        Ok(())
    }

    /// The key with number `nth`.
    pub(super) fn key<'c>(&self, cx: &Cx<'c>, nth: usize) -> &'c [u8] {
        cx.arg(self.first + nth)
    }

    /// The text of the id that belongs to the key with number `nth`.
    pub(super) fn id<'c>(&self, cx: &Cx<'c>, nth: usize) -> &'c [u8] {
        cx.arg(self.first + self.keys + nth)
    }
}

fn only_grouped(option: &str) -> Failure {
    Failure::telling(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    ))
}

/// The argument at `at` as a timeout in milliseconds.
fn timeout(cx: &Cx<'_>, at: usize) -> Result<u64, Failure> {
    let ms = parse_i64(cx.arg(at)).ok_or(Failure::text("ERR timeout is not an integer or out of range"))?;
    let ms = u64::try_from(ms).map_err(|_| Failure::text("ERR timeout is negative"))?;
    if ms > (i64::MAX as u64).saturating_sub(cx.world.now.unix_ms) {
        return Err(Failure::text("ERR timeout is out of range"));
    }
    Ok(ms)
}

/// Replies with the number of streams that have something.
pub(super) fn reply_streams(reply: &mut Reply<'_>, count: usize) {
    match reply.proto() {
        Proto::Resp2 => reply.array(count),
        Proto::Resp3 => reply.map(count),
    }
}

/// Replies with the name of a stream; its entries follow.
pub(super) fn reply_name(reply: &mut Reply<'_>, key: &[u8]) {
    if reply.proto() == Proto::Resp2 {
        reply.array(2);
    }
    reply.bulk(key);
}

/// No stream has anything for the client, which waits for as long as `BLOCK` says. `seen` has the id behind which it reads
/// each stream, so an entry that is added from now on is new even if the request says `$`.
pub(super) fn missing(cx: &mut Cx<'_>, words: &Words<'_>, seen: &[StreamId]) -> Outcome {
    if let Some(ms) = words.block_ms {
        let ids = words.first + words.keys;
        let by_last = (0..words.keys).filter(|nth| words.id(cx, *nth) == b"$");
        let instead = memory::collect(
            by_last.map(|nth| (ids + nth, format!("{}-{}", seen[nth].ms, seen[nth].seq).into_bytes())),
        )?;
        let until = (ms > 0).then(|| cx.world.now.at.plus_ms(ms));
        let keys = words.first..ids;
        if begin_wait(
            cx,
            Wish { kind: Kind::Stream, heeds_loss: words.group.is_some(), keys, until, instead },
        )? {
            return Ok(());
        }
    }
    cx.reply.null_array();
    Ok(())
}

/// `XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]`: the entries behind an id of each stream.
/// The id `$` is the last one.
pub fn xread(cx: &mut Cx<'_>) -> Outcome {
    let words = Words::of(cx, false)?;
    let mut seen = Vec::new();
    memory::reserve_exact(&mut seen, words.keys)?;
    for nth in 0..words.keys {
        let key = words.key(cx, nth);
        let last_id = lookup(cx.world, key)?.map_or(StreamId::MIN, |stream| stream.log().last_id());
        seen.push(match words.id(cx, nth) {
            b"$" => last_id,
            b">" => {
                return Err(Failure::text(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                ));
            }
            text => strict_id(text, 0)?,
        });
    }
    let mut served = 0;
    for (nth, id) in seen.iter().enumerate() {
        // Redis looks for each key once more, and counts and tells of that again.
        lookup(cx.world, words.key(cx, nth))?;
        served += usize::from(has_behind(cx, words.key(cx, nth), *id)?);
    }
    if served == 0 {
        return missing(cx, &words, &seen);
    }
    reply_streams(&mut cx.reply, served);
    for (nth, id) in seen.iter().enumerate() {
        let key = words.key(cx, nth);
        if !has_behind(cx, key, *id)? {
            continue;
        }
        let found = cx.world.store.stream(key, cx.world.now.unix_ms)?;
        if let (Some(stream), Ok(from)) = (found, id.next()) {
            reply_name(&mut cx.reply, key);
            reply_range(&mut cx.reply, stream.log(), (from, StreamId::MAX), or_all(words.count));
        }
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// True if the stream of `key` has an entry behind `id`.
fn has_behind(cx: &mut Cx<'_>, key: &[u8], id: StreamId) -> Result<bool, Failure> {
    let found = cx.world.store.stream(key, cx.world.now.unix_ms)?;
    Ok(found.and_then(|stream| stream.log().last()).is_some_and(|last| last.id() > id))
}
