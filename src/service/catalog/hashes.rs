//! The commands about hashes.

use super::words::{HASH, READ, READ_FAST, WRITE_FAST, WRITE_OOM_FAST};
use crate::service::command::{Command, ONE_KEY, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("hdel", -3, WRITE_FAST, HASH, "2.0.0", "Delete fields of a hash, and the hash with its last field")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hexists", 3, READ_FAST, HASH, "2.0.0", "Tell whether a hash has a field").keys(ONE_KEY),
    row("hexpire", -6, WRITE_OOM_FAST, HASH, "7.4.0", "Let fields of a hash expire after a number of seconds")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hexpireat", -6, WRITE_OOM_FAST, HASH, "7.4.0", "Let fields of a hash expire at a Unix time in seconds")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hexpiretime", -5, READ_FAST, HASH, "7.4.0", "Get the Unix times in seconds at which fields of a hash expire")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hget", 3, READ_FAST, HASH, "2.0.0", "Get the value of a field of a hash").keys(ONE_KEY),
    row("hgetall", 2, READ, HASH, "2.0.0", "Get all fields and values of a hash").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields"),
    row("hgetdel", -5, WRITE_FAST, HASH, "8.0.0", "Get the values of fields of a hash and remove the fields")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hgetex", -5, WRITE_FAST, HASH, "8.0.0", "Get the values of fields of a hash and change when they expire")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
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
    row("hpersist", -5, WRITE_FAST, HASH, "7.4.0", "Remove the times of expiry of fields of a hash")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hpexpire", -6, WRITE_OOM_FAST, HASH, "7.4.0", "Let fields of a hash expire after a number of milliseconds")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hpexpireat", -6, WRITE_OOM_FAST, HASH, "7.4.0", "Let fields of a hash expire at a Unix time in milliseconds")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hpexpiretime", -5, READ_FAST, HASH, "7.4.0", "Get the Unix times in milliseconds at which fields of a hash expire")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hpttl", -5, READ_FAST, HASH, "7.4.0", "Get the number of milliseconds until fields of a hash expire")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hrandfield", -2, READ, HASH, "6.2.0", "Get random fields of a hash").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields returned; if that is a third of the hash or more, the number of its fields"),
    row("hscan", -3, READ, HASH, "2.8.0", "Iterate over the fields of a hash").heavy()
        .keys(ONE_KEY).complexity("O(1) for every call, because a call ends after about 100 microseconds of matching; O(N) for a complete iteration"),
    row("hset", -4, WRITE_OOM_FAST, HASH, "2.0.0", "Set the values of the given fields of a hash")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hsetex", -6, WRITE_OOM_FAST, HASH, "8.0.0", "Set fields of a hash that expire")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hsetnx", 4, WRITE_OOM_FAST, HASH, "2.0.0", "Set the value of a field of a hash, only if the field does not exist").keys(ONE_KEY),
    row("hstrlen", 3, READ_FAST, HASH, "3.2.0", "Get the length of the value of a field of a hash").keys(ONE_KEY),
    row("httl", -5, READ_FAST, HASH, "7.4.0", "Get the number of seconds until fields of a hash expire")
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields named"),
    row("hvals", 2, READ, HASH, "2.0.0", "Get all values of a hash").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of fields"),
];
