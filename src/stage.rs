//! Where the server is in its life. The transitions are pure functions. The server asks only this type whether it
//! drains or stops, so there is no second flag that could disagree.

use std::time::Duration;

use crate::base::Moment;

/// A stage of the server's life. It goes forward only: serving, draining, closing, stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Newcomers are let in and clients are served.
    Serving,
    /// Newcomers are refused. The clients that are connected are served until they leave, or until the deadline.
    Draining {
        /// When the server stops waiting for clients to leave.
        deadline: Moment,
    },
    /// The drain has reached its deadline. Requests that had arrived by then are still read and answered, and the
    /// replies are delivered. Later requests are not read.
    Closing {
        /// When the server stops delivering replies.
        deadline: Moment,
    },
    /// The server has nothing left to do.
    Stopped,
}

impl Stage {
    /// The stage after a request to stop. The first request begins a drain, which lasts `patience_ms` milliseconds at
    /// most. The second request stops the server now.
    #[must_use]
    pub fn quit(self, now: Moment, patience_ms: u64) -> Stage {
        match self {
            Stage::Serving => Stage::Draining { deadline: now.plus_ms(patience_ms) },
            _ => Stage::Stopped,
        }
    }

    /// The stage after a request not to wait: a drain reaches its deadline now. Other stages stay as they are.
    #[must_use]
    pub fn hurry(self, now: Moment) -> Stage {
        match self {
            Stage::Draining { .. } => Stage::Draining { deadline: now },
            stage => stage,
        }
    }

    /// The stage after `SHUTDOWN`. Unlike a second signal, a second `SHUTDOWN` does not stop the server. If `at_once`
    /// (`SHUTDOWN NOW`), a drain does not wait.
    #[must_use]
    pub fn shut_down(self, now: Moment, patience_ms: u64, at_once: bool) -> Stage {
        match self {
            Stage::Serving => self.quit(now, if at_once { 0 } else { patience_ms }),
            stage if at_once => stage.hurry(now),
            stage => stage,
        }
    }

    /// True if nothing may go on any longer at this time, whatever it is.
    pub fn is_over(self, now: Moment) -> bool {
        self == Stage::Stopped || self.deadline().is_some_and(|deadline| now >= deadline)
    }

    /// The stage after a tick. A server that is stopping moves on when no connection is left or the deadline has
    /// passed. `live` is the number of connections. `close_ms` is how long [`Stage::Closing`] lasts, milliseconds.
    #[must_use]
    pub fn advance(self, now: Moment, live: usize, close_ms: u64) -> Stage {
        match self {
            Stage::Draining { .. } | Stage::Closing { .. } if live == 0 => Stage::Stopped,
            Stage::Draining { deadline } if now >= deadline => {
                Stage::Closing { deadline: now.plus_ms(close_ms) }
            }
            Stage::Closing { deadline } if now >= deadline => Stage::Stopped,
            stage => stage,
        }
    }

    /// The stage after the server was busy with commands for `took`. In that time it could not deliver last replies,
    /// so the deadline of [`Stage::Closing`] moves by as much.
    #[must_use]
    pub fn excuse(self, took: Duration) -> Stage {
        match self {
            Stage::Closing { deadline } => Stage::Closing { deadline: deadline.plus(took) },
            stage => stage,
        }
    }

    /// When [`Stage::advance`] has something to do even if no client leaves; `None` if time alone changes nothing.
    pub fn deadline(self) -> Option<Moment> {
        match self {
            Stage::Draining { deadline } | Stage::Closing { deadline } => Some(deadline),
            Stage::Serving | Stage::Stopped => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(u64) -> Moment = |ms| Moment::from_nanos(ms * 1_000_000);

    #[test]
    fn the_first_quit_drains_and_any_further_one_stops() {
        let draining = Stage::Draining { deadline: T(15) };
        let closing = Stage::Closing { deadline: T(20) };
        for (from, to) in [
            (Stage::Serving, draining),
            (draining, Stage::Stopped),
            (closing, Stage::Stopped),
            (Stage::Stopped, Stage::Stopped),
        ] {
            assert_eq!(from.quit(T(5), 10), to, "from {from:?}");
        }
    }

    #[test]
    fn haste_only_shortens_a_drain() {
        assert_eq!(Stage::Draining { deadline: T(15) }.hurry(T(5)), Stage::Draining { deadline: T(5) });
        for stage in [Stage::Serving, Stage::Closing { deadline: T(20) }, Stage::Stopped] {
            assert_eq!(stage.hurry(T(5)), stage);
        }
    }

    #[test]
    fn a_second_shutdown_does_not_stop_the_server_but_may_hurry_it() {
        let draining = Stage::Draining { deadline: T(15) };
        for (from, at_once, to) in [
            (Stage::Serving, false, draining),
            (Stage::Serving, true, Stage::Draining { deadline: T(5) }),
            (draining, false, draining),
            (draining, true, Stage::Draining { deadline: T(5) }),
            (Stage::Closing { deadline: T(20) }, true, Stage::Closing { deadline: T(20) }),
            (Stage::Stopped, true, Stage::Stopped),
        ] {
            assert_eq!(from.shut_down(T(5), 10, at_once), to, "from {from:?}, at once: {at_once}");
        }
    }

    #[test]
    fn a_stage_is_over_at_its_deadline() {
        for (stage, over) in [
            (Stage::Serving, false),
            (Stage::Draining { deadline: T(15) }, false),
            (Stage::Draining { deadline: T(14) }, true),
            (Stage::Closing { deadline: T(14) }, true),
            (Stage::Stopped, true),
        ] {
            assert_eq!(stage.is_over(T(14)), over, "{stage:?}");
        }
    }

    #[test]
    fn a_slow_command_is_excused_only_while_the_last_replies_leave() {
        let slow = Duration::from_millis(7);
        let closing = Stage::Closing { deadline: T(20) };
        assert_eq!(closing.excuse(slow), Stage::Closing { deadline: T(27) });
        for stage in [Stage::Serving, Stage::Draining { deadline: T(20) }, Stage::Stopped] {
            assert_eq!(stage.excuse(slow), stage);
        }
    }

    #[test]
    fn a_tick_moves_on_only_for_a_reason() {
        let draining = Stage::Draining { deadline: T(15) };
        let closing = Stage::Closing { deadline: T(20) };
        for (from, now, live, to) in [
            (Stage::Serving, T(99), 0, Stage::Serving),
            (draining, T(14), 1, draining),
            (draining, T(14), 0, Stage::Stopped),
            (draining, T(15), 1, Stage::Closing { deadline: T(20) }),
            (closing, T(19), 1, closing),
            (closing, T(19), 0, Stage::Stopped),
            (closing, T(20), 1, Stage::Stopped),
            (Stage::Stopped, T(99), 1, Stage::Stopped),
        ] {
            assert_eq!(from.advance(now, live, 5), to, "from {from:?} at {now:?} with {live}");
        }
    }
}
