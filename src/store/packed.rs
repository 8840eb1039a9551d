//! A small hash: its fields and values one behind the other, in the order in which they came.
//!
//! ```text
//! length of the field  length of the value  field  value
//! ```
//!
//! A length takes one byte, or two from 128 on. A field is found by walking over those before it, so
//! the number of fields is bounded, and so are the bytes, which move when a field changes its length.

use super::Pair;
use crate::base::{OutOfMemory, memory};

/// Fields of a packed hash, at most: Redis's default of `hash-max-listpack-entries`.
pub const PACKED_FIELDS_MAX: usize = 128;
/// Bytes of a packed hash, at most: as many as that many fields and values take if each is as long as
/// Redis's default of `hash-max-listpack-value`, 64, allows. So every hash that Redis packs is packed here.
pub const PACKED_BYTES_MAX: usize = PACKED_FIELDS_MAX * (2 + 2 * 64);
const _: () = assert!(PACKED_BYTES_MAX < 1 << 15, "a length fits 15 bits");

const LONG: u8 = 0x80;

/// The fields and values in `0`.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a>(pub &'a [u8]);

impl<'a> Packed<'a> {
    /// Fields and values, in order.
    pub fn iter(self) -> impl Iterator<Item = Pair<'a>> {
        self.entries().map(|entry| (entry.field, entry.value))
    }

    /// Number of fields.
    pub fn len(self) -> usize {
        self.entries().count()
    }

    /// The value of `field`.
    pub fn get(self, field: &[u8]) -> Option<&'a [u8]> {
        self.entries().find(|entry| entry.field == field).map(|entry| entry.value)
    }

    fn entries(self) -> Entries<'a> {
        Entries { bytes: self.0, at: 0 }
    }
}

/// A field with its value, and where both lie.
struct Entry<'a> {
    field: &'a [u8],
    value: &'a [u8],
    start: usize,
    end: usize,
}

struct Entries<'a> {
    bytes: &'a [u8],
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

/// A packed hash being written.
#[derive(Debug, Default)]
pub struct Packing {
    bytes: Vec<u8>,
    len: usize,
}

impl Packing {
    /// A copy of `packed`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn copy(packed: Packed<'_>) -> Result<Packing, OutOfMemory> {
        let mut bytes = Vec::new();
        // Most add or change one short field.
        memory::reserve_exact(&mut bytes, packed.0.len() + 64)?;
        bytes.extend_from_slice(packed.0);
        Ok(Packing { bytes, len: packed.len() })
    }

    /// Gives `field` a value; false if there would be too much of it then.
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
        // The new one goes behind all others, then those behind the old one's place go round.
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

    /// What has been written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Moves the fields that `keep` says to the front of `bytes`; returns how many bytes they take.
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

/// Bytes that `field` and `value` take.
fn size(field: &[u8], value: &[u8]) -> usize {
    let length = |bytes: &[u8]| if bytes.len() < usize::from(LONG) { 1 } else { 2 };
    length(field) + length(value) + field.len() + value.len()
}

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
