//! The arguments of a library's function, read and refused as Lua 5.1's own C interface does.
//!
//! This file must never know what a function does with its arguments.

use super::number::{c_integer, lua_number, lua_text};
use super::{check, complain, place};
use mlua::{Lua, LuaString, MultiValue, Result, Value};

/// To turn a text of more bytes than this into a number takes long enough to look at the time before.
const SHORT_TEXT_BYTES: usize = 4 << 10;

/// The arguments of one call. The first one has the index 1, as in messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Args<'a> {
    /// The name of the function, for messages.
    name: &'static str,
    values: &'a MultiValue,
    /// What messages say of an argument that was not given.
    behind: &'static str,
}

impl<'a> Args<'a> {
    pub fn new(name: &'static str, values: &'a MultiValue) -> Args<'a> {
        Args { name, values, behind: "no value" }
    }

    /// The same arguments, with a `nil` behind them.
    pub fn with_nil(&self) -> Args<'a> {
        Args { behind: "nil", ..*self }
    }

    /// How many there are. A `nil` at the end counts.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// An argument, if it was given.
    pub fn get(&self, index: usize) -> Option<&'a Value> {
        self.values.get(index.wrapping_sub(1))
    }

    /// Whether an argument is `nil` or was not given.
    pub fn is_absent(&self, index: usize) -> bool {
        matches!(self.get(index), None | Some(Value::Nil))
    }

    /// A number, or a string that Lua can convert into one.
    pub fn number(&self, lua: &Lua, index: usize) -> Result<f64> {
        let number = self.get(index).map_or(Ok(None), |value| number_of(lua, value))?;
        number.ok_or_else(|| self.wrong_type(lua, index, "number"))
    }

    /// A number without its fraction.
    pub fn integer(&self, lua: &Lua, index: usize) -> Result<i64> {
        Ok(c_integer(self.number(lua, index)?))
    }

    /// As [`Args::integer`], or `default` if the argument is absent.
    pub fn integer_or(&self, lua: &Lua, index: usize, default: i64) -> Result<i64> {
        if self.is_absent(index) { Ok(default) } else { self.integer(lua, index) }
    }

    /// A string, or a number as text.
    pub fn string(&self, lua: &Lua, index: usize) -> Result<LuaString> {
        match self.get(index) {
            Some(Value::String(string)) => Ok(string.clone()),
            Some(Value::Integer(number)) => lua.create_string(lua_text(*number as f64)),
            Some(Value::Number(number)) => lua.create_string(lua_text(*number)),
            _ => Err(self.wrong_type(lua, index, "string")),
        }
    }

    /// The error for an argument of a wrong type.
    pub fn wrong_type(&self, lua: &Lua, index: usize, expected: &str) -> mlua::Error {
        let found = self.get(index).map_or(self.behind, type_name);
        self.wrong(lua, index, format!("{expected} expected, got {found}"))
    }

    /// The error for a wrong argument.
    pub fn wrong(&self, lua: &Lua, index: usize, why: impl AsRef<[u8]>) -> mlua::Error {
        // As in Lua 5.1, a function has no name if no line of Lua calls it.
        let name = if place(lua).is_some() { self.name } else { "?" };
        let mut text = format!("bad argument #{index} to '{name}' (").into_bytes();
        text.extend_from_slice(why.as_ref());
        text.push(b')');
        complain(lua, text)
    }
}

/// A number, or a string that Lua can convert into one. `None` if it is neither.
///
/// # Errors
/// If the script must stop.
pub(super) fn number_of(lua: &Lua, value: &Value) -> Result<Option<f64>> {
    Ok(match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(string) => {
            let text = string.as_bytes();
            if text.len() > SHORT_TEXT_BYTES {
                check(lua)?;
            }
            lua_number(&text)
        }
        _ => None,
    })
}

/// The name of a value's type, as Lua's function `type` has it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "number",
        Value::LightUserData(_) | Value::Error(_) => "userdata",
        other => other.type_name(),
    }
}
