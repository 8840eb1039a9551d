//! A search around a centre: which ranges of scores to read, in which order, and which members are inside.
//!
//! The search takes the cell of the centre in a grid whose cells are about as large as the searched area, and
//! the eight cells around it. It leaves out neighbours that the area does not reach. The order of the cells
//! is the order of an unsorted reply, so it must stay as it is.

use super::cell::{Area, Cell, Grid, STEPS_MAX, Side};
use super::distance::{EARTH_RADIUS_M, degrees, distance, latitude_distance, radians};
use super::{Place, Unit};

/// Most ranges of a search: the cell of the centre and its eight neighbours.
pub const RANGES_MAX: usize = 9;

/// Half of the equator on the square map, metres.
const HALF_EQUATOR_M: f64 = 20_037_726.37;
/// With more doublings than this, the grid is the finest one in any case.
const DOUBLINGS_MAX: u32 = STEPS_MAX + 3;
/// Beyond this latitude, degrees, an area covers twice as many columns.
const NARROW_DEGREES: f64 = 66.0;
/// Beyond this latitude, degrees, an area covers four times as many columns.
const POLAR_DEGREES: f64 = 80.0;
/// How far east and north the cells of a search are from the centre's, in the order in which they are read.
const ORDER: [(i8, i8); RANGES_MAX] =
    [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];

/// The shape and size of the searched area, in the search's unit. Sizes may be infinite. Redis refuses negative
/// ones before it searches; here nothing is inside of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extent {
    /// All places up to this distance from the centre.
    Radius(f64),
    /// All places up to half the width east or west, and up to half the height north or south of the centre.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

/// What to search for.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The middle of the searched area.
    pub centre: Place,
    /// Its shape and size.
    pub extent: Extent,
    /// The unit of the size.
    pub unit: Unit,
}

/// Scores from `min` up to but without `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lowest score.
    pub min: f64,
    /// The lowest score that is too high.
    pub max: f64,
}

impl Search {
    /// The ranges of scores that contain all members inside, in the order in which Redis reads them. In a very
    /// large search two ranges may be the same; then Redis replies with their members twice, and so does a
    /// caller who reads all ranges.
    pub fn ranges(&self) -> impl Iterator<Item = ScoreRange> + use<> {
        let bounds = self.bounds();
        let centre = self.cell(&bounds);
        let margins = Margins::new(centre, &bounds);
        // The neighbour that was read last. The centre does not count, as in Redis.
        let mut last = None;
        ORDER.into_iter().enumerate().filter_map(move |(nth, (east, north))| {
            if margins.exclude(east, north) {
                return None;
            }
            let cell = if nth == 0 { centre } else { centre.neighbour(east, north) };
            // If the grid has only two columns or rows, both neighbours are the same cell.
            if last == Some(cell) {
                return None;
            }
            last = (nth > 0).then_some(cell);
            let (min, max) = cell.scores();
            Some(ScoreRange { min, max })
        })
    }

    /// The distance from the centre to a member with this `score`, metres, if the member is inside.
    pub fn within(&self, score: f64) -> Option<f64> {
        let (place, centre, unit) = (Place::of_score(score), self.centre, self.unit.metres());
        let metres = match self.extent {
            Extent::Radius(radius) => {
                let metres = distance(centre, place);
                // A distance that is not a number counts as inside, as in Redis.
                let is_outside = metres > radius * unit;
                (!is_outside).then_some(metres)?
            }
            Extent::Box { width, height } => {
                let to_parallel = latitude_distance(place.latitude, centre.latitude);
                if to_parallel > height * unit / 2.0 {
                    return None;
                }
                let to_meridian = distance(place, Place { longitude: centre.longitude, ..place });
                if to_meridian > width * unit / 2.0 {
                    return None;
                }
                distance(centre, place)
            }
        };
        Some(metres)
    }

    /// A rectangle of degrees around the searched area.
    fn bounds(&self) -> Area {
        let Place { longitude, latitude } = self.centre;
        let unit = self.unit.metres();
        let (width, height) = match self.extent {
            Extent::Radius(radius) => (unit * radius, unit * radius),
            Extent::Box { width, height } => (unit * (width / 2.0), unit * (height / 2.0)),
        };
        let latitudes = degrees(height / EARTH_RADIUS_M);
        // Columns are narrowest on the side that is nearer to a pole.
        let polar = if latitude < 0.0 { latitude - latitudes } else { latitude + latitudes };
        let longitudes = degrees(width / EARTH_RADIUS_M / radians(polar).cos());
        Area {
            longitude: Side { min: longitude - longitudes, max: longitude + longitudes },
            latitude: Side { min: latitude - latitudes, max: latitude + latitudes },
        }
    }

    /// The cell of the centre, in a grid so coarse that the cell and its neighbours cover `bounds`.
    fn cell(&self, bounds: &Area) -> Cell {
        let steps = self.steps();
        let cell = Cell::of(&Grid::SCORES, self.centre, steps);
        let area = |east, north| cell.neighbour(east, north).area(&Grid::SCORES);
        let is_too_small = area(0, 1).latitude.max < bounds.latitude.max
            || area(0, -1).latitude.min > bounds.latitude.min
            || area(1, 0).longitude.max < bounds.longitude.max
            || area(-1, 0).longitude.min > bounds.longitude.min;
        if steps > 1 && is_too_small { Cell::of(&Grid::SCORES, self.centre, steps - 1) } else { cell }
    }

    /// An estimate of the steps of a grid whose cells are as large as the searched area.
    fn steps(&self) -> u32 {
        let radius = match self.extent {
            Extent::Radius(radius) => radius,
            Extent::Box { width, height } => {
                let (x, y) = (width / 2.0, height / 2.0);
                (x * x + y * y).sqrt()
            }
        };
        let mut metres = radius * self.unit.metres();
        if metres == 0.0 {
            return STEPS_MAX;
        }
        let mut doublings = 0_u32;
        while metres < HALF_EQUATOR_M && doublings < DOUBLINGS_MAX {
            metres *= 2.0;
            doublings += 1;
        }
        let latitude = self.centre.latitude.abs();
        // One step less, so that the neighbours reach as far as the area in most cases.
        let fewer = 1 + u32::from(latitude > NARROW_DEGREES) + u32::from(latitude > POLAR_DEGREES);
        doublings.saturating_sub(fewer).clamp(1, STEPS_MAX)
    }
}

/// On which sides the searched area stays within the cell of the centre.
#[derive(Clone, Copy, Debug, Default)]
struct Margins {
    north: bool,
    south: bool,
    east: bool,
    west: bool,
}

impl Margins {
    /// A bound that is not a number counts as one that the area does not keep.
    fn new(centre: Cell, bounds: &Area) -> Margins {
        // In the coarsest grid all cells are read.
        if centre.is_coarsest() {
            return Margins::default();
        }
        let area = centre.area(&Grid::SCORES);
        Margins {
            north: area.latitude.max > bounds.latitude.max,
            south: area.latitude.min < bounds.latitude.min,
            east: area.longitude.max > bounds.longitude.max,
            west: area.longitude.min < bounds.longitude.min,
        }
    }

    /// True if the area does not reach the neighbour that is so far `east` and `north`.
    fn exclude(self, east: i8, north: i8) -> bool {
        east > 0 && self.east || east < 0 && self.west || north > 0 && self.north || north < 0 && self.south
    }
}
