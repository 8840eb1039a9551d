//! The accounts of all connections together: which connections are owed a turn or a flush, which deadlines run, and
//! how much memory they hold.
//!
//! Nearly every change of a connection ends with a call of `Ledger::balance`. It takes back buffers that are not
//! needed, accounts for the rest, and queues the work that the connection's state calls for. So no path can forget one
//! of these steps. Two kinds of change need no balance: `doom` does its own accounts, and after an edge or a read,
//! `hear` or the following visit queues the work.

use super::conn::{Class, Conn, Phase};
use super::pool::Pool;
use super::recency::Recency;
use crate::base::{Moment, Reason};
use crate::config::{Bounds, OutputLimit};

/// A function that returns the last line for a connection that ends for a reason, in the client's protocol. The line is
/// empty if the client gets none.
pub type Goodbye = fn(Reason) -> &'static [u8];

/// A connection that the next `reap` frees. Its buffers have been taken back already, so this remembers what was lost
/// with them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doomed {
    pub slot: u32,
    /// Bytes of output that were not delivered.
    pub undelivered: usize,
    /// Bytes of input that may hold complete requests and were not answered.
    pub unserved: usize,
}

/// The accounts of all connections together.
pub(super) struct Ledger {
    pub pool: Pool,
    /// Connections by the last byte in either direction, for `timeout`.
    pub idle: Recency,
    /// Connections by the start of their half request, for `request-timeout`.
    pub request: Recency,
    /// Connections with pending output by the last bytes that their clients took, for `write-timeout`.
    pub stalled: Recency,
    /// Connections by the moment when their output grew beyond the soft limit, for the time of that limit.
    pub crowded: Recency,
    /// The soft limit as of the last push, bytes.
    crowded_bytes: usize,
    /// Connections by the start of lingering, for `linger_ms`.
    pub linger: Recency,
    /// Slots of connections that are owed a turn because work was left over.
    pub resume: Vec<u32>,
    /// Slots of connections that are owed a turn because of this tick's edges. They are served before `resume`, so one
    /// client's endless pipeline cannot make others wait.
    pub fresh: Vec<u32>,
    /// Slots of connections that are owed a flush.
    pub dirty: Vec<u32>,
    /// Connections that the next `reap` frees.
    pub doomed: Vec<Doomed>,
    /// Slots of connections that have ceased to be open. The service has not been told of them yet.
    pub departed: Vec<u32>,
    /// Number of connections that count towards `maxclients`.
    pub serving: usize,
    /// Number of refused connections that still have a slot, because their clients are being told why.
    pub refusals: usize,
    /// Bytes of memory held for all connections.
    pub held: usize,
    /// The part of `held` that is memory shared with the service.
    pub shared: usize,
    /// The part of `held` that belongs to clients that are never evicted.
    pub spared: usize,
    /// A client with this many bytes of untaken output is not served until it takes some.
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
            shared: 0,
            spared: 0,
            output_pause_bytes: bounds.output_pause_bytes,
            goodbye,
        }
    }

    /// Brings every account up to date with the connection's state. Call it after the last change.
    #[inline]
    pub fn balance<S>(&mut self, slot: u32, conn: &mut Conn<S>) {
        self.pool.fit(&mut conn.input, conn.missing as usize);
        self.pool.fit(conn.output.own_mut(), 0);
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
        let shared = conn.output.shared_bytes();
        let held = conn.input.capacity() + conn.output.capacity() + shared + conn.service_bytes as usize;
        self.held = self.held - conn.held + held;
        self.shared -= conn.shared as usize;
        conn.shared = u32::try_from(shared).unwrap_or(u32::MAX);
        self.shared += conn.shared as usize;
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

    /// Notes that more was pushed to a connection. If its output exceeds the soft limit now, the time of that limit
    /// begins.
    pub fn note_crowding<S>(&mut self, slot: u32, conn: &Conn<S>, limit: OutputLimit, now: Moment) {
        self.crowded_bytes = limit.soft_bytes;
        let crowded = limit.soft_bytes > 0 && conn.output.len() > limit.soft_bytes;
        if crowded && !self.crowded.contains(slot) {
            self.crowded.touch(slot, now);
        }
    }

    /// Notes that a client has taken some of its output. If the rest does not exceed the soft limit, the time of that
    /// limit stops.
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

    /// Renews the idle deadline of a connection. If the connection may be silent for ever, takes it off the idle list.
    #[inline]
    pub fn renew_idle<S>(&mut self, slot: u32, conn: &Conn<S>, now: Moment) {
        if conn.may_idle_out() {
            self.idle.touch(slot, now);
        } else {
            self.idle.remove(slot);
        }
    }

    /// Ends the service of an open connection. Its output is still delivered, and after it the last line for `reason`.
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

    /// Tells a newcomer that there is no room. It ends without having been served.
    pub fn refuse<S>(&mut self, slot: u32, conn: &mut Conn<S>) {
        conn.phase = Phase::Finishing(Reason::AtCapacity);
        self.refusals += 1;
        // If there is no memory for the line, the client only sees the close.
        let _ = conn.output.extend(self.last_words(Reason::AtCapacity));
        debug_assert!(self.idle.contains(slot), "a newcomer is on the idle list");
    }

    /// The last line for a connection that ends for `reason`.
    pub fn last_words(&self, reason: Reason) -> &'static [u8] {
        (self.goodbye)(reason)
    }

    /// Makes a finishing connection linger. It has no output left, and its write side is shut. It lingers until the
    /// peer has closed, or for `linger_ms`. From now on another client may have its place.
    pub fn linger<S>(&mut self, slot: u32, conn: &mut Conn<S>, reason: Reason, now: Moment) {
        // Late input must be discarded now, even if the server had stopped reading.
        conn.ending = None;
        self.serving -= usize::from(std::mem::take(&mut conn.counted));
        conn.phase = Phase::Lingering(reason);
        self.idle.remove(slot);
        self.linger.touch(slot, now);
    }

    /// Condemns a connection, and its output is not delivered. Takes its buffers back at once. The next `reap` frees
    /// the slot.
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
        let mut output = std::mem::take(&mut conn.output);
        self.pool.take_back(output.own_mut());
        self.account(conn);
    }

    /// Dooms a connection. The reason is the one for which it is ending already, or [`Reason::Forced`] if it is open.
    pub fn doom_as_phased<S>(&mut self, slot: u32, conn: &mut Conn<S>) {
        match conn.phase {
            Phase::Finishing(reason) | Phase::Lingering(reason) => self.doom(slot, conn, reason),
            Phase::Open => self.doom(slot, conn, Reason::Forced),
            Phase::Doomed(_) => {}
        }
    }

    /// Starts the clock of a half request if that request is new. The clock of an older half request keeps running. If
    /// no request has begun, no clock runs.
    #[inline]
    pub fn note_request(&mut self, slot: u32, begun: bool, is_new: bool, now: Moment) {
        if !begun {
            self.request.remove(slot);
        } else if is_new || !self.request.contains(slot) {
            self.request.touch(slot, now);
        }
    }
}
