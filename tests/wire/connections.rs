//! Who may come in, how long they may stay, and how much they may ask for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Daemon, Wire, command, have, have_descriptors, limited, request, skipped, within};

const NO_ROOM: &str = "-ERR max number of clients reached\r\n";

#[test]
fn maxclients_counts_exactly_what_it_says() {
    let daemon = Daemon::start(&["--maxclients", "3"]);
    let mut served: Vec<Wire> = (0..3).map(|_| daemon.connect()).collect();
    for wire in &mut served {
        wire.ask("PING\r\n", "+PONG\r\n");
    }
    let mut refused = daemon.connect();
    refused.expect(NO_ROOM);
    refused.expect_end();
    for wire in &mut served {
        wire.ask("PING\r\n", "+PONG\r\n");
    }
    assert_eq!(served[0].info("rejected_connections"), "1");
    // A client that leaves makes room at once, even for itself.
    for _ in 0..200 {
        drop(served.pop());
        let mut wire = daemon.connect();
        wire.ask("PING\r\n", "+PONG\r\n");
        served.push(wire);
    }
}

#[test]
fn a_refused_client_reads_why_even_if_it_has_already_sent_something() {
    let daemon = Daemon::start(&["--maxclients", "1"]);
    let mut only = daemon.connect();
    only.ask("PING\r\n", "+PONG\r\n");
    for _ in 0..300 {
        let mut refused = daemon.connect();
        refused.send("PING\r\nSET some thing\r\n");
        refused.expect(NO_ROOM);
        refused.expect_end();
    }
    only.ask("GET some\r\n", "$-1\r\n");
}

#[test]
fn maxclients_is_lowered_aloud_if_descriptors_do_not_suffice() {
    let daemon = Daemon::spawn(limited("-n 200", &[]));
    let mut wire = daemon.connect();
    wire.ask("CONFIG GET maxclients\r\n", "*2\r\n$10\r\nmaxclients\r\n$3\r\n111\r\n");
    wire.ask(
        "CONFIG SET maxclients 112\r\n",
        "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to \
         handle the specified number of clients, try with 111\r\n",
    );
    wire.send("SHUTDOWN\r\n");
    let (_, log) = daemon.exit();
    assert!(log.contains("maxclients lowered from 10000 to 111"), "{log}");
}

#[test]
fn of_few_descriptors_half_go_to_clients_and_the_others_suffice_for_all_else() {
    let daemon = Daemon::spawn(limited("-n 64", &[]));
    let mut wire = daemon.connect();
    wire.ask("CONFIG GET maxclients\r\n", "*2\r\n$10\r\nmaxclients\r\n$2\r\n32\r\n");
    let mut served: Vec<Wire> = (1..32).map(|_| daemon.connect()).collect();
    for client in &mut served {
        client.ask("PING\r\n", "+PONG\r\n");
    }
    // More connections than there are descriptors left. Those that are refused stay for a while.
    let mut crowd: Vec<Wire> = (0..64).map(|_| daemon.connect()).collect();
    for client in &mut crowd {
        client.expect(NO_ROOM);
    }
    assert_eq!(wire.info("rejected_connections"), "64");
    assert_eq!(wire.info("descriptor_exhaustions"), "0");
}

#[test]
fn the_soft_limit_on_descriptors_is_raised_to_what_the_cap_needs() {
    if !have_descriptors(5_000) {
        return;
    }
    let daemon = Daemon::spawn(limited("-S -n 256", &["--maxclients", "4000"]));
    daemon.connect().ask("CONFIG GET maxclients\r\n", "*2\r\n$10\r\nmaxclients\r\n$4\r\n4000\r\n");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.child.id())).unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let soft: u32 = line.split_whitespace().nth(3).and_then(|n| n.parse().ok()).unwrap_or_default();
    assert!(soft >= 4_000, "{line}");
}

#[test]
fn running_out_of_descriptors_pauses_accepting_and_recovers_by_itself() {
    if !have("prlimit", "--version") {
        return;
    }
    let daemon = Daemon::start(&[]);
    let mut watcher = daemon.connect();
    watcher.ask("PING\r\n", "+PONG\r\n");
    let limit = |soft: u32| {
        let pid = daemon.child.id().to_string();
        let status =
            Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={soft}:")]).status().unwrap();
        assert!(status.success());
    };
    limit(25);
    let mut crowd: Vec<Wire> = (0..40).map(|_| daemon.connect()).collect();
    for wire in &mut crowd {
        wire.send("PING\r\n");
    }
    within("the descriptors to run out", || (watcher.info("descriptor_refusing_now") == "1").then_some(()));
    let (ticks, pid) = (watcher.info("ticks"), daemon.child.id());
    let cpu_before = cpu_ticks(pid);
    let paused = Instant::now();
    while paused.elapsed() < Duration::from_millis(500) {
        watcher.ask("PING\r\n", "+PONG\r\n");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let ticked: u64 = watcher.info("ticks").parse::<u64>().unwrap() - ticks.parse::<u64>().unwrap();
    assert!(ticked < 100, "{ticked} ticks while nothing could be done: it spins");
    assert!(cpu_ticks(pid) - cpu_before < 20, "it burns CPU");
    let refusing: u64 = watcher.info("descriptor_refusing_usec").parse().unwrap();
    assert!(refusing > 300_000, "only {refusing} us of the pause are counted while it lasts");
    // No client comes or goes. Only descriptors become free.
    limit(1000);
    for wire in &mut crowd {
        wire.expect("+PONG\r\n");
    }
    assert_eq!(watcher.info("descriptor_refusing_now"), "0");
    assert_eq!(watcher.info("descriptor_exhaustions"), "1");
    drop((watcher, crowd));
    daemon.signal("TERM");
    let (_, log) = daemon.exit();
    assert_eq!(log.matches("cannot accept").count(), 1, "one line an episode: {log}");
}

/// User and system time of a process in clock ticks (10 ms).
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum()
}

#[test]
fn a_silent_client_is_closed_at_its_deadline_and_a_talking_one_is_not() {
    let daemon = Daemon::start(&["--timeout", "400ms"]);
    let mut silent = daemon.connect();
    let since = Instant::now();
    silent.ask("PING\r\n", "+PONG\r\n");
    let mut talking = daemon.connect();
    while since.elapsed() < Duration::from_millis(1200) {
        talking.ask("PING\r\n", "+PONG\r\n");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    silent.expect_end();
    talking.ask("PING\r\n", "+PONG\r\n");
    drop(silent);
    within("the close to be counted", || (talking.info("closed_idle") == "1").then_some(()));
    let mut early = daemon.connect();
    let since = Instant::now();
    early.expect_end();
    assert!(since.elapsed() >= Duration::from_millis(390), "closed before its deadline");
}

#[test]
fn a_client_closed_as_idle_is_listed_no_more_while_its_connection_lingers() {
    let daemon = Daemon::start(&["--timeout", "300ms"]);
    let mut silent = daemon.connect();
    silent.ask("CLIENT SETNAME silent\r\n", "+OK\r\n");
    silent.expect_end();
    // It has not closed its own side, so the connection is still there.
    let mut judge = daemon.connect();
    judge.send("CLIENT LIST\r\n");
    let text = String::from_utf8(judge.bulk()).unwrap();
    assert!(text.lines().count() == 1 && !text.contains("silent"), "{text}");
    judge.ask("CLIENT KILL ID 1\r\n", ":0\r\n");
}

#[test]
fn taking_replies_counts_as_activity_too() {
    let daemon = Daemon::start(&["--timeout", "400ms"]);
    let mut wire = daemon.connect();
    wire.ask(request(&[b"SET", b"big", &vec![b'v'; 16 << 20]]), "+OK\r\n");
    wire.send("GET big\r\n");
    assert_eq!(wire.line(), "$16777216");
    // It says nothing more and takes long; but it takes.
    let since = Instant::now();
    let mut piece = vec![0; 1 << 20];
    for _ in 0..16 {
        wire.stream.read_exact(&mut piece).expect("not closed while it takes");
        std::thread::park_timeout(Duration::from_millis(60));
    }
    assert!(since.elapsed() > Duration::from_millis(800));
}

/// How often the kernel has switched to a process that had been asleep.
fn wake_ups(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

/// The promise is that nothing happens, so the test has to let time pass.
fn assert_no_wake_ups(pid: u32) {
    let asleep = within("it to fall asleep", || {
        let before = wake_ups(pid);
        std::thread::park_timeout(Duration::from_millis(50));
        (wake_ups(pid) == before).then_some(before)
    });
    std::thread::park_timeout(Duration::from_millis(1200));
    assert_eq!(wake_ups(pid), asleep, "something woke an idle daemon");
}

#[test]
fn an_idle_daemon_makes_no_wake_ups() {
    if !cfg!(target_os = "linux") {
        skipped("wake-ups are read from /proc");
        return;
    }
    let daemon = Daemon::start(&[]);
    assert_no_wake_ups(daemon.child.id());
    let mut silent: Vec<Wire> = (0..50).map(|_| daemon.connect()).collect();
    for wire in &mut silent {
        wire.ask("PING\r\n", "+PONG\r\n");
    }
    assert_no_wake_ups(daemon.child.id());
    // A half request has a deadline, but not yet.
    silent[0].send("*2\r\n$3\r\nGET");
    assert_no_wake_ups(daemon.child.id());
}

#[test]
fn an_idle_connection_costs_at_most_300_bytes_after_use() {
    // So many that the tables of connections grow more than once: what growing costs is shared by all.
    const CONNECTIONS: usize = 8_000;
    if !cfg!(target_os = "linux") {
        skipped("resident memory is read from /proc");
        return;
    }
    if !have_descriptors(CONNECTIONS as u64 + 2_000) {
        return;
    }
    let mut plain = command(&["--timeout", "0"]);
    plain.stdout(Stdio::piped()).stderr(Stdio::null());
    let daemon = Daemon::spawn(plain);
    let open = |count: usize| -> Vec<Wire> {
        (0..count)
            .map(|_| {
                let stream = TcpStream::connect(daemon.address).expect("descriptors for 8,000 sockets");
                let mut wire = Wire::new(stream);
                wire.ask(
                    "CLIENT SETINFO LIB-NAME library\r\nSET k v\r\nGET k\r\n",
                    "+OK\r\n+OK\r\n$1\r\nv\r\n",
                );
                wire
            })
            .collect()
    };
    let warm = open(1_000);
    // Pages of the program that are used for the first time meanwhile are no memory of connections.
    let before = daemon.status_bytes("RssAnon");
    let crowd = open(CONNECTIONS);
    let after = daemon.status_bytes("RssAnon");
    assert!(before > 0, "resident memory is read from /proc");
    let each = after.saturating_sub(before) / CONNECTIONS;
    println!("{each} bytes an idle connection");
    assert!(each <= 300, "{each} bytes an idle connection");
    // Thousands of silent clients do not wake it either.
    assert_no_wake_ups(daemon.child.id());
    drop((warm, crowd));
}

#[test]
fn all_clients_together_are_held_to_maxmemory_clients() {
    let daemon = Daemon::start(&["--maxmemory-clients", "3mb"]);
    let mut watcher = daemon.connect();
    watcher.ask("CLIENT NO-EVICT ON\r\n", "+OK\r\n");
    // The one that holds the most is told why it has to go.
    let mut hog = daemon.connect();
    hog.send("*2\r\n$4\r\nECHO\r\n$4000000\r\n");
    let _ = hog.stream.write_all(&vec![b'x'; 3_500_000]);
    hog.expect("-ERR evicted: all clients together hold more than maxmemory-clients\r\n");
    let mut small = daemon.connect();
    small.send("*2\r\n$4\r\nECHO\r\n$5\r\nhel");
    let mut hogs: Vec<Wire> = (0..3).map(|_| daemon.connect()).collect();
    for hog in &mut hogs {
        hog.send("*2\r\n$4\r\nECHO\r\n$2000000\r\n");
        let _ = hog.stream.write_all(&vec![b'x'; 1_400_000]);
    }
    within("somebody to be evicted", || {
        (watcher.info("evicted_clients").parse::<u32>().unwrap() > 1).then_some(())
    });
    within("memory to be within its limit", || {
        (watcher.info("mem_clients_normal").parse::<usize>().unwrap() < (3 << 20) + (2 << 20)).then_some(())
    });
    small.send("lo\r\n");
    small.expect("$5\r\nhello\r\n");
}

#[test]
fn it_listens_on_several_addresses_of_both_families() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        skipped("this machine has no IPv6");
        return;
    }
    let daemon = Daemon::start(&["--bind", "127.0.0.1", "::1"]);
    for host in ["127.0.0.1", "::1"] {
        let stream = TcpStream::connect((host, daemon.address.port())).unwrap();
        let mut wire = Wire::new(stream);
        wire.send("CLIENT INFO\r\n");
        let text = String::from_utf8(wire.bulk()).unwrap();
        let shown = if host == "::1" { "addr=[::1]:" } else { "addr=127.0.0.1:" };
        assert!(text.contains(shown), "{text}");
    }
}

#[test]
fn a_list_of_addresses_ends_at_the_next_option() {
    if std::net::TcpListener::bind("127.0.0.2:0").is_err() {
        skipped("this machine has no second loopback address");
        return;
    }
    for options in [
        &["--bind", "127.0.0.1", "127.0.0.2", "--port", "0"][..],
        &["--bind", "127.0.0.1", "--bind", "127.0.0.2", "--port", "0"],
        &["--bind", "127.0.0.1", "--port", "0", "--bind", "127.0.0.2"],
        &["--bind", "127.0.0.1 127.0.0.2", "--port", "0"],
        &["--port=0", "--bind=127.0.0.1 127.0.0.2"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(options).stdout(Stdio::piped()).stderr(Stdio::null());
        let daemon = Daemon::spawn(command);
        for host in ["127.0.0.1", "127.0.0.2"] {
            let stream = TcpStream::connect((host, daemon.address.port())).unwrap();
            Wire::new(stream).ask("PING\r\n", "+PONG\r\n");
        }
    }
}

#[test]
fn it_cannot_start_says_why_in_one_line_and_exits_with_1() {
    let daemon = Daemon::start(&[]);
    let taken = daemon.port();
    for (options, why) in [
        (&["--port", &taken][..], "cannot listen on 127.0.0.1"),
        (&["--bind", "256.1.1.1"], "cannot resolve the bind address '256.1.1.1'"),
        (&["--maxclients", "none"], "--maxclients none: argument couldn't be parsed into an integer"),
        (&["--maxclients", "-1"], "--maxclients -1: argument must be between 1 and 4294967295 inclusive"),
        (&["--bind", "127.0.0.1", "--prot", "0"], "unexpected argument '--prot'"),
        (&["--bind", "--port", "0"], "a value is required for '--bind"),
        (&["--max-request-args", "3"], "--max-request-args 3: argument must be between 16 and 2147483647"),
        (
            &["--max-request-bytes", "1mb"],
            "proto-max-bulk-len (536870912) must not exceed max-request-bytes (1048576)",
        ),
        (&["--maxclient", "3"], "unexpected argument '--maxclient'"),
        (&["--logfile", "/no/such/directory/log"], "cannot open the log file"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).args(options).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.starts_with("tidegate: ") && err.contains(why) && err.lines().count() == 1, "{err}");
    }
}

#[test]
fn a_kill_ends_another_client_and_spares_the_killer() {
    let daemon = Daemon::start(&[]);
    let mut victim = daemon.connect();
    victim.ask("CLIENT ID\r\n", ":1\r\n");
    let mut killer = daemon.connect();
    killer.ask("CLIENT KILL ID 1\r\n", ":1\r\n");
    victim.expect_end();
    killer.ask("CLIENT KILL ID 1\r\n", ":0\r\n");
    killer.ask("CLIENT KILL TYPE normal\r\n", ":0\r\n");
    killer.ask("CLIENT KILL TYPE normal SKIPME no\r\n", ":1\r\n");
    killer.expect_end();
}

#[test]
fn a_silent_peer_is_probed_after_tcp_keepalive() {
    if !have("ss", "-V") {
        return;
    }
    for (option, expected) in [(&[][..], Some("timer:(keepalive,")), (&["--tcp-keepalive", "0"], None)] {
        let daemon = Daemon::start(option);
        let mut wire = daemon.connect();
        wire.ask("PING\r\n", "+PONG\r\n");
        let filter = format!("sport = :{}", daemon.port());
        let output = Command::new("ss").args(["-tnoH", "state", "established", &filter]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&daemon.port()), "{text}");
        assert_eq!(text.contains("keepalive"), expected.is_some(), "{text}");
        assert!(text.contains(expected.unwrap_or_default()), "{text}");
    }
}
