//! Receive, discard, flush: the three loops around a socket. Each has a budget.

use std::io::{ErrorKind, IoSlice, Read, Write};

use super::conn::{Conn, Phase, UNBOUNDED};
use super::net::Net;
use super::pool::Pool;
use super::{Reactor, give_back};
use crate::base::output::PIECES_MAX;
use crate::base::{Moment, OutOfMemory, Output, Reason};
use crate::config::{Config, INTERRUPTS_MAX, SCRAP_BYTES};
use crate::stats::Stats;

/// The outcome of one read or write. Interrupted calls have been repeated.
enum Did {
    /// That many bytes moved.
    Bytes(usize),
    /// The socket would block. The kernel now owes an edge.
    Blocked,
    /// The call was interrupted too often. A later turn or flush tries again.
    Interrupted,
    /// The call failed with this error.
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

/// Reads up to `budget` bytes into a connection's input, while the input holds less than `held_max` bytes. If `empties`
/// returns true, a short read means that the socket is empty.
#[inline]
fn read<S: Read>(
    conn: &mut Conn<S>,
    pool: &mut Pool,
    mut budget: usize,
    held_max: usize,
    empties: impl Fn(&Conn<S>) -> bool,
) -> Result<(), ErrorKind> {
    while conn.can_read && conn.ending.is_none() && budget > 0 {
        let room = held_max.saturating_sub(conn.input.len());
        let allowed = room.min(budget).min(conn.read_left as usize);
        if allowed == 0 {
            break;
        }
        if conn.input.spare().len() < allowed {
            let room =
                pool.lend(&mut conn.input).and_then(|()| conn.input.reserve_for(conn.missing as usize));
            room.map_err(|OutOfMemory| ErrorKind::OutOfMemory)?;
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
                if conn.read_left != UNBOUNDED {
                    conn.read_left -= count as u32;
                }
                if count == asked {
                    // The buffer or an allowance is full. Serve this input first instead of growing the buffer.
                    break;
                }
                if empties(conn) {
                    conn.can_read = false;
                }
            }
            Did::Blocked => conn.can_read = false,
            Did::Interrupted => break,
            Did::Failed(kind) => return Err(kind),
        }
    }
    Ok(())
}

/// Writes at most `max` bytes of `output`. Returns how many bytes were written.
#[inline]
fn write_some<S: Write>(socket: &mut S, output: &Output, max: usize) -> std::io::Result<usize> {
    if output.is_plain() {
        let owed = output.front();
        socket.write(&owed[..owed.len().min(max)])
    } else {
        write_pieces(socket, output, max)
    }
}

/// The same for an output with parts of shared memory. They go to the socket in one call, with the bytes around them.
#[cold]
fn write_pieces<S: Write>(socket: &mut S, output: &Output, max: usize) -> std::io::Result<usize> {
    let mut pieces = [IoSlice::new(b""); PIECES_MAX];
    let count = output.pieces(max, &mut pieces);
    socket.write_vectored(&pieces[..count])
}

impl<N: Net> Reactor<N> {
    /// Receives for an open connection whose turn it is, up to the budget of a turn and the limit on held input. If the
    /// connection has unserved input, the reactor does not read more. This is the back-pressure: the kernel's buffer
    /// fills, and the client must wait.
    pub fn receive(&mut self, slot: u32, now: Moment, config: &Config, stats: &mut Stats) {
        let Reactor { slots, ledger, bounds, .. } = self;
        let Some(conn) = slots.get_mut(slot as usize) else { return };
        conn.queued = false;
        let served = !conn.unserved && !conn.parked && !conn.paused(ledger.output_pause_bytes);
        if conn.phase != Phase::Open || !served {
            return;
        }
        let before = conn.bytes_in;
        let read = read(
            conn,
            &mut ledger.pool,
            bounds.read_bytes_per_turn,
            config.client_query_buffer_limit,
            |conn| N::SHORT_READ_MEANS_EMPTY && !conn.hides_more,
        );
        if conn.read_left == 0 {
            conn.ending.get_or_insert(Reason::Drained);
        }
        let received = conn.bytes_in - before;
        stats.bytes_in += received;
        if received > 0 {
            ledger.renew_idle(slot, conn, now);
        }
        // The next connection gets the lent buffer while it is still in the cache. Long input is served first: then we know how
        // much of it is still to come.
        if conn.input.len() < bounds.lent_bytes {
            ledger.pool.fit(&mut conn.input, conn.missing as usize);
        }
        ledger.account(conn);
        if let Err(kind) = read {
            ledger.doom(slot, conn, Reason::Io(kind));
        }
    }

    /// Reads and drops the late input of a connection that is ending, up to the budget of a turn.
    pub(super) fn discard(&mut self, slot: u32) {
        let Reactor { slots, ledger, bounds, .. } = self;
        let Some(conn) = slots.get_mut(slot as usize) else { return };
        let mut scrap = [0; SCRAP_BYTES];
        let mut budget = bounds.read_bytes_per_turn;
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
            return ledger.doom_as_phased(slot, conn);
        }
        ledger.balance(slot, conn);
    }

    /// One write loop for each connection that is owed bytes.
    pub fn flush_all(&mut self, now: Moment, stats: &mut Stats) {
        let dirty = std::mem::take(&mut self.ledger.dirty);
        for &slot in &dirty {
            if let Some(conn) = self.slots.get_mut(slot as usize) {
                conn.dirty = false;
            }
            stats.bytes_out += self.write_out(slot, now);
        }
        give_back(&mut self.ledger.dirty, dirty);
    }

    /// Writes the output of a connection, up to the budget of a flush. When a finishing connection has no output left,
    /// it begins to linger. Returns how many bytes were written.
    pub(super) fn write_out(&mut self, slot: u32, now: Moment) -> u64 {
        let Reactor { net, slots, ledger, bounds, .. } = self;
        let Some(conn) = slots.get_mut(slot as usize) else { return 0 };
        if matches!(conn.phase, Phase::Lingering(_) | Phase::Doomed(_)) {
            return 0;
        }
        let mut budget = bounds.bytes_per_flush;
        let before = conn.bytes_out;
        let mut failed = None;
        while conn.can_write && !conn.output.is_empty() && budget > 0 {
            match attempt(|| write_some(&mut conn.socket, &conn.output, budget)) {
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
        if taken > 0 {
            ledger.renew_idle(slot, conn, now);
            ledger.note_taken(slot, conn);
        }
        // To renew its deadline, a finishing client must take as many bytes as a lent buffer holds. Otherwise a client
        // that takes one byte now and then would keep its connection for ever.
        let unit = match conn.phase {
            Phase::Finishing(_) => bounds.lent_bytes as u64,
            _ => 1,
        };
        if conn.output.is_empty() {
            ledger.stalled.remove(slot);
        } else if conn.bytes_out / unit > before / unit || !ledger.stalled.contains(slot) {
            ledger.stalled.touch(slot, now);
        }
        if let Some(kind) = failed {
            ledger.doom(slot, conn, Reason::Io(kind));
            return taken;
        }
        if conn.output.is_empty()
            && let Phase::Finishing(reason) = conn.phase
        {
            // If the peer has closed as well, there is no late input to wait for.
            if conn.ending == Some(Reason::PeerClosed) || net.shut_write(&conn.socket).is_err() {
                ledger.doom(slot, conn, reason);
                return taken;
            }
            ledger.linger(slot, conn, reason, now);
        }
        ledger.balance(slot, conn);
        taken
    }
}
