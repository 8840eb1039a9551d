//! Several databases, word for word.

use crate::harness::Daemon;
use crate::talks::{Talk, talk};

pub const TALKS: &[Talk] = &[
    talk(
        "each database has its own keys, and each client its own database",
        &[
            ("a", "SET k 0\nSELECT 1\nGET k\nSET k 1\nDBSIZE", "+OK +OK $nil +OK :1"),
            (
                "b",
                "GET k\nSELECT 15\nDBSIZE\nSET other 15\nRANDOMKEY\nKEYS *",
                "'0' +OK :0 +OK 'other' *['other']",
            ),
            ("a", "GET k\nSELECT 0\nGET k\nSELECT 16", "'1' +OK '0' -ERR DB index is out of range"),
            (
                "a",
                "SELECT -1\nSELECT x",
                "-ERR DB index is out of range -ERR value is not an integer or out of range",
            ),
            (
                "a",
                "SELECT 9999999999",
                "-ERR value is out of range, value must between -2147483648 and 2147483647",
            ),
            ("a", "GET k\nSELECT 1\nFLUSHDB\nDBSIZE\nSELECT 0\nDBSIZE", "'0' +OK +OK :0 +OK :1"),
            ("b", "DBSIZE\nFLUSHALL\nDBSIZE\nSELECT 0\nDBSIZE", ":1 +OK :0 +OK :0"),
        ],
    ),
    talk(
        "a new connection and a reset one are in database 0",
        &[("a", "SELECT 3\nSET k v", "+OK +OK"), ("a", "RESET", "+RESET"), ("a", "GET k", "$nil")],
    ),
    talk(
        "a transaction may go to another database, and stays there",
        &[
            (
                "a",
                "MULTI\nSET k 0\nSELECT 2\nSET k 2\nEXEC\nGET k",
                "+OK +QUEUED +QUEUED +QUEUED *[+OK +OK +OK] '2'",
            ),
            ("b", "GET k", "'0'"),
        ],
    ),
    talk(
        "a key moves to another database with what it holds and its time",
        &[
            ("a", "SET k v EX 100\nMOVE k 1\nEXISTS k\nMOVE k 1", "+OK :1 :0 :0"),
            ("b", "SELECT 1\nGET k\nTTL k\nHSET h f v\nMOVE h 0", "+OK 'v' :100 :1 :1"),
            ("a", "HGET h f\nSET k w\nMOVE k 1\nGET k", "'v' +OK :0 'w'"),
            (
                "a",
                "MOVE k 0\nMOVE none 0",
                "-ERR source and destination objects are the same -ERR source and destination objects are the same",
            ),
            (
                "a",
                "MOVE k 16\nMOVE k x",
                "-ERR DB index is out of range -ERR value is not an integer or out of range",
            ),
        ],
    ),
    talk(
        "a copy may go to another database, under the same name too",
        &[
            ("a", "SET k v EX 100\nCOPY k k DB 1\nCOPY k k DB 1\nCOPY k l DB 1 REPLACE", "+OK :1 :0 :1"),
            (
                "a",
                "COPY k k DB 0\nCOPY k l DB 16",
                "-ERR source and destination objects are the same -ERR DB index is out of range",
            ),
            ("b", "SELECT 1\nMGET k l\nTTL k\nDBSIZE", "+OK *['v' 'v'] :100 :2"),
        ],
    ),
    talk(
        "two databases change places under the clients that are in them",
        &[
            ("a", "SET k 0\nSELECT 1\nSET k 1\nSET l 1", "+OK +OK +OK +OK"),
            ("b", "SWAPDB 0 1\nMGET k l\nDBSIZE\nSWAPDB 1 1", "+OK *['1' '1'] :2 +OK"),
            ("a", "MGET k l\nSWAPDB 0 7\nDBSIZE\nSELECT 7\nDBSIZE", "*['0' $nil] +OK :1 +OK :2"),
            (
                "a",
                "SWAPDB 99999999999 0\nSWAPDB 0 99999999999",
                "-ERR invalid first DB index -ERR invalid second DB index",
            ),
            (
                "a",
                "SWAPDB x 1\nSWAPDB 1 x\nSWAPDB 16 x\nSWAPDB 0 16",
                "-ERR invalid first DB index -ERR invalid second DB index -ERR invalid second DB index \
                 -ERR DB index is out of range",
            ),
        ],
    ),
    talk(
        "a watch is about the key of one database",
        &[
            ("a", "SET k 0\nWATCH k", "+OK +OK"),
            ("b", "SELECT 1\nSET k 1", "+OK +OK"),
            ("a", "MULTI\nPING\nEXEC\nWATCH k\nSELECT 1", "+OK +QUEUED *[+PONG] +OK +OK"),
            ("b", "MOVE k 2\nSELECT 0\nSET k new", ":1 +OK +OK"),
            ("a", "MULTI\nPING\nEXEC", "+OK +QUEUED *nil"),
        ],
    ),
    talk(
        "a watched key changes when its database changes places, if it is in either of the two",
        &[
            ("a", "SET k 0\nWATCH k", "+OK +OK"),
            ("b", "SWAPDB 0 1", "+OK"),
            ("a", "MULTI\nPING\nEXEC\nWATCH k", "+OK +QUEUED *nil +OK"),
            ("b", "SWAPDB 0 1", "+OK"),
            ("a", "MULTI\nPING\nEXEC\nWATCH none", "+OK +QUEUED *nil +OK"),
            ("b", "SWAPDB 0 1", "+OK"),
            ("a", "MULTI\nPING\nEXEC", "+OK +QUEUED *[+PONG]"),
        ],
    ),
];

#[test]
fn there_are_as_many_databases_as_the_option_says_and_info_tells_of_each() {
    let daemon = Daemon::start(&["--databases", "3"]);
    let mut wire = daemon.connect();
    wire.ask("SET a 1\r\nSELECT 2\r\nSET b 1 EX 100\r\nSET c 1\r\n", "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    wire.ask("SELECT 3\r\n", "-ERR DB index is out of range\r\n");
    assert_eq!(wire.info("db0"), "keys=1,expires=0,avg_ttl=0");
    assert_eq!(wire.info("db2"), "keys=2,expires=1,avg_ttl=0");
    wire.send("CLIENT INFO\r\n");
    let header = wire.line();
    assert!(header.starts_with('$') && wire.line().contains(" db=2 "), "{header}");
}

/// The effects of a swap are told even if the command after it panics, and telling them looks at keys.
#[test]
fn a_panic_after_a_swap_leaves_no_watcher_unaware() {
    for nth in 1..6 {
        let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
        let (mut watcher, mut swapper) = (daemon.connect(), daemon.connect());
        watcher.ask("SET k 1\r\nWATCH k\r\n", "+OK\r\n+OK\r\n");
        swapper.ask(format!("DEBUG PANIC {nth}\r\n"), "+OK\r\n");
        swapper.send("SWAPDB 0 1\r\nPING\r\nPING\r\nPING\r\nQUIT\r\n");
        swapper.rest();
        watcher.send("DEBUG PANIC 0\r\nEXISTS k\r\nMULTI\r\nPING\r\nEXEC\r\n");
        assert_eq!(watcher.line(), "+OK");
        let swapped = watcher.line() == ":0";
        assert_eq!((watcher.line(), watcher.line()), ("+OK".into(), "+QUEUED".into()));
        assert_eq!(watcher.line(), if swapped { "*-1" } else { "*1" }, "after {nth} steps");
    }
}
