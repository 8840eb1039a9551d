//! Time as commands see it, and the time that they take.

use crate::harness::{Daemon, Wire, within};

#[test]
fn a_lock_is_no_shorter_than_asked_for_behind_a_slow_command() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let (mut slow, mut locker) = (daemon.connect(), daemon.connect());
    slow.ask("PING\r\n", "+PONG\r\n");
    locker.ask("PING\r\n", "+PONG\r\n");
    // The slow command of another client.
    daemon.while_stopped(|| {
        slow.send("DEBUG SLEEP 0.3\r\n");
        locker.send("SET lock me NX PX 900\r\n");
    });
    locker.expect("+OK\r\n");
    assert_nearly_900_ms_are_left(&mut locker, "lock");
    slow.expect("+OK\r\n");
    // Its own.
    locker.ask("DEBUG SLEEP 0.3\r\nSET other me NX PX 900\r\n", "+OK\r\n+OK\r\n");
    assert_nearly_900_ms_are_left(&mut locker, "other");
}

/// Had it counted from the start of the tick, it would be 600.
fn assert_nearly_900_ms_are_left(wire: &mut Wire, key: &str) {
    wire.send(format!("PTTL {key}\r\n"));
    let left: i64 = wire.line()[1..].parse().unwrap();
    assert!((700..=900).contains(&left), "{left} ms are left of {key}");
}

#[test]
fn time_stands_still_inside_exec() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let mut wire = daemon.connect();
    wire.send("MULTI\r\nTIME\r\nSET k v PX 10\r\nDEBUG SLEEP 0.05\r\nGET k\r\nTIME\r\nEXEC\r\n");
    wire.expect("+OK\r\n");
    wire.expect("+QUEUED\r\n".repeat(5));
    wire.expect("*5\r\n*2\r\n");
    let before = [wire.bulk(), wire.bulk()];
    // Neither does a key expire meanwhile.
    wire.expect("+OK\r\n+OK\r\n$1\r\nv\r\n*2\r\n");
    assert_eq!([wire.bulk(), wire.bulk()], before);
    within("it to expire afterwards", || {
        wire.send("EXISTS k\r\n");
        (wire.line() == ":0").then_some(())
    });
}

#[test]
fn commandstats_tell_how_long_commands_took() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let mut wire = daemon.connect();
    wire.ask(
        "DEBUG SLEEP 0.2\r\nDEBUG SLEEP 0.1\r\nDEBUG SLEEP x\r\n",
        "+OK\r\n+OK\r\n-ERR seconds must be between 0 and 60\r\n",
    );
    let counted = wire.info("cmdstat_debug|sleep");
    let field = |name: &str| -> f64 {
        let value = counted.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {counted}"))
    };
    assert_eq!((field("calls"), field("failed_calls")), (3.0, 1.0));
    assert!(field("usec") >= 300_000.0, "{counted}");
    assert!((field("usec_per_call") - field("usec") / 3.0).abs() < 1.0, "{counted}");
    // Quick ones are sampled, and thousands of them take some time.
    wire.send("GET k\r\n".repeat(10_000));
    wire.expect("$-1\r\n".repeat(10_000));
    let quick = wire.info("cmdstat_get");
    assert!(quick.starts_with("calls=10000,usec=") && !quick.starts_with("calls=10000,usec=0,"), "{quick}");
}
