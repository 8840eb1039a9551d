//! Which connections may come in: accept, the cap (`maxclients`), and what happens when descriptors run out.
//!
//! Admission comes after `reap`, so a client that leaves and comes back within one wake finds its place free. For the
//! same reason, the tick that accepts a newcomer at the cap does not refuse it: the newcomer waits in the lobby. The
//! next tick first hears all edges that the kernel had before the newcomer came, so it knows which clients have left.
//! Then it lets the newcomer in or refuses it.

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
    /// Its id.
    pub id: ConnId,
    /// The address of its client.
    pub peer: Peer,
    /// The number of the listener that accepted it.
    pub listener: u8,
}

/// What the reactor remembers for the next admission.
pub struct Admission<S> {
    /// For each listener: an accept may find a connection.
    can_accept: Vec<bool>,
    /// Connections that were accepted at the cap: socket, address and number of the listener. The next tick decides
    /// about them. There are at most as many as one tick accepts from all listeners.
    lobby: Vec<(S, Peer, u8)>,
    /// Set while accepting pauses, mostly because descriptors have run out.
    exhausted: Option<Exhausted>,
}

#[derive(Clone, Copy)]
struct Exhausted {
    since: Moment,
    /// The pause has been counted in the statistics up to this moment.
    counted: Moment,
    retry_at: Moment,
}

impl<S> Admission<S> {
    /// Admission from `listeners` listeners. A connection may already wait at each of them.
    pub fn new(listeners: usize) -> Admission<S> {
        Admission { can_accept: vec![true; listeners], lobby: Vec::new(), exhausted: None }
    }

    /// When the reactor tries again to accept; `None` if accepting does not pause.
    pub fn retry_at(&self) -> Option<Moment> {
        self.exhausted.map(|exhausted| exhausted.retry_at)
    }

    /// A descriptor is free again, so the retry need not wait.
    pub fn descriptor_freed(&mut self, now: Moment) {
        if let Some(exhausted) = &mut self.exhausted {
            exhausted.retry_at = now;
        }
    }
}

/// What to do about an error of accept(2).
enum AcceptError {
    /// No connection waits.
    Nobody,
    /// The connection has gone already, or the call was interrupted. Try the next connection.
    Next,
    /// There is no descriptor or memory for the connection, or the listener fails. Pause.
    Pause,
}

fn judge(kind: ErrorKind) -> AcceptError {
    match kind {
        ErrorKind::WouldBlock => AcceptError::Nobody,
        // Errors of the connection, not of this process.
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
    /// Remembers that a connection waits at that listener.
    pub fn hear_listener(&mut self, listener: usize) {
        if let Some(can_accept) = self.admission.can_accept.get_mut(listener) {
            *can_accept = true;
        }
    }

    /// True if admission has work that it can do without waiting.
    pub fn could_accept(&self, config: &Config) -> bool {
        let admission = &self.admission;
        !admission.lobby.is_empty()
            || admission.exhausted.is_none()
                && admission.can_accept.contains(&true)
                && self.may_accept(config)
    }

    /// True if the reactor accepts newcomers, whether it then serves or refuses them.
    pub fn may_accept(&self, config: &Config) -> bool {
        self.has_room(config) || config.at_maxclients == AtMaxclients::Reject
    }

    /// True while accepting pauses, mostly because descriptors have run out.
    pub fn is_exhausted(&self) -> bool {
        self.admission.exhausted.is_some()
    }

    fn has_room(&self, config: &Config) -> bool {
        self.ledger.serving < config.maxclients as usize
    }

    /// Decides about the lobby, then accepts up to the budget of a tick at each listener. Appends the connections that
    /// were let in to `newcomers`.
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

    /// Pauses accepting, mostly because descriptors have run out. The first call of an episode logs one line. The
    /// reactor tries again after a time, because the kernel owes no edge for a connection that it has already reported.
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

    /// Tells a client that there is no room, and closes so that the client can read it. Its input is discarded first,
    /// because to close a socket with unread input would reset the connection.
    fn refuse(&mut self, mut socket: N::Socket, now: Moment, stats: &mut Stats) {
        stats.rejected += 1;
        if self.ledger.refusals >= self.bounds.refusals_max {
            // Too many refused connections linger already, so this refusal takes no slot: one read, one write, and a
            // close. If one of them fails, the client gets no explanation, which is no harm.
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

    /// The last admission, when a drain begins. Connections that the kernel has already completed are let in while
    /// there is room. Then the listeners close, and from then on the kernel refuses newcomers.
    pub fn stop_admitting(
        &mut self,
        now: Moment,
        config: &Config,
        stats: &mut Stats,
        newcomers: &mut Vec<Newcomer>,
    ) {
        let mut rounds = config.tcp_backlog / self.bounds.accepts_per_tick + 1;
        // An edge that is not heard yet would come too late. So every listener is tried, which costs one call each.
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
