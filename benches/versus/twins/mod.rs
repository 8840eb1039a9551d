//! The twins: the daemon's own protocol, service and store behind other transports.
//!
//! Each twin is written as its community would write a server that is to be kept: a task (or a
//! thread) a connection with its own read buffer, one write a batch of replies, an idle timeout and
//! a write timeout that cost nothing while data flows, a cap on connections, a drain on SIGTERM. No
//! twin may know anything of the daemon's `reactor` and `server`.
//!
//! This file has what is not transport: [`Core`] opens, serves and closes sessions behind the same
//! panic fence as the daemon's. Left out, because it would need each runtime's own way for one
//! connection to reach another and no scenario uses it: `CLIENT KILL` and `CLIENT NO-EVICT`. Expired
//! keys go when a client asks for them, or with the next turn of any client.

#[cfg(target_os = "linux")]
mod monoio;
mod smol;
mod threads;
mod tokio;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, raise};
use slab::Slab;
use socket2::{Domain, Socket, Type};
use tidegate::base::{Buf, Clock, ConnId, Moment, NoWires, Now, Peer, Reason};
use tidegate::config::Config;
use tidegate::fence;
use tidegate::reactor::os::provide_descriptors;
use tidegate::service::Service;
use tidegate::service::goodbye::goodbye;
use tidegate::service::outbox::Ask;
use tidegate::service::turn::{Ended, Progress, Turn};
use tidegate::service::world::World;

/// First size of a connection's read buffer; what most such servers start with.
const READ_BYTES: usize = 4 << 10;
/// A read buffer doubles as long as reads fill it, up to this.
const READ_BYTES_MAX: usize = 64 << 10;
/// The line for a client that comes when the cap is reached.
const FULL: &[u8] = b"-ERR max number of clients reached\r\n";
/// How long late input is discarded after the last reply, so that no reset eats it.
const LINGER: Duration = Duration::from_secs(1);
/// How often a drain looks whether everybody has left.
const DRAIN_LOOK: Duration = Duration::from_millis(5);
/// Pause before accepting again when that has failed.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// All twins, by the names they have on the command line and in the report.
pub const TWINS: &[(&str, &str)] = &[
    ("tokio", "tokio, current-thread runtime, a task a connection"),
    ("tokio-mt", "tokio, multi-thread runtime, a task a connection"),
    ("smol", "smol, LocalExecutor, a task a connection"),
    #[cfg(target_os = "linux")]
    ("monoio", "monoio on io_uring, a task a connection"),
    ("threads", "a thread a connection, blocking reads"),
];

/// Serves as the twin of that name until SIGTERM or SIGINT and the drain that follows.
///
/// # Errors
/// If it cannot start.
pub fn serve(name: &str, port: u16) -> io::Result<()> {
    let listener = listen(port)?;
    let address = listener.local_addr()?;
    let core = Core::new(address);
    println!("listening on {address}");
    io::stdout().flush()?;
    match name {
        "tokio" => tokio::serve_on_one_thread(listener, core),
        "tokio-mt" => tokio::serve_on_many_threads(listener, core),
        "smol" => smol::serve(listener, core),
        #[cfg(target_os = "linux")]
        "monoio" => monoio::serve(listener, core),
        "threads" => threads::serve(listener, core),
        _ => Err(io::Error::other(format!("there is no twin '{name}'"))),
    }
}

/// A listener like the daemon's: accepted sockets inherit that small replies leave at once.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    socket.listen(i32::try_from(Config::default().tcp_backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// What a session does after a turn, once it has written what is in its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Wait for more input.
    Read,
    /// Let others go first, then take another turn.
    Again,
    /// Say goodbye.
    Close,
}

/// What all connections of a twin share.
struct Core {
    service: Service,
    started: Instant,
    slots: Slab<()>,
    serial: u64,
}

impl Core {
    fn new(address: SocketAddr) -> Core {
        let mut config = Config { port: address.port(), ..Config::default() };
        let _ = provide_descriptors(&mut config);
        let started = Instant::now();
        let seed = RandomState::new().hash_one(std::process::id());
        let clock = Clock::new(move || now(started, Instant::now()));
        Core {
            service: Service::new(seed, config, clock, vec![address.into()]),
            started,
            slots: Slab::new(),
            serial: 0,
        }
    }

    /// Begins a session, unless as many are open as may be.
    fn open(&mut self, peer: SocketAddr) -> Option<ConnId> {
        let world = &mut self.service.world;
        world.stats.accepted += 1;
        if self.slots.len() >= world.config.maxclients as usize {
            world.stats.rejected += 1;
            return None;
        }
        world.refresh();
        self.serial += 1;
        let me = ConnId { slot: self.slots.insert(()) as u32, serial: self.serial };
        self.service.open(me, Peer::from(peer), 0);
        self.service.world.stats.present.clients = self.slots.len();
        Some(me)
    }

    /// Ends a session.
    fn close(&mut self, me: ConnId) {
        self.service.close(me.slot);
        self.slots.remove(me.slot as usize);
        self.service.world.stats.present.clients = self.slots.len();
    }

    /// One fenced turn over what is in `input`; replies go to `output`.
    fn turn(&mut self, me: ConnId, at: Instant, input: &mut Buf, output: &mut Buf) -> Next {
        let World { store, config, now: stamp, .. } = &mut self.service.world;
        *stamp = now(self.started, at);
        if store.next_expiry().is_some_and(|due| due <= stamp.unix_ms) {
            store.sweep(stamp.unix_ms, config.bounds.expiries_per_tick);
        }
        let input_max = config.client_query_buffer_limit;
        let mut progress = Progress { output: output.len(), ..Progress::default() };
        let turn = Turn { me, input: input.unread(), output, wires: &NoWires };
        let outcome = fence::run(|| self.service.turn(turn, &mut progress));
        input.consume(progress.consumed);
        let next = match outcome {
            Ok(Ended::Hungry { .. }) if input.len() >= input_max => {
                let _ = output.extend(goodbye(Reason::QueryBufferLimit));
                Next::Close
            }
            Ok(Ended::Hungry { .. }) => Next::Read,
            Ok(Ended::Budget | Ended::Paused | Ended::Parked) => Next::Again,
            Ok(Ended::Close(_)) => Next::Close,
            Err(_) => {
                self.service.world.stats.panics += 1;
                self.service.world.outbox.forget_half_done(progress.asks);
                output.truncate(progress.output);
                let _ = output.extend(goodbye(Reason::Panicked));
                Next::Close
            }
        };
        self.answer_asks();
        next
    }

    /// Of what commands ask about others only `SHUTDOWN` is done: as a signal would have it.
    fn answer_asks(&mut self) {
        for ask in self.service.world.outbox.take() {
            if matches!(ask, Ask::Quit { .. }) {
                let _ = raise(Signal::SIGTERM);
            }
        }
    }

    fn live(&self) -> usize {
        self.slots.len()
    }

    /// How long a client may be silent, and how long it may take none of its replies.
    fn timeouts(&self) -> (Duration, Duration) {
        (
            Duration::from_millis(self.service.world.config.timeout_ms),
            Duration::from_millis(self.service.world.config.write_timeout_ms),
        )
    }

    fn shutdown_timeout(&self) -> Duration {
        Duration::from_millis(self.service.world.config.shutdown_timeout_ms)
    }
}

fn now(started: Instant, at: Instant) -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now {
        at: Moment::from_nanos((at - started).as_nanos() as u64),
        unix_ms: unix.as_millis() as u64,
        unix_us: unix.as_micros() as u64,
    }
}

/// Makes room for the next read; `filled` if the last one left none.
fn make_room(input: &mut Buf, filled: bool) -> io::Result<()> {
    let wanted = if filled { (2 * input.capacity()).min(READ_BYTES_MAX) } else { READ_BYTES };
    if input.is_empty() && input.capacity() < wanted || input.spare().is_empty() {
        input.reserve(wanted.max(input.len())).map_err(|_| io::ErrorKind::OutOfMemory)?;
    }
    Ok(())
}
