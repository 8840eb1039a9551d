//! What an item was before a change. An item is a key of a keyspace, a field of a hash, or a member of a set: all of them lie
//! in tables.

use crate::store::body::Body;
use crate::store::large::Large;
use crate::store::prepared::Prepared;
use crate::store::record::{Kind, RECORD_MAX};
use crate::store::table::{Content, Place, Table};

/// What an item was.
#[derive(Debug)]
pub enum Old {
    /// There was none.
    Absent,
    /// It fitted a block.
    Small { kind: Kind, expires_ms: Option<u64>, value: Box<[u8]> },
    /// It had a body, which was moved or copied.
    Body { kind: Kind, expires_ms: Option<u64>, body: Box<Body>, moved: bool },
    /// It was what it is now, but for the time of expiry.
    Expiry(Option<u64>),
}

impl Old {
    /// Memory that it owns, in bytes: what was moved into it, and copies.
    pub fn weight(&self) -> (usize, usize) {
        match self {
            Old::Absent | Old::Expiry(_) => (0, 0),
            Old::Small { value, .. } => (0, value.len()),
            Old::Body { body, moved: true, .. } => (body.memory(), size_of::<Body>()),
            Old::Body { body, .. } => (0, body.memory() + size_of::<Body>()),
        }
    }
}

impl Table {
    /// A copy of a string or a packed value.
    pub fn copied(&self, place: Place) -> Old {
        let record = self.record(place);
        let (kind, expires_ms) = (record.kind(), record.expires_ms());
        match record.body() {
            Some(number) => {
                let body = Box::new(self.bodies.get(number).copy());
                Old::Body { kind, expires_ms, body, moved: false }
            }
            None => Old::Small { kind, expires_ms, value: record.value().into() },
        }
    }

    /// What the item is, which is going to be replaced as a whole. A body is taken out, and an empty one is there in its
    /// place.
    pub fn hollowed(&mut self, place: Place) -> Old {
        let record = self.record(place);
        let (kind, expires_ms) = (record.kind(), record.expires_ms());
        let Some(number) = record.body() else { return self.copied(place) };
        let body = self.with_body(number, |body| {
            let hollow = body.hollow();
            std::mem::replace(body, hollow)
        });
        Old::Body { kind, expires_ms, body: Box::new(body), moved: true }
    }

    /// Removes the item, and returns what it was.
    pub fn lifted(&mut self, place: Place) -> Old {
        let record = self.record(place);
        let (kind, expires_ms) = (record.kind(), record.expires_ms());
        if record.body().is_none() {
            let old = self.copied(place);
            self.take_out(place);
            return old;
        }
        match self.take_out(place) {
            Some(body) => Old::Body { kind, expires_ms, body: Box::new(body), moved: true },
            None => Old::Absent,
        }
    }

    /// Makes the item with this key what it was. A body knows its key. Returns what the item is now if that takes long to
    /// free.
    pub fn put_old(&mut self, key: &[u8], old: Old) -> Option<Large> {
        if let Old::Body { kind, expires_ms, body, .. } = old {
            // If there is no room and nobody wants to give any, the write takes it.
            let (hash, place) = (body.hash(), self.find(body.hash(), body.key()));
            let _ = self.reserve_record(hash, body.key(), RECORD_MAX, 1);
            return self.write(place, hash, b"", kind, Content::Body(*body), expires_ms);
        }
        let hash = self.hash(key);
        let place = self.find(hash, key);
        match old {
            Old::Absent => {
                let left = place.and_then(|place| self.remove(place));
                self.trim();
                left
            }
            Old::Small { kind, expires_ms, value } => {
                let _ = self.reserve_record(hash, key, Prepared::small_record_bytes(key, &value), 0);
                self.write(place, hash, key, kind, Content::Small(&value), expires_ms)
            }
            Old::Body { .. } => unreachable!("it is put back above"),
            Old::Expiry(expires_ms) => {
                let _ = self.reserve_record(hash, key, RECORD_MAX, 0);
                if let Some(place) = place {
                    self.set_expiry(place, hash, expires_ms);
                }
                None
            }
        }
    }
}
