//! Notes changes inside of large values: of single fields, members and elements.
//!
//! The store asks for a [`Noter`] once for each change of a value. There is none while no log is open, and none if the key
//! is saved as a whole. Some changes are noted before they are made. Others are made here, because what they remove is
//! moved into the log.

use std::ops::Range;
use std::sync::Arc;

use super::Undo;
use super::old::Old;
use super::steps::{ListChange, Step};
use crate::store::list::List;
use crate::store::prepared::Prepared;
use crate::store::set::{Addition, Set, integer};
use crate::store::table::{Place, Table};
use crate::store::zset::Zset;

/// How many numbers of elements a step holds at most.
const INDICES_MAX: usize = 4_096;

/// Notes changes inside of the value of one key.
#[derive(Debug)]
pub struct Noter<'a> {
    undo: &'a mut Undo,
    subject: u32,
}

/// Who notes changes inside of the value of `key`, if somebody must.
#[inline]
pub fn noter<'a>(undo: &'a mut Option<Box<Undo>>, db: u16, hash: u64, key: &[u8]) -> Option<Noter<'a>> {
    match undo {
        None => None,
        Some(undo) => find(undo, db, hash, key),
    }
}

#[cold]
#[inline(never)]
fn find<'a>(undo: &'a mut Undo, db: u16, hash: u64, key: &[u8]) -> Option<Noter<'a>> {
    let subject = undo.unsaved(db, hash, key)?;
    Some(Noter { undo, subject })
}

/// A copy of the name of an item, unless `old` knows it.
fn name_beside(old: &Old, name: &[u8]) -> Box<[u8]> {
    if matches!(old, Old::Body { .. }) { Box::default() } else { name.into() }
}

impl Noter<'_> {
    fn note_field(&mut self, field: &[u8], old: Old) {
        let (subject, field) = (self.subject, name_beside(&old, field));
        self.undo.push(Step::Field { subject, field, old });
    }

    fn note_member(&mut self, member: &[u8], old: Old) {
        let (subject, member) = (self.subject, name_beside(&old, member));
        self.undo.push(Step::Member { subject, member, old });
    }

    /// Notes that fields of a hash are going to be written.
    #[cold]
    #[inline(never)]
    pub fn write_fields(&mut self, fields: &mut Table, entries: &[Prepared<'_>]) {
        for entry in entries {
            let place = fields.find(entry.hash, entry.key);
            let old = place.map_or(Old::Absent, |place| fields.hollowed(place));
            self.note_field(entry.key, old);
        }
    }

    /// Notes that a field is going to expire at another time.
    #[cold]
    #[inline(never)]
    pub fn time_field(&mut self, fields: &Table, place: Place) {
        let record = fields.record(place);
        let (field, expires_ms) = (fields.key_of(record), record.expires_ms());
        self.note_field(field, Old::Expiry(expires_ms));
    }

    /// Removes a field.
    #[cold]
    #[inline(never)]
    pub fn remove_field(&mut self, fields: &mut Table, field: &[u8]) {
        if let Some(place) = fields.find(fields.hash(field), field) {
            let old = fields.lifted(place);
            fields.trim();
            self.note_field(field, old);
        }
    }

    /// Notes that members are going to be added to a set.
    #[cold]
    #[inline(never)]
    pub fn add_members(&mut self, set: &Set, addition: &Addition<'_>) {
        match addition {
            Addition::Integer(integer) => self.add_integer(set, *integer),
            Addition::Text(entry) => self.add_text(set, entry.key),
            Addition::Several(integers, texts) => {
                integers.iter().for_each(|integer| self.add_integer(set, *integer));
                texts.iter().for_each(|entry| self.add_text(set, entry.key));
            }
        }
    }

    fn add_integer(&mut self, set: &Set, integer: i64) {
        if !set.integers.contains(integer) {
            self.undo.push(Step::Integer { subject: self.subject, integer, there: false });
        }
    }

    fn add_text(&mut self, set: &Set, member: &[u8]) {
        if !set.contains(member) {
            self.note_member(member, Old::Absent);
        }
    }

    /// Removes a member of a set.
    #[cold]
    #[inline(never)]
    pub fn remove_member(&mut self, set: &mut Set, member: &[u8]) {
        if let Some(integer) = integer(member) {
            if set.integers.remove(integer) {
                self.undo.push(Step::Integer { subject: self.subject, integer, there: true });
            }
        } else if let Some(place) = set.texts.find(set.texts.hash(member), member) {
            let old = set.texts.lifted(place);
            set.texts.trim();
            self.note_member(member, old);
        }
    }

    /// Notes that a member of a sorted set is going to be added or removed, or to get another score.
    #[cold]
    #[inline(never)]
    pub fn change_score(&mut self, zset: &Zset, member: &[u8]) {
        let (subject, score) = (self.subject, zset.score(member));
        self.undo.push(Step::Score { subject, member: member.into(), score });
    }

    /// Notes that the members with these numbers are going to be removed.
    #[cold]
    #[inline(never)]
    pub fn remove_ranks(&mut self, zset: &Zset, ranks: Range<usize>) {
        for (member, score) in zset.iter_from(ranks.start).take(ranks.len()) {
            let (subject, score) = (self.subject, Some(score));
            self.undo.push(Step::Score { subject, member: member.into(), score });
        }
    }

    fn note_list(&mut self, change: ListChange) {
        self.undo.push(Step::List { subject: self.subject, change });
    }

    /// Notes that elements are going to be pushed. Many pushes in a row are one step.
    #[cold]
    #[inline(never)]
    pub fn push_elements(&mut self, from_back: bool, more: usize) {
        if let Some(Step::List { subject, change: ListChange::Pushed { from_back: there, count } }) =
            self.undo.steps.last_mut()
            && (*subject, *there) == (self.subject, from_back)
        {
            *count += more;
            return;
        }
        self.note_list(ListChange::Pushed { from_back, count: more });
    }

    /// Notes that an element is going to be replaced. Takes a long one out.
    #[cold]
    #[inline(never)]
    pub fn replace_element(&mut self, list: &mut List, index: usize) {
        if let Some(old) = list.keep_replaced(index) {
            self.note_list(ListChange::Replaced { index, old });
        }
    }

    /// Notes that an element is going to be inserted.
    #[cold]
    #[inline(never)]
    pub fn insert_element(&mut self, index: usize) {
        self.note_list(ListChange::Inserted { index });
    }

    /// Cuts off the first `left` and the last `right` elements. At least one must stay.
    #[cold]
    #[inline(never)]
    pub fn cut_ends(&mut self, list: &mut List, left: usize, right: usize) {
        for (from_back, count) in [(false, left), (true, right)].into_iter().filter(|(_, count)| *count > 0) {
            let cut = Box::new(list.cut(count, from_back));
            self.note_list(ListChange::Cut { from_back, cut });
        }
    }

    /// Notes that `count` elements that equal `element` are going to be removed: the first ones, or the last ones.
    #[cold]
    #[inline(never)]
    pub fn remove_elements(&mut self, list: &List, element: &[u8], count: usize, from_back: bool) {
        let element: Arc<[u8]> = element.into();
        let equal = list.iter_from(0).enumerate().filter(|(_, there)| **there == *element);
        let mut indices = equal.map(|(index, _)| index);
        if from_back {
            let all = list.iter_from(0).filter(|there| **there == *element).count();
            // Only the last ones go.
            indices.by_ref().take(all - count).for_each(drop);
        }
        let mut indices = indices.take(count).peekable();
        while indices.peek().is_some() {
            let some: Box<[usize]> = indices.by_ref().take(INDICES_MAX).collect();
            self.note_list(ListChange::Removed { element: element.clone(), indices: some });
        }
    }
}
