//! A list of slots by last touch, oldest first.
//!
//! All members have the same timeout, so the order of touches is the order of expiry. To find expired members costs
//! O(expired), and a touch costs a few nanoseconds. The deadline of the list is the deadline of its oldest member. The
//! links lie in a vector of their own, 16 bytes for each slot: a touch also writes the links of two neighbours, so the
//! links should lie close together.

use crate::base::Moment;

/// In `prev`, `next`, `head` and `tail`: there is no member.
const NONE: u32 = u32::MAX;
/// In `prev`: the slot itself is not a member.
const OUT: u32 = u32::MAX - 1;

#[derive(Clone, Copy, Debug)]
struct Link {
    prev: u32,
    next: u32,
    since: Moment,
}

/// Slots in the order of their last touch, for one timeout.
#[derive(Debug)]
pub struct Recency {
    links: Vec<Link>,
    head: u32,
    tail: u32,
}

impl Default for Recency {
    fn default() -> Recency {
        Recency { links: Vec::new(), head: NONE, tail: NONE }
    }
}

impl Recency {
    /// Makes `slot` the newest member, whether it was a member or not.
    ///
    /// `now` must not be earlier than the newest member's moment. The monotonic clock ensures that.
    #[inline]
    pub fn touch(&mut self, slot: u32, now: Moment) {
        if self.tail == slot {
            self.links[slot as usize].since = now;
            return;
        }
        // A member with the same moment is as new as the newest. The order of members with the same moment does not
        // matter.
        if self.contains(slot) && self.links[slot as usize].since == now {
            return;
        }
        self.remove(slot);
        let at = slot as usize;
        if at >= self.links.len() {
            self.links.resize(at + 1, Link { prev: OUT, next: NONE, since: now });
        }
        debug_assert!(self.tail == NONE || self.links[self.tail as usize].since <= now, "time ran backwards");
        self.links[at] = Link { prev: self.tail, next: NONE, since: now };
        match self.tail {
            NONE => self.head = slot,
            tail => self.links[tail as usize].next = slot,
        }
        self.tail = slot;
    }

    /// Takes `slot` out if it is a member.
    #[inline]
    pub fn remove(&mut self, slot: u32) {
        if !self.contains(slot) {
            return;
        }
        let Link { prev, next, .. } = self.links[slot as usize];
        match prev {
            NONE => self.head = next,
            prev => self.links[prev as usize].next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => self.links[next as usize].prev = prev,
        }
        self.links[slot as usize].prev = OUT;
    }

    /// True if `slot` is a member.
    #[inline]
    pub fn contains(&self, slot: u32) -> bool {
        self.links.get(slot as usize).is_some_and(|link| link.prev != OUT)
    }

    /// The member that was touched longest ago, and when that was.
    #[inline]
    pub fn oldest(&self) -> Option<(u32, Moment)> {
        self.links.get(self.head as usize).map(|link| (self.head, link.since))
    }

    /// All members, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let first = self.oldest().map(|(slot, _)| slot);
        std::iter::successors(first, |slot| {
            Some(self.links[*slot as usize].next).filter(|next| *next != NONE)
        })
    }

    /// The oldest member, if it was touched `timeout_ms` ago or longer. With a timeout of 0 no member expires.
    pub fn expired(&self, now: Moment, timeout_ms: u64) -> Option<u32> {
        let (slot, _) = self.oldest()?;
        (self.deadline(timeout_ms)? <= now).then_some(slot)
    }

    /// When the oldest member expires. `None` if there are no members or the timeout is 0.
    pub fn deadline(&self, timeout_ms: u64) -> Option<Moment> {
        if timeout_ms == 0 {
            return None;
        }
        self.oldest().map(|(_, since)| since.plus_ms(timeout_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn agrees_with_an_obvious_list_over_any_history() {
        for seed in 0..50 {
            let mut rng = StdRng::seed_from_u64(seed);
            let (mut list, mut model): (Recency, Vec<(u32, Moment)>) = Default::default();
            for step in 0..500 {
                let (slot, now) = (rng.random_range(0..12), Moment::from_nanos(step / 3));
                let touched = rng.random_bool(0.7);
                // A member that is touched again at the same moment stays in its place.
                if !touched || !model.contains(&(slot, now)) {
                    model.retain(|(member, _)| *member != slot);
                }
                if touched {
                    list.touch(slot, now);
                    if !model.contains(&(slot, now)) {
                        model.push((slot, now));
                    }
                } else {
                    list.remove(slot);
                }
                assert_eq!(list.oldest(), model.first().copied(), "seed {seed}");
                assert!(list.iter().eq(model.iter().map(|(slot, _)| *slot)), "seed {seed}");
                for slot in 0..13 {
                    assert_eq!(list.contains(slot), model.iter().any(|(member, _)| *member == slot));
                }
            }
            while let Some((slot, _)) = list.oldest() {
                assert_eq!(slot, model.remove(0).0);
                list.remove(slot);
            }
            assert!(model.is_empty());
        }
    }

    #[test]
    fn expires_at_its_deadline_and_never_without_one() {
        let mut list = Recency::default();
        list.touch(7, Moment::from_nanos(0));
        assert_eq!(list.expired(Moment::from_nanos(4_999_999), 5), None);
        assert_eq!(list.expired(Moment::from_nanos(5_000_000), 5), Some(7));
        assert_eq!(list.expired(Moment::from_nanos(u64::MAX), 0), None);
    }
}
