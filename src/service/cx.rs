//! What a command gets to see, and how it fails.
//!
//! The rule every command keeps: check first, reply next, commit last. A command that panics before
//! its commit has changed nothing, and a commit cannot panic half-way.

use std::borrow::Cow;

use super::outbox::Outbox;
use super::session::{Session, Sessions};
use super::table::Command;
use crate::base::{ConnId, Now, OutOfMemory, Reason};
use crate::config::{Config, PATTERN_BYTES_MAX};
use crate::resp::{Args, Reply, parse_i64};
use crate::stats::Stats;
use crate::store::{Prepared, Store, WARMED_MAX, WriteError, WrongKind};

/// A command's surroundings while it runs.
pub struct Cx<'a> {
    /// The request; the first argument is the command's name.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// Who asks.
    pub me: ConnId,
    /// Both clocks, as of the start of this tick.
    pub now: Now,
    /// When the server started.
    pub started: Now,
    /// The keyspace.
    pub store: &'a mut Store,
    /// All clients' sessions.
    pub sessions: &'a mut Sessions,
    /// What is asked of the server.
    pub outbox: &'a mut Outbox,
    /// The settings.
    pub config: &'a mut Config,
    /// The counters.
    pub stats: &'a mut Stats,
    /// The entry of the table that is being run.
    pub command: &'static Command,
    /// Set to end the connection once its replies are delivered.
    pub close: Option<Reason>,
}

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

    /// An error that quotes something.
    pub fn quoting(text: String) -> Failure {
        Failure(Cow::Owned(text.into_bytes()))
    }
}

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
        self.sessions.get_mut(self.me.slot).expect("a turn has a session")
    }

    /// The string of `key`, counted as a hit or a miss.
    ///
    /// # Errors
    /// If the key holds something else.
    pub fn lookup(&mut self, key: &[u8]) -> Result<Option<&[u8]>, WrongKind> {
        let found = self.store.get(key, self.now.unix_ms);
        match found {
            Ok(None) => self.stats.keyspace_misses += 1,
            Ok(Some(_)) | Err(WrongKind) => self.stats.keyspace_hits += 1,
        }
        found
    }

    /// To be called before each of a command's keys is looked up, which are `step` arguments apart:
    /// lets their waits for memory overlap. At a million keys an `MGET` then takes a third.
    #[inline]
    pub fn read_ahead(&self, nth: usize, step: usize) {
        if nth.is_multiple_of(WARMED_MAX) && self.args.len() > 1 + step {
            self.store.warm(self.args.from(1 + nth * step).step_by(step));
        }
    }

    /// Replies with the string of `key` or null.
    ///
    /// # Errors
    /// If the key holds something else.
    #[inline]
    pub fn reply_value(&mut self, key: &[u8]) -> Result<(), WrongKind> {
        match self.store.get(key, self.now.unix_ms) {
            Ok(Some(value)) => {
                self.stats.keyspace_hits += 1;
                self.reply.bulk(value);
            }
            Ok(None) => {
                self.stats.keyspace_misses += 1;
                self.reply.null();
            }
            Err(wrong) => {
                self.stats.keyspace_hits += 1;
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
        Ok(self.store.prepare(key, value)?)
    }
}

/// The pattern `word`, if it is short enough to be matched within a turn.
///
/// # Errors
/// If it is not.
pub fn pattern(word: &[u8]) -> Result<&[u8], Failure> {
    if word.len() > PATTERN_BYTES_MAX {
        let text = format!("ERR pattern of {} bytes exceeds {PATTERN_BYTES_MAX}", word.len());
        return Err(Failure::quoting(text));
    }
    Ok(word)
}

/// True if `word` is `name` in any case.
pub fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

/// Bytes of a request as they may stand in an error text: at most `max` of them.
pub fn shown(bytes: &[u8], max: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(&bytes[..bytes.len().min(max)])
}
