//! Ranges: entries between two ids, in either direction.
//!
//! A node can be read only forwards. So the backward iterator walks over a node from its start, notes where the last
//! [`NOTED`] entries begin, and yields these from the end. A node of the usual size is walked over twice.

use super::entry::Entry;
use super::id::StreamId;
use super::log::Log;
use super::node::Node;
use super::sorted::Place;

/// How many entries the backward iterator notes at once.
const NOTED: usize = 64;

/// Entries with ascending ids.
#[derive(Clone, Debug)]
pub struct Range<'a> {
    log: &'a Log,
    node: Option<&'a Node>,
    place: Place,
    /// Where in the node the next entry begins.
    at: usize,
    from: StreamId,
    to: StreamId,
}

/// Entries with descending ids.
#[derive(Clone, Debug)]
pub struct RangeBack<'a> {
    log: &'a Log,
    node: Option<&'a Node>,
    place: Place,
    /// Where entries begin that are still to be yielded; the last one comes first.
    noted: [u32; NOTED],
    noted_len: usize,
    /// Where the entries end that are not noted yet. Nothing is left before the start of the node.
    rest: usize,
    from: StreamId,
    to: StreamId,
}

impl Log {
    /// The entries from `from` to `to`, both included.
    pub fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        let place = self.nodes.at_most(from).unwrap_or_default();
        let node = self.nodes.get(place);
        Range { log: self, node, place, at: node.map_or(0, Node::start), from, to }
    }

    /// The entries from `to` back to `from`, both included.
    pub fn range_back(&self, from: StreamId, to: StreamId) -> RangeBack<'_> {
        let place = self.nodes.at_most(to);
        let node = place.and_then(|place| self.nodes.get(place));
        let place = place.unwrap_or_default();
        let rest = node.map_or(0, Node::bytes);
        RangeBack { log: self, node, place, noted: [0; NOTED], noted_len: 0, rest, from, to }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let node = self.node?;
            let Some(step) = node.step(self.at) else {
                self.place = self.log.nodes.after(self.place);
                self.node = self.log.nodes.get(self.place);
                self.at = self.node.map_or(0, Node::start);
                continue;
            };
            self.at = step.end;
            let id = step.entry.id();
            if id > self.to {
                self.node = None;
            } else if id >= self.from {
                return Some(step.entry);
            }
        }
    }
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let node = self.node?;
            if let Some(last) = self.noted_len.checked_sub(1) {
                self.noted_len = last;
                let entry = node.step(self.noted[last % NOTED] as usize)?.entry;
                if entry.id() >= self.from {
                    return Some(entry);
                }
                self.node = None;
            } else if self.rest > node.start() {
                self.note(node);
            } else {
                let before = self.log.nodes.before(self.place);
                self.place = before.unwrap_or_default();
                self.node = before.and_then(|place| self.log.nodes.get(place));
                self.rest = self.node.map_or(0, Node::bytes);
            }
        }
    }
}

impl RangeBack<'_> {
    /// Notes the last entries before `rest` that are not greater than `to`.
    fn note(&mut self, node: &Node) {
        let mut count = 0;
        for step in node.steps(node.start()) {
            if step.start >= self.rest || step.entry.id() > self.to {
                break;
            }
            self.noted[count % NOTED] = step.start as u32;
            count += 1;
        }
        self.noted_len = count.min(NOTED);
        // The oldest noted entry must come first.
        if count > NOTED {
            self.noted.rotate_left(count % NOTED);
        }
        self.rest = if count == 0 { 0 } else { self.noted[0] as usize };
    }
}
