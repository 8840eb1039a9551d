//! The world that the reactor lives in under simulation: connections, time and signals decided by a
//! seed. How the reactor sees it is in `net`.

use std::collections::{BTreeMap, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tidegate::base::{Moment, Now};
use tidegate::reactor::net::{Edge, Patience};

use crate::story::{Story, quoted};
use crate::times::START_MS;

/// How likely each fault is, in thousandths; drawn per seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub interrupted: u32,
    pub short: u32,
    pub spurious: u32,
    pub delayed: u32,
    pub watch_fails: u32,
    pub aborted: u32,
    pub urgent: u32,
    /// A look at the clock or a read takes milliseconds.
    pub slow: u32,
}

/// What is pending for one socket and has not been reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pending {
    pub readable: bool,
    pub writable: bool,
    pub hides_more: bool,
    pub peer_closed: bool,
}

/// One connection, with the kernel's two buffers between client and server.
#[derive(Debug)]
pub struct Pipe {
    pub to_server: VecDeque<u8>,
    pub to_client: VecDeque<u8>,
    to_server_max: usize,
    to_client_max: usize,
    /// The client has shut its write side.
    pub client_fin: bool,
    /// The server has read that.
    pub fin_read: bool,
    /// The client has reset the connection.
    pub reset: bool,
    /// The server has shut its write side.
    pub server_fin: bool,
    /// The server has closed it.
    pub closed: bool,
    /// The server closed it with unread input: what the client had not read yet may be lost.
    pub server_reset: bool,
    pub slot: Option<u32>,
    pub pending: Pending,
    pub write_refused: bool,
    pub urgent: bool,
    /// Bytes the server has read.
    pub read_total: usize,
    /// The same as of when it shut its write side.
    pub read_at_fin: Option<usize>,
    /// Bytes the server has written.
    pub written_total: usize,
    /// When the server last moved a byte in either direction.
    pub moved_ns: u64,
    /// The start of the tick in which it did.
    pub moved_tick_ns: u64,
    /// The same as of the tick before.
    pub moved_before_ns: u64,
    /// Up to which byte the server had read when: total, tick, Unix milliseconds.
    pub reads: Vec<(usize, usize, u64)>,
    /// How many bytes the server may read from it in all, since its last look in a drain.
    pub last_look: Option<usize>,
    /// Its `CLIENT ID`, once it has one.
    pub serial: Option<u64>,
    /// It ended before the server had a connection for it.
    pub never_served: bool,
}

impl Pipe {
    pub fn room_to_client(&self) -> usize {
        self.to_client_max - self.to_client.len()
    }

    /// A read would not block.
    pub fn readable(&self) -> bool {
        !self.to_server.is_empty() || self.reset || self.client_fin && !self.fin_read
    }
}

pub struct World {
    pub rng: StdRng,
    pub now_ns: u64,
    pub unix_ms: u64,
    pub pipes: Vec<Pipe>,
    /// Connections that wait to be accepted, at each listener.
    pub backlogs: Vec<VecDeque<usize>>,
    pub listening: bool,
    /// Listeners of which an edge is pending.
    pub listener_pending: Vec<bool>,
    pub no_descriptors: bool,
    /// Clients send long requests, so the kernel's buffers are not too short for them.
    pub long_requests: bool,
    pub faults: Faults,
    pub signals: Vec<Edge>,
    pub patience: Patience,
    /// The server has not been told yet when this tick begins.
    pub begins_tick: bool,
    /// The start of this tick, as the server was told.
    pub tick_ns: u64,
    /// The same of each tick, Unix milliseconds.
    pub tick_starts_ms: Vec<u64>,
    /// The end of each tick.
    pub tick_ends_ms: Vec<u64>,
    /// The start and the end of each tick by the clock that never jumps, ns.
    pub tick_spans_ns: Vec<(u64, u64)>,
    /// How often each fault was injected.
    pub injected: BTreeMap<&'static str, u64>,
    /// What happens, for those who want to hear it.
    pub story: Story,
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut rng = StdRng::seed_from_u64(seed);
        let listeners = rng.random_range(1..4);
        World {
            rng,
            now_ns: 1,
            unix_ms: START_MS,
            pipes: Vec::new(),
            backlogs: vec![VecDeque::new(); listeners],
            listening: true,
            listener_pending: vec![false; listeners],
            no_descriptors: false,
            long_requests: false,
            faults: Faults::default(),
            signals: Vec::new(),
            patience: Patience::None,
            begins_tick: true,
            tick_ns: 1,
            tick_starts_ms: Vec::new(),
            tick_ends_ms: Vec::new(),
            tick_spans_ns: Vec::new(),
            injected: BTreeMap::new(),
            story: Story::default(),
        }
    }

    /// A tick begins in the story.
    pub fn open_tick(&mut self) {
        let (tick, ms) = (self.tick_starts_ms.len(), self.now_ns / 1_000_000);
        self.story.open(tick, ms);
        self.begins_tick = true;
    }

    /// Something takes long while the server runs a tick.
    pub fn dawdle(&mut self) {
        if self.roll(|faults| faults.slow, "slow tick") {
            let ms = self.rng.random_range(1..4);
            self.advance_ms(ms);
        }
    }

    pub fn now(&self) -> Now {
        Now { at: Moment::from_nanos(self.now_ns), unix_ms: self.unix_ms, unix_us: self.unix_ms * 1_000 }
    }

    pub fn count(&mut self, what: &'static str) {
        *self.injected.entry(what).or_default() += 1;
    }

    pub fn roll(&mut self, fault: fn(&Faults) -> u32, what: &'static str) -> bool {
        let thousandths = fault(&self.faults);
        let hit = thousandths > 0 && self.rng.random_range(0..1000) < thousandths;
        if hit {
            self.count(what);
            self.story.tell(|| format!("  world   {what}"));
        }
        hit
    }

    pub fn advance_ms(&mut self, ms: u64) {
        self.now_ns += ms * 1_000_000;
        self.unix_ms += ms;
    }

    /// A client connects; `None` if it is refused.
    pub fn connect(&mut self) -> Option<usize> {
        if !self.listening {
            return None;
        }
        let listener = self.rng.random_range(0..self.backlogs.len());
        if listener > 0 {
            self.count("connection by another listener");
        }
        self.listener_pending[listener] |= self.backlogs[listener].is_empty();
        // A fresh kernel buffer takes at least a short line, and the refusal of a flood relies on it.
        let to_client_max = 1 << self.rng.random_range(6..13);
        let to_server_max = 1 << self.rng.random_range(if self.long_requests { 9..13 } else { 0..13 });
        let now_ns = self.now_ns;
        self.pipes.push(Pipe {
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            to_server_max,
            to_client_max,
            client_fin: false,
            fin_read: false,
            reset: false,
            server_fin: false,
            closed: false,
            server_reset: false,
            slot: None,
            pending: Pending::default(),
            write_refused: false,
            urgent: false,
            read_total: 0,
            read_at_fin: None,
            written_total: 0,
            moved_ns: now_ns,
            moved_tick_ns: now_ns,
            moved_before_ns: now_ns,
            reads: Vec::new(),
            last_look: None,
            serial: None,
            never_served: false,
        });
        self.backlogs[listener].push_back(self.pipes.len() - 1);
        let pipe = self.pipes.len() - 1;
        self.story.tell(|| format!("  world   connection {pipe} waits at listener {listener}"));
        Some(self.pipes.len() - 1)
    }

    /// The kernel closes the listeners, and resets the connections that nobody has accepted.
    pub fn close_listeners(&mut self) {
        self.listening = false;
        let waiting: Vec<usize> = self.backlogs.iter_mut().flat_map(|waiting| waiting.drain(..)).collect();
        for pipe in waiting {
            let pipe = &mut self.pipes[pipe];
            (pipe.closed, pipe.server_reset, pipe.never_served) = (true, true, true);
        }
    }

    /// A client sends; returns how much the kernel took.
    pub fn send(&mut self, number: usize, bytes: &[u8]) -> usize {
        let urgent = self.roll(|faults| faults.urgent, "urgent data");
        let pipe = &mut self.pipes[number];
        if pipe.closed || pipe.reset {
            return bytes.len();
        }
        let count = bytes.len().min(pipe.to_server_max - pipe.to_server.len());
        if count > 0 {
            // An edge only for a change: from nothing to something.
            pipe.pending.readable |= pipe.to_server.is_empty();
            pipe.to_server.extend(&bytes[..count]);
        }
        if urgent {
            pipe.urgent = true;
            pipe.pending.readable = true;
            pipe.pending.hides_more = true;
        }
        if count > 0 {
            self.story.tell(|| format!("  world   connection {number} sends {}", quoted(&bytes[..count])));
        }
        count
    }

    /// A client takes up to `max` bytes of what the server has written.
    pub fn take(&mut self, number: usize, max: usize) -> Vec<u8> {
        let pipe = &mut self.pipes[number];
        let count = max.min(pipe.to_client.len());
        let taken: Vec<u8> = pipe.to_client.drain(..count).collect();
        if count > 0 && pipe.write_refused {
            pipe.write_refused = false;
            pipe.pending.writable = true;
        }
        if count > 0 {
            self.story.tell(|| format!("  world   connection {number} takes {}", quoted(&taken)));
        }
        taken
    }

    pub fn half_close(&mut self, number: usize) {
        let pipe = &mut self.pipes[number];
        if !pipe.client_fin {
            pipe.client_fin = true;
            pipe.pending.readable = true;
            pipe.pending.hides_more = true;
            pipe.pending.peer_closed = true;
            self.story.tell(|| format!("  world   connection {number} closes its side"));
        }
    }

    pub fn reset(&mut self, pipe: usize) {
        self.count("reset by client");
        self.story.tell(|| format!("  world   connection {pipe} is reset by its client"));
        let pipe = &mut self.pipes[pipe];
        pipe.reset = true;
        pipe.to_server.clear();
        pipe.to_client.clear();
        pipe.pending = Pending { readable: true, writable: true, hides_more: true, peer_closed: true };
    }

    /// True if a wait would return at once.
    pub fn has_pending(&self) -> bool {
        self.listener_pending.contains(&true) && self.listening
            || !self.signals.is_empty()
            || self
                .pipes
                .iter()
                .any(|pipe| pipe.slot.is_some() && (pipe.pending.readable || pipe.pending.writable))
    }
}
