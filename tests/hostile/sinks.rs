//! Log sinks that take nothing, commands that panic.

use std::fs;
use std::process::{Command, Stdio};

use crate::harness::{Guard, Wire, command, within};
use crate::report::{Seen, Situation};
use crate::scratch::Scratch;
use crate::watched::{Watched, count};

pub const SITUATIONS: &[Situation] = &[
    Situation {
        name: "a log pipe that nobody reads",
        expects: "serves on; lines dropped whole and counted",
        run: unread_pipe,
    },
    Situation {
        name: "a log pipe that is closed",
        expects: "serves on, lines counted as dropped",
        run: closed_pipe,
    },
    Situation {
        name: "a log on a full disk",
        expects: "serves on, lines counted as dropped",
        run: full_disk,
    },
    Situation {
        name: "a log file moved away",
        expects: "goes on in a new one after SIGHUP",
        run: moved_away,
    },
    Situation {
        name: "a log file that cannot be opened again",
        expects: "says so, and goes on in the old one",
        run: not_reopened,
    },
    Situation { name: "a closed stdout and stderr", expects: "serves on", run: no_output_at_all },
    Situation {
        name: "a panic in a command",
        expects: "complete replies, `-ERR internal error`, the end; others served",
        run: panic_once,
    },
    Situation {
        name: "1,000 panics in a row",
        expects: "others served, nothing left, a short log",
        run: panic_often,
    },
];

fn unread_pipe() -> Seen {
    let daemon = Watched::start(&["--loglevel", "debug"]);
    // Two lines each; the pipe holds some hundreds.
    for _ in 0..1_500 {
        daemon.serves();
    }
    let dropped = count(&mut daemon.connect(), "log_lines_dropped");
    assert!(dropped > 0, "the pipe was never full");
    let unharmed = daemon.is_unharmed(8);
    let (code, log) = daemon.stop();
    assert_eq!(code, Some(0));
    assert!(log.lines().all(|line| line.starts_with("20")), "a line was torn");
    format!("{dropped} lines dropped, {unharmed}").into()
}

fn closed_pipe() -> Seen {
    let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().expect("`true` runs");
    let pipe = reader.stdin.take().expect("stdin is piped");
    reader.wait().expect("the reader goes");
    let mut broken = command(&["--loglevel", "debug"]);
    broken.stdout(Stdio::piped()).stderr(Stdio::from(pipe));
    let daemon = Watched::spawn(broken);
    for _ in 0..100 {
        daemon.serves();
    }
    let dropped = count(&mut daemon.connect(), "log_lines_dropped");
    assert!(dropped >= 200, "{dropped} lines dropped");
    format!("{dropped} lines dropped, {}", daemon.is_unharmed(8)).into()
}

fn full_disk() -> Seen {
    if !std::path::Path::new("/dev/full").exists() {
        return Seen::Skipped("there is no /dev/full".to_owned());
    }
    let daemon = Watched::start(&["--logfile", "/dev/full", "--loglevel", "debug"]);
    for _ in 0..100 {
        daemon.serves();
    }
    let dropped = count(&mut daemon.connect(), "log_lines_dropped");
    assert!(dropped >= 200, "{dropped} lines dropped");
    let unharmed = daemon.is_unharmed(8);
    assert_eq!(daemon.stop().0, Some(0));
    format!("{dropped} lines dropped, {unharmed}").into()
}

fn moved_away() -> Seen {
    let scratch = Scratch::new("moved");
    let (path, moved) = (scratch.path("log"), scratch.path("log.1"));
    let daemon = Watched::start(&["--logfile", path.to_str().unwrap(), "--loglevel", "debug"]);
    fs::rename(&path, &moved).unwrap();
    daemon.signal("HUP");
    within("the file to be opened again", || path.exists().then_some(()));
    let unharmed = daemon.is_unharmed(8);
    assert_eq!(daemon.stop().0, Some(0));
    let (old, new) = (fs::read_to_string(&moved).unwrap(), fs::read_to_string(&path).unwrap());
    assert!(old.contains("listening on") && new.contains("log reopened"), "{old}\n{new}");
    assert!(new.contains("everything was delivered"), "{new}");
    format!("{} lines in the old, {} in the new, {unharmed}", old.lines().count(), new.lines().count()).into()
}

fn not_reopened() -> Seen {
    let scratch = Scratch::new("gone");
    let (dir, moved) = (scratch.path("dir"), scratch.path("moved"));
    fs::create_dir(&dir).unwrap();
    let path = dir.join("log");
    let daemon = Watched::start(&["--logfile", path.to_str().unwrap()]);
    fs::rename(&dir, &moved).unwrap();
    daemon.signal("HUP");
    let line = within("the failure to be told", || {
        let text = fs::read_to_string(moved.join("log")).unwrap();
        text.lines().find(|line| line.contains("cannot open the log file again")).map(str::to_owned)
    });
    format!("`{}`, {}", line.split("] ").last().unwrap_or_default(), daemon.is_unharmed(8)).into()
}

fn no_output_at_all() -> Seen {
    // The port must be known beforehand: one that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec "$0" "$@" >&- 2>&-"#, env!("CARGO_BIN_EXE_tidegate"), "--port", &port]);
    let guard = Guard(shell.stdin(Stdio::null()).spawn().expect("sh runs"));
    let address: std::net::SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let stream = within("it to listen", || std::net::TcpStream::connect(address).ok());
    Wire::new(stream).ask("PING\r\nSET k v\r\nGET k\r\n", "+PONG\r\n+OK\r\n$1\r\nv\r\n");
    drop(guard);
    "three replies".to_owned().into()
}

/// The first backtrace that is told of maps the names of a whole debug build, once. What is read of them takes no more
/// memory than the program's file itself. It is the size of the symbols that counts, so the bound grows with the program.
fn symbols_mib() -> u64 {
    let program = std::fs::metadata(env!("CARGO_BIN_EXE_tidegate")).expect("it was built").len();
    2 * (program >> 20)
}

fn panic_once() -> Seen {
    let daemon = Watched::start(&["--enable-debug-command", "yes"]);
    let (mut wire, mut bystander) = (daemon.connect(), daemon.connect());
    bystander.send("SET half ");
    wire.send("SET a 1\r\nGET a\r\nDEBUG PANIC\r\nSET a 2\r\n");
    wire.expect("+OK\r\n$1\r\n1\r\n-ERR internal error\r\n");
    wire.expect_end();
    bystander.ask("way\r\nGET a\r\n", "+OK\r\n$1\r\n1\r\n");
    drop((wire, bystander));
    let unharmed = daemon.is_unharmed(symbols_mib());
    assert_eq!(daemon.stop().0, Some(0));
    unharmed.into()
}

fn panic_often() -> Seen {
    let daemon = Watched::start(&["--enable-debug-command", "yes"]);
    let panics = |count: usize| {
        let mut bystander = daemon.connect();
        for _ in 0..count {
            let mut wire = daemon.connect();
            wire.send("DEBUG PANIC\r\n");
            wire.expect("-ERR internal error\r\n");
            wire.expect_end();
            bystander.ask("PING\r\n", "+PONG\r\n");
        }
    };
    // Those that are told of at length, and a few.
    panics(20);
    daemon.is_unharmed(symbols_mib());
    let before = count(&mut daemon.connect(), "used_memory_rss");
    panics(980);
    let after = count(&mut daemon.connect(), "used_memory_rss");
    assert_eq!(daemon.info("command_panics"), "1000");
    let grown = after.saturating_sub(before) >> 10;
    assert!(grown < 1024, "{grown} KiB more after 980 panics");
    daemon.is_unharmed(symbols_mib());
    let (code, log) = daemon.stop();
    assert_eq!(code, Some(0));
    let told = log.matches("panic in command").count();
    assert_eq!(told, 10, "panics told of at length");
    format!("1000 panics, {told} told of, +{grown} KiB after the first 20").into()
}
