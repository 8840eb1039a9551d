//! Lets streams make notes of their own changes, because commands work on streams in many ways.
//!
//! A stream makes notes only while a command works on it. If that panics, the notes stay in the stream. The log knows that,
//! and takes them out before anything happens to a whole key.

use super::steps::Step;
use crate::store::Store;
use crate::store::body::Body;
use crate::store::large::Large;
use crate::store::stream::Stream;

/// The stream in a body.
pub(super) fn stream_in(body: &mut Body) -> Option<&mut Stream> {
    match body.large_mut() {
        Some(Large::Stream(stream)) => Some(&mut stream.value),
        _ => None,
    }
}

impl Store {
    /// The stream in body `number` makes notes from now on, if they are needed.
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn open_notes(&mut self, number: u32) {
        self.close_notes();
        let Store { undo: Some(undo), table, changes, .. } = self else { return };
        let body = table.bodies.get(number);
        if let Some(subject) = undo.unsaved(changes.db, body.hash(), body.key()) {
            undo.open = Some(subject);
            table.with_body(number, |body| stream_in(body).map(Stream::start_notes));
        }
    }

    /// Takes the notes out of the stream that makes them.
    #[cold]
    #[inline(never)]
    pub(in crate::store) fn close_notes(&mut self) {
        let Some(undo) = &mut self.undo else { return };
        let Some(number) = undo.open.take() else { return };
        let subject = undo.subjects.get(number);
        let (db, hash, key) = (subject.db, subject.hash, subject.key.clone());
        let notes = self.within(db, |store| {
            let place = store.table.find(hash, &key)?;
            let body = store.table.record(place).body()?;
            store.table.with_body(body, |body| stream_in(body)?.take_notes())
        });
        if let (Some(undo), Some(notes)) = (&mut self.undo, notes) {
            undo.push(Step::Stream { subject: number, notes: Box::new(notes) });
        }
    }
}
