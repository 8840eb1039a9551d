//! `DUMP` and `RESTORE` of streams: they go to a redis-server and come from one, with all that `XINFO` tells about them.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redis::{Connection, Value};

use crate::commands::start_redis;
use crate::dump::{ask, dump, sealed};
use crate::harness::{Daemon, have, request, within};

/// Settings of a redis-server with which its nodes are small, or large.
const SETTINGS: &[&[&str]] = &[
    &[],
    &["--stream-node-max-entries", "3"],
    &["--stream-node-max-bytes", "64"],
    &["--stream-node-max-entries", "0", "--stream-node-max-bytes", "0"],
];

/// What `XINFO STREAM key FULL` tells, without what the two servers count in different ways.
fn info(client: &mut Connection, key: &str) -> String {
    let full = ask(client, &[b"XINFO", b"STREAM", key.as_bytes(), b"FULL", b"COUNT", b"0"]);
    let mut text = String::new();
    write(&full, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    let Value::Array(parts) = value else { return text.push_str(&format!("{value:?} ")) };
    let mut skip = false;
    text.push('[');
    for part in parts {
        if std::mem::take(&mut skip) {
            continue;
        }
        skip = matches!(part, Value::BulkString(word) if [
            &b"radix-tree-keys"[..], b"radix-tree-nodes", b"active-time", b"lag",
        ].contains(&&word[..]));
        if !skip {
            write(part, text);
        }
    }
    text.push(']');
}

/// A random command on the stream `s`. `last` is the time of the last id.
fn command(rng: &mut StdRng, last: &mut u64) -> String {
    let id =
        |rng: &mut StdRng, last: u64| format!("{}-{}", rng.random_range(1..last + 2), rng.random_range(0..3));
    let (group, consumer) = (rng.random_range(0..3), rng.random_range(0..4));
    let some = id(rng, *last);
    match rng.random_range(0..24) {
        0..8 => {
            *last += rng.random_range(0..3);
            let id = format!("{last}-{}", if rng.random() { "*" } else { "7" });
            let fields: Vec<String> = match rng.random_range(0..6) {
                0..3 => vec![format!("name {} age {}", rng.random::<u16>(), rng.random_range(-200..200))],
                3 => vec![format!("name {}", "x".repeat(rng.random_range(1..300)))],
                4 => (0..rng.random_range(1..20)).map(|n| format!("f{n} {}", rng.random::<i64>())).collect(),
                _ => vec![format!("age {} name -7", rng.random::<u64>())],
            };
            format!("XADD s {id} {}", fields.join(" "))
        }
        8 | 9 => format!("XDEL s {some} {}-7", rng.random_range(1..*last + 2)),
        10 if rng.random_range(0..10) == 0 => format!("XTRIM s MAXLEN {}", rng.random_range(0..40)),
        10 => format!("XTRIM s MINID {}", last.saturating_sub(rng.random_range(0..100))),
        11 => format!("XGROUP CREATE s g{group} {}", ["0", "$", &some][rng.random_range(0..3)]),
        12 => format!("XGROUP CREATE s g{group} {some} ENTRIESREAD {}", rng.random_range(0..30)),
        13 => format!("XGROUP CREATECONSUMER s g{group} c{consumer}"),
        14 if rng.random_range(0..8) == 0 => format!("XGROUP DELCONSUMER s g{group} c{consumer}"),
        14 if rng.random_range(0..8) == 0 => format!("XGROUP DESTROY s g{group}"),
        14 if rng.random_range(0..4) == 0 => {
            *last += 5;
            format!("XSETID s {last}-0 ENTRIESADDED {} MAXDELETEDID {some}", 1_000 + *last)
        }
        15 => format!("XREADGROUP GROUP g{group} c{consumer} COUNT 2 NOACK STREAMS s >"),
        14..20 => {
            format!("XREADGROUP GROUP g{group} c{consumer} COUNT {} STREAMS s >", rng.random_range(1..30))
        }
        20 => format!("XACK s g{group} {some} {}-7", rng.random_range(1..*last + 2)),
        21 => format!("XCLAIM s g{group} c{consumer} 0 {some} {}-7 FORCE", rng.random_range(1..*last + 2)),
        22 => format!(
            "XCLAIM s g{group} c{consumer} 0 {some} IDLE {} RETRYCOUNT 99",
            rng.random_range(1..1_000_000)
        ),
        _ => format!("XAUTOCLAIM s g{group} c{consumer} 0 {some} COUNT 3"),
    }
}

/// Runs random commands on the stream `s`. Some of them fail.
fn fill(client: &mut Connection, rng: &mut StdRng, commands: usize) {
    let mut last = 1;
    ask(client, &[b"DEL", b"s"]);
    ask(client, &[b"XADD", b"s", b"1-0", b"name", b"value"]);
    for _ in 0..commands {
        let line = command(rng, &mut last);
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        let _: Result<Value, _> = command.query(client);
    }
}

#[test]
fn a_redis_server_and_the_daemon_restore_the_streams_of_each_other() {
    if !have("redis-server", "--version") {
        return;
    }
    let seed = std::env::var("SEED").map_or(1, |text| text.parse().expect("a number"));
    let mut rng = StdRng::seed_from_u64(seed);
    for settings in SETTINGS {
        let daemon = Daemon::start(settings);
        // Its own deep check must find no fault in what the daemon writes.
        let (_redis, _, port) = start_redis(&[&["--sanitize-dump-payload", "yes"], *settings].concat());
        let theirs = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
        let (mut theirs, mut ours) = (theirs.get_connection().unwrap(), daemon.client(""));
        let (mut groups, mut gaps) = (0, 0);
        for commands in [0, 1, 2, 5, 10, 50, 50, 50, 200, 200, 200, 500, 500, 2_000] {
            for from_here in [true, false] {
                fill(if from_here { &mut ours } else { &mut theirs }, &mut rng, commands);
                let (from, to) = if from_here { (&mut ours, &mut theirs) } else { (&mut theirs, &mut ours) };
                let expected = info(from, "s");
                groups += expected.matches("c1").count();
                gaps += expected.matches("max-deleted").count();
                let payload = dump(from, "s");
                assert_eq!(payload[0], 19, "another encoding");
                for _ in 0..2 {
                    ask(to, &[b"RESTORE", b"s", b"0", &payload, b"REPLACE"]);
                    assert_eq!(info(to, "s"), expected, "seed {seed}, {settings:?}, from here: {from_here}");
                }
                // It goes back, and to its own kind.
                let back = dump(to, "s");
                for client in [from, to] {
                    ask(client, &[b"RESTORE", b"again", b"0", &back, b"REPLACE"]);
                    assert_eq!(info(client, "again"), expected, "seed {seed}, {settings:?}");
                    // It goes on as a stream.
                    ask(client, &[b"XADD", b"again", b"*", b"name", b"value"]);
                }
            }
        }
        assert!(groups > 20 && gaps > 20, "the streams are too simple");
    }
}

#[test]
fn a_restored_stream_wakes_the_clients_that_wait_for_it() {
    let daemon = Daemon::start(&[]);
    let (mut wire, mut waiting) = (daemon.connect(), daemon.connect());
    wire.ask("XADD s 5-1 f v\r\n", "$3\r\n5-1\r\n");
    wire.send("DUMP s\r\n");
    let payload = wire.bulk();
    let entry = |key: &str| {
        format!("*1\r\n*2\r\n$1\r\n{key}\r\n*1\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n")
    };
    // There is no stream, there is one with an older entry, and there is another kind of value.
    for (before, meanwhile, from) in
        [("PING", "PING", "0"), ("XADD k 4-1 f v", "PING", "$"), ("PING", "RPUSH k v", "5-0")]
    {
        wire.send(format!("DEL k\r\n{before}\r\n"));
        wire.line();
        if wire.line().starts_with('$') {
            wire.line();
        }
        waiting.send(format!("XREAD BLOCK 0 STREAMS k {from}\r\n"));
        within("a client waits", || (daemon.info("blocked_clients") == "1").then_some(()));
        wire.send(format!("{meanwhile}\r\n"));
        wire.line();
        wire.send(request(&[b"RESTORE", b"k", b"0", &payload, b"REPLACE"]));
        wire.expect("+OK\r\n");
        waiting.expect(entry("k"));
    }
}

/// A payload of a few bytes may not become gigabytes: its entries share a long name.
#[test]
fn a_stream_whose_entries_share_a_long_name_does_not_take_all_memory() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let (name, entries) = (vec![b'n'; 500_000], 30_000_u32);
    let mut elements = 0_u32;
    let mut body = Vec::new();
    let mut push = |bytes: &[u8]| {
        let before = body.len();
        if bytes.len() < 64 {
            body.push(0x80 | bytes.len() as u8);
        } else {
            body.push(0xf0);
            body.extend((bytes.len() as u32).to_le_bytes());
        }
        body.extend(bytes);
        // The length of an element follows it, in groups of seven bits, the highest ones first.
        let len = body.len() - before;
        let groups = (1..).find(|groups| len >> (7 * groups) == 0).unwrap();
        body.extend((0..groups).rev().map(|nth| {
            let continues = if nth + 1 < groups { 128 } else { 0 };
            (len >> (7 * nth) & 127) as u8 | continues
        }));
        elements += 1;
    };
    for element in [entries.to_string().as_bytes(), b"0", b"1", &name, b"0"] {
        push(element);
    }
    for nth in 1..=entries {
        for element in [b"2", &b"0"[..], nth.to_string().as_bytes(), b"v", b"4"] {
            push(element);
        }
    }
    let mut pack = ((body.len() + 7) as u32).to_le_bytes().to_vec();
    pack.extend((elements.min(65_535) as u16).to_le_bytes());
    pack.extend(body);
    pack.push(0xff);
    let mut payload = b"\x13\x01\x10".to_vec();
    payload.extend([0; 16]);
    payload.push(0x80);
    payload.extend((pack.len() as u32).to_be_bytes());
    payload.extend(pack);
    let long = |number: u32| [&[0x80][..], &number.to_be_bytes()].concat();
    payload.extend(long(entries));
    payload.extend([&[0][..], &long(entries), &[0, 1, 0, 0], &long(entries), &[0], &[10, 0]].concat());
    wire.ask("SET k v\r\n", "+OK\r\n");
    wire.send(request(&[b"RESTORE", b"k", b"0", &sealed(&payload), b"REPLACE"]));
    wire.expect("-ERR Elements are too large to be stored\r\n");
    wire.ask("GET k\r\n", "$1\r\nv\r\n");
}

/// The three encodings of streams: from before Redis 7, of 7.0, and of 7.2. What a payload does not tell is unknown.
#[test]
fn streams_of_every_version_are_restored() {
    let daemon = Daemon::start(&[]);
    let (mut wire, mut client) = (daemon.connect(), daemon.client(""));
    let (seen, never) = (7_i64.to_le_bytes(), (-1_i64).to_le_bytes());
    let of_5 = [&b"\x0f\0\0\x09\x09\x01\x01g\x08\x08\0\x01\x01c"[..], &seen, b"\0\x09\0"].concat();
    let head = b"\0\0\x09\x09\0\0\x05\x05\x03\x01\x01g\x08\x08\x02\0\x01\x01c";
    let of_70 = [b"\x13", &head[..], &seen, b"\0\x0a\0"].concat();
    let of_72 = [b"\x15", &head[..], &seen, &never, b"\0\x0b\0"].concat();
    for (payload, deleted, added, read, active) in [
        (of_5, "0-0", 0, "nil", "int(7)"),
        (of_70, "5-5", 3, "int(2)", "int(7)"),
        (of_72, "5-5", 3, "int(2)", "int(-1)"),
    ] {
        wire.send(request(&[b"RESTORE", b"k", b"0", &sealed(&payload), b"REPLACE"]));
        wire.expect("+OK\r\n");
        let full = ask(&mut client, &[b"XINFO", b"STREAM", b"k", b"FULL"]);
        let told = format!("{full:?}").replace("bulk-string('\"", "").replace("\"')", "");
        for fact in [
            "last-generated-id, 9-9".to_owned(),
            format!("max-deleted-entry-id, {deleted}"),
            format!("entries-added, int({added})"),
            "name, g, last-delivered-id, 8-8".to_owned(),
            format!("entries-read, {read}"),
            format!("name, c, seen-time, int(7), active-time, {active}"),
        ] {
            assert!(told.contains(&fact), "no {fact} in {told}");
        }
    }
}

/// `XSETID` may set the last id back behind entries that were deleted. Redis loads such a stream.
#[test]
fn a_stream_whose_last_id_was_set_back_is_restored() {
    if !have("redis-server", "--version") {
        return;
    }
    let (_redis, _, port) = start_redis(&[]);
    let redis = redis::Client::open(format!("redis://127.0.0.1:{port}/")).expect("a client");
    let mut theirs = redis.get_connection().expect("a connection");
    let daemon = Daemon::start(&[]);
    let mut ours = daemon.client("");
    for words in ["XADD s 5-0 a b", "XADD s 9-0 a b", "XDEL s 9-0", "XSETID s 6-0"] {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        ask(&mut theirs, &words);
    }
    let payload = dump(&mut theirs, "s");
    assert_eq!(ask(&mut ours, &[b"RESTORE", b"s", b"0", &payload]), Value::Okay);
    let added = ask(&mut ours, &[b"XADD", b"s", b"6-1", b"a", b"b"]);
    assert_eq!(added, Value::BulkString(b"6-1".to_vec()));
}
