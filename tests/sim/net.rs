//! The world as the reactor sees it. It reports as few edges as edge-triggered epoll may report.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;

use rand::RngExt;
use rand::seq::SliceRandom;
use tidegate::base::{Clock, Moment, Now, Peer};
use tidegate::reactor::net::{Edge, Net, Patience};

use crate::story::quoted;
use crate::world::{Pending, World};

thread_local! {
    /// The world of the run that this thread is in.
    static SIMULATED: RefCell<Option<Rc<RefCell<World>>>> = const { RefCell::new(None) };
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
        world.dawdle();
        let (now_ns, tick_ns, unix_ms) = (world.now_ns, world.tick_ns, world.unix_ms);
        let tick = world.tick_starts_ms.len() - 1;
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
        pipe.reads.push((pipe.read_total, tick, unix_ms));
        (pipe.moved_ns, pipe.moved_tick_ns) = (now_ns, tick_ns);
        let pipe = self.pipe;
        world.story.tell(|| format!("  turns   reads {count} bytes from connection {pipe}"));
        Ok(count)
    }
}

impl<const HONEST: bool> Write for SimSocket<HONEST> {
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.world.borrow_mut().count("write of several pieces");
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        self.write(&bytes)
    }

    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut world = self.world.borrow_mut();
        if world.roll(|faults| faults.interrupted, "interrupted write") {
            return Err(ErrorKind::Interrupted.into());
        }
        let short = world.roll(|faults| faults.short, "short write");
        let cut = if short { world.rng.random_range(1..=buf.len()) } else { buf.len() };
        let (now_ns, tick_ns) = (world.now_ns, world.tick_ns);
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
        (pipe.moved_ns, pipe.moved_tick_ns) = (now_ns, tick_ns);
        let pipe = self.pipe;
        world.story.tell(|| format!("  flush   writes to connection {pipe}: {}", quoted(&buf[..count])));
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
        for listener in 0..world.listener_pending.len() {
            if std::mem::take(&mut world.listener_pending[listener]) && world.listening {
                edges.push(Edge::Listener(listener));
            }
        }
        for index in 0..world.pipes.len() {
            let Some(slot) = world.pipes[index].slot else { continue };
            // In the middle of a tick it would look as if something were owed.
            if world.begins_tick && world.roll(|faults| faults.spurious, "spurious edge") {
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
            // A wait may end early, as it does at a signal, but never late.
            // (The scripts' keys expire after decades, and the model does not follow them there.)
            let ms = if world.rng.random_bool(0.5) { world.rng.random_range(0..=ms) } else { ms }.min(60_000);
            world.advance_ms(ms);
        }
        Ok(())
    }

    fn now(&mut self) -> Now {
        let mut world = self.0.borrow_mut();
        let now = world.now();
        // Later it asks again, while a script runs long.
        if std::mem::take(&mut world.begins_tick) {
            let unix_ms = world.unix_ms;
            world.tick_ns = world.now_ns;
            world.tick_starts_ms.push(unix_ms);
        }
        now
    }

    fn clock(&self) -> Clock {
        // A clock may be handed to other threads, which this world may not.
        SIMULATED.set(Some(Rc::clone(&self.0)));
        Clock::new(|| {
            SIMULATED.with_borrow(|world| {
                let mut world = world.as_ref().expect("a run has begun").borrow_mut();
                world.dawdle();
                world.now()
            })
        })
    }

    fn waiting(&self, socket: &Self::Socket) -> usize {
        let pipe = &mut self.0.borrow_mut().pipes[socket.pipe];
        pipe.last_look = Some(pipe.read_total + pipe.to_server.len());
        pipe.to_server.len()
    }

    fn listeners(&self) -> usize {
        self.0.borrow().backlogs.len()
    }

    fn accept(&mut self, listener: usize) -> io::Result<(Self::Socket, Peer)> {
        let mut world = self.0.borrow_mut();
        if !world.listening || world.backlogs[listener].is_empty() {
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
        let pipe = world.backlogs[listener].pop_front().expect("checked above");
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
        let (now_ns, tick_ns) = (world.now_ns, world.tick_ns);
        let pipe = &mut world.pipes[socket.pipe];
        (pipe.moved_ns, pipe.moved_tick_ns) = (now_ns, tick_ns);
        pipe.slot = Some(slot);
        world.story.tell(|| format!("  admit   lets connection {} in, slot {slot}", socket.pipe));
        let pipe = &mut world.pipes[socket.pipe];
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
        world
            .story
            .tell(|| format!("  flush   has paid connection {} and shuts its write side", socket.pipe));
        Ok(())
    }

    fn forget(&mut self, socket: Self::Socket) {
        let mut world = self.0.borrow_mut();
        let world = &mut *world;
        let pipe = &mut world.pipes[socket.pipe];
        pipe.closed = true;
        pipe.slot = None;
        world.story.tell(|| format!("  reap    frees connection {}", socket.pipe));
        let pipe = &mut world.pipes[socket.pipe];
        if !pipe.to_server.is_empty() && !pipe.reset {
            pipe.server_reset = true;
            let kept = world.rng.random_range(0..=pipe.to_client.len());
            pipe.to_client.truncate(kept);
        }
    }

    fn stop_listening(&mut self) {
        let mut world = self.0.borrow_mut();
        world.story.tell(|| "  hear    stops listening".to_owned());
        world.close_listeners();
    }
}
