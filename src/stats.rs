//! Plain counters, one for each fact. The room that sees a fact counts it, and `INFO` shows the counters.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use crate::base::{Moment, Reason};
use crate::stage::Stage;

/// What has happened since the start, or since `CONFIG RESETSTAT`.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Ticks of the server: how often it woke up or had work left over.
    pub ticks: u64,
    /// Connections accepted, including those that were then refused at `maxclients`.
    pub accepted: u64,
    /// Connections refused because `maxclients` were being served.
    pub rejected: u64,
    /// Connections that the kernel's poll did not accept. The server closed them at once.
    pub unwatched: u64,
    /// Connections closed, for each reason. The index is [`Reason::index`].
    pub closes: [u64; Reason::NAMES.len()],
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes written to clients.
    pub bytes_out: u64,
    /// Commands completed.
    pub commands: u64,
    /// Turns that ended because their budget was spent.
    pub yields: u64,
    /// Turns that ended early because the client had too many replies to take.
    pub pauses: u64,
    /// Error replies.
    pub errors: u64,
    /// Error replies by their first word, such as `ERR`; up to [`ERROR_CODES_MAX`] different ones.
    pub error_codes: BTreeMap<String, u64>,
    /// The tick that took longest.
    pub worst_tick: WorstTick,
    /// Commands that panicked.
    pub panics: u64,
    /// Look-ups of keys that existed.
    pub keyspace_hits: u64,
    /// Look-ups of keys that did not exist.
    pub keyspace_misses: u64,
    /// Events of keys and lines for monitors that were not sent, because there were too many or memory had run out.
    pub events_lost: u64,
    /// How often the server began to pause accepting, mostly because descriptors had run out. Retries during a pause
    /// do not count.
    pub descriptor_episodes: u64,
    /// Time in which accepting paused, in microseconds.
    pub descriptor_refusing_us: u64,
    /// The present state. It does not count events since a start, so `CONFIG RESETSTAT` keeps it.
    pub present: Present,
    /// The counters of each command.
    pub per_command: PerCommand,
}

/// Most different first words of errors that are counted.
pub const ERROR_CODES_MAX: usize = 64;

impl Stats {
    /// Counts an error reply by its first word.
    #[cold]
    pub fn count_error(&mut self, text: &[u8]) {
        self.errors += 1;
        let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len()).min(32);
        let code = String::from_utf8_lossy(&text[..end]);
        if let Some(count) = self.error_codes.get_mut(&*code) {
            *count += 1;
        } else if self.error_codes.len() < ERROR_CODES_MAX {
            self.error_codes.insert(code.into_owned(), 1);
        }
    }
}

/// The tick that took longest, and the slowest command in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorstTick {
    /// How long the tick took without its wait, microseconds.
    pub us: u64,
    /// The name of the slowest command that was timed in it; empty if there was none.
    pub command: &'static str,
    /// How long that took, microseconds.
    pub command_us: u64,
}

/// The counters of each command. The index is the command's id. The remainder costs one instruction, and
/// shows the compiler that no index is out of range.
#[derive(Clone, Debug)]
pub struct PerCommand(Box<[CommandStats; COMMANDS_MAX]>);

impl Default for PerCommand {
    fn default() -> PerCommand {
        PerCommand(Box::new([CommandStats::default(); COMMANDS_MAX]))
    }
}

impl Index<u16> for PerCommand {
    type Output = CommandStats;

    #[inline]
    fn index(&self, id: u16) -> &CommandStats {
        &self.0[usize::from(id) % COMMANDS_MAX]
    }
}

impl IndexMut<u16> for PerCommand {
    #[inline]
    fn index_mut(&mut self, id: u16) -> &mut CommandStats {
        &mut self.0[usize::from(id) % COMMANDS_MAX]
    }
}

/// Most commands and subcommands that can be counted. A power of two.
pub const COMMANDS_MAX: usize = 512;

/// The counters of one command.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandStats {
    /// Times it was run.
    pub calls: u64,
    /// Times it was run and answered with an error.
    pub failed: u64,
    /// Times it was refused before it ran, for example because of the number of its arguments or a limit.
    pub rejected: u64,
    /// Runs that were timed because the request may take long.
    pub timed: u64,
    /// Total time of the runs in `timed`, nanoseconds.
    pub timed_ns: u64,
    /// Runs that were timed as a sample of all other runs.
    pub sampled: u64,
    /// Total time of the runs in `sampled`, nanoseconds.
    pub sampled_ns: u64,
}

impl CommandStats {
    /// Total time of all calls, microseconds. The time of calls that were not timed is estimated from the samples.
    pub fn usec(&self) -> f64 {
        let others = self.calls.saturating_sub(self.timed) as f64;
        let each = self.sampled_ns as f64 / self.sampled.max(1) as f64;
        (self.timed_ns as f64 + each * others) / 1_000.0
    }
}

/// The present state. All fields but those that count how connections ended are as of the start of the tick.
#[derive(Clone, Copy, Debug, Default)]
pub struct Present {
    /// Clients being served.
    pub clients: usize,
    /// Bytes of memory held for all connections together, spare buffers included.
    pub held_bytes: usize,
    /// The part of them that is memory of values, which replies share with the store. It counts for each reply.
    pub shared_bytes: usize,
    /// True while accepting pauses, mostly because descriptors have run out.
    pub refusing: bool,
    /// The stage of the server's life.
    pub stage: Stage,
    /// When the server ends at the latest; `None` while it serves.
    pub end: Option<Moment>,
    /// Bytes of replies that clients have not taken, as of the last look of a drain; 0 while the server serves.
    pub bytes_left: usize,
    /// Connections that have ended in a drain before its deadline, and had all their replies.
    pub clean: u64,
    /// Connections that had their last replies after the deadline of the drain.
    pub flushed: u64,
    /// Connections that a shutdown has cut off before they had all their replies. The exit code depends on it.
    pub cut: u64,
    /// Log lines dropped because they could not be written whole, since the start of the process.
    pub log_lines_dropped: u64,
}
