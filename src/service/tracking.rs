//! Client-side caching (`CLIENT TRACKING`): clients keep copies of keys, and the server tells them when a copy is no
//! longer true.
//!
//! By default, the server remembers which keys a client has read, and tells it once of each key that changes. With
//! `BCAST` it remembers nothing, and tells the client of all changed keys that begin with its prefixes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::Command;
use super::outbox::Ask;
use super::world::World;
use crate::base::{Buf, ConnId, OutOfMemory, Output, memory};
use crate::config::{PUSHES_PENDING_MAX, TRACKED_FORGOTTEN_MAX};
use crate::resp::{Args, Proto, Reply};
use crate::store::{Effect, Effects, Listener, What};

/// About how many bytes a remembered key takes besides its name.
const KEY_BYTES: usize = 112;

/// What a client has asked for with `CLIENT TRACKING ON`.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// `REDIRECT`: the client that gets the messages; `None` if it is the client itself.
    pub redirect: Option<ConnId>,
    /// `BCAST`: messages about all keys with the prefixes, whether the client has read them or not.
    pub bcast: bool,
    /// `PREFIX`: only with `BCAST`. Without one, all keys.
    pub prefixes: Vec<Arc<[u8]>>,
    /// `OPTIN`: only keys that are read right after `CLIENT CACHING YES`.
    pub optin: bool,
    /// `OPTOUT`: not the keys that are read right after `CLIENT CACHING NO`.
    pub optout: bool,
    /// `NOLOOP`: no messages about keys that the client itself has changed.
    pub noloop: bool,
    /// `CLIENT CACHING` was the last command.
    pub caching: bool,
    /// The client to which messages are redirected has left.
    pub broken: bool,
}

impl Wishes {
    /// Bytes of memory that they take.
    pub fn memory(&self) -> usize {
        size_of::<Wishes>() + self.prefixes.iter().map(|prefix| prefix.len() + KEY_BYTES).sum::<usize>()
    }
}

/// Who keeps copies of which keys.
#[derive(Debug, Default)]
pub struct Tracking {
    /// The slots of the tracking clients by their serial numbers.
    clients: BTreeMap<u64, u32>,
    /// The clients that have read a key and may keep a copy, sorted. Some may have left.
    readers: BTreeMap<Arc<[u8]>, Vec<ConnId>>,
    /// The clients that want to hear of all keys with a prefix.
    prefixes: BTreeMap<Arc<[u8]>, BTreeMap<u64, u32>>,
    /// Readers of keys that no longer count. They are freed a little each tick, because a million of them take long.
    forgotten: Vec<BTreeMap<Arc<[u8]>, Vec<ConnId>>>,
    /// Where the next key is forgotten when there are too many.
    hand: Option<Arc<[u8]>>,
    /// Number of readers of all keys.
    items: usize,
    /// Bytes of memory that the remembered keys take, estimated.
    bytes: usize,
}

impl Tracking {
    /// True if a client is tracking.
    #[inline]
    pub fn is_on(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Number of tracking clients.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Number of keys that the server remembers.
    pub fn keys(&self) -> usize {
        self.readers.len()
    }

    /// Number of readers of all keys that the server remembers.
    pub fn items(&self) -> usize {
        self.items
    }

    /// Number of prefixes.
    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    /// Bytes of memory that the remembered keys take, estimated.
    pub fn memory(&self) -> usize {
        self.bytes
    }

    /// Remembers that a client has read `key`.
    fn remember(&mut self, id: ConnId, key: &[u8]) -> Result<(), OutOfMemory> {
        let readers = match self.readers.get_mut(key) {
            Some(readers) => readers,
            None => {
                memory::charge(key.len() + KEY_BYTES)?;
                self.bytes += key.len() + KEY_BYTES;
                self.readers.entry(Arc::from(key)).or_default()
            }
        };
        if let Err(at) = readers.binary_search_by_key(&id.serial, |reader| reader.serial) {
            memory::reserve(readers, 1)?;
            readers.insert(at, id);
            self.items += 1;
            self.bytes += size_of::<ConnId>();
        }
        Ok(())
    }

    /// Forgets a key, and returns the clients that have read it.
    fn forget(&mut self, key: &[u8]) -> Vec<ConnId> {
        let Some(readers) = self.readers.remove(key) else { return Vec::new() };
        self.items -= readers.len();
        self.bytes -= key.len() + KEY_BYTES + readers.len() * size_of::<ConnId>();
        readers
    }

    /// The key that is forgotten next when there are too many.
    fn next_victim(&mut self) -> Option<Arc<[u8]>> {
        let from = self.hand.take().unwrap_or_else(|| Arc::from(&b""[..]));
        let next = self.readers.range(from..).next().or_else(|| self.readers.first_key_value());
        self.hand = next.map(|(key, _)| Arc::clone(key));
        self.hand.clone()
    }

    fn forget_all(&mut self) {
        self.forgotten.push(std::mem::take(&mut self.readers));
        (self.items, self.bytes) = (0, 0);
        self.free_some();
    }

    /// True if memory waits to be freed.
    pub fn has_leftovers(&self) -> bool {
        !self.forgotten.is_empty()
    }

    /// Frees some of the memory that waits.
    pub fn free_some(&mut self) {
        let Some(last) = self.forgotten.last_mut() else { return };
        (0..TRACKED_FORGOTTEN_MAX).for_each(|_| drop(last.pop_first()));
        if last.is_empty() {
            self.forgotten.pop();
        }
    }
}

impl World {
    /// Lets a client track keys.
    pub fn track(&mut self, id: ConnId, wishes: Wishes) {
        self.untrack(id);
        for prefix in &wishes.prefixes {
            self.tracking.prefixes.entry(Arc::clone(prefix)).or_default().insert(id.serial, id.slot);
        }
        if let Some(session) = self.sessions.get_mut(id.slot) {
            session.extras().tracking = Some(Box::new(wishes));
            self.tracking.clients.insert(id.serial, id.slot);
        }
        self.store.listen(Listener::Tracking, true);
        self.note_observers();
    }

    /// Ends the tracking of a client.
    pub fn untrack(&mut self, id: ConnId) {
        if self.tracking.clients.remove(&id.serial).is_none() {
            return;
        }
        let session = self.sessions.get_mut(id.slot).filter(|session| session.has_extras());
        let wishes = session.and_then(|session| session.extras().tracking.take());
        for prefix in wishes.into_iter().flat_map(|wishes| wishes.prefixes) {
            if let Some(clients) = self.tracking.prefixes.get_mut(&prefix) {
                clients.remove(&id.serial);
                if clients.is_empty() {
                    self.tracking.prefixes.remove(&prefix);
                }
            }
        }
        if !self.tracking.is_on() {
            self.tracking.forget_all();
            self.store.listen(Listener::Tracking, false);
        }
        self.note_observers();
    }

    /// A command of a client has run. If the client is tracking and the command reads keys, remembers them.
    pub fn track_reads(&mut self, id: ConnId, command: &Command, args: Args<'_>, inside: bool) {
        let Some(session) = self.sessions.get_mut(id.slot) else { return };
        let queueing = session.transaction().is_some();
        let Some(wishes) = session.tracking_mut() else { return };
        let wanted = if wishes.optin { wishes.caching } else { !(wishes.optout && wishes.caching) };
        let reads = wanted && !wishes.bcast && command.reads;
        // `CLIENT CACHING` is about the next command, or about the whole transaction that begins with it.
        if !inside && !queueing && !command.name.starts_with("client|") {
            wishes.caching = false;
        }
        if reads {
            for key in command.keys.of(args) {
                if self.tracking.remember(id, key).is_err() {
                    // A copy that the server cannot remember is not to be kept.
                    self.tell_invalid(id, Some(&[key]), Some(id));
                }
            }
            self.bound_tracking(Some(id));
        }
    }

    /// Forgets keys as long as there are more than `tracking-table-max-keys`. Their readers must not keep them.
    fn bound_tracking(&mut self, current: Option<ConnId>) {
        let max = self.config.tracking_table_max_keys;
        for _ in 0..TRACKED_FORGOTTEN_MAX {
            let too_many = max > 0 && self.tracking.keys() > max;
            let Some(key) = too_many.then(|| self.tracking.next_victim()).flatten() else { return };
            self.tell_readers(&key, None, current);
        }
    }

    /// Tells clients of the keys that have changed. `current` is the client whose command has just run.
    pub(super) fn invalidate(&mut self, effects: &Effects, current: Option<ConnId>) {
        let (mut all, mut changed) = (effects.lost, Vec::new());
        for Effect { key, what, .. } in effects.iter() {
            match what {
                What::Flushed | What::Swapped => all = true,
                What::Told(_) | What::Roused => {}
                What::Set | What::Created | What::Removed => changed.push((key, current)),
                What::Expired | What::Evicted => changed.push((key, None)),
            }
        }
        if all {
            self.tracking.forget_all();
            let clients: Vec<(u64, u32)> = self.tracking.clients.iter().map(|(a, b)| (*a, *b)).collect();
            for (serial, slot) in clients {
                self.tell_invalid(ConnId { slot, serial }, None, current);
            }
            return;
        }
        for (key, by) in &changed {
            self.tell_readers(key, *by, current);
        }
        self.broadcast(&mut changed, current);
    }

    /// Tells the readers of `key` that it has changed, and forgets them. `by` is the client that has changed it.
    fn tell_readers(&mut self, key: &[u8], by: Option<ConnId>, current: Option<ConnId>) {
        for id in self.tracking.forget(key) {
            let session = self.sessions.get(id.slot).filter(|session| session.serial == id.serial);
            let Some(wishes) = session.and_then(|session| session.tracking()) else { continue };
            if !(wishes.bcast || wishes.noloop && by == Some(id)) {
                self.tell_invalid(id, Some(&[key]), current);
            }
        }
    }

    /// Tells clients of changed keys with their prefixes: one message for each prefix.
    fn broadcast(&mut self, changed: &mut Vec<(&[u8], Option<ConnId>)>, current: Option<ConnId>) {
        if self.tracking.prefixes.is_empty() || changed.is_empty() {
            return;
        }
        changed.sort_unstable_by_key(|(key, _)| *key);
        let mut messages = Vec::new();
        for (prefix, clients) in &self.tracking.prefixes {
            let matching: Vec<_> = changed.iter().filter(|(key, _)| key.starts_with(prefix)).collect();
            for (&serial, &slot) in clients {
                let id = ConnId { slot, serial };
                let wishes = self.sessions.get(slot).and_then(|session| session.tracking());
                let noloop = wishes.is_some_and(|wishes| wishes.noloop);
                let foreign = matching.iter().filter(|(_, by)| !(noloop && *by == Some(id)));
                let mut keys: Vec<&[u8]> = foreign.map(|(key, _)| *key).collect();
                keys.dedup();
                messages.extend((!keys.is_empty()).then_some((id, keys)));
            }
        }
        for (id, keys) in messages {
            self.tell_invalid(id, Some(&keys), current);
        }
    }

    /// Tells a tracking client, or the client to which it has redirected its messages, that `keys` have changed; `None`
    /// means all keys.
    fn tell_invalid(&mut self, id: ConnId, keys: Option<&[&[u8]]>, current: Option<ConnId>) {
        let Some((to, form)) = self.recipient(id) else { return };
        let message = match self.outbox.asks.len() {
            PUSHES_PENDING_MAX.. => Err(OutOfMemory),
            _ => form.encode(keys),
        };
        match message {
            Ok(head) => {
                self.outbox.to_caller |= Some(to) == current;
                self.outbox.asks.push(Ask::Push { to, head: Arc::new(head), message: Arc::default() });
            }
            // It must not go on with a copy that is no longer true.
            Err(OutOfMemory) => {
                self.outbox.asks.push(Ask::Kill(to));
                self.untrack(id);
            }
        }
    }

    /// Which client gets the messages for client `id`, and in which form. `None` if no client does.
    fn recipient(&mut self, id: ConnId) -> Option<(ConnId, Form)> {
        let session = self.sessions.get_mut(id.slot).filter(|session| session.serial == id.serial)?;
        let proto = session.proto;
        let wishes = session.tracking_mut()?;
        let Some(other) = wishes.redirect else {
            return (proto == Proto::Resp3).then_some((id, Form::Push));
        };
        let target = self.sessions.get(other.slot).filter(|target| target.serial == other.serial);
        let target = target.filter(|target| !target.leaving);
        let told = match target {
            Some(target) if target.proto == Proto::Resp3 => Some((other, Form::Push)),
            Some(target) => target.is_subscriber().then_some((other, Form::Message)),
            None => (proto == Proto::Resp3).then_some((id, Form::Broken(other))),
        };
        let broken = target.is_none();
        self.sessions.get_mut(id.slot)?.tracking_mut()?.broken = broken;
        told
    }
}

/// How a client is told that keys have changed.
enum Form {
    /// A push of RESP3.
    Push,
    /// A message of the channel `__redis__:invalidate`, for a subscriber that speaks RESP2.
    Message,
    /// Instead of the keys: the client to which the messages were redirected has left.
    Broken(ConnId),
}

impl Form {
    fn encode(&self, keys: Option<&[&[u8]]>) -> Result<Buf, OutOfMemory> {
        const FRAMING_BYTES: usize = 32;
        let mut bytes = Output::default();
        let len: usize = keys.into_iter().flatten().map(|key| key.len() + FRAMING_BYTES).sum();
        bytes.reserve(4 * FRAMING_BYTES + len)?;
        let proto = if matches!(self, Form::Message) { Proto::Resp2 } else { Proto::Resp3 };
        let mut reply = Reply::plain(&mut bytes, proto, usize::MAX);
        match self {
            Form::Push => {
                reply.push_header(2);
                reply.bulk(b"invalidate");
            }
            Form::Message => {
                reply.push_header(3);
                reply.bulk(b"message");
                reply.bulk(b"__redis__:invalidate");
            }
            Form::Broken(gone) => {
                reply.push_header(2);
                reply.bulk(b"tracking-redir-broken");
                reply.int(gone.serial as i64);
                return Ok(bytes.into_own());
            }
        }
        match keys {
            Some(keys) => {
                reply.array(keys.len());
                keys.iter().for_each(|key| reply.bulk(key));
            }
            None => reply.null(),
        }
        Ok(bytes.into_own())
    }
}
