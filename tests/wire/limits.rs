//! Limits that change while requests are on their way, and replies that reach their limit.

use crate::harness::{Daemon, request};

#[test]
fn a_limit_holds_from_the_next_request_on_however_the_bytes_were_cut() {
    let daemon = Daemon::start(&["--max-key-bytes", "64"]);
    let (lower, raise) = ("CONFIG SET proto-max-bulk-len 100\r\n", "CONFIG SET proto-max-bulk-len 1mb\r\n");
    let refused = "-ERR argument of 101 bytes exceeds proto-max-bulk-len (100)\r\n";
    let echoed = format!("$101\r\n{}\r\n", "x".repeat(101));
    let line = format!("ECHO {}\r\n", "x".repeat(101)).into_bytes();
    for echo in [request(&[b"ECHO", &[b'x'; 101]]), line] {
        let mut wire = daemon.connect();
        // In one packet, requests before and behind that are read ahead with it.
        wire.send([&b"PING\r\n"[..], lower.as_bytes(), &echo, b"PING\r\n", raise.as_bytes(), &echo].concat());
        wire.expect(format!("+PONG\r\n+OK\r\n{refused}+PONG\r\n+OK\r\n{echoed}"));
        // In several.
        wire.ask(lower, "+OK\r\n");
        wire.ask(&echo, refused);
        wire.ask(raise, "+OK\r\n");
        wire.ask(&echo, &echoed);
        // And cut in the middle of the request that the change is about.
        let (head, tail) = echo.split_at(echo.len() / 2);
        wire.send([lower.as_bytes(), head].concat());
        wire.expect("+OK\r\n");
        wire.ask(tail, refused);
        wire.ask(raise, "+OK\r\n");
    }
}

/// By itself the greeting always fits, for `max-reply-bytes` cannot be less than 1 KiB; behind other
/// replies of a transaction it may not.
#[test]
fn hello_switches_the_protocol_only_if_its_reply_fits() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let value = "v".repeat(950);
    wire.ask(format!("SET k {value}\r\nCONFIG SET max-reply-bytes 1kb\r\n"), "+OK\r\n+OK\r\n");
    wire.ask("MULTI\r\nGET k\r\nHELLO 3\r\n", "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
    wire.send("EXEC\r\n");
    wire.expect(format!("*2\r\n$950\r\n{value}\r\n-ERR reply exceeds max-reply-bytes (1024)"));
    wire.line();
    wire.ask("GET none\r\n", "$-1\r\n");
    // Where it fits it switches.
    wire.ask("MULTI\r\nHELLO 3\r\nGET none\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n%7\r\n");
}
