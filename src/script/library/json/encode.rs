//! Writes JSON.
//!
//! This file must never know how JSON is read.

use super::super::args::{Args, type_name};
use super::super::complain;
use super::super::number::format_g;
use super::super::output::{BYTES_PER_CHECK, Output};
use super::{Invalid, Settings};
use mlua::{Lua, Result, Table, Value};

/// Tables are never nested deeper, whatever a script sets: each level needs some of the thread's stack.
const NESTING_MAX: i32 = 1_000;

/// `cjson.encode`.
pub(super) fn encode(lua: &Lua, args: &Args, settings: &Settings) -> Result<Value> {
    let (1, Some(value)) = (args.len(), args.get(1)) else {
        return Err(args.wrong(lua, 1, "expected 1 argument"));
    };
    let mut writer = Writer { out: Output::new(lua), settings };
    writer.value(value, 0)?;
    writer.out.finish()
}

struct Writer<'a> {
    out: Output<'a>,
    settings: &'a Settings,
}

impl Writer<'_> {
    /// Writes a value. `depth` says how many tables it is in.
    fn value(&mut self, value: &Value, depth: i32) -> Result<()> {
        self.out.step()?;
        match value {
            Value::String(string) => self.string(&string.as_bytes()),
            Value::Integer(number) => self.number(*number as f64),
            Value::Number(number) => self.number(*number),
            Value::Boolean(true) => self.out.append(b"true"),
            Value::Boolean(false) => self.out.append(b"false"),
            Value::Table(table) => self.table(table, depth + 1),
            Value::Nil => self.out.append(b"null"),
            null if *null == Value::NULL => self.out.append(b"null"),
            other => Err(self.refusal(other, "type not supported")),
        }
    }

    fn refusal(&self, value: &Value, reason: &str) -> mlua::Error {
        complain(self.out.lua(), format!("Cannot serialise {}: {reason}", type_name(value)))
    }

    fn table(&mut self, table: &Table, depth: i32) -> Result<()> {
        if depth > self.settings.encode_max_depth.min(NESTING_MAX) {
            let text = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(complain(self.out.lua(), text));
        }
        match self.array_len(table)? {
            Some(len) => self.array(table, len, depth),
            None => self.object(table, depth),
        }
    }

    /// The highest key of a table that is an array. An empty table is none.
    fn array_len(&mut self, table: &Table) -> Result<Option<i32>> {
        let (mut max, mut count, mut is_array) = (0, 0_i32, true);
        let walked = table.for_each(|key: Value, _: bool| {
            self.out.step()?;
            match key {
                Value::Integer(key) if (1..=i64::from(i32::MAX)).contains(&key) => {
                    max = max.max(key as i32);
                    count = count.saturating_add(1);
                    Ok(())
                }
                _ => {
                    is_array = false;
                    // Any error ends the walk. This one takes no memory.
                    Err(mlua::Error::StackError)
                }
            }
        });
        if !is_array {
            return Ok(None);
        }
        walked?;
        let settings = self.settings;
        let ratio = settings.sparse_ratio;
        if ratio > 0 && max > count.wrapping_mul(ratio) && max > settings.sparse_safe {
            if settings.sparse_convert {
                return Ok(None);
            }
            return Err(self.refusal(&Value::Table(table.clone()), "excessively sparse array"));
        }
        Ok((max > 0).then_some(max))
    }

    fn array(&mut self, table: &Table, len: i32, depth: i32) -> Result<()> {
        self.out.push(b'[')?;
        for index in 1..=len {
            if index > 1 {
                self.out.push(b',')?;
            }
            self.value(&table.raw_get(index)?, depth)?;
        }
        self.out.push(b']')
    }

    fn object(&mut self, table: &Table, depth: i32) -> Result<()> {
        self.out.push(b'{')?;
        let mut is_first = true;
        table.for_each(|key: Value, value: Value| {
            if !is_first {
                self.out.push(b',')?;
            }
            is_first = false;
            self.key(&key)?;
            self.value(&value, depth)
        })?;
        self.out.push(b'}')
    }

    fn key(&mut self, key: &Value) -> Result<()> {
        match key {
            Value::String(string) => {
                self.string(&string.as_bytes())?;
                self.out.push(b':')
            }
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"')?;
                self.value(key, 0)?;
                self.out.append(b"\":")
            }
            other => Err(self.refusal(other, "table key must be a number or string")),
        }
    }

    fn number(&mut self, number: f64) -> Result<()> {
        if !number.is_finite() {
            match self.settings.encode_invalid {
                Invalid::Refused => {
                    return Err(self.refusal(&Value::Number(number), "must not be NaN or Inf"));
                }
                Invalid::Null => return self.out.append(b"null"),
                Invalid::Written if number.is_nan() => return self.out.append(b"nan"),
                Invalid::Written => {}
            }
        }
        let precision = usize::try_from(self.settings.precision).unwrap_or_default();
        self.out.write(|out| format_g(number, precision, out))
    }

    fn string(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.push(b'"')?;
        // In pieces, so that a long string cannot take long without a check.
        for mut piece in bytes.chunks(BYTES_PER_CHECK) {
            while let Some(at) = piece.iter().position(|byte| is_escaped(*byte)) {
                self.out.append(&piece[..at])?;
                self.escape(piece[at])?;
                piece = &piece[at + 1..];
            }
            self.out.append(piece)?;
        }
        self.out.push(b'"')
    }

    fn escape(&mut self, byte: u8) -> Result<()> {
        let short = match byte {
            b'"' | b'\\' | b'/' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => {
                let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 0x0f)];
                return self.out.append(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
            }
        };
        self.out.append(&[b'\\', short])
    }
}

/// Whether a byte does not stand for itself.
fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | b'/' | 0x7f)
}
