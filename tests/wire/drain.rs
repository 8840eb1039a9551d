//! The quit channel: signals, SHUTDOWN, delivery during a drain, and the exit codes.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Daemon, Wire, request, skipped, within};
use crate::talks::frame;

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
    assert!(log.contains("shutting down: clients left: 1"), "{log}");
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

/// Asks for 30 MiB, more than any kernel buffer holds, and takes the first of them.
fn thirty_mib(daemon: &Daemon) -> Wire {
    let mut wire = daemon.connect();
    wire.ask(request(&[b"SET", b"big", &vec![b'v'; 1 << 20]]), "+OK\r\n");
    wire.send(b"GET big\r\n".repeat(30));
    assert_eq!(wire.bulk().len(), 1 << 20);
    wire
}

#[test]
fn a_slow_command_at_the_deadline_takes_nothing_from_the_others() {
    let daemon = Daemon::start(&[
        "--enable-debug-command",
        "yes",
        "--shutdown-timeout",
        "300ms",
        "--shutdown-flush-timeout",
        "2",
    ]);
    let (mut slow, mut late) = (daemon.connect(), daemon.connect());
    slow.ask("PING\r\n", "+PONG\r\n");
    late.ask("PING\r\n", "+PONG\r\n");
    let mut reader = thirty_mib(&daemon);
    daemon.signal("TERM");
    within("newcomers to be refused", || TcpStream::connect(daemon.address).is_err().then_some(()));
    // The tick that meets the deadline is a long one.
    daemon.while_stopped(|| {
        slow.send("DEBUG SLEEP 0.5\r\n");
        // The request is in the socket when the deadline comes, so it is answered.
        late.send("SET k v\r\nGET k\r\nSET half a requ");
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(400) {
            std::thread::park_timeout(Duration::from_millis(400));
        }
    });
    slow.expect("+OK\r\n");
    for nth in 1..30 {
        assert_eq!(reader.bulk().len(), 1 << 20, "reply {nth}");
    }
    reader.expect_end();
    late.expect("+OK\r\n$1\r\nv\r\n");
    late.expect_end();
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_client_that_reads_nothing_is_cut_off_after_shutdown_flush_timeout() {
    let daemon = Daemon::start(&["--shutdown-timeout", "200ms", "--shutdown-flush-timeout", "400ms"]);
    let reader = thirty_mib(&daemon);
    let since = Instant::now();
    daemon.signal("TERM");
    let (code, log) = daemon.exit();
    assert!(since.elapsed() >= Duration::from_millis(600), "cut off after {:?}", since.elapsed());
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("stopped: 1 clients were cut off"), "{log}");
    drop(reader);
}

#[test]
fn a_second_signal_is_heard_while_the_last_replies_are_being_delivered() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("closing-{}.log", std::process::id()));
    let file = path.display().to_string();
    let options = ["--logfile", &file, "--shutdown-timeout", "100ms", "--shutdown-flush-timeout", "3600"];
    let daemon = Daemon::start(&options);
    let reader = thirty_mib(&daemon);
    let log = || std::fs::read_to_string(&path).unwrap_or_default();
    daemon.signal("TERM");
    within("the deadline", || log().contains("shutdown-timeout has passed").then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.exit().0, Some(3), "{}", log());
    assert!(log().contains("stopping now"), "{}", log());
    drop(reader);
    let _ = std::fs::remove_file(path);
}

#[test]
fn a_lame_duck_lets_newcomers_in_and_can_go_back() {
    let daemon = Daemon::start(&["--lame-duck-seconds", "3600", "--shutdown-timeout", "3600"]);
    let mut wire = daemon.connect();
    assert_eq!(wire.info("drain_state"), "serving");
    daemon.signal("TERM");
    within("the end to begin", || (wire.info("drain_state") == "lame_duck").then_some(()));
    assert_eq!(wire.info("draining"), "0");
    let left: u64 = wire.info("shutdown_in_milliseconds").parse().expect("a number");
    assert!((3_600_000..=7_201_000).contains(&left), "{left}");
    // A newcomer that asks to be told is told at once.
    let mut newcomer = daemon.connect();
    newcomer.send("HELLO 3\r\n");
    assert!(frame(&mut newcomer).starts_with('%'));
    newcomer.ask("CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type none\r\n", "+OK\r\n");
    assert!(frame(&mut newcomer).starts_with(">['MOVING' :1 :"));
    daemon.connect().ask("PING\r\nSHUTDOWN ABORT\r\n", "+PONG\r\n+OK\r\n");
    within("the server to serve", || (wire.info("drain_state") == "serving").then_some(()));
    wire.ask("SHUTDOWN ABORT\r\n", "-ERR No shutdown in progress.\r\n");
    daemon.signal("TERM");
    within("the end to begin", || (wire.info("drain_state") == "lame_duck").then_some(()));
    daemon.connect().send("SHUTDOWN NOW\r\n");
    wire.expect_end();
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the shutdown is aborted"), "{log}");
}

#[test]
fn after_the_time_of_a_lame_duck_newcomers_are_refused() {
    let daemon = Daemon::start(&["--lame-duck-seconds", "50ms", "--shutdown-timeout", "3600"]);
    let mut wire = daemon.connect();
    wire.ask("PING\r\n", "+PONG\r\n");
    daemon.signal("TERM");
    within("the drain to begin", || (wire.info("drain_state") == "draining").then_some(()));
    assert!(TcpStream::connect(daemon.address).is_err());
    let too_late = "-ERR It is too late to abort the shutdown: newcomers are refused already.\r\n";
    wire.ask("SHUTDOWN ABORT\r\n", too_late);
    wire.half_close();
    wire.expect_end();
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
    let counts =
        "clients that left in time: 1, that had their last replies after it: 0, that were cut off: 0";
    assert!(log.contains(counts), "{log}");
}

#[test]
fn the_clients_that_were_idle_for_the_longest_time_are_closed_first() {
    const IDLE: usize = 10;
    let daemon = Daemon::start(&["--shutdown-timeout", "5"]);
    let mut idle: Vec<Wire> = (0..IDLE).map(|_| daemon.connect()).collect();
    idle.iter_mut().for_each(|wire| wire.ask("PING\r\n", "+PONG\r\n"));
    // The first one is heard of again, so it is the last one to be closed.
    idle[0].ask("PING\r\n", "+PONG\r\n");
    let mut half = daemon.connect();
    half.ask("PING\r\n", "+PONG\r\n");
    half.send("SET k ");
    let mut busy = daemon.connect();
    daemon.signal("TERM");
    for wire in &mut idle[1..IDLE / 2] {
        wire.expect_end();
    }
    let left: usize = busy.info("drain_clients_left").parse().expect("a number");
    assert!(left >= 3, "{left}");
    idle[0].ask("PING\r\n", "+PONG\r\n");
    half.send("v\r\n");
    half.expect("+OK\r\n");
    drop((idle, half, busy));
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn clients_that_ask_for_it_are_told_to_move() {
    let daemon = Daemon::start(&["--shutdown-timeout", "20"]);
    let (mut same, mut address, mut untold) = (daemon.connect(), daemon.connect(), daemon.connect());
    same.ask("CLIENT MAINT_NOTIFICATIONS ON\r\n", "-ERR Maintenance notifications need RESP3\r\n");
    for wire in [&mut same, &mut address, &mut untold] {
        wire.send("HELLO 3\r\n");
        assert!(frame(wire).starts_with('%'));
    }
    let ask = "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type";
    let no_address = "-ERR There is no address to send clients to: set drain-announce-addr, or ask for \
                      moving-endpoint-type none\r\n";
    address.ask(format!("{ask} external-ip\r\n"), no_address);
    address.ask(format!("{ask} moon\r\n"), "-ERR Invalid moving-endpoint-type\r\n");
    address.ask("CLIENT MAINT_NOTIFICATIONS ON a\r\n", "-ERR syntax error\r\n");
    untold.ask("CONFIG SET drain-announce-addr 10.1.2.3:6379\r\n", "+OK\r\n");
    same.ask(format!("{ask} none\r\n"), "+OK\r\n");
    address.ask(format!("{ask} external-ip\r\n"), "+OK\r\n");
    untold.ask("CLIENT MAINT_NOTIFICATIONS ON\r\nCLIENT MAINT_NOTIFICATIONS OFF\r\n", "+OK\r\n+OK\r\n");
    daemon.signal("TERM");
    same.expect(">4\r\n$6\r\nMOVING\r\n:1\r\n:21\r\n_\r\n");
    address.expect(">4\r\n$6\r\nMOVING\r\n:1\r\n:21\r\n$13\r\n10.1.2.3:6379\r\n");
    untold.ask("PING\r\n", "+PONG\r\n");
    drop((same, address, untold));
    assert_eq!(daemon.exit().0, Some(0));
}

/// The programs keep their server busy while it stops. No command of theirs may fail, although they do not try anything twice.
#[test]
fn client_libraries_walk_over_to_the_announced_server_with_no_failed_command() {
    for (interpreter, check, program) in [
        ("python3", ["-c", "import redis.maint_notifications"], "redis_py.py"),
        ("node", ["-e", "require('redis')"], "node_redis.js"),
    ] {
        let installed = Command::new(interpreter).args(check).output().is_ok_and(|out| out.status.success());
        if !installed {
            skipped(&format!("the library of {program} is not installed"));
            continue;
        }
        // redis-py waits for the end of that time before its process ends.
        let leaving = Daemon::start(&["--lame-duck-seconds", "1", "--shutdown-timeout", "2"]);
        let port = leaving.address.port();
        // redis-py takes only the host of the address, so both have the same port.
        let next = Daemon::start(&["--bind", "127.0.0.2", "--port", &port.to_string()]);
        let announced = format!("CONFIG SET drain-announce-addr {}\r\n", next.address);
        leaving.connect().ask(announced, "+OK\r\n");
        let mut client = Command::new(interpreter)
            .args([&format!("tests/wire/moving/{program}"), &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut lines = BufReader::new(client.stdout.take().expect("a pipe")).lines();
        assert_eq!(lines.next().expect("a line").expect("text"), "ready");
        leaving.signal("TERM");
        let (code, log) = leaving.exit();
        assert_eq!(code, Some(0), "{log}");
        let before: u64 = next.info("total_commands_processed").parse().expect("a number");
        within("the client to use the next server", || {
            let now: u64 = next.info("total_commands_processed").parse().expect("a number");
            (now > before + 100).then_some(())
        });
        drop(client.stdin.take());
        let done: u64 = lines.next().expect("a line").expect("text").parse().expect("a number");
        let out = client.wait_with_output().expect("it ends");
        assert!(out.status.success() && done > 0, "{program}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn a_shutdown_that_is_aborted_behind_a_long_script_leaves_a_server_that_lets_newcomers_in() {
    let options =
        ["--lame-duck-seconds", "200ms", "--shutdown-timeout", "3600", "--script-time-limit", "900"];
    let daemon = Daemon::start(&options);
    let (mut wire, mut other) = (daemon.connect(), daemon.connect());
    other.ask("PING\r\n", "+PONG\r\n");
    // The script ends when the time of the lame duck is over.
    daemon.signal("TERM");
    within("the end to begin", || (other.info("drain_state") == "lame_duck").then_some(()));
    wire.send("EVAL 'while true do end' 0\r\nSHUTDOWN ABORT\r\n");
    assert!(wire.line().contains("the script ran for"));
    wire.expect("+OK\r\n");
    assert_eq!(daemon.connect().info("drain_state"), "serving");
}

#[test]
fn a_client_that_goes_back_to_resp2_is_not_told_to_move() {
    let daemon = Daemon::start(&["--shutdown-timeout", "20"]);
    let (mut wire, mut busy) = (daemon.connect(), daemon.connect());
    wire.send("HELLO 3\r\n");
    frame(&mut wire);
    wire.ask("CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type none\r\n", "+OK\r\n");
    wire.send("HELLO 2\r\n");
    frame(&mut wire);
    busy.ask("PING\r\n", "+PONG\r\n");
    daemon.signal("TERM");
    within("the drain to begin", || (busy.info("drain_state") == "draining").then_some(()));
    wire.ask("PING\r\n", "+PONG\r\n");
}
