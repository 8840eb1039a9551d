//! Trimming: the oldest entries are removed, until few enough are left or until all old ones are gone.
//!
//! Whole nodes are cut off at once, whatever their number. The trim returns them, and the caller frees them piece by
//! piece. At most one node loses only a part of its entries.

use super::cut::Cut;
use super::id::StreamId;
use super::leftovers::Leftovers;
use super::log::Log;
use super::node::Node;
use super::notes::LogChange;

/// What to trim to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimTo {
    /// At most this many entries stay.
    Length(u64),
    /// Entries with smaller ids go.
    Id(StreamId),
}

/// A trim as XTRIM and XADD have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What to trim to.
    pub to: TrimTo,
    /// True if only whole nodes are to be removed.
    pub approximate: bool,
    /// Most entries to remove. As Redis does, the trim stops before a node with which it would be more.
    pub limit: Option<u64>,
}

/// What a trim has done.
#[derive(Debug)]
pub struct Trimmed {
    /// Number of entries removed.
    pub removed: u64,
    /// The part of their memory that is not free yet; `None` if all of it is.
    pub leftovers: Option<Leftovers>,
}

impl Log {
    /// Trims the log. Needs no memory.
    pub fn trim(&mut self, trim: Trim) -> Trimmed {
        let (nodes, whole, rest) = self.plan(trim);
        let place = self.nodes.place_of_nth(nodes);
        let (bytes, mut cut) = self.nodes.cut_front(place, self.notes.is_some());
        self.node_bytes -= bytes;
        let (part, copy) = if rest { self.trim_first_node(trim.to, whole) } else { (0, None) };
        if self.notes.is_some() && whole + part > 0 {
            let nodes = std::mem::replace(&mut cut, Cut::EMPTY);
            self.keep_note(LogChange::Trimmed { nodes, part: copy });
        }
        self.len -= whole + part;
        let leftovers = Some(Leftovers::nodes(cut)).filter(|left| left.memory() > 0);
        Trimmed { removed: (whole + part) as u64, leftovers }
    }

    /// How many nodes go as a whole, how many entries these have, and whether some entries of the next node go too.
    fn plan(&self, trim: Trim) -> (usize, usize, bool) {
        let (mut nodes, mut entries) = (0, 0);
        let mut next = self.nodes.iter().map(Node::key_and_len).peekable();
        while let Some((_, node_len)) = next.next() {
            let left = (self.len - entries) as u64;
            if matches!(trim.to, TrimTo::Length(most) if left <= most) {
                return (nodes, entries, false);
            }
            if trim.limit.is_some_and(|limit| (entries + node_len) as u64 > limit) {
                return (nodes, entries, false);
            }
            let whole = match trim.to {
                TrimTo::Length(most) => left - node_len as u64 >= most,
                // If the next node begins before the id or at it, all entries of this one are before it.
                TrimTo::Id(id) => match next.peek() {
                    Some((base, _)) if *base <= id => true,
                    _ => self.node_ends_before(nodes, id),
                },
            };
            if !whole {
                return (nodes, entries, !trim.approximate);
            }
            nodes += 1;
            entries += node_len;
        }
        (nodes, entries, false)
    }

    /// True if all entries of the node with this number are before `id`.
    fn node_ends_before(&self, number: usize, id: StreamId) -> bool {
        let node = self.nodes.get(self.nodes.place_of_nth(number));
        node.and_then(Node::last_id).is_some_and(|last| last < id)
    }

    /// Removes entries from the first node until the log is trimmed. `gone` entries of the length are gone already.
    /// Returns how many it has removed, and a copy of them if somebody wants to take the trim back.
    fn trim_first_node(&mut self, to: TrimTo, gone: usize) -> (usize, Option<Node>) {
        let Some(node) = self.nodes.first() else { return (0, None) };
        let most = match to {
            TrimTo::Length(most) => ((self.len - gone) as u64).saturating_sub(most) as usize,
            TrimTo::Id(_) => usize::MAX,
        };
        let old = node.steps(node.start()).take(most).take_while(|step| match to {
            TrimTo::Length(_) => true,
            TrimTo::Id(id) => step.entry.id() < id,
        });
        let (count, end) = old.fold((0, node.start()), |(count, _), step| (count + 1, step.end));
        let range = node.start()..end;
        let copy = self.notes.as_ref().filter(|_| count > 0).map(|_| node.part(range.clone(), count as u16));
        if count > 0 {
            self.with_node(Default::default(), |node| node.remove(range, count as u16));
        }
        (count, copy)
    }
}
