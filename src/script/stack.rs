//! The functions of the host that scripts call most, through the plain C interface of the interpreter: `redis.call` and its
//! like, and the function that the interpreter calls at each turn of a loop and at each call.
//!
//! The rest of the room uses the safe interface of `mlua`, where each value costs tens of nanoseconds. A script of 100 calls
//! takes 24 us through this file, and took 61 us through the safe interface.
//!
//! This file is `unsafe`, and it is the only one of the room. Its rules:
//!
//! - A [`Stack`] exists only while the interpreter runs a function of this file, and only these make one. So its state is valid.
//! - An index is checked against the number of arguments, or it is one of a value that this call has pushed. Before it
//!   pushes, a function makes sure that there is room ([`Stack::reserve`]); each call begins with room for 20 values.
//! - Bytes of a string are borrowed from the stack. What changes the stack borrows it mutably, so the string is still there.
//! - Errors of the interpreter are C++ exceptions, and panics of the host go through its frames. The functions have the ABI
//!   `C-unwind`, so both run the destructors on their way.
//! - [`current`] points to what an [`Attached`](super::attached::Attached) borrows, or nowhere.
//! - The work behind a [`Door`] lies in the frame of the function that waits for the door to return.
//!
//! The tests of scripts run under valgrind by the command in docs/reliability.md.

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_Debug};
use mlua::{Error, Function, Lua, Table, Value, lua_CFunction, lua_State};

use super::attached::current;
use super::call;
use super::engine::Shared;

/// The error of a function is on top of the stack.
#[derive(Debug)]
pub struct Raised;

/// The arguments of a function that a script has called, and the values that the function makes.
pub struct Stack {
    state: *mut lua_State,
}

#[allow(unsafe_code)]
impl Stack {
    /// Number of values. When a function begins, these are its arguments.
    pub fn len(&self) -> c_int {
        unsafe { ffi::lua_gettop(self.state) }
    }

    /// The string at an index; `None` if there is something else.
    pub fn bytes(&self, index: c_int) -> Option<&[u8]> {
        if unsafe { ffi::lua_type(self.state, index) } != ffi::LUA_TSTRING {
            return None;
        }
        let mut len = 0;
        // Strings do not move, and this one stays while it is on the stack.
        let start = unsafe { ffi::lua_tolstring(self.state, index, &raw mut len) };
        Some(unsafe { std::slice::from_raw_parts(start.cast(), len) })
    }

    /// The number at an index; `None` if there is something else.
    pub fn number(&self, index: c_int) -> Option<f64> {
        if unsafe { ffi::lua_type(self.state, index) } != ffi::LUA_TNUMBER {
            return None;
        }
        Some(unsafe { ffi::lua_tonumber(self.state, index) })
    }

    /// Makes room for some more values. Raises an error of the interpreter if there is none.
    pub fn reserve(&mut self, values: c_int) {
        unsafe { ffi::luaL_checkstack_(self.state, values, c"too many results".as_ptr()) };
    }

    /// Pushes nil.
    pub fn push_nil(&mut self) {
        unsafe { ffi::lua_pushnil(self.state) };
    }

    /// Pushes a boolean.
    pub fn push_boolean(&mut self, value: bool) {
        unsafe { ffi::lua_pushboolean(self.state, c_int::from(value)) };
    }

    /// Pushes a number.
    pub fn push_number(&mut self, value: f64) {
        unsafe { ffi::lua_pushnumber(self.state, value) };
    }

    /// Pushes a string.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        unsafe { ffi::lua_pushlstring_(self.state, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// Pushes an empty table with room for so many elements and fields.
    pub fn push_table(&mut self, elements: usize, fields: usize) {
        let bounded = |room: usize| c_int::try_from(room).unwrap_or(0);
        unsafe { ffi::lua_createtable(self.state, bounded(elements), bounded(fields)) };
    }

    /// Pops a value and makes it a field of the table below it.
    pub fn set_field(&mut self, name: &CStr) {
        unsafe { ffi::lua_rawsetfield(self.state, -2, name.as_ptr()) };
    }

    /// Pops a value and makes it an element of the table below it.
    pub fn set_element(&mut self, index: usize) {
        unsafe { ffi::lua_rawseti_(self.state, -2, c_int::try_from(index).unwrap_or(c_int::MAX)) };
    }

    /// Pops a key and its value, and sets them in the table below them. Does nothing if the key is nil.
    pub fn set_pair(&mut self) {
        if unsafe { ffi::lua_type(self.state, -2) } == ffi::LUA_TNIL {
            unsafe { ffi::lua_settop(self.state, -3) };
        } else {
            unsafe { ffi::lua_rawset(self.state, -3) };
        }
    }

    /// Says whether the table on top of the stack is read-only.
    fn set_readonly(&mut self, readonly: bool) {
        unsafe { ffi::lua_setreadonly(self.state, -1, c_int::from(readonly)) };
    }

    /// Pushes an error as scripts see it.
    pub fn push_error(&mut self, message: &[u8]) {
        self.push_table(0, 1);
        self.push_bytes(message);
        self.set_field(c"err");
    }

    /// Counts steps of the script, and asks the host now and then whether it must stop.
    ///
    /// # Errors
    /// If it must stop.
    pub fn walk(&mut self, shared: &Shared, steps: u32) -> Result<(), Raised> {
        if shared.walk_on(steps, || self.used_memory()) { Ok(()) } else { self.stop() }
    }

    /// Counts a step of the script. It counts more if the script holds much memory.
    fn watch(&mut self, shared: &Shared) -> Result<(), Raised> {
        let used = self.used_memory();
        if shared.wants_collection(used) {
            unsafe { ffi::lua_gc(self.state, ffi::LUA_GCCOLLECT, 0) };
            shared.has_collected(self.used_memory());
        }
        if shared.watch(used) { Ok(()) } else { self.stop() }
    }

    fn stop(&mut self) -> Result<(), Raised> {
        self.push_bytes(b"the script must stop");
        Err(Raised)
    }

    /// Bytes of memory that the interpreter uses.
    pub fn used_memory(&self) -> usize {
        let part = |what| usize::try_from(unsafe { ffi::lua_gc(self.state, what, 0) }).unwrap_or(0);
        (part(ffi::LUA_GCCOUNT) << 10) + part(ffi::LUA_GCCOUNTB)
    }

    /// Raises the error on top of the stack.
    fn raise(&mut self) -> ! {
        unsafe { ffi::lua_error(self.state) }
    }
}

/// Runs the body of a function. It returns the number of its results.
fn enter(state: *mut lua_State, body: fn(&mut Stack, Option<&Shared>) -> Result<c_int, Raised>) -> c_int {
    let mut stack = Stack { state };
    #[allow(unsafe_code)]
    let shared = unsafe { current().as_ref() };
    match body(&mut stack, shared) {
        Ok(results) => results,
        Err(Raised) => stack.raise(),
    }
}

extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    enter(state, call::call)
}

extern "C-unwind" fn pcall(state: *mut lua_State) -> c_int {
    enter(state, call::pcall)
}

extern "C-unwind" fn acl_check_cmd(state: *mut lua_State) -> c_int {
    enter(state, call::may_call)
}

/// The interpreter calls this at each turn of a loop and at each call of a function, and when it collects garbage. `gc` is
/// negative except in the last case.
extern "C-unwind" fn step(state: *mut lua_State, gc: c_int) {
    if gc < 0 {
        enter(state, |stack, shared| shared.map_or(Ok(()), |shared| stack.watch(shared)).map(|()| 0));
    }
}

/// The interpreter calls this before each instruction of a text that is watched.
extern "C-unwind" fn watch(state: *mut lua_State, _: *mut lua_Debug) {
    step(state, -1);
}

/// Adds the functions to `host`, and makes the interpreter count its steps.
///
/// # Errors
/// If memory runs out.
#[allow(unsafe_code)]
pub fn open(lua: &Lua, host: &Table) -> mlua::Result<()> {
    let functions: [(&str, lua_CFunction); 3] =
        [("call", call), ("pcall", pcall), ("acl_check_cmd", acl_check_cmd)];
    for (name, function) in functions {
        host.raw_set(name, unsafe { lua.create_c_function(function)? })?;
    }
    let install = |state| unsafe {
        let callbacks = ffi::lua_callbacks(state);
        (*callbacks).interrupt = Some(step);
        (*callbacks).debugstep = Some(watch);
    };
    unsafe { lua.exec_raw::<()>((), install) }
}

/// The way in: a function of the interpreter that does the work that is handed to it. So an error of the interpreter in that
/// work, such as a lack of memory, ends there.
///
/// `Lua::exec_raw` does the same, and makes two functions for each call, which are garbage then.
#[derive(Debug)]
pub struct Door(Function);

/// What is done behind the door, with the values that were handed over on the stack. It leaves a boolean and another value there.
type Work<'a> = &'a mut dyn FnMut(&mut Stack);

extern "C-unwind" fn enter_door(state: *mut lua_State) -> c_int {
    #[allow(unsafe_code)]
    unsafe {
        let work: *mut Work<'_> = ffi::lua_tolightuserdata(state, -1).cast();
        ffi::lua_settop(state, -2);
        (*work)(&mut Stack { state });
        ffi::lua_gettop(state)
    }
}

/// A function of the interpreter that is to be run for a client.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The way in.
    pub door: &'a Door,
    /// Makes a table of its error.
    pub blame: &'a Function,
    /// The function.
    pub function: &'a Function,
    /// True if each instruction counts as a step.
    pub watched: bool,
}

impl Door {
    /// A door of this interpreter.
    ///
    /// # Errors
    /// If memory runs out.
    #[allow(unsafe_code)]
    pub fn new(lua: &Lua) -> mlua::Result<Door> {
        Ok(Door(unsafe { lua.create_c_function(enter_door)? }))
    }
}

#[allow(unsafe_code)]
impl Call<'_> {
    /// Runs a script with these keys and arguments in the global variables `KEYS` and `ARGV` of the table `env`, which is
    /// read-only before and afterwards. Returns true and what the script has returned, or false and the table of its
    /// error. If there is no memory for the table, there is a string in its place.
    ///
    /// # Errors
    /// If memory runs out before the script begins.
    pub fn run_script<'a>(
        self,
        lua: &Lua,
        env: &Table,
        keys: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        args: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    ) -> mlua::Result<(bool, Value)> {
        let work = &mut |stack: &mut Stack| {
            stack.introduce(keys.clone(), args.clone());
            unsafe { ffi::lua_settop(stack.state, -2) };
            stack.call(self.watched, 0);
        };
        self.run(lua, Some(env), work).inspect_err(|_| env.set_readonly(true))
    }

    /// The same for a function of a library. It gets its keys and its arguments in two tables.
    ///
    /// # Errors
    /// If memory runs out before the function begins.
    pub fn run_function<'a>(
        self,
        lua: &Lua,
        keys: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        args: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    ) -> mlua::Result<(bool, Value)> {
        let work = &mut |stack: &mut Stack| {
            stack.push_list(keys.clone());
            stack.push_list(args.clone());
            stack.call(self.watched, 2);
        };
        self.run(lua, None, work)
    }

    /// The same for the text of a library.
    ///
    /// # Errors
    /// If memory runs out before the text begins.
    pub fn run_text(self, lua: &Lua) -> mlua::Result<(bool, Value)> {
        self.run(lua, None, &mut |stack: &mut Stack| stack.call(self.watched, 0))
    }

    /// Goes through the door with the handler of errors, the function and perhaps a table.
    fn run(self, lua: &Lua, table: Option<&Table>, mut work: Work<'_>) -> mlua::Result<(bool, Value)> {
        lua.exec_raw_lua(|raw| unsafe {
            let state = raw.state();
            if ffi::lua_checkstack(state, 5) == 0 {
                return Err(Error::StackError);
            }
            raw.push(&self.door.0)?;
            raw.push(self.blame)?;
            raw.push(self.function)?;
            table.map_or(Ok(()), |table| raw.push(table))?;
            ffi::lua_pushlightuserdata(state, (&raw mut work).cast());
            if ffi::lua_pcall(state, 3 + c_int::from(table.is_some()), 2, 0) != ffi::LUA_OK {
                // The work itself raises no error but this one.
                ffi::lua_settop(state, -2);
                return Err(Error::MemoryError(String::from("not enough memory")));
            }
            let value = raw.pop_value();
            Ok((raw.pop()?, value))
        })
    }
}

/// Empties the global variables `KEYS` and `ARGV` in the table of globals `env`, which is read-only before and afterwards.
///
/// # Errors
/// If memory runs out.
#[allow(unsafe_code)]
pub fn forget_arguments(lua: &Lua, env: &Table) -> mlua::Result<()> {
    let none = || std::iter::empty::<&[u8]>();
    let set = |state| Stack { state }.introduce(none(), none());
    unsafe { lua.exec_raw::<()>(env, set) }.inspect_err(|_| env.set_readonly(true))
}

#[allow(unsafe_code)]
impl Stack {
    /// Sets the global variables `KEYS` and `ARGV` in the table on top of the stack.
    fn introduce<'a>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
    ) {
        // `Table::set_readonly` would also forget that scripts may keep what they have found in the table.
        self.set_readonly(false);
        self.push_list(keys);
        self.set_field(c"KEYS");
        self.push_list(args);
        self.set_field(c"ARGV");
        self.set_readonly(true);
    }

    /// Calls the function below so many arguments. The handler of its errors is the first value on the stack. In the place of
    /// all of them it leaves whether the function has succeeded, and its result or its error.
    fn call(&mut self, watched: bool, args: c_int) {
        unsafe {
            ffi::lua_singlestep(self.state, c_int::from(watched));
            let status = ffi::lua_pcall(self.state, args, 1, 1);
            ffi::lua_singlestep(self.state, 0);
            ffi::lua_pushboolean(self.state, c_int::from(status == ffi::LUA_OK));
            ffi::lua_replace(self.state, 1);
        }
    }
}

impl Stack {
    /// Pushes a table of these strings.
    fn push_list<'a>(&mut self, words: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.push_table(words.len(), 0);
        for (index, word) in words.enumerate() {
            self.push_bytes(word);
            self.set_element(index + 1);
        }
    }
}
