//! The library `cjson`: values to and from JSON, as lua-cjson 2.1.0 does it in Redis.
//!
//! This file owns the settings. In C they live as long as the state of Lua. Here [`Main::reset`] brings the
//! defaults back, so that a script cannot change what the next one reads and writes. It must never know keys
//! or commands.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use super::args::Args;
use super::{add, add_several};
use mlua::{Lua, MultiValue, Result, Table, Value};
use std::cell::Cell;
use std::rc::Rc;

/// What a script can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    /// Whether a table with few of many numeric keys becomes an object. If not, it is refused.
    sparse_convert: bool,
    /// A table has few of them if it has less than one in so many. 0 switches this off.
    sparse_ratio: i32,
    /// Up to this highest key no table has few of them.
    sparse_safe: i32,
    encode_max_depth: i32,
    decode_max_depth: i32,
    precision: i32,
    /// Accepted for the sake of old scripts. It has no effect here.
    keep_buffer: bool,
    encode_invalid: Invalid,
    decode_invalid: bool,
}

/// What becomes of an infinite number, or of NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalid {
    /// It is refused.
    Refused,
    /// It is written as it is.
    Written,
    /// It is written as `null`.
    Null,
}

const DEFAULTS: Settings = Settings {
    sparse_convert: false,
    sparse_ratio: 2,
    sparse_safe: 10,
    encode_max_depth: 1_000,
    decode_max_depth: 1_000,
    precision: 14,
    keep_buffer: true,
    encode_invalid: Invalid::Refused,
    decode_invalid: true,
};

/// Settings that the functions of one library table share.
type Shared = Rc<Cell<Settings>>;

/// The settings of the table that [`open`] made last. Other tables come from `cjson.new`: they belong to one
/// script.
#[derive(Clone, Debug)]
pub struct Main(Shared);

impl Main {
    /// The settings of an interpreter that has the library.
    ///
    /// # Panics
    /// If it does not have it.
    pub fn of(lua: &Lua) -> Main {
        lua.app_data_ref::<Main>().expect("the library is open").clone()
    }

    /// Brings the default settings back. The host calls this before each script.
    pub fn reset(&self) {
        self.0.set(DEFAULTS);
    }
}

/// Makes the table of the library.
///
/// # Errors
/// If memory runs out.
pub fn open(lua: &Lua) -> Result<Table> {
    let settings = Shared::new(Cell::new(DEFAULTS));
    lua.set_app_data(Main(Rc::clone(&settings)));
    table(lua, &settings)
}

fn table(lua: &Lua, settings: &Shared) -> Result<Table> {
    let library = lua.create_table()?;
    let shared = || Rc::clone(settings);
    let settings = shared();
    add(lua, &library, "encode", move |lua, args| encode::encode(lua, args, &settings.get()))?;
    let settings = shared();
    add(lua, &library, "decode", move |lua, args| decode::decode(lua, args, &settings.get()))?;
    let settings = shared();
    add_several(lua, &library, "encode_sparse_array", move |lua, args| set_sparse(lua, args, &settings))?;
    let settings = shared();
    add(lua, &library, "encode_invalid_numbers", move |lua, args| set_invalid(lua, args, &settings))?;
    add_integer(lua, &library, "encode_max_depth", shared(), i32::MAX, |all| &mut all.encode_max_depth)?;
    add_integer(lua, &library, "decode_max_depth", shared(), i32::MAX, |all| &mut all.decode_max_depth)?;
    add_integer(lua, &library, "encode_number_precision", shared(), 14, |all| &mut all.precision)?;
    add_switch(lua, &library, "encode_keep_buffer", shared(), |all| &mut all.keep_buffer)?;
    add_switch(lua, &library, "decode_invalid_numbers", shared(), |all| &mut all.decode_invalid)?;
    add(lua, &library, "new", |lua, _| Ok(Value::Table(table(lua, &Shared::new(Cell::new(DEFAULTS)))?)))?;
    library.raw_set("null", Value::NULL)?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    Ok(library)
}

/// Adds a function that sets an integer from 1 to `max`, and returns it.
fn add_integer(
    lua: &Lua,
    library: &Table,
    name: &'static str,
    settings: Shared,
    max: i32,
    field: fn(&mut Settings) -> &mut i32,
) -> Result<()> {
    add(lua, library, name, move |lua, args| {
        refuse_more(lua, args, 1)?;
        let mut all = settings.get();
        let value = integer(lua, args, 1, 1, max, *field(&mut all))?;
        *field(&mut all) = value;
        settings.set(all);
        Ok(Value::Integer(i64::from(value)))
    })
}

/// Adds a function that sets a switch, and returns it.
fn add_switch(
    lua: &Lua,
    library: &Table,
    name: &'static str,
    settings: Shared,
    field: fn(&mut Settings) -> &mut bool,
) -> Result<()> {
    add(lua, library, name, move |lua, args| {
        refuse_more(lua, args, 1)?;
        let mut all = settings.get();
        let value = switch(lua, args, 1, *field(&mut all))?;
        *field(&mut all) = value;
        settings.set(all);
        Ok(Value::Boolean(value))
    })
}

fn set_sparse(lua: &Lua, args: &Args, settings: &Shared) -> Result<MultiValue> {
    refuse_more(lua, args, 3)?;
    // As in C, what stands before a wrong argument is set.
    let mut all = settings.get();
    all.sparse_convert = switch(lua, args, 1, all.sparse_convert)?;
    settings.set(all);
    all.sparse_ratio = integer(lua, args, 2, 0, i32::MAX, all.sparse_ratio)?;
    settings.set(all);
    all.sparse_safe = integer(lua, args, 3, 0, i32::MAX, all.sparse_safe)?;
    settings.set(all);
    let numbers = [all.sparse_ratio, all.sparse_safe].map(|number| Value::Integer(i64::from(number)));
    Ok([Value::Boolean(all.sparse_convert)].into_iter().chain(numbers).collect())
}

fn set_invalid(lua: &Lua, args: &Args, settings: &Shared) -> Result<Value> {
    refuse_more(lua, args, 1)?;
    let mut all = settings.get();
    match args.get(1) {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(true)) => all.encode_invalid = Invalid::Written,
        Some(Value::Boolean(false)) => all.encode_invalid = Invalid::Refused,
        _ => {
            let options = [Invalid::Refused, Invalid::Written, Invalid::Null];
            all.encode_invalid = options[option(lua, args, 1, &["off", "on", "null"])?];
        }
    }
    settings.set(all);
    match all.encode_invalid {
        Invalid::Refused => Ok(Value::Boolean(false)),
        Invalid::Written => Ok(Value::Boolean(true)),
        Invalid::Null => Ok(Value::String(lua.create_string("null")?)),
    }
}

fn refuse_more(lua: &Lua, args: &Args, count: usize) -> Result<()> {
    if args.len() <= count { Ok(()) } else { Err(args.wrong(lua, count + 1, "found too many arguments")) }
}

/// An integer, or `old` if the argument is absent.
fn integer(lua: &Lua, args: &Args, index: usize, min: i32, max: i32, old: i32) -> Result<i32> {
    if args.is_absent(index) {
        return Ok(old);
    }
    // C cuts off the higher bits.
    let value = args.integer(lua, index)? as i32;
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    // The library in C always names the first argument.
    Err(args.wrong(lua, 1, format!("expected integer between {min} and {max}")))
}

/// A boolean, or `on` or `off`, or `old` if the argument is absent.
fn switch(lua: &Lua, args: &Args, index: usize, old: bool) -> Result<bool> {
    match args.get(index) {
        None | Some(Value::Nil) => Ok(old),
        Some(Value::Boolean(value)) => Ok(*value),
        _ => Ok(option(lua, args, index, &["off", "on"])? == 1),
    }
}

/// Which of some words an argument is.
fn option(lua: &Lua, args: &Args, index: usize, words: &[&str]) -> Result<usize> {
    let word = args.string(lua, index)?;
    let word = word.as_bytes();
    // As in C, a NUL byte ends it.
    let word = &word[..memchr::memchr(0, &word).unwrap_or(word.len())];
    words
        .iter()
        .position(|known| known.as_bytes() == word)
        .ok_or_else(|| args.wrong(lua, index, [b"invalid option '", word, b"'"].concat()))
}
