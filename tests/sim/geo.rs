//! Places in sorted sets: what the scripts do with them, and the slow obvious search of the model, which looks at every
//! member. Degrees are whole millionths, so that the model can compare them.

use rand::RngExt;

use crate::model::{Held, Keys, Op, WRONG_KIND, bulk, int};
use crate::script::{Author, Step, step};
use crate::zsets::ZsetOp;

/// Bits of a row or a column in a score.
const BITS: u32 = 26;
const LATITUDE_MAX: f64 = 85.05112878;
const EARTH_RADIUS_M: f64 = 6_372_797.560856;

/// Longitude and latitude, millionths of a degree.
pub type Place = [i64; 2];

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Search {
    from: From,
    /// The radius, or width and height, metres.
    radius: Result<u64, [u64; 2]>,
    farthest_first: bool,
    /// At most so many.
    count: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum From {
    Place(Place),
    Member(String),
}

/// The score of a place: the bits of its column and of its row by turns, the column first.
pub fn score(place: Place) -> i64 {
    let [longitude, latitude] = place.map(|degrees| degrees as f64 / 1e6);
    let column = ((longitude + 180.0) / 360.0 * f64::from(1 << BITS)) as i64;
    let row = ((latitude + LATITUDE_MAX) / (2.0 * LATITUDE_MAX) * f64::from(1 << BITS)) as i64;
    (0..BITS).map(|bit| (column >> bit & 1) << (2 * bit + 1) | (row >> bit & 1) << (2 * bit)).sum()
}

/// The middle of the cell with this score, degrees.
fn middle(score: i64) -> [f64; 2] {
    let gather = |from: u32| (0..BITS).map(|bit| (score >> (2 * bit + from) & 1) << bit).sum::<i64>();
    let (column, row) = (gather(1) as f64 + 0.5, gather(0) as f64 + 0.5);
    let part = |number: f64| number / f64::from(1 << BITS);
    [part(column) * 360.0 - 180.0, part(row) * 2.0 * LATITUDE_MAX - LATITUDE_MAX]
}

/// The distance on a sphere, metres.
fn distance(one: [f64; 2], other: [f64; 2]) -> f64 {
    let [[from_x, from_y], [to_x, to_y]] = [one, other].map(|place| place.map(f64::to_radians));
    let (u, v) = (((to_y - from_y) / 2.0).sin(), ((to_x - from_x) / 2.0).sin());
    2.0 * EARTH_RADIUS_M * (u * u + from_y.cos() * to_y.cos() * v * v).sqrt().asin()
}

impl Search {
    /// The members that are found in the sorted set of `key`, in order, with their scores.
    fn find(&self, keys: &Keys, key: &str) -> Result<Vec<(String, i64)>, String> {
        let scores = match keys.get(key) {
            Some(Held::Scores(scores)) => scores,
            Some(_) => return Err(WRONG_KIND.into()),
            None => return Ok(Vec::new()),
        };
        let centre = match &self.from {
            From::Place(place) => place.map(|degrees| degrees as f64 / 1e6),
            From::Member(member) => match scores.get(member) {
                Some(score) => middle(*score),
                None => return Err("-ERR could not decode requested zset member\r\n".into()),
            },
        };
        let is_within = |place: [f64; 2]| match self.radius {
            Ok(radius) => distance(centre, place) <= radius as f64,
            Err([width, height]) => {
                // East or west is measured along the parallel of the place.
                distance([centre[0], place[1]], place) <= width as f64 / 2.0
                    && distance(centre, [centre[0], place[1]]) <= height as f64 / 2.0
            }
        };
        let mut found: Vec<_> = scores
            .iter()
            .map(|(member, score)| (distance(centre, middle(*score)), member, *score))
            .filter(|(.., score)| is_within(middle(*score)))
            .collect();
        found.sort_by(|one, other| one.0.total_cmp(&other.0));
        if self.farthest_first {
            found.reverse();
        }
        found.truncate(self.count.unwrap_or(usize::MAX));
        Ok(found.into_iter().map(|(_, member, score)| (member.clone(), score)).collect())
    }

    /// The reply to the search.
    pub fn reply(&self, keys: &Keys, key: &str) -> String {
        match self.find(keys, key) {
            Ok(found) => {
                let shown: String = found.iter().map(|(member, _)| bulk(member)).collect();
                format!("*{}\r\n{shown}", found.len())
            }
            Err(error) => error,
        }
    }

    /// Stores what is found under another key.
    pub fn store(&self, keys: &mut Keys, to: &str, key: &str) -> String {
        match self.find(keys, key) {
            Ok(found) => {
                let count = found.len();
                keys.remove(to);
                if count > 0 {
                    keys.insert(to.to_owned(), Held::Scores(found.into_iter().collect()));
                }
                int(count)
            }
            Err(error) => error,
        }
    }

    /// The words behind the key.
    fn words(&self) -> Vec<String> {
        let mut words = match &self.from {
            From::Place([longitude, latitude]) => {
                vec!["FROMLONLAT".to_owned(), text(*longitude), text(*latitude)]
            }
            From::Member(member) => vec!["FROMMEMBER".to_owned(), member.clone()],
        };
        match self.radius {
            Ok(radius) => words.extend(["BYRADIUS".to_owned(), radius.to_string()]),
            Err(sides) => {
                words.push("BYBOX".to_owned());
                words.extend(sides.map(|side| side.to_string()));
            }
        }
        words.extend(["M", if self.farthest_first { "DESC" } else { "ASC" }].map(str::to_owned));
        if let Some(count) = self.count {
            words.extend(["COUNT".to_owned(), count.to_string()]);
        }
        words
    }
}

/// Degrees as a decimal number.
fn text(millionths: i64) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let size = millionths.unsigned_abs();
    format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000)
}

impl Author<'_> {
    /// A key that holds places, or nothing.
    fn geo_key(&mut self) -> String {
        format!("{}:g{}", self.name, self.rng.random_range(0..2))
    }

    /// A place near another one: in Europe, at the date line, or where the grid is narrow.
    fn place(&mut self) -> Place {
        let spread = 10_i64.pow(self.rng.random_range(3..7));
        let [longitude, latitude] =
            [[13_000_000, 52_000_000], [180_000_000, -17_000_000], [0, 0], [-5_000_000, 70_000_000]]
                [self.rng.random_range(0..4)];
        let longitude = longitude + self.rng.random_range(-5 * spread..5 * spread);
        let around = if longitude > 180_000_000 { longitude - 360_000_000 } else { longitude };
        [around, latitude + self.rng.random_range(-5 * spread..5 * spread)]
    }

    fn search(&mut self) -> Search {
        let from = if self.rng.random_bool(0.5) {
            From::Member(format!("p{}", self.rng.random_range(0..12)))
        } else {
            From::Place(self.place())
        };
        let mut size = || 10_u64.pow(self.rng.random_range(0..6)) * self.rng.random_range(1..10);
        let sides = [size(), size()];
        Search {
            from,
            radius: if self.rng.random_bool(0.6) { Ok(sides[0]) } else { Err(sides) },
            farthest_first: self.rng.random_bool(0.3),
            count: self.rng.random_bool(0.3).then(|| self.rng.random_range(1..5)),
        }
    }

    /// A command about places.
    pub fn geo_command(&mut self) -> Step {
        let (key, other) = (self.geo_key(), self.geo_key());
        let member = |author: &mut Self| format!("p{}", author.rng.random_range(0..12));
        match self.rng.random_range(0..10) {
            0..5 => {
                let places: Vec<(String, Place)> =
                    (0..self.rng.random_range(1..4)).map(|_| (member(self), self.place())).collect();
                let mut words = vec!["GEOADD".to_owned(), key.clone()];
                for (member, [longitude, latitude]) in &places {
                    words.extend([text(*longitude), text(*latitude), member.clone()]);
                }
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let scores = places.into_iter().map(|(member, place)| (member, score(place))).collect();
                step(&words, Op::Scores(key.clone(), ZsetOp::Add(scores)))
            }
            5 => {
                let names = [member(self), member(self)];
                let op = ZsetOp::Remove(names.clone());
                step(&["ZREM", &key, &names[0], &names[1]], Op::Scores(key.clone(), op))
            }
            6 => {
                let search = self.search();
                let words = search.words();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let request = [&["GEOSEARCHSTORE", &other, &key], &words[..]].concat();
                step(&request, Op::SearchInto(other.clone(), key.clone(), search))
            }
            _ => {
                let search = self.search();
                let words = search.words();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                step(&[&["GEOSEARCH", &key], &words[..]].concat(), Op::Search(key.clone(), search))
            }
        }
    }

    /// Works on places, in a transaction or not.
    pub fn dwell_on_places(&mut self, steps: &mut Vec<Step>) {
        let keys = [self.geo_key(), self.geo_key()];
        self.work_on(keys, Self::geo_command, steps);
    }
}
