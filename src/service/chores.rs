//! Work that falls due although no client asks for it: keys expire, removed memory waits to be freed, a pause ends.

use super::outbox::Ask;
use super::world::World;
use crate::base::Moment;
use crate::config::{Bounds, EXPIRIES_TOLD_MIN, EventClass};
use crate::store::LOOK_PAUSE_MAX_MS;

/// What `INFO` calls them in the place of a command.
const CHORES: &str = "chores";

impl World {
    /// The next moment at which there is work to do even if no client sends anything.
    pub fn next_deadline(&self) -> Option<Moment> {
        if self.tracking.has_leftovers() {
            return Some(self.now.at);
        }
        [self.pause.until(), self.waiting.next_deadline(), self.key_deadline()].into_iter().flatten().min()
    }

    /// When the sweep has to look for expired keys next. If discarded memory waits to be freed, that is now.
    fn key_deadline(&self) -> Option<Moment> {
        if self.store.has_leftovers() || self.must_evict() {
            return Some(self.now.at);
        }
        let next_ms = self.store.next_expiry().filter(|_| self.active_expire)?;
        let in_ms = next_ms.saturating_sub(self.now.unix_ms);
        Some(self.now.at.plus_ms(in_ms).max(self.next_key_sweep))
    }

    /// Does what has fallen due, within the budgets of a tick. If keys are to be removed or memory is to be freed, the time of
    /// that is taken, so that the longest tick can say what it was doing.
    pub fn sweep(&mut self) {
        let may_take_long = self.key_deadline().is_some_and(|due| due <= self.now.at);
        if !may_take_long {
            return self.tidy();
        }
        let began = self.read_clock().at;
        self.tidy();
        let us = self.read_clock().at.since(began).as_micros() as u64;
        if us >= self.slowest.1 {
            self.slowest = (CHORES, us);
        }
    }

    fn tidy(&mut self) {
        let Bounds { expiries_per_tick, expire_interval_ms, reclaims_per_tick, .. } = self.config.bounds;
        let now_ms = self.now.unix_ms;
        let is_due = |due_ms: Option<u64>| due_ms.is_some_and(|at_ms| at_ms <= now_ms);
        if self.active_expire && self.now.at >= self.next_key_sweep && is_due(self.store.next_expiry()) {
            // Clients that wait for the event should hear of it at once.
            let prompt = self.config.notify_keyspace_events.has(EventClass::Expired);
            let pause_ms = if prompt { 1 } else { LOOK_PAUSE_MAX_MS };
            // Each key is told to every subscriber, so many of them make the budget smaller.
            let shares = if prompt { 1 + self.sessions.subscribers() } else { 1 };
            self.store.sweep(now_ms, (expiries_per_tick / shares).max(EXPIRIES_TOLD_MIN), pause_ms);
            let more = is_due(self.store.next_expiry());
            let pause_ms = if more || prompt { 0 } else { expire_interval_ms };
            self.next_key_sweep = self.now.at.plus_ms(pause_ms);
        }
        self.store.reclaim(reclaims_per_tick);
        self.tend_memory();
        self.tracking.free_some();
        self.tell_effects(None);
        self.end_late_waits();
        if self.pause.until().is_some_and(|until| until <= self.now.at) {
            self.end_pause();
        }
    }

    /// Ends the pause of commands, and asks the server to wake the clients that have waited.
    pub fn end_pause(&mut self) {
        let parked = self.pause.end();
        self.outbox.asks.extend(parked.into_iter().map(Ask::Wake));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::base::{Clock, Now};
    use crate::config::Config;
    use crate::service::Service;
    use crate::store::Expiry;

    #[test]
    fn the_longest_tick_says_when_it_has_removed_keys() {
        // Each look at the clock takes a millisecond.
        let looks = AtomicU64::new(1);
        let clock = Clock::new(move || {
            let ms = looks.fetch_add(1, Ordering::Relaxed);
            Now { at: Moment::from_nanos(ms * 1_000_000), unix_ms: ms, unix_us: ms * 1_000 }
        });
        let mut world = Service::new(1, Config::default(), clock, Vec::new()).world;
        let entry = world.store.prepare(b"k", b"v").unwrap();
        world.store.commit(entry, Expiry::At(100));
        for (unix_ms, chores) in [(99, ""), (1_000, CHORES), (2_000, "")] {
            let at = Moment::from_nanos(unix_ms * 1_000_000);
            world.begin_tick(Now { at, unix_ms, unix_us: unix_ms * 1_000 });
            world.sweep();
            assert_eq!(world.slowest.0, chores, "at {unix_ms}");
            world.end_tick();
        }
        assert_eq!(world.store.expired(), 1);
    }
}
