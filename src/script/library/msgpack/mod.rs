//! The library `cmsgpack`: values to and from MessagePack, as lua-cmsgpack 0.4.0 does it in Redis.
//!
//! The functions that read are in [`unpack`]. This file must never know the other libraries.

mod unpack;

use super::args::Args;
use super::number::c_integer;
use super::output::Output;
use super::{add, add_several, complain};
use mlua::{Lua, Result, Table, Value};

/// Tables that are nested deeper are written as `nil`.
const NESTING_MAX: usize = 16;

/// Makes the table of the library.
///
/// # Errors
/// If memory runs out.
pub fn open(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    add(lua, &library, "pack", pack)?;
    add_several(lua, &library, "unpack", unpack::all)?;
    add_several(lua, &library, "unpack_one", unpack::one)?;
    add_several(lua, &library, "unpack_limit", unpack::limited)?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(library)
}

fn pack(lua: &Lua, args: &Args) -> Result<Value> {
    if args.len() == 0 {
        return Err(args.wrong(lua, 0, "MessagePack pack needs input."));
    }
    let mut out = Output::new(lua);
    for index in 1..=args.len() {
        push_value(&mut out, args.get(index).unwrap_or(&Value::Nil), 0)?;
    }
    out.finish()
}

/// Appends a value. `level` says how many tables it is in.
fn push_value(out: &mut Output, value: &Value, level: usize) -> Result<()> {
    out.step()?;
    match value {
        Value::String(string) => push_string(out, &string.as_bytes()),
        Value::Boolean(truth) => out.push(if *truth { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => push_integer(out, *number),
        Value::Number(number) => push_number(out, *number),
        Value::Table(table) if level < NESTING_MAX => push_table(out, table, level),
        _ => out.push(0xc0),
    }
}

fn push_string(out: &mut Output, bytes: &[u8]) -> Result<()> {
    match bytes.len() {
        len @ 0..=31 => out.push(0xa0 | len as u8)?,
        len @ 32..=0xff => out.append(&[0xd9, len as u8])?,
        len => push_length(out, [0xda, 0xdb], len)?,
    }
    out.append(bytes)
}

/// Appends a length with 16 or 32 bits. `types` has a first byte for each of both.
fn push_length(out: &mut Output, types: [u8; 2], len: usize) -> Result<()> {
    if let Ok(len) = u16::try_from(len) {
        out.push(types[0])?;
        return out.append(&len.to_be_bytes());
    }
    let Ok(len) = u32::try_from(len) else {
        return Err(complain(out.lua(), "too many elements for MessagePack"));
    };
    out.push(types[1])?;
    out.append(&len.to_be_bytes())
}

fn push_number(out: &mut Output, number: f64) -> Result<()> {
    let whole = c_integer(number);
    if whole as f64 == number && number.is_finite() {
        return push_integer(out, whole);
    }
    let short = number as f32;
    if f64::from(short) == number {
        out.push(0xca)?;
        out.append(&short.to_be_bytes())
    } else {
        out.push(0xcb)?;
        out.append(&number.to_be_bytes())
    }
}

fn push_integer(out: &mut Output, number: i64) -> Result<()> {
    // The low bytes of the number, the highest one first.
    let bytes = number.to_be_bytes();
    let (first, len) = match number {
        -32..=0x7f => return out.push(bytes[7]),
        0x80..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (0xcf, 8),
        -0x80..=-33 => (0xd0, 1),
        -0x8000..=-0x81 => (0xd1, 2),
        -0x8000_0000..=-0x8001 => (0xd2, 4),
        ..-0x8000_0000 => (0xd3, 8),
    };
    out.push(first)?;
    out.append(&bytes[8 - len..])
}

fn push_table(out: &mut Output, table: &Table, level: usize) -> Result<()> {
    let (count, is_array) = shape(out, table)?;
    if is_array {
        if count <= 15 {
            out.push(0x90 | count as u8)?;
        } else {
            push_length(out, [0xdc, 0xdd], count)?;
        }
        for index in 1..=count {
            push_value(out, &table.raw_get(index)?, level + 1)?;
        }
        return Ok(());
    }
    if count <= 15 {
        out.push(0x80 | count as u8)?;
    } else {
        push_length(out, [0xde, 0xdf], count)?;
    }
    table.for_each(|key: Value, value: Value| {
        push_value(out, &key, level + 1)?;
        push_value(out, &value, level + 1)
    })
}

/// How many elements a table has, and whether their keys are the numbers from 1 to that.
fn shape(out: &mut Output, table: &Table) -> Result<(usize, bool)> {
    let (mut count, mut max, mut all_fit) = (0, 0, true);
    table.for_each(|key: Value, _: bool| {
        out.step()?;
        count += 1;
        match key {
            Value::Integer(key @ 1..=0x7fff_ffff) => max = max.max(key),
            _ => all_fit = false,
        }
        Ok(())
    })?;
    Ok((count, all_fit && usize::try_from(max) == Ok(count)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{error, eval, random_strings, state};
    use mlua::{LuaString, MultiValue};

    #[test]
    fn every_value_takes_its_shortest_form() {
        let lua = state();
        for (values, bytes) in [
            ("1, 127, 128, 255, 256", &b"\x01\x7f\xcc\x80\xcc\xff\xcd\x01\x00"[..]),
            ("65536, 2^32", b"\xce\0\x01\0\0\xcf\0\0\0\x01\0\0\0\0"),
            ("-1, -32, -33, -129", b"\xff\xe0\xd0\xdf\xd1\xff\x7f"),
            ("-32769, -2^31 - 1", b"\xd2\xff\xff\x7f\xff\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
            ("1.5, 2^63", b"\xca\x3f\xc0\0\0\xca\x5f\0\0\0"),
            ("0.1", b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"),
            ("nil, true, false, print", b"\xc0\xc3\xc2\xc0"),
            ("{}, {1, 2}, {[2] = 1}, {a = 1}", b"\x90\x92\x01\x02\x81\x02\x01\x81\xa1a\x01"),
        ] {
            let packed: LuaString = eval(&lua, &format!("cmsgpack.pack({values})"));
            assert_eq!(packed.as_bytes(), bytes, "{values}");
        }
        let heads = "cmsgpack.pack(('x'):rep(32)):sub(1, 2) .. cmsgpack.pack(('x'):rep(256)):sub(1, 3)";
        assert_eq!(eval::<LuaString>(&lua, heads).as_bytes(), &b"\xd9\x20\xda\x01\0"[..]);
    }

    #[test]
    fn tables_that_contain_themselves_end_in_nil() {
        let lua = state();
        lua.load("t = {} t[1] = t").exec().unwrap();
        let bytes = [&[0x91; 16][..], &[0xc0]].concat();
        assert_eq!(eval::<LuaString>(&lua, "cmsgpack.pack(t)").as_bytes(), bytes);
    }

    #[test]
    fn some_values_are_read_with_the_offset_of_the_next() {
        let lua = state();
        assert_eq!(eval::<(i64, i64, i64)>(&lua, "cmsgpack.unpack('\\1\\2\\3')"), (1, 2, 3));
        assert_eq!(eval::<(i64, i64)>(&lua, "cmsgpack.unpack_one('\\1\\2\\3', 1)"), (2, 2));
        assert_eq!(eval::<(i64, i64, i64)>(&lua, "cmsgpack.unpack_limit('\\1\\2', 5)"), (-1, 1, 2));
        assert_eq!(eval::<f64>(&lua, "cmsgpack.unpack(('\\207') .. ('\\255'):rep(8))"), -1.0);
    }

    #[test]
    fn wrong_input_is_refused_with_the_words_of_redis() {
        let lua = state();
        for (expression, told) in [
            ("cmsgpack.pack()", "bad argument #0 to 'pack' (MessagePack pack needs input.)"),
            ("cmsgpack.unpack('\\193')", "Bad data format in input."),
            ("cmsgpack.unpack('\\221\\255\\255\\255\\255')", "Missing bytes in input."),
            ("cmsgpack.unpack('\\219\\255\\255\\255\\255')", "Missing bytes in input."),
            ("cmsgpack.unpack_one('abc', 9)", "Start offset 9 greater than input length 3."),
            (
                "cmsgpack.unpack(('\\1'):rep(9000))",
                "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
            ),
        ] {
            assert_eq!(error(&lua, expression), format!("user_script:1: {told}"), "{expression}");
        }
        assert_eq!(error(&lua, "cmsgpack.unpack('\\129\\192\\1')"), "table index is nil");
    }

    #[test]
    fn random_bytes_never_panic_and_what_they_mean_is_kept() {
        let lua = state();
        let round = lua.load(
            "local ok, _, value = pcall(cmsgpack.unpack_one, ...)
            if not ok then return true end
            local once = cmsgpack.pack(value)
            return #cmsgpack.pack(cmsgpack.unpack(once), 1) == #once + 1",
        );
        let round = round.into_function().unwrap();
        let common = b"\x81\x82\x91\x92\xa1\xc0\xc2\xca\xcc\xcd\xce\xcf\xd0\xd9\xda\xdc\xdd\xde\xdf\x01\xff";
        for bytes in random_strings(10_000, common) {
            let results: MultiValue = round.call(lua.create_string(&bytes).unwrap()).unwrap();
            assert_eq!(results.front().and_then(|value| value.as_boolean()), Some(true), "{bytes:?}");
        }
    }
}
