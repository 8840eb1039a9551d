//! Transactions: what a client has queued since `MULTI`, and which keys clients watch.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::Command;
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
pub const WATCH_BYTES: usize = 128;

/// The keys that one client watches, and whether one of them has changed.
#[derive(Debug, Default)]
pub struct Watching {
    keys: Vec<Watched>,
    bytes: usize,
    /// A watched key has changed: the next `EXEC` does nothing.
    pub touched: bool,
}

impl Watching {
    /// True if no key is watched.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// True if a key has changed, or was there and no longer is: it may have expired without anybody
    /// having asked for it since.
    pub fn has_changed(&self, mut is_there: impl FnMut(&[u8]) -> bool) -> bool {
        self.touched || self.keys.iter().any(|watched| watched.existed && !is_there(&watched.key))
    }

    /// Bytes of memory it takes, about.
    pub fn memory(&self) -> usize {
        self.bytes
    }
}

/// A key that a client watches.
#[derive(Debug)]
struct Watched {
    key: Arc<[u8]>,
    /// It was there when the client began to watch it.
    existed: bool,
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
    pub fn watch(
        &mut self,
        id: ConnId,
        watching: &mut Watching,
        key: &[u8],
        existed: bool,
        store: &mut Store,
    ) {
        let shared = match self.by_key.get_key_value(key) {
            Some((_, watchers)) if watchers.iter().any(|watcher| watcher.id == id) => {
                return;
            }
            Some((shared, _)) => Arc::clone(shared),
            None => Arc::from(key),
        };
        self.by_key.entry(Arc::clone(&shared)).or_default().push(Watcher { id, existed });
        watching.bytes += key.len() + WATCH_BYTES;
        watching.keys.push(Watched { key: shared, existed });
        store.listen(true);
    }

    /// A client watches nothing any more.
    pub fn unwatch(&mut self, id: ConnId, watching: Watching, store: &mut Store) {
        for Watched { key, .. } in watching.keys {
            if let Some(watchers) = self.by_key.get_mut(&key) {
                watchers.retain(|watcher| watcher.id != id);
                if watchers.is_empty() {
                    self.by_key.remove(&key);
                }
            }
        }
        store.listen(!self.by_key.is_empty());
    }

    /// The clients that watch a key of which the store has told an effect. Such a key is watched by
    /// nobody any more: its watchers know all that they want to know.
    pub fn take_touched(&mut self, store: &mut Store) -> Vec<ConnId> {
        let mut touched = Vec::new();
        if store.effects_lost() {
            let all = std::mem::take(&mut self.by_key);
            touched.extend(all.into_values().flatten().map(|watcher| watcher.id));
        }
        for (key, what) in store.effects() {
            match what {
                What::Flushed => {
                    // A key that was not there when it was watched is not there now, or was told of.
                    let existing = self.by_key.values().flatten().filter(|watcher| watcher.existed);
                    touched.extend(existing.map(|watcher| watcher.id));
                }
                // One that had expired before it was watched is only cleared away.
                What::Expired => {
                    let watchers = self.by_key.get(key).into_iter().flatten();
                    touched.extend(watchers.filter(|watcher| watcher.existed).map(|watcher| watcher.id));
                }
                What::Set | What::Removed => {
                    let watchers = self.by_key.remove(key).into_iter().flatten();
                    touched.extend(watchers.map(|watcher| watcher.id));
                }
            }
        }
        store.forget_effects();
        store.listen(!self.by_key.is_empty());
        touched
    }
}
