//! Sets: what the scripts do to them, and what the model says of it.

use std::collections::BTreeSet;

use rand::RngExt;

use crate::frames::Frame;
use crate::hashes::PACKED_FIELDS_MAX;
use crate::model::{Held, Keys, Op, WRONG_KIND, bulk, int};
use crate::script::{Author, Step, step};

/// Members that one request of the scripts can hold.
const MEMBERS_MAX: usize = 14;

type Members = BTreeSet<String>;

/// What a request does to a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetOp {
    Add(Vec<String>),
    Remove([String; 2]),
    Has([String; 2]),
    Len,
    /// `SMEMBERS`, whose order the model does not tell.
    All,
    /// `SSCAN` with a count that no set of the scripts reaches.
    Scan,
    /// `SPOP` with such a count: it takes all members.
    PopAll,
}

/// How two sets are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    Intersect,
    Unite,
    Subtract,
}

/// The members of `key`, none if there is no such key; `None` if it holds another kind.
fn members(keys: &Keys, key: &str) -> Option<Members> {
    match keys.get(key) {
        Some(Held::Members(members)) => Some(members.clone()),
        Some(_) => None,
        None => Some(Members::new()),
    }
}

/// Gives `key` these members.
fn put(keys: &mut Keys, key: &str, members: Members) {
    if members.is_empty() {
        keys.remove(key);
    } else {
        keys.insert(key.to_owned(), Held::Members(members));
    }
}

impl SetOp {
    pub fn writes(&self) -> bool {
        matches!(self, SetOp::Add(_) | SetOp::Remove(_) | SetOp::PopAll)
    }

    /// True if the key has changed, as the reply tells. `had` says whether there was a key.
    pub fn has_changed(&self, reply: &str, had: bool) -> bool {
        match self {
            SetOp::Add(_) | SetOp::Remove(_) => reply.starts_with(':') && reply != int(0),
            SetOp::PopAll => had && !reply.starts_with('-'),
            _ => false,
        }
    }

    /// Does it to the set of `key` and returns the reply. If [`shown`] has something for it, that is the reply instead.
    pub fn apply(&self, keys: &mut Keys, key: &str) -> String {
        let Some(mut members) = members(keys, key) else { return WRONG_KIND.into() };
        let reply = match self {
            SetOp::Add(new) => {
                let before = members.len();
                members.extend(new.iter().cloned());
                int(members.len() - before)
            }
            SetOp::Remove(names) => int(names.iter().filter(|member| members.remove(*member)).count()),
            SetOp::Has(names) => {
                let has: String = names.iter().map(|name| int(usize::from(members.contains(name)))).collect();
                format!("*{}\r\n{has}", names.len())
            }
            SetOp::Len => int(members.len()),
            SetOp::All => "*0\r\n".into(),
            SetOp::Scan => format!("*2\r\n{}*0\r\n", bulk("0")),
            SetOp::PopAll => {
                members.clear();
                "*0\r\n".into()
            }
        };
        put(keys, key, members);
        reply
    }
}

/// Moves a member from one set to another one, and returns the reply.
pub fn move_member(keys: &mut Keys, from: &str, to: &str, member: &str) -> String {
    if !keys.contains_key(from) {
        return int(0);
    }
    let (Some(mut source), Some(_)) = (members(keys, from), members(keys, to)) else {
        return WRONG_KIND.into();
    };
    let moved = source.remove(member);
    if moved && from != to {
        put(keys, from, source);
        let mut target = members(keys, to).unwrap_or_default();
        target.insert(member.to_owned());
        put(keys, to, target);
    }
    int(usize::from(moved))
}

/// Both sets combined; `None` if a key holds another kind.
fn combine(keys: &Keys, how: How, names: &[String; 2]) -> Option<Members> {
    let (one, other) = (members(keys, &names[0])?, members(keys, &names[1])?);
    Some(match how {
        How::Intersect => one.intersection(&other).cloned().collect(),
        How::Unite => one.union(&other).cloned().collect(),
        How::Subtract => one.difference(&other).cloned().collect(),
    })
}

/// Stores both sets combined, and returns the reply.
pub fn combine_into(keys: &mut Keys, how: How, to: &str, names: &[String; 2]) -> String {
    let Some(members) = combine(keys, how, names) else { return WRONG_KIND.into() };
    let reply = int(members.len());
    keys.remove(to);
    put(keys, to, members);
    reply
}

/// The members that the reply to `op` must show, in whichever order; `None` if its reply is another one.
pub fn shown(keys: &Keys, op: &Op) -> Option<Members> {
    match op {
        Op::Members(key, SetOp::All | SetOp::Scan | SetOp::PopAll) => {
            keys.get(key).and_then(|_| members(keys, key))
        }
        Op::Combine(how, names) => combine(keys, *how, names),
        _ => None,
    }
}

/// True if the reply to `op` shows these members.
pub fn shows(op: &Op, members: &Members, frame: &Frame) -> bool {
    let shown = match (op, frame.items()) {
        (Op::Members(_, SetOp::Scan), [cursor, shown]) if cursor.text() == "0" => shown.items(),
        (Op::Members(_, SetOp::Scan), _) => return false,
        (_, shown) => shown,
    };
    let found: Members = shown.iter().map(|member| member.text().to_owned()).collect();
    shown.len() == members.len() && found == *members
}

impl Author<'_> {
    /// A key that nearly always holds a set, or one that may hold anything.
    pub fn set_key(&mut self) -> String {
        if self.rng.random_bool(0.3) {
            return self.key();
        }
        format!("{}:s{}", self.name, self.rng.random_range(0..2))
    }

    fn member(&mut self) -> String {
        let from = if self.rng.random_bool(0.3) { PACKED_FIELDS_MAX } else { 0 };
        nth_member(from + self.rng.random_range(0..4))
    }

    /// A command about a set.
    pub fn set_command(&mut self) -> Step {
        let (key, other, member) = (self.set_key(), self.set_key(), self.member());
        let second = if self.rng.random_bool(0.2) { member.clone() } else { self.member() };
        let two = || [member.clone(), second.clone()];
        let how = [How::Intersect, How::Unite, How::Subtract][self.rng.random_range(0..3)];
        let wholes = if self.contents.modest { 0 } else { 4 };
        match self.rng.random_range(0..11 + wholes) {
            0..=2 => add(&key, two().into()),
            3 | 4 => on_set(&["SREM", &key, &member, &second], SetOp::Remove(two())),
            5 => on_set(&["SMISMEMBER", &key, &member, &second], SetOp::Has(two())),
            6 => on_set(&["SCARD", &key], SetOp::Len),
            7 | 8 => {
                let op = Op::MoveMember(key.clone(), other.clone(), member.clone());
                step(&["SMOVE", &key, &other, &member], op)
            }
            9 | 10 => {
                let (to, word) = (self.set_key(), ["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"][how as usize]);
                let op = Op::CombineInto(how, to.clone(), [key.clone(), other.clone()]);
                step(&[word, &to, &key, &other], op)
            }
            11 => on_set(&["SMEMBERS", &key], SetOp::All),
            12 => on_set(&["SSCAN", &key, "0", "COUNT", "1000"], SetOp::Scan),
            13 => on_set(&["SPOP", &key, "1000"], SetOp::PopAll),
            _ => {
                let word = ["SINTER", "SUNION", "SDIFF"][how as usize];
                step(&[word, &key, &other], Op::Combine(how, [key.clone(), other.clone()]))
            }
        }
    }

    /// Gives a set so many members that it gets a table of its own.
    pub fn hoard_members(&mut self, steps: &mut Vec<Step>) {
        let key = self.set_key();
        for many in 0..=PACKED_FIELDS_MAX / MEMBERS_MAX {
            let members = (0..MEMBERS_MAX).map(|nth| nth_member(many * MEMBERS_MAX + nth));
            steps.push(add(&key, members.collect()));
        }
    }
}

/// Every third member is an integer, which large sets keep in another form.
fn nth_member(nth: usize) -> String {
    if nth.is_multiple_of(3) { nth.to_string() } else { format!("m{nth}") }
}

fn add(key: &str, members: Vec<String>) -> Step {
    let mut request = vec!["SADD", key];
    request.extend(members.iter().map(String::as_str));
    on_set(&request, SetOp::Add(members.clone()))
}

fn on_set(request: &[&str], op: SetOp) -> Step {
    step(request, Op::Members(request[1].to_owned(), op))
}
