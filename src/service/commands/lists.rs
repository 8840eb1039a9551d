//! The commands about lists that do not wait. The store decides how it keeps a list in memory.

use crate::base::memory;
use crate::resp::{Reply, parse_i64};
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome, SYNTAX, is, reply_too_long};
use crate::service::events::{DEL, LINSERT, LPOP, LPUSH, LREM, LSET, LTRIM, RPOP, RPUSH};
use crate::service::world::World;
use crate::store::{Elements, Event, Side, WrongKind};

const NO_SUCH_KEY: Failure = Failure::text("ERR no such key");
const OUT_OF_RANGE: Failure = Failure::text("ERR index out of range");
const NOT_POSITIVE: Failure = Failure::text("ERR value is out of range, must be positive");

/// The list of `key`, if there is one. Counts a hit or a miss.
fn lookup<'w>(world: &'w mut World, key: &[u8]) -> Result<Option<Elements<'w>>, WrongKind> {
    world.tell_miss(key);
    let found = world.store.list(key, world.now.unix_ms);
    match found {
        Ok(None) => world.stats.keyspace_misses += 1,
        Ok(Some(_)) | Err(WrongKind) => world.stats.keyspace_hits += 1,
    }
    found
}

/// `LPUSH key element [element ...]`: adds elements at the left end, one after the other. The reply is the length.
pub fn lpush(cx: &mut Cx<'_>) -> Outcome {
    push(cx, Side::Left)
}

/// `RPUSH key element [element ...]`: adds elements at the right end, one after the other. The reply is the length.
pub fn rpush(cx: &mut Cx<'_>) -> Outcome {
    push(cx, Side::Right)
}

/// `LPUSHX key element [element ...]`: as `LPUSH`, but only if there is a list.
pub fn lpushx(cx: &mut Cx<'_>) -> Outcome {
    push_if_there(cx, Side::Left)
}

/// `RPUSHX key element [element ...]`: as `RPUSH`, but only if there is a list.
pub fn rpushx(cx: &mut Cx<'_>) -> Outcome {
    push_if_there(cx, Side::Right)
}

fn push_if_there(cx: &mut Cx<'_>, side: Side) -> Outcome {
    if cx.world.store.list(cx.arg(1), cx.world.now.unix_ms)?.is_none() {
        cx.reply.int(0);
        return Ok(());
    }
    push(cx, side)
}

fn push(cx: &mut Cx<'_>, side: Side) -> Outcome {
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    let elements = cx.args.from(2);
    let prepared = cx.world.store.prepare_list_push(key, side, elements, now_ms)?;
    cx.reply.assure();
    let len = cx.world.store.commit_list(prepared);
    cx.world.store.tell(pushed(side), key);
    cx.reply.int(len as i64);
    Ok(())
}

/// The event of a push at this end.
pub(super) fn pushed(side: Side) -> Event {
    if side == Side::Left { LPUSH } else { RPUSH }
}

/// `LPOP key [count]`: removes elements from the left end and returns them.
pub fn lpop(cx: &mut Cx<'_>) -> Outcome {
    pop(cx, Side::Left)
}

/// `RPOP key [count]`: removes elements from the right end and returns them.
pub fn rpop(cx: &mut Cx<'_>) -> Outcome {
    pop(cx, Side::Right)
}

fn pop(cx: &mut Cx<'_>, side: Side) -> Outcome {
    if cx.args.len() > 3 {
        return Err(cx.wrong_number());
    }
    let key = cx.arg(1);
    let count = match cx.args.get(2) {
        None => None,
        Some(word) => {
            let count = parse_i64(word).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(NOT_POSITIVE)?)
        }
    };
    let Some(count) = count else { return pop_one(cx, side) };
    let Some(list) = cx.world.store.list(key, cx.world.now.unix_ms)? else {
        cx.reply.null_array();
        return Ok(());
    };
    let taken = count.min(list.len());
    reply_elements(&mut cx.reply, list, side, taken);
    cx.whole_reply()?;
    cx.reply.assure();
    if taken > 0 {
        drop_elements(cx.world, key, side, taken);
    }
    Ok(())
}

/// Replies with the element at this end and removes it, with a single look-up of the key.
fn pop_one(cx: &mut Cx<'_>, side: Side) -> Outcome {
    let key = cx.arg(1);
    let Cx { world, reply, .. } = cx;
    let max = world.config.max_reply_bytes;
    let popped = world.store.pop_list(key, side, world.now.unix_ms, |element| {
        reply.bulk(element);
        if reply.overflowed() {
            return Err(reply_too_long(max));
        }
        reply.assure();
        Ok(())
    })?;
    match popped {
        None => cx.reply.null(),
        Some(gone) => tell(cx.world, popped_event(side), key, gone),
    }
    Ok(())
}

/// The event of a pop at this end.
fn popped_event(side: Side) -> Event {
    if side == Side::Left { LPOP } else { RPOP }
}

/// Replies with the first `count` elements from this end.
pub(super) fn reply_elements(reply: &mut Reply<'_>, list: Elements<'_>, side: Side, count: usize) {
    reply.array(count);
    let each = |element: &[u8]| {
        reply.bulk(element);
        !reply.overflowed()
    };
    match side {
        Side::Left => list.iter_from(0).take(count).all(each),
        Side::Right => list.iter_back_from(list.len() - 1).take(count).all(each),
    };
}

/// Removes elements from an end of the list of `key`, and tells of it.
pub(super) fn drop_elements(world: &mut World, key: &[u8], side: Side, count: usize) {
    let (left, right) = if side == Side::Left { (count, 0) } else { (0, count) };
    let gone = world.store.drop_list_ends(key, left, right);
    tell(world, popped_event(side), key, gone);
}

/// Tells of a change, and that the key is gone with it if `gone` is true.
fn tell(world: &mut World, event: Event, key: &[u8], gone: bool) {
    world.store.tell(event, key);
    if gone {
        world.store.tell(DEL, key);
    }
}

/// `LLEN key`: the number of elements.
pub fn llen(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let len = lookup(cx.world, key)?.map_or(0, Elements::len);
    cx.reply.int(len as i64);
    Ok(())
}

/// The position that `index` names; a negative one counts from the right end. It may be behind either end.
fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.saturating_add_unsigned(len as u64) } else { index };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// `LINDEX key index`: the element at a position, or null.
pub fn lindex(cx: &mut Cx<'_>) -> Outcome {
    let (key, index) = (cx.arg(1), parse_i64(cx.arg(2)));
    let Some(list) = lookup(cx.world, key)? else {
        cx.reply.null();
        return Ok(());
    };
    let at = position(index.ok_or(NOT_INTEGER)?, list.len());
    cx.reply.bulk_or_null(at.and_then(|at| list.get(at)));
    Ok(())
}

/// `LSET key index element`: replaces the element at a position.
pub fn lset(cx: &mut Cx<'_>) -> Outcome {
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    let len = cx.world.store.list(key, now_ms)?.ok_or(NO_SUCH_KEY)?.len();
    let at = position(cx.int(2)?, len).ok_or(OUT_OF_RANGE)?;
    let prepared = cx.world.store.prepare_list_set(key, at, cx.arg(3), now_ms)?;
    cx.reply.assure();
    cx.world.store.commit_list(prepared);
    cx.world.store.tell(LSET, key);
    cx.reply.ok();
    Ok(())
}

/// The part of a list of `len` elements from `start` to `stop`, which is included: its first position, and the one
/// behind its last. Negative numbers count from the right end. `None` if the part is empty.
pub(super) fn part(start: i64, stop: i64, len: usize) -> Option<(usize, usize)> {
    let absolute = |index: i64| if index < 0 { index.saturating_add_unsigned(len as u64) } else { index };
    let (start, stop) = (absolute(start).max(0), absolute(stop).min(len as i64 - 1));
    (start <= stop).then(|| (start as usize, stop as usize + 1))
}

/// `LRANGE key start stop`: the elements of a part of the list.
pub fn lrange(cx: &mut Cx<'_>) -> Outcome {
    let (key, start, stop) = (cx.arg(1), cx.int(2)?, cx.int(3)?);
    let list = lookup(cx.world, key)?;
    let part = list.and_then(|list| Some((list, part(start, stop, list.len())?)));
    let Some((list, (start, end))) = part else {
        cx.reply.array(0);
        return Ok(());
    };
    cx.reply.array(end - start);
    for element in list.iter_from(start).take(end - start) {
        cx.reply.bulk(element);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `LTRIM key start stop`: keeps only a part of the list.
pub fn ltrim(cx: &mut Cx<'_>) -> Outcome {
    let (key, start, stop, now_ms) = (cx.arg(1), cx.int(2)?, cx.int(3)?, cx.world.now.unix_ms);
    if let Some(len) = cx.world.store.list(key, now_ms)?.map(Elements::len) {
        let (start, end) = part(start, stop, len).unwrap_or((len, len));
        cx.reply.assure();
        let gone = cx.world.store.drop_list_ends(key, start, len - end);
        tell(cx.world, LTRIM, key, gone);
    }
    cx.reply.ok();
    Ok(())
}

/// `LINSERT key BEFORE|AFTER pivot element`: inserts an element beside the first one that equals the pivot. The reply is
/// the length; -1 if there is no pivot, and 0 if there is no list.
pub fn linsert(cx: &mut Cx<'_>) -> Outcome {
    let (key, pivot, now_ms) = (cx.arg(1), cx.arg(3), cx.world.now.unix_ms);
    let after = match cx.arg(2) {
        word if is(word, "BEFORE") => 0,
        word if is(word, "AFTER") => 1,
        _ => return Err(SYNTAX),
    };
    let Some(list) = cx.world.store.list(key, now_ms)? else {
        cx.reply.int(0);
        return Ok(());
    };
    let Some(at) = list.iter_from(0).position(|element| element == pivot) else {
        cx.reply.int(-1);
        return Ok(());
    };
    let prepared = cx.world.store.prepare_list_insert(key, at + after, cx.arg(4), now_ms)?;
    cx.reply.assure();
    let len = cx.world.store.commit_list(prepared);
    cx.world.store.tell(LINSERT, key);
    cx.reply.int(len as i64);
    Ok(())
}

/// `LREM key count element`: removes elements that equal the given one: `count` of them from the left end, from the right
/// end if it is negative, or all if it is 0. The reply is how many were removed.
pub fn lrem(cx: &mut Cx<'_>) -> Outcome {
    let (key, count, now_ms) = (cx.arg(1), cx.int(2)?, cx.world.now.unix_ms);
    cx.world.store.list(key, now_ms)?;
    let side = if count < 0 { Side::Right } else { Side::Left };
    let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    cx.reply.assure();
    let (removed, gone) = cx.world.store.remove_list_elements(key, cx.arg(3), most, side);
    if removed > 0 {
        tell(cx.world, LREM, key, gone);
    }
    cx.reply.int(removed as i64);
    Ok(())
}

/// The options of `LPOS`.
struct Search {
    /// The first match that counts; negative if the search begins at the right end.
    rank: i64,
    /// How many matches are wanted; 0 for all. `None` for one, which is not in an array.
    count: Option<usize>,
    /// Most elements that are compared; 0 for all.
    compared_max: usize,
}

impl Search {
    fn of(cx: &Cx<'_>) -> Result<Search, Failure> {
        let mut search = Search { rank: 1, count: None, compared_max: 0 };
        let mut at = 3;
        while at < cx.args.len() {
            let word = cx.arg(at);
            if at + 1 == cx.args.len() {
                return Err(SYNTAX);
            }
            let count = |text| {
                parse_i64(cx.arg(at + 1)).and_then(|n| usize::try_from(n).ok()).ok_or(Failure::text(text))
            };
            match word {
                _ if is(word, "RANK") => {
                    search.rank = cx.int(at + 1)?;
                    if search.rank == i64::MIN {
                        let text = "ERR value is out of range, value must between -9223372036854775807 and \
                                    9223372036854775807";
                        return Err(Failure::text(text));
                    }
                    if search.rank == 0 {
                        let text = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second \
                                    ... or use negative to start from the end of the list";
                        return Err(Failure::text(text));
                    }
                }
                _ if is(word, "COUNT") => search.count = Some(count("ERR COUNT can't be negative")?),
                _ if is(word, "MAXLEN") => search.compared_max = count("ERR MAXLEN can't be negative")?,
                _ => return Err(SYNTAX),
            }
            at += 2;
        }
        Ok(search)
    }

    /// The positions of the matches, in the order in which they are found.
    fn positions<'a>(&self, list: Elements<'a>, element: &'a [u8]) -> impl Iterator<Item = usize> + use<'a> {
        let (len, all) = (list.len(), |n: usize| if n == 0 { usize::MAX } else { n });
        let (forward, back) = match self.rank {
            1.. => (Some(list.iter_from(0)), None),
            _ => (None, Some(list.iter_back_from(len - 1))),
        };
        let from_right = self.rank < 0;
        let numbered = forward.into_iter().flatten().chain(back.into_iter().flatten()).enumerate();
        numbered
            .take(all(self.compared_max))
            .filter(move |(_, there)| *there == element)
            .skip(self.rank.unsigned_abs() as usize - 1)
            .take(all(self.count.unwrap_or(1)))
            .map(move |(nth, _)| if from_right { len - 1 - nth } else { nth })
    }
}

/// `LPOS key element [RANK rank] [COUNT count] [MAXLEN len]`: the positions of elements that equal the given one.
pub fn lpos(cx: &mut Cx<'_>) -> Outcome {
    let (key, element) = (cx.arg(1), cx.arg(2));
    let search = Search::of(cx)?;
    let list = lookup(cx.world, key)?;
    let found = list.into_iter().flat_map(|list| search.positions(list, element));
    if search.count.is_none() {
        match found.into_iter().next() {
            Some(at) => cx.reply.int(at as i64),
            None => cx.reply.null(),
        }
        return Ok(());
    }
    let found = memory::collect(found)?;
    cx.reply.array(found.len());
    for at in found {
        cx.reply.int(at as i64);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}
