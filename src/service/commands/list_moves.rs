//! The commands that take elements of one of several lists, or move them to another one, without waiting.

use super::lists::{drop_elements, pushed, reply_elements};
use crate::base::memory;
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::store::Side;

/// The end that a word names.
pub(super) fn side(word: &[u8]) -> Result<Side, Failure> {
    match word {
        _ if is(word, "LEFT") => Ok(Side::Left),
        _ if is(word, "RIGHT") => Ok(Side::Right),
        _ => Err(SYNTAX),
    }
}

/// `LMOVE source destination LEFT|RIGHT LEFT|RIGHT`: moves an element from an end of a list to an end of another one.
pub fn lmove(cx: &mut Cx<'_>) -> Outcome {
    let (from, to) = (side(cx.arg(3))?, side(cx.arg(4))?);
    if !move_element(cx, from, to)? {
        cx.reply.null();
    }
    Ok(())
}

/// `RPOPLPUSH source destination`: moves the last element of a list to the front of another one.
pub fn rpoplpush(cx: &mut Cx<'_>) -> Outcome {
    if !move_element(cx, Side::Right, Side::Left)? {
        cx.reply.null();
    }
    Ok(())
}

/// Moves an element from the list of the first key to the list of the second one, and replies with it. Returns false, and
/// does not reply, if there is no first list.
pub(super) fn move_element(cx: &mut Cx<'_>, from: Side, to: Side) -> Result<bool, Failure> {
    let (source, destination, now_ms) = (cx.arg(1), cx.arg(2), cx.world.now.unix_ms);
    let Some(list) = cx.world.store.list(source, now_ms)? else { return Ok(false) };
    let Some(element) = list.end(from) else { return Ok(false) };
    // The store lends the element only as long as it does not change.
    let mut copy = Vec::new();
    memory::reserve_exact(&mut copy, element.len())?;
    copy.extend_from_slice(element);
    let prepared =
        cx.world.store.prepare_list_push(destination, to, std::iter::once(copy.as_slice()), now_ms)?;
    cx.reply.bulk(&copy);
    cx.whole_reply()?;
    cx.reply.assure();
    cx.world.store.commit_list(prepared);
    cx.world.store.tell(pushed(to), destination);
    drop_elements(cx.world, source, from, 1);
    Ok(true)
}

/// `LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]`: removes elements of the first of these lists that is there, and
/// returns its key and the elements.
pub fn lmpop(cx: &mut Cx<'_>) -> Outcome {
    let pops = Pops::of(cx, 1)?;
    if !pops.pop(cx)? {
        cx.reply.null_array();
    }
    Ok(())
}

/// The arguments of `LMPOP` and `BLMPOP`.
pub(super) struct Pops {
    /// Position of the first key.
    first: usize,
    /// Number of keys.
    keys: usize,
    side: Side,
    count: usize,
}

impl Pops {
    /// Reads the arguments from the number of keys on, which stands at `at`.
    pub(super) fn of(cx: &Cx<'_>, at: usize) -> Result<Pops, Failure> {
        let (keys, rest) = counted_keys(cx, at)?;
        let side = side(cx.args.get(rest).ok_or(SYNTAX)?)?;
        let count = count_option(cx, rest + 1)?;
        Ok(Pops { first: at + 1, keys, side, count })
    }

    /// Which arguments are the keys.
    pub(super) fn keys(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.keys
    }

    /// Pops from the first list that is there, and replies. Returns false, and does not reply, if there is none.
    pub(super) fn pop(&self, cx: &mut Cx<'_>) -> Result<bool, Failure> {
        for key in cx.args.from(self.first).take(self.keys) {
            let Some(list) = cx.world.store.list(key, cx.world.now.unix_ms)? else { continue };
            let taken = self.count.min(list.len());
            cx.reply.array(2);
            cx.reply.bulk(key);
            reply_elements(&mut cx.reply, list, self.side, taken);
            cx.whole_reply()?;
            cx.reply.assure();
            drop_elements(cx.world, key, self.side, taken);
            return Ok(true);
        }
        Ok(false)
    }
}

/// Reads the number of keys at `at`. Returns it, and the position behind the keys.
pub(super) fn counted_keys(cx: &Cx<'_>, at: usize) -> Result<(usize, usize), Failure> {
    let keys = parse_i64(cx.arg(at)).and_then(|keys| usize::try_from(keys).ok()).filter(|keys| *keys > 0);
    let keys = keys.ok_or(Failure::text("ERR numkeys should be greater than 0"))?;
    // At least one word follows the keys.
    let rest = at.saturating_add(1).saturating_add(keys);
    if rest >= cx.args.len() { Err(SYNTAX) } else { Ok((keys, rest)) }
}

/// Reads `COUNT count`, which may stand at `at`, at the end of the request. It is 1 if it does not.
pub(super) fn count_option(cx: &Cx<'_>, at: usize) -> Result<usize, Failure> {
    let mut found = None;
    let mut at = at;
    while let Some(word) = cx.args.get(at) {
        if !is(word, "COUNT") || found.is_some() || at + 1 >= cx.args.len() {
            return Err(SYNTAX);
        }
        let count = parse_i64(cx.arg(at + 1)).and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count > 0);
        found = Some(count.ok_or(Failure::text("ERR count should be greater than 0"))?);
        at += 2;
    }
    Ok(found.unwrap_or(1))
}
