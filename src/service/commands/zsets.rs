//! The commands about the members of a sorted set and their scores.

use super::scan::scan_scored;
use crate::base::memory;
use crate::config::RANDOM_PICKS_MAX;
use crate::resp::{Proto, Reply, parse_f64};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{DEL, ZADD, ZINCR, ZREM};
use crate::service::world::World;
use crate::store::{Event, Ranked, Scored, WrongKind};

pub(super) const NOT_FLOAT: Failure = Failure::text("ERR value is not a valid float");
const NAN: Failure = Failure::text("ERR resulting score is not a number (NaN)");

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

/// The options of `ZADD`.
#[derive(Clone, Copy, Default)]
pub(super) struct Rules {
    /// `NX`: only members that are not there.
    pub(super) new_only: bool,
    /// `XX`: only members that are there.
    pub(super) old_only: bool,
    /// `GT`: only scores that are greater than before.
    greater: bool,
    /// `LT`: only scores that are less than before.
    less: bool,
    /// `CH`: the reply counts changed members too.
    pub(super) count_changed: bool,
    /// `INCR`: the score is added to the one before.
    increment: bool,
}

/// What becomes of a member for which a score is given.
enum Fate {
    /// The options say that it is left alone.
    Skipped,
    /// It has this score already.
    Same(f64),
    /// It gets this score.
    Changed(f64),
    /// It is added with this score.
    Added(f64),
}

impl Rules {
    /// Reads the options, which begin at argument `at`. Returns them and the position behind them.
    fn of(cx: &Cx<'_>, mut at: usize) -> Result<(Rules, usize), Failure> {
        let mut rules = Rules::default();
        while let Some(word) = cx.args.get(at) {
            match word {
                _ if is(word, "NX") => rules.new_only = true,
                _ if is(word, "XX") => rules.old_only = true,
                _ if is(word, "GT") => rules.greater = true,
                _ if is(word, "LT") => rules.less = true,
                _ if is(word, "CH") => rules.count_changed = true,
                _ if is(word, "INCR") => rules.increment = true,
                _ => break,
            }
            at += 1;
        }
        Ok((rules, at))
    }

    /// Checks that the options go together, for a request with this many members.
    fn check(self, members: usize) -> Outcome {
        if self.new_only && self.old_only {
            let text = "ERR XX and NX options at the same time are not compatible";
            return Err(Failure::text(text));
        }
        if self.greater && self.less || self.new_only && (self.greater || self.less) {
            let text = "ERR GT, LT, and/or NX options at the same time are not compatible";
            return Err(Failure::text(text));
        }
        if self.increment && members > 1 {
            return Err(Failure::text("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// What becomes of a member that has the score `before`, or is not there, and for which a score is given.
    fn fate(self, before: Option<f64>, given: f64) -> Result<Fate, Failure> {
        let Some(before) = before else {
            return Ok(if self.old_only { Fate::Skipped } else { Fate::Added(given) });
        };
        if self.new_only {
            return Ok(Fate::Skipped);
        }
        let after = if self.increment { before + given } else { given };
        if after.is_nan() {
            return Err(NAN);
        }
        let skipped = self.less && after >= before || self.greater && after <= before;
        Ok(match after {
            _ if skipped => Fate::Skipped,
            _ if after == before => Fate::Same(after),
            _ => Fate::Changed(after),
        })
    }
}

/// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`: adds members, or changes their scores. The
/// reply is the number of new ones, or with `INCR` the score.
pub fn zadd(cx: &mut Cx<'_>) -> Outcome {
    add(cx, Rules::default())
}

/// `ZINCRBY key increment member`: adds to the score of a member, which is 0 if it is not there. The reply is the score.
pub fn zincrby(cx: &mut Cx<'_>) -> Outcome {
    add(cx, Rules { increment: true, ..Rules::default() })
}

/// A member to add: its bytes, the number of the argument, and the score that is given.
pub(super) type Given<'a> = (&'a [u8], usize, f64);

/// What `ZADD` is going to do.
#[derive(Default)]
struct Plan<'a> {
    /// The members that change, and the scores that they get.
    changes: Vec<Scored<'a>>,
    added: usize,
    changed: usize,
    /// The score of the last member that was not skipped.
    score: Option<f64>,
}

fn add(cx: &mut Cx<'_>, implied: Rules) -> Outcome {
    let (mut rules, first) = Rules::of(cx, 2)?;
    rules.increment |= implied.increment;
    let words = cx.args.len() - first;
    if words == 0 || !words.is_multiple_of(2) {
        return Err(SYNTAX);
    }
    rules.check(words / 2)?;
    let mut given = Vec::new();
    memory::reserve_exact(&mut given, words / 2)?;
    for at in (first..cx.args.len()).step_by(2) {
        given.push((cx.arg(at + 1), at, parse_f64(cx.arg(at)).ok_or(NOT_FLOAT)?));
    }
    add_given(cx, rules, given)
}

/// Adds members, as `ZADD` does once it has read its arguments.
pub(super) fn add_given(cx: &mut Cx<'_>, rules: Rules, mut given: Vec<Given<'_>>) -> Outcome {
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    given.iter().try_for_each(|(member, ..)| check_member(cx, member))?;
    // A member that is named twice: the scores count one after the other.
    given.sort_unstable_by_key(|(member, at, _)| (*member, *at));
    let zset = cx.world.store.zset(key, now_ms)?;
    let plan = plan(zset, rules, &given)?;
    let (added, changed, score) = (plan.added, plan.changed, plan.score);
    if plan.changes.is_empty() {
        cx.reply.assure();
    } else {
        let prepared = cx.world.store.prepare_zset_add(key, plan.changes, now_ms)?;
        cx.reply.assure();
        cx.world.store.commit_zset(prepared);
        cx.world.store.tell(if rules.increment { ZINCR } else { ZADD }, key);
    }
    match score {
        Some(score) if rules.increment => cx.reply.double(score),
        None if rules.increment => cx.reply.null(),
        _ => cx.reply.int((added + if rules.count_changed { changed } else { 0 }) as i64),
    }
    Ok(())
}

/// Applies the options to all given scores, which are sorted by member.
fn plan<'a>(zset: Option<Ranked<'_>>, rules: Rules, given: &[Given<'a>]) -> Result<Plan<'a>, Failure> {
    let mut plan = Plan::default();
    memory::reserve_exact(&mut plan.changes, given.len())?;
    for same in given.chunk_by(|one, other| one.0 == other.0) {
        let member = same[0].0;
        let mut score = zset.and_then(|zset| zset.score(member));
        let mut touched = false;
        for (_, _, given) in same {
            let fate = rules.fate(score, *given)?;
            let (Fate::Same(after) | Fate::Changed(after) | Fate::Added(after)) = fate else { continue };
            plan.score = Some(after);
            if let Fate::Same(_) = fate {
                continue;
            }
            plan.added += usize::from(matches!(fate, Fate::Added(_)));
            plan.changed += usize::from(matches!(fate, Fate::Changed(_)));
            (score, touched) = (Some(after), true);
        }
        if let (true, Some(score)) = (touched, score) {
            plan.changes.push((member, score));
        }
    }
    Ok(plan)
}

/// Checks the length of a member. It is limited like a key, because a command hashes, compares and matches the whole
/// member within one turn.
fn check_member(cx: &Cx<'_>, member: &[u8]) -> Outcome {
    let max = cx.world.config.max_key_bytes;
    if member.len() <= max {
        return Ok(());
    }
    Err(Failure::telling(format!("ERR member of {} bytes exceeds max-key-bytes ({max})", member.len())))
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
