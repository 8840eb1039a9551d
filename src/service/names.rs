//! Finds a command by its name. What every request begins with.
//!
//! A name of up to sixteen bytes is two integers. They choose a place of a table that the compiler
//! has filled, and there stands the command or, rarely, one that had to make way for another.

use super::catalog::COMMANDS;
use super::command::Command;

/// Four times as many as there are commands, so that nearly all stand where they belong.
const PLACES: usize = 512;
/// What is in a place that nobody has.
const NOBODY: Entry = Entry { name: Packed { head: 0, tail: 0, len: 0 }, command: 0 };

/// A name in lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Packed {
    /// The first eight bytes, or the first half of fewer.
    head: u64,
    /// The last ones; what lies in the middle is in both.
    tail: u64,
    len: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    name: Packed,
    command: u8,
}

static TABLE: [Entry; PLACES] = {
    assert!(COMMANDS.len() * 4 <= PLACES);
    let mut table = [NOBODY; PLACES];
    let mut index = 0;
    while index < COMMANDS.len() {
        let name = COMMANDS[index].name.as_bytes();
        assert!(is_lower_case(name), "a name must be of lower-case letters");
        let Some(name) = Packed::new(name) else { panic!("a name is too long") };
        let mut place = name.place();
        while table[place].name.len > 0 {
            place = (place + 1) % PLACES;
        }
        table[place] = Entry { name, command: index as u8 };
        index += 1;
    }
    table
};

/// Finds a command by name, in any case.
#[inline]
pub fn find(name: &[u8]) -> Option<&'static Command> {
    let name = Packed::new(name)?;
    let mut place = name.place();
    loop {
        let entry = &TABLE[place];
        if entry.name == name {
            return Some(&COMMANDS[usize::from(entry.command)]);
        }
        if entry.name.len == 0 {
            return None;
        }
        place = (place + 1) % PLACES;
    }
}

/// Finds a container's subcommand by its own name, in any case.
pub fn find_sub(container: &Command, word: &[u8]) -> Option<&'static Command> {
    container.subcommands.iter().find(|sub| short_name(sub).as_bytes().eq_ignore_ascii_case(word))
}

/// Finds `get` or `client|id`.
pub fn find_full(name: &[u8]) -> Option<&'static Command> {
    match name.iter().position(|&byte| byte == b'|') {
        Some(bar) => find_sub(find(&name[..bar])?, &name[bar + 1..]),
        None => find(name),
    }
}

/// A subcommand's name without its container's.
pub fn short_name(command: &Command) -> &'static str {
    command.name.split_once('|').map_or(command.name, |(_, name)| name)
}

impl Packed {
    /// `None` if it is empty or too long for a command.
    #[inline]
    const fn new(name: &[u8]) -> Option<Packed> {
        let (head, tail) = match name.len() {
            1 => (name[0] as u64, 0),
            2..=3 => (two(name, 0), two(name, name.len() - 2)),
            4..=7 => (four(name, 0), four(name, name.len() - 4)),
            8..=16 => (eight(name, 0), eight(name, name.len() - 8)),
            _ => return None,
        };
        Some(Packed { head: lower_case(head), tail: lower_case(tail), len: name.len() })
    }

    #[inline]
    const fn place(self) -> usize {
        // The highest bits of the product depend on all. Any odd number with bits all over would do; with
        // this one, found by trying, each of the present commands stands where it belongs.
        let mixed = (self.head ^ self.tail.rotate_left(32)).wrapping_mul(0x2be8_93f4_56b3_0575);
        (mixed >> (u64::BITS - PLACES.ilog2())) as usize
    }
}

const fn is_lower_case(name: &[u8]) -> bool {
    match name {
        [] => true,
        [first, rest @ ..] => first.is_ascii_lowercase() && is_lower_case(rest),
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

/// The eight bytes of `word` in lower case, if they are letters. What is none may become another,
/// but never a letter, and command names have only letters.
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
        for other in ["", "a-name-longer-than-sixteen-bytes", "client|", "|id", "get|x"] {
            assert!(find_full(other.as_bytes()).is_none(), "{other}");
        }
    }
}
