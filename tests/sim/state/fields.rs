//! Fields of a hash that expire one by one. Each client has a hash of its own for them.

use rand::RngExt;

use super::brief::Lease;
use super::judge::{Answer, expect, judge};
use super::{Event, State, When};
use crate::frames::Frame;
use crate::model::{Op, bulk_or_null};
use crate::script::{Author, Step, step};

/// What a request does to the fields of the client's hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldOp {
    /// `HSET`, after which the field does not expire.
    Set(String, String),
    /// `HSETEX`, with milliseconds.
    SetBriefly(String, String, u64),
    /// `HPEXPIRE`, with milliseconds; if it has a condition, whether the field must expire already.
    Expire(String, u64, Option<bool>),
    Persist(String),
    /// `HPTTL`
    TimeLeft(String),
    Get(String),
    Delete(String),
    Len,
    /// `HGETALL`
    All,
}

impl FieldOp {
    pub fn writes(&self) -> bool {
        !matches!(self, FieldOp::TimeLeft(_) | FieldOp::Get(_) | FieldOp::Len | FieldOp::All)
    }
}

/// A field that may have expired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    value: String,
    /// When it expires; `None` if it does not.
    lease: Option<Lease>,
}

impl State {
    /// Runs a command about fields that may expire.
    pub(super) fn act_on_fields(
        &mut self,
        op: &FieldOp,
        input: &[u8],
        when: &When,
        events: &mut Vec<Event>,
    ) -> Answer {
        match op {
            FieldOp::Len => {
                let lives: Vec<_> = self.fields.keys().map(|field| self.field_lives(field, when)).collect();
                let least = lives.iter().filter(|lives| **lives == Some(true)).count() as i64;
                let most = lives.iter().filter(|lives| **lives != Some(false)).count() as i64;
                let wanted = format!("a number from {least} to {most}");
                judge(input, &wanted, |frame| matches!(frame, Frame::Int(n) if (least..=most).contains(n)))
            }
            FieldOp::All => judge(input, "a list of the fields that live", |frame| self.shows(frame, when)),
            FieldOp::Set(name, ..)
            | FieldOp::SetBriefly(name, ..)
            | FieldOp::Expire(name, ..)
            | FieldOp::Persist(name)
            | FieldOp::TimeLeft(name)
            | FieldOp::Get(name)
            | FieldOp::Delete(name) => {
                let lives = self.field_lives(name, when);
                let mut answer = Answer::Partial;
                // If it is open whether the field lives, the reply tells.
                for lives in [true, false].into_iter().filter(|is| lives.is_none_or(|lives| lives == *is)) {
                    let mut after = self.clone();
                    answer = after.act_on_field(op, name, lives, input, when);
                    if !matches!(answer, Answer::Wrong(_)) {
                        if !lives && self.fields.contains_key(name) {
                            events.push(Event::FieldExpired);
                        }
                        *self = after;
                        return answer;
                    }
                }
                answer
            }
        }
    }

    /// Runs a command about a field that lives or not.
    fn act_on_field(&mut self, op: &FieldOp, name: &str, lives: bool, input: &[u8], when: &When) -> Answer {
        let one = |number: i64| format!("*1\r\n:{number}\r\n");
        let field = self.fields.get(name).filter(|_| lives);
        let expires = field.is_some_and(|field| field.lease.is_some());
        let lease = |ms: u64| Lease::new(when, ms, self.executing);
        match op {
            FieldOp::Set(_, value) => {
                let field = Field { value: value.clone(), lease: None };
                self.fields.insert(name.to_owned(), field);
                expect(input, &format!(":{}\r\n", u8::from(!lives)))
            }
            FieldOp::SetBriefly(_, value, ms) => {
                let field = Field { value: value.clone(), lease: Some(lease(*ms)) };
                self.fields.insert(name.to_owned(), field);
                expect(input, ":1\r\n")
            }
            FieldOp::Expire(..) if !lives => expect(input, &one(-2)),
            FieldOp::Expire(_, _, Some(only_if)) if *only_if != expires => expect(input, &one(0)),
            FieldOp::Expire(_, ms, _) => {
                let lease = lease(*ms);
                self.fields.entry(name.to_owned()).and_modify(|field| field.lease = Some(lease));
                expect(input, &one(1))
            }
            FieldOp::Persist(_) if lives => {
                self.fields.entry(name.to_owned()).and_modify(|field| field.lease = None);
                expect(input, &one(if expires { 1 } else { -1 }))
            }
            FieldOp::Persist(_) => expect(input, &one(-2)),
            FieldOp::TimeLeft(_) => match field.map(|field| field.lease.as_ref()) {
                None => expect(input, &one(-2)),
                Some(None) => expect(input, &one(-1)),
                Some(Some(lease)) => {
                    let (least, most) = lease.time_left(when);
                    judge(
                        input,
                        &format!("a list of a time left from {least} to {most}"),
                        |frame| matches!(frame.items(), [Frame::Int(ms)] if (least..=most).contains(ms)),
                    )
                }
            },
            FieldOp::Get(_) => expect(input, &bulk_or_null(field.map(|field| &field.value))),
            FieldOp::Delete(_) => {
                self.fields.remove(name);
                expect(input, &format!(":{}\r\n", u8::from(lives)))
            }
            FieldOp::Len | FieldOp::All => unreachable!("they name no field"),
        }
    }

    /// Whether a field is there for a command that ran then; `None` if that is open.
    fn field_lives(&self, name: &str, when: &When) -> Option<bool> {
        let Some(field) = self.fields.get(name) else { return Some(false) };
        field.lease.as_ref().map_or(Some(true), |lease| lease.lives(when, self.executing))
    }

    /// True if a reply to `HGETALL` shows what lives, and nothing that does not.
    fn shows(&self, frame: &Frame, when: &When) -> bool {
        let mut shown = std::collections::BTreeMap::new();
        for pair in frame.items().chunks(2) {
            let [field, value] = pair else { return false };
            if shown.insert(field.text(), value.text()).is_some() {
                return false;
            }
        }
        let known = |name: &&str| self.fields.contains_key(*name);
        shown.keys().all(known)
            && self.fields.iter().all(|(name, field)| match self.field_lives(name, when) {
                Some(false) => !shown.contains_key(name.as_str()),
                Some(true) => shown.get(name.as_str()) == Some(&field.value.as_str()),
                None => shown.get(name.as_str()).is_none_or(|value| *value == field.value),
            })
    }
}

impl Author<'_> {
    /// A command about fields that expire.
    pub fn field_command(&mut self) -> Step {
        let key = format!("fields:{}", self.name);
        let (name, value) =
            (format!("f{}", self.rng.random_range(0..4)), self.rng.random_range(0..1_000).to_string());
        let ms = 1_u64 << self.rng.random_range(0..12);
        let time = ms.to_string();
        let (request, op): (Vec<&str>, FieldOp) = match self.rng.random_range(0..13) {
            0..2 => (vec!["HSET", &key, &name, &value], FieldOp::Set(name.clone(), value.clone())),
            2 => {
                let request = vec!["HSETEX", &key, "PX", &time, "FIELDS", "1", &name, &value];
                (request, FieldOp::SetBriefly(name.clone(), value.clone(), ms))
            }
            3..6 => {
                let only_if = [None, Some(true), Some(false)][self.rng.random_range(0..3)];
                let mut request = vec!["HPEXPIRE", &key, &time];
                request.extend(only_if.map(|expires| if expires { "XX" } else { "NX" }));
                request.extend(["FIELDS", "1", &name]);
                (request, FieldOp::Expire(name.clone(), ms, only_if))
            }
            6 => (vec!["HPERSIST", &key, "FIELDS", "1", &name], FieldOp::Persist(name.clone())),
            7 | 8 => (vec!["HPTTL", &key, "FIELDS", "1", &name], FieldOp::TimeLeft(name.clone())),
            9 => (vec!["HGET", &key, &name], FieldOp::Get(name.clone())),
            10 => (vec!["HDEL", &key, &name], FieldOp::Delete(name.clone())),
            11 => (vec!["HLEN", &key], FieldOp::Len),
            _ => (vec!["HGETALL", &key], FieldOp::All),
        };
        step(&request, Op::Field(op))
    }

    /// Works on fields that expire, in a transaction or not.
    pub fn dwell_on_fields(&mut self, steps: &mut Vec<Step>) {
        let whole = self.rng.random_bool(0.2);
        if whole {
            steps.push(step(&["MULTI"], Op::Multi));
        }
        for _ in 0..self.rng.random_range(1..8) {
            steps.push(self.field_command());
        }
        if whole {
            steps.push(step(&["EXEC"], Op::Exec));
        }
    }
}
