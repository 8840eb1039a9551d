//! A body: key and value of an item that is too long for a block. They lie in memory of their own.
//!
//! The value is a string, a packed value such as a small hash, or a [large](super::large) one.
//!
//! The [tally](Tally) of a table counts what its bodies come to. It is kept up to date by the few functions that add, change or
//! remove a body.

use super::large::{Keyed, Large};
use super::prefetch::prefetch;
use super::record::{Draft, Record};
use super::segment::Segment;
use super::set::Set;
use super::table::{Place, Table};
use crate::base::{OutOfMemory, memory};

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;
/// How many lines of a body are fetched ahead. After those, the processor sees the pattern and fetches more
/// by itself.
const LINES_FETCHED: usize = 8;

/// A key and its value.
#[derive(Debug)]
pub struct Body {
    /// The hash of the key.
    hash: u64,
    /// Bytes of the key.
    key_len: u32,
    contents: Contents,
}

/// The memory of a body.
#[derive(Debug)]
enum Contents {
    /// The key, followed by a string or a packed value.
    Bytes(Vec<u8>),
    /// The key, and a value in a structure of its own.
    Large(Large),
}

/// What the bodies of a table come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes that the bodies own, without their entries in the list of bodies.
    pub bytes: usize,
    /// Number of hashes that have fields with a time of expiry.
    pub volatile: usize,
}

impl Tally {
    /// A body has come.
    #[inline]
    pub fn add(&mut self, body: &Body) {
        self.bytes += body.memory();
        self.volatile += usize::from(body.is_volatile());
    }

    /// A body is going to change or to leave.
    #[inline]
    pub fn take(&mut self, body: &Body) {
        self.bytes -= body.memory();
        self.volatile -= usize::from(body.is_volatile());
    }
}

/// What a body needs to belong to another key.
#[derive(Debug)]
pub struct Rekey {
    hash: u64,
    key_len: u32,
    /// A copy of the key for a large value; empty otherwise.
    copy: Vec<u8>,
}

/// Most bytes that a string gets beyond what it needs when it grows, as in Redis. The allocator grows a long piece of
/// memory without copying it.
const SPARE_BYTES_MAX: usize = 1 << 20;

impl Body {
    /// Bytes that a body costs besides its contents: the allocator's header.
    const ALLOCATION: usize = 16;

    /// A body with copies of `key`, whose hash is `hash`, and of the two parts of its value, one after the
    /// other.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn new(hash: u64, key: &[u8], value: [&[u8]; 2]) -> Result<Body, OutOfMemory> {
        let mut bytes = Vec::new();
        let key_len = u32::try_from(key.len()).map_err(|_| OutOfMemory)?;
        let len = value.iter().try_fold(key.len(), |sum, part| sum.checked_add(part.len()));
        memory::reserve_exact(&mut bytes, len.ok_or(OutOfMemory)?)?;
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value[0]);
        bytes.extend_from_slice(value[1]);
        Ok(Body { hash, key_len, contents: Contents::Bytes(bytes) })
    }

    /// A body with a copy of `key`, whose hash is `hash`, and a large value.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn with_large<T>(hash: u64, key: &[u8], value: T) -> Result<Body, OutOfMemory>
    where
        Large: From<Keyed<T>>,
    {
        let mut copy = Vec::new();
        let key_len = u32::try_from(key.len()).map_err(|_| OutOfMemory)?;
        memory::reserve_exact(&mut copy, key.len())?;
        // `Table::new` has allocated the first segment without charging it.
        memory::charge(size_of::<Keyed<T>>() + size_of::<Segment>())?;
        copy.extend_from_slice(key);
        Ok(Body { hash, key_len, contents: Contents::Large(Keyed { key: copy, value }.into()) })
    }

    /// The value, if it is large.
    pub fn large(&self) -> Option<&Large> {
        match &self.contents {
            Contents::Large(large) => Some(large),
            Contents::Bytes(_) => None,
        }
    }

    /// The value to be changed, if it is large.
    pub fn large_mut(&mut self) -> Option<&mut Large> {
        match &mut self.contents {
            Contents::Large(large) => Some(large),
            Contents::Bytes(_) => None,
        }
    }

    /// The table of a hash, to be changed.
    ///
    /// # Panics
    /// If the body has none.
    pub fn map_mut(&mut self) -> &mut Table {
        match self.large_mut() {
            Some(Large::Map(map)) => &mut map.value,
            _ => panic!("no table is in the body"),
        }
    }

    /// A large set, to be changed.
    ///
    /// # Panics
    /// If the body has none.
    pub fn set_mut(&mut self) -> &mut Set {
        match self.large_mut() {
            Some(Large::Set(set)) => &mut set.value,
            _ => panic!("no large set is in the body"),
        }
    }

    /// True if the body holds a hash with a field that expires.
    #[inline]
    fn is_volatile(&self) -> bool {
        matches!(&self.contents, Contents::Large(Large::Map(map)) if map.value.expiring > 0)
    }

    /// When the next of the fields expires, in Unix milliseconds, or a little earlier. `None` if the body holds no hash
    /// with a field that expires.
    pub fn next_field_expiry(&self) -> Option<u64> {
        match self.large() {
            Some(Large::Map(map)) => map.value.next_expiry(),
            _ => None,
        }
    }

    /// Takes out the value if it is large: it may take long to free. Any other body is freed at once.
    pub fn into_large(self) -> Option<Large> {
        match self.contents {
            Contents::Large(large) => Some(large),
            Contents::Bytes(_) => None,
        }
    }

    /// The hash of the key. The body keeps it because a long key takes long to hash.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        match &self.contents {
            Contents::Bytes(bytes) => &bytes[..self.key_len as usize],
            Contents::Large(large) => large.key(),
        }
    }

    /// The value: a string or a packed value. Empty for a large one.
    #[inline]
    pub fn value(&self) -> &[u8] {
        match &self.contents {
            Contents::Bytes(bytes) => &bytes[self.key_len as usize..],
            Contents::Large(_) => b"",
        }
    }

    /// Starts to fetch the memory that [`Body::prefetch_body`] is going to read.
    pub fn prefetch(&self) {
        prefetch(&self.hash);
    }

    /// Starts to fetch the first lines of key and value.
    pub fn prefetch_body(&self) {
        let Contents::Bytes(bytes) = &self.contents else { return };
        for line in bytes.chunks(LINE_BYTES).take(LINES_FETCHED) {
            prefetch(&line[0]);
        }
    }

    /// True if a value of `len` bytes fits into the memory there is, and leaves at most half of it unused.
    pub fn takes(&self, len: usize) -> bool {
        let Contents::Bytes(bytes) = &self.contents else { return false };
        let needed = (self.key_len as usize).saturating_add(len);
        needed <= bytes.capacity() && needed >= bytes.capacity() / 2
    }

    /// Replaces the value. [`Body::takes`] must have returned true for its length, or this asks for memory.
    pub fn overwrite(&mut self, value: &[u8]) {
        if let Contents::Bytes(bytes) = &mut self.contents {
            bytes.truncate(self.key_len as usize);
            bytes.extend_from_slice(value);
        }
    }

    /// Makes a packed value shorter: `change` moves what stays to the front of its bytes, and returns how many bytes stay.
    pub fn shorten(&mut self, change: impl FnOnce(&mut [u8]) -> usize) {
        if let Contents::Bytes(bytes) = &mut self.contents {
            let key_len = self.key_len as usize;
            let kept = change(&mut bytes[key_len..]);
            bytes.truncate(key_len + kept);
            if bytes.len() < bytes.capacity() / 2 {
                bytes.shrink_to_fit();
            }
        }
    }

    /// A body with the same key and an empty string. Takes the place of this one while that is kept elsewhere.
    pub fn hollow(&self) -> Body {
        Body { hash: self.hash, key_len: self.key_len, contents: Contents::Bytes(self.key().to_vec()) }
    }

    /// A copy of a string or a packed value with its key. A large value is left out.
    pub fn copy(&self) -> Body {
        let mut bytes = Vec::with_capacity(self.key().len() + self.value().len());
        bytes.extend_from_slice(self.key());
        bytes.extend_from_slice(self.value());
        Body { hash: self.hash, key_len: self.key_len, contents: Contents::Bytes(bytes) }
    }

    /// Makes sure that the body can be given to `key`, whose hash is `hash`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn prepare_rekey(&mut self, hash: u64, key: &[u8]) -> Result<Rekey, OutOfMemory> {
        let key_len = u32::try_from(key.len()).map_err(|_| OutOfMemory)?;
        let mut copy = Vec::new();
        match &mut self.contents {
            Contents::Bytes(bytes) => memory::reserve_exact(bytes, key.len())?,
            Contents::Large(_) => memory::reserve_exact(&mut copy, key.len())?,
        }
        copy.extend_from_slice(if self.large().is_some() { key } else { b"" });
        Ok(Rekey { hash, key_len, copy })
    }

    /// Gives the body to `key`, for which [`Body::prepare_rekey`] has made room. A string or a packed value moves
    /// behind the new key.
    pub fn rekey(&mut self, rekey: Rekey, key: &[u8]) {
        match &mut self.contents {
            Contents::Bytes(bytes) => drop(bytes.splice(..self.key_len as usize, key.iter().copied())),
            Contents::Large(large) => large.set_key(rekey.copy),
        }
        (self.hash, self.key_len) = (rekey.hash, rekey.key_len);
    }

    /// Makes room for `count` more bytes of value. Building a value piece by piece costs its
    /// length, not the square of it.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn try_reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        let Contents::Bytes(bytes) = &mut self.contents else { return Ok(()) };
        if count <= bytes.capacity() - bytes.len() {
            return Ok(());
        }
        // At least as much more as there is, but not more than this: most long strings do not grow again.
        let doubled = count.max(bytes.len().min(SPARE_BYTES_MAX));
        memory::reserve_exact(bytes, doubled).or_else(|_| memory::reserve_exact(bytes, count))
    }

    /// The value of a string, to be changed in its place.
    pub fn value_mut(&mut self) -> &mut [u8] {
        match &mut self.contents {
            Contents::Bytes(bytes) => &mut bytes[self.key_len as usize..],
            Contents::Large(_) => &mut [],
        }
    }

    /// Puts zeros behind the value until it has `len` bytes, for which [`Body::try_reserve`] has made room.
    pub fn fill_up(&mut self, len: usize) {
        if let Contents::Bytes(bytes) = &mut self.contents {
            let len = (self.key_len as usize).saturating_add(len);
            bytes.resize(len.max(bytes.len()), 0);
        }
    }

    /// Adds to the value.
    pub fn append(&mut self, tail: &[u8]) {
        if let Contents::Bytes(bytes) = &mut self.contents {
            bytes.extend_from_slice(tail);
        }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        Self::ALLOCATION
            + match &self.contents {
                Contents::Bytes(bytes) => bytes.capacity(),
                Contents::Large(large) => large.memory(),
            }
    }
}

/// A body while it is being changed. It is counted again when this is dropped, so also after a panic.
struct Counted<'a> {
    body: &'a mut Body,
    tally: &'a mut Tally,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.tally.add(self.body);
    }
}

impl Table {
    /// Changes body `number`, and then counts it again, even if `change` panics. Every change of a
    /// body goes through here.
    pub fn with_body<T>(&mut self, number: u32, change: impl FnOnce(&mut Body) -> T) -> T {
        let Table { bodies, tally, .. } = self;
        let body = bodies.get_mut(number);
        tally.take(body);
        let counted = Counted { body, tally };
        change(counted.body)
    }

    /// Takes a body out that no record names any more. The last body gets its number.
    pub(super) fn drop_body(&mut self, number: u32) -> Body {
        let last = self.bodies.len() as u32 - 1;
        if number != last {
            let hash = self.bodies.get(last).hash();
            let place = self
                .find_record(hash, |record| record.body() == Some(last))
                .expect("every body has a record");
            let record = self.record(place);
            let renumbered = Draft::large(record.kind(), number, record.expires_ms());
            self.rewrite(place, hash, renumbered.record());
        }
        let body = self.bodies.swap_remove(number);
        self.tally.take(&body);
        body
    }

    /// Makes room for `count` more bytes behind the value at `place`, if that lies in a body. Returns false
    /// if it lies in a block.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn reserve_tail(&mut self, place: Place, count: usize) -> Result<bool, OutOfMemory> {
        let Some(number) = self.record(place).body() else { return Ok(false) };
        self.with_body(number, |body| body.try_reserve(count)).map(|()| true)
    }

    /// The value of a record, if it is large.
    pub fn large_of(&self, record: Record<'_>) -> Option<&Large> {
        self.bodies.get(record.body()?).large()
    }
}
