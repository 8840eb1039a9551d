//! The words and signs of JSON.
//!
//! This file must never know in which order they may stand.

use super::super::super::check;
use super::super::super::number::strtod;
use super::super::super::output::BYTES_PER_CHECK;
use mlua::{Lua, Result, Value};

/// What stands next in a text.
#[derive(Debug)]
pub(super) enum Found {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Colon,
    Comma,
    /// The end of the text, or a NUL byte outside of a string, which the library in C takes for the end.
    End,
    /// A string: [`Tokens::string`] has it.
    String,
    /// A value that is neither string nor table.
    Value(Value),
    /// Nothing that JSON knows, and why.
    Wrong(&'static str),
}

impl Found {
    /// The name in messages.
    pub fn name(&self) -> &'static str {
        match self {
            Found::ObjectBegin => "T_OBJ_BEGIN",
            Found::ObjectEnd => "T_OBJ_END",
            Found::ArrayBegin => "T_ARR_BEGIN",
            Found::ArrayEnd => "T_ARR_END",
            Found::Colon => "T_COLON",
            Found::Comma => "T_COMMA",
            Found::End => "T_END",
            Found::String => "T_STRING",
            Found::Value(Value::Boolean(_)) => "T_BOOLEAN",
            Found::Value(Value::Number(_)) => "T_NUMBER",
            Found::Value(_) => "T_NULL",
            Found::Wrong(why) => why,
        }
    }
}

/// A text that is being read.
pub(super) struct Tokens<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    /// Where that begins which was found last, or where it is wrong.
    found_at: usize,
    /// Whether numbers are allowed that C knows and JSON does not.
    invalid_numbers: bool,
    /// The string that was found last: a part of the text, or `unescaped`.
    plain: Option<(usize, usize)>,
    unescaped: Vec<u8>,
    /// The position at which [`check`] is due.
    check_at: usize,
}

impl<'a> Tokens<'a> {
    pub fn new(lua: &'a Lua, text: &'a [u8], invalid_numbers: bool) -> Tokens<'a> {
        Tokens {
            lua,
            text,
            at: 0,
            found_at: 0,
            invalid_numbers,
            plain: None,
            unescaped: Vec::new(),
            check_at: BYTES_PER_CHECK,
        }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Where that begins which was found last, or where it is wrong.
    pub fn found_at(&self) -> usize {
        self.found_at
    }

    /// The string that was found last.
    pub fn string(&self) -> &[u8] {
        match self.plain {
            Some((start, end)) => &self.text[start..end],
            None => &self.unescaped,
        }
    }

    /// A byte ahead. Behind the text there are NUL bytes, as in C.
    fn ahead(&self, distance: usize) -> u8 {
        self.text.get(self.at + distance).copied().unwrap_or(0)
    }

    /// What stands next.
    pub fn next(&mut self) -> Result<Found> {
        while matches!(self.ahead(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
            self.check()?;
        }
        self.check()?;
        self.found_at = self.at;
        let found = match self.ahead(0) {
            b'{' => Found::ObjectBegin,
            b'}' => Found::ObjectEnd,
            b'[' => Found::ArrayBegin,
            b']' => Found::ArrayEnd,
            b',' => Found::Comma,
            b':' => Found::Colon,
            0 => return Ok(Found::End),
            b'"' => return self.find_string(),
            _ => return Ok(self.find_word()),
        };
        self.at += 1;
        Ok(found)
    }

    fn check(&mut self) -> Result<()> {
        if self.at < self.check_at {
            return Ok(());
        }
        self.check_at = self.at + BYTES_PER_CHECK;
        check(self.lua)
    }

    fn wrong(&mut self, why: &'static str) -> Found {
        self.found_at = self.at;
        Found::Wrong(why)
    }

    /// A number, or a word like `true`.
    fn find_word(&mut self) -> Found {
        let rest = &self.text[self.at..];
        let (value, len) = match rest[0] {
            b'-' | b'0'..=b'9' if self.invalid_numbers || !is_invalid_number(rest) => {
                return self.find_number();
            }
            b'-' | b'0'..=b'9' => return self.wrong("invalid number"),
            _ if rest.starts_with(b"true") => (Value::Boolean(true), 4),
            _ if rest.starts_with(b"false") => (Value::Boolean(false), 5),
            _ if rest.starts_with(b"null") => (Value::NULL, 4),
            b'+' | b'i' | b'I' | b'n' | b'N' if self.invalid_numbers && is_invalid_number(rest) => {
                return self.find_number();
            }
            _ => return self.wrong("invalid token"),
        };
        self.at += len;
        Found::Value(value)
    }

    fn find_number(&mut self) -> Found {
        let Some((value, len)) = strtod(&self.text[self.at..]) else { return self.wrong("invalid number") };
        self.at += len;
        Found::Value(Value::Number(value))
    }

    fn find_string(&mut self) -> Result<Found> {
        self.at += 1;
        let start = self.at;
        self.unescaped.clear();
        loop {
            let rest = &self.text[self.at..];
            let len = memchr::memchr3(b'"', b'\\', 0, rest).unwrap_or(rest.len());
            let run = &rest[..len];
            if rest.get(len) == Some(&b'"') && self.at == start {
                self.plain = Some((start, start + len));
                self.at += len + 1;
                return Ok(Found::String);
            }
            self.unescaped.extend_from_slice(run);
            self.at += len;
            self.check()?;
            match self.ahead(0) {
                b'"' => break,
                b'\\' => {
                    if let Err(why) = self.unescape() {
                        return Ok(self.wrong(why));
                    }
                }
                _ => return Ok(self.wrong("unexpected end of string")),
            }
        }
        self.at += 1;
        self.plain = None;
        Ok(Found::String)
    }

    /// Appends what an escape stands for.
    fn unescape(&mut self) -> std::result::Result<(), &'static str> {
        let byte = match self.ahead(1) {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 0x0c,
            b'r' => b'\r',
            b'u' => return self.unescape_unicode().ok_or("invalid unicode escape code"),
            _ => return Err("invalid escape code"),
        };
        self.unescaped.push(byte);
        self.at += 2;
        Ok(())
    }

    /// Appends a character like `\u20ac`. Outside of 16 bits a character has two escapes, as in UTF-16.
    fn unescape_unicode(&mut self) -> Option<()> {
        let first = self.hexadecimal(2)?;
        let (code, len) = match first {
            0xd800..=0xdbff => {
                if self.ahead(6) != b'\\' || self.ahead(7) != b'u' {
                    return None;
                }
                let second = self.hexadecimal(8).filter(|code| (0xdc00..=0xdfff).contains(code))?;
                (0x1_0000 + ((first & 0x3ff) << 10 | second & 0x3ff), 12)
            }
            _ => (first, 6),
        };
        let character = char::from_u32(code)?;
        self.unescaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += len;
        Some(())
    }

    /// The value of four digits in base 16.
    fn hexadecimal(&self, distance: usize) -> Option<u32> {
        (0..4).try_fold(0, |code, index| {
            Some(code << 4 | char::from(self.ahead(distance + index)).to_digit(16)?)
        })
    }
}

/// Whether a text begins with a number that JSON does not allow, although C does.
fn is_invalid_number(text: &[u8]) -> bool {
    let text = match text {
        [b'+', ..] => return true,
        [b'-', rest @ ..] => rest,
        _ => text,
    };
    match text {
        [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
        [b'i' | b'I' | b'n' | b'N', ..] => {
            let word = text.get(..3).unwrap_or_default();
            word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
        }
        _ => false,
    }
}
