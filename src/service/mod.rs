//! Turns request bytes into reply bytes. Knows no sockets; the server lends it a connection's input
//! and output for one turn at a time, and any other transport could do the same.
//!
//! - [`turn`]: one connection's turn: parse, look up, run, within a budget
//! - [`catalog`]: declares every command, each as [`command`] says; [`names`] finds them in it; `dispatch`
//!   says what each does
//! - [`run`]: checks and runs one command; [`cx`]: what the command sees, and how it fails
//! - [`world`]: what commands act on; [`session`]: what is remembered of a client between turns;
//!   [`outbox`]: what a command asks of the server about other connections
//! - `commands`: what they do, group by group; [`goodbye`]: the last words of a connection
//!
//! Imports go one way: `catalog <- cx <- run <- commands <- dispatch <- turn`.

pub mod catalog;
pub mod channels;
pub mod command;
mod commands;
pub mod cx;
mod dispatch;
mod errors;
mod gate;
mod glob;
pub mod goodbye;
mod long_double;
pub mod names;
pub mod outbox;
pub mod pause;
pub mod run;
pub mod session;
pub mod transaction;
pub mod turn;
pub mod world;

use std::iter;

use crate::base::{Address, Clock, ConnId, Moment, Peer};
use crate::config::Config;
use crate::resp::{Batch, Parser, sole_key};
use crate::store::WARMED_MAX;
use cx::Runs;
use dispatch::RUNS;
use session::Session;
use world::World;

/// The world that commands act on, and what it takes to serve requests.
pub struct Service {
    /// What commands act on.
    pub world: World,
    runs: &'static Runs,
    /// For requests that are all there, which is nearly all; with a turn while there is one.
    batch: Option<Box<Batch>>,
    /// For others that begin and end within one turn.
    parser: Option<Box<Parser>>,
    cross_protocol_logged: Option<Moment>,
}

impl Service {
    /// A service with an empty keyspace whose hash is seeded with `seed`. `listeners` are the
    /// addresses it is reached at, for `CLIENT LIST`.
    pub fn new(seed: u64, config: Config, clock: Clock, listeners: Vec<Address>) -> Service {
        Service {
            world: World::new(seed, config, clock, listeners),
            runs: &RUNS,
            batch: None,
            parser: None,
            cross_protocol_logged: None,
        }
    }

    /// A client has come, from `peer`, by listener number `listener`.
    pub fn open(&mut self, id: ConnId, peer: Peer, listener: u8) {
        self.world.sessions.open(id, peer, listener, self.world.now.at);
    }

    /// Warms what the clients whose inputs these are will look up, as far as each asks for one thing:
    /// a pipeline is looked at in its own turn.
    pub fn warm_for<'a>(&self, inputs: impl ExactSizeIterator<Item = &'a [u8]>) {
        if inputs.len() < 2 || !self.world.store.is_beyond_cache() {
            return;
        }
        let mut keys = inputs.filter_map(sole_key);
        while let Some(first) = keys.next() {
            self.world.store.warm(iter::once(first).chain(keys.by_ref().take(WARMED_MAX - 1)));
        }
    }

    /// A client's connection is ending: it is a client no more.
    pub fn leave(&mut self, slot: u32) {
        self.world.leave(slot);
    }

    /// A client is gone; what was remembered of it is returned.
    pub fn close(&mut self, slot: u32) -> Option<Session> {
        self.world.sessions.close(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Expiry;

    #[test]
    fn warming_for_any_number_of_clients_ends_and_changes_nothing() {
        let mut service = Service::new(1, Config::default(), Clock::default(), Vec::new());
        for n in 0..100_000_u32 {
            let key = n.to_le_bytes();
            let entry = service.world.store.prepare(&key, b"value").unwrap();
            service.world.store.commit(entry, Expiry::Never);
        }
        assert!(service.world.store.is_beyond_cache());
        let get = [b"*2\r\n$3\r\nGET\r\n$4\r\n", &7_u32.to_le_bytes()[..], b"\r\n"].concat();
        for count in [0, 1, 2, 16, 17, 100] {
            let inputs = (0..count).map(|n| if n % 3 == 2 { &b"half a request"[..] } else { &get });
            service.warm_for(inputs);
        }
        service.world.store.audit();
        assert_eq!(service.world.store.get(&7_u32.to_le_bytes(), 0), Ok(Some(&b"value"[..])));
    }
}
