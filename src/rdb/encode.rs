//! Encoding: writes the payload of DUMP behind the bytes of a vector, in encodings that Redis 7.0 and newer read. If
//! there is no memory, the vector is as it was.
//!
//! No string is compressed. Small sets of integers are written as intsets, and lists as nodes of up to 8 KiB; Redis
//! packs small hashes, sets and sorted sets itself when it restores them. Streams are written by
//! [`StreamDump`](super::StreamDump).

use super::crc64::crc64;
use super::element::canonical_integer;
use super::intset::{MEMBERS_MAX, intset};
use super::listpack::{ListpackWriter, OVERHEAD_MAX};
use super::{VERSION_TIMED, VERSION_WRITTEN, form, kind};
use crate::base::{OutOfMemory, memory};

/// Most bytes of a node of a list: Redis's default of `list-max-listpack-size`. A longer element is a node by itself.
const NODE_BYTES_MAX: usize = 8 << 10;
/// Longest text of an integer that a string is written as, bytes.
const INTEGER_TEXT_MAX: usize = 11;

/// Appends the payload of a string.
///
/// # Errors
/// [`OutOfMemory`]; then `out` is as it was.
pub fn string(out: &mut Vec<u8>, value: &[u8]) -> Result<(), OutOfMemory> {
    payload(out, kind::STRING, |out| push_string(out, value))
}

/// Appends the payload of a list with these elements.
///
/// # Errors
/// [`OutOfMemory`]; then `out` is as it was.
pub fn list<T: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    elements: impl IntoIterator<Item = T>,
) -> Result<(), OutOfMemory> {
    payload(out, kind::LIST_QUICKLIST_2, |out| {
        let count_at = push_count_later(out)?;
        let mut nodes = 0;
        let mut node = ListpackWriter::default();
        for element in elements {
            let element = element.as_ref();
            if !node.is_empty() && node.len() + element.len() + OVERHEAD_MAX > NODE_BYTES_MAX {
                nodes += push_node(out, &mut node)?;
            }
            if element.len() > NODE_BYTES_MAX {
                push_length(out, form::NODE_PLAIN)?;
                push_string(out, element)?;
                nodes += 1;
            } else {
                node.push(element)?;
            }
        }
        nodes += push_node(out, &mut node)?;
        set_count(out, count_at, nodes);
        Ok(())
    })
}

/// Appends the payload of a set with these `count` members.
///
/// # Errors
/// [`OutOfMemory`]; then `out` is as it was.
pub fn set<T: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    count: usize,
    members: impl IntoIterator<Item = T> + Clone,
) -> Result<(), OutOfMemory> {
    if count <= MEMBERS_MAX
        && let Some(mut integers) = integers(count, members.clone())?
    {
        let intset = intset(&mut integers)?;
        return payload(out, kind::SET_INTSET, |out| push_string(out, &intset));
    }
    payload(out, kind::SET, |out| {
        push_length(out, count as u64)?;
        members.into_iter().try_for_each(|member| push_string(out, member.as_ref()))
    })
}

/// The members of a set, if all are integers.
fn integers<T: AsRef<[u8]>>(
    count: usize,
    members: impl IntoIterator<Item = T>,
) -> Result<Option<Vec<i64>>, OutOfMemory> {
    let mut integers = Vec::new();
    memory::reserve_exact(&mut integers, count)?;
    for member in members {
        let Some(integer) = canonical_integer(member.as_ref()) else { return Ok(None) };
        integers.push(integer);
    }
    Ok(Some(integers))
}

/// Appends the payload of a hash with these `count` fields and values.
///
/// # Errors
/// [`OutOfMemory`]; then `out` is as it was.
pub fn hash<T: AsRef<[u8]>, U: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    count: usize,
    pairs: impl IntoIterator<Item = (T, U)>,
) -> Result<(), OutOfMemory> {
    payload(out, kind::HASH, |out| {
        push_length(out, count as u64)?;
        pairs.into_iter().try_for_each(|(field, value)| {
            push_string(out, field.as_ref())?;
            push_string(out, value.as_ref())
        })
    })
}

/// Appends the payload of a hash with these `count` fields and values, and the Unix times in milliseconds at which some
/// fields expire. Redis 7.4 and newer restore it.
///
/// # Errors
/// [`OutOfMemory`]; then `out` is as it was.
pub fn timed_hash<T: AsRef<[u8]>, U: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    count: usize,
    fields: impl IntoIterator<Item = (T, U, Option<u64>)> + Clone,
) -> Result<(), OutOfMemory> {
    let earliest_ms = fields.clone().into_iter().filter_map(|(_, _, at_ms)| at_ms).min().unwrap_or_default();
    payload(out, kind::HASH_TIMED, |out| {
        push(out, &earliest_ms.to_le_bytes())?;
        push_length(out, count as u64)?;
        fields.into_iter().try_for_each(|(field, value, at_ms)| {
            push_length(out, at_ms.map_or(0, |at_ms| at_ms - earliest_ms + 1))?;
            push_string(out, field.as_ref())?;
            push_string(out, value.as_ref())
        })
    })
}

/// Appends the payload of a sorted set with these `count` members and scores. Redis loads it faster if they descend.
///
/// # Errors
/// [`OutOfMemory`]; then `out` is as it was.
pub fn zset<T: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    count: usize,
    scored: impl IntoIterator<Item = (T, f64)>,
) -> Result<(), OutOfMemory> {
    payload(out, kind::ZSET_2, |out| {
        push_length(out, count as u64)?;
        scored.into_iter().try_for_each(|(member, score)| {
            push_string(out, member.as_ref())?;
            push(out, &score.to_le_bytes())
        })
    })
}

/// Appends type, body and footer. If that fails, takes them away again.
fn payload(
    out: &mut Vec<u8>,
    kind: u8,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), OutOfMemory>,
) -> Result<(), OutOfMemory> {
    let start = out.len();
    let written = push(out, &[kind]).and_then(|()| body(out)).and_then(|()| push_footer(out, start));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Appends version and checksum of the payload that begins at `start`.
pub(super) fn push_footer(out: &mut Vec<u8>, start: usize) -> Result<(), OutOfMemory> {
    let version = if out[start] == kind::HASH_TIMED { VERSION_TIMED } else { VERSION_WRITTEN };
    push(out, &version.to_le_bytes())?;
    let sum = crc64(&out[start..]);
    push(out, &sum.to_le_bytes())
}

/// Appends a node of a list, if it has elements, and clears it. Returns how many nodes were appended.
fn push_node(out: &mut Vec<u8>, node: &mut ListpackWriter) -> Result<u32, OutOfMemory> {
    if node.is_empty() {
        return Ok(0);
    }
    push_length(out, form::NODE_PACKED)?;
    push_string(out, node.finish())?;
    node.clear();
    Ok(1)
}

pub(super) fn push(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), OutOfMemory> {
    memory::reserve(out, bytes.len())?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends a length.
pub(super) fn push_length(out: &mut Vec<u8>, length: u64) -> Result<(), OutOfMemory> {
    let mut bytes = [0; 9];
    bytes[1..].copy_from_slice(&length.to_be_bytes());
    match length {
        0..0x40 => push(out, &bytes[8..]),
        0x40..0x4000 => {
            bytes[7] |= 0x40;
            push(out, &bytes[7..])
        }
        0x4000..0x1_0000_0000 => {
            bytes[4] = 0x80;
            push(out, &bytes[4..])
        }
        _ => {
            bytes[0] = 0x81;
            push(out, &bytes)
        }
    }
}

/// Leaves room for a count that is not known yet. Returns where it stands.
pub(super) fn push_count_later(out: &mut Vec<u8>) -> Result<usize, OutOfMemory> {
    push(out, &[0x80, 0, 0, 0, 0])?;
    Ok(out.len() - 4)
}

/// Fills in a count for which [`push_count_later`] has left room.
pub(super) fn set_count(out: &mut [u8], at: usize, count: u32) {
    out[at..at + 4].copy_from_slice(&count.to_be_bytes());
}

/// Appends a string, as an integer if it reads like a small one.
pub(super) fn push_string(out: &mut Vec<u8>, text: &[u8]) -> Result<(), OutOfMemory> {
    let integer = if text.len() <= INTEGER_TEXT_MAX { canonical_integer(text) } else { None };
    let bytes = integer.unwrap_or_default().to_le_bytes();
    match integer {
        Some(-0x80..=0x7f) => push(out, &[0xc0 | form::INT8, bytes[0]]),
        Some(-0x8000..=0x7fff) => push(out, &[0xc0 | form::INT16, bytes[0], bytes[1]]),
        Some(-0x8000_0000..=0x7fff_ffff) => {
            push(out, &[0xc0 | form::INT32, bytes[0], bytes[1], bytes[2], bytes[3]])
        }
        _ => {
            push_length(out, text.len() as u64)?;
            push(out, text)
        }
    }
}
