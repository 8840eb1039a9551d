//! The commands about places, which a sorted set keeps as scores.

use super::words::{GEO, READ, WRITE_OOM, WRITE_OOM_MOVABLE};
use crate::service::command::{Command, Keys, More, ONE_KEY, TWO_KEYS, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("geoadd", -5, WRITE_OOM, GEO, "3.2.0", "Add members with their positions to a sorted set")
        .keys(ONE_KEY).complexity("O(log N) for each member, where N is the number of members"),
    row("geodist", -4, READ, GEO, "3.2.0", "Get the distance between two members")
        .keys(ONE_KEY),
    row("geohash", -2, READ, GEO, "3.2.0", "Get the positions of members as geohash texts")
        .keys(ONE_KEY).complexity("O(N) where N is the number of members named"),
    row("geopos", -2, READ, GEO, "3.2.0", "Get the positions of members")
        .keys(ONE_KEY).complexity("O(N) where N is the number of members named"),
    row("georadius", -6, WRITE_OOM_MOVABLE, GEO, "3.2.0", "Find the members around a position, or store them").heavy()
        .keys(Keys { more: More::Stored(6), ..ONE_KEY }).complexity("O(N + log M) where N is the number of members in the boxes around the circle and M the number of all members"),
    row("georadius_ro", -6, READ, GEO, "3.2.10", "Find the members around a position").heavy()
        .keys(ONE_KEY).complexity("O(N + log M) where N is the number of members in the boxes around the circle and M the number of all members"),
    row("georadiusbymember", -5, WRITE_OOM_MOVABLE, GEO, "3.2.0", "Find the members around another member, or store them").heavy()
        .keys(Keys { more: More::Stored(5), ..ONE_KEY }).complexity("O(N + log M) where N is the number of members in the boxes around the circle and M the number of all members"),
    row("georadiusbymember_ro", -5, READ, GEO, "3.2.10", "Find the members around another member").heavy()
        .keys(ONE_KEY).complexity("O(N + log M) where N is the number of members in the boxes around the circle and M the number of all members"),
    row("geosearch", -7, READ, GEO, "6.2.0", "Find the members in a circle or a box").heavy()
        .keys(ONE_KEY).complexity("O(N + log M) where N is the number of members in the boxes around the shape and M the number of all members"),
    row("geosearchstore", -8, WRITE_OOM, GEO, "6.2.0", "Store the members in a circle or a box").heavy()
        .keys(TWO_KEYS).complexity("O(N + log M) where N is the number of members in the boxes around the shape and M the number of all members"),
];
