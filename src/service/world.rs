//! What commands act on: the keyspace, the clients' sessions, the settings, the counters, the time.
//!
//! A command can use all of this, but it cannot touch a connection, not even its own. A command that runs
//! inside another one, as those of a transaction do, sees the same world.

use super::channels::Channels;
use super::events::KEYMISS;
use super::functions::Functions;
use super::latency::Latency;
use super::memory::Memory;
use super::monitors::Monitors;
use super::outbox::Outbox;
use super::pause::Pause;
use super::rates::Rates;
use super::running::Running;
use super::scripts::Scripts;
use super::session::Sessions;
use super::slowlog::SlowLog;
use super::tracking::Tracking;
use super::transaction::{Transaction, Watches};
use super::waiting::Waiting;
use crate::base::{Address, Clock, ConnId, Moment, Now};
use crate::config::{Config, Sources, TIMED_ALL_BELOW_US, TIMED_EVERY};
use crate::stats::{Stats, WorstTick};
use crate::store::{Map, Members, Store, WrongKind};

/// Everything that outlives a command. All commands share it.
pub struct World {
    /// The keyspace.
    pub store: Store,
    /// What the service remembers of each client.
    pub sessions: Sessions,
    /// What commands have asked the server to do, and it has not done yet.
    pub outbox: Outbox,
    /// Which clients have subscribed to which channels and patterns.
    pub channels: Channels,
    /// Whether `CLIENT PAUSE` holds commands, and which clients wait.
    pub pause: Pause,
    /// The clients that wait for keys.
    pub waiting: Waiting,
    /// True if a client has begun to wait, or if keys for which clients wait have changed. The turn tests this alone.
    pub(super) stirred: bool,
    /// True if a client tracks keys or monitors, or if the policy of eviction asks for uses. Commands test this alone.
    pub(super) observed: bool,
    /// The scripts that the server knows.
    pub scripts: Scripts,
    /// The libraries of functions that the server knows.
    pub functions: Functions,
    /// The script or the function that runs. Nobody hears of what it does before it has ended.
    pub(super) script: Option<Running>,
    /// The clients that see every command.
    pub monitors: Monitors,
    /// How much happens in a second.
    pub rates: Rates,
    /// When the tick began.
    tick_began: Moment,
    /// The slowest command that was timed in this tick, and how long it took in microseconds.
    pub(super) slowest: (&'static str, u64),
    /// The commands that took longest lately.
    pub slowlog: SlowLog,
    /// How long commands take.
    pub latency: Latency,
    /// Which clients keep copies of which keys (`CLIENT TRACKING`).
    pub tracking: Tracking,
    /// How often clients were told to move.
    pub moves_told: u64,
    /// The keys that clients watch with `WATCH`.
    pub(super) watches: Watches,
    /// The memory that the rooms do not count, and how eviction stands.
    pub memory: Memory,
    /// The settings.
    pub config: Config,
    /// Where they come from.
    pub sources: Sources,
    /// The counters.
    pub stats: Stats,
    /// When the server started.
    pub started: Now,
    /// Both clocks, as they were last read: when the tick began, or later, for example because a command
    /// needed the exact time.
    pub now: Now,
    /// Number of the command before which the clocks were last read, if that was in the turn that goes on.
    pub(super) read_before: Option<u64>,
    /// How many times `CONFIG SET` has changed the settings. If this number changes during a turn, the turn
    /// reads the limits again.
    pub settings_changed: u64,
    /// The time of a call is taken if its number has none of these bits: of one call in many, or of every call if an
    /// operator wants to know of short ones too.
    pub(super) untimed_mask: u64,
    /// False if `DEBUG SET-ACTIVE-EXPIRE` has stopped the sweep: then an expired key stays until a command finds it.
    pub active_expire: bool,
    /// The sweep looks for expired keys no sooner than this.
    pub(super) next_key_sweep: Moment,
    clock: Clock,
}

impl World {
    /// A world with an empty keyspace. `seed` seeds the hash of the keyspace. `listeners` are the addresses
    /// that the server listens on; `CLIENT LIST` shows them.
    pub fn new(seed: u64, config: Config, clock: Clock, listeners: Vec<Address>) -> World {
        let now = clock.now();
        let mut world = World {
            store: Store::new(seed),
            sessions: Sessions::new(listeners),
            outbox: Outbox::default(),
            channels: Channels::default(),
            pause: Pause::default(),
            waiting: Waiting::default(),
            stirred: false,
            observed: false,
            scripts: Scripts::default(),
            functions: Functions::default(),
            script: None,
            monitors: Monitors::default(),
            rates: Rates::default(),
            tick_began: now.at,
            slowest: ("", 0),
            slowlog: SlowLog::default(),
            latency: Latency::default(),
            tracking: Tracking::default(),
            moves_told: 0,
            watches: Watches::default(),
            memory: Memory::default(),
            config,
            sources: Sources::default(),
            stats: Stats::default(),
            started: now,
            now,
            read_before: None,
            settings_changed: 0,
            untimed_mask: TIMED_EVERY - 1,
            active_expire: true,
            next_key_sweep: Moment::default(),
            clock,
        };
        world.heed_settings();
        world
    }

    /// The settings have changed, or the server starts.
    pub fn heed_settings(&mut self) {
        self.heed_events();
        self.heed_policy();
        let slowlog_us = self.config.slowlog_log_slower_than;
        let all = self.config.latency_tracking || (0..TIMED_ALL_BELOW_US).contains(&slowlog_us);
        self.untimed_mask = if all { 0 } else { TIMED_EVERY - 1 };
    }

    /// The string of `key`, counted as a hit or a miss.
    ///
    /// # Errors
    /// If the key holds something else.
    pub fn lookup(&mut self, key: &[u8]) -> Result<Option<&[u8]>, WrongKind> {
        self.tell_miss(key);
        let found = self.store.get(key, self.now.unix_ms);
        match found {
            Ok(None) => self.stats.keyspace_misses += 1,
            Ok(Some(_)) | Err(WrongKind) => self.stats.keyspace_hits += 1,
        }
        found
    }

    /// The hash of `key`, counted as a hit or a miss.
    ///
    /// # Errors
    /// If the key holds something else.
    #[inline]
    pub fn lookup_map(&mut self, key: &[u8]) -> Result<Option<Map<'_>>, WrongKind> {
        self.tell_miss(key);
        let found = self.store.map(key, self.now.unix_ms);
        match found {
            Ok(None) => self.stats.keyspace_misses += 1,
            Ok(Some(_)) | Err(WrongKind) => self.stats.keyspace_hits += 1,
        }
        found
    }

    /// The set of `key`, counted as a hit or a miss.
    ///
    /// # Errors
    /// If the key holds something else.
    #[inline]
    pub fn lookup_set(&mut self, key: &[u8]) -> Result<Option<Members<'_>>, WrongKind> {
        self.tell_miss(key);
        let found = self.store.members(key, self.now.unix_ms);
        match found {
            Ok(None) => self.stats.keyspace_misses += 1,
            Ok(Some(_)) | Err(WrongKind) => self.stats.keyspace_hits += 1,
        }
        found
    }

    /// Counts `key`, which a command has looked up, as a hit or a miss.
    pub fn count_lookup(&mut self, found: bool, key: &[u8]) {
        match found {
            true => self.stats.keyspace_hits += 1,
            false => {
                self.stats.keyspace_misses += 1;
                self.store.tell(KEYMISS, key);
            }
        }
    }

    /// Tells of a miss if a command is going to look for `key` and it is not there.
    #[inline]
    pub fn tell_miss(&mut self, key: &[u8]) {
        if self.store.wants_events() {
            self.tell_if_missing(key);
        }
    }

    /// Removes `key` if it has expired.
    #[cold]
    pub(super) fn drop_expired(&mut self, key: &[u8]) {
        self.store.contains(key, self.now.unix_ms);
    }

    #[cold]
    fn tell_if_missing(&mut self, key: &[u8]) {
        if !self.store.contains(key, self.now.unix_ms) {
            self.store.tell(KEYMISS, key);
        }
    }

    /// Lets a client watch `key` until its next `EXEC`, `DISCARD`, `UNWATCH` or `RESET`.
    pub fn watch(&mut self, id: ConnId, key: &[u8]) {
        let existed = self.store.contains(key, self.now.unix_ms);
        let Some(session) = self.sessions.get_mut(id.slot) else { return };
        self.watches.watch(id, &mut session.extras().watching, key, existed, &mut self.store);
    }

    /// True if a key that the client watches has changed or has expired.
    pub fn has_watched_change(&mut self, id: ConnId) -> bool {
        let World { sessions, store, now, .. } = self;
        let Some(session) = sessions.get_mut(id.slot) else { return false };
        session.extras().watching.has_changed(|db, key| store.contains_in(db, key, now.unix_ms))
    }

    /// Ends all watches of a client.
    pub fn unwatch(&mut self, id: ConnId) {
        let Some(session) = self.sessions.get_mut(id.slot).filter(|session| session.has_extras()) else {
            return;
        };
        let watching = std::mem::take(&mut session.extras().watching);
        session.drop_empty_extras();
        self.watches.unwatch(id, watching, &mut self.store);
    }

    /// Ends a client's transaction and its watches. Returns the transaction, if there was one.
    pub fn end_transaction(&mut self, id: ConnId) -> Option<Transaction> {
        let session = self.sessions.get_mut(id.slot).filter(|session| session.has_extras());
        let transaction = session.and_then(|session| session.extras().transaction.take());
        self.unwatch(id);
        transaction
    }

    /// A client's connection is ending. Forgets everything about the client but its session, which the log
    /// still needs.
    pub fn leave(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        session.leaving = true;
        session.partial = None;
        let id = ConnId { slot, serial: session.serial };
        let monitors = session.monitor;
        self.pause.forget(id);
        if session.has_extras() {
            self.forget_dealings(id);
        }
        if monitors {
            self.monitor(id, false);
        }
    }

    /// Ends a client's transaction, watches, tracking and subscriptions.
    pub fn forget_dealings(&mut self, id: ConnId) {
        self.end_transaction(id);
        self.forget_wait(id);
        self.untrack(id);
        if let Some(session) = self.sessions.get_mut(id.slot).filter(|session| session.has_extras()) {
            self.channels.unsubscribe_all(id, &mut session.extras().subscriptions);
            session.drop_empty_extras();
        }
    }

    /// A tick begins at this time.
    pub fn begin_tick(&mut self, now: Now) {
        self.now = now;
        self.tick_began = now.at;
        self.stats.ticks += 1;
    }

    /// The work of a tick is done. Remembers the tick if none took longer.
    pub fn end_tick(&mut self) {
        let (now, began) = (self.read_clock(), self.tick_began);
        self.rates.look(now.at, &self.stats);
        let us = now.at.since(began).as_micros() as u64;
        let (command, command_us) = std::mem::take(&mut self.slowest);
        // Before the first tick there was only the start.
        if us > self.stats.worst_tick.us && self.stats.ticks > 0 {
            self.stats.worst_tick = WorstTick { us, command, command_us };
        }
    }

    /// Reads the clock into `now`.
    pub fn refresh(&mut self) {
        self.now = self.clock.now();
        self.read_before = Some(self.stats.commands);
    }

    /// How many commands of this turn have run since `now` was read. A large number if it was not read in this turn.
    pub(super) fn clock_age(&self) -> u64 {
        self.read_before.and_then(|number| self.stats.commands.checked_sub(number)).unwrap_or(u64::MAX)
    }

    /// Reads the clock and leaves `now` as it is.
    pub fn read_clock(&self) -> Now {
        self.clock.now()
    }
}
