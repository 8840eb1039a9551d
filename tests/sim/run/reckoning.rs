//! The end of a run: clients that are still served have been answered, all clients leave, and everything that was
//! received, stored and told is right.

use std::io::ErrorKind;

use tidegate::base::Reason;
use tidegate::reactor::conn::Phase;
use tidegate::reactor::net::{Edge, Patience};
use tidegate::server::Exit;
use tidegate::service::world::World;

use super::{Run, TICKS_OF_PEACE};
use crate::client::NO_ROOM;

impl<const HONEST: bool> Run<HONEST> {
    /// However it was treated before, a client that is still served has all its replies.
    pub(super) fn everyone_alive_is_answered(&mut self) {
        if self.exit.is_some() {
            return;
        }
        let world = self.world.borrow();
        for (name, client) in self.clients.iter().enumerate() {
            let Some(pipe) = client.pipe.map(|pipe| &world.pipes[pipe]) else { continue };
            let Some(slot) = pipe.slot else { continue };
            let conn = self.server.reactor().conn(slot).expect("a watched socket has a slot");
            if conn.phase == Phase::Open && !self.waits_for_key(slot) {
                let next = client.steps.get(client.done).map(|step| &step.op);
                assert!(
                    !client.is_owed(client.sent),
                    "client {name} is alive and was not answered: {next:?}"
                );
            }
        }
    }

    /// What a client keeps a copy of is still so, unless it was told otherwise.
    pub(super) fn copies_are_true(&mut self) {
        let now_ms = self.world.borrow().unix_ms;
        for (name, client) in self.clients.iter().enumerate() {
            let slot = client.pipe_of(&self.world.borrow()).and_then(|pipe| pipe.slot);
            let Some(conn) = slot.and_then(|slot| self.server.reactor().conn(slot)) else { continue };
            if self.exit.is_some() || conn.phase != Phase::Open {
                continue;
            }
            let store = &mut self.server.service().world.store;
            store.select(0);
            for (key, value) in client.state.copies.true_ones() {
                let stored = store.get(key.as_bytes(), now_ms).expect("it is a string");
                let stored = stored.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                assert_eq!(stored, *value, "client {name} was not told that {key} has changed");
            }
        }
    }

    pub(super) fn everyone_got_everything(&self) {
        let refused = self.server.stats().rejected > 0;
        for (name, client) in self.clients.iter().enumerate() {
            if refused && client.received == NO_ROOM.as_bytes()
                || client.temper.falls_silent_at.is_some()
                || client.left_parked
                || client
                    .pipe_of(&self.world.borrow())
                    .and_then(|pipe| pipe.slot)
                    .is_some_and(|slot| self.waits_for_key(slot))
            {
                continue;
            }
            let whole = client.ends_whole() && !client.is_owed(client.stream.len());
            assert!(whole, "client {name} was not answered completely: {} replies", client.done);
        }
    }

    pub(super) fn everyone_leaves(&mut self) {
        if self.exit.is_some() {
            return;
        }
        for _ in 0..TICKS_OF_PEACE {
            let pipes = self.clients.iter().filter_map(|client| client.pipe);
            for pipe in pipes.chain(self.strangers.iter().copied()) {
                self.world.borrow_mut().half_close(pipe);
            }
            for name in 0..self.clients.len() {
                self.client_acts(name);
            }
            self.tick();
            if self.exit.is_some() {
                return;
            }
            let idle = self.server.reactor().live() == 0 && !self.world.borrow().has_pending();
            if idle && self.world.borrow().patience != Patience::None {
                break;
            }
        }
        assert_eq!(self.server.reactor().live(), 0, "everybody left and somebody is still here");
        let World { store, pause, .. } = &self.server.service().world;
        let has_plans = store.next_expiry().is_some() || pause.is_on();
        self.tick();
        let resting = self.world.borrow().patience;
        assert!(resting == Patience::Endless || has_plans, "an idle server woke up: {resting:?}");
        self.seen.quit = true;
        self.world.borrow_mut().signals.push(Edge::Quit);
        while self.exit.is_none() {
            self.tick();
        }
    }

    /// At the end: everything received is right, no reply was cut off without need, and the keys are as after the last
    /// complete command.
    pub(super) fn reckon(&mut self) {
        assert_eq!(self.server.reactor().live(), 0, "something survived the exit");
        let exit = self.exit.expect("the run ends with the server");
        if self.world.borrow().listening {
            // A lame duck that is asked to stop at once leaves its listeners to the end of the process.
            self.world.borrow_mut().close_listeners();
        }
        self.count(if exit == Exit::Clean { "exit clean" } else { "exit cut" });
        let closes = self.server.stats().closes;
        let ended = |reason: Reason| closes[reason.index()] > 0;
        let may_cut =
            [Reason::SlowConsumer, Reason::Forced, Reason::Evicted, Reason::Killed].into_iter().any(ended)
                || ended(Reason::Io(ErrorKind::Other));
        // No client was ended early, so everything that the server read while it served was answered.
        let early = [Reason::Idle, Reason::RequestTimeout, Reason::QueryBufferLimit];
        let only_what_was_owed = !may_cut && !early.into_iter().any(ended);
        // Without memory for the line, a refusal is only a close.
        let refused_without_a_word = self.seen.scarce && ended(Reason::AtCapacity);
        let mut any_reset = false;
        for name in 0..self.clients.len() {
            let Some(pipe) = self.clients[name].pipe else { continue };
            let rest = self.world.borrow_mut().take(pipe, usize::MAX);
            self.clients[name].receive(&rest);
            let events = self.clients[name].check_received(name, self.seen, &self.world.borrow());
            self.hear(name, events);
            let client = &self.clients[name];
            if client.lost_script() {
                self.count("script lost to a panic");
            }
            let world = self.world.borrow();
            let pipe = &world.pipes[pipe];
            assert!(pipe.closed, "client {name} was left behind");
            let reset = pipe.reset || pipe.server_reset;
            any_reset |= reset;
            if !may_cut && !reset {
                assert!(
                    client.ends_whole(),
                    "client {name}'s last reply was cut: {}",
                    client.received.escape_ascii()
                );
            }
            if only_what_was_owed
                && (!refused_without_a_word || !client.received.is_empty())
                && !reset
                && !client.left_parked
                && !client.parting
            {
                let read = pipe.read_at_fin.unwrap_or(pipe.read_total);
                assert!(!client.is_owed(read), "client {name} was read and not answered");
            }
            if let Some(last) = pipe.last_look {
                let most = client.requests_within(last);
                assert!(client.done <= most, "client {name} was answered what came too late");
            }
            let read = pipe.read_total;
            drop(world);
            self.check_keys(name, read);
        }
        let killed = closes[Reason::Killed.index()];
        // Something else may have ended them in the same turn.
        let otherwise =
            [Reason::Io(ErrorKind::Other), Reason::SlowConsumer, Reason::Evicted].into_iter().any(ended);
        assert!(otherwise || killed >= self.board.kills() as u64, "somebody who was killed survived");
        self.check_queues();
        self.check_hoards();
        self.compare_stories(!may_cut && !any_reset && !self.seen.scarce);
        self.server.audit();
    }

    /// What clients told of each other must agree.
    fn compare_stories(&self, all_delivered: bool) {
        let world = self.world.borrow();
        if !self.seen.scarce {
            self.board.check_shared(&self.clients, &world);
        }
        self.board.check_messages(&self.clients, &world, all_delivered, self.seen.scarce);
    }
}
