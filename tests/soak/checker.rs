//! A client that keeps a model of its keys and compares every reply with it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::Round;
use crate::harness::{Wire, request};

const KEYS: u32 = 20_000;
const VALUE_MAX: usize = 20_000;
const PIPELINE_MAX: usize = 50;
/// A connection is given up after about this many pipelines.
const PIPELINES_PER_CONNECTION: u32 = 200;

pub fn run(round: &Round, mut rng: StdRng, name: usize) {
    let mut model = BTreeMap::new();
    let mut wire = round.connect();
    while round.goes_on() {
        if rng.random_ratio(1, PIPELINES_PER_CONNECTION) {
            wire = round.connect();
        }
        pipeline(round, &mut wire, &mut rng, name, &mut model);
    }
}

/// Several commands in one go, and their replies.
fn pipeline(
    round: &Round,
    wire: &mut Wire,
    rng: &mut StdRng,
    name: usize,
    model: &mut BTreeMap<String, Vec<u8>>,
) {
    let (mut requests, mut replies) = (Vec::new(), Vec::new());
    let count = rng.random_range(1..=PIPELINE_MAX);
    for _ in 0..count {
        let key = format!("{name}:{}", rng.random_range(0..KEYS));
        match rng.random_range(0..10) {
            0..4 => {
                let long = rng.random_bool(0.02);
                let len = rng.random_range(0..if long { VALUE_MAX } else { 100 });
                let value: Vec<u8> = (0..len).map(|_| rng.random()).collect();
                requests.extend(request(&[b"SET", key.as_bytes(), &value]));
                replies.extend(b"+OK\r\n");
                model.insert(key, value);
            }
            4..8 => {
                requests.extend(request(&[b"GET", key.as_bytes()]));
                replies.extend(bulk_or_null(model.get(&key)));
            }
            8 => {
                requests.extend(request(&[b"APPEND", key.as_bytes(), b"tail"]));
                let value = model.entry(key).or_default();
                value.extend(b"tail");
                replies.extend(format!(":{}\r\n", value.len()).bytes());
            }
            _ => {
                requests.extend(request(&[b"DEL", key.as_bytes()]));
                replies.extend(format!(":{}\r\n", u8::from(model.remove(&key).is_some())).bytes());
            }
        }
    }
    wire.ask(requests, replies);
    round.checked.fetch_add(count as u64, Ordering::Relaxed);
}

fn bulk_or_null(value: Option<&Vec<u8>>) -> Vec<u8> {
    match value {
        None => b"$-1\r\n".to_vec(),
        Some(value) => {
            let mut reply = format!("${}\r\n", value.len()).into_bytes();
            reply.extend(value);
            reply.extend(b"\r\n");
            reply
        }
    }
}
