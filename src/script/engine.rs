//! The interpreter, and the scripts that it has compiled.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use mlua::{Error, Function, Lua, LuaOptions, StdLib, Value};

use super::answer;
use super::attached::Attached;
use super::compiler::{compile, compiler};
use super::density::is_dense;
use super::ended::{Answer, Ended, Errors, Fault};
use super::host::{ASK_EVERY, HOST, Host, Stop};
use super::library::json;
use super::random::Random;
use super::sandbox::{self, Purpose, Sandbox};
use super::stack::{self, Call};
use crate::base::{OutOfMemory, Output};
use crate::resp::{Kept, Proto, Reply};

/// The name that errors give to a script.
const SCRIPT_NAME: &str = "user_script";

/// A step may take time in proportion to the memory that a script holds, for example if it compares two long strings. So while
/// the script holds more than this many bytes, the host is asked that much more often.
const LIGHT_BYTES: usize = 32 << 10;

thread_local! {
    /// The interpreter of this thread. While a script runs, it is not here.
    static ENGINE: RefCell<Option<Box<Engine>>> = const { RefCell::new(None) };
}

/// Lends the interpreter of this thread to `work`, and makes one if there is none. Scripts may use at most `memory_max` bytes.
/// `version` is the version of Redis that they see. If `work` panics, the interpreter is gone, and the next call makes
/// another one.
///
/// # Errors
/// [`OutOfMemory`] if there is no memory for an interpreter.
pub fn with_engine<T>(
    memory_max: usize,
    version: &str,
    work: impl FnOnce(&mut Engine) -> T,
) -> Result<T, OutOfMemory> {
    let engine = ENGINE.with_borrow_mut(Option::take);
    let mut engine = match engine {
        Some(engine) => engine,
        None => Box::new(Engine::new(version, Purpose::Scripts).map_err(|_| OutOfMemory)?),
    };
    engine.memory_max = memory_max;
    let done = work(&mut engine);
    engine.collect_much();
    ENGINE.set(Some(engine));
    Ok(done)
}

/// Bytes of memory that the interpreter of this thread holds.
pub fn engine_memory() -> usize {
    ENGINE.with_borrow(|engine| engine.as_ref().map_or(0, |engine| engine.lua.used_memory()))
}

/// Frees the interpreter of this thread.
pub fn drop_engine() {
    ENGINE.set(None);
}

/// If a script leaves more than this many bytes, or an eighth of what a script may use, the garbage is collected at its end: it
/// counts towards `maxmemory`.
const GARBAGE_BYTES_MAX: usize = 8 << 20;

/// The handler of errors needs less than this many bytes. The interpreter takes memory in pages of 16 KiB or less for them.
const HANDLER_BYTES: usize = 64 << 10;

/// What the functions of the sandbox share with the engine.
#[derive(Debug)]
pub(super) struct Shared {
    /// Why the script must stop, once that is known.
    pub stopped: Cell<Option<Stop>>,
    /// Steps until the host is asked again.
    pub steps_left: Cell<u32>,
    /// The version of the protocol in which the script wants replies.
    pub proto: Cell<Proto>,
    /// Bytes that the interpreter held before the script.
    pub memory_before: Cell<usize>,
    /// Bytes that the interpreter held when the garbage had last been collected, or when the script began.
    memory_live: Cell<usize>,
    /// Bytes that the interpreter may hold.
    pub memory_max: Cell<usize>,
    /// True if the script is watched at each instruction.
    pub watched: Cell<bool>,
    /// The random numbers.
    pub random: Random,
    /// The request that is being written, and its reply.
    pub request: RefCell<Kept>,
    /// The reply that is being read.
    pub reply: RefCell<Output>,
}

/// The buffers of requests and replies are kept from script to script if they hold no more bytes than this.
const KEPT_BYTES_MAX: usize = 64 << 10;

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            stopped: Cell::default(),
            steps_left: Cell::default(),
            proto: Cell::new(Proto::Resp2),
            memory_before: Cell::default(),
            memory_live: Cell::default(),
            memory_max: Cell::default(),
            watched: Cell::default(),
            random: Random::default(),
            request: RefCell::default(),
            reply: RefCell::default(),
        }
    }
}

impl Shared {
    /// Gives back the buffers of requests and replies if they have become large.
    fn give_back_buffers(&self) {
        if self.request.borrow().memory() > KEPT_BYTES_MAX {
            self.request.take();
        }
        if self.reply.borrow().capacity() > KEPT_BYTES_MAX {
            self.reply.take();
        }
    }

    /// The script has taken this many steps. Now and then asks the host whether it must stop, for which `used_memory` says how
    /// many bytes the interpreter holds. Returns false if it must stop.
    #[inline]
    pub fn walk_on(&self, steps: u32, used_memory: impl FnOnce() -> usize) -> bool {
        match self.steps_left.get().checked_sub(steps) {
            Some(left) => {
                self.steps_left.set(left);
                true
            }
            None => self.may_go_on(used_memory()),
        }
    }

    /// True if the garbage of the script may be half of what it may use. The allocator refuses memory beyond the limit, and knows
    /// nothing of garbage.
    pub fn wants_collection(&self, used_memory: usize) -> bool {
        let budget = self.memory_max.get().saturating_sub(self.memory_before.get());
        used_memory > self.memory_live.get().saturating_add(budget / 2)
    }

    /// The garbage was collected, and so many bytes are left.
    pub fn has_collected(&self, used_memory: usize) {
        self.memory_live.set(used_memory);
    }

    /// The script takes one step. That counts as many steps as it may take time.
    pub fn watch(&self, used_memory: usize) -> bool {
        self.walk_on(self.heaviness(used_memory), || used_memory)
    }

    /// How many steps one step of the script may come to, if the interpreter holds so many bytes.
    fn heaviness(&self, used_memory: usize) -> u32 {
        let held = used_memory.saturating_sub(self.memory_before.get());
        u32::try_from(held / LIGHT_BYTES).unwrap_or(ASK_EVERY).clamp(1, ASK_EVERY)
    }

    /// The same as [`Shared::walk_on`] for functions of `mlua`.
    pub fn walk(&self, lua: &Lua, steps: u32) -> mlua::Result<()> {
        let goes_on = self.walk_on(steps, || lua.used_memory());
        if goes_on { Ok(()) } else { Err(Error::runtime("the script must stop")) }
    }

    /// The script must stop for this reason, whatever the host says. Its next step raises the error.
    pub fn stop(&self, why: Stop) {
        self.stopped.set(self.stopped.get().or(Some(why)));
        self.steps_left.set(0);
    }

    /// The script must stop for this reason, whatever the host says.
    pub fn end(&self, lua: &Lua, why: Stop) -> mlua::Result<()> {
        self.stop(why);
        self.walk(lua, 1)
    }

    /// Asks the host whether the script may go on. The interpreter holds this many bytes.
    fn may_go_on(&self, used_memory: usize) -> bool {
        self.steps_left.set(ASK_EVERY / self.heaviness(used_memory));
        if self.stopped.get().is_none() && HOST.is_set() {
            self.stopped.set(HOST.with(|host| host.must_stop()));
        }
        if self.stopped.get().is_none() && used_memory > self.memory_max.get() {
            self.stopped.set(Some(Stop::Memory));
        }
        if self.stopped.get().is_some() {
            // The next step raises the error again, however the script treats it.
            self.steps_left.set(0);
        }
        self.stopped.get().is_none()
    }
}

/// The interpreter.
#[derive(Debug)]
pub struct Engine {
    pub(super) lua: Lua,
    shared: Rc<Shared>,
    pub(super) sandbox: Sandbox,
    /// The settings of `cjson`.
    json: json::Main,
    /// The scripts that were compiled, by their names.
    programs: HashMap<Sha, Program, ahash::RandomState>,
    /// Bytes of memory that the sandbox and the compiled scripts or libraries take.
    pub(super) standing: usize,
    /// Bytes of memory that a script may use.
    pub(super) memory_max: usize,
    /// Bytes of memory that were held when the garbage had last been collected.
    pub(super) collected: Cell<usize>,
}

/// A script that was compiled.
#[derive(Debug)]
struct Program {
    function: Function,
    /// Bytes of memory that it takes.
    bytes: usize,
    /// True if it is watched at each instruction.
    dense: bool,
}

/// The name of a script: the SHA-1 of its text.
pub type Sha = [u8; 20];

impl Engine {
    pub(super) fn new(version: &str, purpose: Purpose) -> mlua::Result<Engine> {
        let options = LuaOptions::new().catch_rust_panics(false);
        let lua = Lua::new_with(StdLib::ALL_SAFE, options)?;
        let shared = Rc::new(Shared::default());
        lua.set_app_data(Rc::clone(&shared));
        lua.set_compiler(compiler());
        let sandbox = sandbox::build(&lua, &shared, version, purpose)?;
        let (standing, json) = (sandbox.memory, json::Main::of(&lua));
        let (programs, collected) = (HashMap::default(), Cell::new(standing));
        Ok(Engine { lua, shared, sandbox, json, programs, standing, memory_max: 0, collected })
    }

    /// True if a script is compiled.
    pub fn has(&self, sha: &Sha) -> bool {
        self.programs.contains_key(sha)
    }

    /// Makes sure that a script is compiled.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(&mut self, sha: Sha, source: &[u8]) -> Result<(), String> {
        if !self.programs.contains_key(&sha) {
            let before = self.lua.used_memory();
            let function = compile(&self.lua, source, SCRIPT_NAME, &self.sandbox.env)?;
            let bytes = self.lua.used_memory().saturating_sub(before);
            self.standing += bytes;
            self.programs.insert(sha, Program { function, bytes, dense: is_dense(source) });
        }
        Ok(())
    }

    /// Forgets a compiled script.
    pub fn forget(&mut self, sha: &Sha) {
        if let Some(program) = self.programs.remove(sha) {
            self.standing -= program.bytes;
        }
    }

    /// Runs a compiled script with these keys and arguments.
    ///
    /// # Panics
    /// If it is not compiled, or if the host panics.
    pub fn run<'a>(
        &mut self,
        sha: &Sha,
        keys: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        args: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        host: &mut dyn Host,
    ) -> Ended {
        let program = self.programs.get(sha).expect("the script is compiled");
        self.begin(program.dense);
        let call = self.call(&program.function);
        let returned = self.perform(host, || call.run_script(&self.lua, &self.sandbox.env, keys, args));
        self.finish(returned)
    }

    /// Makes the interpreter ready for a script or a function. `watched` says whether it is watched at each instruction.
    pub(super) fn begin(&self, watched: bool) {
        limit_memory(&self.lua, NO_LIMIT);
        self.shared.memory_before.set(self.standing);
        self.shared.memory_live.set(self.lua.used_memory());
        self.shared.memory_max.set(self.standing.saturating_add(self.memory_max));
        self.shared.stopped.set(None);
        self.shared.steps_left.set(ASK_EVERY);
        self.shared.proto.set(Proto::Resp2);
        self.shared.watched.set(watched);
        self.shared.random.begin_script();
        self.json.reset();
    }

    /// The call of a function for which the interpreter is ready.
    pub(super) fn call<'a>(&'a self, function: &'a Function) -> Call<'a> {
        let Sandbox { door, blame, .. } = &self.sandbox;
        Call { door, blame, function, watched: self.shared.watched.get() }
    }

    /// Collects the garbage if there is much of it.
    pub(super) fn collect_much(&self) {
        let garbage_max = GARBAGE_BYTES_MAX.min(self.memory_max / 8);
        if self.lua.used_memory() > self.standing.max(self.collected.get()) + garbage_max {
            if !self.programs.is_empty() {
                // The arguments of the last script are garbage too.
                let _ = stack::forget_arguments(&self.lua, &self.sandbox.env);
            }
            let _ = self.lua.gc_collect();
            self.collected.set(self.lua.used_memory());
        }
    }

    /// Lends the host to a script or a function while it runs, and limits its memory.
    pub(super) fn perform<T>(&self, host: &mut dyn Host, work: impl FnOnce() -> T) -> T {
        let _attached = Attached::new(&self.shared);
        limit_memory(&self.lua, self.shared.memory_max.get());
        let done = HOST.set(host, work);
        limit_memory(&self.lua, NO_LIMIT);
        done
    }

    /// A script or a function has ended like this.
    pub(super) fn finish(&self, returned: mlua::Result<(bool, Value)>) -> Ended {
        self.shared.give_back_buffers();
        self.judge(returned)
    }

    /// Writes what a script has returned. Asks `must_stop` after each piece of it. Returns the errors in it.
    ///
    /// # Errors
    /// Why it was not written to its end: `must_stop` has said so.
    pub fn answer(
        &self,
        answer: Answer,
        reply: &mut Reply<'_>,
        must_stop: &mut dyn FnMut() -> Option<Stop>,
    ) -> Result<Errors, Stop> {
        answer::write(&answer.0, reply, self.shared.proto.get() == Proto::Resp3, must_stop)
    }

    /// True if the interpreter may have no memory for the table of an error.
    fn is_full(&self) -> bool {
        self.lua.used_memory().saturating_add(HANDLER_BYTES) >= self.shared.memory_max.get()
    }

    /// What has become of a script. What it returned, or what has stopped it, is in `returned`.
    fn judge(&self, returned: mlua::Result<(bool, Value)>) -> Ended {
        if let Some(stop) = self.shared.stopped.take() {
            return Ended::Stopped(stop);
        }
        match returned {
            Ok((true, value)) => Ended::Returned(Answer(value)),
            Ok((false, Value::Table(error))) => Ended::Failed(Fault::of(&error)),
            // The handler of errors makes a table of each, unless it has no memory for that, or calls are nested too deep.
            Ok((false, _)) | Err(_) if self.is_full() => Ended::Stopped(Stop::Memory),
            Ok((false, _)) | Err(_) => Ended::Failed(Fault {
                message: b"ERR error in error handling".to_vec(),
                place: None,
                is_counted: false,
            }),
        }
    }
}

/// No limit on the memory of the interpreter.
pub(super) const NO_LIMIT: usize = 0;

/// Limits the memory of the interpreter. There is a limit while a script runs, and none while functions of this room make
/// values: they look at sizes themselves, and each step of them costs several times more under a limit.
pub(super) fn limit_memory(lua: &Lua, bytes: usize) {
    let limited = lua.set_memory_limit(bytes);
    debug_assert!(limited.is_ok(), "the interpreter has its own allocator");
}

/// True if the interpreter had no memory left.
pub(super) fn is_memory_error(error: &Error) -> bool {
    match error {
        Error::MemoryError(_) => true,
        Error::CallbackError { cause, .. } => is_memory_error(cause),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_without_memory_for_its_error_is_stopped_and_not_failed() {
        let mut engine = Engine::new("7.2.0", Purpose::Scripts).unwrap();
        engine.memory_max = HANDLER_BYTES - 1;
        engine.begin(false);
        // The interpreter says these things if the handler of errors finds no memory.
        for text in ["not enough memory", "error in error handling"] {
            let told = Value::String(engine.lua.create_string(text).unwrap());
            let ended = engine.judge(Ok((false, told)));
            assert!(matches!(ended, Ended::Stopped(Stop::Memory)), "{text}: {ended:?}");
            let ended = engine.judge(Err(Error::runtime(text)));
            assert!(matches!(ended, Ended::Stopped(Stop::Memory)), "{text}: {ended:?}");
        }
        // It says the second one also if calls are nested too deep.
        engine.memory_max = 1 << 20;
        engine.begin(false);
        let told = Value::String(engine.lua.create_string("error in error handling").unwrap());
        assert!(matches!(engine.judge(Ok((false, told))), Ended::Failed(_)));
        let error = engine.lua.create_table().unwrap();
        error.raw_set("err", "ERR own").unwrap();
        let ended = engine.judge(Ok((false, Value::Table(error))));
        assert!(matches!(&ended, Ended::Failed(fault) if fault.message == b"ERR own"), "{ended:?}");
    }
}
