//! The arguments of a request: where each one lies in the bytes that hold it.

use std::ops::Index;

/// Where one argument lies, as offsets into the bytes that hold it.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Offset of the argument's first byte.
    pub start: u32,
    /// Offset of the first byte after the argument.
    pub end: u32,
}

/// The arguments of one request, borrowed from the bytes that hold them. The first argument is the
/// command's name.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// The arguments that lie at `spans` in `bytes`.
    pub(super) fn new(bytes: &'a [u8], spans: &'a [Span]) -> Args<'a> {
        Args { bytes, spans }
    }

    /// Number of arguments, the command's name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// True for a request without arguments, such as an empty line.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Length, in bytes, of the buffer that holds the arguments. It may hold more than this request, so it
    /// is an upper bound for the length of each argument and of all of them together.
    #[inline]
    pub fn held_in(&self) -> usize {
        self.bytes.len()
    }

    /// The argument at `index`; `None` if the request has fewer arguments.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| &self.bytes[span.start as usize..span.end as usize])
    }

    /// The request without its first `count` arguments: a request that stands inside this one.
    pub fn behind(&self, count: usize) -> Args<'a> {
        Args { bytes: self.bytes, spans: self.spans.get(count..).unwrap_or_default() }
    }

    /// The arguments from `index` on, in order.
    pub fn from(&self, index: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        let spans = self.spans.get(index..).unwrap_or_default();
        spans.iter().map(move |span| &bytes[span.start as usize..span.end as usize])
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    /// The argument at `index`.
    ///
    /// # Panics
    /// If the request has fewer arguments. The arity of a command is checked before it runs, so the
    /// arguments that the arity demands are always there.
    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        let span = self.spans[index];
        &self.bytes[span.start as usize..span.end as usize]
    }
}
