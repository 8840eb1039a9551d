//! Publish and subscribe: which clients listen to which channels and patterns.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ahash::RandomState;

use super::glob::Pattern;
use crate::base::ConnId;

/// About how many bytes of memory a subscription takes besides its name.
pub const SUBSCRIPTION_BYTES: usize = 160;

/// What a client can subscribe to. A channel, a pattern and a shard channel may have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One channel: `SUBSCRIBE`.
    Channel,
    /// All channels whose names match a pattern: `PSUBSCRIBE`.
    Pattern,
    /// One shard channel: `SSUBSCRIBE`.
    Shard,
}

/// The names that one client has subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// The names of each kind.
    names: [BTreeSet<Arc<[u8]>>; 3],
    /// Bytes of memory that the subscriptions take, estimated.
    bytes: usize,
}

impl Subscriptions {
    /// Number of subscriptions of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.names[kind as usize].len()
    }

    /// The number of subscriptions that the reply to a subscription of `kind` shows. As in Redis, channels
    /// and patterns are counted together.
    pub fn told(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.count(Kind::Channel) + self.count(Kind::Pattern),
            Kind::Shard => self.count(Kind::Shard),
        }
    }

    /// True if the client has no subscriptions.
    pub fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeSet::is_empty)
    }

    /// The names of a kind, sorted.
    pub fn of(&self, kind: Kind) -> Vec<Arc<[u8]>> {
        self.names[kind as usize].iter().cloned().collect()
    }

    /// Bytes of memory that the subscriptions take, estimated.
    pub fn memory(&self) -> usize {
        self.bytes
    }
}

/// The slots of clients by their serial numbers: in the order in which the clients came.
type Subscribers = BTreeMap<u64, u32>;

/// The subscriptions of all clients.
#[derive(Debug, Default)]
pub struct Channels {
    names: [HashMap<Arc<[u8]>, Subscribers, RandomState>; 3],
    /// The compiled form of each pattern that has subscribers.
    patterns: BTreeMap<Arc<[u8]>, Pattern>,
}

impl Channels {
    /// The patterns that match `channel`, sorted.
    pub fn matching(&self, channel: &[u8]) -> impl Iterator<Item = &Arc<[u8]>> {
        self.patterns.iter().filter(|(_, pattern)| pattern.matches(channel)).map(|(name, _)| name)
    }

    /// Subscribes a client to the pattern `name`. `pattern` is its compiled form; `mine` are the client's
    /// own subscriptions.
    pub fn subscribe_to_pattern(
        &mut self,
        id: ConnId,
        mine: &mut Subscriptions,
        name: &[u8],
        pattern: Pattern,
    ) {
        if !mine.names[Kind::Pattern as usize].contains(name) {
            mine.bytes += pattern.memory();
        }
        self.subscribe(id, mine, Kind::Pattern, name);
        self.patterns.entry(Arc::from(name)).or_insert(pattern);
    }

    /// Subscribes a client to `name`. `mine` are the client's own subscriptions.
    pub fn subscribe(&mut self, id: ConnId, mine: &mut Subscriptions, kind: Kind, name: &[u8]) {
        let all = &mut self.names[kind as usize];
        let shared =
            all.get_key_value(name).map_or_else(|| Arc::from(name), |(shared, _)| Arc::clone(shared));
        all.entry(Arc::clone(&shared)).or_default().insert(id.serial, id.slot);
        if mine.names[kind as usize].insert(shared) {
            mine.bytes += name.len() + SUBSCRIPTION_BYTES;
        }
    }

    /// Ends a client's subscription to `name`, if there is one.
    pub fn unsubscribe(&mut self, id: ConnId, mine: &mut Subscriptions, kind: Kind, name: &[u8]) {
        if !mine.names[kind as usize].remove(name) {
            return;
        }
        mine.bytes -= name.len() + SUBSCRIPTION_BYTES;
        if kind == Kind::Pattern {
            // All subscribers share the compiled pattern, but each of them is charged for its memory.
            mine.bytes -= self.patterns.get(name).map_or(0, Pattern::memory);
        }
        let all = &mut self.names[kind as usize];
        if let Some(subscribers) = all.get_mut(name) {
            subscribers.remove(&id.serial);
            if subscribers.is_empty() {
                all.remove(name);
                if kind == Kind::Pattern {
                    self.patterns.remove(name);
                }
            }
        }
    }

    /// Ends all subscriptions of a client.
    pub fn unsubscribe_all(&mut self, id: ConnId, mine: &mut Subscriptions) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in mine.of(kind) {
                self.unsubscribe(id, mine, kind, &name);
            }
        }
    }

    /// The clients that have subscribed to exactly this name, the oldest client first.
    pub fn subscribers(&self, kind: Kind, name: &[u8]) -> impl Iterator<Item = ConnId> {
        let found = self.names[kind as usize].get(name);
        found.into_iter().flatten().map(|(serial, slot)| ConnId { slot: *slot, serial: *serial })
    }

    /// Number of clients that have subscribed to exactly this name.
    pub fn count(&self, kind: Kind, name: &[u8]) -> usize {
        self.names[kind as usize].get(name).map_or(0, BTreeMap::len)
    }

    /// The names of a kind that have subscribers. Their order is random, so no client may see it.
    pub fn names(&self, kind: Kind) -> impl ExactSizeIterator<Item = &[u8]> {
        self.names[kind as usize].keys().map(|name| &**name)
    }
}
