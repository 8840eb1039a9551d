//! The commands that combine sets.

use super::sets::{copies, lookup};
use crate::base::{OutOfMemory, fault, memory};
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{DEL, SDIFFSTORE, SINTERSTORE, SUNIONSTORE};
use crate::service::world::World;
use crate::store::{Event, Member, Members};

/// A union is sorted, and what occurs more than once removed, when it has this many more than twice its different members.
const UNSORTED_MAX: usize = 1_024;

/// How sets are combined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// The members that all sets have.
    Intersect,
    /// The members that at least one set has.
    Unite,
    /// The members of the first set that no other set has.
    Subtract,
}

/// `SINTER key [key ...]`
pub fn sinter(cx: &mut Cx<'_>) -> Outcome {
    show(cx, How::Intersect)
}

/// `SUNION key [key ...]`
pub fn sunion(cx: &mut Cx<'_>) -> Outcome {
    show(cx, How::Unite)
}

/// `SDIFF key [key ...]`
pub fn sdiff(cx: &mut Cx<'_>) -> Outcome {
    show(cx, How::Subtract)
}

/// Replies with the combination of the sets that the request names.
fn show(cx: &mut Cx<'_>, how: How) -> Outcome {
    let keys = cx.args.from(1);
    let members = combine(cx.world, how, keys)?;
    cx.reply.set(members.len());
    for member in members {
        cx.reply.bulk(&member);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `SINTERCARD numkeys key [key ...] [LIMIT limit]`: how many members all sets have; it counts up to the limit.
pub fn sintercard(cx: &mut Cx<'_>) -> Outcome {
    let (keys, limit) = counted_keys(cx)?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    let sets = sets(cx.world, cx.args.from(2).take(keys))?;
    let count = intersection(&sets).take(limit).count();
    cx.reply.int(count as i64);
    Ok(())
}

/// Reads `numkeys` and `LIMIT` of `SINTERCARD` and the like: the number of keys, and the limit, which is 0 if there is
/// none.
pub(super) fn counted_keys(cx: &Cx<'_>) -> Result<(usize, usize), Failure> {
    let keys = parse_i64(cx.arg(1)).filter(|keys| *keys > 0);
    let keys = keys.ok_or(Failure::text("ERR numkeys should be greater than 0"))? as usize;
    if keys > cx.args.len() - 2 {
        return Err(Failure::text("ERR Number of keys can't be greater than number of args"));
    }
    let (mut limit, mut at) = (0, 2 + keys);
    while at < cx.args.len() {
        if !is(cx.arg(at), "LIMIT") || at + 1 == cx.args.len() {
            return Err(SYNTAX);
        }
        let number = parse_i64(cx.arg(at + 1)).and_then(|limit| usize::try_from(limit).ok());
        limit = number.ok_or(Failure::text("ERR LIMIT can't be negative"))?;
        at += 2;
    }
    Ok((keys, limit))
}

/// `SINTERSTORE destination key [key ...]`
pub fn sinterstore(cx: &mut Cx<'_>) -> Outcome {
    keep(cx, How::Intersect, SINTERSTORE)
}

/// `SUNIONSTORE destination key [key ...]`
pub fn sunionstore(cx: &mut Cx<'_>) -> Outcome {
    keep(cx, How::Unite, SUNIONSTORE)
}

/// `SDIFFSTORE destination key [key ...]`
pub fn sdiffstore(cx: &mut Cx<'_>) -> Outcome {
    keep(cx, How::Subtract, SDIFFSTORE)
}

/// Stores the combination of the sets in the place of whatever the destination holds. The reply is its number of members.
fn keep(cx: &mut Cx<'_>, how: How, event: Event) -> Outcome {
    let (to, keys, now_ms) = (cx.arg(1), cx.args.from(2), cx.world.now.unix_ms);
    let members = combine(cx.world, how, keys)?;
    // The sets are borrowed from the store, so the result is copied before the store changes.
    let members = copies(members.iter().map(|member| &**member))?;
    if members.is_empty() {
        cx.reply.assure();
        if cx.world.store.remove(to, now_ms) {
            cx.world.store.tell(DEL, to);
        }
        cx.reply.int(0);
        return Ok(());
    }
    cx.notice_expired(to);
    let prepared = cx.world.store.prepare_set_new(to, members.iter().map(Vec::as_slice))?;
    cx.reply.assure();
    let count = prepared.added();
    cx.world.store.commit_set_add(prepared);
    cx.world.store.tell(event, to);
    cx.reply.int(count as i64);
    Ok(())
}

/// The sets of `keys`, in their order; `None` for a key that is not there. Counts hits and misses.
fn sets<'w, 'k>(
    world: &'w mut World,
    keys: impl Iterator<Item = &'k [u8]> + Clone,
) -> Result<Vec<Option<Members<'w>>>, Failure> {
    for key in keys.clone() {
        fault::point();
        lookup(world, key)?;
    }
    let world = &*world;
    Ok(memory::collect(keys.map(|key| world.store.set_there(key)))?)
}

/// The members of the combination of the sets of `keys`.
fn combine<'w, 'k>(
    world: &'w mut World,
    how: How,
    keys: impl Iterator<Item = &'k [u8]> + Clone,
) -> Result<Vec<Member<'w>>, Failure> {
    let sets = sets(world, keys)?;
    let members = match how {
        How::Intersect => memory::collect(intersection(&sets))?,
        How::Unite => {
            let inputs = sets.iter().flatten().map(|set| (set.len(), set.iter()));
            united(inputs, |all| {
                all.sort_unstable();
                all.dedup();
            })?
        }
        How::Subtract => difference(&sets)?,
    };
    Ok(members)
}

/// All elements of the inputs, each of which comes with its length. `unite` makes one element of those that are the same.
pub(super) fn united<T, I: Iterator<Item = T>>(
    inputs: impl Iterator<Item = (usize, I)>,
    unite: impl Fn(&mut Vec<T>),
) -> Result<Vec<T>, OutOfMemory> {
    let (mut all, mut different) = (Vec::new(), 0);
    for (len, input) in inputs {
        memory::reserve(&mut all, len)?;
        all.extend(input);
        // Keys may be named many times, so what occurs more than once must not pile up.
        if all.len() > 2 * different + UNSORTED_MAX {
            unite(&mut all);
            different = all.len();
        }
    }
    unite(&mut all);
    Ok(all)
}

/// The members of the first set that no other set has.
fn difference<'a>(sets: &[Option<Members<'a>>]) -> Result<Vec<Member<'a>>, OutOfMemory> {
    let Some((Some(first), others)) = sets.split_first() else { return Ok(Vec::new()) };
    let others = memory::collect(others.iter().flatten().copied())?;
    let lengths = others.iter().map(|other| other.len());
    if looks_up(first.len(), lengths) {
        let alone = |member: &Member<'_>| !others.iter().any(|other| other.contains(member));
        return memory::collect(first.iter().filter(alone));
    }
    without(memory::collect(first.iter())?, |member| member, others.iter().flat_map(|other| other.iter()))
}

/// True if to look up each member of the first set in all others takes less than to look up all members of the others in
/// the first one. `others` has the numbers of members.
pub(super) fn looks_up(first: usize, others: impl ExactSizeIterator<Item = usize>) -> bool {
    let lookups = first.saturating_mul(others.len());
    // Most members that are looked up are found early if they are found at all, so Redis counts half of them.
    lookups / 2 <= first + others.sum::<usize>()
}

/// The elements whose member is not among `gone`.
pub(super) fn without<'a, T>(
    mut elements: Vec<T>,
    member: impl Fn(&T) -> &Member<'a>,
    gone: impl Iterator<Item = Member<'a>>,
) -> Result<Vec<T>, OutOfMemory> {
    elements.sort_unstable_by(|one, other| member(one).cmp(member(other)));
    let mut stays = memory::collect(elements.iter().map(|_| true))?;
    for gone in gone {
        if let Ok(at) = elements.binary_search_by(|element| member(element).cmp(&gone)) {
            stays[at] = false;
        }
    }
    let mut stays = stays.into_iter();
    elements.retain(|_| stays.next().unwrap_or(true));
    Ok(elements)
}

/// The members that all sets have. None if one of the sets is not there.
fn intersection<'a>(sets: &[Option<Members<'a>>]) -> impl Iterator<Item = Member<'a>> {
    let all: Option<Vec<Members<'a>>> = sets.iter().copied().collect();
    let mut sets = all.unwrap_or_default();
    // The smallest one has the fewest members to look for.
    sets.sort_by_key(|set| set.len());
    let smallest = sets.first().copied();
    let members = smallest.into_iter().flat_map(Members::iter);
    members.filter(move |member| sets.iter().skip(1).all(|set| set.contains(member)))
}
