//! One visit to a connection. The reactor lends the connection's buffers to the caller, which serves it and returns a
//! verdict. Everything that follows from the verdict is done here, so the caller cannot forget a step.

use std::io::ErrorKind;

use super::Reactor;
use super::conn::{Class, Conn, Phase};
use super::ledger::Ledger;
use super::net::Net;
use crate::base::{Buf, ConnId, Moment, Reason, Wires};
use crate::config::OutputLimit;

/// The things that a visit lends.
pub struct Lent<'a> {
    /// Whose turn it is.
    pub id: ConnId,
    /// Input that has been received and not yet served.
    pub input: &'a [u8],
    /// Output that has not yet been delivered. New replies go behind it.
    pub output: &'a mut Buf,
    /// Shows the buffers of all other connections.
    pub wires: &'a dyn Wires,
}

/// The outcome of a visit.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Bytes of input that have been served.
    pub consumed: usize,
    /// How it goes on.
    pub next: Next,
    /// Bytes of memory that the service holds for the client.
    pub held: usize,
    /// How the client is to be treated from now on.
    pub class: Class,
}

/// How it goes on with a connection after a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// No complete request is left.
    Receive {
        /// A request has begun and its rest is missing, so `request-timeout` runs.
        begun: bool,
        /// It is another request than before the visit, so its time starts anew.
        is_new: bool,
        /// How many bytes are missing, as far as the client has said.
        missing: usize,
    },
    /// Complete requests may be left. The connection gets another turn.
    Turn,
    /// The next request waits for something to happen. The connection gets no turn until [`Reactor::wake`].
    Park,
    /// The connection ends when its replies are delivered.
    Finish(Reason),
}

impl<N: Net> Reactor<N> {
    /// Gives a connection its turn. `serve` serves the input of an open connection; late input of a connection that is
    /// ending is dropped. Much output is written at once, while it is in the cache. Returns how many bytes that
    /// were.
    ///
    /// A client that has sent `input_max` bytes or more without a complete request ends.
    pub fn visit(
        &mut self,
        slot: u32,
        now: Moment,
        input_max: usize,
        serve: impl FnOnce(Lent<'_>) -> Verdict,
    ) -> u64 {
        let Reactor { slots, ledger, .. } = self;
        let Some(conn) = slots.get_mut(slot as usize) else { return 0 };
        match conn.phase {
            Phase::Open if conn.parked => return 0,
            Phase::Open if conn.paused(ledger.output_pause_bytes) => {
                // Other clients have pushed much to it since it received. Its input waits for a later turn, as after a
                // turn that ended because of too many replies.
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
        if conn.output.capacity() == 0 && ledger.pool.lend(&mut conn.output).is_err() {
            ledger.doom(slot, conn, Reason::Io(ErrorKind::OutOfMemory));
            return 0;
        }
        let id = ConnId { slot, serial: conn.serial };
        let (input, mut output) = (std::mem::take(&mut conn.input), std::mem::take(&mut conn.output));
        let verdict = serve(Lent { id, input: input.unread(), output: &mut output, wires: &*slots });
        // The connection is still there, because `serve` could only look at `slots`.
        let conn = &mut slots[slot as usize];
        (conn.input, conn.output) = (input, output);
        ledger.conclude(slot, conn, &verdict, input_max, now);
        if conn.output.len() >= self.bounds.flush_early_bytes && conn.can_write {
            return self.write_out(slot, now);
        }
        ledger.balance(slot, conn);
        0
    }

    /// Gives a parked connection its turns again.
    pub fn wake(&mut self, id: ConnId, now: Moment) {
        let Some(slot) = self.slot_of(id) else { return };
        let conn = &mut self.slots[slot as usize];
        self.ledger.park(slot, conn, false, now);
        self.ledger.balance(slot, conn);
    }

    /// Sends bytes, in two parts, to a connection that did not ask for them just now. One that leaves more untaken
    /// than `limit` allows ends as a slow consumer.
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
    /// Does what follows from a verdict, except for the accounts, which `balance` does last.
    #[inline]
    fn conclude<S>(
        &mut self,
        slot: u32,
        conn: &mut Conn<S>,
        verdict: &Verdict,
        input_max: usize,
        now: Moment,
    ) {
        conn.input.consume(verdict.consumed);
        conn.service_bytes = u32::try_from(verdict.held).unwrap_or(u32::MAX);
        conn.unserved = verdict.next == Next::Turn || verdict.next == Next::Park;
        conn.missing = 0;
        self.reclassify(slot, conn, verdict.class, now);
        match verdict.next {
            Next::Receive { begun, is_new, missing } => {
                conn.missing = u32::try_from(missing).unwrap_or(u32::MAX);
                if let Some(reason) = conn.ending {
                    // The rest of a half request will not come.
                    self.finish(slot, conn, reason, now);
                } else if conn.input.len() >= input_max {
                    self.finish(slot, conn, Reason::QueryBufferLimit, now);
                } else {
                    self.note_request(slot, begun, is_new, now);
                }
            }
            Next::Turn => self.request.remove(slot),
            // A client that has closed its side is not there to see what it waits for.
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
