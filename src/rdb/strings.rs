//! Many strings in one vector, one behind the other. Before each stands its length: seven bits a byte, the lowest
//! first, and the high bit says that more bytes follow. So a short string costs one byte more than its text, and all of
//! them together one allocation.

use super::DecodeError;
use super::element::Element;
use crate::base::{OutOfMemory, memory};

/// The seed of the hash in [`differ`]. It need not be secret: equal hashes cost no more than other ones.
const SEED: usize = 0x7469_6465;

/// Strings in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    packed: Vec<u8>,
    /// Number of strings.
    len: usize,
}

impl Strings {
    /// Appends a string.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is no memory for it; then nothing has changed.
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), OutOfMemory> {
        push_text(&mut self.packed, text)?;
        self.len += 1;
        Ok(())
    }

    /// As [`Strings::push`], for an element.
    pub(super) fn push_element(&mut self, element: Element<'_>) -> Result<(), OutOfMemory> {
        self.push(element.text(&mut itoa::Buffer::new()))
    }

    /// Removes all strings; keeps the memory.
    pub(super) fn clear(&mut self) {
        self.packed.clear();
        self.len = 0;
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory in bytes.
    pub fn memory(&self) -> usize {
        self.packed.capacity()
    }

    /// The strings, in their order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { packed: &self.packed, left: self.len }
    }

    /// The strings by twos: the fields of a hash with their values.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let mut strings = self.iter();
        std::iter::repeat_n((), self.len / 2).map_while(move |()| Some((strings.next()?, strings.next()?)))
    }
}

impl<'a> IntoIterator for &'a Strings {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Walks over packed strings.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    pub(super) packed: &'a [u8],
    /// Number of strings to come.
    pub(super) left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        Some(take_text(&mut self.packed))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// Appends a length and a string to `packed`.
pub(super) fn push_text(packed: &mut Vec<u8>, text: &[u8]) -> Result<(), OutOfMemory> {
    memory::reserve(packed, length_bytes(text.len()) + text.len())?;
    push_length_reserved(packed, text.len());
    packed.extend_from_slice(text);
    Ok(())
}

/// As [`push_text`], for an element.
pub(super) fn push_element(packed: &mut Vec<u8>, element: Element<'_>) -> Result<(), OutOfMemory> {
    push_text(packed, element.text(&mut itoa::Buffer::new()))
}

/// Appends a length to `packed`.
pub(super) fn push_length(packed: &mut Vec<u8>, length: usize) -> Result<(), OutOfMemory> {
    memory::reserve(packed, length_bytes(length))?;
    push_length_reserved(packed, length);
    Ok(())
}

/// How many bytes a length takes.
fn length_bytes(length: usize) -> usize {
    (length | 1).ilog2() as usize / 7 + 1
}

fn push_length_reserved(packed: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        packed.push(length as u8 | 0x80);
        length >>= 7;
    }
    packed.push(length as u8);
}

/// Takes a length from the front of `packed`.
#[inline]
pub(super) fn take_length(packed: &mut &[u8]) -> usize {
    let (mut length, mut shift) = (0, 0);
    while let Some((byte, rest)) = packed.split_first() {
        *packed = rest;
        length |= usize::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            break;
        }
        shift += 7;
    }
    length
}

/// Takes a string from the front of `packed`.
#[inline]
pub(super) fn take_text<'a>(packed: &mut &'a [u8]) -> &'a [u8] {
    let length = take_length(packed);
    let (text, rest) = packed.split_at(length);
    *packed = rest;
    text
}

/// Checks that all `texts`, of which there are `count`, differ.
///
/// Sorts them by their hashes, and those with equal hashes by their bytes. So no choice of texts makes it slow.
///
/// # Errors
/// [`DecodeError::BadFormat`] if two are the same.
pub(super) fn differ<'a>(count: usize, texts: impl Iterator<Item = &'a [u8]>) -> Result<(), DecodeError> {
    let hasher = ahash::RandomState::with_seed(SEED);
    let mut hashed: Vec<(u64, &[u8])> = Vec::new();
    memory::reserve_exact(&mut hashed, count)?;
    hashed.extend(texts.take(count).map(|text| (hasher.hash_one(text), text)));
    hashed.sort_unstable();
    if hashed.windows(2).any(|pair| pair[0] == pair[1]) { Err(DecodeError::BadFormat) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_length_come_back() {
        let mut strings = Strings::default();
        let lengths = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152];
        for len in lengths {
            strings.push(&vec![7; len]).unwrap();
        }
        assert!(strings.iter().map(<[u8]>::len).eq(lengths));
        assert!(
            strings.pairs().map(|(field, value)| field.len() + value.len()).eq([1, 255, 32_767, 4_194_303])
        );
        assert_eq!(strings.iter().len(), strings.len());
        assert!(!strings.is_empty());
    }

    #[test]
    fn no_memory_leaves_them_as_they_were() {
        let mut strings = Strings::default();
        strings.push(b"one").unwrap();
        let before = strings.clone();
        memory::allow(4);
        assert_eq!(strings.push(&[0; 100]), Err(OutOfMemory));
        memory::allow(usize::MAX);
        assert_eq!(strings, before);
    }

    #[test]
    fn two_that_are_the_same_are_found() {
        let texts: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let all = || texts.iter().map(String::as_bytes);
        assert_eq!(differ(1000, all()), Ok(()));
        assert_eq!(differ(1001, all().chain([&b"77"[..]])), Err(DecodeError::BadFormat));
        assert_eq!(differ(0, [].into_iter()), Ok(()));
    }
}
