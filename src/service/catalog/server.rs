//! The commands about the server and about connections.

use super::containers::{CLIENT, COMMAND, CONFIG, DEBUG, LATENCY, MEMORY, MODULE, SLOWLOG};
use super::words::{
    ADMIN, ADMIN_DISK, ADMIN_REPLICA, ADMIN_STALE, ALWAYS, ALWAYS_FAST, CLUSTER, CONNECTION, FAST, GREETING,
    NONE, NOSCRIPT, READ_FAST, REPLCONF, ROLE, SAVE, SERVER, SHUTDOWN, WRITE, WRITE_FAST,
};
use crate::service::command::{Command, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("asking", 1, FAST, CLUSTER, "3.0.0", "Answer as a server without a cluster").acl(&["connection"]),
    row("auth", -2, GREETING, CONNECTION, "1.0.0", "Authenticate to the server"),
    row("bgrewriteaof", 1, ADMIN_DISK, SERVER, "1.0.0", "Refuse: there is no log on disk"),
    row("bgsave", -1, ADMIN_DISK, SERVER, "1.0.0", "Refuse: there is nothing on disk"),
    row("client", -2, NONE, CONNECTION, "2.4.0", "A container for client connection commands")
        .container(CLIENT),
    row("cluster", -2, NONE, CLUSTER, "3.0.0", "Answer as a server without a cluster"),
    row("command", -1, ALWAYS, SERVER, "2.8.13", "Get details about all commands").heavy()
        .complexity("O(N) where N is the number of commands").container(COMMAND),
    row("config", -2, NONE, SERVER, "2.0.0", "A container for server configuration commands")
        .container(CONFIG),
    row("dbsize", 1, READ_FAST, SERVER, "1.0.0", "Return the number of keys").acl(&["keyspace"]),
    row("debug", -2, ADMIN, SERVER, "1.0.0", "A container for debugging commands")
        .debug().container(DEBUG),
    row("echo", 2, ALWAYS_FAST, CONNECTION, "1.0.0", "Echo the given string"),
    row("failover", -1, ADMIN_STALE, SERVER, "6.2.0", "Answer as a master without replicas"),
    row("flushall", -1, WRITE, SERVER, "1.0.0", "Remove all keys").heavy()
        .acl(&["keyspace", "dangerous"]).complexity("O(1); the memory is freed a little at a time"),
    row("flushdb", -1, WRITE, SERVER, "1.0.0", "Remove all keys of the current database").heavy()
        .acl(&["keyspace", "dangerous"]).complexity("O(1); the memory is freed a little at a time"),
    row("hello", -1, GREETING, CONNECTION, "6.0.0", "Handshake and choose the protocol version"),
    row("info", -1, ALWAYS, SERVER, "1.0.0", "Get information and statistics about the server").heavy()
        .acl(&["dangerous"]).complexity("O(N) where N is the number of commands"),
    row("lastsave", 1, ALWAYS_FAST, SERVER, "1.0.0", "Get the Unix time of the last save, or of the start").acl(&["admin", "dangerous"]),
    row("latency", -2, NONE, SERVER, "2.8.13", "A container for latency commands").container(LATENCY),
    row("memory", -2, NONE, SERVER, "4.0.0", "A container for memory commands").container(MEMORY),
    row("module", -2, NONE, SERVER, "4.0.0", "A container for module commands").container(MODULE),
    row("monitor", 1, ADMIN, SERVER, "1.0.0", "Listen to all commands that run"),
    row("ping", -1, FAST, CONNECTION, "1.0.0", "Ping the server").for_subscribers(),
    row("quit", -1, GREETING, CONNECTION, "1.0.0", "Close the connection").at_once().for_subscribers(),
    row("readonly", 1, ALWAYS_FAST, CLUSTER, "3.0.0", "Answer as a server without a cluster").acl(&["connection"]),
    row("readwrite", 1, ALWAYS_FAST, CLUSTER, "3.0.0", "Answer as a server without a cluster").acl(&["connection"]),
    row("replconf", -1, REPLCONF, SERVER, "3.0.0", "Accept what a replica says of itself"),
    row("replicaof", 3, ADMIN_REPLICA, SERVER, "5.0.0", "Stay a master, or refuse"),
    row("reset", 1, GREETING, CONNECTION, "6.2.0", "Reset the connection").at_once().for_subscribers(),
    row("role", 1, ROLE, SERVER, "2.8.12", "Get the role: a master without replicas").acl(&["admin", "dangerous"]),
    row("save", 1, SAVE, SERVER, "1.0.0", "Refuse: there is nothing on disk"),
    row("select", 2, ALWAYS_FAST, CONNECTION, "1.0.0", "Change the selected database for the current connection"),
    row("shutdown", -1, SHUTDOWN, SERVER, "1.0.0", "Drain the open clients and stop the server").heavy(),
    row("slaveof", 3, ADMIN_REPLICA, SERVER, "1.0.0", "Stay a master, or refuse"),
    row("slowlog", -2, NONE, SERVER, "2.2.12", "A container for slow log commands").container(SLOWLOG),
    row("swapdb", 3, WRITE_FAST, SERVER, "4.0.0", "Swap two databases").heavy()
        .acl(&["keyspace", "dangerous"]).complexity("O(N) where N is the number of clients that watch keys of these databases"),
    row("time", 1, ALWAYS_FAST, SERVER, "2.6.0", "Return the current server time"),
    row("wait", 3, NOSCRIPT, CONNECTION, "3.0.0", "Tell how many replicas have all writes: none"),
    row("waitaof", 4, NOSCRIPT, CONNECTION, "7.2.0", "Tell which logs on disk have all writes: none"),
];
