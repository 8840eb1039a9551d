//! `CLIENT PAUSE` and `CLIENT UNPAUSE`.

use std::time::{Duration, Instant};

use crate::harness::{Daemon, within};
use crate::talks::{Talk, talk};

pub const TALKS: &[Talk] = &[
    talk(
        "what makes no sense is refused in Redis's words",
        &[
            ("a", "CLIENT PAUSE", "-ERR wrong number of arguments for 'client|pause' command"),
            ("a", "CLIENT PAUSE x", "-ERR timeout is not an integer or out of range"),
            ("a", "CLIENT PAUSE -1", "-ERR timeout is negative"),
            ("a", "CLIENT PAUSE 10 SOME", "-ERR CLIENT PAUSE mode must be WRITE or ALL"),
            ("a", "CLIENT PAUSE x SOME", "-ERR CLIENT PAUSE mode must be WRITE or ALL"),
            (
                "a",
                "CLIENT PAUSE 10 WRITE x",
                "-ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.",
            ),
            ("a", "CLIENT UNPAUSE x", "-ERR wrong number of arguments for 'client|unpause' command"),
            ("a", "CLIENT UNPAUSE", "+OK"),
            ("a", "SET k v", "+OK"),
        ],
    ),
    talk(
        "under PAUSE WRITE reads go on, and what writes waits for UNPAUSE",
        &[
            ("a", "SET k 1", "+OK"),
            ("d", "MULTI\nINCR d", "+OK +QUEUED"),
            ("a", "CLIENT PAUSE 100000 WRITE", "+OK"),
            ("b", "INCR b\nGET none", ""),
            ("c", "PUBLISH news x", ""),
            ("d", "EXEC", ""),
            ("f", "MULTI\nINCR f\nEXEC", "+OK"),
            ("e", "MULTI\nGET k\nEXEC", "+OK +QUEUED *['1']"),
            ("a", "GET k", "'1'"),
            ("a", "PING", "+PONG"),
            ("a", "CLIENT UNPAUSE", "+OK"),
            ("b", "", ":1 $nil"),
            ("c", "", ":0"),
            ("d", "", "*[:1]"),
            ("f", "", "+QUEUED *[:1]"),
        ],
    ),
    talk(
        "a pause ends by itself",
        &[
            ("a", "CLIENT PAUSE 50 WRITE", "+OK"),
            ("b", "SET k 1", "+OK"),
            ("a", "CLIENT PAUSE 50 ALL", "+OK"),
            ("b", "GET k", "'1'"),
            ("a", "CLIENT PAUSE 50", "+OK"),
            ("a", "GET k", "'1'"),
        ],
    ),
];

#[test]
fn another_client_can_end_a_pause_of_all() {
    let daemon = Daemon::start(&[]);
    let (mut wire, mut other) = (daemon.connect(), daemon.connect());
    wire.ask("CLIENT PAUSE 1000000\r\n", "+OK\r\n");
    other.send("GET k\r\nECHO behind\r\n");
    wire.ask("CLIENT UNPAUSE\r\n", "+OK\r\n");
    other.expect("$-1\r\n$6\r\nbehind\r\n");
}

#[test]
fn a_pause_ends_when_its_time_has_come_and_not_before() {
    let daemon = Daemon::start(&[]);
    let (mut wire, mut other) = (daemon.connect(), daemon.connect());
    let since = Instant::now();
    wire.ask("CLIENT PAUSE 300 WRITE\r\n", "+OK\r\n");
    // It is not shortened by a later one.
    wire.ask("CLIENT PAUSE 1 WRITE\r\n", "+OK\r\n");
    other.ask("SET k v\r\n", "+OK\r\n");
    assert!(since.elapsed() >= Duration::from_millis(299), "after {:?}", since.elapsed());
}

#[test]
fn a_client_that_leaves_while_it_is_paused_is_noticed() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    wire.ask("CLIENT PAUSE 1000000 WRITE\r\n", "+OK\r\n");
    for input in ["SET k v\r\n", "SET k v\r\nSET k half a requ", "MULTI\r\nPUBLISH a b\r\n"] {
        let mut paused = daemon.connect();
        paused.send(input);
        within("it to be here", || (wire.info("connected_clients") == "2").then_some(()));
        drop(paused);
        within("it to be gone", || (wire.info("connected_clients") == "1").then_some(()));
    }
    wire.ask("CLIENT UNPAUSE\r\nEXISTS k\r\n", "+OK\r\n:0\r\n");
}

#[test]
fn a_client_that_is_paused_is_not_idle() {
    let daemon = Daemon::start(&["--timeout", "300ms", "--request-timeout", "300ms"]);
    let (mut wire, mut paused, mut silent) = (daemon.connect(), daemon.connect(), daemon.connect());
    wire.ask("CLIENT PAUSE 1000000 WRITE\r\n", "+OK\r\n");
    paused.send("SET k v\r\nSET k half a requ");
    silent.ask("PING\r\n", "+PONG\r\n");
    within("the silent one to be closed", || (wire.info("closed_idle") == "1").then_some(()));
    wire.ask("CLIENT UNPAUSE\r\n", "+OK\r\n");
    paused.expect("+OK\r\n");
}

#[test]
fn a_pause_does_not_hold_up_a_drain() {
    let daemon = Daemon::start(&["--shutdown-timeout", "300ms"]);
    let (mut wire, mut paused) = (daemon.connect(), daemon.connect());
    wire.ask("CLIENT PAUSE 1000000\r\n", "+OK\r\n");
    paused.send("SET k v\r\nGET k\r\n");
    daemon.signal("TERM");
    // At the deadline it is answered after all.
    paused.expect("+OK\r\n$1\r\nv\r\n");
    paused.expect_end();
    wire.expect_end();
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
}
