//! What `COMMAND INFO` tells of a command for proxies and smart clients: tips, and what the command does with its keys.

use crate::service::command::{Command, Keys, More};

/// A group of keys that a command treats alike.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// What the command does with them, in Redis's words.
    pub flags: &'static [&'static str],
    /// What the flags do not say.
    pub note: Option<&'static str>,
    /// Position of the first key, or of the argument that counts them.
    pub first: u8,
    /// Which keys belong to the group.
    pub range: Range,
}

/// Which keys belong to a group.
#[derive(Clone, Copy, Debug)]
pub enum Range {
    /// From the first to the last key.
    Keys {
        /// Position of the last key, counted from the first one; if negative, from the end of the request.
        last: i8,
        /// Distance from one key to the next.
        step: u8,
    },
    /// As many as the first argument says. They follow it.
    Counted,
    /// Those that other arguments name, or the values of keys.
    Unknown,
    /// The first half of the arguments behind the word `STREAMS`.
    Streams,
    /// The one behind this word.
    Behind(&'static str),
}

/// The groups of keys of a command.
pub fn key_specs(command: &Command) -> Vec<KeySpec> {
    let Keys { first, last, step, more } = command.keys;
    let variable = ["set", "bitfield"].contains(&command.name);
    let spec = |nth: usize, first: u8, last: i8| {
        let flags: &[&str] =
            if variable { &["RW", "access", "update", "variable_flags"] } else { key_flags(command, nth) };
        KeySpec { flags, note: note(command), first, range: Range::Keys { last, step } }
    };
    match command.name {
        _ if let More::Counted(counted) = more => {
            let before = (first > 0).then(|| spec(0, first, 0));
            let flags = key_flags(command, usize::from(first));
            let rest = KeySpec { flags, note: None, first: counted, range: Range::Counted };
            before.into_iter().chain([rest]).collect()
        }
        _ if more == More::Streams => {
            // Where Redis begins to look for the word: `XREADGROUP` has other words before it.
            let first = if command.name == "xread" { 1 } else { 4 };
            vec![KeySpec { flags: key_flags(command, 0), note: None, first, range: Range::Streams }]
        }
        "sort" | "sort_ro" => {
            let unknown = |nth, note| KeySpec {
                flags: key_flags(command, nth),
                note: Some(note),
                first: 0,
                range: Range::Unknown,
            };
            let looked_up = unknown(0, "The keys of BY and GET come from the elements");
            let stored = unknown(1, "The word STORE may stand anywhere");
            let all = [spec(0, 1, 0), looked_up, stored];
            all.into_iter().take(if command.writes { 3 } else { 2 }).collect()
        }
        _ if let More::Stored(stored) = more => {
            let behind = |word| {
                let flags = key_flags(command, usize::from(first));
                KeySpec { flags, note: None, first: stored, range: Range::Behind(word) }
            };
            vec![spec(0, first, 0), behind("STORE"), behind("STOREDIST")]
        }
        _ if first == 0 => Vec::new(),
        "sinterstore" | "sunionstore" | "sdiffstore" | "pfmerge" => vec![spec(0, 1, 0), spec(1, 2, -1)],
        "copy" | "rename" | "renamenx" | "smove" | "lmove" | "rpoplpush" | "blmove" | "brpoplpush"
        | "zrangestore" | "geosearchstore" => {
            vec![spec(0, 1, 0), spec(1, 2, 0)]
        }
        "bitop" => vec![spec(0, 2, 0), spec(1, 3, -1)],
        _ if last < 0 => vec![spec(0, first, last)],
        _ => vec![spec(0, first, last - first as i8)],
    }
}

/// What the flags of a command do not say of its keys.
fn note(command: &Command) -> Option<&'static str> {
    match command.name {
        "set" | "bitfield" | "getex" => Some("The flags depend on the options of the request"),
        "pfcount" => Some("The value keeps its last count"),
        _ => None,
    }
}

/// What a command does with its `nth` key, in Redis's words: `RO`, `RW`, `OW` (overwrites) or `RM` (removes), and then
/// whether it reads (`access`), changes (`update`), adds to (`insert`) or deletes the value.
pub fn key_flags(command: &Command, nth: usize) -> &'static [&'static str] {
    match (command.name, nth) {
        ("set" | "setex" | "psetex" | "mset" | "restore", _) => &["OW", "update"],
        ("setnx" | "msetnx", _) => &["OW", "insert"],
        ("copy" | "rename" | "renamenx", 1..) | ("bitop", 0) => {
            if command.name == "renamenx" {
                &["OW", "insert"]
            } else {
                &["OW", "update"]
            }
        }
        ("sunionstore" | "sdiffstore" | "geosearchstore", 0)
        | ("zunionstore" | "zinterstore" | "zdiffstore" | "zrangestore", 0)
        | ("sort" | "georadius" | "georadiusbymember", 1..) => &["OW", "update"],
        ("sort" | "geosearchstore" | "georadius" | "georadiusbymember", _)
        | ("zunionstore" | "zinterstore" | "zdiffstore" | "zrangestore", _) => &["RO", "access"],
        ("sinterstore", 0) => &["RW", "update"],
        ("sinterstore" | "sunionstore" | "sdiffstore", _) => &["RO", "access"],
        ("smove" | "lmove" | "rpoplpush" | "blmove" | "brpoplpush", 1) => &["RW", "insert"],
        ("xadd" | "xack" | "xclaim" | "xsetid" | "xgroup|setid", _) => &["RW", "update"],
        ("xgroup|create" | "xgroup|createconsumer", _) => &["RW", "insert"],
        ("xackdel", _) => &["RW", "update", "delete"],
        ("xautoclaim" | "xdel" | "xdelex" | "xtrim" | "xgroup|delconsumer" | "xgroup|destroy", _) => {
            &["RW", "delete"]
        }
        ("xreadgroup", _) => &["RO", "access"],
        ("xlen", _) => &["RO"],
        ("sadd" | "linsert" | "lpush" | "lpushx" | "rpush" | "rpushx", _) => &["RW", "insert"],
        ("smove" | "lmove" | "rpoplpush" | "blmove" | "brpoplpush", _) => &["RW", "access", "delete"],
        (
            "spop" | "lpop" | "rpop" | "lmpop" | "blpop" | "brpop" | "blmpop" | "zpopmin" | "zpopmax"
            | "zmpop" | "bzpopmin" | "bzpopmax" | "bzmpop",
            _,
        ) => &["RW", "access", "delete"],
        ("copy", 0) | ("bitop", _) => &["RO", "access"],
        ("rename" | "renamenx", 0) | ("getdel" | "delifeq" | "hgetdel", _) => &["RW", "access", "delete"],
        ("del" | "unlink", _) => &["RM", "delete"],
        ("hdel" | "srem" | "lrem" | "ltrim", _)
        | ("zrem" | "zremrangebylex" | "zremrangebyrank" | "zremrangebyscore", _) => &["RW", "delete"],
        ("pfmerge", 0) => &["RW", "access", "insert"],
        ("pfmerge", _) => &["RO", "access"],
        ("pfcount" | "pfdebug", _) => &["RW", "access"],
        ("append" | "hsetnx" | "pfadd", _) => &["RW", "insert"],
        (
            "expire" | "pexpire" | "expireat" | "pexpireat" | "hexpire" | "hpexpire" | "hexpireat"
            | "hpexpireat" | "hpersist" | "hsetex" | "persist" | "setrange" | "hset" | "hmset" | "lset"
            | "zadd" | "geoadd",
            _,
        ) => &["RW", "update"],
        (
            "exists" | "type" | "touch" | "strlen" | "hlen" | "hexists" | "hstrlen" | "watch" | "scard"
            | "sismember" | "llen" | "zcard" | "object|encoding" | "object|freq" | "object|idletime"
            | "object|refcount" | "memory|usage",
            _,
        ) => &["RO"],
        ("spublish" | "ssubscribe" | "sunsubscribe", _) => &["not_key"],
        _ if command.writes => &["RW", "access", "update"],
        _ => &["RO", "access"],
    }
}

/// Redis's tips for a command.
pub fn tips(command: &Command) -> &'static [&'static str] {
    match command.name {
        "client|info" | "client|list" | "dump" | "hrandfield" | "hscan" | "lastsave" | "object|encoding"
        | "object|freq" | "object|idletime" | "object|refcount" | "pttl" | "hpttl" | "httl" | "spop"
        | "srandmember" | "sscan" | "time" | "ttl" | "zrandmember" | "zscan" | "xadd" | "xautoclaim"
        | "xclaim" | "xinfo|consumers" | "xpending" | "xtrim" => &["nondeterministic_output"],
        "command" | "command|docs" | "command|info" | "command|list" | "hgetall" | "hkeys" | "hvals"
        | "module|list" | "sdiff" | "sinter" | "smembers" | "sunion" => &["nondeterministic_output_order"],
        "config|set" | "latency|reset" | "slowlog|reset" => {
            &["request_policy:all_nodes", "response_policy:all_succeeded"]
        }
        "dbsize" => &["request_policy:all_shards", "response_policy:agg_sum"],
        "del" | "exists" | "touch" | "unlink" => &["request_policy:multi_shard", "response_policy:agg_sum"],
        "flushall" | "flushdb" | "memory|purge" | "ping" => {
            &["request_policy:all_shards", "response_policy:all_succeeded"]
        }
        "function|delete" | "function|flush" | "function|load" | "function|restore" => {
            &["request_policy:all_shards", "response_policy:all_succeeded"]
        }
        "function|kill" => &["request_policy:all_shards", "response_policy:one_succeeded"],
        "function|list" => &["nondeterministic_output_order"],
        "function|stats" => {
            &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]
        }
        "info" | "memory|doctor" | "memory|malloc-stats" | "memory|stats" => {
            &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]
        }
        "keys" => &["request_policy:all_shards", "nondeterministic_output_order"],
        "latency|doctor" | "latency|graph" | "latency|histogram" | "latency|history" | "latency|latest" => {
            &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]
        }
        "mget" => &["request_policy:multi_shard"],
        "mset" => &["request_policy:multi_shard", "response_policy:all_succeeded"],
        "msetnx" => &["request_policy:multi_shard", "response_policy:agg_min"],
        "randomkey" => &["request_policy:all_shards", "nondeterministic_output"],
        "scan" => &["nondeterministic_output", "request_policy:special"],
        "script|exists" => &["request_policy:all_shards", "response_policy:agg_logical_and"],
        "script|flush" | "script|load" => &["request_policy:all_nodes", "response_policy:all_succeeded"],
        "script|kill" => &["request_policy:all_shards", "response_policy:one_succeeded"],
        "slowlog|get" => &["request_policy:all_nodes", "nondeterministic_output"],
        "slowlog|len" => &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
        "wait" => &["request_policy:all_shards", "response_policy:agg_min"],
        _ => &[],
    }
}
