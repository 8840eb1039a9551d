//! The commands about lists.

use super::words::{
    LIST, READ, READ_FAST, WRITE, WRITE_BLOCKING, WRITE_BLOCKING_MOVABLE, WRITE_FAST, WRITE_MOVABLE,
    WRITE_OOM, WRITE_OOM_BLOCKING, WRITE_OOM_FAST,
};
use crate::service::command::{COUNTED, Command, Keys, More, NO_KEYS, ONE_KEY, TWO_KEYS, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("blmove", 6, WRITE_OOM_BLOCKING, LIST, "6.2.0", "Move an element of a list to another list; wait for one if need be")
        .keys(TWO_KEYS),
    row("blmpop", -5, WRITE_BLOCKING_MOVABLE, LIST, "7.0.0", "Remove elements of the first list that has any; wait for them if need be")
        .keys(Keys { more: More::Counted(2), ..NO_KEYS }).complexity("O(N+M) where N is the number of keys and M the number of elements returned"),
    row("blpop", -3, WRITE_BLOCKING, LIST, "2.0.0", "Remove the first element of the first list that has any; wait for one if need be")
        .keys(Keys { first: 1, last: -2, ..ONE_KEY }).complexity("O(N) where N is the number of keys"),
    row("brpop", -3, WRITE_BLOCKING, LIST, "2.0.0", "Remove the last element of the first list that has any; wait for one if need be")
        .keys(Keys { first: 1, last: -2, ..ONE_KEY }).complexity("O(N) where N is the number of keys"),
    row("brpoplpush", 4, WRITE_OOM_BLOCKING, LIST, "2.2.0", "Move the last element of a list to the front of another list; wait for one if need be")
        .keys(TWO_KEYS),
    row("lindex", 3, READ, LIST, "1.0.0", "Get the element at a position of a list").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements up to the nearer end, counted in nodes of some kilobytes"),
    row("linsert", 5, WRITE_OOM, LIST, "2.2.0", "Put an element before or after another one of a list").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements before the pivot"),
    row("llen", 2, READ_FAST, LIST, "1.0.0", "Get the number of elements of a list")
        .keys(ONE_KEY),
    row("lmove", 5, WRITE_OOM, LIST, "6.2.0", "Move the first or the last element of a list to another list")
        .keys(TWO_KEYS),
    row("lmpop", -4, WRITE_MOVABLE, LIST, "7.0.0", "Remove elements of the first list that has any and return them")
        .keys(COUNTED).complexity("O(N+M) where N is the number of keys and M the number of elements returned"),
    row("lpop", -2, WRITE_FAST, LIST, "1.0.0", "Remove the first elements of a list and return them")
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements returned"),
    row("lpos", -3, READ, LIST, "6.0.6", "Get the positions of the elements of a list that are equal to the given one").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements compared"),
    row("lpush", -3, WRITE_OOM_FAST, LIST, "1.0.0", "Put elements in front of a list")
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements named"),
    row("lpushx", -3, WRITE_OOM_FAST, LIST, "2.2.0", "Put elements in front of a list, only if it exists")
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements named"),
    row("lrange", 4, READ, LIST, "1.0.0", "Get the elements of a part of a list").heavy()
        .keys(ONE_KEY).complexity("O(S+N) where S is the distance of the start from the nearer end, counted in nodes of some kilobytes, and N the number of elements returned"),
    row("lrem", 4, WRITE, LIST, "1.0.0", "Remove elements of a list that are equal to the given one").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements of the list"),
    row("lset", 4, WRITE_OOM, LIST, "1.0.0", "Replace the element at a position of a list").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements up to the nearer end, counted in nodes of some kilobytes"),
    row("ltrim", 4, WRITE, LIST, "1.0.0", "Keep only a part of a list").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements removed, counted in nodes of some kilobytes"),
    row("rpop", -2, WRITE_FAST, LIST, "1.0.0", "Remove the last elements of a list and return them")
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements returned"),
    row("rpoplpush", 3, WRITE_OOM, LIST, "1.2.0", "Move the last element of a list to the front of another list")
        .keys(TWO_KEYS),
    row("rpush", -3, WRITE_OOM_FAST, LIST, "1.0.0", "Put elements behind a list")
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements named"),
    row("rpushx", -3, WRITE_OOM_FAST, LIST, "2.2.0", "Put elements behind a list, only if it exists")
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements named"),
];
