//! The log: what is in it, and that it never stops the loop.

use crate::harness::{Daemon, skipped, within};

#[test]
fn opens_and_closes_are_told_at_debug_with_their_reason() {
    let daemon = Daemon::start(&["--loglevel", "debug"]);
    let mut wire = daemon.connect();
    let port = wire.stream.local_addr().unwrap().port();
    wire.ask("PING\r\nQUIT\r\n", "+PONG\r\n+OK\r\n");
    wire.expect_end();
    drop(wire);
    daemon.signal("TERM");
    let (_, log) = daemon.exit();
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[0].contains("[INFO] tidegate") && lines[0].contains("listening on 127.0.0.1:"), "{log}");
    assert!(log.contains(&format!("client id=1 addr=127.0.0.1:{port} opened")), "{log}");
    let closed = format!("client id=1 addr=127.0.0.1:{port} closed: quit age=0.");
    let line = lines.iter().find(|line| line.contains(&closed)).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("cmds=2 in=12 out=12"), "{line}");
}

#[test]
fn at_notice_clients_are_not_told_of_until_the_level_is_changed() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    wire.ask("PING\r\n", "+PONG\r\n");
    wire.ask("CONFIG SET loglevel debug\r\n", "+OK\r\n");
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
    wire.ask("CONFIG GET loglevel\r\n", "*2\r\n$8\r\nloglevel\r\n$5\r\ndebug\r\n");
    drop(wire);
    daemon.signal("TERM");
    let (_, log) = daemon.exit();
    assert!(!log.contains("client id=1 addr=127.0.0.1:") || !log.contains("id=1 opened"), "{log}");
    assert!(log.contains("client id=2"), "{log}");
}

#[test]
fn sighup_reopens_a_log_file_that_was_moved_away() {
    let dir = std::env::temp_dir().join(format!("tidegate-log-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (path, moved) = (dir.join("log"), dir.join("log.1"));
    let daemon = Daemon::start(&["--logfile", path.to_str().unwrap(), "--loglevel", "debug"]);
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
    std::fs::rename(&path, &moved).unwrap();
    daemon.signal("HUP");
    within("the file to be opened again", || path.exists().then_some(()));
    let mut wire = daemon.connect();
    wire.ask("PING\r\n", "+PONG\r\n");
    drop(wire);
    daemon.signal("TERM");
    assert_eq!(daemon.exit().0, Some(0));
    let (old, new) = (std::fs::read_to_string(&moved).unwrap(), std::fs::read_to_string(&path).unwrap());
    assert!(old.contains("listening on") && !old.contains("everything was delivered"), "{old}");
    assert!(new.contains("log reopened") && new.contains("everything was delivered"), "{new}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_log_that_cannot_be_reopened_goes_on_where_it_was() {
    let dir = std::env::temp_dir().join(format!("tidegate-reopen-{}", std::process::id()));
    let moved = dir.with_extension("moved");
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("log");
    let daemon = Daemon::start(&["--logfile", path.to_str().unwrap()]);
    std::fs::rename(&dir, &moved).unwrap();
    daemon.signal("HUP");
    let text = within("the failure to be told", || {
        let text = std::fs::read_to_string(moved.join("log")).unwrap();
        text.contains("[ERROR]").then_some(text)
    });
    assert!(text.contains("cannot open the log file again") && !text.contains("log reopened"), "{text}");
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
    std::fs::remove_dir_all(&moved).unwrap();
}

#[test]
fn a_named_pipe_without_a_reader_does_not_hold_up_a_reopen() {
    let dir = std::env::temp_dir().join(format!("tidegate-fifo-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("log");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        skipped("mkfifo does not work here");
        return;
    }
    let reader = {
        let path = path.clone();
        std::thread::spawn(move || std::fs::File::open(path).unwrap())
    };
    // Opening for reading waits for a writer, which this one is until the daemon is.
    let writer = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let reader = reader.join().unwrap();
    let daemon = Daemon::start(&["--logfile", path.to_str().unwrap()]);
    drop((writer, reader));
    daemon.signal("HUP");
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
    daemon.signal("HUP");
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
    std::fs::remove_dir_all(&dir).unwrap();
}
