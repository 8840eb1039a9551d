//! Plain counters, one for each fact. The room that sees a fact counts it, and `INFO` shows the counters.

use std::ops::{Index, IndexMut};

use crate::base::Reason;

/// What has happened since the start, or since `CONFIG RESETSTAT`.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Ticks of the server: how often it woke up or had work left over.
    pub ticks: u64,
    /// Connections accepted, including those that were then refused at `maxclients`.
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
    /// Look-ups of keys that did not exist.
    pub keyspace_misses: u64,
    /// How often the process or the system ran out of descriptors; one for each episode.
    pub descriptor_episodes: u64,
    /// Time in which accepting paused for that reason, in microseconds.
    pub descriptor_refusing_us: u64,
    /// The present state. It is no statistic, so `CONFIG RESETSTAT` leaves it.
    pub present: Present,
    /// What has happened to each command, by its id.
    pub per_command: PerCommand,
}

/// The counters of each command, by its id. The index is a byte and there are 256 entries, so no index is out of
/// range.
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

/// Commands and subcommands that can be counted: as many as a byte has values.
pub const COMMANDS_MAX: usize = 256;

/// What has happened to one command.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandStats {
    /// Times it was run.
    pub calls: u64,
    /// Times it was run and answered with an error.
    pub failed: u64,
    /// Times it was refused before it ran, because of the number of arguments or a limit.
    pub rejected: u64,
    /// Times it was run and timed because it may take long.
    pub timed: u64,
    /// Time of these runs together, nanoseconds.
    pub timed_ns: u64,
    /// Times it was run and timed as a sample of the other runs.
    pub sampled: u64,
    /// Time of these runs together, nanoseconds.
    pub sampled_ns: u64,
}

impl CommandStats {
    /// The time of all calls, microseconds. The time of calls that were not timed is estimated from the samples.
    pub fn usec(&self) -> f64 {
        let others = self.calls.saturating_sub(self.timed) as f64;
        let each = self.sampled_ns as f64 / self.sampled.max(1) as f64;
        (self.timed_ns as f64 + each * others) / 1_000.0
    }
}

/// The present state, as of the start of the tick.
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
    /// Connections whose replies a shutdown has cut off. The exit code depends on it.
    pub cut: u64,
    /// Log lines dropped because the sink had no room.
    pub log_lines_dropped: u64,
}
