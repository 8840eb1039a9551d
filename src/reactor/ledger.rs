//! What the reactor keeps about all connections together: who is owed a turn or a flush, which
//! deadlines run, how much memory they hold.
//!
//! `Ledger::balance` is the end of everything that touches a connection: it takes back the buffers that
//! are not needed, accounts for the rest and queues the work that the connection's state calls for.
//! Every path through the reactor ends in it, so nothing can be forgotten.

use super::conn::{Class, Conn, Phase};
use super::pool::Pool;
use super::recency::Recency;
use crate::base::{Moment, Reason};
use crate::config::{Bounds, OutputLimit};

/// The last words of a connection that ends for a reason, in the protocol of its listener; empty if
/// nothing is said.
pub type Goodbye = fn(Reason) -> &'static [u8];

/// A connection that was condemned and lost its buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doomed {
    pub slot: u32,
    /// Bytes of replies that it was owed.
    pub undelivered: usize,
    /// Bytes of complete requests that were not answered.
    pub unserved: usize,
}

pub(super) struct Ledger {
    pub pool: Pool,
    /// By last byte in either direction: `timeout`.
    pub idle: Recency,
    /// By the first byte of a half request: `request-timeout`.
    pub request: Recency,
    /// By the last byte taken while replies were pending: `write-timeout`.
    pub stalled: Recency,
    /// By the moment when more was pushed than the soft limit allows to leave untaken for long.
    pub crowded: Recency,
    /// That limit, bytes, as of the last push.
    crowded_bytes: usize,
    /// By the start of lingering.
    pub linger: Recency,
    /// Owed a turn since before this tick.
    pub resume: Vec<u32>,
    /// Owed a turn since this tick's edges. Served before `resume`, so that one client's endless
    /// pipeline cannot make a newcomer wait.
    pub fresh: Vec<u32>,
    /// Owed a flush.
    pub dirty: Vec<u32>,
    pub doomed: Vec<Doomed>,
    /// No longer open since the service was last told so.
    pub departed: Vec<u32>,
    /// Connections that count towards `maxclients`.
    pub serving: usize,
    /// Connections that are being told that there is no room.
    pub refusals: usize,
    /// Bytes of memory held for all connections.
    pub held: usize,
    /// The part of them that is held for connections that are not to be evicted.
    pub spared: usize,
    /// From so many bytes of output on, a client is not served until it takes some.
    pub output_pause_bytes: usize,
    goodbye: Goodbye,
}

impl Ledger {
    pub fn new(bounds: &Bounds, goodbye: Goodbye) -> Ledger {
        Ledger {
            pool: Pool::new(bounds.lent_bytes, bounds.pool_spare_bytes_max),
            idle: Recency::default(),
            request: Recency::default(),
            stalled: Recency::default(),
            crowded: Recency::default(),
            crowded_bytes: 0,
            linger: Recency::default(),
            resume: Vec::new(),
            fresh: Vec::new(),
            dirty: Vec::new(),
            doomed: Vec::new(),
            departed: Vec::new(),
            serving: 0,
            refusals: 0,
            held: 0,
            spared: 0,
            output_pause_bytes: bounds.output_pause_bytes,
            goodbye,
        }
    }

    /// Brings every account up to date with the connection's state. Call it last.
    #[inline]
    pub fn balance<S>(&mut self, slot: u32, conn: &mut Conn<S>) {
        self.pool.fit(&mut conn.input);
        self.pool.fit(&mut conn.output);
        self.account(conn);
        if !conn.dirty && conn.wants_flush() {
            conn.dirty = true;
            self.dirty.push(slot);
        }
        if !conn.queued && conn.wants_turn(self.output_pause_bytes) {
            conn.queued = true;
            self.resume.push(slot);
        }
    }

    /// Counts the memory that a connection holds now.
    #[inline]
    pub fn account<S>(&mut self, conn: &mut Conn<S>) {
        let held = conn.input.capacity() + conn.output.capacity() + conn.service_bytes as usize;
        self.held = self.held - conn.held + held;
        if conn.class.spared {
            self.spared = self.spared - conn.held + held;
        }
        conn.held = held;
    }

    /// Changes how the transport treats a connection.
    #[inline]
    pub fn reclassify<S>(&mut self, slot: u32, conn: &mut Conn<S>, class: Class, now: Moment) {
        if conn.class == class {
            return;
        }
        if conn.class.spared != class.spared {
            self.spared = if class.spared { self.spared + conn.held } else { self.spared - conn.held };
        }
        conn.class = class;
        self.renew_idle(slot, conn, now);
    }

    /// More was pushed to a connection: the time that the soft limit grants may begin.
    pub fn note_crowding<S>(&mut self, slot: u32, conn: &Conn<S>, limit: OutputLimit, now: Moment) {
        self.crowded_bytes = limit.soft_bytes;
        let crowded = limit.soft_bytes > 0 && conn.output.len() > limit.soft_bytes;
        if crowded && !self.crowded.contains(slot) {
            self.crowded.touch(slot, now);
        }
    }

    /// A connection has taken some of its output.
    #[inline]
    pub fn note_taken<S>(&mut self, slot: u32, conn: &Conn<S>) {
        if conn.output.len() <= self.crowded_bytes {
            self.crowded.remove(slot);
        }
    }

    /// Parks an open connection, or wakes it.
    pub fn park<S>(&mut self, slot: u32, conn: &mut Conn<S>, parked: bool, now: Moment) {
        if conn.parked != parked {
            conn.parked = parked;
            self.renew_idle(slot, conn, now);
        }
    }

    /// Puts a connection where it belongs among those that are closed when they are silent.
    #[inline]
    pub fn renew_idle<S>(&mut self, slot: u32, conn: &Conn<S>, now: Moment) {
        if conn.may_idle_out() {
            self.idle.touch(slot, now);
        } else {
            self.idle.remove(slot);
        }
    }

    /// Serves nothing more to an open connection; it says goodbye once it has delivered what it owes.
    pub fn finish<S>(&mut self, slot: u32, conn: &mut Conn<S>, reason: Reason, now: Moment) {
        if conn.phase != Phase::Open {
            return;
        }
        conn.phase = Phase::Finishing(reason);
        conn.unserved = false;
        conn.parked = false;
        conn.missing = 0;
        conn.service_bytes = 0;
        conn.input.clear();
        // Without memory for its last words a client gets none.
        let _ = conn.output.extend(self.last_words(reason));
        self.request.remove(slot);
        self.renew_idle(slot, conn, now);
        self.departed.push(slot);
    }

    /// A newcomer for whom there is no room is told so, and was never open.
    pub fn refuse<S>(&mut self, slot: u32, conn: &mut Conn<S>) {
        conn.phase = Phase::Finishing(Reason::AtCapacity);
        self.refusals += 1;
        // Without memory for the line, the close alone has to say it.
        let _ = conn.output.extend(self.last_words(Reason::AtCapacity));
        debug_assert!(self.idle.contains(slot), "it was installed");
    }

    /// What a connection that ends for `reason` is told.
    pub fn last_words(&self, reason: Reason) -> &'static [u8] {
        (self.goodbye)(reason)
    }

    /// A finishing connection has been paid, and its write side is shut: its place is free, and it only
    /// lingers until its peer has read the end.
    pub fn linger<S>(&mut self, slot: u32, conn: &mut Conn<S>, reason: Reason, now: Moment) {
        // If it was us who would read no more: late input is to be discarded all the same.
        conn.ending = None;
        self.serving -= usize::from(std::mem::take(&mut conn.counted));
        conn.phase = Phase::Lingering(reason);
        self.idle.remove(slot);
        self.linger.touch(slot, now);
    }

    /// Frees a connection at this tick's reaping, whatever it is owed. Its buffers are free at once.
    pub fn doom<S>(&mut self, slot: u32, conn: &mut Conn<S>, reason: Reason) {
        match conn.phase {
            Phase::Doomed(_) => return,
            Phase::Finishing(Reason::AtCapacity) | Phase::Lingering(Reason::AtCapacity) => {
                self.refusals -= 1;
            }
            Phase::Open => self.departed.push(slot),
            Phase::Finishing(_) | Phase::Lingering(_) => {}
        }
        let unserved = if conn.unserved { conn.input.len() } else { 0 };
        self.doomed.push(Doomed { slot, undelivered: conn.output.len(), unserved });
        self.serving -= usize::from(std::mem::take(&mut conn.counted));
        conn.phase = Phase::Doomed(reason);
        conn.service_bytes = 0;
        self.pool.take_back(&mut conn.input);
        self.pool.take_back(&mut conn.output);
        self.account(conn);
    }

    /// Dooms a connection for the reason it is ending, or as [`Reason::Forced`] if it is not.
    pub fn doom_as_phased<S>(&mut self, slot: u32, conn: &mut Conn<S>) {
        match conn.phase {
            Phase::Finishing(reason) | Phase::Lingering(reason) => self.doom(slot, conn, reason),
            Phase::Open => self.doom(slot, conn, Reason::Forced),
            Phase::Doomed(_) => {}
        }
    }

    /// The clock of a half request that has just begun starts; that of an old one runs on.
    #[inline]
    pub fn note_request(&mut self, slot: u32, begun: bool, is_new: bool, now: Moment) {
        if !begun {
            self.request.remove(slot);
        } else if is_new || !self.request.contains(slot) {
            self.request.touch(slot, now);
        }
    }
}
