//! What is declared of a command: its name, its arguments, its flags.

use crate::resp::Args;

/// One command or subcommand.
#[derive(Clone, Copy)]
pub struct Command {
    /// Its place among the counters.
    pub id: u8,
    /// Lower case; a subcommand's has its container's before it, as in `client|id`.
    pub name: &'static str,
    /// How many arguments, the name included.
    pub arity: Arity,
    /// Redis's flags, as `COMMAND INFO` shows them.
    pub flags: &'static [&'static str],
    /// Which arguments are keys.
    pub keys: Keys,
    /// Redis's ACL categories beyond those that follow from flags and group.
    pub categories: &'static [&'static str],
    /// Redis's group, as `COMMAND DOCS` shows it.
    pub group: &'static str,
    /// One line.
    pub summary: &'static str,
    /// The version of Redis that had it first.
    pub since: &'static str,
    /// In the sizes of its arguments and of the keyspace.
    pub complexity: &'static str,
    /// True if `enable-debug-command` must allow it.
    pub debug: bool,
    /// It may take long, whatever its arguments: its time is always taken.
    pub heavy: bool,
    /// It changes keys or speaks to other clients: `CLIENT PAUSE WRITE` holds it.
    pub writes: bool,
    /// What it may do inside a transaction.
    pub multi: Multi,
    /// A subscriber that speaks RESP2 may use it.
    pub subscriber: bool,
    /// A container's subcommands.
    pub subcommands: &'static [Command],
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What becomes of a command that comes after `MULTI`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multi {
    /// It is queued until `EXEC`.
    Queued,
    /// It runs at once.
    AtOnce,
    /// It is refused, and the transaction with it.
    Refused,
}

/// How many arguments a command takes, its name (and subcommand) included: Redis's convention of
/// `n` for exactly and `-n` for at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity(pub i8);

impl Arity {
    /// True if `count` arguments are right.
    #[inline]
    pub fn allows(self, count: usize) -> bool {
        let least = usize::from(self.0.unsigned_abs());
        if self.0 < 0 { count >= least } else { count == least }
    }
}

/// Which arguments are keys: the first and last position and the step between; a negative last
/// counts from the end.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Position of the first key; 0 if there is none.
    pub first: u8,
    /// Position of the last key.
    pub last: i8,
    /// Distance between keys.
    pub step: u8,
}

impl Keys {
    /// The keys among `args`.
    #[inline]
    pub fn of<'a>(self, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let last = match self.last {
            from_end if from_end < 0 => args.len().saturating_sub(usize::from(from_end.unsigned_abs())),
            last => last as usize,
        };
        let positions = if self.first == 0 { 0..0 } else { usize::from(self.first)..last + 1 };
        positions.step_by(usize::from(self.step.max(1))).filter_map(move |position| args.get(position))
    }
}

pub(super) const NO_KEYS: Keys = Keys { first: 0, last: 0, step: 0 };
pub(super) const ONE_KEY: Keys = Keys { first: 1, last: 1, step: 1 };
pub(super) const ALL_KEYS: Keys = Keys { first: 1, last: -1, step: 1 };
pub(super) const PAIRS: Keys = Keys { first: 1, last: -1, step: 2 };

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

/// Compares at compile time, where `==` cannot.
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

/// What most rows share: no keys, no subcommands, constant time.
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
        writes: has(flags, b"write"),
        multi: if has(flags, b"no_multi") { Multi::Refused } else { Multi::Queued },
        subscriber: false,
        subcommands: &[],
    }
}

impl Command {
    pub(super) const fn keys(mut self, keys: Keys) -> Command {
        self.keys = keys;
        self
    }

    pub(super) const fn acl(mut self, categories: &'static [&'static str]) -> Command {
        self.categories = categories;
        self
    }

    pub(super) const fn complexity(mut self, complexity: &'static str) -> Command {
        self.complexity = complexity;
        self
    }

    pub(super) const fn debug(mut self) -> Command {
        self.debug = true;
        self
    }

    pub(super) const fn heavy(mut self) -> Command {
        self.heavy = true;
        self
    }

    /// It is run at once, also inside a transaction.
    pub(super) const fn at_once(mut self) -> Command {
        self.multi = Multi::AtOnce;
        self
    }

    pub(super) const fn speaks(mut self) -> Command {
        self.writes = true;
        self
    }

    pub(super) const fn for_subscribers(mut self) -> Command {
        self.subscriber = true;
        self
    }

    pub(super) const fn container(mut self, subcommands: &'static [Command]) -> Command {
        self.subcommands = subcommands;
        self
    }
}
