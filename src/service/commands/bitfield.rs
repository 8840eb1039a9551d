//! `BITFIELD`: integers of any width, at any bit of a string.

use std::ops::Range;

use super::ranges::bit_offset;
use crate::resp::{Args, parse_i64};
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome, SYNTAX, is};
use crate::service::events::SETBIT;

/// An integer type such as `i16` or `u8`.
#[derive(Clone, Copy)]
struct Width {
    signed: bool,
    bits: u32,
}

impl Width {
    /// `i1` to `i64`, or `u1` to `u63`: a larger one would not fit into a reply.
    fn named(word: &[u8]) -> Result<Width, Failure> {
        let text = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
        let (signed, digits) = match word {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(Failure::text(text)),
        };
        match parse_i64(digits) {
            Some(bits @ 1..=63) => Ok(Width { signed, bits: bits as u32 }),
            Some(64) if signed => Ok(Width { signed, bits: 64 }),
            _ => Err(Failure::text(text)),
        }
    }

    fn least(self) -> i128 {
        if self.signed { -(1 << (self.bits - 1)) } else { 0 }
    }

    fn most(self) -> i128 {
        if self.signed { (1 << (self.bits - 1)) - 1 } else { (1 << self.bits) - 1 }
    }

    /// The integer that the lowest bits of `number` are.
    fn wrapped(self, number: i128) -> i128 {
        let low = number & ((1 << self.bits) - 1);
        if low > self.most() { low - (1 << self.bits) } else { low }
    }

    /// The integer at bit `offset` of `bytes`, behind whose end there are zeros.
    fn read(self, bytes: &[u8], offset: u64) -> i128 {
        let first = (offset / 8) as usize;
        let window = bytes.get(first..).unwrap_or_default();
        // 64 bits that begin within a byte reach into a ninth one.
        let nine = (0..9)
            .fold(0_i128, |sum, nth| sum << 8 | i128::from(window.get(nth).copied().unwrap_or_default()));
        self.wrapped(nine >> (72 - (offset % 8) as u32 - self.bits))
    }

    /// Writes the integer at bit `offset` of `bytes`, which reach that far.
    fn write(self, bytes: &mut [u8], offset: u64, number: i128) {
        for nth in 0..self.bits {
            let at = offset + u64::from(nth);
            let mask = 0x80 >> (at % 8);
            let byte = &mut bytes[(at / 8) as usize];
            let on = number >> (self.bits - 1 - nth) & 1 == 1;
            *byte = if on { *byte | mask } else { *byte & !mask };
        }
    }
}

/// What becomes of a number that does not fit.
#[derive(Clone, Copy)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

impl Overflow {
    fn apply(self, width: Width, number: i128) -> Option<i128> {
        if (width.least()..=width.most()).contains(&number) {
            return Some(number);
        }
        match self {
            Overflow::Wrap => Some(width.wrapped(number)),
            Overflow::Saturate => Some(number.clamp(width.least(), width.most())),
            Overflow::Fail => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64, Overflow),
    Add(i64, Overflow),
}

/// One operation of the command.
#[derive(Clone, Copy)]
struct Step {
    width: Width,
    offset: u64,
    action: Action,
}

/// Goes over the operations in the arguments, which [`check`] has found right.
fn steps<'a>(cx: &Cx<'_>, args: Args<'a>) -> impl Iterator<Item = Result<Step, Failure>> + use<'a> {
    let max = cx.world.config.proto_max_bulk_len;
    let (mut at, mut overflow) = (2, Overflow::Wrap);
    std::iter::from_fn(move || {
        while at < args.len() {
            let word = &args[at];
            if is(word, "OVERFLOW") && at + 1 < args.len() {
                overflow = match &args[at + 1] {
                    mode if is(mode, "WRAP") => Overflow::Wrap,
                    mode if is(mode, "SAT") => Overflow::Saturate,
                    mode if is(mode, "FAIL") => Overflow::Fail,
                    _ => return Some(Err(Failure::text("ERR Invalid OVERFLOW type specified"))),
                };
                at += 2;
                continue;
            }
            let (step, next) = match step(args, at, overflow, max) {
                Ok(found) => found,
                Err(failure) => return Some(Err(failure)),
            };
            at = next;
            return Some(Ok(step));
        }
        None
    })
}

/// The operation that begins at argument `at`, and where the next one begins.
fn step(args: Args<'_>, at: usize, overflow: Overflow, max: usize) -> Result<(Step, usize), Failure> {
    let left = args.len() - at;
    let kind = &args[at];
    let (gets, sets, adds) = (is(kind, "GET"), is(kind, "SET"), is(kind, "INCRBY"));
    if !(gets && left >= 3 || (sets || adds) && left >= 4) {
        return Err(SYNTAX);
    }
    let width = Width::named(&args[at + 1])?;
    let offset = match &args[at + 2] {
        [b'#', digits @ ..] => bit_offset(max, digits, u64::from(width.bits))?,
        digits => bit_offset(max, digits, 1)?,
    };
    let action = if gets {
        Action::Get
    } else {
        let number = parse_i64(&args[at + 3]).ok_or(NOT_INTEGER)?;
        if sets { Action::Set(number, overflow) } else { Action::Add(number, overflow) }
    };
    Ok((Step { width, offset, action }, at + if gets { 3 } else { 4 }))
}

/// Looks at all operations: how many there are, and from where to where those that write do so, in bytes.
fn check(cx: &Cx<'_>) -> Result<(usize, Range<usize>), Failure> {
    let (mut count, mut start, mut end) = (0, usize::MAX, 0);
    for step in steps(cx, cx.args) {
        let Step { width, offset, action } = step?;
        count += 1;
        if !matches!(action, Action::Get) {
            start = start.min((offset / 8) as usize);
            end = end.max(((offset + u64::from(width.bits) - 1) / 8) as usize + 1);
        }
    }
    Ok((count, start..end))
}

/// `BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY type offset
/// increment ...]`: a reply for each operation, in order.
pub fn bitfield(cx: &mut Cx<'_>) -> Outcome {
    let (count, range) = check(cx)?;
    if range.end == 0 {
        return read(cx, count);
    }
    // The longest integer takes 20 bytes, and its frame three.
    let reply_bytes = 32 * (count + 1);
    if reply_bytes > cx.world.config.max_reply_bytes {
        return Err(cx.reply_too_long());
    }
    let key = cx.arg(1);
    let operations = steps(cx, cx.args);
    let edit = cx.world.store.prepare_range_edit(key, range, cx.world.now.unix_ms)?;
    cx.reply.reserve(reply_bytes)?;
    cx.reply.assure();
    cx.reply.array(count);
    let reply = &mut cx.reply;
    let mut writes = false;
    let told = cx.world.store.commit_edit(edit, |bytes| {
        let mut changed = false;
        for Step { width, offset, action } in operations.map_while(Result::ok) {
            let before = width.read(bytes, offset);
            let (after, told) = match action {
                Action::Get => (None, Some(before)),
                Action::Set(number, overflow) => {
                    // Redis takes the bits of a negative number for an unsigned field.
                    let number = if width.signed { i128::from(number) } else { i128::from(number as u64) };
                    let after = overflow.apply(width, number);
                    (after, after.map(|_| before))
                }
                Action::Add(number, overflow) => {
                    let after = overflow.apply(width, before + i128::from(number));
                    (after, after)
                }
            };
            if let Some(number) = after {
                writes = true;
                width.write(bytes, offset, number);
                changed |= width.read(bytes, offset) != before;
            }
            match told {
                Some(number) => reply.int(number as i64),
                None => reply.null(),
            }
        }
        changed
    });
    // As in Redis, there is no event if all operations overflow, even if the string has become longer.
    if told && writes {
        cx.world.store.tell(SETBIT, key);
    }
    Ok(())
}

/// Replies with the fields of a key that nobody changes.
fn read(cx: &mut Cx<'_>, count: usize) -> Outcome {
    let operations = steps(cx, cx.args);
    let key = cx.arg(1);
    let value = cx.world.lookup(key)?.unwrap_or_default();
    cx.reply.array(count);
    for Step { width, offset, .. } in operations.map_while(Result::ok) {
        cx.reply.int(width.read(value, offset) as i64);
    }
    Ok(())
}

/// `BITFIELD_RO key [GET type offset ...]`: as `BITFIELD`, for a client that must not write.
pub fn bitfield_ro(cx: &mut Cx<'_>) -> Outcome {
    let (count, written) = check(cx)?;
    if written.end > 0 {
        return Err(Failure::text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read(cx, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_at_every_offset_and_width() {
        for (signed, widths) in [(true, 1..=64), (false, 1..=63)] {
            for bits in widths {
                let width = Width { signed, bits };
                for offset in 0..17 {
                    for number in [width.least(), width.most(), 0, width.most() / 3] {
                        let mut bytes = [0x5a; 12];
                        width.write(&mut bytes, offset, number);
                        assert_eq!(width.read(&bytes, offset), number, "{bits} bits at {offset}");
                        let before = Width { signed: false, bits: 8 };
                        assert_eq!(
                            before.read(&bytes, offset + u64::from(bits)),
                            before.read(&[0x5a; 12], offset + u64::from(bits))
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_that_do_not_fit_wrap_saturate_or_fail() {
        let (i8, u2) = (Width { signed: true, bits: 8 }, Width { signed: false, bits: 2 });
        for (width, number, wrapped, saturated) in
            [(i8, 128, -128, 127), (i8, -129, 127, -128), (u2, 4, 0, 3), (u2, -1, 3, 0), (u2, 7, 3, 3)]
        {
            assert_eq!(Overflow::Wrap.apply(width, number), Some(wrapped));
            assert_eq!(Overflow::Saturate.apply(width, number), Some(saturated));
            assert_eq!(Overflow::Fail.apply(width, number), None);
        }
    }
}
