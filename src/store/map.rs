//! A hash as a command reads it, whatever form it is kept in. Its fields may expire, each at a time of its own.

use super::Pair;
use super::large::Large;
use super::packed::Packed;
use super::record::Record;
use super::table::Table;
use super::walk::{self, Choice, Dice, is_live};
use crate::base::OutOfMemory;

/// A field, its value, and when it expires, in Unix milliseconds.
pub type Field<'a> = (&'a [u8], &'a [u8], Option<u64>);

/// The fields of a key and their values, to be read. Fields that have expired are not seen.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    pub(super) form: Form<'a>,
    /// The time of day, in Unix milliseconds.
    now_ms: u64,
}

/// The form in which a map is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<'a> {
    /// Packed, in its record or in a body.
    Packed(Packed<'a>),
    /// In a table of its own.
    Table(&'a Table),
}

impl<'a> Map<'a> {
    /// The map that `record` holds. `table` is the table of the record.
    pub(super) fn of(table: &'a Table, record: Record<'a>, now_ms: u64) -> Map<'a> {
        let form = match table.large_of(record) {
            Some(Large::Map(fields)) => Form::Table(&fields.value),
            _ => Form::Packed(table.packed(table.value_of(record))),
        };
        Map { form, now_ms }
    }

    /// Number of fields. Takes longer if some have expired that the sweep has not removed yet.
    #[allow(clippy::len_without_is_empty)] // a hash without fields is no hash
    pub fn len(self) -> usize {
        match self.form {
            Form::Packed(packed) => packed.len(),
            Form::Table(table) => table.len() - table.overdue(self.now_ms),
        }
    }

    /// Number of fields, with those that have expired and that the sweep has not removed yet.
    pub(super) fn kept(self) -> usize {
        match self.form {
            Form::Packed(packed) => packed.len(),
            Form::Table(table) => table.len(),
        }
    }

    /// True if a field may expire.
    pub fn has_expiries(self) -> bool {
        matches!(self.form, Form::Table(table) if table.expiring > 0)
    }

    /// True if a field has ever had a time of expiry.
    pub fn may_expire(self) -> bool {
        matches!(self.form, Form::Table(table) if table.admits_expiries())
    }

    /// The value of `field`; `None` if the hash has no such field.
    pub fn get(self, field: &[u8]) -> Option<&'a [u8]> {
        match self.form {
            Form::Packed(packed) => packed.get(field),
            Form::Table(table) => {
                let record = table.record(table.find(table.hash(field), field)?);
                is_live(record, self.now_ms).then(|| table.value_of(record))
            }
        }
    }

    /// When `field` expires, in Unix milliseconds: `None` if there is no such field, `Some(None)` if it never expires.
    pub fn expiry(self, field: &[u8]) -> Option<Option<u64>> {
        match self.form {
            Form::Packed(packed) => packed.get(field).map(|_| None),
            Form::Table(table) => {
                let record = table.record(table.find(table.hash(field), field)?);
                is_live(record, self.now_ms).then(|| record.expires_ms())
            }
        }
    }

    /// True if the hash has this field.
    pub fn contains(self, field: &[u8]) -> bool {
        self.expiry(field).is_some()
    }

    /// All fields and their values. A packed hash yields them in the order in which they were added, another
    /// one in the order of its table. The order stays the same as long as the hash does not change.
    pub fn iter(self) -> impl Iterator<Item = Pair<'a>> + Clone {
        self.fields().map(|(field, value, _)| (field, value))
    }

    /// As [`Map::iter`], with the times of expiry.
    pub fn fields(self) -> impl Iterator<Item = Field<'a>> + Clone {
        let (packed, table) = match self.form {
            Form::Packed(packed) => (Some(packed), None),
            Form::Table(table) => (None, Some(table)),
        };
        let packed = packed.into_iter().flat_map(Packed::iter).map(|(field, value)| (field, value, None));
        let table = table.into_iter().flat_map(move |table| {
            let live = table.records().filter(move |record| is_live(*record, self.now_ms));
            live.map(|record| (table.key_of(record), table.value_of(record), record.expires_ms()))
        });
        packed.chain(table)
    }

    /// `count` different random fields with their values, or all fields if the hash has no more.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn sample(self, count: usize, dice: &mut Dice) -> Result<Vec<Pair<'a>>, OutOfMemory> {
        walk::sample(self.choice(), count, dice, |dice| self.pick(dice), self.iter())
    }

    /// `count` random fields with their values; a field may be picked more than once.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn picks(self, count: usize, dice: &mut Dice) -> Result<Vec<Pair<'a>>, OutOfMemory> {
        walk::picks(self.choice(), count, dice, |dice| self.pick(dice), self.iter())
    }

    fn choice(self) -> Choice {
        let len = self.len();
        Choice { len, is_sparse: matches!(self.form, Form::Table(table) if table.is_sparse(len)) }
    }

    /// A random field and its value; every field is equally likely.
    pub fn pick(self, dice: &mut Dice) -> Option<Pair<'a>> {
        match self.form {
            Form::Packed(packed) => packed.iter().nth(below(packed.len(), dice.roll())),
            Form::Table(table) => Some(field_and_value(table, table.pick_live(dice, self.now_ms)?)),
        }
    }
}

/// The field and its value in a record of a hash's table.
pub(super) fn field_and_value<'a>(table: &'a Table, record: Record<'a>) -> Pair<'a> {
    (table.key_of(record), table.value_of(record))
}

/// Maps a random number of 64 bits to a number below `end`.
pub(super) fn below(end: usize, random: u64) -> usize {
    ((end as u128 * u128::from(random)) >> 64) as usize
}
