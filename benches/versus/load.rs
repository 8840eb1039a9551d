//! The load generator: one thread, requests built beforehand, replies counted and not kept.
//!
//! Closed loop: each client sends its next batch when the last one is answered. Open loop: requests are due at a fixed
//! rate. The time of a reply counts from the moment when its request was *due*, so a server that stalls cannot hide it
//! by holding up the requests (no coordinated omission). The generator knows only the address of a server, and nothing
//! of processes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::client::{Client, Trust};
use super::script::Script;

/// Longest silence of a server that owes replies.
const STALL: Duration = Duration::from_secs(10);
/// Connections opened before the server must show, by an answer, that it has taken them all: fewer
/// than any server's backlog holds.
const CONNECTS_AT_ONCE: usize = 100;
/// How long open-loop requests may stay unanswered after the last was due.
const LATE: Duration = Duration::from_secs(3);
const READ_BYTES: usize = 256 << 10;
const EVENTS: usize = 1024;

/// One client's part of the work.
pub struct Part<'a> {
    pub script: &'a Script,
    /// Batches that may be on their way at once.
    pub window: u32,
    /// Batches it asks for in all; the open loop gives them one by one.
    pub quota: u64,
}

/// Some clients of one server.
pub struct Load<'a> {
    poll: Poll,
    events: Events,
    clients: Vec<Client<'a>>,
    /// Who has more to write than it may at once.
    unfinished: Vec<usize>,
    scratch: Vec<u8>,
    trust: Trust,
    requests: u64,
    unanswered: u64,
    heard: Instant,
}

impl<'a> Load<'a> {
    /// Connects a client for each part. `round` decides where in their scripts they begin.
    ///
    /// # Errors
    /// If the server does not take them.
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
            // Spread over the script, and moved on from round to round by the golden section.
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

    /// From now on replies are trusted so much.
    pub fn trust(&mut self, trust: Trust) {
        // A batch that is half answered keeps what it was compared with.
        self.trust = trust;
    }

    /// Closed loop for that long. Returns the requests answered.
    ///
    /// # Errors
    /// If the server stops, errs or says something else than it must.
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

    /// Closed loop until every client's quota is answered. Returns the requests answered.
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

    /// Open loop: the first `askers` clients ask in turn, `rate` requests a second; the others go on
    /// with their closed loop. Returns how long replies took from when they were due, nanoseconds.
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
        // Requests without an answer have taken at least until now.
        let now = Instant::now();
        self.clients.iter().flat_map(|client| &client.due).for_each(|&due| note(Some(due), now));
        Ok(took)
    }

    /// Waits for events, at most that long, and acts on them.
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
            return Err(io::Error::new(ErrorKind::TimedOut, "the server does not answer any more"));
        }
        if self.unanswered == 0 {
            self.heard = Instant::now();
        }
        Ok(())
    }

    fn pump(&mut self, index: usize) -> io::Result<()> {
        let client = &mut self.clients[index];
        self.unanswered += client.pump()?;
        if client.unfinished {
            self.unfinished.push(index);
        }
        Ok(())
    }
}

/// One batch there and back on a connection that still blocks.
fn greet(mut stream: &std::net::TcpStream, script: &Script) -> io::Result<()> {
    stream.set_read_timeout(Some(STALL))?;
    stream.write_all(script.batch(0))?;
    stream.read_exact(&mut vec![0; script.reply_bytes])
}
