//! The commands that remove the first or the last members of sorted sets and return them, without waiting.

use std::ops::Range;

use super::list_moves::{count_option, counted_keys};
use super::zsets::{reply_scored, tell_removed};
use crate::resp::{Proto, Reply, parse_i64};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{ZPOPMAX, ZPOPMIN};
use crate::service::world::World;
use crate::store::Ranked;

/// An end of a sorted set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The lowest score.
    Min,
    /// The highest score.
    Max,
}

impl End {
    /// The end that a word names.
    fn of(word: &[u8]) -> Result<End, Failure> {
        match word {
            _ if is(word, "MIN") => Ok(End::Min),
            _ if is(word, "MAX") => Ok(End::Max),
            _ => Err(SYNTAX),
        }
    }

    /// The numbers of the first `count` members from this end, in a sorted set of `len` members.
    pub(super) fn ranks(self, len: usize, count: usize) -> Range<usize> {
        match self {
            End::Min => 0..count.min(len),
            End::Max => len.saturating_sub(count)..len,
        }
    }
}

/// `ZPOPMIN key [count]`: removes the members with the lowest scores and returns them.
pub fn zpopmin(cx: &mut Cx<'_>) -> Outcome {
    pop(cx, End::Min)
}

/// `ZPOPMAX key [count]`: removes the members with the highest scores and returns them.
pub fn zpopmax(cx: &mut Cx<'_>) -> Outcome {
    pop(cx, End::Max)
}

fn pop(cx: &mut Cx<'_>, end: End) -> Outcome {
    if cx.args.len() > 3 {
        return Err(SYNTAX);
    }
    let key = cx.arg(1);
    let count = match cx.args.get(2) {
        None => None,
        Some(word) => {
            let text = "ERR value is out of range, must be positive";
            let count = parse_i64(word).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(Failure::text(text))?)
        }
    };
    let wanted = count.unwrap_or(1);
    let zset = cx.world.store.zset(key, cx.world.now.unix_ms)?;
    let Some(zset) = zset.filter(|_| wanted > 0) else {
        cx.reply.array(0);
        return Ok(());
    };
    let ranks = end.ranks(zset.len(), wanted);
    if count.is_none() {
        // Even in RESP3 a single member and its score are not in an array of their own.
        cx.reply.array(2);
        if let Some((member, score)) = zset.nth(ranks.start) {
            cx.reply.bulk(member);
            cx.reply.double(score);
        }
    } else {
        reply_ranks(&mut cx.reply, zset, end, ranks.clone(), false);
    }
    cx.whole_reply()?;
    cx.reply.assure();
    drop_ranks(cx.world, key, end, ranks);
    Ok(())
}

/// Replies with the members that have these numbers, those nearest to the end first, and with their scores. A member and
/// its score are in an array of their own in RESP3, and if `nested` is true.
fn reply_ranks(reply: &mut Reply<'_>, zset: Ranked<'_>, end: End, ranks: Range<usize>, nested: bool) {
    let count = ranks.len();
    let (forward, back) = match end {
        End::Min => (Some(zset.iter_from(ranks.start)), None),
        End::Max => (None, Some(zset.iter_back_from(ranks.end - 1))),
    };
    let members = forward.into_iter().flatten().chain(back.into_iter().flatten()).take(count);
    if !nested || reply.proto() == Proto::Resp3 {
        return reply_scored(reply, count, members, true);
    }
    reply.array(count);
    for (member, score) in members {
        reply.array(2);
        reply.bulk(member);
        reply.double(score);
        if reply.overflowed() {
            break;
        }
    }
}

/// Removes members from an end of the sorted set of `key`, and tells of it.
pub(super) fn drop_ranks(world: &mut World, key: &[u8], end: End, ranks: Range<usize>) {
    let removed = ranks.len();
    let gone = world.store.remove_zset_ranks(key, ranks);
    tell_removed(world, if end == End::Min { ZPOPMIN } else { ZPOPMAX }, key, removed, gone);
}

/// `ZMPOP numkeys key [key ...] MIN|MAX [COUNT count]`: removes members of the first of these sorted sets that is there,
/// and returns its key and the members.
pub fn zmpop(cx: &mut Cx<'_>) -> Outcome {
    let pops = ZsetPops::of(cx, 1)?;
    if !pops.pop(cx)? {
        cx.reply.null_array();
    }
    Ok(())
}

/// The arguments of `ZMPOP` and `BZMPOP`.
pub(super) struct ZsetPops {
    /// Position of the first key.
    first: usize,
    /// Number of keys.
    keys: usize,
    end: End,
    count: usize,
}

impl ZsetPops {
    /// Reads the arguments from the number of keys on, which stands at `at`.
    pub(super) fn of(cx: &Cx<'_>, at: usize) -> Result<ZsetPops, Failure> {
        let (keys, rest) = counted_keys(cx, at)?;
        let end = End::of(cx.args.get(rest).ok_or(SYNTAX)?)?;
        let count = count_option(cx, rest + 1)?;
        Ok(ZsetPops { first: at + 1, keys, end, count })
    }

    /// Which arguments are the keys.
    pub(super) fn keys(&self) -> Range<usize> {
        self.first..self.first + self.keys
    }

    /// Pops from the first sorted set that is there, and replies. Returns false, and does not reply, if there is none.
    pub(super) fn pop(&self, cx: &mut Cx<'_>) -> Result<bool, Failure> {
        for key in cx.args.from(self.first).take(self.keys) {
            let Some(zset) = cx.world.store.zset(key, cx.world.now.unix_ms)? else { continue };
            let ranks = self.end.ranks(zset.len(), self.count);
            cx.reply.array(2);
            cx.reply.bulk(key);
            reply_ranks(&mut cx.reply, zset, self.end, ranks.clone(), true);
            cx.whole_reply()?;
            cx.reply.assure();
            drop_ranks(cx.world, key, self.end, ranks);
            return Ok(true);
        }
        Ok(false)
    }
}
