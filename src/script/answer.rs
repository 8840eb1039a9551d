//! Writes what a script has returned as a reply, as Redis does.

use mlua::{Error, LuaString, Table, Value};

use super::ended::Errors;
use super::host::Stop;
use super::library::number::c_integer;
use crate::resp::Reply;

/// How deep tables may be nested in what a script returns.
const DEPTH_MAX: usize = 128;

/// Number of values after which the writer asks whether it must stop.
const VALUES_AT_ONCE: usize = 1_000;

/// Writes `value`. `resp3` says whether the script has asked for values of RESP3, so that its booleans are booleans. Returns
/// the errors in it.
///
/// # Errors
/// What `must_stop` says.
pub fn write(
    value: &Value,
    reply: &mut Reply<'_>,
    resp3: bool,
    must_stop: &mut dyn FnMut() -> Option<Stop>,
) -> Result<Errors, Stop> {
    let mut writer = Writer { reply, resp3, must_stop, values: 0, errors: Errors::default() };
    writer.value(value, 0)?;
    Ok(writer.errors)
}

/// Writes the values of an answer.
struct Writer<'a, 'r> {
    reply: &'a mut Reply<'r>,
    resp3: bool,
    must_stop: &'a mut dyn FnMut() -> Option<Stop>,
    /// Number of values that were written.
    values: usize,
    errors: Errors,
}

impl Writer<'_, '_> {
    /// Counts a value, and asks now and then whether to stop.
    fn step(&mut self) -> Result<(), Stop> {
        self.values += 1;
        if !self.values.is_multiple_of(VALUES_AT_ONCE) {
            return Ok(());
        }
        (self.must_stop)().map_or(Ok(()), Err)
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Stop> {
        self.step()?;
        if self.reply.overflowed() {
            // A table may contain itself, and there is no end of it.
            return Ok(());
        }
        match value {
            Value::String(text) => self.reply.bulk(&text.as_bytes()),
            Value::Integer(number) => self.reply.int(*number),
            Value::Number(number) => self.reply.int(c_integer(*number)),
            Value::Boolean(value) if self.resp3 => self.reply.boolean(*value),
            Value::Boolean(true) => self.reply.int(1),
            Value::Table(_) if depth == DEPTH_MAX => self.reply.error(b"ERR reached lua stack limit"),
            Value::Table(table) => return self.table(table, depth + 1),
            _ => self.reply.null(),
        }
        Ok(())
    }

    /// Writes a table: by the field that says what it stands for, or as an array that ends before its first nil.
    fn table(&mut self, table: &Table, depth: usize) -> Result<(), Stop> {
        if let Some(text) = text(table, "err") {
            let is_counted = table.raw_get("ignore_error_stats_update").unwrap_or(false);
            self.errors.note(&text.as_bytes(), is_counted);
            self.reply.error(&text.as_bytes());
        } else if let Some(text) = text(table, "ok") {
            self.reply.status(&text.as_bytes());
        } else if let Some(number) = field(table, "double").as_number() {
            self.reply.double(number);
        } else if let Some(number) = field(table, "double").as_integer() {
            self.reply.double(number as f64);
        } else if let Value::Table(map) = field(table, "map") {
            return self.pairs(&map, depth, true);
        } else if let Value::Table(set) = field(table, "set") {
            return self.pairs(&set, depth, false);
        } else if let Some(number) = text(table, "big_number") {
            self.reply.big_number(&number.as_bytes());
        } else if let Value::Table(verbatim) = field(table, "verbatim_string")
            && let (Some(string), Some(format)) = (text(&verbatim, "string"), text(&verbatim, "format"))
        {
            self.reply.verbatim_bytes(&format.as_bytes(), &string.as_bytes());
        } else {
            return self.array(table, depth);
        }
        Ok(())
    }

    fn array(&mut self, table: &Table, depth: usize) -> Result<(), Stop> {
        // A table may contain itself, so its elements are counted and not collected.
        let element = |nth: usize| table.raw_get(nth).unwrap_or(Value::Nil);
        let mut count = 0;
        while element(count + 1) != Value::Nil {
            count += 1;
            self.step()?;
        }
        self.reply.array(count);
        (1..=count).try_for_each(|nth| self.value(&element(nth), depth))
    }

    /// Writes the keys of a table, each with its value if `values` is true.
    fn pairs(&mut self, table: &Table, depth: usize, values: bool) -> Result<(), Stop> {
        let mut count = 0;
        each_pair(table, |_, _| {
            count += 1;
            self.step()
        })?;
        if values {
            self.reply.map(count);
        } else {
            self.reply.set(count);
        }
        each_pair(table, |key, value| {
            self.value(&key, depth)?;
            if values { self.value(&value, depth) } else { Ok(()) }
        })
    }
}

/// Hands over each pair of a table, until `take` says stop.
fn each_pair(table: &Table, mut take: impl FnMut(Value, Value) -> Result<(), Stop>) -> Result<(), Stop> {
    let mut stopped = None;
    let walked = table.for_each(|key: Value, value: Value| {
        take(key, value).map_err(|stop| {
            stopped = Some(stop);
            Error::runtime("the script must stop")
        })
    });
    debug_assert!(walked.is_ok() || stopped.is_some(), "any key and any value is a value");
    stopped.map_or(Ok(()), Err)
}

/// The field of a table, whatever its metatable says.
fn field(table: &Table, name: &str) -> Value {
    table.raw_get(name).unwrap_or(Value::Nil)
}

/// The field of a table, if that is a string.
fn text(table: &Table, name: &str) -> Option<LuaString> {
    match field(table, name) {
        Value::String(text) => Some(text),
        _ => None,
    }
}
