//! Bytes that are no request, half a request, or nearly a request.

use crate::harness::request;
use crate::rows::Then::{Ends, Lives, Waits};
use crate::rows::{Row, row};

const NO_COUNT: &str = "-ERR Protocol error: invalid multibulk length\r\n";
const NO_LENGTH: &str = "-ERR Protocol error: invalid bulk length\r\n";
const NO_CRLF: &str = "-ERR Protocol error: expected CRLF after bulk\r\n";
const TOO_LONG_A_LINE: &str = "-ERR Protocol error: too big inline request\r\n";
const QUOTES: &str = "-ERR Protocol error: unbalanced quotes in request\r\n";

/// Words that are no number, and numbers that make no sense.
const NO_NUMBERS: &[(&str, &str)] = &[
    ("2^31", "2147483648"),
    ("2^32", "4294967296"),
    ("2^63 - 1", "9223372036854775807"),
    ("2^63", "9223372036854775808"),
    ("2^64", "18446744073709551616"),
    ("60 digits", "999999999999999999999999999999999999999999999999999999999999"),
    ("below -2^63", "-9223372036854775809"),
    ("nothing", ""),
    ("a sign alone", "-"),
    ("a leading plus", "+1"),
    ("a leading blank", " 1"),
    ("a trailing blank", "1 "),
    ("a leading zero", "01"),
    ("letters", "one"),
    ("a letter behind a digit", "1a"),
    ("hexadecimal", "0x1"),
    ("a fraction", "1.0"),
    ("a NUL behind a digit", "1\0"),
    ("a line feed before the CRLF", "1\n"),
];

pub fn rows() -> Vec<Row> {
    let (mut rows, pong) = (Vec::new(), "+PONG\r\n".to_owned());
    for (what, number) in NO_NUMBERS {
        let sends = format!("PING\r\n*{number}\r\nSET behind it\r\n");
        rows.push(row(format!("a count that is {what}"), sends, pong.clone() + NO_COUNT, Ends));
    }
    let lengths = [("-1", "-1"), ("-2^63", "-9223372036854775808"), ("1 GiB and a byte", "1073741825")];
    for (what, number) in NO_NUMBERS.iter().chain(&lengths) {
        let sends = format!("PING\r\n*1\r\n${number}\r\nSET behind it\r\n");
        rows.push(row(format!("a length that is {what}"), sends, pong.clone() + NO_LENGTH, Ends));
    }
    rows.push(row("what came behind all these", "EXISTS behind\r\n", ":0\r\n", Lives));
    rows.extend(empty());
    rows.extend(misframed());
    rows.extend(endless());
    rows.extend(half());
    rows.extend(strangers());
    rows
}

fn empty() -> Vec<Row> {
    vec![
        row("`*0`", "*0\r\n", "", Lives),
        row("`*-1` and lower counts", "*-1\r\n*-2147483648\r\n*-9223372036854775808\r\n", "", Lives),
        row("empty lines", "\r\n\r\n\n\n\r\n", "", Lives),
        row("lines of blanks", "   \r\n\t\t\r\n \n", "", Lives),
        row("10,000 empty requests of all kinds", "*0\r\n\r\n*-1\r\n\n".repeat(2_500), "", Lives),
        row(
            "an empty command name",
            "*1\r\n$0\r\n\r\n\"\"\r\n",
            "-ERR unknown command '', with args beginning with: \r\n".repeat(2),
            Lives,
        ),
    ]
}

fn misframed() -> Vec<Row> {
    let expected = |got: char| format!("-ERR Protocol error: expected '$', got '{got}'\r\n");
    vec![
        row("no CRLF behind an argument", "*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n", NO_CRLF, Ends),
        row("two line feeds behind an argument", "*1\r\n$4\r\nPING\n\nPING\r\n", NO_CRLF, Ends),
        row("LF CR behind an argument", "*1\r\n$4\r\nPING\n\rPING\r\n", NO_CRLF, Ends),
        row("CR CR behind an argument", "*1\r\n$4\r\nPING\r\rPING\r\n", NO_CRLF, Ends),
        row("an argument longer than announced", "*1\r\n$4\r\nPINGPING\r\n", NO_CRLF, Ends),
        row("an argument shorter than announced", "*1\r\n$6\r\nPING\r\n*1\r\n$4\r\nPING\r\n", NO_CRLF, Ends),
        row("a CR without LF behind a count", "*1\rx$4\r\nPING\r\n", NO_COUNT, Ends),
        row("a CR without LF behind a length", "*1\r\n$4\rxPING\r\n", NO_LENGTH, Ends),
        row("a word where a length belongs", "*1\r\nPING\r\n", expected('P'), Ends),
        row("a number where a length belongs", "*2\r\n$4\r\nECHO\r\n:1\r\n", expected(':'), Ends),
        row("a count where a length belongs", "*1\r\n*1\r\n$4\r\nPING\r\n", expected('*'), Ends),
        row("a line end where a length belongs", "*1\r\n\r\nPING\r\n", expected(' '), Ends),
        row("a NUL where a length belongs", "*1\r\n\0\r\n", expected('?'), Ends),
        row("a byte 0xFF where a length belongs", b"*1\r\n\xff\r\n", expected('?'), Ends),
        row("a double quote without its other", "ECHO \"a\r\nPING\r\n", QUOTES, Ends),
        row("a single quote without its other", "ECHO 'a\r\nPING\r\n", QUOTES, Ends),
        row("a closing quote that goes on", "ECHO \"a\"b\r\nPING\r\n", QUOTES, Ends),
        row("a backslash before the closing quote", "ECHO \"a\\\"\r\nPING\r\n", QUOTES, Ends),
        row(
            "requests, then garbage, then requests",
            "SET mixed 1\r\n*1\r\n!boom\r\nSET mixed 2\r\n",
            format!("+OK\r\n{}", expected('!')),
            Ends,
        ),
        row("what came behind the garbage", "GET mixed\r\n", "$1\r\n1\r\n", Lives),
        row("a reply instead of a request", "+OK\r\n", unknown("+OK", ""), Lives),
        row("an argument without its count", "$4\r\nPING\r\n", unknown("$4", "") + "+PONG\r\n", Lives),
    ]
}

fn endless() -> Vec<Row> {
    let too_big = |what: &str| format!("-ERR Protocol error: too big {what} count string\r\n");
    let longest = [&vec![b' '; (64 << 10) - 5][..], b"PING\r\n"].concat();
    vec![
        row("64 KiB of blanks in a count", format!("*{}", " ".repeat(64 << 10)), too_big("mbulk"), Ends),
        row("64 KiB of digits in a count", format!("*{}", "1".repeat(64 << 10)), NO_COUNT, Ends),
        row(
            "64 KiB of blanks in a length",
            format!("*1\r\n${}", " ".repeat(64 << 10)),
            too_big("bulk"),
            Ends,
        ),
        row("64 KiB of digits in a length", format!("*1\r\n${}", "1".repeat(64 << 10)), NO_LENGTH, Ends),
        row("an inline line of just 64 KiB", longest, "+PONG\r\n", Lives),
        row("an inline line without an end", vec![b'x'; (64 << 10) + 1], TOO_LONG_A_LINE, Ends),
        row("10 MB of it", vec![b'x'; 10_000_000], TOO_LONG_A_LINE, Ends),
        row(
            "a quote that is never closed, 64 KiB",
            "\"".to_owned() + &"a".repeat(64 << 10),
            TOO_LONG_A_LINE,
            Ends,
        ),
    ]
}

/// The client closes its side in the middle of each of these.
fn half() -> Vec<Row> {
    vec![
        row("half-closed before any byte", "", "", Waits),
        row("half-closed amid a count", "*1", "", Waits),
        row("half-closed amid a count's CRLF", "*1\r", "", Waits),
        row("half-closed behind a count", "*2\r\n", "", Waits),
        row("half-closed amid a length", "*2\r\n$1", "", Waits),
        row("half-closed amid an argument", "*2\r\n$4\r\nECHO\r\n$100\r\nabc", "", Waits),
        row("half-closed amid an argument's CRLF", "*1\r\n$4\r\nPING\r", "", Waits),
        row("half-closed between arguments", "*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n", "", Waits),
        row("half-closed amid an inline line", "SET half 1", "", Waits),
        row("half-closed behind a request", "SET whole 1\r\nGET whole\r\n", "+OK\r\n$1\r\n1\r\n", Waits),
        row("half-closed behind a request and a half", "GET whole\r\nSET half 1", "$1\r\n1\r\n", Waits),
        row("what the halves have changed", "EXISTS half\r\n", ":0\r\n", Lives),
        row("line feeds alone in a request", "*1\n$4\nPING\n", "", Waits),
        row("a count of 1,000,000 and nothing more", "*1000000\r\n", "", Waits),
        row("512 MB announced and nothing sent", "*2\r\n$4\r\nECHO\r\n$536870912\r\n", "", Waits),
    ]
}

/// Clients that wanted to talk to another server.
fn strangers() -> Vec<Row> {
    let post = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\nSET pwned yes\r\n";
    let get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET pwned yes\r\n";
    let two_words = "-ERR wrong number of arguments for 'get' command\r\n";
    let hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\x8f\x0c\x11\x7e\x00\x02\x13\x01";
    let banner = "SSH-2.0-OpenSSH_9.2p1 Debian-2";
    vec![
        row("HTTP POST", post, "", Ends),
        row("HTTP GET", get, two_words, Ends),
        row("`Host:` in any case and framing", request(&[b"hOsT:", b"x"]), "", Ends),
        row("what HTTP has changed", "EXISTS pwned\r\n", ":0\r\n", Lives),
        row("a TLS hello", hello, "", Waits),
        row("an SSH banner", format!("{banner}\r\n"), unknown("SSH-2.0-OpenSSH_9.2p1", "'Debian-2' "), Lives),
        row(
            "memcached's protocol",
            "set k 0 0 1\r\nx\r\n",
            "-ERR syntax error\r\n".to_owned() + &unknown("x", ""),
            Lives,
        ),
        row("1,000 NULs", "\0".repeat(1_000) + "\r\n", unknown("", ""), Lives),
        row("a NUL and nothing more", "\0", "", Waits),
        row(
            "1,000 bytes 0xFF",
            [&[0xff; 1_000][..], b"\r\n"].concat(),
            [&b"-ERR unknown command '"[..], &[0xff; 128], b"', with args beginning with: \r\n"].concat(),
            Lives,
        ),
    ]
}

/// Redis's text about a command that does not exist.
pub fn unknown(name: &str, quoted: &str) -> String {
    format!("-ERR unknown command '{name}', with args beginning with: {quoted}\r\n")
}
