//! Takes changes of a stream back, one by one, from their [notes](super::notes).
//!
//! When a note is taken back, the stream is what it was right after the change. Its entries may lie in other nodes.

use super::consumers::{Consumers, reserve_one};
use super::cut::Cut;
use super::group::{Group, Pending};
use super::groups::Groups;
use super::id::StreamId;
use super::leftovers::Leftovers;
use super::log::Log;
use super::node::Node;
use super::notes::{GroupChange, GroupNote, LogChange, LogNote};
use super::sorted::{Keyed, Place, Sorted};
use crate::base::memory;

impl Log {
    /// Notes what the log remembers, and a change that is going to be made.
    #[cold]
    #[inline(never)]
    pub(super) fn keep_note(&mut self, what: LogChange) {
        let Log { last_id, max_deleted_id, entries_added, .. } = *self;
        if let Some(notes) = &mut self.notes {
            notes.push(LogNote { last_id, max_deleted_id, entries_added, what });
        }
    }

    /// Notes that the entry with this id, which is in the node at `place`, is going to be removed. If it is alone there,
    /// its bytes are taken out.
    #[cold]
    #[inline(never)]
    pub(super) fn keep_removed(&mut self, place: Place, id: StreamId) {
        let removed = self.with_node(place, |node| {
            if node.len() == 1 {
                return Some(node.take_bytes());
            }
            let step = node.find(id)?;
            Some(node.part(step.start..step.end, 1))
        });
        if let Some(node) = removed.flatten() {
            self.keep_note(LogChange::Removed(node));
        }
    }

    /// Takes the last change back.
    pub(super) fn take_back(&mut self, note: LogNote) {
        match note.what {
            LogChange::None => {}
            LogChange::Appended => self.remove_last(),
            LogChange::Removed(node) => self.put_back(node),
            LogChange::Trimmed { nodes, part } => {
                part.into_iter().for_each(|part| self.join_first(part));
                let before = self.nodes.len();
                self.node_bytes += self.nodes.uncut(nodes);
                let restored = self.nodes.len() - before;
                self.len += self.nodes.iter().take(restored).map(Node::len).sum::<usize>();
            }
        }
        self.last_id = note.last_id;
        self.max_deleted_id = note.max_deleted_id;
        self.entries_added = note.entries_added;
    }

    fn remove_last(&mut self) {
        let Some(place) = self.nodes.last_place() else { return };
        if self.nodes.get(place).is_some_and(|node| node.len() == 1) {
            self.drop_node(place);
        } else {
            self.with_node(place, Node::pop);
        }
        self.len -= 1;
    }

    /// Puts a removed entry back, which is alone in `node`.
    fn put_back(&mut self, node: Node) {
        let Some(id) = node.last_id() else { return };
        self.len += 1;
        if let Some(place) = self.nodes.at_most(id)
            && let Some(there) = self.nodes.get(place)
            && there.last_id().is_some_and(|last| last >= node.base())
        {
            self.with_node(place, |there| {
                if let Some(step) = node.step(node.start()) {
                    there.insert(step.entry);
                }
            });
        } else {
            self.add_node(node);
        }
    }

    /// Puts the first entries back, which were in the same node as those that are the first now.
    fn join_first(&mut self, mut part: Node) {
        self.len += part.len();
        let first = self.nodes.first().map(Node::base);
        if first.is_some_and(|base| part.last_id().is_some_and(|last| base <= last))
            && let Some(rest) = self.nodes.remove(Place::default())
        {
            self.node_bytes -= rest.memory();
            part.take_over(&rest);
        }
        self.add_node(part);
    }

    fn add_node(&mut self, node: Node) {
        memory::insist(self.nodes.reserve_insert(std::iter::once(node.base())));
        self.node_bytes += node.memory();
        self.nodes.insert(node);
        self.nodes.release_spares();
    }
}

impl<T: Keyed> Sorted<T> {
    /// Puts items back in front that [`Sorted::cut_front`] has cut off. Returns how many bytes they own.
    fn uncut(&mut self, cut: Cut<T>) -> usize {
        if let Some(first) = self.shelves.front_mut() {
            // It may still be the least id of the items that were cut off.
            first.least = first.chunk.items.first().map_or(first.least, T::key);
        }
        let mut owned = 0;
        for chunk in cut.into_chunks() {
            owned += chunk.items.iter().map(T::owned).sum::<usize>();
            self.push_front(chunk);
        }
        owned
    }
}

impl Groups {
    /// Notes changes of groups from now on.
    pub(super) fn start_notes(&mut self) {
        self.notes.get_or_insert_default();
    }

    /// Takes the notes out. If a change has panicked, the group still has them.
    pub(super) fn take_notes(&mut self) -> Option<Box<super::notes::GroupNotes>> {
        self.notes.take().or_else(|| self.list.iter_mut().find_map(|group| group.notes.take()))
    }

    /// Notes a change of the group with this number, if somebody wants to know it.
    pub(super) fn note(&mut self, number: usize, what: GroupChange) {
        if let Some(notes) = &mut self.notes {
            notes.group = number as u32;
            notes.push(what);
        }
    }

    /// Takes the last change back. Returns memory that is to be freed.
    pub(super) fn take_back(&mut self, note: GroupNote) -> Option<Leftovers> {
        let number = note.group as usize;
        match note.what {
            GroupChange::Created => {
                let group = self.list.remove(number);
                self.bytes -= group.memory();
                return Some(Leftovers::group(group));
            }
            GroupChange::Destroyed(group) => {
                memory::insist(reserve_one(&mut self.list));
                self.bytes += group.memory();
                self.list.insert(number, group);
            }
            what => {
                let _ = self.change(number, |group| group.take_back(what));
            }
        }
        None
    }
}

impl Group {
    /// Takes the last change back.
    fn take_back(&mut self, what: GroupChange) {
        match what {
            GroupChange::Created | GroupChange::Destroyed(_) => {
                unreachable!("the list of groups has changed")
            }
            GroupChange::Read { last_id, entries_read } => {
                (self.last_id, self.entries_read) = (last_id, entries_read);
            }
            GroupChange::Pending { id, before } => self.put_pending(id, before),
            GroupChange::Seen { consumer, seen_ms, active_ms } => {
                self.consumers.change(consumer, |there| {
                    (there.seen_ms, there.active_ms) = (seen_ms, active_ms);
                });
            }
            GroupChange::Entered(number) => self.consumers.leave(number),
            GroupChange::Left(number, consumer) => self.consumers.put_back(number, consumer),
        }
    }

    /// Makes an entry pending as it was before, or not pending.
    fn put_pending(&mut self, id: StreamId, before: Option<Pending>) {
        if let Some(now) = self.pending.remove_key(id) {
            self.consumers.change(now.consumer, |consumer| consumer.pending.remove_key(id));
        }
        let Some(before) = before else { return };
        add(&mut self.pending, before);
        self.consumers.change(before.consumer, |consumer| add(&mut consumer.pending, id));
    }
}

/// Adds an item to a list.
fn add<T: Keyed>(list: &mut Sorted<T>, item: T) {
    memory::insist(list.reserve_insert(std::iter::once(item.key())));
    list.insert(item);
    list.release_spares();
}

impl Consumers {
    /// Removes the consumer with this number.
    fn leave(&mut self, number: u32) {
        if let Some(name) = self.get(number).map(|consumer| consumer.name.clone()) {
            self.remove(&name);
        }
    }
}
