//! What commands ask of the server. A command never touches another connection: it leaves a note
//! here, and when the turn's borrows have ended the server acts on it.

use crate::base::ConnId;

/// One thing asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Close that client (`CLIENT KILL`).
    Kill(ConnId),
    /// Stop serving (`SHUTDOWN`): drain first, or now.
    Quit {
        /// True to stop now.
        now: bool,
    },
}

/// The notes of one turn, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Bounded by the number of clients: each command asks at most once about each.
    pub asks: Vec<Ask>,
}
