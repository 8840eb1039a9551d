//! Who may come in: accept, the cap, and what happens when descriptors run out.
//!
//! Admission is the last phase of a tick but one: a client that leaves and comes back within one
//! wake finds its slot free. For the same reason a newcomer at the cap is not refused in the tick
//! that accepted it but in the next, after whatever the kernel knew of before it came has been
//! heard: `maxclients` counts exactly what it says.

use std::io::{ErrorKind, Read, Write};

use super::Reactor;
use super::conn::Conn;
use super::net::Net;
use crate::base::{ConnId, Moment, Peer, Reason};
use crate::config::{AtMaxclients, Config, SCRAP_BYTES};
use crate::stats::Stats;

/// A connection that has been let in.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer {
    /// Its name.
    pub id: ConnId,
    /// Where it comes from.
    pub peer: Peer,
    /// By which listener.
    pub listener: u8,
}

/// The state of admission.
pub struct Admission<S> {
    /// For each listener: an accept may find somebody.
    can_accept: Vec<bool>,
    /// Accepted at the cap; the next tick decides. At most a tick's budget for each listener.
    lobby: Vec<(S, Peer, u8)>,
    /// Descriptors have run out: since when, and when to try again.
    exhausted: Option<Exhausted>,
}

#[derive(Clone, Copy)]
struct Exhausted {
    since: Moment,
    /// Up to when it has been counted.
    counted: Moment,
    retry_at: Moment,
}

impl<S> Admission<S> {
    /// For that many listeners, each of which may already have somebody waiting.
    pub fn new(listeners: usize) -> Admission<S> {
        Admission { can_accept: vec![true; listeners], lobby: Vec::new(), exhausted: None }
    }

    /// When accepting is to be tried again after descriptors ran out.
    pub fn retry_at(&self) -> Option<Moment> {
        self.exhausted.map(|exhausted| exhausted.retry_at)
    }

    /// Somebody's descriptor is free again: no need to wait for the retry.
    pub fn descriptor_freed(&mut self, now: Moment) {
        if let Some(exhausted) = &mut self.exhausted {
            exhausted.retry_at = now;
        }
    }
}

/// What to do about an error of accept(2).
enum AcceptError {
    /// Nobody waits.
    Nobody,
    /// That one is gone already, or the call was interrupted: the next one, please.
    Next,
    /// No descriptor or memory for it, or something worse: pause.
    Pause,
}

fn judge(kind: ErrorKind) -> AcceptError {
    match kind {
        ErrorKind::WouldBlock => AcceptError::Nobody,
        // What accept(2) reports of the connection, not of us.
        ErrorKind::Interrupted
        | ErrorKind::ConnectionAborted
        | ErrorKind::ConnectionReset
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::PermissionDenied
        | ErrorKind::TimedOut => AcceptError::Next,
        _ => AcceptError::Pause,
    }
}

impl<N: Net> Reactor<N> {
    /// Somebody waits at that listener.
    pub fn hear_listener(&mut self, listener: usize) {
        if let Some(can_accept) = self.admission.can_accept.get_mut(listener) {
            *can_accept = true;
        }
    }

    /// True if admission has work that it could do at once.
    pub fn could_accept(&self, config: &Config) -> bool {
        let admission = &self.admission;
        !admission.lobby.is_empty()
            || admission.exhausted.is_none()
                && admission.can_accept.contains(&true)
                && self.may_accept(config)
    }

    /// True if newcomers are to be accepted at all, be it to refuse them.
    pub fn may_accept(&self, config: &Config) -> bool {
        self.has_room(config) || config.at_maxclients == AtMaxclients::Reject
    }

    /// True while accepting pauses for lack of descriptors.
    pub fn is_exhausted(&self) -> bool {
        self.admission.exhausted.is_some()
    }

    fn has_room(&self, config: &Config) -> bool {
        self.ledger.serving < config.maxclients as usize
    }

    /// Accepts up to the budget of a tick at each listener; appends to `newcomers` who was let in.
    pub fn admit(&mut self, now: Moment, config: &Config, stats: &mut Stats, newcomers: &mut Vec<Newcomer>) {
        for (socket, peer, listener) in std::mem::take(&mut self.admission.lobby) {
            if self.has_room(config) {
                self.let_in(socket, peer, listener, now, stats, newcomers);
            } else {
                self.refuse(socket, now, stats);
            }
        }
        if self.admission.exhausted.is_some_and(|exhausted| now < exhausted.retry_at) {
            return;
        }
        for listener in 0..self.admission.can_accept.len() {
            self.admit_at(listener, now, config, stats, newcomers);
        }
    }

    fn admit_at(
        &mut self,
        listener: usize,
        now: Moment,
        config: &Config,
        stats: &mut Stats,
        newcomers: &mut Vec<Newcomer>,
    ) {
        for _ in 0..self.bounds.accepts_per_tick {
            if !self.admission.can_accept[listener] || !self.may_accept(config) {
                return;
            }
            let has_room = self.has_room(config);
            match self.net.accept(listener) {
                Ok((socket, peer)) => {
                    stats.accepted += 1;
                    self.recovered(now, stats);
                    let listener = listener as u8;
                    if has_room {
                        self.let_in(socket, peer, listener, now, stats, newcomers);
                    } else {
                        self.admission.lobby.push((socket, peer, listener));
                    }
                }
                Err(error) => match judge(error.kind()) {
                    AcceptError::Nobody => {
                        self.admission.can_accept[listener] = false;
                        self.recovered(now, stats);
                    }
                    AcceptError::Next => {}
                    AcceptError::Pause => return self.pause(&error, now, stats),
                },
            }
        }
    }

    /// Out of descriptors: one line an episode, and a retry by time, since the kernel owes no edge
    /// for a connection that it has reported already.
    fn pause(&mut self, error: &std::io::Error, now: Moment, stats: &mut Stats) {
        let since = match self.admission.exhausted {
            Some(exhausted) => {
                stats.descriptor_refusing_us += now.since(exhausted.counted).as_micros() as u64;
                exhausted.since
            }
            None => {
                log::warn!("cannot accept: {error}; newcomers wait until a descriptor is free");
                stats.descriptor_episodes += 1;
                now
            }
        };
        let retry_at = now.plus_ms(self.bounds.accept_retry_ms);
        self.admission.exhausted = Some(Exhausted { since, counted: now, retry_at });
    }

    fn recovered(&mut self, now: Moment, stats: &mut Stats) {
        if let Some(exhausted) = self.admission.exhausted.take() {
            stats.descriptor_refusing_us += now.since(exhausted.counted).as_micros() as u64;
            let ms = now.since(exhausted.since).as_millis();
            log::info!("accepting again after {ms} ms without descriptors");
        }
    }

    fn let_in(
        &mut self,
        socket: N::Socket,
        peer: Peer,
        listener: u8,
        now: Moment,
        stats: &mut Stats,
        newcomers: &mut Vec<Newcomer>,
    ) {
        if let Some(id) = self.install(Conn::new(socket, self.next_serial, true), now, stats) {
            self.ledger.serving += 1;
            newcomers.push(Newcomer { id, peer, listener });
        }
    }

    fn install(&mut self, conn: Conn<N::Socket>, now: Moment, stats: &mut Stats) -> Option<ConnId> {
        let serial = conn.serial;
        let slot = self.slots.insert(conn) as u32;
        if let Err(error) = self.net.watch(&mut self.slots[slot as usize].socket, slot) {
            let conn = self.slots.remove(slot as usize);
            self.net.forget(conn.socket);
            stats.unwatched += 1;
            log::debug!("cannot watch a new connection: {error}; closed");
            return None;
        }
        self.next_serial += 1;
        self.ledger.idle.touch(slot, now);
        Some(ConnId { slot, serial })
    }

    /// Says that there is no room and closes so that the client can read it: what it has sent
    /// already is discarded, since closing a socket with unread input would reset it.
    fn refuse(&mut self, mut socket: N::Socket, now: Moment, stats: &mut Stats) {
        stats.rejected += 1;
        if self.ledger.refusals >= self.bounds.refusals_max {
            // A flood: one read, one write, and no slot. Its errors are its own.
            let mut scrap = [0; SCRAP_BYTES];
            let _ = socket.read(&mut scrap);
            let _ = socket.write_all(self.ledger.last_words(Reason::AtCapacity));
            let _ = self.net.shut_write(&socket);
            self.net.forget(socket);
            stats.closes[Reason::AtCapacity.index()] += 1;
            return;
        }
        let conn = Conn::new(socket, self.next_serial, false);
        if let Some(id) = self.install(conn, now, stats) {
            let conn = &mut self.slots[id.slot as usize];
            self.ledger.refuse(id.slot, conn);
            self.ledger.balance(id.slot, conn);
        }
    }

    /// The last admission before a drain: whoever the kernel has let in so far is let in, as far as
    /// there is room; then newcomers are refused by the kernel.
    pub fn stop_admitting(
        &mut self,
        now: Moment,
        config: &Config,
        stats: &mut Stats,
        newcomers: &mut Vec<Newcomer>,
    ) {
        let mut rounds = config.tcp_backlog / self.bounds.accepts_per_tick + 1;
        // Whatever the edges said: this is the last look, and it costs one call a listener.
        self.admission.can_accept.fill(true);
        while rounds > 0 && self.admission.can_accept.contains(&true) {
            let before = stats.accepted;
            self.admit(now, config, stats, newcomers);
            if stats.accepted == before {
                break;
            }
            rounds -= 1;
        }
        for (socket, _, _) in std::mem::take(&mut self.admission.lobby) {
            self.refuse(socket, now, stats);
        }
        self.admission.can_accept.clear();
        self.admission.exhausted = None;
        self.net.stop_listening();
    }
}
