//! Loads libraries of functions into the interpreter, within a limit of time, and hears others meanwhile.

use super::cx::{Cx, Failure};
use super::functions::Library;
use super::running::Running;
use super::scripting::write_log;
use super::world::World;
use crate::base::{Moment, Output};
use crate::config::{LIBRARY_LOAD_LIMIT_MS, REDIS_VERSION, REPLY_HEADROOM_BYTES};
use crate::resp::{Args, Proto, Reply};
use crate::script::{
    Functions, Host, LoadError, Registered, Stop, drop_functions, forget_libraries, with_functions,
};

/// The limits of libraries that are being loaded. They may call no command. Others are heard meanwhile, as while a function
/// runs.
pub(super) struct Loading<'a, 'b> {
    cx: &'a mut Cx<'b>,
    /// When the library that is being loaded began.
    began: Moment,
    /// How long it may take.
    limit_ms: u64,
}

impl<'b> Cx<'b> {
    /// Lets `work` load libraries, while others are heard.
    pub(super) fn while_loading<T>(&mut self, work: impl FnOnce(&mut Loading<'_, 'b>) -> T) -> T {
        let began = self.world.read_clock().at;
        self.world.store.begin_undo();
        self.world.script = Some(Running::new(self.me, began, true));
        let done = work(&mut Loading::new(self));
        self.world.store.keep_changes();
        self.world.script = None;
        done
    }
}

impl<'a, 'b> Loading<'a, 'b> {
    /// The limits of a library that may take as long as a library may.
    pub fn new(cx: &'a mut Cx<'b>) -> Loading<'a, 'b> {
        let began = cx.world.read_clock().at;
        Loading { cx, began, limit_ms: LIBRARY_LOAD_LIMIT_MS }
    }

    /// Another library begins, of several that may take as long as a script may.
    ///
    /// # Errors
    /// If they have taken so long already, or if someone has ended that.
    pub fn next(&mut self) -> Result<(), Failure> {
        let limit = self.cx.world.config.script_time_limit_ms;
        self.began = self.cx.world.read_clock().at;
        self.cx.hear_others(self.began);
        let Some(script) = &self.cx.world.script else { return Ok(()) };
        let (ms, told) = (script.ms(self.began), script.stop);
        if let Some(stop) = told {
            return Err(self.stopped(stop));
        }
        if limit > 0 && ms >= limit {
            return Err(Failure::telling(format!(
                "ERR the libraries took {ms} ms to load and were dropped (script-time-limit is {limit} ms)"
            )));
        }
        self.limit_ms = if limit > 0 { LIBRARY_LOAD_LIMIT_MS.min(limit - ms) } else { LIBRARY_LOAD_LIMIT_MS };
        Ok(())
    }

    /// Loads a library whose first line has been read. What it has registered is in the library then.
    ///
    /// # Errors
    /// Why it was not loaded.
    pub fn load_new(&mut self, library: &mut Library) -> Result<(), Failure> {
        let max = self.cx.world.config.script_memory_limit;
        let mut registered = with_functions(max, REDIS_VERSION, |functions| self.load(functions, library))??;
        if registered.is_empty() {
            forget_libraries([library.number]);
            return Err(Failure::text("ERR No functions registered"));
        }
        registered.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        library.functions = registered;
        Ok(())
    }

    /// Loads a library, and returns what it has registered.
    ///
    /// # Errors
    /// Why it was not loaded.
    pub fn load(&mut self, functions: &mut Functions, library: &Library) -> Result<Vec<Registered>, Failure> {
        functions.load(library.number, library.source(), self).map_err(|error| match error {
            LoadError::Compiling(error) => Failure::telling(format!("ERR Error compiling function: {error}")),
            LoadError::Failed(error) => {
                Failure([b"ERR Error registering functions: ", error.as_slice()].concat().into())
            }
            LoadError::Stopped(stop) => self.stopped(stop),
        })
    }

    /// The error for a library that was stopped.
    fn stopped(&self, stop: Stop) -> Failure {
        let why = match stop {
            Stop::Time => String::from("FUNCTION LOAD timeout"),
            Stop::Killed => String::from("Script killed by user with FUNCTION KILL"),
            Stop::Shutdown => String::from("the server is shutting down"),
            Stop::Memory => format!(
                "the library needs too much memory (script-memory-limit is {} bytes)",
                self.cx.world.config.script_memory_limit
            ),
        };
        Failure::telling(format!("ERR Error registering functions: ERR {why}"))
    }
}

impl Host for Loading<'_, '_> {
    fn call(&mut self, _: Args<'_>, proto: Proto, out: &mut Output) -> bool {
        // A library that is being loaded does not even see `redis.call`.
        Reply::plain(out, proto, REPLY_HEADROOM_BYTES)
            .error(b"ERR redis.call/pcall can only be called inside a script invocation");
        false
    }

    fn knows(&self, _: Args<'_>) -> bool {
        false
    }

    fn must_stop(&mut self) -> Option<Stop> {
        let now = self.cx.world.read_clock().at;
        self.cx.hear_others(now);
        let told = self.cx.world.script.as_ref().and_then(|script| script.stop);
        let is_late = now.since(self.began).as_millis() as u64 >= self.limit_ms;
        told.or(is_late.then_some(Stop::Time))
    }

    fn log(&mut self, level: u8, message: &[u8]) {
        write_log(level, message);
    }
}

impl World {
    /// Forgets all libraries, and gives the memory of their interpreter back.
    pub fn flush_functions(&mut self) {
        self.functions = self.functions.successor();
        drop_functions();
    }
}
