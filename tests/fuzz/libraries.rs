//! The checks of the libraries that scripts have: `cjson`, `cmsgpack` and `struct`. Scripts call them, as clients do.
//!
//! Whatever the bytes are, a library reads them or raises a text, and needs neither much memory nor much time. What it has
//! read and writes again is read as the same values. Simple readers in this file say what JSON and MessagePack are.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate::base::{Clock, ConnId, Moment, Now, Peer};
use tidegate::config::Config;
use tidegate::service::Service;

use crate::checks::asked;

const ME: ConnId = ConnId { slot: 0, serial: 1 };
/// Each look at the clock takes a millisecond, so this is how often a script may look at it.
const LOOKS_MAX: u64 = 400;
/// No library reads deeper values than this, and this file claims nothing about them.
const DEPTH_MAX: usize = 900;

/// Compares values. Numbers of JSON have 14 digits.
const SAME: &str = "
local function same(a, b, near)
    if type(a) ~= type(b) then return false end
    if type(a) == 'number' then
        return a == b or (a ~= a and b ~= b) or (near and math.abs(a - b) <= 1e-13 * math.abs(a))
    end
    if type(a) ~= 'table' then return a == b end
    local count = 0
    for k, v in pairs(a) do
        if type(k) == 'table' then return true end
        if b[k] == nil or not same(v, b[k], near) then return false end
        count = count + 1
    end
    for k in pairs(b) do count = count - 1 end
    return count == 0
end
";

const JSON: &str = "
local ok, value = pcall(cjson.decode, ARGV[1])
if not ok then return {'refused', value} end
local written, text = pcall(cjson.encode, value)
if not written then return {'not written', text} end
if not same(value, cjson.decode(text), true) then return {'changed', text} end
return {'same', text}
";

const MSGPACK: &str = "
local function depth(value)
    local most = 0
    if type(value) ~= 'table' then return most end
    for k, v in pairs(value) do most = math.max(most, depth(k), depth(v)) end
    return most + 1
end
local function judge(ok, ...)
    if not ok then return {'refused', (...)} end
    for nth = 1, select('#', ...) do
        local value = select(nth, ...)
        local bytes = cmsgpack.pack(value)
        -- What is nested deeper is written as nil.
        if depth(value) <= 16 and not same(value, cmsgpack.unpack(bytes)) then return {'changed', bytes} end
    end
    return {'same', tostring(select('#', ...))}
end
return judge(pcall(cmsgpack.unpack, ARGV[1]))
";

const STRUCT: &str = "
local format, bytes = ARGV[1], ARGV[2]
local values = {pcall(struct.unpack, format, bytes)}
if not table.remove(values, 1) then return {'refused', values[1]} end
table.remove(values)
local ok, packed = pcall(struct.pack, format, unpack(values))
if not ok then return {'not packed', packed} end
local again = {struct.unpack(format, packed)}
for nth, value in ipairs(values) do
    local huge = type(value) == 'number' and math.abs(value) >= 2 ^ 53
    if not huge and not same(value, again[nth]) then return {'changed', packed} end
end
local fixed, size = pcall(struct.size, format)
if fixed and size ~= #packed then return {'of another size', packed} end
return {'same', packed}
";

thread_local! {
    static SERVICE: RefCell<Service> = RefCell::new(service());
}

fn service() -> Service {
    let looks = AtomicU64::new(0);
    let clock = Clock::new(move || {
        let at = Moment::default().plus_ms(looks.fetch_add(1, Ordering::Relaxed));
        Now { at, unix_ms: 1_000_000, unix_us: 1_000_000_000 }
    });
    let limits = (LOOKS_MAX, 4 << 20);
    let config =
        Config { script_time_limit_ms: limits.0, script_memory_limit: limits.1, ..Config::default() };
    let mut service = Service::new(7, config, clock, Vec::new());
    service.open(ME, Peer::from(SocketAddr::from(([127, 0, 0, 1], 4000))), 0);
    service
}

/// The two texts that a script returns.
fn told(script: &str, args: &[&[u8]]) -> (String, Vec<u8>) {
    let source = [SAME, script].concat();
    let words = [&[&b"EVAL"[..], source.as_bytes(), b"0"], args].concat();
    let reply = SERVICE.with_borrow_mut(|service| asked(service, ME, &words));
    let shown = reply.escape_ascii().to_string();
    let rest = reply.strip_prefix(b"*2\r\n").unwrap_or_else(|| panic!("the script ended: {shown}"));
    let (verdict, rest) = bulk(rest).expect("a verdict");
    let (text, _) = bulk(rest).unwrap_or_else(|| panic!("an error that is no text: {shown}"));
    (String::from_utf8(verdict.to_vec()).expect("a word"), text.to_vec())
}

/// The bulk string at the front, and what follows it.
fn bulk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(bytes.strip_prefix(b"$")?.get(..end - 2)?).ok()?;
    let len: usize = line.parse().ok()?;
    Some((bytes.get(end + 1..end + 1 + len)?, &bytes[end + 3 + len..]))
}

/// JSON is read, and what it was read as is written as JSON that is read as the same. Anything else is refused, or it is
/// one of the things that the library takes for JSON.
pub fn cjson(data: &[u8]) {
    let (verdict, text) = told(JSON, &[data]);
    match verdict.as_str() {
        "same" => assert!(is_json(&text), "wrote what is no JSON: {}", text.escape_ascii()),
        "refused" => assert!(!is_json(data), "refused JSON: {}", text.escape_ascii()),
        // A number may be beyond what a double can be, or its name may have been read.
        "not written" => {
            let reason = b"Cannot serialise number: must not be NaN or Inf";
            assert!(text.ends_with(reason), "{}", text.escape_ascii());
        }
        _ => panic!("{verdict}: {}", text.escape_ascii()),
    }
}

/// MessagePack is read, and each value is written as bytes that are read as the same value.
pub fn cmsgpack(data: &[u8]) {
    let (verdict, text) = told(MSGPACK, &[data]);
    match (verdict.as_str(), count_values(data)) {
        (_, Reading::Open) => assert!(["same", "refused"].contains(&verdict.as_str()), "{verdict}"),
        ("same", Reading::Values(count)) => assert_eq!(text, count.to_string().into_bytes()),
        ("refused", Reading::Broken) => {}
        (_, reading) => panic!("{verdict}, {reading:?}: {}", text.escape_ascii()),
    }
}

/// What is unpacked and packed again is unpacked as the same values. The first byte says whether the bytes up to the first
/// NUL are a format or stand for letters of one; the rest is what is unpacked.
pub fn structs(data: &[u8]) {
    const LETTERS: &[u8] = b"<>=!24bBhHlLTfdsxi1i2i3i8I4c1c2c3 ";
    let Some((choice, rest)) = data.split_first() else { return };
    let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let (format, bytes) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    let format: Vec<u8> = if choice & 1 == 0 {
        format.to_vec()
    } else {
        format.iter().map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()]).collect()
    };
    let (verdict, text) = told(STRUCT, &[&format, bytes]);
    if has_odd_size(&format) {
        return;
    }
    let fine = ["same", "refused"].contains(&verdict.as_str());
    assert!(fine, "{verdict}: {} {}", format.escape_ascii(), text.escape_ascii());
}

/// True if a format has a size that is taken from what was read before it (`c0`), or one of more bytes than numbers have.
fn has_odd_size(format: &[u8]) -> bool {
    let mut letters = format.iter().enumerate().filter(|(_, letter)| b"ciI".contains(letter));
    letters.any(|(at, letter)| {
        let digits = format[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let size = std::str::from_utf8(&format[at + 1..at + 1 + digits]).expect("digits").parse::<usize>();
        match size {
            Ok(size) if *letter == b'c' => size == 0,
            Ok(size) => size > 8 || size == 0,
            Err(_) => digits > 0,
        }
    })
}

/// True if it is certainly JSON, and no deeper than [`DEPTH_MAX`].
fn is_json(bytes: &[u8]) -> bool {
    let mut json = Json { bytes, at: 0 };
    json.value(0).is_some() && {
        json.space();
        json.at == bytes.len()
    }
}

/// A simple reader of JSON.
struct Json<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Json<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn take(&mut self, text: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(text).then(|| self.at += text.len())
    }

    fn space(&mut self) {
        while b" \t\r\n".contains(&self.peek()) && self.at < self.bytes.len() {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        self.space();
        match self.peek() {
            _ if depth > DEPTH_MAX => None,
            b'{' | b'[' => self.list(depth),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.take(b"true"),
            b'f' => self.take(b"false"),
            _ => self.take(b"null"),
        }
    }

    fn list(&mut self, depth: usize) -> Option<()> {
        let is_object = self.peek() == b'{';
        let end: &[u8] = if is_object { b"}" } else { b"]" };
        self.at += 1;
        self.space();
        if self.take(end).is_some() {
            return Some(());
        }
        loop {
            if is_object {
                self.space();
                self.string()?;
                self.space();
                self.take(b":")?;
            }
            self.value(depth + 1)?;
            self.space();
            if self.take(end).is_some() {
                return Some(());
            }
            self.take(b",")?;
        }
    }

    fn string(&mut self) -> Option<()> {
        self.take(b"\"")?;
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return Some(()),
                b'\\' => {
                    let escape = self.peek();
                    self.at += 1;
                    match escape {
                        b'u' => {
                            let digits = std::str::from_utf8(self.bytes.get(self.at..self.at + 4)?).ok()?;
                            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                            // Halves of a character are left to the library.
                            let whole = char::from_u32(u32::from_str_radix(digits, 16).ok()?);
                            whole.filter(|_| is_hex)?;
                            self.at += 4;
                        }
                        _ => drop(b"\"\\/bfnrt".contains(&escape).then_some(())?),
                    }
                }
                0..32 => return None,
                _ => {}
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b"-");
        if self.take(b"0").is_none() {
            self.digits()?;
        }
        if self.take(b".").is_some() {
            self.digits()?;
        }
        if self.take(b"e").or_else(|| self.take(b"E")).is_some() {
            let _ = self.take(b"+").or_else(|| self.take(b"-"));
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let from = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > from).then_some(())
    }
}

/// What a simple reader of MessagePack makes of bytes.
#[derive(Debug)]
enum Reading {
    /// So many values.
    Values(usize),
    /// They are cut off, or are no MessagePack that the library knows.
    Broken,
    /// There is a key that no table can have, or very deep nesting.
    Open,
}

fn count_values(mut bytes: &[u8]) -> Reading {
    let mut count = 0;
    while !bytes.is_empty() {
        match msgpack_value(bytes, 0) {
            Ok((rest, _)) => (bytes, count) = (rest, count + 1),
            Err(reading) => return reading,
        }
    }
    Reading::Values(count)
}

/// Reads one value. Returns what follows it, and whether it can be a key.
fn msgpack_value(bytes: &[u8], depth: usize) -> Result<(&[u8], bool), Reading> {
    if depth > DEPTH_MAX {
        return Err(Reading::Open);
    }
    let (&kind, rest) = bytes.split_first().ok_or(Reading::Broken)?;
    let length = |count: usize| -> Result<(usize, &[u8]), Reading> {
        let (number, rest) = rest.split_at_checked(count).ok_or(Reading::Broken)?;
        Ok((number.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)), rest))
    };
    let skip = |rest: &[u8], count: usize| rest.get(count..).map(|_| count).ok_or(Reading::Broken);
    let text = |(len, rest): (usize, _)| skip(rest, len).map(|len| (&rest[len..], true));
    match kind {
        0x00..=0x7f | 0xe0..=0xff | 0xc2 | 0xc3 => Ok((rest, true)),
        0xc0 => Ok((rest, false)),
        0xa0..=0xbf => text((usize::from(kind & 31), rest)),
        // (The library does not know the binary strings and the extensions of MessagePack.)
        0xd9 => text(length(1)?),
        0xda => text(length(2)?),
        0xdb => text(length(4)?),
        0xcc | 0xd0 => skip(rest, 1).map(|_| (&rest[1..], true)),
        0xcd | 0xd1 => skip(rest, 2).map(|_| (&rest[2..], true)),
        0xce | 0xd2 => skip(rest, 4).map(|_| (&rest[4..], true)),
        0xcf | 0xd3 => skip(rest, 8).map(|_| (&rest[8..], true)),
        0xca => {
            skip(rest, 4)?;
            let is_nan = f32::from_be_bytes(rest[..4].try_into().expect("four bytes")).is_nan();
            Ok((&rest[4..], !is_nan))
        }
        0xcb => {
            skip(rest, 8)?;
            let is_nan = f64::from_be_bytes(rest[..8].try_into().expect("eight bytes")).is_nan();
            Ok((&rest[8..], !is_nan))
        }
        0x80..=0x8f => msgpack_list((usize::from(kind & 15), rest), true, depth),
        0x90..=0x9f => msgpack_list((usize::from(kind & 15), rest), false, depth),
        0xdc => msgpack_list(length(2)?, false, depth),
        0xdd => msgpack_list(length(4)?, false, depth),
        0xde => msgpack_list(length(2)?, true, depth),
        0xdf => msgpack_list(length(4)?, true, depth),
        _ => Err(Reading::Broken),
    }
}

fn msgpack_list(
    (count, mut rest): (usize, &[u8]),
    pairs: bool,
    depth: usize,
) -> Result<(&[u8], bool), Reading> {
    for _ in 0..count {
        if pairs {
            let (behind, is_key) = msgpack_value(rest, depth + 1)?;
            if !is_key {
                return Err(Reading::Open);
            }
            rest = behind;
        }
        (rest, _) = msgpack_value(rest, depth + 1)?;
    }
    Ok((rest, true))
}
