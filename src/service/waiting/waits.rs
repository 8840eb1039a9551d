//! How a wait begins and ends, and what its client is told then.

use std::io::ErrorKind;

use super::{PLACE_BYTES, Waits, Wish};
use crate::base::{Buf, ConnId, OutOfMemory, Reason, memory};
use crate::resp::{Args, Kept, Proto, null_array};
use crate::service::command::Command;
use crate::service::outbox::Ask;
use crate::service::session::ReplyMode;
use crate::service::world::World;
use crate::store::{Effects, Listener};

impl World {
    /// Lets a client wait. It keeps a copy of the request, unless that waits already.
    ///
    /// # Errors
    /// [`OutOfMemory`]; the client does not wait then.
    pub(in crate::service) fn begin_wait(
        &mut self,
        id: ConnId,
        args: Args<'_>,
        command: &'static Command,
        wish: Wish,
    ) -> Result<(), OutOfMemory> {
        if self.waiting.is_waking(id) {
            self.waiting.begun = Some(id);
            return Ok(());
        }
        let mut request = Kept::default();
        request.push_words(args.from(0).enumerate().map(|(at, word)| {
            let instead = wish.instead.iter().find(|(place, _)| *place == at);
            instead.map_or(word, |(_, word)| word.as_slice())
        }))?;
        let keys: usize = args.from(wish.keys.start).take(wish.keys.len()).map(<[u8]>::len).sum();
        memory::charge(keys + wish.keys.len() * PLACE_BYTES)?;
        let Some(session) = self.sessions.get_mut(id.slot) else { return Ok(()) };
        let answered = session.reply == ReplyMode::On;
        let ticket = self.waiting.tickets;
        self.waiting.tickets += 1;
        let waits = Box::new(Waits { request, command, db: session.db, wish, ticket, answered });
        self.waiting.enter(id, &waits);
        session.extras().waits = Some(waits);
        self.store.listen(Listener::Waits, true);
        self.waiting.begun = Some(id);
        self.stirred = true;
        Ok(())
    }

    /// Ends a client's wait, without an answer. Returns false if it did not wait.
    pub fn forget_wait(&mut self, id: ConnId) -> bool {
        self.take_wait(id).is_some()
    }

    fn take_wait(&mut self, id: ConnId) -> Option<Box<Waits>> {
        let session = self.sessions.get_mut(id.slot).filter(|session| session.serial == id.serial)?;
        let waits = if session.is_waiting() { session.extras().waits.take() } else { None }?;
        session.drop_empty_extras();
        self.leave_lines(&waits);
        Some(waits)
    }

    fn leave_lines(&mut self, waits: &Waits) {
        self.waiting.exit(waits);
        self.heed_changes();
    }

    /// Tells the store that nobody waits any more, if that is so.
    fn heed_changes(&mut self) {
        if self.waiting.clients == 0 {
            self.store.listen(Listener::Waits, false);
        }
    }

    /// Ends a client's wait, and answers with what `answer` says. Returns false if the client did not wait.
    pub fn end_wait(&mut self, id: ConnId, answer: impl FnOnce(Proto) -> &'static [u8]) -> bool {
        let Some(waits) = self.take_wait(id) else { return false };
        let Some(session) = self.sessions.get(id.slot) else { return false };
        let answer = answer(session.proto);
        self.stats.commands += 1;
        let counts = &mut self.stats.per_command[waits.command.id];
        counts.calls += 1;
        if let Some(error) = answer.strip_prefix(b"-") {
            counts.failed += 1;
            self.stats.count_error(error.trim_ascii_end());
        }
        let mut reply = Buf::default();
        if reply.extend(answer).is_ok() {
            self.send_answer(id, &waits, reply);
        } else {
            self.outbox.asks.push(Ask::Fail(id, Reason::Io(ErrorKind::OutOfMemory)));
        }
        true
    }

    /// Sends the reply of a request that has waited.
    fn send_answer(&mut self, to: ConnId, waits: &Waits, reply: Buf) {
        let reply = if waits.answered { reply } else { Buf::default() };
        self.outbox.asks.push(Ask::Answer { to, reply });
    }

    /// Notes which of the changed keys clients wait for.
    pub(in crate::service) fn note_ready(&mut self, effects: &Effects) {
        if self.waiting.clients > 0 {
            self.waiting.note(effects);
            self.stirred |= !self.waiting.ready.is_empty();
        }
    }

    /// Ends each wait whose deadline has passed.
    pub(in crate::service) fn end_late_waits(&mut self) {
        while let Some((&(until, _), &id)) = self.waiting.deadlines.first_key_value() {
            if until > self.now.at {
                return;
            }
            self.end_wait(id, null_array);
        }
    }

    /// Ends all waits as if their time were over, and allows no new ones: the server is stopping.
    pub fn give_up_waits(&mut self) {
        self.waiting.is_over = true;
        let waiting = self.sessions.by_age().into_iter().filter(|(_, session)| session.is_waiting());
        let waiting: Vec<ConnId> = waiting.map(|(id, _)| id).collect();
        for id in waiting {
            self.end_wait(id, null_array);
        }
    }

    /// If a request that ran again was interrupted, ends the wait of its client without an answer. Returns the client.
    pub(super) fn end_interrupted_wake(&mut self) -> Option<ConnId> {
        let id = self.waiting.waking.take()?;
        self.waiting.purge(id);
        self.heed_changes();
        if let Some(session) = self.sessions.get_mut(id.slot) {
            session.extras().waits = None;
            session.drop_empty_extras();
        }
        Some(id)
    }

    /// Takes out the wait of a client whose key is ready, to run its request again.
    pub(super) fn begin_wake(&mut self, id: ConnId) -> Option<Box<Waits>> {
        // A client that another one has just killed must take nothing with it.
        self.sessions.get_mut(id.slot).filter(|session| !session.leaving)?.extras().waits.take()
    }

    /// True if this client has just begun to wait. The command is counted when it has done its work, not before.
    pub(super) fn has_begun_to_wait(&mut self, id: ConnId) -> bool {
        let waits = self.waiting.begun.take() == Some(id);
        if waits && let Some(command) = self.sessions.get(id.slot).and_then(|session| session.command) {
            self.stats.per_command[command.id].calls -= 1;
            self.stats.commands -= 1;
        }
        waits
    }

    /// The request has run again. If it found nothing again, the client keeps its place in line. Otherwise its reply is sent.
    pub(super) fn end_wake(&mut self, id: ConnId, waits: Box<Waits>, reply: Buf) {
        self.waiting.waking = None;
        if self.has_begun_to_wait(id) {
            if let Some(session) = self.sessions.get_mut(id.slot) {
                session.extras().waits = Some(waits);
            }
            return;
        }
        self.leave_lines(&waits);
        if let Some(session) = self.sessions.get_mut(id.slot) {
            session.drop_empty_extras();
        }
        self.send_answer(id, &waits, reply);
        // The next client in line may panic, and this one keeps its answer.
        self.outbox.complete();
    }
}
