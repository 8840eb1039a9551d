//! `COMMAND`, and the `HELP` of every container: what the catalog says about the commands.

use super::getkeys::flags;
use crate::resp::Reply;
use crate::service::catalog::arguments::{Argument, arguments};
use crate::service::catalog::hints::{KeySpec, Range, key_specs, tips};
use crate::service::catalog::{COMMANDS, everything};
use crate::service::command::Command;
use crate::service::cx::{Cx, Outcome, SYNTAX, is};
use crate::service::glob::{Case, Pattern};
use crate::service::names::{find_full, short_name};

/// The function of a container that needs a subcommand. It never runs, because a request without a
/// subcommand fails the check of the arity.
pub fn no_subcommand(cx: &mut Cx<'_>) -> Outcome {
    Err(cx.wrong_number())
}

/// `COMMAND`: the entries of all commands.
pub fn all(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.array(COMMANDS.len());
    for command in COMMANDS {
        entry(&mut cx.reply, command);
    }
    Ok(())
}

/// `COMMAND COUNT`: the number of commands, without subcommands.
pub fn count(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.int(COMMANDS.len() as i64);
    Ok(())
}

/// `COMMAND INFO [name ...]`: the entries of these commands, with null for an unknown name; of all commands
/// if there is no name.
pub fn info(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len() == 2 {
        return all(cx);
    }
    cx.reply.array(cx.args.len() - 2);
    for name in cx.args.from(2) {
        match find_full(name) {
            Some(command) => entry(&mut cx.reply, command),
            None => cx.reply.null(),
        }
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]`: the names of commands and
/// subcommands. There are no modules, so none belongs to one.
pub fn list(cx: &mut Cx<'_>) -> Outcome {
    let names: Vec<&str> = match cx.args.len() {
        2 => everything().map(|command| command.name).collect(),
        5 if is(cx.arg(2), "FILTERBY") => {
            let (by, value) = (cx.arg(3), cx.arg(4));
            if is(by, "MODULE") {
                Vec::new()
            } else if is(by, "ACLCAT") {
                let in_category =
                    |command: &&Command| categories(command).iter().any(|category| is(value, category));
                everything().filter(in_category).map(|command| command.name).collect()
            } else if is(by, "PATTERN") {
                let pattern = Pattern::new(value, Case::Ignored)?;
                let matching = |name: &&str| pattern.matches(name.as_bytes());
                everything().map(|command| command.name).filter(matching).collect()
            } else {
                return Err(SYNTAX);
            }
        }
        _ => return Err(SYNTAX),
    };
    cx.reply.array(names.len());
    for name in names {
        cx.reply.bulk(name.as_bytes());
    }
    Ok(())
}

/// `COMMAND DOCS [name ...]`: the documentation of these commands, or of all. It leaves out unknown names.
pub fn docs(cx: &mut Cx<'_>) -> Outcome {
    let found: Vec<&Command> = match cx.args.len() {
        2 => COMMANDS.iter().collect(),
        _ => cx.args.from(2).filter_map(find_full).collect(),
    };
    cx.reply.map(found.len());
    for command in found {
        document(&mut cx.reply, command);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// Writes the documentation of a command and its subcommands: the name, and a map.
fn document(reply: &mut Reply<'_>, command: &Command) {
    reply.bulk(command.name.as_bytes());
    let arguments = arguments(command.name);
    reply.map(4 + usize::from(!arguments.is_empty()) + usize::from(!command.subcommands.is_empty()));
    for (field, value) in [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group),
        ("complexity", command.complexity),
    ] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        reply.array(arguments.len());
        arguments.iter().for_each(|argument| describe(reply, argument));
    }
    if !command.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(command.subcommands.len());
        for sub in command.subcommands {
            document(reply, sub);
        }
    }
}

/// Writes what `COMMAND DOCS` tells of an argument: a map.
fn describe(reply: &mut Reply<'_>, argument: &Argument) {
    let is_group = !argument.parts.is_empty();
    let more = [
        !is_group,
        argument.key_spec.is_some(),
        argument.token.is_some(),
        !argument.flags.is_empty(),
        is_group,
    ];
    reply.map(2 + more.iter().filter(|there| **there).count());
    let mut field = |name: &str, value: &str| {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    };
    field("name", argument.name);
    field("type", argument.kind);
    if !is_group {
        field("display_text", argument.name);
    }
    if let Some(number) = argument.key_spec {
        reply.bulk(b"key_spec_index");
        reply.int(number);
    }
    if let Some(token) = argument.token {
        reply.bulk(b"token");
        reply.bulk(token.as_bytes());
    }
    if !argument.flags.is_empty() {
        reply.bulk(b"flags");
        flags(reply, &argument.flags);
    }
    if is_group {
        reply.bulk(b"arguments");
        reply.array(argument.parts.len());
        argument.parts.iter().for_each(|part| describe(reply, part));
    }
}

/// Writes the entry of a command in `COMMAND INFO`, which has ten fields.
fn entry(reply: &mut Reply<'_>, command: &Command) {
    reply.array(10);
    reply.bulk(command.name.as_bytes());
    reply.int(i64::from(command.arity.0));
    reply.set(command.flags.len());
    for flag in command.flags {
        reply.simple(flag);
    }
    reply.int(i64::from(command.keys.first));
    reply.int(i64::from(command.keys.last));
    reply.int(i64::from(command.keys.step));
    let categories = categories(command);
    reply.set(categories.len());
    for category in categories {
        reply.simple(&format!("@{category}"));
    }
    let tips = tips(command);
    reply.set(tips.len());
    tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    let specs = key_specs(command);
    reply.set(specs.len());
    for spec in specs {
        key_spec(reply, spec);
    }
    // As in Redis, a command without subcommands has an empty set.
    match command.subcommands.len() {
        0 => reply.set(0),
        count => reply.array(count),
    }
    for sub in command.subcommands {
        entry(reply, sub);
    }
}

/// Writes the specification of a group of keys: where they begin, and where they end.
fn key_spec(reply: &mut Reply<'_>, spec: KeySpec) {
    reply.map(if spec.note.is_some() { 4 } else { 3 });
    if let Some(note) = spec.note {
        reply.bulk(b"notes");
        reply.bulk(note.as_bytes());
    }
    reply.bulk(b"flags");
    flags(reply, spec.flags);
    let (kind, numbers) = match spec.range {
        Range::Unknown => {
            for part in ["begin_search", "find_keys"] {
                reply.bulk(part.as_bytes());
                reply.map(2);
                reply.bulk(b"type");
                reply.bulk(b"unknown");
                reply.bulk(b"spec");
                reply.map(0);
            }
            return;
        }
        Range::Keys { last, step } => {
            ("range", [("lastkey", i64::from(last)), ("keystep", i64::from(step)), ("limit", 0)])
        }
        Range::Streams => ("range", [("lastkey", -1), ("keystep", 1), ("limit", 2)]),
        Range::Behind(_) => ("range", [("lastkey", 0), ("keystep", 1), ("limit", 0)]),
        Range::Counted => ("keynum", [("keynumidx", 0), ("firstkey", 1), ("keystep", 1)]),
    };
    reply.bulk(b"begin_search");
    reply.map(2);
    reply.bulk(b"type");
    let word = match spec.range {
        Range::Streams => Some("STREAMS"),
        Range::Behind(word) => Some(word),
        _ => None,
    };
    if let Some(word) = word {
        reply.bulk(b"keyword");
        reply.bulk(b"spec");
        reply.map(2);
        reply.bulk(b"keyword");
        reply.bulk(word.as_bytes());
        reply.bulk(b"startfrom");
    } else {
        reply.bulk(b"index");
        reply.bulk(b"spec");
        reply.map(1);
        reply.bulk(b"index");
    }
    reply.int(i64::from(spec.first));
    reply.bulk(b"find_keys");
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(numbers.len());
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.int(number);
    }
}

/// The ACL categories of a command. Redis derives them from the flags and the group in the same way.
fn categories(command: &Command) -> Vec<&'static str> {
    let has = |flag| command.flags.contains(&flag);
    let is_container = !command.subcommands.is_empty();
    let mut all = Vec::new();
    if has("write") {
        all.push("write");
    }
    // A script that changes nothing is not in the category of commands that read keys.
    if has("readonly") && command.group != "scripting" {
        all.push("read");
    }
    if has("admin") {
        all.extend(["admin", "dangerous"]);
    }
    if has("blocking") {
        all.push("blocking");
    }
    match command.group {
        "generic" if !is_container && !command.name.starts_with("sort") => all.push("keyspace"),
        "string" => all.push("string"),
        "geo" => all.push("geo"),
        "hash" => all.push("hash"),
        "set" => all.push("set"),
        "list" => all.push("list"),
        "sorted-set" => all.push("sortedset"),
        "stream" if !is_container => all.push("stream"),
        "bitmap" => all.push("bitmap"),
        "hyperloglog" => all.push("hyperloglog"),
        "scripting" if !is_container => all.push("scripting"),
        "transactions" => all.push("transaction"),
        "pubsub" if !is_container => all.push("pubsub"),
        "connection" if !is_container => all.push("connection"),
        _ if command.name.starts_with("command") => all.push("connection"),
        _ => {}
    }
    all.extend(command.categories);
    all.push(if has("fast") { "fast" } else { "slow" });
    all
}

/// `CLIENT HELP`, and the `HELP` of the other containers: the subcommands, each with its summary.
pub fn help(cx: &mut Cx<'_>) -> Outcome {
    let container = cx.command.name.split_once('|').map_or("", |(name, _)| name);
    let subcommands =
        COMMANDS.iter().find(|command| command.name == container).map_or(&[][..], |c| c.subcommands);
    cx.reply.array(1 + 2 * subcommands.len());
    let name = container.to_ascii_uppercase();
    cx.reply.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for sub in subcommands {
        cx.reply.simple(&short_name(sub).to_ascii_uppercase());
        cx.reply.simple(&format!("    {}.", sub.summary));
    }
    Ok(())
}
