//! A body: key and value of an item that is too long for a block. They lie in memory of their own, or where they have arrived
//! (`kept`).
//!
//! The value is a string, a packed value such as a small hash, or a [large](super::large) one.

use std::ops::Range;

use super::kept::Kept;
use super::large::{Keyed, Large};
use super::prefetch::prefetch;
use super::segment::Segment;
use super::set::Set;
use super::table::Table;
use crate::base::{OutOfMemory, Shared, memory};

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
    /// Where the key begins, in memory that is [kept](Contents::Kept); 0 in other memory.
    key_at: u32,
    contents: Contents,
}

/// The memory of a body.
#[derive(Debug)]
enum Contents {
    /// The key, followed by a string or a packed value.
    Bytes(Vec<u8>),
    /// The key and a string, in the memory in which they have arrived.
    Kept(Kept),
    /// The key, and a value in a structure of its own.
    Large(Large),
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
        Ok(Body { hash, key_len, key_at: 0, contents: Contents::Bytes(bytes) })
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
        Ok(Body { hash, key_len, key_at: 0, contents: Contents::Large(Keyed { key: copy, value }.into()) })
    }

    /// A body that keeps the memory in which a string and its key have arrived. The key lies at `key` there.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the memory is too large.
    pub fn keeping(hash: u64, key: &Range<usize>, kept: Kept) -> Result<Body, OutOfMemory> {
        let key_len = u32::try_from(key.len()).map_err(|_| OutOfMemory)?;
        let key_at = u32::try_from(key.start).map_err(|_| OutOfMemory)?;
        Ok(Body { hash, key_len, key_at, contents: Contents::Kept(kept) })
    }

    /// The memory that it keeps, if it does.
    pub fn kept(&self) -> Option<&Kept> {
        match &self.contents {
            Contents::Kept(kept) => Some(kept),
            Contents::Bytes(_) | Contents::Large(_) => None,
        }
    }

    /// Lets the memory of key and string be shared. It is kept from now on. Returns the memory, and where the string lies in
    /// it. `None` for a large value.
    pub fn share(&mut self) -> Option<(Shared, Range<usize>)> {
        if let Contents::Bytes(bytes) = &mut self.contents {
            let value = self.key_len as usize..bytes.len();
            if u32::try_from(bytes.len()).is_err() {
                return None;
            }
            let memory = Shared::new(std::mem::take(bytes).into_boxed_slice());
            self.contents = Contents::Kept(memory::insist(Kept::new(memory, value)));
        }
        self.kept().map(|kept| (kept.memory().clone(), kept.range()))
    }

    /// Moves key and string into memory that can be changed, with room for `more` bytes, unless they are there already. They
    /// are copied only if others hold their memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    fn try_own(&mut self, more: usize) -> Result<(), OutOfMemory> {
        let Contents::Kept(kept) = &mut self.contents else { return Ok(()) };
        let (key_at, key_len) = (self.key_at as usize, self.key_len as usize);
        if let Some(bytes) = kept.take_memory() {
            let value = kept.range();
            let mut bytes = bytes.into_vec();
            bytes.copy_within(key_at..key_at + key_len, 0);
            bytes.copy_within(value.clone(), key_len);
            bytes.truncate(key_len + value.len());
            (self.key_at, self.contents) = (0, Contents::Bytes(bytes));
            return Ok(());
        }
        let mut bytes = Vec::new();
        let (key, value) = (self.key(), self.value());
        memory::reserve_exact(&mut bytes, key.len().saturating_add(value.len()).saturating_add(more))?;
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        (self.key_at, self.contents) = (0, Contents::Bytes(bytes));
        Ok(())
    }

    /// The bytes of key and value, to be changed; `None` if the value is large. What prepares a change of a string calls
    /// [`Body::try_own`], so this copies nothing.
    fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        debug_assert!(self.kept().is_none(), "a change of a string was not prepared");
        memory::insist(self.try_own(0));
        match &mut self.contents {
            Contents::Bytes(bytes) => Some(bytes),
            Contents::Kept(_) | Contents::Large(_) => None,
        }
    }

    /// The value, if it is large.
    pub fn large(&self) -> Option<&Large> {
        match &self.contents {
            Contents::Large(large) => Some(large),
            Contents::Bytes(_) | Contents::Kept(_) => None,
        }
    }

    /// The value to be changed, if it is large.
    pub fn large_mut(&mut self) -> Option<&mut Large> {
        match &mut self.contents {
            Contents::Large(large) => Some(large),
            Contents::Bytes(_) | Contents::Kept(_) => None,
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
    pub fn is_volatile(&self) -> bool {
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
            Contents::Bytes(_) | Contents::Kept(_) => None,
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
            Contents::Kept(kept) => &kept.memory().bytes()[self.key_at as usize..][..self.key_len as usize],
            Contents::Large(large) => large.key(),
        }
    }

    /// The value: a string or a packed value. Empty for a large one.
    #[inline]
    pub fn value(&self) -> &[u8] {
        match &self.contents {
            Contents::Bytes(bytes) => &bytes[self.key_len as usize..],
            Contents::Kept(kept) => kept.value(),
            Contents::Large(_) => b"",
        }
    }

    /// Starts to fetch the memory that [`Body::prefetch_body`] is going to read.
    pub fn prefetch(&self) {
        prefetch(&self.hash);
    }

    /// Starts to fetch the first lines of key and value.
    pub fn prefetch_body(&self) {
        let bytes = match &self.contents {
            Contents::Bytes(bytes) => &bytes[..],
            Contents::Kept(kept) => kept.memory().bytes(),
            Contents::Large(_) => return,
        };
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
        let key_len = self.key_len as usize;
        if let Some(bytes) = self.bytes_mut() {
            bytes.truncate(key_len);
            bytes.extend_from_slice(value);
        }
    }

    /// Makes a packed value shorter: `change` moves what stays to the front of its bytes, and returns how many bytes stay.
    pub fn shorten(&mut self, change: impl FnOnce(&mut [u8]) -> usize) {
        let key_len = self.key_len as usize;
        if let Some(bytes) = self.bytes_mut() {
            let kept = change(&mut bytes[key_len..]);
            bytes.truncate(key_len + kept);
            if bytes.len() < bytes.capacity() / 2 {
                bytes.shrink_to_fit();
            }
        }
    }

    /// A body with the same key and an empty string. Takes the place of this one while that is kept elsewhere.
    pub fn hollow(&self) -> Body {
        Body {
            hash: self.hash,
            key_len: self.key_len,
            key_at: 0,
            contents: Contents::Bytes(self.key().to_vec()),
        }
    }

    /// A copy of a string or a packed value with its key. A large value is left out.
    pub fn copy(&self) -> Body {
        let mut bytes = Vec::with_capacity(self.key().len() + self.value().len());
        bytes.extend_from_slice(self.key());
        bytes.extend_from_slice(self.value());
        Body { hash: self.hash, key_len: self.key_len, key_at: 0, contents: Contents::Bytes(bytes) }
    }

    /// Makes sure that the body can be given to `key`, whose hash is `hash`.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn prepare_rekey(&mut self, hash: u64, key: &[u8]) -> Result<Rekey, OutOfMemory> {
        let key_len = u32::try_from(key.len()).map_err(|_| OutOfMemory)?;
        let mut copy = Vec::new();
        self.try_own(key.len())?;
        match &mut self.contents {
            Contents::Bytes(bytes) => memory::reserve_exact(bytes, key.len())?,
            Contents::Kept(_) | Contents::Large(_) => memory::reserve_exact(&mut copy, key.len())?,
        }
        copy.extend_from_slice(if self.large().is_some() { key } else { b"" });
        Ok(Rekey { hash, key_len, copy })
    }

    /// Gives the body to `key`, for which [`Body::prepare_rekey`] has made room. A string or a packed value moves
    /// behind the new key.
    pub fn rekey(&mut self, rekey: Rekey, key: &[u8]) {
        match &mut self.contents {
            Contents::Large(large) => large.set_key(rekey.copy),
            Contents::Bytes(_) | Contents::Kept(_) => {
                let key_len = self.key_len as usize;
                if let Some(bytes) = self.bytes_mut() {
                    bytes.splice(..key_len, key.iter().copied());
                }
            }
        }
        (self.hash, self.key_len) = (rekey.hash, rekey.key_len);
    }

    /// Takes the memory of a string that it keeps over, so that it can be changed, if nobody else holds it. Copies nothing.
    pub fn reclaim(&mut self) {
        if self.kept().is_some_and(Kept::is_alone) {
            memory::insist(self.try_own(0));
        }
    }

    /// Makes room for `count` more bytes of value. Building a value piece by piece costs its
    /// length, not the square of it.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn try_reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        self.try_own(count)?;
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
        let key_len = self.key_len as usize;
        self.bytes_mut().map_or(&mut [], |bytes| &mut bytes[key_len..])
    }

    /// Puts zeros behind the value until it has `len` bytes, for which [`Body::try_reserve`] has made room.
    pub fn fill_up(&mut self, len: usize) {
        let len = (self.key_len as usize).saturating_add(len);
        if let Some(bytes) = self.bytes_mut() {
            bytes.resize(len.max(bytes.len()), 0);
        }
    }

    /// Adds to the value.
    pub fn append(&mut self, tail: &[u8]) {
        if !tail.is_empty()
            && let Some(bytes) = self.bytes_mut()
        {
            bytes.extend_from_slice(tail);
        }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        Self::ALLOCATION
            + match &self.contents {
                Contents::Bytes(bytes) => bytes.capacity(),
                Contents::Kept(kept) => kept.memory().bytes().len() + Shared::OVERHEAD,
                Contents::Large(large) => large.memory(),
            }
    }
}
