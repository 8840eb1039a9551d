//! What a key holds, as `OBJECT` and `MEMORY USAGE` tell it.

use super::Store;
use super::elements::Elements;
use super::map::Map;
use super::members::Members;
use super::ranked::Ranked;
use super::record::Kind;
use super::stream::Stream;
use super::streams::stream_of;
use crate::base::fault;

/// What one item costs in the index of its segment, in bytes: its tag and spot, and its share of what surrounds them.
const INDEX_BYTES: usize = 8;

/// What a key holds.
pub enum Object<'a> {
    /// A string.
    String(&'a [u8]),
    /// A hash.
    Hash(Map<'a>),
    /// A set.
    Set(Members<'a>),
    /// A list.
    List(Elements<'a>),
    /// A sorted set.
    Zset(Ranked<'a>),
    /// A stream.
    Stream(&'a Stream),
}

impl Store {
    /// What `key` holds, and how many bytes of memory it takes. `None` if there is no such key.
    pub fn object(&mut self, key: &[u8], now_ms: u64) -> Option<(Object<'_>, usize)> {
        fault::point();
        let place = self.find(key, now_ms)?;
        let record = self.table.record(place);
        let body = record.body().map_or(0, |number| self.table.bodies.get(number).memory());
        let object = match record.kind() {
            Kind::String => Object::String(self.table.value_of(record)),
            Kind::Hash => Object::Hash(Map::of(&self.table, record, now_ms)),
            Kind::Set => Object::Set(Members::of(&self.table, record)),
            Kind::List => Object::List(Elements::of(&self.table, record)),
            Kind::Zset => Object::Zset(Ranked::of(&self.table, record)),
            Kind::Stream => Object::Stream(stream_of(&self.table, record)?),
        };
        Some((object, record.bytes().len() + INDEX_BYTES + body))
    }
}
