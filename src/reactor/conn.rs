//! One connection: its socket, its buffers, and what is remembered of its readiness.

use crate::base::{Buf, Reason};

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
    /// To be freed when this tick reaps.
    Doomed(Reason),
}

/// See the head of the file.
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
    /// Bytes of memory accounted to it.
    pub held: usize,
    /// Bytes that its half request lacks, as far as it has said.
    pub missing: u32,
    /// Memory that its half request holds besides its bytes.
    pub parser_bytes: u32,
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
    /// `input` may hold complete requests: a turn ended before it was through with them.
    pub unserved: bool,
    /// In the resume queue.
    pub queued: bool,
    /// In the dirty queue.
    pub dirty: bool,
    /// Counts towards `maxclients`.
    pub counted: bool,
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
            missing: 0,
            parser_bytes: 0,
            phase: Phase::Open,
            ending: None,
            can_read: false,
            can_write: true,
            hides_more: false,
            unserved: false,
            queued: false,
            dirty: false,
            counted,
            spared: false,
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
            Phase::Open => (self.unserved || can_receive) && !self.paused(output_pause_bytes),
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_stays_small() {
        assert!(size_of::<Conn<u64>>() <= 136, "{}", size_of::<Conn<u64>>());
    }
}
