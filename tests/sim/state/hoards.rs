//! Keys that may be evicted. In some runs the clients fill the memory up to `maxmemory` and beyond; the replies tell which
//! keys are gone, and the model says which of them may be.

use rand::RngExt;
use tidegate::config::EvictionPolicy;

use super::judge::{Answer, expect};
use super::{Event, State};
use crate::model::{OK, Op, bulk};
use crate::script::{Author, Step, step};

const NO_ROOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
/// Keys of a client.
const KEYS: usize = 40;
/// Seconds for which keys live that expire: longer than any run lasts.
const LONG_S: &str = "1000000000";

/// Which keys may be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victims {
    None,
    /// Those that expire.
    Expiring,
    All,
}

impl Victims {
    /// The keys that the policy lets the server evict.
    pub fn of(policy: EvictionPolicy) -> Victims {
        match policy {
            EvictionPolicy::NoEviction => Victims::None,
            EvictionPolicy::AllkeysLru | EvictionPolicy::AllkeysLfu | EvictionPolicy::AllkeysRandom => {
                Victims::All
            }
            _ => Victims::Expiring,
        }
    }
}

/// What a request does to a key that may be evicted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoardOp {
    /// With a value; with a time of expiry if it says so.
    Set(String, bool),
    Append(String),
    Get,
    Delete,
    /// `PERSIST`
    Keep,
}

/// A key as the model has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    pub value: String,
    pub expires: bool,
}

impl Item {
    /// True if it may be gone.
    pub fn may_go(&self, victims: Victims) -> bool {
        victims == Victims::All || victims == Victims::Expiring && self.expires
    }
}

impl State {
    /// Runs a command about a key that may be evicted.
    pub(super) fn hoard(
        &mut self,
        key: &str,
        op: &HoardOp,
        victims: Victims,
        input: &[u8],
        events: &mut Vec<Event>,
    ) -> Answer {
        let grows = matches!(op, HoardOp::Set(..) | HoardOp::Append(_));
        if grows && !matches!(expect(input, NO_ROOM), Answer::Wrong(_)) {
            events.push(Event::NoRoom);
            return expect(input, NO_ROOM);
        }
        let there = self.hoard.get(key).cloned();
        let may_go = there.as_ref().is_some_and(|item| item.may_go(victims));
        let mut answer = Answer::Partial;
        // If the key may be gone, the reply tells.
        for item in [Some(there), may_go.then_some(None)].into_iter().flatten() {
            let is_gone = item.is_none() && self.hoard.contains_key(key);
            let (reply, after) = outcome(item, op);
            answer = expect(input, &reply);
            if !matches!(answer, Answer::Wrong(_)) {
                if is_gone {
                    events.push(Event::Evicted);
                }
                match after {
                    Some(item) => drop(self.hoard.insert(key.to_owned(), item)),
                    None => drop(self.hoard.remove(key)),
                }
                return answer;
            }
        }
        answer
    }
}

/// The reply to a command about a key that is this, and what it is then.
fn outcome(item: Option<Item>, op: &HoardOp) -> (String, Option<Item>) {
    match (op, item) {
        (HoardOp::Set(value, expires), _) => {
            (OK.to_owned(), Some(Item { value: value.clone(), expires: *expires }))
        }
        (HoardOp::Append(tail), item) => {
            let mut item = item.unwrap_or(Item { value: String::new(), expires: false });
            item.value += tail;
            (format!(":{}\r\n", item.value.len()), Some(item))
        }
        (HoardOp::Get, item) => {
            let reply = item.as_ref().map_or("$-1\r\n".to_owned(), |item| bulk(&item.value));
            (reply, item)
        }
        (HoardOp::Delete, item) => (format!(":{}\r\n", u8::from(item.is_some())), None),
        (HoardOp::Keep, item) => {
            let expired = item.as_ref().is_some_and(|item| item.expires);
            (format!(":{}\r\n", u8::from(expired)), item.map(|item| Item { expires: false, ..item }))
        }
    }
}

impl Author<'_> {
    /// Fills the memory, and asks what is still there.
    pub fn hoarder(&mut self, victims: Victims) -> Vec<Step> {
        (0..self.rng.random_range(20..120)).map(|_| self.hoard_command(victims)).collect()
    }

    fn hoard_command(&mut self, victims: Victims) -> Step {
        let key = format!("hoard:{}:{}", self.name, self.rng.random_range(0..KEYS));
        let value = self.rng.random_range(0..10_u8).to_string().repeat(self.rng.random_range(1..600));
        let (request, op): (Vec<&str>, HoardOp) = match self.rng.random_range(0..16) {
            0..4 => (vec!["SET", &key, &value], HoardOp::Set(value.clone(), false)),
            4..9 => (vec!["SET", &key, &value, "EX", LONG_S], HoardOp::Set(value.clone(), true)),
            9 => (vec!["APPEND", &key, "tail"], HoardOp::Append("tail".to_owned())),
            10 => (vec!["DEL", &key], HoardOp::Delete),
            11 => (vec!["PERSIST", &key], HoardOp::Keep),
            _ => (vec!["GET", &key], HoardOp::Get),
        };
        step(&request, Op::Hoard(key.clone(), op, victims))
    }
}
