//! The errors for requests that the server does not run. Where Redis has the same error, its text is the
//! same.

use super::command::Command;
use super::cx::{Failure, QUOTED_MAX, quotable};
use crate::base::OutOfMemory;
use crate::config::Config;
use crate::resp::{Args, Broken, Refusal};

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
    let name = quotable(&args[0], QUOTED_MAX);
    let text = [b"ERR unknown command '", name, b"', with args beginning with: ", &quoted];
    Failure(text.concat().into())
}
