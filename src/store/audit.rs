//! The audit: it walks the whole table and asserts its invariants. For tests.

use super::elements::{Elements, ListForm};
use super::list::packed_size;
use super::map::{Form, Map};
use super::members::{Members, SetForm};
use super::packed::{PACKED_BYTES_MAX, PACKED_FIELDS_MAX, Packed};
use super::ranked::{Ranked, ZsetForm};
use super::record::{Kind, Record};
use super::streams::stream_of;
use super::sweep::LOOK_PAUSE_MAX_MS;
use super::table::Table;
use super::tally::Tally;
use super::zpacked::{self, by_order};

impl Table {
    /// Walks the whole table and asserts its invariants, and those of its hashes.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(super) fn audit(&self) {
        let (mut items, mut blocks, mut entries, mut expiring) = (0, 0, 0, 0);
        let mut bodies = vec![false; self.bodies.len()];
        for (number, segment) in self.segments.iter().enumerate() {
            let number = number as u32;
            entries += self.audit_directory(number);
            for block in segment.blocks() {
                assert_eq!(self.blocks.get(*block).owner, number, "a block names another owner");
            }
            blocks += segment.blocks().len();
            let (mut live, mut counted) = (0, 0);
            for cell in segment.cells() {
                let record = self.record_at(segment, segment.spot(cell));
                let hash = self.hash(self.key_of(record));
                assert_eq!(self.directory.segment(hash), number, "an item is in the wrong segment");
                let found = self.find(hash, self.key_of(record)).expect("every item is found");
                assert_eq!(found.cell, cell, "two items have one key");
                if let Some(body) = record.body() {
                    assert!(!std::mem::replace(&mut bodies[body as usize], true), "a body is shared");
                }
                if let Some(at_ms) = self.due(record) {
                    assert!(segment.due_ms <= at_ms.saturating_add(LOOK_PAUSE_MAX_MS), "the agenda is late");
                }
                expiring += usize::from(record.expires_ms().is_some());
                match record.kind() {
                    Kind::String => {}
                    Kind::Hash => audit_hash(self, record),
                    Kind::Set => audit_set(self, record),
                    Kind::List => audit_list(self, record),
                    Kind::Zset => audit_zset(self, record),
                    Kind::Stream => stream_of(self, record).expect("a stream is always large").audit(),
                }
                live += record.bytes().len();
                counted += 1;
            }
            assert_eq!(segment.len(), counted, "a segment's count of items is wrong");
            assert_eq!(segment.live(), live, "a segment's count of live bytes is wrong");
            assert!(live + segment.dead() <= segment.capacity(), "a segment's count of dead bytes is wrong");
            items += counted;
        }
        assert_eq!(items, self.len(), "the table's count of items is wrong");
        assert_eq!(expiring, self.expiring, "the table's count of items that expire is wrong");
        self.agenda.audit(&self.segments);
        assert_eq!(blocks, self.blocks.len(), "a block belongs to no segment");
        assert_eq!(entries, self.directory.entries().len(), "a directory entry names a wrong segment");
        assert!(bodies.into_iter().all(|named| named), "no record names a body");
        let mut tally = Tally::default();
        self.bodies.iter().for_each(|body| tally.add(body));
        assert_eq!(tally, self.tally, "the tally of the bodies is wrong");
    }

    /// How many entries name segment `number`. They must all be neighbours, at the position of its prefix.
    fn audit_directory(&self, number: u32) -> usize {
        let (segment, entries) = (self.segments.get(number), self.directory.entries());
        let depth = entries.len().ilog2();
        let span = 1 << (depth - segment.depth);
        let first = segment.prefix as usize * span;
        assert!(entries[first..first + span].iter().all(|entry| *entry == number), "an entry is wrong");
        span
    }
}

/// Asserts the invariants of the hash in `record`.
fn audit_hash(table: &Table, record: Record<'_>) {
    let map = Map::of(table, record, 0);
    assert!(map.len() > 0, "a hash has no fields");
    match map.form {
        Form::Packed(packed) => {
            audit_packed(packed);
        }
        Form::Table(fields) => {
            fields.audit();
            let strings = fields.records().all(|record| record.kind() == Kind::String);
            assert!(strings, "a field holds something other than a string");
        }
    }
}

/// Asserts the invariants of a packed hash or set.
fn audit_packed(packed: Packed<'_>) {
    assert!(packed.len() <= PACKED_FIELDS_MAX && packed.bytes.len() <= PACKED_BYTES_MAX);
    let mut fields: Vec<&[u8]> = packed.iter().map(|(field, _)| field).collect();
    fields.sort_unstable();
    assert!(fields.windows(2).all(|pair| pair[0] < pair[1]), "a field is there twice");
}

/// Asserts the invariants of the set in `record`.
fn audit_set(table: &Table, record: Record<'_>) {
    let members = Members::of(table, record);
    assert!(members.len() > 0, "a set has no members");
    match members.0 {
        SetForm::Packed(packed) => {
            audit_packed(packed);
            assert!(packed.iter().all(|(_, value)| value.is_empty()), "a member has a value");
        }
        SetForm::Large(set) => set.audit(),
    }
}

/// Asserts the invariants of the list in `record`.
fn audit_list(table: &Table, record: Record<'_>) {
    let elements = Elements::of(table, record);
    assert!(elements.len() > 0, "a list has no elements");
    assert_eq!(elements.iter_from(0).count(), elements.len(), "a list's count of elements is wrong");
    match elements.0 {
        ListForm::Packed(packed) => {
            let sizes: usize = packed.iter().map(|element| packed_size(element.len())).sum();
            assert_eq!(sizes, packed.0.len(), "a packed list has bytes that belong to no element");
        }
        ListForm::Large(list) => list.audit(),
    }
}

/// Asserts the invariants of the sorted set in `record`.
fn audit_zset(table: &Table, record: Record<'_>) {
    let ranked = Ranked::of(table, record);
    assert!(ranked.len() > 0, "a sorted set has no members");
    match ranked.0 {
        ZsetForm::Packed(packed) => {
            assert!(packed.len() <= zpacked::PACKED_MEMBERS_MAX);
            assert!(packed.0.len() <= zpacked::PACKED_BYTES_MAX);
            assert!(
                packed.iter().is_sorted_by(|one, other| by_order(one, other).is_lt()),
                "the order is wrong"
            );
            let twice =
                packed.iter().enumerate().find(|(rank, (member, _))| ranked.rank(member) != Some(*rank));
            assert_eq!(twice, None, "a sorted set has a member twice");
            let bytes: usize = packed.iter().map(zpacked::packed_size).sum();
            assert_eq!(bytes, packed.0.len(), "bytes are left over");
        }
        ZsetForm::Large(zset) => zset.audit(),
    }
}
