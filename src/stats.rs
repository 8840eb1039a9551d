//! Plain counters, one a fact. Whoever sees the fact counts it; `INFO` shows them.

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
    /// Calls, failures and rejections of each command, by its place in the table.
    pub per_command: Vec<CommandStats>,
}

/// What has happened to one command.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandStats {
    /// Times it was run.
    pub calls: u64,
    /// Times it was run and answered with an error.
    pub failed: u64,
    /// Times it was asked for and not run: the number of arguments or a limit was wrong.
    pub rejected: u64,
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
