//! The service turns request bytes into reply bytes. It knows no sockets: for one turn at a time, the
//! server lends it the input and the output of one connection. Any other transport can do the same.
//!
//! - [`turn`]: one connection's turn. The service parses, looks up and runs requests, within a budget.
//! - [`catalog`]: declares every command, in the form that [`command`] defines. [`names`] finds a command
//!   by its name, and `dispatch` says which function runs it.
//! - `gate`: decides whether a request runs, waits or is queued. [`run`]: checks and runs one command.
//!   [`cx`]: what a command sees, and how it fails.
//! - [`world`]: what commands act on. Its parts are [`session`] (what the service remembers of a client),
//!   [`transaction`], [`tracking`], [`channels`], [`pause`], and [`outbox`] (what commands ask the server to do).
//! - [`scripts`] keeps the scripts that clients have sent, and [`functions`] the libraries of functions. `loading` loads a
//!   library, and `scripting` runs a script or a function. [`running`] says how
//!   long it may go on, and `busy` what others get while it runs long. [`wires`]: the way from
//!   a command to the other clients.
//! - [`waiting`]: clients that wait for keys, and how they are served.
//! - [`memory`]: keeps the memory below `maxmemory`. `reload`: settings that change while the server runs.
//! - [`slowlog`], [`latency`], [`rates`] and `monitors`: who may see what runs, how long it takes, how much it is.
//! - `chores`: work that falls due although no client asks for it, such as keys that expire.
//! - `commands`: what the commands do, group by group. They use `glob` (patterns), `long_double`
//!   (floating point numbers as Redis writes them), `hyperloglog` (strings that estimate how many elements a set has)
//!   and `geohash` (places as scores).
//! - `effects`: who hears of changes. `events`: the names that Redis has for them. `post`: the messages of one
//!   publication.
//! - `errors`: the answers to requests that do not run. `unknown`: requests without a command, HTTP among them. [`goodbye`]: the last line that a client reads.
//!
//! Of the files that declare and run commands, each imports only those to its left:
//! `command <- catalog <- cx <- run <- commands <- dispatch`.
//! So the catalog does not know which functions run its commands.

mod busy;
pub mod catalog;
pub mod channels;
mod chores;
pub mod command;
mod commands;
pub mod cx;
mod dispatch;
mod effects;
mod errors;
mod events;
pub mod functions;
mod gate;
mod geohash;
mod glob;
pub mod goodbye;
mod hyperloglog;
pub mod latency;
mod loading;
mod long_double;
pub mod memory;
mod monitors;
pub mod moving;
pub mod names;
pub mod outbox;
pub mod pause;
mod post;
pub mod rates;
mod reload;
pub mod run;
pub mod running;
mod scripting;
pub mod scripts;
pub mod session;
mod shebang;
pub mod slowlog;
pub mod tracking;
pub mod transaction;
pub mod turn;
mod unknown;
pub mod waiting;
pub mod wires;
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

/// Serves requests: the world that commands act on, and what parses and runs them.
///
/// A transport lends the service the input and the output of one connection for one turn.
///
/// ```
/// use tidegate::base::{Clock, ConnId, Output, Peer};
/// use tidegate::config::Config;
/// use tidegate::service::Service;
/// use tidegate::service::turn::{Ended, Progress, Turn};
/// use tidegate::service::wires::NoWires;
///
/// let mut service = Service::new(42, Config::default(), Clock::default(), Vec::new());
/// let me = ConnId { slot: 0, serial: 1 };
/// service.open(me, Peer::from(std::net::SocketAddr::from(([127, 0, 0, 1], 4000))), 0);
///
/// // Two whole requests and the beginning of a third one.
/// let input = b"SET k v\r\nGET k\r\nPI";
/// let (mut output, mut progress) = (Output::default(), Progress::default());
/// let turn = Turn { me, input, memory: None, output: &mut output, wires: &mut NoWires };
/// let ended = service.turn(turn, &mut progress);
///
/// assert_eq!(output.front(), b"+OK\r\n$1\r\nv\r\n");
/// assert!(matches!(ended, Ended::Hungry { begun: true, .. }));
/// // The transport drops what the turn has consumed. It offers the half request again when more has come.
/// assert_eq!((progress.commands, progress.consumed), (2, input.len() - b"PI".len()));
/// ```
pub struct Service {
    /// What commands act on.
    pub world: World,
    runs: &'static Runs,
    /// Reads plain requests, which nearly all requests are. A turn takes it out and puts it back.
    batch: Option<Box<Batch>>,
    /// Reads other requests. A turn takes it out and puts it back, unless it ends inside a request: then
    /// the session keeps the parser.
    parser: Option<Box<Parser>>,
    /// When the service last logged that a client speaks HTTP.
    cross_protocol_logged: Option<Moment>,
}

impl Service {
    /// A service with an empty keyspace. `seed` seeds the hash of the keyspace. `listeners` are the
    /// addresses that the server listens on; `CLIENT LIST` shows them.
    pub fn new(seed: u64, config: Config, clock: Clock, listeners: Vec<Address>) -> Service {
        Service {
            world: World::new(seed, config, clock, listeners),
            runs: &RUNS,
            batch: None,
            parser: None,
            cross_protocol_logged: None,
        }
    }

    /// Begins the session of a new client, which came from `peer` by listener number `listener`.
    pub fn open(&mut self, id: ConnId, peer: Peer, listener: u8) {
        self.world.sessions.open(id, peer, listener, self.world.now.at);
    }

    /// Warms the keys that these inputs of several clients will look up: fetches them into the processor's
    /// cache. It skips an input of more than one request, because a turn warms the keys of its own
    /// pipeline.
    pub fn warm_for<'a>(&self, inputs: impl ExactSizeIterator<Item = &'a [u8]>) {
        if inputs.len() < 2 || !self.world.store.is_beyond_cache() {
            return;
        }
        let mut keys = inputs.filter_map(sole_key);
        while let Some(first) = keys.next() {
            let together = iter::once(first).chain(keys.by_ref().take(WARMED_MAX - 1));
            self.world.store.warm(together, iter::empty());
        }
    }

    /// A client's connection is ending. Ends the client's transaction, its watches, its subscriptions and
    /// its wait for the end of a pause. The session stays until [`Service::close`].
    pub fn leave(&mut self, slot: u32) {
        self.world.leave(slot);
    }

    /// A client's connection has been freed. Removes the session and returns it.
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
