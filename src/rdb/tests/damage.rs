//! Damaged payloads: bits flipped, bytes cut, doubled or replaced, and the checksum made right again.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::rdb::{Value, decode};
use super::{all, memory, render, samples};

const ROUNDS: usize = 300_000;
/// To how many bytes damaged payloads may inflate.
const INFLATED_MAX: usize = 16 << 10;
/// How many bytes decoding may ask for, for each byte of the payload and of what it inflates to.
pub const FACTOR: usize = 24;

fn damage(body: &mut Vec<u8>, rng: &mut StdRng) {
    let at = rng.random_range(0..body.len());
    match rng.random_range(0..7) {
        0 | 1 => body[at] ^= 1 << rng.random_range(0..8),
        2 => body[at] = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc3, 0xf0, 0xfe, 0xff][rng.random_range(0..11)],
        3 => body[at] = body[at].wrapping_add(if rng.random() { 1 } else { 255 }),
        4 => body.truncate(at.max(1)),
        5 => drop(body.drain(at..(at + rng.random_range(1..9)).min(body.len()))),
        _ => {
            let piece = body[at..(at + rng.random_range(1..20)).min(body.len())].to_vec();
            let into = rng.random_range(1..=body.len());
            body.splice(into..into, piece);
        }
    }
    if body.is_empty() {
        body.push(0);
    }
}

#[test]
fn damaged_payloads_do_no_harm() {
    let mut rng = StdRng::seed_from_u64(7);
    let samples: Vec<Vec<u8>> =
        all().into_iter().map(|(_, payload, _)| payload).filter(|payload| payload.len() < 700).collect();
    let mut decoded = 0;
    for round in 0..ROUNDS {
        let sample = &samples[round % samples.len()];
        let mut payload = sample[..sample.len() - 10].to_vec();
        for _ in 0..rng.random_range(1..4) {
            damage(&mut payload, &mut rng);
        }
        payload.extend_from_slice(&10_u16.to_le_bytes());
        samples::seal(&mut payload);
        let allowed = FACTOR * (payload.len() + INFLATED_MAX.min(88 * payload.len()));
        memory::allow(allowed);
        let value = decode(&payload, INFLATED_MAX);
        memory::allow(usize::MAX);
        assert_ne!(value, Err(super::DecodeError::OutOfMemory), "round {round}");
        if let Ok(value) = value {
            decoded += 1;
            again(value, round);
        }
    }
    assert!(decoded > ROUNDS / 100, "only {decoded} of {ROUNDS} payloads were decoded");
    println!("{decoded} of {ROUNDS} damaged payloads were decoded");
}

/// What was decoded can be encoded and is the same then.
fn again(value: Value, round: usize) {
    let mut payload = Vec::new();
    render::encode(&value, &mut payload).unwrap();
    let again = decode(&payload, 0).unwrap_or_else(|_| panic!("round {round}: {value:?}"));
    assert_eq!(render::sorted(again), render::sorted(value), "round {round}");
}
