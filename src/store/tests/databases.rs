//! Several databases, compared with a map for each and with replicas that follow the effects.

use std::collections::BTreeMap;

use super::*;

/// What a database should hold: for each key its value and its time of expiry, in Unix milliseconds.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

const DATABASES: u16 = 4;

struct Trial {
    rng: StdRng,
    store: Store,
    models: [Model; DATABASES as usize],
    /// Copies of the databases that are only updated for keys that an effect names.
    replicas: [Model; DATABASES as usize],
    now_ms: u64,
    keys: u32,
}

impl Trial {
    fn key(&mut self) -> Vec<u8> {
        let n = self.rng.random_range(0..self.keys);
        format!("{n:0width$}", width = if n.is_multiple_of(20) { 300 } else { 6 }).into_bytes()
    }

    fn step(&mut self) {
        let here = self.store.selected();
        let (key, there) = (self.key(), self.rng.random_range(0..DATABASES));
        let now_ms = self.now_ms;
        for db in [here, there] {
            // The model forgets the key when the store does.
            if !self.store.contains_in(db, &key, now_ms) {
                self.models[usize::from(db)].remove(&key);
            }
        }
        let mine = self.models[usize::from(here)].get(&key).cloned();
        match self.rng.random_range(0..100) {
            0..20 => {
                self.store.prepare_database(there).unwrap();
                self.store.select(there);
            }
            20..60 => {
                let value = vec![self.rng.random(); self.rng.random_range(0..400)];
                let at = self.rng.random_bool(0.3).then(|| now_ms + self.rng.random_range(1..90));
                put(&mut self.store, &key, &value, at.map_or(Expiry::Never, Expiry::At));
                self.models[usize::from(here)].insert(key, (value, at));
            }
            60..70 => {
                assert_eq!(self.store.remove(&key, now_ms), mine.is_some());
                self.models[usize::from(here)].remove(&key);
            }
            70..80 => {
                let moved = self.store.prepare_rename(&key, &key, there, now_ms).unwrap();
                assert_eq!(moved.is_some(), mine.is_some());
                if let Some(moved) = moved.filter(|_| here != there) {
                    self.store.commit_rename(moved);
                    self.models[usize::from(here)].remove(&key);
                    self.models[usize::from(there)].insert(key, mine.unwrap());
                }
            }
            80..90 => {
                let copied = self.store.prepare_copy(&key, &key, there, now_ms).unwrap();
                assert_eq!(copied.is_some(), mine.is_some());
                if let Some(copied) = copied.filter(|_| here != there) {
                    self.store.commit_whole(copied);
                    self.models[usize::from(there)].insert(key, mine.unwrap());
                }
            }
            90..93 => {
                let other = self.rng.random_range(0..DATABASES);
                self.store.swap_databases(there, other).unwrap();
                self.models.swap(usize::from(there), usize::from(other));
            }
            93..98 => {
                self.now_ms += self.rng.random_range(0..9);
                self.store.sweep(self.now_ms, 40, 1);
            }
            98 if self.rng.random_bool(0.05) => {
                self.store.clear_all();
                self.models = Default::default();
            }
            98 if self.rng.random_bool(0.05) => {
                self.store.clear();
                self.models[usize::from(here)].clear();
            }
            _ => self.store.reclaim(1),
        }
        assert!(
            here == self.store.selected() || self.store.selected() == there,
            "another database is selected"
        );
    }

    /// Reads the effects, and updates the replicas for the keys that they name.
    fn listen(&mut self) {
        let told = self.store.take_effects();
        assert!(!told.lost);
        let effects: Vec<(u16, Vec<u8>, What)> =
            told.iter().map(|effect| (effect.db, effect.key.to_vec(), effect.what)).collect();
        self.store.put_back_effects(told);
        for (db, key, what) in effects {
            let replica = &mut self.replicas[usize::from(db)];
            match what {
                What::Flushed => replica.clear(),
                What::Removed | What::Expired => drop(replica.remove(&key)),
                What::Set | What::Created => {
                    let found = self.store.within(db, |store| {
                        let at = store.expiry(&key, 0).expect("it was set");
                        (store.get(&key, 0).unwrap().expect("it was set").to_vec(), at)
                    });
                    replica.insert(key, found);
                }
                What::Evicted | What::Told(_) | What::Roused => {
                    unreachable!("nobody evicts and nobody tells")
                }
                What::Swapped => {
                    let all = self.store.within(db, |store| {
                        let keys: Vec<Vec<u8>> = store.keys(0).map(<[u8]>::to_vec).collect();
                        let read = |key: Vec<u8>| {
                            let at = store.expiry(&key, 0).expect("it is there");
                            let value = store.get(&key, 0).unwrap().expect("it is there").to_vec();
                            (key, (value, at))
                        };
                        keys.into_iter().map(read).collect()
                    });
                    *replica = all;
                }
            }
        }
    }

    /// Asserts that the databases, the models and the replicas are equal.
    fn compare(&mut self) {
        self.store.audit();
        let now_ms = self.now_ms;
        let sizes: Vec<(u16, usize)> = self.store.sizes().map(|(db, size)| (db, size.keys)).collect();
        for db in 0..DATABASES {
            let (model, replica) = (&mut self.models[usize::from(db)], &mut self.replicas[usize::from(db)]);
            let told = sizes.iter().find(|(known, _)| *known == db).map_or(0, |(_, keys)| *keys);
            assert_eq!(told, replica.len(), "a change had no effect noted");
            for copy in [&mut *model, &mut *replica] {
                copy.retain(|_, (_, at)| at.is_none_or(|at| at > now_ms));
            }
            assert!(model == replica, "a change had no effect noted");
            for (key, (value, at)) in model {
                self.store.within(db, |store| {
                    assert_eq!(store.get(key, now_ms), Ok(Some(&value[..])));
                    assert_eq!(store.expiry(key, now_ms), Some(*at));
                });
            }
        }
    }
}

#[test]
fn each_database_is_a_map_whatever_is_done_to_the_others() {
    for seed in 0..30 {
        let mut rng = StdRng::seed_from_u64(seed);
        let keys = 10_u32.pow(rng.random_range(1..4));
        let mut store = Store::new(seed);
        store.listen(Listener::Watches, true);
        let (models, replicas) = (Default::default(), Default::default());
        let mut trial = Trial { rng, store, models, replicas, now_ms: 0, keys };
        for _ in 0..10 {
            for _ in 0..500 {
                trial.step();
                trial.listen();
            }
            trial.compare();
            trial.listen();
        }
    }
}
