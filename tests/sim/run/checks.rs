//! Promises that must hold after every tick, and about a client's keys at the end.

use std::collections::BTreeSet;

use tidegate::base::Reason;
use tidegate::config::{Config, OutputLimit};
use tidegate::reactor::conn::Phase;
use tidegate::stage::Stage;
use tidegate::store::{Kind, Store, StreamId};

use super::Run;
use crate::client::Client;
use crate::groups::Group;
use crate::hashes::PACKED_FIELDS_MAX;
use crate::lists::NODE_BYTES;
use crate::model::{self, Held, Op};
use crate::reasons::{self, Evidence};
use crate::state::Victims;
use crate::streams::{NODE_ENTRIES, Stream};
use crate::times::End;
use crate::world::{Pipe, World};

/// What is stored grows by fewer bytes with one command.
const COMMAND_GROWTH_MAX: usize = 16 << 10;
/// Ticks in which nothing may happen to a client that is owed a turn or a flush.
const STARVED_TICKS_MAX: u32 = 1;

impl<const HONEST: bool> Run<HONEST> {
    /// The liveness invariant from the world's side: if the kernel holds something that the server does not know of, an
    /// edge is pending.
    pub(super) fn check_edges(&mut self) {
        let world = self.world.borrow();
        for pipe in &world.pipes {
            let Some(slot) = pipe.slot else { continue };
            let conn = self.server.reactor().conn(slot).expect("a watched socket has a slot");
            if pipe.readable() && conn.ending.is_none() {
                assert!(
                    pipe.pending.readable || conn.can_read,
                    "slot {slot}: forgot that there is something to read"
                );
            }
            if pipe.room_to_client() > 0 && !pipe.reset {
                assert!(
                    pipe.pending.writable || conn.can_write,
                    "slot {slot}: forgot that there is room to write"
                );
            }
        }
    }

    /// Each connection that ended in this tick has given the reason that the server counted.
    pub(super) fn check_reasons(&mut self, before: &Config, published: usize) {
        let after = self.server.config().clone();
        self.seen.note(&after, self.server.reactor().serving());
        self.seen.pauses |= self.calls(b"client|pause") > 0;
        self.seen.pauses |= self.clients.iter().any(|client| client.steps.iter().any(|step| step.op.waits()));
        let closes = self.server.stats().closes;
        let counted = std::array::from_fn(|index| closes[index] - self.closes[index]);
        self.closes = closes;
        let mut world = self.world.borrow_mut();
        self.evidence.resize(world.pipes.len(), Evidence::default());
        let (clients, tick_ns, now_ns) = (&self.clients, world.tick_ns, world.now_ns);
        let condemned: BTreeSet<u64> = clients.iter().flat_map(|client| condemned(client, &world)).collect();
        let OutputLimit { hard_bytes, soft_bytes, .. } = after.pubsub_output_limit;
        let limits = [hard_bytes, soft_bytes];
        let client_of = |pipe| clients.iter().position(|client| client.pipe == Some(pipe));
        for (index, (pipe, evidence)) in world.pipes.iter_mut().zip(&mut self.evidence).enumerate() {
            let client = client_of(index).map(|client| &clients[client]);
            if let Some(conn) = pipe.slot.and_then(|slot| self.server.reactor().conn(slot)) {
                pipe.serial = Some(conn.serial);
                evidence.note_waiting(pipe, conn, tick_ns, now_ns);
            }
            let untaken = self.untaken.get(&index).copied().unwrap_or_default();
            evidence.crowded = limits.into_iter().any(|limit| limit > 0 && untaken + published > limit);
            evidence.condemned |= pipe.serial.is_some_and(|serial| condemned.contains(&serial));
            evidence.note(pipe, client, before, tick_ns, now_ns);
            evidence.note(pipe, client, &after, tick_ns, now_ns);
            pipe.moved_before_ns = pipe.moved_tick_ns;
        }
        let before = self.evidence.iter().filter(|evidence| evidence.ended_crowded()).count();
        reasons::check(counted, &world.pipes, &mut self.evidence, client_of, clients, self.seen);
        let after = self.evidence.iter().filter(|evidence| evidence.ended_crowded()).count();
        if after > before && counted[Reason::SlowConsumer.index()] > 0 {
            world.count("subscriber that was too slow");
        }
    }

    /// Of each client of a server that drains, how much the server will have read once it has read
    /// all that has arrived.
    pub(super) fn arrived_in_a_drain(&mut self) -> Vec<(usize, usize)> {
        if !matches!(self.server.stage(), Stage::Draining { .. }) {
            return Vec::new();
        }
        let world = self.world.borrow();
        let served = |pipe: &Pipe| {
            let conn = pipe.slot.and_then(|slot| self.server.reactor().conn(slot));
            conn.is_some_and(|conn| conn.phase == Phase::Open && conn.ending.is_none())
        };
        let pipes = world.pipes.iter().enumerate().filter(|(_, pipe)| served(pipe));
        pipes.map(|(index, pipe)| (index, pipe.read_total + pipe.to_server.len())).collect()
    }

    /// When a drain reaches its deadline, the server reads everything that its clients had sent by then. This is judged
    /// if no client ended for another reason in this tick.
    pub(super) fn check_last_read(&mut self, closes_before: [u64; Reason::NAMES.len()]) {
        let mut others = (0..closes_before.len()).filter(|reason| *reason != Reason::Drained.index());
        let judged = others.all(|reason| self.closes[reason] == closes_before[reason]);
        let world = self.world.borrow();
        self.last_read.retain(|(index, total)| {
            let Some(read) = world.pipes[*index].read_at_fin else { return true };
            let client = self.clients.iter().find(|client| client.pipe == Some(*index));
            let asked = client.is_some_and(|client| client.script_ends_for(Reason::Drained, read));
            assert!(
                !judged || asked || read >= *total,
                "connection {index} was read up to {read} of {total} at the last"
            );
            false
        });
    }

    /// In every tick something happens to each client that is owed a turn or a flush. So a request waits for its reply
    /// at most as many ticks as there are budgets of input before it.
    pub(super) fn check_fairness(&mut self) {
        let world = self.world.borrow();
        let pause = self.server.config().bounds.output_pause_bytes;
        for (name, client) in self.clients.iter_mut().enumerate() {
            let Some(pipe) = client.pipe.map(|pipe| &world.pipes[pipe]) else { continue };
            let Some(slot) = pipe.slot else { continue };
            let conn = self.server.reactor().conn(slot).expect("a watched socket has a slot");
            let stands = [pipe.read_total, pipe.written_total, conn.input.len(), conn.output.len()];
            let owed = conn.wants_turn(pause) || conn.wants_flush();
            client.stuck = match client.stuck {
                (ticks, before) if owed && before == stands => (ticks + 1, stands),
                _ => (0, stands),
            };
            assert!(client.stuck.0 <= STARVED_TICKS_MAX, "client {name} is owed something and starves");
        }
    }

    /// No connection outlives a deadline by more than the tick that notices it.
    pub(super) fn check_deadlines(&mut self) {
        let world = self.world.borrow();
        let config = self.server.config().clone();
        // The server judges by the start of the tick, or by later.
        let over = |since_ns: u64, limit_ms: u64| {
            limit_ms > 0 && world.tick_ns.saturating_sub(since_ns) >= limit_ms * 1_000_000
        };
        for (name, client) in self.clients.iter_mut().enumerate() {
            let Some(pipe) = client.pipe.map(|pipe| &world.pipes[pipe]) else { continue };
            let Some(slot) = pipe.slot else { continue };
            let conn = self.server.reactor().conn(slot).expect("a watched socket has a slot");
            if conn.phase != Phase::Open {
                continue;
            }
            let exempt_ns = self.evidence[client.pipe.expect("it has one")].exempt_ns.1;
            let silent_ns = pipe.moved_ns.max(exempt_ns);
            assert!(!over(silent_ns, config.timeout_ms), "client {name} is silent beyond its deadline");
            let complete = client.requests_within(pipe.read_total);
            let waits = conn.unserved || conn.parked || conn.paused(config.bounds.output_pause_bytes);
            // While much is pushed to it, only the server knows since when.
            let is_half = conn.class.fed && client.request_ends[complete] != pipe.read_total;
            let since = client.half_fed.filter(|(before, _)| *before == complete);
            client.half_fed = is_half.then_some(since.unwrap_or((complete, world.tick_ns)));
            client.half_since = match client.half_since {
                // For a subscriber to whom much is pushed the clock runs on, unless it has its turn.
                Some((before, since, _)) if waits && conn.class.fed && before == complete => {
                    Some((before, since, world.now_ns))
                }
                // A client that we keep waiting is not on this clock.
                _ if waits || client.request_ends[complete] == pipe.read_total => None,
                Some(since) if since.0 == complete => Some(since),
                _ => Some((complete, world.tick_ns, world.now_ns)),
            };
            if let Some((.., since)) = client.half_since {
                assert!(!over(since, config.request_timeout_ms), "client {name}'s request is late");
            }
        }
    }

    pub(super) fn check_keys(&mut self, name: usize, bytes_read: usize) {
        let prefix = format!("{name}:");
        let now_ms = self.world.borrow().unix_ms;
        // Any command may have been refused.
        let (scarce, panics) = (self.seen.scarce || self.seen.busy, self.seen.panics);
        let store = &mut self.server.service().world.store;
        let mut stored = model::Keys::default();
        let used: Vec<u16> = store.sizes().map(|(db, _)| db).collect();
        for &db in &used {
            store.select(db);
            let mine = |key: &&[u8]| key.starts_with(prefix.as_bytes());
            let names: Vec<Vec<u8>> = store.keys(now_ms).filter(mine).map(<[u8]>::to_vec).collect();
            for key in names {
                let name = model::elsewhere(db, &text(&key));
                stored.insert(name.clone(), held(store, &key, now_ms));
                let ends = store.expiry(&key, now_ms).expect("it was listed");
                stored.set_end(&name, ends.map(|ms| End { ms, slack_ms: 0 }));
            }
        }
        store.select(0);
        if stored.keys().any(|name| name.contains('|')) {
            self.count("key of another database at the end");
        }
        stored.values().filter_map(what).for_each(|what| self.count(what));
        let client = &self.clients[name];
        assert!(
            client.may_have_stored(&stored, bytes_read, scarce, panics),
            "client {name}'s keys are as after none of its commands behind the first {}: {stored:?} instead of {:?}",
            client.done,
            client.state.keys,
        );
    }
}

impl<const HONEST: bool> Run<HONEST> {
    /// While the memory is used up, no command adds to what is stored, and keys are evicted. So what is stored stays near
    /// the limit.
    pub(super) fn check_memory(&self) {
        let (world, limit) = (self.server.world(), self.server.config().maxmemory.bytes);
        let stored = world.dataset_memory() - world.store.waiting_bytes();
        assert!(limit == 0 || stored <= limit + COMMAND_GROWTH_MAX, "{stored} bytes are stored, of {limit}");
    }

    /// Only keys that the policy lets the server evict have disappeared, and not more than it has evicted.
    pub(super) fn check_hoards(&mut self) {
        let now_ms = self.world.borrow().unix_ms;
        let evicted = self.server.world().store.evicted();
        assert!(self.victims != Victims::None || evicted == 0, "{evicted} keys were evicted");
        let mut gone = self.evicted_told;
        let store = &mut self.server.service().world.store;
        store.select(0);
        for (name, client) in self.clients.iter().enumerate() {
            let read = client.pipe_of(&self.world.borrow()).map_or(0, |pipe| pipe.read_total);
            // A command whose reply is not known may have changed a key.
            let open: BTreeSet<&String> = client.begun(read)[client.done.min(client.begun(read).len())..]
                .iter()
                .filter_map(|step| if let Op::Hoard(key, ..) = &step.op { Some(key) } else { None })
                .collect();
            for (key, item) in client.state.hoard.iter().filter(|(key, _)| !open.contains(key)) {
                let stored = store.get(key.as_bytes(), now_ms).expect("it is a string");
                let is_gone = stored.is_none() && item.may_go(self.victims);
                gone += u64::from(is_gone);
                assert!(
                    is_gone || stored == Some(item.value.as_bytes()),
                    "client {name}: {key} is {stored:?} instead of {item:?}"
                );
            }
            let prefix = format!("hoard:{name}:");
            for key in store.keys(now_ms).filter(|key| key.starts_with(prefix.as_bytes())).map(text) {
                let known = client.state.hoard.contains_key(&key) || open.contains(&key);
                assert!(known, "client {name}: {key} is there again");
            }
        }
        assert!(gone <= evicted, "{gone} keys are gone and {evicted} were evicted");
    }
}

fn text(bytes: &[u8]) -> String {
    model::text_of(bytes)
}

fn held(store: &mut Store, key: &[u8], now_ms: u64) -> Held {
    const THERE: &str = "it was listed";
    match store.kind(key, now_ms).expect(THERE) {
        Kind::String => Held::Text(text(store.get(key, now_ms).expect("it is a string").expect(THERE))),
        Kind::Hash => {
            let hash = store.map(key, now_ms).expect("it is a hash").expect(THERE);
            Held::Fields(hash.iter().map(|(field, value)| (text(field), text(value))).collect())
        }
        Kind::Set => {
            let set = store.members(key, now_ms).expect("it is a set").expect(THERE);
            Held::Members(set.iter().map(|member| text(&member)).collect())
        }
        Kind::List => {
            let list = store.list(key, now_ms).expect("it is a list").expect(THERE);
            Held::Elements(list.iter_from(0).map(text).collect())
        }
        Kind::Zset => {
            let zset = store.zset(key, now_ms).expect("it is a sorted set").expect(THERE);
            Held::Scores(zset.iter_from(0).map(|(member, score)| (text(member), score as i64)).collect())
        }
        Kind::Stream => {
            let stream = store.stream(key, now_ms).expect("it is a stream").expect(THERE);
            let groups = stream.groups().map(|group| (text(group.name()), group_held(group))).collect();
            let log = stream.log();
            let entries = log.range(StreamId::MIN, StreamId::MAX).map(|entry| {
                let (_, value) = entry.fields().next().expect("it has a field");
                (entry.id().ms, text(value))
            });
            Held::Stream(Stream { entries: entries.collect(), last: log.last_id().ms, groups })
        }
    }
}

fn group_held(group: &tidegate::store::Group) -> Group {
    let pending = group.pending(StreamId::MIN, StreamId::MAX);
    Group {
        last: group.last_id().ms,
        consumers: group.consumers().map(|consumer| text(consumer.name())).collect(),
        pending: pending.map(|entry| (entry.id.ms, (text(entry.consumer), entry.deliveries))).collect(),
    }
}

/// The event that is counted if a key holds this at the end.
fn what(held: &Held) -> Option<&'static str> {
    Some(match held {
        Held::Text(_) => return None,
        Held::Fields(fields) if fields.len() > PACKED_FIELDS_MAX => "hash of many fields at the end",
        Held::Fields(_) => "hash at the end",
        Held::Members(members) if members.len() > PACKED_FIELDS_MAX => "set of many members at the end",
        Held::Members(_) => "set at the end",
        Held::Elements(list) if list.iter().map(String::len).sum::<usize>() > NODE_BYTES => {
            "list of several nodes at the end"
        }
        Held::Elements(_) => "list at the end",
        Held::Scores(scores) if scores.len() > PACKED_FIELDS_MAX => "sorted set of many members at the end",
        Held::Scores(_) => "sorted set at the end",
        Held::Stream(stream) if stream.entries.len() > NODE_ENTRIES => "stream of several nodes at the end",
        Held::Stream(stream) if stream.groups.values().any(|group| !group.pending.is_empty()) => {
            "stream with pending entries at the end"
        }
        Held::Stream(_) => "stream at the end",
    })
}

/// The clients that this client may have asked to close by now.
fn condemned(client: &Client, world: &World) -> Vec<u64> {
    let read = client.pipe_of(world).map_or(0, |pipe| pipe.read_total);
    let ops = client.begun(read).iter().map(|step| &step.op);
    ops.filter_map(|op| if let Op::Kill(id) = op { Some(*id) } else { None }).collect()
}
