//! `DEBUG`: for tests. Most subcommands are those that test suites of clients and of Redis itself use.

use std::time::Duration;

use crate::base::fault;
use crate::config::DEBUG_SLEEP_MAX_S;
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX};
use crate::service::glob::{Case, Pattern};
use crate::store::{Object, Stream, StreamId};

/// `DEBUG SLEEP seconds`: blocks the whole server for that time; that is its purpose.
pub fn sleep(cx: &mut Cx<'_>) -> Outcome {
    let seconds = std::str::from_utf8(cx.arg(2)).ok().and_then(|text| text.parse::<f64>().ok());
    let seconds = seconds.filter(|s| (0.0..=DEBUG_SLEEP_MAX_S).contains(s));
    let Some(seconds) = seconds else {
        return Err(Failure::text("ERR seconds must be between 0 and 60"));
    };
    std::thread::sleep(Duration::from_secs_f64(seconds));
    cx.reply.ok();
    Ok(())
}

/// `DEBUG SET-ACTIVE-EXPIRE 0 | 1`: stops or starts the sweep of expired keys. A test of keys that have expired and are
/// still there needs it.
pub fn set_active_expire(cx: &mut Cx<'_>) -> Outcome {
    cx.world.active_expire = cx.int(2)? != 0;
    cx.reply.ok();
    Ok(())
}

/// `DEBUG PANIC [n]`: panics at once. With `n`, the `n`th fault point after it panics instead; that may be
/// in a later command.
pub fn panic(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len() > 3 {
        return Err(SYNTAX);
    }
    let Some(word) = cx.args.get(2) else { panic!("DEBUG PANIC") };
    let nth = parse_i64(word).and_then(|n| u32::try_from(n).ok()).ok_or(SYNTAX)?;
    // A panic that was armed earlier must not happen while this command replies.
    fault::arm(0);
    cx.reply.ok();
    fault::arm(nth);
    Ok(())
}

/// `DEBUG OBJECT key`: how a value is held, in one line.
pub fn object(cx: &mut Cx<'_>) -> Outcome {
    let found = cx.world.store.object(cx.arg(2), cx.world.now.unix_ms);
    let (object, bytes) = found.ok_or(Failure::text("ERR no such key"))?;
    let encoding = super::objects::encoding(&object, &cx.world.config.encodings);
    cx.reply.simple(&format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{bytes} lru:0 lru_seconds_idle:0"
    ));
    Ok(())
}

/// `DEBUG JMAP`: Redis answers so on every platform but its own.
pub fn jmap(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.ok();
    Ok(())
}

/// `DEBUG CHANGE-REPL-ID`: there is no replication, so no client can see a difference.
pub fn change_repl_id(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.ok();
    Ok(())
}

/// `DEBUG STRINGMATCH-LEN length pattern`: how long it takes to match a pattern against so many letters `a`.
pub fn stringmatch_len(cx: &mut Cx<'_>) -> Outcome {
    let len = usize::try_from(cx.int(2)?).map_err(|_| SYNTAX)?.min(cx.world.config.max_key_bytes);
    let pattern = Pattern::new(cx.arg(3), Case::Kept)?;
    let matched = pattern.matches(&vec![b'a'; len]);
    cx.reply.int(i64::from(matched));
    Ok(())
}

/// `DEBUG DIGEST`: a number that depends on all keys, their values and times of expiry, and not on their order. Two servers
/// of this kind with the same data have the same one; Redis has another.
pub fn digest(cx: &mut Cx<'_>) -> Outcome {
    let now_ms = cx.world.now.unix_ms;
    let (here, mut digest) = (cx.world.store.selected(), 0_u128);
    let used: Vec<u16> = cx.world.store.sizes().map(|(db, _)| db).collect();
    for db in used {
        cx.world.store.select(db);
        let keys: Vec<Vec<u8>> = cx.world.store.keys(now_ms).map(<[u8]>::to_vec).collect();
        for key in keys {
            let expires_ms = cx.world.store.expiry(&key, now_ms).flatten().unwrap_or_default();
            let mut item = fingerprint(&[&db.to_le_bytes(), &key, &expires_ms.to_le_bytes()]);
            match cx.world.store.object(&key, now_ms) {
                Some((Object::String(text), _)) => item = item.wrapping_add(fingerprint(&[b"string", text])),
                Some((Object::Hash(hash), _)) => {
                    let fields = hash.iter().map(|(field, value)| fingerprint(&[b"hash", field, value]));
                    item = fields.fold(item, u128::wrapping_add);
                }
                Some((Object::List(list), _)) => {
                    for (place, element) in list.iter_from(0).enumerate() {
                        item = item.wrapping_add(fingerprint(&[b"list", &place.to_le_bytes(), element]));
                    }
                }
                Some((Object::Zset(zset), _)) => {
                    let members = zset.iter_from(0);
                    let members =
                        members.map(|(member, score)| fingerprint(&[b"zset", member, &score.to_le_bytes()]));
                    item = members.fold(item, u128::wrapping_add);
                }
                Some((Object::Stream(stream), _)) => {
                    item = item.wrapping_add(stream_fingerprint(stream));
                }
                Some((Object::Set(set), _)) => {
                    let members = set.iter().map(|member| fingerprint(&[b"set", &member]));
                    item = members.fold(item, u128::wrapping_add);
                }
                None => {}
            }
            digest ^= item.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        }
    }
    cx.world.store.select(here);
    cx.reply.simple(&format!("{digest:040x}"));
    Ok(())
}

/// The fingerprint of a stream: of its entries, of what it remembers beside them, and of its groups.
fn stream_fingerprint(stream: &Stream) -> u128 {
    let id = |id: StreamId| [id.ms.to_le_bytes(), id.seq.to_le_bytes()].concat();
    let log = stream.log();
    let added = log.entries_added().to_le_bytes();
    let mut sum = fingerprint(&[b"stream", &id(log.last_id()), &id(log.max_deleted_id()), &added]);
    for entry in log.range(StreamId::MIN, StreamId::MAX) {
        for (place, (field, value)) in entry.fields().enumerate() {
            let place = place.to_le_bytes();
            sum = sum.wrapping_add(fingerprint(&[b"entry", &id(entry.id()), &place, field, value]));
        }
    }
    for group in stream.groups() {
        let read = group.entries_read().map_or([255; 8], u64::to_le_bytes);
        sum = sum.wrapping_add(fingerprint(&[b"group", group.name(), &id(group.last_id()), &read]));
        for consumer in group.consumers() {
            sum = sum.wrapping_add(fingerprint(&[b"consumer", group.name(), consumer.name()]));
        }
        for pending in group.pending(StreamId::MIN, StreamId::MAX) {
            let deliveries = pending.deliveries.to_le_bytes();
            let parts = [&b"pending"[..], group.name(), pending.consumer, &id(pending.id), &deliveries];
            sum = sum.wrapping_add(fingerprint(&parts));
        }
    }
    sum
}

/// FNV-1a over the parts, each with its length.
fn fingerprint(parts: &[&[u8]]) -> u128 {
    let bytes =
        parts.iter().flat_map(|part| part.len().to_le_bytes().into_iter().chain(part.iter().copied()));
    bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |sum: u128, byte| {
        (sum ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}
