//! Clients that go in every way there is, and bytes that come in every way there is.

use std::io::{Read, Write};

use crate::harness::{Wire, request, within};
use crate::report::{Seen, Situation};
use crate::watched::{KEPT_MIB, Watched, count, reset};

pub const SITUATIONS: &[Situation] = &[
    Situation {
        name: "half-close with 32 MB of replies waiting",
        expects: "all of them delivered to a reader that only then begins",
        run: half_close_with_replies,
    },
    Situation { name: "reset before a byte was sent", expects: "200 connections freed", run: || resets("") },
    Situation {
        name: "reset amid a request",
        expects: "200 connections freed",
        run: || resets("*2\r\n$4\r\nECHO\r\n$100\r\nabc"),
    },
    Situation {
        name: "reset with requests on their way",
        expects: "200 connections freed",
        run: || resets(&"PING\r\n".repeat(1_000)),
    },
    Situation {
        name: "reset in mid-reply",
        expects: "50 connections and their replies freed, the 51st reads on",
        run: reset_in_mid_reply,
    },
    Situation {
        name: "reset before it was accepted",
        expects: "100 such connections passed over, the one between them served",
        run: reset_before_accept,
    },
    Situation { name: "close with replies unread", expects: "200 connections freed", run: close_unread },
    Situation { name: "one byte a write", expects: "the same replies", run: byte_by_byte },
    Situation {
        name: "a request split at every byte",
        expects: "the same replies for every split",
        run: split_everywhere,
    },
    Situation { name: "urgent data", expects: "the stream intact without it, no spin", run: urgent },
    Situation {
        name: "3,000 connections that come, ask and go",
        expects: "each served, nothing left",
        run: churn,
    },
    Situation {
        name: "64 KB of random bytes, 40 seeds",
        expects: "a close or an error a line; others served",
        run: garbage,
    },
    Situation {
        name: "RESP3 switched on and off in a pipeline",
        expects: "each reply in the protocol of its moment",
        run: protocol_switching,
    },
    Situation {
        name: "a client that goes on sending after its end",
        expects: "its input discarded for a while, then a reset; nothing held",
        run: sends_on,
    },
    Situation {
        name: "50 clients that never close after QUIT",
        expects: "their descriptors free all the same",
        run: never_closes,
    },
];

fn half_close_with_replies() -> Seen {
    const VALUE: usize = 1 << 20;
    let daemon = Watched::start(&[]);
    let mut wire = daemon.connect();
    wire.ask(request(&[b"SET", b"big", &vec![b'v'; VALUE]]), "+OK\r\n");
    wire.send(b"GET big\r\n".repeat(32));
    wire.send("ECHO last\r\nSET half a requ");
    wire.half_close();
    let mut polite = daemon.connect();
    within("the replies to be waiting", || (count(&mut polite, "turns_paused") > 0).then_some(()));
    for nth in 0..32 {
        assert_eq!(wire.bulk().len(), VALUE, "reply {nth}");
    }
    wire.expect("$4\r\nlast\r\n");
    wire.expect_end();
    polite.ask("FLUSHALL\r\n", "+OK\r\n");
    drop((wire, polite));
    format!("33 of 33 replies, {}", daemon.is_unharmed(KEPT_MIB)).into()
}

fn resets(sends: &str) -> Seen {
    let daemon = Watched::start(&[]);
    for _ in 0..200 {
        let mut wire = daemon.connect();
        wire.send(sends);
        reset(wire);
    }
    daemon.serves();
    let mut judge = daemon.connect();
    within("all to have been accepted", || {
        (count(&mut judge, "total_connections_received") >= 203).then_some(())
    });
    drop(judge);
    daemon.is_unharmed(8).into()
}

fn reset_in_mid_reply() -> Seen {
    let daemon = Watched::start(&[]);
    let mut polite = daemon.connect();
    let value = vec![b'v'; 4 << 20];
    polite.ask(request(&[b"SET", b"big", &value]), "+OK\r\n");
    for _ in 0..50 {
        let mut wire = daemon.connect();
        wire.send("GET big\r\nGET big\r\nGET big\r\n");
        let mut head = [0; 4096];
        wire.stream.read_exact(&mut head).unwrap();
        reset(wire);
    }
    polite.send("GET big\r\n");
    assert!(polite.bulk() == value, "a reset has changed somebody else's reply");
    polite.ask("FLUSHALL\r\n", "+OK\r\n");
    drop(polite);
    daemon.is_unharmed(KEPT_MIB).into()
}

fn reset_before_accept() -> Seen {
    let daemon = Watched::start(&["--enable-debug-command", "yes"]);
    let mut sleeper = daemon.connect();
    sleeper.ask("PING\r\n", "+PONG\r\n");
    // While the daemon sleeps, it accepts no connection.
    sleeper.send("DEBUG SLEEP 0.3\r\n");
    let mut between = None;
    for nth in 0..100 {
        let mut wire = daemon.connect();
        if nth % 2 == 0 {
            wire.send("SET never seen\r\n");
        }
        reset(wire);
        if nth == 50 {
            between = Some(daemon.connect());
        }
    }
    between.as_mut().unwrap().ask("PING\r\n", "+PONG\r\n");
    sleeper.expect("+OK\r\n");
    drop((sleeper, between));
    daemon.is_unharmed(8).into()
}

fn close_unread() -> Seen {
    let daemon = Watched::start(&[]);
    daemon.connect().ask(request(&[b"SET", b"k", &[b'v'; 10_000]]), "+OK\r\n");
    for _ in 0..200 {
        // Unread bytes in the client's socket at its close make the kernel send a reset.
        daemon.connect().send("GET k\r\n".repeat(100));
    }
    daemon.serves();
    daemon.is_unharmed(KEPT_MIB).into()
}

fn stream_of_requests() -> (Vec<u8>, &'static str) {
    let all = [
        request(&[b"SET", b"k", b"a\r\nb"]),
        b"GET k\r\n".to_vec(),
        request(&[b"ECHO", b""]),
        b"*0\r\n\r\n".to_vec(),
    ];
    (all.concat(), "+OK\r\n$4\r\na\r\nb\r\n$0\r\n\r\n")
}

fn byte_by_byte() -> Seen {
    let daemon = Watched::start(&[]);
    let (stream, replies) = stream_of_requests();
    let mut wire = daemon.connect();
    for _ in 0..100 {
        for byte in &stream {
            wire.send([*byte]);
        }
        wire.expect(replies);
    }
    drop(wire);
    format!("{} writes, {}", 100 * stream.len(), daemon.is_unharmed(8)).into()
}

fn split_everywhere() -> Seen {
    let daemon = Watched::start(&[]);
    let (stream, replies) = stream_of_requests();
    let (mut wire, mut bystander) = (daemon.connect(), daemon.connect());
    for at in 0..=stream.len() {
        wire.send(&stream[..at]);
        // The server has heard the first part by the time it answers another client.
        bystander.ask("PING\r\n", "+PONG\r\n");
        wire.send(&stream[at..]);
        wire.expect(replies);
    }
    drop((wire, bystander));
    format!("{} splits, {}", stream.len() + 1, daemon.is_unharmed(8)).into()
}

fn urgent() -> Seen {
    let daemon = Watched::start(&[]);
    let mut wire = daemon.connect();
    for _ in 0..200 {
        wire.send("ECHO one\r\n*2\r\n$4\r\nECHO\r\n$3\r\nt");
        socket2::SockRef::from(&wire.stream).send_out_of_band(b"!").unwrap();
        wire.ask("wo\r\n", "$3\r\none\r\n$3\r\ntwo\r\n");
    }
    drop(wire);
    format!("200 urgent bytes ignored, {}", daemon.is_unharmed(8)).into()
}

fn churn() -> Seen {
    let daemon = Watched::start(&[]);
    for _ in 0..3_000 {
        daemon.serves();
    }
    daemon.is_unharmed(8).into()
}

/// The same for the same seed: splitmix64.
fn random_bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn garbage() -> Seen {
    let daemon = Watched::start(&[]);
    let mut most = 0;
    for seed in 0..40 {
        let mut wire = daemon.connect();
        let bytes = random_bytes(seed, 64 << 10);
        wire.send(&bytes);
        wire.half_close();
        let heard = wire.rest();
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        assert!(
            heard.split(|byte| *byte == b'\n').count() <= lines + 2,
            "seed {seed}: more replies than lines"
        );
        assert!(heard.is_empty() || heard.starts_with(b"-ERR "), "seed {seed}: {}", heard.escape_ascii());
        most = most.max(heard.len());
        daemon.serves();
    }
    format!("at most {most} bytes of errors, {}", daemon.is_unharmed(8)).into()
}

fn protocol_switching() -> Seen {
    let daemon = Watched::start(&[]);
    let mut wire = daemon.connect();
    wire.send("CLIENT ID\r\n");
    let id = wire.line();
    let fields = |proto: u8, head: &str| {
        format!(
            "{head}\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.0\r\n$5\r\nproto\r\n:{proto}\r\n$2\r\nid\r\n{id}\r\n\
             $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
        )
    };
    let round =
        ["HELLO 3", "GET none", "HELLO 9", "GET none", "HELLO 2", "GET none", "HELLO 3", "RESET", "GET none"];
    let replies = [
        &fields(3, "%7"),
        "_\r\n-NOPROTO unsupported protocol version\r\n_\r\n",
        &fields(2, "*14"),
        "$-1\r\n",
        &fields(3, "%7"),
        "+RESET\r\n$-1\r\n",
    ];
    wire.send((round.join("\r\n") + "\r\n").repeat(100));
    wire.expect(replies.concat().repeat(100));
    // Only the client that asked has switched.
    let mut other: Wire = daemon.connect();
    wire.send("HELLO 3\r\n");
    wire.expect(fields(3, "%7"));
    other.ask("GET none\r\n", "$-1\r\n");
    drop((wire, other));
    format!("300 switches, {}", daemon.is_unharmed(8)).into()
}

fn sends_on() -> Seen {
    let daemon = Watched::start(&[]);
    let (mut wire, mut polite) = (daemon.connect(), daemon.connect());
    wire.send("*x\r\n");
    wire.expect("-ERR Protocol error: invalid multibulk length\r\n");
    wire.expect_end();
    let (piece, mut sent) = (vec![b'x'; 1 << 16], 0);
    within("the end of that too", || {
        polite.ask("PING\r\n", "+PONG\r\n");
        match wire.stream.write(&piece) {
            Ok(count) => {
                sent += count;
                None
            }
            Err(_) => Some(()),
        }
    });
    drop((wire, polite));
    format!("{} MiB more sent, {}", sent >> 20, daemon.is_unharmed(8)).into()
}

fn never_closes() -> Seen {
    let daemon = Watched::start(&[]);
    let mut crowd: Vec<Wire> = (0..50).map(|_| daemon.connect()).collect();
    for wire in &mut crowd {
        wire.ask("QUIT\r\n", "+OK\r\n");
        wire.expect_end();
    }
    let unharmed = daemon.is_unharmed(8);
    drop(crowd);
    unharmed.into()
}
