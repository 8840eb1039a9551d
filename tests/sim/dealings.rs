//! The parts of the scripts in which clients deal with each other, with the clock, or in transactions.

use rand::RngExt;

use crate::model::{OK, Op, SHARED, TWINS};
use crate::script::{Author, Step, ping, says, step, words};

/// Ids of clients that scripts close: those that most runs have.
const KILLED_MAX: u64 = 8;

impl Author<'_> {
    /// One of them.
    pub fn dealings(&mut self, steps: &mut Vec<Step>) {
        if (self.contents.kills || self.contents.pauses) && self.rng.random_bool(0.3) {
            return self.operate(steps);
        }
        match self.rng.random_range(0..20) {
            0..5 => self.transaction(steps),
            5..8 => self.briefly(steps),
            8..12 => steps.push(self.publish()),
            12..15 => self.contend(steps),
            15 => self.write_twins(steps),
            16 => steps.push(step(&[&["MGET"], &TWINS[..]].concat(), Op::GetTwins)),
            _ => self.operate(steps),
        }
    }

    fn transaction(&mut self, steps: &mut Vec<Step>) {
        if self.rng.random_bool(0.5) {
            let brief = self.rng.random_bool(0.4);
            let key = if brief { self.brief_key() } else { self.key() };
            if brief && self.rng.random_bool(0.7) {
                let ms = 1 << self.rng.random_range(0..6);
                steps.push(self.set_brief(&key, ms, false));
            }
            steps.push(step(&["WATCH", &key], Op::Watch(key.clone())));
            if self.rng.random_bool(0.3) {
                steps.push(self.command());
            }
            if self.rng.random_bool(0.3) {
                steps.push(step(&["MULTI"], Op::Multi));
                steps.push(step(&["DISCARD"], Op::Discard));
                steps.push(self.command());
            }
        }
        steps.push(step(&["MULTI"], Op::Multi));
        for _ in 0..self.rng.random_range(0..5) {
            steps.push(match self.rng.random_range(0..12) {
                0 => self.refused(),
                1 => ping(),
                _ => self.command(),
            });
        }
        if self.rng.random_bool(0.2) {
            // Within a transaction time stands still.
            let key = self.brief_key();
            steps.push(self.set_brief(&key, 1, false));
            steps.push(step(&["GET", &key], Op::GetBrief(key.clone())));
        }
        steps.push(match self.rng.random_range(0..8) {
            0 => step(&["DISCARD"], Op::Discard),
            1 => step(&["RESET"], Op::Reset),
            _ => step(&["EXEC"], Op::Exec),
        });
    }

    /// What is refused before it runs, and a transaction with it.
    fn refused(&mut self) -> Step {
        says(words(&["GET"]), "-ERR wrong number of arguments for 'get' command\r\n")
    }

    fn brief_key(&mut self) -> String {
        format!("brief:{}:{}", self.name, self.rng.random_range(0..2))
    }

    fn set_brief(&mut self, key: &str, ms: u64, only_new: bool) -> Step {
        let value = self.rng.random_range(0..1_000).to_string();
        let (time, op) = (ms.to_string(), Op::SetBrief(key.to_owned(), value.clone(), ms, only_new));
        let request = ["SET", key, &value, "PX", &time, "NX"];
        step(&request[..if only_new { 6 } else { 5 }], op)
    }

    fn briefly(&mut self, steps: &mut Vec<Step>) {
        let key = self.brief_key();
        let (ms, only_new) = (1 << self.rng.random_range(0..9), self.rng.random_bool(0.3));
        steps.push(self.set_brief(&key, ms, only_new));
        for _ in 0..self.rng.random_range(0..4) {
            steps.push(match self.rng.random_range(0..3) {
                0 => self.command(),
                1 => step(&["GET", &key], Op::GetBrief(key.clone())),
                _ => step(&["PTTL", &key], Op::TimeLeft(key.clone())),
            });
        }
    }

    fn message(&mut self) -> String {
        let len = if self.rng.random_bool(0.3) { 300 } else { self.rng.random_range(0..30) };
        // Nobody else says the same, and the client says it once.
        format!("{}.{}{}", self.name, self.rng.random_range(0..u64::MAX), "!".repeat(len))
    }

    fn channel(&mut self) -> String {
        format!("c{}", self.rng.random_range(0..3))
    }

    pub fn publish(&mut self) -> Step {
        let (channel, message) = (self.channel(), self.message());
        step(&["PUBLISH", &channel, &message], Op::Publish(channel.clone(), message.clone()))
    }

    /// Writes the shared key, or tries to on the condition that nobody else does.
    fn contend(&mut self, steps: &mut Vec<Step>) {
        let value = self.message();
        let set = step(&["SET", SHARED, &value, "GET"], Op::SetShared(value.clone()));
        if self.rng.random_bool(0.3) {
            return steps.push(set);
        }
        steps.push(step(&["GET", SHARED], Op::GetShared));
        steps.push(step(&["WATCH", SHARED], Op::Watch(SHARED.into())));
        steps.push(step(&["GET", SHARED], Op::GetShared));
        for _ in 0..self.rng.random_range(0..3) {
            steps.push(self.command());
        }
        steps.push(step(&["MULTI"], Op::Multi));
        steps.push(set);
        steps.push(step(&["EXEC"], Op::Exec));
    }

    fn write_twins(&mut self, steps: &mut Vec<Step>) {
        let value = self.message();
        steps.push(step(&["MULTI"], Op::Multi));
        for (nth, key) in TWINS.iter().enumerate() {
            steps.push(step(&["SET", key, &value], Op::SetTwin(nth, value.clone())));
        }
        steps.push(step(&["EXEC"], Op::Exec));
    }

    /// What an operator does.
    fn operate(&mut self, steps: &mut Vec<Step>) {
        match self.rng.random_range(0..8) {
            0..=2 if self.contents.kills => {
                let id = self.rng.random_range(1..=KILLED_MAX);
                if self.rng.random_bool(0.5) {
                    steps.push(self.publish());
                }
                steps.push(step(&["CLIENT", "KILL", "ID", &id.to_string()], Op::Kill(id)));
                steps.push(self.publish());
            }
            3 | 4 if self.contents.pauses => {
                if self.rng.random_bool(0.4) {
                    return steps.push(step(&["CLIENT", "UNPAUSE"], Op::Unpause));
                }
                let ms = self.rng.random_range(1..1_500).to_string();
                let mode = if self.rng.random_bool(0.5) { "ALL" } else { "WRITE" };
                steps.push(says(words(&["CLIENT", "PAUSE", &ms, mode]), OK));
            }
            5 | 6 if !self.contents.modest => steps.push(step(&["CLIENT", "LIST"], Op::List)),
            _ => {
                let on = self.rng.random_bool(0.7);
                steps.push(step(&["CLIENT", "NO-EVICT", if on { "ON" } else { "OFF" }], Op::Spare(on)));
            }
        }
    }

    /// Subscriptions to channels and patterns, in either version of the protocol.
    pub fn listener(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        let resp3 = self.rng.random_bool(0.5);
        if resp3 {
            steps.push(step(&["HELLO", "3"], Op::Hello));
        }
        steps.push(self.subscription(true));
        for _ in 0..self.rng.random_range(0..40) {
            let on = self.rng.random_bool(0.7);
            let last = match self.rng.random_range(0..20) {
                0..5 => self.subscription(on),
                5..8 if resp3 => self.publish(),
                8 => step(&["RESET"], Op::Reset),
                _ => ping(),
            };
            let ends = last.op == Op::Reset;
            steps.push(last);
            if ends && resp3 {
                steps.push(step(&["HELLO", "3"], Op::Hello));
            }
        }
        if self.rng.random_bool(0.8) {
            steps.push(self.subscription(true));
        }
        steps
    }

    fn subscription(&mut self, on: bool) -> Step {
        let by_pattern = self.rng.random_bool(0.3);
        let count = self.rng.random_range(usize::from(on)..3);
        let mut names = Vec::new();
        for _ in 0..count {
            let pattern = if self.rng.random_bool(0.5) { "c*" } else { "c[01]" };
            names.push(if by_pattern { pattern.to_owned() } else { self.channel() });
        }
        let word = match (by_pattern, on) {
            (false, true) => "SUBSCRIBE",
            (true, true) => "PSUBSCRIBE",
            (false, false) => "UNSUBSCRIBE",
            (true, false) => "PUNSUBSCRIBE",
        };
        let request: Vec<&str> = [word].into_iter().chain(names.iter().map(String::as_str)).collect();
        let op = if on {
            Op::Subscribe(by_pattern, names.clone())
        } else {
            Op::Unsubscribe(by_pattern, names.clone())
        };
        step(&request, op)
    }
}
