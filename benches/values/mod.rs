//! How long a tick becomes while one value grows to millions of elements, and while it is removed in each way that
//! there is. Also how soon its memory has gone back to the system.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::stopwatch::{Row, Stopwatch, request};

/// Elements that a tick adds.
const BATCH: u64 = 100;
/// The memory has gone back when the process has at most this many percent of what it had before.
const BACK_PERCENT: usize = 110;
/// Ticks that are measured at least after a removal.
const TICKS_MIN: u32 = 1_000;
/// The clock from which the value expires, milliseconds.
const EXPIRES_MS: u64 = 1_000_000;

/// A kind of value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zset,
    Hash,
    Set,
    /// A set of integers.
    Ints,
    List,
    Stream,
}

/// A way to remove a value.
#[derive(Clone, Copy)]
enum End {
    Del,
    Unlink,
    Expire,
    FlushAll,
    /// `RENAME` of another key over it.
    Rename,
    /// `SET` of the same key.
    Set,
}

/// All kinds, by the names that the arguments have.
const KINDS: [(&str, Kind); 6] = [
    ("zset", Kind::Zset),
    ("hash", Kind::Hash),
    ("set", Kind::Set),
    ("ints", Kind::Ints),
    ("list", Kind::List),
    ("stream", Kind::Stream),
];

/// A number that is spread over 53 bits, for each `n` another one.
fn spread(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11
}

impl Kind {
    /// Appends the request that adds the elements from number `first` on.
    fn grow(self, out: &mut Vec<u8>, first: u64) {
        let elements = first..first + BATCH;
        let words: Vec<String> = match self {
            Kind::Zset => elements.flat_map(|n| [spread(n).to_string(), member(n)]).collect(),
            Kind::Hash => elements.flat_map(|n| [member(n), member(n)]).collect(),
            Kind::Set | Kind::List => elements.map(member).collect(),
            Kind::Ints => elements.map(|n| spread(n).to_string()).collect(),
            Kind::Stream => {
                for n in elements {
                    request(out, &["XADD", "big", &format!("{}-1", n + 1), "field", &member(n)]);
                }
                return;
            }
        };
        let command = match self {
            Kind::Zset => "ZADD",
            Kind::Hash => "HSET",
            Kind::Set | Kind::Ints => "SADD",
            Kind::List => "RPUSH",
            Kind::Stream => "XADD",
        };
        let mut request_words = vec![command, "big"];
        request_words.extend(words.iter().map(String::as_str));
        request(out, &request_words);
    }
}

fn member(n: u64) -> String {
    format!("member:{n:09}")
}

impl End {
    fn name(self) -> &'static str {
        match self {
            End::Del => "DEL",
            End::Unlink => "UNLINK",
            End::Expire => "it expires",
            End::FlushAll => "FLUSHALL",
            End::Rename => "RENAME over it",
            End::Set => "SET over it",
        }
    }

    /// Appends the requests that remove the value. All but the last one only prepare that.
    fn request(self, out: &mut Vec<u8>) {
        match self {
            End::Del => request(out, &["DEL", "big"]),
            End::Unlink => request(out, &["UNLINK", "big"]),
            End::Expire => request(out, &["PEXPIREAT", "big", &EXPIRES_MS.to_string()]),
            End::FlushAll => request(out, &["FLUSHALL"]),
            End::Rename => {
                request(out, &["SET", "small", "value"]);
                request(out, &["RENAME", "small", "big"]);
            }
            End::Set => request(out, &["SET", "big", "value"]),
        }
    }
}

/// Memory of this process that is resident, bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux has this file");
    let pages: usize = pages.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a number");
    pages * 4096
}

/// Prints a row for each way to remove a value of `elements` elements, for the kinds that `wanted` names, or all.
pub fn measure(elements: u64, wanted: &[String]) {
    println!();
    println!(
        "processor time of a tick in microseconds; one value of {elements} elements, {BATCH} added in a tick"
    );
    Row::print_head();
    for (name, kind) in KINDS {
        if !wanted.is_empty() && wanted.iter().all(|wanted| wanted != name) {
            continue;
        }
        let mut watch = Stopwatch::new();
        let mut row = Row::new();
        for _ in 0..elements / BATCH {
            watch.tick(&mut row, |out| request(out, &["PING"]));
        }
        row.print("PING");
        // After the first time, the server has grown what it keeps.
        grow_and_remove(&mut watch, name, kind, End::Del, elements / 100);
        let ends: &[End] = match kind {
            Kind::Zset => &[End::Del, End::Unlink, End::Expire, End::Rename, End::Set, End::FlushAll],
            _ => &[End::Del, End::Expire, End::FlushAll],
        };
        for end in ends {
            grow_and_remove(&mut watch, name, kind, *end, elements);
        }
        if kind == Kind::Zset {
            by_one_command(&mut watch, elements);
        }
    }
}

fn grow(watch: &mut Stopwatch, name: &str, kind: Kind, elements: u64) {
    let mut row = Row::new();
    for first in (0..elements).step_by(BATCH as usize) {
        watch.tick(&mut row, |out| kind.grow(out, first));
    }
    assert_eq!(watch.keys(), 1);
    row.print(&format!("{name} grows"));
}

fn grow_and_remove(watch: &mut Stopwatch, name: &str, kind: Kind, end: End, elements: u64) {
    watch.clock.store(1, Ordering::Relaxed);
    let mut row = Row::new();
    let before = resident();
    grow(watch, name, kind, elements);
    let full = resident();
    watch.tick(&mut row, |out| end.request(out));
    watch.clock.store(EXPIRES_MS, Ordering::Relaxed);
    free(watch, &mut row, end.name(), before, full);
    watch.tick(&mut Row::new(), |out| request(out, &["FLUSHALL"]));
}

/// Ticks until the removed value is freed, and tells how soon its memory was back.
fn free(watch: &mut Stopwatch, row: &mut Row, name: &str, before: usize, full: usize) {
    let began = Instant::now();
    let mut back: Option<Duration> = None;
    let mut ticks = 0;
    while ticks < TICKS_MIN || watch.server.world().store.has_leftovers() {
        watch.tick(row, |out| request(out, &["PING"]));
        ticks += 1;
        if back.is_none() && resident() <= before / 100 * BACK_PERCENT {
            back = Some(began.elapsed());
        }
    }
    row.print(name);
    let mib = |bytes: usize| bytes >> 20;
    let back = back.map_or("never".to_owned(), |after| format!("{} ms", after.as_millis()));
    println!(
        "{:>26} resident: {} MiB before, {} full, {} after; back after {back}",
        "",
        mib(before),
        mib(full),
        mib(resident())
    );
}

/// Commands that remove or copy all members themselves: how long they take for each million.
fn by_one_command(watch: &mut Stopwatch, elements: u64) {
    let half = (elements / 2).to_string();
    let commands: [&[&str]; 3] = [
        &["ZUNIONSTORE", "other", "1", "big"],
        &["ZREMRANGEBYRANK", "big", "0", &half],
        &["ZREMRANGEBYSCORE", "big", "0", "4503599627370496"],
    ];
    for command in commands {
        grow(watch, "zset", Kind::Zset, elements);
        let before = resident();
        let mut row = Row::new();
        watch.tick(&mut row, |out| request(out, command));
        row.print(command[0]);
        let mut row = Row::new();
        watch.tick(&mut row, |out| request(out, &["FLUSHALL"]));
        free(watch, &mut row, "then FLUSHALL", before, before);
    }
}
