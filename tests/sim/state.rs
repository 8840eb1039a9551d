//! What a client's requests must be answered, in the order in which it sent them: told again as plainly as
//! possible. Where others or the clock have a say, the reply is judged by what it may be, and what it
//! tells of others is noted as an [`Event`], to be compared with what they were told.

use std::collections::{BTreeMap, BTreeSet};

use crate::frames::{self, Frame};
use crate::model::{Keys, OK, OOM, OOM_REPLY, Op, RESET, SHARED, bulk, int};

const EXEC_ABORT: &str = "-EXECABORT Transaction discarded because of previous errors.\r\n";
const TOO_LONG: &str = "-ERR transaction exceeds client-query-buffer-limit (";
const NIL: &str = "*-1\r\n";

/// What a reply tells of others.
#[derive(Clone, Debug)]
pub enum Event {
    Published {
        channel: String,
        text: String,
        count: i64,
    },
    Killed {
        step: usize,
        id: u64,
        count: i64,
    },
    /// The shared key was overwritten: what was there, and what is.
    Shared(Option<String>, String),
    /// A transaction did not run because the shared key, which had this value, was overwritten.
    Overwritten(Option<String>),
    Twins(Frame, Frame),
    Listed(String),
    /// A `SCAN` goes on there, or is through.
    Page(Option<String>),
    Ran,
    NotRun,
    Aborted,
    Expired,
    /// For want of memory.
    Refused,
}

/// When a command ran.
#[derive(Clone, Copy)]
pub struct When<'a> {
    /// The start of each tick, Unix milliseconds.
    pub starts_ms: &'a [u64],
    /// The end of each tick.
    pub ends_ms: &'a [u64],
    /// The tick it ran in.
    pub tick: usize,
    /// It ran later than this.
    pub after_ms: u64,
    /// Memory may be refused.
    pub scarce: bool,
}

/// How what was received compares with what must be.
pub enum Answer {
    Whole(usize),
    Partial,
    /// It is not this.
    Wrong(String),
}

/// A key that lives for a short time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Brief {
    value: String,
    since: usize,
    /// It expires between these, Unix milliseconds.
    least_ms: u64,
    most_ms: u64,
}

impl Brief {
    /// Whether a command that ran then saw it; `None` if that is open.
    fn lives(&self, when: &When) -> Option<bool> {
        let latest = *when.ends_ms[self.since..=when.tick].iter().max()?;
        if when.starts_ms[when.tick] >= self.most_ms {
            return Some(false);
        }
        (latest < self.least_ms).then_some(true)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Queue {
    ops: Vec<Op>,
    aborted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Watched {
    key: String,
    /// By the client itself.
    touched: bool,
    /// What it was if it lives for a short time, and whether it surely lived.
    brief: Option<(Brief, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Touch {
    No,
    Perhaps,
    Surely,
}

/// What a client has done so far, as its replies tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    pub keys: Keys,
    queue: Option<Queue>,
    watched: Vec<Watched>,
    /// The shared key as read before and after it was watched.
    seen: [Option<Option<String>>; 2],
    briefs: BTreeMap<String, Brief>,
    pub spared: bool,
    pub resp3: bool,
    pub channels: BTreeSet<String>,
    pub patterns: BTreeSet<String>,
    /// Counts changes of the subscriptions.
    pub generation: u32,
    /// The keys that have been there since a scan began, and those that it has shown.
    scan: Option<(BTreeSet<String>, BTreeSet<String>)>,
}

/// Compares what was received with one text.
fn expect(input: &[u8], text: &str) -> Answer {
    if input.starts_with(text.as_bytes()) {
        Answer::Whole(text.len())
    } else if text.as_bytes().starts_with(input) {
        Answer::Partial
    } else {
        Answer::Wrong(text.to_owned())
    }
}

/// Compares what was received with a line of which only the beginning is known.
fn expect_line(input: &[u8], start: &str) -> Answer {
    match expect(input, start) {
        Answer::Whole(_) => match input.iter().position(|byte| *byte == b'\n') {
            Some(end) => Answer::Whole(end + 1),
            None => Answer::Partial,
        },
        other => other,
    }
}

/// Judges a whole frame.
fn judge(input: &[u8], wanted: &str, judge: impl FnOnce(&Frame) -> bool) -> Answer {
    let marks: &[u8] = if wanted.starts_with("a list") { b"*%" } else { b":$_" };
    if !input.is_empty() && !marks.contains(&input[0]) {
        return Answer::Wrong(wanted.to_owned());
    }
    match frames::parse(input) {
        None => Answer::Partial,
        Some((frame, len)) if judge(&frame) => Answer::Whole(len),
        Some(_) => Answer::Wrong(wanted.to_owned()),
    }
}

fn nullable(frame: &Frame) -> Option<String> {
    match frame {
        Frame::Text(text) => Some(text.clone()),
        _ => None,
    }
}

impl State {
    /// Compares what was received with the reply to `op`; if that is whole, the state is the one after it.
    pub fn answer(
        &mut self,
        step: usize,
        op: &Op,
        input: &[u8],
        when: &When,
        events: &mut Vec<Event>,
    ) -> Answer {
        let (mut next, mut told) = (self.clone(), Vec::new());
        let mut answer = next.queue_or_do(step, op, input, when, &mut told);
        if when.scarce && matches!(answer, Answer::Wrong(_)) {
            (next, told) = (self.clone(), Vec::new());
            next.refuse(op);
            for text in [OOM, OOM_REPLY] {
                if !matches!(expect(input, text), Answer::Wrong(_)) {
                    answer = expect(input, text);
                    told.push(Event::Refused);
                }
            }
        }
        if matches!(answer, Answer::Whole(_)) {
            *self = next;
            events.append(&mut told);
        }
        answer
    }

    /// It was answered with an error for want of memory.
    fn refuse(&mut self, op: &Op) {
        match (&mut self.queue, op) {
            (Some(_), Op::Exec) => (self.queue, self.watched) = (None, Vec::new()),
            (Some(queue), _) => queue.aborted = true,
            (None, _) => {}
        }
    }

    fn queue_or_do(
        &mut self,
        step: usize,
        op: &Op,
        input: &[u8],
        when: &When,
        events: &mut Vec<Event>,
    ) -> Answer {
        let Some(queue) = &mut self.queue else { return self.act(step, op, input, when, events) };
        match op {
            Op::Exec => self.exec(step, input, when, events),
            Op::Discard | Op::Reset => self.act(step, op, input, when, events),
            Op::Says(error) if error.starts_with('-') => {
                queue.aborted = true;
                expect(input, error)
            }
            _ => match expect_line(input, TOO_LONG) {
                answer @ Answer::Whole(_) => {
                    queue.aborted = true;
                    answer
                }
                Answer::Partial => Answer::Partial,
                Answer::Wrong(_) => {
                    queue.ops.push(op.clone());
                    expect(input, "+QUEUED\r\n")
                }
            },
        }
    }

    fn exec(&mut self, step: usize, input: &[u8], when: &When, events: &mut Vec<Event>) -> Answer {
        let queue = self.queue.take().expect("it is in a transaction");
        let touch = self.watched.iter().map(|watched| watched.touch(when)).max().unwrap_or(Touch::No);
        let shared = self.watched.iter().any(|watched| watched.key == SHARED);
        self.watched.clear();
        let seen = std::mem::take(&mut self.seen);
        if queue.aborted {
            events.push(Event::Aborted);
            return expect(input, EXEC_ABORT);
        }
        match expect(input, NIL) {
            Answer::Wrong(_) => {}
            _ if touch == Touch::No && !when.scarce && input.len() >= NIL.len() => {
                return Answer::Wrong("(replies: nobody has changed a watched key)".to_owned());
            }
            answer => {
                events.push(Event::NotRun);
                if let [Some(before), Some(after)] = seen
                    && shared
                    && before == after
                    && !when.scarce
                {
                    events.push(Event::Overwritten(after));
                }
                return answer;
            }
        }
        if touch == Touch::Surely {
            return Answer::Wrong("(null: a watched key has changed)".to_owned());
        }
        let mut len = match expect(input, &format!("*{}\r\n", queue.ops.len())) {
            Answer::Whole(len) => len,
            other => return other,
        };
        for op in &queue.ops {
            let mut told = Vec::new();
            match self.element(step, op, &input[len..], when, &mut told) {
                Answer::Whole(more) => len += more,
                other => return other,
            }
            if let ([_, Some(after)], [Event::Shared(before, _)]) = (&seen, &told[..])
                && shared
                && before != after
            {
                return Answer::Wrong(format!("(null: the shared key was no longer {after:?})"));
            }
            events.append(&mut told);
        }
        events.push(Event::Ran);
        Answer::Whole(len)
    }

    fn element(
        &mut self,
        step: usize,
        op: &Op,
        input: &[u8],
        when: &When,
        events: &mut Vec<Event>,
    ) -> Answer {
        let before = self.clone();
        match self.act(step, op, input, when, events) {
            Answer::Wrong(text) if when.scarce => {
                *self = before;
                events.clear();
                let refused = [OOM, OOM_REPLY].map(|text| expect(input, text));
                refused
                    .into_iter()
                    .find(|answer| !matches!(answer, Answer::Wrong(_)))
                    .unwrap_or(Answer::Wrong(text))
            }
            answer => answer,
        }
    }

    /// Runs a command.
    fn act(&mut self, step: usize, op: &Op, input: &[u8], when: &When, events: &mut Vec<Event>) -> Answer {
        match op {
            Op::Multi => {
                self.queue = Some(Queue::default());
                expect(input, OK)
            }
            Op::Discard => {
                (self.queue, self.seen) = (None, [None, None]);
                self.watched.clear();
                expect(input, OK)
            }
            Op::Watch(key) => {
                let brief = self.briefs.get(key).and_then(|brief| match brief.lives(when) {
                    Some(false) => None,
                    lives => Some((brief.clone(), lives.is_some())),
                });
                self.watched.push(Watched { key: key.clone(), touched: false, brief });
                expect(input, OK)
            }
            Op::Reset => {
                let State { keys, briefs, generation, .. } = std::mem::take(self);
                *self = State { keys, briefs, generation: generation + 1, ..State::default() };
                expect(input, RESET)
            }
            Op::SetShared(value) => judge(input, "what was there before", |frame| {
                events.push(Event::Shared(nullable(frame), value.clone()));
                true
            }),
            Op::GetShared => judge(input, "what is there", |frame| {
                let after = usize::from(!self.watched.is_empty());
                self.seen[after] = Some(nullable(frame));
                true
            }),
            Op::SetTwin(..) => expect(input, OK),
            Op::GetTwins => judge(input, "a list of two", |frame| match frame.items() {
                [one, other] => {
                    events.push(Event::Twins(one.clone(), other.clone()));
                    true
                }
                _ => false,
            }),
            Op::SetBrief(..) | Op::GetBrief(_) | Op::TimeLeft(_) => self.act_briefly(op, input, when, events),
            Op::Publish(..) | Op::Subscribe(..) | Op::Unsubscribe(..) | Op::Hello | Op::Ping => {
                self.speak(op, input, events)
            }
            Op::Kill(id) => judge(input, "0 or 1", |frame| match frame {
                Frame::Int(count @ 0..=1) => {
                    let count = *count;
                    events.push(Event::Killed { step, id: *id, count });
                    true
                }
                _ => false,
            }),
            Op::List => judge(input, "the clients", |frame| {
                events.push(Event::Listed(frame.text().to_owned()));
                true
            }),
            Op::Spare(spared) => {
                self.spared = *spared;
                expect(input, OK)
            }
            Op::Unpause => expect(input, OK),
            Op::Page => judge(input, "a list of a cursor and all keys that stayed", |frame| {
                self.turn_page(frame).is_some_and(|page| {
                    events.push(Event::Page(page));
                    true
                })
            }),
            op => {
                let reply = self.do_to_own(op);
                expect(input, &reply)
            }
        }
    }

    /// Does what is about the client's own keys.
    pub fn do_to_own(&mut self, op: &Op) -> String {
        let before = if self.watched.is_empty() { Keys::new() } else { self.keys.clone() };
        let reply = op.apply(&mut self.keys);
        for watched in &mut self.watched {
            let names = op.own_keys().is_some_and(|(names, writes)| writes && names.contains(&&watched.key));
            let had = before.contains_key(&watched.key);
            watched.touched |= names
                && match op {
                    Op::SetNew(..) => !had,
                    Op::Take(_) | Op::Delete(_) | Op::Expire(_) => had,
                    _ => !reply.starts_with('-'),
                };
        }
        if let Some((stayed, _)) = &mut self.scan {
            stayed.retain(|key| self.keys.contains_key(key));
        }
        reply
    }

    /// Does what is about a key that lives for a short time.
    fn act_briefly(&mut self, op: &Op, input: &[u8], when: &When, events: &mut Vec<Event>) -> Answer {
        let (Op::SetBrief(key, ..) | Op::GetBrief(key) | Op::TimeLeft(key)) = op else { unreachable!() };
        let brief = self.briefs.get(key).cloned();
        let lives = brief.as_ref().map_or(Some(false), |brief| brief.lives(when));
        let (start_ms, end_ms) = (when.starts_ms[when.tick], when.ends_ms[when.tick]);
        let answer = match (op, &brief) {
            (Op::SetBrief(_, value, ms, only_new), _) => {
                let refused = only_new.then(|| expect(input, "$-1\r\n")).filter(|_| lives != Some(false));
                match refused {
                    Some(answer @ (Answer::Whole(_) | Answer::Partial)) => return answer,
                    _ if *only_new && lives == Some(true) => {
                        return Answer::Wrong("(null: the key is still there)".to_owned());
                    }
                    _ => {}
                }
                let (least_ms, most_ms) = (when.after_ms + ms, end_ms + ms);
                let brief = Brief { value: value.clone(), since: when.tick, least_ms, most_ms };
                self.briefs.insert(key.clone(), brief);
                for watched in self.watched.iter_mut().filter(|watched| watched.key == *key) {
                    watched.touched = true;
                }
                return expect(input, OK);
            }
            (Op::GetBrief(_), Some(brief)) if lives != Some(false) => {
                match expect(input, &bulk(&brief.value)) {
                    Answer::Wrong(_) if lives.is_none() => expect(input, "$-1\r\n"),
                    answer => return answer,
                }
            }
            (Op::GetBrief(_), _) => expect(input, "$-1\r\n"),
            (_, Some(brief)) if lives != Some(false) => {
                let least = brief.least_ms.saturating_sub(end_ms) as i64;
                let most = brief.most_ms.saturating_sub(start_ms) as i64;
                let wanted = format!("a time left from {least} to {most}");
                let mut gone = false;
                let answer = judge(input, &wanted, |frame| match frame {
                    Frame::Int(-2) => {
                        gone = true;
                        lives.is_none()
                    }
                    Frame::Int(ms) => (least..=most).contains(ms),
                    _ => false,
                });
                if !gone {
                    return answer;
                }
                answer
            }
            _ => expect(input, ":-2\r\n"),
        };
        if self.briefs.remove(key).is_some() {
            events.push(Event::Expired);
        }
        answer
    }

    /// Does what is about messages.
    fn speak(&mut self, op: &Op, input: &[u8], events: &mut Vec<Event>) -> Answer {
        let listens = !self.channels.is_empty() || !self.patterns.is_empty();
        let mark = if self.resp3 { '>' } else { '*' };
        match op {
            Op::Publish(channel, text) => judge(input, "how many have heard it", |frame| match frame {
                Frame::Int(count @ 0..) => {
                    let count = *count;
                    let (channel, text) = (channel.clone(), text.clone());
                    events.push(Event::Published { channel, text, count });
                    true
                }
                _ => false,
            }),
            Op::Hello => {
                self.resp3 = true;
                judge(input, "a list of what the server is", |frame| frame.items().len() == 14)
            }
            Op::Ping if listens && !self.resp3 => expect(input, "*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
            Op::Ping => expect(input, "+PONG\r\n"),
            Op::Subscribe(by_pattern, names) | Op::Unsubscribe(by_pattern, names) => {
                self.generation += 1;
                let on = matches!(op, Op::Subscribe(..));
                let mine = if *by_pattern { &self.patterns } else { &self.channels };
                let names = if names.is_empty() { mine.iter().cloned().collect() } else { names.clone() };
                let word =
                    format!("{}{}subscribe", if *by_pattern { "p" } else { "" }, if on { "" } else { "un" });
                let mut reply = String::new();
                for name in &names {
                    let mine = if *by_pattern { &mut self.patterns } else { &mut self.channels };
                    let _ = if on { mine.insert(name.clone()) } else { mine.remove(name) };
                    let count = int(self.channels.len() + self.patterns.len());
                    reply += &format!("{mark}3\r\n{}{}{count}", bulk(&word), bulk(name));
                }
                if names.is_empty() {
                    let (null, count) = (
                        if self.resp3 { "_\r\n" } else { "$-1\r\n" },
                        self.channels.len() + self.patterns.len(),
                    );
                    reply = format!("{mark}3\r\n{}{null}{}", bulk(&word), int(count));
                }
                expect(input, &reply)
            }
            _ => unreachable!(),
        }
    }

    /// One page of a scan: where it goes on, `Some(None)` at its end; `None` if it has lost a key.
    fn turn_page(&mut self, frame: &Frame) -> Option<Option<String>> {
        let [cursor, shown] = frame.items() else { return None };
        let names = || self.keys.keys().cloned().collect();
        let (stayed, found) = self.scan.get_or_insert_with(|| (names(), BTreeSet::new()));
        found.extend(shown.items().iter().map(|key| key.text().to_owned()));
        if cursor.text() != "0" {
            return Some(Some(cursor.text().to_owned()));
        }
        let whole = stayed.is_subset(found);
        self.scan = None;
        whole.then_some(None)
    }

    /// What the state may be after `op`, whose reply nobody has seen. A panic may end a transaction between
    /// any two of its commands; then nothing follows.
    pub fn unseen(&self, op: &Op, scarce: bool) -> Vec<State> {
        let mut after = self.clone();
        let mut possible = Vec::new();
        match (&mut after.queue, op) {
            (Some(queue), Op::Exec) => {
                let ops = std::mem::take(queue).ops;
                after.queue = None;
                possible = State { queue: None, ..self.clone() }.possible(&ops, scarce);
            }
            (queue @ Some(_), Op::Discard | Op::Reset) => *queue = None,
            (Some(queue), op) => {
                if !op.is_silent() {
                    queue.ops.push(op.clone());
                }
            }
            (queue @ None, Op::Multi) => *queue = Some(Queue::default()),
            (None, op) if op.own_keys().is_some() => {
                if scarce {
                    possible.push(self.clone());
                }
                op.apply(&mut after.keys);
            }
            (None, _) => {}
        }
        possible.push(after);
        possible
    }

    /// What the state may be after `ops`, each of which may be refused while memory is scarce.
    fn possible(self, ops: &[Op], scarce: bool) -> Vec<State> {
        let mut possible = vec![self];
        for op in ops {
            possible = possible.iter().flat_map(|state| state.unseen(op, scarce)).collect();
        }
        possible
    }

    /// What the state may be if a panic has ended the transaction that `Exec` was running.
    pub fn broken_off(&self, scarce: bool) -> Vec<State> {
        let Some(queue) = &self.queue else { return Vec::new() };
        let start = State { queue: None, ..self.clone() };
        (0..queue.ops.len()).flat_map(|len| start.clone().possible(&queue.ops[..len], scarce)).collect()
    }
}

impl Watched {
    fn touch(&self, when: &When) -> Touch {
        let lives = self.brief.as_ref().map(|(brief, surely)| (brief.lives(when), surely));
        match lives {
            _ if self.touched => Touch::Surely,
            _ if self.key == SHARED => Touch::Perhaps,
            Some((Some(false), true)) => Touch::Surely,
            None | Some((Some(true), _)) => Touch::No,
            Some(_) => Touch::Perhaps,
        }
    }
}
