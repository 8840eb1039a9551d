//! `math.random` and `math.randomseed`, as Lua 5.1 has them.
//!
//! This file must never know where the random numbers come from.

use std::rc::Rc;

use super::args::Args;
use super::{add, add_several, complain};
use crate::script::engine::Shared;
use mlua::{Lua, Result, Table, Value};

/// Makes a table of the two functions.
///
/// # Errors
/// If memory runs out.
pub fn open(lua: &Lua, shared: &Rc<Shared>) -> Result<Table> {
    let functions = lua.create_table()?;
    let source = Rc::clone(shared);
    add(lua, &functions, "random", move |lua, args| random(lua, &source, args))?;
    let source = Rc::clone(shared);
    add_several(lua, &functions, "randomseed", move |lua, args| {
        source.random.seed(c_int(args.integer(lua, 1)?));
        Ok(())
    })?;
    Ok(functions)
}

/// A number from 0 up to 1, or an integer in the interval that the arguments say.
fn random(lua: &Lua, shared: &Shared, args: &Args) -> Result<Value> {
    let drawn = shared.random.next();
    let bound = |index| -> Result<f64> { Ok(f64::from(c_int(args.integer(lua, index)?))) };
    let empty = |index| Err(args.wrong(lua, index, "interval is empty"));
    Ok(Value::Number(match args.len() {
        0 => drawn,
        1 => {
            let high = bound(1)?;
            if high < 1.0 {
                return empty(1);
            }
            (drawn * high).floor() + 1.0
        }
        2 => {
            let (low, high) = (bound(1)?, bound(2)?);
            if low > high {
                return empty(2);
            }
            (drawn * (high - low + 1.0)).floor() + low
        }
        _ => return Err(complain(lua, "wrong number of arguments")),
    }))
}

/// The low bits of an integer, as C makes an `int` of it.
fn c_int(number: i64) -> i32 {
    number as i32
}
