//! Tells one seed of the simulator as a story, tick by tick: what the world did, which phase of the
//! server reacted, and what left.
//!
//! ```sh
//! cargo run --example replay -- 7 | less
//! ```
//!
//! A line begins with the phase of the tick that acted, or with `world` for what is not the server's
//! doing. A seed that fails tells its story up to the broken promise, which is the last thing it prints.

#[path = "../tests/sim/bits.rs"]
mod bits;
#[path = "../tests/sim/board.rs"]
mod board;
#[path = "../tests/sim/client.rs"]
mod client;
#[path = "../tests/sim/dealings.rs"]
mod dealings;
#[path = "../tests/sim/events.rs"]
mod events;
#[path = "../tests/sim/frames.rs"]
mod frames;
#[path = "../tests/sim/geo.rs"]
mod geo;
#[path = "../tests/sim/groups.rs"]
mod groups;
#[path = "../tests/sim/hashes.rs"]
mod hashes;
#[path = "../tests/sim/keys.rs"]
mod keys;
#[path = "../tests/sim/lists.rs"]
mod lists;
#[path = "../tests/sim/model.rs"]
mod model;
#[path = "../tests/sim/net.rs"]
mod net;
#[path = "../tests/sim/queues.rs"]
mod queues;
#[path = "../tests/sim/reasons.rs"]
mod reasons;
#[path = "../tests/sim/run/mod.rs"]
mod run;
#[path = "../tests/sim/script.rs"]
mod script;
#[path = "../tests/sim/scripts.rs"]
mod scripts;
#[path = "../tests/sim/sets.rs"]
mod sets;
#[path = "../tests/sim/state/mod.rs"]
mod state;
#[path = "../tests/sim/story.rs"]
mod story;
#[path = "../tests/sim/streams.rs"]
mod streams;
#[path = "../tests/sim/strings.rs"]
mod strings;
#[path = "../tests/sim/times.rs"]
mod times;
#[path = "../tests/sim/world.rs"]
mod world;
#[path = "../tests/sim/zsets.rs"]
mod zsets;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let word = std::env::args().nth(1).unwrap_or_else(|| "0".to_owned());
    let Ok(seed) = word.parse() else {
        eprintln!("replay: takes the number of a seed, not {word:?}");
        return ExitCode::FAILURE;
    };
    let mut out = std::io::stdout();
    run::run(
        seed,
        Some(Box::new(move |line| {
            // A reader such as `head` may have seen enough.
            let _ = writeln!(out, "{line}");
        })),
    );
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::run;

    #[test]
    fn a_story_has_ticks_in_order_and_an_end() {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let heard = Rc::clone(&lines);
        let report = run::run(7, Some(Box::new(move |line| heard.borrow_mut().push(line.to_owned()))));
        assert_eq!(report, run::run(7, None), "a story changes nothing");
        let lines = lines.borrow();
        let ticks: Vec<u64> = lines
            .iter()
            .filter_map(|line| line.strip_prefix("tick ")?.split(',').next()?.parse().ok())
            .collect();
        assert!(ticks.len() > 10 && ticks.is_sorted(), "{ticks:?}");
        for phase in ["world", "turns", "flush", "reap", "admit", "settle"] {
            assert!(lines.iter().any(|line| line.trim_start().starts_with(phase)), "{phase} did nothing");
        }
        assert!(lines.iter().any(|line| line.contains("the server ends")));
    }
}
