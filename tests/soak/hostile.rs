//! Hostile clients. Each lives for a moment, and new ones come again and again.

use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use socket2::SockRef;

use crate::harness::Wire;
use crate::{BIG_BYTES, BIG_KEY, Round};

type Act = fn(&Round, &mut StdRng);

const ACTS: [Act; 12] = [
    garbage,
    comes_and_goes,
    leaves_a_half_request,
    resets_in_mid_reply,
    asks_for_much_and_reads_nothing,
    half_closes_behind_a_pipeline,
    breaks_the_framing,
    speaks_http,
    never_ends_its_line,
    makes_a_command_panic,
    quits_in_mid_pipeline,
    announces_a_lot,
];

pub fn run(round: &Round, mut rng: StdRng, _: usize) {
    while round.goes_on() {
        let act = ACTS[rng.random_range(0..ACTS.len())];
        act(round, &mut rng);
        round.hostile.fetch_add(1, Ordering::Relaxed);
    }
}

/// A crowd of slow clients. Each sends a byte now and then, of a request that never ends. A client that the daemon
/// closes comes back.
pub fn trickle(round: &Round, _: StdRng, size: usize) {
    let mut crowd: Vec<Wire> = Vec::new();
    while round.goes_on() {
        if crowd.len() < size {
            let mut wire = round.connect();
            wire.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\n");
            crowd.push(wire);
        }
        crowd.retain_mut(|wire| wire.stream.write_all(b"x").is_ok());
        round.hostile.fetch_add(1, Ordering::Relaxed);
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn garbage(round: &Round, rng: &mut StdRng) {
    let mut wire = round.connect();
    let bytes: Vec<u8> = (0..rng.random_range(1..5_000)).map(|_| rng.random()).collect();
    let _ = wire.stream.write_all(&bytes);
    // The daemon answers with an error or closes. It must not hang.
    wire.half_close();
    let _ = wire.stream.read_to_end(&mut Vec::new()).map_err(refuse_to_wait);
}

/// A reset is allowed. To wait for ever is not.
fn refuse_to_wait(error: std::io::Error) {
    assert!(!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "it hangs");
}

fn comes_and_goes(round: &Round, _: &mut StdRng) {
    let wires: Vec<Wire> = (0..20).map(|_| round.connect()).collect();
    drop(wires);
}

fn leaves_a_half_request(round: &Round, rng: &mut StdRng) {
    let whole = b"*3\r\n$3\r\nSET\r\n$4\r\nnone\r\n$5\r\nvalue\r\n";
    round.connect().send(&whole[..rng.random_range(1..whole.len())]);
}

fn resets_in_mid_reply(round: &Round, _: &mut StdRng) {
    let mut wire = round.connect();
    wire.send(format!("GET {BIG_KEY}\r\n").repeat(20));
    let mut some = [0; 1000];
    wire.stream.read_exact(&mut some).expect("the first reply begins");
    SockRef::from(&wire.stream).set_linger(Some(Duration::ZERO)).expect("a reset instead of an end");
}

fn asks_for_much_and_reads_nothing(round: &Round, _: &mut StdRng) {
    let mut wire = round.connect();
    wire.send(format!("GET {BIG_KEY}\r\n").repeat(200));
    // Long enough that the server has met a full socket.
    std::thread::park_timeout(Duration::from_millis(20));
}

fn half_closes_behind_a_pipeline(round: &Round, _: &mut StdRng) {
    let mut wire = round.connect();
    wire.send(format!("GET {BIG_KEY}\r\n").repeat(10));
    wire.half_close();
    for _ in 0..10 {
        assert_eq!(wire.bulk().len(), BIG_BYTES);
    }
    wire.expect_end();
}

fn breaks_the_framing(round: &Round, rng: &mut StdRng) {
    let (request, error) = [
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*99999999999\r\n", "invalid multibulk length"),
        ("*1\r\n+x\r\n", "expected '$', got '+'"),
        ("*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        ("'unbalanced\r\n", "unbalanced quotes in request"),
    ][rng.random_range(0..5)];
    let mut wire = round.connect();
    wire.send(format!("PING\r\n{request}PING\r\n"));
    wire.expect(format!("+PONG\r\n-ERR Protocol error: {error}\r\n"));
    wire.expect_end();
}

fn speaks_http(round: &Round, _: &mut StdRng) {
    let mut wire = round.connect();
    wire.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nFLUSHALL\r\n");
    wire.expect_end();
}

fn never_ends_its_line(round: &Round, _: &mut StdRng) {
    let mut wire = round.connect();
    wire.send([b'x'; 5_000]);
    wire.expect("-ERR Protocol error: too big inline request\r\n");
    wire.expect_end();
}

fn makes_a_command_panic(round: &Round, _: &mut StdRng) {
    let mut wire = round.connect();
    wire.send("PING\r\nDEBUG PANIC\r\nPING\r\n");
    wire.expect("+PONG\r\n-ERR internal error\r\n");
    wire.expect_end();
}

fn quits_in_mid_pipeline(round: &Round, _: &mut StdRng) {
    let mut wire = round.connect();
    wire.send(format!("PING\r\nQUIT\r\nDEL {BIG_KEY}\r\n"));
    wire.expect("+PONG\r\n+OK\r\n");
    wire.expect_end();
}

fn announces_a_lot(round: &Round, _: &mut StdRng) {
    let wires: Vec<Wire> = (0..10)
        .map(|_| {
            let mut wire = round.connect();
            wire.send("*1000000\r\n$400000000\r\nx");
            wire
        })
        .collect();
    drop(wires);
}
