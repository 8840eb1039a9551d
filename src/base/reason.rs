//! Why a connection ended.

use std::fmt;
use std::io::ErrorKind;

/// Why a connection ended. Each closed connection has exactly one reason. Each reason has a counter, and the log
/// prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The peer closed its write side. The server has answered its complete requests.
    PeerClosed,
    /// The client sent `QUIT`.
    Quit,
    /// No byte moved in either direction for `timeout`.
    Idle,
    /// The client began a request and did not complete it within `request-timeout`.
    RequestTimeout,
    /// The client sent bytes that are not RESP, so the server cannot tell where the next request begins; or it sent
    /// HTTP.
    ProtocolError,
    /// The client took its output too slowly: it took none of it for `write-timeout`, or for `timeout` while its
    /// connection was ending; or a subscriber exceeded `client-output-buffer-limit`.
    SlowConsumer,
    /// The client sent `client-query-buffer-limit` bytes or more without a complete request.
    QueryBufferLimit,
    /// All clients together held more than `maxmemory-clients`, and this one held the most.
    Evicted,
    /// A client ended it by `CLIENT KILL`.
    Killed,
    /// A command of this client panicked.
    Panicked,
    /// The client came when `maxclients` were being served, so the server refused it.
    AtCapacity,
    /// The server was stopping, and this client got everything that the server owed it.
    Drained,
    /// The server stopped before this client had taken everything that the server owed it.
    Forced,
    /// The socket failed, or there was no memory for the connection. The kind is that of the error.
    Io(ErrorKind),
}

impl Reason {
    /// The names of the counters, in the order of [`Reason::index`].
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

    /// The place of this reason in [`Reason::NAMES`] and among the counters, from 0.
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
