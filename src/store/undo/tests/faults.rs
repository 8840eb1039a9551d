//! Changes that panic or are refused memory before they are made, and are then taken back.

use super::ops::Ops;
use super::shot::{assert_same, shot};
use crate::base::{fault, memory};
use crate::store::Store;

/// A store with values of all kinds, and what goes on changing it.
fn filled(seed: u64) -> (Store, Ops) {
    let (mut store, mut ops) = (Store::new(seed), Ops::new(seed));
    for _ in 0..80 {
        ops.step(&mut store);
    }
    (store, ops)
}

#[test]
fn after_a_panic_at_any_point_all_is_as_before() {
    let mut panics = 0;
    for seed in 0..400 {
        let (mut store, mut ops) = filled(seed);
        let before = shot(&mut store);
        store.begin_undo();
        for round in 0..40 {
            // A panic ends a thread, and not the test.
            let step = std::thread::scope(|scope| {
                let step = scope.spawn(|| {
                    fault::arm(1 + (round % 7) as u32);
                    ops.step(&mut store);
                });
                step.join()
            });
            panics += usize::from(step.is_err());
            if let Err(error) = step {
                let text = error.downcast_ref::<&str>().copied().unwrap_or_default();
                assert!(text.contains("injected"), "seed {seed}: {text}");
            }
        }
        // It must not go off while the changes are taken back.
        fault::arm(1);
        store.undo_changes();
        assert!(fault::armed());
        fault::arm(0);
        assert_same(&before, &shot(&mut store), &format!("seed {seed}"));
        store.audit();
    }
    assert!(panics > 2_000, "{panics} panics");
}

#[test]
fn without_memory_at_any_step_all_is_as_before() {
    for seed in 0..400 {
        let (mut store, mut ops) = filled(seed);
        let before = shot(&mut store);
        store.begin_undo();
        for round in 0..40 {
            memory::allow([0, 10, 300, 3_000, 30_000][round % 5]);
            ops.step(&mut store);
        }
        memory::allow(0);
        store.undo_changes();
        memory::allow(usize::MAX);
        assert_same(&before, &shot(&mut store), &format!("seed {seed}"));
        store.audit();
    }
}
