//! The world as mio shows it: epoll on Linux, kqueue on macOS and the BSDs. The only room that
//! names mio, signals, `std::net` or `Instant`.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use rustix::io::ioctl_fionread;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::net::{Edge, Net, Patience};
use crate::base::{Clock, Moment, Now, Peer};
use crate::config::{
    Config, DESCRIPTORS_RESERVED, EVENTS_MAX, LISTENERS_MAX, POLLS_PER_WAIT_MAX, WAIT_MAX_S,
};

const SIGNALS: Token = Token(usize::MAX);
/// Listeners are numbered downwards from here.
const LISTENERS: usize = usize::MAX - 1;
/// Accepted sockets inherit these settings of their listener here; elsewhere each is set up anew.
const ACCEPTED_SOCKETS_INHERIT: bool = cfg!(target_os = "linux");

/// See the head of the file.
pub struct OsNet {
    poll: Poll,
    events: Events,
    signals: Signals,
    listeners: Vec<TcpListener>,
    keepalive_s: u32,
    started: Instant,
}

impl OsNet {
    /// Binds and listens on every address of `config`, and catches SIGINT, SIGTERM and SIGHUP.
    ///
    /// # Errors
    /// One line that says what could not be done.
    pub fn new(config: &Config) -> Result<OsNet, String> {
        let poll = Poll::new().map_err(|error| format!("cannot create a poll: {error}"))?;
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| format!("cannot catch signals: {error}"))?;
        let registry = poll.registry();
        registry
            .register(&mut signals, SIGNALS, Interest::READABLE)
            .map_err(|error| format!("cannot watch signals: {error}"))?;
        let mut listeners = Vec::new();
        for address in resolve(config)? {
            // With port 0 the first address picks, and the others follow.
            let port =
                listeners.first().and_then(|first: &TcpListener| first.local_addr().ok()).map(|a| a.port());
            let address = SocketAddr::new(address.ip(), port.unwrap_or(config.port));
            let mut listener =
                listen(address, config).map_err(|error| format!("cannot listen on {address}: {error}"))?;
            registry
                .register(&mut listener, Token(LISTENERS - listeners.len()), Interest::READABLE)
                .map_err(|error| format!("cannot watch {address}: {error}"))?;
            listeners.push(listener);
        }
        Ok(OsNet {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            signals,
            listeners,
            keepalive_s: config.tcp_keepalive_s,
            started: Instant::now(),
        })
    }

    /// The addresses listened on, with the ports that were picked.
    pub fn addresses(&self) -> Vec<Peer> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).map(Peer::from).collect()
    }

    /// Appends what the last poll has found.
    fn report(&mut self, edges: &mut Vec<Edge>) {
        for event in &self.events {
            match event.token() {
                SIGNALS => edges.extend(self.signals.pending().map(|signal| match signal {
                    SIGHUP => Edge::Reopen,
                    _ => Edge::Quit,
                })),
                Token(token) if token > LISTENERS - LISTENERS_MAX => {
                    edges.push(Edge::Listener(LISTENERS - token))
                }
                _ => edges.push(edge_of(event)),
            }
        }
    }

    fn moment(&self) -> Moment {
        moment(self.started)
    }
}

fn moment(started: Instant) -> Moment {
    Moment::from_nanos(started.elapsed().as_nanos() as u64)
}

fn now(started: Instant) -> Now {
    // A clock before 1970 counts as 1970.
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { at: moment(started), unix_ms: unix.as_millis() as u64, unix_us: unix.as_micros() as u64 }
}

fn resolve(config: &Config) -> Result<Vec<SocketAddr>, String> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for host in &config.bind {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = (bare, config.port)
            .to_socket_addrs()
            .map_err(|error| format!("cannot resolve the bind address '{host}': {error}"))?;
        for address in found {
            if !all.contains(&address) {
                all.push(address);
            }
        }
    }
    if all.len() > LISTENERS_MAX {
        return Err(format!("cannot listen on more than {LISTENERS_MAX} addresses"));
    }
    Ok(all)
}

fn listen(address: SocketAddr, config: &Config) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // So that 0.0.0.0 and :: can be listened on side by side.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if ACCEPTED_SOCKETS_INHERIT {
        set_up(&SockRef::from(&socket), config.tcp_keepalive_s)?;
    }
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(config.tcp_backlog).unwrap_or(i32::MAX))?;
    Ok(TcpListener::from_std(socket.into()))
}

fn set_up(socket: &SockRef<'_>, keepalive_s: u32) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    if keepalive_s > 0 {
        // Redis's schedule: three probes within the last third.
        let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(keepalive_s.into()));
        #[cfg(not(target_os = "openbsd"))]
        let keepalive = {
            let interval = Duration::from_secs((keepalive_s / 3).max(1).into());
            keepalive.with_interval(interval).with_retries(3)
        };
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}

/// Raises the soft limit on open descriptors towards what `maxclients` needs. Lowers `maxclients`
/// if that is not possible, and returns what it was.
pub fn provide_descriptors(config: &mut Config) -> Option<u32> {
    let needed = u64::from(config.maxclients) + reserved(config) + newcomers_max(config);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return None };
    // Signed on some systems, where "no limit" may be negative.
    let bounded = |limit: rlim_t| u64::try_from(i128::from(limit)).unwrap_or(u64::MAX);
    let mut available = bounded(soft);
    if available < needed {
        let wanted = needed.min(bounded(hard));
        if setrlimit(Resource::RLIMIT_NOFILE, wanted as rlim_t, hard).is_ok() {
            available = wanted;
        }
    }
    let lowered_to = share_descriptors(available, config).min(config.maxclients);
    let wanted = std::mem::replace(&mut config.maxclients, lowered_to);
    (wanted > lowered_to).then_some(wanted)
}

/// Shares `available` descriptors out, so that all of them together never need more, and returns how
/// many clients there may be. Of a small limit these get half, and of newcomers fewer are taken in at
/// once, to be refused or let in.
fn share_descriptors(available: u64, config: &mut Config) -> u32 {
    let (reserved, listeners) = (reserved(config), config.bind.len().max(1) as u64);
    let newcomers = newcomers_max(config).min((available / 2).saturating_sub(reserved)).max(listeners);
    let accepts = (newcomers / 2 / listeners).clamp(1, config.bounds.accepts_per_tick.into());
    config.bounds.accepts_per_tick = accepts as u32;
    config.bounds.refusals_max = (newcomers - accepts * listeners) as usize;
    let clients = available.saturating_sub(reserved + newcomers);
    config.maxclients_ceiling = u32::try_from(clients).unwrap_or(u32::MAX).max(1);
    config.maxclients_ceiling
}

/// Descriptors that are no connections'.
fn reserved(config: &Config) -> u64 {
    DESCRIPTORS_RESERVED + config.bind.len() as u64
}

/// Connections that are no clients: those that are being refused, and those of a tick that are not
/// decided upon yet.
fn newcomers_max(config: &Config) -> u64 {
    let undecided = u64::from(config.bounds.accepts_per_tick) * config.bind.len() as u64;
    config.bounds.refusals_max as u64 + undecided
}

/// What a slot is interested in, once and for all. Urgent data makes a read come back short
/// although more is there, so it must be heard of; elsewhere the short-read rule is off.
fn interest() -> Interest {
    let both = Interest::READABLE | Interest::WRITABLE;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let both = both | Interest::PRIORITY;
    both
}

fn edge_of(event: &Event) -> Edge {
    let hides_more = event.is_read_closed() || event.is_error() || event.is_priority();
    Edge::Ready {
        slot: event.token().0 as u32,
        readable: event.is_readable() || hides_more,
        writable: event.is_writable() || event.is_write_closed() || event.is_error(),
        hides_more,
        peer_closed: event.is_read_closed() || event.is_error(),
    }
}

impl Net for OsNet {
    type Socket = TcpStream;

    const SHORT_READ_MEANS_EMPTY: bool = cfg!(target_os = "linux");

    fn wait(&mut self, patience: Patience, edges: &mut Vec<Edge>) -> io::Result<()> {
        let mut timeout = match patience {
            Patience::None => Some(Duration::ZERO),
            Patience::Until(deadline) => {
                Some(deadline.since(self.moment()).min(Duration::from_secs(WAIT_MAX_S)))
            }
            Patience::Endless => None,
        };
        // Deadlines are judged after this, and not by the clock alone: all that has arrived by now must be
        // heard before. More than the kernel tells of at once takes more calls, and so does the wait of
        // a process that was stopped and continued, which is interrupted with nothing reported.
        for _ in 0..POLLS_PER_WAIT_MAX {
            let before = edges.len();
            let may_know_more = match self.poll.poll(&mut self.events, timeout) {
                Ok(()) => {
                    self.report(edges);
                    edges.len() - before >= EVENTS_MAX
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
                Err(error) => return Err(error),
            };
            if !may_know_more {
                break;
            }
            timeout = Some(Duration::ZERO);
        }
        Ok(())
    }

    fn now(&mut self) -> Now {
        now(self.started)
    }

    fn clock(&self) -> Clock {
        let started = self.started;
        Clock::new(move || now(started))
    }

    fn listeners(&self) -> usize {
        self.listeners.len()
    }

    fn accept(&mut self, listener: usize) -> io::Result<(TcpStream, Peer)> {
        let listener = self.listeners.get(listener).ok_or(io::ErrorKind::WouldBlock)?;
        let (socket, address) = listener.accept()?;
        if !ACCEPTED_SOCKETS_INHERIT {
            // A socket that refuses these works all the same.
            let _ = set_up(&SockRef::from(&socket), self.keepalive_s);
        }
        Ok((socket, Peer::from(address)))
    }

    fn waiting(&self, socket: &TcpStream) -> usize {
        ioctl_fionread(socket).map_or(usize::MAX, |bytes| bytes as usize)
    }

    fn watch(&mut self, socket: &mut TcpStream, slot: u32) -> io::Result<()> {
        self.poll.registry().register(socket, Token(slot as usize), interest())
    }

    fn shut_write(&mut self, socket: &TcpStream) -> io::Result<()> {
        socket.shutdown(std::net::Shutdown::Write)
    }

    /// Closing the only descriptor takes it out of epoll and kqueue: no further call is needed.
    fn forget(&mut self, socket: TcpStream) {
        drop(socket);
    }

    fn stop_listening(&mut self) {
        self.listeners.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_half_of_a_small_limit_and_nobody_more_than_there_is() {
        for listeners in [1, 2, 9] {
            for available in (40 + 4 * listeners as u64..200).chain([1_024, 20_000]) {
                let mut config = Config { bind: vec!["host".to_owned(); listeners], ..Config::default() };
                let whole = newcomers_max(&config);
                let clients = u64::from(share_descriptors(available, &mut config));
                let all = clients + reserved(&config) + newcomers_max(&config);
                assert!(all <= available, "{all} of {available}");
                assert!(
                    clients >= available / 2 || whole == newcomers_max(&config),
                    "{clients} of {available}"
                );
                assert!(config.bounds.accepts_per_tick > 0 && config.bounds.refusals_max > 0);
            }
        }
        let mut config = Config::default();
        assert_eq!(share_descriptors(64, &mut config), 32);
        assert_eq!((config.bounds.accepts_per_tick, config.bounds.refusals_max), (8, 9));
        assert_eq!(share_descriptors(3, &mut Config::default()), 1, "so few that it fails on its own");
    }
}
