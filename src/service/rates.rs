//! How much happens in a second, for `INFO`.

use crate::base::Moment;
use crate::stats::Stats;

/// Shortest time over which a rate is taken, milliseconds.
const SPAN_MS: u64 = 1_000;

/// What happens in a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    /// Commands completed.
    pub commands: u64,
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes written to clients.
    pub bytes_out: u64,
}

/// Counters as they were, and the rates since then. They are looked at when a tick comes by, so an idle server need not
/// wake up for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    since: Moment,
    then: Rate,
    last: Rate,
}

impl Rates {
    /// Takes the rates anew if a second has passed.
    #[inline]
    pub fn look(&mut self, now: Moment, stats: &Stats) {
        if now >= self.since.plus_ms(SPAN_MS) {
            self.take(now, stats);
        }
    }

    #[cold]
    fn take(&mut self, now: Moment, stats: &Stats) {
        let ms = now.since(self.since).as_millis().max(1) as u64;
        let rate = |now: u64, then: u64| now.saturating_sub(then) * 1_000 / ms;
        let present = Rate { commands: stats.commands, bytes_in: stats.bytes_in, bytes_out: stats.bytes_out };
        self.last = Rate {
            commands: rate(present.commands, self.then.commands),
            bytes_in: rate(present.bytes_in, self.then.bytes_in),
            bytes_out: rate(present.bytes_out, self.then.bytes_out),
        };
        (self.since, self.then) = (now, present);
    }

    /// The rates when they were last taken.
    pub fn per_second(&self) -> Rate {
        self.last
    }
}
