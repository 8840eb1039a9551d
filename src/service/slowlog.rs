//! The slow log: the commands that took longest lately (`SLOWLOG`).

use std::collections::VecDeque;

use super::command::Command;
use super::monitors::{REDACTED, is_secret};
use crate::base::Address;
use crate::resp::Args;

/// Most arguments of a request that an entry keeps.
const ARGS_MAX: usize = 32;
/// Most bytes of an argument that an entry keeps.
const ARG_BYTES_MAX: usize = 128;

/// One command that was slow.
#[derive(Debug)]
pub struct Entry {
    /// Number of the entry, which [`SlowLog::note`] gives it. Numbers are never used again.
    pub id: u64,
    /// When the command ran, in Unix seconds.
    pub unix_s: u64,
    /// How long it took, in microseconds.
    pub us: u64,
    /// The request. Long ones are cut, as in Redis.
    pub args: Vec<Vec<u8>>,
    /// The address of the client.
    pub client: Address,
    /// The name of the client.
    pub name: Box<[u8]>,
}

/// The entries, the newest first.
#[derive(Debug, Default)]
pub struct SlowLog {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl SlowLog {
    /// Notes a command. At most `max` entries are kept.
    pub fn note(&mut self, entry: Entry, max: usize) {
        let entry = Entry { id: self.next_id, ..entry };
        self.next_id += 1;
        self.entries.push_front(entry);
        self.entries.truncate(max);
    }

    /// The entries, the newest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Forgets all entries.
    pub fn reset(&mut self) {
        self.entries.clear();
    }
}

/// Copies of the arguments, as much of them as an entry keeps, without secrets.
pub fn cut(command: &Command, args: Args<'_>) -> Vec<Vec<u8>> {
    let kept = if args.len() > ARGS_MAX { ARGS_MAX - 1 } else { args.len() };
    let mut copies: Vec<Vec<u8>> = args
        .from(0)
        .take(kept)
        .enumerate()
        .map(|(nth, arg)| match arg.len() {
            _ if is_secret(command, args, nth) => REDACTED.to_vec(),
            0..=ARG_BYTES_MAX => arg.to_vec(),
            len => {
                let more = format!("... ({} more bytes)", len - ARG_BYTES_MAX);
                [&arg[..ARG_BYTES_MAX], more.as_bytes()].concat()
            }
        })
        .collect();
    if kept < args.len() {
        copies.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    copies
}
