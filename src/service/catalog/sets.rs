//! The commands about sets.

use super::words::{READ, READ_FAST, READ_MOVABLE, SET, WRITE_FAST, WRITE_OOM, WRITE_OOM_FAST};
use crate::service::command::{ALL_KEYS, COUNTED, Command, ONE_KEY, TWO_KEYS, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("sadd", -3, WRITE_OOM_FAST, SET, "1.0.0", "Add members to a set")
        .keys(ONE_KEY).complexity("O(N) where N is the number of members named"),
    row("scard", 2, READ_FAST, SET, "1.0.0", "Get the number of members of a set")
        .keys(ONE_KEY),
    row("sdiff", -2, READ, SET, "1.0.0", "Get the members of the first set that no other set has").heavy()
        .keys(ALL_KEYS).complexity("O(N*M) where N is the number of members of the first set and M the number of sets"),
    row("sdiffstore", -3, WRITE_OOM, SET, "1.0.0", "Store the members of the first set that no other set has").heavy()
        .keys(ALL_KEYS).complexity("O(N*M) where N is the number of members of the first set and M the number of sets"),
    row("sinter", -2, READ, SET, "1.0.0", "Get the members that all sets have").heavy()
        .keys(ALL_KEYS).complexity("O(N*M) where N is the number of members of the smallest set and M the number of sets"),
    row("sintercard", -3, READ_MOVABLE, SET, "7.0.0", "Count the members that all sets have").heavy()
        .keys(COUNTED).complexity("O(N*M) where N is the number of members of the smallest set and M the number of sets"),
    row("sinterstore", -3, WRITE_OOM, SET, "1.0.0", "Store the members that all sets have").heavy()
        .keys(ALL_KEYS).complexity("O(N*M) where N is the number of members of the smallest set and M the number of sets"),
    row("sismember", 3, READ_FAST, SET, "1.0.0", "Tell whether a set has a member")
        .keys(ONE_KEY),
    row("smembers", 2, READ, SET, "1.0.0", "Get all members of a set").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of members"),
    row("smismember", -3, READ_FAST, SET, "6.2.0", "Tell which of the given members a set has")
        .keys(ONE_KEY).complexity("O(N) where N is the number of members named"),
    row("smove", 4, WRITE_FAST, SET, "1.0.0", "Move a member from one set to another")
        .keys(TWO_KEYS),
    row("spop", -2, WRITE_FAST, SET, "1.0.0", "Remove random members of a set and return them").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of members removed; if that is a third of the set or more, the number of its members"),
    row("srandmember", -2, READ, SET, "1.0.0", "Get random members of a set").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of members returned; if that is a third of the set or more, the number of its members"),
    row("srem", -3, WRITE_FAST, SET, "1.0.0", "Remove members of a set, and the set with its last member")
        .keys(ONE_KEY).complexity("O(N) where N is the number of members named"),
    row("sscan", -3, READ, SET, "2.8.0", "Iterate over the members of a set").heavy()
        .keys(ONE_KEY).complexity("O(1) for every call, because a call ends after about 100 microseconds of matching; O(N) for a complete iteration"),
    row("sunion", -2, READ, SET, "1.0.0", "Get the members that at least one set has").heavy()
        .keys(ALL_KEYS).complexity("O(N log N) where N is the number of members of all sets"),
    row("sunionstore", -3, WRITE_OOM, SET, "1.0.0", "Store the members that at least one set has").heavy()
        .keys(ALL_KEYS).complexity("O(N log N) where N is the number of members of all sets"),
];
