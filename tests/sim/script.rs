//! Writes the scripts that the clients of the simulation follow.

use rand::RngExt;
use rand::rngs::StdRng;
use tidegate::base::Reason;

use crate::lists::{End, ListOp};
use crate::model::{ARGS_MAX, BULK_MAX, INLINE_MAX, KEY_MAX, Keys, OK, Op, REQUEST_MAX, bulk, elsewhere};
use crate::scripts::Scripts;
use crate::state::Victims;

/// One request of a script.
pub struct Step {
    pub request: Vec<u8>,
    pub op: Op,
    /// Its reply is kept from the client, who asked for that.
    pub muted: bool,
    /// It ends the connection, for this reason.
    pub ends_for: Option<Reason>,
}

impl Step {
    /// There will be a reply to it.
    pub fn is_answered(&self) -> bool {
        !self.muted && !self.op.is_silent()
    }
}

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It does a bit of everything.
    Plain,
    /// The same, and it publishes more than others.
    Publisher,
    /// It sends one short command, very often.
    Endless,
    /// It listens to channels.
    Listener,
    /// It walks through all keys, again and again.
    Scanner,
    /// It keeps copies of keys.
    Cacher,
    /// It fills the memory up.
    Hoarder,
}

/// What the scripts of a run dwell on, so that rare things meet each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Everything,
    /// Buffers near `maxmemory-clients`.
    Memory,
    /// Subscribers near their limits.
    Messages,
    /// Short times to live, and transactions that last.
    Time,
    /// Hashes of few fields and of many.
    Hashes,
    /// Sets and lists, short ones and long ones.
    SetsAndLists,
    /// Sorted sets and streams, short ones and long ones.
    ZsetsAndStreams,
    /// Strings, their bits, and the times of keys.
    Strings,
    /// Queues that clients wait for.
    Queues,
    /// What clients do to each other: kills, pauses, a key that all of them write.
    Others,
    /// More keys than `maxmemory` allows.
    Eviction,
}

impl Theme {
    pub const ALL: [Theme; 11] = [
        Theme::Everything,
        Theme::Memory,
        Theme::Messages,
        Theme::Time,
        Theme::Hashes,
        Theme::SetsAndLists,
        Theme::ZsetsAndStreams,
        Theme::Strings,
        Theme::Queues,
        Theme::Others,
        Theme::Eviction,
    ];
}

/// What a script may contain besides the common commands.
#[derive(Clone, Copy, Debug)]
pub struct Contents {
    /// Limits are changed while they are in use.
    pub limits: bool,
    /// Any request may be refused, for lack of memory or because a script runs. So scripts have no request without a reply, and none that is
    /// certainly the last.
    pub refusable: bool,
    /// Memory may be refused.
    pub scarce: bool,
    /// No request meets a limit on sizes, so that these can be changed in flight as well.
    pub modest: bool,
    /// Clients close others.
    pub kills: bool,
    /// Clients make others wait.
    pub pauses: bool,
    /// Clients stop the server.
    pub stops: bool,
    /// The server tells of keyspace events, and scripts cause some.
    pub events: bool,
    /// Clients send scripts in Lua.
    pub lua: Option<Scripts>,
    /// Which keys the server may evict when the memory is used up.
    pub victims: Victims,
    /// What it dwells on.
    pub theme: Theme,
}

/// Limits on sizes, none of which a modest script meets, and none of which contradicts another one.
const SIZE_LIMITS: [(&str, &str); 12] = [
    ("max-key-bytes", "16"),
    ("max-key-bytes", "1000"),
    ("proto-max-bulk-len", "1300"),
    ("proto-max-bulk-len", "4000"),
    ("max-request-args", "16"),
    ("max-request-args", "1000000"),
    ("max-inline-bytes", "64"),
    ("max-inline-bytes", "4000"),
    ("max-request-bytes", "4000"),
    ("max-request-bytes", "1mb"),
    ("max-reply-bytes", "4000"),
    ("max-reply-bytes", "1gb"),
];

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
    ("maxmemory-clients", "5kb"),
    ("client-query-buffer-limit", "1kb"),
];

/// A script for the client called `name`.
pub fn write(rng: &mut StdRng, name: usize, role: Role, contents: Contents) -> Vec<Step> {
    let mut author = Author { rng, name, contents, elements: 0, times: 0, knows_library: false };
    match role {
        Role::Plain => author.plain(0.0),
        Role::Publisher => author.plain(0.5),
        Role::Endless => (0..author.rng.random_range(300..1_000)).map(|_| ping()).collect(),
        Role::Listener => author.listener(),
        Role::Scanner => author.scanner(),
        Role::Cacher => author.cacher(),
        Role::Hoarder => author.hoarder(contents.victims),
    }
}

/// What a scanner sends after a page: perhaps it changes something; then it goes on.
///
/// `cursor` is where its scan goes on, with its `TYPE`, if it has not ended.
pub fn next_page(
    rng: &mut StdRng,
    cursor: Option<&(String, Option<&'static str>)>,
    round: usize,
    keys: &Keys,
) -> Vec<Step> {
    if cursor.is_none() && rng.random_bool(0.5) || round > 150 {
        return Vec::new();
    }
    let mut steps = Vec::new();
    if let Some(key) = keys.keys().nth(rng.random_range(0..40)) {
        let (key, other) = (key.clone(), format!("{key}'"));
        steps.push(if rng.random_bool(0.5) {
            step(&["DEL", &key, &other], Op::Delete([key.clone(), other.clone()]))
        } else {
            step(&["SET", &other, "v"], Op::Set(other.clone(), "v".into()))
        });
    }
    let count = rng.random_range(1..12).to_string();
    let kind = [None, None, Some("string"), Some("list"), Some("set")][rng.random_range(0..5)];
    let (cursor, kind) = cursor.map_or(("0", kind), |(cursor, kind)| (cursor, *kind));
    let mut request = vec!["SCAN", cursor, "COUNT", &count];
    request.extend(kind.iter().flat_map(|kind| ["TYPE", kind]));
    steps.push(step(&request, Op::Page(kind)));
    steps
}

/// Writes one script.
pub struct Author<'a> {
    pub rng: &'a mut StdRng,
    pub name: usize,
    pub contents: Contents,
    /// How many elements and entries it has put into queues and streams.
    pub elements: usize,
    /// How many times it has given to keys.
    pub times: u64,
    /// It has loaded the library of functions.
    pub knows_library: bool,
}

impl Author<'_> {
    /// Up to some tens of requests.
    fn plain(&mut self, publishes: f64) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..self.rng.random_range(0..30) {
            if self.rng.random_bool(publishes) {
                steps.push(self.publish());
            }
            if self.rng.random_bool(0.4) {
                self.dwell(&mut steps);
            }
            if let Some(scripts) = self.contents.lua
                && self.rng.random_bool(0.7)
            {
                self.send_script(scripts, &mut steps);
            }
            match self.rng.random_range(0..44) {
                0 if self.rng.random_bool(0.3) => self.hoard(&mut steps),
                0..18 => steps.push(self.command()),
                18..26 => steps.push(self.oddity()),
                26 => steps.push(step(&["RESET"], Op::Reset)),
                _ => self.dealings(&mut steps),
            }
            if !self.contents.refusable && self.rng.random_bool(0.02) {
                self.mute(&mut steps);
            }
            if !self.contents.refusable && self.rng.random_bool(0.05) {
                self.visit_database(&mut steps);
            }
        }
        if self.rng.random_bool(0.3) {
            steps.push(self.last_step());
            // A request after the end must not run.
            if !self.contents.refusable && self.rng.random_bool(0.5) {
                steps.push(says(words(&["SET", &self.key(), "after the end"]), ""));
            }
        }
        steps
    }

    fn scanner(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for many in 0..self.rng.random_range(1..20) {
            let pairs: Vec<(String, String)> =
                (0..7).map(|nth| (format!("{}:{many}.{nth}", self.name), "v".into())).collect();
            let mut request = vec!["MSET"];
            pairs.iter().for_each(|(key, value)| request.extend([key.as_str(), value]));
            steps.push(step(&request, Op::SetMany(pairs.clone())));
            let list = format!("{}:{many}.list", self.name);
            let op = ListOp::Push(End::Right, vec!["v".into()]);
            steps.push(step(&["RPUSH", &list, "v"], Op::Elements(list.clone(), op)));
        }
        steps.push(step(&["SCAN", "0"], Op::Page(None)));
        steps
    }

    /// Works in another database for a while, or moves a key between the two.
    fn visit_database(&mut self, steps: &mut Vec<Step>) {
        let (db, key) = (self.rng.random_range(1..4), self.key());
        let (number, there) = (db.to_string(), elsewhere(db, &key));
        match self.rng.random_range(0..4) {
            0 => steps.push(step(&["MOVE", &key, &number], Op::Move(key.clone(), there))),
            1 => {
                let request = ["COPY", &key, &key, "DB", &number, "REPLACE"];
                steps.push(step(&request, Op::Copy(key.clone(), there, true)));
            }
            _ => {}
        }
        steps.push(says(words(&["SELECT", &number]), OK));
        for _ in 0..self.rng.random_range(0..4) {
            let step = self.command();
            steps.push(Step { op: step.op.elsewhere(db), ..step });
        }
        if self.rng.random_bool(0.3) {
            steps.push(step(&["MOVE", &key, "0"], Op::Move(elsewhere(db, &key), key.clone())));
        }
        steps.push(says(words(&["SELECT", "0"]), OK));
    }

    /// Turns replies off for a while, or for one command.
    fn mute(&mut self, steps: &mut Vec<Step>) {
        let skip = self.rng.random_bool(0.5);
        steps.push(says(words(&["CLIENT", "REPLY", if skip { "SKIP" } else { "OFF" }]), ""));
        let step = self.command();
        steps.push(Step { muted: true, ..step });
        if !skip {
            steps.push(says(words(&["CLIENT", "REPLY", "ON"]), OK));
        }
    }

    pub fn key(&mut self) -> String {
        format!("{}:{}", self.name, self.rng.random_range(0..3))
    }

    pub fn value(&mut self) -> String {
        let len = if self.rng.random_bool(0.1) {
            self.rng.random_range(0..=BULK_MAX)
        } else {
            self.rng.random_range(0..20)
        };
        let alphabet = b"ab\r\n\0*$+-:1";
        (0..len).map(|_| alphabet[self.rng.random_range(0..alphabet.len())] as char).collect()
    }

    pub fn command(&mut self) -> Step {
        match self.rng.random_range(0..20) {
            14 if !self.contents.modest => return self.geo_command(),
            15 | 16 => return self.text_command(),
            17 => return self.bits_command(),
            18 => return self.time_command(),
            19 => return self.key_command(),
            0 | 1 => return self.hash_command(),
            2 => return self.rework(),
            3 => return self.set_command(),
            4 => return self.list_command(),
            5 => return self.zset_command(),
            6 => return self.stream_command(),
            _ => {}
        }
        let (key, other, value) = (self.key(), self.key(), self.value());
        let (request, op) = match self.rng.random_range(0..17) {
            0..=2 => (words(&["SET", &key, &value]), Op::Set(key, value)),
            3..=5 => (words(&["GET", &key]), Op::Get(key)),
            6 if !self.contents.modest => (words(&["APPEND", &key, &value]), Op::Append(key, value)),
            7 => {
                let by = self.rng.random_range(-5..1000_i64);
                (words(&["INCRBY", &key, &by.to_string()]), Op::Add(key, by))
            }
            8 => (words(&["DEL", &key, &other]), Op::Delete([key, other])),
            9 => {
                let request = words(&["MSET", &key, &value, &other, "7"]);
                (request, Op::SetMany(vec![(key, value), (other, "7".into())]))
            }
            10 => (words(&["MGET", &key, &other, "nobody's"]), Op::GetMany([key, other, "nobody's".into()])),
            11 => (words(&["ECHO", "PONG"]), Op::Says(bulk("PONG"))),
            12 => (words(&["ECHO", &value]), Op::Says(bulk(&value))),
            13 => (words(&["SETNX", &key, &value]), Op::SetNew(key, value)),
            14 => (words(&["SET", &key, &value, "GET"]), Op::SetAndGet(key, value)),
            15 => (words(&["GETDEL", &key]), Op::Take(key)),
            _ if self.rng.random_bool(0.5) => (words(&["STRLEN", &key]), Op::Len(key)),
            _ => return self.expire(&key),
        };
        Step { request, op, muted: false, ends_for: None }
    }

    /// Changes a string in its place or on a condition, or gives what a key holds to another key.
    fn rework(&mut self) -> Step {
        let (key, other, value) = (self.key(), self.key(), self.value());
        match self.rng.random_range(0..8) {
            0 | 1 => step(&["RENAME", &key, &other], Op::Rename(key.clone(), other.clone())),
            2 => step(&["COPY", &key, &other], Op::Copy(key.clone(), other.clone(), false)),
            3 => step(&["COPY", &key, &other, "REPLACE"], Op::Copy(key.clone(), other.clone(), true)),
            4 => {
                // Short enough for every limit of a modest script.
                let (at, part) = (self.rng.random_range(0..300_usize), "part");
                let op = Op::SetRange(key.clone(), at, part.to_owned());
                step(&["SETRANGE", &key, &at.to_string(), part], op)
            }
            5 => step(&["GETRANGE", &key, "0", "-1"], Op::GetRange(key.clone())),
            6 => {
                let pairs = vec![(key.clone(), value.clone()), (other.clone(), "7".to_owned())];
                step(&["MSETNX", &key, &value, &other, "7"], Op::SetManyNew(pairs))
            }
            _ if self.rng.random_bool(0.5) => {
                step(&["SET", &key, &value, "IFEQ", "7"], Op::SetIf(key.clone(), value.clone(), "7".into()))
            }
            _ => step(&["DELIFEQ", &key, "7"], Op::DeleteIf(key.clone(), "7".into())),
        }
    }

    /// Requests that are wrong, too long, empty, or about the server itself.
    pub fn oddity(&mut self) -> Step {
        let key = self.key();
        match self.rng.random_range(0..9) {
            2..=5 if self.contents.modest => {
                let (name, value) = SIZE_LIMITS[self.rng.random_range(0..SIZE_LIMITS.len())];
                says(words(&["CONFIG", "SET", name, value]), OK)
            }
            0 => says(words(&["GET"]), "-ERR wrong number of arguments for 'get' command\r\n"),
            1 => {
                let text = "-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n";
                says(words(&["NOSUCH", "x"]), text)
            }
            2 => {
                let len = KEY_MAX + 1;
                let text = format!("-ERR key of {len} bytes exceeds max-key-bytes ({KEY_MAX})\r\n");
                says(words(&["GET", &"k".repeat(len)]), &text)
            }
            3 => {
                let len = BULK_MAX + 1;
                let text =
                    format!("-ERR argument of {len} bytes exceeds proto-max-bulk-len ({BULK_MAX})\r\n");
                says(words(&["SET", &key, &"v".repeat(len)]), &text)
            }
            4 => {
                let value = "v".repeat(BULK_MAX);
                let text = format!("-ERR request exceeds max-request-bytes ({REQUEST_MAX})\r\n");
                says(words(&["MSET", &key, &value, &key, &value, &key, &value, &key, &value]), &text)
            }
            5 => {
                let count = ARGS_MAX + 1;
                let text = format!("-ERR {count} arguments exceed max-request-args ({ARGS_MAX})\r\n");
                says(words(&vec!["x"; count]), &text)
            }
            6 if self.rng.random_bool(0.5) => step(&["WAIT", "1", "1000"], Op::Wait),
            6 => says(b"*0\r\n".to_vec(), ""),
            7 if self.contents.limits => {
                let (name, value) = LIVE_LIMITS[self.rng.random_range(0..LIVE_LIMITS.len())];
                says(words(&["CONFIG", "SET", name, value]), OK)
            }
            _ => says(b"\r\n".to_vec(), ""),
        }
    }

    /// Ends the connection, one way or another.
    fn last_step(&mut self) -> Step {
        if self.contents.stops && self.rng.random_bool(0.6) {
            let now = self.rng.random_bool(0.3);
            let request = if now { words(&["SHUTDOWN", "NOW"]) } else { words(&["SHUTDOWN"]) };
            let op = Op::Shutdown(now);
            return Step { request, op, muted: false, ends_for: Some(Reason::Drained) };
        }
        let way = self.rng.random_range(0..if self.contents.modest { 5 } else { 6 });
        let (request, reply, reason) = match way {
            0 => (words(&["QUIT"]), OK, Reason::Quit),
            1 => (words(&["DEBUG", "PANIC"]), "-ERR internal error\r\n", Reason::Panicked),
            broken => {
                let (request, reply): (&[u8], &str) = match broken {
                    2 => (b"*1\r\n+x\r\n", "-ERR Protocol error: expected '$', got '+'\r\n"),
                    3 => (b"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
                    4 => (b"*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
                    _ => (&[b'x'; INLINE_MAX + 1], "-ERR Protocol error: too big inline request\r\n"),
                };
                (request.to_vec(), reply, Reason::ProtocolError)
            }
        };
        Step { ends_for: Some(reason), ..says(request, reply) }
    }
}

pub fn says(request: Vec<u8>, reply: &str) -> Step {
    Step { request, op: Op::Says(reply.into()), muted: false, ends_for: None }
}

/// A request of these words that means `op`.
pub fn step(request: &[&str], op: Op) -> Step {
    Step { request: words(request), op, muted: false, ends_for: None }
}

pub fn ping() -> Step {
    Step { request: b"PING\r\n".to_vec(), op: Op::Ping, muted: false, ends_for: None }
}

pub fn words(words: &[&str]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request += &bulk(word);
    }
    request.into_bytes()
}
