//! The script or the function that runs: how long it may go on, who may end it, and what others may see of it.

use super::command::Command;
use super::cx::{Cx, Failure, Outcome};
use super::outbox::{Ask, Outbox};
use super::slowlog::cut;
use super::wires::Wires;
use super::world::World;
use crate::base::{ConnId, Moment};
use crate::config::SCRIPT_HEARS_EVERY_MS;
use crate::resp::Args;
use crate::script::Stop;

/// The error for others while a script of `EVAL` runs long.
const BUSY_EVAL: Failure =
    Failure::text("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");
/// The error for others while a function runs long.
const BUSY_FUNCTION: Failure =
    Failure::text("BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.");

/// The script or the function that runs, or the libraries that are being loaded.
#[derive(Debug)]
pub struct Running {
    /// The client that runs it.
    pub me: ConnId,
    /// When it began.
    began: Moment,
    /// When it next lets the server hear the other clients.
    next_hearing: Moment,
    /// Why it must stop, if something else than its budget says so.
    pub stop: Option<Stop>,
    /// True for a function, and false for a script of `EVAL`.
    pub is_function: bool,
    /// The request that runs it, cut as for the slow log. It is empty until the server hears others.
    pub request: Vec<Vec<u8>>,
    /// While others are heard: what the script, and the commands before it in this turn, have asked for. It waits until the turn
    /// is over.
    asked: Outbox,
}

impl Running {
    /// A script, or a function, that begins now.
    pub fn new(me: ConnId, began: Moment, is_function: bool) -> Running {
        let next_hearing = began.plus_ms(SCRIPT_HEARS_EVERY_MS);
        let (request, asked) = (Vec::new(), Outbox::default());
        Running { me, began, next_hearing, stop: None, is_function, request, asked }
    }

    /// How long it has run by now, milliseconds.
    pub fn ms(&self, now: Moment) -> u64 {
        now.since(self.began).as_millis() as u64
    }
}

/// While it lives, others are heard, and what the script has asked for lies aside. It comes back even if that panics.
pub struct Aside<'a> {
    /// The world.
    pub world: &'a mut World,
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.world.swap_asked();
    }
}

impl Cx<'_> {
    /// Lets the server hear the other clients, if it is time for that.
    pub fn hear_others(&mut self, now: Moment) {
        let Cx { world, wires, me, command, args, .. } = self;
        world.hear_others(&mut **wires, *me, command, *args, now);
    }
}

impl World {
    /// Lets the server hear the other clients while `me` runs a script, if it is time for that.
    pub fn hear_others(
        &mut self,
        wires: &mut dyn Wires,
        me: ConnId,
        command: &Command,
        args: Args<'_>,
        now: Moment,
    ) {
        let Some(script) = &mut self.script else { return };
        if now < script.next_hearing {
            return;
        }
        script.next_hearing = now.plus_ms(SCRIPT_HEARS_EVERY_MS);
        if script.request.is_empty() {
            script.request = cut(command, args);
        }
        wires.hear(me, self);
        // Others use other databases.
        let db = self.sessions.get(me.slot).map_or(0, |session| session.db);
        self.store.select(db);
    }
}

impl World {
    /// True while a script of this client runs.
    pub fn in_script_of(&self, me: ConnId) -> bool {
        self.script.as_ref().is_some_and(|script| script.me == me)
    }

    /// Puts aside what the script, and the commands before it, have asked for, while others are heard.
    pub fn put_asked_aside(&mut self) -> Aside<'_> {
        self.swap_asked();
        Aside { world: self }
    }

    fn swap_asked(&mut self) {
        if let Some(script) = &mut self.script {
            std::mem::swap(&mut script.asked, &mut self.outbox);
        }
    }

    /// True if messages for this client wait until the script has ended.
    pub fn is_owed_messages(&self, id: ConnId) -> bool {
        let is_to = |ask: &Ask| matches!(ask, Ask::Push { to, .. } if *to == id);
        self.script.as_ref().is_some_and(|script| script.asked.asks.iter().any(is_to))
    }

    /// True while a script runs.
    pub fn in_script(&self) -> bool {
        self.script.is_some()
    }

    /// Whether the script that runs must stop at this time.
    pub fn must_stop_script(&self, now: Moment) -> Option<Stop> {
        let script = self.script.as_ref()?;
        let limit = self.config.script_time_limit_ms;
        if script.stop.is_some() {
            script.stop
        } else if limit > 0 && script.ms(now) >= limit {
            Some(Stop::Time)
        } else {
            (self.store.undo_memory() > self.config.script_memory_limit).then_some(Stop::Memory)
        }
    }

    /// True if a script has run so long by now that others need not wait for it.
    pub fn is_busy(&self, now: Moment) -> bool {
        let threshold = self.config.busy_reply_threshold_ms;
        threshold > 0 && self.script.as_ref().is_some_and(|script| script.ms(now) >= threshold)
    }

    /// The server waits no longer for the script that runs.
    pub fn end_script(&mut self) {
        if let Some(script) = &mut self.script {
            script.stop.get_or_insert(Stop::Shutdown);
        }
    }

    /// Ends the script that runs, because a client asks for it. `function` says which kind of script the client means.
    ///
    /// # Errors
    /// If none runs, or one of the other kind.
    pub fn kill_script(&mut self, function: bool) -> Outcome {
        match &mut self.script {
            None => Err(Failure::text("NOTBUSY No scripts in execution right now.")),
            Some(script) if script.is_function != function => Err(self.busy_error()),
            Some(script) => {
                script.stop.get_or_insert(Stop::Killed);
                Ok(())
            }
        }
    }

    /// The error for a request that must wait until the script has ended.
    pub fn busy_error(&self) -> Failure {
        if self.script.as_ref().is_some_and(|script| script.is_function) { BUSY_FUNCTION } else { BUSY_EVAL }
    }

    /// The error for the script that runs, which was stopped.
    pub fn stopped(&self, stop: Stop) -> Failure {
        let now = self.read_clock().at;
        let ms = self.script.as_ref().map_or(0, |script| script.ms(now));
        Failure::telling(match stop {
            Stop::Time => format!(
                "ERR the script ran for {ms} ms and was stopped (script-time-limit is {} ms); nothing was changed",
                self.config.script_time_limit_ms
            ),
            Stop::Memory => format!(
                "ERR the script needed too much memory and was stopped after {ms} ms (script-memory-limit is {} \
                 bytes); nothing was changed",
                self.config.script_memory_limit
            ),
            Stop::Killed => {
                format!("ERR Script killed by user with SCRIPT KILL after {ms} ms; nothing was changed")
            }
            Stop::Shutdown => format!(
                "ERR the server is shutting down; the script was stopped after {ms} ms; nothing was changed"
            ),
        })
    }
}
