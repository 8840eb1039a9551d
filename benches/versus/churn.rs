//! The churn: clients that connect, ask once and close. Some of them are there at the same time, and a new
//! one follows each one that closes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::client::Trust;
use super::script::Script;

/// How long the server may be silent.
const STALL: Duration = Duration::from_secs(10);

/// A connection that has not been answered yet.
struct Visit {
    socket: TcpStream,
    /// Bytes of the request that are sent.
    sent: usize,
}

/// Opens `count` connections, `at_once` of them at the same time. Each asks once, waits for the reply and
/// closes.
///
/// # Errors
/// If a connection fails, or a reply is wrong.
pub fn churn(
    address: SocketAddr,
    script: &Script,
    count: usize,
    at_once: usize,
    trust: Trust,
) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(at_once);
    let expected = script.reply(0);
    let mut visits = Vec::with_capacity(at_once);
    for place in 0..at_once.min(count) {
        visits.push(Some(Visit::begin(address, &poll, place)?));
    }
    let (mut begun, mut done) = (visits.len(), 0);
    while done < count {
        poll.poll(&mut events, Some(STALL))?;
        if events.is_empty() {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                "the server does not accept connections or does not answer",
            ));
        }
        for event in &events {
            let visit = &mut visits[event.token().0];
            let Some(current) = visit else { continue };
            if event.is_writable() {
                current.ask(script)?;
            }
            if !event.is_readable() || !current.is_answered(&expected, trust)? {
                continue;
            }
            // Closes this connection before it opens the next one, so that there are never more than
            // `at_once`.
            *visit = None;
            done += 1;
            if begun < count {
                *visit = Some(Visit::begin(address, &poll, event.token().0)?);
                begun += 1;
            }
        }
    }
    Ok(())
}

impl Visit {
    /// Begins to connect.
    fn begin(address: SocketAddr, poll: &Poll, place: usize) -> io::Result<Visit> {
        let mut socket = TcpStream::connect(address)?;
        poll.registry().register(&mut socket, Token(place), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Visit { socket, sent: 0 })
    }

    /// Sends the request, or what is left of it.
    fn ask(&mut self, script: &Script) -> io::Result<()> {
        if self.sent < script.batch_bytes {
            self.sent += self.socket.write(&script.batch(0)[self.sent..])?;
        }
        Ok(())
    }

    /// True if the reply has come. It is so short that it always comes in one piece.
    fn is_answered(&mut self, expected: &[u8], trust: Trust) -> io::Result<bool> {
        let mut got = vec![0; expected.len()];
        match self.socket.read(&mut got) {
            Ok(count) if count == expected.len() && (trust == Trust::Blindly || got == expected) => Ok(true),
            Ok(count) => {
                let text = format!("the server sent {} instead of the reply", got[..count].escape_ascii());
                Err(io::Error::other(text))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}
