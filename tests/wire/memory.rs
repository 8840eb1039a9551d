//! The memory that the daemon uses, seen from outside.

use crate::dump::sealed;
use crate::harness::{Daemon, Wire, request, within};

#[test]
fn maxmemory_clients_holds_within_a_tick() {
    let daemon = Daemon::start(&["--maxmemory-clients", "4mb"]);
    let mut judge = daemon.connect();
    // A longer value would be shared by all replies.
    judge.ask(request(&[b"SET", b"k", &[b'v'; 60 << 10]]), "+OK\r\n");
    let mut greedy: Vec<Wire> = (0..8).map(|_| daemon.connect()).collect();
    greedy.iter_mut().for_each(|wire| wire.ask("PING\r\n", "+PONG\r\n"));
    // Each asks for 12 MiB, and the daemon hears all of them at once.
    daemon.while_stopped(|| {
        greedy.iter_mut().for_each(|wire| wire.send(format!("MGET{}\r\n", " k".repeat(200))))
    });
    within("all to be evicted", || (judge.info("evicted_clients") == "8").then_some(()));
    let peak = daemon.status_bytes("VmHWM") >> 20;
    println!("{peak} MiB at most");
    assert!(peak < 64, "{peak} MiB were resident");
}

#[test]
fn a_large_value_is_received_into_a_buffer_of_its_size() {
    const VALUE: usize = 64 << 20;
    let daemon = Daemon::start(&[]);
    let (mut wire, mut judge) = (daemon.connect(), daemon.connect());
    let set = request(&[b"SET", b"k", &vec![b'v'; VALUE]]);
    let (all_but_one, last) = set.split_at(set.len() - 1);
    wire.send(all_but_one);
    within("all of it to be there", || {
        judge.send("CLIENT LIST ID 1\r\n");
        let text = String::from_utf8(judge.bulk()).unwrap();
        text.contains(&format!(" qbuf={} ", all_but_one.len())).then_some(())
    });
    let held: usize = judge.info("mem_clients_normal").parse().unwrap();
    assert!((VALUE..VALUE + VALUE / 4).contains(&held), "{held} bytes are held for {VALUE}");
    wire.ask(last, "+OK\r\n");
    wire.ask("STRLEN k\r\n", format!(":{VALUE}\r\n"));
}

/// The memory of a large hash goes back to the system each time, as resident memory shows.
#[test]
fn each_time_a_large_hash_is_removed_its_memory_goes_back_to_the_system() {
    const FIELDS: usize = 500_000;
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let at_rest = daemon.status_bytes("VmRSS") >> 20;
    for time in 1..=3 {
        for first in (0..FIELDS).step_by(1_000) {
            let mut words = vec![b"HSET".to_vec(), b"h".to_vec()];
            for nth in first..first + 1_000 {
                words.extend([format!("field:{nth:010}").into_bytes(), vec![b'v'; 32]]);
            }
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            wire.ask(request(&words), ":1000\r\n");
        }
        let full = daemon.status_bytes("VmRSS") >> 20;
        assert!(full > at_rest + 20, "{full} MiB are too few for {FIELDS} fields");
        wire.ask("DEL h\r\n", ":1\r\n");
        within("the memory to go back", || (daemon.status_bytes("VmRSS") >> 20 <= at_rest + 6).then_some(()));
        println!("time {time}: {at_rest} MiB at rest, {full} full");
    }
}

/// A short request may name large keys many times. It takes memory in proportion to its result, not to what it names.
#[test]
fn a_combination_takes_memory_for_its_result_and_not_for_all_that_it_names() {
    const MEMBERS: usize = 50_000;
    let daemon = Daemon::start(&["--max-reply-bytes", "8mb"]);
    let mut wire = daemon.connect();
    for (command, key) in [("SADD", "s"), ("ZADD", "z"), ("RPUSH", "l")] {
        let score = if command == "ZADD" { "1 " } else { "" };
        let all: Vec<String> = (0..MEMBERS).map(|nth| format!("{score}m{nth}")).collect();
        for some in all.chunks(1_000) {
            wire.send(format!("{command} {key} {}\r\n", some.join(" ")));
            assert!(wire.line().starts_with(':'));
        }
    }
    wire.ask("SADD few m1 m2\r\nZADD zfew 1 m1 2 m2\r\n", ":2\r\n:2\r\n");
    let at_rest = daemon.status_bytes("VmHWM") >> 20;
    let stored = format!(":{MEMBERS}\r\n");
    wire.ask(format!("SUNIONSTORE d{}\r\n", " s".repeat(300)), &stored);
    wire.ask(format!("ZUNIONSTORE d 300{}\r\n", " z".repeat(300)), &stored);
    wire.ask(format!("SDIFFSTORE d s{}\r\n", " few".repeat(300)), format!(":{}\r\n", MEMBERS - 2));
    wire.ask(format!("ZDIFFSTORE d 301 z{}\r\n", " zfew".repeat(300)), format!(":{}\r\n", MEMBERS - 2));
    wire.send(format!("SORT l BY nosort{}\r\n", " GET #".repeat(300)));
    assert!(wire.line().starts_with("-ERR reply exceeds max-reply-bytes (8388608)"));
    let peak = daemon.status_bytes("VmHWM") >> 20;
    println!("{at_rest} MiB before, {peak} MiB at most");
    assert!(peak < at_rest + 80, "{peak} MiB were resident, {at_rest} before");
}

/// A short payload may hold the same member millions of times. It is refused before its members take memory.
#[test]
fn a_payload_that_repeats_a_member_is_refused_before_it_takes_much_memory() {
    const TIMES: usize = 12 << 20;
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let at_rest = daemon.status_bytes("VmHWM") >> 20;
    let mut listpack = ((6 + 2 * TIMES + 1) as u32).to_le_bytes().to_vec();
    listpack.extend(u16::MAX.to_le_bytes());
    listpack.extend([5, 1].repeat(TIMES));
    listpack.push(0xff);
    // Type 20 is a set in a listpack, whose length stands in four bytes here.
    let mut payload = vec![20, 0x80];
    payload.extend((listpack.len() as u32).to_be_bytes());
    payload.extend(&listpack);
    payload.extend([10, 0]);
    wire.ask(request(&[b"RESTORE", b"k", b"0", &sealed(&payload)]), "-ERR Bad data format\r\n");
    let peak = daemon.status_bytes("VmHWM") >> 20;
    println!("{at_rest} MiB before, {peak} MiB at most");
    // The payload itself takes 24 MiB, twice while it is received.
    assert!(peak < at_rest + 64, "{peak} MiB were resident, {at_rest} before");
}
