//! Bits of strings: what the scripts do to them, and what the model says of it. The model has a list of bits, the highest one
//! of the first byte first.

use rand::RngExt;

use crate::keys::Keys;
use crate::model::{Held, Op, WRONG_KIND, bulk_or_null, int};
use crate::script::{Author, Step, step};
use crate::strings::{is_backwards, span};

/// Most bits of a string that the scripts write to; no limit on sizes is met.
const BITS_MAX: usize = 2_400;

/// What a request does to the bits of a string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BitsOp {
    Set(usize, bool),
    Get(usize),
    Count(Option<Part>),
    /// Where the first bit is that is set, or is not.
    Find(bool, Option<Part>),
    /// `BITFIELD`, or `BITFIELD_RO` if all that it does is to get.
    Fields(Vec<Field>),
}

/// A part of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    first: i64,
    /// `None` for the end.
    last: Option<i64>,
    /// Positions count bits, not bytes. Then there is a last one.
    of_bits: bool,
}

const WHOLE: Part = Part { first: 0, last: None, of_bits: false };

/// One operation of `BITFIELD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    signed: bool,
    bits: usize,
    at: usize,
    change: Option<Change>,
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    /// It is added to what is there, not set.
    adds: bool,
    number: i64,
    overflow: Overflow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

/// How `BITOP` combines strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Combine {
    And,
    Or,
    Xor,
    Not,
}

impl Part {
    /// The bits that are meant, of so many bytes.
    fn bits(self, bytes: usize) -> std::ops::Range<usize> {
        let last = self.last.unwrap_or(-1);
        if self.of_bits {
            return span(self.first, last, bytes * 8);
        }
        let found = span(self.first, last, bytes);
        found.start * 8..found.end * 8
    }

    fn words(self) -> Vec<String> {
        let mut words = vec![self.first.to_string()];
        words.extend(self.last.map(|last| last.to_string()));
        words.extend(self.last.and(self.of_bits.then_some("BIT".to_owned())));
        words
    }
}

impl Field {
    fn end(&self) -> usize {
        self.at + self.bits
    }

    fn least(&self) -> i128 {
        if self.signed { -(1 << (self.bits - 1)) } else { 0 }
    }

    fn most(&self) -> i128 {
        self.least() + (1 << self.bits) - 1
    }

    fn read(&self, bits: &[bool]) -> i128 {
        let number = (self.at..self.end())
            .fold(0_i128, |number, at| number * 2 + i128::from(bits.get(at).copied().unwrap_or(false)));
        if number > self.most() { number - (1 << self.bits) } else { number }
    }

    /// Does it to bits that reach far enough, and returns the number that is told.
    fn apply(&self, bits: &mut [bool]) -> Option<i128> {
        let before = self.read(bits);
        let Some(Change { adds, number, overflow }) = self.change else { return Some(before) };
        // A negative number for an unsigned field stands for its bits.
        let number = if adds || self.signed { i128::from(number) } else { i128::from(number as u64) };
        let mut after = if adds { before + number } else { number };
        if !(self.least()..=self.most()).contains(&after) {
            after = match overflow {
                Overflow::Fail => return None,
                Overflow::Saturate => after.clamp(self.least(), self.most()),
                Overflow::Wrap => (after - self.least()).rem_euclid(1 << self.bits) + self.least(),
            };
        }
        let size = after.rem_euclid(1 << self.bits);
        for nth in 0..self.bits {
            bits[self.at + nth] = size >> (self.bits - 1 - nth) & 1 == 1;
        }
        Some(if adds { after } else { before })
    }

    fn words(&self) -> Vec<String> {
        let name = format!("{}{}", if self.signed { 'i' } else { 'u' }, self.bits);
        let mut words = Vec::new();
        if let Some(change) = self.change {
            words.extend(["OVERFLOW", ["WRAP", "SAT", "FAIL"][change.overflow as usize]].map(str::to_owned));
            words.push(if change.adds { "INCRBY" } else { "SET" }.to_owned());
        } else {
            words.push("GET".to_owned());
        }
        // Both ways to name the same place.
        let at = if self.at.is_multiple_of(self.bits) {
            format!("#{}", self.at / self.bits)
        } else {
            self.at.to_string()
        };
        words.extend([name, at]);
        words.extend(self.change.map(|change| change.number.to_string()));
        words
    }
}

/// The bits of the string of `key`, none if there is no such key; `None` if it holds another kind.
fn bits(keys: &Keys, key: &str) -> Option<Vec<bool>> {
    let text = match keys.get(key) {
        Some(Held::Text(text)) => text.as_str(),
        Some(_) => return None,
        None => "",
    };
    Some(text.chars().flat_map(|byte| (0..8).rev().map(move |nth| byte as u32 >> nth & 1 == 1)).collect())
}

fn put(keys: &mut Keys, key: &str, bits: &[bool]) {
    let byte = |bits: &[bool]| char::from(bits.iter().fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit)));
    keys.insert(key.to_owned(), Held::Text(bits.chunks(8).map(byte).collect()));
}

/// Zeros up to the byte that holds the bit before `end`.
fn fill_up(bits: &mut Vec<bool>, end: usize) {
    bits.resize(bits.len().max(end.next_multiple_of(8)), false);
}

impl BitsOp {
    pub fn writes(&self) -> bool {
        match self {
            BitsOp::Set(..) => true,
            BitsOp::Fields(_) => !self.is_read_only(),
            _ => false,
        }
    }

    /// It is sent as `BITFIELD_RO`.
    fn is_read_only(&self) -> bool {
        matches!(self, BitsOp::Fields(fields) if fields.iter().all(|field| field.change.is_none()))
    }

    /// The command that it stands for.
    pub fn word(&self) -> &'static str {
        match self {
            BitsOp::Set(..) => "SETBIT",
            BitsOp::Get(_) => "GETBIT",
            BitsOp::Count(Some(Part { of_bits: true, .. })) => "BITCOUNT BIT",
            BitsOp::Count(_) => "BITCOUNT",
            BitsOp::Find(_, Some(Part { of_bits: true, .. })) => "BITPOS BIT",
            BitsOp::Find(..) => "BITPOS",
            BitsOp::Fields(_) if self.is_read_only() => "BITFIELD_RO",
            BitsOp::Fields(_) => "BITFIELD",
        }
    }

    /// True if the key has changed, which was as in `before`.
    pub fn has_changed(&self, before: &Keys, key: &str) -> bool {
        let Some(mut all) = bits(before, key) else { return false };
        let len = all.len();
        fill_up(&mut all, self.written());
        let mut changed = all.len() > len;
        match self {
            BitsOp::Set(at, on) => changed |= all[*at] != *on,
            BitsOp::Fields(fields) => {
                for field in fields {
                    let before = all.clone();
                    field.apply(&mut all);
                    changed |= all != before;
                }
            }
            _ => {}
        }
        changed
    }

    /// Behind the last bit that it may write; 0 if it does not write.
    fn written(&self) -> usize {
        match self {
            BitsOp::Set(at, _) => at + 1,
            BitsOp::Fields(fields) => {
                let changed = fields.iter().filter(|field| field.change.is_some());
                changed.map(Field::end).max().unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Does it to the string of `key` and returns the reply.
    pub fn apply(&self, keys: &mut Keys, key: &str) -> String {
        let Some(mut all) = bits(keys, key) else { return WRONG_KIND.into() };
        let there = keys.contains_key(key);
        match self {
            BitsOp::Set(at, on) => {
                fill_up(&mut all, at + 1);
                let before = std::mem::replace(&mut all[*at], *on);
                put(keys, key, &all);
                int(usize::from(before))
            }
            BitsOp::Get(at) => int(usize::from(all.get(*at).copied().unwrap_or(false))),
            BitsOp::Count(part) => {
                let part = part.unwrap_or(WHOLE);
                let is_empty = is_backwards(part.first, part.last.unwrap_or(-1));
                let range = if is_empty { 0..0 } else { part.bits(all.len() / 8) };
                int(all[range].iter().filter(|bit| **bit).count())
            }
            BitsOp::Find(wanted, _) if !there => if *wanted { ":-1\r\n" } else { ":0\r\n" }.into(),
            BitsOp::Find(wanted, part) => {
                let part = part.unwrap_or(WHOLE);
                let range = part.bits(all.len() / 8);
                match range.clone().find(|at| all[*at] == *wanted) {
                    Some(at) => int(at),
                    // Zeros follow the end of a string.
                    None if !wanted && part.last.is_none() && !range.is_empty() => int(range.end),
                    None => ":-1\r\n".into(),
                }
            }
            BitsOp::Fields(fields) => {
                fill_up(&mut all, self.written());
                let told: String = fields
                    .iter()
                    .map(|field| {
                        field.apply(&mut all).map_or(bulk_or_null(None), |told| format!(":{told}\r\n"))
                    })
                    .collect();
                if self.written() > 0 {
                    put(keys, key, &all);
                }
                format!("*{}\r\n{told}", fields.len())
            }
        }
    }
}

impl Combine {
    /// Stores the combined strings under a key, and returns the reply.
    pub fn apply(self, keys: &mut Keys, to: &str, names: &[String]) -> String {
        let Some(all) = names.iter().map(|key| bits(keys, key)).collect::<Option<Vec<_>>>() else {
            return WRONG_KIND.into();
        };
        let len = all.iter().map(Vec::len).max().unwrap_or(0);
        let bit = |bits: &Vec<bool>, at: usize| bits.get(at).copied().unwrap_or(false);
        let combined: Vec<bool> = (0..len)
            .map(|at| match self {
                Combine::And => all.iter().all(|bits| bit(bits, at)),
                Combine::Or => all.iter().any(|bits| bit(bits, at)),
                Combine::Xor => all.iter().filter(|bits| bit(bits, at)).count() % 2 == 1,
                Combine::Not => !bit(&all[0], at),
            })
            .collect();
        keys.remove(to);
        if len > 0 {
            put(keys, to, &combined);
        }
        int(len / 8)
    }
}

impl Author<'_> {
    fn bit_offset(&mut self) -> usize {
        let max = if self.rng.random_bool(0.1) { BITS_MAX } else { 100 };
        self.rng.random_range(0..max)
    }

    /// A part; of `BITPOS` if the end may be left open, else of `BITCOUNT`.
    fn part_of_string(&mut self, may_be_open: bool) -> Option<Part> {
        let of_bits = self.rng.random_bool(0.5);
        let reach = if of_bits { 100 } else { 14 };
        let (first, last) = (self.rng.random_range(-reach..reach), self.rng.random_range(-reach..reach));
        match self.rng.random_range(0..5) {
            0 => None,
            1 if may_be_open => Some(Part { first, last: None, of_bits: false }),
            _ => Some(Part { first, last: Some(last), of_bits }),
        }
    }

    fn field_of_bits(&mut self, writes: bool) -> Field {
        let signed = self.rng.random_bool(0.5);
        let bits = match self.rng.random_range(0..4) {
            0 => 8,
            1 => self.rng.random_range(1..8),
            _ => self.rng.random_range(1..if signed { 65 } else { 64 }),
        };
        let at = if self.rng.random_bool(0.4) {
            bits * self.rng.random_range(0..4)
        } else {
            self.rng.random_range(0..80)
        };
        let number = match self.rng.random_range(0..3) {
            0 => self.rng.random_range(-300..300),
            1 => self.rng.random_range(-3..4),
            _ => self.rng.random_range(i64::MIN..i64::MAX),
        };
        let overflow = [Overflow::Wrap, Overflow::Saturate, Overflow::Fail][self.rng.random_range(0..3)];
        let change = Change { adds: self.rng.random_bool(0.6), number, overflow };
        Field { signed, bits, at, change: (writes && self.rng.random_bool(0.7)).then_some(change) }
    }

    /// A command about the bits of a string, under a key that may hold something else.
    pub fn bits_command(&mut self) -> Step {
        let key = self.key();
        let on_bits = |request: &[&str], op| step(request, Op::Bits(key.clone(), op));
        match self.rng.random_range(0..14) {
            0..3 => {
                let (at, on) = (self.bit_offset(), self.rng.random_bool(0.6));
                on_bits(&["SETBIT", &key, &at.to_string(), if on { "1" } else { "0" }], BitsOp::Set(at, on))
            }
            3 => {
                let at = self.bit_offset();
                on_bits(&["GETBIT", &key, &at.to_string()], BitsOp::Get(at))
            }
            4..7 => {
                let part = self.part_of_string(false);
                let words = part.map_or(Vec::new(), Part::words);
                on_bits(&of_words(&["BITCOUNT", &key], &words), BitsOp::Count(part))
            }
            7 | 8 => {
                let (wanted, part) = (self.rng.random_bool(0.5), self.part_of_string(true));
                let words = part.map_or(Vec::new(), Part::words);
                let bit = if wanted { "1" } else { "0" };
                on_bits(&of_words(&["BITPOS", &key, bit], &words), BitsOp::Find(wanted, part))
            }
            9..12 => {
                let writes = self.rng.random_bool(0.7);
                let fields: Vec<Field> =
                    (0..self.rng.random_range(1..3)).map(|_| self.field_of_bits(writes)).collect();
                let words: Vec<String> = fields.iter().flat_map(Field::words).collect();
                let op = BitsOp::Fields(fields);
                on_bits(&of_words(&[op.word(), &key], &words), op)
            }
            _ => {
                let how =
                    [Combine::And, Combine::Or, Combine::Xor, Combine::Not][self.rng.random_range(0..4)];
                let word = ["AND", "OR", "XOR", "NOT"][how as usize];
                let count = if how == Combine::Not { 1 } else { self.rng.random_range(1..4) };
                let names: Vec<String> = (0..count).map(|_| self.key()).collect();
                step(&of_words(&["BITOP", word, &key], &names), Op::BitsInto(how, key.clone(), names.clone()))
            }
        }
    }
}

fn of_words<'a>(first: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    first.iter().copied().chain(more.iter().map(String::as_str)).collect()
}
