//! The commands about pending entries: `XPENDING` tells of them, `XCLAIM` and `XAUTOCLAIM` give them to another consumer.

use super::stream_ids::{
    count, end_id, is_option, lookup, no_key_or_group, reply_entry, reply_id, start_id, strict_id,
};
use crate::base::memory;
use crate::resp::{Reply, parse_i64};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::XGROUP_CREATECONSUMER;
use crate::store::{Claim, ClaimOptions, ConsumerInfo, DeliveredAt, Group, PendingEntry, Stream, StreamId};

/// How many entries `XAUTOCLAIM` claims if the request does not say.
const AUTOCLAIM_COUNT: usize = 100;
/// Most entries that one `XAUTOCLAIM` may ask for.
const AUTOCLAIM_COUNT_MAX: i64 = i64::MAX / 16;

/// The words of `XPENDING` behind the group.
struct Search<'a> {
    min_idle_ms: u64,
    from: StreamId,
    to: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Search<'a> {
    fn of(cx: &Cx<'a>) -> Result<Search<'a>, Failure> {
        if !(6..=9).contains(&cx.args.len()) {
            return Err(SYNTAX);
        }
        let (mut first, mut min_idle_ms) = (3, 0);
        if is(cx.arg(3), "IDLE") {
            min_idle_ms = u64::try_from(cx.int(4)?).unwrap_or(0);
            if cx.args.len() < 8 {
                return Err(SYNTAX);
            }
            first = 5;
        }
        let count = count(cx, first + 2)?;
        let (from, to) = (start_id(cx.arg(first))?, end_id(cx.arg(first + 1))?);
        Ok(Search { min_idle_ms, from, to, count, consumer: cx.args.get(first + 3) })
    }
}

/// `XPENDING key group [[IDLE ms] start end count [consumer]]`: how many entries are pending, or which.
pub fn xpending(cx: &mut Cx<'_>) -> Outcome {
    let (key, name) = (cx.arg(1), cx.arg(2));
    let search = if cx.args.len() == 3 { None } else { Some(Search::of(cx)?) };
    let now_ms = cx.exact_unix_ms();
    let group = lookup(cx.world, key)?.and_then(|stream| stream.group(name));
    let group = group.ok_or_else(|| no_key_or_group(key, name))?;
    let Some(Search { min_idle_ms, from, to, count, consumer }) = search else {
        summarize(&mut cx.reply, group);
        return Ok(());
    };
    let waits = |entry: &PendingEntry<'_>| entry.idle_ms(now_ms) >= min_idle_ms;
    let found = match consumer {
        None => memory::collect(group.pending(from, to).filter(waits).take(count))?,
        Some(consumer) => {
            let pending = group.consumer(consumer).map(|consumer| consumer.pending(from, to));
            memory::collect(pending.into_iter().flatten().filter(waits).take(count))?
        }
    };
    cx.reply.array(found.len());
    for entry in found {
        cx.reply.array(4);
        reply_id(&mut cx.reply, entry.id);
        cx.reply.bulk(entry.consumer);
        cx.reply.int(i64::try_from(entry.idle_ms(now_ms)).unwrap_or(i64::MAX));
        cx.reply.int(i64::from(entry.deliveries));
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// Replies with how many entries of a group are pending, the first and the last id, and how many each consumer has.
fn summarize(reply: &mut Reply<'_>, group: &Group) {
    reply.array(4);
    reply.int(group.pending_len() as i64);
    let Some((first, last)) = group.pending_bounds() else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, first);
    reply_id(reply, last);
    let busy = |consumer: &ConsumerInfo<'_>| consumer.pending_len() > 0;
    reply.array(group.consumers().filter(busy).count());
    for consumer in group.consumers().filter(busy) {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk(consumer.pending_len().to_string().as_bytes());
        if reply.overflowed() {
            break;
        }
    }
}

/// Reads the options of `XCLAIM` from position `at` on.
fn claim_options(cx: &Cx<'_>, mut at: usize) -> Result<ClaimOptions, Failure> {
    let number = |at: usize, name: &str| {
        parse_i64(cx.arg(at))
            .ok_or_else(|| Failure::telling(format!("ERR Invalid {name} option argument for XCLAIM")))
    };
    let mut options = ClaimOptions { min_idle_ms: min_idle(cx)?, ..ClaimOptions::default() };
    while let Some(word) = cx.args.get(at) {
        let mut takes = 2;
        if is(word, "FORCE") {
            (options.force, takes) = (true, 1);
        } else if is(word, "JUSTID") {
            (options.just_id, takes) = (true, 1);
        } else if is_option(cx, at, "IDLE") {
            options.delivered = DeliveredAt::Ago(number(at + 1, "IDLE")?);
        } else if is_option(cx, at, "TIME") {
            options.delivered = DeliveredAt::Time(number(at + 1, "TIME")?);
        } else if is_option(cx, at, "RETRYCOUNT") {
            options.retry_count = u64::try_from(number(at + 1, "RETRYCOUNT")?).ok();
        } else if is_option(cx, at, "LASTID") {
            options.last_id = Some(strict_id(cx.arg(at + 1), 0)?);
        } else {
            return Err(Failure::quoting("ERR Unrecognized XCLAIM option '", word, "'"));
        }
        at += takes;
    }
    Ok(options)
}

/// How long an entry must have been pending to be claimed, in milliseconds.
fn min_idle(cx: &Cx<'_>) -> Result<u64, Failure> {
    let ms = parse_i64(cx.arg(4)).ok_or_else(|| {
        let name = cx.command.name.to_ascii_uppercase();
        Failure::telling(format!("ERR Invalid min-idle-time argument for {name}"))
    })?;
    Ok(u64::try_from(ms).unwrap_or(0))
}

/// `XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-ms] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID
/// id]`: the consumer gets pending entries. The reply is these entries.
pub fn xclaim(cx: &mut Cx<'_>) -> Outcome {
    let (key, group, consumer) = (cx.arg(1), cx.arg(2), cx.arg(3));
    let now_ms = cx.exact_unix_ms();
    if lookup(cx.world, key)?.and_then(|stream| stream.group(group)).is_none() {
        return Err(no_key_or_group(key, group));
    }
    min_idle(cx)?;
    // The options begin at the first word that is no id.
    let mut ids = Vec::new();
    memory::reserve_exact(&mut ids, cx.args.len() - 5)?;
    ids.extend(cx.args.from(5).map_while(|text| strict_id(text, 0).ok()));
    let options = claim_options(cx, 5 + ids.len())?;
    let claim = cx.world.store.try_in_stream(key, now_ms, |stream| {
        stream.prepare_claim(group, consumer, ids.iter().copied(), options, now_ms)
    })?;
    let claim = claim.ok_or_else(|| no_key_or_group(key, group))?;
    reply_claimed(cx, key, &claim.outlook().ids, options.just_id)?;
    cx.whole_reply()?;
    cx.reply.assure();
    commit(cx, key, claim);
    Ok(())
}

/// Replies with the entries that are going to be claimed.
fn reply_claimed(cx: &mut Cx<'_>, key: &[u8], ids: &[StreamId], just_id: bool) -> Outcome {
    let log = cx.world.store.stream(key, cx.world.now.unix_ms)?.map(Stream::log);
    cx.reply.array(ids.len());
    for id in ids {
        match log.and_then(|log| log.get(*id)) {
            Some(entry) if !just_id => reply_entry(&mut cx.reply, entry),
            _ => reply_id(&mut cx.reply, *id),
        }
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// Claims the entries.
fn commit(cx: &mut Cx<'_>, key: &[u8], claim: Claim) {
    let creates = claim.creates_consumer();
    let expected = claim.outlook().ids.len();
    let claimed = cx.world.store.touch_stream(key, |stream| stream.commit_claim(claim));
    debug_assert_eq!(claimed.ids.len(), expected, "the reply says what is claimed");
    if creates {
        cx.world.store.tell(XGROUP_CREATECONSUMER, key);
    }
}

/// `XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]`: the consumer gets entries that have been
/// pending for so long. The reply is where to go on, these entries, and the ids of those that are gone.
pub fn xautoclaim(cx: &mut Cx<'_>) -> Outcome {
    let (key, group, consumer) = (cx.arg(1), cx.arg(2), cx.arg(3));
    let now_ms = cx.exact_unix_ms();
    let mut options = ClaimOptions { min_idle_ms: min_idle(cx)?, ..ClaimOptions::default() };
    let (start, mut count, mut at) = (start_id(cx.arg(5))?, AUTOCLAIM_COUNT, 6);
    while let Some(word) = cx.args.get(at) {
        if is_option(cx, at, "COUNT") {
            let wanted =
                parse_i64(cx.arg(at + 1)).filter(|wanted| (1..=AUTOCLAIM_COUNT_MAX).contains(wanted));
            count = wanted.ok_or(Failure::text("ERR COUNT must be > 0"))? as usize;
            at += 1;
        } else if is(word, "JUSTID") {
            options.just_id = true;
        } else {
            return Err(SYNTAX);
        }
        at += 1;
    }
    if lookup(cx.world, key)?.and_then(|stream| stream.group(group)).is_none() {
        return Err(no_key_or_group(key, group));
    }
    let claim = cx.world.store.try_in_stream(key, now_ms, |stream| {
        stream.prepare_autoclaim(group, consumer, start, count, options, now_ms)
    })?;
    let claim = claim.ok_or_else(|| no_key_or_group(key, group))?;
    cx.reply.array(3);
    reply_id(&mut cx.reply, claim.outlook().next);
    reply_claimed(cx, key, &claim.outlook().ids, options.just_id)?;
    let deleted = &claim.outlook().deleted;
    cx.reply.array(deleted.len());
    for id in deleted {
        reply_id(&mut cx.reply, *id);
        if cx.reply.overflowed() {
            break;
        }
    }
    cx.whole_reply()?;
    cx.reply.assure();
    commit(cx, key, claim);
    Ok(())
}
