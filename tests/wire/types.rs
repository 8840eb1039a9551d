//! Random commands about sets, lists, sorted sets, places, streams and HyperLogLogs, compared with a redis-server reply by
//! reply.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::differ::{self, Pair, Servers, Words, quoted, seed};
use crate::harness::have;

/// What the words of a line of a grammar stand for. A word with bars is one of several; a part in brackets may be left
/// out; `W*n` is `n` words. `MANY` is one of many words, `RANDOM` a number that is hardly ever the same.
const WORDS: &[(&str, &[&str])] = &[
    ("K", &["a", "b", "c", "d", "a", "b", "c", "d", "none", "text"]),
    ("M", &["m", "n", "o", "p", "", "1", "2", "3", "-7", "1000000", "07", "q", "r", "s", "LONG", "\u{e9}"]),
    ("W", &["a", "b", "c", "d"]),
    ("I", &["0", "1", "2", "3", "-1", "-2", "-3", "5", "100", "-100", "x", "9223372036854775807"]),
    ("N", &["1", "2", "2", "3", "0", "-1", "x"]),
    ("Z", &["z1", "z2", "z3", "z1", "z2", "z3", "big", "big", "set", "none", "text"]),
    ("L", &["lex", "lex", "biglex"]),
    (
        "S",
        &[
            "0", "1", "2", "3", "-1", "1.5", "-0.25", "7", "100", "1000", "40000", "-3000000", "inf", "-inf",
            "+1", "1e2", "0x10", "-0", "1e25", "x", "nan", "",
        ],
    ),
    (
        "B",
        &[
            "0", "1", "(1", "2", "(2", "-1", "1.5", "50", "(50", "100", "-inf", "+inf", "inf", "(-inf", "x",
            "", "(", "1e400",
        ],
    ),
    ("X", &["-", "+", "[m", "(m", "[n", "(o", "[q", "[", "(", "[k000100", "(k000150", "[k00020", "x", ""]),
    ("GEO", &["g1", "g2", "g3", "g1", "g2", "g3", "geobig", "geobig", "none", "text", "odd"]),
    ("P", &["p1", "p2", "p3", "p4", "p5", "p6", "", "gone"]),
    (
        "PLACE",
        &[
            "x 1", "1 x", "181 0", "0 -86", "nan 0", "inf 3", "FAR", "FAR", "FAR", "FAR", "NEAR", "NEAR",
            "NEAR",
        ],
    ),
    ("CORNER", &["180 85.05112878", "-180 -85.05112878", "180 0", "0 85.05112878", "0 0"]),
    ("NEARBY", &["NEAR", "NEAR", "NEAR", "FAR", "x 1", "1 86"]),
    (
        "SIZE",
        &["0", "1", "10", "50.5", "120", "300", "1000", "2500", "9000", "30000", "1e9", "-1", "x", "", "inf"],
    ),
    ("U", &["km", "KM", "km", "mi", "Mi", "m", "ft", "km", "yd"]),
    ("FROM", &["[m", "(m"]),
    ("TO", &["[n", "(n"]),
    ("OPT", &["NX", "XX", "GT", "LT", "CH", "INCR", "CH", "XX", "x"]),
    ("AGG", &["SUM", "MIN", "MAX", "min", "x"]),
    (
        "E",
        &[
            "1-1", "1-2", "2-0", "2-1", "3-1", "3-5", "4-0", "5-1", "6-0", "7", "9-1", "9-2", "9-3", "9-4",
            "0-0", "x",
        ],
    ),
    (
        "F",
        &[
            "-",
            "+",
            "(1-1",
            "(2",
            "3",
            "(9-2",
            "(",
            "(-",
            "(0-0",
            "(18446744073709551615-18446744073709551615",
            "1-1",
            "9",
        ],
    ),
    ("G", &["g", "h", "g", "h", "nog"]),
    ("C", &["alice", "bob", "carol", "alice", "bob", "dave", "eve"]),
];

/// Commands about sets.
const SETS: &[&str] = &[
    "SADD K M",
    "SADD K M M M",
    "SADD K M M M M M M M M M M",
    "SREM K M",
    "SREM K M M M",
    "SISMEMBER K M",
    "SMISMEMBER K M M M",
    "SCARD K",
    "SMEMBERS K",
    "SMOVE K K M",
    "SINTER K",
    "SINTER K K",
    "SINTER K K K",
    "SUNION K K",
    "SUNION K K K",
    "SDIFF K",
    "SDIFF K K",
    "SDIFF K K K",
    "SINTERSTORE K K K",
    "SUNIONSTORE K K K",
    "SDIFFSTORE K K K",
    "SINTERCARD N K K [LIMIT I]",
    "SINTERCARD 2 K K [LIMIT I] [FOO]",
    "SSCAN K 0 [MATCH m*] COUNT 1000",
    "SSCAN K 0 COUNT 0|-1|x",
    "SPOP K 100000",
    "SPOP K I x",
    "SPOP K -1",
    "SPOP absent [I]",
    "SPOP str",
    "SRANDMEMBER K 100000",
    "SRANDMEMBER absent [I]",
    "SRANDMEMBER K x",
    "SRANDMEMBER K 0",
    "SRANDMEMBER K 1 FOO",
    "SADD|SREM|SMISMEMBER K",
    "TYPE K",
    "DEL K",
    "RENAME K K",
    "COPY K K [REPLACE]",
    "GET K",
    "HGET K M",
    "SET text v",
];

/// Commands about lists.
const LISTS: &[&str] = &[
    "LPUSH|RPUSH K M",
    "LPUSH|RPUSH K M M M",
    "LPUSH|RPUSH K M M M M M M M M M M M M M M M",
    "LPUSH|RPUSH K LONG LONG LONG LONG LONG LONG",
    "LPUSHX|RPUSHX K M M",
    "LPOP|RPOP K",
    "LPOP|RPOP K I",
    "LPOP|RPOP K 1 2",
    "LLEN K",
    "LINDEX K I",
    "LSET K I M",
    "LRANGE K I I",
    "LRANGE K 0 -1",
    "LTRIM K I I",
    "LTRIM K 0|1 -1|-2|50",
    "LINSERT K BEFORE|AFTER|x M M",
    "LREM K I M",
    "LPOS K M [RANK I] [COUNT I] [MAXLEN I]",
    "LPOS K M RANK|COUNT|MAXLEN|x",
    "LMOVE K K LEFT|RIGHT|x LEFT|RIGHT",
    "RPOPLPUSH K K",
    "LMPOP N K K LEFT|RIGHT [COUNT N]",
    "LMPOP 2 K K LEFT|RIGHT [COUNT N] [COUNT N]",
    "LMPOP 2 K K x",
    "LPUSH|RPUSHX|LREM K",
    "TYPE K",
    "DEL K",
    "RENAME K K",
    "COPY K K [REPLACE]",
    "SADD K M",
    "GET K",
    "SET text v",
];

/// Commands about HyperLogLogs. Some of them get so many elements that they become dense.
const HYPERLOGLOGS: &[&str] = &[
    "PFADD K",
    "PFADD K M",
    "PFADD K M M",
    "PFADD K M*10",
    "PFADD K RANDOM",
    "PFADD K RANDOM*10",
    "PFADD K RANDOM*100",
    "PFADD K RANDOM*500 M",
    "PFADD a|b RANDOM*500",
    "PFCOUNT K",
    "PFCOUNT K",
    "PFCOUNT K K",
    "PFCOUNT K K K",
    "PFMERGE K",
    "PFMERGE K K",
    "PFMERGE K K K",
    "PFMERGE c K",
    "PFDEBUG GETREG|TODENSE K",
    "PFDEBUG ENCODING K",
    "PFDEBUG DECODE K",
    "PFDEBUG foo K",
    "PFDEBUG DECODE K K",
    "PFSELFTEST x",
    "GET K",
    "GET K",
    "GET K",
    "GET K",
    "STRLEN K",
    "SETRANGE K 0 HYLL",
    "SETRANGE d 0|3|4 H",
    "DEL K",
    "DEL c|d",
    "RENAME K K",
    "COPY K K [REPLACE]",
    "EXPIRE K 1000",
    "LPUSH d M",
    "SET text v",
    "CONFIG SET hll-sparse-max-bytes 0|100|1000|3000|3kb|20000",
];

/// Commands about sorted sets.
const ZSETS: &[&str] = &[
    "ZADD Z S M",
    "ZADD Z S M S M S M",
    "ZADD Z 1 M 2 M 3 M 4 M 5 M 6 M 7 M",
    "ZADD Z 1 MANY 2 MANY 3 MANY 2.5 MANY -7 MANY 1 MANY 0 MANY",
    "ZADD big 1 MANY 2 MANY 3 MANY 2.5 MANY -7 MANY 1 MANY 1 MANY 1 MANY 1 MANY 50 MANY 60 MANY",
    "ZADD Z OPT S M",
    "ZADD Z OPT OPT S M [S] [M]",
    "ZADD Z CH XX S M S M S M",
    "ZADD Z GT|LT [CH] S M S M S M",
    "ZADD Z INCR S M",
    "ZINCRBY Z S M",
    "ZREM Z M",
    "ZREM Z M M MANY MANY",
    "ZCARD Z",
    "ZCOUNT Z B B",
    "ZSCORE Z M",
    "ZMSCORE Z M MANY M",
    "ZRANK|ZREVRANK Z M",
    "ZRANK|ZREVRANK Z MANY",
    "ZRANGE Z I I [REV] [WITHSCORES]",
    "ZRANGE Z 0 -1 WITHSCORES",
    "ZRANGE big 0 -1 [REV] WITHSCORES",
    "ZRANGE Z B B BYSCORE [REV] [LIMIT I I] [WITHSCORES]",
    "ZRANGE Z B B [REV] BYSCORE [LIMIT 1 2] [WITHSCORES]",
    "ZRANGE Z I I LIMIT I I",
    "ZRANGE text|absent B B BYSCORE|BYLEX|REV|WITHSCORES|LIMIT BYSCORE|BYLEX|REV|WITHSCORES|LIMIT",
    "ZREVRANGE Z I I [WITHSCORES] [REV]",
    "ZRANGEBYSCORE|ZREVRANGEBYSCORE Z B B [WITHSCORES] [LIMIT I I]",
    "ZADD L 0 MANY 0 MANY 0 MANY 0 M 0 M",
    "ZADD biglex 0 MANY 0 MANY 0 MANY 0 MANY 0 MANY 0 MANY 0 MANY 0 MANY 0 MANY",
    "ZREM L MANY MANY M",
    "ZRANGE L X X BYLEX [REV] [LIMIT I I]",
    "ZRANGEBYLEX|ZREVRANGEBYLEX L X X [LIMIT I I] [WITHSCORES]",
    "ZLEXCOUNT L X X",
    "ZREMRANGEBYLEX lex X X",
    "ZREMRANGEBYLEX biglex FROM TO",
    "ZREMRANGEBYLEX text|absent X X",
    "ZREMRANGEBYRANK z1|z2|z3|set|none I I",
    "ZREMRANGEBYRANK Z 1 2",
    "ZREMRANGEBYSCORE z1|z2|z3|set|none B B",
    "ZREMRANGEBYSCORE Z 2 (3",
    "ZRANGESTORE z1|z3 Z I I [REV]",
    "ZRANGESTORE z1|z3 Z B B BYSCORE [REV] [LIMIT I I] [WITHSCORES]",
    "ZPOPMIN|ZPOPMAX Z",
    "ZPOPMIN|ZPOPMAX z1|z2|none|text I",
    "ZPOPMIN|ZPOPMAX Z 3",
    "ZPOPMIN|ZPOPMAX Z 1 2",
    "ZMPOP N Z Z MIN|MAX [COUNT N]",
    "ZMPOP 2 Z Z MIN|MAX|x [COUNT N] [COUNT N]",
    "ZRANDMEMBER absent|text [I]",
    "ZRANDMEMBER Z 0|x",
    "ZRANDMEMBER Z 100000 [WITHSCORES]",
    "ZRANDMEMBER Z 1 x [y]",
    "ZUNION|ZINTER N Z Z [WEIGHTS S S] [AGGREGATE AGG] [WITHSCORES]",
    "ZUNION|ZINTER 3 Z Z Z [AGGREGATE AGG] [WITHSCORES]",
    "ZUNION|ZINTER|ZDIFF 2 Z Z WITHSCORES",
    "ZUNION|ZINTER 2 Z Z WEIGHTS 2 0.5 WITHSCORES",
    "ZDIFF N Z Z [WITHSCORES] [WEIGHTS S S]",
    "ZINTERCARD N Z Z [LIMIT I]",
    "ZINTERCARD 2 Z Z [LIMIT 2] [WITHSCORES]",
    "ZUNIONSTORE|ZINTERSTORE z1|z2 N Z Z [WEIGHTS S S] [AGGREGATE AGG]",
    "ZUNIONSTORE|ZINTERSTORE z1|z2 2 Z Z [AGGREGATE AGG] [WITHSCORES]",
    "ZDIFFSTORE z2|z3 N Z Z",
    "ZSCAN Z 0 [MATCH m*] COUNT 1000",
    "ZSCAN Z 0 COUNT 0|-1|x",
    "ZADD|ZREM|ZRANGE|ZUNION Z",
    "SADD set M M M",
    "SREM set M M",
    "TYPE Z",
    "EXPIRE Z 1000",
    "RENAME z1|z2 z2|z3",
    "COPY Z z1|z2|z3 [REPLACE]",
    "DEL z1|z2|z3",
    "GET Z",
    "SADD z1 M",
];

/// Commands about places.
const PLACES: &[&str] = &[
    "GEOADD GEO PLACE P",
    "GEOADD GEO PLACE P PLACE P FAR MANY",
    "GEOADD GEO 180|179.9 85.05112878 p1",
    "GEOADD GEO -180 -85.05112878|-85 p2",
    "GEOADD g1|g2|g3 NEAR P NEAR P NEAR P NEAR P NEAR MANY NEAR MANY",
    "GEOADD g1|g2|g3|geobig NEAR MANY NEAR MANY NEAR MANY FAR MANY FAR MANY FAR MANY FAR MANY",
    "GEOADD geobig FAR MANY FAR MANY FAR MANY FAR MANY FAR MANY FAR MANY FAR MANY FAR MANY FAR MANY NEAR MANY",
    "GEOADD GEO NX|XX|CH [NX|XX|CH] PLACE P [PLACE] [P]",
    "GEOADD GEO NX|XX|CH NX|XX|CH NX|XX|CH",
    "GEOADD GEO NX|XX|CH NEAR P FAR P",
    "GEOPOS GEO [P] [P] [MANY]",
    "GEOHASH GEO [P] [P] [MANY]",
    "GEODIST GEO P P [U]",
    "GEODIST GEO P P U [x]",
    "GEODIST geobig MANY MANY U",
    "GEORADIUS|GEORADIUS_RO GEO PLACE SIZE U",
    "GEORADIUS|GEORADIUS_RO GEO NEARBY SIZE U [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT I [ANY]] [ASC|DESC|x]",
    "GEORADIUS|GEORADIUS_RO GEO NEARBY SIZE km [ASC|DESC] [COUNT 1|3|7 [ANY]] [WITHDIST] [STORE g2|g3] [STOREDIST dist]",
    "GEORADIUS GEO NEARBY SIZE km [STOREDIST dist] STORE g1|g2|g3 [COUNT 4 [ANY]] [STOREDIST dist] [DESC]",
    "GEORADIUSBYMEMBER|GEORADIUSBYMEMBER_RO GEO P SIZE U [WITHDIST] [WITHCOORD] [COUNT I [ANY]] [ASC|DESC]",
    "GEORADIUSBYMEMBER|GEORADIUSBYMEMBER_RO GEO P SIZE km [COUNT 2 [ANY]] [STORE g2|g3] [STOREDIST dist]",
    "GEORADIUSBYMEMBER GEO P SIZE U x|STORE|COUNT|ANY|STOREDIST [x]",
    "GEOSEARCH GEO FROMLONLAT NEARBY BYRADIUS SIZE U [ASC|DESC] [COUNT I [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    "GEOSEARCH GEO FROMLONLAT CORNER BYBOX|BYRADIUS SIZE SIZE km [WITHDIST]",
    "GEOSEARCH GEO FROMLONLAT CORNER BYRADIUS SIZE U [DESC] [WITHDIST] [WITHHASH]",
    "GEOSEARCH GEO FROMLONLAT PLACE BYBOX SIZE SIZE U [ASC|DESC] [COUNT I [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    "GEOSEARCH GEO FROMLONLAT NEARBY BYBOX SIZE SIZE km [ASC|DESC] [COUNT 3 [ANY]] [WITHDIST]",
    "GEOSEARCH GEO FROMMEMBER P BYRADIUS|BYBOX SIZE SIZE U [WITHDIST] [STOREDIST]",
    "GEOSEARCH GEO FROMMEMBER P BYBOX SIZE SIZE km [ASC|DESC] [COUNT 3 [ANY]] [WITHDIST] [WITHHASH]",
    "GEOSEARCH geobig FROMMEMBER MANY BYRADIUS SIZE km [ASC|DESC] [COUNT 3 [ANY]] [WITHDIST] [WITHCOORD]",
    "GEOSEARCH geobig FROMLONLAT FAR BYBOX SIZE SIZE mi [WITHDIST] [WITHCOORD]",
    "GEOSEARCH|geosearch GEO FROMMEMBER|FROMLONLAT|BYRADIUS|ASC P|1 SIZE U [FROMLONLAT FAR] [BYRADIUS 5 m]",
    "GEOSEARCH GEO ASC DESC ASC DESC [FROMMEMBER P] [BYRADIUS 9 km] [BYBOX 7 8 m] [ANY]",
    "GEOSEARCHSTORE g1|g2|g3 GEO FROMLONLAT NEARBY BYRADIUS SIZE km [ASC|DESC] [COUNT 3 [ANY]]",
    "GEOSEARCHSTORE dist GEO FROMLONLAT NEARBY BYRADIUS|BYBOX SIZE SIZE km [COUNT 3 [ANY]] STOREDIST",
    "GEOSEARCHSTORE dist GEO FROMMEMBER P BYRADIUS SIZE U [COUNT 3 [ANY]] STOREDIST",
    // Places made of distances are near each other and may be equally far, so nothing searches them.
    "GEOPOS|GEOHASH dist P P MANY",
    "GEOSEARCHSTORE g1|g2|g3 GEO FROMMEMBER P BYBOX SIZE SIZE U [COUNT I [ANY]] [WITHDIST]",
    "GEOSEARCHSTORE g2|text GEO FROMMEMBER P ASC DESC [BYRADIUS 9 km] [STORE g3]",
    "ZRANGE g1|g2|g3|dist|geobig 0 -1 WITHSCORES",
    "ZADD odd -1 p1 1e300 p2 7 p3 4503599627370496 p4 inf p5",
    "ZREM GEO P MANY MANY MANY",
    "TYPE GEO",
    "DEL g1|g2|g3",
    "SET text v",
];

/// Commands that sort lists, sets and sorted sets.
const SORTS: &[&str] = &[
    "RPUSH l|m 3 1 2 1",
    "RPUSH l|m 10 -2 3 0",
    "RPUSH l b a c",
    "RPUSH m 0x10 5 0x1p3 .5 -0",
    "SADD s 1 2 3 30",
    "SADD s x",
    "ZADD z 1 c 2 b 3 a",
    "ZADD z 1 5 2 4",
    "MSET w_1 9 w_2 8 w_3 7 w_a x w_10 0.5",
    "MSET o_1 one o_2 two o_a -a",
    "HSET h_1 f 5 g one",
    "HSET h_2 f 4 g two",
    "DEL l|m|s|z|w_1|h_1",
    "SORT l|m|s|z|none|w_1 [DESC|ASC] [ALPHA]",
    "SORT l|m|z [BY w_*] [LIMIT I I] [DESC]",
    "SORT l|m|z BY nosort BY w_*",
    "SORT l|m|z [BY h_*->f] [GET #] [GET o_*] [GET h_*->g] [DESC]",
    "SORT l|m|z BY nosort [LIMIT 0|1|-1 2|-1|0] [DESC] [GET # GET w_*->]",
    "SORT l|m ALPHA [LIMIT I I] [GET o_*->x]",
    "SORT l|m|z [ALPHA] [DESC] [GET o_*] STORE out|l",
    "SORT s|z BY nosort STORE out",
    "SORT_RO l|m|s|z [BY w_*] [GET #] [STORE out]",
    "SORT l LIMIT 1",
    "SORT l BY",
    "SORT l LIMIT x y",
    "LRANGE out 0 -1",
    "LRANGE l 0 -1",
];

/// Commands about streams.
const STREAMS: &[&str] = &[
    "XADD K E M M",
    "XADD K 1-*|5-*|9-* M M M M",
    "XADD K 9-* M M",
    "XADD K 9-* LONG LONG M LONG",
    "XADD K 9-* M M",
    "XADD K [NOMKSTREAM] [MAXLEN =|~ N] E M M",
    "XADD K [MAXLEN N] [MINID E] [LIMIT N] E M M",
    "XADD K [MINID =|~ E] [LIMIT N] E M M",
    "XADD K E M M M",
    "XADD K NOMKSTREAM NOMKSTREAM NOMKSTREAM",
    "XADD K MAXLEN|MINID|LIMIT 1 1",
    "XLEN K",
    "XRANGE K F|E|- F|E|+ [COUNT N] [COUNT N]",
    "XREVRANGE K F|E|+ F|E|- [COUNT N]",
    "XRANGE|XREVRANGE K - + COUNT|x",
    "XDEL K E",
    "XDEL K E E E",
    "XTRIM K MAXLEN [=|~] I",
    "XTRIM K MINID [=|~] E [LIMIT N]",
    "XTRIM K MAXLEN ~ N LIMIT N",
    "XTRIM K LIMIT N",
    "XTRIM K MAXLEN|x|~",
    "XSETID none2|text E [ENTRIESADDED N] [MAXDELETEDID E]",
    "XSETID K 9-99999 [ENTRIESADDED N] [MAXDELETEDID E] [x]",
    "XREAD [COUNT N] STREAMS K E|$|>",
    "XREAD [COUNT N] STREAMS K K E E|$",
    "XREAD [BLOCK -1] [COUNT x] [NOACK] STREAMS K E",
    "XREAD [GROUP G C] STREAMS K E",
    "XREAD COUNT 1 STREAMS",
    "XGROUP CREATE K G E|$|- [MKSTREAM] [ENTRIESREAD N]",
    "XGROUP CREATE K G 0 MKSTREAM",
    "XGROUP CREATE K G 0",
    "XGROUP CREATE|SETID K G 0 [MKSTREAM] [MKSTREAM] [ENTRIESREAD -1] [ENTRIESREAD 5] [ENTRIESREAD -2]",
    "XGROUP SETID K G E|$|-|+ [ENTRIESREAD N]",
    "XGROUP DESTROY K G",
    "XGROUP CREATECONSUMER K G C",
    "XGROUP DELCONSUMER K G C",
    "XREADGROUP GROUP G C [COUNT N] [NOACK] STREAMS K >",
    "XREADGROUP GROUP G C [COUNT N] STREAMS a|b c|d > >",
    "XREADGROUP GROUP g C STREAMS K >",
    "XREADGROUP GROUP h C COUNT 2 STREAMS K >",
    "XREADGROUP GROUP G C [COUNT N] STREAMS a|b c|d E|> E",
    "XREADGROUP GROUP G C [COUNT N] STREAMS K E|$|0",
    "XREADGROUP NOACK COUNT N STREAMS K >",
    "XACK K G E E E",
    "XACK K G E",
    "XPENDING K G",
    "XPENDING K G - + 10 [C]",
    "XPENDING K G [IDLE 0|50000|x] F|E|- F|E|+ N [C]",
    "XPENDING K G IDLE 0 - +",
    "XPENDING K G -",
    "XCLAIM K G C 0 E E E [IDLE 0|100000|x] [RETRYCOUNT N] [FORCE] [JUSTID]",
    "XCLAIM K G C 0|10000000|x E 9-1 9-2 [TIME 1000|-5] [FORCE] [JUSTID] [LASTID E]",
    "XCLAIM K G C 50000 9-1 9-1 9-2 [IDLE 100000] [FORCE] [x]",
    "XAUTOCLAIM K G C 0|50000|x F|E|- [COUNT N] [JUSTID] [x]",
    "XINFO STREAM K [FULL] [COUNT N]",
    "XINFO STREAM K FULL COUNT N",
    "XINFO GROUPS K",
    "XINFO CONSUMERS K G",
    "XINFO STREAM K x [COUNT 1]",
    "TYPE K",
    "DEL K",
    "RENAME K K",
    "COPY K K [REPLACE]",
    "SADD K M",
    "GET K",
    "SET text v",
];

/// Commands whose replies may list their elements in any order.
const UNORDERED: &[&str] =
    &["SMEMBERS", "SINTER", "SUNION", "SDIFF", "SSCAN", "SPOP", "SRANDMEMBER", "ZSCAN", "ZRANDMEMBER"];

/// Masks what two servers cannot have alike: times, the shape of the tree of nodes, and the fields that Redis has since 7.2.
fn masked(words: &[Vec<u8>], lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let (name, is_pending) = (&words[0][..], words[0] == b"XPENDING" && words.len() > 3);
    if name != b"XINFO" && !is_pending {
        return lines;
    }
    let mut out: Vec<Vec<u8>> = Vec::new();
    let (mut numbers, mut skip) = (0, 0);
    for line in lines {
        let before = out.last().cloned().unwrap_or_default();
        if skip > 0 {
            skip -= 1;
            continue;
        }
        // The header of the map stands so many lines before the new field.
        let since_header = match &line[..] {
            b"active-time\r" => 9,
            b"inactive\r" => 12,
            _ => 0,
        };
        if since_header > 0 {
            out.pop();
            let at = out.len() + 1 - since_header;
            let fewer: &[u8] = match &out[at][..] {
                b"%5\r" => b"%4\r",
                b"%4\r" => b"%3\r",
                b"*10\r" => b"*8\r",
                _ => b"*6\r",
            };
            (out[at], skip) = (fewer.to_vec(), 1);
            continue;
        }
        let is_number = line.starts_with(b":");
        numbers += usize::from(is_number);
        let of_nodes = [&b"radix-tree-keys\r"[..], b"radix-tree-nodes\r"].contains(&&before[..]);
        // Redis 7.0 counts wrongly what a group has read if entries were removed.
        let of_lag = [&b"entries-read\r"[..], b"lag\r"].contains(&&before[..]);
        let is_time = is_number && (line.len() > 13 || before == b"idle\r" || is_pending && numbers % 2 == 1);
        out.push(if of_nodes || of_lag || is_time { b":T\r".to_vec() } else { line });
    }
    out
}

/// Since 7.2, Redis creates the consumer of a request even if that gets no entry. These commands create it before.
fn preparations(words: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
    let names = match &words[0][..] {
        b"XREADGROUP" if words[1] == b"GROUP" => &words[2..4],
        b"XCLAIM" | b"XAUTOCLAIM" => &words[2..4],
        _ => return Vec::new(),
    };
    let create = |key: &str| {
        let words = ["XGROUP", "CREATECONSUMER", key].map(|word| word.as_bytes().to_vec());
        words.into_iter().chain(names.iter().cloned()).collect()
    };
    ["a", "b", "c", "d", "none"].map(create).to_vec()
}

pub struct Dice(pub StdRng);

impl Dice {
    /// A random request that a line of a grammar allows.
    pub fn request(&mut self, line: &str) -> Vec<Vec<u8>> {
        let mut words = Vec::new();
        let (mut depth, mut out_at) = (0, 0);
        for part in line.split(' ') {
            if part.starts_with('[') {
                depth += 1;
                // What stands in a part that is left out is left out too.
                if out_at == 0 && self.0.random_bool(0.5) {
                    out_at = depth;
                }
            }
            let name = part.trim_matches(['[', ']']);
            if out_at == 0 {
                // A star may be part of a pattern too.
                let several =
                    name.split_once('*').and_then(|(name, n)| Some((name, n.parse::<usize>().ok()?)));
                let (name, times) = several.unwrap_or((name, 1));
                for _ in 0..times {
                    let word = self.word(name);
                    match &word[..] {
                        b"FAR" | b"NEAR" => words.extend(self.place(&word)),
                        // The choices of these words are several words long.
                        _ if ["PLACE", "NEARBY", "CORNER"].contains(&name) => {
                            words.extend(word.split(|byte| *byte == b' ').map(<[u8]>::to_vec))
                        }
                        _ => words.push(word),
                    }
                }
            }
            for _ in part.chars().rev().take_while(|last| *last == ']') {
                out_at = if out_at == depth { 0 } else { out_at };
                depth -= 1;
            }
        }
        assert_eq!(depth, 0, "{line}");
        words
    }

    /// The two words of a random place, anywhere on the map or near a point on it. No two distances are the same.
    fn place(&mut self, word: &[u8]) -> [Vec<u8>; 2] {
        let (west, south, width, height) =
            if word == b"FAR" { (-180.0, -85.0, 360.0, 170.0) } else { (13.0, 37.0, 3.0, 2.0) };
        let mut degrees = |min, size| {
            let degrees: f64 = min + size * self.0.random::<f64>();
            degrees.to_string().into_bytes()
        };
        [degrees(west, width), degrees(south, height)]
    }

    fn word(&mut self, name: &str) -> Vec<u8> {
        let one = match WORDS.iter().find(|(known, _)| *known == name) {
            Some((_, choices)) => *choices.choose(&mut self.0).expect("there are some"),
            None => {
                let choices: Vec<&str> = name.split('|').collect();
                let one = *choices.choose(&mut self.0).expect("there is one");
                if choices.len() > 1 && WORDS.iter().any(|(known, _)| *known == one) {
                    return self.word(one);
                }
                one
            }
        };
        match one {
            "LONG" => "long ".repeat(30).into_bytes(),
            "MANY" => format!("k{:06}", self.0.random_range(0..400)).into_bytes(),
            "RANDOM" => self.0.random::<u32>().to_string().into_bytes(),
            _ => one.as_bytes().to_vec(),
        }
    }
}

/// The same reply with scores written alike: Redis 7.0 writes 17 digits, and a zero keeps its sign in a large sorted set.
fn plain_scores(reply: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in reply.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        let (mark, number) = match text.trim_end().strip_prefix(',') {
            Some(number) => (",", number),
            None => ("", text.trim_end()),
        };
        match number.parse::<f64>() {
            Ok(score) if number == "-0" || number.len() > 15 || number.contains(['.', 'e']) => {
                if mark.is_empty() {
                    lines.pop();
                    let shown = (score + 0.0).to_string();
                    lines.push(format!("${}\r\n{shown}\r\n", shown.len()).into_bytes());
                } else {
                    lines.push(format!(",{}\r\n", score + 0.0).into_bytes());
                }
            }
            _ => lines.push(line.to_vec()),
        }
    }
    lines.concat()
}

/// The same reply with its elements sorted, if their order has no meaning.
fn sorted(words: &[Vec<u8>], reply: Vec<u8>) -> Vec<Vec<u8>> {
    let name = String::from_utf8_lossy(&words[0]).into_owned();
    let reply = if name.starts_with('Z') { plain_scores(&reply) } else { reply };
    let mut lines: Vec<Vec<u8>> = reply.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if UNORDERED.contains(&name.as_str()) {
        lines.sort();
    }
    lines
}

/// The two servers, asked about values of these kinds.
struct Types(Servers);

impl Pair for Types {
    type Command = Words;

    fn begin(&mut self) {
        self.0.begin(&["SET text v", "SET str v"]);
    }

    fn ask(&mut self, words: &Words) -> [Vec<u8>; 2] {
        for words in preparations(words) {
            let replies = self.0.ask(&words);
            if replies[0] != replies[1] {
                return replies;
            }
        }
        self.0.ask(words).map(|reply| masked(words, sorted(words, reply)).join(&b'\n'))
    }

    fn shown(words: &Words) -> String {
        quoted(words)
    }
}

/// Sends the same random commands to Tidegate and to a redis-server, and compares the replies.
fn compare(grammar: &[&str], protocol: u8, commands: usize) {
    if !have("redis-server", "--version") {
        return;
    }
    let seed = seed();
    let mut dice = Dice(StdRng::seed_from_u64(seed));
    let next = |_: &Types| {
        let line = *grammar.choose(&mut dice.0).expect("there are some");
        dice.request(line)
    };
    let title = format!("SEED={seed}, RESP{protocol}");
    differ::compare(&mut Types(Servers::start(protocol)), &title, commands, next);
}

#[test]
fn random_commands_about_sets_are_answered_as_a_redis_server_answers_them() {
    compare(SETS, 2, 10_000);
    compare(SETS, 3, 10_000);
}

#[test]
fn random_commands_about_lists_are_answered_as_a_redis_server_answers_them() {
    compare(LISTS, 2, 10_000);
    compare(LISTS, 3, 10_000);
}

#[test]
fn random_commands_about_sorted_sets_are_answered_as_a_redis_server_answers_them() {
    compare(ZSETS, 2, 20_000);
    compare(ZSETS, 3, 20_000);
}

#[test]
fn random_commands_about_streams_are_answered_as_a_redis_server_answers_them() {
    compare(STREAMS, 2, 20_000);
    compare(STREAMS, 3, 20_000);
}

#[test]
fn random_commands_about_hyperloglogs_are_answered_as_a_redis_server_answers_them() {
    compare(HYPERLOGLOGS, 2, 10_000);
    compare(HYPERLOGLOGS, 3, 10_000);
}

#[test]
fn random_commands_that_sort_are_answered_as_a_redis_server_answers_them() {
    compare(SORTS, 2, 10_000);
    compare(SORTS, 3, 10_000);
}

#[test]
fn random_commands_about_places_are_answered_as_a_redis_server_answers_them() {
    compare(PLACES, 2, 20_000);
    compare(PLACES, 3, 20_000);
}
