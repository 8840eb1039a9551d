//! The table of scenarios. A line is a question; `measure` knows how each kind is asked.

use super::script::{Dataset, Mix, Protocol, Verb};

/// The large data set, of small values.
const MILLION: Dataset = Dataset::strings(1_000_000, 32);
const KIB: Dataset = Dataset::strings(100_000, 1 << 10);
const KIB_64: Dataset = Dataset::strings(1_000, 64 << 10);
/// A hundred hashes of a thousand fields: no server holds these packed.
const HASHES: Dataset = Dataset { keys: 100_000, value_bytes: 32, fields: 1_000 };
/// Servers of its own for each scenario, fresh and empty.
const FRESH: Dataset = Dataset::strings(0, 0);

const GET: Mix = Mix::Only(Verb::Get);
const SET: Mix = Mix::Only(Verb::Set);

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    /// What servers hold when it begins; scenarios with the same data use the same servers.
    pub dataset: Dataset,
    pub kind: Kind,
}

/// How a scenario is run.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Closed loop.
    Closed { mix: Mix, pipeline: usize, clients: usize },
    /// The same with 50 clients, while so many others are connected and silent.
    Crowded { idle: usize },
    /// Open loop of `GET` over 50 connections.
    Open { rate: u32 },
    /// A client that asks so often, beside one that never stops.
    Beside { rate: u32 },
    /// Connect, `PING`, close.
    Churn,
    /// One client publishes to so many subscribers, pipelines of so many messages, each when
    /// everybody has heard the last.
    Publish { subscribers: usize, pipeline: usize },
    /// System calls, counted by strace.
    Calls { pipeline: usize },
    /// Start, and then nothing.
    Idle,
    /// Memory for so many connections that have asked once and are silent.
    ConnMemory { idle: usize },
    /// Memory for a million keys, or two.
    KeyMemory(Dataset),
}

impl Scenario {
    /// Hashes and channels are for RESP alone.
    pub fn suits(&self, protocol: Protocol) -> bool {
        let plain = self.dataset.fields == 0 && !matches!(self.kind, Kind::Publish { .. });
        plain || protocol == Protocol::Resp
    }
}

impl Kind {
    /// Takes long, or says nearly the same each time: once is enough for a quick look.
    pub fn once_if_quick(self) -> bool {
        matches!(self, Kind::Crowded { .. } | Kind::Calls { .. })
    }
}

const fn closed(
    name: &'static str,
    about: &'static str,
    dataset: Dataset,
    (mix, pipeline, clients): (Mix, usize, usize),
) -> Scenario {
    Scenario { name, about, dataset, kind: Kind::Closed { mix, pipeline, clients } }
}

const fn other(name: &'static str, about: &'static str, dataset: Dataset, kind: Kind) -> Scenario {
    Scenario { name, about, dataset, kind }
}

/// All of them, in the order of the run.
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
        Kind::Beside { rate: 1_000 },
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
    closed(
        "hget-p16",
        "HGET from hashes of 1,000 fields, 50 clients, pipelines of 16",
        HASHES,
        (GET, 16, 50),
    ),
    closed("hset-p16", "HSET in hashes of 1,000 fields, 50 clients, pipelines of 16", HASHES, (SET, 16, 50)),
    other("idle", "start, first answer, then nothing for two seconds", FRESH, Kind::Idle),
    other(
        "connections-9000",
        "memory for 9,000 connections that have asked once and are silent",
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
