//! The commands that read members of a sorted set and their scores, and that remove members.

use super::scan::scan_scored;
use crate::config::RANDOM_PICKS_MAX;
use crate::resp::{Proto, Reply};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{DEL, ZREM};
use crate::service::world::World;
use crate::store::{Event, Ranked, Scored, WrongKind};

/// The sorted set of `key`, if there is one. Counts a hit or a miss.
pub(super) fn lookup<'w>(world: &'w mut World, key: &[u8]) -> Result<Option<Ranked<'w>>, WrongKind> {
    world.tell_miss(key);
    let found = world.store.zset(key, world.now.unix_ms);
    match found {
        Ok(None) => world.stats.keyspace_misses += 1,
        Ok(Some(_)) | Err(WrongKind) => world.stats.keyspace_hits += 1,
    }
    found
}

/// `ZREM key member [member ...]`: removes members, and the key with its last one. The reply is the number of members
/// that the sorted set had.
pub fn zrem(cx: &mut Cx<'_>) -> Outcome {
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    let removal = cx.world.store.prepare_zset_remove(key, cx.args.from(2), now_ms)?;
    cx.reply.assure();
    let removed = removal.removed();
    let gone = cx.world.store.commit_zset_remove(removal);
    tell_removed(cx.world, ZREM, key, removed, gone);
    cx.reply.int(removed as i64);
    Ok(())
}

/// Tells that members of `key` were removed, and whether the key is gone with them.
pub(super) fn tell_removed(world: &mut World, event: Event, key: &[u8], removed: usize, gone: bool) {
    if removed > 0 {
        world.store.tell(event, key);
    }
    if gone {
        world.store.tell(DEL, key);
    }
}

/// `ZCARD key`: the number of members.
pub fn zcard(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let len = lookup(cx.world, key)?.map_or(0, Ranked::len);
    cx.reply.int(len as i64);
    Ok(())
}

/// `ZSCORE key member`: the score of a member.
pub fn zscore(cx: &mut Cx<'_>) -> Outcome {
    let (key, member) = (cx.arg(1), cx.arg(2));
    let score = lookup(cx.world, key)?.and_then(|zset| zset.score(member));
    reply_score(&mut cx.reply, score);
    Ok(())
}

/// `ZMSCORE key member [member ...]`: the score of each member.
pub fn zmscore(cx: &mut Cx<'_>) -> Outcome {
    let (key, members) = (cx.arg(1), cx.args.from(2));
    let zset = lookup(cx.world, key)?;
    cx.reply.array(members.len());
    for member in members {
        reply_score(&mut cx.reply, zset.and_then(|zset| zset.score(member)));
    }
    Ok(())
}

/// Replies with a score, or null if there is none.
fn reply_score(reply: &mut Reply<'_>, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

/// `ZRANK key member [WITHSCORE]`: how many members come before this one.
pub fn zrank(cx: &mut Cx<'_>) -> Outcome {
    rank(cx, |_, rank| rank)
}

/// `ZREVRANK key member [WITHSCORE]`: how many members come after this one.
pub fn zrevrank(cx: &mut Cx<'_>) -> Outcome {
    rank(cx, |len, rank| len - 1 - rank)
}

fn rank(cx: &mut Cx<'_>, shown: impl FnOnce(usize, usize) -> usize) -> Outcome {
    let (key, member) = (cx.arg(1), cx.arg(2));
    if cx.args.len() > 4 {
        return Err(cx.wrong_number());
    }
    let with_score = match cx.args.get(3) {
        None => false,
        Some(word) if is(word, "WITHSCORE") => true,
        Some(_) => return Err(SYNTAX),
    };
    let zset = lookup(cx.world, key)?;
    let found = zset.and_then(|zset| Some((zset.len(), zset.rank(member)?, zset.score(member)?)));
    match found {
        Some((len, rank, score)) => {
            if with_score {
                cx.reply.array(2);
            }
            cx.reply.int(shown(len, rank) as i64);
            if with_score {
                cx.reply.double(score);
            }
        }
        None if with_score => cx.reply.null_array(),
        None => cx.reply.null(),
    }
    Ok(())
}

/// `ZRANDMEMBER key [count [WITHSCORES]]`: a random member, or several. With a negative count, a member may be picked more
/// than once.
pub fn zrandmember(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let mut dice = cx.world.store.dice();
    if cx.args.len() == 2 {
        let picked = lookup(cx.world, key)?.and_then(|zset| zset.pick(&mut dice));
        cx.reply.bulk_or_null(picked.map(|(member, _)| member));
        return Ok(());
    }
    let count = cx.int(2)?;
    if count == i64::MIN {
        let text =
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
        return Err(Failure::text(text));
    }
    let with_scores = match cx.args.get(3) {
        None => false,
        Some(word) if cx.args.len() == 4 && is(word, "WITHSCORES") => true,
        Some(_) => return Err(SYNTAX),
    };
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Failure::text("ERR value is out of range"));
    }
    let Some(zset) = lookup(cx.world, key)? else {
        cx.reply.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count >= 0 {
        let chosen = zset.sample(wanted, &mut dice)?;
        reply_scored(&mut cx.reply, chosen.len(), chosen.into_iter(), with_scores);
        return Ok(());
    }
    if wanted > RANDOM_PICKS_MAX {
        return Err(Failure::telling(format!("ERR value is out of range, at most {RANDOM_PICKS_MAX} picks")));
    }
    let picks = (0..wanted).map_while(|_| zset.pick(&mut dice));
    reply_scored(&mut cx.reply, wanted, picks, with_scores);
    Ok(())
}

/// Replies with `count` members, and with their scores if `with_scores` is true. In RESP3 a member and its score are then
/// an array of their own.
pub(super) fn reply_scored<'p>(
    reply: &mut Reply<'_>,
    count: usize,
    members: impl Iterator<Item = Scored<'p>>,
    with_scores: bool,
) {
    let nested = with_scores && reply.proto() == Proto::Resp3;
    reply.array(count.saturating_mul(if with_scores && !nested { 2 } else { 1 }));
    for (member, score) in members {
        if nested {
            reply.array(2);
        }
        reply.bulk(member);
        if with_scores {
            reply.double(score);
        }
        if reply.overflowed() {
            break;
        }
    }
}

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`: the next members and scores of a scan of a sorted set.
pub fn zscan(cx: &mut Cx<'_>) -> Outcome {
    scan_scored(cx)
}
