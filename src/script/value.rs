//! Turns the replies of commands into values of a script, as Redis does.

use mlua::{Lua, Table, Value};

use super::engine::Shared;

/// Elements of a reply after which the host is asked whether the script must stop.
const ELEMENTS_AT_ONCE: usize = 1_000;

/// Reads one reply. It is whole, and it is one that this server has written.
///
/// # Errors
/// If the script has no memory left for it, or must stop.
pub fn read(lua: &Lua, shared: &Shared, reply: &[u8]) -> mlua::Result<Value> {
    Replies { rest: reply, lua, shared, read: 0 }.value()
}

/// Replies that follow each other.
struct Replies<'a> {
    rest: &'a [u8],
    lua: &'a Lua,
    shared: &'a Shared,
    /// Number of values that have been read.
    read: usize,
}

impl<'a> Replies<'a> {
    /// Reads the next reply.
    fn value(&mut self) -> mlua::Result<Value> {
        self.read += 1;
        if self.read.is_multiple_of(ELEMENTS_AT_ONCE) {
            self.shared.ask(self.lua)?;
        }
        let (mark, line) = self.line();
        Ok(match mark {
            b'+' => self.wrap("ok", line)?,
            b'-' => self.wrap("err", line)?,
            b':' => Value::Number(number(line) as f64),
            b'$' if number(line) < 0 => Value::Boolean(false),
            b'*' if number(line) < 0 => Value::Boolean(false),
            b'$' => {
                let text = self.take(number(line) as usize);
                Value::String(self.lua.create_string(text)?)
            }
            b'*' | b'>' => self.array(number(line) as usize)?,
            b'%' => self.map(number(line) as usize)?,
            b'~' => self.set(number(line) as usize)?,
            b',' => self.double(line)?,
            b'#' => Value::Boolean(line == b"t"),
            b'(' => self.wrap("big_number", line)?,
            b'=' => self.verbatim(number(line) as usize)?,
            _ => Value::Nil,
        })
    }

    /// Takes the next line: its mark and the rest of it.
    fn line(&mut self) -> (u8, &'a [u8]) {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(2..).unwrap_or_default();
        match line.split_first() {
            Some((mark, line)) => (*mark, line),
            None => (0, b""),
        }
    }

    /// Takes the bytes of a string, and the end of its line.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (text, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest.get(2..).unwrap_or_default();
        text
    }

    /// A table with one field.
    fn table_with(&self, field: &str, value: impl mlua::IntoLua) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(field, value)?;
        Ok(Value::Table(table))
    }

    fn wrap(&self, field: &str, text: &[u8]) -> mlua::Result<Value> {
        self.table_with(field, self.lua.create_string(text)?)
    }

    /// An array of `len` elements. The room for them comes with them, and not because the reply announces it.
    fn array(&mut self, len: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(len.min(ELEMENTS_AT_ONCE), 0)?;
        for index in 1..=len {
            let value = self.value()?;
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize) -> mlua::Result<Value> {
        let inner = self.lua.create_table()?;
        for _ in 0..len {
            let (key, value) = (self.value()?, self.value()?);
            set_unless_nil(&inner, key, value)?;
        }
        self.table_with("map", inner)
    }

    fn set(&mut self, len: usize) -> mlua::Result<Value> {
        let inner = self.lua.create_table()?;
        for _ in 0..len {
            let member = self.value()?;
            set_unless_nil(&inner, member, Value::Boolean(true))?;
        }
        self.table_with("set", inner)
    }

    fn double(&self, line: &[u8]) -> mlua::Result<Value> {
        let text = std::str::from_utf8(line).unwrap_or_default();
        self.table_with("double", text.parse::<f64>().unwrap_or(f64::NAN))
    }

    fn verbatim(&mut self, len: usize) -> mlua::Result<Value> {
        let (format, text) = self.take(len).split_at(4.min(len));
        let inner = self.lua.create_table()?;
        inner.raw_set("format", self.lua.create_string(&format[..format.len().saturating_sub(1)])?)?;
        inner.raw_set("string", self.lua.create_string(text)?)?;
        self.table_with("verbatim_string", inner)
    }
}

/// A table takes no nil as a key.
fn set_unless_nil(table: &Table, key: Value, value: Value) -> mlua::Result<()> {
    if key.is_nil() { Ok(()) } else { table.raw_set(key, value) }
}

fn number(line: &[u8]) -> i64 {
    crate::resp::parse_i64(line).unwrap_or(0)
}
