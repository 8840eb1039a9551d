//! The library `bit`: operations on the bits of 32-bit numbers, as Lua BitOp 1.0.2 has them.
//!
//! This file must never know the other libraries.

use super::args::Args;
use super::{Pace, add};
use mlua::{Lua, Result, Table, Value};

/// This sum makes the low bits of a double those of the rounded number, modulo 2^32. That is how BitOp does
/// it.
const TO_BITS: f64 = 6_755_399_441_055_744.0;

/// Makes the table of the library.
///
/// # Errors
/// If memory runs out.
pub fn open(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    add(lua, &library, "tobit", |lua, args| Ok(number(bits(lua, args, 1)?)))?;
    add(lua, &library, "bnot", |lua, args| Ok(number(!bits(lua, args, 1)?)))?;
    add(lua, &library, "bswap", |lua, args| Ok(number(bits(lua, args, 1)?.swap_bytes())))?;
    add(lua, &library, "tohex", to_hex)?;
    add(lua, &library, "band", |lua, args| fold(lua, args, |left, right| left & right))?;
    add(lua, &library, "bor", |lua, args| fold(lua, args, |left, right| left | right))?;
    add(lua, &library, "bxor", |lua, args| fold(lua, args, |left, right| left ^ right))?;
    add(lua, &library, "lshift", |lua, args| shift(lua, args, |bits, by| bits << by))?;
    add(lua, &library, "rshift", |lua, args| shift(lua, args, |bits, by| bits >> by))?;
    add(lua, &library, "arshift", |lua, args| shift(lua, args, |bits, by| (bits as i32 >> by) as u32))?;
    add(lua, &library, "rol", |lua, args| shift(lua, args, u32::rotate_left))?;
    add(lua, &library, "ror", |lua, args| shift(lua, args, u32::rotate_right))?;
    Ok(library)
}

fn bits(lua: &Lua, args: &Args, index: usize) -> Result<u32> {
    Ok((args.number(lua, index)? + TO_BITS).to_bits() as u32)
}

/// A result. BitOp's numbers have a sign.
fn number(bits: u32) -> Value {
    Value::Integer(i64::from(bits as i32))
}

fn fold(lua: &Lua, args: &Args, operation: fn(u32, u32) -> u32) -> Result<Value> {
    let mut pace = Pace::default();
    let mut result = bits(lua, args, 1)?;
    // BitOp goes from the last argument to the first, so of two wrong arguments it names the last one.
    for index in (2..=args.len()).rev() {
        result = operation(result, bits(lua, args, index)?);
        pace.step(lua)?;
    }
    Ok(number(result))
}

fn shift(lua: &Lua, args: &Args, operation: fn(u32, u32) -> u32) -> Result<Value> {
    let value = bits(lua, args, 1)?;
    Ok(number(operation(value, bits(lua, args, 2)? & 31)))
}

/// The last digits in base 16. A negative count asks for capital letters.
fn to_hex(lua: &Lua, args: &Args) -> Result<Value> {
    let value = bits(lua, args, 1)?;
    let count = if args.get(2).is_none() { 8 } else { bits(lua, args, 2)? as i32 };
    let digits = if count < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    let kept = count.unsigned_abs().min(8) as usize;
    Ok(Value::String(lua.create_string(&digits[8 - kept..])?))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{error, eval, state};

    #[test]
    fn results_are_signed_numbers_of_32_bits() {
        let lua = state();
        for (expression, result) in [
            ("bit.tobit(2^31)", -0x8000_0000),
            ("bit.tobit(2^32 + 5)", 5),
            ("bit.tobit(' 0x10 ')", 16),
            ("bit.tobit(2.5)", 2),
            ("bit.bnot(0)", -1),
            ("bit.band(0xff, 0x0f, 7)", 7),
            ("bit.bor(1, 2, 4)", 7),
            ("bit.bxor(-1, 1)", -2),
            ("bit.lshift(1, 31)", -0x8000_0000),
            ("bit.lshift(1, 32)", 1),
            ("bit.rshift(-1, 28)", 15),
            ("bit.arshift(-16, 2)", -4),
            ("bit.rol(0x12345678, 12)", 0x4567_8123),
            ("bit.ror(0x12345678, 0)", 0x1234_5678),
            ("bit.bswap(0x12345678)", 0x7856_3412),
        ] {
            assert_eq!(eval::<i64>(&lua, expression), result, "{expression}");
        }
    }

    #[test]
    fn digits_of_any_count_never_panic() {
        let lua = state();
        for (expression, result) in [
            ("bit.tohex(255)", "000000ff"),
            ("bit.tohex(255, -4)", "00FF"),
            ("bit.tohex(255, 0)", ""),
            ("bit.tohex(255, 100)", "000000ff"),
            ("bit.tohex(255, -2^31)", "000000FF"),
        ] {
            assert_eq!(eval::<String>(&lua, expression), result, "{expression}");
        }
    }

    #[test]
    fn the_last_wrong_argument_is_named() {
        let told = "user_script:1: bad argument #3 to 'band' (number expected, got table)";
        assert_eq!(error(&state(), "bit.band(1, 'x', {})"), told);
    }
}
