//! The library `struct`: numbers and strings to and from bytes, as a format says. It is Roberto
//! Ierusalimschy's, in the version that Redis has.
//!
//! This file must never know the other libraries.
//!
//! Sizes are those of C on 64-bit Linux: `h` has 2 bytes, `i` 4, `l` and `T` 8. Where a size or a position is
//! beyond what C can count, the results are those of the library in C as compilers translate it.

use super::args::{Args, number_of};
use super::number::{c_integer, c_unsigned};
use super::output::Output;
use super::{Pace, STACK_SLOTS_MAX, add, add_several, complain};
use mlua::{Lua, MultiValue, Result, Table, Value};

/// Most bytes of an integer.
const INTEGER_BYTES_MAX: usize = 32;
/// What `!` without a number means.
const ALIGNMENT: usize = 8;
/// Numbers in a format are of C's type `int`.
const NUMBER_MAX: usize = i32::MAX as usize;
/// Most digits of a number in a format.
const DIGITS_MAX: usize = 1_024;

/// Makes the table of the library.
///
/// # Errors
/// If memory runs out.
pub fn open(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    add(lua, &library, "pack", pack)?;
    add_several(lua, &library, "unpack", unpack)?;
    add(lua, &library, "size", size)?;
    Ok(library)
}

/// One letter of a format.
#[derive(Clone, Copy, Debug)]
struct Item {
    letter: u8,
    /// Bytes that it takes, 0 if that is not fixed.
    size: usize,
}

/// A format that is being read, and the state that its letters change.
#[derive(Debug)]
struct Format<'a> {
    rest: &'a [u8],
    big_endian: bool,
    /// Elements start at a multiple of their size, up to this.
    alignment: usize,
    pace: Pace,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8]) -> Format<'a> {
        // As in C, a NUL byte ends it.
        let end = memchr::memchr(0, text).unwrap_or(text.len());
        Format { rest: &text[..end], big_endian: false, alignment: 1, pace: Pace::default() }
    }

    fn next(&mut self, lua: &Lua) -> Result<Option<Item>> {
        let Some((&letter, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        self.pace.step(lua)?;
        let size = match letter {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.number(lua, 1)?,
            b'i' | b'I' => {
                let size = self.number(lua, 4)?;
                if size > INTEGER_BYTES_MAX {
                    let text = format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}");
                    return Err(complain(lua, text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some(Item { letter, size }))
    }

    /// The number that stands next in the format, or `default` if none does.
    fn number(&mut self, lua: &Lua, default: usize) -> Result<usize> {
        // A longer number overflows too, or begins with more zeros than anybody writes.
        let len = self.rest.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
        if len > DIGITS_MAX {
            return Err(complain(lua, "integral size overflow"));
        }
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        if digits.is_empty() {
            return Ok(default);
        }
        let mut number = 0;
        for digit in digits {
            number = number * 10 + usize::from(digit - b'0');
            if number > NUMBER_MAX {
                return Err(complain(lua, "integral size overflow"));
            }
        }
        Ok(number)
    }

    /// Bytes to leave out so that an element at `position` is aligned.
    fn padding(&self, position: usize, item: Item) -> usize {
        if item.size == 0 || item.letter == b'c' {
            return 0;
        }
        let unit = item.size.min(self.alignment);
        // This is no remainder if the unit is not a power of two. The library in C does it in this way, too.
        unit.wrapping_sub(position & (unit - 1)) & (unit - 1)
    }

    /// Does what a letter says that stands for no element.
    fn control(&mut self, lua: &Lua, args: &Args, item: Item) -> Result<()> {
        match item.letter {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let alignment = self.number(lua, ALIGNMENT)?;
                if !alignment.is_power_of_two() {
                    return Err(complain(lua, format!("alignment {alignment} is not a power of 2")));
                }
                self.alignment = alignment;
            }
            letter => {
                return Err(args.wrong(lua, 1, [b"invalid format option '", &[letter][..], b"'"].concat()));
            }
        }
        Ok(())
    }
}

fn pack(lua: &Lua, args: &Args) -> Result<Value> {
    let text = args.string(lua, 1)?;
    let text = text.as_bytes();
    // The library in C puts `nil` behind the arguments, so that is what a missing one is.
    let args = &args.with_nil();
    let mut format = Format::new(&text);
    let mut out = Output::new(lua);
    let mut index = 2;
    while let Some(item) = format.next(lua)? {
        out.append_zeros(format.padding(out.len(), item))?;
        match item.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = args.number(lua, index)?;
                let number = if number < 0.0 { c_integer(number) as u64 } else { c_unsigned(number) };
                let mut bytes = [0; INTEGER_BYTES_MAX];
                bytes[..8].copy_from_slice(&number.to_le_bytes());
                append(&mut out, &mut bytes[..item.size], format.big_endian)?;
                index += 1;
            }
            b'x' => out.push(0)?,
            b'f' => {
                let mut bytes = (args.number(lua, index)? as f32).to_le_bytes();
                append(&mut out, &mut bytes, format.big_endian)?;
                index += 1;
            }
            b'd' => {
                let mut bytes = args.number(lua, index)?.to_le_bytes();
                append(&mut out, &mut bytes, format.big_endian)?;
                index += 1;
            }
            b'c' | b's' => {
                let string = args.string(lua, index)?;
                let string = string.as_bytes();
                index += 1;
                let size = if item.size == 0 { string.len() } else { item.size };
                let Some(taken) = string.get(..size) else {
                    return Err(args.wrong(lua, index, "string too short"));
                };
                out.append(taken)?;
                if item.letter == b's' {
                    out.push(0)?;
                }
            }
            _ => format.control(lua, args, item)?,
        }
    }
    out.finish()
}

/// Appends the bytes of a number, of which the lowest is the first.
fn append(out: &mut Output, bytes: &mut [u8], big_endian: bool) -> Result<()> {
    if big_endian {
        bytes.reverse();
    }
    out.append(bytes)
}

fn unpack(lua: &Lua, args: &Args) -> Result<MultiValue> {
    let (text, data) = (args.string(lua, 1)?, args.string(lua, 2)?);
    let (text, data) = (text.as_bytes(), data.as_bytes());
    let position = args.integer_or(lua, 3, 1)?;
    if position == 0 {
        return Err(args.wrong(lua, 3, "offset must be 1 or greater"));
    }
    let mut format = Format::new(&text);
    // A negative position becomes one that no string has.
    let mut at = (position as usize).wrapping_sub(1);
    let mut results: Vec<Value> = Vec::new();
    while let Some(item) = format.next(lua)? {
        let too_short = || args.wrong(lua, 2, "data string too short");
        let mut size = item.size;
        at = at.wrapping_add(format.padding(at, item));
        let bytes = part(&data, at, size).ok_or_else(too_short)?;
        if args.len() + results.len() + 2 > STACK_SLOTS_MAX {
            return Err(complain(lua, "stack overflow (too many results)"));
        }
        match item.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let signed = item.letter.is_ascii_lowercase();
                results.push(Value::Number(integer(bytes, format.big_endian, signed)));
            }
            b'x' => {}
            b'f' | b'd' => results.push(Value::Number(float(bytes, format.big_endian))),
            b'c' => {
                let mut bytes = bytes;
                if size == 0 {
                    let size_before = results.pop().unwrap_or(Value::Nil);
                    let number = number_of(lua, &size_before)?;
                    let number = number.ok_or_else(|| complain(lua, "format 'c0' needs a previous size"))?;
                    size = c_unsigned(number) as usize;
                    bytes = part(&data, at, size).ok_or_else(too_short)?;
                }
                results.push(Value::String(lua.create_string(bytes)?));
            }
            b's' => {
                let rest = &data[at..];
                let len =
                    memchr::memchr(0, rest).ok_or_else(|| complain(lua, "unfinished string in data"))?;
                results.push(Value::String(lua.create_string(&rest[..len])?));
                size = len + 1;
            }
            _ => format.control(lua, args, item)?,
        }
        at = at.wrapping_add(size);
    }
    results.push(Value::Number(at.wrapping_add(1) as i64 as f64));
    Ok(MultiValue::from_vec(results))
}

/// `size` bytes at a position, if there are so many.
fn part(data: &[u8], at: usize, size: usize) -> Option<&[u8]> {
    data.get(at..at.checked_add(size)?)
}

/// An integer. Of more than 8 bytes only the lowest 8 count.
fn integer(bytes: &[u8], big_endian: bool, signed: bool) -> f64 {
    let push = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let number = if big_endian { bytes.iter().fold(0, push) } else { bytes.iter().rev().fold(0, push) };
    if !signed {
        return number as f64;
    }
    // C shifts by the low six bits of the distance, which matters for sizes of 0 and of more than 8 bytes.
    let sign = u64::MAX.wrapping_shl((bytes.len() as u32 * 8).wrapping_sub(1));
    let extended = if number & sign == 0 { number } else { number | sign };
    extended as i64 as f64
}

fn float(bytes: &[u8], big_endian: bool) -> f64 {
    let mut ordered = [0; 8];
    let ordered = &mut ordered[..bytes.len().min(8)];
    ordered.copy_from_slice(&bytes[..ordered.len()]);
    if big_endian {
        ordered.reverse();
    }
    match *ordered {
        [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => 0.0,
    }
}

fn size(lua: &Lua, args: &Args) -> Result<Value> {
    let text = args.string(lua, 1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut total = 0_usize;
    while let Some(item) = format.next(lua)? {
        total = total.wrapping_add(format.padding(total, item));
        if item.letter == b's' {
            return Err(args.wrong(lua, 1, "option 's' has no fixed size"));
        } else if item.letter == b'c' && item.size == 0 {
            return Err(args.wrong(lua, 1, "option 'c0' has no fixed size"));
        }
        if !item.letter.is_ascii_alphanumeric() {
            format.control(lua, args, item)?;
        }
        total = total.wrapping_add(item.size);
    }
    Ok(Value::Number(total as f64))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{error, eval, random_strings, state};
    use mlua::{LuaString, MultiValue};

    #[test]
    fn numbers_are_packed_in_the_order_and_place_that_the_format_says() {
        let lua = state();
        for (expression, bytes) in [
            ("struct.pack('<I2>I2', 258, 258)", &b"\x02\x01\x01\x02"[..]),
            ("struct.pack('!4bi', 1, 2)", b"\x01\0\0\0\x02\0\0\0"),
            ("struct.pack('>I3', -2)", b"\xff\xff\xfe"),
            ("struct.pack('sc0c2x', 'a', 'bc', 'def')", b"a\0bcde\0"),
            ("struct.pack('>f', 1.5)", b"\x3f\xc0\0\0"),
            ("struct.pack('L', 2^64)", b"\0\0\0\0\0\0\0\0"),
        ] {
            assert_eq!(eval::<LuaString>(&lua, expression).as_bytes(), bytes, "{expression}");
        }
    }

    #[test]
    fn the_position_behind_the_last_value_is_the_last_result() {
        let lua = state();
        assert_eq!(eval::<(i64, i64)>(&lua, "struct.unpack('>h', '\\255\\254')"), (-2, 3));
        assert_eq!(eval::<(String, i64)>(&lua, "struct.unpack('bc0', '\\3abcd')"), ("abc".to_owned(), 5));
        assert_eq!(eval::<(String, i64)>(&lua, "struct.unpack('s', 'xab\\0', 2)"), ("ab".to_owned(), 5));
        assert_eq!(eval::<i64>(&lua, "struct.size('!8bdh')"), 18);
    }

    #[test]
    fn wrong_formats_and_sizes_are_refused_with_the_words_of_redis() {
        let lua = state();
        for (expression, told) in [
            ("struct.pack('i33', 1)", "integral size 33 is larger than limit of 32"),
            ("struct.pack('i99999999999', 1)", "integral size overflow"),
            ("struct.size('c2147483648')", "integral size overflow"),
            ("struct.pack('!3i', 1)", "alignment 3 is not a power of 2"),
            ("struct.pack('y', 1)", "bad argument #1 to 'pack' (invalid format option 'y')"),
            ("struct.pack('i')", "bad argument #2 to 'pack' (number expected, got nil)"),
            ("struct.pack('c5', 'abc')", "bad argument #3 to 'pack' (string too short)"),
            ("struct.unpack('i', 'abc')", "bad argument #2 to 'unpack' (data string too short)"),
            ("struct.unpack('b', 'abc', -1)", "bad argument #2 to 'unpack' (data string too short)"),
            ("struct.unpack('b', 'abc', 0)", "bad argument #3 to 'unpack' (offset must be 1 or greater)"),
            ("struct.unpack('c0', 'abc')", "format 'c0' needs a previous size"),
            ("struct.unpack('s', 'abc')", "unfinished string in data"),
            ("struct.size('s')", "bad argument #1 to 'size' (option 's' has no fixed size)"),
            ("struct.unpack(('b'):rep(9000), ('a'):rep(9000))", "stack overflow (too many results)"),
        ] {
            assert_eq!(error(&lua, expression), format!("user_script:1: {told}"), "{expression}");
        }
    }

    #[test]
    fn random_formats_never_panic() {
        let lua = state();
        let try_all = lua.load(
            "local format, data, position = ...
            pcall(struct.size, format)
            pcall(struct.pack, format, data, 1, 2^63, 0/0, data, -1)
            pcall(struct.unpack, format, data)
            pcall(struct.unpack, format, data, position)",
        );
        let try_all = try_all.into_function().unwrap();
        let formats = random_strings(5_000, b"bBhHlLTiIscfdx<>! 0123456789");
        for (index, (format, data)) in formats.zip(random_strings(5_000, b"\0\xff\x03a")).enumerate() {
            let position = [-9.0, 2.0, 5.0, 2_f64.powi(62), -2_f64.powi(62), f64::NAN][index % 6];
            let strings = (lua.create_string(format).unwrap(), lua.create_string(data).unwrap());
            try_all.call::<MultiValue>((strings.0, strings.1, position)).unwrap();
        }
    }
}
