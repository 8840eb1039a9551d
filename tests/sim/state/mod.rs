//! The replies that a client's requests must get, in the order in which it sent them, by a simple model. If other
//! clients or the clock decide about a reply, several replies may be right. What such a reply tells about others is
//! noted as an [`Event`] and compared with what the others were told.

mod brief;
mod caching;
mod fields;
mod hoards;
mod judge;
mod messages;
mod scripts;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};

use crate::frames::Frame;
use crate::hashes::HashOp;
use crate::keys;
use crate::model::{Held, Keys, OK, OOM, OOM_REPLY, Op, RESET, bulk, bulk_or_null, int};
use crate::queues::Queue as Line;
use crate::sets;
use crate::streams;
use crate::times;
use brief::Brief;
use caching::Copies;
pub use caching::CopyOp;
use fields::Field;
pub use fields::FieldOp;
use hoards::Item;
pub use hoards::{HoardOp, Victims};
pub use judge::Answer;
pub use judge::{expect, judge};
use judge::{expect_line, nullable};
use scripts::through_lua;
use transaction::{Queue, TOO_LONG, Watched};

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
    /// The cursor at which a `SCAN` goes on, and the `TYPE` that it has; `None` at its end.
    Page(Option<(String, Option<&'static str>)>),
    /// A command or an option was met.
    Met(&'static str),
    /// These elements were put into a queue.
    Put(Vec<String>),
    /// An element was taken from a queue.
    Took {
        element: String,
        queue: Line,
        /// The request was read in an earlier tick: the client has waited.
        waited: bool,
    },
    Handed,
    WaitedInVain,
    Ran,
    NotRun,
    Aborted,
    Expired,
    /// A field of a hash that had a time of expiry was gone.
    FieldExpired,
    /// A key was gone that may have been evicted.
    Evicted,
    /// A write was refused because the memory is used up.
    NoRoom,
    /// A command was refused for lack of memory.
    Refused,
    /// A script has ended: how, how many of its calls stand, and whether the reply has shown theirs.
    Script {
        how: &'static str,
        stands: usize,
        told: bool,
    },
    /// A command was refused because a script was running.
    Busy,
    /// A script of another client was killed.
    KilledScript,
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
    /// Most nanoseconds from when its request was read until its reply was ready.
    pub elapsed_ns: u64,
    /// Its request was read in an earlier tick.
    pub later: bool,
    /// Memory may be refused.
    pub scarce: bool,
    /// The server may be stopping.
    pub quits: bool,
    /// Others may read `BUSY` while a script runs.
    pub busy: bool,
    /// The limit on the time of scripts.
    pub script_limit_ms: u64,
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
    /// Its copies of keys.
    pub copies: Copies,
    /// Its keys that may be evicted.
    pub hoard: BTreeMap<String, Item>,
    /// The fields of its hash for fields that expire.
    fields: BTreeMap<String, Field>,
    /// The step whose `EXEC` is running.
    executing: Option<usize>,
    /// A script is calling.
    in_script: bool,
    pub spared: bool,
    pub resp3: bool,
    pub channels: BTreeSet<String>,
    pub patterns: BTreeSet<String>,
    /// Counts changes of the subscriptions.
    pub generation: u32,
    /// The keys that have been there since a scan began, of its kind, and those that it has shown.
    scan: Option<(BTreeSet<String>, BTreeSet<String>)>,
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
        if when.busy && matches!(answer, Answer::Wrong(_)) {
            let mut refused = self.clone();
            let busy = refused.told_busy(op, input);
            if !matches!(busy, Answer::Wrong(_)) {
                (next, told, answer) = (refused, vec![Event::Busy], busy);
            }
        }
        if matches!(answer, Answer::Whole(_)) {
            *self = next;
            events.append(&mut told);
        }
        answer
    }

    /// True if requests are queued for a transaction.
    pub fn is_queueing(&self) -> bool {
        self.queue.is_some()
    }

    /// The command was refused because a script was running.
    fn refuse_while_busy(&mut self, op: &Op) {
        if *op == Op::Exec {
            (self.queue, self.seen) = (None, [None, None]);
            self.watched.clear();
        } else if let Some(queue) = &mut self.queue {
            queue.aborted = true;
        }
    }

    /// The command was answered with an error for lack of memory.
    fn refuse(&mut self, op: &Op) {
        match (&mut self.queue, op) {
            (Some(queue), Op::Exec) => {
                *queue = Queue { aborted: true, doubtful: true, ops: Vec::new() };
                self.watched.clear();
            }
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
        if self.queue.as_ref().is_some_and(|queue| queue.doubtful) {
            let mut ended = State { queue: None, ..self.clone() };
            match ended.act(step, op, input, when, events) {
                Answer::Wrong(_) => events.clear(),
                answer => {
                    *self = ended;
                    return answer;
                }
            }
        }
        let Some(queue) = &mut self.queue else { return self.act(step, op, input, when, events) };
        queue.doubtful = false;
        match op {
            Op::Exec => self.exec(step, input, when, events),
            Op::Discard | Op::Reset => self.act(step, op, input, when, events),
            Op::Multi => expect(input, "-ERR MULTI calls can not be nested\r\n"),
            Op::Watch(_) => expect(input, "-ERR WATCH inside MULTI is not allowed\r\n"),
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

    /// Runs a command.
    fn act(&mut self, step: usize, op: &Op, input: &[u8], when: &When, events: &mut Vec<Event>) -> Answer {
        events.extend(op.words().into_iter().map(Event::Met));
        match op {
            Op::Multi => {
                self.queue = Some(Queue::default());
                expect(input, OK)
            }
            Op::Exec => expect(input, "-ERR EXEC without MULTI\r\n"),
            Op::Discard if self.queue.is_none() => expect(input, "-ERR DISCARD without MULTI\r\n"),
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
                let State { keys, briefs, fields, mut copies, generation, .. } = std::mem::take(self);
                copies.end();
                *self =
                    State { keys, briefs, fields, copies, generation: generation + 1, ..State::default() };
                expect(input, RESET)
            }
            Op::SetTwin(..) => expect(input, OK),
            Op::SetBrief(..) | Op::GetBrief(_) | Op::TimeLeft(_) => self.act_briefly(op, input, when, events),
            Op::Hoard(key, op, victims) => self.hoard(key, op, *victims, input, events),
            Op::Tells(reply, _) => expect(input, reply),
            Op::Cached(op) => self.act_on_copies(op, input),
            Op::Field(op) => self.act_on_fields(op, input, when, events),
            Op::Publish(..) | Op::Subscribe(..) | Op::Unsubscribe(..) | Op::Hello | Op::Ping => {
                self.speak(op, input, events)
            }
            Op::Spare(spared) => {
                self.spared = *spared;
                expect(input, OK)
            }
            Op::Unpause => expect(input, OK),
            Op::Wait => expect(input, &int(0)),
            Op::Script(script) => self.run_script(step, script, input, when, events),
            Op::KillScript => State::kill_script(input, events),
            Op::LoadLibrary => expect(input, &bulk("lib")),
            Op::Queue(op) => op.answer(input, when, events),
            Op::Hash(key, whole @ (HashOp::All | HashOp::Scan)) => match self.keys.get(key) {
                Some(Held::Fields(fields)) => {
                    judge(input, "a list of all fields and values", |frame| whole.shows(fields, frame))
                }
                _ => expect(input, &self.do_to_own(op)),
            },
            Op::Members(..) | Op::Combine(..) if sets::shown(&self.keys, op).is_some() => {
                let members = sets::shown(&self.keys, op).expect("as asked");
                self.do_to_own(op);
                judge(input, "a list of members", |frame| sets::shows(op, &members, frame))
            }
            Op::AnyKey(db, prefix) => judge(input, "a name of a key that is there, or null", |frame| {
                keys::may_be_any(&self.keys, *db, prefix, frame)
            }),
            Op::Encoding(key) if self.keys.contains_key(key) => {
                let names = keys::encodings(&self.keys[key]);
                judge(input, &format!("a name of these: {names:?}"), |frame| names.contains(&frame.text()))
            }
            Op::Time(..) if times::tells(&self.keys, op).is_some() => {
                let told = times::tells(&self.keys, op).expect("as asked");
                judge(input, &format!("a number and how near it must be: {told:?}"), |frame| {
                    times::shows(told, frame)
                })
            }
            op if op.own_keys().is_some() || matches!(op, Op::Says(_)) => {
                let reply = self.do_to_own(op);
                expect(input, &if self.in_script { through_lua(&reply) } else { reply })
            }
            op => self.ask(step, op, input, events),
        }
    }

    /// Commands that tell something about other clients, or about all keys.
    fn ask(&mut self, step: usize, op: &Op, input: &[u8], events: &mut Vec<Event>) -> Answer {
        match op {
            Op::SetShared(value) => judge(input, "what was there before", |frame| {
                events.push(Event::Shared(nullable(frame), value.clone()));
                true
            }),
            Op::GetShared => judge(input, "what is there", |frame| {
                let after = usize::from(!self.watched.is_empty());
                self.seen[after] = Some(nullable(frame));
                true
            }),
            Op::GetTwins => judge(input, "a list of two", |frame| match frame.items() {
                [one, other] => {
                    events.push(Event::Twins(one.clone(), other.clone()));
                    true
                }
                _ => false,
            }),
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
            Op::Page(kind) => {
                judge(input, "a list of a cursor and all keys of the kind that stayed", |frame| {
                    self.turn_page(frame, *kind).is_some_and(|cursor| {
                        events.push(Event::Page(cursor.map(|cursor| (cursor, *kind))));
                        true
                    })
                })
            }
            op => unreachable!("{op:?} asks for nothing"),
        }
    }

    /// Runs a command about the client's own keys.
    pub fn do_to_own(&mut self, op: &Op) -> String {
        let before = if self.watched.is_empty() { Keys::default() } else { self.keys.clone() };
        let reply = op.apply(&mut self.keys);
        for watched in &mut self.watched {
            let names = op.own_keys().is_some_and(|(names, writes)| writes && names.contains(&&watched.key));
            let had = before.contains_key(&watched.key);
            watched.touched |= names
                && match op {
                    Op::SetNew(..) => !had,
                    Op::Take(_) => had && !reply.starts_with('-'),
                    Op::Rename(from, to) => from != to && !reply.starts_with('-'),
                    Op::Copy(..) | Op::Move(..) | Op::SetManyNew(_) | Op::DeleteIf(..) => reply == int(1),
                    Op::SetRange(_, _, part) => !part.is_empty() && !reply.starts_with('-'),
                    Op::SetIf(..) => reply == OK,
                    Op::Delete(_) => had,
                    Op::RenameNew(..) | Op::Time(..) => reply == int(1),
                    Op::Text(key, op) => op.has_changed(&before, key, &reply),
                    Op::Bits(key, op) => op.has_changed(&before, key),
                    Op::BitsInto(..) => !reply.starts_with('-') && (had || reply != int(0)),
                    Op::Hash(_, op) => op.has_changed(&reply),
                    Op::Members(_, op) => op.has_changed(&reply, had),
                    Op::MoveMember(..) | Op::Scores(..) => {
                        before.get(&watched.key) != self.keys.get(&watched.key)
                    }
                    Op::Stream(..) => streams::differ(before.get(&watched.key), self.keys.get(&watched.key)),
                    Op::CombineInto(..) | Op::SearchInto(..) => {
                        !reply.starts_with('-') && (had || reply != int(0))
                    }
                    Op::Elements(_, op) => op.has_changed(&reply, had),
                    Op::MoveElement(..) => !reply.starts_with('-') && reply != bulk_or_null(None),
                    _ => !reply.starts_with('-'),
                };
        }
        if let Some((stayed, _)) = &mut self.scan {
            stayed.retain(|key| self.keys.contains_key(key));
        }
        reply
    }

    /// One page of a scan of keys of a kind, or of all: where it goes on, `Some(None)` at its end; `None` if it has lost a key,
    /// or has shown one of another kind.
    fn turn_page(&mut self, frame: &Frame, kind: Option<&str>) -> Option<Option<String>> {
        let [cursor, shown] = frame.items() else { return None };
        let is_meant = |held: &Held| kind.is_none_or(|kind| kind == keys::kind(held));
        if shown.items().iter().any(|key| self.keys.get(key.text()).is_some_and(|held| !is_meant(held))) {
            return None;
        }
        let meant = self.keys.iter().filter(|(_, held)| is_meant(held));
        let names = || meant.map(|(key, _)| key.clone()).collect();
        let (stayed, found) = self.scan.get_or_insert_with(|| (names(), BTreeSet::new()));
        found.extend(shown.items().iter().map(|key| key.text().to_owned()));
        if cursor.text() != "0" {
            return Some(Some(cursor.text().to_owned()));
        }
        let whole = stayed.is_subset(found);
        self.scan = None;
        whole.then_some(None)
    }
}
