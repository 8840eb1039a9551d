//! What the keyspace costs in memory and time, compared with the plain design that it replaced.
//!
//! `cargo bench --bench table` runs all parts. `-- memory`, `-- speed`, `-- pauses` and `-- hashes` choose
//! some of them. With `--full`, `pauses` uses 20 million keys. Compare only times of one run.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ahash::RandomState;
use hashbrown::HashMap;
use nix::time::{ClockId, clock_gettime};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tidegate::store::{Expiry, Store};

/// Bytes of a key.
const KEY_BYTES: usize = 16;
/// The first value of every key.
const VALUE: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
/// The value with which keys are overwritten.
const OTHER: &[u8; 32] = b"fedcba9876543210fedcba9876543210";
/// Number of keys.
const KEYS: u64 = 1_000_000;
/// Number of look-ups that are timed together.
const PROBES: usize = 2_000_000;
/// The parts of this benchmark, by the words that choose them.
const PARTS: [&str; 4] = ["memory", "speed", "pauses", "hashes"];

type Key = [u8; KEY_BYTES];

/// Key number `n`.
fn key(n: u64) -> Key {
    let mut key = *b"key:000000000000";
    let mut rest = n;
    for digit in key.iter_mut().rev().take(12) {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// A keyspace that can be measured.
trait Keyspace {
    /// What the output calls it.
    const NAME: &str;
    fn set(&mut self, key: &[u8], value: &[u8]);
    fn get(&mut self, key: &[u8]) -> Option<&[u8]>;
}

impl Keyspace for Store {
    const NAME: &str = "table";

    fn set(&mut self, key: &[u8], value: &[u8]) {
        let entry = self.prepare(key, value).expect("there is memory");
        self.commit(entry, Expiry::Never);
    }

    fn get(&mut self, key: &[u8]) -> Option<&[u8]> {
        Store::get(self, key, 0).expect("all keys hold strings")
    }
}

/// A value of the former design.
struct PlainItem {
    value: Vec<u8>,
    /// When the key expires, in Unix milliseconds.
    expires_ms: Option<u64>,
}

/// The former design: a hash map from boxed keys to vectors, and an ordered set of the keys that expire.
#[derive(Default)]
struct Plain {
    items: HashMap<Box<[u8]>, PlainItem, RandomState>,
    expiries: BTreeSet<(u64, Box<[u8]>)>,
}

impl Keyspace for Plain {
    const NAME: &str = "hashbrown";

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.items.reserve(1);
        let (key, value): (Box<[u8]>, Vec<u8>) = (key.into(), value.into());
        if let Some(at) = self.items.get(&key).and_then(|item| item.expires_ms) {
            self.expiries.remove(&(at, key.clone()));
        }
        self.items.insert(key, PlainItem { value, expires_ms: None });
    }

    fn get(&mut self, key: &[u8]) -> Option<&[u8]> {
        if self.expiries.first().is_some() {
            return None;
        }
        self.items.get(key).map(|item| &item.value[..])
    }
}

/// Resident memory of this process, in bytes.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has this file");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has this line");
    line.split_whitespace().next().expect("a number").parse::<u64>().expect("a number") * 1_024
}

/// Bytes that a key costs besides key and value: by the growth of resident memory, and by the store's own
/// count.
fn memory() {
    println!(
        "bytes per key besides key (16) and value (32)\n{:>10} {:>9} {:>9}",
        "keys", "resident", "by count"
    );
    let mut store = Store::new(1);
    let before = resident_bytes();
    let (mut worst, mut n) = (0.0_f64, 0);
    for fill in (10..=22).map(|tenths| tenths * 100_000) {
        while n < fill {
            store.set(&key(n), VALUE);
            n += 1;
        }
        let over = |bytes: u64| bytes as f64 / n as f64 - (KEY_BYTES + VALUE.len()) as f64;
        let resident = over(resident_bytes() - before);
        worst = worst.max(resident);
        println!("{n:>10} {resident:>9.2} {:>9.2}", over(store.memory() as u64));
    }
    println!("{:>10} {worst:>9.2}\n", "worst");
    for n in 0..n - n / 20 {
        store.remove(&key(n), 0);
    }
    println!("resident after 19 of 20 keys are removed: {} KiB\n", (resident_bytes() - before) >> 10);
}

/// Nanoseconds of wall time per call, if `run` makes `calls` calls.
fn timed(calls: usize, run: impl FnOnce()) -> f64 {
    let began = Instant::now();
    run();
    began.elapsed().as_nanos() as f64 / calls as f64
}

/// Times one keyspace and prints its row. `strangers` are keys that it does not hold.
fn speed<K: Keyspace>(mut keyspace: K, probes: &[Key], strangers: &[Key]) {
    let new = timed(KEYS as usize, || (0..KEYS).for_each(|n| keyspace.set(&key(n), VALUE)));
    let hit = |keyspace: &mut K| {
        // The next key depends on the value before. So the processor cannot overlap two calls, as it could
        // not in a server that does other work between them.
        timed(probes.len(), || {
            let mut at = 0;
            while at < probes.len() {
                let value = keyspace.get(&probes[at]).expect("the key is there");
                at += usize::from(value[0] & value[31] & 1) + 1;
            }
        })
    };
    let first = hit(&mut keyspace);
    let crowd = timed(probes.len(), || {
        for key in probes {
            assert!(black_box(keyspace.get(key)).is_some());
        }
    });
    let miss = timed(strangers.len(), || {
        for key in strangers {
            assert!(black_box(keyspace.get(key)).is_none());
        }
    });
    let overwrite = timed(probes.len(), || probes.iter().for_each(|key| keyspace.set(key, OTHER)));
    let hot = timed(probes.len(), || {
        for key in probes.iter().map(|_| &probes[0]) {
            black_box(keyspace.get(black_box(key)));
        }
    });
    let name = K::NAME;
    println!("{name:>10} {first:>9.1} {crowd:>9.1} {hot:>9.1} {miss:>9.1} {new:>9.1} {overwrite:>9.1}");
}

/// Times both keyspaces one after the other, and repeats that twice.
fn speeds() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut draw =
        |from: u64| -> Vec<Key> { (0..PROBES).map(|_| key(from + rng.random_range(0..KEYS))).collect() };
    let (probes, strangers) = (draw(0), draw(KEYS));
    println!("nanoseconds per call, with a million keys");
    println!(
        "{:>10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "GET alone", "GET loop", "same key", "GET miss", "SET new", "SET over"
    );
    for _ in 0..3 {
        speed(Plain::default(), &probes, &strangers);
        speed(Store::new(1), &probes, &strangers);
    }
    println!();
}

/// Times look-ups in groups of keys, as `MGET` does them. Each group begins when the one before is done.
fn groups() {
    let mut store = Store::new(1);
    (0..KEYS).for_each(|n| store.set(&key(n), VALUE));
    let mut rng = StdRng::seed_from_u64(2);
    let probes: Vec<Key> = (0..PROBES).map(|_| key(rng.random_range(0..KEYS))).collect();
    println!(
        "nanoseconds per GET in groups, with a million keys\n{:>10} {:>9} {:>9}",
        "group", "cold", "warmed"
    );
    for size in [1, 4, 16] {
        let mut run = |warm: bool| {
            timed(probes.len(), || {
                let mut at = 0;
                while at + size < probes.len() {
                    let group = &probes[at..at + size];
                    if warm {
                        store.warm(group.iter().map(|key| &key[..]), std::iter::empty());
                    }
                    for next in 0..size {
                        let value = store.get(&probes[at + next], 0).expect("a string").expect("there");
                        at += usize::from(value[0] & value[31] & 1);
                    }
                    at += size;
                }
            })
        };
        println!("{size:>10} {:>9.1} {:>9.1}", run(false), run(true));
    }
    println!();
}

/// Processor time that this thread has used. Not wall time, because other programs may interrupt a call.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}

/// Repeats `calls` until it returns false. Returns the longest time that one took, and how many there were.
fn slowest(mut calls: impl FnMut() -> bool) -> (Duration, u32) {
    let (mut worst, mut count) = (Duration::ZERO, 0);
    loop {
        let began = spent();
        let more = calls();
        worst = worst.max(spent() - began);
        count += 1;
        if !more {
            return (worst, count);
        }
    }
}

/// The longest single insertion, look-up, removal, scan step and freeing step.
fn pauses(keys: u64) {
    println!("the longest single call of {keys}, in processor time");
    let mut store = Store::new(1);
    let each = |keys: u64, call: &mut dyn FnMut(u64)| {
        let mut n = 0;
        slowest(|| {
            call(n);
            n += 1;
            n < keys
        })
    };
    // This row shows what the machine itself adds: a hypervisor takes time away, and this clock counts it.
    println!("{:>10} {:?}", "nothing", each(keys, &mut |n| assert!(black_box(key(n)) != [0; KEY_BYTES])).0);
    println!("{:>10} {:?}", "SET new", each(keys, &mut |n| store.set(&key(n), VALUE)).0);
    println!("{:>10} {:?}", "GET", each(keys, &mut |n| assert!(store.contains(&key(n), 0))).0);
    let mut cursor = 0;
    let began = spent();
    let (worst, steps) = slowest(|| {
        cursor = store.scan(cursor, 10, None, 0, |key| !black_box(key).is_empty());
        cursor != 0
    });
    println!("{:>10} {worst:?}, {:.1?} on average", "SCAN 10", (spent() - began) / steps);
    println!("{:>10} {:?}", "DEL", each(keys / 2, &mut |n| assert!(store.remove(&key(n), 0))).0);
    let began = spent();
    store.clear();
    println!("{:>10} {:?}", "FLUSHALL", spent() - began);
    let began = spent();
    let (worst, steps) = slowest(|| {
        store.reclaim(1);
        store.has_leftovers()
    });
    println!("{:>10} {worst:?}, {:.1?} on average, {steps} steps\n", "reclaim", (spent() - began) / steps);
}

/// Gives a hash the fields with these numbers.
fn set_fields(store: &mut Store, hash: &[u8], fields: std::ops::Range<u64>) {
    let names: Vec<Key> = fields.map(key).collect();
    let pairs = names.iter().map(|field| (&field[..], &VALUE[..]));
    let prepared = store.prepare_map_set(hash, pairs, Expiry::Never, 0).expect("there is memory");
    store.commit_map_set(prepared);
}

/// What `count` hashes of `fields` fields cost in memory, and how long the calls take that write, remove and
/// free them. Each `HSET` writes `per_call` fields.
fn hashes(count: u64, fields: u64, per_call: usize) {
    let mut store = Store::new(1);
    let before = resident_bytes();
    let mut slowest_set = Duration::ZERO;
    for hash in 0..count {
        for first in (0..fields).step_by(per_call) {
            let began = spent();
            set_fields(&mut store, &key(hash), first..fields.min(first + per_call as u64));
            slowest_set = slowest_set.max(spent() - began);
        }
    }
    let grown = resident_bytes().saturating_sub(before);
    let over = |bytes: u64| bytes as f64 / (count * fields) as f64 - (KEY_BYTES + VALUE.len()) as f64;
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has this file").lines().count();
    let counted = store.memory() as u64;
    let (slowest_del, _) = {
        let mut hash = 0;
        slowest(|| {
            assert!(store.remove(&key(hash), 0));
            hash += 1;
            hash < count
        })
    };
    let (slowest_step, steps) = slowest(|| {
        store.reclaim(1);
        store.has_leftovers()
    });
    println!(
        "{count:>9} {fields:>9} {:>9.2} {:>9.2} {maps:>6} {slowest_set:>9.1?} {slowest_del:>9.1?} {slowest_step:>9.1?} {steps:>7} {:>9}",
        over(grown),
        over(counted),
        resident_bytes().saturating_sub(before) >> 10,
    );
}

/// Measures hashes of several sizes.
fn all_hashes() {
    println!(
        "bytes per field besides field (16) and value (32); the longest call; resident memory left at the end"
    );
    println!(
        "{:>9} {:>9} {:>9} {:>9} {:>6} {:>9} {:>9} {:>9} {:>7} {:>9}",
        "hashes", "fields", "resident", "by count", "maps", "HSET", "DEL", "reclaim", "steps", "left, KiB"
    );
    hashes(1, 1_000_000, 1);
    hashes(100_000, 3, 3);
    hashes(10_000, 50, 10);
    hashes(5_000, 200, 10);
    hashes(200, 5_000, 10);
    println!();
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let said = |word: &str| args.iter().any(|arg| arg == word);
    let all = !PARTS.iter().any(|part| said(part));
    if all || said(PARTS[0]) {
        memory();
    }
    if all || said(PARTS[1]) {
        speeds();
        groups();
    }
    if all || said(PARTS[3]) {
        all_hashes();
    }
    if all || said(PARTS[2]) {
        pauses(if said("--full") { 20_000_000 } else { KEYS });
    }
}
