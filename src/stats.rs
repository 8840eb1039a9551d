//! Plain counters, one a fact. Whoever sees the fact counts it; `INFO` shows them.

use std::ops::{Index, IndexMut};

use crate::base::Reason;

/// What has happened since the start, or since `CONFIG RESETSTAT`.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Ticks of the reactor, which is how often it woke or had work left over.
    pub ticks: u64,
    /// Connections accepted, those refused at the cap included.
    pub accepted: u64,
    /// Connections refused because `maxclients` were being served.
    pub rejected: u64,
    /// Connections that could not be registered with the kernel's poll.
    pub unwatched: u64,
    /// Connections closed, by [`Reason::index`].
    pub closes: [u64; Reason::NAMES.len()],
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes written to clients.
    pub bytes_out: u64,
    /// Commands completed.
    pub commands: u64,
    /// Turns that ended because their budget was spent.
    pub yields: u64,
    /// Turns put off because the client had too many replies to take.
    pub pauses: u64,
    /// Error replies.
    pub errors: u64,
    /// Commands that panicked.
    pub panics: u64,
    /// Look-ups of keys that existed.
    pub keyspace_hits: u64,
    /// Look-ups of keys that did not.
    pub keyspace_misses: u64,
    /// Episodes in which the process or the system had no descriptor left.
    pub descriptor_episodes: u64,
    /// Time spent refusing because of that, in microseconds.
    pub descriptor_refusing_us: u64,
    /// How things stand now; no statistic, so never reset.
    pub present: Present,
    /// What has happened to each command, by its id.
    pub per_command: PerCommand,
}

/// The counters of each command, by its id: an index of a byte needs no check.
#[derive(Clone, Debug)]
pub struct PerCommand(Box<[CommandStats; COMMANDS_MAX]>);

impl Default for PerCommand {
    fn default() -> PerCommand {
        PerCommand(Box::new([CommandStats::default(); COMMANDS_MAX]))
    }
}

impl Index<u8> for PerCommand {
    type Output = CommandStats;

    #[inline]
    fn index(&self, id: u8) -> &CommandStats {
        &self.0[usize::from(id)]
    }
}

impl IndexMut<u8> for PerCommand {
    #[inline]
    fn index_mut(&mut self, id: u8) -> &mut CommandStats {
        &mut self.0[usize::from(id)]
    }
}

/// Commands and subcommands that can be counted: as many as a byte can name.
pub const COMMANDS_MAX: usize = 256;

/// What has happened to one command.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandStats {
    /// Times it was run.
    pub calls: u64,
    /// Times it was run and answered with an error.
    pub failed: u64,
    /// Times it was asked for and not run: the number of arguments or a limit was wrong.
    pub rejected: u64,
    /// Times it was run and its time was taken, because it may have been long.
    pub timed: u64,
    /// What these took together, nanoseconds.
    pub timed_ns: u64,
    /// Times it was run and its time was taken as a sample of the others.
    pub sampled: u64,
    /// What these took together, nanoseconds.
    pub sampled_ns: u64,
}

impl CommandStats {
    /// The time that all calls have taken, microseconds. Of the calls that were not timed it is
    /// estimated from those that were sampled.
    pub fn usec(&self) -> f64 {
        let others = self.calls.saturating_sub(self.timed) as f64;
        let each = self.sampled_ns as f64 / self.sampled.max(1) as f64;
        (self.timed_ns as f64 + each * others) / 1_000.0
    }
}

/// How things stand, as of the start of the tick.
#[derive(Clone, Copy, Debug, Default)]
pub struct Present {
    /// Clients being served.
    pub clients: usize,
    /// Bytes of buffers held for all connections together.
    pub held_bytes: usize,
    /// True while accepting pauses because there are no descriptors.
    pub refusing: bool,
    /// True once the server has been told to stop.
    pub draining: bool,
    /// Connections whose replies were cut off by a shutdown; the exit code depends on it.
    pub cut: u64,
    /// Log lines dropped because their sink could not take them.
    pub log_lines_dropped: u64,
}
