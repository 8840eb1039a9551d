//! One connection: its socket, its buffers, and what is remembered of its readiness. Facts of the
//! transport only: what a client has asked for is the service's business.

use crate::base::{Buf, Reason};

/// What [`Conn::read_left`] is while a connection may send as much as it likes.
pub const UNBOUNDED: u32 = u32::MAX;

/// Where a connection is in its life. "Closed" is no phase: it is an empty slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Being served.
    Open,
    /// Nothing more is served; what it is owed is being written.
    Finishing(Reason),
    /// All is written and the write side shut; late input is discarded, because closing a socket
    /// with unread input resets the connection and may eat the last reply on its way.
    Lingering(Reason),
    /// To be freed when this tick reaps. It holds no buffers any more.
    Doomed(Reason),
}

/// One connection.
#[derive(Debug)]
pub struct Conn<S> {
    /// The socket.
    pub socket: S,
    /// Its `CLIENT ID`.
    pub serial: u64,
    /// Received and not yet served.
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
    /// Bytes that its half request lacks, as far as it has said.
    pub missing: u32,
    /// Bytes that may still be read from it, [`UNBOUNDED`] until the last read of a drain.
    pub read_left: u32,
    /// Where it is in its life.
    pub phase: Phase,
    /// Set when nothing more will be received: why. Once the requests in hand are answered, the
    /// connection finishes for this reason.
    pub ending: Option<Reason>,
    /// A read may find something. Set by edges, cleared by `WouldBlock`.
    pub can_read: bool,
    /// A write may find room. Set by edges, cleared by `WouldBlock`.
    pub can_write: bool,
    /// The short-read rule is off: an edge said that something hides behind the bytes.
    pub hides_more: bool,
    /// An edge said that the peer has closed its side, behind whatever is still unread.
    pub peer_closed: bool,
    /// `input` may hold complete requests: a turn ended before it was through with them.
    pub unserved: bool,
    /// No turn is owed although input waits: its next request waits for something to happen.
    pub parked: bool,
    /// In a queue of turns.
    pub queued: bool,
    /// In the queue of flushes.
    pub dirty: bool,
    /// Counts towards `maxclients`.
    pub counted: bool,
    /// What its client is, as far as the transport treats it differently.
    pub class: Class,
}

/// How the transport treats a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// Others send it bytes (a subscriber): silence is its nature, so it has no idle timeout.
    pub fed: bool,
    /// Not to be evicted for memory.
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

    /// It has so many replies to take that it is not served meanwhile.
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

    /// It is closed when it is silent for too long.
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
