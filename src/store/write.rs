//! Writes and removes items. A write may split a segment, and a removal may merge two; `reshape` does that.

use super::body::Body;
use super::large::Large;
use super::record::{Draft, INLINE_MAX, Kind, Record};
use super::segment::Spot;
use super::table::{Content, Place, Table};

impl Table {
    /// Writes `content` under `key`, in the place of the item at `place` if there is one. Returns the old content if it
    /// takes long to free.
    ///
    /// It is inlined: most values are small and written over another one, and the call took 30 instructions of such an `HSET`.
    #[inline(always)]
    pub fn write(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        kind: Kind,
        content: Content<'_>,
        expires_ms: Option<u64>,
    ) -> Option<Large> {
        let body = place.and_then(|place| self.record(place).body());
        match content {
            Content::Small(value) if body.is_none() => {
                let written = match (place, expires_ms) {
                    (Some(place), None) => self.overwrite(place, kind, value),
                    _ => false,
                };
                if !written {
                    self.write_small(place, hash, key, kind, value, expires_ms);
                }
                None
            }
            content => self.write_content(place, hash, key, kind, content, expires_ms),
        }
    }

    /// As [`Table::write`], for a value that gets a record of its own.
    #[inline(never)]
    fn write_small(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        kind: Kind,
        value: &[u8],
        expires_ms: Option<u64>,
    ) {
        self.put(place, hash, Draft::small(kind, key, [value, b""], expires_ms).record());
    }

    /// As [`Table::write`], if there is a body before or afterwards, or bytes are appended.
    #[inline(never)]
    fn write_content(
        &mut self,
        place: Option<Place>,
        hash: u64,
        key: &[u8],
        kind: Kind,
        content: Content<'_>,
        expires_ms: Option<u64>,
    ) -> Option<Large> {
        let body = place.and_then(|place| self.record(place).body());
        let mut left = None;
        let next_field_expiry = match &content {
            Content::Body(body) => body.next_field_expiry(),
            _ => None,
        };
        let draft = match (content, body) {
            (Content::Tail(tail), Some(number)) => {
                self.with_body(number, |body| body.append(tail));
                Draft::large(kind, number, expires_ms)
            }
            (Content::Tail(tail), None) => {
                let head = place.map_or(&b""[..], |place| self.record(place).value());
                Draft::small(kind, key, [head, tail], expires_ms)
            }
            (Content::Over(value), Some(number)) => {
                self.with_body(number, |body| body.overwrite(value));
                Draft::large(kind, number, expires_ms)
            }
            (Content::Over(_), None) => unreachable!("no key is removed between prepare and commit"),
            (Content::Body(body), Some(number)) => {
                let before = self.with_body(number, |there| std::mem::replace(there, body));
                left = before.into_large();
                Draft::large(kind, number, expires_ms)
            }
            (Content::Body(body), None) => {
                self.tally.add(&body);
                Draft::large(kind, self.bodies.push(body), expires_ms)
            }
            (Content::Small(value), _) => Draft::small(kind, key, [value, b""], expires_ms),
        };
        self.put(place, hash, draft.record());
        self.hasten(hash, next_field_expiry);
        if let (Some(number), None) = (body, draft.record().body()) {
            left = self.drop_body(number).into_large();
        }
        left
    }

    /// Changes when the item at `place` expires: at a Unix time in milliseconds, or never.
    pub fn set_expiry(&mut self, place: Place, hash: u64, expires_ms: Option<u64>) {
        let record = self.record(place);
        let draft = match record.body() {
            Some(number) => Draft::large(record.kind(), number, expires_ms),
            None => Draft::small(record.kind(), record.key(), [record.value(), b""], expires_ms),
        };
        self.put(Some(place), hash, draft.record());
    }

    /// Removes the item at `place`. Returns its content if that takes long to free.
    pub fn remove(&mut self, place: Place) -> Option<Large> {
        self.take_out(place)?.into_large()
    }

    /// Removes the item at `place` and returns its body, if it has one.
    pub fn take_out(&mut self, place: Place) -> Option<Body> {
        let record = self.record(place);
        let (body, len) = (record.body(), record.bytes().len());
        self.count_expiring(record.expires_ms(), None);
        self.segments.get_mut(place.segment).remove(place.cell, len);
        self.len -= 1;
        let body = body.map(|number| self.drop_body(number));
        self.shrink(place.segment);
        body
    }

    /// Makes the packed value at `place` shorter: `change` moves what stays to the front of its bytes, and returns how
    /// many bytes stay. Needs no memory.
    pub fn shorten_packed(&mut self, place: Place, hash: u64, change: impl FnOnce(&mut [u8]) -> usize) {
        let record = self.record(place);
        if let Some(number) = record.body() {
            return self.with_body(number, |body| body.shorten(change));
        }
        let mut value = [0; INLINE_MAX];
        let value = &mut value[..record.value().len()];
        value.copy_from_slice(record.value());
        let kept = change(value);
        let draft = Draft::small(record.kind(), record.key(), [&value[..kept], b""], record.expires_ms());
        self.rewrite(place, hash, draft.record());
    }

    /// Writes a record, over the one at `place` if there is one.
    fn put(&mut self, place: Option<Place>, hash: u64, record: Record<'_>) {
        let expires_ms = record.expires_ms();
        self.count_expiring(place.and_then(|place| self.record(place).expires_ms()), expires_ms);
        match place {
            Some(place) => self.rewrite(place, hash, record),
            None => {
                self.insert(hash, record);
                self.len += 1;
            }
        }
        self.hasten(hash, expires_ms);
    }

    /// Something of the item with this hash expires at this Unix time in milliseconds, or nothing does.
    #[inline]
    pub(super) fn hasten(&mut self, hash: u64, at_ms: Option<u64>) {
        if let Some(at_ms) = at_ms {
            self.agenda.hasten(&mut self.segments, self.directory.segment(hash), at_ms);
        }
    }

    /// Counts an item that expired `before` and expires `after` a write; `None` means never.
    #[inline]
    fn count_expiring(&mut self, before: Option<u64>, after: Option<u64>) {
        self.expiring += usize::from(after.is_some());
        self.expiring -= usize::from(before.is_some());
    }

    /// Writes `value` over the value of the record at `place` if nothing else of the record would change. Most
    /// values are written over others of their length; without this a `SET` costs a sixth more instructions.
    #[inline]
    fn overwrite(&mut self, place: Place, kind: Kind, value: &[u8]) -> bool {
        let bytes = &mut self.blocks.get_mut(place.block).bytes[usize::from(place.offset)..];
        let Some(range) = Record(bytes).value_range(kind, value.len()) else { return false };
        bytes[range].copy_from_slice(value);
        true
    }

    /// A record that is no longer than the one before takes its place.
    pub(super) fn rewrite(&mut self, place: Place, hash: u64, record: Record<'_>) {
        let before = self.record(place).bytes().len();
        let bytes = record.bytes();
        let segment = self.segments.get_mut(place.segment);
        if bytes.len() > before {
            segment.remove(place.cell, before);
            return self.insert(hash, record);
        }
        segment.forget(before - bytes.len());
        self.blocks.get_mut(place.block).bytes[usize::from(place.offset)..][..bytes.len()]
            .copy_from_slice(bytes);
    }

    /// Adds a record to the segment of `hash`, and makes room there first if it must.
    fn insert(&mut self, hash: u64, record: Record<'_>) {
        loop {
            let number = self.directory.segment(hash);
            if self.segments.get(number).takes(1, record.bytes().len())
                && let Some(spot) = self.append(number, record.bytes())
            {
                return self.segments.get_mut(number).insert(hash, spot);
            }
            self.make_room(number, record.bytes().len());
        }
    }

    /// Copies a record into a block of segment `number`. `None` if the segment should be packed or split
    /// first.
    fn append(&mut self, number: u32, bytes: &[u8]) -> Option<Spot> {
        let segment = self.segments.get_mut(number);
        let spot = match segment.allot(bytes.len()) {
            Some(spot) => spot,
            None if segment.may_add_block() => {
                self.add_block(number);
                self.segments.get_mut(number).allot(bytes.len())?
            }
            None => return None,
        };
        let block = self.segments.get(number).block_of(spot);
        self.blocks.get_mut(block).bytes[spot.offset()..][..bytes.len()].copy_from_slice(bytes);
        Some(spot)
    }
}
