//! The output of a connection: bytes of its own and, between them, parts of shared memory. A long value is not copied into the
//! output: the socket reads it where it lies.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

use super::buf::Buf;
use super::memory::{self, OutOfMemory};
use super::shared::Shared;

/// Most pieces that [`Output::pieces`] returns: enough for several long values, each with the bytes around it.
pub const PIECES_MAX: usize = 16;

/// Bytes waiting to be written.
#[derive(Debug, Default)]
pub struct Output {
    /// The bytes of its own.
    own: Buf,
    /// The parts of shared memory. Nearly all outputs have none.
    parts: Parts,
}

/// The parts of shared memory in an output.
#[derive(Debug, Default)]
struct Parts(Option<Box<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    parts: VecDeque<Part>,
    /// Bytes of all parts.
    bytes: usize,
    /// Bytes of the memory that the parts hold. Of parts that follow each other in the same memory, the first one counts.
    held: usize,
    /// How many bytes of the output's own come before the last part.
    own_before: usize,
}

/// A part of shared memory.
#[derive(Debug)]
struct Part {
    /// How many bytes of the output's own come between the part before this one and this one.
    own_between: usize,
    memory: Shared,
    range: Range<usize>,
    /// True if its memory counts in [`Queue::held`].
    counts: bool,
}

impl Part {
    fn counted(&self) -> usize {
        if self.counts { self.memory.bytes().len() } else { 0 }
    }
}

impl Output {
    /// How many bytes are not yet consumed.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.parts.0 {
            None => self.own.len(),
            Some(queue) => self.own.len() + queue.bytes,
        }
    }

    /// True when everything has been consumed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.parts.0.is_none()
    }

    /// The bytes of its own.
    #[inline]
    pub fn into_own(self) -> Buf {
        debug_assert!(self.is_plain(), "the parts of shared memory are lost");
        self.own
    }

    /// The bytes of its own, to be lent memory and to give it back. More than memory must not change.
    #[inline]
    pub fn own_mut(&mut self) -> &mut Buf {
        &mut self.own
    }

    /// Bytes of memory that it owns.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.own.capacity() + self.parts.capacity()
    }

    /// Bytes of the shared memory that it holds: all of the memory, as long as a byte of a part is left.
    #[inline]
    pub fn shared_bytes(&self) -> usize {
        self.parts.0.as_ref().map_or(0, |queue| queue.held)
    }

    /// A mark behind its last byte, for [`Output::cut`]. It holds until bytes are consumed. The next part must not come before
    /// the next byte of the output's own: every reply begins with one.
    #[inline]
    pub fn mark(&self) -> usize {
        self.own.len()
    }

    /// Drops all bytes behind a mark.
    ///
    /// # Panics
    /// If there are fewer bytes than at the mark.
    pub fn cut(&mut self, mark: usize) {
        self.own.truncate(mark);
        self.parts.cut(mark);
    }

    /// Appends a part of `memory`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the contents stay as they were.
    pub fn share(&mut self, memory: Shared, range: Range<usize>) -> Result<(), OutOfMemory> {
        self.parts.push(&self.own, memory, range)
    }

    /// Makes room for `additional` more bytes of its own.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the contents stay as they were.
    #[inline]
    pub fn reserve(&mut self, additional: usize) -> Result<(), OutOfMemory> {
        self.own.reserve(additional)
    }

    /// Appends a copy of `data`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the contents stay as they were.
    #[inline]
    pub fn extend(&mut self, data: &[u8]) -> Result<(), OutOfMemory> {
        self.own.extend(data)
    }

    /// Appends copies of all of `parts`, or nothing.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the contents stay as they were.
    #[inline]
    pub fn extend_all<const N: usize>(&mut self, parts: [&[u8]; N]) -> Result<(), OutOfMemory> {
        self.own.extend_all(parts)
    }

    /// The bytes at the front that lie in one piece of memory. Empty only if the output is.
    #[inline]
    pub fn front(&self) -> &[u8] {
        match &self.parts.0 {
            None => self.own.unread(),
            Some(queue) => queue.pieces(self.own.unread()).next().unwrap_or_default(),
        }
    }

    /// The first bytes, in the pieces in which they lie: at most `max` bytes, and at most [`PIECES_MAX`] pieces. Returns how
    /// many pieces there are.
    pub fn pieces<'a>(&'a self, max: usize, into: &mut [IoSlice<'a>; PIECES_MAX]) -> usize {
        let (mut count, mut left) = (0, max);
        let mut add = |piece: &'a [u8]| {
            let piece = &piece[..piece.len().min(left)];
            if count < PIECES_MAX && !piece.is_empty() {
                into[count] = IoSlice::new(piece);
                count += 1;
                left -= piece.len();
            }
        };
        match &self.parts.0 {
            None => add(self.own.unread()),
            Some(queue) => queue.pieces(self.own.unread()).take(PIECES_MAX).for_each(add),
        }
        count
    }

    /// True if all of it lies in one piece of memory.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.parts.0.is_none()
    }

    /// Drops `count` bytes from the front.
    ///
    /// # Panics
    /// If there are fewer bytes.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        if self.parts.0.is_none() {
            self.own.consume(count);
        } else {
            self.consume_both(count);
        }
    }

    #[cold]
    fn consume_both(&mut self, mut count: usize) {
        while let Some(queue) = &mut self.parts.0
            && count > 0
        {
            let Some(part) = queue.parts.front_mut() else { break };
            let own = part.own_between.min(count);
            let shared = part.range.len().min(count - own);
            self.own.consume(own);
            part.own_between -= own;
            part.range.start += shared;
            queue.own_before -= own;
            queue.bytes -= shared;
            count -= own + shared;
            if part.range.is_empty() {
                queue.pop_front();
                self.parts.tidy();
            }
        }
        self.own.consume(count);
    }

    /// Forgets the contents and keeps the memory of its own.
    pub fn clear(&mut self) {
        self.own.clear();
        if self.parts.0.is_some() {
            self.parts = Parts::default();
        }
    }
}

impl Parts {
    /// Appends a part of `memory` behind all bytes of `own`, the other bytes of this output.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    fn push(&mut self, own: &Buf, memory: Shared, range: Range<usize>) -> Result<(), OutOfMemory> {
        memory::charge(size_of::<Queue>() + size_of::<Part>())?;
        let mut queue = self.0.take().unwrap_or_default();
        let reserved = queue.parts.try_reserve(1);
        if reserved.is_ok() && !range.is_empty() {
            queue.push(own.len() - queue.own_before, memory, range);
        }
        self.0 = Some(queue);
        self.tidy();
        reserved.map_err(|_| OutOfMemory)
    }

    /// Drops the parts that come behind the first `own` bytes of the output's own.
    #[inline]
    fn cut(&mut self, own: usize) {
        if self.0.is_some() {
            self.cut_queue(own);
        }
    }

    #[cold]
    fn cut_queue(&mut self, own: usize) {
        while let Some(queue) = &mut self.0
            && queue.own_before > own
        {
            queue.pop_back();
            self.tidy();
        }
    }

    /// Gives the memory of the queue back when no part is left.
    fn tidy(&mut self) {
        if self.0.as_ref().is_some_and(|queue| queue.parts.is_empty()) {
            self.0 = None;
        }
    }

    /// Bytes of memory that it owns.
    #[inline]
    fn capacity(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| size_of::<Queue>() + queue.parts.capacity() * size_of::<Part>())
    }
}

impl Queue {
    /// Appends a part.
    fn push(&mut self, own_between: usize, memory: Shared, range: Range<usize>) {
        let counts = self.parts.back().is_none_or(|last| !last.memory.is(&memory));
        self.held += if counts { memory.bytes().len() } else { 0 };
        self.bytes += range.len();
        self.own_before += own_between;
        self.parts.push_back(Part { own_between, memory, range, counts });
    }

    /// Drops the first part, of which no byte is left.
    fn pop_front(&mut self) {
        let Some(part) = self.parts.pop_front() else { return };
        match self.parts.front_mut() {
            Some(next) if next.memory.is(&part.memory) => next.counts = part.counts,
            _ => self.held -= part.counted(),
        }
    }

    /// Drops the last part.
    fn pop_back(&mut self) {
        let Some(part) = self.parts.pop_back() else { return };
        self.held -= part.counted();
        self.bytes -= part.range.len();
        self.own_before -= part.own_between;
    }

    /// The pieces of an output, of which `own` are the bytes of its own. None of them is empty.
    fn pieces<'a>(&'a self, own: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut at = 0;
        let between = self.parts.iter().flat_map(move |part| {
            let before = &own[at..at + part.own_between];
            at += part.own_between;
            [before, &part.memory.bytes()[part.range.clone()]]
        });
        between.chain([&own[self.own_before..]]).filter(|piece| !piece.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(output: &mut Output, memory: &Shared, range: Range<usize>) {
        output.share(memory.clone(), range).unwrap();
    }

    fn joined(output: &Output) -> Vec<u8> {
        let mut pieces = [IoSlice::new(b""); PIECES_MAX];
        let count = output.pieces(usize::MAX, &mut pieces);
        pieces[..count].iter().flat_map(|piece| piece.to_vec()).collect()
    }

    #[test]
    fn bytes_and_parts_come_out_in_the_order_they_went_in_however_they_are_taken() {
        let memory = Shared::new(b"0123456789".as_slice().into());
        for step in 1..40 {
            let mut output = Output::default();
            share(&mut output, &memory, 0..2);
            output.extend(b"ab").unwrap();
            share(&mut output, &memory, 2..5);
            share(&mut output, &memory, 5..6);
            share(&mut output, &memory, 6..6);
            output.extend_all([b"c", b"d"]).unwrap();
            let whole = b"01ab2345cd";
            assert_eq!((output.len(), &joined(&output)[..]), (10, &whole[..]));
            let mut taken = Vec::new();
            while !output.is_empty() {
                let front = output.front();
                assert!(!front.is_empty());
                let mut pieces = [IoSlice::new(b""); PIECES_MAX];
                let count = output.pieces(step, &mut pieces);
                let some: Vec<u8> = pieces[..count].iter().flat_map(|piece| piece.to_vec()).collect();
                assert!(some.len() <= step && (some.starts_with(front) || front.starts_with(&some)));
                taken.extend_from_slice(&some);
                output.consume(some.len());
                assert_eq!(output.len(), whole.len() - taken.len());
            }
            assert_eq!(taken, whole);
            assert!(output.is_plain(), "the queue has gone with the last part");
        }
        assert!(memory.into_bytes().is_ok(), "nobody else holds the memory any more");
    }

    #[test]
    fn what_comes_behind_a_mark_is_cut_off_with_its_parts() {
        let memory = Shared::new(b"0123456789".as_slice().into());
        let mut output = Output::default();
        output.extend(b"a").unwrap();
        share(&mut output, &memory, 0..3);
        output.extend(b"b").unwrap();
        output.consume(2);
        let mark = output.mark();
        output.extend(b"c").unwrap();
        share(&mut output, &memory, 3..9);
        output.extend(b"d").unwrap();
        output.cut(mark);
        assert_eq!((&joined(&output)[..], output.shared_bytes()), (&b"12b"[..], 10));
        output.cut(0);
        output.extend(b"e").unwrap();
        assert_eq!(&joined(&output)[..], b"12e", "what was there before the mark stays");
        output.clear();
        assert!(output.is_empty() && output.is_plain());
    }

    #[test]
    fn memory_counts_as_a_whole_until_its_last_byte_is_taken() {
        let (one, other) = (Shared::new(vec![1; 10].into()), Shared::new(vec![2; 100].into()));
        let mut output = Output::default();
        for (memory, held) in [(&one, 10), (&one, 10), (&other, 110), (&one, 120)] {
            output.extend(b"-").unwrap();
            share(&mut output, memory, 0..5);
            assert_eq!(output.shared_bytes(), held);
        }
        for (count, held) in [(10, 120), (1, 120), (1, 110), (5, 110), (1, 10), (5, 10), (1, 0)] {
            output.consume(count);
            assert_eq!(output.shared_bytes(), held);
        }
        output.extend(b"-").unwrap();
        share(&mut output, &one, 0..5);
        let mark = output.mark();
        output.extend(b"-").unwrap();
        share(&mut output, &one, 0..5);
        output.cut(mark);
        assert_eq!(output.shared_bytes(), 10);
        output.cut(0);
        assert_eq!(output.shared_bytes(), 0);
    }

    #[test]
    fn many_parts_are_returned_a_few_at_a_time() {
        let memory = Shared::new(b"0123456789".as_slice().into());
        let mut output = Output::default();
        for _ in 0..100 {
            output.extend(b"-").unwrap();
            share(&mut output, &memory, 0..10);
        }
        assert_eq!(joined(&output).len(), PIECES_MAX / 2 * 11);
        output.consume(99 * 11 + 3);
        assert_eq!(joined(&output), b"23456789");
    }

    #[test]
    fn without_memory_a_part_is_refused_and_nothing_changes() {
        let memory_of_the_part = Shared::new(b"0123456789".as_slice().into());
        let mut output = Output::default();
        output.extend(b"own").unwrap();
        memory::allow(0);
        let refused = output.share(memory_of_the_part.clone(), 0..10);
        memory::allow(usize::MAX);
        assert_eq!((refused, &joined(&output)[..]), (Err(OutOfMemory), &b"own"[..]));
        assert!(output.is_plain());
    }
}
