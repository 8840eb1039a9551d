//! Notes of how to take changes of a stream back. The stream makes them while somebody wants them.
//!
//! A note takes as much memory as its change has touched: a pending entry is copied, and what is removed as a whole is
//! moved into the note. The notes are taken back in reverse order. Taking back allocates without a reservation, because it
//! must not fail. The entries and the groups have notes of their own, because a change of one is no change of the other.

use super::Stream;
use super::consumers::Consumer;
use super::cut::Cut;
use super::group::{Group, Pending};
use super::id::StreamId;
use super::leftovers::Leftovers;
use super::node::Node;
use crate::store::chunked::{Chunked, Size};

/// Most notes that a piece frees.
const PIECE_NOTES: usize = 256;
/// A node of more bytes has a single entry, and was moved into its note.
const LONG_BYTES: usize = 64 << 10;

/// How to take some changes back.
#[derive(Debug)]
pub struct Notes {
    log: Chunked<LogNote>,
    groups: Chunked<GroupNote>,
    /// Bytes that the notes own: what was moved into them, and copies.
    moved: usize,
    copied: usize,
}

/// What the log was before a change.
#[derive(Debug)]
pub(super) struct LogNote {
    pub(super) last_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) entries_added: u64,
    pub(super) what: LogChange,
}

/// How the entries of a log have changed.
#[derive(Debug)]
pub(super) enum LogChange {
    /// They have not: only what the log remembers.
    None,
    /// One was appended.
    Appended,
    /// One was removed, which is in a node for itself here.
    Removed(Node),
    /// The oldest were removed: whole nodes, and some entries of the next node.
    Trimmed { nodes: Cut<Node>, part: Option<Node> },
}

/// The notes of all groups, and of which group the next note is.
#[derive(Debug)]
pub(super) struct GroupNotes {
    list: Chunked<GroupNote>,
    pub(super) group: u32,
}

/// A change of a group.
#[derive(Debug)]
pub(super) struct GroupNote {
    /// The number of the group.
    pub(super) group: u32,
    pub(super) what: GroupChange,
}

/// How a group has changed.
#[derive(Debug)]
pub(super) enum GroupChange {
    /// It is new.
    Created,
    /// It is gone.
    Destroyed(Box<Group>),
    /// It has read up to another entry. It had read this far.
    Read { last_id: StreamId, entries_read: Option<u64> },
    /// Something was this pending entry, or was not pending.
    Pending { id: StreamId, before: Option<Pending> },
    /// A command has named a consumer. These were its times.
    Seen { consumer: u32, seen_ms: u64, active_ms: Option<u64> },
    /// A consumer is new.
    Entered(u32),
    /// A consumer is gone. Its pending entries have notes of their own.
    Left(u32, Box<Consumer>),
}

impl Default for GroupNotes {
    fn default() -> GroupNotes {
        GroupNotes { list: Chunked::new(Size::Small), group: 0 }
    }
}

impl GroupNotes {
    /// Adds a note of the current group.
    pub(super) fn push(&mut self, what: GroupChange) {
        self.list.push(GroupNote { group: self.group, what });
    }
}

impl LogChange {
    /// Memory that it owns, in bytes: what was moved into it, and copies.
    fn weight(&self) -> (usize, usize) {
        match self {
            LogChange::None | LogChange::Appended => (0, 0),
            LogChange::Removed(node) if node.memory() > LONG_BYTES => (node.memory(), 0),
            LogChange::Removed(node) => (0, node.memory()),
            LogChange::Trimmed { nodes, part } => {
                (nodes.memory(), part.as_ref().map_or(0, |part| part.memory()))
            }
        }
    }

    /// Frees a piece of it. Returns false if the rest may be freed at once.
    fn free_piece(&mut self) -> bool {
        if let LogChange::Trimmed { nodes, .. } = self { nodes.free_piece() } else { false }
    }
}

impl GroupChange {
    /// Memory that it owns, in bytes: what was moved into it, and copies.
    fn weight(&self) -> (usize, usize) {
        match self {
            GroupChange::Destroyed(group) => (group.memory(), 0),
            GroupChange::Left(_, consumer) => (consumer.memory(), 0),
            _ => (0, 0),
        }
    }

    /// Frees a piece of it. Returns false if the rest may be freed at once.
    fn free_piece(&mut self) -> bool {
        if let GroupChange::Destroyed(group) = self { group.free_piece() } else { false }
    }
}

impl Notes {
    fn new(log: Chunked<LogNote>, groups: Chunked<GroupNote>) -> Notes {
        let weights = log.iter().map(|note| note.what.weight());
        let weights = weights.chain(groups.iter().map(|note| note.what.weight()));
        let (moved, copied) = weights.fold((0, 0), |sum, weight| (sum.0 + weight.0, sum.1 + weight.1));
        Notes { log, groups, moved, copied }
    }

    /// Memory held, in bytes: what was moved into the notes, and the notes themselves with copies.
    pub fn memory(&self) -> (usize, usize) {
        (self.moved, self.copied + self.log.memory() + self.groups.memory() + size_of::<Notes>())
    }

    /// Frees a piece of the memory: some notes, or a part of what was moved into one. Returns false if nothing is left.
    pub fn free_piece(&mut self) -> bool {
        for _ in 0..PIECE_NOTES {
            let (before, more, after) = if let Some(last) = self.groups.last_mut() {
                let before = last.what.weight();
                (before, last.what.free_piece(), last.what.weight())
            } else if let Some(last) = self.log.last_mut() {
                let before = last.what.weight();
                (before, last.what.free_piece(), last.what.weight())
            } else {
                return false;
            };
            self.forget(before);
            if more {
                (self.moved, self.copied) = (self.moved + after.0, self.copied + after.1);
                return true;
            }
            if self.groups.pop().is_none() {
                self.log.pop();
            }
        }
        true
    }

    fn forget(&mut self, (moved, copied): (usize, usize)) {
        (self.moved, self.copied) = (self.moved - moved, self.copied - copied);
    }
}

impl Stream {
    /// Notes changes from now on.
    pub(in crate::store) fn start_notes(&mut self) {
        self.log.notes.get_or_insert_with(|| Box::new(Chunked::new(Size::Small)));
        self.groups.start_notes();
    }

    /// Stops to note changes. Returns the notes, if there are any.
    pub(in crate::store) fn take_notes(&mut self) -> Option<Notes> {
        let log = *self.log.notes.take()?;
        let groups = self.groups.take_notes().map_or_else(|| Chunked::new(Size::Small), |notes| notes.list);
        (log.len() + groups.len() > 0).then(|| Notes::new(log, groups))
    }

    /// Takes the changes back. Returns memory that is to be freed piece by piece.
    pub(in crate::store) fn take_back(&mut self, notes: Notes) -> Vec<Leftovers> {
        let (Notes { mut log, mut groups, .. }, mut left) = (notes, Vec::new());
        while let Some(note) = log.pop() {
            self.log.take_back(note);
        }
        while let Some(note) = groups.pop() {
            left.extend(self.groups.take_back(note));
        }
        left
    }
}
