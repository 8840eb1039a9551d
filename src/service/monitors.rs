//! `MONITOR`: clients that see every command that runs.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use super::command::Command;
use super::cx::is;
use super::outbox::Ask;
use super::world::World;
use crate::base::{Buf, ConnId};
use crate::config::PUSHES_PENDING_MAX;
use crate::resp::Args;

/// Most bytes of one line. The rest of a longer request is left out.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The monitoring clients: their slots by their serial numbers.
pub type Monitors = BTreeMap<u64, u32>;

impl World {
    /// A client begins or stops to monitor.
    pub fn monitor(&mut self, id: ConnId, on: bool) {
        match on {
            true => drop(self.monitors.insert(id.serial, id.slot)),
            false => drop(self.monitors.remove(&id.serial)),
        }
        if let Some(session) = self.sessions.get_mut(id.slot) {
            session.monitor = on;
        }
        self.note_observers();
    }

    /// Notes whether anybody must see the commands that run.
    pub(super) fn note_observers(&mut self) {
        self.observed = self.tracking.is_on() || !self.monitors.is_empty() || self.store.wants_uses();
    }

    /// Shows a command that has run to the monitoring clients. As in Redis, they do not see commands of administrators,
    /// nor passwords.
    pub fn show_to_monitors(&mut self, by: ConnId, command: &Command, args: Args<'_>) {
        if command.flags.contains(&"admin") {
            return;
        }
        if self.outbox.asks.len() + self.monitors.len() > PUSHES_PENDING_MAX {
            // Only a transaction of very many commands comes here.
            self.stats.events_lost += 1;
            return;
        }
        let Some(session) = self.sessions.get(by.slot) else { return };
        let mut line = Vec::new();
        let (us, db) = (self.now.unix_us, self.store.selected());
        let _ = write!(line, "+{}.{:06} [{db} ", us / 1_000_000, us % 1_000_000);
        let _ = match self.in_script_of(by) {
            true => write!(line, "lua]"),
            false => write!(line, "{}]", self.sessions.remote(session)),
        };
        for (nth, arg) in args.from(0).enumerate() {
            if line.len() >= LINE_BYTES_MAX {
                break;
            }
            line.push(b' ');
            quote(&mut line, if is_secret(command, args, nth) { REDACTED } else { arg });
        }
        line.extend(b"\r\n");
        let mut head = Buf::default();
        if head.extend(&line).is_err() {
            return;
        }
        let head = Arc::new(head);
        for (&serial, &slot) in &self.monitors {
            let to = ConnId { slot, serial };
            self.outbox.to_caller |= to == by;
            self.outbox.asks.push(Ask::Push { to, head: Arc::clone(&head), message: Arc::default() });
        }
    }
}

/// What is shown instead of a secret.
pub const REDACTED: &[u8] = b"(redacted)";

/// True if argument number `nth` of a request is a user, a password, or may be one.
pub fn is_secret(command: &Command, args: Args<'_>, nth: usize) -> bool {
    let before = |distance: usize| nth.checked_sub(distance).and_then(|at| args.get(at)).unwrap_or_default();
    match command.name {
        "auth" => nth >= 1,
        "hello" => nth >= 3 && (is(before(1), "AUTH") || nth >= 4 && is(before(2), "AUTH")),
        "config|set" => {
            let secrets =
                ["requirepass", "masterauth", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass"];
            nth >= 3 && nth % 2 == 1 && secrets.iter().any(|name| is(before(1), name))
        }
        _ => false,
    }
}

/// Appends `bytes` in quotes. What is not printable is escaped, as Redis does it.
fn quote(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LINE_BYTES_MAX.saturating_sub(line.len());
    line.push(b'"');
    for &byte in bytes.iter().take(room) {
        match byte {
            b'\\' | b'"' => line.extend([b'\\', byte]),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            b'\t' => line.extend(b"\\t"),
            0x07 => line.extend(b"\\a"),
            0x08 => line.extend(b"\\b"),
            b' '..=b'~' => line.push(byte),
            _ => {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
    line.push(b'"');
}
