//! Hashes: what the scripts do to them, and what the model says of it.

use std::collections::BTreeMap;

use rand::RngExt;

use crate::frames::Frame;
use crate::model::{Held, Keys, Op, WRONG_KIND, bulk, bulk_or_null, int};
use crate::script::{Author, Step, step};

/// A hash of more fields than this has a table of its own.
pub const PACKED_FIELDS_MAX: usize = 128;
/// Pairs of field and value that one request of the scripts can hold.
const PAIRS_MAX: usize = 7;

/// What a request does to a hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HashOp {
    Set(Vec<(String, String)>),
    SetNew(String, String),
    Get(String),
    Delete([String; 2]),
    Add(String, i64),
    Len,
    /// `HGETALL`, whose order the model does not tell.
    All,
    /// `HSCAN` with a count that no hash of the scripts reaches.
    Scan,
}

impl HashOp {
    pub fn writes(&self) -> bool {
        matches!(self, HashOp::Set(_) | HashOp::SetNew(..) | HashOp::Delete(_) | HashOp::Add(..))
    }

    /// True if the key has changed, as the reply tells.
    pub fn has_changed(&self, reply: &str) -> bool {
        match self {
            HashOp::SetNew(..) | HashOp::Delete(_) => reply.starts_with(':') && reply != int(0),
            op => op.writes() && !reply.starts_with('-'),
        }
    }

    /// Does it to the hash of `key` and returns the reply. For `All` and `Scan` the reply is right only if the key has
    /// no fields.
    pub fn apply(&self, keys: &mut Keys, key: &str) -> String {
        let mut fields = match keys.get(key) {
            Some(Held::Fields(fields)) => fields.clone(),
            Some(_) => return WRONG_KIND.into(),
            None => BTreeMap::new(),
        };
        let reply = match self {
            HashOp::Set(pairs) => {
                let before = fields.len();
                fields.extend(pairs.iter().cloned());
                int(fields.len() - before)
            }
            HashOp::SetNew(field, value) => {
                let new = !fields.contains_key(field);
                fields.entry(field.clone()).or_insert_with(|| value.clone());
                int(usize::from(new))
            }
            HashOp::Get(field) => bulk_or_null(fields.get(field)),
            HashOp::Delete(names) => {
                int(names.iter().filter(|field| fields.remove(*field).is_some()).count())
            }
            HashOp::Add(field, by) => add(&mut fields, field, *by),
            HashOp::Len => int(fields.len()),
            HashOp::All => "*0\r\n".into(),
            HashOp::Scan => format!("*2\r\n{}*0\r\n", bulk("0")),
        };
        if fields.is_empty() {
            keys.remove(key);
        } else {
            keys.insert(key.to_owned(), Held::Fields(fields));
        }
        reply
    }

    /// True if a reply to `All` or `Scan` shows these fields, in whichever order.
    pub fn shows(&self, fields: &BTreeMap<String, String>, frame: &Frame) -> bool {
        let shown = match (self, frame.items()) {
            (HashOp::Scan, [cursor, shown]) if cursor.text() == "0" => shown.items(),
            (HashOp::All, shown) => shown,
            _ => return false,
        };
        let pairs = shown.chunks(2).filter_map(|pair| match pair {
            [field, value] => Some((field.text().to_owned(), value.text().to_owned())),
            _ => None,
        });
        shown.len() == fields.len() * 2 && pairs.collect::<BTreeMap<_, _>>() == *fields
    }
}

fn add(fields: &mut BTreeMap<String, String>, field: &str, by: i64) -> String {
    let number = |text: &String| text.parse::<i64>().ok().filter(|number| number.to_string() == *text);
    match fields.get(field).map_or(Some(0), number) {
        None => "-ERR hash value is not an integer\r\n".into(),
        Some(before) => {
            fields.insert(field.to_owned(), (before + by).to_string());
            format!(":{}\r\n", before + by)
        }
    }
}

impl Author<'_> {
    fn field(&mut self) -> String {
        let from = if self.rng.random_bool(0.3) { PACKED_FIELDS_MAX } else { 0 };
        format!("f{}", from + self.rng.random_range(0..6))
    }

    /// A command about a hash, under a key that may hold a string.
    pub fn hash_command(&mut self) -> Step {
        let (key, field, value) = (self.key(), self.field(), self.value());
        let other = if self.rng.random_bool(0.2) { field.clone() } else { self.field() };
        let wholes = if self.contents.modest { 0 } else { 2 };
        match self.rng.random_range(0..10 + wholes) {
            0..=2 => {
                let pairs = vec![(field, value), (other, "7".to_owned())];
                hash_set(&key, pairs)
            }
            3 => on_hash(&["HSETNX", &key, &field, &value], HashOp::SetNew(field.clone(), value.clone())),
            4 | 5 => on_hash(&["HGET", &key, &field], HashOp::Get(field.clone())),
            6 => on_hash(&["HDEL", &key, &field, &other], HashOp::Delete([field.clone(), other.clone()])),
            7 | 8 => {
                let by = self.rng.random_range(-5..1000_i64);
                on_hash(&["HINCRBY", &key, &field, &by.to_string()], HashOp::Add(field.clone(), by))
            }
            9 => on_hash(&["HLEN", &key], HashOp::Len),
            10 => on_hash(&["HGETALL", &key], HashOp::All),
            _ => on_hash(&["HSCAN", &key, "0", "COUNT", "1000"], HashOp::Scan),
        }
    }

    /// Works on hashes, in a transaction or not.
    pub fn dwell_on_hashes(&mut self, steps: &mut Vec<Step>) {
        if self.rng.random_bool(0.1) {
            return self.hoard(steps);
        }
        let watched = self.rng.random_bool(0.4).then(|| self.key());
        if let Some(key) = &watched {
            steps.push(step(&["WATCH", key], Op::Watch(key.clone())));
            steps.push(self.hash_command());
            steps.push(step(&["MULTI"], Op::Multi));
        }
        steps.push(self.hash_command());
        if watched.is_some() {
            steps.push(step(&["EXEC"], Op::Exec));
        }
    }

    /// Gives a hash so many fields that it gets a table of its own, and then works on some of them.
    pub fn hoard(&mut self, steps: &mut Vec<Step>) {
        let key = self.key();
        for many in 0..=PACKED_FIELDS_MAX / PAIRS_MAX {
            let pairs = (0..PAIRS_MAX).map(|nth| (format!("f{}", many * PAIRS_MAX + nth), "v".to_owned()));
            steps.push(hash_set(&key, pairs.collect()));
        }
        for _ in 0..self.rng.random_range(0..12) {
            steps.push(self.hash_command());
        }
    }
}

fn hash_set(key: &str, pairs: Vec<(String, String)>) -> Step {
    let mut request = vec!["HSET", key];
    pairs.iter().for_each(|(field, value)| request.extend([field.as_str(), value]));
    on_hash(&request, HashOp::Set(pairs.clone()))
}

fn on_hash(request: &[&str], op: HashOp) -> Step {
    step(request, Op::Hash(request[1].to_owned(), op))
}
