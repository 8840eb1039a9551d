//! Decoding a stream.
//!
//! ```text
//! nodes: ID of the node (16), listpack   number of entries   last ID   [first ID   highest deleted ID   entries added]
//! groups: name   last ID   [entries read]   pending: ID (16), time (8), deliveries
//!         consumers: name   seen (8)   [active (8)]   pending: ID (16)
//! listpack: entries  deleted  fields  names  0   then for each entry, deleted or not:
//!           flags  ms  seq  [fields  names and] values  number of elements of the entry
//! ```
//!
//! The parts in brackets depend on the type. Times of entries are differences to the ID of the node.

use super::decode::blob;
use super::element::Elements;
use super::listpack::Listpack;
use super::reader::Reader;
use super::stream::{ConsumerTimes, GroupParts};
use super::strings::differ;
use super::{DecodeError, Pending, Stream, StreamId, kind};
use crate::base::memory;

/// Flags of an entry: it is deleted; its fields have the names of the node.
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// The number of entries read that says that it is unknown: -1.
pub(super) const UNKNOWN: u64 = u64::MAX;
/// A pending entry that has no consumer yet.
const NOBODY: u32 = u32::MAX;

/// Reads a stream of type `kind`.
pub(super) fn stream(kind: u8, reader: &mut Reader<'_>) -> Result<Stream, DecodeError> {
    let mut stream = Stream::default();
    let last_entry = nodes(reader, &mut stream)?;
    let length = reader.number()?;
    stream.last_id = reader.id_of_numbers()?;
    if kind == kind::STREAM {
        stream.entries_added = length;
    } else {
        // The ID of the first entry, which we know from the entries.
        reader.id_of_numbers()?;
        stream.max_deleted_id = reader.id_of_numbers()?;
        stream.entries_added = reader.number()?;
    }
    if length != stream.len() || stream.entries_added < length || stream.last_id < last_entry {
        return Err(DecodeError::BadFormat);
    }
    // XSETID may set the last ID back behind entries that were deleted.
    stream.max_deleted_id = stream.max_deleted_id.min(stream.last_id);
    // A group takes at least five bytes.
    for _ in 0..reader.count(5)? {
        group(kind, reader, &mut stream)?;
    }
    differ(stream.groups.len(), stream.groups().map(|group| group.name))?;
    Ok(stream)
}

/// Reads all nodes. Returns the ID of the last entry that is not deleted.
fn nodes(reader: &mut Reader<'_>, stream: &mut Stream) -> Result<StreamId, DecodeError> {
    let (mut last, mut last_entry) = (StreamId::default(), StreamId::default());
    let mut scratch = Vec::new();
    // The ID takes 17 bytes.
    for _ in 0..reader.count(17)? {
        let id = blob(reader, &mut scratch)?.try_into().map_err(|_| DecodeError::BadFormat)?;
        let node = StreamId::from_be_bytes(id);
        let pack = Listpack::new(blob(reader, &mut scratch)?)?;
        last = entries(node, pack, last, stream, &mut last_entry)?;
    }
    Ok(last_entry)
}

/// Reads the entries of a node. They must ascend from `last`. Returns the last ID, and notes that of the last
/// entry that is not deleted.
fn entries(
    node: StreamId,
    mut pack: Listpack<'_>,
    mut last: StreamId,
    stream: &mut Stream,
    last_entry: &mut StreamId,
) -> Result<StreamId, DecodeError> {
    let announced = number(&mut pack)?;
    let mut deleted = number(&mut pack)?;
    let names = number(&mut pack)?;
    stream.push_names(names)?;
    for _ in 0..names {
        stream.push_text(pack.expect()?)?;
    }
    if number(&mut pack)? != 0 {
        return Err(DecodeError::BadFormat);
    }
    let all = announced.checked_add(deleted).ok_or(DecodeError::BadFormat)?;
    for _ in 0..all {
        let flags = pack.expect()?.integer()?;
        // Differences may be negative: a later millisecond starts again at a low number.
        let id = StreamId {
            ms: node.ms.wrapping_add(pack.expect()?.integer()? as u64),
            seq: node.seq.wrapping_add(pack.expect()?.integer()? as u64),
        };
        if id <= last || flags & !(DELETED | SAME_FIELDS) != 0 {
            return Err(DecodeError::BadFormat);
        }
        last = id;
        let lives = flags & DELETED == 0;
        if lives {
            *last_entry = id;
        } else {
            deleted = deleted.checked_sub(1).ok_or(DecodeError::BadFormat)?;
        }
        let shared = (flags & SAME_FIELDS != 0).then_some(names);
        entry(&mut pack, shared, lives.then_some((&mut *stream, id)))?;
    }
    if deleted != 0 || pack.next()?.is_some() {
        return Err(DecodeError::BadFormat);
    }
    Ok(last)
}

/// Reads the fields and values of an entry, and appends it to the stream if it is not deleted.
fn entry(
    pack: &mut Listpack<'_>,
    shared: Option<usize>,
    mut into: Option<(&mut Stream, StreamId)>,
) -> Result<(), DecodeError> {
    let own = if shared.is_some() { None } else { Some(number(pack)?) };
    let fields = own.or(shared).unwrap_or(0);
    if fields == 0 {
        return Err(DecodeError::BadFormat);
    }
    if let Some((stream, id)) = &mut into {
        stream.push_entry(*id, own)?;
    }
    let texts = if own.is_some() { fields.checked_mul(2).ok_or(DecodeError::BadFormat)? } else { fields };
    for _ in 0..texts {
        let text = pack.expect()?;
        if let Some((stream, _)) = &mut into {
            stream.push_text(text)?;
        }
    }
    // Flags and the two parts of the ID are three; the number of an entry's own fields is one more.
    let elements = texts + 3 + usize::from(own.is_some());
    if number(pack)? == elements { Ok(()) } else { Err(DecodeError::BadFormat) }
}

/// The next element of a listpack, a number that is not negative.
fn number(pack: &mut Listpack<'_>) -> Result<usize, DecodeError> {
    usize::try_from(pack.expect()?.integer()?).map_err(|_| DecodeError::BadFormat)
}

fn group(kind: u8, reader: &mut Reader<'_>, stream: &mut Stream) -> Result<(), DecodeError> {
    stream.names.push_element(reader.string(&mut Vec::new())?)?;
    let last_id = reader.id_of_numbers()?;
    let entries_read = if kind == kind::STREAM { UNKNOWN } else { reader.number()? };
    let entries_read = (entries_read != UNKNOWN).then_some(entries_read);
    let from = stream.pending.len();
    let pending = pending(reader, stream)?;
    let consumers = consumers(kind, reader, stream, from)?;
    if stream.pending[from..].iter().any(|pending| pending.consumer == NOBODY) {
        return Err(DecodeError::BadFormat);
    }
    memory::reserve(&mut stream.groups, 1)?;
    stream.groups.push(GroupParts { last_id, entries_read, consumers, pending });
    Ok(())
}

/// Reads the pending entries of a group. Returns how many there are.
fn pending(reader: &mut Reader<'_>, stream: &mut Stream) -> Result<u32, DecodeError> {
    let count = reader.count(25)?;
    let mut before = None;
    for _ in 0..count {
        let id = reader.id()?;
        let (delivered_ms, deliveries) = (reader.milliseconds()?, reader.number()?);
        if before.is_some_and(|before| before >= id) {
            return Err(DecodeError::BadFormat);
        }
        before = Some(id);
        memory::reserve(&mut stream.pending, 1)?;
        stream.pending.push(Pending { id, delivered_ms, deliveries, consumer: NOBODY });
    }
    u32::try_from(count).map_err(|_| DecodeError::BadFormat)
}

/// Reads the consumers of a group, whose pending entries begin at `from`. Returns how many there are.
fn consumers(
    kind: u8,
    reader: &mut Reader<'_>,
    stream: &mut Stream,
    from: usize,
) -> Result<u32, DecodeError> {
    let count = u32::try_from(reader.count(10)?).map_err(|_| DecodeError::BadFormat)?;
    let mut scratch = Vec::new();
    let mut names = super::Strings::default();
    for consumer in 0..count {
        let name = reader.string(&mut scratch)?;
        names.push_element(name)?;
        stream.names.push_element(name)?;
        let seen_ms = reader.milliseconds()?;
        let active_ms = if kind == kind::STREAM_3 { reader.milliseconds()? } else { seen_ms };
        memory::reserve(&mut stream.consumers, 1)?;
        stream.consumers.push(ConsumerTimes { seen_ms, active_ms });
        for _ in 0..reader.count(16)? {
            let id = reader.id()?;
            let pending = &mut stream.pending[from..];
            let found = pending.binary_search_by_key(&id, |pending| pending.id);
            let pending = &mut pending[found.map_err(|_| DecodeError::BadFormat)?];
            if pending.consumer != NOBODY {
                return Err(DecodeError::BadFormat);
            }
            pending.consumer = consumer;
        }
    }
    differ(names.len(), names.iter())?;
    Ok(count)
}
