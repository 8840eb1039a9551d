//! The catalog declares every command. `COMMAND`, its `DOCS`, the arity errors and the README's list
//! all come from it. It says nothing of what a command does: that is in `dispatch`.

use crate::resp::Args;

/// One command or subcommand.
#[derive(Clone, Copy)]
pub struct Command {
    /// Its place among the counters.
    pub id: u8,
    /// Lower case; a subcommand's has its container's before it, as in `client|id`.
    pub name: &'static str,
    /// How many arguments, the name included.
    pub arity: Arity,
    /// Redis's flags, as `COMMAND INFO` shows them.
    pub flags: &'static [&'static str],
    /// Which arguments are keys.
    pub keys: Keys,
    /// Redis's ACL categories beyond those that follow from flags and group.
    pub categories: &'static [&'static str],
    /// Redis's group, as `COMMAND DOCS` shows it.
    pub group: &'static str,
    /// One line.
    pub summary: &'static str,
    /// The version of Redis that had it first.
    pub since: &'static str,
    /// In the sizes of its arguments and of the keyspace.
    pub complexity: &'static str,
    /// True if `enable-debug-command` must allow it.
    pub debug: bool,
    /// It may take long, whatever its arguments: its time is always taken.
    pub heavy: bool,
    /// It changes keys or speaks to other clients: `CLIENT PAUSE WRITE` holds it.
    pub writes: bool,
    /// What it may do inside a transaction.
    pub multi: Multi,
    /// A subscriber that speaks RESP2 may use it.
    pub subscriber: bool,
    /// A container's subcommands.
    pub subcommands: &'static [Command],
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What becomes of a command that comes after `MULTI`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multi {
    /// It is queued until `EXEC`.
    Queued,
    /// It runs at once.
    AtOnce,
    /// It is refused, and the transaction with it.
    Refused,
}

/// How many arguments a command takes, its name (and subcommand) included: Redis's convention of
/// `n` for exactly and `-n` for at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity(pub i8);

impl Arity {
    /// True if `count` arguments are right.
    #[inline]
    pub fn allows(self, count: usize) -> bool {
        let least = usize::from(self.0.unsigned_abs());
        if self.0 < 0 { count >= least } else { count == least }
    }
}

/// Which arguments are keys: the first and last position and the step between; a negative last
/// counts from the end.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Position of the first key; 0 if there is none.
    pub first: u8,
    /// Position of the last key.
    pub last: i8,
    /// Distance between keys.
    pub step: u8,
}

impl Keys {
    /// The keys among `args`.
    #[inline]
    pub fn of<'a>(self, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let last = match self.last {
            from_end if from_end < 0 => args.len().saturating_sub(usize::from(from_end.unsigned_abs())),
            last => last as usize,
        };
        let positions = if self.first == 0 { 0..0 } else { usize::from(self.first)..last + 1 };
        positions.step_by(usize::from(self.step.max(1))).filter_map(move |position| args.get(position))
    }
}

const NO_KEYS: Keys = Keys { first: 0, last: 0, step: 0 };
const ONE_KEY: Keys = Keys { first: 1, last: 1, step: 1 };
const ALL_KEYS: Keys = Keys { first: 1, last: -1, step: 1 };
const PAIRS: Keys = Keys { first: 1, last: -1, step: 2 };

const CONNECTION: &str = "connection";
const GENERIC: &str = "generic";
const SERVER: &str = "server";
const STRING: &str = "string";
const TRANSACTIONS: &str = "transactions";
const PUBSUB_GROUP: &str = "pubsub";

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

const fn has(flags: &[&str], wanted: &[u8]) -> bool {
    let mut at = 0;
    while at < flags.len() {
        if same(flags[at].as_bytes(), wanted) {
            return true;
        }
        at += 1;
    }
    false
}

/// Compares at compile time, where `==` cannot.
pub(super) const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// What most rows share: no keys, no subcommands, constant time.
const fn row(
    name: &'static str,
    arity: i8,
    flags: &'static [&'static str],
    group: &'static str,
    since: &'static str,
    summary: &'static str,
) -> Command {
    Command {
        id: 0,
        name,
        arity: Arity(arity),
        flags,
        categories: &[],
        keys: NO_KEYS,
        group,
        summary,
        since,
        complexity: "O(1)",
        debug: false,
        heavy: false,
        writes: has(flags, b"write"),
        multi: if has(flags, b"no_multi") { Multi::Refused } else { Multi::Queued },
        subscriber: false,
        subcommands: &[],
    }
}

impl Command {
    const fn keys(mut self, keys: Keys) -> Command {
        self.keys = keys;
        self
    }

    const fn acl(mut self, categories: &'static [&'static str]) -> Command {
        self.categories = categories;
        self
    }

    const fn complexity(mut self, complexity: &'static str) -> Command {
        self.complexity = complexity;
        self
    }

    const fn debug(mut self) -> Command {
        self.debug = true;
        self
    }

    const fn heavy(mut self) -> Command {
        self.heavy = true;
        self
    }

    /// It is run at once, also inside a transaction.
    const fn at_once(mut self) -> Command {
        self.multi = Multi::AtOnce;
        self
    }

    const fn speaks(mut self) -> Command {
        self.writes = true;
        self
    }

    const fn for_subscribers(mut self) -> Command {
        self.subscriber = true;
        self
    }

    const fn container(mut self, subcommands: &'static [Command]) -> Command {
        self.subcommands = subcommands;
        self
    }
}

// A container's subcommands have ids of their own, behind those of the commands.
const _: () = {
    assert!(COMMANDS.len() <= 128 && CLIENT.len() <= 24 && COMMAND.len() <= 8);
    assert!(CONFIG.len() <= 8 && DEBUG.len() <= 8 && PUBSUB.len() <= 8);
};

const fn numbered<const N: usize>(first: u8, mut rows: [Command; N]) -> [Command; N] {
    let mut i = 0;
    while i < N {
        rows[i].id = first + i as u8;
        i += 1;
    }
    rows
}

/// Every command, by name.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &numbered(0, [
    row("append", 3, WRITE_OOM_FAST, STRING, "2.0.0", "Append a value to a key")
        .keys(ONE_KEY).complexity("O(N) where N is the length of the resulting value"),
    row("auth", -2, GREETING, CONNECTION, "1.0.0", "Authenticate to the server"),
    row("client", -2, NONE, CONNECTION, "2.4.0", "A container for client connection commands")
        .container(CLIENT),
    row("command", -1, ALWAYS, SERVER, "2.8.13", "Get details about all commands").heavy()
        .complexity("O(N) where N is the number of commands").container(COMMAND),
    row("config", -2, NONE, SERVER, "2.0.0", "A container for server configuration commands")
        .container(CONFIG),
    row("dbsize", 1, READ_FAST, SERVER, "1.0.0", "Return the number of keys").acl(&["keyspace"]),
    row("debug", -2, ADMIN, SERVER, "1.0.0", "A container for debugging commands")
        .debug().container(DEBUG),
    row("decr", 2, WRITE_OOM_FAST, STRING, "1.0.0", "Decrement the integer value of a key by one").keys(ONE_KEY),
    row("decrby", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Decrement the integer value of a key by the given number")
        .keys(ONE_KEY),
    row("del", -2, WRITE, GENERIC, "1.0.0", "Delete keys")
        .keys(ALL_KEYS).complexity("O(N log N) where N is the number of keys named"),
    row("discard", 1, TRANSACT_FAST, TRANSACTIONS, "2.0.0", "Discard the commands queued since MULTI").at_once()
        .complexity("O(N) where N is the number of queued commands"),
    row("echo", 2, ALWAYS_FAST, CONNECTION, "1.0.0", "Echo the given string"),
    row("exec", 1, SKIP_SLOWLOG, TRANSACTIONS, "1.2.0", "Run all commands queued since MULTI").heavy().at_once()
        .complexity("Depends on the commands in the transaction"),
    row("exists", -2, READ_FAST, GENERIC, "1.0.0", "Count how many of the given keys exist")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("expire", -3, WRITE_FAST, GENERIC, "1.0.0", "Set a key's time to live in seconds").keys(ONE_KEY),
    row("flushall", -1, WRITE, SERVER, "1.0.0", "Remove all keys").heavy()
        .acl(&["keyspace", "dangerous"]).complexity("O(1); the memory is freed a little at a time"),
    row("flushdb", -1, WRITE, SERVER, "1.0.0", "Remove all keys of the current database").heavy()
        .acl(&["keyspace", "dangerous"]).complexity("O(1); the memory is freed a little at a time"),
    row("get", 2, READ_FAST, STRING, "1.0.0", "Get the value of a key").keys(ONE_KEY),
    row("getdel", 2, WRITE_FAST, STRING, "6.2.0", "Get the value of a key and delete the key").keys(ONE_KEY),
    row("getex", -2, WRITE_FAST, STRING, "6.2.0", "Get the value of a key and optionally set its expiration")
        .keys(ONE_KEY),
    row("getset", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Set the string value of a key and return its old value")
        .keys(ONE_KEY),
    row("hello", -1, GREETING, CONNECTION, "6.0.0", "Handshake and choose the protocol version"),
    row("incr", 2, WRITE_OOM_FAST, STRING, "1.0.0", "Increment the integer value of a key by one").keys(ONE_KEY),
    row("incrby", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Increment the integer value of a key by the given amount")
        .keys(ONE_KEY),
    row("info", -1, ALWAYS, SERVER, "1.0.0", "Get information and statistics about the server").heavy()
        .acl(&["dangerous"]).complexity("O(N) where N is the number of commands"),
    row("keys", 2, READ, GENERIC, "1.0.0", "Find all keys that match a pattern, in order").heavy()
        .acl(&["dangerous"]).complexity("O(N) over the keyspace, up to 1 ms for a key of 64 KiB, and O(M log M) over the matches; the server does nothing else meanwhile"),
    row("mget", -2, READ_FAST, STRING, "1.0.0", "Get the values of all the given keys")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("mset", -3, WRITE_OOM, STRING, "1.0.1", "Set multiple keys to multiple values")
        .keys(PAIRS).complexity("O(N) where N is the number of keys named"),
    row("multi", 1, TRANSACT_FAST, TRANSACTIONS, "1.2.0", "Begin a transaction").at_once(),
    row("persist", 2, WRITE_FAST, GENERIC, "2.2.0", "Remove the expiration from a key").keys(ONE_KEY),
    row("pexpire", -3, WRITE_FAST, GENERIC, "2.6.0", "Set a key's time to live in milliseconds").keys(ONE_KEY),
    row("ping", -1, FAST, CONNECTION, "1.0.0", "Ping the server").for_subscribers(),
    row("psetex", 4, WRITE_OOM, STRING, "2.6.0", "Set the value and expiration in milliseconds of a key")
        .keys(ONE_KEY),
    row("psubscribe", -2, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Listen to the channels that match the given patterns").for_subscribers()
        .complexity("O(N log M) where N is the number of patterns given and M the number of subscriptions"),
    row("pttl", 2, READ_FAST, GENERIC, "2.6.0", "Get the time to live for a key in milliseconds").keys(ONE_KEY),
    row("publish", 3, PUBLISH, PUBSUB_GROUP, "2.0.0", "Post a message to a channel").speaks()
        .complexity("O(N+M) where N is the number of clients that listen to the channel and M the number of patterns subscribed to"),
    row("pubsub", -2, NONE, PUBSUB_GROUP, "2.8.0", "A container for Pub/Sub commands").container(PUBSUB),
    row("punsubscribe", -1, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Stop listening to the given patterns, or to all").for_subscribers()
        .complexity("O(N log M) where N is the number of patterns given and M the number of subscriptions"),
    row("quit", -1, GREETING, CONNECTION, "1.0.0", "Close the connection").at_once().for_subscribers(),
    row("randomkey", 1, READ, GENERIC, "1.0.0", "Return a random key").heavy(),
    row("reset", 1, GREETING, CONNECTION, "6.2.0", "Reset the connection").at_once().for_subscribers(),
    row("scan", -2, READ, GENERIC, "2.8.0", "Iterate over the keys").heavy()
        .complexity("O(1) for every call, which ends after some 100 microseconds of matching; O(N) for a complete iteration"),
    row("select", 2, ALWAYS_FAST, CONNECTION, "1.0.0", "Change the selected database for the current connection"),
    row("set", -3, WRITE_OOM, STRING, "1.0.0", "Set the string value of a key").keys(ONE_KEY),
    row("setex", 4, WRITE_OOM, STRING, "2.0.0", "Set the value and expiration of a key").keys(ONE_KEY),
    row("setnx", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Set the value of a key, only if the key does not exist")
        .keys(ONE_KEY),
    row("shutdown", -1, SHUTDOWN, SERVER, "1.0.0", "Drain the open clients and stop the server").heavy(),
    row("spublish", 3, PUBLISH, PUBSUB_GROUP, "7.0.0", "Post a message to a shard channel").keys(ONE_KEY).speaks()
        .complexity("O(N) where N is the number of clients that listen to the shard channel"),
    row("ssubscribe", -2, PUBSUB_FLAGS, PUBSUB_GROUP, "7.0.0", "Listen to the given shard channels").keys(ALL_KEYS).for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("strlen", 2, READ_FAST, STRING, "2.2.0", "Get the length of the value stored in a key").keys(ONE_KEY),
    row("subscribe", -2, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Listen to the given channels").for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("sunsubscribe", -1, PUBSUB_FLAGS, PUBSUB_GROUP, "7.0.0", "Stop listening to the given shard channels, or to all").keys(ALL_KEYS)
        .for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("time", 1, ALWAYS_FAST, SERVER, "2.6.0", "Return the current server time"),
    row("ttl", 2, READ_FAST, GENERIC, "1.0.0", "Get the time to live for a key in seconds").keys(ONE_KEY),
    row("type", 2, READ_FAST, GENERIC, "1.0.0", "Determine the type stored at key").keys(ONE_KEY),
    row("unlink", -2, WRITE_FAST, GENERIC, "4.0.0", "Delete keys")
        .keys(ALL_KEYS).complexity("O(N log N) where N is the number of keys named"),
    row("unsubscribe", -1, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Stop listening to the given channels, or to all").for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("unwatch", 1, TRANSACT_FAST, TRANSACTIONS, "2.2.0", "Watch no key any more")
        .complexity("O(N) where N is the number of watched keys"),
    row("watch", -2, TRANSACT_FAST, TRANSACTIONS, "2.2.0", "Let the next EXEC do nothing if one of the keys changes before").keys(ALL_KEYS).at_once()
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
    row("client|pause", -3, ADMIN, CONNECTION, "3.0.0", "Hold the commands of all clients for so many milliseconds"),
    row("client|reply", 3, SESSION, CONNECTION, "3.2.0", "Instruct the server whether to reply to commands"),
    row("client|setinfo", 4, SESSION, CONNECTION, "7.2.0", "Set information about the client's library"),
    row("client|setname", 3, SESSION, CONNECTION, "2.6.9", "Set the current connection name"),
    row("client|unpause", 2, ADMIN, CONNECTION, "6.2.0", "Let the commands go on that CLIENT PAUSE holds")
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
    row("debug|sleep", 3, ADMIN, SERVER, "2.8.12", "Stop the server for so many seconds").heavy().debug(),
]);

#[rustfmt::skip]
const PUBSUB: &[Command] = &numbered(176, [
    row("pubsub|channels", -2, PUBSUB_ASK, PUBSUB_GROUP, "2.8.0", "Get the channels that somebody listens to").heavy()
        .complexity("O(N) where N is the number of channels"),
    row("pubsub|help", 2, ALWAYS, PUBSUB_GROUP, "6.2.0", "Show the subcommands of PUBSUB"),
    row("pubsub|numpat", 2, PUBSUB_ASK, PUBSUB_GROUP, "2.8.0", "Count the patterns that somebody has subscribed to"),
    row("pubsub|numsub", -2, PUBSUB_ASK, PUBSUB_GROUP, "2.8.0", "Count the clients that listen to each of the given channels")
        .complexity("O(N) where N is the number of channels given"),
    row("pubsub|shardchannels", -2, PUBSUB_ASK, PUBSUB_GROUP, "7.0.0", "Get the shard channels that somebody listens to").heavy()
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
