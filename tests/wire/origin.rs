//! The questions that the author of the original server left open, each answered by a test.

use crate::harness::{Daemon, request};

/// Why not ReadString? Because it waits for a delimiter and buffers until it comes.
#[test]
fn a_delimiter_that_never_comes_is_cut_off_at_the_inline_limit() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    wire.send(vec![b'x'; (64 << 10) + 1]);
    wire.expect("-ERR Protocol error: too big inline request\r\n");
    wire.expect_end();
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
}

/// What are a scanner's limits? Go's stops at a token of 64 KiB; a length prefix has none of its own.
#[test]
fn an_argument_far_longer_than_a_scanners_64_kib_token_is_welcome() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let value: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    wire.ask(request(&[b"SET", b"key", &value]), "+OK\r\n");
    wire.send(request(&[b"GET", b"key"]));
    assert!(wire.bulk() == value, "the value came back changed");
}

/// Why raw bytes? Because a value may hold anything, the delimiters of any text protocol included.
#[test]
fn a_value_that_contains_crlf_and_nul_comes_back_as_it_was() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let all: Vec<u8> = (0..=255).collect();
    for value in [&b"a\r\nb\0c"[..], b"\r\n", b"\0", b"", b"$5\r\nhello\r\n*1\r\n", &all] {
        wire.ask(request(&[b"SET", b"key", value]), "+OK\r\n");
        wire.send(request(&[b"GET", b"key"]));
        assert_eq!(wire.bulk(), value);
        wire.ask(request(&[b"SET", value, b"as a key"]), "+OK\r\n");
        wire.ask(request(&[b"GET", value]), "$8\r\nas a key\r\n");
    }
}

/// Why go back to a scanner? Because it resumes; this parser does, at any byte.
#[test]
fn a_request_split_at_every_possible_byte_means_the_same() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let stream =
        [request(&[b"SET", b"k", b"a\r\nb"]), b"GET k\r\n".to_vec(), request(&[b"ECHO", b""])].concat();
    let replies = "+OK\r\n$4\r\na\r\nb\r\n$0\r\n\r\n";
    for at in 0..=stream.len() {
        wire.send(&stream[..at]);
        // If another client has been answered since, the server has read the first piece.
        daemon.connect().ask("PING\r\n", "+PONG\r\n");
        wire.send(&stream[at..]);
        wire.expect(replies);
    }
    for byte in &stream {
        wire.send([*byte]);
    }
    wire.expect(replies);
}

/// What is the largest key allowed? As large as `max-key-bytes`, 64 KiB unless told otherwise.
#[test]
fn a_key_may_be_as_long_as_the_limit_and_no_longer() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let longest = vec![b'k'; 64 << 10];
    wire.ask(request(&[b"SET", &longest, b"v"]), "+OK\r\n");
    wire.ask(request(&[b"GET", &longest]), "$1\r\nv\r\n");
    let longer = vec![b'k'; (64 << 10) + 1];
    wire.ask(request(&[b"SET", &longer, b"v"]), "-ERR key of 65537 bytes exceeds max-key-bytes (65536)\r\n");
    wire.ask(
        request(&[b"MSET", b"a", b"1", &longer, b"2"]),
        "-ERR key of 65537 bytes exceeds max-key-bytes (65536)\r\n",
    );
    wire.ask("EXISTS a\r\n", ":0\r\n");
    wire.ask("CONFIG SET max-key-bytes 4\r\n", "+OK\r\n");
    wire.ask("GET four\r\n", "$-1\r\n");
    wire.ask("GET fives\r\n", "-ERR key of 5 bytes exceeds max-key-bytes (4)\r\n");
}
