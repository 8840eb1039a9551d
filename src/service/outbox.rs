//! What commands ask of the server. A command never touches another connection: it leaves a note
//! here, and when the turn's borrows have ended the server acts on it.

use std::sync::Arc;

use crate::base::{Buf, ConnId};

/// One thing asked for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Close that client (`CLIENT KILL`).
    Kill(ConnId),
    /// Send that client something that it did not ask for just now (`PUBLISH`).
    Push {
        /// Whom.
        to: ConnId,
        /// One whole frame, shared by all that it goes to.
        bytes: Arc<Buf>,
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
    /// Bounded by the number of clients and their subscriptions, for each command of a turn.
    pub asks: Vec<Ask>,
    /// Some of them push something to the client whose command it was.
    pub to_caller: bool,
}

impl Outbox {
    /// Takes out what is to be pushed to `id`, from the note number `from` on.
    pub fn take_pushes_to(&mut self, id: ConnId, from: usize) -> Vec<Arc<Buf>> {
        self.to_caller = false;
        let mut taken = Vec::new();
        let mut at = 0;
        self.asks.retain(|ask| {
            at += 1;
            match ask {
                Ask::Push { to, bytes } if at > from && *to == id => {
                    taken.push(Arc::clone(bytes));
                    false
                }
                _ => true,
            }
        });
        taken
    }
}
