//! Hashes: the replies of each command for each form of a hash, and that a large hash stalls no client.

use crate::harness::{Daemon, within};
use crate::talks::{Talk, talk, talk_in};

pub const TALKS: &[Talk] = &[
    talk(
        "fields are set, read and removed, and the last one takes the key with it",
        &[
            ("a", "HSET h f 1 g 2", ":2"),
            ("a", "HSET h f 3 i 4 i 5", ":1"),
            ("a", "HGET h f\nHGET h none\nHGET none f", "'3' $nil $nil"),
            ("a", "HMGET h f none i f\nHMGET none f g", "*['3' $nil '5' '3'] *[$nil $nil]"),
            ("a", "HLEN h\nHLEN none\nHEXISTS h g\nHEXISTS h none\nHEXISTS none f", ":3 :0 :1 :0 :0"),
            ("a", "HSTRLEN h f\nHSTRLEN h none\nHSTRLEN none f", ":1 :0 :0"),
            ("a", "HKEYS h\nHVALS h\nHKEYS none\nHVALS none", "*['f' 'g' 'i'] *['3' '2' '5'] *[] *[]"),
            ("a", "HMSET h g 7 j 8", "+OK"),
            ("a", "HGETALL h", "%['f' '3' 'g' '7' 'i' '5' 'j' '8']"),
            ("a", "HGETALL none", "%[]"),
            ("a", "HSETNX h f x\nHSETNX h k 9\nHSETNX new f 1", ":0 :1 :1"),
            ("a", "TYPE h\nEXISTS h none\nTTL h", "+hash :1 :-1"),
            ("a", "HDEL h f f none\nHDEL none f", ":1 :0"),
            ("a", "HDEL h g i j k\nEXISTS h\nTYPE h", ":4 :0 +none"),
            ("a", "DEL new h", ":1"),
        ],
    ),
    talk(
        "a key holds one kind of value, and WRONGTYPE says so",
        &[
            ("a", "SET s v\nHSET h f v", "+OK :1"),
            ("a", "HGET s f", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "HSET s f v", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "HDEL s f", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "HGETALL s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "HINCRBY s f 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "HSCAN s 0", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "HRANDFIELD s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "GET h", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "APPEND h x", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "INCR h", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "STRLEN h", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "GETDEL h", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "GETSET h x", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "SET h x GET", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "GETEX h", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("a", "MGET s h", "*['v' $nil]"),
            (
                "a",
                "HGET h f\nSETNX h x\nSET h x\nGET h\nHLEN h",
                "'v' :0 +OK 'x' -WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
        ],
    ),
    talk(
        "integers and floats are counted in a field as in a key",
        &[
            ("a", "HINCRBY h n 5\nHINCRBY h n -7\nHGET h n", ":5 :-2 '-2'"),
            ("a", "HSET h w word big 9223372036854775807", ":2"),
            ("a", "HINCRBY h w 1", "-ERR hash value is not an integer"),
            ("a", "HINCRBY h n x", "-ERR value is not an integer or out of range"),
            ("a", "HINCRBY h big 1", "-ERR increment or decrement would overflow"),
            ("a", "HINCRBYFLOAT h f 10.50\nHINCRBYFLOAT h f 0.1\nHINCRBYFLOAT h f -5", "'10.5' '10.6' '5.6'"),
            ("a", "HINCRBYFLOAT h e 5.0e3\nHINCRBYFLOAT h e 2.0e2", "'5000' '5200'"),
            ("a", "HINCRBYFLOAT h t 0.1\nHINCRBYFLOAT h t 0.2\nHINCRBYFLOAT h t -0.3", "'0.1' '0.3' '0'"),
            (
                "a",
                "HINCRBYFLOAT h s 3\nHINCRBYFLOAT h s 1e-17\nHINCRBYFLOAT h s 1000.7",
                "'3' '3.00000000000000001' '1003.70000000000000001'",
            ),
            (
                "a",
                "HINCRBYFLOAT h l 1e22\nHINCRBYFLOAT h l 0.3",
                "'10000000000000000000000' '10000000000000000000000'",
            ),
            ("a", "HINCRBYFLOAT h w 1", "-ERR hash value is not a float"),
            ("a", "HINCRBYFLOAT h f x", "-ERR value is not a valid float"),
            ("a", "HINCRBYFLOAT h f inf", "-ERR value is NaN or Infinity"),
            ("a", "HGET h f\nHGET h w", "'5.6' 'word'"),
        ],
    ),
    talk(
        "what makes no sense is refused in Redis's words",
        &[
            ("a", "HSET h f", "-ERR wrong number of arguments for 'hset' command"),
            ("a", "HSET h f v g", "-ERR wrong number of arguments for 'hset' command"),
            ("a", "HMSET h f v g", "-ERR wrong number of arguments for 'hmset' command"),
            ("a", "HSCAN h x", "-ERR invalid cursor"),
            ("a", "HSCAN h 0 COUNT 0\nHSCAN h 0 TYPE hash\nHSET h f v", "*['0' *[]] *['0' *[]] :1"),
            ("a", "HSCAN h 0 COUNT 0\nHSCAN h 0 TYPE hash", "-ERR syntax error -ERR syntax error"),
            ("a", "HRANDFIELD h x", "-ERR value is not an integer or out of range"),
            ("a", "HRANDFIELD h 1 VALUES", "-ERR syntax error"),
            (
                "a",
                "HRANDFIELD h -9223372036854775808 VALUES",
                "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ),
            (
                "a",
                "HRANDFIELD h -9223372036854775808",
                "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ),
            ("a", "HRANDFIELD h 5000000000000000000 WITHVALUES", "-ERR value is out of range"),
        ],
    ),
    talk(
        "fields are picked at random and iterated over",
        &[
            ("a", "HSET h f v", ":1"),
            ("a", "HRANDFIELD h\nHRANDFIELD none", "'f' $nil"),
            (
                "a",
                "HRANDFIELD h 5\nHRANDFIELD h 0\nHRANDFIELD h -3\nHRANDFIELD none 2",
                "*['f'] *[] *['f' 'f' 'f'] *[]",
            ),
            (
                "a",
                "HSCAN h 0\nHSCAN h 0 MATCH f* COUNT 5\nHSCAN h 0 MATCH x*\nHSCAN none 0",
                "*['0' *['f' 'v']] *['0' *['f' 'v']] *['0' *[]] *['0' *[]]",
            ),
            ("a", "SET s v", "+OK"),
            (
                "a",
                "SCAN 0 COUNT 100 TYPE hash\nSCAN 0 COUNT 100 TYPE string\nSCAN 0 COUNT 100 TYPE list",
                "*['0' *['h']] *['0' *['s']] *['0' *[]]",
            ),
        ],
    ),
    talk_in(
        &[2],
        "in RESP2 fields and values come flat",
        &[(
            "a",
            "HSET h f v\nHRANDFIELD h 2 WITHVALUES\nHRANDFIELD h -2 WITHVALUES",
            ":1 *['f' 'v'] *['f' 'v' 'f' 'v']",
        )],
    ),
    talk_in(
        &[3],
        "in RESP3 each field and its value are an array of their own",
        &[(
            "a",
            "HSET h f v\nHRANDFIELD h 2 WITHVALUES\nHRANDFIELD h -2 WITHVALUES",
            ":1 *[*['f' 'v']] *[*['f' 'v'] *['f' 'v']]",
        )],
    ),
    talk(
        "a change of a field touches who watches the key",
        &[
            ("a", "HSET h f 1\nWATCH h", ":1 +OK"),
            ("b", "HINCRBY h f 1", ":2"),
            ("a", "MULTI\nHGET h f\nEXEC", "+OK +QUEUED *nil"),
            ("a", "WATCH h\nMULTI\nHSET h f 3\nEXEC", "+OK +OK +QUEUED *[:0]"),
        ],
    ),
];

/// So many fields that the hash is kept in a table of its own.
const MANY: usize = 100_000;

fn fill(daemon: &Daemon, key: &str) {
    let mut wire = daemon.connect();
    for batch in 0..MANY / 1_000 {
        let fields: String =
            (batch * 1_000..(batch + 1) * 1_000).map(|n| format!(" field:{n:06} {n}")).collect();
        wire.ask(format!("HSET {key}{fields}\r\n"), ":1000\r\n");
    }
}

#[test]
fn a_large_hash_is_iterated_whole_and_its_memory_comes_back() {
    let daemon = Daemon::start(&[]);
    fill(&daemon, "h");
    let mut client = daemon.client("");
    let (mut cursor, mut seen) = (0_u64, std::collections::BTreeSet::new());
    loop {
        let (next, found): (u64, Vec<(String, String)>) =
            redis::cmd("HSCAN").arg("h").arg(cursor).arg("COUNT").arg(100).query(&mut client).unwrap();
        for (field, value) in found {
            assert_eq!(field[6..].parse::<usize>().unwrap().to_string(), value);
            seen.insert(field);
        }
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), MANY);
    let sample: Vec<String> = redis::cmd("HRANDFIELD").arg("h").arg(500).query(&mut client).unwrap();
    assert_eq!(sample.iter().collect::<std::collections::BTreeSet<_>>().len(), 500, "all are different");
    let mut wire = daemon.connect();
    let held = |wire: &mut crate::harness::Wire| wire.info("used_memory_dataset").parse::<usize>().unwrap();
    assert!(held(&mut wire) > MANY * 14);
    wire.ask("DEL h\r\nDBSIZE\r\n", ":1\r\n:0\r\n");
    // The list of names that small hashes share stays: the hash was small once.
    within("the memory to be freed", || (held(&mut wire) < 50_000).then_some(()));
}

#[test]
fn a_panic_inside_a_large_hash_leaves_it_as_it_was() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    fill(&daemon, "h");
    let mut judge = daemon.connect();
    for command in [
        "HSET h field:000001 new fresh new",
        "HDEL h field:000001 field:000002",
        "HINCRBY h field:000001 5",
        "DEL h",
    ] {
        for nth in 1.. {
            let mut victim = daemon.connect();
            victim.send(format!("DEBUG PANIC {nth}\r\n{command}\r\nQUIT\r\n"));
            let heard = String::from_utf8(victim.rest()).unwrap();
            if heard != "+OK\r\n-ERR internal error\r\n" {
                assert!(nth > 1, "{command} was never interrupted");
                break;
            }
            judge.ask("HGET h field:000001\r\nHLEN h\r\n", format!("$1\r\n1\r\n:{MANY}\r\n"));
        }
        judge = daemon.connect();
        judge.send("DEBUG PANIC 0\r\nDEL h\r\n");
        judge.line();
        judge.line();
        fill(&daemon, "h");
    }
}

#[test]
fn what_would_take_too_long_is_refused() {
    let daemon = Daemon::start(&["--max-key-bytes", "1000"]);
    let mut wire = daemon.connect();
    wire.ask("HSET h f v\r\n", ":1\r\n");
    wire.ask("HRANDFIELD h -5000000000\r\n", "-ERR value is out of range, at most 131072 picks\r\n");
    let field = "f".repeat(1_001);
    let refused = "-ERR field of 1001 bytes exceeds max-key-bytes (1000)\r\n";
    for command in
        [format!("HSET h g 1 {field} v"), format!("HSETNX h {field} v"), format!("HINCRBY h {field} 1")]
    {
        wire.ask(format!("{command}\r\n"), refused);
    }
    wire.ask(
        format!("PUBLISH {field} m\r\nHLEN h\r\n"),
        "-ERR channel of 1001 bytes exceeds max-key-bytes (1000)\r\n:1\r\n",
    );
}
