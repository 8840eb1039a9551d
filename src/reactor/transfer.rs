//! Receive, discard, flush: the three loops around a socket, each with its budget.

use std::io::{ErrorKind, Read, Write};

use super::conn::Phase;
use super::net::Net;
use super::{Reactor, give_back};
use crate::base::{Moment, Reason};
use crate::config::{Config, INTERRUPTS_MAX, SCRAP_BYTES};
use crate::stats::Stats;

/// What one read or write did, once the errors that mean nothing are out of the way.
enum Did {
    Bytes(usize),
    /// Nothing to be had: an edge will come.
    Blocked,
    /// Nothing was tried to the end; try again another time.
    Interrupted,
    Failed(ErrorKind),
}

fn attempt(mut call: impl FnMut() -> std::io::Result<usize>) -> Did {
    for _ in 0..INTERRUPTS_MAX {
        match call() {
            Ok(count) => return Did::Bytes(count),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Did::Blocked,
                ErrorKind::Interrupted => {}
                kind => return Did::Failed(kind),
            },
        }
    }
    Did::Interrupted
}

impl<N: Net> Reactor<N> {
    /// Reads what has come, up to the budget of a turn and the limits on held input.
    pub fn receive(&mut self, slot: u32, now: Moment, config: &Config, stats: &mut Stats) {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return };
        let mut budget = config.bounds.read_bytes_per_turn;
        let before = conn.bytes_in;
        let mut failed = None;
        while conn.can_read && conn.ending.is_none() && budget > 0 {
            let allowed = config.client_query_buffer_limit.saturating_sub(conn.input.len()).min(budget);
            if allowed == 0 {
                break;
            }
            if conn.input.spare().len() < allowed {
                // Room grows with what has arrived, never with what was announced.
                let grown = (conn.missing as usize).min(conn.input.len());
                if self.pool.lend(&mut conn.input).and_then(|()| conn.input.reserve(grown.max(1))).is_err() {
                    failed = Some(ErrorKind::OutOfMemory);
                    break;
                }
            }
            let room = conn.input.spare();
            let asked = room.len().min(allowed);
            match attempt(|| conn.socket.read(&mut room[..asked])) {
                Did::Bytes(0) => conn.ending = Some(Reason::PeerClosed),
                Did::Bytes(count) => {
                    conn.input.filled(count);
                    conn.bytes_in += count as u64;
                    conn.missing = conn.missing.saturating_sub(count as u32);
                    budget -= count;
                    if count == asked {
                        // Serve what is here before making room for more.
                        break;
                    }
                    if N::SHORT_READ_MEANS_EMPTY && !conn.hides_more {
                        conn.can_read = false;
                    }
                }
                Did::Blocked => conn.can_read = false,
                Did::Interrupted => break,
                Did::Failed(kind) => {
                    failed = Some(kind);
                    break;
                }
            }
        }
        let received = conn.bytes_in - before;
        stats.bytes_in += received;
        if received > 0 {
            self.idle.touch(slot, now);
        }
        if let Some(kind) = failed {
            self.doom(slot, Reason::Io(kind));
        }
    }

    /// Reads and drops what a connection that is ending still sends, up to the budget of a turn.
    pub fn discard(&mut self, slot: u32, config: &Config) {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return };
        let mut scrap = [0; SCRAP_BYTES];
        let mut budget = config.bounds.read_bytes_per_turn;
        let mut failed = false;
        while conn.can_read && conn.ending.is_none() && budget > 0 {
            let asked = scrap.len().min(budget);
            match attempt(|| conn.socket.read(&mut scrap[..asked])) {
                Did::Bytes(0) => conn.ending = Some(Reason::PeerClosed),
                Did::Bytes(count) => budget -= count,
                Did::Blocked => conn.can_read = false,
                Did::Interrupted => break,
                Did::Failed(_) => {
                    failed = true;
                    break;
                }
            }
        }
        let over = conn.ending.is_some() && matches!(conn.phase, Phase::Lingering(_));
        if failed || over {
            self.doom_as_phased(slot);
        }
    }

    /// Takes the queue of flushes; see [`Reactor::return_dirty`].
    pub fn take_dirty(&mut self) -> Vec<u32> {
        let dirty = std::mem::take(&mut self.dirty);
        for slot in &dirty {
            if let Some(conn) = self.slots.get_mut(*slot as usize) {
                conn.dirty = false;
            }
        }
        dirty
    }

    /// Gives the emptied queue back, so that its memory is kept.
    pub fn return_dirty(&mut self, dirty: Vec<u32>) {
        give_back(&mut self.dirty, dirty);
    }

    /// Writes what is owed, up to the budget of a tick; a finishing connection that has been paid
    /// goes on to linger.
    pub fn flush(&mut self, slot: u32, now: Moment, config: &Config, stats: &mut Stats) {
        let Some(conn) = self.slots.get_mut(slot as usize) else { return };
        if matches!(conn.phase, Phase::Lingering(_) | Phase::Doomed(_)) {
            return;
        }
        let mut budget = config.bounds.bytes_per_flush;
        let before = conn.bytes_out;
        let mut failed = None;
        while conn.can_write && !conn.output.is_empty() && budget > 0 {
            let owed = conn.output.unread();
            let asked = owed.len().min(budget);
            match attempt(|| conn.socket.write(&owed[..asked])) {
                Did::Bytes(0) => failed = Some(ErrorKind::WriteZero),
                Did::Bytes(count) => {
                    conn.output.consume(count);
                    conn.bytes_out += count as u64;
                    budget -= count;
                }
                Did::Blocked => conn.can_write = false,
                Did::Interrupted => break,
                Did::Failed(kind) => failed = Some(kind),
            }
            if failed.is_some() {
                break;
            }
        }
        let taken = conn.bytes_out - before;
        stats.bytes_out += taken;
        if taken > 0 {
            self.idle.touch(slot, now);
        }
        // Whoever is only finishing must take more than a trickle, or it would never be done.
        let unit = match conn.phase {
            Phase::Finishing(_) => config.bounds.lent_bytes as u64,
            _ => 1,
        };
        if conn.output.is_empty() {
            self.stalled.remove(slot);
        } else if conn.bytes_out / unit > before / unit || !self.stalled.contains(slot) {
            self.stalled.touch(slot, now);
        }
        if let Some(kind) = failed {
            return self.doom(slot, Reason::Io(kind));
        }
        if conn.output.is_empty() && matches!(conn.phase, Phase::Finishing(_)) {
            self.shut(slot, now);
        }
        self.note_dirty(slot);
        self.note_turn(slot);
    }
}
