//! Strings: what the scripts do to them that is not in `model.rs`, and what the model says of it.

use rand::RngExt;

use crate::keys::Keys;
use crate::model::{Held, OK, Op, WRONG_KIND, bulk, bulk_or_null, int, width};
use crate::script::{Author, Step, step};
use crate::times::{Time, Unit};

/// What a request does to a string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextOp {
    /// `SET` with options, and the commands that are short for one.
    Set(SetOp),
    /// `GETEX`
    GetAnd(Life),
    /// `INCRBYFLOAT` of so many quarters, whose sums are exact.
    AddQuarters(i64),
    /// `GETRANGE` or `SUBSTR`, which has this name: from one position to another, both included.
    Part(&'static str, i64, i64),
}

/// How a request sets a string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetOp {
    name: &'static str,
    value: String,
    only_if: Option<OnlyIf>,
    /// It replies with what was there.
    get: bool,
    life: Life,
}

/// For how long a string is there from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// As the command has it: `SET` for ever, `GETEX` as before.
    Unsaid,
    /// The command's own word: `KEEPTTL`, `PERSIST`.
    Word,
    Until(Time),
}

/// On which condition a string is set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnlyIf {
    New,
    There,
    Equal(String),
    Unequal(String),
}

impl OnlyIf {
    fn holds(&self, there: Option<&Held>) -> bool {
        let equals = |wanted: &String| there == Some(&Held::Text(wanted.clone()));
        match self {
            OnlyIf::New => there.is_none(),
            OnlyIf::There => there.is_some(),
            OnlyIf::Equal(wanted) => equals(wanted),
            OnlyIf::Unequal(wanted) => !equals(wanted),
        }
    }

    fn words(&self) -> Vec<&str> {
        match self {
            OnlyIf::New => vec!["NX"],
            OnlyIf::There => vec!["XX"],
            OnlyIf::Equal(wanted) => vec!["IFEQ", wanted],
            OnlyIf::Unequal(wanted) => vec!["IFNE", wanted],
        }
    }
}

impl Life {
    /// The error for a time that no command takes.
    fn refusal(self, name: &str) -> Option<String> {
        let name = name.to_lowercase();
        let text = || format!("-ERR invalid expire time in '{name}' command\r\n");
        matches!(self, Life::Until(time) if time.number <= 0).then(text)
    }

    /// A string that is there lives so long from now on.
    fn give(self, keys: &mut Keys, key: &str) {
        match self {
            Life::Until(time) => match time.end() {
                Some(end) => keys.set_end(key, Some(end)),
                None => drop(keys.remove(key)),
            },
            Life::Unsaid | Life::Word => {}
        }
    }
}

impl TextOp {
    pub fn writes(&self) -> bool {
        !matches!(self, TextOp::Part(..))
    }

    /// The commands and options that it stands for.
    pub fn words(&self) -> Vec<&'static str> {
        let life = |life: &Life, words: [&'static str; 5]| match life {
            Life::Unsaid => None,
            Life::Word => Some(words[4]),
            Life::Until(time) => Some(words[time.unit as usize]),
        };
        match self {
            TextOp::Set(SetOp { name: "SET", only_if, get, life: lasts, .. }) => {
                let condition = only_if.as_ref().map(|only_if| match only_if {
                    OnlyIf::New => "SET NX",
                    OnlyIf::There => "SET XX",
                    OnlyIf::Equal(_) => "SET IFEQ",
                    OnlyIf::Unequal(_) => "SET IFNE",
                });
                let lasts = life(lasts, ["SET EX", "SET PX", "SET EXAT", "SET PXAT", "SET KEEPTTL"]);
                [condition, get.then_some("SET GET"), lasts].into_iter().flatten().collect()
            }
            TextOp::Set(set) => vec![set.name],
            TextOp::GetAnd(lasts) => {
                let words = ["GETEX EX", "GETEX PX", "GETEX EXAT", "GETEX PXAT", "GETEX PERSIST"];
                vec![life(lasts, words).unwrap_or("GETEX")]
            }
            TextOp::AddQuarters(_) => vec!["INCRBYFLOAT"],
            TextOp::Part(name, ..) => vec![name],
        }
    }

    /// True if the key has changed, which was as in `before`, as the reply tells.
    pub fn has_changed(&self, before: &Keys, key: &str, reply: &str) -> bool {
        let did = match self {
            TextOp::Set(set) => set.only_if.as_ref().is_none_or(|only_if| only_if.holds(before.get(key))),
            TextOp::GetAnd(Life::Unsaid) | TextOp::Part(..) => false,
            TextOp::GetAnd(Life::Word) => before.end(key).is_some(),
            TextOp::GetAnd(Life::Until(_)) => before.contains_key(key),
            TextOp::AddQuarters(_) => true,
        };
        did && !reply.starts_with('-')
    }

    /// Does it to the string of `key` and returns the reply.
    pub fn apply(&self, keys: &mut Keys, key: &str) -> String {
        let text = match keys.get(key) {
            Some(Held::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let is_other = keys.contains_key(key) && text.is_none();
        match self {
            TextOp::Set(set) => set.apply(keys, key, text, is_other),
            TextOp::GetAnd(life) => {
                if is_other {
                    return WRONG_KIND.into();
                }
                if let Some(refusal) = life.refusal("GETEX").filter(|_| text.is_some()) {
                    return refusal;
                }
                if *life == Life::Word {
                    keys.set_end(key, None);
                }
                if text.is_some() {
                    life.give(keys, key);
                }
                bulk_or_null(text.as_ref())
            }
            _ if is_other => WRONG_KIND.into(),
            TextOp::AddQuarters(by) => match text.as_deref().map_or(Some(0), quarters) {
                Some(before) => {
                    let sum = quarters_text(before + by);
                    keys.insert(key.to_owned(), Held::Text(sum.clone()));
                    bulk(&sum)
                }
                None => "-ERR value is not a valid float\r\n".into(),
            },
            TextOp::Part(_, from, to) => {
                let text: Vec<char> = text.unwrap_or_default().chars().collect();
                let range = if is_backwards(*from, *to) { 0..0 } else { span(*from, *to, text.len()) };
                bulk(&text[range].iter().collect::<String>())
            }
        }
    }
}

impl SetOp {
    fn apply(&self, keys: &mut Keys, key: &str, before: Option<String>, is_other: bool) -> String {
        if let Some(refusal) = self.life.refusal(self.name) {
            return refusal;
        }
        let compares = matches!(self.only_if, Some(OnlyIf::Equal(_) | OnlyIf::Unequal(_)));
        if is_other && (self.get || compares) {
            return WRONG_KIND.into();
        }
        let sets = self.only_if.as_ref().is_none_or(|only_if| only_if.holds(keys.get(key)));
        if sets {
            let end = keys.end(key).filter(|_| self.life == Life::Word);
            keys.insert(key.to_owned(), Held::Text(self.value.clone()));
            keys.set_end(key, end);
            self.life.give(keys, key);
        }
        match (self.get, sets) {
            (true, _) => bulk_or_null(before.as_ref()),
            (false, true) => OK.into(),
            (false, false) => bulk_or_null(None),
        }
    }
}

/// True if both count from the end, the last one before the first. Redis finds nothing there, even if both are before the
/// beginning; only `BITPOS` does not look.
pub fn is_backwards(first: i64, last: i64) -> bool {
    first < 0 && last < 0 && first > last
}

/// The positions from `first` to `last` of so many, both included; negative ones count from the end.
pub fn span(first: i64, last: i64, len: usize) -> std::ops::Range<usize> {
    let len = len as i64;
    let from_end = |at: i64| if at < 0 { (at + len).max(0) } else { at };
    let (first, last) = (from_end(first), from_end(last).min(len - 1));
    if first > last { 0..0 } else { first as usize..last as usize + 1 }
}

/// The number of quarters that a text of the scripts is.
fn quarters(text: &str) -> Option<i64> {
    text.parse::<f64>().ok().filter(|_| width(text) < 15).map(|number| (number * 4.0) as i64)
}

fn quarters_text(quarters: i64) -> String {
    // No more digits than needed, as Redis writes it.
    (quarters as f64 / 4.0).to_string()
}

/// What `LCS` says of two strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Common {
    Text,
    /// `LEN`
    Len,
    /// `IDX`: parts of at least so many bytes; with their lengths if it says so.
    Parts(usize, bool),
}

impl Common {
    pub fn word(self) -> &'static str {
        match self {
            Common::Text => "LCS",
            Common::Len => "LCS LEN",
            Common::Parts(..) => "LCS IDX",
        }
    }

    /// The reply about the strings of two keys.
    pub fn reply(self, keys: &Keys, names: &[String; 2]) -> String {
        let text = |key: &String| match keys.get(key) {
            Some(Held::Text(text)) => Some(text.chars().collect::<Vec<char>>()),
            Some(_) => None,
            None => Some(Vec::new()),
        };
        let [Some(one), Some(other)] = [text(&names[0]), text(&names[1])] else {
            return "-ERR The specified keys must contain string values\r\n".into();
        };
        let pairs = common_pairs(&one, &other);
        match self {
            Common::Text => bulk(&pairs.iter().map(|[at, _]| one[*at]).collect::<String>()),
            Common::Len => int(pairs.len()),
            Common::Parts(least, with_len) => {
                let parts = parts(&pairs);
                let shown: Vec<&[[usize; 2]; 2]> =
                    parts.iter().rev().filter(|[first, last]| last[0] + 1 - first[0] >= least).collect();
                let mut reply = format!("*4\r\n{}*{}\r\n", bulk("matches"), shown.len());
                for [first, last] in shown {
                    reply += &format!("*{}\r\n", if with_len { 3 } else { 2 });
                    for side in 0..2 {
                        reply += &format!("*2\r\n{}{}", int(first[side]), int(last[side]));
                    }
                    reply += &if with_len { int(last[0] + 1 - first[0]) } else { String::new() };
                }
                reply + &bulk("len") + &int(pairs.len())
            }
        }
    }
}

/// Where the characters of the longest common subsequence are in both strings. Of several ones Redis chooses this one.
fn common_pairs(one: &[char], other: &[char]) -> Vec<[usize; 2]> {
    let mut best = vec![vec![0; other.len() + 1]; one.len() + 1];
    for (row, a) in one.iter().enumerate() {
        for (column, b) in other.iter().enumerate() {
            best[row + 1][column + 1] = match a == b {
                true => best[row][column] + 1,
                false => best[row + 1][column].max(best[row][column + 1]),
            };
        }
    }
    let (mut pairs, mut row, mut column) = (Vec::new(), one.len(), other.len());
    while row > 0 && column > 0 {
        if one[row - 1] == other[column - 1] {
            (row, column) = (row - 1, column - 1);
            pairs.push([row, column]);
        } else if best[row - 1][column] > best[row][column - 1] {
            row -= 1;
        } else {
            column -= 1;
        }
    }
    pairs.reverse();
    pairs
}

/// The first and the last pair of each run without a gap.
fn parts(pairs: &[[usize; 2]]) -> Vec<[[usize; 2]; 2]> {
    let mut parts: Vec<[[usize; 2]; 2]> = Vec::new();
    for pair in pairs {
        match parts.last_mut() {
            Some([_, last]) if last.map(|at| at + 1) == *pair => *last = *pair,
            _ => parts.push([*pair; 2]),
        }
    }
    parts
}

impl Author<'_> {
    /// A key that holds a short string, which may be a number. Nothing but such strings comes there.
    pub fn short_key(&mut self) -> String {
        format!("{}:n{}", self.name, self.rng.random_range(0..3))
    }

    /// A few words, so that they are equal at times, and numbers.
    fn short_value(&mut self) -> String {
        match self.rng.random_range(0..6) {
            0 => "7".into(),
            1 => quarters_text(self.rng.random_range(-40..40)),
            2 => String::new(),
            _ => (0..self.rng.random_range(1..12))
                .map(|_| ['a', 'b', 'c'][self.rng.random_range(0..3)])
                .collect(),
        }
    }

    /// A command about a string, or about two.
    pub fn text_command(&mut self) -> Step {
        let (key, other) = (self.short_key(), self.short_key());
        let key_of_any = if self.rng.random_bool(0.5) { self.key() } else { key.clone() };
        match self.rng.random_range(0..16) {
            0..4 => self.set_with_options(&key_of_any),
            4 | 5 => self.set_in_short(&key_of_any),
            6 | 7 => self.get_and(&key_of_any),
            8..11 => {
                let by = self.rng.random_range(-40..40);
                let op = Op::Text(key.clone(), TextOp::AddQuarters(by));
                step(&["INCRBYFLOAT", &key, &quarters_text(by)], op)
            }
            11 | 12 => {
                let name = ["GETRANGE", "SUBSTR"][self.rng.random_range(0..2)];
                let (from, to) = (self.rng.random_range(-9..9_i64), self.rng.random_range(-9..30_i64));
                let op = TextOp::Part(name, from, to);
                step(
                    &[name, &key_of_any, &from.to_string(), &to.to_string()],
                    Op::Text(key_of_any.clone(), op),
                )
            }
            13 => step(&["GET", &key], Op::Get(key.clone())),
            _ => {
                let (least, with_len) = (self.rng.random_range(0..3_usize), self.rng.random_bool(0.5));
                let min = least.to_string();
                let (how, mut options) = match self.rng.random_range(0..4) {
                    0 => (Common::Text, vec![]),
                    1 => (Common::Len, vec!["LEN"]),
                    _ => (Common::Parts(least, with_len), vec!["IDX", "MINMATCHLEN", &min]),
                };
                options.extend((with_len && matches!(how, Common::Parts(..))).then_some("WITHMATCHLEN"));
                let request = [&["LCS", key.as_str(), &other], &options[..]].concat();
                step(&request, Op::Common([key.clone(), other.clone()], how))
            }
        }
    }

    fn set_with_options(&mut self, key: &str) -> Step {
        let value = self.short_value();
        let only_if = match self.rng.random_range(0..6) {
            0 => Some(OnlyIf::New),
            1 => Some(OnlyIf::There),
            2 => Some(OnlyIf::Equal(self.short_value())),
            3 => Some(OnlyIf::Unequal(self.short_value())),
            _ => None,
        };
        let (get, life) = (self.rng.random_bool(0.3), self.life());
        let mut request = vec!["SET", key, &value];
        request.extend(only_if.iter().flat_map(OnlyIf::words));
        request.extend(get.then_some("GET"));
        let life_words = life_words(life, "KEEPTTL");
        request.extend(life_words.iter().map(String::as_str));
        let set = SetOp { name: "SET", value: value.clone(), only_if: only_if.clone(), get, life };
        step(&request, Op::Text(key.to_owned(), TextOp::Set(set)))
    }

    /// `SETEX`, `PSETEX` or `GETSET`
    fn set_in_short(&mut self, key: &str) -> Step {
        let (value, time) = (self.short_value(), self.time(true));
        let number = time.number.to_string();
        let set = |name, get, life| {
            let set = SetOp { name, value: value.clone(), only_if: None, get, life };
            Op::Text(key.to_owned(), TextOp::Set(set))
        };
        match time.unit {
            Unit::Seconds => step(&["SETEX", key, &number, &value], set("SETEX", false, Life::Until(time))),
            Unit::Milliseconds => {
                step(&["PSETEX", key, &number, &value], set("PSETEX", false, Life::Until(time)))
            }
            _ => step(&["GETSET", key, &value], set("GETSET", true, Life::Unsaid)),
        }
    }

    fn get_and(&mut self, key: &str) -> Step {
        let life = self.life();
        let words = life_words(life, "PERSIST");
        let request: Vec<&str> = ["GETEX", key].into_iter().chain(words.iter().map(String::as_str)).collect();
        step(&request, Op::Text(key.to_owned(), TextOp::GetAnd(life)))
    }

    fn life(&mut self) -> Life {
        match self.rng.random_range(0..8) {
            0 | 1 => Life::Unsaid,
            2 | 3 => Life::Word,
            nth => Life::Until(self.time(nth == 4)),
        }
    }

    /// Works on strings, their bits and their times, in a transaction or not.
    pub fn dwell_on_strings(&mut self, steps: &mut Vec<Step>) {
        let command = [Self::text_command, Self::bits_command, Self::time_command, Self::key_command]
            [self.rng.random_range(0..4)];
        let short = self.rng.random_bool(0.5);
        let keys = [(); 2].map(|()| if short { self.short_key() } else { self.key() });
        self.work_on(keys, command, steps);
    }
}

/// The words of an option; `own` is the command's own one.
fn life_words(life: Life, own: &str) -> Vec<String> {
    match life {
        Life::Unsaid => Vec::new(),
        Life::Word => vec![own.to_owned()],
        Life::Until(time) => vec![time.unit.option().to_owned(), time.number.to_string()],
    }
}
