//! The consumers of a group, found by name or by number.
//!
//! A pending entry names its consumer by number: four bytes instead of a name. A consumer keeps its number, so its seat
//! stays where it is until the consumer is deleted. Free seats are linked to each other, so that a deletion needs no
//! memory. A second list has the numbers in the order of the names.

use super::id::StreamId;
use super::sorted::Sorted;
use crate::base::{OutOfMemory, memory};

/// A consumer of a group.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) name: Vec<u8>,
    /// When a command last named the consumer: Unix time in milliseconds.
    pub(super) seen_ms: u64,
    /// When the consumer last got an entry.
    pub(super) active_ms: Option<u64>,
    /// The ids of its pending entries.
    pub(super) pending: Sorted<StreamId>,
}

/// A place for a consumer.
#[derive(Debug)]
enum Seat {
    Taken(Box<Consumer>),
    /// The number of another free seat.
    Free(Option<u32>),
}

/// The consumers of a group.
#[derive(Debug)]
pub(super) struct Consumers {
    seats: Vec<Seat>,
    /// Numbers of the consumers, sorted by name.
    by_name: Vec<u32>,
    /// A free seat.
    free: Option<u32>,
    /// Bytes that the consumers hold.
    bytes: usize,
}

/// The consumer that a command names. The command creates it if there is none.
#[derive(Debug)]
pub(super) enum Reader {
    Known(u32),
    New(Box<Consumer>),
}

impl Consumer {
    /// A consumer that nobody has seen yet.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    fn new(name: &[u8]) -> Result<Box<Consumer>, OutOfMemory> {
        memory::charge(size_of::<Consumer>())?;
        let mut copy = Vec::new();
        memory::reserve_exact(&mut copy, name.len())?;
        copy.extend_from_slice(name);
        Ok(Box::new(Consumer { name: copy, seen_ms: 0, active_ms: None, pending: Sorted::new() }))
    }

    /// Memory held, in bytes.
    pub(super) fn memory(&self) -> usize {
        size_of::<Consumer>() + self.name.capacity() + self.pending.memory()
    }
}

impl Reader {
    /// The consumer's number, if there is one.
    pub(super) fn number(&self) -> Option<u32> {
        match self {
            Reader::Known(number) => Some(*number),
            Reader::New(_) => None,
        }
    }
}

impl Consumers {
    /// No consumers. Allocates nothing.
    pub(super) const fn new() -> Consumers {
        Consumers { seats: Vec::new(), by_name: Vec::new(), free: None, bytes: 0 }
    }

    /// Number of consumers.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Memory held, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.seats.capacity() * size_of::<Seat>() + self.by_name.capacity() * size_of::<u32>()
    }

    /// The consumer with this number.
    pub(super) fn get(&self, number: u32) -> Option<&Consumer> {
        match self.seats.get(number as usize)? {
            Seat::Taken(consumer) => Some(consumer),
            Seat::Free(_) => None,
        }
    }

    /// The number of the consumer with this name.
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        self.search(name).ok().map(|at| self.by_name[at])
    }

    /// All consumers with their numbers, in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Consumer)> {
        self.by_name.iter().filter_map(|number| Some((*number, self.get(*number)?)))
    }

    fn search(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|number| self.name(*number).cmp(name))
    }

    fn name(&self, number: u32) -> &[u8] {
        self.get(number).map_or(b"", |consumer| &consumer.name)
    }

    /// Changes a consumer, and counts its memory again.
    pub(super) fn change<T>(&mut self, number: u32, change: impl FnOnce(&mut Consumer) -> T) -> Option<T> {
        let Some(Seat::Taken(consumer)) = self.seats.get_mut(number as usize) else { return None };
        self.bytes -= consumer.memory();
        let changed = change(consumer);
        self.bytes += consumer.memory();
        Some(changed)
    }

    /// Finds the consumer with this name, or prepares to create it.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing visible has changed.
    pub(super) fn prepare(&mut self, name: &[u8]) -> Result<Reader, OutOfMemory> {
        if let Some(number) = self.find(name) {
            return Ok(Reader::Known(number));
        }
        if self.free.is_none() {
            u32::try_from(self.seats.len()).map_err(|_| OutOfMemory)?;
            reserve_one(&mut self.seats)?;
        }
        reserve_one(&mut self.by_name)?;
        Consumer::new(name).map(Reader::New)
    }

    /// Adds a consumer, whose name must be new, behind all others. [`Consumers::sort`] must follow.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing visible has changed.
    pub(super) fn push(
        &mut self,
        name: &[u8],
        seen_ms: u64,
        active_ms: Option<u64>,
    ) -> Result<(), OutOfMemory> {
        let number = u32::try_from(self.seats.len()).map_err(|_| OutOfMemory)?;
        reserve_one(&mut self.seats)?;
        reserve_one(&mut self.by_name)?;
        let mut consumer = Consumer::new(name)?;
        (consumer.seen_ms, consumer.active_ms) = (seen_ms, active_ms);
        self.bytes += consumer.memory();
        self.seats.push(Seat::Taken(consumer));
        self.by_name.push(number);
        Ok(())
    }

    /// Puts the numbers of the consumers in the order of their names.
    pub(super) fn sort(&mut self) {
        let Consumers { seats, by_name, .. } = self;
        let name = |number: &u32| match seats.get(*number as usize) {
            Some(Seat::Taken(consumer)) => &consumer.name[..],
            _ => b"",
        };
        by_name.sort_unstable_by(|one, other| name(one).cmp(name(other)));
    }

    /// Reserves memory in the list of a reader's pending entries.
    ///
    /// # Errors
    /// As `reserve`; nothing visible has changed.
    pub(super) fn reserve(
        &mut self,
        reader: &mut Reader,
        reserve: impl FnOnce(&mut Sorted<StreamId>) -> Result<(), OutOfMemory>,
    ) -> Result<(), OutOfMemory> {
        match reader {
            Reader::Known(number) => {
                self.change(*number, |consumer| reserve(&mut consumer.pending)).unwrap_or(Ok(()))
            }
            Reader::New(consumer) => reserve(&mut consumer.pending),
        }
    }

    /// Notes that a command has named the consumer, and creates it if it is new. Returns its number.
    pub(super) fn enter(&mut self, reader: Reader, now_ms: u64) -> u32 {
        let mut consumer = match reader {
            Reader::Known(number) => {
                self.change(number, |consumer| consumer.seen_ms = now_ms);
                return number;
            }
            Reader::New(consumer) => consumer,
        };
        consumer.seen_ms = now_ms;
        self.bytes += consumer.memory();
        let at = self.search(&consumer.name).unwrap_or_else(|at| at);
        let number = self.free.unwrap_or(self.seats.len() as u32);
        match self.seats.get_mut(number as usize) {
            Some(seat) => {
                if let Seat::Free(next) = std::mem::replace(seat, Seat::Taken(consumer)) {
                    self.free = next;
                }
            }
            None => self.seats.push(Seat::Taken(consumer)),
        }
        self.by_name.insert(at, number);
        number
    }

    /// Removes the consumer with this name.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<(u32, Box<Consumer>)> {
        let at = self.search(name).ok()?;
        let number = self.by_name.remove(at);
        let seat = self.seats.get_mut(number as usize)?;
        let Seat::Taken(consumer) = std::mem::replace(seat, Seat::Free(self.free)) else { return None };
        self.free = Some(number);
        self.bytes -= consumer.memory();
        if self.by_name.is_empty() {
            *self = Consumers::new();
        } else if self.by_name.capacity() > 4 * self.by_name.len() + 16 {
            self.by_name.shrink_to(2 * self.by_name.len());
        }
        Some((number, consumer))
    }

    /// Puts back a consumer that was removed, with the number that it had.
    pub(super) fn put_back(&mut self, number: u32, consumer: Box<Consumer>) {
        while self.seats.len() <= number as usize {
            let seat = self.seats.len() as u32;
            self.seats.push(Seat::Free(self.free.replace(seat)));
        }
        let Some(Seat::Free(next)) = self.seats.get(number as usize) else { return };
        let (next, mut before) = (*next, self.free);
        if before == Some(number) {
            self.free = next;
        }
        while let Some(free) = before.filter(|free| *free != number) {
            let Some(Seat::Free(after)) = self.seats.get_mut(free as usize) else { break };
            before = *after;
            if before == Some(number) {
                *after = next;
            }
        }
        let at = self.search(&consumer.name).unwrap_or_else(|at| at);
        self.bytes += consumer.memory();
        self.seats[number as usize] = Seat::Taken(consumer);
        self.by_name.insert(at, number);
    }

    /// A copy, in which the consumers have the same numbers.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub(super) fn try_copy(&self) -> Result<Consumers, OutOfMemory> {
        let mut new = Consumers { free: self.free, ..Consumers::new() };
        memory::reserve_exact(&mut new.by_name, self.by_name.len())?;
        new.by_name.extend_from_slice(&self.by_name);
        memory::reserve_exact(&mut new.seats, self.seats.len())?;
        for seat in &self.seats {
            let copy = match seat {
                Seat::Free(next) => Seat::Free(*next),
                Seat::Taken(consumer) => {
                    memory::charge(size_of::<Consumer>())?;
                    let mut name = Vec::new();
                    memory::reserve_exact(&mut name, consumer.name.len())?;
                    name.extend_from_slice(&consumer.name);
                    let pending = consumer.pending.try_copy(|id| Ok(*id))?;
                    let copy = Box::new(Consumer { name, pending, ..**consumer });
                    new.bytes += copy.memory();
                    Seat::Taken(copy)
                }
            };
            new.seats.push(copy);
        }
        Ok(new)
    }

    /// Frees a piece of the memory. Returns false if nothing is left. After the first call the consumers may only be freed.
    pub(super) fn free_piece(&mut self) -> bool {
        self.by_name = Vec::new();
        for _ in 0..PIECE_SEATS {
            let Some(last) = self.seats.last_mut() else { break };
            if let Seat::Taken(consumer) = last {
                let before = consumer.memory();
                let more = consumer.pending.free_piece(&mut 0);
                self.bytes -= before - consumer.memory();
                if more {
                    return true;
                }
                self.bytes -= consumer.memory();
            }
            self.seats.pop();
        }
        if self.seats.is_empty() {
            *self = Consumers::new();
        }
        !self.seats.is_empty()
    }

    /// Walks over all consumers and asserts their invariants. Calls `visit` with each id that a consumer has pending.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(super) fn audit(&self, mut visit: impl FnMut(u32, StreamId)) {
        let taken = self.seats.iter().filter(|seat| matches!(seat, Seat::Taken(_))).count();
        assert_eq!(taken, self.by_name.len(), "a consumer has no name in the list");
        assert!(
            self.by_name.is_sorted_by(|a, b| self.name(*a) < self.name(*b)),
            "the names are out of order"
        );
        let (mut bytes, mut free, mut next) = (0, 0, self.free);
        while let Some(number) = next {
            let Some(Seat::Free(after)) = self.seats.get(number as usize) else {
                panic!("a seat is not free")
            };
            (free, next) = (free + 1, *after);
        }
        assert_eq!(taken + free, self.seats.len(), "a free seat is lost");
        for (number, consumer) in self.iter() {
            consumer.pending.audit();
            bytes += consumer.memory();
            consumer.pending.iter().for_each(|id| visit(number, *id));
        }
        assert_eq!(bytes, self.bytes, "the count of the consumers' bytes is wrong");
    }
}

/// Most seats that a piece frees.
const PIECE_SEATS: usize = 64;

/// Makes room for one more element. The room grows by half.
pub(super) fn reserve_one<T>(vec: &mut Vec<T>) -> Result<(), OutOfMemory> {
    if vec.len() < vec.capacity() {
        return Ok(());
    }
    let half = vec.len() / 2;
    memory::reserve_exact(vec, 1 + half)
}
