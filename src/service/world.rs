//! What commands act on: the keyspace, the clients' sessions, the settings, the counters, the time.
//!
//! A command sees all of it and nothing of the connection it came by; a command inside a command, such as
//! those of a transaction, sees the very same.

use super::outbox::Outbox;
use super::session::Sessions;
use crate::base::{Clock, Now, Peer};
use crate::config::Config;
use crate::stats::Stats;
use crate::store::Store;

/// Everything that outlives a command.
pub struct World {
    /// The keyspace.
    pub store: Store,
    /// What is remembered of each client.
    pub sessions: Sessions,
    /// What commands asked of the server and it has not yet done.
    pub outbox: Outbox,
    /// The settings.
    pub config: Config,
    /// The counters.
    pub stats: Stats,
    /// When the server started.
    pub started: Now,
    /// Both clocks, as of the start of the tick or as of the last time that somebody looked since.
    pub now: Now,
    /// Counts changes of the settings: limits that were read before are to be read again.
    pub settings_changed: u64,
    clock: Clock,
}

impl World {
    /// A world with an empty keyspace whose hash is seeded with `seed`. `listeners` are the addresses it
    /// is reached at, for `CLIENT LIST`.
    pub fn new(seed: u64, config: Config, clock: Clock, listeners: Vec<Peer>) -> World {
        let now = clock.now();
        World {
            store: Store::new(seed),
            sessions: Sessions::new(listeners),
            outbox: Outbox::default(),
            config,
            stats: Stats::default(),
            started: now,
            now,
            settings_changed: 0,
            clock,
        }
    }

    /// Looks at the clock: from here on it is as late as it is.
    pub fn refresh(&mut self) {
        self.now = self.clock.now();
    }

    /// What the clock says, whatever `now` goes on to say.
    pub fn read_clock(&self) -> Now {
        self.clock.now()
    }
}
