//! The memory that the daemon uses, seen from outside.

use crate::harness::{Daemon, Wire, request, within};

#[test]
fn maxmemory_clients_holds_within_a_tick() {
    let daemon = Daemon::start(&["--maxmemory-clients", "4mb"]);
    let mut judge = daemon.connect();
    judge.ask(request(&[b"SET", b"k", &vec![b'v'; 1 << 20]]), "+OK\r\n");
    let mut greedy: Vec<Wire> = (0..8).map(|_| daemon.connect()).collect();
    greedy.iter_mut().for_each(|wire| wire.ask("PING\r\n", "+PONG\r\n"));
    // Each asks for 12 MiB, and the daemon hears all of them at once.
    daemon.while_stopped(|| {
        greedy.iter_mut().for_each(|wire| wire.send(format!("MGET{}\r\n", " k".repeat(12))))
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
