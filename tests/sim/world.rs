//! The world that the reactor lives in under simulation: sockets, time and signals decided by a
//! seed, as stingy with edges as epoll in edge-triggered mode is allowed to be.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tidegate::base::{Clock, Moment, Now, Peer};
use tidegate::reactor::net::{Edge, Net, Patience};

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
}

/// What is pending for one socket and has not been reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pending {
    pub readable: bool,
    pub writable: bool,
    hides_more: bool,
    peer_closed: bool,
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
    write_refused: bool,
    urgent: bool,
    /// Bytes the server has read.
    pub read_total: usize,
    /// The same as of when it shut its write side.
    pub read_at_fin: Option<usize>,
    /// Bytes the server has written.
    pub written_total: usize,
    /// When the server last moved a byte in either direction.
    pub moved_ns: u64,
    /// The same as of the tick before.
    pub moved_before_ns: u64,
    /// It ended before it was anybody's connection.
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

thread_local! {
    /// The world of the run that this thread is in.
    static SIMULATED: RefCell<Option<Rc<RefCell<World>>>> = const { RefCell::new(None) };
}

pub struct World {
    pub rng: StdRng,
    pub now_ns: u64,
    pub unix_ms: u64,
    pub pipes: Vec<Pipe>,
    pub backlog: VecDeque<usize>,
    pub listening: bool,
    listener_pending: bool,
    pub no_descriptors: bool,
    pub faults: Faults,
    pub signals: Vec<Edge>,
    pub patience: Patience,
    /// How often each fault was injected.
    pub injected: BTreeMap<&'static str, u64>,
}

impl World {
    pub fn new(seed: u64) -> World {
        World {
            rng: StdRng::seed_from_u64(seed),
            now_ns: 1,
            unix_ms: 1_700_000_000_000,
            pipes: Vec::new(),
            backlog: VecDeque::new(),
            listening: true,
            listener_pending: false,
            no_descriptors: false,
            faults: Faults::default(),
            signals: Vec::new(),
            patience: Patience::None,
            injected: BTreeMap::new(),
        }
    }

    fn now(&self) -> Now {
        Now { at: Moment::from_nanos(self.now_ns), unix_ms: self.unix_ms, unix_us: self.unix_ms * 1_000 }
    }

    pub fn count(&mut self, what: &'static str) {
        *self.injected.entry(what).or_default() += 1;
    }

    fn roll(&mut self, fault: fn(&Faults) -> u32, what: &'static str) -> bool {
        let thousandths = fault(&self.faults);
        let hit = thousandths > 0 && self.rng.random_range(0..1000) < thousandths;
        if hit {
            self.count(what);
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
        self.listener_pending |= self.backlog.is_empty();
        // A fresh kernel buffer takes at least a short line, and the refusal of a flood relies on it.
        let to_client_max = 1 << self.rng.random_range(6..13);
        let to_server_max = 1 << self.rng.random_range(0..13);
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
            moved_before_ns: now_ns,
            never_served: false,
        });
        self.backlog.push_back(self.pipes.len() - 1);
        Some(self.pipes.len() - 1)
    }

    /// A client sends; returns how much the kernel took.
    pub fn send(&mut self, pipe: usize, bytes: &[u8]) -> usize {
        let urgent = self.roll(|faults| faults.urgent, "urgent data");
        let pipe = &mut self.pipes[pipe];
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
        count
    }

    /// A client takes up to `max` bytes of what the server has written.
    pub fn take(&mut self, pipe: usize, max: usize) -> Vec<u8> {
        let pipe = &mut self.pipes[pipe];
        let count = max.min(pipe.to_client.len());
        let taken: Vec<u8> = pipe.to_client.drain(..count).collect();
        if count > 0 && pipe.write_refused {
            pipe.write_refused = false;
            pipe.pending.writable = true;
        }
        taken
    }

    pub fn half_close(&mut self, pipe: usize) {
        let pipe = &mut self.pipes[pipe];
        if !pipe.client_fin {
            pipe.client_fin = true;
            pipe.pending.readable = true;
            pipe.pending.hides_more = true;
            pipe.pending.peer_closed = true;
        }
    }

    pub fn reset(&mut self, pipe: usize) {
        self.count("reset by client");
        let pipe = &mut self.pipes[pipe];
        pipe.reset = true;
        pipe.to_server.clear();
        pipe.to_client.clear();
        pipe.pending = Pending { readable: true, writable: true, hides_more: true, peer_closed: true };
    }

    /// True if a wait would return at once.
    pub fn has_pending(&self) -> bool {
        self.listener_pending && self.listening
            || !self.signals.is_empty()
            || self
                .pipes
                .iter()
                .any(|pipe| pipe.slot.is_some() && (pipe.pending.readable || pipe.pending.writable))
    }
}

/// The world as a [`Net`]. With `HONEST` a short read means that the socket is empty, as on Linux;
/// without it nothing does.
pub struct SimNet<const HONEST: bool>(pub Rc<RefCell<World>>);

pub struct SimSocket<const HONEST: bool> {
    world: Rc<RefCell<World>>,
    pipe: usize,
}

impl<const HONEST: bool> Read for SimSocket<HONEST> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        assert!(!buf.is_empty(), "an empty read looks like the end of the stream");
        let mut world = self.world.borrow_mut();
        if world.roll(|faults| faults.interrupted, "interrupted read") {
            return Err(ErrorKind::Interrupted.into());
        }
        let may_be_short = !HONEST || world.pipes[self.pipe].urgent;
        let short = may_be_short && world.roll(|faults| faults.short, "short read");
        let cut = if short { world.rng.random_range(1..=buf.len()) } else { buf.len() };
        let now_ns = world.now_ns;
        let pipe = &mut world.pipes[self.pipe];
        if pipe.reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if pipe.to_server.is_empty() {
            pipe.fin_read = pipe.client_fin;
            return if pipe.client_fin { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let count = pipe.to_server.len().min(cut);
        for (to, from) in buf.iter_mut().zip(pipe.to_server.drain(..count)) {
            *to = from;
        }
        pipe.read_total += count;
        pipe.moved_ns = now_ns;
        Ok(count)
    }
}

impl<const HONEST: bool> Write for SimSocket<HONEST> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut world = self.world.borrow_mut();
        if world.roll(|faults| faults.interrupted, "interrupted write") {
            return Err(ErrorKind::Interrupted.into());
        }
        let short = world.roll(|faults| faults.short, "short write");
        let cut = if short { world.rng.random_range(1..=buf.len()) } else { buf.len() };
        let now_ns = world.now_ns;
        let pipe = &mut world.pipes[self.pipe];
        assert!(!pipe.server_fin, "wrote after shutting the write side");
        if pipe.reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = cut.min(pipe.room_to_client());
        if count == 0 {
            pipe.write_refused = true;
            world.count("refused write");
            return Err(ErrorKind::WouldBlock.into());
        }
        pipe.to_client.extend(&buf[..count]);
        pipe.written_total += count;
        pipe.moved_ns = now_ns;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<const HONEST: bool> Net for SimNet<HONEST> {
    type Socket = SimSocket<HONEST>;

    const SHORT_READ_MEANS_EMPTY: bool = HONEST;

    fn wait(&mut self, patience: Patience, edges: &mut Vec<Edge>) -> io::Result<()> {
        let mut guard = self.0.borrow_mut();
        let world = &mut *guard;
        world.patience = patience;
        if world.roll(|faults| faults.interrupted, "interrupted wait") {
            return Ok(());
        }
        edges.append(&mut world.signals);
        if std::mem::take(&mut world.listener_pending) && world.listening {
            edges.push(Edge::Listener(0));
        }
        for index in 0..world.pipes.len() {
            let Some(slot) = world.pipes[index].slot else { continue };
            if world.roll(|faults| faults.spurious, "spurious edge") {
                edges.push(Edge::Ready {
                    slot,
                    readable: true,
                    writable: true,
                    hides_more: false,
                    peer_closed: false,
                });
            }
            let Pending { readable, writable, hides_more, peer_closed } = world.pipes[index].pending;
            if !readable && !writable || world.roll(|faults| faults.delayed, "delayed edge") {
                continue;
            }
            world.pipes[index].pending = Pending::default();
            edges.push(Edge::Ready { slot, readable, writable, hides_more, peer_closed });
        }
        edges.shuffle(&mut world.rng);
        if edges.is_empty()
            && let Patience::Until(deadline) = patience
            && world.rng.random_bool(0.5)
        {
            let ms = deadline.since(Moment::from_nanos(world.now_ns)).as_nanos().div_ceil(1_000_000) as u64;
            // A wait may end early, as a signal ends it; never later than it must.
            // (The scripts' keys expire after decades, and the model does not follow them there.)
            let ms = if world.rng.random_bool(0.5) { world.rng.random_range(0..=ms) } else { ms }.min(60_000);
            world.advance_ms(ms);
        }
        Ok(())
    }

    fn now(&mut self) -> Now {
        self.0.borrow().now()
    }

    fn clock(&self) -> Clock {
        // A clock may be handed to other threads, which this world may not.
        SIMULATED.set(Some(Rc::clone(&self.0)));
        Clock::new(|| SIMULATED.with_borrow(|world| world.as_ref().expect("a run has begun").borrow().now()))
    }

    fn waiting(&self, socket: &Self::Socket) -> usize {
        self.0.borrow().pipes[socket.pipe].to_server.len()
    }

    fn listeners(&self) -> usize {
        1
    }

    fn accept(&mut self, _: usize) -> io::Result<(Self::Socket, Peer)> {
        let mut world = self.0.borrow_mut();
        if !world.listening || world.backlog.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if world.no_descriptors {
            world.count("no descriptors");
            const EMFILE: i32 = 24;
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        if world.roll(|faults| faults.interrupted, "interrupted accept") {
            return Err(ErrorKind::Interrupted.into());
        }
        let pipe = world.backlog.pop_front().expect("checked above");
        if world.roll(|faults| faults.aborted, "aborted accept") {
            let pipe = &mut world.pipes[pipe];
            (pipe.closed, pipe.server_reset, pipe.never_served) = (true, true, true);
            return Err(ErrorKind::ConnectionAborted.into());
        }
        let address = SocketAddr::from(([127, 0, 0, 1], (pipe % 60_000) as u16));
        Ok((SimSocket { world: Rc::clone(&self.0), pipe }, Peer::from(address)))
    }

    fn watch(&mut self, socket: &mut Self::Socket, slot: u32) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        if world.roll(|faults| faults.watch_fails, "refused registration") {
            world.pipes[socket.pipe].never_served = true;
            return Err(ErrorKind::OutOfMemory.into());
        }
        assert!(world.pipes.iter().all(|pipe| pipe.slot != Some(slot)), "two connections in one slot");
        let now_ns = world.now_ns;
        let pipe = &mut world.pipes[socket.pipe];
        pipe.moved_ns = now_ns;
        pipe.slot = Some(slot);
        let ends = pipe.client_fin || pipe.reset;
        pipe.pending = Pending {
            readable: pipe.readable(),
            writable: true,
            hides_more: ends || pipe.urgent,
            peer_closed: ends,
        };
        Ok(())
    }

    fn shut_write(&mut self, socket: &Self::Socket) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let pipe = &mut world.pipes[socket.pipe];
        if pipe.reset {
            return Err(ErrorKind::NotConnected.into());
        }
        if !pipe.client_fin {
            world.count("half-close by the server");
        }
        let pipe = &mut world.pipes[socket.pipe];
        pipe.server_fin = true;
        pipe.read_at_fin = Some(pipe.read_total);
        Ok(())
    }

    fn forget(&mut self, socket: Self::Socket) {
        let mut world = self.0.borrow_mut();
        let world = &mut *world;
        let pipe = &mut world.pipes[socket.pipe];
        pipe.closed = true;
        pipe.slot = None;
        if !pipe.to_server.is_empty() && !pipe.reset {
            pipe.server_reset = true;
            let kept = world.rng.random_range(0..=pipe.to_client.len());
            pipe.to_client.truncate(kept);
        }
    }

    fn stop_listening(&mut self) {
        let mut world = self.0.borrow_mut();
        world.listening = false;
        let waiting: Vec<usize> = world.backlog.drain(..).collect();
        for pipe in waiting {
            let pipe = &mut world.pipes[pipe];
            (pipe.closed, pipe.server_reset, pipe.never_served) = (true, true, true);
        }
    }
}
