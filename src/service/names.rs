//! Finds a command by its name. Every request needs that, so it must be fast.
//!
//! A name of up to sixteen bytes is packed into two integers. They choose a place in a hash table that the
//! compiler has filled. The command stands in that place or, if another command has taken it, in one of the
//! next places. Longer names are few; they stand in a list of their own.

use super::catalog::COMMANDS;
use super::command::Command;

/// Number of places. There are at least four for each command, so that nearly every command stands in the
/// place that its name chooses.
const PLACES: usize = 1024;
/// Most bytes of a packed name.
const PACKED_MAX: usize = 16;
/// An empty place.
const NOBODY: Entry = Entry { name: Packed { head: 0, tail: 0, len: 0 }, command: 0, has_underscore: false };

/// A name in lower case, packed into integers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Packed {
    /// The first 8, 4, 2 or 1 bytes: as many as the name has.
    head: u64,
    /// The same number of bytes from the end. It overlaps `head` if the name is short; it is 0 for a name
    /// of one byte.
    tail: u64,
    /// Bytes of the name; 0 in an empty place.
    len: usize,
}

/// A place of the table.
#[derive(Clone, Copy)]
struct Entry {
    name: Packed,
    /// Index of the command in [`COMMANDS`].
    command: u8,
    /// The name has an underscore, which packing makes the same as the byte 0x7f.
    has_underscore: bool,
}

static TABLE: [Entry; PLACES] = {
    assert!(COMMANDS.len() * 4 <= PLACES);
    let mut table = [NOBODY; PLACES];
    let mut index = 0;
    while index < COMMANDS.len() {
        let name = COMMANDS[index].name.as_bytes();
        assert!(is_lower_case(name), "a name must be of lower-case letters");
        let Some(name) = Packed::new(name) else {
            index += 1;
            continue;
        };
        let mut place = name.place();
        while table[place].name.len > 0 {
            place = (place + 1) % PLACES;
        }
        let has_underscore = has(COMMANDS[index].name.as_bytes(), b'_');
        table[place] = Entry { name, command: index as u8, has_underscore };
        index += 1;
    }
    table
};

/// True if the name of the command does not fit [`Packed`].
const fn is_long(command: &Command) -> bool {
    command.name.len() > PACKED_MAX
}

/// Indices of the commands with long names.
const LONG: &[u8] = &{
    let (mut index, mut count) = (0, 0);
    let mut long = [0; LONG_COUNT];
    while index < COMMANDS.len() {
        if is_long(&COMMANDS[index]) {
            long[count] = index as u8;
            count += 1;
        }
        index += 1;
    }
    long
};

const LONG_COUNT: usize = {
    let (mut index, mut count) = (0, 0);
    while index < COMMANDS.len() {
        count += is_long(&COMMANDS[index]) as usize;
        index += 1;
    }
    count
};

/// Finds a command whose name does not fit [`Packed`]. Most names that come here are no command's.
#[cold]
fn find_long(name: &[u8]) -> Option<&'static Command> {
    let mut commands = LONG.iter().map(|index| &COMMANDS[usize::from(*index)]);
    commands.find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Finds a command by its name, in upper or lower case. Every request comes here; as a call it takes twenty instructions more.
#[inline(always)]
pub fn find(bytes: &[u8]) -> Option<&'static Command> {
    let Some(name) = Packed::new(bytes) else { return find_long(bytes) };
    let mut place = name.place();
    loop {
        let entry = &TABLE[place];
        if entry.name == name && !(entry.has_underscore && has_delete(bytes)) {
            return Some(&COMMANDS[usize::from(entry.command)]);
        }
        if entry.name.len == 0 {
            return None;
        }
        place = (place + 1) % PLACES;
    }
}

/// Finds a subcommand of `container` by its own name, in upper or lower case.
pub fn find_sub(container: &Command, word: &[u8]) -> Option<&'static Command> {
    container.subcommands.iter().find(|sub| short_name(sub).as_bytes().eq_ignore_ascii_case(word))
}

/// Finds a command or subcommand by its full name: `get` or `client|id`.
pub fn find_full(name: &[u8]) -> Option<&'static Command> {
    match name.iter().position(|&byte| byte == b'|') {
        Some(bar) => find_sub(find(&name[..bar])?, &name[bar + 1..]),
        None => find(name),
    }
}

/// The name of a subcommand without that of its container. Other commands keep their whole name.
pub fn short_name(command: &Command) -> &'static str {
    command.name.split_once('|').map_or(command.name, |(_, name)| name)
}

impl Packed {
    /// Packs a name. `None` if it is empty or longer than [`PACKED_MAX`].
    #[inline]
    const fn new(name: &[u8]) -> Option<Packed> {
        let (head, tail) = match name.len() {
            1 => (name[0] as u64, 0),
            2..=3 => (two(name, 0), two(name, name.len() - 2)),
            4..=7 => (four(name, 0), four(name, name.len() - 4)),
            8..=PACKED_MAX => (eight(name, 0), eight(name, name.len() - 8)),
            _ => return None,
        };
        Some(Packed { head: lower_case(head), tail: lower_case(tail), len: name.len() })
    }

    /// The place in the table that the name chooses.
    #[inline]
    const fn place(self) -> usize {
        // The highest bits of the product depend on all bits of the name. Any odd factor would do whose
        // bits are spread over the whole word. We found this one by trying: with it, nearly all of
        // Redis's commands stand in the place that their name chooses.
        let mixed = (self.head ^ self.tail.rotate_left(32)).wrapping_mul(0x1c92_b502_de1f_35fb);
        (mixed >> (u64::BITS - PLACES.ilog2())) as usize
    }
}

/// Names with an underscore are few, so hardly any request comes here.
#[cold]
fn has_delete(name: &[u8]) -> bool {
    name.contains(&0x7f)
}

const fn has(name: &[u8], byte: u8) -> bool {
    match name {
        [] => false,
        [first, rest @ ..] => *first == byte || has(rest, byte),
    }
}

const fn is_lower_case(name: &[u8]) -> bool {
    match name {
        [] => true,
        [first, rest @ ..] => (first.is_ascii_lowercase() || *first == b'_') && is_lower_case(rest),
    }
}

const fn two(name: &[u8], at: usize) -> u64 {
    name[at] as u64 | (name[at + 1] as u64) << 8
}

const fn four(name: &[u8], at: usize) -> u64 {
    two(name, at) | two(name, at + 2) << 16
}

const fn eight(name: &[u8], at: usize) -> u64 {
    four(name, at) | four(name, at + 4) << 32
}

/// The eight bytes of `word`, with letters in lower case. Other bytes may change too, but they never become
/// letters. So they match no command: the names of commands have only letters.
const fn lower_case(word: u64) -> u64 {
    word | 0x2020_2020_2020_2020
}

#[cfg(test)]
mod tests {
    use super::super::catalog::everything;
    use super::*;

    #[test]
    fn every_command_is_found_by_its_name_in_any_case() {
        for command in everything() {
            for name in [command.name.to_owned(), command.name.to_ascii_uppercase()] {
                assert_eq!(find_full(name.as_bytes()).map(|found| found.name), Some(command.name));
            }
        }
    }

    #[test]
    fn a_name_that_differs_in_any_byte_is_another() {
        for command in COMMANDS {
            let name = command.name.as_bytes();
            for at in 0..name.len() {
                for byte in 0..=255 {
                    let mut other = name.to_vec();
                    other[at] = byte;
                    let expected =
                        COMMANDS.iter().find(|one| one.name.as_bytes().eq_ignore_ascii_case(&other));
                    assert_eq!(find(&other).map(|found| found.name), expected.map(|one| one.name));
                }
            }
            for other in
                [&name[1..], &name[..name.len() - 1], &[name, b"\0"].concat(), &[b"\0", name].concat()]
            {
                let expected = COMMANDS.iter().find(|one| one.name.as_bytes() == other);
                assert_eq!(find(other).map(|found| found.name), expected.map(|one| one.name));
            }
        }
        assert_eq!(LONG.len(), 2);
        for other in [
            "georadiusbymembe",
            "georadiusbymember_",
            "georadiusbymember_rox",
            "xeoradiusbymember",
            "",
            "a-name-longer-than-sixteen-bytes",
            "client|",
            "|id",
            "get|x",
        ] {
            assert!(find_full(other.as_bytes()).is_none(), "{other}");
        }
    }
}
