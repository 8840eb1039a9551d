//! `CLIENT PAUSE`: commands wait until the pause is over or a client ends it with `CLIENT UNPAUSE`.

use std::collections::BTreeMap;

use super::command::Command;
use crate::base::{ConnId, Moment};

/// Which commands a pause holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Commands that change keys or send something to other clients.
    Writes,
    /// All commands except `CLIENT UNPAUSE`, which ends the pause.
    All,
}

/// The pause of commands, if there is one, and the clients that wait for its end.
#[derive(Debug, Default)]
pub struct Pause {
    /// When the pause ends by itself, and which commands it holds.
    until: Option<(Moment, Held)>,
    /// The clients whose next command waits: their slots by their serial numbers.
    parked: BTreeMap<u64, u32>,
    /// True once the server is stopping: no pause may begin any more.
    is_over: bool,
}

impl Pause {
    /// True while a pause holds commands.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// When the pause ends by itself; `None` if there is no pause.
    pub fn until(&self) -> Option<Moment> {
        self.until.map(|(until, _)| until)
    }

    /// Holds commands until then. If there is a pause already, it keeps the later end, and it holds all
    /// commands if one of the two does.
    pub fn begin(&mut self, until: Moment, held: Held) {
        if self.is_over {
            return;
        }
        let (before, before_held) = self.until.unwrap_or((until, held));
        let held = if before_held == Held::All { Held::All } else { held };
        self.until = Some((before.max(until), held));
    }

    /// True if `command` must wait. `writes` says whether it changes keys or sends something to other
    /// clients.
    pub fn holds(&self, command: &Command, writes: bool) -> bool {
        match self.until {
            None => false,
            Some((_, Held::Writes)) => writes,
            // If `CLIENT UNPAUSE` had to wait as well, no client could end the pause.
            Some((_, Held::All)) => command.name != "client|unpause",
        }
    }

    /// Allows no new pause from now on: the server is stopping, so clients have no time to wait.
    pub fn give_up(&mut self) {
        self.is_over = true;
    }

    /// Notes that a client's next command waits.
    pub fn park(&mut self, id: ConnId) {
        self.parked.insert(id.serial, id.slot);
    }

    /// Forgets that a client waits.
    pub fn forget(&mut self, id: ConnId) {
        self.parked.remove(&id.serial);
    }

    /// Ends the pause. Returns the clients whose commands have waited, the oldest client first.
    pub fn end(&mut self) -> Vec<ConnId> {
        self.until = None;
        std::mem::take(&mut self.parked).into_iter().map(|(serial, slot)| ConnId { slot, serial }).collect()
    }
}
