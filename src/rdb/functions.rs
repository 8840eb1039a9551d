//! Libraries of functions, as `FUNCTION DUMP` writes them and `FUNCTION RESTORE` reads them.
//!
//! ```text
//! { opcode (1 byte)  text (a string) }  version (2 bytes)  CRC-64 of all bytes before it (8 bytes)
//! ```

use super::decode::checked;
use super::encode::{push, push_string};
use super::reader::Reader;
use super::{DecodeError, VERSION_WRITTEN};
use crate::base::{OutOfMemory, memory};
use crate::rdb::crc64::crc64;

/// The opcode of a library.
const LIBRARY: u8 = 245;
/// The opcode of a function in a format that only betas of Redis 7.0 had.
const BETA: u8 = 246;

/// Why the next library was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibraryError {
    /// There is something in the format of a beta of Redis 7.0.
    Beta,
    /// There is something that is not a library.
    NotALibrary,
    /// The text is damaged.
    Damaged,
    /// There is not enough memory.
    OutOfMemory,
}

/// Writes the payload of libraries with these texts.
///
/// # Errors
/// [`OutOfMemory`].
pub fn dump_libraries<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, OutOfMemory> {
    let mut out = Vec::new();
    for text in texts {
        push(&mut out, &[LIBRARY])?;
        push_string(&mut out, text)?;
    }
    push(&mut out, &VERSION_WRITTEN.to_le_bytes())?;
    let sum = crc64(&out);
    push(&mut out, &sum.to_le_bytes())?;
    Ok(out)
}

/// The libraries in a payload, one after the other.
#[derive(Debug)]
pub struct Libraries<'a>(Reader<'a>);

impl<'a> Libraries<'a> {
    /// Checks the frame of a payload. Its compressed texts may inflate to `inflated_bytes_max` bytes in all.
    ///
    /// # Errors
    /// [`DecodeError::BadFrame`] if the frame is wrong.
    pub fn of(payload: &'a [u8], inflated_bytes_max: usize) -> Result<Libraries<'a>, DecodeError> {
        Ok(Libraries(Reader::new(checked(payload)?, inflated_bytes_max)))
    }

    fn read(&mut self) -> Result<Vec<u8>, LibraryError> {
        match self.0.byte() {
            Ok(LIBRARY) => {}
            Ok(BETA) => return Err(LibraryError::Beta),
            _ => return Err(LibraryError::NotALibrary),
        }
        let (mut scratch, mut text) = (Vec::new(), Vec::new());
        let element = self.0.string(&mut scratch)?;
        let mut digits = itoa::Buffer::new();
        let bytes = element.text(&mut digits);
        memory::reserve_exact(&mut text, bytes.len()).map_err(DecodeError::from)?;
        text.extend_from_slice(bytes);
        Ok(text)
    }
}

impl Iterator for Libraries<'_> {
    /// The text of a library. Behind an error there is nothing more to read.
    type Item = Result<Vec<u8>, LibraryError>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.0.is_at_end()).then(|| self.read())
    }
}

impl From<DecodeError> for LibraryError {
    fn from(error: DecodeError) -> LibraryError {
        match error {
            DecodeError::OutOfMemory => LibraryError::OutOfMemory,
            DecodeError::BadFrame | DecodeError::BadFormat => LibraryError::Damaged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(payload: &[u8]) -> Vec<Result<Vec<u8>, LibraryError>> {
        Libraries::of(payload, 1 << 20).expect("a good frame").take(9).collect()
    }

    #[test]
    fn libraries_survive_being_dumped() {
        let long = vec![b'x'; 70_000];
        for libraries in [vec![], vec![&b"#!lua name=a\n"[..]], vec![b"one", &long, b"", b"7"]] {
            let payload = dump_libraries(libraries.iter().copied()).unwrap();
            let expected: Vec<_> = libraries.iter().map(|text| Ok(text.to_vec())).collect();
            assert_eq!(texts(&payload), expected);
        }
    }

    #[test]
    fn a_payload_that_is_cut_or_changed_is_refused() {
        let payload = dump_libraries([&b"#!lua name=a\n"[..], b"#!lua name=b\n"]).unwrap();
        for at in 0..payload.len() {
            let mut bad = payload.clone();
            bad[at] ^= 1;
            assert_eq!(Libraries::of(&bad, 9).err(), Some(DecodeError::BadFrame), "byte {at}");
            assert_eq!(Libraries::of(&payload[..at], 9).err(), Some(DecodeError::BadFrame), "{at} bytes");
        }
    }

    #[test]
    fn what_is_no_library_is_named() {
        let sealed = |body: &[u8]| {
            let mut payload = body.to_vec();
            payload.extend(VERSION_WRITTEN.to_le_bytes());
            payload.extend(crc64(&payload).to_le_bytes());
            payload
        };
        for (body, expected) in [
            (&b"\xf5"[..], LibraryError::Damaged),
            (b"\xf5\x09short", LibraryError::Damaged),
            (b"\xf5\x81\xff\xff\xff\xff\xff\xff\xff\xff", LibraryError::Damaged),
            (b"\xf5\xc3\x05\x81\x7f\xff\xff\xff\xff\xff\xff\xffabcde", LibraryError::Damaged),
            (b"\xf6\x01a", LibraryError::Beta),
            (b"\x00\x01a", LibraryError::NotALibrary),
        ] {
            assert_eq!(texts(&sealed(body))[0], Err(expected), "{body:?}");
        }
    }
}
