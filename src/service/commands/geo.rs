//! The commands about places that are the members of a sorted set: they add them and tell where they are. The score of a
//! member is the number of its cell on a grid (see `geohash`).

use super::zadd::{Given, NOT_FLOAT, Rules, add_given};
use super::zsets::lookup;
use crate::base::memory;
use crate::resp::{Args, Reply, parse_f64};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::geohash::{Place, Unit, coordinate_text, distance, distance_text, geohash, out_of_range};

/// The place whose longitude stands at argument `at`, and its latitude behind it.
pub(super) fn place(args: Args<'_>, at: usize) -> Result<Place, Failure> {
    let degrees = |at| args.get(at).and_then(parse_f64).ok_or(NOT_FLOAT);
    let (longitude, latitude) = (degrees(at)?, degrees(at + 1)?);
    Place::new(longitude, latitude).ok_or_else(|| Failure::telling(out_of_range(longitude, latitude)))
}

/// The unit that an argument names.
pub(super) fn unit(word: &[u8]) -> Result<Unit, Failure> {
    Unit::parse(word).ok_or(Failure::text(Unit::UNKNOWN))
}

/// Replies with a longitude and a latitude.
pub(super) fn reply_place(reply: &mut Reply<'_>, place: Place) {
    reply.array(2);
    reply.double_text(coordinate_text(place.longitude()).as_bytes());
    reply.double_text(coordinate_text(place.latitude()).as_bytes());
}

/// `GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]`: adds members, or moves them. The
/// reply is the number of new ones.
pub fn geoadd(cx: &mut Cx<'_>) -> Outcome {
    let (mut rules, mut first) = (Rules::default(), 2);
    while let Some(word) = cx.args.get(first) {
        match word {
            _ if is(word, "NX") => rules.new_only = true,
            _ if is(word, "XX") => rules.old_only = true,
            _ if is(word, "CH") => rules.count_changed = true,
            _ => break,
        }
        first += 1;
    }
    let words = cx.args.len() - first;
    if words == 0 || !words.is_multiple_of(3) || rules.new_only && rules.old_only {
        return Err(SYNTAX);
    }
    let mut given: Vec<Given<'_>> = Vec::new();
    memory::reserve_exact(&mut given, words / 3)?;
    for at in (first..cx.args.len()).step_by(3) {
        given.push((cx.arg(at + 2), at, place(cx.args, at)?.score()));
    }
    add_given(cx, rules, given)
}

/// `GEOPOS key [member ...]`: where each member is.
pub fn geopos(cx: &mut Cx<'_>) -> Outcome {
    each(cx, |reply, score| match score {
        Some(score) => reply_place(reply, Place::of_score(score)),
        None => reply.null_array(),
    })
}

/// `GEOHASH key [member ...]`: the place of each member as a geohash text.
pub fn geohash_texts(cx: &mut Cx<'_>) -> Outcome {
    each(cx, |reply, score| reply.bulk_or_null(score.map(geohash).as_ref().map(|text| &text[..])))
}

/// Replies to each member that is named, by its score.
fn each(cx: &mut Cx<'_>, mut answer: impl FnMut(&mut Reply<'_>, Option<f64>)) -> Outcome {
    let (key, members) = (cx.arg(1), cx.args.from(2));
    let zset = lookup(cx.world, key)?;
    cx.reply.array(members.len());
    for member in members {
        answer(&mut cx.reply, zset.and_then(|zset| zset.score(member)));
    }
    Ok(())
}

/// `GEODIST key member member [M | KM | FT | MI]`: the distance between two members.
pub fn geodist(cx: &mut Cx<'_>) -> Outcome {
    let unit = match cx.args.get(4) {
        None => Unit::Metres,
        Some(_) if cx.args.len() > 5 => return Err(SYNTAX),
        Some(word) => unit(word)?,
    };
    let (key, members) = (cx.arg(1), [cx.arg(2), cx.arg(3)]);
    let zset = lookup(cx.world, key)?;
    let [one, other] = members.map(|member| Some(Place::of_score(zset?.score(member)?)));
    match one.zip(other) {
        Some((one, other)) => cx.reply.bulk(distance_text(distance(one, other) / unit.metres()).as_bytes()),
        None => cx.reply.null(),
    }
    Ok(())
}
