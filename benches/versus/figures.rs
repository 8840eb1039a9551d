//! The results of a run: for each scenario, contender and metric, the values of all rounds.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// A quantity that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// CPU time of the server's process per request, in microseconds.
    Cpu,
    /// The part of that in the program, in microseconds.
    User,
    /// The part of that in the kernel, in microseconds.
    System,
    /// Requests answered per second.
    Rate,
    /// How many times the server went to sleep per request.
    Waits,
    /// Median of the times that replies took, in microseconds.
    P50,
    /// The 99th percentile of those times, in microseconds.
    P99,
    /// The 99.9th percentile, in microseconds.
    P999,
    /// The longest of those times, in microseconds.
    Worst,
    /// System calls per request.
    Syscalls,
    /// Resident memory per idle connection, in bytes.
    BytesPerConn,
    /// Resident memory per key, without the bytes of key and value, in bytes.
    OverheadPerKey,
    /// Time from the start of the process to its first answer, in milliseconds.
    Ready,
    /// Resident memory of an idle server, in MiB.
    Resident,
    /// How many times an idle server wakes up per second.
    Wakeups,
}

impl Metric {
    /// The name in the report, with the unit.
    pub fn label(self) -> &'static str {
        match self {
            Metric::Cpu => "CPU µs/request",
            Metric::User => "user µs",
            Metric::System => "system µs",
            Metric::Rate => "requests/s",
            Metric::Waits => "sleeps/request",
            Metric::P50 => "p50 µs",
            Metric::P99 => "p99 µs",
            Metric::P999 => "p99.9 µs",
            Metric::Worst => "worst µs",
            Metric::Syscalls => "system calls/request",
            Metric::BytesPerConn => "bytes/idle connection",
            Metric::OverheadPerKey => "bytes/key over key and value",
            Metric::Ready => "exec to first answer, ms",
            Metric::Resident => "resident, MiB",
            Metric::Wakeups => "wake-ups/s when idle",
        }
    }
}

/// The values that one measurement has found.
pub type Figures = Vec<(Metric, f64)>;

/// A summary of the values of all rounds.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// The median.
    pub median: f64,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
}

/// All results, by the names of scenario and contender.
#[derive(Default)]
pub struct Results {
    /// One value for each round.
    values: BTreeMap<(String, String, Metric), Vec<f64>>,
    /// How long replies took in an open loop, in nanoseconds, in all rounds together.
    latencies: BTreeMap<(String, String), Histogram<u64>>,
}

impl Results {
    /// Adds the values of one round.
    pub fn note(&mut self, scenario: &str, contender: &str, figures: &Figures) {
        for &(metric, value) in figures {
            let key = (scenario.to_owned(), contender.to_owned(), metric);
            self.values.entry(key).or_default().push(value);
        }
    }

    /// Adds the reply times of one round, in nanoseconds.
    pub fn note_latencies(&mut self, scenario: &str, contender: &str, took: &Histogram<u64>) {
        let key = (scenario.to_owned(), contender.to_owned());
        match self.latencies.get_mut(&key) {
            // This cannot fail, because both have the same bounds.
            Some(sum) => drop(sum.add(took)),
            None => drop(self.latencies.insert(key, took.clone())),
        }
    }

    /// The values of all rounds.
    pub fn values(&self, scenario: &str, contender: &str, metric: Metric) -> &[f64] {
        let key = (scenario.to_owned(), contender.to_owned(), metric);
        self.values.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The summary of all rounds; `None` if nothing was measured.
    pub fn summary(&self, scenario: &str, contender: &str, metric: Metric) -> Option<Summary> {
        let mut sorted = self.values(scenario, contender, metric).to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Summary { median, min, max })
    }

    /// The metrics that were measured in a scenario.
    pub fn metrics(&self, scenario: &str) -> Vec<Metric> {
        let mut metrics: Vec<Metric> =
            self.values.keys().filter(|(name, ..)| name == scenario).map(|&(_, _, metric)| metric).collect();
        metrics.sort();
        metrics.dedup();
        metrics
    }

    /// How long replies took, in nanoseconds; `None` if that was not measured.
    pub fn latencies(&self, scenario: &str, contender: &str) -> Option<&Histogram<u64>> {
        self.latencies.get(&(scenario.to_owned(), contender.to_owned()))
    }

    /// The CPU time of `contender` divided by that of `base`. The ratio is taken within each round, because a
    /// disturbance hits both of them there, and the result is the median of the rounds.
    pub fn over(&self, scenario: &str, contender: &str, base: &str) -> Option<f64> {
        let own = self.values(scenario, contender, Metric::Cpu);
        let base = self.values(scenario, base, Metric::Cpu);
        let mut ratios: Vec<f64> = own.iter().zip(base).map(|(own, base)| own / base).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied()
    }
}
