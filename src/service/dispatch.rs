//! What each command of the catalog does. The compiler refuses a command of the catalog that does
//! nothing, and a name that is not in it.

use super::catalog::{COMMANDS, Command, same};
use super::commands::{admin, client, connection, introspect, keys, scan, settings, strings};
use super::cx::{Run, Runs};
use crate::stats::COMMANDS_MAX;

/// What runs each command, by [`Command::id`].
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
    assert!(found == NAMED.len(), "a name here is not in the catalog, or stands here twice");
    runs
};

const fn assign(runs: &mut Runs, command: &Command) -> usize {
    let mut at = 0;
    while at < NAMED.len() {
        if same(NAMED[at].0.as_bytes(), command.name.as_bytes()) {
            runs[command.id as usize] = NAMED[at].1;
            return 1;
        }
        at += 1;
    }
    panic!("a command of the catalog does nothing")
}

#[rustfmt::skip]
const NAMED: &[(&str, Run)] = &[
    ("append", strings::append),
    ("auth", connection::auth),
    ("client", introspect::no_subcommand),
    ("command", introspect::all),
    ("config", introspect::no_subcommand),
    ("dbsize", admin::dbsize),
    ("debug", introspect::no_subcommand),
    ("decr", strings::decr),
    ("decrby", strings::decrby),
    ("del", keys::del),
    ("echo", connection::echo),
    ("exists", keys::exists),
    ("expire", keys::expire),
    ("flushall", admin::flush),
    ("flushdb", admin::flush),
    ("get", strings::get),
    ("getdel", strings::getdel),
    ("getex", strings::getex),
    ("getset", strings::getset),
    ("hello", connection::hello),
    ("incr", strings::incr),
    ("incrby", strings::incrby),
    ("info", admin::info),
    ("keys", scan::keys),
    ("mget", strings::mget),
    ("mset", strings::mset),
    ("persist", keys::persist),
    ("pexpire", keys::pexpire),
    ("ping", connection::ping),
    ("psetex", strings::psetex),
    ("pttl", keys::pttl),
    ("quit", connection::quit),
    ("randomkey", scan::random_key),
    ("reset", connection::reset),
    ("scan", scan::scan),
    ("select", connection::select),
    ("set", strings::set),
    ("setex", strings::setex),
    ("setnx", strings::setnx),
    ("shutdown", admin::shutdown),
    ("strlen", strings::strlen),
    ("time", admin::time),
    ("ttl", keys::ttl),
    ("type", keys::type_of),
    ("unlink", keys::del),
    ("client|getname", client::getname),
    ("client|help", introspect::help),
    ("client|id", client::id),
    ("client|info", client::info),
    ("client|kill", client::kill),
    ("client|list", client::list),
    ("client|no-evict", client::no_evict),
    ("client|no-touch", client::no_touch),
    ("client|reply", client::reply),
    ("client|setinfo", client::setinfo),
    ("client|setname", client::setname),
    ("command|count", introspect::count),
    ("command|docs", introspect::docs),
    ("command|help", introspect::help),
    ("command|info", introspect::info),
    ("command|list", introspect::list),
    ("config|get", settings::get),
    ("config|help", introspect::help),
    ("config|resetstat", settings::resetstat),
    ("config|set", settings::set),
    ("debug|help", introspect::help),
    ("debug|panic", admin::debug_panic),
    ("debug|sleep", admin::debug_sleep),
];
