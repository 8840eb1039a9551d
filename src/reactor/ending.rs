//! How connections end. The reactor may condemn one at any time, with a reason; only [`Reactor::reap`] frees slots.
//!
//! There are two ways to condemn a connection. To *finish* it means to deliver its output first. To *doom* it means to
//! drop its output and free it in the next reap.

use super::Reactor;
use super::conn::Phase;
use super::net::Net;
use crate::base::{ConnId, Moment, Reason};
use crate::config::{Config, DRAIN_ASKED_MAX};

/// What is known about a connection that was reaped.
#[derive(Debug)]
pub struct Gone {
    /// The slot that it had.
    pub slot: u32,
    /// Its `CLIENT ID`.
    pub serial: u64,
    /// Why it ended.
    pub reason: Reason,
    /// Bytes of output that were not delivered.
    pub undelivered: usize,
    /// Bytes of input that may hold complete requests and were not answered.
    pub unserved: usize,
    /// Bytes received in its life.
    pub bytes_in: u64,
    /// Bytes delivered in its life.
    pub bytes_out: u64,
}

impl<N: Net> Reactor<N> {
    /// Ends a connection because a client asked for it (`CLIENT KILL`). Operators kill clients that hang, so the server
    /// does not wait until the client takes its replies.
    pub fn kill(&mut self, id: ConnId, now: Moment) {
        let Some(slot) = self.slot_of(id) else { return };
        let conn = &mut self.slots[slot as usize];
        if conn.output.is_empty() {
            self.finish(slot, Reason::Killed, now);
        } else {
            self.ledger.doom(slot, conn, Reason::Killed);
        }
    }

    /// Ends a connection for a reason that did not come up in its own turn.
    pub fn fail(&mut self, id: ConnId, reason: Reason, now: Moment) {
        if let Some(slot) = self.slot_of(id) {
            self.finish(slot, reason, now);
        }
    }

    fn finish(&mut self, slot: u32, reason: Reason, now: Moment) {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return };
        self.ledger.finish(slot, conn, reason, now);
        self.ledger.balance(slot, conn);
    }

    fn doom(&mut self, slot: u32, reason: Reason) {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return };
        self.ledger.doom(slot, conn, reason);
    }

    /// Condemns every connection whose deadline has passed, from the oldest end of each list.
    pub fn sweep(&mut self, now: Moment, config: &Config) {
        while let Some(slot) = self.ledger.idle.expired(now, config.timeout_ms) {
            // An open connection gets one more period to take its output. After that it ends as a slow consumer.
            self.ledger.idle.touch(slot, now);
            if self.slots.get(slot as usize).is_some_and(|conn| conn.phase == Phase::Open) {
                self.finish(slot, Reason::Idle, now);
            } else {
                self.ledger.idle.remove(slot);
                self.doom(slot, Reason::SlowConsumer);
            }
        }
        while let Some(slot) = self.ledger.request.expired(now, config.request_timeout_ms) {
            self.ledger.request.remove(slot);
            self.finish(slot, Reason::RequestTimeout, now);
        }
        while let Some(slot) = self.ledger.stalled.expired(now, config.write_timeout_ms) {
            self.ledger.stalled.remove(slot);
            self.doom(slot, Reason::SlowConsumer);
        }
        while let Some(slot) = self.ledger.crowded.expired(now, config.pubsub_output_limit.soft_ms) {
            self.ledger.crowded.remove(slot);
            self.doom(slot, Reason::SlowConsumer);
        }
        while let Some(slot) = self.ledger.linger.expired(now, self.bounds.linger_ms) {
            self.last_discard(slot);
        }
        self.evict(now, config.maxmemory_clients);
    }

    /// Ends a lingering connection whose time is over. The server reads once more, even if no edge has reported input:
    /// the close would reset a connection with unread input, and a reply may still be on its way.
    fn last_discard(&mut self, slot: u32) {
        self.ledger.linger.remove(slot);
        if let Some(conn) = self.slots.get_mut(slot as usize) {
            conn.can_read = true;
        }
        self.discard(slot);
        if let Some(conn) = self.slots.get_mut(slot as usize) {
            self.ledger.doom_as_phased(slot, conn);
        }
    }

    /// Ends all connections that linger, because the server has no time left for them.
    pub fn release_lingering(&mut self) {
        while let Some((slot, _)) = self.ledger.linger.oldest() {
            self.last_discard(slot);
        }
    }

    /// While all clients together hold more than `held_max` bytes (0 = no limit), ends the client that holds the most.
    /// Each search looks at all connections. That is affordable because each search also ends one.
    #[inline]
    pub fn evict(&mut self, now: Moment, held_max: usize) {
        if held_max > 0 {
            while self.ledger.held - self.ledger.spared > held_max && self.evict_one(now) {}
        }
    }

    #[cold]
    fn evict_one(&mut self, now: Moment) -> bool {
        let holders = self.slots.iter().filter(|(_, conn)| conn.held > 0 && !conn.class.spared);
        let Some((slot, conn)) = holders.max_by_key(|(slot, conn)| (conn.held, *slot)) else { return false };
        let slot = slot as u32;
        if conn.phase == Phase::Open && conn.output.is_empty() {
            self.finish(slot, Reason::Evicted, now);
        } else {
            // We cannot wait until the client takes its replies: they are the memory that we need.
            self.doom(slot, Reason::Evicted);
        }
        true
    }

    /// Closes up to `count` connections of which nothing is owed, those first that were silent for the longest time.
    /// `may_go` says which ones may be closed. A client that has just sent something is not among them, even if the server
    /// has not read it yet.
    pub fn part_with_idle(&mut self, count: usize, now: Moment, may_go: impl Fn(u32) -> bool) {
        let Reactor { net, slots, ledger, .. } = self;
        let rests = |slot: &u32| {
            let conn = &slots[*slot as usize];
            conn.phase == Phase::Open
                && !conn.unserved
                && conn.output.is_empty()
                && conn.input.is_empty()
                && net.waiting(&conn.socket) == 0
        };
        let oldest = ledger.idle.iter().take(count.saturating_add(DRAIN_ASKED_MAX));
        let parting: Vec<u32> = oldest.filter(|slot| may_go(*slot)).filter(rests).take(count).collect();
        parting.into_iter().for_each(|slot| self.finish(slot, Reason::Drained, now));
    }

    /// Bytes of replies that clients have not taken. Looks at all connections.
    pub fn undelivered(&self) -> usize {
        self.slots.iter().map(|(_, conn)| conn.output.len()).sum()
    }

    /// Limits what is still read from every open connection. Bytes that the kernel holds now are read and served, in
    /// ordinary turns. Bytes that come later are not read.
    pub fn last_read(&mut self) {
        let Reactor { net, slots, ledger, .. } = self;
        for (slot, conn) in slots.iter_mut().filter(|(_, conn)| conn.phase == Phase::Open) {
            let waiting = net.waiting(&conn.socket);
            conn.read_left = u32::try_from(waiting).unwrap_or(u32::MAX - 1);
            // An edge for these bytes may not have been heard yet.
            conn.can_read = true;
            ledger.balance(slot as u32, conn);
        }
    }

    /// Condemns every connection at once.
    pub fn doom_all(&mut self) {
        let Reactor { slots, ledger, .. } = self;
        for (slot, conn) in slots.iter_mut() {
            match conn.phase {
                Phase::Open if conn.output.is_empty() && !conn.unserved => {
                    ledger.doom(slot as u32, conn, Reason::Drained);
                }
                Phase::Open | Phase::Finishing(_) => ledger.doom(slot as u32, conn, Reason::Forced),
                Phase::Lingering(_) | Phase::Doomed(_) => ledger.doom_as_phased(slot as u32, conn),
            }
        }
    }

    /// Takes doomed connections out of the queues of work. Call it before [`Reactor::reap`].
    pub fn begin_reap(&mut self) {
        if self.ledger.doomed.is_empty() {
            return;
        }
        let slots = &self.slots;
        let stays = |slot: &u32| !matches!(slots[*slot as usize].phase, Phase::Doomed(_));
        self.ledger.resume.retain(stays);
        self.ledger.dirty.retain(stays);
    }

    /// Frees one doomed connection and returns what is known about it; `None` if there is none left. Call
    /// [`Reactor::begin_reap`] first.
    pub fn reap(&mut self, now: Moment) -> Option<Gone> {
        let doomed = self.ledger.doomed.pop()?;
        let (ledger, slot) = (&mut self.ledger, doomed.slot);
        for list in [
            &mut ledger.idle,
            &mut ledger.request,
            &mut ledger.stalled,
            &mut ledger.crowded,
            &mut ledger.linger,
        ] {
            list.remove(slot);
        }
        let conn = self.slots.remove(slot as usize);
        let Phase::Doomed(reason) = conn.phase else { unreachable!("only the doomed are in the queue") };
        let gone = Gone {
            slot,
            serial: conn.serial,
            reason,
            undelivered: doomed.undelivered,
            unserved: doomed.unserved,
            bytes_in: conn.bytes_in,
            bytes_out: conn.bytes_out,
        };
        self.net.forget(conn.socket);
        self.admission.descriptor_freed(now);
        Some(gone)
    }
}
