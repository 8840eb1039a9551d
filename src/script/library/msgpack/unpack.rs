//! Reads MessagePack, as lua-cmsgpack 0.4.0 does it in Redis.
//!
//! This file must never know how values are written.
//!
//! A length in the text reserves nothing: memory grows with the elements that are really there. Nested values
//! take no stack of the thread, but they count as values on the stack of Lua 5.1, and the limit is the same.

use super::super::args::Args;
use super::super::{Pace, STACK_SLOTS_MAX, complain, complain_without_place};
use mlua::{Lua, MultiValue, Result, Table, Value};

/// `cmsgpack.unpack`: all values of a string.
pub(super) fn all(lua: &Lua, args: &Args) -> Result<MultiValue> {
    values(lua, args, args.len(), 0, 0)
}

/// `cmsgpack.unpack_one`: where the next value begins, and the value at an offset.
pub(super) fn one(lua: &Lua, args: &Args) -> Result<MultiValue> {
    let offset = args.integer_or(lua, 2, 0)?;
    values(lua, args, 1, 1, offset)
}

/// `cmsgpack.unpack_limit`: where the next value begins, and some values from an offset on.
pub(super) fn limited(lua: &Lua, args: &Args) -> Result<MultiValue> {
    let limit = args.integer(lua, 2)?;
    let offset = args.integer_or(lua, 3, 0)?;
    values(lua, args, 1, limit, offset)
}

/// Reads up to `limit` values from `offset` on. If both are 0, it reads all and does not return where the
/// next begins. `slots` are the values on Lua's stack before.
fn values(lua: &Lua, args: &Args, slots: usize, limit: i64, offset: i64) -> Result<MultiValue> {
    let text = args.string(lua, 1)?;
    let text = text.as_bytes();
    if offset < 0 || limit < 0 {
        let (offset, len) = (offset as i32, text.len() as i32);
        // The library in C really writes the length here.
        let told = format!("Invalid request to unpack with offset of {offset} and limit of {len}.");
        return Err(complain(lua, told));
    }
    let Some(rest) = usize::try_from(offset).ok().and_then(|offset| text.get(offset..)) else {
        let (offset, len) = (offset as i32, text.len() as i32);
        return Err(complain(lua, format!("Start offset {offset} greater than input length {len}.")));
    };
    let with_next = limit != 0 || offset != 0;
    let limit = if with_next { limit } else { i64::from(i32::MAX) };

    let mut reader = Reader { lua, rest, slots, pace: Pace::default() };
    let mut results = Vec::new();
    while !reader.rest.is_empty() && (results.len() as i64) < limit {
        results.push(reader.value()?);
        reader.slots += 1;
    }
    if with_next {
        reader.need_slot("in function mp_unpack_full")?;
        let next = if reader.rest.is_empty() { -1 } else { (text.len() - reader.rest.len()) as i64 };
        results.insert(0, Value::Integer(next));
    }
    Ok(MultiValue::from_vec(results))
}

/// What a value begins with.
#[derive(Debug)]
enum Begin {
    /// The whole value.
    Whole(Value),
    /// An array with so many elements.
    Array(u32),
    /// A map with so many pairs.
    Map(u32),
}

/// A table of which elements are missing.
#[derive(Debug)]
enum Open {
    Array { table: Table, left: u32, index: usize },
    Map { table: Table, left: u32, key: Option<Value> },
}

impl Open {
    /// Values that it has on Lua's stack while an element is read.
    fn slots(&self) -> usize {
        match self {
            Open::Array { .. } | Open::Map { key: Some(_), .. } => 2,
            Open::Map { .. } => 1,
        }
    }
}

#[derive(Debug)]
struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    /// The values that the library in C would have on Lua's stack.
    slots: usize,
    pace: Pace,
}

impl<'a> Reader<'a> {
    /// Reads one value with all that is in it.
    fn value(&mut self) -> Result<Value> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            self.pace.step(self.lua)?;
            let mut done = match self.begin()? {
                Begin::Whole(value) => value,
                Begin::Array(left) => {
                    let table = self.lua.create_table()?;
                    self.slots += 1;
                    self.need_slot("in function mp_decode_to_lua_array")?;
                    self.slots -= 1;
                    if left > 0 {
                        open.push(Open::Array { table, left, index: 1 });
                        self.slots += 2;
                        continue;
                    }
                    Value::Table(table)
                }
                Begin::Map(left) => {
                    let table = self.lua.create_table()?;
                    if left > 0 {
                        open.push(Open::Map { table, left, key: None });
                        self.slots += 1;
                        continue;
                    }
                    Value::Table(table)
                }
            };
            // A value may be the last one that the tables around it wait for.
            loop {
                let Some(mut inner) = open.pop() else { return Ok(done) };
                self.slots -= inner.slots();
                if let Some(whole) = put(&mut inner, done)? {
                    done = Value::Table(whole);
                    continue;
                }
                self.slots += inner.slots();
                open.push(inner);
                break;
            }
        }
    }

    /// Reads a value that is no table, or what a table begins with.
    fn begin(&mut self) -> Result<Begin> {
        let first = self.number::<1>()? as u8;
        self.need_slot("too many return values at once; use unpack_one or unpack_limit instead.")?;
        let whole = match first {
            0x00..=0x7f => Value::Integer(i64::from(first)),
            0x80..=0x8f => return Ok(Begin::Map(u32::from(first & 0x0f))),
            0x90..=0x9f => return Ok(Begin::Array(u32::from(first & 0x0f))),
            0xa0..=0xbf => self.string(usize::from(first & 0x1f))?,
            0xc0 => Value::Nil,
            0xc2 | 0xc3 => Value::Boolean(first == 0xc3),
            0xca => Value::Number(f64::from(f32::from_bits(self.number::<4>()? as u32))),
            0xcb => Value::Number(f64::from_bits(self.number::<8>()?)),
            0xcc => Value::Integer(self.number::<1>()? as i64),
            0xcd => Value::Integer(self.number::<2>()? as i64),
            0xce => Value::Integer(self.number::<4>()? as i64),
            // A number above the largest signed one becomes negative, as in the library in C.
            0xcf | 0xd3 => Value::Number(self.number::<8>()? as i64 as f64),
            0xd0 => Value::Integer(i64::from(self.number::<1>()? as i8)),
            0xd1 => Value::Integer(i64::from(self.number::<2>()? as i16)),
            0xd2 => Value::Integer(i64::from(self.number::<4>()? as i32)),
            0xd9 => self.long_string::<1>()?,
            0xda => self.long_string::<2>()?,
            0xdb => self.long_string::<4>()?,
            0xdc => return Ok(Begin::Array(self.number::<2>()? as u32)),
            0xdd => return Ok(Begin::Array(self.number::<4>()? as u32)),
            0xde => return Ok(Begin::Map(self.number::<2>()? as u32)),
            0xdf => return Ok(Begin::Map(self.number::<4>()? as u32)),
            0xe0..=0xff => Value::Integer(i64::from(first as i8)),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => {
                return Err(complain(self.lua, "Bad data format in input."));
            }
        };
        Ok(Begin::Whole(whole))
    }

    /// A number of `SIZE` bytes, at most 8, the highest one first.
    fn number<const SIZE: usize>(&mut self) -> Result<u64> {
        let bytes = self.take(SIZE)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A string behind a length of `SIZE` bytes.
    fn long_string<const SIZE: usize>(&mut self) -> Result<Value> {
        let len = self.number::<SIZE>()?;
        self.string(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn string(&mut self, len: usize) -> Result<Value> {
        let bytes = self.take(len)?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(complain(self.lua, "Missing bytes in input."));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// Refuses a value for which the stack of Lua 5.1 has no room.
    fn need_slot(&self, why: &str) -> Result<()> {
        if self.slots < STACK_SLOTS_MAX {
            return Ok(());
        }
        Err(complain(self.lua, format!("stack overflow ({why})")))
    }
}

/// Puts an element into a table. Returns the table if no element is missing then.
fn put(open: &mut Open, element: Value) -> Result<Option<Table>> {
    let (table, left) = match open {
        Open::Array { table, left, index } => {
            table.raw_set(*index, element)?;
            *index += 1;
            (table, left)
        }
        Open::Map { table, left, key } => {
            let Some(found) = key.take() else {
                *key = Some(element);
                return Ok(None);
            };
            match found {
                Value::Nil => return Err(complain_without_place("table index is nil")),
                Value::Number(number) if number.is_nan() => {
                    return Err(complain_without_place("table index is NaN"));
                }
                _ => table.raw_set(found, element)?,
            }
            (table, left)
        }
    };
    *left -= 1;
    Ok((*left == 0).then(|| table.clone()))
}
