//! What a command gets to see, and how it fails.
//!
//! The rule every command keeps: check and reserve first, then commit and reply. What checks and
//! reserves may fail or panic and has changed nothing; what commits can do neither.

use std::borrow::Cow;

use super::command::Command;
use super::session::Session;
use super::world::World;
use crate::base::{ConnId, OutOfMemory, Reason, Wires};
use crate::resp::{Args, Reply, parse_i64};
use crate::stats::COMMANDS_MAX;
use crate::store::{Prepared, WARMED_MAX, WriteError, WrongKind};

/// One command while it runs.
pub struct Cx<'a> {
    /// What it acts on.
    pub world: &'a mut World,
    /// The request; the first argument is the command's name.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// Who asks.
    pub me: ConnId,
    /// All connections, to be looked at.
    pub wires: &'a dyn Wires,
    /// The entry of the catalog that is being run.
    pub command: &'static Command,
    /// What runs each command of the catalog.
    pub runs: &'static Runs,
    /// It runs inside a transaction, where time stands still.
    pub inside: bool,
    /// Set to end the connection once its replies are delivered.
    pub close: Option<Reason>,
}

/// What a command does.
pub type Run = fn(&mut Cx<'_>) -> Outcome;

/// What each command does, by [`Command::id`].
pub type Runs = [Run; COMMANDS_MAX];

/// An error reply; its first word is the code that clients branch on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub Cow<'static, [u8]>);

/// What a command returns.
pub type Outcome = Result<(), Failure>;

impl Failure {
    /// An error with a fixed text.
    pub const fn text(text: &'static str) -> Failure {
        Failure(Cow::Borrowed(text.as_bytes()))
    }

    /// An error that tells a number, a name or a reason.
    pub fn telling(text: String) -> Failure {
        Failure(Cow::Owned(text.into_bytes()))
    }

    /// An error that quotes bytes of a request between two texts of ours: as they came, but cut as
    /// [`quotable`] says.
    pub fn quoting(before: &str, bytes: &[u8], after: &str) -> Failure {
        let quoted = quotable(bytes, QUOTED_MAX);
        Failure(Cow::Owned([before.as_bytes(), quoted, after.as_bytes()].concat()))
    }
}

/// What an error text quotes of a request at most, bytes.
pub const QUOTED_MAX: usize = 128;

/// The words do not make sense together.
pub const SYNTAX: Failure = Failure::text("ERR syntax error");
/// Not a 64-bit decimal.
pub const NOT_INTEGER: Failure = Failure::text("ERR value is not an integer or out of range");

impl From<OutOfMemory> for Failure {
    fn from(_: OutOfMemory) -> Failure {
        Failure::text("OOM the system has no memory left for this")
    }
}

impl From<WrongKind> for Failure {
    fn from(_: WrongKind) -> Failure {
        Failure::text("WRONGTYPE Operation against a key holding the wrong kind of value")
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Failure {
        match error {
            WriteError::OutOfMemory => OutOfMemory.into(),
            WriteError::WrongKind => WrongKind.into(),
            WriteError::Crowded => Failure::text("ERR the hashes of too many keys begin as this key's does"),
        }
    }
}

impl<'a> Cx<'a> {
    /// The argument at `index`, for as long as the request lives.
    ///
    /// # Panics
    /// If there is none; the arity in the table says which there are.
    pub fn arg(&self, index: usize) -> &'a [u8] {
        self.args.get(index).expect("the table's arity covers it")
    }

    /// The argument at `index` as an integer.
    ///
    /// # Errors
    /// Redis's text for anything that is none.
    pub fn int(&self, index: usize) -> Result<i64, Failure> {
        parse_i64(self.arg(index)).ok_or(NOT_INTEGER)
    }

    /// The session of who asks.
    ///
    /// # Panics
    /// If there is none, which the turn has made sure of.
    pub fn session(&mut self) -> &mut Session {
        self.world.sessions.get_mut(self.me.slot).expect("a turn has a session")
    }

    /// The time as of this command, not as of the start of the tick: a time to live counts from here.
    /// Unix milliseconds.
    pub fn exact_unix_ms(&mut self) -> u64 {
        if !self.inside {
            self.world.refresh();
        }
        self.world.now.unix_ms
    }

    /// What is said instead of a reply that did not fit.
    pub fn reply_too_long(&self) -> Failure {
        let max = self.world.config.max_reply_bytes;
        Failure::telling(format!("ERR reply exceeds max-reply-bytes ({max}) or the memory there is"))
    }

    /// Makes sure that all that was replied so far did fit, before what depends on it is committed.
    ///
    /// # Errors
    /// If it did not.
    pub fn whole_reply(&self) -> Outcome {
        if self.reply.overflowed() { Err(self.reply_too_long()) } else { Ok(()) }
    }

    /// The string of `key`, counted as a hit or a miss.
    ///
    /// # Errors
    /// If the key holds something else.
    pub fn lookup(&mut self, key: &[u8]) -> Result<Option<&[u8]>, WrongKind> {
        let found = self.world.store.get(key, self.world.now.unix_ms);
        match found {
            Ok(None) => self.world.stats.keyspace_misses += 1,
            Ok(Some(_)) | Err(WrongKind) => self.world.stats.keyspace_hits += 1,
        }
        found
    }

    /// To be called before each of a command's keys is looked up, which are `step` arguments apart:
    /// lets their waits for memory overlap. At a million keys an `MGET` then takes a third.
    #[inline]
    pub fn read_ahead(&self, nth: usize, step: usize) {
        if nth.is_multiple_of(WARMED_MAX) && self.args.len() > 1 + step {
            self.world.store.warm(self.args.from(1 + nth * step).step_by(step));
        }
    }

    /// Replies with the string of `key` or null.
    ///
    /// # Errors
    /// If the key holds something else.
    #[inline]
    pub fn reply_value(&mut self, key: &[u8]) -> Result<(), WrongKind> {
        match self.world.store.get(key, self.world.now.unix_ms) {
            Ok(Some(value)) => {
                self.world.stats.keyspace_hits += 1;
                self.reply.bulk(value);
            }
            Ok(None) => {
                self.world.stats.keyspace_misses += 1;
                self.reply.null();
            }
            Err(wrong) => {
                self.world.stats.keyspace_hits += 1;
                return Err(wrong);
            }
        }
        Ok(())
    }

    /// Gets everything ready to write `value` under `key`.
    ///
    /// # Errors
    /// If memory runs out; nothing has changed.
    pub fn prepare<'b>(&mut self, key: &'b [u8], value: &'b [u8]) -> Result<Prepared<'b>, Failure> {
        Ok(self.world.store.prepare(key, value)?)
    }
}

/// True if `word` is `name` in any case.
pub fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

/// Bytes of a request as far as an error text quotes them: up to the first NUL, where C's strings
/// end and so Redis's quotations, and at most `max` of them.
pub fn quotable(bytes: &[u8], max: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(max)];
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}
