//! Operations on keys that hold lists.
//!
//! A small list is packed, in its record or in a body. A larger one is a [`List`] of its own, and never becomes packed
//! again.

use super::Store;
use super::body::Body;
use super::elements::{Elements, ListForm, Side};
use super::large::Large;
use super::list::{List, PackedList, packed_size, push_packed};
use super::prepared::{Prepared, WriteError, WrongKind, fits_block};
use super::record::{Kind, RECORD_MAX, Record};
use super::table::{Content, Place, Table};
use super::undo::{Noter, noter};
use crate::base::{OutOfMemory, fault, memory};

/// Most bytes of a packed list. Each change copies it as a whole, so it must be short.
pub(super) const PACKED_BYTES_MAX: usize = 1 << 10;

/// A change that adds to a list or replaces an element, with the memory for it reserved. [`Store::commit_list`] makes it.
#[derive(Debug)]
pub struct PreparedList<'a> {
    key: &'a [u8],
    /// The hash of the key.
    hash: u64,
    /// How many elements the list has after the change.
    len: usize,
    change: Change<'a>,
}

/// How a list is going to be changed.
#[derive(Debug)]
enum Change<'a> {
    /// The whole packed list, into the record or over the one in its body.
    Packed(Vec<u8>),
    /// The whole list as a new body.
    Body(Body),
    /// An edit of the large list in the body with this number.
    Edit(u32, Edit<'a>),
}

/// An edit of a list.
#[derive(Debug)]
enum Edit<'a> {
    /// Adds elements at an end, one after the other.
    Push(Side, Pushed<'a>),
    /// Replaces an element.
    Set(usize, &'a [u8]),
    /// Inserts an element before the one with this number.
    Insert(usize, &'a [u8]),
}

/// Elements that are pushed. Most pushes have one, and need no memory for it.
#[derive(Debug)]
enum Pushed<'a> {
    One(&'a [u8]),
    Many(Vec<&'a [u8]>),
}

impl<'a> Pushed<'a> {
    fn elements(&self) -> &[&'a [u8]] {
        match self {
            Pushed::One(element) => std::slice::from_ref(element),
            Pushed::Many(elements) => elements,
        }
    }
}

impl Store {
    /// The list of `key`; `None` if there is no such key or it has expired.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value.
    pub fn list(&mut self, key: &[u8], now_ms: u64) -> Result<Option<Elements<'_>>, WrongKind> {
        fault::point();
        let place = self.find(key, now_ms);
        place.map(|place| self.list_at(place)).transpose()
    }

    pub(super) fn list_at(&self, place: Place) -> Result<Elements<'_>, WrongKind> {
        let record = self.table.record(place);
        if record.kind() == Kind::List { Ok(Elements::of(&self.table, record)) } else { Err(WrongKind) }
    }

    /// Makes sure that `elements` can be added at one end of the list of `key`, one after the other. There must be at
    /// least one. Without such a key, they become a new list.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_list_push<'a>(
        &mut self,
        key: &'a [u8],
        side: Side,
        mut elements: impl Iterator<Item = &'a [u8]> + Clone,
        now_ms: u64,
    ) -> Result<PreparedList<'a>, WriteError> {
        let all = elements.clone();
        let pushed = match (elements.next(), elements.next()) {
            (Some(element), None) => Pushed::One(element),
            _ => Pushed::Many(memory::collect(all)?),
        };
        self.prepare_list_edit(key, Edit::Push(side, pushed), now_ms)
    }

    /// Makes sure that the element at `index` of the list of `key` can be replaced.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_list_set<'a>(
        &mut self,
        key: &'a [u8],
        index: usize,
        element: &'a [u8],
        now_ms: u64,
    ) -> Result<PreparedList<'a>, WriteError> {
        self.prepare_list_edit(key, Edit::Set(index, element), now_ms)
    }

    /// Makes sure that an element can be inserted in the list of `key`, before the one at `index`.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has changed.
    pub fn prepare_list_insert<'a>(
        &mut self,
        key: &'a [u8],
        index: usize,
        element: &'a [u8],
        now_ms: u64,
    ) -> Result<PreparedList<'a>, WriteError> {
        self.prepare_list_edit(key, Edit::Insert(index, element), now_ms)
    }

    fn prepare_list_edit<'a>(
        &mut self,
        key: &'a [u8],
        edit: Edit<'a>,
        now_ms: u64,
    ) -> Result<PreparedList<'a>, WriteError> {
        fault::point();
        let hash = self.table.hash(key);
        let place = self.find_hashed(hash, key, now_ms);
        if let Some(place) = place {
            self.list_at(place)?;
        }
        let body = place.and_then(|place| self.table.record(place).body());
        let added = match &edit {
            Edit::Push(_, pushed) => pushed.elements().len(),
            Edit::Set(..) => 0,
            Edit::Insert(..) => 1,
        };
        let mut edit = Some(edit);
        self.with_memory(|table| {
            let there = place.map(|place| Elements::of(table, table.record(place)));
            let len = there.map_or(0, Elements::len) + added;
            if let (Some(Elements(ListForm::Large(list))), Some(number)) = (there, body) {
                let wanted = edit.as_ref().expect("it is taken once, at the end");
                wanted.reserve(list)?;
                let change = Change::Edit(number, edit.take().expect("as above"));
                return Ok(PreparedList { key, hash, len, change });
            }
            let packed = match there {
                Some(Elements(ListForm::Packed(packed))) => packed,
                _ => PackedList(b""),
            };
            let change = edit.as_ref().expect("as above").of_packed(table, packed, (hash, key), body)?;
            change.reserve(table, hash, key)?;
            Ok(PreparedList { key, hash, len, change })
        })
    }

    /// Makes a prepared change. Returns how many elements the list has then. Cannot fail or panic half-way.
    pub fn commit_list(&mut self, prepared: PreparedList<'_>) -> usize {
        let PreparedList { key, hash, len, change } = prepared;
        // No key is removed between prepare and commit.
        if let Change::Edit(number, edit) = change {
            self.changes.note_write(true, key);
            let noter = noter(&mut self.undo, self.changes.db, hash, key);
            self.table.with_body(number, |body| edit.make(body.list_mut(), noter));
            return len;
        }
        let place = self.table.find(hash, key);
        let record = place.map(|place| self.table.record(place));
        let (expires_ms, body) = (record.and_then(Record::expires_ms), record.and_then(Record::body));
        self.changes.note_write(place.is_some(), key);
        match change {
            Change::Edit(..) => unreachable!("it is made above"),
            Change::Packed(bytes) => {
                let over = body.is_some() && !fits_block(key.len(), bytes.len());
                let content = if over { Content::Over(&bytes) } else { Content::Small(&bytes) };
                self.write_item(place, hash, key, Kind::List, content, expires_ms);
            }
            Change::Body(body) => {
                self.write_item(place, hash, key, Kind::List, Content::Body(body), expires_ms);
            }
        }
        len
    }
}

impl<'a> Edit<'a> {
    /// Makes sure that there is memory for the edit of a large list.
    fn reserve(&self, list: &List) -> Result<(), OutOfMemory> {
        match self {
            Edit::Push(side, pushed) => {
                let elements = pushed.elements();
                let bytes = elements.iter().map(|element| element.len()).sum();
                match side {
                    Side::Left => list.try_reserve_front(elements.len(), bytes),
                    Side::Right => list.try_reserve_back(elements.len(), bytes),
                }
            }
            Edit::Set(index, element) => list.prepare_set(*index, element.len()),
            Edit::Insert(index, element) => list.prepare_insert(*index, element.len()),
        }
    }

    /// Edits a large list, once there is memory for it.
    fn make(&self, list: &mut List, noter: Option<Noter<'_>>) {
        if let Some(mut noter) = noter {
            match self {
                Edit::Push(side, pushed) => {
                    noter.push_elements(*side == Side::Right, pushed.elements().len());
                }
                Edit::Set(index, _) => noter.replace_element(list, *index),
                Edit::Insert(index, _) => noter.insert_element(*index),
            }
        }
        match self {
            Edit::Push(side, pushed) => {
                for element in pushed.elements() {
                    match side {
                        Side::Left => list.push_front(element),
                        Side::Right => list.push_back(element),
                    }
                }
            }
            Edit::Set(index, element) => {
                list.set(*index, element);
            }
            Edit::Insert(index, element) => list.insert(*index, element),
        }
    }

    /// The change that edits a packed list. `body` is the number of the body that it is in.
    fn of_packed(
        &self,
        table: &Table,
        packed: PackedList<'_>,
        (hash, key): (u64, &[u8]),
        body: Option<u32>,
    ) -> Result<Change<'a>, OutOfMemory> {
        let added: usize = match self {
            Edit::Push(_, pushed) => pushed.elements().iter().map(|element| packed_size(element.len())).sum(),
            Edit::Set(_, element) | Edit::Insert(_, element) => packed_size(element.len()),
        };
        let len = packed.0.len() + added;
        if len > PACKED_BYTES_MAX {
            let mut list = List::from_packed(packed)?;
            self.reserve(&list)?;
            self.make(&mut list, None);
            return Ok(Change::Body(Body::with_large(hash, key, list)?));
        }
        let mut bytes = Vec::new();
        memory::reserve_exact(&mut bytes, len)?;
        let mut add = |element: &[u8]| push_packed(&mut bytes, element);
        match self {
            Edit::Push(Side::Left, pushed) => {
                pushed.elements().iter().rev().copied().chain(packed.iter()).for_each(&mut add);
            }
            Edit::Push(Side::Right, pushed) => {
                packed.iter().chain(pushed.elements().iter().copied()).for_each(&mut add)
            }
            Edit::Set(index, element) => {
                packed
                    .iter()
                    .take(*index)
                    .chain([*element])
                    .chain(packed.iter().skip(index + 1))
                    .for_each(&mut add);
            }
            Edit::Insert(index, element) => {
                packed
                    .iter()
                    .take(*index)
                    .chain([*element])
                    .chain(packed.iter().skip(*index))
                    .for_each(&mut add);
            }
        }
        let takes = |number: u32| table.bodies.get(number).takes(bytes.len());
        if fits_block(key.len(), bytes.len()) || body.is_some_and(takes) {
            return Ok(Change::Packed(bytes));
        }
        Ok(Change::Body(Body::new(hash, key, [&bytes, b""])?))
    }
}

impl Change<'_> {
    /// Reserves room in the keyspace's table for the record of `key`.
    fn reserve(&self, table: &mut Table, hash: u64, key: &[u8]) -> Result<(), WriteError> {
        let (bytes, bodies) = match self {
            Change::Packed(bytes) if fits_block(key.len(), bytes.len()) => {
                (Prepared::small_record_bytes(key, bytes), 0)
            }
            Change::Packed(_) | Change::Edit(..) => (RECORD_MAX, 0),
            Change::Body(_) => (RECORD_MAX, 1),
        };
        table.reserve_record(hash, key, bytes, bodies)
    }
}

impl Body {
    /// The list, to be changed.
    ///
    /// # Panics
    /// If the body has no large list.
    pub(super) fn list_mut(&mut self) -> &mut List {
        match self.large_mut() {
            Some(Large::List(list)) => &mut list.value,
            _ => panic!("no list is in the body"),
        }
    }
}
