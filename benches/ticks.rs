//! How long a tick can take while the table grows and shrinks. One client pipelines requests about millions
//! of keys, and the benchmark times every tick by itself.
//!
//! `cargo bench --bench ticks` uses one million keys, `cargo bench --bench ticks -- --full` twenty million.
//! The times are processor time of the thread, so other programs on the machine do not count. Time that a
//! hypervisor takes away does count; the rows that do not touch the table show how much that is.

mod treadmill;

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hdrhistogram::Histogram;
use nix::time::{ClockId, clock_gettime};
use tidegate::config::Config;
use tidegate::server::Server;
use treadmill::Treadmill;

/// Requests in a tick.
const PIPELINE: u64 = 100;
/// The value of every key.
const VALUE: &str = "0123456789abcdef0123456789abcdef";

/// The time at which the keys of [`Say::SetBrief`] have expired, milliseconds.
const EXPIRED_MS: u64 = 900_000;

/// The command that the client sends.
#[derive(Clone, Copy)]
enum Say {
    /// `PING`, which leaves the table alone.
    Ping,
    /// `SET` of a key.
    Set,
    /// `SET` of a key that expires within the second before [`EXPIRED_MS`].
    SetBrief,
    /// `GET` of a key.
    Get,
    /// `DEL` of a key.
    Del,
    /// `FLUSHALL`.
    Flush,
}

impl Say {
    /// Appends the request about key number `key` to `out`.
    fn request(self, out: &mut Vec<u8>, key: u64) {
        let written = match self {
            Say::Ping => write!(out, "*1\r\n$4\r\nPING\r\n"),
            Say::Set => write!(out, "*3\r\n$3\r\nSET\r\n$16\r\nkey:{key:012}\r\n$32\r\n{VALUE}\r\n"),
            Say::SetBrief => {
                let at = EXPIRED_MS - key % 1_000;
                let request = "*5\r\n$3\r\nSET\r\n$16\r\nkey:";
                write!(out, "{request}{key:012}\r\n$32\r\n{VALUE}\r\n$4\r\nPXAT\r\n$6\r\n{at}\r\n")
            }
            Say::Get => write!(out, "*2\r\n$3\r\nGET\r\n$16\r\nkey:{key:012}\r\n"),
            Say::Del => write!(out, "*2\r\n$3\r\nDEL\r\n$16\r\nkey:{key:012}\r\n"),
            Say::Flush => write!(out, "*1\r\n$8\r\nFLUSHALL\r\n"),
        };
        written.expect("a write to a vector cannot fail");
    }
}

/// Processor time that this thread has used.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}

fn main() {
    let keys: u64 = if std::env::args().any(|arg| arg == "--full") { 20_000_000 } else { 1_000_000 };
    let batch = Rc::new(RefCell::new(Vec::new()));
    let script = Rc::clone(&batch);
    let world = Treadmill::new(move |out| out.extend_from_slice(&script.borrow()));
    let time_ms = Arc::clone(&world.time_ms);
    let config = Config { timeout_ms: 0, ..Config::default() };
    let mut server = Server::new(world, config, 1, Vec::new());
    server.tick().expect("no trouble here");
    println!("processor time of a tick of {PIPELINE} requests, in microseconds; {keys} keys");
    println!("{:>22} {:>8} {:>8} {:>8} {:>8} {:>8}", "", "median", "p99", "p99.99", "worst", "> 2 ms");
    let clock = Arc::clone(&time_ms);
    let mut rows = |name: &str, what: Say, count: u64, ticks: u64| {
        let mut took =
            Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("these bounds are valid");
        let mut long = 0;
        for tick in 0..ticks {
            let mut batch = batch.borrow_mut();
            batch.clear();
            (tick * count..(tick + 1) * count).for_each(|key| what.request(&mut batch, key));
            drop(batch);
            // A millisecond for each tick, once time goes on.
            if time_ms.load(Ordering::Relaxed) > 0 {
                time_ms.fetch_add(1, Ordering::Relaxed);
            }
            let began = spent();
            server.tick().expect("no trouble here");
            let tick = spent() - began;
            took.saturating_record(tick.as_nanos() as u64);
            long += u32::from(tick > Duration::from_millis(2));
        }
        let micros = |nanos: u64| nanos as f64 / 1e3;
        println!(
            "{name:>22} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {long:>8}",
            micros(took.value_at_quantile(0.5)),
            micros(took.value_at_quantile(0.99)),
            micros(took.value_at_quantile(0.9999)),
            micros(took.max()),
        );
        server.service().world.store.len()
    };
    let ticks = keys / PIPELINE;
    rows("PING", Say::Ping, PIPELINE, ticks);
    assert_eq!(rows("SET, all keys new", Say::Set, PIPELINE, ticks), keys as usize);
    rows("GET", Say::Get, PIPELINE, ticks);
    rows("SET, all overwritten", Say::Set, PIPELINE, ticks);
    assert_eq!(rows("DEL, half of them", Say::Del, PIPELINE, ticks / 2), keys as usize / 2);
    assert_eq!(rows("FLUSHALL", Say::Flush, 1, 1), 0);
    rows("PING, freeing it", Say::Ping, 1, ticks / 10);
    assert_eq!(rows("SET, they expire later", Say::SetBrief, PIPELINE, ticks), keys as usize);
    clock.store(EXPIRED_MS - 1_000, Ordering::Relaxed);
    // All expire in the first thousand ticks. Half as many keys as the budget allows go in each.
    assert_eq!(rows("PING, all expire", Say::Ping, 1, 1_000 + keys / 500), 0);
}
