//! The grid: cells that halve the map again and again, and their numbers.
//!
//! With `n` steps the map has 2^n columns from west to east and 2^n rows from south to north. The number of a
//! cell has the bits of its column at odd places and those of its row at even places, so that all cells within
//! a cell of fewer steps follow each other.

use super::{LATITUDE_MAX, LONGITUDE_MAX, Place};

/// Steps of the grid whose cells are scores: twice 26 bits fit an `f64`.
pub const STEPS_MAX: u32 = 26;
/// The bits of the rows in a number.
const ROW_BITS: u64 = 0x5555_5555_5555_5555;
/// The bits of the columns in a number.
const COLUMN_BITS: u64 = !ROW_BITS;

/// From one degree to another.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// The southern or western end.
    pub min: f64,
    /// The northern or eastern end.
    pub max: f64,
}

impl Side {
    /// How many degrees it has.
    fn size(self) -> f64 {
        self.max - self.min
    }

    /// In which of 2^`steps` equal parts `degrees` is.
    fn part(self, degrees: f64, steps: u32) -> u32 {
        ((degrees - self.min) / self.size() * parts(steps)) as u32
    }

    /// From part `number` of 2^`steps` equal parts to the next one.
    fn of_part(self, number: u32, steps: u32) -> Side {
        let start = |number: u32| self.min + f64::from(number) / parts(steps) * self.size();
        Side { min: start(number), max: start(number.wrapping_add(1)) }
    }
}

fn parts(steps: u32) -> f64 {
    (1_u64 << steps) as f64
}

/// A rectangle between two longitudes and two latitudes.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// From west to east.
    pub longitude: Side,
    /// From south to north.
    pub latitude: Side,
}

/// The map that the cells divide.
#[derive(Debug)]
pub struct Grid(Area);

impl Grid {
    /// The grid of the scores.
    pub const SCORES: Grid = Grid::up_to(LATITUDE_MAX);
    /// The grid of geohash strings, which has the poles.
    pub const STRINGS: Grid = Grid::up_to(90.0);

    const fn up_to(latitude: f64) -> Grid {
        Grid(Area {
            longitude: Side { min: -LONGITUDE_MAX, max: LONGITUDE_MAX },
            latitude: Side { min: -latitude, max: latitude },
        })
    }
}

/// A cell of a grid of some number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    bits: u64,
    /// 1 to [`STEPS_MAX`].
    steps: u32,
}

impl Cell {
    /// The cell with the number `bits`.
    pub fn new(bits: u64, steps: u32) -> Cell {
        Cell { bits, steps }
    }

    /// The cell of `place`. At the highest longitude or latitude it is just outside the grid, as in Redis.
    pub fn of(grid: &Grid, place: Place, steps: u32) -> Cell {
        let column = grid.0.longitude.part(place.longitude, steps);
        let row = grid.0.latitude.part(place.latitude, steps);
        Cell { bits: spread(row) | spread(column) << 1, steps }
    }

    /// True if the grid of the cell has only four cells.
    pub fn is_coarsest(self) -> bool {
        self.steps == 1
    }

    /// Its number.
    pub fn bits(self) -> u64 {
        self.bits
    }

    /// The rectangle that the cell covers.
    pub fn area(self, grid: &Grid) -> Area {
        Area {
            longitude: grid.0.longitude.of_part(gather(self.bits >> 1), self.steps),
            latitude: grid.0.latitude.of_part(gather(self.bits), self.steps),
        }
    }

    /// The lowest score of the cell, and the lowest score behind it.
    pub fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEPS_MAX - self.steps);
        ((self.bits << shift) as f64, ((self.bits + 1) << shift) as f64)
    }

    /// The cell that is `east` columns and `north` rows away, each -1, 0 or 1. Behind the last column is the
    /// first one, and behind the last row the first one.
    pub fn neighbour(self, east: i8, north: i8) -> Cell {
        let column = moved(self.bits, COLUMN_BITS, self.steps, east);
        let row = moved(self.bits, ROW_BITS, self.steps, north);
        Cell { bits: column | row, steps: self.steps }
    }
}

/// The bits of `number` that are in `mask`, increased by `by` as if they were next to each other.
fn moved(number: u64, mask: u64, steps: u32, by: i8) -> u64 {
    let valid = u64::MAX >> (64 - 2 * steps);
    let (bits, gaps) = (number & mask, !mask & valid);
    match by {
        0 => bits,
        // Full gaps carry over to the next bit of the mask.
        1 => bits.wrapping_add(gaps + 1) & mask & valid,
        // Full gaps are there to borrow from.
        _ => (bits | gaps).wrapping_sub(gaps + 1) & mask & valid,
    }
}

/// How far [`spread`] and [`gather`] move groups of bits, and where the groups are then.
const GROUPS: [(u32, u64); 5] = [
    (16, 0x0000_ffff_0000_ffff),
    (8, 0x00ff_00ff_00ff_00ff),
    (4, 0x0f0f_0f0f_0f0f_0f0f),
    (2, 0x3333_3333_3333_3333),
    (1, 0x5555_5555_5555_5555),
];

/// Moves bit `n` of `number` to bit `2 n`.
fn spread(number: u32) -> u64 {
    GROUPS.iter().fold(u64::from(number), |bits, (shift, mask)| (bits | bits << shift) & mask)
}

/// Moves bit `2 n` of `bits` to bit `n`, and drops the others.
fn gather(bits: u64) -> u32 {
    let start = bits & ROW_BITS;
    let masks = GROUPS.iter().rev().skip(1).map(|(_, mask)| *mask).chain([u64::from(u32::MAX)]);
    let shifts = GROUPS.iter().rev().map(|(shift, _)| shift);
    shifts.zip(masks).fold(start, |bits, (shift, mask)| (bits | bits >> shift) & mask) as u32
}
