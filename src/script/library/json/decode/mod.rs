//! Reads JSON. Words and single signs are in [`token`].
//!
//! This file must never know how JSON is written.
//!
//! Nested values take no stack of the thread, but they count as values on the stack of Lua 5.1, and the limit
//! is the same.

mod token;

use super::super::args::Args;
use super::super::{Pace, STACK_SLOTS_MAX, complain};
use super::Settings;
use mlua::{Lua, LuaString, Result, Table, Value};
use token::{Found, Tokens};

/// `cjson.decode`.
pub(super) fn decode(lua: &Lua, args: &Args, settings: &Settings) -> Result<Value> {
    if args.len() != 1 {
        return Err(args.wrong(lua, 1, "expected 1 argument"));
    }
    let text = args.string(lua, 1)?;
    let text = text.as_bytes();
    if let [0, _, ..] | [_, 0, ..] = *text {
        return Err(complain(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let tokens = Tokens::new(lua, &text, settings.decode_invalid);
    let mut reader = Reader { lua, tokens, max_depth: settings.decode_max_depth, slots: 1 };
    let value = reader.value()?;
    match reader.tokens.next()? {
        Found::End => Ok(value),
        other => Err(reader.unexpected("the end", &other)),
    }
}

/// A table that is being read.
enum Open {
    Array { table: Table, index: i64 },
    Object { table: Table, key: LuaString },
}

impl Open {
    /// Values that it has on Lua's stack while an element is read.
    fn slots(&self) -> usize {
        match self {
            Open::Array { .. } => 1,
            Open::Object { .. } => 2,
        }
    }
}

struct Reader<'a> {
    lua: &'a Lua,
    tokens: Tokens<'a>,
    max_depth: i32,
    /// The values that the library in C would have on Lua's stack.
    slots: usize,
}

impl Reader<'_> {
    /// Reads one value with all that is in it.
    fn value(&mut self) -> Result<Value> {
        let mut pace = Pace::default();
        let mut open: Vec<Open> = Vec::new();
        let mut found = self.tokens.next()?;
        loop {
            pace.step(self.lua)?;
            let begun = match found {
                Found::Value(value) => Err(value),
                Found::String => Err(Value::String(self.lua.create_string(self.tokens.string())?)),
                Found::ObjectBegin => self.begin_object(open.len())?,
                Found::ArrayBegin => self.begin_array(open.len())?,
                other => return Err(self.unexpected("value", &other)),
            };
            match begun {
                Ok((table, first)) => {
                    self.slots += table.slots();
                    open.push(table);
                    found = first;
                }
                Err(value) => match self.close(&mut open, value)? {
                    Ok(next) => found = next,
                    Err(whole) => return Ok(whole),
                },
            }
        }
    }

    /// Begins an array: gives it and the begin of its first element, or the whole array if it is empty.
    fn begin_array(&mut self, depth: usize) -> Result<std::result::Result<(Open, Found), Value>> {
        let table = self.table(depth, 2)?;
        match self.tokens.next()? {
            Found::ArrayEnd => Ok(Err(Value::Table(table))),
            first => Ok(Ok((Open::Array { table, index: 1 }, first))),
        }
    }

    /// Begins an object: gives it and the begin of its first value, or the whole object if it is empty.
    fn begin_object(&mut self, depth: usize) -> Result<std::result::Result<(Open, Found), Value>> {
        let table = self.table(depth, 3)?;
        match self.tokens.next()? {
            Found::ObjectEnd => Ok(Err(Value::Table(table))),
            found => {
                let key = self.key(&found)?;
                Ok(Ok((Open::Object { table, key }, self.tokens.next()?)))
            }
        }
    }

    /// A new table inside of `depth` others, if that is not too deep and there is room for `slots` values.
    fn table(&mut self, depth: usize, slots: usize) -> Result<Table> {
        let allowed = usize::try_from(self.max_depth).unwrap_or_default();
        if depth >= allowed || self.slots + slots > STACK_SLOTS_MAX {
            let (depth, at) = (depth + 1, self.tokens.position());
            let text = format!("Found too many nested data structures ({depth}) at character {at}");
            return Err(complain(self.lua, text));
        }
        self.lua.create_table()
    }

    /// The key that was found, behind which a colon must stand.
    fn key(&mut self, found: &Found) -> Result<LuaString> {
        let Found::String = found else { return Err(self.unexpected("object key string", found)) };
        let key = self.lua.create_string(self.tokens.string())?;
        match self.tokens.next()? {
            Found::Colon => Ok(key),
            other => Err(self.unexpected("colon", &other)),
        }
    }

    /// Puts a value into the table around it, and that one into the table around it if it ends there, and so
    /// on. Gives the begin of the next value, or the outermost value if that one has ended.
    fn close(&mut self, open: &mut Vec<Open>, mut value: Value) -> Result<std::result::Result<Found, Value>> {
        loop {
            let Some(inner) = open.pop() else { return Ok(Err(value)) };
            self.slots -= inner.slots();
            let more = match inner {
                Open::Array { table, index } => {
                    table.raw_set(index, value)?;
                    match self.tokens.next()? {
                        Found::Comma => Open::Array { table, index: index + 1 },
                        Found::ArrayEnd => {
                            value = Value::Table(table);
                            continue;
                        }
                        other => return Err(self.unexpected("comma or array end", &other)),
                    }
                }
                Open::Object { table, key } => {
                    table.raw_set(key, value)?;
                    match self.tokens.next()? {
                        Found::Comma => {
                            let found = self.tokens.next()?;
                            let key = self.key(&found)?;
                            Open::Object { table, key }
                        }
                        Found::ObjectEnd => {
                            value = Value::Table(table);
                            continue;
                        }
                        other => return Err(self.unexpected("comma or object end", &other)),
                    }
                }
            };
            self.slots += more.slots();
            open.push(more);
            return Ok(Ok(self.tokens.next()?));
        }
    }

    fn unexpected(&self, expected: &str, found: &Found) -> mlua::Error {
        let at = self.tokens.found_at() + 1;
        let name = found.name();
        complain(self.lua, format!("Expected {expected} but found {name} at character {at}"))
    }
}
