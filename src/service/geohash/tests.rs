//! Scores, texts and orders here were taken from a redis-server.

use super::search::{RANGES_MAX, ScoreRange};
use super::*;

fn place(longitude: f64, latitude: f64) -> Place {
    Place::new(longitude, latitude).unwrap()
}

fn texts(score: f64) -> (String, String) {
    let place = Place::of_score(score);
    (coordinate_text(place.longitude()), coordinate_text(place.latitude()))
}

#[test]
fn scores_and_texts_are_those_of_redis() {
    for (x, y, score, longitude, latitude, string) in [
        (
            13.361389,
            38.115556,
            3_479_099_956_230_698_u64,
            "13.36138933897018433",
            "38.11555639549629859",
            "sqc8b49rny0",
        ),
        (
            15.087269,
            37.502669,
            3_479_447_370_796_909_u64,
            "15.08726745843887329",
            "37.50266842333162032",
            "sqdtr74hyu0",
        ),
        (
            -122.4194,
            37.7749,
            1_367_859_919_124_626_u64,
            "-122.41940170526504517",
            "37.77490001056577995",
            "9q8yyk8ytp0",
        ),
        (180.0, LATITUDE_MAX, 13_510_798_882_111_488_u64, "180", "85.0511287799999991", "bp05b5048p0"),
        (-180.0, -LATITUDE_MAX, 0, "-179.99999731779098511", "-85.05112751263942528", "00bh0hbj200"),
        (0.0, 0.0, 3_377_699_720_527_872_u64, "0.00000268220901489", "0.00000126736058093", "s0000000000"),
    ] {
        assert_eq!(place(x, y).score(), score as f64);
        assert_eq!(texts(score as f64), (longitude.to_owned(), latitude.to_owned()));
        assert_eq!(geohash(score as f64), string.as_bytes());
    }
}

#[test]
fn scores_that_are_no_cells_have_a_place_too() {
    for (score, longitude, latitude) in [
        (-1.0, "180", "85.0511287799999991"),
        (f64::INFINITY, "-179.99999731779098511", "-85.05112751263942528"),
        (f64::NEG_INFINITY, "180", "-85.05112751263942528"),
        (1e300, "-179.99999731779098511", "-85.05112751263942528"),
        (2_f64.powi(60), "-179.99999731779098511", "85.0511287799999991"),
    ] {
        assert_eq!(texts(score), (longitude.to_owned(), latitude.to_owned()), "{score}");
    }
    Place::of_score(f64::NAN);
}

#[test]
fn distances_are_those_of_redis() {
    let [palermo, catania, city, null] =
        [3_479_099_956_230_698_u64, 3_479_447_370_796_909, 1_367_859_919_124_626, 3_377_699_720_527_872]
            .map(|score| Place::of_score(score as f64));
    for (one, other, unit, text) in [
        (palermo, catania, "m", "166274.1516"),
        (palermo, catania, "km", "166.2742"),
        (palermo, city, "MI", "6487.9968"),
        (palermo, null, "Ft", "14615265.8150"),
        (null, null, "m", "0.0000"),
    ] {
        let unit = Unit::parse(unit.as_bytes()).unwrap();
        assert_eq!(distance_text(distance(one, other) / unit.metres()), text);
        assert_eq!(distance_text(distance(other, one) / unit.metres()), text);
    }
    assert_eq!(Unit::parse(b"yd"), None);
    assert_eq!(distance_text(f64::NAN), "-922337203685477.5808");
    assert_eq!([distance_text(0.00025), distance_text(0.00075)], ["0.0002", "0.0008"]);
    // On one meridian Redis 7.2 takes no sine.
    let metres = distance(place(5.0, -40.0), place(5.0, 41.5));
    assert_eq!(metres, 6_372_797.560856 * (distance::radians(41.5) - distance::radians(-40.0)));
}

#[test]
fn places_have_limits() {
    for (x, y) in [(180.1, 0.0), (0.0, 85.06), (-1e300, 0.0), (f64::INFINITY, 0.0), (f64::NAN, 0.0)] {
        assert_eq!(Place::new(x, y), None);
    }
    assert_eq!(out_of_range(181.0, -0.5), "ERR invalid longitude,latitude pair 181.000000,-0.500000");
}

#[test]
fn coordinates_are_rounded_exactly() {
    for (degrees, text) in
        [(-1e-20, "0"), (-0.0, "0"), (5e-324, "0"), (1.0, "1"), (-180.0, "-180"), (1e3, "1000")]
    {
        assert_eq!(coordinate_text(degrees), text);
    }
    // Halves go to the even neighbour.
    assert_eq!(coordinate_text(2_f64.powi(-18)), "0.00000381469726562");
    assert_eq!(coordinate_text(3.0 * 2_f64.powi(-18)), "0.00001144409179688");
    let mut bits = 1_u64;
    for _ in 0..20_000 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for scale in [180.0, 1.0, 1e-9, 1e-17] {
            let degrees = ((bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0) * scale;
            let exact = format!("{degrees:.17}");
            let exact = exact.trim_end_matches('0').trim_end_matches('.');
            assert_eq!(coordinate_text(degrees), if exact == "-0" { "0" } else { exact });
        }
    }
}

/// The members that a search finds, in its order. There is one for every ten degrees.
fn found(longitude: f64, latitude: f64, extent: Extent, unit: Unit) -> String {
    let mut members = Vec::new();
    for x in -18..=18 {
        for y in -8..=8 {
            members.push((
                place(f64::from(x) * 10.0, f64::from(y) * 10.0).score(),
                format!("{},{}", x * 10, y * 10),
            ));
        }
    }
    members.sort_by(|one, other| one.partial_cmp(other).unwrap());
    let search = Search { centre: place(longitude, latitude), extent, unit };
    let ranges: Vec<ScoreRange> = search.ranges().collect();
    assert!(ranges.len() <= RANGES_MAX);
    let in_range = ranges
        .iter()
        .flat_map(|range| members.iter().filter(|(score, _)| (range.min..range.max).contains(score)));
    in_range
        .filter(|(score, _)| search.within(*score).is_some())
        .map(|(_, name)| &name[..])
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn searches_read_in_the_order_of_redis() {
    assert_eq!(found(3.0, 4.0, Extent::Radius(1300.0), Unit::Kilometres), "0,0 10,0 0,10 10,10");
    assert_eq!(
        found(178.0, -61.0, Extent::Box { width: 3000.0, height: 2500.0 }, Unit::Kilometres),
        "140,-70 150,-70 160,-70 170,-70 160,-60 170,-60 160,-50 170,-50 -180,-70 -170,-70 -160,-70 -150,-70 \
         -180,-60 -170,-60 -160,-60 -180,-50 -170,-50"
    );
    assert_eq!(
        found(-90.0, 79.0, Extent::Radius(1000.0), Unit::Miles),
        "-170,80 -160,80 -150,80 -140,80 -130,70 -120,70 -130,80 -120,80 -110,70 -100,70 -110,80 -100,80 -90,70 \
         -80,70 -70,70 -90,80 -80,80 -70,80 -60,70 -50,70 -60,80 -50,80 -40,80 -30,80 -20,80 -10,80"
    );
    assert_eq!(found(10.0, 10.0, Extent::Radius(1.0), Unit::Feet), "10,10");
}

#[test]
fn sizes_without_sense_end_too() {
    let sizes = [0.0, 5e-324, 1e-9, 4e7, 1e300, f64::INFINITY, f64::NAN, -1.0];
    for (x, y) in [(180.0, LATITUDE_MAX), (-180.0, -LATITUDE_MAX), (0.0, 0.0)] {
        for size in sizes {
            found(x, y, Extent::Radius(size), Unit::Metres);
            for height in sizes {
                found(x, y, Extent::Box { width: size, height }, Unit::Miles);
            }
        }
    }
}
