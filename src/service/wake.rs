//! Parks clients that begin to wait, and runs the requests again that have waited. [`waiting`](super::waiting) has the lines.

use super::Service;
use super::command::Command;
use super::run::Call;
use super::turn::{Progress, Turn};
use super::waiting::reply_buffer;
use crate::base::{ConnId, Wires};
use crate::resp::{Proto, Reply};

impl Service {
    /// Serves the clients whose keys have changed. Returns true if the client of this turn has begun to wait.
    #[cold]
    pub(super) fn tend_waits(
        &mut self,
        turn: &Turn<'_>,
        command: Option<&Command>,
        progress: &mut Progress,
    ) -> bool {
        self.world.stirred = false;
        let waits = self.world.has_begun_to_wait(turn.me, command);
        self.serve_waiting(turn.wires);
        progress.asks = self.world.outbox.asks.len();
        waits
    }

    /// Serves the clients that wait for keys that have changed: as many as there is something for.
    fn serve_waiting(&mut self, wires: &dyn Wires) {
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
