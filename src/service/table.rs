//! The one table that declares every command. `COMMAND`, its `DOCS`, the arity errors and the
//! README's list all come from it.

use super::cx::{Cx, Outcome};
use super::{client, config, connection, introspect, keys, scan, server, strings};
use crate::resp::Args;
use crate::stats::{CommandStats, Stats};

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
    /// What it does.
    pub run: fn(&mut Cx<'_>) -> Outcome,
    /// A container's subcommands.
    pub subcommands: &'static [Command],
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
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
const GREETING: &[&str] = &["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"];

/// What most rows share: no keys, no subcommands, constant time.
const fn row(
    name: &'static str,
    arity: i8,
    flags: &'static [&'static str],
    group: &'static str,
    since: &'static str,
    summary: &'static str,
    run: fn(&mut Cx<'_>) -> Outcome,
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
        run,
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

    const fn container(mut self, subcommands: &'static [Command]) -> Command {
        self.subcommands = subcommands;
        self
    }
}

/// Places among the counters: the commands first, then each container's subcommands.
pub const COUNTERS: usize = 104;
const _: () = {
    assert!(COMMANDS.len() <= 64 && CLIENT.len() <= 16 && COMMAND.len() <= 8);
    assert!(CONFIG.len() <= 8 && DEBUG.len() <= 8);
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
    row("append", 3, WRITE_OOM_FAST, STRING, "2.0.0", "Append a value to a key", strings::append)
        .keys(ONE_KEY).complexity("O(N) where N is the length of the resulting value"),
    row("auth", -2, GREETING, CONNECTION, "1.0.0", "Authenticate to the server", connection::auth),
    row("client", -2, NONE, CONNECTION, "2.4.0", "A container for client connection commands", introspect::no_subcommand)
        .container(CLIENT),
    row("command", -1, ALWAYS, SERVER, "2.8.13", "Get details about all commands", introspect::all)
        .complexity("O(N) where N is the number of commands").container(COMMAND),
    row("config", -2, NONE, SERVER, "2.0.0", "A container for server configuration commands", introspect::no_subcommand)
        .container(CONFIG),
    row("dbsize", 1, READ_FAST, SERVER, "1.0.0", "Return the number of keys", server::dbsize).acl(&["keyspace"]),
    row("debug", -2, ADMIN, SERVER, "1.0.0", "A container for debugging commands", introspect::no_subcommand)
        .debug().container(DEBUG),
    row("decr", 2, WRITE_OOM_FAST, STRING, "1.0.0", "Decrement the integer value of a key by one", strings::decr).keys(ONE_KEY),
    row("decrby", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Decrement the integer value of a key by the given number", strings::decrby)
        .keys(ONE_KEY),
    row("del", -2, WRITE, GENERIC, "1.0.0", "Delete keys", keys::del)
        .keys(ALL_KEYS).complexity("O(N log N) where N is the number of keys named"),
    row("echo", 2, ALWAYS_FAST, CONNECTION, "1.0.0", "Echo the given string", connection::echo),
    row("exists", -2, READ_FAST, GENERIC, "1.0.0", "Count how many of the given keys exist", keys::exists)
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("expire", -3, WRITE_FAST, GENERIC, "1.0.0", "Set a key's time to live in seconds", keys::expire).keys(ONE_KEY),
    row("flushall", -1, WRITE, SERVER, "1.0.0", "Remove all keys", server::flush)
        .acl(&["keyspace", "dangerous"]).complexity("O(1); the memory is freed a little at a time"),
    row("flushdb", -1, WRITE, SERVER, "1.0.0", "Remove all keys of the current database", server::flush)
        .acl(&["keyspace", "dangerous"]).complexity("O(1); the memory is freed a little at a time"),
    row("get", 2, READ_FAST, STRING, "1.0.0", "Get the value of a key", strings::get).keys(ONE_KEY),
    row("getdel", 2, WRITE_FAST, STRING, "6.2.0", "Get the value of a key and delete the key", strings::getdel).keys(ONE_KEY),
    row("getex", -2, WRITE_FAST, STRING, "6.2.0", "Get the value of a key and optionally set its expiration", strings::getex)
        .keys(ONE_KEY),
    row("getset", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Set the string value of a key and return its old value", strings::getset)
        .keys(ONE_KEY),
    row("hello", -1, GREETING, CONNECTION, "6.0.0", "Handshake and choose the protocol version", connection::hello),
    row("incr", 2, WRITE_OOM_FAST, STRING, "1.0.0", "Increment the integer value of a key by one", strings::incr).keys(ONE_KEY),
    row("incrby", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Increment the integer value of a key by the given amount", strings::incrby)
        .keys(ONE_KEY),
    row("info", -1, ALWAYS, SERVER, "1.0.0", "Get information and statistics about the server", server::info)
        .acl(&["dangerous"]).complexity("O(N) where N is the number of commands"),
    row("keys", 2, READ, GENERIC, "1.0.0", "Find all keys that match a pattern, in order", scan::keys)
        .acl(&["dangerous"]).complexity("O(N) over the keyspace, up to 1 ms for a key of 64 KiB, and O(M log M) over the matches; the server does nothing else meanwhile"),
    row("mget", -2, READ_FAST, STRING, "1.0.0", "Get the values of all the given keys", strings::mget)
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("mset", -3, WRITE_OOM, STRING, "1.0.1", "Set multiple keys to multiple values", strings::mset)
        .keys(PAIRS).complexity("O(N) where N is the number of keys named"),
    row("persist", 2, WRITE_FAST, GENERIC, "2.2.0", "Remove the expiration from a key", keys::persist).keys(ONE_KEY),
    row("pexpire", -3, WRITE_FAST, GENERIC, "2.6.0", "Set a key's time to live in milliseconds", keys::pexpire).keys(ONE_KEY),
    row("ping", -1, FAST, CONNECTION, "1.0.0", "Ping the server", connection::ping),
    row("psetex", 4, WRITE_OOM, STRING, "2.6.0", "Set the value and expiration in milliseconds of a key", strings::psetex)
        .keys(ONE_KEY),
    row("pttl", 2, READ_FAST, GENERIC, "2.6.0", "Get the time to live for a key in milliseconds", keys::pttl).keys(ONE_KEY),
    row("quit", -1, GREETING, CONNECTION, "1.0.0", "Close the connection", connection::quit),
    row("randomkey", 1, READ, GENERIC, "1.0.0", "Return a random key", scan::random_key),
    row("reset", 1, GREETING, CONNECTION, "6.2.0", "Reset the connection", connection::reset),
    row("scan", -2, READ, GENERIC, "2.8.0", "Iterate over the keys", scan::scan)
        .complexity("O(1) for every call, which ends after some 100 microseconds of matching; O(N) for a complete iteration"),
    row("select", 2, ALWAYS_FAST, CONNECTION, "1.0.0", "Change the selected database for the current connection", connection::select),
    row("set", -3, WRITE_OOM, STRING, "1.0.0", "Set the string value of a key", strings::set).keys(ONE_KEY),
    row("setex", 4, WRITE_OOM, STRING, "2.0.0", "Set the value and expiration of a key", strings::setex).keys(ONE_KEY),
    row("setnx", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Set the value of a key, only if the key does not exist", strings::setnx)
        .keys(ONE_KEY),
    row("shutdown", -1, SHUTDOWN, SERVER, "1.0.0", "Drain the open clients and stop the server", server::shutdown),
    row("strlen", 2, READ_FAST, STRING, "2.2.0", "Get the length of the value stored in a key", strings::strlen).keys(ONE_KEY),
    row("time", 1, ALWAYS_FAST, SERVER, "2.6.0", "Return the current server time", server::time),
    row("ttl", 2, READ_FAST, GENERIC, "1.0.0", "Get the time to live for a key in seconds", keys::ttl).keys(ONE_KEY),
    row("type", 2, READ_FAST, GENERIC, "1.0.0", "Determine the type stored at key", keys::type_of).keys(ONE_KEY),
    row("unlink", -2, WRITE_FAST, GENERIC, "4.0.0", "Delete keys", keys::del)
        .keys(ALL_KEYS).complexity("O(N log N) where N is the number of keys named"),
]);

#[rustfmt::skip]
const CLIENT: &[Command] = &numbered(64, [
    row("client|getname", 2, SESSION, CONNECTION, "2.6.9", "Get the current connection name", client::getname),
    row("client|help", 2, ALWAYS, CONNECTION, "5.0.0", "Show the subcommands of CLIENT", introspect::help),
    row("client|id", 2, SESSION, CONNECTION, "5.0.0", "Get the client ID of the current connection", client::id),
    row("client|info", 2, SESSION, CONNECTION, "6.2.0", "Get information about the current connection", client::info),
    row("client|kill", -3, ADMIN, CONNECTION, "2.4.0", "Close the connections of clients", client::kill)
        .complexity("O(N log N) where N is the number of clients"),
    row("client|list", -2, ADMIN, CONNECTION, "2.4.0", "Get the list of client connections", client::list)
        .complexity("O(N log N) where N is the number of clients"),
    row("client|no-evict", 3, ADMIN, CONNECTION, "7.0.0", "Spare the current connection when client memory runs out", client::no_evict),
    row("client|no-touch", 3, SESSION, CONNECTION, "7.2.0", "Control whether commands update the access time of keys", client::no_touch),
    row("client|reply", 3, SESSION, CONNECTION, "3.2.0", "Instruct the server whether to reply to commands", client::reply),
    row("client|setinfo", 4, SESSION, CONNECTION, "7.2.0", "Set information about the client's library", client::setinfo),
    row("client|setname", 3, SESSION, CONNECTION, "2.6.9", "Set the current connection name", client::setname),
]);

#[rustfmt::skip]
const COMMAND: &[Command] = &numbered(80, [
    row("command|count", 2, ALWAYS, SERVER, "2.8.13", "Get the number of commands", introspect::count),
    row("command|docs", -2, ALWAYS, SERVER, "7.0.0", "Get documentation about commands", introspect::docs)
        .complexity("O(N) where N is the number of commands to look up"),
    row("command|help", 2, ALWAYS, SERVER, "5.0.0", "Show the subcommands of COMMAND", introspect::help),
    row("command|info", -2, ALWAYS, SERVER, "2.8.13", "Get details about commands", introspect::info)
        .complexity("O(N) where N is the number of commands to look up"),
    row("command|list", -2, ALWAYS, SERVER, "7.0.0", "Get the names of the commands", introspect::list)
        .complexity("O(N) where N is the number of commands"),
]);

#[rustfmt::skip]
const CONFIG: &[Command] = &numbered(88, [
    row("config|get", -3, ADMIN, SERVER, "2.0.0", "Get the values of configuration parameters", config::get)
        .complexity("O(N*M) where N is the number of configuration parameters and M the number of patterns"),
    row("config|help", 2, ALWAYS, SERVER, "5.0.0", "Show the subcommands of CONFIG", introspect::help),
    row("config|resetstat", 2, ADMIN, SERVER, "2.0.0", "Reset the statistics returned by INFO", config::resetstat),
    row("config|set", -4, ADMIN, SERVER, "2.0.0", "Set configuration parameters to the given values", config::set)
        .complexity("O(N) where N is the number of parameters given"),
]);

#[rustfmt::skip]
const DEBUG: &[Command] = &numbered(96, [
    row("debug|help", 2, ALWAYS, SERVER, "5.0.0", "Show the subcommands of DEBUG", introspect::help).debug(),
    row("debug|panic", -2, ADMIN, SERVER, "2.8.12", "Panic inside the command; with a number, at its nth step", server::debug_panic)
        .debug(),
    row("debug|sleep", 3, ADMIN, SERVER, "2.8.12", "Stop the server for so many seconds", server::debug_sleep).debug(),
]);

/// Every command, each container followed by its subcommands.
pub fn everything() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().flat_map(|command| std::iter::once(command).chain(command.subcommands))
}

/// The counters of one command.
#[inline]
pub fn stats_of<'a>(stats: &'a mut Stats, command: &'static Command) -> &'a mut CommandStats {
    if stats.per_command.is_empty() {
        stats.per_command.resize(COUNTERS, CommandStats::default());
    }
    &mut stats.per_command[usize::from(command.id)]
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
