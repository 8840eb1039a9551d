//! The commands for transactions and for messages.

use super::containers::PUBSUB;
use super::words::{NONE, PUBLISH, PUBSUB_FLAGS, PUBSUB_GROUP, SKIP_SLOWLOG, TRANSACT_FAST, TRANSACTIONS};
use crate::service::command::{ALL_KEYS, Command, ONE_KEY, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("discard", 1, TRANSACT_FAST, TRANSACTIONS, "2.0.0", "Discard the commands queued since MULTI").at_once()
        .complexity("O(N) where N is the number of queued commands"),
    row("exec", 1, SKIP_SLOWLOG, TRANSACTIONS, "1.2.0", "Run all commands queued since MULTI").heavy().at_once()
        .complexity("Depends on the commands in the transaction"),
    row("multi", 1, TRANSACT_FAST, TRANSACTIONS, "1.2.0", "Begin a transaction").at_once(),
    row("psubscribe", -2, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Listen to the channels that match the given patterns").for_subscribers()
        .complexity("O(N log M) where N is the number of patterns given and M the number of subscriptions"),
    row("publish", 3, PUBLISH, PUBSUB_GROUP, "2.0.0", "Post a message to a channel").speaks()
        .complexity("O(N+M) where N is the number of clients that listen to the channel and M the number of patterns subscribed to, each of which takes up to 1 ms for a channel of 64 KiB"),
    row("pubsub", -2, NONE, PUBSUB_GROUP, "2.8.0", "A container for Pub/Sub commands").container(PUBSUB),
    row("punsubscribe", -1, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Stop listening to the given patterns, or to all").for_subscribers()
        .complexity("O(N log M) where N is the number of patterns given and M the number of subscriptions"),
    row("spublish", 3, PUBLISH, PUBSUB_GROUP, "7.0.0", "Post a message to a shard channel").keys(ONE_KEY).speaks()
        .complexity("O(N) where N is the number of clients that listen to the shard channel"),
    row("ssubscribe", -2, PUBSUB_FLAGS, PUBSUB_GROUP, "7.0.0", "Listen to the given shard channels").keys(ALL_KEYS).for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("subscribe", -2, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Listen to the given channels").for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("sunsubscribe", -1, PUBSUB_FLAGS, PUBSUB_GROUP, "7.0.0", "Stop listening to the given shard channels, or to all").keys(ALL_KEYS)
        .for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("unsubscribe", -1, PUBSUB_FLAGS, PUBSUB_GROUP, "2.0.0", "Stop listening to the given channels, or to all").for_subscribers()
        .complexity("O(N log M) where N is the number of channels given and M the number of subscriptions"),
    row("unwatch", 1, TRANSACT_FAST, TRANSACTIONS, "2.2.0", "Stop watching all keys")
        .complexity("O(N) where N is the number of watched keys"),
    row("watch", -2, TRANSACT_FAST, TRANSACTIONS, "2.2.0", "Stop the next EXEC if one of the given keys changes before it").keys(ALL_KEYS).at_once()
        .complexity("O(N log M) where N is the number of keys named and M the number of watched keys"),
];
