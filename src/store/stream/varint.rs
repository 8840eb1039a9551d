//! Numbers in as few bytes as they need: seven bits a byte, the lowest ones first. The highest bit of a byte says that
//! another byte follows. Strings are written behind their lengths.

/// Number of bytes that `number` takes.
pub(super) fn size(number: u64) -> usize {
    (number | 1).ilog2() as usize / 7 + 1
}

/// Number of bytes that a string of `len` bytes takes with its length.
pub(super) fn string_size(len: usize) -> usize {
    size(len as u64) + len
}

/// Appends a number.
pub(super) fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends a string.
pub(super) fn push_string(bytes: &mut Vec<u8>, string: &[u8]) {
    push(bytes, string.len() as u64);
    bytes.extend_from_slice(string);
}

/// Reads numbers and strings from bytes that this file has written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// Reads a number. Reads 0 behind the end.
    #[inline]
    pub(super) fn number(&mut self) -> u64 {
        match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                u64::from(*byte)
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        while let Some((&byte, rest)) = self.0.split_first() {
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 63 {
                break;
            }
        }
        number
    }

    /// Reads `len` bytes.
    #[inline]
    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// Reads a string.
    #[inline]
    pub(super) fn string(&mut self) -> &'a [u8] {
        let len = self.number() as usize;
        self.bytes(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_has_its_size() {
        let edges = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit]).chain([u64::MAX]);
        for number in edges {
            let mut bytes = Vec::new();
            push(&mut bytes, number);
            assert_eq!(bytes.len(), size(number), "{number}");
            push_string(&mut bytes, b"abc");
            let mut reader = Reader(&bytes);
            assert_eq!((reader.number(), reader.string(), reader.0.len()), (number, &b"abc"[..], 0));
        }
    }
}
