//! An entry as a command reads it. It borrows from the stream and copies nothing.

use super::id::StreamId;
use super::varint::Reader;
use crate::store::Pair;

/// An entry of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    id: StreamId,
    names: Names<'a>,
    data: Reader<'a>,
}

/// Where the names of an entry's fields are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Names<'a> {
    /// At the start of the node: their number, and then each of them.
    Shared(&'a [u8]),
    /// In the entry: their number, and then each of them before its value.
    Own,
}

impl<'a> Entry<'a> {
    pub(super) fn new(id: StreamId, names: Names<'a>, data: Reader<'a>) -> Entry<'a> {
        Entry { id, names, data }
    }

    /// The id.
    pub fn id(self) -> StreamId {
        self.id
    }

    /// The fields with their values, in the order in which the client gave them.
    pub fn fields(self) -> Fields<'a> {
        let mut data = self.data;
        match self.names {
            Names::Own => Fields { left: data.number() as usize, names: None, data },
            Names::Shared(bytes) => {
                let mut names = Reader(bytes);
                Fields { left: names.number() as usize, names: Some(names), data }
            }
        }
    }
}

/// The fields of an entry with their values.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    left: usize,
    /// The names, if they are not in the entry.
    names: Option<Reader<'a>>,
    data: Reader<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        self.left = self.left.checked_sub(1)?;
        let field = self.names.as_mut().unwrap_or(&mut self.data).string();
        Some((field, self.data.string()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}
