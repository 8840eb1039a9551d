//! Random commands about sets, lists and HyperLogLogs, compared with a redis-server reply by reply.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::commands::start_redis;
use crate::harness::{Daemon, Wire, have};
use crate::strings::reply;

/// What the words of a line of a grammar stand for. A word with bars is one of several; a part in brackets may be left
/// out; `W*n` is `n` words. `RANDOM` is a number that is hardly ever the same.
const WORDS: &[(&str, &[&str])] = &[
    ("K", &["a", "b", "c", "d", "a", "b", "c", "d", "none", "text"]),
    ("M", &["m", "n", "o", "p", "", "1", "2", "3", "-7", "1000000", "07", "q", "r", "s", "LONG", "\u{e9}"]),
    ("I", &["0", "1", "2", "3", "-1", "-2", "-3", "5", "100", "-100", "x", "9223372036854775807"]),
    ("N", &["1", "2", "2", "3", "0", "-1", "x"]),
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

/// Commands whose replies may list their elements in any order.
const UNORDERED: &[&str] = &["SMEMBERS", "SINTER", "SUNION", "SDIFF", "SSCAN", "SPOP", "SRANDMEMBER"];

struct Dice(StdRng);

impl Dice {
    /// A random request that a line of a grammar allows.
    fn request(&mut self, line: &str) -> Vec<Vec<u8>> {
        let mut words = Vec::new();
        let (mut depth, mut left_out) = (0, false);
        for part in line.split(' ') {
            if part.starts_with('[') {
                depth += 1;
                left_out = self.0.random_bool(0.5);
            }
            let name = part.trim_matches(['[', ']']);
            // A star may be part of a pattern too.
            let several = name.split_once('*').and_then(|(name, n)| Some((name, n.parse::<usize>().ok()?)));
            let (name, times) = several.unwrap_or((name, 1));
            if !left_out {
                words.extend((0..times).map(|_| self.word(name)));
            }
            if part.ends_with(']') {
                depth -= 1;
                left_out = false;
            }
        }
        assert_eq!(depth, 0, "{line}");
        words
    }

    fn word(&mut self, name: &str) -> Vec<u8> {
        let one = match WORDS.iter().find(|(known, _)| *known == name) {
            Some((_, choices)) => *choices.choose(&mut self.0).expect("there are some"),
            None => {
                let choices: Vec<&str> = name.split('|').collect();
                *choices.choose(&mut self.0).expect("there is one")
            }
        };
        match one {
            "LONG" => "long ".repeat(30).into_bytes(),
            "RANDOM" => self.0.random::<u32>().to_string().into_bytes(),
            _ => one.as_bytes().to_vec(),
        }
    }
}

/// The same reply with its elements sorted, if their order has no meaning.
fn sorted(words: &[Vec<u8>], reply: Vec<u8>) -> Vec<Vec<u8>> {
    let name = String::from_utf8_lossy(&words[0]).into_owned();
    let mut lines: Vec<Vec<u8>> = reply.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if UNORDERED.contains(&name.as_str()) {
        lines.sort();
    }
    lines
}

/// Sends the same random commands to Tidegate and to a redis-server, and compares the replies.
fn compare(grammar: &[&str], protocol: u8, commands: usize) {
    if !have("redis-server", "--version") {
        return;
    }
    let daemon = Daemon::start(&[]);
    let (_redis, mut theirs, _) = start_redis(&[]);
    let mut ours = daemon.connect();
    let hello = |wire: &mut Wire| {
        if protocol == 3 {
            reply(wire, &[b"HELLO".to_vec(), b"3".to_vec()]);
        }
        wire.ask("SET text v\r\nSET str v\r\n", "+OK\r\n+OK\r\n");
    };
    hello(&mut ours);
    hello(&mut theirs);
    let seed = std::env::var("SEED").map_or(1, |text| text.parse().expect("a number"));
    let mut dice = Dice(StdRng::seed_from_u64(seed));
    let mut past: Vec<Vec<Vec<u8>>> = Vec::new();
    for nth in 0..commands {
        let line = *grammar.choose(&mut dice.0).expect("there are some");
        let words = dice.request(line);
        past.push(words.clone());
        let of_ours = sorted(&words, reply(&mut ours, &words)).join(&b'\n');
        let of_redis = sorted(&words, reply(&mut theirs, &words)).join(&b'\n');
        if of_ours != of_redis {
            let shown = |words: &Vec<Vec<u8>>| {
                let words: Vec<String> =
                    words.iter().map(|word| format!("\"{}\"", word.escape_ascii())).collect();
                words.join(" ")
            };
            let last: Vec<String> = past.iter().rev().take(8).rev().map(shown).collect();
            panic!(
                "SEED={seed}, RESP{protocol}, command {nth}:\n{}\n  ours  {}\n  redis {}",
                last.join("\n"),
                of_ours.escape_ascii(),
                of_redis.escape_ascii()
            );
        }
    }
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
fn random_commands_about_hyperloglogs_are_answered_as_a_redis_server_answers_them() {
    compare(HYPERLOGLOGS, 2, 10_000);
    compare(HYPERLOGLOGS, 3, 10_000);
}
