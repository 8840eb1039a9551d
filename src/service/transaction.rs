//! Transactions: what a client has queued since `MULTI`, and which keys clients watch.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalog::Command;
use crate::base::{ConnId, OutOfMemory, memory};
use crate::resp::{Args, Kept};
use crate::store::{Store, What};

/// What a client has queued since `MULTI`.
#[derive(Debug, Default)]
pub struct Transaction {
    requests: Kept,
    commands: Vec<&'static Command>,
    /// A command was refused when it was to be queued, so `EXEC` will be refused as well.
    pub aborted: bool,
    /// One of the commands changes keys.
    pub writes: bool,
}

impl Transaction {
    /// Queues a request.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; it is not queued then.
    pub fn push(&mut self, args: Args<'_>, command: &'static Command) -> Result<(), OutOfMemory> {
        memory::reserve(&mut self.commands, 1)?;
        self.requests.push(args)?;
        self.commands.push(command);
        self.writes |= command.writes;
        Ok(())
    }

    /// How many requests are queued.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// True if nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The requests, in order, with what they ask for.
    pub fn iter(&self) -> impl Iterator<Item = (Args<'_>, &'static Command)> {
        self.requests.iter().zip(self.commands.iter().copied())
    }

    /// Bytes of memory it owns.
    pub fn memory(&self) -> usize {
        self.requests.memory() + self.commands.capacity() * size_of::<&Command>()
    }
}

/// What a watched key costs besides its bytes, about.
const WATCH_BYTES: usize = 128;

/// The keys that one client watches, and whether one of them has changed.
#[derive(Debug, Default)]
pub struct Watching {
    keys: Vec<Arc<[u8]>>,
    /// A watched key has changed: the next `EXEC` does nothing.
    pub touched: bool,
}

impl Watching {
    /// True if no key is watched.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|key| &**key)
    }

    /// Bytes of memory it takes, about.
    pub fn memory(&self) -> usize {
        self.keys.iter().map(|key| key.len() + WATCH_BYTES).sum()
    }
}

/// A client that watches a key.
#[derive(Clone, Copy, Debug)]
struct Watcher {
    id: ConnId,
    /// The key was there when the client began to watch it.
    existed: bool,
}

/// All watched keys.
#[derive(Debug, Default)]
pub struct Watches {
    by_key: BTreeMap<Arc<[u8]>, Vec<Watcher>>,
}

impl Watches {
    /// Lets a client watch `key`, which `existed` just now.
    ///
    /// # Errors
    /// [`OutOfMemory`] if clients have used up what they may.
    pub fn watch(
        &mut self,
        id: ConnId,
        watching: &mut Watching,
        key: &[u8],
        existed: bool,
        store: &mut Store,
    ) -> Result<(), OutOfMemory> {
        memory::charge(key.len() + WATCH_BYTES)?;
        let shared = match self.by_key.get_key_value(key) {
            Some((shared, watchers)) if watchers.iter().any(|watcher| watcher.id == id) => {
                debug_assert!(watching.keys.contains(shared));
                return Ok(());
            }
            Some((shared, _)) => Arc::clone(shared),
            None => Arc::from(key),
        };
        self.by_key.entry(Arc::clone(&shared)).or_default().push(Watcher { id, existed });
        watching.keys.push(shared);
        store.listen(true);
        Ok(())
    }

    /// A client watches nothing any more.
    pub fn unwatch(&mut self, id: ConnId, watching: Watching, store: &mut Store) {
        for key in watching.keys {
            if let Some(watchers) = self.by_key.get_mut(&key) {
                watchers.retain(|watcher| watcher.id != id);
                if watchers.is_empty() {
                    self.by_key.remove(&key);
                }
            }
        }
        store.listen(!self.by_key.is_empty());
    }

    /// The clients that watch a key of which the store has told an effect.
    pub fn touched(&self, store: &Store) -> Vec<ConnId> {
        let mut touched = Vec::new();
        if store.effects_lost() {
            touched.extend(self.by_key.values().flatten().map(|watcher| watcher.id));
            return touched;
        }
        for (key, what) in store.effects() {
            match what {
                What::Flushed => {
                    // A key that was not there when it was watched is not there now, or was told of.
                    let existing = self.by_key.values().flatten().filter(|watcher| watcher.existed);
                    touched.extend(existing.map(|watcher| watcher.id));
                }
                What::Set | What::Removed | What::Expired => {
                    let watchers = self.by_key.get(key).into_iter().flatten();
                    touched.extend(watchers.map(|watcher| watcher.id));
                }
            }
        }
        touched
    }
}
