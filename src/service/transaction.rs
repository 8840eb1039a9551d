//! Transactions: the requests that a client has queued since `MULTI`, and the keys that clients watch.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::Command;
use crate::base::{ConnId, OutOfMemory, memory};
use crate::resp::{Args, Kept};
use crate::store::{Effect, Effects, Listener, Store, What};

/// The requests that a client has queued since `MULTI`.
#[derive(Debug, Default)]
pub struct Transaction {
    requests: Kept,
    commands: Vec<&'static Command>,
    /// True if a request was refused since `MULTI`. `EXEC` will then refuse the transaction.
    pub aborted: bool,
    /// True if one of the commands changes keys or sends something to other clients. `CLIENT PAUSE WRITE`
    /// then holds the `EXEC`.
    pub writes: bool,
    /// True if one of the commands may add to the memory that keys hold.
    pub grows: bool,
}

impl Transaction {
    /// Queues a request.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; the request is not queued then.
    pub fn push(&mut self, args: Args<'_>, command: &'static Command) -> Result<(), OutOfMemory> {
        memory::reserve(&mut self.commands, 1)?;
        self.requests.push(args)?;
        self.commands.push(command);
        self.writes |= command.writes;
        self.grows |= command.grows;
        Ok(())
    }

    /// Number of queued requests.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// True if nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The queued requests in order, each with its command.
    pub fn iter(&self) -> impl Iterator<Item = (Args<'_>, &'static Command)> {
        self.requests.iter().zip(self.commands.iter().copied())
    }

    /// Bytes of memory that the queue takes.
    pub fn memory(&self) -> usize {
        self.requests.memory() + self.commands.capacity() * size_of::<&Command>()
    }
}

/// About how many bytes of memory a watched key takes besides the key itself.
pub const WATCH_BYTES: usize = 128;

/// The keys that one client watches, and whether one of them has changed.
#[derive(Debug, Default)]
pub struct Watching {
    keys: Vec<Watched>,
    /// Bytes of memory that the watches take, estimated.
    bytes: usize,
    /// True if a watched key has changed. The next `EXEC` will then run nothing.
    pub touched: bool,
}

impl Watching {
    /// True if no key is watched.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// True if a watched key has changed, or if it existed and `is_there` says that it does not exist now.
    /// It may have expired: the store notes that only when something looks the key up or the sweep removes
    /// it.
    pub fn has_changed(&self, mut is_there: impl FnMut(u16, &[u8]) -> bool) -> bool {
        let mut is_gone = |watched: &Watched| watched.existed && !is_there(watched.db, &watched.key);
        self.touched || self.keys.iter().any(&mut is_gone)
    }

    /// Bytes of memory that the watches take, estimated.
    pub fn memory(&self) -> usize {
        self.bytes
    }
}

/// A key that a client watches.
#[derive(Debug)]
struct Watched {
    /// The number of the key's database.
    db: u16,
    key: Arc<[u8]>,
    /// True if the key existed when the client began to watch it.
    existed: bool,
}

/// A client that watches a key.
#[derive(Clone, Copy, Debug)]
struct Watcher {
    id: ConnId,
    /// True if the key existed when the client began to watch it.
    existed: bool,
}

/// The watched keys of all clients, and who watches each of them.
#[derive(Debug, Default)]
pub struct Watches {
    /// By database and key.
    by_key: BTreeMap<u16, BTreeMap<Arc<[u8]>, Vec<Watcher>>>,
}

impl Watches {
    /// Lets a client watch `key` of the selected database. `watching` are the client's own watches; `existed` says whether the key
    /// exists now.
    pub fn watch(
        &mut self,
        id: ConnId,
        watching: &mut Watching,
        key: &[u8],
        existed: bool,
        store: &mut Store,
    ) {
        let db = store.selected();
        let by_key = self.by_key.entry(db).or_default();
        let shared = match by_key.get_key_value(key) {
            Some((_, watchers)) if watchers.iter().any(|watcher| watcher.id == id) => {
                return;
            }
            Some((shared, _)) => Arc::clone(shared),
            None => Arc::from(key),
        };
        by_key.entry(Arc::clone(&shared)).or_default().push(Watcher { id, existed });
        watching.bytes += key.len() + WATCH_BYTES;
        watching.keys.push(Watched { db, key: shared, existed });
        store.listen(Listener::Watches, true);
    }

    /// Ends all watches of a client, which are those in `watching`.
    pub fn unwatch(&mut self, id: ConnId, watching: Watching, store: &mut Store) {
        for Watched { db, key, .. } in watching.keys {
            let Some(by_key) = self.by_key.get_mut(&db) else { continue };
            if let Some(watchers) = by_key.get_mut(&key) {
                watchers.retain(|watcher| watcher.id != id);
                if watchers.is_empty() {
                    by_key.remove(&key);
                }
            }
        }
        self.listen_while_needed(store);
    }

    /// Lets the store note effects as long as a key is watched.
    fn listen_while_needed(&mut self, store: &mut Store) {
        self.by_key.retain(|_, by_key| !by_key.is_empty());
        store.listen(Listener::Watches, !self.by_key.is_empty());
    }

    /// Reads the effects, and returns the clients that watch a changed key. A key that was set or removed leaves the list, because its watchers need
    /// to hear of one change only.
    pub fn take_touched(&mut self, effects: &Effects, store: &mut Store, now_ms: u64) -> Vec<ConnId> {
        let mut touched = Vec::new();
        if effects.lost {
            let all = std::mem::take(&mut self.by_key);
            touched.extend(
                all.into_values().flatten().flat_map(|(_, watchers)| watchers).map(|watcher| watcher.id),
            );
        }
        let mut swapped = Vec::new();
        for Effect { db, key, what } in effects.iter() {
            let Some(by_key) = self.by_key.get_mut(&db) else { continue };
            match what {
                What::Flushed => {
                    // A flush changes only keys that exist. If a watched key was missing at first and was
                    // created later, its watchers heard of that.
                    let existing = by_key.values().flatten().filter(|watcher| watcher.existed);
                    touched.extend(existing.map(|watcher| watcher.id));
                }
                // A key that had expired before it was watched did not exist for its watcher, and does not
                // exist now.
                What::Expired => {
                    let watchers = by_key.get(key).into_iter().flatten();
                    touched.extend(watchers.filter(|watcher| watcher.existed).map(|watcher| watcher.id));
                }
                What::Swapped => swapped.push(db),
                What::Told(_) | What::Roused => {}
                What::Set | What::Created | What::Removed | What::Evicted => {
                    let watchers = by_key.remove(key).into_iter().flatten();
                    touched.extend(watchers.map(|watcher| watcher.id));
                }
            }
        }
        for db in swapped {
            // A key has changed if it was in the database before, or if it is in there now.
            let changed = self.by_key.get(&db).into_iter().flatten().flat_map(|(key, watchers)| {
                let is_there = store.contains_in(db, key, now_ms);
                watchers.iter().filter(move |watcher| watcher.existed || is_there).map(|watcher| watcher.id)
            });
            touched.extend(changed);
        }
        self.listen_while_needed(store);
        touched
    }
}
