//! Databases: keyspaces with numbers, each with a table of its own. One of them is selected, and all operations of the
//! store that do not name a database work on it.
//!
//! The selected table lies in the store itself, so an operation does not pay for the others. To select another
//! database swaps two tables, which takes some ten nanoseconds.

use super::Store;
use super::journal::What;
use super::segment::Segment;
use super::table::Table;
use crate::base::{OutOfMemory, fault, memory};

/// About how many bytes an empty database takes.
const EMPTY_BYTES: usize = size_of::<Table>() + 2 * size_of::<Segment>() + 1024;

/// The databases that are not selected.
#[derive(Debug, Default)]
pub struct Others {
    /// The number of the selected database.
    selected: u16,
    /// The tables by number: `None` for the selected database, and for those that were never used.
    tables: Vec<Option<Box<Table>>>,
    /// Memory that these tables hold, in bytes.
    pub(super) memory: usize,
    /// When the sweep is due next in one of them, in Unix milliseconds, and in which.
    due: Option<(u64, u16)>,
    /// One that holds memory which it does not need.
    loose: Option<u16>,
}

/// The size of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Number of keys. Counts a key whose time of expiry has passed until the store removes it.
    pub keys: usize,
    /// Number of keys with a time of expiry.
    pub expiring: usize,
}

impl Store {
    /// The number of the selected database.
    #[inline]
    pub fn selected(&self) -> u16 {
        self.others.selected
    }

    /// Selects a database.
    #[inline]
    pub fn select(&mut self, db: u16) {
        if db != self.others.selected {
            self.switch(db);
        }
    }

    /// Makes sure that database `db` can be selected without asking for memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the headroom is not free any more.
    pub fn prepare_database(&mut self, db: u16) -> Result<(), OutOfMemory> {
        fault::point();
        let is_there = self.others.tables.get(usize::from(db)).is_some_and(Option::is_some);
        if db != self.others.selected && !is_there {
            memory::charge(EMPTY_BYTES)?;
            self.put_aside(db, Box::new(self.table.sibling()));
            self.survey();
        }
        Ok(())
    }

    /// True if `key` of database `db` exists and has not expired. It has no point at which a test could make it panic: it
    /// also runs after a command, when its effects are passed on.
    pub fn contains_in(&mut self, db: u16, key: &[u8], now_ms: u64) -> bool {
        self.within(db, |store| store.find(key, now_ms).is_some())
    }

    /// Calls `act` while database `db` is selected.
    pub(super) fn within<T>(&mut self, db: u16, act: impl FnOnce(&mut Store) -> T) -> T {
        let here = self.selected();
        self.select(db);
        let done = act(self);
        self.select(here);
        done
    }

    /// The databases that have keys, by number.
    pub fn sizes(&self) -> impl Iterator<Item = (u16, Size)> {
        let count = self.others.tables.len().max(usize::from(self.others.selected) + 1);
        (0..count as u16).filter_map(|db| {
            let table = self.table_of(db)?;
            (table.len() > 0).then(|| (db, Size { keys: table.len(), expiring: table.expiring }))
        })
    }

    /// Swaps two databases: the keys of each are then in the other.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is no memory for an empty database.
    pub fn swap_databases(&mut self, one: u16, other: u16) -> Result<(), OutOfMemory> {
        self.prepare_database(one)?;
        self.prepare_database(other)?;
        if one == other {
            return Ok(());
        }
        self.save_swap(one, other);
        self.exchange(one, other);
        for db in [one, other] {
            self.within(db, |store| store.changes.note(What::Swapped, b""));
        }
        Ok(())
    }

    /// Swaps the tables of two different databases, both of which were used before.
    pub(super) fn exchange(&mut self, one: u16, other: u16) {
        self.within(one, |store| {
            if let Some(there) = &mut store.others.tables[usize::from(other)] {
                std::mem::swap(&mut store.table, there);
            }
            store.survey();
        });
    }

    /// Removes every key of every database.
    pub fn clear_all(&mut self) {
        let used: Vec<u16> = self.sizes().map(|(db, _)| db).collect();
        for db in used {
            self.within(db, Store::clear);
        }
    }

    /// The database in which the sweep is due next, and when, in Unix milliseconds.
    pub(super) fn next_due(&self) -> Option<(u64, u16)> {
        let here = self.table.next_expiry().map(|at_ms| (at_ms, self.selected()));
        here.into_iter().chain(self.others.due).min()
    }

    /// A database that holds memory which it does not need.
    pub(super) fn loose_database(&self) -> Option<u16> {
        if self.table.is_loose() { Some(self.selected()) } else { self.others.loose }
    }

    /// The table of a database, if it was ever used.
    pub(super) fn table_of(&self, db: u16) -> Option<&Table> {
        if db == self.others.selected {
            return Some(&self.table);
        }
        self.others.tables.get(usize::from(db))?.as_deref()
    }

    #[cold]
    fn switch(&mut self, db: u16) {
        let there = self.others.tables.get_mut(usize::from(db)).and_then(Option::take);
        let mut table = there.unwrap_or_else(|| Box::new(self.table.sibling()));
        std::mem::swap(&mut *table, &mut self.table);
        self.put_aside(self.others.selected, table);
        self.others.selected = db;
        self.changes.db = db;
        self.survey();
    }

    fn put_aside(&mut self, db: u16, table: Box<Table>) {
        let db = usize::from(db);
        if db >= self.others.tables.len() {
            self.others.tables.resize_with(db + 1, || None);
        }
        self.others.tables[db] = Some(table);
    }

    /// Audits the tables that are not selected, and what the store knows of them. For tests.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(super) fn audit_databases(&self) {
        let tables = || self.others.tables.iter().flatten();
        tables().for_each(|table| table.audit());
        let memory: usize = tables().map(|table| size_of::<Table>() + table.memory()).sum();
        assert_eq!(memory, self.others.memory, "the memory of the databases is counted wrong");
        let due = tables().filter_map(|table| table.next_expiry()).min();
        assert_eq!(due, self.others.due.map(|(at_ms, _)| at_ms), "a database is swept too late");
    }

    /// Notes what the store must know of the tables that are not selected.
    fn survey(&mut self) {
        let Others { tables, memory, due, loose, .. } = &mut self.others;
        (*memory, *due, *loose) = (0, None, None);
        for (db, table) in (0..).zip(tables).filter_map(|(db, table)| Some((db, table.as_ref()?))) {
            *memory += size_of::<Table>() + table.memory();
            let next = table.next_expiry().map(|at_ms| (at_ms, db));
            *due = (*due).into_iter().chain(next).min();
            *loose = loose.or(table.is_loose().then_some(db));
        }
    }
}
