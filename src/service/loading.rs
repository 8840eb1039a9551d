//! Loads libraries of functions into the interpreter, within a limit of time.

use super::cx::Failure;
use super::functions::Library;
use super::scripting::write_log;
use super::world::World;
use crate::base::{Buf, Moment};
use crate::config::{LIBRARY_LOAD_LIMIT_MS, REDIS_VERSION, REPLY_HEADROOM_BYTES};
use crate::resp::{Args, Proto, Reply};
use crate::script::{
    Functions, Host, LoadError, Registered, Stop, drop_functions, forget_libraries, with_functions,
};

/// The limits of a library that is being loaded. It may call no command.
pub(super) struct Loading<'a> {
    world: &'a World,
    /// When it began.
    began: Moment,
    /// How long it may take.
    limit_ms: u64,
}

impl<'a> Loading<'a> {
    /// The limits of a library that may take as long as a library may.
    pub fn new(world: &'a World) -> Loading<'a> {
        Loading { world, began: world.read_clock().at, limit_ms: LIBRARY_LOAD_LIMIT_MS }
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
            // Nobody can kill a library that is being loaded.
            LoadError::Stopped(Stop::Time | Stop::Killed | Stop::Shutdown) => {
                Failure::text("ERR Error registering functions: ERR FUNCTION LOAD timeout")
            }
            LoadError::Stopped(Stop::Memory) => Failure::telling(format!(
                "ERR Error registering functions: ERR the library needs too much memory (script-memory-limit is \
                 {} bytes)",
                self.world.config.script_memory_limit
            )),
        })
    }
}

impl Host for Loading<'_> {
    fn call(&mut self, _: Args<'_>, proto: Proto, out: &mut Buf) -> bool {
        // A library that is being loaded does not even see `redis.call`.
        Reply::new(out, proto, REPLY_HEADROOM_BYTES)
            .error(b"ERR redis.call/pcall can only be called inside a script invocation");
        false
    }

    fn knows(&self, _: Args<'_>) -> bool {
        false
    }

    fn must_stop(&mut self) -> Option<Stop> {
        let ms = self.world.read_clock().at.since(self.began).as_millis() as u64;
        (ms >= self.limit_ms).then_some(Stop::Time)
    }

    fn log(&mut self, level: u8, message: &[u8]) {
        write_log(level, message);
    }
}

impl World {
    /// Loads a library whose first line has been read. What it has registered is in the library then.
    ///
    /// # Errors
    /// Why it was not loaded.
    pub fn load_library(&self, library: &mut Library) -> Result<(), Failure> {
        let max = self.config.script_memory_limit;
        let load = |functions: &mut Functions| Loading::new(self).load(functions, library);
        let mut registered = with_functions(max, REDIS_VERSION, load)??;
        if registered.is_empty() {
            forget_libraries([library.number]);
            return Err(Failure::text("ERR No functions registered"));
        }
        registered.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        library.functions = registered;
        Ok(())
    }

    /// Forgets all libraries, and gives the memory of their interpreter back.
    pub fn flush_functions(&mut self) {
        self.functions = self.functions.successor();
        drop_functions();
    }
}
