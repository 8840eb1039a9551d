//! Clients that make the daemon use memory: by lengths that they announce, by input, by replies, and beyond the limit.

use std::io::{Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Wire, limited, request, within};
use crate::report::{Seen, Situation};
use crate::watched::{KEPT_MIB, Watched, count};

pub const SITUATIONS: &[Situation] = &[
    Situation {
        name: "512 MB announced by 50 clients, nothing sent",
        expects: "memory as before",
        run: || announced("*2\r\n$4\r\nECHO\r\n$536870912\r\n"),
    },
    Situation {
        name: "1,000,000 arguments announced by 50 clients, nothing sent",
        expects: "memory as before",
        run: || announced("*1000000\r\n"),
    },
    Situation {
        name: "both announced, and three bytes sent",
        expects: "memory as before",
        run: || announced("*1000000\r\n$536870912\r\nabc"),
    },
    Situation {
        name: "100,001 arguments",
        expects: "50,000 keys set, counted, deleted",
        run: many_arguments,
    },
    Situation {
        name: "64 MB values, 8 of them, in and out",
        expects: "the same bytes, and the memory back",
        run: large_values,
    },
    Situation {
        name: "more input than client-query-buffer-limit",
        expects: "an error and a close, others served",
        run: query_buffer,
    },
    Situation {
        name: "more buffers than maxmemory-clients",
        expects: "the hungriest told and closed, a small one served on",
        run: eviction,
    },
    Situation {
        name: "a request larger than the memory there is",
        expects: "its connection ends, others served",
        run: request_beyond_memory,
    },
    Situation {
        name: "values until the memory is full",
        expects: "`-OOM` or a close, the values so far readable, and room again after FLUSHALL",
        run: values_until_full,
    },
    Situation {
        name: "20,000 keyspaces filled and flushed in one pipeline",
        expects: "each reply, and nothing left behind",
        run: flush_again_and_again,
    },
    Situation {
        name: "a reply larger than the memory there is",
        expects: "an error in its place, or a close; others served",
        run: reply_beyond_memory,
    },
    Situation {
        name: "50,000 keys that expire in one millisecond",
        expects: "all gone, another client served meanwhile",
        run: mass_expiry,
    },
];

/// Address space of a daemon that is to run out of it.
const SCARCE: &str = "-v 150000";
const OOM: &str = "-OOM the system has no memory left for this command\r\n";

fn announced(start: &str) -> Seen {
    let daemon = Watched::start(&["--request-timeout", "0"]);
    let mut judge = daemon.connect();
    let before = count(&mut judge, "used_memory_rss");
    let mut liars: Vec<Wire> = (0..50).map(|_| daemon.connect()).collect();
    liars.iter_mut().for_each(|wire| wire.send(start));
    let sent = 50 * start.len() as u64;
    within("them to be heard", || (count(&mut judge, "total_net_input_bytes") > sent).then_some(()));
    daemon.serves();
    let (held, after) = (count(&mut judge, "mem_clients_normal"), count(&mut judge, "used_memory_rss"));
    assert!(held < 200_000, "{held} bytes held for {sent} received");
    assert!(after.saturating_sub(before) < 2 << 20, "{before} bytes resident before, {after} after");
    drop((judge, liars));
    format!("{held} bytes held for {sent} received, {}", daemon.is_unharmed(4)).into()
}

fn many_arguments() -> Seen {
    let daemon = Watched::start(&[]);
    let mut wire = daemon.connect();
    let keys: Vec<String> = (0..50_000).map(|n| format!("key:{n}")).collect();
    let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    let pairs = keys.iter().flat_map(|key| [*key, b"value"]);
    let mset: Vec<&[u8]> = std::iter::once(&b"MSET"[..]).chain(pairs).collect();
    let with = |name: &'static [u8]| request(&[&[name][..], &keys[..]].concat());
    wire.ask(request(&mset), "+OK\r\n");
    wire.ask("DBSIZE\r\n", ":50000\r\n");
    wire.ask(with(b"MGET"), format!("*50000\r\n{}", "$5\r\nvalue\r\n".repeat(50_000)));
    wire.ask(with(b"DEL"), ":50000\r\n");
    wire.ask("DBSIZE\r\n", ":0\r\n");
    drop(wire);
    daemon.is_unharmed(KEPT_MIB).into()
}

fn large_values() -> Seen {
    let daemon = Watched::start(&[]);
    let mut wire = daemon.connect();
    let value: Vec<u8> = (0..64_u32 << 20).map(|n| (n % 251) as u8).collect();
    for key in 0..8 {
        let key = key.to_string();
        wire.ask(request(&[b"SET", key.as_bytes(), &value]), "+OK\r\n");
        wire.send(request(&[b"GET", key.as_bytes()]));
        assert!(wire.bulk() == value, "the value came back changed");
        wire.ask(request(&[b"DEL", key.as_bytes()]), ":1\r\n");
    }
    drop(wire);
    daemon.is_unharmed(KEPT_MIB).into()
}

fn query_buffer() -> Seen {
    let daemon = Watched::start(&["--client-query-buffer-limit", "100kb"]);
    let mut hog = daemon.connect();
    hog.send("*2\r\n$4\r\nECHO\r\n$1000000\r\n");
    hog.send(vec![b'x'; 200_000]);
    hog.expect("-ERR client-query-buffer-limit reached, closing the connection\r\n");
    hog.expect_end();
    drop(hog);
    within("the close to be counted", || {
        (daemon.info("client_query_buffer_limit_disconnections") == "1").then_some(())
    });
    daemon.is_unharmed(8).into()
}

fn eviction() -> Seen {
    let daemon = Watched::start(&["--maxmemory-clients", "3mb"]);
    let mut small = daemon.connect();
    small.send("*2\r\n$4\r\nECHO\r\n$5\r\nhel");
    let mut hog = daemon.connect();
    hog.send("*2\r\n$4\r\nECHO\r\n$4000000\r\n");
    let _ = hog.stream.write_all(&vec![b'x'; 3_500_000]);
    hog.expect("-ERR evicted: all clients together hold more than maxmemory-clients\r\n");
    hog.expect_end();
    small.ask("lo\r\n", "$5\r\nhello\r\n");
    drop((small, hog));
    daemon.is_unharmed(KEPT_MIB).into()
}

fn request_beyond_memory() -> Seen {
    let mut daemon = Watched::spawn(limited(SCARCE, &[]));
    let mut polite = daemon.connect();
    for _ in 0..5 {
        let mut greedy = daemon.connect();
        let _ = greedy.stream.write_all(b"*2\r\n$4\r\nECHO\r\n$400000000\r\n");
        let piece = vec![b'x'; 1 << 20];
        // The daemon may cut it off in the middle of this.
        let taken = (0..400).take_while(|_| greedy.stream.write_all(&piece).is_ok()).count();
        assert!(taken < 400, "it had the memory after all");
        assert!(!daemon.has_died(), "it has died of {taken} MiB");
        polite.ask("PING\r\n", "+PONG\r\n");
    }
    let closed = count(&mut polite, "closed_io");
    assert_eq!(closed, 5);
    drop(polite);
    format!("{closed} connections ended, {}", daemon.is_unharmed(KEPT_MIB)).into()
}

fn flush_again_and_again() -> Seen {
    const TIMES: usize = 20_000;
    let daemon = Watched::start(&[]);
    let mut wire = daemon.connect();
    let judge = daemon.connect();
    let mut writer = Wire::new(wire.stream.try_clone().expect("a second handle"));
    let sending = std::thread::spawn(move || writer.send("SET key value\r\nFLUSHALL\r\n".repeat(TIMES)));
    wire.expect("+OK\r\n+OK\r\n".repeat(TIMES));
    sending.join().expect("all of it is taken");
    drop((wire, judge));
    daemon.is_unharmed(16).into()
}

fn values_until_full() -> Seen {
    let mut daemon = Watched::spawn(limited(SCARCE, &[]));
    let mut polite = daemon.connect();
    let (mut set, mut refused, mut closed) = (0, 0, 0);
    // The less there is, the smaller the pieces that still fit.
    for size in [4 << 20, 1 << 20, 64 << 10, 4 << 10, 256, 1] {
        let mut wire = daemon.connect();
        let value = vec![b'v'; size];
        loop {
            assert!(set < 10_000_000, "the memory never ended");
            match set_one(&mut wire, set, &value).as_str() {
                "+OK\r\n" => set += 1,
                OOM => break refused += 1,
                "" => break closed += 1,
                other => panic!("instead of a reply {other:?}"),
            }
        }
        assert!(!daemon.has_died(), "it has died of a value of {size} bytes");
        polite.ask("PING\r\nSTRLEN 0\r\n", "+PONG\r\n:4194304\r\n");
    }
    assert!(refused > 0, "no value was refused");
    polite.ask(format!("EXISTS {set}\r\nDBSIZE\r\n"), format!(":0\r\n:{set}\r\n"));
    // A time of expiry takes memory as well. The daemon sets or refuses it, and goes on.
    for key in 0..set {
        polite.send(format!("EXPIRE {key} 1000\r\n"));
        let line = polite.line();
        assert!(line == ":1" || OOM.starts_with(&line), "{line}");
    }
    polite.ask("DEL 0 1\r\n", ":2\r\n");
    polite.ask("FLUSHALL\r\n", "+OK\r\n");
    let mut wire = daemon.connect();
    assert_eq!(set_one(&mut wire, set, &vec![b'v'; 4 << 20]), "+OK\r\n");
    wire.ask("FLUSHALL\r\n", "+OK\r\n");
    drop((wire, polite));
    // What the allocator keeps of it is bounded by what there was.
    let unharmed = daemon.is_unharmed(150);
    format!("{set} values, `-OOM` {refused} times, a close {closed} times, {unharmed}").into()
}

/// The reply to one SET; empty if the connection was closed for lack of memory.
fn set_one(wire: &mut Wire, key: usize, value: &[u8]) -> String {
    let _ = wire.stream.write_all(&request(&[b"SET", key.to_string().as_bytes(), value]));
    let mut reply = [0; 64];
    let count = wire.stream.read(&mut reply).unwrap_or_default();
    String::from_utf8_lossy(&reply[..count]).into_owned()
}

fn reply_beyond_memory() -> Seen {
    let mut daemon = Watched::spawn(limited(SCARCE, &[]));
    let mut polite = daemon.connect();
    // A longer value would not be copied into the reply.
    polite.ask(request(&[b"SET", b"part", &[b'v'; 60 << 10]]), "+OK\r\n");
    let mut greedy = daemon.connect();
    greedy.send(request(&[&[&b"MGET"[..]][..], &[&b"part"[..]; 2_800]].concat()));
    let mut heard = Vec::new();
    // The client must not take a reply that was cut short for a whole one.
    let mut head = [0; 256];
    if let Ok(count) = greedy.stream.read(&mut head) {
        heard.extend(&head[..count]);
    }
    assert!(!daemon.has_died(), "it has died of a reply");
    let text = String::from_utf8_lossy(&heard).into_owned();
    assert!(text.is_empty() || text.starts_with("-ERR reply exceeds"), "{text}");
    polite.ask("STRLEN part\r\nFLUSHALL\r\n", ":61440\r\n+OK\r\n");
    drop((polite, greedy));
    format!("{:?}, {}", text.trim_end(), daemon.is_unharmed(KEPT_MIB)).into()
}

fn mass_expiry() -> Seen {
    const KEYS: u64 = 50_000;
    let daemon = Watched::start(&[]);
    let (mut wire, mut polite) = (daemon.connect(), daemon.connect());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let at = now + 1_000;
    let all: String = (0..KEYS).map(|n| format!("SET key:{n} v PXAT {at}\r\n")).collect();
    wire.ask(all, "+OK\r\n".repeat(KEYS as usize));
    let mut between = 0;
    within("all to be gone", || {
        polite.send("DBSIZE\r\n");
        let left: u64 = polite.line()[1..].parse().unwrap();
        between += u64::from(left > 0 && left < KEYS);
        (left == 0).then_some(())
    });
    let expired = count(&mut polite, "expired_keys");
    assert_eq!(expired, KEYS);
    drop((wire, polite));
    format!("{expired} gone, {between} requests served while they went, {}", daemon.is_unharmed(KEPT_MIB))
        .into()
}
