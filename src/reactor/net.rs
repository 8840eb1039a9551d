//! The world as the reactor sees it: the only seam between it and an operating system.
//!
//! `os::OsNet` implements it with mio; the simulator implements it with a seeded world. An
//! implementation owes the reactor what edge-triggered epoll and kqueue owe it, and no more:
//!
//! - After [`Net::watch`], and after a read or write has said `WouldBlock`, the next change to the
//!   better (bytes, an end, an error, room) is reported as an [`Edge`]. What has been reported is
//!   not reported again.
//! - Changes between two waits may be merged into one edge. Spurious edges may come.
//! - After [`Net::forget`] returns, no edge for that slot comes from any later wait.

use std::io::{self, Read, Write};

use crate::base::{Clock, Moment, Now, Peer};

/// How long a wait may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not at all: there is work left over.
    None,
    /// Until that moment at the latest.
    Until(Moment),
    /// Without a time limit: only an edge can end the wait.
    Endless,
}

/// One change that the world reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// A connection.
    Ready {
        /// What it was watched as.
        slot: u32,
        /// A read may find bytes, an end or an error.
        readable: bool,
        /// A write may find room or an error.
        writable: bool,
        /// An end, an error or urgent data may hide behind the bytes: a short read does not mean
        /// that the socket is empty.
        hides_more: bool,
        /// The peer has closed its side, behind whatever is still unread.
        peer_closed: bool,
    },
    /// A connection waits to be accepted at that listener.
    Listener(usize),
    /// A signal asks the server to stop (SIGINT, SIGTERM).
    Quit,
    /// A signal says that the log file has been moved away (SIGHUP).
    Reopen,
}

/// What a reactor needs from sockets and time.
pub trait Net {
    /// A connected, non-blocking stream. `WouldBlock` means what it means in the kernel; a read of
    /// 0 bytes into a buffer that is not empty means that the peer has closed its side.
    type Socket: Read + Write;

    /// True if a read of fewer bytes than asked for means that the socket is now empty, unless an edge has ever said
    /// that more hides behind the bytes. It saves the read that would say `WouldBlock`.
    const SHORT_READ_MEANS_EMPTY: bool;

    /// Waits for edges and appends them to `edges`. It may return without any. But everything that happened before it
    /// returns ought to be among them, because deadlines are judged next.
    ///
    /// # Errors
    /// Only when waiting itself is broken, which ends the process.
    fn wait(&mut self, patience: Patience, edges: &mut Vec<Edge>) -> io::Result<()>;

    /// Reads both clocks.
    fn now(&mut self) -> Now;

    /// A clock that reads the same two, to be handed on.
    fn clock(&self) -> Clock;

    /// Number of listeners, which are numbered from 0.
    fn listeners(&self) -> usize;

    /// Accepts a connection.
    ///
    /// # Errors
    /// The error of accept(2); `WouldBlock` if no connection waits.
    fn accept(&mut self, listener: usize) -> io::Result<(Self::Socket, Peer)>;

    /// How many bytes a read could take now. The answer may be too large if the kernel cannot tell, but never too
    /// small.
    fn waiting(&self, socket: &Self::Socket) -> usize;

    /// Registers a connection, for both directions and for good, under the name `slot`.
    ///
    /// # Errors
    /// If the kernel refuses; the caller closes the connection.
    fn watch(&mut self, socket: &mut Self::Socket, slot: u32) -> io::Result<()>;

    /// Closes the write side: the peer reads the end after the last byte written.
    ///
    /// # Errors
    /// If the connection is gone already.
    fn shut_write(&mut self, socket: &Self::Socket) -> io::Result<()>;

    /// Closes a connection.
    fn forget(&mut self, socket: Self::Socket);

    /// Closes all listeners: newcomers are refused from here on.
    fn stop_listening(&mut self);
}
