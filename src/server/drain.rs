//! How a server comes to its end: newcomers are refused, open clients are served until they leave,
//! then whatever has arrived is answered, then it stops. Everything asks [`Stage`]; nobody keeps a
//! flag of their own.

use super::{Exit, Server};
use crate::base::Reason;
use crate::config::{DRAIN_PROGRESS_MS, LAST_TURNS_MAX};
use crate::reactor::conn::Phase;
use crate::reactor::net::Net;
use crate::stage::Stage;

impl<N: Net> Server<N> {
    /// A signal asks us to stop: politely the first time, at once the second.
    pub(super) fn quit(&mut self, patience_ms: u64) {
        let before = self.stage;
        self.stage = self.stage.quit(self.now.at, patience_ms);
        if before == Stage::Serving {
            self.reactor.close_the_gate(self.now.at, &self.config, &mut self.stats, &mut self.newcomers);
            self.welcome();
            log::info!(
                "shutting down: newcomers are refused, {} clients have up to {patience_ms} ms to leave",
                self.reactor.serving()
            );
            self.next_progress = Some(self.now.at.plus_ms(DRAIN_PROGRESS_MS));
        } else if self.stage == Stage::Stopped {
            log::info!("asked to stop again: stopping now");
        }
    }

    /// `SHUTDOWN`: as the first signal, however often it is said; with `NOW` nobody is waited for.
    pub(super) fn shutdown(&mut self, at_once: bool) {
        if self.stage == Stage::Serving {
            self.quit(if at_once { 0 } else { self.config.shutdown_timeout_ms });
        } else if at_once {
            self.stage = self.stage.hurry(self.now.at);
        }
    }

    /// The end of the tick: does time or the last departure change what the server is doing?
    pub(super) fn settle(&mut self) -> Option<Exit> {
        if let Some(due) = self.next_progress
            && self.now.at >= due
        {
            log::info!("shutting down: {} clients left", self.reactor.live());
            self.next_progress = Some(self.now.at.plus_ms(DRAIN_PROGRESS_MS));
        }
        let before = self.stage;
        self.stage = self.stage.settle(self.now.at, self.reactor.live(), self.config.bounds.drain_close_ms);
        if matches!(self.stage, Stage::Closing { .. }) && self.stage != before {
            self.last_read();
        }
        if matches!(self.stage, Stage::Closing { .. }) {
            self.release_the_paid();
            // Perhaps that was everybody.
            self.stage =
                self.stage.settle(self.now.at, self.reactor.live(), self.config.bounds.drain_close_ms);
        }
        (self.stage == Stage::Stopped).then(|| self.stop())
    }

    /// Patience has ended: what has arrived by now is read, and everything complete in it will be
    /// answered; nothing that comes later will.
    fn last_read(&mut self) {
        log::info!("shutting down: patience has ended for {} clients", self.reactor.live());
        for slot in self.reactor.live_slots() {
            let Some(conn) = self.reactor.conn(slot) else { continue };
            if conn.phase == Phase::Open {
                // Whatever the edges said: this is the last look.
                conn.can_read = true;
                self.read_to_the_end(slot);
                if let Some(conn) = self.reactor.conn(slot) {
                    conn.ending.get_or_insert(Reason::Drained);
                }
                // With nothing more to receive, a turn only serves.
                self.turn(slot);
            }
        }
        self.flush();
    }

    /// Reads and serves what the kernel holds for a client, as far as it takes its replies.
    fn read_to_the_end(&mut self, slot: u32) {
        for _ in 0..LAST_TURNS_MAX {
            let Some(conn) = self.reactor.conn(slot) else { return };
            let wants = conn.wants_turn(self.config.bounds.output_pause_bytes);
            if conn.phase != Phase::Open || !wants {
                return;
            }
            self.receive(slot);
            self.turn(slot);
            self.reactor.flush(slot, self.now.at, &self.config, &mut self.stats);
        }
    }

    /// There is no time to linger any more: whoever has been paid and has sent nothing further is
    /// let go.
    fn release_the_paid(&mut self) {
        for slot in self.reactor.live_slots() {
            let lingering =
                self.reactor.conn(slot).is_some_and(|conn| matches!(conn.phase, Phase::Lingering(_)));
            if lingering {
                self.reactor.last_discard(slot, &self.config);
            }
        }
        self.reap();
    }

    /// Nothing is waited for any more.
    fn stop(&mut self) -> Exit {
        for slot in self.reactor.live_slots() {
            let Some(conn) = self.reactor.conn(slot) else { continue };
            match conn.phase {
                Phase::Open if conn.output.is_empty() && !conn.unserved => {
                    self.reactor.doom(slot, Reason::Drained)
                }
                Phase::Open | Phase::Finishing(_) => self.reactor.doom(slot, Reason::Forced),
                Phase::Lingering(_) | Phase::Doomed(_) => self.reactor.doom_as_phased(slot),
            }
        }
        self.reap();
        if self.stats.present.cut == 0 {
            log::info!("stopped: everything was delivered");
            return Exit::Clean;
        }
        log::warn!("stopped: {} clients were cut off", self.stats.present.cut);
        Exit::Cut
    }
}
