//! What the server hears while a script of one client runs long: signals, newcomers, and the clients that want to end it. All
//! others read `BUSY`.
//!
//! It runs in the middle of a visit, so it does not do what would need the script to have ended. It notes
//! that as [`Heard`], and the server does it when the turn is over.

use super::drain::patience;
use super::turn::{Backtraces, next_of, verdict};
use super::{Server, reopen_log, welcome};
use crate::base::{ConnId, Moment, Reason, Wire};
use crate::fence;
use crate::reactor::Reactor;
use crate::reactor::admission::Newcomer;
use crate::reactor::net::{Edge, Net};
use crate::reactor::visit::{Lent, Next};
use crate::service::outbox::Ask;
use crate::service::turn::{Progress, Turn};
use crate::service::wires::{NoWires, Wires};
use crate::service::world::World;
use crate::stage::Stage;

/// Something that was heard while a script ran.
pub(super) enum Heard {
    /// A signal to stop, at this time.
    Signal(Moment),
    /// A signal to read the settings again. No limit changes while a command runs.
    Hangup,
    /// A command of another client has asked for this, at this time.
    Ask(Ask, Moment),
}

/// The other clients during a turn.
pub(super) struct Meanwhile<'a, N: Net> {
    reactor: &'a mut Reactor<N>,
    edges: &'a mut Vec<Edge>,
    newcomers: &'a mut Vec<Newcomer>,
    heard: &'a mut Vec<Heard>,
    backtraces: &'a mut Backtraces,
    /// The stage that the server will be in when it has done what was heard.
    stage: Stage,
    /// True once the requests of others are answered.
    is_busy: bool,
}

impl<'a, N: Net> Meanwhile<'a, N> {
    /// Hears by the reactor and remembers in the other four. `stage` is the stage of the server.
    pub(super) fn new(
        reactor: &'a mut Reactor<N>,
        edges: &'a mut Vec<Edge>,
        newcomers: &'a mut Vec<Newcomer>,
        heard: &'a mut Vec<Heard>,
        backtraces: &'a mut Backtraces,
        stage: Stage,
    ) -> Meanwhile<'a, N> {
        Meanwhile { reactor, edges, newcomers, heard, backtraces, stage, is_busy: false }
    }

    /// Takes the edges that have come. The connections that became ready wait for their turns.
    fn hear_edges(&mut self, world: &mut World, now: Moment) {
        if self.reactor.listen(self.edges).is_err() {
            // The next tick meets the same error, and the process ends with it.
            return;
        }
        for edge in self.edges.drain(..) {
            match edge {
                Edge::Ready { .. } => self.reactor.hear(edge, now),
                Edge::Listener(listener) => self.reactor.hear_listener(listener),
                Edge::Hangup => {
                    reopen_log();
                    self.heard.push(Heard::Hangup);
                }
                Edge::Quit => {
                    self.stage = self.stage.quit(now, patience(&world.config));
                    log::info!(
                        "a signal was heard; the server stops when the script has ended or is stopped"
                    );
                    self.heard.push(Heard::Signal(now));
                }
            }
        }
    }

    /// Hears everything, and serves others if the script has run long.
    fn hear_others(&mut self, me: ConnId, world: &mut World, now: Moment) {
        self.hear_edges(world, now);
        if world.is_busy(now) {
            if self.stage.admits() {
                self.reactor.admit(now, &world.config, &mut world.stats, self.newcomers);
                welcome(self.newcomers, world, now);
            }
            self.serve(me, world, now);
        }
        for slot in self.reactor.take_departed() {
            world.leave(slot);
        }
        self.note_asks(world, now);
    }

    /// Serves all clients but `me` that have sent something.
    fn serve(&mut self, me: ConnId, world: &mut World, now: Moment) {
        let turns = self.reactor.take_turns_but(me.slot, !self.is_busy);
        if !self.is_busy {
            log::warn!(
                "a script runs long: others read BUSY, and may end it by SCRIPT KILL or FUNCTION KILL"
            );
            self.is_busy = true;
        }
        for &slot in &turns {
            self.reactor.receive(slot, now, &world.config, &mut world.stats);
            self.turn(slot, world, now);
        }
        self.reactor.flush_all(now, &mut world.stats);
    }

    fn turn(&mut self, slot: u32, world: &mut World, now: Moment) {
        let input_max = world.config.client_query_buffer_limit;
        let backtraces = &mut *self.backtraces;
        let visited = &mut *world;
        let flushed = self.reactor.visit(slot, now, input_max, |lent| {
            let Lent { id, input, output, .. } = lent;
            let mut progress = Progress { output: output.mark(), ..Progress::default() };
            let turn = Turn { me: id, input, memory: None, output: &mut *output, wires: &mut NoWires };
            let next = match fence::run(|| visited.serve_while_busy(turn, &mut progress)) {
                Ok(ended) => next_of(ended, progress.commands > 0, &mut visited.stats),
                Err(wreck) => {
                    output.cut(progress.output);
                    backtraces.note(&wreck, visited, id);
                    Next::Finish(Reason::Panicked)
                }
            };
            verdict(visited, id, progress.consumed, next)
        });
        world.stats.bytes_out += flushed;
    }

    /// Remembers what the clients have asked for.
    fn note_asks(&mut self, world: &mut World, now: Moment) {
        for ask in world.outbox.take() {
            match ask {
                Ask::Quit { now: at_once } => {
                    self.stage = self.stage.shut_down(now, patience(&world.config), at_once);
                }
                Ask::Stay => self.stage = self.stage.abort(),
                _ => {}
            }
            self.heard.push(Heard::Ask(ask, now));
        }
    }
}

impl<N: Net> Wires for Meanwhile<'_, N> {
    fn wire(&self, slot: u32) -> Wire {
        self.reactor.wire(slot)
    }

    fn hear(&mut self, me: ConnId, world: &mut World) {
        let now = self.reactor.now().at;
        let before = self.stage;
        // What the script has asked for waits until it has ended, and it may be undone.
        let aside = world.put_asked_aside();
        self.hear_others(me, aside.world, now);
        drop(aside);
        if before.admits() && !self.stage.admits() {
            // Newcomers must not wait for the script only to be refused then.
            self.reactor.stop_admitting(now, &world.config, &mut world.stats, self.newcomers);
            welcome(self.newcomers, world, now);
        }
        // A lame duck stays one until the script has ended, because `SHUTDOWN ABORT` may still be heard. But the script does
        // not outlive the deadline of the drain that follows.
        if self.stage.ripen(now, patience(&world.config)).is_over(now) {
            world.end_script();
        }
    }
}

impl<N: Net> Server<N> {
    /// Does what was heard while a script ran.
    #[cold]
    pub(super) fn heed(&mut self) {
        for heard in std::mem::take(&mut self.heard) {
            match heard {
                Heard::Signal(at) => self.quit(at),
                Heard::Hangup => self.service.world.reload(),
                Heard::Ask(ask, at) => self.grant(ask, at),
            }
        }
        self.dismiss();
    }
}
