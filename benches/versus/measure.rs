//! Measures one scenario on one server: it connects, warms up and compares every reply of the warm-up, and
//! then measures. The figure that matters is the CPU time of the server's process. Other programs on the
//! machine change the rate a lot, and the CPU time hardly.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::churn::churn;
use super::client::Trust;
use super::contenders::Running;
use super::fanout::Fanout;
use super::figures::{Figures, Metric};
use super::floor::Exchange;
use super::load::{Load, Part};
use super::scenarios::{Kind, Scenario};
use super::script::{Dataset, Mix, Protocol, Script, Verb};
use super::usage::{Strace, Usage};

/// Number of clients if a scenario does not choose one.
const CLIENTS: usize = 50;
/// A closed loop must answer this many requests before its figures mean anything.
const REQUESTS_MIN: u64 = 200;
/// How long a closed loop waits for that.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections that are open at the same time in the churn.
const CHURN_AT_ONCE: usize = 20;
/// How long strace counts. It slows a server down so much that hardly anything happens in a shorter time.
const CALLS_WINDOW: Duration = Duration::from_millis(250);
/// Pipelines of the client that fills a server. It takes the first one whose values have no more than
/// [`FILL_BYTES`]. The size of each data set is a multiple of all of them.
const FILL_PIPELINES: [usize; 3] = [100, 10, 1];
/// Most bytes of values in a pipeline of the client that fills a server.
const FILL_BYTES: usize = 1 << 20;

/// How long and how often everything is measured.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long a server is warmed up.
    pub warm: Duration,
    /// How long a closed loop is measured.
    pub window: Duration,
    /// How long an open loop is measured.
    pub open: Duration,
    /// Number of connections in the churn.
    pub churns: usize,
    /// How often each contender is measured.
    pub rounds: usize,
}

/// What the generator sends to servers of one protocol in one scenario.
pub struct Scripts {
    /// What the measured clients send.
    main: Script,
    /// What the client sends that never stops.
    side: Option<Script>,
    exchange: Option<Exchange>,
}

/// What one measurement has found.
pub struct Found {
    /// The figures.
    pub figures: Figures,
    /// In an open loop, how long each reply took from when its request was due, in nanoseconds.
    pub took: Option<Histogram<u64>>,
}

impl Scripts {
    /// The scripts of `scenario` in `protocol`.
    pub fn of(scenario: &Scenario, protocol: Protocol) -> Scripts {
        let script = |mix, pipeline| Script::random(protocol, scenario.dataset, mix, pipeline);
        let get = Mix::Only(Verb::Get);
        let (main, side) = match scenario.kind {
            Kind::Closed { mix, pipeline, .. } => (script(mix, pipeline), None),
            Kind::Crowded { .. } | Kind::Open { .. } => (script(get, 1), None),
            Kind::Calls { pipeline } => (script(get, pipeline), None),
            Kind::Beside { endless, .. } => {
                (Script::ping(protocol), endless.map(|(_, pipeline)| script(get, pipeline)))
            }
            Kind::Churn
            | Kind::Publish { .. }
            | Kind::Idle
            | Kind::ConnMemory { .. }
            | Kind::KeyMemory(_) => (Script::ping(protocol), None),
        };
        let exchange = Exchange { request_bytes: main.batch_bytes, reply_bytes: main.reply_bytes };
        let has_floor = !matches!(scenario.kind, Kind::Beside { .. } | Kind::Publish { .. });
        Scripts { main, side, exchange: has_floor.then_some(exchange) }
    }

    /// What the measured clients send.
    pub fn main(&self) -> &Script {
        &self.main
    }

    /// The sizes of request and reply with which the floor takes part. They are those of a whole batch,
    /// because the requests of a mix differ in length. `None` if the floor cannot take part: clients send
    /// different requests, or get messages that they have not asked for.
    pub fn exchange(&self) -> Option<Exchange> {
        self.exchange
    }
}

/// Stores every key of `dataset` from number `from` on, and compares each reply.
///
/// # Errors
/// If a connection fails, or a reply is wrong.
pub fn fill(address: SocketAddr, protocol: Protocol, dataset: Dataset, from: u32) -> io::Result<()> {
    let fits = |pipeline: &usize| pipeline * dataset.value_bytes <= FILL_BYTES;
    let pipeline = FILL_PIPELINES.into_iter().find(fits).unwrap_or(1);
    // In portions, because the requests for all of it would take too much memory.
    let keys = (64 << 20) / dataset.value_bytes;
    let portion = (keys / FILL_PIPELINES[0] * FILL_PIPELINES[0]).max(pipeline) as u32;
    let mut begin = from;
    while begin < dataset.keys {
        let end = dataset.keys.min(begin + portion);
        let script = Script::load(protocol, Dataset { keys: end, ..dataset }, begin, pipeline);
        let part = Part { script: &script, window: 4, quota: script.batches() as u64 };
        Load::connect(address, vec![part], Trust::Nothing, 0)?.finish()?;
        begin = end;
    }
    Ok(())
}

/// Connects `count` clients. Each of them asks once and gets its reply.
///
/// # Errors
/// If a connection fails, or a reply is wrong.
pub fn crowd(
    address: SocketAddr,
    script: &Script,
    count: usize,
    trust: Trust,
    round: usize,
) -> io::Result<Load<'_>> {
    let parts = (0..count).map(|_| Part { script, window: 1, quota: 1 }).collect();
    let mut crowd = Load::connect(address, parts, trust, round)?;
    crowd.finish()?;
    Ok(crowd)
}

/// Measures one scenario on one server, in one round.
///
/// # Errors
/// If the server stops answering, or a reply is wrong.
pub fn measure(
    scenario: &Scenario,
    server: &Running,
    scripts: &Scripts,
    pace: Pace,
    round: usize,
    is_floor: bool,
) -> io::Result<Found> {
    let ask = Ask { server, scripts, pace, round, is_floor };
    let mut took = None;
    let figures = match scenario.kind {
        Kind::Closed { clients, .. } => ask.closed(clients)?,
        Kind::Crowded { idle } => ask.crowded(idle)?,
        Kind::Open { rate } => {
            let (figures, histogram) = ask.open(rate)?;
            took = Some(histogram);
            figures
        }
        Kind::Beside { clients, rate, endless } => {
            let (figures, histogram) = ask.beside(clients, rate, endless.map_or(0, |(window, _)| window))?;
            took = Some(histogram);
            figures
        }
        Kind::Churn => ask.churn()?,
        Kind::Publish { subscribers, pipeline } => ask.publish(subscribers, pipeline)?,
        Kind::Calls { .. } => ask.calls()?,
        // These need fresh servers, so `run` measures them itself.
        Kind::Idle | Kind::ConnMemory { .. } | Kind::KeyMemory(_) => Figures::new(),
    };
    Ok(Found { figures, took })
}

/// One measurement.
struct Ask<'a> {
    server: &'a Running,
    scripts: &'a Scripts,
    pace: Pace,
    round: usize,
    is_floor: bool,
}

impl<'a> Ask<'a> {
    /// How closely replies are checked while the server is measured.
    fn trust(&self) -> Trust {
        if self.is_floor { Trust::Blindly } else { Trust::Length }
    }

    /// Clients in a closed loop. They have warmed up, and every reply of the warm-up was compared.
    fn clients(&self, count: usize) -> io::Result<Load<'a>> {
        let part = || Part { script: &self.scripts.main, window: 1, quota: u64::MAX };
        let parts = (0..count).map(|_| part()).collect();
        self.warmed(Load::connect(self.server.address, parts, self.first_trust(), self.round)?)
    }

    /// How closely replies are checked in the warm-up.
    fn first_trust(&self) -> Trust {
        if self.is_floor { Trust::Blindly } else { Trust::Nothing }
    }

    /// Warms up with `load`.
    fn warmed(&self, mut load: Load<'a>) -> io::Result<Load<'a>> {
        load.run(self.pace.warm)?;
        load.trust(self.trust());
        Ok(load)
    }

    fn closed(&self, clients: usize) -> io::Result<Figures> {
        let mut load = self.clients(clients)?;
        let before = Usage::of(self.server.pid())?;
        let begin = Instant::now();
        let mut requests = 0;
        // On a busy machine, a window may pass with hardly a request answered.
        while requests < REQUESTS_MIN && begin.elapsed() < PATIENCE {
            requests += load.run(self.pace.window)?;
        }
        let elapsed = begin.elapsed();
        let requests = requests.max(1) as f64;
        let used = Usage::of(self.server.pid())?.since(before);
        let mut figures = per_request(used, requests);
        figures.push((Metric::Rate, requests / elapsed.as_secs_f64()));
        Ok(figures)
    }

    fn crowded(&self, idle: usize) -> io::Result<Figures> {
        let crowd = crowd(self.server.address, &self.scripts.main, idle, self.first_trust(), self.round)?;
        let figures = self.closed(CLIENTS)?;
        drop(crowd);
        Ok(figures)
    }

    fn open(&self, rate: u32) -> io::Result<(Figures, Histogram<u64>)> {
        let part = || Part { script: &self.scripts.main, window: 0, quota: 0 };
        let parts = (0..CLIENTS).map(|_| part()).collect();
        let mut load = Load::connect(self.server.address, parts, self.first_trust(), self.round)?;
        load.run_open(CLIENTS, rate, self.pace.warm)?;
        load.trust(self.trust());
        let before = Usage::of(self.server.pid())?;
        let took = load.run_open(CLIENTS, rate, self.pace.open)?;
        let used = Usage::of(self.server.pid())?.since(before);
        let mut figures = per_request(used, took.len() as f64);
        figures.extend(percentiles(&took));
        Ok((figures, took))
    }

    fn beside(&self, clients: usize, rate: u32, window: u32) -> io::Result<(Figures, Histogram<u64>)> {
        let polite = |_| Part { script: &self.scripts.main, window: 0, quota: 0 };
        let endless = |script| Part { script, window, quota: u64::MAX };
        let parts = (0..clients).map(polite).chain(self.scripts.side.as_ref().map(endless)).collect();
        let load = Load::connect(self.server.address, parts, self.first_trust(), self.round)?;
        let took = self.warmed(load)?.run_open(clients, rate, self.pace.open)?;
        Ok((percentiles(&took), took))
    }

    fn churn(&self) -> io::Result<Figures> {
        let script = &self.scripts.main;
        let some = |count| churn(self.server.address, script, count, CHURN_AT_ONCE, self.trust());
        some(CHURN_AT_ONCE)?;
        let before = Usage::of(self.server.pid())?;
        let begin = Instant::now();
        some(self.pace.churns)?;
        let elapsed = begin.elapsed();
        let used = Usage::of(self.server.pid())?.since(before);
        let connections = self.pace.churns as f64;
        let mut figures = per_request(used, connections);
        figures.push((Metric::Rate, connections / elapsed.as_secs_f64()));
        Ok(figures)
    }

    fn publish(&self, subscribers: usize, pipeline: usize) -> io::Result<Figures> {
        let mut fanout = Fanout::connect(self.server.address, subscribers, pipeline)?;
        fanout.run(self.pace.warm)?;
        let before = Usage::of(self.server.pid())?;
        let begin = Instant::now();
        let messages = fanout.run(self.pace.window)? as f64;
        let elapsed = begin.elapsed();
        let used = Usage::of(self.server.pid())?.since(before);
        let mut figures = per_request(used, messages);
        figures.push((Metric::Rate, messages / elapsed.as_secs_f64()));
        Ok(figures)
    }

    fn calls(&self) -> io::Result<Figures> {
        let mut load = self.clients(CLIENTS)?;
        let Some(strace) = Strace::attach(self.server.pid()) else { return Ok(Figures::new()) };
        let requests = load.run(CALLS_WINDOW)?;
        let calls = strace.finish().ok_or_else(|| io::Error::other("strace printed no counts"))?;
        Ok(vec![(Metric::Syscalls, calls as f64 / requests as f64)])
    }
}

/// What a server has used for each of `requests` requests.
fn per_request(used: Usage, requests: f64) -> Figures {
    let cpu = used.cpu.as_secs_f64() * 1e6 / requests;
    let mut figures = vec![(Metric::Cpu, cpu), (Metric::Waits, used.waits as f64 / requests)];
    if let Some(user) = used.user_part() {
        figures.extend([(Metric::User, cpu * user), (Metric::System, cpu * (1.0 - user))]);
    }
    figures
}

/// Percentiles of the times in `took`.
fn percentiles(took: &Histogram<u64>) -> Figures {
    let us = |quantile| took.value_at_quantile(quantile) as f64 / 1e3;
    vec![
        (Metric::P50, us(0.5)),
        (Metric::P99, us(0.99)),
        (Metric::P999, us(0.999)),
        (Metric::Worst, took.max() as f64 / 1e3),
    ]
}
