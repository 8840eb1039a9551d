//! The fan-out: one client publishes messages, and many subscribers get them. The publisher sends the next
//! batch when every subscriber has got the last one. So no server gains by letting its output pile up. Every
//! byte is compared.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::client::other_than;
use super::script::array;

/// How long the server may be silent. Short, because each round waits this long for a server that does not
/// deliver to subscribers.
const STALL: Duration = Duration::from_secs(2);
/// The message that is published.
const MESSAGE: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A publisher and its subscribers.
pub struct Fanout {
    publisher: TcpStream,
    subscribers: Vec<TcpStream>,
    /// Number of messages in a batch.
    pipeline: usize,
    /// The requests of a batch.
    batch: Vec<u8>,
    /// The replies that the publisher must get for a batch.
    reply: Vec<u8>,
    /// What each subscriber must get for a batch.
    heard: Vec<u8>,
}

impl Fanout {
    /// Connects the publisher and the subscribers, and subscribes.
    ///
    /// # Errors
    /// If a connection fails, or the server has no channels.
    pub fn connect(address: SocketAddr, subscribers: usize, pipeline: usize) -> io::Result<Fanout> {
        let publisher = connect(address)?;
        // Each round has a channel of its own, because subscribers of an earlier round may still be there.
        let channel = format!("channel:{:05}", publisher.local_addr()?.port());
        let channel = channel.as_bytes();
        let (mut ask, mut welcome) = (Vec::new(), Vec::new());
        array(&[b"SUBSCRIBE", channel], &mut ask);
        array(&[b"subscribe", channel], &mut welcome);
        // This reply is an array of three: a number follows the two strings.
        welcome[1] = b'3';
        welcome.extend(b":1\r\n");
        let subscribe = |_| {
            let mut subscriber = connect(address)?;
            subscriber.write_all(&ask)?;
            expect(&mut subscriber, &welcome)?;
            Ok(subscriber)
        };
        let subscribers: Vec<TcpStream> = (0..subscribers).map(subscribe).collect::<io::Result<_>>()?;
        let (mut publish, mut message) = (Vec::new(), Vec::new());
        array(&[b"PUBLISH", channel, MESSAGE], &mut publish);
        array(&[b"message", channel, MESSAGE], &mut message);
        let reply = format!(":{}\r\n", subscribers.len()).into_bytes();
        Ok(Fanout {
            publisher,
            subscribers,
            pipeline,
            batch: publish.repeat(pipeline),
            reply: reply.repeat(pipeline),
            heard: message.repeat(pipeline),
        })
    }

    /// Publishes for `time`. Returns how many messages every subscriber has got.
    ///
    /// # Errors
    /// If the server stops answering, or sends something wrong.
    pub fn run(&mut self, time: Duration) -> io::Result<u64> {
        let (begin, mut messages) = (Instant::now(), 0);
        while begin.elapsed() < time {
            self.publisher.write_all(&self.batch)?;
            expect(&mut self.publisher, &self.reply)?;
            for subscriber in &mut self.subscribers {
                expect(subscriber, &self.heard)?;
            }
            messages += self.pipeline as u64;
        }
        Ok(messages)
    }
}

/// Connects to the server, with limits on how long a read or a write may take.
fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STALL))?;
    stream.set_write_timeout(Some(STALL))?;
    Ok(stream)
}

/// Reads `expected`. Fails as soon as other bytes come.
fn expect(stream: &mut TcpStream, mut expected: &[u8]) -> io::Result<()> {
    let mut got = [0; 4 << 10];
    while !expected.is_empty() {
        let most = expected.len().min(got.len());
        let count = stream.read(&mut got[..most])?;
        if count == 0 || got[..count] != expected[..count] {
            return Err(other_than(expected, &got[..count]));
        }
        expected = &expected[count..];
    }
    Ok(())
}
