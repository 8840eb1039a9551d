//! The fuzz targets as plain tests: each over its corpus, then over seeded mutations of it.
//!
//! To fuzz for as long as one likes: `cargo install cargo-fuzz`, then in the root
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz parser` (or `turn`, `table`, `hashes`,
//! `reply`, `config`).

mod checks;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Mutations of each target's corpus that a plain `cargo test` tries.
const ROUNDS: u64 = 200_000;
/// Mutations for the key table, which take longer.
const TABLE_ROUNDS: u64 = 2_000;

/// Pieces that inputs are made of: right and wrong parts of the protocol.
const PIECES: &[&[u8]] = &[
    b"*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
    b"PING\r\n",
    b"GET k\r\n",
    b"SET k v\r\n",
    b"MSET a 1 b 2\r\n",
    b"INCR n\r\n",
    b"APPEND k xyz\r\n",
    b"KEYS *\r\n",
    b"DEL a b k\r\n",
    b"EXPIRE k 100\r\n",
    b"TTL k\r\n",
    b"SET k v EX 10 GET\r\n",
    b"GETEX k PERSIST\r\n",
    b"HELLO 3\r\n",
    b"CLIENT LIST\r\n",
    b"CLIENT REPLY SKIP\r\n",
    b"CLIENT SETNAME x\r\n",
    b"CONFIG GET *\r\n",
    b"INFO\r\n",
    b"COMMAND\r\n",
    b"CONFIG SET max-reply-bytes 1kb\r\n",
    b"QUIT\r\n",
    b"RESET\r\n",
    b"NOSUCH a b\r\n",
    b"CLIENT KILL ID 1\r\n",
    b"*",
    b"$",
    b"\r\n",
    b"\n",
    b"\r",
    b"-1",
    b"0",
    b"1",
    b"7",
    b"9",
    b"99999999999999999999",
    b"2147483648",
    b"\0",
    b"\xff",
    b" ",
    b"\"",
    b"'",
    b"\\",
    b"\\x41",
    b"a",
    b"41",
    b"121",
    b"$41\r\n",
    b"*7\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"$0\r\n\r\n",
    b"kb",
    b"gb",
    b"ms",
    b"yes",
    b"wait",
    b"debug",
    b"::1",
    b"1gb",
    b"250ms",
    b"4294967296",
    b"01234567890123456789012345678901234567890",
    b"0123456789012345678901234567890123456789",
];

fn sweep(target: &str, rounds: u64, check: fn(&[u8])) {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/");
    let mut files = 0;
    for entry in std::fs::read_dir(format!("{corpus}{target}")).expect("a corpus").flatten() {
        check(&std::fs::read(entry.path()).expect("readable"));
        files += 1;
    }
    assert!(files > 0, "the corpus of {target} is empty");
    for seed in 0..rounds {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut input = vec![rng.random()];
        for _ in 0..rng.random_range(0..12) {
            input.extend_from_slice(PIECES[rng.random_range(0..PIECES.len())]);
        }
        for _ in 0..rng.random_range(0..3) {
            let at = rng.random_range(0..input.len());
            input[at] = rng.random();
        }
        let outcome = std::panic::catch_unwind(|| check(&input));
        assert!(outcome.is_ok(), "{target}, seed {seed}: {}", input.escape_ascii());
    }
}

#[test]
fn parser_agrees_with_an_obvious_one() {
    sweep("parser", ROUNDS, checks::parser);
}

#[test]
fn a_turn_survives_any_bytes_and_answers_in_resp() {
    sweep("turn", ROUNDS, checks::turn);
}

#[test]
fn the_keyspace_is_a_map_that_can_be_scanned() {
    sweep("table", TABLE_ROUNDS, checks::table);
}

#[test]
fn a_hash_is_a_map_that_can_be_scanned() {
    sweep("hashes", TABLE_ROUNDS, checks::hashes);
}

#[test]
fn every_reply_can_be_decoded() {
    sweep("reply", ROUNDS, checks::reply);
}

#[test]
fn every_option_shows_what_it_takes() {
    sweep("config", ROUNDS, checks::config);
}
