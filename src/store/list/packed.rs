//! Packed elements: byte strings one after the other, readable from both ends.
//!
//! ```text
//! length  bytes  length in reverse   length  bytes  length in reverse   ...
//! ```
//!
//! A length takes one byte for each seven of its bits, the lowest first; all bytes but the last have their highest
//! bit set. Behind the element the same bytes stand in reverse order, so a reader that comes from behind sees them in
//! the same order. An element of up to 127 bytes takes two bytes more than its bytes.
//!
//! Reading bytes that are not packed elements ends early and does not panic.

use std::iter::FusedIterator;
use std::ops::Range;

/// The bit that says that the length goes on in the next byte.
const MORE: u8 = 0x80;

/// Packed elements, to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackedList<'a>(pub &'a [u8]);

impl<'a> PackedList<'a> {
    /// The elements, readable from both ends.
    #[inline]
    pub fn iter(self) -> PackedIter<'a> {
        PackedIter(self.0)
    }

    /// Number of elements. Walks over all of them.
    #[allow(clippy::len_without_is_empty)] // a list without elements is no list
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// Element `index`.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.iter().nth(index)
    }

    /// Which packed bytes element `index` takes, with its lengths. At the end of the list, where the next one would
    /// go.
    pub fn range(self, index: usize) -> Range<usize> {
        let mut iter = self.iter();
        for _ in 0..index {
            iter.next();
        }
        let start = self.0.len() - iter.0.len();
        iter.next();
        start..self.0.len() - iter.0.len()
    }
}

/// Goes over packed elements.
#[derive(Clone, Debug)]
pub struct PackedIter<'a>(&'a [u8]);

impl<'a> PackedIter<'a> {
    /// The bytes of the elements that have not been read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for PackedIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, length_size) = length(self.0.iter())?;
        let rest = self.0.get(length_size..)?;
        let (element, rest) = rest.split_at_checked(len)?;
        self.0 = rest.get(length_size..)?;
        Some(element)
    }
}

impl<'a> DoubleEndedIterator for PackedIter<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<&'a [u8]> {
        let (len, length_size) = length(self.0.iter().rev())?;
        let end = self.0.len().checked_sub(length_size)?;
        let start = end.checked_sub(len)?;
        let element = self.0.get(start..end)?;
        self.0 = self.0.get(..start.checked_sub(length_size)?)?;
        Some(element)
    }
}

impl FusedIterator for PackedIter<'_> {}

/// Reads a length. Also returns how many bytes it takes.
#[inline]
fn length<'a>(mut bytes: impl Iterator<Item = &'a u8>) -> Option<(usize, usize)> {
    let first = *bytes.next()?;
    let mut len = usize::from(first & !MORE);
    if first < MORE {
        return Some((len, 1));
    }
    for size in 2..=length_size(usize::MAX) {
        let byte = *bytes.next()?;
        len |= usize::from(byte & !MORE) << (7 * (size - 1));
        if byte < MORE {
            return Some((len, size));
        }
    }
    None
}

/// How many bytes a length takes.
#[inline]
const fn length_size(len: usize) -> usize {
    (usize::BITS - (len | 1).leading_zeros()).div_ceil(7) as usize
}

/// How many packed bytes an element of `len` bytes takes.
#[inline]
pub const fn packed_size(len: usize) -> usize {
    len.saturating_add(2 * length_size(len))
}

/// Appends an element. Allocates, unless `bytes` has room for [`packed_size`] bytes more.
#[inline]
pub fn push_packed(bytes: &mut Vec<u8>, element: &[u8]) {
    let len = element.len();
    if len < usize::from(MORE) {
        bytes.push(len as u8);
        bytes.extend_from_slice(element);
        bytes.push(len as u8);
        return;
    }
    let size = length_size(len);
    let part_of = |nth: usize| (len >> (7 * nth)) as u8 & !MORE | if nth + 1 < size { MORE } else { 0 };
    bytes.extend((0..size).map(part_of));
    bytes.extend_from_slice(element);
    bytes.extend((0..size).rev().map(part_of));
}

/// Writes an element over `bytes`, which must be [`packed_size`] bytes long.
#[inline]
pub fn write_packed(bytes: &mut [u8], element: &[u8]) {
    let size = length_size(element.len());
    let end = bytes.len() - size;
    for nth in 0..size {
        let more = if nth + 1 < size { MORE } else { 0 };
        let byte = (element.len() >> (7 * nth)) as u8 & !MORE | more;
        bytes[nth] = byte;
        bytes[bytes.len() - 1 - nth] = byte;
    }
    bytes[size..end].copy_from_slice(element);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_from_both_ends() {
        let lengths = [0, 1, 127, 128, 300, 16_383, 16_384, 3_000_000, 5];
        let (mut bytes, mut size) = (Vec::new(), 0);
        for (nth, len) in lengths.into_iter().enumerate() {
            push_packed(&mut bytes, &vec![nth as u8; len]);
            size += packed_size(len);
            assert_eq!(bytes.len(), size);
            let mut written = vec![0; packed_size(len)];
            write_packed(&mut written, &vec![nth as u8; len]);
            assert!(bytes.ends_with(&written));
        }
        let list = PackedList(&bytes);
        assert_eq!(list.len(), lengths.len());
        assert!(list.iter().map(<[u8]>::len).eq(lengths));
        assert!(list.iter().rev().map(<[u8]>::len).eq(lengths.into_iter().rev()));
        for (nth, len) in lengths.into_iter().enumerate() {
            assert_eq!(list.get(nth), Some(&vec![nth as u8; len][..]));
            assert_eq!(list.range(nth).len(), packed_size(len));
        }
        assert_eq!(list.range(lengths.len()), bytes.len()..bytes.len());
    }

    #[test]
    fn a_short_element_takes_two_bytes_more() {
        assert_eq!((packed_size(0), packed_size(32), packed_size(127), packed_size(128)), (2, 34, 129, 132));
        assert_eq!(packed_size(usize::MAX), usize::MAX);
    }

    #[test]
    fn bytes_of_any_kind_are_read_without_panic() {
        let mut random = 3_u64;
        for len in 0..300 {
            let mut next = || {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                if random >> 63 == 0 { (random >> 40) as u8 } else { (random >> 60) as u8 }
            };
            let bytes: Vec<u8> = (0..len).map(|_| next()).collect();
            assert!(PackedList(&bytes).iter().count() <= len);
            assert!(PackedList(&bytes).iter().rev().count() <= len);
        }
        assert_eq!(PackedList(&[0xff; 40]).iter().next(), None);
        assert_eq!(PackedList(&[0xff; 40]).iter().next_back(), None);
    }
}
