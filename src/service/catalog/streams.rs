//! The commands about streams.

use super::containers::{XGROUP, XINFO};
use super::words::{
    NONE, READ, READ_BLOCKING_MOVABLE, READ_FAST, STREAM, WRITE, WRITE_BLOCKING_MOVABLE, WRITE_FAST,
    WRITE_OOM_FAST,
};
use crate::service::command::{Command, ONE_KEY, STREAMS, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("xack", -4, WRITE_FAST, STREAM, "5.0.0", "Acknowledge entries that a consumer of a group has got")
        .keys(ONE_KEY).complexity("O(N log M) where N is the number of ids and M the number of pending entries"),
    row("xackdel", -6, WRITE_FAST, STREAM, "8.2.0", "Acknowledge entries for a group and remove them")
        .keys(ONE_KEY).complexity("O(N * G * log M) where N is the number of ids, G of groups and M of pending entries"),
    row("xadd", -5, WRITE_OOM_FAST, STREAM, "5.0.0", "Append an entry to a stream")
        .keys(ONE_KEY).complexity("O(1); with a trim O(N) where N is the number of entries removed"),
    row("xautoclaim", -6, WRITE_FAST, STREAM, "6.2.0", "Give old pending entries of a group to a consumer").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of entries looked at"),
    row("xclaim", -6, WRITE_FAST, STREAM, "5.0.0", "Give pending entries of a group to a consumer").heavy()
        .keys(ONE_KEY).complexity("O(N log M) where N is the number of ids and M the number of pending entries"),
    row("xdel", -3, WRITE_FAST, STREAM, "5.0.0", "Remove entries of a stream")
        .keys(ONE_KEY).complexity("O(N) where N is the number of ids"),
    row("xdelex", -5, WRITE_FAST, STREAM, "8.2.0", "Remove entries of a stream, with regard to the groups that refer to them")
        .keys(ONE_KEY).complexity("O(N * G * log M) where N is the number of ids, G of groups and M of pending entries"),
    row("xgroup", -2, NONE, STREAM, "5.0.0", "A container for the commands about consumer groups").container(XGROUP),
    row("xinfo", -2, NONE, STREAM, "5.0.0", "A container for the commands that tell about streams").container(XINFO),
    row("xlen", 2, READ_FAST, STREAM, "5.0.0", "Get the number of entries of a stream")
        .keys(ONE_KEY),
    row("xpending", -3, READ, STREAM, "5.0.0", "Get the entries of a group that are not acknowledged").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of entries looked at; O(M) without a range, where M is the number of consumers"),
    row("xrange", -4, READ, STREAM, "5.0.0", "Get the entries of a stream in a range of ids").heavy()
        .keys(ONE_KEY).complexity("O(log M + N) where M is the number of entries and N the number of those returned"),
    row("xread", -4, READ_BLOCKING_MOVABLE, STREAM, "5.0.0", "Get the entries of streams behind an id; wait for one if need be").heavy()
        .keys(STREAMS).complexity("O(N) where N is the number of entries returned"),
    row("xreadgroup", -7, WRITE_BLOCKING_MOVABLE, STREAM, "5.0.0", "Get new or pending entries of streams for a consumer; wait for one if need be").heavy()
        .keys(STREAMS).complexity("O(N log M) where N is the number of entries returned and M the number of pending entries"),
    row("xrevrange", -4, READ, STREAM, "5.0.0", "Get the entries of a stream in a range of ids, from the last one down").heavy()
        .keys(ONE_KEY).complexity("O(log M + N) where M is the number of entries and N the number of those returned"),
    row("xsetid", -3, WRITE_OOM_FAST, STREAM, "5.0.0", "Set the last id of a stream")
        .keys(ONE_KEY),
    row("xtrim", -4, WRITE, STREAM, "5.0.0", "Remove the oldest entries of a stream").heavy()
        .keys(ONE_KEY).complexity("O(N) where N is the number of entries removed"),
];
