//! The errors for requests that the server does not run, and how such requests are answered. Where Redis has the same
//! error, its text is the same.

use super::command::Command;
use super::cx::{Failure, QUOTED_MAX, quotable};
use super::names;
use super::session::ReplyMode;
use super::world::World;
use crate::base::{ConnId, OutOfMemory, Output};
use crate::config::Config;
use crate::resp::{Args, Broken, Refusal, Reply};

impl World {
    /// Answers a request of `me` with an error instead of running it. That also aborts an open transaction.
    #[cold]
    pub(super) fn refuse_request(&mut self, me: ConnId, output: &mut Output, failure: Failure) {
        if let Some(session) = self.sessions.get_mut(me.slot)
            && let Some(transaction) = session.transaction_mut()
        {
            transaction.aborted = true;
        }
        self.answer_request(me, output, Err(failure));
    }

    /// Answers a request of `me` with a status or an error instead of running it.
    pub(super) fn answer_request(
        &mut self,
        me: ConnId,
        output: &mut Output,
        answer: Result<&'static str, Failure>,
    ) {
        if let Err(failure) = &answer {
            self.stats.count_error(&failure.0);
        }
        let Some(session) = self.sessions.get_mut(me.slot) else { return };
        match session.reply {
            ReplyMode::Off => {}
            ReplyMode::SkipNext | ReplyMode::Skipping => session.reply = ReplyMode::On,
            ReplyMode::On => {
                let mut reply = Reply::new(output, session.proto, usize::MAX);
                match answer {
                    Ok(status) => reply.simple(status),
                    Err(failure) => reply.error(&failure.0),
                }
            }
        }
    }
}

/// The command, or the subcommand, that a request names.
///
/// # Errors
/// The error for the client, if there is none.
pub fn find_command(args: Args<'_>) -> Result<&'static Command, Failure> {
    let command = args.get(0).and_then(names::find).ok_or_else(|| unknown_command(args))?;
    match args.get(1) {
        Some(word) if !command.subcommands.is_empty() => {
            names::find_sub(command, word).ok_or_else(|| unknown_subcommand(command, word))
        }
        _ => Ok(command),
    }
}

/// The error for a request that exceeded a limit and was skipped.
pub fn refusal(why: Refusal, config: &Config) -> Failure {
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

/// The error for framing that cannot be followed any further.
pub fn protocol_error(what: Broken) -> Failure {
    Failure::telling(format!("ERR Protocol error: {}", what.text()))
}

/// The error for a subcommand that its container does not have.
pub fn unknown_subcommand(command: &Command, word: &[u8]) -> Failure {
    let after = format!("'. Try {} HELP.", command.name.to_ascii_uppercase());
    Failure::quoting("ERR unknown subcommand '", word, &after)
}

/// The error for a subcommand with too many arguments, where the arity alone would allow them.
pub fn wrong_arguments(container: &str, word: &[u8]) -> Failure {
    let after = format!("'. Try {container} HELP.");
    Failure::quoting("ERR unknown subcommand or wrong number of arguments for '", word, &after)
}

/// The error for a command that is not in the catalog. It quotes up to [`QUOTED_MAX`] bytes of the name,
/// and about as many of the arguments.
pub fn unknown_command(args: Args<'_>) -> Failure {
    let mut quoted = Vec::new();
    for arg in args.from(1) {
        if quoted.len() >= QUOTED_MAX {
            break;
        }
        let head = quotable(arg, QUOTED_MAX - quoted.len());
        quoted.extend([b"'", head, b"' "].concat());
    }
    let name = quotable(args.get(0).unwrap_or_default(), QUOTED_MAX);
    let text = [b"ERR unknown command '", name, b"', with args beginning with: ", &quoted];
    Failure(text.concat().into())
}
