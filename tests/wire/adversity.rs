//! The real binary under a small preloaded library that interrupts its calls and cuts its reads and
//! writes short, as a slow network and many signals would.

use std::path::Path;
use std::process::{Command, Stdio};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::commands;
use crate::harness::{Daemon, Wire, request, skipped};

const ROUNDS: usize = 300;
/// Long enough that one takes many reads and writes.
const VALUE_MAX: usize = 60_000;

/// Compiles the library; says so if that cannot be done here.
fn library() -> Option<String> {
    if !cfg!(target_os = "linux") {
        skipped("the library preloads into Linux processes");
        return None;
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/adversity.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("adversity.so").display().to_string();
    match Command::new("cc").args(["-shared", "-fPIC", "-O1", "-Wall", "-o", &library, source]).status() {
        Ok(status) => {
            assert!(status.success(), "{source} does not compile");
            Some(library)
        }
        Err(_) => {
            skipped("there is no C compiler");
            None
        }
    }
}

#[test]
fn interrupted_calls_and_short_counts_everywhere_change_no_reply() {
    let Some(library) = library() else { return };
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join("adversity.txt");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["--port", "0"]).env("LD_PRELOAD", library).env("ADVERSITY_REPORT", &report);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let daemon = Daemon::spawn(command);

    commands::every_reply_in_a_session_is_as_expected(&mut daemon.connect());
    let mut rng = StdRng::seed_from_u64(1);
    let mut wires: Vec<Wire> = (0..8).map(|_| daemon.connect()).collect();
    for _ in 0..ROUNDS {
        let name = rng.random_range(0..wires.len());
        pipeline(&mut wires[name], name, &mut rng);
    }
    // A drain must not lose anything either.
    let value = vec![b'v'; 1 << 20];
    let wire = &mut wires[0];
    wire.ask(request(&[b"SET", b"big", &value]), "+OK\r\n");
    wire.send(b"GET big\r\n".repeat(9));
    assert!(wire.bulk() == value);
    daemon.signal("TERM");
    assert!((1..9).all(|_| wire.bulk() == value));
    drop(wires);
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");

    let counts = std::fs::read_to_string(report).expect("the library was loaded");
    let counts: Vec<u64> = counts.split_whitespace().map(|count| count.parse().unwrap()).collect();
    println!("interrupted calls, short reads, short writes: {counts:?}");
    assert!(counts.len() == 3 && counts.iter().all(|count| *count > 0), "{counts:?}");
}

/// Sets and reads back, several at once, in one go.
fn pipeline(wire: &mut Wire, name: usize, rng: &mut StdRng) {
    let (mut requests, mut replies) = (Vec::new(), Vec::new());
    for number in 0..rng.random_range(1..40) {
        let key = format!("{name}:{number}");
        let len = if rng.random_bool(0.1) { rng.random_range(0..VALUE_MAX) } else { rng.random_range(0..50) };
        let value: Vec<u8> = (0..len).map(|_| rng.random()).collect();
        requests.extend(request(&[b"SET", key.as_bytes(), &value]));
        requests.extend(request(&[b"GET", key.as_bytes()]));
        replies.extend(format!("+OK\r\n${}\r\n", value.len()).bytes());
        replies.extend(&value);
        replies.extend(b"\r\n");
    }
    wire.ask(requests, replies);
}
