//! Publish and subscribe.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::{Buf, OutOfMemory, memory};
use crate::config::PUSHES_PENDING_MAX;
use crate::resp::{Proto, Reply};
use crate::service::channels::{Kind, SUBSCRIPTION_BYTES};
use crate::service::cx::{Cx, Failure, Outcome};
use crate::service::errors::wrong_arguments;
use crate::service::glob::{Case, Pattern};
use crate::service::outbox::Ask;

/// `SUBSCRIBE channel [channel ...]`
pub fn subscribe(cx: &mut Cx<'_>) -> Outcome {
    begin(cx, Kind::Channel, "subscribe")
}

/// `PSUBSCRIBE pattern [pattern ...]`
pub fn psubscribe(cx: &mut Cx<'_>) -> Outcome {
    begin(cx, Kind::Pattern, "psubscribe")
}

/// `SSUBSCRIBE channel [channel ...]`
pub fn ssubscribe(cx: &mut Cx<'_>) -> Outcome {
    begin(cx, Kind::Shard, "ssubscribe")
}

/// `UNSUBSCRIBE [channel ...]`
pub fn unsubscribe(cx: &mut Cx<'_>) -> Outcome {
    end(cx, Kind::Channel, "unsubscribe")
}

/// `PUNSUBSCRIBE [pattern ...]`
pub fn punsubscribe(cx: &mut Cx<'_>) -> Outcome {
    end(cx, Kind::Pattern, "punsubscribe")
}

/// `SUNSUBSCRIBE [channel ...]`
pub fn sunsubscribe(cx: &mut Cx<'_>) -> Outcome {
    end(cx, Kind::Shard, "sunsubscribe")
}

/// One reply a name, all of them or none.
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

fn tell(cx: &mut Cx<'_>, word: &str, name: Option<&[u8]>, count: usize) {
    cx.reply.push_header(3);
    cx.reply.bulk(word.as_bytes());
    cx.reply.bulk_or_null(name);
    cx.reply.int(count as i64);
}

/// A name is compared and matched whole within a turn, as a key is.
fn check_length(cx: &Cx<'_>, name: &[u8]) -> Outcome {
    let max = cx.world.config.max_key_bytes;
    if name.len() <= max {
        return Ok(());
    }
    Err(Failure::telling(format!("ERR channel of {} bytes exceeds max-key-bytes ({max})", name.len())))
}

/// Several replies are to go out together, so all must fit.
fn reserve_replies(cx: &mut Cx<'_>, bytes: usize) -> Outcome {
    if bytes > cx.world.config.max_reply_bytes {
        return Err(cx.reply_too_long());
    }
    Ok(cx.reply.reserve(bytes)?)
}

/// `PUBLISH channel message`
pub fn publish(cx: &mut Cx<'_>) -> Outcome {
    let channel = cx.arg(1);
    check_length(cx, channel)?;
    let mut post = Post::of(cx.arg(2));
    post.add(cx, Kind::Channel, &[b"message", channel])?;
    let patterns: Vec<Arc<[u8]>> = cx.world.channels.matching(channel).cloned().collect();
    for name in patterns {
        post.add(cx, Kind::Pattern, &[b"pmessage", &name, channel])?;
    }
    post.send(cx)
}

/// `SPUBLISH channel message`
pub fn spublish(cx: &mut Cx<'_>) -> Outcome {
    let channel = cx.arg(1);
    check_length(cx, channel)?;
    let mut post = Post::of(cx.arg(2));
    post.add(cx, Kind::Shard, &[b"smessage", channel])?;
    post.send(cx)
}

/// What a `PUBLISH` sends, before anything of it is sent.
struct Post<'a> {
    message: &'a [u8],
    /// The message as it goes over the wire, once anybody is to hear it.
    framed: Option<Arc<Buf>>,
    asks: Vec<Ask>,
    to_myself: bool,
}

impl<'a> Post<'a> {
    fn of(message: &'a [u8]) -> Post<'a> {
        Post { message, framed: None, asks: Vec::new(), to_myself: false }
    }

    /// Adds the message for each subscriber of the name that is the second part of `head`.
    fn add(&mut self, cx: &mut Cx<'_>, kind: Kind, head: &[&[u8]]) -> Result<(), OutOfMemory> {
        let name = head[1];
        memory::reserve(&mut self.asks, cx.world.channels.count(kind, name))?;
        let mut heads: [Option<Arc<Buf>>; 2] = [None, None];
        for to in cx.world.channels.subscribers(kind, name) {
            let Some(session) = cx.world.sessions.get(to.slot) else { continue };
            let shared = &mut heads[session.proto as usize];
            let head = match shared {
                Some(bytes) => Arc::clone(bytes),
                None => {
                    Arc::clone(shared.insert(Arc::new(bulks(session.proto, Some(head.len() + 1), head)?)))
                }
            };
            self.to_myself |= to == cx.me;
            let message = match &self.framed {
                Some(framed) => Arc::clone(framed),
                // A bulk string is the same in both versions of the protocol.
                None => {
                    let framed = Arc::new(bulks(Proto::Resp2, None, &[self.message])?);
                    Arc::clone(self.framed.insert(framed))
                }
            };
            self.asks.push(Ask::Push { to, head, message });
        }
        Ok(())
    }

    fn send(mut self, cx: &mut Cx<'_>) -> Outcome {
        let outbox = &mut cx.world.outbox;
        if outbox.asks.len() + self.asks.len() > PUSHES_PENDING_MAX {
            return Err(Failure::text("ERR too many messages of one transaction wait to be delivered"));
        }
        memory::reserve(&mut outbox.asks, self.asks.len())?;
        cx.reply.assure();
        cx.world.outbox.to_caller |= self.to_myself;
        cx.reply.int(self.asks.len() as i64);
        cx.world.outbox.asks.append(&mut self.asks);
        Ok(())
    }
}

/// `parts` as they go over the wire, behind the beginning of a push of `count` elements if there is one.
fn bulks(proto: Proto, count: Option<usize>, parts: &[&[u8]]) -> Result<Buf, OutOfMemory> {
    const FRAMING_BYTES: usize = 32;
    let mut bytes = Buf::default();
    bytes.reserve(FRAMING_BYTES + parts.iter().map(|part| part.len() + FRAMING_BYTES).sum::<usize>())?;
    let mut reply = Reply::new(&mut bytes, proto, usize::MAX);
    if let Some(count) = count {
        reply.push_header(count);
    }
    for part in parts {
        reply.bulk(part);
    }
    Ok(bytes)
}

/// `PUBSUB CHANNELS [pattern]`
pub fn channels(cx: &mut Cx<'_>) -> Outcome {
    list(cx, Kind::Channel)
}

/// `PUBSUB SHARDCHANNELS [pattern]`
pub fn shardchannels(cx: &mut Cx<'_>) -> Outcome {
    list(cx, Kind::Shard)
}

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

/// `PUBSUB NUMSUB [channel ...]`
pub fn numsub(cx: &mut Cx<'_>) -> Outcome {
    count(cx, Kind::Channel)
}

/// `PUBSUB SHARDNUMSUB [channel ...]`
pub fn shardnumsub(cx: &mut Cx<'_>) -> Outcome {
    count(cx, Kind::Shard)
}

fn count(cx: &mut Cx<'_>, kind: Kind) -> Outcome {
    // No map, in RESP3 either: so Redis has it.
    cx.reply.array(2 * (cx.args.len() - 2));
    for name in cx.args.from(2) {
        cx.reply.bulk(name);
        cx.reply.int(cx.world.channels.count(kind, name) as i64);
    }
    Ok(())
}

/// `PUBSUB NUMPAT`
pub fn numpat(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.int(cx.world.channels.names(Kind::Pattern).len() as i64);
    Ok(())
}
