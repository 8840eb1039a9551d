//! What the commands about streams share: ids as clients write them, entries as clients read them, and errors.

use crate::resp::{Reply, parse_i64};
use crate::service::cx::{Cx, Failure, QUOTED_MAX, is, quotable};
use crate::service::world::World;
use crate::store::{Entry, Log, Stream, StreamError, StreamId, WrongKind};

const INVALID_ID: Failure = Failure::text("ERR Invalid stream ID specified as stream command argument");
/// The error for an id that is not greater than the last one.
pub(super) const NOT_GREATER: Failure =
    Failure::text("ERR The ID specified in XADD is equal or smaller than the target stream top item");
const INVALID_START: Failure = Failure::text("ERR invalid start ID for the interval");
const INVALID_END: Failure = Failure::text("ERR invalid end ID for the interval");
/// Longest text of an id, in bytes. Redis copies it to a buffer of this length.
const ID_TEXT_MAX: usize = 127;

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Failure {
        match error {
            StreamError::Write(error) => error.into(),
            StreamError::NotGreater => NOT_GREATER,
            StreamError::TooLong => Failure::text("ERR Elements are too large to be stored"),
            // Commands look for the group before, to name it in the error.
            StreamError::NoGroup => Failure::text("NOGROUP No such consumer group"),
        }
    }
}

/// The stream of `key`, if there is one. Counts a hit or a miss.
pub(super) fn lookup<'w>(world: &'w mut World, key: &[u8]) -> Result<Option<&'w Stream>, WrongKind> {
    world.tell_miss(key);
    let found = world.store.stream(key, world.now.unix_ms);
    match found {
        Ok(None) => world.stats.keyspace_misses += 1,
        Ok(Some(_)) | Err(WrongKind) => world.stats.keyspace_hits += 1,
    }
    found
}

/// An unsigned number, as Redis reads a part of an id: first as strictly as any number, and then as C's `strtoull` does,
/// which takes blanks and signs and negates a number with a minus.
fn part(text: &[u8]) -> Option<u64> {
    if let Some(number) = parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number: u64 = std::str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()?;
    Some(if negative { number.wrapping_neg() } else { number })
}

/// The two parts of an id. The second one is `None` if the client has left it out.
fn parts(text: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    if text.len() > ID_TEXT_MAX {
        return None;
    }
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
    match memchr::memchr(b'-', text) {
        Some(at) => Some((part(&text[..at])?, Some(&text[at + 1..]))),
        None => Some((part(text)?, None)),
    }
}

/// The id that `text` names. Without the second part, that is `missing_seq`.
///
/// # Errors
/// If it is no id.
pub(super) fn strict_id(text: &[u8], missing_seq: u64) -> Result<StreamId, Failure> {
    let id = parts(text).and_then(|(ms, seq)| {
        let seq = seq.map_or(Some(missing_seq), part)?;
        Some(StreamId::new(ms, seq))
    });
    id.ok_or(INVALID_ID)
}

/// As [`strict_id`]; `-` is the least id and `+` the greatest one.
///
/// # Errors
/// If it is no id.
pub(super) fn any_id(text: &[u8], missing_seq: u64) -> Result<StreamId, Failure> {
    match text {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => strict_id(text, missing_seq),
    }
}

/// The id of a new entry, as `XADD` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`: the server chooses it.
    Auto,
    /// `ms-*`: the server chooses the second part.
    InMs(u64),
    /// This one.
    Given(StreamId),
}

/// The id of a new entry that `text` names.
///
/// # Errors
/// If it is no id.
pub(super) fn new_id(text: &[u8]) -> Result<NewId, Failure> {
    match parts(text) {
        Some((ms, Some(b"*"))) => Ok(NewId::InMs(ms)),
        _ => strict_id(text, 0).map(NewId::Given),
    }
}

/// The first id of an interval. Behind `(`, the id itself does not belong to it.
///
/// # Errors
/// If it is no id, or if no id is greater than an excluded one.
pub(super) fn start_id(text: &[u8]) -> Result<StreamId, Failure> {
    match text {
        [b'(', id @ ..] if !id.is_empty() => strict_id(id, 0)?.next().map_err(|_| INVALID_START),
        _ => any_id(text, 0),
    }
}

/// The last id of an interval. Behind `(`, the id itself does not belong to it.
///
/// # Errors
/// If it is no id, or if no id is less than an excluded one.
pub(super) fn end_id(text: &[u8]) -> Result<StreamId, Failure> {
    match text {
        [b'(', id @ ..] if !id.is_empty() => strict_id(id, u64::MAX)?.previous().map_err(|_| INVALID_END),
        _ => any_id(text, u64::MAX),
    }
}

/// The number of entries that a count of a request stands for; a negative one counts as 0.
///
/// # Errors
/// If it is no number.
pub(super) fn count(cx: &Cx<'_>, at: usize) -> Result<usize, Failure> {
    Ok(usize::try_from(cx.int(at)?).unwrap_or(0))
}

/// The number of entries that a count stands for, where 0 means all.
pub(super) fn or_all(count: usize) -> usize {
    if count == 0 { usize::MAX } else { count }
}

/// True if the request has `word` at `at`, and at least one argument behind it.
pub(super) fn is_option(cx: &Cx<'_>, at: usize, word: &str) -> bool {
    at + 1 < cx.args.len() && is(cx.arg(at), word)
}

/// An error that quotes two words of a request: `texts` are the parts before, between and behind them.
pub(super) fn quoting(texts: [&str; 3], words: [&[u8]; 2]) -> Failure {
    let [first, second] = words.map(|word| quotable(word, QUOTED_MAX));
    let text = [texts[0].as_bytes(), first, texts[1].as_bytes(), second, texts[2].as_bytes()];
    Failure(text.concat().into())
}

/// The error for a key without the group, in the words of most commands.
pub(super) fn no_key_or_group(key: &[u8], group: &[u8]) -> Failure {
    quoting(["NOGROUP No such key '", "' or consumer group '", "'"], [key, group])
}

/// The error for a stream without the group, in the words of `XGROUP` and `XINFO`.
pub(super) fn no_group(key: &[u8], group: &[u8]) -> Failure {
    quoting(["NOGROUP No such consumer group '", "' for key name '", "'"], [group, key])
}

/// Replies with an id.
pub(super) fn reply_id(reply: &mut Reply<'_>, id: StreamId) {
    let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (ms, seq) = (ms.format(id.ms).as_bytes(), seq.format(id.seq).as_bytes());
    // Two numbers of at most twenty digits, and what is between them.
    let mut text = [0; 41];
    let len = ms.len() + 1 + seq.len();
    text[..ms.len()].copy_from_slice(ms);
    text[ms.len()] = b'-';
    text[ms.len() + 1..len].copy_from_slice(seq);
    reply.bulk(&text[..len]);
}

/// Replies with an entry: its id, and its fields with their values.
pub(super) fn reply_entry(reply: &mut Reply<'_>, entry: Entry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id());
    let fields = entry.fields();
    reply.array(2 * fields.len());
    for (field, value) in fields {
        reply.bulk(field);
        reply.bulk(value);
    }
}

/// Replies with the entries from `from` to `to`, at most `most` of them.
pub(super) fn reply_range(reply: &mut Reply<'_>, log: &Log, (from, to): (StreamId, StreamId), most: usize) {
    let all = from <= log.first_id() && to >= log.last_id();
    let count = if all { log.len().min(most) } else { log.range(from, to).take(most).count() };
    reply.array(count);
    for entry in log.range(from, to).take(count) {
        reply_entry(reply, entry);
        if reply.overflowed() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        for (text, ms, seq) in [
            ("5", 5, 9),
            ("5-3", 5, 3),
            ("18446744073709551615-18446744073709551615", u64::MAX, u64::MAX),
            ("007-+1", 7, 1),
            (" 7- 1", 7, 1),
            ("1- -2", 1, u64::MAX - 1),
        ] {
            assert_eq!(strict_id(text.as_bytes(), 9), Ok(StreamId::new(ms, seq)), "{text}");
        }
        for text in ["", "-", "+", "x", "5-", "-5", "5-x", "5-3-1", "5 -1", "5-*", "18446744073709551616"] {
            assert_eq!(strict_id(text.as_bytes(), 9), Err(INVALID_ID), "{text}");
        }
        assert_eq!(strict_id(&[b'0'; 128], 9), Err(INVALID_ID));
        assert_eq!(strict_id(&[b'0'; 127], 9), Ok(StreamId::new(0, 9)));
        assert_eq!(new_id(b"7-*"), Ok(NewId::InMs(7)));
        assert_eq!(new_id(b"7"), Ok(NewId::Given(StreamId::new(7, 0))));
        assert_eq!(
            (start_id(b"(5"), end_id(b"(5")),
            (Ok(StreamId::new(5, 1)), Ok(StreamId::new(5, u64::MAX - 1)))
        );
        assert_eq!((start_id(b"("), start_id(b"(-")), (Err(INVALID_ID), Err(INVALID_ID)));
        assert_eq!(end_id(b"(0-0"), Err(INVALID_END));
    }
}
