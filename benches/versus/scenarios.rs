//! The table of scenarios. Each line is one question to the servers. `measure` knows how to ask each kind.

use super::script::{Dataset, Mix, Protocol, Shape, Verb};

/// Many keys with small values.
const MILLION: Dataset = Dataset::strings(1_000_000, 32);
/// Keys with values of 1 KiB.
const KIB: Dataset = Dataset::strings(100_000, 1 << 10);
/// Keys with values of 64 KiB.
const KIB_64: Dataset = Dataset::strings(1_000, 64 << 10);
/// Keys with values of 10 MiB.
const MIB_10: Dataset = Dataset::strings(4, 10 << 20);
/// A hundred hashes of a thousand fields each: so many that no server keeps them packed.
const HASHES: Dataset = Dataset { keys: 100_000, value_bytes: 32, shape: Shape::Fields(1_000) };
/// The same as sets.
const SETS: Dataset = Dataset { keys: 100_000, value_bytes: 1, shape: Shape::Members(1_000) };
/// The same as sorted sets.
const ZSETS: Dataset = Dataset { keys: 100_000, value_bytes: 1, shape: Shape::Scores(1_000) };
/// No data: the scenario starts fresh and empty servers itself.
const FRESH: Dataset = Dataset::strings(0, 0);

/// 1,000 keys that are arguments of a script.
const fn lua(text: &'static str) -> Dataset {
    Dataset { keys: 1_000, value_bytes: 1, shape: Shape::Lua(text) }
}
/// A script that does nothing.
const NOTHING: &str = "return 1";
/// The common rate limiter. It always allows the call, so that its answer is known.
const LIMITER: &str = "local count = redis.call('INCR', KEYS[1]) if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) \
                       end if count > 1000000000000 then return 0 end return 1";
/// A script of many calls.
const HUNDRED: &str = "for n = 1, 100 do redis.call('GET', KEYS[1]) end return 1";
/// Requests that read a value.
const GET: Mix = Mix::Only(Verb::Get);
/// Requests that write a value.
const SET: Mix = Mix::Only(Verb::Set);

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What `--only` and the report call it.
    pub name: &'static str,
    /// What it measures, in a line.
    pub about: &'static str,
    /// The data that servers hold when it begins. Scenarios with the same data use the same servers.
    pub dataset: Dataset,
    /// How it is run.
    pub kind: Kind,
}

/// How a scenario is run.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A closed loop of `clients` clients: each one sends the next `pipeline` requests when the last ones are
    /// answered.
    Closed { mix: Mix, pipeline: usize, clients: usize },
    /// A closed loop of 50 clients, while `idle` others are connected and silent.
    Crowded { idle: usize },
    /// An open loop: `rate` `GET`s a second over 50 connections.
    Open { rate: u32 },
    /// `clients` clients that send `rate` `PING`s a second together, beside another one that sends `GET`s without end. That one
    /// has so many pipelines of so many requests on their way; none if it is not there.
    Beside { clients: usize, rate: u32, endless: Option<(u32, usize)> },
    /// Clients that connect, send one `PING` and close.
    Churn,
    /// One client publishes to `subscribers` subscribers, in pipelines of `pipeline` messages. It sends the
    /// next pipeline when every subscriber has got the last one.
    Publish { subscribers: usize, pipeline: usize },
    /// System calls of a closed loop of 50 clients, counted by strace.
    Calls { pipeline: usize },
    /// A server that starts, answers once, and then has nothing to do.
    Idle,
    /// Memory for `idle` connections, each of which has asked once and is silent now.
    ConnMemory { idle: usize },
    /// Memory for the keys of a data set.
    KeyMemory(Dataset),
}

impl Scenario {
    /// True if servers of this protocol can be asked. Hashes, channels, and values of more than 1 MiB need RESP.
    pub fn suits(&self, protocol: Protocol) -> bool {
        let is_short = self.dataset.value_bytes < 1 << 20;
        let plain =
            self.dataset.shape == Shape::Strings && is_short && !matches!(self.kind, Kind::Publish { .. });
        plain || protocol == Protocol::Resp
    }
}

impl Kind {
    /// True if a quick run measures it only once, because it takes long or its figures hardly change.
    pub fn once_if_quick(self) -> bool {
        matches!(self, Kind::Crowded { .. } | Kind::Calls { .. })
    }
}

/// A scenario with a closed loop.
const fn closed(
    name: &'static str,
    about: &'static str,
    dataset: Dataset,
    (mix, pipeline, clients): (Mix, usize, usize),
) -> Scenario {
    Scenario { name, about, dataset, kind: Kind::Closed { mix, pipeline, clients } }
}

/// A scenario of another kind.
const fn other(name: &'static str, about: &'static str, dataset: Dataset, kind: Kind) -> Scenario {
    Scenario { name, about, dataset, kind }
}

/// All scenarios, in the order of the run.
pub const SCENARIOS: &[Scenario] = &[
    closed("get-p1", "GET, 50 clients, one request at a time", MILLION, (GET, 1, 50)),
    closed("set-p1", "SET, 50 clients, one request at a time", MILLION, (SET, 1, 50)),
    closed("get-p16", "GET, 50 clients, pipelines of 16", MILLION, (GET, 16, 50)),
    closed("set-p16", "SET, 50 clients, pipelines of 16", MILLION, (SET, 16, 50)),
    closed("get-p100", "GET, 50 clients, pipelines of 100", MILLION, (GET, 100, 50)),
    closed("set-p100", "SET, 50 clients, pipelines of 100", MILLION, (SET, 100, 50)),
    closed("mix-p10", "9 GET and 1 SET in each pipeline of 10, 50 clients", MILLION, (Mix::OneSet, 10, 50)),
    closed("get-1-client", "GET, a single client, one request at a time", MILLION, (GET, 1, 1)),
    closed("get-1000-clients", "GET, 1,000 clients, one request at a time", MILLION, (GET, 1, 1000)),
    other(
        "get-among-9000-idle",
        "GET, 50 busy clients among 9,000 that are connected and silent",
        MILLION,
        Kind::Crowded { idle: 9_000 },
    ),
    other("latency", "GET at 20,000/s over 50 connections, open loop", MILLION, Kind::Open { rate: 20_000 }),
    other(
        "beside-endless-pipeline",
        "PING 1,000 times a second beside a client that pipelines GETs without end",
        MILLION,
        Kind::Beside { clients: 1, rate: 1_000, endless: Some((4, 1_000)) },
    ),
    other("churn", "connect, PING, close; 20 at a time", MILLION, Kind::Churn),
    other(
        "publish-p1",
        "PUBLISH of 32 bytes to 50 subscribers, one message at a time",
        MILLION,
        Kind::Publish { subscribers: 50, pipeline: 1 },
    ),
    other(
        "publish-p16",
        "PUBLISH of 32 bytes to 50 subscribers, pipelines of 16",
        MILLION,
        Kind::Publish { subscribers: 50, pipeline: 16 },
    ),
    other("calls-p1", "system calls of get-p1, under strace", MILLION, Kind::Calls { pipeline: 1 }),
    other("calls-p16", "system calls of get-p16, under strace", MILLION, Kind::Calls { pipeline: 16 }),
    closed("get-1kib", "GET of 1 KiB, 50 clients, one at a time", KIB, (GET, 1, 50)),
    closed("set-1kib-p16", "SET of 1 KiB, 50 clients, pipelines of 16", KIB, (SET, 16, 50)),
    closed("get-64kib", "GET of 64 KiB, 50 clients, one at a time", KIB_64, (GET, 1, 50)),
    closed("set-64kib", "SET of 64 KiB, 50 clients, one at a time", KIB_64, (SET, 1, 50)),
    other(
        "polite-50",
        "PING 10,000 times a second over 50 connections",
        MIB_10,
        Kind::Beside { clients: 50, rate: 10_000, endless: None },
    ),
    other(
        "polite-50-beside-get-10mib",
        "the same beside a client that sends GET of 10 MiB without end",
        MIB_10,
        Kind::Beside { clients: 50, rate: 10_000, endless: Some((1, 1)) },
    ),
    closed("get-10mib", "GET of 10 MiB, 4 clients, one at a time", MIB_10, (GET, 1, 4)),
    closed(
        "hget-p16",
        "HGET from hashes of 1,000 fields, 50 clients, pipelines of 16",
        HASHES,
        (GET, 16, 50),
    ),
    closed("hset-p16", "HSET in hashes of 1,000 fields, 50 clients, pipelines of 16", HASHES, (SET, 16, 50)),
    closed("sismember-p16", "SISMEMBER in sets of 1,000, 50 clients, pipelines of 16", SETS, (GET, 16, 50)),
    closed("sadd-p16", "SADD of members that are there, 50 clients, pipelines of 16", SETS, (SET, 16, 50)),
    closed("zscore-p16", "ZSCORE in sorted sets of 1,000, 50 clients, pipelines of 16", ZSETS, (GET, 16, 50)),
    closed("zadd-p16", "ZADD of other scores, 50 clients, pipelines of 16", ZSETS, (SET, 16, 50)),
    closed(
        "lua-nothing-p16",
        "EVALSHA of `return 1`, 50 clients, pipelines of 16",
        lua(NOTHING),
        (GET, 16, 50),
    ),
    closed(
        "lua-limiter-p16",
        "EVALSHA of a rate limiter (INCR, PEXPIRE), 50 clients, pipelines of 16",
        lua(LIMITER),
        (GET, 16, 50),
    ),
    closed(
        "lua-100-calls-p16",
        "EVALSHA of 100 GET, 50 clients, pipelines of 16",
        lua(HUNDRED),
        (GET, 16, 50),
    ),
    other("idle", "start, first answer, then nothing for two seconds", FRESH, Kind::Idle),
    other(
        "connections-9000",
        "memory for 9,000 connections that have asked once and are silent now",
        FRESH,
        Kind::ConnMemory { idle: 9_000 },
    ),
    other("keys-1m", "memory for 1 million keys of 16 + 32 bytes", FRESH, Kind::KeyMemory(MILLION)),
    other(
        "keys-2m",
        "memory for 2 million keys of 16 + 32 bytes",
        FRESH,
        Kind::KeyMemory(Dataset::strings(2_000_000, 32)),
    ),
];
