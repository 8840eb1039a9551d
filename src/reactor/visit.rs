//! One visit to a connection: it is lent its buffers, served, and everything that follows from that
//! is settled here. The caller says what came of it and owes nothing afterwards.

use std::io::ErrorKind;

use super::Reactor;
use super::conn::{Class, Phase};
use super::net::Net;
use crate::base::{Buf, ConnId, Moment, Reason, Wires};
use crate::config::OutputLimit;

/// What a visit lends.
pub struct Lent<'a> {
    /// Whose turn it is.
    pub id: ConnId,
    /// The input that has been received and not yet served.
    pub input: &'a [u8],
    /// The replies that have not yet been delivered; more go behind them.
    pub output: &'a mut Buf,
    /// All other connections, to be looked at.
    pub wires: &'a dyn Wires,
}

/// What came of a visit.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Bytes of input that are done with.
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
        /// The rest of something is owed to us: `request-timeout` runs.
        begun: bool,
        /// That something is not what it was before the visit: its time starts anew.
        is_new: bool,
        /// How many bytes are missing, as far as the client has said.
        missing: usize,
    },
    /// Complete requests may be left: another turn.
    Turn,
    /// The next request waits for something to happen; no turn until [`Reactor::wake`].
    Park,
    /// The connection ends once its replies are delivered.
    Finish(Reason),
}

impl<N: Net> Reactor<N> {
    /// Gives a connection its turn: `serve` serves what has been received; of a connection that is
    /// ending, late input is dropped. Returns how many bytes were written early: much output had better
    /// leave while it is in the cache.
    ///
    /// A client from which more than `input_max` bytes are held without a complete request ends.
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
                // Others have pushed much to it since it received: what it received waits for a later turn,
                // as after a turn that ended because of its replies.
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
        // Nobody can have removed it meanwhile: `slots` was only lent to be looked at.
        let conn = &mut slots[slot as usize];
        (conn.input, conn.output) = (input, output);
        conn.input.consume(verdict.consumed);
        conn.service_bytes = u32::try_from(verdict.held).unwrap_or(u32::MAX);
        conn.unserved = verdict.next == Next::Turn || verdict.next == Next::Park;
        conn.missing = 0;
        ledger.reclassify(slot, conn, verdict.class, now);
        match verdict.next {
            Next::Receive { begun, is_new, missing } => {
                conn.missing = u32::try_from(missing).unwrap_or(u32::MAX);
                if let Some(reason) = conn.ending {
                    // Nobody will send the rest of a half request.
                    ledger.finish(slot, conn, reason, now);
                } else if conn.input.len() >= input_max {
                    ledger.finish(slot, conn, Reason::QueryBufferLimit, now);
                } else {
                    ledger.note_request(slot, begun, is_new, now);
                }
            }
            Next::Turn => ledger.request.remove(slot),
            // A client that has closed its side is not there to see what it waits for.
            Next::Park if conn.peer_closed || conn.ending.is_some() => {
                let reason = conn.ending.unwrap_or(Reason::PeerClosed);
                ledger.finish(slot, conn, reason, now);
            }
            Next::Park => {
                ledger.request.remove(slot);
                ledger.park(slot, conn, true, now);
            }
            Next::Finish(reason) => ledger.finish(slot, conn, reason, now),
        }
        if conn.output.len() >= self.bounds.flush_early_bytes && conn.can_write {
            return self.write_out(slot, now);
        }
        ledger.settle(slot, conn);
        0
    }

    /// Gives a parked connection its turns again.
    pub fn wake(&mut self, id: ConnId, now: Moment) {
        let Some(slot) = self.slot_of(id) else { return };
        let conn = &mut self.slots[slot as usize];
        self.ledger.park(slot, conn, false, now);
        self.ledger.settle(slot, conn);
    }

    /// Sends `bytes` to a connection that did not ask for them just now. One that leaves more untaken
    /// than `limit` allows ends as a slow consumer.
    pub fn push(&mut self, id: ConnId, bytes: &[u8], limit: OutputLimit, now: Moment) {
        let Some(slot) = self.slot_of(id) else { return };
        let conn = &mut self.slots[slot as usize];
        if conn.phase != Phase::Open {
            return;
        }
        if conn.output.extend(bytes).is_err() {
            return self.ledger.doom(slot, conn, Reason::Io(ErrorKind::OutOfMemory));
        }
        if limit.hard_bytes > 0 && conn.output.len() > limit.hard_bytes {
            return self.ledger.doom(slot, conn, Reason::SlowConsumer);
        }
        self.ledger.note_crowding(slot, conn, limit, now);
        self.ledger.settle(slot, conn);
    }
}
