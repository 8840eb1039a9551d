//! The commands that combine sorted sets. A plain set counts as one whose scores are all 1.

use super::combine::{looks_up, united, without};
use super::zsets::reply_scored;
use crate::base::{OutOfMemory, fault, memory};
use crate::resp::{Args, parse_f64, parse_i64};
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome, SYNTAX, is};
use crate::service::events::{DEL, ZDIFFSTORE, ZINTERSTORE, ZUNIONSTORE};
use crate::service::world::World;
use crate::store::{Event, Kind, Member, Members, Ranked, Scored, WrongKind, by_order};

/// How sorted sets are combined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// The members that all have.
    Intersect,
    /// The members that at least one has.
    Unite,
    /// The members of the first one that no other one has.
    Subtract,
}

/// How the scores of a member are combined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(word: &[u8]) -> Result<Aggregate, Failure> {
        match word {
            _ if is(word, "SUM") => Ok(Aggregate::Sum),
            _ if is(word, "MIN") => Ok(Aggregate::Min),
            _ if is(word, "MAX") => Ok(Aggregate::Max),
            _ => Err(SYNTAX),
        }
    }

    /// The score of a member that has `score` so far and `other` in one more sorted set.
    fn of_both(self, score: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => not_nan(score + other),
            Aggregate::Min => {
                if other < score {
                    other
                } else {
                    score
                }
            }
            Aggregate::Max => {
                if other > score {
                    other
                } else {
                    score
                }
            }
        }
    }
}

/// The number, or 0 for NaN: opposite infinities add up to 0, and infinity times 0 is 0.
fn not_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A member of an input or of a combination, and its score.
type Entry<'w> = (Member<'w>, f64);

/// The same, to be read.
fn scored<'e>(entry: &'e Entry<'_>) -> Scored<'e> {
    (&entry.0, entry.1)
}

/// One of the inputs.
#[derive(Clone, Copy)]
enum Input<'a> {
    /// There is no such key.
    Nothing,
    Zset(Ranked<'a>),
    Set(Members<'a>),
}

impl<'a> Input<'a> {
    fn len(self) -> usize {
        match self {
            Input::Nothing => 0,
            Input::Zset(zset) => zset.len(),
            Input::Set(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Input::Nothing => None,
            Input::Zset(zset) => zset.score(member),
            Input::Set(set) => set.contains(member).then_some(1.0),
        }
    }

    fn iter(self) -> impl Iterator<Item = Entry<'a>> {
        let (zset, set) = match self {
            Input::Nothing => (None, None),
            Input::Zset(zset) => (Some(zset), None),
            Input::Set(set) => (None, Some(set)),
        };
        let members = set.into_iter().flat_map(Members::iter).map(|member| (member, 1.0));
        let ranked = zset.into_iter().flat_map(|zset| zset.iter_from(0));
        ranked.map(|(member, score)| (member.into(), score)).chain(members)
    }
}

/// An input with the number that its scores are multiplied by.
#[derive(Clone, Copy)]
struct Weighted<'a> {
    input: Input<'a>,
    weight: f64,
}

/// What `ZUNION` and the like are asked for.
struct Request<'w> {
    inputs: Vec<Weighted<'w>>,
    aggregate: Aggregate,
    with_scores: bool,
    /// How many members `ZINTERCARD` counts at most; 0 for all.
    limit: usize,
}

/// What the reply is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// The members.
    Members,
    /// Their number; they are stored.
    Stored,
    /// Their number.
    Count,
}

/// Reads a request whose number of keys stands at `at`, and looks the keys up. Counts hits and misses.
fn request<'w>(
    world: &'w mut World,
    command: &str,
    args: Args<'_>,
    at: usize,
    how: How,
    wanted: Wanted,
) -> Result<Request<'w>, Failure> {
    let number = args.get(at).and_then(parse_i64).ok_or(NOT_INTEGER)?;
    let Some(count) = usize::try_from(number).ok().filter(|count| *count > 0) else {
        return Err(Failure::telling(format!("ERR at least 1 input key is needed for '{command}' command")));
    };
    if count > args.len() - at - 1 {
        return Err(SYNTAX);
    }
    let inputs = inputs(world, args.from(at + 1).take(count))?;
    let mut request = Request { inputs, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
    let mut next = at + 1 + count;
    while let Some(word) = args.get(next) {
        let left = args.len() - next;
        let combines = how != How::Subtract && wanted != Wanted::Count;
        match word {
            _ if combines && left > count && is(word, "WEIGHTS") => {
                for (input, word) in request.inputs.iter_mut().zip(args.from(next + 1)) {
                    let text = "ERR weight value is not a float";
                    input.weight = parse_f64(word).ok_or(Failure::text(text))?;
                }
                next += count;
            }
            _ if combines && left >= 2 && is(word, "AGGREGATE") => {
                request.aggregate = Aggregate::of(&args[next + 1])?;
                next += 1;
            }
            _ if wanted == Wanted::Members && is(word, "WITHSCORES") => request.with_scores = true,
            _ if wanted == Wanted::Count && left >= 2 && is(word, "LIMIT") => {
                let limit = parse_i64(&args[next + 1]).and_then(|limit| usize::try_from(limit).ok());
                request.limit = limit.ok_or(Failure::text("ERR LIMIT can't be negative"))?;
                next += 1;
            }
            _ => return Err(SYNTAX),
        }
        next += 1;
    }
    Ok(request)
}

/// What the keys hold, in their order.
fn inputs<'w, 'k>(
    world: &'w mut World,
    keys: impl Iterator<Item = &'k [u8]> + Clone,
) -> Result<Vec<Weighted<'w>>, Failure> {
    let mut kinds = Vec::new();
    for key in keys.clone() {
        fault::point();
        world.tell_miss(key);
        let kind = world.store.kind(key, world.now.unix_ms);
        match kind {
            None => world.stats.keyspace_misses += 1,
            Some(_) => world.stats.keyspace_hits += 1,
        }
        if !matches!(kind, None | Some(Kind::Zset | Kind::Set)) {
            return Err(WrongKind.into());
        }
        memory::reserve(&mut kinds, 1)?;
        kinds.push(kind);
    }
    let store = &world.store;
    let input = |(key, kind): (&[u8], Option<Kind>)| {
        let input = match kind {
            Some(Kind::Zset) => store.zset_there(key).map(Input::Zset),
            Some(_) => store.set_there(key).map(Input::Set),
            None => None,
        };
        Weighted { input: input.unwrap_or(Input::Nothing), weight: 1.0 }
    };
    Ok(memory::collect(keys.zip(kinds).map(input))?)
}

impl<'w> Request<'w> {
    /// The inputs, the smallest one first.
    fn by_size(&self) -> Result<Vec<Weighted<'w>>, OutOfMemory> {
        let mut numbered = memory::collect(self.inputs.iter().copied().enumerate())?;
        numbered.sort_unstable_by_key(|(nth, weighted)| (weighted.input.len(), *nth));
        memory::collect(numbered.into_iter().map(|(_, weighted)| weighted))
    }

    /// The members of the combination with their scores, in no particular order.
    fn combine(&self, how: How) -> Result<Vec<Entry<'w>>, OutOfMemory> {
        match how {
            How::Intersect => memory::collect(self.intersection()?),
            How::Unite => self.union(),
            How::Subtract => {
                let Some((first, others)) = self.inputs.split_first() else { return Ok(Vec::new()) };
                let others = memory::collect(others.iter().filter(|other| other.input.len() > 0))?;
                if looks_up(first.input.len(), others.iter().map(|other| other.input.len())) {
                    let alone =
                        |entry: &Entry<'_>| !others.iter().any(|other| other.input.score(&entry.0).is_some());
                    return memory::collect(first.input.iter().filter(alone));
                }
                let gone = others.iter().flat_map(|other| other.input.iter()).map(|(member, _)| member);
                without(memory::collect(first.input.iter())?, |(member, _)| member, gone)
            }
        }
    }

    fn intersection(&self) -> Result<impl Iterator<Item = Entry<'w>> + use<'w>, OutOfMemory> {
        let (inputs, aggregate) = (self.by_size()?, self.aggregate);
        let smallest = inputs.first().map_or(Input::Nothing, |smallest| smallest.input);
        Ok(smallest.iter().filter_map(move |(member, score)| {
            let (first, others) = inputs.split_first()?;
            let start = not_nan(first.weight * score);
            let score = others.iter().try_fold(start, |score, other| {
                Some(aggregate.of_both(score, other.weight * other.input.score(&member)?))
            })?;
            Some((member, score))
        }))
    }

    fn union(&self) -> Result<Vec<Entry<'w>>, OutOfMemory> {
        let inputs = self.by_size()?;
        let numbered = inputs.iter().enumerate().map(|(nth, &Weighted { input, weight })| {
            let entries = input.iter().map(move |(member, score)| (member, nth, not_nan(weight * score)));
            (input.len(), entries)
        });
        let all = united(numbered, |all| self.unite(all))?;
        memory::collect(all.into_iter().map(|(member, _, score)| (member, score)))
    }

    /// Makes one entry of those with the same member: their scores are combined in the order of their inputs.
    fn unite(&self, all: &mut Vec<(Member<'w>, usize, f64)>) {
        // Sums of floating point numbers depend on their order.
        all.sort_unstable_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        all.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.2 = self.aggregate.of_both(kept.2, next.2);
            }
            same
        });
    }
}

/// `ZUNION numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`
pub fn zunion(cx: &mut Cx<'_>) -> Outcome {
    show(cx, How::Unite)
}

/// `ZINTER numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`
pub fn zinter(cx: &mut Cx<'_>) -> Outcome {
    show(cx, How::Intersect)
}

/// `ZDIFF numkeys key [key ...] [WITHSCORES]`
pub fn zdiff(cx: &mut Cx<'_>) -> Outcome {
    show(cx, How::Subtract)
}

/// Replies with the combination.
fn show(cx: &mut Cx<'_>, how: How) -> Outcome {
    let request = request(cx.world, cx.command.name, cx.args, 1, how, Wanted::Members)?;
    let combined = request.combine(how)?;
    let mut members = memory::collect(combined.iter().map(scored))?;
    members.sort_unstable_by(by_order);
    reply_scored(&mut cx.reply, members.len(), members.into_iter(), request.with_scores);
    Ok(())
}

/// `ZINTERCARD numkeys key [key ...] [LIMIT limit]`: how many members all have; it counts up to the limit.
pub fn zintercard(cx: &mut Cx<'_>) -> Outcome {
    let request = request(cx.world, cx.command.name, cx.args, 1, How::Intersect, Wanted::Count)?;
    let most = if request.limit == 0 { usize::MAX } else { request.limit };
    let count = request.intersection()?.take(most).count();
    cx.reply.int(count as i64);
    Ok(())
}

/// `ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]`
pub fn zunionstore(cx: &mut Cx<'_>) -> Outcome {
    store(cx, How::Unite, ZUNIONSTORE)
}

/// `ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]`
pub fn zinterstore(cx: &mut Cx<'_>) -> Outcome {
    store(cx, How::Intersect, ZINTERSTORE)
}

/// `ZDIFFSTORE destination numkeys key [key ...]`
pub fn zdiffstore(cx: &mut Cx<'_>) -> Outcome {
    store(cx, How::Subtract, ZDIFFSTORE)
}

fn store(cx: &mut Cx<'_>, how: How, event: Event) -> Outcome {
    let to = cx.arg(1);
    let request = request(cx.world, cx.command.name, cx.args, 2, how, Wanted::Stored)?;
    // The members are borrowed from the store, so they are copied before the store changes.
    let copied = Copied::of(request.combine(how)?.iter().map(scored))?;
    keep(cx, to, &copied, event)
}

/// Copies of members with their scores.
#[derive(Default)]
pub(super) struct Copied {
    /// The members, one after the other.
    bytes: Vec<u8>,
    /// Where each member ends, and its score.
    ends: Vec<(usize, f64)>,
}

impl Copied {
    /// Copies these members.
    pub(super) fn of<'a>(members: impl Iterator<Item = Scored<'a>>) -> Result<Copied, OutOfMemory> {
        let mut copied = Copied::default();
        for (member, score) in members {
            memory::reserve(&mut copied.bytes, member.len())?;
            copied.bytes.extend_from_slice(member);
            memory::reserve(&mut copied.ends, 1)?;
            copied.ends.push((copied.bytes.len(), score));
        }
        Ok(copied)
    }

    fn scored(&self) -> impl Iterator<Item = Scored<'_>> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        starts.zip(&self.ends).map(|(start, (end, score))| (&self.bytes[start..*end], *score))
    }
}

/// Stores members in the place of whatever the key holds. The reply is their number.
pub(super) fn keep(cx: &mut Cx<'_>, to: &[u8], copied: &Copied, event: Event) -> Outcome {
    let mut members = memory::collect(copied.scored())?;
    if members.is_empty() {
        cx.reply.assure();
        if cx.world.store.remove(to, cx.world.now.unix_ms) {
            cx.world.store.tell(DEL, to);
        }
        cx.reply.int(0);
        return Ok(());
    }
    cx.notice_expired(to);
    let prepared = cx.world.store.prepare_zset_new(to, &mut members)?;
    cx.reply.assure();
    cx.world.store.commit_zset(prepared);
    cx.world.store.tell(event, to);
    cx.reply.int(members.len() as i64);
    Ok(())
}
