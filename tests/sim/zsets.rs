//! Sorted sets: what the scripts do to them, and what the model says of it. All scores are whole numbers.

use std::collections::BTreeMap;

use rand::RngExt;

use crate::hashes::PACKED_FIELDS_MAX;
use crate::model::{Held, Keys, Op, WRONG_KIND, bulk, bulk_or_null, int};
use crate::script::{Author, Step, step};

/// Members with scores that one request of the scripts can hold.
const MEMBERS_MAX: usize = 7;

type Scores = BTreeMap<String, i64>;

/// What a request does to a sorted set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ZsetOp {
    Add(Vec<(String, i64)>),
    /// `ZADD GT CH`
    Raise(String, i64),
    Increase(String, i64),
    Remove([String; 2]),
    /// `ZPOPMIN`, or `ZPOPMAX` if it says so, with a count.
    Pop(bool, usize),
    /// `ZREMRANGEBYRANK`
    Cut(i64, i64),
    Len,
    Score(String),
    Rank(String),
    Range(i64, i64),
    /// `ZRANGEBYSCORE` with scores
    Between(i64, i64),
    Count(i64, i64),
}

impl ZsetOp {
    pub fn writes(&self) -> bool {
        use ZsetOp::{Add, Cut, Increase, Pop, Raise, Remove};
        matches!(self, Add(_) | Raise(..) | Increase(..) | Remove(_) | Pop(..) | Cut(..))
    }

    /// Does it to the sorted set of `key` and returns the reply.
    pub fn apply(&self, keys: &mut Keys, key: &str) -> String {
        let mut scores = match keys.get(key) {
            Some(Held::Scores(scores)) => scores.clone(),
            Some(_) => return WRONG_KIND.into(),
            None => Scores::new(),
        };
        let reply = self.reply(&mut scores);
        if scores.is_empty() {
            keys.remove(key);
        } else {
            keys.insert(key.to_owned(), Held::Scores(scores));
        }
        reply
    }

    fn reply(&self, scores: &mut Scores) -> String {
        let order = in_order(scores);
        match self {
            ZsetOp::Add(new) => {
                let before = scores.len();
                scores.extend(new.iter().cloned());
                int(scores.len() - before)
            }
            ZsetOp::Raise(member, score) => {
                let raised = scores.get(member).is_none_or(|before| before < score);
                if raised {
                    scores.insert(member.clone(), *score);
                }
                int(usize::from(raised))
            }
            ZsetOp::Increase(member, by) => {
                let score = scores.entry(member.clone()).or_default();
                *score += by;
                bulk(&score.to_string())
            }
            ZsetOp::Remove(names) => int(names.iter().filter(|name| scores.remove(*name).is_some()).count()),
            ZsetOp::Pop(highest, count) => {
                let popped: Vec<_> = if *highest {
                    order.into_iter().rev().take(*count).collect()
                } else {
                    order.into_iter().take(*count).collect()
                };
                for (_, member) in &popped {
                    scores.remove(member);
                }
                with_scores(&popped)
            }
            ZsetOp::Cut(start, stop) => {
                let cut = part(&order, *start, *stop);
                for (_, member) in &cut {
                    scores.remove(member);
                }
                int(cut.len())
            }
            ZsetOp::Len => int(scores.len()),
            ZsetOp::Score(member) => bulk_or_null(scores.get(member).map(i64::to_string).as_ref()),
            ZsetOp::Rank(member) => match order.iter().position(|(_, there)| there == member) {
                Some(rank) => int(rank),
                None => bulk_or_null(None),
            },
            ZsetOp::Range(start, stop) => {
                let shown = part(&order, *start, *stop);
                let members: String = shown.iter().map(|(_, member)| bulk(member)).collect();
                format!("*{}\r\n{members}", shown.len())
            }
            ZsetOp::Between(least, most) => {
                let within: Vec<_> =
                    order.into_iter().filter(|(score, _)| (least..=most).contains(&score)).collect();
                with_scores(&within)
            }
            ZsetOp::Count(least, most) => {
                int(scores.values().filter(|score| (least..=most).contains(score)).count())
            }
        }
    }
}

/// The members in the order of their scores, and those of equal scores in the order of their bytes.
fn in_order(scores: &Scores) -> Vec<(i64, String)> {
    let mut order: Vec<_> = scores.iter().map(|(member, score)| (*score, member.clone())).collect();
    order.sort();
    order
}

fn with_scores(shown: &[(i64, String)]) -> String {
    let all: String = shown.iter().map(|(score, member)| bulk(member) + &bulk(&score.to_string())).collect();
    format!("*{}\r\n{all}", 2 * shown.len())
}

/// The members from rank `start` to rank `stop`, which is included; negative ranks count from the end.
fn part(order: &[(i64, String)], start: i64, stop: i64) -> Vec<(i64, String)> {
    let len = order.len() as i64;
    let rank = |rank: i64| if rank < 0 { rank + len } else { rank };
    let (start, end) = (rank(start).max(0), (rank(stop) + 1).min(len));
    if start < end { order[start as usize..end as usize].to_vec() } else { Vec::new() }
}

impl Author<'_> {
    /// A key that nearly always holds a sorted set, or one that may hold anything.
    pub fn zset_key(&mut self) -> String {
        if self.rng.random_bool(0.3) {
            return self.key();
        }
        format!("{}:z{}", self.name, self.rng.random_range(0..2))
    }

    fn scored(&mut self) -> (String, i64) {
        let from = if self.rng.random_bool(0.3) { PACKED_FIELDS_MAX } else { 0 };
        (format!("m{}", from + self.rng.random_range(0..6)), self.rng.random_range(-9..20))
    }

    /// A command about a sorted set.
    pub fn zset_command(&mut self) -> Step {
        let (key, (member, score), (other, more)) = (self.zset_key(), self.scored(), self.scored());
        let (start, stop) = (self.rng.random_range(-4..4_i64), self.rng.random_range(-5..9_i64));
        let (number, from, to) = (score.to_string(), start.to_string(), stop.to_string());
        let wholes = if self.contents.modest { 0 } else { 3 };
        match self.rng.random_range(0..15 + wholes) {
            0..=2 => {
                // The same member twice would be a change even if nothing is different in the end.
                let other = if other == member { "other".to_owned() } else { other };
                let new = vec![(member.clone(), score), (other.clone(), more)];
                on_zset(&["ZADD", &key, &number, &member, &more.to_string(), &other], ZsetOp::Add(new))
            }
            3 => {
                let request = ["ZADD", &key, "GT", "CH", &number, &member];
                on_zset(&request, ZsetOp::Raise(member.clone(), score))
            }
            4 | 5 => {
                let op = ZsetOp::Increase(member.clone(), score);
                on_zset(&["ZINCRBY", &key, &number, &member], op)
            }
            6 | 7 => {
                let op = ZsetOp::Remove([member.clone(), "none".to_owned()]);
                on_zset(&["ZREM", &key, &member, "none"], op)
            }
            8 => {
                let (highest, count) = (self.rng.random_bool(0.5), self.rng.random_range(0..3_usize));
                let word = if highest { "ZPOPMAX" } else { "ZPOPMIN" };
                on_zset(&[word, &key, &count.to_string()], ZsetOp::Pop(highest, count))
            }
            9 if self.rng.random_bool(0.5) => {
                on_zset(&["ZREMRANGEBYRANK", &key, &from, &to], ZsetOp::Cut(start, stop))
            }
            9 | 10 => on_zset(&["ZCARD", &key], ZsetOp::Len),
            11 => on_zset(&["ZSCORE", &key, &member], ZsetOp::Score(member.clone())),
            12 | 13 => on_zset(&["ZRANK", &key, &member], ZsetOp::Rank(member.clone())),
            14 => on_zset(&["ZCOUNT", &key, &from, &to], ZsetOp::Count(start, stop)),
            15 | 16 => on_zset(&["ZRANGE", &key, &from, &to], ZsetOp::Range(start, stop)),
            _ => {
                let request = ["ZRANGEBYSCORE", &key, &from, &to, "WITHSCORES"];
                on_zset(&request, ZsetOp::Between(start, stop))
            }
        }
    }

    /// Gives a sorted set so many members that it gets a tree of several nodes.
    pub fn hoard_scores(&mut self, steps: &mut Vec<Step>) {
        let key = self.zset_key();
        for many in 0..=PACKED_FIELDS_MAX / MEMBERS_MAX {
            let new: Vec<(String, i64)> = (0..MEMBERS_MAX)
                .map(|nth| (format!("m{}", many * MEMBERS_MAX + nth), self.rng.random_range(-9..20)))
                .collect();
            let numbers: Vec<String> = new.iter().map(|(_, score)| score.to_string()).collect();
            let mut request = vec!["ZADD", &key];
            for ((member, _), number) in new.iter().zip(&numbers) {
                request.extend([number, member.as_str()]);
            }
            steps.push(on_zset(&request, ZsetOp::Add(new.clone())));
        }
    }
}

fn on_zset(request: &[&str], op: ZsetOp) -> Step {
    step(request, Op::Scores(request[1].to_owned(), op))
}
