//! Values as text, and values encoded again.

use super::rdb::{StreamDump, Value, encode as write};

/// The value on one line.
pub fn render(value: &Value) -> String {
    line(value, true)
}

/// As [`render`], but with the members of a set in a fixed order, and without the times that type 19 does not have.
pub fn sorted(value: Value) -> String {
    let line = line(&value, false);
    let mut words: Vec<&str> = line.split(' ').collect();
    if matches!(value, Value::Set(_)) {
        words.sort_unstable();
    }
    words.join(" ")
}

fn line(value: &Value, active: bool) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let join = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join(" ");
    match value {
        Value::String(bytes) => format!("string {}", text(bytes)),
        Value::List(list) => format!("list {}", join(&mut list.iter().map(text))),
        Value::Set(set) => format!("set {}", join(&mut set.iter().map(text))),
        Value::Hash(hash) => {
            format!("hash {}", join(&mut hash.pairs().map(|(k, v)| format!("{}={}", text(k), text(v)))))
        }
        Value::TimedHash { pairs, expiries } => {
            let mut fields = pairs.pairs().zip(expiries).map(|((k, v), at_ms)| {
                format!("{}={}{}", text(k), text(v), at_ms.map_or(String::new(), |at_ms| format!("@{at_ms}")))
            });
            format!("timed hash {}", join(&mut fields))
        }
        Value::Zset { members, scores } => {
            let mut pairs =
                members.iter().zip(scores).map(|(member, score)| format!("{}={score}", text(member)));
            format!("zset {}", join(&mut pairs))
        }
        Value::Stream(stream) => {
            let id = |id: super::rdb::StreamId| format!("{}-{}", id.ms, id.seq);
            let (last, first, deleted) =
                (id(stream.last_id), id(stream.first_id()), id(stream.max_deleted_id));
            let mut line =
                format!("stream {} {first} {last} {deleted} {}", stream.len(), stream.entries_added);
            for entry in stream.entries() {
                line += &format!(" {}:", id(entry.id));
                line += &join(&mut entry.fields.map(|(k, v)| format!("{}={}", text(k), text(v))))
                    .replace(' ', ",");
            }
            for group in stream.groups() {
                line +=
                    &format!(" group {} {} {:?}", text(group.name), id(group.last_id), group.entries_read);
                for p in group.pending {
                    line += &format!(" {}/{}/{}/{}", id(p.id), p.delivered_ms, p.deliveries, p.consumer);
                }
                for consumer in group.consumers {
                    line += &format!(" {}/{}", text(consumer.name), consumer.seen_ms);
                    if active {
                        line += &format!("/{}", consumer.active_ms);
                    }
                }
            }
            line
        }
    }
}

/// Appends the payload of `value`.
pub fn encode(value: &Value, out: &mut Vec<u8>) -> Result<(), super::base::OutOfMemory> {
    match value {
        Value::String(bytes) => write::string(out, bytes),
        Value::List(list) => write::list(out, list),
        Value::Set(set) => write::set(out, set.len(), set),
        Value::Hash(hash) => write::hash(out, hash.len() / 2, hash.pairs()),
        Value::TimedHash { pairs, expiries } => {
            let fields = pairs.pairs().zip(expiries).map(|((field, value), at_ms)| (field, value, *at_ms));
            write::timed_hash(out, expiries.len(), fields)
        }
        Value::Zset { members, scores } => {
            write::zset(out, members.len(), members.iter().zip(scores.iter().copied()))
        }
        Value::Stream(stream) => {
            let mut dump = StreamDump::begin(out)?;
            for entry in stream.entries() {
                dump.entry(entry.id, entry.fields)?;
            }
            let groups = stream.groups();
            dump.end_of_entries(stream.last_id, stream.max_deleted_id, stream.entries_added, groups.len())?;
            for group in groups {
                dump.group(group.name, group.last_id, group.entries_read, group.pending.len())?;
                for pending in group.pending {
                    dump.pending(pending.id, pending.delivered_ms, pending.deliveries)?;
                }
                dump.consumers(group.consumers.len())?;
                for (number, consumer) in group.consumers.enumerate() {
                    let mine = group.pending.iter().filter(|pending| pending.consumer as usize == number);
                    dump.consumer(consumer.name, consumer.seen_ms, mine.clone().count())?;
                    for pending in mine {
                        dump.pending_of(pending.id)?;
                    }
                }
            }
            dump.end()
        }
    }
}
