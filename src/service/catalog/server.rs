//! The commands about the server and about connections.

use super::containers::{CLIENT, COMMAND, CONFIG, DEBUG};
use super::words::{
    ADMIN, ALWAYS, ALWAYS_FAST, CONNECTION, FAST, GREETING, NONE, READ_FAST, SERVER, SHUTDOWN, WRITE,
    WRITE_FAST,
};
use crate::service::command::{Command, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
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
    row("echo", 2, ALWAYS_FAST, CONNECTION, "1.0.0", "Echo the given string"),
    row("flushall", -1, WRITE, SERVER, "1.0.0", "Remove all keys").heavy()
        .acl(&["keyspace", "dangerous"]).complexity("O(1); the memory is freed a little at a time"),
    row("flushdb", -1, WRITE, SERVER, "1.0.0", "Remove all keys of the current database").heavy()
        .acl(&["keyspace", "dangerous"]).complexity("O(1); the memory is freed a little at a time"),
    row("hello", -1, GREETING, CONNECTION, "6.0.0", "Handshake and choose the protocol version"),
    row("info", -1, ALWAYS, SERVER, "1.0.0", "Get information and statistics about the server").heavy()
        .acl(&["dangerous"]).complexity("O(N) where N is the number of commands"),
    row("ping", -1, FAST, CONNECTION, "1.0.0", "Ping the server").for_subscribers(),
    row("quit", -1, GREETING, CONNECTION, "1.0.0", "Close the connection").at_once().for_subscribers(),
    row("reset", 1, GREETING, CONNECTION, "6.2.0", "Reset the connection").at_once().for_subscribers(),
    row("select", 2, ALWAYS_FAST, CONNECTION, "1.0.0", "Change the selected database for the current connection"),
    row("shutdown", -1, SHUTDOWN, SERVER, "1.0.0", "Drain the open clients and stop the server").heavy(),
    row("swapdb", 3, WRITE_FAST, SERVER, "4.0.0", "Swap two databases").heavy()
        .acl(&["keyspace", "dangerous"]).complexity("O(N) where N is the number of clients that watch keys of these databases"),
    row("time", 1, ALWAYS_FAST, SERVER, "2.6.0", "Return the current server time"),
];
