//! A packed hash: the fields and values of a small hash, one after the other, in the order in which they
//! were added.
//!
//! ```text
//! length of the field  length of the value  field  value
//! ```
//!
//! A length below 128 takes one byte, a longer one two. A search walks over all fields before the one that
//! it wants, so the number of fields is bounded. A value that changes its length moves all bytes behind it,
//! so the number of bytes is bounded too.

use super::Pair;
use crate::base::{OutOfMemory, memory};

/// Most fields of a packed hash: Redis's default of `hash-max-listpack-entries`.
pub const PACKED_FIELDS_MAX: usize = 128;
/// Most bytes of a packed hash: room for [`PACKED_FIELDS_MAX`] fields and values of 64 bytes each, which is
/// Redis's default of `hash-max-listpack-value`. So every hash that Redis packs by default is packed here.
pub const PACKED_BYTES_MAX: usize = PACKED_FIELDS_MAX * (2 + 2 * 64);
const _: () = assert!(PACKED_BYTES_MAX < 1 << 15, "a length fits 15 bits");

/// The bit in the first byte of a length that says that a second byte follows.
const LONG: u8 = 0x80;

/// The bytes of a packed hash, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a>(pub &'a [u8]);

impl<'a> Packed<'a> {
    /// The fields and their values, in the order in which they were added.
    pub fn iter(self) -> impl Iterator<Item = Pair<'a>> + Clone {
        self.entries().map(|entry| (entry.field, entry.value))
    }

    /// Number of fields.
    pub fn len(self) -> usize {
        self.entries().count()
    }

    /// The value of `field`, if the hash has that field.
    pub fn get(self, field: &[u8]) -> Option<&'a [u8]> {
        self.entries().find(|entry| entry.field == field).map(|entry| entry.value)
    }

    fn entries(self) -> Entries<'a> {
        Entries { bytes: self.0, at: 0 }
    }
}

/// A field with its value.
struct Entry<'a> {
    field: &'a [u8],
    value: &'a [u8],
    /// Where the entry begins in the packed bytes, with its lengths.
    start: usize,
    /// Where the entry ends in the packed bytes.
    end: usize,
}

/// Walks over the entries of a packed hash.
#[derive(Clone)]
struct Entries<'a> {
    bytes: &'a [u8],
    /// Where the next entry begins.
    at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let start = self.at;
        if start == self.bytes.len() {
            return None;
        }
        let field_len = self.length();
        let value_len = self.length();
        let (field_end, end) = (self.at + field_len, self.at + field_len + value_len);
        let (field, value) = (&self.bytes[self.at..field_end], &self.bytes[field_end..end]);
        self.at = end;
        Some(Entry { field, value, start, end })
    }
}

impl Entries<'_> {
    /// Reads the length at the current position, and moves behind it.
    fn length(&mut self) -> usize {
        let first = self.bytes[self.at];
        self.at += 1;
        if first < LONG {
            return usize::from(first);
        }
        self.at += 1;
        usize::from(first & !LONG) << 8 | usize::from(self.bytes[self.at - 1])
    }
}

/// A packed hash that is being written.
#[derive(Debug, Default)]
pub struct Packing {
    bytes: Vec<u8>,
    /// Number of fields.
    len: usize,
}

impl Packing {
    /// A copy of `packed`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn copy(packed: Packed<'_>) -> Result<Packing, OutOfMemory> {
        let mut bytes = Vec::new();
        // Room for one short field more: most commands add or change just one.
        memory::reserve_exact(&mut bytes, packed.0.len() + 64)?;
        bytes.extend_from_slice(packed.0);
        Ok(Packing { bytes, len: packed.len() })
    }

    /// Gives `field` this value. Returns false, and changes nothing, if the hash would then have too many
    /// fields or bytes to be packed.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> Result<bool, OutOfMemory> {
        let added = size(field, value);
        if added > PACKED_BYTES_MAX {
            return Ok(false);
        }
        let old = Packed(&self.bytes).entries().find(|entry| entry.field == field);
        let place = old.map_or(self.bytes.len()..self.bytes.len(), |entry| entry.start..entry.end);
        let fields = self.len + usize::from(place.is_empty());
        if fields > PACKED_FIELDS_MAX || self.bytes.len() - place.len() + added > PACKED_BYTES_MAX {
            return Ok(false);
        }
        memory::reserve(&mut self.bytes, added)?;
        self.len = fields;
        let (start, tail) = (place.start, self.bytes.len() - place.end);
        // The field must keep its place in the order. So the new entry is written at the end, and then
        // changes places with all entries that were behind the old one.
        self.bytes.drain(place);
        push_length(&mut self.bytes, field.len());
        push_length(&mut self.bytes, value.len());
        self.bytes.extend_from_slice(field);
        self.bytes.extend_from_slice(value);
        self.bytes[start..].rotate_left(tail);
        Ok(true)
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The packed bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Moves the entries for whose field `keep` returns true to the front of the packed `bytes`. Returns how
/// many bytes they take.
pub fn retain(bytes: &mut [u8], mut keep: impl FnMut(&[u8]) -> bool) -> usize {
    let (mut kept, mut at) = (0, 0);
    loop {
        let mut rest = Entries { bytes, at };
        let Some(Entry { field, start, end, .. }) = rest.next() else { return kept };
        at = end;
        if keep(field) {
            bytes.copy_within(start..end, kept);
            kept += end - start;
        }
    }
}

/// Bytes that `field` and `value` take with their lengths.
fn size(field: &[u8], value: &[u8]) -> usize {
    let length = |bytes: &[u8]| if bytes.len() < usize::from(LONG) { 1 } else { 2 };
    length(field) + length(value) + field.len() + value.len()
}

/// Appends a length.
fn push_length(bytes: &mut Vec<u8>, len: usize) {
    if len >= usize::from(LONG) {
        bytes.push(LONG | (len >> 8) as u8);
    }
    bytes.push(len as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_found_in_its_order() {
        let mut packing = Packing::default();
        let lengths = [0, 1, 127, 128, 300, 5_000];
        for len in lengths {
            assert_eq!(packing.set(&vec![7; len], &[8; 200]), Ok(true));
        }
        for (nth, len) in lengths.into_iter().enumerate() {
            assert_eq!(packing.set(&vec![7; len], &vec![9; nth * 60]), Ok(true));
            let packed = Packed(packing.bytes());
            assert!(packed.iter().map(|(field, _)| field.len()).eq(lengths), "the order has changed");
            assert_eq!(packed.get(&vec![7; len]), Some(&vec![9; nth * 60][..]));
            assert_eq!((packed.len(), packing.len()), (lengths.len(), lengths.len()));
        }
        let mut bytes = packing.bytes().to_vec();
        let kept = retain(&mut bytes, |field| field.len() % 2 == 1);
        assert!(Packed(&bytes[..kept]).iter().map(|(field, _)| field.len()).eq([1, 127]));
        assert_eq!(retain(&mut bytes[..kept], |_| false), 0);
    }

    #[test]
    fn it_takes_so_many_fields_and_bytes_and_no_more() {
        let mut packing = Packing::default();
        for n in 0..PACKED_FIELDS_MAX {
            assert_eq!(packing.set(&[n as u8; 64], &[0; 64]), Ok(true));
        }
        let before = packing.bytes().to_vec();
        assert_eq!(packing.set(b"one more", b""), Ok(false));
        assert_eq!(packing.set(&[0; 64], &[0; 65]), Ok(false));
        assert_eq!(packing.set(&[0; 64], &[0; 1 << 20]), Ok(false));
        assert_eq!(packing.bytes(), before);
        assert_eq!(packing.set(&[0; 64], b""), Ok(true));
    }
}
