//! What operators ask for: slow commands, memory, encodings, replication that is not there, word for word.

use crate::harness::{Daemon, within};
use crate::talks::{Talk, frame, talk, talk_72, talk_in};

pub const TALKS: &[Talk] = &[
    talk(
        "the server answers as a master without replicas, logs and clusters",
        &[
            ("a", "WAIT 0 0\nWAIT x 0", ":0 -ERR value is not an integer or out of range"),
            (
                "a",
                "WAIT 0 -1\nWAIT 0 x",
                "-ERR timeout is negative -ERR timeout is not an integer or out of range",
            ),
            ("a", "ROLE", "*['master' :0 *[]]"),
            (
                "a",
                "REPLCONF capa eof\nREPLCONF capa\nREPLCONF foo x",
                "+OK -ERR syntax error -ERR Unrecognized REPLCONF option: foo",
            ),
            (
                "a",
                "FAILOVER\nFAILOVER ABORT\nFAILOVER FOO",
                "-ERR FAILOVER requires connected replicas. -ERR No failover in progress. -ERR syntax error",
            ),
            (
                "a",
                "CLUSTER INFO\nREADONLY",
                "-ERR This instance has cluster support disabled -ERR This instance has cluster support disabled",
            ),
            (
                "a",
                "READWRITE\nASKING",
                "-ERR This instance has cluster support disabled -ERR This instance has cluster support disabled",
            ),
            (
                "a",
                "MODULE LIST\nREPLICAOF NO ONE\nSLAVEOF no one\nREPLICAOF x y",
                "*[] +OK +OK -ERR Invalid master port",
            ),
            ("a", "CONFIG REWRITE", "-ERR The server is running without a config file"),
        ],
    ),
    talk_72(
        &[2, 3],
        "no log on disk and no replica has any write",
        &[
            (
                "a",
                "WAITAOF 0 0 0\nWAITAOF 1 0 0",
                "*[:0 :0] -ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
            ),
            ("a", "WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1"),
        ],
    ),
    talk(
        "the options of Redis about encodings decide which encoding is named",
        &[
            ("a", "CONFIG SET hash-max-listpack-entries 2 zset-max-listpack-value 3", "+OK"),
            ("a", "HSET h a 1 b 2\nHSET h2 a 1 b 2 c 3\nZADD z 1 abc\nZADD z2 1 abcd", ":2 :3 :1 :1"),
            ("a", "OBJECT ENCODING h\nOBJECT ENCODING h2", "'listpack' 'hashtable'"),
            ("a", "OBJECT ENCODING z\nOBJECT ENCODING z2", "'listpack' 'skiplist'"),
            ("a", "CONFIG SET set-max-intset-entries 1\nSADD s 1\nSADD s2 1 2", "+OK :1 :2"),
            (
                "a",
                "OBJECT ENCODING s\nCONFIG GET hash-max-listpack-entries",
                "'intset' %['hash-max-listpack-entries' '2']",
            ),
            ("a", "CONFIG SET hash-max-listpack-entries 128 zset-max-listpack-value 64", "+OK"),
            (
                "a",
                "CONFIG SET set-max-intset-entries 512 list-max-listpack-size -1 list-compress-depth 1",
                "+OK",
            ),
            ("a", "CONFIG SET list-max-listpack-size -2 list-compress-depth 0", "+OK"),
        ],
    ),
    talk_72(
        &[2, 3],
        "a list is a listpack as long as one node of Redis would hold it",
        &[
            ("a", "RPUSH l a\nRPUSH l2 a b", ":1 :2"),
            (
                "a",
                "CONFIG SET list-max-listpack-size 0\nOBJECT ENCODING l\nOBJECT ENCODING l2",
                "+OK 'listpack' 'quicklist'",
            ),
            ("a", "CONFIG SET list-max-listpack-size -2", "+OK"),
        ],
    ),
    talk(
        "an encoding has the name that Redis has for it",
        &[
            (
                "a",
                "MSET i 12345 s short l 0123456789012345678901234567890123456789abcdefgh\nHSET h f v",
                "+OK :1",
            ),
            (
                "a",
                "OBJECT ENCODING i\nOBJECT ENCODING s\nOBJECT ENCODING l\nOBJECT ENCODING h",
                "'int' 'embstr' 'raw' 'listpack'",
            ),
            (
                "a",
                "HSET h g 0123456789012345678901234567890123456789012345678901234567890123456789\nOBJECT ENCODING h",
                ":1 'hashtable'",
            ),
            (
                "a",
                "OBJECT ENCODING none\nOBJECT FREQ none\nOBJECT IDLETIME none\nMEMORY USAGE none",
                "$nil $nil $nil $nil",
            ),
            ("a", "OBJECT REFCOUNT s\nOBJECT IDLETIME s", ":1 :0"),
            (
                "a",
                "OBJECT FREQ s",
                "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
                 switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ),
            (
                "a",
                "MEMORY USAGE s SAMPLES -1\nMEMORY USAGE s FOO 1\nMEMORY PURGE",
                "-ERR syntax error -ERR syntax error +OK",
            ),
            ("a", "OBJECT FOO k", "-ERR unknown subcommand 'FOO'. Try OBJECT HELP."),
        ],
    ),
    talk(
        "keys of a command can be asked for",
        &[
            ("a", "COMMAND GETKEYS MSET a 1 b 2\nCOMMAND GETKEYS OBJECT ENCODING k", "*['a' 'b'] *['k']"),
            ("a", "COMMAND GETKEYS SORT a STORE z\nCOMMAND GETKEYS SORT a", "*['a' 'z'] *['a']"),
            (
                "a",
                "COMMAND GETKEYS FOO a\nCOMMAND GETKEYS PING x",
                "-ERR Invalid command specified -ERR The command has no key arguments",
            ),
            (
                "a",
                "COMMAND GETKEYS SET k\nCOMMAND GETKEYS BITOP AND d a b",
                "-ERR Invalid number of arguments specified for command *['d' 'a' 'b']",
            ),
        ],
    ),
    talk(
        "a word that names no command has no keys, and a transaction cannot begin to monitor",
        &[
            ("a", "COMMAND GETKEYS OBJECT FOO a", "-ERR Invalid command specified"),
            (
                "a",
                "MULTI\nMONITOR\nEXEC",
                "+OK +QUEUED *[-ERR MONITOR isn't allowed for DENY BLOCKING client]",
            ),
        ],
    ),
    talk_in(
        &[2],
        "and what the command does with them",
        &[
            (
                "a",
                "COMMAND GETKEYSANDFLAGS RENAME a b",
                "*[*['a' *[+RW +access +delete]] *['b' *[+OW +update]]]",
            ),
            ("a", "COMMAND GETKEYSANDFLAGS SET k v", "*[*['k' *[+OW +update]]]"),
            ("a", "COMMAND GETKEYSANDFLAGS SET k v GET", "*[*['k' *[+RW +access +update]]]"),
            ("a", "COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 GET u8 8", "*[*['k' *[+RO +access]]]"),
            (
                "a",
                "COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 SET u8 0 1",
                "*[*['k' *[+RW +access +update]]]",
            ),
            (
                "a",
                "COMMAND GETKEYSANDFLAGS SORT k LIMIT 0 1 STORE d",
                "*[*['k' *[+RO +access]] *['d' *[+OW +update]]]",
            ),
        ],
    ),
    talk(
        "slow commands are kept, the newest first, until they are forgotten",
        &[
            (
                "a",
                "CONFIG SET slowlog-log-slower-than 10000 slowlog-max-len 2\nSLOWLOG RESET\nSLOWLOG GET",
                "+OK +OK *[]",
            ),
            ("a", "DEBUG SLEEP 0.011\nDEBUG SLEEP 0.012\nDEBUG SLEEP 0.013\nSLOWLOG LEN", "+OK +OK +OK :2"),
            (
                "a",
                "SLOWLOG RESET\nSLOWLOG LEN\nSLOWLOG GET -2",
                "+OK :0 -ERR count should be greater than or equal to -1",
            ),
            ("a", "CONFIG SET slowlog-log-slower-than -1\nDEBUG SLEEP 0.011\nSLOWLOG LEN", "+OK +OK :0"),
            ("a", "CONFIG SET slowlog-log-slower-than 10000 slowlog-max-len 128", "+OK"),
        ],
    ),
    talk(
        "slow seconds are kept for each event",
        &[
            (
                "a",
                "CONFIG SET latency-monitor-threshold 10\nLATENCY RESET\nLATENCY LATEST\nLATENCY HISTORY command",
                "+OK :0 *[] *[]",
            ),
            ("a", "LATENCY GRAPH command", "-ERR No samples available for event 'command'"),
            (
                "a",
                "DEBUG SLEEP 0.02\nLATENCY RESET foo\nLATENCY RESET command\nLATENCY LATEST",
                "+OK :0 :1 *[]",
            ),
            ("a", "CONFIG SET latency-monitor-threshold 0\nDEBUG SLEEP 0.02\nLATENCY LATEST", "+OK +OK *[]"),
        ],
    ),
];

#[test]
fn an_entry_of_the_slow_log_says_who_sent_what() {
    let daemon = Daemon::start(&["--slowlog-log-slower-than", "0"]);
    let mut wire = daemon.connect();
    wire.ask("CLIENT SETNAME me\r\nSLOWLOG RESET\r\n", "+OK\r\n+OK\r\n");
    let many = " x".repeat(40);
    let long = "y".repeat(200);
    wire.ask(format!("SET k {long}\r\nEXISTS{many}\r\n"), "+OK\r\n:0\r\n");
    wire.send("SLOWLOG GET 2\r\n");
    let told = frame(&mut wire);
    assert!(told.contains("'... (10 more arguments)'") && told.contains("... (72 more bytes)'"), "{told}");
    assert!(told.contains("'127.0.0.1:") && told.contains("'me'"), "{told}");
    wire.send(
        "AUTH default secret\r\nHELLO 2 AUTH default secret SETNAME me\r\nCONFIG SET masterauth secret\r\n",
    );
    (0..3).for_each(|_| drop(frame(&mut wire)));
    wire.send("SLOWLOG GET 3\r\n");
    let told = frame(&mut wire);
    assert!(
        !told.contains("secret")
            && told.contains("'HELLO' '2' 'AUTH' '(redacted)' '(redacted)' 'SETNAME' 'me'"),
        "{told}"
    );
}

#[test]
fn a_monitor_sees_what_others_run_and_no_secrets() {
    let daemon = Daemon::start(&[]);
    let (mut monitor, mut wire) = (daemon.connect(), daemon.connect());
    monitor.ask("MONITOR\r\n", "+OK\r\n");
    wire.ask("SELECT 2\r\nSET k \"a\\nb\\x00\"\r\nCONFIG GET port\r\n", {
        let port = daemon.address.port().to_string();
        format!("+OK\r\n+OK\r\n*2\r\n$4\r\nport\r\n${}\r\n{port}\r\n", port.len())
    });
    wire.ask("AUTH default secret\r\nMULTI\r\nINCR n\r\nEXEC\r\n", "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
    wire.send("HELLO 3 AUTH default secret\r\n");
    frame(&mut wire);
    let mut lines = Vec::new();
    for part in [
        "\"SELECT\" \"2\"",
        "\"SET\" \"k\" \"a\\nb\\x00\"",
        "\"AUTH\" \"(redacted)\" \"(redacted)\"",
        "\"MULTI\"",
        "\"INCR\" \"n\"",
        "\"EXEC\"",
        "\"HELLO\" \"3\" \"AUTH\" \"(redacted)\"",
    ] {
        let line = monitor.line();
        assert!(line.contains(part) && line.contains(" 127.0.0.1:"), "{line} has no {part}");
        lines.push(line);
    }
    assert!(lines[1].contains("[2 127.0.0.1:"), "{}", lines[1]);
    assert!(lines.iter().all(|line| !line.contains("secret")), "{lines:?}");
    // It sees its own commands too, and RESET ends it.
    monitor.ask("PING\r\n", "+PONG\r\n");
    assert!(monitor.line().contains("\"PING\""));
    monitor.ask("RESET\r\n", "+RESET\r\n");
    wire.ask("GET k\r\n", "$4\r\na\nb\0\r\n");
    monitor.ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn histograms_and_memory_can_be_asked_for() {
    let daemon = Daemon::start(&["--latency-tracking", "yes", "--enable-debug-command", "yes"]);
    let mut wire = daemon.connect();
    wire.ask("SET k v\r\nSET k w\r\nGET k\r\n", "+OK\r\n+OK\r\n$1\r\nw\r\n");
    wire.send("LATENCY HISTOGRAM set get nothing\r\n");
    let told = frame(&mut wire);
    assert!(told.starts_with("*['set' *['calls' :2 'histogram_usec' *[:"), "{told}");
    assert!(told.contains("'get' *['calls' :1 "), "{told}");
    wire.send("MEMORY STATS\r\nMEMORY USAGE k\r\nMEMORY DOCTOR\r\nLATENCY DOCTOR\r\n");
    assert!(frame(&mut wire).contains("'keys.count' :1 "));
    assert_eq!(frame(&mut wire), ":13");
    assert!(frame(&mut wire).contains("in good order"));
    assert!(frame(&mut wire).contains("latency-monitor-threshold"));
    wire.send("DEBUG DIGEST\r\n");
    let before = frame(&mut wire);
    wire.ask("SET other 1 EX 100\r\nDEL other\r\n", "+OK\r\n:1\r\n");
    wire.send("DEBUG DIGEST\r\n");
    assert_eq!(frame(&mut wire), before, "the same data have the same digest");
    wire.ask("SET k x\r\n", "+OK\r\n");
    wire.send("DEBUG DIGEST\r\n");
    assert_ne!(frame(&mut wire), before);
    for (request, reply) in [("SAVE", "SAVE"), ("BGSAVE", "BGSAVE"), ("BGREWRITEAOF", "BGREWRITEAOF")] {
        let text = format!("-ERR {reply} is not supported: this server keeps its data in memory only\r\n");
        wire.ask(format!("{request}\r\n"), text);
    }
}

#[test]
fn a_monitor_that_reads_nothing_is_cut_off() {
    let daemon = Daemon::start(&["--client-output-buffer-limit", "pubsub 100kb 0 0"]);
    let (mut monitor, mut wire) = (daemon.connect(), daemon.connect());
    monitor.ask("MONITOR\r\n", "+OK\r\n");
    let value = "x".repeat(10_000);
    within("the monitor to be cut off", || {
        wire.ask(format!("SET k {value}\r\n").repeat(100), "+OK\r\n".repeat(100));
        (wire.info("closed_slow_consumer") == "1").then_some(())
    });
}

#[test]
fn info_has_what_exporters_read() {
    let daemon = Daemon::start(&["--latency-tracking", "yes"]);
    let mut wire = daemon.connect();
    wire.ask(
        "SET k v\r\nGET k\r\nLPUSH k v\r\n",
        "+OK\r\n$1\r\nv\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    );
    let percentiles = wire.info("latency_percentiles_usec_get");
    let (p50, others) = percentiles.split_once(",p99=").expect("several percentiles");
    let p50: f64 = p50.strip_prefix("p50=").expect("the median").parse().expect("a number");
    assert!(p50 >= 1.0 && others.contains(",p99.9="), "{percentiles}");
    assert_eq!(wire.info("rdb_changes_since_last_save"), "1");
    for field in ["total_system_memory", "allocator_resident", "allocator_allocated", "lru_clock"] {
        assert!(wire.info(field).parse::<u64>().is_ok_and(|number| number > 0), "{field}");
    }
}
