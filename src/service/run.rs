//! One command: checked, run, counted. What a client sent, what a transaction kept and whatever else
//! comes to run a command takes this way.

use super::command::Command;
use super::cx::{Cx, Failure, Outcome, Runs};
use super::session::{Session, Sessions};
use super::world::World;
use crate::base::{ConnId, Moment, Reason, Wires};
use crate::config::{Config, DebugCommand, LONG_REQUEST_ARGS, LONG_REQUEST_BYTES, TIMED_CALLS, TIMED_EVERY};
use crate::resp::{Args, Reply};

/// One command that is to be run.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Who asks.
    pub me: ConnId,
    /// The request; the first argument is the command's name.
    pub args: Args<'a>,
    /// Its entry in the catalog.
    pub command: &'static Command,
    /// All connections, to be looked at.
    pub wires: &'a dyn Wires,
    /// It runs inside a transaction.
    pub inside: bool,
}

impl World {
    /// Runs a command that [`check`] has nothing against; its reply, or an error in its place, goes to
    /// `reply`. Returns why the connection is to end, if it is.
    ///
    /// Inlined, because a call of its own took 15 of the 500 instructions of a `PING`.
    #[inline(always)]
    pub fn run(&mut self, call: Call<'_>, runs: &'static Runs, reply: Reply<'_>) -> Option<Reason> {
        let Call { me, args, command, wires, inside } = call;
        let asks = self.outbox.asks.len();
        let counted = &mut self.stats.per_command[command.id];
        counted.calls += 1;
        // A clock is not read for each command: what may take long is timed each time, of the others the
        // first few and then one in so many.
        let long = command.heavy || args.len() > LONG_REQUEST_ARGS || args.held_in() > LONG_REQUEST_BYTES;
        let sampled = counted.calls <= TIMED_CALLS || counted.calls.is_multiple_of(TIMED_EVERY);
        let timing = (long || sampled).then(|| self.begin_timing(long));
        let mut cx = Cx { world: self, args, reply, me, wires, command, runs, inside, close: None };
        let outcome = runs[usize::from(command.id)](&mut cx);
        let failed = conclude(outcome, &mut cx);
        let close = cx.close;
        if failed {
            self.outbox.asks.truncate(asks);
            self.stats.per_command[command.id].failed += 1;
            self.stats.errors += 1;
        }
        self.stats.commands += 1;
        self.outbox.complete();
        self.tell_effects();
        if let Some(timing) = timing {
            self.end_timing(&timing, command, inside);
        }
        close
    }

    #[cold]
    fn begin_timing(&self, exact: bool) -> Timing {
        Timing { exact, began: self.read_clock().at }
    }

    #[cold]
    fn end_timing(&mut self, timing: &Timing, command: &'static Command, inside: bool) {
        // What ran may have been slow: from here on it is as late as it is.
        let now = self.read_clock();
        if !inside {
            self.now = now;
        }
        let nanos = now.at.since(timing.began).as_nanos() as u64;
        let counted = &mut self.stats.per_command[command.id];
        if timing.exact {
            counted.timed += 1;
            counted.timed_ns += nanos;
        } else {
            counted.sampled += 1;
            counted.sampled_ns += nanos;
        }
    }
}

/// A command whose time is being taken.
struct Timing {
    /// All of its like are timed, not a sample of them.
    exact: bool,
    began: Moment,
}

/// Puts an error in the place of a reply that failed or did not fit; true if it did.
fn conclude(outcome: Outcome, cx: &mut Cx<'_>) -> bool {
    let failure = match outcome {
        Ok(()) if !cx.reply.overflowed() => return false,
        Ok(()) => cx.reply_too_long(),
        Err(failure) => failure,
    };
    cx.reply.replace_by_error(&failure.0);
    true
}

/// True if [`check`] has to look closer: nearly always it has not.
#[inline]
pub fn may_be_wrong(command: &Command, args: Args<'_>, config: &Config) -> bool {
    // A request that is no longer than a key may be needs no look at its keys.
    !command.arity.allows(args.len()) || args.held_in() > config.max_key_bytes || command.debug
}

/// What can be said against a request before it runs.
///
/// # Errors
/// The text of the reply.
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

fn debug_allowed(config: &Config, session: Option<&Session>) -> bool {
    match config.enable_debug_command {
        DebugCommand::No => false,
        DebugCommand::Yes => true,
        DebugCommand::Local => session.is_some_and(|session| session.peer.is_local()),
    }
}
