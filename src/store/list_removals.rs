//! Removing elements from keys that hold lists. It needs no memory, and takes the key away with its last element.

use super::Store;
use super::elements::{Elements, ListForm, Side};
use super::journal::What;
use super::large::Keyed;
use super::list::{PackedList, packed_size};
use super::prepared::WrongKind;
use super::table::Place;
use super::undo::noter;
use crate::base::fault;

impl Store {
    /// Shows the element at one end of the list of `key` to `see`, and then removes it, and also the key if no element
    /// stays. Returns whether the key is gone; `None` if there is no such key or it has expired. Needs no memory.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value, and the error of `see`. Nothing has changed.
    pub fn pop_list<E: From<WrongKind>>(
        &mut self,
        key: &[u8],
        side: Side,
        now_ms: u64,
        see: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<Option<bool>, E> {
        fault::point();
        let hash = self.table.hash(key);
        let Some(place) = self.find_hashed(hash, key, now_ms) else { return Ok(None) };
        see(self.list_at(place)?.end(side).unwrap_or_default())?;
        let (left, right) = if side == Side::Left { (1, 0) } else { (0, 1) };
        Ok(Some(self.drop_ends_at(place, (hash, key), left, right)))
    }

    /// Removes the first `left` and the last `right` elements of the list of `key`, and also the key if no element stays.
    /// Returns true if it has removed the key. Needs no memory. Cannot fail or panic half-way.
    pub fn drop_list_ends(&mut self, key: &[u8], left: usize, right: usize) -> bool {
        let hash = self.table.hash(key);
        let Some(place) = self.table.find(hash, key) else { return false };
        self.drop_ends_at(place, (hash, key), left, right)
    }

    /// Does what [`Store::drop_list_ends`] says with the list at `place`.
    fn drop_ends_at(&mut self, place: Place, (hash, key): (u64, &[u8]), left: usize, right: usize) -> bool {
        let record = self.table.record(place);
        let elements = Elements::of(&self.table, record);
        if left.saturating_add(right) >= elements.len() {
            self.take(What::Removed, place);
            return true;
        }
        self.changes.note(What::Set, key);
        match (elements.0, record.body()) {
            (ListForm::Large(_), Some(number)) => {
                if let Some(mut noter) = noter(&mut self.undo, self.changes.db, hash, key) {
                    self.table.with_body(number, |body| noter.cut_ends(body.list_mut(), left, right));
                    return false;
                }
                let (front, back) = self.table.with_body(number, |body| {
                    let list = body.list_mut();
                    (list.drop_front(left), list.drop_back(right))
                });
                for list in front.into_iter().chain(back) {
                    self.discards.keep(Some(Keyed { key: Vec::new(), value: list }.into()));
                }
            }
            (ListForm::Packed(packed), _) => {
                let kept = packed.range(left).start..packed.range(packed.len() - right).start;
                self.shorten_item(place, hash, |bytes| {
                    bytes.copy_within(kept.clone(), 0);
                    kept.len()
                });
            }
            (ListForm::Large(_), None) => unreachable!("a large list is in a body"),
        }
        false
    }

    /// Removes up to `count` elements that equal `element` from the list of `key`: the first ones, or the last ones if
    /// `side` is the right end. With the last element goes the key. Returns how many it has removed, and whether the key is
    /// gone. Needs no memory. Cannot fail or panic half-way.
    pub fn remove_list_elements(
        &mut self,
        key: &[u8],
        element: &[u8],
        count: usize,
        side: Side,
    ) -> (usize, bool) {
        let hash = self.table.hash(key);
        let Some(place) = self.table.find(hash, key) else { return (0, false) };
        let record = self.table.record(place);
        let elements = Elements::of(&self.table, record);
        let equal = elements.iter_from(0).filter(|there| *there == element).count();
        let removed = equal.min(count);
        if removed == elements.len() {
            self.take(What::Removed, place);
            return (removed, true);
        }
        if removed == 0 {
            return (0, false);
        }
        self.changes.note(What::Set, key);
        let from_right = side == Side::Right;
        match (elements.0, record.body()) {
            (ListForm::Large(_), Some(number)) => {
                let noter = noter(&mut self.undo, self.changes.db, hash, key);
                self.table.with_body(number, |body| {
                    if let Some(mut noter) = noter {
                        noter.remove_elements(body.list_mut(), element, removed, from_right);
                    }
                    body.list_mut().remove(|there| there == element, removed, from_right)
                });
            }
            _ => {
                // From the right end, the first ones of those that are equal stay.
                let spared = if from_right { equal - removed } else { 0 };
                self.shorten_item(place, hash, |bytes| {
                    remove_packed(bytes, element, spared..spared + removed)
                });
            }
        }
        (removed, false)
    }
}

/// Removes elements that equal `element` from the packed `bytes`: those with these numbers, counted among the equal ones.
/// Returns how many bytes the rest takes.
fn remove_packed(bytes: &mut [u8], element: &[u8], removed: std::ops::Range<usize>) -> usize {
    let (mut at, mut kept, mut equal) = (0, 0, 0);
    while let Some(there) = PackedList(&bytes[at..]).iter().next() {
        let (size, is_equal) = (packed_size(there.len()), there == element);
        if !(is_equal && removed.contains(&equal)) {
            bytes.copy_within(at..at + size, kept);
            kept += size;
        }
        equal += usize::from(is_equal);
        at += size;
    }
    kept
}
