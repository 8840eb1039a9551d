//! Clients that keep copies of keys (`CLIENT TRACKING`), and what they must be told.
//!
//! Every value of these keys is written once. So two things show that a client hears of a change exactly when it must:
//! while it has heard nothing, its copy is what it reads again; once it has heard, it reads something else.

use std::collections::BTreeMap;

use rand::RngExt;

use super::State;
use super::judge::{Answer, expect, judge, nullable};
use crate::model::{OK, Op};
use crate::script::{Author, Step, ping, step};

/// With what the names of the keys begin.
const PREFIX: &str = "copied:";

/// What a client has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// To hear of the keys that it has read.
    Read,
    /// Only of those that it reads after `CLIENT CACHING YES`.
    OptIn,
    /// Of all keys with the prefix.
    Broadcast,
}

/// What a request does about copies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyOp {
    /// `CLIENT TRACKING ON`; with `NOLOOP` if it says so.
    Track(Mode, bool),
    /// `CLIENT TRACKING OFF`
    End,
    /// `CLIENT CACHING YES`
    Next,
    Get(String),
    Set(String, String),
    Delete(String),
}

impl CopyOp {
    pub fn writes(&self) -> bool {
        matches!(self, CopyOp::Set(..) | CopyOp::Delete(_))
    }
}

/// The copy of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Copy {
    value: Option<String>,
    /// The client was told that it is no longer true.
    is_old: bool,
    /// The server may have forgotten that the client has read the key.
    is_doubtful: bool,
}

/// The copies of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copies {
    /// What it has asked for, and whether it does not want to hear of its own changes.
    mode: Option<(Mode, bool)>,
    copies: BTreeMap<String, Copy>,
    /// The next read counts.
    next: bool,
    /// The key that it has just changed and must hear of before anything else.
    owed: Option<String>,
}

impl Copies {
    /// It may be told that keys have changed.
    pub fn is_on(&self) -> bool {
        self.mode.is_some()
    }

    /// What it must hear of before the next reply.
    pub fn owed(&self) -> Option<&String> {
        self.owed.as_ref()
    }

    /// The client is told that a key has changed.
    ///
    /// # Panics
    /// If it must not be told.
    pub fn hear(&mut self, name: usize, key: &str) {
        if let Some(owed) = self.owed.take() {
            assert_eq!(owed, key, "client {name} hears others before itself");
        }
        let broadcast = matches!(self.mode, Some((Mode::Broadcast, _))) && key.starts_with(PREFIX);
        match self.copies.get_mut(key) {
            Some(copy) if broadcast || !copy.is_old || copy.is_doubtful => {
                (copy.is_old, copy.is_doubtful) = (true, false);
            }
            _ => assert!(broadcast, "client {name} hears of {key}, which it does not keep"),
        }
    }

    /// The client is told that any key may have changed.
    pub fn doubt_all(&mut self) {
        self.owed = None;
        self.copies.values_mut().for_each(|copy| (copy.is_old, copy.is_doubtful) = (true, true));
    }

    /// Tracking has ended, or has begun anew: what the server remembers is open from now on.
    pub fn end(&mut self) {
        (self.mode, self.next) = (None, false);
        self.owed = None;
        for copy in self.copies.values_mut() {
            *copy = Copy { value: None, is_old: true, is_doubtful: true };
        }
    }

    /// The copies that are still true.
    pub fn true_ones(&self) -> impl Iterator<Item = (&String, &Option<String>)> {
        let copies = self.copies.iter().filter(|(_, copy)| self.is_on() && !copy.is_old);
        copies.map(|(key, copy)| (key, &copy.value))
    }

    /// The client has read a key. Returns false if it should have read something else.
    fn read(&mut self, key: &str, value: Option<String>) -> bool {
        let before = self.copies.get(key);
        let right = before.is_none_or(|copy| match copy {
            Copy { is_doubtful: true, .. } => true,
            Copy { is_old: false, .. } => copy.value == value,
            // Where nothing is there again, something may have been there in between.
            Copy { is_old: true, .. } => copy.value.is_none() || copy.value != value,
        });
        let counts = match self.mode {
            None => false,
            Some((Mode::OptIn, _)) => self.next,
            Some(_) => true,
        };
        self.next = false;
        if counts {
            self.copies.insert(key.to_owned(), Copy { value, is_old: false, is_doubtful: false });
        }
        right
    }

    /// The client has changed a key.
    fn write(&mut self, key: &str, value: Option<String>) {
        self.next = false;
        match self.mode {
            Some((Mode::Broadcast, false)) => self.owed = Some(key.to_owned()),
            Some((Mode::Broadcast, true)) => {
                self.copies.insert(key.to_owned(), Copy { value, is_old: false, is_doubtful: false });
            }
            Some((_, silent)) => {
                let is_known = self.copies.get(key).is_some_and(|copy| !copy.is_old);
                if is_known && !silent {
                    self.owed = Some(key.to_owned());
                } else if silent || self.copies.get(key).is_some_and(|copy| !copy.is_doubtful) {
                    // The server has forgotten who has read it.
                    self.copies.remove(key);
                }
            }
            None => {}
        }
    }
}

impl State {
    /// Runs a command about copies.
    pub(super) fn act_on_copies(&mut self, op: &CopyOp, input: &[u8]) -> Answer {
        match op {
            CopyOp::Track(mode, silent) => {
                self.copies.end();
                self.copies.mode = Some((*mode, *silent));
                expect(input, OK)
            }
            CopyOp::End => {
                self.copies.end();
                expect(input, OK)
            }
            CopyOp::Next => {
                self.copies.next = true;
                expect(input, OK)
            }
            CopyOp::Get(key) => {
                judge(input, "what the client knows, or something else if it was told of a change", |frame| {
                    self.copies.read(key, nullable(frame))
                })
            }
            CopyOp::Set(key, value) => {
                self.copies.write(key, Some(value.clone()));
                expect(input, OK)
            }
            CopyOp::Delete(key) => match expect(input, ":0\r\n") {
                Answer::Wrong(_) => {
                    self.copies.write(key, None);
                    expect(input, ":1\r\n")
                }
                answer => answer,
            },
        }
    }
}

impl Author<'_> {
    fn copied_key(&mut self) -> String {
        format!("{PREFIX}{}", self.rng.random_range(0..3))
    }

    /// Changes a key of which clients may keep copies.
    pub fn change_copied(&mut self) -> Step {
        let key = self.copied_key();
        if self.rng.random_bool(0.2) {
            return step(&["DEL", &key], Op::Cached(CopyOp::Delete(key.clone())));
        }
        let value = format!("{}.{}", self.name, self.rng.random_range(0..u64::MAX));
        step(&["SET", &key, &value], Op::Cached(CopyOp::Set(key.clone(), value.clone())))
    }

    /// Keeps copies of keys, and reads and changes them.
    pub fn cacher(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut mode = self.begin_tracking(&mut steps, true);
        for _ in 0..self.rng.random_range(10..80) {
            match self.rng.random_range(0..40) {
                0 => {
                    steps.push(step(&["CLIENT", "TRACKING", "OFF"], Op::Cached(CopyOp::End)));
                    mode = self.begin_tracking(&mut steps, false);
                }
                1 => {
                    steps.push(step(&["RESET"], Op::Reset));
                    mode = self.begin_tracking(&mut steps, true);
                }
                2..8 => steps.push(self.change_copied()),
                8..12 => steps.push(ping()),
                _ => {
                    if mode == Mode::OptIn && self.rng.random_bool(0.7) {
                        steps.push(step(&["CLIENT", "CACHING", "YES"], Op::Cached(CopyOp::Next)));
                    }
                    let key = self.copied_key();
                    steps.push(step(&["GET", &key], Op::Cached(CopyOp::Get(key.clone()))));
                }
            }
        }
        steps
    }

    fn begin_tracking(&mut self, steps: &mut Vec<Step>, greets: bool) -> Mode {
        if greets {
            steps.push(step(&["HELLO", "3"], Op::Hello));
        }
        let mode = [Mode::Read, Mode::Read, Mode::OptIn, Mode::Broadcast][self.rng.random_range(0..4)];
        let silent = self.rng.random_bool(0.3);
        let mut request = vec!["CLIENT", "TRACKING", "ON"];
        match mode {
            Mode::Read => {}
            Mode::OptIn => request.push("OPTIN"),
            Mode::Broadcast => request.extend(["BCAST", "PREFIX", PREFIX]),
        }
        request.extend(silent.then_some("NOLOOP"));
        steps.push(step(&request, Op::Cached(CopyOp::Track(mode, silent))));
        mode
    }
}
