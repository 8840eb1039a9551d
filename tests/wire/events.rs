//! Events of keys (`notify-keyspace-events`): which command tells of which, and when.

use std::time::{Duration, Instant};

use crate::commands::start_redis;
use crate::harness::{Daemon, Wire, have};
use crate::talks::{Talk, frame, talk};

pub const TALKS: &[Talk] = &[
    talk(
        "an event goes to the channel of its key and to its own, as far as the letters say",
        &[
            ("op", "CONFIG SET notify-keyspace-events KEA", "+OK"),
            ("a", "PSUBSCRIBE __key*", ">['psubscribe' '__key*' :1]"),
            ("op", "SELECT 3\nSET k v", "+OK +OK"),
            (
                "a",
                "",
                ">['pmessage' '__key*' '__keyspace@3__:k' 'set'] >['pmessage' '__key*' '__keyevent@3__:set' 'k']",
            ),
            ("op", "CONFIG SET notify-keyspace-events Eg\nSET k w\nDEL k none", "+OK +OK :1"),
            ("a", "", ">['pmessage' '__key*' '__keyevent@3__:del' 'k']"),
            ("op", "CONFIG SET notify-keyspace-events ''\nSET k v\nDEL k", "+OK +OK :1"),
            (
                "op",
                "CONFIG SET notify-keyspace-events q",
                "-ERR CONFIG SET failed (possibly related to argument \
              'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
            ),
        ],
    ),
    talk(
        "the events of a transaction come in the order of its commands, behind what it replies",
        &[
            ("op", "CONFIG SET notify-keyspace-events E$g", "+OK"),
            (
                "a",
                "SUBSCRIBE __keyevent@0__:set __keyevent@0__:del",
                ">['subscribe' '__keyevent@0__:set' :1] >['subscribe' '__keyevent@0__:del' :2]",
            ),
            ("b", "MULTI\nSET k v\nSET l w\nDEL k\nEXEC", "+OK +QUEUED +QUEUED +QUEUED *[+OK +OK :1]"),
            (
                "a",
                "",
                ">['message' '__keyevent@0__:set' 'k'] >['message' '__keyevent@0__:set' 'l'] >['message' \
                 '__keyevent@0__:del' 'k']",
            ),
            ("op", "CONFIG SET notify-keyspace-events ''", "+OK"),
        ],
    ),
];

/// Each line is run on both servers. What their subscribers hear must be the same.
const COMMANDS: &str = "\
SET k v
SET k v EX 100
SET k v XX GET
SET k v NX
SETNX k v
SETNX n v
SETEX k 100 v
PSETEX k 100000 v
GETSET k w
GETDEL n
GETDEL n
GET n
GETEX k EX 50
GETEX k PERSIST
GETEX k PERSIST
GETEX k PXAT 1000
EXISTS k n
MSET a 1 b 2 a 3
MSETNX a 1 c 2
MSETNX c 1 d 2
APPEND a x
APPEND new x
APPEND new2
SETRANGE a 3 xyz
SETRANGE a 3 ''
INCR i
DECRBY i 7
INCRBYFLOAT i 1.5
SETBIT bits 7 1
SETBIT bits 7 1
BITFIELD bits SET u8 0 255 GET u8 0
BITFIELD bits GET u8 0
BITFIELD newbits OVERFLOW FAIL INCRBY u8 0 300
BITFIELD bits OVERFLOW FAIL SET u8 800 300
BITFIELD bits OVERFLOW FAIL SET u8 1600 300 OVERFLOW WRAP SET u8 0 0
BITOP OR out bits a
BITOP OR out none none
BITOP AND none2 none none
DEL c d none
UNLINK b none
EXPIRE a 100
EXPIRE none 100
EXPIRE a 200 LT
EXPIREAT a 99999999999
PEXPIRE a 100000
PERSIST a
PERSIST a
EXPIRE a -1
SET a 1
RENAME a r
RENAME r r
RENAMENX r s
SET t 1
RENAMENX t s
RENAME t s
COPY s t
COPY s t
COPY s t REPLACE
COPY s t DB 1
MOVE s 2
MOVE s 2
SELECT 2
MOVE s 0
SELECT 0
HSET h f v g w
HSET h f v
HSETNX h f v
HSETNX h new v
HINCRBY h n 1
HINCRBYFLOAT h n 1.5
HMSET h f v
HDEL h none
HDEL h f
HDEL h g new n
RPUSH l1 a b c
LPUSH l1 d
LPUSHX none d
RPUSHX l1 e
LSET l1 0 x
LINSERT l1 BEFORE a y
LINSERT l1 BEFORE none y
LREM l1 0 none
LREM l1 0 y
LTRIM l1 0 100
LTRIM l1 1 -1
LPOP l1
RPOP l1 1
RPOP l1 0
LMOVE l1 l2 LEFT RIGHT
RPOPLPUSH l1 l2
RPOPLPUSH l2 l2
LMPOP 2 l1 l2 LEFT COUNT 10
LPOP none
RPUSH l1 a
LREM l1 0 a
RPUSH l1 a
LTRIM l1 5 9
LLEN none
LINDEX none 0
LRANGE none 0 1
LPOS none a
XADD x1 1-1 f v
XADD x1 1-2 f v
XADD x1 1-1 f v
XADD x1 MAXLEN 2 1-3 f v
XADD x1 MAXLEN ~ 2 1-4 f v
XADD none NOMKSTREAM 1-4 f v
XTRIM x1 MAXLEN 100
XTRIM x1 MINID 1-3
XDEL x1 1-1
XDEL x1 1-3
XSETID x1 9-9
XSETID x1 1-3
XGROUP CREATE x1 g 0
XGROUP CREATE x1 g 0
XGROUP CREATE x2 g $ MKSTREAM
XGROUP SETID x1 g 0
XGROUP CREATECONSUMER x1 g c
XGROUP CREATECONSUMER x1 g c
XREADGROUP GROUP g d STREAMS x1 >
XREADGROUP GROUP g d STREAMS x1 0
XACK x1 g 1-4
XCLAIM x1 g e 0 1-4 FORCE JUSTID
XAUTOCLAIM x1 g c 0 - JUSTID
XGROUP DELCONSUMER x1 g d
XGROUP DELCONSUMER x1 g none
XGROUP DESTROY x1 g
XGROUP DESTROY x1 g
XDEL x1 1-4
XLEN x1
OBJECT ENCODING x1
XREAD STREAMS x1 none 0 0
XREADGROUP GROUP g c STREAMS none >
XRANGE none - +
XLEN none
XACK none g 1-1
XPENDING none g
XINFO STREAM none
XCLAIM none g c 0 1-1
XAUTOCLAIM none g c 0 -
XTRIM none MAXLEN 0
XDEL none 1-1
PFADD p1 a b
PFADD p1 a b
PFADD p1 c
PFADD p2
PFADD p2
PFCOUNT p1
PFCOUNT p1
PFCOUNT p1 p2 none
PFCOUNT none
PFMERGE p2 p1 none
PFMERGE p3
PFMERGE p3 k
PFDEBUG TODENSE p1
PFADD p1 a
PFADD p1 d
PFDEBUG GETREG p2
PFDEBUG GETREG none
RPUSH l1 3 1 2
SORT l1 STORE l1
SORT l1 STORE l2
SORT none STORE l2
SORT none STORE none
SORT l1 BY none_*
DEL l1
SADD s1 a b c
SADD s1 a
SREM s1 none
SREM s1 a
SMOVE s1 s2 b
SMOVE s1 s2 none
SMOVE s1 s2 c
SADD s1 b
SINTERSTORE out s1 s2
SINTERSTORE out s1 none
SDIFFSTORE out none s1
SUNIONSTORE out s1 s2
SUNIONSTORE s1 s1 s2
SREM s1 b
SPOP s1 100
SPOP s1
SREM s2 b c
ZADD z1 1 a 2 b 3 c
ZADD z1 1 a
ZADD z1 XX 5 none
ZADD z1 CH 4 c
ZADD z1 INCR 1 a
ZINCRBY z1 1 a
ZINCRBY z1 0 a
ZREM z1 none
ZREM z1 a
ZADD z1 1 a 5 d 6 e 7 f 8 g
ZREMRANGEBYRANK z1 0 0
ZREMRANGEBYRANK z1 50 60
ZREMRANGEBYSCORE z1 5 5
ZREMRANGEBYSCORE z1 50 50
ZADD lex 0 a 0 b 0 c
ZREMRANGEBYLEX lex [a [a
ZREMRANGEBYLEX lex - +
ZPOPMIN z1
ZPOPMAX z1 2
ZPOPMAX z1 0
ZMPOP 2 none z1 MIN COUNT 1
ZADD z1 1 a 2 b
ZADD z2 1 a
ZUNIONSTORE out 2 z1 z2
ZUNIONSTORE out 1 none
ZINTERSTORE out 2 z1 z2
ZDIFFSTORE out 2 z1 z2
ZDIFFSTORE out 2 z1 z1
ZDIFFSTORE out 1 none
ZRANGESTORE out z1 0 -1
ZRANGESTORE out z1 5 9
ZRANGESTORE out z1 5 9
GEOADD g1 13.4 38.1 west 15.1 37.5 east
GEOADD g1 13.4 38.1 west
GEOADD g1 CH XX 13.5 38.1 west
GEORADIUS g1 14 38 300 km
GEORADIUS g1 14 38 300 km STORE out
GEORADIUS g1 14 38 1 km STORE out
GEORADIUSBYMEMBER g1 west 300 km STOREDIST out
GEORADIUSBYMEMBER none west 300 km STOREDIST out
GEOSEARCHSTORE out g1 FROMMEMBER west BYBOX 9 9 km
GEOSEARCHSTORE out none FROMMEMBER west BYBOX 9 9 km
GEOPOS none m
DEL g1
ZPOPMIN z1 100
ZPOPMIN z1
ZREM z2 a
ZADD z2 1 a
ZREMRANGEBYRANK z2 0 -1
ZSCORE none m
ZRANGE none 0 -1
ZRANK none m
ZUNION 2 none s1
ZINTERCARD 2 none s2
SMEMBERS none
SINTER none s1
HGET none f
HGETALL none
HLEN none
STRLEN none
GETRANGE none 0 1
GETBIT none 1
BITCOUNT none
MGET none k none
TTL none
TYPE none
TOUCH none k
RANDOMKEY
SWAPDB 0 1
SWAPDB 0 1
FLUSHDB
SET k v PX 1
DEBUG SLEEP 0.01
GET k
SET k v PX 1
DEBUG SLEEP 0.01
DEL k
FLUSHALL
RESTORE r1 0 \"\\x00\\x03\\x6e\\x65\\x77\\x0a\\x00\\x30\\x74\\x41\\x15\\x9c\\x68\\x17\\x7c\"
RESTORE r1 0 \"\\x00\\x03\\x6e\\x65\\x77\\x0a\\x00\\x30\\x74\\x41\\x15\\x9c\\x68\\x17\\x7c\"
RESTORE r1 0 \"\\x04\\x01\\x01\\x66\\x01\\x76\\x0a\\x00\\xad\\xf2\\x43\\x56\\xb1\\x86\\x0e\\xfc\" REPLACE
RESTORE r1 1 \"\\x04\\x01\\x01\\x66\\x01\\x76\\x0a\\x00\\xad\\xf2\\x43\\x56\\xb1\\x86\\x0e\\xfc\" REPLACE ABSTTL
RESTORE r1 1 \"\\x04\\x01\\x01\\x66\\x01\\x76\\x0a\\x00\\xad\\xf2\\x43\\x56\\xb1\\x86\\x0e\\xfc\" REPLACE ABSTTL
RESTORE r1 100000 \"\\x01\\x02\\x01\\x61\\x01\\x62\\x0a\\x00\\x32\\xa8\\x90\\x7e\\xd5\\x03\\x1a\\x45\" REPLACE
RESTORE r1 0 \"\\x02\\x02\\x01\\x6d\\x01\\x6e\\x0a\\x00\\xb9\\x01\\x44\\xe7\\x6e\\xcb\\xef\\x87\" REPLACE IDLETIME 5
RESTORE r1 0 x REPLACE
DUMP none
SET k v PX 1
DEBUG SLEEP 0.01
RESTORE k 0 \"\\x02\\x02\\x01\\x6d\\x01\\x6e\\x0a\\x00\\xb9\\x01\\x44\\xe7\\x6e\\xcb\\xef\\x87\"
SET k v PX 1
DEBUG SLEEP 0.01
RESTORE k 0 \"\\x02\\x02\\x01\\x6d\\x01\\x6e\\x0a\\x00\\xb9\\x01\\x44\\xe7\\x6e\\xcb\\xef\\x87\" REPLACE
GETSET none v
LCS none k";

#[test]
fn the_events_are_those_of_a_redis_server() {
    if !have("redis-server", "--version") {
        return;
    }
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let (_redis, theirs, port) = start_redis(&["--enable-debug-command", "yes"]);
    let connect = || Wire::new(std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens"));
    let mut pairs = [(daemon.connect(), daemon.connect()), (theirs, connect())];
    for (wire, listener) in &mut pairs {
        // Keys that expire must wait until a command finds them, or the order would be a matter of time.
        wire.ask(
            "CONFIG SET notify-keyspace-events KEAnm\r\nDEBUG SET-ACTIVE-EXPIRE 0\r\n",
            "+OK\r\n+OK\r\n",
        );
        listener.send("PSUBSCRIBE __key* end\r\n");
        frame(listener);
        frame(listener);
    }
    let mut events = 0;
    for command in COMMANDS.lines() {
        let heard = pairs.each_mut().map(|(wire, listener)| {
            wire.send(format!("{command}\r\n"));
            let reply = frame(wire);
            wire.ask("PUBLISH end x\r\n", ":1\r\n");
            let mut heard = vec![if command == "RANDOMKEY" { String::new() } else { reply }];
            loop {
                let message = frame(listener);
                if message.contains("'end'") {
                    return heard;
                }
                events += 1;
                heard.push(message);
            }
        });
        assert_eq!(heard[0], heard[1], "{command}");
    }
    assert!(events > 200, "only {events} events");
}

#[test]
fn a_key_that_expires_is_told_unasked_and_at_once() {
    const SLACK: Duration = Duration::from_millis(100);
    let daemon = Daemon::start(&["--notify-keyspace-events", "Ex"]);
    let (mut wire, mut listener) = (daemon.connect(), daemon.connect());
    listener.send("PSUBSCRIBE __keyevent@*__:expired\r\n");
    frame(&mut listener);
    wire.ask("SELECT 5\r\n", "+OK\r\n");
    for n in 1..=20 {
        wire.ask(format!("SET k{n} v PX {}\r\n", 10 * n), "+OK\r\n");
    }
    let began = Instant::now();
    for n in 1..=20 {
        let told = frame(&mut listener);
        assert!(told.contains(&format!("'__keyevent@5__:expired' 'k{n}'")), "{told}");
    }
    // It would take five looks of the sweep, half a second apart, if nobody waited for the events.
    assert!(began.elapsed() < Duration::from_millis(200) + SLACK * 10, "{:?}", began.elapsed());
    wire.ask("DBSIZE\r\n", ":0\r\n");
}
