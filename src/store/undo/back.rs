//! Takes steps of the undo log back.

use super::steps::{ListChange, Step};
use super::streams::stream_in;
use super::subjects::Subject;
use super::{Old, Undo};
use crate::base::{fault, memory};
use crate::store::Store;
use crate::store::body::Body;
use crate::store::large::{Keyed, Large};
use crate::store::list::List;
use crate::store::record::RECORD_MAX;
use crate::store::set::Set;
use crate::store::table::{Content, Table};
use crate::store::zset::Zset;

impl Store {
    /// Takes back all changes since [`Store::begin_undo`]. Cannot fail. The order of the members of a large hash or set may be
    /// another one than before. The listeners hear of nothing.
    pub fn undo_changes(&mut self) {
        self.close_notes();
        let Some(mut undo) = self.undo.take() else { return };
        fault::aside(|| memory::spared(|| self.take_all_back(&mut undo)));
        self.changes.journal.rewind(&undo.mark);
        self.discards.keep_undo(undo);
    }

    fn take_all_back(&mut self, undo: &mut Undo) {
        while let Some(step) = undo.pop() {
            let subjects = &undo.subjects;
            match step {
                Step::Item { subject, old } => self.put_item_back(subjects.get(subject), old),
                Step::Renamed { from, to } => self.rename_back(subjects.get(from), subjects.get(to)),
                Step::Flushed { db, table } => self.put_table_back(db, table),
                Step::Swapped { one, other } => self.exchange(one, other),
                Step::Text { subject, at, bytes, len, expires_ms } => {
                    self.put_text_back(subjects.get(subject), at, &bytes, len, expires_ms);
                }
                Step::Field { subject, field, old } => {
                    self.put_field_back(subjects.get(subject), &field, old)
                }
                Step::Member { subject, member, old } => self.in_value(subjects.get(subject), |large| {
                    if let Large::Set(set) = large {
                        set.value.texts.put_old(&member, old);
                    }
                }),
                Step::Integer { subject, integer, there } => self.in_value(subjects.get(subject), |large| {
                    if let Large::Set(set) = large {
                        put_integer_back(&mut set.value, integer, there);
                    }
                }),
                Step::Score { subject, member, score } => self.in_value(subjects.get(subject), |large| {
                    if let Large::Zset(zset) = large {
                        put_score_back(&mut zset.value, &member, score);
                    }
                }),
                Step::List { subject, change } => self.change_list_back(subjects.get(subject), change),
                Step::Stream { subject, notes } => {
                    let left = self.in_body(subjects.get(subject), |body| {
                        stream_in(body).map(|stream| stream.take_back(*notes))
                    });
                    left.flatten().into_iter().flatten().for_each(|left| self.discards.keep_part(Some(left)));
                }
            }
        }
    }

    fn put_item_back(&mut self, subject: &Subject, old: Old) {
        self.within(subject.db, |store| {
            let left = store.table.put_old(&subject.key, old);
            store.discards.keep(left);
        });
    }

    fn rename_back(&mut self, from: &Subject, to: &Subject) {
        let taken = self.within(to.db, |store| {
            let place = store.table.find(to.hash, &to.key)?;
            let record = store.table.record(place);
            let (kind, expires_ms) = (record.kind(), record.expires_ms());
            Some((kind, expires_ms, store.table.take_out(place)?))
        });
        debug_assert!(taken.is_some(), "what was renamed is not there");
        let Some((kind, expires_ms, mut body)) = taken else { return };
        let rekey = memory::insist(body.prepare_rekey(from.hash, &from.key));
        body.rekey(rekey, &from.key);
        self.within(from.db, |store| {
            let _ = store.table.reserve_record(from.hash, &from.key, RECORD_MAX, 1);
            let place = store.table.find(from.hash, &from.key);
            let content = Content::Body(body);
            let left = store.table.write(place, from.hash, &from.key, kind, content, expires_ms);
            store.discards.keep(left);
        });
    }

    fn put_table_back(&mut self, db: u16, table: Box<Table>) {
        self.within(db, |store| {
            let now = std::mem::replace(&mut store.table, *table);
            store.discards.keep_keyspace(Box::new(now));
        });
    }

    fn put_text_back(
        &mut self,
        subject: &Subject,
        at: usize,
        bytes: &[u8],
        len: usize,
        expires_ms: Option<u64>,
    ) {
        self.in_body(subject, |body| {
            // Appending nothing has changed nothing, and the string may still lie in memory that others hold.
            if bytes.is_empty() && body.value().len() == len {
                return;
            }
            body.shorten(|value| {
                value[at..at + bytes.len()].copy_from_slice(bytes);
                len
            });
        });
        self.put_item_back(subject, Old::Expiry(expires_ms));
    }

    fn put_field_back(&mut self, subject: &Subject, field: &[u8], old: Old) {
        let next_ms = self.in_body(subject, |body| {
            if let Some(Large::Map(fields)) = body.large_mut() {
                fields.value.put_old(field, old);
            }
            body.next_field_expiry()
        });
        self.within(subject.db, |store| store.table.hasten(subject.hash, next_ms.flatten()));
    }

    fn change_list_back(&mut self, subject: &Subject, change: ListChange) {
        let left = self.in_body(subject, |body| match body.large_mut() {
            Some(Large::List(list)) => take_list_back(&mut list.value, change),
            _ => None,
        });
        if let Some(list) = left.flatten() {
            self.discards.keep(Some(Keyed { key: Vec::new(), value: list }.into()));
        }
    }

    /// Calls `act` with the large value of a key.
    fn in_value(&mut self, subject: &Subject, act: impl FnOnce(&mut Large)) {
        self.in_body(subject, |body| body.large_mut().map(act));
    }

    /// Calls `act` with the body of a key.
    fn in_body<T>(&mut self, subject: &Subject, act: impl FnOnce(&mut Body) -> T) -> Option<T> {
        self.within(subject.db, |store| {
            let place = store.table.find(subject.hash, &subject.key);
            let number = place.and_then(|place| store.table.record(place).body());
            debug_assert!(number.is_some(), "a value is not what it was right after its change");
            number.map(|number| store.table.with_body(number, act))
        })
    }
}

fn put_integer_back(set: &mut Set, integer: i64, there: bool) {
    if there {
        // Only counts the memory.
        let _ = set.integers.try_reserve(1);
        set.integers.insert(integer);
    } else {
        set.integers.remove(integer);
    }
}

fn put_score_back(zset: &mut Zset, member: &[u8], score: Option<f64>) {
    match score {
        Some(score) => {
            // Without room for handles, it is taken by the insertion.
            let _ = zset.try_reserve([member.len()]);
            zset.insert(member, score);
        }
        None => {
            zset.remove(member);
        }
    }
}

/// Takes a change of a list back. Returns what is to be freed piece by piece.
fn take_list_back(list: &mut List, change: ListChange) -> Option<List> {
    match change {
        ListChange::Pushed { from_back: false, count } => return list.drop_front(count),
        ListChange::Pushed { from_back: true, count } => return list.drop_back(count),
        ListChange::Cut { from_back, cut } => list.rejoin(*cut, from_back),
        ListChange::Replaced { index, old } => list.put_back(index, old),
        ListChange::Inserted { index } => list.remove_at(index),
        ListChange::Removed { element, indices } => {
            indices.iter().for_each(|index| list.insert(*index, &element));
        }
    }
    None
}
