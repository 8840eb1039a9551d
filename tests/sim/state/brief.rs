//! Keys that live for a short time.

use super::judge::{Answer, expect, judge};
use super::{Event, State, When};
use crate::frames::Frame;
use crate::model::{OK, Op, bulk};

/// A key that lives for a short time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Brief {
    value: String,
    lease: Lease,
}

/// For how long something lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// The tick in which it was given.
    since: usize,
    /// It ends between these, Unix milliseconds.
    least_ms: u64,
    most_ms: u64,
    /// The step whose `EXEC` has given it.
    executed: Option<usize>,
}

impl Lease {
    /// A lease for so many milliseconds, given then; `executing` is the step whose `EXEC` is running.
    pub fn new(when: &When, ms: u64, executing: Option<usize>) -> Lease {
        let (least_ms, most_ms) = (when.after_ms + ms, when.ends_ms[when.tick] + ms);
        Lease { since: when.tick, least_ms, most_ms, executed: executing }
    }

    /// Whether a command that ran then saw that it lives; `None` if that is open.
    pub fn lives(&self, when: &When, executing: Option<usize>) -> Option<bool> {
        if executing.is_some() && self.executed == executing {
            // Within a transaction time stands still.
            return Some(true);
        }
        let latest = *when.ends_ms[self.since..=when.tick].iter().max()?;
        if when.starts_ms[when.tick] >= self.most_ms {
            return Some(false);
        }
        (latest < self.least_ms).then_some(true)
    }

    /// How many milliseconds it lasts from then on: between these.
    pub fn time_left(&self, when: &When) -> (i64, i64) {
        let least = self.least_ms.saturating_sub(when.ends_ms[when.tick]) as i64;
        (least, self.most_ms.saturating_sub(when.starts_ms[when.tick]) as i64)
    }
}

impl Brief {
    /// Whether a command outside of a transaction that ran then saw it; `None` if that is open.
    pub fn lives(&self, when: &When) -> Option<bool> {
        self.lease.lives(when, None)
    }
}

impl State {
    /// Runs a command about a key that lives for a short time.
    pub(super) fn act_briefly(
        &mut self,
        op: &Op,
        input: &[u8],
        when: &When,
        events: &mut Vec<Event>,
    ) -> Answer {
        let (Op::SetBrief(key, ..) | Op::GetBrief(key) | Op::TimeLeft(key)) = op else { unreachable!() };
        let brief = self.briefs.get(key).cloned();
        let lives = brief.as_ref().map_or(Some(false), |brief| brief.lease.lives(when, self.executing));
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
                let brief = Brief { value: value.clone(), lease: Lease::new(when, *ms, self.executing) };
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
                let (least, most) = brief.lease.time_left(when);
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
}
