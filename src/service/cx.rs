//! What a command gets to see, and how it fails.
//!
//! The rule every command keeps: check first, reply next, commit last. A command that panics before
//! its commit has changed nothing, and a commit cannot panic half-way.

use std::borrow::Cow;

use super::outbox::Outbox;
use super::session::{Session, Sessions};
use super::table::Command;
use crate::base::{ConnId, Now, OutOfMemory, Reason};
use crate::config::Config;
use crate::resp::{Args, Reply, parse_i64};
use crate::stats::Stats;
use crate::store::{Prepared, Store, WARMED_MAX};

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

    /// The value of `key`, counted as a hit or a miss.
    pub fn lookup(&mut self, key: &[u8]) -> Option<&[u8]> {
        let found = self.store.get(key, self.now.unix_ms);
        match found {
            Some(_) => self.stats.keyspace_hits += 1,
            None => self.stats.keyspace_misses += 1,
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

    /// Replies with the value of `key` or null.
    pub fn reply_value(&mut self, key: &[u8]) {
        let found = self.store.get(key, self.now.unix_ms);
        match found {
            Some(_) => self.stats.keyspace_hits += 1,
            None => self.stats.keyspace_misses += 1,
        }
        self.reply.bulk_or_null(found);
    }

    /// Gets everything ready to write `value` under `key`.
    ///
    /// # Errors
    /// If memory runs out; nothing has changed.
    pub fn prepare<'b>(&mut self, key: &'b [u8], value: &'b [u8]) -> Result<Prepared<'b>, Failure> {
        Ok(self.store.prepare(key, value)?)
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
