//! What the service remembers of a client between turns. Every idle client has a session, and there may be
//! ten thousand of them. So a session must stay small, and a test holds its size.

use std::sync::Arc;

use super::channels::Subscriptions;
use super::command::Command;
use super::moving::Moves;
use super::tracking::Wishes;
use super::transaction::{Transaction, Watching};
use super::waiting::Waits;
use crate::base::{Address, ConnId, Moment, Peer};
use crate::config::SHARED_LABELS_MAX;
use crate::resp::{Parser, Proto};

/// Which commands of a client get a reply, as it has chosen with `CLIENT REPLY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// Every command gets a reply.
    On,
    /// No command gets a reply.
    Off,
    /// The next command gets no reply; the ones after it do.
    SkipNext,
    /// The command that runs now gets no reply; the ones after it do.
    Skipping,
}

/// The names that a client gives itself and its library. The clients of a connection pool usually give the
/// same ones, so sessions share equal labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// The client's name, from `CLIENT SETNAME`; empty if it has none.
    pub name: Box<[u8]>,
    /// The library's name, from `CLIENT SETINFO LIB-NAME`; empty if it has none.
    pub lib_name: Box<[u8]>,
    /// The library's version, from `CLIENT SETINFO LIB-VER`; empty if it has none.
    pub lib_ver: Box<[u8]>,
}

/// State that only few clients have. It lies in memory of its own, so that the others do not pay for it.
#[derive(Debug, Default)]
pub struct Extras {
    /// The transaction that the client has begun with `MULTI`.
    pub transaction: Option<Transaction>,
    /// The request with which the client waits for a key.
    pub waits: Option<Box<Waits>>,
    /// The keys that the client watches.
    pub watching: Watching,
    /// The channels and patterns to which the client has subscribed.
    pub subscriptions: Subscriptions,
    /// What the client wants to be told of keys that it keeps copies of.
    pub tracking: Option<Box<Wishes>>,
}

impl Extras {
    fn is_empty(&self) -> bool {
        self.transaction.is_none()
            && self.waits.is_none()
            && self.watching.is_empty()
            && self.subscriptions.is_empty()
            && self.tracking.is_none()
    }

    /// Bytes of memory that the extras take.
    fn memory(&self) -> usize {
        let queued = self.transaction.as_ref().map_or(0, Transaction::memory);
        let tracking = self.tracking.as_ref().map_or(0, |wishes| wishes.memory());
        let waits = self.waits.as_ref().map_or(0, |waits| waits.memory());
        size_of::<Extras>() + queued + waits + tracking + self.watching.memory() + self.subscriptions.memory()
    }
}

/// What the service remembers of one client.
#[derive(Debug)]
pub struct Session {
    /// The client's id, as `CLIENT ID` shows it.
    pub serial: u64,
    /// When the client connected.
    pub opened: Moment,
    /// When the client last had a turn.
    pub last: Moment,
    /// Number of its requests that have run. Those inside a transaction are not counted.
    pub commands: u64,
    /// The command that ran last, or that runs now.
    pub command: Option<&'static Command>,
    /// The parser of a request of which only a part has arrived.
    pub partial: Option<Box<Parser>>,
    labels: Arc<Labels>,
    /// The address from which the client connected.
    pub peer: Peer,
    /// Number of the listener that accepted it.
    pub listener: u8,
    /// The number of the database that it has selected.
    pub db: u16,
    /// The protocol version that it speaks.
    pub proto: Proto,
    /// Which of its commands get a reply.
    pub reply: ReplyMode,
    /// True after `CLIENT NO-EVICT ON`: the client is not evicted when client memory runs out.
    pub no_evict: bool,
    /// True after `CLIENT NO-TOUCH ON`: the client's commands do not count as uses of keys.
    pub no_touch: bool,
    /// Whether the client is told when the server is about to stop.
    pub moves: Moves,
    /// True after `MONITOR`: the client is sent every command that runs.
    pub monitor: bool,
    /// `None` for nearly all clients.
    extras: Option<Box<Extras>>,
    /// True once the connection is ending. `CLIENT LIST` and `CLIENT KILL` no longer see the client.
    pub leaving: bool,
}

impl Session {
    /// The names that the client has given itself and its library.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Bytes of memory that the session holds outside of its own struct. Shared labels are not included.
    pub fn held_bytes(&self) -> usize {
        let parser = self.partial.as_ref().map_or(0, |parser| parser.capacity());
        parser + self.extras.as_ref().map_or(0, |extras| extras.memory())
    }

    /// True if it is in a transaction, watches keys or has subscriptions.
    #[inline]
    pub fn has_extras(&self) -> bool {
        self.extras.is_some()
    }

    /// The extras of this client. Creates empty ones if there are none.
    pub fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// Frees the extras if they are empty.
    pub fn drop_empty_extras(&mut self) {
        if self.extras.as_ref().is_some_and(|extras| extras.is_empty()) {
            self.extras = None;
        }
    }

    /// True if the client waits for a key.
    pub fn is_waiting(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.waits.is_some())
    }

    /// The client's subscriptions; `None` if it has no extras.
    pub fn subscriptions(&self) -> Option<&Subscriptions> {
        Some(&self.extras.as_ref()?.subscriptions)
    }

    /// True if the client has subscriptions, so that others may send it messages.
    #[inline]
    pub fn is_subscriber(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| !extras.subscriptions.is_empty())
    }

    /// True if a key that the client watches has changed.
    pub fn is_touched(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.watching.touched)
    }

    /// What the client wants to be told of keys that it keeps copies of, if it tracks them.
    pub fn tracking(&self) -> Option<&Wishes> {
        self.extras.as_ref()?.tracking.as_deref()
    }

    /// The same, to change it.
    pub fn tracking_mut(&mut self) -> Option<&mut Wishes> {
        self.extras.as_mut()?.tracking.as_deref_mut()
    }

    /// The transaction that the client has begun, if any.
    pub fn transaction(&self) -> Option<&Transaction> {
        self.extras.as_ref()?.transaction.as_ref()
    }

    /// The same, to change it.
    pub fn transaction_mut(&mut self) -> Option<&mut Transaction> {
        self.extras.as_mut()?.transaction.as_mut()
    }
}

/// All sessions, by the slot of their connection.
#[derive(Debug)]
pub struct Sessions {
    by_slot: Vec<Option<Session>>,
    /// The addresses that the server listens on, by the number of the listener.
    listeners: Vec<Address>,
    /// Labels that several sessions may share. The first are the empty labels of a new client.
    shared: Vec<Arc<Labels>>,
}

impl Sessions {
    /// An empty collection, for a server that listens on these addresses.
    pub fn new(listeners: Vec<Address>) -> Sessions {
        Sessions { by_slot: Vec::new(), listeners, shared: vec![Arc::default()] }
    }

    /// Begins the session of a new connection.
    ///
    /// # Panics
    /// If the slot's last session was not closed: the reactor has lost track of a slot.
    pub fn open(&mut self, id: ConnId, peer: Peer, listener: u8, now: Moment) {
        let slot = id.slot as usize;
        if slot >= self.by_slot.len() {
            self.by_slot.resize_with(slot + 1, || None);
        }
        assert!(self.by_slot[slot].is_none(), "a slot was used again before its session was closed");
        self.by_slot[slot] = Some(Session {
            serial: id.serial,
            opened: now,
            last: now,
            commands: 0,
            command: None,
            partial: None,
            labels: Arc::clone(&self.shared[0]),
            peer,
            listener,
            db: 0,
            proto: Proto::Resp2,
            reply: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            moves: Moves::Untold,
            monitor: false,
            extras: None,
            leaving: false,
        });
    }

    /// Removes the session in a slot and returns it.
    pub fn close(&mut self, slot: u32) -> Option<Session> {
        self.by_slot.get_mut(slot as usize)?.take()
    }

    /// The session in a slot.
    pub fn get(&self, slot: u32) -> Option<&Session> {
        self.by_slot.get(slot as usize)?.as_ref()
    }

    /// The session in a slot, to change it.
    #[inline]
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Session> {
        self.by_slot.get_mut(slot as usize)?.as_mut()
    }

    /// Number of clients with subscriptions.
    pub fn subscribers(&self) -> usize {
        self.by_slot.iter().flatten().filter(|session| session.is_subscriber()).count()
    }

    /// The client with this serial number, unless its connection is ending.
    pub fn by_serial(&self, serial: u64) -> Option<ConnId> {
        let is_it = |session: &Session| session.serial == serial && !session.leaving;
        let slot = self.by_slot.iter().position(|session| session.as_ref().is_some_and(is_it))?;
        Some(ConnId { slot: slot as u32, serial })
    }

    /// All clients with their ids, the oldest client first. It leaves out clients whose connection is
    /// ending.
    pub fn by_age(&self) -> Vec<(ConnId, &Session)> {
        let mut all: Vec<(ConnId, &Session)> = self
            .by_slot
            .iter()
            .enumerate()
            .filter_map(|(slot, session)| {
                let session = session.as_ref().filter(|session| !session.leaving)?;
                Some((ConnId { slot: slot as u32, serial: session.serial }, session))
            })
            .collect();
        all.sort_unstable_by_key(|(id, _)| id.serial);
        all
    }

    /// The address of the listener that accepted a client. If the server listens on a wildcard address, it
    /// is the wildcard address.
    pub fn local(&self, session: &Session) -> Option<&Address> {
        self.listeners.get(usize::from(session.listener))
    }

    /// The address of a client, as `CLIENT LIST` shows it. For a client of a Unix domain socket it is the
    /// address of that socket.
    pub fn remote(&self, session: &Session) -> Address {
        match self.local(session) {
            Some(unix @ Address::Unix(_)) => unix.clone(),
            _ => Address::Tcp(session.peer),
        }
    }

    /// Gives a client these labels, and lets it share them with clients that have the same.
    pub fn relabel(&mut self, slot: u32, labels: Labels) {
        let labels = self.share(labels);
        if let Some(session) = self.get_mut(slot) {
            session.labels = labels;
        }
    }

    /// Returns labels equal to these: shared ones if there are any.
    fn share(&mut self, labels: Labels) -> Arc<Labels> {
        if let Some(same) = self.shared.iter().find(|shared| ***shared == labels) {
            return Arc::clone(same);
        }
        // Labels that no session uses any more are removed. The first ones stay, because every new client
        // needs these empty labels.
        let mut first = true;
        self.shared.retain(|shared| std::mem::take(&mut first) || Arc::strong_count(shared) > 1);
        let labels = Arc::new(labels);
        if self.shared.len() < SHARED_LABELS_MAX {
            self.shared.push(Arc::clone(&labels));
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stays_small() {
        assert!(size_of::<Option<Session>>() <= 96, "{}", size_of::<Option<Session>>());
    }

    #[test]
    fn clients_that_say_the_same_share_it_and_the_shared_set_is_bounded() {
        let mut sessions = Sessions::new(Vec::new());
        let peer = Peer::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        for slot in 0..200 {
            sessions.open(ConnId { slot, serial: 1 + u64::from(slot) }, peer, 0, Moment::default());
            let name = if slot < 2 { b"same".to_vec() } else { slot.to_string().into_bytes() };
            sessions.relabel(slot, Labels { name: name.into(), ..Labels::default() });
        }
        let labels = |slot| &sessions.get(slot).unwrap().labels;
        assert!(Arc::ptr_eq(labels(0), labels(1)));
        assert_eq!(&*labels(199).name, b"199");
        assert!(sessions.shared.len() <= SHARED_LABELS_MAX);
    }
}
