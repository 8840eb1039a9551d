//! What a command sees, and how it fails.
//!
//! Every command keeps one rule: first it checks and reserves, then it commits and replies. While it checks
//! and reserves, it has changed nothing, so it may fail or panic. While it commits, it can do neither.

use std::borrow::Cow;
use std::ops::Range;

use super::command::Command;
use super::events::KEYMISS;
use super::session::Session;
use super::wires::Wires;
use super::world::World;
use crate::base::{ConnId, OutOfMemory, Reason, Shared};
use crate::config::CLOCK_COMMANDS;
use crate::resp::{Args, Reply, parse_i64};
use crate::stats::COMMANDS_MAX;
use crate::store::{Prepared, WARMED_MAX, WriteError, WrongKind};

/// One command while it runs.
pub struct Cx<'a> {
    /// What the command acts on.
    pub world: &'a mut World,
    /// The request; the first argument is the command's name.
    pub args: Args<'a>,
    /// Where the command writes its reply.
    pub reply: Reply<'a>,
    /// The client that sent the command.
    pub me: ConnId,
    /// The memory in which the arguments lie, if a value may keep it instead of being copied.
    pub memory: Option<&'a Shared>,
    /// The other clients.
    pub wires: &'a mut dyn Wires,
    /// The command's row in the catalog.
    pub command: &'static Command,
    /// The function of each command of the catalog; `EXEC` calls them.
    pub runs: &'static Runs,
    /// True if the command runs inside a transaction. There `now` does not change from command to command.
    pub inside: bool,
    /// A command sets this to end the connection once its replies are delivered.
    pub close: Option<Reason>,
}

/// The function that runs a command.
pub type Run = fn(&mut Cx<'_>) -> Outcome;

/// The function of each command, by [`Command::id`].
pub type Runs = [Run; COMMANDS_MAX];

/// An error reply: the text without the `-` before it and the CRLF after it. Clients tell errors apart by
/// the first word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub Cow<'static, [u8]>);

/// What a command returns. If it succeeds, it has written its reply.
pub type Outcome = Result<(), Failure>;

impl Failure {
    /// An error with a fixed text.
    pub const fn text(text: &'static str) -> Failure {
        Failure(Cow::Borrowed(text.as_bytes()))
    }

    /// An error whose text contains a number, a name or a reason.
    pub fn telling(text: String) -> Failure {
        Failure(Cow::Owned(text.into_bytes()))
    }

    /// An error that quotes bytes of a request between two texts of ours. It quotes the bytes as they came,
    /// but only as many as [`quotable`] allows.
    pub fn quoting(before: &str, bytes: &[u8], after: &str) -> Failure {
        let quoted = quotable(bytes, QUOTED_MAX);
        Failure(Cow::Owned([before.as_bytes(), quoted, after.as_bytes()].concat()))
    }
}

/// Most bytes of a request that an error quotes in one piece.
pub const QUOTED_MAX: usize = 128;

/// The error for options that a command does not have, or that do not go together.
pub const SYNTAX: Failure = Failure::text("ERR syntax error");
/// The error for an argument that is no signed 64-bit decimal number.
pub const NOT_INTEGER: Failure = Failure::text("ERR value is not an integer or out of range");

impl From<OutOfMemory> for Failure {
    fn from(_: OutOfMemory) -> Failure {
        Failure::text("OOM the system has no memory left for this command")
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
            WriteError::Crowded => Failure::text("ERR too many keys share the first bits of this key's hash"),
        }
    }
}

impl<'a> Cx<'a> {
    /// The argument at `index`, borrowed from the request.
    ///
    /// # Panics
    /// If the request has fewer arguments. The arity in the catalog says how many there are at least.
    pub fn arg(&self, index: usize) -> &'a [u8] {
        self.args.get(index).expect("the table's arity covers it")
    }

    /// Redis's error for a request with too few or too many arguments.
    pub fn wrong_number(&self) -> Failure {
        let text = format!("ERR wrong number of arguments for '{}' command", self.command.name);
        Failure::telling(text)
    }

    /// The argument at `index` as an integer.
    ///
    /// # Errors
    /// [`NOT_INTEGER`] if it is none.
    pub fn int(&self, index: usize) -> Result<i64, Failure> {
        parse_i64(self.arg(index)).ok_or(NOT_INTEGER)
    }

    /// The argument at `index` as the number of a database.
    ///
    /// # Errors
    /// If it is no number, or a number that no database has.
    pub fn database(&self, index: usize) -> Result<u16, Failure> {
        let number = self.int(index)?;
        if i32::try_from(number).is_err() {
            let text = "ERR value is out of range, value must between -2147483648 and 2147483647";
            return Err(Failure::text(text));
        }
        let db = u16::try_from(number).ok().filter(|db| *db < self.world.config.databases);
        db.ok_or(Failure::text("ERR DB index is out of range"))
    }

    /// The session of the client that sent the command.
    ///
    /// # Panics
    /// If there is none. A turn runs commands only for a client with a session.
    pub fn session(&mut self) -> &mut Session {
        self.world.sessions.get_mut(self.me.slot).expect("a turn has a session")
    }

    /// The time of this command in Unix milliseconds: not the time at which the tick began, so that a time
    /// to live is not too short. All commands of a transaction get the same time.
    pub fn exact_unix_ms(&mut self) -> u64 {
        if !self.inside && self.world.clock_age() >= CLOCK_COMMANDS {
            self.world.refresh();
        }
        self.world.now.unix_ms
    }

    /// The error in the place of a reply that did not fit.
    pub fn reply_too_long(&self) -> Failure {
        reply_too_long(self.world.config.max_reply_bytes)
    }

    /// Checks that the reply so far has fitted. A command calls this before it commits a change that must
    /// not happen without this reply.
    ///
    /// # Errors
    /// [`Cx::reply_too_long`] if a part of the reply is missing.
    pub fn whole_reply(&self) -> Outcome {
        if self.reply.overflowed() { Err(self.reply_too_long()) } else { Ok(()) }
    }

    /// Fetches the next keys of a command into the processor's cache, so that the waits for memory overlap.
    /// A command whose keys are `step` arguments apart calls this before it looks up each key; `nth` is the
    /// number of the key, from 0. With a million keys, an `MGET` then takes a third of the time.
    #[inline]
    pub fn read_ahead(&self, nth: usize, step: usize) {
        if nth.is_multiple_of(WARMED_MAX) && self.args.len() > 1 + step {
            self.world.store.warm(self.args.from(1 + nth * step).step_by(step), std::iter::empty());
        }
    }

    /// Replies with the string of `key`, or null if there is none. Counts a hit or a miss.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds something else; nothing has been written then.
    #[inline]
    pub fn reply_value(&mut self, key: &[u8]) -> Result<(), WrongKind> {
        match self.world.store.get(key, self.world.now.unix_ms) {
            Ok(Some(value)) => {
                self.world.stats.keyspace_hits += 1;
                let len = value.len();
                if len < self.world.config.bounds.kept_bytes_min {
                    self.reply.bulk(value);
                } else {
                    self.reply_long(key, 0..len);
                }
            }
            Ok(None) => {
                self.world.stats.keyspace_misses += 1;
                self.world.store.tell(KEYMISS, key);
                self.reply.null();
            }
            Err(wrong) => {
                self.world.stats.keyspace_hits += 1;
                return Err(wrong);
            }
        }
        Ok(())
    }

    /// Replies with a part of the string of `key`, which is long. The string is not copied, if that can be avoided.
    #[cold]
    #[inline(never)]
    pub fn reply_long(&mut self, key: &[u8], part: Range<usize>) {
        let now_ms = self.world.now.unix_ms;
        let len = self.world.store.get(key, now_ms).ok().flatten().map_or(0, <[u8]>::len);
        if self.reply.shares()
            && part.len() >= len / 2
            && let Some((memory, string)) = self.world.store.share(key)
        {
            self.reply.shared_bulk(&memory, string.start + part.start..string.start + part.end);
        } else if let Ok(Some(string)) = self.world.store.get(key, now_ms) {
            self.reply.bulk(string.get(part).unwrap_or_default());
        }
    }

    /// Reserves what it takes to write `value` under `key`.
    ///
    /// # Errors
    /// If memory runs out, or if too many keys have similar hashes; nothing has changed then.
    #[inline(always)]
    pub fn prepare<'b>(&mut self, key: &'b [u8], value: &'b [u8]) -> Result<Prepared<'b>, Failure> {
        self.notice_expired(key);
        match self.memory {
            None => Ok(self.world.store.prepare(key, value)?),
            Some(memory) => self.prepare_in(key, value, memory),
        }
    }

    /// The same, for a request that lies in `memory`. A value that fills most of that memory is going to stay there.
    #[cold]
    #[inline(never)]
    fn prepare_in<'b>(
        &mut self,
        key: &'b [u8],
        value: &'b [u8],
        memory: &Shared,
    ) -> Result<Prepared<'b>, Failure> {
        match self.world.store.prepare_kept(key, value, memory)? {
            Some(kept) => Ok(kept),
            None => Ok(self.world.store.prepare(key, value)?),
        }
    }

    /// Removes a key that has expired, before a command overwrites it without looking: if somebody wants to hear of
    /// events, that is one.
    #[inline]
    pub fn notice_expired(&mut self, key: &[u8]) {
        if self.world.store.wants_events() {
            self.world.drop_expired(key);
        }
    }
}

/// The error in the place of a reply that did not fit into `max` bytes.
pub fn reply_too_long(max: usize) -> Failure {
    Failure::telling(format!("ERR reply exceeds max-reply-bytes ({max}) or the memory that is left"))
}

/// True if `word` is `name`, in upper or lower case.
pub fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

/// The part of `bytes` that an error may quote: at most `max` bytes, and only the bytes before the first
/// NUL. Redis stops there too, because C ends a string at a NUL.
pub fn quotable(bytes: &[u8], max: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(max)];
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}
