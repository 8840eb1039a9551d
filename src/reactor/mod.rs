//! Moves bytes and knows time. It knows nothing of requests, commands or keys.
//!
//! - [`net`]: the seam to the world, and what the world must promise; [`os`]: the world as mio shows it
//! - [`conn`]: one connection; [`visit`]: one connection's turn; [`input`]: its input meanwhile
//! - [`ledger`]: the accounts of all connections; [`recency`]: the order of last touches; [`pool`]: lent buffers
//! - [`admission`]: accept, the cap, and what happens when descriptors run out
//! - [`transfer`]: receive, discard, flush
//! - [`ending`]: finish, doom, sweep, evict, reap
//!
//! Invariants, which [`Reactor::audit`] asserts:
//!
//! - The kernel owes us an edge, or we owe ourselves a turn. So a connection with work for a turn is in `resume` or
//!   `fresh`, and a connection with work for a flush is in `dirty`.
//! - `serving` is the number of connections that count towards `maxclients`.
//! - `held` is the memory of all connections together.

pub mod admission;
mod audit;
pub mod conn;
pub mod ending;
pub mod input;
pub mod ledger;
pub mod net;
pub mod os;
pub mod pool;
pub mod recency;
pub mod transfer;
pub mod visit;

use slab::Slab;

use crate::base::{ConnId, Moment, Now, Wire};
use crate::config::{Bounds, Config};
use admission::Admission;
use conn::Conn;
use ledger::{Goodbye, Ledger};
use net::{Edge, Net, Patience};

/// All connections, and the queues of work that is owed to them.
pub struct Reactor<N: Net> {
    net: N,
    slots: Slab<Conn<N::Socket>>,
    ledger: Ledger,
    admission: Admission<N::Socket>,
    bounds: Bounds,
    next_serial: u64,
    /// When the clocks were last read.
    latest: Moment,
    /// Others were heard in the middle of a turn of this tick.
    interrupted: bool,
}

/// Gives `queue` the memory of `worked_off` back, so that the queue need not allocate again. `worked_off` was taken out
/// of the queue, and its work is done.
fn give_back(queue: &mut Vec<u32>, mut worked_off: Vec<u32>) {
    worked_off.clear();
    if queue.capacity() < worked_off.capacity() {
        worked_off.append(queue);
        *queue = worked_off;
    }
}

impl<N: Net> Reactor<N> {
    /// A reactor over `net`. Connections may already wait at its listeners. `goodbye` returns the last line for a
    /// connection that ends.
    pub fn new(net: N, bounds: &Bounds, goodbye: Goodbye) -> Reactor<N> {
        let admission = Admission::new(net.listeners());
        Reactor {
            net,
            slots: Slab::new(),
            ledger: Ledger::new(bounds, goodbye),
            admission,
            bounds: bounds.clone(),
            next_serial: 1,
            latest: Moment::default(),
            interrupted: false,
        }
    }

    /// Waits for edges and appends them to `edges`. It does not block if work is left over. Otherwise it blocks until
    /// an edge or the nearest deadline: one of the reactor's own or `other`. If there is no deadline, only an edge ends
    /// the wait.
    ///
    /// # Errors
    /// Only if the wait itself fails. The process cannot go on then.
    pub fn wait(
        &mut self,
        config: &Config,
        other: Option<Moment>,
        edges: &mut Vec<Edge>,
    ) -> std::io::Result<()> {
        let patience = match self.next_deadline(config).into_iter().chain(other).min() {
            _ if self.has_leftovers(config) => Patience::None,
            Some(deadline) => Patience::Until(deadline),
            None => Patience::Endless,
        };
        self.net.wait(patience, edges)
    }

    /// In the middle of a turn: appends the edges that have come to `edges`, without waiting for any.
    ///
    /// # Errors
    /// Only if the wait itself fails.
    pub fn listen(&mut self, edges: &mut Vec<Edge>) -> std::io::Result<()> {
        self.interrupted = true;
        self.net.wait(Patience::None, edges)
    }

    /// Reads both clocks.
    pub fn now(&mut self) -> Now {
        let now = self.net.now();
        self.latest = now.at;
        now
    }

    /// When the clocks were last read here: at the beginning of the tick, or later while a script ran.
    pub fn latest(&self) -> Moment {
        self.latest
    }

    fn has_leftovers(&self, config: &Config) -> bool {
        !self.ledger.resume.is_empty() || !self.ledger.dirty.is_empty() || self.could_accept(config)
    }

    /// When this room next has something to do even if no edge comes.
    fn next_deadline(&self, config: &Config) -> Option<Moment> {
        [
            self.ledger.idle.deadline(config.timeout_ms),
            self.ledger.request.deadline(config.request_timeout_ms),
            self.ledger.stalled.deadline(config.write_timeout_ms),
            self.ledger.crowded.deadline(config.pubsub_output_limit.soft_ms),
            self.ledger.linger.deadline(self.bounds.linger_ms),
            self.admission.retry_at().filter(|_| self.may_accept(config)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Remembers that a connection became ready, and queues the work for it.
    pub fn hear(&mut self, edge: Edge, now: Moment) {
        let Edge::Ready { slot, readable, writable, hides_more, peer_closed } = edge else { return };
        let Reactor { slots, ledger, .. } = self;
        let Some(conn) = slots.get_mut(slot as usize) else { return };
        conn.can_read |= readable;
        conn.can_write |= writable;
        conn.hides_more |= hides_more;
        conn.peer_closed |= peer_closed;
        if !conn.queued && conn.wants_turn(ledger.output_pause_bytes) {
            conn.queued = true;
            ledger.fresh.push(slot);
        }
        if !conn.dirty && conn.wants_flush() {
            conn.dirty = true;
            ledger.dirty.push(slot);
        }
        if conn.parked && peer_closed {
            // The client has gone, so it must not stay parked.
            ledger.finish(slot, conn, crate::base::Reason::PeerClosed, now);
            ledger.balance(slot, conn);
        }
    }

    /// Takes the queue of turns: fresh edges first, then connections that were left over. When the caller has served
    /// them, it must give the vector back by [`Reactor::return_turns`], so that its memory is used again.
    pub fn take_turns(&mut self) -> Vec<u32> {
        let mut turns = std::mem::take(&mut self.ledger.fresh);
        turns.append(&mut self.ledger.resume);
        turns
    }

    /// In the middle of a visit to `me`: takes the other connections that want a turn. The first time in a visit, `all` is true:
    /// then these are all connections that may have a request, also those that this tick has not served yet.
    pub fn take_turns_but(&mut self, me: u32, all: bool) -> Vec<u32> {
        let mut turns = self.take_turns();
        if turns.contains(&me) {
            turns.retain(|slot| *slot != me);
            self.ledger.fresh.push(me);
        }
        if all {
            let others = self.slots.iter().filter(|(_, conn)| !conn.input.is_empty() || conn.queued);
            turns.extend(others.map(|(slot, _)| slot as u32).filter(|slot| *slot != me));
            turns.sort_unstable();
            turns.dedup();
        }
        turns
    }

    /// Gives back the vector that [`Reactor::take_turns`] returned, once all of them are served.
    pub fn return_turns(&mut self, turns: Vec<u32>) {
        if std::mem::take(&mut self.interrupted) {
            self.queue_once();
        }
        give_back(&mut self.ledger.fresh, turns);
    }

    /// Others were heard and served in the middle of a turn. Edges that came then are left over for the next tick. A connection
    /// that had a turn then, and its own turn later, may be queued twice, or no longer need to be.
    #[cold]
    fn queue_once(&mut self) {
        let Reactor { slots, ledger, .. } = self;
        ledger.resume.append(&mut ledger.fresh);
        // The first time, the flag is taken. So a second time goes.
        ledger.resume.retain(|slot| std::mem::take(&mut slots[*slot as usize].queued));
        for slot in &ledger.resume {
            slots[*slot as usize].queued = true;
        }
    }

    /// Takes the slots of connections that have ceased to be open since the last call. They are no longer served.
    pub fn take_departed(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.ledger.departed)
    }

    /// The connection in a slot. For tests.
    pub fn conn(&self, slot: u32) -> Option<&Conn<N::Socket>> {
        self.slots.get(slot as usize)
    }

    /// The input that a connection has received and that has not been served; empty if there is no connection.
    #[inline]
    pub fn input(&self, slot: u32) -> &[u8] {
        self.slots.get(slot as usize).map_or(&[], |conn| conn.input.unread())
    }

    /// The slot of a connection; `None` if the connection has been freed.
    fn slot_of(&self, id: ConnId) -> Option<u32> {
        let conn = self.slots.get(id.slot as usize)?;
        (conn.serial == id.serial).then_some(id.slot)
    }

    /// What other clients may see of a connection; all zero if there is none.
    pub fn wire(&self, slot: u32) -> Wire {
        self.slots.get(slot as usize).map_or_else(Wire::default, |conn| Wire {
            input: conn.input.len(),
            output: conn.output.len(),
            memory: conn.held,
        })
    }

    /// Number of connections, including those that are ending.
    pub fn live(&self) -> usize {
        self.slots.len()
    }

    /// Number of connections that count towards `maxclients`.
    pub fn serving(&self) -> usize {
        self.ledger.serving
    }

    /// Bytes of memory held for all connections, and of spare buffers in the pool.
    pub fn held_bytes(&self) -> usize {
        self.ledger.held + self.ledger.pool.spare_bytes()
    }

    /// The part of that which is memory of the service, shared with it. It counts for each output that holds it.
    pub fn shared_bytes(&self) -> usize {
        self.ledger.shared
    }
}
