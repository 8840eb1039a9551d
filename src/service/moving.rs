//! Tells clients that the server is about to stop, so that they move to another one with no failed command.
//!
//! A client that speaks RESP3 asks for it by `CLIENT MAINT_NOTIFICATIONS ON`, as redis-py, node-redis, go-redis and Lettuce do
//! of themselves. It then gets a push `MOVING` with a number, the seconds that are left, and the address to go to. The
//! commercial servers of Redis defined this push.

use std::sync::Arc;

use super::outbox::Ask;
use super::world::World;
use crate::base::{ConnId, OutOfMemory, Output};
use crate::resp::{Proto, Reply};

/// Where a client that is told to move expects to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moves {
    /// The client has not asked to be told.
    #[default]
    Untold,
    /// It wants an address: that of `drain-announce-addr`.
    ToAddress,
    /// It wants no address: it connects again to the one that it knows.
    ToSame,
}

impl World {
    /// Tells all clients that have asked for it that the server is about to stop.
    pub fn tell_moving(&mut self) {
        self.moves_told += 1;
        let mut told = 0;
        for moves in [Moves::ToAddress, Moves::ToSame] {
            let wants = self.sessions.by_age().into_iter().filter(|(_, session)| session.moves == moves);
            let to: Vec<ConnId> = wants.map(|(id, _)| id).collect();
            told += to.len();
            self.push_moving(moves, &to);
        }
        if told > 0 {
            log::info!("{told} clients are told to move");
        }
    }

    /// Tells a client that has just asked for it, if the server is about to stop already.
    pub(super) fn tell_newcomer_moving(&mut self, to: ConnId, moves: Moves) {
        if self.stats.present.end.is_some() && moves != Moves::Untold {
            self.push_moving(moves, &[to]);
            self.outbox.to_caller = true;
        }
    }

    fn push_moving(&mut self, moves: Moves, to: &[ConnId]) {
        let address = (moves == Moves::ToAddress).then_some(self.config.drain_announce_addr.as_str());
        // Some clients end their process if they get no address although they have asked for one.
        if to.is_empty() || address == Some("") {
            return;
        }
        let seconds_left = self.stats.present.end.map_or(0, |end| end.since(self.now.at).as_secs());
        let Ok(message) = message(self.moves_told, seconds_left, address) else { return };
        let (head, message) = (Arc::new(Output::default().into_own()), Arc::new(message.into_own()));
        let push =
            |to: &ConnId| Ask::Push { to: *to, head: Arc::clone(&head), message: Arc::clone(&message) };
        self.outbox.asks.extend(to.iter().map(push));
    }
}

/// The push `MOVING`.
///
/// # Errors
/// [`OutOfMemory`] if the allocator refuses.
fn message(number: u64, seconds_left: u64, address: Option<&str>) -> Result<Output, OutOfMemory> {
    const FRAMING_BYTES: usize = 128;
    let mut bytes = Output::default();
    bytes.reserve(FRAMING_BYTES + address.map_or(0, str::len))?;
    let mut reply = Reply::plain(&mut bytes, Proto::Resp3, usize::MAX);
    reply.push_header(4);
    reply.bulk(b"MOVING");
    reply.int(i64::try_from(number).unwrap_or(i64::MAX));
    reply.int(i64::try_from(seconds_left).unwrap_or(i64::MAX));
    reply.bulk_or_null(address.map(str::as_bytes));
    Ok(bytes)
}
