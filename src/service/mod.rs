//! Turns request bytes into reply bytes. Knows no sockets; the server lends it a connection's input
//! and output for one turn at a time, and any other transport could do the same.
//!
//! - [`turn`]: one connection's turn: parse, look up, execute, within a budget
//! - [`table`]: the one table that declares every command; `names` finds them in it
//! - [`cx`]: what a command gets to see, and how it fails
//! - [`session`]: what is remembered of a client between turns
//! - [`outbox`]: what a command asks of the server about other connections
//! - `strings`, `keys`, `scan`, `connection`, `client`, `config`, `server`, `introspect`, `info`: the commands

mod client;
mod config;
mod connection;
pub mod cx;
mod glob;
mod info;
mod introspect;
mod keys;
pub mod names;
pub mod outbox;
mod scan;
mod server;
pub mod session;
mod strings;
pub mod table;
pub mod turn;

use std::iter;

use crate::base::{ConnId, Moment, Now, Peer};
use crate::resp::{Batch, Parser, sole_key};
use crate::store::{Store, WARMED_MAX};
use outbox::Outbox;
use session::{Session, Sessions};

/// The keyspace and the clients' sessions.
pub struct Service {
    /// The keyspace.
    pub store: Store,
    /// What is remembered of each client.
    pub sessions: Sessions,
    /// What commands asked for and the server has not yet done.
    pub outbox: Outbox,
    /// For requests that are all there, which is nearly all; with a turn while there is one.
    batch: Option<Box<Batch>>,
    /// For others that begin and end within one turn.
    parser: Option<Box<Parser>>,
    started: Now,
    cross_protocol_logged: Option<Moment>,
}

impl Service {
    /// A service with an empty keyspace whose hash is seeded with `seed`. `listeners` are the
    /// addresses it is reached at, for `CLIENT LIST`.
    pub fn new(seed: u64, started: Now, listeners: Vec<Peer>) -> Service {
        Service {
            store: Store::new(seed),
            sessions: Sessions::new(listeners),
            outbox: Outbox::default(),
            batch: None,
            parser: None,
            started,
            cross_protocol_logged: None,
        }
    }

    /// A client has come, from `peer`, by listener number `listener`.
    pub fn open(&mut self, id: ConnId, peer: Peer, listener: u8, now: Moment) {
        self.sessions.open(id, peer, listener, now);
    }

    /// Warms what the clients whose inputs these are will look up, as far as each asks for one thing:
    /// a pipeline is looked at in its own turn.
    pub fn warm_for<'a>(&self, inputs: impl ExactSizeIterator<Item = &'a [u8]>) {
        if inputs.len() < 2 || !self.store.is_beyond_cache() {
            return;
        }
        let mut keys = inputs.filter_map(sole_key);
        while let Some(first) = keys.next() {
            self.store.warm(iter::once(first).chain(keys.by_ref().take(WARMED_MAX - 1)));
        }
    }

    /// A client is gone; what was remembered of it is returned.
    pub fn close(&mut self, slot: u32) -> Option<Session> {
        self.sessions.close(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Expiry;

    #[test]
    fn warming_for_any_number_of_clients_ends_and_changes_nothing() {
        let mut service = Service::new(1, Now::default(), Vec::new());
        for n in 0..100_000_u32 {
            let key = n.to_le_bytes();
            let entry = service.store.prepare(&key, b"value").unwrap();
            service.store.commit(entry, Expiry::Never);
        }
        assert!(service.store.is_beyond_cache());
        let get = [b"*2\r\n$3\r\nGET\r\n$4\r\n", &7_u32.to_le_bytes()[..], b"\r\n"].concat();
        for count in [0, 1, 2, 16, 17, 100] {
            let inputs = (0..count).map(|n| if n % 3 == 2 { &b"half a request"[..] } else { &get });
            service.warm_for(inputs);
        }
        service.store.audit();
        assert_eq!(service.store.get(&7_u32.to_le_bytes(), 0), Ok(Some(&b"value"[..])));
    }
}
