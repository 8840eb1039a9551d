//! `XINFO`: what a stream, its groups and their consumers are like.

use super::stream_ids::{is_option, lookup, no_group, or_all, reply_entry, reply_id, reply_range};
use crate::resp::Reply;
use crate::service::cx::{Cx, Failure, Outcome, is};
use crate::service::errors::wrong_arguments;
use crate::store::{ConsumerInfo, Entry, Group, Stream, StreamId};

const NO_SUCH_KEY: Failure = Failure::text("ERR no such key");
/// How many entries `XINFO STREAM FULL` shows if the request does not say.
const FULL_COUNT: i64 = 10;

/// Writes a field with a number.
fn number(reply: &mut Reply<'_>, field: &str, number: i64) {
    reply.bulk(field.as_bytes());
    reply.int(number);
}

/// Writes a field with a number that may be unknown.
fn number_or_null(reply: &mut Reply<'_>, field: &str, known: Option<i64>) {
    reply.bulk(field.as_bytes());
    match known {
        Some(number) => reply.int(number),
        None => reply.null(),
    }
}

/// Writes a field with an id.
fn id(reply: &mut Reply<'_>, field: &str, id: StreamId) {
    reply.bulk(field.as_bytes());
    reply_id(reply, id);
}

/// Writes a field with a name.
fn name(reply: &mut Reply<'_>, name: &[u8]) {
    reply.bulk(b"name");
    reply.bulk(name);
}

/// `XINFO CONSUMERS key group`: the consumers of a group.
pub fn consumers(cx: &mut Cx<'_>) -> Outcome {
    let (key, group, now_ms) = (cx.arg(2), cx.arg(3), cx.exact_unix_ms());
    let stream = lookup(cx.world, key)?.ok_or(NO_SUCH_KEY)?;
    let group = stream.group(group).ok_or_else(|| no_group(key, group))?;
    cx.reply.array(group.consumers_len());
    for consumer in group.consumers() {
        let since = |ms: u64| now_ms.saturating_sub(ms) as i64;
        cx.reply.map(4);
        name(&mut cx.reply, consumer.name());
        number(&mut cx.reply, "pending", consumer.pending_len() as i64);
        number(&mut cx.reply, "idle", since(consumer.seen_ms()));
        number(&mut cx.reply, "inactive", consumer.active_ms().map_or(-1, since));
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `XINFO GROUPS key`: the groups of a stream.
pub fn groups(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(2);
    let stream = lookup(cx.world, key)?.ok_or(NO_SUCH_KEY)?;
    cx.reply.array(stream.groups_len());
    for group in stream.groups() {
        cx.reply.map(6);
        name(&mut cx.reply, group.name());
        number(&mut cx.reply, "consumers", group.consumers_len() as i64);
        number(&mut cx.reply, "pending", group.pending_len() as i64);
        progress(&mut cx.reply, stream, group);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// Writes how far a group has read: three fields.
fn progress(reply: &mut Reply<'_>, stream: &Stream, group: &Group) {
    id(reply, "last-delivered-id", group.last_id());
    number_or_null(reply, "entries-read", group.entries_read().map(|read| read as i64));
    number_or_null(reply, "lag", stream.lag(group));
}

/// `XINFO STREAM key [FULL [COUNT count]]`: facts about a stream; with `FULL` also entries, groups, consumers and what is
/// pending.
pub fn stream(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(2);
    lookup(cx.world, key)?.ok_or(NO_SUCH_KEY)?;
    let full = full_count(cx)?;
    let now_ms = cx.world.now.unix_ms;
    let stream = cx.world.store.stream(key, now_ms)?.ok_or(NO_SUCH_KEY)?;
    let (reply, log) = (&mut cx.reply, stream.log());
    reply.map(if full.is_some() { 9 } else { 10 });
    number(reply, "length", log.len() as i64);
    number(reply, "radix-tree-keys", log.nodes() as i64);
    number(reply, "radix-tree-nodes", log.nodes() as i64 + 1);
    id(reply, "last-generated-id", log.last_id());
    id(reply, "max-deleted-entry-id", log.max_deleted_id());
    number(reply, "entries-added", log.entries_added() as i64);
    id(reply, "recorded-first-entry-id", log.first_id());
    let Some(count) = full else {
        number(reply, "groups", stream.groups_len() as i64);
        for (field, entry) in [("first-entry", log.first()), ("last-entry", log.last())] {
            reply.bulk(field.as_bytes());
            entry_or_null(reply, entry);
        }
        return Ok(());
    };
    reply.bulk(b"entries");
    reply_range(reply, log, (StreamId::MIN, StreamId::MAX), count);
    reply.bulk(b"groups");
    reply.array(stream.groups_len());
    for group in stream.groups() {
        reply_group(reply, stream, group, count);
        if reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// How many entries the request wants to see in full; `None` if it only wants the facts.
fn full_count(cx: &Cx<'_>) -> Result<Option<usize>, Failure> {
    let wrong = wrong_arguments("XINFO", cx.arg(1));
    match cx.args.len() {
        3 => Ok(None),
        4 | 6 if !is(cx.arg(3), "FULL") => Err(wrong),
        4 => Ok(Some(FULL_COUNT as usize)),
        6 if is_option(cx, 4, "COUNT") => {
            let count = usize::try_from(cx.int(5)?).unwrap_or(FULL_COUNT as usize);
            Ok(Some(or_all(count)))
        }
        _ => Err(wrong),
    }
}

fn entry_or_null(reply: &mut Reply<'_>, entry: Option<Entry<'_>>) {
    match entry {
        Some(entry) => reply_entry(reply, entry),
        None => reply.null(),
    }
}

/// Replies with a group in full.
fn reply_group(reply: &mut Reply<'_>, stream: &Stream, group: &Group, count: usize) {
    reply.map(7);
    name(reply, group.name());
    progress(reply, stream, group);
    number(reply, "pel-count", group.pending_len() as i64);
    reply.bulk(b"pending");
    reply.array(group.pending_len().min(count));
    for pending in group.pending(StreamId::MIN, StreamId::MAX).take(count) {
        reply.array(4);
        reply_id(reply, pending.id);
        reply.bulk(pending.consumer);
        reply.int(pending.delivered_ms as i64);
        reply.int(i64::from(pending.deliveries));
        if reply.overflowed() {
            return;
        }
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers_len());
    for consumer in group.consumers() {
        reply_consumer(reply, consumer, count);
        if reply.overflowed() {
            return;
        }
    }
}

/// Replies with a consumer in full.
fn reply_consumer(reply: &mut Reply<'_>, consumer: ConsumerInfo<'_>, count: usize) {
    reply.map(5);
    name(reply, consumer.name());
    number(reply, "seen-time", consumer.seen_ms() as i64);
    number(reply, "active-time", consumer.active_ms().map_or(-1, |ms| ms as i64));
    number(reply, "pel-count", consumer.pending_len() as i64);
    reply.bulk(b"pending");
    reply.array(consumer.pending_len().min(count));
    for pending in consumer.pending(StreamId::MIN, StreamId::MAX).take(count) {
        reply.array(3);
        reply_id(reply, pending.id);
        reply.int(pending.delivered_ms as i64);
        reply.int(i64::from(pending.deliveries));
        if reply.overflowed() {
            return;
        }
    }
}
