//! `XGROUP`: consumer groups and consumers.

use super::stream_ids::{any_id, is_option, no_group, strict_id};
use crate::base::OutOfMemory;
use crate::service::cx::{Cx, Failure, Outcome, is};
use crate::service::errors::wrong_arguments;
use crate::service::events::{
    XGROUP_CREATE, XGROUP_CREATECONSUMER, XGROUP_DELCONSUMER, XGROUP_DESTROY, XGROUP_SETID,
};
use crate::store::{GroupError, Stream, StreamId};

const KEY_REQUIRED: Failure = Failure::text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to \
     create an empty stream automatically.",
);
const BUSY: Failure = Failure::text("BUSYGROUP Consumer Group name already exists");

/// The options of `XGROUP CREATE` and `XGROUP SETID`.
struct Options {
    /// True if a key that is not there is to be created.
    mkstream: bool,
    /// How many entries the group has read, if the request says so.
    entries_read: Option<u64>,
}

impl Options {
    fn of(cx: &Cx<'_>, creates: bool) -> Result<Options, Failure> {
        let (mut options, mut at) = (Options { mkstream: false, entries_read: None }, 5);
        while let Some(word) = cx.args.get(at) {
            if creates && is(word, "MKSTREAM") {
                options.mkstream = true;
                at += 1;
            } else if is_option(cx, at, "ENTRIESREAD") {
                let count = cx.int(at + 1)?;
                if count < -1 {
                    return Err(Failure::text("ERR value for ENTRIESREAD must be positive or -1"));
                }
                options.entries_read = u64::try_from(count).ok();
                at += 2;
            } else {
                return Err(wrong_arguments("XGROUP", cx.arg(1)));
            }
        }
        Ok(options)
    }
}

/// The last id of the stream of the request, if there is one, and whether it has the group.
fn look(cx: &mut Cx<'_>) -> Result<Option<(StreamId, bool)>, Failure> {
    let (key, group, now_ms) = (cx.arg(2), cx.arg(3), cx.exact_unix_ms());
    let stream = cx.world.store.stream(key, now_ms)?;
    Ok(stream.map(|stream| (stream.log().last_id(), stream.group(group).is_some())))
}

/// The last id of the stream of the request. The stream must be there and have the group.
fn require_group(cx: &mut Cx<'_>) -> Result<StreamId, Failure> {
    match look(cx)? {
        None => Err(KEY_REQUIRED),
        Some((_, false)) => Err(no_group(cx.arg(2), cx.arg(3))),
        Some((last_id, true)) => Ok(last_id),
    }
}

/// `XGROUP CREATE key group id [MKSTREAM] [ENTRIESREAD count]`: creates a group that has read everything up to an id; `$` is
/// the last one.
pub fn create(cx: &mut Cx<'_>) -> Outcome {
    let Options { mkstream, entries_read } = Options::of(cx, true)?;
    let there = look(cx)?;
    let (key, group) = (cx.arg(2), cx.arg(3));
    if there.is_none() && !mkstream {
        return Err(KEY_REQUIRED);
    }
    if cx.args.len() > 8 {
        return Err(wrong_arguments("XGROUP", cx.arg(1)));
    }
    let (last_id, busy) = there.unwrap_or_default();
    let id = match cx.arg(4) {
        b"$" => last_id,
        text => strict_id(text, 0)?,
    };
    if busy {
        return Err(BUSY);
    }
    if there.is_some() {
        cx.reply.assure();
        let now_ms = cx.world.now.unix_ms;
        cx.world.store.try_in_stream(key, now_ms, |stream| stream.create_group(group, id, entries_read))?;
    } else {
        let new = cx.world.store.prepare_new_stream(key, || {
            let mut stream = Stream::new();
            stream.create_group(group, id, entries_read)?;
            Ok::<_, OutOfMemory>(stream)
        })?;
        cx.reply.assure();
        cx.world.store.commit_new_stream(new);
    }
    cx.world.store.tell(XGROUP_CREATE, key);
    cx.reply.ok();
    Ok(())
}

/// `XGROUP SETID key group id [ENTRIESREAD count]`: sets how far a group has read; `$` is the last id.
pub fn setid(cx: &mut Cx<'_>) -> Outcome {
    let Options { entries_read, .. } = Options::of(cx, false)?;
    let last_id = require_group(cx)?;
    let (key, group) = (cx.arg(2), cx.arg(3));
    if cx.args.len() > 7 {
        return Err(wrong_arguments("XGROUP", cx.arg(1)));
    }
    let id = match cx.arg(4) {
        b"$" => last_id,
        text => any_id(text, 0)?,
    };
    cx.reply.assure();
    let set = cx.world.store.touch_stream(key, |stream| stream.set_group_id(group, id, entries_read));
    debug_assert_eq!(set, Ok(()), "the group is there");
    cx.world.store.tell(XGROUP_SETID, key);
    cx.reply.ok();
    Ok(())
}

/// `XGROUP DESTROY key group`: destroys a group. The reply is 1, or 0 if there is none.
pub fn destroy(cx: &mut Cx<'_>) -> Outcome {
    let (_, is_there) = look(cx)?.ok_or(KEY_REQUIRED)?;
    let (key, group) = (cx.arg(2), cx.arg(3));
    cx.reply.assure();
    if is_there && let Ok(left) = cx.world.store.touch_stream(key, |stream| stream.destroy_group(group)) {
        cx.world.store.discard(left);
        // Clients that wait for entries of this group must hear that there is no such group any more.
        cx.world.store.rouse(key);
        cx.world.store.tell(XGROUP_DESTROY, key);
    }
    cx.reply.int(i64::from(is_there));
    Ok(())
}

/// `XGROUP CREATECONSUMER key group consumer`: creates a consumer. The reply is 1, or 0 if it is there already.
pub fn createconsumer(cx: &mut Cx<'_>) -> Outcome {
    require_group(cx)?;
    let (key, group, name, now_ms) = (cx.arg(2), cx.arg(3), cx.arg(4), cx.world.now.unix_ms);
    let found = cx.world.store.stream(key, now_ms)?.and_then(|stream| stream.group(group));
    let is_there = found.is_some_and(|group| group.consumer(name).is_some());
    cx.reply.assure();
    if !is_there {
        let create =
            |stream: &mut Stream| -> Result<bool, GroupError> { stream.create_consumer(group, name, now_ms) };
        cx.world.store.try_in_stream(key, now_ms, create)?;
        cx.world.store.tell(XGROUP_CREATECONSUMER, key);
    }
    cx.reply.int(i64::from(!is_there));
    Ok(())
}

/// `XGROUP DELCONSUMER key group consumer`: deletes a consumer, and its entries are not pending any more. The reply is how
/// many they were.
pub fn delconsumer(cx: &mut Cx<'_>) -> Outcome {
    require_group(cx)?;
    let (key, group, name, now_ms) = (cx.arg(2), cx.arg(3), cx.arg(4), cx.world.now.unix_ms);
    let found = cx.world.store.stream(key, now_ms)?.and_then(|stream| stream.group(group));
    let is_there = found.is_some_and(|group| group.consumer(name).is_some());
    cx.reply.assure();
    let mut pending = 0;
    if is_there {
        let deleted = cx.world.store.touch_stream(key, |stream| stream.delete_consumer(group, name));
        if let Ok(Some((count, left))) = deleted {
            pending = count;
            cx.world.store.discard(left);
        }
        cx.world.store.tell(XGROUP_DELCONSUMER, key);
    }
    cx.reply.int(pending as i64);
    Ok(())
}
