//! How a command is declared: its name, its arguments, its flags.

use crate::resp::{Args, parse_i64};

/// One command or subcommand.
#[derive(Clone, Copy)]
pub struct Command {
    /// Number of the command: the index of its counters and of its function.
    pub id: u16,
    /// Name in lower case. The name of a subcommand begins with that of its container, as in `client|id`.
    pub name: &'static str,
    /// How many arguments it takes, the name included.
    pub arity: Arity,
    /// Flags as in Redis; `COMMAND INFO` shows them.
    pub flags: &'static [&'static str],
    /// Which of its arguments are keys.
    pub keys: Keys,
    /// ACL categories as in Redis, without those that follow from the flags and the group.
    pub categories: &'static [&'static str],
    /// Group as in Redis; `COMMAND DOCS` shows it.
    pub group: &'static str,
    /// What it does, in one line; `COMMAND DOCS` and the `HELP` subcommands show it.
    pub summary: &'static str,
    /// The first version of Redis that has it.
    pub since: &'static str,
    /// How the time that it takes grows, in words; `COMMAND DOCS` shows it.
    pub complexity: &'static str,
    /// True if it runs only where `enable-debug-command` allows it.
    pub debug: bool,
    /// True if it may take long, whatever its arguments are. Every call of it is timed.
    pub heavy: bool,
    /// True if it may add to the memory that keys hold. It is refused when the memory is used up.
    pub grows: bool,
    /// True if it reads keys, and changes at most what they cache of themselves.
    pub reads: bool,
    /// True if it changes keys or sends something to other clients. `CLIENT PAUSE WRITE` holds it.
    pub writes: bool,
    /// What happens to it inside a transaction.
    pub multi: Multi,
    /// True if a subscriber that speaks RESP2 may use it.
    pub subscriber: bool,
    /// Subcommands of a container; empty for other commands.
    pub subcommands: &'static [Command],
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What happens to a command that comes after `MULTI`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multi {
    /// It waits in the queue until `EXEC`.
    Queued,
    /// It runs at once.
    AtOnce,
    /// It is refused, and `EXEC` will refuse the whole transaction.
    Refused,
}

/// How many arguments a command takes, its name (and subcommand) included. As in Redis, `n` means exactly
/// `n` arguments, and `-n` means `n` or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity(pub i8);

impl Arity {
    /// True if a request may have `count` arguments.
    #[inline]
    pub fn allows(self, count: usize) -> bool {
        let least = usize::from(self.0.unsigned_abs());
        if self.0 < 0 { count >= least } else { count == least }
    }
}

/// Which arguments of a command are keys. Positions count from 0, which is the command's name.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Position of the first key; 0 if the command has no keys.
    pub first: u8,
    /// Position of the last key. A negative one counts from the end: -1 is the last argument.
    pub last: i8,
    /// Distance from one key to the next, in arguments.
    pub step: u8,
    /// The keys that come after those of the other fields.
    pub more: More,
}

/// Keys whose positions depend on the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// There are none.
    None,
    /// As many keys as the argument at this position says. They follow it.
    Counted(u8),
    /// The first half of what follows the word `STREAMS`.
    Streams,
    /// The key behind one of the words `STORE` and `STOREDIST`, which may stand from this position on.
    Stored(u8),
}

impl Keys {
    /// True if the command has no keys.
    pub fn is_none(self) -> bool {
        self.first == 0 && matches!(self.more, More::None)
    }

    /// The positions of the keys in a request. Some may be behind its end.
    #[inline]
    pub fn positions(self, args: Args<'_>) -> impl Iterator<Item = usize> + use<> {
        let last = match self.last {
            from_end if from_end < 0 => args.len().saturating_sub(usize::from(from_end.unsigned_abs())),
            last => last as usize,
        };
        let fixed = if self.first == 0 { 0..0 } else { usize::from(self.first)..last + 1 };
        let more = match self.more {
            More::None => 0..0,
            More::Counted(at) => counted(usize::from(at), args),
            More::Streams => streams(args),
            More::Stored(from) => stored(usize::from(from), args),
        };
        fixed.step_by(usize::from(self.step.max(1))).chain(more)
    }

    /// The keys among `args`.
    #[inline]
    pub fn of<'a>(self, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.positions(args).filter_map(move |position| args.get(position))
    }
}

/// The positions of the keys that the argument at `at` counts. None if that is no number, or more than there are arguments.
#[cold]
fn counted(at: usize, args: Args<'_>) -> std::ops::Range<usize> {
    let count = args.get(at).and_then(parse_i64).and_then(|count| usize::try_from(count).ok());
    match count {
        Some(count) if count < args.len() - at => at + 1..at + 1 + count,
        _ => 0..0,
    }
}

/// The positions of the keys behind the word `STREAMS`. Before it, there are only options of `XREAD` and `XREADGROUP`.
#[cold]
fn streams(args: Args<'_>) -> std::ops::Range<usize> {
    let mut at = 1;
    while let Some(word) = args.get(at) {
        at += 1 + match word {
            _ if word.eq_ignore_ascii_case(b"BLOCK") || word.eq_ignore_ascii_case(b"COUNT") => 1,
            _ if word.eq_ignore_ascii_case(b"GROUP") => 2,
            _ if word.eq_ignore_ascii_case(b"NOACK") => 0,
            _ if word.eq_ignore_ascii_case(b"STREAMS") => {
                let rest = args.len() - at - 1;
                return if rest.is_multiple_of(2) { at + 1..at + 1 + rest / 2 } else { 0..0 };
            }
            _ => break,
        };
    }
    0..0
}

/// The position of the key behind `STORE` or `STOREDIST`. If there are several, the last one counts.
#[cold]
fn stored(from: usize, args: Args<'_>) -> std::ops::Range<usize> {
    let (mut at, mut found) = (from, 0..0);
    while at + 1 < args.len() {
        if args[at].eq_ignore_ascii_case(b"STORE") || args[at].eq_ignore_ascii_case(b"STOREDIST") {
            found = at + 1..at + 2;
            at += 1;
        }
        at += 1;
    }
    found
}

/// The command has no keys.
pub(super) const NO_KEYS: Keys = Keys { first: 0, last: 0, step: 0, more: More::None };
/// The first argument after the name is the only key.
pub(super) const ONE_KEY: Keys = Keys { first: 1, last: 1, step: 1, more: More::None };
/// The argument after the name of the subcommand is the only key.
pub(super) const SECOND_KEY: Keys = Keys { first: 2, last: 2, step: 1, more: More::None };
/// The first two arguments after the name are keys.
pub(super) const TWO_KEYS: Keys = Keys { first: 1, last: 2, step: 1, more: More::None };
/// All arguments after the name are keys.
pub(super) const ALL_KEYS: Keys = Keys { first: 1, last: -1, step: 1, more: More::None };
/// The arguments after the name are pairs of a key and a value.
pub(super) const PAIRS: Keys = Keys { first: 1, last: -1, step: 2, more: More::None };

/// The first argument after the name says how many keys follow.
pub(super) const COUNTED: Keys = Keys { more: More::Counted(1), ..NO_KEYS };

/// The first half of the arguments behind the word `STREAMS` are keys.
pub(super) const STREAMS: Keys = Keys { more: More::Streams, ..NO_KEYS };

/// True if `wanted` is one of `flags`.
const fn has(flags: &[&str], wanted: &[u8]) -> bool {
    let mut at = 0;
    while at < flags.len() {
        if same(flags[at].as_bytes(), wanted) {
            return true;
        }
        at += 1;
    }
    false
}

/// True if both are equal. Constants need this function, because the compiler cannot evaluate `==` on
/// slices.
pub(super) const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// True if `one` comes before `other` in the order of their bytes. For constants too.
pub(super) const fn is_before(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() {
        if one[at] != other[at] {
            return one[at] < other[at];
        }
        at += 1;
    }
    one.len() < other.len()
}

/// A row of the catalog, with what most commands have in common: no keys, no subcommands, constant time.
/// The methods below change the rest.
pub(super) const fn row(
    name: &'static str,
    arity: i8,
    flags: &'static [&'static str],
    group: &'static str,
    since: &'static str,
    summary: &'static str,
) -> Command {
    Command {
        id: 0,
        name,
        arity: Arity(arity),
        flags,
        categories: &[],
        keys: NO_KEYS,
        group,
        summary,
        since,
        complexity: "O(1)",
        debug: false,
        heavy: false,
        grows: has(flags, b"denyoom"),
        reads: has(flags, b"readonly"),
        writes: has(flags, b"write"),
        multi: if has(flags, b"no_multi") { Multi::Refused } else { Multi::Queued },
        subscriber: false,
        subcommands: &[],
    }
}

impl Command {
    /// Says which arguments are keys.
    pub(super) const fn keys(mut self, keys: Keys) -> Command {
        self.keys = keys;
        self
    }

    /// Adds ACL categories that do not follow from the flags and the group.
    pub(super) const fn acl(mut self, categories: &'static [&'static str]) -> Command {
        self.categories = categories;
        self
    }

    /// Says how its time grows.
    pub(super) const fn complexity(mut self, complexity: &'static str) -> Command {
        self.complexity = complexity;
        self
    }

    /// It runs only where `enable-debug-command` allows it.
    pub(super) const fn debug(mut self) -> Command {
        self.debug = true;
        self
    }

    /// It may take long, so every call is timed.
    pub(super) const fn heavy(mut self) -> Command {
        self.heavy = true;
        self
    }

    /// It runs at once, even inside a transaction.
    pub(super) const fn at_once(mut self) -> Command {
        self.multi = Multi::AtOnce;
        self
    }

    /// It sends something to other clients, so `CLIENT PAUSE WRITE` holds it, although it changes no keys.
    pub(super) const fn speaks(mut self) -> Command {
        self.writes = true;
        self
    }

    /// It writes what it has computed into the key, although it counts as a read. So `CLIENT PAUSE WRITE` holds it.
    pub(super) const fn refreshes(mut self) -> Command {
        self.writes = true;
        self
    }

    /// A subscriber that speaks RESP2 may use it.
    pub(super) const fn for_subscribers(mut self) -> Command {
        self.subscriber = true;
        self
    }

    /// It has these subcommands.
    pub(super) const fn container(mut self, subcommands: &'static [Command]) -> Command {
        self.subcommands = subcommands;
        self
    }
}
