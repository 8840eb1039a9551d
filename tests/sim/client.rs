//! Clients of the simulation: a script, a temper, and the replies that a simple model demands.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tidegate::base::Reason;

use crate::events;
use crate::frames;
use crate::model::{Keys, Op};
use crate::reasons::Circumstances;
use crate::script::{self, Contents, Role, Step, Theme};
use crate::state::{Answer, Event, State, When};
use crate::world::{Pipe, World};

pub const INTERNAL: &str = "-ERR internal error\r\n";
pub const NO_ROOM: &str = "-ERR max number of clients reached\r\n";

/// Lines with which the server may end a connection after any complete reply.
pub const GOODBYES: [&str; 5] = [
    INTERNAL,
    NO_ROOM,
    "-ERR request not completed within request-timeout\r\n",
    "-ERR client-query-buffer-limit reached, closing the connection\r\n",
    "-ERR evicted: all clients together hold more than maxmemory-clients\r\n",
];

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// Most bytes sent in one go.
    pub send_max: usize,
    /// Most bytes read in one go; 0 never reads until the faults are over.
    pub read_max: usize,
    /// Shuts its write side when it has sent everything, before it has read everything.
    pub half_closes: bool,
    /// Stops sending for good at this offset.
    pub falls_silent_at: Option<usize>,
}

/// A message that was pushed to a client.
pub struct Heard {
    pub channel: String,
    pub text: String,
    /// Which of its subscriptions it had by then.
    pub generation: u32,
    pub channels: BTreeSet<String>,
    pub by_pattern: bool,
}

/// How a script has ended, as its client was told.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    /// How many of its calls stand.
    stands: usize,
    /// The reply has shown the replies of its calls.
    told: bool,
}

pub struct Client {
    pub role: Role,
    pub steps: Vec<Step>,
    pub stream: Vec<u8>,
    /// Ends of the requests; the first entry is 0.
    pub request_ends: Vec<usize>,
    pub temper: Temper,
    pub pipe: Option<usize>,
    pub sent: usize,
    /// All that was received.
    pub received: Vec<u8>,
    /// The part of it that has not been judged yet: part of a reply, or a goodbye.
    inbox: Vec<u8>,
    /// It can only be a goodbye.
    pub parting: bool,
    /// How many steps have certainly been done, and the state after them.
    pub done: usize,
    pub state: State,
    /// Any of its requests may be refused while a script of another client runs.
    may_be_refused: bool,
    /// How its scripts have ended, by their steps.
    outcomes: BTreeMap<usize, Outcome>,
    /// What others have published and this client has heard, in order.
    pub heard: Vec<Heard>,
    /// Messages of its own that must come before the next reply.
    echoes: Vec<String>,
    /// How many bytes of replies and messages were ready for it at the end of which tick.
    ready: Vec<(usize, usize)>,
    pub saw_end: bool,
    pub gave_up: bool,
    /// It was being served at the end of the last tick.
    pub was_open: bool,
    /// It was waiting in a pause when the server saw that it had closed its side.
    pub left_parked: bool,
    /// The half request the server holds: how many came before it, and since when at the earliest and the
    /// latest.
    pub half_since: Option<(usize, u64, u64)>,
    /// The same while others push to it: since when at the earliest.
    pub half_fed: Option<(usize, u64)>,
    /// Ticks in which it was owed something and nothing happened, and how things stood.
    pub stuck: (u32, [usize; 4]),
    /// How many of its commands were refused for want of memory.
    pub refusals: u64,
    /// How often it was told that a key has changed.
    pub told: u64,
    rng: StdRng,
}

impl Client {
    pub fn new(rng: &mut StdRng, name: usize, role: Role, contents: Contents) -> Client {
        let steps = script::write(rng, name, role, contents);
        let mut client = Client {
            role,
            temper: Temper {
                send_max: match contents.theme {
                    _ if role == Role::Endless => 4096,
                    // Much at once.
                    Theme::Memory | Theme::Messages => 1 << rng.random_range(8..12),
                    // Scripts are long.
                    _ if contents.lua.is_some() => 1 << rng.random_range(8..12),
                    _ => 1 << rng.random_range(0..10),
                },
                read_max: if rng.random_bool(if contents.theme == Theme::Messages { 0.6 } else { 0.3 }) {
                    0
                } else {
                    1 << rng.random_range(0..10)
                },
                half_closes: rng.random_bool(if role == Role::Listener { 0.1 } else { 0.5 }),
                falls_silent_at: None,
            },
            steps: Vec::new(),
            stream: Vec::new(),
            request_ends: vec![0],
            pipe: None,
            sent: 0,
            received: Vec::new(),
            inbox: Vec::new(),
            parting: false,
            done: 0,
            state: State::default(),
            may_be_refused: contents.lua.is_some_and(|scripts| scripts.busy),
            outcomes: BTreeMap::new(),
            heard: Vec::new(),
            echoes: Vec::new(),
            ready: Vec::new(),
            saw_end: false,
            gave_up: false,
            was_open: false,
            left_parked: false,
            half_since: None,
            half_fed: None,
            stuck: (0, [0; 4]),
            refusals: 0,
            told: 0,
            rng: StdRng::seed_from_u64(name as u64),
        };
        client.add(steps);
        if role == Role::Scanner {
            client.temper.half_closes = false;
        } else if rng.random_bool(0.1) {
            client.temper.falls_silent_at = Some(rng.random_range(0..=client.stream.len()));
        }
        client
    }

    fn add(&mut self, steps: Vec<Step>) {
        for step in steps {
            self.stream.extend(&step.request);
            self.request_ends.push(self.stream.len());
            self.steps.push(step);
        }
    }

    /// What it is a case of, for the count of what happened.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        [
            ("client that never reads", self.temper.read_max == 0),
            ("client that trickles", self.temper.send_max == 1),
            ("client that falls silent", self.temper.falls_silent_at.is_some()),
            ("client that pipelines without end", self.role == Role::Endless),
        ]
        .into_iter()
        .filter_map(|(kind, is)| is.then_some(kind))
    }

    /// Takes what the client has read.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.received.extend(bytes);
        self.inbox.extend(bytes);
    }

    /// Notes at the end of a tick how much is ready for it.
    pub fn note_ready(&mut self, bytes: usize, tick: usize) {
        if self.ready.last().is_none_or(|(before, _)| *before < bytes) {
            self.ready.push((bytes, tick));
        }
    }

    /// Asserts that what was received so far is right: the replies that the model tells, in order, with
    /// whole messages between them, perhaps ended after a whole one by a goodbye. Returns what the replies
    /// told of others.
    pub fn check_received(&mut self, name: usize, seen: Circumstances, world: &World) -> Vec<Event> {
        let mut events = Vec::new();
        while !self.inbox.is_empty() {
            if let Some(whole) = self.take_invalidation(name).or_else(|| self.take_message(name)) {
                if whole { continue } else { break }
            }
            let Some(next) = (self.done..self.steps.len()).find(|step| self.steps[*step].is_answered())
            else {
                self.assert_goodbye(name, "nothing more");
                break;
            };
            let mut state = self.state.clone();
            for step in &self.steps[self.done..next] {
                if step.muted {
                    state.do_to_own(&step.op);
                }
            }
            let (when, told) = (self.when(next, seen, world), events.len());
            match state.answer(next, &self.steps[next].op, &self.inbox, &when, &mut events) {
                Answer::Whole(_) if self.state.copies.owed().is_some() => {
                    panic!("client {name} was not told that it has changed {:?}", self.state.copies.owed())
                }
                Answer::Whole(_) if !self.echoes.is_empty() => {
                    panic!("client {name} has not heard {:?} behind the reply to it", self.echoes)
                }
                Answer::Whole(len) => {
                    self.inbox.drain(..len);
                    (self.state, self.done) = (state, next + 1);
                    self.note_outcome(next, &events[told..]);
                    self.follow(&events[told..]);
                }
                Answer::Partial => break,
                Answer::Wrong(expected) => {
                    self.assert_goodbye(name, &expected);
                    break;
                }
            }
        }
        events
    }

    fn when<'a>(&self, step: usize, seen: Circumstances, world: &'a World) -> When<'a> {
        let at = self.received.len() - self.inbox.len();
        let tick = self.ready[self.ready.partition_point(|(bytes, _)| *bytes <= at)].1;
        let reads = &world.pipes[self.pipe.expect("it has received something")].reads;
        let end = self.request_ends[step + 1];
        // The server may answer broken framing before all of it is there.
        let read = reads.get(reads.partition_point(|(total, ..)| *total < end));
        let after_ms = match read {
            Some((_, read_tick, unix_ms)) if *read_tick == tick => *unix_ms,
            _ => world.tick_starts_ms[tick],
        };
        let read_tick = read.map_or(tick, |(_, read_tick, _)| *read_tick);
        let (began_ns, ended_ns) = (world.tick_spans_ns[read_tick].0, world.tick_spans_ns[tick].1);
        When {
            starts_ms: &world.tick_starts_ms,
            ends_ms: &world.tick_ends_ms,
            tick,
            after_ms,
            elapsed_ns: ended_ns.saturating_sub(began_ns),
            later: read_tick < tick,
            scarce: seen.scarce,
            quits: seen.quit,
            busy: seen.busy,
            script_limit_ms: seen.script_limit_ms,
        }
    }

    /// Notes how a script has ended, or that a request was refused because one was running.
    fn note_outcome(&mut self, step: usize, events: &[Event]) {
        let is_script = matches!(self.steps[step].op, Op::Script(_)) && !self.state.is_queueing();
        // A script that has told nothing was refused.
        let mut outcome = is_script.then_some(Outcome { stands: 0, told: true });
        for event in events {
            match event {
                Event::Script { stands, told, .. } => {
                    outcome = Some(Outcome { stands: *stands, told: *told });
                }
                Event::Busy => outcome = Some(Outcome { stands: 0, told: true }),
                _ => {}
            }
        }
        if let Some(outcome) = outcome {
            self.outcomes.insert(step, outcome);
        }
    }

    /// What a step has done if the server has run it: what its request means, or what its script has called.
    pub fn deeds(&self, step: usize) -> Vec<&Op> {
        let op = &self.steps[step].op;
        let outcome = self.outcomes.get(&step);
        let Op::Script(script) = op else {
            return if outcome.is_some() { Vec::new() } else { vec![op] };
        };
        let stands = match outcome {
            Some(outcome) => outcome.stands,
            // The server has said goodbye while it ran, or before that.
            None if self.parting && step >= self.done => 0,
            None => script.calls.len(),
        };
        script.calls[..stands].iter().map(|call| &call.op).collect()
    }

    /// True if it is known what a step has done, provided that the server has run it.
    pub fn is_certain(&self, step: usize) -> bool {
        let may_be_refused = self.may_be_refused && step >= self.done;
        !may_be_refused && !matches!(self.steps[step].op, Op::Script(_)) || self.outcomes.contains_key(&step)
    }

    /// The steps before `most` whose replies are not known: those of the calls of a script that has failed are not.
    pub fn untold(&self, most: usize) -> impl Iterator<Item = usize> {
        let silent = self.outcomes.iter().filter(|(_, outcome)| !outcome.told).map(|(step, _)| *step);
        silent.filter(move |step| *step < most && *step < self.done).chain(self.done..most.max(self.done))
    }

    /// True if a panic has ended it while its script ran.
    pub fn lost_script(&self) -> bool {
        let next = (self.done..self.steps.len()).find(|step| self.steps[*step].is_answered());
        let is_script = next.is_some_and(|step| matches!(self.steps[step].op, Op::Script(_)));
        is_script && self.parting && self.inbox == INTERNAL.as_bytes()
    }

    /// What follows for the client itself from a reply.
    fn follow(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Published { channel, text, .. } => {
                    let times = usize::from(self.state.channels.contains(channel))
                        + self.state.patterns.iter().filter(|pattern| matches(pattern, channel)).count();
                    self.echoes.extend(std::iter::repeat_n(text.clone(), times));
                }
                Event::Page(cursor) => {
                    let name = self.steps.len();
                    let more = script::next_page(&mut self.rng, cursor.as_ref(), name, &self.state.keys);
                    self.add(more);
                }
                Event::Refused => self.refusals += 1,
                _ => {}
            }
        }
    }

    /// Takes a message about changed keys from the front of the inbox, if there is one: true if all of it is there.
    fn take_invalidation(&mut self, name: usize) -> Option<bool> {
        if !self.state.copies.is_on() || self.inbox[0] != b'>' {
            return None;
        }
        let Some((frame, len)) = frames::parse(&self.inbox) else { return Some(false) };
        let [word, keys] = frame.items() else { return None };
        assert_eq!(word.text(), "invalidate", "client {name} hears of something else");
        if *keys == frames::Frame::Null {
            // A database was emptied, or swapped.
            self.state.copies.doubt_all();
        }
        keys.items().iter().for_each(|key| self.state.copies.hear(name, key.text()));
        self.told += keys.items().len() as u64;
        self.inbox.drain(..len);
        Some(true)
    }

    /// Takes a message from the front of the inbox, if there is one: true if all of it is there.
    fn take_message(&mut self, name: usize) -> Option<bool> {
        let State { channels, patterns, resp3, generation, .. } = &self.state;
        let mark = if *resp3 { '>' } else { '*' };
        if channels.is_empty() && patterns.is_empty() || self.inbox[0] != mark as u8 {
            return None;
        }
        let Some((frame, len)) = frames::parse(&self.inbox) else { return Some(false) };
        let words: Vec<&str> = frame.items().iter().map(frames::Frame::text).collect();
        let (channel, text, by_pattern) = match words[..] {
            ["message", channel, text] => {
                assert!(channels.contains(channel), "client {name} has not subscribed to {channel}");
                (channel, text, false)
            }
            ["pmessage", pattern, channel, text] => {
                let mine = patterns.contains(pattern) && matches(pattern, channel);
                assert!(
                    mine,
                    "client {name} has not subscribed to {pattern}, or it does not match {channel}"
                );
                (channel, text, true)
            }
            _ => return None,
        };
        if !events::is_ours(channel, text) {
            self.inbox.drain(..len);
            return Some(true);
        }
        if let Some(echo) = (!self.echoes.is_empty()).then(|| self.echoes.remove(0)) {
            assert_eq!(text, echo, "client {name} hears others before itself");
        }
        self.heard.push(Heard {
            channel: channel.to_owned(),
            text: events::label(channel, text),
            generation: *generation,
            channels: channels.clone(),
            by_pattern,
        });
        self.inbox.drain(..len);
        Some(true)
    }

    fn assert_goodbye(&mut self, name: usize, expected: &str) {
        self.parting = self.goodbye().is_some();
        assert!(
            self.parting,
            "client {name}, after {} replies, received\n{}\ninstead of\n{}",
            self.done,
            self.inbox.escape_ascii(),
            expected.escape_default(),
        );
    }

    /// If what is left of what was received is (the beginning of) a goodbye: whether it is whole.
    pub fn goodbye(&self) -> Option<bool> {
        let bye = GOODBYES.iter().find(|bye| bye.as_bytes().starts_with(&self.inbox))?;
        (!self.inbox.is_empty()).then_some(bye.len() == self.inbox.len())
    }

    /// True if what was received ends between replies.
    pub fn ends_whole(&self) -> bool {
        self.inbox.is_empty() || self.goodbye() == Some(true)
    }

    /// True if a request within the first `bytes` of the stream has a reply that was not received.
    pub fn is_owed(&self, bytes: usize) -> bool {
        let complete = self.requests_within(bytes);
        self.done < complete && self.steps[self.done..complete].iter().any(Step::is_answered)
    }

    /// Requests that are complete within the first `bytes` of the stream.
    pub fn requests_within(&self, bytes: usize) -> usize {
        self.request_ends.iter().rposition(|end| *end <= bytes).unwrap_or(0)
    }

    /// Its requests that the server may have run, once it has read so many bytes.
    pub fn begun(&self, bytes: usize) -> &[Step] {
        // The server may see broken framing before the request is complete.
        let begun = self.request_ends.iter().take_while(|end| **end < bytes).count();
        &self.steps[..begun.min(self.steps.len())]
    }

    /// True if a request within the first `bytes` of the stream ends the connection for `reason`.
    pub fn script_ends_for(&self, reason: Reason, bytes: usize) -> bool {
        self.begun(bytes).iter().any(|step| step.ends_for == Some(reason))
    }

    /// True if the server may let it wait for a key, once it has read so many bytes.
    pub fn may_wait(&self, bytes: usize) -> bool {
        self.begun(bytes).get(self.done..).unwrap_or_default().iter().any(|step| step.op.waits())
    }

    /// True if it is surely not to be evicted.
    pub fn is_spared(&self, bytes: usize) -> bool {
        let since = self.begun(bytes).get(self.done..).unwrap_or_default();
        self.state.spared && !since.iter().any(|step| matches!(step.op, Op::Spare(false) | Op::Reset))
    }

    /// True if its keys may be `stored` once the server has read so many bytes, and perhaps said goodbye.
    /// While memory is scarce, what was not answered may also have been refused.
    pub fn may_have_stored(&self, stored: &Keys, read: usize, scarce: bool, panics: bool) -> bool {
        // With more possible states than this, the comparison proves nothing.
        const POSSIBLE_MAX: usize = 4096;
        let silent = self.steps[self.done..].iter().take_while(|step| !step.is_answered()).count();
        let most = if self.parting {
            // The command that ran when the server said goodbye has left no trace.
            self.done + silent
        } else {
            self.requests_within(read).max(self.done)
        };
        let mut possible = BTreeSet::from([self.state.clone()]);
        let mut all = possible.clone();
        for step in &self.steps[self.done..(most + 1).min(self.steps.len())] {
            if panics && step.op == Op::Exec {
                all.extend(possible.iter().flat_map(|state| state.broken_off(scarce)));
            }
            possible = possible.iter().flat_map(|state| state.unseen(&step.op, scarce)).collect();
            if all.len() > POSSIBLE_MAX {
                return true;
            }
            if self.steps[most..].first().is_none_or(|last| !std::ptr::eq(last, step)) {
                all.extend(possible.iter().cloned());
            }
        }
        all.iter().any(|state| state.keys.are(stored))
    }

    /// Its connection.
    pub fn pipe_of<'a>(&self, world: &'a World) -> Option<&'a Pipe> {
        self.pipe.map(|pipe| &world.pipes[pipe])
    }
}

/// The patterns of the scripts.
pub fn matches(pattern: &str, channel: &str) -> bool {
    match pattern {
        "c*" => channel.starts_with('c'),
        "c[01]" => channel == "c0" || channel == "c1",
        _ if events::PATTERNS.contains(&pattern) => channel.starts_with(&pattern[..pattern.len() - 1]),
        _ => unreachable!("{pattern} is in no script"),
    }
}
