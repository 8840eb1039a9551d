//! The subcommands of the containers.

use super::words::{
    ADMIN, ADMIN_DISK, ADMIN_LOG, ADMIN_ONLY, ALWAYS, CONNECTION, GENERIC, NONE, NOSCRIPT, NOSCRIPT_BUSY,
    NOSCRIPT_STALE, PUBSUB_ASK, PUBSUB_GROUP, READ, SCRIPTING, SERVER, SESSION, STREAM, WRITE,
    WRITE_NOSCRIPT, WRITE_OOM, WRITE_OOM_NOSCRIPT,
};
use super::{SUBCOMMANDS_FROM, after, numbered};
use crate::service::command::{Command, SECOND_KEY, row};

#[rustfmt::skip]
pub(super) const CLIENT: &[Command] = &numbered(SUBCOMMANDS_FROM, [
    row("client|caching", 3, SESSION, CONNECTION, "6.0.0", "Tell whether the keys of the next request are to be tracked"),
    row("client|getname", 2, SESSION, CONNECTION, "2.6.9", "Get the current connection name"),
    row("client|getredir", 2, SESSION, CONNECTION, "6.0.0", "Get the client ID to which tracking messages are redirected"),
    row("client|help", 2, ALWAYS, CONNECTION, "5.0.0", "Show the subcommands of CLIENT"),
    row("client|id", 2, SESSION, CONNECTION, "5.0.0", "Get the client ID of the current connection"),
    row("client|info", 2, SESSION, CONNECTION, "6.2.0", "Get information about the current connection"),
    row("client|kill", -3, ADMIN, CONNECTION, "2.4.0", "Close the connections of clients").heavy()
        .complexity("O(N log N) where N is the number of clients"),
    row("client|list", -2, ADMIN, CONNECTION, "2.4.0", "Get the list of client connections").heavy()
        .complexity("O(N log N) where N is the number of clients"),
    row("client|maint_notifications", -3, SESSION, CONNECTION, "8.0.0", "Let the server tell the connection when it is about to stop"),
    row("client|no-evict", 3, ADMIN, CONNECTION, "7.0.0", "Spare the current connection when client memory runs out"),
    row("client|no-touch", 3, SESSION, CONNECTION, "7.2.0", "Control whether commands update the access time of keys"),
    row("client|pause", -3, ADMIN, CONNECTION, "3.0.0", "Hold the commands of all clients for the given time in milliseconds"),
    row("client|reply", 3, SESSION, CONNECTION, "3.2.0", "Instruct the server whether to reply to commands"),
    row("client|setinfo", 4, SESSION, CONNECTION, "7.2.0", "Set information about the client's library"),
    row("client|setname", 3, SESSION, CONNECTION, "2.6.9", "Set the current connection name"),
    row("client|tracking", -3, SESSION, CONNECTION, "6.0.0", "Let the server tell of changes of keys that the connection keeps copies of")
        .complexity("O(N) where N is the number of prefixes given"),
    row("client|trackinginfo", 2, SESSION, CONNECTION, "6.2.0", "Get information about the tracking of the connection"),
    row("client|unblock", -3, ADMIN, CONNECTION, "5.0.0", "End the waiting of another client")
        .complexity("O(N) where N is the number of clients"),
    row("client|unpause", 2, ADMIN, CONNECTION, "6.2.0", "End the pause and run the commands that it held")
        .complexity("O(N) where N is the number of clients that wait"),
]);

#[rustfmt::skip]
pub(super) const COMMAND: &[Command] = &numbered(after(CLIENT), [
    row("command|count", 2, ALWAYS, SERVER, "2.8.13", "Get the number of commands"),
    row("command|docs", -2, ALWAYS, SERVER, "7.0.0", "Get documentation about commands").heavy()
        .complexity("O(N) where N is the number of commands to look up"),
    row("command|getkeys", -4, ALWAYS, SERVER, "2.8.13", "Get the keys of a full command").heavy()
        .complexity("O(N) where N is the number of its arguments"),
    row("command|getkeysandflags", -4, ALWAYS, SERVER, "7.0.0", "Get the keys of a full command, and what it does with them").heavy()
        .complexity("O(N) where N is the number of its arguments"),
    row("command|help", 2, ALWAYS, SERVER, "5.0.0", "Show the subcommands of COMMAND"),
    row("command|info", -2, ALWAYS, SERVER, "2.8.13", "Get details about commands").heavy()
        .complexity("O(N) where N is the number of commands to look up"),
    row("command|list", -2, ALWAYS, SERVER, "7.0.0", "Get the names of the commands").heavy()
        .complexity("O(N) where N is the number of commands"),
]);

#[rustfmt::skip]
pub(super) const CONFIG: &[Command] = &numbered(after(COMMAND), [
    row("config|get", -3, ADMIN, SERVER, "2.0.0", "Get the values of configuration parameters").heavy()
        .complexity("O(N*M) where N is the number of configuration parameters and M the number of patterns"),
    row("config|help", 2, ALWAYS, SERVER, "5.0.0", "Show the subcommands of CONFIG"),
    row("config|resetstat", 2, ADMIN, SERVER, "2.0.0", "Reset the statistics returned by INFO"),
    row("config|rewrite", 2, ADMIN, SERVER, "2.8.0", "Write the settings into the configuration file"),
    row("config|set", -4, ADMIN, SERVER, "2.0.0", "Set configuration parameters to the given values").heavy()
        .complexity("O(N) where N is the number of parameters given"),
]);

#[rustfmt::skip]
pub(super) const DEBUG: &[Command] = &numbered(after(CONFIG), [
    row("debug|change-repl-id", 2, ADMIN, SERVER, "2.8.12", "Answer as if there were another replication ID").debug(),
    row("debug|digest", 2, ADMIN, SERVER, "2.8.12", "Get a digest of all data").heavy().debug()
        .complexity("O(N) where N is the size of all data; no other client is served meanwhile"),
    row("debug|help", 2, ALWAYS, SERVER, "5.0.0", "Show the subcommands of DEBUG").debug(),
    row("debug|jmap", 2, ADMIN, SERVER, "2.8.12", "Answer as Redis does").debug(),
    row("debug|object", 3, ADMIN, SERVER, "2.8.12", "Tell how a value is held").debug(),
    row("debug|panic", -2, ADMIN, SERVER, "2.8.12", "Panic inside the command; with a number, at its nth step")
        .debug(),
    row("debug|set-active-expire", 3, ADMIN, SERVER, "2.8.12", "Stop or start the removal of expired keys that no command asks for").debug(),
    row("debug|sleep", 3, ADMIN, SERVER, "2.8.12", "Stop the server for the given time in seconds").heavy().debug(),
    row("debug|stringmatch-len", 4, ADMIN, SERVER, "2.8.12", "Match a pattern against so many letters a").heavy().debug(),
]);

#[rustfmt::skip]
pub(super) const PUBSUB: &[Command] = &numbered(after(DEBUG), [
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

#[rustfmt::skip]
pub(super) const FUNCTION: &[Command] = &numbered(after(PUBSUB), [
    row("function|delete", 3, WRITE_NOSCRIPT, SCRIPTING, "7.0.0", "Forget a library and its functions"),
    row("function|dump", 2, NOSCRIPT, SCRIPTING, "7.0.0", "Get all libraries in Redis's format").heavy()
        .complexity("O(N) where N is the number of libraries"),
    row("function|flush", -2, WRITE_NOSCRIPT, SCRIPTING, "7.0.0", "Forget all libraries").heavy()
        .complexity("O(N) where N is the number of libraries"),
    row("function|help", 2, ALWAYS, SCRIPTING, "7.0.0", "Show the subcommands of FUNCTION"),
    row("function|kill", 2, NOSCRIPT_BUSY, SCRIPTING, "7.0.0", "Stop the function that runs"),
    row("function|list", -2, NOSCRIPT, SCRIPTING, "7.0.0", "Get the libraries and their functions").heavy()
        .complexity("O(N) where N is the number of functions"),
    row("function|load", -3, WRITE_OOM_NOSCRIPT, SCRIPTING, "7.0.0", "Load a library of functions").heavy()
        .complexity("What the library does decides"),
    row("function|restore", -3, WRITE_OOM_NOSCRIPT, SCRIPTING, "7.0.0", "Load all libraries of a payload").heavy()
        .complexity("O(N) where N is the number of libraries"),
    row("function|stats", 2, NOSCRIPT_BUSY, SCRIPTING, "7.0.0", "Get what runs, and the number of libraries and functions"),
]);

#[rustfmt::skip]
pub(super) const LATENCY: &[Command] = &numbered(after(FUNCTION), [
    row("latency|doctor", 2, ADMIN, SERVER, "2.8.13", "Get a report of what was slow"),
    row("latency|graph", 3, ADMIN, SERVER, "2.8.13", "Get a graph of the samples of an event"),
    row("latency|help", 2, ALWAYS, SERVER, "2.8.13", "Show the subcommands of LATENCY"),
    row("latency|histogram", -2, ADMIN, SERVER, "7.0.0", "Get how long the calls of commands took")
        .complexity("O(N) where N is the number of commands"),
    row("latency|history", 3, ADMIN, SERVER, "2.8.13", "Get the samples of an event"),
    row("latency|latest", 2, ADMIN, SERVER, "2.8.13", "Get the latest sample of every event"),
    row("latency|reset", -2, ADMIN, SERVER, "2.8.13", "Forget the samples"),
]);

#[rustfmt::skip]
pub(super) const MEMORY: &[Command] = &numbered(after(LATENCY), [
    row("memory|doctor", 2, NONE, SERVER, "4.0.0", "Get a report about the memory"),
    row("memory|help", 2, ALWAYS, SERVER, "4.0.0", "Show the subcommands of MEMORY"),
    row("memory|malloc-stats", 2, NONE, SERVER, "4.0.0", "Get the statistics of the allocator, if it keeps any"),
    row("memory|purge", 2, NONE, SERVER, "4.0.0", "Free some of the memory that waits to be freed"),
    row("memory|stats", 2, NONE, SERVER, "4.0.0", "Get where the memory is"),
    row("memory|usage", -3, READ, SERVER, "4.0.0", "Get the bytes that a key and its value take").keys(SECOND_KEY),
]);

#[rustfmt::skip]
pub(super) const MODULE: &[Command] = &numbered(after(MEMORY), [
    row("module|help", 2, ALWAYS, SERVER, "5.0.0", "Show the subcommands of MODULE"),
    row("module|list", 2, ADMIN_ONLY, SERVER, "4.0.0", "Get the modules: none"),
    row("module|load", -3, ADMIN_DISK, SERVER, "4.0.0", "Refuse: there are no modules"),
    row("module|loadex", -3, ADMIN_DISK, SERVER, "7.0.0", "Refuse: there are no modules"),
    row("module|unload", 3, ADMIN_DISK, SERVER, "4.0.0", "Refuse: there are no modules"),
]);

#[rustfmt::skip]
pub(super) const OBJECT: &[Command] = &numbered(after(MODULE), [
    row("object|encoding", 3, READ, GENERIC, "2.2.3", "Get Redis's name for the encoding of a value").keys(SECOND_KEY),
    row("object|freq", 3, READ, GENERIC, "4.0.0", "Get about how often a key was used lately").keys(SECOND_KEY),
    row("object|help", 2, ALWAYS, GENERIC, "6.2.0", "Show the subcommands of OBJECT"),
    row("object|idletime", 3, READ, GENERIC, "2.2.3", "Get about how long a key was not used, in seconds").keys(SECOND_KEY),
    row("object|refcount", 3, READ, GENERIC, "2.2.3", "Get the number of references to a value").keys(SECOND_KEY),
]);

#[rustfmt::skip]
pub(super) const SCRIPT: &[Command] = &numbered(after(OBJECT), [
    row("script|debug", 3, NOSCRIPT, SCRIPTING, "3.2.0", "Refuse: there is no debugger for scripts"),
    row("script|exists", -3, NOSCRIPT, SCRIPTING, "2.6.0", "Tell which scripts the server knows")
        .complexity("O(N) where N is the number of scripts to look up"),
    row("script|flush", -2, NOSCRIPT, SCRIPTING, "2.6.0", "Forget all scripts").heavy()
        .complexity("O(N) where N is the number of scripts"),
    row("script|help", 2, ALWAYS, SCRIPTING, "5.0.0", "Show the subcommands of SCRIPT"),
    row("script|kill", 2, NOSCRIPT_BUSY, SCRIPTING, "2.6.0", "Stop the script that runs"),
    row("script|load", 3, NOSCRIPT_STALE, SCRIPTING, "2.6.0", "Make a script known").heavy()
        .complexity("O(N) where N is the length of the script"),
    row("script|show", 3, NOSCRIPT, SCRIPTING, "8.0.0", "Get the text of a script"),
]);

#[rustfmt::skip]
pub(super) const SLOWLOG: &[Command] = &numbered(after(SCRIPT), [
    row("slowlog|get", -2, ADMIN_LOG, SERVER, "2.2.12", "Get the newest entries of the slow log")
        .complexity("O(N) where N is the number of entries"),
    row("slowlog|help", 2, ALWAYS, SERVER, "6.2.0", "Show the subcommands of SLOWLOG"),
    row("slowlog|len", 2, ADMIN_LOG, SERVER, "2.2.12", "Get the number of entries of the slow log"),
    row("slowlog|reset", 2, ADMIN_LOG, SERVER, "2.2.12", "Forget the slow log"),
]);

#[rustfmt::skip]
pub(super) const XGROUP: &[Command] = &numbered(after(SLOWLOG), [
    row("xgroup|create", -5, WRITE_OOM, STREAM, "5.0.0", "Create a consumer group")
        .keys(SECOND_KEY),
    row("xgroup|createconsumer", 5, WRITE_OOM, STREAM, "6.2.0", "Create a consumer in a group")
        .keys(SECOND_KEY),
    row("xgroup|delconsumer", 5, WRITE, STREAM, "5.0.0", "Delete a consumer of a group").heavy()
        .keys(SECOND_KEY).complexity("O(N) where N is the number of pending entries of the consumer"),
    row("xgroup|destroy", 4, WRITE, STREAM, "5.0.0", "Delete a consumer group").heavy()
        .keys(SECOND_KEY).complexity("O(N) where N is the number of pending entries"),
    row("xgroup|help", 2, ALWAYS, STREAM, "5.0.0", "Show the subcommands of XGROUP"),
    row("xgroup|setid", -5, WRITE, STREAM, "5.0.0", "Set the last id that a group has delivered")
        .keys(SECOND_KEY),
]);

#[rustfmt::skip]
pub(super) const XINFO: &[Command] = &numbered(after(XGROUP), [
    row("xinfo|consumers", 4, READ, STREAM, "5.0.0", "Get the consumers of a group")
        .keys(SECOND_KEY).complexity("O(N) where N is the number of consumers"),
    row("xinfo|groups", 3, READ, STREAM, "5.0.0", "Get the consumer groups of a stream")
        .keys(SECOND_KEY).complexity("O(N) where N is the number of groups"),
    row("xinfo|help", 2, ALWAYS, STREAM, "5.0.0", "Show the subcommands of XINFO"),
    row("xinfo|stream", -3, READ, STREAM, "5.0.0", "Get facts about a stream").heavy()
        .keys(SECOND_KEY).complexity("O(1); O(N) with FULL, where N is the number of entries and pending entries returned"),
]);

/// The id of the last subcommand.
pub(super) const LAST_ID: u16 = after(XINFO) - 1;
