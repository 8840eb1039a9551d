//! The quit channel: signals, SHUTDOWN, what is still delivered, and the exit codes.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Daemon, request, within};

#[test]
fn with_nobody_here_a_signal_ends_it_at_once() {
    for signal in ["TERM", "INT"] {
        let daemon = Daemon::start(&[]);
        daemon.connect().ask("PING\r\n", "+PONG\r\n");
        daemon.signal(signal);
        let (code, log) = daemon.exit();
        assert_eq!(code, Some(0));
        assert!(log.contains("stopped: everything was delivered"), "{log}");
    }
}

#[test]
fn while_draining_newcomers_are_refused_and_open_clients_are_served_until_they_leave() {
    let daemon = Daemon::start(&["--shutdown-timeout", "20"]);
    let mut wire = daemon.connect();
    wire.ask("SET k v\r\n", "+OK\r\n");
    daemon.signal("TERM");
    within("newcomers to be refused", || TcpStream::connect(daemon.address).is_err().then_some(()));
    wire.ask("GET k\r\n", "$1\r\nv\r\n");
    assert_eq!(wire.info("draining"), "1");
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(1100) {
        wire.ask("PING\r\n", "+PONG\r\n");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    drop(wire);
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0));
    assert!(log.contains("shutting down: 1 clients left"), "{log}");
}

#[test]
fn at_the_deadline_what_has_arrived_is_answered_and_everyone_is_closed_cleanly() {
    let daemon = Daemon::start(&["--shutdown-timeout", "300ms"]);
    let mut silent = daemon.connect();
    silent.ask("PING\r\n", "+PONG\r\n");
    let mut half = daemon.connect();
    half.ask("PING\r\n", "+PONG\r\n");
    half.send("PING\r\nSET half a");
    daemon.signal("TERM");
    silent.expect_end();
    half.expect("+PONG\r\n");
    half.expect_end();
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn no_reply_is_cut_while_the_client_takes_it_before_the_deadline() {
    const CLIENTS: usize = 8;
    const REPLIES: usize = 20;
    let daemon = Daemon::start(&["--shutdown-timeout", "20"]);
    let value = vec![b'v'; 1 << 20];
    daemon.connect().ask(request(&[b"SET", b"big", &value]), "+OK\r\n");
    let mut wires: Vec<_> = (0..CLIENTS).map(|_| daemon.connect()).collect();
    for wire in &mut wires {
        wire.send(b"GET big\r\n".repeat(REPLIES));
        wire.send("ECHO done\r\n");
    }
    // Each has been heard and has more to come than any kernel buffer holds.
    for wire in &mut wires {
        assert_eq!(wire.bulk().len(), value.len());
    }
    daemon.signal("TERM");
    for wire in &mut wires {
        for _ in 1..REPLIES {
            assert!(wire.bulk() == value, "a reply was cut");
        }
        wire.expect("$4\r\ndone\r\n");
        wire.half_close();
        wire.expect_end();
    }
    drop(wires);
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn the_second_signal_means_now() {
    let daemon = Daemon::start(&["--shutdown-timeout", "3600"]);
    let mut wire = daemon.connect();
    wire.ask("PING\r\n", "+PONG\r\n");
    daemon.signal("TERM");
    within("the drain to begin", || (wire.info("draining") == "1").then_some(()));
    daemon.signal("INT");
    wire.expect_end();
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "nobody was owed anything: {log}");
    assert!(log.contains("stopping now"), "{log}");
}

#[test]
fn shutdown_takes_the_same_way() {
    let daemon = Daemon::start(&["--shutdown-timeout", "20"]);
    let mut other = daemon.connect();
    other.ask("PING\r\n", "+PONG\r\n");
    let mut wire = daemon.connect();
    wire.ask("SHUTDOWN ABORT\r\n", "-ERR No shutdown in progress.\r\n");
    wire.send("SET before shutdown\r\nSHUTDOWN\r\nPING\r\n");
    // Redis loses the reply of what was pipelined before it.
    wire.expect("+OK\r\n");
    wire.expect_end();
    other.ask("GET before\r\n", "$8\r\nshutdown\r\n");
    other.half_close();
    other.expect_end();
    assert_eq!(daemon.exit().0, Some(0));

    let daemon = Daemon::start(&["--shutdown-timeout", "3600"]);
    let mut other = daemon.connect();
    other.ask("PING\r\n", "+PONG\r\n");
    daemon.connect().send("SHUTDOWN NOSAVE NOW\r\n");
    other.expect_end();
    assert_eq!(daemon.exit().0, Some(0));
}

#[test]
fn the_last_read_goes_on_to_the_end_of_what_has_arrived() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let mut wire = daemon.connect();
    wire.ask("PING\r\n", "+PONG\r\n");
    // While it sleeps, more arrives than one read takes.
    let mut sleeper = daemon.connect();
    sleeper.send("DEBUG SLEEP 0.5\r\nSHUTDOWN NOW\r\n");
    wire.send("PING\r\n".repeat(20_000));
    wire.expect("+PONG\r\n".repeat(20_000));
    wire.expect_end();
    sleeper.expect("+OK\r\n");
    sleeper.expect_end();
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn shutdown_said_twice_is_no_second_signal() {
    let daemon = Daemon::start(&["--shutdown-timeout", "3600"]);
    let mut wire = daemon.connect();
    wire.ask("PING\r\n", "+PONG\r\n");
    let mut other = daemon.connect();
    other.ask("PING\r\n", "+PONG\r\n");
    daemon.signal("TERM");
    within("the drain to begin", || (wire.info("draining") == "1").then_some(()));
    other.send("SHUTDOWN\r\n");
    other.expect_end();
    wire.ask("PING\r\n", "+PONG\r\n");
    wire.send("SHUTDOWN NOW\r\n");
    wire.expect_end();
    assert_eq!(daemon.exit().0, Some(0));
}
