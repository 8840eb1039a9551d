//! Copies of requests that must outlive the input they came in: the queue of a transaction.

use super::args::{Args, Span};
use crate::base::{OutOfMemory, memory};

/// Copies of requests, stored one after the other.
#[derive(Debug, Default)]
pub struct Kept {
    bytes: Vec<u8>,
    /// Where the arguments lie, request after request. Offsets count from the first byte of the request.
    spans: Vec<Span>,
    /// For each request, where it ends in `bytes` and in `spans`.
    ends: Vec<(usize, usize)>,
}

impl Kept {
    /// Stores a copy of a request after the others.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the request is not stored then.
    pub fn push(&mut self, args: Args<'_>) -> Result<(), OutOfMemory> {
        self.push_words(args.from(0))
    }

    /// Stores a request of these words after the others.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the request is not stored then.
    pub fn push_words<'w>(
        &mut self,
        words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
    ) -> Result<(), OutOfMemory> {
        let len: usize = words.clone().map(<[u8]>::len).sum();
        memory::reserve(&mut self.bytes, len)?;
        memory::reserve(&mut self.spans, words.len())?;
        memory::reserve(&mut self.ends, 1)?;
        let first = self.bytes.len();
        for arg in words {
            let start = self.bytes.len() - first;
            self.bytes.extend_from_slice(arg);
            // The offsets of a request fit into 32 bits, and the copy is not longer than the request.
            self.spans.push(Span { start: start as u32, end: (start + arg.len()) as u32 });
        }
        self.ends.push((self.bytes.len(), self.spans.len()));
        Ok(())
    }

    /// Stores one more word of a request that [`Kept::end_request`] will end.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the word is not stored then.
    pub fn push_word(&mut self, word: &[u8]) -> Result<(), OutOfMemory> {
        memory::reserve(&mut self.bytes, word.len())?;
        memory::reserve(&mut self.spans, 1)?;
        let first = self.ends.last().map_or(0, |(byte, _)| *byte);
        let start = self.bytes.len() - first;
        self.bytes.extend_from_slice(word);
        self.spans.push(Span { start: start as u32, end: (start + word.len()) as u32 });
        Ok(())
    }

    /// Ends the request of the words since the last end.
    pub fn end_request(&mut self) {
        self.ends.push((self.bytes.len(), self.spans.len()));
    }

    /// Bytes that the words of all requests have.
    pub fn held_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all requests, and keeps the memory for the next ones.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.ends.clear();
    }

    /// Number of requests.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The requests, in the order in which they were stored.
    pub fn iter(&self) -> impl Iterator<Item = Args<'_>> {
        let starts = std::iter::once((0, 0)).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|((byte, span), &(byte_end, span_end))| {
            Args::new(&self.bytes[byte..byte_end], &self.spans[span..span_end])
        })
    }

    /// Bytes of memory that the copies take.
    pub fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.spans.capacity() * size_of::<Span>()
            + self.ends.capacity() * size_of::<(usize, usize)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{Limits, Parser, Step};

    #[test]
    fn what_is_kept_comes_back_in_order() {
        let limits = Limits { bulk_max: 99, args_max: 9, inline_max: 99, request_max: 99 };
        let mut kept = Kept::default();
        let lines = ["SET a 1\n", "PING\n", "MSET b \"\" c 3\n"];
        for line in lines {
            let mut parser = Parser::default();
            assert!(matches!(parser.parse(line.as_bytes(), &limits), Step::Complete { .. }));
            kept.push(parser.args(line.as_bytes())).unwrap();
        }
        let words: Vec<Vec<String>> = kept
            .iter()
            .map(|args| args.from(0).map(|arg| String::from_utf8(arg.to_vec()).unwrap()).collect())
            .collect();
        assert_eq!(words, [vec!["SET", "a", "1"], vec!["PING"], vec!["MSET", "b", "", "c", "3"]]);
        assert_eq!((kept.len(), kept.is_empty()), (3, false));
    }

    #[test]
    fn a_request_is_put_together_word_by_word() {
        let mut kept = Kept::default();
        for words in [&["GET", "k"][..], &["PING"]] {
            kept.clear();
            words.iter().for_each(|word| kept.push_word(word.as_bytes()).unwrap());
            kept.end_request();
            let args = kept.iter().next().unwrap();
            assert!(args.from(0).eq(words.iter().map(|word| word.as_bytes())));
        }
    }
}
