//! A packed hash: the fields and values of a small hash, one after the other, in the order in which they
//! were added.
//!
//! ```text
//! length of the field  length of the value  field  value
//! ```
//!
//! A length below 128 takes one byte, a longer one two. Two bytes that are more than any length stand for a field whose name
//! many hashes share: they are the [number](super::names) of the name, which is not written out then. A search walks over all fields before the one that
//! it wants, so the number of fields is bounded. A value that changes its length moves all bytes behind it,
//! so the number of bytes is bounded too.

use super::Pair;
use super::names::{NAMES_MAX, Names};
use super::record::Kind;
use crate::base::{OutOfMemory, memory};

/// Most fields of a packed hash: Redis's default of `hash-max-listpack-entries`.
pub const PACKED_FIELDS_MAX: usize = 128;
/// Most bytes of a packed hash: room for [`PACKED_FIELDS_MAX`] fields and values of 64 bytes each, which is
/// Redis's default of `hash-max-listpack-value`. So every hash that Redis packs by default is packed here.
pub const PACKED_BYTES_MAX: usize = PACKED_FIELDS_MAX * (2 + 2 * 64);
/// The two bytes that stand for the shared name with the number 0.
const NAMED: usize = PACKED_BYTES_MAX + 1;
const _: () = assert!(NAMED + NAMES_MAX < 1 << 15, "a length or a number fits 15 bits");

/// The bit in the first byte of a length that says that a second byte follows.
const LONG: u8 = 0x80;

/// The bytes of a packed hash, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The names that hashes share.
    pub names: &'a Names,
}

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
        Entries { packed: self, at: 0 }
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
    packed: Packed<'a>,
    /// Where the next entry begins.
    at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let Packed { bytes, names } = self.packed;
        let start = self.at;
        if start == bytes.len() {
            return None;
        }
        let field_len = self.length();
        let value_len = self.length();
        let (field, value_start) = if field_len < NAMED {
            (&bytes[self.at..self.at + field_len], self.at + field_len)
        } else {
            (names.name((field_len - NAMED) as u16), self.at)
        };
        self.at = value_start + value_len;
        Some(Entry { field, value: &bytes[value_start..self.at], start, end: self.at })
    }
}

impl Entries<'_> {
    /// Reads the length at the current position, and moves behind it.
    fn length(&mut self) -> usize {
        let bytes = self.packed.bytes;
        let first = bytes[self.at];
        self.at += 1;
        if first < LONG {
            return usize::from(first);
        }
        self.at += 1;
        usize::from(first & !LONG) << 8 | usize::from(bytes[self.at - 1])
    }
}

/// A packed hash that is being written.
#[derive(Debug)]
pub struct Packing {
    bytes: Vec<u8>,
    /// Number of fields.
    len: usize,
    /// True if it is a hash, whose fields may have names that others share. The members of a set are written out.
    shares_names: bool,
}

impl Packing {
    /// No fields yet, of a hash or of a set.
    pub fn new(kind: Kind) -> Packing {
        Packing { bytes: Vec::new(), len: 0, shares_names: kind == Kind::Hash }
    }

    /// A copy of `packed`, which is a hash or a set.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn copy(kind: Kind, packed: Packed<'_>) -> Result<Packing, OutOfMemory> {
        let mut packing = Packing { len: packed.len(), ..Packing::new(kind) };
        // Room for one short field more: most commands add or change just one.
        memory::reserve_exact(&mut packing.bytes, packed.bytes.len() + 64)?;
        packing.bytes.extend_from_slice(packed.bytes);
        Ok(packing)
    }

    /// Gives `field` this value. Returns false, and changes nothing, if the hash would then have too many
    /// fields or bytes to be packed. `names` are those that its fields share with other hashes.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn set(&mut self, names: &Names, field: &[u8], value: &[u8]) -> Result<bool, OutOfMemory> {
        if field.len().max(value.len()) > PACKED_BYTES_MAX {
            return Ok(false);
        }
        let old = Packed { bytes: &self.bytes, names }.entries().find(|entry| entry.field == field);
        let place = old.map_or(self.bytes.len()..self.bytes.len(), |entry| entry.start..entry.end);
        let number = match place.is_empty() {
            _ if !self.shares_names => None,
            true => names.learn(field),
            false => names.number(field),
        };
        let (name_len, name) =
            number.map_or((field.len(), field), |number| (NAMED + usize::from(number), b""));
        let added = length_bytes(name_len) + length_bytes(value.len()) + name.len() + value.len();
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
        push_length(&mut self.bytes, name_len);
        push_length(&mut self.bytes, value.len());
        self.bytes.extend_from_slice(name);
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
pub fn retain(names: &Names, bytes: &mut [u8], mut keep: impl FnMut(&[u8]) -> bool) -> usize {
    let (mut kept, mut at) = (0, 0);
    loop {
        let mut rest = Entries { packed: Packed { bytes, names }, at };
        let Some(Entry { field, start, end, .. }) = rest.next() else { return kept };
        at = end;
        if keep(field) {
            bytes.copy_within(start..end, kept);
            kept += end - start;
        }
    }
}

/// How many bytes a length takes.
fn length_bytes(len: usize) -> usize {
    if len < usize::from(LONG) { 1 } else { 2 }
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
    use ahash::RandomState;

    fn names() -> Names {
        Names::new(RandomState::with_seeds(1, 2, 3, 4))
    }

    #[test]
    fn what_is_packed_is_found_in_its_order() {
        let names = names();
        let mut packing = Packing::new(Kind::Hash);
        let lengths = [0, 1, 127, 128, 300, 5_000];
        for len in lengths {
            assert_eq!(packing.set(&names, &vec![7; len], &[8; 200]), Ok(true));
        }
        for (nth, len) in lengths.into_iter().enumerate() {
            assert_eq!(packing.set(&names, &vec![7; len], &vec![9; nth * 60]), Ok(true));
            let packed = Packed { bytes: packing.bytes(), names: &names };
            assert!(packed.iter().map(|(field, _)| field.len()).eq(lengths), "the order has changed");
            assert_eq!(packed.get(&vec![7; len]), Some(&vec![9; nth * 60][..]));
            assert_eq!((packed.len(), packing.len()), (lengths.len(), lengths.len()));
        }
        let mut bytes = packing.bytes().to_vec();
        let kept = retain(&names, &mut bytes, |field| field.len() % 2 == 1);
        assert!(
            Packed { bytes: &bytes[..kept], names: &names }.iter().map(|(field, _)| field.len()).eq([1, 127])
        );
        assert_eq!(retain(&names, &mut bytes[..kept], |_| false), 0);
    }

    #[test]
    fn it_takes_so_many_fields_and_bytes_and_no_more() {
        let names = names();
        let mut packing = Packing::new(Kind::Hash);
        for n in 0..PACKED_FIELDS_MAX {
            assert_eq!(packing.set(&names, &[n as u8; 64], &[0; 64]), Ok(true));
        }
        let before = packing.bytes().to_vec();
        assert_eq!(packing.set(&names, b"one more", b""), Ok(false));
        assert_eq!(packing.set(&names, &[0; 64], &[0; 65]), Ok(false));
        assert_eq!(packing.set(&names, &[0; 64], &[0; 1 << 20]), Ok(false));
        assert_eq!(packing.bytes(), before);
        assert_eq!(packing.set(&names, &[0; 64], b""), Ok(true));
    }

    #[test]
    fn a_name_that_many_hashes_have_takes_two_bytes() {
        let names = names();
        let (mut lens, mut last) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            let mut packing = Packing::new(Kind::Hash);
            for (field, value) in [(&b"created"[..], &b"now"[..]), (b"n", b"1"), (b"email", b"")] {
                assert_eq!(packing.set(&names, field, value), Ok(true));
            }
            lens.push(packing.bytes().len());
            last = packing.bytes().to_vec();
        }
        assert_eq!((lens[0], lens[39]), (23, 13));
        let packed = Packed { bytes: &last, names: &names };
        let expected: [Pair<'_>; 3] = [(b"created", b"now"), (b"n", b"1"), (b"email", b"")];
        assert!(packed.iter().eq(expected));
        assert_eq!((packed.get(b"email"), packed.get(b"creat")), (Some(&b""[..]), None));
        let mut packing = Packing::copy(Kind::Hash, packed).unwrap();
        assert_eq!(packing.set(&names, b"email", b"a@b"), Ok(true));
        assert_eq!((packing.len(), packing.bytes().len()), (3, 16));
        let mut bytes = packing.bytes().to_vec();
        let kept = retain(&names, &mut bytes, |field| field != b"created");
        assert!(
            Packed { bytes: &bytes[..kept], names: &names }
                .iter()
                .eq([(&b"n"[..], &b"1"[..]), (b"email", b"a@b")])
        );
        let mut set = Packing::new(Kind::Set);
        assert_eq!(set.set(&names, b"created", b""), Ok(true));
        assert_eq!(set.bytes().len(), 9, "the members of sets are written out");
    }
}
