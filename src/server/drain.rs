//! How a server ends. Newcomers are refused, and the clients that are connected are served until they leave. At the
//! deadline the requests that have arrived are still answered, in ordinary ticks, and delivered as long as clients
//! take the replies; then the server stops. Every room asks [`Stage`]; none has a flag of its own for it.

use super::{Exit, Server};
use crate::config::DRAIN_PROGRESS_MS;
use crate::reactor::net::Net;
use crate::service::world::World;
use crate::stage::Stage;

impl<N: Net> Server<N> {
    /// A signal asks the server to stop: the first one begins a drain, the second one ends it at once.
    pub(super) fn quit(&mut self, patience_ms: u64) {
        let before = self.stage;
        self.stage = self.stage.quit(self.service.world.now.at, patience_ms);
        if before == Stage::Serving {
            let World { now, config, stats, .. } = &mut self.service.world;
            self.reactor.stop_admitting(now.at, config, stats, &mut self.newcomers);
            self.welcome();
            log::info!(
                "shutting down: newcomers are refused, {} clients have up to {patience_ms} ms to leave",
                self.reactor.serving()
            );
            self.next_progress = Some(self.service.world.now.at.plus_ms(DRAIN_PROGRESS_MS));
        } else if self.stage == Stage::Stopped {
            log::info!("asked to stop again: stopping now");
        }
    }

    /// `SHUTDOWN` does what the first signal does, however often clients send it. With `NOW` the server does not wait
    /// for clients to leave.
    pub(super) fn shutdown(&mut self, at_once: bool) {
        if self.stage == Stage::Serving {
            self.quit(if at_once { 0 } else { self.service.world.config.shutdown_timeout_ms });
        } else if at_once {
            self.stage = self.stage.hurry(self.service.world.now.at);
        }
    }

    /// The end of a tick: moves the stage on if its deadline has passed or the last client has left.
    pub(super) fn settle(&mut self) -> Option<Exit> {
        if self.stage == Stage::Serving {
            return None;
        }
        // A command of this tick may have taken long. The time of the clients must not run out for that.
        self.service.world.refresh();
        let now = self.service.world.now.at;
        if let Some(due) = self.next_progress
            && now >= due
        {
            log::info!("shutting down: {} clients left", self.reactor.live());
            self.next_progress = Some(now.plus_ms(DRAIN_PROGRESS_MS));
        }
        let before = self.stage;
        self.stage = self.next_stage();
        if matches!(self.stage, Stage::Closing { .. }) {
            if self.stage != before {
                log::info!("shutting down: patience has ended for {} clients", self.reactor.live());
                // The server has no more time to keep clients waiting.
                self.service.world.pause.give_up();
                self.service.world.end_pause();
                self.deliver();
                self.reactor.last_read();
            }
            self.reactor.release_lingering();
            self.reap();
            // These may have been the last connections.
            self.stage = self.next_stage();
        }
        (self.stage == Stage::Stopped).then(|| self.stop())
    }

    fn next_stage(&self) -> Stage {
        let World { now, config, .. } = &self.service.world;
        self.stage.advance(now.at, self.reactor.live(), config.shutdown_flush_timeout_ms)
    }

    /// Ends all connections at once.
    fn stop(&mut self) -> Exit {
        self.reactor.doom_all();
        self.dismiss();
        self.reap();
        if self.service.world.stats.present.cut == 0 {
            log::info!("stopped: everything was delivered");
            return Exit::Clean;
        }
        log::warn!("stopped: {} clients were cut off", self.service.world.stats.present.cut);
        Exit::Cut
    }
}
