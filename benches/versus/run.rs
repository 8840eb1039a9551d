//! The order of a run. For each data set, all servers are started and filled once. A scenario has several
//! rounds, and each round measures all servers one after the other: A B C, A B C. So a disturbance of the
//! machine hits all of them.

use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::client::Trust;
use super::contenders::{Contender, Running, floor};
use super::cores::Cores;
use super::figures::{Metric, Results};
use super::measure::{Pace, Scripts, crowd, fill, measure};
use super::scenarios::{Kind, Scenario};
use super::script::{Dataset, Protocol};
use super::usage::{Usage, resident};

/// The name of the floor.
pub const FLOOR: &str = "floor";
/// How long idle servers are watched.
const IDLE_WATCH: Duration = Duration::from_secs(2);
/// How long servers that have just started may settle before they are watched.
const IDLE_REST: Duration = Duration::from_millis(500);

/// What a run is to measure.
pub struct Plan {
    /// The servers that take part, without the floor. The first one is the daemon.
    pub contenders: Vec<Contender>,
    /// The scenarios, in the order of the run.
    pub scenarios: Vec<Scenario>,
    /// True if the floor takes part.
    pub with_floor: bool,
    /// True for a quick run.
    pub quick: bool,
    /// How long and how often everything is measured.
    pub pace: Pace,
    /// The cores of server and generator.
    pub cores: Cores,
}

/// A run that has begun.
pub struct Run<'a> {
    plan: &'a Plan,
    /// Shows on the terminal how far the run has come.
    bar: ProgressBar,
    /// What has been measured so far.
    pub results: Results,
    /// What went wrong: each line names scenario and contender.
    pub trouble: Vec<String>,
}

impl<'a> Run<'a> {
    /// A run that has measured nothing yet.
    pub fn new(plan: &'a Plan) -> Run<'a> {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}");
        let bar = ProgressBar::new(plan.scenarios.len() as u64);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Run { plan, bar, results: Results::default(), trouble: Vec::new() }
    }

    /// Runs the whole plan.
    pub fn all(&mut self) {
        for together in self.plan.scenarios.chunk_by(|one, other| one.dataset == other.dataset) {
            let dataset = together[0].dataset;
            let servers = if dataset.keys > 0 { self.filled(&together[0]) } else { Vec::new() };
            for scenario in together {
                match scenario.kind {
                    Kind::Idle => self.idle(scenario),
                    Kind::ConnMemory { idle } => self.conn_memory(scenario, idle),
                    Kind::KeyMemory(dataset) => self.key_memory(scenario, dataset),
                    _ => self.turns(scenario, &servers),
                }
                self.bar.inc(1);
            }
        }
        self.bar.finish_and_clear();
    }

    /// Starts all contenders and fills them with the data of scenario `first`. The scenarios after it with
    /// the same data use the same servers. A contender that fails here takes no part in these scenarios, and
    /// neither does one that lacks the commands.
    fn filled(&mut self, first: &Scenario) -> Vec<(&'a Contender, Running)> {
        let dataset = first.dataset;
        let mut servers = Vec::new();
        for contender in self.plan.contenders.iter().filter(|one| first.suits(one.protocol)) {
            self.bar.set_message(format!("filling {}", contender.name));
            let filled = contender.start(self.plan.cores).and_then(|server| {
                fill(server.address, contender.protocol, dataset, 0)?;
                Ok(server)
            });
            match filled {
                Ok(server) => servers.push((contender, server)),
                Err(error) => {
                    self.note_trouble(&format!("filling for {}", first.name), &contender.name, &error)
                }
            }
        }
        servers
    }

    /// Measures one scenario on all servers, in several rounds.
    fn turns(&mut self, scenario: &Scenario, servers: &[(&'a Contender, Running)]) {
        let resp = Scripts::of(scenario, Protocol::Resp);
        let servers = || servers.iter().filter(|(one, _)| scenario.suits(one.protocol));
        let needs_memcached = servers().any(|(one, _)| one.protocol == Protocol::Memcached);
        let memcached = needs_memcached.then(|| Scripts::of(scenario, Protocol::Memcached));
        let ground = resp.exchange().filter(|_| self.plan.with_floor).map(floor);
        let ground = ground.and_then(|floor| match floor.start(self.plan.cores) {
            Ok(server) => Some((floor, server)),
            Err(error) => {
                self.note_trouble(scenario.name, FLOOR, &error);
                None
            }
        });
        let rounds = if self.plan.quick && scenario.kind.once_if_quick() { 1 } else { self.plan.pace.rounds };
        for round in 0..rounds {
            let everybody = ground.iter().map(|(one, server)| (one, server));
            for (contender, server) in everybody.chain(servers().map(|(one, server)| (*one, server))) {
                self.bar.set_message(format!("{} round {}: {}", scenario.name, round + 1, contender.name));
                let scripts = match contender.protocol {
                    Protocol::Resp => &resp,
                    Protocol::Memcached => memcached.as_ref().unwrap_or(&resp),
                };
                let is_floor = contender.name == FLOOR;
                match measure(scenario, server, scripts, self.plan.pace, round, is_floor) {
                    Ok(found) => {
                        self.results.note(scenario.name, &contender.name, &found.figures);
                        if let Some(took) = &found.took {
                            self.results.note_latencies(scenario.name, &contender.name, took);
                        }
                    }
                    Err(error) => self.note_trouble(scenario.name, &contender.name, &error),
                }
            }
        }
    }

    /// Measures idle servers: starts them one after the other, and then watches all of them together.
    fn idle(&mut self, scenario: &Scenario) {
        let rounds = if self.plan.quick { 1 } else { self.plan.pace.rounds };
        for _ in 0..rounds {
            self.bar.set_message(scenario.name);
            let mut servers = Vec::new();
            for contender in &self.plan.contenders {
                match contender.start(self.plan.cores) {
                    Ok(server) => servers.push((contender, server)),
                    Err(error) => self.note_trouble(scenario.name, &contender.name, &error),
                }
            }
            std::thread::sleep(IDLE_REST);
            let before: Vec<_> = servers.iter().map(|(_, server)| Usage::of(server.pid())).collect();
            std::thread::sleep(IDLE_WATCH);
            for ((contender, server), before) in servers.iter().zip(before) {
                let found = before.and_then(|before| {
                    let waits = Usage::of(server.pid())?.since(before).waits as f64;
                    Ok(vec![
                        (Metric::Ready, server.ready_in.as_secs_f64() * 1e3),
                        (Metric::Resident, resident(server.pid())? as f64 / f64::from(1 << 20)),
                        (Metric::Wakeups, waits / IDLE_WATCH.as_secs_f64()),
                    ])
                });
                match found {
                    Ok(figures) => self.results.note(scenario.name, &contender.name, &figures),
                    Err(error) => self.note_trouble(scenario.name, &contender.name, &error),
                }
            }
        }
    }

    /// Measures how many bytes more than key and value a server needs for each key of a data set.
    fn key_memory(&mut self, scenario: &Scenario, dataset: Dataset) {
        self.growth(scenario, |contender, server| {
            let before = resident(server.pid())?;
            fill(server.address, contender.protocol, dataset, 0)?;
            let grown = resident(server.pid())?.saturating_sub(before);
            let over = grown as f64 / f64::from(dataset.keys) - dataset.item_bytes() as f64;
            Ok((Metric::OverheadPerKey, over))
        });
    }

    /// Measures how much memory a server needs for each idle connection.
    fn conn_memory(&mut self, scenario: &Scenario, idle: usize) {
        self.growth(scenario, |contender, server| {
            let scripts = Scripts::of(scenario, contender.protocol);
            let before = resident(server.pid())?;
            let crowd = crowd(server.address, scripts.main(), idle, Trust::Nothing, 0)?;
            let grown = resident(server.pid())?.saturating_sub(before);
            drop(crowd);
            Ok((Metric::BytesPerConn, grown as f64 / idle as f64))
        });
    }

    /// Takes one figure from a fresh server of each contender. Once is enough, because a busy machine does
    /// not change how much memory a server needs.
    fn growth(
        &mut self,
        scenario: &Scenario,
        measure: impl Fn(&Contender, &Running) -> io::Result<(Metric, f64)>,
    ) {
        for contender in &self.plan.contenders {
            self.bar.set_message(format!("{}: {}", scenario.name, contender.name));
            let found = contender.start(self.plan.cores).and_then(|server| measure(contender, &server));
            match found {
                Ok(figure) => self.results.note(scenario.name, &contender.name, &vec![figure]),
                Err(error) => self.note_trouble(scenario.name, &contender.name, &error),
            }
        }
    }

    /// Notes and prints what went wrong. The same line only once.
    fn note_trouble(&mut self, scenario: &str, who: &str, error: &io::Error) {
        let line = format!("{scenario}, {who}: {error}");
        if !self.trouble.contains(&line) {
            self.bar.println(&line);
            self.trouble.push(line);
        }
    }
}
