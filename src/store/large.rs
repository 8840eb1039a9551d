//! Large values. Each lies in a structure of its own, beside its key, and may take long to free.

use super::discard::Freed;
use super::table::Table;

/// Most bytes of a value that is freed at once.
const SMALL_BYTES: usize = 64 << 10;
/// Most pieces of memory of a value that is freed at once.
const SMALL_PIECES: usize = 16;

/// A key and its large value.
#[derive(Debug)]
pub struct Large {
    pub key: Vec<u8>,
    pub value: Value,
}

/// A large value.
#[derive(Debug)]
pub enum Value {
    /// The fields of a hash with their values, or the members of a set: each one is an item that holds a string.
    Map(Table),
}

impl Large {
    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        let value = match &self.value {
            Value::Map(table) => table.memory(),
        };
        size_of::<Large>() + self.key.capacity() + value
    }

    /// True if it is so small that it may be freed at once.
    pub fn is_small(&self) -> bool {
        let pieces = match &self.value {
            Value::Map(table) => table.bodies.len(),
        };
        self.memory() <= SMALL_BYTES && pieces <= SMALL_PIECES
    }

    /// Frees one piece.
    pub fn free_piece(&mut self) -> Freed {
        match &mut self.value {
            Value::Map(table) => table.free_piece(),
        }
    }
}
