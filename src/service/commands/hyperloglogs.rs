//! The commands about HyperLogLogs. A HyperLogLog is a string, in the format that Redis has for it.

use crate::base::OutOfMemory;
use crate::service::cx::{Cx, Failure, Outcome, is};
use crate::service::events::PFADD;
use crate::service::hyperloglog::{self, Count, Encoding, Flaw, REGISTERS, Union};
use crate::store::Expiry;

impl From<Flaw> for Failure {
    fn from(flaw: Flaw) -> Failure {
        flaw.text().map_or_else(|| OutOfMemory.into(), Failure::text)
    }
}

/// `PFADD key [element ...]`: counts the elements, and creates the HyperLogLog if there is none. The reply is 1 if
/// that has changed it, else 0.
pub fn pfadd(cx: &mut Cx<'_>) -> Outcome {
    let (key, elements) = (cx.arg(1), cx.args.from(2));
    let sparse_bytes_max = cx.world.config.encodings.hll_sparse_max_bytes;
    let there = cx.world.store.get(key, cx.world.now.unix_ms)?;
    let (mut hll, known) = match there {
        None => {
            let mut new = hyperloglog::empty()?;
            hyperloglog::mark_stale(&mut new);
            (new, 0)
        }
        Some(there) => {
            let encoding = hyperloglog::encoding(there)?;
            // Most elements change nothing. So nothing is copied before the first one that does.
            let Some(known) = count_known(there, elements.clone())? else {
                cx.reply.int(0);
                return Ok(());
            };
            if encoding == Encoding::Dense {
                return add_in_place(cx, known);
            }
            (hyperloglog::copy(there)?, known)
        }
    };
    for element in elements.skip(known) {
        hyperloglog::add(&mut hll, element, sparse_bytes_max)?;
    }
    store(cx, key, &hll)?;
    cx.world.store.tell(PFADD, key);
    cx.reply.int(1);
    Ok(())
}

/// How many elements come before the first one that would change the HyperLogLog; `None` if no one would.
fn count_known<'a>(hll: &[u8], elements: impl Iterator<Item = &'a [u8]>) -> Result<Option<usize>, Flaw> {
    for (nth, element) in elements.enumerate() {
        if hyperloglog::would_change(hll, element)? {
            return Ok(Some(nth));
        }
    }
    Ok(None)
}

/// The rest of `PFADD` if the HyperLogLog is dense: adds all elements but the first `known`.
fn add_in_place(cx: &mut Cx<'_>, known: usize) -> Outcome {
    let key = cx.arg(1);
    let edit = cx.world.store.prepare_edit(key, 0, cx.world.now.unix_ms)?;
    cx.reply.assure();
    let elements = cx.args.from(2).skip(known);
    let changed = cx.world.store.commit_edit(edit, |hll| {
        elements.fold(false, |changed, element| hyperloglog::add_in_place(hll, element) | changed)
    });
    if changed {
        cx.world.store.tell(PFADD, key);
    }
    cx.reply.int(i64::from(changed));
    Ok(())
}

/// Writes a HyperLogLog over the one of `key`, if there is one. The reply is still owed.
fn store(cx: &mut Cx<'_>, key: &[u8], hll: &[u8]) -> Outcome {
    let entry = cx.prepare(key, hll)?;
    cx.reply.assure();
    cx.world.store.commit(entry, Expiry::Keep);
    Ok(())
}

/// `PFCOUNT key [key ...]`: estimates how many different elements the HyperLogLogs have counted together.
pub fn pfcount(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len() == 2 {
        return count_one(cx);
    }
    let union = union_from(cx)?;
    cx.reply.int(union.count() as i64);
    Ok(())
}

/// `PFCOUNT` of one key. The estimate is kept in the string. So a read changes the key if it is the first one after a
/// change; Redis says so to clients that watch the key.
fn count_one(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let Some(hll) = cx.world.lookup(key)? else {
        cx.reply.int(0);
        return Ok(());
    };
    let Count { elements, is_cached } = hyperloglog::count(hll)?;
    if !is_cached {
        let edit = cx.world.store.prepare_edit(key, 0, cx.world.now.unix_ms)?;
        cx.reply.assure();
        cx.world.store.commit_edit(edit, |hll| {
            hyperloglog::remember(hll, elements);
            true
        });
    }
    cx.reply.int(elements as i64);
    Ok(())
}

/// The union of the HyperLogLogs of all keys of the request. A key that does not exist has no elements.
fn union_from(cx: &mut Cx<'_>) -> Result<Union, Failure> {
    let mut union = Union::default();
    for (nth, key) in cx.args.from(1).enumerate() {
        cx.read_ahead(nth, 1);
        if let Some(hll) = cx.world.lookup(key)? {
            union.merge(hll)?;
        }
    }
    Ok(union)
}

/// `PFMERGE destkey [sourcekey ...]`: makes a HyperLogLog the union of itself and of others.
pub fn pfmerge(cx: &mut Cx<'_>) -> Outcome {
    let (dest, sparse_bytes_max) = (cx.arg(1), cx.world.config.encodings.hll_sparse_max_bytes);
    let union = union_from(cx)?;
    let hll = match cx.world.store.get(dest, cx.world.now.unix_ms)? {
        Some(there) => union.written(there, sparse_bytes_max)?,
        None => union.written(&hyperloglog::empty()?, sparse_bytes_max)?,
    };
    store(cx, dest, &hll)?;
    cx.world.store.tell(PFADD, dest);
    cx.reply.ok();
    Ok(())
}

/// `PFDEBUG GETREG | DECODE | ENCODING | TODENSE key`: the registers of a HyperLogLog, the runs of its sparse encoding,
/// the name of its encoding; or makes it dense. `GETREG` makes it dense too, as in Redis.
pub fn pfdebug(cx: &mut Cx<'_>) -> Outcome {
    let (word, key) = (cx.arg(1), cx.arg(2));
    let there = cx.world.store.get(key, cx.world.now.unix_ms)?;
    let hll = there.ok_or(Failure::text("ERR The specified key does not exist"))?;
    let encoding = hyperloglog::encoding(hll)?;
    if is(word, "GETREG") {
        let dense = hyperloglog::densified(hll)?;
        let mut union = Union::default();
        union.merge(hll)?;
        cx.reply.array(REGISTERS);
        union.registers().iter().for_each(|value| cx.reply.int(i64::from(*value)));
        cx.whole_reply()?;
        if let Some(dense) = dense {
            store(cx, key, &dense)?;
        }
    } else if is(word, "DECODE") {
        let text = hyperloglog::decoded(hll)?;
        cx.reply.bulk(&text.ok_or(Failure::text("ERR HLL encoding is not sparse"))?);
    } else if is(word, "ENCODING") {
        cx.reply.simple(encoding.name());
    } else if is(word, "TODENSE") {
        let dense = hyperloglog::densified(hll)?;
        if let Some(dense) = &dense {
            store(cx, key, dense)?;
        }
        cx.reply.int(i64::from(dense.is_some()));
    } else {
        return Err(Failure::quoting("ERR Unknown PFDEBUG subcommand '", word, "'"));
    }
    Ok(())
}

/// `PFSELFTEST`: compares the code of HyperLogLogs with plain registers, in about a millisecond.
pub fn pfselftest(cx: &mut Cx<'_>) -> Outcome {
    if !hyperloglog::self_test()? {
        return Err(Failure::text("TESTFAILED the registers or the estimate are not those of the elements"));
    }
    cx.reply.ok();
    Ok(())
}
