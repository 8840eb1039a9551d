//! Runs a script: what it may call, how long it may run, and how it ends. If it is stopped, all that it has done is undone.

use super::cx::{Cx, Failure, Outcome};
use super::names;
use super::run::{Call, check};
use super::scripts::{Flags, Script};
use super::world::World;
use crate::base::{Buf, Moment};
use crate::config::{REDIS_VERSION, REPLY_HEADROOM_BYTES};
use crate::resp::{Args, Proto, Reply};
use crate::script::{Ended, Host, Sha, Stop, drop_engine, with_engine};

/// A script that is to be run.
pub struct Run<'a> {
    /// The name of the script.
    pub sha: Sha,
    /// The script.
    pub script: &'a Script,
    /// Position of its first key in the request.
    pub first_key: usize,
    /// Number of its keys. Its arguments follow them.
    pub keys: usize,
    /// True if it must change nothing.
    pub read_only: bool,
}

/// What a script calls.
struct Calls<'a, 'b> {
    cx: &'a mut Cx<'b>,
    flags: Flags,
    /// True if the script must change nothing.
    read_only: bool,
    /// True if the memory was used up when the script began.
    is_full: bool,
    /// True if the script has called a command that changes keys.
    has_written: bool,
    /// When the script began.
    began: Moment,
}

impl World {
    /// Makes sure that a script is compiled.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(&self, sha: Sha, script: &Script) -> Outcome {
        let max = self.config.script_memory_limit;
        let compiled = with_engine(max, REDIS_VERSION, |engine| engine.compile(sha, &script.source))?;
        compiled.map_err(|error| not_compiled(&error))
    }

    /// Keeps a script that is compiled.
    pub fn keep_script(&mut self, sha: Sha, script: Script, loaded: bool) -> Outcome {
        if let Some(gone) = self.scripts.keep(sha, script, loaded) {
            with_engine(self.config.script_memory_limit, REDIS_VERSION, |engine| engine.forget(&gone))?;
        }
        Ok(())
    }

    /// Forgets all scripts, and gives the memory of the interpreter back.
    pub fn flush_scripts(&mut self) {
        self.scripts.clear();
        drop_engine();
    }

    /// A command has panicked. If a script has called it, takes back what that script has done.
    pub(super) fn undo_broken_script(&mut self) {
        if self.in_script {
            self.store.undo_changes();
            self.in_script = false;
        }
    }
}

/// Runs a compiled script and writes its reply.
///
/// # Errors
/// The error of the script, or why it may not run or was stopped.
pub fn run(cx: &mut Cx<'_>, run: &Run<'_>) -> Outcome {
    let flags = run.script.flags;
    let is_full = cx.world.config.maxmemory.bytes > 0 && cx.world.make_room(cx.me, cx.args).is_err();
    if is_full && flags.declared && !flags.no_writes && !flags.allow_oom {
        return Err(Failure::text(
            "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
        ));
    }
    // `World::run` has just read the clock, because the command is a heavy one. This is the time of the script and of its commands.
    let (asks, db) = (cx.world.outbox.asks.len(), cx.world.store.selected());
    let began = if cx.inside { cx.world.read_clock().at } else { cx.world.now.at };
    let args = cx.args;
    let keys = args.from(run.first_key).take(run.keys);
    let rest = args.from(run.first_key + run.keys);
    if !cx.world.monitors.is_empty() {
        cx.world.show_to_monitors(cx.me, cx.command, args);
    }
    cx.world.store.begin_undo();
    cx.world.in_script = true;
    let max = cx.world.config.script_memory_limit;
    let outcome = with_engine(max, REDIS_VERSION, |engine| {
        // It was compiled once, but the interpreter may be a new one.
        if let Err(error) = engine.compile(run.sha, &run.script.source) {
            return Err((not_compiled(&error), true));
        }
        let read_only = run.read_only || flags.no_writes;
        let mut calls = Calls { cx, flags, read_only, is_full, has_written: false, began };
        match engine.run(&run.sha, keys, rest, &mut calls) {
            Ended::Returned(answer) => {
                engine.answer(answer, &mut cx.reply);
                cx.whole_reply().map_err(|failure| (failure, true))
            }
            Ended::Failed(fault) => {
                let mut text = fault.message;
                if let Some((source, line)) = fault.place {
                    let sha = hex(&run.sha);
                    text.extend(format!(" script: {sha}, on @{source}:{line}.").into_bytes());
                }
                Err((Failure(text.into()), false))
            }
            Ended::Stopped(stop) => Err((stopped(cx, stop, began), true)),
        }
    });
    let outcome = outcome.unwrap_or_else(|refused| Err((refused.into(), true)));
    cx.session().db = db;
    cx.world.store.select(db);
    if matches!(outcome, Err((_, true))) {
        cx.world.store.undo_changes();
        cx.world.outbox.asks.truncate(asks);
    } else {
        cx.world.store.keep_changes();
    }
    cx.world.in_script = false;
    outcome.map_err(|(failure, _)| failure)
}

/// The error for a script with a mistake.
fn not_compiled(error: &str) -> Failure {
    Failure::telling(format!("ERR Error compiling script (new function): {error}"))
}

/// The error for a script that was stopped.
fn stopped(cx: &Cx<'_>, stop: Stop, began: Moment) -> Failure {
    let ms = cx.world.read_clock().at.since(began).as_millis();
    let config = &cx.world.config;
    Failure::telling(match stop {
        Stop::Time => format!(
            "ERR the script ran for {ms} ms and was stopped (script-time-limit is {} ms); nothing was changed",
            config.script_time_limit_ms
        ),
        Stop::Memory => format!(
            "ERR the script needed too much memory and was stopped after {ms} ms (script-memory-limit is {} \
             bytes); nothing was changed",
            config.script_memory_limit
        ),
        Stop::Killed => {
            format!("ERR Script killed by user with SCRIPT KILL after {ms} ms; nothing was changed")
        }
    })
}

/// A SHA-1 as 40 hexadecimal digits.
pub fn hex(sha: &Sha) -> String {
    sha.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Host for Calls<'_, '_> {
    fn call(&mut self, request: Args<'_>, proto: Proto, out: &mut Buf) -> bool {
        let has_room = out.reserve(REPLY_HEADROOM_BYTES);
        let mut reply = Reply::new(out, proto, self.cx.world.config.max_reply_bytes);
        match has_room.map_err(Failure::from).and_then(|()| self.permitted(request)) {
            Err(failure) => {
                reply.error(&failure.0);
                false
            }
            Ok(call) => {
                self.cx.world.run_in_script(call, self.cx.runs, reply);
                call.command.heavy
            }
        }
    }

    fn knows(&self, request: Args<'_>) -> bool {
        request.get(0).is_some_and(|name| names::find(name).is_some())
    }

    fn must_stop(&mut self) -> Option<Stop> {
        let world = &self.cx.world;
        let ms = world.read_clock().at.since(self.began).as_millis() as u64;
        let limit = world.config.script_time_limit_ms;
        if limit > 0 && ms >= limit {
            return Some(Stop::Time);
        }
        (world.store.undo_memory() > world.config.script_memory_limit).then_some(Stop::Memory)
    }

    fn log(&mut self, level: u8, message: &[u8]) {
        let text = String::from_utf8_lossy(message);
        let level = match level {
            0 => log::Level::Debug,
            1 | 2 => log::Level::Info,
            _ => log::Level::Warn,
        };
        log::log!(level, "script: {}", text.escape_debug());
    }
}

impl Calls<'_, '_> {
    /// The call of a command, if the script may call it.
    fn permitted<'c>(&mut self, args: Args<'c>) -> Result<Call<'c>, Failure>
    where
        Self: 'c,
    {
        let unknown = Failure::text("ERR Unknown Redis command called from script");
        let Some(mut command) = args.get(0).and_then(names::find) else { return Err(unknown) };
        if !command.subcommands.is_empty()
            && let Some(word) = args.get(1)
        {
            command = names::find_sub(command, word).ok_or(unknown)?;
        }
        if !command.arity.allows(args.len()) {
            return Err(Failure::text("ERR Wrong number of args calling Redis command from script"));
        }
        if command.flags.contains(&"noscript") {
            return Err(Failure::text("ERR This Redis command is not allowed from script"));
        }
        let World { config, sessions, .. } = &*self.cx.world;
        check(command, args, config, sessions, self.cx.me)?;
        if command.writes && self.read_only {
            return Err(Failure::text("ERR Write commands are not allowed from read-only scripts."));
        }
        if command.grows && self.is_full && !self.has_written && !self.flags.allow_oom {
            return Err(Failure::text("OOM command not allowed when used memory > 'maxmemory'."));
        }
        self.has_written |= command.writes;
        Ok(Call { me: self.cx.me, args, command, wires: self.cx.wires, inside: true })
    }
}
