//! The fuzz targets as plain tests: each over its corpus, then over seeded mutations of it.
//!
//! To fuzz for as long as one likes: `cargo install cargo-fuzz`, then in the root
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz parser` (or `turn`, `table`, `hashes`,
//! `lists`, `sets`, `zsets`, `streams`, `reply`, `restore`, `config`, `cjson`, `cmsgpack`, `structs`).

mod checks;
mod libraries;
mod values;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Mutations of each target's corpus that a plain `cargo test` tries.
const ROUNDS: u64 = 200_000;
/// Mutations for the key table, which take longer.
const TABLE_ROUNDS: u64 = 2_000;
/// Inputs of random operations for each kind of value.
const OPERATION_ROUNDS: u64 = 500;
/// Payloads for RESTORE, each a damaged one of the corpus.
const PAYLOAD_ROUNDS: u64 = 60_000;

/// Inputs for each library of scripts; `LIBRARY_ROUNDS=n` tries so many.
const LIBRARY_ROUNDS: u64 = 12_000;

/// Pieces of JSON, right and wrong.
const JSON: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"[]",
    b"{}",
    b",",
    b":",
    b"\"a\":",
    b"\"\"",
    b"\"text\"",
    b"\"\\u0041\\n\"",
    b"\"\\ud83d\\ude00\"",
    b"\"\\ud83d\"",
    b"\"",
    b"\\",
    b"0",
    b"1",
    b"-12.5e-3",
    b"1e308",
    b"1e999",
    b"0x1F",
    b"007",
    b".5",
    b"-",
    b"12345678901234567890",
    b"true",
    b"false",
    b"null",
    b"nul",
    b"NaN",
    b"-inf",
    b"Infinity",
    b" ",
    b"\n",
    b"\0",
    b"\xff",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    b"{\"a\":{\"a\":{\"a\":{\"a\":",
    b"1,2,3,4,5",
    b"/* no */",
];

/// Pieces of MessagePack, right and wrong.
const MSGPACK: &[&[u8]] = &[
    b"\x00",
    b"\x7f",
    b"\xe0",
    b"\xff",
    b"\xc0",
    b"\xc1",
    b"\xc2",
    b"\xc3",
    b"\xcc\xff",
    b"\xcd\xff\xff",
    b"\xce\xff\xff\xff\xff",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd0\x80",
    b"\xd1\x80\x00",
    b"\xd2\x80\x00\x00\x00",
    b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
    b"\xca\x3f\xc0\x00\x00",
    b"\xca\x7f\xc0\x00\x00",
    b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a",
    b"\xa0",
    b"\xa3abc",
    b"\xd9\x02ab",
    b"\xda\x00\x01a",
    b"\xdb\x00\x00\x00\x01a",
    b"\xdb\xff\xff\xff\xff",
    b"\xc4\x01a",
    b"\xc7\x01\x01a",
    b"\xd4\x01a",
    b"\x80",
    b"\x81",
    b"\x82",
    b"\x90",
    b"\x91",
    b"\x93",
    b"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91",
    b"\xdc\x00\x02",
    b"\xdd\x00\x00\x00\x01",
    b"\xdd\xff\xff\xff\xff",
    b"\xde\x00\x01",
    b"\xdf\x00\x00\x00\x01",
    b"\xdf\xff\xff\xff\xff",
];

/// Pieces of formats for `struct`, and of bytes.
const STRUCT: &[&[u8]] = &[
    b"<",
    b">",
    b"=",
    b"!",
    b"!2",
    b"!8",
    b"!3",
    b"b",
    b"B",
    b"h",
    b"H",
    b"l",
    b"L",
    b"T",
    b"f",
    b"d",
    b"s",
    b"x",
    b"c",
    b"c0",
    b"c3",
    b"c2147483647",
    b"c99999999999999999999",
    b"i",
    b"i1",
    b"i3",
    b"I7",
    b"i8",
    b"i9",
    b"i32",
    b"i33",
    b" ",
    b"\0",
    b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\0abcdefghijklmnopqrstuvwxyz\0",
    b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x80\x01\x02",
    b"text\0",
];

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
    b"DUMP k\r\n",
    b"RESTORE k 0 \"\x01\x02\x01\x61\x01\x62\x0a\x00\x32\xa8\x90\x7e\xd5\x03\x1a\x45\" REPLACE\r\n",
    b"RESTORE k 0 \"\x00\x03\x6e\x65\x77\x0a\x00\x30\x74\x41\x15\x9c\x68\x17\x7c\"\r\n",
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

/// The inputs of a target's corpus, in a fixed order.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/");
    let entries = std::fs::read_dir(format!("{corpus}{target}")).expect("a corpus").flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "the corpus of {target} is empty");
    paths.into_iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

fn sweep(target: &str, rounds: u64, check: fn(&[u8])) {
    corpus(target).iter().for_each(|input| check(input));
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

/// Operations are any bytes, so there is no corpus.
fn sweep_operations(target: &str, check: fn(&[u8])) {
    for seed in 0..OPERATION_ROUNDS {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut input = vec![0; 4 * rng.random_range(1..60)];
        rng.fill(&mut input[..]);
        let outcome = std::panic::catch_unwind(|| check(&input));
        assert!(outcome.is_ok(), "{target}, seed {seed}: {}", input.escape_ascii());
    }
}

#[test]
fn a_list_is_a_sequence() {
    sweep_operations("lists", values::lists);
}

#[test]
fn a_set_has_each_member_once() {
    sweep_operations("sets", values::sets);
}

#[test]
fn a_sorted_set_is_a_map_in_order() {
    sweep_operations("zsets", values::zsets);
}

#[test]
fn a_stream_has_its_entries_in_order() {
    sweep_operations("streams", values::streams);
}

#[test]
fn every_reply_can_be_decoded() {
    sweep("reply", ROUNDS, checks::reply);
}

/// Random pieces make no payload that gets far, so this target damages those of its corpus.
#[test]
fn a_payload_is_restored_as_what_it_is_or_changes_nothing() {
    let corpus = corpus("restore");
    corpus.iter().for_each(|input| checks::restore(input));
    for seed in 0..PAYLOAD_ROUNDS {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut input = corpus[rng.random_range(0..corpus.len())].clone();
        for _ in 0..rng.random_range(1..4) {
            damage(&mut input, &mut rng);
        }
        let outcome = std::panic::catch_unwind(|| checks::restore(&input));
        assert!(outcome.is_ok(), "restore, seed {seed}: {}", input.escape_ascii());
    }
}

/// Changes a bit, a byte or a few bytes of an input.
fn damage(input: &mut Vec<u8>, rng: &mut StdRng) {
    let at = rng.random_range(0..input.len().max(1));
    match rng.random_range(0..7) {
        _ if input.len() < 2 => input.push(rng.random()),
        0 | 1 => input[at] ^= 1 << rng.random_range(0..8),
        2 => {
            input[at] = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc3, 0xf0, 0xfe, 0xff][rng.random_range(0..11)]
        }
        3 => input[at] = input[at].wrapping_add(if rng.random() { 1 } else { 255 }),
        4 => input.truncate(at.max(1)),
        5 => drop(input.drain(at..(at + rng.random_range(1..9)).min(input.len()))),
        _ => {
            let piece = input[at..(at + rng.random_range(1..20)).min(input.len())].to_vec();
            let into = rng.random_range(1..=input.len());
            input.splice(into..into, piece);
        }
    }
}

/// Inputs of pieces alone, without a byte before them that makes most of them wrong, and then damaged ones.
fn sweep_library(pieces: &[&[u8]], target: &str, headed: bool, check: fn(&[u8])) {
    let rounds =
        std::env::var("LIBRARY_ROUNDS").map_or(LIBRARY_ROUNDS, |text| text.parse().expect("a number"));
    corpus(target).iter().for_each(|input| check(input));
    for seed in 0..rounds {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut input: Vec<u8> = if headed { vec![rng.random()] } else { Vec::new() };
        for _ in 0..rng.random_range(1..16) {
            input.extend_from_slice(pieces[rng.random_range(0..pieces.len())]);
        }
        if rng.random_bool(0.4) {
            damage(&mut input, &mut rng);
        }
        let outcome = std::panic::catch_unwind(|| check(&input));
        assert!(outcome.is_ok(), "{target}, seed {seed}: {}", input.escape_ascii());
    }
}

#[test]
fn cjson_reads_what_it_has_written() {
    sweep_library(JSON, "cjson", false, libraries::cjson);
}

#[test]
fn cmsgpack_reads_what_it_has_written() {
    sweep_library(MSGPACK, "cmsgpack", false, libraries::cmsgpack);
}

#[test]
fn struct_unpacks_what_it_has_packed() {
    sweep_library(STRUCT, "structs", true, libraries::structs);
}

#[test]
fn every_option_shows_what_it_takes() {
    sweep("config", ROUNDS, checks::config);
}
