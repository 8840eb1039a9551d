//! `redis.call` and `redis.pcall`: writes the request of a script, lets the host run it, and turns the reply into a value.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::engine::{NO_LIMIT, Shared, limit_memory};
use super::host::{ASK_EVERY, HOST, Stop};
use super::sandbox::{error_table, failed};
use super::value;
use crate::base::Buf;
use crate::resp::{Kept, format_f64};

/// A call counts as so many steps of a script, and each piece of the request and of its reply as another one. Commands that
/// may take long count as [`ASK_EVERY`], so that the host is asked after nearly each of them.
const STEPS_OF_A_CALL: u32 = 100;
/// Bytes in such a piece.
const BYTES_OF_A_STEP: usize = 256;
/// Longest request of a script, bytes.
const REQUEST_BYTES_MAX: usize = 512 << 20;
/// The buffers are kept from call to call if they hold no more bytes than this.
const KEPT_BYTES_MAX: usize = 64 << 10;

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
    if let Err(error) = write_request(&mut request, args) {
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
    let moved = words.held_in() + reply.len();
    let steps = STEPS_OF_A_CALL + (moved / BYTES_OF_A_STEP) as u32;
    shared.walk(lua, if was_long { ASK_EVERY } else { steps })?;
    if lua.used_memory() + reply.len() > shared.memory_max.get() {
        shared.end(lua, Stop::Memory)?;
    }
    limit_memory(lua, NO_LIMIT);
    let value = value::read(lua, shared, reply.unread());
    limit_memory(lua, shared.memory_max.get());
    let value = value?;
    if moved > KEPT_BYTES_MAX {
        *reply = Buf::default();
        drop(reply);
        *request = Kept::default();
    }
    Ok((!failed, value))
}

/// `redis.acl_check_cmd`: whether the script may run a command.
pub fn may_call(lua: &Lua, shared: &Shared, args: &MultiValue) -> mlua::Result<(bool, Value)> {
    let mut request = shared.request.borrow_mut();
    if let Err(error) = write_request(&mut request, args) {
        return failed(lua, error);
    }
    let words = request.iter().next();
    let known = words.is_some_and(|words| HOST.is_set() && HOST.with(|host| host.knows(words)));
    if !known {
        return Ok((false, error_table(lua, b"ERR Invalid command passed to redis.acl_check_cmd()")?));
    }
    Ok((true, Value::Boolean(true)))
}

/// Writes the arguments of a call as a request. An integer is written as one, and any other number as shortly as it
/// can be read again.
fn write_request(request: &mut Kept, args: &MultiValue) -> Result<(), &'static [u8]> {
    if args.is_empty() {
        return Err(NO_COMMAND);
    }
    request.clear();
    let mut digits = itoa::Buffer::new();
    for arg in args {
        let pushed = match arg {
            Value::String(text) => request.push_word(&text.as_bytes()),
            Value::Integer(number) => request.push_word(digits.format(*number).as_bytes()),
            Value::Number(number) if number.fract() == 0.0 && number.abs() < INTEGER_MAX => {
                request.push_word(digits.format(*number as i64).as_bytes())
            }
            Value::Number(number) => request.push_word(format_f64(*number).as_bytes()),
            _ => return Err(BAD_ARGUMENT),
        };
        if request.held_bytes() > REQUEST_BYTES_MAX {
            return Err(b"ERR the request of the script is longer than 512 MB");
        }
        pushed.map_err(|_| &b"OOM the system has no memory left for this command"[..])?;
    }
    request.end_request();
    Ok(())
}

/// Numbers below this are written as integers if they are some, as in Redis.
const INTEGER_MAX: f64 = 9_223_372_036_854_774_784.0;
