//! The catalog declares every command. `COMMAND` and its subcommands, the errors about the number of
//! arguments and the lists of docs/commands.md come from it. It does not say which function runs a command; `dispatch`
//! does.
//!
//! The files are groups of commands. `containers` has the subcommands. `words` has Redis's names of groups and flags.
//! [`hints`] has what `COMMAND INFO` tells besides, and [`arguments`] what `COMMAND DOCS` does.

pub mod arguments;
mod containers;
mod geo;
mod hashes;
pub mod hints;
mod hyperloglogs;
mod keys;
mod lists;
mod messages;
mod scripting;
mod server;
mod sets;
mod streams;
mod strings;
mod words;
mod zsets;

use super::command::{Command, is_before};
use crate::stats::COMMANDS_MAX;

/// The groups that make up [`COMMANDS`].
const GROUPS: [&[Command]; 12] = [
    geo::ROWS,
    hashes::ROWS,
    hyperloglogs::ROWS,
    keys::ROWS,
    lists::ROWS,
    messages::ROWS,
    scripting::ROWS,
    server::ROWS,
    sets::ROWS,
    streams::ROWS,
    strings::ROWS,
    zsets::ROWS,
];

/// Number of commands, without subcommands.
const COUNT: usize = {
    let (mut group, mut count) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

/// Every command, sorted by name. The subcommands are in the rows of their containers.
pub const COMMANDS: &[Command] = &numbered(0, sorted());

// The subcommands are numbered from here on.
const _: () = assert!(COUNT <= SUBCOMMANDS_FROM as usize && containers::LAST_ID < COMMANDS_MAX as u16);

/// The id of the first subcommand.
const SUBCOMMANDS_FROM: u16 = 256;

/// The rows of all groups, sorted by name.
const fn sorted() -> [Command; COUNT] {
    let mut all = [GROUPS[0][0]; COUNT];
    let (mut group, mut row, mut len) = (0, 0, 0);
    while group < GROUPS.len() {
        while row < GROUPS[group].len() {
            let mut at = len;
            while at > 0 && is_before(GROUPS[group][row].name.as_bytes(), all[at - 1].name.as_bytes()) {
                all[at] = all[at - 1];
                at -= 1;
            }
            all[at] = GROUPS[group][row];
            len += 1;
            row += 1;
        }
        (group, row) = (group + 1, 0);
    }
    all
}

/// Gives the rows consecutive ids, from `first` on.
const fn numbered<const N: usize>(first: u16, mut rows: [Command; N]) -> [Command; N] {
    let mut i = 0;
    while i < N {
        rows[i].id = first + i as u16;
        i += 1;
    }
    rows
}

/// The id behind the last one of these subcommands.
const fn after(subcommands: &[Command]) -> u16 {
    subcommands[subcommands.len() - 1].id + 1
}

/// Every command, each container followed by its subcommands.
pub fn everything() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().flat_map(|command| std::iter::once(command).chain(command.subcommands))
}

#[cfg(test)]
mod tests {
    use crate::service::names;

    #[test]
    fn keys_are_where_the_table_says() {
        let mut parser = crate::resp::Parser::default();
        let limits = crate::resp::Limits { bulk_max: 99, args_max: 99, inline_max: 99, request_max: 99 };
        for (line, keys) in [
            ("GET k\n", "k"),
            ("MSET a 1 b 2\n", "a b"),
            ("DEL a b c\n", "a b c"),
            ("PING x\n", ""),
            ("SET k v EX 3\n", "k"),
            ("XREAD COUNT 1 STREAMS a b 0 0\n", "a b"),
            ("XREAD BLOCK streams STREAMS a 0\n", "a"),
            ("XREADGROUP GROUP streams streams STREAMS streams >\n", "streams"),
            ("XREAD STREAMS a b 0\n", ""),
            ("XREAD x STREAMS a 0\n", ""),
            ("XREAD COUNT 1 COUNT 2\n", ""),
            ("GEORADIUS a 0 0 1 m ASC\n", "a"),
            ("GEORADIUS a 0 0 1 m ASC store b\n", "a b"),
            ("GEORADIUSBYMEMBER a STORE 1 m STORE b STOREDIST c\n", "a c"),
            ("GEORADIUSBYMEMBER a m 1 m STORE\n", "a"),
            ("GEORADIUS_RO a 0 0 1 m STORE b\n", "a"),
        ] {
            parser.parse(line.as_bytes(), &limits);
            let args = parser.args(line.as_bytes());
            let found: Vec<_> =
                names::find(&args[0]).unwrap().keys.of(args).map(String::from_utf8_lossy).collect();
            assert_eq!(found.join(" "), keys);
        }
    }
}
