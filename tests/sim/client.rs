//! Clients of the simulation: a script, a temper, and what a plain model says must come back.

use rand::RngExt;
use rand::rngs::StdRng;

use tidegate::base::Reason;

use crate::model::{Keys, OOM, OOM_REPLY};
use crate::script::{self, Contents, Step};

pub const INTERNAL: &str = "-ERR internal error\r\n";
pub const NO_ROOM: &str = "-ERR max number of clients reached\r\n";

/// Lines with which the server may end a connection after any complete reply.
pub const GOODBYES: [&str; 5] = [
    INTERNAL,
    NO_ROOM,
    "-ERR request not completed within request-timeout\r\n",
    "-ERR client-query-buffer-limit reached\r\n",
    "-ERR evicted: clients together exceed maxmemory-clients\r\n",
];

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// Most bytes sent in one go.
    pub send_max: usize,
    /// Most bytes read in one go; 0 never reads until the faults are over.
    pub read_max: usize,
    /// Shuts its write side when it has sent everything, before it has read everything.
    pub half_closes: bool,
    /// Stops sending for good at this offset.
    pub falls_silent_at: Option<usize>,
}

pub struct Client {
    steps: Vec<Step>,
    /// Steps that were answered with an error for want of memory, and so did nothing: with which.
    refused: Vec<Option<&'static str>>,
    pub stream: Vec<u8>,
    pub expected: Vec<u8>,
    /// The keys before the first step, and after each.
    keys: Vec<Keys>,
    /// Ends of the expected replies; the first entry is 0.
    pub ends: Vec<usize>,
    /// Ends of the requests; the first entry is 0.
    pub request_ends: Vec<usize>,
    pub temper: Temper,
    pub pipe: Option<usize>,
    pub sent: usize,
    pub received: Vec<u8>,
    pub saw_end: bool,
    pub gave_up: bool,
    /// The half request the server holds: how many came before it, and since when.
    pub half_since: Option<(usize, u64)>,
    /// Ticks in which it was owed something and nothing happened, and how things stood.
    pub stuck: (u32, [usize; 4]),
}

impl Client {
    pub fn new(rng: &mut StdRng, name: usize, contents: Contents) -> Client {
        let endless = rng.random_bool(0.05);
        let steps = if endless { script::write_endless(rng) } else { script::write(rng, name, contents) };
        let mut stream = Vec::new();
        let mut request_ends = vec![0];
        for step in &steps {
            stream.extend(&step.request);
            request_ends.push(stream.len());
        }
        let temper = Temper {
            send_max: if endless { 4096 } else { 1 << rng.random_range(0..10) },
            read_max: if rng.random_bool(0.3) { 0 } else { 1 << rng.random_range(0..10) },
            half_closes: rng.random_bool(0.5),
            falls_silent_at: rng.random_bool(0.1).then(|| rng.random_range(0..=stream.len())),
        };
        let mut client = Client {
            refused: vec![None; steps.len()],
            steps,
            stream,
            expected: Vec::new(),
            keys: Vec::new(),
            ends: Vec::new(),
            request_ends,
            temper,
            pipe: None,
            sent: 0,
            received: Vec::new(),
            saw_end: false,
            gave_up: false,
            half_since: None,
            stuck: (0, [0; 4]),
        };
        client.model();
        client
    }

    /// What it is a case of, for the count of what happened.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        [
            ("client that never reads", self.temper.read_max == 0),
            ("client that trickles", self.temper.send_max == 1),
            ("client that falls silent", self.temper.falls_silent_at.is_some()),
            ("client that pipelines without end", self.steps.len() >= 300),
        ]
        .into_iter()
        .filter_map(|(kind, is)| is.then_some(kind))
    }

    /// Works out what must come back.
    fn model(&mut self) {
        self.expected.clear();
        self.ends = vec![0];
        self.keys = vec![Keys::new()];
        let mut keys = Keys::new();
        for (step, refused) in self.steps.iter().zip(&self.refused) {
            let reply = match refused {
                None => step.op.apply(&mut keys),
                Some(error) => (*error).to_owned(),
            };
            if !step.muted {
                self.expected.extend(reply.as_bytes());
            }
            self.ends.push(self.expected.len());
            self.keys.push(keys.clone());
        }
    }

    /// Asserts that what was received so far is right: the expected replies, in order, perhaps
    /// ended after a whole one by a goodbye. While memory is scarce, a command may be answered by
    /// an error that says so; then it must not have done anything.
    pub fn check_received(&mut self, name: usize, scarce: bool) {
        while !self.expected.starts_with(&self.received) && self.goodbye_after(self.received.len()).is_none()
        {
            if !scarce || !self.note_refusal() {
                self.complain(name);
            }
        }
    }

    /// The first reply that differs may be an error for want of memory; true if it was.
    fn note_refusal(&mut self) -> bool {
        let matched = self.received.iter().zip(&self.expected).take_while(|(a, b)| a == b).count();
        let Some(step) = self.ends.iter().skip(1).position(|end| *end > matched) else { return false };
        self.refused[step] = match self.refused[step] {
            None => Some(OOM),
            Some(OOM) => Some(OOM_REPLY),
            Some(_) => return false,
        };
        self.model();
        true
    }

    fn complain(&self, name: usize) -> ! {
        let matched = self.received.iter().zip(&self.expected).take_while(|(a, b)| a == b).count();
        panic!(
            "client {name}, after {matched} right bytes, received\n{}\ninstead of\n{}",
            self.received[matched..].escape_ascii(),
            self.expected[matched..].escape_ascii()
        );
    }

    /// If the first `len` bytes received are whole replies and (the beginning of) a goodbye: how
    /// many replies, and whether the goodbye is whole.
    pub fn goodbye_after(&self, len: usize) -> Option<(usize, bool)> {
        let received = &self.received[..len];
        (0..self.ends.len()).rev().find_map(|replies| {
            let end = self.ends[replies];
            let rest = received.get(end..)?;
            let matches = received[..end] == self.expected[..end];
            let bye = GOODBYES.iter().find(|bye| matches && bye.as_bytes().starts_with(rest))?;
            Some((replies, bye.len() == rest.len()))
        })
    }

    /// True if what was received ends between replies.
    pub fn ends_whole(&self) -> bool {
        let len = self.received.len();
        let whole = self.expected.starts_with(&self.received) && self.ends.contains(&len);
        whole || self.goodbye_after(len).is_some_and(|(_, whole)| whole)
    }

    /// Replies that were received whole, at least.
    pub fn replies_received(&self) -> usize {
        let matched = self.received.iter().zip(&self.expected).take_while(|(a, b)| a == b).count();
        let last = self.ends.iter().rposition(|end| *end <= matched).unwrap_or(0);
        // Steps without a reply may or may not have run.
        self.ends.iter().position(|end| *end == self.ends[last]).unwrap_or(0)
    }

    /// Requests that are complete within the first `bytes` of the stream.
    pub fn requests_within(&self, bytes: usize) -> usize {
        self.request_ends.iter().rposition(|end| *end <= bytes).unwrap_or(0)
    }

    /// True if a request within the first `bytes` of the stream ends the connection for `reason`.
    pub fn script_ends_for(&self, reason: Reason, bytes: usize) -> bool {
        // What breaks the framing may be seen before the request is complete.
        let begun = self.request_ends.iter().take_while(|end| **end < bytes).count();
        self.steps[..begun.min(self.steps.len())].iter().any(|step| step.ends_for == Some(reason))
    }

    /// How many of its commands were answered with an error for want of memory.
    pub fn refusals(&self) -> u64 {
        self.refused.iter().flatten().count() as u64
    }

    /// True if its keys may be `stored` after between `least` and `most` of its commands.
    /// While memory is scarce, what was not answered may also have been refused.
    pub fn may_have_stored(&self, stored: &Keys, least: usize, most: usize, scarce: bool) -> bool {
        if !scarce {
            return self.keys[least..=most].contains(stored);
        }
        // More than this may be possible after very many; then nothing is proved.
        const POSSIBLE_MAX: usize = 4096;
        let mut possible = vec![self.keys[least].clone()];
        for step in &self.steps[least..most] {
            let mut after = possible.clone();
            after.iter_mut().for_each(|keys| drop(step.op.apply(keys)));
            possible.extend(after);
            possible.sort();
            possible.dedup();
            if possible.len() > POSSIBLE_MAX {
                return true;
            }
        }
        possible.contains(stored)
    }

    /// What its keys are after so many commands.
    pub fn keys_after(&self, commands: usize) -> &Keys {
        &self.keys[commands]
    }
}
