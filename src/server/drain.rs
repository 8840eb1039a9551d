//! How a server ends. It may let newcomers in for a while, as a lame duck. Then it refuses them and serves the connected
//! clients until they leave; those that were idle for the longest time it closes itself, spread over the time there is. At
//! the deadline it takes the requests that have arrived by then, answers them in ordinary ticks, and delivers the replies
//! for a bounded time. Then it stops. The server keeps this state only in [`Stage`], so there is no second flag that could
//! disagree.

use super::{Exit, Server};
use crate::base::{Moment, Reason};
use crate::config::{Config, DRAIN_LOOK_MS, DRAIN_PROGRESS_MS};
use crate::reactor::ending::Gone;
use crate::reactor::net::Net;
use crate::service::moving::Moves;
use crate::service::world::World;
use crate::stage::{Patience, Stage};

/// How the server accompanies its own end: what it looks at, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    /// When it looks next at what is left.
    look: Moment,
    /// When the log next says how many clients are left.
    progress: Moment,
    /// When the drain began, and how many clients were there.
    drain: Option<(Moment, usize)>,
}

impl Watch {
    fn from(now: Moment) -> Watch {
        Watch { look: now.plus_ms(DRAIN_LOOK_MS), progress: now.plus_ms(DRAIN_PROGRESS_MS), drain: None }
    }

    /// When it looks next. Before the drain only the log has something to say.
    pub(super) fn deadline(&self) -> Moment {
        if self.drain.is_some() { self.look } else { self.progress }
    }

    /// How many clients may still be there at this time, so that they leave evenly until `deadline`.
    fn allowed(&self, now: Moment, deadline: Moment) -> usize {
        let Some((began, clients)) = self.drain else { return usize::MAX };
        let (left, whole) = (deadline.since(now).as_nanos(), deadline.since(began).as_nanos());
        (clients as u128 * left).div_ceil(whole.max(1)) as usize
    }
}

/// How long the stages of an end last by the present settings.
pub(super) fn patience(config: &Config) -> Patience {
    Patience {
        lame_duck_ms: config.lame_duck_ms,
        drain_ms: config.shutdown_timeout_ms,
        close_ms: config.shutdown_flush_timeout_ms,
    }
}

impl<N: Net> Server<N> {
    fn patience(&self) -> Patience {
        patience(self.config())
    }

    /// Reacts to a signal to stop, which was heard at `at`. The first signal begins the end, which waits for clients to leave.
    /// The second one stops the server at once.
    pub(super) fn quit(&mut self, at: Moment) {
        let stage = self.stage.quit(at, self.patience());
        if stage == Stage::Stopped {
            log::info!("asked to stop again: stopping now");
        }
        self.enter(stage);
    }

    /// Reacts to `SHUTDOWN`, which was heard at `at`. It begins the end, as the first signal does. If `at_once`
    /// (`SHUTDOWN NOW`), the server does not wait for clients to leave.
    pub(super) fn shutdown(&mut self, at: Moment, at_once: bool) {
        self.enter(self.stage.shut_down(at, self.patience(), at_once));
    }

    /// Reacts to `SHUTDOWN ABORT`.
    pub(super) fn stay(&mut self) {
        self.enter(self.stage.abort());
    }

    /// Enters the stage that follows from a request or from the time.
    fn enter(&mut self, stage: Stage) {
        let before = std::mem::replace(&mut self.stage, stage);
        if before == stage {
            return;
        }
        let now = self.service.world.now.at;
        self.note_stage();
        if before == Stage::Serving {
            self.watch = Some(Watch::from(now));
            self.service.world.tell_moving();
            self.deliver();
        }
        match stage {
            Stage::Serving => {
                self.watch = None;
                self.service.world.stats.present.bytes_left = 0;
                log::info!("the shutdown is aborted: serving as before");
            }
            Stage::LameDuck { until } => log::info!(
                "shutting down: newcomers are still let in for {} ms",
                until.since(now).as_millis()
            ),
            Stage::Draining { deadline } if before.admits() => self.begin_drain(deadline),
            // `SHUTDOWN NOW` has moved the deadline of a drain.
            Stage::Draining { .. } => {}
            Stage::Closing { .. } => self.begin_closing(),
            Stage::Stopped => {}
        }
    }

    fn begin_drain(&mut self, deadline: Moment) {
        let World { now, config, stats, .. } = &mut self.service.world;
        let now = *now;
        self.reactor.stop_admitting(now.at, config, stats, &mut self.newcomers);
        self.welcome();
        // Clients that wait for keys get the reply that they would get when their time is over.
        self.service.world.give_up_waits();
        self.deliver();
        let clients = self.reactor.serving();
        log::info!(
            "shutting down: newcomers are refused, {clients} clients have up to {} ms to leave",
            deadline.since(now.at).as_millis()
        );
        self.watch = Some(Watch { drain: Some((now.at, clients)), ..Watch::from(now.at) });
    }

    fn begin_closing(&mut self) {
        log::info!("shutting down: shutdown-timeout has passed; clients left: {}", self.reactor.live());
        // Clients that `CLIENT PAUSE` holds must get their replies now, because there is no later.
        self.service.world.pause.give_up();
        self.service.world.end_pause();
        self.deliver();
        self.reactor.last_read();
    }

    /// The end of a tick: moves the stage on if its deadline has passed or the last client has left.
    pub(super) fn settle(&mut self) -> Option<Exit> {
        if self.stage == Stage::Serving {
            return None;
        }
        // This tick may have taken long. The deadline of the next stage must count from the present time, or clients
        // would lose the time that the tick took.
        self.service.world.refresh();
        self.look();
        self.enter(self.stage.ripen(self.service.world.now.at, self.patience()));
        self.advance();
        if matches!(self.stage, Stage::Closing { .. }) {
            self.reactor.release_lingering();
            self.reap();
            // These may have been the last connections.
            self.advance();
        }
        (self.stage == Stage::Stopped).then(|| self.stop())
    }

    fn advance(&mut self) {
        let now = self.service.world.now.at;
        self.enter(self.stage.advance(now, self.reactor.live(), self.patience()));
    }

    /// Looks at what is left, if it is time: tells the log, and parts with clients that were idle for the longest time.
    fn look(&mut self) {
        let now = self.service.world.now.at;
        let Some(mut watch) = self.watch.filter(|watch| now >= watch.deadline()) else { return };
        watch.look = now.plus_ms(DRAIN_LOOK_MS);
        let bytes_left = self.reactor.undelivered();
        self.service.world.stats.present.bytes_left = bytes_left;
        self.note_stage();
        if let Stage::Draining { deadline } = self.stage {
            let surplus = self.reactor.serving().saturating_sub(watch.allowed(now, deadline));
            let sessions = &self.service.world.sessions;
            // A client in a transaction is not idle, although it is silent. One that was told to move leaves by itself.
            let may_go = |slot| {
                sessions
                    .get(slot)
                    .is_some_and(|session| session.moves == Moves::Untold && !session.has_extras())
            };
            self.reactor.part_with_idle(surplus, now, may_go);
            self.dismiss();
        }
        if now >= watch.progress {
            watch.progress = now.plus_ms(DRAIN_PROGRESS_MS);
            let end = self.stage.end(self.patience()).unwrap_or(now);
            log::info!(
                "shutting down: clients left: {}, bytes left: {bytes_left}, stage: {}, at most {} ms left",
                self.reactor.live(),
                self.stage.name(),
                end.since(now).as_millis()
            );
        }
        self.watch = Some(watch);
    }

    /// Notes the stage for those who ask for it.
    pub(super) fn note_stage(&mut self) {
        let patience = self.patience();
        let present = &mut self.service.world.stats.present;
        (present.stage, present.end) = (self.stage, self.stage.end(patience));
    }

    /// Counts how a connection ended while the server stops.
    pub(super) fn note_outcome(&mut self, gone: &Gone) {
        let present = &mut self.service.world.stats.present;
        let given_up = !matches!(gone.reason, Reason::Io(_));
        if given_up && gone.undelivered + gone.unserved > 0 {
            present.cut += 1;
            log::warn!(
                "client id={} cut off ({}): {} bytes of replies undelivered, {} bytes of requests unanswered",
                gone.serial,
                gone.reason,
                gone.undelivered,
                gone.unserved
            );
        } else if matches!(self.stage, Stage::Draining { .. }) {
            present.clean += 1;
        } else {
            present.flushed += 1;
        }
    }

    /// Ends all connections at once, and returns how the server ended.
    fn stop(&mut self) -> Exit {
        self.reactor.doom_all();
        self.dismiss();
        self.reap();
        let present = &self.service.world.stats.present;
        log::info!(
            "clients that left in time: {}, that had their last replies after it: {}, that were cut off: {}",
            present.clean,
            present.flushed,
            present.cut
        );
        if present.cut == 0 {
            log::info!("stopped: everything was delivered");
            return Exit::Clean;
        }
        log::warn!("stopped: {} clients were cut off", present.cut);
        Exit::Cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_evenly_until_the_deadline() {
        const T: fn(u64) -> Moment = |ms| Moment::from_nanos(ms * 1_000_000);
        let watch = |clients| Watch { drain: Some((T(100), clients)), ..Watch::from(T(100)) };
        for (clients, now, allowed) in
            [(10, 100, 10), (10, 150, 5), (10, 151, 5), (10, 191, 1), (10, 200, 0), (1, 199, 1), (0, 150, 0)]
        {
            assert_eq!(watch(clients).allowed(T(now), T(200)), allowed, "{clients} clients at {now}");
        }
        assert_eq!(watch(10).allowed(T(100), T(100)), 0, "no time at all");
        assert_eq!(Watch::from(T(0)).allowed(T(50), T(100)), usize::MAX, "no drain yet");
    }
}
