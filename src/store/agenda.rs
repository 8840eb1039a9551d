//! The agenda: it knows in which segment a key expires next.
//!
//! Each segment keeps the time at which the sweep looks at all its keys: it removes those that have expired, and
//! finds the next time. A key that expires sooner than all others brings that time forward. A key that is removed
//! leaves it as it is. So a time of expiry costs a key only the eight bytes in its record, a change costs nothing unless the
//! key expires before all others of its segment, and the agenda holds segments, not keys.
//!
//! The agenda is a heap of segment numbers, in which each parent has up to four children that are not earlier.
//! A segment knows its position, so a change of its time moves it a few levels: a thousand million keys make
//! eleven.
//!
//! A hash with fields that expire has an agenda of its own, for its table. The keyspace's agenda treats the first time
//! of that one as a time of the key.

use super::chunked::Chunked;
use super::segment::Segment;
use crate::base::{OutOfMemory, memory};

/// The time of a segment without a key that expires.
pub const NEVER: u64 = u64::MAX;
/// The position of a segment that is not in the agenda.
pub const NOWHERE: u32 = u32::MAX;
/// Most children of a parent.
const CHILDREN: usize = 4;
/// Segments for which an agenda keeps room in any case.
const KEPT: usize = 4;

/// The numbers of the segments that have keys that expire.
#[derive(Debug, Default)]
pub struct Agenda {
    heap: Vec<u32>,
}

impl Agenda {
    /// An agenda with room for a few segments. The default has no room: it is for a table whose items never expire.
    pub fn with_room() -> Agenda {
        Agenda { heap: Vec::with_capacity(KEPT) }
    }

    /// The same memory, without the segments.
    pub fn cleared(mut self) -> Agenda {
        self.heap.clear();
        self
    }

    /// Makes room for `segments` segments in all. Does nothing for a table whose items never expire.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn try_reserve(&mut self, segments: usize) -> Result<(), OutOfMemory> {
        if !self.has_room() {
            return Ok(());
        }
        let more = segments.saturating_sub(self.heap.len());
        memory::reserve(&mut self.heap, more)
    }

    /// Makes room for `segments` segments in all, in an agenda that may have had no room.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn try_admit(&mut self, segments: usize) -> Result<(), OutOfMemory> {
        if !self.has_room() {
            memory::reserve_exact(&mut self.heap, KEPT)?;
        }
        self.try_reserve(segments)
    }

    /// True if it has room for segments: the items of its table may expire.
    pub fn has_room(&self) -> bool {
        self.heap.capacity() > 0
    }

    /// True if it holds more memory than `segments` segments need, and some to spare.
    pub fn is_loose(&self, segments: usize) -> bool {
        self.heap.capacity() > 2 * segments + KEPT
    }

    /// Gives back memory if [`Agenda::is_loose`].
    pub fn trim(&mut self, segments: usize) {
        if self.is_loose(segments) {
            self.heap.shrink_to(segments.max(KEPT));
        }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.heap.capacity() * size_of::<u32>()
    }

    /// The segment that comes first.
    #[inline]
    pub fn first(&self) -> Option<u32> {
        self.heap.first().copied()
    }

    /// A key of segment `number` is going to expire at `at_ms`.
    #[inline]
    pub fn hasten(&mut self, segments: &mut Chunked<Segment>, number: u32, at_ms: u64) {
        if at_ms < segments.get(number).due_ms {
            self.put(segments, number, at_ms);
        }
    }

    /// The sweep looks at segment `number` at `due_ms`.
    pub fn put(&mut self, segments: &mut Chunked<Segment>, number: u32, due_ms: u64) {
        let segment = segments.get_mut(number);
        segment.due_ms = due_ms;
        if due_ms == NEVER {
            return self.remove(segments, number);
        }
        let mut at = segment.agenda as usize;
        if segment.agenda == NOWHERE {
            at = self.heap.len();
            self.heap.push(number);
        }
        self.settle(segments, at, number);
    }

    /// Takes segment `number` out.
    pub fn remove(&mut self, segments: &mut Chunked<Segment>, number: u32) {
        let segment = segments.get_mut(number);
        segment.due_ms = NEVER;
        let at = std::mem::replace(&mut segment.agenda, NOWHERE);
        if at == NOWHERE {
            return;
        }
        let last = self.heap.pop().expect("it is in there");
        if last != number {
            self.settle(segments, at as usize, last);
        }
    }

    /// The segment at this position has a new number.
    pub fn renumber(&mut self, at: u32, number: u32) {
        if at != NOWHERE {
            self.heap[at as usize] = number;
        }
    }

    /// Calls `visit` with the segments whose time is not after `now_ms`, in no particular order, until it returns
    /// false.
    pub fn visit_due(&self, segments: &Chunked<Segment>, now_ms: u64, mut visit: impl FnMut(u32) -> bool) {
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            let Some(&number) = self.heap.get(at) else { continue };
            if segments.get(number).due_ms <= now_ms {
                if !visit(number) {
                    return;
                }
                open.extend(at * CHILDREN + 1..=at * CHILDREN + CHILDREN);
            }
        }
    }

    /// Moves segment `number` from the position `at` to where its time belongs.
    fn settle(&mut self, segments: &mut Chunked<Segment>, mut at: usize, number: u32) {
        let due_ms = segments.get(number).due_ms;
        while at > 0 {
            let parent = (at - 1) / CHILDREN;
            if segments.get(self.heap[parent]).due_ms <= due_ms {
                break;
            }
            self.place(segments, at, self.heap[parent]);
            at = parent;
        }
        loop {
            let children = at * CHILDREN + 1..(at * CHILDREN + 1 + CHILDREN).min(self.heap.len());
            let earliest = children.min_by_key(|child| segments.get(self.heap[*child]).due_ms);
            let Some(child) = earliest.filter(|child| segments.get(self.heap[*child]).due_ms < due_ms) else {
                break;
            };
            self.place(segments, at, self.heap[child]);
            at = child;
        }
        self.place(segments, at, number);
    }

    fn place(&mut self, segments: &mut Chunked<Segment>, at: usize, number: u32) {
        self.heap[at] = number;
        segments.get_mut(number).agenda = at as u32;
    }

    /// Asserts that the agenda has each segment with a time, at its position and in order. For tests.
    ///
    /// # Panics
    /// If it does not.
    pub fn audit(&self, segments: &Chunked<Segment>) {
        for (at, &number) in self.heap.iter().enumerate() {
            let segment = segments.get(number);
            assert_eq!(segment.agenda as usize, at, "a segment does not know its position in the agenda");
            let parent = segments.get(self.heap[at.saturating_sub(1) / CHILDREN]);
            assert!(parent.due_ms <= segment.due_ms, "the agenda is out of order");
        }
        let planned = segments.iter().filter(|segment| segment.due_ms != NEVER).count();
        assert_eq!(planned, self.heap.len(), "the agenda lacks a segment or has one too many");
    }
}
