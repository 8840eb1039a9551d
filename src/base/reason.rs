//! Why a connection ended.

use std::fmt;
use std::io::ErrorKind;

/// Why a connection ended. Each close has exactly one, each has a counter, and the log prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The peer closed its write side and has been answered.
    PeerClosed,
    /// `QUIT`, or a request that Redis answers by closing.
    Quit,
    /// Silent for longer than `timeout`.
    Idle,
    /// A request that was begun and not completed within `request-timeout`.
    RequestTimeout,
    /// Framing that cannot be followed any further.
    ProtocolError,
    /// Took none of its pending replies for `write-timeout`.
    SlowConsumer,
    /// More unserved input than `client-query-buffer-limit`.
    QueryBufferLimit,
    /// All clients together exceeded `maxmemory-clients`, and this one held the most.
    Evicted,
    /// `CLIENT KILL`.
    Killed,
    /// Its command panicked.
    Panicked,
    /// The client came when `maxclients` were being served.
    AtCapacity,
    /// The server was told to stop and everything it owed this client was delivered.
    Drained,
    /// The server stopped before this client had taken what it was owed.
    Forced,
    /// The socket failed.
    Io(ErrorKind),
}

impl Reason {
    /// The counters' names, in the order of [`Reason::index`].
    pub const NAMES: [&'static str; 14] = [
        "peer_closed",
        "quit",
        "idle",
        "request_timeout",
        "protocol_error",
        "slow_consumer",
        "query_buffer_limit",
        "evicted",
        "killed",
        "panicked",
        "at_capacity",
        "drained",
        "forced",
        "io",
    ];

    /// Which of [`Reason::NAMES`] this is.
    pub const fn index(self) -> usize {
        match self {
            Reason::PeerClosed => 0,
            Reason::Quit => 1,
            Reason::Idle => 2,
            Reason::RequestTimeout => 3,
            Reason::ProtocolError => 4,
            Reason::SlowConsumer => 5,
            Reason::QueryBufferLimit => 6,
            Reason::Evicted => 7,
            Reason::Killed => 8,
            Reason::Panicked => 9,
            Reason::AtCapacity => 10,
            Reason::Drained => 11,
            Reason::Forced => 12,
            Reason::Io(_) => 13,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Reason::NAMES[self.index()])?;
        match self {
            Reason::Io(kind) => write!(f, "({kind})"),
            _ => Ok(()),
        }
    }
}
