//! The commands that wait for a list or a sorted set if there is none, and `CLIENT UNBLOCK`.

use std::ops::Range;

use super::list_moves::{Pops, move_element, side};
use super::lists::drop_elements;
use super::zpops::{End, ZsetPops, drop_ranks};
use crate::base::Moment;
use crate::resp::{null_array, parse_i64};
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome, is};
use crate::service::errors::wrong_arguments;
use crate::service::long_double::LongDouble;
use crate::service::waiting::Wish;
use crate::store::{Kind, Side};

/// `BLPOP key [key ...] timeout`: removes the first element of the first of these lists that is there. It waits for one
/// for up to `timeout` seconds, or for ever if that is 0.
pub fn blpop(cx: &mut Cx<'_>) -> Outcome {
    pop(cx, Side::Left)
}

/// `BRPOP key [key ...] timeout`: as `BLPOP`, for the last element.
pub fn brpop(cx: &mut Cx<'_>) -> Outcome {
    pop(cx, Side::Right)
}

fn pop(cx: &mut Cx<'_>, side: Side) -> Outcome {
    let keys = 1..cx.args.len() - 1;
    let until = until(cx, keys.end)?;
    for key in cx.args.from(1).take(keys.len()) {
        let Some(list) = cx.world.store.list(key, cx.world.now.unix_ms)? else { continue };
        cx.reply.array(2);
        cx.reply.bulk(key);
        cx.reply.bulk_or_null(list.end(side));
        cx.whole_reply()?;
        cx.reply.assure();
        drop_elements(cx.world, key, side, 1);
        return Ok(());
    }
    if !wait(cx, Kind::List, keys, until)? {
        cx.reply.null_array();
    }
    Ok(())
}

/// `BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout`: as `LMOVE`, but it waits for an element.
pub fn blmove(cx: &mut Cx<'_>) -> Outcome {
    let (from, to) = (side(cx.arg(3))?, side(cx.arg(4))?);
    let until = until(cx, 5)?;
    if !move_element(cx, from, to)? && !wait(cx, Kind::List, 1..2, until)? {
        cx.reply.null();
    }
    Ok(())
}

/// `BRPOPLPUSH source destination timeout`: as `RPOPLPUSH`, but it waits for an element.
pub fn brpoplpush(cx: &mut Cx<'_>) -> Outcome {
    let until = until(cx, 3)?;
    if !move_element(cx, Side::Right, Side::Left)? && !wait(cx, Kind::List, 1..2, until)? {
        cx.reply.null();
    }
    Ok(())
}

/// `BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]`: as `LMPOP`, but it waits for elements.
pub fn blmpop(cx: &mut Cx<'_>) -> Outcome {
    let pops = Pops::of(cx, 2)?;
    let until = until(cx, 1)?;
    if !pops.pop(cx)? && !wait(cx, Kind::List, pops.keys(), until)? {
        cx.reply.null_array();
    }
    Ok(())
}

/// `BZPOPMIN key [key ...] timeout`: removes the member with the lowest score of the first of these sorted sets that is
/// there. It waits for one as `BLPOP` does.
pub fn bzpopmin(cx: &mut Cx<'_>) -> Outcome {
    pop_member(cx, End::Min)
}

/// `BZPOPMAX key [key ...] timeout`: as `BZPOPMIN`, for the highest score.
pub fn bzpopmax(cx: &mut Cx<'_>) -> Outcome {
    pop_member(cx, End::Max)
}

fn pop_member(cx: &mut Cx<'_>, end: End) -> Outcome {
    let keys = 1..cx.args.len() - 1;
    let until = until(cx, keys.end)?;
    for key in cx.args.from(1).take(keys.len()) {
        let Some(zset) = cx.world.store.zset(key, cx.world.now.unix_ms)? else { continue };
        let ranks = end.ranks(zset.len(), 1);
        let Some((member, score)) = zset.nth(ranks.start) else { continue };
        cx.reply.array(3);
        cx.reply.bulk(key);
        cx.reply.bulk(member);
        cx.reply.double(score);
        cx.whole_reply()?;
        cx.reply.assure();
        drop_ranks(cx.world, key, end, ranks);
        return Ok(());
    }
    if !wait(cx, Kind::Zset, keys, until)? {
        cx.reply.null_array();
    }
    Ok(())
}

/// `BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count]`: as `ZMPOP`, but it waits for members.
pub fn bzmpop(cx: &mut Cx<'_>) -> Outcome {
    let pops = ZsetPops::of(cx, 2)?;
    let until = until(cx, 1)?;
    if !pops.pop(cx)? && !wait(cx, Kind::Zset, pops.keys(), until)? {
        cx.reply.null_array();
    }
    Ok(())
}

/// Lets the client wait until one of these keys holds a value of this kind. Returns false where nobody may wait: in a
/// transaction, and while the server stops.
pub(super) fn wait(
    cx: &mut Cx<'_>,
    kind: Kind,
    keys: Range<usize>,
    until: Option<Moment>,
) -> Result<bool, Failure> {
    begin_wait(cx, Wish { kind, heeds_loss: false, keys, until, instead: Vec::new() })
}

/// As [`wait`], with the whole wish.
pub(super) fn begin_wait(cx: &mut Cx<'_>, wish: Wish) -> Result<bool, Failure> {
    if cx.inside || !cx.world.waiting.is_open() {
        return Ok(false);
    }
    cx.world.begin_wait(cx.me, cx.args, cx.command, wish)?;
    Ok(true)
}

/// When a wait ends whose timeout, in seconds, is the argument at `index`. `None` if it has no end.
pub(super) fn until(cx: &Cx<'_>, index: usize) -> Result<Option<Moment>, Failure> {
    const OUT_OF_RANGE: Failure = Failure::text("ERR timeout is out of range");
    let text = cx.arg(index);
    let number = LongDouble::parse(text).and_then(|_| std::str::from_utf8(text).ok()?.parse::<f64>().ok());
    let ms = number.ok_or(Failure::text("ERR timeout is not a float or out of range"))? * 1_000.0;
    if ms > i64::MAX as f64 {
        return Err(OUT_OF_RANGE);
    }
    // Redis rounds up first, so a little less than nothing waits for ever.
    if ms.ceil() < 0.0 {
        return Err(Failure::text("ERR timeout is negative"));
    }
    let ms = ms.ceil() as u64;
    if ms > (i64::MAX as u64).saturating_sub(cx.world.now.unix_ms) {
        return Err(OUT_OF_RANGE);
    }
    Ok((ms > 0).then(|| cx.world.now.at.plus_ms(ms)))
}

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`: ends the wait of another client, as if its time were over or with an error. The
/// reply is 1, or 0 if that client does not wait.
pub fn unblock(cx: &mut Cx<'_>) -> Outcome {
    let by_error = match cx.args.get(3) {
        None => false,
        Some(word) if cx.args.len() == 4 && is(word, "TIMEOUT") => false,
        Some(word) if cx.args.len() == 4 && is(word, "ERROR") => true,
        Some(_) if cx.args.len() == 4 => {
            return Err(Failure::text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
        }
        Some(_) => return Err(wrong_arguments("CLIENT", cx.arg(1))),
    };
    let serial = parse_i64(cx.arg(2)).ok_or(NOT_INTEGER)?;
    let id = u64::try_from(serial).ok().and_then(|serial| cx.world.sessions.by_serial(serial));
    cx.reply.assure();
    let ended = id.is_some_and(|id| {
        cx.world.end_wait(id, |proto| match by_error {
            true => b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n",
            false => null_array(proto),
        })
    });
    cx.reply.int(i64::from(ended));
    Ok(())
}
