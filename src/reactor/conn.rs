//! One connection: its socket, its buffers and its remembered readiness. It holds facts of the transport only; facts
//! about requests are in the service's session.

use crate::base::{Buf, Reason};

/// The value of [`Conn::read_left`] while reading has no limit.
pub const UNBOUNDED: u32 = u32::MAX;

/// Where a connection is in its life. "Closed" is no phase: it is an empty slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Being served.
    Open,
    /// Nothing more is served. The connection's output is being written.
    Finishing(Reason),
    /// All output is written and the write side is shut. Late input is discarded, because to close a socket with
    /// unread input resets the connection, and the reset may eat the last reply on its way.
    Lingering(Reason),
    /// This tick's `reap` will free it. It no longer holds buffers.
    Doomed(Reason),
}

/// One connection.
#[derive(Debug)]
pub struct Conn<S> {
    /// The socket.
    pub socket: S,
    /// Its `CLIENT ID`.
    pub serial: u64,
    /// Bytes received and not yet served.
    pub input: Buf,
    /// Replies not yet delivered.
    pub output: Buf,
    /// Bytes received in its life.
    pub bytes_in: u64,
    /// Bytes delivered in its life.
    pub bytes_out: u64,
    /// Bytes of memory accounted to it: its buffers, and what the service holds for it.
    pub held: usize,
    /// Bytes of memory that the service holds for it.
    pub service_bytes: u32,
    /// Bytes that its half request still lacks, as far as the client has said.
    pub missing: u32,
    /// Bytes that may still be read from it, [`UNBOUNDED`] until the last read of a drain.
    pub read_left: u32,
    /// The phase of its life.
    pub phase: Phase,
    /// Why nothing more will be received, if so. When the requests that are here are answered, the connection finishes
    /// for this reason.
    pub ending: Option<Reason>,
    /// A read may find something. Set by edges, cleared by `WouldBlock`.
    pub can_read: bool,
    /// A write may find room. Set by edges, cleared by `WouldBlock`.
    pub can_write: bool,
    /// An edge said that an end, an error or urgent data may hide behind the bytes. So a short read does not mean that
    /// the socket is empty.
    pub hides_more: bool,
    /// An edge said that the peer has closed its side. Unread bytes may come before that end.
    pub peer_closed: bool,
    /// `input` may hold complete requests, because a turn ended before it had served all of them.
    pub unserved: bool,
    /// The next request waits for something to happen. No turn is owed, although there is input.
    pub parked: bool,
    /// In a queue of turns.
    pub queued: bool,
    /// In the queue of flushes.
    pub dirty: bool,
    /// Counts towards `maxclients`.
    pub counted: bool,
    /// How the transport treats its client.
    pub class: Class,
}

/// How the transport treats a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// Other clients send it bytes (it is a subscriber). It may be silent for ever, so it has no idle timeout.
    pub fed: bool,
    /// It is not evicted for memory.
    pub spared: bool,
}

impl<S> Conn<S> {
    /// A fresh connection. It has room to write, as every fresh socket does.
    pub fn new(socket: S, serial: u64, counted: bool) -> Conn<S> {
        Conn {
            socket,
            serial,
            input: Buf::default(),
            output: Buf::default(),
            bytes_in: 0,
            bytes_out: 0,
            held: 0,
            service_bytes: 0,
            missing: 0,
            read_left: UNBOUNDED,
            phase: Phase::Open,
            ending: None,
            can_read: false,
            can_write: true,
            hides_more: false,
            peer_closed: false,
            unserved: false,
            parked: false,
            queued: false,
            dirty: false,
            counted,
            class: Class::default(),
        }
    }

    /// It has so many untaken replies that it is not served until it takes some.
    #[inline]
    pub fn paused(&self, output_pause_bytes: usize) -> bool {
        self.output.len() >= output_pause_bytes
    }

    /// A turn would find something to do.
    #[inline]
    pub fn wants_turn(&self, output_pause_bytes: usize) -> bool {
        let can_receive = self.can_read && self.ending.is_none();
        match self.phase {
            Phase::Open => (self.unserved || can_receive) && !self.parked && !self.paused(output_pause_bytes),
            Phase::Finishing(_) | Phase::Lingering(_) => can_receive,
            Phase::Doomed(_) => false,
        }
    }

    /// A flush would find something to do.
    #[inline]
    pub fn wants_flush(&self) -> bool {
        match self.phase {
            Phase::Open => self.can_write && !self.output.is_empty(),
            Phase::Finishing(_) => self.can_write || self.output.is_empty(),
            Phase::Lingering(_) | Phase::Doomed(_) => false,
        }
    }

    /// The idle timeout applies to it.
    #[inline]
    pub fn may_idle_out(&self) -> bool {
        match self.phase {
            Phase::Open => !self.class.fed && !self.parked,
            Phase::Finishing(_) => true,
            Phase::Lingering(_) | Phase::Doomed(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_stays_small() {
        assert!(size_of::<Conn<u64>>() <= 144, "{}", size_of::<Conn<u64>>());
    }
}
