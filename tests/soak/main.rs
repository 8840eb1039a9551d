//! A soak: the real binary serves a crowd, checking clients and hostile ones for as long as one
//! likes, and is afterwards as it was before.
//!
//! `SOAK=5m cargo test --release --test soak -- --nocapture`; a plain `cargo test` runs it for
//! seconds. Loopback only, bounded in time and number; it ends the daemon it has started and
//! nothing else.

#[path = "../harness/mod.rs"]
mod harness;

mod checker;
mod crowd;
mod hostile;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use harness::{Daemon, Wire, have_descriptors, within};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// How long a plain `cargo test` soaks, seconds.
const DOSE_S: u64 = 6;
/// Connections in the crowd: in a soak, and in a dose.
const CROWD: usize = 4_000;
const CROWD_IN_A_DOSE: usize = 400;
const CHECKERS: u64 = 2;
const HOSTILES: u64 = 2;
/// Number of rounds. After each of them the daemon rests.
const ROUNDS: u32 = 4;
/// The allocator keeps some of what was freed, now more, now less. A leak of one byte a command, or
/// of a kilobyte a connection, is more than this in a minute.
const SLACK_KB: i64 = 8_192;
/// A key that everybody may read and nobody changes, and the length of its value.
pub const BIG_KEY: &str = "soak:big";
pub const BIG_BYTES: usize = 100_000;

/// What all threads of a round share.
pub struct Round {
    pub address: SocketAddr,
    over: AtomicBool,
    /// Replies that were compared with what they must be.
    pub checked: AtomicU64,
    /// Hostile acts done to the end.
    pub hostile: AtomicU64,
}

impl Round {
    pub fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    pub fn connect(&self) -> Wire {
        Wire::new(std::net::TcpStream::connect(self.address).expect("the daemon accepts"))
    }
}

#[test]
fn after_a_long_day_among_all_kinds_of_clients_it_is_as_it_was_in_the_morning() {
    let asked = std::env::var("SOAK").ok().map(|text| humantime::parse_duration(&text).expect("a duration"));
    let crowd = if asked.is_some() { CROWD } else { CROWD_IN_A_DOSE };
    if !have_descriptors(2 * crowd as u64 + 500) {
        return;
    }
    let time = asked.unwrap_or(Duration::from_secs(DOSE_S));
    let daemon = Daemon::start(&[
        "--request-timeout",
        "2",
        "--write-timeout",
        "2",
        "--timeout",
        "60",
        "--client-query-buffer-limit",
        "1mb",
        "--max-inline-bytes",
        "4kb",
        "--enable-debug-command",
        "local",
        "--loglevel",
        "warning",
    ]);
    let (descriptors, dataset) = (descriptors(&daemon), daemon.info("used_memory_dataset"));
    // The first round allocates what stays allocated. The others must leave nothing behind.
    let resident_kb: Vec<i64> = (0..ROUNDS)
        .map(|_| {
            round(&daemon, time / ROUNDS, crowd);
            come_to_rest(&daemon, descriptors, &dataset)
        })
        .collect();
    println!("resident at rest after each round, kB: {resident_kb:?}");
    let (last, before) = resident_kb.split_last().unwrap();
    let grown_kb = last - before.iter().max().unwrap();
    assert!(grown_kb <= SLACK_KB, "memory leaked: {resident_kb:?} kB");
    daemon.signal("TERM");
    assert_eq!(daemon.exit().0, Some(0));
}

fn round(daemon: &Daemon, time: Duration, crowd: usize) {
    let big = vec![b'v'; BIG_BYTES];
    daemon.connect().ask(harness::request(&[b"SET", BIG_KEY.as_bytes(), &big]), "+OK\r\n");
    let round = Arc::new(Round {
        address: daemon.address,
        over: AtomicBool::new(false),
        checked: AtomicU64::new(0),
        hostile: AtomicU64::new(0),
    });
    let mut threads = Vec::new();
    let mut start = |body: fn(&Round, StdRng, usize), seed: u64, size: usize| {
        let round = Arc::clone(&round);
        threads.push(std::thread::spawn(move || body(&round, StdRng::seed_from_u64(seed), size)));
    };
    for seed in 0..CHECKERS {
        start(checker::run, seed, seed as usize);
    }
    for seed in 0..HOSTILES {
        start(hostile::run, 100 + seed, 0);
    }
    start(hostile::trickle, 200, 50);
    start(crowd::run, 300, crowd);
    watch(daemon, &round, time, || threads.iter().any(|thread| thread.is_finished()));
    round.over.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("every reply was right");
    }
}

/// Prints how the round goes, until its time is over or a client has given up.
fn watch(daemon: &Daemon, round: &Round, time: Duration, somebody_gave_up: impl Fn() -> bool) {
    let started = Instant::now();
    let mut told = 0;
    while started.elapsed() < time && !somebody_gave_up() {
        std::thread::park_timeout(Duration::from_millis(100).min(time));
        if started.elapsed().as_secs() / 10 > told || started.elapsed() >= time {
            told = started.elapsed().as_secs() / 10;
            println!(
                "{:4} s: {} replies checked, {} hostile acts, {} clients, {} kB resident",
                started.elapsed().as_secs(),
                round.checked.load(Ordering::Relaxed),
                round.hostile.load(Ordering::Relaxed),
                daemon.info("connected_clients"),
                resident_kb(daemon),
            );
        }
    }
}

/// After all clients have gone and no key is stored: asserts that all descriptors are free, and returns the resident
/// memory.
fn come_to_rest(daemon: &Daemon, descriptors_before: usize, dataset_before: &str) -> i64 {
    daemon.connect().ask("FLUSHALL\r\n", "+OK\r\n");
    within("all descriptors to be free again", || (descriptors(daemon) == descriptors_before).then_some(()));
    assert_eq!(daemon.info("connected_clients"), "1");
    daemon.connect().ask("DBSIZE\r\n", ":0\r\n");
    within("the memory of all keys to be given back", || {
        (daemon.info("used_memory_dataset") == dataset_before).then_some(())
    });
    resident_kb(daemon)
}

/// How many the daemon has open, none of them for a client.
fn descriptors(daemon: &Daemon) -> usize {
    let all = std::fs::read_dir(format!("/proc/{}/fd", daemon.child.id())).expect("it runs");
    all.count()
}

fn resident_kb(daemon: &Daemon) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
