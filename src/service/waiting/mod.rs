//! Clients that wait for a key to hold something: `BLPOP` and the like.
//!
//! A command that finds nothing makes a [`Wish`]. The world then keeps a copy of the request and puts the client in line for
//! each of its keys, and the turn parks the connection. A change of one of these keys makes it ready. As soon as the command or the
//! transaction that changed it is complete, and before any other one runs, the clients in line run their requests again, in
//! the order of their tickets, until the key holds nothing more. So nobody overtakes a client that waits, and a client that
//! leaves while it waits has taken nothing.
//!
//! A client that waits costs nothing until its deadline. To wake one costs the same however many wait.

mod waits;
mod wake;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::command::Command;
use crate::base::{ConnId, Moment};
use crate::resp::{Args, Kept};
use crate::store::{Effect, Effects, Kind, What};

/// About how many bytes it takes to wait in one line, besides the key.
const PLACE_BYTES: usize = 128;

/// What a command that has found nothing wants to wait for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The kind of value that its keys should hold.
    pub kind: Kind,
    /// True if the request also runs again when a key is gone or holds another kind of value, to say so.
    pub heeds_loss: bool,
    /// Which arguments of the request are the keys.
    pub keys: Range<usize>,
    /// When the wait ends; `None` if it has no end.
    pub until: Option<Moment>,
    /// Words that stand in the place of others when the request runs again, by their positions: `$` means the last entry of
    /// now, and not of then.
    pub instead: Vec<(usize, Vec<u8>)>,
}

/// A request that waits.
#[derive(Debug)]
pub struct Waits {
    request: Kept,
    /// The command that the request names.
    pub command: &'static Command,
    /// The database in which its keys are.
    db: u16,
    wish: Wish,
    /// Its place in every line: lower numbers come first.
    ticket: u64,
    /// False if the client has switched replies off.
    answered: bool,
}

impl Waits {
    /// The request.
    pub fn args(&self) -> Args<'_> {
        self.request.iter().next().expect("one request was kept")
    }

    /// Bytes of memory that it takes, with its places in the lines.
    pub fn memory(&self) -> usize {
        size_of::<Waits>() + self.request.memory() + self.wish.keys.len() * PLACE_BYTES
    }

    /// The keys that it waits for.
    fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.args().from(self.wish.keys.start).take(self.wish.keys.len())
    }
}

/// A place in the line of a key: the class of the client, and its ticket. The class is the kind of value that the client
/// waits for, or [`HEEDS_LOSS`].
pub type Place = (u8, u64);

/// The class of clients whose requests run again whatever the key holds. It is behind all others.
pub const HEEDS_LOSS: u8 = u8::MAX;

impl Wish {
    fn place(&self, ticket: u64) -> Place {
        (if self.heeds_loss { HEEDS_LOSS } else { self.kind as u8 }, ticket)
    }
}

/// The clients that wait for one key.
#[derive(Debug, Default)]
struct Line {
    /// The clients by the kind of value that they wait for, and by their tickets.
    clients: BTreeMap<Place, ConnId>,
    /// True if the key is in [`Waiting::ready`].
    ready: bool,
}

impl Line {
    fn heeds_loss(&self) -> bool {
        self.clients.last_key_value().is_some_and(|((class, _), _)| *class == HEEDS_LOSS)
    }

    /// Puts the key of this line among those that are `ready`, unless it is there already.
    fn make_ready(&mut self, db: u16, key: &[u8], ready: &mut VecDeque<(u16, Box<[u8]>)>) {
        if !std::mem::replace(&mut self.ready, true) {
            ready.push_back((db, key.into()));
        }
    }
}

/// All clients that wait for keys.
#[derive(Debug, Default)]
pub struct Waiting {
    /// The lines, by database and key.
    lines: BTreeMap<u16, BTreeMap<Box<[u8]>, Line>>,
    /// The clients that do not wait for ever, by deadline and ticket.
    deadlines: BTreeMap<(Moment, u64), ConnId>,
    /// The keys that have changed since the clients in their lines were last served.
    ready: VecDeque<(u16, Box<[u8]>)>,
    /// The next ticket.
    tickets: u64,
    /// Number of clients.
    clients: usize,
    /// The client that is being served at this moment: its request runs again.
    waking: Option<ConnId>,
    /// The client that has just begun to wait, or whose request has run again and goes on to wait.
    begun: Option<ConnId>,
    /// True once the server is stopping: nobody may begin to wait.
    is_over: bool,
}

impl Waiting {
    /// Number of clients that wait.
    pub fn clients(&self) -> usize {
        self.clients
    }

    /// Number of keys for which clients wait.
    pub fn keys(&self) -> usize {
        self.lines.values().map(BTreeMap::len).sum()
    }

    /// Number of clients whose wait has an end.
    pub fn timed(&self) -> usize {
        self.deadlines.len()
    }

    /// True if a command may begin to wait.
    pub fn is_open(&self) -> bool {
        !self.is_over
    }

    /// When the first wait ends.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.deadlines.keys().next().map(|(until, _)| *until)
    }

    /// Number of clients that wait for a key.
    pub fn waiting_for(&self, db: u16, key: &[u8]) -> usize {
        self.lines.get(&db).and_then(|lines| lines.get(key)).map_or(0, |line| line.clients.len())
    }

    /// True if the request of this client runs again at this moment.
    pub fn is_waking(&self, id: ConnId) -> bool {
        self.waking == Some(id)
    }

    /// True if a key has changed and the clients in its line have not been served yet.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes out the next key that has changed.
    pub fn take_ready(&mut self) -> Option<(u16, Box<[u8]>)> {
        let (db, key) = self.ready.pop_front()?;
        if let Some(line) = self.lines.get_mut(&db).and_then(|lines| lines.get_mut(&key)) {
            line.ready = false;
        }
        Some((db, key))
    }

    /// The first client in the line of a key whose place is `least` or behind it. From now on this client pays for a panic.
    pub fn next_in_line(&mut self, db: u16, key: &[u8], least: Place) -> Option<(Place, ConnId)> {
        let line = self.lines.get(&db).and_then(|lines| lines.get(key));
        let next = line.and_then(|line| line.clients.range(least..).next()).map(|(place, id)| (*place, *id));
        self.waking = next.map(|(_, id)| id);
        next
    }

    fn enter(&mut self, id: ConnId, waits: &Waits) {
        let Waits { db, ticket, ref wish, .. } = *waits;
        let lines = self.lines.entry(db).or_default();
        for key in waits.keys() {
            if !lines.contains_key(key) {
                lines.insert(key.into(), Line::default());
            }
            if let Some(line) = lines.get_mut(key) {
                line.clients.insert(wish.place(ticket), id);
            }
        }
        if let Some(until) = wish.until {
            self.deadlines.insert((until, ticket), id);
        }
        self.clients += 1;
    }

    fn exit(&mut self, waits: &Waits) {
        let Waits { db, ticket, ref wish, .. } = *waits;
        if let Some(lines) = self.lines.get_mut(&db) {
            for key in waits.keys() {
                let Some(line) = lines.get_mut(key) else { continue };
                line.clients.remove(&wish.place(ticket));
                if line.clients.is_empty() {
                    lines.remove(key);
                }
            }
            if lines.is_empty() {
                self.lines.remove(&db);
            }
        }
        if let Some(until) = wish.until {
            self.deadlines.remove(&(until, ticket));
        }
        self.clients -= 1;
    }

    /// Takes a client out of all lines, wherever it stands. The clients behind it are still to be served, so its keys are
    /// ready once more.
    fn purge(&mut self, id: ConnId) {
        for (db, lines) in &mut self.lines {
            for (key, line) in lines.iter_mut() {
                let before = line.clients.len();
                line.clients.retain(|_, there| *there != id);
                if line.clients.len() < before {
                    line.make_ready(*db, key, &mut self.ready);
                }
            }
            lines.retain(|_, line| !line.clients.is_empty());
        }
        self.lines.retain(|_, lines| !lines.is_empty());
        self.deadlines.retain(|_, there| *there != id);
        self.clients -= 1;
    }

    /// Notes which keys have changed, as far as clients wait for them.
    fn note(&mut self, effects: &Effects) {
        for Effect { db, key, what } in effects.iter() {
            let Some(lines) = self.lines.get_mut(&db) else { continue };
            match what {
                What::Set | What::Created | What::Roused => {
                    if let Some(line) = lines.get_mut(key) {
                        line.make_ready(db, key, &mut self.ready);
                    }
                }
                What::Removed | What::Expired | What::Evicted => {
                    if let Some(line) = lines.get_mut(key).filter(|line| line.heeds_loss()) {
                        line.make_ready(db, key, &mut self.ready);
                    }
                }
                What::Swapped | What::Flushed => mark_all(db, lines, &mut self.ready),
                What::Told(_) => {}
            }
        }
        if effects.lost {
            self.lines.iter_mut().for_each(|(db, lines)| mark_all(*db, lines, &mut self.ready));
        }
    }
}

/// Marks all keys of a database as ready.
fn mark_all(db: u16, lines: &mut BTreeMap<Box<[u8]>, Line>, ready: &mut VecDeque<(u16, Box<[u8]>)>) {
    lines.iter_mut().for_each(|(key, line)| line.make_ready(db, key, ready));
}
