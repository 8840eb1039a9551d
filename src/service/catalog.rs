//! The catalog declares every command. `COMMAND` and its subcommands, the errors about the number of
//! arguments and the lists of docs/commands.md come from it. It does not say which function runs a command; `dispatch`
//! does.

use super::command::{ALL_KEYS, Command, Keys, ONE_KEY, PAIRS, TWO_KEYS, row};

// Groups, as Redis names them.
const BITMAP: &str = "bitmap";
const CONNECTION: &str = "connection";
const GENERIC: &str = "generic";
const HASH: &str = "hash";
const SERVER: &str = "server";
const STRING: &str = "string";
const TRANSACTIONS: &str = "transactions";
const PUBSUB_GROUP: &str = "pubsub";

// Sets of flags, as Redis names the flags.
const FAST: &[&str] = &["fast"];
const NONE: &[&str] = &[];
const READ: &[&str] = &["readonly"];
const READ_FAST: &[&str] = &["readonly", "fast"];
const WRITE: &[&str] = &["write"];
const WRITE_FAST: &[&str] = &["write", "fast"];
const WRITE_OOM: &[&str] = &["write", "denyoom"];
const WRITE_OOM_FAST: &[&str] = &["write", "denyoom", "fast"];
const ADMIN: &[&str] = &["admin", "noscript", "loading", "stale"];
const SHUTDOWN: &[&str] = &["admin", "noscript", "loading", "stale", "no_multi", "allow_busy"];
const ALWAYS: &[&str] = &["loading", "stale"];
const ALWAYS_FAST: &[&str] = &["fast", "loading", "stale"];
const SESSION: &[&str] = &["noscript", "loading", "stale"];
const TRANSACT_FAST: &[&str] = &["noscript", "loading", "stale", "fast", "allow_busy"];
const SKIP_SLOWLOG: &[&str] = &["noscript", "loading", "stale", "skip_slowlog"];
const PUBSUB_FLAGS: &[&str] = &["pubsub", "noscript", "loading", "stale"];
const PUBSUB_ASK: &[&str] = &["pubsub", "loading", "stale"];
const PUBLISH: &[&str] = &["pubsub", "loading", "stale", "fast"];
const GREETING: &[&str] = &["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"];

// Commands have the ids from 0 to 127. The subcommands of each container have a range of ids after that.
// These assertions hold the ranges apart.
const _: () = {
    assert!(COMMANDS.len() <= 128 && CLIENT.len() <= 24 && COMMAND.len() <= 8);
    assert!(CONFIG.len() <= 8 && DEBUG.len() <= 8 && PUBSUB.len() <= 8);
};

/// Gives the rows consecutive ids, from `first` on.
const fn numbered<const N: usize>(first: u8, mut rows: [Command; N]) -> [Command; N] {
    let mut i = 0;
    while i < N {
        rows[i].id = first + i as u8;
        i += 1;
    }
    rows
}

/// Every command, sorted by name. The subcommands are in the rows of their containers.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &numbered(0, [
    row("append", 3, WRITE_OOM_FAST, STRING, "2.0.0", "Append a value to a key")
        .keys(ONE_KEY).complexity("O(N) where N is the length of the resulting value"),
    row("auth", -2, GREETING, CONNECTION, "1.0.0", "Authenticate to the server"),
    row("bitcount", -2, READ, BITMAP, "2.6.0", "Count the bits of a string that are 1").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of bytes looked at"),
    row("bitfield", -2, WRITE_OOM, BITMAP, "3.2.0", "Get, set and increment integers of any width in a string")
        .keys(ONE_KEY).complexity("O(1) for each operation"),
    row("bitfield_ro", -2, READ_FAST, BITMAP, "6.0.0", "Get integers of any width from a string")
        .keys(ONE_KEY).complexity("O(1) for each operation"),
    row("bitop", -4, WRITE_OOM, BITMAP, "2.6.0", "Combine strings bit by bit and store the result").heavy()
        .keys(Keys { first: 2, last: -1, step: 1 }).complexity("O(N) where N is the length of all strings"),
    row("bitpos", -3, READ, BITMAP, "2.8.7", "Find the first bit of a string that is 1, or 0").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of bytes looked at"),
    row("client", -2, NONE, CONNECTION, "2.4.0", "A container for client connection commands")
        .container(CLIENT),
    row("command", -1, ALWAYS, SERVER, "2.8.13", "Get details about all commands").heavy()
        .complexity("O(N) where N is the number of commands").container(COMMAND),
    row("config", -2, NONE, SERVER, "2.0.0", "A container for server configuration commands")
        .container(CONFIG),
    row("copy", -3, WRITE_OOM, GENERIC, "6.2.0", "Copy what a key holds to another key").heavy()
        .keys(TWO_KEYS).complexity("O(N) where N is the size of the value"),
    row("dbsize", 1, READ_FAST, SERVER, "1.0.0", "Return the number of keys").acl(&["keyspace"]),
    row("debug", -2, ADMIN, SERVER, "1.0.0", "A container for debugging commands")
        .debug().container(DEBUG),
    row("decr", 2, WRITE_OOM_FAST, STRING, "1.0.0", "Decrement the integer value of a key by one").keys(ONE_KEY),
    row("decrby", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Decrement the integer value of a key by the given number")
        .keys(ONE_KEY),
    row("del", -2, WRITE, GENERIC, "1.0.0", "Delete keys")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("delifeq", 3, WRITE_FAST, STRING, "9.0.0", "Delete a key if its string equals the given value").keys(ONE_KEY),
    row("discard", 1, TRANSACT_FAST, TRANSACTIONS, "2.0.0", "Discard the commands queued since MULTI").at_once()
        .complexity("O(N) where N is the number of queued commands"),
    row("echo", 2, ALWAYS_FAST, CONNECTION, "1.0.0", "Echo the given string"),
    row("exec", 1, SKIP_SLOWLOG, TRANSACTIONS, "1.2.0", "Run all commands queued since MULTI").heavy().at_once()
        .complexity("Depends on the commands in the transaction"),
    row("exists", -2, READ_FAST, GENERIC, "1.0.0", "Count how many of the given keys exist")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("expire", -3, WRITE_FAST, GENERIC, "1.0.0", "Set a key's time to live in seconds").keys(ONE_KEY),
    row("expireat", -3, WRITE_FAST, GENERIC, "1.2.0", "Set the Unix time in seconds at which a key expires").keys(ONE_KEY),
    row("expiretime", 2, READ_FAST, GENERIC, "7.0.0", "Get the Unix time in seconds at which a key expires").keys(ONE_KEY),
    row("flushall", -1, WRITE, SERVER, "1.0.0", "Remove all keys").heavy()
        .acl(&["keyspace", "dangerous"]).complexity("O(1); the memory is freed a little at a time"),
    row("flushdb", -1, WRITE, SERVER, "1.0.0", "Remove all keys of the current database").heavy()
        .acl(&["keyspace", "dangerous"]).complexity("O(1); the memory is freed a little at a time"),
    row("get", 2, READ_FAST, STRING, "1.0.0", "Get the value of a key").keys(ONE_KEY),
    row("getbit", 3, READ_FAST, BITMAP, "2.2.0", "Get a bit of a string").keys(ONE_KEY),
    row("getdel", 2, WRITE_FAST, STRING, "6.2.0", "Get the value of a key and delete the key").keys(ONE_KEY),
    row("getex", -2, WRITE_FAST, STRING, "6.2.0", "Get the value of a key and optionally set its expiration")
        .keys(ONE_KEY),
    row("getrange", 4, READ, STRING, "2.4.0", "Get a part of a string")
        .keys(ONE_KEY).complexity("O(N) where N is the length of the part"),
    row("getset", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Set the string value of a key and return its old value")
        .keys(ONE_KEY),
    row("hdel", -3, WRITE_FAST, HASH, "2.0.0", "Delete fields of a hash, and the hash with its last field")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hello", -1, GREETING, CONNECTION, "6.0.0", "Handshake and choose the protocol version"),
    row("hexists", 3, READ_FAST, HASH, "2.0.0", "Tell whether a hash has a field").keys(ONE_KEY),
    row("hget", 3, READ_FAST, HASH, "2.0.0", "Get the value of a field of a hash").keys(ONE_KEY),
    row("hgetall", 2, READ, HASH, "2.0.0", "Get all fields and values of a hash").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields"),
    row("hincrby", 4, WRITE_OOM_FAST, HASH, "2.0.0", "Increment the integer value of a field by the given amount").keys(ONE_KEY),
    row("hincrbyfloat", 4, WRITE_OOM_FAST, HASH, "2.6.0", "Increment the floating point value of a field by the given amount")
        .keys(ONE_KEY),
    row("hkeys", 2, READ, HASH, "2.0.0", "Get all fields of a hash").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields"),
    row("hlen", 2, READ_FAST, HASH, "2.0.0", "Get the number of fields of a hash").keys(ONE_KEY),
    row("hmget", -3, READ_FAST, HASH, "2.0.0", "Get the values of the given fields of a hash")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hmset", -4, WRITE_OOM_FAST, HASH, "2.0.0", "Set the values of the given fields of a hash")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hrandfield", -2, READ, HASH, "6.2.0", "Get random fields of a hash").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields returned; if that is a third of the hash or more, the number of its fields"),
    row("hscan", -3, READ, HASH, "2.8.0", "Iterate over the fields of a hash").heavy()
        .keys(ONE_KEY).complexity("O(1) for every call, because a call ends after about 100 microseconds of matching; O(N) for a complete iteration"),
    row("hset", -4, WRITE_OOM_FAST, HASH, "2.0.0", "Set the values of the given fields of a hash")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hsetnx", 4, WRITE_OOM_FAST, HASH, "2.0.0", "Set the value of a field of a hash, only if the field does not exist").keys(ONE_KEY),
    row("hstrlen", 3, READ_FAST, HASH, "3.2.0", "Get the length of the value of a field of a hash").keys(ONE_KEY),
    row("hvals", 2, READ, HASH, "2.0.0", "Get all values of a hash").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields"),
    row("incr", 2, WRITE_OOM_FAST, STRING, "1.0.0", "Increment the integer value of a key by one").keys(ONE_KEY),
    row("incrby", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Increment the integer value of a key by the given amount")
        .keys(ONE_KEY),
    row("incrbyfloat", 3, WRITE_OOM_FAST, STRING, "2.6.0", "Increment the floating point value of a key by the given amount")
        .keys(ONE_KEY),
    row("info", -1, ALWAYS, SERVER, "1.0.0", "Get information and statistics about the server").heavy()
        .acl(&["dangerous"]).complexity("O(N) where N is the number of commands"),
    row("keys", 2, READ, GENERIC, "1.0.0", "Find all keys that match a pattern, in order").heavy()
        .acl(&["dangerous"]).complexity("O(N) over the keyspace, up to 1 ms for a key of 64 KiB, and O(M log M) over the matches; no other client is served in that time"),
    row("lcs", -3, READ, STRING, "7.0.0", "Find the longest common subsequence of two strings").heavy()
        .keys(TWO_KEYS).complexity("O(N*M) where N and M are the lengths of the strings; the product is limited"),
    row("mget", -2, READ_FAST, STRING, "1.0.0", "Get the values of all the given keys")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("mset", -3, WRITE_OOM, STRING, "1.0.1", "Set multiple keys to multiple values")
        .keys(PAIRS).complexity("O(N) where N is the number of keys named"),
    row("msetnx", -3, WRITE_OOM, STRING, "1.0.1", "Set multiple keys to multiple values, only if none of the keys exists")
        .keys(PAIRS).complexity("O(N) where N is the number of keys named"),
    row("multi", 1, TRANSACT_FAST, TRANSACTIONS, "1.2.0", "Begin a transaction").at_once(),
    row("persist", 2, WRITE_FAST, GENERIC, "2.2.0", "Remove the expiration from a key").keys(ONE_KEY),
    row("pexpire", -3, WRITE_FAST, GENERIC, "2.6.0", "Set a key's time to live in milliseconds").keys(ONE_KEY),
    row("pexpireat", -3, WRITE_FAST, GENERIC, "2.6.0", "Set the Unix time in milliseconds at which a key expires").keys(ONE_KEY),
    row("pexpiretime", 2, READ_FAST, GENERIC, "7.0.0", "Get the Unix time in milliseconds at which a key expires").keys(ONE_KEY),
    row("ping", -1, FAST, CONNECTION, "1.0.0", "Ping the server").for_subscribers(),
    row("psetex", 4, WRITE_OOM, STRING, "2.6.0", "Set the value and expiration in milliseconds of a key")
        .keys(ONE_KEY),
    row("psubscribe", -2, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Listen to the channels that match the given patterns").for_subscribers()
        .complexity("O(N log M) where N is the number of patterns given and M the number of subscriptions"),
    row("pttl", 2, READ_FAST, GENERIC, "2.6.0", "Get the time to live for a key in milliseconds").keys(ONE_KEY),
    row("publish", 3, PUBLISH, PUBSUB_GROUP, "2.0.0", "Post a message to a channel").speaks()
        .complexity("O(N+M) where N is the number of clients that listen to the channel and M the number of patterns subscribed to, each of which takes up to 1 ms for a channel of 64 KiB"),
    row("pubsub", -2, NONE, PUBSUB_GROUP, "2.8.0", "A container for Pub/Sub commands").container(PUBSUB),
    row("punsubscribe", -1, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Stop listening to the given patterns, or to all").for_subscribers()
        .complexity("O(N log M) where N is the number of patterns given and M the number of subscriptions"),
    row("quit", -1, GREETING, CONNECTION, "1.0.0", "Close the connection").at_once().for_subscribers(),
    row("randomkey", 1, READ, GENERIC, "1.0.0", "Return a random key").heavy(),
    row("rename", 3, WRITE, GENERIC, "1.0.0", "Rename a key, and overwrite the new one").heavy()
        .keys(TWO_KEYS).complexity("O(1) for small values and large hashes; O(N) where N is the length of a long string"),
    row("renamenx", 3, WRITE_FAST, GENERIC, "1.0.0", "Rename a key, only if the new one does not exist").heavy()
        .keys(TWO_KEYS).complexity("O(1) for small values and large hashes; O(N) where N is the length of a long string"),
    row("reset", 1, GREETING, CONNECTION, "6.2.0", "Reset the connection").at_once().for_subscribers(),
    row("scan", -2, READ, GENERIC, "2.8.0", "Iterate over the keys").heavy()
        .complexity("O(1) for every call, because a call ends after about 100 microseconds of matching; O(N) for a complete iteration"),
    row("select", 2, ALWAYS_FAST, CONNECTION, "1.0.0", "Change the selected database for the current connection"),
    row("set", -3, WRITE_OOM, STRING, "1.0.0", "Set the string value of a key").keys(ONE_KEY),
    row("setbit", 4, WRITE_OOM, BITMAP, "2.2.0", "Set a bit of a string").keys(ONE_KEY),
    row("setex", 4, WRITE_OOM, STRING, "2.0.0", "Set the value and expiration of a key").keys(ONE_KEY),
    row("setnx", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Set the value of a key, only if the key does not exist")
        .keys(ONE_KEY),
    row("setrange", 4, WRITE_OOM, STRING, "2.2.0", "Overwrite a part of a string")
        .keys(ONE_KEY).complexity("O(N) where N is the length of the part, and of the zeros before it"),
    row("shutdown", -1, SHUTDOWN, SERVER, "1.0.0", "Drain the open clients and stop the server").heavy(),
    row("spublish", 3, PUBLISH, PUBSUB_GROUP, "7.0.0", "Post a message to a shard channel").keys(ONE_KEY).speaks()
        .complexity("O(N) where N is the number of clients that listen to the shard channel"),
    row("ssubscribe", -2, PUBSUB_FLAGS, PUBSUB_GROUP, "7.0.0", "Listen to the given shard channels").keys(ALL_KEYS).for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("strlen", 2, READ_FAST, STRING, "2.2.0", "Get the length of the value stored in a key").keys(ONE_KEY),
    row("subscribe", -2, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Listen to the given channels").for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("substr", 4, READ, STRING, "1.0.0", "Get a part of a string")
        .keys(ONE_KEY).complexity("O(N) where N is the length of the part"),
    row("sunsubscribe", -1, PUBSUB_FLAGS, PUBSUB_GROUP, "7.0.0", "Stop listening to the given shard channels, or to all").keys(ALL_KEYS)
        .for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("time", 1, ALWAYS_FAST, SERVER, "2.6.0", "Return the current server time"),
    row("touch", -2, READ_FAST, GENERIC, "3.2.1", "Count how many of the given keys exist, as keys in use")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("ttl", 2, READ_FAST, GENERIC, "1.0.0", "Get the time to live for a key in seconds").keys(ONE_KEY),
    row("type", 2, READ_FAST, GENERIC, "1.0.0", "Determine the type stored at key").keys(ONE_KEY),
    row("unlink", -2, WRITE_FAST, GENERIC, "4.0.0", "Delete keys")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("unsubscribe", -1, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Stop listening to the given channels, or to all").for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("unwatch", 1, TRANSACT_FAST, TRANSACTIONS, "2.2.0", "Stop watching all keys")
        .complexity("O(N) where N is the number of watched keys"),
    row("watch", -2, TRANSACT_FAST, TRANSACTIONS, "2.2.0", "Stop the next EXEC if one of the given keys changes before it").keys(ALL_KEYS).at_once()
        .complexity("O(N log M) where N is the number of keys named and M the number of watched keys"),
]);

#[rustfmt::skip]
const CLIENT: &[Command] = &numbered(128, [
    row("client|getname", 2, SESSION, CONNECTION, "2.6.9", "Get the current connection name"),
    row("client|help", 2, ALWAYS, CONNECTION, "5.0.0", "Show the subcommands of CLIENT"),
    row("client|id", 2, SESSION, CONNECTION, "5.0.0", "Get the client ID of the current connection"),
    row("client|info", 2, SESSION, CONNECTION, "6.2.0", "Get information about the current connection"),
    row("client|kill", -3, ADMIN, CONNECTION, "2.4.0", "Close the connections of clients").heavy()
        .complexity("O(N log N) where N is the number of clients"),
    row("client|list", -2, ADMIN, CONNECTION, "2.4.0", "Get the list of client connections").heavy()
        .complexity("O(N log N) where N is the number of clients"),
    row("client|no-evict", 3, ADMIN, CONNECTION, "7.0.0", "Spare the current connection when client memory runs out"),
    row("client|no-touch", 3, SESSION, CONNECTION, "7.2.0", "Control whether commands update the access time of keys"),
    row("client|pause", -3, ADMIN, CONNECTION, "3.0.0", "Hold the commands of all clients for the given time in milliseconds"),
    row("client|reply", 3, SESSION, CONNECTION, "3.2.0", "Instruct the server whether to reply to commands"),
    row("client|setinfo", 4, SESSION, CONNECTION, "7.2.0", "Set information about the client's library"),
    row("client|setname", 3, SESSION, CONNECTION, "2.6.9", "Set the current connection name"),
    row("client|unpause", 2, ADMIN, CONNECTION, "6.2.0", "End the pause and run the commands that it held")
        .complexity("O(N) where N is the number of clients that wait"),
]);

#[rustfmt::skip]
const COMMAND: &[Command] = &numbered(152, [
    row("command|count", 2, ALWAYS, SERVER, "2.8.13", "Get the number of commands"),
    row("command|docs", -2, ALWAYS, SERVER, "7.0.0", "Get documentation about commands").heavy()
        .complexity("O(N) where N is the number of commands to look up"),
    row("command|help", 2, ALWAYS, SERVER, "5.0.0", "Show the subcommands of COMMAND"),
    row("command|info", -2, ALWAYS, SERVER, "2.8.13", "Get details about commands").heavy()
        .complexity("O(N) where N is the number of commands to look up"),
    row("command|list", -2, ALWAYS, SERVER, "7.0.0", "Get the names of the commands").heavy()
        .complexity("O(N) where N is the number of commands"),
]);

#[rustfmt::skip]
const CONFIG: &[Command] = &numbered(160, [
    row("config|get", -3, ADMIN, SERVER, "2.0.0", "Get the values of configuration parameters").heavy()
        .complexity("O(N*M) where N is the number of configuration parameters and M the number of patterns"),
    row("config|help", 2, ALWAYS, SERVER, "5.0.0", "Show the subcommands of CONFIG"),
    row("config|resetstat", 2, ADMIN, SERVER, "2.0.0", "Reset the statistics returned by INFO"),
    row("config|set", -4, ADMIN, SERVER, "2.0.0", "Set configuration parameters to the given values").heavy()
        .complexity("O(N) where N is the number of parameters given"),
]);

#[rustfmt::skip]
const DEBUG: &[Command] = &numbered(168, [
    row("debug|help", 2, ALWAYS, SERVER, "5.0.0", "Show the subcommands of DEBUG").debug(),
    row("debug|panic", -2, ADMIN, SERVER, "2.8.12", "Panic inside the command; with a number, at its nth step")
        .debug(),
    row("debug|sleep", 3, ADMIN, SERVER, "2.8.12", "Stop the server for the given time in seconds").heavy().debug(),
]);

#[rustfmt::skip]
const PUBSUB: &[Command] = &numbered(176, [
    row("pubsub|channels", -2, PUBSUB_ASK, PUBSUB_GROUP, "2.8.0", "Get the channels that have subscribers").heavy()
        .complexity("O(N) where N is the number of channels"),
    row("pubsub|help", 2, ALWAYS, PUBSUB_GROUP, "6.2.0", "Show the subcommands of PUBSUB"),
    row("pubsub|numpat", 2, PUBSUB_ASK, PUBSUB_GROUP, "2.8.0", "Count the patterns that have subscribers"),
    row("pubsub|numsub", -2, PUBSUB_ASK, PUBSUB_GROUP, "2.8.0", "Count the clients that listen to each of the given channels")
        .complexity("O(N) where N is the number of channels given"),
    row("pubsub|shardchannels", -2, PUBSUB_ASK, PUBSUB_GROUP, "7.0.0", "Get the shard channels that have subscribers").heavy()
        .complexity("O(N) where N is the number of shard channels"),
    row("pubsub|shardnumsub", -2, PUBSUB_ASK, PUBSUB_GROUP, "7.0.0", "Count the clients that listen to each of the given shard channels")
        .complexity("O(N) where N is the number of shard channels given"),
]);

/// Every command, each container followed by its subcommands.
pub fn everything() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().flat_map(|command| std::iter::once(command).chain(command.subcommands))
}

#[cfg(test)]
mod tests {
    use crate::service::names;

    #[test]
    fn keys_are_where_the_table_says() {
        let mut parser = crate::resp::Parser::default();
        let limits = crate::resp::Limits { bulk_max: 99, args_max: 99, inline_max: 99, request_max: 99 };
        for (line, keys) in [
            ("GET k\n", "k"),
            ("MSET a 1 b 2\n", "a b"),
            ("DEL a b c\n", "a b c"),
            ("PING x\n", ""),
            ("SET k v EX 3\n", "k"),
        ] {
            parser.parse(line.as_bytes(), &limits);
            let args = parser.args(line.as_bytes());
            let found: Vec<_> =
                names::find(&args[0]).unwrap().keys.of(args).map(String::from_utf8_lossy).collect();
            assert_eq!(found.join(" "), keys);
        }
    }
}
