//! Builds what scripts see: the functions of the interpreter that do no harm, and those of Redis.
//!
//! Most of it is written in Luau, in `prelude.luau` and `wording.luau`. This file has the functions of the host for it. Where one of these
//! fails, it returns false and an error, and the prelude raises that.

use std::rc::Rc;

use mlua::{Error, Function, Lua, LuaString, MultiValue, Table, Value};
use sha1_smol::Sha1;

use super::compiler::compile;
use super::density::is_dense_chunk;
use super::engine::{Shared, is_memory_error};
use super::host::{ASK_EVERY, HOST, Stop};
use super::library;
use super::library::number::lua_text;
use super::stack::{self, Door};
use crate::resp::Proto;

/// What scripts see, and what runs them.
#[derive(Debug)]
pub struct Sandbox {
    /// The global variables of scripts.
    pub env: Table,
    /// The global variables of the interpreter itself, which scripts do not see.
    pub own: Table,
    /// The way into the interpreter.
    pub door: Door,
    /// Makes a table of the error of a script: what it was, and where.
    pub blame: Function,
    /// Bytes of memory that the interpreter holds before any script.
    pub memory: usize,
}

/// Most bytes of a line that a script writes to the log. The rest is left out, as in Redis.
const LOG_BYTES_MAX: usize = 1024;

/// Bytes of a text that are hashed without a look at the time in between.
const HASHED_AT_ONCE_BYTES: usize = 64 << 10;

/// The constants of the table `redis`.
const CONSTANTS: [(&str, u8); 9] = [
    ("LOG_DEBUG", 0),
    ("LOG_VERBOSE", 1),
    ("LOG_NOTICE", 2),
    ("LOG_WARNING", 3),
    ("REPL_NONE", 0),
    ("REPL_AOF", 1),
    ("REPL_SLAVE", 2),
    ("REPL_REPLICA", 2),
    ("REPL_ALL", 3),
];

/// What an interpreter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For the scripts of `EVAL`.
    Scripts,
    /// For the functions of libraries. They see a few functions less.
    Functions,
}

/// Builds the sandbox of an interpreter that has its libraries and nothing else. `version` is the version of Redis that
/// scripts see.
pub fn build(lua: &Lua, shared: &Rc<Shared>, version: &str, purpose: Purpose) -> mlua::Result<Sandbox> {
    let host = lua.create_table()?;
    host.raw_set("is_for_scripts", purpose == Purpose::Scripts)?;
    stack::open(lua, &host)?;
    open_interpreter(lua, shared, &host)?;
    open_numbers(lua, shared, &host)?;
    host.raw_set("redis", redis(lua, shared)?)?;
    host.raw_set("constants", constants(lua, version)?)?;
    host.raw_set("libraries", library::open(lua)?)?;
    let wording = lua.load(include_str!("wording.luau")).set_name("@wording");
    let (worded, known): (Function, Table) = wording.eval()?;
    host.raw_set("worded", worded)?;
    host.raw_set("known", known)?;
    let prelude = lua.load(include_str!("prelude.luau")).set_name("@prelude");
    let (env, blame): (Table, Function) = prelude.call(host)?;
    // So a script finds `redis.call` and its like when it is compiled, and not anew at each call.
    let own = lua.globals();
    lua.set_globals(env.clone())?;
    env.set_safeenv(true);
    let door = Door::new(lua)?;
    lua.gc_collect()?;
    Ok(Sandbox { env, own, door, blame, memory: lua.used_memory() })
}

/// What concerns the interpreter itself.
fn open_interpreter(lua: &Lua, shared: &Rc<Shared>, host: &Table) -> mlua::Result<()> {
    let spent = Rc::clone(shared);
    host.raw_set("memory_spent", lua.create_function(move |lua, ()| spent.end(lua, Stop::Memory))?)?;
    let spent = Rc::clone(shared);
    host.raw_set("text", lua.create_function(move |lua, error: Error| text_of(lua, &spent, &error))?)?;
    host.raw_set("memory", lua.create_function(|lua, ()| Ok(lua.used_memory() as f64 / 1024.0))?)?;
    let compiling = Rc::clone(shared);
    let compiled = move |lua: &Lua, (source, name, env): (LuaString, Option<LuaString>, Table)| {
        let name = match &name {
            // Lua names a chunk `=name` or `@name`; a chunk without such a mark is shown by its text.
            Some(name) => String::from_utf8_lossy(&name.as_bytes()).trim_start_matches(['=', '@']).to_owned(),
            None => String::from("user_script"),
        };
        compiling.walk(lua, ASK_EVERY)?;
        if is_dense_chunk(&source.as_bytes()) && !compiling.watched.get() {
            return Ok((None, Some(String::from("the chunk has too many operators"))));
        }
        match compile(lua, &source.as_bytes(), &name, &env) {
            Ok(function) => Ok((Some(function), None)),
            Err(message) => Ok((None, Some(message))),
        }
    };
    host.raw_set("compile", lua.create_function(compiled)?)?;
    host.raw_set("find", lua.create_function(find)?)
}

/// Finds a text in another one, from a position on that counts from 1, or from the end if it is negative. Returns the
/// positions of its first and its last byte.
fn find(
    _: &Lua,
    (text, wanted, init): (LuaString, LuaString, Option<i64>),
) -> mlua::Result<(Option<usize>, Option<usize>)> {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    let start = match init.unwrap_or(1) {
        from_end @ ..0 => {
            text.len().saturating_sub(usize::try_from(from_end.unsigned_abs()).unwrap_or(usize::MAX))
        }
        position => usize::try_from(position.saturating_sub(1)).unwrap_or(0),
    };
    let found = text.get(start..).and_then(|rest| memchr::memmem::find(rest, &wanted));
    Ok((found.map(|at| start + at + 1), found.map(|at| start + at + wanted.len())))
}

/// The text of an error that a function of Rust has raised.
fn text_of(lua: &Lua, shared: &Shared, error: &Error) -> mlua::Result<String> {
    if is_memory_error(error) {
        shared.end(lua, Stop::Memory)?;
    }
    let mut cause = error;
    while let Error::CallbackError { cause: inner, .. } | Error::WithContext { cause: inner, .. } = cause {
        cause = inner;
    }
    Ok(match cause {
        Error::RuntimeError(text) => text.clone(),
        other => other.to_string(),
    })
}

/// Numbers as text, and random ones.
fn open_numbers(lua: &Lua, shared: &Rc<Shared>, host: &Table) -> mlua::Result<()> {
    let text = |lua: &Lua, number: f64| lua.create_string(lua_text(number));
    host.raw_set("number", lua.create_function(text)?)?;
    host.raw_set("random", library::draw::open(lua, shared)?)
}

fn constants(lua: &Lua, version: &str) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for (name, number) in CONSTANTS {
        table.raw_set(name, number)?;
    }
    let parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let number = parts.fold(0_u32, |sum, part: u32| sum << 8 | part);
    table.raw_set("REDIS_VERSION", version)?;
    table.raw_set("REDIS_VERSION_NUM", number)?;
    Ok(table)
}

/// Whether a function of `redis` has succeeded, and its result or its error.
pub type Told = (bool, Value);

/// The functions of the table `redis` but `call` and `pcall`.
fn redis(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let hashing = Rc::clone(shared);
    table.raw_set("sha1hex", lua.create_function(move |lua, args| sha1hex(lua, &hashing, &args))?)?;
    let error_reply = |lua: &Lua, args: MultiValue| match (args.len(), args.front()) {
        (1, Some(Value::String(text))) => Ok((true, error_table(lua, &coded(&text.as_bytes()))?)),
        _ => Ok((true, error_table(lua, b"ERR wrong number or type of arguments")?)),
    };
    table.raw_set("error_reply", lua.create_function(error_reply)?)?;
    let status_reply = |lua: &Lua, args: MultiValue| match (args.len(), args.front()) {
        (1, Some(Value::String(text))) => {
            let status = lua.create_table_with_capacity(0, 1)?;
            status.raw_set("ok", text)?;
            Ok((true, Value::Table(status)))
        }
        _ => Ok((true, error_table(lua, b"ERR wrong number or type of arguments")?)),
    };
    table.raw_set("status_reply", lua.create_function(status_reply)?)?;
    table.raw_set("log", lua.create_function(log)?)?;
    let version = Rc::clone(shared);
    table.raw_set("setresp", lua.create_function(move |lua, args| set_resp(lua, &version, &args))?)?;
    table.raw_set("set_repl", lua.create_function(set_repl)?)?;
    Ok(table)
}

/// `redis.sha1hex`. As in Redis, what is neither a string nor a number counts as an empty string.
fn sha1hex(lua: &Lua, shared: &Shared, args: &MultiValue) -> mlua::Result<Told> {
    let (1, Some(value)) = (args.len(), args.front()) else {
        return failed(lua, b"ERR wrong number of arguments");
    };
    let text = bytes_of(lua, value).or_else(|_| lua.create_string(""))?;
    let mut digest = Sha1::new();
    for piece in text.as_bytes().chunks(HASHED_AT_ONCE_BYTES) {
        shared.walk(lua, ASK_EVERY / 4)?;
        digest.update(piece);
    }
    Ok((true, Value::String(lua.create_string(digest.digest().to_string())?)))
}

/// `redis.log`.
fn log(lua: &Lua, args: MultiValue) -> mlua::Result<Told> {
    if args.len() < 2 {
        return failed(lua, b"ERR redis.log() requires two arguments or more.");
    }
    let Some(level) = integer(lua, args.front())? else {
        return failed(lua, b"ERR First argument must be a number (log level).");
    };
    if !(0.0..=3.0).contains(&level) {
        return failed(lua, b"ERR Invalid debug level.");
    }
    let mut line = Vec::new();
    for word in args.iter().skip(1) {
        let Ok(word) = bytes_of(lua, word) else { continue };
        if !line.is_empty() {
            line.push(b' ');
        }
        let word = word.as_bytes();
        line.extend_from_slice(&word[..word.len().min(LOG_BYTES_MAX.saturating_sub(line.len()))]);
        if line.len() >= LOG_BYTES_MAX {
            break;
        }
    }
    if HOST.is_set() {
        HOST.with(|host| host.log(level as u8, &line));
    }
    Ok((true, Value::Nil))
}

/// `redis.setresp`.
fn set_resp(lua: &Lua, shared: &Shared, args: &MultiValue) -> mlua::Result<Told> {
    if args.len() != 1 {
        return failed(lua, b"ERR redis.setresp() requires one argument.");
    }
    shared.proto.set(match integer(lua, args.front())? {
        Some(2.0) => Proto::Resp2,
        Some(3.0) => Proto::Resp3,
        _ => return failed(lua, b"ERR RESP version must be 2 or 3."),
    });
    Ok((true, Value::Nil))
}

/// `redis.set_repl`. There is no replica, so it only checks its argument.
fn set_repl(lua: &Lua, args: MultiValue) -> mlua::Result<Told> {
    if args.len() != 1 {
        return failed(lua, b"ERR redis.set_repl() requires two arguments.");
    }
    match integer(lua, args.front())? {
        None | Some(0.0..=3.0) => Ok((true, Value::Nil)),
        _ => {
            failed(lua, b"ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
        }
    }
}

/// What C makes of an argument that should be an integer: a number without its fraction, or a text that reads like a number.
fn integer(lua: &Lua, value: Option<&Value>) -> mlua::Result<Option<f64>> {
    let number = value.map_or(Ok(None), |value| lua.coerce_number(value.clone()))?;
    Ok(number.map(f64::trunc))
}

/// A string, or the text of a number.
pub fn bytes_of(lua: &Lua, value: &Value) -> mlua::Result<LuaString> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => lua.create_string(lua_text(*number as f64)),
        Value::Number(number) => lua.create_string(lua_text(*number)),
        _ => Err(Error::runtime("a string is needed")),
    }
}

/// An error with its code, which ends at the first space. A text without a space gets the code `ERR`.
fn coded(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let code: &[u8] = if text.contains(&b' ') { b"" } else { b"ERR " };
    [code, text].concat()
}

/// What a function returns that fails with this error.
pub fn failed(lua: &Lua, error: &[u8]) -> mlua::Result<Told> {
    Ok((false, error_table(lua, error)?))
}

/// An error as scripts see it.
pub fn error_table(lua: &Lua, error: &[u8]) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set("err", lua.create_string(error)?)?;
    Ok(Value::Table(table))
}
