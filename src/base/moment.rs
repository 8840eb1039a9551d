//! Time as the rooms see it. The server stamps it once a tick and passes it on as an argument.

use std::time::Duration;

/// A point on the monotonic clock, in nanoseconds since the process began to count.
///
/// Every deadline of the reactor is a `Moment`, so a jump of the wall clock closes no connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The moment `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Moment {
        Moment(nanos)
    }

    /// This moment moved on by `ms` milliseconds; stops at the end of time instead of overflowing.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Moment {
        Moment(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    /// This moment moved on by `duration`; stops at the end of time instead of overflowing.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub const fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Both clocks, read once a tick.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Monotonic: timeouts and ages.
    pub at: Moment,
    /// Wall clock, milliseconds since the Unix epoch: key expiry, which Redis defines on this clock.
    pub unix_ms: u64,
    /// The wall clock in microseconds, for `TIME`.
    pub unix_us: u64,
}
