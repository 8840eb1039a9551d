//! The accounts of all connections together: which of them are owed a turn or a flush, which deadlines run, and how
//! much memory they hold.
//!
//! `Ledger::balance` ends nearly every change of a connection. It takes back buffers that are not needed, accounts for
//! the rest and queues the work that the connection's state calls for. So no path can forget one of these. A doomed
//! connection needs no balance, and an edge or a read only changes what `hear` and the following visit look at.

use super::conn::{Class, Conn, Phase};
use super::pool::Pool;
use super::recency::Recency;
use crate::base::{Moment, Reason};
use crate::config::{Bounds, OutputLimit};

/// Returns the last line for a connection that ends for a reason, in the protocol of its listener; empty if there is
/// none.
pub type Goodbye = fn(Reason) -> &'static [u8];

/// A connection that will be freed by the next `reap` and has lost its buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doomed {
    pub slot: u32,
    /// Bytes of replies that were not delivered.
    pub undelivered: usize,
    /// Bytes of complete requests that were not answered.
    pub unserved: usize,
}

pub(super) struct Ledger {
    pub pool: Pool,
    /// By the last byte in either direction: `timeout`.
    pub idle: Recency,
    /// By the first byte of a half request: `request-timeout`.
    pub request: Recency,
    /// By the last byte taken while replies were pending: `write-timeout`.
    pub stalled: Recency,
    /// By the moment when the output of a subscriber grew beyond the soft limit.
    pub crowded: Recency,
    /// The soft limit as of the last push, bytes.
    crowded_bytes: usize,
    /// By the start of lingering.
    pub linger: Recency,
    /// Connections that have been owed a turn since an earlier tick.
    pub resume: Vec<u32>,
    /// Connections that are owed a turn since this tick's edges. They are served before `resume`, so one client's
    /// endless pipeline cannot make others wait.
    pub fresh: Vec<u32>,
    /// Connections that are owed a flush.
    pub dirty: Vec<u32>,
    pub doomed: Vec<Doomed>,
    /// Connections that have ceased to be open and that the service has not been told of.
    pub departed: Vec<u32>,
    /// Connections that count towards `maxclients`.
    pub serving: usize,
    /// Connections that are being told that there is no room.
    pub refusals: usize,
    /// Bytes of memory held for all connections.
    pub held: usize,
    /// The part of `held` that belongs to connections that are not evicted.
    pub spared: usize,
    /// A client with this many bytes of output is not served until it takes some.
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

    /// Brings every account up to date with the connection's state. To be called after the last change.
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

    /// More was pushed to a connection. If its output exceeds the soft limit now, the time of that limit begins.
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

    /// Renews the idle deadline of a connection, or takes it off the idle list if it may be silent.
    #[inline]
    pub fn renew_idle<S>(&mut self, slot: u32, conn: &Conn<S>, now: Moment) {
        if conn.may_idle_out() {
            self.idle.touch(slot, now);
        } else {
            self.idle.remove(slot);
        }
    }

    /// Ends the service of an open connection. Its output is still delivered, and behind it the last line for `reason`.
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
        // If there is no memory for the last line, the client does not get it.
        let _ = conn.output.extend(self.last_words(reason));
        self.request.remove(slot);
        self.renew_idle(slot, conn, now);
        self.departed.push(slot);
    }

    /// Tells a newcomer that there is no room. It never was open.
    pub fn refuse<S>(&mut self, slot: u32, conn: &mut Conn<S>) {
        conn.phase = Phase::Finishing(Reason::AtCapacity);
        self.refusals += 1;
        // If there is no memory for the line, the client only sees the close.
        let _ = conn.output.extend(self.last_words(Reason::AtCapacity));
        debug_assert!(self.idle.contains(slot), "it was installed");
    }

    /// The last line for a connection that ends for `reason`.
    pub fn last_words(&self, reason: Reason) -> &'static [u8] {
        (self.goodbye)(reason)
    }

    /// A finishing connection has no output left, and its write side is shut. Another client may have its place. It
    /// lingers until the peer has closed, or for a time.
    pub fn linger<S>(&mut self, slot: u32, conn: &mut Conn<S>, reason: Reason, now: Moment) {
        // Even if the server had stopped reading, late input must be discarded now.
        conn.ending = None;
        self.serving -= usize::from(std::mem::take(&mut conn.counted));
        conn.phase = Phase::Lingering(reason);
        self.idle.remove(slot);
        self.linger.touch(slot, now);
    }

    /// Condemns a connection to be freed by the next `reap`, without delivery. Its buffers are free at once.
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

    /// Dooms a connection for the reason it is ending for, or as [`Reason::Forced`] if it is still open.
    pub fn doom_as_phased<S>(&mut self, slot: u32, conn: &mut Conn<S>) {
        match conn.phase {
            Phase::Finishing(reason) | Phase::Lingering(reason) => self.doom(slot, conn, reason),
            Phase::Open => self.doom(slot, conn, Reason::Forced),
            Phase::Doomed(_) => {}
        }
    }

    /// Starts the clock of a half request that is new. The clock of an older one runs on.
    #[inline]
    pub fn note_request(&mut self, slot: u32, begun: bool, is_new: bool, now: Moment) {
        if !begun {
            self.request.remove(slot);
        } else if is_new || !self.request.contains(slot) {
            self.request.touch(slot, now);
        }
    }
}
