//! Distances on a sphere, by the haversine formula, and their units.

use super::Place;

/// The radius of the Earth, metres, as Redis has it.
pub const EARTH_RADIUS_M: f64 = 6_372_797.560856;
/// The distance of two places that are opposite each other, metres.
pub const DISTANCE_MAX_M: f64 = EARTH_RADIUS_M * std::f64::consts::PI;

/// The distance between two places, metres. Not a number for a few pairs of places that are opposite each
/// other on Earth, because the formula then takes the arcsine of a number just above 1. Redis does the same.
pub fn distance(one: Place, other: Place) -> f64 {
    let longitudes = radians(other.longitude) - radians(one.longitude);
    let v = (longitudes / 2.0).sin();
    if v == 0.0 {
        return latitude_distance(one.latitude, other.latitude);
    }
    let (from, to) = (radians(one.latitude), radians(other.latitude));
    let u = ((to - from) / 2.0).sin();
    let squared = u * u + from.cos() * to.cos() * v * v;
    2.0 * EARTH_RADIUS_M * squared.sqrt().asin()
}

/// The distance between two latitudes on the same longitude, metres.
pub fn latitude_distance(one: f64, other: f64) -> f64 {
    EARTH_RADIUS_M * (radians(other) - radians(one)).abs()
}

/// Radians of a degree.
const DEGREE: f64 = std::f64::consts::PI / 180.0;

/// An angle in radians.
pub fn radians(degrees: f64) -> f64 {
    degrees * DEGREE
}

/// An angle in degrees. It divides, as Redis does: the method of [`f64`] multiplies and may round differently.
pub fn degrees(radians: f64) -> f64 {
    radians / DEGREE
}

/// A unit of length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Metres.
    Metres,
    /// Kilometres.
    Kilometres,
    /// Feet.
    Feet,
    /// Miles.
    Miles,
}

impl Unit {
    /// Redis's error for a name that is none of these.
    pub const UNKNOWN: &str = "ERR unsupported unit provided. please use M, KM, FT, MI";

    /// The unit that a request calls `name`, in upper or lower case.
    pub fn parse(name: &[u8]) -> Option<Unit> {
        [(&b"m"[..], Unit::Metres), (b"km", Unit::Kilometres), (b"ft", Unit::Feet), (b"mi", Unit::Miles)]
            .into_iter()
            .find_map(|(known, unit)| name.eq_ignore_ascii_case(known).then_some(unit))
    }

    /// How many metres it has.
    pub fn metres(self) -> f64 {
        match self {
            Unit::Metres => 1.0,
            Unit::Kilometres => 1000.0,
            Unit::Feet => 0.3048,
            Unit::Miles => 1609.34,
        }
    }
}
