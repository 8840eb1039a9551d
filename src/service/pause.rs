//! `CLIENT PAUSE`: commands that wait until a time has come or somebody says go.

use std::collections::BTreeMap;

use super::command::Command;
use crate::base::{ConnId, Moment};

/// Which commands wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Those that change keys or speak to other clients.
    Writes,
    /// All but those that end the pause.
    All,
}

/// Commands are held until then.
#[derive(Debug, Default)]
pub struct Pause {
    until: Option<(Moment, Held)>,
    /// Clients whose next command waits: slots by serial number.
    parked: BTreeMap<u64, u32>,
    /// No pause may begin any more.
    is_over: bool,
}

impl Pause {
    /// True while there is one.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// When it ends by itself.
    pub fn until(&self) -> Option<Moment> {
        self.until.map(|(until, _)| until)
    }

    /// Holds commands until then. A pause that is already there is neither shortened nor softened.
    pub fn begin(&mut self, until: Moment, held: Held) {
        if self.is_over {
            return;
        }
        let (before, before_held) = self.until.unwrap_or((until, held));
        let held = if before_held == Held::All { Held::All } else { held };
        self.until = Some((before.max(until), held));
    }

    /// True if `command` has to wait. `writes` says whether it would change keys or speak to others.
    pub fn holds(&self, command: &Command, writes: bool) -> bool {
        match self.until {
            None => false,
            Some((_, Held::Writes)) => writes,
            // Nobody could end it if that had to wait as well.
            Some((_, Held::All)) => command.name != "client|unpause",
        }
    }

    /// There will be no more of it: the server is stopping, and nobody can be asked to wait.
    pub fn give_up(&mut self) {
        self.is_over = true;
    }

    /// A client's next command waits.
    pub fn park(&mut self, id: ConnId) {
        self.parked.insert(id.serial, id.slot);
    }

    /// A client waits no more.
    pub fn forget(&mut self, id: ConnId) {
        self.parked.remove(&id.serial);
    }

    /// Ends it; returns the clients whose commands have waited.
    pub fn end(&mut self) -> Vec<ConnId> {
        self.until = None;
        std::mem::take(&mut self.parked).into_iter().map(|(serial, slot)| ConnId { slot, serial }).collect()
    }
}
