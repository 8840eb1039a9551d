//! Keeps the memory below `maxmemory`: evicts keys, or refuses the commands that would need more.

use super::command::{Command, Multi};
use super::cx::Failure;
use super::world::World;
use crate::base::{ConnId, Moment, outliving_bytes};
use crate::config::{
    EVICTED_BYTES_MIN, EVICTION_DELAYED_BYTES, EVICTIONS_PER_COMMAND, EVICTIONS_PER_TICK, EVICTIONS_WHEN_FAR,
    EXCESS_PART_MAX, EvictionPolicy, MaxMemory, Part, RESIDENT_LOOK_PAUSE_MS, WASTE_PART_MAX,
};
use crate::resp::Args;
use crate::script::{engine_memory, functions_memory};
use crate::store::{First, Policy};

/// The memory that the rooms do not count themselves, and how eviction stands.
#[derive(Debug, Default)]
pub struct Memory {
    /// Bytes that are resident and that no room counts: the program itself, and what the allocator cannot use.
    waste: usize,
    /// When `waste` is measured next.
    next_look: Moment,
    /// The most that was used at the end of a tick.
    pub peak: usize,
    /// True if the last eviction found no key that may be evicted.
    stuck: bool,
    /// Number of keys that were evicted in this tick.
    evicted: usize,
    /// Bytes above the limit that earlier ticks have left. The budget of a tick pays them off, not the commands.
    owed: usize,
}

impl World {
    /// Bytes of memory that are used: keys and their indexes, buffers and sessions of clients, what is remembered for
    /// clients, removed values that clients still read, and scripts and functions with their interpreters. With `maxmemory`, also what the allocator wastes, as far as that can be known.
    pub fn used_memory(&self) -> usize {
        let scripts = self.scripts.memory() + self.functions.memory() + engine_memory() + functions_memory();
        let present = &self.stats.present;
        let clients = present.held_bytes - present.shared_bytes;
        self.dataset_memory() + outliving_bytes() + clients + scripts + self.memory.waste
    }

    /// Bytes of memory that keys take, and what the server remembers of them.
    pub fn dataset_memory(&self) -> usize {
        self.store.memory() + self.tracking.memory()
    }

    /// The settings have changed, or the server starts: tells the store how to evict.
    pub(super) fn heed_policy(&mut self) {
        let policy = |expiring_only, first| Some(Policy { expiring_only, first });
        let policy = match self.config.maxmemory_policy {
            _ if self.config.maxmemory.bytes == 0 => None,
            EvictionPolicy::NoEviction => None,
            EvictionPolicy::AllkeysLru => policy(false, First::LeastRecent),
            EvictionPolicy::AllkeysLfu => policy(false, First::LeastFrequent),
            EvictionPolicy::AllkeysRandom => policy(false, First::Random),
            EvictionPolicy::VolatileLru => policy(true, First::LeastRecent),
            EvictionPolicy::VolatileLfu => policy(true, First::LeastFrequent),
            EvictionPolicy::VolatileRandom => policy(true, First::Random),
            EvictionPolicy::VolatileTtl => policy(true, First::SoonestExpiry),
        };
        self.store.set_policy(policy);
        self.note_observers();
        self.memory.stuck = false;
        if self.config.maxmemory.bytes == 0 {
            self.memory.waste = 0;
        }
    }

    /// Logs how `maxmemory` was found, if it is a part of the memory that there is.
    pub fn log_maxmemory(&self) {
        let MaxMemory { bytes, part } = self.config.maxmemory;
        if let Some(Part { percent, whole, source }) = part {
            log::info!(
                "maxmemory is {bytes} bytes: {percent} % of the {whole} bytes that the {source} allows"
            );
        }
    }

    /// A command of a client has run: its keys were used. As in Redis, commands that only ask about a key do not count, nor
    /// do those of a client that has said `CLIENT NO-TOUCH ON`.
    pub(super) fn note_uses(&mut self, by: ConnId, command: &Command, args: Args<'_>) {
        let asks = matches!(
            command.name,
            "exists" | "type" | "ttl" | "pttl" | "expiretime" | "pexpiretime" | "memory|usage"
        );
        let untouched = self.sessions.get(by.slot).is_some_and(|session| session.no_touch);
        if asks || command.name.starts_with("object|") || untouched && command.name != "touch" {
            return;
        }
        command.keys.of(args).for_each(|key| self.store.note_use(key));
    }

    /// True if there must be room for a command: it adds to what keys hold, it is queued, or it runs queued commands that do.
    pub fn needs_room(&self, id: ConnId, command: &Command) -> bool {
        let queued = || self.sessions.get(id.slot).and_then(|session| session.transaction());
        // As in Redis, nothing at all is queued while there is no room.
        command.grows
            || queued().is_some_and(|queued| match command.name {
                "exec" => queued.grows,
                _ => command.multi == Multi::Queued,
            })
    }

    /// Evicts keys until the memory is below `maxmemory`, within a budget. The next commands and ticks go on with it.
    ///
    /// # Errors
    /// If the memory is used up and there is no key to evict.
    #[cold]
    pub fn make_room(&mut self, by: ConnId, args: Args<'_>) -> Result<(), Failure> {
        self.memory.stuck = false;
        let most = self.config.maxmemory.bytes / EXCESS_PART_MAX;
        // What was removed does not count, because it is freed soon. But commands may remove more than ticks free.
        while self.store.has_leftovers() && self.store.waiting_bytes() > most {
            self.store.reclaim(1);
        }
        self.evict(EVICTIONS_PER_TICK.saturating_sub(self.memory.evicted), 0);
        self.memory.owed = self.memory.owed.min(self.excess());
        // What this tick has added is given back at once, and there is room for what the command itself may add.
        let own = args.held_in();
        let excess = (self.memory.owed + EVICTION_DELAYED_BYTES).saturating_sub(own);
        self.evict(EVICTIONS_PER_COMMAND + own / EVICTED_BYTES_MIN, excess);
        // Some commands add much more than their requests say, such as `SETRANGE` far behind the end.
        self.evict(EVICTIONS_WHEN_FAR, most);
        self.tell_effects(Some(by));
        if self.memory.stuck {
            return Err(Failure::text("OOM command not allowed when used memory > 'maxmemory'."));
        }
        Ok(())
    }

    /// A request runs again that has waited: makes room for it, if there must be room.
    ///
    /// # Errors
    /// As [`World::make_room`]. The error is counted.
    pub(super) fn room_again(
        &mut self,
        me: ConnId,
        command: &Command,
        args: Args<'_>,
    ) -> Result<(), Failure> {
        if self.config.maxmemory.bytes == 0 || !self.needs_room(me, command) {
            return Ok(());
        }
        self.make_room(me, args).inspect_err(|failure| {
            self.stats.per_command[command.id].rejected += 1;
            self.stats.count_error(&failure.0);
        })
    }

    /// Notes the most memory that was used, measures what is wasted, and goes on with evicting. It runs once a tick.
    pub(super) fn tend_memory(&mut self) {
        self.memory.peak = self.memory.peak.max(self.used_memory());
        if self.config.maxmemory.bytes == 0 {
            return;
        }
        if self.now.at >= self.memory.next_look {
            self.memory.next_look = self.now.at.plus_ms(RESIDENT_LOOK_PAUSE_MS);
            // What the rooms count changes more often than what is resident. So the difference may be too large for a
            // while, and a bound keeps it from evicting all keys.
            let counted = self.used_memory() - self.memory.waste;
            let waste = resident_bytes().map_or(0, |bytes| bytes.saturating_sub(counted));
            self.memory.waste = waste.min(self.config.maxmemory.bytes / WASTE_PART_MAX);
        }
        self.store.fit_uses();
        if !self.memory.stuck {
            self.evict(EVICTIONS_PER_TICK.saturating_sub(self.memory.evicted), 0);
        }
        self.memory.evicted = 0;
        self.memory.owed = self.excess();
    }

    /// True if keys wait to be evicted.
    pub(super) fn must_evict(&self) -> bool {
        self.config.maxmemory.bytes > 0 && !self.memory.stuck && self.excess() > 0
    }

    /// Bytes above the limit, without those that were removed and wait to be freed.
    fn excess(&self) -> usize {
        let used = self.used_memory() - self.store.waiting_bytes();
        used.saturating_sub(self.config.maxmemory.bytes)
    }

    /// Evicts at most `budget` keys, until no more than `excess` bytes are above the limit.
    fn evict(&mut self, budget: usize, excess: usize) {
        let here = self.store.selected();
        for _ in 0..budget {
            if self.excess() <= excess {
                break;
            }
            if !self.store.evict() {
                self.memory.stuck = true;
                break;
            }
            self.memory.evicted += 1;
        }
        self.store.select(here);
    }
}

/// Bytes of memory that the process has resident. Only Linux tells this without unsafe code.
pub fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok().map(|kib| kib * 1_024)
}
