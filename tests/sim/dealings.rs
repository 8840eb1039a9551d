//! The parts of the scripts in which clients deal with each other, with the clock, or in transactions.

use rand::RngExt;

use crate::events;
use crate::model::{BULK_MAX, OK, Op, SHARED, TWINS};
use crate::script::{Author, Step, Theme, ping, says, step, words};

/// The highest client id that scripts close. Most runs have clients with these ids.
const KILLED_MAX: u64 = 8;

impl Author<'_> {
    /// One of them.
    pub fn dealings(&mut self, steps: &mut Vec<Step>) {
        if (self.contents.kills || self.contents.pauses) && self.rng.random_bool(0.3) {
            return self.operate(steps);
        }
        match self.rng.random_range(0..20) {
            0..5 => self.transaction(steps),
            5 => self.dwell_on_fields(steps),
            6..8 => self.briefly(steps),
            8..12 => steps.push(self.publish()),
            12..15 => self.contend(steps),
            15 => self.write_twins(steps),
            17 if self.contents.events && self.rng.random_bool(0.6) => self.eventful(steps),
            17 => self.queue(steps),
            18 => steps.push(self.change_copied()),
            16 => steps.push(step(&[&["MGET"], &TWINS[..]].concat(), Op::GetTwins)),
            _ => self.operate(steps),
        }
    }

    /// What the theme of the run is about.
    pub fn dwell(&mut self, steps: &mut Vec<Step>) {
        match self.contents.theme {
            Theme::Everything | Theme::Eviction => {}
            Theme::Memory => match self.rng.random_range(0..6) {
                0 => steps.push(self.spare()),
                1 | 2 if !self.contents.modest => steps.push(step(&["CLIENT", "LIST"], Op::List)),
                _ => {
                    let (key, value) = (self.key(), "v".repeat(BULK_MAX / 2));
                    steps.push(step(&["SET", &key, &value], Op::Set(key.clone(), value.clone())));
                    for _ in 0..self.rng.random_range(0..4) {
                        steps.push(step(&["GET", &key], Op::Get(key.clone())));
                    }
                }
            },
            Theme::Messages if self.rng.random_bool(0.3) => steps.push(self.change_copied()),
            Theme::Messages if self.contents.events && self.rng.random_bool(0.5) => self.eventful(steps),
            Theme::Messages => steps.extend((0..3).map(|_| self.publish())),
            Theme::Hashes => self.dwell_on_hashes(steps),
            Theme::Queues => self.queue(steps),
            Theme::ZsetsAndStreams => self.dwell_on_zsets_and_streams(steps),
            Theme::Strings => self.dwell_on_strings(steps),
            Theme::SetsAndLists => self.dwell_on_sets_and_lists(steps),
            Theme::Time => match self.rng.random_range(0..6) {
                4.. => self.dwell_on_fields(steps),
                0 => self.briefly(steps),
                1 => self.transaction(steps),
                2 => self.watch_briefly(steps),
                _ => self.brief_transaction(steps),
            },
            Theme::Others if self.rng.random_bool(0.5) => self.contend(steps),
            Theme::Others => self.operate_twice(steps),
        }
    }

    /// Works on keys of one kind, in a transaction or not, and renames, copies or removes them.
    pub fn work_on(
        &mut self,
        [key, other]: [String; 2],
        command: fn(&mut Self) -> Step,
        steps: &mut Vec<Step>,
    ) {
        if self.rng.random_bool(0.4) {
            steps.push(step(&["WATCH", &key], Op::Watch(key.clone())));
            steps.push(command(self));
            steps.push(step(&["MULTI"], Op::Multi));
            steps.push(command(self));
            return steps.push(step(&["EXEC"], Op::Exec));
        }
        for _ in 0..self.rng.random_range(1..10) {
            steps.push(command(self));
        }
        match self.rng.random_range(0..10) {
            0 => steps.push(step(&["RENAME", &key, &other], Op::Rename(key.clone(), other.clone()))),
            1 => {
                let op = Op::Copy(key.clone(), other.clone(), true);
                steps.push(step(&["COPY", &key, &other, "REPLACE"], op));
            }
            2 => steps.push(step(&["DEL", &key, &other], Op::Delete([key.clone(), other.clone()]))),
            _ => {}
        }
    }

    /// Time stands still within a transaction, even if its commands need the exact time.
    fn brief_transaction(&mut self, steps: &mut Vec<Step>) {
        let [one, other] = [0, 1].map(|nth| format!("brief:{}:{nth}", self.name));
        steps.push(step(&["MULTI"], Op::Multi));
        steps.push(self.set_brief(&one, 1, false));
        steps.push(self.set_brief(&other, 1, false));
        steps.push(step(&["GET", &one], Op::GetBrief(one.clone())));
        steps.push(step(&["PTTL", &other], Op::TimeLeft(other.clone())));
        steps.push(step(&["EXEC"], Op::Exec));
    }

    /// Watches a key that is about to expire, or has done so just now.
    fn watch_briefly(&mut self, steps: &mut Vec<Step>) {
        let (key, own) = (self.brief_key(), self.key());
        let ms = self.rng.random_range(1..5);
        steps.push(self.set_brief(&key, ms, false));
        steps.push(step(&["WATCH", &own], Op::Watch(own.clone())));
        for _ in 0..self.rng.random_range(0..4) {
            steps.push(ping());
        }
        steps.push(step(&["WATCH", &key], Op::Watch(key.clone())));
        steps.push(step(&["MULTI"], Op::Multi));
        steps.push(self.command());
        steps.push(step(&["EXEC"], Op::Exec));
    }

    /// Closes a client, or makes all of them wait, and does so again at once.
    fn operate_twice(&mut self, steps: &mut Vec<Step>) {
        if self.contents.kills && self.rng.random_bool(0.5) {
            let id = self.rng.random_range(1..=KILLED_MAX);
            for _ in 0..2 {
                steps.push(step(&["CLIENT", "KILL", "ID", &id.to_string()], Op::Kill(id)));
            }
        } else if self.contents.pauses {
            for ms in [self.rng.random_range(200..900), self.rng.random_range(1..200)] {
                steps.push(says(words(&["CLIENT", "PAUSE", &ms.to_string(), "WRITE"]), OK));
            }
            steps.push(self.command());
        } else {
            steps.push(self.publish());
        }
    }

    /// Asks not to be evicted, or to be evicted again.
    fn spare(&mut self) -> Step {
        let on = self.rng.random_bool(0.7);
        step(&["CLIENT", "NO-EVICT", if on { "ON" } else { "OFF" }], Op::Spare(on))
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

    /// A request that is refused before it runs. A transaction is refused with it.
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

    /// Two commands about a key that lives for a short time.
    pub fn brief_pair(&mut self) -> [Step; 2] {
        let key = self.brief_key();
        let ms = 1 << self.rng.random_range(0..9);
        let look = if self.rng.random_bool(0.5) {
            step(&["GET", &key], Op::GetBrief(key.clone()))
        } else {
            step(&["PTTL", &key], Op::TimeLeft(key.clone()))
        };
        [self.set_brief(&key, ms, false), look]
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

    pub fn message(&mut self) -> String {
        let len = if self.rng.random_bool(0.3) { 300 } else { self.rng.random_range(0..30) };
        // No other client sends this message, and this client sends it once.
        format!("{}.{}{}", self.name, self.rng.random_range(0..u64::MAX), "!".repeat(len))
    }

    fn channel(&mut self) -> String {
        format!("c{}", self.rng.random_range(0..3))
    }

    pub fn publish(&mut self) -> Step {
        let (channel, message) = (self.channel(), self.message());
        step(&["PUBLISH", &channel, &message], Op::Publish(channel.clone(), message.clone()))
    }

    /// Writes the shared key, or tries to write it on the condition that no other client has.
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
            _ => steps.push(self.spare()),
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
            // The names are longer than a key may be when its limit changes.
            if self.contents.events && !self.contents.modest && self.rng.random_bool(0.4) {
                let words = if by_pattern { &events::PATTERNS[..] } else { &events::CHANNELS };
                names.push(words[self.rng.random_range(0..words.len())].to_owned());
                continue;
            }
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
