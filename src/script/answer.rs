//! Writes what a script has returned as a reply, as Redis does.

use mlua::{LuaString, Table, Value};

use crate::resp::Reply;

/// How deep tables may be nested in what a script returns.
const DEPTH_MAX: usize = 128;

/// Writes `value`. `resp3` says whether the script has asked for values of RESP3, so that its booleans are booleans.
pub fn write(value: &Value, reply: &mut Reply<'_>, resp3: bool) {
    write_value(value, reply, resp3, 0);
}

fn write_value(value: &Value, reply: &mut Reply<'_>, resp3: bool, depth: usize) {
    match value {
        Value::String(text) => reply.bulk(&text.as_bytes()),
        Value::Integer(number) => reply.int(*number),
        Value::Number(number) => reply.int(to_integer(*number)),
        Value::Boolean(value) if resp3 => reply.boolean(*value),
        Value::Boolean(true) => reply.int(1),
        Value::Table(_) if depth == DEPTH_MAX => reply.error(b"ERR reached lua stack limit"),
        Value::Table(table) => write_table(table, reply, resp3, depth + 1),
        _ => reply.null(),
    }
}

/// Writes a table: by the field that says what it stands for, or as an array that ends before its first nil.
fn write_table(table: &Table, reply: &mut Reply<'_>, resp3: bool, depth: usize) {
    if let Some(text) = text(table, "err") {
        return reply.error(&text.as_bytes());
    }
    if let Some(text) = text(table, "ok") {
        return reply.status(&text.as_bytes());
    }
    match field(table, "double") {
        Value::Number(number) => return reply.double(number),
        Value::Integer(number) => return reply.double(number as f64),
        _ => {}
    }
    if let Value::Table(map) = field(table, "map") {
        return write_pairs(&map, reply, resp3, depth, true);
    }
    if let Value::Table(set) = field(table, "set") {
        return write_pairs(&set, reply, resp3, depth, false);
    }
    if let Some(number) = text(table, "big_number") {
        return reply.big_number(&number.as_bytes());
    }
    if let Value::Table(verbatim) = field(table, "verbatim_string")
        && let (Some(string), Some(format)) = (text(&verbatim, "string"), text(&verbatim, "format"))
    {
        return reply.verbatim_bytes(&format.as_bytes(), &string.as_bytes());
    }
    let mut elements = Vec::new();
    loop {
        match table.raw_get(elements.len() + 1) {
            Ok(Value::Nil) | Err(_) => break,
            Ok(value) => elements.push(value),
        }
    }
    reply.array(elements.len());
    elements.iter().for_each(|element| write_value(element, reply, resp3, depth));
}

/// Writes the keys of a table, each with its value if `values` is true.
fn write_pairs(table: &Table, reply: &mut Reply<'_>, resp3: bool, depth: usize, values: bool) {
    let mut pairs = Vec::new();
    let collected = table.for_each(|key: Value, value: Value| {
        pairs.push((key, value));
        Ok(())
    });
    debug_assert!(collected.is_ok(), "any key and any value is a value");
    if values {
        reply.map(pairs.len());
    } else {
        reply.set(pairs.len());
    }
    for (key, value) in &pairs {
        write_value(key, reply, resp3, depth);
        if values {
            write_value(value, reply, resp3, depth);
        }
    }
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

/// A number without its fraction. One that is no integer of 64 bits becomes the least of these, as in C on x86.
fn to_integer(number: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    if fits { number as i64 } else { i64::MIN }
}
