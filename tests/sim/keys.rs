//! What the model knows of a client's keys: what each one holds, and when it expires. And the commands about keys of any
//! kind that are not in `model.rs`.

use std::collections::BTreeMap;
use std::ops::Deref;

use rand::RngExt;

use crate::frames::Frame;
use crate::model::{Held, Op, int, width};
use crate::script::{Author, Step, step};
use crate::times::End;

/// Fields, members or scores up to which `OBJECT ENCODING` says listpack, if none is longer than so many bytes.
const PACKED_MAX: usize = 128;
const PACKED_BYTES_MAX: usize = 64;
/// Members up to which it says that a set of integers is an intset.
const INTSET_MAX: usize = 512;
/// A list of fewer bytes is certainly a listpack, and one of more is certainly none.
const LISTPACK_BYTES: [usize; 2] = [6 << 10, 8 << 10];
/// Longest string that is embedded, bytes.
const EMBEDDED_MAX: usize = 44;

/// One client's keys: no two clients share any.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keys {
    held: BTreeMap<String, Held>,
    /// When those expire that do.
    ends: BTreeMap<String, End>,
}

impl Deref for Keys {
    type Target = BTreeMap<String, Held>;

    fn deref(&self) -> &BTreeMap<String, Held> {
        &self.held
    }
}

impl Keys {
    /// Lets a key hold this. If it was there, it expires when it would have expired.
    pub fn insert(&mut self, key: String, held: Held) {
        self.held.insert(key, held);
    }

    /// What the key has held, if it was there. When it would have expired is forgotten.
    pub fn remove(&mut self, key: &str) -> Option<Held> {
        self.ends.remove(key);
        self.held.remove(key)
    }

    /// When a key expires, if it does.
    pub fn end(&self, key: &str) -> Option<End> {
        self.ends.get(key).copied()
    }

    /// Lets a key that is there expire then, or never.
    pub fn set_end(&mut self, key: &str, end: Option<End>) {
        match end {
            Some(end) => drop(self.ends.insert(key.to_owned(), end)),
            None => drop(self.ends.remove(key)),
        }
    }

    /// Gives what a key holds, and when it expires, to another key.
    pub fn copy(&mut self, from: &str, to: &str) {
        let (held, end) = (self.held.get(from).cloned(), self.end(from));
        self.remove(to);
        if let Some(held) = held {
            self.insert(to.to_owned(), held);
            self.set_end(to, end);
        }
    }

    /// The same keys under other names. `None` stands for a key that is gone.
    pub fn renamed(&self, name: impl Fn(&str) -> Option<String>) -> Keys {
        let named = |key: &String| name(key);
        let held = self.held.iter().filter_map(|(key, held)| Some((named(key)?, held.clone())));
        let ends = self.ends.iter().filter_map(|(key, end)| Some((named(key)?, *end)));
        Keys { held: held.collect(), ends: ends.collect() }
    }

    /// True if a server that has stored exactly these keys is right.
    pub fn are(&self, stored: &Keys) -> bool {
        let same_names = self.ends.len() == stored.ends.len();
        let fits = |(key, end): (&String, &End)| stored.end(key).is_some_and(|stored| end.fits(stored.ms));
        self.held == stored.held && same_names && self.ends.iter().all(fits)
    }
}

/// `RENAMENX`
pub fn rename_new(keys: &mut Keys, from: &str, to: &str) -> String {
    if !keys.contains_key(from) {
        return "-ERR no such key\r\n".into();
    }
    let free = !keys.contains_key(to);
    if free {
        keys.copy(from, to);
        keys.remove(from);
    }
    int(usize::from(free))
}

/// What `OBJECT ENCODING` may say of a key that holds this. Where a list becomes too long for a listpack is not in the model.
pub fn encodings(held: &Held) -> &'static [&'static str] {
    let is_integer = |text: &String| text.parse::<i64>().is_ok_and(|number| number.to_string() == *text);
    let short = |text: &String| width(text) <= PACKED_BYTES_MAX;
    match held {
        Held::Text(text) if is_integer(text) => &["int"],
        Held::Text(text) if width(text) <= EMBEDDED_MAX => &["embstr"],
        Held::Text(_) => &["raw"],
        Held::Fields(all)
            if all.len() <= PACKED_MAX && all.iter().all(|(field, value)| short(field) && short(value)) =>
        {
            &["listpack"]
        }
        Held::Members(all) if all.len() <= INTSET_MAX && all.iter().all(is_integer) => &["intset"],
        Held::Members(all) if all.len() <= PACKED_MAX && all.iter().all(short) => &["listpack"],
        Held::Fields(_) | Held::Members(_) => &["hashtable"],
        Held::Scores(all) if all.len() <= PACKED_MAX && all.keys().all(short) => &["listpack"],
        Held::Scores(_) => &["skiplist"],
        Held::Stream(_) => &["stream"],
        Held::Elements(all) => {
            let bytes: usize = all.iter().map(|element| width(element)).sum();
            match bytes {
                _ if bytes + 4 * all.len() < LISTPACK_BYTES[0] => &["listpack"],
                _ if bytes > LISTPACK_BYTES[1] => &["quicklist"],
                _ => &["listpack", "quicklist"],
            }
        }
    }
}

/// True if this may be the reply to `RANDOMKEY` in database `db`, in which this client's keys have this prefix: one of them is
/// there, and others' keys may be.
pub fn may_be_any(keys: &Keys, db: u16, prefix: &str, frame: &Frame) -> bool {
    let there = |name: &str| crate::model::elsewhere(db, name);
    match frame {
        Frame::Text(name) => !name.starts_with(prefix) || keys.contains_key(&there(name)),
        Frame::Null => !keys.keys().any(|key| key.starts_with(&there(prefix))),
        _ => false,
    }
}

/// What `SCAN` with `TYPE` calls what a key holds.
pub fn kind(held: &Held) -> &'static str {
    match held {
        Held::Text(_) => "string",
        Held::Fields(_) => "hash",
        Held::Members(_) => "set",
        Held::Elements(_) => "list",
        Held::Scores(_) => "zset",
        Held::Stream(_) => "stream",
    }
}

impl Author<'_> {
    /// A command about keys of any kind.
    pub fn key_command(&mut self) -> Step {
        let (key, other, third) = (self.any_key(), self.any_key(), self.any_key());
        match self.rng.random_range(0..8) {
            0..3 => {
                let short = self.rng.random_bool(0.3);
                let [from, to] = [(); 2].map(|()| if short { self.short_key() } else { self.key() });
                step(&["RENAMENX", &from, &to], Op::RenameNew(from.clone(), to.clone()))
            }
            3 | 4 => {
                let names = [key, other, third];
                step(&["TOUCH", &names[0], &names[1], &names[2]], Op::Touch(names.clone()))
            }
            5 | 6 => step(&["OBJECT", "ENCODING", &key], Op::Encoding(key.clone())),
            _ => step(&["RANDOMKEY"], Op::AnyKey(0, format!("{}:", self.name))),
        }
    }

    /// A key of any kind, or none.
    pub fn any_key(&mut self) -> String {
        match self.rng.random_range(0..8) {
            0 => self.set_key(),
            1 => self.list_key(),
            2 => format!("{}:x{}", self.name, self.rng.random_range(0..2)),
            3 | 4 => self.short_key(),
            _ => self.key(),
        }
    }
}
