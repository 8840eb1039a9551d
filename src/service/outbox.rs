//! What commands ask the server to do. A command never touches another connection. Instead it leaves an ask
//! here, and the server acts on it when the turn's borrows have ended.

use std::sync::Arc;

use crate::base::{Buf, ConnId, Reason};

/// One thing that a command asks the server to do.
#[derive(Debug)]
pub enum Ask {
    /// Close this client's connection (`CLIENT KILL`).
    Kill(ConnId),
    /// Close this client's connection for this reason: its command, which had waited for a key, could not run again.
    Fail(ConnId, Reason),
    /// Send this client something that it did not ask for just now (`PUBLISH`). The bytes to send are
    /// in two parts.
    Push {
        /// The client.
        to: ConnId,
        /// The bytes before the message. Clients that speak the same protocol version and have subscribed
        /// to the same name share them.
        head: Arc<Buf>,
        /// The message. All receivers share it.
        message: Arc<Buf>,
    },
    /// Send this client the reply of its command, which has waited for a key, and serve it again.
    Answer {
        /// The client.
        to: ConnId,
        /// The reply; empty if the client wants none.
        reply: Buf,
    },
    /// Serve this client again: its next command has waited (`CLIENT PAUSE`).
    Wake(ConnId),
    /// Stop the server (`SHUTDOWN`). It drains first.
    Quit {
        /// True if the drain must not wait for clients to leave.
        now: bool,
    },
    /// Do not stop after all (`SHUTDOWN ABORT`). The server cannot do this once newcomers are refused.
    Stay,
}

/// The asks on which the server has not acted yet, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The asks. A turn ends when there are `asks_per_turn` of them or more. One command may exceed that,
    /// but the messages of a transaction are limited by
    /// [`PUSHES_PENDING_MAX`](crate::config::PUSHES_PENDING_MAX).
    pub asks: Vec<Ask>,
    /// True if a command has pushed something to the client that sent it.
    pub to_caller: bool,
    /// How many of the asks come from complete commands. The commands of a transaction count one by one.
    complete: usize,
}

impl Outbox {
    /// A command is complete. The server will act on its asks, even if it ran inside a command that panics
    /// later.
    #[inline]
    pub fn complete(&mut self) {
        self.complete = self.asks.len();
    }

    /// A command has failed. Forgets its asks, which come after the first `least`, but keeps those of commands that are
    /// complete although they ran inside it.
    #[inline]
    pub fn forget_unfinished(&mut self, least: usize) {
        self.asks.truncate(self.complete.max(least));
    }

    /// A command has panicked. Forgets its asks, but keeps those of complete commands. The turn knows that
    /// at least the first `least` asks come from complete commands.
    pub fn forget_half_done(&mut self, least: usize) {
        self.asks.truncate(self.complete.max(least));
        self.to_caller = false;
    }

    /// Takes all asks out.
    pub fn take(&mut self) -> Vec<Ask> {
        self.complete = 0;
        std::mem::take(&mut self.asks)
    }

    /// Takes out the pushes to `id` among the asks from number `from` on. Returns the two parts of each.
    pub fn take_pushes_to(&mut self, id: ConnId, from: usize) -> Vec<[Arc<Buf>; 2]> {
        self.to_caller = false;
        let mut taken = Vec::new();
        let mut at = 0;
        self.asks.retain(|ask| {
            at += 1;
            match ask {
                Ask::Push { to, head, message } if at > from && *to == id => {
                    taken.push([Arc::clone(head), Arc::clone(message)]);
                    false
                }
                _ => true,
            }
        });
        self.complete = self.asks.len();
        taken
    }
}
