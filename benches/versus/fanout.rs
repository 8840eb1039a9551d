//! One client that publishes and many that hear it. The next batch goes out when every subscriber has
//! heard the last one, so that no server can get ahead by letting its output grow. Every byte is compared.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::client::other_than;
use super::script::array;

/// Longest silence of the server. Short, since a server that does not deliver to subscribers is found
/// out by it in each round.
const STALL: Duration = Duration::from_secs(2);
const MESSAGE: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A publisher and its subscribers.
pub struct Fanout {
    publisher: TcpStream,
    subscribers: Vec<TcpStream>,
    pipeline: usize,
    /// What is sent for a batch, what the publisher hears then, and what each subscriber hears.
    batch: Vec<u8>,
    reply: Vec<u8>,
    heard: Vec<u8>,
}

impl Fanout {
    /// Connects all of them and subscribes.
    ///
    /// # Errors
    /// If the server does not take them, or knows no channels.
    pub fn connect(address: SocketAddr, subscribers: usize, pipeline: usize) -> io::Result<Fanout> {
        let publisher = connect(address)?;
        // The subscribers of an earlier round may not have left yet.
        let channel = format!("channel:{:05}", publisher.local_addr()?.port());
        let channel = channel.as_bytes();
        let (mut ask, mut welcome) = (Vec::new(), Vec::new());
        array(&[b"SUBSCRIBE", channel], &mut ask);
        array(&[b"subscribe", channel], &mut welcome);
        // In this reply a number follows the two strings.
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

    /// Publishes for that long. Returns how many messages everybody has heard.
    ///
    /// # Errors
    /// If the server stops or says something else than it must.
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

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STALL))?;
    stream.set_write_timeout(Some(STALL))?;
    Ok(stream)
}

/// Reads that, or fails as soon as something else comes.
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
