//! The commands about strings and bits of strings.

use super::words::{BITMAP, READ, READ_FAST, STRING, WRITE_FAST, WRITE_OOM, WRITE_OOM_FAST};
use crate::service::command::{ALL_KEYS, Command, Keys, ONE_KEY, PAIRS, TWO_KEYS, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("append", 3, WRITE_OOM_FAST, STRING, "2.0.0", "Append a value to a key")
        .keys(ONE_KEY).complexity("O(N) where N is the length of the resulting value"),
    row("bitcount", -2, READ, BITMAP, "2.6.0", "Count the bits of a string that are 1").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of bytes looked at"),
    row("bitfield", -2, WRITE_OOM, BITMAP, "3.2.0", "Get, set and increment integers of any width in a string")
        .keys(ONE_KEY).complexity("O(1) for each operation"),
    row("bitfield_ro", -2, READ_FAST, BITMAP, "6.0.0", "Get integers of any width from a string")
        .keys(ONE_KEY).complexity("O(1) for each operation"),
    row("bitop", -4, WRITE_OOM, BITMAP, "2.6.0", "Combine strings bit by bit and store the result").heavy()
        .keys(Keys { first: 2, ..ALL_KEYS }).complexity("O(N) where N is the length of all strings"),
    row("bitpos", -3, READ, BITMAP, "2.8.7", "Find the first bit of a string that is 1, or 0").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of bytes looked at"),
    row("decr", 2, WRITE_OOM_FAST, STRING, "1.0.0", "Decrement the integer value of a key by one").keys(ONE_KEY),
    row("decrby", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Decrement the integer value of a key by the given number")
        .keys(ONE_KEY),
    row("delifeq", 3, WRITE_FAST, STRING, "9.0.0", "Delete a key if its string equals the given value").keys(ONE_KEY),
    row("get", 2, READ_FAST, STRING, "1.0.0", "Get the value of a key").keys(ONE_KEY),
    row("getbit", 3, READ_FAST, BITMAP, "2.2.0", "Get a bit of a string").keys(ONE_KEY),
    row("getdel", 2, WRITE_FAST, STRING, "6.2.0", "Get the value of a key and delete the key").keys(ONE_KEY),
    row("getex", -2, WRITE_FAST, STRING, "6.2.0", "Get the value of a key and optionally set its expiration")
        .keys(ONE_KEY),
    row("getrange", 4, READ, STRING, "2.4.0", "Get a part of a string")
        .keys(ONE_KEY).complexity("O(N) where N is the length of the part"),
    row("getset", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Set the string value of a key and return its old value")
        .keys(ONE_KEY),
    row("incr", 2, WRITE_OOM_FAST, STRING, "1.0.0", "Increment the integer value of a key by one").keys(ONE_KEY),
    row("incrby", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Increment the integer value of a key by the given amount")
        .keys(ONE_KEY),
    row("incrbyfloat", 3, WRITE_OOM_FAST, STRING, "2.6.0", "Increment the floating point value of a key by the given amount")
        .keys(ONE_KEY),
    row("lcs", -3, READ, STRING, "7.0.0", "Find the longest common subsequence of two strings").heavy()
        .keys(TWO_KEYS).complexity("O(N*M) where N and M are the lengths of the strings; the product is limited"),
    row("mget", -2, READ_FAST, STRING, "1.0.0", "Get the values of all the given keys")
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys named"),
    row("mset", -3, WRITE_OOM, STRING, "1.0.1", "Set multiple keys to multiple values")
        .keys(PAIRS).complexity("O(N) where N is the number of keys named"),
    row("msetnx", -3, WRITE_OOM, STRING, "1.0.1", "Set multiple keys to multiple values, only if none of the keys exists")
        .keys(PAIRS).complexity("O(N) where N is the number of keys named"),
    row("psetex", 4, WRITE_OOM, STRING, "2.6.0", "Set the value and expiration in milliseconds of a key")
        .keys(ONE_KEY),
    row("set", -3, WRITE_OOM, STRING, "1.0.0", "Set the string value of a key").keys(ONE_KEY),
    row("setbit", 4, WRITE_OOM, BITMAP, "2.2.0", "Set a bit of a string").keys(ONE_KEY),
    row("setex", 4, WRITE_OOM, STRING, "2.0.0", "Set the value and expiration of a key").keys(ONE_KEY),
    row("setnx", 3, WRITE_OOM_FAST, STRING, "1.0.0", "Set the value of a key, only if the key does not exist")
        .keys(ONE_KEY),
    row("setrange", 4, WRITE_OOM, STRING, "2.2.0", "Overwrite a part of a string")
        .keys(ONE_KEY).complexity("O(N) where N is the length of the part, and of the zeros before it"),
    row("strlen", 2, READ_FAST, STRING, "2.2.0", "Get the length of the value stored in a key").keys(ONE_KEY),
    row("substr", 4, READ, STRING, "1.0.0", "Get a part of a string")
        .keys(ONE_KEY).complexity("O(N) where N is the length of the part"),
];
