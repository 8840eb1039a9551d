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
        // Nobody else reads the memory, so it can be changed, and needs no copy.
        let kept = usage(&mut wire, "k");
        wire.ask("APPEND k \"\"\r\n", format!(":{len}\r\n"));
        assert!(usage(&mut wire, "k") <= kept);
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

/// A reply with one bulk string.
fn bulk(value: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

#[test]
fn every_command_that_reads_a_long_string_returns_all_of_it() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    for len in [(64 << 10) - 1, 64 << 10, 3 << 20] {
        let value = noise(len, 11);
        let set = request(&[b"SET", b"k", &value]);
        wire.ask("SET short s\r\n", "+OK\r\n");
        wire.ask(&set, "+OK\r\n");
        // A string that was built piece by piece did not arrive in one piece of memory.
        wire.ask("APPEND built x\r\n", ":1\r\n");
        wire.ask(request(&[b"APPEND", b"built", &value]), format!(":{}\r\n", len + 1));
        let built = [b"x", &value[..]].concat();
        let (whole, array) = (bulk(&value), |count: usize| format!("*{count}\r\n").into_bytes());
        wire.ask("GET k\r\nPING\r\nGET k\r\n", [&whole[..], b"+PONG\r\n", &whole].concat());
        wire.ask("GET built\r\nGET built\r\n", bulk(&built).repeat(2));
        let three = [&array(3), &whole[..], b"$1\r\ns\r\n", &bulk(&built)].concat();
        wire.ask("MGET k short built\r\n", three);
        wire.ask("GETRANGE k 1 -2\r\nSUBSTR k 0 -1\r\n", [bulk(&value[1..len - 1]), whole.clone()].concat());
        wire.ask("GETEX k EX 100\r\n", &whole);
        wire.ask(request(&[b"SET", b"k", b"new", b"GET"]), &whole);
        // The new value would fit into the memory of the old one.
        wire.ask(request(&[b"APPEND", b"same", &value]), format!(":{len}\r\n"));
        wire.ask(request(&[b"SET", b"same", &built[..len], b"GET"]), &whole);
        wire.ask("GETDEL same\r\n", bulk(&built[..len]));
        wire.ask(&set, "+OK\r\n");
        wire.ask("GETSET k new\r\nGET k\r\n", [&whole[..], b"$3\r\nnew\r\n"].concat());
        wire.ask(&set, "+OK\r\n");
        wire.ask("MULTI\r\nGET k\r\nGETDEL k\r\nGET k\r\n", "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
        wire.ask("EXEC\r\n", [&array(3), &whole[..], &whole, b"$-1\r\n"].concat());
        wire.ask("DEL built\r\n", ":1\r\n");
    }
}

#[test]
fn a_long_reply_is_the_value_at_the_time_of_its_command_and_changes_do_not_wait_for_the_reader() {
    const LEN: usize = 10 << 20;
    let daemon = Daemon::start(&[]);
    let (mut reader, mut writer) = (daemon.connect(), daemon.connect());
    let mut value = noise(LEN, 13);
    writer.ask(request(&[b"SET", b"k", &value]), "+OK\r\n");
    for change in
        ["SETRANGE k 5000000 changed\r\n", "APPEND k tail\r\n", "SETBIT k 80000000 1\r\n", "DEL k\r\n"]
    {
        reader.send("GET k\r\n");
        // The first byte of the reply is here, so the command has run. The socket does not take all of it.
        reader.expect(format!("${}\r\n", value.len()));
        writer.send(change);
        writer.line();
        writer.send("GET k\r\n");
        let after = if change.starts_with("DEL") { writer.line().into_bytes() } else { writer.bulk() };
        reader.expect(&value);
        reader.expect("\r\n");
        assert!(after != value, "{change:?} has changed nothing");
        value = after;
    }
}

#[test]
fn a_value_that_many_clients_read_is_held_once_until_the_last_has_read_it() {
    const LEN: usize = 10 << 20;
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let value = noise(LEN, 17);
    let used = |wire: &mut Wire| wire.info("used_memory").parse::<usize>().unwrap();
    wire.ask("SET k v\r\n", "+OK\r\n");
    let empty = used(&mut wire);
    wire.ask(request(&[b"SET", b"k", &value]), "+OK\r\n");
    let full = used(&mut wire);
    let mut readers: Vec<Wire> = (0..20).map(|_| daemon.connect()).collect();
    for reader in &mut readers {
        reader.send("GET k\r\n");
        reader.expect(format!("${LEN}\r\n"));
    }
    let while_read = used(&mut wire);
    assert!(while_read < full + LEN, "{full} bytes before, {while_read} while 20 clients read");
    let resident = daemon.status_bytes("VmRSS");
    assert!(resident < 6 * LEN, "{resident} bytes are resident");
    wire.send("CLIENT LIST\r\n");
    let list = String::from_utf8(wire.bulk()).unwrap();
    let untaken = |line: &str| line.split(" omem=").nth(1)?.split(' ').next()?.parse::<usize>().ok();
    assert!(list.lines().filter_map(untaken).filter(|bytes| *bytes > LEN / 2).count() == 20, "{list}");
    assert!(wire.info("mem_clients_shared").parse::<usize>().unwrap() >= 20 * LEN);
    assert_eq!(wire.info("mem_outliving_values"), "0");
    // The key is gone, and its memory is not: it still counts.
    wire.ask("DEL k\r\n", ":1\r\n");
    assert!(wire.info("mem_outliving_values").parse::<usize>().unwrap() >= LEN);
    let removed = used(&mut wire);
    assert!(removed >= empty + LEN && removed < empty + 2 * LEN, "{removed} bytes, {empty} at first");
    let mut last = readers.pop().unwrap();
    drop(readers);
    last.expect(&value);
    last.expect("\r\n");
    drop(last);
    crate::harness::within("the memory comes back", || (used(&mut wire) < empty + LEN / 2).then_some(()));
}

#[test]
fn a_long_reply_that_must_not_be_sent_leaves_nothing_behind() {
    const LEN: usize = 1 << 20;
    let daemon = Daemon::start(&["--max-reply-bytes", "2000000", "--enable-debug-command", "yes"]);
    let mut wire = daemon.connect();
    let value = noise(LEN, 19);
    wire.ask(request(&[b"SET", b"k", &value]), "+OK\r\n");
    // Two of them exceed the limit.
    let whole = bulk(&value);
    wire.send("GET k\r\nMGET k k\r\nGET k\r\n");
    wire.expect(&whole);
    assert!(wire.line().starts_with("-ERR reply exceeds max-reply-bytes (2000000)"));
    wire.expect(&whole);
    wire.ask("CLIENT REPLY SKIP\r\nGET k\r\nGET k\r\nPING\r\n", [&whole[..], b"+PONG\r\n"].concat());
    wire.ask(
        "CLIENT REPLY OFF\r\nGET k\r\nGET k\r\nCLIENT REPLY ON\r\nGET k\r\n",
        [b"+OK\r\n", &whole[..]].concat(),
    );
    wire.ask("MULTI\r\nGET k\r\nDEBUG PANIC\r\n", "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
    wire.ask("EXEC\r\n", "-ERR internal error\r\n");
    wire.expect_end();
    let mut wire = daemon.connect();
    wire.ask("GET k\r\n", &whole);
    wire.send("GET k\r\nDEBUG PANIC\r\n");
    wire.expect(&whole);
    assert!(wire.line().starts_with("-ERR internal error"));
    wire.expect_end();
}

#[test]
fn a_short_part_of_a_long_string_does_not_hold_the_string() {
    const LEN: usize = 10 << 20;
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let value = noise(LEN, 23);
    wire.ask(request(&[b"SET", b"k", &value]), "+OK\r\n");
    // All commands of a transaction run before any of its replies leaves.
    let pair = "SETRANGE k 0 a\r\nGETRANGE k 1 100000\r\n";
    wire.ask(format!("MULTI\r\n{}", pair.repeat(20)), format!("+OK\r\n{}", "+QUEUED\r\n".repeat(40)));
    wire.send("EXEC\r\n");
    wire.expect("*40\r\n");
    for _ in 0..20 {
        wire.expect(format!(":{LEN}\r\n"));
        wire.expect(bulk(&value[1..=100_000]));
    }
    let most = daemon.status_bytes("VmHWM");
    assert!(most < 5 * LEN, "{most} bytes at most");
}

#[test]
fn a_client_that_leaves_the_last_byte_of_a_value_still_holds_all_of_it() {
    const LEN: usize = 4 << 20;
    let daemon = Daemon::start(&["--maxmemory-clients", "40mb"]);
    let (mut wire, mut reader) = (daemon.connect(), daemon.connect());
    let value = noise(LEN, 29);
    wire.ask(request(&[b"SET", b"k", &value]), "+OK\r\n");
    reader.send("GET k\r\nCLIENT ID\r\n");
    reader.expect(format!("${LEN}\r\n"));
    wire.ask("DEL k\r\n", ":1\r\n");
    let shared = |wire: &mut Wire| wire.info("mem_clients_shared").parse::<usize>().unwrap();
    let held = shared(&mut wire);
    assert!(held == 0 || held >= LEN, "{held} bytes");
    reader.expect(&value);
    reader.expect("\r\n");
    crate::harness::within("nothing is shared any more", || (shared(&mut wire) == 0).then_some(()));
    assert_eq!(wire.info("mem_outliving_values"), "0");
}
