//! Says which function runs each command of the catalog. The program does not compile if a command of the
//! catalog has no function here, or if a name here is not in the catalog.

use super::catalog::COMMANDS;
use super::command::{Command, same};
use super::commands::{
    admin, bitfield, bits, client, clients, connection, counters, expiry, hashes, introspect, keys, pubsub,
    ranges, scan, settings, strings, tracking, transactions,
};
use super::cx::{Run, Runs};
use crate::stats::COMMANDS_MAX;

/// The function of each command, by [`Command::id`].
pub static RUNS: Runs = {
    let mut runs: Runs = [introspect::no_subcommand; COMMANDS_MAX];
    let (mut at, mut found) = (0, 0);
    while at < COMMANDS.len() {
        found += assign(&mut runs, &COMMANDS[at]);
        let subcommands = COMMANDS[at].subcommands;
        let mut sub = 0;
        while sub < subcommands.len() {
            found += assign(&mut runs, &subcommands[sub]);
            sub += 1;
        }
        at += 1;
    }
    assert!(found == NAMED.len(), "a name in NAMED is not in the catalog, or is there twice");
    runs
};

/// Enters the function of `command`. Returns 1, so that the caller can count the names that it has found.
const fn assign(runs: &mut Runs, command: &Command) -> usize {
    let mut at = 0;
    while at < NAMED.len() {
        if same(NAMED[at].0.as_bytes(), command.name.as_bytes()) {
            runs[command.id as usize] = NAMED[at].1;
            return 1;
        }
        at += 1;
    }
    panic!("a command of the catalog has no function in NAMED")
}

/// The name and the function of each command, sorted by name.
#[rustfmt::skip]
const NAMED: &[(&str, Run)] = &[
    ("append", strings::append),
    ("auth", connection::auth),
    ("bitcount", bits::bitcount),
    ("bitfield", bitfield::bitfield),
    ("bitfield_ro", bitfield::bitfield_ro),
    ("bitop", bits::bitop),
    ("bitpos", bits::bitpos),
    ("client", introspect::no_subcommand),
    ("client|caching", tracking::caching),
    ("client|getname", client::getname),
    ("client|getredir", tracking::getredir),
    ("client|help", introspect::help),
    ("client|id", client::id),
    ("client|info", clients::info),
    ("client|kill", clients::kill),
    ("client|list", clients::list),
    ("client|no-evict", client::no_evict),
    ("client|no-touch", client::no_touch),
    ("client|pause", client::pause),
    ("client|reply", client::reply),
    ("client|setinfo", client::setinfo),
    ("client|setname", client::setname),
    ("client|tracking", tracking::tracking),
    ("client|trackinginfo", tracking::trackinginfo),
    ("client|unpause", client::unpause),
    ("command", introspect::all),
    ("command|count", introspect::count),
    ("command|docs", introspect::docs),
    ("command|help", introspect::help),
    ("command|info", introspect::info),
    ("command|list", introspect::list),
    ("config", introspect::no_subcommand),
    ("config|get", settings::get),
    ("config|help", introspect::help),
    ("config|resetstat", settings::resetstat),
    ("config|set", settings::set),
    ("copy", keys::copy),
    ("dbsize", admin::dbsize),
    ("debug", introspect::no_subcommand),
    ("debug|help", introspect::help),
    ("debug|panic", admin::debug_panic),
    ("debug|set-active-expire", admin::debug_set_active_expire),
    ("debug|sleep", admin::debug_sleep),
    ("decr", counters::decr),
    ("decrby", counters::decrby),
    ("del", keys::del),
    ("delifeq", strings::delifeq),
    ("discard", transactions::discard),
    ("echo", connection::echo),
    ("exec", transactions::exec),
    ("exists", keys::exists),
    ("expire", expiry::expire),
    ("expireat", expiry::expireat),
    ("expiretime", expiry::expiretime),
    ("flushall", admin::flushall),
    ("flushdb", admin::flushdb),
    ("get", strings::get),
    ("getbit", bits::getbit),
    ("getdel", strings::getdel),
    ("getex", strings::getex),
    ("getrange", ranges::getrange),
    ("getset", strings::getset),
    ("hdel", hashes::hdel),
    ("hello", connection::hello),
    ("hexists", hashes::hexists),
    ("hget", hashes::hget),
    ("hgetall", hashes::hgetall),
    ("hincrby", hashes::hincrby),
    ("hincrbyfloat", hashes::hincrbyfloat),
    ("hkeys", hashes::hkeys),
    ("hlen", hashes::hlen),
    ("hmget", hashes::hmget),
    ("hmset", hashes::hmset),
    ("hrandfield", hashes::hrandfield),
    ("hscan", hashes::hscan),
    ("hset", hashes::hset),
    ("hsetnx", hashes::hsetnx),
    ("hstrlen", hashes::hstrlen),
    ("hvals", hashes::hvals),
    ("incr", counters::incr),
    ("incrby", counters::incrby),
    ("incrbyfloat", counters::incrbyfloat),
    ("info", admin::info),
    ("keys", scan::keys),
    ("lcs", ranges::lcs),
    ("mget", strings::mget),
    ("move", keys::move_key),
    ("mset", strings::mset),
    ("msetnx", strings::msetnx),
    ("multi", transactions::multi),
    ("persist", expiry::persist),
    ("pexpire", expiry::pexpire),
    ("pexpireat", expiry::pexpireat),
    ("pexpiretime", expiry::pexpiretime),
    ("ping", connection::ping),
    ("psetex", strings::psetex),
    ("psubscribe", pubsub::psubscribe),
    ("pttl", expiry::pttl),
    ("publish", pubsub::publish),
    ("pubsub", introspect::no_subcommand),
    ("pubsub|channels", pubsub::channels),
    ("pubsub|help", introspect::help),
    ("pubsub|numpat", pubsub::numpat),
    ("pubsub|numsub", pubsub::numsub),
    ("pubsub|shardchannels", pubsub::shardchannels),
    ("pubsub|shardnumsub", pubsub::shardnumsub),
    ("punsubscribe", pubsub::punsubscribe),
    ("quit", connection::quit),
    ("randomkey", scan::random_key),
    ("rename", keys::rename),
    ("renamenx", keys::renamenx),
    ("reset", connection::reset),
    ("scan", scan::scan),
    ("select", connection::select),
    ("set", strings::set),
    ("setbit", bits::setbit),
    ("setex", strings::setex),
    ("setnx", strings::setnx),
    ("setrange", ranges::setrange),
    ("shutdown", admin::shutdown),
    ("spublish", pubsub::spublish),
    ("ssubscribe", pubsub::ssubscribe),
    ("strlen", strings::strlen),
    ("subscribe", pubsub::subscribe),
    ("substr", ranges::getrange),
    ("sunsubscribe", pubsub::sunsubscribe),
    ("swapdb", admin::swapdb),
    ("time", admin::time),
    ("touch", keys::exists),
    ("ttl", expiry::ttl),
    ("type", keys::type_of),
    ("unlink", keys::del),
    ("unsubscribe", pubsub::unsubscribe),
    ("unwatch", transactions::unwatch),
    ("watch", transactions::watch),
];
