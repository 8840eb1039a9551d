//! Transactions: what is queued, what is watched, and what `EXEC` may come to.

use super::judge::{Answer, expect};
use super::{Event, State, When, brief::Brief};
use crate::model::{OOM, OOM_REPLY, Op, SHARED};

const EXEC_ABORT: &str = "-EXECABORT Transaction discarded because of previous errors.\r\n";
pub const TOO_LONG: &str = "-ERR transaction exceeds client-query-buffer-limit (";
const NIL: &str = "*-1\r\n";

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Queue {
    pub ops: Vec<Op>,
    pub aborted: bool,
    /// Its `EXEC` was refused for lack of memory. If it was refused before it ran, the transaction is still open.
    pub doubtful: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    pub key: String,
    /// By the client itself.
    pub touched: bool,
    /// What it was if it lives for a short time, and whether it surely lived.
    pub brief: Option<(Brief, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Touch {
    No,
    Perhaps,
    Surely,
}

impl State {
    pub(super) fn exec(&mut self, step: usize, input: &[u8], when: &When, events: &mut Vec<Event>) -> Answer {
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
        let seen = shared.then_some(seen);
        if touch == Touch::Surely {
            return Answer::Wrong("(null: a watched key has changed)".to_owned());
        }
        self.executing = Some(step);
        let answer = self.elements(step, &queue.ops, seen, input, when, events);
        self.executing = None;
        answer
    }

    /// The replies of the commands of a transaction that runs; `seen` is the shared key before and after it was
    /// watched, if it was.
    fn elements(
        &mut self,
        step: usize,
        ops: &[Op],
        seen: Option<[Option<Option<String>>; 2]>,
        input: &[u8],
        when: &When,
        events: &mut Vec<Event>,
    ) -> Answer {
        let mut len = match expect(input, &format!("*{}\r\n", ops.len())) {
            Answer::Whole(len) => len,
            other => return other,
        };
        for op in ops {
            let mut told = Vec::new();
            match self.element(step, op, &input[len..], when, &mut told) {
                Answer::Whole(more) => len += more,
                other => return other,
            }
            if let (Some([_, Some(after)]), [Event::Shared(before, _)]) = (&seen, &told[..])
                && before != after
            {
                return Answer::Wrong(format!("(null: the shared key was no longer {after:?})"));
            }
            events.append(&mut told);
        }
        events.push(Event::Ran);
        Answer::Whole(len)
    }

    pub(super) fn element(
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

    /// The states that are possible after `op`, whose reply the client has not seen. A panic may end a transaction
    /// between any two of its commands; then nothing follows.
    pub fn unseen(&self, op: &Op, scarce: bool) -> Vec<State> {
        let mut after = self.clone();
        let mut possible = Vec::new();
        if self.queue.as_ref().is_some_and(|queue| queue.doubtful) {
            possible = State { queue: None, ..self.clone() }.unseen(op, scarce);
        }
        match (&mut after.queue, op) {
            (Some(queue), Op::Exec) => {
                let ops = std::mem::take(queue).ops;
                after.queue = None;
                possible.extend(State { queue: None, ..self.clone() }.possible(&ops, scarce));
            }
            (queue @ Some(_), Op::Discard | Op::Reset) => *queue = None,
            (Some(queue), op) => {
                if !op.is_silent() {
                    queue.ops.push(op.clone());
                }
            }
            (queue @ None, Op::Multi) => *queue = Some(Queue::default()),
            (None, Op::Script(script)) => return self.after_script(script, scarce),
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

    /// The states that are possible after `ops`. Each of them may be refused while memory is scarce.
    fn possible(self, ops: &[Op], scarce: bool) -> Vec<State> {
        let mut possible = vec![self];
        for op in ops {
            possible = possible.iter().flat_map(|state| state.unseen(op, scarce)).collect();
        }
        possible
    }

    /// The states that are possible if a panic has ended the transaction that `Exec` was running.
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
