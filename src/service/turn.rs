//! One connection's turn: parse, look up, execute, until the input or the budget ends.
//!
//! After each completed command the turn moves its [`Progress`] marks. If a command panics, the
//! marks say what was complete, and the server keeps exactly that.

use std::io::ErrorKind;

use super::Service;
use super::cx::{Cx, Failure, Outcome, QUOTED_MAX, quotable};
use super::names;
use super::session::{ReplyMode, Session};
use super::table::{self, Command};
use crate::base::{Buf, ConnId, Now, OutOfMemory, Reason, Wires};
use crate::config::{CROSS_PROTOCOL_LOG_S, Config, DebugCommand, PARSER_KEPT_MAX, REPLY_HEADROOM_BYTES};
use crate::resp::{Args, Batch, Broken, Limits, Parser, Refusal, Reply, Step};
use crate::stats::Stats;

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
    /// Both clocks.
    pub now: Now,
    /// The settings.
    pub config: &'a mut Config,
    /// The counters.
    pub stats: &'a mut Stats,
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
    /// The connection ends, once its replies are delivered.
    Close(Reason),
}

impl Service {
    /// Serves the requests in `turn.input`.
    ///
    /// # Panics
    /// If a command does; `progress` then says what was complete.
    pub fn turn(&mut self, mut turn: Turn<'_>, progress: &mut Progress) -> Ended {
        let Some(session) = self.sessions.get_mut(turn.me.slot) else {
            return Ended::Hungry { begun: false, missing: 0 };
        };
        session.last = turn.now.at;
        let mut parser = session.partial.take().or_else(|| self.parser.take()).unwrap_or_default();
        let mut batch = self.batch.take().unwrap_or_default();
        let ended = self.serve(&mut turn, &mut parser, &mut batch, progress);
        self.batch = Some(batch);
        let unfinished = match ended {
            Ended::Hungry { begun, .. } => begun,
            Ended::Budget | Ended::Paused => parser.is_mid_request(),
            Ended::Close(_) => false,
        };
        if unfinished {
            if let Some(session) = self.sessions.get_mut(turn.me.slot) {
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
        let limits = limits(turn.config);
        batch.clear();
        loop {
            if let Some(ended) = spent(turn, progress) {
                return ended;
            }
            let mut plain = batch.take();
            if plain.is_none() && !parser.is_mid_request() && progress.consumed < turn.input.len() {
                self.look_ahead(batch, turn.input, progress.consumed, &limits);
                plain = batch.take();
            }
            let close = match plain {
                Some(request) => {
                    if let Err(ended) = reserve_headroom(turn) {
                        return ended;
                    }
                    let close = self.request(turn, batch.args(turn.input, request), progress);
                    progress.consumed = request.end;
                    close
                }
                None => match self.parse(turn, parser, &limits, progress) {
                    Ok(close) => close,
                    Err(ended) => return ended,
                },
            };
            progress.output = turn.output.len();
            progress.asks = self.outbox.asks.len();
            progress.commands += 1;
            progress.running = None;
            if let Some(reason) = close {
                if let Some(session) = self.sessions.get_mut(turn.me.slot) {
                    session.leaving = true;
                }
                return Ended::Close(reason);
            }
        }
    }

    /// Serves a request that is not plain, once it is all there.
    fn parse(
        &mut self,
        turn: &mut Turn<'_>,
        parser: &mut Parser,
        limits: &Limits,
        progress: &mut Progress,
    ) -> Result<Option<Reason>, Ended> {
        let rest = &turn.input[progress.consumed..];
        let step = parser.parse(rest, limits);
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
                let close = self.request(turn, parser.args(rest), progress);
                progress.consumed += consumed;
                Ok(close)
            }
            Step::Refused { consumed, why } => {
                progress.consumed += consumed;
                self.refuse(turn, refusal(why, turn.config));
                Ok(None)
            }
            Step::Broken(what) => {
                self.refuse(turn, protocol_error(what));
                Ok(Some(Reason::ProtocolError))
            }
        }
    }

    /// Reads the next requests of a pipeline and warms what they are going to look up, so that the
    /// waits for memory overlap: at a million keys a GET of a pipeline takes a third.
    #[inline]
    fn look_ahead(&mut self, batch: &mut Batch, input: &[u8], start: usize, limits: &Limits) {
        if batch.fill(input, start, limits) > 1 {
            // Nearly all commands that have a key have it here, and a wrong guess does no harm.
            self.store.warm(batch.column(input, 1));
        }
    }

    /// Looks one request up, checks and runs it.
    fn request(&mut self, turn: &mut Turn<'_>, args: Args<'_>, progress: &mut Progress) -> Option<Reason> {
        let name = args.get(0)?;
        let Some(mut command) = names::find(name) else {
            return self.unknown(turn, args);
        };
        if !command.subcommands.is_empty()
            && let Some(word) = args.get(1)
        {
            match names::find_sub(command, word) {
                Some(sub) => command = sub,
                None => {
                    self.refuse(turn, unknown_subcommand(command, word));
                    return None;
                }
            }
        }
        if let Err(failure) = check(command, args, turn.config, self.sessions.get(turn.me.slot)) {
            table::stats_of(turn.stats, command).rejected += 1;
            self.refuse(turn, failure);
            return None;
        }
        progress.running = Some(command);
        self.run(turn, args, command)
    }

    fn run(&mut self, turn: &mut Turn<'_>, args: Args<'_>, command: &'static Command) -> Option<Reason> {
        let session = self.sessions.get_mut(turn.me.slot)?;
        session.command = Some(command);
        if session.reply == ReplyMode::SkipNext {
            session.reply = ReplyMode::Skipping;
        }
        let reply_start = turn.output.len();
        let asks = self.outbox.asks.len();
        let mut cx = Cx {
            args,
            reply: Reply::new(turn.output, session.proto, turn.config.max_reply_bytes),
            me: turn.me,
            wires: turn.wires,
            now: turn.now,
            started: self.started,
            store: &mut self.store,
            sessions: &mut self.sessions,
            outbox: &mut self.outbox,
            config: turn.config,
            stats: turn.stats,
            command,
            close: None,
        };
        let failed = settle((command.run)(&mut cx), &mut cx);
        let close = cx.close;
        if failed {
            self.outbox.asks.truncate(asks);
        }
        let called = table::stats_of(turn.stats, command);
        called.calls += 1;
        called.failed += u64::from(failed);
        turn.stats.errors += u64::from(failed);
        turn.stats.commands += 1;
        if let Some(session) = self.sessions.get_mut(turn.me.slot) {
            session.commands += 1;
            if matches!(session.reply, ReplyMode::Off | ReplyMode::Skipping) {
                turn.output.truncate(reply_start);
            }
            if session.reply == ReplyMode::Skipping {
                session.reply = ReplyMode::On;
            }
        }
        close
    }

    /// Answers with an error without having run anything.
    fn refuse(&mut self, turn: &mut Turn<'_>, failure: Failure) {
        turn.stats.errors += 1;
        let Some(session) = self.sessions.get_mut(turn.me.slot) else { return };
        match session.reply {
            ReplyMode::Off => {}
            ReplyMode::SkipNext | ReplyMode::Skipping => session.reply = ReplyMode::On,
            ReplyMode::On => {
                Reply::new(turn.output, session.proto, usize::MAX).error(&failure.0);
            }
        }
    }

    fn unknown(&mut self, turn: &mut Turn<'_>, args: Args<'_>) -> Option<Reason> {
        if is_http(&args[0]) {
            self.note_cross_protocol(turn);
            return Some(Reason::ProtocolError);
        }
        self.refuse(turn, unknown_command(args));
        None
    }

    /// A browser that was tricked into talking to us is worth a line, but not one for each try.
    fn note_cross_protocol(&mut self, turn: &Turn<'_>) {
        let now = turn.now.at;
        if self.cross_protocol_logged.is_some_and(|at| now.since(at).as_secs() < CROSS_PROTOCOL_LOG_S) {
            return;
        }
        self.cross_protocol_logged = Some(now);
        if let Some(session) = self.sessions.get(turn.me.slot) {
            log::warn!(
                "possible cross-protocol attack: {} from {} speaks HTTP; closed (logged once a minute)",
                turn.me,
                session.peer
            );
        }
    }
}

/// Why the turn ends before its next request, if it does.
#[inline]
fn spent(turn: &Turn<'_>, progress: &Progress) -> Option<Ended> {
    if progress.consumed == turn.input.len() {
        return None;
    }
    if progress.commands >= turn.config.bounds.commands_per_turn {
        return Some(Ended::Budget);
    }
    (turn.output.len() >= turn.config.bounds.output_pause_bytes).then_some(Ended::Paused)
}

/// Room for the reply that a request is sure to get, be it an error.
#[inline]
fn reserve_headroom(turn: &mut Turn<'_>) -> Result<(), Ended> {
    let reserved = turn.output.reserve(REPLY_HEADROOM_BYTES);
    reserved.map_err(|OutOfMemory| Ended::Close(Reason::Io(ErrorKind::OutOfMemory)))
}

/// Puts an error in the place of a reply that failed or did not fit; true if it did.
fn settle(outcome: Outcome, cx: &mut Cx<'_>) -> bool {
    let failure = match outcome {
        Ok(()) if !cx.reply.overflowed() => return false,
        Ok(()) => Failure::telling(format!(
            "ERR reply exceeds max-reply-bytes ({}) or the memory there is",
            cx.config.max_reply_bytes
        )),
        Err(failure) => failure,
    };
    cx.reply.replace_by_error(&failure.0);
    true
}

/// What can be said against a request before it runs.
fn check(
    command: &'static Command,
    args: Args<'_>,
    config: &Config,
    session: Option<&Session>,
) -> Result<(), Failure> {
    if !command.arity.allows(args.len()) {
        return Err(Failure::telling(format!(
            "ERR wrong number of arguments for '{}' command",
            command.name
        )));
    }
    // A request that is no longer than a key may be needs no look at its keys.
    if args.held_in() > config.max_key_bytes
        && let Some(key) = command.keys.of(args).find(|key| key.len() > config.max_key_bytes)
    {
        return Err(Failure::telling(format!(
            "ERR key of {} bytes exceeds max-key-bytes ({})",
            key.len(),
            config.max_key_bytes
        )));
    }
    if command.debug && !debug_allowed(config, session) {
        return Err(Failure::text(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it \
             from a local connection, otherwise you need to set this option in the configuration file, and then \
             restart the server.",
        ));
    }
    Ok(())
}

fn debug_allowed(config: &Config, session: Option<&Session>) -> bool {
    match config.enable_debug_command {
        DebugCommand::No => false,
        DebugCommand::Yes => true,
        DebugCommand::Local => session.is_some_and(|session| session.peer.ip().is_loopback()),
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        bulk_max: config.proto_max_bulk_len,
        args_max: config.max_request_args,
        inline_max: config.max_inline_bytes,
        request_max: config.max_request_bytes,
    }
}

fn refusal(why: Refusal, config: &Config) -> Failure {
    Failure::telling(match why {
        Refusal::OutOfMemory => return OutOfMemory.into(),
        Refusal::TooManyArgs(count) => {
            format!("ERR {count} arguments exceed max-request-args ({})", config.max_request_args)
        }
        Refusal::ArgTooLong(len) => {
            format!("ERR argument of {len} bytes exceeds proto-max-bulk-len ({})", config.proto_max_bulk_len)
        }
        Refusal::RequestTooLong => {
            format!("ERR request exceeds max-request-bytes ({})", config.max_request_bytes)
        }
    })
}

fn protocol_error(what: Broken) -> Failure {
    Failure::telling(format!("ERR Protocol error: {}", what.text()))
}

/// Words that begin an HTTP request and are no commands: what runs after them was not meant for us.
fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

fn unknown_subcommand(command: &Command, word: &[u8]) -> Failure {
    let after = format!("'. Try {} HELP.", command.name.to_ascii_uppercase());
    Failure::quoting("ERR unknown subcommand '", word, &after)
}

fn unknown_command(args: Args<'_>) -> Failure {
    let mut quoted = Vec::new();
    for arg in args.from(1) {
        if quoted.len() >= QUOTED_MAX {
            break;
        }
        let head = quotable(arg, QUOTED_MAX - quoted.len());
        quoted.extend([b"'", head, b"' "].concat());
    }
    let name = quotable(&args[0], QUOTED_MAX);
    let text = [b"ERR unknown command '", name, b"', with args beginning with: ", &quoted];
    Failure(text.concat().into())
}
