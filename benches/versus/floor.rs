//! The floor: an epoll loop that parses nothing. For every N bytes that have come, it sends a constant reply.
//! For each readiness it makes one read and one write, and the kernel allows no fewer calls. It reads from
//! all ready connections before it writes to any of them, which costs a twentieth less than reading and
//! writing by turns. So no server of this protocol can cost less.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

/// The token of the listener. Other tokens are connections.
const LISTENER: Token = Token(usize::MAX);
/// Most bytes of one read.
const READ_BYTES: usize = 256 << 10;
/// Most bytes of one write, unless one reply is longer.
const WRITE_BYTES: usize = 1 << 20;
/// Most events of one poll.
const EVENTS: usize = 1024;

/// The sizes of a request and its reply.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// Bytes of a request, or of a batch of requests.
    pub request_bytes: usize,
    /// Bytes of the reply, or of the replies to the batch.
    pub reply_bytes: usize,
}

/// One connection.
struct Conn {
    socket: TcpStream,
    /// Bytes that have come of a request that is not complete.
    held: usize,
    /// Bytes of replies that are not written yet.
    owed: usize,
}

/// Serves until the process is killed.
///
/// # Errors
/// If it cannot listen, or waiting for events fails.
pub fn serve(port: u16, exchange: Exchange) -> io::Result<()> {
    let mut listener = TcpListener::from_std(super::twins::listen(port)?);
    socket2::SockRef::from(&listener).set_nonblocking(true)?;
    let address: SocketAddr = listener.local_addr()?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {address}");
    io::stdout().flush()?;
    let _ = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).map(|(_, hard)| {
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard, hard)
    });
    let mut conns: Slab<Conn> = Slab::new();
    let mut events = Events::with_capacity(EVENTS);
    let mut scratch = vec![0; READ_BYTES];
    let replies = vec![b'x'; WRITE_BYTES.max(exchange.reply_bytes)];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut conns);
            } else if let Some(conn) = conns.get_mut(event.token().0)
                && event.is_readable()
                && !conn.receive(&mut scratch, exchange, event.is_read_closed())
            {
                conns.remove(event.token().0);
            }
        }
        for event in &events {
            if let Some(conn) = conns.get_mut(event.token().0)
                && !conn.pay(&replies)
            {
                conns.remove(event.token().0);
            }
        }
    }
}

/// Accepts all connections that wait.
fn accept(listener: &TcpListener, poll: &Poll, conns: &mut Slab<Conn>) {
    while let Ok((mut socket, _)) = listener.accept() {
        let entry = conns.vacant_entry();
        let both = Interest::READABLE | Interest::WRITABLE;
        if poll.registry().register(&mut socket, Token(entry.key()), both).is_ok() {
            entry.insert(Conn { socket, held: 0, owed: 0 });
        }
    }
}

impl Conn {
    /// Reads what has come. Returns false at the end of the input. A short read means that the socket is
    /// empty, unless the edge said that the end comes (`ending`): then only another read shows the end.
    fn receive(&mut self, scratch: &mut [u8], exchange: Exchange, ending: bool) -> bool {
        loop {
            match self.socket.read(scratch) {
                Ok(0) => return false,
                Ok(count) => {
                    self.held += count;
                    self.owed += self.held / exchange.request_bytes * exchange.reply_bytes;
                    self.held %= exchange.request_bytes;
                    if count < scratch.len() && !ending {
                        return true;
                    }
                }
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    /// Writes the replies that are owed. Returns false if the connection has failed.
    fn pay(&mut self, replies: &[u8]) -> bool {
        while self.owed > 0 {
            match self.socket.write(&replies[..self.owed.min(replies.len())]) {
                Ok(count) => self.owed -= count,
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }
}
