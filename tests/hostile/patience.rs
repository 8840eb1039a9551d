//! Clients that take their time: to ask, to read, to leave.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::harness::{Wire, have_descriptors, request, within};
use crate::report::{Seen, Situation};
use crate::watched::{KEPT_MIB, Watched, count, pass};

pub const SITUATIONS: &[Situation] = &[
    Situation { name: "slow loris on a count", expects: TIMED_OUT, run: || loris(b"*", b"1000000") },
    Situation { name: "slow loris on a length", expects: TIMED_OUT, run: || loris(b"*2\r\n$", b"40000000") },
    Situation {
        name: "slow loris on an argument",
        expects: TIMED_OUT,
        run: || loris(b"*2\r\n$4\r\nECHO\r\n$5000\r\n", &[b'x'; 4_000]),
    },
    Situation {
        name: "slow loris on ever more arguments",
        expects: TIMED_OUT,
        run: || loris(b"*1000000\r\n", &b"$1\r\nx\r\n".repeat(500)),
    },
    Situation {
        name: "slow loris on an inline line",
        expects: TIMED_OUT,
        run: || loris(b"ECHO ", &[b'x'; 4_000]),
    },
    Situation {
        name: "slow loris on an argument that is skipped",
        expects: TIMED_OUT,
        run: || loris(b"*2\r\n$4\r\nECHO\r\n$9000\r\n", &[b'x'; 8_000]),
    },
    Situation {
        name: "slow loris behind complete requests",
        expects: TIMED_OUT,
        run: || loris(b"PING\r\nPING\r\n*1\r\n$4\r\nPI", b""),
    },
    Situation {
        name: "300 of them at once",
        expects: "a polite client answered after each of their bytes; all closed at request-timeout, told why",
        run: crowd_of_loris,
    },
    Situation {
        name: "one-byte writes that do complete requests",
        expects: "served past request-timeout, which is for each request",
        run: steady_drip,
    },
    Situation {
        name: "a client that says nothing at all",
        expects: "a plain close, not before `timeout`; one that talks stays",
        run: silent,
    },
    Situation {
        name: "a client that asks for 256 MB and reads nothing",
        expects: "under 8 MiB held for it; closed at write-timeout, not before; others served",
        run: never_reads,
    },
    Situation {
        name: "20 such clients, reset by themselves",
        expects: "under 1 MiB of output and a value each; all free at once",
        run: many_never_read,
    },
    Situation { name: "64 MB in and out through a tiny window", expects: "the same bytes", run: tiny_window },
    Situation {
        name: "the server stopped across every deadline",
        expects: "clients that have sent meanwhile are served, newcomers too; the silent one is closed",
        run: stopped,
    },
    Situation {
        name: "the server stopped amid replies, past write-timeout",
        expects: "clients that have taken some meanwhile get all the rest",
        run: stopped_amid_replies,
    },
    Situation {
        name: "2,500 clients that send while it is stopped",
        expects: "each served, none closed as idle",
        run: crowd_while_stopped,
    },
];

const TIMED_OUT: &str =
    "-ERR request not completed within request-timeout, not before it, others served meanwhile";
const TEXT: &[u8] = b"-ERR request not completed within request-timeout\r\n";
const TIMEOUT: Duration = Duration::from_millis(300);

/// Sends `start`, then `drip` byte by byte, with the request of a polite client after each byte, until the end of the
/// stream.
fn loris(start: &[u8], drip: &[u8]) -> Seen {
    let limits = ["--max-key-bytes", "8000", "--proto-max-bulk-len", "8000"];
    let daemon = Watched::start(&[&["--request-timeout", "300ms"][..], &limits].concat());
    let (mut loris, mut polite) = (daemon.connect(), daemon.connect());
    let since = Instant::now();
    loris.send(start);
    loris.stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    let (mut drip, mut heard, mut asked) = (drip.iter(), Vec::new(), 0);
    within("the end of it", || {
        if let Some(byte) = drip.next() {
            let _ = loris.stream.write(&[*byte]);
        }
        polite.ask("PING\r\n", "+PONG\r\n");
        asked += 1;
        ended(&mut loris, &mut heard)
    });
    let lasted = since.elapsed();
    let pongs = start.windows(4).filter(|word| word == b"PING").count();
    let expected = [&b"+PONG\r\n".repeat(pongs), TEXT].concat();
    assert_eq!(heard.escape_ascii().to_string(), expected.escape_ascii().to_string());
    assert!(lasted >= TIMEOUT, "closed after {lasted:?}");
    drop((loris, polite));
    format!("its end after {} ms, {asked} polite requests, {}", lasted.as_millis(), daemon.is_unharmed(8))
        .into()
}

/// Reads the bytes that are there. `Some` at the end of the stream.
fn ended(wire: &mut Wire, heard: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 256];
    match wire.stream.read(&mut piece) {
        Ok(0) => Some(()),
        Ok(count) => {
            heard.extend(&piece[..count]);
            None
        }
        Err(_) => None,
    }
}

fn crowd_of_loris() -> Seen {
    const ROUNDS: usize = 20;
    let daemon = Watched::start(&["--request-timeout", "1s"]);
    let mut polite = daemon.connect();
    let mut crowd: Vec<Wire> = (0..300).map(|_| daemon.connect()).collect();
    for _ in 0..ROUNDS {
        for wire in &mut crowd {
            let _ = wire.stream.write(b"x");
        }
        polite.ask("PING\r\n", "+PONG\r\n");
    }
    for wire in &mut crowd {
        wire.expect(TEXT);
        wire.expect_end();
    }
    drop(crowd);
    within("the closes to be counted", || (polite.info("closed_request_timeout") == "300").then_some(()));
    drop(polite);
    format!("{ROUNDS} polite requests, 300 closed, {}", daemon.is_unharmed(8)).into()
}

fn steady_drip() -> Seen {
    let daemon = Watched::start(&["--request-timeout", "300ms"]);
    let mut wire = daemon.connect();
    let (since, mut served) = (Instant::now(), 0);
    while since.elapsed() < 2 * TIMEOUT {
        for byte in b"*1\r\n$4\r\nPING\r\n" {
            wire.send([*byte]);
        }
        wire.expect("+PONG\r\n");
        served += 1;
    }
    drop(wire);
    format!("{served} requests in twice the timeout, {}", daemon.is_unharmed(8)).into()
}

fn silent() -> Seen {
    let daemon = Watched::start(&["--timeout", "300ms"]);
    let since = Instant::now();
    let (mut silent, mut talking) = (daemon.connect(), daemon.connect());
    silent.stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    let mut heard = Vec::new();
    within("the silent one's end", || {
        talking.ask("PING\r\n", "+PONG\r\n");
        ended(&mut silent, &mut heard)
    });
    let lasted = since.elapsed();
    assert!(heard.is_empty() && lasted >= TIMEOUT, "{} after {lasted:?}", heard.escape_ascii());
    talking.ask("PING\r\n", "+PONG\r\n");
    drop((silent, talking));
    format!("its end after {} ms, {}", lasted.as_millis(), daemon.is_unharmed(8)).into()
}

fn never_reads() -> Seen {
    let daemon = Watched::start(&["--write-timeout", "300ms"]);
    let mut polite = daemon.connect();
    polite.ask(request(&[b"SET", b"big", &vec![b'v'; 1 << 20]]), "+OK\r\n");
    let mut lazy = daemon.connect();
    let since = Instant::now();
    lazy.send(b"GET big\r\n".repeat(256));
    let mut most = 0;
    within("the write deadline", || {
        most = most.max(count(&mut polite, "mem_clients_normal"));
        (polite.info("closed_slow_consumer") == "1").then_some(())
    });
    let lasted = since.elapsed();
    assert!(most < 8 << 20, "{most} bytes held for it");
    assert!(lasted >= TIMEOUT, "closed after {lasted:?}");
    polite.ask("FLUSHALL\r\n", "+OK\r\n");
    drop((lazy, polite));
    format!("{most} bytes held, its end after {} ms, {}", lasted.as_millis(), daemon.is_unharmed(KEPT_MIB))
        .into()
}

fn many_never_read() -> Seen {
    const VALUE: u64 = 1 << 20;
    let daemon = Watched::start(&[]);
    let mut polite = daemon.connect();
    polite.ask(request(&[b"SET", b"big", &vec![b'v'; VALUE as usize]]), "+OK\r\n");
    let before = count(&mut polite, "mem_clients_normal");
    let mut crowd: Vec<Wire> = (0..20).map(|_| daemon.connect()).collect();
    for wire in &mut crowd {
        wire.send(b"GET big\r\n".repeat(256));
    }
    within("all to be paused", || (count(&mut polite, "turns_paused") >= 20).then_some(()));
    let held = count(&mut polite, "mem_clients_normal");
    // An output buffer at its mark may take one value more, and doubles as it grows.
    assert!(held < 20 * 2 * (1 + 1) * VALUE + VALUE, "{held} bytes held for 20");
    crowd.into_iter().for_each(crate::watched::reset);
    within("all that they held to be free", || {
        (count(&mut polite, "mem_clients_normal") < before + VALUE / 2).then_some(())
    });
    polite.ask("FLUSHALL\r\n", "+OK\r\n");
    drop(polite);
    format!("{held} bytes held for 20, {}", daemon.is_unharmed(KEPT_MIB)).into()
}

fn tiny_window() -> Seen {
    let daemon = Watched::start(&[]);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.connect(&daemon.address.into()).unwrap();
    let mut wire = Wire::new(socket.into());
    let value: Vec<u8> = (0..64_u32 << 20).map(|n| (n % 251) as u8).collect();
    wire.ask(request(&[b"SET", b"big", &value]), "+OK\r\n");
    wire.send("GET big\r\n");
    assert!(wire.bulk() == value, "the value came back changed");
    wire.ask("FLUSHALL\r\n", "+OK\r\n");
    drop(wire);
    format!("64 MiB both ways, {}", daemon.is_unharmed(KEPT_MIB)).into()
}

/// Requests that have arrived count, whatever the clock says.
fn stopped() -> Seen {
    let daemon =
        Watched::start(&["--timeout", "300ms", "--request-timeout", "300ms", "--write-timeout", "300ms"]);
    let (mut talking, mut half, mut silent) = (daemon.connect(), daemon.connect(), daemon.connect());
    for wire in [&mut talking, &mut half, &mut silent] {
        wire.ask("PING\r\n", "+PONG\r\n");
    }
    half.send("*2\r\n$4\r\nECHO\r\n$5\r\nhe");
    daemon.serves();
    let mut newcomers = Vec::new();
    let lasted = stop_for(&daemon, 2 * TIMEOUT, || {
        talking.send("PING\r\n");
        half.send("llo\r\n");
        newcomers.extend((0..50).map(|_| daemon.connect()));
        newcomers.iter_mut().for_each(|wire| wire.send("PING\r\n"));
    });
    talking.expect("+PONG\r\n");
    half.expect("$5\r\nhello\r\n");
    for wire in &mut newcomers {
        wire.expect("+PONG\r\n");
    }
    silent.expect_end();
    drop((talking, half, silent, newcomers));
    format!("52 served after {} ms, 1 closed, {}", lasted.as_millis(), daemon.is_unharmed(8)).into()
}

/// More clients than the kernel reports in one call.
fn crowd_while_stopped() -> Seen {
    const CROWD: usize = 2_500;
    if !have_descriptors(CROWD as u64 + 500) {
        return Seen::Skipped("too few descriptors are allowed".to_owned());
    }
    let daemon = Watched::start(&["--timeout", "1s"]);
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        // One by one, or the backlog overflows, and a SYN that was dropped comes again too late.
        let mut wire = daemon.connect();
        wire.ask("PING\r\n", "+PONG\r\n");
        crowd.push(wire);
    }
    let lasted = stop_for(&daemon, Duration::from_millis(1_200), || {
        crowd.iter_mut().for_each(|wire| wire.send("PING\r\n"));
    });
    for wire in &mut crowd {
        wire.expect("+PONG\r\n");
    }
    drop(crowd);
    format!("{CROWD} served after {} ms, {}", lasted.as_millis(), daemon.is_unharmed(8)).into()
}

fn stopped_amid_replies() -> Seen {
    const VALUE: usize = 8 << 20;
    let daemon = Watched::start(&["--write-timeout", "1s"]);
    let mut wire = daemon.connect();
    wire.ask(request(&[b"SET", b"big", &vec![b'v'; VALUE]]), "+OK\r\n");
    wire.send("GET big\r\nGET big\r\n");
    assert_eq!(wire.line(), format!("${VALUE}"));
    let (mut taken, mut piece) = (0, vec![0; 1 << 16]);
    stop_for(&daemon, Duration::from_millis(1_200), || {
        wire.stream.set_nonblocking(true).unwrap();
        while let Ok(count) = wire.stream.read(&mut piece) {
            taken += count;
        }
        wire.stream.set_nonblocking(false).unwrap();
    });
    wire.half_close();
    let rest = wire.rest().len();
    assert_eq!(taken + rest, VALUE + 2 + format!("${VALUE}\r\n").len() + VALUE + 2);
    daemon.connect().ask("FLUSHALL\r\n", "+OK\r\n");
    drop(wire);
    format!("{taken} bytes taken meanwhile, {rest} after, {}", daemon.is_unharmed(KEPT_MIB)).into()
}

fn stop_for(daemon: &Watched, time: Duration, meanwhile: impl FnOnce()) -> Duration {
    let since = Instant::now();
    daemon.signal("STOP");
    within("it to stop", || (daemon.state().is_none_or(|state| state == 'T')).then_some(()));
    meanwhile();
    pass(since, time);
    daemon.signal("CONT");
    since.elapsed()
}
