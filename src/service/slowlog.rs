//! The slow log: the commands that took longest lately (`SLOWLOG`).

use std::collections::VecDeque;

use crate::base::Address;
use crate::resp::Args;

/// Most arguments of a request that an entry keeps.
const ARGS_MAX: usize = 32;
/// Most bytes of an argument that an entry keeps.
const ARG_BYTES_MAX: usize = 128;

/// One command that was slow.
#[derive(Debug)]
pub struct Entry {
    /// Number of the entry. Numbers are never used again.
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
    pub fn note(&mut self, unix_s: u64, us: u64, args: Args<'_>, client: Address, name: &[u8], max: usize) {
        let entry = Entry { id: self.next_id, unix_s, us, args: cut(args), client, name: name.into() };
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

/// Copies of the arguments, as much of them as an entry keeps.
fn cut(args: Args<'_>) -> Vec<Vec<u8>> {
    let kept = if args.len() > ARGS_MAX { ARGS_MAX - 1 } else { args.len() };
    let mut copies: Vec<Vec<u8>> = args
        .from(0)
        .take(kept)
        .map(|arg| match arg.len() {
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
