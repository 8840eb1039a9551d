//! Lists: what the scripts do to them, and what the model says of it.

use std::collections::VecDeque;

use rand::RngExt;

use crate::model::{BULK_MAX, Held, Keys, OK, Op, WRONG_KIND, bulk, bulk_or_null, int};
use crate::script::{Author, Step, step};

/// A list of more bytes than this certainly has several nodes.
pub const NODE_BYTES: usize = 8 << 10;

type Elements = VecDeque<String>;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Left,
    Right,
}

/// What a request does to a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListOp {
    Push(End, Vec<String>),
    /// The same, only if there is a list.
    PushMore(End, String),
    Pop(End),
    PopMany(End, usize),
    Len,
    Index(i64),
    Range(i64, i64),
    SetAt(i64, String),
    Trim(i64, i64),
    /// Behind the pivot if it says so; the pivot, and what is inserted.
    Insert(bool, String, String),
    /// How many, as `LREM` counts them, and what they equal.
    Remove(i64, String),
    Position(String),
}

impl ListOp {
    pub fn writes(&self) -> bool {
        !matches!(self, ListOp::Len | ListOp::Index(_) | ListOp::Range(..) | ListOp::Position(_))
    }

    /// True if the key has changed, as the reply tells. `had` says whether there was a key.
    pub fn has_changed(&self, reply: &str, had: bool) -> bool {
        match self {
            ListOp::Push(..) | ListOp::SetAt(..) => !reply.starts_with('-'),
            ListOp::PushMore(..) | ListOp::Insert(..) | ListOp::Remove(..) => {
                reply.starts_with(':') && reply != int(0) && reply != ":-1\r\n"
            }
            op => op.writes() && had && !reply.starts_with('-'),
        }
    }

    /// Does it to the list of `key` and returns the reply.
    pub fn apply(&self, keys: &mut Keys, key: &str) -> String {
        let mut list = match keys.get(key) {
            Some(Held::Elements(list)) => list.clone(),
            Some(_) => return WRONG_KIND.into(),
            None => Elements::new(),
        };
        let reply = self.reply(&mut list);
        put(keys, key, list);
        reply
    }

    fn reply(&self, list: &mut Elements) -> String {
        match self {
            ListOp::PushMore(..) if list.is_empty() => int(0),
            ListOp::Push(end, new) => {
                new.iter().for_each(|element| push(list, *end, element.clone()));
                int(list.len())
            }
            ListOp::PushMore(end, new) => {
                push(list, *end, new.clone());
                int(list.len())
            }
            ListOp::Pop(end) => bulk_or_null(pop(list, *end).as_ref()),
            ListOp::PopMany(..) if list.is_empty() => "*-1\r\n".into(),
            ListOp::PopMany(end, count) => {
                let popped: Vec<String> = (0..*count).map_while(|_| pop(list, *end)).collect();
                array(popped.iter())
            }
            ListOp::Len => int(list.len()),
            ListOp::Index(index) => bulk_or_null(position(*index, list.len()).map(|at| &list[at])),
            ListOp::Range(start, stop) => {
                let (start, end) = part(*start, *stop, list.len());
                array(list.range(start..end))
            }
            ListOp::SetAt(..) if list.is_empty() => "-ERR no such key\r\n".into(),
            ListOp::SetAt(index, element) => match position(*index, list.len()) {
                Some(at) => {
                    list[at].clone_from(element);
                    OK.into()
                }
                None => "-ERR index out of range\r\n".into(),
            },
            ListOp::Trim(start, stop) => {
                let (start, end) = part(*start, *stop, list.len());
                list.truncate(end);
                list.drain(..start);
                OK.into()
            }
            ListOp::Insert(..) if list.is_empty() => int(0),
            ListOp::Insert(behind, pivot, element) => match list.iter().position(|there| there == pivot) {
                Some(at) => {
                    list.insert(at + usize::from(*behind), element.clone());
                    int(list.len())
                }
                None => ":-1\r\n".into(),
            },
            ListOp::Remove(count, element) => int(remove(list, *count, element)),
            ListOp::Position(element) => match list.iter().position(|there| there == element) {
                Some(at) => int(at),
                None => bulk_or_null(None),
            },
        }
    }
}

/// Moves an element from an end of one list to an end of another one, and returns the reply.
pub fn move_element(keys: &mut Keys, [from, to]: [&str; 2], [out, into]: [End; 2]) -> String {
    let mut source = match keys.get(from) {
        Some(Held::Elements(list)) => list.clone(),
        Some(_) => return WRONG_KIND.into(),
        None => return bulk_or_null(None),
    };
    if !matches!(keys.get(to), None | Some(Held::Elements(_))) {
        return WRONG_KIND.into();
    }
    let element = pop(&mut source, out).expect("a list has elements");
    let end = keys.end(from);
    put(keys, from, source);
    let mut target = match keys.get(to) {
        Some(Held::Elements(list)) => list.clone(),
        _ => Elements::new(),
    };
    push(&mut target, into, element.clone());
    put(keys, to, target);
    if from == to {
        // It was never empty.
        keys.set_end(to, end);
    }
    bulk(&element)
}

/// Gives `key` these elements.
fn put(keys: &mut Keys, key: &str, list: Elements) {
    if list.is_empty() {
        keys.remove(key);
    } else {
        keys.insert(key.to_owned(), Held::Elements(list));
    }
}

fn push(list: &mut Elements, end: End, element: String) {
    match end {
        End::Left => list.push_front(element),
        End::Right => list.push_back(element),
    }
}

fn pop(list: &mut Elements, end: End) -> Option<String> {
    match end {
        End::Left => list.pop_front(),
        End::Right => list.pop_back(),
    }
}

fn remove(list: &mut Elements, count: i64, element: &str) -> usize {
    let equal = (0..list.len()).filter(|at| list[*at] == element);
    let mut equal: Vec<usize> = if count < 0 { equal.rev().collect() } else { equal.collect() };
    if count != 0 {
        equal.truncate(count.unsigned_abs() as usize);
    }
    equal.sort_unstable();
    equal.iter().rev().for_each(|at| drop(list.remove(*at)));
    equal.len()
}

fn array<'a>(elements: impl ExactSizeIterator<Item = &'a String>) -> String {
    let len = elements.len();
    elements.fold(format!("*{len}\r\n"), |reply, element| reply + &bulk(element))
}

/// The position that `index` names.
fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index + len as i64 } else { index };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// The part from `start` to `stop`, which is included: its first position, and the one behind its last.
fn part(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let absolute = |index: i64| if index < 0 { index + len as i64 } else { index };
    let (start, end) = (absolute(start).max(0) as usize, (absolute(stop) + 1).clamp(0, len as i64) as usize);
    if start < end { (start, end) } else { (0, 0) }
}

impl Author<'_> {
    /// A key that nearly always holds a list, or one that may hold anything.
    pub fn list_key(&mut self) -> String {
        if self.rng.random_bool(0.3) {
            return self.key();
        }
        format!("{}:l{}", self.name, self.rng.random_range(0..2))
    }

    /// One of a few elements, so that they repeat; sometimes any value.
    fn element(&mut self) -> String {
        if self.rng.random_bool(0.2) { self.value() } else { format!("e{}", self.rng.random_range(0..4)) }
    }

    fn end(&mut self) -> End {
        if self.rng.random_bool(0.5) { End::Left } else { End::Right }
    }

    /// A command about a list.
    pub fn list_command(&mut self) -> Step {
        let (key, element, end) = (self.list_key(), self.element(), self.end());
        let side = ["L", "R"][end as usize];
        let (start, stop) = (self.rng.random_range(-3..3_i64), self.rng.random_range(-4..9_i64));
        let (from, to) = (start.to_string(), stop.to_string());
        let wholes = if self.contents.modest { 0 } else { 2 };
        match self.rng.random_range(0..18 + wholes) {
            0..=2 => {
                let request = [&format!("{side}PUSH"), key.as_str(), &element, "e1", "e2"];
                on_list(&request, ListOp::Push(end, vec![element.clone(), "e1".into(), "e2".into()]))
            }
            3 => on_list(&[&format!("{side}PUSHX"), &key, &element], ListOp::PushMore(end, element.clone())),
            4 | 5 => on_list(&[&format!("{side}POP"), &key], ListOp::Pop(end)),
            6 => on_list(&[&format!("{side}POP"), &key, "2"], ListOp::PopMany(end, 2)),
            7 => on_list(&["LLEN", &key], ListOp::Len),
            8 => on_list(&["LINDEX", &key, &from], ListOp::Index(start)),
            9 | 10 => on_list(&["LSET", &key, &from, &element], ListOp::SetAt(start, element.clone())),
            11 if self.rng.random_bool(0.5) => {
                on_list(&["LTRIM", &key, &from, &to], ListOp::Trim(start, stop))
            }
            11 => on_list(&["LPOS", &key, &element], ListOp::Position(element.clone())),
            12 | 13 => {
                let (behind, pivot) = (self.rng.random_bool(0.5), self.element());
                let word = if behind { "AFTER" } else { "BEFORE" };
                let op = ListOp::Insert(behind, pivot.clone(), element.clone());
                on_list(&["LINSERT", &key, word, &pivot, &element], op)
            }
            14 | 15 => on_list(&["LREM", &key, &from, &element], ListOp::Remove(start, element.clone())),
            16 | 17 => self.move_element(&key),
            _ => on_list(&["LRANGE", &key, &from, &to], ListOp::Range(start, stop)),
        }
    }

    fn move_element(&mut self, from: &str) -> Step {
        let to = if self.rng.random_bool(0.3) { from.to_owned() } else { self.list_key() };
        let ends = [self.end(), self.end()];
        let words = ends.map(|end| ["LEFT", "RIGHT"][end as usize]);
        let op = Op::MoveElement([from.to_owned(), to.clone()], ends);
        step(&["LMOVE", from, &to, words[0], words[1]], op)
    }

    /// Gives a list so many bytes that it gets several nodes, and then works on the places where these meet.
    pub fn hoard_elements(&mut self, steps: &mut Vec<Step>) {
        let key = self.list_key();
        let long = "v".repeat(BULK_MAX - 50);
        let name = |nth: usize| format!("e{}", nth % 4);
        for nth in 0..=NODE_BYTES / long.len() + 1 {
            let (end, word) = if nth % 3 == 0 { (End::Left, "LPUSH") } else { (End::Right, "RPUSH") };
            let op = ListOp::Push(end, vec![name(nth), long.clone()]);
            steps.push(on_list(&[word, &key, &name(nth), &long], op));
        }
        for _ in 0..self.rng.random_range(0..12) {
            let (pivot, behind) = (name(self.rng.random_range(0..4)), self.rng.random_bool(0.5));
            let at = self.rng.random_range(-9..9_i64);
            steps.push(match self.rng.random_range(0..6) {
                0..3 => {
                    let word = if behind { "AFTER" } else { "BEFORE" };
                    let op = ListOp::Insert(behind, pivot.clone(), long.clone());
                    on_list(&["LINSERT", &key, word, &pivot, &long], op)
                }
                3 => on_list(&["LREM", &key, &at.to_string(), &pivot], ListOp::Remove(at, pivot.clone())),
                4 => on_list(&["LSET", &key, &at.to_string(), &pivot], ListOp::SetAt(at, pivot.clone())),
                _ => self.move_element(&key),
            });
        }
    }

    /// Works on sets or lists, in a transaction or not.
    pub fn dwell_on_sets_and_lists(&mut self, steps: &mut Vec<Step>) {
        let sets = self.rng.random_bool(0.4);
        if self.rng.random_bool(0.06) {
            return if sets { self.hoard_members(steps) } else { self.hoard_elements(steps) };
        }
        let keys = [(); 2].map(|()| if sets { self.set_key() } else { self.list_key() });
        let command = if sets { Self::set_command } else { Self::list_command };
        self.work_on(keys, command, steps);
    }
}

fn on_list(request: &[&str], op: ListOp) -> Step {
    step(request, Op::Elements(request[1].to_owned(), op))
}
