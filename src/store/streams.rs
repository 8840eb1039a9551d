//! Operations on keys that hold streams.
//!
//! A stream is never packed: it lies in a body of its own from its first entry on. Unlike other values, it stays when its
//! last entry is removed, because it remembers its last id and its groups.
//!
//! Most changes are prepared and then committed. What needs memory and is a single step, such as the creation of a group,
//! goes through [`Store::try_in_stream`].

use super::Store;
use super::body::Body;
use super::journal::What;
use super::large::Large;
use super::prepared::{WriteError, WrongKind};
use super::record::{Kind, RECORD_MAX, Record};
use super::stream::{Append, AppendError, GroupError, Leftovers, NodeLimits, Stream, StreamId, Trim};
use super::table::{Content, Table};
use super::whole::{Held, Whole};
use super::{Pair, WritePairs};
use crate::base::{OutOfMemory, fault};

/// Why a change of a stream is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// As any other write.
    Write(WriteError),
    /// There is no such group.
    NoGroup,
    /// The id of a new entry is not greater than the last one.
    NotGreater,
    /// A new entry is too long.
    TooLong,
}

/// A new key with its stream, with the memory for both reserved. [`Store::commit_new_stream`] writes it.
#[derive(Debug)]
pub struct NewStream<'a> {
    key: &'a [u8],
    hash: u64,
    body: Body,
}

/// An entry whose memory is reserved. [`Store::commit_entry`] appends it.
#[derive(Debug)]
pub struct PreparedEntry<'a> {
    key: &'a [u8],
    form: Form<'a>,
}

#[derive(Debug)]
enum Form<'a> {
    /// The entry is in a new stream.
    New(NewStream<'a>),
    /// The entry is appended to the stream that there is.
    There(Append),
}

impl<T: Into<WriteError>> From<T> for StreamError {
    fn from(error: T) -> StreamError {
        StreamError::Write(error.into())
    }
}

impl From<GroupError> for StreamError {
    fn from(error: GroupError) -> StreamError {
        match error {
            GroupError::NoGroup => StreamError::NoGroup,
            GroupError::OutOfMemory => OutOfMemory.into(),
        }
    }
}

impl From<AppendError> for StreamError {
    fn from(error: AppendError) -> StreamError {
        match error {
            AppendError::NotGreater => StreamError::NotGreater,
            AppendError::TooLong => StreamError::TooLong,
            AppendError::OutOfMemory => OutOfMemory.into(),
        }
    }
}

/// The stream that `record` holds. `table` is the table of the record.
pub(super) fn stream_of<'a>(table: &'a Table, record: Record<'a>) -> Option<&'a Stream> {
    match table.large_of(record) {
        Some(Large::Stream(stream)) => Some(&stream.value),
        _ => None,
    }
}

impl Store {
    /// The stream of `key`; `None` if there is no such key or it has expired.
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value.
    pub fn stream(&mut self, key: &[u8], now_ms: u64) -> Result<Option<&Stream>, WrongKind> {
        fault::point();
        match self.find(key, now_ms) {
            Some(place) => stream_of(&self.table, self.table.record(place)).map(Some).ok_or(WrongKind),
            None => Ok(None),
        }
    }

    /// As [`Store::with_memory`], for errors of streams.
    fn with_stream_memory<T>(
        &mut self,
        mut prepare: impl FnMut(&mut Table) -> Result<T, StreamError>,
    ) -> Result<T, StreamError> {
        self.with_memory(|table| match prepare(table) {
            Err(StreamError::Write(error)) => Err(error),
            result => Ok(result),
        })?
    }

    /// Works on the stream of `key` in one step that needs memory: `work` either succeeds or changes nothing. It may be called
    /// again if memory is short. Nobody hears of what it changes, so it may reserve memory or change groups. `None` if there
    /// is no such key.
    ///
    /// # Errors
    /// [`StreamError`]; nothing has changed.
    pub fn try_in_stream<T, E: Into<StreamError>>(
        &mut self,
        key: &[u8],
        now_ms: u64,
        mut work: impl FnMut(&mut Stream) -> Result<T, E>,
    ) -> Result<Option<T>, StreamError> {
        fault::point();
        let Some(place) = self.find(key, now_ms) else { return Ok(None) };
        let record = self.table.record(place);
        let number = record.body().filter(|_| record.kind() == Kind::Stream).ok_or(WrongKind)?;
        let mut change = |table: &mut Table| table.with_body(number, |body| work(body.stream_mut()));
        if self.undo.is_some() {
            self.open_notes(number);
        }
        let changed = self.with_stream_memory(|table| change(table).map_err(E::into));
        if self.undo.is_some() {
            self.close_notes();
        }
        changed.map(Some)
    }

    /// Changes the stream of `key`, which needs no memory or has reserved it. Cannot fail or panic half-way.
    ///
    /// # Panics
    /// If the key holds no stream.
    pub fn change_stream<T>(&mut self, key: &[u8], change: impl FnOnce(&mut Stream) -> T) -> T {
        self.changes.note(What::Set, key);
        self.touch_stream(key, change)
    }

    /// As [`Store::change_stream`], for what a group remembers. In Redis, that is no change of the key: clients that watch it
    /// or keep a copy of it do not hear of it, and those that wait for it are not woken.
    ///
    /// # Panics
    /// If the key holds no stream.
    pub fn touch_stream<T>(&mut self, key: &[u8], change: impl FnOnce(&mut Stream) -> T) -> T {
        let place = self.table.find(self.table.hash(key), key);
        let body = place.and_then(|place| self.table.record(place).body());
        let number = body.expect("no key is removed between prepare and commit");
        if self.undo.is_some() {
            self.open_notes(number);
        }
        let changed = self.table.with_body(number, |body| change(body.stream_mut()));
        if self.undo.is_some() {
            self.close_notes();
        }
        changed
    }

    /// As [`Store::change_stream`], for a change that returns how many entries it has removed, which may be none.
    ///
    /// # Panics
    /// If the key holds no stream.
    pub fn count_in_stream(&mut self, key: &[u8], change: impl FnOnce(&mut Stream) -> usize) -> usize {
        let count = self.touch_stream(key, change);
        if count > 0 {
            self.changes.note(What::Set, key);
        }
        count
    }

    /// Clients that wait for `key` look at it again.
    pub fn rouse(&mut self, key: &[u8]) {
        self.changes.note(What::Roused, key);
    }

    /// Makes sure that a new key can be written with the stream that `make` returns. There must be no such key.
    ///
    /// # Errors
    /// [`StreamError`]; nothing has changed.
    pub fn prepare_new_stream<'a, E: Into<StreamError>>(
        &mut self,
        key: &'a [u8],
        mut make: impl FnMut() -> Result<Stream, E>,
    ) -> Result<NewStream<'a>, StreamError> {
        fault::point();
        let hash = self.table.hash(key);
        self.with_stream_memory(|table| {
            let body = Body::with_large(hash, key, make().map_err(E::into)?)?;
            table.reserve_record(hash, key, RECORD_MAX, 1)?;
            Ok(NewStream { key, hash, body })
        })
    }

    /// Makes sure that `key` can hold the stream that `make` returns, whatever it holds now, and expire at this Unix time in
    /// milliseconds, or never. [`Store::commit_whole`] writes it. `make` may be called again if memory is short.
    ///
    /// # Errors
    /// [`StreamError`]; nothing has changed.
    pub fn prepare_whole_stream<'a, E: Into<StreamError>>(
        &mut self,
        key: &'a [u8],
        expires_ms: Option<u64>,
        mut make: impl FnMut() -> Result<Stream, E>,
    ) -> Result<Whole<'a>, StreamError> {
        fault::point();
        let (db, hash) = (self.selected(), self.table.hash(key));
        let body = self.with_stream_memory(|_| {
            let stream = make().map_err(E::into)?;
            Ok(Body::with_large(hash, key, stream)?)
        })?;
        let whole = Whole { key, db, hash, kind: Kind::Stream, expires_ms, value: Held::Body(body) };
        self.reserve_whole(&whole)?;
        Ok(whole)
    }

    /// Writes a new key with its stream. Cannot fail or panic half-way.
    pub fn commit_new_stream(&mut self, new: NewStream<'_>) {
        let NewStream { key, hash, body } = new;
        self.changes.note_write(false, key);
        self.write_item(None, hash, key, Kind::Stream, Content::Body(body), None);
    }

    /// Makes sure that an entry can be appended to the stream of `key`. Without such a key, it becomes the first one of a
    /// new stream.
    ///
    /// # Errors
    /// [`StreamError`]; nothing has changed.
    pub fn prepare_entry<'a>(
        &mut self,
        key: &'a [u8],
        id: StreamId,
        pairs: impl WritePairs<'a>,
        limits: NodeLimits,
        now_ms: u64,
    ) -> Result<PreparedEntry<'a>, StreamError> {
        let reserve = |stream: &mut Stream| stream.log_mut().try_reserve(id, pairs.clone(), limits);
        if let Some(append) = self.try_in_stream(key, now_ms, reserve)? {
            return Ok(PreparedEntry { key, form: Form::There(append) });
        }
        let new = self.prepare_new_stream(key, || {
            let mut stream = Stream::new();
            let append = reserve(&mut stream)?;
            stream.log_mut().append(append, pairs.clone());
            Ok::<_, AppendError>(stream)
        })?;
        Ok(PreparedEntry { key, form: Form::New(new) })
    }

    /// Appends a prepared entry. `pairs` must be those of [`Store::prepare_entry`]. Cannot fail or panic half-way.
    pub fn commit_entry<'a>(
        &mut self,
        prepared: PreparedEntry<'_>,
        pairs: impl Iterator<Item = Pair<'a>> + Clone,
    ) {
        match prepared.form {
            Form::New(new) => self.commit_new_stream(new),
            Form::There(append) => {
                self.change_stream(prepared.key, |stream| stream.log_mut().append(append, pairs));
            }
        }
    }

    /// Removes the oldest entries of the stream of `key`. Returns how many it has removed. Needs no memory. Cannot fail or
    /// panic half-way.
    pub fn trim_stream(&mut self, key: &[u8], trim: Trim) -> u64 {
        let trimmed = self.touch_stream(key, |stream| stream.log_mut().trim(trim));
        if trimmed.removed > 0 {
            self.changes.note(What::Set, key);
        }
        self.discards.keep_part(trimmed.leftovers);
        trimmed.removed
    }

    /// Frees a part of a stream that is removed: at once if it is small, later otherwise.
    pub fn discard(&mut self, part: Leftovers) {
        self.discards.keep_part(Some(part));
    }
}

impl Body {
    /// The stream, to be changed.
    ///
    /// # Panics
    /// If the body has none.
    fn stream_mut(&mut self) -> &mut Stream {
        match self.large_mut() {
            Some(Large::Stream(stream)) => &mut stream.value,
            _ => panic!("no stream is in the body"),
        }
    }
}
