//! What others get while a script runs long: the error `BUSY`, and the few commands that Redis runs then.
//!
//! Nothing here may change keys or tell of changes: the script has not ended, and it may be undone.

use std::io::ErrorKind;

use super::cx::is;
use super::dispatch::RUNS;
use super::errors::{find_command, protocol_error, refusal};
use super::gate::Gate;
use super::run::{Call, check};
use super::session::ReplyMode;
use super::turn::{Ended, Progress, Turn, limits};
use super::unknown::is_http;
use super::wires::NoWires;
use super::world::World;
use crate::base::{ConnId, Output, Reason};
use crate::config::REPLY_HEADROOM_BYTES;
use crate::resp::{Args, Reply, Step};

impl World {
    /// Serves the requests of a client while a script of another client runs, and moves the marks in `progress`.
    ///
    /// # Panics
    /// If a command panics; `progress` then says what was complete.
    pub fn serve_while_busy(&mut self, turn: Turn<'_>, progress: &mut Progress) -> Ended {
        let Turn { me, input, output, .. } = turn;
        let at = self.read_clock().at;
        let Some(session) = self.sessions.get_mut(me.slot) else {
            return Ended::Hungry { begun: false, missing: 0 };
        };
        session.last = at;
        self.store.select(session.db);
        let mut parser = session.partial.take().unwrap_or_default();
        let ended = loop {
            let bounds = &self.config.bounds;
            if progress.commands >= bounds.commands_per_turn {
                break Ended::Budget;
            }
            if output.len() >= bounds.output_pause_bytes {
                break Ended::Paused;
            }
            if output.reserve(REPLY_HEADROOM_BYTES).is_err() {
                break Ended::Close(Reason::Io(ErrorKind::OutOfMemory));
            }
            let rest = &input[progress.consumed..];
            let (consumed, ended) = match parser.parse(rest, &limits(&self.config)) {
                Step::Incomplete { consumed, missing } => {
                    progress.consumed += consumed;
                    let begun = parser.is_mid_request() || rest.len() > consumed;
                    break Ended::Hungry { begun, missing };
                }
                Step::Complete { consumed } => {
                    (consumed, self.request_while_busy(me, output, parser.args(rest)))
                }
                Step::Refused { consumed, why } => {
                    let failure = refusal(why, &self.config);
                    self.refuse_request(me, output, failure);
                    (consumed, None)
                }
                Step::Broken(what) => {
                    self.refuse_request(me, output, protocol_error(what));
                    (0, Some(Ended::Close(Reason::ProtocolError)))
                }
            };
            if matches!(ended, Some(Ended::Parked | Ended::Budget)) {
                break ended.unwrap_or(Ended::Budget);
            }
            progress.consumed += consumed;
            progress.output = output.mark();
            progress.commands += 1;
            if let Some(ended) = ended {
                break ended;
            }
        };
        if let Some(session) = self.sessions.get_mut(me.slot) {
            session.leaving |= matches!(ended, Ended::Close(_));
            if parser.is_mid_request() {
                session.partial = Some(parser);
            }
        }
        ended
    }

    /// Answers one request. Says how the turn ends, if this request ends it.
    fn request_while_busy(&mut self, me: ConnId, output: &mut Output, args: Args<'_>) -> Option<Ended> {
        if is_http(args.get(0)?) {
            return Some(Ended::Close(Reason::ProtocolError));
        }
        let command = match find_command(args) {
            Ok(command) => command,
            Err(unknown) => {
                self.refuse_request(me, output, unknown);
                return None;
            }
        };
        // Redis saves nothing while a script runs, so it wants to hear that nothing need be saved.
        let would_save = command.name == "shutdown" && !args.from(1).any(|word| is(word, "nosave"));
        let may_run = check(command, args, &self.config, &self.sessions, me).and_then(|()| {
            let allowed = command.flags.contains(&"allow_busy") && !would_save;
            if allowed { Ok(()) } else { Err(self.busy_error()) }
        });
        if let Err(failure) = may_run {
            self.stats.per_command[command.id].rejected += 1;
            let failure = self.instead_of(me, command, failure);
            self.refuse_request(me, output, failure);
            return None;
        }
        if self.sessions.get(me.slot)?.has_extras() {
            match self.gate(me, command, args) {
                Gate::Run => {}
                Gate::Park => {
                    self.pause.park(me);
                    return Some(Ended::Parked);
                }
                Gate::Answer(answer) => {
                    self.answer_request(me, output, answer);
                    return None;
                }
            }
        }
        if ["reset", "hello"].contains(&command.name) && self.is_owed_messages(me) {
            // These messages are from before, so they must come before the reply. After it the client could not read them.
            return Some(Ended::Budget);
        }
        let session = self.sessions.get_mut(me.slot)?;
        session.command = Some(command);
        session.commands += 1;
        let (mode, proto, start) = (session.reply, session.proto, output.mark());
        let reply = Reply::new(output, proto, self.config.max_reply_bytes);
        let call = Call { me, args, command, memory: None, wires: &mut NoWires, inside: true };
        let close = self.run_in_script(call, &RUNS, reply);
        if mode != ReplyMode::On {
            output.cut(start);
            if mode != ReplyMode::Off {
                self.sessions.get_mut(me.slot)?.reply = ReplyMode::On;
            }
        }
        close.map(Ended::Close)
    }
}
