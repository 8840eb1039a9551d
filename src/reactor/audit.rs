//! Asserts the reactor's invariants by looking at every connection. For tests, between ticks.

use super::Reactor;
use super::conn::Phase;
use super::net::Net;
use crate::base::Reason;

impl<N: Net> Reactor<N> {
    /// Asserts the reactor's invariants by looking at every connection. For tests, between ticks.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub fn audit(&self) {
        let ledger = &self.ledger;
        assert!(ledger.fresh.is_empty() && ledger.doomed.is_empty(), "a phase did not empty its queue");
        assert!(ledger.departed.is_empty(), "the service was not told which connections have left");
        for slot in ledger.resume.iter().chain(&ledger.dirty) {
            assert!(self.slots.contains(*slot as usize), "slot {slot}: freed while it was queued for work");
        }
        let (mut serving, mut held, mut shared, mut spared, mut refusals) = (0, 0, 0, 0, 0);
        for (slot, conn) in &self.slots {
            let slot = slot as u32;
            serving += usize::from(conn.counted);
            held += conn.held;
            shared += conn.shared as usize;
            spared += if conn.class.spared { conn.held } else { 0 };
            refusals += usize::from(
                matches!(conn.phase, Phase::Finishing(r) | Phase::Lingering(r) if r == Reason::AtCapacity),
            );
            let buffers = conn.input.capacity() + conn.output.capacity() + conn.output.shared_bytes();
            assert_eq!(
                conn.held,
                buffers + conn.service_bytes as usize,
                "slot {slot}: the account of its memory is wrong"
            );
            assert_eq!(conn.queued, ledger.resume.contains(&slot), "slot {slot}: flag and `resume` differ");
            assert_eq!(conn.dirty, ledger.dirty.contains(&slot), "slot {slot}: flag and `dirty` differ");
            assert!(
                conn.queued || !conn.wants_turn(ledger.output_pause_bytes),
                "slot {slot}: it needs a turn and is in no queue of turns: {:?}",
                conn.phase
            );
            assert!(conn.dirty || !conn.wants_flush(), "slot {slot}: it needs a flush and is not dirty");
            assert!(!matches!(conn.phase, Phase::Doomed(_)), "slot {slot}: reap did not free it");
            assert!(!conn.parked || conn.phase == Phase::Open, "slot {slot}: it is parked and not open");
            let lingering = matches!(conn.phase, Phase::Lingering(_));
            assert_eq!(ledger.linger.contains(slot), lingering, "slot {slot}: linger list");
            assert_eq!(ledger.idle.contains(slot), conn.may_idle_out(), "slot {slot}: idle list");
            // If the connection is owed a flush, the list may be out of date until then.
            let stalled = ledger.stalled.contains(slot);
            assert!(conn.dirty || stalled != conn.output.is_empty(), "slot {slot}: stalled list");
        }
        assert_eq!(serving, ledger.serving, "the count of clients is wrong");
        assert_eq!(held, ledger.held, "the account of all memory is wrong");
        assert_eq!(shared, ledger.shared, "the account of shared memory is wrong");
        assert_eq!(spared, ledger.spared, "the account of spared memory is wrong");
        assert_eq!(refusals, ledger.refusals, "the count of refusals is wrong");
    }
}
