//! The report: the results as a table on the terminal, as a file for programs, and as a page for people.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use serde_json::{Map, Value, json};

use super::figures::{Metric, Results};
use super::run::{FLOOR, Plan};
use super::scenarios::Scenario;
use super::{page, plots};

/// A finished run.
pub struct Report<'a> {
    /// What was to be measured.
    pub plan: &'a Plan,
    /// What was measured.
    pub results: &'a Results,
    /// Which servers could not take part, how busy the machine was, and what went wrong.
    pub notes: &'a [String],
}

impl Report<'_> {
    /// The names of the contenders in the order of the report, with the floor first if it takes part.
    pub fn names(&self) -> Vec<&str> {
        let floor = self.plan.with_floor.then_some(FLOOR);
        floor.into_iter().chain(self.plan.contenders.iter().map(|one| one.name.as_str())).collect()
    }

    /// One line about the run: date, machine, kernel, cores and rounds.
    pub fn circumstances(&self) -> String {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let kernel = read("/proc/sys/kernel/osrelease");
        let cores =
            std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default().matches("processor\t").count();
        let date = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        format!(
            "{}, {cores} cores ({}), Linux {}; server on core {}, generator on core {}; {} rounds of {} ms",
            date.replace('T', " ").replace('Z', " UTC"),
            model.unwrap_or("CPU unknown").trim(),
            kernel.trim(),
            self.plan.cores.server,
            self.plan.cores.generator,
            self.plan.pace.rounds,
            self.plan.pace.window.as_millis(),
        )
    }

    /// The tables of all scenarios and the notes, as text.
    pub fn text(&self) -> String {
        let mut text = format!("\n{}\n", self.circumstances());
        for scenario in &self.plan.scenarios {
            self.block(scenario, &mut text);
        }
        for note in self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }

    /// Appends the table of one scenario.
    fn block(&self, scenario: &Scenario, text: &mut String) {
        let metrics = self.results.metrics(scenario.name);
        let _ = write!(text, "\n{}: {}\n{:12}", scenario.name, scenario.about, "");
        for metric in &metrics {
            let width = width(*metric);
            let _ = write!(text, "{:>width$}", metric.label());
            if *metric == Metric::Cpu {
                let _ = write!(text, "{:>9}", "x floor");
            }
        }
        text.push('\n');
        for name in self.names() {
            if metrics.iter().all(|&metric| self.results.summary(scenario.name, name, metric).is_none()) {
                continue;
            }
            let _ = write!(text, "{name:12}");
            for &metric in &metrics {
                let width = width(metric);
                let _ = write!(text, "{:>width$}", self.cell(scenario.name, name, metric));
                if metric == Metric::Cpu {
                    let over = self.results.over(scenario.name, name, FLOOR);
                    let _ = write!(text, "{:>9}", over.map_or_else(String::new, |over| format!("{over:.2}")));
                }
            }
            text.push('\n');
        }
    }

    /// One cell of a table: the median of the rounds. CPU times also show the least and the greatest value,
    /// as
    /// `median [min..max]`, because they are the figures to compare.
    pub fn cell(&self, scenario: &str, contender: &str, metric: Metric) -> String {
        let Some(found) = self.results.summary(scenario, contender, metric) else { return "-".into() };
        if metric == Metric::Cpu && found.min < found.max {
            return format!("{} [{}..{}]", number(found.median), number(found.min), number(found.max));
        }
        number(found.median)
    }

    /// Writes the files to the folder `out`, and prints where they are.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self, out: &Path) -> io::Result<()> {
        fs::create_dir_all(out)?;
        let out = out.canonicalize()?;
        let figures = serde_json::to_string_pretty(&self.json()).map_err(io::Error::other)?;
        fs::write(out.join("versus.json"), figures)?;
        fs::write(out.join("versus.svg"), plots::overview(self))?;
        fs::write(out.join("versus.html"), page::html(self))?;
        println!("\nwritten to {}: versus.html, versus.svg, versus.json", out.display());
        Ok(())
    }

    /// The results for programs.
    fn json(&self) -> Value {
        let scenarios: Map<String, Value> = self
            .plan
            .scenarios
            .iter()
            .map(|scenario| {
                let found =
                    self.names().into_iter().map(|name| (name.to_owned(), self.figures(scenario, name)));
                let found: Map<String, Value> = found.filter(|(_, figures)| figures != &json!({})).collect();
                (scenario.name.to_owned(), json!({ "about": scenario.about, "contenders": found }))
            })
            .collect();
        let contenders: Map<String, Value> =
            self.plan.contenders.iter().map(|one| (one.name.clone(), json!(one.about))).collect();
        json!({
            "circumstances": self.circumstances(),
            "contenders": contenders,
            "scenarios": scenarios,
            "notes": self.notes,
        })
    }

    /// The results of one contender in one scenario, for programs.
    fn figures(&self, scenario: &Scenario, name: &str) -> Value {
        let mut figures = Map::new();
        for metric in self.results.metrics(scenario.name) {
            if let Some(found) = self.results.summary(scenario.name, name, metric) {
                let rounds = self.results.values(scenario.name, name, metric);
                let value =
                    json!({ "median": found.median, "min": found.min, "max": found.max, "rounds": rounds });
                figures.insert(metric.label().to_owned(), value);
            }
        }
        if let Some(over) = self.results.over(scenario.name, name, FLOOR) {
            figures.insert("CPU over the floor's".to_owned(), json!(over));
        }
        Value::Object(figures)
    }
}

/// Width of a column, in characters.
fn width(metric: Metric) -> usize {
    let least = if metric == Metric::Cpu { 24 } else { 0 };
    (metric.label().chars().count() + 2).max(least).max(11)
}

/// A number with about three digits that matter; from 1,000 on, rounded to a whole number.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 1000.0 => thousands(value.round() as i64),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A number with a comma after each group of three digits.
fn thousands(value: i64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0
            && (digits.len() - index).is_multiple_of(3)
            && digit.is_ascii_digit()
            && !text.ends_with('-')
        {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
