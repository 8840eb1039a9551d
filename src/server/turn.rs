//! One client's turn. The server visits the client's connection and runs the service inside the panic fence. Then it
//! does what the client's commands have asked for in the outbox: most asks concern other connections.

use super::Server;
use crate::base::{Moment, Reason};
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
        let Server { reactor, service, backtraces, .. } = self;
        let (now, input_max) = (service.world.now.at, service.world.config.client_query_buffer_limit);
        let flushed = reactor.visit(slot, now, input_max, |lent| {
            let Lent { id: me, input, output, wires } = lent;
            let mut progress = Progress { output: output.len(), ..Progress::default() };
            let turn = Turn { me, input, output: &mut *output, wires };
            let outcome = fence::run(|| service.turn(turn, &mut progress));
            let world = &mut service.world;
            let session = world.sessions.get(me.slot);
            let next = match outcome {
                Ok(ended) => next_of(ended, progress.commands > 0, &mut world.stats),
                Err(wreck) => {
                    // The client keeps the replies of complete commands. The half-written reply must not reach it.
                    world.outbox.forget_half_done(progress.asks);
                    output.truncate(progress.output);
                    world.stats.panics += 1;
                    if backtraces.allow(now) {
                        log_panic(&wreck, &progress, session);
                    }
                    Next::Finish(Reason::Panicked)
                }
            };
            let (class, held) = session.map_or((Class::default(), 0), |session| {
                let class =
                    Class { fed: session.is_subscriber() || session.monitor, spared: session.no_evict };
                (class, session.held_bytes())
            });
            Verdict { consumed: progress.consumed, next, held, class }
        });
        self.service.world.stats.bytes_out += flushed;
        self.service.world.end_interrupted_wake();
        self.deliver();
        let world = &self.service.world;
        self.reactor.evict(world.now.at, world.config.maxmemory_clients);
    }

    /// Does what commands have asked for in the outbox. It runs after the visit, because a visit borrows the reactor
    /// and the service.
    pub(super) fn deliver(&mut self) {
        if !self.service.world.outbox.asks.is_empty() {
            for ask in self.service.world.outbox.take() {
                let World { now, config, .. } = &self.service.world;
                match ask {
                    Ask::Kill(id) => self.reactor.kill(id, now.at),
                    Ask::Push { to, head, message } => {
                        let parts = [head.unread(), message.unread()];
                        self.reactor.push(to, parts, config.pubsub_output_limit, now.at);
                        self.reactor.evict(now.at, config.maxmemory_clients);
                    }
                    Ask::Answer { to, reply } => {
                        self.reactor.push(to, [reply.unread(), b""], OutputLimit::NONE, now.at);
                        self.reactor.wake(to, now.at);
                    }
                    Ask::Wake(id) => self.reactor.wake(id, now.at),
                    Ask::Quit { now } => self.shutdown(now),
                }
            }
        }
        self.dismiss();
    }

    /// Tells the service which connections are no longer open, so that it ends their transactions, watches and
    /// subscriptions.
    pub(super) fn dismiss(&mut self) {
        for slot in self.reactor.take_departed() {
            self.service.leave(slot);
        }
    }
}

fn next_of(ended: Ended, progressed: bool, stats: &mut Stats) -> Next {
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

fn log_panic(wreck: &Wreck, progress: &Progress, session: Option<&Session>) {
    let command = progress.running.map_or("(none)", |command| command.name);
    let (serial, peer) = session.map_or((0, String::new()), |s| (s.serial, s.peer.to_string()));
    log::error!(
        "panic in command '{command}' of client id={serial} addr={peer} at {}: {}; only this client ends\n{}",
        wreck.place,
        wreck.message,
        wreck.backtrace
    );
}
