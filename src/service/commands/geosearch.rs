//! The commands that search the members of a sorted set around a place, and return or store them.

use std::cmp::Ordering;

use super::geo::{place, reply_place, unit};
use super::zcombine::{Copied, keep};
use super::zsets::lookup;
use crate::base::{OutOfMemory, memory};
use crate::resp::{Args, Reply, parse_f64, parse_i64};
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome, SYNTAX, is};
use crate::service::events::{GEORADIUSSTORE, GEOSEARCHSTORE};
use crate::service::geohash::{DISTANCE_MAX_M, Extent, Place, Search, Unit, distance_text};
use crate::store::Ranked;

/// How a command is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `GEORADIUS`: the place and the radius stand before the options.
    Radius,
    /// `GEORADIUSBYMEMBER`: the member and the radius stand before the options.
    RadiusByMember,
    /// `GEOSEARCH`: everything is an option.
    Search,
    /// `GEOSEARCHSTORE`: as `GEOSEARCH`, but the key of the result comes first.
    SearchStore,
}

impl Form {
    /// True if options say where and how far to search.
    fn is_search(self) -> bool {
        matches!(self, Form::Search | Form::SearchStore)
    }

    /// The position of the sorted set to search, and that of the first option.
    fn positions(self) -> (usize, usize) {
        match self {
            Form::Radius => (1, 6),
            Form::RadiusByMember => (1, 5),
            Form::Search => (1, 2),
            Form::SearchStore => (2, 3),
        }
    }
}

/// What the search is around.
#[derive(Clone, Copy)]
enum Centre {
    /// A place.
    Place(Place),
    /// A member, which is at this place. `None` if there is no sorted set.
    Member(Option<Place>),
}

/// In which order the members are returned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    NearestFirst,
    FarthestFirst,
}

/// What a request asks for.
struct Request<'a> {
    form: Form,
    centre: Option<Centre>,
    extent: Option<(Extent, Unit)>,
    with_distance: bool,
    with_hash: bool,
    with_place: bool,
    order: Option<Order>,
    /// How many members are wanted at most; 0 for all.
    count: usize,
    /// The search may stop as soon as it has found so many, and need not find the nearest ones.
    any: bool,
    /// The key under which the result is stored.
    store: Option<&'a [u8]>,
    /// The scores of the stored result are the distances.
    store_distances: bool,
}

/// The size of a searched area at argument `at`: none of it may be negative. `names` are those of the numbers.
fn sizes<const N: usize>(
    args: Args<'_>,
    at: usize,
    not_numeric: [&'static str; N],
    negative: &'static str,
) -> Result<([f64; N], Unit), Failure> {
    let mut sizes = [0.0; N];
    for (nth, text) in not_numeric.into_iter().enumerate() {
        sizes[nth] = args.get(at + nth).and_then(parse_f64).ok_or(Failure::text(text))?;
    }
    if sizes.iter().any(|size| *size < 0.0) {
        return Err(Failure::text(negative));
    }
    Ok((sizes, unit(args.get(at + N).unwrap_or_default())?))
}

fn radius(args: Args<'_>, at: usize) -> Result<(Extent, Unit), Failure> {
    let ([radius], unit) = sizes(args, at, ["ERR need numeric radius"], "ERR radius cannot be negative")?;
    Ok((Extent::Radius(radius), unit))
}

fn rectangle(args: Args<'_>, at: usize) -> Result<(Extent, Unit), Failure> {
    let not_numeric = ["ERR need numeric width", "ERR need numeric height"];
    let ([width, height], unit) = sizes(args, at, not_numeric, "ERR height or width cannot be negative")?;
    Ok((Extent::Box { width, height }, unit))
}

/// The centre that is the member at argument `at`.
fn member(args: Args<'_>, at: usize, zset: Option<Ranked<'_>>) -> Result<Centre, Failure> {
    let Some(zset) = zset else { return Ok(Centre::Member(None)) };
    let score = zset.score(args.get(at).unwrap_or_default());
    let score = score.ok_or(Failure::text("ERR could not decode requested zset member"))?;
    Ok(Centre::Member(Some(Place::of_score(score))))
}

impl<'a> Request<'a> {
    /// Reads a request about this sorted set. Errors come in the order in which Redis finds them.
    fn of(
        args: Args<'a>,
        form: Form,
        may_store: bool,
        zset: Option<Ranked<'_>>,
    ) -> Result<Request<'a>, Failure> {
        let (centre, extent) = match form {
            Form::Radius => (Some(Centre::Place(place(args, 2)?)), Some(radius(args, 4)?)),
            Form::RadiusByMember => {
                let centre = member(args, 2, zset)?;
                // Redis does not look at the radius if there is no sorted set.
                (Some(centre), if zset.is_some() { Some(radius(args, 3)?) } else { None })
            }
            Form::Search | Form::SearchStore => (None, None),
        };
        let mut request = Request {
            form,
            centre,
            extent,
            with_distance: false,
            with_hash: false,
            with_place: false,
            order: None,
            count: 0,
            any: false,
            store: if form == Form::SearchStore { args.get(1) } else { None },
            store_distances: false,
        };
        let mut at = form.positions().1;
        while at < args.len() {
            at += if form.is_search() && request.takes_area(args, at, zset)? {
                let words = if is(&args[at], "BYBOX") { 3 } else { 2 };
                if is(&args[at], "FROMMEMBER") { 2 } else { 1 + words }
            } else {
                request.take(args, at, may_store)?
            };
        }
        request.check(args)?;
        Ok(request)
    }

    /// Reads the option at argument `at` if it says where or how far to search.
    fn takes_area(&mut self, args: Args<'_>, at: usize, zset: Option<Ranked<'_>>) -> Result<bool, Failure> {
        let (word, left) = (&args[at], args.len() - at - 1);
        let by_box = matches!(self.extent, Some((Extent::Box { .. }, _)));
        let by_radius = matches!(self.extent, Some((Extent::Radius(_), _)));
        let from_place = matches!(self.centre, Some(Centre::Place(_)));
        let from_member = matches!(self.centre, Some(Centre::Member(_)));
        match word {
            _ if left >= 1 && !from_place && is(word, "FROMMEMBER") => {
                self.centre = Some(member(args, at + 1, zset)?);
            }
            _ if left >= 2 && !from_member && is(word, "FROMLONLAT") => {
                self.centre = Some(Centre::Place(place(args, at + 1)?));
            }
            _ if left >= 2 && !by_box && is(word, "BYRADIUS") => self.extent = Some(radius(args, at + 1)?),
            _ if left >= 3 && !by_radius && is(word, "BYBOX") => self.extent = Some(rectangle(args, at + 1)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Reads any other option. Returns how many arguments it has, its name included.
    fn take(&mut self, args: Args<'a>, at: usize, may_store: bool) -> Result<usize, Failure> {
        let (word, next) = (&args[at], args.get(at + 1));
        match word {
            _ if is(word, "WITHDIST") => self.with_distance = true,
            _ if is(word, "WITHHASH") => self.with_hash = true,
            _ if is(word, "WITHCOORD") => self.with_place = true,
            _ if is(word, "ANY") => self.any = true,
            _ if is(word, "ASC") => self.order = Some(Order::NearestFirst),
            _ if is(word, "DESC") => self.order = Some(Order::FarthestFirst),
            _ if self.form == Form::SearchStore && is(word, "STOREDIST") => self.store_distances = true,
            _ => {
                let next = next.ok_or(SYNTAX)?;
                match word {
                    _ if is(word, "COUNT") => {
                        let count = parse_i64(next).ok_or(NOT_INTEGER)?;
                        let count = usize::try_from(count).ok().filter(|count| *count > 0);
                        self.count = count.ok_or(Failure::text("ERR COUNT must be > 0"))?;
                    }
                    _ if may_store && is(word, "STORE") => {
                        (self.store, self.store_distances) = (Some(next), false);
                    }
                    _ if may_store && is(word, "STOREDIST") => {
                        (self.store, self.store_distances) = (Some(next), true);
                    }
                    _ => return Err(SYNTAX),
                }
                return Ok(2);
            }
        }
        Ok(1)
    }

    /// Checks that the options go together.
    fn check(&self, args: Args<'_>) -> Outcome {
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_place) {
            return Err(Failure::text(if self.form == Form::SearchStore {
                "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            } else {
                "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            }));
        }
        if self.centre.is_none() {
            let text = "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ";
            return Err(Failure::quoting(text, &args[0], ""));
        }
        if self.form.is_search() && self.extent.is_none() {
            let text = "ERR exactly one of BYRADIUS and BYBOX can be specified for ";
            return Err(Failure::quoting(text, &args[0], ""));
        }
        if self.any && self.count == 0 {
            return Err(Failure::text("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// The search that is asked for. `None` if there is no sorted set, and so no place of a member.
    fn search(&self) -> Option<Search> {
        let centre = match self.centre? {
            Centre::Place(place) => place,
            Centre::Member(place) => place?,
        };
        let (extent, unit) = self.extent?;
        Some(Search { centre, extent, unit })
    }

    /// The members that are found, as many and in the order as they are wanted.
    fn find<'z>(&self, zset: Ranked<'z>, search: &Search) -> Result<Vec<Found<'z>>, OutOfMemory> {
        let most = if self.count == 0 { usize::MAX } else { self.count };
        let mut found = all_within(zset, search, if self.any { most } else { usize::MAX })?;
        // The nearest ones of all can only be told in their order.
        let order = self.order.or((self.count > 0 && !self.any).then_some(Order::NearestFirst));
        let Some(order) = order else { return Ok(found) };
        let compare = |one: &Found<'_>, other: &Found<'_>| one.compare(other, order);
        if most < found.len() {
            found.select_nth_unstable_by(most, compare);
            found.truncate(most);
        }
        found.sort_unstable_by(compare);
        Ok(found)
    }

    fn reply(&self, reply: &mut Reply<'_>, found: &[Found<'_>], unit: Unit) {
        let more =
            [self.with_distance, self.with_hash, self.with_place].into_iter().filter(|with| *with).count();
        reply.array(found.len());
        for Found { member, score, metres, .. } in found {
            if more > 0 {
                reply.array(1 + more);
            }
            reply.bulk(member);
            if self.with_distance {
                reply.bulk(distance_text(metres / unit.metres()).as_bytes());
            }
            if self.with_hash {
                reply.int(whole(*score));
            }
            if self.with_place {
                reply_place(reply, Place::of_score(*score));
            }
            if reply.overflowed() {
                break;
            }
        }
    }
}

/// A member that is found.
struct Found<'z> {
    member: &'z [u8],
    score: f64,
    /// The distance from the centre.
    metres: f64,
    /// How many members were found before it.
    nth: usize,
}

impl Found<'_> {
    /// Members that are equally far keep the order in which they were found.
    fn compare(&self, other: &Found<'_>, order: Order) -> Ordering {
        let distances = self.metres.total_cmp(&other.metres);
        let distances = if order == Order::NearestFirst { distances } else { distances.reverse() };
        distances.then(self.nth.cmp(&other.nth))
    }
}

/// The first `most` members within the searched area.
fn all_within<'z>(zset: Ranked<'z>, search: &Search, most: usize) -> Result<Vec<Found<'z>>, OutOfMemory> {
    let mut found = Vec::new();
    for range in search.ranges() {
        let members = zset.iter_from(zset.count_below(range.min, false));
        for (member, score) in members.take_while(|(_, score)| *score < range.max) {
            if found.len() == most {
                return Ok(found);
            }
            if let Some(metres) = search.within(score) {
                memory::reserve(&mut found, 1)?;
                found.push(Found { member, score, metres, nth: found.len() });
            }
        }
    }
    Ok(found)
}

/// A score as a whole number. One that is out of range, which only `ZADD` can give, is the number that C on x86 makes of it.
fn whole(score: f64) -> i64 {
    if score.abs() < i64::MAX as f64 { score as i64 } else { i64::MIN }
}

/// The score of a member whose distance is stored. Redis stores a distance that is not a number as it is; here it is that of
/// opposite places, which it stands for.
fn distance_score(metres: f64, unit: Unit) -> f64 {
    let metres = if metres.is_nan() { DISTANCE_MAX_M } else { metres };
    metres / unit.metres()
}

/// `GEORADIUS key longitude latitude radius M | KM | FT | MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC | DESC] [STORE key | STOREDIST key]`
pub fn georadius(cx: &mut Cx<'_>) -> Outcome {
    run(cx, Form::Radius, true)
}

/// `GEORADIUS_RO`: as [`georadius`], but it cannot store.
pub fn georadius_ro(cx: &mut Cx<'_>) -> Outcome {
    run(cx, Form::Radius, false)
}

/// `GEORADIUSBYMEMBER key member radius M | KM | FT | MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC | DESC] [STORE key | STOREDIST key]`
pub fn georadiusbymember(cx: &mut Cx<'_>) -> Outcome {
    run(cx, Form::RadiusByMember, true)
}

/// `GEORADIUSBYMEMBER_RO`: as [`georadiusbymember`], but it cannot store.
pub fn georadiusbymember_ro(cx: &mut Cx<'_>) -> Outcome {
    run(cx, Form::RadiusByMember, false)
}

/// `GEOSEARCH key FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius unit | BYBOX width height unit
/// [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`
pub fn geosearch(cx: &mut Cx<'_>) -> Outcome {
    run(cx, Form::Search, false)
}

/// `GEOSEARCHSTORE destination source FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius unit |
/// BYBOX width height unit [ASC | DESC] [COUNT count [ANY]] [STOREDIST]`
pub fn geosearchstore(cx: &mut Cx<'_>) -> Outcome {
    run(cx, Form::SearchStore, false)
}

fn run(cx: &mut Cx<'_>, form: Form, may_store: bool) -> Outcome {
    let args = cx.args;
    let zset = lookup(cx.world, cx.arg(form.positions().0))?;
    let request = Request::of(args, form, may_store, zset)?;
    let (found, unit) = match zset.zip(request.search()) {
        Some((zset, search)) => (request.find(zset, &search)?, search.unit),
        None => (Vec::new(), Unit::Metres),
    };
    let Some(to) = request.store else {
        request.reply(&mut cx.reply, &found, unit);
        return Ok(());
    };
    let score = |found: &Found<'_>| {
        if request.store_distances { distance_score(found.metres, unit) } else { found.score }
    };
    // The members are borrowed from the store, so they are copied before the store changes.
    let copied = Copied::of(found.iter().map(|found| (found.member, score(found))))?;
    drop(found);
    keep(cx, to, &copied, if form == Form::SearchStore { GEOSEARCHSTORE } else { GEORADIUSSTORE })
}
