//! Decoding: checks the frame of a payload, and builds the value.

use super::crc64::crc64;
use super::cursor::Cursor;
use super::decode_stream::stream;
use super::element::{Element, Elements};
use super::intset::Intset;
use super::listpack::Listpack;
use super::reader::Reader;
use super::strings::{Strings, differ};
use super::ziplist::Ziplist;
use super::zipmap::Zipmap;
use super::{DecodeError, FIELD_EXPIRY_MS_MAX, FOOTER_BYTES, VERSION_MAX, Value, form, kind};
use crate::base::{OutOfMemory, memory};

/// Decodes a payload of DUMP. Its compressed strings may inflate to `inflated_bytes_max` bytes in all.
///
/// # Errors
/// [`DecodeError`]; the memory used so far has been freed.
pub fn decode(payload: &[u8], inflated_bytes_max: usize) -> Result<Value, DecodeError> {
    let (&kind, body) = checked(payload)?.split_first().ok_or(DecodeError::BadFormat)?;
    let mut reader = Reader::new(body, inflated_bytes_max);
    let value = value(kind, &mut reader)?;
    // Redis ignores bytes behind the value. No server writes any.
    if reader.is_at_end() { Ok(value) } else { Err(DecodeError::BadFormat) }
}

/// The payload without its footer, if version and checksum are right.
pub(super) fn checked(payload: &[u8]) -> Result<&[u8], DecodeError> {
    let (_, footer) = payload.split_last_chunk::<FOOTER_BYTES>().ok_or(DecodeError::BadFrame)?;
    let (summed, body) = (&payload[..payload.len() - 8], &payload[..payload.len() - FOOTER_BYTES]);
    let mut footer = Cursor(footer);
    let version = u16::from_le_bytes(footer.array()?);
    let sum = u64::from_le_bytes(footer.array()?);
    if version > VERSION_MAX || sum != crc64(summed) { Err(DecodeError::BadFrame) } else { Ok(body) }
}

fn value(kind: u8, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let scratch = &mut Vec::new();
    match kind {
        kind::STRING => string(reader),
        kind::LIST => not_empty(strings(reader, 1)?).map(Value::List),
        kind::SET => set(strings(reader, 1)?),
        kind::HASH => hash(strings(reader, 2)?),
        kind::ZSET => zset_of_strings(reader, Reader::text_score),
        kind::ZSET_2 => zset_of_strings(reader, Reader::binary_score),
        kind::LIST_ZIPLIST => {
            not_empty(all(Ziplist::new(blob(reader, scratch)?)?, Differing::Nothing)?).map(Value::List)
        }
        kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => quicklist(kind, reader),
        // Its members ascend, so they differ.
        kind::SET_INTSET => {
            not_empty(all(Intset::new(blob(reader, scratch)?)?, Differing::Nothing)?).map(Value::Set)
        }
        kind::SET_LISTPACK => set(all(Listpack::new(blob(reader, scratch)?)?, Differing::All)?),
        kind::HASH_ZIPMAP => hash(all(Zipmap::new(blob(reader, scratch)?)?, Differing::Fields)?),
        kind::HASH_ZIPLIST => hash(all(Ziplist::new(blob(reader, scratch)?)?, Differing::Fields)?),
        kind::HASH_LISTPACK => hash(all(Listpack::new(blob(reader, scratch)?)?, Differing::Fields)?),
        kind::ZSET_ZIPLIST => zset_of_elements(Ziplist::new(blob(reader, scratch)?)?),
        kind::ZSET_LISTPACK => zset_of_elements(Listpack::new(blob(reader, scratch)?)?),
        kind::HASH_TIMED => timed_hash(reader),
        kind::HASH_TIMED_LISTPACK => {
            reader.milliseconds()?;
            timed_listpack(Listpack::new(blob(reader, scratch)?)?)
        }
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => stream(kind, reader).map(Value::Stream),
        _ => Err(DecodeError::BadFormat),
    }
}

/// The bytes of an encoded container.
pub(super) fn blob<'s, 'a: 's>(
    reader: &mut Reader<'a>,
    scratch: &'s mut Vec<u8>,
) -> Result<&'s [u8], DecodeError> {
    reader.string(scratch)?.bytes()
}

fn string(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let (mut text, mut scratch, mut digits) = (Vec::new(), Vec::new(), itoa::Buffer::new());
    let element = reader.string(&mut scratch)?;
    let bytes = element.text(&mut digits);
    memory::reserve_exact(&mut text, bytes.len())?;
    text.extend_from_slice(bytes);
    Ok(Value::String(text))
}

/// Reads a count and so many strings; `times` is 2 if the count is one of pairs.
fn strings(reader: &mut Reader<'_>, times: usize) -> Result<Strings, DecodeError> {
    let count = reader.count(times)? * times;
    let (mut strings, mut scratch) = (Strings::default(), Vec::new());
    for _ in 0..count {
        strings.push_element(reader.string(&mut scratch)?)?;
    }
    Ok(strings)
}

/// Which elements of a container must differ.
#[derive(Clone, Copy)]
enum Differing {
    Nothing,
    /// All of them.
    All,
    /// Every other one: the fields of a hash.
    Fields,
}

/// A container of so many elements is looked at while it is being decoded: [`so_far`] has the reason.
const LOOKED_AT_MIN: usize = 1 << 10;

/// Checks the elements that must differ each time that twice as many have been decoded. A short payload can hold the same
/// element millions of times, because it is compressed; it is refused before they take much memory.
fn so_far(strings: &Strings, differing: Differing, looked_at: &mut usize) -> Result<(), DecodeError> {
    if strings.len() < (2 * *looked_at).max(LOOKED_AT_MIN) {
        return Ok(());
    }
    *looked_at = strings.len();
    match differing {
        Differing::Nothing => Ok(()),
        Differing::All => differ(strings.len(), strings.iter()),
        Differing::Fields => differ(strings.len() / 2, strings.iter().step_by(2)),
    }
}

/// All elements of a container.
fn all<'a>(mut elements: impl Elements<'a>, differing: Differing) -> Result<Strings, DecodeError> {
    let (mut strings, mut looked_at) = (Strings::default(), 0);
    while let Some(element) = elements.next()? {
        strings.push_element(element)?;
        so_far(&strings, differing, &mut looked_at)?;
    }
    Ok(strings)
}

fn append<'a>(elements: &mut impl Elements<'a>, strings: &mut Strings) -> Result<(), DecodeError> {
    while let Some(element) = elements.next()? {
        strings.push_element(element)?;
    }
    Ok(())
}

/// A list in nodes. Redis skips nodes without elements, so this does too.
fn quicklist(kind: u8, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let nodes = reader.count(1)?;
    let (mut list, mut scratch) = (Strings::default(), Vec::new());
    for _ in 0..nodes {
        let node = if kind == kind::LIST_QUICKLIST_2 { reader.number()? } else { form::NODE_PACKED };
        let element = reader.string(&mut scratch)?;
        match (node, kind) {
            (form::NODE_PLAIN, _) if element != Element::Bytes(b"") => list.push_element(element)?,
            (form::NODE_PACKED, kind::LIST_QUICKLIST) => {
                append(&mut Ziplist::new(element.bytes()?)?, &mut list)?;
            }
            (form::NODE_PACKED, _) => append(&mut Listpack::new(element.bytes()?)?, &mut list)?,
            _ => return Err(DecodeError::BadFormat),
        }
    }
    not_empty(list).map(Value::List)
}

fn not_empty(strings: Strings) -> Result<Strings, DecodeError> {
    if strings.is_empty() { Err(DecodeError::BadFormat) } else { Ok(strings) }
}

fn set(members: Strings) -> Result<Value, DecodeError> {
    let members = not_empty(members)?;
    differ(members.len(), members.iter())?;
    Ok(Value::Set(members))
}

fn hash(strings: Strings) -> Result<Value, DecodeError> {
    let strings = not_empty(strings)?;
    if strings.len() % 2 == 1 {
        return Err(DecodeError::BadFormat);
    }
    differ(strings.len() / 2, strings.pairs().map(|(field, _)| field))?;
    Ok(Value::Hash(strings))
}

/// A hash with fields that expire, while it is being decoded.
#[derive(Default)]
struct Timed {
    pairs: Strings,
    expiries: Vec<Option<u64>>,
}

impl Timed {
    fn push_expiry(&mut self, at_ms: Option<u64>) -> Result<(), DecodeError> {
        if at_ms.is_some_and(|at_ms| at_ms > FIELD_EXPIRY_MS_MAX) {
            return Err(DecodeError::BadFormat);
        }
        memory::reserve(&mut self.expiries, 1)?;
        self.expiries.push(at_ms);
        Ok(())
    }

    fn finish(self) -> Result<Value, DecodeError> {
        let pairs = not_empty(self.pairs)?;
        differ(pairs.len() / 2, pairs.pairs().map(|(field, _)| field))?;
        Ok(Value::TimedHash { pairs, expiries: self.expiries })
    }
}

/// The earliest time, a count, and for each field its time from there on plus one, or 0 if it never expires.
fn timed_hash(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let earliest_ms = u64::try_from(reader.milliseconds()?).map_err(|_| DecodeError::BadFormat)?;
    let count = reader.count(3)?;
    let (mut timed, mut scratch) = (Timed::default(), Vec::new());
    for _ in 0..count {
        timed.push_expiry(match reader.number()? {
            0 => None,
            later => Some(earliest_ms.checked_add(later - 1).ok_or(DecodeError::BadFormat)?),
        })?;
        timed.pairs.push_element(reader.string(&mut scratch)?)?;
        timed.pairs.push_element(reader.string(&mut scratch)?)?;
    }
    timed.finish()
}

/// Fields, values and times. The time 0 means never.
fn timed_listpack(mut elements: Listpack<'_>) -> Result<Value, DecodeError> {
    let (mut timed, mut looked_at) = (Timed::default(), 0);
    while let Some(field) = elements.next()? {
        timed.pairs.push_element(field)?;
        timed.pairs.push_element(elements.expect()?)?;
        so_far(&timed.pairs, Differing::Fields, &mut looked_at)?;
        let at_ms = u64::try_from(elements.expect()?.integer()?).map_err(|_| DecodeError::BadFormat)?;
        timed.push_expiry((at_ms > 0).then_some(at_ms))?;
    }
    timed.finish()
}

/// A sorted set that is being decoded.
#[derive(Default)]
struct Scored {
    members: Strings,
    scores: Vec<f64>,
}

impl Scored {
    fn push_score(&mut self, score: f64) -> Result<(), OutOfMemory> {
        memory::reserve(&mut self.scores, 1)?;
        self.scores.push(score);
        Ok(())
    }

    fn finish(self) -> Result<Value, DecodeError> {
        let members = not_empty(self.members)?;
        differ(members.len(), members.iter())?;
        Ok(Value::Zset { members, scores: self.scores })
    }
}

fn zset_of_strings<'a>(
    reader: &mut Reader<'a>,
    mut score: impl FnMut(&mut Reader<'a>) -> Result<f64, DecodeError>,
) -> Result<Value, DecodeError> {
    let count = reader.count(2)?;
    let (mut scored, mut scratch) = (Scored::default(), Vec::new());
    for _ in 0..count {
        scored.members.push_element(reader.string(&mut scratch)?)?;
        scored.push_score(score(reader)?)?;
    }
    scored.finish()
}

fn zset_of_elements<'a>(mut elements: impl Elements<'a>) -> Result<Value, DecodeError> {
    let (mut scored, mut looked_at) = (Scored::default(), 0);
    while let Some(member) = elements.next()? {
        scored.members.push_element(member)?;
        so_far(&scored.members, Differing::All, &mut looked_at)?;
        scored.push_score(elements.expect()?.score()?)?;
    }
    scored.finish()
}
