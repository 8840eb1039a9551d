//! The two clocks of the system, as ticks and commands read them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::base::{Clock, Moment, Now};

/// The monotonic clock, and the wall clock. The latter is read once in a tick, and goes on with the former until the next tick.
/// Commands that may take long read the clocks twice, and to read both took a seventh of the time of the shortest script.
pub struct Clocks {
    started: Instant,
    /// What the wall clock said when the monotonic one began, in microseconds since the Unix epoch. It changes when somebody
    /// sets the wall clock.
    wall_us: Arc<AtomicU64>,
}

impl Clocks {
    /// The monotonic clock begins now.
    pub fn new() -> Clocks {
        let clocks = Clocks { started: Instant::now(), wall_us: Arc::default() };
        clocks.read_both();
        clocks
    }

    /// The monotonic clock.
    pub fn moment(&self) -> Moment {
        moment(self.started)
    }

    /// Reads both clocks, for a tick.
    pub fn read_both(&self) -> Now {
        let at = self.moment();
        // A clock before 1970 counts as 1970.
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_us = (unix.as_micros() as u64).saturating_sub(micros(at));
        self.wall_us.store(wall_us, Ordering::Relaxed);
        together(at, wall_us)
    }

    /// The clock for commands within a tick.
    pub fn within_tick(&self) -> Clock {
        let (started, wall_us) = (self.started, Arc::clone(&self.wall_us));
        Clock::new(move || together(moment(started), wall_us.load(Ordering::Relaxed)))
    }
}

fn moment(started: Instant) -> Moment {
    Moment::from_nanos(started.elapsed().as_nanos() as u64)
}

fn micros(at: Moment) -> u64 {
    at.since(Moment::default()).as_micros() as u64
}

fn together(at: Moment, wall_us: u64) -> Now {
    let unix_us = wall_us + micros(at);
    Now { at, unix_ms: unix_us / 1_000, unix_us }
}
