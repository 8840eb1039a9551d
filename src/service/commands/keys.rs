//! The commands about keys of any kind.

use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{COPY_TO, DEL, MOVE_FROM, MOVE_TO, RENAME_FROM, RENAME_TO};
use crate::store::Kind;

/// The error for a key that should be copied or moved to where it is.
const SAME_OBJECT: Failure = Failure::text("ERR source and destination objects are the same");

/// `DEL key [key ...]` and `UNLINK key [key ...]`: removes the keys. The reply is the number of keys that
/// existed.
pub fn del(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.assure();
    let mut removed = 0;
    for (nth, key) in cx.args.from(1).enumerate() {
        cx.read_ahead(nth, 1);
        if cx.world.store.remove(key, cx.world.now.unix_ms) {
            cx.world.store.tell(DEL, key);
            removed += 1;
        }
    }
    cx.reply.int(removed);
    Ok(())
}

/// `RENAME key newkey`: gives what a key holds, and its time of expiry, to another key. What that held is gone.
pub fn rename(cx: &mut Cx<'_>) -> Outcome {
    give(cx)?;
    cx.reply.ok();
    Ok(())
}

/// `RENAMENX key newkey`: as `RENAME`, unless the other key exists. The reply is 1 or 0.
pub fn renamenx(cx: &mut Cx<'_>) -> Outcome {
    let now_ms = cx.world.now.unix_ms;
    if cx.world.store.contains(cx.arg(1), now_ms) && cx.world.store.contains(cx.arg(2), now_ms) {
        cx.reply.int(0);
        return Ok(());
    }
    give(cx)?;
    cx.reply.int(1);
    Ok(())
}

/// Renames a key; the reply is still owed.
fn give(cx: &mut Cx<'_>) -> Outcome {
    let (from, to, now_ms) = (cx.arg(1), cx.arg(2), cx.world.now.unix_ms);
    let db = cx.world.store.selected();
    let rename = cx.world.store.prepare_rename(from, to, db, now_ms)?;
    let rename = rename.ok_or(Failure::text("ERR no such key"))?;
    cx.reply.assure();
    if from != to {
        cx.world.store.commit_rename(rename);
        cx.world.store.tell(RENAME_FROM, from);
        cx.world.store.tell(RENAME_TO, to);
    }
    Ok(())
}

/// `COPY source destination [DB index] [REPLACE]`: gives a copy of what a key holds, and of its time of expiry, to
/// another key. The reply is 1, or 0 if there is nothing to copy or, without `REPLACE`, if the other key exists.
pub fn copy(cx: &mut Cx<'_>) -> Outcome {
    let (mut replace, mut db, mut at) = (false, cx.world.store.selected(), 3);
    while at < cx.args.len() {
        match cx.arg(at) {
            word if is(word, "REPLACE") => replace = true,
            word if is(word, "DB") && at + 1 < cx.args.len() => {
                at += 1;
                db = cx.database(at)?;
            }
            _ => return Err(SYNTAX),
        }
        at += 1;
    }
    let (from, to, now_ms) = (cx.arg(1), cx.arg(2), cx.world.now.unix_ms);
    if from == to && db == cx.world.store.selected() {
        return Err(SAME_OBJECT);
    }
    let free = replace || !cx.world.store.contains_in(db, to, now_ms);
    let exists = cx.world.store.contains(from, now_ms);
    cx.world.count_lookup(exists, from);
    let copied = exists && free;
    let copied = if copied { cx.world.store.prepare_copy(from, to, db, now_ms)? } else { None };
    cx.reply.assure();
    cx.reply.int(i64::from(copied.is_some()));
    if let Some(copied) = copied {
        cx.world.store.commit_whole(copied);
        cx.world.store.tell_in(db, COPY_TO, to);
    }
    Ok(())
}

/// `MOVE key db`: moves a key to another database. The reply is 1, or 0 if there is no such key or the other database
/// has one.
pub fn move_key(cx: &mut Cx<'_>) -> Outcome {
    let (key, db, now_ms) = (cx.arg(1), cx.database(2)?, cx.world.now.unix_ms);
    if db == cx.world.store.selected() {
        return Err(SAME_OBJECT);
    }
    let is_free = !cx.world.store.contains_in(db, key, now_ms);
    let moved = if is_free { cx.world.store.prepare_rename(key, key, db, now_ms)? } else { None };
    cx.reply.assure();
    cx.reply.int(i64::from(moved.is_some()));
    if let Some(moved) = moved {
        cx.world.store.commit_rename(moved);
        cx.world.store.tell(MOVE_FROM, key);
        cx.world.store.tell_in(db, MOVE_TO, key);
    }
    Ok(())
}

/// `EXISTS key [key ...]` and `TOUCH key [key ...]`: how many of the keys exist. A key that is named twice counts twice.
pub fn exists(cx: &mut Cx<'_>) -> Outcome {
    let mut count = 0;
    for (nth, key) in cx.args.from(1).enumerate() {
        cx.read_ahead(nth, 1);
        let exists = cx.world.store.contains(key, cx.world.now.unix_ms);
        cx.world.count_lookup(exists, key);
        count += i64::from(exists);
    }
    cx.reply.int(count);
    Ok(())
}

/// `TYPE key`: the kind of value that a key holds, or `none`.
pub fn type_of(cx: &mut Cx<'_>) -> Outcome {
    let kind = cx.world.store.kind(cx.arg(1), cx.world.now.unix_ms);
    cx.world.count_lookup(kind.is_some(), cx.arg(1));
    cx.reply.simple(kind.map_or("none", Kind::name));
    Ok(())
}
