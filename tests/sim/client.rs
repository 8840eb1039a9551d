//! Clients of the simulation: a script of requests, each with the reply that a plain model of the
//! keyspace says it must have, and a temper.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::StdRng;

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

/// Limits that the scripts know of and the simulated server is given.
pub const KEY_MAX: usize = 64;
pub const BULK_MAX: usize = 300;
pub const INLINE_MAX: usize = 400;
pub const REQUEST_MAX: usize = 1_000;
pub const ARGS_MAX: usize = 16;

pub type Keys = BTreeMap<String, String>;

/// One request of a script.
pub struct Step {
    pub request: Vec<u8>,
    pub reply: String,
    /// The client's keys after it.
    pub keys: Keys,
}

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
    pub steps: Vec<Step>,
    pub stream: Vec<u8>,
    pub expected: Vec<u8>,
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
}

impl Client {
    /// A client that, unless the run is calm, also changes limits while they are in use.
    pub fn new(rng: &mut StdRng, name: usize, calm: bool) -> Client {
        let steps = Author { rng, name, keys: Keys::new(), calm }.write();
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        let (mut ends, mut request_ends) = (vec![0], vec![0]);
        for step in &steps {
            stream.extend(&step.request);
            expected.extend(step.reply.as_bytes());
            ends.push(expected.len());
            request_ends.push(stream.len());
        }
        let temper = Temper {
            send_max: 1 << rng.random_range(0..10),
            read_max: if rng.random_bool(0.3) { 0 } else { 1 << rng.random_range(0..10) },
            half_closes: rng.random_bool(0.5),
            falls_silent_at: rng.random_bool(0.1).then(|| rng.random_range(0..=stream.len())),
        };
        Client {
            steps,
            stream,
            expected,
            ends,
            request_ends,
            temper,
            pipe: None,
            sent: 0,
            received: Vec::new(),
            saw_end: false,
            gave_up: false,
            half_since: None,
        }
    }

    /// Asserts that what was received so far is right: the expected replies, in order, perhaps
    /// ended after a whole one by a goodbye.
    pub fn check_received(&self, name: usize) {
        if self.expected.starts_with(&self.received) || self.goodbye_after(self.received.len()).is_some() {
            return;
        }
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
}

/// Writes a script and keeps the model while doing so.
struct Author<'a> {
    rng: &'a mut StdRng,
    name: usize,
    keys: Keys,
    calm: bool,
}

impl Author<'_> {
    fn write(mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        let count = self.rng.random_range(0..40);
        for _ in 0..count {
            let (request, reply) = self.step();
            steps.push(Step { request, reply, keys: self.keys.clone() });
            if self.rng.random_bool(0.02) {
                self.mute(&mut steps);
            }
        }
        if self.rng.random_bool(0.3) {
            let (request, reply) = self.last_step();
            steps.push(Step { request, reply, keys: self.keys.clone() });
            // What comes after the end must not be run.
            if self.rng.random_bool(0.5) {
                let request = words(&["SET", &self.key(), "after the end"]);
                steps.push(Step { request, reply: String::new(), keys: self.keys.clone() });
            }
        }
        steps
    }

    /// Turns replies off for a while, or for one command.
    fn mute(&mut self, steps: &mut Vec<Step>) {
        let skip = self.rng.random_bool(0.5);
        let request = words(&["CLIENT", "REPLY", if skip { "SKIP" } else { "OFF" }]);
        steps.push(Step { request, reply: String::new(), keys: self.keys.clone() });
        // RESET would turn them on again, and what has no reply is no command to skip.
        let keys = self.keys.clone();
        let request = loop {
            match self.step() {
                (_, reply) if reply == RESET || reply.is_empty() => self.keys.clone_from(&keys),
                (request, _) => break request,
            }
        };
        steps.push(Step { request, reply: String::new(), keys: self.keys.clone() });
        if !skip {
            steps.push(Step {
                request: words(&["CLIENT", "REPLY", "ON"]),
                reply: OK.into(),
                keys: self.keys.clone(),
            });
        }
    }

    fn key(&mut self) -> String {
        format!("{}:{}", self.name, self.rng.random_range(0..3))
    }

    fn value(&mut self) -> String {
        let len = if self.rng.random_bool(0.1) {
            self.rng.random_range(0..=BULK_MAX)
        } else {
            self.rng.random_range(0..20)
        };
        let alphabet = b"ab\r\n\0*$+-:1";
        (0..len).map(|_| alphabet[self.rng.random_range(0..alphabet.len())] as char).collect()
    }

    fn step(&mut self) -> (Vec<u8>, String) {
        let (key, value) = (self.key(), self.value());
        match self.rng.random_range(0..28) {
            0..=2 => {
                self.keys.insert(key.clone(), value.clone());
                (words(&["SET", &key, &value]), OK.into())
            }
            3..=5 => (words(&["GET", &key]), bulk_or_null(self.keys.get(&key))),
            6 => {
                let new = self.keys.get(&key).cloned().unwrap_or_default() + &value;
                if new.len() > BULK_MAX {
                    let text = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
                    return (words(&["APPEND", &key, &value]), text.into());
                }
                let reply = int(new.len());
                self.keys.insert(key.clone(), new);
                (words(&["APPEND", &key, &value]), reply)
            }
            7 => {
                let by = self.rng.random_range(-5..1000_i64);
                let before = self
                    .keys
                    .get(&key)
                    .map_or(Some(0), |value| value.parse::<i64>().ok().filter(|n| n.to_string() == *value));
                match before {
                    None => {
                        let text = "-ERR value is not an integer or out of range\r\n";
                        (words(&["INCRBY", &key, &by.to_string()]), text.into())
                    }
                    Some(before) => {
                        self.keys.insert(key.clone(), (before + by).to_string());
                        (words(&["INCRBY", &key, &by.to_string()]), format!(":{}\r\n", before + by))
                    }
                }
            }
            8 => {
                let other = self.key();
                let mut removed = 0;
                for key in [&key, &other] {
                    removed += usize::from(self.keys.remove(key).is_some());
                }
                (words(&["DEL", &key, &other]), int(removed))
            }
            9 => {
                let other = self.key();
                self.keys.insert(key.clone(), value.clone());
                self.keys.insert(other.clone(), "7".into());
                (words(&["MSET", &key, &value, &other, "7"]), OK.into())
            }
            10 => {
                let keys = [self.key(), self.key(), "nobody's".into()];
                let replies: String = keys.iter().map(|key| bulk_or_null(self.keys.get(key))).collect();
                (words(&["MGET", &keys[0], &keys[1], &keys[2]]), format!("*3\r\n{replies}"))
            }
            11 => (b"PING\r\n".to_vec(), "+PONG\r\n".into()),
            12 => (words(&["ECHO", &value]), bulk(&value)),
            13 => {
                let new = !self.keys.contains_key(&key);
                self.keys.entry(key.clone()).or_insert_with(|| value.clone());
                (words(&["SETNX", &key, &value]), int(usize::from(new)))
            }
            14 => {
                let reply = bulk_or_null(self.keys.get(&key));
                self.keys.insert(key.clone(), value.clone());
                (words(&["SET", &key, &value, "GET"]), reply)
            }
            15 => {
                let reply = bulk_or_null(self.keys.remove(&key).as_ref());
                (words(&["GETDEL", &key]), reply)
            }
            16 => (words(&["STRLEN", &key]), int(self.keys.get(&key).map_or(0, String::len))),
            17 => {
                let exists = usize::from(self.keys.contains_key(&key));
                (words(&["EXPIRE", &key, "1000000000"]), int(exists))
            }
            18 => (words(&["GET"]), "-ERR wrong number of arguments for 'get' command\r\n".into()),
            19 => (
                words(&["NOSUCH", "x"]),
                "-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n".into(),
            ),
            20 => {
                let key = "k".repeat(KEY_MAX + 1);
                (
                    words(&["GET", &key]),
                    format!("-ERR key of {} bytes exceeds max-key-bytes ({KEY_MAX})\r\n", KEY_MAX + 1),
                )
            }
            21 => {
                let value = "v".repeat(BULK_MAX + 1);
                let text = format!(
                    "-ERR argument of {} bytes exceeds proto-max-bulk-len ({BULK_MAX})\r\n",
                    BULK_MAX + 1
                );
                (words(&["SET", &key, &value]), text)
            }
            22 => {
                let value = "v".repeat(BULK_MAX);
                let text = format!("-ERR request exceeds max-request-bytes ({REQUEST_MAX})\r\n");
                (words(&["MSET", &key, &value, &key, &value, &key, &value, &key, &value]), text)
            }
            23 => {
                let many = vec!["x"; ARGS_MAX + 1];
                (
                    words(&many),
                    format!("-ERR {} arguments exceed max-request-args ({ARGS_MAX})\r\n", ARGS_MAX + 1),
                )
            }
            24 => (b"*0\r\n".to_vec(), String::new()),
            25 => (b"\r\n".to_vec(), String::new()),
            26 if !self.calm => {
                let (name, value) = LIVE_LIMITS[self.rng.random_range(0..LIVE_LIMITS.len())];
                (words(&["CONFIG", "SET", name, value]), OK.into())
            }
            _ => (words(&["RESET"]), RESET.into()),
        }
    }

    /// Ends the connection, one way or another.
    fn last_step(&mut self) -> (Vec<u8>, String) {
        match self.rng.random_range(0..6) {
            0 => (words(&["QUIT"]), OK.into()),
            1 => (words(&["DEBUG", "PANIC"]), INTERNAL.into()),
            2 => (b"*1\r\n+x\r\n".to_vec(), "-ERR Protocol error: expected '$', got '+'\r\n".into()),
            3 => (b"*1\r\n$-1\r\n".to_vec(), "-ERR Protocol error: invalid bulk length\r\n".into()),
            4 => (vec![b'x'; INLINE_MAX + 1], "-ERR Protocol error: too big inline request\r\n".into()),
            _ => (b"*2147483648\r\n".to_vec(), "-ERR Protocol error: invalid multibulk length\r\n".into()),
        }
    }
}

/// Limits that scripts change while clients are served. None that the model depends on.
const LIVE_LIMITS: [(&str, &str); 10] = [
    ("timeout", "0"),
    ("timeout", "800ms"),
    ("request-timeout", "300ms"),
    ("write-timeout", "0"),
    ("write-timeout", "500ms"),
    ("shutdown-timeout", "1"),
    ("maxclients", "100"),
    ("at-maxclients", "wait"),
    ("maxmemory-clients", "3kb"),
    ("client-query-buffer-limit", "512"),
];
const RESET: &str = "+RESET\r\n";
const OK: &str = "+OK\r\n";

fn int(number: usize) -> String {
    format!(":{number}\r\n")
}

fn bulk(value: &str) -> String {
    format!("${}\r\n{value}\r\n", value.len())
}

fn bulk_or_null(value: Option<&String>) -> String {
    value.map_or_else(|| "$-1\r\n".into(), |value| bulk(value))
}

fn words(words: &[&str]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request += &bulk(word);
    }
    request.into_bytes()
}
