//! The interpreter of functions: loads libraries, keeps what they have registered, and runs it.
//!
//! It is another one than that of scripts, because libraries keep variables from call to call. So what scripts do, and
//! `SCRIPT FLUSH`, leaves them alone. If it is dropped all the same, because a command of a function has panicked, the service
//! loads each library again from its text.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use mlua::{Function, MultiValue, Table};

use super::compiler::compile;
use super::density::is_dense;
use super::ended::{Ended, Fault};
use super::engine::Engine;
use super::host::{Host, Stop};
use super::register::{Registered, Registering, register};
use super::sandbox::Purpose;
use crate::base::OutOfMemory;

/// The name that errors give to a library.
const LIBRARY_NAME: &str = "user_function";

thread_local! {
    /// The interpreter of functions of this thread. While a function runs, it is not here.
    static FUNCTIONS: RefCell<Option<Functions>> = const { RefCell::new(None) };
}

/// Lends the interpreter of functions of this thread to `work`, and makes one if there is none. Functions may use at most
/// `memory_max` bytes, and what libraries keep counts too. `version` is the version of Redis that they see. If `work` panics,
/// the interpreter is gone, and the next call makes another one.
///
/// # Errors
/// [`OutOfMemory`] if there is no memory for an interpreter.
pub fn with_functions<T>(
    memory_max: usize,
    version: &str,
    work: impl FnOnce(&mut Functions) -> T,
) -> Result<T, OutOfMemory> {
    let mut functions = match FUNCTIONS.take() {
        Some(functions) => functions,
        None => Functions::new(version).map_err(|_| OutOfMemory)?,
    };
    functions.engine.memory_max = memory_max;
    let done = work(&mut functions);
    functions.engine.collect_much();
    FUNCTIONS.set(Some(functions));
    Ok(done)
}

/// Bytes of memory that the interpreter of functions of this thread holds.
pub fn functions_memory() -> usize {
    FUNCTIONS.with_borrow(|functions| functions.as_ref().map_or(0, |it| it.engine.lua.used_memory()))
}

/// Frees the interpreter of functions of this thread, with all libraries.
pub fn drop_functions() {
    FUNCTIONS.set(None);
}

/// Forgets libraries, if there is an interpreter that knows them.
pub fn forget_libraries(numbers: impl IntoIterator<Item = u64>) {
    FUNCTIONS.with_borrow_mut(|functions| {
        if let Some(functions) = functions {
            numbers.into_iter().for_each(|number| functions.forget(number));
        }
    });
}

/// The interpreter of functions.
#[derive(Debug)]
pub struct Functions {
    engine: Engine,
    /// The global variables of libraries. The table is empty, and looks elsewhere.
    globals: Table,
    /// The metatable that says where.
    access: Table,
    /// What a library sees while it is loaded.
    loading: Table,
    /// What the library that is being loaded has registered.
    registering: Rc<RefCell<Option<Registering>>>,
    /// The libraries by their numbers.
    libraries: HashMap<u64, Loaded>,
    /// True if something has run since the garbage was collected.
    is_used: bool,
}

/// A library that is loaded.
#[derive(Debug)]
struct Loaded {
    /// Its functions by their names.
    functions: HashMap<Vec<u8>, Function>,
    /// Bytes of memory that it takes.
    bytes: usize,
    /// True if its functions are watched at each instruction.
    dense: bool,
}

/// Why a library was not loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The text is wrong like this.
    Compiling(String),
    /// It has failed with this error, which has a code.
    Failed(Vec<u8>),
    /// It was stopped.
    Stopped(Stop),
}

impl Functions {
    fn new(version: &str) -> mlua::Result<Functions> {
        let mut engine = Engine::new(version, Purpose::Functions)?;
        // What is built here is not a function of a client, and has no limits.
        engine.memory_max = usize::MAX;
        engine.begin(false);
        let registering = Rc::new(RefCell::<Option<Registering>>::default());
        let host = engine.lua.create_table()?;
        let shared = Rc::clone(&registering);
        let registers =
            move |lua: &mlua::Lua, args: MultiValue| register(lua, shared.borrow_mut().as_mut(), &args);
        host.raw_set("register", engine.lua.create_function(registers)?)?;
        let build = engine
            .lua
            .load(include_str!("functions.luau"))
            .set_name("@functions")
            .set_environment(engine.sandbox.own.clone());
        let (globals, access, loading): (Table, Table, Table) = build.call((host, &engine.sandbox.env))?;
        globals.set_safeenv(true);
        let libraries = HashMap::new();
        let mut functions =
            Functions { engine, globals, access, loading, registering, libraries, is_used: true };
        functions.collect();
        functions.engine.standing = functions.engine.lua.used_memory();
        Ok(functions)
    }

    /// True if this library is loaded.
    pub fn has(&self, library: u64) -> bool {
        self.libraries.contains_key(&library)
    }

    /// Loads a library, which gets this number. Returns what it has registered.
    ///
    /// # Errors
    /// Why it was not loaded. Then nothing of it is left.
    ///
    /// # Panics
    /// If the host panics.
    pub fn load(
        &mut self,
        library: u64,
        source: &[u8],
        host: &mut dyn Host,
    ) -> Result<Vec<Registered>, LoadError> {
        self.collect();
        let before = self.engine.lua.used_memory();
        let dense = is_dense(source);
        let loaded = self.run_text(source, dense, host);
        self.is_used = true;
        self.collect();
        let (registered, callbacks): (Vec<Registered>, Vec<Function>) = loaded?.into_iter().unzip();
        let names = registered.iter().map(|function| function.name.clone());
        let bytes = self.engine.lua.used_memory().saturating_sub(before);
        let kept = (self.engine.standing + bytes).saturating_sub(self.engine.sandbox.memory);
        if kept > self.engine.memory_max {
            self.is_used = true;
            return Err(LoadError::Stopped(Stop::Memory));
        }
        self.engine.standing += bytes;
        self.libraries.insert(library, Loaded { functions: names.zip(callbacks).collect(), bytes, dense });
        Ok(registered)
    }

    /// Runs the text of a library. `dense` says whether it is watched at each instruction.
    fn run_text(
        &mut self,
        source: &[u8],
        dense: bool,
        host: &mut dyn Host,
    ) -> Result<Vec<(Registered, Function)>, LoadError> {
        self.engine.begin(dense);
        // The compiler looks up variables such as `redis.call` at once. It finds those that functions see.
        let program = compile(&self.engine.lua, source, LIBRARY_NAME, &self.globals);
        let program = program.map_err(LoadError::Compiling)?;
        self.registering.replace(Some(Registering::default()));
        let call = self.engine.call(&program);
        let returned = self
            .look_in(&self.loading, false)
            .and_then(|()| self.engine.perform(host, || call.run_text(&self.engine.lua)));
        let registered = self.registering.take().unwrap_or_default();
        let ended = self.engine.finish(returned);
        let restored = self.look_in(&self.engine.sandbox.env, true);
        match ended {
            Ended::Returned(_) if restored.is_ok() => Ok(registered.functions),
            Ended::Failed(Fault { message, .. }) => Err(LoadError::Failed(message)),
            Ended::Stopped(stop) => Err(LoadError::Stopped(stop)),
            Ended::Returned(_) => Err(LoadError::Stopped(Stop::Memory)),
        }
    }

    /// From now on the global variables of libraries are those in `table`. `is_final` says whether functions may keep what they
    /// find there.
    fn look_in(&self, table: &Table, is_final: bool) -> mlua::Result<()> {
        self.access.set_readonly(false);
        let set = self.access.raw_set("__index", table);
        self.access.set_readonly(true);
        self.globals.set_safeenv(is_final);
        set
    }

    /// Forgets a library.
    fn forget(&mut self, library: u64) {
        if let Some(loaded) = self.libraries.remove(&library) {
            self.engine.standing -= loaded.bytes;
            self.is_used = true;
        }
    }

    /// Runs a function of a library that is loaded.
    ///
    /// # Panics
    /// If the host panics.
    pub fn call<'a>(
        &mut self,
        library: u64,
        function: &[u8],
        keys: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        args: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        host: &mut dyn Host,
    ) -> Ended {
        let loaded = self.libraries.get(&library);
        let found = loaded.and_then(|loaded| Some((loaded.functions.get(function)?, loaded.dense)));
        let Some((function, dense)) = found else {
            return Ended::Failed(Fault {
                message: b"ERR Function not found".to_vec(),
                place: None,
                is_counted: false,
            });
        };
        self.is_used = true;
        self.engine.begin(dense);
        let call = self.engine.call(function);
        let returned = self.engine.perform(host, || call.run_function(&self.engine.lua, keys, args));
        self.engine.finish(returned)
    }

    /// The interpreter, which writes what a function has returned.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Collects the garbage, so that the memory of a library can be measured.
    fn collect(&mut self) {
        if self.is_used {
            let _ = self.engine.lua.gc_collect();
            self.engine.collected.set(self.engine.lua.used_memory());
            self.is_used = false;
        }
    }
}
