//! One visit to a connection. The reactor lends the connection's buffers to the caller. The caller serves the client
//! and returns a verdict. The reactor then does everything that follows from the verdict, so the caller cannot forget
//! a step.

use std::io::ErrorKind;

use super::Reactor;
use super::conn::{Class, Conn, Phase};
use super::input::Input;
use super::ledger::Ledger;
use super::net::Net;
use crate::base::{ConnId, Moment, OutOfMemory, Output, Reason, Shared};
use crate::config::OutputLimit;

/// The things that a visit lends to its caller.
pub struct Lent<'a, N: Net> {
    /// The connection whose turn it is.
    pub id: ConnId,
    /// Its input that has been received and not yet served.
    pub input: &'a [u8],
    /// The memory in which that input lies, if it may be kept instead of being copied.
    pub memory: Option<&'a Shared>,
    /// Its output that has not yet been delivered. The caller appends new replies.
    pub output: &'a mut Output,
    /// All connections. While the buffers of this one are lent, they look empty there. The caller may serve others, but it must
    /// not visit this one again, and not reap.
    pub others: &'a mut Reactor<N>,
}

/// The outcome of a visit.
#[derive(Debug)]
pub struct Verdict {
    /// Bytes at the front of the input that have been served.
    pub consumed: usize,
    /// What happens to the connection next.
    pub next: Next,
    /// Bytes of memory that the service holds for the client.
    pub held: usize,
    /// How the transport treats the client from now on.
    pub class: Class,
    /// The memory of a value whose place was taken by one that has kept the memory of the input.
    pub replaced: Option<Box<[u8]>>,
}

/// What happens to a connection after a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// No complete request is left, so the connection waits for more input.
    Receive {
        /// A request has begun and its rest is missing, so `request-timeout` runs.
        begun: bool,
        /// That request is not the one that had begun before the visit, so its time starts anew.
        is_new: bool,
        /// How many bytes are missing, as far as the client has said; 0 if it has not said.
        missing: usize,
    },
    /// Complete requests may be left. The connection gets another turn.
    Turn,
    /// The next request must wait for an event. The connection gets no turn until [`Reactor::wake`].
    Park,
    /// The connection ends for this reason when its replies are delivered.
    Finish(Reason),
}

impl<N: Net> Reactor<N> {
    /// Gives a connection its turn. If the connection is open, `serve` serves its input. If it is ending, its late
    /// input is dropped. If it is owed much output afterwards, the output is written at once, while it is in the
    /// processor's cache. Returns how many bytes were written.
    ///
    /// A connection ends if its client has sent `input_max` bytes or more without a complete request.
    pub fn visit(
        &mut self,
        slot: u32,
        now: Moment,
        input_max: usize,
        serve: impl FnOnce(Lent<'_, N>) -> Verdict,
    ) -> u64 {
        let Reactor { slots, ledger, .. } = self;
        let Some(conn) = slots.get_mut(slot as usize) else { return 0 };
        match conn.phase {
            Phase::Open if conn.parked => return 0,
            Phase::Open if conn.paused(ledger.output_pause_bytes) => {
                // Other clients have pushed much to it since it received. Its input must wait until the client takes
                // some output, so this is the same state as after a turn that ended because of too many replies.
                if !conn.input.is_empty() || conn.ending.is_some() {
                    conn.unserved = true;
                    ledger.request.remove(slot);
                }
                return 0;
            }
            Phase::Open => {}
            Phase::Finishing(_) | Phase::Lingering(_) => {
                self.discard(slot);
                return 0;
            }
            Phase::Doomed(_) => return 0,
        }
        if conn.output.own_mut().capacity() == 0 && ledger.pool.lend(conn.output.own_mut()).is_err() {
            ledger.doom(slot, conn, Reason::Io(ErrorKind::OutOfMemory));
            return 0;
        }
        let id = ConnId { slot, serial: conn.serial };
        let input = Input::lend(std::mem::take(&mut conn.input), conn.missing, self.bounds.kept_bytes_min);
        let mut output = std::mem::take(&mut conn.output);
        let (unread, memory) = (input.unread(), input.memory());
        let mut verdict = serve(Lent { id, input: unread, memory, output: &mut output, others: self });
        // While a script ran, others may have been served, and nothing may be said to have happened before that.
        let now = now.max(self.latest);
        // The connection is still in its slot, because only `reap` frees one.
        let Reactor { slots, ledger, .. } = self;
        let conn = &mut slots[slot as usize];
        conn.output = output;
        match input.settle(&mut verdict, &mut ledger.pool) {
            Ok(input) => conn.input = input,
            Err(OutOfMemory) => {
                ledger.doom(slot, conn, Reason::Io(ErrorKind::OutOfMemory));
                return 0;
            }
        }
        ledger.conclude(slot, conn, &verdict, input_max, now);
        if conn.output.len() >= self.bounds.flush_early_bytes && conn.can_write {
            return self.write_out(slot, now);
        }
        ledger.balance(slot, conn);
        0
    }

    /// Ends the wait of a parked connection: it gets turns again. The service holds `held` bytes for it.
    pub fn wake(&mut self, id: ConnId, held: usize, now: Moment) {
        let Some(slot) = self.slot_of(id) else { return };
        let conn = &mut self.slots[slot as usize];
        conn.service_bytes = u32::try_from(held).unwrap_or(u32::MAX);
        self.ledger.park(slot, conn, false, now);
        self.ledger.balance(slot, conn);
    }

    /// Appends bytes, in two parts, to the output of a connection that did not ask for them just now. A connection
    /// whose untaken output exceeds `limit` ends as a slow consumer: at once for the hard limit, and after the limit's
    /// time for the soft limit.
    pub fn push(&mut self, id: ConnId, parts: [&[u8]; 2], limit: OutputLimit, now: Moment) {
        let Some(slot) = self.slot_of(id) else { return };
        let conn = &mut self.slots[slot as usize];
        if conn.phase != Phase::Open {
            return;
        }
        if conn.output.extend_all(parts).is_err() {
            return self.ledger.doom(slot, conn, Reason::Io(ErrorKind::OutOfMemory));
        }
        if limit.hard_bytes > 0 && conn.output.len() > limit.hard_bytes {
            return self.ledger.doom(slot, conn, Reason::SlowConsumer);
        }
        self.ledger.note_crowding(slot, conn, limit, now);
        self.ledger.balance(slot, conn);
    }
}

impl Ledger {
    /// Does what follows from a verdict, except for the input, which is back, and the accounts, which `balance` does last.
    #[inline]
    fn conclude<S>(
        &mut self,
        slot: u32,
        conn: &mut Conn<S>,
        verdict: &Verdict,
        input_max: usize,
        now: Moment,
    ) {
        conn.service_bytes = u32::try_from(verdict.held).unwrap_or(u32::MAX);
        conn.unserved = verdict.next == Next::Turn || verdict.next == Next::Park;
        conn.missing = 0;
        self.reclassify(slot, conn, verdict.class, now);
        match verdict.next {
            Next::Receive { begun, is_new, missing } => {
                conn.missing = u32::try_from(missing).unwrap_or(u32::MAX);
                if let Some(reason) = conn.ending {
                    // Nothing more is received, so the rest of a half request will not come.
                    self.finish(slot, conn, reason, now);
                } else if conn.input.len() >= input_max {
                    self.finish(slot, conn, Reason::QueryBufferLimit, now);
                } else {
                    self.note_request(slot, begun, is_new, now);
                }
            }
            Next::Turn => self.request.remove(slot),
            // A client that has closed its side has gone, so it must not wait.
            Next::Park if conn.peer_closed || conn.ending.is_some() => {
                let reason = conn.ending.unwrap_or(Reason::PeerClosed);
                self.finish(slot, conn, reason, now);
            }
            Next::Park => {
                self.request.remove(slot);
                self.park(slot, conn, true, now);
            }
            Next::Finish(reason) => self.finish(slot, conn, reason, now),
        }
    }
}
