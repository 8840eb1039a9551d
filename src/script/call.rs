//! `redis.call` and its like: they write the request of a script, let the host run it, and turn the reply into a value.

use std::ffi::c_int;

use super::engine::Shared;
use super::host::{ASK_EVERY, HOST, Stop};
use super::stack::{Raised, Stack};
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
/// The error for a call while no script runs.
const NO_SCRIPT: &[u8] = b"ERR redis.call/pcall can only be called inside a script invocation";
/// Numbers below this are written as integers if they are some, as in Redis 7.2.
const INTEGER_MAX: f64 = 4_611_686_018_427_387_904.0;

/// What a function returns: the number of its results.
type Results = Result<c_int, Raised>;

/// `redis.call`: runs a command, and raises its error.
pub fn call(stack: &mut Stack, shared: Option<&Shared>) -> Results {
    if run(stack, shared)? { Ok(1) } else { Err(Raised) }
}

/// `redis.pcall`: runs a command, and returns its error.
pub fn pcall(stack: &mut Stack, shared: Option<&Shared>) -> Results {
    run(stack, shared).map(|_| 1)
}

/// Runs a command. Pushes its reply and returns true, or pushes an error and returns false.
fn run(stack: &mut Stack, shared: Option<&Shared>) -> Result<bool, Raised> {
    let Some(shared) = shared.filter(|_| HOST.is_set()) else { return Ok(refuse(stack, NO_SCRIPT)) };
    let mut request = shared.request.borrow_mut();
    if let Err(error) = write_request(stack, shared, &mut request)? {
        return Ok(refuse(stack, error));
    }
    let Some(words) = request.iter().next() else { return Ok(refuse(stack, NO_COMMAND)) };
    let mut reply = shared.reply.borrow_mut();
    reply.clear();
    let was_long = HOST.with(|host| host.call(words, shared.proto.get(), &mut reply));
    if reply.front().is_empty() {
        // There was no memory for the reply, not even for an error in its place.
        shared.stop(Stop::Memory);
    }
    let failed = reply.front().first() == Some(&b'-');
    stack.walk(shared, if was_long { ASK_EVERY } else { steps(reply.len()) })?;
    value::push(stack, shared, reply.front())?;
    Ok(!failed)
}

/// `redis.acl_check_cmd`: whether the script may run a command.
pub fn may_call(stack: &mut Stack, shared: Option<&Shared>) -> Results {
    let Some(shared) = shared.filter(|_| HOST.is_set()) else {
        refuse(stack, NO_SCRIPT);
        return Err(Raised);
    };
    let mut request = shared.request.borrow_mut();
    if let Err(error) = write_request(stack, shared, &mut request)? {
        refuse(stack, error);
        return Err(Raised);
    }
    if !request.iter().next().is_some_and(|words| HOST.with(|host| host.knows(words))) {
        refuse(stack, b"ERR Invalid command passed to redis.acl_check_cmd()");
        return Err(Raised);
    }
    stack.push_boolean(true);
    Ok(1)
}

/// Pushes an error, and returns false.
fn refuse(stack: &mut Stack, error: &[u8]) -> bool {
    stack.push_error(error);
    false
}

/// How many steps of a script so many bytes of a request or of a reply count.
fn steps(bytes: usize) -> u32 {
    u32::try_from(bytes / BYTES_OF_A_STEP).unwrap_or(u32::MAX)
}

/// Writes the arguments of a call, and counts the steps of it. Returns an error for the script if they are no request.
fn write_request(
    stack: &mut Stack,
    shared: &Shared,
    request: &mut Kept,
) -> Result<Result<(), &'static [u8]>, Raised> {
    request.clear();
    let bytes_max = shared.memory_max.get().saturating_sub(stack.used_memory());
    let written = write_words(stack, request, bytes_max);
    if written.is_err() {
        shared.stop(Stop::Memory);
    }
    stack.walk(shared, STEPS_OF_A_CALL.saturating_add(steps(request.held_bytes())))?;
    Ok(written.unwrap_or(Ok(())))
}

/// A request is longer than the memory that a script may still use.
struct TooLong;

/// Writes the arguments of a call as a request. An integer is written as one, and any other number as shortly as it
/// can be read again.
fn write_words(
    stack: &Stack,
    request: &mut Kept,
    bytes_max: usize,
) -> Result<Result<(), &'static [u8]>, TooLong> {
    let mut digits = itoa::Buffer::new();
    for index in 1..=stack.len() {
        let pushed = if let Some(bytes) = stack.bytes(index) {
            request.push_word(bytes)
        } else if let Some(number) = stack.number(index) {
            if number.fract() == 0.0 && number.abs() < INTEGER_MAX {
                request.push_word(digits.format(number as i64).as_bytes())
            } else {
                request.push_word(format_f64(number).as_bytes())
            }
        } else {
            return Ok(Err(BAD_ARGUMENT));
        };
        if pushed.is_err() || request.held_bytes() > bytes_max {
            return Err(TooLong);
        }
    }
    if stack.len() == 0 {
        return Ok(Err(NO_COMMAND));
    }
    request.end_request();
    Ok(Ok(()))
}
