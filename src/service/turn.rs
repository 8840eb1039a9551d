//! One connection's turn: parse, look up, run, until the input or the budget ends.
//!
//! After each completed command the turn moves its [`Progress`] marks. If a command panics, the
//! marks say what was complete, and the server keeps exactly that.

use std::io::ErrorKind;

use super::Service;
use super::command::Command;
use super::cx::Failure;
use super::errors::{protocol_error, refusal, unknown_command, unknown_subcommand};
use super::gate::Gate;
use super::names;
use super::outbox::Ask;
use super::run::{Call, check, may_be_wrong};
use super::session::ReplyMode;
use super::world::World;
use crate::base::{Buf, ConnId, OutOfMemory, Reason, Wires};
use crate::config::{CROSS_PROTOCOL_LOG_S, Config, PARSER_KEPT_MAX, REPLY_HEADROOM_BYTES};
use crate::resp::{Args, Batch, Limits, Parser, Reply, Step};

/// What the server lends for one turn.
pub struct Turn<'a> {
    /// Whose turn it is.
    pub me: ConnId,
    /// The connection's unserved input.
    pub input: &'a [u8],
    /// The connection's undelivered output.
    pub output: &'a mut Buf,
    /// All connections, to be looked at.
    pub wires: &'a dyn Wires,
}

/// How far a turn has come. Valid at any moment, also after a panic.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Input bytes that are done with.
    pub consumed: usize,
    /// Length of the output after the last completed command.
    pub output: usize,
    /// Length of the outbox after the last completed command.
    pub asks: usize,
    /// Commands completed.
    pub commands: u32,
    /// The command now running.
    pub running: Option<&'static Command>,
}

/// Why a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// No complete request is left.
    Hungry {
        /// True if one has been begun.
        begun: bool,
        /// How many bytes the request still lacks, as far as it has said.
        missing: usize,
    },
    /// The budget of commands is spent.
    Budget,
    /// The client has too many replies to take first.
    Paused,
    /// The next request waits for something to happen.
    Parked,
    /// The connection ends, once its replies are delivered.
    Close(Reason),
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    /// It has been answered.
    Whole,
    /// It waits, and so does all that is behind it.
    Parked,
    /// It has been answered, and the connection ends.
    Close(Reason),
}

impl Service {
    /// Serves the requests in `turn.input`.
    ///
    /// # Panics
    /// If a command does; `progress` then says what was complete.
    pub fn turn(&mut self, mut turn: Turn<'_>, progress: &mut Progress) -> Ended {
        let now = self.world.now.at;
        let Some(session) = self.world.sessions.get_mut(turn.me.slot) else {
            return Ended::Hungry { begun: false, missing: 0 };
        };
        session.last = now;
        let mut parser = session.partial.take().or_else(|| self.parser.take()).unwrap_or_default();
        let mut batch = self.batch.take().unwrap_or_default();
        let ended = self.serve(&mut turn, &mut parser, &mut batch, progress);
        self.batch = Some(batch);
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
                // What was read ahead was read under limits that no longer hold.
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
                    let served = self.request(turn, batch.args(turn.input, request), progress);
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
            progress.output = turn.output.len();
            progress.asks = self.world.outbox.asks.len();
            progress.commands += 1;
            progress.running = None;
            if let Served::Close(reason) = served {
                if let Some(session) = self.world.sessions.get_mut(turn.me.slot) {
                    session.leaving = true;
                }
                return Ended::Close(reason);
            }
        }
    }

    /// Why the turn ends before its next request, if it does.
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

    /// Serves a request that is not plain, once it is all there.
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
                // A header that is not complete either leaves the parser where it was.
                let begun = parser.is_mid_request() || rest.len() > consumed;
                Err(Ended::Hungry { begun, missing })
            }
            Step::Complete { consumed } => {
                let served = self.request(turn, parser.args(rest), progress);
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

    /// Reads the next requests of a pipeline and warms what they are going to look up, so that the
    /// waits for memory overlap: at a million keys a GET of a pipeline takes a third.
    #[inline]
    fn look_ahead(&mut self, batch: &mut Batch, input: &[u8], start: usize) {
        if batch.fill(input, start, &limits(&self.world.config)) > 1 {
            // Nearly all commands that have a key have it here, and a wrong guess does no harm.
            self.world.store.warm(batch.column(input, 1));
        }
    }

    /// Looks one request up, checks and runs it.
    #[inline]
    fn request(&mut self, turn: &mut Turn<'_>, args: Args<'_>, progress: &mut Progress) -> Served {
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
        let World { config, sessions, pause, .. } = &mut self.world;
        if may_be_wrong(command, args, config)
            && let Err(failure) = check(command, args, config, sessions, turn.me)
        {
            return self.reject(turn, command, failure);
        }
        progress.running = Some(command);
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
        let (reply_start, asks) = (turn.output.len(), self.world.outbox.asks.len());
        let reply = Reply::new(turn.output, proto, self.world.config.max_reply_bytes);
        let call = Call { me: turn.me, args, command, wires: turn.wires, inside: false };
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
    fn reject(&mut self, turn: &mut Turn<'_>, command: &'static Command, failure: Failure) -> Served {
        self.world.stats.per_command[command.id].rejected += 1;
        let failure = self.world.instead_of(turn.me, command, failure);
        self.refuse(turn, failure)
    }

    /// A request of a client that not everything is allowed to, or that may have to wait; `None` if it
    /// is to be run now.
    #[cold]
    fn gate(&mut self, turn: &mut Turn<'_>, args: Args<'_>, command: &'static Command) -> Option<Served> {
        match self.world.gate(turn.me, command, args) {
            Gate::Run => None,
            Gate::Park => {
                self.world.pause.park(turn.me);
                Some(Served::Parked)
            }
            Gate::Answer(answer) => {
                self.answer(turn, answer);
                Some(Served::Whole)
            }
        }
    }

    /// What a client publishes to itself comes right behind the reply.
    #[cold]
    fn push_to_caller(&mut self, turn: &mut Turn<'_>, asks: usize) {
        for [head, message] in self.world.outbox.take_pushes_to(turn.me, asks) {
            if turn.output.extend_all([head.unread(), message.unread()]).is_err() {
                self.world.outbox.asks.push(Ask::Kill(turn.me));
            }
        }
    }

    /// Takes a reply back that the client did not want.
    #[cold]
    fn silence(&mut self, turn: &mut Turn<'_>, reply_start: usize, command: &Command) {
        let Some(session) = self.world.sessions.get_mut(turn.me.slot) else { return };
        // What (un)subscribes is answered by pushes, which are never kept back.
        let pushes = command.group == "pubsub" && command.subscriber;
        // It may have been the command that turns replies on again.
        if session.reply != ReplyMode::On && !pushes {
            turn.output.truncate(reply_start);
        }
        if session.reply == ReplyMode::Skipping {
            session.reply = ReplyMode::On;
        }
    }

    /// Answers with an error without having run anything. A transaction ends with it.
    #[cold]
    fn refuse(&mut self, turn: &mut Turn<'_>, failure: Failure) -> Served {
        if let Some(session) = self.world.sessions.get_mut(turn.me.slot)
            && let Some(transaction) = session.transaction_mut()
        {
            transaction.aborted = true;
        }
        self.answer(turn, Err(failure));
        Served::Whole
    }

    /// Answers without having run anything: with a status or an error.
    fn answer(&mut self, turn: &mut Turn<'_>, answer: Result<&'static str, Failure>) {
        self.world.stats.errors += u64::from(answer.is_err());
        let Some(session) = self.world.sessions.get_mut(turn.me.slot) else { return };
        match session.reply {
            ReplyMode::Off => {}
            ReplyMode::SkipNext | ReplyMode::Skipping => session.reply = ReplyMode::On,
            ReplyMode::On => {
                let mut reply = Reply::new(turn.output, session.proto, usize::MAX);
                match answer {
                    Ok(status) => reply.simple(status),
                    Err(failure) => reply.error(&failure.0),
                }
            }
        }
    }

    #[cold]
    fn unknown(&mut self, turn: &mut Turn<'_>, args: Args<'_>) -> Served {
        if is_http(&args[0]) {
            self.note_cross_protocol(turn);
            return Served::Close(Reason::ProtocolError);
        }
        self.refuse(turn, unknown_command(args))
    }

    /// A browser that was tricked into talking to us is worth a line, but not one for each try.
    fn note_cross_protocol(&mut self, turn: &Turn<'_>) {
        let now = self.world.now.at;
        if self.cross_protocol_logged.is_some_and(|at| now.since(at).as_secs() < CROSS_PROTOCOL_LOG_S) {
            return;
        }
        self.cross_protocol_logged = Some(now);
        if let Some(session) = self.world.sessions.get(turn.me.slot) {
            log::warn!(
                "possible cross-protocol attack: {} from {} speaks HTTP; closed (logged once a minute)",
                turn.me,
                session.peer
            );
        }
    }
}

/// Room for the reply that a request is sure to get, be it an error.
#[inline]
fn reserve_headroom(turn: &mut Turn<'_>) -> Result<(), Ended> {
    let reserved = turn.output.reserve(REPLY_HEADROOM_BYTES);
    reserved.map_err(|OutOfMemory| Ended::Close(Reason::Io(ErrorKind::OutOfMemory)))
}

fn limits(config: &Config) -> Limits {
    Limits {
        bulk_max: config.proto_max_bulk_len,
        args_max: config.max_request_args,
        inline_max: config.max_inline_bytes,
        request_max: config.max_request_bytes,
    }
}

/// Words that begin an HTTP request and are no commands: what runs after them was not meant for us.
fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}
