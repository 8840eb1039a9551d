//! `COMMAND GETKEYS` and `COMMAND GETKEYSANDFLAGS`: the keys of a command that is given in full, and what the command
//! does with them.

use crate::base::memory;
use crate::resp::{Args, Reply};
use crate::service::catalog::hints::key_flags;
use crate::service::command::Command;
use crate::service::cx::{Cx, Failure, Outcome, is};
use crate::service::names::{find, find_sub};

/// `COMMAND GETKEYS name [argument ...]`: the keys.
pub fn getkeys(cx: &mut Cx<'_>) -> Outcome {
    let (_, keys) = keys(cx)?;
    cx.reply.array(keys.len());
    keys.iter().for_each(|key| cx.reply.bulk(key));
    Ok(())
}

/// `COMMAND GETKEYSANDFLAGS name [argument ...]`: the keys, each with what the command does with it.
pub fn getkeysandflags(cx: &mut Cx<'_>) -> Outcome {
    let (command, keys) = keys(cx)?;
    let request = cx.args.behind(2);
    cx.reply.array(keys.len());
    for (nth, key) in keys.iter().enumerate() {
        cx.reply.array(2);
        cx.reply.bulk(key);
        flags(&mut cx.reply, flags_by_options(command, request).unwrap_or_else(|| key_flags(command, nth)));
    }
    Ok(())
}

/// The flags of the key of a command that does more or less with it by its options.
fn flags_by_options(command: &Command, request: Args<'_>) -> Option<&'static [&'static str]> {
    match command.name {
        "set" if request.from(3).any(|word| is(word, "GET")) => Some(&["RW", "access", "update"]),
        // Each GET has two arguments behind it.
        "bitfield" if request.from(2).step_by(3).all(|word| is(word, "GET")) => Some(&["RO", "access"]),
        _ => None,
    }
}

/// Writes flags as a set.
pub fn flags(reply: &mut Reply<'_>, flags: &[&str]) {
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.simple(flag));
}

/// The command that the request names, and its keys.
fn keys<'a>(cx: &Cx<'a>) -> Result<(&'static Command, Vec<&'a [u8]>), Failure> {
    let named = find(cx.arg(2)).ok_or(Failure::text("ERR Invalid command specified"))?;
    let sub = cx.args.get(3).and_then(|word| find_sub(named, word));
    if sub.is_none() && !named.subcommands.is_empty() && cx.args.len() > 3 {
        return Err(Failure::text("ERR Invalid command specified"));
    }
    let command = sub.unwrap_or(named);
    let request = cx.args.behind(2);
    if command.keys.is_none() {
        return Err(Failure::text("ERR The command has no key arguments"));
    }
    if !command.arity.allows(request.len()) {
        return Err(Failure::text("ERR Invalid number of arguments specified for command"));
    }
    let keys = memory::collect(command.keys.of(request))?;
    // As in Redis, what must not have keys has none even if the number of its keys is wrong.
    if keys.is_empty() && !command.flags.contains(&"no_mandatory_keys") {
        return Err(Failure::text("ERR Invalid arguments specified for command"));
    }
    Ok((command, keys))
}
