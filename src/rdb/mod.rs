//! One value in Redis's RDB format, as DUMP writes it and RESTORE reads it. `functions` has the libraries of functions.
//!
//! ```text
//! type (1 byte)  value  version (2 bytes, little endian)  CRC-64 of all bytes before it (8 bytes, little endian)
//! ```
//!
//! [`decode`] reads every type and encoding that Redis writes up to version 7.4, and refuses modules and all other
//! types. The functions of [`encode`] write what Redis 7.0 and newer read.
//!
//! **Decoding trusts nothing.** A client may send any bytes, with a right checksum. Each length is compared with the
//! bytes that are left. There is no recursion: a container within a value holds strings and integers only. What
//! Redis's own check refuses is refused here too: duplicates, scores that are not numbers, empty collections, lengths
//! that contradict each other.
//!
//! **Decoding keeps memory in proportion.** No announced length or count allocates. Elements are copied, one behind the
//! other, into the few vectors of a [`Value`]. Let P be the bytes of the payload plus the bytes that its compressed strings
//! inflate to. The caller limits the latter; without a limit they are at most 88 times the payload. A value needs at most
//! 4 P bytes (the worst are integers of two bytes, which become text of up to six), and a stream of only groups 7 P. Because
//! vectors double, they may hold twice that. The search for duplicates needs 24 bytes an element for a moment. All in all,
//! decoding asks for less than 24 P bytes, and a test holds that; the worst payloads of that test need 10.
//!
//! A [`Value`] is owned and complete, so the keyspace can count its elements, reserve its own memory, and then commit
//! without any step that fails. With a visitor, the keyspace would have to undo half a value after each bad payload.
//! The price is one more copy for a moment. Dropping a value frees a fixed number of allocations.

mod crc64;
mod cursor;
mod decode;
mod decode_stream;
mod element;
pub mod encode;
mod encode_stream;
mod functions;
mod intset;
mod listpack;
mod lzf;
mod reader;
mod stream;
mod strings;
#[cfg(test)]
mod tests;
mod ziplist;
mod zipmap;

pub use decode::decode;
pub use encode_stream::StreamDump;
pub use functions::{Libraries, LibraryError, dump_libraries};
pub use stream::{Consumer, Consumers, Entries, Entry, Fields, Group, Groups, Pending, Stream, StreamId};
pub use strings::{Iter, Strings};

use crate::base::OutOfMemory;

/// Newest version of the format that [`decode`] reads: that of Redis 7.4.
pub const VERSION_MAX: u16 = 12;
/// Version that [`encode`] writes: that of Redis 7.0. Newer servers read it too.
const VERSION_WRITTEN: u16 = 10;
/// Version that it writes for a hash with fields that expire: only Redis 7.4 and newer know such hashes.
const VERSION_TIMED: u16 = 12;
/// Latest time at which a field may expire, in Unix milliseconds. Redis has the same limit.
pub const FIELD_EXPIRY_MS_MAX: u64 = 0x3fff_ffff_ffff;

/// Bytes of version and checksum.
const FOOTER_BYTES: usize = 10;

/// Why a payload was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The payload is too short, is of a newer version, or does not have the checksum that it names.
    BadFrame,
    /// The payload contradicts itself, or has a type that is not known here.
    BadFormat,
    /// There is not enough memory for the value.
    OutOfMemory,
}

impl From<OutOfMemory> for DecodeError {
    fn from(_: OutOfMemory) -> DecodeError {
        DecodeError::OutOfMemory
    }
}

/// A decoded value. No collection is empty, except a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    String(Vec<u8>),
    /// The elements of a list, from the head to the tail.
    List(Strings),
    /// The members of a set. They all differ.
    Set(Strings),
    /// A sorted set, in the order of the payload, which may be any order.
    Zset {
        /// The members. They all differ.
        members: Strings,
        /// The scores of the members, in the same order. None is NaN.
        scores: Vec<f64>,
    },
    /// Each field of a hash, followed by its value. The fields all differ. [`Strings::pairs`] walks over them.
    Hash(Strings),
    /// A hash with fields that may expire.
    TimedHash {
        /// As in [`Value::Hash`].
        pairs: Strings,
        /// When each field expires, in Unix milliseconds, in the same order. `None` means never.
        expiries: Vec<Option<u64>>,
    },
    /// A stream.
    Stream(Stream),
}

mod kind {
    //! The first byte of a payload.

    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    /// With scores as text.
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    /// With scores as eight bytes.
    pub const ZSET_2: u8 = 5;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    /// A list in ziplists.
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    /// A list in listpacks, with long elements for themselves.
    pub const LIST_QUICKLIST_2: u8 = 18;
    /// Also knows the first entry, the newest deleted one, and how many were ever added.
    pub const STREAM_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    /// Also knows when each consumer was last active.
    pub const STREAM_3: u8 = 21;
    /// With a time of expiry for each field, relative to the earliest one.
    pub const HASH_TIMED: u8 = 24;
    /// In a listpack, with a time of expiry behind each value.
    pub const HASH_TIMED_LISTPACK: u8 = 25;
}

mod form {
    //! How a string is written: the low six bits of a length byte whose two high bits are set. And how a node of a
    //! list is.

    pub const INT8: u8 = 0;
    pub const INT16: u8 = 1;
    pub const INT32: u8 = 2;
    pub const LZF: u8 = 3;

    /// A node that is one element.
    pub const NODE_PLAIN: u64 = 1;
    /// A node that is a listpack of elements.
    pub const NODE_PACKED: u64 = 2;
}
