//! `OBJECT` and `MEMORY`: how keys are held, and what they cost.

use crate::config::Encodings;
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::memory::resident_bytes;
use crate::store::{Map, Member, Object};

/// Longest string that Redis keeps in the object itself, bytes.
const EMBEDDED_BYTES_MAX: usize = 44;
/// Longest decimal number that may be an integer, bytes.
const INTEGER_BYTES_MAX: usize = 20;
/// Most bytes of a packed list for each value of `list-max-listpack-size` from -1 down.
const LIST_BYTES_MAX: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];
/// Bytes of a listpack besides its elements.
const LISTPACK_HEADER_BYTES: usize = 7;
/// What Redis answers for the references of a small integer, which all keys share.
const SHARED_REFERENCES: i64 = i32::MAX as i64;

/// The name that Redis would have for the encoding of a value like this.
pub fn encoding(object: &Object<'_>, limits: &Encodings) -> &'static str {
    match object {
        Object::String(text) if text.len() <= INTEGER_BYTES_MAX && parse_i64(text).is_some() => "int",
        Object::String(text) if text.len() <= EMBEDDED_BYTES_MAX => "embstr",
        Object::String(_) => "raw",
        Object::Hash(hash) => {
            let (most, longest) = (limits.hash_max_listpack_entries, limits.hash_max_listpack_value);
            match is_listpack(*hash, most, longest) {
                false => "hashtable",
                true if hash.may_expire() => "listpackex",
                true => "listpack",
            }
        }
        Object::List(list) => {
            let (most, bytes_max) = match limits.list_max_listpack_size {
                // Many elements do not make a node long: Redis has a safety limit for that.
                entries @ 0.. => (entries.max(1) as usize, LIST_BYTES_MAX[1]),
                kib => (usize::MAX, LIST_BYTES_MAX[(kib.unsigned_abs() as usize - 1).min(4)]),
            };
            let mut bytes = LISTPACK_HEADER_BYTES;
            let packed = list.iter_from(0).enumerate().all(|(nth, element)| {
                bytes += listpack_bytes(element);
                bytes <= bytes_max && nth < most
            });
            if packed { "listpack" } else { "quicklist" }
        }
        Object::Zset(zset) => {
            let short = |(member, _): (&[u8], f64)| member.len() <= limits.zset_max_listpack_value;
            let packed = zset.len() <= limits.zset_max_listpack_entries && zset.iter_from(0).all(short);
            if packed { "listpack" } else { "skiplist" }
        }
        Object::Stream(_) => "stream",
        Object::Set(set) => {
            let integer =
                |member: Member<'_>| member.len() <= INTEGER_BYTES_MAX && parse_i64(&member).is_some();
            let short = |member: Member<'_>| member.len() <= limits.set_max_listpack_value;
            let short_set = set.len() <= limits.set_max_listpack_entries;
            match set {
                _ if set.len() <= limits.set_max_intset_entries && set.iter().all(integer) => "intset",
                _ if short_set && set.iter().all(short) => "listpack",
                _ => "hashtable",
            }
        }
    }
}

/// How many bytes an element takes in Redis's listpack.
fn listpack_bytes(element: &[u8]) -> usize {
    let number = if element.len() <= INTEGER_BYTES_MAX { parse_i64(element) } else { None };
    let size = match number {
        Some(0..=127) => 1,
        Some(-4_096..=4_095) => 2,
        Some(-32_768..=32_767) => 3,
        Some(-8_388_608..=8_388_607) => 4,
        Some(-2_147_483_648..=2_147_483_647) => 5,
        Some(_) => 9,
        None => match element.len() {
            len @ ..64 => len + 1,
            len @ ..4_096 => len + 2,
            len => len + 5,
        },
    };
    // The length stands behind each element again, in seven bits a byte.
    size + (usize::BITS - size.leading_zeros()).div_ceil(7) as usize
}

/// True if Redis packs a hash like this one: of at most so many fields, each of at most so many bytes.
fn is_listpack(map: Map<'_>, most: usize, longest: usize) -> bool {
    let short = |(field, value): (&[u8], &[u8])| field.len().max(value.len()) <= longest;
    map.len() <= most && map.iter().all(short)
}

/// `OBJECT ENCODING key`: the name that Redis would have for the encoding of the value.
pub fn object_encoding(cx: &mut Cx<'_>) -> Outcome {
    let found = cx.world.store.object(cx.arg(2), cx.world.now.unix_ms);
    let name = found.map(|(object, _)| encoding(&object, &cx.world.config.encodings));
    cx.reply.bulk_or_null(name.map(str::as_bytes));
    Ok(())
}

/// `OBJECT REFCOUNT key`: 1, or what Redis answers for a small integer.
pub fn object_refcount(cx: &mut Cx<'_>) -> Outcome {
    let found = cx.world.store.object(cx.arg(2), cx.world.now.unix_ms);
    let is_shared = |text: &[u8]| {
        text.len() <= INTEGER_BYTES_MAX && parse_i64(text).is_some_and(|n| (0..10_000).contains(&n))
    };
    match found {
        Some((Object::String(text), _)) if is_shared(text) => cx.reply.int(SHARED_REFERENCES),
        Some(_) => cx.reply.int(1),
        None => cx.reply.null(),
    }
    Ok(())
}

/// `OBJECT FREQ key`: about how often the key was used lately, from 0 to 15.
pub fn object_freq(cx: &mut Cx<'_>) -> Outcome {
    let (key, now_ms) = (cx.arg(2), cx.world.now.unix_ms);
    if cx.world.store.object(key, now_ms).is_none() {
        cx.reply.null();
        return Ok(());
    }
    if !cx.world.config.maxmemory_policy.name().ends_with("-lfu") {
        return Err(Failure::text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
             between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    let uses = cx.world.store.uses(key, now_ms).unwrap_or_default();
    cx.reply.int(i64::from(uses));
    Ok(())
}

/// `OBJECT IDLETIME key`: for how many seconds the key was not used, as far as the server knows.
pub fn object_idletime(cx: &mut Cx<'_>) -> Outcome {
    let (key, now_ms) = (cx.arg(2), cx.world.now.unix_ms);
    if cx.world.store.object(key, now_ms).is_none() {
        cx.reply.null();
        return Ok(());
    }
    if cx.world.config.maxmemory_policy.name().ends_with("-lfu") {
        return Err(Failure::text(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
             policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    // Uses are counted only while keys are evicted by them, and a key that was used lately has a count.
    let unused = cx.world.store.uses(key, now_ms) == Some(0);
    let known_s = cx.world.now.at.since(cx.world.started.at).as_secs();
    cx.reply.int(if unused { known_s as i64 } else { 0 });
    Ok(())
}

/// `MEMORY USAGE key [SAMPLES count]`: the bytes that a key and its value take.
pub fn memory_usage(cx: &mut Cx<'_>) -> Outcome {
    match (cx.args.len(), cx.args.get(3)) {
        (3, _) => {}
        (5, Some(word)) if is(word, "SAMPLES") => {
            if cx.int(4)? < 0 {
                return Err(SYNTAX);
            }
        }
        _ => return Err(SYNTAX),
    }
    match cx.world.store.object(cx.arg(2), cx.world.now.unix_ms) {
        Some((_, bytes)) => cx.reply.int(bytes as i64),
        None => cx.reply.null(),
    }
    Ok(())
}

/// `MEMORY STATS`: where the memory is.
pub fn memory_stats(cx: &mut Cx<'_>) -> Outcome {
    let world = &*cx.world;
    let (used, dataset) = (world.used_memory(), world.dataset_memory());
    let keys: usize = world.store.sizes().map(|(_, size)| size.keys).sum();
    let resident = resident_bytes().unwrap_or(used);
    let numbers = [
        ("peak.allocated", world.memory.peak.max(used)),
        ("total.allocated", used),
        ("clients.normal", world.stats.present.held_bytes),
        ("clients.tracking", world.tracking.memory()),
        ("keys.count", keys),
        ("keys.bytes-per-key", dataset / keys.max(1)),
        ("dataset.bytes", dataset),
        ("allocator.resident", resident),
        ("fragmentation.bytes", resident.saturating_sub(used)),
    ];
    cx.reply.map(numbers.len() + 1);
    for (name, number) in numbers {
        cx.reply.bulk(name.as_bytes());
        cx.reply.int(number as i64);
    }
    cx.reply.bulk(b"fragmentation");
    cx.reply.bulk(format!("{:.2}", resident as f64 / used.max(1) as f64).as_bytes());
    Ok(())
}

/// `MEMORY DOCTOR`: says in words how the memory is.
pub fn memory_doctor(cx: &mut Cx<'_>) -> Outcome {
    let world = &*cx.world;
    let (used, max) = (world.used_memory(), world.config.maxmemory.bytes);
    let mut text = String::new();
    if max > 0 && used > max / 10 * 9 {
        text += &format!(
            "{used} of {max} bytes (maxmemory) are used. The policy is {}.\n",
            world.config.maxmemory_policy.name()
        );
    }
    if world.store.waiting_bytes() > 0 {
        text += &format!("{} bytes of removed keys wait to be freed.\n", world.store.waiting_bytes());
    }
    let clients = world.stats.present.held_bytes;
    if clients > used / 2 && clients > 1 << 20 {
        text += &format!("Clients hold {clients} bytes. CLIENT LIST shows who (tot-mem).\n");
    }
    if text.is_empty() {
        text += "The memory is in good order.\n";
    }
    cx.reply.verbatim(&text);
    Ok(())
}

/// `MEMORY PURGE`: frees what waits to be freed. The allocator gives pages back by itself.
pub fn memory_purge(cx: &mut Cx<'_>) -> Outcome {
    let budget = cx.world.config.bounds.reclaims_per_tick;
    cx.world.store.reclaim(budget);
    cx.reply.ok();
    Ok(())
}

/// `MEMORY MALLOC-STATS`: the allocator keeps no statistics that the server could show.
pub fn memory_malloc_stats(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.bulk(b"Stats not supported for the current allocator");
    Ok(())
}
