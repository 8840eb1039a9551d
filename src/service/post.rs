//! The messages of one publication: it collects all of them before it sends the first, because it must send all or
//! none.

use std::sync::Arc;

use super::channels::Kind;
use super::cx::Failure;
use super::outbox::Ask;
use super::world::World;
use crate::base::{Buf, ConnId, OutOfMemory, Output, memory};
use crate::config::PUSHES_PENDING_MAX;
use crate::resp::{Proto, Reply};

/// Messages with the same content for several receivers.
pub struct Post<'a> {
    message: &'a [u8],
    /// The client whose command sends the message, if there is one.
    sender: Option<ConnId>,
    /// The message as a bulk string, once there is a receiver.
    framed: Option<Arc<Buf>>,
    asks: Vec<Ask>,
    /// True if the sender is one of the receivers.
    to_sender: bool,
}

impl<'a> Post<'a> {
    /// A message that has no receivers yet.
    pub fn of(message: &'a [u8], sender: Option<ConnId>) -> Post<'a> {
        Post { message, sender, framed: None, asks: Vec::new(), to_sender: false }
    }

    /// Adds a message for each client that has subscribed to `channel`, or to a pattern that matches it.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn add_channel(&mut self, world: &World, channel: &[u8]) -> Result<(), OutOfMemory> {
        self.add(world, Kind::Channel, &[b"message", channel])?;
        world
            .channels
            .matching(channel)
            .try_for_each(|name| self.add(world, Kind::Pattern, &[b"pmessage", name, channel]))
    }

    /// Adds a message for each subscriber of a name. `head` are the words before the message; the second of
    /// them is the name.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn add(&mut self, world: &World, kind: Kind, head: &[&[u8]]) -> Result<(), OutOfMemory> {
        let name = head[1];
        memory::reserve(&mut self.asks, world.channels.count(kind, name))?;
        let mut heads: [Option<Arc<Buf>>; 2] = [None, None];
        for to in world.channels.subscribers(kind, name) {
            let Some(session) = world.sessions.get(to.slot) else { continue };
            let shared = &mut heads[session.proto as usize];
            let head = match shared {
                Some(bytes) => Arc::clone(bytes),
                None => {
                    Arc::clone(shared.insert(Arc::new(bulks(session.proto, Some(head.len() + 1), head)?)))
                }
            };
            self.to_sender |= Some(to) == self.sender;
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

    /// Makes room in the outbox for the messages.
    ///
    /// # Errors
    /// If there is no memory, or if too many messages wait.
    pub fn reserve(&self, world: &mut World) -> Result<(), Failure> {
        let asks = &mut world.outbox.asks;
        if asks.len() + self.asks.len() > PUSHES_PENDING_MAX {
            return Err(Failure::text("ERR this transaction publishes too many messages"));
        }
        Ok(memory::reserve(asks, self.asks.len())?)
    }

    /// Puts the messages into the outbox. Returns their number.
    pub fn send(mut self, world: &mut World) -> usize {
        let count = self.asks.len();
        world.outbox.to_caller |= self.to_sender;
        world.outbox.asks.append(&mut self.asks);
        count
    }
}

/// Encodes `parts` as bulk strings. If there is a `count`, the header of a push of `count` elements comes
/// before them. It is inlined, because with a known number of parts a message takes some ten instructions less.
#[inline(always)]
fn bulks(proto: Proto, count: Option<usize>, parts: &[&[u8]]) -> Result<Buf, OutOfMemory> {
    const FRAMING_BYTES: usize = 32;
    let mut bytes = Output::default();
    let len: usize = parts.iter().map(|part| part.len()).sum();
    bytes.reserve(FRAMING_BYTES * (parts.len() + 1) + len)?;
    let mut reply = Reply::plain(&mut bytes, proto, usize::MAX);
    if let Some(count) = count {
        reply.push_header(count);
    }
    for part in parts {
        reply.bulk(part);
    }
    Ok(bytes.into_own())
}
