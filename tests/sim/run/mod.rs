//! One run: a server and its clients, faults for a while, then peace, then the reckoning.

mod between;
mod checks;
mod limits;
mod queues;
mod reckoning;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rand::RngExt;
use tidegate::base::{Moment, Reason, fault, memory};
use tidegate::reactor::conn::Phase;
use tidegate::reactor::net::{Edge, Patience};
use tidegate::script::{drop_engine, drop_functions};
use tidegate::server::{Exit, Server};
use tidegate::service::names;
use tidegate::stage::Stage;

use crate::board::Board;
use crate::client::Client;
use crate::net::SimNet;
use crate::reasons::{Circumstances, Evidence};
use crate::script::{Contents, Role, Theme};
use crate::state::Victims;
use crate::story::Listener;
use crate::world::{Faults, World};

/// More ticks than any run needs once the faults are over.
const TICKS_OF_PEACE: usize = 60_000;
/// In one run of so many, clients send scripts in Lua.
const RUNS_PER_SCRIPTED_RUN: u64 = 10;

/// The result of a run. Two runs of one seed have equal results.
#[derive(Debug, PartialEq)]
pub struct Report {
    pub injected: BTreeMap<&'static str, u64>,
    /// Everything every client received.
    received: Vec<Vec<u8>>,
}

/// Plays the run of `seed`. The run tells `listener`, if there is one, its story tick by tick: what the world did,
/// which phase reacted, what left.
///
/// # Panics
/// If the server breaks a promise.
pub fn run(seed: u64, listener: Option<Listener>) -> Report {
    fault::arm(0);
    memory::allow(usize::MAX);
    drop_engine();
    drop_functions();
    let honest = !seed.is_multiple_of(3);
    if honest { Run::<true>::new(seed).play(listener) } else { Run::<false>::new(seed).play(listener) }
}

struct Run<const HONEST: bool> {
    world: Rc<RefCell<World>>,
    server: Server<SimNet<HONEST>>,
    clients: Vec<Client>,
    /// Connections that say nothing.
    strangers: Vec<usize>,
    /// No client meets a fault or a limit, so every client must get everything.
    calm: bool,
    /// Clients send scripts in Lua.
    scripted: bool,
    /// How often a fuse is lit, if commands are made to panic.
    panics_often: f64,
    quits: bool,
    seen: Circumstances,
    /// Of each connection of the world.
    evidence: Vec<Evidence>,
    /// Connections ended before this tick, by reason.
    closes: [u64; Reason::NAMES.len()],
    exit: Option<Exit>,
    /// For each connection that was open when a drain reached its deadline: how many bytes had arrived by then.
    last_read: Vec<(usize, usize)>,
    /// What clients were told of each other.
    board: Board,
    /// `maxmemory-clients` at the start.
    memory_max: usize,
    /// When the first of the waits for keys ends, as it was after the last tick.
    waits_until: Option<Moment>,
    /// Which keys the server may evict.
    victims: Victims,
    /// How many keys clients have found evicted.
    evicted_told: u64,
    /// Bytes that wait for each connection that is open.
    untaken: BTreeMap<usize, usize>,
}

impl<const HONEST: bool> Run<HONEST> {
    fn new(seed: u64) -> Run<HONEST> {
        let mut world = World::new(seed);
        let rng = &mut world.rng;
        let calm = rng.random_bool(0.3);
        let scripted = seed % RUNS_PER_SCRIPTED_RUN == 7;
        let theme = match Theme::ALL[rng.random_range(0..Theme::ALL.len())] {
            // Nobody but hoarders has a say there.
            Theme::Eviction if scripted => Theme::Everything,
            theme => theme,
        };
        let mut config = limits::draw(rng, calm, theme);
        let (quits, panics) =
            (rng.random_bool(0.4), !calm && rng.random_bool(if scripted { 0.7 } else { 0.4 }));
        let scarce = !calm && rng.random_bool(0.25);
        let lua = scripted.then(|| limits::for_scripts(rng, &mut config, scarce));
        let busy = lua.is_some_and(|lua| lua.busy);
        let contents = Contents {
            limits: !calm,
            refusable: scarce || busy,
            scarce,
            modest: !calm && !scarce && rng.random_bool(0.3) && !scripted,
            kills: !calm && rng.random_bool(0.5),
            pauses: rng.random_bool(0.4),
            stops: quits && rng.random_bool(0.3) && !scripted,
            victims: Victims::of(config.maxmemory_policy),
            // The model knows the replies only if nothing is refused.
            events: config.notify_keyspace_events.is_on() && !scarce && !busy,
            lua,
            theme,
        };
        let (memory_max, count) = (config.maxmemory_clients, rng.random_range(2..9));
        let clients: Vec<Client> = (0..count)
            .map(|name| {
                let role = match rng.random_range(0..20) {
                    _ if theme == Theme::Eviction && name != 1 => Role::Hoarder,
                    _ if name < 2 => [Role::Publisher, Role::Listener][name],
                    0 => Role::Endless,
                    1 => Role::Scanner,
                    2 | 3 => Role::Listener,
                    4 | 5 if !scripted => Role::Listener,
                    // A client that cannot be told of a change for lack of memory is closed.
                    6 | 7 if !scarce && !busy => Role::Cacher,
                    _ => Role::Plain,
                };
                Client::new(rng, name, role, contents)
            })
            .collect();
        clients.iter().flat_map(Client::kinds).for_each(|kind| world.count(kind));
        let rng = &mut world.rng;
        let mut faults = limits::faults(rng, calm, theme);
        if scripted {
            // Without it, no script would meet its limit.
            faults.slow = rng.random_range(150..500);
            // Edges should come while a script runs.
            faults.delayed = rng.random_range(100..700);
        }
        (world.faults, world.long_requests) = (faults, scripted);
        let world = Rc::new(RefCell::new(world));
        let server = Server::new(SimNet(Rc::clone(&world)), config, seed, Vec::new());
        let script_limit_ms = server.config().script_time_limit_ms;
        let seen = Circumstances { panics, scarce, busy, script_limit_ms, ..Circumstances::default() };
        Run {
            world,
            server,
            clients,
            strangers: Vec::new(),
            calm,
            scripted,
            // A panic should meet clients that are being woken, and scripts.
            panics_often: if theme == Theme::Queues || scripted { 0.15 } else { 0.03 },
            quits,
            seen,
            evidence: Vec::new(),
            closes: [0; Reason::NAMES.len()],
            exit: None,
            last_read: Vec::new(),
            board: Board::default(),
            memory_max,
            waits_until: None,
            victims: contents.victims,
            evicted_told: 0,
            untaken: BTreeMap::new(),
        }
    }

    /// How the story begins: with the limits and the clients.
    fn introduction(&self) -> Vec<String> {
        let config = self.server.config();
        let mut lines = vec![format!(
            "{}; maxclients {}, timeout {} ms, request-timeout {} ms, write-timeout {} ms",
            if self.calm { "a calm run" } else { "a run with trouble" },
            config.maxclients,
            config.timeout_ms,
            config.request_timeout_ms,
            config.write_timeout_ms
        )];
        lines.extend(self.clients.iter().enumerate().map(|(name, client)| {
            let kinds: String = client.kinds().map(|kind| format!(", a {kind}")).collect();
            format!("client {name}: {:?}, {} requests{kinds}", client.role, client.steps.len())
        }));
        lines
    }

    fn play(mut self, listener: Option<Listener>) -> Report {
        let introduction = self.introduction();
        self.world.borrow_mut().story.begin(listener, introduction);
        self.make_trouble();
        self.world
            .borrow_mut()
            .story
            .tell(|| "the faults are over; everybody must get what is owed".to_owned());
        self.make_peace();
        self.settle_down();
        self.reckon();
        let closes = self.server.stats().closes;
        let mut world = self.world.borrow_mut();
        for (name, count) in Reason::NAMES.iter().zip(closes) {
            if count > 0 {
                let name: &'static str = Box::leak(format!("closed: {name}").into_boxed_str());
                *world.injected.entry(name).or_default() += count;
            }
        }
        let config_set = names::find_full(b"config|set").expect("it is in the table");
        let counters = &self.server.stats().per_command;
        let changed = counters[config_set.id].calls;
        *world.injected.entry("limit changed in flight").or_default() += changed;
        let refused: u64 = self.clients.iter().map(|client| client.refusals).sum();
        *world.injected.entry("allocation refused").or_default() += refused;
        let told: u64 = self.clients.iter().map(|client| client.told).sum();
        *world.injected.entry("changed key told to a client that keeps a copy").or_default() += told;
        let heard: u64 = self.clients.iter().map(|client| client.heard.len() as u64).sum();
        *world.injected.entry("message delivered").or_default() += heard;
        let heard = self.clients.iter().flat_map(|client| &client.heard);
        let events = heard.filter(|heard| heard.channel.starts_with("__key")).count() as u64;
        *world.injected.entry("event of a key").or_default() += events;
        let received = self.clients.iter().map(|client| client.received.clone()).collect();
        Report { injected: std::mem::take(&mut world.injected), received }
    }

    /// The phase that tests safety: anything may happen at any time, and nothing that the server does may be wrong.
    fn make_trouble(&mut self) {
        for _ in 0..self.draw(50..600) {
            if self.exit.is_some() {
                break;
            }
            for _ in 0..self.draw(0..4) {
                self.act();
            }
            self.tick();
        }
    }

    fn draw(&self, range: std::ops::Range<usize>) -> usize {
        self.world.borrow_mut().rng.random_range(range)
    }

    fn chance(&self, probability: f64) -> bool {
        self.world.borrow_mut().rng.random_bool(probability)
    }

    fn count(&self, what: &'static str) {
        self.world.borrow_mut().count(what);
    }

    /// The world does one thing.
    fn act(&mut self) {
        let name = self.draw(0..self.clients.len());
        if self.seen.panics && self.chance(self.panics_often) {
            self.light_fuse();
        }
        if self.seen.scarce && self.chance(0.15) {
            self.count("allocation budget");
            let enough = self.chance(0.3);
            memory::allow(if enough { usize::MAX } else { 1 << self.draw(3..14) });
        }
        match self.draw(0..100) {
            0..=89 => self.client_acts(name),
            90..=92 => self.world.borrow_mut().advance_ms(1),
            93 if !self.calm && self.chance(0.2) => {
                self.count("wall clock jump");
                let ms = self.draw(0..7_200_000) as i64 - 3_600_000;
                let mut world = self.world.borrow_mut();
                world.unix_ms = world.unix_ms.saturating_add_signed(ms);
            }
            95 if !self.calm => {
                let ms = 10_u64.pow(self.draw(1..8) as u32);
                self.count("clock jump");
                self.world.borrow_mut().advance_ms(ms);
            }
            96 if !self.calm => {
                let mut world = self.world.borrow_mut();
                world.no_descriptors = !world.no_descriptors;
            }
            94 if !self.calm && self.chance(0.2) => {
                self.count("connection storm");
                for _ in 0..self.draw(1..20) {
                    let stranger = self.world.borrow_mut().connect();
                    if stranger.is_some() {
                        self.count("connection that says nothing");
                    }
                    self.strangers.extend(stranger);
                }
            }
            97 if !self.calm && self.chance(0.3) => {
                if let Some(pipe) = self.clients[name].pipe {
                    if self.world.borrow().backlogs.iter().any(|waiting| waiting.contains(&pipe)) {
                        self.count("reset in the backlog");
                    }
                    self.world.borrow_mut().reset(pipe);
                    self.clients[name].gave_up = true;
                }
            }
            98..=99 if self.quits && self.chance(0.1) => {
                // A second signal cuts off clients that are still owed something.
                self.quits = !self.calm;
                self.count(if self.seen.quit { "second signal" } else { "signal" });
                self.seen.quit = true;
                self.world.borrow_mut().signals.push(Edge::Quit);
            }
            _ => {}
        }
    }

    /// Some later step of a command will panic.
    fn light_fuse(&mut self) {
        if !self.scripted {
            fault::arm(self.draw(1..20) as u32);
        } else if !fault::armed() {
            // A script has many more steps than a command.
            fault::arm(self.draw(1..200) as u32);
        }
    }

    fn client_acts(&mut self, name: usize) {
        let client = &mut self.clients[name];
        let mut world = self.world.borrow_mut();
        let Some(pipe) = client.pipe else {
            client.pipe = world.connect();
            client.gave_up = client.pipe.is_none();
            return;
        };
        if client.gave_up {
            return;
        }
        let until = client.temper.falls_silent_at.unwrap_or(client.stream.len());
        let count = world.rng.random_range(0..=client.temper.send_max).min(until.saturating_sub(client.sent));
        if !client.saw_end {
            client.sent += world.send(pipe, &client.stream[client.sent..client.sent + count]);
            if client.temper.half_closes && client.sent == client.stream.len() {
                if !world.pipes[pipe].client_fin {
                    world.count("half-close by a client");
                }
                world.half_close(pipe);
            }
        }
        let taken = world.take(pipe, client.temper.read_max);
        client.receive(&taken);
        let state = &world.pipes[pipe];
        client.saw_end |= state.to_client.is_empty() && (state.server_fin || state.closed);
        if client.saw_end {
            // A client library closes when it sees the end.
            world.half_close(pipe);
        }
        let events = client.check_received(name, self.seen, &world);
        drop(world);
        self.hear(name, events);
    }

    /// While a drain lasts, the server looks whether a client that it could part with has just sent something. Such a look is
    /// not the last one, if the client is still served then.
    fn forget_early_looks(&mut self) {
        if !matches!(self.server.stage(), Stage::Draining { .. }) {
            return;
        }
        for pipe in &mut self.world.borrow_mut().pipes {
            let conn = pipe.slot.and_then(|slot| self.server.reactor().conn(slot));
            if conn.is_some_and(|conn| conn.phase == Phase::Open) {
                pipe.last_look = None;
            }
        }
    }

    fn tick(&mut self) {
        let armed = fault::armed();
        let before = self.server.config().clone();
        self.seen.note(&before, self.server.reactor().serving());
        let (arrived, closes) = (self.arrived_in_a_drain(), self.closes);
        let draining = matches!(self.server.stage(), Stage::Draining { .. });
        let paused = self.note_pause();
        let published = self.published();
        self.world.borrow_mut().open_tick();
        self.exit = self.server.tick().expect("clients' trouble never becomes process trouble");
        if armed && !fault::armed() {
            self.count("injected panic");
        }
        if matches!(self.server.stage(), Stage::LameDuck { .. }) {
            self.count("lame duck");
        }
        self.tell_of_tick();
        self.note_tick();
        self.check_reasons(&before, self.published() - published);
        self.note_untaken();
        if draining && !matches!(self.server.stage(), Stage::Draining { .. }) {
            self.last_read = arrived;
            // The server is going to read from everybody once more.
            self.clients.iter_mut().for_each(|client| client.stuck.0 = 0);
        }
        self.forget_early_looks();
        self.check_last_read(closes);
        self.check_pause(&paused);
        self.check_waits();
        self.check_shares();
        self.check_hurry();
        self.check_memory();
        if self.exit.is_none() {
            let admits = self.server.stage().admits();
            assert!(admits || self.server.reactor().live() > 0, "a drain goes on for nobody");
            self.server.audit();
            self.check_edges();
            self.check_deadlines();
            self.check_fairness();
        }
        let config = self.server.config();
        assert!(self.server.stats().closes[Reason::AtCapacity.index()] <= self.server.stats().rejected);
        assert!(!self.server.stage().admits() || config.maxclients > 0);
        let cap = config.maxclients as usize;
        assert!(self.server.reactor().serving() <= cap, "more clients than maxclients");
    }

    /// The end of a tick in the story: which connections were condemned, and what the server is doing.
    fn tell_of_tick(&self) {
        let (closes, stage) = (self.server.stats().closes, self.server.stage());
        let mut world = self.world.borrow_mut();
        for (nth, name) in Reason::NAMES.iter().enumerate() {
            if closes[nth] > self.closes[nth] {
                world
                    .story
                    .tell(|| format!("  reap    counts {} closed: {name}", closes[nth] - self.closes[nth]));
            }
        }
        if stage != Stage::Serving {
            world.story.tell(|| format!("  settle  {stage:?}"));
        }
        if let Some(exit) = self.exit {
            world.story.tell(|| format!("  settle  the server ends: {exit:?}"));
        }
    }

    /// Notes what the judgement of this tick and of replies needs to know of it.
    fn note_tick(&mut self) {
        let mut world = self.world.borrow_mut();
        let end_ms = world.unix_ms;
        world.tick_ends_ms.push(end_ms);
        let span = (world.tick_ns, world.now_ns);
        world.tick_spans_ns.push(span);
        let tick = world.tick_ends_ms.len() - 1;
        for client in &mut self.clients {
            let Some(pipe) = client.pipe.map(|pipe| &world.pipes[pipe]) else { continue };
            let conn = pipe.slot.and_then(|slot| self.server.reactor().conn(slot));
            client.note_ready(pipe.written_total + conn.map_or(0, |conn| conn.output.len()), tick);
        }
        if !self.seen.quit && self.server.stage() != Stage::Serving {
            world.count("shutdown by a command");
            self.seen.quit = true;
        }
    }

    /// The faults are over; everybody reads and sends what is left.
    fn make_peace(&mut self) {
        fault::arm(0);
        memory::allow(usize::MAX);
        let mut world = self.world.borrow_mut();
        // The clock must go on, or a script would never meet its limit.
        let slow = if self.scripted { world.faults.slow } else { 0 };
        world.faults = Faults { slow, ..Faults::default() };
        world.no_descriptors = false;
        for client in &mut self.clients {
            client.temper.read_max = 4096;
            client.temper.send_max = 4096;
        }
    }

    /// The phase that tests liveness: ticks until every client has everything that it can get. Then all clients leave.
    fn settle_down(&mut self) {
        let mut quiet = 0;
        for _ in 0..TICKS_OF_PEACE {
            if self.exit.is_some() || quiet > 40 {
                break;
            }
            let before = self.progress();
            for name in 0..self.clients.len() {
                self.client_acts(name);
            }
            self.tick();
            let asleep = self.world.borrow().patience != Patience::None && !self.world.borrow().has_pending();
            let paused = self.server.service().world.pause.is_on();
            quiet = if asleep && !paused && before == self.progress() { quiet + 1 } else { 0 };
        }
        let tidegate::service::world::World { store, now, .. } = self.server.world();
        assert!(
            self.exit.is_some() || quiet > 40,
            "never came to rest; memory to free: {}, {} bytes used of {}, {} evicted, keys: {:?}, next expiry {:?}, at {} ms",
            store.has_leftovers(),
            self.server.world().used_memory(),
            self.server.config().maxmemory.bytes,
            store.evicted(),
            store.sizes().collect::<Vec<_>>(),
            store.next_expiry(),
            now.unix_ms
        );
        self.everyone_alive_is_answered();
        self.copies_are_true();
        if self.calm && !self.seen.quit {
            self.everyone_got_everything();
        }
        self.everyone_leaves();
    }

    fn progress(&self) -> Vec<(usize, usize, bool)> {
        self.clients.iter().map(|client| (client.sent, client.received.len(), client.saw_end)).collect()
    }
}
