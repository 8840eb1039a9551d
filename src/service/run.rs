//! Checks, runs and counts one command. Every command goes through here: those that clients send, and those
//! that a transaction has queued.

use super::command::Command;
use super::cx::{Cx, Failure, Outcome, Runs};
use super::latency::Event;
use super::session::{Session, Sessions};
use super::slowlog::{Entry, cut};
use super::wires::Wires;
use super::world::World;
use crate::base::{ConnId, Moment, Reason, Shared};
use crate::config::{Config, DebugCommand, LONG_REQUEST_ARGS, LONG_REQUEST_BYTES, TIMED_CALLS};
use crate::resp::{Args, Reply};
use crate::stats::COMMANDS_MAX;

/// One command that is to be run.
pub struct Call<'a> {
    /// The client that sent the command.
    pub me: ConnId,
    /// The request; the first argument is the command's name.
    pub args: Args<'a>,
    /// The command's row in the catalog.
    pub command: &'static Command,
    /// The memory in which the arguments lie, if a value may keep it instead of being copied.
    pub memory: Option<&'a Shared>,
    /// The other clients.
    pub wires: &'a mut dyn Wires,
    /// True if it runs inside a transaction.
    pub inside: bool,
}

impl World {
    /// Runs a command that has passed [`check`]. Writes its reply to `reply`, or an error if the command
    /// fails. Returns a reason if the connection must end.
    ///
    /// It is inlined, because the call took 15 of the 500 instructions of a `PING`.
    #[inline(always)]
    pub fn run(&mut self, call: Call<'_>, runs: &'static Runs, reply: Reply<'_>) -> Option<Reason> {
        let Call { me, args, command, memory, wires, inside } = call;
        let asks = self.outbox.asks.len();
        let timing = self.count_call(command, args, inside);
        let mut cx = Cx { world: self, args, reply, me, memory, wires, command, runs, inside, close: None };
        let outcome = runs[usize::from(command.id) % COMMANDS_MAX](&mut cx);
        let failed = conclude(outcome, &mut cx);
        let close = cx.close;
        if failed {
            self.outbox.forget_unfinished(asks);
            self.stats.per_command[command.id].failed += 1;
        }
        self.stats.commands += 1;
        if self.observed {
            self.show_to_observers(me, command, args, inside);
        }
        self.tell_effects(Some(me));
        self.outbox.complete();
        if let Some(timing) = timing {
            let us = self.end_timing(&timing, command, inside);
            self.judge_time(me, command, args, us);
        }
        close
    }

    /// Runs a command while a script runs: one that the script has called, or one of a client that may not wait for it. It has
    /// passed its checks. Its effects and its asks wait for the end of the script, and so does the time. Returns a reason if
    /// the connection must end.
    pub fn run_in_script(&mut self, call: Call<'_>, runs: &'static Runs, reply: Reply<'_>) -> Option<Reason> {
        let Call { me, args, command, memory, wires, inside } = call;
        let asks = self.outbox.asks.len();
        let timing = self.count_call(command, args, inside);
        self.stats.commands += 1;
        let mut cx = Cx { world: self, args, reply, me, memory, wires, command, runs, inside, close: None };
        let outcome = runs[usize::from(command.id) % COMMANDS_MAX](&mut cx);
        let failed = conclude(outcome, &mut cx);
        let close = cx.close;
        if failed {
            self.outbox.asks.truncate(asks);
            self.stats.per_command[command.id].failed += 1;
        }
        if self.observed {
            self.show_to_observers(me, command, args, inside);
        }
        if let Some(timing) = timing {
            let us = self.end_timing(&timing, command, inside);
            self.judge_time(me, command, args, us);
        }
        close
    }

    /// Counts a call, and begins to take its time if that is wanted.
    #[inline(always)]
    fn count_call(&mut self, command: &Command, args: Args<'_>, inside: bool) -> Option<Timing> {
        let counted = &mut self.stats.per_command[command.id];
        counted.calls += 1;
        // Reading the clock for every command costs too much. A command that may take long is always timed.
        // Of the others, the first `TIMED_CALLS` are timed, and then one in `TIMED_EVERY`.
        let long = command.heavy || args.len() > LONG_REQUEST_ARGS || args.held_in() > LONG_REQUEST_BYTES;
        let sampled = counted.calls <= TIMED_CALLS || counted.calls & self.untimed_mask == 0;
        (long || sampled).then(|| self.begin_timing(long, inside))
    }

    /// Shows a command that has run to clients that track keys or monitor, and to the
    /// policy of eviction.
    #[cold]
    fn show_to_observers(&mut self, me: ConnId, command: &Command, args: Args<'_>, inside: bool) {
        if self.tracking.is_on() {
            // A read may change the key (`PFCOUNT` does), and the copy that the client makes is newer than that.
            if !self.in_script() {
                self.tell_effects(Some(me));
            }
            self.track_reads(me, command, args, inside);
        }
        if self.store.wants_uses() {
            self.note_uses(me, command, args);
        }
        // A request that runs again was shown when it began to wait, and a script before it called others.
        let was_shown = self.waiting.is_waking(me) || command.flags.contains(&"skip_monitor");
        if !self.monitors.is_empty() && !was_shown {
            self.show_to_monitors(me, command, args);
        }
    }

    #[cold]
    fn begin_timing(&mut self, exact: bool, inside: bool) -> Timing {
        if inside {
            return Timing { exact, began: self.read_clock().at };
        }
        if self.clock_age() > 0 {
            self.refresh();
        }
        Timing { exact, began: self.now.at }
    }

    #[cold]
    fn end_timing(&mut self, timing: &Timing, command: &'static Command, inside: bool) -> u64 {
        // The command may have been slow, and the next ones must not see a time that is too early. Inside a
        // transaction, however, time stands still.
        let now = if inside {
            self.read_clock()
        } else {
            self.refresh();
            self.now
        };
        let nanos = now.at.since(timing.began).as_nanos() as u64;
        let counted = &mut self.stats.per_command[command.id];
        if timing.exact {
            counted.timed += 1;
            counted.timed_ns += nanos;
        } else {
            counted.sampled += 1;
            counted.sampled_ns += nanos;
        }
        nanos / 1_000
    }

    /// Notes a command for `SLOWLOG` and `LATENCY` if it took long.
    #[cold]
    fn judge_time(&mut self, me: ConnId, command: &'static Command, args: Args<'_>, us: u64) {
        self.latency.count(command.id, us);
        if us >= self.slowest.1 {
            self.slowest = (command.name, us);
        }
        let unix_s = self.now.unix_ms / 1_000;
        let Config { slowlog_log_slower_than, slowlog_max_len, latency_monitor_threshold_ms, .. } =
            self.config;
        let is_slow = u64::try_from(slowlog_log_slower_than).is_ok_and(|limit| us >= limit);
        if is_slow
            && !command.flags.contains(&"skip_slowlog")
            && let Some(session) = self.sessions.get(me.slot)
        {
            let client = self.sessions.remote(session);
            let name = session.labels().name.clone();
            let entry = Entry { id: 0, unix_s, us, args: cut(command, args), client, name };
            self.slowlog.note(entry, slowlog_max_len);
        }
        if latency_monitor_threshold_ms > 0 && us >= latency_monitor_threshold_ms * 1_000 {
            let is_fast = command.flags.contains(&"fast");
            let event = if is_fast { Event::FastCommand } else { Event::Command };
            self.latency.sample(event, unix_s, us / 1_000);
        }
    }
}

/// A command whose time is being taken.
struct Timing {
    /// True if every call of this kind is timed; false if this call is a sample.
    exact: bool,
    /// When the command began.
    began: Moment,
}

/// Writes an error in the place of the reply if the command failed or the reply did not fit. Returns true
/// if it did that.
fn conclude(outcome: Outcome, cx: &mut Cx<'_>) -> bool {
    let failure = match outcome {
        Ok(()) if !cx.reply.overflowed() => return false,
        Ok(()) => cx.reply_too_long(),
        Err(failure) => failure,
    };
    cx.world.stats.count_error(&failure.0);
    cx.reply.replace_by_error(&failure.0);
    true
}

/// True if [`check`] must look at the request. It is false for nearly all requests, and their check is
/// skipped.
#[inline]
pub fn may_be_wrong(command: &Command, args: Args<'_>, config: &Config) -> bool {
    // If all bytes together are not too long for a key, then no key is too long.
    !command.arity.allows(args.len()) || args.held_in() > config.max_key_bytes || command.debug
}

/// Checks a request before it runs: the number of its arguments, the length of its keys, and whether the
/// client may use `DEBUG`.
///
/// # Errors
/// The error with which the request must be answered.
pub fn check(
    command: &'static Command,
    args: Args<'_>,
    config: &Config,
    sessions: &Sessions,
    me: ConnId,
) -> Result<(), Failure> {
    if !command.arity.allows(args.len()) {
        return Err(Failure::telling(format!(
            "ERR wrong number of arguments for '{}' command",
            command.name
        )));
    }
    if let Some(key) = command.keys.of(args).find(|key| key.len() > config.max_key_bytes) {
        return Err(Failure::telling(format!(
            "ERR key of {} bytes exceeds max-key-bytes ({})",
            key.len(),
            config.max_key_bytes
        )));
    }
    if command.debug && !debug_allowed(config, sessions.get(me.slot)) {
        return Err(Failure::text(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it \
             from a local connection, otherwise you need to set this option in the configuration file, and then \
             restart the server.",
        ));
    }
    Ok(())
}

/// True if `enable-debug-command` allows this client to use `DEBUG`.
fn debug_allowed(config: &Config, session: Option<&Session>) -> bool {
    match config.enable_debug_command {
        DebugCommand::No => false,
        DebugCommand::Yes => true,
        DebugCommand::Local => session.is_some_and(|session| session.peer.is_local()),
    }
}
