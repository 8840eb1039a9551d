//! The twins: the daemon's own protocol, service and store behind other transports.
//!
//! Each twin is written as users of its runtime would write a server for production. Each connection has a
//! task or a thread and a read buffer of its own. A batch of replies takes one write. An idle timeout and a
//! write timeout cost nothing while data flows. There is a limit on connections, and SIGTERM starts a drain.
//! A twin must not use anything of the daemon's `reactor` and `server`, except for one start-up call: it
//! raises the limit on descriptors as the daemon does.
//!
//! This file has everything that is not transport: [`Core`] opens, serves and closes sessions, behind the
//! same panic fence as the daemon's. When a command asks for something beyond its own connection, a twin does
//! only `SHUTDOWN`, because each runtime would need its own way to reach another connection. So a twin
//! delivers no published messages to other clients, `CLIENT KILL` closes no other client, and
//! `CLIENT NO-EVICT` has no effect. A key that has expired is removed when a command names it, or before the
//! next turn of any connection.

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
use tidegate::base::{Buf, Clock, ConnId, Moment, Now, Output, Peer, Reason};
use tidegate::config::Config;
use tidegate::fence;
use tidegate::reactor::os::provide_descriptors;
use tidegate::service::Service;
use tidegate::service::goodbye::goodbye;
use tidegate::service::outbox::Ask;
use tidegate::service::turn::{Ended, Progress, Turn};
use tidegate::service::wires::NoWires;

/// First size of a connection's read buffer, in bytes. Most servers of this sort begin with it.
const READ_BYTES: usize = 4 << 10;
/// A read that fills the buffer doubles its size, up to this many bytes.
const READ_BYTES_MAX: usize = 64 << 10;
/// The answer to a client that connects when too many are there.
const FULL: &[u8] = b"-ERR max number of clients reached\r\n";
/// How long a session discards late input after its last reply. If it closed at once, a reset could destroy
/// that reply before the client reads it.
const LINGER: Duration = Duration::from_secs(1);
/// Pause between two looks whether all clients have left, in a drain.
const DRAIN_LOOK: Duration = Duration::from_millis(5);
/// Pause after accepting has failed.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// All twins: the names that they have on the command line and in the report, and what they are.
pub const TWINS: &[(&str, &str)] = &[
    ("tokio", "tokio, current-thread runtime, one task per connection"),
    ("tokio-mt", "tokio, multi-thread runtime, one task per connection"),
    ("smol", "smol, LocalExecutor, one task per connection"),
    #[cfg(target_os = "linux")]
    ("monoio", "monoio on io_uring, one task per connection"),
    ("threads", "one thread per connection, blocking reads"),
];

/// Serves as the twin with this name, until SIGTERM or SIGINT and the drain that follows.
///
/// # Errors
/// If there is no such twin, or it cannot start.
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

/// A listener like the daemon's. Accepted sockets inherit TCP_NODELAY from it, so small replies leave at
/// once.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    socket.listen(i32::try_from(Config::default().tcp_backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// What a session does after a turn, when it has written its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It waits for more input.
    Read,
    /// It lets other sessions run, and then takes another turn.
    Again,
    /// It closes.
    Close,
}

/// What all connections of a twin share.
struct Core {
    service: Service,
    /// When the twin started.
    started: Instant,
    /// The slots of the open sessions.
    slots: Slab<()>,
    /// The serial number of the session that was opened last.
    serial: u64,
}

impl Core {
    /// A core without sessions, with the default configuration.
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

    /// Opens a session. `None` if `maxclients` are open.
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

    /// Closes a session.
    fn close(&mut self, me: ConnId) {
        self.service.close(me.slot);
        self.slots.remove(me.slot as usize);
        self.service.world.stats.present.clients = self.slots.len();
    }

    /// Runs one fenced turn over `input`. The replies go to `output`.
    fn turn(&mut self, me: ConnId, at: Instant, input: &mut Buf, output: &mut Output) -> Next {
        let world = &mut self.service.world;
        world.now = now(self.started, at);
        world.sweep();
        let config = &world.config;
        let input_max = config.client_query_buffer_limit;
        let mut progress = Progress { output: output.mark(), ..Progress::default() };
        let turn = Turn { me, input: input.unread(), memory: None, output, wires: &mut NoWires };
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
                output.cut(progress.output);
                let _ = output.extend(goodbye(Reason::Panicked));
                Next::Close
            }
        };
        self.answer_asks();
        next
    }

    /// Does what commands have asked for beyond their own connection. Only `SHUTDOWN` does anything: it acts
    /// as SIGTERM does.
    fn answer_asks(&mut self) {
        for ask in self.service.world.outbox.take() {
            if matches!(ask, Ask::Quit { .. }) {
                let _ = raise(Signal::SIGTERM);
            }
        }
    }

    /// Number of open sessions.
    fn live(&self) -> usize {
        self.slots.len()
    }

    /// How long a client may be silent, and how long it may read none of its replies.
    fn timeouts(&self) -> (Duration, Duration) {
        (
            Duration::from_millis(self.service.world.config.timeout_ms),
            Duration::from_millis(self.service.world.config.write_timeout_ms),
        )
    }

    /// How long a drain waits for clients to leave.
    fn shutdown_timeout(&self) -> Duration {
        Duration::from_millis(self.service.world.config.shutdown_timeout_ms)
    }
}

/// The time that the service sees at `at`, if the twin started at `started`.
fn now(started: Instant, at: Instant) -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now {
        at: Moment::from_nanos((at - started).as_nanos() as u64),
        unix_ms: unix.as_millis() as u64,
        unix_us: unix.as_micros() as u64,
    }
}

/// Makes room for the next read. `filled` says that the last read has filled the buffer.
fn make_room(input: &mut Buf, filled: bool) -> io::Result<()> {
    let wanted = if filled { (2 * input.capacity()).min(READ_BYTES_MAX) } else { READ_BYTES };
    if input.is_empty() && input.capacity() < wanted || input.spare().is_empty() {
        input.reserve(wanted.max(input.len())).map_err(|_| io::ErrorKind::OutOfMemory)?;
    }
    Ok(())
}
