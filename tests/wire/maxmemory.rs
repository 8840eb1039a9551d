//! `maxmemory`: what happens when the memory is used up.

use crate::harness::{Daemon, Wire, within};
use crate::talks::frame;

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

fn number(wire: &mut Wire, field: &str) -> usize {
    wire.info(field).parse().expect("a number")
}

/// Writes values of 1 KB under `names`, and returns how many were refused.
fn fill(wire: &mut Wire, names: impl Iterator<Item = String>, options: &str) -> usize {
    let (names, value): (Vec<String>, _) = (names.collect(), "x".repeat(1_000));
    let mut refused = 0;
    for some in names.chunks(100) {
        let requests: Vec<String> =
            some.iter().map(|name| format!("SET {name} {value} {options}\r\n")).collect();
        wire.send(requests.concat());
        refused += some.iter().filter(|_| wire.line() != "+OK").count();
    }
    refused
}

#[test]
fn without_eviction_writes_are_refused_and_all_else_goes_on() {
    let daemon = Daemon::start(&["--maxmemory", "4mb"]);
    let mut wire = daemon.connect();
    let refused = fill(&mut wire, (0..6_000).map(|n| format!("k{n}")), "");
    assert!((2_000..4_000).contains(&refused), "{refused} of 6,000 were refused");
    let used = number(&mut wire, "used_memory");
    assert!(used > 4 << 20 && used < 5 << 20, "{used} bytes are used");
    wire.ask("SET new v\r\nHSET h f v\r\nAPPEND k1 v\r\n", OOM.repeat(3));
    wire.ask("STRLEN k1\r\nEXISTS new\r\nEXPIRE k1 100\r\n", ":1000\r\n:0\r\n:1\r\n");
    let why = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    wire.ask("MULTI\r\nSET new v\r\nEXEC\r\n", format!("+OK\r\n{OOM}{why}"));
    wire.ask("MULTI\r\nGET none\r\nEXEC\r\nDEL k1\r\n", format!("+OK\r\n{OOM}{why}:1\r\n"));
    for n in 2..900 {
        wire.ask(format!("DEL k{n}\r\n"), ":1\r\n");
    }
    within("there to be room again", || {
        wire.send("SET new v\r\n");
        (wire.line() == "+OK").then_some(())
    });
    wire.ask(
        "CONFIG SET maxmemory 1mb\r\nSET new v\r\nCONFIG SET maxmemory 0\r\nSET new v\r\n",
        format!("+OK\r\n{OOM}+OK\r\n+OK\r\n"),
    );
    assert_eq!(number(&mut wire, "evicted_keys"), 0);
}

#[test]
fn keys_are_evicted_so_that_the_limit_holds_and_the_ones_in_use_stay() {
    for policy in ["allkeys-lru", "allkeys-lfu"] {
        let daemon = Daemon::start(&["--maxmemory", "8mb", "--maxmemory-policy", policy]);
        let mut wire = daemon.connect();
        fill(&mut wire, (0..1_000).map(|n| format!("hot{n}")), "");
        for round in 0..20 {
            wire.send((0..1_000).map(|n| format!("TOUCH hot{n}\r\n")).collect::<String>());
            (0..1_000).for_each(|_| drop(wire.line()));
            assert_eq!(fill(&mut wire, (0..2_000).map(|n| format!("cold{round}:{n}")), ""), 0);
            let used = number(&mut wire, "used_memory");
            assert!(used < (8 << 20) + (64 << 10), "{policy}: {used} bytes are used");
        }
        wire.send((0..1_000).map(|n| format!("EXISTS hot{n}\r\n")).collect::<String>());
        let left = (0..1_000).filter(|_| wire.line() == ":1").count();
        assert!(left > 950, "{policy}: {left} of the keys in use are left");
        assert!(number(&mut wire, "evicted_keys") > 30_000);
    }
}

#[test]
fn of_keys_that_expire_the_soonest_goes_first_and_others_are_never_touched() {
    let daemon = Daemon::start(&["--maxmemory", "4mb", "--maxmemory-policy", "volatile-ttl"]);
    let (mut wire, mut listener) = (daemon.connect(), daemon.connect());
    fill(&mut wire, (0..1_000).map(|n| format!("kept{n}")), "");
    for n in 0..2_000 {
        fill(&mut wire, std::iter::once(format!("k{n}")), &format!("EX {}", 10_000 - n));
    }
    wire.ask("CONFIG SET notify-keyspace-events Ee\r\n", "+OK\r\n");
    listener.send("SUBSCRIBE __keyevent@0__:evicted\r\n");
    frame(&mut listener);
    assert_eq!(fill(&mut wire, (0..1_200).map(|n| format!("more{n}")), ""), 0);
    let first: usize = {
        let told = frame(&mut listener);
        told.split("'k").nth(1).and_then(|rest| rest.trim_end_matches("']").parse().ok()).expect("a key")
    };
    assert!(first > 1_900, "k{first} went first");
    wire.send((0..1_000).map(|n| format!("EXISTS kept{n}\r\n")).collect::<String>());
    assert_eq!((0..1_000).filter(|_| wire.line() == ":1").count(), 1_000);
    // Once no key may be evicted any more, writes are refused.
    let refused = fill(&mut wire, (0..4_000).map(|n| format!("last{n}")), "");
    assert!(refused > 1_000, "{refused} were refused");
    assert_eq!(wire.info("db0").split(',').nth(1), Some("expires=0"));
}

#[test]
fn every_policy_holds_the_limit_in_all_databases() {
    for policy in ["allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let daemon = Daemon::start(&["--maxmemory", "3mb", "--maxmemory-policy", policy]);
        let mut wire = daemon.connect();
        for db in 0..4 {
            wire.ask(format!("SELECT {db}\r\n"), "+OK\r\n");
            assert_eq!(fill(&mut wire, (0..3_000).map(|n| format!("k{n}")), "EX 1000"), 0, "{policy}");
        }
        let used = number(&mut wire, "used_memory");
        assert!(used < (3 << 20) + (64 << 10), "{policy}: {used} bytes are used");
        assert!(number(&mut wire, "evicted_keys") > 9_000, "{policy}");
    }
}

#[test]
fn a_key_that_expires_is_found_among_very_many_that_do_not() {
    let daemon = Daemon::start(&["--maxmemory", "16mb", "--maxmemory-policy", "volatile-lru"]);
    let mut wire = daemon.connect();
    wire.send((0..100_000).map(|n| format!("SET kept{n} {n}\r\n")).collect::<String>());
    (0..100_000).for_each(|_| assert_eq!(wire.line(), "+OK"));
    fill(&mut wire, (0..4_000).map(|n| format!("brief{n}")), "EX 1000");
    // Only the brief ones may go, and each write finds one.
    assert_eq!(fill(&mut wire, (0..8_000).map(|n| format!("more{n}")), "EX 1000"), 0);
    assert!(number(&mut wire, "evicted_keys") > 1_000);
    wire.send((0..100_000).map(|n| format!("EXISTS kept{n}\r\n")).collect::<String>());
    assert_eq!((0..100_000).filter(|_| wire.line() == ":1").count(), 100_000);
}

#[test]
fn a_lower_limit_is_reached_step_by_step_without_a_request() {
    let daemon = Daemon::start(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]);
    let mut wire = daemon.connect();
    fill(&mut wire, (0..30_000).map(|n| format!("k{n}")), "");
    wire.ask("CONFIG SET maxmemory 8mb\r\n", "+OK\r\n");
    within("the keys to be evicted", || (number(&mut wire, "used_memory") <= 8 << 20).then_some(()));
    assert!(number(&mut wire, "evicted_keys") > 20_000);
}

#[test]
fn a_part_of_the_memory_that_there_is_may_be_the_limit() {
    if !cfg!(target_os = "linux") {
        crate::harness::skipped("only Linux says how much memory there is");
        return;
    }
    let daemon = Daemon::start(&["--maxmemory", "50%"]);
    let mut wire = daemon.connect();
    let half = number(&mut wire, "maxmemory");
    wire.ask("CONFIG SET maxmemory 25%\r\n", "+OK\r\n");
    let quarter = number(&mut wire, "maxmemory");
    assert!(half > 64 << 20 && half.abs_diff(2 * quarter) < 100, "{half} {quarter}");
    wire.ask(
        "CONFIG SET maxmemory 120%\r\n",
        "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value or a \
         percentage from 1% to 100%\r\n",
    );
    drop(wire);
    daemon.signal("TERM");
    let (_, log) = daemon.exit();
    assert!(log.contains(&format!("maxmemory is {half} bytes: 50 % of the ")), "{log}");
}

#[test]
fn the_peak_is_known_without_a_limit_too() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    wire.ask(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4000000\r\n{}\r\n", "x".repeat(4_000_000)), "+OK\r\n");
    wire.ask("DEL k\r\n", ":1\r\n");
    let (used, peak) = (number(&mut wire, "used_memory"), number(&mut wire, "used_memory_peak"));
    assert!(used < 3_000_000 && peak > 4_000_000, "{used} bytes are used, and the peak is {peak}");
}
