//! One connection: its socket, its buffers and its remembered readiness. It holds facts of the transport only; facts
//! about requests are in the service's session.

use crate::base::{Buf, Output, Reason};

/// The value of [`Conn::read_left`] while reading has no limit.
pub const UNBOUNDED: u32 = u32::MAX;

/// Where a connection is in its life. "Closed" is no phase: it is an empty slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The client is served.
    Open,
    /// No more requests are served. The connection's output is still being written.
    Finishing(Reason),
    /// All output is written and the write side is shut. Late input is discarded, because to close a socket with
    /// unread input resets the connection, and the reset may eat the last reply on its way.
    Lingering(Reason),
    /// The next `reap` frees it. It no longer holds buffers.
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
    pub output: Output,
    /// Bytes received in its life.
    pub bytes_in: u64,
    /// Bytes delivered in its life.
    pub bytes_out: u64,
    /// Bytes of memory accounted to it: its buffers, the values that its output shares, and what the service holds for it.
    pub held: usize,
    /// The part of `held` that is shared memory, up to 4 GiB. The service counts that memory too.
    pub shared: u32,
    /// Bytes of memory that the service holds for it.
    pub service_bytes: u32,
    /// Bytes that are missing from its half request, as far as the client has said; 0 if the client has not said.
    pub missing: u32,
    /// Bytes that may still be read from it. [`UNBOUNDED`] until a drain reaches its deadline.
    pub read_left: u32,
    /// The phase of its life.
    pub phase: Phase,
    /// Set when nothing more will be received: the reason. When all requests that have arrived are answered, the
    /// connection finishes for this reason.
    pub ending: Option<Reason>,
    /// A read may find something. Edges set it. `WouldBlock` clears it, and so does a short read if
    /// [`SHORT_READ_MEANS_EMPTY`](super::net::Net::SHORT_READ_MEANS_EMPTY) applies.
    pub can_read: bool,
    /// A write may find room. Edges set it, and `WouldBlock` clears it.
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
    /// It is in a queue of turns.
    pub queued: bool,
    /// It is in the queue of flushes.
    pub dirty: bool,
    /// It counts towards `maxclients`.
    pub counted: bool,
    /// How the transport treats its client.
    pub class: Class,
}

/// How the transport treats a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// The client is a subscriber: other clients send it bytes. It may be silent for ever, so it has no idle timeout.
    pub fed: bool,
    /// The client is never evicted, and its memory does not count towards `maxmemory-clients`.
    pub spared: bool,
}

impl<S> Conn<S> {
    /// A fresh connection. It has room to write, as every fresh socket does.
    pub fn new(socket: S, serial: u64, counted: bool) -> Conn<S> {
        Conn {
            socket,
            serial,
            input: Buf::default(),
            output: Output::default(),
            bytes_in: 0,
            bytes_out: 0,
            held: 0,
            shared: 0,
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

    /// True if the client has so many untaken replies that it is not served until it takes some.
    #[inline]
    pub fn paused(&self, output_pause_bytes: usize) -> bool {
        self.output.len() >= output_pause_bytes
    }

    /// True if a turn would find something to do.
    #[inline]
    pub fn wants_turn(&self, output_pause_bytes: usize) -> bool {
        let can_receive = self.can_read && self.ending.is_none();
        match self.phase {
            Phase::Open => (self.unserved || can_receive) && !self.parked && !self.paused(output_pause_bytes),
            Phase::Finishing(_) | Phase::Lingering(_) => can_receive,
            Phase::Doomed(_) => false,
        }
    }

    /// True if a flush would find something to do.
    #[inline]
    pub fn wants_flush(&self) -> bool {
        match self.phase {
            Phase::Open => self.can_write && !self.output.is_empty(),
            Phase::Finishing(_) => self.can_write || self.output.is_empty(),
            Phase::Lingering(_) | Phase::Doomed(_) => false,
        }
    }

    /// True if the idle timeout applies to it.
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
