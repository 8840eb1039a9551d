//! Time as the rooms see it. The server stamps it at the start of a tick, and most rooms get it as an argument.

use std::time::Duration;

/// A point on the monotonic clock, in nanoseconds since the process started this clock.
///
/// Every deadline of the reactor is a `Moment`, so a jump of the wall clock closes no connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The moment `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Moment {
        Moment(nanos)
    }

    /// The moment `ms` milliseconds after this one. It does not overflow: the last moment is the limit.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Moment {
        Moment(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    /// The moment `duration` after this one. It does not overflow: the last moment is the limit.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub const fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Both clocks, read together. A tick reads them at its start. It reads them again where the time must be exact, for
/// example before a command sets a time to live.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// The monotonic clock. Timeouts and ages use it.
    pub at: Moment,
    /// The wall clock, milliseconds since the Unix epoch. Key expiry uses it, because Redis defines expiry on it.
    pub unix_ms: u64,
    /// The wall clock, microseconds since the Unix epoch. `TIME` uses it.
    pub unix_us: u64,
}
