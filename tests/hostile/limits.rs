//! Requests beyond the limits, against a daemon whose limits are tiny.

use crate::harness::request;
use crate::rows::Then::{Ends, Lives};
use crate::rows::{Row, row};

/// Its options.
pub const SMALL: &[&str] = &[
    "--max-key-bytes",
    "100",
    "--proto-max-bulk-len",
    "100",
    "--max-request-args",
    "16",
    "--max-request-bytes",
    "1kb",
    "--max-inline-bytes",
    "300",
];

pub fn rows() -> Vec<Row> {
    let argument = |len: usize| vec![b'a'; len];
    let (fits, long, endless) = (argument(100), argument(101), argument(1025));
    let ten = request(&[&[&b"FOO"[..]][..], &[&fits[..]; 10]].concat());
    let set = request(&[b"SET", b"k", &fits]);
    let reply =
        "CONFIG SET max-reply-bytes 1kb\r\nMGET k k k k k k k k k k\r\nCONFIG SET max-reply-bytes 1gb\r\n";
    vec![
        row(
            "an argument as long as it may be",
            request(&[b"ECHO", &fits]),
            [b"$100\r\n", &fits[..], b"\r\n"].concat(),
            Lives,
        ),
        row(
            "an argument too long",
            request(&[b"ECHO", &long]),
            "-ERR argument of 101 bytes exceeds proto-max-bulk-len (100)\r\n",
            Lives,
        ),
        row(
            "an argument longer than any request",
            request(&[b"ECHO", &endless]),
            "-ERR Protocol error: invalid bulk length\r\n",
            Ends,
        ),
        row(
            "arguments that add up to too much",
            ten,
            "-ERR request exceeds max-request-bytes (1024)\r\n",
            Lives,
        ),
        row(
            "too many arguments",
            request(&[&b"x"[..]; 17]),
            "-ERR 17 arguments exceed max-request-args (16)\r\n",
            Lives,
        ),
        row(
            "1,000,000 arguments, all sent",
            request(&vec![&b""[..]; 1_000_000]),
            "-ERR 1000000 arguments exceed max-request-args (16)\r\n",
            Lives,
        ),
        row(
            "a word as long as it may be",
            [b"ECHO ", &fits[..], b"\r\n"].concat(),
            [b"$100\r\n", &fits[..], b"\r\n"].concat(),
            Lives,
        ),
        row(
            "a word too long",
            [b"ECHO ", &long[..], b"\r\n"].concat(),
            "-ERR argument of 101 bytes exceeds proto-max-bulk-len (100)\r\n",
            Lives,
        ),
        row(
            "too many words in a line",
            "a b c d e f g h i j k l m n o p q\r\n",
            "-ERR 17 arguments exceed max-request-args (16)\r\n",
            Lives,
        ),
        row(
            "a line too long",
            "x".repeat(301) + "\r\n",
            "-ERR Protocol error: too big inline request\r\n",
            Ends,
        ),
        row(
            "garbage inside what is skipped",
            "*17\r\n$1\r\na\r\n+OK\r\n",
            "-ERR Protocol error: expected '$', got '+'\r\n",
            Ends,
        ),
        row(
            "a reply too long",
            [&set[..], reply.as_bytes()].concat(),
            "+OK\r\n+OK\r\n-ERR reply exceeds max-reply-bytes (1024) or the memory that is left\r\n+OK\r\n",
            Lives,
        ),
    ]
}
