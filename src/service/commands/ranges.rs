//! The commands about a part of a string, and about what two strings have in common.

use crate::base::memory;
use crate::config::LCS_CELLS_MAX;
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::SETRANGE;

const TOO_LONG: Failure = Failure::text("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

/// A string of a length that no client could send could not be read back either.
///
/// # Errors
/// If `len` is more than `proto-max-bulk-len`.
pub(super) fn check_len(cx: &Cx<'_>, len: usize) -> Outcome {
    if len > cx.world.config.proto_max_bulk_len { Err(TOO_LONG) } else { Ok(()) }
}

/// The positions from `first` to `last`, both included, of `len`. Negative ones count from the end, and what
/// lies outside is left out. `None` if nothing is left.
pub(super) fn span(first: i64, last: i64, len: usize) -> Option<(usize, usize)> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |at: i64| if at < 0 { at.saturating_add(len).max(0) } else { at };
    let (first, last) = (from_end(first), from_end(last).min(len - 1));
    (first <= last).then_some((first as usize, last as usize))
}

/// True if both positions count from the end, the last one before the first one. Redis finds nothing there, even
/// if both lie before the beginning. Only `BITPOS` does not look.
pub(super) fn is_backwards(first: i64, last: i64) -> bool {
    first < 0 && last < 0 && first > last
}

/// `GETRANGE key start end` and `SUBSTR key start end`: the bytes from one position to another, both included.
pub fn getrange(cx: &mut Cx<'_>) -> Outcome {
    let (first, last) = (cx.int(2)?, cx.int(3)?);
    let (key, long) = (cx.arg(1), cx.world.config.bounds.kept_bytes_min);
    let value = cx.world.lookup(key)?.unwrap_or_default();
    match span(first, last, value.len()) {
        Some((from, to)) if !is_backwards(first, last) => {
            if to - from + 1 < long {
                cx.reply.bulk(&value[from..=to]);
            } else {
                cx.reply_long(key, from..to + 1);
            }
        }
        _ => cx.reply.bulk(b""),
    }
    Ok(())
}

/// `SETRANGE key offset value`: overwrites a part of a string, which grows if need be. The reply is its length.
pub fn setrange(cx: &mut Cx<'_>) -> Outcome {
    let (key, part) = (cx.arg(1), cx.arg(3));
    let offset = usize::try_from(cx.int(2)?).map_err(|_| Failure::text("ERR offset is out of range"))?;
    let before = cx.world.store.get(key, cx.world.now.unix_ms)?.map_or(0, <[u8]>::len);
    if part.is_empty() {
        cx.reply.int(before as i64);
        return Ok(());
    }
    let end = offset.checked_add(part.len()).ok_or(TOO_LONG)?;
    check_len(cx, end)?;
    let edit = cx.world.store.prepare_range_edit(key, offset..end, cx.world.now.unix_ms)?;
    cx.reply.assure();
    cx.world.store.commit_edit(edit, |bytes| {
        bytes[offset..end].copy_from_slice(part);
        true
    });
    cx.world.store.tell(SETRANGE, key);
    cx.reply.int(before.max(end) as i64);
    Ok(())
}

/// What `LCS` is to tell.
#[derive(Default)]
struct LcsOptions {
    /// `LEN`: only the length.
    len: bool,
    /// `IDX`: where the parts lie.
    idx: bool,
    /// `MINMATCHLEN`: parts of fewer bytes are left out.
    len_min: usize,
    /// `WITHMATCHLEN`: the length of each part as well.
    with_len: bool,
}

impl LcsOptions {
    fn of(cx: &Cx<'_>) -> Result<LcsOptions, Failure> {
        let mut options = LcsOptions::default();
        let mut at = 3;
        while at < cx.args.len() {
            match cx.arg(at) {
                word if is(word, "IDX") => options.idx = true,
                word if is(word, "LEN") => options.len = true,
                word if is(word, "WITHMATCHLEN") => options.with_len = true,
                word if is(word, "MINMATCHLEN") && at + 1 < cx.args.len() => {
                    at += 1;
                    options.len_min = usize::try_from(cx.int(at)?).unwrap_or(0);
                }
                _ => return Err(SYNTAX),
            }
            at += 1;
        }
        if options.idx && options.len {
            let text = "ERR If you want both the length and indexes, please just use IDX.";
            return Err(Failure::text(text));
        }
        Ok(options)
    }
}

/// A part that both strings have: where it lies in each.
struct Part {
    one: (usize, usize),
    other: (usize, usize),
}

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]`: the longest common subsequence of two strings.
pub fn lcs(cx: &mut Cx<'_>) -> Outcome {
    let now_ms = cx.world.now.unix_ms;
    let mut cells = 1_usize;
    for key in [cx.arg(1), cx.arg(2)] {
        let value = cx.world.lookup(key);
        let value = value.map_err(|_| Failure::text("ERR The specified keys must contain string values"))?;
        cells = cells.saturating_mul(value.map_or(0, <[u8]>::len) + 1);
    }
    let options = LcsOptions::of(cx)?;
    if cells > LCS_CELLS_MAX {
        let text = "ERR Insufficient memory, failed allocating transient memory for LCS";
        return Err(Failure::text(text));
    }
    // The store lends one string at a time.
    let mut strings = [Vec::new(), Vec::new()];
    for (nth, copy) in strings.iter_mut().enumerate() {
        let value = cx.world.store.get(cx.arg(nth + 1), now_ms)?.unwrap_or_default();
        memory::reserve_exact(copy, value.len())?;
        copy.extend_from_slice(value);
    }
    let [one, other] = &strings;
    let table = Table::of(one, other)?;
    if options.len {
        cx.reply.int(i64::from(table.at(one.len(), other.len())));
        return Ok(());
    }
    let (common, parts) = table.walk(one, other)?;
    if !options.idx {
        cx.reply.bulk(&common);
        return Ok(());
    }
    cx.reply.map(2);
    cx.reply.bulk(b"matches");
    let shown = |part: &&Part| part.one.1 - part.one.0 + 1 >= options.len_min;
    cx.reply.array(parts.iter().filter(shown).count());
    for part in parts.iter().filter(shown) {
        cx.reply.array(if options.with_len { 3 } else { 2 });
        for (first, last) in [part.one, part.other] {
            cx.reply.array(2);
            cx.reply.int(first as i64);
            cx.reply.int(last as i64);
        }
        if options.with_len {
            cx.reply.int((part.one.1 - part.one.0 + 1) as i64);
        }
    }
    cx.reply.bulk(b"len");
    cx.reply.int(common.len() as i64);
    Ok(())
}

/// For each pair of beginnings of two strings, how long their longest common subsequence is.
struct Table {
    cells: Vec<u32>,
    columns: usize,
}

impl Table {
    /// Time and memory grow with the product of both lengths, which [`LCS_CELLS_MAX`] limits.
    fn of(one: &[u8], other: &[u8]) -> Result<Table, Failure> {
        let columns = other.len() + 1;
        let count = columns * (one.len() + 1);
        let mut cells: Vec<u32> = Vec::new();
        memory::reserve_exact(&mut cells, count)?;
        cells.resize(count, 0);
        for (row, a) in one.iter().enumerate() {
            let (above, below) = cells.split_at_mut((row + 1) * columns);
            let above = &above[row * columns..];
            for (column, b) in other.iter().enumerate() {
                below[column + 1] =
                    if a == b { above[column] + 1 } else { above[column + 1].max(below[column]) };
            }
        }
        Ok(Table { cells, columns })
    }

    fn at(&self, row: usize, column: usize) -> u32 {
        self.cells[row * self.columns + column]
    }

    /// The subsequence, and its parts from the last one to the first one, which is Redis's order.
    fn walk(&self, one: &[u8], other: &[u8]) -> Result<(Vec<u8>, Vec<Part>), Failure> {
        let (mut row, mut column) = (one.len(), other.len());
        let (mut common, mut parts): (Vec<u8>, Vec<Part>) = (Vec::new(), Vec::new());
        memory::reserve_exact(&mut common, self.at(row, column) as usize)?;
        while row > 0 && column > 0 {
            if one[row - 1] == other[column - 1] {
                (row, column) = (row - 1, column - 1);
                common.push(one[row]);
                match parts.last_mut() {
                    Some(part) if part.one.0 == row + 1 && part.other.0 == column + 1 => {
                        (part.one.0, part.other.0) = (row, column);
                    }
                    _ => {
                        memory::reserve(&mut parts, 1)?;
                        parts.push(Part { one: (row, row), other: (column, column) });
                    }
                }
            } else if self.at(row - 1, column) > self.at(row, column - 1) {
                row -= 1;
            } else {
                column -= 1;
            }
        }
        common.reverse();
        Ok((common, parts))
    }
}

/// `word` as an offset in bits, `scale` at a time, within a string of at most `len_max` bytes.
///
/// # Errors
/// Redis's text for anything else.
pub(super) fn bit_offset(len_max: usize, word: &[u8], scale: u64) -> Result<u64, Failure> {
    let offset = parse_i64(word).and_then(|number| u64::try_from(number).ok()?.checked_mul(scale));
    let text = "ERR bit offset is not an integer or out of range";
    offset.filter(|bits| bits >> 3 < len_max as u64).ok_or(Failure::text(text))
}

/// A pair of positions among a command's arguments, and whether they count bits.
pub(super) struct BitSpan {
    pub first: i64,
    pub last: Option<i64>,
    pub bits: bool,
}

impl BitSpan {
    /// The arguments from `at` on: a first and a last position and a unit. Of two mistakes the error tells the one
    /// that Redis finds first: `BITCOUNT` reads the last position before the unit, `BITPOS` after it.
    pub fn of(cx: &Cx<'_>, at: usize, unit_last: bool) -> Result<Option<BitSpan>, Failure> {
        let count = cx.args.len() - at.min(cx.args.len());
        if count == 0 {
            return Ok(None);
        }
        if count > 3 {
            return Err(SYNTAX);
        }
        let unit = || match cx.args.get(at + 2) {
            None => Ok(false),
            Some(word) if is(word, "BIT") => Ok(true),
            Some(word) if is(word, "BYTE") => Ok(false),
            Some(_) => Err(SYNTAX),
        };
        let first = cx.int(at)?;
        let last = || if count > 1 { cx.int(at + 1).map(Some) } else { Ok(None) };
        let (last, bits) = if unit_last {
            (last()?, unit()?)
        } else {
            let bits = unit()?;
            (last()?, bits)
        };
        Ok(Some(BitSpan { first, last, bits }))
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn positions_are_read_as_redis_reads_them() {
        for (first, last, len, expected) in [
            (0, -1, 5, Some((0, 4))),
            (-3, -1, 5, Some((2, 4))),
            (-1, -3, 5, None),
            (-6, -9, 5, Some((0, 0))),
            (-100, 2, 5, Some((0, 2))),
            (2, 100, 5, Some((2, 4))),
            (5, 6, 5, None),
            (0, 0, 0, None),
            (0, -100, 5, Some((0, 0))),
            (-1, -100, 5, None),
            (-100, -99, 5, Some((0, 0))),
            (i64::MIN, i64::MAX, 5, Some((0, 4))),
            (i64::MAX, i64::MIN, 5, None),
        ] {
            assert_eq!(span(first, last, len), expected, "{first} {last} of {len}");
        }
    }
}
