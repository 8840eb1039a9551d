//! `XREADGROUP` and `XACK`: a consumer of a group reads entries and acknowledges them.
//!
//! All streams are prepared before the first one is changed, so a request that fails delivers nothing.

use super::stream_ids::{lookup, or_all, quoting, reply_entry, reply_id, strict_id};
use super::stream_ranges::{Words, missing, reply_name, reply_streams};
use super::streams::ids;
use crate::base::memory;
use crate::resp::Reply;
use crate::service::cx::{Cx, Failure, Outcome};
use crate::service::events::XGROUP_CREATECONSUMER;
use crate::store::{Delivery, History, Stream, StreamId};

const DOLLAR: Failure = Failure::text(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying \
     a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
);

/// What one stream of the request gives to the consumer.
enum Part {
    /// Entries that are new to the group.
    New(Delivery),
    /// Entries that the consumer has pending.
    Old(History),
}

impl Part {
    /// True if the stream is in the reply.
    fn is_served(&self) -> bool {
        match self {
            Part::New(delivery) => delivery.count() > 0,
            Part::Old(_) => true,
        }
    }

    fn creates_consumer(&self) -> bool {
        match self {
            Part::New(delivery) => delivery.creates_consumer(),
            Part::Old(history) => history.creates_consumer(),
        }
    }
}

/// `XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]`: entries of
/// each stream that are new to the group (the id `>`), or those behind an id that the consumer has pending.
pub fn xreadgroup(cx: &mut Cx<'_>) -> Outcome {
    let words = Words::of(cx, true)?;
    let (group, _) = words.group.unwrap_or_default();
    let now_ms = cx.exact_unix_ms();
    let seen = seen(cx, &words, group)?;
    refuse_repetition(cx, &words)?;
    let mut parts = Vec::new();
    memory::reserve_exact(&mut parts, words.keys)?;
    for (nth, id) in seen.iter().enumerate() {
        let key = words.key(cx, nth);
        let part = prepare(cx, &words, key, *id)?.ok_or_else(|| no_such(key, group))?;
        parts.push(part);
    }
    let served = parts.iter().filter(|part| part.is_served()).count();
    if served > 0 {
        reply_streams(&mut cx.reply, served);
    }
    for (nth, part) in parts.iter().enumerate().filter(|(_, part)| part.is_served()) {
        let key = words.key(cx, nth);
        reply_name(&mut cx.reply, key);
        if let Some(stream) = cx.world.store.stream(key, now_ms)? {
            reply_part(&mut cx.reply, stream, part);
        }
        if cx.reply.overflowed() {
            break;
        }
    }
    cx.whole_reply()?;
    cx.reply.assure();
    for (nth, part) in parts.into_iter().enumerate() {
        commit(cx, words.key(cx, nth), part, now_ms);
    }
    if served == 0 { missing(cx, &words, &seen) } else { Ok(()) }
}

/// The error for a key that is not there or does not have the group.
fn no_such(key: &[u8], group: &[u8]) -> Failure {
    let texts = ["NOGROUP No such key '", "' or consumer group '", "' in XREADGROUP with GROUP option"];
    quoting(texts, [key, group])
}

/// The ids of the request; `>` is the greatest one. All streams and their groups must be there.
fn seen(cx: &mut Cx<'_>, words: &Words<'_>, group: &[u8]) -> Result<Vec<StreamId>, Failure> {
    let mut seen = Vec::new();
    memory::reserve_exact(&mut seen, words.keys)?;
    for nth in 0..words.keys {
        let key = words.key(cx, nth);
        if lookup(cx.world, key)?.and_then(|stream| stream.group(group)).is_none() {
            return Err(no_such(key, group));
        }
        seen.push(match words.id(cx, nth) {
            b"$" => return Err(DOLLAR),
            b">" => StreamId::MAX,
            text => strict_id(text, 0)?,
        });
    }
    Ok(seen)
}

/// Refuses a request that names a key twice: what the second one gets would depend on the first, but all are prepared
/// before any is changed.
fn refuse_repetition(cx: &Cx<'_>, words: &Words<'_>) -> Outcome {
    if words.keys < 2 {
        return Ok(());
    }
    let mut keys = memory::collect((0..words.keys).map(|nth| words.key(cx, nth)))?;
    keys.sort_unstable();
    match keys.windows(2).find(|two| two[0] == two[1]) {
        Some(two) => {
            Err(Failure::quoting("ERR XREADGROUP takes each key only once, not '", two[0], "' again"))
        }
        None => Ok(()),
    }
}

/// Prepares what the stream of `key` gives to the consumer. `None` if there is no such key.
fn prepare(cx: &mut Cx<'_>, words: &Words<'_>, key: &[u8], id: StreamId) -> Result<Option<Part>, Failure> {
    let (group, consumer) = words.group.unwrap_or_default();
    let (count, now_ms) = (or_all(words.count), cx.world.now.unix_ms);
    Ok(cx.world.store.try_in_stream(key, now_ms, |stream| match id.next() {
        Ok(from) => stream.prepare_history(group, consumer, from, count).map(Part::Old),
        Err(_) => stream.prepare_delivery(group, consumer, count, !words.noack).map(Part::New),
    })?)
}

/// Replies with the entries that a stream gives.
fn reply_part(reply: &mut Reply<'_>, stream: &Stream, part: &Part) {
    match part {
        Part::New(delivery) => {
            reply.array(delivery.count());
            for entry in stream.delivered(delivery) {
                reply_entry(reply, entry);
                if reply.overflowed() {
                    break;
                }
            }
        }
        Part::Old(history) => {
            reply.array(history.ids().len());
            for id in history.ids() {
                match stream.log().get(*id) {
                    Some(entry) => reply_entry(reply, entry),
                    // The entry was removed and is still pending.
                    None => {
                        reply.array(2);
                        reply_id(reply, *id);
                        reply.null_array();
                    }
                }
                if reply.overflowed() {
                    break;
                }
            }
        }
    }
}

/// Gives the entries to the consumer.
fn commit(cx: &mut Cx<'_>, key: &[u8], part: Part, now_ms: u64) {
    let creates = part.creates_consumer();
    let change = |stream: &mut Stream| match part {
        Part::New(delivery) => stream.commit_delivery(delivery, now_ms),
        Part::Old(history) => drop(stream.commit_history(history, now_ms)),
    };
    cx.world.store.touch_stream(key, change);
    if creates {
        cx.world.store.tell(XGROUP_CREATECONSUMER, key);
    }
}

/// `XACK key group id [id ...]`: the entries are not pending any more. The reply is how many were.
pub fn xack(cx: &mut Cx<'_>) -> Outcome {
    let (key, group) = (cx.arg(1), cx.arg(2));
    if lookup(cx.world, key)?.and_then(|stream| stream.group(group)).is_none() {
        cx.reply.int(0);
        return Ok(());
    }
    let ids = ids(cx, 3)?;
    cx.reply.assure();
    let count = cx
        .world
        .store
        .touch_stream(key, |stream| stream.acknowledge(group, ids.iter().copied()).unwrap_or_default());
    cx.reply.int(count as i64);
    Ok(())
}
