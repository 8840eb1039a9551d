//! A run: up to [`RUN_MAX`] integers of a set in ascending order.
//!
//! ```text
//! base: 1,000,000    width: 2    bytes: [ 7 | 19 | 300 | 65,000 | free room ]
//! ```
//!
//! Each integer is stored as its distance from the base, in the least number of bytes that holds the largest
//! distance: 1 to 8, all of the same width, lowest byte first. So the run is searched like an array.
//!
//! The base is at most the first integer. It may lie lower, so that integers below the first one can still be
//! inserted without encoding the others again.

use crate::base::memory;
use crate::store::tiered::Part;

/// Most integers in a run. Consecutive integers then need one byte each.
pub const RUN_MAX: usize = 256;
/// A run of its own costs about this many bytes. Rather than make the others of a run wider by more bytes in all, an
/// integer begins a new run.
pub const RUN_COST: usize = 64;
/// Most bytes that the integers of a run take.
pub const RUN_BYTES_MAX: usize = RUN_MAX * size_of::<i64>();

/// Some integers of a set.
#[derive(Debug)]
pub struct Run {
    /// What the distances are measured from.
    base: i64,
    /// The distances, and free room behind them.
    bytes: Box<[u8]>,
    /// Number of integers.
    count: u16,
    /// Bytes of a distance.
    width: u8,
}

/// Compiles `$body` for each width, with the constant `$constant`, and runs it for `$width`.
macro_rules! for_width {
    ($width:expr, $constant:ident => $body:expr) => {
        for_width!(@ $width, $constant => $body, 1 2 3 4 5 6 7)
    };
    (@ $width:expr, $constant:ident => $body:expr, $($number:literal)*) => {
        match $width {
            $($number => {
                const $constant: usize = $number;
                $body
            })*
            _ => {
                const $constant: usize = 8;
                $body
            }
        }
    };
}

impl Part for Run {
    type Mark = i64;

    #[inline]
    fn len(&self) -> usize {
        usize::from(self.count)
    }

    #[inline]
    fn memory(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn mark(&self) -> i64 {
        self.base
    }
}

impl Run {
    /// A run with these integers, at least one, in ascending order.
    pub fn of(values: &[i64]) -> Run {
        let width = width_of(values[values.len() - 1].abs_diff(values[0]));
        Run::encode(values, values[0], width, Vec::with_capacity(room_for(values.len(), width)))
    }

    /// A run with the integers of `left` and then those of `right`. `None` if one run is no good for them, or if
    /// there is no memory.
    pub fn joined(left: &Run, right: &Run) -> Option<Run> {
        let len = left.len() + right.len();
        if len > RUN_MAX / 2 {
            return None;
        }
        let width = width_of(right.last().abs_diff(left.first()));
        if len * width > left.used() + right.used() + RUN_COST {
            return None;
        }
        let mut values = [0; RUN_MAX];
        left.decode(&mut values);
        right.decode(&mut values[left.len()..]);
        let mut bytes = Vec::new();
        memory::reserve_exact(&mut bytes, room_for(len, width)).ok()?;
        Some(Run::encode(&values[..len], left.first(), width, bytes))
    }

    /// Encodes `values` into `bytes`, and fills all of its room.
    fn encode(values: &[i64], base: i64, width: usize, mut bytes: Vec<u8>) -> Run {
        bytes.resize(room_for(values.len(), width), 0);
        for_width!(width, WIDTH => {
            for (value, place) in values.iter().zip(bytes.as_chunks_mut::<WIDTH>().0) {
                place.copy_from_slice(&value.abs_diff(base).to_le_bytes()[..WIDTH]);
            }
        });
        Run { base, bytes: bytes.into_boxed_slice(), count: values.len() as u16, width: width as u8 }
    }

    /// Encodes all integers anew.
    fn encode_again(&mut self, base: i64, width: usize) {
        let mut values = [0; RUN_MAX];
        self.decode(&mut values);
        let bytes = Vec::with_capacity(room_for(self.len(), width));
        *self = Run::encode(&values[..self.len()], base, width, bytes);
    }

    /// Writes all integers to `values`.
    fn decode(&self, values: &mut [i64]) {
        for_width!(self.width, WIDTH => {
            for (value, place) in values.iter_mut().zip(self.distances::<WIDTH>()) {
                *value = self.base.wrapping_add(distance(*place) as i64);
            }
        });
    }

    /// The distances, if they have this width.
    #[inline]
    fn distances<const WIDTH: usize>(&self) -> &[[u8; WIDTH]] {
        &self.bytes.as_chunks().0[..self.len()]
    }

    /// Number of bytes that the distances take.
    fn used(&self) -> usize {
        self.len() * usize::from(self.width)
    }

    /// Integer number `index`.
    ///
    /// # Panics
    /// If the run has no room for so many.
    #[inline]
    pub fn at(&self, index: usize) -> i64 {
        let distance = for_width!(self.width, WIDTH => distance(self.bytes.as_chunks::<WIDTH>().0[index]));
        self.base.wrapping_add(distance as i64)
    }

    /// The first integer.
    pub fn first(&self) -> i64 {
        self.at(0)
    }

    /// The last integer.
    pub fn last(&self) -> i64 {
        self.at(self.len() - 1)
    }

    /// The integers from number `index` on.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = i64> + Clone {
        (index..self.len()).map(|index| self.at(index))
    }

    /// The number of `value`, or else the number that it would get.
    #[inline]
    pub fn search(&self, value: i64) -> Result<usize, usize> {
        if value < self.base {
            return Err(0);
        }
        let wanted = value.abs_diff(self.base);
        for_width!(self.width, WIDTH => {
            let distances = self.distances::<WIDTH>();
            let (mut low, mut size) = (0, distances.len());
            // Halves without a branch on the outcome, which the processor could not foresee.
            while size > 1 {
                let half = size / 2;
                low = if distance(distances[low + half]) <= wanted { low + half } else { low };
                size -= half;
            }
            match distances.get(low).map(|found| distance(*found).cmp(&wanted)) {
                Some(std::cmp::Ordering::Equal) => Ok(low),
                Some(std::cmp::Ordering::Less) => Err(low + 1),
                _ => Err(low),
            }
        })
    }

    /// True if the distance to `value` has room. Then it can be inserted.
    #[inline]
    pub fn reaches(&self, value: i64) -> bool {
        value >= self.base && value.abs_diff(self.base) <= reach(usize::from(self.width))
    }

    /// Changes base and width so that the run reaches `value`, which lies below its first or above its last integer.
    /// Returns false and changes nothing if a new run is cheaper. The base will not be below `floor`.
    pub fn stretch(&mut self, value: i64, floor: i64) -> bool {
        let (low, high) = (self.first().min(value), self.last().max(value));
        let width = width_of(high.abs_diff(low));
        if self.len() == RUN_MAX || self.len() * width > self.used() + RUN_COST {
            return false;
        }
        // Further integers below the first one are likely to follow. The lowest base has room for the most of them.
        let lowest = high.saturating_sub_unsigned(reach(width)).max(floor);
        self.encode_again(if value < self.base { lowest } else { low }, width);
        true
    }

    /// Inserts `value`, which the run must reach, as number `index`.
    #[inline]
    pub fn insert(&mut self, index: usize, value: i64) {
        let (width, used) = (usize::from(self.width), self.used());
        if used + width > self.bytes.len() {
            let mut bytes = std::mem::take(&mut self.bytes).into_vec();
            let room = room_for(self.len() + 1, width);
            bytes.reserve_exact(room - bytes.len());
            bytes.resize(room, 0);
            self.bytes = bytes.into_boxed_slice();
        }
        let at = index * width;
        self.bytes.copy_within(at..used, at + width);
        self.bytes[at..at + width].copy_from_slice(&value.abs_diff(self.base).to_le_bytes()[..width]);
        self.count += 1;
    }

    /// Removes integer number `index`. Gives free room back if most of the room is free and if there is memory to do
    /// so.
    pub fn remove(&mut self, index: usize) {
        let (width, used) = (usize::from(self.width), self.used());
        self.bytes.copy_within((index + 1) * width..used, index * width);
        self.count -= 1;
        let room = room_for(self.len(), width);
        let mut bytes = Vec::new();
        if self.bytes.len() > 2 * room && memory::reserve_exact(&mut bytes, room).is_ok() {
            bytes.extend_from_slice(&self.bytes[..room]);
            self.bytes = bytes.into_boxed_slice();
        }
    }

    /// Takes the upper half of the integers out.
    pub fn split_off(&mut self) -> Run {
        let mut values = [0; RUN_MAX];
        self.decode(&mut values);
        let (left, right) = values[..self.len()].split_at(self.len() / 2);
        *self = Run::of(left);
        Run::of(right)
    }

    /// Checks the run. For tests.
    ///
    /// # Panics
    /// If something is wrong.
    pub fn audit(&self) {
        assert!((1..=RUN_MAX).contains(&self.len()));
        assert!((1..=8).contains(&self.width));
        assert!(self.used() <= self.bytes.len() && self.bytes.len() <= RUN_MAX * usize::from(self.width));
        let values: Vec<i64> = self.iter_from(0).collect();
        assert!(values[0] >= self.base, "an integer below the base");
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "the integers do not ascend");
    }
}

/// A distance of fewer than eight bytes as a number.
#[inline]
fn distance<const WIDTH: usize>(bytes: [u8; WIDTH]) -> u64 {
    let mut all = [0; 8];
    all[..WIDTH].copy_from_slice(&bytes);
    u64::from_le_bytes(all)
}

/// How many bytes a distance takes.
fn width_of(distance: u64) -> usize {
    ((u64::BITS - (distance | 1).leading_zeros()) as usize).div_ceil(8)
}

/// The largest distance that fits so many bytes.
#[inline]
fn reach(width: usize) -> u64 {
    u64::MAX >> (u64::BITS as usize - 8 * width)
}

/// How many bytes a run of `count` integers of this width gets: an eighth more than it needs, in steps of the
/// allocator.
fn room_for(count: usize, width: usize) -> usize {
    let used = count * width;
    ((used + used / 8 + 7) / 16 * 16 + 8).max(24).min(RUN_MAX * width)
}
