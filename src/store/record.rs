//! A record: the bytes of an item in a block.
//!
//! ```text
//! small   flags  key length  value length  [expiry, 8 bytes]  key  string or packed value
//! large   flags  number of the body, 4 bytes  [expiry, 8 bytes]
//! ```
//!
//! The flags and the lengths take one byte each. The expiry is there only if its flag is set, so keys that
//! never expire do not pay for it. Three bits of the flags tell the kind of value.

use std::ops::Range;

/// Longest key and value together that lie in a block. Each length fits a byte, and a record is so
/// much shorter than a block that little is lost at its end.
pub const INLINE_MAX: usize = 255;
/// Most bytes of a record.
pub const RECORD_MAX: usize = SMALL_HEADER + EXPIRY + INLINE_MAX;

/// Bytes of a small record before the expiry.
const SMALL_HEADER: usize = 3;
/// Bytes of a large record before the expiry.
const LARGE_HEADER: usize = 5;
/// Bytes of the expiry.
const EXPIRY: usize = 8;
/// Flag: the record has an expiry.
const EXPIRES: u8 = 1;
/// Flag: the record names a body.
const LARGE: u8 = 2;
/// The lowest of the bits that tell the kind of value.
const KIND_SHIFT: u32 = 2;
/// The bits that tell the kind of value. A string has none of them.
const KIND: u8 = 7 << KIND_SHIFT;

/// The kind of value that a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string of bytes.
    String,
    /// A hash: fields and their values.
    Hash,
    /// A set: members, each of them once.
    Set,
    /// A list: elements in an order.
    List,
    /// A sorted set: members, each of them once, in the order of their scores.
    Zset,
    /// A stream: entries in the order of their ids.
    Stream,
}

impl Kind {
    /// All kinds. The number of a kind in a record is its place here.
    pub const ALL: [Kind; 6] = [Kind::String, Kind::Hash, Kind::Set, Kind::List, Kind::Zset, Kind::Stream];

    /// The name with which `TYPE` answers.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Hash => "hash",
            Kind::Set => "set",
            Kind::List => "list",
            Kind::Zset => "zset",
            Kind::Stream => "stream",
        }
    }
}

/// A record, to be read. The slice begins with the record and may be longer.
#[derive(Clone, Copy)]
pub struct Record<'a>(pub &'a [u8]);

impl<'a> Record<'a> {
    /// The number of the body, if the item is large.
    #[inline]
    pub fn body(self) -> Option<u32> {
        (self.0[0] & LARGE != 0).then(|| u32::from_le_bytes(array(self.0, 1)))
    }

    /// True for a small string. It is the most frequent case, and one test is enough to tell.
    #[inline]
    pub fn is_small_string(self) -> bool {
        self.0[0] & (LARGE | KIND) == 0
    }

    /// The kind of value.
    #[inline]
    pub fn kind(self) -> Kind {
        Kind::ALL[usize::from((self.0[0] & KIND) >> KIND_SHIFT)]
    }

    /// When the item expires, in Unix milliseconds; `None` if it never does.
    #[inline]
    pub fn expires_ms(self) -> Option<u64> {
        (self.0[0] & EXPIRES != 0).then(|| u64::from_le_bytes(array(self.0, self.header())))
    }

    /// The key of a small item.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        let start = self.start();
        &self.0[start..start + usize::from(self.0[1])]
    }

    /// The value of a small item.
    #[inline]
    pub fn value(self) -> &'a [u8] {
        let start = self.start() + usize::from(self.0[1]);
        &self.0[start..start + usize::from(self.0[2])]
    }

    /// Where the value lies, if this is a small item of this kind, with a value of `len` bytes and without an
    /// expiry time.
    #[inline]
    pub fn value_range(self, kind: Kind, len: usize) -> Option<Range<usize>> {
        let start = SMALL_HEADER + usize::from(self.0[1]);
        (self.0[0] == flags(kind, None) && usize::from(self.0[2]) == len).then(|| start..start + len)
    }

    /// The bytes of the record itself.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        let small = if self.0[0] & LARGE == 0 { usize::from(self.0[1]) + usize::from(self.0[2]) } else { 0 };
        &self.0[..self.start() + small]
    }

    /// Bytes before the expiry.
    #[inline]
    fn header(self) -> usize {
        if self.0[0] & LARGE == 0 { SMALL_HEADER } else { LARGE_HEADER }
    }

    /// Bytes before the key, or of a whole large record.
    #[inline]
    fn start(self) -> usize {
        self.header() + if self.0[0] & EXPIRES == 0 { 0 } else { EXPIRY }
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("N bytes are N bytes")
}

/// A record that is being written.
pub struct Draft {
    bytes: [u8; RECORD_MAX],
    len: usize,
}

impl Draft {
    /// The record of a small item. The value comes in two parts, one after the other; the second may be
    /// empty.
    ///
    /// # Panics
    /// If key and value together are longer than [`INLINE_MAX`].
    #[inline]
    pub fn small(kind: Kind, key: &[u8], value: [&[u8]; 2], expires_ms: Option<u64>) -> Draft {
        let value_len = value[0].len() + value[1].len();
        assert!(key.len() + value_len <= INLINE_MAX, "too long for a block");
        let mut draft = Draft { bytes: [0; RECORD_MAX], len: 0 };
        draft.push(&[flags(kind, expires_ms), key.len() as u8, value_len as u8]);
        draft.push_expiry(expires_ms);
        draft.push(key);
        draft.push(value[0]);
        draft.push(value[1]);
        draft
    }

    /// The record of an item whose key and value are in body number `body`.
    pub fn large(kind: Kind, body: u32, expires_ms: Option<u64>) -> Draft {
        let mut draft = Draft { bytes: [0; RECORD_MAX], len: 0 };
        draft.push(&[LARGE | flags(kind, expires_ms)]);
        draft.push(&body.to_le_bytes());
        draft.push_expiry(expires_ms);
        draft
    }

    /// A copy of `record`.
    #[inline]
    pub fn copy(record: Record<'_>) -> Draft {
        let mut draft = Draft { bytes: [0; RECORD_MAX], len: 0 };
        draft.push(record.bytes());
        draft
    }

    /// The finished record.
    #[inline]
    pub fn record(&self) -> Record<'_> {
        Record(&self.bytes[..self.len])
    }

    fn push_expiry(&mut self, expires_ms: Option<u64>) {
        if let Some(at) = expires_ms {
            self.push(&at.to_le_bytes());
        }
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

fn flags(kind: Kind, expires_ms: Option<u64>) -> u8 {
    (kind as u8) << KIND_SHIFT | if expires_ms.is_some() { EXPIRES } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let expiries = [None, Some(0), Some(u64::MAX)];
        for (kind, expires_ms) in Kind::ALL.into_iter().flat_map(|k| expiries.map(|e| (k, e))) {
            for (key, value) in [(&b""[..], &b""[..]), (b"k", b""), (b"", b"v"), (&[7; 200], &[8; 55])] {
                let (one, two) = value.split_at(value.len() / 2);
                let draft = Draft::small(kind, key, [one, two], expires_ms);
                let mut block = draft.record().bytes().to_vec();
                block.extend([0xff; 9]);
                let record = Record(&block);
                assert_eq!((record.key(), record.value()), (key, value));
                assert_eq!((record.expires_ms(), record.body()), (expires_ms, None));
                assert_eq!((record.kind(), record.is_small_string()), (kind, kind == Kind::String));
                assert_eq!(record.bytes(), draft.record().bytes());
            }
            let draft = Draft::large(kind, 0x0102_0304, expires_ms);
            assert_eq!((draft.record().kind(), draft.record().is_small_string()), (kind, false));
            assert_eq!(draft.record().body(), Some(0x0102_0304));
            assert_eq!(draft.record().expires_ms(), expires_ms);
            assert_eq!(Draft::copy(draft.record()).record().bytes(), draft.record().bytes());
        }
    }
}
