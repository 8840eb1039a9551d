//! The commands about parts of strings, bits, numbers with fractions and conditions, word for word; and a long
//! random conversation with Tidegate and a redis-server, whose replies must be the same.

use std::io::Read;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::differ::{self, Pair, Servers, Words, quoted, seed};
use crate::harness::{Daemon, Wire, have, request};
use crate::talks::{BOTH, Talk, talk, talk_72};

const WRONG_KIND: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

pub const TALKS: &[Talk] = &[
    talk(
        "a part of a string is read and written",
        &[
            ("a", "SET k Hello\nGETRANGE k 0 -1\nGETRANGE k 1 3\nSUBSTR k -3 -1", "+OK 'Hello' 'ell' 'llo'"),
            ("a", "GETRANGE k 3 1\nGETRANGE k 9 12\nGETRANGE none 0 -1\nGETRANGE k -1 -3", "'' '' '' ''"),
            ("a", "GETRANGE k x 1", "-ERR value is not an integer or out of range"),
            ("a", "SETRANGE k 4 p!\nGET k", ":6 'Hellp!'"),
            ("a", "SETRANGE k 0 \"\"\nSETRANGE none 3 \"\"\nEXISTS none", ":6 :0 :0"),
            ("a", "SETRANGE new 3 x\nSTRLEN new\nGETBIT new 0", ":4 :4 :0"),
            ("a", "SETRANGE k -1 x", "-ERR offset is out of range"),
            ("a", "SETRANGE k x x", "-ERR value is not an integer or out of range"),
            ("a", "SETRANGE k 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
            ("a", "HSET h f v", ":1"),
            ("a", "GETRANGE h 0 1", WRONG_KIND),
            ("a", "SETRANGE h 0 x", WRONG_KIND),
            ("a", "EXPIRE k 100\nSETRANGE k 0 J\nTTL k", ":1 :6 :100"),
        ],
    ),
    talk(
        "bits are set, counted, found and combined",
        &[
            ("a", "SETBIT b 7 1\nSETBIT b 7 0\nSETBIT b 1 1\nGETBIT b 1\nGETBIT b 100", ":0 :1 :0 :1 :0"),
            ("a", "GET b\nSTRLEN b", "'@' :1"),
            ("a", "SETBIT b -1 1", "-ERR bit offset is not an integer or out of range"),
            ("a", "SETBIT b 4294967296 1", "-ERR bit offset is not an integer or out of range"),
            ("a", "SETBIT b 1 2", "-ERR bit is not an integer or out of range"),
            ("a", "SETBIT b 1 x", "-ERR bit is not an integer or out of range"),
            ("a", "GETBIT b x", "-ERR bit offset is not an integer or out of range"),
            (
                "a",
                "SET k foobar\nBITCOUNT k\nBITCOUNT k 0 0\nBITCOUNT k 1 1\nBITCOUNT k 5 30 BIT",
                "+OK :26 :4 :6 :17",
            ),
            ("a", "BITCOUNT k -2 -1 BYTE\nBITCOUNT k 3 1\nBITCOUNT none", ":7 :0 :0"),
            ("a", "BITCOUNT k 1", "-ERR syntax error"),
            ("a", "BITCOUNT k 1 2 WORD", "-ERR syntax error"),
            (
                "a",
                "SETRANGE p 0 \"\\xff\\xf0\\x00\"\nBITPOS p 0\nBITPOS p 1 2\nBITPOS p 1 0 -1",
                ":3 :12 :-1 :0",
            ),
            ("a", "BITPOS p 0 0 0\nBITPOS p 0 10 14 BIT\nBITPOS none 0\nBITPOS none 1", ":-1 :12 :0 :-1"),
            ("a", "SET f \"\\xff\\xff\"\nBITPOS f 0\nBITPOS f 0 0\nBITPOS f 0 0 -1", "+OK :16 :16 :-1"),
            ("a", "BITPOS p 2", "-ERR The bit argument must be 1 or 0."),
            ("a", "SET x abc\nSET y ab\nBITOP AND d x y\nGET d", "+OK +OK :3 'ab\0'"),
            ("a", "BITOP OR d x y\nGET d\nBITOP XOR d x x\nBITCOUNT d", ":3 'abc' :3 :0"),
            ("a", "BITOP NOT d x\nBITOP NOT d d\nGET d", ":3 :3 'abc'"),
            ("a", "BITOP AND d none nobody\nEXISTS d", ":0 :0"),
            ("a", "BITOP NOT d x y", "-ERR BITOP NOT must be called with a single source key."),
            ("a", "BITOP NAND d x y", "-ERR syntax error"),
            ("a", "HSET h f v", ":1"),
            ("a", "BITOP OR d x h", WRONG_KIND),
            ("a", "SETBIT h 1 1", WRONG_KIND),
            ("a", "BITCOUNT h", WRONG_KIND),
        ],
    ),
    talk(
        "integers of any width lie at any bit",
        &[
            ("a", "BITFIELD f INCRBY i5 100 1 GET u4 0", "*[:1 :0]"),
            ("a", "BITFIELD f SET i8 0 -1 GET u8 0 SET u8 #1 300 GET u8 8", "*[:0 :255 :0 :44]"),
            (
                "a",
                "BITFIELD o INCRBY u2 0 3 OVERFLOW SAT INCRBY u2 2 3 INCRBY u2 2 1 OVERFLOW FAIL INCRBY u2 2 1",
                "*[:3 :3 :3 $nil]",
            ),
            ("a", "BITFIELD o OVERFLOW SAT SET i4 8 100 OVERFLOW WRAP SET i4 8 100 GET i4 8", "*[:0 :7 :4]"),
            (
                "a",
                "BITFIELD o GET i64 0\nBITFIELD none GET u8 0\nEXISTS none",
                "*[:-1134907106097364992] *[:0] :0",
            ),
            ("a", "BITFIELD o\nBITFIELD_RO o GET u2 0 GET u2 #1", "*[] *[:3 :3]"),
            ("a", "BITFIELD_RO o SET u2 0 1", "-ERR BITFIELD_RO only supports the GET subcommand"),
            (
                "a",
                "BITFIELD o GET u64 0",
                "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            ),
            ("a", "BITFIELD o GET u8 -1", "-ERR bit offset is not an integer or out of range"),
            ("a", "BITFIELD o OVERFLOW MAYBE", "-ERR Invalid OVERFLOW type specified"),
            ("a", "BITFIELD o SET u8 0", "-ERR syntax error"),
            ("a", "BITFIELD o SET u8 0 x", "-ERR value is not an integer or out of range"),
            ("a", "HSET h f v", ":1"),
            ("a", "BITFIELD h GET u8 0", WRONG_KIND),
            ("a", "BITFIELD h SET u8 0 1", WRONG_KIND),
        ],
    ),
    talk(
        "numbers with fractions are written as Redis writes them",
        &[
            ("a", "SET n 10.50\nINCRBYFLOAT n 0.1\nINCRBYFLOAT n -5", "+OK '10.6' '5.6'"),
            ("a", "SET n 5.0e3\nINCRBYFLOAT n 2.0e2\nINCRBYFLOAT new 3", "+OK '5200' '3'"),
            (
                "a",
                "INCRBYFLOAT new 1e-17\nINCRBYFLOAT new 0.1",
                "'3.00000000000000001' '3.10000000000000001'",
            ),
            ("a", "INCRBYFLOAT n x", "-ERR value is not a valid float"),
            ("a", "SET w word", "+OK"),
            ("a", "INCRBYFLOAT w 1", "-ERR value is not a valid float"),
            ("a", "INCRBYFLOAT n inf", "-ERR increment would produce NaN or Infinity"),
            ("a", "EXPIRE n 100\nINCRBYFLOAT n 1\nTTL n", ":1 '5201' :100"),
            ("a", "HSET h f v", ":1"),
            ("a", "INCRBYFLOAT h 1", WRONG_KIND),
        ],
    ),
    talk(
        "all keys are set, or none",
        &[
            ("a", "MSETNX a 1 b 2\nMSETNX b 3 c 4\nMGET a b c", ":1 :0 *['1' '2' $nil]"),
            ("a", "MSETNX a", "-ERR wrong number of arguments for 'msetnx' command"),
            ("a", "MSETNX x 1 y", "-ERR wrong number of arguments for 'msetnx' command"),
            ("a", "TOUCH a b none a", ":3"),
        ],
    ),
    talk(
        "what two strings have in common",
        &[
            (
                "a",
                "MSET k1 ohmytext k2 mynewtext\nLCS k1 k2\nLCS k1 k2 LEN\nLCS k1 none",
                "+OK 'mytext' :6 ''",
            ),
            ("a", "LCS k1 k2 IDX", "%['matches' *[*[*[:4 :7] *[:5 :8]] *[*[:2 :3] *[:0 :1]]] 'len' :6]"),
            (
                "a",
                "LCS k1 k2 IDX MINMATCHLEN 4 WITHMATCHLEN",
                "%['matches' *[*[*[:4 :7] *[:5 :8] :4]] 'len' :6]",
            ),
            ("a", "LCS k1 k2 IDX LEN", "-ERR If you want both the length and indexes, please just use IDX."),
            ("a", "LCS k1 k2 FOO", "-ERR syntax error"),
            ("a", "HSET h f v", ":1"),
            ("a", "LCS k1 h", "-ERR The specified keys must contain string values"),
        ],
    ),
    talk(
        "times of expiry are absolute as well",
        &[
            (
                "a",
                "SET k v\nEXPIREAT k 99999999999\nEXPIRETIME k\nPEXPIRETIME k",
                "+OK :1 :99999999999 :99999999999000",
            ),
            (
                "a",
                "PEXPIREAT k 99999999999500\nPEXPIRETIME k\nEXPIRETIME k",
                ":1 :99999999999500 :100000000000",
            ),
            ("a", "PEXPIREAT k 99999999999400 GT\nPEXPIREAT k 99999999999400 LT", ":0 :1"),
            ("a", "PERSIST k\nEXPIRETIME k\nPEXPIRETIME none", ":1 :-1 :-2"),
            ("a", "EXPIREAT k 1\nEXISTS k", ":1 :0"),
            ("a", "HSET h f v\nGETEX none PX x", ":1 $nil"),
            ("a", "GETEX h PX x", WRONG_KIND),
            ("a", "EXPIREAT k 9223372036854775807", "-ERR invalid expire time in 'expireat' command"),
        ],
    ),
    // Commands of Redis 8.4 and Valkey 9.
    Talk {
        promise: "a key is set or removed if it holds what the client thinks",
        protocols: BOTH,
        redis: (8, 4),
        steps: &[
            ("a", "SET lock me\nSET lock you IFEQ other\nGET lock", "+OK $nil 'me'"),
            ("a", "SET lock you IFEQ me\nGET lock\nSET none x IFEQ y\nEXISTS none", "+OK 'you' $nil :0"),
            ("a", "SET lock me IFNE you\nSET lock me IFNE me GET\nSET none x IFNE y", "$nil 'you' +OK"),
            ("a", "SET lock x IFEQ", "-ERR syntax error"),
            ("a", "SET lock x NX IFEQ y", "-ERR syntax error"),
            ("a", "DELIFEQ lock other\nDELIFEQ lock me\nDELIFEQ lock me\nEXISTS lock", ":0 :1 :0 :0"),
            ("a", "HSET h f v", ":1"),
            ("a", "SET h x IFEQ y", WRONG_KIND),
            ("a", "DELIFEQ h y", WRONG_KIND),
        ],
    },
    talk_72(
        BOTH,
        "wrong arguments are wrong for a key that does not exist as well",
        &[
            ("a", "BITCOUNT none x", "-ERR syntax error"),
            ("a", "BITCOUNT none x 1", "-ERR value is not an integer or out of range"),
            ("a", "BITCOUNT none 1 2 WORD", "-ERR syntax error"),
            ("a", "BITPOS none 1 x", "-ERR value is not an integer or out of range"),
        ],
    ),
];

#[test]
fn what_would_take_too_long_or_say_too_much_is_refused_and_changes_nothing() {
    let daemon = Daemon::start(&["--max-reply-bytes", "1024"]);
    let mut wire = daemon.connect();
    wire.ask(request(&[b"SET", b"long", &[b'x'; 3_000]]), "+OK\r\n");
    let text = "-ERR Insufficient memory, failed allocating transient memory for LCS\r\n";
    wire.ask("LCS long long LEN\r\nSET short x\r\nLCS long short LEN\r\n", format!("{text}+OK\r\n:1\r\n"));
    let many = "SET i64 0 7 ".repeat(100);
    let text = "-ERR reply exceeds max-reply-bytes (1024) or the memory that is left\r\n";
    wire.ask(format!("BITFIELD f {many}\r\nEXISTS f\r\n"), format!("{text}:0\r\n"));
}

/// Random commands about few keys, so that they meet each other's values.
struct Dice(StdRng);

impl Dice {
    fn one_of(&mut self, words: &[&str]) -> Vec<u8> {
        words.choose(&mut self.0).expect("there are some").as_bytes().to_vec()
    }

    fn key(&mut self) -> Vec<u8> {
        self.one_of(&["a", "b", "c", "long", "h"])
    }

    fn number(&mut self) -> Vec<u8> {
        let near = [-1_i64, 0, 1, 2, 7, 8, 9, 63, 64, 65, 200, 254, 255, 256, 300, 2_000];
        let far = [i64::MIN, i64::MAX, 1 << 32, -100];
        let number = match self.0.random_range(0..12) {
            0 => return self.one_of(&["x", "", "+1", "01", "1.5"]),
            1 => far[self.0.random_range(0..far.len())],
            2..5 => -near[self.0.random_range(0..near.len())],
            _ => near[self.0.random_range(0..near.len())],
        };
        number.to_string().into_bytes()
    }

    fn text(&mut self) -> Vec<u8> {
        let len = *[0, 1, 3, 8, 40, 230, 300].choose(&mut self.0).expect("there are some");
        (0..len).map(|_| *b"\0\x01\x7f\x80\xffab".choose(&mut self.0).expect("there are some")).collect()
    }

    fn float(&mut self) -> Vec<u8> {
        self.one_of(&["0.1", "-1.5", "3", "1e10", "1e-10", "5.0e3", "inf", "x", "", "1234567890.123456789"])
    }

    fn field_width(&mut self) -> Vec<u8> {
        self.one_of(&["u1", "i1", "u8", "i8", "u13", "i31", "u63", "i64", "u64", "i65", "i0", "8", "u07"])
    }

    fn field_offset(&mut self) -> Vec<u8> {
        self.one_of(&["0", "1", "7", "9", "#0", "#3", "100", "2000", "-1", "#x", "4294967296"])
    }

    fn bitfield(&mut self) -> Vec<Vec<u8>> {
        let mut words = vec![self.one_of(&["BITFIELD", "BITFIELD", "BITFIELD_RO"]), self.key()];
        for _ in 0..self.0.random_range(0..4) {
            match self.0.random_range(0..4) {
                0 => words.extend([b"OVERFLOW".to_vec(), self.one_of(&["WRAP", "sat", "FAIL", "x"])]),
                1 => words.extend([b"get".to_vec(), self.field_width(), self.field_offset()]),
                2 => words.extend([b"SET".to_vec(), self.field_width(), self.field_offset(), self.number()]),
                _ => {
                    words.extend([b"INCRBY".to_vec(), self.field_width(), self.field_offset(), self.number()])
                }
            }
        }
        words
    }

    fn command(&mut self) -> Vec<Vec<u8>> {
        let word = |text: &str| text.as_bytes().to_vec();
        let (key, other) = (self.key(), self.key());
        match self.0.random_range(0..100) {
            0..25 => return self.key_command(key, other),
            25..35 => return self.time_command(key),
            35..50 => return self.short_command(key, other),
            _ => {}
        }
        match self.0.random_range(0..24) {
            0 => vec![word("SET"), key, self.text()],
            1 => vec![word("SET"), key, self.number(), word("GET")],
            2 => vec![word("GET"), key],
            3 => vec![word("GETRANGE"), key, self.number(), self.number()],
            4 => vec![
                word("SETRANGE"),
                key,
                self.one_of(&["0", "1", "5", "200", "260", "-1", "x"]),
                self.text(),
            ],
            5 | 6 => vec![word("SETBIT"), key, self.number(), self.one_of(&["0", "1", "1", "2"])],
            7 => vec![word("GETBIT"), key, self.number()],
            8 => vec![word("BITCOUNT"), key],
            9 => {
                vec![word("BITCOUNT"), key, self.number(), self.number(), self.one_of(&["BIT", "byte", "x"])]
            }
            10 => vec![word("BITPOS"), key, self.one_of(&["0", "1", "2"])],
            11 => vec![word("BITPOS"), key, self.one_of(&["0", "1"]), self.number()],
            12 => vec![
                word("BITPOS"),
                key,
                self.one_of(&["0", "1"]),
                self.number(),
                self.number(),
                self.one_of(&["BIT", "BYTE"]),
            ],
            13 => vec![word("BITOP"), self.one_of(&["AND", "or", "XOR", "NOT"]), self.key(), key, other],
            14 => vec![word("BITOP"), word("NOT"), other, key],
            15..18 => self.bitfield(),
            18 => vec![word("INCRBYFLOAT"), key, self.float()],
            19 => vec![word("MSETNX"), key, self.text(), other, self.text()],
            20 => vec![word("LCS"), key, other, self.one_of(&["LEN", "IDX", "x"])],
            21 => vec![word("DEL"), key],
            22 => vec![word("APPEND"), key, self.text()],
            _ => vec![word("STRLEN"), key],
        }
    }
}

impl Dice {
    /// A command about keys of any kind. Times are far away, and told as they were set, so that no reply depends on the
    /// clock.
    fn key_command(&mut self, key: Vec<u8>, other: Vec<u8>) -> Vec<Vec<u8>> {
        let word = |text: &str| text.as_bytes().to_vec();
        match self.0.random_range(0..18) {
            0 => vec![word("RENAME"), key, other],
            1 => vec![word("RENAMENX"), key, other],
            2 => vec![word("COPY"), key, other],
            3 => vec![word("COPY"), key, other, word("REPLACE")],
            4 => vec![
                word("COPY"),
                key,
                other,
                word("DB"),
                self.one_of(&["0", "1", "15", "16", "x"]),
                word("REPLACE"),
            ],
            5 => vec![word("MOVE"), key, self.one_of(&["0", "1", "1", "16", "-1", "x"])],
            6 | 7 => vec![word("SELECT"), self.one_of(&["0", "0", "0", "1", "16", "x"])],
            8 | 9 => {
                let at = self.one_of(&["99999999999", "99999999998", "88888888888", "1", "-1", "x"]);
                let how = self.one_of(&["NX", "XX", "GT", "LT", "FOO"]);
                let mut words = vec![self.one_of(&["EXPIREAT", "PEXPIREAT", "EXPIREAT"]), key, at];
                words.extend(self.0.random_bool(0.6).then_some(how));
                words
            }
            10 => vec![self.one_of(&["EXPIRETIME", "PEXPIRETIME"]), key],
            11 => vec![word("PERSIST"), key],
            12 => vec![self.one_of(&["TYPE", "EXISTS", "TOUCH", "GETDEL", "STRLEN"]), key],
            13 => vec![word("GETEX"), key, self.one_of(&["PERSIST", "EXAT", "FOO"]), word("99999999999")],
            14 => vec![word("SET"), key, self.text(), self.one_of(&["KEEPTTL", "NX", "XX", "GET", "FOO"])],
            15 => vec![word("SET"), key, self.text(), self.one_of(&["EXAT", "PXAT"]), word("99999999999999")],
            16 => vec![word("DBSIZE")],
            _ => vec![word("HSET"), word("h"), self.one_of(&["f", "g"]), self.text()],
        }
    }
}

impl Dice {
    /// A time that is far away, or a wrong one; of the unit that this scale gives.
    fn time(&mut self, scale: u64) -> Vec<u8> {
        match self.0.random_range(0..8) {
            0 => self.one_of(&["0", "-1", "x", "9223372036854775807"]),
            // No two of these are the same, so it does not matter how much time passes between two commands.
            _ => (self.0.random_range(1_000..1_000_000_u64) * 1_000 * scale).to_string().into_bytes(),
        }
    }

    /// A command about the time of a key, which counts from now.
    fn time_command(&mut self, key: Vec<u8>) -> Words {
        let word = |text: &str| text.as_bytes().to_vec();
        match self.0.random_range(0..6) {
            0 | 1 => {
                let (name, scale) = [("EXPIRE", 1), ("PEXPIRE", 1_000)][self.0.random_range(0..2)];
                let how = self.one_of(&["NX", "XX", "GT", "LT", "FOO"]);
                let mut words = vec![word(name), key, self.time(scale)];
                words.extend(self.0.random_bool(0.6).then_some(how));
                words
            }
            2 => vec![word("PERSIST"), key],
            3 => vec![self.one_of(&["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]), key],
            4 => {
                let (name, scale) = [("SETEX", 1), ("PSETEX", 1_000)][self.0.random_range(0..2)];
                vec![word(name), key, self.time(scale), self.text()]
            }
            _ => {
                let (option, scale) = [("EX", 1), ("PX", 1_000)][self.0.random_range(0..2)];
                let mut words = match self.0.random_bool(0.5) {
                    true => vec![word("SET"), key, self.text()],
                    false => vec![word("GETEX"), key],
                };
                words.extend([word(option), self.time(scale)]);
                words
            }
        }
    }

    /// The commands of old, and those about all keys.
    fn short_command(&mut self, key: Vec<u8>, other: Vec<u8>) -> Words {
        let word = |text: &str| text.as_bytes().to_vec();
        match self.0.random_range(0..16) {
            0 => vec![word("SETNX"), key, self.text()],
            1 => vec![word("GETSET"), key, self.number()],
            2 => vec![word("MGET"), key, other, self.key()],
            3 => {
                let mut words = vec![word("MSET"), key, self.text(), other, self.number()];
                words.truncate(self.0.random_range(3..8));
                words
            }
            4 | 5 => vec![self.one_of(&["INCR", "DECR"]), key],
            6 | 7 => vec![self.one_of(&["INCRBY", "DECRBY"]), key, self.number()],
            8 => vec![word("SUBSTR"), key, self.number(), self.number()],
            9 | 10 => vec![word("OBJECT"), self.one_of(&["ENCODING", "encoding", "FOO"]), key],
            11 | 12 => {
                let mut words =
                    vec![word("SCAN"), self.one_of(&["0", "0", "0", "x"]), word("COUNT"), word("1000")];
                if self.0.random_bool(0.6) {
                    words.extend([word("TYPE"), self.one_of(&["string", "hash", "list", "FOO"])]);
                }
                words.extend(
                    self.0.random_bool(0.2).then_some([word("MATCH"), word("?")]).into_iter().flatten(),
                );
                words
            }
            13 => vec![word("RANDOMKEY")],
            14 if self.0.random_bool(0.3) => match self.0.random_range(0..4) {
                0 => vec![word("FLUSHALL")],
                1 => vec![word("FLUSHDB")],
                _ => vec![word("FLUSHDB"), self.one_of(&["ASYNC", "SYNC", "FOO"])],
            },
            _ => {
                vec![word("SWAPDB"), self.one_of(&["0", "1", "0", "16"]), self.one_of(&["1", "0", "15", "x"])]
            }
        }
    }
}

/// Redis 7.0 looks at the key first, and 7.2, like Tidegate, at the arguments.
fn differs_by_version(words: &[Vec<u8>], of_redis: &[u8], of_ours: &[u8]) -> bool {
    let about_bits = words[0] == b"BITCOUNT" || words[0] == b"BITPOS";
    let of_key = of_redis.starts_with(b":") || of_redis.starts_with(b"-WRONGTYPE");
    about_bits && of_key && of_ours.starts_with(b"-ERR")
}

pub fn reply(wire: &mut Wire, words: &[Vec<u8>]) -> Vec<u8> {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    wire.send(request(&words));
    // The reply to ECHO shows where the one before ends.
    const END: &[u8] = b"$15\r\n=== the end ===\r\n";
    wire.send(request(&[b"ECHO", b"=== the end ==="]));
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    while !bytes.ends_with(END) {
        let count = wire.stream.read(&mut part).expect("a reply");
        assert!(count > 0, "the end after {}", bytes.escape_ascii());
        bytes.extend(&part[..count]);
    }
    bytes.truncate(bytes.len() - END.len());
    bytes
}

/// The two servers, asked about strings and keys.
struct Strings(Servers);

impl Pair for Strings {
    type Command = Words;

    fn begin(&mut self) {
        self.0.begin(&["HSET h f v"]);
    }

    fn ask(&mut self, words: &Words) -> [Vec<u8>; 2] {
        let [ours, redis] = self.0.ask(words);
        let alike = differs_by_version(words, &redis, &ours)
            || differs_by_history(words, &redis, &ours)
            || differs_by_clock(words, &redis, &ours);
        let ours = if alike { redis.clone() } else { ours };
        [ours, redis].map(|reply| match &words[0][..] {
            b"RANDOMKEY" if reply.starts_with(b"$") && reply != b"$-1\r\n" => b"(some key)".to_vec(),
            b"SCAN" => sorted(&reply),
            _ => reply,
        })
    }

    fn shown(words: &Words) -> String {
        quoted(words)
    }
}

/// The lines of a reply, in the order of the alphabet.
fn sorted(reply: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = reply.split_inclusive(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines.concat()
}

/// Redis keeps a larger encoding when a value could have a smaller one again.
fn differs_by_history(words: &Words, of_redis: &[u8], of_ours: &[u8]) -> bool {
    let encodings: [&[&[u8]]; 2] = [
        &[b"$3\r\nint\r\n", b"$6\r\nembstr\r\n", b"$3\r\nraw\r\n"],
        &[b"$8\r\nlistpack\r\n", b"$9\r\nhashtable\r\n"],
    ];
    let is_smaller = |names: &&[&[u8]]| {
        let [ours, redis] = [of_ours, of_redis].map(|reply| names.iter().position(|name| *name == reply));
        ours.is_some() && ours < redis
    };
    words[0] == b"OBJECT" && encodings.iter().any(is_smaller)
}

/// Times that count from now, of which there are none of less than eleven days, are nearly alike.
fn differs_by_clock(words: &Words, of_redis: &[u8], of_ours: &[u8]) -> bool {
    const NEAR_S: u64 = 60;
    // Times that the commands give as such are later than this, and so not among those that count from now.
    const LATEST_S: u64 = 5_000_000_000;
    let scale = match &words[0][..] {
        b"TTL" | b"EXPIRETIME" => 1,
        b"PTTL" | b"PEXPIRETIME" => 1_000,
        _ => return false,
    };
    let number = |reply: &[u8]| {
        let text = std::str::from_utf8(reply).ok()?.strip_prefix(':')?.trim_end();
        text.parse::<u64>().ok()
    };
    let (Some(redis), Some(ours)) = (number(of_redis), number(of_ours)) else { return false };
    let counts_from_now = words[0].ends_with(b"TTL") || redis < LATEST_S * scale;
    counts_from_now && redis.abs_diff(ours) <= NEAR_S * scale
}

fn compare(protocol: u8, commands: usize) {
    if !have("redis-server", "--version") {
        return;
    }
    let seed = seed();
    let mut dice = Dice(StdRng::seed_from_u64(seed));
    let mut strings = Strings(Servers::start(protocol));
    let title = format!("SEED={seed}, RESP{protocol}");
    differ::compare(&mut strings, &title, commands, |_| dice.command());
}

#[test]
fn random_commands_about_strings_and_keys_are_answered_as_a_redis_server_answers_them() {
    compare(2, 20_000);
    compare(3, 20_000);
}
