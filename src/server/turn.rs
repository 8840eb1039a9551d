//! One client's turn. The server visits the client's connection and runs the service inside the panic fence. Then it
//! does what the client's commands have asked for in the outbox: most asks concern other connections.

use super::Server;
use super::meanwhile::Meanwhile;
use crate::base::{ConnId, Moment, Reason};
use crate::config::{BACKTRACES_PER_MINUTE, OutputLimit};
use crate::fence::{self, Wreck};
use crate::reactor::conn::Class;
use crate::reactor::net::Net;
use crate::reactor::visit::{Lent, Next, Verdict};
use crate::service::outbox::Ask;
use crate::service::session::Session;
use crate::service::turn::{Ended, Progress, Turn};
use crate::service::world::World;
use crate::stats::Stats;

/// Limits how many panics are logged in a minute.
#[derive(Default)]
pub(super) struct Backtraces {
    minute_began: Moment,
    logged: u32,
}

impl Backtraces {
    /// Counts a panic in a command of this client, and logs it if the limit allows that.
    pub(super) fn note(&mut self, wreck: &Wreck, world: &mut World, id: ConnId) {
        world.stats.panics += 1;
        if self.allow(world.now.at) {
            log_panic(wreck, world.sessions.get(id.slot));
        }
    }

    fn allow(&mut self, now: Moment) -> bool {
        if now.since(self.minute_began).as_secs() >= 60 {
            *self = Backtraces { minute_began: now, logged: 0 };
        }
        self.logged += 1;
        self.logged <= BACKTRACES_PER_MINUTE
    }
}

impl<N: Net> Server<N> {
    /// Serves the requests that one client has sent, then does what its commands have asked for in the outbox.
    pub(super) fn turn(&mut self, slot: u32) {
        let Server { reactor, service, backtraces, edges, newcomers, heard, stage, .. } = self;
        let (now, input_max) = (service.world.now.at, service.world.config.client_query_buffer_limit);
        let flushed = reactor.visit(slot, now, input_max, |lent| {
            let Lent { id: me, input, memory, output, others } = lent;
            let mut progress = Progress { output: output.mark(), ..Progress::default() };
            let mut wires = Meanwhile::new(others, edges, newcomers, heard, &mut *backtraces, *stage);
            let turn = Turn { me, input, memory, output: &mut *output, wires: &mut wires };
            let outcome = fence::run(|| service.turn(turn, &mut progress));
            let next = match outcome {
                Ok(ended) => next_of(ended, progress.commands > 0, &mut service.world.stats),
                Err(wreck) => {
                    // The client keeps the replies of complete commands. The half-written reply must not reach it.
                    output.cut(progress.output);
                    let culprit = service.recover(progress.asks).unwrap_or(me);
                    backtraces.note(&wreck, &mut service.world, culprit);
                    if culprit == me {
                        Next::Finish(Reason::Panicked)
                    } else {
                        // The panic came from a client that this one has woken. All commands of this one are complete.
                        let ended = progress.ended.unwrap_or(Ended::Budget);
                        next_of(ended, progress.commands > 0, &mut service.world.stats)
                    }
                }
            };
            verdict(&mut service.world, me, progress.consumed, next)
        });
        self.service.world.stats.bytes_out += flushed;
        if self.reactor.latest() > self.service.world.now.at {
            // Others were served while a script ran, and then it has panicked, or it belongs to a transaction.
            self.service.world.refresh();
        }
        self.serve_waiting();
        self.deliver();
        if !self.heard.is_empty() {
            self.heed();
        }
        let world = &self.service.world;
        self.reactor.evict(world.now.at, world.config.maxmemory_clients);
    }

    /// Serves the clients whose keys have changed and that were not served when a command was complete: a panic came
    /// between, or no command has changed the key.
    pub(super) fn serve_waiting(&mut self) {
        // A panic ends a client or takes a key, so this ends.
        while self.service.world.waiting.has_ready() {
            let asks = self.service.world.outbox.asks.len();
            if let Err(wreck) = fence::run(|| self.service.serve_waiting())
                && let Some(id) = self.service.recover(asks)
            {
                self.backtraces.note(&wreck, &mut self.service.world, id);
            }
        }
    }

    /// Does what commands have asked for in the outbox. It runs after the visit, because a visit borrows the reactor
    /// and the service.
    pub(super) fn deliver(&mut self) {
        if !self.service.world.outbox.asks.is_empty() {
            for ask in self.service.world.outbox.take() {
                self.grant(ask, self.service.world.now.at);
            }
        }
        self.dismiss();
    }

    /// Does what a command has asked for at `at`.
    pub(super) fn grant(&mut self, ask: Ask, at: Moment) {
        let World { now, config, .. } = &self.service.world;
        match ask {
            Ask::Kill(id) => self.reactor.kill(id, now.at),
            Ask::Fail(id, reason) => self.reactor.fail(id, reason, now.at),
            Ask::Push { to, head, message } => {
                let parts = [head.unread(), message.unread()];
                self.reactor.push(to, parts, config.pubsub_output_limit, now.at);
                self.reactor.evict(now.at, config.maxmemory_clients);
            }
            Ask::Answer { to, reply } => {
                self.reactor.push(to, [reply.unread(), b""], OutputLimit::NONE, now.at);
                self.wake(to);
            }
            Ask::Wake(id) => self.wake(id),
            Ask::Quit { now: at_once } => self.shutdown(at, at_once),
            Ask::Stay => self.stay(),
        }
    }

    /// Ends the wait of a parked connection.
    fn wake(&mut self, id: ConnId) {
        let World { now, sessions, .. } = &self.service.world;
        // The copy of the request that has waited is gone.
        let held = sessions.get(id.slot).map_or(0, Session::held_bytes);
        self.reactor.wake(id, held, now.at);
    }

    /// Tells the service which connections are no longer open, so that it ends their transactions, watches and
    /// subscriptions.
    pub(super) fn dismiss(&mut self) {
        for slot in self.reactor.take_departed() {
            self.service.leave(slot);
        }
    }
}

/// The outcome of a turn of `me` that has consumed so many bytes.
pub(super) fn verdict(world: &mut World, me: ConnId, consumed: usize, next: Next) -> Verdict {
    let (class, held) = world.sessions.get(me.slot).map_or((Class::default(), 0), |session| {
        let fed = session.is_subscriber() || session.monitor;
        (Class { fed, spared: session.no_evict }, session.held_bytes())
    });
    Verdict { consumed, next, held, class, replaced: world.store.take_replaced() }
}

pub(super) fn next_of(ended: Ended, progressed: bool, stats: &mut Stats) -> Next {
    match ended {
        Ended::Hungry { begun, missing } => Next::Receive { begun, is_new: progressed, missing },
        Ended::Budget => {
            stats.yields += 1;
            Next::Turn
        }
        Ended::Paused => {
            stats.pauses += 1;
            Next::Turn
        }
        Ended::Parked => Next::Park,
        Ended::Close(reason) => Next::Finish(reason),
    }
}

fn log_panic(wreck: &Wreck, session: Option<&Session>) {
    let command = session.and_then(|session| session.command).map_or("(none)", |command| command.name);
    let (serial, peer) = session.map_or((0, String::new()), |s| (s.serial, s.peer.to_string()));
    log::error!(
        "panic in command '{command}' of client id={serial} addr={peer} at {}: {}; only this client ends\n{}",
        wreck.place,
        wreck.message,
        wreck.backtrace
    );
}
