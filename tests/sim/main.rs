//! Deterministic simulation: the very reactor, service and store that ship, in a world decided by
//! one seed. `SEED=n cargo test --test sim` replays a run; `SEEDS=n` runs that many.

mod bits;
mod board;
mod client;
mod dealings;
mod events;
mod frames;
mod geo;
mod groups;
mod hashes;
mod keys;
mod lists;
mod model;
mod net;
mod queues;
mod reasons;
mod run;
mod script;
mod scripts;
mod sets;
mod state;
mod story;
mod streams;
mod strings;
mod times;
mod world;
mod zsets;

use std::collections::BTreeMap;
use std::io::Write;

/// Seeds run by a plain `cargo test`; some seconds of them.
const SEEDS: u64 = 2_000;

/// What must have happened at least once over all seeds.
const EXPECTED_EVENTS: &[&str] = &[
    "aborted accept",
    "allocation budget",
    "allocation refused",
    "client that waits for a key",
    "changed key told to a client that keeps a copy",
    "clock jump",
    "client killed by another",
    "client that falls silent",
    "client that never reads",
    "client that pipelines without end",
    "client that trickles",
    "client that waits in a pause",
    "client told that a script is busy",
    "client told that it has killed a script",
    "connection by another listener",
    "connection storm",
    "connection that says nothing",
    "closed: at_capacity",
    "closed: drained",
    "closed: evicted",
    "closed: forced",
    "closed: idle",
    "closed: io",
    "closed: killed",
    "closed: panicked",
    "closed: peer_closed",
    "closed: protocol_error",
    "closed: query_buffer_limit",
    "closed: quit",
    "lame duck",
    "closed: request_timeout",
    "closed: slow_consumer",
    "delayed edge",
    "exit clean",
    "exit cut",
    "field that expired",
    "event of a key",
    "half-close by a client",
    "half-close by the server",
    "hash at the end",
    "hash of many fields at the end",
    "injected panic",
    "interrupted accept",
    "interrupted read",
    "interrupted wait",
    "interrupted write",
    "element handed on",
    "element taken",
    "element taken after a wait",
    "key of another database at the end",
    "key that expired",
    "key that was evicted",
    "limit changed in flight",
    "list at the end",
    "list of several nodes at the end",
    "message delivered",
    "message to a subscriber",
    "no descriptors",
    "pause",
    "refused registration",
    "refused write",
    "reset by client",
    "reset in the backlog",
    "scan",
    "script killed by another client",
    "script lost to a panic",
    "script stopped because of its memory",
    "script stopped because of its time",
    "script that failed and keeps its changes",
    "script that returned",
    "script that the server does not know",
    "second signal",
    "set at the end",
    "set of many members at the end",
    "short read",
    "short write",
    "shutdown by a command",
    "signal",
    "slow tick",
    "spurious edge",
    "sorted set at the end",
    "sorted set of many members at the end",
    "stream at the end",
    "stream of several nodes at the end",
    "stream with pending entries at the end",
    "subscriber that was too slow",
    "transaction",
    "transaction that a watched key stopped",
    "transaction that was aborted",
    "urgent data",
    "wait in vain",
    "wall clock jump",
    "write of several pieces",
    "write refused because of maxmemory",
];

/// Commands about strings and keys, and their options, each of which must have been answered at least once over all seeds.
const EXPECTED_WORDS: &[&str] = &[
    "BITCOUNT",
    "BITCOUNT BIT",
    "BITFIELD",
    "BITFIELD_RO",
    "BITOP AND",
    "BITOP NOT",
    "BITOP OR",
    "BITOP XOR",
    "BITPOS",
    "BITPOS BIT",
    "DELIFEQ",
    "EXPIRE",
    "EXPIRE GT",
    "EXPIRE LT",
    "EXPIRE NX",
    "EXPIRE XX",
    "EXPIREAT",
    "EXPIRETIME",
    "GETBIT",
    "GETDEL",
    "GETEX",
    "GETEX EX",
    "GETEX EXAT",
    "GETEX PERSIST",
    "GETEX PX",
    "GETEX PXAT",
    "GETRANGE",
    "GETSET",
    "INCRBYFLOAT",
    "LCS",
    "LCS IDX",
    "LCS LEN",
    "MSETNX",
    "OBJECT ENCODING",
    "PERSIST",
    "PEXPIRE",
    "PEXPIREAT",
    "PEXPIRETIME",
    "PSETEX",
    "PTTL",
    "RANDOMKEY",
    "RENAMENX",
    "SCAN TYPE",
    "SET EX",
    "SET EXAT",
    "SET GET",
    "SET IFEQ",
    "SET IFNE",
    "SET KEEPTTL",
    "SET NX",
    "SET PX",
    "SET PXAT",
    "SET XX",
    "SETBIT",
    "SETEX",
    "SETNX",
    "SUBSTR",
    "TOUCH",
    "TTL",
    "WAIT",
];

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, count) => 0..count.unwrap_or(SEEDS),
    }
}

#[test]
fn every_seed_keeps_every_promise() {
    let mut injected: BTreeMap<&'static str, u64> = BTreeMap::new();
    let seeds = seeds();
    let whole = seeds.end - seeds.start >= SEEDS;
    let started = std::time::Instant::now();
    for seed in seeds {
        if seed > 0 && seed.is_multiple_of(10_000) {
            // Not through println!, which the test runner keeps to itself.
            let _ = writeln!(std::io::stderr(), "{seed} seeds in {:.0?}", started.elapsed());
        }
        let outcome = std::panic::catch_unwind(|| run::run(seed, None));
        match outcome {
            Ok(report) => report
                .injected
                .into_iter()
                .for_each(|(what, count)| *injected.entry(what).or_default() += count),
            Err(_) => {
                panic!("seed {seed} failed; replay it with: SEED={seed} cargo test --test sim -- --nocapture")
            }
        }
    }
    println!("{injected:#?}");
    // A fault that never happens proves nothing.
    for what in EXPECTED_EVENTS.iter().chain(EXPECTED_WORDS) {
        assert!(!whole || injected.get(what).is_some_and(|count| *count > 0), "never happened: {what}");
    }
}

#[test]
fn one_seed_is_one_run() {
    for seed in 0..50 {
        assert_eq!(run::run(seed, None), run::run(seed, None), "seed {seed}");
    }
}
