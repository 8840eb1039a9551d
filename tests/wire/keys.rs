//! The commands about keys of any kind, word for word.

use crate::talks::{BOTH, Talk, talk, talk_72};

pub const TALKS: &[Talk] = &[
    talk(
        "a key gets another name and keeps what it holds and its time",
        &[
            ("a", "SET k v EX 100\nRENAME k new\nGET new\nTTL new\nEXISTS k", "+OK +OK 'v' :100 :0"),
            ("a", "SET k other\nRENAME new k\nGET k\nTTL k\nDBSIZE", "+OK +OK 'v' :100 :1"),
            ("a", "RENAME k k\nGET k\nRENAMENX k k", "+OK 'v' :0"),
            ("a", "RENAME none k", "-ERR no such key"),
            ("a", "RENAMENX none k", "-ERR no such key"),
            ("a", "SET b 1\nRENAMENX k b\nRENAMENX k c\nMGET k b c", "+OK :0 :1 *[$nil '1' 'v']"),
            ("a", "HSET h f v g w\nRENAME h b\nHGETALL b\nTYPE b", ":2 +OK %['f' 'v' 'g' 'w'] +hash"),
            ("a", "SET c x\nRENAME b c\nTYPE c\nTTL c\nRENAME c b\nHLEN b", "+OK +OK +hash :-1 +OK :2"),
        ],
    ),
    talk(
        "a copy lives on its own",
        &[
            ("a", "SET k v EX 100\nCOPY k new\nGET new\nTTL new", "+OK :1 'v' :100"),
            ("a", "APPEND new w\nGET k\nCOPY k new\nCOPY k new REPLACE\nGET new", ":2 'v' :0 :1 'v'"),
            ("a", "COPY none new\nCOPY none new REPLACE\nGET new", ":0 :0 'v'"),
            ("a", "COPY k k", "-ERR source and destination objects are the same"),
            ("a", "COPY k b FOO", "-ERR syntax error"),
            ("a", "COPY k b DB x", "-ERR value is not an integer or out of range"),
            ("a", "HSET h f v\nCOPY h i DB 0\nHSET i f w\nHGET h f\nHGET i f", ":1 :1 :0 'v' 'w'"),
            ("a", "COPY h k REPLACE\nTYPE k\nTTL k", ":1 +hash :-1"),
        ],
    ),
    talk(
        "a watched key changes when it is renamed, and when another key takes its name",
        &[
            ("a", "MSET k 1 other 2\nWATCH k", "+OK +OK"),
            ("b", "RENAME k new", "+OK"),
            ("a", "MULTI\nPING\nEXEC\nWATCH k", "+OK +QUEUED *nil +OK"),
            ("b", "RENAME other k", "+OK"),
            ("a", "MULTI\nPING\nEXEC\nWATCH k", "+OK +QUEUED *nil +OK"),
            ("b", "COPY new k REPLACE", ":1"),
            ("a", "MULTI\nPING\nEXEC\nWATCH k", "+OK +QUEUED *nil +OK"),
            ("b", "COPY k another", ":1"),
            ("a", "MULTI\nPING\nEXEC", "+OK +QUEUED *[+PONG]"),
        ],
    ),
    talk(
        "SORT reads numbers as C does, and a pattern without a star ends all sorting",
        &[
            ("a", "RPUSH l 0x10 5 1e1\nSORT l\nSORT l DESC", ":3 *['5' '1e1' '0x10'] *['0x10' '1e1' '5']"),
            (
                "a",
                "RPUSH space 1 \" \"\nSORT space",
                ":2 -ERR One or more scores can't be converted into double",
            ),
            ("a", "RPUSH m 3 1 2\nMSET w_3 1 w_1 2 w_2 3", ":3 +OK"),
            ("a", "SORT m BY nosort BY w_*\nSORT m BY w_*", "*['3' '1' '2'] *['3' '1' '2']"),
        ],
    ),
    talk_72(
        &[2],
        "a position comes with the score if it is asked for",
        &[
            ("a", "ZADD z 1 a 2.5 b", ":2"),
            ("a", "ZRANK z b WITHSCORE\nZREVRANK z a withscore", "*[:1 '2.5'] *[:1 '1']"),
        ],
    ),
    talk_72(
        &[3],
        "a position comes with the score if it is asked for, as a number",
        &[("a", "ZADD z 1 a 2.5 b", ":2"), ("a", "ZRANK z b WITHSCORE", "*[:1 ,2.5]")],
    ),
    talk_72(
        BOTH,
        "what asks wrongly for a position is told so",
        &[
            ("a", "ZRANK none a WITHSCORES\nZREVRANK none a b", "-ERR syntax error -ERR syntax error"),
            ("a", "ZRANK z a WITHSCORE 1", "-ERR wrong number of arguments for 'zrank' command"),
        ],
    ),
];
