//! `DUMP` and `RESTORE`: values go to a redis-server and come from one, whatever encodings it uses.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use redis::Connection;

use crate::commands::start_redis;
use crate::differ::{self, Pair, Servers, Words, quoted, seed, words};
use crate::harness::{Daemon, have, request};
use crate::strings::reply;

/// Settings of a redis-server with which it packs little, much, or compresses.
const SETTINGS: &[&[&str]] = &[
    &[],
    &[
        "--list-max-listpack-size 3",
        "--hash-max-listpack-entries 2",
        "--zset-max-listpack-entries 2",
        "--set-max-intset-entries 2",
    ],
    &["--list-compress-depth 1", "--list-max-listpack-size -1"],
    &[
        "--list-max-listpack-size -5",
        "--hash-max-listpack-entries 9999",
        "--zset-max-listpack-entries 9999",
        "--hash-max-listpack-value 9999",
        "--zset-max-listpack-value 9999",
        "--set-max-intset-entries 9999",
    ],
];

/// Asks in words.
pub fn ask(client: &mut Connection, words: &[&[u8]]) -> redis::Value {
    let mut command = redis::cmd(std::str::from_utf8(words[0]).unwrap());
    command.arg(&words[1..]);
    command.query(client).unwrap_or_else(|error| panic!("{}: {error}", words[0].escape_ascii()))
}

pub fn dump(client: &mut Connection, key: &str) -> Vec<u8> {
    match ask(client, &[b"DUMP", key.as_bytes()]) {
        redis::Value::BulkString(payload) => payload,
        other => panic!("DUMP {key}: {other:?}"),
    }
}

/// What a key holds, in the words of the commands that read it. What has no order is sorted.
fn contents(client: &mut Connection, key: &str) -> (String, Vec<Vec<u8>>) {
    let redis::Value::SimpleString(kind) = ask(client, &[b"TYPE", key.as_bytes()]) else { panic!("no type") };
    let read: &[&[u8]] = match kind.as_str() {
        "string" => &[b"GET", key.as_bytes()],
        "list" => &[b"LRANGE", key.as_bytes(), b"0", b"-1"],
        "set" => &[b"SMEMBERS", key.as_bytes()],
        "hash" => &[b"HGETALL", key.as_bytes()],
        "zset" => &[b"ZRANGE", key.as_bytes(), b"0", b"-1", b"WITHSCORES"],
        other => panic!("{key} is a {other}"),
    };
    let bytes = |value: redis::Value| match value {
        redis::Value::BulkString(bytes) => bytes,
        other => panic!("{other:?}"),
    };
    let mut all: Vec<Vec<u8>> = match ask(client, read) {
        redis::Value::Array(all) => all.into_iter().map(bytes).collect(),
        one => vec![bytes(one)],
    };
    if kind == "hash" {
        all = all.chunks(2).map(|pair| pair.join(&b'=')).collect();
    }
    if kind == "hash" || kind == "set" {
        all.sort();
    }
    (kind, all)
}

/// Writes values of all kinds, small and large, and returns their keys.
fn fill(client: &mut Connection) -> Vec<String> {
    let mut keys = Vec::new();
    let mut write = |key: String, command: &str, words: &[String]| {
        for words in words.chunks(1000) {
            let request: Vec<&[u8]> = [command, &key]
                .into_iter()
                .chain(words.iter().map(String::as_str))
                .map(str::as_bytes)
                .collect();
            ask(client, &request);
        }
        keys.push(key);
    };
    let noise: String = (0..5000_u64).map(|n| char::from(b'!' + (n * n * 7919 % 91) as u8)).collect();
    let again = "the same again, ".repeat(20);
    let integers =
        ["0", "-1", "127", "128", "-129", "4095", "-4096", "32767", "-32768", "-8388608", "2147483647"];
    let others =
        ["2147483648", "9223372036854775807", "-9223372036854775808", "007", "-0", "x", "", "\u{e9}\r\n"];
    let longer = [&again[..64], &again[..65], &again, &noise[..255], &noise, &"z".repeat(70_000)];
    let words: Vec<String> = integers.into_iter().chain(others).chain(longer).map(str::to_owned).collect();
    for (nth, word) in words.iter().enumerate() {
        write(format!("string-{nth}"), "SET", std::slice::from_ref(word));
    }
    let many: Vec<String> = (0..3000).map(|n| format!("{}{n}", &noise[..n % 90])).collect();
    let numbers: Vec<String> = (0..700_i64).map(|n| (n * n * n - 9_000).to_string()).collect();
    for (size, words) in [
        ("few", &words[..3]),
        ("integers", &words[..11]),
        ("short", &words[..19]),
        ("all", &words[..]),
        ("many", &many),
        ("numbers", &numbers),
        ("numbers-16", &numbers[..30]),
        ("numbers-32", &numbers[..300]),
    ] {
        let pairs: Vec<String> =
            words.iter().flat_map(|word| [word.clone(), word.chars().rev().collect()]).collect();
        write(format!("list-{size}"), "RPUSH", words);
        write(format!("set-{size}"), "SADD", words);
        write(format!("hash-{size}"), "HSET", &pairs);
        let scored = words.iter().enumerate();
        let scored: Vec<String> =
            scored.flat_map(|(nth, word)| [(nth as f64 / 4.0 - 3.0).to_string(), word.clone()]).collect();
        write(format!("zset-{size}"), "ZADD", &scored);
    }
    keys
}

#[test]
fn a_redis_server_and_the_daemon_restore_what_the_other_one_dumps() {
    if !have("redis-server", "--version") {
        return;
    }
    let mut seen = BTreeSet::new();
    for settings in SETTINGS {
        let daemon = Daemon::start(&["--max-key-bytes", "128kb"]);
        let options: Vec<&str> = settings.iter().flat_map(|setting| setting.split(' ')).collect();
        // Its own deep check must find no fault in what the daemon writes.
        let (_redis, _, port) = start_redis(&[&["--sanitize-dump-payload", "yes"], &options[..]].concat());
        let theirs = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
        let (mut theirs, mut ours) = (theirs.get_connection().unwrap(), daemon.client(""));
        let keys = fill(&mut theirs);
        assert_eq!(fill(&mut ours), keys);
        for key in &keys {
            let expected = contents(&mut theirs, key);
            assert_eq!(contents(&mut ours, key), expected, "{key}");
            let (their_dump, our_dump) = (dump(&mut theirs, key), dump(&mut ours, key));
            seen.insert(their_dump[0]);
            let restored = |client: &mut Connection, payload: &[u8]| {
                ask(client, &[b"RESTORE", b"again", b"0", payload, b"REPLACE"]);
                assert_eq!(contents(client, "again"), expected, "{key}, {settings:?}, type {}", payload[0]);
            };
            restored(&mut theirs, &our_dump);
            restored(&mut ours, &our_dump);
            restored(&mut ours, &their_dump);
            // What came from there goes back.
            let back = dump(&mut ours, "again");
            restored(&mut theirs, &back);
        }
    }
    // Strings, sets and sorted sets as tables, hashes as tables, sets as arrays of integers, hashes and sorted sets packed,
    // lists.
    assert!(seen.into_iter().eq([0, 2, 4, 5, 11, 16, 17, 18]), "another encoding was not seen");
}

/// Requests for [`random_restores_are_answered_as_a_redis_server_answers_them`]. Words with bars are choices.
const LINES: &[&str] = &[
    "RESTORE K T P O",
    "RESTORE K T P O O",
    "RESTORE K T P REPLACE O O",
    "RESTORE K 0 P REPLACE",
    "RESTORE K 0 P",
    "RESTORE K T P REPLACE ABSTTL",
    "RESTORE K T",
    "DUMP none",
    "DUMP",
    "GET K",
    "LRANGE K 0 -1",
    "SCARD K",
    "HLEN K",
    "XLEN K",
    "XRANGE K - +",
    "TYPE K",
    "TTL K",
    "PERSIST K",
    "DEL K",
    "SET K v",
];
const TIMES: &[&str] =
    &["0", "0", "1", "100000", "99999999999999", "-1", "x", "", "9223372036854775807", "9223372036854775808"];
const OPTIONS: &[&str] = &[
    "REPLACE",
    "replace",
    "ABSTTL",
    "IDLETIME",
    "IDLETIME 7",
    "IDLETIME -1",
    "IDLETIME x",
    "FREQ",
    "FREQ 5",
    "FREQ 255",
    "FREQ 256",
    "FREQ -1",
    "FREQ x",
    "FREQ REPLACE",
    "nonsense",
];

#[test]
fn random_restores_are_answered_as_a_redis_server_answers_them() {
    if !have("redis-server", "--version") {
        return;
    }
    let mut servers = Servers::start(2);
    let mut payloads = Vec::new();
    for line in ["SET k text", "RPUSH l a b 1", "SADD s 1 2", "HSET h f v g w", "XADD x 1-1 f v"] {
        let words = words(line);
        reply(&mut servers.redis, &words);
        servers.redis.send(request(&[b"DUMP", &words[1]]));
        payloads.push(servers.redis.bulk());
    }
    let mut damaged = payloads[0].clone();
    damaged[2] ^= 1;
    // Of a version that is not there yet; of an unknown type; cut; empty.
    let mut newer = payloads[0].clone();
    let version_at = newer.len() - 10;
    newer[version_at] = 99;
    payloads.extend([damaged, newer, payloads[1][..8].to_vec(), Vec::new(), b"\x63\x0a\0".to_vec()]);
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let next = |_: &Restores| {
        loop {
            let words = restore(&mut rng, &payloads);
            // A key that lives for a millisecond may be gone on one side only.
            let is_brief = words[0] == b"RESTORE" && words.get(2).is_some_and(|ttl| ttl == b"1");
            if !is_brief || words.contains(&b"ABSTTL".to_vec()) {
                return words;
            }
        }
    };
    differ::compare(&mut Restores(servers), &format!("SEED={seed}"), 20_000, next);
}

/// A random command about restored keys.
fn restore(rng: &mut StdRng, payloads: &[Vec<u8>]) -> Words {
    let line = *LINES.choose(rng).unwrap();
    let mut all: Words = Vec::new();
    for word in line.split(' ') {
        match word {
            "K" => all.push(vec![b"abc"[rng.random_range(0..3)]]),
            "T" => all.push(TIMES.choose(rng).unwrap().as_bytes().to_vec()),
            "P" => all.push(payloads.choose(rng).unwrap().clone()),
            "O" => all.extend(words(OPTIONS.choose(rng).unwrap())),
            _ => all.push(word.as_bytes().to_vec()),
        }
    }
    all
}

/// The two servers, which restore keys.
struct Restores(Servers);

impl Pair for Restores {
    type Command = Words;

    fn begin(&mut self) {
        self.0.begin(&[]);
    }

    fn ask(&mut self, words: &Words) -> [Vec<u8>; 2] {
        self.0.ask(words)
    }

    fn shown(words: &Words) -> String {
        quoted(words)
    }
}

/// Streams whose counts leave no room for more: of entries that were ever added, and of those that a group has read.
const NO_STREAMS: &[&[u8]] = &[
    b"\x13\0\0\x09\x09\0\0\x09\x09\x81\xff\xff\xff\xff\xff\xff\xff\xff\0\x0a\0",
    b"\x13\0\0\x09\x09\0\0\x09\x09\x01\x01\x01g\0\0\x81\xff\xff\xff\xff\xff\xff\xff\xfe\0\0\x0a\0",
];

/// Redis's checksum.
pub fn sealed(bytes: &[u8]) -> Vec<u8> {
    let sum = bytes.iter().fold(0_u64, |crc, byte| {
        (0..8).fold(crc ^ u64::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x95ac_9329_ac4b_c9b5 } else { 0 }
        })
    });
    [bytes, &sum.to_le_bytes()].concat()
}

#[test]
fn what_cannot_be_restored_changes_nothing() {
    let daemon = Daemon::start(&["--max-key-bytes", "64"]);
    let mut wire = daemon.connect();
    wire.ask("SET k v\r\n", "+OK\r\n");
    let mut refused = |payload: &[u8], error: &str| {
        wire.send(request(&[b"RESTORE", b"k", b"0", &sealed(payload), b"REPLACE"]));
        wire.expect(format!("-{error}\r\n"));
        wire.ask("GET k\r\n", "$1\r\nv\r\n");
    };
    for payload in NO_STREAMS {
        refused(payload, "ERR Bad data format");
    }
    let long = [b'x'; 65];
    refused(
        &[b"\x04\x01\x40\x41", &long[..], b"\x01v\x0a\0"].concat(),
        "ERR field of 65 bytes exceeds max-key-bytes (64)",
    );
    refused(
        &[b"\x02\x01\x40\x41", &long[..], b"\x0a\0"].concat(),
        "ERR member of 65 bytes exceeds max-key-bytes (64)",
    );
    // The same member twice, and no member.
    refused(b"\x02\x02\x01a\x01a\x0a\0", "ERR Bad data format");
    refused(b"\x02\0\x0a\0", "ERR Bad data format");
}

#[test]
fn a_dump_is_no_longer_than_a_reply_may_be() {
    let daemon = Daemon::start(&["--max-reply-bytes", "100000"]);
    let mut wire = daemon.connect();
    let value = "v".repeat(1_000);
    for nth in 0..98 {
        wire.send(request(&[b"HSET", b"h", format!("{nth}").as_bytes(), value.as_bytes()]));
        wire.expect(":1\r\n");
        wire.send(request(&[b"RPUSH", b"l", value.as_bytes()]));
        wire.expect(format!(":{}\r\n", nth + 1));
        wire.send(request(&[b"SADD", b"s", format!("{nth}{value}").as_bytes()]));
        wire.expect(":1\r\n");
        wire.send(request(&[b"APPEND", b"k", value.as_bytes()]));
        wire.expect(format!(":{}\r\n", 1_000 * (nth + 1)));
        // An entry takes some more bytes than its value.
        if nth < 95 {
            wire.send(request(&[b"XADD", b"x", b"*", b"f", value.as_bytes()]));
            wire.bulk();
        }
    }
    for key in ["h", "l", "s", "k", "x"] {
        wire.send(format!("DUMP {key}\r\n"));
        let payload = wire.bulk();
        wire.send(request(&[b"RESTORE", b"again", b"0", &payload, b"REPLACE"]));
        wire.expect("+OK\r\n");
    }
    let more = "w".repeat(5_000);
    for write in ["HSET h more", "RPUSH l", "SADD s", "APPEND k", "XADD x * f"] {
        let words: Vec<&[u8]> = write.split(' ').chain([&more[..]]).map(str::as_bytes).collect();
        wire.send(request(&words));
        if wire.line().starts_with('$') {
            wire.line();
        }
    }
    for key in ["h", "l", "s", "k", "x"] {
        wire.send(format!("DUMP {key}\r\nEXISTS {key}\r\n"));
        let error = wire.line();
        assert!(error.starts_with("-ERR reply exceeds max-reply-bytes (100000)"), "{key}: {error}");
        wire.expect(":1\r\n");
    }
}
