//! Runs requests again that have waited.

use std::io::ErrorKind;

use super::HEEDS_LOSS;
use crate::base::{ConnId, OutOfMemory, Output, Reason};
use crate::config::REPLY_HEADROOM_BYTES;
use crate::resp::{Proto, Reply};
use crate::service::Service;
use crate::service::outbox::Ask;
use crate::service::run::Call;
use crate::service::turn::{Ended, Progress};
use crate::service::wires::NoWires;

impl Service {
    /// Parks the client of this turn if it has begun to wait, and serves the clients whose keys have changed.
    #[cold]
    pub(in crate::service) fn tend_waits(&mut self, me: ConnId, progress: &mut Progress) {
        if self.world.has_begun_to_wait(me) {
            progress.ended = Some(Ended::Parked);
        }
        self.serve_waiting();
        progress.asks = self.world.outbox.asks.len();
    }

    /// Serves the clients that wait for keys that have changed: as many as there is something for.
    ///
    /// # Panics
    /// If a client's request panics. [`Service::recover`] must follow, and then another call, because other clients may be
    /// left.
    pub fn serve_waiting(&mut self) {
        self.world.stirred = false;
        let here = self.world.store.selected();
        while let Some((db, key)) = self.world.waiting.take_ready() {
            self.world.store.select(db);
            let mut least = (0, 0);
            while let Some(((class, ticket), id)) = self.world.waiting.next_in_line(db, &key, least) {
                let there = self.world.store.kind(&key, self.world.now.unix_ms);
                least = if class == HEEDS_LOSS || there.is_some_and(|there| there as u8 == class) {
                    self.wake(id);
                    self.world.store.select(db);
                    (class, ticket + 1)
                } else {
                    (class + 1, 0)
                };
            }
        }
        self.world.store.select(here);
    }

    /// Runs the request of a client again that has waited.
    fn wake(&mut self, me: ConnId) {
        let Some(waits) = self.world.begin_wake(me) else { return };
        let Ok(mut buffer) = reply_buffer() else {
            self.world.end_interrupted_wake();
            return self.world.outbox.asks.push(Ask::Fail(me, Reason::Io(ErrorKind::OutOfMemory)));
        };
        let proto = self.world.sessions.get(me.slot).map_or(Proto::Resp2, |session| session.proto);
        let mut reply = Reply::plain(&mut buffer, proto, self.world.config.max_reply_bytes);
        if let Err(failure) = self.world.room_again(me, waits.command, waits.args()) {
            reply.error(&failure.0);
            return self.world.end_wake(me, waits, buffer.into_own());
        }
        // Commands that wait do not look at connections.
        let call = Call {
            me,
            args: waits.args(),
            command: waits.command,
            memory: None,
            wires: &mut NoWires,
            inside: false,
        };
        self.world.run(call, self.runs, reply);
        self.world.end_wake(me, waits, buffer.into_own());
    }

    /// A command has panicked. Keeps what complete commands have done and asked for; at least the first `asks` asks are
    /// theirs. If that command had waited and ran again, its client's connection ends, and the return value is that client.
    pub fn recover(&mut self, asks: usize) -> Option<ConnId> {
        self.world.outbox.forget_half_done(asks);
        self.world.undo_broken_script();
        let interrupted = self.world.end_interrupted_wake();
        if let Some(id) = interrupted {
            self.world.outbox.asks.push(Ask::Fail(id, Reason::Panicked));
        }
        // A change that was committed is heard of, although its command did not come to its end.
        self.world.tell_effects(None);
        self.world.outbox.complete();
        interrupted
    }
}

/// A buffer for the reply of a request that runs again.
///
/// # Errors
/// [`OutOfMemory`] if there is not even room for an error.
fn reply_buffer() -> Result<Output, OutOfMemory> {
    let mut reply = Output::default();
    reply.reserve(REPLY_HEADROOM_BYTES)?;
    Ok(reply)
}
