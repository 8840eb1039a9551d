//! The last words of a connection: what a client reads when the server ends it.

use crate::base::Reason;

/// The line that a client of RESP reads when its connection ends for `reason`; empty if it has been told
/// already, or is not told at all.
pub fn goodbye(reason: Reason) -> &'static [u8] {
    match reason {
        Reason::AtCapacity => b"-ERR max number of clients reached\r\n",
        Reason::RequestTimeout => b"-ERR request not completed within request-timeout\r\n",
        Reason::QueryBufferLimit => b"-ERR client-query-buffer-limit reached\r\n",
        Reason::Evicted => b"-ERR evicted: clients together exceed maxmemory-clients\r\n",
        Reason::Panicked => b"-ERR internal error\r\n",
        Reason::PeerClosed
        | Reason::Quit
        | Reason::Idle
        | Reason::ProtocolError
        | Reason::SlowConsumer
        | Reason::Killed
        | Reason::Drained
        | Reason::Forced
        | Reason::Io(_) => b"",
    }
}
