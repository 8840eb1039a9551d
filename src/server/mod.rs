//! The server owns the reactor, which moves bytes, and the service, which understands them, and
//! alternates between the two. The only room that knows both.

mod drain;

use std::io;

use crate::base::{ConnId, Moment, Now, Peer, Reason};
use crate::config::{BACKTRACES_PER_MINUTE, Config};
use crate::fence::{self, Wreck};
use crate::logging;
use crate::reactor::Reactor;
use crate::reactor::admission::Newcomer;
use crate::reactor::conn::Phase;
use crate::reactor::ending::Gone;
use crate::reactor::net::{Edge, Net};
use crate::service::outbox::Ask;
use crate::service::turn::{Ended, Progress, Turn};
use crate::service::{Service, session::Session};
use crate::stage::Stage;
use crate::stats::Stats;

/// How a server came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everybody got everything they were owed.
    Clean,
    /// Somebody's replies were cut off; the log says whose.
    Cut,
}

/// One daemon, over the world `N`.
pub struct Server<N: Net> {
    reactor: Reactor<N>,
    service: Service,
    stage: Stage,
    config: Config,
    stats: Stats,
    now: Now,
    edges: Vec<Edge>,
    newcomers: Vec<Newcomer>,
    /// When the drain next says how many are left.
    next_progress: Option<Moment>,
    next_key_sweep: Moment,
    backtraces: Backtraces,
}

/// Rate limit of the log of panics.
#[derive(Default)]
struct Backtraces {
    minute_began: Moment,
    logged: u32,
}

impl<N: Net> Server<N> {
    /// A server over `net` that serves as `config` says. `seed` is what nobody outside may know:
    /// it decides which keys collide. `listeners` are the addresses of `net`.
    ///
    /// # Panics
    /// If the bounds of `config` contradict each other.
    pub fn new(mut net: N, config: Config, seed: u64, listeners: Vec<Peer>) -> Server<N> {
        config.assert_bounds();
        let now = net.now();
        Server {
            reactor: Reactor::new(net, &config),
            service: Service::new(seed, now, listeners),
            stage: Stage::Serving,
            config,
            stats: Stats::default(),
            now,
            edges: Vec::new(),
            newcomers: Vec::new(),
            next_progress: None,
            next_key_sweep: Moment::default(),
            backtraces: Backtraces::default(),
        }
    }

    /// One round of everything. Returns how it ended once there is nothing left to do.
    ///
    /// # Errors
    /// Only process trouble: waiting for events is broken. Clients' trouble never comes out here.
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

    /// Blocks until there is something to do. An idle server waits for ever.
    fn wait(&mut self) -> io::Result<()> {
        let own = [self.stage.deadline(), self.next_progress, self.key_deadline()];
        let nearest = own.into_iter().flatten().min();
        self.reactor.wait(&self.config, nearest, &mut self.edges)
    }

    /// When a key should be removed that nobody asks for; at once if keys are left to be freed.
    fn key_deadline(&self) -> Option<Moment> {
        if self.service.store.has_leftovers() {
            return Some(self.now.at);
        }
        let in_ms = self.service.store.next_expiry()?.saturating_sub(self.now.unix_ms);
        Some(self.now.at.plus_ms(in_ms).max(self.next_key_sweep))
    }

    /// Stamps the time, once; remembers who became ready.
    fn hear(&mut self) {
        self.now = self.reactor.now();
        self.stats.ticks += 1;
        let mut edges = std::mem::take(&mut self.edges);
        for edge in edges.drain(..) {
            match edge {
                Edge::Ready { slot, readable, writable, hides_more } => {
                    self.reactor.hear(slot, readable, writable, hides_more);
                }
                Edge::Listener(listener) => self.reactor.hear_listener(listener),
                Edge::Quit => self.quit(self.config.shutdown_timeout_ms),
                Edge::Reopen => match logging::reopen() {
                    Ok(()) => log::info!("log reopened"),
                    Err(error) => log::error!("cannot open the log file again: {error}"),
                },
            }
        }
        self.edges = edges;
        self.note_present();
    }

    /// What `INFO` says about how things stand.
    fn note_present(&mut self) {
        let present = &mut self.stats.present;
        present.clients = self.reactor.serving();
        present.held_bytes = self.reactor.held_bytes();
        present.refusing = self.reactor.is_exhausted();
        present.draining = self.stage != Stage::Serving;
        present.log_lines_dropped = logging::dropped();
    }

    /// Receive and serve everyone who is owed a turn, fresh edges first.
    ///
    /// Several receive before the first of them is served: the processor stays with the kernel's
    /// code for reading, and what they ask for is fetched for all of them together. At a million
    /// keys and one GET from each of 50 clients that takes 3.29 us a request instead of 3.76.
    fn turns(&mut self) {
        let turns = self.reactor.take_turns();
        for together in turns.chunks(self.config.bounds.turns_together) {
            for &slot in together {
                self.receive(slot);
            }
            self.service.warm_for(together.iter().map(|slot| self.reactor.input(*slot)));
            for &slot in together {
                self.turn(slot);
            }
        }
        self.reactor.return_turns(turns);
    }

    /// The first half of a turn, for those who are served.
    fn receive(&mut self, slot: u32) {
        let Some(conn) = self.reactor.conn(slot) else { return };
        // Back-pressure is not reading: what is here is served first.
        let served = !conn.unserved && !conn.paused(self.config.bounds.output_pause_bytes);
        if conn.phase == Phase::Open && served {
            self.reactor.receive(slot, self.now.at, &self.config, &mut self.stats);
            // The lent buffer goes on to the next, still in the cache.
            self.reactor.settle_buffers(slot);
        }
    }

    /// The second half: serves what has been received, or drops what comes too late.
    fn turn(&mut self, slot: u32) {
        let Some(conn) = self.reactor.conn(slot) else { return };
        match conn.phase {
            Phase::Open => {
                if conn.paused(self.config.bounds.output_pause_bytes) {
                    return;
                }
                self.serve(slot);
            }
            Phase::Finishing(_) | Phase::Lingering(_) => self.reactor.discard(slot, &self.config),
            Phase::Doomed(_) => return,
        }
        // Much output had better leave while it is in the cache.
        let early = self.config.bounds.flush_early_bytes;
        if self.reactor.conn(slot).is_some_and(|conn| conn.output.len() >= early) {
            self.flush_one(slot);
        }
        self.reactor.note_dirty(slot);
        self.reactor.note_turn(slot);
    }

    /// One fenced service turn over what is in a connection's input.
    fn serve(&mut self, slot: u32) {
        let lent = self.reactor.lend_output(slot);
        let Some(conn) = self.reactor.conn(slot) else { return };
        if conn.phase != Phase::Open {
            return;
        }
        if !lent {
            return self.reactor.doom(slot, Reason::Io(io::ErrorKind::OutOfMemory));
        }
        let me = ConnId { slot, serial: conn.serial };
        let mut progress = Progress { output: conn.output.len(), ..Progress::default() };
        let turn = Turn {
            me,
            input: conn.input.unread(),
            output: &mut conn.output,
            now: self.now,
            config: &mut self.config,
            stats: &mut self.stats,
        };
        let outcome = fence::run(|| self.service.turn(turn, &mut progress));
        if outcome.is_err() {
            self.service.outbox.asks.truncate(progress.asks);
            conn.output.truncate(progress.output);
        }
        conn.input.consume(progress.consumed);
        match outcome {
            Ok(ended) => self.end_turn(slot, ended, progress.commands > 0),
            Err(wreck) => self.panicked(me, &wreck, &progress),
        }
        // What a half request holds was settled when it was received.
        if self.reactor.settle_buffers(slot) || !self.reactor.input(slot).is_empty() {
            self.note_held(slot);
        }
        self.deliver();
    }

    fn end_turn(&mut self, slot: u32, ended: Ended, progressed: bool) {
        let Some(conn) = self.reactor.conn(slot) else { return };
        conn.unserved = matches!(ended, Ended::Budget | Ended::Paused);
        (conn.missing, conn.parser_bytes) = (0, 0);
        match ended {
            Ended::Hungry { begun, missing, parser_bytes } => {
                conn.missing = u32::try_from(missing).unwrap_or(u32::MAX);
                conn.parser_bytes = parser_bytes as u32;
                let full = conn.input.len() >= self.config.client_query_buffer_limit;
                if let Some(reason) = conn.ending {
                    // A half request at the end of the input is nobody's any more.
                    return self.reactor.finish(slot, reason);
                }
                if full {
                    let text = "ERR client-query-buffer-limit reached";
                    return self.reactor.finish_with_error(slot, Reason::QueryBufferLimit, text, self.now.at);
                }
                self.reactor.note_request(slot, begun, progressed, self.now.at);
            }
            Ended::Budget => {
                self.stats.yields += 1;
                self.reactor.note_request(slot, false, false, self.now.at);
            }
            Ended::Paused => {
                self.stats.pauses += 1;
                self.reactor.note_request(slot, false, false, self.now.at);
            }
            Ended::Close(reason) => self.reactor.finish(slot, reason),
        }
    }

    /// Its complete replies stand, its half-written one is gone, and it ends.
    fn panicked(&mut self, me: ConnId, wreck: &Wreck, progress: &Progress) {
        self.stats.panics += 1;
        let command = progress.running.map_or("(none)", |command| command.name);
        if self.backtraces.allow(self.now.at) {
            let session = self.service.sessions.get(me.slot);
            let peer = session.map_or_else(String::new, |session| session.peer.to_string());
            log::error!(
                "panic in command '{command}' of client {me} addr={peer} at {}: {}; only this client ends\n{}",
                wreck.place,
                wreck.message,
                wreck.backtrace
            );
        }
        self.reactor.finish_with_error(me.slot, Reason::Panicked, "ERR internal error", self.now.at);
    }

    /// What the turn asked about others, now that its borrows have ended.
    fn deliver(&mut self) {
        if self.service.outbox.asks.is_empty() {
            return;
        }
        for ask in std::mem::take(&mut self.service.outbox.asks) {
            match ask {
                Ask::Kill(id) => {
                    if let Some(slot) = self.reactor.slot_of(id)
                        && let Some(conn) = self.reactor.conn(slot)
                    {
                        // An operator kills what hangs: it is not waited for to take its replies.
                        if conn.output.is_empty() {
                            self.reactor.finish(slot, Reason::Killed);
                        } else {
                            self.reactor.doom(slot, Reason::Killed);
                        }
                    }
                }
                Ask::Spare(id, spared) => {
                    if let Some(slot) = self.reactor.slot_of(id)
                        && let Some(conn) = self.reactor.conn(slot)
                    {
                        conn.spared = spared;
                    }
                }
                Ask::Quit { now } => self.shutdown(now),
            }
        }
    }

    /// One write loop for everyone who is owed bytes.
    fn flush(&mut self) {
        let dirty = self.reactor.take_dirty();
        for &slot in &dirty {
            self.flush_one(slot);
        }
        self.reactor.return_dirty(dirty);
    }

    fn flush_one(&mut self, slot: u32) {
        self.reactor.flush(slot, self.now.at, &self.config, &mut self.stats);
        if self.reactor.settle_buffers(slot) {
            self.note_held(slot);
        }
    }

    /// For `CLIENT LIST`.
    fn note_held(&mut self, slot: u32) {
        if let Some(conn) = self.reactor.conn(slot)
            && let Some(session) = self.service.sessions.get_mut(slot)
        {
            let clamp = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
            session.held = (clamp(conn.input.len()), clamp(conn.output.len()));
        }
    }

    /// Condemns whose time is over, connections and keys. After the turns, so that bytes that have
    /// arrived count.
    fn sweep(&mut self) {
        self.reactor.sweep(self.now.at, &self.config);
        if self.now.at >= self.next_key_sweep
            && self.service.store.next_expiry().is_some_and(|at| at <= self.now.unix_ms)
        {
            let budget = self.config.bounds.expiries_per_tick;
            let removed = self.service.store.sweep(self.now.unix_ms, budget);
            let pause_ms = if removed < budget { self.config.bounds.expire_interval_ms } else { 0 };
            self.next_key_sweep = self.now.at.plus_ms(pause_ms);
        }
        self.service.store.reclaim(self.config.bounds.reclaims_per_tick);
    }

    /// The only phase that frees connections.
    fn reap(&mut self) {
        self.reactor.begin_reap();
        while let Some(gone) = self.reactor.reap(self.now.at) {
            self.stats.closes[gone.reason.index()] += 1;
            let session = self.service.close(gone.slot);
            log_close(&gone, session.as_ref(), self.now.at);
            let given_up = !matches!(gone.reason, Reason::Io(_));
            if self.stage != Stage::Serving && given_up && gone.undelivered + gone.unserved > 0 {
                self.stats.present.cut += 1;
                log::warn!(
                    "client id={} cut off ({}): {} bytes of replies undelivered, {} bytes of requests unanswered",
                    gone.serial,
                    gone.reason,
                    gone.undelivered,
                    gone.unserved
                );
            }
        }
    }

    /// Lets newcomers in, last of all, so that places freed in this tick are free.
    fn admit(&mut self) {
        if self.stage != Stage::Serving {
            return;
        }
        self.reactor.admit(self.now.at, &self.config, &mut self.stats, &mut self.newcomers);
        self.welcome();
    }

    fn welcome(&mut self) {
        for newcomer in self.newcomers.drain(..) {
            let Newcomer { id, peer, listener } = newcomer;
            self.service.open(id, peer, listener, self.now.at);
            log::debug!("client {id} addr={peer} opened");
        }
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The settings as they are now.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The stage of its life.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The service, for tests.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// The reactor, for tests.
    pub fn reactor(&mut self) -> &mut Reactor<N> {
        &mut self.reactor
    }

    /// Asserts every room's invariants by walking all of them. For tests; between ticks.
    ///
    /// # Panics
    /// If one does not hold.
    pub fn audit(&self) {
        self.reactor.audit();
        self.service.store.audit();
    }
}

impl Backtraces {
    fn allow(&mut self, now: Moment) -> bool {
        if now.since(self.minute_began).as_secs() >= 60 {
            *self = Backtraces { minute_began: now, logged: 0 };
        }
        self.logged += 1;
        self.logged <= BACKTRACES_PER_MINUTE
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
