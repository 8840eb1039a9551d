//! `XDELEX` and `XACKDEL`: entries are removed with regard to the groups that refer to them. Redis has these commands since
//! 8.2.

use std::ops::Range;

use super::stream_ids::{lookup, strict_id};
use crate::base::memory;
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::XDEL;
use crate::store::{References, Removal, Removed, Stream, StreamId};

const NO_COUNT: Failure = Failure::text("ERR Number of IDs must be a positive integer");
const WRONG_COUNT: Failure = Failure::text("ERR The `numids` parameter must match the number of arguments");
/// Most bytes of the reply about an id.
const REPLY_BYTES: usize = 5;
/// Most bytes of the head of the reply.
const HEAD_BYTES: usize = 32;

/// The words of a request from the first option on.
struct Options {
    references: References,
    /// Where the ids are.
    ids: Range<usize>,
}

impl Options {
    fn of(cx: &Cx<'_>, first: usize) -> Result<Options, Failure> {
        let (mut references, mut ids, mut at) = (None, None, first);
        while let Some(word) = cx.args.get(at) {
            at += 1;
            let chosen = match word {
                _ if is(word, "KEEPREF") => References::Keep,
                _ if is(word, "DELREF") => References::Remove,
                _ if is(word, "ACKED") => References::Respect,
                _ if is(word, "IDS") && at < cx.args.len() => {
                    let count = parse_i64(cx.arg(at)).and_then(|count| usize::try_from(count).ok());
                    let count = count.filter(|count| *count > 0).ok_or(NO_COUNT)?;
                    at += 1;
                    if count > cx.args.len() - at {
                        return Err(WRONG_COUNT);
                    }
                    ids = Some(at..at + count);
                    at += count;
                    continue;
                }
                _ => return Err(SYNTAX),
            };
            if references.replace(chosen).is_some() {
                return Err(SYNTAX);
            }
        }
        Ok(Options { references: references.unwrap_or_default(), ids: ids.ok_or(SYNTAX)? })
    }

    /// The ids, all of which must be valid.
    fn ids(&self, cx: &Cx<'_>) -> Result<Vec<StreamId>, Failure> {
        let mut ids = Vec::new();
        memory::reserve_exact(&mut ids, self.ids.len())?;
        for text in cx.args.from(self.ids.start).take(self.ids.len()) {
            ids.push(strict_id(text, 0)?);
        }
        Ok(ids)
    }
}

/// Replies that there is none of `count` entries.
fn reply_missing(cx: &mut Cx<'_>, count: usize) {
    cx.reply.array(count);
    for _ in 0..count {
        cx.reply.int(-1);
        if cx.reply.overflowed() {
            break;
        }
    }
}

/// Lets `remove` remove each entry, and replies with what it has done.
fn remove(
    cx: &mut Cx<'_>,
    key: &[u8],
    options: &Options,
    mut remove: impl FnMut(&mut Stream, StreamId) -> Removed,
) -> Outcome {
    let (ids, mut done) = (options.ids(cx)?, Vec::new());
    memory::reserve_exact(&mut done, ids.len())?;
    let bytes = HEAD_BYTES + REPLY_BYTES * ids.len();
    if bytes > cx.world.config.max_reply_bytes {
        return Err(cx.reply_too_long());
    }
    cx.reply.reserve(bytes)?;
    cx.reply.assure();
    let mut entries = 0;
    cx.world.store.count_in_stream(key, |stream| {
        for id in ids {
            let Removed { removal, entry } = remove(stream, id);
            entries += usize::from(entry);
            done.push(removal);
        }
        entries
    });
    if entries > 0 {
        cx.world.store.tell(XDEL, key);
    }
    cx.reply.array(done.len());
    for removal in done {
        cx.reply.int(match removal {
            Removal::Missing => -1,
            Removal::Removed => 1,
            Removal::Referenced => 2,
        });
    }
    Ok(())
}

/// `XDELEX key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]`: removes entries. The reply about each is 1 if it is
/// removed, -1 if there is none, and 2 if it stays because a group still refers to it.
pub fn xdelex(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let is_there = cx.world.store.stream(key, cx.world.now.unix_ms)?.is_some();
    let options = Options::of(cx, 2)?;
    if !is_there {
        reply_missing(cx, options.ids.len());
        return Ok(());
    }
    let references = options.references;
    remove(cx, key, &options, |stream, id| stream.remove(id, references))
}

/// `XACKDEL key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]`: acknowledges entries for a group and removes them.
/// The reply about each is 1 if it is removed, -1 if it was not pending in the group, and 2 if it is only acknowledged, because
/// a group still refers to it.
pub fn xackdel(cx: &mut Cx<'_>) -> Outcome {
    let (key, group) = (cx.arg(1), cx.arg(2));
    let is_there = lookup(cx.world, key)?.is_some_and(|stream| stream.group(group).is_some());
    let options = Options::of(cx, 3)?;
    if !is_there {
        reply_missing(cx, options.ids.len());
        return Ok(());
    }
    let references = options.references;
    let missing = Removed { removal: Removal::Missing, entry: false };
    remove(cx, key, &options, |stream, id| {
        stream.acknowledge_and_remove(group, id, references).unwrap_or(missing)
    })
}
