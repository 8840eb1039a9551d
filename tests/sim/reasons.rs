//! Which reasons a connection has given the server to end it, as far as the world and the model can tell.
//!
//! The server says in its counters how many connections ended for which [`Reason`] in a tick; the
//! world knows which ones it closed. The two must be matched one to one.

use tidegate::base::Reason;
use tidegate::config::{AtMaxclients, Config};
use tidegate::reactor::conn::{Conn, Phase};

use crate::client::{Client, NO_ROOM};
use crate::world::Pipe;

/// What has been seen of one connection that may be a reason to end it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence {
    /// Its end has been accounted for.
    done: bool,
    /// It has been silent for as long as `timeout` allows.
    silent: bool,
    /// A half request of its has been incomplete for as long as `request-timeout` allows.
    late: bool,
    /// Since when replies have been waiting for it without a pause.
    waiting_ns: Option<u64>,
    /// When it last did something that the server waits for. From a finishing connection the server only waits for
    /// taking replies.
    active_ns: u64,
    /// What it had taken by then.
    taken: usize,
    /// They have waited for as long as a timeout that applies.
    stalled: bool,
    /// It has sent as much as may be held for one client.
    full: bool,
    /// The earliest and latest time up to which it was a subscriber or waited in a pause. Such clients may be silent.
    pub exempt_ns: (u64, u64),
    exempt: bool,
    /// More was pushed to it than it may leave untaken, perhaps.
    pub crowded: bool,
    /// Another client has asked for its end.
    pub condemned: bool,
}

/// What has been seen of the whole run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances {
    /// `maxclients` have been served at the end of a tick.
    pub was_full: bool,
    /// The server has been told to stop.
    pub quit: bool,
    /// Commands are made to panic.
    pub panics: bool,
    /// Memory has been refused.
    pub scarce: bool,
    /// Others may read `BUSY` while a script runs.
    pub busy: bool,
    /// The limit on the time of scripts.
    pub script_limit_ms: u64,
    /// Commands have been held, or clients have waited for keys.
    pub pauses: bool,
    /// Clients have been held to `maxmemory-clients`.
    pub held_down: bool,
}

impl Circumstances {
    pub fn note(&mut self, config: &Config, serving: usize) {
        self.was_full |=
            serving >= config.maxclients as usize && config.at_maxclients == AtMaxclients::Reject;
        self.held_down |= config.maxmemory_clients > 0;
    }
}

impl Evidence {
    /// Looks at how a connection that is still there stands after a tick.
    pub fn note_waiting<S>(&mut self, pipe: &Pipe, conn: &Conn<S>, tick_ns: u64, now_ns: u64) {
        let exempt = conn.phase == Phase::Open && (conn.class.fed || conn.parked);
        if exempt || self.exempt {
            self.exempt_ns = (tick_ns, now_ns);
        }
        self.exempt = exempt;
        self.waiting_ns = (!conn.output.is_empty()).then_some(self.waiting_ns.unwrap_or(tick_ns));
        if conn.phase == Phase::Open || pipe.written_total > self.taken {
            self.active_ns = pipe.moved_tick_ns;
            self.taken = pipe.written_total;
        }
    }

    /// Looks at a connection after a tick that `config` was in force in.
    ///
    /// A tick may take so long that a deadline that begins in it has passed before its end.
    pub fn note(&mut self, pipe: &Pipe, client: Option<&Client>, config: &Config, tick_ns: u64, now_ns: u64) {
        let over = |since_ns: u64, ms: u64| ms > 0 && now_ns.saturating_sub(since_ns) >= ms * 1_000_000;
        self.silent |= !self.exempt && over(pipe.moved_before_ns.max(self.exempt_ns.0), config.timeout_ms);
        let half_since = client.and_then(|client| client.half_since);
        let half_since_ns = half_since.map_or(tick_ns, |(_, since_ns, _)| since_ns);
        let fed_since = client.and_then(|client| client.half_fed);
        let half_since_ns = half_since_ns.min(fed_since.map_or(tick_ns, |(_, since_ns)| since_ns));
        self.late |= client.is_some() && over(half_since_ns, config.request_timeout_ms);
        let waiting_ns = self.waiting_ns.unwrap_or(tick_ns);
        self.stalled |= over(waiting_ns, config.write_timeout_ms)
            || self.waiting_ns.is_some() && over(self.active_ns, config.timeout_ms);
        self.full |= pipe.read_total >= config.client_query_buffer_limit;
    }

    /// It can only have ended because too much was pushed to it.
    pub fn ended_crowded(&self) -> bool {
        self.done && self.crowded && !self.stalled
    }

    fn allows(&self, index: usize, pipe: &Pipe, client: Option<&Client>, run: Circumstances) -> bool {
        let script_ends =
            |reason: Reason| client.is_some_and(|client| client.script_ends_for(reason, pipe.read_total));
        match Reason::NAMES[index] {
            // The server does not read from a client that waits, so it does not see a reset.
            "peer_closed" => pipe.client_fin || pipe.reset && run.pauses,
            "quit" => script_ends(Reason::Quit),
            "idle" => self.silent,
            "request_timeout" => self.late,
            "protocol_error" => script_ends(Reason::ProtocolError),
            "slow_consumer" => self.stalled || self.crowded,
            "query_buffer_limit" => self.full,
            "evicted" => run.held_down && !client.is_some_and(|client| client.is_spared(pipe.read_total)),
            "killed" => self.condemned,
            "panicked" => run.panics || script_ends(Reason::Panicked),
            // The last admission before a drain may fill up within a tick.
            "at_capacity" => (run.was_full || run.quit) && pipe.written_total <= NO_ROOM.len(),
            "drained" | "forced" => run.quit,
            "io" => pipe.reset || run.scarce,
            _ => false,
        }
    }
}

/// Asserts that the reasons `counted` in a tick can be shared out among the connections that were
/// closed in it, so that each has one it has given.
pub fn check(
    counted: [u64; Reason::NAMES.len()],
    pipes: &[Pipe],
    evidence: &mut [Evidence],
    client_of: impl Fn(usize) -> Option<usize>,
    clients: &[Client],
    run: Circumstances,
) {
    let closed: Vec<usize> = (0..pipes.len())
        .filter(|pipe| pipes[*pipe].closed && !pipes[*pipe].never_served && !evidence[*pipe].done)
        .collect();
    let mut reasons: Vec<usize> = Vec::new();
    for (index, count) in counted.iter().enumerate() {
        reasons.extend(std::iter::repeat_n(index, *count as usize));
    }
    let names = || reasons.iter().map(|index| Reason::NAMES[*index]).collect::<Vec<_>>();
    assert_eq!(closed.len(), reasons.len(), "{} closed for {:?}", closed.len(), names());
    let allows = |pipe: usize, reason: usize| {
        let client = client_of(pipe).map(|client| &clients[client]);
        evidence[pipe].allows(reason, &pipes[pipe], client, run)
    };
    let mut taken_by = vec![None; reasons.len()];
    for pipe in &closed {
        let found = give_reason(*pipe, &reasons, &allows, &mut taken_by, &mut vec![false; reasons.len()]);
        assert!(
            found,
            "connection {pipe} of client {:?}, closed with {closed:?}, has given no reason among {:?}: {:?} {run:?} {:?}",
            client_of(*pipe),
            names(),
            evidence[*pipe],
            pipes[*pipe]
        );
    }
    for pipe in closed {
        evidence[pipe].done = true;
    }
}

/// One step of bipartite matching: finds a reason for `pipe`, moving others to another of theirs.
fn give_reason(
    pipe: usize,
    reasons: &[usize],
    allows: &impl Fn(usize, usize) -> bool,
    taken_by: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for at in 0..reasons.len() {
        if tried[at] || !allows(pipe, reasons[at]) {
            continue;
        }
        tried[at] = true;
        let free = match taken_by[at] {
            None => true,
            Some(other) => give_reason(other, reasons, allows, taken_by, tried),
        };
        if free {
            taken_by[at] = Some(pipe);
            return true;
        }
    }
    false
}
