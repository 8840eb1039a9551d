//! The world as mio shows it: epoll on Linux, kqueue on macOS and the BSDs. No other room names mio, signals,
//! `std::net` or `Instant`.
//!
//! - `clocks`: the monotonic clock and the wall clock
//! - `listen`: the addresses that the daemon listens on
//! - `stream`: a connection's socket
//! - `descriptors`: how many descriptors the process may have

mod clocks;
mod descriptors;
mod listen;
mod stream;

use std::io::{self, ErrorKind};
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use rustix::io::ioctl_fionread;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use super::net::{Edge, Net, Patience};
use crate::base::{Address, Clock, Moment, Now, Peer};
use crate::config::{Config, EVENTS_MAX, LISTENERS_MAX, POLLS_PER_WAIT_MAX, WAIT_MAX_S};
use clocks::Clocks;
pub use descriptors::{descriptors_allowed, provide_descriptors};
use listen::Listener;
pub use stream::Stream;

const SIGNALS: Token = Token(usize::MAX);
/// The token of listener 0. The tokens of further listeners count down from here.
const LISTENERS: usize = usize::MAX - 1;

/// The world of the daemon: the kernel's poll, the listeners and the signals.
pub struct OsNet {
    poll: Poll,
    events: Events,
    signals: Signals,
    listeners: Vec<Listener>,
    clocks: Clocks,
}

impl OsNet {
    /// Binds and listens on every address of `config`, and catches SIGINT, SIGTERM and SIGHUP.
    ///
    /// # Errors
    /// One line that says what failed, and why.
    pub fn new(config: &Config) -> Result<OsNet, String> {
        let poll = Poll::new().map_err(|error| format!("cannot create a poll: {error}"))?;
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| format!("cannot catch signals: {error}"))?;
        let registry = poll.registry();
        registry
            .register(&mut signals, SIGNALS, Interest::READABLE)
            .map_err(|error| format!("cannot watch signals: {error}"))?;
        let mut listeners = Listener::all(config)?;
        for (number, listener) in listeners.iter_mut().enumerate() {
            listener
                .watch(registry, Token(LISTENERS - number))
                .map_err(|error| format!("cannot watch {}: {error}", listener.address()))?;
        }
        Ok(OsNet {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            signals,
            listeners,
            clocks: Clocks::new(),
        })
    }

    /// The addresses listened on, with the ports that were picked.
    pub fn addresses(&self) -> Vec<Address> {
        self.listeners.iter().map(Listener::address).collect()
    }

    /// Appends the edges that the last poll has found.
    fn report(&mut self, edges: &mut Vec<Edge>) {
        for event in &self.events {
            match event.token() {
                SIGNALS => edges.extend(self.signals.pending().map(|signal| match signal {
                    SIGHUP => Edge::Hangup,
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
        self.clocks.moment()
    }
}

/// The kinds of change for which a connection is watched. They never change. Urgent data makes a read come back short
/// although more bytes are there, so Linux must report urgent data. On other systems a short read means nothing.
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
    type Socket = Stream;

    const SHORT_READ_MEANS_EMPTY: bool = cfg!(target_os = "linux");

    fn wait(&mut self, patience: Patience, edges: &mut Vec<Edge>) -> io::Result<()> {
        let mut timeout = match patience {
            Patience::None => Some(Duration::ZERO),
            Patience::Until(deadline) => {
                Some(deadline.since(self.moment()).min(Duration::from_secs(WAIT_MAX_S)))
            }
            Patience::Endless => None,
        };
        // The reactor judges deadlines after this, so everything that has arrived by now must be heard first. One call
        // may not report all of it: the list of events may be full. And if the process was stopped and continued, the
        // wait is interrupted and reports nothing.
        for _ in 0..POLLS_PER_WAIT_MAX {
            let before = edges.len();
            let may_know_more = match self.poll.poll(&mut self.events, timeout) {
                Ok(()) => {
                    self.report(edges);
                    edges.len() - before >= EVENTS_MAX
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => true,
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
        self.clocks.read_both()
    }

    fn clock(&self) -> Clock {
        self.clocks.within_tick()
    }

    fn listeners(&self) -> usize {
        self.listeners.len()
    }

    fn accept(&mut self, listener: usize) -> io::Result<(Stream, Peer)> {
        self.listeners.get(listener).ok_or(ErrorKind::WouldBlock)?.accept()
    }

    fn waiting(&self, socket: &Stream) -> usize {
        ioctl_fionread(socket).map_or(usize::MAX, |bytes| bytes as usize)
    }

    fn watch(&mut self, socket: &mut Stream, slot: u32) -> io::Result<()> {
        socket.watch(self.poll.registry(), Token(slot as usize), interest())
    }

    fn shut_write(&mut self, socket: &Stream) -> io::Result<()> {
        socket.shut_write()
    }

    /// No call to the poll is needed: when the only descriptor of a socket closes, the kernel takes the socket out of
    /// epoll and kqueue.
    fn forget(&mut self, socket: Stream) {
        drop(socket);
    }

    fn stop_listening(&mut self) {
        self.listeners.clear();
    }
}
