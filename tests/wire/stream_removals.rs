//! `XDELEX` and `XACKDEL`, which no redis-server before 8.2 has: each step says what is to happen.

use crate::harness::Daemon;
use crate::strings::reply;

/// Requests and their replies. A stream with entries 1-0 to 4-0 comes first: group `g` has read 1-0 to 3-0 and group `h` 1-0
/// and 2-0, and nothing is acknowledged.
const CASES: &[&[(&str, &str)]] = &[
    &[
        ("XDELEX s IDS 1 1-0", "*1 :1"),
        ("XDELEX s IDS 2 1-0 9", "*2 :-1 :-1"),
        ("XLEN s", ":3"),
        // The consumer that had it pending still has it.
        ("XPENDING s g - + 1 c", "*1 *4 1-0 c _ :1"),
    ],
    &[("XDELEX s KEEPREF IDS 3 1-0 1-0 2-0", "*3 :1 :-1 :1"), ("XPENDING s h - + 1 c", "*1 *4 1-0 c _ :1")],
    &[
        ("XDELEX s DELREF IDS 2 1-0 7-0", "*2 :1 :-1"),
        ("XPENDING s g - + 1 c", "*1 *4 2-0 c _ :1"),
        ("XPENDING s h - + 1 c", "*1 *4 2-0 c _ :1"),
    ],
    // An entry that is gone may still be pending.
    &[
        ("XDEL s 1-0 2-0", ":2"),
        ("XDELEX s DELREF IDS 2 1-0 2-0", "*2 :-1 :-1"),
        ("XPENDING s g - + 1 c", "*1 *4 3-0 c _ :1"),
        ("XPENDING s h - + 1 c", "*0"),
    ],
    // 3-0 is pending in one group, and 4-0 is read by none.
    &[
        ("XDELEX s ACKED IDS 5 1-0 2-0 3-0 4-0 5-0", "*5 :2 :2 :2 :2 :-1"),
        ("XACK s g 1-0 2-0 3-0", ":3"),
        ("XDELEX s ACKED IDS 3 1-0 2-0 3-0", "*3 :2 :2 :2"),
        ("XACK s h 1-0", ":1"),
        // The other group has not read 3-0.
        ("XDELEX s ACKED IDS 3 1-0 2-0 3-0", "*3 :1 :2 :2"),
        ("XGROUP DESTROY s h", ":1"),
        ("XDELEX s ACKED IDS 4 1-0 2-0 3-0 4-0", "*4 :-1 :1 :1 :2"),
        ("XGROUP DESTROY s g", ":1"),
        // Nobody can refer to an entry.
        ("XDELEX s ACKED IDS 1 4-0", "*1 :1"),
        ("XLEN s", ":0"),
    ],
    &[
        ("XACKDEL s g IDS 2 1-0 2-0", "*2 :1 :1"),
        ("XLEN s", ":2"),
        ("XPENDING s g - + 1 c", "*1 *4 3-0 c _ :1"),
        ("XPENDING s h - + 1 c", "*1 *4 1-0 c _ :1"),
        // They are gone, but they are pending.
        ("XACKDEL s h KEEPREF IDS 3 1-0 2-0 2-0", "*3 :1 :1 :-1"),
        ("XPENDING s h - + 1 c", "*0"),
    ],
    &[
        ("XACKDEL s g DELREF IDS 2 1-0 2-0", "*2 :1 :1"),
        ("XPENDING s h - + 1 c", "*0"),
        ("XACKDEL s h DELREF IDS 2 1-0 2-0", "*2 :-1 :-1"),
        // It is in the stream, but it is not pending.
        ("XACKDEL s h DELREF IDS 1 3-0", "*1 :-1"),
        ("XLEN s", ":2"),
    ],
    &[
        ("XACKDEL s g ACKED IDS 4 1-0 2-0 3-0 4-0", "*4 :2 :2 :2 :-1"),
        ("XLEN s", ":4"),
        ("XPENDING s g - + 1 c", "*0"),
        ("XACKDEL s h ACKED IDS 2 1-0 2-0", "*2 :1 :1"),
        ("XLEN s", ":2"),
    ],
    // The options may stand behind the ids, in any case of letters. An id may have one part.
    &[("XDELEX s ids 1 1 delref", "*1 :1"), ("XPENDING s h - + 1 c", "*1 *4 2-0 c _ :1")],
    &[
        ("XDELEX none ACKED IDS 2 1-0 2-0", "*2 :-1 :-1"),
        ("XACKDEL none g IDS 2 1-0 2-0", "*2 :-1 :-1"),
        ("XACKDEL s none IDS 2 1-0 2-0", "*2 :-1 :-1"),
        ("EXISTS none", ":0"),
    ],
    &[
        ("XDELEX s IDS 0 1-0", "-ERR Number of IDs must be a positive integer"),
        ("XDELEX s IDS -5 1-0", "-ERR Number of IDs must be a positive integer"),
        ("XDELEX s IDS abc 1-0", "-ERR Number of IDs must be a positive integer"),
        ("XDELEX s IDS 3 1-0 2-0", "-ERR The `numids` parameter must match the number of arguments"),
        ("XDELEX s IDS 1 1-0 2-0", "-ERR syntax error"),
        ("XDELEX s KEEPREF DELREF IDS 1 1-0", "-ERR syntax error"),
        ("XDELEX s IDS 1 1-0 ACKED ACKED", "-ERR syntax error"),
        ("XDELEX s DELREF 1-0 2-0", "-ERR syntax error"),
        ("XDELEX s IDS 2 1-0 x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XDELEX s IDS 1", "-ERR wrong number of arguments for 'xdelex' command"),
        ("XACKDEL s g IDS 0 1-0", "-ERR Number of IDs must be a positive integer"),
        ("XACKDEL s g IDS 3 1-0 2-0", "-ERR The `numids` parameter must match the number of arguments"),
        ("XACKDEL s g DELREF ACKED IDS 1 1-0", "-ERR syntax error"),
        ("XACKDEL s g IDS 2 1-0 x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XACKDEL s g IDS 1", "-ERR wrong number of arguments for 'xackdel' command"),
        ("SET text v", "+OK"),
        ("XDELEX text IDS 1 1-0", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XACKDEL text g IDS 1 1-0", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XLEN s", ":4"),
        ("DEL text", ":1"),
    ],
];

/// A reply in short: its lines without lengths of strings. Times are left out.
fn short(reply: &[u8]) -> String {
    let text = String::from_utf8_lossy(reply).into_owned();
    let lines: Vec<&str> = text.split_terminator("\r\n").filter(|line| !line.starts_with('$')).collect();
    let mut words: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    // The third part of a pending entry says how long ago it was delivered.
    for at in 0..words.len() {
        if words[at] == "*4" && !words[at + 1].starts_with(':') {
            words[at + 3] = "_".to_owned();
        }
    }
    words.join(" ")
}

#[test]
fn entries_are_removed_with_regard_to_the_groups() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let words =
        |line: &str| -> Vec<Vec<u8>> { line.split(' ').map(|word| word.as_bytes().to_vec()).collect() };
    for (nth, case) in CASES.iter().enumerate() {
        for line in [
            "DEL s",
            "XADD s 1-0 f v",
            "XADD s 2-0 f v",
            "XADD s 3-0 f v",
            "XADD s 4-0 f v",
            "XGROUP CREATE s g 0",
            "XGROUP CREATE s h 0",
            "XREADGROUP GROUP g c COUNT 3 STREAMS s >",
            "XREADGROUP GROUP h c COUNT 2 STREAMS s >",
        ] {
            reply(&mut wire, &words(line));
        }
        for (request, expected) in *case {
            assert_eq!(short(&reply(&mut wire, &words(request))), *expected, "case {nth}: {request}");
        }
    }
}

/// The event is that of `XDEL`, if an entry is removed.
#[test]
fn removals_tell_of_themselves() {
    let daemon = Daemon::start(&["--notify-keyspace-events", "KEA"]);
    let (mut wire, mut hearer) = (daemon.connect(), daemon.connect());
    hearer
        .ask("SUBSCRIBE __keyspace@0__:s\r\n", "*3\r\n$9\r\nsubscribe\r\n$16\r\n__keyspace@0__:s\r\n:1\r\n");
    let mut tells = |event: &str| {
        let len = event.len();
        hearer.expect(format!("*3\r\n$7\r\nmessage\r\n$16\r\n__keyspace@0__:s\r\n${len}\r\n{event}\r\n"));
    };
    wire.ask("XADD s 1-0 f v\r\nXADD s 2-0 f v\r\n", "$3\r\n1-0\r\n$3\r\n2-0\r\n");
    wire.ask("XADD s 3-0 f v\r\nXGROUP CREATE s g 0\r\n", "$3\r\n3-0\r\n+OK\r\n");
    ["xadd", "xadd", "xadd", "xgroup-create"].into_iter().for_each(&mut tells);
    wire.send("XREADGROUP GROUP g c STREAMS s >\r\n");
    tells("xgroup-createconsumer");
    reply_is_read(&mut wire);
    wire.ask("XDELEX s ACKED IDS 1 1-0\r\n", "*1\r\n:2\r\n");
    wire.ask("XDELEX s IDS 2 1-0 2-0\r\n", "*2\r\n:1\r\n:1\r\n");
    tells("xdel");
    // Nothing is removed by the first one.
    wire.ask("XACKDEL s g IDS 1 1-0\r\n", "*1\r\n:1\r\n");
    wire.ask("XACKDEL s g ACKED IDS 2 2-0 3-0\r\n", "*2\r\n:1\r\n:1\r\n");
    tells("xdel");
    wire.ask("DEL s\r\n", ":1\r\n");
    tells("del");
}

/// Takes the reply of a read that nobody looks at.
fn reply_is_read(wire: &mut crate::harness::Wire) {
    wire.send("ECHO end\r\n");
    while wire.line() != "end" {}
}
