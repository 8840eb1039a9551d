//! The commands that give members of a sorted set their scores.

use crate::base::memory;
use crate::resp::parse_f64;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{ZADD, ZINCR};
use crate::store::{Ranked, Scored};

pub(super) const NOT_FLOAT: Failure = Failure::text("ERR value is not a valid float");
const NAN: Failure = Failure::text("ERR resulting score is not a number (NaN)");

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
    if words == 2 && rescore(cx, rules, first)? {
        return Ok(());
    }
    let mut given = Vec::new();
    memory::reserve_exact(&mut given, words / 2)?;
    for at in (first..cx.args.len()).step_by(2) {
        given.push((cx.arg(at + 1), at, parse_f64(cx.arg(at)).ok_or(NOT_FLOAT)?));
    }
    add_given(cx, rules, given)
}

/// Gives a single member another score, if a large sorted set has it and needs no memory for that. `at` is the position
/// of the score that is given. Returns false if it is not so; then nothing has happened. Nearly all updates are of this
/// kind, and this way is far shorter than the way for several members.
fn rescore(cx: &mut Cx<'_>, rules: Rules, at: usize) -> Result<bool, Failure> {
    let (key, member) = (cx.arg(1), cx.arg(at + 1));
    let given = parse_f64(cx.arg(at)).ok_or(NOT_FLOAT)?;
    check_member(cx, member)?;
    let Some(ready) = cx.world.store.ready_member(key, member, cx.world.now.unix_ms)? else {
        return Ok(false);
    };
    let fate = rules.fate(Some(ready.score()), given)?;
    cx.reply.assure();
    if let Fate::Changed(after) = fate {
        cx.world.store.commit_score(ready, after);
        cx.world.store.tell(if rules.increment { ZINCR } else { ZADD }, key);
    }
    match fate {
        Fate::Same(after) | Fate::Changed(after) if rules.increment => cx.reply.double(after),
        _ if rules.increment => cx.reply.null(),
        Fate::Changed(_) if rules.count_changed => cx.reply.int(1),
        _ => cx.reply.int(0),
    }
    Ok(true)
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
