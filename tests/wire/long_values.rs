//! Long values: they are read straight into their place, and must be right however they arrive.

use crate::harness::{Daemon, Wire, request};

/// Bytes that look different everywhere.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Sends `bytes` in pieces of odd lengths. The daemon has served others after each piece.
fn send_in_pieces(wire: &mut Wire, judge: &mut Wire, mut bytes: &[u8], pieces: usize) {
    let most = bytes.len() / pieces;
    for nth in 0_usize.. {
        let len = [1, most, most / 2 + 7, 3, most * 2 + 1][nth % 5].clamp(1, bytes.len());
        let (piece, rest) = bytes.split_at(len);
        wire.send(piece);
        if rest.is_empty() {
            return;
        }
        judge.ask("PING\r\n", "+PONG\r\n");
        bytes = rest;
    }
}

fn usage(wire: &mut Wire, key: &str) -> usize {
    wire.send(format!("MEMORY USAGE {key}\r\n"));
    wire.line()[1..].parse().expect("a number of bytes")
}

fn expect_value(wire: &mut Wire, key: &str, value: &[u8]) {
    wire.send(format!("GET {key}\r\n"));
    assert!(wire.bulk() == value, "another value of {} bytes is there", value.len());
}

#[test]
fn a_long_value_is_right_however_it_arrives_and_whatever_stands_around_it() {
    let daemon = Daemon::start(&[]);
    let (mut wire, mut judge) = (daemon.connect(), daemon.connect());
    for (nth, len) in [64 << 10, 64 << 10, 100_000, 1 << 20, 10 << 20].into_iter().enumerate() {
        for pieces in [1, 4, 11] {
            let value = noise(len, (nth * 100 + pieces) as u32);
            let mut stream = request(&[b"SET", b"before", &value[..10]]);
            stream.extend(request(&[b"SET", b"long", &value]));
            stream.extend(b"STRLEN long\r\n");
            stream.extend(request(&[b"SET", b"after", &value[len - 700..]]));
            send_in_pieces(&mut wire, &mut judge, &stream, pieces);
            wire.expect(format!("+OK\r\n+OK\r\n:{len}\r\n+OK\r\n"));
            expect_value(&mut wire, "long", &value);
            expect_value(&mut wire, "before", &value[..10]);
            expect_value(&mut wire, "after", &value[len - 700..]);
        }
    }
}

#[test]
fn a_long_value_keeps_the_buffer_in_which_it_has_arrived_and_nothing_is_wasted() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    for len in [64 << 10, 100_000, 1 << 20, 10 << 20] {
        let value = noise(len, 7);
        for command in [&[&b"SET"[..], b"k"][..], &[b"PSETEX", b"k", b"1000000"], &[b"SETEX", b"k", b"1000"]]
        {
            wire.ask(request(&[command, &[&value]].concat()), "+OK\r\n");
            // A copy would have no room behind the value.
            let more = usage(&mut wire, "k") - len;
            assert!(more > 1_500 && more <= len / 8, "{more} bytes more than the {len} of the value");
        }
        wire.ask("DEL k\r\n", ":1\r\n");
        wire.ask(request(&[b"SETNX", b"k", &value]), ":1\r\n");
        assert!(usage(&mut wire, "k") > len + 1_500);
        // What changes the value gives it memory that can be changed.
        wire.ask("APPEND k \"\"\r\n", format!(":{len}\r\n"));
        assert!(usage(&mut wire, "k") < len + 200);
        expect_value(&mut wire, "k", &value);
    }
}

#[test]
fn a_long_value_changes_as_any_other_does() {
    const LEN: usize = 64 << 10;
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let mut value = noise(LEN, 3);
    let set = request(&[b"SET", b"k", &value]);
    wire.ask(&set, "+OK\r\n");
    wire.ask(
        "COPY k copy\r\nRENAME k another\r\nAPPEND another end\r\n",
        format!(":1\r\n+OK\r\n:{}\r\n", LEN + 3),
    );
    expect_value(&mut wire, "copy", &value);
    expect_value(&mut wire, "another", &[&value[..], b"end"].concat());
    wire.ask(&set, "+OK\r\n");
    wire.ask(
        "SETRANGE k 10 xyz\r\nSETBIT k 7 1\r\nSETBIT k 7 0\r\n",
        format!(":{LEN}\r\n:{}\r\n:1\r\n", value[0] & 1),
    );
    value[10..13].copy_from_slice(b"xyz");
    value[0] &= 0xfe;
    expect_value(&mut wire, "k", &value);
    wire.ask(&set, "+OK\r\n");
    // A script that fails half-way leaves the value as it was.
    wire.send("EVAL \"redis.call('APPEND', 'k', 'x') redis.call('SET', 'k', 'y') return redis.pcall('GETRANGE', 'k', 0, -1)\" 0\r\n");
    assert_eq!(wire.bulk(), b"y");
    wire.ask(&set, "+OK\r\n");
    wire.send(request(&[b"GETSET", b"k", &value]));
    assert!(wire.bulk() == set[set.len() - 2 - LEN..set.len() - 2], "the old value");
    expect_value(&mut wire, "k", &value);
}

#[test]
fn the_memory_of_a_long_value_comes_back_when_it_is_removed() {
    const LEN: usize = 10 << 20;
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let used = |wire: &mut Wire| wire.info("used_memory").parse::<usize>().unwrap();
    let set = request(&[b"SET", b"k", &noise(LEN, 5)]);
    wire.ask("SET k v\r\n", "+OK\r\n");
    let before = used(&mut wire);
    for _ in 0..3 {
        wire.ask(&set, "+OK\r\n");
        let full = used(&mut wire);
        assert!((before + LEN..before + LEN + LEN / 8).contains(&full), "{before} bytes, then {full}");
        wire.ask("DEL k\r\n", ":1\r\n");
        let after = used(&mut wire);
        assert!(after < before + LEN / 8, "{before} bytes before, {after} after");
    }
}
