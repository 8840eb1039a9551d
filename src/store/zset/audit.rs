//! Walks over a sorted set and asserts its invariants.

use std::collections::BTreeSet;

use crate::store::zset::Zset;
use crate::store::zset::arena::{Arena, Handle, chunk_of, handle_at, is_hole};
use crate::store::zset::bound::Key;
use crate::store::zset::node::Node;
use crate::store::zset::room::weight;
use crate::store::zset::tree::{Tree, key_of};

impl Zset {
    /// Panics if an invariant is broken.
    pub fn audit(&self) {
        let items = self.arena.audit();
        assert_eq!(items.len(), self.len);
        let mut seen = Vec::new();
        let mut counted = (0, 0);
        if self.len > 0 {
            let (_, count) = audit_node(self, self.tree.root, self.tree.height, &mut seen, &mut counted);
            assert_eq!(count, self.len);
        }
        assert_eq!(counted, (self.tree.leaves.len(), self.tree.inners.len()));
        let keys: Vec<Key<'_>> = seen.iter().map(|handle| key_of(&self.arena, *handle)).collect();
        for two in keys.windows(2) {
            let (one, other) = (two[0], two[1]);
            let tie = one.score == other.score && one.member < other.member;
            assert!(one.score < other.score || tie, "the order is wrong");
        }
        assert_eq!(seen.iter().copied().collect::<BTreeSet<_>>(), items);
        for handle in items {
            let hash = self.hash(self.arena.member(handle));
            assert_eq!(self.index.find(hash, |it| it == handle), Some(handle));
        }
        let mut all = 0;
        let mut at = 0;
        while at < 1 << 48 {
            let (handles, end) = self.index.rest_of_segment(at);
            all += handles.count();
            at = end;
        }
        assert_eq!(all, self.len);
    }
}

/// Returns the first item below a node, and the number of items.
fn audit_node(
    zset: &Zset,
    number: u32,
    level: usize,
    seen: &mut Vec<Handle>,
    counted: &mut (usize, usize),
) -> (Handle, usize) {
    let tree: &Tree = &zset.tree;
    if level == 0 {
        let handles = tree.leaves.get(number).handles();
        assert!(!handles.is_empty());
        counted.0 += 1;
        seen.extend(handles);
        return (handles[0], handles.len());
    }
    counted.1 += 1;
    let inner = tree.inners.get(number);
    assert!(inner.len() >= 2, "an inner node has two children");
    let mut total = 0;
    for at in 0..inner.len() {
        let (first, count) = audit_node(zset, inner.child(at), level - 1, seen, counted);
        assert_eq!((inner.handles()[at], inner.counts()[at] as usize), (first, count));
        assert_eq!(inner.scores()[at], zset.arena.score(first));
        total += count;
    }
    (inner.handles()[0], total)
}

impl Arena {
    /// Checks the chunks and returns the handles of all items.
    fn audit(&self) -> BTreeSet<Handle> {
        let mut items = BTreeSet::new();
        let (mut filled, mut live, mut held) = (0, 0, 0);
        for (number, chunk) in self.chunks.iter().enumerate() {
            let from = match self.victim {
                Some((victim, offset)) if victim == number => offset,
                _ => 0,
            };
            let mut offset = 0;
            let mut own = 0;
            while offset < chunk.bytes.len() {
                let handle = handle_at(number, offset);
                assert_eq!(chunk_of(handle), number);
                let size = Arena::size_of(self.bytes(handle));
                if !is_hole(chunk.bytes[offset]) {
                    assert!(offset >= from, "an item behind the evacuation");
                    items.insert(handle);
                    own += size;
                }
                offset += size;
            }
            assert_eq!((offset, own), (chunk.bytes.len(), chunk.live));
            filled += offset;
            live += own;
            held += weight(&chunk.bytes);
        }
        assert_eq!((filled, live), (self.filled, self.live));
        assert!(held <= self.held);
        items
    }
}
