//! Decides what happens to a request. Most requests run at once. Inside a transaction they are queued. A
//! subscriber that speaks RESP2 may use only a few commands. While `CLIENT PAUSE` holds commands, some of
//! them wait.

use super::command::{Command, Multi};
use super::cx::Failure;
use super::world::World;
use crate::base::ConnId;
use crate::resp::{Args, Proto};

/// What happens to a request.
pub enum Gate {
    /// It runs now.
    Run,
    /// It waits until the pause ends.
    Park,
    /// It does not run now. This is the answer: a status or an error.
    Answer(Result<&'static str, Failure>),
}

impl World {
    /// Decides what happens to a request. The turn asks only about clients that are in a transaction, watch
    /// keys or have subscriptions, and about all clients while commands are held.
    #[cold]
    pub fn gate(&mut self, id: ConnId, command: &'static Command, args: Args<'_>) -> Gate {
        let Some(session) = self.sessions.get_mut(id.slot) else { return Gate::Run };
        if session.is_subscriber() && session.proto == Proto::Resp2 && !command.subscriber {
            return self.refuse(id, command, Failure::telling(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
                 this context",
                command.name
            )));
        }
        let queued = session.transaction();
        if queued.is_some() && command.multi == Multi::Refused {
            return self.refuse(id, command, Failure::text("ERR Command not allowed inside a transaction"));
        }
        let writes = command.writes || command.name == "exec" && queued.is_some_and(|queued| queued.writes);
        if self.pause.holds(command, writes) {
            return Gate::Park;
        }
        if queued.is_some() && command.multi == Multi::Queued {
            return self.queue(id, command, args);
        }
        Gate::Run
    }

    /// Queues a request of a client that is in a transaction.
    fn queue(&mut self, id: ConnId, command: &'static Command, args: Args<'_>) -> Gate {
        let max = self.config.client_query_buffer_limit;
        let Some(session) = self.sessions.get_mut(id.slot) else { return Gate::Run };
        let touched = session.extras().watching.touched;
        let Some(transaction) = session.transaction_mut() else { return Gate::Run };
        if transaction.aborted || touched {
            // `EXEC` will not run the transaction in any case, so we need not keep the request.
            return Gate::Answer(Ok("QUEUED"));
        }
        if transaction.memory() + args.held_in() > max {
            let text = format!("ERR transaction exceeds client-query-buffer-limit ({max})");
            return self.refuse(id, command, Failure::telling(text));
        }
        match transaction.push(args, command) {
            Ok(()) => Gate::Answer(Ok("QUEUED")),
            Err(refused) => self.refuse(id, command, refused.into()),
        }
    }

    /// Refuses a request, and with it the client's transaction, if there is one.
    fn refuse(&mut self, id: ConnId, command: &'static Command, failure: Failure) -> Gate {
        self.stats.per_command[command.id].rejected += 1;
        if let Some(session) = self.sessions.get_mut(id.slot)
            && let Some(transaction) = session.transaction_mut()
        {
            transaction.aborted = true;
        }
        Gate::Answer(Err(failure))
    }

    /// The error to send for `failure`, which [`check`](super::run::check) has found. An `EXEC` that fails
    /// the check ends the transaction and the watches, so its error must say that. For other commands it is
    /// `failure` itself.
    pub fn instead_of(&mut self, id: ConnId, command: &'static Command, failure: Failure) -> Failure {
        if command.name != "exec" {
            return failure;
        }
        self.end_transaction(id);
        let why = failure.0.strip_prefix(b"ERR ").unwrap_or(&failure.0);
        Failure([b"EXECABORT Transaction discarded because of: ", why].concat().into())
    }
}
