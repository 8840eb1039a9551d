//! Moves bytes and knows time. Has never heard of requests, commands or keys.
//!
//! - [`net`]: the seam to the world and its contract; [`os`]: the world as mio shows it
//! - [`conn`]: one connection; [`recency`]: who was touched last; [`pool`]: lent buffers
//! - [`admission`]: accept, the cap, running out of descriptors
//! - [`transfer`]: receive, discard, flush
//! - [`ending`]: finish, doom, sweep, evict, reap
//!
//! Invariants, asserted by [`Reactor::audit`]: the kernel owes us an edge, or we owe ourselves a
//! turn. So a connection that a turn would find work for is in `resume` or `fresh`, and one that a
//! flush would is in `dirty`. `serving` counts the slots that count; `held` is the sum of theirs.

pub mod admission;
pub mod conn;
pub mod ending;
pub mod net;
pub mod os;
pub mod pool;
pub mod recency;
pub mod transfer;

use slab::Slab;

use crate::base::{ConnId, Moment, Now};
use crate::config::Config;
use admission::Admission;
use conn::{Conn, Phase};
use net::{Edge, Net, Patience};
use pool::Pool;
use recency::Recency;

/// All connections, and the queues of work that is owed to them.
pub struct Reactor<N: Net> {
    net: N,
    slots: Slab<Conn<N::Socket>>,
    pool: Pool,
    admission: Admission<N::Socket>,
    /// By last byte in either direction: `timeout`.
    idle: Recency,
    /// By the first byte of a half request: `request-timeout`.
    request: Recency,
    /// By the last byte taken while replies were pending: `write-timeout`.
    stalled: Recency,
    /// By the start of lingering.
    linger: Recency,
    /// Owed a turn since before this tick.
    resume: Vec<u32>,
    /// Owed a turn since this tick's edges. Served before `resume`, so that one client's endless
    /// pipeline cannot make a newcomer wait.
    fresh: Vec<u32>,
    /// Owed a flush.
    dirty: Vec<u32>,
    doomed: Vec<u32>,
    /// Connections that count towards `maxclients`.
    serving: usize,
    /// Bytes of buffers held for all connections.
    held: usize,
    /// From so many bytes of output on, a client is not served until it takes some.
    output_pause_bytes: usize,
    /// The last eviction did not suffice.
    evicting: bool,
    next_serial: u64,
}

/// Lets a queue go on with the memory of the one that was taken out of it and worked off.
fn give_back(queue: &mut Vec<u32>, mut worked_off: Vec<u32>) {
    worked_off.clear();
    if queue.capacity() < worked_off.capacity() {
        worked_off.append(queue);
        *queue = worked_off;
    }
}

impl<N: Net> Reactor<N> {
    /// A reactor over `net`, which may already have connections waiting.
    pub fn new(net: N, config: &Config) -> Reactor<N> {
        let admission = Admission::new(net.listeners());
        Reactor {
            net,
            slots: Slab::new(),
            pool: Pool::new(config.bounds.lent_bytes, config.bounds.pool_spare_bytes_max),
            admission,
            idle: Recency::default(),
            request: Recency::default(),
            stalled: Recency::default(),
            linger: Recency::default(),
            resume: Vec::new(),
            fresh: Vec::new(),
            dirty: Vec::new(),
            doomed: Vec::new(),
            serving: 0,
            held: 0,
            output_pause_bytes: config.bounds.output_pause_bytes,
            evicting: false,
            next_serial: 1,
        }
    }

    /// Waits for edges: not at all if work is left over, else until the nearest of our own
    /// deadlines and `other`, else for ever.
    ///
    /// # Errors
    /// Only when waiting itself is broken.
    pub fn wait(
        &mut self,
        config: &Config,
        other: Option<Moment>,
        edges: &mut Vec<Edge>,
    ) -> std::io::Result<()> {
        let patience = match self.nearest_deadline(config).into_iter().chain(other).min() {
            _ if self.has_leftovers(config) => Patience::None,
            Some(deadline) => Patience::Until(deadline),
            None => Patience::Endless,
        };
        self.net.wait(patience, edges)
    }

    /// Reads both clocks.
    pub fn now(&mut self) -> Now {
        self.net.now()
    }

    fn has_leftovers(&self, config: &Config) -> bool {
        !self.resume.is_empty() || !self.dirty.is_empty() || self.evicting || self.could_accept(config)
    }

    fn nearest_deadline(&self, config: &Config) -> Option<Moment> {
        [
            self.idle.deadline(config.timeout_ms),
            self.request.deadline(config.request_timeout_ms),
            self.stalled.deadline(config.write_timeout_ms),
            self.linger.deadline(config.bounds.linger_ms),
            self.admission.retry_at().filter(|_| self.may_accept(config)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// A connection became ready: remembers it and queues what is owed.
    pub fn hear(&mut self, slot: u32, readable: bool, writable: bool, hides_more: bool) {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return };
        conn.can_read |= readable;
        conn.can_write |= writable;
        conn.hides_more |= hides_more;
        if !conn.queued && conn.wants_turn(self.output_pause_bytes) {
            conn.queued = true;
            self.fresh.push(slot);
        }
        self.note_dirty(slot);
    }

    /// Takes the queue of turns: fresh edges first, then what was left over. `turns` comes back
    /// through [`Reactor::return_turns`] so that its memory is kept.
    pub fn take_turns(&mut self) -> Vec<u32> {
        let mut turns = std::mem::take(&mut self.fresh);
        turns.append(&mut self.resume);
        for slot in &turns {
            if let Some(conn) = self.slots.get_mut(*slot as usize) {
                conn.queued = false;
            }
        }
        turns
    }

    /// Gives the emptied queue back.
    pub fn return_turns(&mut self, turns: Vec<u32>) {
        give_back(&mut self.fresh, turns);
    }

    /// Queues another turn if one would find work.
    pub fn note_turn(&mut self, slot: u32) {
        if let Some(conn) = self.slots.get_mut(slot as usize)
            && !conn.queued
            && conn.wants_turn(self.output_pause_bytes)
        {
            conn.queued = true;
            self.resume.push(slot);
        }
    }

    /// Queues a flush if one would find work.
    pub fn note_dirty(&mut self, slot: u32) {
        if let Some(conn) = self.slots.get_mut(slot as usize)
            && !conn.dirty
            && conn.wants_flush()
        {
            conn.dirty = true;
            self.dirty.push(slot);
        }
    }

    /// The connection in a slot.
    pub fn conn(&mut self, slot: u32) -> Option<&mut Conn<N::Socket>> {
        self.slots.get_mut(slot as usize)
    }

    /// What a connection has received and not been served; nothing if there is none.
    pub fn input(&self, slot: u32) -> &[u8] {
        self.slots.get(slot as usize).map_or(&[], |conn| conn.input.unread())
    }

    /// The slot of a connection, if it is the one of that name still.
    pub fn slot_of(&self, id: ConnId) -> Option<u32> {
        let conn = self.slots.get(id.slot as usize)?;
        (conn.serial == id.serial).then_some(id.slot)
    }

    /// The slots in use.
    pub fn live_slots(&self) -> Vec<u32> {
        self.slots.iter().map(|(slot, _)| slot as u32).collect()
    }

    /// Number of connections, those that are ending included.
    pub fn live(&self) -> usize {
        self.slots.len()
    }

    /// Number of connections that count towards `maxclients`.
    pub fn serving(&self) -> usize {
        self.serving
    }

    /// Bytes of buffers held for all connections, and spare ones.
    pub fn held_bytes(&self) -> usize {
        self.held + self.pool.spare_bytes()
    }

    /// The lists a served connection is on, as far as its half request says: the clock of a new
    /// half request starts, that of an old one runs on.
    pub fn note_request(&mut self, slot: u32, begun: bool, is_new: bool, now: Moment) {
        if !begun {
            self.request.remove(slot);
        } else if is_new || !self.request.contains(slot) {
            self.request.touch(slot, now);
        }
    }

    /// Takes back what a connection's buffers do not need and accounts for the rest; true if the
    /// account changed.
    pub fn settle_buffers(&mut self, slot: u32) -> bool {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return false };
        self.pool.settle(&mut conn.input);
        self.pool.settle(&mut conn.output);
        let held = conn.input.capacity() + conn.output.capacity() + conn.parser_bytes as usize;
        let changed = held != conn.held;
        self.held = self.held - conn.held + held;
        conn.held = held;
        changed
    }

    /// Lends a connection the buffers of a turn.
    pub fn lend_output(&mut self, slot: u32) -> bool {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return false };
        conn.output.capacity() > 0 || self.pool.lend(&mut conn.output).is_ok()
    }

    /// Asserts this room's invariants by walking all of it. For tests; between ticks.
    ///
    /// # Panics
    /// If one does not hold.
    pub fn audit(&self) {
        assert!(self.fresh.is_empty() && self.doomed.is_empty(), "a phase left its queue behind");
        for slot in self.resume.iter().chain(&self.dirty) {
            assert!(self.slots.contains(*slot as usize), "slot {slot}: queued for work and freed");
        }
        let (mut serving, mut held, mut refusals) = (0, 0, 0);
        for (slot, conn) in &self.slots {
            let slot = slot as u32;
            serving += usize::from(conn.counted);
            held += conn.held;
            refusals += usize::from(
                matches!(conn.phase, Phase::Finishing(r) | Phase::Lingering(r) if r == crate::base::Reason::AtCapacity),
            );
            let owned = conn.input.capacity() + conn.output.capacity() + conn.parser_bytes as usize;
            assert_eq!(conn.held, owned, "slot {slot}: the account of its buffers is off");
            assert_eq!(conn.queued, self.resume.contains(&slot), "slot {slot}: lost in the resume queue");
            assert_eq!(conn.dirty, self.dirty.contains(&slot), "slot {slot}: lost in the dirty queue");
            assert!(
                conn.queued || !conn.wants_turn(self.output_pause_bytes),
                "slot {slot}: owed a turn nobody will give: {:?}",
                conn.phase
            );
            assert!(conn.dirty || !conn.wants_flush(), "slot {slot}: owed a flush nobody will give");
            assert!(!matches!(conn.phase, Phase::Doomed(_)), "slot {slot}: survived the reaping");
            let lingering = matches!(conn.phase, Phase::Lingering(_));
            assert_eq!(self.linger.contains(slot), lingering, "slot {slot}: linger list");
            assert_eq!(self.idle.contains(slot), !lingering, "slot {slot}: idle list");
            assert_eq!(self.stalled.contains(slot), !conn.output.is_empty(), "slot {slot}: stalled list");
        }
        assert_eq!(serving, self.serving, "the count of clients is off");
        assert_eq!(held, self.held, "the account of all buffers is off");
        assert_eq!(refusals, self.admission.refusals(), "the count of refusals is off");
    }
}
