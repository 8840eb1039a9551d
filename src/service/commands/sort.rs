//! `SORT` and `SORT_RO`: the elements of a list, a set or a sorted set in order, or other keys' values in their order.

use std::cmp::Ordering;

use crate::base::{OutOfMemory, memory};
use crate::resp::{parse_c_number, parse_i64};
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome, SYNTAX, is};
use crate::service::events::{DEL, SORTSTORE};
use crate::service::world::World;
use crate::store::{Kind, Object, WrongKind};

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] [STORE destination]`: the sorted
/// elements, or with `STORE` how many were stored.
pub fn sort(cx: &mut Cx<'_>) -> Outcome {
    let wishes = Wishes::of(cx, true)?;
    let shown = wishes.shown(cx)?;
    match wishes.store {
        Some(to) => keep(cx, to, &shown),
        None => reply(cx, &shown),
    }
}

/// `SORT_RO key ...`: as `SORT`, without `STORE`.
pub fn sort_ro(cx: &mut Cx<'_>) -> Outcome {
    let wishes = Wishes::of(cx, false)?;
    let shown = wishes.shown(cx)?;
    reply(cx, &shown)
}

fn reply(cx: &mut Cx<'_>, shown: &Shown) -> Outcome {
    cx.reply.array(shown.present.len());
    for text in shown.iter() {
        cx.reply.bulk_or_null(text);
        if cx.reply.overflowed() {
            break;
        }
    }
    Ok(())
}

/// Stores the elements as a list in the place of whatever the key holds. A missing value is stored as an empty one.
fn keep(cx: &mut Cx<'_>, to: &[u8], shown: &Shown) -> Outcome {
    let count = shown.present.len();
    if count == 0 {
        cx.reply.assure();
        if cx.world.store.remove(to, cx.world.now.unix_ms) {
            cx.world.store.tell(DEL, to);
        }
    } else {
        cx.notice_expired(to);
        let elements = shown.iter().map(Option::unwrap_or_default);
        let whole = cx.world.store.prepare_whole_list(to, elements, None)?;
        cx.reply.assure();
        cx.world.store.commit_whole_over(whole);
        cx.world.store.tell(SORTSTORE, to);
    }
    cx.reply.int(count as i64);
    Ok(())
}

/// The options of a request.
struct Wishes<'a> {
    /// `BY`: the elements are ordered by the values of these keys.
    by: Option<&'a [u8]>,
    /// A pattern of `BY` had no star and names no keys: the elements stay in their order.
    unsorted: bool,
    /// `GET`: what is shown instead of the elements.
    get: Vec<&'a [u8]>,
    /// `LIMIT`: the first element, and how many; a negative count means all.
    limit: (i64, i64),
    descending: bool,
    /// `ALPHA`: texts are compared, not numbers.
    alpha: bool,
    store: Option<&'a [u8]>,
}

impl<'a> Wishes<'a> {
    fn of(cx: &Cx<'a>, may_store: bool) -> Result<Wishes<'a>, Failure> {
        let mut wishes = Wishes {
            by: None,
            unsorted: false,
            get: Vec::new(),
            limit: (0, -1),
            descending: false,
            alpha: false,
            store: None,
        };
        let mut at = 2;
        while at < cx.args.len() {
            let (word, value) = (cx.arg(at), cx.args.get(at + 1));
            at += 1;
            match (word, value) {
                _ if is(word, "ASC") => wishes.descending = false,
                _ if is(word, "DESC") => wishes.descending = true,
                _ if is(word, "ALPHA") => wishes.alpha = true,
                (_, Some(offset)) if is(word, "LIMIT") && at + 1 < cx.args.len() => {
                    let number = |text| parse_i64(text).ok_or(NOT_INTEGER);
                    wishes.limit = (number(offset)?, number(cx.arg(at + 1))?);
                    at += 2;
                }
                (_, Some(to)) if is(word, "STORE") && may_store => {
                    wishes.store = Some(to);
                    at += 1;
                }
                (_, Some(pattern)) if is(word, "BY") => {
                    wishes.by = Some(pattern);
                    wishes.unsorted |= !pattern.contains(&b'*');
                    at += 1;
                }
                (_, Some(pattern)) if is(word, "GET") => {
                    memory::reserve(&mut wishes.get, 1)?;
                    wishes.get.push(pattern);
                    at += 1;
                }
                _ => return Err(SYNTAX),
            }
        }
        Ok(wishes)
    }

    /// The elements, sorted and cut, or what `GET` asks for in their place.
    fn shown(&self, cx: &mut Cx<'_>) -> Result<Shown, Failure> {
        let elements = Elements::of(cx)?;
        let order = self.order(cx.world, &elements)?;
        let mut shown = Shown::default();
        // What is stored is no reply.
        let bytes_max = if self.store.is_some() { usize::MAX } else { cx.world.config.max_reply_bytes };
        for nth in order {
            if shown.bytes.len() > bytes_max {
                return Err(cx.reply_too_long());
            }
            let element = elements.get(nth);
            if self.get.is_empty() {
                shown.push(Some(element))?;
            }
            for pattern in &self.get {
                match substitute(pattern, element) {
                    Named::Element => shown.push(Some(element))?,
                    Named::Nothing => shown.push(None)?,
                    Named::Value(place) => shown.push(place.value(cx.world))?,
                }
            }
        }
        Ok(shown)
    }

    /// The numbers of the elements in their order, cut by `LIMIT`.
    fn order(&self, world: &mut World, elements: &Elements) -> Result<Vec<usize>, Failure> {
        let len = elements.texts.present.len();
        let mut order = memory::collect(0..len)?;
        let unsorted = self.unsorted;
        // A set has no order. What is stored must not depend on how it lies in memory.
        let by_name = unsorted && elements.kind == Kind::Set && self.store.is_some();
        if unsorted && !by_name {
            if self.descending {
                order.reverse();
            }
        } else {
            let by = self.by.filter(|_| !by_name);
            let keys = SortKeys::of(world, elements, by, self.alpha || by_name)?;
            order.sort_unstable_by(|one, other| {
                let order = keys.compare(elements, *one, *other);
                if self.descending { order.reverse() } else { order }.then(one.cmp(other))
            });
        }
        let (offset, count) = self.limit;
        let start = usize::try_from(offset.max(0)).map_or(len, |start| start.min(len));
        let count = usize::try_from(count).unwrap_or(len);
        order.truncate(start.saturating_add(count));
        order.drain(..start.min(order.len()));
        Ok(order)
    }
}

/// What the elements are ordered by.
enum SortKeys {
    /// Numbers, and then the elements themselves.
    Numbers(Vec<f64>),
    /// The elements themselves.
    Names,
    /// The values of other keys, of which some may be missing.
    Texts(Shown),
}

impl SortKeys {
    fn of(
        world: &mut World,
        elements: &Elements,
        by: Option<&[u8]>,
        alpha: bool,
    ) -> Result<SortKeys, Failure> {
        let Some(by) = by else {
            if alpha {
                return Ok(SortKeys::Names);
            }
            let numbers = elements.texts.iter().map(|text| number(text.unwrap_or_default()));
            return Ok(SortKeys::Numbers(collect(numbers)?));
        };
        let (mut texts, mut numbers) = (Shown::default(), Vec::new());
        for element in elements.texts.iter().flatten() {
            let value = match substitute(by, element) {
                Named::Element => Some(element),
                Named::Nothing => None,
                Named::Value(ref place) => place.value(world),
            };
            if alpha {
                texts.push(value)?;
            } else {
                memory::reserve(&mut numbers, 1)?;
                numbers.push(value.map_or(Ok(0.0), number)?);
            }
        }
        Ok(if alpha { SortKeys::Texts(texts) } else { SortKeys::Numbers(numbers) })
    }

    fn compare(&self, elements: &Elements, one: usize, other: usize) -> Ordering {
        let names = || elements.get(one).cmp(elements.get(other));
        match self {
            SortKeys::Numbers(numbers) => numbers[one].total_cmp(&numbers[other]).then_with(names),
            SortKeys::Names => names(),
            SortKeys::Texts(texts) => texts.get(one).cmp(&texts.get(other)),
        }
    }
}

/// Collects numbers, or the first error.
fn collect(numbers: impl Iterator<Item = Result<f64, Failure>>) -> Result<Vec<f64>, Failure> {
    let mut all = Vec::new();
    for number in numbers {
        memory::reserve(&mut all, 1)?;
        all.push(number?);
    }
    Ok(all)
}

/// The number that a text stands for.
fn number(text: &[u8]) -> Result<f64, Failure> {
    let number = parse_c_number(text);
    // 0.0 and -0.0 are the same number.
    number
        .map(|number| number + 0.0)
        .ok_or(Failure::text("ERR One or more scores can't be converted into double"))
}

/// Copies of texts, one after the other; some may be missing. The store lends texts only as long as it does not change.
#[derive(Default)]
struct Shown {
    bytes: Vec<u8>,
    /// Where each text ends, and whether it is there.
    present: Vec<(usize, bool)>,
}

impl Shown {
    fn push(&mut self, text: Option<&[u8]>) -> Result<(), OutOfMemory> {
        let bytes = text.unwrap_or_default();
        memory::reserve(&mut self.bytes, bytes.len())?;
        memory::reserve(&mut self.present, 1)?;
        self.bytes.extend_from_slice(bytes);
        self.present.push((self.bytes.len(), text.is_some()));
        Ok(())
    }

    fn get(&self, nth: usize) -> Option<&[u8]> {
        let start = nth.checked_sub(1).map_or(0, |before| self.present[before].0);
        let (end, is_there) = self.present[nth];
        is_there.then(|| &self.bytes[start..end])
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = Option<&[u8]>> + Clone {
        (0..self.present.len()).map(|nth| self.get(nth))
    }
}

/// Copies of the elements that are sorted.
struct Elements {
    kind: Kind,
    texts: Shown,
}

impl Elements {
    /// The elements of the key of the request.
    fn of(cx: &mut Cx<'_>) -> Result<Elements, Failure> {
        let (key, now_ms) = (cx.arg(1), cx.world.now.unix_ms);
        let found = cx.world.store.object(key, now_ms).map(|(object, _)| {
            let mut texts = Shown::default();
            let mut push = |text: &[u8]| texts.push(Some(text));
            let kind = match object {
                Object::List(list) => list.iter_from(0).try_for_each(&mut push).map(|()| Kind::List)?,
                Object::Set(set) => set.iter().try_for_each(|member| push(&member)).map(|()| Kind::Set)?,
                Object::Zset(zset) => zset
                    .iter_from(0)
                    .map(|(member, _)| member)
                    .try_for_each(&mut push)
                    .map(|()| Kind::Zset)?,
                Object::String(_) | Object::Hash(_) | Object::Stream(_) => return Err(WrongKind.into()),
            };
            Ok::<_, Failure>(Elements { kind, texts })
        });
        cx.world.count_lookup(found.is_some(), key);
        found.unwrap_or(Ok(Elements { kind: Kind::List, texts: Shown::default() }))
    }

    fn get(&self, nth: usize) -> &[u8] {
        self.texts.get(nth).unwrap_or_default()
    }
}

/// What a pattern means for an element.
enum Named {
    /// The element itself: the pattern is `#`.
    Element,
    /// Nothing: there is no star in the pattern.
    Nothing,
    /// The value of a key, or of a field.
    Value(Place),
}

/// A key whose string is meant, or a field of its hash.
struct Place {
    key: Vec<u8>,
    field: Option<Vec<u8>>,
}

/// Puts an element in the place of the first star of a pattern. `->` behind the star begins the name of a field.
fn substitute(pattern: &[u8], element: &[u8]) -> Named {
    if pattern == b"#" {
        return Named::Element;
    }
    let Some(star) = memchr::memchr(b'*', pattern) else { return Named::Nothing };
    let (before, behind) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = behind.windows(2).position(|two| two == b"->").filter(|at| at + 2 < behind.len());
    let (behind, field) = match arrow {
        Some(at) => (&behind[..at], Some(behind[at + 2..].to_vec())),
        None => (behind, None),
    };
    Named::Value(Place { key: [before, element, behind].concat(), field })
}

impl Place {
    /// The value; `None` if it is not there or of another kind.
    fn value<'w>(&self, world: &'w mut World) -> Option<&'w [u8]> {
        match &self.field {
            None => world.lookup(&self.key).ok().flatten(),
            Some(field) => world.lookup_map(&self.key).ok().flatten()?.get(field),
        }
    }
}
