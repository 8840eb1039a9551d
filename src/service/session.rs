//! What the service remembers of a client between turns. Ten thousand idle clients each cost one of
//! these, so its size is a promise.

use std::sync::Arc;

use super::catalog::Command;
use super::channels::Subscriptions;
use super::transaction::{Transaction, Watching};
use crate::base::{ConnId, Moment, Peer};
use crate::config::SHARED_LABELS_MAX;
use crate::resp::{Parser, Proto};

/// What `CLIENT REPLY` has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// Every command is answered.
    On,
    /// None is.
    Off,
    /// The next one is not.
    SkipNext,
    /// The one that runs now is not.
    Skipping,
}

/// What a client calls itself and its library. Most clients of a pool say the same, so equal labels
/// are shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// `CLIENT SETNAME`.
    pub name: Box<[u8]>,
    /// `CLIENT SETINFO LIB-NAME`.
    pub lib_name: Box<[u8]>,
    /// `CLIENT SETINFO LIB-VER`.
    pub lib_ver: Box<[u8]>,
}

/// What few clients have, so that the others need not pay for it.
#[derive(Debug, Default)]
pub struct Extras {
    /// What has been queued since `MULTI`.
    pub transaction: Option<Transaction>,
    /// The keys it watches.
    pub watching: Watching,
    /// The channels and patterns it listens to.
    pub subscriptions: Subscriptions,
}

impl Extras {
    fn is_empty(&self) -> bool {
        self.transaction.is_none() && self.watching.is_empty() && self.subscriptions.is_empty()
    }

    fn memory(&self) -> usize {
        let queued = self.transaction.as_ref().map_or(0, Transaction::memory);
        size_of::<Extras>() + queued + self.watching.memory() + self.subscriptions.memory()
    }
}

/// One client.
#[derive(Debug)]
pub struct Session {
    /// Its `CLIENT ID`.
    pub serial: u64,
    /// When it came.
    pub opened: Moment,
    /// When it last sent a command.
    pub last: Moment,
    /// Commands it has completed.
    pub commands: u64,
    /// The command it last sent.
    pub command: Option<&'static Command>,
    /// A request that has begun and not ended.
    pub partial: Option<Box<Parser>>,
    labels: Arc<Labels>,
    /// Where it comes from.
    pub peer: Peer,
    /// By which listener.
    pub listener: u8,
    /// The protocol version it speaks.
    pub proto: Proto,
    /// Which of its commands are answered.
    pub reply: ReplyMode,
    /// `CLIENT NO-EVICT`.
    pub no_evict: bool,
    /// `CLIENT NO-TOUCH`.
    pub no_touch: bool,
    /// What few clients have.
    extras: Option<Box<Extras>>,
    /// Its connection is ending: it is a client no more, and nobody is to see it.
    pub leaving: bool,
}

impl Session {
    /// What the client calls itself.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Bytes of memory that it holds besides itself.
    pub fn held_bytes(&self) -> usize {
        let parser = self.partial.as_ref().map_or(0, |parser| parser.capacity());
        parser + self.extras.as_ref().map_or(0, |extras| extras.memory())
    }

    /// True if it is in a transaction, watches keys or has subscriptions.
    #[inline]
    pub fn has_extras(&self) -> bool {
        self.extras.is_some()
    }

    /// What few clients have, made if need be.
    pub fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// What few clients have, all of it taken away.
    pub fn take_extras(&mut self) -> Extras {
        self.extras.take().map_or_else(Extras::default, |extras| *extras)
    }

    /// Gives the memory back if there is nothing left in it.
    pub fn drop_empty_extras(&mut self) {
        if self.extras.as_ref().is_some_and(|extras| extras.is_empty()) {
            self.extras = None;
        }
    }

    /// What it listens to, if it has ever subscribed.
    pub fn subscriptions(&self) -> Option<&Subscriptions> {
        Some(&self.extras.as_ref()?.subscriptions)
    }

    /// True if others send it messages.
    #[inline]
    pub fn is_subscriber(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| !extras.subscriptions.is_empty())
    }

    /// The keys it watches, if it has ever watched one.
    pub fn watching(&self) -> Option<&Watching> {
        Some(&self.extras.as_ref()?.watching)
    }

    /// The transaction that has been begun.
    pub fn transaction(&self) -> Option<&Transaction> {
        self.extras.as_ref()?.transaction.as_ref()
    }

    /// The transaction that has been begun, to add to it.
    pub fn transaction_mut(&mut self) -> Option<&mut Transaction> {
        self.extras.as_mut()?.transaction.as_mut()
    }
}

/// All sessions, by their connection's slot.
#[derive(Debug)]
pub struct Sessions {
    by_slot: Vec<Option<Session>>,
    listeners: Vec<Peer>,
    shared: Vec<Arc<Labels>>,
}

impl Sessions {
    /// No sessions, at a server that listens on these addresses.
    pub fn new(listeners: Vec<Peer>) -> Sessions {
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
            proto: Proto::Resp2,
            reply: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            extras: None,
            leaving: false,
        });
    }

    /// Ends a session.
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

    /// All clients with their ids, oldest first.
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

    /// The address a session was accepted on. For a wildcard address, that address.
    pub fn local(&self, session: &Session) -> Option<Peer> {
        self.listeners.get(usize::from(session.listener)).copied()
    }

    /// Gives a client these labels, shared with whoever has the same.
    pub fn relabel(&mut self, slot: u32, labels: Labels) {
        let labels = self.share(labels);
        if let Some(session) = self.get_mut(slot) {
            session.labels = labels;
        }
    }

    fn share(&mut self, labels: Labels) -> Arc<Labels> {
        if let Some(same) = self.shared.iter().find(|shared| ***shared == labels) {
            return Arc::clone(same);
        }
        // What nobody uses any more goes, but for the first: the empty one every newcomer needs.
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
        assert!(size_of::<Option<Session>>() <= 104, "{}", size_of::<Option<Session>>());
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
