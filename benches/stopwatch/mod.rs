//! The stopwatch: a server with one client and a clock that stands still, and how long each of its ticks takes.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::time::{ClockId, clock_gettime};
use tidegate::config::Config;
use tidegate::server::Server;

use super::treadmill::Treadmill;

/// A tick should not take longer.
const LONG: Duration = Duration::from_millis(2);

/// A server, and what its only client sends.
pub struct Stopwatch {
    pub server: Server<Treadmill>,
    /// What the client sends in the next tick.
    batch: Rc<RefCell<Vec<u8>>>,
    /// The time of both clocks, milliseconds.
    pub clock: Arc<AtomicU64>,
}

impl Stopwatch {
    /// A server without keys.
    pub fn new() -> Stopwatch {
        let batch = Rc::new(RefCell::new(Vec::new()));
        let script = Rc::clone(&batch);
        let world = Treadmill::new(move |out| out.extend_from_slice(&script.borrow()));
        let clock = Arc::clone(&world.time_ms);
        let config = Config { timeout_ms: 0, ..Config::default() };
        let mut server = Server::new(world, config, 1, Vec::new());
        server.tick().expect("no trouble here");
        Stopwatch { server, batch, clock }
    }

    /// One tick, in which the client sends what `write` writes.
    pub fn tick(&mut self, row: &mut Row, write: impl FnOnce(&mut Vec<u8>)) {
        let mut batch = self.batch.borrow_mut();
        batch.clear();
        write(&mut batch);
        drop(batch);
        // A millisecond for each tick, once time goes on.
        if self.clock.load(Ordering::Relaxed) > 0 {
            self.clock.fetch_add(1, Ordering::Relaxed);
        }
        let (began, spent_before) = (Instant::now(), spent());
        self.server.tick().expect("no trouble here");
        row.add(spent() - spent_before, began.elapsed());
    }

    /// The number of keys.
    pub fn keys(&self) -> usize {
        self.server.world().store.len()
    }
}

/// Appends a request to `out`.
pub fn request(out: &mut Vec<u8>, words: &[&str]) {
    write!(out, "*{}\r\n", words.len()).expect("a write to a vector cannot fail");
    for word in words {
        write!(out, "${}\r\n{word}\r\n", word.len()).expect("a write to a vector cannot fail");
    }
}

/// Processor time that this thread has used.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}

/// The times of some ticks: a row of the table.
pub struct Row {
    took: Histogram<u64>,
    /// How many ticks took longer than [`LONG`].
    long: u32,
    /// Which tick took the most processor time. If it is the same one in each run, it is no accident.
    worst_at: u64,
    /// The longest tick by the clock on the wall.
    slowest: Duration,
}

impl Row {
    /// A row without ticks.
    pub fn new() -> Row {
        let took = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("these bounds are valid");
        Row { took, long: 0, worst_at: 0, slowest: Duration::ZERO }
    }

    /// The names of the columns.
    pub fn print_head() {
        let names = ["median", "p99", "p99.99", "worst", "at tick", "> 2 ms", "wall"];
        println!("{:>26} {}", "", names.map(|name| format!("{name:>8}")).join(" "));
    }

    fn add(&mut self, spent: Duration, wall: Duration) {
        if spent.as_nanos() as u64 >= self.took.max() {
            self.worst_at = self.took.len();
        }
        self.took.saturating_record(spent.as_nanos() as u64);
        self.long += u32::from(spent > LONG);
        self.slowest = self.slowest.max(wall);
    }

    /// Prints the row.
    pub fn print(&self, name: &str) {
        let micros = |nanos: u64| nanos as f64 / 1e3;
        println!(
            "{name:>26} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>8} {:>8} {:>8.1}",
            micros(self.took.value_at_quantile(0.5)),
            micros(self.took.value_at_quantile(0.99)),
            micros(self.took.value_at_quantile(0.9999)),
            micros(self.took.max()),
            self.worst_at,
            self.long,
            self.slowest.as_nanos() as f64 / 1e3,
        );
    }
}
