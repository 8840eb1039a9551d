//! What `--check` prints: the settings that differ from their defaults, and the limits that result from all of them.

use std::fmt::Write as _;

use super::maxmemory::there_is;
use super::options::OPTIONS;
use super::{Config, Part, Reading};

/// The report. `running` are the settings as a server would run with them, where descriptors may have lowered
/// `maxclients` from `lowered_from`. `descriptors` is how many the process may open.
pub fn report(reading: &Reading, running: &Config, lowered_from: Option<u32>, descriptors: u64) -> String {
    let mut text = String::from("the settings are right\n");
    differences(&mut text, reading);
    if !reading.unused.is_empty() {
        let _ = writeln!(text, "\noptions of Redis that have no meaning here: {}", reading.unused.join(" "));
    }
    text += "\nlimits that result:\n";
    let why = match lowered_from {
        Some(wanted) => format!("lowered from {wanted}, because "),
        None => String::new(),
    };
    let _ = writeln!(
        text,
        "  maxclients {}: {why}the process may open {descriptors} descriptors",
        running.maxclients
    );
    memory(&mut text, running);
    text
}

fn differences(text: &mut String, reading: &Reading) {
    let defaults = Config::default();
    let differ = |name: &str| {
        OPTIONS
            .iter()
            .find(|opt| opt.name == name)
            .filter(|opt| (opt.get)(&reading.config) != (opt.get)(&defaults))
    };
    let mut lines = Vec::new();
    for opt in OPTIONS.iter().filter_map(|opt| differ(opt.name)) {
        // An option with two names has been set by one of them.
        let decider = reading.deciders.iter().rfind(|(name, _)| *name == opt.name);
        if let Some((_, origin)) = decider {
            lines.push(format!("  {} {}  ({origin})", opt.name, opt.written(&reading.config)));
        }
    }
    if lines.is_empty() {
        *text += "\nall options have their defaults\n";
    } else {
        let _ = writeln!(text, "\noptions that differ from their defaults:\n{}", lines.join("\n"));
    }
}

fn memory(text: &mut String, config: &Config) {
    let limit = config.maxmemory.bytes;
    let whole = there_is();
    let _ = match (config.maxmemory.part, whole) {
        (Some(Part { percent, whole, source }), _) => {
            writeln!(text, "  maxmemory {limit}: {percent} % of the {whole} bytes that the {source} allows")
        }
        (None, Some((whole, source))) if limit == 0 => {
            writeln!(text, "  maxmemory 0: no limit, and the {source} allows {whole} bytes")
        }
        (None, Some((whole, source))) if limit > whole => {
            writeln!(text, "  maxmemory {limit}: MORE than the {whole} bytes that the {source} allows")
        }
        (None, Some((whole, source))) => {
            writeln!(text, "  maxmemory {limit}: the {source} allows {whole} bytes")
        }
        (None, None) => writeln!(text, "  maxmemory {limit}"),
    };
    let most = if limit > 0 { Some(limit) } else { whole.map(|(whole, _)| whole) };
    for (name, bytes) in [
        ("maxmemory-clients", config.maxmemory_clients),
        ("max-request-bytes", config.max_request_bytes),
        ("max-reply-bytes", config.max_reply_bytes),
        ("script-memory-limit", config.script_memory_limit),
    ] {
        let _ = match most.filter(|most| bytes > *most) {
            Some(most) => writeln!(text, "  {name} {bytes}: MORE than the {most} bytes for everything"),
            None => writeln!(text, "  {name} {bytes}"),
        };
    }
}
