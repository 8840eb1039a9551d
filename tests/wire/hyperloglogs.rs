//! HyperLogLogs: errors, and who hears of a count that is remembered.

use std::time::{Duration, Instant};

use crate::harness::Daemon;
use crate::talks::{Talk, talk, talk_in};

pub const TALKS: &[Talk] = &[
    talk(
        "a HyperLogLog is a string; a string that is none, and another value, have errors of their own",
        &[
            ("a", "PFADD h x y\nPFADD h y x\nPFADD h", ":1 :0 :0"),
            ("a", "STRLEN h\nPFDEBUG DECODE h\nPFCOUNT h", ":23 'Z:14932 v:3,1 Z:1441 v:2,1 z:9' :2"),
            ("a", "SET s v\nRPUSH l v", "+OK :1"),
            ("a", "PFADD s", "-WRONGTYPE Key is not a valid HyperLogLog string value."),
            ("a", "PFCOUNT none s", "-WRONGTYPE Key is not a valid HyperLogLog string value."),
            ("a", "PFMERGE s h", "-WRONGTYPE Key is not a valid HyperLogLog string value."),
            ("a", "PFMERGE h s", "-WRONGTYPE Key is not a valid HyperLogLog string value."),
            ("a", "PFDEBUG TODENSE s", "-WRONGTYPE Key is not a valid HyperLogLog string value."),
            ("a", "PFADD l x", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "PFCOUNT l", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "PFMERGE none l", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "PFDEBUG FOO l", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "PFDEBUG FOO none", "-ERR The specified key does not exist"),
            ("a", "PFDEBUG FOO h", "-ERR Unknown PFDEBUG subcommand 'FOO'"),
            ("a", "PFDEBUG TODENSE h\nPFDEBUG TODENSE h\nPFDEBUG ENCODING h", ":1 :0 +dense"),
            ("a", "PFDEBUG DECODE h", "-ERR HLL encoding is not sparse"),
            ("a", "PFCOUNT h none\nEXISTS none s l", ":2 :2"),
            ("a", "PFSELFTEST", "+OK"),
        ],
    ),
    talk(
        "registers that are described wrongly are found by those who read them",
        &[
            ("a", "PFADD h x\nPFCOUNT h\nAPPEND h abc", ":1 :1 :23"),
            ("a", "PFCOUNT h", ":1"),
            ("a", "PFCOUNT h none", "-INVALIDOBJ Corrupted HLL object detected"),
            ("a", "PFMERGE none h", "-INVALIDOBJ Corrupted HLL object detected"),
            ("a", "PFDEBUG GETREG h", "-INVALIDOBJ Corrupted HLL object detected"),
            ("a", "PFDEBUG TODENSE h", "-INVALIDOBJ Corrupted HLL object detected"),
            ("a", "PFADD h x\nEXISTS none\nSTRLEN h", ":0 :0 :23"),
            ("a", "SETBIT h 120 1", ":0"),
            ("a", "PFCOUNT h", "-INVALIDOBJ Corrupted HLL object detected"),
            ("a", "SETRANGE h 16 abc\nGETRANGE h 0 3", ":23 'HYLL'"),
            ("a", "CONFIG SET hll-sparse-max-bytes 0", "+OK"),
            ("a", "PFADD h y", "-INVALIDOBJ Corrupted HLL object detected"),
            ("a", "CONFIG SET hll-sparse-max-bytes 3000", "+OK"),
        ],
    ),
    talk(
        "the first count after a change is written into the key, and those who watch it hear of that",
        &[
            ("a", "PFADD h x y\nWATCH h", ":1 +OK"),
            ("b", "PFCOUNT h other\nPFDEBUG DECODE h", ":2 'Z:14932 v:3,1 Z:1441 v:2,1 z:9'"),
            ("a", "MULTI\nPING\nEXEC", "+OK +QUEUED *[+PONG]"),
            ("a", "WATCH h", "+OK"),
            ("b", "PFCOUNT h\nGETBIT h 120", ":2 :0"),
            ("a", "MULTI\nPING\nEXEC", "+OK +QUEUED *nil"),
            ("a", "WATCH h", "+OK"),
            ("b", "PFCOUNT h\nPFADD h y x\nPFADD h", ":2 :0 :0"),
            ("a", "MULTI\nPING\nEXEC", "+OK +QUEUED *[+PONG]"),
            ("a", "WATCH h other", "+OK"),
            ("b", "PFMERGE other h", "+OK"),
            ("a", "MULTI\nPING\nEXEC", "+OK +QUEUED *nil"),
            ("a", "WATCH none", "+OK"),
            ("b", "PFADD none", ":1"),
            ("a", "MULTI\nPING\nEXEC", "+OK +QUEUED *nil"),
        ],
    ),
    talk_in(
        &[3],
        "a client that keeps a copy of a count is told of the next change, and not of its own count",
        &[
            ("a", "PFADD h x y\nCLIENT TRACKING ON\nPFCOUNT h", ":1 +OK :2"),
            ("b", "PFCOUNT h\nPFADD h z", ":2 :1"),
            ("a", "", ">['invalidate' *['h']]"),
            ("a", "GET none", "_"),
            ("b", "SET none v", "+OK"),
            ("a", "", ">['invalidate' *['none']]"),
        ],
    ),
    talk(
        "a pause of writes holds a count, because it may be written",
        &[
            ("a", "PFADD h x\nCLIENT PAUSE 100000 WRITE", ":1 +OK"),
            ("b", "PFCOUNT h\nGET none", ""),
            ("a", "GET none\nCLIENT UNPAUSE", "$nil +OK"),
            ("b", "", ":1 $nil"),
        ],
    ),
    talk(
        "a HyperLogLog keeps its time of expiry",
        &[
            ("a", "PFADD h x\nEXPIRE h 1000\nPFADD h y\nTTL h", ":1 :1 :1 :1000"),
            ("a", "PFCOUNT h\nTTL h\nPFMERGE h none\nTTL h", ":2 :1000 +OK :1000"),
            ("a", "PFDEBUG TODENSE h\nTTL h\nPFADD h z\nTTL h", ":1 :1000 :1 :1000"),
        ],
    ),
];

/// The self test runs while others wait, so it must be short.
#[test]
fn the_self_test_takes_a_moment() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let began = Instant::now();
    wire.ask("PFSELFTEST\r\n", "+OK\r\n");
    // About 1 ms in a release build.
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}
