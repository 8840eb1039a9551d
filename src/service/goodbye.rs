//! The last line that a client reads when the server ends its connection.

use crate::base::Reason;

/// The last line that the server sends to a client whose connection ends for `reason`. It is empty if the
/// client knows the reason already, and if the server closes the connection without a word.
pub fn goodbye(reason: Reason) -> &'static [u8] {
    match reason {
        Reason::AtCapacity => b"-ERR max number of clients reached\r\n",
        Reason::RequestTimeout => b"-ERR request not completed within request-timeout\r\n",
        Reason::QueryBufferLimit => b"-ERR client-query-buffer-limit reached, closing the connection\r\n",
        Reason::Evicted => b"-ERR evicted: all clients together hold more than maxmemory-clients\r\n",
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
