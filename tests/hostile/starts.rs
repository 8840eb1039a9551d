//! Starts that cannot succeed, one that must, and a clock that does not stay.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::harness::{Wire, command, have, within};
use crate::report::{Seen, Situation};
use crate::scratch::Scratch;
use crate::watched::Watched;

pub const SITUATIONS: &[Situation] = &[
    Situation { name: "SIGKILL and an immediate restart", expects: "bound again at once", run: restart },
    Situation { name: "the port is in use", expects: "one line, exit 1", run: port_in_use },
    Situation {
        name: "options that make no sense",
        expects: "one line each, exit 1",
        run: senseless_options,
    },
    Situation {
        name: "addresses before other options",
        expects: "the list ends at the next option",
        run: addresses_first,
    },
    Situation { name: "a port it has no permission for", expects: "one line, exit 1", run: no_permission },
    Situation {
        name: "the wall clock jumps",
        expects: "connections untouched, keys expire by the clock and never eternally",
        run: clock_jump,
    },
];

fn restart() -> Seen {
    let first = Watched::start(&[]);
    let port = first.port();
    // The side that closes first keeps the port busy for a while: here that is the server.
    let mut wire = first.connect();
    wire.ask("QUIT\r\n", "+OK\r\n");
    wire.expect_end();
    let stays = first.connect();
    drop(first);
    let mut again = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    again.args(["--port", &port]).stdout(Stdio::piped()).stderr(Stdio::null());
    Watched::spawn(again).serves();
    drop(stays);
    format!("port {port} again").into()
}

/// One line on stderr, exit code 1; returns the line.
fn refusal(output: Output) -> String {
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("tidegate: ") && text.lines().count() == 1, "{text}");
    assert!(output.stdout.is_empty(), "it said that it listens");
    text.trim_end().to_owned()
}

fn port_in_use() -> Seen {
    let daemon = Watched::start(&[]);
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).args(["--port", &daemon.port()]).output();
    daemon.serves();
    refusal(output.expect("it can be run")).into()
}

fn senseless_options() -> Seen {
    let all: [&[&str]; 10] = [
        &["--maxclients", "0"],
        &["--maxclients", "-1"],
        &["--maxclients", "99999999999999999999"],
        &["--port", "65536"],
        &["--timeout", "soon"],
        &["--no-such-option", "1"],
        &["--max-request-args", "3"],
        &["--proto-max-bulk-len", "2gb"],
        &["--bind", "256.1.1.1"],
        &["--logfile", "/no/such/directory/log"],
    ];
    for options in all {
        refusal(command(options).output().expect("it can be run"));
    }
    format!("{} times one line and exit 1", all.len()).into()
}

fn addresses_first() -> Seen {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["--bind", "127.0.0.1", "--port", "0", "--maxclients", "9"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let daemon = Watched::spawn(command);
    daemon.connect().ask("CONFIG GET maxclients\r\n", "*2\r\n$10\r\nmaxclients\r\n$1\r\n9\r\n");
    daemon.is_unharmed(8).into()
}

fn no_permission() -> Seen {
    // Below this number a port needs a privilege, which root has.
    let Some(first) = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok() else {
        return Seen::Skipped("no port is known to need a permission".to_owned());
    };
    let Some(port) =
        first.trim().parse::<u16>().ok().and_then(|first| first.checked_sub(1)).filter(|port| *port > 0)
    else {
        return Seen::Skipped("every port may be listened on".to_owned());
    };
    if !have("setpriv", "--version") {
        return Seen::Skipped("setpriv is not installed".to_owned());
    }
    let mut nobody = Command::new("setpriv");
    nobody.args(["--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"]);
    nobody.args([env!("CARGO_BIN_EXE_tidegate"), "--port", &port.to_string()]);
    let output = nobody.output().expect("it can be run");
    let text = String::from_utf8_lossy(&output.stderr);
    if text.starts_with("setpriv: ") {
        return Seen::Skipped(text.trim_end().to_owned());
    }
    let line = refusal(output);
    assert!(line.contains("Permission denied"), "{line}");
    line.into()
}

/// The wall clock as the daemon sees it, under libfaketime; its monotonic clock runs on.
struct FakeClock(PathBuf);

impl FakeClock {
    fn set(&self, offset: &str) {
        // Whole or not at all: it is read at any time.
        let fresh = self.0.with_extension("new");
        fs::write(&fresh, offset).and_then(|()| fs::rename(&fresh, &self.0)).expect("the clock can be set");
    }
}

/// What `faketime` loads into the programs it runs.
fn faketime_library() -> Option<String> {
    if !have("faketime", "--version") {
        return None;
    }
    let script = ["-f", "+0", "sh", "-c", "printf %s \"$LD_PRELOAD\""];
    let output = Command::new("faketime").args(script).output().ok()?;
    String::from_utf8(output.stdout).ok().filter(|library| !library.is_empty())
}

fn clock_jump() -> Seen {
    let Some(library) = faketime_library() else {
        return Seen::Skipped("faketime is not installed".to_owned());
    };
    let scratch = Scratch::new("clock");
    let clock = FakeClock(scratch.path("now"));
    clock.set("+0");
    let mut faked = command(&["--timeout", "60", "--request-timeout", "60"]);
    faked.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock.0).env("FAKETIME_NO_CACHE", "1");
    faked.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").stdout(Stdio::piped()).stderr(Stdio::null());
    let daemon = Watched::spawn(faked);
    let (mut wire, mut half) = (daemon.connect(), daemon.connect());
    wire.ask("SET soon v EX 100\r\nSET late v EX 7300\r\n", "+OK\r\n+OK\r\n");
    half.send("*2\r\n$4\r\nECHO\r\n$5\r\nhe");
    daemon.serves();
    clock.set("+1h");
    wire.ask("GET soon\r\nGET late\r\n", "$-1\r\n$1\r\nv\r\n");
    let ahead = ttl(&mut wire, "late");
    assert!((3_600..=3_700).contains(&ahead), "{ahead} s left an hour later");
    clock.set("-1h");
    wire.ask("SET fresh v EX 100\r\n", "+OK\r\n");
    let (fresh, back) = (ttl(&mut wire, "fresh"), ttl(&mut wire, "late"));
    assert!((0..=100).contains(&fresh) && back <= 7_300 + 3_600, "{fresh} and {back} s left");
    half.ask("llo\r\n", "$5\r\nhello\r\n");
    clock.set("+9h");
    within("all keys to be gone", || {
        wire.send("DBSIZE\r\n");
        (wire.line() == ":0").then_some(())
    });
    wire.ask("PING\r\n", "+PONG\r\n");
    let unharmed = [wire.info("closed_idle"), wire.info("closed_request_timeout")];
    assert_eq!(unharmed, ["0", "0"]);
    drop((wire, half));
    format!("TTL 7300 s: {ahead} an hour ahead, {back} an hour back; {}", daemon.is_unharmed(8)).into()
}

fn ttl(wire: &mut Wire, key: &str) -> i64 {
    wire.send(format!("TTL {key}\r\n"));
    wire.line()[1..].parse().expect("a number")
}
