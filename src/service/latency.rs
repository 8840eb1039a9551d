//! How long commands take (`LATENCY`): samples of slow ones, and a histogram for each command.

use std::collections::VecDeque;

use crate::stats::COMMANDS_MAX;

/// Most samples that are kept of an event, as in Redis.
const SAMPLES_MAX: usize = 160;
/// Number of buckets of a histogram. Each is twice as wide as the one before; the last one begins at 8 s.
const BUCKETS: usize = 24;

/// What took long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A command.
    Command,
    /// A command that should never take long: one with the flag `fast`.
    FastCommand,
}

impl Event {
    /// All events.
    pub const ALL: [Event; 2] = [Event::Command, Event::FastCommand];

    /// Redis's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Event::Command => "command",
            Event::FastCommand => "fast-command",
        }
    }
}

/// The slowest occurrence within one second.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Unix time, seconds.
    pub unix_s: u64,
    /// How long it took, milliseconds.
    pub ms: u64,
}

/// The samples of one event.
#[derive(Debug, Default)]
pub struct Series {
    /// The samples, the oldest first.
    pub samples: VecDeque<Sample>,
    /// The longest time since the last reset, milliseconds.
    pub max_ms: u64,
}

/// How long the calls of one command took: how many calls took up to 2^n microseconds.
pub type Histogram = [u64; BUCKETS];

/// All that is known.
#[derive(Debug)]
pub struct Latency {
    series: [Series; Event::ALL.len()],
    histograms: Vec<Option<Box<Histogram>>>,
}

impl Default for Latency {
    fn default() -> Latency {
        let histograms = std::iter::repeat_with(|| None).take(COMMANDS_MAX).collect();
        Latency { series: Default::default(), histograms }
    }
}

/// The time in microseconds within which this share of the calls has ended, rounded up to a power of two: the histogram
/// knows no more.
pub fn percentile(histogram: &Histogram, share: f64) -> f64 {
    let calls: u64 = histogram.iter().sum();
    let wanted = (calls as f64 * share).ceil() as u64;
    let mut ended = 0;
    let bucket = histogram.iter().position(|count| {
        ended += count;
        ended >= wanted
    });
    2f64.powi(bucket.unwrap_or(BUCKETS - 1) as i32)
}

impl Latency {
    /// Notes that an event took so long.
    pub fn sample(&mut self, event: Event, unix_s: u64, ms: u64) {
        let series = &mut self.series[event as usize];
        series.max_ms = series.max_ms.max(ms);
        match series.samples.back_mut() {
            Some(last) if last.unix_s == unix_s => last.ms = last.ms.max(ms),
            _ => {
                if series.samples.len() == SAMPLES_MAX {
                    series.samples.pop_front();
                }
                series.samples.push_back(Sample { unix_s, ms });
            }
        }
    }

    /// Notes that a call of the command with this id took so long.
    pub fn count(&mut self, id: u16, us: u64) {
        let histogram = self.histograms[usize::from(id)].get_or_insert_default();
        let bucket = u64::BITS - us.saturating_sub(1).leading_zeros();
        histogram[(bucket as usize).min(BUCKETS - 1)] += 1;
    }

    /// Forgets the histograms.
    pub fn reset_histograms(&mut self) {
        self.histograms.fill_with(|| None);
    }

    /// The samples of an event.
    pub fn series(&self, event: Event) -> &Series {
        &self.series[event as usize]
    }

    /// Forgets the samples of an event. Returns true if there were any.
    pub fn reset(&mut self, event: Event) -> bool {
        !std::mem::take(&mut self.series[event as usize]).samples.is_empty()
    }

    /// The histogram of the command with this id, if a call of it was timed.
    pub fn histogram(&self, id: u16) -> Option<&Histogram> {
        self.histograms.get(usize::from(id))?.as_deref()
    }
}
