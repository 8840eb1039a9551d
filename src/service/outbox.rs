//! What commands ask of the server. A command never touches another connection: it leaves a note
//! here, and when the turn's borrows have ended the server acts on it.

use std::sync::Arc;

use crate::base::{Buf, ConnId};

/// One thing asked for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Close that client (`CLIENT KILL`).
    Kill(ConnId),
    /// Send that client something that it did not ask for just now (`PUBLISH`): one frame, in two parts.
    Push {
        /// Whom.
        to: ConnId,
        /// The frame up to the message, shared by all who have subscribed to the same name.
        head: Arc<Buf>,
        /// The message, shared by all.
        message: Arc<Buf>,
    },
    /// Go on with that client's next command, which has waited.
    Wake(ConnId),
    /// Stop serving (`SHUTDOWN`): drain first, or now.
    Quit {
        /// True to stop now.
        now: bool,
    },
}

/// The notes of one turn, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Bounded by `asks_per_turn`, by what one command may ask, and inside a transaction by
    /// [`PUSHES_PENDING_MAX`](crate::config::PUSHES_PENDING_MAX).
    pub asks: Vec<Ask>,
    /// Some of them push something to the client whose command it was.
    pub to_caller: bool,
    /// So many of them are of commands that are complete, those of a transaction included.
    complete: usize,
}

impl Outbox {
    /// A command is complete: what it has asked for stands, whatever becomes of the one it runs inside of.
    #[inline]
    pub fn complete(&mut self) {
        self.complete = self.asks.len();
    }

    /// A command has panicked: forgets what it had asked for, but not what the complete ones have, of which
    /// the turn knows the first `least`.
    pub fn forget_half_done(&mut self, least: usize) {
        self.asks.truncate(self.complete.max(least));
        self.to_caller = false;
    }

    /// Takes all notes out.
    pub fn take(&mut self) -> Vec<Ask> {
        self.complete = 0;
        std::mem::take(&mut self.asks)
    }

    /// Takes out what is to be pushed to `id`, from the note number `from` on.
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
