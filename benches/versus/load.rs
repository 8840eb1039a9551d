//! The load generator: one thread that plays many clients. The requests are built before the measurement; the
//! replies are counted, not kept.
//!
//! In a closed loop, each client sends its next batch when the last one is answered. In an open loop,
//! requests are due at a fixed rate, whatever the server does. The time of a reply counts from when its
//! request was
//! *due*, not from when it was sent. So a server that stalls cannot hide that by also delaying the requests
//! (there is no coordinated omission). Of a server, the generator knows only the address.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::client::{Client, Trust};
use super::script::Script;

/// How long a server that owes replies may be silent.
const STALL: Duration = Duration::from_secs(10);
/// After this many connects, the generator waits for a reply on the last connection, which shows that the
/// server has accepted them all. Every server's backlog holds more.
const CONNECTS_AT_ONCE: usize = 100;
/// How long requests of an open loop may stay unanswered after the last one was due.
const LATE: Duration = Duration::from_secs(3);
/// Most bytes of one read.
const READ_BYTES: usize = 256 << 10;
/// Most events of one poll.
const EVENTS: usize = 1024;

/// What one client is to do.
pub struct Part<'a> {
    /// What it sends.
    pub script: &'a Script,
    /// Most batches that may be unanswered at once.
    pub window: u32,
    /// Number of batches that it sends in all. 0 in an open loop, which gives credit for each request.
    pub quota: u64,
}

/// Some clients of one server.
pub struct Load<'a> {
    poll: Poll,
    events: Events,
    clients: Vec<Client<'a>>,
    /// The clients that have more to write than they may write at once.
    unfinished: Vec<usize>,
    /// Memory for reads.
    scratch: Vec<u8>,
    /// How closely replies are checked.
    trust: Trust,
    /// Number of requests that have been answered.
    requests: u64,
    /// Number of batches that are not answered yet.
    unanswered: u64,
    /// The last time when a batch was answered, or when none was unanswered.
    heard: Instant,
}

impl<'a> Load<'a> {
    /// Connects one client for each part. `round` decides where in their scripts they begin.
    ///
    /// # Errors
    /// If a connection fails, or the server does not answer.
    pub fn connect(
        address: SocketAddr,
        parts: Vec<Part<'a>>,
        trust: Trust,
        round: usize,
    ) -> io::Result<Load<'a>> {
        let poll = Poll::new()?;
        let count = parts.len();
        let mut clients = Vec::with_capacity(count);
        for (index, part) in parts.into_iter().enumerate() {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            if index % CONNECTS_AT_ONCE == CONNECTS_AT_ONCE - 1 {
                greet(&stream, part.script)?;
            }
            stream.set_nonblocking(true)?;
            let mut socket = TcpStream::from_std(stream);
            poll.registry().register(&mut socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            let batches = part.script.batches();
            // Clients begin spread over the script. From round to round they move on by the golden section,
            // so that each round begins with other keys.
            let at = (index * batches / count + round * (batches * 382 / 1000)) % batches;
            clients.push(Client::new(socket, part.script, at, part.window, part.quota));
        }
        Ok(Load {
            poll,
            events: Events::with_capacity(EVENTS),
            clients,
            unfinished: (0..count).collect(),
            scratch: vec![0; READ_BYTES],
            trust,
            requests: 0,
            unanswered: 0,
            heard: Instant::now(),
        })
    }

    /// Sets how closely replies are checked from now on.
    pub fn trust(&mut self, trust: Trust) {
        // A client in the middle of a batch keeps the expected replies that it may have for it.
        self.trust = trust;
    }

    /// Runs the closed loop for `time`. Returns how many requests were answered.
    ///
    /// # Errors
    /// If the server stops answering, or a reply is wrong.
    pub fn run(&mut self, time: Duration) -> io::Result<u64> {
        let before = self.requests;
        let end = Instant::now() + time;
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(self.requests - before);
            }
            self.step((end - now).min(STALL), &mut |_, _| {})?;
        }
    }

    /// Runs the closed loop until every client's quota is answered. Returns how many requests were answered.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub fn finish(&mut self) -> io::Result<u64> {
        let before = self.requests;
        loop {
            self.step(STALL, &mut |_, _| {})?;
            if self.unanswered == 0 && self.clients.iter().all(|client| client.credit == 0) {
                return Ok(self.requests - before);
            }
        }
    }

    /// Runs the open loop for `time`. The first `askers` clients send `rate` requests a second, one client
    /// after the other. All other clients go on with their closed loop. Returns how long each reply took from
    /// when its request was due, in nanoseconds.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub fn run_open(&mut self, askers: usize, rate: u32, time: Duration) -> io::Result<Histogram<u64>> {
        let mut took = Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(io::Error::other)?;
        let begin = Instant::now();
        let total = (f64::from(rate) * time.as_secs_f64()) as u64;
        let mut asked = 0;
        let due = |index: u64| begin + Duration::from_nanos(index * 1_000_000_000 / u64::from(rate));
        let mut note = |due: Option<Instant>, now: Instant| {
            if let Some(due) = due {
                took.saturating_record((now - due).as_nanos().max(1) as u64);
            }
        };
        while asked < total {
            while asked < total && due(asked) <= Instant::now() {
                let index = asked as usize % askers;
                self.clients[index].credit += 1;
                self.clients[index].due.push_back(due(asked));
                asked += 1;
                self.pump(index)?;
            }
            self.step(Duration::ZERO, &mut note)?;
        }
        let end = Instant::now() + LATE;
        while self.clients[..askers].iter().any(|client| !client.due.is_empty()) && Instant::now() < end {
            self.step(Duration::from_millis(1), &mut note)?;
        }
        // A request that is still unanswered has taken at least until now.
        let now = Instant::now();
        self.clients.iter().flat_map(|client| &client.due).for_each(|&due| note(Some(due), now));
        Ok(took)
    }

    /// Waits for events, for `patience` at most, and acts on them.
    fn step(&mut self, patience: Duration, note: &mut dyn FnMut(Option<Instant>, Instant)) -> io::Result<()> {
        for index in std::mem::take(&mut self.unfinished) {
            self.pump(index)?;
        }
        let patience = if self.unfinished.is_empty() { patience } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let ready = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &ready {
            let index = event.token().0;
            if event.is_readable() {
                let client = &mut self.clients[index];
                let batches = client.hear(&mut self.scratch, self.trust, note)?;
                self.unanswered -= u64::from(batches);
                self.requests += u64::from(batches) * client.script.pipeline as u64;
                if batches > 0 {
                    self.heard = Instant::now();
                }
            }
            self.pump(index)?;
        }
        self.events = ready;
        if self.unanswered > 0 && self.heard.elapsed() > STALL {
            return Err(io::Error::new(ErrorKind::TimedOut, "the server has stopped answering"));
        }
        if self.unanswered == 0 {
            self.heard = Instant::now();
        }
        Ok(())
    }

    /// Lets client number `index` write.
    fn pump(&mut self, index: usize) -> io::Result<()> {
        let client = &mut self.clients[index];
        self.unanswered += client.pump()?;
        if client.unfinished {
            self.unfinished.push(index);
        }
        Ok(())
    }
}

/// Sends one batch and waits for its replies, on a connection that still blocks.
fn greet(mut stream: &std::net::TcpStream, script: &Script) -> io::Result<()> {
    stream.set_read_timeout(Some(STALL))?;
    stream.write_all(script.batch(0))?;
    stream.read_exact(&mut vec![0; script.reply_bytes])
}
