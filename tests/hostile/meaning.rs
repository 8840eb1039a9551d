//! Requests that are well framed and mean mischief.

use crate::framing::unknown;
use crate::harness::request;
use crate::rows::Then::{Ends, Lives};
use crate::rows::{Row, row};

const OVERFLOW: &str = "-ERR increment or decrement would overflow\r\n";
const NO_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";

pub fn rows() -> Vec<Row> {
    [names(), numbers(), times(), connections(), sessions(), settings(), lock_outs()]
        .into_iter()
        .flatten()
        .collect()
}

fn names() -> Vec<Row> {
    let all: Vec<u8> = (0..=255).collect();
    let long = vec![b'x'; 5_000];
    let key = "a".repeat(60_000);
    let backtracking = format!("KEYS *{}b\r\n", "a".repeat(1_022));
    let broken: &[u8] = b"A\r\nB\0\xffC";
    let injected: &[u8] = b"x\r\n+OK\r\n$1\r\ny";
    vec![
        row("an unknown command of 5 KB", request(&[&long]), unknown(&"x".repeat(128), ""), Lives),
        row("it with CRLF, and a NUL and more", request(&[broken]), unknown("A  B", ""), Lives),
        row(
            "CRLF in what is quoted of its arguments",
            request(&[b"FOO", injected]),
            unknown("FOO", "'x  +OK  $1  y' "),
            Lives,
        ),
        row(
            "100,000 arguments of it",
            request(&vec![&b"FOO"[..]; 100_000]),
            unknown("FOO", &("'FOO' ".repeat(21) + "'FO' ")),
            Lives,
        ),
        row(
            "CRLF in a subcommand",
            request(&[b"CLIENT", injected]),
            "-ERR unknown subcommand 'x  +OK  $1  y'. Try CLIENT HELP.\r\n",
            Lives,
        ),
        row(
            "bytes that are no UTF-8 in an option, and a NUL",
            [
                request(&[b"EXPIRE", b"k", b"1", b"a\xff\0b"]),
                request(&[b"CLIENT", b"\xc3\0b"]),
                request(&[b"CONFIG", b"SET", b"\xfe\0b", b"1"]),
                request(&[b"HELLO", b"3", b"\x80\0b"]),
                request(&[b"FOO", b"\xffa\0b", b"c"]),
            ]
            .concat(),
            [
                &b"-ERR Unsupported option a\xff\r\n"[..],
                b"-ERR unknown subcommand '\xc3'. Try CLIENT HELP.\r\n",
                b"-ERR Unknown option or number of arguments for CONFIG SET - '\xfe'\r\n",
                b"-ERR Syntax error in HELLO option '\x80'\r\n",
                b"-ERR unknown command 'FOO', with args beginning with: '\xffa' 'c' \r\n",
            ]
            .concat(),
            Lives,
        ),
        row(
            "CRLF in an option",
            request(&[b"EXPIRE", b"k", b"1", b"a\r\nb"]),
            "-ERR Unsupported option a  b\r\n",
            Lives,
        ),
        row(
            "all 256 bytes as key and value",
            [request(&[b"SET", &all, &all]), request(&[b"GET", &all])].concat(),
            [b"+OK\r\n$256\r\n", &all[..], b"\r\n"].concat(),
            Lives,
        ),
        row(
            "empty key and value",
            [request(&[b"SET", b"", b""]), request(&[b"GET", b""])].concat(),
            "+OK\r\n$0\r\n\r\n",
            Lives,
        ),
        row(
            "a value that looks like requests",
            [request(&[b"SET", b"k", b"\r\n*1\r\n$7\r\nFLUSHDB\r\n"]), request(&[b"STRLEN", b"k"])].concat(),
            "+OK\r\n:19\r\n",
            Lives,
        ),
        row(
            "a key of 64 KiB and a byte",
            request(&[b"SET", &vec![b'k'; 65_537], b"v"]),
            "-ERR key of 65537 bytes exceeds max-key-bytes (65536)\r\n",
            Lives,
        ),
        row(
            "too few and too many arguments",
            "GET\r\nGET a b\r\nMSET a\r\nMSET a 1 b\r\n",
            wrong_number(&["get", "get", "mset", "mset"]),
            Lives,
        ),
        row(
            "a pattern that backtracks",
            format!("SET {} v\r\nKEYS {}b\r\n", "a".repeat(2_000), "a*".repeat(500)),
            "+OK\r\n*0\r\n",
            Lives,
        ),
        row(
            "a pattern that backtracks over 64 KB, many times",
            format!("SET {key} v\r\n{}DEL {key}\r\n", backtracking.repeat(20)),
            "+OK\r\n".to_owned() + &"*0\r\n".repeat(20) + ":1\r\n",
            Lives,
        ),
        row(
            "a pattern of 2 KB",
            format!("KEYS {}\r\n", "*".repeat(2_000)),
            "-ERR pattern of 2000 bytes exceeds the limit of 1024\r\n",
            Lives,
        ),
        row("a pattern that is not closed", "KEYS [\r\nKEYS \\\r\nKEYS [a-\r\n", "*0\r\n".repeat(3), Lives),
    ]
}

fn wrong_number(names: &[&str]) -> String {
    names.iter().map(|name| format!("-ERR wrong number of arguments for '{name}' command\r\n")).collect()
}

fn numbers() -> Vec<Row> {
    const MAX: &str = "9223372036854775807";
    const MIN: &str = "-9223372036854775808";
    let kept = |value: &str| format!("${}\r\n{value}\r\n", value.len());
    vec![
        row(
            "INCR at 2^63 - 1",
            format!("SET n {MAX}\r\nINCR n\r\nGET n\r\n"),
            format!("+OK\r\n{OVERFLOW}{}", kept(MAX)),
            Lives,
        ),
        row(
            "DECR at -2^63",
            format!("SET n {MIN}\r\nDECR n\r\nGET n\r\n"),
            format!("+OK\r\n{OVERFLOW}{}", kept(MIN)),
            Lives,
        ),
        row(
            "INCRBY past both ends",
            format!("SET n 1\r\nINCRBY n {MAX}\r\nSET n -2\r\nINCRBY n {MIN}\r\nGET n\r\n"),
            format!("+OK\r\n{OVERFLOW}+OK\r\n{OVERFLOW}$2\r\n-2\r\n"),
            Lives,
        ),
        row("DECRBY -2^63", format!("DECRBY n {MIN}\r\n"), "-ERR decrement would overflow\r\n", Lives),
        row(
            "INCRBY by what is no integer",
            "INCRBY n NaN\r\nINCRBY n 1.0\r\nINCRBY n +1\r\nINCRBY n 9223372036854775808\r\nINCRBY n \" 1\"\r\nINCRBY n \"\"\r\n",
            NO_INTEGER.repeat(6),
            Lives,
        ),
        row(
            "INCR of what is no integer",
            "MSET n inf m \"1 \" o 0x10\r\nINCR n\r\nINCR m\r\nINCR o\r\nMGET n m o\r\n",
            format!("+OK\r\n{}*3\r\n$3\r\ninf\r\n$2\r\n1 \r\n$4\r\n0x10\r\n", NO_INTEGER.repeat(3)),
            Lives,
        ),
    ]
}

fn times() -> Vec<Row> {
    let bad = |command: &str| format!("-ERR invalid expire time in '{command}' command\r\n");
    vec![
        row(
            "SET EX that overflows",
            "SET t old\r\nSET t new EX 9223372036854775807\r\nGET t\r\n",
            format!("+OK\r\n{}$3\r\nold\r\n", bad("set")),
            Lives,
        ),
        row(
            "SET PX that overflows",
            "SET t new PX 9223372036854775807\r\nGET t\r\n",
            format!("{}$3\r\nold\r\n", bad("set")),
            Lives,
        ),
        row(
            "SET EX of zero, less, and no number",
            "SET t new EX 0\r\nSET t new EX -1\r\nSET t new EX NaN\r\nGET t\r\n",
            format!("{}{NO_INTEGER}$3\r\nold\r\n", bad("set").repeat(2)),
            Lives,
        ),
        row(
            "SET with two times",
            "SET t new EX 1 PX 1\r\nSET t new EX 1 KEEPTTL\r\nSET t new EX\r\nGET t\r\n",
            format!("{}$3\r\nold\r\n", "-ERR syntax error\r\n".repeat(3)),
            Lives,
        ),
        row(
            "SETEX and PSETEX that overflow",
            "SETEX t 9223372036854775807 new\r\nPSETEX t 9223372036854775807 new\r\nGET t\r\n",
            format!("{}{}$3\r\nold\r\n", bad("setex"), bad("psetex")),
            Lives,
        ),
        row(
            "EXPIRE that overflows either way",
            "EXPIRE t 9223372036854775807\r\nEXPIRE t -9223372036854775807\r\nTTL t\r\n",
            format!("{}:-1\r\n", bad("expire").repeat(2)),
            Lives,
        ),
        row(
            "EXPIRE with two mistakes",
            "EXPIRE t abc ZZ\r\nEXPIRE t abc GT LT\r\nEXPIRE t abc\r\nTTL t\r\n",
            format!(
                "-ERR Unsupported option ZZ\r\n-ERR GT and LT options at the same time are not compatible\r\n{NO_INTEGER}:-1\r\n"
            ),
            Lives,
        ),
        row(
            "GETEX that overflows",
            "GETEX t EX 9223372036854775807\r\nTTL t\r\n",
            format!("{}:-1\r\n", bad("getex")),
            Lives,
        ),
        row(
            "a time of expiry 292 million years ahead",
            "SET far v PXAT 9223372036854775807\r\nGET far\r\nSET far v PXAT 1\r\nGET far\r\n",
            "+OK\r\n$1\r\nv\r\n+OK\r\n$-1\r\n",
            Lives,
        ),
    ]
}

fn connections() -> Vec<Row> {
    vec![
        row("QUIT amid a pipeline", "SET q 1\r\nQUIT\r\nSET q 2\r\nPING\r\n", "+OK\r\n+OK\r\n", Ends),
        row("what came behind QUIT", "GET q\r\n", "$1\r\n1\r\n", Lives),
        row(
            "QUIT with 10 MB behind it",
            "QUIT\r\n".to_owned() + &"SET q 2\r\n".repeat(1_200_000),
            "+OK\r\n",
            Ends,
        ),
        row(
            "killing oneself amid a pipeline",
            "CLIENT KILL TYPE normal SKIPME no\r\nSET q 3\r\n",
            ":1\r\n",
            Ends,
        ),
        row(
            "CLIENT REPLY OFF over errors",
            "CLIENT REPLY OFF\r\nFOO\r\nGET\r\nPING\r\nCLIENT REPLY ON\r\n",
            "+OK\r\n",
            Lives,
        ),
        row("DEBUG without permission", "DEBUG PANIC\r\nPING\r\n", format!("{}+PONG\r\n", NO_DEBUG), Lives),
        row(
            "a word at most 65,536 bytes long as PING's",
            request(&[b"PING", &vec![b'p'; 65_536]]),
            format!("$65536\r\n{}\r\n", "p".repeat(65_536)),
            Lives,
        ),
        row(
            "a name with a line end",
            request(&[b"CLIENT", b"SETNAME", b"a\nb"]),
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
            Lives,
        ),
        row(
            "a name of 10 KB",
            request(&[b"CLIENT", b"SETNAME", &vec![b'n'; 10_000]]),
            "-ERR Client names cannot be longer than 256 bytes.\r\n",
            Lives,
        ),
        row(
            "100,000 commands that do not exist",
            "FOO\r\n".repeat(100_000),
            unknown("FOO", "").repeat(100_000),
            Lives,
        ),
    ]
}

const NO_DEBUG: &str = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run \
     it from a local connection, otherwise you need to set this option in the configuration file, and then restart the \
     server.\r\n";

fn settings() -> Vec<Row> {
    let failed = |name: &str, why: &str| {
        format!("-ERR CONFIG SET failed (possibly related to argument '{name}') - {why}\r\n")
    };
    let out_of_range = failed("maxclients", "argument must be between 1 and 4294967295 inclusive");
    let unknown = "-ERR Unknown option or number of arguments for CONFIG SET - 'a  b'\r\n";
    // The second half meets the names of the first before its own.
    let (save, appendonly) = ([&b"save"[..], b""], [&b"appendonly"[..], b"no"]);
    let many = [&[&b"CONFIG"[..], b"SET"][..], &save.repeat(150_000), &appendonly.repeat(150_000)].concat();
    let half =
        "CONFIG SET timeout 1 timeout 2\r\nCONFIG SET timeout 1 maxclients 0\r\nCONFIG GET timeout\r\n";
    let kept = "*2\r\n$7\r\ntimeout\r\n$4\r\n3600\r\n";
    vec![
        row(
            "CONFIG SET of 0, -1, 2^64 clients",
            "CONFIG SET maxclients 0\r\nCONFIG SET maxclients -1\r\nCONFIG SET maxclients 18446744073709551616\r\n",
            out_of_range.repeat(3),
            Lives,
        ),
        row(
            "CONFIG SET of what is fixed",
            "CONFIG SET port 1\r\n",
            failed("port", "can't set immutable config"),
            Lives,
        ),
        row("CRLF in the name of an option", request(&[b"CONFIG", b"SET", b"a\r\nb", b"1"]), unknown, Lives),
        row(
            "CONFIG SET that fails half-way",
            half,
            failed("timeout", "duplicate parameter") + &out_of_range + kept,
            Lives,
        ),
        row("CONFIG SET of 300,000 settings at once", request(&many), "+OK\r\n", Lives),
        row("CONFIG GET of 64 patterns", config_get(64), "*0\r\n", Lives),
        row(
            "CONFIG GET of 300,000 patterns at once",
            config_get(300_000),
            "-ERR too many or too long patterns for one CONFIG GET\r\n",
            Lives,
        ),
    ]
}

fn config_get(patterns: usize) -> Vec<u8> {
    request(&[&[&b"CONFIG"[..], b"GET"][..], &vec![&b"*?*?*!"[..]; patterns]].concat())
}

/// Settings that would keep the next `CONFIG SET` from being understood, or let it make no sense.
fn lock_outs() -> Vec<Row> {
    let failed = |name: &str, why: &str| {
        format!("-ERR CONFIG SET failed (possibly related to argument '{name}') - {why}\r\n")
    };
    let least = |name: &str, min: &str, max: &str| {
        failed(name, &format!("argument must be between {min} and {max} inclusive"))
    };
    let rest = "client-query-buffer-limit 1kb max-reply-bytes 1kb maxmemory-clients 64kb timeout 100ms";
    let tightest = format!(
        "CONFIG SET max-request-args 16 max-key-bytes 1 proto-max-bulk-len 64 max-inline-bytes 64 max-request-bytes 1kb\r\n\
         {}CONFIG SET timeout 0\r\n{}CONFIG SET maxmemory-clients 2gb\r\nPING\r\n",
        String::from_utf8_lossy(&words(&format!("CONFIG SET {rest}"))),
        String::from_utf8_lossy(&words(
            "CONFIG SET max-request-args 1000000 max-key-bytes 64kb proto-max-bulk-len 512mb max-inline-bytes 64kb \
             max-request-bytes 1gb client-query-buffer-limit 1gb max-reply-bytes 1gb"
        )),
    );
    vec![
        row(
            "limits too small for CONFIG SET",
            "CONFIG SET max-request-args 3\r\nCONFIG SET max-inline-bytes 63\r\nCONFIG SET proto-max-bulk-len 63\r\n\
             CONFIG SET max-request-bytes 1023\r\nCONFIG SET client-query-buffer-limit 1023\r\n\
             CONFIG SET maxmemory-clients 1\r\nCONFIG SET timeout 1ms\r\nCONFIG SET max-request-args 1048576\r\n",
            least("max-request-args", "16", "2147483647")
                + &least("max-inline-bytes", "64", "4294967295")
                + &least("proto-max-bulk-len", "64", "4294967295")
                + &least("max-request-bytes", "1024", "4294967295")
                + &least("client-query-buffer-limit", "1024", "4294967295")
                + &failed("maxmemory-clients", "argument must be 0 or at least 65536")
                + &failed("timeout", "argument must be 0 or at least 100ms")
                + "+OK\r\n",
            Lives,
        ),
        row(
            "limits that contradict each other",
            "CONFIG SET timeout 7 proto-max-bulk-len 2gb\r\nCONFIG GET timeout\r\nCONFIG GET proto-max-bulk-len\r\n",
            failed(
                "proto-max-bulk-len",
                "proto-max-bulk-len (2147483648) must not exceed max-request-bytes (1073741824)",
            ) + "*2\r\n$7\r\ntimeout\r\n$4\r\n3600\r\n*2\r\n$18\r\nproto-max-bulk-len\r\n$9\r\n536870912\r\n",
            Lives,
        ),
        row("all limits as small as can be, and back", tightest, "+OK\r\n".repeat(5) + "+PONG\r\n", Lives),
    ]
}

/// A line as a request of the other form.
fn words(line: &str) -> Vec<u8> {
    let words: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
    request(&words)
}

fn sessions() -> Vec<Row> {
    vec![
        row(
            "HELLO with junk for a version",
            "HELLO 4\r\nHELLO 0\r\nHELLO three\r\nGET none\r\n",
            "-NOPROTO unsupported protocol version\r\n".repeat(2)
                + "-ERR Protocol version is not an integer or out of range\r\n$-1\r\n",
            Lives,
        ),
        row(
            "HELLO 3 with junk behind it stays at RESP2",
            "HELLO 3 NOPE\r\nHELLO 3 AUTH default\r\nHELLO 3 SETNAME\r\nGET none\r\n",
            ["NOPE", "AUTH", "SETNAME"]
                .map(|word| format!("-ERR Syntax error in HELLO option '{word}'\r\n"))
                .concat()
                + "$-1\r\n",
            Lives,
        ),
        row(
            "HELLO with a wrong user",
            "HELLO 3 AUTH nobody x\r\nGET none\r\n",
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n$-1\r\n",
            Lives,
        ),
        row(
            "another database",
            "SELECT 16\r\nSELECT -1\r\nSELECT 99999999999\r\nSELECT x\r\n",
            "-ERR DB index is out of range\r\n".repeat(2)
                + "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"
                + NO_INTEGER,
            Lives,
        ),
    ]
}
