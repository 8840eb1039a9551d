//! The commands about the bits of a string. Bit 0 is the highest bit of the first byte.

use super::ranges::{BitSpan, bit_offset, is_backwards, span};
use crate::base::memory;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{DEL, SET, SETBIT};
use crate::store::Expiry;

/// `SETBIT key offset bit`: the reply is what the bit was before.
pub fn setbit(cx: &mut Cx<'_>) -> Outcome {
    let (key, offset) = (cx.arg(1), bit_offset(cx.world.config.proto_max_bulk_len, cx.arg(2), 1)?);
    let on = match cx.int(3) {
        Ok(bit @ 0..=1) => bit == 1,
        _ => return Err(Failure::text("ERR bit is not an integer or out of range")),
    };
    let (byte, mask) = ((offset >> 3) as usize, 0x80 >> (offset & 7));
    let edit = cx.world.store.prepare_range_edit(key, byte..byte + 1, cx.world.now.unix_ms)?;
    cx.reply.assure();
    let mut before = false;
    let told = cx.world.store.commit_edit(edit, |bytes| {
        before = bytes[byte] & mask != 0;
        bytes[byte] = if on { bytes[byte] | mask } else { bytes[byte] & !mask };
        before != on
    });
    if told {
        cx.world.store.tell(SETBIT, key);
    }
    cx.reply.int(i64::from(before));
    Ok(())
}

/// `GETBIT key offset`: 0 or 1; bits behind the end are 0.
pub fn getbit(cx: &mut Cx<'_>) -> Outcome {
    let offset = bit_offset(cx.world.config.proto_max_bulk_len, cx.arg(2), 1)?;
    let key = cx.arg(1);
    let value = cx.world.lookup(key)?.unwrap_or_default();
    let byte = value.get((offset >> 3) as usize).copied().unwrap_or_default();
    cx.reply.int(i64::from(byte >> (7 - (offset & 7)) & 1));
    Ok(())
}

/// The bits that a [`BitSpan`] means in `value`, the last one included.
fn bits_of(bit_span: &BitSpan, value: &[u8]) -> Option<(usize, usize)> {
    let units = if bit_span.bits { value.len().saturating_mul(8) } else { value.len() };
    let (first, last) = span(bit_span.first, bit_span.last.unwrap_or(-1), units)?;
    Some(if bit_span.bits { (first, last) } else { (first * 8, last * 8 + 7) })
}

/// `BITCOUNT key [start end [BYTE | BIT]]`: how many bits are 1.
pub fn bitcount(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len() == 3 {
        return Err(SYNTAX);
    }
    let bit_span = BitSpan::of(cx, 2, true)?;
    let key = cx.arg(1);
    let value = cx.world.lookup(key)?.unwrap_or_default();
    let whole = BitSpan { first: 0, last: None, bits: false };
    let bit_span = bit_span.unwrap_or(whole);
    let found =
        bits_of(&bit_span, value).filter(|_| !is_backwards(bit_span.first, bit_span.last.unwrap_or(-1)));
    let count = found.map_or(0, |(first, last)| {
        let bytes = &value[first / 8..=last / 8];
        let outside = ones(bytes.first().copied().unwrap_or_default() & head_mask(first))
            + ones(bytes.last().copied().unwrap_or_default() & tail_mask(last));
        count_ones(bytes) - outside
    });
    cx.reply.int(count as i64);
    Ok(())
}

/// The bits of a byte before bit number `first`.
fn head_mask(first: usize) -> u8 {
    !(0xff >> (first % 8))
}

/// The bits of a byte behind bit number `last`.
fn tail_mask(last: usize) -> u8 {
    0x7f >> (last % 8)
}

fn ones(byte: u8) -> u64 {
    u64::from(byte.count_ones())
}

/// Eight bytes at once: 512 MiB take a tenth of a second.
fn count_ones(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let of_words: u64 = words.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum();
    of_words + rest.iter().map(|byte| ones(*byte)).sum::<u64>()
}

/// `BITPOS key bit [start [end [BYTE | BIT]]]`: where the first bit of that value is, or -1.
pub fn bitpos(cx: &mut Cx<'_>) -> Outcome {
    let wanted = match cx.int(2)? {
        bit @ 0..=1 => bit == 1,
        _ => return Err(Failure::text("ERR The bit argument must be 1 or 0.")),
    };
    let bit_span = BitSpan::of(cx, 3, false)?;
    let key = cx.arg(1);
    let Some(value) = cx.world.lookup(key)? else {
        // A key that does not exist is a string of zeros.
        cx.reply.int(if wanted { -1 } else { 0 });
        return Ok(());
    };
    let whole = BitSpan { first: 0, last: None, bits: false };
    let bit_span = bit_span.unwrap_or(whole);
    let position = bits_of(&bit_span, value).map_or(-1, |(first, last)| {
        match find_bit(value, first, last, wanted) {
            Some(at) => at as i64,
            // Zeros follow the end of a string, unless the client has said where to stop.
            None if !wanted && bit_span.last.is_none() => last as i64 + 1,
            None => -1,
        }
    });
    cx.reply.int(position);
    Ok(())
}

/// The first bit of that value from bit `first` to bit `last`.
fn find_bit(value: &[u8], first: usize, last: usize, wanted: bool) -> Option<usize> {
    // Bits that are not looked at are made unlike the wanted ones.
    let looked_at = |byte: u8, at: usize| {
        let head = if at == first / 8 { head_mask(first) } else { 0 };
        let tail = if at == last / 8 { tail_mask(last) } else { 0 };
        let byte = if wanted { byte } else { !byte };
        byte & !head & !tail
    };
    let idle = if wanted { 0 } else { 0xff };
    let between = value.get(first / 8 + 1..last / 8).unwrap_or_default();
    let skipped = count_leading(between, idle);
    let mut candidates = [first / 8, first / 8 + 1 + skipped].into_iter().filter(|at| *at <= last / 8);
    candidates.find_map(|at| {
        let byte = looked_at(value[at], at);
        (byte != 0).then(|| at * 8 + byte.leading_zeros() as usize)
    })
}

/// How many bytes at the beginning equal `idle`: eight at once, as far as possible.
fn count_leading(bytes: &[u8], idle: u8) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let whole = 8 * words.iter().take_while(|word| **word == [idle; 8]).count();
    whole + bytes[whole..].iter().take_while(|byte| **byte == idle).count()
}

/// What `BITOP` does with its strings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BitOp {
    And,
    Or,
    Xor,
    Not,
}

/// `BITOP AND | OR | XOR | NOT destkey key [key ...]`: the reply is the length of the result, which is as long
/// as the longest string; shorter ones are filled up with zeros.
pub fn bitop(cx: &mut Cx<'_>) -> Outcome {
    let op = match cx.arg(1) {
        word if is(word, "AND") => BitOp::And,
        word if is(word, "OR") => BitOp::Or,
        word if is(word, "XOR") => BitOp::Xor,
        word if is(word, "NOT") => BitOp::Not,
        _ => return Err(SYNTAX),
    };
    if op == BitOp::Not && cx.args.len() != 4 {
        return Err(Failure::text("ERR BITOP NOT must be called with a single source key."));
    }
    let (dest, now_ms) = (cx.arg(2), cx.world.now.unix_ms);
    let mut result: Vec<u8> = Vec::new();
    for (nth, key) in cx.args.from(3).enumerate() {
        let value = cx.world.lookup(key)?.unwrap_or_default();
        if value.len() > result.len() {
            let more = value.len() - result.len();
            memory::reserve_exact(&mut result, more)?;
            result.resize(value.len(), 0);
        }
        // What lies behind the end of this string meets zeros.
        let (here, behind) = result.split_at_mut(value.len());
        match op {
            _ if nth == 0 => here.copy_from_slice(value),
            BitOp::And => {
                here.iter_mut().zip(value).for_each(|(to, from)| *to &= from);
                behind.fill(0);
            }
            BitOp::Or => here.iter_mut().zip(value).for_each(|(to, from)| *to |= from),
            BitOp::Xor => here.iter_mut().zip(value).for_each(|(to, from)| *to ^= from),
            BitOp::Not => unreachable!("it has one string"),
        }
    }
    if op == BitOp::Not {
        result.iter_mut().for_each(|byte| *byte = !*byte);
    }
    if result.is_empty() {
        cx.reply.assure();
        if cx.world.store.remove(dest, now_ms) {
            cx.world.store.tell(DEL, dest);
        }
    } else {
        let entry = cx.prepare(dest, &result)?;
        cx.reply.assure();
        cx.world.store.commit(entry, Expiry::Never);
        cx.world.store.tell(SET, dest);
    }
    cx.reply.int(result.len() as i64);
    Ok(())
}
