//! The commands about ranges of a sorted set: by rank, by score, or by the bytes of the members.

use std::ops::Range;

use super::zcombine::{Copied, keep};
use super::zsets::{lookup, reply_scored, tell_removed};
use crate::resp::parse_bound;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{ZRANGESTORE, ZREMRANGEBYLEX, ZREMRANGEBYRANK, ZREMRANGEBYSCORE};
use crate::store::{Event, Ranked, Scored};

/// What a range is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// Which members belong to a range.
enum Bounds<'a> {
    /// Those with these numbers; a negative one is counted from the end.
    Ranks(i64, i64),
    /// Those with scores between these.
    Scores(ScoreEnd, ScoreEnd),
    /// Those whose bytes are between these.
    Lex(LexEnd<'a>, LexEnd<'a>),
}

/// An end of a range of scores.
struct ScoreEnd {
    score: f64,
    exclusive: bool,
}

/// An end of a range of members.
enum LexEnd<'a> {
    /// `-`: before all members.
    First,
    /// `+`: behind all members.
    Last,
    /// A member.
    Member { member: &'a [u8], exclusive: bool },
}

impl ScoreEnd {
    fn of(word: &[u8]) -> Result<ScoreEnd, Failure> {
        let (exclusive, number) = match word {
            [b'(', number @ ..] => (true, number),
            number => (false, number),
        };
        let score = parse_bound(number).ok_or(Failure::text("ERR min or max is not a float"))?;
        Ok(ScoreEnd { score, exclusive })
    }
}

impl<'a> LexEnd<'a> {
    fn of(word: &'a [u8]) -> Result<LexEnd<'a>, Failure> {
        match word {
            b"-" => Ok(LexEnd::First),
            b"+" => Ok(LexEnd::Last),
            [b'(', member @ ..] => Ok(LexEnd::Member { member, exclusive: true }),
            [b'[', member @ ..] => Ok(LexEnd::Member { member, exclusive: false }),
            _ => Err(Failure::text("ERR min or max not valid string range item")),
        }
    }

    /// How many members come before this end of the range. `is_min` tells which end it is.
    fn count_below(&self, zset: Ranked<'_>, is_min: bool) -> usize {
        match self {
            LexEnd::First => 0,
            LexEnd::Last => zset.len(),
            LexEnd::Member { member, exclusive } => zset.count_below_lex(member, *exclusive == is_min),
        }
    }
}

impl<'a> Bounds<'a> {
    /// Reads the two ends of a range. Of a reversed range of scores or members, the upper end comes first.
    fn of(cx: &Cx<'a>, by: By, at: [usize; 2]) -> Result<Bounds<'a>, Failure> {
        let [min, max] = at.map(|at| cx.arg(at));
        Ok(match by {
            By::Rank => Bounds::Ranks(cx.int(at[0])?, cx.int(at[1])?),
            By::Score => Bounds::Scores(ScoreEnd::of(min)?, ScoreEnd::of(max)?),
            By::Lex => Bounds::Lex(LexEnd::of(min)?, LexEnd::of(max)?),
        })
    }

    /// The numbers of the members that belong to the range. `reverse` says that ranks are counted from the highest score.
    fn ranks(&self, zset: Ranked<'_>, reverse: bool) -> Range<usize> {
        let ranks = match self {
            Bounds::Ranks(start, stop) => ranks_between(zset.len(), *start, *stop, reverse),
            Bounds::Scores(min, max) => {
                let start = zset.count_below(min.score, min.exclusive);
                start..zset.count_below(max.score, !max.exclusive)
            }
            Bounds::Lex(min, max) => min.count_below(zset, true)..max.count_below(zset, false),
        };
        if ranks.is_empty() { 0..0 } else { ranks }
    }
}

/// The numbers from `start` to `stop`, where a negative one is counted from the end.
fn ranks_between(len: usize, start: i64, stop: i64, reverse: bool) -> Range<usize> {
    let len = len as i64;
    let from_end = |rank: i64| if rank < 0 { rank + len } else { rank };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
    if start > stop || start >= len {
        return 0..0;
    }
    let (first, last) = if reverse { (len - 1 - stop, len - 1 - start) } else { (start, stop) };
    first as usize..last as usize + 1
}

/// A question for the members of a range.
struct Query<'a> {
    bounds: Bounds<'a>,
    /// True if the members with the highest scores come first.
    reverse: bool,
    /// How many members are left out, and how many are wanted at most.
    limit: (i64, i64),
    with_scores: bool,
}

impl<'a> Query<'a> {
    /// Reads a range, whose first end stands at `at`, and the options behind it. `by` and `reverse` are what the name of
    /// the command says; `None` if the options say it. `stored` says that the result is going to be stored.
    fn of(
        cx: &Cx<'a>,
        at: usize,
        mut by: Option<By>,
        mut reverse: Option<bool>,
        stored: bool,
    ) -> Result<Query<'a>, Failure> {
        let (mut limit, mut with_scores) = ((0, -1), false);
        let mut next = at + 2;
        while let Some(word) = cx.args.get(next) {
            match word {
                _ if !stored && is(word, "WITHSCORES") => with_scores = true,
                _ if is(word, "LIMIT") && next + 2 < cx.args.len() => {
                    limit = (cx.int(next + 1)?, cx.int(next + 2)?);
                    next += 2;
                }
                _ if reverse.is_none() && is(word, "REV") => reverse = Some(true),
                _ if by.is_none() && is(word, "BYLEX") => by = Some(By::Lex),
                _ if by.is_none() && is(word, "BYSCORE") => by = Some(By::Score),
                _ => return Err(SYNTAX),
            }
            next += 1;
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if limit.1 != -1 && by == By::Rank {
            let text =
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
            return Err(Failure::text(text));
        }
        if by == By::Rank {
            // Redis does not look at the offset here.
            limit = (0, -1);
        }
        if with_scores && by == By::Lex {
            let text = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
            return Err(Failure::text(text));
        }
        let ends = if reverse && by != By::Rank { [at + 1, at] } else { [at, at + 1] };
        Ok(Query { bounds: Bounds::of(cx, by, ends)?, reverse, limit, with_scores })
    }

    /// The number of members, and these in their order.
    fn members<'z>(&self, zset: Ranked<'z>) -> (usize, impl Iterator<Item = Scored<'z>> + use<'z>) {
        let ranks = self.bounds.ranks(zset, self.reverse);
        let skipped = usize::try_from(self.limit.0).unwrap_or(usize::MAX).min(ranks.len());
        let wanted = usize::try_from(self.limit.1).unwrap_or(usize::MAX);
        let count = wanted.min(ranks.len() - skipped);
        let (forward, back) = match self.reverse {
            _ if count == 0 => (None, None),
            false => (Some(zset.iter_from(ranks.start + skipped)), None),
            true => (None, Some(zset.iter_back_from(ranks.end - 1 - skipped))),
        };
        (count, forward.into_iter().flatten().chain(back.into_iter().flatten()).take(count))
    }
}

/// `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`
pub fn zrange(cx: &mut Cx<'_>) -> Outcome {
    show(cx, None, None)
}

/// `ZREVRANGE key start stop [WITHSCORES]`
pub fn zrevrange(cx: &mut Cx<'_>) -> Outcome {
    show(cx, Some(By::Rank), Some(true))
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`
pub fn zrangebyscore(cx: &mut Cx<'_>) -> Outcome {
    show(cx, Some(By::Score), Some(false))
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`
pub fn zrevrangebyscore(cx: &mut Cx<'_>) -> Outcome {
    show(cx, Some(By::Score), Some(true))
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`
pub fn zrangebylex(cx: &mut Cx<'_>) -> Outcome {
    show(cx, Some(By::Lex), Some(false))
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`
pub fn zrevrangebylex(cx: &mut Cx<'_>) -> Outcome {
    show(cx, Some(By::Lex), Some(true))
}

/// Replies with the members of a range.
fn show(cx: &mut Cx<'_>, by: Option<By>, reverse: Option<bool>) -> Outcome {
    let query = Query::of(cx, 2, by, reverse, false)?;
    let Some(zset) = lookup(cx.world, cx.args.get(1).unwrap_or_default())? else {
        cx.reply.array(0);
        return Ok(());
    };
    let (count, members) = query.members(zset);
    reply_scored(&mut cx.reply, count, members, query.with_scores);
    Ok(())
}

/// `ZRANGESTORE destination source start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count]`: stores the members of a range
/// in the place of whatever the destination holds. The reply is their number.
pub fn zrangestore(cx: &mut Cx<'_>) -> Outcome {
    let (to, from) = (cx.arg(1), cx.arg(2));
    let query = Query::of(cx, 3, None, None, true)?;
    let zset = lookup(cx.world, from)?;
    // The members are borrowed from the store, so they are copied before the store changes.
    let copied = Copied::of(zset.into_iter().flat_map(|zset| query.members(zset).1))?;
    keep(cx, to, &copied, ZRANGESTORE)
}

/// `ZCOUNT key min max`: how many members have scores in a range.
pub fn zcount(cx: &mut Cx<'_>) -> Outcome {
    count(cx, By::Score)
}

/// `ZLEXCOUNT key min max`: how many members are in a range of their bytes.
pub fn zlexcount(cx: &mut Cx<'_>) -> Outcome {
    count(cx, By::Lex)
}

fn count(cx: &mut Cx<'_>, by: By) -> Outcome {
    let (key, bounds) = (cx.arg(1), Bounds::of(cx, by, [2, 3])?);
    let count = lookup(cx.world, key)?.map_or(0, |zset| bounds.ranks(zset, false).len());
    cx.reply.int(count as i64);
    Ok(())
}

/// `ZREMRANGEBYRANK key start stop`
pub fn zremrangebyrank(cx: &mut Cx<'_>) -> Outcome {
    remove(cx, By::Rank, ZREMRANGEBYRANK)
}

/// `ZREMRANGEBYSCORE key min max`
pub fn zremrangebyscore(cx: &mut Cx<'_>) -> Outcome {
    remove(cx, By::Score, ZREMRANGEBYSCORE)
}

/// `ZREMRANGEBYLEX key min max`
pub fn zremrangebylex(cx: &mut Cx<'_>) -> Outcome {
    remove(cx, By::Lex, ZREMRANGEBYLEX)
}

/// Removes the members of a range. The reply is their number.
fn remove(cx: &mut Cx<'_>, by: By, event: Event) -> Outcome {
    let (key, bounds) = (cx.arg(1), Bounds::of(cx, by, [2, 3])?);
    let zset = cx.world.store.zset(key, cx.world.now.unix_ms)?;
    let ranks = zset.map_or(0..0, |zset| bounds.ranks(zset, false));
    cx.reply.assure();
    let removed = ranks.len();
    let gone = cx.world.store.remove_zset_ranks(key, ranks);
    tell_removed(cx.world, event, key, removed, gone);
    cx.reply.int(removed as i64);
    Ok(())
}
