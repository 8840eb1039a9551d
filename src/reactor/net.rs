//! The world as the reactor sees it: the only seam between the reactor and an operating system.
//!
//! `os::OsNet` implements it with mio, and the simulator implements it with a seeded world. An implementation owes the
//! reactor what edge-triggered epoll and kqueue owe it, and no more:
//!
//! - After [`Net::watch`], and after a read or write has said `WouldBlock`, the world reports the next change that lets
//!   the reactor go on (bytes, an end, an error, room) as an [`Edge`]. It does not report the same change again.
//! - The world may merge several changes between two waits into one edge. It may report edges without a change.
//! - After [`Net::forget`] returns, no later wait reports an edge for that connection.

use std::io::{self, Read, Write};

use crate::base::{Clock, Moment, Now, Peer};

/// How long a wait may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// The wait must not block, because work is left over.
    None,
    /// The wait may last until this moment.
    Until(Moment),
    /// The wait has no time limit: only an edge can end it.
    Endless,
}

/// One change that the world reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// A connection became ready.
    Ready {
        /// The slot under which it is watched.
        slot: u32,
        /// A read may find bytes, an end or an error.
        readable: bool,
        /// A write may find room or an error.
        writable: bool,
        /// An end, an error or urgent data may hide behind the bytes: a short read does not mean
        /// that the socket is empty.
        hides_more: bool,
        /// The peer has closed its side. Unread bytes may come before that end.
        peer_closed: bool,
    },
    /// A connection waits to be accepted at the listener with this number.
    Listener(usize),
    /// A signal asks the server to stop (SIGINT, SIGTERM).
    Quit,
    /// A signal says that the log file has been moved away, or that the configuration file has changed (SIGHUP).
    Hangup,
}

/// What a reactor needs from sockets and time.
pub trait Net {
    /// A connected, non-blocking stream. `WouldBlock` means that a read finds no bytes, or a write no room. A read of 0
    /// bytes into a buffer that has room means that the peer has closed its side.
    type Socket: Read + Write;

    /// True if a short read (fewer bytes than asked for) means that the socket is now empty. The reactor then saves the
    /// read that would say `WouldBlock`. It does not apply to a connection for which an edge has ever said that more
    /// hides behind the bytes.
    const SHORT_READ_MEANS_EMPTY: bool;

    /// Waits for edges and appends them to `edges`. It may return without an edge. It should report everything that has
    /// happened before it returns, because the reactor judges deadlines next.
    ///
    /// # Errors
    /// Only if the wait itself fails. The error ends the process.
    fn wait(&mut self, patience: Patience, edges: &mut Vec<Edge>) -> io::Result<()>;

    /// Reads both clocks.
    fn now(&mut self) -> Now;

    /// A clock that reads the same two clocks and that other rooms can keep.
    fn clock(&self) -> Clock;

    /// The number of listeners. They are numbered from 0.
    fn listeners(&self) -> usize;

    /// Accepts a connection.
    ///
    /// # Errors
    /// The error of accept(2); `WouldBlock` if no connection waits.
    fn accept(&mut self, listener: usize) -> io::Result<(Self::Socket, Peer)>;

    /// How many bytes a read could take now. The answer may be too large if the kernel cannot tell, but never too
    /// small.
    fn waiting(&self, socket: &Self::Socket) -> usize;

    /// Registers a connection under the name `slot`, for both directions, once for its whole life.
    ///
    /// # Errors
    /// If the kernel refuses. The caller then closes the connection.
    fn watch(&mut self, socket: &mut Self::Socket, slot: u32) -> io::Result<()>;

    /// Closes the write side. The peer reads all bytes that were written, and then the end.
    ///
    /// # Errors
    /// If the connection has gone already.
    fn shut_write(&mut self, socket: &Self::Socket) -> io::Result<()>;

    /// Closes a connection.
    fn forget(&mut self, socket: Self::Socket);

    /// Closes all listeners: newcomers are refused from here on.
    fn stop_listening(&mut self);
}
