//! Queues that all clients share: what the scripts do to them, and which replies may be right.
//!
//! Each element is put once, so the clients' replies together tell whether an element was lost or taken twice.

use rand::RngExt;

use crate::frames::Frame;
use crate::model::{OK, Op};
use crate::script::{Author, Step, step};
use crate::state::{Answer, Event, When, expect, judge};

/// The group that takes from the stream.
pub const GROUP: &str = "workers";
const BUSY: &str = "-BUSYGROUP Consumer Group name already exists\r\n";
const NO_GROUP: &str =
    "-NOGROUP No such key 'jobs' or consumer group 'workers' in XREADGROUP with GROUP option\r\n";

/// A queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// A list to whose right end elements are put and from whose left end they are taken.
    First,
    /// The same; elements of the first one are handed on to it.
    Second,
    /// A sorted set.
    Pile,
    /// A stream, from which the consumers of a group take entries.
    Jobs,
}

impl Queue {
    pub const ALL: [Queue; 4] = [Queue::First, Queue::Second, Queue::Pile, Queue::Jobs];

    pub fn name(self) -> &'static str {
        ["queue:0", "queue:1", "pile", "jobs"][self as usize]
    }
}

/// What a request does to queues.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueueOp {
    Put(Queue, Vec<String>),
    /// Creates the group that takes from the stream, unless it is there.
    Open,
    /// Takes an element from the first of these queues that has one. Waits for it so many milliseconds, 0 for ever; `None`
    /// does not wait.
    Take(Vec<Queue>, Option<u64>),
    /// Moves an element from the first queue to the second one, and may wait for it as well.
    Hand(Option<u64>),
}

impl QueueOp {
    /// How long it may wait, if it does.
    pub fn wait(&self) -> Option<u64> {
        match self {
            QueueOp::Put(..) | QueueOp::Open => None,
            QueueOp::Take(_, wait) | QueueOp::Hand(wait) => *wait,
        }
    }

    /// Compares what was received with the replies that may be right, and notes what the reply tells.
    pub fn answer(&self, input: &[u8], when: &When, events: &mut Vec<Event>) -> Answer {
        if let QueueOp::Put(queue, elements) = self {
            return judge(input, "how many were put, or how many there are", |frame| {
                let count = elements.len() as i64;
                let right = match frame {
                    Frame::Text(id) => *queue == Queue::Jobs && id.contains('-'),
                    Frame::Int(n) => *n == count || *queue != Queue::Pile && *n > count,
                    _ => false,
                };
                events.push(Event::Put(elements.clone()));
                right
            });
        }
        if *self == QueueOp::Open {
            return match expect(input, BUSY) {
                Answer::Wrong(_) => expect(input, OK),
                answer => answer,
            };
        }
        if (when.scarce || when.busy) && matches!(self, QueueOp::Take(queues, _) if queues[0] == Queue::Jobs)
        {
            // The group could not be created.
            match expect(input, NO_GROUP) {
                Answer::Wrong(_) => {}
                answer => return answer,
            }
        }
        judge(input, "an element, or null after the wait", |frame| match self.element(frame) {
            Some((queue, element)) => {
                let element = element.to_owned();
                events.push(match self {
                    QueueOp::Hand(_) => Event::Handed,
                    _ => Event::Took { element, queue, waited: self.wait().is_some() && when.later },
                });
                true
            }
            None => {
                let is_null = *frame == Frame::Null || *frame == Frame::Items('*', Vec::new());
                let over = match self.wait() {
                    None => true,
                    // A server that stops ends all waits.
                    Some(0) => when.quits,
                    Some(ms) => when.quits || when.elapsed_ns >= ms * 1_000_000,
                };
                if self.wait().is_some() {
                    events.push(Event::WaitedInVain);
                }
                is_null && over
            }
        })
    }

    /// The element that a reply shows, and the queue that it came from.
    fn element<'a>(&self, frame: &'a Frame) -> Option<(Queue, &'a str)> {
        let (queues, waits) = match self {
            QueueOp::Take(queues, wait) => (&queues[..], wait.is_some()),
            _ => (&[Queue::First][..], false),
        };
        match (queues[0], frame) {
            (Queue::Jobs, frame) => {
                let [stream] = frame.items() else { return None };
                let [name, entries] = stream.items() else { return None };
                let [entry] = entries.items() else { return None };
                let [_, fields] = entry.items() else { return None };
                match fields.items() {
                    [_, element] if name.text() == Queue::Jobs.name() => Some((Queue::Jobs, element.text())),
                    _ => None,
                }
            }
            (Queue::Pile, frame) => match frame.items() {
                [name, member, _] if waits && name.text() == Queue::Pile.name() => {
                    Some((Queue::Pile, member.text()))
                }
                [member, _] if !waits => Some((Queue::Pile, member.text())),
                _ => None,
            },
            (_, Frame::Items(_, items)) if waits => {
                let [name, element] = &items[..] else { return None };
                let queue = queues.iter().find(|queue| queue.name() == name.text())?;
                Some((*queue, element.text()))
            }
            (queue, Frame::Text(element)) if !waits => Some((queue, element)),
            _ => None,
        }
    }
}

impl Author<'_> {
    /// Something about the queues.
    pub fn queue(&mut self, steps: &mut Vec<Step>) {
        match self.rng.random_range(0..10) {
            0..3 => steps.push(self.put()),
            3 => {
                // Clients are served when the transaction is complete, and after the command that follows it here.
                steps.push(step(&["MULTI"], Op::Multi));
                steps.push(self.put());
                steps.push(self.command());
                steps.push(self.put());
                steps.push(step(&["EXEC"], Op::Exec));
                steps.push(self.take());
            }
            4 | 5 => {
                steps.push(step(
                    &["XGROUP", "CREATE", Queue::Jobs.name(), GROUP, "0", "MKSTREAM"],
                    Op::Queue(QueueOp::Open),
                ));
                steps.push(self.take_job());
            }
            _ => steps.push(self.take()),
        }
    }

    /// Lets a consumer take an entry, and perhaps wait for it.
    fn take_job(&mut self) -> Step {
        let wait = self.rng.random_bool(0.7).then(|| match self.rng.random_range(0..10) {
            0 => 0,
            _ => 1 << self.rng.random_range(0..12),
        });
        let (consumer, ms) = (format!("c{}", self.name), wait.unwrap_or_default().to_string());
        let mut request = vec!["XREADGROUP", "GROUP", GROUP, &consumer, "COUNT", "1"];
        if wait.is_some() {
            request.extend(["BLOCK", &ms]);
        }
        request.extend(["STREAMS", Queue::Jobs.name(), ">"]);
        step(&request, Op::Queue(QueueOp::Take(vec![Queue::Jobs], wait)))
    }

    pub fn put(&mut self) -> Step {
        let queue = Queue::ALL[self.rng.random_range(0..4)];
        if queue == Queue::Jobs {
            let element = self.unique();
            let op = QueueOp::Put(queue, vec![element.clone()]);
            return step(&["XADD", queue.name(), "*", "f", &element], Op::Queue(op));
        }
        let elements: Vec<String> = (0..self.rng.random_range(1..3)).map(|_| self.unique()).collect();
        let scores: Vec<String> = elements.iter().map(|_| self.rng.random_range(0..5).to_string()).collect();
        let mut request = vec![if queue == Queue::Pile { "ZADD" } else { "RPUSH" }, queue.name()];
        for (element, score) in elements.iter().zip(&scores) {
            if queue == Queue::Pile {
                request.push(score);
            }
            request.push(element);
        }
        step(&request, Op::Queue(QueueOp::Put(queue, elements.clone())))
    }

    /// An element that no other client puts, and this one once. The numbers of a client's elements grow.
    fn unique(&mut self) -> String {
        self.elements += 1;
        format!("{}.{}", self.name, self.elements)
    }

    fn take(&mut self) -> Step {
        let wait = match self.rng.random_range(0..10) {
            0 | 1 => Some(0),
            2..9 => Some(1 << self.rng.random_range(0..12)),
            _ => None,
        };
        let seconds = wait.map(|ms| format!("{}", ms as f64 / 1_000.0));
        let seconds: Vec<&str> = seconds.as_deref().into_iter().collect();
        let (queues, words): (Vec<Queue>, Vec<&str>) = match self.rng.random_range(0..5) {
            0 => {
                let word = if wait.is_some() { "BLMOVE" } else { "LMOVE" };
                let request = [word, Queue::First.name(), Queue::Second.name(), "LEFT", "RIGHT"];
                return step(&[&request, &seconds[..]].concat(), Op::Queue(QueueOp::Hand(wait)));
            }
            1 => (vec![Queue::Pile], vec![if wait.is_some() { "BZPOPMIN" } else { "ZPOPMIN" }]),
            2 if wait.is_some() => (vec![Queue::Second, Queue::First], vec!["BLPOP"]),
            3 => (vec![Queue::Second], vec![if wait.is_some() { "BLPOP" } else { "LPOP" }]),
            _ => (vec![Queue::First], vec![if wait.is_some() { "BLPOP" } else { "LPOP" }]),
        };
        let names: Vec<&str> = queues.iter().map(|queue| queue.name()).collect();
        step(&[words, names, seconds].concat(), Op::Queue(QueueOp::Take(queues, wait)))
    }
}
