//! One situation after the other: what is expected, what was seen, and the count at the end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The outcome of a situation. A situation that went wrong panics instead.
pub enum Seen {
    Right(String),
    /// It could not be brought about here, for this reason.
    Skipped(String),
}

impl From<String> for Seen {
    fn from(seen: String) -> Seen {
        Seen::Right(seen)
    }
}

/// One entry of the list.
pub struct Situation {
    pub name: &'static str,
    pub expects: &'static str,
    pub run: fn() -> Seen,
}

/// Judges situations, prints a line for each, and counts.
#[derive(Default)]
pub struct Report {
    number: usize,
    passed: usize,
    skipped: usize,
    failed: Vec<String>,
}

impl Report {
    pub fn run(&mut self, group: &str, situations: &[Situation]) {
        println!("\n{group}");
        for Situation { name, expects, run } in situations {
            self.judge(name, expects, run);
        }
    }

    pub fn judge(&mut self, name: &str, expects: &str, run: impl FnOnce() -> Seen) {
        self.number += 1;
        let (verdict, seen) = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Seen::Right(seen)) => {
                self.passed += 1;
                ("ok", format!("saw {seen}"))
            }
            Ok(Seen::Skipped(why)) => {
                self.skipped += 1;
                ("skipped", why)
            }
            Err(panic) => {
                let seen = format!("saw {}", message(&*panic));
                self.failed.push(format!("{} {name}: {seen}", self.number));
                ("FAILED", seen)
            }
        };
        println!("{:4} {verdict:7} {name}: expected {expects}; {seen}", self.number);
    }

    /// Prints the total.
    ///
    /// # Panics
    /// If a situation went wrong.
    pub fn conclude(self) {
        let Report { number, passed, skipped, failed } = self;
        println!("\n{number} situations: {passed} as expected, {skipped} skipped, {} failed", failed.len());
        assert!(failed.is_empty(), "not as expected: {failed:#?}");
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

/// Bytes as they may stand in a line of the list.
pub fn shown(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 72;
    let text = bytes.escape_ascii().to_string().replace("\\'", "'");
    match text.get(..SHOWN_MAX) {
        Some(head) => format!("`{head}`... of {} bytes", bytes.len()),
        None if text.is_empty() => "nothing".to_owned(),
        None => format!("`{text}`"),
    }
}
