//! The commands about keys of any kind.

use super::containers::OBJECT;
use super::words::{
    GENERIC, NONE, READ, READ_FAST, READ_MOVABLE, WRITE, WRITE_FAST, WRITE_OOM, WRITE_OOM_MOVABLE,
};
use crate::service::command::{ALL_KEYS, Command, Keys, More, ONE_KEY, TWO_KEYS, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("copy", -3, WRITE_OOM, GENERIC, "6.2.0", "Copy what a key holds to another key").heavy()
        .keys(TWO_KEYS).complexity("O(N) where N is the size of the value"),
    row("del", -2, WRITE, GENERIC, "1.0.0", "Delete keys")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("dump", 2, READ, GENERIC, "2.6.0", "Get the value of a key in the format of an RDB file").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the size of the value"),
    row("exists", -2, READ_FAST, GENERIC, "1.0.0", "Count how many of the given keys exist")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("expire", -3, WRITE_FAST, GENERIC, "1.0.0", "Set a key's time to live in seconds").keys(ONE_KEY),
    row("expireat", -3, WRITE_FAST, GENERIC, "1.2.0", "Set the Unix time in seconds at which a key expires").keys(ONE_KEY),
    row("expiretime", 2, READ_FAST, GENERIC, "7.0.0", "Get the Unix time in seconds at which a key expires").keys(ONE_KEY),
    row("keys", 2, READ, GENERIC, "1.0.0", "Find all keys that match a pattern, in order").heavy()
        .acl(&["dangerous"]).complexity("O(N) over the keyspace, up to 1 ms for a key of 64 KiB, and O(M log M) over the matches; no other client is served in that time"),
    row("move", 3, WRITE_FAST, GENERIC, "1.0.0", "Move a key to another database").heavy()
        .keys(ONE_KEY).complexity("O(1) for small values and large hashes; O(N) where N is the length of a long string"),
    row("object", -2, NONE, GENERIC, "2.2.3", "A container for object introspection commands").container(OBJECT),
    row("persist", 2, WRITE_FAST, GENERIC, "2.2.0", "Remove the expiration from a key").keys(ONE_KEY),
    row("pexpire", -3, WRITE_FAST, GENERIC, "2.6.0", "Set a key's time to live in milliseconds").keys(ONE_KEY),
    row("pexpireat", -3, WRITE_FAST, GENERIC, "2.6.0", "Set the Unix time in milliseconds at which a key expires").keys(ONE_KEY),
    row("pexpiretime", 2, READ_FAST, GENERIC, "7.0.0", "Get the Unix time in milliseconds at which a key expires").keys(ONE_KEY),
    row("pttl", 2, READ_FAST, GENERIC, "2.6.0", "Get the time to live for a key in milliseconds").keys(ONE_KEY),
    row("randomkey", 1, READ, GENERIC, "1.0.0", "Return a random key").heavy(),
    row("rename", 3, WRITE, GENERIC, "1.0.0", "Rename a key, and overwrite the new one").heavy()
        .keys(TWO_KEYS).complexity("O(1) for small values and large hashes; O(N) where N is the length of a long string"),
    row("renamenx", 3, WRITE_FAST, GENERIC, "1.0.0", "Rename a key, only if the new one does not exist").heavy()
        .keys(TWO_KEYS).complexity("O(1) for small values and large hashes; O(N) where N is the length of a long string"),
    row("restore", -4, WRITE_OOM, GENERIC, "2.6.0", "Create a key from a value in the format of an RDB file").heavy()
        .keys(ONE_KEY).acl(&["dangerous"]).complexity("O(N) where N is the size of the value; O(N log N) in its members for the check that they differ"),
    row("scan", -2, READ, GENERIC, "2.8.0", "Iterate over the keys").heavy()
        .complexity("O(1) for every call, because a call ends after about 100 microseconds of matching; O(N) for a complete iteration"),
    row("touch", -2, READ_FAST, GENERIC, "3.2.1", "Count how many of the given keys exist, as keys in use")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("ttl", 2, READ_FAST, GENERIC, "1.0.0", "Get the time to live for a key in seconds").keys(ONE_KEY),
    row("type", 2, READ_FAST, GENERIC, "1.0.0", "Determine the type stored at key").keys(ONE_KEY),
    row("unlink", -2, WRITE_FAST, GENERIC, "4.0.0", "Delete keys")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("sort", -2, WRITE_OOM_MOVABLE, GENERIC, "1.0.0", "Sort the elements of a list, a set or a sorted set, or store them sorted").heavy()
        .keys(Keys { more: More::Stored(2), ..ONE_KEY }).acl(&["set", "sortedset", "list", "dangerous"]).complexity("O(N + M log M) where N is the number of elements and M the number of those returned"),
    row("sort_ro", -2, READ_MOVABLE, GENERIC, "7.0.0", "Sort the elements of a list, a set or a sorted set").heavy()
        .keys(ONE_KEY).acl(&["set", "sortedset", "list", "dangerous"]).complexity("O(N + M log M) where N is the number of elements and M the number of those returned"),
];
