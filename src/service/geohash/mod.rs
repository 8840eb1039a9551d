//! Places on Earth as scores of a sorted set, and searches for those near a point, as Redis does them.
//!
//! A score is the number of a cell of a fine grid ([`cell`]): 26 bits of the longitude and 26 bits of the
//! latitude, interleaved. Cells that share their first bits are neighbours, so a square of cells is a range of
//! scores, and a search reads up to nine ranges ([`search`]). The place of a member is the middle of its cell.
//!
//! Every number is computed by the operations of Redis in the same order. So scores, places, distances and
//! the order of unsorted replies are the same as those of Redis on the same machine; the sines come from
//! the system's mathematical library there and here. This room holds no data: the sorted set is the caller's.

mod cell;
mod distance;
mod search;
mod text;

pub use distance::{DISTANCE_MAX_M, Unit, distance};
pub use search::{Extent, Search};
pub use text::{coordinate_text, distance_text, geohash, out_of_range};

use cell::{Cell, Grid, STEPS_MAX};

/// The highest longitude, degrees; the lowest is its negative.
pub const LONGITUDE_MAX: f64 = 180.0;
/// The highest latitude, degrees; the lowest is its negative. The map of the grid is square there, and the
/// poles are not on it.
pub const LATITUDE_MAX: f64 = 85.05112878;

/// A place within the limits of longitude and latitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    longitude: f64,
    latitude: f64,
}

impl Place {
    /// The place at these degrees. `None` if one of them is out of range; the error is then [`out_of_range`].
    pub fn new(longitude: f64, latitude: f64) -> Option<Place> {
        let is_within = longitude.abs() <= LONGITUDE_MAX && latitude.abs() <= LATITUDE_MAX;
        is_within.then_some(Place { longitude, latitude })
    }

    /// Degrees east.
    pub fn longitude(self) -> f64 {
        self.longitude
    }

    /// Degrees north.
    pub fn latitude(self) -> f64 {
        self.latitude
    }

    /// The score of a member at this place.
    pub fn score(self) -> f64 {
        // At the highest longitude the score has more bits than an f64 can hold. Redis rounds it too.
        Cell::of(&Grid::SCORES, self, STEPS_MAX).bits() as f64
    }

    /// The place of a member with this score: the middle of its cell. A score that is no cell's, which only
    /// `ZADD` can give, has the place that Redis on x86 gives it.
    pub fn of_score(score: f64) -> Place {
        let area = Cell::new(bits_of(score), STEPS_MAX).area(&Grid::SCORES);
        let middle = |side: cell::Side, max: f64| ((side.min + side.max) / 2.0).clamp(-max, max);
        Place {
            longitude: middle(area.longitude, LONGITUDE_MAX),
            latitude: middle(area.latitude, LATITUDE_MAX),
        }
    }
}

/// `score` as C on x86 converts it to 64 bits without a sign.
fn bits_of(score: f64) -> u64 {
    const HALF: f64 = (1_u64 << 63) as f64;
    if score < -HALF {
        1 << 63
    } else if score < HALF {
        score as i64 as u64
    } else if score < 2.0 * HALF {
        score as u64
    } else {
        0
    }
}

#[cfg(test)]
mod tests;
