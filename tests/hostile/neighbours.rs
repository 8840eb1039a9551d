//! Clients that could harm others: by the memory they hold, by the time they take, by knowing the hash.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::{Wire, request, within};
use crate::report::{Seen, Situation};
use crate::rows::Then::Lives;
use crate::rows::{Row, row};
use crate::watched::{KEPT_MIB, Watched, count, pass};

pub const SITUATIONS: &[Situation] = &[
    Situation {
        name: "12 MiB asked for by each of 8 clients in one wake, under a limit of 4 MB",
        expects: "all evicted, under 64 MiB resident at any time",
        run: asked_at_once,
    },
    Situation {
        name: "a value of 64 MiB but for its last byte",
        expects: "a quarter more held at most",
        run: all_but_one_byte,
    },
    Situation {
        name: "a lock behind somebody else's slow command",
        expects: "all of its 900 ms, but for the way",
        run: lock_behind_sleep,
    },
    Situation {
        name: "a slow command in the tick in which a drain ends",
        expects: "30 MiB delivered to another client, exit 0",
        run: sleep_at_the_end,
    },
    Situation {
        name: "SIGTERM again while last replies wait for a client that never reads",
        expects: "exit 3 at once",
        run: term_while_closing,
    },
    Situation {
        name: "rejected, failed and slow calls of one command",
        expects: "each in its own field of commandstats, time among them",
        run: counted_calls,
    },
    Situation {
        name: "an idle client that is closed and keeps its side open",
        expects: "in no CLIENT LIST",
        run: idle_and_unlisted,
    },
    Situation {
        name: "keys chosen by the cursors of SCAN, eight times over",
        expects: "as much memory as other keys take, each still found",
        run: chosen_keys,
    },
    Situation {
        name: "a subscriber that reads nothing",
        expects: "its end at the limit, the publisher and another subscriber served",
        run: slow_subscriber,
    },
    Situation {
        name: "200 clients that leave while they are paused, half of them amid a transaction",
        expects: "noticed at once, nothing run",
        run: paused_leavers,
    },
];

pub fn rows() -> Vec<Row> {
    let long = request(&[b"ECHO", &[b'x'; 70]]);
    let set = |bytes: &str| format!("CONFIG SET max-key-bytes 64 proto-max-bulk-len {bytes}\r\n");
    let value = "v".repeat(950);
    let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    vec![
        row(
            "a limit that changes amid a pipeline",
            [
                set("64").as_bytes(),
                &long,
                set("512mb").as_bytes(),
                &long,
                b"CONFIG SET max-key-bytes 64kb\r\n",
            ]
            .concat(),
            format!(
                "+OK\r\n-ERR argument of 70 bytes exceeds proto-max-bulk-len (64)\r\n+OK\r\n$70\r\n{}\r\n+OK\r\n",
                "x".repeat(70)
            ),
            Lives,
        ),
        row(
            "HELLO 3 whose reply does not fit",
            format!(
                "SET v {value}\r\nCONFIG SET max-reply-bytes 1kb\r\nMULTI\r\nGET v\r\nHELLO 3\r\nEXEC\r\nGET none\r\n\
                 CONFIG SET max-reply-bytes 1gb\r\n"
            ),
            format!(
                "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$950\r\n{value}\r\n\
                 -ERR reply exceeds max-reply-bytes (1024) or the memory that is left\r\n$-1\r\n+OK\r\n"
            ),
            Lives,
        ),
        row(
            "transactions in transactions, and their ends without a beginning",
            "EXEC\r\nDISCARD\r\nMULTI\r\nMULTI\r\nWATCH k\r\nEXEC\r\nMULTI\r\nNOSUCH\r\nEXEC\r\n",
            format!(
                "-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n+OK\r\n-ERR MULTI calls can not be nested\r\n\
                 -ERR WATCH inside MULTI is not allowed\r\n*0\r\n+OK\r\n-ERR unknown command 'NOSUCH', with args \
                 beginning with: \r\n{aborted}"
            ),
            Lives,
        ),
    ]
}

fn asked_at_once() -> Seen {
    let daemon = Watched::start(&["--maxmemory-clients", "4mb"]);
    let mut judge = daemon.connect();
    // A longer value would be shared by all replies.
    judge.ask(request(&[b"SET", b"k", &[b'v'; 60 << 10]]), "+OK\r\n");
    let mut greedy: Vec<Wire> = (0..8).map(|_| daemon.connect()).collect();
    greedy.iter_mut().for_each(|wire| wire.ask("PING\r\n", "+PONG\r\n"));
    let mget = format!("MGET{}\r\n", " k".repeat(200));
    daemon.while_stopped(|| greedy.iter_mut().for_each(|wire| wire.send(&mget)));
    within("all to be evicted", || (count(&mut judge, "evicted_clients") == 8).then_some(()));
    let peak = daemon.status_bytes("VmHWM") >> 20;
    assert!(peak < 64, "{peak} MiB were resident");
    judge.ask("FLUSHALL\r\n", "+OK\r\n");
    drop((judge, greedy));
    format!("{peak} MiB at most, {}", daemon.is_unharmed(KEPT_MIB)).into()
}

fn all_but_one_byte() -> Seen {
    const VALUE: u64 = 64 << 20;
    let daemon = Watched::start(&[]);
    let (mut wire, mut judge) = (daemon.connect(), daemon.connect());
    let set = request(&[b"SET", b"k", &vec![b'v'; VALUE as usize]]);
    let (all_but_one, last) = set.split_at(set.len() - 1);
    wire.send(all_but_one);
    within("it to be there", || (count(&mut judge, "total_net_input_bytes") > VALUE).then_some(()));
    let held = count(&mut judge, "mem_clients_normal");
    assert!(held < VALUE + VALUE / 4, "{held} bytes are held");
    wire.ask(last, "+OK\r\n");
    judge.ask("FLUSHALL\r\n", "+OK\r\n");
    drop((wire, judge));
    format!("{held} bytes held, {}", daemon.is_unharmed(KEPT_MIB)).into()
}

fn lock_behind_sleep() -> Seen {
    let daemon = Watched::start(&["--enable-debug-command", "yes"]);
    let (mut slow, mut locker) = (daemon.connect(), daemon.connect());
    slow.ask("PING\r\n", "+PONG\r\n");
    locker.ask("PING\r\n", "+PONG\r\n");
    daemon.while_stopped(|| {
        slow.send("DEBUG SLEEP 0.3\r\n");
        locker.send("SET lock me NX PX 900\r\n");
    });
    locker.ask("PTTL lock\r\n", "+OK\r\n");
    let left: i64 = locker.line()[1..].parse().expect("a number");
    assert!((700..=900).contains(&left), "{left} ms are left");
    drop((slow, locker));
    format!("{left} ms left, {}", daemon.is_unharmed(8)).into()
}

/// Asks for 30 MiB and takes the first of them.
fn thirty_mib(daemon: &Watched) -> Wire {
    let mut wire = daemon.connect();
    wire.ask(request(&[b"SET", b"big", &vec![b'v'; 1 << 20]]), "+OK\r\n");
    wire.send(b"GET big\r\n".repeat(30));
    assert_eq!(wire.bulk().len(), 1 << 20);
    wire
}

fn sleep_at_the_end() -> Seen {
    let patience = ["--shutdown-timeout", "300ms", "--shutdown-flush-timeout", "2"];
    let daemon = Watched::start(&[&["--enable-debug-command", "yes"][..], &patience].concat());
    let mut slow = daemon.connect();
    slow.ask("PING\r\n", "+PONG\r\n");
    let mut reader = thirty_mib(&daemon);
    daemon.signal("TERM");
    within("the drain to begin", || (slow.info("draining") == "1").then_some(()));
    daemon.while_stopped(|| {
        slow.send("DEBUG SLEEP 0.5\r\n");
        pass(Instant::now(), Duration::from_millis(400));
    });
    slow.expect("+OK\r\n");
    for nth in 1..30 {
        assert_eq!(reader.bulk().len(), 1 << 20, "reply {nth}");
    }
    reader.expect_end();
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
    "30 MiB, exit 0".to_owned().into()
}

fn term_while_closing() -> Seen {
    let daemon = Watched::start(&["--shutdown-timeout", "100ms", "--shutdown-flush-timeout", "3600"]);
    let reader = thirty_mib(&daemon);
    let mut leaver = daemon.connect();
    leaver.ask("PING\r\n", "+PONG\r\n");
    daemon.signal("TERM");
    // The others are let go at the deadline.
    leaver.expect_end();
    let since = Instant::now();
    daemon.signal("TERM");
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(3), "{log}");
    drop(reader);
    format!("exit 3 after {} ms", since.elapsed().as_millis()).into()
}

fn counted_calls() -> Seen {
    let daemon = Watched::start(&["--enable-debug-command", "yes"]);
    let mut wire = daemon.connect();
    wire.send("DEBUG SLEEP 0.1\r\nDEBUG SLEEP x\r\nDEBUG SLEEP\r\n");
    wire.expect("+OK\r\n-ERR seconds must be between 0 and 60\r\n");
    wire.expect("-ERR wrong number of arguments for 'debug|sleep' command\r\n");
    let counted = wire.info("cmdstat_debug|sleep");
    let fields: BTreeMap<&str, f64> = counted
        .split(',')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (name, value.parse().expect("a number")))
        .collect();
    let counts = ["calls", "rejected_calls", "failed_calls"].map(|name| fields[name]);
    assert_eq!(counts, [2.0, 1.0, 1.0], "{counted}");
    assert!(fields["usec"] >= 100_000.0 && fields["usec_per_call"] >= 50_000.0, "{counted}");
    drop(wire);
    format!("`{counted}`, {}", daemon.is_unharmed(8)).into()
}

fn idle_and_unlisted() -> Seen {
    let daemon = Watched::start(&["--timeout", "300ms"]);
    let mut silent = daemon.connect();
    silent.ask("CLIENT SETNAME silent\r\n", "+OK\r\n");
    silent.expect_end();
    let mut judge = daemon.connect();
    judge.send("CLIENT LIST\r\n");
    let text = String::from_utf8(judge.bulk()).expect("text");
    assert!(text.lines().count() == 1 && !text.contains("silent"), "{text}");
    drop((silent, judge));
    format!("the judge alone, {}", daemon.is_unharmed(8)).into()
}

/// Keeps those keys of many whose cursors lie close together, and does so again with fresh ones.
fn chosen_keys() -> Seen {
    const KEYS: usize = 20_000;
    let daemon = Watched::start(&[]);
    let mut wire = daemon.connect();
    let mut kept = 0;
    for round in 0..8 {
        let sets: String = (0..KEYS).map(|n| format!("SET {round}:{n} v\r\n")).collect();
        wire.ask(sets, "+OK\r\n".repeat(KEYS));
        let (mut cursor, mut doomed) = ("0".to_owned(), Vec::new());
        loop {
            wire.send(format!("SCAN {cursor} COUNT 20\r\n"));
            wire.expect("*2\r\n");
            cursor = String::from_utf8(wire.bulk()).expect("text");
            let near = cursor.parse::<u64>().expect("a number") >> 42 == 0;
            let keys: usize = wire.line()[1..].parse().expect("a count");
            let keys = (0..keys).map(|_| wire.bulk());
            doomed.extend(keys.filter(|_| !near));
            if cursor == "0" {
                break;
            }
        }
        doomed.sort();
        doomed.dedup();
        for keys in doomed.chunks(1_000) {
            let words: Vec<&[u8]> =
                std::iter::once(&b"DEL"[..]).chain(keys.iter().map(Vec::as_slice)).collect();
            wire.send(request(&words));
            wire.line();
        }
        kept = count_keys(&mut wire);
    }
    let bytes = count(&mut wire, "used_memory_dataset");
    assert!(bytes < 2 << 20, "{bytes} bytes for {kept} keys");
    wire.ask("FLUSHALL\r\nSET k v\r\nGET k\r\nDEL k\r\n", "+OK\r\n+OK\r\n$1\r\nv\r\n:1\r\n");
    drop(wire);
    format!("{bytes} bytes for {kept} chosen keys, {}", daemon.is_unharmed(16)).into()
}

fn count_keys(wire: &mut Wire) -> usize {
    wire.send("DBSIZE\r\n");
    wire.line()[1..].parse().expect("a number")
}

const SUBSCRIBED: &str = "*3\r\n$9\r\nsubscribe\r\n$1\r\nn\r\n:1\r\n";

fn slow_subscriber() -> Seen {
    let daemon = Watched::start(&["--client-output-buffer-limit", "pubsub 1mb 0 0"]);
    let (mut judge, mut publisher) = (daemon.connect(), daemon.connect());
    let (mut quick, mut slow) = (daemon.connect(), daemon.connect());
    quick.ask("SUBSCRIBE n\r\n", SUBSCRIBED);
    slow.ask("SUBSCRIBE n\r\n", SUBSCRIBED);
    let text = vec![b'x'; 100_000];
    let (mut published, mut most) = (0, 0);
    within("the slow one to be cut off", || {
        publisher.send(request(&[b"PUBLISH", b"n", &text]));
        assert!([":1", ":2"].contains(&publisher.line().as_str()));
        quick.expect(request(&[b"message", b"n", &text]));
        published += 1;
        most = most.max(count(&mut judge, "mem_clients_normal"));
        (judge.info("closed_slow_consumer") == "1").then_some(())
    });
    assert!(most < 16 << 20, "{most} bytes were held");
    drop((judge, publisher, quick, slow));
    format!("{published} messages, {most} bytes held at most, {}", daemon.is_unharmed(KEPT_MIB)).into()
}

fn paused_leavers() -> Seen {
    let daemon = Watched::start(&[]);
    let mut judge = daemon.connect();
    judge.ask("CLIENT PAUSE 1000000 WRITE\r\n", "+OK\r\n");
    let mut paused: Vec<Wire> = (0..200).map(|_| daemon.connect()).collect();
    for (nth, wire) in paused.iter_mut().enumerate() {
        wire.send(if nth % 2 == 0 { "SET k v\r\nSET k" } else { "MULTI\r\nSET k v\r\nEXEC\r\n" });
    }
    within("all to be here", || (count(&mut judge, "connected_clients") == 201).then_some(()));
    drop(paused);
    within("all to be gone", || (count(&mut judge, "connected_clients") == 1).then_some(()));
    judge.ask("CLIENT UNPAUSE\r\nEXISTS k\r\n", "+OK\r\n:0\r\n");
    drop(judge);
    daemon.is_unharmed(8).into()
}
