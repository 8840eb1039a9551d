//! How a server ends. It refuses newcomers and serves the connected clients until they leave. At the deadline it takes
//! the requests that have arrived by then, answers them in ordinary ticks, and delivers the replies for a bounded time.
//! Then it stops. The server keeps this state only in [`Stage`], so there is no second flag that could disagree.

use super::{Exit, Server};
use crate::base::Moment;
use crate::config::DRAIN_PROGRESS_MS;
use crate::reactor::net::Net;
use crate::service::world::World;
use crate::stage::Stage;

impl<N: Net> Server<N> {
    /// Reacts to a signal to stop, which was heard at `at`. The first signal begins a drain, which waits for clients to leave.
    /// The second one stops the server at once.
    pub(super) fn quit(&mut self, at: Moment) {
        let patience_ms = self.service.world.config.shutdown_timeout_ms;
        self.enter(self.stage.quit(at, patience_ms), patience_ms);
    }

    /// Enters the stage that follows from a request to stop. A drain that begins waits `patience_ms` milliseconds.
    fn enter(&mut self, stage: Stage, patience_ms: u64) {
        let before = std::mem::replace(&mut self.stage, stage);
        if before == Stage::Serving && stage != Stage::Serving {
            let World { now, config, stats, .. } = &mut self.service.world;
            self.reactor.stop_admitting(now.at, config, stats, &mut self.newcomers);
            self.welcome();
            // Clients that wait for keys get the reply that they would get when their time is over.
            self.service.world.give_up_waits();
            self.deliver();
            log::info!(
                "shutting down: newcomers are refused, {} clients have up to {patience_ms} ms to leave",
                self.reactor.serving()
            );
            self.next_progress = Some(self.service.world.now.at.plus_ms(DRAIN_PROGRESS_MS));
        } else if stage == Stage::Stopped {
            log::info!("asked to stop again: stopping now");
        }
    }

    /// Reacts to `SHUTDOWN`, which was heard at `at`. It begins a drain, as the first signal does. If `at_once`
    /// (`SHUTDOWN NOW`), the server does not wait for clients to leave.
    pub(super) fn shutdown(&mut self, at: Moment, at_once: bool) {
        let patience_ms = if at_once { 0 } else { self.service.world.config.shutdown_timeout_ms };
        self.enter(self.stage.shut_down(at, patience_ms, at_once), patience_ms);
    }

    /// The end of a tick: moves the stage on if its deadline has passed or the last client has left.
    pub(super) fn settle(&mut self) -> Option<Exit> {
        if self.stage == Stage::Serving {
            return None;
        }
        // This tick may have taken long. The deadline of the next stage must count from the present time, or clients
        // would lose the time that the tick took.
        self.service.world.refresh();
        let now = self.service.world.now.at;
        if let Some(due) = self.next_progress
            && now >= due
        {
            log::info!("shutting down: clients left: {}", self.reactor.live());
            self.next_progress = Some(now.plus_ms(DRAIN_PROGRESS_MS));
        }
        let before = self.stage;
        self.stage = self.next_stage();
        if matches!(self.stage, Stage::Closing { .. }) {
            if self.stage != before {
                log::info!(
                    "shutting down: shutdown-timeout has passed; clients left: {}",
                    self.reactor.live()
                );
                // Clients that `CLIENT PAUSE` holds must get their replies now, because there is no later.
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

    /// Ends all connections at once, and returns how the server ended.
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
