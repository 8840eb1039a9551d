//! One connection's turn: it parses, looks up and runs requests until the input or the budget ends.
//!
//! After each completed command the turn moves its [`Progress`] marks. If a command panics, the
//! marks say what was complete, and the server keeps exactly that.

use std::io::ErrorKind;

use super::Service;
use super::command::Command;
use super::cx::Failure;
use super::errors::{protocol_error, refusal, unknown_subcommand};
use super::gate::Gate;
use super::names;
use super::outbox::Ask;
use super::run::{Call, check, may_be_wrong};
use super::session::ReplyMode;
use super::wires::Wires;
use super::world::World;
use crate::base::{ConnId, OutOfMemory, Output, Reason, Shared};
use crate::config::{Config, PARSER_KEPT_MAX, REPLY_HEADROOM_BYTES};
use crate::resp::{Args, Batch, Limits, Parser, Reply, Step};

/// What the server lends to the service for one turn.
pub struct Turn<'a> {
    /// The client whose turn it is.
    pub me: ConnId,
    /// The client's input that has not been served yet.
    pub input: &'a [u8],
    /// The memory in which the input lies, if a value may keep it instead of being copied.
    pub memory: Option<&'a Shared>,
    /// The client's output that has not been delivered yet; replies are appended to it.
    pub output: &'a mut Output,
    /// The other clients.
    pub wires: &'a mut dyn Wires,
}

/// How far a turn has come. These marks are valid at any moment, even after a panic.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Bytes at the front of the input that are no longer needed.
    pub consumed: usize,
    /// The [mark](Output::mark) of the output after the last completed command.
    pub output: usize,
    /// Number of asks in the outbox after the last completed command.
    pub asks: usize,
    /// Number of completed commands.
    pub commands: u32,
    /// How the turn ends after the last completed command, if that command has ended it.
    pub ended: Option<Ended>,
}

/// Why a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The input holds no complete request any more.
    Hungry {
        /// True if the input ends inside a request.
        begun: bool,
        /// At least this many more bytes must arrive before that request is complete.
        missing: usize,
    },
    /// The budget is spent: `commands_per_turn` or `asks_per_turn`.
    Budget,
    /// Too many replies wait for the client. It must take some of them first.
    Paused,
    /// The next request must wait until `CLIENT PAUSE` no longer holds it.
    Parked,
    /// The connection ends for this reason once its replies are delivered.
    Close(Reason),
}

/// What happened to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// It is done, and the turn goes on.
    Whole,
    /// It waits, and so do all requests after it.
    Parked,
    /// It is done, and the connection ends for this reason.
    Close(Reason),
}

impl Service {
    /// Serves the requests in `turn.input`, and moves the marks in `progress` as it does so.
    ///
    /// # Panics
    /// If a command panics; `progress` then says what was complete.
    pub fn turn(&mut self, mut turn: Turn<'_>, progress: &mut Progress) -> Ended {
        let now = self.world.now.at;
        let Some(session) = self.world.sessions.get_mut(turn.me.slot) else {
            return Ended::Hungry { begun: false, missing: 0 };
        };
        session.last = now;
        self.world.read_before = None;
        self.world.store.select(session.db);
        let mut parser = session.partial.take().or_else(|| self.parser.take()).unwrap_or_default();
        let mut batch = self.batch.take().unwrap_or_default();
        let ended = self.serve(&mut turn, &mut parser, &mut batch, progress);
        self.batch = Some(batch);
        self.world.read_before = None;
        let unfinished = match ended {
            Ended::Hungry { begun, .. } => begun,
            Ended::Budget | Ended::Paused | Ended::Parked => parser.is_mid_request(),
            Ended::Close(_) => false,
        };
        if unfinished {
            if let Some(session) = self.world.sessions.get_mut(turn.me.slot) {
                session.partial = Some(parser);
            }
        } else if parser.capacity() <= PARSER_KEPT_MAX {
            debug_assert!(!parser.is_mid_request(), "half a request would go to the next client");
            self.parser = Some(parser);
        }
        ended
    }

    fn serve(
        &mut self,
        turn: &mut Turn<'_>,
        parser: &mut Parser,
        batch: &mut Batch,
        progress: &mut Progress,
    ) -> Ended {
        let mut settings = self.world.settings_changed;
        batch.clear();
        loop {
            if let Some(ended) = self.spent(turn, progress) {
                return ended;
            }
            if self.world.settings_changed != settings {
                // The requests that were read ahead were checked against limits that no longer hold.
                settings = self.world.settings_changed;
                batch.clear();
            }
            let mut plain = batch.take();
            if plain.is_none() && !parser.is_mid_request() && progress.consumed < turn.input.len() {
                self.look_ahead(batch, turn.input, progress.consumed);
                plain = batch.take();
            }
            let served = match plain {
                Some(request) => {
                    if let Err(ended) = reserve_headroom(turn) {
                        return ended;
                    }
                    let served = self.request(turn, batch.args(turn.input, request));
                    if served != Served::Parked {
                        progress.consumed = request.end;
                    }
                    served
                }
                None => match self.parse(turn, parser, progress) {
                    Ok(served) => served,
                    Err(ended) => return ended,
                },
            };
            if served == Served::Parked {
                return Ended::Parked;
            }
            progress.output = turn.output.mark();
            progress.asks = self.world.outbox.asks.len();
            progress.commands += 1;
            if let Served::Close(reason) = served {
                if let Some(session) = self.world.sessions.get_mut(turn.me.slot) {
                    session.leaving = true;
                }
                progress.ended = Some(Ended::Close(reason));
            }
            if self.world.stirred {
                self.tend_waits(turn.me, progress);
            }
            if let Some(ended) = progress.ended {
                return ended;
            }
        }
    }

    /// Why the turn must end before the next request, if it must.
    #[inline]
    fn spent(&self, turn: &Turn<'_>, progress: &Progress) -> Option<Ended> {
        if progress.consumed == turn.input.len() {
            return None;
        }
        let bounds = &self.world.config.bounds;
        if progress.commands >= bounds.commands_per_turn || progress.asks >= bounds.asks_per_turn {
            return Some(Ended::Budget);
        }
        (turn.output.len() >= bounds.output_pause_bytes).then_some(Ended::Paused)
    }

    /// Serves the next request if it is not plain. The turn ends if the request is incomplete or broken.
    fn parse(
        &mut self,
        turn: &mut Turn<'_>,
        parser: &mut Parser,
        progress: &mut Progress,
    ) -> Result<Served, Ended> {
        let rest = &turn.input[progress.consumed..];
        let step = parser.parse(rest, &limits(&self.world.config));
        if !matches!(step, Step::Incomplete { .. }) {
            reserve_headroom(turn)?;
        }
        match step {
            Step::Incomplete { consumed, missing } => {
                progress.consumed += consumed;
                // While the first header line is incomplete, the parser has not begun the request yet.
                let begun = parser.is_mid_request() || rest.len() > consumed;
                Err(Ended::Hungry { begun, missing })
            }
            Step::Complete { consumed } => {
                let served = self.request(turn, parser.args(rest));
                if served != Served::Parked {
                    progress.consumed += consumed;
                }
                Ok(served)
            }
            Step::Refused { consumed, why } => {
                progress.consumed += consumed;
                Ok(self.refuse(turn, refusal(why, &self.world.config)))
            }
            Step::Broken(what) => {
                self.refuse(turn, protocol_error(what));
                Ok(Served::Close(Reason::ProtocolError))
            }
        }
    }

    /// Reads the next requests of a pipeline and fetches their keys into the cache, so that the waits for
    /// memory overlap. With a million keys, a GET in a pipeline then takes a third of the time.
    #[inline]
    fn look_ahead(&mut self, batch: &mut Batch, input: &[u8], start: usize) {
        if batch.fill(input, start, &limits(&self.world.config)) > 1 {
            // Nearly all commands with a key have it as argument 1, and those that look up a field or a member have that as
            // argument 2, or behind a score as argument 3. A wrong guess does no harm.
            let members = batch.column(input, 2).zip(batch.column(input, 3));
            self.world.store.warm(batch.column(input, 1), members);
        }
    }

    /// Looks up the command of a request, checks the request and runs it.
    #[inline]
    fn request(&mut self, turn: &mut Turn<'_>, args: Args<'_>) -> Served {
        let Some(name) = args.get(0) else { return Served::Whole };
        let Some(mut command) = names::find(name) else {
            return self.unknown(turn, args);
        };
        if !command.subcommands.is_empty()
            && let Some(word) = args.get(1)
        {
            match names::find_sub(command, word) {
                Some(sub) => command = sub,
                None => return self.refuse(turn, unknown_subcommand(command, word)),
            }
        }
        let World { config, sessions, .. } = &mut self.world;
        if may_be_wrong(command, args, config)
            && let Err(failure) = check(command, args, config, sessions, turn.me)
        {
            return self.reject(turn, command, failure);
        }
        if self.world.config.maxmemory.bytes > 0
            && self.world.needs_room(turn.me, command)
            && let Err(failure) = self.world.make_room(turn.me, args)
        {
            return self.reject(turn, command, failure);
        }
        let World { sessions, pause, .. } = &mut self.world;
        let Some(mut session) = sessions.get_mut(turn.me.slot) else { return Served::Whole };
        if session.has_extras() || pause.is_on() {
            if let Some(served) = self.gate(turn, args, command) {
                return served;
            }
            let Some(again) = self.world.sessions.get_mut(turn.me.slot) else { return Served::Whole };
            session = again;
        }
        session.command = Some(command);
        session.commands += 1;
        let answered = session.reply == ReplyMode::On;
        if session.reply == ReplyMode::SkipNext {
            session.reply = ReplyMode::Skipping;
        }
        let proto = session.proto;
        let (reply_start, asks) = (turn.output.mark(), self.world.outbox.asks.len());
        let reply = Reply::new(turn.output, proto, self.world.config.max_reply_bytes);
        let call =
            Call { me: turn.me, args, command, memory: turn.memory, wires: &mut *turn.wires, inside: false };
        let close = self.world.run(call, self.runs, reply);
        if !answered {
            self.silence(turn, reply_start, command);
        }
        if self.world.outbox.to_caller {
            self.push_to_caller(turn, asks);
        }
        close.map_or(Served::Whole, Served::Close)
    }

    #[cold]
    pub(super) fn reject(
        &mut self,
        turn: &mut Turn<'_>,
        command: &'static Command,
        failure: Failure,
    ) -> Served {
        self.world.stats.per_command[command.id].rejected += 1;
        let failure = self.world.instead_of(turn.me, command, failure);
        self.refuse(turn, failure)
    }

    /// Asks [`World::gate`] about a request. `None` if it runs now; otherwise it was parked or answered here.
    #[cold]
    fn gate(&mut self, turn: &mut Turn<'_>, args: Args<'_>, command: &'static Command) -> Option<Served> {
        match self.world.gate(turn.me, command, args) {
            Gate::Run => None,
            Gate::Park => {
                self.world.pause.park(turn.me);
                Some(Served::Parked)
            }
            Gate::Answer(answer) => {
                self.world.answer_request(turn.me, turn.output, answer);
                Some(Served::Whole)
            }
        }
    }

    /// Sends what a client has published to itself right after the reply, not at the end of the turn.
    #[cold]
    fn push_to_caller(&mut self, turn: &mut Turn<'_>, asks: usize) {
        for [head, message] in self.world.outbox.take_pushes_to(turn.me, asks) {
            if turn.output.extend_all([head.unread(), message.unread()]).is_err() {
                self.world.outbox.asks.push(Ask::Kill(turn.me));
            }
        }
    }

    /// Takes back a reply that the client does not want (`CLIENT REPLY`).
    #[cold]
    fn silence(&mut self, turn: &mut Turn<'_>, reply_start: usize, command: &Command) {
        let Some(session) = self.world.sessions.get_mut(turn.me.slot) else { return };
        // Commands that subscribe or unsubscribe answer with pushes, which always reach the client.
        let pushes = command.group == "pubsub" && command.subscriber;
        // If the command was the one that switched replies on again, its reply stays.
        if session.reply != ReplyMode::On && !pushes {
            turn.output.cut(reply_start);
        }
        if session.reply == ReplyMode::Skipping {
            session.reply = ReplyMode::On;
        }
    }

    #[cold]
    fn refuse(&mut self, turn: &mut Turn<'_>, failure: Failure) -> Served {
        self.world.refuse_request(turn.me, turn.output, failure);
        Served::Whole
    }
}

/// Makes room for a short reply, so that each request gets at least an error.
#[inline]
fn reserve_headroom(turn: &mut Turn<'_>) -> Result<(), Ended> {
    let reserved = turn.output.reserve(REPLY_HEADROOM_BYTES);
    reserved.map_err(|OutOfMemory| Ended::Close(Reason::Io(ErrorKind::OutOfMemory)))
}

pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        bulk_max: config.proto_max_bulk_len,
        args_max: config.max_request_args,
        inline_max: config.max_inline_bytes,
        request_max: config.max_request_bytes,
    }
}
