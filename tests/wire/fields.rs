//! Fields of hashes that expire, as Redis has them since 7.4, and the commands of 8.0 about them.

use crate::dump::{ask, dump, sealed};
use crate::harness::Daemon;
use crate::talks::{Talk, talk_since};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NO_FIELDS: &str = "-ERR Mandatory argument FIELDS is missing or not at the right position";
const MISMATCH: &str = "-ERR The `numfields` parameter must match the number of arguments";
const NO_COUNT: &str = "-ERR Number of fields must be a positive integer";
const TWO_EXPIRIES: &str = "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";

pub const TALKS: &[Talk] = &[
    talk_since(
        (8, 0),
        "each field has a time of expiry of its own",
        &[
            ("a", "HSET h f 1 g 2 k 3", ":3"),
            ("a", "HEXPIRE h 100 FIELDS 3 f none g", "*[:1 :-2 :1]"),
            ("a", "HTTL h FIELDS 4 f g k none", "*[:100 :100 :-1 :-2]"),
            ("a", "HPEXPIREAT h 49999999999001 FIELDS 1 f", "*[:1]"),
            (
                "a",
                "HEXPIRETIME h FIELDS 2 f k\nHPEXPIRETIME h FIELDS 1 f",
                "*[:50000000000 :-1] *[:49999999999001]",
            ),
            (
                "a",
                "HEXPIREAT h 49999999999 FIELDS 1 k\nHPEXPIRETIME h FIELDS 1 k",
                "*[:1] *[:49999999999000]",
            ),
            ("a", "HPERSIST h FIELDS 3 f f none\nHTTL h FIELDS 1 f", "*[:1 :-1 :-2] *[:-1]"),
            ("a", "HPEXPIRE h 100000 FIELDS 1 f\nHGET h f\nHLEN h\nTTL h", "*[:1] '1' :3 :-1"),
            (
                "a",
                "HEXPIRE none 100 FIELDS 2 f f\nHTTL none FIELDS 1 f\nHPERSIST none FIELDS 1 f",
                "*[:-2 :-2] *[:-2] *[:-2]",
            ),
            ("a", "EXISTS none", ":0"),
        ],
    ),
    talk_since(
        (8, 0),
        "a condition can forbid a time of expiry, and one that has passed removes the field",
        &[
            ("a", "HSET h f 1 g 2 k 3", ":3"),
            ("a", "HEXPIRE h 100 XX FIELDS 1 f\nHEXPIRE h 100 GT FIELDS 1 f", "*[:0] *[:0]"),
            ("a", "HEXPIRE h 100 NX FIELDS 2 f f\nHEXPIRE h 200 nx FIELDS 1 f", "*[:1 :0] *[:0]"),
            ("a", "HEXPIRE h 100 LT FIELDS 1 g\nHEXPIRE h 200 LT FIELDS 1 g", "*[:1] *[:0]"),
            ("a", "HEXPIRE h 50 GT FIELDS 1 g\nHEXPIRE h 200 GT FIELDS 1 g", "*[:0] *[:1]"),
            ("a", "HEXPIRE h 0 NX FIELDS 1 f\nHEXPIREAT h 1 FIELDS 2 f f\nHLEN h", "*[:0] *[:2 :-2] :2"),
            ("a", "HPEXPIRE h 0 FIELDS 3 g k none\nEXISTS h", "*[:2 :2 :-2] :0"),
            ("a", "HSET small f 1 g 2\nHPEXPIREAT small 7 FIELDS 1 g\nHGETALL small", ":2 *[:2] %['f' '1']"),
            ("a", "HEXPIRE small 0 FIELDS 1 f\nEXISTS small", "*[:2] :0"),
        ],
    ),
    talk_since(
        (8, 0),
        "a write ends the time of expiry, an increment keeps it, and it moves with its hash",
        &[
            ("a", "HSET h f 1 g 2 k 3\nHEXPIRE h 100 FIELDS 3 f g k", ":3 *[:1 :1 :1]"),
            ("a", "HSET h f 7\nHINCRBY h g 5\nHINCRBYFLOAT h k 0.5", ":0 :7 '3.5'"),
            ("a", "HTTL h FIELDS 3 f g k", "*[:-1 :100 :100]"),
            ("a", "HSETNX h g 1\nHTTL h FIELDS 1 g", ":0 *[:100]"),
            ("a", "HSETNX h new 1\nHMSET h k 9\nHTTL h FIELDS 2 new k", ":1 +OK *[:-1 :-1]"),
            ("a", "COPY h copy\nHTTL copy FIELDS 2 f g", ":1 *[:-1 :100]"),
            ("a", "RENAME h other\nHTTL other FIELDS 2 f g", "+OK *[:-1 :100]"),
            ("a", "HDEL other g\nHSET other g 2\nHTTL other FIELDS 1 g", ":1 :1 *[:-1]"),
            ("a", "OBJECT ENCODING copy\nTYPE copy", "'listpackex' +hash"),
            ("a", "DEL copy other", ":2"),
        ],
    ),
    talk_since(
        (8, 0),
        "values are read, and their fields get another time of expiry or are removed",
        &[
            ("a", "HSET h f 1 g 2 k 3", ":3"),
            ("a", "HGETEX h FIELDS 2 f none", "*['1' $nil]"),
            ("a", "HGETEX h EX 100 FIELDS 2 f g\nHTTL h FIELDS 3 f g k", "*['1' '2'] *[:100 :100 :-1]"),
            (
                "a",
                "HGETEX h PXAT 49999999999001 FIELDS 1 k\nHPEXPIRETIME h FIELDS 1 k",
                "*['3'] *[:49999999999001]",
            ),
            ("a", "HGETEX h PERSIST FIELDS 2 f none\nHTTL h FIELDS 2 f g", "*['1' $nil] *[:-1 :100]"),
            ("a", "HGETEX h EXAT 1 FIELDS 2 g g\nHLEN h", "*['2' $nil] :2"),
            ("a", "HGETDEL h FIELDS 3 f none f\nHLEN h", "*['1' $nil $nil] :1"),
            (
                "a",
                "HGETDEL h FIELDS 1 k\nEXISTS h\nHGETDEL h FIELDS 1 k\nHGETEX h FIELDS 1 k",
                "*['3'] :0 *[$nil] *[$nil]",
            ),
            ("a", "HSET small f 1 g 2\nHGETDEL small FIELDS 3 g g f\nEXISTS small", ":2 *['2' $nil '1'] :0"),
        ],
    ),
    talk_since(
        (8, 0),
        "fields are set together with a time of expiry",
        &[
            ("a", "HSETEX h EX 100 FIELDS 2 f 1 g 2\nHTTL h FIELDS 2 f g", ":1 *[:100 :100]"),
            ("a", "HSETEX h FNX FIELDS 2 f 9 new 1\nHSETEX h FXX FIELDS 2 f 9 new 1\nHLEN h", ":0 :0 :2"),
            ("a", "HSETEX h FXX KEEPTTL FIELDS 1 f 7\nHGET h f\nHTTL h FIELDS 1 f", ":1 '7' *[:100]"),
            ("a", "HSETEX h FIELDS 1 f 8\nHTTL h FIELDS 1 f", ":1 *[:-1]"),
            ("a", "HSETEX h FNX PX 100000 FIELDS 1 new 1\nHTTL h FIELDS 1 new", ":1 *[:100]"),
            ("a", "HSETEX h EXAT 1 FIELDS 2 f 9 g 9\nHGETALL h", ":1 %['new' '1']"),
            ("a", "HSETEX none FXX FIELDS 1 f 1\nHSETEX none PXAT 1 FIELDS 1 f 1\nEXISTS none", ":0 :1 :0"),
            ("a", "HSETEX h PXAT 49999999999001 FIELDS 2 f 1 f 2\nHGET h f", ":1 '2'"),
        ],
    ),
    talk_since(
        (8, 0),
        "mistakes have Redis's errors",
        &[
            ("a", "SET s v\nHSET h f 1", "+OK :1"),
            ("a", "HEXPIRE s x FIELDS 1 f", WRONG_TYPE),
            ("a", "HTTL s x 1 f", WRONG_TYPE),
            ("a", "HPERSIST s FIELDS 1 f", WRONG_TYPE),
            ("a", "HGETEX s FIELDS 1 f", WRONG_TYPE),
            ("a", "HGETDEL s FIELDS 1 f", WRONG_TYPE),
            ("a", "HSETEX s FIELDS 1 f v", WRONG_TYPE),
            ("a", "HEXPIRE h x FIELDS 1 f", "-ERR value is not an integer or out of range"),
            ("a", "HEXPIRE h -1 FIELDS 1 f", "-ERR invalid expire time, must be >= 0"),
            ("a", "HEXPIRE h 70368744178 FIELDS 1 f", "-ERR invalid expire time in 'hexpire' command"),
            (
                "a",
                "HPEXPIREAT h 70368744177664 FIELDS 1 f",
                "-ERR invalid expire time in 'hpexpireat' command",
            ),
            ("a", "HEXPIRE h 9 x FIELDS 1 f", NO_FIELDS),
            ("a", "HEXPIRE h 9 FIELDS 0 f", "-ERR Parameter `numFields` should be greater than 0"),
            ("a", "HEXPIRE h 9 FIELDS x f", "-ERR Parameter `numFields` should be greater than 0"),
            ("a", "HEXPIRE h 9 FIELDS 2 f", MISMATCH),
            ("a", "HEXPIRE h 9 NX XX FIELDS f", NO_FIELDS),
            ("a", "HTTL h x 1 f", NO_FIELDS),
            ("a", "HTTL h FIELDS 0 f", NO_COUNT),
            ("a", "HTTL h FIELDS 1 f g", MISMATCH),
            ("a", "HPERSIST h FIELDS x f", NO_COUNT),
            ("a", "HGETEX h EX 9 PX 9 FIELDS 1 f", NO_FIELDS),
            ("a", "HGETEX h EX -9 FIELDS 1 f", "-ERR invalid expire time, must be >= 0"),
            ("a", "HGETEX h FIELDS 9223372036854775808 f", NO_COUNT),
            ("a", "HGETDEL h FIELDS 2 f", MISMATCH),
            ("a", "HGETDEL h f g k", NO_FIELDS),
            ("a", "HSETEX h EX 9 KEEPTTL FIELDS 1 f 1", TWO_EXPIRIES),
            ("a", "HSETEX h KEEPTTL PX 9 FIELDS 1 f 1", TWO_EXPIRIES),
            ("a", "HSETEX h FNX FXX FIELDS 1 f 1", "-ERR Only one of FXX or FNX arguments can be specified"),
            ("a", "HSETEX h FIELDS 2 f 1", "-ERR wrong number of arguments for 'hsetex' command"),
            ("a", "HSETEX h FIELDS 0 f 1", "-ERR invalid number of fields"),
            ("a", "HSETEX h what FIELDS 1 f 1", "-ERR unknown argument: what"),
            ("a", "HEXPIRE h 9 FIELDS 1", "-ERR wrong number of arguments for 'hexpire' command"),
            ("a", "HGETALL h\nHTTL h FIELDS 1 f", "%['f' '1'] *[:-1]"),
        ],
    ),
    talk_since(
        (8, 0),
        "a listener hears of fields that expire, unasked, and watchers notice",
        &[
            ("a", "CONFIG SET notify-keyspace-events KEA", "+OK"),
            ("a", "HSET h f 1 g 2 k 3", ":3"),
            ("b", "SUBSCRIBE __keyspace@0__:h", ">['subscribe' '__keyspace@0__:h' :1]"),
            (
                "a",
                "HEXPIRE h 100 FIELDS 1 f\nHPERSIST h FIELDS 2 f g\nHGETEX h EX 9 FIELDS 1 g",
                "*[:1] *[:1 :-1] *['2']",
            ),
            ("b", "", ">['message' '__keyspace@0__:h' 'hexpire'] >['message' '__keyspace@0__:h' 'hpersist']"),
            ("b", "", ">['message' '__keyspace@0__:h' 'hexpire']"),
            ("a", "HGETDEL h FIELDS 1 k\nHSETEX h EX 9 FIELDS 1 n 1", "*['3'] :1"),
            ("b", "", ">['message' '__keyspace@0__:h' 'hdel'] >['message' '__keyspace@0__:h' 'hset']"),
            ("b", "", ">['message' '__keyspace@0__:h' 'hexpire']"),
            ("a", "HGETDEL h FIELDS 1 n\nWATCH h\nHPEXPIRE h 1 FIELDS 2 f g", "*['1'] +OK *[:1 :1]"),
            ("b", "", ">['message' '__keyspace@0__:h' 'hdel'] >['message' '__keyspace@0__:h' 'hexpire']"),
            ("b", "", ">['message' '__keyspace@0__:h' 'hexpired'] >['message' '__keyspace@0__:h' 'del']"),
            ("a", "MULTI\nPING\nEXEC\nEXISTS h", "+OK +QUEUED *nil :0"),
            ("a", "CONFIG SET notify-keyspace-events \"\"", "+OK"),
        ],
    ),
];

#[test]
fn a_hash_with_fields_that_expire_is_dumped_and_restored() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client("");
    let mut say = |line: &str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        format!("{:?}", ask(&mut client, &words))
    };
    say("HSET h f 1 g 22 k 3");
    say("HPEXPIREAT h 49999999999001 FIELDS 1 g");
    say("HPEXPIREAT h 49999999999000 FIELDS 1 f");
    let mut client = daemon.client("");
    let payload = dump(&mut client, "h");
    assert_eq!((payload[0], &payload[payload.len() - 10..payload.len() - 8]), (24, &b"\x0c\0"[..]));
    // What Redis 7.4 dumps of a small hash: fields, values and times in a listpack. The time of `f` has passed.
    let one = |text: &[u8]| [&[0x80 | text.len() as u8], text, &[1 + text.len() as u8]].concat();
    let elements = [one(b"f"), one(b"v"), vec![7, 1], one(b"g"), one(b"w"), vec![0, 1]].concat();
    let listpack = [&(elements.len() as u32 + 7).to_le_bytes()[..], &[6, 0], &elements, &[0xff]].concat();
    let packed = [&[25, 7, 0, 0, 0, 0, 0, 0, 0, listpack.len() as u8][..], &listpack, &[12, 0]].concat();
    for (key, payload) in [("copy", payload), ("packed", sealed(&packed))] {
        let reply = ask(&mut client, &[b"RESTORE", key.as_bytes(), b"0", &payload]);
        assert_eq!(reply, redis::Value::Okay);
    }
    assert_eq!(say("HPEXPIRETIME copy FIELDS 3 f g k"), say("HPEXPIRETIME h FIELDS 3 f g k"));
    assert_eq!(say("HMGET copy f g k"), say("HMGET h f g k"));
    assert_eq!(say("HTTL packed FIELDS 2 f g"), "array([int(-2), int(-1)])");
    assert_eq!(say("HGETALL packed"), "array([bulk-string('\"g\"'), bulk-string('\"w\"')])");
}
