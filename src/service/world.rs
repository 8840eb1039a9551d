//! What commands act on: the keyspace, the clients' sessions, the settings, the counters, the time.
//!
//! A command sees all of it and nothing of the connection it came by; a command inside a command, such as
//! those of a transaction, sees the very same.

use super::channels::Channels;
use super::outbox::{Ask, Outbox};
use super::pause::Pause;
use super::session::{Session, Sessions};
use super::transaction::{Transaction, Watches, Watching};
use crate::base::{Clock, ConnId, Moment, Now, OutOfMemory, Peer};
use crate::config::Config;
use crate::stats::Stats;
use crate::store::Store;

/// Everything that outlives a command.
pub struct World {
    /// The keyspace.
    pub store: Store,
    /// What is remembered of each client.
    pub sessions: Sessions,
    /// What commands asked of the server and it has not yet done.
    pub outbox: Outbox,
    /// Which clients listen to which channels.
    pub channels: Channels,
    /// Whether commands are held, and whose.
    pub pause: Pause,
    /// The keys that clients watch.
    watches: Watches,
    /// The settings.
    pub config: Config,
    /// The counters.
    pub stats: Stats,
    /// When the server started.
    pub started: Now,
    /// Both clocks, as of the start of the tick or as of the last time that somebody looked since.
    pub now: Now,
    /// Counts changes of the settings: limits that were read before are to be read again.
    pub settings_changed: u64,
    clock: Clock,
}

impl World {
    /// A world with an empty keyspace whose hash is seeded with `seed`. `listeners` are the addresses it
    /// is reached at, for `CLIENT LIST`.
    pub fn new(seed: u64, config: Config, clock: Clock, listeners: Vec<Peer>) -> World {
        let now = clock.now();
        World {
            store: Store::new(seed),
            sessions: Sessions::new(listeners),
            outbox: Outbox::default(),
            channels: Channels::default(),
            pause: Pause::default(),
            watches: Watches::default(),
            config,
            stats: Stats::default(),
            started: now,
            now,
            settings_changed: 0,
            clock,
        }
    }

    /// Lets a client watch `key` until its next `EXEC`, `DISCARD` or `UNWATCH`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if clients have used up what they may.
    pub fn watch(&mut self, id: ConnId, key: &[u8]) -> Result<(), OutOfMemory> {
        let existed = self.store.contains(key, self.now.unix_ms);
        // The look-up may have removed a key whose time was over. That was before the client watched it.
        self.tell_effects();
        let Some(session) = self.sessions.get_mut(id.slot) else { return Ok(()) };
        self.watches.watch(id, &mut session.extras().watching, key, existed, &mut self.store)
    }

    /// A client watches nothing any more. True if a key that it watched has changed.
    pub fn unwatch(&mut self, id: ConnId) -> bool {
        let Some(session) = self.sessions.get_mut(id.slot).filter(|session| session.has_extras()) else {
            return false;
        };
        let watching = std::mem::take(&mut session.extras().watching);
        session.drop_empty_extras();
        let touched = watching.touched;
        self.watches.unwatch(id, watching, &mut self.store);
        touched
    }

    /// Removes those of a client's watched keys whose time is over, so that they count as changed.
    pub fn expire_watched(&mut self, id: ConnId) {
        let World { sessions, store, now, .. } = self;
        let watching = sessions.get(id.slot).and_then(Session::watching);
        for key in watching.into_iter().flat_map(Watching::keys) {
            store.contains(key, now.unix_ms);
        }
        self.tell_effects();
    }

    /// Ends a client's transaction; its keys are no longer watched. Returns what it had queued, and
    /// whether a key that it watched has changed.
    pub fn end_transaction(&mut self, id: ConnId) -> (Option<Transaction>, bool) {
        let session = self.sessions.get_mut(id.slot).filter(|session| session.has_extras());
        let transaction = session.and_then(|session| session.extras().transaction.take());
        (transaction, self.unwatch(id))
    }

    /// A client is one no more: nothing of it stays but its session, for the log.
    pub fn leave(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        session.leaving = true;
        session.partial = None;
        self.pause.forget(ConnId { slot, serial: session.serial });
        let id = ConnId { slot, serial: session.serial };
        if session.has_extras() {
            self.forget_dealings(id);
        }
    }

    /// Ends a client's transaction, watches and subscriptions.
    pub fn forget_dealings(&mut self, id: ConnId) {
        self.end_transaction(id);
        if let Some(session) = self.sessions.get_mut(id.slot).filter(|session| session.has_extras()) {
            self.channels.unsubscribe_all(id, &mut session.extras().subscriptions);
            session.drop_empty_extras();
        }
    }

    /// When time alone next gives this room something to do, keys apart.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.pause.until()
    }

    /// Ends the pause of commands if its time has come.
    pub fn sweep_pause(&mut self) {
        if self.pause.until().is_some_and(|until| until <= self.now.at) {
            self.end_pause();
        }
    }

    /// Ends the pause of commands: those that have waited go on.
    pub fn end_pause(&mut self) {
        let parked = self.pause.end();
        self.outbox.asks.extend(parked.into_iter().map(Ask::Wake));
    }

    /// Tells those who listen what has happened to keys. After each command, and after a sweep.
    #[inline]
    pub fn tell_effects(&mut self) {
        if self.store.has_effects() {
            self.touch_watchers();
        }
    }

    #[cold]
    fn touch_watchers(&mut self) {
        for id in self.watches.touched(&self.store) {
            if let Some(session) = self.sessions.get_mut(id.slot) {
                session.extras().watching.touched = true;
            }
        }
        self.store.forget_effects();
    }

    /// Looks at the clock: from here on it is as late as it is.
    pub fn refresh(&mut self) {
        self.now = self.clock.now();
    }

    /// What the clock says, whatever `now` goes on to say.
    pub fn read_clock(&self) -> Now {
        self.clock.now()
    }
}
