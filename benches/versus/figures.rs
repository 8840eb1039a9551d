//! What a run has found: for each scenario, contender and metric the values of all rounds.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// A thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    Cpu,
    User,
    System,
    Rate,
    Waits,
    P50,
    P99,
    P999,
    Worst,
    Syscalls,
    BytesPerConn,
    OverheadPerKey,
    Ready,
    Resident,
    Wakeups,
}

impl Metric {
    /// What the report calls it, with its unit.
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

/// What one measurement says.
pub type Figures = Vec<(Metric, f64)>;

/// The middle and the ends of what the rounds said.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// Everything, by the names of scenario and contender.
#[derive(Default)]
pub struct Results {
    values: BTreeMap<(String, String, Metric), Vec<f64>>,
    latencies: BTreeMap<(String, String), Histogram<u64>>,
}

impl Results {
    pub fn note(&mut self, scenario: &str, contender: &str, figures: &Figures) {
        for &(metric, value) in figures {
            let key = (scenario.to_owned(), contender.to_owned(), metric);
            self.values.entry(key).or_default().push(value);
        }
    }

    pub fn note_latencies(&mut self, scenario: &str, contender: &str, took: &Histogram<u64>) {
        let key = (scenario.to_owned(), contender.to_owned());
        match self.latencies.get_mut(&key) {
            // Both have the same bounds, so nothing is lost.
            Some(sum) => drop(sum.add(took)),
            None => drop(self.latencies.insert(key, took.clone())),
        }
    }

    pub fn values(&self, scenario: &str, contender: &str, metric: Metric) -> &[f64] {
        let key = (scenario.to_owned(), contender.to_owned(), metric);
        self.values.get(&key).map_or(&[], Vec::as_slice)
    }

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

    pub fn latencies(&self, scenario: &str, contender: &str) -> Option<&Histogram<u64>> {
        self.latencies.get(&(scenario.to_owned(), contender.to_owned()))
    }

    /// How many times the floor's cost a contender's is: the median over the rounds of the ratio
    /// within each round, since what disturbs a round disturbs both.
    pub fn over(&self, scenario: &str, contender: &str, base: &str) -> Option<f64> {
        let own = self.values(scenario, contender, Metric::Cpu);
        let base = self.values(scenario, base, Metric::Cpu);
        let mut ratios: Vec<f64> = own.iter().zip(base).map(|(own, base)| own / base).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied()
    }
}
