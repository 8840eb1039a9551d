//! Begins waits, and runs the requests again that have waited. [`waiting`](super::waiting) has the lines.

use super::Service;
use super::command::Command;
use super::run::Call;
use super::turn::{Progress, Served, Turn};
use super::waiting::reply_buffer;
use crate::base::{ConnId, Wires};
use crate::resp::{Args, Proto, Reply};

impl Service {
    /// Lets the client wait for a key.
    #[cold]
    pub(super) fn wait(
        &mut self,
        turn: &mut Turn<'_>,
        args: Args<'_>,
        command: &'static Command,
        answered: bool,
    ) -> Served {
        let Some(wish) = self.world.wish.take() else { return Served::Whole };
        self.world.take_back_call(command);
        match self.world.begin_wait(turn.me, args, command, wish, answered) {
            Ok(()) => Served::Waits,
            Err(refused) => self.reject(turn, command, refused.into()),
        }
    }

    /// Serves the clients that wait for keys that have changed: as many as there is something for.
    #[cold]
    pub(super) fn serve_waiting(&mut self, wires: &dyn Wires, progress: &mut Progress) {
        let here = self.world.store.selected();
        while let Some((db, key)) = self.world.waiting.take_ready() {
            self.world.store.select(db);
            let mut least = 0;
            while let Some(kind) = self.world.store.kind(&key, self.world.now.unix_ms)
                && let Some((ticket, id)) = self.world.waiting.next_in_line(db, &key, kind, least)
            {
                self.wake(id, wires);
                self.world.store.select(db);
                least = ticket + 1;
            }
        }
        self.world.store.select(here);
        progress.asks = self.world.outbox.asks.len();
    }

    /// Runs the request of a client again that has waited.
    fn wake(&mut self, me: ConnId, wires: &dyn Wires) {
        let Some(waits) = self.world.begin_wake(me) else { return };
        let Ok(mut buffer) = reply_buffer() else { return self.world.end_interrupted_wake() };
        let proto = self.world.sessions.get(me.slot).map_or(Proto::Resp2, |session| session.proto);
        let reply = Reply::new(&mut buffer, proto, self.world.config.max_reply_bytes);
        let call = Call { me, args: waits.args(), command: waits.command, wires, inside: false };
        self.world.run(call, self.runs, reply);
        self.world.end_wake(me, waits, buffer);
    }
}
