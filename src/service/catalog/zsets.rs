//! The commands about sorted sets.

use super::words::{
    READ, READ_FAST, READ_MOVABLE, SORTED_SET, WRITE, WRITE_BLOCKING_MOVABLE, WRITE_FAST,
    WRITE_FAST_BLOCKING, WRITE_MOVABLE, WRITE_OOM, WRITE_OOM_FAST, WRITE_OOM_MOVABLE,
};
use crate::service::command::{COUNTED, Command, Keys, More, NO_KEYS, ONE_KEY, TWO_KEYS, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("bzmpop", -5, WRITE_BLOCKING_MOVABLE, SORTED_SET, "7.0.0", "Remove members of the first sorted set that has any; wait for them if need be")
        .keys(Keys { more: More::Counted(2), ..NO_KEYS }).complexity("O(K + M log N) where K is the number of keys, N the number of members and M the number of those removed"),
    row("bzpopmax", -3, WRITE_FAST_BLOCKING, SORTED_SET, "5.0.0", "Remove the member with the highest score of the first sorted set that has any; wait for one if need be")
        .keys(Keys { first: 1, last: -2, ..ONE_KEY }).complexity("O(K + log N) where K is the number of keys and N the number of members"),
    row("bzpopmin", -3, WRITE_FAST_BLOCKING, SORTED_SET, "5.0.0", "Remove the member with the lowest score of the first sorted set that has any; wait for one if need be")
        .keys(Keys { first: 1, last: -2, ..ONE_KEY }).complexity("O(K + log N) where K is the number of keys and N the number of members"),
    row("zadd", -4, WRITE_OOM_FAST, SORTED_SET, "1.2.0", "Add members to a sorted set, or change their scores")
        .keys(ONE_KEY).complexity("O(log N) for each member, where N is the number of members"),
    row("zcard", 2, READ_FAST, SORTED_SET, "1.2.0", "Get the number of members of a sorted set")
        .keys(ONE_KEY),
    row("zcount", 4, READ_FAST, SORTED_SET, "2.0.0", "Count the members whose scores are in a range")
        .keys(ONE_KEY).complexity("O(log N) where N is the number of members"),
    row("zdiff", -3, READ_MOVABLE, SORTED_SET, "6.2.0", "Get the members of the first sorted set that no other one has").heavy()
        .keys(COUNTED).complexity("O(N*K + M log M) where N is the number of members of the first one, K the number of sorted sets and M the number of members returned"),
    row("zdiffstore", -4, WRITE_OOM_MOVABLE, SORTED_SET, "6.2.0", "Store the members of the first sorted set that no other one has").heavy()
        .keys(Keys { more: More::Counted(2), ..ONE_KEY }).complexity("O(N*K + M log M) where N is the number of members of the first one, K the number of sorted sets and M the number of members returned"),
    row("zincrby", 4, WRITE_OOM_FAST, SORTED_SET, "1.2.0", "Add to the score of a member of a sorted set")
        .keys(ONE_KEY).complexity("O(log N) where N is the number of members"),
    row("zinter", -3, READ_MOVABLE, SORTED_SET, "6.2.0", "Get the members that all sorted sets have").heavy()
        .keys(COUNTED).complexity("O(N*K + M log M) where N is the number of members of the smallest one, K the number of sorted sets and M the number of members returned"),
    row("zintercard", -3, READ_MOVABLE, SORTED_SET, "7.0.0", "Count the members that all sorted sets have").heavy()
        .keys(COUNTED).complexity("O(N*K) where N is the number of members of the smallest one and K the number of sorted sets"),
    row("zinterstore", -4, WRITE_OOM_MOVABLE, SORTED_SET, "2.0.0", "Store the members that all sorted sets have").heavy()
        .keys(Keys { more: More::Counted(2), ..ONE_KEY }).complexity("O(N*K + M log M) where N is the number of members of the smallest one, K the number of sorted sets and M the number of members returned"),
    row("zlexcount", 4, READ_FAST, SORTED_SET, "2.8.9", "Count the members that are in a range of names")
        .keys(ONE_KEY).complexity("O(log N) where N is the number of members"),
    row("zmpop", -4, WRITE_MOVABLE, SORTED_SET, "7.0.0", "Remove members of the first sorted set that has any and return them")
        .keys(COUNTED).complexity("O(K + M log N) where K is the number of keys, N the number of members and M the number of those removed"),
    row("zmscore", -3, READ_FAST, SORTED_SET, "6.2.0", "Get the scores of members of a sorted set")
        .keys(ONE_KEY).complexity("O(N) where N is the number of members named"),
    row("zpopmax", -2, WRITE_FAST, SORTED_SET, "5.0.0", "Remove the members with the highest scores and return them")
        .keys(ONE_KEY).complexity("O(M log N) where N is the number of members and M the number of those removed"),
    row("zpopmin", -2, WRITE_FAST, SORTED_SET, "5.0.0", "Remove the members with the lowest scores and return them")
        .keys(ONE_KEY).complexity("O(M log N) where N is the number of members and M the number of those removed"),
    row("zrandmember", -2, READ, SORTED_SET, "6.2.0", "Get random members of a sorted set").heavy()
        .keys(ONE_KEY).complexity("O(N log N) where N is the number of members returned"),
    row("zrange", -4, READ, SORTED_SET, "1.2.0", "Get the members of a part of a sorted set").heavy()
        .keys(ONE_KEY).complexity("O(log N + M) where N is the number of members and M the number of those returned"),
    row("zrangebylex", -4, READ, SORTED_SET, "2.8.9", "Get the members that are in a range of names").heavy()
        .keys(ONE_KEY).complexity("O(log N + M) where N is the number of members and M the number of those returned"),
    row("zrangebyscore", -4, READ, SORTED_SET, "1.0.5", "Get the members whose scores are in a range").heavy()
        .keys(ONE_KEY).complexity("O(log N + M) where N is the number of members and M the number of those returned"),
    row("zrangestore", -5, WRITE_OOM, SORTED_SET, "6.2.0", "Store the members of a part of a sorted set").heavy()
        .keys(TWO_KEYS).complexity("O(log N + M) where N is the number of members and M the number of those stored"),
    row("zrank", -3, READ_FAST, SORTED_SET, "2.0.0", "Get the position of a member of a sorted set, counted from the lowest score")
        .keys(ONE_KEY).complexity("O(log N) where N is the number of members"),
    row("zrem", -3, WRITE_FAST, SORTED_SET, "1.2.0", "Remove members of a sorted set, and the sorted set with its last member")
        .keys(ONE_KEY).complexity("O(M log N) where N is the number of members and M the number of those removed"),
    row("zremrangebylex", 4, WRITE, SORTED_SET, "2.8.9", "Remove the members that are in a range of names").heavy()
        .keys(ONE_KEY).complexity("O(M log N) where N is the number of members and M the number of those removed"),
    row("zremrangebyrank", 4, WRITE, SORTED_SET, "2.0.0", "Remove the members of a part of a sorted set").heavy()
        .keys(ONE_KEY).complexity("O(M log N) where N is the number of members and M the number of those removed"),
    row("zremrangebyscore", 4, WRITE, SORTED_SET, "1.2.0", "Remove the members whose scores are in a range").heavy()
        .keys(ONE_KEY).complexity("O(M log N) where N is the number of members and M the number of those removed"),
    row("zrevrange", -4, READ, SORTED_SET, "1.2.0", "Get the members of a part of a sorted set, from the highest score down").heavy()
        .keys(ONE_KEY).complexity("O(log N + M) where N is the number of members and M the number of those returned"),
    row("zrevrangebylex", -4, READ, SORTED_SET, "2.8.9", "Get the members that are in a range of names, from the last one down").heavy()
        .keys(ONE_KEY).complexity("O(log N + M) where N is the number of members and M the number of those returned"),
    row("zrevrangebyscore", -4, READ, SORTED_SET, "2.2.0", "Get the members whose scores are in a range, from the highest score down").heavy()
        .keys(ONE_KEY).complexity("O(log N + M) where N is the number of members and M the number of those returned"),
    row("zrevrank", -3, READ_FAST, SORTED_SET, "2.0.0", "Get the position of a member of a sorted set, counted from the highest score")
        .keys(ONE_KEY).complexity("O(log N) where N is the number of members"),
    row("zscan", -3, READ, SORTED_SET, "2.8.0", "Iterate over the members of a sorted set").heavy()
        .keys(ONE_KEY).complexity("O(1) for every call, because a call ends after about 100 microseconds of matching; O(N) for a complete iteration"),
    row("zscore", 3, READ_FAST, SORTED_SET, "1.2.0", "Get the score of a member of a sorted set")
        .keys(ONE_KEY),
    row("zunion", -3, READ_MOVABLE, SORTED_SET, "6.2.0", "Get the members that at least one sorted set has").heavy()
        .keys(COUNTED).complexity("O(N log N) where N is the number of members of all sorted sets"),
    row("zunionstore", -4, WRITE_OOM_MOVABLE, SORTED_SET, "2.0.0", "Store the members that at least one sorted set has").heavy()
        .keys(Keys { more: More::Counted(2), ..ONE_KEY }).complexity("O(N log N) where N is the number of members of all sorted sets"),
];
