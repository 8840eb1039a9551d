//! The server owns the reactor and the service. The reactor moves bytes, and the service understands them. The server
//! alternates between the two, and no other room knows both.
//!
//! - this file: the tick and its phases
//! - `turn`: one client's turn; `meanwhile`: what is heard while a script runs long in it
//! - `drain`: how a server ends

mod drain;
mod meanwhile;
mod turn;

use std::io;

use crate::base::{Address, Moment};
use crate::config::Config;
use crate::logging;
use crate::reactor::Reactor;
use crate::reactor::admission::Newcomer;
use crate::reactor::ending::Gone;
use crate::reactor::net::{Edge, Net};
use crate::service::Service;
use crate::service::goodbye::goodbye;
use crate::service::session::Session;
use crate::service::world::World;
use crate::stage::Stage;
use crate::stats::Stats;
use drain::Watch;
use meanwhile::Heard;
use turn::Backtraces;

/// How a server came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every client got all its replies.
    Clean,
    /// The server cut off at least one client before it had all its replies. The log names these clients.
    Cut,
}

/// One daemon, over the world `N`.
pub struct Server<N: Net> {
    reactor: Reactor<N>,
    service: Service,
    stage: Stage,
    edges: Vec<Edge>,
    newcomers: Vec<Newcomer>,
    /// How the server accompanies its own end; `None` while it serves.
    watch: Option<Watch>,
    backtraces: Backtraces,
    /// What was heard while a script ran long, and is to be done when its turn is over.
    heard: Vec<Heard>,
}

impl<N: Net> Server<N> {
    /// A server over `net` with the settings of `config`. `seed` decides which keys collide, so clients must not be
    /// able to guess it. `listeners` are the addresses of `net`.
    ///
    /// # Panics
    /// If the bounds of `config` make no sense ([`Config::assert_bounds`]).
    pub fn new(net: N, config: Config, seed: u64, listeners: Vec<Address>) -> Server<N> {
        config.assert_bounds();
        let clock = net.clock();
        Server {
            reactor: Reactor::new(net, &config.bounds, goodbye),
            service: Service::new(seed, config, clock, listeners),
            stage: Stage::Serving,
            edges: Vec::new(),
            newcomers: Vec::new(),
            watch: None,
            backtraces: Backtraces::default(),
            heard: Vec::new(),
        }
    }

    /// One round of all phases. Returns `None` while the server runs, and how it ended once it has ended.
    ///
    /// # Errors
    /// Only if the wait for events fails. Trouble with one client is never an error here.
    pub fn tick(&mut self) -> io::Result<Option<Exit>> {
        self.wait()?;
        self.hear();
        self.turns();
        self.flush();
        self.sweep();
        self.reap();
        self.admit();
        Ok(self.settle())
    }

    /// Blocks until there is something to do. A server with no deadline blocks without a time limit, so it makes no
    /// wake-ups.
    fn wait(&mut self) -> io::Result<()> {
        self.service.world.end_tick();
        let watch = self.watch.as_ref().map(Watch::deadline);
        let own = [self.stage.deadline(), watch, self.service.world.next_deadline()];
        let nearest = own.into_iter().flatten().min();
        self.reactor.wait(&self.service.world.config, nearest, &mut self.edges)
    }

    /// Stamps the time, remembers which connections became ready, and reacts to signals.
    fn hear(&mut self) {
        self.service.world.begin_tick(self.reactor.now());
        let mut edges = std::mem::take(&mut self.edges);
        for edge in edges.drain(..) {
            match edge {
                Edge::Ready { .. } => self.reactor.hear(edge, self.service.world.now.at),
                Edge::Listener(listener) => self.reactor.hear_listener(listener),
                Edge::Quit => self.quit(self.service.world.now.at),
                Edge::Hangup => {
                    reopen_log();
                    self.service.world.reload();
                }
            }
        }
        self.edges = edges;
        self.dismiss();
        self.note_present();
    }

    /// Notes the present state, which `INFO` shows.
    fn note_present(&mut self) {
        let present = &mut self.service.world.stats.present;
        present.clients = self.reactor.serving();
        present.held_bytes = self.reactor.held_bytes();
        present.shared_bytes = self.reactor.shared_bytes();
        present.refusing = self.reactor.is_exhausted();
        present.log_lines_dropped = logging::dropped();
    }

    /// Gives a turn to every connection that is owed one. Fresh edges come first.
    ///
    /// Several connections receive before the first of them is served. So the processor runs the kernel's code for
    /// reading several times in a row, and the keys that these connections ask for are fetched together. With a
    /// million keys and one GET from each of 50 clients, a request takes 3.29 us instead of 3.76.
    fn turns(&mut self) {
        let began = self.service.world.now.at;
        let turns = self.reactor.take_turns();
        let mut rest = &turns[..];
        while !rest.is_empty() {
            let Server { reactor, service, .. } = self;
            let World { config, stats, now, .. } = &mut service.world;
            let (mut count, bytes_before) = (0, stats.bytes_in);
            let most = rest.len().min(config.bounds.turns_together);
            while count < most && stats.bytes_in - bytes_before < config.bounds.bytes_together {
                reactor.receive(rest[count], now.at, config, stats);
                count += 1;
            }
            let together;
            (together, rest) = rest.split_at(count);
            reactor.evict(now.at, config.maxmemory_clients);
            service.warm_for(together.iter().map(|slot| reactor.input(*slot)));
            for &slot in together {
                self.turn(slot);
            }
        }
        self.reactor.return_turns(turns);
        if self.stage != Stage::Serving {
            self.service.world.refresh();
            self.stage = self.stage.excuse(self.service.world.now.at.since(began));
        }
    }

    /// One write loop for each connection that is owed bytes.
    fn flush(&mut self) {
        let World { now, stats, .. } = &mut self.service.world;
        self.reactor.flush_all(now.at, stats);
    }

    /// Condemns connections whose deadline has passed, removes expired keys, and ends a pause that is over. It comes
    /// after the turns, so a client whose bytes have arrived in time does not lose its connection.
    fn sweep(&mut self) {
        let World { now, config, .. } = &self.service.world;
        self.reactor.sweep(now.at, config);
        self.service.world.sweep();
        self.serve_waiting();
        self.deliver();
    }

    /// The only phase that frees connections.
    fn reap(&mut self) {
        self.reactor.begin_reap();
        let now = self.service.world.now.at;
        while let Some(gone) = self.reactor.reap(now) {
            self.service.world.stats.closes[gone.reason.index()] += 1;
            let session = self.service.close(gone.slot);
            log_close(&gone, session.as_ref(), now);
            if !self.stage.admits() {
                self.note_outcome(&gone);
            }
        }
    }

    /// Lets newcomers in. It comes after `reap`, so newcomers can have the places that this tick has freed.
    fn admit(&mut self) {
        if !self.stage.admits() {
            return;
        }
        let World { now, config, stats, .. } = &mut self.service.world;
        self.reactor.admit(now.at, config, stats, &mut self.newcomers);
        self.welcome();
    }

    fn welcome(&mut self) {
        let now = self.service.world.now.at;
        welcome(&mut self.newcomers, &mut self.service.world, now);
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.service.world.stats
    }

    /// The present settings.
    pub fn config(&self) -> &Config {
        &self.service.world.config
    }

    /// The stage of the server's life.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The service, for tests.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// What commands act on, for tests.
    pub fn world(&self) -> &World {
        &self.service.world
    }

    /// The reactor, for tests.
    pub fn reactor(&self) -> &Reactor<N> {
        &self.reactor
    }

    /// Asserts the invariants of the reactor and the store by looking at all connections and keys. For tests, between
    /// ticks.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub fn audit(&self) {
        self.reactor.audit();
        self.service.world.store.audit();
    }
}

/// Begins the sessions of clients that were let in just now.
fn welcome(newcomers: &mut Vec<Newcomer>, world: &mut World, now: Moment) {
    for Newcomer { id, peer, listener } in newcomers.drain(..) {
        world.sessions.open(id, peer, listener, now);
        log::debug!("client {id} addr={peer} opened");
    }
}

fn reopen_log() {
    match logging::reopen() {
        Ok(()) => log::info!("log reopened"),
        Err(error) => log::error!("cannot open the log file again: {error}"),
    }
}

fn log_close(gone: &Gone, session: Option<&Session>, now: Moment) {
    let Gone { serial, reason, bytes_in, bytes_out, .. } = gone;
    match session {
        Some(session) => log::debug!(
            "client id={serial} addr={} closed: {reason} age={:.3} cmds={} in={bytes_in} out={bytes_out}",
            session.peer,
            now.since(session.opened).as_secs_f64(),
            session.commands,
        ),
        None => log::debug!("connection id={serial} closed: {reason}"),
    }
}
