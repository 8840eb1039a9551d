//! Signals at every moment, and the end.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Daemon, Wire, request, within};
use crate::report::{Seen, Situation};
use crate::watched::{Watched, count};

pub const SITUATIONS: &[Situation] = &[
    Situation { name: "1,500 signals of five kinds", expects: "no visible effect", run: signal_storm },
    Situation { name: "SIGTERM and SIGINT while idle", expects: "exit 0", run: term_idle },
    Situation {
        name: "SIGTERM amid a half request",
        expects: "the complete one answered, the half one dropped, exit 0",
        run: term_amid_a_request,
    },
    Situation {
        name: "SIGTERM amid 100 MB of replies to a slow reader",
        expects: "all of them arrive, exit 0",
        run: term_amid_replies,
    },
    Situation {
        name: "SIGTERM amid 100,000 pipelined commands",
        expects: "all of them answered, exit 0",
        run: term_amid_a_pipeline,
    },
    Situation {
        name: "SIGTERM and a client that never leaves",
        expects: "newcomers refused at once, it is served up to the deadline, exit 0",
        run: term_and_a_stayer,
    },
    Situation {
        name: "SIGTERM and a client that never reads",
        expects: "cut off at the deadline, exit 3, said in the log",
        run: term_and_a_sleeper,
    },
    Situation { name: "SIGTERM twice", expects: "gone long before the deadline", run: term_twice },
    Situation {
        name: "SIGTERM amid a connect flood",
        expects: "those inside answered, exit 0",
        run: term_amid_a_flood,
    },
    Situation {
        name: "SIGTERM during start-up, 40 times",
        expects: "gone by the signal or with exit 0, never hung",
        run: term_at_start,
    },
    Situation {
        name: "SIGTERM just after the first line",
        expects: "exit 0 every time",
        run: term_just_started,
    },
];

fn signal_storm() -> Seen {
    let daemon = Watched::start(&["--timeout", "2", "--request-timeout", "2"]);
    let script = "for i in $(seq 300); do for s in HUP URG WINCH CHLD PIPE; do kill -s $s $0; done; done";
    let mut storm =
        Command::new("sh").args(["-c", script, &daemon.child.id().to_string()]).spawn().expect("sh runs");
    let mut wire = daemon.connect();
    let mut asked = 0;
    while storm.try_wait().expect("it can be waited for").is_none() {
        wire.send("*1\r\n$4\r\nPI");
        wire.ask("NG\r\n", "+PONG\r\n");
        asked += 1;
    }
    drop(wire);
    format!("{asked} requests served meanwhile, {}", daemon.is_unharmed(8)).into()
}

fn clean(end: (Option<i32>, String)) -> Seen {
    let (code, log) = end;
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopped: everything was delivered"), "{log}");
    "exit 0, everything delivered".to_owned().into()
}

fn term_idle() -> Seen {
    for signal in ["TERM", "INT"] {
        let daemon = Watched::start(&["--shutdown-timeout", "3600"]);
        daemon.signal(signal);
        clean(daemon.exit());
    }
    "exit 0 both times".to_owned().into()
}

fn term_amid_a_request() -> Seen {
    let daemon = Watched::start(&["--shutdown-timeout", "300ms"]);
    let mut wire = daemon.connect();
    wire.ask("PING\r\n", "+PONG\r\n");
    wire.send("PING\r\nSET half a");
    daemon.signal("TERM");
    wire.expect("+PONG\r\n");
    wire.expect_end();
    clean(daemon.exit())
}

fn term_amid_replies() -> Seen {
    const VALUE: usize = 4 << 20;
    let daemon = Watched::start(&["--shutdown-timeout", "20"]);
    let mut wire = daemon.connect();
    wire.ask(request(&[b"SET", b"big", &vec![b'v'; VALUE]]), "+OK\r\n");
    wire.send("GET big\r\n".repeat(25) + "ECHO last\r\n");
    assert_eq!(wire.bulk().len(), VALUE);
    daemon.signal("TERM");
    for nth in 1..25 {
        assert_eq!(wire.bulk().len(), VALUE, "reply {nth}");
    }
    wire.expect("$4\r\nlast\r\n");
    wire.half_close();
    wire.expect_end();
    clean(daemon.exit())
}

fn term_amid_a_pipeline() -> Seen {
    const COMMANDS: usize = 100_000;
    let daemon = Watched::start(&["--shutdown-timeout", "20"]);
    let mut wire = daemon.connect();
    let mut sender = wire.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || sender.write_all(&b"PING\r\n".repeat(COMMANDS)));
    wire.expect("+PONG\r\n");
    daemon.signal("TERM");
    wire.expect("+PONG\r\n".repeat(COMMANDS - 1));
    sending.join().unwrap().expect("all of it is taken");
    wire.half_close();
    wire.expect_end();
    clean(daemon.exit())
}

fn refused_at_once(daemon: &Watched) {
    within("newcomers to be refused", || {
        let refused = TcpStream::connect(daemon.address).err()?;
        (refused.kind() == ErrorKind::ConnectionRefused).then_some(())
    });
}

fn term_and_a_stayer() -> Seen {
    let daemon = Watched::start(&["--shutdown-timeout", "500ms"]);
    let mut wire = daemon.connect();
    wire.ask("PING\r\n", "+PONG\r\n");
    let since = Instant::now();
    daemon.signal("TERM");
    refused_at_once(&daemon);
    wire.ask("SET k v\r\nGET k\r\n", "+OK\r\n$1\r\nv\r\n");
    wire.expect_end();
    let lasted = since.elapsed();
    assert!(lasted >= Duration::from_millis(500), "closed after {lasted:?}");
    clean(daemon.exit());
    format!("its end after {} ms, exit 0", lasted.as_millis()).into()
}

fn term_and_a_sleeper() -> Seen {
    let daemon = Watched::start(&["--shutdown-timeout", "300ms"]);
    let (mut wire, mut judge) = (daemon.connect(), daemon.connect());
    judge.ask(request(&[b"SET", b"big", &vec![b'v'; 8 << 20]]), "+OK\r\n");
    wire.send(b"GET big\r\n".repeat(8));
    within("its replies to be waiting", || (count(&mut judge, "turns_paused") > 0).then_some(()));
    drop(judge);
    daemon.signal("TERM");
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("cut off (forced)") && log.contains("stopped: 1 clients were cut off"), "{log}");
    "exit 3, `stopped: 1 clients were cut off`".to_owned().into()
}

fn term_twice() -> Seen {
    let daemon = Watched::start(&["--shutdown-timeout", "3600"]);
    let mut wire = daemon.connect();
    wire.ask("PING\r\n", "+PONG\r\n");
    daemon.signal("TERM");
    within("the drain to begin", || (wire.info("draining") == "1").then_some(()));
    daemon.signal("TERM");
    wire.expect_end();
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopping now"), "{log}");
    "exit 0 at once".to_owned().into()
}

fn term_amid_a_flood() -> Seen {
    let daemon = Watched::start(&["--shutdown-timeout", "20"]);
    let mut inside = daemon.connect();
    inside.ask("PING\r\n", "+PONG\r\n");
    let served = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut served = 0;
            // Connections that the kernel had accepted and the server had not get a reset. Later ones are refused.
            while let Ok(stream) = TcpStream::connect(daemon.address) {
                let mut wire = Wire::new(stream);
                let mut reply = [0; 7];
                if wire
                    .stream
                    .write_all(b"PING\r\n")
                    .and_then(|()| wire.stream.read_exact(&mut reply))
                    .is_ok()
                {
                    assert_eq!(&reply, b"+PONG\r\n");
                    served += 1;
                }
            }
            served
        });
        within("the flood to be under way", || {
            (count(&mut inside, "total_connections_received") > 200).then_some(())
        });
        daemon.signal("TERM");
        let served = flood.join().expect("the flood ends");
        inside.ask("PING\r\n", "+PONG\r\n");
        served
    });
    drop(inside);
    clean(daemon.exit());
    format!("{served} of the flood served before it was refused, exit 0").into()
}

fn term_at_start() -> Seen {
    // A shell counts a little further each time, then sends the signal to what it has just started.
    let script =
        r#""$0" --port 0 & i=0; while [ $i -lt $1 ]; do i=$((i + 1)); done; kill -s TERM $!; wait $!"#;
    let (mut by_signal, mut by_exit) = (0, 0);
    for round in 0..40 {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_tidegate"), &(round * 500).to_string()]);
        let mut child = shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh runs");
        let status = within("it to be gone", || child.try_wait().expect("it can be waited for"));
        match status.code() {
            Some(0) => by_exit += 1,
            // 128 and the number of SIGTERM: it had not come to catch signals yet.
            Some(143) => by_signal += 1,
            other => panic!("ended as {other:?}"),
        }
    }
    format!("{by_signal} ended by the signal, {by_exit} with exit 0").into()
}

fn term_just_started() -> Seen {
    for _ in 0..20 {
        let daemon = Daemon::start(&[]);
        daemon.signal("TERM");
        clean(daemon.exit());
    }
    "exit 0, 20 times".to_owned().into()
}
