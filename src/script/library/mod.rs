//! The libraries that Redis gives to scripts beside those of Lua: `bit`, `struct`, `cmsgpack` and `cjson`.
//!
//! This room owns what they share: how a function of theirs gets its arguments, how it complains, and how
//! much it may write. It must never know keys, commands or connections.
//!
//! An error that a script may catch is a string, as in Redis, not an object. A function in Rust cannot raise
//! a string. So each function has a cover in Lua, which raises the text that the function returns. An error
//! of the host (memory is used up, or [`check`] stops the script) takes the way of every other error of
//! `mlua`.

mod args;
pub mod bit;
pub mod draw;
pub mod json;
pub mod msgpack;
pub mod number;
mod output;
pub mod structs;
#[cfg(test)]
mod tests;

use args::Args;
use mlua::{Function, IntoLuaMulti, Lua, MultiValue, Result, Table, Value};
use std::fmt;
use std::rc::Rc;

use super::engine::Shared;
use super::host::ASK_EVERY;

/// Most bytes that one call of a library may write.
pub const OUTPUT_BYTES_MAX: usize = 64 << 20;
/// Most values that a function of Lua 5.1 can have on its stack. The libraries in C stop there, so these do.
const STACK_SLOTS_MAX: usize = 8_000;
/// Elements between two calls of [`check`].
const ELEMENTS_PER_CHECK: usize = 1_000;

/// The covers, as named values of the registry.
const COVER_ONE: &str = "library.cover_one";
const COVER_SEVERAL: &str = "library.cover_several";

/// Each of the two chunks makes a cover. The level 0 says that the text already has the place of the error.
const COVER_ONE_SOURCE: &str = "
local error = error
return function(call)
    return function(...)
        local result, complaint = call(...)
        if complaint then error(complaint, 0) end
        return result
    end
end";
const COVER_SEVERAL_SOURCE: &str = "
local error = error
local function pass(complaint, ...)
    if complaint then error(complaint, 0) end
    return ...
end
return function(call)
    return function(...) return pass(call(...)) end
end";

/// The libraries by their names: `bit`, `struct`, `cmsgpack` and `cjson`.
///
/// # Errors
/// If memory runs out.
pub fn open(lua: &Lua) -> Result<Table> {
    let libraries = lua.create_table()?;
    libraries.raw_set("bit", bit::open(lua)?)?;
    libraries.raw_set("struct", structs::open(lua)?)?;
    libraries.raw_set("cmsgpack", msgpack::open(lua)?)?;
    libraries.raw_set("cjson", json::open(lua)?)?;
    Ok(libraries)
}

/// The libraries call this about every 1,000 elements or 64 KiB of work. An error that it returns ends their
/// work, and the script sees the error as it is.
///
/// # Errors
/// If the script must stop.
fn check(lua: &Lua) -> Result<()> {
    let shared = lua.app_data_ref::<Rc<Shared>>().map(|shared| Rc::clone(&shared));
    shared.map_or(Ok(()), |shared| shared.walk(lua, ASK_EVERY))
}

/// Counts elements and calls [`check`] now and then.
#[derive(Debug, Default)]
struct Pace {
    elements: usize,
}

impl Pace {
    /// Tells that there is one more element.
    fn step(&mut self, lua: &Lua) -> Result<()> {
        self.elements += 1;
        if self.elements < ELEMENTS_PER_CHECK {
            return Ok(());
        }
        self.elements = 0;
        check(lua)
    }
}

/// What a library tells a script that has used it wrongly.
#[derive(Debug)]
struct Complaint(Vec<u8>);

impl fmt::Display for Complaint {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::error::Error for Complaint {}

/// An error that the script sees as this text, with the place of the call before it.
fn complain(lua: &Lua, text: impl AsRef<[u8]>) -> mlua::Error {
    let mut placed = place(lua).unwrap_or_default().into_bytes();
    placed.extend_from_slice(text.as_ref());
    mlua::Error::external(Complaint(placed))
}

/// An error that the script sees as this text.
fn complain_without_place(text: impl AsRef<[u8]>) -> mlua::Error {
    mlua::Error::external(Complaint(text.as_ref().to_vec()))
}

/// The place in the script that called the library, like `user_script:1: `. `None` if no line of Lua called
/// it, for example because `pcall` did.
fn place(lua: &Lua) -> Option<String> {
    // Level 0 is the function in Rust, level 1 its cover.
    let caller = lua.inspect_stack(2, |debug| {
        let source = debug.source().short_src?.into_owned();
        Some((source, debug.current_line()?))
    });
    caller.flatten().map(|(source, line)| format!("{source}:{line}: "))
}

/// Adds a function with one result to a library.
fn add<F>(lua: &Lua, library: &Table, name: &'static str, body: F) -> Result<()>
where
    F: Fn(&Lua, &Args) -> Result<Value> + 'static,
{
    let inner =
        lua.create_function(move |lua, values: MultiValue| match body(lua, &Args::new(name, &values)) {
            Ok(result) => Ok((result, Value::Nil)),
            Err(error) => Ok((Value::Nil, caught(lua, error)?)),
        })?;
    let covered: Function = cover(lua, COVER_ONE, COVER_ONE_SOURCE)?.call(inner)?;
    library.raw_set(name, covered)
}

/// Adds a function with any number of results to a library.
fn add_several<F, R>(lua: &Lua, library: &Table, name: &'static str, body: F) -> Result<()>
where
    F: Fn(&Lua, &Args) -> Result<R> + 'static,
    R: IntoLuaMulti,
{
    let inner =
        lua.create_function(move |lua, values: MultiValue| match body(lua, &Args::new(name, &values)) {
            Ok(results) => {
                let mut all = results.into_lua_multi(lua)?;
                all.push_front(Value::Nil);
                Ok(all)
            }
            Err(error) => Ok(MultiValue::from_vec(vec![caught(lua, error)?])),
        })?;
    let covered: Function = cover(lua, COVER_SEVERAL, COVER_SEVERAL_SOURCE)?.call(inner)?;
    library.raw_set(name, covered)
}

/// The text of a complaint. Any other error stays an error.
fn caught(lua: &Lua, error: mlua::Error) -> Result<Value> {
    match error.downcast_ref() {
        Some(Complaint(text)) => Ok(Value::String(lua.create_string(text)?)),
        None => Err(error),
    }
}

/// The function in Lua that makes covers.
fn cover(lua: &Lua, key: &str, source: &str) -> Result<Function> {
    if let Some(ready) = lua.named_registry_value(key)? {
        return Ok(ready);
    }
    let made: Function = lua.load(source).set_name("=library").eval()?;
    lua.set_named_registry_value(key, &made)?;
    Ok(made)
}
