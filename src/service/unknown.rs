//! Requests whose command is not in the catalog. Some of them are lines of HTTP: a web page may have made a browser talk to
//! the server, and the lines behind them must not run.

use super::Service;
use super::errors::unknown_command;
use super::turn::{Served, Turn};
use crate::base::Reason;
use crate::config::CROSS_PROTOCOL_LOG_S;
use crate::resp::Args;

impl Service {
    #[cold]
    pub(super) fn unknown(&mut self, turn: &mut Turn<'_>, args: Args<'_>) -> Served {
        if is_http(&args[0]) {
            self.note_cross_protocol(turn);
            return Served::Close(Reason::ProtocolError);
        }
        self.world.refuse_request(turn.me, turn.output, unknown_command(args));
        Served::Whole
    }

    /// Logs that a web page may have made a browser talk to us. Many tries in a row give one line.
    fn note_cross_protocol(&mut self, turn: &Turn<'_>) {
        let now = self.world.now.at;
        if self.cross_protocol_logged.is_some_and(|at| now.since(at).as_secs() < CROSS_PROTOCOL_LOG_S) {
            return;
        }
        self.cross_protocol_logged = Some(now);
        if let Some(session) = self.world.sessions.get(turn.me.slot) {
            log::warn!(
                "closed client {} from {}: it speaks HTTP, which may be a cross-protocol attack (logged at most \
                 once a minute)",
                turn.me,
                session.peer
            );
        }
    }
}

/// True for words that begin a line of HTTP. The lines after them are no commands and must not run.
pub(super) fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}
