//! Where the server is in its life. The transitions are pure functions. The server asks only this type whether it
//! drains or stops, so there is no second flag that could disagree.

use std::time::Duration;

use crate::base::Moment;

/// A stage of the server's life. It goes forward only, but for [`Stage::abort`]: serving, lame duck, draining, closing,
/// stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Newcomers are let in and clients are served.
    #[default]
    Serving,
    /// The server is about to drain, and says so to those who watch it and to clients that have asked for it. Newcomers
    /// are still let in, so that nobody meets a refusal before the watchers have sent newcomers elsewhere.
    LameDuck {
        /// When the drain begins.
        until: Moment,
    },
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

/// How long the stages of an end last at most, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// How long [`Stage::LameDuck`] lasts; 0 = there is none.
    pub lame_duck_ms: u64,
    /// How long [`Stage::Draining`] lasts.
    pub drain_ms: u64,
    /// How long [`Stage::Closing`] lasts.
    pub close_ms: u64,
}

impl Stage {
    /// The stage after a request to stop. The first request begins the end. The second request stops the server now.
    #[must_use]
    pub fn quit(self, now: Moment, patience: Patience) -> Stage {
        match self {
            Stage::Serving if patience.lame_duck_ms > 0 => {
                Stage::LameDuck { until: now.plus_ms(patience.lame_duck_ms) }
            }
            Stage::Serving => Stage::Draining { deadline: now.plus_ms(patience.drain_ms) },
            _ => Stage::Stopped,
        }
    }

    /// The stage after `SHUTDOWN`. Unlike a second signal, a second `SHUTDOWN` does not stop the server. If `at_once`
    /// (`SHUTDOWN NOW`), a drain reaches its deadline now.
    #[must_use]
    pub fn shut_down(self, now: Moment, patience: Patience, at_once: bool) -> Stage {
        match self {
            Stage::Serving | Stage::LameDuck { .. } | Stage::Draining { .. } if at_once => {
                Stage::Draining { deadline: now }
            }
            Stage::Serving => self.quit(now, patience),
            stage => stage,
        }
    }

    /// The stage after `SHUTDOWN ABORT`. Only a lame duck can go back: later the listeners are closed.
    #[must_use]
    pub fn abort(self) -> Stage {
        match self {
            Stage::LameDuck { .. } => Stage::Serving,
            stage => stage,
        }
    }

    /// True if newcomers are let in.
    pub fn admits(self) -> bool {
        matches!(self, Stage::Serving | Stage::LameDuck { .. })
    }

    /// The name of the stage, for `INFO` and the log.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Serving => "serving",
            Stage::LameDuck { .. } => "lame_duck",
            Stage::Draining { .. } => "draining",
            Stage::Closing { .. } => "closing",
            Stage::Stopped => "stopped",
        }
    }

    /// True if nothing may go on any longer at this time, whatever it is.
    pub fn is_over(self, now: Moment) -> bool {
        match self {
            Stage::Serving | Stage::LameDuck { .. } => false,
            Stage::Draining { deadline } | Stage::Closing { deadline } => now >= deadline,
            Stage::Stopped => true,
        }
    }

    /// The stage at this time, if the time of a lame duck may be over. The drain counts from the end of that time, however
    /// late the server notices it.
    #[must_use]
    pub fn ripen(self, now: Moment, patience: Patience) -> Stage {
        match self {
            Stage::LameDuck { until } if now >= until => {
                Stage::Draining { deadline: until.plus_ms(patience.drain_ms) }
            }
            stage => stage,
        }
    }

    /// The stage after a tick. A server that is stopping moves on when no connection is left or the deadline has
    /// passed. `live` is the number of connections.
    #[must_use]
    pub fn advance(self, now: Moment, live: usize, patience: Patience) -> Stage {
        match self {
            Stage::Draining { .. } | Stage::Closing { .. } if live == 0 => Stage::Stopped,
            Stage::Draining { deadline } if now >= deadline => {
                Stage::Closing { deadline: now.plus_ms(patience.close_ms) }
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

    /// When time alone moves the stage on; `None` if it does not.
    pub fn deadline(self) -> Option<Moment> {
        match self {
            Stage::LameDuck { until } => Some(until),
            Stage::Draining { deadline } | Stage::Closing { deadline } => Some(deadline),
            Stage::Serving | Stage::Stopped => None,
        }
    }

    /// When the server ends at the latest, but for time that it spends on slow commands; `None` while it serves.
    pub fn end(self, patience: Patience) -> Option<Moment> {
        match self {
            Stage::LameDuck { until } => Some(until.plus_ms(patience.drain_ms + patience.close_ms)),
            Stage::Draining { deadline } => Some(deadline.plus_ms(patience.close_ms)),
            Stage::Closing { deadline } => Some(deadline),
            Stage::Serving | Stage::Stopped => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(u64) -> Moment = |ms| Moment::from_nanos(ms * 1_000_000);
    const PATIENCE: Patience = Patience { lame_duck_ms: 0, drain_ms: 10, close_ms: 5 };
    const LAME: Patience = Patience { lame_duck_ms: 3, ..PATIENCE };
    const LAME_DUCK: Stage = Stage::LameDuck { until: Moment::from_nanos(8_000_000) };

    #[test]
    fn the_first_quit_drains_and_any_further_one_stops() {
        let draining = Stage::Draining { deadline: T(15) };
        let closing = Stage::Closing { deadline: T(20) };
        for (from, patience, to) in [
            (Stage::Serving, PATIENCE, draining),
            (Stage::Serving, LAME, LAME_DUCK),
            (LAME_DUCK, LAME, Stage::Stopped),
            (draining, LAME, Stage::Stopped),
            (closing, LAME, Stage::Stopped),
            (Stage::Stopped, LAME, Stage::Stopped),
        ] {
            assert_eq!(from.quit(T(5), patience), to, "from {from:?}");
        }
    }

    #[test]
    fn a_second_shutdown_does_not_stop_the_server_but_may_hurry_it() {
        let draining = Stage::Draining { deadline: T(15) };
        let due = Stage::Draining { deadline: T(5) };
        for (from, at_once, to) in [
            (Stage::Serving, false, LAME_DUCK),
            (Stage::Serving, true, due),
            (LAME_DUCK, false, LAME_DUCK),
            (LAME_DUCK, true, due),
            (draining, false, draining),
            (draining, true, due),
            (Stage::Closing { deadline: T(20) }, true, Stage::Closing { deadline: T(20) }),
            (Stage::Stopped, true, Stage::Stopped),
        ] {
            assert_eq!(from.shut_down(T(5), LAME, at_once), to, "from {from:?}, at once: {at_once}");
        }
        assert_eq!(Stage::Serving.shut_down(T(5), PATIENCE, false), draining);
    }

    #[test]
    fn only_a_lame_duck_can_go_back() {
        assert_eq!(LAME_DUCK.abort(), Stage::Serving);
        for stage in [Stage::Serving, Stage::Draining { deadline: T(15) }, Stage::Stopped] {
            assert_eq!(stage.abort(), stage);
        }
    }

    #[test]
    fn a_stage_is_over_at_its_deadline() {
        for (stage, over) in [
            (Stage::Serving, false),
            (LAME_DUCK, false),
            (Stage::Draining { deadline: T(15) }, false),
            (Stage::Draining { deadline: T(14) }, true),
            (Stage::Closing { deadline: T(14) }, true),
            (Stage::Stopped, true),
        ] {
            assert_eq!(stage.is_over(T(14)), over, "{stage:?}");
        }
    }

    #[test]
    fn the_end_is_known_from_the_first_signal_on() {
        for (stage, end) in [
            (Stage::Serving, None),
            (LAME_DUCK, Some(T(8 + 10 + 5))),
            (Stage::Draining { deadline: T(15) }, Some(T(20))),
            (Stage::Closing { deadline: T(20) }, Some(T(20))),
            (Stage::Stopped, None),
        ] {
            assert_eq!(stage.end(LAME), end, "{stage:?}");
        }
    }

    #[test]
    fn a_slow_command_is_excused_only_while_the_last_replies_leave() {
        let slow = Duration::from_millis(7);
        let closing = Stage::Closing { deadline: T(20) };
        assert_eq!(closing.excuse(slow), Stage::Closing { deadline: T(27) });
        for stage in [Stage::Serving, LAME_DUCK, Stage::Draining { deadline: T(20) }, Stage::Stopped] {
            assert_eq!(stage.excuse(slow), stage);
        }
    }

    #[test]
    fn a_lame_duck_drains_when_its_time_is_over_and_no_later() {
        assert_eq!(LAME_DUCK.ripen(T(7), LAME), LAME_DUCK);
        for now in [8, 9] {
            assert_eq!(LAME_DUCK.ripen(T(now), LAME), Stage::Draining { deadline: T(18) });
        }
        assert_eq!(Stage::Serving.ripen(T(99), LAME), Stage::Serving);
    }

    #[test]
    fn a_tick_moves_on_only_for_a_reason() {
        let draining = Stage::Draining { deadline: T(15) };
        let closing = Stage::Closing { deadline: T(20) };
        for (from, now, live, to) in [
            (Stage::Serving, T(99), 0, Stage::Serving),
            (LAME_DUCK, T(7), 0, LAME_DUCK),
            (draining, T(14), 1, draining),
            (draining, T(14), 0, Stage::Stopped),
            (draining, T(15), 1, Stage::Closing { deadline: T(20) }),
            (closing, T(19), 1, closing),
            (closing, T(19), 0, Stage::Stopped),
            (closing, T(20), 1, Stage::Stopped),
            (Stage::Stopped, T(99), 1, Stage::Stopped),
        ] {
            assert_eq!(from.advance(now, live, LAME), to, "from {from:?} at {now:?} with {live}");
        }
    }
}
