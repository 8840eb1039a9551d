//! The commands about publish and subscribe.

use std::collections::VecDeque;

use crate::base::memory;
use crate::service::channels::{Kind, SUBSCRIPTION_BYTES};
use crate::service::cx::{Cx, Failure, Outcome};
use crate::service::errors::wrong_arguments;
use crate::service::glob::{Case, Pattern};
use crate::service::post::Post;

/// `SUBSCRIBE channel [channel ...]`: subscribes the caller to channels.
pub fn subscribe(cx: &mut Cx<'_>) -> Outcome {
    begin(cx, Kind::Channel, "subscribe")
}

/// `PSUBSCRIBE pattern [pattern ...]`: subscribes the caller to all channels that match a pattern.
pub fn psubscribe(cx: &mut Cx<'_>) -> Outcome {
    begin(cx, Kind::Pattern, "psubscribe")
}

/// `SSUBSCRIBE channel [channel ...]`: subscribes the caller to shard channels.
pub fn ssubscribe(cx: &mut Cx<'_>) -> Outcome {
    begin(cx, Kind::Shard, "ssubscribe")
}

/// `UNSUBSCRIBE [channel ...]`: ends these subscriptions to channels, or all of them.
pub fn unsubscribe(cx: &mut Cx<'_>) -> Outcome {
    end(cx, Kind::Channel, "unsubscribe")
}

/// `PUNSUBSCRIBE [pattern ...]`: ends these subscriptions to patterns, or all of them.
pub fn punsubscribe(cx: &mut Cx<'_>) -> Outcome {
    end(cx, Kind::Pattern, "punsubscribe")
}

/// `SUNSUBSCRIBE [channel ...]`: ends these subscriptions to shard channels, or all of them.
pub fn sunsubscribe(cx: &mut Cx<'_>) -> Outcome {
    end(cx, Kind::Shard, "sunsubscribe")
}

/// Subscribes the caller to all names of the request or to none. It writes one reply for each name; `word`
/// is the first word of these replies.
fn begin(cx: &mut Cx<'_>, kind: Kind, word: &str) -> Outcome {
    let names = cx.args.from(1);
    names.clone().try_for_each(|name| check_length(cx, name))?;
    let bytes: usize = names.clone().map(|name| name.len() + SUBSCRIPTION_BYTES).sum();
    reserve_replies(cx, bytes)?;
    let mut patterns: VecDeque<Pattern> = match kind {
        Kind::Pattern => {
            names.clone().map(|name| Pattern::new(name, Case::Kept)).collect::<Result<_, _>>()?
        }
        Kind::Channel | Kind::Shard => VecDeque::new(),
    };
    memory::charge(bytes + patterns.iter().map(Pattern::memory).sum::<usize>())?;
    cx.reply.assure();
    for name in names {
        let world = &mut *cx.world;
        let session = world.sessions.get_mut(cx.me.slot).expect("a turn has a session");
        let mine = &mut session.extras().subscriptions;
        match patterns.pop_front() {
            Some(pattern) => world.channels.subscribe_to_pattern(cx.me, mine, name, pattern),
            None => world.channels.subscribe(cx.me, mine, kind, name),
        }
        let told = mine.told(kind);
        tell(cx, word, Some(name), told);
    }
    Ok(())
}

/// Ends the caller's subscriptions to the names of the request, or to all names of this kind. It writes one
/// reply for each name; `word` is the first word of these replies.
fn end(cx: &mut Cx<'_>, kind: Kind, word: &str) -> Outcome {
    let unnamed = cx.args.len() == 1;
    let all = match cx.session().subscriptions() {
        Some(mine) if unnamed => mine.of(kind),
        _ => Vec::new(),
    };
    let names: Vec<&[u8]> = match cx.args.len() {
        1 => all.iter().map(|name| &**name).collect(),
        _ => memory::collect(cx.args.from(1))?,
    };
    reserve_replies(cx, names.iter().map(|name| name.len() + SUBSCRIPTION_BYTES).sum())?;
    cx.reply.assure();
    if names.is_empty() {
        let told = cx.session().subscriptions().map_or(0, |mine| mine.told(kind));
        tell(cx, word, None, told);
    }
    for name in names {
        let world = &mut *cx.world;
        let session = world.sessions.get_mut(cx.me.slot).expect("a turn has a session");
        let mine = &mut session.extras().subscriptions;
        world.channels.unsubscribe(cx.me, mine, kind, name);
        let told = mine.told(kind);
        tell(cx, word, Some(name), told);
    }
    cx.session().drop_empty_extras();
    Ok(())
}

/// Writes the reply about one name.
fn tell(cx: &mut Cx<'_>, word: &str, name: Option<&[u8]>, count: usize) {
    cx.reply.push_header(3);
    cx.reply.bulk(word.as_bytes());
    cx.reply.bulk_or_null(name);
    cx.reply.int(count as i64);
}

/// Checks the length of a name. It is limited like a key, because a command compares and matches the whole
/// name within one turn.
fn check_length(cx: &Cx<'_>, name: &[u8]) -> Outcome {
    let max = cx.world.config.max_key_bytes;
    if name.len() <= max {
        return Ok(());
    }
    Err(Failure::telling(format!("ERR channel of {} bytes exceeds max-key-bytes ({max})", name.len())))
}

/// Makes room for the replies about all names, which take up to `bytes` bytes. All of them must fit,
/// because the command commits all names or none.
fn reserve_replies(cx: &mut Cx<'_>, bytes: usize) -> Outcome {
    if bytes > cx.world.config.max_reply_bytes {
        return Err(cx.reply_too_long());
    }
    Ok(cx.reply.reserve(bytes)?)
}

/// `PUBLISH channel message`: sends a message to the clients that have subscribed to the channel or to a
/// pattern that matches it. The reply is the number of messages.
pub fn publish(cx: &mut Cx<'_>) -> Outcome {
    let channel = cx.arg(1);
    check_length(cx, channel)?;
    let mut post = Post::of(cx.arg(2), Some(cx.me));
    post.add_channel(cx.world, channel)?;
    send(cx, post)
}

/// `SPUBLISH channel message`: sends a message to the clients that have subscribed to the shard channel.
/// The reply is the number of messages.
pub fn spublish(cx: &mut Cx<'_>) -> Outcome {
    let channel = cx.arg(1);
    check_length(cx, channel)?;
    let mut post = Post::of(cx.arg(2), Some(cx.me));
    post.add(cx.world, Kind::Shard, &[b"smessage", channel])?;
    send(cx, post)
}

/// Sends the messages, and replies with their number.
fn send(cx: &mut Cx<'_>, post: Post<'_>) -> Outcome {
    post.reserve(cx.world)?;
    cx.reply.assure();
    let count = post.send(cx.world);
    cx.reply.int(count as i64);
    Ok(())
}

/// `PUBSUB CHANNELS [pattern]`: the channels that have subscribers.
pub fn channels(cx: &mut Cx<'_>) -> Outcome {
    list(cx, Kind::Channel)
}

/// `PUBSUB SHARDCHANNELS [pattern]`: the shard channels that have subscribers.
pub fn shardchannels(cx: &mut Cx<'_>) -> Outcome {
    list(cx, Kind::Shard)
}

/// Replies with the names of a kind that have subscribers and match the pattern, sorted.
fn list(cx: &mut Cx<'_>, kind: Kind) -> Outcome {
    let wanted = match cx.args.get(2) {
        Some(word) if cx.args.len() == 3 => Some(Pattern::new(word, Case::Kept)?),
        None => None,
        Some(_) => return Err(wrong_arguments("PUBSUB", cx.arg(1))),
    };
    let names = cx.world.channels.names(kind);
    let mut found: Vec<&[u8]> =
        memory::collect(names.filter(|name| wanted.as_ref().is_none_or(|pattern| pattern.matches(name))))?;
    found.sort_unstable();
    cx.reply.array(found.len());
    for name in found {
        cx.reply.bulk(name);
    }
    Ok(())
}

/// `PUBSUB NUMSUB [channel ...]`: how many subscribers each of these channels has.
pub fn numsub(cx: &mut Cx<'_>) -> Outcome {
    count(cx, Kind::Channel)
}

/// `PUBSUB SHARDNUMSUB [channel ...]`: how many subscribers each of these shard channels has.
pub fn shardnumsub(cx: &mut Cx<'_>) -> Outcome {
    count(cx, Kind::Shard)
}

/// Replies with each name of the request and the number of its subscribers.
fn count(cx: &mut Cx<'_>, kind: Kind) -> Outcome {
    // As in Redis, this is a flat array in RESP3 too, and no map.
    cx.reply.array(2 * (cx.args.len() - 2));
    for name in cx.args.from(2) {
        cx.reply.bulk(name);
        cx.reply.int(cx.world.channels.count(kind, name) as i64);
    }
    Ok(())
}

/// `PUBSUB NUMPAT`: how many patterns have subscribers.
pub fn numpat(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.int(cx.world.channels.names(Kind::Pattern).len() as i64);
    Ok(())
}
