//! Random changes of a store, of every kind. A change may be refused or may change nothing.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::base::Shared;
use crate::store::*;

/// Databases that the changes use.
const DBS: u16 = 3;

/// What changes a store.
pub struct Ops {
    pub rng: StdRng,
    pub now_ms: u64,
    /// How long values may get.
    pub scale: usize,
}

type Done = Option<()>;

impl Ops {
    pub fn new(seed: u64) -> Ops {
        let mut rng = StdRng::seed_from_u64(seed);
        let scale = [1, 3, 6, 20][rng.random_range(0..4)];
        Ops { rng, now_ms: 1_000, scale }
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end)
    }

    /// One of a few keys, of different lengths.
    fn key(&mut self) -> Vec<u8> {
        let n = self.below(7);
        Ops::nth_key(n)
    }

    /// The key that often holds values of this kind, or any key.
    fn key_for(&mut self, kind: usize) -> Vec<u8> {
        if self.below(4) > 0 { Ops::nth_key(kind) } else { self.key() }
    }

    fn nth_key(n: usize) -> Vec<u8> {
        vec![b'a' + n as u8; 1 + n * n * 11]
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = match self.below(20) {
            0..12 => self.below(12),
            12..16 => self.below(300),
            16..19 => self.below(6_000),
            _ => self.below(5_000 * self.scale),
        };
        let byte = self.rng.random();
        vec![byte; len]
    }

    fn name(&mut self) -> Vec<u8> {
        let n = self.below(40 * self.scale);
        match n % 11 {
            0 => vec![b'n'; 200 + n % 500],
            1 => vec![b'm'; 1_000 + n % 100],
            _ => format!("name:{n}").into_bytes(),
        }
    }

    fn names(&mut self) -> Vec<Vec<u8>> {
        let count = if self.below(4) == 0 { self.below(60 * self.scale) } else { 1 };
        (0..count.max(1)).map(|_| self.name()).collect()
    }

    fn expiry(&mut self) -> Option<u64> {
        match self.below(3) {
            0 => Some(self.now_ms + 1 + self.below(60) as u64),
            _ => None,
        }
    }

    /// Makes one change.
    pub fn step(&mut self, store: &mut Store) {
        if self.below(8) == 0 {
            store.select(self.rng.random_range(0..DBS));
        }
        self.now_ms += self.below(3) as u64;
        let kind = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6][self.below(16)];
        let key = self.key_for(kind);
        let _ = match kind {
            0 => self.strings(store, &key),
            1 => self.hashes(store, &key),
            2 => self.sets(store, &key),
            3 => self.zsets(store, &key),
            4 => self.lists(store, &key),
            5 => self.streams(store, &key),
            _ if self.below(6) == 0 => self.databases(store),
            _ => self.keys(store, &key),
        };
    }

    fn strings(&mut self, store: &mut Store, key: &[u8]) -> Done {
        let now_ms = self.now_ms;
        match self.below(5) {
            0 => {
                let value = self.bytes();
                let expiry = [Expiry::Never, Expiry::Keep, Expiry::At(now_ms + 20)][self.below(3)];
                let memory = Shared::new([key, &value].concat().into());
                let (key, value) = memory.bytes().split_at(key.len());
                let entry = match store.prepare_kept(key, value, &memory).ok()? {
                    Some(kept) if value[0].is_multiple_of(2) => kept,
                    _ => store.prepare(key, value).ok()?,
                };
                store.commit(entry, expiry);
            }
            1 => {
                let tail = self.bytes();
                store.get(key, now_ms).ok()?;
                let entry = store.prepare_append(key, &tail).ok()?;
                store.commit(entry, Expiry::Keep);
            }
            2 => {
                let (from, part) = (self.below(9_000), self.bytes());
                let range = from..from + part.len().max(1);
                let edit = store.prepare_range_edit(key, range.clone(), now_ms).ok()?;
                store.commit_edit(edit, |bytes| {
                    bytes[range].fill(7);
                    true
                });
            }
            3 => {
                let len = self.below(300);
                let edit = store.prepare_edit(key, len, now_ms).ok()?;
                store.commit_edit(edit, |bytes| {
                    bytes.iter_mut().step_by(100).for_each(|byte| *byte ^= 1);
                    !bytes.is_empty()
                });
            }
            _ => {
                let (other, value, next) = (self.key(), self.bytes(), self.bytes());
                let entries = store.prepare_all([(key, &value[..]), (&other, &next)].into_iter()).ok()?;
                entries.into_iter().for_each(|entry| store.commit(entry, Expiry::Never));
            }
        }
        Some(())
    }

    fn hashes(&mut self, store: &mut Store, key: &[u8]) -> Done {
        let now_ms = self.now_ms;
        let names = self.names();
        match self.below(6) {
            0..3 => {
                let value = self.bytes();
                let expiry = match self.below(6) {
                    0 => Expiry::At(now_ms + 30),
                    1 => Expiry::Keep,
                    _ => Expiry::Never,
                };
                let pairs = names.iter().map(|name| (&name[..], &value[..]));
                let prepared = store.prepare_map_set(key, pairs, expiry, now_ms).ok()?;
                store.commit_map_set(prepared);
            }
            3 => {
                let removal =
                    store.prepare_map_remove(key, names.iter().map(|name| &name[..]), now_ms).ok()?;
                store.commit_map_remove(removal);
            }
            4 => {
                let fields = names.iter().map(|name| &name[..]);
                let to_expire = self.below(2) == 0;
                let prepared = store.prepare_field_changes(key, fields.clone(), to_expire, now_ms).ok()??;
                let mut n = 0;
                store.commit_field_changes(prepared, fields, |_| {
                    n += 1;
                    match n % 4 {
                        0 => FieldChange::Keep,
                        1 if to_expire => FieldChange::Expire(now_ms + 10 + n),
                        2 => FieldChange::Persist,
                        _ => FieldChange::Remove,
                    }
                });
            }
            _ => {
                let fields = names.iter().map(|name| (&name[..], &b"whole"[..], None));
                let whole = store.prepare_whole_hash(key, fields, self.expiry()).ok()?;
                store.commit_whole(whole);
            }
        }
        Some(())
    }

    fn sets(&mut self, store: &mut Store, key: &[u8]) -> Done {
        let now_ms = self.now_ms;
        let mut names = self.names();
        if self.below(2) == 0 {
            names = names.iter().map(|_| self.below(500 * self.scale).to_string().into_bytes()).collect();
        }
        let members = names.iter().map(|name| &name[..]);
        match self.below(6) {
            0..3 => {
                let prepared = store.prepare_set_add(key, members, now_ms).ok()?;
                store.commit_set_add(prepared);
            }
            3 => {
                let prepared = store.prepare_set_new(key, members).ok()?;
                store.commit_set_add(prepared);
            }
            4 => {
                let removal = store.prepare_set_remove(key, members, now_ms).ok()?;
                store.commit_set_remove(removal);
            }
            _ => {
                let some: Vec<Vec<u8>> = store
                    .members(key, now_ms)
                    .ok()??
                    .iter()
                    .step_by(3)
                    .map(|member| member.to_vec())
                    .collect();
                let removal =
                    store.prepare_set_remove(key, some.iter().map(|name| &name[..]), now_ms).ok()?;
                store.commit_set_remove(removal);
            }
        }
        Some(())
    }

    fn zsets(&mut self, store: &mut Store, key: &[u8]) -> Done {
        let now_ms = self.now_ms;
        let mut names = self.names();
        names.sort_unstable();
        names.dedup();
        let scored = |ops: &mut Ops| -> Vec<(&[u8], f64)> {
            names.iter().map(|name| (&name[..], ops.below(30) as f64 / 4.0)).collect()
        };
        match self.below(7) {
            0..3 => {
                let prepared = store.prepare_zset_add(key, scored(self), now_ms).ok()?;
                store.commit_zset(prepared);
            }
            3 => {
                let prepared = store.prepare_zset_new(key, &mut scored(self)).ok()?;
                store.commit_zset(prepared);
            }
            4 => {
                let removal =
                    store.prepare_zset_remove(key, names.iter().map(|name| &name[..]), now_ms).ok()?;
                store.commit_zset_remove(removal);
            }
            5 => {
                let len = store.zset(key, now_ms).ok()??.len();
                let from = self.below(len);
                let to = (from + 1 + self.below(8)).min(len);
                store.remove_zset_ranks(key, from..to);
            }
            _ => {
                let member = store.zset(key, now_ms).ok()??.iter_from(0).next()?.0.to_vec();
                let ready = store.ready_member(key, &member, now_ms).ok()??;
                let score = ready.score() + 1.5;
                store.commit_score(ready, score);
            }
        }
        Some(())
    }

    fn lists(&mut self, store: &mut Store, key: &[u8]) -> Done {
        let now_ms = self.now_ms;
        let side = [Side::Left, Side::Right][self.below(2)];
        let kind = self.below(9);
        if kind < 3 {
            let mut elements = self.names();
            elements.push(self.bytes());
            let prepared =
                store.prepare_list_push(key, side, elements.iter().map(|name| &name[..]), now_ms).ok()?;
            store.commit_list(prepared);
            return Some(());
        }
        let len = store.list(key, now_ms).ok()??.len();
        let index = self.below(len);
        let element = self.bytes();
        match kind {
            3 => {
                let prepared = store.prepare_list_set(key, index, &element, now_ms).ok()?;
                store.commit_list(prepared);
            }
            4 => {
                let prepared = store.prepare_list_insert(key, index, &element, now_ms).ok()?;
                store.commit_list(prepared);
            }
            5 | 6 => {
                let most = if kind == 5 { 2 } else { len };
                let (left, right) = (self.below(most + 1), self.below(most + 1));
                let (left, right) = if self.below(2) == 0 { (left, 0) } else { (left, right) };
                if left + right > 0 {
                    store.drop_list_ends(key, left, right);
                }
            }
            _ => {
                let element = store.list(key, now_ms).ok()??.get(index)?.to_vec();
                let count = 1 + self.below(6);
                store.remove_list_elements(key, &element, count, side);
            }
        }
        Some(())
    }

    fn streams(&mut self, store: &mut Store, key: &[u8]) -> Done {
        let now_ms = self.now_ms;
        if self.below(5) < 2 {
            return self.entries(store, key);
        }
        let last = store.stream(key, now_ms).ok()??.log().last_id();
        let id = StreamId::new(self.rng.random_range(0..=last.ms), 0);
        let (group, consumer) = (vec![b'g'; 1 + self.below(3)], vec![b'c'; 1 + self.below(4)]);
        let (group, consumer) = (&group[..], &consumer[..]);
        match self.below(15) {
            0 | 1 => {
                let read = [None, Some(3)][self.below(2)];
                store.try_in_stream(key, now_ms, |stream| stream.create_group(group, id, read)).ok()??;
            }
            2 => {
                if let Ok(left) = store.touch_stream(key, |stream| stream.destroy_group(group)) {
                    store.discard(left);
                }
            }
            3 => {
                let _ = store.touch_stream(key, |stream| stream.set_group_id(group, id, Some(9)));
            }
            4 => {
                store
                    .try_in_stream(key, now_ms, |stream| stream.create_consumer(group, consumer, now_ms))
                    .ok()??;
            }
            5 => {
                let deleted = store.touch_stream(key, |stream| stream.delete_consumer(group, consumer));
                store.discard(deleted.ok()??.1);
            }
            6..10 => {
                let (count, pending) = (1 + self.below(30), self.below(5) > 0);
                let prepare = |stream: &mut Stream| stream.prepare_delivery(group, consumer, count, pending);
                let delivery = store.try_in_stream(key, now_ms, prepare).ok()??;
                store.touch_stream(key, |stream| stream.commit_delivery(delivery, now_ms));
            }
            10 => {
                let prepare = |stream: &mut Stream| stream.prepare_history(group, consumer, id, 10);
                let history = store.try_in_stream(key, now_ms, prepare).ok()??;
                store.touch_stream(key, |stream| stream.commit_history(history, now_ms));
            }
            11 | 12 => {
                let ids: Vec<StreamId> = (0..5).map(|n| StreamId::new(id.ms + n, 0)).collect();
                let options = ClaimOptions { force: self.below(2) == 0, ..Default::default() };
                let auto = self.below(2) == 0;
                let prepare = |stream: &mut Stream| match auto {
                    true => stream.prepare_autoclaim(group, consumer, id, 5, options, now_ms),
                    false => stream.prepare_claim(group, consumer, ids.iter().copied(), options, now_ms),
                };
                let claim = store.try_in_stream(key, now_ms, prepare).ok()??;
                store.touch_stream(key, |stream| stream.commit_claim(claim));
            }
            13 => {
                let ids = (0..20).map(|n| StreamId::new(id.ms + n, 0));
                let _ = store.touch_stream(key, |stream| stream.acknowledge(group, ids));
            }
            _ => {
                let references = [References::Keep, References::Remove, References::Respect][self.below(3)];
                store.count_in_stream(key, |stream| usize::from(stream.remove(id, references).entry));
            }
        }
        Some(())
    }

    fn entries(&mut self, store: &mut Store, key: &[u8]) -> Done {
        let now_ms = self.now_ms;
        let count = if self.below(3) == 0 { self.below(300) } else { 1 };
        match self.below(6) {
            0..3 => {
                for _ in 0..=count {
                    let last =
                        store.stream(key, now_ms).ok()?.map_or(StreamId::MIN, |there| there.log().last_id());
                    let id = StreamId::new(last.ms + 1 + self.below(2) as u64, self.below(2) as u64);
                    let (name, value) = (vec![b'f'; 1 + self.below(2)], self.bytes());
                    let pairs = [(&name[..], &value[..]), (&b"same"[..], &b"value"[..])].into_iter();
                    let limits = NodeLimits { bytes: 2_000, entries: 20 };
                    let entry = store.prepare_entry(key, id, pairs.clone(), limits, now_ms).ok()?;
                    store.commit_entry(entry, pairs);
                }
            }
            3 => {
                let log = store.stream(key, now_ms).ok()??.log();
                let (len, last) = (log.len(), log.last_id());
                let to = match self.below(2) {
                    0 => TrimTo::Length(self.below(len + 1) as u64),
                    _ => TrimTo::Id(StreamId::new(self.rng.random_range(0..=last.ms + 1), 0)),
                };
                store.trim_stream(key, Trim { to, approximate: self.below(2) == 0, limit: None });
            }
            4 => {
                let ids: Vec<StreamId> = {
                    let log = store.stream(key, now_ms).ok()??.log();
                    let (from, step) = (self.below(log.len() + 1), 1 + self.below(2));
                    let range = log.range(StreamId::MIN, StreamId::MAX);
                    range.skip(from).step_by(step).take(count).map(|entry| entry.id()).collect()
                };
                store.count_in_stream(key, |stream| {
                    ids.iter().filter(|id| stream.log_mut().remove(**id)).count()
                });
            }
            _ => {
                let log = store.stream(key, now_ms).ok()??.log();
                let id = StreamId::new(log.last_id().ms + 1, 0);
                let added = [None, Some(log.len() as u64 + 7)][self.below(2)];
                let _ = store.change_stream(key, |stream| stream.log_mut().set_last_id(id, added, None));
            }
        }
        Some(())
    }

    fn keys(&mut self, store: &mut Store, key: &[u8]) -> Done {
        let (now_ms, other, db) = (self.now_ms, self.key(), self.rng.random_range(0..DBS));
        match self.below(10) {
            0 => {
                store.remove(key, now_ms);
            }
            1 | 2 => {
                store.prepare_expiry(key).ok()?;
                store.expire(key, self.expiry());
            }
            3..6 => {
                let rename = store.prepare_rename(key, &other, db, now_ms).ok()??;
                store.commit_rename(rename);
            }
            6 | 7 => {
                let copied = store.prepare_copy(key, &other, db, now_ms).ok()??;
                if (store.selected(), key) != (db, &other[..]) {
                    store.commit_whole(copied);
                }
            }
            8 => {
                store.contains(key, now_ms);
                self.now_ms += self.below(30) as u64;
                store.contains(&other, self.now_ms);
            }
            _ => {
                let elements = self.names();
                let whole = store
                    .prepare_whole_list(key, elements.iter().map(|name| &name[..]), self.expiry())
                    .ok()?;
                store.commit_whole_over(whole);
            }
        }
        Some(())
    }

    fn databases(&mut self, store: &mut Store) -> Done {
        match self.below(8) {
            0 => store.clear_all(),
            1 | 2 => store.clear(),
            _ => {
                let (one, other) = (self.rng.random_range(0..DBS), self.rng.random_range(0..DBS));
                store.swap_databases(one, other).ok()?;
            }
        }
        Some(())
    }
}
