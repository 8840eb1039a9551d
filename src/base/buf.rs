//! A byte buffer that is filled at the back, emptied at the front, and grows only on demand.

use std::ops::Range;

use super::memory::{self, OutOfMemory};

/// Up to this size, bytes, a buffer grows to a power of two.
const ROUNDED_BYTES_MAX: usize = 1 << 20;

/// A request of this many bytes gets a buffer of its size, not one of a power of two.
const EXACT_BYTES_MIN: usize = 64 << 10;

/// Most bytes of room behind a request in a buffer of its size.
const ROOM_BYTES_MAX: usize = 4 << 10;

/// The size of a buffer for a request of `len` bytes, with a little room behind it: a read that leaves some of the room
/// free says that the socket is empty.
fn size_for(len: usize) -> usize {
    len.saturating_add((len / 32).min(ROOM_BYTES_MAX))
}

/// Bytes waiting to be parsed or written.
///
/// A buffer made by `Buf::default()` owns no memory. The whole allocation is kept initialised. So a socket can read
/// straight into [`Buf::spare`], and we need neither `unsafe` nor a pass that clears the room before each read.
#[derive(Debug, Default)]
pub struct Buf {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buf {
    /// An empty buffer that uses `bytes` as its memory. Their contents do not matter.
    pub fn over(bytes: Box<[u8]>) -> Buf {
        Buf { bytes, start: 0, end: 0 }
    }

    /// A buffer that uses `bytes` as its memory. Those in `unread` are not yet consumed.
    ///
    /// # Panics
    /// If `unread` is not a range in `bytes`.
    pub fn holding(bytes: Box<[u8]>, unread: Range<usize>) -> Buf {
        assert!(unread.start <= unread.end && unread.end <= bytes.len(), "unread bytes that are not there");
        Buf { bytes, start: unread.start, end: unread.end }
    }

    /// Where the bytes that are not yet consumed lie in the allocation.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Gives most of the room behind the contents back to the allocator, if there is much. No byte is copied: the
    /// allocator cuts the memory where it lies.
    pub fn cut(&mut self) {
        let size = size_for(self.end);
        if size.saturating_add(size / 16) < self.bytes.len() {
            let mut bytes = std::mem::take(&mut self.bytes).into_vec();
            bytes.truncate(size);
            self.bytes = bytes.into_boxed_slice();
        }
    }

    /// Returns the allocation. Unread bytes are lost.
    pub fn into_bytes(self) -> Box<[u8]> {
        self.bytes
    }

    /// The bytes not yet consumed.
    #[inline]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// How many bytes are not yet consumed.
    #[inline]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// True when everything has been consumed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Bytes of memory this buffer owns.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// The room at the back. After you have written to it, call [`Buf::filled`] with the number of bytes written.
    #[inline]
    pub fn spare(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    /// The first `count` bytes of [`Buf::spare`] now hold data.
    ///
    /// # Panics
    /// If `count` is larger than the room at the back.
    #[inline]
    pub fn filled(&mut self, count: usize) {
        assert!(count <= self.bytes.len() - self.end, "filled more than the spare room");
        self.end += count;
    }

    /// Drops `count` bytes from the front.
    ///
    /// # Panics
    /// If the buffer holds fewer bytes.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.len(), "consumed more than was held");
        self.start += count;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Keeps the first `len` unread bytes and drops the rest from the back.
    ///
    /// # Panics
    /// If the buffer holds fewer bytes.
    pub fn truncate(&mut self, len: usize) {
        assert!(len <= self.len(), "truncated to more than was held");
        self.end = self.start + len;
    }

    /// Forgets the contents and keeps the memory.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Appends `data`. If there is not enough room, it makes room as [`Buf::reserve`] does.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the contents stay as they were.
    #[inline]
    pub fn extend(&mut self, data: &[u8]) -> Result<(), OutOfMemory> {
        self.extend_all([data])
    }

    /// Appends all of `parts`, or nothing.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the contents stay as they were.
    #[inline]
    pub fn extend_all<const N: usize>(&mut self, parts: [&[u8]; N]) -> Result<(), OutOfMemory> {
        let more = parts.iter().map(|part| part.len()).sum();
        if more > self.bytes.len() - self.end {
            self.reserve(more)?;
        }
        let mut rest = &mut self.bytes[self.end..self.end + more];
        for part in parts {
            let (here, behind) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = behind;
        }
        self.end += more;
        Ok(())
    }

    /// Makes sure that [`Buf::spare`] has at least `additional` bytes. If the contents can move to the front and that
    /// frees a quarter of the buffer, they move. Otherwise the buffer grows to at least double. Either way a byte is
    /// moved only a few times in its life, however much passes through the buffer. A new size of up to 1 MiB is
    /// rounded up to a power of two.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the contents stay as they were.
    #[inline]
    pub fn reserve(&mut self, additional: usize) -> Result<(), OutOfMemory> {
        if additional <= self.bytes.len() - self.end { Ok(()) } else { self.make_room(additional) }
    }

    #[cold]
    fn make_room(&mut self, additional: usize) -> Result<(), OutOfMemory> {
        let needed = self.len().checked_add(additional).ok_or(OutOfMemory)?;
        if needed <= self.bytes.len() && self.start >= self.bytes.len() / 4 {
            self.compact();
            return Ok(());
        }
        let grown = needed.max(self.bytes.len().saturating_mul(2)).max(64);
        // The size is rounded up because a few more bytes often follow.
        self.resize(if grown <= ROUNDED_BYTES_MAX { grown.next_power_of_two() } else { grown })
    }

    /// Makes room for at least one more byte of input. `missing` is how many bytes are still to come, as far as the
    /// client has said; 0 if it has not said.
    ///
    /// A long request of known length ends in a buffer of its size, so that its value can stay there.
    ///
    /// The buffer grows with the bytes that have arrived, never with the bytes that the client announces: a client
    /// could announce a gigabyte and send nothing. A large value of known length ends in a buffer that is at most a
    /// quarter larger than the value. If the buffer always doubled, it could be twice as large as the value.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the contents stay as they were.
    pub fn reserve_for(&mut self, missing: usize) -> Result<(), OutOfMemory> {
        if self.end < self.bytes.len() {
            return Ok(());
        }
        let whole = self.len().saturating_add(missing);
        if missing > 0 && whole <= self.bytes.len() {
            self.compact();
            return Ok(());
        }
        // The factor is three, not two. With two, a buffer could double to just below the whole, and would then be
        // copied once more.
        let size = size_for(whole);
        if missing > 0 && whole >= EXACT_BYTES_MIN && size <= self.bytes.len().saturating_mul(3) {
            // It grows by a quarter at least. Many small pieces may follow, and a copy for each would be slow.
            return self.resize(size.max(self.bytes.len() / 4 * 5));
        }
        self.reserve(1)
    }

    /// Moves the contents to the front of the allocation, so that all free room is at the back.
    pub fn compact(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }

    /// Moves the contents into an allocation of exactly `capacity` bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the contents stay as they were.
    ///
    /// # Panics
    /// If the contents do not fit.
    pub fn resize(&mut self, capacity: usize) -> Result<(), OutOfMemory> {
        let len = self.len();
        assert!(len <= capacity, "resized to less than was held");
        if len > 0 && capacity > self.bytes.len() {
            return self.extend_to(capacity);
        }
        let mut bytes = Vec::new();
        memory::reserve(&mut bytes, capacity)?;
        bytes.extend_from_slice(self.unread());
        bytes.resize(capacity, 0);
        *self = Buf { bytes: bytes.into_boxed_slice(), start: 0, end: len };
        Ok(())
    }

    /// Lets the allocation grow to `capacity` bytes. The system moves the pages of a long one, and nothing is copied.
    fn extend_to(&mut self, capacity: usize) -> Result<(), OutOfMemory> {
        self.compact();
        let mut bytes = std::mem::take(&mut self.bytes).into_vec();
        let more = capacity - bytes.len();
        let grown = memory::reserve_exact(&mut bytes, more);
        if grown.is_ok() {
            bytes.resize(capacity, 0);
        }
        self.bytes = bytes.into_boxed_slice();
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_buffer_owns_nothing() {
        assert_eq!(Buf::default().capacity(), 0);
    }

    #[test]
    fn bytes_come_out_in_the_order_they_went_in() {
        let mut buf = Buf::default();
        let mut expected = std::collections::VecDeque::new();
        for round in 0..2000_u32 {
            let chunk = vec![round as u8; (round * 7 % 97) as usize];
            buf.extend(&chunk).unwrap();
            expected.extend(chunk);
            let take = (round as usize * 13 % 101).min(buf.len());
            buf.consume(take);
            expected.drain(..take);
            assert_eq!(buf.unread(), expected.make_contiguous() as &[u8]);
        }
        assert!(buf.capacity() <= 4 * expected.len().max(4096), "{}", buf.capacity());
    }

    #[test]
    fn an_absurd_reservation_is_refused_and_harmless() {
        let mut buf = Buf::default();
        buf.extend(b"kept").unwrap();
        assert_eq!(buf.reserve(usize::MAX), Err(OutOfMemory));
        assert_eq!(buf.reserve(isize::MAX as usize), Err(OutOfMemory));
        assert_eq!(buf.unread(), b"kept");
    }

    #[test]
    fn a_value_of_a_known_length_is_held_once_however_it_arrives() {
        let whole = (8 << 20) + 40;
        let mut buf = Buf::default();
        buf.resize(32 << 10).unwrap();
        while buf.len() < whole {
            buf.reserve_for(whole - buf.len()).unwrap();
            let room = buf.spare().len().min(60_000).min(whole - buf.len());
            assert!(room > 0, "there is no room for the missing bytes");
            buf.filled(room);
            assert!(buf.capacity() <= (3 * buf.len()).max(64 << 10), "it grows with what has arrived");
        }
        assert!(buf.capacity() <= whole / 4 * 5, "{} bytes for {whole}", buf.capacity());
    }

    #[test]
    fn a_buffer_that_grows_keeps_its_contents_and_is_as_before_without_memory() {
        let mut buf = Buf::default();
        buf.extend(b"consumed, and the rest").unwrap();
        buf.consume(14);
        buf.resize(300_000).unwrap();
        assert_eq!((buf.unread(), buf.capacity(), buf.range()), (&b"the rest"[..], 300_000, 0..8));
        assert_eq!(buf.resize(usize::MAX / 4), Err(OutOfMemory));
        assert_eq!((buf.unread(), buf.capacity()), (&b"the rest"[..], 300_000));
    }

    #[test]
    fn a_request_of_64_kib_ends_in_a_buffer_of_its_size() {
        let whole = (64 << 10) + 40;
        let mut buf = Buf::default();
        buf.resize(32 << 10).unwrap();
        while buf.len() < whole {
            buf.reserve_for(whole - buf.len()).unwrap();
            let room = buf.spare().len().min(whole - buf.len());
            buf.filled(room);
        }
        assert!(buf.capacity() > whole, "a read that finds the socket empty leaves room");
        assert!(buf.capacity() <= whole / 16 * 17, "{} bytes for {whole}", buf.capacity());
    }

    #[test]
    fn much_unused_room_is_cut_off_and_a_little_stays() {
        let mut buf = Buf::default();
        buf.resize(32 << 10).unwrap();
        buf.extend(&[b'-'; 10_000]).unwrap();
        buf.extend(b"+").unwrap();
        assert_eq!(buf.capacity(), 32 << 10);
        buf.consume(1);
        buf.cut();
        assert_eq!((buf.len(), buf.unread().last()), (10_000, Some(&b'+')));
        assert_eq!(buf.capacity(), 10_001 + 10_001 / 32);
        let (range, capacity) = (buf.range(), buf.capacity());
        buf.cut();
        assert_eq!((buf.range(), buf.capacity()), (range.clone(), capacity), "there is nothing left to cut");
        let again = Buf::holding(buf.into_bytes(), range);
        assert_eq!(again.unread().len(), 10_000);
    }

    #[test]
    fn many_small_pieces_are_not_copied_for_each() {
        let mut buf = Buf::default();
        buf.resize(32 << 10).unwrap();
        let mut grown = 0;
        while buf.len() < 16 << 20 {
            let before = buf.capacity();
            buf.reserve_for(7).unwrap();
            grown += u32::from(buf.capacity() != before);
            let room = buf.spare().len();
            buf.filled(room);
        }
        assert!(grown < 30, "grown {grown} times");
    }

    #[test]
    fn truncating_drops_the_newest_bytes() {
        let mut buf = Buf::default();
        buf.extend(b"complete half").unwrap();
        buf.truncate(8);
        assert_eq!(buf.unread(), b"complete");
    }
}
