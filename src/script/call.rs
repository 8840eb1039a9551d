//! `redis.call` and `redis.pcall`: writes the request of a script, lets the host run it, and turns the reply into a value.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::engine::{NO_LIMIT, Shared, limit_memory};
use super::host::{ASK_EVERY, HOST, Stop};
use super::sandbox::{error_table, failed};
use super::value;
use crate::resp::{Kept, format_f64};

/// A call counts as so many steps of a script, and each piece of the request and of its reply as another one. Commands that
/// may take long count as [`ASK_EVERY`], so that the host is asked after nearly each of them.
const STEPS_OF_A_CALL: u32 = 100;
/// Bytes in such a piece.
const BYTES_OF_A_STEP: usize = 256;
/// The error for a call without a command.
const NO_COMMAND: &[u8] = b"ERR Please specify at least one argument for this redis lib call";
/// The error for an argument that is neither a string nor a number.
const BAD_ARGUMENT: &[u8] = b"ERR Lua redis lib command arguments must be strings or integers";

/// Adds the function that both calls use.
pub fn open(lua: &Lua, shared: &Rc<Shared>, host: &Table) -> mlua::Result<()> {
    let shared = Rc::clone(shared);
    host.raw_set("call", lua.create_function(move |lua, args: MultiValue| call(lua, &shared, &args))?)
}

/// Runs a command. Returns false and an error, or true and the reply.
fn call(lua: &Lua, shared: &Shared, args: &MultiValue) -> mlua::Result<(bool, Value)> {
    let mut request = shared.request.borrow_mut();
    let written = write_request(lua, shared, &mut request, args)?;
    if let Err(error) = written {
        return failed(lua, error);
    }
    let mut reply = shared.reply.borrow_mut();
    reply.clear();
    if !HOST.is_set() {
        return failed(lua, b"ERR redis.call/pcall can only be called inside a script invocation");
    }
    let Some(words) = request.iter().next() else { return failed(lua, NO_COMMAND) };
    let was_long = HOST.with(|host| host.call(words, shared.proto.get(), &mut reply));
    let failed = reply.unread().first() == Some(&b'-');
    shared.walk(lua, if was_long { ASK_EVERY } else { steps(reply.len()) })?;
    if lua.used_memory() + reply.len() > shared.memory_max.get() {
        shared.end(lua, Stop::Memory)?;
    }
    limit_memory(lua, NO_LIMIT);
    let value = value::read(lua, shared, reply.unread());
    limit_memory(lua, shared.memory_max.get());
    Ok((!failed, value?))
}

/// How many steps of a script so many bytes of a request or of a reply count.
fn steps(bytes: usize) -> u32 {
    u32::try_from(bytes / BYTES_OF_A_STEP).unwrap_or(u32::MAX)
}

/// `redis.acl_check_cmd`: whether the script may run a command.
pub fn may_call(lua: &Lua, shared: &Shared, args: &MultiValue) -> mlua::Result<(bool, Value)> {
    let mut request = shared.request.borrow_mut();
    let written = write_request(lua, shared, &mut request, args)?;
    if let Err(error) = written {
        return failed(lua, error);
    }
    let words = request.iter().next();
    let known = words.is_some_and(|words| HOST.is_set() && HOST.with(|host| host.knows(words)));
    if !known {
        return Ok((false, error_table(lua, b"ERR Invalid command passed to redis.acl_check_cmd()")?));
    }
    Ok((true, Value::Boolean(true)))
}

/// Writes the arguments of a call, and counts the steps of it.
///
/// # Errors
/// If the script must stop.
fn write_request(
    lua: &Lua,
    shared: &Shared,
    request: &mut Kept,
    args: &MultiValue,
) -> mlua::Result<Result<(), &'static [u8]>> {
    request.clear();
    let bytes_max = shared.memory_max.get().saturating_sub(lua.used_memory());
    let written = write_words(request, args, bytes_max);
    shared.walk(lua, STEPS_OF_A_CALL.saturating_add(steps(request.held_bytes())))?;
    match written {
        Err(TooLong) => shared.end(lua, Stop::Memory).map(|()| Ok(())),
        Ok(written) => Ok(written),
    }
}

/// A request is longer than the memory that a script may still use.
struct TooLong;

/// Writes the arguments of a call as a request. An integer is written as one, and any other number as shortly as it
/// can be read again.
fn write_words(
    request: &mut Kept,
    args: &MultiValue,
    bytes_max: usize,
) -> Result<Result<(), &'static [u8]>, TooLong> {
    if args.is_empty() {
        return Ok(Err(NO_COMMAND));
    }
    let mut digits = itoa::Buffer::new();
    for arg in args {
        let pushed = match arg {
            Value::String(text) => request.push_word(&text.as_bytes()),
            Value::Integer(number) => request.push_word(digits.format(*number).as_bytes()),
            Value::Number(number) if number.fract() == 0.0 && number.abs() < INTEGER_MAX => {
                request.push_word(digits.format(*number as i64).as_bytes())
            }
            Value::Number(number) => request.push_word(format_f64(*number).as_bytes()),
            _ => return Ok(Err(BAD_ARGUMENT)),
        };
        if pushed.is_err() || request.held_bytes() > bytes_max {
            return Err(TooLong);
        }
    }
    request.end_request();
    Ok(Ok(()))
}

/// Numbers below this are written as integers if they are some, as in Redis 7.2.
const INTEGER_MAX: f64 = 4_611_686_018_427_387_904.0;
