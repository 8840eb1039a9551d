//! Large values. Each lies in a structure of its own, beside its key, and may take long to free.

use super::discard::Freed;
use super::list::List;
use super::set::Set;
use super::stream::Stream;
use super::table::Table;
use super::zset::Zset;

/// Most bytes of a value that is freed at once.
const SMALL_BYTES: usize = 64 << 10;
/// Most pieces of memory of a value that is freed at once.
const SMALL_PIECES: usize = 16;

/// A large value with its key. The structures differ much in size, so each has a box of its own.
#[derive(Debug)]
pub enum Large {
    /// The fields of a hash with their values: each one is an item that holds a string.
    Map(Box<Keyed<Table>>),
    /// A set.
    Set(Box<Keyed<Set>>),
    /// A list.
    List(Box<Keyed<List>>),
    /// A sorted set.
    Zset(Box<Keyed<Zset>>),
    /// A stream.
    Stream(Box<Keyed<Stream>>),
}

/// A key and its value.
#[derive(Debug)]
pub struct Keyed<T> {
    pub key: Vec<u8>,
    pub value: T,
}

impl From<Keyed<Table>> for Large {
    fn from(keyed: Keyed<Table>) -> Large {
        Large::Map(Box::new(keyed))
    }
}

impl From<Keyed<Set>> for Large {
    fn from(keyed: Keyed<Set>) -> Large {
        Large::Set(Box::new(keyed))
    }
}

impl From<Keyed<List>> for Large {
    fn from(keyed: Keyed<List>) -> Large {
        Large::List(Box::new(keyed))
    }
}

impl From<Keyed<Zset>> for Large {
    fn from(keyed: Keyed<Zset>) -> Large {
        Large::Zset(Box::new(keyed))
    }
}

impl From<Keyed<Stream>> for Large {
    fn from(keyed: Keyed<Stream>) -> Large {
        Large::Stream(Box::new(keyed))
    }
}

impl Large {
    /// The key.
    pub fn key(&self) -> &Vec<u8> {
        match self {
            Large::Map(keyed) => &keyed.key,
            Large::Set(keyed) => &keyed.key,
            Large::List(keyed) => &keyed.key,
            Large::Zset(keyed) => &keyed.key,
            Large::Stream(keyed) => &keyed.key,
        }
    }

    /// Gives the value to another key.
    pub fn set_key(&mut self, key: Vec<u8>) {
        match self {
            Large::Map(keyed) => keyed.key = key,
            Large::Set(keyed) => keyed.key = key,
            Large::List(keyed) => keyed.key = key,
            Large::Zset(keyed) => keyed.key = key,
            Large::Stream(keyed) => keyed.key = key,
        }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        let value = match self {
            Large::Map(keyed) => size_of_val(&**keyed) + keyed.value.memory(),
            Large::Set(keyed) => size_of_val(&**keyed) + keyed.value.memory(),
            Large::List(keyed) => size_of_val(&**keyed) + keyed.value.memory(),
            Large::Zset(keyed) => size_of_val(&**keyed) + keyed.value.memory(),
            Large::Stream(keyed) => size_of_val(&**keyed) + keyed.value.memory(),
        };
        self.key().capacity() + value
    }

    /// True if it is so small that it may be freed at once.
    pub fn is_small(&self) -> bool {
        let pieces = match self {
            Large::Map(keyed) => keyed.value.bodies.len(),
            // Its integers lie in pieces of dozens of bytes at least.
            Large::Set(keyed) => keyed.value.texts.bodies.len(),
            // Its nodes are several kilobytes long.
            Large::List(_) => 0,
            // Its pieces are longer than a kilobyte, so a small one has few.
            Large::Zset(_) => 0,
            // Each node and each consumer takes more than a hundred bytes.
            Large::Stream(_) => 0,
        };
        self.memory() <= SMALL_BYTES && pieces <= SMALL_PIECES
    }

    /// Frees one piece.
    pub fn free_piece(&mut self) -> Freed {
        match self {
            Large::Map(keyed) => keyed.value.free_piece(),
            Large::Set(keyed) => keyed.value.free_piece(),
            Large::List(keyed) => Freed::of(keyed.value.free_piece()),
            Large::Zset(keyed) => Freed::of(keyed.value.free_piece()),
            Large::Stream(keyed) => Freed::of(keyed.value.free_piece()),
        }
    }
}
