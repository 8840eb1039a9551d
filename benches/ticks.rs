//! How long a tick can take while the table grows and shrinks, and while one value does. One client pipelines requests
//! about millions of keys or elements, and the benchmark times every tick by itself.
//!
//! `cargo bench --bench ticks` uses one million keys and values of one million elements; `cargo bench --bench ticks
//! -- --full` twenty million keys and values of ten million. `-- keys` and `-- values` run one part only, and `-- zset`
//! (or `hash`, `set`, `ints`, `list`, `stream`) one kind of value.
//!
//! The times are processor time of the thread, so other programs on the machine do not count. Time that a
//! hypervisor takes away does count; the rows that do not touch the table show how much that is. The last column is
//! the longest tick by the clock on the wall.

mod stopwatch;
mod treadmill;
mod values;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stopwatch::{Row, Stopwatch};

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

fn main() {
    tidegate::allocator::fix_thresholds();
    let is_option = |arg: &String| arg.starts_with("--");
    let (options, words): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(is_option);
    let full = options.iter().any(|option| option == "--full");
    if words.is_empty() || words == ["keys"] {
        keys(if full { 20_000_000 } else { 1_000_000 });
    }
    if words != ["keys"] {
        let kinds: Vec<String> = words.into_iter().filter(|word| word != "values").collect();
        values::measure(if full { 10_000_000 } else { 1_000_000 }, &kinds);
    }
}

/// Prints a row for each thing that happens to `keys` keys.
fn keys(keys: u64) {
    let mut watch = Stopwatch::new();
    let clock = Arc::clone(&watch.clock);
    println!("processor time of a tick of {PIPELINE} requests, in microseconds; {keys} keys");
    Row::print_head();
    let ticks = keys / PIPELINE;
    let mut rows = |name: &str, what: Say, count: u64, ticks: u64| {
        let mut row = Row::new();
        for tick in 0..ticks {
            watch.tick(&mut row, |out| {
                (tick * count..(tick + 1) * count).for_each(|key| what.request(out, key));
            });
        }
        row.print(name);
        watch.keys()
    };
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
