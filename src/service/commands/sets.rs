//! The commands about sets. The store decides how it keeps a set in memory.

use std::iter::once;

use super::scan::scan_members;
use crate::base::{OutOfMemory, memory};
use crate::config::{RANDOM_PICKS_MAX, REPLY_HEADROOM_BYTES};
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX};
use crate::service::events::{DEL, SADD, SPOP, SREM};
use crate::service::world::World;
use crate::store::{Event, Members, WrongKind};

/// The set of `key`, if there is one. Counts a hit or a miss.
pub(super) fn lookup<'w>(world: &'w mut World, key: &[u8]) -> Result<Option<Members<'w>>, WrongKind> {
    world.lookup_set(key)
}

/// `SADD key member [member ...]`: adds members. The reply is the number of new ones.
pub fn sadd(cx: &mut Cx<'_>) -> Outcome {
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    cx.args.from(2).try_for_each(|member| check_member(cx, member))?;
    let prepared = cx.world.store.prepare_set_add(key, cx.args.from(2), now_ms)?;
    let added = prepared.added();
    cx.reply.assure();
    if added > 0 {
        cx.world.store.commit_set_add(prepared);
        cx.world.store.tell(SADD, key);
    }
    cx.reply.int(added as i64);
    Ok(())
}

/// Checks the length of a member. It is limited like a key, because a command hashes, compares and matches the whole
/// member within one turn.
pub(super) fn check_member(cx: &Cx<'_>, member: &[u8]) -> Outcome {
    let max = cx.world.config.max_key_bytes;
    if member.len() <= max {
        return Ok(());
    }
    Err(Failure::telling(format!("ERR member of {} bytes exceeds max-key-bytes ({max})", member.len())))
}

/// `SREM key member [member ...]`: removes members, and the key with its last one. The reply is the number of members
/// that the set had.
pub fn srem(cx: &mut Cx<'_>) -> Outcome {
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    let removal = cx.world.store.prepare_set_remove(key, cx.args.from(2), now_ms)?;
    cx.reply.assure();
    let removed = removal.removed();
    let gone = cx.world.store.commit_set_remove(removal);
    tell_removed(cx.world, SREM, key, removed, gone);
    cx.reply.int(removed as i64);
    Ok(())
}

/// Tells that members of `key` were removed, and whether the key is gone with them.
fn tell_removed(world: &mut World, event: Event, key: &[u8], removed: usize, gone: bool) {
    if removed > 0 {
        world.store.tell(event, key);
    }
    if gone {
        world.store.tell(DEL, key);
    }
}

/// `SISMEMBER key member`: 1 if the set has the member, else 0.
pub fn sismember(cx: &mut Cx<'_>) -> Outcome {
    let (key, member) = (cx.arg(1), cx.arg(2));
    let found = lookup(cx.world, key)?.is_some_and(|set| set.contains(member));
    cx.reply.int(i64::from(found));
    Ok(())
}

/// `SMISMEMBER key member [member ...]`: 1 or 0 for each member.
pub fn smismember(cx: &mut Cx<'_>) -> Outcome {
    let (key, members) = (cx.arg(1), cx.args.from(2));
    let set = lookup(cx.world, key)?;
    cx.reply.array(members.len());
    for member in members {
        cx.reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

/// `SCARD key`: the number of members.
pub fn scard(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let len = lookup(cx.world, key)?.map_or(0, Members::len);
    cx.reply.int(len as i64);
    Ok(())
}

/// `SMEMBERS key`: all members.
pub fn smembers(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let set = lookup(cx.world, key)?;
    cx.reply.set(set.map_or(0, Members::len));
    for member in set.into_iter().flat_map(Members::iter) {
        cx.reply.bulk(&member);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `SMOVE source destination member`: moves a member to another set. The reply is 1 if the first set had it, else 0.
pub fn smove(cx: &mut Cx<'_>) -> Outcome {
    let (from, to, member, now_ms) = (cx.arg(1), cx.arg(2), cx.arg(3), cx.world.now.unix_ms);
    let Some(has_it) = cx.world.store.members(from, now_ms)?.map(|set| set.contains(member)) else {
        cx.reply.int(0);
        return Ok(());
    };
    cx.world.store.members(to, now_ms)?;
    if from == to || !has_it {
        cx.reply.int(i64::from(has_it));
        return Ok(());
    }
    let store = &mut cx.world.store;
    let removal = store.prepare_set_remove(from, once(member), now_ms)?;
    let addition = store.prepare_set_add(to, once(member), now_ms)?;
    cx.reply.assure();
    let added = addition.added();
    let gone = store.commit_set_remove(removal);
    tell_removed(cx.world, SREM, from, 1, gone);
    if added > 0 {
        cx.world.store.commit_set_add(addition);
        cx.world.store.tell(SADD, to);
    }
    cx.reply.int(1);
    Ok(())
}

/// `SPOP key [count]`: removes a random member, or several, and returns them.
pub fn spop(cx: &mut Cx<'_>) -> Outcome {
    let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
    let wanted = match cx.args.len() {
        2 => None,
        3 => {
            let text = "ERR value is out of range, must be positive";
            let count = parse_i64(cx.arg(2)).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(Failure::text(text))?)
        }
        _ => return Err(SYNTAX),
    };
    let mut dice = cx.world.store.dice();
    let Some(set) = cx.world.store.members(key, now_ms)? else {
        match wanted {
            None => cx.reply.null(),
            Some(_) => cx.reply.set(0),
        }
        return Ok(());
    };
    // The reply is written after the members are gone, so they are copied.
    let chosen = set.sample(wanted.unwrap_or(1), &mut dice)?;
    let popped = copies(chosen.iter().map(|member| &**member))?;
    let bytes: usize = popped.iter().map(|member| member.len() + REPLY_HEADROOM_BYTES).sum();
    cx.reply.reserve(bytes)?;
    let members = popped.iter().map(Vec::as_slice);
    let removal = cx.world.store.prepare_set_remove(key, members, now_ms)?;
    cx.reply.assure();
    let removed = removal.removed();
    let gone = cx.world.store.commit_set_remove(removal);
    tell_removed(cx.world, SPOP, key, removed, gone);
    if wanted.is_some() {
        cx.reply.set(popped.len());
    }
    popped.iter().for_each(|member| cx.reply.bulk(member));
    Ok(())
}

/// Copies members, because the store lends them only as long as it does not change.
pub(super) fn copies<'a>(members: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, OutOfMemory> {
    let mut all = Vec::new();
    for member in members {
        let mut copy = Vec::new();
        memory::reserve_exact(&mut copy, member.len())?;
        copy.extend_from_slice(member);
        memory::reserve(&mut all, 1)?;
        all.push(copy);
    }
    Ok(all)
}

/// `SRANDMEMBER key [count]`: a random member, or several. With a negative count, a member may be picked more than once.
pub fn srandmember(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let mut dice = cx.world.store.dice();
    if cx.args.len() == 2 {
        let picked = lookup(cx.world, key)?.and_then(|set| set.pick(&mut dice));
        cx.reply.bulk_or_null(picked.as_deref());
        return Ok(());
    }
    if cx.args.len() > 3 {
        return Err(SYNTAX);
    }
    let count = cx.int(2)?;
    if count == i64::MIN {
        let text =
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
        return Err(Failure::text(text));
    }
    let Some(set) = lookup(cx.world, key)? else {
        cx.reply.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count >= 0 {
        let chosen = set.sample(wanted, &mut dice)?;
        cx.reply.array(chosen.len());
        for member in chosen {
            cx.reply.bulk(&member);
            if cx.reply.overflowed() {
                break;
            }
        }
        return Ok(());
    }
    if wanted > RANDOM_PICKS_MAX {
        return Err(Failure::telling(format!("ERR value is out of range, at most {RANDOM_PICKS_MAX} picks")));
    }
    let picks = set.picks(wanted, &mut dice)?;
    cx.reply.array(picks.len());
    for member in picks {
        cx.reply.bulk(&member);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`: the next members of a scan of a set.
pub fn sscan(cx: &mut Cx<'_>) -> Outcome {
    scan_members(cx)
}
