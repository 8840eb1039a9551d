//! `DUMP` and `RESTORE` of streams: entries, groups, consumers and pending entries, one after the other.

use crate::base::OutOfMemory;
use crate::rdb::{self, StreamDump};
use crate::service::cx::{Cx, Failure, Outcome};
use crate::store::{Group, NodeLimits, RestoredGroup, Stream, StreamError, StreamId, Whole};

/// A restored stream takes at most so many times the memory of the decoded payload, besides [`PAYLOAD_TIMES_MAX`] times the
/// payload. Entries of a payload may share the names of their fields without end, and the nodes of a stream write them again
/// and again.
const DECODED_TIMES_MAX: usize = 4;
/// The payload is compressed, so it may be much shorter than what is decoded.
const PAYLOAD_TIMES_MAX: usize = 16;
/// Bytes that any stream may take.
const MEMORY_ALWAYS: usize = 64 << 10;

/// Appends the payload of a stream. Returns false if it would have more than `max` bytes; it may have a few more all the
/// same.
pub(super) fn payload(out: &mut Vec<u8>, stream: &Stream, max: usize) -> Result<bool, OutOfMemory> {
    let log = stream.log();
    let mut dump = StreamDump::begin(out)?;
    for entry in log.range(StreamId::MIN, StreamId::MAX) {
        dump.entry(dumped_id(entry.id()), entry.fields())?;
        if dump.len_min() > max {
            return Ok(false);
        }
    }
    let (last_id, deleted) = (dumped_id(log.last_id()), dumped_id(log.max_deleted_id()));
    dump.end_of_entries(last_id, deleted, log.entries_added(), stream.groups_len())?;
    for group in stream.groups() {
        if !group_payload(&mut dump, group, max)? {
            return Ok(false);
        }
    }
    dump.end()?;
    Ok(true)
}

/// Appends a group. Returns false if the payload would have more than `max` bytes.
fn group_payload(dump: &mut StreamDump<'_>, group: &Group, max: usize) -> Result<bool, OutOfMemory> {
    dump.group(group.name(), dumped_id(group.last_id()), group.entries_read(), group.pending_len())?;
    for pending in group.pending(StreamId::MIN, StreamId::MAX) {
        dump.pending(dumped_id(pending.id), pending.delivered_ms as i64, u64::from(pending.deliveries))?;
        if dump.len_min() > max {
            return Ok(false);
        }
    }
    dump.consumers(group.consumers_len())?;
    for consumer in group.consumers() {
        dump.consumer(consumer.name(), consumer.seen_ms() as i64, consumer.pending_len())?;
        for pending in consumer.pending(StreamId::MIN, StreamId::MAX) {
            dump.pending_of(dumped_id(pending.id))?;
        }
        if dump.len_min() > max {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Checks the counts of a decoded stream: they must leave room for all that may still be added.
pub(super) fn check(stream: &rdb::Stream) -> Outcome {
    let mut counts = stream.groups().filter_map(|group| group.entries_read).chain([stream.entries_added]);
    if counts.any(|count| i64::try_from(count).is_err()) {
        return Err(Failure::text("ERR Bad data format"));
    }
    Ok(())
}

/// Builds a stream that [`check`] has passed.
pub(super) fn prepare<'a>(
    cx: &mut Cx<'_>,
    key: &'a [u8],
    decoded: &rdb::Stream,
    expires_ms: Option<u64>,
) -> Result<Whole<'a>, Failure> {
    let config = &cx.world.config;
    let limits = NodeLimits {
        bytes: config.encodings.stream_node_max_bytes,
        entries: config.encodings.stream_node_max_entries,
    };
    let memory_max = decoded.memory().saturating_mul(DECODED_TIMES_MAX)
        + cx.arg(3).len() * PAYLOAD_TIMES_MAX
        + MEMORY_ALWAYS;
    let make = || restored(decoded, limits, memory_max);
    Ok(cx.world.store.prepare_whole_stream(key, expires_ms, make)?)
}

fn restored(decoded: &rdb::Stream, limits: NodeLimits, memory_max: usize) -> Result<Stream, StreamError> {
    let mut stream = Stream::new();
    for entry in decoded.entries() {
        let log = stream.log_mut();
        let append = log.try_reserve(restored_id(entry.id), entry.fields.clone(), limits)?;
        log.append(append, entry.fields);
        if stream.memory() > memory_max {
            return Err(StreamError::TooLong);
        }
    }
    let (added, deleted) = (Some(decoded.entries_added), Some(restored_id(decoded.max_deleted_id)));
    let set = stream.log_mut().set_last_id(restored_id(decoded.last_id), added, deleted);
    debug_assert_eq!(set, Ok(()), "the decoder has checked the ids and the counts");
    stream.reserve_groups(decoded.groups().len())?;
    for group in decoded.groups() {
        stream.push_group(restored_group(&group)?)?;
    }
    stream.sort_groups();
    Ok(stream)
}

fn restored_group(decoded: &rdb::Group<'_>) -> Result<RestoredGroup, OutOfMemory> {
    let mut group = RestoredGroup::new(decoded.name, restored_id(decoded.last_id), decoded.entries_read)?;
    for consumer in decoded.consumers.clone() {
        group.push_consumer(
            consumer.name,
            since_1970(consumer.seen_ms),
            consumer.active_ms.try_into().ok(),
        )?;
    }
    for pending in decoded.pending {
        let deliveries = u32::try_from(pending.deliveries).unwrap_or(u32::MAX);
        let delivered_ms = since_1970(pending.delivered_ms);
        group.push_pending(restored_id(pending.id), pending.consumer, delivered_ms, deliveries)?;
    }
    Ok(group)
}

/// Unix milliseconds; what was before 1970 was in 1970.
fn since_1970(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

fn dumped_id(id: StreamId) -> rdb::StreamId {
    rdb::StreamId { ms: id.ms, seq: id.seq }
}

fn restored_id(id: rdb::StreamId) -> StreamId {
    StreamId::new(id.ms, id.seq)
}
