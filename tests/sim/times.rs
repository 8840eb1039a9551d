//! When keys expire: what the scripts say about it, and what the model says of it.
//!
//! All times are far away, or have passed. So no key expires while a run lasts, and a time that counts from now is known
//! well enough: any two such times are further apart than the clock can be.

use rand::RngExt;

use crate::frames::Frame;
use crate::keys::Keys;
use crate::model::{Op, int};
use crate::script::{Author, Step, step};

/// The wall clock at the beginning of a run, Unix milliseconds.
pub const START_MS: u64 = 1_700_000_000_000;
/// By how much the clock may have moved since, either way. Times that count from now are twice as far apart.
const SLACK_MS: u64 = 5_000_000_000;

/// When a key expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// Unix milliseconds.
    pub ms: u64,
    /// It may be so much earlier or later.
    pub slack_ms: u64,
}

impl End {
    /// True if a key that expires then is right.
    pub fn fits(self, ms: u64) -> bool {
        self.ms.abs_diff(ms) <= self.slack_ms
    }
}

/// In which unit a request gives a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

impl Unit {
    const ALL: [Unit; 4] = [Unit::Seconds, Unit::Milliseconds, Unit::UnixSeconds, Unit::UnixMilliseconds];

    fn is_relative(self) -> bool {
        matches!(self, Unit::Seconds | Unit::Milliseconds)
    }

    /// Milliseconds in one of it.
    fn scale(self) -> i64 {
        if matches!(self, Unit::Seconds | Unit::UnixSeconds) { 1_000 } else { 1 }
    }

    /// The option that names it.
    pub fn option(self) -> &'static str {
        ["EX", "PX", "EXAT", "PXAT"][self as usize]
    }
}

/// A time that a request gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    pub unit: Unit,
    pub number: i64,
}

impl Time {
    /// When a key expires that is given this time now; `None` if that has passed.
    pub fn end(self) -> Option<End> {
        let ms = self.number * self.unit.scale();
        let ms = if self.unit.is_relative() { ms + START_MS as i64 } else { ms };
        let slack_ms = if self.unit.is_relative() { SLACK_MS } else { 0 };
        (ms > START_MS as i64).then_some(End { ms: ms as u64, slack_ms })
    }
}

/// On which condition `EXPIRE` and its like change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnlyIf {
    Never,
    Some,
    Later,
    Sooner,
}

impl OnlyIf {
    const ALL: [OnlyIf; 4] = [OnlyIf::Never, OnlyIf::Some, OnlyIf::Later, OnlyIf::Sooner];

    fn word(self) -> &'static str {
        ["NX", "XX", "GT", "LT"][self as usize]
    }

    /// A key without a time counts as one that expires infinitely late, and a time that has passed as one before all others.
    fn holds(self, before: Option<End>, after: Option<End>) -> bool {
        let after = after.map_or(0, |end| end.ms);
        match self {
            OnlyIf::Never => before.is_none(),
            OnlyIf::Some => before.is_some(),
            OnlyIf::Later => before.is_some_and(|before| after > before.ms),
            OnlyIf::Sooner => before.is_none_or(|before| after < before.ms),
        }
    }
}

/// What a request does about the time of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeOp {
    Expire(Time, Option<OnlyIf>),
    Persist,
    /// `TTL`, `PTTL`, `EXPIRETIME` or `PEXPIRETIME`, whose unit it is.
    Tell(Unit),
}

impl TimeOp {
    pub fn writes(&self) -> bool {
        !matches!(self, TimeOp::Tell(_))
    }

    /// The commands that it stands for, with an option.
    pub fn words(&self) -> Vec<&'static str> {
        match self {
            TimeOp::Expire(time, only_if) => {
                let name = ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"][time.unit as usize];
                let condition = only_if
                    .map(|only_if| ["EXPIRE NX", "EXPIRE XX", "EXPIRE GT", "EXPIRE LT"][only_if as usize]);
                std::iter::once(name).chain(condition).collect()
            }
            TimeOp::Persist => vec!["PERSIST"],
            TimeOp::Tell(unit) => vec![["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"][*unit as usize]],
        }
    }

    /// Does it to `key` and returns the reply. If [`tells`] has something to say, that is the reply instead.
    pub fn apply(&self, keys: &mut Keys, key: &str) -> String {
        let (there, before) = (keys.contains_key(key), keys.end(key));
        match self {
            TimeOp::Expire(time, only_if) => {
                let end = time.end();
                let holds = there && only_if.is_none_or(|only_if| only_if.holds(before, end));
                match end {
                    _ if !holds => {}
                    Some(end) => keys.set_end(key, Some(end)),
                    None => drop(keys.remove(key)),
                }
                int(usize::from(holds))
            }
            TimeOp::Persist => {
                keys.set_end(key, None);
                int(usize::from(before.is_some()))
            }
            TimeOp::Tell(_) => if there { ":-1\r\n" } else { ":-2\r\n" }.to_owned(),
        }
    }
}

/// What the number must be near that `op` asks for, and how near; `None` if its reply is another one.
pub fn tells(keys: &Keys, op: &Op) -> Option<(u64, u64)> {
    let Op::Time(key, TimeOp::Tell(unit)) = op else { return None };
    let End { ms, slack_ms } = keys.end(key)?;
    let scale = unit.scale() as u64;
    let (ms, slack_ms) = if unit.is_relative() { (ms - START_MS, SLACK_MS) } else { (ms, slack_ms) };
    // Redis rounds to the nearest second.
    Some(((ms + scale / 2) / scale, slack_ms / scale))
}

/// True if a reply tells this number.
pub fn shows((number, slack): (u64, u64), frame: &Frame) -> bool {
    matches!(frame, Frame::Int(told) if number.abs_diff(*told as u64) <= slack)
}

impl Author<'_> {
    /// A time at which no key expires while the run lasts; in a few cases one that has passed.
    pub fn time(&mut self, may_be_past: bool) -> Time {
        let unit = Unit::ALL[self.rng.random_range(0..4)];
        self.times += 1;
        let ms = match self.rng.random_range(0..12) {
            0 if may_be_past => 1_000,
            _ if unit.is_relative() => (100 + self.times as i64) * 2 * SLACK_MS as i64,
            // Before all times that count from now, and behind them.
            nth @ 0..6 => 2_000_000_000_000 + nth * 700,
            nth => 90_000_000_000_000 + nth * 700,
        };
        if may_be_past && ms == 1_000 && unit.is_relative() {
            return Time { unit, number: -i64::from(self.rng.random_bool(0.5)) };
        }
        Time { unit, number: ms / unit.scale() }
    }

    /// A command about the time of a key of any kind.
    pub fn time_command(&mut self) -> Step {
        let key = self.any_key();
        match self.rng.random_range(0..10) {
            0..5 => self.expire(&key),
            5 => step(&["PERSIST", &key], Op::Time(key.clone(), TimeOp::Persist)),
            _ => {
                let unit = Unit::ALL[self.rng.random_range(0..4)];
                let word = ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"][unit as usize];
                step(&[word, &key], Op::Time(key.clone(), TimeOp::Tell(unit)))
            }
        }
    }

    /// Lets a key expire, perhaps on a condition.
    pub fn expire(&mut self, key: &str) -> Step {
        let time = self.time(true);
        let only_if = self.rng.random_bool(0.5).then(|| OnlyIf::ALL[self.rng.random_range(0..4)]);
        let word = ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"][time.unit as usize];
        let number = time.number.to_string();
        let request: Vec<&str> = [word, key, &number].into_iter().chain(only_if.map(OnlyIf::word)).collect();
        step(&request, Op::Time(key.to_owned(), TimeOp::Expire(time, only_if)))
    }
}
