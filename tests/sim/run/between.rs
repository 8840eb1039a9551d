//! What clients do to each other: pauses, subscriptions, memory that they share. Judged after every tick.

use tidegate::base::{Moment, Reason};
use tidegate::reactor::conn::Phase;
use tidegate::reactor::net::Patience;
use tidegate::service::channels::Kind;
use tidegate::service::names;
use tidegate::service::session::Session;
use tidegate::stage::Stage;

use super::Run;
use crate::model::Op;
use crate::state::Event;

/// No message of the scripts makes a longer frame.
const FRAME_MAX: usize = 420;
/// A client hears a message at most this often: by its channel and by two patterns.
const FRAMES_MAX: usize = 3;
/// No more bytes are pushed to a client because a key has changed: up to four events, each on two channels, and a message
/// about its copy.
const CHANGE_MAX: usize = 8 * FRAMES_MAX * 120;
/// Commands that a pause of writes holds and that the scripts use, but for those of [`WAITS`]: a wait may end in a pause,
/// and the command counts then.
const WRITES: &[&[u8]] = &[
    b"set",
    b"setnx",
    b"append",
    b"incrby",
    b"del",
    b"mset",
    b"getdel",
    b"expire",
    b"publish",
    b"spublish",
    b"getset",
    b"hset",
    b"hsetnx",
    b"hdel",
    b"hincrby",
    b"hsetex",
    b"hpexpire",
    b"hpersist",
    b"rename",
    b"copy",
    b"setrange",
    b"msetnx",
    b"delifeq",
    b"sadd",
    b"srem",
    b"spop",
    b"smove",
    b"sinterstore",
    b"sunionstore",
    b"sdiffstore",
    b"lpush",
    b"rpush",
    b"lpushx",
    b"rpushx",
    b"lpop",
    b"rpop",
    b"lset",
    b"ltrim",
    b"linsert",
    b"lrem",
    b"lmove",
    b"zadd",
    b"zincrby",
    b"zrem",
    b"zpopmin",
    b"zpopmax",
    b"zremrangebyrank",
    b"geoadd",
    b"geosearchstore",
    b"xadd",
    b"xdel",
    b"xtrim",
    b"xgroup|create",
    b"xgroup|setid",
    b"xgroup|destroy",
    b"xgroup|createconsumer",
    b"xgroup|delconsumer",
    b"xack",
    b"xclaim",
    b"xautoclaim",
    b"persist",
    b"unlink",
    b"setbit",
    b"bitop",
    b"bitfield",
    b"incrbyfloat",
    b"renamenx",
    b"getex",
    b"setex",
    b"psetex",
    b"pexpire",
    b"expireat",
    b"pexpireat",
    b"flushdb",
    b"flushall",
    b"swapdb",
    b"move",
];

/// Commands that wait for keys and that the scripts use.
const WAITS: [&[u8]; 4] = [b"blpop", b"blmove", b"bzpopmin", b"xreadgroup"];

/// How a pause stood before a tick.
pub(super) struct Paused {
    until: Option<Moment>,
    /// All commands are held, not only those that write.
    all: bool,
    calls: [u64; 4],
}

impl<const HONEST: bool> Run<HONEST> {
    pub(super) fn calls(&self, name: &[u8]) -> u64 {
        names::find_full(name).map_or(0, |command| self.server.stats().per_command[command.id].calls)
    }

    pub(super) fn note_pause(&mut self) -> Paused {
        let pause = &self.server.service().world.pause;
        let (until, all) = (pause.until(), names::find(b"get").is_some_and(|get| pause.holds(get, false)));
        // A command that panics is a call and no command, so these may be more.
        let waits: u64 = WAITS.iter().map(|name| self.calls(name)).sum();
        let writes = WRITES.iter().map(|name| self.calls(name)).sum();
        let calls = [
            self.calls(b"client|unpause"),
            self.calls(b"client|pause"),
            writes,
            self.server.stats().commands.wrapping_sub(waits),
        ];
        Paused { until, all, calls }
    }

    /// While commands are held, none of them runs. When a pause ends, no client waits. A client that waits and leaves is
    /// let go at once.
    pub(super) fn check_pause(&mut self, before: &Paused) {
        let after = self.note_pause();
        let [unpaused, paused, writes, all] =
            std::array::from_fn(|nth| after.calls[nth].wrapping_sub(before.calls[nth]));
        for _ in 0..paused {
            self.count("pause");
        }
        if let Some(until) = before.until {
            let patience = self.world.borrow().patience;
            let in_time = match patience {
                Patience::Endless => false,
                Patience::Until(moment) => moment <= until,
                Patience::None => true,
            };
            assert!(in_time, "the server sleeps until {patience:?} and a pause ends at {until:?}");
            let end = Moment::from_nanos(self.world.borrow().now_ns);
            if until > end && unpaused == 0 && self.exit.is_none() && !self.ends() {
                assert!(after.until.is_some_and(|later| later >= until), "a pause ended before its time");
                // A transaction may hold writes as well, so what it holds is judged by the commands.
                assert!(!before.all || all.cast_signed() <= 0, "{all} commands ran in a pause");
                assert!(writes == 0, "{writes} writes ran in a pause");
            }
        }
        let is_on = after.until.is_some();
        self.note_departures(is_on || before.until.is_some() || paused > 0);
        if self.exit.is_some() {
            return;
        }
        let world = self.world.borrow();
        let mut waiting = 0;
        for (name, client) in self.clients.iter().enumerate() {
            let Some(pipe) = client.pipe.map(|pipe| &world.pipes[pipe]) else { continue };
            let Some(conn) = pipe.slot.and_then(|slot| self.server.reactor().conn(slot)) else { continue };
            if !conn.parked {
                continue;
            }
            let left = pipe.client_fin && !pipe.pending.peer_closed;
            assert!(!left, "client {name} has left and is still kept waiting");
            if pipe.slot.is_some_and(|slot| self.waits_for_key(slot)) {
                continue;
            }
            waiting += 1;
            assert!(is_on, "client {name} waits and there is no pause");
            if !after.all {
                let next =
                    client.steps[client.done..].iter().find(|step| step.op.writes() || step.op == Op::Exec);
                assert!(next.is_some(), "client {name} waits in a pause of writes and will not write");
            }
        }
        drop(world);
        if waiting > 0 {
            self.count("client that waits in a pause");
        }
    }

    /// A client that waits and has closed its side is not there to be answered.
    fn note_departures(&mut self, in_pause: bool) {
        let world = self.world.borrow();
        for client in &mut self.clients {
            let Some(index) = client.pipe else { continue };
            let pipe = &world.pipes[index];
            let held = in_pause || client.may_wait(pipe.read_total);
            if held {
                // It may have waited and been woken within the tick, and may be silent from then on.
                self.evidence[index].exempt_ns.1 = world.now_ns;
            }
            let conn = pipe.slot.and_then(|slot| self.server.reactor().conn(slot));
            let is_open = conn.is_some_and(|conn| conn.phase == Phase::Open);
            client.left_parked |= client.was_open && !is_open && held && pipe.client_fin;
            client.was_open = is_open;
        }
    }

    /// Bytes that the messages published and the changes made so far have made for one client, at most.
    pub(super) fn published(&self) -> usize {
        let changes: u64 = WRITES.iter().chain(&WAITS).map(|name| self.calls(name)).sum();
        let changes = changes + self.server.world().store.expired() + self.server.world().store.evicted();
        self.calls(b"publish") as usize * FRAME_MAX * FRAMES_MAX + changes as usize * CHANGE_MAX
    }

    /// Remembers how much each connection has left untaken.
    pub(super) fn note_untaken(&mut self) {
        let world = self.world.borrow();
        self.untaken.clear();
        for (index, pipe) in world.pipes.iter().enumerate() {
            if let Some(conn) = pipe.slot.and_then(|slot| self.server.reactor().conn(slot)) {
                self.untaken.insert(index, conn.output.len());
            }
        }
    }

    /// After `SHUTDOWN NOW`, a drain does not wait for clients to leave.
    pub(super) fn check_hurry(&self) {
        let Stage::Draining { deadline } = self.server.stage() else { return };
        let world = self.world.borrow();
        for (name, client) in self.clients.iter().enumerate() {
            let Some(pipe) = client.pipe_of(&world) else { continue };
            let Some(conn) = pipe.slot.and_then(|slot| self.server.reactor().conn(slot)) else { continue };
            let parts =
                matches!(conn.phase, Phase::Finishing(Reason::Drained) | Phase::Lingering(Reason::Drained));
            // A drain also parts with clients that have not said so yet.
            let begun = client.begun(pipe.read_total);
            if parts && begun.iter().any(|step| step.op == Op::Shutdown(true)) {
                let end = Moment::from_nanos(world.now_ns);
                assert!(deadline <= end, "client {name} said NOW and the server drains until {deadline:?}");
            }
        }
    }

    fn ends(&self) -> bool {
        self.server.stage() != Stage::Serving
    }

    /// Every subscriber is connected, the memory of every client is accounted, and no subscriber is owed more than the
    /// limit allows.
    pub(super) fn check_shares(&mut self) {
        if self.exit.is_some() {
            return;
        }
        let limit = self.server.config().pubsub_output_limit.hard_bytes;
        let pause = self.server.config().bounds.output_pause_bytes;
        let held_max = self.server.config().maxmemory_clients;
        let slots: Vec<u32> = self.world.borrow().pipes.iter().filter_map(|pipe| pipe.slot).collect();
        let sessions = &self.server.service().world.sessions;
        let of_service: Vec<usize> =
            slots.iter().map(|slot| sessions.get(*slot).map_or(0, Session::held_bytes)).collect();
        let mut held = 0;
        for (slot, of_service) in slots.iter().zip(of_service) {
            let conn = self.server.reactor().conn(*slot).expect("a watched socket has a slot");
            if conn.phase == Phase::Open {
                assert_eq!(
                    conn.service_bytes as usize, of_service,
                    "slot {slot}: what the service holds for it"
                );
                held += if conn.class.spared { 0 } else { conn.held };
                if conn.class.fed && limit > 0 {
                    let most = limit.max(pause + FRAMES_MAX * FRAME_MAX);
                    assert!(
                        conn.output.len() <= most,
                        "slot {slot}: {} bytes of messages wait",
                        conn.output.len()
                    );
                }
            }
        }
        assert!(held_max == 0 || held <= held_max, "clients hold {held} bytes of {held_max}");
        let channels = &self.server.service().world.channels;
        let mut subscribed = Vec::new();
        for kind in [Kind::Channel, Kind::Pattern] {
            for name in channels.names(kind) {
                subscribed.extend(channels.subscribers(kind, name));
            }
        }
        for id in subscribed {
            let open = self
                .server
                .reactor()
                .conn(id.slot)
                .is_some_and(|conn| conn.serial == id.serial && conn.phase == Phase::Open);
            assert!(open, "client {id} has left and is still subscribed");
        }
    }

    /// Compares what a client was told of others with what is so.
    pub(super) fn hear(&mut self, name: usize, events: Vec<Event>) {
        for event in events {
            match &event {
                Event::Ran => self.count("transaction"),
                Event::NotRun => self.count("transaction that a watched key stopped"),
                Event::Aborted => self.count("transaction that was aborted"),
                Event::Expired => self.count("key that expired"),
                Event::Evicted => {
                    self.evicted_told += 1;
                    self.count("key that was evicted");
                }
                Event::NoRoom => self.count("write refused because of maxmemory"),
                Event::FieldExpired => self.count("field that expired"),
                Event::Page(None) => self.count("scan"),
                Event::Met(word) => self.count(word),
                Event::Published { count: 1.., .. } => self.count("message to a subscriber"),
                Event::Killed { id, count: 1, .. } => self.check_killed(name, *id),
                Event::Twins(one, other) => {
                    let torn = self.seen.panics || self.seen.scarce;
                    assert!(
                        torn || one == other,
                        "client {name} saw half a transaction: {one:?} and {other:?}"
                    );
                }
                Event::Listed(text) => self.check_list(text),
                Event::Took { waited: true, .. } => self.count("element taken after a wait"),
                Event::Took { .. } => self.count("element taken"),
                Event::Handed => self.count("element handed on"),
                Event::WaitedInVain => self.count("wait in vain"),
                Event::Script { how, .. } => self.count(how),
                Event::Busy => self.count("client told that a script is busy"),
                Event::KilledScript => self.count("client told that it has killed a script"),
                _ => {}
            }
            self.board.note(name, event);
        }
    }

    fn check_killed(&mut self, name: usize, id: u64) {
        self.count("client killed by another");
        let world = self.world.borrow();
        let pipe =
            world.pipes.iter().find(|pipe| pipe.serial == Some(id)).expect("it was there to be killed");
        let conn = pipe.slot.and_then(|slot| self.server.reactor().conn(slot));
        assert!(
            conn.is_none_or(|conn| conn.phase != Phase::Open),
            "client {name} killed id={id}, which goes on"
        );
        assert!(
            self.clients[name].pipe_of(&world).is_some_and(|mine| mine.serial != Some(id)),
            "it killed itself"
        );
    }

    /// All clients together never hold more than the limit allows, not even within a tick.
    fn check_list(&mut self, text: &str) {
        /// The limit that a script may set.
        const LIVE_LIMIT: usize = 5 << 10;
        let field = |line: &str, name: &str| {
            let value =
                line.split(' ').find_map(|field| field.strip_prefix(name)).expect("it is in each line");
            value.to_owned()
        };
        let limited = text.lines().filter(|line| !field(line, "flags=").contains('e'));
        let held: usize = limited
            .map(|line| field(line, "tot-mem=").parse::<usize>().expect("a number") - size_of::<Session>())
            .sum();
        let changed = self.calls(b"config|set") > 0;
        let most = if changed { self.memory_max.max(LIVE_LIMIT) } else { self.memory_max };
        assert!(self.memory_max == 0 || held <= most, "clients hold {held} bytes of {most}:\n{text}");
    }
}
