//! What a stream promises, compared with plain maps by seeded random operations.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::base::memory;

mod groups;
mod lists;
mod logs;
mod memories;

/// The fields of an entry with their values.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Borrows the fields.
fn borrowed(pairs: &Pairs) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    pairs.iter().map(|(field, value)| (&field[..], &value[..]))
}

/// Some fields: of the usual shape, or of another one.
fn some_fields(dice: &mut StdRng) -> Pairs {
    let shape = dice.random_range(0..8_u32);
    let count = if shape < 6 { 3 } else { dice.random_range(1..5) };
    let field = |n: u32| if shape < 7 { format!("f{n}") } else { format!("other-{shape}-{n}") };
    let len = match dice.random_range(0..200_u32) {
        0 => 5_000,
        1..10 => 300,
        _ => dice.random_range(0..12),
    };
    (0..count).map(|n| (field(n).into_bytes(), vec![b'a' + n as u8; len])).collect()
}

/// Appends an entry.
fn add(stream: &mut Stream, id: StreamId, pairs: &Pairs, limits: NodeLimits) {
    let append = stream.log_mut().try_reserve(id, borrowed(pairs), limits).unwrap();
    stream.log_mut().append(append, borrowed(pairs));
}

/// A stream with entries `1-0`, `2-0` and so on.
fn filled(count: u64) -> Stream {
    let mut stream = Stream::new();
    let pairs: Pairs = (0..3).map(|n| (vec![b'f', n], b"value".to_vec())).collect();
    for ms in 1..=count {
        add(&mut stream, StreamId::new(ms, 0), &pairs, NodeLimits::default());
    }
    stream
}

fn owned(entry: Entry<'_>) -> (StreamId, Pairs) {
    (entry.id(), entry.fields().map(|(field, value)| (field.to_vec(), value.to_vec())).collect())
}
