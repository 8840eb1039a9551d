//! The commands that walk the keyspace instead of naming keys.

use crate::base::memory;
use crate::config::{SCAN_COUNT_MAX, SCAN_STEPS_MAX, SCAN_STEPS_PER_KEY};
use crate::resp::Reply;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::glob::{Case, Pattern};
use crate::store::Kind;

/// What Redis takes for `COUNT` if nobody says.
const COUNT_DEFAULT: usize = 10;

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`. Ends early if the keys are long or the
/// pattern is: others are served before the next call.
pub fn scan(cx: &mut Cx<'_>) -> Outcome {
    let cursor = cursor(cx.arg(1)).ok_or(Failure::text("ERR invalid cursor"))?;
    let filter = Filter::of(cx, 2, true)?;
    let (mut found, mut steps) = (Vec::new(), 0);
    let next = cx.world.store.scan(cursor, filter.count, filter.kind, cx.world.now.unix_ms, |key| {
        if filter.accepts(key) {
            found.push(key);
        }
        steps += filter.steps(key);
        steps < SCAN_STEPS_MAX
    });
    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply_keys(&mut cx.reply, &found);
    Ok(())
}

/// What a scan is to return.
pub(super) struct Filter {
    /// `None` if every name matches.
    pattern: Option<Pattern>,
    /// About how many names a step looks at.
    pub(super) count: usize,
    /// Keys of this kind only.
    kind: Option<Kind>,
    /// False if a type is asked for that no key has.
    any: bool,
}

impl Filter {
    /// The options from the argument at `at` on; `typed` says whether `TYPE` is among them.
    pub(super) fn of(cx: &Cx<'_>, mut at: usize, typed: bool) -> Result<Filter, Failure> {
        let mut filter = Filter { pattern: None, count: COUNT_DEFAULT, kind: None, any: true };
        while at < cx.args.len() {
            let word = cx.arg(at);
            let value = at + 1;
            if value == cx.args.len() {
                return Err(SYNTAX);
            }
            match word {
                _ if is(word, "COUNT") => {
                    let count = usize::try_from(cx.int(value)?).ok().filter(|count| *count > 0);
                    filter.count = count.ok_or(SYNTAX)?.min(SCAN_COUNT_MAX);
                }
                _ if is(word, "MATCH") => filter.pattern = Some(Pattern::new(cx.arg(value), Case::Kept)?),
                _ if is(word, "TYPE") && typed => {
                    filter.kind = kind_named(cx.arg(value));
                    filter.any = filter.kind.is_some();
                }
                _ => return Err(SYNTAX),
            }
            at += 2;
        }
        Ok(filter)
    }

    /// True if a name is to be returned.
    pub(super) fn accepts(&self, key: &[u8]) -> bool {
        self.any && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(key))
    }

    /// What it costs to look at `key`, match it and copy it.
    pub(super) fn steps(&self, key: &[u8]) -> usize {
        let matching = self.pattern.as_ref().map_or(0, |pattern| pattern.steps(key.len()));
        // Eight bytes at once, at least, where all there is to do is to move them.
        SCAN_STEPS_PER_KEY + key.len() / 8 + matching
    }
}

fn kind_named(word: &[u8]) -> Option<Kind> {
    [Kind::String, Kind::Hash].into_iter().find(|kind| is(word, kind.name()))
}

/// A cursor as C's `strtoul` reads it, which is what Redis 7.0 does; clients have sent both signs.
pub(super) fn cursor(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return Some(0);
    }
    let (negative, digits) = match word {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, word),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative { number.wrapping_neg() } else { number })
}

/// `KEYS pattern`. Sorted, because the order of a seeded hash is nobody's business.
pub fn keys(cx: &mut Cx<'_>) -> Outcome {
    let pattern = Pattern::new(cx.arg(1), Case::Kept)?;
    let mut found: Vec<&[u8]> =
        memory::collect(cx.world.store.keys(cx.world.now.unix_ms).filter(|key| pattern.matches(key)))?;
    found.sort_unstable();
    reply_keys(&mut cx.reply, &found);
    Ok(())
}

fn reply_keys(reply: &mut Reply<'_>, keys: &[&[u8]]) {
    reply.array(keys.len());
    for key in keys {
        reply.bulk(key);
        if reply.overflowed() {
            break;
        }
    }
}

/// `RANDOMKEY`
pub fn random_key(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.bulk_or_null(cx.world.store.random_key(cx.world.now.unix_ms));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::cursor;

    #[test]
    fn cursors_are_read_as_redis_reads_them() {
        for (word, expected) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("007", Some(7)),
            ("+7", Some(7)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-", None),
            ("+", None),
            ("--1", None),
            (" 1", None),
            ("1 ", None),
            ("0x1", None),
        ] {
            assert_eq!(cursor(word.as_bytes()), expected, "{word:?}");
        }
    }
}
