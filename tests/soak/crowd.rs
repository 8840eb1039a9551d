//! Thousands of connections that send a request now and then. Each reply is checked.

use std::sync::atomic::Ordering;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::Round;
use crate::harness::Wire;

pub fn run(round: &Round, mut rng: StdRng, size: usize) {
    let mut crowd: Vec<Wire> = Vec::new();
    while round.goes_on() {
        if crowd.len() < size {
            crowd.push(round.connect());
        }
        let one = rng.random_range(0..crowd.len());
        let word = rng.random::<u64>().to_string();
        crowd[one].ask(format!("ECHO {word}\r\n"), format!("${}\r\n{word}\r\n", word.len()));
        round.checked.fetch_add(1, Ordering::Relaxed);
        if rng.random_bool(0.01) {
            crowd.swap_remove(one);
        }
    }
}
