//! How connections end: anybody may condemn one, with a reason; only [`Reactor::reap`] frees slots.
//!
//! Two ways to condemn: [`Reactor::finish`] delivers what is owed first, [`Reactor::doom`] does not.

use super::Reactor;
use super::conn::Phase;
use super::net::Net;
use crate::base::{Moment, Reason};
use crate::config::Config;

/// What is left of a connection that was reaped.
#[derive(Debug)]
pub struct Gone {
    /// Where it was.
    pub slot: u32,
    /// Its `CLIENT ID`.
    pub serial: u64,
    /// Why it ended.
    pub reason: Reason,
    /// Replies it was owed and did not get, in bytes.
    pub undelivered: usize,
    /// Requests it had sent and that were not answered, in bytes; half requests do not count.
    pub unserved: usize,
    /// Bytes received in its life.
    pub bytes_in: u64,
    /// Bytes delivered in its life.
    pub bytes_out: u64,
}

impl<N: Net> Reactor<N> {
    /// Serves nothing more to an open connection, delivers what it is owed, and says goodbye.
    pub fn finish(&mut self, slot: u32, reason: Reason) {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return };
        if conn.phase != Phase::Open {
            return;
        }
        conn.phase = Phase::Finishing(reason);
        conn.unserved = false;
        conn.missing = 0;
        conn.parser_bytes = 0;
        conn.input.clear();
        self.request.remove(slot);
        self.settle_buffers(slot);
        self.note_dirty(slot);
        // It may have been paused with input waiting, which is to be discarded now.
        self.note_turn(slot);
    }

    /// Finishes an open connection with an error line, `text`, as its last reply.
    pub fn finish_with_error(&mut self, slot: u32, reason: Reason, text: &str, now: Moment) {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return };
        if conn.phase != Phase::Open {
            return;
        }
        let line = [b"-", text.as_bytes(), b"\r\n"];
        // Without memory for a line the client gets none.
        let _ = conn.output.extend(&line.concat());
        if !conn.output.is_empty() && !self.stalled.contains(slot) {
            self.stalled.touch(slot, now);
        }
        self.finish(slot, reason);
    }

    /// Frees a connection at this tick's reaping, whatever it is owed.
    pub fn doom(&mut self, slot: u32, reason: Reason) {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return };
        match conn.phase {
            Phase::Doomed(_) => return,
            Phase::Finishing(Reason::AtCapacity) | Phase::Lingering(Reason::AtCapacity) => {
                self.admission.count_refusal(false);
            }
            _ => {}
        }
        self.serving -= usize::from(std::mem::take(&mut conn.counted));
        conn.phase = Phase::Doomed(reason);
        self.doomed.push(slot);
    }

    /// Dooms a connection that is ending already, for the reason it is ending.
    pub fn doom_as_phased(&mut self, slot: u32) {
        let Some(conn) = self.slots.get(slot as usize) else { return };
        match conn.phase {
            Phase::Finishing(reason) | Phase::Lingering(reason) => self.doom(slot, reason),
            Phase::Open => self.doom(slot, Reason::Forced),
            Phase::Doomed(_) => {}
        }
    }

    /// A finishing connection has been paid: shuts its write side. If the peer has closed as well
    /// there is nobody left to wait for.
    pub fn shut(&mut self, slot: u32, now: Moment) {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return };
        let Phase::Finishing(reason) = conn.phase else { return };
        if conn.ending == Some(Reason::PeerClosed) || self.net.shut_write(&conn.socket).is_err() {
            return self.doom(slot, reason);
        }
        // If it was us who would read no more: late input is to be discarded all the same.
        conn.ending = None;
        // From here on it is no client any more: its place is free.
        self.serving -= usize::from(std::mem::take(&mut conn.counted));
        conn.phase = Phase::Lingering(reason);
        self.idle.remove(slot);
        self.linger.touch(slot, now);
    }

    /// Takes the condemned out of the queues of work, before [`Reactor::reap`] frees them.
    pub fn begin_reap(&mut self) {
        if self.doomed.is_empty() {
            return;
        }
        let slots = &self.slots;
        let stays = |slot: &u32| !matches!(slots[*slot as usize].phase, Phase::Doomed(_));
        self.resume.retain(stays);
        self.dirty.retain(stays);
    }

    /// Condemns everyone whose time is over, from the oldest end of each list.
    pub fn sweep(&mut self, now: Moment, config: &Config) {
        while let Some(slot) = self.idle.expired(now, config.timeout_ms) {
            // One more period to take what it is owed; after that it is only a slow consumer.
            self.idle.touch(slot, now);
            if self.slots.get(slot as usize).is_some_and(|conn| conn.phase == Phase::Open) {
                self.finish(slot, Reason::Idle);
            } else {
                self.idle.remove(slot);
                self.doom(slot, Reason::SlowConsumer);
            }
        }
        while let Some(slot) = self.request.expired(now, config.request_timeout_ms) {
            self.request.remove(slot);
            let text = "ERR request not completed within request-timeout";
            self.finish_with_error(slot, Reason::RequestTimeout, text, now);
        }
        while let Some(slot) = self.stalled.expired(now, config.write_timeout_ms) {
            self.stalled.remove(slot);
            self.doom(slot, Reason::SlowConsumer);
        }
        while let Some(slot) = self.linger.expired(now, config.bounds.linger_ms) {
            self.linger.remove(slot);
            self.last_discard(slot, config);
        }
        self.evict(now, config);
    }

    /// A lingering connection has had its time. One more look, whatever the edges said: input that
    /// is left unread at the close resets the connection, and a reply may still be on its way.
    pub fn last_discard(&mut self, slot: u32, config: &Config) {
        if let Some(conn) = self.slots.get_mut(slot as usize) {
            conn.can_read = true;
        }
        self.discard(slot, config);
        self.doom_as_phased(slot);
    }

    /// If all clients together hold too much, ends the one that holds the most. One a tick: a look
    /// at everybody has its price, and the next tick comes at once if it was not enough.
    fn evict(&mut self, now: Moment, config: &Config) {
        self.evicting = false;
        if config.maxmemory_clients == 0 || self.held <= config.maxmemory_clients {
            return;
        }
        let holders = self
            .slots
            .iter()
            .filter(|(_, conn)| conn.held > 0 && !conn.spared && !matches!(conn.phase, Phase::Doomed(_)));
        let Some((slot, conn)) = holders.max_by_key(|(slot, conn)| (conn.held, *slot)) else { return };
        self.evicting = true;
        let slot = slot as u32;
        if conn.phase == Phase::Open && conn.output.is_empty() {
            let text = "ERR evicted: clients together exceed maxmemory-clients";
            self.finish_with_error(slot, Reason::Evicted, text, now);
        } else {
            // It holds replies that it does not take: waiting for it is what there is no memory for.
            self.doom(slot, Reason::Evicted);
        }
    }

    /// Frees one condemned connection; `None` when all are. Call [`Reactor::begin_reap`] first.
    pub fn reap(&mut self, now: Moment) -> Option<Gone> {
        let slot = self.doomed.pop()?;
        for list in [&mut self.idle, &mut self.request, &mut self.stalled, &mut self.linger] {
            list.remove(slot);
        }
        let mut conn = self.slots.remove(slot as usize);
        let Phase::Doomed(reason) = conn.phase else { unreachable!("only the doomed are in the queue") };
        self.held -= conn.held;
        let gone = Gone {
            slot,
            serial: conn.serial,
            reason,
            undelivered: conn.output.len(),
            unserved: if conn.unserved { conn.input.len() } else { 0 },
            bytes_in: conn.bytes_in,
            bytes_out: conn.bytes_out,
        };
        self.pool.take_back(&mut conn.input);
        self.pool.take_back(&mut conn.output);
        self.net.forget(conn.socket);
        self.admission.descriptor_freed(now);
        Some(gone)
    }
}
